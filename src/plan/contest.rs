//! No fights: what somebody undoes each time is left alone, and reported.
//!
//! | Kind | Armed by our | Counts when | Cleared when |
//! |---|---|---|---|
//! | returns | removal of a target's records | they are there again, and unwanted | the host is up and they may stay; we add the record ourselves |
//! | vanishes | addition of a record | it is gone again, and wanted | the host is down and not published; we remove the record ourselves |
//! | rewrites | correction of a host's data, removal of its second record | it takes a correction again, and the record is not the one that we wrote | – |
//!
//! Two counts contest a record: the change is made no more. Seven days in which nothing happened,
//! and `srvkeeper host clear`, begin anew for every kind.
//!
//! A change counts as undone only half an interval after it was made: a transition seconds later
//! may read a server that has not caught up, the next timer tick does not. Within that time it is
//! made again and keeps the time of the first, so that runs in quick succession cannot put off the
//! count for ever.
//!
//! Only an up host clears its returns. One that is unknown, as every host is after a restart, says
//! nothing about who is right.
//!
//! An override passes: a person said so, for a limited time. What is undone under it still counts.
//! Not counted are TTLs, which belong to the RRset and not to a target.

use jiff::{SignedDuration, Timestamp};

use crate::model::{Change, ChangeKind, Contest, ContestKind, Name, Reason, ReasonCode, State};

use super::PlanInput;
use super::desired::entries;
use super::report::{Guard, ZonePlan};

/// So many times undone, a change is contested.
const CONTESTED_AT: u32 = 2;

/// What nobody touched for so long is forgotten.
const QUIET: SignedDuration = SignedDuration::from_hours(7 * 24);

/// The guard that withholds a change of this kind, if it is contested.
pub(super) fn contested(
    input: &PlanInput<'_>,
    target: &Name,
    kind: ContestKind,
) -> Option<(Guard, String)> {
    let count = count(input, target, kind);
    (count >= CONTESTED_AT).then(|| (Guard::Contested, text(target, kind, count)))
}

/// What of these contests holds now: each target, and why its record is left alone with the way out.
///
/// Without a plan, so an undoing that no run has counted yet is not among them.
pub fn contested_now(contests: &[Contest], now: Timestamp) -> Vec<(Name, String)> {
    contests
        .iter()
        .filter(|contest| contest.count >= CONTESTED_AT && now.duration_since(contest.at) <= QUIET)
        .map(|contest| {
            let text = text(&contest.target, contest.kind, contest.count);
            (contest.target.clone(), text)
        })
        .collect()
}

/// True when a change of this kind is no longer made.
pub(super) fn is_contested(input: &PlanInput<'_>, target: &Name, kind: ContestKind) -> bool {
    count(input, target, kind) >= CONTESTED_AT
}

/// How often such a change was undone, given that it is about to be made once more.
fn count(input: &PlanInput<'_>, target: &Name, kind: ContestKind) -> u32 {
    input
        .memory
        .contests(&input.zone.owner)
        .iter()
        .find(|contest| contest.target == *target && contest.kind == kind)
        .filter(|contest| !is_quiet(input, contest))
        .map_or(0, |contest| {
            contest
                .count
                .saturating_add(u32::from(is_undone(input, contest)))
        })
}

fn is_quiet(input: &PlanInput<'_>, contest: &Contest) -> bool {
    input.now.duration_since(contest.at) > QUIET
}

/// True when the last change was made long enough ago to call it undone, and does not stand: then
/// our own configuration wants another one.
fn is_undone(input: &PlanInput<'_>, contest: &Contest) -> bool {
    let since = |armed_at| input.now.duration_since(armed_at);
    let stands = contest
        .written
        .as_ref()
        .is_some_and(|written| input.observed.records.contains(written));
    let is_old = contest
        .armed_at
        .is_some_and(|armed_at| since(armed_at) * 2 >= interval(input));
    is_old && !stands
}

fn interval(input: &PlanInput<'_>) -> SignedDuration {
    SignedDuration::try_from(input.interval).unwrap_or(SignedDuration::MAX)
}

fn text(target: &Name, kind: ContestKind, count: u32) -> String {
    let anew = format!("then `srvkeeper host clear {target}` to start afresh");
    match kind {
        ContestKind::Returns => format!(
            "the record of {target} came back {count} times after it was removed, so it is left alone; \
             way out: `slmgr /cdns` on that host, which then publishes itself no more \
             (DisableDnsPublishing in the registry), and {anew}"
        ),
        ContestKind::Vanishes => format!(
            "the record of {target} was deleted {count} times after it was added, so it is not added again; \
             way out: find out who deletes it (scavenging, another tool, a second srvkeeper), and {anew}"
        ),
        ContestKind::Rewrites => format!(
            "the record of {target} was corrected and changed back {count} times, so it is left alone; \
             way out: `slmgr /cdns` on that host, or publisher = \"shared\" to let it publish itself, and {anew}"
        ),
    }
}

