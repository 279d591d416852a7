//! The loop that knows the hosts and decides when a zone is due, under one configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, Interval, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use super::alerts::{self, OpenAlerts, Scope};
use super::batch::{Batch, Ground, Obstacle, Reconciled};
use super::board::Board;
use super::carried::Carried;
use super::following::{self, Following};
use super::hosts::Hosts;
use super::polling::{Polling, Said};
use super::probing::{Answered, Probers, jitter};
use super::refreshing::Refreshing;
use super::schedule::{Schedule, Watch};
use super::store_watch::StoreWatch;
use super::telling::{self, Telling};
use super::{Control, Event, Listener, Options, may_write, notify, reload};
use crate::config::Config;
use crate::exit::chain;
use crate::hooks::Hooks;
use crate::model::{Alert, AlertKind, Canary};
use crate::plan::{self, Guard, ZonePlan};
use crate::probe;
use crate::reconcile::{self, Interrupt, Interrupter, Recalled, ZoneReport};
use crate::render::hook;
use crate::store::Store;

/// What samples came to is stored so often, soon after each transition, and at the end.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// So soon after a transition: the update that it causes comes first, and does not wait for the disk
/// behind what nobody waits for.
const KEEP_AFTER: Duration = Duration::from_millis(100);

/// The daemon lives: systemd is told, overrides that end are looked for, a silent canary is asked again.
const TICK: Duration = Duration::from_secs(1);

/// Time to store the newest samples at the end.
const LAST_KEEPING: Duration = Duration::from_millis(500);

const UNSAVED: &str = "the newest samples could not be stored";

/// Zones without a configured server share batches of this size, so that one whose primary is dead
/// delays few.
const FOUND_TOGETHER: usize = 16;

/// Why a keeper ended.
pub(super) enum End {
    /// Go on with this configuration.
    Reload(Arc<Config>),
    /// End the daemon.
    Stop,
}

/// Who hears what happens.
#[derive(Clone, Copy)]
pub(super) struct Ears<'a> {
    pub(super) listener: &'a Listener<'a>,
    pub(super) hooks: &'a Hooks,
    pub(super) board: &'a Board,
}

type Walk = Pin<Box<dyn Future<Output = Reconciled>>>;

/// A look for the zone to be refreshed next; it returns the wait until another.
type Refresh = Pin<Box<dyn Future<Output = Duration>>>;

/// The daemon under one configuration.
pub(super) struct Keeper<'a> {
    ears: Ears<'a>,
    ground: Arc<Ground>,
    interrupter: Interrupter,
    writes: bool,
    hosts: Hosts,
    /// The zones that each host may be published in.
    zones_of: Vec<Vec<usize>>,
    alerts: OpenAlerts,
    canary: Option<CanaryAnswer>,
    /// The zones in which removals wait for samples.
    awaiting: BTreeMap<usize, Awaiting>,
    said: Said,
    telling: Telling,
    schedule: Schedule,
    walks: FuturesUnordered<Walk>,
    following: Following,
    began: Timestamp,
    refresh: Option<Refresh>,
    next_refresh: Instant,
    probers: Probers,
    polling: Polling,
    store: StoreWatch,
    /// When to store the newest samples, where a transition asks for it.
    keep_at: Option<Instant>,
    /// How storing the newest samples went.
    kept: (mpsc::Sender<Kept>, mpsc::Receiver<Kept>),
}

/// `None`, or why samples could not be stored.
type Kept = Option<String>;

/// A zone in which removals wait for samples.
struct Awaiting {
    since: Instant,
    /// Those whose removals wait, until the zone is woken for them.
    hosts: BTreeSet<usize>,
}

/// When the canaries were asked, and what they said.
type CanaryAnswer = Pin<Box<dyn Future<Output = (Timestamp, Canary)>>>;

