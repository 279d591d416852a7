//! The inventory: the hosts that may be published.

use std::net::IpAddr;
use std::time::Duration;

use super::{Name, Srv};

/// What an inventory host is there for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Role {
    /// Published while it is up.
    Active,
    /// Published while too few active hosts are up.
    Standby,
    /// Its record must go.
    Retired,
}

impl Role {
    /// The word in the configuration, JSON and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Active => "active",
            Self::Standby => "standby",
            Self::Retired => "retired",
        }
    }
}

/// One way of asking a host whether it answers.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The DCE/RPC bind to the KMS interface.
    Rpc,
    /// A TCP connection.
    Tcp,
    /// The configured command: exit status 0 is up.
    Exec,
}

/// How a host is probed, and how many samples make a verdict.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Health {
    /// All of these must pass; empty (`"none"` in the configuration) trusts the inventory.
    pub checks: Vec<Check>,
    /// For [`Check::Exec`]: program and arguments; `{host}`, `{address}`, `{port}` are replaced.
    pub command: Vec<String>,
    /// Time between two probes.
    pub interval: Duration,
    /// Time one probe may take.
    pub timeout: Duration,
    /// Successes in a row that make a host up.
    pub rise: u32,
    /// Failures that make a host down; fewer than `rise` successes in a row clear none.
    pub fall: u32,
}

impl Health {
    /// True when nothing is asked of the host and the inventory is believed.
    pub fn is_trusted(&self) -> bool {
        self.checks.is_empty()
    }

    /// Samples older than this decide nothing: 2 × fall × interval.
    pub fn freshness(&self) -> Duration {
        self.interval.saturating_mul(self.fall.saturating_mul(2))
    }

    /// Samples that begin no further apart than this follow one another: an interval, and a quarter
    /// of it for a busy machine.
    pub fn longest_gap(&self) -> Duration {
        self.interval.saturating_add(self.interval / 4)
    }
}

/// An inventory host.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Host {
    /// Its role.
    pub role: Role,
    /// The record it is published with; the target is the host's name, unique in the inventory.
    pub srv: Srv,
    /// The groups it belongs to.
    pub groups: Vec<String>,
    /// Where to probe; empty: what the name resolves to.
    pub addresses: Vec<IpAddr>,
    /// How to probe.
    pub health: Health,
}

impl Host {
    /// The host's name, which is its record's target.
    pub fn name(&self) -> &Name {
        &self.srv.target
    }
}
