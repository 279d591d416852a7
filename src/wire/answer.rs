//! Answers, believed only when authoritative and complete.
//!
//! A plan is made from what stands here, so everything short of an authoritative answer to the
//! question asked is an error: a lame server, a referral, an alias, a cut message, a negative
//! answer without its SOA. Each error says what an administrator does about it.

use std::net::IpAddr;

use hickory_proto::op::OpCode;
use hickory_proto::rr::{DNSClass, RecordType};

use super::message::{Header, Message, Record};
use super::reader::Malformed;
use crate::model::{Name, Rcode, Srv};

/// What an authoritative server said about the SRV RRset.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SrvAnswer {
    /// The RRset.
    Records {
        /// The TTL in seconds; the lowest when they were mixed.
        ttl: u32,
        /// True when the records came with different TTLs, which RFC 2181 §5.2 forbids.
        mixed_ttl: bool,
        /// The records, spelled as read, in [`Srv`] order; never empty.
        records: Vec<Srv>,
    },
    /// NXDOMAIN or NODATA (RFC 2308 §2).
    Absent {
        /// The SOA that proves it.
        soa: Soa,
    },
}

/// The SOA of an answer: in ANSWER at a zone's apex, in AUTHORITY with a negative answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Soa {
    /// The owner: the zone's name, which is the name asked for or stands above it.
    pub zone: Name,
    /// The primary it names (RFC 1035 §3.3.13).
    pub mname: Name,
    /// The zone's serial.
    pub serial: u32,
    /// How long copies and the word that there is no record may live.
    pub timers: Timers,
    /// False when the answer was NXDOMAIN.
    pub name_exists: bool,
}

/// The times in an SOA (RFC 1035 §3.3.13), in seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timers {
    /// A secondary asks for a new serial so often.
    pub refresh: u32,
    /// So often where the last time failed.
    pub retry: u32,
    /// A secondary that reaches nobody serves the zone no longer than this.
    pub expire: u32,
    /// A resolver keeps the word that there is no record no longer than this (RFC 2308 §5).
    pub negative_ttl: u32,
}

/// Why an answer cannot be believed.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum AnswerError {
    /// No DNS message, or one that contradicts itself.
    #[error(
        "the answer is malformed ({0}); make sure that a DNS server, and nothing in between, answers at this address"
    )]
    Malformed(String),
    /// The answer repeats another question than the one asked.
    #[error(
        "the answer is to another question than {name} {record_type}; look for a proxy or firewall that rewrites DNS on the way"
    )]
    WrongQuestion {
        /// The name asked for.
        name: Name,
        /// The type asked for.
        record_type: RecordType,
    },
    /// The AA flag is clear.
    #[error(
        "the answer for {0} is not authoritative; configure the zone's primary, not a resolver, a forwarder or a server that lost the zone"
    )]
    NotAuthoritative(Name),
    /// An error code in place of an answer.
    #[error("the server answered {rcode} for {name}: {}", advice(*.rcode))]
    Rcode {
        /// The name asked for.
        name: Name,
        /// The code.
        rcode: Rcode,
    },
    /// The TC flag is set: records are missing.
    #[error(
        "the answer for {0} is truncated and lacks records; let the server answer over TCP, and TCP port 53 through the firewall"
    )]
    Truncated(Name),
    /// The server points to the servers of another zone.
    #[error(
        "{name} is delegated: the server refers to the servers of {zone}; configure one of those, the primary of {zone}, as this zone's server"
    )]
    Referral {
        /// The name asked for.
        name: Name,
        /// The zone cut: the owner of the NS records.
        zone: Name,
    },
    /// A CNAME stands at the name, or a DNAME above it.
    #[error("{}", alias_text(.name, .target, .dname.as_ref()))]
    Alias {
        /// The name asked for.
        name: Name,
        /// What the CNAME, itself or synthesized, points to.
        target: Name,
        /// The owner of the DNAME that the CNAME was synthesized from (RFC 6672 §3.1).
        dname: Option<Name>,
    },
    /// A negative answer without its SOA is incomplete (RFC 2308 §3).
    #[error(
        "the server says that {0} has no such records, but sends no SOA with it, so the answer is incomplete; make sure that it serves the zone as primary and does not strip the AUTHORITY section"
    )]
    NoSoa(Name),
    /// A record of a name that the question does not explain.
    #[error(
        "the answer for {name} holds a record of {owner}, which does not belong there; look for a proxy or firewall that rewrites DNS on the way"
    )]
    WrongOwner {
        /// The name asked for.
        name: Name,
        /// The record's owner.
        owner: Name,
    },
}

