//! After a zone was written: its other servers, until they publish the same.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, Stream, StreamExt};
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::Config;
use crate::model::{CopyState, Name, Observed, Published, ServerCopy, Zone, ZoneCopies};
use crate::observe::{listening, name_servers_and_addresses, observe};

use super::{Connections, Surroundings, ZONES_AT_ONCE, ZoneReport};

/// How long a command follows the other servers: time for NOTIFY and a transfer (RFC 1996), not
/// for replication that goes by a schedule.
pub const FOLLOW: Duration = Duration::from_secs(20);
/// Between two looks at a copy.
const LOOK_EVERY: Duration = Duration::from_millis(500);

/// What following stands on.
#[derive(Clone, Copy)]
pub struct FollowGround<'a> {
    /// The checked configuration.
    pub config: &'a Config,
    /// What is given from outside.
    pub surroundings: Surroundings<'a>,
    /// The servers.
    pub connections: &'a Connections,
}

/// What a zone's primary publishes, with which the zone's other servers are compared.
#[derive(Debug)]
pub struct Original {
    /// Index into the configured zones.
    index: usize,
    zone: Name,
    /// The server that was written or read.
    server: SocketAddr,
    /// The zone that its name servers serve ([`Observed::update_zone`]).
    update_zone: Name,
    published: Published,
    at: Instant,
}

impl Original {
    /// What was written just now; `None` where nothing was.
    pub fn written(report: &ZoneReport) -> Option<Self> {
        let plan = report.plan.as_ref().ok()?;
        let published = Published {
            ttl: plan.after_ttl,
            records: plan.after.clone(),
        };
        let applied = report.was_applied();
        applied.then(|| Self::of(report, &plan.observed, published))
    }

    /// What was read just now; `None` where that failed.
    pub fn read(report: &ZoneReport) -> Option<Self> {
        let observed = &report.plan.as_ref().ok()?.observed;
        Some(Self::of(report, observed, Published::of(observed)))
    }

    fn of(report: &ZoneReport, observed: &Observed, published: Published) -> Self {
        Self {
            index: report.index,
            zone: report.zone.clone(),
            server: observed.server,
            update_zone: observed.update_zone.clone(),
            published,
            at: Instant::now(),
        }
    }
}

/// When following a zone ends.
#[derive(Clone, Copy)]
struct Patience {
    deadline: Instant,
    /// Look once at each copy, and do not wait for it.
    once: bool,
}

/// Reads the other servers of each zone that was written, and its name servers, until they publish
/// the same as the one that was written, or until [`FOLLOW`] after that.
///
/// Zones may come while others are still being written. One that cannot be read is not asked again.
/// Zones without another server are left out. An interruption ends it; what was read by then is
/// told, in the order of the zones' names.
pub async fn follow(
    ground: FollowGround<'_>,
    written: impl Stream<Item = Original>,
) -> Vec<ZoneCopies> {
    follow_zones(ground, written, false).await
}

/// Looks once at the other servers of each zone, in comparison with what was read at its primary.
///
/// A zone that has no other server any more has no copies.
pub async fn look_again(ground: FollowGround<'_>, read: Vec<Original>) -> Vec<ZoneCopies> {
    follow_zones(ground, stream::iter(read), true).await
}

