//! One recorded update: what was asked of DNS, by whom, and what became of it.

use std::fmt;

use jiff::Timestamp;

use super::{Change, Name, Observed, Outcome, Srv};

/// Identifies one recorded update: the number that `history` and `rollback` take.
///
/// A later update has a greater number, whatever the clock said.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct ChangeId(pub i64);

impl fmt::Display for ChangeId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.fmt(f)
    }
}

/// An update with all that is known of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryEntry {
    /// Its number.
    pub id: ChangeId,
    /// When it was asked for.
    pub asked_at: Timestamp,
    /// The clients' DNS suffix.
    pub zone: Name,
    /// The owner name of the RRset.
    pub owner: Name,
    /// The RRset as read, and the server that the update went to.
    pub before: Observed,
    /// The RRset afterwards, in [`Srv`] order.
    pub after: Vec<Srv>,
    /// Its TTL in seconds; `None`: no RRset.
    pub after_ttl: Option<u32>,
    /// Each change with its reason.
    pub changes: Vec<Change>,
    /// The plan's digest.
    pub digest: String,
    /// Who asked: timer, transition, or command and user.
    pub actor: String,
    /// What became of it; `None`: it is open, under way or cut short by a crash.
    pub ended: Option<Ended>,
}

/// How and when an update ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Ended {
    /// When the outcome was known.
    pub at: Timestamp,
    /// The outcome.
    pub outcome: Outcome,
}
