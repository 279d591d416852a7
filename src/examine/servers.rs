//! The servers that are written to, each address and key once.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::{Duration, SystemTime};

use futures_util::stream::{self, StreamExt};
use hickory_proto::rr::RecordType;

use super::problems;
use crate::config::{Authority, Config, Key};
use crate::diagnose::{KeyIdentity, KeyWord, ServerEvidence, Software};
use crate::dns::exchange::{Exchange, ExchangeError, Settings};
use crate::model::Name;
use crate::reconcile::Connection;
use crate::wire::answer;
use crate::wire::query::{query, version};
use crate::wire::tsig::{Clocks, time_signed};

/// Servers looked at side by side.
const AT_ONCE: usize = 64;
/// How long a server may take to say what it is: many are told not to, and some say nothing then.
const VERSION_WITHIN: Duration = Duration::from_secs(2);

/// The servers of all zones, each once.
#[derive(Default)]
pub(super) struct Servers {
    indexes: BTreeMap<(SocketAddr, Option<String>), usize>,
    /// Each with an owner to ask it for.
    found: Vec<(Connection, Name)>,
}

/// A server that was looked at.
pub(super) struct Looked {
    pub(super) connection: Connection,
    pub(super) evidence: ServerEvidence,
}

impl Servers {
    /// The index of the server behind a connection, of which `owner` may be asked.
    pub(super) fn index(&mut self, connection: Connection, owner: &Name) -> usize {
        let key = (connection.exchange.server(), connection.key.clone());
        *self.indexes.entry(key).or_insert_with(|| {
            self.found.push((connection, owner.clone()));
            self.found.len() - 1
        })
    }

    /// Looks at each of them, in the order of their indexes.
    pub(super) async fn look(self, config: &Config) -> Vec<Looked> {
        stream::iter(self.found)
            .map(|(connection, owner)| look(config, connection, owner))
            .buffered(AT_ONCE)
            .collect()
            .await
    }
}

async fn look(config: &Config, connection: Connection, owner: Name) -> Looked {
    let exchange = &connection.exchange;
    let address = exchange.server();
    let question = || query(&owner, RecordType::SOA);
    // The time of the answer: the other questions may take longer.
    let tcp = async { (exchange.read_tcp(question()).await, unix_now()) };
    let (udp, (tcp, ours), version) =
        tokio::join!(exchange.read_udp(question()), tcp, ask_version(address),);
    let key = identity(config, connection.key.as_deref());
    let (key_word, clock) = match &key {
        KeyIdentity::Tsig { .. } => key_word(&tcp, ours),
        // It signs updates only.
        KeyIdentity::Unsigned | KeyIdentity::Gss { .. } => (KeyWord::NotAsked, None),
    };
    let software = match &config.authority {
        Some(authority) if is_embedded(authority, address) => Software::Embedded,
        _ => version.as_deref().map_or(Software::Unknown, Software::of),
    };
    let evidence = ServerEvidence {
        names: names(config, address, connection.key.as_deref()),
        address,
        owner,
        key,
        udp: answered(&udp),
        tcp: answered(&tcp),
        software,
        version,
        key_word,
        clock,
    };
    Looked {
        connection,
        evidence,
    }
}

/// Whether the server answered at all: with what, others look at.
fn answered(answer: &Result<Vec<u8>, ExchangeError>) -> Result<(), String> {
    match answer {
        Ok(_) | Err(ExchangeError::Tsig(_) | ExchangeError::Truncated) => Ok(()),
        Err(ExchangeError::Udp(why)) => Err(why.clone()),
        Err(error) => Err(error.to_string()),
    }
}

/// What an answer that came at `ours`, in Unix seconds, says of the key and of the server's clock.
fn key_word(answer: &Result<Vec<u8>, ExchangeError>, ours: u64) -> (KeyWord, Option<i64>) {
    match answer {
        Ok(octets) => {
            let clocks = time_signed(octets).map(|theirs| Clocks { ours, theirs });
            (KeyWord::Accepted, clocks.and_then(problems::ahead))
        }
        Err(error) => {
            let word = problems::of_key(error).map_or(KeyWord::NotAsked, KeyWord::Rejected);
            (word, problems::clock(error))
        }
    }
}

fn unix_now() -> u64 {
    SystemTime::now()
        .duration_since(SystemTime::UNIX_EPOCH)
        .map_or(0, |since| since.as_secs())
}

/// What the server says that it is.
async fn ask_version(address: SocketAddr) -> Option<String> {
    let settings = Settings {
        timeout: VERSION_WITHIN,
        ..Settings::default()
    };
    let answer = Exchange::new(address, None, settings)
        .read_udp(version())
        .await;
    answer::version(&answer.ok()?)
}

/// The public part of a key of the configuration.
fn identity(config: &Config, key: Option<&str>) -> KeyIdentity {
    match key.and_then(|name| config.keys.get(name)) {
        None => KeyIdentity::Unsigned,
        Some(Key::Tsig(secret)) => KeyIdentity::Tsig {
            name: secret.name.clone(),
            algorithm: secret.algorithm,
        },
        Some(Key::Gss(key)) => KeyIdentity::Gss {
            principal: key.principal.clone(),
        },
    }
}

fn names(config: &Config, address: SocketAddr, key: Option<&str>) -> Vec<String> {
    config
        .servers
        .iter()
        .filter(|server| server.address == address && server.key.as_deref() == key)
        .map(|server| server.name.clone())
        .collect()
}

fn is_embedded(authority: &Authority, address: SocketAddr) -> bool {
    authority.listen.iter().any(|listen| {
        *listen == address
            || (listen.ip().is_unspecified()
                && address.ip().is_loopback()
                && listen.port() == address.port())
    })
}
