//! One zone: its RRset at each of its servers, the right to change it, and the copies of it.

use futures_util::future::join_all;
use hickory_proto::rr::RecordType;
use jiff::Timestamp;

use super::name_servers::Neighbours;
use super::servers::Looked;
use super::{Rights, preflight, problems};
use crate::diagnose::{Reading, Start, ZoneEvidence, first_read};
use crate::model::{Memory, Name, Observed, Srv, Zone};
use crate::observe;
use crate::plan::{check_home, contested_now, may_take_over};
use crate::reconcile::Connection;
use crate::wire::answer;
use crate::wire::query::query;

/// What zones are looked at with.
#[derive(Clone, Copy)]
pub(super) struct Context<'a> {
    pub(super) servers: &'a [Looked],
    pub(super) neighbours: &'a Neighbours<'a>,
    pub(super) memory: &'a Memory,
    pub(super) rights: Rights,
}

/// Looks at a zone, whose servers are those at `places`, or unknown for a reason.
pub(super) async fn look(
    zone: &Zone,
    places: Result<Vec<usize>, String>,
    context: Context<'_>,
) -> ZoneEvidence {
    let mut evidence = ZoneEvidence {
        name: zone.name.clone(),
        owner: zone.owner.clone(),
        ttl: zone.ttl,
        publisher: zone.policy.publisher,
        changes: zone.policy.changes,
        refreshes: zone.policy.refresh.is_some(),
        readings: Ok(Vec::new()),
        apart_from_home: None,
        copies: None,
        delegation: None,
        contested: contested_now(context.memory.contests(&zone.owner), Timestamp::now()),
    };
    let places = match places {
        Ok(places) => places,
        Err(why) => {
            evidence.readings = Err(why);
            return evidence;
        }
    };
    // The server that the zone stays with comes first, where it still is one of its servers.
    let first_place = places.first().copied();
    // Updates go over TCP, and one that is dropped there would cost each zone a time-out.
    let reachable = places.into_iter().filter_map(|index| {
        let server = context.servers.get(index)?;
        server.evidence.tcp.is_ok().then_some((index, server))
    });
    let readings = reachable.map(|(index, server)| read(zone, index, &server.connection, context));
    let mut readings = join_all(readings).await;
    if context.rights == Rights::Ask {
        ask_rights(zone, &mut readings, context).await;
    }
    let first = first_read(&readings);
    let first = first
        .and_then(|(reading, observed)| Some((context.servers.get(reading.server)?, observed)));
    if let Some((server, observed)) = first {
        evidence.apart_from_home = apart_from_home(zone, first_place, &readings, observed, context);
        let exchange = &server.connection.exchange;
        let neighbours = context.neighbours;
        let copies = async {
            let update_zone = &observed.update_zone;
            let copies = neighbours.copies(exchange, update_zone, &zone.owner).await;
            copies.map_err(|cause| cause.to_string())
        };
        let delegation = async {
            if !is_cut_below(&observed.update_zone, &zone.name) {
                return None;
            }
            let update_zone = &observed.update_zone;
            Some(neighbours.delegation(update_zone, &zone.owner).await)
        };
        let (copies, delegation) = tokio::join!(copies, delegation);
        evidence.copies = Some(copies);
        evidence.delegation = delegation;
    }
    evidence.readings = Ok(readings);
    evidence
}

/// Why nothing is planned on what was read: another server was written last, which cannot be read.
fn apart_from_home(
    zone: &Zone,
    first_place: Option<usize>,
    readings: &[Reading],
    observed: &Observed,
    context: Context<'_>,
) -> Option<String> {
    let place = first_place?;
    let server = context.servers.get(place)?;
    let home = context.memory.home(&zone.owner)?;
    if home.server != server.evidence.address {
        return None;
    }
    let reading = readings.iter().find(|reading| reading.server == place);
    let problem = reading.and_then(|reading| reading.observed.as_ref().err());
    let why_not = problem.map(|problem| &problem.text);
    let why_not = why_not.or(server.evidence.tcp.as_ref().err());
    let why_not = why_not.map_or("", String::as_str);
    let checked = check_home(zone, home, observed, why_not);
    checked.err().map(|error| error.text)
}

/// True when the zone to update is delegated away from the clients' suffix.
fn is_cut_below(update_zone: &Name, suffix: &Name) -> bool {
    update_zone != suffix && update_zone.is_within(suffix)
}

/// The records that updates of the zone would be planned on.
pub(super) fn published(zone: &ZoneEvidence) -> impl Iterator<Item = &Srv> {
    let first = zone.first().into_iter();
    first.flat_map(|(_reading, observed)| &observed.records)
}

/// Asks for the right at the server that updates go to, the first that can be read, and at those
/// that publish the very same: on another one even a record that is there already would be written
/// again, and could undo what has not arrived there yet.
async fn ask_rights(zone: &Zone, readings: &mut [Reading], context: Context<'_>) {
    let first = first_read(readings).map(|(_reading, observed)| observed.clone());
    for reading in readings {
        let (Ok(observed), Some(first)) = (&reading.observed, &first) else {
            continue;
        };
        let is_first = observed.server == first.server;
        let Some(server) = context.servers.get(reading.server) else {
            continue;
        };
        if is_first || may_take_over(first, observed) {
            let asked = preflight::ask(&server.connection, &zone.owner, observed);
            reading.preflight = Some(asked.await);
        }
    }
}

async fn read(
    zone: &Zone,
    server: usize,
    connection: &Connection,
    context: Context<'_>,
) -> Reading {
    let observed = match observe::copy(&connection.exchange, &zone.owner).await {
        Ok(observed) => observed,
        Err(cause) => {
            return Reading {
                server,
                observed: Err(problems::of_read(&cause)),
                start: None,
                preflight: None,
            };
        }
    };
    let start = start(connection, &observed, context).await;
    Reading {
        server,
        observed: Ok(observed),
        start,
        preflight: None,
    }
}

/// The zone's SOA, and what the primary that it names says.
async fn start(
    connection: &Connection,
    observed: &Observed,
    context: Context<'_>,
) -> Option<Start> {
    let zone = &observed.update_zone;
    let question = query(zone, RecordType::SOA);
    let octets = connection.exchange.read(question).await.ok()?;
    let soa = answer::soa(&octets, zone).ok()?;
    let addresses = context.neighbours.places(&soa.mname).await;
    let serial_there = match &addresses {
        Ok(addresses) if !addresses.contains(&observed.server) => {
            context.neighbours.serial(addresses, zone).await
        }
        _ => None,
    };
    Some(Start {
        mname: soa.mname,
        addresses,
        serial_there,
        refresh: soa.timers.refresh,
        expire: soa.timers.expire,
        negative_ttl: soa.timers.negative_ttl,
    })
}
