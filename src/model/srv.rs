//! One SRV record's data (RFC 2782).

use std::cmp::Ordering;
use std::fmt;

use serde::{Deserialize, Serialize};

use super::Name;

/// The data of one SRV record, without its TTL: a TTL belongs to the RRset (RFC 2181 §5.2).
///
/// Equality ignores the target's letter case. `Ord` puts records of one target side by side.
#[derive(Debug, Clone, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct Srv {
    /// Lower is tried first.
    pub priority: u16,
    /// The share among records of one priority.
    pub weight: u16,
    /// The TCP port of the service.
    pub port: u16,
    /// The host that offers the service; `.` means "decidedly not available".
    pub target: Name,
}

impl Srv {
    /// Equality to the octet, the target's letter case included.
    pub fn same_spelling(&self, other: &Self) -> bool {
        self == other && self.target.same_spelling(&other.target)
    }
}

impl Ord for Srv {
    fn cmp(&self, other: &Self) -> Ordering {
        self.target
            .cmp(&other.target)
            .then(self.port.cmp(&other.port))
            .then(self.priority.cmp(&other.priority))
            .then(self.weight.cmp(&other.weight))
    }
}

impl PartialOrd for Srv {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

/// RDATA in presentation form: `0 0 1688 kms1.corp.example.`
impl fmt::Display for Srv {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(
            f,
            "{} {} {} {}",
            self.priority, self.weight, self.port, self.target
        )
    }
}
