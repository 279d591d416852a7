//! The guards: they withhold removals of inventory hosts, and each names the way out.
//!
//! | Guard | Withholds a removal when |
//! |---|---|
//! | contested | the record came back twice after it was removed |
//! | min-hosts | fewer than `min_hosts` inventory hosts that are not down would remain published |
//! | canary | no canary accepts a connection |
//! | freeze-percent | more than this share of the zone's active hosts is down or suspect |
//! | await-samples | another probed host has not been asked since this one first failed, or answers and may not have been asked while this one failed |
//! | max-removals | this many hosts left the zone within the interval |
//!
//! They look at removals in the order retired, forced, longest down. Overrides pass all but
//! min-hosts. An addition is withheld by contested alone. Where several would withhold, the first of the table is named. Retired hosts leave
//! for good, so that they do not count towards min-hosts even while their record stands.

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Canary, Changes, ContestKind, Expect, Foreign, Host, Name, ReasonCode, Role, State, Verdict,
    Verdicts,
};

use super::PlanInput;
use super::contest::contested;
use super::desired::{Entry, Intention, min_hosts, to_usize};
use super::report::{Guard, ShortOfHosts};

/// A host withdrawn longer ago than this no longer counts towards the freeze.
const WITHDRAWN_LONG_AGO: SignedDuration = SignedDuration::from_hours(1);

/// What the guards decided.
#[derive(Debug)]
pub(super) struct Withheld {
    /// By position among the entries: the guard that withholds this host's removal, and its text.
    pub(super) hosts: Vec<Option<(Guard, String)>>,
    /// Set when foreign records that are to be removed must stay too.
    pub(super) foreign: Option<(Guard, String)>,
    /// Set when fewer than `min_hosts` published hosts that are not down remain.
    pub(super) short_of_hosts: Option<ShortOfHosts>,
}

/// Applies every guard to every removal.
pub(super) fn withhold(input: &PlanInput<'_>, entries: &[Entry<'_>]) -> Withheld {
    let policy = &input.zone.policy;
    let min_hosts = min_hosts(input.zone);
    let network = network_suspect(input, entries);
    let mut removals_left = removals_left(input);
    let mut remaining = entries
        .iter()
        .filter(|entry| entry.is_published() || entry.will_be_published())
        .filter(|entry| entry.may_serve())
        .count();
    let mut hosts: Vec<Option<(Guard, String)>> = vec![None; entries.len()];

    for position in in_order_of_removal(entries) {
        let (Some(entry), Some(slot)) = (entries.get(position), hosts.get_mut(position)) else {
            continue;
        };
        if policy.changes != Changes::Sync {
            *slot = Some((Guard::Policy, policy_text(policy.changes)));
            continue;
        }
        if !entry.is_forced() {
            let contested = contested(input, entry.host.name(), ContestKind::Returns);
            if contested.is_some() {
                *slot = contested;
                continue;
            }
        }
        let left = remaining.saturating_sub(usize::from(entry.may_serve()));
        if left < min_hosts {
            *slot = Some((Guard::MinHosts, min_hosts_text(left, min_hosts)));
            continue;
        }
        if !entry.is_forced() {
            let withheld = network
                .clone()
                .or_else(|| await_samples(input, entry))
                .or_else(|| max_removals(input, removals_left));
            if withheld.is_some() {
                *slot = withheld;
                continue;
            }
        }
        remaining = left;
        removals_left = removals_left.saturating_sub(1);
    }

    for (entry, slot) in entries.iter().zip(&mut hosts) {
        // It counts as not down, so that min-hosts has no say.
        if entry.intention == Intention::Spare {
            *slot = match policy.changes {
                Changes::Sync => contested(input, entry.host.name(), ContestKind::Returns)
                    .or_else(|| network.clone()),
                changes => Some((Guard::Policy, policy_text(changes))),
            };
        }
    }

    let up = entries
        .iter()
        .zip(&hosts)
        .filter(|(entry, withheld)| {
            entry.will_be_published() || (entry.is_published() && withheld.is_some())
        })
        .filter(|(entry, _withheld)| entry.is_up() && entry.may_serve())
        .count();
    let foreign = if policy.foreign == Foreign::Report {
        None
    } else if up < min_hosts {
        Some((
            Guard::MinHosts,
            format!(
                "foreign records go only while min_hosts = {min_hosts} inventory hosts are published and up, and {up} would be; \
                 way out: repair hosts, or remove the record by hand"
            ),
        ))
    } else {
        network
    };
    let is_short = input.zone.expect == Expect::Hosts && remaining < min_hosts;
    Withheld {
        hosts,
        foreign,
        short_of_hosts: is_short.then_some(ShortOfHosts {
            left: remaining,
            min_hosts,
        }),
    }
}

