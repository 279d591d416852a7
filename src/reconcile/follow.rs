//! After a zone was written: its other servers, until they publish the same.

use std::collections::BTreeSet;
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::future::join_all;
use futures_util::stream::{self, StreamExt};
use tokio::time::{Instant, sleep, timeout_at};

use crate::config::Config;
use crate::model::{CopyState, Name, Observed, Published, ServerCopy, Zone, ZoneCopies};
use crate::observe::{listening, name_servers_and_addresses, observe};
use crate::plan::ZonePlan;

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

/// Reads the other servers of each zone that was written, and its name servers, until they publish
/// the same as the one that was written, or until `patience` ends.
///
/// One that cannot be read is not asked again. Zones without another server are left out. An
/// interruption ends it; what was read by then is told.
pub async fn follow(
    ground: FollowGround<'_>,
    reports: &[ZoneReport],
    patience: Duration,
) -> Vec<ZoneCopies> {
    let deadline = Instant::now() + patience;
    stream::iter(reports)
        .map(|report| follow_zone(ground, report, deadline))
        .buffered(ZONES_AT_ONCE)
        .filter_map(std::future::ready)
        .collect()
        .await
}

async fn follow_zone(
    ground: FollowGround<'_>,
    report: &ZoneReport,
    deadline: Instant,
) -> Option<ZoneCopies> {
    let plan = report.plan.as_ref().ok()?;
    let zone = ground.config.zones.get(report.index)?;
    if !report.was_applied() {
        return None;
    }
    let places = timeout_at(deadline, places(ground, zone, plan)).await;
    let places = places.unwrap_or_else(|_elapsed| {
        Err("its name servers were not looked up in the time there was".to_owned())
    });
    let copies = match places {
        Ok(places) if places.is_empty() => return None,
        Ok(places) => {
            let written = Published {
                ttl: plan.after_ttl,
                records: plan.after.clone(),
            };
            let looking = places
                .into_iter()
                .map(|place| follow_copy(ground, zone, &written, place, deadline));
            Ok(join_all(looking).await.into_iter().flatten().collect())
        }
        Err(error) => Err(error),
    };
    Some(ZoneCopies {
        zone: report.zone.clone(),
        copies,
    })
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
    plan: &ZonePlan,
) -> Result<Vec<Place>, String> {
    let written = plan.observed.server;
    let Ok(Some(connection)) = ground.connections.of(zone, written) else {
        return Ok(Vec::new());
    };
    let (exchange, update_zone) = (&connection.exchange, &plan.observed.update_zone);
    let resolver = ground.surroundings.resolver;
    let names = name_servers_and_addresses(exchange, update_zone)
        .await
        .map_err(|cause| format!("its name servers are not known: {cause}"))?;
    let looking = names.into_iter().map(async |(name, known)| {
        let addresses = listening(exchange, update_zone, &name, known, resolver).await;
        (name, addresses)
    });
    let mut seen = BTreeSet::from([written.ip()]);
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
    deadline: Instant,
) -> Option<ServerCopy> {
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
        if !differs || Instant::now() + LOOK_EVERY > deadline {
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
