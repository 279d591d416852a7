//! A daemon without a daemon: hosts that follow a script, the prober's pace, the store's memory and
//! one zone, all in simulated time.
//!
//! Every host is asked at a phase of its own, up to a tenth of its interval early, as the daemon
//! does it. A probe that times out begins at one moment and is known at a later one. After every
//! sample the zone is planned, and the plan is carried out at once: at least as often as the daemon
//! does, which plans when a verdict changes and, while a removal waits, at every sample.

#![allow(
    dead_code,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "tests, and each uses its part of this"
)]

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr};
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use srvkeeper::health::track;
use srvkeeper::model::{
    Canary, Changes, Check, Expect, Failure, Foreign, Health, Host, Memory, Name, Observed, Policy,
    Publisher, Removal, Role, Sample, Srv, State, Track, Verdicts, Zone,
};
use srvkeeper::plan::{Guard, PlanInput, ZonePlan, contests_after, plan_zone};

/// Milliseconds since the simulation began.
pub(crate) type Time = u64;

pub(crate) const SECOND: Time = 1_000;
pub(crate) const MINUTE: Time = 60 * SECOND;
pub(crate) const HOUR: Time = 60 * MINUTE;
pub(crate) const WEEK: Time = 7 * 24 * HOUR;

/// `[daemon] interval`.
pub(crate) const RECONCILE: Time = 5 * MINUTE;

/// What a host does to a probe.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Answer {
    /// Nothing listens on its port.
    Refuses,
    /// Packets are dropped.
    TimesOut,
    /// The probe could not be made.
    NotAsked,
}

/// One host with what happens to it.
struct Actor {
    /// Otherwise it answers.
    script: Vec<(std::ops::Range<Time>, Answer)>,
    /// From the probe's first packet to the answer's last.
    round_trip: Time,
    next_probe: Time,
    track: Track,
    obstacle: Option<String>,
}

/// A removal that was carried out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Removed {
    pub(crate) at: Time,
    /// The host's short name.
    pub(crate) host: String,
}

pub(crate) struct Simulation {
    pub(crate) hosts: Vec<Host>,
    pub(crate) zone: Zone,
    actors: Vec<Actor>,
    /// Probes under way: when they are known, and of whom; began, and what came of it.
    under_way: BTreeMap<(Time, usize), (Time, Option<Answer>)>,
    pub(crate) now: Time,
    dice: u64,
    records: Vec<Srv>,
    serial: u32,
    memory: Memory,
    /// As of the newest sample, and, since samples grow old, of the last ten seconds.
    verdicts: Verdicts,
    all_judged: Time,
    /// When the zone was last planned, and the states that it was planned by.
    planned: Option<(Time, Vec<State>)>,
    /// While the primary cannot be read.
    pub(crate) unreadable: std::ops::Range<Time>,
    /// Every removal, oldest first.
    pub(crate) removed: Vec<Removed>,
    /// The smallest set that was ever published.
    pub(crate) smallest: usize,
    /// Whoever was ever found to be down, by short name.
    pub(crate) ever_down: Vec<String>,
    /// What withheld something in the newest plan.
    pub(crate) held: Vec<Guard>,
}

