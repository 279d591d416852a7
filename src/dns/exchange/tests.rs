//! The exchange against scripted servers on loopback.

use std::future::Future;

use futures_util::future::join_all;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream, UdpSocket};
use tokio::sync::mpsc;
use tokio::time::{advance, sleep};

use super::*;
use crate::model::{Name, TsigAlgorithm, TsigSecret};

const TIMEOUT: Duration = Duration::from_secs(5);

/// A server that runs `script` on each connection, numbered from 0, one after the other.
async fn server<F, S>(script: S) -> SocketAddr
where
    S: Fn(usize, TcpStream) -> F + Send + 'static,
    F: Future<Output = ()> + Send,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        for number in 0.. {
            let (stream, _) = listener.accept().await.unwrap();
            script(number, stream).await;
        }
    });
    address
}

/// A UDP socket on a port where nothing listens on TCP.
async fn udp_server() -> (UdpSocket, SocketAddr) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

fn exchange(server: SocketAddr) -> Exchange {
    Exchange::new(server, None, Settings::default())
}

/// A request that carries a number.
fn request(number: u32) -> Vec<u8> {
    [&[0; 12][..], &number.to_be_bytes()].concat()
}

fn number(message: &[u8]) -> u32 {
    u32::from_be_bytes(*message.last_chunk().unwrap())
}

async fn receive(stream: &mut TcpStream) -> Vec<u8> {
    let length = stream.read_u16().await.unwrap();
    let mut message = vec![0; usize::from(length)];
    stream.read_exact(&mut message).await.unwrap();
    message
}

fn frame(message: &[u8]) -> Vec<u8> {
    let length = u16::try_from(message.len()).unwrap();
    [&length.to_be_bytes()[..], message].concat()
}

async fn answer(stream: &mut TcpStream, message: &[u8]) {
    stream.write_all(&frame(message)).await.unwrap();
}

/// Answers everything until the client leaves.
async fn answer_all(mut stream: TcpStream) {
    while let Ok(length) = stream.read_u16().await {
        let mut message = vec![0; usize::from(length)];
        stream.read_exact(&mut message).await.unwrap();
        answer(&mut stream, &message).await;
    }
}

/// Holds a connection without a word until the client leaves.
async fn say_nothing(mut stream: TcpStream) {
    tokio::io::copy(&mut stream, &mut tokio::io::sink())
        .await
        .unwrap();
}

#[tokio::test]
async fn answers_in_any_order_reach_their_requests() {
    let address = server(|_, mut stream| async move {
        let mut requests = Vec::new();
        for _ in 0..3 {
            requests.push(receive(&mut stream).await);
        }
        for request in requests.iter().rev() {
            answer(&mut stream, request).await;
        }
    })
    .await;
    let exchange = exchange(address);
    let answers = join_all((0..3).map(|n| exchange.read(request(n)))).await;
    let numbers: Vec<u32> = answers.into_iter().map(|a| number(&a.unwrap())).collect();
    assert_eq!(numbers, [0, 1, 2]);
}

/// Takes so many requests, a full window at a time, and answers each window at once; the numbers.
async fn answer_windows(mut stream: TcpStream, count: usize, ceiling: usize) -> Vec<u32> {
    let mut numbers = Vec::new();
    let mut window = ceiling / 2;
    while numbers.len() < count {
        // Nothing is answered before the window is full: fewer would never get here.
        let mut frames = Vec::new();
        for _ in 0..window.min(count - numbers.len()) {
            let request = receive(&mut stream).await;
            numbers.push(number(&request));
            frames.extend(frame(&request));
        }
        // What belongs together leaves in one write, so an overfull window would show here.
        let more = stream.try_read(&mut [0; 1]).map_err(|error| error.kind());
        assert_eq!(more, Err(std::io::ErrorKind::WouldBlock));
        stream.write_all(&frames).await.unwrap();
        // One more for each prompt answer.
        window = (window * 2).min(ceiling);
    }
    numbers
}

