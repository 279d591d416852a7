//! Loopback addresses that no other test uses at the same time.

use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, UdpSocket};
use std::process;
use std::sync::atomic::{AtomicU32, Ordering};

/// An address of 127.0.0.0/9: the process in the lower octets, a counter in the second.
pub(super) fn fresh_address() -> IpAddr {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let [_, _, high, low] = process::id().to_be_bytes();
    let count = NEXT.fetch_add(1, Ordering::Relaxed);
    let second = u8::try_from(1 + count % 127).unwrap();
    IpAddr::V4(Ipv4Addr::new(127, second, high, low))
}

/// A port of 127.0.0.1, the only address that every machine's `lo` shows to a name server.
///
/// The same port of another address is held as a token for as long as this lives: tests that go
/// through here, in whatever process, never get the same port.
pub(super) struct ReservedPort {
    /// Where to listen.
    pub(super) address: SocketAddr,
    _token: TcpListener,
}

impl ReservedPort {
    const TOKENS: Ipv4Addr = Ipv4Addr::new(127, 255, 0, 1);

    pub(super) fn new() -> Self {
        loop {
            let token = TcpListener::bind((Self::TOKENS, 0)).unwrap();
            let port = token.local_addr().unwrap().port();
            let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
            if TcpListener::bind(address).is_ok() && UdpSocket::bind(address).is_ok() {
                return Self {
                    address,
                    _token: token,
                };
            }
        }
    }
}

/// A fresh address with a port on which neither TCP nor UDP is served.
pub(crate) fn unused_address() -> SocketAddr {
    loop {
        let udp = UdpSocket::bind((fresh_address(), 0)).unwrap();
        let address = udp.local_addr().unwrap();
        if TcpListener::bind(address).is_ok() {
            return address;
        }
    }
}
