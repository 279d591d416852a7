//! The plan as it is returned: changes, what is held and why, what is foreign.

use std::fmt;

use jiff::Timestamp;

use crate::model::{Change, ChangeKind, Host, Name, Observed, Srv, Verdict, Zone};

/// The plan over all zones of one run.
#[derive(Debug, Clone)]
pub struct Plan {
    /// When it was made.
    pub created: Timestamp,
    /// The verdicts it relies on, in inventory order.
    pub hosts: Vec<PlannedHost>,
    /// One per zone, in the order of the zones' names.
    pub zones: Vec<ZoneResult>,
}

/// A host with the verdict that the plan relies on.
#[derive(Debug, Clone)]
pub struct PlannedHost {
    /// The host.
    pub name: Name,
    /// What was believed of it.
    pub verdict: Verdict,
}

/// One zone's plan, or why there is none.
#[derive(Debug, Clone)]
pub struct ZoneResult {
    /// The zone's name.
    pub zone: Name,
    /// The plan, or the error that stopped this zone.
    pub result: Result<ZonePlan, ZoneError>,
}

/// Why a zone has no plan, or what became of it could not be made good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{text}")]
pub struct ZoneError {
    /// The server concerned, where one is.
    pub server: Option<String>,
    /// What happened and what to do next.
    pub text: String,
}

impl ZoneError {
    /// The run was interrupted before this zone was done.
    pub fn interrupted() -> Self {
        Self {
            server: None,
            text: "not done: interrupted".to_owned(),
        }
    }

    /// True for [`ZoneError::interrupted`], which says nothing about the zone.
    pub fn is_interrupted(&self) -> bool {
        *self == Self::interrupted()
    }
}

/// What is to be done in one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonePlan {
    /// The zone's name.
    pub zone: Name,
    /// The RRset's owner name.
    pub owner: Name,
    /// The RRset as read; the update's prerequisite.
    pub observed: Observed,
    /// The changes, by target.
    pub changes: Vec<Change>,
    /// The changes that a guard withheld.
    pub held: Vec<Held>,
    /// Records that no inventory host explains.
    pub foreign: Vec<ForeignRecord>,
    /// Inventory records that stay as they are and are not held.
    pub unchanged: usize,
    /// The RRset afterwards, in [`Srv`] order.
    pub after: Vec<Srv>,
    /// The RRset's TTL afterwards, in seconds; `None`: no RRset.
    pub after_ttl: Option<u32>,
    /// Inventory hosts that leave the RRset.
    pub removed: Vec<Name>,
    /// Set when hosts are expected, and fewer than `min_hosts` that are not down remain published.
    pub short_of_hosts: Option<ShortOfHosts>,
}

/// How many hosts are too few.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct ShortOfHosts {
    /// Inventory hosts that remain published, are not down, and stay.
    pub left: usize,
    /// How many the zone wants.
    pub min_hosts: usize,
}

impl fmt::Display for ShortOfHosts {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { left, min_hosts } = self;
        write!(
            f,
            "published hosts that are not down: {left}, fewer than min_hosts = {min_hosts}; \
             way out: bring another host up, add a standby, or lower min_hosts"
        )
    }
}

impl ZonePlan {
    /// A plan of the given changes onto what was read, nothing held.
    ///
    /// `hosts` is the inventory: those of its hosts whose last record goes count as removed.
    pub fn from_changes(
        zone: &Zone,
        hosts: &[Host],
        observed: Observed,
        changes: Vec<Change>,
    ) -> Self {
        let mut after = observed.records.clone();
        for before in changes.iter().filter_map(Change::before) {
            if let Some(position) = after.iter().position(|record| record.same_spelling(before)) {
                after.remove(position);
            }
        }
        let unchanged = after.len();
        after.extend(changes.iter().filter_map(Change::after).cloned());
        after.sort();
        let after_ttl = changes
            .iter()
            .find_map(Change::after_ttl)
            .or(observed.ttl)
            .filter(|_ttl| !after.is_empty());
        let publishes =
            |records: &[Srv], name: &Name| records.iter().any(|record| record.target == *name);
        let removed = zone
            .hosts
            .iter()
            .filter_map(|&index| hosts.get(index))
            .map(Host::name)
            .filter(|name| publishes(&observed.records, name) && !publishes(&after, name))
            .cloned()
            .collect();
        Self {
            zone: zone.name.clone(),
            owner: zone.owner.clone(),
            observed,
            changes,
            held: Vec::new(),
            foreign: Vec::new(),
            unchanged,
            after,
            after_ttl,
            removed,
            short_of_hosts: None,
        }
    }

    /// True when the RRset would change.
    pub fn is_pending(&self) -> bool {
        !self.changes.is_empty()
    }

    /// True when a guard withheld something that is not left alone for good.
    pub fn is_held(&self) -> bool {
        self.held.iter().any(|held| !held.guard.leaves_alone())
    }

