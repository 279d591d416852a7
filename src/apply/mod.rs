//! Plan → Outcome: one guarded update over TCP, then the read-back that decides.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod judge;

pub use judge::{Answer, Expectation, judge, judge_settled};

use tracing::info;

use crate::dns::exchange::{Exchange, ExchangeError};
use crate::fault;
use crate::model::{Outcome, OutcomeKind, Srv, Zone};
use crate::observe::observe;
use crate::plan::ZonePlan;
use crate::wire::answer;
use crate::wire::update::{self, Update};

/// Encodes the plan's update: the RRset as read for a prerequisite, then deletions, then additions.
///
/// Fails with the outcome to report when the update does not fit one message: nothing is sent then.
pub fn encode(plan: &ZonePlan, reserve: usize) -> Result<Vec<u8>, Outcome> {
    let deletes: Vec<Srv> = plan
        .changes
        .iter()
        .filter_map(|change| change.before().cloned())
        .collect();
    let adds: Vec<Srv> = plan
        .changes
        .iter()
        .filter_map(|change| change.after().cloned())
        .collect();
    update::encode(
        &Update {
            zone: &plan.observed.update_zone,
            owner: &plan.owner,
            prerequisite: &plan.observed.records,
            deletes: &deletes,
            adds: &adds,
            ttl: plan.after_ttl.unwrap_or_default(),
        },
        reserve,
    )
    .map_err(|error| Outcome {
        kind: OutcomeKind::Failed,
        text: format!("nothing was sent: {error}"),
        rcode: None,
        serial: Some(plan.observed.serial),
    })
}

/// Sends an encoded update and judges it by reading back from the server written to.
pub async fn send(exchange: &Exchange, zone: &Zone, plan: &ZonePlan, message: Vec<u8>) -> Outcome {
    let server = plan.observed.server;
    let answer = match exchange.update(message).await {
        Ok(bytes) => match answer::update(&bytes) {
            Ok(rcode) => Answer::Rcode(rcode),
            Err(error) => Answer::Doubtful(error.to_string()),
        },
        Err(error) if error.is_doubtful() => Answer::Doubtful(error.to_string()),
        Err(error @ ExchangeError::Tsig(_)) => Answer::Rejected(error.to_string()),
        Err(error) => Answer::NotSent(error.to_string()),
    };
    fault::point(fault::Phase::Answered);
    info!(zone = %plan.zone, %server, ?answer, "update answered");
    if !answer.wants_read_back() {
        return judge(&answer, &Expectation::of(plan), None);
    }
    let read_back = observe(exchange, zone).await;
    fault::point(fault::Phase::ReadBack);
    let read_back = read_back.map_err(|error| error.to_string());
    judge(&answer, &Expectation::of(plan), Some(read_back.as_ref()))
}
