//! The one way through a run: observe, plan, apply, read back, zone by zone.
//!
//! [`run_once`] is called by every command (and, later, by timers and transitions) with the zones
//! concerned and a mode, never a reason. Zones stream through side by side; one zone's failure
//! does not stop another; only the report is sorted.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod connections;
mod follow;
mod ground;
mod notes;
mod others;
mod primaries;
mod refresh;
mod settle;
mod surroundings;
mod verdicts;

pub use connections::{Connection, Connections};
pub use follow::{FOLLOW, FollowGround, Original, follow, look_again};
pub use ground::{
    PATIENCE, Recalled, assemble, begin, interval_begin, note_up, read, recall, recall_noted, work,
};
pub use notes::{has_news_at_rest, note_at_rest};
pub use refresh::{Refreshed, next_refresh, refresh_zone};
pub use settle::{has_open_intents, settle};
pub use surroundings::{Event, Interrupt, Interrupter, Progress, Quiet, Stage, Surroundings};
pub use verdicts::{HostAnswer, fresh_verdicts, not_probed, one_shot, probe_hosts};

use std::collections::BTreeMap;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tracing::{debug, info};

use crate::apply;
use crate::config::Config;
use crate::fault;
use crate::model::{Memory, Name, Observed, Outcome, OutcomeKind, Verdicts, Zone};
use crate::plan::{PlanInput, ZoneError, ZonePlan, ZoneResult, plan_zone};
use crate::store::{Intent, RunLock, Store};

use others::Others;

/// Zones of the same servers under way at once; each server's exchange has its own, smaller window.
pub const ZONES_AT_ONCE: usize = 256;

/// Zones under way at once where there are many servers: as many as that, or [`FEWEST_AT_ONCE`] of
/// each. What is under way is what takes memory.
const ZONES_AT_ONCE_IN_ALL: usize = 2_048;

/// Zones of the same servers that are always under way at once: what fills a window.
const FEWEST_AT_ONCE: usize = 32;

/// Zones whose primary is yet to be found are dealt out to so many groups, as if each were a server:
/// those of one dead primary then leave room for the others in each.
const GROUPS_TO_BE_FOUND: usize = 16;

/// How often a zone whose RRset changed under us is planned again.
const REPLANS: usize = 3;

/// What a run stands on.
#[derive(Clone, Copy)]
pub struct Context<'a> {
    /// The checked configuration.
    pub config: &'a Config,
    /// What is given from outside.
    pub surroundings: Surroundings<'a>,
    /// The servers.
    pub connections: &'a Connections,
    /// One verdict per inventory host.
    pub verdicts: &'a Verdicts,
    /// What earlier runs did.
    pub memory: &'a Memory,
    /// Takes the place of `max_removals`.
    pub allow_removals: Option<u32>,
}

impl<'a> Context<'a> {
    /// What a zone's plan is made from, now.
    fn plan_input(&self, zone: &'a Zone, observed: &'a Observed) -> PlanInput<'a> {
        PlanInput {
            now: Timestamp::now(),
            interval: self.config.daemon.interval,
            zone,
            hosts: &self.config.hosts,
            observed,
            verdicts: self.verdicts,
            memory: self.memory,
            allow_removals: self.allow_removals,
        }
    }
}

/// One zone to walk through.
#[derive(Debug)]
pub struct Work {
    /// Index into the configured zones.
    pub zone: usize,
    /// A plan already made and shown; without one the zone is read and planned first.
    ///
    /// Boxed, since most zones have none when they are dealt out.
    pub planned: Option<Box<ZonePlan>>,
}

/// A zone's work with its place among all of them, in the order of names.
type Placed = (usize, Work);

/// How far a run goes.
#[derive(Debug, Clone, Copy)]
pub enum Mode<'a> {
    /// Read and plan.
    Plan,
    /// Apply what was planned, and read back.
    Apply(Writing<'a>),
}

/// What writing needs.
#[derive(Debug, Clone, Copy)]
pub struct Writing<'a> {
    /// Where intents and outcomes go.
    pub store: &'a Store,
    /// That nobody else writes meanwhile.
    pub lock: &'a RunLock,
    /// The digest of the plan that is applied.
    pub digest: &'a str,
    /// Who asked.
    pub actor: &'a str,
    /// What to do when the RRset changed under the plan.
    pub on_conflict: OnConflict,
    /// Hears of each zone as soon as it is written, for those who [`follow()`] its other servers.
    pub written: Option<&'a mpsc::UnboundedSender<Original>>,
}

impl Writing<'_> {
    fn tell(&self, report: &ZoneReport) {
        if let (Some(written), Some(original)) = (self.written, Original::written(report)) {
            // Whoever listens no more does not want to know.
            let _ = written.send(original);
        }
    }
}

/// What to do when the RRset is no longer what the plan saw.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnConflict {
    /// Read and plan again, and apply that.
    Replan,
    /// Read and plan again, and apply that only when the changes are the same.
    OnlySameChanges,
    /// Stop: exactly this plan was approved.
    Stop,
}

