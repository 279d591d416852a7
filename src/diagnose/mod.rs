//! What `doctor` says: evidence → findings, each with a way to repair what is wrong.
//!
//! ```text
//! evidence ─┬─ servers ───► reachable, key, clock                      once per server
//!           ├─ targets ───► target                                     once per host
//!           └─ zones ─┬───► readable, primary, right, unchanged        once per zone and server
//!                     ├───► name-servers, delegation                   copies
//!                     └───► ttl, scavenging, contested                 settings
//! ```
//!
//! A check that could not be made says so ([`Level::CannotTell`]) and is neither good nor bad: an
//! empty RRset on BIND must not warn for ever.

mod copies;
mod evidence;
mod repairs;
mod rights;
mod servers;
mod settings;
mod targets;
mod zones;

pub use evidence::{
    CopyEvidence, CopyState, Delegation, Evidence, KeyIdentity, KeyProblem, KeyProblemKind,
    KeyWord, Preflight, PreflightAnswer, ReadProblem, ReadProblemKind, Reading, ServerEvidence,
    Software, Start, TargetEvidence, Way, ZoneEvidence, first_read,
};
pub use repairs::{Place, Repair};

use std::net::SocketAddr;

use jiff::Timestamp;

use crate::model::Name;

/// What is checked; the words are part of the JSON contract.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Check {
    /// The server answers over UDP and over TCP.
    Reachable,
    /// The server accepts the key.
    Key,
    /// The clocks agree.
    Clock,
    /// The server gives the RRset with authority, and nothing stands in the way of one.
    Readable,
    /// The server is the zone's primary.
    Primary,
    /// The server lets us change the RRset.
    Right,
    /// Asking for the right changed nothing.
    Unchanged,
    /// All name servers of the zone have the same RRset.
    NameServers,
    /// The parent delegates to servers that answer.
    Delegation,
    /// The TTL is the configured one, and a sensible one.
    Ttl,
    /// Active Directory does not take the records for forgotten ones.
    Scavenging,
    /// Nobody undoes our changes.
    Contested,
    /// The host's name leads to the host.
    Target,
}

impl Check {
    /// The word in JSON and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Reachable => "reachable",
            Self::Key => "key",
            Self::Clock => "clock",
            Self::Readable => "readable",
            Self::Primary => "primary",
            Self::Right => "right",
            Self::Unchanged => "unchanged",
            Self::NameServers => "name-servers",
            Self::Delegation => "delegation",
            Self::Ttl => "ttl",
            Self::Scavenging => "scavenging",
            Self::Contested => "contested",
            Self::Target => "target",
        }
    }
}

/// How a check ended, from good to bad.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// It is as it should be.
    Pass,
    /// It could not be found out; counts as neither good nor bad.
    CannotTell,
    /// It works, and may not for long, or not for everybody.
    Warning,
    /// Updates or clients fail by it.
    Failure,
}

impl Level {
    /// The word in JSON and text.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Pass => "pass",
            Self::CannotTell => "cannot-tell",
            Self::Warning => "warning",
            Self::Failure => "failure",
        }
    }
}

/// One check and how it ended.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Finding {
    /// What was checked.
    pub check: Check,
    /// How it ended.
    pub level: Level,
    /// What was found, in a sentence.
    pub text: String,
    /// What it was found by.
    pub evidence: Vec<String>,
    /// How to repair it; several are alternatives.
    pub repairs: Vec<Repair>,
}

impl Finding {
    fn new(check: Check, level: Level, text: impl Into<String>) -> Self {
        Self {
            check,
            level,
            text: text.into(),
            evidence: Vec::new(),
            repairs: Vec::new(),
        }
    }

    fn seen(mut self, evidence: impl Into<String>) -> Self {
        self.evidence.push(evidence.into());
        self
    }

    fn repaired_by(mut self, repairs: impl IntoIterator<Item = Repair>) -> Self {
        self.repairs.extend(repairs);
        self
    }
}

/// What findings are about.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Subject {
    /// A server.
    Server {
        /// What the configuration calls it; empty: it was found by the SOA.
        names: Vec<String>,
        /// Where it listens.
        address: SocketAddr,
        /// What signs: the key's name or principal.
        key: Option<String>,
        /// What it said of its software.
        software: Option<String>,
    },
    /// A host that is published, or is to be.
    Target(Name),
    /// A zone.
    Zone {
        /// The zone, as configured.
        name: Name,
        /// The owner of the RRset.
        owner: Name,
    },
}

/// The findings about one subject.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Section {
    /// What they are about.
    pub subject: Subject,
    /// The findings, in the order of the checks.
    pub findings: Vec<Finding>,
}

impl Section {
    /// The worst level among the findings.
    pub fn level(&self) -> Level {
        let levels = self.findings.iter().map(|finding| finding.level);
        levels.max().unwrap_or(Level::Pass)
    }
}

/// All findings.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Diagnosis {
    /// When it was made.
    pub created: Timestamp,
    /// The servers, then the hosts, then the zones, each in the order of the evidence.
    pub sections: Vec<Section>,
}

impl Diagnosis {
    /// How many findings have this level.
    pub fn count(&self, level: Level) -> usize {
        let findings = self.sections.iter().flat_map(|section| &section.findings);
        findings.filter(|finding| finding.level == level).count()
    }

    /// The worst level of all; what could not be told does not count.
    pub fn level(&self) -> Level {
        let worst = self.sections.iter().map(Section::level).max();
        match worst.unwrap_or(Level::Pass) {
            Level::CannotTell => Level::Pass,
            level => level,
        }
    }
}

/// Says what the evidence means.
pub fn diagnose(evidence: &Evidence) -> Diagnosis {
    let servers = evidence.servers.iter().map(servers::section);
    let targets = evidence
        .targets
        .iter()
        .map(|target| targets::section(target, &evidence.zones));
    let zones = evidence
        .zones
        .iter()
        .map(|zone| zones::section(zone, evidence));
    Diagnosis {
        created: evidence.now,
        sections: servers.chain(targets).chain(zones).collect(),
    }
}

#[cfg(test)]
mod tests;
