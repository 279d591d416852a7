//! The update that changes nothing, whose answer tells of the right to make one that does.
//!
//! One record of the RRset is added again just as it was read, under the whole RRset as the
//! prerequisite, so that it can only be carried out on what was seen, and then changes nothing. BIND,
//! Knot and PowerDNS check the right all the same, and no serial moves. Where there is no RRset, a
//! record that is not there is deleted; Knot and PowerDNS check the right, BIND does not. Both in
//! one message is not asked: PowerDNS deletes first and keeps the record.
//!
//! A server that scavenges takes the added record for refreshed, which does it good.

use super::problems;
use crate::diagnose::{Preflight, PreflightAnswer, Way};
use crate::dns::exchange::{Exchange, ExchangeError};
use crate::model::{Name, Observed, Srv};
use crate::observe;
use crate::reconcile::Connection;
use crate::wire::answer;
use crate::wire::update::{self, Update};

/// The target of the record that is not there (RFC 6761 §6.4: nobody has such a name).
const ABSENT: &str = "srvkeeper-doctor.invalid.";

/// Asks for the right to change an RRset, and reads it again.
pub(super) async fn ask(connection: &Connection, owner: &Name, observed: &Observed) -> Preflight {
    // One TTL for records that have several would change some.
    let again = observed.records.first().filter(|_| !observed.mixed_ttl);
    let (way, message) = match again {
        Some(record) => {
            let adds = std::slice::from_ref(record);
            (Way::ReAdd, encode(connection, owner, observed, &[], adds))
        }
        None => {
            let deletes = absent();
            let message = encode(connection, owner, observed, deletes.as_slice(), &[]);
            (Way::DeleteAbsent, message)
        }
    };
    let answer = match message {
        Ok(message) => send(&connection.exchange, message).await,
        Err(why) => PreflightAnswer::Silent(format!("nothing was sent: {why}")),
    };
    let after = observe::copy(&connection.exchange, owner).await;
    Preflight {
        way,
        answer,
        after: after.map_err(|cause| cause.to_string()),
    }
}

fn absent() -> Option<Srv> {
    let target = Name::parse(ABSENT).ok()?;
    Some(Srv {
        priority: u16::MAX,
        weight: u16::MAX,
        port: 1,
        target,
    })
}

fn encode(
    connection: &Connection,
    owner: &Name,
    observed: &Observed,
    deletes: &[Srv],
    adds: &[Srv],
) -> Result<Vec<u8>, String> {
    let update = Update {
        zone: &observed.update_zone,
        owner,
        prerequisite: &observed.records,
        deletes,
        adds,
        ttl: observed.ttl.unwrap_or_default(),
    };
    update::encode(&update, connection.overhead()).map_err(|error| error.to_string())
}

async fn send(exchange: &Exchange, message: Vec<u8>) -> PreflightAnswer {
    match exchange.update(message).await {
        Ok(octets) => match answer::update(&octets) {
            Ok(rcode) => PreflightAnswer::Rcode(rcode),
            Err(error) => PreflightAnswer::Silent(error.to_string()),
        },
        // Nothing hangs on it but a word to a person.
        Err(ExchangeError::Unproven { rcode, .. }) => PreflightAnswer::Rcode(rcode),
        Err(error) => match problems::of_key(&error) {
            Some(problem) => PreflightAnswer::Key(problem),
            None => PreflightAnswer::Silent(error.to_string()),
        },
    }
}
