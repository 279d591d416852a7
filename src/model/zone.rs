//! What is desired of one zone, and what the planner may do there.

use std::sync::Arc;
use std::time::Duration;

use super::Name;

/// Which kinds of change may be made.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Changes {
    /// Create, update and delete.
    Sync,
    /// Create and update.
    UpsertOnly,
    /// Create.
    CreateOnly,
}

/// What happens to records that no inventory host explains.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Foreign {
    /// They are named and left alone.
    Report,
    /// They are removed while enough inventory hosts are published and up.
    Remove,
}

/// Who writes the RRset.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Publisher {
    /// Only this program: every difference is drift.
    Sole,
    /// The KMS hosts too: a healthy host's own priority, weight, TTL and letter case stand.
    Shared,
}

/// What a zone should publish at all.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Expect {
    /// The inventory's hosts.
    Hosts,
    /// Nothing (Active Directory-based activation only).
    Empty,
}

/// The limits within which a plan may move.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Policy {
    /// Which kinds of change may be made.
    pub changes: Changes,
    /// What happens to foreign records.
    pub foreign: Foreign,
    /// Who writes the RRset.
    pub publisher: Publisher,
    /// Published inventory hosts that are not down and that must remain.
    pub min_hosts: u32,
    /// Removals per zone and daemon interval.
    pub max_removals: u32,
    /// Share of active hosts down or suspect above which nothing is removed, in percent.
    pub freeze_percent: u8,
    /// How often identical records are added again, for AD scavenging.
    pub refresh: Option<Duration>,
}

/// One zone: where its RRset stands and what it should hold.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Zone {
    /// The clients' DNS suffix.
    pub name: Name,
    /// The owner name of the RRset: `<service>.<name>`.
    pub owner: Name,
    /// The RRset's TTL in seconds.
    pub ttl: u32,
    /// Whether hosts are expected at all.
    pub expect: Expect,
    /// Publish standbys while fewer active hosts than this are up.
    pub standby_below: u32,
    /// The limits.
    pub policy: Arc<Policy>,
    /// Indexes into the inventory, in file order: the hosts this zone may publish.
    pub hosts: Arc<[usize]>,
    /// Indexes into the configured servers, in the order to be tried; empty: find the primary.
    pub servers: Arc<[usize]>,
    /// The key for a primary that was found, not configured.
    pub key: Option<Arc<str>>,
}

impl Zone {
    /// True when more than one server may be written: several are configured, or it is found each
    /// time, where any of several may call itself the primary (Active Directory).
    pub fn has_a_choice_of_servers(&self) -> bool {
        self.servers.len() != 1
    }
}
