//! What each inventory host should be in this zone: published, left alone or withdrawn.

use crate::model::{
    Canary, ContestKind, Expect, Host, ReasonCode, Role, Srv, State, Verdict, Zone,
};

use super::PlanInput;
use super::contest::is_contested;

/// An inventory host beside its published records.
#[derive(Debug)]
pub(super) struct Entry<'a> {
    pub(super) host: &'a Host,
    pub(super) verdict: &'a Verdict,
    /// The host's records as read: those with its name as target.
    pub(super) published: &'a [Srv],
    pub(super) intention: Intention,
}

/// What should happen to a host's records.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Intention {
    /// Stay away, or stay as it is.
    Leave,
    /// Add the record.
    Publish(ReasonCode),
    /// Add no record although one is missing: the addition is contested.
    Refrain(ReasonCode),
    /// Remove every record.
    Withdraw(ReasonCode),
    /// Remove no record although the host fails: its state rests on a network that is suspect.
    Spare,
}

impl Entry<'_> {
    pub(super) fn is_published(&self) -> bool {
        !self.published.is_empty()
    }

    pub(super) fn is_forced(&self) -> bool {
        self.verdict.forced.is_some()
    }

    pub(super) fn is_down(&self) -> bool {
        self.verdict.state == State::Down
    }

    pub(super) fn is_up(&self) -> bool {
        self.verdict.state == State::Up
    }

    /// Counts towards `min_hosts` while published: not down, and not on its way out for good.
    ///
    /// A retired host is not probed, so that nobody knows whether it answers: it must not be what
    /// lets the last real host go.
    pub(super) fn may_serve(&self) -> bool {
        !self.is_down() && self.host.role != Role::Retired
    }

    /// Published once the intention is carried out.
    pub(super) fn will_be_published(&self) -> bool {
        match self.intention {
            Intention::Leave | Intention::Refrain(_) | Intention::Spare => self.is_published(),
            Intention::Publish(_) => true,
            Intention::Withdraw(_) => false,
        }
    }
}

/// The zone's hosts in file order, each with its records.
pub(super) fn entries<'a>(input: &PlanInput<'a>) -> Vec<Entry<'a>> {
    let records = &input.observed.records;
    // Hosts often stand in the order of their names, as the records do: the next host's records
    // are then those behind the last one's.
    let mut next = 0;
    input
        .zone
        .hosts
        .iter()
        .filter_map(|&index| {
            let host = input.hosts.get(index)?;
            let behind = records.get(next..).unwrap_or_default();
            let run = run_of(behind, host);
            let published = if run.is_empty() {
                records_of(records, host)
            } else {
                next += run.len();
                run
            };
            Some(Entry {
                host,
                verdict: input.verdicts.hosts.get(index)?,
                published,
                intention: Intention::Leave,
            })
        })
        .collect()
}

/// The records at the beginning whose target is the host.
fn run_of<'a>(records: &'a [Srv], host: &Host) -> &'a [Srv] {
    let others = |record: &Srv| record.target != *host.name();
    let length = records.iter().position(others).unwrap_or(records.len());
    records.get(..length).unwrap_or_default()
}

/// The run of records whose target is the host; the records are sorted by target.
fn records_of<'a>(records: &'a [Srv], host: &Host) -> &'a [Srv] {
    let begin = records.partition_point(|record| record.target < *host.name());
    let rest = records.get(begin..).unwrap_or_default();
    let length = rest.partition_point(|record| record.target == *host.name());
    rest.get(..length).unwrap_or_default()
}

/// Sets every host's intention.
pub(super) fn decide(input: &PlanInput<'_>, entries: &mut [Entry<'_>]) {
    for entry in entries.iter_mut() {
        entry.intention = on_its_own(input.zone.expect, entry);
        if let Intention::Publish(code) = entry.intention
            && !entry.is_forced()
            && is_contested(input, entry.host.name(), ContestKind::Vanishes)
        {
            entry.intention = Intention::Refrain(code);
        }
    }
    if input.zone.expect == Expect::Hosts {
        decide_standbys(input, entries);
    }
    // After the standbys, who take nobody's place for the sake of a suspicion.
    if input.verdicts.canary == Canary::Silent {
        for entry in entries {
            let is_spared = entry.verdict.spared && !entry.is_forced() && entry.is_published();
            if is_spared && entry.intention == Intention::Leave {
                entry.intention = Intention::Spare;
            }
        }
    }
}

