//! One walk through zones that are due together: plan, and where something is to be done, apply.

use std::collections::BTreeSet;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::schedule::{Done, Watch};
use crate::config::Config;
use crate::dns::resolve::Resolver;
use crate::exit::chain;
use crate::model::{Memory, OutcomeKind, Verdicts};
use crate::plan::{self, Guard, ZonePlan};
use crate::reconcile::{
    self, Connections, Context, Interrupt, Mode, OnConflict, PATIENCE, Quiet, Recalled,
    Surroundings, Work, Writing, ZoneReport,
};
use crate::store::{RunLock, Store, StoreError};

/// What all walks under one configuration share.
pub(super) struct Ground {
    pub(super) config: Arc<Config>,
    pub(super) connections: Connections,
    pub(super) resolver: Arc<Resolver>,
    pub(super) store: Store,
    pub(super) interrupt: Interrupt,
    lock: SharedLock,
}

impl Ground {
    pub(super) fn new(config: Arc<Config>, store: Store, interrupt: Interrupt) -> Self {
        Self {
            connections: Connections::new(&config),
            resolver: Arc::new(Resolver::system()),
            config,
            store,
            interrupt,
            lock: SharedLock::default(),
        }
    }

    pub(super) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            resolver: &self.resolver,
            progress: &Quiet,
            interrupt: &self.interrupt,
        }
    }

    /// What earlier runs and operators left; what a crash left open in these zones is settled
    /// first, where they are written to.
    async fn recall(&self, zones: &[usize], writes: bool) -> Result<Recalled, StoreError> {
        if writes && reconcile::has_open_intents(&self.config, &self.store, zones).await? {
            self.lock(zones).await?;
        }
        reconcile::recall_noted(&self.config, &self.store).await
    }

    /// The run lock, with what an earlier process left open in these zones settled.
    pub(super) async fn lock(&self, zones: &[usize]) -> Result<Arc<RunLock>, StoreError> {
        let lock = self.lock.take(&self.store).await?;
        reconcile::settle(&self.config, &self.connections, &self.store, &lock, zones).await?;
        Ok(lock)
    }
}

/// The run lock, held while at least one walk of this process writes.
///
/// Walks that write at the same time write to different zones.
#[derive(Default)]
struct SharedLock(Mutex<Weak<RunLock>>);

impl SharedLock {
    async fn take(&self, store: &Store) -> Result<Arc<RunLock>, StoreError> {
        let mut held = self.0.lock().await;
        if let Some(lock) = held.upgrade() {
            return Ok(lock);
        }
        let lock = Arc::new(store.lock_run(PATIENCE).await?);
        *held = Arc::downgrade(&lock);
        Ok(lock)
    }
}

/// Zones to walk through together.
pub(super) struct Batch {
    pub(super) ground: Arc<Ground>,
    /// Indexes.
    pub(super) zones: Vec<usize>,
    /// The verdicts of the probes, no override applied.
    pub(super) probed: Verdicts,
    /// Taken where the store cannot be read.
    pub(super) fallback: Recalled,
    /// Why these zones are planned only; `None`: they are written to.
    pub(super) withheld: Option<String>,
    /// Why these zones are due.
    pub(super) causes: BTreeSet<String>,
}

/// What became of a batch.
pub(super) struct Reconciled {
    /// The zones it was given.
    pub(super) zones: Vec<usize>,
    /// What became of each, in the order of their names.
    pub(super) reports: Vec<ZoneReport>,
    /// Who asked, as the history tells it.
    pub(super) actor: String,
    /// Why these zones were planned only.
    pub(super) withheld: Option<String>,
    /// Why the store could not be used, so that nothing was written.
    pub(super) store_failure: Option<String>,
    /// What earlier runs did.
    memory: Memory,
}

impl Batch {
    /// Plans the zones; those with changes are then planned again under the run lock, and applied.
    pub(super) async fn run(self) -> Reconciled {
        let ground = Arc::clone(&self.ground);
        let config = &*ground.config;
        let actor = actor(&self.causes);
        let writes = self.withheld.is_none();
        let (recalled, mut store_failure) = match ground.recall(&self.zones, writes).await {
            Ok(recalled) => (recalled, None),
            Err(error) => (self.fallback, Some(chain(&error))),
        };
        let verdicts = recalled.verdicts(config, self.probed.clone());
        let context = Context {
            config,
            surroundings: ground.surroundings(),
            connections: &ground.connections,
            verdicts: &verdicts,
            memory: &recalled.memory,
            allow_removals: None,
        };
        let mut reports =
            reconcile::run_once(context, reconcile::work(&self.zones), Mode::Plan).await;
        if writes && store_failure.is_none() && !ground.interrupt.is_raised() {
            if let Err(error) = note_contests(&ground, context, &reports).await {
                store_failure = Some(chain(&error));
            }
            let (pending, others): (Vec<_>, Vec<_>) = reports
                .into_iter()
                .partition(|report| report.plan.as_ref().is_ok_and(ZonePlan::is_pending));
            reports = others;
            if !pending.is_empty() {
                let made = Made {
                    probed: &self.probed,
                    recalled: &recalled,
                    pending: &pending,
                };
                match made.apply(&ground, &actor).await {
                    Ok(applied) => reports.extend(applied),
                    Err(error) => {
                        store_failure = Some(chain(&error));
                        reports.extend(pending);
                    }
                }
            }
        }
        Reconciled {
            zones: self.zones,
            reports,
            actor,
            withheld: self.withheld,
            store_failure,
            memory: recalled.memory,
        }
    }
}