/// What is to be remembered of the zone's contests after a run; `None`: what was before.
///
/// `plan` is the zone's newest plan, `applied` whether its changes were made. `input` is what the
/// plan was made from, at the time it ended.
pub fn contests_after(
    input: &PlanInput<'_>,
    plan: &ZonePlan,
    applied: bool,
) -> Option<Vec<Contest>> {
    let before = input.memory.contests(&input.zone.owner);
    let mut rows = Rows {
        input,
        rows: before.to_vec(),
    };
    rows.rows.retain(|contest| !is_quiet(input, contest));
    let held = plan.held.iter().map(|held| &held.change);
    let intended: Vec<(&Name, ContestKind)> = plan
        .changes
        .iter()
        .chain(held)
        .filter_map(subject)
        .collect();
    rows.count_undone(&intended);
    rows.clear_settled(plan, &intended);
    if applied {
        rows.arm(plan);
    }
    rows.rows
        .sort_by(|a, b| (&a.target, a.kind).cmp(&(&b.target, b.kind)));
    (rows.rows != before).then_some(rows.rows)
}

/// Whose record a change is about, and what undoing it would be; `None`: nobody's.
fn subject(change: &Change) -> Option<(&Name, ContestKind)> {
    let Reason { code, .. } = change.reason;
    match &change.kind {
        ChangeKind::Create { after, .. } => Some((&after.target, ContestKind::Vanishes)),
        ChangeKind::Delete { before, .. } if code == ReasonCode::Duplicate => {
            Some((&before.target, ContestKind::Rewrites))
        }
        ChangeKind::Delete { before, .. } => Some((&before.target, ContestKind::Returns)),
        ChangeKind::Update { before, .. } if code == ReasonCode::DataDrift => {
            Some((&before.target, ContestKind::Rewrites))
        }
        ChangeKind::Update { .. } => None,
    }
}

struct Rows<'a, 'b> {
    input: &'b PlanInput<'a>,
    rows: Vec<Contest>,
}

impl Rows<'_, '_> {
    /// What is to be done again was undone.
    fn count_undone(&mut self, intended: &[(&Name, ContestKind)]) {
        for row in &mut self.rows {
            if is_undone(self.input, row) && intended.contains(&(&row.target, row.kind)) {
                row.count = row.count.saturating_add(1);
                row.armed_at = None;
                row.at = self.input.now;
            }
        }
    }

    /// A host that published itself while it was up is welcome, and one that went while it was down
    /// is not missed.
    fn clear_settled(&mut self, plan: &ZonePlan, intended: &[(&Name, ContestKind)]) {
        if self.rows.is_empty() {
            return;
        }
        let input = PlanInput {
            observed: &plan.observed,
            ..*self.input
        };
        for entry in entries(&input) {
            let name = entry.host.name();
            let settled = match (entry.verdict.state, entry.is_published()) {
                (State::Up, true) => ContestKind::Returns,
                (State::Down, false) => ContestKind::Vanishes,
                _ => continue,
            };
            if !intended.contains(&(name, settled)) {
                self.forget(name, settled);
            }
        }
    }

    /// What we did is now to be watched, and the opposite no longer is.
    fn arm(&mut self, plan: &ZonePlan) {
        for change in &plan.changes {
            let Some((target, kind)) = subject(change) else {
                continue;
            };
            let written = change
                .after()
                .filter(|_| kind == ContestKind::Rewrites)
                .cloned();
            match kind {
                ContestKind::Returns => self.forget(target, ContestKind::Vanishes),
                ContestKind::Vanishes => self.forget(target, ContestKind::Returns),
                ContestKind::Rewrites => {}
            }
            let now = self.input.now;
            match self.find(target, kind) {
                Some(row) => {
                    row.armed_at = row.armed_at.or(Some(now));
                    row.at = now;
                    row.written = written;
                }
                None => self.rows.push(Contest {
                    target: target.clone(),
                    kind,
                    count: 0,
                    armed_at: Some(now),
                    at: now,
                    written,
                }),
            }
        }
    }

    fn find(&mut self, target: &Name, kind: ContestKind) -> Option<&mut Contest> {
        self.rows
            .iter_mut()
            .find(|row| row.target == *target && row.kind == kind)
    }

    fn forget(&mut self, target: &Name, kind: ContestKind) {
        self.rows
            .retain(|row| row.target != *target || row.kind != kind);
    }
}
