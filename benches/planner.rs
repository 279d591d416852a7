//! What is computed, without I/O: plans, digests, reports, messages and signatures.
//!
//! ```text
//! cargo bench --bench planner            all of it
//! cargo bench --bench planner -- plan    what has that in its name
//! planner json                           the goal alone, for benches/peers: one line of JSON
//! ```
//!
//! The goal is 50 ms for the plans of 10,000 zones of ten hosts. The plans are made as
//! `reconcile::run_once` makes them, each result kept.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::indexing_slicing,
    reason = "a measurement"
)]

use std::hint::black_box;
use std::sync::Arc;
use std::time::{Duration, Instant};

use criterion::Criterion;
use jiff::Timestamp;

use srvkeeper::config::keyfile;
use srvkeeper::model::{
    Canary, Changes, Expect, Foreign, Health, Host, Memory, Name, Observed, Policy, Publisher,
    Role, Srv, State, Verdict, Verdicts, Zone,
};
use srvkeeper::plan::{self, Plan, PlanInput, PlannedHost, ZonePlan, ZoneResult, plan_zone};
use srvkeeper::render::{self, text::Layout};
use srvkeeper::wire::tsig::{self, Key};
use srvkeeper::wire::{query, update};

const ZONES: usize = 10_000;
const HOSTS: usize = 10;
const ROUNDS: usize = 21;
const KEY: &str = "key \"bench\" { algorithm hmac-sha256; secret \"c2VjcmV0c2VjcmV0c2VjcmV0\"; };";

fn main() {
    let arguments: Vec<String> = std::env::args().skip(1).collect();
    if arguments.first().map(String::as_str) == Some("json") {
        return print_goal();
    }
    // As `cargo test` starts it.
    if !arguments.iter().any(|argument| argument == "--bench") {
        println!("usage: cargo bench --bench planner");
        return;
    }
    let mut criterion = Criterion::default()
        .sample_size(10)
        .warm_up_time(Duration::from_secs(1))
        .measurement_time(Duration::from_secs(5))
        .configure_from_args();
    plans(&mut criterion);
    reports(&mut criterion);
    messages(&mut criterion);
    criterion.final_summary();
}

fn print_goal() {
    let mut milliseconds = Vec::new();
    for site in [Site::at_rest(), Site::with_one_down()] {
        let mut rounds: Vec<f64> = (0..ROUNDS)
            .map(|_round| {
                let began = Instant::now();
                black_box(site.plans());
                began.elapsed().as_secs_f64() * 1_000.0
            })
            .collect();
        rounds.sort_by(f64::total_cmp);
        milliseconds.push(rounds);
    }
    println!(
        "{}",
        serde_json::json!({"at_rest": milliseconds[0], "one_down": milliseconds[1]})
    );
}

fn plans(criterion: &mut Criterion) {
    let at_rest = Site::at_rest();
    criterion.bench_function("plan 10,000 zones at rest", |bencher| {
        bencher.iter(|| at_rest.plans());
    });
    let one_down = Site::with_one_down();
    criterion.bench_function("plan 10,000 zones, one host down", |bencher| {
        bencher.iter(|| one_down.plans());
    });
}

fn reports(criterion: &mut Criterion) {
    let site = Site::with_one_down();
    let plan = site.plan();
    criterion.bench_function("digest of 10,000 zones", |bencher| {
        bencher.iter(|| plan::digest(&plan));
    });
    criterion.bench_function("text of 10,000 zones", |bencher| {
        bencher.iter(|| render::text::plan(&plan, Layout::default()));
    });
    criterion.bench_function("json of 10,000 zones", |bencher| {
        bencher.iter(|| render::json::plan(&plan, &mut std::io::sink()));
    });
}

fn messages(criterion: &mut Criterion) {
    let site = Site::at_rest();
    let (zone, observed) = &site.zones[0];
    criterion.bench_function("query", |bencher| {
        bencher.iter(|| query::query(&zone.owner, hickory_proto::rr::RecordType::SRV));
    });
    let update = update::Update {
        zone: &observed.update_zone,
        owner: &zone.owner,
        prerequisite: &observed.records,
        deletes: &observed.records[..1],
        adds: &observed.records[..1],
        ttl: 3_600,
    };
    criterion.bench_function("update", |bencher| {
        bencher.iter(|| update::encode(&update, 0).unwrap());
    });
    let key = Key::from_secret(&keyfile::parse(KEY).unwrap());
    let message = update::encode(&update, 0).unwrap();
    criterion.bench_function("signature", |bencher| {
        bencher.iter(|| tsig::sign(&mut message.clone(), &key, 1_700_000_000).unwrap());
    });
}

