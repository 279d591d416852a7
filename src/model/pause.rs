//! An operator's word that `run` must not write for a while.

use std::fmt;

use jiff::Timestamp;

/// While it holds, `run` plans and does not write; explicit commands do.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Pause {
    /// Why, where the operator said so.
    pub reason: Option<String>,
    /// Who said so.
    pub actor: String,
    /// Since when.
    pub made_at: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
}

impl Pause {
    /// True until it ends; compare at each evaluation, for nothing else ends it.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// `paused until 2026-11-23T04:00:00Z by alice: "migration"`
impl fmt::Display for Pause {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { actor, until, .. } = self;
        write!(f, "paused until {until:.0} by {actor}")?;
        match &self.reason {
            Some(reason) => write!(f, ": \"{reason}\""),
            None => Ok(()),
        }
    }
}
