//! The servers, configured or found, each with its exchange.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use tracing::info;

use crate::config::{Config, Key, Server};
use crate::dns::exchange::{Exchange, ExchangeError, Settings};
use crate::dns::gss;
use crate::dns::resolve::Resolver;
use crate::model::{GssKey, Home, Observed, Zone};
use crate::observe::{Cause, ObserveError, observe_first};
use crate::plan::{ZoneError, check_home, may_take_over};
use crate::wire::tsig;

use super::primaries::Primaries;

/// One server, ready to be asked; clones share its connection.
#[derive(Clone)]
pub struct Connection {
    /// The exchange with it.
    pub exchange: Exchange,
    /// The key in the configuration that signs; `None`: nothing is signed.
    pub key: Option<String>,
    overhead: usize,
}

impl Connection {
    /// Octets that signing adds to a message.
    pub fn overhead(&self) -> usize {
        self.overhead
    }
}

/// A server as an exchange sees it: its address, and the key in the configuration.
type Endpoint = (SocketAddr, Option<String>);

/// A key of the configuration, ready to sign.
#[derive(Clone)]
enum Signing {
    Tsig(Arc<tsig::Key>),
    /// Each exchange negotiates its own keys.
    Gss(Arc<GssKey>),
}

impl Signing {
    fn connect(self, address: SocketAddr, name: &str) -> Connection {
        let key_name = Some(name.to_owned());
        let settings = Settings::default();
        match self {
            Self::Tsig(key) => Connection {
                key: key_name,
                overhead: key.overhead(),
                exchange: Exchange::new(address, Some(key), settings),
            },
            Self::Gss(key) => Connection {
                key: key_name,
                overhead: gss::overhead(),
                exchange: Exchange::with_gss(address, key, settings),
            },
        }
    }
}

/// Every server that zones are read from and written to.
///
/// There is one exchange for each address and key, whether the server is configured or found, and
/// however many zones and names it goes by. Two keys at one address are two servers: views match
/// by key.
pub struct Connections {
    keys: BTreeMap<String, Signing>,
    servers: Vec<Server>,
    /// Where the embedded primary listens while the daemon runs.
    embedded: Vec<SocketAddr>,
    primaries: Primaries,
    open: Mutex<BTreeMap<Endpoint, Connection>>,
}

impl Connections {
    /// Prepares the keys; nothing is connected or looked up before it is needed.
    pub fn new(config: &Config) -> Self {
        let signing = |key: &Key| match key {
            Key::Tsig(secret) => Signing::Tsig(Arc::new(tsig::Key::from_secret(secret))),
            Key::Gss(key) => Signing::Gss(Arc::new(key.clone())),
        };
        Self {
            keys: config
                .keys
                .iter()
                .map(|(name, key)| (name.clone(), signing(key)))
                .collect(),
            servers: config.servers.clone(),
            embedded: config
                .authority
                .as_ref()
                .map_or_else(Vec::new, |authority| authority.listen.clone()),
            primaries: Primaries::default(),
            open: Mutex::default(),
        }
    }

    /// Reads a zone's RRset from the server it stays with, or else from the first of its servers,
    /// or of the addresses of its primary, that answers.
    ///
    /// `home` is what is remembered of it; it means nothing where the zone names servers, and this
    /// is none of them any more.
    pub async fn observe(
        &self,
        zone: &Zone,
        resolver: &Resolver,
        home: Option<&Home>,
    ) -> Result<Observed, ZoneError> {
        let connections = self.all_of(zone, resolver, home).await?;
        let first = connections.first().map(|found| found.exchange.server());
        let home = home.filter(|home| first == Some(home.server));
        let (observed, tried) = self.read_first(zone, &connections).await?;
        if let Some(home) = home {
            let why_not = tried.first().map_or("", String::as_str);
            check_home(zone, home, &observed, why_not)?;
            // Boxed, so that a zone with servers has no room for it.
            if zone.servers.is_empty()
                && let Some(moved) = Box::pin(self.moved(zone, home, &connections, &observed)).await
            {
                return Ok(moved);
            }
        }
        Ok(observed)
    }

    /// What is read at the primary that the SOA names, where that is another server than the one the
    /// zone stays with, and publishes the same: the primary has moved, or each of several names
    /// itself. Written is then the one that is named.
    ///
    /// Where it publishes something else, the zone stays where it is: after an update that has not
    /// been replicated yet, the other would be planned from what was before it.
    async fn moved(
        &self,
        zone: &Zone,
        home: &Home,
        connections: &[Connection],
        observed: &Observed,
    ) -> Option<Observed> {
        let named = self.primaries.named(&zone.owner);
        if observed.server != home.server || named.contains(&home.server) {
            return None;
        }
        let mut others = connections.to_vec();
        others.retain(|other| named.contains(&other.exchange.server()));
        let (next, _tried) = self.read_first(zone, &others).await.ok()?;
        let (named, stays) = (next.server, home.server);
        if may_take_over(observed, &next) {
            return Some(next);
        }
        info!(zone = %zone.name, "the SOA names {named} as the primary, which publishes others than {stays}; the zone stays with {stays}, where it was last written");
        None
    }