/// What to do about an error code that came in place of an answer.
fn advice(rcode: Rcode) -> &'static str {
    match rcode {
        Rcode::REFUSED => {
            "it refuses to answer; check that it serves the zone, and that its allow-query, views and ACLs admit this host and key"
        }
        Rcode::SERVFAIL => {
            "it could not answer; see its log, often the zone is not loaded or has expired"
        }
        Rcode::NOTAUTH => {
            "it does not serve the zone, or does not know the TSIG key; check the server's address, the key's name and the key's secret on both sides"
        }
        Rcode::FORMERR => {
            "it could not read the query; if a key is configured, the server may not speak TSIG"
        }
        Rcode::NOTIMP => "it does not do such queries; configure another server",
        Rcode::YXDOMAIN => {
            "a DNAME above the name makes it too long; remove the DNAME or keep its target's zone instead"
        }
        _ => "see the server's log",
    }
}

fn alias_text(name: &Name, target: &Name, dname: Option<&Name>) -> String {
    match dname {
        Some(dname) => format!(
            "{name} is an alias of {target} by the DNAME at {dname}; records cannot be kept below it: remove the DNAME, or keep the zone it points to instead"
        ),
        None => format!(
            "{name} is an alias (CNAME) of {target}; servers ignore updates beside a CNAME: remove it, or keep the zone of {target} instead"
        ),
    }
}

/// Reads the answer to `owner SRV`.
pub fn srv(bytes: &[u8], owner: &Name) -> Result<SrvAnswer, AnswerError> {
    let message = authoritative(bytes, owner, RecordType::SRV)?;
    if message.answers().is_empty() {
        let soa = negative(&message, owner)?;
        return Ok(SrvAnswer::Absent { soa });
    }
    require_existence(&message)?;
    let mut records = Vec::with_capacity(message.answers().len());
    let mut lowest = u32::MAX;
    let mut highest = 0;
    for record in of_type(message.answers(), RecordType::SRV) {
        lowest = lowest.min(record.ttl);
        highest = highest.max(record.ttl);
        records.push(record.srv()?);
    }
    if records.is_empty() {
        return Err(malformed("ANSWER holds records, but no SRV record"));
    }
    records.sort_by(|a, b| a.cmp(b).then_with(|| a.target.wire().cmp(b.target.wire())));
    // An RRset is a set (RFC 2181 §5): deleting a repeated record would delete it altogether.
    records.dedup_by(|a, b| a.same_spelling(b));
    Ok(SrvAnswer::Records {
        ttl: lowest,
        mixed_ttl: lowest != highest,
        records,
    })
}

/// Reads the answer to `name SOA`: the SOA of the zone that `name` lies in.
pub fn soa(bytes: &[u8], name: &Name) -> Result<Soa, AnswerError> {
    let message = authoritative(bytes, name, RecordType::SOA)?;
    if message.answers().is_empty() {
        return negative(&message, name);
    }
    require_existence(&message)?;
    let record = only_soa(message.answers())?
        .ok_or_else(|| malformed("ANSWER holds records, but no SOA record"))?;
    read_soa(record, true)
}

/// Reads the answer to a question for a name's CNAME: an error when it has one.
pub fn no_alias(bytes: &[u8], name: &Name) -> Result<(), AnswerError> {
    let message = authoritative(bytes, name, RecordType::CNAME)?;
    negative(&message, name)?;
    Ok(())
}

/// Reads the answer to `zone NS`: the zone's name servers, in the order of [`Name`]; none where the
/// zone has no such records.
pub fn name_servers(bytes: &[u8], zone: &Name) -> Result<Vec<Name>, AnswerError> {
    let servers = name_servers_and_addresses(bytes, zone)?;
    Ok(servers.into_iter().map(|(name, _addresses)| name).collect())
}

/// The same, each with those of its addresses that came along (RFC 1035 §3.3.11).
///
/// A server knows best where the name is in a zone of its own; none that came means nothing.
pub fn name_servers_and_addresses(
    bytes: &[u8],
    zone: &Name,
) -> Result<Vec<(Name, Vec<IpAddr>)>, AnswerError> {
    let message = authoritative(bytes, zone, RecordType::NS)?;
    if message.answers().is_empty() {
        negative(&message, zone)?;
        return Ok(Vec::new());
    }
    require_existence(&message)?;
    let servers = sorted_targets(of_type(message.answers(), RecordType::NS))?;
    servers
        .into_iter()
        .map(|server| {
            let addresses = came_along(&message, &server)?;
            Ok((server, addresses))
        })
        .collect()
}