/// Notes what somebody moved back in zones where nothing is left to do.
async fn note_contests(
    ground: &Ground,
    context: Context<'_>,
    reports: &[ZoneReport],
) -> Result<(), StoreError> {
    if reconcile::has_contests_to_note(context, reports) {
        let lock = ground.lock(&[]).await?;
        reconcile::note_contests(context, &ground.store, &lock, reports).await;
    }
    Ok(())
}

/// Plans that were made without the run lock.
struct Made<'a> {
    probed: &'a Verdicts,
    recalled: &'a Recalled,
    pending: &'a [ZoneReport],
}

impl Made<'_> {
    /// Applies them under the lock; made anew where another process wrote something meanwhile that
    /// they depend on. That the RRset is as planned on, each update checks itself.
    async fn apply(&self, ground: &Ground, actor: &str) -> Result<Vec<ZoneReport>, StoreError> {
        let config = &*ground.config;
        let zones: Vec<usize> = self.pending.iter().map(|report| report.index).collect();
        let lock = ground.lock(&zones).await?;
        let recalled = reconcile::recall_noted(config, &ground.store).await?;
        let still_hold = recalled == *self.recalled;
        let verdicts = recalled.verdicts(config, self.probed.clone());
        let work = self.pending.iter().map(|report| Work {
            zone: report.index,
            planned: report.plan.as_ref().ok().filter(|_| still_hold).cloned(),
        });
        let context = Context {
            config,
            surroundings: ground.surroundings(),
            connections: &ground.connections,
            verdicts: &verdicts,
            memory: &recalled.memory,
            allow_removals: None,
        };
        let plan = reconcile::assemble(config, &verdicts, self.pending.to_vec());
        let writing = Writing {
            store: &ground.store,
            lock: &lock,
            digest: &plan::digest(&plan),
            actor,
            on_conflict: OnConflict::Replan,
        };
        Ok(reconcile::run_once(context, work.collect(), Mode::Apply(writing)).await)
    }
}

/// `run: kms1.corp.example. is down`, or `run: timer`.
fn actor(causes: &BTreeSet<String>) -> String {
    const NAMED: usize = 3;
    if causes.is_empty() {
        return "run: timer".to_owned();
    }
    let named: Vec<&str> = causes.iter().take(NAMED).map(String::as_str).collect();
    let more = if causes.len() > NAMED { ", …" } else { "" };
    format!("run: {}{more}", named.join(", "))
}

impl Reconciled {
    /// How each zone's run ended, by index.
    pub(super) fn ends(&self, interval: Duration) -> Vec<(usize, Done)> {
        let now = Timestamp::now();
        self.zones
            .iter()
            .map(|&zone| {
                let report = self.reports.iter().find(|report| report.index == zone);
                let done = report.map_or_else(Done::default, |report| {
                    let mut done = end_of(report, &self.memory, interval, now);
                    let is_left = report.outcome.is_none()
                        && report.plan.as_ref().is_ok_and(ZonePlan::is_pending);
                    // Tried again soon, not at the next tick.
                    done.failed |= is_left && self.store_failure.is_some();
                    done
                });
                (zone, done)
            })
            .collect()
    }
}

fn end_of(report: &ZoneReport, memory: &Memory, interval: Duration, now: Timestamp) -> Done {
    let Ok(plan) = &report.plan else {
        return Done {
            failed: true,
            ..Done::default()
        };
    };
    let failed = report
        .outcome
        .as_ref()
        .is_some_and(|outcome| outcome.kind != OutcomeKind::Applied);
    let holds = |guard| plan.held.iter().any(|held| held.guard == guard);
    let watch = if holds(Guard::AwaitSamples) {
        Watch::Samples
    } else if plan.is_held() {
        Watch::States
    } else {
        Watch::Transitions
    };
    // The first of the removals that count is forgotten then.
    let retry_after = holds(Guard::MaxRemovals)
        .then(|| {
            let counting = memory
                .removals(&report.zone)
                .iter()
                .map(|removal| now.duration_since(removal.at).unsigned_abs())
                .filter(|age| *age < interval)
                .max();
            // None counts yet: the removals of this very run fill the limit.
            interval.saturating_sub(counting.unwrap_or_default())
        })
        .map(|wait| wait + Duration::from_millis(10));
    Done {
        failed,
        watch,
        retry_after,
    }
}
