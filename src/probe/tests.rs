//! Probes of scripted endpoints on loopback.

use std::net::Ipv4Addr;

use hickory_resolver::proto::op::ResponseCode;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::dns::resolve::scripted::{Say, serve as serve_names};
use crate::model::{Role, Srv};
use crate::wire;

/// A limit that a test reaches only when something hangs.
const PATIENCE: Duration = Duration::from_secs(30);

/// Accepts connections until the test's runtime ends, and hands each to `session`.
async fn serve<Session>(session: impl Fn(TcpStream) -> Session + Send + 'static) -> SocketAddr
where
    Session: Future<Output = ()> + Send + 'static,
{
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        loop {
            let (stream, _client) = listener.accept().await.unwrap();
            tokio::spawn(session(stream));
        }
    });
    address
}

/// Reads the bind, writes the pieces one by one, and waits for the client to close.
async fn answer(mut stream: TcpStream, pieces: impl IntoIterator<Item = Vec<u8>>) {
    stream.set_nodelay(true).unwrap();
    stream.read_exact(&mut [0; 72]).await.unwrap();
    for piece in pieces {
        if stream.write_all(&piece).await.is_err() {
            return;
        }
        tokio::task::yield_now().await;
    }
    let _ = stream.read_to_end(&mut Vec::new()).await;
}

async fn serve_answer(octets: Vec<u8>) -> SocketAddr {
    serve(move |stream| answer(stream, [octets.clone()])).await
}

async fn serve_kms() -> SocketAddr {
    serve_answer(kms_answer()).await
}

fn kms_answer() -> Vec<u8> {
    wire::rpc::accept(&wire::rpc::bind()).unwrap()
}

/// An address where nothing listens, reserved while the socket lives.
fn refusing() -> (TcpSocket, SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let address = socket.local_addr().unwrap();
    (socket, address)
}

/// An address that drops connection requests: its queue of one is full.
async fn dropping() -> ((TcpListener, TcpStream), SocketAddr) {
    let socket = TcpSocket::new_v4().unwrap();
    socket.bind("127.0.0.1:0".parse().unwrap()).unwrap();
    let listener = socket.listen(0).unwrap();
    let address = listener.local_addr().unwrap();
    let queued = TcpStream::connect(address).await.unwrap();
    ((listener, queued), address)
}

fn health(checks: &[Check]) -> Health {
    Health {
        checks: checks.to_vec(),
        command: vec!["true".into()],
        interval: Duration::from_secs(10),
        timeout: PATIENCE,
        rise: 2,
        fall: 3,
    }
}

fn host(port: u16, addresses: &[&str], checks: &[Check]) -> Host {
    Host {
        role: Role::Active,
        srv: Srv {
            priority: 0,
            weight: 0,
            port,
            target: name(),
        },
        groups: Vec::new(),
        addresses: addresses.iter().map(|text| text.parse().unwrap()).collect(),
        health: health(checks),
    }
}

fn name() -> Name {
    Name::parse("kms1.corp.example.").unwrap()
}

/// For hosts whose addresses the inventory gives.
fn no_resolver() -> Resolver {
    Resolver::with_name_servers(&[])
}

async fn check_rpc(address: SocketAddr) -> AddressResult {
    probe_address(&name(), address, &health(&[Check::Rpc])).await
}

/// The failure of the RPC check at an endpoint that answers the bind with these octets.
async fn failure_after(octets: &[u8]) -> Failure {
    let address = serve_answer(octets.to_vec()).await;
    check_rpc(address).await.unwrap().unwrap_err()
}

#[tokio::test]
async fn a_kms_host_passes_and_receives_the_bind_and_nothing_else() {
    let (sender, mut received) = mpsc::unbounded_channel();
    let address = serve(move |mut stream| {
        let sender = sender.clone();
        async move {
            let mut octets = vec![0; 72];
            stream.read_exact(&mut octets).await.unwrap();
            stream.write_all(&kms_answer()).await.unwrap();
            stream.read_to_end(&mut octets).await.unwrap();
            sender.send(octets).unwrap();
        }
    })
    .await;
    assert_eq!(check_rpc(address).await, Ok(Ok(())));
    assert_eq!(received.recv().await.unwrap(), wire::rpc::bind());
}