impl<'a> Keeper<'a> {
    /// Begins to probe; every zone is due at once.
    pub(super) fn start(
        config: Arc<Config>,
        options: Options,
        store: Store,
        carried: Carried,
        cause: &str,
        ears: Ears<'a>,
    ) -> Self {
        let (interrupter, interrupt) = Interrupt::new();
        let writes = may_write(&config, options);
        let polling = Polling::start(store.clone(), carried.said.clone());
        let ground = Arc::new(Ground::new(config, store, interrupt));
        let config = &ground.config;
        let mut zones_of = vec![Vec::new(); config.hosts.len()];
        for (index, zone) in config.zones.iter().enumerate() {
            for &host in zone.hosts.iter() {
                if let Some(zones) = zones_of.get_mut(host) {
                    zones.push(index);
                }
            }
        }
        Self {
            ears,
            interrupter,
            writes,
            hosts: Hosts::new(Arc::clone(config), &carried.tracks),
            zones_of,
            alerts: carried.alerts,
            canary: None,
            awaiting: BTreeMap::new(),
            said: carried.said,
            telling: Telling::default(),
            schedule: Schedule::new(
                config.zones.len(),
                config.daemon.interval,
                Instant::now(),
                cause,
            ),
            walks: FuturesUnordered::new(),
            following: Following::new(carried.behind),
            began: Timestamp::now(),
            refresh: None,
            next_refresh: Instant::now(),
            probers: Probers::start(config, &ground.resolver),
            polling,
            store: StoreWatch::default(),
            keep_at: None,
            kept: mpsc::channel(1),
            ground,
        }
    }

