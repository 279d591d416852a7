//! One zone.

use std::fmt;

use jiff::Timestamp;

use super::Level;
use crate::model::{Change, ChangeKind, Name, Outcome, OutcomeKind, ServerCopy, Srv, Zone};
use crate::plan::{Guard, ZoneError, ZonePlan};

/// What is known of one zone.
#[derive(Debug, Clone)]
pub struct ZoneStatus {
    /// The clients' DNS suffix.
    pub zone: Name,
    /// The owner name of the RRset.
    pub owner: Name,
    /// Since when the daemon is to look at it.
    pub since: Timestamp,
    /// The newest plan, where an update that was applied counts as observed; or why there is none.
    /// `None`: the zone was not looked at yet.
    pub plan: Option<Result<ZonePlan, ZoneError>>,
    /// What became of the newest update, when it was not applied.
    pub failure: Option<Outcome>,
    /// Why what is pending was not written.
    pub obstacle: Option<String>,
    /// When it was last looked at.
    pub last_attempt: Option<Timestamp>,
    /// When it was last read, planned and, where something was to be written, written.
    pub last_success: Option<Timestamp>,
    /// The newest update that was sent since the daemon began.
    pub last_change: Option<LastChange>,
    /// What its other name servers published when they were last asked.
    pub copies: Option<Copies>,
}

/// An update, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LastChange {
    /// When that was known.
    pub at: Timestamp,
    /// Who asked for it.
    pub actor: String,
    /// The outcome.
    pub outcome: OutcomeKind,
    /// What happened, for people.
    pub text: String,
    /// How many records it was to change.
    pub changes: usize,
}

/// What a zone's other name servers published.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Copies {
    /// When they were asked.
    pub at: Timestamp,
    /// Each of them, or why they are not known.
    pub servers: Result<Vec<ServerCopy>, String>,
}

impl Copies {
    /// How many publish the same RRset.
    pub fn agreeing(&self) -> usize {
        let servers = self.servers.iter().flatten();
        servers.filter(|copy| copy.state.agrees()).count()
    }

    /// How many there are.
    pub fn total(&self) -> usize {
        self.servers.as_ref().map_or(0, Vec::len)
    }
}

/// How a zone is, the gravest first.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ZoneState {
    /// It could not be read at its primary.
    Unreadable,
    /// Its update was not applied.
    Failed,
    /// Fewer than `min_hosts` hosts that are not down are published.
    Short,
    /// A guard withholds something.
    Held,
    /// Something is to be changed, and was not written.
    Pending,
    /// It was not looked at yet.
    Unread,
    /// Nothing is to be done.
    InSync,
}

impl ZoneState {
    /// Every state, the gravest first.
    pub const ALL: [Self; 7] = [
        Self::Unreadable,
        Self::Failed,
        Self::Short,
        Self::Held,
        Self::Pending,
        Self::Unread,
        Self::InSync,
    ];

    /// The word in JSON and in metrics.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unreadable => "unreadable",
            Self::Failed => "failed",
            Self::Short => "short",
            Self::Held => "held",
            Self::Pending => "pending",
            Self::Unread => "unread",
            Self::InSync => "in-sync",
        }
    }

    /// The state that [`ZoneState::as_str`] prints so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|state| state.as_str() == text)
    }
}

impl fmt::Display for ZoneState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

impl ZoneStatus {
    /// A zone that was not looked at yet.
    pub(super) fn new(zone: &Zone, now: Timestamp) -> Self {
        Self {
            zone: zone.name.clone(),
            owner: zone.owner.clone(),
            since: now,
            plan: None,
            failure: None,
            obstacle: None,
            last_attempt: None,
            last_success: None,
            last_change: None,
            copies: None,
        }
    }

    /// The newest plan, where there is one.
    pub fn planned(&self) -> Option<&ZonePlan> {
        self.plan.as_ref()?.as_ref().ok()
    }

    /// Why it could not be read.
    pub fn error(&self) -> Option<&ZoneError> {
        self.plan.as_ref()?.as_ref().err()
    }

