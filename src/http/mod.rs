//! The status page, the API and the metrics: what a daemon knows, read-only, over HTTP.
//!
//! ```text
//! daemon ─► Feed ─┬─ watch: the newest Arc<Status> ─► api, page ─┐
//!                 └─ hub: the newest events ────────► stream ────┼─► router ─► door ─► serve
//! store, read-only ────────────────────────────────► api ────────┘    who may ask   limits
//! ```
//!
//! A thread of its own serves, so that no request delays the daemon. The same router answers on the
//! configured address and on a socket in `state_dir`, which `srvkeeper status` asks.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod answer;
mod api;
mod client;
mod door;
mod hub;
mod listen;
mod page;
mod question;
mod router;
mod serve;
mod stalls;
mod stream;
mod token;

use std::io;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};

use jiff::Timestamp;
use tokio::sync::{oneshot, watch};
use tracing::warn;

use crate::status::{Event, Status};
use hub::Hub;
use listen::Socket;
use router::Shared;

pub use client::{AskError, ask};
pub use token::Token;

/// The socket's name in `state_dir`.
pub const SOCKET: &str = "status.sock";

/// Where a daemon says what it knows; cheap to clone.
#[derive(Debug, Clone)]
pub struct Feed {
    status: watch::Sender<Arc<Status>>,
    hub: Arc<Hub>,
}

impl Feed {
    /// A feed that begins with this status.
    pub fn new(status: Arc<Status>) -> Self {
        let begin = status.started;
        Self {
            status: watch::Sender::new(status),
            hub: Arc::new(Hub::new(begin)),
        }
    }

    /// Puts this status in the place of the former one.
    pub fn publish(&self, status: Arc<Status>) {
        self.status.send_replace(status);
    }

    /// Tells those who watch. Call it after [`Feed::publish`], so that who asks then sees it.
    pub fn tell(&self, event: &Event, now: Timestamp) {
        self.hub.tell(event, now);
    }
}

/// Where and to whom it is served.
#[derive(Debug, Clone)]
pub struct Settings {
    /// The address; `None`: the socket only.
    pub listen: Option<SocketAddr>,
    /// What who asks over the address must present; the socket needs none.
    pub token: Option<Token>,
    /// The folder of the socket and of the history.
    pub state_dir: PathBuf,
}

