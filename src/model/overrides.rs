//! An operator's word on a host, with an end.

use std::fmt;

use jiff::Timestamp;

use super::{Name, State};

/// What an operator can say of a host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OverrideState {
    /// Publish it, whatever the probes say.
    Up,
    /// Withdraw it, whatever the probes say.
    Down,
}

impl OverrideState {
    /// The state that [`OverrideState::as_str`] prints so.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Up, Self::Down]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// The word in JSON, text and the store.
    pub fn as_str(self) -> &'static str {
        State::from(self).as_str()
    }
}

impl From<OverrideState> for State {
    fn from(state: OverrideState) -> Self {
        match state {
            OverrideState::Up => Self::Up,
            OverrideState::Down => Self::Down,
        }
    }
}

impl fmt::Display for OverrideState {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An operator's word on one host; it stands above the samples until it ends.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Override {
    /// The host.
    pub host: Name,
    /// What it is forced to be.
    pub state: OverrideState,
    /// Why, where the operator said so.
    pub reason: Option<String>,
    /// Who said so.
    pub actor: String,
    /// Since when.
    pub made_at: Timestamp,
    /// When it ends by itself.
    pub until: Timestamp,
}

impl Override {
    /// True until it ends; compare at each evaluation, for nothing else ends it.
    pub fn holds(&self, now: Timestamp) -> bool {
        now < self.until
    }
}

/// `forced down until 2026-11-23T04:00:00Z by alice: "patching"`
impl fmt::Display for Override {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            state,
            actor,
            until,
            ..
        } = self;
        write!(f, "forced {state} until {until:.0} by {actor}")?;
        match &self.reason {
            Some(reason) => write!(f, ": \"{reason}\""),
            None => Ok(()),
        }
    }
}
