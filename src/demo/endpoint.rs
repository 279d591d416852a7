//! Simulated KMS hosts: loopback listeners that answer the RPC bind, and nothing else.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpSocket, TcpStream};
use tokio::task::{JoinHandle, JoinSet};

use super::folder::random;
use crate::wire::rpc;

/// What plays the router in front of the hosts: an address that answers while the network works.
pub(super) const CANARY: &str = "canary";

/// Every machine of the scenario with its address, the same as in the zone.
pub(super) const MACHINES: [(&str, Ipv4Addr); 5] = [
    (CANARY, Ipv4Addr::new(127, 0, 0, 10)),
    ("kms1", Ipv4Addr::new(127, 0, 0, 11)),
    ("kms2", Ipv4Addr::new(127, 0, 0, 12)),
    ("kms3", Ipv4Addr::new(127, 0, 0, 13)),
    ("kms4", Ipv4Addr::new(127, 0, 0, 14)),
];

/// Tries to find a port that is free on every address.
const PORT_TRIES: usize = 16;

/// Why a simulated machine does not listen.
#[derive(Debug, thiserror::Error)]
pub enum EndpointError {
    /// The address is not there, or the port is taken.
    #[error(
        "cannot listen on {address}; the demonstration gives each simulated host a loopback address of its own, as Linux has them in all of 127.0.0.0/8"
    )]
    Listen {
        /// The machine's address.
        address: SocketAddr,
        /// Why not.
        source: io::Error,
    },
    /// Somebody listens on many ports of loopback.
    #[error("no port is free on all of 127.0.0.10 to 127.0.0.14; stop what listens there")]
    NoPort,
    /// No machine of this name.
    #[error("there is no {name}; there are {}", names().join(", "))]
    Unknown {
        /// The name asked for.
        name: String,
    },
}

fn names() -> Vec<&'static str> {
    MACHINES.iter().map(|(name, _address)| *name).collect()
}

/// The machines of the scenario, each at its address, all with one port.
pub(super) struct Machines {
    port: u16,
    machines: Vec<Machine>,
}

struct Machine {
    name: &'static str,
    address: SocketAddr,
    /// The listener with its connections; `None` while the machine is dead.
    serving: Option<JoinHandle<()>>,
}

impl Machines {
    /// Finds a port for them; none of them listens yet.
    pub(super) async fn find() -> Result<Self, EndpointError> {
        let port = free_port().await?;
        let machine = |(name, address)| Machine {
            name,
            address: SocketAddr::from((address, port)),
            serving: None,
        };
        Ok(Self {
            port,
            machines: MACHINES.into_iter().map(machine).collect(),
        })
    }

    /// The port of every machine.
    pub(super) fn port(&self) -> u16 {
        self.port
    }

    /// Starts a machine; it may run already.
    pub(super) async fn start(&mut self, name: &str) -> Result<(), EndpointError> {
        let machine = self.named(name)?;
        if machine.serving.is_none() {
            let listener = listen(machine.address).await?;
            machine.serving = Some(tokio::spawn(serve(listener)));
        }
        Ok(())
    }

    /// Kills a machine: its listener and its connections are closed when this returns.
    pub(super) async fn kill(&mut self, name: &str) -> Result<(), EndpointError> {
        if let Some(task) = self.named(name)?.serving.take() {
            task.abort();
            // Always an error: it was aborted.
            let _ = task.await;
        }
        Ok(())
    }

    fn named(&mut self, name: &str) -> Result<&mut Machine, EndpointError> {
        self.machines
            .iter_mut()
            .find(|machine| machine.name == name)
            .ok_or_else(|| EndpointError::Unknown {
                name: name.to_owned(),
            })
    }
}

/// A port that is free on every machine's address.
///
/// It is let go again until the machines start, so it is none of those that systems hand out to
/// whoever asks for any (from 32768 on Linux, from 49152 by RFC 6335).
async fn free_port() -> Result<u16, EndpointError> {
    const FIRST: u16 = 10_000;
    const PORTS: u16 = 22_000;
    for _try in 0..PORT_TRIES {
        let number = random().map_err(|_| EndpointError::NoPort)?;
        let port = FIRST + u16::from_ne_bytes(number) % PORTS;
        // Held together, so that they are free together. Bound and never listening: a process that is
        // just being started may have a copy for a moment, which must not stand in a machine's way.
        let mut held = Vec::new();
        for (_name, address) in MACHINES {
            let address = SocketAddr::from((address, port));
            match bind(address) {
                Ok(socket) => held.push(socket),
                Err(error) if error.kind() == io::ErrorKind::AddrInUse => break,
                Err(source) => return Err(EndpointError::Listen { address, source }),
            }
        }
        if held.len() == MACHINES.len() {
            return Ok(port);
        }
    }
    Err(EndpointError::NoPort)
}