#[tokio::test]
async fn an_answer_in_pieces_is_put_together() {
    let address = serve(|stream| {
        let pieces: Vec<_> = kms_answer().chunks(7).map(<[u8]>::to_vec).collect();
        answer(stream, pieces)
    })
    .await;
    assert_eq!(check_rpc(address).await, Ok(Ok(())));
}

#[tokio::test]
async fn rpc_refusals_keep_their_reason() {
    let mut not_kms = kms_answer();
    not_kms[36..40].copy_from_slice(&[2, 0, 1, 0]);
    assert_eq!(failure_after(&not_kms).await, Failure::NotKms);

    let nak = b"\x05\x00\x0d\x03\x10\0\0\0\x15\0\0\0\x01\0\0\0\x02\0\x01\x05\x00";
    assert_eq!(
        failure_after(nak).await,
        Failure::BindRejected("bind_nak, local_limit_exceeded".into())
    );

    let fault = b"\x05\x00\x03\x03\x10\0\0\0\x20\0\0\0\x01\0\0\0\
                  \0\0\0\0\0\0\0\0\x05\0\0\0\0\0\0\0";
    assert_eq!(
        failure_after(fault).await,
        Failure::BindRejected("fault, status 0x00000005".into())
    );
}

#[tokio::test]
async fn other_servers_are_told_apart() {
    let not_rpc = |text: &str| Failure::NotRpc(text.into());
    assert_eq!(
        failure_after(b"HTTP/1.1 400 Bad Request\r\n\r\n").await,
        not_rpc("its answer begins with \"HTTP/1.1 400 Bad\"")
    );
    // Four octets and an open connection: enough to know, nothing to wait for.
    assert_eq!(
        failure_after(b"\xff\xfeno").await,
        not_rpc("its answer begins with \"\\xff\\xfeno\"")
    );
    assert_eq!(
        failure_after(b"\x05\x00\x0c\x03\x10\0\0\0\xff\xff\0\0\x01\0\0\0").await,
        not_rpc("its answer claims 65535 octets, and only 16 to 5,840 are possible")
    );
}

#[tokio::test]
async fn a_connection_closed_before_the_whole_answer_is_closed() {
    let at_once = serve(|stream| async move { drop(stream) }).await;
    assert_eq!(check_rpc(at_once).await, Ok(Err(Failure::Closed)));

    let half_way = serve(|mut stream| async move {
        stream.read_exact(&mut [0; 72]).await.unwrap();
        stream.write_all(&kms_answer()[..40]).await.unwrap();
    })
    .await;
    assert_eq!(check_rpc(half_way).await, Ok(Err(Failure::Closed)));
}

#[tokio::test]
async fn a_port_without_a_listener_refuses() {
    let (_socket, address) = refusing();
    let refused = Ok(Err(Failure::Refused));
    assert_eq!(check_rpc(address).await, refused);
    assert_eq!(
        probe_address(&name(), address, &health(&[Check::Tcp])).await,
        refused
    );
}

#[tokio::test(start_paused = true)]
async fn silence_is_a_timeout() {
    let address = serve(|stream| answer(stream, [])).await;
    let mut health = health(&[Check::Rpc]);
    health.timeout = Duration::from_secs(3);
    let start = Instant::now();
    assert_eq!(
        probe_address(&name(), address, &health).await,
        Ok(Err(Failure::TimedOut))
    );
    assert_eq!(start.elapsed().as_secs(), 3);
}

#[tokio::test(start_paused = true)]
async fn the_longest_timeout_does_not_overflow() {
    let address = serve(|stream| answer(stream, [])).await;
    let mut health = health(&[Check::Rpc]);
    health.timeout = Duration::MAX;
    assert_eq!(
        probe_address(&name(), address, &health).await,
        Ok(Err(Failure::TimedOut))
    );
}

#[tokio::test]
async fn every_check_must_pass_and_the_first_failure_ends_it() {
    let kms = serve_kms().await;
    let mut health = health(&[Check::Tcp, Check::Rpc, Check::Exec]);
    assert_eq!(probe_address(&name(), kms, &health).await, Ok(Ok(())));

    health.command = vec!["false".into()];
    assert_eq!(
        probe_address(&name(), kms, &health).await,
        Ok(Err(Failure::Exec("exit status 1".into())))
    );

    // The command that cannot start is never reached.
    let (_socket, refusing) = refusing();
    health.command = vec!["/nonexistent/check".into()];
    assert_eq!(
        probe_address(&name(), refusing, &health).await,
        Ok(Err(Failure::Refused))
    );
}

