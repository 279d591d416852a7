//! Scenarios as short texts, and plans as one line each.
//!
//! A host is a name and words, hosts are separated by semicolons, their order is the file's:
//! `kms1 down in; kms2 up in; s1 standby up`.
//!
//! | Word | Means |
//! |---|---|
//! | `standby`, `retired` | the role; `active` needs no word |
//! | `up`, `down`, `suspect`, `unknown` | the verdict; `unknown` needs no word |
//! | `spared` | suspect, and down but for the canary |
//! | `forced` | an override decides |
//! | `in` | published, with the inventory's data |
//! | `since=5m` | how long the state has held; a minute needs no word |
//! | `seen=5m` | last seen up so long ago |
//! | `gone=5m` | withdrawn from this zone so long ago |
//! | `behind` | probed, but not since the others began to fail |
//! | `unprobed` | takes no part in probing |
//! | `elsewhere` | in the inventory, in none of this zone's groups |

use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use crate::model::{
    Canary, Change, ChangeKind, Changes, Contest, ContestKind, Expect, Forced, Foreign, Health,
    Host, HostMemory, Memory, Name, Observed, Policy, Publisher, Removal, Role, Srv, State,
    Verdict, Verdicts, Zone,
};
use crate::plan::{PlanInput, ZonePlan, plan_zone};

/// The configured TTL in seconds.
pub(super) const TTL: u32 = 3600;
/// The interval over which `max_removals` counts.
pub(super) const INTERVAL: Duration = Duration::from_secs(300);
/// How long ago the newest samples began, in seconds.
const NEWEST: i64 = 1;
/// How long a state holds unless the scenario says otherwise, in seconds.
const HELD_FOR: i64 = 60;

pub(super) fn now() -> Timestamp {
    Timestamp::from_second(1_700_000_000).unwrap()
}

pub(super) fn ago(seconds: i64) -> Timestamp {
    now() - SignedDuration::from_secs(seconds)
}

pub(super) fn zone_name() -> Name {
    Name::parse("corp.example.").unwrap()
}

/// `kms1` → `kms1.corp.example.`; a name with a dot stands for itself.
pub(super) fn target(short: &str) -> Name {
    if short.contains('.') {
        return Name::parse(short).unwrap();
    }
    Name::parse(&format!("{short}.corp.example.")).unwrap()
}

/// `kms1` is the record of the inventory's data, `0 5 1689 kms1` any other.
pub(super) fn record(text: &str) -> Srv {
    let words: Vec<&str> = text.split_whitespace().collect();
    let (priority, weight, port, name) = match words[..] {
        [name] => ("0", "0", "1688", name),
        [priority, weight, port, name] => (priority, weight, port, name),
        _ => panic!("no record: {text}"),
    };
    Srv {
        priority: priority.parse().unwrap(),
        weight: weight.parse().unwrap(),
        port: port.parse().unwrap(),
        target: target(name),
    }
}

/// One zone with its hosts, its RRset, their verdicts and the memory.
#[derive(Debug, Clone)]
pub(super) struct Scenario {
    pub(super) hosts: Vec<Host>,
    pub(super) verdicts: Verdicts,
    pub(super) members: Vec<usize>,
    pub(super) observed: Observed,
    pub(super) memory: Memory,
    pub(super) policy: Policy,
    pub(super) expect: Expect,
    pub(super) standby_below: u32,
    pub(super) allow_removals: Option<u32>,
}

impl Scenario {
    /// A zone without hosts and without records, under the default policy.
    pub(super) fn empty() -> Self {
        let zone = zone_name();
        Self {
            hosts: Vec::new(),
            verdicts: Verdicts {
                hosts: Vec::new(),
                canary: Canary::Unused,
            },
            members: Vec::new(),
            observed: Observed {
                server: "127.0.0.1:53".parse().unwrap(),
                update_zone: zone,
                serial: 7,
                ttl: None,
                mixed_ttl: false,
                records: Vec::new(),
            },
            memory: Memory::default(),
            policy: Policy {
                changes: Changes::Sync,
                foreign: Foreign::Report,
                publisher: Publisher::Sole,
                min_hosts: 1,
                max_removals: 1,
                freeze_percent: 50,
                refresh: None,
            },
            expect: Expect::Hosts,
            standby_below: 1,
            allow_removals: None,
        }
    }

    /// Reads the hosts of a scenario; see the module's table.
    pub(super) fn new(hosts: &str) -> Self {
        let mut scenario = Self::empty();
        for text in hosts.split(';').filter(|text| !text.trim().is_empty()) {
            scenario.add(text);
        }
        scenario
    }