#[tokio::test]
async fn a_thousand_reads_pass_the_window_in_order() {
    // So small that one connection carries them all.
    let window = 16;
    let address = server(move |connection, stream| async move {
        assert_eq!(connection, 0, "one connection carries them all");
        let numbers = answer_windows(stream, 1_000, window).await;
        assert!(numbers.iter().copied().eq(0..1_000));
    })
    .await;
    let settings = Settings {
        window,
        ..Settings::default()
    };
    read_many(&Exchange::new(address, None, settings), 1_000).await;
}

#[tokio::test]
async fn many_reads_share_three_connections_and_the_window() {
    const LANES: usize = 3;
    const EACH: usize = 333;
    let settings = Settings {
        window: 48,
        ..Settings::default()
    };
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let exchange = Exchange::new(listener.local_addr().unwrap(), None, settings);
    let server = async {
        let mut lanes = Vec::new();
        while lanes.len() < LANES {
            let (stream, _) = listener.accept().await.unwrap();
            lanes.push(answer_windows(stream, EACH, settings.window / LANES));
        }
        let orders = join_all(lanes).await;
        assert!(orders.iter().all(|order| order.is_sorted()));
    };
    tokio::join!(server, read_many(&exchange, LANES * EACH));
}

async fn read_many(exchange: &Exchange, count: usize) {
    let answers = join_all((0..).take(count).map(|n| exchange.read(request(n)))).await;
    for (n, answer) in (0..).zip(answers) {
        assert_eq!(number(&answer.unwrap()), n);
    }
}

#[tokio::test]
async fn an_answer_may_come_octet_by_octet() {
    let address = server(|_, mut stream| async move {
        let request = receive(&mut stream).await;
        stream.set_nodelay(true).unwrap();
        for octet in frame(&request) {
            stream.write_all(&[octet]).await.unwrap();
            tokio::task::yield_now().await;
        }
        say_nothing(stream).await;
    })
    .await;
    assert_eq!(
        number(&exchange(address).read(request(9)).await.unwrap()),
        9
    );
}

/// A delayed acknowledgement takes 40 ms; the first few of a connection are never delayed.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn an_answer_behind_another_does_not_wait_for_a_delayed_acknowledgement() {
    const PAIRS: u32 = 200;
    let address = server(|_, mut stream| async move {
        for _ in 0..PAIRS {
            let first = receive(&mut stream).await;
            let second = receive(&mut stream).await;
            // Two writes: Nagle's algorithm holds the second back until the first is acknowledged.
            answer(&mut stream, &first).await;
            answer(&mut stream, &second).await;
        }
        say_nothing(stream).await;
    })
    .await;
    let exchange = exchange(address);
    let all = async {
        for n in 0..PAIRS {
            let (one, other) = tokio::join!(exchange.read(request(n)), exchange.read(request(n)));
            assert_eq!((number(&one.unwrap()), number(&other.unwrap())), (n, n));
        }
    };
    let delayed = Duration::from_millis(40) * PAIRS;
    timeout(delayed / 2, all).await.expect("answers in time");
}

#[tokio::test]
async fn long_answers_and_many_of_them_pass_the_buffer() {
    let address = server(|_, mut stream| async move {
        let mut frames = Vec::new();
        for _ in 0..8 {
            let mut message = receive(&mut stream).await;
            let tail = message.split_off(12);
            message.resize(65_000, 7);
            message.extend(tail);
            frames.extend(frame(&message));
        }
        stream.write_all(&frames).await.unwrap();
        say_nothing(stream).await;
    })
    .await;
    let exchange = exchange(address);
    let answers = join_all((0..8).map(|n| exchange.read(request(n)))).await;
    for (n, answer) in (0..).zip(answers) {
        let answer = answer.unwrap();
        assert_eq!((number(&answer), answer.len()), (n, 65_004));
    }
}