/// Many zones that publish the same hosts.
struct Site {
    hosts: Vec<Host>,
    verdicts: Verdicts,
    zones: Vec<(Zone, Observed)>,
    memory: Memory,
    now: Timestamp,
}

impl Site {
    /// All hosts are up, and every zone is as desired.
    fn at_rest() -> Self {
        let now = Timestamp::from_second(1_700_000_000).unwrap();
        let hosts: Vec<Host> = (1..=HOSTS).map(host).collect();
        let records: Vec<Srv> = {
            let mut records: Vec<Srv> = hosts.iter().map(|host| host.srv.clone()).collect();
            records.sort();
            records
        };
        let verdict = Verdict {
            state: State::Up,
            probed: true,
            newest_sample: Some(now),
            since: Some(now),
            ..Verdict::unknown("answers")
        };
        let policy = Arc::new(policy());
        let members: Arc<[usize]> = (0..HOSTS).collect();
        let zones = (0..ZONES)
            .map(|number| zone(number, &policy, &members, &records))
            .collect();
        Self {
            verdicts: Verdicts {
                hosts: vec![verdict; HOSTS],
                canary: Canary::Unused,
            },
            hosts,
            zones,
            memory: Memory::default(),
            now,
        }
    }

    /// One host is down, so every zone has a change.
    fn with_one_down() -> Self {
        let mut site = Self::at_rest();
        let down = &mut site.verdicts.hosts[0];
        down.state = State::Down;
        let failed = site.now - jiff::SignedDuration::from_secs(60);
        down.since = Some(failed);
        down.first_failure = Some(failed);
        site
    }

    fn plans(&self) -> Vec<ZonePlan> {
        self.zones
            .iter()
            .map(|(zone, observed)| {
                plan_zone(&PlanInput {
                    now: self.now,
                    interval: Duration::from_secs(300),
                    zone,
                    hosts: &self.hosts,
                    observed,
                    verdicts: &self.verdicts,
                    memory: &self.memory,
                    allow_removals: None,
                })
            })
            .collect()
    }

    fn plan(&self) -> Plan {
        let hosts = self.hosts.iter().zip(&self.verdicts.hosts);
        Plan {
            created: self.now,
            hosts: hosts
                .map(|(host, verdict)| PlannedHost {
                    name: host.name().clone(),
                    verdict: verdict.clone(),
                })
                .collect(),
            zones: self
                .plans()
                .into_iter()
                .map(|plan| ZoneResult {
                    zone: plan.zone.clone(),
                    result: Ok(plan),
                })
                .collect(),
        }
    }
}

fn host(number: usize) -> Host {
    Host {
        role: Role::Active,
        srv: Srv {
            priority: 0,
            weight: 0,
            port: 1688,
            target: Name::parse(&format!("kms{number}.corp.example.")).unwrap(),
        },
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

fn zone(
    number: usize,
    policy: &Arc<Policy>,
    members: &Arc<[usize]>,
    records: &[Srv],
) -> (Zone, Observed) {
    let name = Name::parse(&format!("zone{number:05}.example.")).unwrap();
    let zone = Zone {
        owner: name.prefixed(&Name::parse("_vlmcs._tcp").unwrap()).unwrap(),
        name: name.clone(),
        ttl: 3_600,
        expect: Expect::Hosts,
        standby_below: 1,
        policy: Arc::clone(policy),
        hosts: Arc::clone(members),
        servers: Arc::new([0]),
        key: None,
    };
    let observed = Observed {
        server: "127.0.0.1:53".parse().unwrap(),
        update_zone: name,
        serial: 7,
        ttl: Some(3_600),
        mixed_ttl: false,
        records: records.to_vec(),
    };
    (zone, observed)
}

fn policy() -> Policy {
    Policy {
        changes: Changes::Sync,
        foreign: Foreign::Report,
        publisher: Publisher::Sole,
        min_hosts: 1,
        max_removals: 1,
        freeze_percent: 50,
        refresh: None,
    }
}