impl Simulation {
    /// So many active hosts, all published, and so many standbys; `dice` decides on phases.
    pub(crate) fn new(active: usize, standbys: usize, dice: u64) -> Self {
        let health = Health {
            checks: vec![Check::Rpc],
            command: Vec::new(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            rise: 2,
            fall: 3,
        };
        let host = |prefix: &str, role: Role, number: usize| Host {
            role,
            srv: Srv {
                priority: 0,
                weight: 0,
                port: 1688,
                target: name(&format!("{prefix}{number}.corp.example.")),
            },
            groups: Vec::new(),
            addresses: vec![IpAddr::V4(Ipv4Addr::LOCALHOST)],
            health: health.clone(),
        };
        let hosts: Vec<Host> = (1..=active)
            .map(|number| host("kms", Role::Active, number))
            .chain((1..=standbys).map(|number| host("spare", Role::Standby, number)))
            .collect();
        let mut records: Vec<Srv> = hosts[..active]
            .iter()
            .map(|host| host.srv.clone())
            .collect();
        records.sort();
        let mut simulation = Self {
            zone: zone(hosts.len()),
            actors: Vec::new(),
            hosts,
            under_way: BTreeMap::new(),
            now: 0,
            dice: dice.wrapping_mul(2).wrapping_add(1),
            smallest: records.len(),
            records,
            serial: 1,
            memory: Memory::default(),
            verdicts: Verdicts {
                hosts: Vec::new(),
                canary: Canary::Unused,
            },
            all_judged: 0,
            planned: None,
            unreadable: 0..0,
            removed: Vec::new(),
            ever_down: Vec::new(),
            held: Vec::new(),
        };
        for _ in 0..simulation.hosts.len() {
            let next_probe = simulation.roll(10 * SECOND);
            simulation.actors.push(Actor {
                script: Vec::new(),
                round_trip: 1,
                next_probe,
                track: Track::default(),
                obstacle: None,
            });
        }
        simulation
    }

    /// Changes how every host is probed.
    pub(crate) fn health(mut self, change: impl Fn(&mut Health)) -> Self {
        for host in &mut self.hosts {
            change(&mut host.health);
        }
        self
    }

    /// Changes the policy.
    pub(crate) fn policy(mut self, change: impl Fn(&mut Policy)) -> Self {
        change(Arc::make_mut(&mut self.zone.policy));
        self
    }

    /// Gives every host a round trip of its own, up to the longest.
    pub(crate) fn round_trips(mut self, longest: Time) -> Self {
        for index in 0..self.actors.len() {
            self.actors[index].round_trip = 1 + self.roll(longest);
        }
        self
    }

    /// Nothing is published when it begins.
    pub(crate) fn unpublished(mut self) -> Self {
        self.records.clear();
        self.smallest = 0;
        self
    }

    /// Has one host (by short name) do something for a time.
    pub(crate) fn script(&mut self, short: &str, when: std::ops::Range<Time>, answer: Answer) {
        let index = self.index(short);
        self.actors[index].script.push((when, answer));
    }

    /// The same for every host.
    pub(crate) fn script_all(&mut self, when: &std::ops::Range<Time>, answer: Answer) {
        for actor in &mut self.actors {
            actor.script.push((when.clone(), answer));
        }
    }

    /// The daemon does nothing until then: it is stopped, and its samples grow old.
    pub(crate) fn stop_until(&mut self, then: Time) {
        self.under_way.clear();
        self.now = then;
        for index in 0..self.actors.len() {
            self.actors[index].next_probe = then + self.roll(SECOND);
        }
    }

    /// Goes on until then.
    pub(crate) fn run_until(&mut self, end: Time) {
        loop {
            let begin = (0..self.actors.len())
                .map(|index| (self.actors[index].next_probe, index))
                .min();
            let known = self.under_way.keys().next().copied();
            match (begin, known) {
                (_, Some((at, index))) if begin.is_none_or(|(next, _)| at <= next) => {
                    if at > end {
                        break;
                    }
                    self.now = at;
                    self.take_sample(at, index);
                    self.reconcile(index);
                }
                (Some((at, index)), _) => {
                    if at > end {
                        break;
                    }
                    self.now = at;
                    self.begin_probe(at, index);
                }
                _ => break,
            }
        }
        self.now = end;
    }

    /// The short names of what is published, in the inventory's order.
    pub(crate) fn published(&self) -> Vec<String> {
        self.hosts
            .iter()
            .filter(|host| self.is_published(host.name()))
            .map(|host| short(host.name()))
            .collect()
    }

    /// The removed hosts' short names, in the order of their removal.
    pub(crate) fn removed_hosts(&self) -> Vec<&str> {
        self.removed
            .iter()
            .map(|removed| removed.host.as_str())
            .collect()
    }

    /// Active hosts among the removed.
    pub(crate) fn removed_active(&self) -> Vec<&Removed> {
        self.removed
            .iter()
            .filter(|removed| removed.host.starts_with("kms"))
            .collect()
    }

    fn begin_probe(&mut self, began: Time, index: usize) {
        let early = self.roll(101);
        let Health {
            interval, timeout, ..
        } = self.hosts[index].health;
        let (interval, timeout) = (milliseconds(interval), milliseconds(timeout));
        let actor = &mut self.actors[index];
        let round_trip = actor.round_trip.min(timeout);
        // Packets already under way are lost too.
        let met = actor
            .script
            .iter()
            .find(|(when, _answer)| when.start < began + round_trip && began < when.end)
            .map(|(_when, answer)| *answer);
        let took = match met {
            Some(Answer::TimesOut) => timeout,
            None | Some(Answer::Refuses | Answer::NotAsked) => round_trip,
        };
        // The next one does not begin before this one has ended.
        actor.next_probe = began + (interval - interval * early / 1_000).max(took);
        self.under_way.insert((began + took, index), (began, met));
    }

    fn take_sample(&mut self, known: Time, index: usize) {
        let (began, met) = self.under_way.remove(&(known, index)).unwrap();
        let result = match met {
            Some(Answer::NotAsked) => {
                self.actors[index].obstacle = Some("the resolver does not answer".to_owned());
                return;
            }
            Some(Answer::Refuses) => Err(Failure::Refused),
            Some(Answer::TimesOut) => Err(Failure::TimedOut),
            None => Ok(()),
        };
        let sample = Sample {
            began: timestamp(began),
            took: Duration::from_millis(known - began),
            addresses: vec![(IpAddr::V4(Ipv4Addr::LOCALHOST), result)],
        };
        let actor = &mut self.actors[index];
        actor.track = track::add(&actor.track, &sample, &self.hosts[index].health);
        actor.obstacle = None;
    }

    fn judge(&mut self, asked: usize) {
        let now = timestamp(self.now);
        let verdict = |(host, actor): (&Host, &Actor)| {
            let obstacle = actor.obstacle.as_deref();
            track::verdict(&actor.track, &host.health, Canary::Unused, obstacle, now)
        };
        if self.verdicts.hosts.is_empty() || self.now - self.all_judged >= 10 * SECOND {
            self.all_judged = self.now;
            self.verdicts.hosts = self.hosts.iter().zip(&self.actors).map(verdict).collect();
        } else {
            self.verdicts.hosts[asked] = verdict((&self.hosts[asked], &self.actors[asked]));
        }
        for (host, verdict) in self.hosts.iter().zip(&self.verdicts.hosts) {
            match verdict.state {
                State::Up => {
                    let remembered = self.memory.hosts.entry(host.name().clone());
                    remembered.or_default().last_up = Some(now);
                }
                State::Down if !self.ever_down.contains(&short(host.name())) => {
                    self.ever_down.push(short(host.name()));
                }
                _ => {}
            }
        }
    }

    fn reconcile(&mut self, asked: usize) {
        self.judge(asked);
        if self.unreadable.contains(&self.now) || !self.is_due() {
            return;
        }
        let observed = self.observe();
        let input = PlanInput {
            now: timestamp(self.now),
            interval: Duration::from_millis(RECONCILE),
            zone: &self.zone,
            hosts: &self.hosts,
            observed: &observed,
            verdicts: &self.verdicts,
            memory: &self.memory,
            allow_removals: None,
        };
        let plan = plan_zone(&input);
        let contests = contests_after(&input, &plan, plan.is_pending());
        self.carry_out(&plan);
        if let Some(contests) = contests {
            self.memory
                .contests
                .insert(self.zone.owner.clone(), contests);
        }
    }

    fn is_due(&mut self) -> bool {
        let states: Vec<State> = self.verdicts.hosts.iter().map(|host| host.state).collect();
        let is_due = !self.held.is_empty()
            || self
                .planned
                .as_ref()
                .is_none_or(|(at, planned)| self.now - at >= MINUTE || *planned != states);
        if is_due {
            self.planned = Some((self.now, states));
        }
        is_due
    }

    fn observe(&self) -> Observed {
        Observed {
            server: "127.0.0.1:53".parse().unwrap(),
            update_zone: self.zone.name.clone(),
            serial: self.serial,
            ttl: (!self.records.is_empty()).then_some(self.zone.ttl),
            mixed_ttl: false,
            records: self.records.clone(),
        }
    }

    fn carry_out(&mut self, plan: &ZonePlan) {
        self.held = plan.held.iter().map(|held| held.guard).collect();
        if !plan.is_pending() {
            return;
        }
        self.records.clone_from(&plan.after);
        self.serial += 1;
        self.smallest = self.smallest.min(self.records.len());
        let removals = self.memory.removals.entry(self.zone.name.clone());
        let removals = removals.or_default();
        for host in &plan.removed {
            removals.push(Removal {
                host: host.clone(),
                at: timestamp(self.now),
            });
            self.removed.push(Removed {
                at: self.now,
                host: short(host),
            });
        }
    }

    fn index(&self, wanted: &str) -> usize {
        let mut hosts = self.hosts.iter();
        hosts.position(|host| short(host.name()) == wanted).unwrap()
    }

    fn is_published(&self, name: &Name) -> bool {
        self.records.iter().any(|record| record.target == *name)
    }

    /// A number below the limit, the same in every run (Knuth's linear congruential generator).
    fn roll(&mut self, below: u64) -> u64 {
        self.dice = self
            .dice
            .wrapping_mul(6_364_136_223_846_793_005)
            .wrapping_add(1_442_695_040_888_963_407);
        (self.dice >> 33) % below
    }
}

fn zone(hosts: usize) -> Zone {
    Zone {
        name: name("corp.example."),
        owner: name("_vlmcs._tcp.corp.example."),
        ttl: 3_600,
        expect: Expect::Hosts,
        standby_below: 1,
        policy: Arc::new(Policy {
            changes: Changes::Sync,
            foreign: Foreign::Report,
            publisher: Publisher::Sole,
            min_hosts: 1,
            max_removals: 1,
            freeze_percent: 50,
            refresh: None,
        }),
        hosts: (0..hosts).collect(),
        servers: [0].into(),
        key: None,
    }
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn short(name: &Name) -> String {
    name.to_string().split('.').next().unwrap().to_owned()
}

fn milliseconds(duration: Duration) -> Time {
    u64::try_from(duration.as_millis()).unwrap()
}

fn timestamp(time: Time) -> Timestamp {
    // Not at the epoch, before which some times lie.
    Timestamp::from_second(1_700_000_000).unwrap()
        + SignedDuration::from_millis(i64::try_from(time).unwrap())
}
