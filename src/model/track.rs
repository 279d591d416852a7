//! What a row of samples of one host has come to.

use std::time::Duration;

use jiff::Timestamp;

use super::Name;

/// What the samples settled last.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub enum Settled {
    /// No full window has been seen.
    #[default]
    Unknown,
    /// `rise` samples in a row passed.
    Up,
    /// `fall` samples failed, and never `rise` in a row passed between them.
    Down,
}

impl Settled {
    /// The word in the store.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Unknown => "unknown",
            Self::Up => "up",
            Self::Down => "down",
        }
    }

    /// The state that [`Settled::as_str`] prints so.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Unknown, Self::Up, Self::Down]
            .into_iter()
            .find(|settled| settled.as_str() == text)
    }
}

/// The newest sample, as far as a verdict needs it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NewestSample {
    /// When the probe began.
    pub began: Timestamp,
    /// Whether the host passed.
    pub passed: bool,
    /// What it said, for people.
    pub text: String,
}

/// What all samples of one host have come to; the next one is added by `health`.
///
/// The default is a host that was never asked.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Track {
    /// What was asked, so that samples of another address or by other checks are not taken for this
    /// host's.
    pub asked: String,
    /// What the samples settled last.
    pub settled: Settled,
    /// Up: when the sample that settled it began; down: when the first failed one since the last that
    /// passed ended; `None`: nothing is settled.
    pub since: Option<Timestamp>,
    /// Failed samples since `rise` in a row last passed.
    pub failures: u32,
    /// Passed samples in a row, up to the newest.
    pub successes: u32,
    /// When the first of the failed samples since the last passed one ended; `None`: the newest
    /// passed.
    pub first_failure: Option<Timestamp>,
    /// When the first passed sample ended of those that passed one right after the other, up to the
    /// newest; `None`: the newest failed.
    pub passing_since: Option<Timestamp>,
    /// The newest sample; `None`: there was none.
    pub newest: Option<NewestSample>,
}

/// A sample as the store keeps it for a while, to be looked at.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeptSample {
    /// The host.
    pub host: Name,
    /// When the probe began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Whether the host passed.
    pub passed: bool,
    /// What it said, for people.
    pub text: String,
}
