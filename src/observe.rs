//! Primary → Observed: what one server publishes, completely, or an error.
//!
//! Two questions per zone, at once: `owner SRV`, and `_srvkeeper.owner SOA`, the SOA of a name
//! below the owner that nobody has. Where the owner exists, that child gets NXDOMAIN with the SOA
//! of the enclosing zone, which is the zone to update and its serial, wherever the cuts are.
//!
//! The child also tells a synthesized answer from a real one. A wildcard answers for names that
//! do not exist (RFC 4592 §3.3.1), so where the records come from `*._tcp…`, the owner does not
//! exist, the wildcard covers the child as well, and the child gets NODATA in place of NXDOMAIN.
//! Only then, when records come with a child that is not NXDOMAIN, are the wildcards above the
//! owner asked for, up to the zone's apex. Some servers say NODATA of every name (compact denial,
//! RFC 9824): they have no such wildcard, and the records stand.
//!
//! Where the owner exists without SRV records, its CNAME is asked for as well: Samba shows one to
//! nobody who asks for SRV.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod name_servers;

pub use name_servers::{copy, listening, name_servers_and_addresses, own_addresses};

use std::fmt;
use std::net::SocketAddr;

use hickory_proto::rr::RecordType;

use crate::dns::exchange::{Exchange, ExchangeError};
use crate::model::{Name, NameError, Observed, Rcode, Srv, Zone};
use crate::wire::answer::{self, AnswerError, Soa, SrvAnswer};
use crate::wire::query::query;

/// The label of the child that nobody has, as a name in wire form.
const CHILD: &[u8] = b"\x0a_srvkeeper\0";

/// Why a zone could not be read.
///
/// Its text is complete, causes included, so it has no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub struct ObserveError {
    /// The zone, as configured.
    pub zone: Name,
    /// The servers tried, in order, each with its cause; empty when there was none to try.
    pub tried: Vec<(SocketAddr, Cause)>,
}

/// Why one server's answers make no observation.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Cause {
    /// No answer.
    #[error("{0}")]
    Exchange(ExchangeError),
    /// An answer that cannot be believed.
    #[error("{0}")]
    Answer(AnswerError),
    /// The records are synthesized from a wildcard: there is no RRset to update.
    #[error(
        "the records of {owner} come from the wildcard {wildcard}, so {owner} itself has none to update; remove the wildcard's SRV records, or create the records of {owner} by hand first"
    )]
    Wildcard {
        /// The owner of the RRset.
        owner: Name,
        /// The wildcard with the same records.
        wildcard: Name,
    },
    /// Two answers of one server name different zones.
    #[error(
        "the server answers for {owner} from two zones, {first} and {second}; it may be about to load or drop one: see its log, and remove the zone that should not be there"
    )]
    ZonesDiffer {
        /// The owner of the RRset.
        owner: Name,
        /// The zone in the answer for the owner.
        first: Name,
        /// The zone in the answer for its child.
        second: Name,
    },
    /// A name above or below the owner is too long to ask for.
    #[error("{0}")]
    Name(NameError),
}

impl ObserveError {
    /// The cause at the server that was tried last, without the zone and the server.
    pub fn cause(&self) -> String {
        match self.tried.last() {
            Some((_server, cause)) => cause.to_string(),
            None => self.to_string(),
        }
    }
}

impl Cause {
    /// True when another server may do better: this one did not answer, or not for this zone.
    fn is_the_servers(&self) -> bool {
        match self {
            Self::Exchange(_) => true,
            Self::Answer(AnswerError::Rcode { rcode, .. }) => {
                matches!(*rcode, Rcode::SERVFAIL | Rcode::REFUSED | Rcode::NOTAUTH)
            }
            _ => false,
        }
    }
}

/// `zone corp.example. cannot be read: 10.0.0.53:53: no answer …; 10.0.0.54:53: …`
impl fmt::Display for ObserveError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "zone {} cannot be read: ", self.zone)?;
        if self.tried.is_empty() {
            return f.write_str("it has no server; name one in `servers`");
        }
        for (index, (server, cause)) in self.tried.iter().enumerate() {
            let semicolon = if index == 0 { "" } else { "; " };
            write!(f, "{semicolon}{server}: {cause}")?;
        }
        Ok(())
    }
}

/// Reads a zone's RRset, its TTL, the zone to update and the serial from one server.
pub async fn observe(exchange: &Exchange, zone: &Zone) -> Result<Observed, ObserveError> {
    let (observed, _tried) = observe_first([exchange], zone).await?;
    Ok(observed)
}

/// Reads a zone from the first of several servers that can be reached and serves it; with it come
/// those before that one, each with its cause.
///
/// The next one is tried only when a server gives no answer, or SERVFAIL, REFUSED or NOTAUTH; any
/// other error is about the zone and ends the search.
pub async fn observe_first<'a>(
    exchanges: impl IntoIterator<Item = &'a Exchange>,
    zone: &Zone,
) -> Result<(Observed, Vec<(SocketAddr, Cause)>), ObserveError> {
    let mut tried = Vec::new();
    for exchange in exchanges {
        let cause = match observe_owner(exchange, &zone.owner).await {
            Ok(observed) => return Ok((observed, tried)),
            Err(cause) => cause,
        };
        let goes_on = cause.is_the_servers();
        tried.push((exchange.server(), cause));
        if !goes_on {
            break;
        }
    }
    Err(ObserveError {
        zone: zone.name.clone(),
        tried,
    })
}

