//! What becomes known, entry by entry, and the status that follows from it.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use super::event::{Event, NAMED_ZONES, ZoneNews};
use super::zone::applied;
use super::{Copies, Counters, HostStatus, LastChange, Status, Totals, ZoneStatus};
use crate::model::{
    Alert, Canary, Host, KeptSample, Name, NoSample, Outcome, OutcomeKind, Override, Pause, Sample,
    Verdict, Verdicts, Zone, ZoneCopies,
};
use crate::plan::{ZoneError, ZonePlan};

/// Keeps the newest [`Status`], and changes of it no more than is new.
#[derive(Debug)]
pub struct Book {
    status: Status,
    /// Zones changed since the totals were counted.
    recount: bool,
}

/// What a configuration says, as far as it is shown.
#[derive(Debug, Clone, Copy)]
pub struct Terms<'a> {
    /// The inventory.
    pub hosts: &'a [Host],
    /// The zones.
    pub zones: &'a [Zone],
    /// True when the daemon writes, pauses aside.
    pub writes: bool,
    /// Time between two full reconciles.
    pub interval: Duration,
}

/// What became of one zone in one walk.
#[derive(Debug)]
pub struct Report {
    /// Index into the configured zones.
    pub zone: usize,
    /// The newest plan, or why there is none.
    pub plan: Result<ZonePlan, ZoneError>,
    /// What became of the newest update; `None` when none was sent.
    pub outcome: Option<Outcome>,
}

impl Book {
    /// An empty book of a daemon that begins now.
    pub fn new(now: Timestamp) -> Self {
        Self {
            status: Status {
                at: now,
                started: now,
                generation: 0,
                writes: false,
                pause: None,
                interval: Duration::ZERO,
                canary: Canary::Unused,
                store_failure: None,
                overrides: Arc::from([]),
                hosts: Vec::new(),
                zones: Arc::default(),
                totals: Totals::default(),
                counters: Counters::default(),
            },
            recount: false,
        }
    }

    /// The status as of now.
    pub fn status(&mut self, now: Timestamp) -> Arc<Status> {
        if std::mem::take(&mut self.recount) {
            self.status.totals = Totals::of(self.status.zones.iter().map(AsRef::as_ref));
        }
        self.status.at = now;
        Arc::new(self.status.clone())
    }

    /// Goes on under this configuration, with what is known of hosts and zones that stay.
    pub fn configure(&mut self, terms: Terms<'_>, now: Timestamp) -> Event {
        let hosts: BTreeMap<&Name, &Arc<HostStatus>> = self
            .status
            .hosts
            .iter()
            .map(|host| (&host.name, host))
            .collect();
        let host = |host: &Host| {
            Arc::new(match hosts.get(host.name()) {
                Some(known) => known.configured(host),
                None => HostStatus::new(host),
            })
        };
        let zones: BTreeMap<&Name, &Arc<ZoneStatus>> = self
            .status
            .zones
            .iter()
            .map(|zone| (&zone.owner, zone))
            .collect();
        let zone = |zone: &Zone| match zones.get(&zone.owner) {
            Some(known) if known.zone == zone.name => Arc::clone(known),
            _ => Arc::new(ZoneStatus::new(zone, now)),
        };
        let (hosts, zones) = (
            terms.hosts.iter().map(host).collect(),
            terms.zones.iter().map(zone).collect(),
        );
        self.status.hosts = hosts;
        self.status.zones = Arc::new(zones);
        self.status.writes = terms.writes;
        self.status.interval = terms.interval;
        self.recount = true;
        self.change();
        Event::Configured
    }

    /// Takes the samples that an earlier daemon left.
    ///
    /// One from a time to come says that the clock was set back, and nothing of the host.
    pub fn remember(&mut self, samples: &[KeptSample], now: Timestamp) {
        let mut of_host: BTreeMap<&Name, Vec<&KeptSample>> = BTreeMap::new();
        for sample in samples.iter().filter(|sample| sample.began <= now) {
            of_host.entry(&sample.host).or_default().push(sample);
        }
        for host in &mut self.status.hosts {
            if let Some(samples) = of_host.get(&host.name) {
                let host = Arc::make_mut(host);
                for sample in samples {
                    host.remember(sample);
                }
            }
        }
        self.change();
    }

