//! What a primary was read to publish: complete, or an error elsewhere.

use std::net::SocketAddr;

use super::{Name, Srv};

/// The RRset as one authoritative server gave it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Observed {
    /// The server that was read, and that an update must go to.
    pub server: SocketAddr,
    /// The zone to update, found by its SOA: an ancestor of the owner, or the owner itself.
    pub update_zone: Name,
    /// The SOA serial that came with the read.
    pub serial: u32,
    /// The RRset's TTL in seconds; the lowest when a server mixes them. `None`: no RRset.
    pub ttl: Option<u32>,
    /// True when the records came with different TTLs, which RFC 2181 §5.2 forbids.
    pub mixed_ttl: bool,
    /// The records, spelled as read, in [`Srv`] order.
    pub records: Vec<Srv>,
}
