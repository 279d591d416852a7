//! A zone's name servers, and the copy that one of them has.

use std::net::SocketAddr;

use hickory_proto::rr::RecordType;

use super::{Cause, observe_owner};
use crate::dns::exchange::{Exchange, Settings};
use crate::model::{Name, Observed};
use crate::wire::answer;
use crate::wire::query::query;

/// Asks a server of the zone for the zone's name servers; `zone` is the zone to update.
///
/// Where they listen, [`crate::dns::resolve::Resolver::name_server`] tells.
pub async fn name_servers(exchange: &Exchange, zone: &Name) -> Result<Vec<Name>, Cause> {
    let answer = exchange.read(query(zone, RecordType::NS)).await;
    answer::name_servers(&answer.map_err(Cause::Exchange)?, zone).map_err(Cause::Answer)
}

/// Reads the RRset of `owner` and its zone's serial from the name server at an address, unsigned
/// and over a connection of its own, which is closed afterwards.
pub async fn copy(
    address: SocketAddr,
    owner: &Name,
    settings: Settings,
) -> Result<Observed, Cause> {
    observe_owner(&Exchange::new(address, None, settings), owner).await
}