#[tokio::test]
async fn answers_to_nothing_are_ignored_up_to_a_bound() {
    let address = server(|connection, mut stream| async move {
        let mut message = receive(&mut stream).await;
        let id = read_id(&message).unwrap();
        let strays = if connection == 0 { 10 } else { 1_001 };
        for _ in 0..strays {
            write_id(&mut message, id.wrapping_add(7));
            answer(&mut stream, &message).await;
        }
        write_id(&mut message, id);
        // The client may have left by now.
        let _ = stream.write_all(&frame(&message)).await;
    })
    .await;
    let exchange = exchange(address);
    assert_eq!(number(&exchange.read(request(1)).await.unwrap()), 1);
    let error = exchange.update(request(2)).await.unwrap_err();
    assert!(
        matches!(error, ExchangeError::Malformed { sent: true, .. }),
        "{error:?}"
    );
    assert!(error.is_doubtful());
}

#[tokio::test]
async fn what_is_no_dns_is_an_error() {
    let address = server(|connection, mut stream| async move {
        receive(&mut stream).await;
        let garbage: &[u8] = match connection {
            0 => &[0, 3, b'f', b'o', b'o'],
            _ => b"HTTP/1.1 400 Bad Request\r\n\r\n",
        };
        stream.write_all(garbage).await.unwrap();
    })
    .await;
    let exchange = exchange(address);
    let error = exchange.read(request(1)).await.unwrap_err();
    assert!(
        matches!(error, ExchangeError::Malformed { .. }),
        "{error:?}"
    );
    // As a length, "HT" waits for more than comes.
    let error = exchange.read(request(2)).await.unwrap_err();
    assert_eq!(error, ExchangeError::Closed { sent: true });
}

#[tokio::test]
async fn when_the_connection_closes_only_reads_are_sent_again() {
    let address = server(|connection, mut stream| async move {
        if connection == 0 {
            receive(&mut stream).await;
            receive(&mut stream).await;
            return;
        }
        let again = receive(&mut stream).await;
        assert_eq!(number(&again), 1);
        answer(&mut stream, &again).await;
        answer_all(stream).await;
    })
    .await;
    let exchange = exchange(address);
    let (read, update) = tokio::join!(exchange.read(request(1)), exchange.update(request(2)));
    assert_eq!(number(&read.unwrap()), 1);
    let error = update.unwrap_err();
    assert_eq!(error, ExchangeError::Closed { sent: true });
    assert!(error.is_doubtful());
    assert_eq!(number(&exchange.update(request(3)).await.unwrap()), 3);
}

#[tokio::test]
async fn a_read_is_sent_again_once() {
    let (seen, mut connections) = mpsc::unbounded_channel();
    let address = server(move |connection, mut stream| {
        let seen = seen.clone();
        async move {
            receive(&mut stream).await;
            seen.send(connection).unwrap();
        }
    })
    .await;
    let error = exchange(address).read(request(1)).await.unwrap_err();
    assert_eq!(error, ExchangeError::Closed { sent: true });
    assert_eq!(connections.recv().await, Some(0));
    assert_eq!(connections.recv().await, Some(1));
    assert!(connections.try_recv().is_err());
}

#[tokio::test]
async fn a_server_that_closes_after_each_answer_serves_all() {
    let address = server(|_, mut stream| async move {
        let request = receive(&mut stream).await;
        answer(&mut stream, &request).await;
    })
    .await;
    let exchange = exchange(address);
    let answers = join_all((0..10).map(|n| exchange.read(request(n)))).await;
    assert!(answers.iter().all(Result::is_ok), "{answers:?}");
}

#[tokio::test(start_paused = true)]
async fn a_silent_server_times_out_for_all_at_once() {
    let address = server(|_, stream| say_nothing(stream)).await;
    let exchange = exchange(address);
    let began = Instant::now();
    let results = join_all((0..200).map(|n| exchange.read(request(n)))).await;
    for result in results {
        assert!(
            matches!(result, Err(ExchangeError::TimedOut { .. })),
            "{result:?}"
        );
    }
    let took = began.elapsed();
    assert!(
        took >= TIMEOUT && took < TIMEOUT + Duration::from_millis(50),
        "{took:?}"
    );
}

