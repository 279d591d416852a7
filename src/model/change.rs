//! One change of one record, with its reason.

mod json;

use std::fmt;

use super::Srv;

/// What happens to one record; one type owns both before and after.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Change {
    /// Create, update or delete.
    pub kind: ChangeKind,
    /// Why.
    pub reason: Reason,
}

/// `delete 0 0 1688 kms1.corp.example. ttl=3600 (host-down: 3 samples failed)`: what the log tells.
impl fmt::Display for Change {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.kind {
            ChangeKind::Create { after, ttl } => write!(f, "create {after} ttl={ttl}")?,
            ChangeKind::Update {
                before,
                before_ttl,
                after,
                ttl,
            } => write!(f, "update {before} ttl={before_ttl} to {after} ttl={ttl}")?,
            ChangeKind::Delete { before, before_ttl } => {
                write!(f, "delete {before} ttl={before_ttl}")?;
            }
        }
        write!(f, " ({}: {})", self.reason.code, self.reason.text)
    }
}

/// The record before and after, each with the RRset's TTL in seconds.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum ChangeKind {
    /// A record that is added.
    Create {
        /// The record.
        after: Srv,
        /// The RRset's TTL afterwards.
        ttl: u32,
    },
    /// A record whose data or TTL changes.
    Update {
        /// The record as read.
        before: Srv,
        /// The TTL as read.
        before_ttl: u32,
        /// The record afterwards.
        after: Srv,
        /// The RRset's TTL afterwards.
        ttl: u32,
    },
    /// A record that goes.
    Delete {
        /// The record as read.
        before: Srv,
        /// The TTL as read.
        before_ttl: u32,
    },
}

impl Change {
    /// The record as read, which the update deletes.
    pub fn before(&self) -> Option<&Srv> {
        match &self.kind {
            ChangeKind::Create { .. } => None,
            ChangeKind::Update { before, .. } | ChangeKind::Delete { before, .. } => Some(before),
        }
    }

    /// The RRset's TTL afterwards, in seconds, where the change sets one.
    pub fn after_ttl(&self) -> Option<u32> {
        match self.kind {
            ChangeKind::Create { ttl, .. } | ChangeKind::Update { ttl, .. } => Some(ttl),
            ChangeKind::Delete { .. } => None,
        }
    }

    /// The record afterwards, which the update adds.
    pub fn after(&self) -> Option<&Srv> {
        match &self.kind {
            ChangeKind::Create { after, .. } | ChangeKind::Update { after, .. } => Some(after),
            ChangeKind::Delete { .. } => None,
        }
    }
}

/// Why a change is made: a code for programs, a text for people.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Reason {
    /// The code.
    pub code: ReasonCode,
    /// The text.
    pub text: String,
}

/// The closed set of reasons.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum ReasonCode {
    /// An active host is up and not published.
    HostUp,
    /// A published host is down.
    HostDown,
    /// A published host is retired.
    HostRetired,
    /// An operator's override says so.
    HostForced,
    /// Too few active hosts are up.
    StandbyNeeded,
    /// Enough active hosts are up again.
    StandbyIdle,
    /// No inventory host explains the record, and the policy removes such records.
    ForeignRecord,
    /// Priority, weight or port differ from the inventory's.
    DataDrift,
    /// The RRset's TTL differs from the configured one.
    TtlDrift,
    /// A second record of the same host.
    Duplicate,
    /// The zone is declared empty.
    ExpectEmpty,
    /// An earlier change is undone.
    Rollback,
}

impl ReasonCode {
    /// Every code.
    pub const ALL: [Self; 12] = [
        Self::HostUp,
        Self::HostDown,
        Self::HostRetired,
        Self::HostForced,
        Self::StandbyNeeded,
        Self::StandbyIdle,
        Self::ForeignRecord,
        Self::DataDrift,
        Self::TtlDrift,
        Self::Duplicate,
        Self::ExpectEmpty,
        Self::Rollback,
    ];

    /// The code that [`ReasonCode::as_str`] prints so.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|code| code.as_str() == text)
    }

    /// The code as JSON prints it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HostUp => "host-up",
            Self::HostDown => "host-down",
            Self::HostRetired => "host-retired",
            Self::HostForced => "host-forced",
            Self::StandbyNeeded => "standby-needed",
            Self::StandbyIdle => "standby-idle",
            Self::ForeignRecord => "foreign-record",
            Self::DataDrift => "data-drift",
            Self::TtlDrift => "ttl-drift",
            Self::Duplicate => "duplicate",
            Self::ExpectEmpty => "expect-empty",
            Self::Rollback => "rollback",
        }
    }
}

impl fmt::Display for ReasonCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::Name;

    #[test]
    fn each_kind_names_its_records_and_its_reason() {
        let srv = |weight| Srv {
            priority: 0,
            weight,
            port: 1688,
            target: Name::parse("kms1.corp.example.").unwrap(),
        };
        for (kind, told) in [
            (
                ChangeKind::Create {
                    after: srv(0),
                    ttl: 60,
                },
                "create 0 0 1688 kms1.corp.example. ttl=60",
            ),
            (
                ChangeKind::Update {
                    before: srv(0),
                    before_ttl: 60,
                    after: srv(7),
                    ttl: 3600,
                },
                "update 0 0 1688 kms1.corp.example. ttl=60 to 0 7 1688 kms1.corp.example. ttl=3600",
            ),
            (
                ChangeKind::Delete {
                    before: srv(7),
                    before_ttl: 60,
                },
                "delete 0 7 1688 kms1.corp.example. ttl=60",
            ),
        ] {
            let reason = Reason {
                code: ReasonCode::DataDrift,
                text: "why".to_owned(),
            };
            let change = Change { kind, reason };
            assert_eq!(change.to_string(), format!("{told} (data-drift: why)"));
        }
    }
}
