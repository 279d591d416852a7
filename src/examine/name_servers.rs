//! The name servers that clients ask, each looked up and connected to once, however many zones it
//! serves.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError};

use futures_util::future::join_all;
use hickory_proto::rr::RecordType;
use tokio::sync::OnceCell;

use crate::diagnose::{CopyEvidence, CopyState, Delegation};
use crate::dns::exchange::{Exchange, Settings};
use crate::dns::resolve::Resolver;
use crate::model::Name;
use crate::observe::{self, Cause};
use crate::wire::answer;
use crate::wire::query::query;

/// Where a name server listens, or why nobody knows.
type Places = Result<Vec<SocketAddr>, String>;

/// Name servers that were met.
pub(super) struct Neighbours<'a> {
    resolver: &'a Resolver,
    places: Mutex<BTreeMap<Name, Arc<OnceCell<Places>>>>,
    met: Mutex<BTreeMap<SocketAddr, Arc<Neighbour>>>,
}

/// One name server, asked without a key.
struct Neighbour {
    exchange: Exchange,
    /// Whether it answers at all, found out by whoever asks it first.
    answers: OnceCell<Result<(), CopyState>>,
}

impl<'a> Neighbours<'a> {
    pub(super) fn new(resolver: &'a Resolver) -> Self {
        Self {
            resolver,
            places: Mutex::default(),
            met: Mutex::default(),
        }
    }

    /// Where the name server of this name listens.
    pub(super) async fn places(&self, name: &Name) -> Places {
        let cell = {
            let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(places.entry(name.clone()).or_default())
        };
        cell.get_or_init(async || {
            let found = self.resolver.name_server(name).await;
            found.map_err(|error| error.to_string())
        })
        .await
        .clone()
    }

    /// The zone's serial at the first of these that answers for it.
    pub(super) async fn serial(&self, addresses: &[SocketAddr], zone: &Name) -> Option<u32> {
        for address in addresses {
            let Ok(exchange) = self.meet(*address, zone).await else {
                continue;
            };
            let answer = exchange.read(query(zone, RecordType::SOA)).await;
            let soa = answer
                .ok()
                .and_then(|octets| answer::soa(&octets, zone).ok());
            if let Some(soa) = soa.filter(|soa| soa.zone == *zone) {
                return Some(soa.serial);
            }
        }
        None
    }

    /// The copies of the RRset that the zone's name servers have, each of their addresses for itself.
    ///
    /// `exchange` is with a server of the zone, which knows best where a name in the zone listens:
    /// so does whoever follows an update, also where this machine resolves through another view.
    pub(super) async fn copies(
        &self,
        exchange: &Exchange,
        zone: &Name,
        owner: &Name,
    ) -> Result<Vec<CopyEvidence>, Cause> {
        let servers = observe::name_servers_and_addresses(exchange, zone).await?;
        let copies = servers.into_iter().map(async |(name, known)| {
            let places = if name.is_within(zone) {
                let own = observe::own_addresses(exchange, &name, known).await;
                own.map(|addresses| self.resolver.at_port(addresses))
                    .map_err(|cause| cause.to_string())
            } else {
                self.places(&name).await
            };
            self.copies_at(&name, places, owner).await
        });
        Ok(join_all(copies).await.concat())
    }

    async fn copies_at(&self, name: &Name, places: Places, owner: &Name) -> Vec<CopyEvidence> {
        let alone = |state| {
            vec![CopyEvidence {
                name: name.clone(),
                address: None,
                state,
            }]
        };
        let addresses = match places {
            Ok(addresses) if addresses.is_empty() => return alone(CopyState::NoAddress),
            Ok(addresses) => addresses,
            Err(why) => return alone(CopyState::NotResolved(why)),
        };
        let copies = addresses.into_iter().map(async |address| CopyEvidence {
            name: name.clone(),
            address: Some(address),
            state: self.copy(address, owner).await,
        });
        join_all(copies).await
    }

    async fn copy(&self, address: SocketAddr, owner: &Name) -> CopyState {
        let exchange = match self.meet(address, owner).await {
            Ok(exchange) => exchange,
            Err(state) => return state,
        };
        match observe::copy(&exchange, owner).await {
            Ok(observed) => CopyState::Read(observed),
            Err(cause) => CopyState::NotRead(cause.to_string()),
        }
    }

    /// The exchange with a name server that answers.
    async fn meet(&self, address: SocketAddr, name: &Name) -> Result<Exchange, CopyState> {
        let neighbour = {
            let mut met = self.met.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(met.entry(address).or_insert_with(|| {
                Arc::new(Neighbour {
                    exchange: Exchange::new(address, None, Settings::default()),
                    answers: OnceCell::new(),
                })
            }))
        };
        let answers = neighbour.answers.get_or_init(async || {
            if !neighbour.exchange.has_route().await {
                return Err(CopyState::NoRoute);
            }
            let answer = neighbour.exchange.read(query(name, RecordType::SOA)).await;
            let answer = answer.map(drop);
            answer.map_err(|error| CopyState::NotRead(error.to_string()))
        });
        answers.await.clone()?;
        Ok(neighbour.exchange.clone())
    }

    /// What the parent of `zone` says of it, and what the servers that it names have.
    pub(super) async fn delegation(&self, zone: &Name, owner: &Name) -> Delegation {
        let told = self.ask_parent(zone).await;
        let names = told.as_ref().map_or(&[][..], |(_address, names)| names);
        // The parent's clients know nothing but what they resolve.
        let copies = names.iter().map(async |name| {
            let places = self.places(name).await;
            self.copies_at(name, places, owner).await
        });
        Delegation {
            zone: zone.clone(),
            copies: join_all(copies).await.concat(),
            told,
        }
    }

    /// The first of the parent's servers that answers, and the name servers that it gives.
    async fn ask_parent(&self, zone: &Name) -> Result<(SocketAddr, Vec<Name>), String> {
        let above = zone.parent().ok_or("the root has no parent")?;
        let start = self.resolver.start_of(&above).await;
        let parent = start.map_err(|error| error.to_string())?.zone;
        let names = self.resolver.name_servers(&parent).await;
        let names = names.map_err(|error| error.to_string())?;
        let mut last = format!("the name servers in /etc/resolv.conf know no NS of {parent}");
        for name in &names {
            let addresses = match self.places(name).await {
                Ok(addresses) => addresses,
                Err(why) => {
                    last = why;
                    continue;
                }
            };
            for address in addresses {
                match self.ask_delegation(address, zone).await {
                    Ok(names) => return Ok((address, names)),
                    Err(why) => last = format!("{name} ({address}): {why}"),
                }
            }
        }
        Err(last)
    }

    async fn ask_delegation(&self, address: SocketAddr, zone: &Name) -> Result<Vec<Name>, String> {
        let exchange = match self.meet(address, zone).await {
            Ok(exchange) => exchange,
            Err(CopyState::NotRead(why)) => return Err(why),
            Err(_) => return Err("this machine has no route to it".to_owned()),
        };
        let answer = exchange.read(query(zone, RecordType::NS)).await;
        let octets = answer.map_err(|error| error.to_string())?;
        answer::delegation(&octets, zone).map_err(|error| error.to_string())
    }
}
