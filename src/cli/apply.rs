//! `apply`: plan, show, ask, apply, read back.

use jiff::Timestamp;

use crate::config::Config;
use crate::exit::ExitStatus;
use crate::model::{Host, Name, OutcomeKind, Override, Verdict};
use crate::plan::{self, Plan, Refusal, ZoneError};
use crate::progress::Bars;
use crate::reconcile::{
    self, Connections, Context, Mode, OnConflict, PATIENCE, Work, Writing, ZoneReport,
};
use crate::render;
use crate::store::{RunLock, Store, StoreError};

use super::setup::{Session, Written};
use super::{ApplyArgs, Failure, approved, edge, setup};

/// How often an interactive apply asks again after a conflict.
const QUESTIONS: usize = 3;

pub(super) fn run(
    config: &Config,
    arguments: &ApplyArgs,
    bars: &Bars,
) -> Result<ExitStatus, Failure> {
    setup::run(bars, async |session| {
        apply("apply", config, arguments, session).await
    })
}

/// `command` is what the history tells of who asked.
pub(super) async fn apply(
    command: &str,
    config: &Config,
    arguments: &ApplyArgs,
    session: &Session<'_>,
) -> Result<ExitStatus, Failure> {
    let approved = match &arguments.plan {
        Some(file) => Some(approved::read(file, config)?),
        None => None,
    };
    let zones = match &approved {
        Some(approved) => approved.select(config, &arguments.selection.zones)?,
        None => setup::select(config, &arguments.selection.zones)?,
    };
    let failure = |error: StoreError| Failure::from_error(&error);
    let store = Store::open(&config.daemon.state_dir).map_err(failure)?;
    let connections = Connections::new(config);
    let needs_verdicts = approved
        .as_ref()
        .is_none_or(|approved| approved.plan.relied_on().next().is_some());
    let probed = if needs_verdicts {
        // An approved plan relied on the hosts of all its zones, whichever of them is applied.
        let concerned = match &approved {
            Some(approved) => approved.select(config, &[])?,
            None => zones.clone(),
        };
        setup::verdicts(config, &arguments.selection, &concerned, session).await
    } else {
        reconcile::not_probed(config)
    };
    // Probing may take long, and needs no lock.
    let lock = reconcile::begin(config, &connections, &store, PATIENCE)
        .await
        .map_err(failure)?;
    let recalled = reconcile::recall(config, &store, &probed)
        .await
        .map_err(failure)?;
    let verdicts = recalled.verdicts(config, probed);
    let context = Context {
        config,
        surroundings: session.surroundings(),
        connections: &connections,
        verdicts: &verdicts,
        memory: &recalled.memory,
        allow_removals: arguments.allow_removals,
    };

    let mut reports = reconcile::run_once(context, setup::work(&zones), Mode::Plan).await;
    reconcile::note_at_rest(context, &store, &lock, &reports).await;
    if let Some(approved) = &approved {
        session.check_interrupt()?;
        approved.replace(config, &verdicts, &mut reports)?;
    }
    let indexes: Vec<usize> = reports.iter().map(|report| report.index).collect();
    let plan = setup::assemble(config, &verdicts, reports);
    edge::data(&render::text::plan(&plan, edge::layout()));
    let digest = match &approved {
        Some(approved) => approved.plan.digest.clone(),
        None => plan::digest(&plan),
    };
    let actor = edge::actor(command);
    let pending = Pending::new(plan, &indexes);
    let order = Order {
        store: &store,
        overrides: &recalled.overrides,
        digest: &digest,
        actor: &actor,
        on_conflict: match (&approved, arguments.yes) {
            (Some(_), _) => OnConflict::Stop,
            (None, true) => OnConflict::Replan,
            (None, false) => OnConflict::OnlySameChanges,
        },
        yes: arguments.yes,
    };
    let Some(lock) = pending.agreed(context, order, lock, session).await? else {
        return Ok(pending.left());
    };
    session
        .follow(config, &connections, async |written| {
            pending.apply(context, order, lock, session, written).await
        })
        .await
}

