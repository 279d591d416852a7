//! The embedded primary: authoritative for a few zones, changed by signed DNS update only, and
//! transferred by signed requests only.
//!
//! A zone file seeds an empty state; from then on the snapshot in the state directory is the zone,
//! and every change is on disk before it is served or answered. For the rest of the program this
//! is a primary like any other, reached over the network with TSIG.
//!
//! `records`, `update` and `snapshot` are pure; `state` has the files, `zone` the lock,
//! `handler` and `response` the requests and answers.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod handler;
mod records;
mod response;
mod snapshot;
mod state;
mod update;
mod zone;

use std::collections::BTreeMap;
use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{OpCode, ResponseCode};
use hickory_proto::rr::{LowerName, RecordType};
use hickory_server::net::xfer::Protocol;
use hickory_server::server::{Request, Server};
use tokio::net::{TcpListener, UdpSocket};
use tokio::sync::mpsc;

use crate::model::TsigSecret;
use crate::wire::tsig::Key;
use handler::Handler;
pub use records::ZoneFault;
pub use snapshot::{SnapshotError, Unwritable};
pub use state::{Damage, Difference, LoadError, PersistError, differences};
use zone::Zone;

/// An idle TCP connection is closed after this time.
const TCP_IDLE: Duration = Duration::from_secs(60);
/// Answers that may wait on one TCP connection.
const TCP_ANSWERS: usize = 128;
/// Tries to find a port that is free on both UDP and TCP, when any port will do.
const PORT_TRIES: usize = 16;

/// What an embedded primary serves, where, and to whom.
#[derive(Debug, Clone)]
pub struct AuthoritySettings {
    /// Addresses to listen on, UDP and TCP; port 0 takes any that is free.
    pub listen: Vec<SocketAddr>,
    /// The key that updates are signed with, and transfers may be.
    pub key: TsigSecret,
    /// A key that transfers the zones and changes nothing, for secondaries; of another name.
    pub transfer_key: Option<TsigSecret>,
    /// Zone files, one zone each.
    pub zones: Vec<PathBuf>,
    /// Snapshots go into its folder `authority`.
    pub state_dir: PathBuf,
}

/// Why the embedded primary does not serve.
#[derive(Debug, thiserror::Error)]
pub enum AuthorityError {
    /// A zone cannot be loaded.
    #[error(transparent)]
    Load(#[from] LoadError),
    /// An address cannot be listened on.
    #[error("cannot listen on {address}; see that no other DNS server has it")]
    Listen {
        /// As configured.
        address: SocketAddr,
        /// Why.
        source: io::Error,
    },
}

/// The embedded primary, listening.
pub struct Primary {
    server: Server<Handler>,
    addresses: Vec<SocketAddr>,
    updates_done: mpsc::Receiver<()>,
}

impl Primary {
    /// Loads the zones, binds the addresses and serves until [`Primary::shutdown`].
    pub async fn start(settings: AuthoritySettings) -> Result<Self, AuthorityError> {
        let zones = load_zones(&settings)?;
        let (under_way, updates_done) = mpsc::channel(1);
        let mut server = Server::new(Handler {
            key: Key::from_secret(&settings.key),
            transfer_key: settings.transfer_key.as_ref().map(Key::from_secret),
            zones,
            under_way,
        });
        let mut addresses = Vec::new();
        for address in settings.listen {
            let (udp, tcp) = bind(address)
                .await
                .map_err(|source| AuthorityError::Listen { address, source })?;
            let bound = udp
                .local_addr()
                .map_err(|source| AuthorityError::Listen { address, source })?;
            addresses.push(bound);
            server.register_socket(udp);
            server.register_listener(tcp, TCP_IDLE, TCP_ANSWERS);
        }
        Ok(Self {
            server,
            addresses,
            updates_done,
        })
    }

    /// The addresses it listens on, ports filled in, in the order of the settings.
    pub fn addresses(&self) -> &[SocketAddr] {
        &self.addresses
    }

    /// Stops listening, and returns when the last update is on disk.
    pub async fn shutdown(mut self) {
        if let Err(error) = self.server.shutdown_gracefully().await {
            tracing::warn!(%error, "the embedded primary stopped with an error");
        }
        drop(self.server);
        // Nothing is ever sent: the channel ends when the last update lets go of it.
        self.updates_done.recv().await;
    }
}

/// What an UPDATE message makes of a zone, given and returned as its snapshot: the steps of the
/// embedded primary without sockets, signature and disk, for the fuzz target of updates.
///
/// The error is the rcode; a text that is no snapshot of a zone is SERVFAIL.
#[doc(hidden)]
pub fn rehearse(message: Vec<u8>, zone: &str) -> Result<String, ResponseCode> {
    let broken = ResponseCode::ServFail;
    let records = snapshot::read(zone).map_err(|_| broken)?;
    let origin = LowerName::new(&records::check(&records).map_err(|_| broken)?);
    let source = SocketAddr::from(([127, 0, 0, 1], 53));
    let request =
        Request::from_bytes(message, source, Protocol::Tcp).map_err(|_| ResponseCode::FormErr)?;
    let is_for_the_zone = matches!(
        request.queries.queries(),
        [section] if *section.name() == origin && section.query_type() == RecordType::SOA
    );
    if request.metadata.op_code != OpCode::Update || !is_for_the_zone {
        return Err(ResponseCode::NotAuth);
    }
    update::check_prerequisites(&records, &origin, &request.answers)?;
    update::prescan(&origin, &request.authorities)?;
    let after = update::apply(&records, &origin, &request.authorities).unwrap_or(records);
    snapshot::write(&after).map_err(|_| broken)
}

fn load_zones(settings: &AuthoritySettings) -> Result<BTreeMap<LowerName, Arc<Zone>>, LoadError> {
    let mut zones = BTreeMap::new();
    let mut files = BTreeMap::new();
    for file in &settings.zones {
        let zone = Zone::new(state::load(file, &settings.state_dir)?);
        let origin = zone.origin().clone();
        if let Some(first) = files.insert(origin.clone(), file) {
            return Err(LoadError::Twice {
                zone: origin.to_string(),
                first: first.clone(),
                second: file.clone(),
            });
        }
        zones.insert(origin, Arc::new(zone));
    }
    Ok(zones)
}

/// Binds UDP and TCP on the same port.
async fn bind(address: SocketAddr) -> io::Result<(UdpSocket, TcpListener)> {
    let mut tries = 0;
    loop {
        tries += 1;
        let udp = UdpSocket::bind(address).await?;
        match TcpListener::bind(udp.local_addr()?).await {
            Ok(tcp) => return Ok((udp, tcp)),
            Err(error) if address.port() != 0 || tries == PORT_TRIES => return Err(error),
            Err(_) => {}
        }
    }
}
