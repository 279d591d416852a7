//! A relay in front of a primary that can interfere with updates: what the network and other
//! writers do to us, at exactly the worst moment.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

use super::address::unused_address;
use super::tamper::{self, Moment, Tampering, Then};

/// Opcode UPDATE (RFC 2136 §1.3), in the bits 1 to 4 of a message's third octet.
const UPDATE: u8 = 5;
/// The RR type with which keys are negotiated (RFC 2930 §2).
const TKEY: [u8; 2] = [0, 249];
/// The RR type of a message's signature.
const TSIG: u16 = 250;
const UDP_PATIENCE: Duration = Duration::from_secs(5);

/// What becomes of an update.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Fate {
    /// It reaches the server, and the answer the client.
    Pass,
    /// It reaches the server; instead of the answer the connection closes.
    LoseAnswer,
    /// It reaches the server; the answer never comes, the connection stays.
    SwallowAnswer,
    /// It reaches the server; then every connection closes at once, until the proxy is revived.
    Vanish,
    /// It does not reach the server; the connection stays.
    Drop,
    /// It does not reach the server; somebody in between answers NOERROR.
    Forge,
}

type OnUpdate = Box<dyn FnMut(usize) -> Fate + Send>;
type OnAnswer = Box<dyn Fn(Moment) -> Tampering + Send + Sync>;

/// A relay for TCP and UDP, ended when dropped.
pub(crate) struct Proxy {
    /// Where clients connect.
    pub(crate) address: SocketAddr,
    shared: Arc<Shared>,
}

struct Shared {
    upstream: SocketAddr,
    on_update: Mutex<OnUpdate>,
    on_answer: OnAnswer,
    updates: AtomicUsize,
    answers: Mutex<Vec<String>>,
    refused_reads: Mutex<Vec<String>>,
    negotiations: AtomicUsize,
    vanished: AtomicBool,
    dropped: AtomicBool,
}

impl Proxy {
    /// Relays to `upstream`; `on_update` is called with 1, 2, … before an update is passed on.
    pub(crate) fn start(
        upstream: SocketAddr,
        on_update: impl FnMut(usize) -> Fate + Send + 'static,
    ) -> Self {
        Self::hostile(upstream, on_update, |_| Tampering::Nothing)
    }

    /// As [`Proxy::start`]; `on_answer` says what becomes of each answer over TCP.
    pub(crate) fn hostile(
        upstream: SocketAddr,
        on_update: impl FnMut(usize) -> Fate + Send + 'static,
        on_answer: impl Fn(Moment) -> Tampering + Send + Sync + 'static,
    ) -> Self {
        let (tcp, udp) = loop {
            let address = unused_address();
            if let (Ok(tcp), Ok(udp)) = (TcpListener::bind(address), UdpSocket::bind(address)) {
                break (tcp, udp);
            }
        };
        let address = tcp.local_addr().unwrap();
        let shared = Arc::new(Shared {
            upstream,
            on_update: Mutex::new(Box::new(on_update)),
            on_answer: Box::new(on_answer),
            updates: AtomicUsize::new(0),
            answers: Mutex::default(),
            refused_reads: Mutex::default(),
            negotiations: AtomicUsize::new(0),
            vanished: AtomicBool::new(false),
            dropped: AtomicBool::new(false),
        });
        let relay = Arc::clone(&shared);
        thread::spawn(move || relay_tcp(&tcp, &relay));
        let relay = Arc::clone(&shared);
        thread::spawn(move || relay_udp(&udp, &relay));
        Self { address, shared }
    }

    /// How many updates came so far.
    pub(crate) fn updates(&self) -> usize {
        self.shared.updates.load(Ordering::SeqCst)
    }

    /// What the server answered to them, in order: `NOERROR`, `NOTAUTH (BADTIME)`, and `, unsigned`
    /// where an error has no MAC.
    pub(crate) fn answers(&self) -> Vec<String> {
        self.shared.answers.lock().unwrap().clone()
    }

    /// What it answered to queries that it did not serve, in the same form.
    pub(crate) fn refused_reads(&self) -> Vec<String> {
        self.shared.refused_reads.lock().unwrap().clone()
    }

    /// How many queries for a TKEY came so far.
    pub(crate) fn negotiations(&self) -> usize {
        self.shared.negotiations.load(Ordering::SeqCst)
    }