    /// Reads a zone from the first of its servers that can be read, of those not yet `tried`;
    /// `None`: there is none.
    pub async fn observe_next(
        &self,
        zone: &Zone,
        resolver: &Resolver,
        tried: &[SocketAddr],
    ) -> Option<Observed> {
        let mut connections = self.all_of(zone, resolver, None).await.ok()?;
        connections.retain(|found| !tried.contains(&found.exchange.server()));
        let (observed, _tried) = self.read_first(zone, &connections).await.ok()?;
        Some(observed)
    }

    /// Reads a zone from the first of these that can be read; with it come the causes of those before.
    async fn read_first(
        &self,
        zone: &Zone,
        connections: &[Connection],
    ) -> Result<(Observed, Vec<String>), ZoneError> {
        let exchanges = connections.iter().map(|found| &found.exchange);
        let (observed, tried) =
            observe_first(exchanges, zone)
                .await
                .map_err(|error| ZoneError {
                    server: error
                        .tried
                        .last()
                        .map(|(address, _cause)| address.to_string()),
                    text: format!("{error}{}", self.start_the_embedded(&error)),
                })?;
        let causes = tried.iter().map(|(_address, cause)| cause.to_string());
        Ok((observed, causes.collect()))
    }

    /// What to do where nothing listens at the address of the embedded primary: no other program
    /// is to be looked for there.
    fn start_the_embedded(&self, error: &ObserveError) -> String {
        let silent = |cause: &Cause| {
            matches!(
                cause,
                Cause::Exchange(ExchangeError::Connect { .. } | ExchangeError::Udp(_))
            )
        };
        error
            .tried
            .iter()
            .find(|(address, cause)| self.embedded.contains(address) && silent(cause))
            .map_or_else(String::new, |(address, _cause)| {
                format!("; {address} is the embedded primary: start `srvkeeper run`, which has it")
            })
    }

    /// The connections to all of a zone's servers, or to the addresses of its primary, in the order
    /// to be tried: the one that the zone stays with comes first.
    pub async fn all_of(
        &self,
        zone: &Zone,
        resolver: &Resolver,
        home: Option<&Home>,
    ) -> Result<Vec<Connection>, ZoneError> {
        let stays = home.map(|home| home.server);
        let mut connections: Vec<Connection> = if zone.servers.is_empty() {
            // Boxed, so that a zone with servers has no room for the resolver.
            Box::pin(self.found(zone, resolver, stays)).await?
        } else {
            self.configured(zone)
                .map(|server| self.open(server.address, server.key.as_deref()))
                .collect::<Result<_, _>>()?
        };
        // A stable sort: the others keep their order.
        connections.sort_by_key(|found| Some(found.exchange.server()) != stays);
        Ok(connections)
    }

    async fn found(
        &self,
        zone: &Zone,
        resolver: &Resolver,
        stays: Option<SocketAddr>,
    ) -> Result<Vec<Connection>, ZoneError> {
        let addresses = self
            .primaries
            .of(&zone.owner, resolver, stays)
            .await
            .map_err(|error| ZoneError {
                server: None,
                text: format!("the primary of {} was not found: {error}", zone.owner),
            })?;
        addresses
            .iter()
            .map(|address| self.open(*address, zone.key.as_deref()))
            .collect()
    }

    /// The connection to the server that a zone was read from earlier, signing as for that zone.
    ///
    /// `None`: the zone names servers, and none of them is at this address any more.
    pub fn of(&self, zone: &Zone, address: SocketAddr) -> Result<Option<Connection>, ZoneError> {
        let key = if zone.servers.is_empty() {
            zone.key.as_deref()
        } else {
            match self
                .configured(zone)
                .find(|server| server.address == address)
            {
                Some(server) => server.key.as_deref(),
                None => return Ok(None),
            }
        };
        self.open(address, key).map(Some)
    }

    /// The connection to a server that is only read, unsigned, such as a zone's secondary.
    pub fn unsigned(&self, address: SocketAddr) -> Connection {
        self.keep(address, None, || Connection {
            key: None,
            overhead: 0,
            exchange: Exchange::new(address, None, Settings::default()),
        })
    }

    /// The addresses of the zone's servers in the configuration, in the order to be tried.
    pub fn configured_addresses(&self, zone: &Zone) -> impl Iterator<Item = SocketAddr> {
        self.configured(zone).map(|server| server.address)
    }

    /// The zone's servers in the configuration, in the order to be tried.
    fn configured(&self, zone: &Zone) -> impl Iterator<Item = &Server> {
        zone.servers
            .iter()
            .filter_map(|&index| self.servers.get(index))
    }

    fn open(&self, address: SocketAddr, key: Option<&str>) -> Result<Connection, ZoneError> {
        let Some(name) = key else {
            return Ok(self.unsigned(address));
        };
        let signing = self.keys.get(name).ok_or_else(|| ZoneError {
            server: Some(address.to_string()),
            text: format!("key {name}: is not configured"),
        })?;
        Ok(self.keep(address, key, || signing.clone().connect(address, name)))
    }

    /// The connection kept for this address and key, made where there is none.
    fn keep(
        &self,
        address: SocketAddr,
        key: Option<&str>,
        make: impl FnOnce() -> Connection,
    ) -> Connection {
        let mut open = self.open.lock().unwrap_or_else(PoisonError::into_inner);
        let endpoint = (address, key.map(str::to_owned));
        open.entry(endpoint).or_insert_with(make).clone()
    }
}

#[cfg(test)]
mod tests;