fn bind(address: SocketAddr) -> io::Result<TcpSocket> {
    let socket = TcpSocket::new_v4()?;
    socket.set_reuseaddr(true)?;
    socket.bind(address)?;
    Ok(socket)
}

async fn listen(address: SocketAddr) -> Result<TcpListener, EndpointError> {
    TcpListener::bind(address)
        .await
        .map_err(|source| EndpointError::Listen { address, source })
}

/// Serves until it is aborted, which also closes its connections.
async fn serve(listener: TcpListener) {
    let mut connections = JoinSet::new();
    loop {
        tokio::select! {
            accepted = listener.accept() => {
                // A connection that was given up before it was accepted concerns nobody.
                if let Ok((stream, _client)) = accepted {
                    connections.spawn(answer(stream));
                }
            }
            Some(_ended) = connections.join_next() => {}
        }
    }
}

/// Answers binds until the client goes or sends anything else.
async fn answer(mut stream: TcpStream) -> io::Result<()> {
    let mut received = Vec::new();
    loop {
        match rpc::frame_length(&received) {
            Ok(Some(length)) if received.len() >= length => {
                let frame: Vec<u8> = received.drain(..length).collect();
                let Some(acknowledgement) = rpc::accept(&frame) else {
                    return Ok(());
                };
                stream.write_all(&acknowledgement).await?;
            }
            Ok(_more_to_come) => {
                if stream.read_buf(&mut received).await? == 0 {
                    return Ok(());
                }
            }
            Err(_no_rpc) => return Ok(()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    async fn ask(machine: SocketAddr, octets: &[u8]) -> io::Result<Vec<u8>> {
        let mut stream = TcpStream::connect(machine).await?;
        stream.write_all(octets).await?;
        let mut answer = vec![0; 60];
        stream.read_exact(&mut answer).await?;
        Ok(answer)
    }

    #[tokio::test]
    async fn a_machine_answers_the_bind_dies_and_lives_again() {
        let mut machines = Machines::find().await.unwrap();
        let kms2 = SocketAddr::from((MACHINES[2].1, machines.port()));
        for _life in 0..2 {
            machines.start("kms2").await.unwrap();
            let answer = ask(kms2, &rpc::bind()).await.unwrap();
            assert_eq!(rpc::answer(&answer), Ok(rpc::BindAnswer::Accepted));

            let mut open = TcpStream::connect(kms2).await.unwrap();
            machines.kill("kms2").await.unwrap();
            // Until then a process that another test was just starting holds the listener, and may
            // reset what waits there when it runs its program.
            let refused = |result: &io::Result<TcpStream>| {
                let error = result.as_ref().err();
                error.is_some_and(|error| error.kind() == io::ErrorKind::ConnectionRefused)
            };
            while !refused(&TcpStream::connect(kms2).await) {
                tokio::task::yield_now().await;
            }
            let ended = open.read(&mut [0]).await;
            assert!(matches!(ended, Ok(0) | Err(_)), "{ended:?}");
        }
    }

    #[tokio::test]
    async fn a_machine_answers_nothing_but_the_bind() {
        let mut machines = Machines::find().await.unwrap();
        machines.start("kms1").await.unwrap();
        let kms1 = SocketAddr::from((MACHINES[1].1, machines.port()));
        let mut request = rpc::bind();
        request[2] = 0;
        for octets in [&request[..], b"GET / HTTP/1.0\r\n\r\n"] {
            ask(kms1, octets).await.unwrap_err();
        }
    }

    #[tokio::test]
    async fn an_unknown_machine_is_told_from_the_known() {
        let mut machines = Machines::find().await.unwrap();
        let error = machines.start("kms9").await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "there is no kms9; there are canary, kms1, kms2, kms3, kms4"
        );
    }
}