    /// Stops relaying: the server is dead from now on.
    pub(crate) fn vanish(&self) {
        self.shared.vanished.store(true, Ordering::SeqCst);
    }

    /// Relays again after [`Fate::Vanish`] or [`Proxy::vanish`].
    pub(crate) fn revive(&self) {
        self.shared.vanished.store(false, Ordering::SeqCst);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.shared.dropped.store(true, Ordering::SeqCst);
        // Wakes both threads, which then see that it is over.
        let _ = TcpStream::connect(self.address);
        let _ = UdpSocket::bind((self.address.ip(), 0))
            .and_then(|socket| socket.send_to(&[], self.address));
    }
}

fn relay_tcp(listener: &TcpListener, shared: &Arc<Shared>) {
    for client in listener.incoming().map_while(Result::ok) {
        if shared.dropped.load(Ordering::SeqCst) {
            return;
        }
        if shared.vanished.load(Ordering::SeqCst) {
            continue;
        }
        // A server that is just being started again refuses its clients, and so do we.
        let Ok(server) = TcpStream::connect(shared.upstream) else {
            continue;
        };
        let answers = (server.try_clone().unwrap(), client.try_clone().unwrap());
        let fate = Arc::new(Mutex::new(Fate::Pass));

        let (relay, decided) = (Arc::clone(shared), Arc::clone(&fate));
        thread::spawn(move || {
            let _ = pass_requests(client, &server, &relay, &decided);
            let _ = server.shutdown(Shutdown::Both);
        });
        let relay = Arc::clone(shared);
        thread::spawn(move || {
            let (server, client) = answers;
            let then = pass_answers(server, &client, &relay, &fate);
            // A shutdown would close the connection in good order.
            if !matches!(then, Ok(Then::Reset)) {
                let _ = client.shutdown(Shutdown::Both);
            }
        });
    }
}

fn pass_requests(
    mut client: TcpStream,
    mut server: &TcpStream,
    shared: &Shared,
    fate: &Mutex<Fate>,
) -> io::Result<()> {
    loop {
        let request = read_message(&mut client)?;
        if is_update(&request) {
            let ordinal = shared.updates.fetch_add(1, Ordering::SeqCst) + 1;
            let decided = (shared.on_update.lock().unwrap())(ordinal);
            *fate.lock().unwrap() = decided;
            match decided {
                Fate::Drop => continue,
                Fate::Forge => {
                    write_message(&mut client, &forged(&request))?;
                    continue;
                }
                _ => {}
            }
        }
        if asks_for_a_key(&request) {
            shared.negotiations.fetch_add(1, Ordering::SeqCst);
        }
        write_message(&mut server, &request)?;
    }
}

fn pass_answers(
    mut server: TcpStream,
    client: &TcpStream,
    shared: &Shared,
    fate: &Mutex<Fate>,
) -> io::Result<Then> {
    loop {
        let answer = read_message(&mut server)?;
        // NXDOMAIN is served, too.
        if !is_update(&answer) && !matches!(answer[3] & 0x0f, 0 | 3) {
            shared.refused_reads.lock().unwrap().push(outcome(&answer));
        }
        if is_update(&answer) {
            shared.answers.lock().unwrap().push(outcome(&answer));
            let decided = *fate.lock().unwrap();
            match decided {
                Fate::Pass | Fate::Drop | Fate::Forge => {}
                Fate::SwallowAnswer => continue,
                Fate::LoseAnswer => return Ok(Then::Close),
                Fate::Vanish => {
                    shared.vanished.store(true, Ordering::SeqCst);
                    return Ok(Then::Close);
                }
            }
        }
        let moment = match shared.updates.load(Ordering::SeqCst) {
            _ if is_update(&answer) => Moment::Update,
            _ if asks_for_a_key(&answer) => Moment::Negotiation,
            0 => Moment::Read,
            _ => Moment::ReadBack,
        };
        match tamper::write(client, &answer, (shared.on_answer)(moment))? {
            Then::GoOn => {}
            then => return Ok(then),
        }
    }
}

/// An answer that says NOERROR to a request, without its signature.
fn forged(request: &[u8]) -> Vec<u8> {
    let mut answer = vec![request[0], request[1], request[2] | 0x80, 0];
    answer.extend([0; 8]);
    answer
}