/// Positions of the hosts to be withdrawn: retired, forced, longest down, then the others; by name
/// where that leaves a choice.
fn in_order_of_removal(entries: &[Entry<'_>]) -> Vec<usize> {
    let mut order: Vec<(u8, Timestamp, &Name, usize)> = entries
        .iter()
        .enumerate()
        .filter_map(|(position, entry)| {
            let Intention::Withdraw(code) = entry.intention else {
                return None;
            };
            let rank = match code {
                ReasonCode::HostRetired => 0,
                ReasonCode::HostForced => 1,
                ReasonCode::HostDown => 2,
                _ => 3,
            };
            let since = entry.verdict.since.unwrap_or(Timestamp::MAX);
            Some((rank, since, entry.host.name(), position))
        })
        .collect();
    order.sort();
    order
        .into_iter()
        .map(|(_rank, _since, _name, position)| position)
        .collect()
}

pub(super) fn min_hosts_text(left: usize, min_hosts: usize) -> String {
    format!(
        "{left} published hosts that are not down would remain, and min_hosts is {min_hosts}; \
         way out: bring another host up, add a standby, or lower min_hosts"
    )
}

pub(super) fn policy_text(changes: Changes) -> String {
    let word = match changes {
        Changes::Sync => "sync",
        Changes::UpsertOnly => "upsert-only",
        Changes::CreateOnly => "create-only",
    };
    format!("changes = \"{word}\" does not allow it; way out: changes = \"sync\", or do it by hand")
}

/// The guard that finds our own network suspect: then nothing is removed.
fn network_suspect(input: &PlanInput<'_>, entries: &[Entry<'_>]) -> Option<(Guard, String)> {
    if input.verdicts.canary == Canary::Silent {
        return Some((
            Guard::Canary,
            "no canary accepts a connection, so our own network is suspect and nothing is removed; \
             way out: repair the network, or `canary` where it names a wrong address; \
             `srvkeeper host down HOST` for a host that is really down"
                .to_owned(),
        ));
    }
    if input.zone.expect == Expect::Empty {
        return None;
    }
    // Where no active host has served for an hour, an outage shows in the standbys.
    let (all, failing, kind) = match failing_of(input, entries, Role::Active) {
        (0, _) => {
            let (all, failing) = failing_of(input, entries, Role::Standby);
            (all, failing, "standby")
        }
        (all, failing) => (all, failing, "active"),
    };
    let percent = usize::from(input.zone.policy.freeze_percent);
    (failing * 100 > percent * all).then(|| {
        (
            Guard::FreezePercent,
            format!(
                "{failing} of {all} {kind} hosts are down or suspect, more than freeze_percent = {percent} %, \
                 so our own network is suspect and nothing is removed; \
                 way out: `srvkeeper host down HOST` for each host that is really down"
            ),
        )
    })
}

/// How many hosts of this role count for the freeze, and how many of them are down or suspect.
fn failing_of(input: &PlanInput<'_>, entries: &[Entry<'_>], role: Role) -> (usize, usize) {
    let counted = || {
        entries
            .iter()
            .filter(|entry| entry.host.role == role && counts_for_freeze(input, entry))
    };
    let failing = counted()
        .filter(|entry| matches!(entry.verdict.state, State::Down | State::Suspect))
        .count();
    (counted().count(), failing)
}

/// Overridden hosts, those never up and unpublished, and those withdrawn over an hour ago say
/// nothing about our own network.
///
/// A host that is up again counts at once. One that is neither published nor up counts for an hour
/// after it was withdrawn or last seen up, whoever took its record out.
fn counts_for_freeze(input: &PlanInput<'_>, entry: &Entry<'_>) -> bool {
    if entry.is_forced() {
        return false;
    }
    if entry.is_published() || entry.is_up() {
        return true;
    }
    let (memory, name) = (input.memory, entry.host.name());
    let withdrawn = memory
        .removals(&input.zone.name)
        .iter()
        .filter(|removal| removal.host == *name)
        .map(|removal| removal.at);
    let last_up = memory.hosts.get(name).and_then(|host| host.last_up);
    withdrawn
        .chain(last_up)
        .any(|at| input.now.duration_since(at) <= WITHDRAWN_LONG_AGO)
}

/// An outage on our side takes the hosts one after another, and gives them back one after another:
/// wait until each of the others tells whether it answered while this one failed.
fn await_samples(input: &PlanInput<'_>, entry: &Entry<'_>) -> Option<(Guard, String)> {
    if entry.intention != Intention::Withdraw(ReasonCode::HostDown) {
        return None;
    }
    let host = entry.host.name();
    let awaited = Awaited::by(entry.host, entry.verdict, input.hosts, input.verdicts)?;
    let text = if let Some(others) = listed(&awaited.behind) {
        let first = awaited.behind.first()?;
        format!(
            "no sample of {others} was begun since this host first failed, so an outage on our side is not ruled out; \
             way out: wait for the next probe, find out with `srvkeeper probe {first}`, \
             or `srvkeeper host down {host}` if it is really down"
        )
    } else {
        let others = listed(&awaited.beside)?;
        format!(
            "{others} answered, but perhaps not while this host failed, so an outage on our side that is over by now is not ruled out; \
             way out: wait for the next probe, or `srvkeeper host down {host}` if it is really down"
        )
    };
    Some((Guard::AwaitSamples, text))
}