/// How a plan is to be applied.
#[derive(Clone, Copy)]
pub(super) struct Order<'a> {
    /// Where intents and outcomes go.
    pub(super) store: &'a Store,
    /// The operators' words that it was made with.
    pub(super) overrides: &'a [Override],
    /// The digest of the plan.
    pub(super) digest: &'a str,
    /// Who asked.
    pub(super) actor: &'a str,
    /// What to do when the RRset changed under the plan.
    pub(super) on_conflict: OnConflict,
    /// Nobody is to be asked.
    pub(super) yes: bool,
}

/// What a plan that was shown would do, and the exit status so far.
pub(super) struct Pending {
    work: Vec<Work>,
    settled: Settled,
}

impl Pending {
    /// Sorts the plan's zones; `indexes` are theirs in the configuration.
    pub(super) fn new(plan: Plan, indexes: &[usize]) -> Self {
        let mut settled = Settled::default();
        let mut work = Vec::new();
        for (zone, &index) in plan.zones.into_iter().zip(indexes) {
            match zone.result {
                Ok(planned) if planned.is_pending() => work.push(Work {
                    zone: index,
                    planned: Some(Box::new(planned)),
                }),
                Ok(planned) => settled.zone(&planned),
                Err(_) => settled.status = settled.status.and(ExitStatus::Failed),
            }
        }
        Self { work, settled }
    }

    /// Asks whether to go on, without the run lock; returns it, or `None` when the answer was no.
    /// There is no question where nothing is to be done.
    pub(super) async fn agreed(
        &self,
        context: Context<'_>,
        order: Order<'_>,
        lock: RunLock,
        session: &Session<'_>,
    ) -> Result<Option<RunLock>, Failure> {
        if order.yes || self.work.is_empty() {
            return Ok(Some(lock));
        }
        let zones: Vec<usize> = self.work.iter().map(|left| left.zone).collect();
        let question = async {
            if !ask(&self.work, session).await? {
                return Ok(false);
            }
            check_verdicts(context, &zones, session).await?;
            Ok(true)
        };
        setup::ask_unlocked(
            context,
            order.store,
            order.overrides,
            lock,
            &zones,
            question,
        )
        .await
    }

    /// The exit status when nothing of it is done.
    pub(super) fn left(mut self) -> ExitStatus {
        for planned in self.work.iter().filter_map(|left| left.planned.as_ref()) {
            self.settled.zone(planned);
        }
        self.settled.status.and(ExitStatus::Pending)
    }

    /// Applies it, and asks again about zones whose changes became others meanwhile; `written` hears
    /// of each zone that is done.
    pub(super) async fn apply(
        mut self,
        context: Context<'_>,
        order: Order<'_>,
        mut lock: RunLock,
        session: &Session<'_>,
        written: &Written,
    ) -> Result<ExitStatus, Failure> {
        let asks_again = !order.yes && order.on_conflict != OnConflict::Stop;
        for question in 0..QUESTIONS {
            if self.work.is_empty() {
                break;
            }
            if question > 0 {
                let Some(again) = self.agreed(context, order, lock, session).await? else {
                    return Ok(self.left());
                };
                lock = again;
            }
            let writing = Writing {
                store: order.store,
                lock: &lock,
                digest: order.digest,
                actor: order.actor,
                on_conflict: order.on_conflict,
                written: Some(written),
            };
            let reports = reconcile::run_once(context, self.work, Mode::Apply(writing)).await;
            session.hook(&reports, order.actor);
            self.work = self.settled.take(reports, asks_again, edge::layout());
        }
        for left in self.work {
            if let Some(planned) = left.planned {
                self.settled.zone(&planned);
                self.settled.status = self.settled.status.and(ExitStatus::Stale);
            }
        }
        Ok(self.settled.status)
    }
}

