//! What a run stands on, and what it gives back: shared by everything that plans or applies.

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::config::Config;
use crate::health::forced;
use crate::model::{Memory, Name, Override, State, Verdicts};
use crate::plan::{Plan, PlannedHost};
use crate::store::{RunLock, Store, StoreError};

use super::{Connections, Work, ZoneReport, settle};

/// How long a command waits for the run before it to end.
pub const PATIENCE: Duration = Duration::from_secs(10);

/// What earlier runs and operators left for this one.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Recalled {
    /// What the guards must know.
    pub memory: Arc<Memory>,
    /// The overrides that hold.
    pub overrides: Vec<Override>,
}

impl Recalled {
    /// True when a plan of these zones (indexes) would be no other with what `later` recalls.
    ///
    /// When hosts were last seen up is left out: it decides only of hosts that are long gone.
    pub fn says_the_same(&self, later: &Self, config: &Config, zones: &[usize]) -> bool {
        let zones = || zones.iter().filter_map(|&zone| config.zones.get(zone));
        self.overrides == later.overrides
            && zones().all(|zone| {
                let (before, after) = (&self.memory, &later.memory);
                let home = |memory: &Memory| memory.home(&zone.owner).map(|home| home.server);
                home(before) == home(after)
                    && before.removals(&zone.name) == after.removals(&zone.name)
                    && before.contests(&zone.owner) == after.contests(&zone.owner)
            })
    }

    /// The verdicts of the probes with the overrides above them, as of now.
    pub fn verdicts(&self, config: &Config, probed: Verdicts) -> Verdicts {
        forced(&config.hosts, probed, &self.overrides, Timestamp::now())
    }
}

/// Takes the run lock, waiting at most so long for it, and settles what an earlier run left open in
/// any zone.
///
/// Nothing may be planned for writing before.
pub async fn begin(
    config: &Config,
    connections: &Connections,
    store: &Store,
    wait: Duration,
) -> Result<RunLock, StoreError> {
    let lock = store.lock_run(wait).await?;
    let zones: Vec<usize> = (0..config.zones.len()).collect();
    settle(config, connections, store, &lock, &zones).await?;
    Ok(lock)
}

/// Stores which hosts answered, and recalls what a plan depends on.
///
/// `probed` are the verdicts of the probes, no override applied.
pub async fn recall(
    config: &Config,
    store: &Store,
    probed: &Verdicts,
) -> Result<Recalled, StoreError> {
    note_up(config, store, probed).await?;
    recall_noted(config, store).await
}

/// Stores which hosts answered; `probed` are the verdicts of the probes, no override applied.
pub async fn note_up(config: &Config, store: &Store, probed: &Verdicts) -> Result<(), StoreError> {
    store
        .seen_up(seen_up(config, probed), Timestamp::now())
        .await
}

/// Recalls what a plan depends on, where others note which hosts answer.
pub async fn recall_noted(config: &Config, store: &Store) -> Result<Recalled, StoreError> {
    Ok(Recalled {
        memory: store.memory(interval_begin(config)).await?,
        overrides: store.overrides(Timestamp::now()).await?,
    })
}

/// The same where nothing is written: nothing where no store is.
pub fn read(config: &Config) -> Result<Recalled, StoreError> {
    let state_dir = &config.daemon.state_dir;
    Ok(Recalled {
        memory: Arc::new(Store::read_memory(state_dir, interval_begin(config))?),
        overrides: Store::read_overrides(state_dir, Timestamp::now())?,
    })
}

/// The start of the interval over which removals count.
pub fn interval_begin(config: &Config) -> Timestamp {
    Timestamp::now()
        .checked_sub(config.daemon.interval)
        .unwrap_or(Timestamp::MIN)
}

/// Work for every zone (indexes), nothing planned yet.
pub fn work(zones: &[usize]) -> Vec<Work> {
    zones
        .iter()
        .map(|&zone| Work {
            zone,
            planned: None,
        })
        .collect()
}

/// The plan over all zones, as people and programs see it.
pub fn assemble(config: &Config, verdicts: &Verdicts, reports: Vec<ZoneReport>) -> Plan {
    Plan {
        created: Timestamp::now(),
        hosts: config
            .hosts
            .iter()
            .zip(&verdicts.hosts)
            .map(|(host, verdict)| PlannedHost {
                name: host.name().clone(),
                verdict: verdict.clone(),
            })
            .collect(),
        zones: reports.into_iter().map(ZoneReport::into_result).collect(),
    }
}

/// The hosts that answered.
fn seen_up(config: &Config, verdicts: &Verdicts) -> Vec<Name> {
    config
        .hosts
        .iter()
        .zip(&verdicts.hosts)
        .filter(|(_host, verdict)| verdict.probed && verdict.state == State::Up)
        .map(|(host, _verdict)| host.name().clone())
        .collect()
}