/// True when the removal of this host (an index), if it is down, waits for samples of others.
pub fn awaits_samples(hosts: &[Host], verdicts: &Verdicts, host: usize) -> bool {
    let (Some(host), Some(verdict)) = (hosts.get(host), verdicts.hosts.get(host)) else {
        return false;
    };
    Awaited::by(host, verdict, hosts, verdicts)
        .is_some_and(|awaited| !awaited.behind.is_empty() || !awaited.beside.is_empty())
}

/// Those whose samples a removal waits for, by name.
struct Awaited<'a> {
    /// Nobody has asked them since the host failed.
    behind: Vec<&'a Name>,
    /// They answer, and perhaps did not while the host failed.
    beside: Vec<&'a Name>,
}

impl<'a> Awaited<'a> {
    /// `None`: the host does not fail.
    fn by(host: &Host, verdict: &Verdict, hosts: &'a [Host], verdicts: &Verdicts) -> Option<Self> {
        let failures = Failures::of(verdict)?;
        let that = |is_so: fn(&Failures, &Host, &Verdict) -> bool| -> Vec<&'a Name> {
            let mut names: Vec<&Name> = hosts
                .iter()
                .zip(&verdicts.hosts)
                .filter(|(other, verdict)| {
                    other.name() != host.name()
                        && verdict.probed
                        && is_so(&failures, other, verdict)
                })
                .map(|(other, _verdict)| other.name())
                .collect();
            names.sort();
            names
        };
        Some(Self {
            behind: that(Failures::has_none_since),
            beside: that(Failures::miss),
        })
    }
}

/// `kms1.corp.example. and 3 more`; `None`: nobody.
fn listed(names: &[&Name]) -> Option<String> {
    match names {
        [] => None,
        [only] => Some(only.to_string()),
        [first, more @ ..] => Some(format!("{first} and {} more", more.len())),
    }
}

/// The failed samples of a host, one right after the other, up to its newest.
struct Failures {
    /// When the first ended: what made it fail had begun by then.
    begin: Timestamp,
    /// When the newest began: what made it fail had not ended by then.
    end: Timestamp,
    /// True when they are all that made the host down, and it did not fail in earlier ones too.
    alone: bool,
}

impl Failures {
    fn of(verdict: &Verdict) -> Option<Self> {
        let begin = verdict.first_failure?;
        Some(Self {
            begin,
            end: verdict.newest_sample?,
            alone: verdict.since == Some(begin),
        })
    }

    /// True when nobody has asked the host since.
    fn has_none_since(&self, _host: &Host, verdict: &Verdict) -> bool {
        verdict
            .newest_sample
            .is_none_or(|newest| newest <= self.begin)
    }

    /// True when the host answers now, and an outage of all hosts could still lie between two of
    /// its samples, as over these failures.
    ///
    /// Nothing more is asked of one that fails, since the freeze counts it, nor after a single row
    /// of probes, since no more will come.
    fn miss(&self, host: &Host, verdict: &Verdict) -> bool {
        let (Some(passing_since), Some(newest)) = (verdict.passing_since, verdict.newest_sample)
        else {
            return false;
        };
        if passing_since > self.end {
            return true;
        }
        let was_asked_between = passing_since >= self.begin
            || newest <= self.end
            || self.end.duration_since(self.begin)
                >= SignedDuration::try_from(host.health.longest_gap())
                    .unwrap_or(SignedDuration::MAX);
        self.alone && !was_asked_between
    }
}

/// How many removals this run may still make.
fn removals_left(input: &PlanInput<'_>) -> usize {
    if let Some(allowed) = input.allow_removals {
        return to_usize(allowed);
    }
    let made = input
        .memory
        .removals(&input.zone.name)
        .iter()
        .filter(|removal| input.now.duration_since(removal.at).unsigned_abs() < input.interval)
        .count();
    to_usize(input.zone.policy.max_removals).saturating_sub(made)
}

fn max_removals(input: &PlanInput<'_>, left: usize) -> Option<(Guard, String)> {
    if left > 0 {
        return None;
    }
    let limit = match input.allow_removals {
        Some(allowed) => format!("--allow-removals {allowed} is used up in this zone"),
        None => format!(
            "max_removals = {} per zone and interval is used up",
            input.zone.policy.max_removals
        ),
    };
    Some((
        Guard::MaxRemovals,
        format!(
            "{limit}; way out: wait for the next interval, or `srvkeeper apply --allow-removals N`"
        ),
    ))
}