/// Samples go stale while a question waits: the hosts are then asked again, and nothing is applied
/// when one of them is no longer what the plan relied on. A forced host stands whatever it answers.
pub(super) async fn check_verdicts(
    context: Context<'_>,
    zones: &[usize],
    session: &Session<'_>,
) -> Result<(), Failure> {
    let Context {
        config, verdicts, ..
    } = context;
    let now = Timestamp::now();
    let is_outdated = |(host, verdict): (&Host, &Verdict)| {
        verdict
            .newest_sample
            .is_some_and(|began| now.duration_since(began).unsigned_abs() > host.health.freshness())
    };
    let mut relied_on = config.hosts.iter().zip(&verdicts.hosts);
    if !relied_on.any(is_outdated) {
        return Ok(());
    }
    let fresh = setup::ask(config, zones, session).await;
    session.check_interrupt()?;
    let relied_on = config.hosts.iter().zip(&verdicts.hosts);
    for ((host, then), now) in relied_on.zip(&fresh.hosts) {
        if then.forced.is_none() && then.probed && now.probed && then.state != now.state {
            return Err(approved::stale(&Refusal::Verdict {
                host: host.name().clone(),
                then: then.state,
                now: now.state,
                reason: now.reason.clone(),
            }));
        }
    }
    Ok(())
}

/// What is done with, and the exit status so far.
struct Settled {
    status: ExitStatus,
}

impl Default for Settled {
    fn default() -> Self {
        Self {
            status: ExitStatus::Done,
        }
    }
}

impl Settled {
    /// Prints what became of each zone; returns the zones to ask about again.
    fn take(
        &mut self,
        reports: Vec<ZoneReport>,
        asks_again: bool,
        layout: render::text::Layout,
    ) -> Vec<Work> {
        let outcomes = reports
            .iter()
            .filter_map(|report| Some((&report.zone, report.outcome.as_ref()?)));
        let interrupted = reports.iter().any(|report| {
            let error = report.plan.as_ref().err();
            error.is_some_and(ZoneError::is_interrupted)
        });
        edge::data(&render::text::outcomes(outcomes, interrupted, layout));
        let failed = reports.iter().filter_map(|report| {
            let error = report.plan.as_ref().err()?;
            (!error.is_interrupted()).then_some((&report.zone, error))
        });
        edge::data(&render::text::errors(failed, layout));
        let mut again = Vec::new();
        let mut not_done = Vec::new();
        for report in reports {
            let stale = report
                .outcome
                .as_ref()
                .is_some_and(|outcome| outcome.kind == OutcomeKind::Stale);
            match report.plan {
                Err(error) => {
                    if error.is_interrupted() {
                        not_done.push(report.zone);
                    }
                    self.status = self.status.and(ExitStatus::Failed);
                }
                Ok(plan) if stale && asks_again && plan.is_pending() => {
                    edge::data(&render::text::zone(&plan, layout));
                    again.push(Work {
                        zone: report.index,
                        planned: Some(Box::new(plan)),
                    });
                }
                Ok(plan) => {
                    if report.outcome.is_none() {
                        edge::data(&render::text::nothing_left(&plan.zone));
                    }
                    self.zone(&plan);
                    self.outcome(report.outcome.as_ref().map(|outcome| outcome.kind));
                }
            }
        }
        let not_done: Vec<&Name> = not_done.iter().collect();
        edge::data(&render::text::not_done(&not_done));
        again
    }

    /// What a zone's guards leave behind.
    fn zone(&mut self, plan: &plan::ZonePlan) {
        if plan.is_held() || plan.short_of_hosts.is_some() {
            self.status = self.status.and(ExitStatus::Held);
        }
    }

    fn outcome(&mut self, outcome: Option<OutcomeKind>) {
        let status = outcome.map_or(ExitStatus::Done, status_of);
        self.status = self.status.and(status);
    }
}

/// The exit status of an update that ended so.
pub(super) fn status_of(outcome: OutcomeKind) -> ExitStatus {
    match outcome {
        OutcomeKind::Applied => ExitStatus::Done,
        OutcomeKind::Stale => ExitStatus::Stale,
        OutcomeKind::Refused | OutcomeKind::Failed | OutcomeKind::Unknown => ExitStatus::Failed,
    }
}

async fn ask(work: &[Work], session: &Session<'_>) -> Result<bool, Failure> {
    let zones = render::text::counted(work.len(), "zone");
    session.ask(&format!("Apply to {zones}?")).await
}
