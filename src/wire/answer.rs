//! Answers, believed only when authoritative and complete.
//!
//! A plan is made from what stands here, so everything short of an authoritative answer to the
//! question asked is an error: a lame server, a referral, an alias, a cut message, a negative
//! answer without its SOA. Each error says what an administrator does about it.

use std::net::IpAddr;

use hickory_proto::op::{Header, Message, MessageType, OpCode, ResponseCode};
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{DNSClass, RData, Record, RecordType};
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder};

use super::convert;
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
    if message.answers.is_empty() {
        let soa = negative(&message, owner)?;
        return Ok(SrvAnswer::Absent { soa });
    }
    require_existence(&message)?;
    let mut records = Vec::with_capacity(message.answers.len());
    let mut lowest = u32::MAX;
    let mut highest = 0;
    for record in &message.answers {
        let RData::SRV(data) = &record.data else {
            continue;
        };
        lowest = lowest.min(record.ttl);
        highest = highest.max(record.ttl);
        records.push(Srv {
            priority: data.priority,
            weight: data.weight,
            port: data.port,
            target: name(&data.target)?,
        });
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
    if message.answers.is_empty() {
        return negative(&message, name);
    }
    require_existence(&message)?;
    let (record, data) = only_soa(&message.answers)?
        .ok_or_else(|| malformed("ANSWER holds records, but no SOA record"))?;
    read_soa(record, data, true)
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
    if message.answers.is_empty() {
        negative(&message, zone)?;
        return Ok(Vec::new());
    }
    require_existence(&message)?;
    let mut servers = Vec::with_capacity(message.answers.len());
    for record in &message.answers {
        if let RData::NS(server) = &record.data {
            servers.push(name(server)?);
        }
    }
    servers.sort();
    servers.dedup();
    let came_along = |server: &Name| {
        let of_it = |record: &&Record| {
            record.dns_class == DNSClass::IN && convert::is_same(&record.name, server)
        };
        let records = message.additionals.iter().filter(of_it);
        records
            .filter_map(|record| record.data.ip_addr())
            .collect::<Vec<_>>()
    };
    Ok(servers
        .into_iter()
        .map(|server| {
            let addresses = came_along(&server);
            (server, addresses)
        })
        .collect())
}

/// Reads the answer to `name A` or `name AAAA`; none where it has no such record.
pub fn addresses(
    bytes: &[u8],
    name: &Name,
    record_type: RecordType,
) -> Result<Vec<IpAddr>, AnswerError> {
    let message = authoritative(bytes, name, record_type)?;
    if message.answers.is_empty() {
        negative(&message, name)?;
        return Ok(Vec::new());
    }
    require_existence(&message)?;
    let data = message.answers.iter().map(|record| &record.data);
    Ok(data.filter_map(RData::ip_addr).collect())
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
    let message = Message::from_vec(bytes).map_err(|error| malformed(error.to_string()))?;
    let mut servers = Vec::new();
    for record in &message.authorities {
        if let RData::NS(server) = &record.data
            && convert::is_same(&record.name, zone)
        {
            servers.push(name(server)?);
        }
    }
    servers.sort();
    servers.dedup();
    Ok(servers)
}

/// Reads the answer to `version.bind CH TXT`: what the server calls itself, in printable ASCII;
/// `None` where it does not say.
pub fn version(bytes: &[u8]) -> Option<String> {
    const LONGEST: usize = 60;
    let header = header(bytes, OpCode::Query).ok()?;
    if header.counts.queries > 1 {
        return None;
    }
    let message = Message::from_vec(bytes).ok()?;
    let said = message
        .answers
        .iter()
        .find_map(|record| match &record.data {
            RData::TXT(text) => Some(text.to_string()),
            _ => None,
        })?;
    let printable = |c: &char| c.is_ascii_graphic() || *c == ' ';
    let said: String = said.chars().filter(printable).take(LONGEST).collect();
    let said = said.trim();
    (!said.is_empty()).then(|| said.to_owned())
}

/// Reads the answer to an UPDATE (RFC 2136 §3.8): its header is all that counts.
///
/// Any response code is Ok; whether the update was applied is for the read-back to say.
pub fn update(bytes: &[u8]) -> Result<Rcode, AnswerError> {
    let header = header(bytes, OpCode::Update)?;
    Ok(rcode(header.metadata.response_code))
}

/// The header of a response to a request with this opcode.
fn header(bytes: &[u8], opcode: OpCode) -> Result<Header, AnswerError> {
    let header =
        Header::read(&mut BinDecoder::new(bytes)).map_err(|error| malformed(error.to_string()))?;
    if header.metadata.message_type != MessageType::Response {
        return Err(malformed("it is a request, not a response"));
    }
    if header.metadata.op_code != opcode {
        return Err(malformed("its opcode is another than the request's"));
    }
    Ok(header)
}

