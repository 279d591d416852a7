//! What became of an update, decided by reading back.

use std::fmt;

use super::Rcode;

/// The five ends an update can have.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum OutcomeKind {
    /// The read-back shows the planned RRset.
    Applied,
    /// The server refused the update; nothing changed.
    Refused,
    /// The RRset was no longer what the plan saw; nothing changed.
    Stale,
    /// The server answered, and the read-back does not show the planned RRset.
    Failed,
    /// Whether the update was applied cannot be told.
    Unknown,
}

impl OutcomeKind {
    /// Every kind.
    pub const ALL: [Self; 5] = [
        Self::Applied,
        Self::Refused,
        Self::Stale,
        Self::Failed,
        Self::Unknown,
    ];

    /// The kind that [`OutcomeKind::as_str`] prints so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|kind| kind.as_str() == text)
    }

    /// The word in JSON, text and the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Applied => "applied",
            Self::Refused => "refused",
            Self::Stale => "stale",
            Self::Failed => "failed",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for OutcomeKind {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// What became of one zone's update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Outcome {
    /// The end.
    pub kind: OutcomeKind,
    /// What happened and what to do next, for people.
    pub text: String,
    /// The server's response code, where it answered.
    pub rcode: Option<Rcode>,
    /// The serial read back, where the read-back worked.
    pub serial: Option<u32>,
}

impl Outcome {
    /// True when the update was applied.
    pub fn was_applied(&self) -> bool {
        self.kind == OutcomeKind::Applied
    }
}
