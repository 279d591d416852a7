//! The loop that knows the hosts and decides when a zone is due, under one configuration.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::stream::{FuturesUnordered, StreamExt};
use jiff::Timestamp;
use tokio::sync::mpsc;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep_until, timeout};
use tracing::{debug, error, info, warn};

use super::alerts::{OpenAlerts, Scope};
use super::batch::{Batch, Ground, Reconciled};
use super::polling::{Polling, Said};
use super::probing::{Answered, Probers, is_asked, jitter};
use super::refreshing::Refreshing;
use super::schedule::{Schedule, Watch};
use super::store_watch::StoreWatch;
use super::{Control, Event, Listener, Options, may_write, notify, reload};
use crate::config::Config;
use crate::exit::chain;
use crate::health::{self, track};
use crate::hooks::Hooks;
use crate::model::{
    Alert, Canary, Host, KeptSample, Memory, Name, Role, State, Track, Verdict, Verdicts,
};
use crate::plan;
use crate::probe;
use crate::reconcile::{self, Interrupt, Interrupter, Recalled, ZoneReport};
use crate::render::hook;
use crate::store::Store;

/// What samples came to is stored so often, at each transition, and at the end.
const KEEP_EVERY: Duration = Duration::from_secs(5);

/// The daemon lives: systemd is told, overrides that end are looked for, a silent canary is asked again.
const TICK: Duration = Duration::from_secs(1);

/// Time for the canaries' connections.
const CANARY_TIMEOUT: Duration = Duration::from_secs(3);

/// Updates under way are finished within this time at the end; what is open then, the next start
/// settles.
const FINISH: Duration = Duration::from_millis(2500);

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
}

/// What outlives a configuration.
#[derive(Default)]
pub(super) struct Carried {
    /// What is known of each host, by name.
    pub(super) tracks: BTreeMap<Name, Track>,
    /// The alerts that were raised and still hold.
    pub(super) alerts: OpenAlerts,
}

impl Carried {
    /// A zone that comes back later raises its alerts anew.
    pub(super) fn forget_zones_gone(&mut self, before: &Config, after: &Config) {
        let kept: BTreeSet<&Name> = after.zones.iter().map(|zone| &zone.owner).collect();
        for zone in before
            .zones
            .iter()
            .filter(|zone| !kept.contains(&zone.owner))
        {
            self.alerts
                .update(Scope::Zone(zone.owner.clone()), Vec::new());
        }
    }
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
    hosts: Vec<KnownHost>,
    alerts: OpenAlerts,
    /// Samples not stored yet.
    samples: Vec<KeptSample>,
    canary: CanaryWatch,
    said: Said,
    schedule: Schedule,
    walks: FuturesUnordered<Walk>,
    began: Timestamp,
    refresh: Option<Refresh>,
    next_refresh: Instant,
    probers: Probers,
    polling: Polling,
    store: StoreWatch,
    /// How storing the newest samples went.
    kept: (mpsc::Sender<Kept>, mpsc::Receiver<Kept>),
}

/// `None`, or why samples could not be stored.
type Kept = Option<String>;

/// One host of the inventory.
struct KnownHost {
    track: Track,
    /// Why the newest probe could not be made.
    obstacle: Option<String>,
    /// As of the last evaluation, overrides apart.
    state: State,
    /// Up or down, whichever it was last: suspicion in between asks for nothing. At first unknown.
    acted_on: State,
    /// The zones that it may be published in.
    zones: Vec<usize>,
    /// The track is not stored yet.
    unsaved: bool,
}

/// What the canaries last said.
#[derive(Debug)]
struct CanaryWatch {
    last: Canary,
    /// When they were asked.
    began: Option<Timestamp>,
    under_way: bool,
    answers: (mpsc::Sender<Asked>, mpsc::Receiver<Asked>),
}

