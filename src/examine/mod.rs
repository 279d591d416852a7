//! What `doctor` looks at: servers, hosts and zones → evidence. Nothing here changes DNS.
//!
//! Servers come first, each once however many zones it has, so that a dead one costs one time-out
//! and its zones none. Then the zones, side by side; what is wrong with one stops no other. Their
//! name servers are looked up and connected to once, too.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod name_servers;
mod preflight;
mod problems;
mod servers;
mod targets;
mod zones;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;

use crate::config::Config;
use crate::diagnose::{
    Evidence, KeyIdentity, KeyWord, PreflightAnswer, ServerEvidence, ZoneEvidence,
};
use crate::model::Memory;
use crate::reconcile::{Connections, Event, Stage, Surroundings, ZONES_AT_ONCE};
use name_servers::Neighbours;
use servers::Servers;

/// Whether the right to change RRsets is asked for, which takes an update that changes nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Rights {
    /// It is asked for.
    Ask,
    /// Nothing but questions is sent.
    Leave,
}

/// Looks at these zones (indexes), their servers and their hosts; `None`: interrupted.
///
/// The one thing that is sent beside questions is an update that changes nothing, under the whole
/// RRset as its prerequisite; and that only with [`Rights::Ask`].
pub async fn examine(
    config: &Config,
    zones: &[usize],
    connections: &Connections,
    memory: &Memory,
    surroundings: Surroundings<'_>,
    rights: Rights,
) -> Option<Evidence> {
    let work = look(config, zones, connections, memory, surroundings, rights);
    surroundings.interrupt.unless_raised(work).await
}

async fn look(
    config: &Config,
    zones: &[usize],
    connections: &Connections,
    memory: &Memory,
    surroundings: Surroundings<'_>,
    rights: Rights,
) -> Evidence {
    let Surroundings {
        resolver, progress, ..
    } = surroundings;
    progress.tell(Event::Begin(Stage::Examine, zones.len()));
    let zones: Vec<_> = zones
        .iter()
        .filter_map(|&zone| config.zones.get(zone))
        .collect();
    let found: Vec<_> = stream::iter(&zones)
        .map(|zone| connections.all_of(zone, resolver, memory.home(&zone.owner)))
        .buffered(ZONES_AT_ONCE)
        .collect()
        .await;
    let mut servers = Servers::default();
    let places: Vec<Result<Vec<usize>, String>> = zones
        .iter()
        .zip(found)
        .map(|(zone, found)| {
            let found = found.map_err(|error| error.text)?;
            Ok(found
                .into_iter()
                .map(|connection| servers.index(connection, &zone.owner))
                .collect())
        })
        .collect();
    let looked = servers.look(config).await;

    let neighbours = Neighbours::new(resolver);
    let context = zones::Context {
        servers: &looked,
        neighbours: &neighbours,
        memory,
        rights,
    };
    let looks = zones.iter().zip(places).map(|(zone, place)| {
        let look = zones::look(zone, place, context);
        async {
            let seen = look.await;
            let failed = seen.first().is_none();
            progress.tell(Event::Done { failed });
            seen
        }
    });
    let seen: Vec<ZoneEvidence> = stream::iter(looks).buffered(ZONES_AT_ONCE).collect().await;
    let targets = targets::look(config, &zones, &seen, resolver).await;
    progress.tell(Event::End);
    let mut servers: Vec<ServerEvidence> =
        looked.into_iter().map(|server| server.evidence).collect();
    tell_negotiated(&mut servers, &seen);
    Evidence {
        now: Timestamp::now(),
        servers,
        targets,
        zones: seen,
    }
}

/// A key that is negotiated shows itself in updates only: what those of all zones say of it.
fn tell_negotiated(servers: &mut [ServerEvidence], zones: &[ZoneEvidence]) {
    let readings = zones
        .iter()
        .flat_map(|zone| zone.readings.as_deref().unwrap_or_default());
    for reading in readings {
        let (Some(server), Some(preflight)) = (servers.get_mut(reading.server), &reading.preflight)
        else {
            continue;
        };
        if !matches!(server.key, KeyIdentity::Gss { .. }) || server.key_word == KeyWord::Accepted {
            continue;
        }
        match &preflight.answer {
            // It was sent, so there is a context.
            PreflightAnswer::Rcode(_) => server.key_word = KeyWord::Accepted,
            PreflightAnswer::Key(problem) if server.key_word == KeyWord::NotAsked => {
                server.key_word = KeyWord::Rejected(problem.clone());
            }
            PreflightAnswer::Key(_) | PreflightAnswer::Silent(_) => {}
        }
    }
}
