//! Counts over everything, and the one line that says how things are.

use std::fmt;
use std::sync::Arc;

use jiff::Timestamp;

use super::{HostStatus, Status, ZoneState, ZoneStatus};
use crate::model::{AlertKind, Canary, OutcomeKind, Role, State};
use crate::plan::Guard;

/// How much something asks for attention.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// Nothing to do.
    #[default]
    Ok,
    /// Somebody should look at it.
    Warning,
    /// Clients may be harmed.
    Critical,
}

impl Level {
    /// The word in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Ok => "ok",
            Self::Warning => "warning",
            Self::Critical => "critical",
        }
    }
}

impl fmt::Display for Level {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// Counts over all zones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Totals {
    /// Zones in each state, in the order of [`ZoneState::ALL`].
    pub states: [usize; ZoneState::ALL.len()],
    /// Zones that were not looked at yet.
    pub unread: usize,
    /// Zones that ask for attention.
    pub problems: usize,
    /// Records that are published.
    pub published: usize,
    /// Records that should be published and are not.
    pub missing: usize,
    /// Changes that are held for a while.
    pub held: usize,
    /// Changes that are left alone because somebody undoes them.
    pub contested: usize,
    /// Records that no inventory host explains.
    pub foreign: usize,
    /// Changes to be made.
    pub pending: usize,
    /// Zones whose other name servers do not all agree.
    pub disagreeing: usize,
    /// When the zone that was left alone for longest was looked at, or configured where it was not
    /// looked at yet.
    pub left_alone_since: Option<Timestamp>,
    /// When any zone was last looked at.
    pub last_attempt: Option<Timestamp>,
    /// When any zone was last looked at with success.
    pub last_success: Option<Timestamp>,
}

impl Totals {
    /// Counts the zones.
    pub(super) fn of<'a>(zones: impl Iterator<Item = &'a ZoneStatus>) -> Self {
        let mut totals = Self::default();
        for zone in zones {
            let state = zone.state();
            for (count, known) in totals.states.iter_mut().zip(ZoneState::ALL) {
                *count += usize::from(known == state);
            }
            totals.unread += usize::from(zone.last_attempt.is_none());
            totals.problems += usize::from(zone.level() != Level::Ok);
            totals.published += zone.published().len();
            totals.missing += zone.missing().count();
            totals.held += zone.held();
            totals.contested += zone.contested();
            totals.foreign += zone.foreign();
            totals.pending += zone.pending();
            totals.disagreeing += usize::from(zone.disagrees());
            let since = zone.last_attempt.unwrap_or(zone.since);
            let oldest = totals.left_alone_since.unwrap_or(since);
            totals.left_alone_since = Some(oldest.min(since));
            totals.last_attempt = totals.last_attempt.max(zone.last_attempt);
            totals.last_success = totals.last_success.max(zone.last_success);
        }
        totals
    }

    /// How many zones are in this state.
    pub fn in_state(&self, state: ZoneState) -> usize {
        let mut counts = ZoneState::ALL.into_iter().zip(self.states);
        counts
            .find(|(known, _)| *known == state)
            .map_or(0, |(_, count)| count)
    }
}

/// What was counted since the daemon began.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Counters {
    /// Updates, in the order of [`OutcomeKind::ALL`].
    pub updates: [u64; OutcomeKind::ALL.len()],
    /// How often each guard began to withhold a change, in the order of [`Guard::ALL`].
    pub guards: [u64; Guard::ALL.len()],
    /// Alerts, in the order of [`AlertKind::ALL`].
    pub alerts: [u64; AlertKind::ALL.len()],
    /// Looks at a zone that succeeded.
    pub succeeded: u64,
    /// Looks at a zone that failed.
    pub failed: u64,
}

impl Counters {
    pub(super) fn update(&mut self, kind: OutcomeKind) {
        add_one(&mut self.updates, &OutcomeKind::ALL, kind);
    }

    pub(super) fn guard(&mut self, guard: Guard) {
        add_one(&mut self.guards, &Guard::ALL, guard);
    }

