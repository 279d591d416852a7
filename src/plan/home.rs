//! A zone stays with the server on which it was last written.
//!
//! Between servers that all take updates (the domain controllers of Active Directory), a later
//! write on one can undo an earlier one on another, since the last writer wins. So a second server
//! is planned on only when it publishes what the first was last seen to publish: then nothing that
//! happened there is missing here.

use std::net::SocketAddr;

use super::ZoneError;
use crate::model::{Home, Observed, Published, Zone};

/// Fails when a zone was read from another server than the one it stays with, and that one lags, or
/// may lag, behind.
///
/// `why_not` says why the server that it stays with was not read.
pub fn check_home(
    zone: &Zone,
    home: &Home,
    observed: &Observed,
    why_not: &str,
) -> Result<(), ZoneError> {
    let (stays, read) = (home.server, observed.server);
    if stays == read {
        return Ok(());
    }
    let text = match &home.published {
        Some(published) if published.is_in(observed) => return Ok(()),
        Some(published) => format!(
            "its records were last written on {stays}, which cannot be read ({why_not}), and {read} publishes others ({} there, {} here), so that it lags behind or was changed apart; nothing is planned on it until both publish the same",
            counted(published.records.len(), published.ttl),
            counted(observed.records.len(), observed.ttl),
        ),
        None => format!(
            "an update sent to {stays} may have been carried out, and {stays} cannot be read ({why_not}), so that nothing is planned on {read}, where it may be missing"
        ),
    };
    Err(ZoneError {
        server: Some(read.to_string()),
        text: format!("{text}; {}", way_out(zone, stays, read)),
    })
}

/// True when `next` may be written in place of the server that just read so, and took no update.
///
/// Down to the letter case of the names, since the plan's deletions carry them as read.
pub fn may_take_over(observed: &Observed, next: &Observed) -> bool {
    let same_spelling = || {
        let pairs = observed.records.iter().zip(&next.records);
        pairs.into_iter().all(|(a, b)| a.same_spelling(b))
    };
    observed.update_zone == next.update_zone
        && Published::of(observed).is_in(next)
        && same_spelling()
}

/// How an operator gives the server up.
fn way_out(zone: &Zone, stays: SocketAddr, read: SocketAddr) -> String {
    match zone.servers.is_empty() {
        true => format!(
            "where {stays} is gone for good, name the server to write with servers = [\"…\"] in [[zone]] {}",
            zone.name
        ),
        false => format!(
            "where {stays} is gone for good, take it out of `servers` of [[zone]] {}, and {read} is written",
            zone.name
        ),
    }
}

fn counted(records: usize, ttl: Option<u32>) -> String {
    let s = if records == 1 { "" } else { "s" };
    match ttl {
        Some(ttl) => format!("{records} record{s} with TTL {ttl}"),
        None => "no record".to_owned(),
    }
}