/// Why nothing is served.
#[derive(Debug, thiserror::Error)]
pub enum HttpError {
    /// The address cannot be listened on.
    #[error(
        "cannot listen on {address} for the status page; let daemon.http name another address, or end what has it (ss -ltnp)"
    )]
    Listen {
        /// The address.
        address: SocketAddr,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// Without a token nobody but this machine may ask.
    #[error("{0} is no loopback address, so the status page needs daemon.http_token_file")]
    Open(SocketAddr),
    /// The thread cannot be started.
    #[error("cannot start the thread of the status page")]
    Thread(#[source] io::Error),
}

/// What serves; dropped, it ends.
#[derive(Debug)]
pub struct Server {
    address: Option<SocketAddr>,
    stop: Option<oneshot::Sender<()>>,
    thread: Option<JoinHandle<()>>,
    /// `None` where there can be none.
    socket: Option<PathBuf>,
}

impl Server {
    /// Listens, and serves what the feed says until it is dropped.
    ///
    /// Call it with the daemon lock of `state_dir` held: a socket that lies there is replaced. Where
    /// there can be none, a warning says so, and the address is served all the same.
    pub fn start(settings: Settings, feed: &Feed) -> Result<Self, HttpError> {
        if let Some(address) = settings.listen
            && !address.ip().is_loopback()
            && settings.token.is_none()
        {
            return Err(HttpError::Open(address));
        }
        let tcp = settings.listen.map(|address| {
            let bound = listen::tcp(address).and_then(|tcp| Ok((tcp.local_addr()?, tcp)));
            bound.map_err(|source| HttpError::Listen { address, source })
        });
        let (address, tcp) = tcp.transpose()?.unzip();
        let path = settings.state_dir.join(SOCKET);
        let socket = Socket::bind(&settings.state_dir, &path)
            .inspect_err(|error| {
                warn!(
                    "`srvkeeper status` will not find this daemon, since there can be no socket {}: {error}",
                    path.display()
                );
            })
            .ok();
        let path = socket.is_some().then_some(path);
        let shared = Shared::new(feed.status.subscribe(), Arc::clone(&feed.hub), settings);
        let (stop, stopped) = oneshot::channel();
        let (begun, begins) = mpsc::channel();
        let thread = thread::Builder::new()
            .name("http".to_owned())
            .spawn(move || {
                // Made here, since a runtime must not be dropped within another one.
                let runtime = match runtime() {
                    Ok(runtime) => runtime,
                    Err(error) => {
                        // Who asked waits for it.
                        let _ = begun.send(Err(error));
                        return;
                    }
                };
                let _ = begun.send(Ok(()));
                runtime.block_on(async {
                    tokio::select! {
                        // Sent or dropped: in both cases it is over.
                        _ = stopped => {}
                        () = serve::serve(tcp, socket, shared, address) => {}
                    }
                });
                // What is being answered is cut off; it is read-only.
                runtime.shutdown_background();
            })
            .map_err(HttpError::Thread)?;
        let gone = |_| Err(io::Error::other("it ended at once"));
        begins
            .recv()
            .unwrap_or_else(gone)
            .map_err(HttpError::Thread)?;
        Ok(Self {
            address,
            stop: Some(stop),
            thread: Some(thread),
            socket: path,
        })
    }

    /// The address that is listened on.
    pub fn address(&self) -> Option<SocketAddr> {
        self.address
    }

    /// The socket; `None` where there can be none.
    pub fn socket(&self) -> Option<&Path> {
        self.socket.as_deref()
    }
}

fn runtime() -> io::Result<tokio::runtime::Runtime> {
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .max_blocking_threads(api::READERS)
        .build()
}

impl Drop for Server {
    fn drop(&mut self) {
        if let Some(stop) = self.stop.take() {
            // Nobody listens when it ended by itself.
            let _ = stop.send(());
        }
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
        if let Some(socket) = &self.socket {
            let _ = std::fs::remove_file(socket);
        }
    }
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::PermissionsExt;

    use super::*;
    use crate::status::Book;

    #[tokio::test]
    async fn an_address_that_others_reach_needs_a_token() {
        let folder = tempfile::tempdir().unwrap();
        let feed = Feed::new(Book::new(Timestamp::UNIX_EPOCH).status(Timestamp::UNIX_EPOCH));
        let settings = |address: &str, token| Settings {
            listen: Some(address.parse().unwrap()),
            token,
            state_dir: folder.path().to_owned(),
        };
        for address in ["0.0.0.0:0", "[::]:0", "192.0.2.1:0"] {
            let refused = Server::start(settings(address, None), &feed);
            assert!(matches!(refused, Err(HttpError::Open(_))), "{address}");
            assert!(!folder.path().join(SOCKET).exists());
        }
        let server = Server::start(settings("127.0.0.1:0", None), &feed).unwrap();
        let address = server.address().unwrap();
        let taken = Server::start(settings(&address.to_string(), None), &feed);
        assert!(matches!(taken, Err(HttpError::Listen { .. })));
        let socket = server.socket().unwrap();
        let mode = std::fs::metadata(socket).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        drop(server);
        assert!(!folder.path().join(SOCKET).exists());
    }

    #[tokio::test]
    async fn what_has_the_sockets_name_and_is_none_stays_as_it_is() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join(SOCKET);
        std::fs::write(&path, "kept").unwrap();
        let feed = Feed::new(Book::new(Timestamp::UNIX_EPOCH).status(Timestamp::UNIX_EPOCH));
        let settings = Settings {
            listen: None,
            token: None,
            state_dir: folder.path().to_owned(),
        };
        let server = Server::start(settings, &feed).unwrap();
        assert_eq!(server.socket(), None);
        drop(server);
        assert_eq!(std::fs::read_to_string(&path).unwrap(), "kept");
    }
}