    fn add(&mut self, text: &str) {
        let mut words = text.split_whitespace();
        let srv = record(words.next().unwrap());
        let name = srv.target.clone();
        let mut role = Role::Active;
        let mut verdict = Verdict {
            probed: true,
            newest_sample: Some(ago(NEWEST)),
            since: Some(ago(HELD_FOR)),
            ..Verdict::unknown("as the scenario says")
        };
        let mut member = true;
        for word in words {
            match word.split_once('=').unwrap_or((word, "")) {
                ("standby", _) => role = Role::Standby,
                ("retired", _) => {
                    role = Role::Retired;
                    verdict = Verdict::unknown("retired");
                }
                ("up", _) => verdict.state = State::Up,
                ("down", _) => verdict.state = State::Down,
                ("suspect", _) => verdict.state = State::Suspect,
                ("spared", _) => {
                    verdict.state = State::Suspect;
                    verdict.spared = true;
                }
                ("unknown", _) => verdict.state = State::Unknown,
                ("forced", _) => {
                    verdict.forced = Some(Forced {
                        until: ago(-HELD_FOR),
                    })
                }
                ("in", _) => self.observed.records.push(srv.clone()),
                ("since", time) => verdict.since = Some(ago(seconds(time))),
                ("behind", _) => verdict.newest_sample = Some(ago(10_000_000)),
                ("unprobed", _) => {
                    verdict.probed = false;
                    verdict.newest_sample = None;
                }
                ("elsewhere", _) => member = false,
                ("seen", time) => {
                    let last_up = Some(ago(seconds(time)));
                    self.memory
                        .hosts
                        .insert(name.clone(), HostMemory { last_up });
                }
                ("gone", time) => self.remember_removal(&name, ago(seconds(time))),
                _ => panic!("no such word: {word}"),
            }
        }
        if matches!(verdict.state, State::Down | State::Suspect) {
            verdict.first_failure = verdict.since;
        }
        if member {
            self.members.push(self.hosts.len());
        }
        self.hosts.push(host(srv, role));
        self.verdicts.hosts.push(verdict);
        self.settle();
    }

    /// Adds published records, separated by semicolons.
    pub(super) fn records(mut self, records: &str) -> Self {
        self.observed
            .records
            .extend(records.split(';').map(|text| record(text.trim())));
        self.settle();
        self
    }

    /// Keeps what [`Observed`] promises: sorted records, and a TTL when there are any.
    pub(super) fn settle(&mut self) {
        self.observed.records.sort();
        self.observed.ttl = match self.observed.records.is_empty() {
            true => None,
            false => self.observed.ttl.or(Some(TTL)),
        };
    }

    pub(super) fn remember_removal(&mut self, host: &Name, at: Timestamp) {
        let host = host.clone();
        self.memory
            .removals
            .entry(zone_name())
            .or_default()
            .push(Removal { host, at });
    }

    /// Remembers what somebody did to our changes of this record, last seen a minute ago.
    pub(super) fn contest(mut self, short: &str, kind: ContestKind, count: u32) -> Self {
        self.remember_contest(Contest {
            target: target(short),
            kind,
            count,
            armed_at: None,
            at: ago(HELD_FOR),
            written: None,
        });
        self
    }

    pub(super) fn remember_contest(&mut self, contest: Contest) {
        let owner = target("_vlmcs._tcp.corp.example.");
        self.memory.contests.entry(owner).or_default().push(contest);
    }

    /// Configures another weight.
    pub(super) fn weigh(&mut self, short: &str, weight: u16) {
        let name = target(short);
        for host in self.hosts.iter_mut().filter(|host| *host.name() == name) {
            host.srv.weight = weight;
        }
    }

    pub(super) fn once_ours(mut self, short: &str) -> Self {
        self.memory
            .published
            .entry(zone_name())
            .or_default()
            .push(target(short));
        self
    }

    pub(super) fn ttl(mut self, ttl: u32) -> Self {
        self.observed.ttl = Some(ttl);
        self
    }

    pub(super) fn mixed_ttl(mut self) -> Self {
        self.observed.mixed_ttl = true;
        self
    }

    pub(super) fn canary(mut self, canary: Canary) -> Self {
        self.verdicts.canary = canary;
        self
    }

    pub(super) fn expect_empty(mut self) -> Self {
        self.expect = Expect::Empty;
        self
    }

    pub(super) fn standby_below(mut self, hosts: u32) -> Self {
        self.standby_below = hosts;
        self
    }

    pub(super) fn min_hosts(mut self, hosts: u32) -> Self {
        self.policy.min_hosts = hosts;
        self
    }

    pub(super) fn max_removals(mut self, removals: u32) -> Self {
        self.policy.max_removals = removals;
        self
    }

    pub(super) fn freeze_percent(mut self, percent: u8) -> Self {
        self.policy.freeze_percent = percent;
        self
    }

    pub(super) fn allow_removals(mut self, removals: u32) -> Self {
        self.allow_removals = Some(removals);
        self
    }

    pub(super) fn changes(mut self, changes: Changes) -> Self {
        self.policy.changes = changes;
        self
    }

    pub(super) fn remove_foreign(mut self) -> Self {
        self.policy.foreign = Foreign::Remove;
        self
    }

    pub(super) fn shared(mut self) -> Self {
        self.policy.publisher = Publisher::Shared;
        self
    }

    pub(super) fn plan(&self) -> ZonePlan {
        self.plan_at(now())
    }

