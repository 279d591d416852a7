//! What is believed of a host, and why.

use std::fmt;

use jiff::Timestamp;

/// The four states a host can be in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It answers.
    Up,
    /// A full window of samples failed.
    Down,
    /// The newest sample failed, but not yet a full window.
    Suspect,
    /// Too little is known.
    Unknown,
}

impl State {
    /// The state that [`State::as_str`] prints so.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Up, Self::Down, Self::Suspect, Self::Unknown]
            .into_iter()
            .find(|state| state.as_str() == text)
    }

    /// The word in JSON and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Up => "up",
            Self::Down => "down",
            Self::Suspect => "suspect",
            Self::Unknown => "unknown",
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.as_str())
    }
}

/// An operator's word that stands above the samples.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Forced {
    /// When it ends.
    pub until: Timestamp,
}

/// What is believed of one host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// The state, an override already applied.
    pub state: State,
    /// Set when an operator's override decides.
    pub forced: Option<Forced>,
    /// Why, for people.
    pub reason: String,
    /// Since when the state holds, where that is known.
    pub since: Option<Timestamp>,
    /// True when the host takes part in probing: not trusted, not retired, not `--no-probe`.
    pub probed: bool,
    /// When the newest sample began.
    pub newest_sample: Option<Timestamp>,
    /// When the first failed sample of the present run of failures ended. What made it fail had
    /// begun by then.
    pub first_failure: Option<Timestamp>,
    /// For a host that is asked over time: when the first sample ended of those that passed one right
    /// after the other, up to the newest. `None` where the newest failed.
    pub passing_since: Option<Timestamp>,
    /// True while a host that is down passes again, but not yet often enough to be up. Its record
    /// is left as it is: it may just have published itself.
    pub recovering: bool,
    /// True where a full window of samples failed, and nothing but the silence of the canary keeps
    /// the host from being down.
    pub spared: bool,
}

impl Verdict {
    /// A host about which nothing is known.
    pub fn unknown(reason: impl Into<String>) -> Self {
        Self {
            state: State::Unknown,
            forced: None,
            reason: reason.into(),
            since: None,
            probed: false,
            newest_sample: None,
            first_failure: None,
            passing_since: None,
            recovering: false,
            spared: false,
        }
    }
}

/// Whether our own network is known to work.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Canary {
    /// No canary is configured, or none was needed.
    Unused,
    /// At least one canary accepted a connection.
    Answers,
    /// None accepted a connection: our own network is suspect, and no host is declared down.
    Silent,
}

/// The verdicts on the whole inventory, host by host in inventory order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdicts {
    /// One per inventory host, by index.
    pub hosts: Vec<Verdict>,
    /// What the canaries say.
    pub canary: Canary,
}
