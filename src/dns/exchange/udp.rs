//! One query over UDP: its own socket, a random ID (RFC 5452 §9.2, §9.3).

use std::io;
use std::net::{Ipv4Addr, Ipv6Addr, SocketAddr};
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::net::UdpSocket;
use tokio::time::{Instant, timeout_at};

use super::{ExchangeError, read_id, unix_now, write_id};
use crate::wire::tsig::{self, Key};

/// How often the query is sent within the time-out; datagrams get lost.
const TRIES: u32 = 3;
/// More than an answer without EDNS can have (RFC 1035 §2.3.4: 512 octets, and a signature).
const BUFFER: usize = 4_096;
/// TC in the third octet of the header (RFC 1035 §4.1.1).
const TRUNCATED: u8 = 0b0000_0010;

/// Sends one query and waits for its answer; answers with another ID are passed over.
pub(super) async fn read(
    server: SocketAddr,
    key: Option<&Key>,
    timeout: Duration,
    mut message: Vec<u8>,
) -> Result<Vec<u8>, ExchangeError> {
    let failed = |error: io::Error| ExchangeError::Udp(error.to_string());
    let id = random_id()?;
    write_id(&mut message, id);
    let mac = match key {
        Some(key) => Some(tsig::sign(&mut message, key, unix_now())?),
        None => None,
    };
    let socket = connected(server).await.map_err(failed)?;
    let mut buffer = vec![0; BUFFER];
    let began = Instant::now();
    for attempt in 1..=TRIES {
        socket.send(&message).await.map_err(failed)?;
        let until = began + timeout * attempt / TRIES;
        while let Ok(received) = timeout_at(until, socket.recv(&mut buffer)).await {
            let length = received.map_err(failed)?;
            let answer = buffer.get(..length).unwrap_or_default();
            if read_id(answer) != Some(id) {
                continue;
            }
            if let (Some(key), Some(mac)) = (key, &mac) {
                tsig::verify_answer(answer, key, mac, unix_now())?;
            }
            if answer.get(2).is_some_and(|flags| flags & TRUNCATED != 0) {
                return Err(ExchangeError::Truncated);
            }
            return Ok(answer.to_vec());
        }
    }
    Err(ExchangeError::TimedOut {
        after: timeout,
        sent: true,
    })
}

/// A socket on a port of the system's choice that hears nobody but the server.
pub(super) async fn connected(server: SocketAddr) -> io::Result<UdpSocket> {
    let any: SocketAddr = match server {
        SocketAddr::V4(_) => (Ipv4Addr::UNSPECIFIED, 0).into(),
        SocketAddr::V6(_) => (Ipv6Addr::UNSPECIFIED, 0).into(),
    };
    let socket = UdpSocket::bind(any).await?;
    socket.connect(server).await?;
    Ok(socket)
}

fn random_id() -> Result<u16, ExchangeError> {
    let mut id = [0; 2];
    SystemRandom::new()
        .fill(&mut id)
        .map_err(|_| ExchangeError::Udp("the system gives no random numbers".to_owned()))?;
    Ok(u16::from_be_bytes(id))
}