/// The addresses of `server` in ADDITIONAL.
fn came_along(message: &Message<'_>, server: &Name) -> Result<Vec<IpAddr>, AnswerError> {
    let mut addresses = Vec::new();
    for record in message.additionals() {
        if record.class == DNSClass::IN && record.is_of(server)? {
            addresses.extend(record.address()?);
        }
    }
    Ok(addresses)
}

/// Reads the answer to `name A` or `name AAAA`; none where it has no such record.
pub fn addresses(
    bytes: &[u8],
    name: &Name,
    record_type: RecordType,
) -> Result<Vec<IpAddr>, AnswerError> {
    let message = authoritative(bytes, name, record_type)?;
    if message.answers().is_empty() {
        negative(&message, name)?;
        return Ok(Vec::new());
    }
    require_existence(&message)?;
    let mut addresses = Vec::with_capacity(message.answers().len());
    for record in message.answers() {
        addresses.extend(record.address()?);
    }
    Ok(addresses)
}

/// Reads what a server of the parent zone says to `zone NS`: the name servers that it delegates
/// `zone` to, in the order of [`Name`]; none where it does not.
///
/// A server that serves `zone` itself gives its own NS records.
pub fn delegation(bytes: &[u8], zone: &Name) -> Result<Vec<Name>, AnswerError> {
    match name_servers(bytes, zone) {
        Err(AnswerError::Referral { zone: cut, .. }) if cut == *zone => {}
        // A cut further up: the server asked is the parent's no more.
        result => return result,
    }
    let message = Message::read(bytes)?;
    let mut of_the_zone = Vec::new();
    for record in of_type(message.authorities(), RecordType::NS) {
        if record.is_of(zone)? {
            of_the_zone.push(record);
        }
    }
    sorted_targets(of_the_zone)
}

/// Reads the answer to `version.bind CH TXT`: what the server calls itself, in printable ASCII;
/// `None` where it does not say.
pub fn version(bytes: &[u8]) -> Option<String> {
    const LONGEST: usize = 60;
    let header = header(bytes, OpCode::Query).ok()?;
    if header.questions > 1 {
        return None;
    }
    let message = Message::read(bytes).ok()?;
    let said = of_type(message.answers(), RecordType::TXT).next()?;
    let said = said.text().ok()?;
    let printable = |octet: &u8| octet.is_ascii_graphic() || *octet == b' ';
    let printable = said.into_iter().filter(printable).take(LONGEST);
    let said: String = printable.map(char::from).collect();
    let said = said.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

/// Reads the answer to an UPDATE (RFC 2136 §3.8): its header is all that counts.
///
/// Any response code is Ok; whether the update was applied is for the read-back to say.
pub fn update(bytes: &[u8]) -> Result<Rcode, AnswerError> {
    Ok(header(bytes, OpCode::Update)?.rcode)
}

/// The header of a response to a request with this opcode.
fn header(bytes: &[u8], opcode: OpCode) -> Result<Header, AnswerError> {
    let header = Header::read(bytes)?;
    if !header.is_response {
        return Err(malformed("it is a request, not a response"));
    }
    if header.opcode != u8::from(opcode) {
        return Err(malformed("its opcode is another than the request's"));
    }
    Ok(header)
}

/// Reads NOERROR or NXDOMAIN, authoritative, whole, for this question and without an alias.
fn authoritative<'m>(
    bytes: &'m [u8],
    name: &Name,
    record_type: RecordType,
) -> Result<Message<'m>, AnswerError> {
    let header = header(bytes, OpCode::Query)?;
    if header.questions > 1 {
        return Err(malformed("it repeats more than one question"));
    }
    let message = Message::read(bytes)?;
    let rcode = message.rcode;
    let is_error = !matches!(rcode, Rcode::NOERROR | Rcode::NXDOMAIN);
    let is_the_one_asked = match &message.question {
        // A server that could not read the question has none to repeat.
        None => is_error,
        Some(question) => {
            question.record_type == record_type
                && question.class == DNSClass::IN
                && question.is_of(name)?
        }
    };
    if !is_the_one_asked {
        return Err(AnswerError::WrongQuestion {
            name: name.clone(),
            record_type,
        });
    }
    if is_error {
        let name = name.clone();
        return Err(AnswerError::Rcode { name, rcode });
    }
    if message.is_truncated {
        return Err(AnswerError::Truncated(name.clone()));
    }
    if !message.is_authoritative {
        return Err(referral(&message, name)?
            .unwrap_or_else(|| AnswerError::NotAuthoritative(name.clone())));
    }
    refuse_alias(&message, name)?;
    refuse_wrong_owner(&message, name)?;
    Ok(message)
}

