//! The stream of events (`text/event-stream`, WHATWG HTML §9.2).

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use futures_util::stream;
use jiff::Timestamp;
use tokio::sync::broadcast::error::RecvError;
use tokio::sync::{OwnedSemaphorePermit, broadcast, watch};
use tokio::time::{Interval, MissedTickBehavior, interval};

use super::hub::{Hub, Missed, Told};
use crate::status::Status;

/// So often a client hears that the connection lives, and how old the status is.
const HEARTBEAT: Duration = Duration::from_secs(15);

/// Tells a client to ask for the status again, since events were lost on the way.
const RESYNC: Bytes = Bytes::from_static(b"event: resync\ndata: {}\n\n");

/// A client's wait before it connects again.
const RETRY: Bytes = Bytes::from_static(b"retry: 2000\n\n");

/// One client.
struct Client {
    ready: VecDeque<Bytes>,
    events: broadcast::Receiver<Told>,
    status: watch::Receiver<Arc<Status>>,
    heartbeat: Interval,
    /// Held as long as the client is there.
    _place: OwnedSemaphorePermit,
}

/// The stream for a client that heard of the event of this id last.
pub(super) fn body(
    hub: &Hub,
    status: watch::Receiver<Arc<Status>>,
    last: Option<&str>,
    place: OwnedSemaphorePermit,
) -> Body {
    let (events, missed) = hub.subscribe(last);
    let mut ready = VecDeque::from([RETRY]);
    match missed {
        Missed::Events(missed) => ready.extend(missed.into_iter().map(|told| told.text)),
        Missed::TooMuch => ready.push_back(RESYNC),
    }
    let mut heartbeat = interval(HEARTBEAT);
    heartbeat.set_missed_tick_behavior(MissedTickBehavior::Delay);
    let client = Client {
        ready,
        events,
        status,
        heartbeat,
        _place: place,
    };
    Body::from_stream(stream::unfold(client, |mut client| async {
        let text = client.next().await?;
        Some((Ok::<_, Infallible>(text), client))
    }))
}

impl Client {
    /// What the client is told next; `None`: the daemon has ended.
    async fn next(&mut self) -> Option<Bytes> {
        if let Some(text) = self.ready.pop_front() {
            return Some(text);
        }
        tokio::select! {
            told = self.events.recv() => match told {
                Ok(told) => Some(told.text),
                Err(RecvError::Lagged(_)) => Some(RESYNC),
                Err(RecvError::Closed) => None,
            },
            _ = self.heartbeat.tick() => Some(self.heartbeat_text().into()),
        }
    }

    fn heartbeat_text(&self) -> String {
        let (status, now) = (self.status.borrow(), Timestamp::now());
        let (at, generation) = (status.at, status.generation);
        format!(
            "event: heartbeat\ndata: {{\"time\":\"{now}\",\"at\":\"{at}\",\"generation\":{generation}}}\n\n"
        )
    }
}