fn relay_udp(socket: &UdpSocket, shared: &Shared) {
    let mut buffer = [0; 65_535];
    while let Ok((length, client)) = socket.recv_from(&mut buffer) {
        if shared.dropped.load(Ordering::SeqCst) {
            return;
        }
        if shared.vanished.load(Ordering::SeqCst) {
            continue;
        }
        let upstream = UdpSocket::bind((shared.upstream.ip(), 0)).unwrap();
        upstream.set_read_timeout(Some(UDP_PATIENCE)).unwrap();
        upstream
            .send_to(&buffer[..length], shared.upstream)
            .unwrap();
        if let Ok(length) = upstream.recv(&mut buffer) {
            let _ = socket.send_to(&buffer[..length], client);
        }
    }
}

fn is_update(message: &[u8]) -> bool {
    message
        .get(2)
        .is_some_and(|flags| (flags >> 3) & 0x0f == UPDATE)
}

/// The rcode of an answer, and the error of its TSIG (RFC 8945 §4.2).
fn outcome(answer: &[u8]) -> String {
    let rcode = match answer[3] & 0x0f {
        0 => return "NOERROR".to_owned(),
        code => rcode(u16::from(code)),
    };
    match tsig_error(answer) {
        None => format!("{rcode}, unsigned"),
        Some((0, false)) => format!("{rcode}, unsigned"),
        Some((0, true)) => rcode,
        Some((error, true)) => format!("{rcode} ({})", self::rcode(error)),
        Some((error, false)) => format!("{rcode} ({}), unsigned", self::rcode(error)),
    }
}

fn rcode(code: u16) -> String {
    match code {
        1 => "FORMERR".to_owned(),
        2 => "SERVFAIL".to_owned(),
        3 => "NXDOMAIN".to_owned(),
        4 => "NOTIMP".to_owned(),
        5 => "REFUSED".to_owned(),
        7 => "YXRRSET".to_owned(),
        8 => "NXRRSET".to_owned(),
        9 => "NOTAUTH".to_owned(),
        10 => "NOTZONE".to_owned(),
        16 => "BADSIG".to_owned(),
        17 => "BADKEY".to_owned(),
        18 => "BADTIME".to_owned(),
        other => format!("RCODE{other}"),
    }
}

/// The error of the TSIG at the end, and whether there is a MAC; `None` without a TSIG.
fn tsig_error(message: &[u8]) -> Option<(u16, bool)> {
    let number = |at: usize| u16::from_be_bytes([message[at], message[at + 1]]);
    let after_name = |mut at: usize| loop {
        match message[at] {
            0 => return at + 1,
            pointer if pointer >= 0xc0 => return at + 2,
            length => at += 1 + usize::from(length),
        }
    };
    let mut at = 12;
    for _question in 0..number(4) {
        at = after_name(at) + 4;
    }
    let mut last = None;
    for _record in 0..number(6) + number(8) + number(10) {
        let fixed = after_name(at);
        let data = fixed + 10;
        last = Some((number(fixed), data));
        at = data + usize::from(number(fixed + 8));
    }
    let (TSIG, data) = last? else { return None };
    // Algorithm, 48 bits of time, the fudge, the MAC with its size, the original ID, the error.
    let mac_size = after_name(data) + 8;
    let mac = usize::from(number(mac_size));
    Some((number(mac_size + 2 + mac + 2), mac > 0))
}

/// True for a query whose question has the type TKEY: it stands behind the name, which ends in 0.
fn asks_for_a_key(message: &[u8]) -> bool {
    let question = message.get(12..).unwrap_or_default();
    let mut after_name = question.splitn(2, |octet| *octet == 0).skip(1);
    !is_update(message) && after_name.any(|rest| rest.starts_with(&TKEY))
}

/// Two octets of length, then the message (RFC 1035 §4.2.2).
fn read_message(stream: &mut impl Read) -> io::Result<Vec<u8>> {
    let mut length = [0; 2];
    stream.read_exact(&mut length)?;
    let mut message = vec![0; usize::from(u16::from_be_bytes(length))];
    stream.read_exact(&mut message)?;
    Ok(message)
}

fn write_message(stream: &mut impl Write, message: &[u8]) -> io::Result<()> {
    let length = u16::try_from(message.len()).unwrap().to_be_bytes();
    stream.write_all(&[&length, message].concat())
}
