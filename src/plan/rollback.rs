//! Undoing a recorded change: the RRset becomes again what it was before, or stays as it is.
//!
//! | Recorded outcome | The RRset as read | Result |
//! |---|---|---|
//! | none yet, refused, stale, failed | – | refused: there is nothing that could be undone |
//! | applied, unknown | not the recorded "after" | refused: somebody changed it since |
//! | applied, unknown | the recorded "after" | a plan back to "before" |
//!
//! The plan is whole: where `min_hosts` or `policy.changes` forbids a part of it, all of it is
//! held. The other guards do not ask, since a person named this very change.
//!
//! The next run would move the hosts back, so they are to be held by overrides. What overrides
//! cannot hold (a retired host, data or a TTL other than configured) is told as [`Rollback::lost`].

use jiff::Timestamp;

use crate::model::{
    Change, ChangeId, ChangeKind, Changes, Expect, Forced, HistoryEntry, Name, Observed,
    OutcomeKind, OverrideState, Reason, ReasonCode, Role, Srv, Verdicts, Zone,
};

use super::approved::shown;
use super::desired::{self, Entry};
use super::diff::by_record;
use super::guard::{min_hosts_text, policy_text};
use super::report::{Guard, Held, ShortOfHosts, ZonePlan};
use super::{PlanInput, plan_zone};

/// How to undo a recorded change, and what is needed for it to last.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Rollback {
    /// What to do; all of it is held when a guard withholds a part.
    pub plan: ZonePlan,
    /// The hosts that it moves, to be held where they are then.
    pub holds: Vec<Hold>,
    /// What the next run will change again all the same.
    pub lost: Vec<Change>,
}

/// A host to be held by an override.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hold {
    /// The host.
    pub host: Name,
    /// Up when the rollback publishes it, down when it withdraws it.
    pub state: OverrideState,
}

/// Why a recorded change is not undone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RollbackRefusal {
    /// It has no outcome.
    #[error(
        "change {id} has no outcome yet: it is under way, or was cut short, and then `srvkeeper apply` settles it"
    )]
    Open {
        /// The change.
        id: ChangeId,
    },
    /// It was not applied.
    #[error(
        "change {id} ended as {outcome}; only an applied change can be rolled back (see `srvkeeper history {id}`)"
    )]
    NotApplied {
        /// The change.
        id: ChangeId,
        /// How it ended.
        outcome: OutcomeKind,
    },
    /// Somebody changed the RRset since.
    #[error(
        "the RRset of zone {zone} is not what change {id} left (then: {then}; now: {now}); roll back what came after it first (see `srvkeeper history --zone {zone}`)"
    )]
    Changed {
        /// The change.
        id: ChangeId,
        /// The zone.
        zone: Name,
        /// What the change left.
        then: String,
        /// What stands there now.
        now: String,
    },
}

/// Plans the way back from `entry`, which is a change of this very zone.
pub fn rollback(entry: &HistoryEntry, input: &PlanInput<'_>) -> Result<Rollback, RollbackRefusal> {
    check(entry, input.observed)?;
    let mut plan = ZonePlan::from_changes(
        input.zone,
        input.hosts,
        input.observed.clone(),
        changes(entry, input.observed),
    );
    let after = after(&plan);
    let serving = desired::entries(&PlanInput {
        observed: &after,
        ..*input
    })
    .iter()
    .filter(|entry| entry.is_published() && entry.may_serve())
    .count();
    let min_hosts = desired::min_hosts(input.zone);
    let is_short = input.zone.expect == Expect::Hosts && serving < min_hosts;
    plan.short_of_hosts = is_short.then_some(ShortOfHosts {
        left: serving,
        min_hosts,
    });

    let allowed = input.zone.policy.changes;
    let guard = if !plan.changes.iter().all(|change| allows(allowed, change)) {
        Some((Guard::Policy, policy_text(allowed)))
    } else if !plan.removed.is_empty() && serving < min_hosts {
        Some((Guard::MinHosts, min_hosts_text(serving, min_hosts)))
    } else {
        None
    };
    if let Some((guard, text)) = guard {
        return Ok(Rollback {
            plan: hold_back(plan, input.zone, guard, &text),
            holds: Vec::new(),
            lost: Vec::new(),
        });
    }
    let holds = holds(input, &plan);
    let lost = lost(input, &plan, &after, &holds);
    Ok(Rollback { plan, holds, lost })
}

fn check(entry: &HistoryEntry, observed: &Observed) -> Result<(), RollbackRefusal> {
    let id = entry.id;
    let Some(ended) = &entry.ended else {
        return Err(RollbackRefusal::Open { id });
    };
    match ended.outcome.kind {
        OutcomeKind::Applied | OutcomeKind::Unknown => {}
        outcome @ (OutcomeKind::Refused | OutcomeKind::Stale | OutcomeKind::Failed) => {
            return Err(RollbackRefusal::NotApplied { id, outcome });
        }
    }
    if observed.records == entry.after && observed.ttl == entry.after_ttl && !observed.mixed_ttl {
        return Ok(());
    }
    let mixed = if observed.mixed_ttl {
        ", and others"
    } else {
        ""
    };
    Err(RollbackRefusal::Changed {
        id,
        zone: entry.zone.clone(),
        then: shown(entry.after_ttl, &entry.after),
        now: format!("{}{mixed}", shown(observed.ttl, &observed.records)),
    })
}