    /// How many changes are not made because somebody undoes them each time.
    pub fn contested(&self) -> usize {
        self.held
            .iter()
            .filter(|held| held.guard == Guard::Contested)
            .count()
    }
}

#[cfg(test)]
impl ZonePlan {
    /// A plan that leaves the empty RRset of corp.example. as it is, for tests to fill.
    pub(crate) fn empty() -> Self {
        let zone = Name::parse("corp.example.").unwrap();
        Self {
            zone: zone.clone(),
            owner: Name::parse("_vlmcs._tcp.corp.example.").unwrap(),
            observed: Observed {
                server: "127.0.0.1:53".parse().unwrap(),
                update_zone: zone,
                serial: 7,
                ttl: None,
                mixed_ttl: false,
                records: Vec::new(),
            },
            changes: Vec::new(),
            held: Vec::new(),
            foreign: Vec::new(),
            unchanged: 0,
            after: Vec::new(),
            after_ttl: None,
            removed: Vec::new(),
            short_of_hosts: None,
        }
    }
}

/// A change that a guard withheld.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Held {
    /// What would have been done.
    pub change: Change,
    /// The guard.
    pub guard: Guard,
    /// Why, with the numbers, and the way out.
    pub text: String,
}

/// What can withhold a change.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Guard {
    /// `policy.changes` does not allow this kind of change.
    Policy,
    /// Somebody undoes this change each time it is made.
    Contested,
    /// Too few hosts would remain published.
    MinHosts,
    /// No canary answers: our own network is suspect.
    Canary,
    /// Too many hosts are down or suspect at once: our own network is suspect.
    FreezePercent,
    /// Another host has not been probed since this one first failed.
    AwaitSamples,
    /// Enough hosts were removed in this interval.
    MaxRemovals,
}

impl Guard {
    /// Every guard.
    pub const ALL: [Self; 7] = [
        Self::Policy,
        Self::Contested,
        Self::MinHosts,
        Self::Canary,
        Self::FreezePercent,
        Self::AwaitSamples,
        Self::MaxRemovals,
    ];

    /// The guard that [`Guard::as_str`] prints so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|guard| guard.as_str() == text)
    }

    /// True when what it withholds is left as it is, and no exit status tells of it.
    pub fn leaves_alone(self) -> bool {
        matches!(self, Self::Policy | Self::Contested)
    }

    /// The guard's name in JSON.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Policy => "policy",
            Self::Contested => "contested",
            Self::MinHosts => "min-hosts",
            Self::Canary => "canary",
            Self::FreezePercent => "freeze-percent",
            Self::AwaitSamples => "await-samples",
            Self::MaxRemovals => "max-removals",
        }
    }
}

impl fmt::Display for Guard {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A published record that no inventory host explains.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ForeignRecord {
    /// The record as read.
    pub record: Srv,
    /// What is known of it.
    pub text: String,
}

/// Counts over all zones.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Summary {
    /// Zones looked at.
    pub zones: usize,
    /// Records to add.
    pub creates: usize,
    /// Records to change.
    pub updates: usize,
    /// Records to remove.
    pub deletes: usize,
    /// Changes withheld, those held by policy and the contested ones included.
    pub held: usize,
    /// Changes withheld because somebody undoes them each time.
    pub contested: usize,
    /// Foreign records.
    pub foreign: usize,
    /// Zones without a plan.
    pub errors: usize,
    /// Zones in which a guard withheld something that is not left alone for good.
    pub held_zones: usize,
    /// Zones left with fewer than `min_hosts` published hosts that are not down.
    pub short_zones: usize,
}

impl Plan {
    /// The zones that have a plan.
    pub fn planned(&self) -> impl Iterator<Item = &ZonePlan> {
        self.zones
            .iter()
            .filter_map(|zone| zone.result.as_ref().ok())
    }

    /// Counts over all zones.
    pub fn summary(&self) -> Summary {
        Summary::of(self.zones.iter().map(|zone| zone.result.as_ref().ok()))
    }
}

impl Summary {
    /// Counts over these zones; one without a plan is in error.
    pub fn of<'a>(zones: impl IntoIterator<Item = Option<&'a ZonePlan>>) -> Self {
        let mut summary = Self::default();
        for plan in zones {
            summary.zones += 1;
            let Some(plan) = plan else {
                summary.errors += 1;
                continue;
            };
            for change in &plan.changes {
                match change.kind {
                    ChangeKind::Create { .. } => summary.creates += 1,
                    ChangeKind::Update { .. } => summary.updates += 1,
                    ChangeKind::Delete { .. } => summary.deletes += 1,
                }
            }
            summary.held += plan.held.len();
            summary.contested += plan.contested();
            summary.foreign += plan.foreign.len();
            summary.held_zones += usize::from(plan.is_held());
            summary.short_zones += usize::from(plan.short_of_hosts.is_some());
        }
        summary
    }
}