    /// Takes what a probe of a host said.
    pub fn sample(&mut self, host: usize, probed: &Result<Sample, NoSample>) {
        if let Some(host) = self.status.hosts.get_mut(host) {
            Arc::make_mut(host).take(probed);
        }
    }

    /// Takes what is believed of one host, overrides applied.
    pub fn believe(&mut self, host: usize, verdict: Verdict) -> Option<Event> {
        let known = self.status.hosts.get_mut(host)?;
        let word = self.status.overrides.iter();
        let word = word.rev().find(|word| word.host == known.name).cloned();
        if known.verdict == verdict && known.word == word {
            return None;
        }
        let known = Arc::make_mut(known);
        let is_same_word = known.word == word;
        known.word = word;
        let before = std::mem::replace(&mut known.verdict, verdict);
        if !is_same_word || !reads_the_same(&before, &known.verdict) {
            self.status.generation += 1;
        }
        let verdict = &known.verdict;
        let is_news =
            before.state != verdict.state || before.forced.is_some() != verdict.forced.is_some();
        is_news.then(|| Event::Host {
            host: known.name.clone(),
            before: before.state,
            state: verdict.state,
            forced: verdict.forced.is_some(),
            reason: verdict.reason.clone(),
        })
    }

    /// Takes what is believed of every host.
    pub fn believe_all(&mut self, verdicts: Verdicts) -> Vec<Event> {
        if self.status.canary != verdicts.canary {
            self.status.canary = verdicts.canary;
            self.change();
        }
        let verdicts = verdicts.hosts.into_iter().enumerate();
        verdicts
            .filter_map(|(host, verdict)| self.believe(host, verdict))
            .collect()
    }

    /// Takes what operators said.
    pub fn hear(&mut self, overrides: &[Override], pause: Option<&Pause>) -> Vec<Event> {
        let mut events = Vec::new();
        let before = Arc::clone(&self.status.overrides);
        let find =
            |words: &[Override], host: &Name| words.iter().find(|word| word.host == *host).cloned();
        if *before != *overrides {
            for word in overrides.iter().filter(|word| !before.contains(word)) {
                events.push(Event::Override {
                    host: word.host.clone(),
                    word: Some(word.clone()),
                });
            }
            for word in before.iter() {
                if find(overrides, &word.host).is_none() {
                    events.push(Event::Override {
                        host: word.host.clone(),
                        word: None,
                    });
                }
            }
            self.status.overrides = overrides.into();
        }
        if self.status.pause.as_ref() != pause {
            self.status.pause = pause.cloned();
            events.push(Event::Pause {
                pause: pause.cloned(),
            });
        }
        if !events.is_empty() {
            self.change();
        }
        events
    }

    /// Takes whether the store can be used.
    pub fn store(&mut self, failure: Option<&String>) {
        if self.status.store_failure.as_ref() != failure {
            self.status.store_failure = failure.cloned();
            self.change();
        }
    }

    /// Counts an alert.
    pub fn alert(&mut self, alert: &Alert) -> Event {
        self.status.counters.alert(alert.kind);
        Event::Alert(alert.clone())
    }

    /// Takes what became of zones that were walked through together.
    pub fn walked(
        &mut self,
        reports: impl IntoIterator<Item = Report>,
        actor: &str,
        obstacle: Option<&str>,
        now: Timestamp,
    ) -> Event {
        let (mut walked, mut news, mut more, mut changed) = (0, Vec::new(), 0, false);
        let zones = Arc::make_mut(&mut self.status.zones);
        for report in reports {
            let interrupted = |error: &ZoneError| error.is_interrupted();
            if report.plan.as_ref().err().is_some_and(interrupted) {
                continue;
            }
            let Some(zone) = zones.get_mut(report.zone) else {
                continue;
            };
            walked += 1;
            let outcome = report.outcome.as_ref().map(|outcome| outcome.kind);
            let changes = report.plan.as_ref().map_or(0, |plan| plan.changes.len());
            let next = take(zone, report, actor, obstacle, now);
            self.status.counters.tell(zone, &next, outcome);
            let is_other = (zone.state(), zone.level()) != (next.state(), next.level());
            changed |= !zone.says_the_same(&next);
            *zone = Arc::new(next);
            if !is_other && outcome.is_none() {
                continue;
            }
            if news.len() == NAMED_ZONES {
                more += 1;
                continue;
            }
            news.push(ZoneNews {
                zone: zone.zone.clone(),
                owner: zone.owner.clone(),
                state: zone.state(),
                outcome,
                changes,
            });
        }
        self.recount = true;
        if changed {
            self.change();
        }
        Event::Zones {
            actor: actor.to_owned(),
            walked,
            news,
            more,
        }
    }

