//! A fake KMS host: it answers the RPC bind to the KMS interface, and can fall silent or stop.

use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use super::address::fresh_address;

/// Every fake has an address of its own, so all of them can have the usual port.
const PORT: u16 = 1688;
/// A client that connects and says nothing is not waited for any longer.
const PATIENCE: Duration = Duration::from_secs(5);

/// The bind that a probe sends (C706 §12.6.4.3), octet by octet.
#[rustfmt::skip]
const BIND: [u8; 72] = [
    // version 5.0, bind, first and last fragment; little-endian; 72 octets; no authentication; call 1
    0x05, 0x00, 0x0b, 0x03, 0x10, 0x00, 0x00, 0x00, 0x48, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
    // fragments of 5840 octets, no association group, one context, with one transfer syntax
    0xd0, 0x16, 0xd0, 0x16, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x01, 0x00,
    // 51c82175-844e-4750-b0d8-ec255555bc06, version 1.0
    0x75, 0x21, 0xc8, 0x51, 0x4e, 0x84, 0x50, 0x47, 0xb0, 0xd8, 0xec, 0x25, 0x55, 0x55, 0xbc, 0x06,
    0x01, 0x00, 0x00, 0x00,
    // NDR, version 2.0
    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
    0x02, 0x00, 0x00, 0x00,
];

/// The acceptance (C706 §12.6.4.4).
#[rustfmt::skip]
const BIND_ACK: [u8; 60] = [
    // version 5.0, bind_ack; little-endian; 60 octets; call 1
    0x05, 0x00, 0x0c, 0x03, 0x10, 0x00, 0x00, 0x00, 0x3c, 0x00, 0x00, 0x00, 0x01, 0x00, 0x00, 0x00,
    // fragments of 5840 octets, association group 0x1063, secondary address "1688" and its NUL
    0xd0, 0x16, 0xd0, 0x16, 0x63, 0x10, 0x00, 0x00, 0x05, 0x00, b'1', b'6', b'8', b'8', 0x00,
    // padding to a multiple of four; one result: acceptance, reason 0
    0x00, 0x01, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00, 0x00,
    // NDR, version 2.0
    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
    0x02, 0x00, 0x00, 0x00,
];

/// A fake KMS host on port 1688 of an address of its own.
pub(crate) struct Kms {
    address: SocketAddr,
    running: Option<Running>,
    seen: Arc<Seen>,
}

#[derive(Default)]
struct Seen {
    binds: AtomicUsize,
    anything_else: AtomicBool,
}

struct Running {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<()>,
}

#[derive(Clone, Copy)]
enum Manner {
    Answers,
    Silent,
}

impl Kms {
    /// A host that accepts the bind.
    pub(crate) fn start() -> Self {
        Self::on_fresh_address(Manner::Answers)
    }

    /// A host that accepts connections and never says anything.
    pub(crate) fn silent() -> Self {
        Self::on_fresh_address(Manner::Silent)
    }

    /// A host that refuses connections, until it is started.
    pub(crate) fn stopped() -> Self {
        let mut kms = Self::start();
        kms.stop();
        kms
    }

    /// The address to probe.
    pub(crate) fn ip(&self) -> IpAddr {
        self.address.ip()
    }

    /// Stops listening: connections are refused from now on.
    pub(crate) fn stop(&mut self) {
        let Some(running) = self.running.take() else {
            return;
        };
        running.stop.store(true, Ordering::SeqCst);
        // Wakes the thread, which may wait for a connection.
        let _ = TcpStream::connect(self.address);
        running.thread.join().unwrap();
        // A process that another test was just starting holds the listener until it runs its program.
        while TcpStream::connect(self.address).is_ok() {
            thread::yield_now();
        }
    }

    /// Answers (again), on the same address and port.
    pub(crate) fn restart(&mut self) {
        self.stop();
        let listener = TcpListener::bind(self.address).unwrap();
        self.serve(listener, Manner::Answers);
    }

    /// How many binds came so far.
    pub(crate) fn binds(&self) -> usize {
        self.seen.binds.load(Ordering::SeqCst)
    }

    /// True when a client sent anything but one bind: a request would change a real host's count.
    pub(crate) fn saw_anything_else(&self) -> bool {
        self.seen.anything_else.load(Ordering::SeqCst)
    }

    fn on_fresh_address(manner: Manner) -> Self {
        let listener = loop {
            match TcpListener::bind((fresh_address(), PORT)) {
                Ok(listener) => break listener,
                Err(error) if error.kind() == ErrorKind::AddrInUse => {}
                Err(error) => panic!("a loopback address with port {PORT}: {error}"),
            }
        };
        let mut kms = Self {
            address: listener.local_addr().unwrap(),
            running: None,
            seen: Arc::default(),
        };
        kms.serve(listener, manner);
        kms
    }

    fn serve(&mut self, listener: TcpListener, manner: Manner) {
        let stop = Arc::new(AtomicBool::new(false));
        let (stopping, seen) = (Arc::clone(&stop), Arc::clone(&self.seen));
        let thread = thread::spawn(move || {
            let mut held_open = Vec::new();
            for connection in listener.incoming().map_while(Result::ok) {
                if stopping.load(Ordering::SeqCst) {
                    return;
                }
                match manner {
                    Manner::Answers => answer(connection, &seen),
                    Manner::Silent => held_open.push(connection),
                }
            }
        });
        self.running = Some(Running { stop, thread });
    }
}

impl Drop for Kms {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Answers one bind and notes whatever else comes until the client closes.
fn answer(mut connection: TcpStream, seen: &Seen) {
    connection.set_read_timeout(Some(PATIENCE)).unwrap();
    let mut request = [0; BIND.len()];
    if connection.read_exact(&mut request).is_err() {
        return;
    }
    if request != BIND {
        seen.anything_else.store(true, Ordering::SeqCst);
        return;
    }
    seen.binds.fetch_add(1, Ordering::SeqCst);
    if connection.write_all(&BIND_ACK).is_err() {
        return;
    }
    if matches!(connection.read(&mut [0]), Ok(more) if more > 0) {
        seen.anything_else.store(true, Ordering::SeqCst);
    }
}