    pub(super) fn plan_at(&self, now: Timestamp) -> ZonePlan {
        plan_zone(&PlanInput {
            now,
            ..self.input(&self.zone())
        })
    }

    pub(super) fn zone(&self) -> Zone {
        Zone {
            name: zone_name(),
            owner: target("_vlmcs._tcp.corp.example."),
            ttl: TTL,
            expect: self.expect,
            standby_below: self.standby_below,
            policy: Arc::new(self.policy.clone()),
            hosts: self.members.as_slice().into(),
            servers: Arc::new([]),
            key: None,
        }
    }

    pub(super) fn input<'a>(&'a self, zone: &'a Zone) -> PlanInput<'a> {
        PlanInput {
            now: now(),
            interval: INTERVAL,
            zone,
            hosts: &self.hosts,
            observed: &self.observed,
            verdicts: &self.verdicts,
            memory: &self.memory,
            allow_removals: self.allow_removals,
        }
    }

    /// The plan as one line; see [`line`].
    pub(super) fn line(&self) -> String {
        line(&self.plan())
    }

    /// What a primary holds once the plan is applied as RFC 2136 goes: each record of before
    /// deleted as read, then each record of after added. Removals are remembered.
    pub(super) fn apply(&mut self, plan: &ZonePlan) {
        let rewritten = plan
            .changes
            .iter()
            .any(|change| matches!(change.kind, ChangeKind::Update { .. }));
        let mut records = self.observed.records.clone();
        for before in plan.changes.iter().filter_map(Change::before) {
            let position = records
                .iter()
                .position(|record| record.same_spelling(before))
                .expect("only what was read is deleted");
            records.remove(position);
        }
        let mixed = self.observed.mixed_ttl && !rewritten && records.len() > 1;
        let before_ttl = self.observed.ttl.filter(|_| !records.is_empty());
        let added = plan.changes.iter().find_map(|change| match change.kind {
            ChangeKind::Create { ttl, .. } | ChangeKind::Update { ttl, .. } => Some(ttl),
            ChangeKind::Delete { .. } => None,
        });
        records.extend(plan.changes.iter().filter_map(Change::after).cloned());
        self.observed.records = records;
        self.observed.ttl = added.or(before_ttl);
        self.observed.mixed_ttl = mixed;
        self.settle();
        for host in &plan.removed {
            self.remember_removal(host, now());
        }
    }

    /// How many inventory hosts of the zone are published and not down.
    pub(super) fn serving(&self, records: &[Srv]) -> usize {
        self.members
            .iter()
            .filter(|&&index| self.verdicts.hosts[index].state != State::Down)
            .filter(|&&index| {
                records
                    .iter()
                    .any(|record| record.target == *self.hosts[index].name())
            })
            .count()
    }
}

pub(super) fn host(srv: Srv, role: Role) -> Host {
    Host {
        role,
        srv,
        groups: Vec::new(),
        addresses: Vec::new(),
        health: Health {
            checks: Vec::new(),
            command: Vec::new(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            rise: 2,
            fall: 3,
        },
    }
}

/// `90s`, `5m`, `2h` or `3d` in seconds.
fn seconds(text: &str) -> i64 {
    let (number, unit) = text.split_at(text.len() - 1);
    let factor = match unit {
        "s" => 1,
        "m" => 60,
        "h" => 3600,
        "d" => 86_400,
        _ => panic!("no duration: {text}"),
    };
    number.parse::<i64>().unwrap() * factor
}

/// A plan as one line: changes, held changes, foreign records, the unchanged, and whether the zone
/// is short of hosts. `+` creates, `-` deletes, `~` updates; nothing at all is an empty line.
pub(super) fn line(plan: &ZonePlan) -> String {
    let mut parts: Vec<String> = plan.changes.iter().map(change_text).collect();
    parts.extend(
        plan.held
            .iter()
            .map(|held| format!("held({}) {}", held.guard, change_text(&held.change))),
    );
    parts.extend(
        plan.foreign
            .iter()
            .map(|foreign| format!("foreign {}", short(&foreign.record.target))),
    );
    if plan.unchanged > 0 {
        parts.push(format!("unchanged {}", plan.unchanged));
    }
    if plan.short_of_hosts.is_some() {
        parts.push("short".to_owned());
    }
    parts.join(", ")
}

fn change_text(change: &Change) -> String {
    let (sign, record) = match &change.kind {
        ChangeKind::Create { after, .. } => ('+', after),
        ChangeKind::Update { before, .. } => ('~', before),
        ChangeKind::Delete { before, .. } => ('-', before),
    };
    format!("{sign} {} {}", short(&record.target), change.reason.code)
}

fn short(name: &Name) -> String {
    name.to_string().replace(".corp.example.", "")
}

/// Compares each scenario's line with the expected one, and names the scenario that differs.
#[track_caller]
pub(super) fn assert_table(table: &[(Scenario, &str)]) {
    for (position, (scenario, expected)) in table.iter().enumerate() {
        assert_eq!(
            scenario.line(),
            *expected,
            "row {position}: {:#?}",
            scenario.plan()
        );
    }
}
