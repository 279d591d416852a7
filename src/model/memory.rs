//! What earlier runs did: the model type that the store fills and the guards read.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::Name;

/// One inventory host that left a zone's RRset by our hand.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Removal {
    /// The host.
    pub host: Name,
    /// When the update was sent.
    pub at: Timestamp,
}

/// What is remembered of a host, whatever the zone.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct HostMemory {
    /// When it was last seen up.
    pub last_up: Option<Timestamp>,
}

/// What earlier runs did, over all zones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Per zone name: the newest removal of each host, and every removal within the interval.
    pub removals: BTreeMap<Name, Vec<Removal>>,
    /// Per zone name: the targets we ever published there.
    pub published: BTreeMap<Name, Vec<Name>>,
    /// Per host name.
    pub hosts: BTreeMap<Name, HostMemory>,
}

impl Memory {
    /// The removals remembered for a zone.
    pub fn removals(&self, zone: &Name) -> &[Removal] {
        self.removals.get(zone).map_or(&[], Vec::as_slice)
    }

    /// True when we once published `target` in `zone`.
    pub fn was_ours(&self, zone: &Name, target: &Name) -> bool {
        self.published
            .get(zone)
            .is_some_and(|targets| targets.contains(target))
    }
}
