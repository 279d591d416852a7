//! Intents that a crash left open are settled by reading DNS.

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tracing::warn;

use crate::apply::{Expectation, judge_settled};
use crate::config::Config;
use crate::exit::chain;
use crate::model::{Outcome, OutcomeKind, Zone};
use crate::observe::observe;
use crate::store::{OpenIntent, RunLock, Store, StoreError};

use super::{Connections, ZONES_AT_ONCE};

/// Closes the open intents of the given zones (indexes), and of zones that are configured no more,
/// where the zone can be read; the others stay open for the next start.
///
/// Under the run lock no other process has an update under way, so that an open intent of a zone
/// that this one does not write either is one that a crash left.
/// Zones are read side by side: after a crash in the middle of many, a dead server costs one
/// time-out, not one for each.
pub async fn settle(
    config: &Config,
    connections: &Connections,
    store: &Store,
    _lock: &RunLock,
    zones: &[usize],
) -> Result<(), StoreError> {
    let mut outcomes = stream::iter(open_intents(config, store, zones).await?)
        .map(|open| async move {
            let outcome = outcome_of(config, connections, &open).await;
            (open, outcome)
        })
        .buffer_unordered(ZONES_AT_ONCE);
    while let Some((open, outcome)) = outcomes.next().await {
        let Some(outcome) = outcome else { continue };
        warn!(zone = %open.intent.zone, outcome = %outcome.kind, "settled what an earlier run left open: {}", outcome.text);
        store.outcome(open.id, Timestamp::now(), outcome).await?;
    }
    Ok(())
}

/// True when [`settle`] would find something to close in these zones.
pub async fn has_open_intents(
    config: &Config,
    store: &Store,
    zones: &[usize],
) -> Result<bool, StoreError> {
    Ok(!open_intents(config, store, zones).await?.is_empty())
}

/// Those of these zones, and of zones that are configured no more.
async fn open_intents(
    config: &Config,
    store: &Store,
    zones: &[usize],
) -> Result<Vec<OpenIntent>, StoreError> {
    let mut open = store.open_intents().await?;
    open.retain(|open| position(config, open).is_none_or(|index| zones.contains(&index)));
    Ok(open)
}

async fn outcome_of(
    config: &Config,
    connections: &Connections,
    open: &OpenIntent,
) -> Option<Outcome> {
    let intent = &open.intent;
    let gone = |text: &str| {
        Some(Outcome {
            kind: OutcomeKind::Unknown,
            text: format!("the process ended before the outcome was stored, and {text}"),
            rcode: None,
            serial: None,
        })
    };
    let Some(zone) = position(config, open).and_then(|index| config.zones.get(index)) else {
        return gone("the zone is no longer configured");
    };
    let connection = match connections.of(zone, intent.server) {
        Ok(Some(connection)) => connection,
        Ok(None) => return gone("its server is no longer configured"),
        Err(error) => {
            warn_unsettled(zone, &error);
            return None;
        }
    };
    match observe(&connection.exchange, zone).await {
        Ok(observed) => Some(judge_settled(
            &Expectation {
                server: intent.server,
                owner: &intent.owner,
                before: &intent.before,
                before_ttl: intent.before_ttl,
                after: &intent.after,
                after_ttl: intent.after_ttl,
                any_ttl: false,
            },
            &observed,
        )),
        Err(error) => {
            warn_unsettled(zone, &error);
            None
        }
    }
}

fn warn_unsettled(zone: &Zone, error: &dyn std::error::Error) {
    warn!(zone = %zone.name, "an earlier run's update cannot be settled yet: {}", chain(error));
}

/// The zone's index in the configuration.
fn position(config: &Config, open: &OpenIntent) -> Option<usize> {
    config
        .zones
        .iter()
        .position(|zone| zone.name == open.intent.zone && zone.owner == open.intent.owner)
}
