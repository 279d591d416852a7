//! One walk through zones that are due together: plan, and where something is to be done, apply.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::sync::{Arc, Weak};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::Mutex;

use super::schedule::{Done, Watch};
use crate::config::Config;
use crate::dns::resolve::Resolver;
use crate::exit::chain;
use crate::model::{Memory, Verdicts};
use crate::plan::{self, Guard};
use crate::reconcile::{
    self, Connections, Context, Interrupt, Mode, OnConflict, Quiet, Recalled, Surroundings, Work,
    Writing, ZoneReport,
};
use crate::store::{RunLock, Store, StoreError};

/// How long a walk waits for a command that writes.
const LOCK_PATIENCE: Duration = Duration::from_secs(1);

/// How long after that it tries again: the command may wait for an answer at the terminal.
const LOCK_RETRY: Duration = Duration::from_secs(1);

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

    /// What is given from outside.
    pub(super) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            resolver: &self.resolver,
            progress: &Quiet,
            interrupt: &self.interrupt,
        }
    }

    /// What a run stands on with these verdicts and this memory.
    pub(super) fn context<'a>(&'a self, verdicts: &'a Verdicts, memory: &'a Memory) -> Context<'a> {
        Context {
            config: &self.config,
            surroundings: self.surroundings(),
            connections: &self.connections,
            verdicts,
            memory,
            allow_removals: None,
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
        let lock = Arc::new(store.lock_run(LOCK_PATIENCE).await?);
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
    /// Why what is pending was not written.
    pub(super) obstacle: Option<Obstacle>,
    /// What earlier runs did.
    memory: Arc<Memory>,
}

/// Why what is pending is not written.
#[derive(Debug, Clone)]
pub(super) enum Obstacle {
    /// It is not to be: audit, or a pause.
    Withheld(String),
    /// Another command writes; it ends by itself.
    Busy(String),
    /// The store cannot be used.
    Store(String),
}

impl Obstacle {
    /// What the store says, if it is that.
    pub(super) fn store_failure(&self) -> Option<&String> {
        match self {
            Self::Store(failure) => Some(failure),
            Self::Withheld(_) | Self::Busy(_) => None,
        }
    }
}

impl fmt::Display for Obstacle {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (Self::Withheld(text) | Self::Busy(text) | Self::Store(text)) = self;
        f.write_str(text)
    }
}

impl From<StoreError> for Obstacle {
    fn from(error: StoreError) -> Self {
        match error {
            StoreError::Locked { .. } => Self::Busy(error.to_string()),
            error => Self::Store(chain(&error)),
        }
    }
}

impl Batch {
    /// Plans the zones, and applies those with changes under the run lock.
    pub(super) async fn run(self) -> Reconciled {
        let ground = Arc::clone(&self.ground);
        let config = &*ground.config;
        let actor = actor(&self.causes);
        let mut obstacle = self.withheld.map(Obstacle::Withheld);
        let recalled = match ground.recall(&self.zones, obstacle.is_none()).await {
            Ok(recalled) => recalled,
            Err(error) => {
                obstacle = obstacle.or(Some(error.into()));
                self.fallback
            }
        };
        let verdicts = recalled.verdicts(config, self.probed.clone());
        let context = ground.context(&verdicts, &recalled.memory);
        let mut reports =
            reconcile::run_once(context, reconcile::work(&self.zones), Mode::Plan).await;
        if obstacle.is_none() && !ground.interrupt.is_raised() {
            let made = Made {
                probed: &self.probed,
                recalled: &recalled,
            };
            obstacle = made
                .write(&ground, context, &mut reports, &actor)
                .await
                .err();
        }
        Reconciled {
            zones: self.zones,
            reports,
            actor,
            obstacle,
            memory: recalled.memory,
        }
    }
}

/// Plans that were made without the run lock, and what they depend on.
struct Made<'a> {
    probed: &'a Verdicts,
    recalled: &'a Recalled,
}

impl Made<'_> {
    /// Applies what is pending in the reports, and puts what became of it in its place.
    async fn write(
        &self,
        ground: &Ground,
        context: Context<'_>,
        reports: &mut Vec<ZoneReport>,
        actor: &str,
    ) -> Result<(), Obstacle> {
        if reconcile::has_news_at_rest(context, reports) {
            let lock = ground.lock(&[]).await?;
            reconcile::note_at_rest(context, &ground.store, &lock, reports).await;
        }
        let (pending, others): (Vec<_>, Vec<_>) = std::mem::take(reports)
            .into_iter()
            .partition(ZoneReport::is_pending);
        *reports = others;
        if pending.is_empty() {
            return Ok(());
        }
        match self.apply(ground, &pending, actor).await {
            Ok(applied) => {
                reports.extend(applied);
                Ok(())
            }
            Err(obstacle) => {
                reports.extend(pending);
                Err(obstacle)
            }
        }
    }

    /// Applies these plans under the lock; made anew where another process wrote something meanwhile
    /// that they depend on. That the RRset is as planned on, each update checks itself.
    async fn apply(
        &self,
        ground: &Ground,
        pending: &[ZoneReport],
        actor: &str,
    ) -> Result<Vec<ZoneReport>, Obstacle> {
        let config = &*ground.config;
        let zones: Vec<usize> = pending.iter().map(|report| report.index).collect();
        let lock = ground.lock(&zones).await?;
        // An operator may have said so while this walk waited.
        if let Some(pause) = ground.store.pause(Timestamp::now()).await? {
            return Err(Obstacle::Withheld(pause.to_string()));
        }
        let recalled = reconcile::recall_noted(config, &ground.store).await?;
        let still_hold = self.recalled.says_the_same(&recalled, config, &zones);
        let verdicts = recalled.verdicts(config, self.probed.clone());
        let work = pending.iter().map(|report| Work {
            zone: report.index,
            planned: report
                .plan
                .as_ref()
                .ok()
                .filter(|_| still_hold)
                .cloned()
                .map(Box::new),
        });
        let context = ground.context(&verdicts, &recalled.memory);
        let plan = reconcile::assemble(config, &verdicts, pending.to_vec());
        let writing = Writing {
            store: &ground.store,
            lock: &lock,
            digest: &plan::digest(&plan),
            actor,
            on_conflict: OnConflict::Replan,
            written: None,
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
        let mut ends: BTreeMap<usize, Done> = self
            .zones
            .iter()
            .map(|&zone| (zone, Done::default()))
            .collect();
        for report in &self.reports {
            let mut done = end_of(report, &self.memory, interval, now);
            let is_left = report.outcome.is_none() && report.is_pending();
            // Tried again soon, not at the next tick.
            match &self.obstacle {
                Some(Obstacle::Busy(_)) if is_left => done.retry_after = Some(LOCK_RETRY),
                Some(Obstacle::Store(_)) if is_left => done.failed = true,
                _ => {}
            }
            ends.insert(report.index, done);
        }
        ends.into_iter().collect()
    }
}

fn end_of(report: &ZoneReport, memory: &Memory, interval: Duration, now: Timestamp) -> Done {
    let Ok(plan) = &report.plan else {
        return Done {
            failed: true,
            ..Done::default()
        };
    };
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
        failed: report.is_failure(),
        watch,
        retry_after,
    }
}
