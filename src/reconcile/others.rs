//! The other servers of a zone, where the first one took no update.

use std::net::SocketAddr;

use tracing::info;

use crate::model::{Observed, Outcome, OutcomeKind, Rcode, Zone};
use crate::plan::may_take_over;

use super::Context;

/// The servers that took no update of one zone, and what they said.
#[derive(Default)]
pub(super) struct Others {
    tried: Vec<SocketAddr>,
    said: Vec<String>,
}

impl Others {
    /// The zone as the next server publishes it, where `outcome` says that nothing can have been
    /// applied at the one before (RFC 2136 §4.6), and both publish the same.
    pub(super) async fn next(
        &mut self,
        context: Context<'_>,
        zone: &Zone,
        observed: &Observed,
        outcome: &Outcome,
    ) -> Option<Observed> {
        if !zone.has_a_choice_of_servers() || !took_nothing(observed, outcome) {
            return None;
        }
        let surroundings = context.surroundings;
        self.tried.push(observed.server);
        let next = surroundings
            .interrupt
            .unless_raised(context.connections.observe_next(
                zone,
                surroundings.resolver,
                &self.tried,
            ))
            .await??;
        if !may_take_over(observed, &next) {
            info!(zone = %zone.name, server = %next.server, "not asked to change the RRset: it publishes another one");
            return None;
        }
        info!(zone = %zone.name, server = %next.server, "asked next");
        self.said.push(outcome.text.clone());
        Some(next)
    }

    /// An outcome with what the servers before said.
    pub(super) fn told_with(&self, outcome: Outcome) -> Outcome {
        if self.said.is_empty() {
            return outcome;
        }
        Outcome {
            text: format!(
                "{}; asked before it: {}",
                outcome.text,
                self.said.join("; ")
            ),
            ..outcome
        }
    }
}

/// True when the server certainly applied nothing, and nobody else did meanwhile.
fn took_nothing(observed: &Observed, outcome: &Outcome) -> bool {
    let applied_nothing = match outcome.kind {
        OutcomeKind::Refused => true,
        OutcomeKind::Failed => outcome.rcode != Some(Rcode::NOERROR),
        OutcomeKind::Applied | OutcomeKind::Stale | OutcomeKind::Unknown => false,
    };
    applied_nothing
        && outcome
            .serial
            .is_none_or(|serial| serial == observed.serial)
}