/// What a host's role and verdict ask for, standbys' need aside.
fn on_its_own(expect: Expect, entry: &Entry<'_>) -> Intention {
    let published = entry.is_published();
    if entry.host.role == Role::Retired {
        return withdraw_if(published, ReasonCode::HostRetired);
    }
    if expect == Expect::Empty {
        return withdraw_if(published, ReasonCode::ExpectEmpty);
    }
    match (entry.verdict.state, entry.is_forced()) {
        (State::Down, true) => withdraw_if(published, ReasonCode::HostForced),
        (State::Down, false) if !entry.verdict.recovering => {
            withdraw_if(published, ReasonCode::HostDown)
        }
        (State::Up, true) if !published => Intention::Publish(ReasonCode::HostForced),
        (State::Up, false) if !published && entry.host.role == Role::Active => {
            Intention::Publish(ReasonCode::HostUp)
        }
        _ => Intention::Leave,
    }
}

fn withdraw_if(published: bool, code: ReasonCode) -> Intention {
    if published {
        Intention::Withdraw(code)
    } else {
        Intention::Leave
    }
}

/// Publishes standbys in file order while active hosts are missing, and withdraws idle ones.
///
/// A host that is unknown or suspect counts as up when a standby would be published, and as not up
/// when one would be withdrawn. Standbys also fill the gap that `min_hosts` would leave. Those that
/// are forced up serve first, wherever they stand in the file.
fn decide_standbys(input: &PlanInput<'_>, entries: &mut [Entry<'_>]) {
    let wanted = to_usize(input.zone.standby_below);
    let active = || {
        entries
            .iter()
            .filter(|entry| entry.host.role == Role::Active)
    };
    let up = active().filter(|entry| entry.is_up()).count();
    let not_down = active().filter(|entry| !entry.is_down()).count();
    let remaining = active()
        .filter(|entry| entry.will_be_published() && !entry.is_down())
        .count();
    let gap = min_hosts(input.zone).saturating_sub(remaining);
    let publish_up_to = wanted.saturating_sub(not_down).max(gap);
    let keep_up_to = wanted.saturating_sub(up).max(gap);

    let standbys = || {
        entries
            .iter()
            .filter(|entry| entry.host.role == Role::Standby)
            .filter(|entry| entry.will_be_published() && !entry.is_down())
    };
    let mut published = standbys().count();
    let mut serving = standbys().filter(|entry| entry.is_forced()).count();
    for entry in entries
        .iter_mut()
        .filter(|entry| entry.host.role == Role::Standby && !entry.is_forced())
    {
        if entry.is_published() && entry.intention == Intention::Leave {
            if serving >= keep_up_to {
                entry.intention = Intention::Withdraw(ReasonCode::StandbyIdle);
            }
            serving += usize::from(entry.is_up());
        } else if entry.is_up() && !entry.is_published() && published < publish_up_to {
            // The next standby takes its turn.
            if is_contested(input, entry.host.name(), ContestKind::Vanishes) {
                entry.intention = Intention::Refrain(ReasonCode::StandbyNeeded);
                continue;
            }
            entry.intention = Intention::Publish(ReasonCode::StandbyNeeded);
            published += 1;
            serving += 1;
        }
    }
}

/// How many hosts must stay published: none where none is expected.
pub(super) fn min_hosts(zone: &Zone) -> usize {
    match zone.expect {
        Expect::Hosts => to_usize(zone.policy.min_hosts),
        Expect::Empty => 0,
    }
}

/// Counts of hosts fit; a number beyond the address space is as good as the largest.
pub(super) fn to_usize(number: u32) -> usize {
    usize::try_from(number).unwrap_or(usize::MAX)
}
