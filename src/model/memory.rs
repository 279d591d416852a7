//! What earlier runs did: the model type that the store fills and the guards read.

use std::collections::BTreeMap;

use jiff::Timestamp;

use super::{Home, Name, Srv};

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

/// What somebody does to our changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum ContestKind {
    /// A record comes back after we removed it.
    Returns,
    /// A record goes after we added it.
    Vanishes,
    /// Beside or in place of its host's right record stands, again, one that we corrected.
    Rewrites,
}

impl ContestKind {
    /// Every kind.
    pub const ALL: [Self; 3] = [Self::Returns, Self::Vanishes, Self::Rewrites];

    /// The kind that [`ContestKind::as_str`] prints so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Returns => "returns",
            Self::Vanishes => "vanishes",
            Self::Rewrites => "rewrites",
        }
    }
}

/// How often somebody undid our change of one target's record in one RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Contest {
    /// The record's target.
    pub target: Name,
    /// What is done to our changes.
    pub kind: ContestKind,
    /// How often that was seen.
    pub count: u32,
    /// When we made the change whose end we have not seen yet; `None`: there is no such change.
    pub armed_at: Option<Timestamp>,
    /// When the last of all this happened, which begins the quiet days.
    pub at: Timestamp,
    /// The record that our last correction left, of [`ContestKind::Rewrites`]: where it still
    /// stands, nobody undid anything, and our own configuration asks for another.
    pub written: Option<Srv>,
}

/// What earlier runs did, over all zones.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Memory {
    /// Per zone name: the newest removal of each host, and every removal within the interval.
    pub removals: BTreeMap<Name, Vec<Removal>>,
    /// Per zone name: the targets we ever published there.
    pub published: BTreeMap<Name, Vec<Name>>,
    /// Per owner name of an RRset, since zones of one name may keep several services: what somebody
    /// contests there, by target and kind.
    pub contests: BTreeMap<Name, Vec<Contest>>,
    /// Per host name.
    pub hosts: BTreeMap<Name, HostMemory>,
    /// Per owner name of an RRset that several servers could be asked to change: the one that it
    /// stays with.
    pub homes: BTreeMap<Name, Home>,
}

impl Memory {
    /// The removals remembered for a zone.
    pub fn removals(&self, zone: &Name) -> &[Removal] {
        self.removals.get(zone).map_or(&[], Vec::as_slice)
    }

    /// What is contested, or may become so, in the RRset of `owner`.
    pub fn contests(&self, owner: &Name) -> &[Contest] {
        self.contests.get(owner).map_or(&[], Vec::as_slice)
    }

    /// The server that the RRset of `owner` stays with; `None`: any of its servers will do.
    pub fn home(&self, owner: &Name) -> Option<&Home> {
        self.homes.get(owner)
    }

    /// True when we once published `target` in `zone`.
    pub fn was_ours(&self, zone: &Name, target: &Name) -> bool {
        self.published
            .get(zone)
            .is_some_and(|targets| targets.contains(target))
    }
}
