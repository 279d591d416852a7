//! Requests to one server and their answers, over pipelined TCP.
//!
//! An [`Exchange`] is a handle; behind it a task owns the connection, the table of IDs and the
//! deadlines, so nothing is locked. Reads, updates and read-backs share that connection
//! (RFC 7766 §6.2.1.1), but for those in bulk: reads have two more, updates have three (`lanes`). Up to
//! `window` reads and as many updates are under way at once, answers may come in any order, and what
//! is ready leaves in one write. A connection is opened when it is needed and kept; the tasks end
//! when the last handle is dropped.
//!
//! A read goes over UDP when the server refuses TCP; an update never does (RFC 2136 §7.8).

mod connection;
mod lanes;
mod negotiated;
mod task;
mod udp;
mod window;

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use tokio::sync::Semaphore;
use tokio::time::{Instant, timeout};

use super::gss::{Contexts, GssError};
use crate::model::{GssKey, Rcode};
use crate::wire::tsig::{Key, MacError, TsigError};
use lanes::Lanes;
use task::{Job, Kind};

/// How an exchange behaves.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Settings {
    /// How long a request waits, from when it was made or, in a queue, from the server's last
    /// sign of life before it was sent.
    pub timeout: Duration,
    /// The most reads under way at once, and the most updates, at least one; the others queue in
    /// order. Fewer at first, and while the server does not keep up.
    pub window: usize,
}

impl Default for Settings {
    /// Five seconds; 64, which leaves room for updates in BIND's `update-quota` of 100.
    fn default() -> Self {
        Self {
            timeout: Duration::from_secs(5),
            window: 64,
        }
    }
}

/// Why a request has no answer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No TCP connection; nothing was sent.
    #[error(
        "no TCP connection: {reason}; check the address, that the server runs and listens on TCP, and that no firewall stands between"
    )]
    Connect {
        /// True when nothing listens on the port.
        refused: bool,
        /// The system's words.
        reason: String,
    },
    /// No answer in time.
    #[error(
        "no answer within {after:?}; the server is overloaded or drops the request: see its log, its quotas and the firewall"
    )]
    TimedOut {
        /// The time-out.
        after: Duration,
        /// True when the request had been sent.
        sent: bool,
    },
    /// The connection closed before the answer.
    #[error(
        "the server closed the connection before it answered; see its log and its limits on TCP clients"
    )]
    Closed {
        /// True when the request had been sent.
        sent: bool,
    },
    /// What came is no DNS.
    #[error(
        "the server sends what is no DNS ({what}); make sure that a DNS server listens on this port"
    )]
    Malformed {
        /// What is wrong with it.
        what: &'static str,
        /// True when the request had been sent.
        sent: bool,
    },
    /// The request does not fit the length field of TCP; it was not sent.
    #[error("the request has {octets} octets, and a DNS message holds 65,535")]
    TooLong {
        /// Its length, the signature included.
        octets: usize,
    },
    /// The request could not be signed; it was not sent.
    #[error(transparent)]
    Sign(#[from] MacError),
    /// There is no security context to sign the update with; it was not sent.
    #[error(transparent)]
    Gss(#[from] GssError),
    /// The answer's signature is not accepted, so nothing in the answer is.
    #[error(transparent)]
    Tsig(#[from] TsigError),
    /// The answer to an update under a negotiated key carries no signature that counts; servers
    /// with Active Directory send such answers.
    #[error("{error}")]
    Unproven {
        /// What the server answered.
        rcode: Rcode,
        /// What is wrong with the signature.
        error: TsigError,
    },
    /// The answer does not fit a datagram, and the server refuses TCP.
    #[error(
        "the answer does not fit a UDP datagram, and the server refuses TCP; let it listen on TCP (RFC 7766 requires it)"
    )]
    Truncated,
    /// TCP is refused and UDP fails, too.
    #[error("TCP is refused, and UDP fails: {0}; check the address and that the server runs")]
    Udp(String),
}

impl ExchangeError {
    /// True when an update that ended so may have been applied: only a read-back can tell.
    pub fn is_doubtful(&self) -> bool {
        match self {
            Self::TimedOut { sent, .. } | Self::Closed { sent } | Self::Malformed { sent, .. } => {
                *sent
            }
            // BADSIG and BADKEY answers are unsigned: anybody can have written them.
            Self::Tsig(error) => !error.is_rejection(),
            Self::Unproven { .. } => true,
            Self::Connect { .. }
            | Self::TooLong { .. }
            | Self::Sign(_)
            | Self::Gss(_)
            | Self::Truncated
            | Self::Udp(_) => false,
        }
    }
}

/// A handle on the exchange with one server; clones share its connection.
#[derive(Clone)]
pub struct Exchange {
    server: SocketAddr,
    signer: Signer,
    settings: Settings,
    lanes: Arc<Lanes>,
    /// Bounds the UDP sockets open at once.
    datagrams: Arc<Semaphore>,
}

/// What requests are signed with.
#[derive(Clone)]
enum Signer {
    /// Nothing.
    Nobody,
    /// Every request with one key.
    Key(Arc<Key>),
    /// Updates with a key that is negotiated with the server; reads are unsigned.
    Contexts(Arc<Contexts>),
}

