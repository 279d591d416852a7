//! `rollback`: one recorded change undone, and its hosts held where they are then.
//!
//! The holds are stored after the update, and only when it was, or may have been, carried out: a
//! rollback that came too late must not force anything. The run lock keeps other runs out between.

use jiff::Timestamp;

use crate::config::Config;
use crate::exit::{ExitStatus, chain};
use crate::model::{ChangeId, HistoryEntry, OutcomeKind, Override, Verdicts, Zone};
use crate::plan::{self, Hold, PlanInput, Rollback, RollbackRefusal, ZoneError};
use crate::progress::Bars;
use crate::reconcile::{
    self, Connections, Context, Mode, OnConflict, PATIENCE, Recalled, Work, Writing, ZoneReport,
};
use crate::render;
use crate::store::{Store, StoreError};

use super::setup::Session;
use super::{Failure, RollbackArgs, apply, edge, history, setup};

pub(super) fn run(
    config: &Config,
    arguments: &RollbackArgs,
    bars: &Bars,
) -> Result<ExitStatus, Failure> {
    setup::run(bars, async |session| {
        roll_back(config, arguments, session).await
    })
}

async fn roll_back(
    config: &Config,
    arguments: &RollbackArgs,
    session: &Session<'_>,
) -> Result<ExitStatus, Failure> {
    let id = ChangeId(arguments.id);
    let entry = history::read(&config.daemon.state_dir, id)?;
    let (index, zone) = configured_zone(config, &entry)?;
    let until = Timestamp::now()
        .checked_add(arguments.length)
        .unwrap_or(Timestamp::MAX);
    let connections = Connections::new(config);
    let probed = setup::ask(config, &[index], session).await;
    session.check_interrupt()?;
    let ground = Ground {
        config,
        session,
        connections: &connections,
        index,
        zone,
    };
    if arguments.dry_run {
        let recalled = setup::read(config);
        let verdicts = recalled.verdicts(config, probed);
        let rollback = ground.plan(&entry, &recalled, &verdicts).await?;
        edge::data(&render::rollback::rollback(
            &rollback,
            until,
            edge::layout(),
        ));
        return Ok(status(&rollback).and(if rollback.plan.is_pending() {
            ExitStatus::Pending
        } else {
            ExitStatus::Done
        }));
    }

    let store = Store::open(&config.daemon.state_dir).map_err(failure)?;
    let lock = reconcile::begin(config, &connections, &store, PATIENCE)
        .await
        .map_err(failure)?;
    // What was open may have been settled just now.
    let entry = history::read(&config.daemon.state_dir, id)?;
    let recalled = reconcile::recall(config, &store, &probed)
        .await
        .map_err(failure)?;
    let verdicts = recalled.verdicts(config, probed);
    let rollback = ground.plan(&entry, &recalled, &verdicts).await?;
    edge::data(&render::rollback::rollback(
        &rollback,
        until,
        edge::layout(),
    ));
    let status = status(&rollback);
    if !rollback.plan.is_pending() {
        return Ok(status);
    }
    let context = ground.context(&recalled, &verdicts);
    let mut lock = lock;
    if !arguments.yes {
        let question = async {
            if !session.ask(&format!("Roll back change {id}?")).await? {
                return Ok(false);
            }
            apply::check_verdicts(context, &[index], session).await?;
            Ok(true)
        };
        let agreed = setup::ask_unlocked(
            context,
            &store,
            &recalled.overrides,
            lock,
            &[index],
            question,
        )
        .await?;
        let Some(again) = agreed else {
            return Ok(status.and(ExitStatus::Pending));
        };
        lock = again;
    }
    let applied = session.follow(config, &connections, async |written| {
        let writing = Writing {
            store: &store,
            lock: &lock,
            digest: &ground.digest(&rollback, &verdicts),
            actor: &edge::actor(&format!("rollback of {id}")),
            on_conflict: OnConflict::Stop,
            written: Some(written),
        };
        let reports = ground.apply(context, &rollback, writing).await;
        let outcome = outcome_in(&reports, session)?;
        if matches!(outcome, OutcomeKind::Applied | OutcomeKind::Unknown) {
            hold(&store, id, &rollback.holds, until).await?;
        }
        drop(lock);
        Ok(status.and(apply::status_of(outcome)))
    });
    applied.await
}

/// What became of the update, told.
fn outcome_in(reports: &[ZoneReport], session: &Session<'_>) -> Result<OutcomeKind, Failure> {
    let mut outcomes = reports
        .iter()
        .filter_map(|report| Some((&report.zone, report.outcome.as_ref()?)));
    let Some((zone, outcome)) = outcomes.next() else {
        session.check_interrupt()?;
        let text = "nothing was changed: the zone is gone from the configuration";
        return Err(Failure::new(ExitStatus::Failed, text));
    };
    edge::data(&render::text::outcome(zone, outcome, edge::layout()));
    Ok(outcome.kind)
}

