//! What the keeper says of itself: the status, and what happened.

use std::cell::RefCell;

use jiff::Timestamp;

use super::batch::Reconciled;
use super::polling::Said;
use crate::config::Config;
use crate::health::{self, Probed};
use crate::http::Feed;
use crate::model::{Alert, Canary, KeptSample, Override, Verdict, Verdicts, ZoneCopies};
use crate::status::{Book, Event, Report, Terms};

/// Takes what the keeper learns, and publishes it.
///
/// It outlives a configuration, and with it what is known of hosts and zones that stay.
pub(super) struct Board {
    feed: Feed,
    notes: RefCell<Notes>,
}

struct Notes {
    book: Book,
    /// Not told yet.
    events: Vec<Event>,
    /// Something is new since it was published.
    changed: bool,
}

impl Board {
    pub(super) fn new(now: Timestamp) -> Self {
        let mut book = Book::new(now);
        Self {
            feed: Feed::new(book.status(now)),
            notes: RefCell::new(Notes {
                book,
                events: Vec::new(),
                changed: false,
            }),
        }
    }

    /// What serves it.
    pub(super) fn feed(&self) -> &Feed {
        &self.feed
    }

    /// Goes on under this configuration.
    pub(super) fn configure(&self, config: &Config, writes: bool) {
        let terms = Terms {
            hosts: &config.hosts,
            zones: &config.zones,
            writes,
            interval: config.daemon.interval,
        };
        self.note(|book| Some(book.configure(terms, Timestamp::now())));
    }

    /// Takes the samples that an earlier daemon left.
    pub(super) fn remember(&self, samples: &[KeptSample]) {
        self.note(|book| {
            book.remember(samples, Timestamp::now());
            None
        });
    }

    /// Takes what a probe said.
    pub(super) fn sample(&self, host: usize, probed: &Probed) {
        self.note(|book| {
            book.sample(host, probed);
            None
        });
    }

    /// Takes what the probes of one host came to.
    pub(super) fn believe(
        &self,
        config: &Config,
        host: usize,
        verdict: Verdict,
        overrides: &[Override],
    ) {
        let Some(known) = config.hosts.get(host) else {
            return;
        };
        let probed = Verdicts {
            hosts: vec![verdict],
            canary: Canary::Unused,
        };
        let hosts = std::slice::from_ref(known);
        let forced = health::forced(hosts, probed, overrides, Timestamp::now());
        self.note(|book| {
            let mut verdicts = forced.hosts.into_iter();
            verdicts
                .next()
                .and_then(|verdict| book.believe(host, verdict))
        });
    }

    /// Takes what the probes of all hosts came to.
    pub(super) fn believe_all(&self, config: &Config, probed: Verdicts, overrides: &[Override]) {
        let forced = health::forced(&config.hosts, probed, overrides, Timestamp::now());
        self.note(|book| book.believe_all(forced));
    }

    /// Takes what operators said.
    pub(super) fn hear(&self, said: &Said) {
        self.note(|book| book.hear(&said.overrides, said.pause.as_ref()));
    }

    /// Takes whether the store can be used.
    pub(super) fn store(&self, failure: Option<&String>) {
        self.note(|book| {
            book.store(failure);
            None
        });
    }

    /// Takes an alert that was raised.
    pub(super) fn alert(&self, alert: &Alert) {
        self.note(|book| Some(book.alert(alert)));
    }

    /// Takes what became of a batch.
    pub(super) fn walked(&self, done: Reconciled) {
        let obstacle = done.obstacle.as_ref().map(ToString::to_string);
        let reports = done.reports.into_iter().map(|report| Report {
            zone: report.index,
            plan: report.plan,
            outcome: report.outcome,
        });
        self.note(|book| {
            Some(book.walked(reports, &done.actor, obstacle.as_deref(), Timestamp::now()))
        });
    }

    /// Takes what other name servers publish.
    pub(super) fn copies(&self, zones: &[ZoneCopies]) {
        let now = Timestamp::now();
        self.note(|book| -> Vec<Event> {
            let told = zones.iter().map(|copies| book.copies(copies, now));
            told.collect()
        });
    }

    /// Lets everybody see what is new.
    pub(super) fn publish(&self) {
        let notes = &mut *self.notes.borrow_mut();
        if std::mem::take(&mut notes.changed) {
            let now = Timestamp::now();
            self.feed.publish(notes.book.status(now));
            for event in notes.events.drain(..) {
                self.feed.tell(&event, now);
            }
        }
    }

    fn note<E: IntoIterator<Item = Event>>(&self, take: impl FnOnce(&mut Book) -> E) {
        let notes = &mut *self.notes.borrow_mut();
        notes.events.extend(take(&mut notes.book));
        notes.changed = true;
    }
}