#[tokio::test(start_paused = true)]
async fn a_dribbling_server_times_out() {
    let address = server(|_, mut stream| async move {
        let request = receive(&mut stream).await;
        for octet in frame(&request) {
            if stream.write_all(&[octet]).await.is_err() {
                return;
            }
            sleep(Duration::from_secs(1)).await;
        }
    })
    .await;
    let began = Instant::now();
    let error = exchange(address).read(request(1)).await.unwrap_err();
    assert!(matches!(error, ExchangeError::TimedOut { .. }), "{error:?}");
    assert!(began.elapsed() < TIMEOUT + Duration::from_millis(50));
}

#[tokio::test(start_paused = true)]
async fn an_update_is_doubtful_from_when_it_was_sent() {
    let address = server(|_, stream| say_nothing(stream)).await;
    let settings = Settings {
        window: 1,
        ..Settings::default()
    };
    let exchange = Exchange::new(address, None, settings);
    let (first, second) = tokio::join!(exchange.update(request(1)), exchange.update(request(2)));
    assert!(first.unwrap_err().is_doubtful());
    assert!(!second.unwrap_err().is_doubtful());
}

#[tokio::test(start_paused = true)]
async fn after_a_silent_connection_comes_a_new_one() {
    let address = server(|connection, stream| async move {
        match connection {
            0 => say_nothing(stream).await,
            _ => answer_all(stream).await,
        }
    })
    .await;
    let exchange = exchange(address);
    assert!(exchange.read(request(1)).await.is_err());
    assert_eq!(number(&exchange.read(request(2)).await.unwrap()), 2);
}

#[tokio::test(start_paused = true)]
async fn an_answer_that_came_while_we_stood_still_came_in_time() {
    let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, heard) = std::sync::mpsc::channel();
    let (go, may_go) = std::sync::mpsc::channel();
    let (written, answered) = std::sync::mpsc::channel();
    std::thread::spawn(move || {
        use std::io::{Read, Write};
        let (mut stream, _) = listener.accept().unwrap();
        let mut framed = vec![0; 2];
        stream.read_exact(&mut framed).unwrap();
        framed.resize(
            2 + usize::from(u16::from_be_bytes([framed[0], framed[1]])),
            0,
        );
        stream.read_exact(&mut framed[2..]).unwrap();
        asked.send(()).unwrap();
        may_go.recv().unwrap();
        stream.write_all(&framed).unwrap();
        written.send(stream).unwrap();
    });
    let exchange = exchange(address);
    let stand_still = async {
        while heard.try_recv().is_err() {
            tokio::task::yield_now().await;
        }
        // Nothing else runs in this thread until the time is over.
        go.send(()).unwrap();
        let stream = answered.recv().unwrap();
        advance(TIMEOUT * 2).await;
        stream
    };
    let (answer, _stream) = tokio::join!(exchange.read(request(1)), stand_still);
    assert_eq!(number(&answer.unwrap()), 1);
}

#[tokio::test(start_paused = true)]
async fn a_late_answer_goes_to_nobody() {
    let address = server(|_, mut stream| async move {
        let late = receive(&mut stream).await;
        let prompt = receive(&mut stream).await;
        answer(&mut stream, &prompt).await;
        let last = receive(&mut stream).await;
        answer(&mut stream, &late).await;
        answer(&mut stream, &last).await;
    })
    .await;
    let exchange = exchange(address);
    let prompt = async {
        sleep(TIMEOUT / 2).await;
        exchange.read(request(2)).await
    };
    let (late, prompt) = tokio::join!(exchange.read(request(1)), prompt);
    assert_eq!(
        late,
        Err(ExchangeError::TimedOut {
            after: TIMEOUT,
            sent: true
        })
    );
    assert_eq!(number(&prompt.unwrap()), 2);
    assert_eq!(number(&exchange.read(request(3)).await.unwrap()), 3);
}

