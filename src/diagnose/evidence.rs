//! What was seen, typed: all that a diagnosis is made from.

use std::net::{IpAddr, SocketAddr};

use jiff::Timestamp;

use crate::model::{Changes, Name, Observed, Publisher, Rcode, TsigAlgorithm};

/// Everything that was seen.
#[derive(Debug, Clone)]
pub struct Evidence {
    /// When the last of it was seen.
    pub now: Timestamp,
    /// The servers that are written to, each address and key once.
    pub servers: Vec<ServerEvidence>,
    /// The hosts that are published, or are to be, each once.
    pub targets: Vec<TargetEvidence>,
    /// The zones.
    pub zones: Vec<ZoneEvidence>,
}

/// What was seen of one server, whatever the zone.
#[derive(Debug, Clone)]
pub struct ServerEvidence {
    /// What the configuration calls it; empty: it was found by the SOA.
    pub names: Vec<String>,
    /// Where it listens.
    pub address: SocketAddr,
    /// An RRset that is kept there, which it was asked for.
    pub owner: Name,
    /// What signs.
    pub key: KeyIdentity,
    /// Whether it answered over UDP.
    pub udp: Result<(), String>,
    /// Whether it answered over TCP.
    pub tcp: Result<(), String>,
    /// What it is.
    pub software: Software,
    /// What it said of its software.
    pub version: Option<String>,
    /// What became of the key.
    pub key_word: KeyWord,
    /// Seconds by which its clock is ahead of ours, where a signature told.
    pub clock: Option<i64>,
}

impl ServerEvidence {
    /// `dc1 (10.0.0.53:53)`, or the address where it has no name.
    pub fn label(&self) -> String {
        match self.names.first() {
            Some(name) => format!("{name} ({})", self.address),
            None => self.address.to_string(),
        }
    }

    /// True for what may be a server with Active Directory: it is written to with Kerberos, and is not
    /// known to be anything else.
    pub fn is_directory(&self) -> bool {
        matches!(self.key, KeyIdentity::Gss { .. })
            && matches!(self.software, Software::Windows | Software::Unknown)
    }

    /// True when it answered at all.
    pub fn answers(&self) -> bool {
        self.udp.is_ok() || self.tcp.is_ok()
    }
}

/// The public part of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyIdentity {
    /// Nothing is signed.
    Unsigned,
    /// A shared secret.
    Tsig {
        /// Its name on the wire.
        name: Name,
        /// Its algorithm.
        algorithm: TsigAlgorithm,
    },
    /// A Kerberos identity.
    Gss {
        /// The principal, `NAME@REALM`.
        principal: String,
    },
}

/// What became of a key.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum KeyWord {
    /// It was not used: there is none, or nothing was sent under it.
    NotAsked,
    /// The server's answer was signed with it.
    Accepted,
    /// It was not.
    Rejected(KeyProblem),
}

/// Why a signature was not accepted.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct KeyProblem {
    /// What it is about.
    pub kind: KeyProblemKind,
    /// What happened and what to do next.
    pub text: String,
}

/// What a rejected signature is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum KeyProblemKind {
    /// BADKEY: name or algorithm.
    UnknownKey,
    /// BADSIG: the secret.
    WrongSecret,
    /// BADTIME: the clocks.
    Clock,
    /// An answer without a signature, with this code.
    Unsigned(Rcode),
    /// Kerberos gave no ticket, or no context was made.
    Kerberos,
    /// Anything else.
    Other,
}

/// A name server's software, as far as repairs differ.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Software {
    /// Our own `[authority]`.
    Embedded,
    /// BIND.
    Bind,
    /// Knot DNS.
    Knot,
    /// PowerDNS.
    PowerDns,
    /// NSD, which takes no updates.
    Nsd,
    /// Windows.
    Windows,
    /// It does not say, or something else.
    Unknown,
}

impl Software {
    /// Reads the answer to `version.bind CH TXT`; BIND gives its bare number.
    pub fn of(version: &str) -> Self {
        let lower = version.to_ascii_lowercase();
        let begins = |word: &str| lower.starts_with(word);
        if begins("knot dns") {
            Self::Knot
        } else if begins("powerdns authoritative") {
            Self::PowerDns
        } else if begins("nsd") {
            Self::Nsd
        } else if begins("microsoft dns") {
            Self::Windows
        } else if begins("bind") || begins("9.") {
            Self::Bind
        } else {
            Self::Unknown
        }
    }
}

/// What was seen of one host.
#[derive(Debug, Clone)]
pub struct TargetEvidence {
    /// Its name, the target of records.
    pub name: Name,
    /// What the resolver says of it.
    pub addresses: Result<Vec<IpAddr>, String>,
    /// What a CNAME at the name points to.
    pub alias: Option<Name>,
    /// What the inventory says; `None`: it is not in it.
    pub inventory: Option<Vec<IpAddr>>,
    /// In how many of the zones it is published.
    pub published: usize,
}

