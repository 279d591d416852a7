//! The other servers of zones that were written, followed beside everything else.

use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;

use futures_util::stream::{FuturesUnordered, StreamExt};
use tracing::{info, warn};

use super::batch::Ground;
use crate::model::{CopyState, ZoneCopies};
use crate::reconcile::{self, FOLLOW, FollowGround, ZoneReport};

type Walk = Pin<Box<dyn Future<Output = Vec<ZoneCopies>>>>;

/// The zones being followed.
#[derive(Default)]
pub(super) struct Following(FuturesUnordered<Walk>);

impl Following {
    /// Begins to follow those of the zones that were written.
    pub(super) fn start(&mut self, ground: &Arc<Ground>, reports: &[ZoneReport]) {
        let applied = reports.iter().filter(|report| report.was_applied());
        let written: Vec<ZoneReport> = applied.cloned().collect();
        if written.is_empty() {
            return;
        }
        let ground = Arc::clone(ground);
        self.0.push(Box::pin(async move {
            let on = FollowGround {
                config: &ground.config,
                surroundings: ground.surroundings(),
                connections: &ground.connections,
            };
            reconcile::follow(on, &written, FOLLOW).await
        }));
    }

    /// The next zones that agree, or whose time is over; never, while none is followed.
    pub(super) async fn next(&mut self) -> Vec<ZoneCopies> {
        match self.0.next().await {
            Some(copies) => copies,
            None => std::future::pending().await,
        }
    }
}

/// Logs what became of them.
pub(super) fn tell(zones: &[ZoneCopies]) {
    for ZoneCopies { zone, copies } in zones {
        let copies = match copies {
            Ok(copies) => copies,
            Err(why) => {
                warn!(%zone, "{why}");
                continue;
            }
        };
        let agreeing = copies.iter().filter(|copy| copy.state.agrees()).count();
        info!(%zone, agreeing, servers = copies.len(), "other name servers");
        for copy in copies {
            match &copy.state {
                CopyState::Agrees { .. } => {}
                CopyState::Differs { serial, publishes } => {
                    warn!(%zone, server = %copy, serial, "still publishes another RRset: {publishes}");
                }
                CopyState::Unreadable { text } => {
                    warn!(%zone, server = %copy, "cannot be read: {text}");
                }
            }
        }
    }
}