async fn follow_zones(
    ground: FollowGround<'_>,
    originals: impl Stream<Item = Original>,
    once: bool,
) -> Vec<ZoneCopies> {
    let mut followed: Vec<(usize, ZoneCopies)> = originals
        .map(|original| {
            let deadline = original.at + FOLLOW;
            follow_zone(ground, original, Patience { deadline, once })
        })
        .buffer_unordered(ZONES_AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await;
    followed.sort_by(|(a, one), (b, other)| (&one.zone, a).cmp(&(&other.zone, b)));
    followed
        .into_iter()
        .map(|(_index, copies)| copies)
        .collect()
}

async fn follow_zone(
    ground: FollowGround<'_>,
    original: Original,
    patience: Patience,
) -> Option<(usize, ZoneCopies)> {
    let zone = ground.config.zones.get(original.index)?;
    let places = timeout_at(patience.deadline, places(ground, zone, &original)).await;
    let places = places.unwrap_or_else(|_elapsed| {
        Err("its name servers were not looked up in the time there was".to_owned())
    });
    let copies = match places {
        Ok(places) if places.is_empty() && !patience.once => return None,
        Ok(places) => {
            let looking = places
                .into_iter()
                .map(|place| follow_copy(ground, zone, &original.published, place, patience));
            Ok(join_all(looking).await.into_iter().flatten().collect())
        }
        Err(error) => Err(error),
    };
    let copies = ZoneCopies {
        zone: original.zone,
        owner: zone.owner.clone(),
        copies,
    };
    Some((original.index, copies))
}

/// A server to look at.
struct Place {
    name: Option<Name>,
    address: Result<SocketAddr, String>,
}

/// The zone's name servers and its other configured servers, each address once.
///
/// Another port of the address that was written to is the same server.
async fn places(
    ground: FollowGround<'_>,
    zone: &Zone,
    original: &Original,
) -> Result<Vec<Place>, String> {
    let server = original.server;
    let Ok(Some(connection)) = ground.connections.of(zone, server) else {
        return Ok(Vec::new());
    };
    let (exchange, update_zone) = (&connection.exchange, &original.update_zone);
    let resolver = ground.surroundings.resolver;
    let names = name_servers_and_addresses(exchange, update_zone)
        .await
        .map_err(|cause| format!("its name servers are not known: {cause}"))?;
    let looking = names.into_iter().map(async |(name, known)| {
        let addresses = listening(exchange, update_zone, &name, known, resolver).await;
        (name, addresses)
    });
    let mut seen = BTreeSet::from([server.ip()]);
    let mut places = Vec::new();
    for (name, addresses) in join_all(looking).await {
        let place = |address| Place {
            name: Some(name.clone()),
            address,
        };
        match addresses {
            Ok(addresses) => {
                let new = addresses
                    .into_iter()
                    .filter(|address| seen.insert(address.ip()));
                places.extend(new.map(|address| place(Ok(address))));
            }
            Err(why) => places.push(place(Err(why))),
        }
    }
    let configured = ground.connections.configured_addresses(zone);
    let others = configured.filter(|address| seen.insert(address.ip()));
    places.extend(others.map(|address| Place {
        name: None,
        address: Ok(address),
    }));
    Ok(places)
}

/// `None`: interrupted before it was read.
async fn follow_copy(
    ground: FollowGround<'_>,
    zone: &Zone,
    written: &Published,
    place: Place,
    patience: Patience,
) -> Option<ServerCopy> {
    let Patience { deadline, once } = patience;
    let Place { name, address } = place;
    let is_configured = name.is_none();
    let copy = |address, state| ServerCopy {
        name,
        address,
        state,
    };
    let address = match address {
        Ok(address) => address,
        Err(text) => return Some(copy(None, CopyState::Unreadable { text })),
    };
    // A configured server may answer, or show this view, to those who sign.
    let configured = is_configured.then(|| ground.connections.of(zone, address));
    let connection = match configured {
        Some(Ok(Some(connection))) => connection,
        _ => ground.connections.unsigned(address),
    };
    let interrupt = ground.surroundings.interrupt;
    let mut state = None;
    loop {
        let looked = timeout_at(deadline, observe(&connection.exchange, zone));
        state = match interrupt.unless_raised(looked).await {
            None => break,
            Some(Ok(Ok(observed))) => Some(compare(written, &observed)),
            Some(Ok(Err(error))) => Some(CopyState::Unreadable {
                text: error.cause(),
            }),
            Some(Err(_elapsed)) => Some(CopyState::Unreadable {
                text: "no answer in the time there was".to_owned(),
            }),
        };
        let differs = matches!(state, Some(CopyState::Differs { .. }));
        if once || !differs || Instant::now() + LOOK_EVERY > deadline {
            break;
        }
        interrupt.unless_raised(sleep(LOOK_EVERY)).await;
    }
    state.map(|state| copy(Some(address), state))
}

fn compare(written: &Published, observed: &Observed) -> CopyState {
    let serial = observed.serial;
    match written.is_in(observed) {
        true => CopyState::Agrees { serial },
        false => CopyState::Differs {
            serial,
            publishes: Published::of(observed).to_string(),
        },
    }
}