#[tokio::test]
async fn a_second_answer_goes_to_nobody() {
    let address = server(|_, mut stream| async move {
        let first = receive(&mut stream).await;
        answer(&mut stream, &first).await;
        let second = receive(&mut stream).await;
        answer(&mut stream, &first).await;
        answer(&mut stream, &second).await;
    })
    .await;
    let exchange = exchange(address);
    assert_eq!(number(&exchange.read(request(1)).await.unwrap()), 1);
    assert_eq!(number(&exchange.read(request(2)).await.unwrap()), 2);
}

#[tokio::test]
async fn what_does_not_fit_is_refused() {
    let address = server(|_, stream| answer_all(stream)).await;
    let exchange = exchange(address);
    let error = exchange.update(vec![0; 65_536]).await.unwrap_err();
    assert_eq!(error, ExchangeError::TooLong { octets: 65_536 });
    assert!(!error.is_doubtful());
    assert_eq!(
        exchange.update(vec![0; 65_535]).await.unwrap().len(),
        65_535
    );
}

#[tokio::test]
async fn the_connection_closes_when_the_last_handle_goes() {
    let (seen, mut ended) = mpsc::unbounded_channel();
    let address = server(move |_, stream| {
        let seen = seen.clone();
        async move {
            answer_all(stream).await;
            seen.send(()).unwrap();
        }
    })
    .await;
    let exchange = exchange(address);
    let clone = exchange.clone();
    assert!(exchange.read(request(1)).await.is_ok());
    drop(exchange);
    assert!(clone.read(request(2)).await.is_ok());
    drop(clone);
    assert_eq!(ended.recv().await, Some(()));
}

#[tokio::test]
async fn without_tcp_a_read_goes_over_udp_and_an_update_does_not() {
    let (socket, address) = udp_server().await;
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        loop {
            let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
            let message = &mut buffer[..length];
            let id = read_id(message).unwrap();
            let mut forged = request(u32::MAX);
            write_id(&mut forged, id ^ 1);
            socket.send_to(&forged, client).await.unwrap();
            socket.send_to(message, client).await.unwrap();
        }
    });
    let exchange = exchange(address);
    let answers = join_all((0..100).map(|n| exchange.read(request(n)))).await;
    for (n, answer) in (0..).zip(answers) {
        assert_eq!(number(&answer.unwrap()), n);
    }
    let error = exchange.update(request(1)).await.unwrap_err();
    assert!(
        matches!(error, ExchangeError::Connect { refused: true, .. }),
        "{error:?}"
    );
    assert!(!error.is_doubtful());
}

#[tokio::test]
async fn a_truncated_datagram_says_that_tcp_is_needed() {
    let (socket, address) = udp_server().await;
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        buffer[2] |= 0b1000_0010;
        socket.send_to(&buffer[..length], client).await.unwrap();
    });
    let error = exchange(address).read(request(1)).await.unwrap_err();
    assert_eq!(error, ExchangeError::Truncated);
}

#[tokio::test(start_paused = true)]
async fn a_lost_datagram_is_sent_again_and_silence_is_an_error() {
    let (socket, address) = udp_server().await;
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        socket.recv_from(&mut buffer).await.unwrap();
        let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
        socket.send_to(&buffer[..length], client).await.unwrap();
        loop {
            socket.recv_from(&mut buffer).await.unwrap();
        }
    });
    let exchange = exchange(address);
    assert_eq!(number(&exchange.read(request(1)).await.unwrap()), 1);
    let error = exchange.read(request(2)).await.unwrap_err();
    assert!(matches!(error, ExchangeError::TimedOut { .. }), "{error:?}");
}

#[tokio::test(start_paused = true)]
async fn silence_over_udp_ends_for_all() {
    let (_socket, address) = udp_server().await;
    let exchange = exchange(address);
    let began = Instant::now();
    let results = join_all((0..500).map(|n| exchange.read(request(n)))).await;
    for result in results {
        assert!(
            matches!(result, Err(ExchangeError::TimedOut { .. })),
            "{result:?}"
        );
    }
    assert!(began.elapsed() < TIMEOUT * 2 + Duration::from_millis(50));
}