    /// Takes what the other name servers of a zone publish.
    pub fn copies(&mut self, copies: &ZoneCopies, now: Timestamp) -> Event {
        let told = Copies {
            at: now,
            servers: copies.copies.clone(),
        };
        let event = Event::Copies {
            zone: copies.zone.clone(),
            owner: copies.owner.clone(),
            agreeing: told.agreeing(),
            servers: told.total(),
        };
        let zones = Arc::make_mut(&mut self.status.zones);
        let mut is_other = false;
        for zone in zones.iter_mut().filter(|zone| zone.owner == copies.owner) {
            let before = zone.copies.as_ref().map(|copies| &copies.servers);
            is_other |= before != Some(&told.servers);
            Arc::make_mut(zone).copies = Some(told.clone());
        }
        self.recount = true;
        if is_other {
            self.change();
        }
        event
    }

    fn change(&mut self) {
        self.status.generation += 1;
    }
}

/// True when people are told the same: the times of samples, which change all the time, aside.
fn reads_the_same(before: &Verdict, after: &Verdict) -> bool {
    let told = |verdict: &Verdict| (verdict.state, verdict.since);
    told(before) == told(after)
        && (&before.reason, &before.forced) == (&after.reason, &after.forced)
}

/// The zone after a walk.
fn take(
    before: &ZoneStatus,
    report: Report,
    actor: &str,
    obstacle: Option<&str>,
    now: Timestamp,
) -> ZoneStatus {
    let Report { plan, outcome, .. } = report;
    let changes = plan.as_ref().map_or(0, |plan| plan.changes.len());
    let last_change = outcome.as_ref().map(|outcome| LastChange {
        at: now,
        actor: actor.to_owned(),
        outcome: outcome.kind,
        text: outcome.text.clone(),
        changes,
    });
    let is_done = outcome.as_ref().is_some_and(Outcome::was_applied);
    let plan = match (plan, &outcome) {
        (Ok(plan), Some(outcome)) if is_done => Ok(applied(plan, outcome.serial)),
        (plan, _) => plan,
    };
    let failure = outcome.filter(|outcome| !outcome.was_applied());
    let is_left = plan.as_ref().is_ok_and(ZonePlan::is_pending) && failure.is_none();
    let succeeded = plan.is_ok() && failure.is_none();
    ZoneStatus {
        zone: before.zone.clone(),
        owner: before.owner.clone(),
        since: before.since,
        failure,
        obstacle: obstacle.filter(|_text| is_left).map(str::to_owned),
        last_attempt: Some(now),
        last_success: if succeeded {
            Some(now)
        } else {
            before.last_success
        },
        last_change: last_change.or_else(|| before.last_change.clone()),
        // What others published before an update says nothing of it.
        copies: before.copies.clone().filter(|_copies| !is_done),
        plan: Some(plan),
    }
}

impl Counters {
    /// Counts what one walk did with a zone.
    fn tell(&mut self, before: &ZoneStatus, after: &ZoneStatus, outcome: Option<OutcomeKind>) {
        if let Some(kind) = outcome {
            self.update(kind);
        }
        if after.error().is_some() || after.failure.is_some() {
            self.failed += 1;
        } else {
            self.succeeded += 1;
        }
        for trip in after.trips() {
            if !before.trips().any(|known| known == trip) {
                self.guard(trip.0);
            }
        }
    }
}
