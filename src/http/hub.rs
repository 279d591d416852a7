//! Events on their way to those who watch: numbered, written once, and kept for a while.

use std::collections::VecDeque;
use std::sync::{Mutex, PoisonError};

use axum::body::Bytes;
use jiff::Timestamp;
use tokio::sync::broadcast;
use tracing::error;

use crate::render::events;
use crate::status::Event;

/// So many events wait for a slow client, and are kept for one that comes back.
const KEPT: usize = 256;

/// An event as it stands in the stream.
#[derive(Debug, Clone)]
pub(super) struct Told {
    number: u64,
    /// `id`, `event` and `data`, with the empty line.
    pub(super) text: Bytes,
}

/// Where events go.
#[derive(Debug)]
pub(super) struct Hub {
    /// Tells one daemon's numbers from another's.
    begin: i64,
    kept: Mutex<Kept>,
    sender: broadcast::Sender<Told>,
}

#[derive(Debug, Default)]
struct Kept {
    /// Of the newest event.
    number: u64,
    events: VecDeque<Told>,
}

/// What a client that comes back has missed.
pub(super) enum Missed {
    /// These.
    Events(Vec<Told>),
    /// Nobody knows any more.
    TooMuch,
}

impl Hub {
    /// A hub of a daemon that began then.
    pub(super) fn new(begin: Timestamp) -> Self {
        Self {
            begin: begin.as_millisecond(),
            kept: Mutex::default(),
            sender: broadcast::Sender::new(KEPT),
        }
    }

    /// Numbers the event and tells it.
    pub(super) fn tell(&self, event: &Event, now: Timestamp) {
        let mut kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let number = kept.number + 1;
        let id = format!("{}-{number}", self.begin);
        let json = match events::json(event, &id, now) {
            Ok(json) => json,
            Err(error) => return error!("an event was not told: {error}"),
        };
        // JSON has no line breaks of its own.
        let text = format!("id: {id}\nevent: {}\ndata: {json}\n\n", event.name());
        let told = Told {
            number,
            text: text.into(),
        };
        kept.number = number;
        if kept.events.len() == KEPT {
            kept.events.pop_front();
        }
        kept.events.push_back(told.clone());
        // Under the lock, so that whoever subscribes gets each event once. Nobody may be listening.
        let _ = self.sender.send(told);
    }

    /// The events from now on, and those after the one of this id.
    pub(super) fn subscribe(&self, last: Option<&str>) -> (broadcast::Receiver<Told>, Missed) {
        let kept = self.kept.lock().unwrap_or_else(PoisonError::into_inner);
        let receiver = self.sender.subscribe();
        let Some(last) = last else {
            return (receiver, Missed::Events(Vec::new()));
        };
        let number = last.split_once('-').and_then(|(begin, number)| {
            let number: u64 = number.parse().ok()?;
            (begin == self.begin.to_string()).then_some(number)
        });
        let oldest = kept.number + 1 - kept.events.len() as u64;
        let missed = match number {
            Some(number) if number <= kept.number && number + 1 >= oldest => {
                let missed = kept.events.iter().filter(|told| told.number > number);
                Missed::Events(missed.cloned().collect())
            }
            _ => Missed::TooMuch,
        };
        (receiver, missed)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn told(hub: &Hub, times: usize) {
        for _time in 0..times {
            hub.tell(&Event::Configured, Timestamp::UNIX_EPOCH);
        }
    }

    fn missed(hub: &Hub, last: &str) -> Option<usize> {
        match hub.subscribe(Some(last)).1 {
            Missed::Events(events) => Some(events.len()),
            Missed::TooMuch => None,
        }
    }

    #[test]
    fn who_comes_back_gets_what_it_missed_or_is_told_that_it_is_too_much() {
        let hub = Hub::new(Timestamp::from_millisecond(7).unwrap());
        assert_eq!(missed(&hub, "7-0"), Some(0));
        told(&hub, 3);
        for (last, expected) in [
            ("7-3", Some(0)),
            ("7-1", Some(2)),
            ("7-0", Some(3)),
            ("7-4", None),
            ("8-1", None),
            ("7-18446744073709551615", None),
            ("7-18446744073709551616", None),
            ("7--1", None),
            ("", None),
            ("7", None),
        ] {
            assert_eq!(missed(&hub, last), expected, "{last}");
        }
        told(&hub, KEPT);
        assert_eq!(missed(&hub, "7-2"), None);
        assert_eq!(missed(&hub, "7-3"), Some(KEPT));
    }

    #[tokio::test]
    async fn an_event_is_three_lines() {
        let hub = Hub::new(Timestamp::UNIX_EPOCH);
        let (mut receiver, _missed) = hub.subscribe(None);
        told(&hub, 1);
        let text = receiver.recv().await.unwrap().text;
        assert_eq!(
            text,
            "id: 0-1\nevent: configured\ndata: {\"id\":\"0-1\",\"event\":\"configured\",\"time\":\"1970-01-01T00:00:00Z\"}\n\n"
        );
    }
}