async fn observe_owner(exchange: &Exchange, owner: &Name) -> Result<Observed, Cause> {
    let (answer, child) = tokio::join!(ask_srv(exchange, owner), ask_child(exchange, owner));
    let (answer, child) = (answer?, child?);
    let (ttl, mixed_ttl, records) = match answer {
        SrvAnswer::Records {
            ttl,
            mixed_ttl,
            records,
        } => (Some(ttl), mixed_ttl, records),
        SrvAnswer::Absent { soa } => {
            require_one_zone(owner, &soa, child.as_ref())?;
            if soa.name_exists {
                refuse_alias(exchange, owner).await?;
            }
            return Ok(observed(exchange, soa, None, false, Vec::new()));
        }
    };
    let soa = match child {
        Some(soa) if !soa.name_exists => soa,
        // Rare, and boxed, so that other zones have no room for it.
        child => Box::pin(ask_more(exchange, owner, child, &records)).await?,
    };
    Ok(observed(exchange, soa, ttl, mixed_ttl, records))
}

/// The SOA where the child's answer gives none, or leaves open whether the records are a wildcard's.
async fn ask_more(
    exchange: &Exchange,
    owner: &Name,
    child: Option<Soa>,
    records: &[Srv],
) -> Result<Soa, Cause> {
    let soa = match child {
        Some(soa) => soa,
        None => ask_upward(exchange, owner).await?,
    };
    refuse_wildcard(exchange, owner, &soa.zone, records).await?;
    Ok(soa)
}

fn observed(
    exchange: &Exchange,
    soa: Soa,
    ttl: Option<u32>,
    mixed_ttl: bool,
    records: Vec<Srv>,
) -> Observed {
    Observed {
        server: exchange.server(),
        update_zone: soa.zone,
        serial: soa.serial,
        ttl,
        mixed_ttl,
        records,
    }
}

fn require_one_zone(owner: &Name, soa: &Soa, child: Option<&Soa>) -> Result<(), Cause> {
    match child {
        Some(child) if child.zone != soa.zone => Err(Cause::ZonesDiffer {
            owner: owner.clone(),
            first: soa.zone.clone(),
            second: child.zone.clone(),
        }),
        _ => Ok(()),
    }
}

/// The SOA that the child's answer carries; `None` when the server has no use for such a name.
///
/// A DNAME is an error: it stands at the owner, or the owner's own answer tells of it, too.
async fn ask_child(exchange: &Exchange, owner: &Name) -> Result<Option<Soa>, Cause> {
    let Ok(child) = Name::from_wire(CHILD).and_then(|label| owner.prefixed(&label)) else {
        return Ok(None);
    };
    match ask_soa(exchange, &child).await {
        Ok(soa) if owner.is_within(&soa.zone) => Ok(Some(soa)),
        Err(cause @ Cause::Answer(AnswerError::Alias { dname: Some(_), .. })) => Err(cause),
        Ok(_) | Err(Cause::Answer(_)) => Ok(None),
        Err(cause) => Err(cause),
    }
}

/// Asks for the SOA at the owner, then label by label upwards; the owner's cause when all fail.
async fn ask_upward(exchange: &Exchange, owner: &Name) -> Result<Soa, Cause> {
    let cause = match ask_soa(exchange, owner).await {
        Err(cause @ Cause::Answer(_)) => cause,
        result => return result,
    };
    let mut name = owner.parent();
    while let Some(above) = name {
        match ask_soa(exchange, &above).await {
            Err(Cause::Answer(_)) => name = above.parent(),
            result => return result,
        }
    }
    Err(cause)
}

/// Asks for the wildcards that could have made the owner's records, up to the zone's apex.
///
/// One directly below the owner could not, and is nobody's concern.
async fn refuse_wildcard(
    exchange: &Exchange,
    owner: &Name,
    zone: &Name,
    records: &[Srv],
) -> Result<(), Cause> {
    let asterisk = Name::parse("*").map_err(Cause::Name)?;
    let mut name = owner.parent();
    while let Some(above) = name.filter(|above| above.is_within(zone)) {
        let wildcard = above.prefixed(&asterisk).map_err(Cause::Name)?;
        match ask_srv(exchange, &wildcard).await {
            Ok(SrvAnswer::Records { records: same, .. }) if same == records => {
                return Err(Cause::Wildcard {
                    owner: owner.clone(),
                    wildcard,
                });
            }
            // An alias or a delegation there has made no SRV records here.
            Ok(_)
            | Err(Cause::Answer(AnswerError::Alias { .. } | AnswerError::Referral { .. })) => {}
            Err(cause) => return Err(cause),
        }
        name = above.parent();
    }
    Ok(())
}

async fn refuse_alias(exchange: &Exchange, owner: &Name) -> Result<(), Cause> {
    let answer = exchange.read(query(owner, RecordType::CNAME)).await;
    answer::no_alias(&answer.map_err(Cause::Exchange)?, owner).map_err(Cause::Answer)
}

async fn ask_srv(exchange: &Exchange, owner: &Name) -> Result<SrvAnswer, Cause> {
    let answer = exchange.read(query(owner, RecordType::SRV)).await;
    answer::srv(&answer.map_err(Cause::Exchange)?, owner).map_err(Cause::Answer)
}

async fn ask_soa(exchange: &Exchange, name: &Name) -> Result<Soa, Cause> {
    let answer = exchange.read(query(name, RecordType::SOA)).await;
    answer::soa(&answer.map_err(Cause::Exchange)?, name).map_err(Cause::Answer)
}

#[cfg(test)]
mod tests;