/// What leads from the RRset as read to the recorded "before".
///
/// A record stays where it need not change: deleting and adding the same data would be harmless
/// to the RRset, and misleading to whoever reads the plan. A set that had different TTLs gets the
/// lowest of them, since one RRset has one TTL (RFC 2181 §5.2).
fn changes(entry: &HistoryEntry, observed: &Observed) -> Vec<Change> {
    let (mut from, mut to) = (observed.records.clone(), entry.before.records.clone());
    let mut kept = pairs(&mut from, &mut to, Srv::same_spelling);
    kept.extend(pairs(&mut from, &mut to, Srv::eq));
    let changed = pairs(&mut from, &mut to, |a, b| a.target == b.target);
    let before_ttl = observed.ttl.or(entry.before.ttl).unwrap_or_default();
    let ttl = entry.before.ttl.unwrap_or(before_ttl);

    let updates = kept
        .into_iter()
        .filter(|_pair| ttl != before_ttl)
        .chain(changed)
        .map(|(before, after)| ChangeKind::Update {
            before,
            before_ttl,
            after,
            ttl,
        });
    let deletes = from
        .into_iter()
        .map(|before| ChangeKind::Delete { before, before_ttl });
    let creates = to
        .into_iter()
        .map(|after| ChangeKind::Create { after, ttl });
    let mut changes: Vec<Change> = updates
        .chain(deletes)
        .chain(creates)
        .map(|kind| because_of(entry, kind))
        .collect();
    changes.sort_by(by_record);
    changes
}

/// Takes out the pairs of records that are the same in this sense.
fn pairs(
    from: &mut Vec<Srv>,
    to: &mut Vec<Srv>,
    same: impl Fn(&Srv, &Srv) -> bool,
) -> Vec<(Srv, Srv)> {
    let mut pairs = Vec::new();
    let mut left = Vec::with_capacity(from.len());
    for record in from.drain(..) {
        match to.iter().position(|other| same(&record, other)) {
            Some(position) => pairs.push((record, to.remove(position))),
            None => left.push(record),
        }
    }
    *from = left;
    pairs
}

fn because_of(entry: &HistoryEntry, kind: ChangeKind) -> Change {
    let mut change = Change {
        kind,
        reason: Reason {
            code: ReasonCode::Rollback,
            text: format!("undoes change {}", entry.id),
        },
    };
    if let Some(undone) = entry
        .changes
        .iter()
        .find(|undone| target(undone) == target(&change))
    {
        change.reason.text = format!("undoes change {} ({})", entry.id, undone.reason.code);
    }
    change
}

fn target(change: &Change) -> Option<&Name> {
    change
        .before()
        .or(change.after())
        .map(|record| &record.target)
}

/// The RRset as it will be read once the plan is applied.
fn after(plan: &ZonePlan) -> Observed {
    Observed {
        records: plan.after.clone(),
        ttl: plan.after_ttl,
        mixed_ttl: false,
        ..plan.observed.clone()
    }
}

fn allows(allowed: Changes, change: &Change) -> bool {
    match (allowed, &change.kind) {
        (Changes::Sync, _) | (_, ChangeKind::Create { .. }) => true,
        (Changes::UpsertOnly, ChangeKind::Update { .. }) => true,
        (Changes::UpsertOnly, ChangeKind::Delete { .. }) | (Changes::CreateOnly, _) => false,
    }
}

/// The plan in which everything stays as it is.
fn hold_back(plan: ZonePlan, zone: &Zone, guard: Guard, text: &str) -> ZonePlan {
    let held = plan
        .changes
        .into_iter()
        .map(|change| Held {
            change,
            guard,
            text: text.to_owned(),
        })
        .collect();
    ZonePlan {
        held,
        ..ZonePlan::from_changes(zone, &[], plan.observed, Vec::new())
    }
}

/// The inventory hosts that enter or leave the RRset; a retired one takes no override.
fn holds(input: &PlanInput<'_>, plan: &ZonePlan) -> Vec<Hold> {
    let publishes =
        |records: &[Srv], name: &Name| records.iter().any(|record| record.target == *name);
    let mut holds: Vec<Hold> = desired::entries(input)
        .iter()
        .filter(|entry| entry.host.role != Role::Retired)
        .map(|entry: &Entry<'_>| entry.host.name())
        .filter_map(|host| {
            let state = match (
                publishes(&plan.observed.records, host),
                publishes(&plan.after, host),
            ) {
                (false, true) => OverrideState::Up,
                (true, false) => OverrideState::Down,
                _ => return None,
            };
            Some(Hold {
                host: host.clone(),
                state,
            })
        })
        .collect();
    holds.sort_by(|a, b| a.host.cmp(&b.host));
    holds
}

/// What the next run would do to the records that the rollback moves, the holds in force.
fn lost(input: &PlanInput<'_>, plan: &ZonePlan, after: &Observed, holds: &[Hold]) -> Vec<Change> {
    let verdicts = forced(input, holds);
    let next = plan_zone(&PlanInput {
        observed: after,
        verdicts: &verdicts,
        ..*input
    });
    let held = next
        .held
        .into_iter()
        .filter(|held| !held.guard.leaves_alone())
        .map(|held| held.change);
    next.changes
        .into_iter()
        .chain(held)
        .filter(|change| {
            plan.changes
                .iter()
                .any(|moved| target(moved) == target(change))
        })
        .collect()
}

fn forced(input: &PlanInput<'_>, holds: &[Hold]) -> Verdicts {
    let mut verdicts = input.verdicts.clone();
    for (host, verdict) in input.hosts.iter().zip(&mut verdicts.hosts) {
        if let Some(hold) = holds.iter().find(|hold| hold.host == *host.name()) {
            verdict.state = hold.state.into();
            verdict.forced = Some(Forced {
                until: Timestamp::MAX,
            });
        }
    }
    verdicts
}
