//! One zone's records of hosts that are up, added again as they are.

use std::collections::BTreeMap;

use jiff::Timestamp;
use tracing::debug;

use crate::apply;
use crate::config::Config;
use crate::exit::chain;
use crate::model::{Name, Outcome, OutcomeKind, Zone};
use crate::plan::{self, RefreshTimes, ZoneError, ZonePlan, refreshable};
use crate::store::{RunLock, Store};

use super::Context;

/// What a refresh did; the RRset is the same in any case.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Refreshed {
    /// So many records were added again, and the RRset was read back as before.
    Added(usize),
    /// No record of a host that is up is published there.
    Nothing,
    /// The RRset changed between reading and adding, so that nothing was added.
    Conflict,
}

/// Adds a zone's records of hosts that are up again, under the prerequisite that the RRset is as
/// read, and reads back.
///
/// `zone` is an index into the configured zones. The attempt is noted in the store before anything
/// is sent, so that one zone in trouble holds up no other, and nothing is sent where nothing can be
/// stored; there is no row of history, since nothing changes. Whether it is time for it, and whether
/// the zone is to be refreshed at all, is for [`next_refresh`] to say.
pub async fn refresh_zone(
    context: Context<'_>,
    zone: usize,
    store: &Store,
    _lock: &RunLock,
) -> Result<Refreshed, ZoneError> {
    let Some(zone) = context.config.zones.get(zone) else {
        return Ok(Refreshed::Nothing);
    };
    store
        .refreshed(zone.owner.clone(), Timestamp::now())
        .await
        .map_err(|error| ZoneError {
            server: None,
            text: format!(
                "the records were not refreshed, since that could not be stored: {}",
                chain(&error)
            ),
        })?;
    let result = refresh(context, zone).await;
    debug!(zone = %zone.name, ?result, "refreshed");
    result
}

async fn refresh(context: Context<'_>, zone: &Zone) -> Result<Refreshed, ZoneError> {
    let surroundings = context.surroundings;
    let observed = surroundings
        .interrupt
        .unless_raised(context.connections.observe(
            zone,
            surroundings.resolver,
            context.memory.home(&zone.owner),
        ))
        .await
        .unwrap_or_else(|| Err(ZoneError::interrupted()))?;
    let records = refreshable(zone, &context.config.hosts, &observed, context.verdicts);
    if records.is_empty() {
        return Ok(Refreshed::Nothing);
    }
    let server = observed.server;
    let failed = |outcome: Outcome| ZoneError {
        server: Some(server.to_string()),
        text: format!("the records were not refreshed: {}", outcome.text),
    };
    let Some(connection) = context.connections.of(zone, server)? else {
        return Ok(Refreshed::Nothing);
    };
    let message =
        apply::encode_refresh(zone, &observed, &records, connection.overhead()).map_err(failed)?;
    let unchanged = ZonePlan::from_changes(zone, &[], observed, Vec::new());
    let outcome = apply::send_refresh(&connection.exchange, zone, &unchanged, message).await;
    match outcome.kind {
        OutcomeKind::Applied => Ok(Refreshed::Added(records.len())),
        OutcomeKind::Stale => Ok(Refreshed::Conflict),
        OutcomeKind::Refused | OutcomeKind::Failed | OutcomeKind::Unknown => Err(failed(outcome)),
    }
}

/// Which configured zone (index) is to be refreshed next, and when, which may have passed; `None`:
/// none has `refresh`.
///
/// `refreshes` is what [`Store::refreshes`] says, `since` when the daemon began.
pub fn next_refresh(
    config: &Config,
    refreshes: &[(Name, Timestamp)],
    since: Timestamp,
    now: Timestamp,
) -> Option<(usize, Timestamp)> {
    let last: BTreeMap<&Name, Timestamp> =
        refreshes.iter().map(|(owner, at)| (owner, *at)).collect();
    let zones = config.zones.iter().enumerate();
    let (indexes, times): (Vec<usize>, Vec<RefreshTimes<'_>>) = zones
        .filter_map(|(index, zone)| {
            let times = RefreshTimes {
                owner: &zone.owner,
                every: zone.policy.refresh?,
                last: last.get(&zone.owner).copied(),
            };
            Some((index, times))
        })
        .unzip();
    let (place, at) = plan::next_refresh(times, since, now)?;
    Some((*indexes.get(place)?, at))
}