/// The error for a CNAME in ANSWER, a DNAME's synthesized one included.
fn refuse_alias(message: &Message<'_>, name: &Name) -> Result<(), AnswerError> {
    let mut alias = None;
    for record in of_type(message.answers(), RecordType::CNAME) {
        if alias.is_none() && record.is_of(name)? {
            alias = Some(record);
        }
    }
    let Some(alias) = alias else {
        return Ok(());
    };
    let dname = of_type(message.answers(), RecordType::DNAME).last();
    Err(AnswerError::Alias {
        name: name.clone(),
        target: alias.target()?,
        dname: dname.map(Record::owner).transpose()?,
    })
}

fn refuse_wrong_owner(message: &Message<'_>, name: &Name) -> Result<(), AnswerError> {
    for record in message.answers() {
        if !record.is_of(name)? {
            return Err(AnswerError::WrongOwner {
                name: name.clone(),
                owner: record.owner()?,
            });
        }
        if record.class != DNSClass::IN {
            return Err(malformed("ANSWER holds a record of another class than IN"));
        }
    }
    Ok(())
}

fn require_existence(message: &Message<'_>) -> Result<(), AnswerError> {
    if message.rcode == Rcode::NXDOMAIN {
        return Err(malformed("it says NXDOMAIN and holds records of the name"));
    }
    Ok(())
}

/// The SOA in AUTHORITY of a negative answer (RFC 2308 §2).
fn negative(message: &Message<'_>, name: &Name) -> Result<Soa, AnswerError> {
    let Some(record) = only_soa(message.authorities())? else {
        return Err(referral(message, name)?.unwrap_or_else(|| AnswerError::NoSoa(name.clone())));
    };
    let soa = read_soa(record, message.rcode != Rcode::NXDOMAIN)?;
    if !name.is_within(&soa.zone) {
        return Err(AnswerError::WrongOwner {
            name: name.clone(),
            owner: soa.zone,
        });
    }
    Ok(soa)
}

/// The referral error, when AUTHORITY holds NS records at or above the name in place of an answer.
///
/// NS records of the root are no referral: some servers send them for any name they do not serve.
fn referral(message: &Message<'_>, name: &Name) -> Result<Option<AnswerError>, AnswerError> {
    if !message.answers().is_empty() || message.rcode != Rcode::NOERROR {
        return Ok(None);
    }
    let Some(delegation) = of_type(message.authorities(), RecordType::NS).next() else {
        return Ok(None);
    };
    let zone = delegation.owner()?;
    if zone.is_root() || !name.is_within(&zone) {
        return Ok(None);
    }
    Ok(Some(AnswerError::Referral {
        name: name.clone(),
        zone,
    }))
}

/// The records of a section that are of one type.
fn of_type<'a, 'm>(
    section: &'a [Record<'m>],
    record_type: RecordType,
) -> impl Iterator<Item = &'a Record<'m>> {
    let is_of_it = move |record: &&Record<'m>| record.record_type == record_type;
    section.iter().filter(is_of_it)
}

/// The SOA record of a section; two of them are an error.
fn only_soa<'a, 'm>(section: &'a [Record<'m>]) -> Result<Option<&'a Record<'m>>, AnswerError> {
    let mut all = of_type(section, RecordType::SOA).filter(|record| record.class == DNSClass::IN);
    let first = all.next();
    if all.next().is_some() {
        return Err(malformed("it holds more than one SOA record"));
    }
    Ok(first)
}

fn read_soa(record: &Record<'_>, name_exists: bool) -> Result<Soa, AnswerError> {
    let data = record.soa()?;
    Ok(Soa {
        zone: record.owner()?,
        mname: data.mname,
        serial: data.serial,
        timers: Timers {
            refresh: data.refresh,
            retry: data.retry,
            expire: data.expire,
            negative_ttl: record.ttl.min(data.minimum),
        },
        name_exists,
    })
}

/// The names that these records point to, in the order of [`Name`], each once.
fn sorted_targets<'a, 'm: 'a>(
    records: impl IntoIterator<Item = &'a Record<'m>>,
) -> Result<Vec<Name>, AnswerError> {
    let targets = records.into_iter().map(Record::target);
    let mut targets = targets.collect::<Result<Vec<_>, _>>()?;
    targets.sort();
    targets.dedup();
    Ok(targets)
}

impl From<Malformed> for AnswerError {
    fn from(Malformed { offset, what }: Malformed) -> Self {
        Self::Malformed(format!("{what} at octet {offset}"))
    }
}

fn malformed(what: impl Into<String>) -> AnswerError {
    AnswerError::Malformed(what.into())
}

#[cfg(test)]
mod tests;