/// What became of one zone.
#[derive(Debug, Clone)]
pub struct ZoneReport {
    /// Index into the configured zones.
    pub index: usize,
    /// The zone's name.
    pub zone: Name,
    /// The newest plan, or why there is none.
    pub plan: Result<ZonePlan, ZoneError>,
    /// What became of the newest update; `None` when none was sent.
    pub outcome: Option<Outcome>,
}

impl ZoneReport {
    /// True when its newest update was applied.
    pub fn was_applied(&self) -> bool {
        self.outcome.as_ref().is_some_and(Outcome::was_applied)
    }

    /// True when the zone has no plan, or its update was not applied.
    pub fn is_failure(&self) -> bool {
        self.plan.is_err() || (self.outcome.is_some() && !self.was_applied())
    }

    /// True when its newest plan would change something.
    pub fn is_pending(&self) -> bool {
        self.plan.as_ref().is_ok_and(ZonePlan::is_pending)
    }

    /// The plan or error as plans list it.
    pub fn into_result(self) -> ZoneResult {
        ZoneResult {
            zone: self.zone,
            result: self.plan,
        }
    }
}

/// Walks every zone of `work` through observe, plan and (in [`Mode::Apply`]) apply.
///
/// The reports come back in the order of the zones' names. After an interruption those of the
/// zones that are not done say so ([`ZoneError::interrupted`]); updates already sent are read back
/// and stored as ever.
pub async fn run_once(context: Context<'_>, work: Vec<Work>, mode: Mode<'_>) -> Vec<ZoneReport> {
    let progress = context.surroundings.progress;
    let stage = match mode {
        Mode::Plan => Stage::Plan,
        Mode::Apply(_) => Stage::Apply,
    };
    progress.tell(Event::Begin(stage, work.len()));
    // Each report has its place before it comes: to sort them afterwards moved them again and again.
    let mut reports: Vec<Option<ZoneReport>> = work.iter().map(|_| None).collect();
    let groups = by_servers(context.config, work);
    let at_once = (ZONES_AT_ONCE_IN_ALL / groups.len().max(1)).clamp(FEWEST_AT_ONCE, ZONES_AT_ONCE);
    let walks = groups.into_iter().map(|group| {
        stream::iter(group)
            // Boxed, so that some kilobytes are moved once and not three times.
            .map(|(place, work)| {
                Box::pin(async move { (place, walk_and_note(context, work, mode).await) })
            })
            .buffer_unordered(at_once)
    });
    let mut walks = stream::select_all(walks);
    while let Some((place, report)) = walks.next().await {
        let Some(report) = report else {
            continue;
        };
        progress.tell(Event::Done {
            failed: report.is_failure(),
        });
        if let Some(free) = reports.get_mut(place) {
            *free = Some(report);
        }
    }
    progress.tell(Event::End);
    reports.into_iter().flatten().collect()
}

/// The zones by their servers: those of a server that is slow, or dead, then wait for themselves
/// and not for each other's.
fn by_servers(config: &Config, work: Vec<Work>) -> Vec<Vec<Placed>> {
    let mut named: Vec<(&Zone, Work)> = work
        .into_iter()
        .filter_map(|work| Some((config.zones.get(work.zone)?, work)))
        .collect();
    named.sort_by(|(a, one), (b, other)| (&a.name, one.zone).cmp(&(&b.name, other.zone)));
    let mut groups: BTreeMap<(&[usize], usize), Vec<Placed>> = BTreeMap::new();
    for (place, (zone, work)) in named.into_iter().enumerate() {
        let apart = match zone.servers.is_empty() {
            true => work.zone % GROUPS_TO_BE_FOUND,
            false => 0,
        };
        let group = groups.entry((&zone.servers, apart)).or_default();
        group.push((place, work));
    }
    groups.into_values().collect()
}

async fn walk_and_note(context: Context<'_>, work: Work, mode: Mode<'_>) -> Option<ZoneReport> {
    let report = walk(context, work, mode).await?;
    if let Mode::Apply(writing) = mode {
        notes::note(context, writing.store, &report).await;
        writing.tell(&report);
    }
    Some(report)
}

async fn walk(context: Context<'_>, work: Work, mode: Mode<'_>) -> Option<ZoneReport> {
    let zone = context.config.zones.get(work.zone)?;
    let plan = match work.planned {
        Some(plan) => Ok(*plan),
        None => observe_and_plan(context, zone).await,
    };
    let (plan, outcome) = match (plan, mode) {
        (Ok(plan), Mode::Apply(writing)) if plan.is_pending() => {
            // Boxed, so that a zone that is only read has no room for all this.
            Box::pin(carry_out(context, zone, plan, writing)).await
        }
        (plan, _) => (plan, None),
    };
    Some(ZoneReport {
        index: work.zone,
        zone: zone.name.clone(),
        plan,
        outcome,
    })
}