    /// How it is.
    pub fn state(&self) -> ZoneState {
        let plan = match &self.plan {
            None => return ZoneState::Unread,
            Some(Err(_)) => return ZoneState::Unreadable,
            Some(Ok(plan)) => plan,
        };
        if self.failure.is_some() {
            ZoneState::Failed
        } else if plan.short_of_hosts.is_some() {
            ZoneState::Short
        } else if plan.is_held() {
            ZoneState::Held
        } else if plan.is_pending() {
            ZoneState::Pending
        } else {
            ZoneState::InSync
        }
    }

    /// How much it asks for somebody's attention.
    pub fn level(&self) -> Level {
        match self.state() {
            ZoneState::Unreadable | ZoneState::Failed | ZoneState::Short => Level::Critical,
            ZoneState::Held | ZoneState::Pending => Level::Warning,
            ZoneState::Unread => Level::Ok,
            ZoneState::InSync if self.contested() > 0 || self.disagrees() => Level::Warning,
            ZoneState::InSync => Level::Ok,
        }
    }

    /// The records that are published, as far as is known.
    pub fn published(&self) -> &[Srv] {
        self.planned().map_or(&[], |plan| &plan.observed.records)
    }

    /// The records that should be published and are not, be it that their addition is held.
    pub fn missing(&self) -> impl Iterator<Item = &Srv> {
        let plan = self.planned();
        let pending = plan.into_iter().flat_map(|plan| &plan.changes);
        let held = plan.into_iter().flat_map(|plan| &plan.held);
        let added = |change: &&Change| matches!(change.kind, ChangeKind::Create { .. });
        pending
            .chain(held.map(|held| &held.change))
            .filter(added)
            .filter_map(Change::after)
    }

    /// How many changes are held for a while.
    pub fn held(&self) -> usize {
        self.planned().map_or(0, |plan| {
            let held = plan.held.iter().filter(|held| !held.guard.leaves_alone());
            held.count()
        })
    }

    /// How many changes are left alone because somebody undoes them each time.
    pub fn contested(&self) -> usize {
        self.planned().map_or(0, ZonePlan::contested)
    }

    /// How many records no inventory host explains.
    pub fn foreign(&self) -> usize {
        self.planned().map_or(0, |plan| plan.foreign.len())
    }

    /// How many changes are to be made.
    pub fn pending(&self) -> usize {
        self.planned().map_or(0, |plan| plan.changes.len())
    }

    /// True when some of its other name servers published another RRset, or could not be read.
    pub fn disagrees(&self) -> bool {
        let copies = self.copies.as_ref();
        copies.is_some_and(|copies| copies.agreeing() < copies.total())
    }

    /// True when the other one says the same of the zone: when it was looked at aside.
    pub(super) fn says_the_same(&self, other: &Self) -> bool {
        self.plan == other.plan
            && (&self.failure, &self.obstacle) == (&other.failure, &other.obstacle)
            && (&self.last_change, &self.copies) == (&other.last_change, &other.copies)
    }

    /// What is held, by guard and record: what makes one held change another than before.
    pub(super) fn trips(&self) -> impl Iterator<Item = (Guard, Option<&Srv>, Option<&Srv>)> {
        let held = self.planned().into_iter().flat_map(|plan| &plan.held);
        held.map(|held| (held.guard, held.change.before(), held.change.after()))
    }
}

/// The plan as it stands after its update was applied: nothing of it is left to do.
pub(super) fn applied(plan: ZonePlan, serial: Option<u32>) -> ZonePlan {
    let mut observed = plan.observed;
    observed.records = plan.after.clone();
    observed.ttl = plan.after_ttl;
    observed.mixed_ttl = false;
    observed.serial = serial.unwrap_or(observed.serial);
    // Of the foreign records those stay that were not to be removed.
    let mut foreign = plan.foreign;
    foreign.retain(|foreign| plan.after.contains(&foreign.record));
    let is_foreign = |record: &Srv| foreign.iter().any(|foreign| foreign.record == *record);
    let is_held = |record: &Srv| {
        let mut held = plan.held.iter().filter_map(|held| held.change.before());
        held.any(|before| before == record)
    };
    let records = plan.after.iter();
    let unchanged = records.filter(|record| !is_foreign(record) && !is_held(record));
    let unchanged = unchanged.count();
    ZonePlan {
        observed,
        changes: Vec::new(),
        foreign,
        removed: Vec::new(),
        unchanged,
        ..plan
    }
}
