//! A zone's name servers, and the copy that one of them has.

use std::net::{IpAddr, SocketAddr};

use hickory_proto::rr::RecordType;

use super::{Cause, observe_owner};
use crate::dns::exchange::Exchange;
use crate::dns::resolve::Resolver;
use crate::model::{Name, Observed};
use crate::wire::answer;
use crate::wire::query::query;

/// Asks a server of the zone for the zone's name servers, each with those of its addresses that
/// came along; `zone` is the zone to update.
///
/// Where they listen, [`listening`] tells.
pub async fn name_servers_and_addresses(
    exchange: &Exchange,
    zone: &Name,
) -> Result<Vec<(Name, Vec<IpAddr>)>, Cause> {
    let answer = exchange.read(query(zone, RecordType::NS)).await;
    let answer = answer.map_err(Cause::Exchange)?;
    answer::name_servers_and_addresses(&answer, zone).map_err(Cause::Answer)
}

/// Where a zone's name server listens, or why that is not known, for people.
///
/// One in the zone itself is asked of the zone's server, which knows best, and is found even where
/// this machine resolves through another view; any other is asked of the system's resolver. What
/// came along with the names (`known`) saves two questions for each zone that was written.
pub async fn listening(
    exchange: &Exchange,
    zone: &Name,
    name: &Name,
    known: Vec<IpAddr>,
    resolver: &Resolver,
) -> Result<Vec<SocketAddr>, String> {
    let addresses = if name.is_within(zone) {
        let own = own_addresses(exchange, name, known).await;
        own.map_err(|cause| cause.to_string())
    } else {
        let found = resolver.addresses(name).await;
        found.map_err(|error| error.to_string())
    }?;
    match addresses.is_empty() {
        true => Err("its name has no address".to_owned()),
        false => Ok(resolver.at_port(addresses)),
    }
}

/// The addresses of a name server in the zone itself: those that came along, or else what the
/// zone's server says; empty when the name has none.
pub async fn own_addresses(
    exchange: &Exchange,
    name: &Name,
    known: Vec<IpAddr>,
) -> Result<Vec<IpAddr>, Cause> {
    if !known.is_empty() {
        return Ok(known);
    }
    let (v4, v6) = tokio::join!(
        ask_addresses(exchange, name, RecordType::A),
        ask_addresses(exchange, name, RecordType::AAAA),
    );
    Ok([v4?, v6?].concat())
}

async fn ask_addresses(
    exchange: &Exchange,
    name: &Name,
    record_type: RecordType,
) -> Result<Vec<IpAddr>, Cause> {
    let answer = exchange.read(query(name, record_type)).await;
    answer::addresses(&answer.map_err(Cause::Exchange)?, name, record_type).map_err(Cause::Answer)
}

/// Reads the RRset of `owner` and its zone's serial as the name server behind an exchange has them.
///
/// Other name servers than the one written to know no key of ours: give an unsigned exchange.
pub async fn copy(exchange: &Exchange, owner: &Name) -> Result<Observed, Cause> {
    observe_owner(exchange, owner).await
}