/// Sends what is planned, until it is applied or must stay undone; with the newest plan comes what
/// became of the newest update.
async fn carry_out(
    context: Context<'_>,
    zone: &Zone,
    mut plan: ZonePlan,
    writing: Writing<'_>,
) -> (Result<ZonePlan, ZoneError>, Option<Outcome>) {
    let mut replans = 0;
    let mut others = Others::default();
    loop {
        if !plan.is_pending() {
            return (Ok(plan), None);
        }
        if context.surroundings.interrupt.is_raised() {
            return (Err(ZoneError::interrupted()), None);
        }
        let (outcome, asked) = match apply_one(context, zone, &plan, writing).await {
            Ok(outcome) => (outcome, true),
            Err(outcome) => (outcome, false),
        };
        tell(zone, &plan, &outcome);
        if asked && let Some(next) = others.next(context, zone, &plan.observed, &outcome).await {
            plan.observed = next;
            continue;
        }
        let outcome = others.told_with(outcome);
        if outcome.kind != OutcomeKind::Stale
            || replans == REPLANS
            || writing.on_conflict == OnConflict::Stop
        {
            return (Ok(plan), Some(outcome));
        }
        replans += 1;
        let newer = match observe_and_plan(context, zone).await {
            Ok(newer) => newer,
            Err(error) => return (Err(error), Some(outcome)),
        };
        let may_go_on = writing.on_conflict == OnConflict::Replan || newer.changes == plan.changes;
        plan = newer;
        // Somebody else may have made the change meanwhile: then there is nothing left to ask.
        if !may_go_on && plan.is_pending() {
            return (Ok(plan), Some(outcome));
        }
    }
}

/// Logs what became of an update, and its changes where they were made, or may have been. Whoever
/// runs this tells what was not applied in the end, since that may be tried again and again.
fn tell(zone: &Zone, plan: &ZonePlan, outcome: &Outcome) {
    let Outcome { kind, text, .. } = outcome;
    if *kind == OutcomeKind::Applied {
        info!(zone = %zone.name, outcome = %kind, "{text}");
    } else {
        debug!(zone = %zone.name, outcome = %kind, "{text}");
    }
    if matches!(kind, OutcomeKind::Applied | OutcomeKind::Unknown) {
        for change in &plan.changes {
            info!(zone = %zone.name, owner = %zone.owner, "{kind}: {change}");
        }
    }
}

async fn observe_and_plan(context: Context<'_>, zone: &Zone) -> Result<ZonePlan, ZoneError> {
    let Surroundings {
        resolver,
        interrupt,
        ..
    } = context.surroundings;
    let observed = interrupt
        .unless_raised(context.connections.observe(
            zone,
            resolver,
            context.memory.home(&zone.owner),
        ))
        .await
        .unwrap_or_else(|| Err(ZoneError::interrupted()))?;
    debug!(zone = %zone.name, server = %observed.server, serial = observed.serial, records = observed.records.len(), "observed");
    let plan = plan_zone(&context.plan_input(zone, &observed));
    fault::point(fault::Phase::Planned);
    Ok(plan)
}

/// Intent, update, read-back, outcome: in this order, each stored before the next step.
///
/// An error is the outcome of an update that no server was asked for.
async fn apply_one(
    context: Context<'_>,
    zone: &Zone,
    plan: &ZonePlan,
    writing: Writing<'_>,
) -> Result<Outcome, Outcome> {
    let failed = |text: String| Outcome {
        kind: OutcomeKind::Failed,
        text,
        rcode: None,
        serial: None,
    };
    let server = plan.observed.server;
    let connection = match context.connections.of(zone, server) {
        Ok(Some(connection)) => connection,
        Ok(None) => {
            return Err(failed(format!(
                "nothing was sent, because {server} is no longer one of the zone's servers"
            )));
        }
        Err(error) => return Err(failed(format!("nothing was sent: {error}"))),
    };
    let message = apply::encode(plan, connection.overhead())?;
    let intent = Intent {
        at: Timestamp::now(),
        zone: zone.name.clone(),
        owner: zone.owner.clone(),
        before: plan.observed.clone(),
        after: plan.after.clone(),
        after_ttl: plan.after_ttl,
        changes: plan.changes.clone(),
        removed: plan.removed.clone(),
        digest: writing.digest.to_owned(),
        actor: writing.actor.to_owned(),
        stays: zone.has_a_choice_of_servers(),
    };
    let id = match writing.store.intent(intent).await {
        Ok(id) => id,
        Err(error) => {
            return Err(failed(format!(
                "nothing was sent, because the intent could not be stored: {}",
                crate::exit::chain(&error)
            )));
        }
    };
    fault::point(fault::Phase::IntentDurable);
    let outcome = apply::send(&connection.exchange, zone, plan, message).await;
    let stored = writing
        .store
        .outcome(id, Timestamp::now(), outcome.clone())
        .await;
    Ok(match stored {
        Ok(()) => outcome,
        Err(error) => Outcome {
            text: format!(
                "{}; but the outcome could not be stored ({}), the next run settles it by reading",
                outcome.text,
                crate::exit::chain(&error)
            ),
            kind: OutcomeKind::Unknown,
            ..outcome
        },
    })
}