/// What was seen of one zone.
#[derive(Debug, Clone)]
pub struct ZoneEvidence {
    /// The zone, as configured.
    pub name: Name,
    /// The owner of the RRset.
    pub owner: Name,
    /// The configured TTL.
    pub ttl: u32,
    /// Who else publishes: then the TTL is theirs.
    pub publisher: Publisher,
    /// Which changes are allowed.
    pub changes: Changes,
    /// Whether records are added again from time to time.
    pub refreshes: bool,
    /// Each of its servers that answers at all, in the order to be tried; or why none is known.
    pub readings: Result<Vec<Reading>, String>,
    /// Why nothing is planned on what was read: the zone stays with a server that cannot be read, and
    /// this is another one, with other records.
    pub apart_from_home: Option<String>,
    /// The copies of its name servers; `None`: nobody could be asked for them.
    pub copies: Option<Result<Vec<CopyEvidence>, String>>,
    /// Where the update zone is cut below the suffix: what its parent says.
    pub delegation: Option<Delegation>,
    /// What is contested, and what is to be done about it.
    pub contested: Vec<(Name, String)>,
}

impl ZoneEvidence {
    /// The reading that updates would be planned on, with the RRset that it shows.
    pub fn first(&self) -> Option<(&Reading, &Observed)> {
        first_read(self.readings.as_deref().unwrap_or_default())
    }
}

/// The first of a zone's readings, in the order to be tried, that shows an RRset.
pub fn first_read(readings: &[Reading]) -> Option<(&Reading, &Observed)> {
    readings
        .iter()
        .find_map(|reading| Some((reading, reading.observed.as_ref().ok()?)))
}

/// What one server of a zone said.
#[derive(Debug, Clone)]
pub struct Reading {
    /// Index into [`Evidence::servers`].
    pub server: usize,
    /// The RRset, or why it could not be read.
    pub observed: Result<Observed, ReadProblem>,
    /// The SOA, where it was read.
    pub start: Option<Start>,
    /// The update that changes nothing; `None`: none could be sent.
    pub preflight: Option<Preflight>,
}

/// Why an RRset could not be read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ReadProblem {
    /// What it is about.
    pub kind: ReadProblemKind,
    /// What happened and what to do next.
    pub text: String,
}

/// What a failed read is about.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ReadProblemKind {
    /// No answer.
    Silent,
    /// The signature.
    Key,
    /// The server does not serve the zone, or not with authority.
    NotAuthoritative,
    /// A CNAME or DNAME.
    Alias,
    /// A delegation.
    Delegation,
    /// A wildcard's records.
    Wildcard,
    /// Anything else.
    Other,
}

/// What a zone's SOA says, and what became of asking the primary that it names.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// MNAME.
    pub mname: Name,
    /// Where MNAME listens; empty: the name has no address.
    pub addresses: Result<Vec<SocketAddr>, String>,
    /// The serial that MNAME has; `None`: it is the server itself, or it did not answer.
    pub serial_there: Option<u32>,
    /// A secondary asks for a new serial so often, in seconds.
    pub refresh: u32,
    /// A secondary that reaches nobody serves the zone no longer than this, in seconds.
    pub expire: u32,
    /// A resolver keeps the word that there is no record so long, in seconds.
    pub negative_ttl: u32,
}

/// An update that changes nothing, and what became of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Preflight {
    /// What it asked for.
    pub way: Way,
    /// What the server answered.
    pub answer: PreflightAnswer,
    /// What stood there afterwards.
    pub after: Result<Observed, String>,
}

/// What a preflight asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Way {
    /// To add one record of the RRset, just as it is.
    ReAdd,
    /// To delete a record that is not there.
    DeleteAbsent,
}

/// The answer to a preflight.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum PreflightAnswer {
    /// This code.
    Rcode(Rcode),
    /// The signature was not accepted, or there was none to make.
    Key(KeyProblem),
    /// No answer, or none that can be read.
    Silent(String),
}

/// What one name server of a zone has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct CopyEvidence {
    /// Its name.
    pub name: Name,
    /// Where it was asked.
    pub address: Option<SocketAddr>,
    /// What it said.
    pub state: CopyState,
}

/// What a name server said of its copy.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CopyState {
    /// The RRset and the serial.
    Read(Observed),
    /// Its name has no address.
    NoAddress,
    /// Its name could not be resolved.
    NotResolved(String),
    /// This machine has no way to its address, which says nothing of it.
    NoRoute,
    /// It gave no answer that can be believed.
    NotRead(String),
}

/// What the parent of a zone says of it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Delegation {
    /// The zone that is delegated.
    pub zone: Name,
    /// The parent's server that was asked, and the name servers that it gives; or why nobody told.
    pub told: Result<(SocketAddr, Vec<Name>), String>,
    /// What these have.
    pub copies: Vec<CopyEvidence>,
}
