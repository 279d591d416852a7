//! What a running daemon knows, as one value: text, JSON, metrics and page show the same numbers.
//!
//! ```text
//! samples, verdicts, reports, words ─► Book ─► Arc<Status> ─► render: text, JSON, metrics
//!                                       └────► Event ───────► whoever listens
//! ```
//!
//! Hosts and zones are shared: a new [`Status`] copies what changed, and pointers to the rest. Pure;
//! the time is passed in.

mod book;
mod event;
mod host;
mod hour;
mod planned;
mod select;
mod summary;
#[cfg(test)]
mod tests;
mod zone;

pub use book::{Book, Report, Terms};
pub use event::{Event, NAMED_ZONES, ZoneNews};
pub use host::{Durations, HostStatus, LatestSample};
pub use hour::{Hour, MINUTES, Minute};
pub use select::{Order, Page, Selection, select};
pub use summary::{Counters, Level, Totals, Verdict};
pub use zone::{Copies, LastChange, ZoneState, ZoneStatus};

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Canary, Override, Pause};

/// After two intervals without a look at a zone so much longer is waited before that is a fault.
const GRACE: Duration = Duration::from_secs(60);

/// A daemon whose loop has not turned for so long does not live.
const ALIVE: SignedDuration = SignedDuration::from_secs(30);

/// What a daemon knows at one moment.
#[derive(Debug, Clone)]
pub struct Status {
    /// When this was so. A daemon that lives makes a new one each second.
    pub at: Timestamp,
    /// When the daemon began.
    pub started: Timestamp,
    /// Counts up with each change of hosts, zones or words, and neither with the time alone nor with
    /// a look at a zone that found nothing new.
    pub generation: u64,
    /// True when it writes DNS, pauses aside; false when it only audits.
    pub writes: bool,
    /// The pause that holds.
    pub pause: Option<Pause>,
    /// Time between two full reconciles.
    pub interval: Duration,
    /// What the canaries last said.
    pub canary: Canary,
    /// Why the store cannot be used.
    pub store_failure: Option<String>,
    /// The overrides that hold.
    pub overrides: Arc<[Override]>,
    /// Every host, in the order of the inventory.
    pub hosts: Vec<Arc<HostStatus>>,
    /// Every zone, in the order of the configuration.
    pub zones: Arc<Vec<Arc<ZoneStatus>>>,
    /// Counts over all zones.
    pub totals: Totals,
    /// What was counted since the daemon began.
    pub counters: Counters,
}

impl Status {
    /// When the last full reconcile ended: since then every zone was looked at. `None`: some zone
    /// was not looked at yet.
    pub fn last_full_reconcile(&self) -> Option<Timestamp> {
        match self.totals.unread {
            0 => self.totals.left_alone_since,
            _ => None,
        }
    }

    /// True when the daemon's loop stands still: what is known is old, and nothing is done.
    pub fn is_stalled(&self, now: Timestamp) -> bool {
        now.duration_since(self.at) > ALIVE
    }

    /// True when some zone was not looked at for two intervals and a minute, since it is configured.
    pub fn is_overdue(&self, now: Timestamp) -> bool {
        let patience = self.interval.saturating_mul(2).saturating_add(GRACE);
        let patience = SignedDuration::try_from(patience).unwrap_or(SignedDuration::MAX);
        let since = self.totals.left_alone_since;
        since.is_some_and(|since| now.duration_since(since) > patience)
    }
}