/// The zone that the change was made in.
fn configured_zone<'a>(
    config: &'a Config,
    entry: &HistoryEntry,
) -> Result<(usize, &'a Zone), Failure> {
    let found = config
        .zones
        .iter()
        .enumerate()
        .find(|(_index, zone)| zone.name == entry.zone && zone.owner == entry.owner);
    found.ok_or_else(|| {
        let text = format!(
            "change {} was made at {}, which is no longer configured in {}; nothing was changed: add its [[zone]] again, or restore the records that `srvkeeper history {}` shows by hand",
            entry.id,
            entry.owner,
            config.file.display(),
            entry.id
        );
        Failure::new(ExitStatus::Failed, text)
    })
}

/// What a guard leaves behind.
fn status(rollback: &Rollback) -> ExitStatus {
    if rollback.plan.held.is_empty() && rollback.plan.short_of_hosts.is_none() {
        ExitStatus::Done
    } else {
        ExitStatus::Held
    }
}

/// Where the rollback takes place.
struct Ground<'a> {
    config: &'a Config,
    session: &'a Session<'a>,
    connections: &'a Connections,
    index: usize,
    zone: &'a Zone,
}

impl Ground<'_> {
    async fn plan(
        &self,
        entry: &HistoryEntry,
        recalled: &Recalled,
        verdicts: &Verdicts,
    ) -> Result<Rollback, Failure> {
        let surroundings = self.session.surroundings();
        let observed = surroundings
            .interrupt
            .unless_raised(self.connections.observe(
                self.zone,
                surroundings.resolver,
                recalled.memory.home(&self.zone.owner),
            ))
            .await
            .unwrap_or_else(|| Err(ZoneError::interrupted()))
            .map_err(|error| {
                let text = format!("nothing was changed: {error}");
                Failure::new(ExitStatus::Failed, text)
            })?;
        let input = PlanInput {
            now: Timestamp::now(),
            interval: self.config.daemon.interval,
            zone: self.zone,
            hosts: &self.config.hosts,
            observed: &observed,
            verdicts,
            memory: &recalled.memory,
            allow_removals: None,
        };
        plan::rollback(entry, &input).map_err(|refusal| {
            let status = match refusal {
                RollbackRefusal::Changed { .. } => ExitStatus::Stale,
                RollbackRefusal::Open { .. } | RollbackRefusal::NotApplied { .. } => {
                    ExitStatus::Failed
                }
            };
            Failure::new(status, format!("nothing was changed: {refusal}"))
        })
    }

    fn digest(&self, rollback: &Rollback, verdicts: &Verdicts) -> String {
        let report = ZoneReport {
            index: self.index,
            zone: self.zone.name.clone(),
            plan: Ok(rollback.plan.clone()),
            outcome: None,
        };
        plan::digest(&setup::assemble(self.config, verdicts, vec![report]))
    }

    fn context<'a>(&'a self, recalled: &'a Recalled, verdicts: &'a Verdicts) -> Context<'a> {
        Context {
            config: self.config,
            surroundings: self.session.surroundings(),
            connections: self.connections,
            verdicts,
            memory: &recalled.memory,
            allow_removals: None,
        }
    }

    async fn apply(
        &self,
        context: Context<'_>,
        rollback: &Rollback,
        writing: Writing<'_>,
    ) -> Vec<ZoneReport> {
        let work = vec![Work {
            zone: self.index,
            planned: Some(Box::new(rollback.plan.clone())),
        }];
        reconcile::run_once(context, work, Mode::Apply(writing)).await
    }
}

/// Stores the overrides that keep the next run from moving the hosts back.
async fn hold(
    store: &Store,
    id: ChangeId,
    holds: &[Hold],
    until: Timestamp,
) -> Result<(), Failure> {
    if holds.is_empty() {
        return Ok(());
    }
    let now = Timestamp::now();
    let overrides = holds
        .iter()
        .map(|hold| Override {
            host: hold.host.clone(),
            state: hold.state,
            reason: Some(format!("rollback of {id}")),
            actor: edge::user(),
            made_at: now,
            until,
        })
        .collect();
    store.set_overrides(overrides, now).await.map_err(|error| {
        let by_hand: Vec<String> = holds
            .iter()
            .map(|hold| format!("srvkeeper host {} {}", hold.state, hold.host))
            .collect();
        let text = format!(
            "the update was sent, but the hosts are not held, so the next run undoes it: {}; hold them with: {}",
            chain(&error),
            by_hand.join("; ")
        );
        Failure::new(ExitStatus::Failed, text)
    })
}

fn failure(error: StoreError) -> Failure {
    Failure::from_error(&error)
}