    pub(super) fn alert(&mut self, kind: AlertKind) {
        add_one(&mut self.alerts, &AlertKind::ALL, kind);
    }
}

fn add_one<T: PartialEq>(counts: &mut [u64], all: &[T], what: T) {
    for (count, known) in counts.iter_mut().zip(all) {
        *count += u64::from(*known == what);
    }
}

/// How things are, in one line.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// How much attention is asked for.
    pub level: Level,
    /// The line.
    pub text: String,
}

impl Status {
    /// How things are, in one line.
    pub fn verdict(&self, now: Timestamp) -> Verdict {
        let mut level = Level::Ok;
        let mut wrong = Vec::new();
        let mut tell = |at_least: Level, text: String| {
            level = level.max(at_least);
            wrong.push(text);
        };
        if self.is_stalled(now) {
            let text = format!("the daemon has not moved since {:.0}: restart it", self.at);
            tell(Level::Critical, text);
        }
        if self.store_failure.is_some() {
            tell(
                Level::Critical,
                "the store cannot be used, so nothing is written".to_owned(),
            );
        }
        if self.is_overdue(now) {
            tell(
                Level::Critical,
                "zones were not looked at for over two intervals".to_owned(),
            );
        }
        for (state, at_least, what) in [
            (ZoneState::Unreadable, Level::Critical, "cannot be read"),
            (ZoneState::Failed, Level::Critical, "not updated"),
            (ZoneState::Short, Level::Critical, "short of hosts"),
            (ZoneState::Held, Level::Warning, "held by a guard"),
            (ZoneState::Pending, Level::Warning, "with pending changes"),
            (ZoneState::Unread, Level::Warning, "not looked at yet"),
        ] {
            match self.totals.in_state(state) {
                0 => {}
                count => tell(at_least, format!("{} {what}", zones(count))),
            }
        }
        if self.totals.contested > 0 {
            let text = match self.totals.contested {
                1 => "1 change contested".to_owned(),
                count => format!("{count} changes contested"),
            };
            tell(Level::Warning, text);
        }
        if self.totals.disagreeing > 0 {
            let count = zones(self.totals.disagreeing);
            tell(Level::Warning, format!("{count} with name servers behind"));
        }
        for state in [State::Down, State::Suspect] {
            match self.hosts_that_are(state) {
                0 => {}
                1 => tell(Level::Warning, format!("1 host {state}")),
                count => tell(Level::Warning, format!("{count} hosts {state}")),
            }
        }
        let obstructed = |host: &&Arc<HostStatus>| host.probed && host.obstacle.is_some();
        match self.hosts.iter().filter(obstructed).count() {
            0 => {}
            1 => tell(Level::Warning, "1 host cannot be probed".to_owned()),
            count => tell(Level::Warning, format!("{count} hosts cannot be probed")),
        }
        if self.canary == Canary::Silent {
            tell(
                Level::Warning,
                "no canary answers, so nothing is removed".to_owned(),
            );
        }
        if self.pause.is_some() {
            tell(Level::Warning, "paused, so nothing is written".to_owned());
        }
        let up = self.hosts_that_are(State::Up);
        let asked = self.hosts.iter().filter(|host| host.role != Role::Retired);
        let in_sync = self.totals.in_state(ZoneState::InSync);
        let fine = format!(
            "{up} of {} hosts up, {in_sync} of {} in sync",
            asked.count(),
            zones(self.zones.len())
        );
        wrong.push(fine);
        Verdict {
            level,
            text: wrong.join("; "),
        }
    }

    /// How many hosts that are not retired are in this state.
    pub fn hosts_that_are(&self, state: State) -> usize {
        let hosts = self.hosts.iter();
        hosts
            .filter(|host| host.role != Role::Retired && host.verdict.state == state)
            .count()
    }
}

fn zones(count: usize) -> String {
    match count {
        1 => "1 zone".to_owned(),
        _ => format!("{count} zones"),
    }
}