/// When the canaries were asked, and what they said.
type Asked = (Timestamp, Canary);

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
        let polling = Polling::start(store.clone());
        let ground = Arc::new(Ground::new(config, store, interrupt));
        let config = &ground.config;
        let mut hosts: Vec<KnownHost> = config
            .hosts
            .iter()
            .map(|host| KnownHost {
                track: carried.tracks.get(host.name()).cloned().unwrap_or_default(),
                obstacle: None,
                state: State::Unknown,
                acted_on: State::Unknown,
                zones: Vec::new(),
                unsaved: false,
            })
            .collect();
        for (index, zone) in config.zones.iter().enumerate() {
            for &host in zone.hosts.iter() {
                if let Some(kept) = hosts.get_mut(host) {
                    kept.zones.push(index);
                }
            }
        }
        let mut keeper = Self {
            ears,
            interrupter,
            writes,
            hosts,
            alerts: carried.alerts,
            samples: Vec::new(),
            canary: CanaryWatch {
                last: Canary::Unused,
                began: None,
                under_way: false,
                answers: mpsc::channel(1),
            },
            said: Said::default(),
            schedule: Schedule::new(
                config.zones.len(),
                config.daemon.interval,
                Instant::now(),
                cause,
            ),
            walks: FuturesUnordered::new(),
            began: Timestamp::now(),
            refresh: None,
            next_refresh: Instant::now(),
            probers: Probers::start(config, &ground.resolver),
            polling,
            store: StoreWatch::default(),
            kept: mpsc::channel(1),
            ground,
        };
        let now = Timestamp::now();
        for index in 0..keeper.hosts.len() {
            let state = keeper.verdict(index, now).state;
            if let Some(kept) = keeper.hosts.get_mut(index) {
                kept.state = state;
                kept.acted_on = state;
            }
        }
        keeper
    }

    /// Keeps the zones until it is told to end.
    pub(super) async fn serve(&mut self, control: &mut mpsc::Receiver<Control>) -> End {
        // Overrides and a pause are known before anything is written.
        let said = self.polling.changed().await;
        self.hear_operators(said);
        let mut ticks = interval(notify::watchdog_interval().map_or(TICK, |watch| watch.min(TICK)));
        ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
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
                Some(asked) = self.canary.answers.1.recv() => self.take_canary(asked),
                Some(kept) = self.kept.1.recv() => self.take_kept(kept),
                said = self.polling.changed() => self.hear_operators(said),
                Some(done) = self.walks.next(), if !self.walks.is_empty() => self.take_reports(done),
                () = until(due) => self.walk_due(),
                wait = refreshed(&mut self.refresh) => {
                    self.refresh = None;
                    self.next_refresh = Instant::now() + wait;
                }
                _ = ticks.tick() => self.tick(),
                _ = keeping.tick() => self.keep(),
            }
        }
    }

    /// Finishes the updates under way, stores what is known, and hands on what outlives this
    /// configuration.
    pub(super) async fn finish(mut self) -> Carried {
        self.interrupter.interrupt();
        let finished = timeout(FINISH, async {
            while let Some(done) = self.walks.next().await {
                self.take_reports(done);
            }
            refreshed_at_last(&mut self.refresh).await;
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
        let names = self.ground.config.hosts.iter().map(Host::name).cloned();
        Carried {
            tracks: names
                .zip(self.hosts.into_iter().map(|kept| kept.track))
                .collect(),
            alerts: self.alerts,
        }
    }

    // What comes in.

    fn take_sample(&mut self, (index, probed): Answered) {
        let ground = Arc::clone(&self.ground);
        let (Some(host), Some(kept)) = (ground.config.hosts.get(index), self.hosts.get_mut(index))
        else {
            return;
        };
        match probed {
            Ok(sample) => {
                let passed = sample.passed();
                debug!(host = %host.name(), passed, "{sample}");
                kept.track = track::add(&kept.track, &sample, &host.health);
                kept.obstacle = None;
                kept.unsaved = true;
                self.samples.push(KeptSample {
                    host: host.name().clone(),
                    began: sample.began,
                    took: sample.took,
                    passed,
                    text: sample.to_string(),
                });
                if !passed {
                    self.ask_canary();
                }
            }
            Err(error) => {
                if kept.obstacle.is_none() {
                    warn!(host = %host.name(), "could not be probed: {error}");
                }
                kept.obstacle = Some(error.to_string());
            }
        }
        self.evaluate(index);
        let now = Instant::now();
        let cause = format!("a sample of {}", host.name());
        for zone in 0..ground.config.zones.len() {
            self.schedule
                .wake_watching(zone, Watch::Samples, &cause, now);
        }
    }

    /// Tells when the host is in another state than before, and wakes the zones that this concerns.
    fn evaluate(&mut self, index: usize) {
        let verdict = self.verdict(index, Timestamp::now());
        let ground = Arc::clone(&self.ground);
        let (Some(host), Some(kept)) = (ground.config.hosts.get(index), self.hosts.get_mut(index))
        else {
            return;
        };
        let before = std::mem::replace(&mut kept.state, verdict.state);
        if before == verdict.state {
            return;
        }
        info!(host = %host.name(), state = %verdict.state, before = %before, "{}", verdict.reason);
        (self.ears.listener)(Event::Transition {
            host: host.name(),
            verdict: &verdict,
        });
        let cause = format!("{} is {}", host.name(), verdict.state);
        let now = Instant::now();
        let is_settled = matches!(verdict.state, State::Up | State::Down);
        let asks_for_something = is_settled && kept.acted_on != verdict.state;
        if is_settled {
            kept.acted_on = verdict.state;
        }
        for &zone in &kept.zones {
            if asks_for_something {
                self.schedule.wake(zone, &cause, now);
            } else {
                self.schedule
                    .wake_watching(zone, Watch::States, &cause, now);
            }
        }
        if asks_for_something {
            self.keep();
        }
    }

    fn ask_canary(&mut self) {
        let addresses = self.ground.config.canary.clone();
        if addresses.is_empty() || self.canary.under_way {
            return;
        }
        self.canary.under_way = true;
        let answer = self.canary.answers.0.clone();
        tokio::spawn(async move {
            let began = Timestamp::now();
            let said = probe::canary(&addresses, CANARY_TIMEOUT).await;
            // Nobody listens after a reload.
            let _ = answer.send((began, said)).await;
        });
    }

    fn take_canary(&mut self, (began, said): Asked) {
        self.canary.under_way = false;
        self.canary.began = Some(began);
        if std::mem::replace(&mut self.canary.last, said) != said && said == Canary::Silent {
            warn!("no canary accepts a connection: our own network is suspect, nothing is removed");
        }
        for index in 0..self.hosts.len() {
            self.evaluate(index);
        }
    }

    fn hear_operators(&mut self, said: Said) {
        let before = std::mem::replace(&mut self.said, said);
        self.watch_store(|watch, said| watch.reading.clone_from(&said.failure));
        let changed = self.said.changed_hosts(&before);
        let config = Arc::clone(&self.ground.config);
        for (host, kept) in config.hosts.iter().zip(&self.hosts) {
            if changed.contains(host.name()) {
                info!(host = %host.name(), "an operator's word on it began or ended");
                let cause = format!("an override of {}", host.name());
                for &zone in &kept.zones {
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
        }
        self.watch_store(|watch, _said| {
            for &zone in &done.zones {
                match &done.store_failure {
                    Some(failure) => watch.walking.insert(zone, failure.clone()),
                    None => watch.walking.remove(&zone),
                };
            }
        });
        for report in &done.reports {
            self.tell_zone(report, &done);
        }
        (self.ears.listener)(Event::Reconciled {
            reports: &done.reports,
            actor: &done.actor,
        });
        self.show_status();
    }

    fn tell_zone(&mut self, report: &ZoneReport, done: &Reconciled) {
        let now = Timestamp::now();
        let alerts = match &report.plan {
            Ok(plan) => {
                let asked = plan.is_pending() && report.outcome.is_none();
                if let (true, Some(why)) = (asked, &done.withheld) {
                    info!(zone = %report.zone, changes = plan.changes.len(), "changes are pending, and nothing is written: {why}");
                }
                if let Some(outcome) = &report.outcome {
                    self.hook(hook::change(plan, outcome, &done.actor, now), Hooks::change);
                }
                plan::alerts_of(plan)
            }
            Err(error) if error.is_interrupted() => return,
            Err(error) => {
                warn!(zone = %report.zone, "{error}");
                plan::unreadable(&report.zone, error).into_iter().collect()
            }
        };
        let owner = self.ground.config.zones.get(report.index);
        let Some(owner) = owner.map(|zone| zone.owner.clone()) else {
            return;
        };
        let raised = self.alerts.update(Scope::Zone(owner), alerts);
        self.raise(raised);
    }

    fn take_kept(&mut self, kept: Kept) {
        if let Some(failure) = &kept {
            error!("{UNSAVED}: {failure}");
            // Tried again, also where no new sample comes for long.
            for known in &mut self.hosts {
                known.unsaved = known.track.newest.is_some();
            }
        }
        self.watch_store(|watch, _said| watch.keeping = kept);
    }

    /// Notes what is known of the store, and tells when it fails or works again.
    fn watch_store(&mut self, note: impl FnOnce(&mut StoreWatch, &Said)) {
        let (failed, withheld) = (self.store.is_broken(), self.store.obstacle().is_some());
        note(&mut self.store, &self.said);
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
        for alert in alerts {
            warn!(kind = %alert.kind, "{}", alert.text);
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
    /// Zones of the same servers walk together, so that a dead primary delays no others.
    fn walk_due(&mut self) {
        let config = Arc::clone(&self.ground.config);
        let mut batches: BTreeMap<(&[usize], usize), Due> = BTreeMap::new();
        for (index, causes) in self.schedule.take_due(Instant::now()) {
            let Some(zone) = config.zones.get(index) else {
                continue;
            };
            let apart = if zone.servers.is_empty() {
                index / FOUND_TOGETHER
            } else {
                0
            };
            let due = batches.entry((&zone.servers, apart)).or_default();
            due.zones.push(index);
            due.causes.extend(causes);
        }
        let (probed, withheld) = (self.verdicts(), self.withheld());
        for Due { zones, causes } in batches.into_values() {
            let batch = Batch {
                ground: Arc::clone(&self.ground),
                zones,
                probed: probed.clone(),
                fallback: Recalled {
                    memory: Memory::default(),
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
        if self.canary.last == Canary::Silent {
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
                probed: self.verdicts(),
                since: self.began,
            };
            self.refresh = Some(Box::pin(refreshing.run()));
        }
    }

    /// Stores what is known of the hosts, beside everything else.
    fn keep(&mut self) {
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
        let mut tracks = Vec::new();
        for (host, kept) in ground.config.hosts.iter().zip(&mut self.hosts) {
            if std::mem::take(&mut kept.unsaved) {
                tracks.push((host.name().clone(), kept.track.clone()));
            }
        }
        if tracks.is_empty() {
            return None;
        }
        let samples = std::mem::take(&mut self.samples);
        let probed = self.verdicts();
        Some(async move {
            let kept = ground
                .store
                .keep_health(tracks, samples, Timestamp::now())
                .await;
            let noted = match kept {
                Ok(()) => reconcile::note_up(&ground.config, &ground.store, &probed).await,
                Err(error) => Err(error),
            };
            noted.err().map(|error| chain(&error))
        })
    }

    fn show_status(&self) {
        let up = self
            .hosts
            .iter()
            .filter(|kept| kept.state == State::Up)
            .count();
        let mode = match (&self.said.pause, self.writes) {
            (Some(pause), _) => pause.to_string(),
            (None, true) => "enforce".to_owned(),
            (None, false) => "audit".to_owned(),
        };
        notify::status(&format!(
            "{mode}: {up} of {} hosts up, {} zones",
            self.hosts.len(),
            self.ground.config.zones.len()
        ));
    }

    // What is believed.

    /// The verdicts of the probes, no override applied.
    fn verdicts(&self) -> Verdicts {
        let now = Timestamp::now();
        Verdicts {
            hosts: (0..self.hosts.len())
                .map(|index| self.verdict(index, now))
                .collect(),
            canary: self.canary.last,
        }
    }

    fn verdict(&self, index: usize, now: Timestamp) -> Verdict {
        let (Some(host), Some(kept)) = (self.ground.config.hosts.get(index), self.hosts.get(index))
        else {
            return Verdict::unknown("not in the inventory");
        };
        if host.role == Role::Retired {
            return health::retired();
        }
        if !is_asked(host) {
            return health::trusted();
        }
        track::verdict(
            &kept.track,
            &host.health,
            self.canary_for(kept),
            kept.obstacle.as_deref(),
            now,
        )
    }

    /// What the canaries say of our network, as far as it concerns this host.
    ///
    /// A host goes down only when they answered after its newest failed probe began; for one that
    /// is down, what they last said counts.
    fn canary_for(&self, kept: &KnownHost) -> Canary {
        if self.ground.config.canary.is_empty() {
            return Canary::Unused;
        }
        let newest = kept.track.newest.as_ref().map(|newest| newest.began);
        if kept.state == State::Down || self.canary.began >= newest {
            self.canary.last
        } else {
            Canary::Silent
        }
    }
}

/// Zones that walk together, and what woke them.
#[derive(Default)]
struct Due {
    zones: Vec<usize>,
    causes: BTreeSet<String>,
}

/// The end of a refresh under way, or nothing for ever.
async fn refreshed(refresh: &mut Option<Refresh>) -> Duration {
    match refresh {
        Some(refresh) => refresh.await,
        None => std::future::pending().await,
    }
}

/// The end of a refresh under way, if there is one.
async fn refreshed_at_last(refresh: &mut Option<Refresh>) {
    if let Some(refresh) = refresh {
        refresh.await;
    }
}

/// Sleeps until then, or for ever.
async fn until(due: Option<Instant>) {
    match due {
        Some(due) => sleep_until(due).await,
        None => std::future::pending().await,
    }
}
