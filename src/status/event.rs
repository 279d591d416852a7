//! What happened, for those who watch.

use super::ZoneState;
use crate::model::{Alert, Name, OutcomeKind, Override, Pause, State};

/// So many zones of one walk are named; of the others their number is told.
pub const NAMED_ZONES: usize = 100;

/// One thing that happened.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    /// A host is in another state.
    Host {
        /// The host.
        host: Name,
        /// The state before.
        before: State,
        /// The state now.
        state: State,
        /// True when an override decides.
        forced: bool,
        /// Why, for people.
        reason: String,
    },
    /// Zones were walked through.
    Zones {
        /// Who asked.
        actor: String,
        /// How many.
        walked: usize,
        /// Those that are in another state than before or got an update, [`NAMED_ZONES`] at most.
        news: Vec<ZoneNews>,
        /// How many more there are.
        more: usize,
    },
    /// An override began or ended.
    Override {
        /// The host.
        host: Name,
        /// What holds now.
        word: Option<Override>,
    },
    /// A pause began or ended.
    Pause {
        /// What holds now.
        pause: Option<Pause>,
    },
    /// An alert was raised.
    Alert(Alert),
    /// The other name servers of a zone were asked.
    Copies {
        /// The zone.
        zone: Name,
        /// The owner name of the RRset.
        owner: Name,
        /// How many publish the same.
        agreeing: usize,
        /// How many there are.
        servers: usize,
    },
    /// Another configuration is in force.
    Configured,
}

/// What is new of one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneNews {
    /// The zone.
    pub zone: Name,
    /// The owner name of the RRset.
    pub owner: Name,
    /// How it is now.
    pub state: ZoneState,
    /// What became of its update, where one was sent.
    pub outcome: Option<OutcomeKind>,
    /// How many records that update was to change.
    pub changes: usize,
}

impl Event {
    /// The word in JSON, and the event's name in the stream.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Host { .. } => "host",
            Self::Zones { .. } => "zones",
            Self::Override { .. } => "override",
            Self::Pause { .. } => "pause",
            Self::Alert(_) => "alert",
            Self::Copies { .. } => "copies",
            Self::Configured => "configured",
        }
    }
}