#[tokio::test]
async fn nobody_at_all_is_an_error() {
    let (socket, address) = udp_server().await;
    drop(socket);
    let error = exchange(address).read(request(1)).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Udp(_)), "{error:?}");
}

#[tokio::test]
async fn an_unsigned_answer_to_a_signed_request_is_no_answer() {
    let (socket, udp_address) = udp_server().await;
    tokio::spawn(async move {
        let mut buffer = [0; 512];
        let (_, client) = socket.recv_from(&mut buffer).await.unwrap();
        buffer[11] = 0;
        socket.send_to(&buffer[..12], client).await.unwrap();
    });
    let address = server(|_, mut stream| async move {
        loop {
            let signed = receive(&mut stream).await;
            assert!(signed.len() > request(1).len(), "the request is signed");
            // The header alone, its ARCOUNT cleared: an answer without any record.
            let unsigned = [&signed[..10], &[0, 0]].concat();
            answer(&mut stream, &unsigned).await;
        }
    })
    .await;
    let key = Arc::new(Key::from_secret(&TsigSecret {
        name: Name::parse("ddns.").unwrap(),
        algorithm: TsigAlgorithm::HmacSha256,
        secret: vec![7_u8; 32].into(),
    }));

    let exchange = Exchange::new(address, Some(key.clone()), Settings::default());
    let error = exchange.read(request(1)).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Tsig(_)), "{error:?}");
    let error = exchange.update(request(2)).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Tsig(_)), "{error:?}");
    assert!(error.is_doubtful());

    let exchange = Exchange::new(udp_address, Some(key), Settings::default());
    let error = exchange.read(request(3)).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Tsig(_)), "{error:?}");
}

#[tokio::test]
async fn in_bulk_no_read_stands_behind_an_update() {
    const READS: u32 = 16;
    const UPDATES: u32 = 16;
    const FIRST_UPDATE: u32 = 1_000;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (came, mut requests) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        for connection in 0.. {
            let (mut stream, _) = listener.accept().await.unwrap();
            let came = came.clone();
            tokio::spawn(async move {
                while let Ok(length) = stream.read_u16().await {
                    let mut message = vec![0; usize::from(length)];
                    stream.read_exact(&mut message).await.unwrap();
                    came.send((connection, number(&message))).unwrap();
                    // An update waits for ever, and all behind it.
                    if number(&message) >= FIRST_UPDATE {
                        return say_nothing(stream).await;
                    }
                    answer(&mut stream, &message).await;
                }
            });
        }
    });
    let exchange = exchange(address);
    let reads = join_all((0..READS).map(|n| exchange.read(request(n))));
    let updates = join_all((0..UPDATES).map(|n| exchange.update(request(FIRST_UPDATE + n))));
    tokio::pin!(updates);
    tokio::select! {
        // In this order, so that the reads are under way when the updates come.
        biased;
        answers = reads => assert!(answers.iter().all(Result::is_ok)),
        _ = &mut updates => panic!("nobody answered them"),
    }
    // Each of three connections is stuck at its first.
    let mut stuck = Vec::new();
    while stuck.len() < 3 {
        tokio::select! {
            request = requests.recv() => {
                let (connection, number) = request.unwrap();
                if number >= FIRST_UPDATE {
                    stuck.push(connection);
                }
            }
            _ = &mut updates => panic!("nobody answered them"),
        }
    }
    stuck.sort_unstable();
    assert_eq!(stuck, [1, 2, 3], "the reads came over connection 0");
}

#[tokio::test]
async fn one_zone_alone_has_one_connection() {
    let address = server(|connection, stream| async move {
        assert_eq!(connection, 0, "one connection carries them all");
        answer_all(stream).await;
    })
    .await;
    let exchange = exchange(address);
    for _ in 0..10 {
        exchange.read(request(1)).await.unwrap();
        exchange.update(request(2)).await.unwrap();
    }
}