    /// Keeps the zones until it is told to end.
    pub(super) async fn serve(&mut self, control: &mut mpsc::Receiver<Control>) -> End {
        // Overrides and a pause are known before anything is written.
        let said = self.polling.changed().await;
        self.hear_operators(said);
        let mut ticks = ticks();
        let mut keeping = interval(KEEP_EVERY);
        keeping.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            let due = self.schedule.next();
            tokio::select! {
                word = control.recv() => match word {
                    Some(Control::Reload) => {
                        notify::reloading();
                        if let Some(next) = reload(&self.ground.config) {
                            return End::Reload(next);
                        }
                        notify::ready();
                        (self.ears.listener)(Event::ReloadRefused);
                    }
                    Some(Control::Stop) | None => return End::Stop,
                },
                answered = self.probers.next() => self.take_sample(answered),
                (began, said) = of_option(&mut self.canary) => {
                    self.canary = None;
                    self.take_canary(began, said);
                }
                Some(kept) = self.kept.1.recv() => self.take_kept(kept),
                said = self.polling.changed() => self.hear_operators(said),
                Some(done) = self.walks.next(), if !self.walks.is_empty() => self.take_reports(done),
                followed = self.following.next() => {
                    following::tell(&followed);
                    self.ears.board.copies(&followed.copies);
                }
                () = until(due) => self.walk_due(),
                wait = of_option(&mut self.refresh) => {
                    self.refresh = None;
                    self.next_refresh = Instant::now() + wait;
                }
                _ = ticks.tick() => self.tick(),
                _ = keeping.tick() => self.keep(),
                () = until(self.keep_at) => self.keep(),
            }
            self.ears.board.publish();
        }
    }

    /// Finishes the updates under way within that time, stores what is known, and hands on what
    /// outlives this configuration.
    pub(super) async fn finish(mut self, limit: Duration) -> Carried {
        self.interrupter.interrupt();
        let mut ticks = ticks();
        let finished = timeout(limit, async {
            while !self.walks.is_empty() || self.refresh.is_some() {
                tokio::select! {
                    Some(done) = self.walks.next(), if !self.walks.is_empty() => self.take_reports(done),
                    _ = of_option(&mut self.refresh) => self.refresh = None,
                    // Who asks meanwhile is to see that the daemon lives.
                    _ = ticks.tick() => {
                        notify::watchdog();
                        self.show_hosts();
                    }
                }
                self.ears.board.publish();
            }
        });
        if finished.await.is_err() {
            warn!(
                "updates are still under way; the next start settles by reading what became of them"
            );
        }
        if let Some(saving) = self.saving() {
            match timeout(LAST_KEEPING, saving).await {
                Ok(None) => {}
                Ok(Some(failure)) => error!("{UNSAVED}: {failure}"),
                Err(_elapsed) => error!("{UNSAVED} in time"),
            }
        }
        Carried {
            tracks: self.hosts.into_tracks(),
            alerts: self.alerts,
            behind: self.following.into_behind(),
            said: self.said,
        }
    }

    // What comes in.

    fn take_sample(&mut self, (index, probed): Answered) {
        let ground = Arc::clone(&self.ground);
        let Some(host) = ground.config.hosts.get(index) else {
            return;
        };
        match &probed {
            Ok(sample) => {
                let passed = sample.passed();
                debug!(host = %host.name(), passed, "{sample}");
                if !passed {
                    self.ask_canary();
                }
            }
            Err(error) => debug!(host = %host.name(), "no sample: {error}"),
        }
        self.ears.board.sample(index, &probed);
        if let Some(obstacle) = self.hosts.take(index, probed) {
            warn!(host = %host.name(), "could not be probed: {obstacle}");
        }
        self.evaluate(index);
        let verdict = self.hosts.verdict(index, Timestamp::now());
        self.ears
            .board
            .believe(&ground.config, index, verdict, &self.said.overrides);
        self.wake_those_who_waited(&format!("a sample of {}", host.name()));
    }

    /// Wakes each zone in which a removal waits for samples no more, once.
    fn wake_those_who_waited(&mut self, cause: &str) {
        let waiting = self.awaiting.values().flat_map(|awaiting| &awaiting.hosts);
        let ready = self.hosts.ready(waiting.copied().collect());
        let now = Instant::now();
        for (&zone, awaiting) in &mut self.awaiting {
            if !awaiting.hosts.is_disjoint(&ready) {
                awaiting.hosts.clear();
                self.schedule
                    .wake_watching(zone, Watch::Samples, cause, now);
            }
        }
    }

    /// Tells when the host is in another state than before, and wakes the zones that this concerns.
    fn evaluate(&mut self, index: usize) {
        let Some(transition) = self.hosts.evaluate(index) else {
            return;
        };
        let (Some(host), Some(zones)) = (
            self.ground.config.hosts.get(index),
            self.zones_of.get(index),
        ) else {
            return;
        };
        let verdict = &transition.verdict;
        if verdict.state != transition.before {
            info!(host = %host.name(), state = %verdict.state, before = %transition.before, "{}", verdict.reason);
            (self.ears.listener)(Event::Transition {
                host: host.name(),
                verdict,
            });
        }
        let cause = format!("{} is {}", host.name(), verdict.state);
        let now = Instant::now();
        for &zone in zones {
            if transition.asks_for_a_walk {
                self.schedule.wake(zone, &cause, now);
            } else {
                self.schedule
                    .wake_watching(zone, Watch::States, &cause, now);
            }
        }
        if transition.asks_for_a_walk {
            self.keep_at.get_or_insert(now + KEEP_AFTER);
        }
    }

    fn ask_canary(&mut self) {
        let ground = Arc::clone(&self.ground);
        if ground.config.canary.is_empty() || self.canary.is_some() {
            return;
        }
        self.canary = Some(Box::pin(async move {
            let began = Timestamp::now();
            let said = probe::canary(&ground.config.canary, probe::CANARY_TIMEOUT).await;
            (began, said)
        }));
    }

    fn take_canary(&mut self, began: Timestamp, said: Canary) {
        match (self.hosts.take_canary(began, said), said) {
            (Canary::Silent, Canary::Silent) => {}
            (_, Canary::Silent) => warn!(
                "no canary accepts a connection: our own network is suspect, nothing is removed"
            ),
            (Canary::Silent, _) => info!(
                "a canary accepts a connection again: hosts that went on failing meanwhile begin anew"
            ),
            _ => {}
        }
        if said == Canary::Answers {
            self.alerts.update(Scope::Network, Vec::new());
        }
        for index in 0..self.hosts.len() {
            self.evaluate(index);
        }
        self.show_hosts();
    }

    fn hear_operators(&mut self, said: Said) {
        let before = std::mem::replace(&mut self.said, said);
        self.watch_store(|watch, said| watch.reading.clone_from(&said.failure));
        self.ears.board.hear(&self.said);
        self.show_hosts();
        let changed = self.said.changed_hosts(&before);
        let config = Arc::clone(&self.ground.config);
        for (host, zones) in config.hosts.iter().zip(&self.zones_of) {
            if changed.contains(host.name()) {
                telling::word(host.name(), &before, &self.said);
                let cause = format!("an override of {}", host.name());
                for &zone in zones {
                    self.schedule.wake(zone, &cause, Instant::now());
                }
            }
        }
        if before.pause.is_some() != self.said.pause.is_some() {
            match &self.said.pause {
                Some(pause) => warn!("{pause}: planning and probing go on, nothing is written"),
                None => info!("the pause is over"),
            }
            for zone in 0..config.zones.len() {
                self.schedule.wake(zone, "a pause", Instant::now());
            }
        }
    }

    fn take_reports(&mut self, done: Reconciled) {
        let now = Instant::now();
        for (zone, end) in done.ends(self.ground.config.daemon.interval) {
            self.schedule.done(zone, end, now, jitter());
            if end.watch != Watch::Samples {
                self.awaiting.remove(&zone);
            }
        }
        let failure = done.obstacle.as_ref().and_then(Obstacle::store_failure);
        self.watch_store(|watch, _said| {
            for &zone in &done.zones {
                match failure {
                    Some(failure) => watch.walking.insert(zone, failure.clone()),
                    None => watch.walking.remove(&zone),
                };
            }
        });
        let mut raised = Vec::new();
        for report in &done.reports {
            self.note_waiting(report);
            raised.extend(self.tell_zone(report, &done));
        }
        self.raise(raised);
        self.following.start(&self.ground, &done.reports);
        // The sample may have come while the zone was walked through.
        self.wake_those_who_waited("a sample");
        (self.ears.listener)(Event::Reconciled {
            reports: &done.reports,
            actor: &done.actor,
        });
        self.show_status();
        self.ears.board.walked(done);
    }

    /// Tells what became of one zone; returns the alerts to be raised for it.
    fn tell_zone(&mut self, report: &ZoneReport, done: &Reconciled) -> Vec<Alert> {
        let now = Timestamp::now();
        let mut raised = Vec::new();
        let alerts = match &report.plan {
            Ok(plan) => {
                let asked = plan.is_pending() && report.outcome.is_none();
                let failure = report.outcome.as_ref().filter(|_| !report.was_applied());
                match (&done.obstacle, failure) {
                    (Some(why), _) if asked => self.telling.pending(report.index, plan, why),
                    (_, Some(outcome)) => {
                        self.telling.failed(report.index, &report.zone, outcome);
                    }
                    _ => self.telling.nothing(report.index),
                }
                if let Some(outcome) = &report.outcome {
                    self.hook(hook::change(plan, outcome, &done.actor, now), Hooks::change);
                }
                // A walk may end after the silence.
                if self.hosts.canary_is_silent()
                    && let Some(alert) = plan::of_network(plan)
                {
                    raised.extend(self.alerts.update(Scope::Network, vec![alert]));
                }
                let mut alerts = plan::alerts_of(plan);
                if !alerts.is_empty() && self.is_settling(report.index) {
                    // Whose hosts have just begun to be asked may be short of them for that.
                    alerts.retain(|alert| alert.kind != AlertKind::Held || alert.host.is_some());
                }
                alerts.extend(self.waits_long(report.index, plan));
                alerts
            }
            Err(error) if error.is_interrupted() => return raised,
            Err(error) => plan::unreadable(&report.zone, error).into_iter().collect(),
        };
        let owner = self.ground.config.zones.get(report.index);
        let Some(owner) = owner.map(|zone| zone.owner.clone()) else {
            return raised;
        };
        let scope = Scope::Zone(owner);
        let was_unreadable = self.alerts.holds(&scope, AlertKind::Unreadable);
        let new = self.alerts.update(scope, alerts);
        match &report.plan {
            Err(error) => {
                let (zone, is_raised) = (&report.zone, !new.is_empty());
                self.telling
                    .unreadable(report.index, zone, error, is_raised);
            }
            Ok(_) if was_unreadable => info!(zone = %report.zone, "can be read again"),
            Ok(_) => {}
        }
        raised.extend(new);
        raised
    }

    /// True while some host of the zone may yet turn out to be up; it is walked through again then.
    fn is_settling(&self, zone: usize) -> bool {
        let zone = self.ground.config.zones.get(zone);
        zone.is_some_and(|zone| zone.hosts.iter().any(|&host| self.hosts.is_settling(host)))
    }

    /// Notes whose removals wait for samples in this zone.
    fn note_waiting(&mut self, report: &ZoneReport) {
        let Ok(plan) = &report.plan else {
            return;
        };
        let hosts: BTreeSet<usize> = plan
            .held
            .iter()
            .filter(|held| held.guard == Guard::AwaitSamples)
            .filter_map(|held| {
                let target = &held.change.before()?.target;
                let hosts = &self.ground.config.hosts;
                hosts.iter().position(|host| host.name() == target)
            })
            .collect();
        if !hosts.is_empty() {
            let awaiting = self
                .awaiting
                .entry(report.index)
                .or_insert_with(|| Awaiting {
                    since: Instant::now(),
                    hosts: BTreeSet::new(),
                });
            awaiting.hosts = hosts;
        }
    }

    /// A removal that waits for a sample waits for an interval at most, unless no sample can be made.
    fn waits_long(&self, zone: usize, plan: &ZonePlan) -> Option<Alert> {
        let hosts = &self.ground.config.hosts;
        let longest = hosts.iter().map(|host| host.health.interval).max()?;
        let since = self.awaiting.get(&zone)?.since;
        let held = plan
            .held
            .iter()
            .find(|held| held.guard == Guard::AwaitSamples)?;
        (since.elapsed() > longest.saturating_mul(2)).then(|| Alert {
            kind: AlertKind::Held,
            zone: Some(plan.zone.clone()),
            host: held.change.before().map(|record| record.target.clone()),
            text: held.text.clone(),
        })
    }

    fn take_kept(&mut self, kept: Kept) {
        if let Some(failure) = &kept {
            error!("{UNSAVED}: {failure}");
            // Tried again, also where no new sample comes for long.
            self.hosts.save_again();
        }
        self.watch_store(|watch, _said| watch.keeping = kept);
    }

    /// Notes what is known of the store, and tells when it fails or works again.
    fn watch_store(&mut self, note: impl FnOnce(&mut StoreWatch, &Said)) {
        let (failed, withheld) = (self.store.is_broken(), self.store.obstacle().is_some());
        note(&mut self.store, &self.said);
        self.ears.board.store(self.store.failure());
        let alerts = self.store.alert();
        if failed && alerts.is_none() {
            info!("the store works again");
        }
        let raised = self
            .alerts
            .update(Scope::Store, alerts.into_iter().collect());
        self.raise(raised);
        if withheld && self.store.obstacle().is_none() {
            for zone in 0..self.ground.config.zones.len() {
                self.schedule
                    .wake(zone, "the store works again", Instant::now());
            }
        }
    }

    /// Why zones are planned only, at present.
    fn withheld(&self) -> Option<String> {
        if !self.writes {
            return Some("this daemon only audits".to_owned());
        }
        let pause = self.said.pause.as_ref().map(ToString::to_string);
        let broken = || {
            self.store
                .obstacle()
                .map(|_failure| "the store cannot be used".to_owned())
        };
        pause.or_else(broken)
    }

    fn raise(&self, alerts: Vec<Alert>) {
        for alert in &alerts {
            telling::alert(alert);
            self.ears.board.alert(alert);
        }
        for alert in alerts::to_call(alerts) {
            self.hook(hook::alert(&alert, Timestamp::now()), Hooks::alert);
        }
    }

    fn hook(&self, json: serde_json::Result<String>, to: fn(&Hooks, String)) {
        match json {
            Ok(json) => to(self.ears.hooks, json),
            Err(error) => error!("a hook was not called: {error}"),
        }
    }

    // What goes out.

    /// Begins to walk through the zones that are due.
    ///
    /// Zones of the same servers walk together, and those that failed apart from the others, so that a
    /// dead primary delays nobody else.
    fn walk_due(&mut self) {
        let config = Arc::clone(&self.ground.config);
        let mut batches: BTreeMap<(&[usize], usize, bool), Due> = BTreeMap::new();
        for (index, causes) in self.schedule.take_due(Instant::now()) {
            let fails = self.schedule.fails(index);
            let Some(zone) = config.zones.get(index) else {
                continue;
            };
            let apart = if zone.servers.is_empty() {
                index / FOUND_TOGETHER
            } else {
                0
            };
            let due = batches.entry((&zone.servers, apart, fails)).or_default();
            due.zones.push(index);
            due.causes.extend(causes);
        }
        let (probed, withheld) = (self.hosts.verdicts(), self.withheld());
        for Due { zones, causes } in batches.into_values() {
            let batch = Batch {
                ground: Arc::clone(&self.ground),
                zones,
                probed: probed.clone(),
                fallback: Recalled {
                    memory: Arc::default(),
                    overrides: self.said.overrides.clone(),
                },
                withheld: withheld.clone(),
                causes,
            };
            self.walks.push(Box::pin(batch.run()));
        }
    }

    fn tick(&mut self) {
        notify::watchdog();
        if self.hosts.canary_is_silent() {
            self.ask_canary();
        }
        self.begin_refresh();
        // Samples grow old without a new one.
        for index in 0..self.hosts.len() {
            self.evaluate(index);
        }
        let ending = self.said.ending(Timestamp::now());
        let raised = self.alerts.update(Scope::Overrides, ending);
        self.raise(raised);
        self.show_hosts();
    }

    /// Shows what is believed of every host now.
    fn show_hosts(&self) {
        let (config, probed) = (&self.ground.config, self.hosts.verdicts());
        let board = self.ears.board;
        board.believe_all(config, probed, &self.said.overrides);
    }

    /// Looks for a zone to be refreshed, unless one is being refreshed or it is too early.
    fn begin_refresh(&mut self) {
        let zones = &self.ground.config.zones;
        let wanted = zones.iter().any(|zone| zone.policy.refresh.is_some());
        if wanted
            && self.withheld().is_none()
            && self.refresh.is_none()
            && self.next_refresh <= Instant::now()
        {
            let refreshing = Refreshing {
                ground: Arc::clone(&self.ground),
                probed: self.hosts.verdicts(),
                since: self.began,
            };
            self.refresh = Some(Box::pin(refreshing.run()));
        }
    }

    /// Stores what is known of the hosts, beside everything else.
    fn keep(&mut self) {
        self.keep_at = None;
        if let Some(saving) = self.saving() {
            let kept = self.kept.0.clone();
            tokio::spawn(async move {
                // Nobody listens after a reload.
                let _ = kept.send(saving.await).await;
            });
        }
    }

    /// Stores the tracks and samples that are not stored yet, and who is up, and returns why it
    /// could not; `None`: nothing is new.
    fn saving(&mut self) -> Option<impl Future<Output = Kept> + Send + 'static> {
        let ground = Arc::clone(&self.ground);
        let unsaved = self.hosts.unsaved()?;
        let probed = self.hosts.verdicts();
        Some(async move {
            let kept = ground
                .store
                .keep_health(unsaved.tracks, unsaved.samples, Timestamp::now())
                .await;
            let noted = match kept {
                Ok(()) => reconcile::note_up(&ground.config, &ground.store, &probed).await,
                Err(error) => Err(error),
            };
            noted.err().map(|error| chain(&error))
        })
    }

    fn show_status(&self) {
        let mode = match (&self.said.pause, self.writes) {
            (Some(pause), _) => pause.to_string(),
            (None, true) => "enforce".to_owned(),
            (None, false) => "audit".to_owned(),
        };
        notify::status(&format!(
            "{mode}: {} of {} hosts up, {} zones",
            self.hosts.up(),
            self.hosts.len(),
            self.ground.config.zones.len()
        ));
    }
}

/// Zones that walk together, and what woke them.
#[derive(Default)]
struct Due {
    zones: Vec<usize>,
    causes: BTreeSet<String>,
}

/// One each [`TICK`], or as often as systemd wants to hear of us.
fn ticks() -> Interval {
    let mut ticks = interval(notify::watchdog_interval().map_or(TICK, |watch| watch.min(TICK)));
    ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
    ticks
}

/// What comes of it, or nothing for ever.
async fn of_option<T>(future: &mut Option<Pin<Box<dyn Future<Output = T>>>>) -> T {
    match future {
        Some(future) => future.await,
        None => std::future::pending().await,
    }
}

/// Sleeps until then, or for ever.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