impl Exchange {
    /// Starts the exchange with `server`; with a key, every request is signed, reads included:
    /// views match by key, and the answers are authenticated.
    ///
    /// Spawns a task, so it must be called within a tokio runtime. Opens no connection yet.
    pub fn new(server: SocketAddr, key: Option<Arc<Key>>, settings: Settings) -> Self {
        Self::start(server, key.map_or(Signer::Nobody, Signer::Key), settings)
    }

    /// Starts the exchange with `server`, whose updates are signed with GSS-TSIG (RFC 3645): a key
    /// is negotiated when the first one needs it. Reads are unsigned.
    ///
    /// As [`Exchange::new`] otherwise.
    pub fn with_gss(server: SocketAddr, key: Arc<GssKey>, settings: Settings) -> Self {
        let contexts = Arc::new(Contexts::new(key));
        Self::start(server, Signer::Contexts(contexts), settings)
    }

    fn start(server: SocketAddr, signer: Signer, settings: Settings) -> Self {
        let settings = Settings {
            window: settings.window.clamp(1, 1 << 12),
            ..settings
        };
        Self {
            server,
            signer,
            settings,
            lanes: Arc::new(Lanes::start(server, settings)),
            datagrams: Arc::new(Semaphore::new(settings.window)),
        }
    }

    /// The server's address.
    pub fn server(&self) -> SocketAddr {
        self.server
    }

    /// Sends a query and returns the answer, its ID and signature checked and nothing else.
    ///
    /// The ID in `message` is replaced. When the connection closes early the query is sent again
    /// on a new one; when the server refuses TCP it goes over UDP.
    pub async fn read(&self, message: Vec<u8>) -> Result<Vec<u8>, ExchangeError> {
        let key = self.signer.key();
        match self.request(message.clone(), Kind::Read, key).await {
            Err(ExchangeError::Connect { refused: true, .. }) => {
                // Boxed, so that a read over TCP has no room for it.
                Box::pin(self.read_udp(message)).await
            }
            result => result,
        }
    }

    /// True when this machine has a way to the server's address; nothing is sent to find out.
    ///
    /// Many machines have none to IPv6 addresses, which says nothing of the server.
    pub async fn has_route(&self) -> bool {
        udp::connected(self.server).await.is_ok()
    }

    /// Sends a query over TCP, and fails where the server refuses that.
    pub async fn read_tcp(&self, message: Vec<u8>) -> Result<Vec<u8>, ExchangeError> {
        self.request(message, Kind::Read, self.signer.key()).await
    }

    /// Sends an update over TCP and returns the answer, its ID and signature checked.
    ///
    /// The ID in `message` is replaced. An update that may have reached the server is never sent
    /// again: [`ExchangeError::is_doubtful`] tells, and a read-back settles it.
    pub async fn update(&self, message: Vec<u8>) -> Result<Vec<u8>, ExchangeError> {
        match &self.signer {
            Signer::Contexts(contexts) => self.update_negotiated(contexts, message).await,
            Signer::Nobody | Signer::Key(_) => {
                self.request(message, Kind::Update, self.signer.key()).await
            }
        }
    }

    /// Sends one message of a negotiation, unsigned, over TCP and never twice.
    pub(super) async fn ask_once(&self, message: Vec<u8>) -> Result<Vec<u8>, ExchangeError> {
        self.request(message, Kind::Negotiation, None).await
    }

    /// Sends a query over UDP, whatever TCP does.
    ///
    /// Waits up to the time-out for one of `window` sockets, and as long again for the answer.
    pub async fn read_udp(&self, message: Vec<u8>) -> Result<Vec<u8>, ExchangeError> {
        let after = self.settings.timeout;
        let Ok(_permit) = timeout(after, self.datagrams.acquire()).await else {
            return Err(ExchangeError::TimedOut { after, sent: false });
        };
        udp::read(
            self.server,
            self.signer.key().as_deref(),
            self.settings.timeout,
            message,
        )
        .await
    }

    async fn request(
        &self,
        message: Vec<u8>,
        kind: Kind,
        key: Option<Arc<Key>>,
    ) -> Result<Vec<u8>, ExchangeError> {
        let made = Instant::now();
        self.lanes
            .ask(|reply| Job {
                message,
                kind,
                key,
                made,
                reply,
                resent: false,
            })
            .await
    }
}

impl Signer {
    /// The key of every request.
    fn key(&self) -> Option<Arc<Key>> {
        match self {
            Self::Key(key) => Some(Arc::clone(key)),
            Self::Nobody | Self::Contexts(_) => None,
        }
    }
}

/// Writes the ID into a message's first two octets.
fn write_id(message: &mut [u8], id: u16) {
    if let Some(slot) = message.first_chunk_mut() {
        *slot = id.to_be_bytes();
    }
}

/// The ID in a message's first two octets.
fn read_id(message: &[u8]) -> Option<u16> {
    message.first_chunk().copied().map(u16::from_be_bytes)
}

/// Now, as TSIG counts it.
pub(super) fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

#[cfg(test)]
mod tests;