#[tokio::test]
async fn one_address_that_answers_is_enough() {
    let port = serve_kms().await.port();
    let host = host(port, &["127.0.0.2", "127.0.0.1"], &[Check::Rpc]);
    let sample = probe(&host, &no_resolver()).await.unwrap();
    assert!(sample.passed());
    assert_eq!(
        sample.to_string(),
        "127.0.0.2 refused the connection: nothing listens on the port, 127.0.0.1 answers"
    );
}

#[tokio::test]
async fn a_host_none_of_whose_addresses_answers_fails() {
    let (_socket, address) = refusing();
    let host = host(address.port(), &["127.0.0.2", "127.0.0.1"], &[Check::Rpc]);
    let sample = probe(&host, &no_resolver()).await.unwrap();
    assert!(!sample.passed());
    assert_eq!(sample.addresses.len(), 2);
}

/// A link-local address without its interface: connecting fails on this machine.
const UNASKABLE: &str = "fe80::1";

#[tokio::test]
async fn an_address_that_cannot_be_asked_does_not_stop_one_that_answers() {
    let port = serve_kms().await.port();
    let host = host(port, &[UNASKABLE, "127.0.0.1"], &[Check::Rpc]);
    let sample = probe(&host, &no_resolver()).await.unwrap();
    assert!(sample.passed());
    let (_address, unasked) = &sample.addresses[0];
    let text = unasked.as_ref().unwrap_err().to_string();
    assert!(text.starts_with("could not be probed: "), "{text}");
}

#[tokio::test]
async fn unknown_is_not_down() {
    let (_socket, address) = refusing();
    let host = host(address.port(), &["127.0.0.1", UNASKABLE], &[Check::Rpc]);
    let NoSample(text) = probe(&host, &no_resolver()).await.unwrap_err();
    assert!(
        text.starts_with("127.0.0.1 refused the connection: nothing listens on the port, fe80::1:"),
        "{text}"
    );
}

#[tokio::test]
async fn a_name_is_resolved_when_the_inventory_has_no_address() {
    let kms = serve_kms().await;
    let name_server = serve_names(|name, record_type| {
        assert_eq!(name, "kms1.corp.example.");
        match record_type.to_string().as_str() {
            "A" => Say::Addresses(vec![Ipv4Addr::LOCALHOST.into()]),
            _ => Say::NoData,
        }
    })
    .await;
    let resolver = Resolver::with_name_servers(&[name_server]);
    let sample = probe(&host(kms.port(), &[], &[Check::Rpc]), &resolver).await;
    assert_eq!(sample.unwrap().to_string(), "127.0.0.1 answers");
}

#[tokio::test]
async fn a_name_without_address_is_a_failure_and_a_failed_lookup_is_no_sample() {
    let host = host(1688, &[], &[Check::Rpc]);

    let name_server = serve_names(|_, _| Say::NxDomain).await;
    let resolver = Resolver::with_name_servers(&[name_server]);
    let sample = probe(&host, &resolver).await.unwrap();
    assert!(!sample.passed());
    assert_eq!(sample.to_string(), "the name has no address");

    let name_server = serve_names(|_, _| Say::Code(ResponseCode::ServFail)).await;
    let resolver = Resolver::with_name_servers(&[name_server]);
    assert_eq!(
        probe(&host, &resolver).await,
        Err(NoSample(
            "the name server answered SERVFAIL for kms1.corp.example.".into()
        ))
    );
}

#[tokio::test]
async fn one_canary_that_accepts_is_enough() {
    let (_socket, refusing) = refusing();
    let alive = serve(|stream| async move { drop(stream) }).await;
    assert_eq!(canary(&[], PATIENCE).await, Canary::Unused);
    assert_eq!(canary(&[refusing, alive], PATIENCE).await, Canary::Answers);
    assert_eq!(canary(&[refusing], PATIENCE).await, Canary::Silent);
}

#[tokio::test(start_paused = true)]
async fn a_connection_that_nobody_answers_times_out() {
    let (_listener, address) = dropping().await;
    let tcp = health(&[Check::Tcp]);
    assert_eq!(
        probe_address(&name(), address, &tcp).await,
        Ok(Err(Failure::TimedOut))
    );
    assert_eq!(canary(&[address], PATIENCE).await, Canary::Silent);
}