/// Decodes NOERROR or NXDOMAIN, authoritative, whole, for this question and without an alias.
fn authoritative(
    bytes: &[u8],
    name: &Name,
    record_type: RecordType,
) -> Result<Message, AnswerError> {
    // The header comes first: hickory reserves space for as many questions as the header claims.
    let header = header(bytes, OpCode::Query)?;
    if header.counts.queries > 1 {
        return Err(malformed("it repeats more than one question"));
    }
    let message = Message::from_vec(bytes).map_err(|error| malformed(error.to_string()))?;
    let rcode = rcode(message.metadata.response_code);
    let is_error = !matches!(rcode, Rcode::NOERROR | Rcode::NXDOMAIN);
    match message.queries.first() {
        // A server that could not read the question has none to repeat.
        None if is_error => {}
        Some(query)
            if query.query_type() == record_type
                && query.query_class() == DNSClass::IN
                && convert::is_same(query.name(), name) => {}
        _ => {
            return Err(AnswerError::WrongQuestion {
                name: name.clone(),
                record_type,
            });
        }
    }
    if is_error {
        let name = name.clone();
        return Err(AnswerError::Rcode { name, rcode });
    }
    if message.metadata.truncation {
        return Err(AnswerError::Truncated(name.clone()));
    }
    if !message.metadata.authoritative {
        return Err(referral(&message, name)?
            .unwrap_or_else(|| AnswerError::NotAuthoritative(name.clone())));
    }
    refuse_alias(&message, name)?;
    refuse_wrong_owner(&message, name)?;
    Ok(message)
}

/// The error for a CNAME in ANSWER, a DNAME's synthesized one included.
fn refuse_alias(message: &Message, name: &Name) -> Result<(), AnswerError> {
    let target = message
        .answers
        .iter()
        .find_map(|record| match &record.data {
            RData::CNAME(target) if convert::is_same(&record.name, name) => Some(target),
            _ => None,
        });
    let Some(target) = target else {
        return Ok(());
    };
    let mut dname = None;
    for record in &message.answers {
        if record.record_type() == RecordType::DNAME {
            dname = Some(self::name(&record.name)?);
        }
    }
    Err(AnswerError::Alias {
        name: name.clone(),
        target: self::name(target)?,
        dname,
    })
}

fn refuse_wrong_owner(message: &Message, name: &Name) -> Result<(), AnswerError> {
    for record in &message.answers {
        if !convert::is_same(&record.name, name) {
            return Err(AnswerError::WrongOwner {
                name: name.clone(),
                owner: self::name(&record.name)?,
            });
        }
        if record.dns_class != DNSClass::IN {
            return Err(malformed("ANSWER holds a record of another class than IN"));
        }
    }
    Ok(())
}

fn require_existence(message: &Message) -> Result<(), AnswerError> {
    if message.metadata.response_code == ResponseCode::NXDomain {
        return Err(malformed("it says NXDOMAIN and holds records of the name"));
    }
    Ok(())
}

/// The SOA in AUTHORITY of a negative answer (RFC 2308 §2).
fn negative(message: &Message, name: &Name) -> Result<Soa, AnswerError> {
    let Some((record, data)) = only_soa(&message.authorities)? else {
        return Err(referral(message, name)?.unwrap_or_else(|| AnswerError::NoSoa(name.clone())));
    };
    let name_exists = message.metadata.response_code != ResponseCode::NXDomain;
    let soa = read_soa(record, data, name_exists)?;
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
fn referral(message: &Message, name: &Name) -> Result<Option<AnswerError>, AnswerError> {
    if !message.answers.is_empty() || message.metadata.response_code != ResponseCode::NoError {
        return Ok(None);
    }
    let delegation = message
        .authorities
        .iter()
        .find(|record| record.record_type() == RecordType::NS);
    let Some(delegation) = delegation else {
        return Ok(None);
    };
    let zone = self::name(&delegation.name)?;
    if zone.is_root() || !name.is_within(&zone) {
        return Ok(None);
    }
    Ok(Some(AnswerError::Referral {
        name: name.clone(),
        zone,
    }))
}

/// The SOA record of a section; two of them are an error.
fn only_soa(section: &[Record]) -> Result<Option<(&Record, &SOA)>, AnswerError> {
    let mut all = section.iter().filter_map(|record| match &record.data {
        RData::SOA(data) if record.dns_class == DNSClass::IN => Some((record, data)),
        _ => None,
    });
    let first = all.next();
    if all.next().is_some() {
        return Err(malformed("it holds more than one SOA record"));
    }
    Ok(first)
}

fn read_soa(record: &Record, data: &SOA, name_exists: bool) -> Result<Soa, AnswerError> {
    Ok(Soa {
        zone: name(&record.name)?,
        mname: name(&data.mname)?,
        serial: data.serial,
        timers: Timers {
            refresh: data.refresh.cast_unsigned(),
            retry: data.retry.cast_unsigned(),
            expire: data.expire.cast_unsigned(),
            negative_ttl: record.ttl.min(data.minimum),
        },
        name_exists,
    })
}

fn name(decoded: &hickory_proto::rr::Name) -> Result<Name, AnswerError> {
    convert::from_hickory(decoded).map_err(|error| malformed(error.to_string()))
}

fn rcode(decoded: ResponseCode) -> Rcode {
    Rcode(u16::from(decoded))
}

fn malformed(what: impl Into<String>) -> AnswerError {
    AnswerError::Malformed(what.into())
}

#[cfg(test)]
mod tests;
