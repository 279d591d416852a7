//! Plan → Outcome: one guarded update over TCP, then the read-back that decides.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod judge;

pub use judge::{Answer, Expectation, judge, judge_refresh, judge_settled};

use tracing::debug;

use crate::dns::exchange::{Exchange, ExchangeError};
use crate::fault;
use crate::model::{Observed, Outcome, OutcomeKind, Srv, Zone};
use crate::observe::observe;
use crate::plan::ZonePlan;
use crate::wire::answer;
use crate::wire::tsig::{Rejection, TsigError};
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
    let update = Update {
        zone: &plan.observed.update_zone,
        owner: &plan.owner,
        prerequisite: &plan.observed.records,
        deletes: &deletes,
        adds: &adds,
        ttl: plan.after_ttl.unwrap_or_default(),
    };
    encoded(&update, &plan.observed, reserve)
}

/// Encodes an update that adds records of the RRset as read, and by which nothing changes but
/// their age, where the server scavenges.
///
/// For [`send_refresh`].
pub fn encode_refresh(
    zone: &Zone,
    observed: &Observed,
    records: &[Srv],
    reserve: usize,
) -> Result<Vec<u8>, Outcome> {
    let update = Update {
        zone: &observed.update_zone,
        owner: &zone.owner,
        prerequisite: &observed.records,
        deletes: &[],
        adds: records,
        ttl: observed.ttl.unwrap_or_default(),
    };
    encoded(&update, observed, reserve)
}

fn encoded(update: &Update<'_>, observed: &Observed, reserve: usize) -> Result<Vec<u8>, Outcome> {
    update::encode(update, reserve).map_err(|error| Outcome {
        kind: OutcomeKind::Failed,
        text: format!("nothing was sent: {error}"),
        rcode: None,
        serial: Some(observed.serial),
    })
}

/// Sends an encoded update and judges it by reading back from the server written to.
pub async fn send(exchange: &Exchange, zone: &Zone, plan: &ZonePlan, message: Vec<u8>) -> Outcome {
    let (answer, read_back) = ask(exchange, zone, plan, message).await;
    let read_back = read_back.as_ref().map(Result::as_ref);
    judge(&answer, &Expectation::of(plan), read_back)
}

/// Sends what [`encode_refresh`] gave, with the plan that changes nothing, and judges it by the
/// answer and the read-back.
pub async fn send_refresh(
    exchange: &Exchange,
    zone: &Zone,
    unchanged: &ZonePlan,
    message: Vec<u8>,
) -> Outcome {
    let (answer, read_back) = ask(exchange, zone, unchanged, message).await;
    let read_back = read_back.as_ref().map(Result::as_ref);
    judge_refresh(&answer, &Expectation::of(unchanged), read_back)
}

/// The answer to an update, and the RRset after it, unless the answer says that nothing changed.
async fn ask(
    exchange: &Exchange,
    zone: &Zone,
    plan: &ZonePlan,
    message: Vec<u8>,
) -> (Answer, Option<Result<Observed, String>>) {
    let server = plan.observed.server;
    let answer = exchange.update(message).await;
    let is_said_unknown = matches!(
        answer,
        Err(ExchangeError::Tsig(TsigError::Rejected {
            rejection: Rejection::BadKey { .. },
            ..
        }))
    );
    let answer = match answer {
        Ok(bytes) => match answer::update(&bytes) {
            Ok(rcode) => Answer::Rcode(rcode),
            Err(error) => Answer::Doubtful(error.to_string()),
        },
        Err(ExchangeError::Unproven { rcode, error }) => Answer::Unproven {
            rcode,
            why: error.to_string(),
        },
        Err(error) if error.is_doubtful() => Answer::Doubtful(error.to_string()),
        Err(error @ ExchangeError::Tsig(_)) => Answer::Rejected(error.to_string()),
        Err(error) => Answer::NotSent(error.to_string()),
    };
    fault::point(fault::Phase::Answered);
    debug!(zone = %plan.zone, %server, %answer, "update answered");
    if !answer.wants_read_back() {
        return (answer, None);
    }
    let read_back = observe(exchange, zone).await;
    fault::point(fault::Phase::ReadBack);
    let answer = match read_back {
        // It was signed with that key, and so was the answer: the server knows it.
        Ok(_) if is_said_unknown => Answer::Doubtful(judge::takes_no_update(server)),
        _ => answer,
    };
    (answer, Some(read_back.map_err(|error| error.to_string())))
}
