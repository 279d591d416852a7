//! What the other servers of a zone publish.

use std::fmt;
use std::net::SocketAddr;

use super::Name;

/// What one zone's other servers publish, in comparison with the server that was written to.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZoneCopies {
    /// The zone's name.
    pub zone: Name,
    /// The owner name of the RRset.
    pub owner: Name,
    /// Each of them, or why they are not known.
    pub copies: Result<Vec<ServerCopy>, String>,
}

/// One server's copy of a zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ServerCopy {
    /// Its name, where it is one of the zone's NS.
    pub name: Option<Name>,
    /// Where it was asked; `None`: its name has no address.
    pub address: Option<SocketAddr>,
    /// What it publishes.
    pub state: CopyState,
}

/// What a copy is like.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyState {
    /// It publishes the same RRset.
    Agrees {
        /// Its serial.
        serial: u32,
    },
    /// It publishes another one.
    Differs {
        /// Its serial.
        serial: u32,
        /// What it publishes in the RRset's place, for people.
        publishes: String,
    },
    /// It cannot be read.
    Unreadable {
        /// Why, and what to do.
        text: String,
    },
}

impl CopyState {
    /// True for a server that publishes the same RRset.
    pub fn agrees(&self) -> bool {
        matches!(self, Self::Agrees { .. })
    }
}

/// `ns2.corp.example. (10.0.0.2:53)`, or the address alone.
impl fmt::Display for ServerCopy {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match (&self.name, self.address) {
            (Some(name), Some(address)) => write!(f, "{name} ({address})"),
            (Some(name), None) => write!(f, "{name}"),
            (None, Some(address)) => write!(f, "{address}"),
            (None, None) => Ok(()),
        }
    }
}
