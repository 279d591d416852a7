//! What holds for every zone there could be.

use jiff::SignedDuration;
use proptest::prelude::*;
use proptest::sample::{select, subsequence};

use super::support::{Scenario, TTL, ago, host, line, now, record, target, zone_name};
use crate::model::{
    Canary, ChangeKind, Changes, Contest, ContestKind, Expect, Forced, Foreign, Host, HostMemory,
    Name, Publisher, ReasonCode, Role, Srv, State, Verdict,
};
use crate::plan::{Guard, Plan, PlannedHost, ZoneError, ZonePlan, ZoneResult, digest};

/// A host with its verdict, its published records and what is remembered of it.
#[derive(Debug, Clone)]
struct Member {
    role: Role,
    verdict: Verdict,
    elsewhere: bool,
    records: Vec<&'static str>,
    last_up: Option<i64>,
    gone: Option<i64>,
    contest: Option<(ContestKind, u32)>,
}

/// Published records of a host, `#` being its number: right, drifted, on a wrong port, and spelled
/// another way.
const RECORDS: [&str; 4] = [
    "0 0 1688 kms#",
    "9 0 1688 kms#",
    "0 0 1700 kms#",
    "0 0 1688 KMS#",
];
const FOREIGN: [&str; 3] = ["0 0 1688 rogue", "9 0 1688 rogue", "0 0 0 ."];

fn verdict() -> impl Strategy<Value = Verdict> {
    let states = vec![
        State::Up,
        State::Up,
        State::Down,
        State::Suspect,
        State::Unknown,
    ];
    let past = || prop::option::weighted(0.9, 1..120_i64);
    (
        select(states),
        prop::bool::weighted(0.2),
        prop::bool::weighted(0.9),
        past(),
        past(),
        any::<bool>(),
    )
        .prop_map(|(state, forced, probed, since, newest, spared)| {
            let failing = matches!(state, State::Down | State::Suspect);
            let decided = matches!(state, State::Down | State::Up);
            Verdict {
                state,
                forced: (forced && decided).then(|| Forced { until: ago(-60) }),
                since: since.map(ago),
                probed,
                spared: spared && state == State::Suspect,
                newest_sample: newest.map(ago),
                first_failure: since.filter(|_| failing).map(ago),
                ..Verdict::unknown("as generated")
            }
        })
}

fn member() -> impl Strategy<Value = Member> {
    let roles = vec![
        Role::Active,
        Role::Active,
        Role::Active,
        Role::Standby,
        Role::Retired,
    ];
    let records = prop_oneof![
        3 => Just(vec![RECORDS[0]]),
        2 => Just(vec![]),
        1 => subsequence(&RECORDS[..], 1..=4),
    ];
    let past = || prop::option::weighted(0.3, 1..8_000_i64);
    (
        select(roles),
        verdict(),
        prop::bool::weighted(0.1),
        records,
        past(),
        past(),
        prop::option::weighted(0.2, (select(&ContestKind::ALL[..]), 0..4_u32)),
    )
        .prop_map(
            |(role, verdict, elsewhere, records, last_up, gone, contest)| Member {
                role,
                verdict,
                elsewhere,
                records,
                last_up,
                gone,
                contest,
            },
        )
}

/// The policy's part of a scenario.
fn limits() -> impl Strategy<Value = Scenario> {
    (
        select(vec![
            Changes::Sync,
            Changes::Sync,
            Changes::Sync,
            Changes::UpsertOnly,
            Changes::CreateOnly,
        ]),
        select(vec![Foreign::Report, Foreign::Remove]),
        select(vec![Publisher::Sole, Publisher::Sole, Publisher::Shared]),
        (0..4_u32, 0..4_u32, select(vec![0_u8, 33, 50, 50, 100, 100])),
        (
            0..4_u32,
            prop::bool::weighted(0.1),
            prop::option::weighted(0.2, 0..4_u32),
        ),
        select(vec![
            Canary::Unused,
            Canary::Unused,
            Canary::Answers,
            Canary::Silent,
        ]),
    )
        .prop_map(|(changes, foreign, publisher, numbers, zone, canary)| {
            let mut scenario = Scenario::empty().canary(canary).changes(changes);
            scenario.policy.foreign = foreign;
            scenario.policy.publisher = publisher;
            (
                scenario.policy.min_hosts,
                scenario.policy.max_removals,
                scenario.policy.freeze_percent,
            ) = numbers;
            let (standby_below, empty, allow_removals) = zone;
            scenario.standby_below = standby_below;
            scenario.expect = if empty { Expect::Empty } else { Expect::Hosts };
            scenario.allow_removals = allow_removals;
            scenario
        })
}

pub(super) fn scenario() -> impl Strategy<Value = Scenario> {
    let foreign = prop_oneof![Just(vec![]), subsequence(&FOREIGN[..], 1..=3)];
    (
        limits(),
        prop::collection::vec(member(), 0..=6),
        foreign,
        select(vec![TTL, TTL, 60]),
        prop::bool::weighted(0.1),
    )
        .prop_map(|(mut scenario, members, foreign, ttl, mixed)| {
            for (index, member) in members.into_iter().enumerate() {
                add(&mut scenario, index, member);
            }
            let records = &mut scenario.observed.records;
            records.extend(foreign.into_iter().map(record));
            scenario.observed.mixed_ttl = mixed && records.len() > 1;
            scenario.observed.ttl = Some(ttl);
            scenario.settle();
            scenario
        })
}

fn add(scenario: &mut Scenario, index: usize, member: Member) {
    let numbered = |text: &str| record(&text.replace('#', &index.to_string()));
    let srv = numbered(RECORDS[0]);
    let name = srv.target.clone();
    if let Some(seconds) = member.gone {
        scenario.remember_removal(&name, ago(seconds));
    }
    if let Some((kind, count)) = member.contest {
        scenario.remember_contest(Contest {
            target: name.clone(),
            kind,
            count,
            armed_at: None,
            at: ago(60),
            written: None,
        });
    }
    if let Some(seconds) = member.last_up {
        let last_up = Some(ago(seconds));
        scenario.memory.hosts.insert(name, HostMemory { last_up });
    }
    if !member.elsewhere {
        scenario.members.push(index);
    }
    let published = member.records.into_iter().map(numbered);
    scenario.observed.records.extend(published);
    scenario.hosts.push(host(srv, member.role));
    scenario.verdicts.hosts.push(member.verdict);
}

/// The same zone with the inventory in another order.
fn reordered(scenario: &Scenario, order: &[usize]) -> Scenario {
    let mut other = scenario.clone();
    other.hosts = order
        .iter()
        .map(|&from| scenario.hosts[from].clone())
        .collect();
    other.verdicts.hosts = order
        .iter()
        .map(|&from| scenario.verdicts.hosts[from].clone())
        .collect();
    other.members = (0..order.len())
        .filter(|&to| scenario.members.contains(&order[to]))
        .collect();
    other
}

fn holds(records: &[Srv], wanted: &Srv) -> bool {
    records.iter().any(|record| record.same_spelling(wanted))
}

/// True when a change that is made, or one that is held, takes this record as its before.
fn is_touched(plan: &ZonePlan, record: &Srv, held_too: bool) -> bool {
    let held = plan
        .held
        .iter()
        .map(|held| &held.change)
        .filter(|_| held_too);
    plan.changes
        .iter()
        .chain(held)
        .filter_map(|change| change.before())
        .any(|before| before.same_spelling(record))
}

/// The zone's hosts with their verdicts.
fn members(scenario: &Scenario) -> impl Iterator<Item = (&Host, &Verdict)> {
    let indexes = scenario.members.iter();
    indexes.map(|&index| (&scenario.hosts[index], &scenario.verdicts.hosts[index]))
}

fn verdict_of<'a>(scenario: &'a Scenario, name: &Name) -> &'a Verdict {
    let mut found = members(scenario).filter(|(host, _verdict)| host.name() == name);
    found.next().expect("only members are removed").1
}

fn whole(scenario: &Scenario) -> Plan {
    let hosts = scenario.hosts.iter().zip(&scenario.verdicts.hosts);
    Plan {
        created: now(),
        hosts: hosts
            .map(|(host, verdict)| PlannedHost {
                name: host.name().clone(),
                verdict: verdict.clone(),
            })
            .collect(),
        zones: vec![ZoneResult {
            zone: zone_name(),
            result: Ok(scenario.plan()),
        }],
    }
}

fn zone_plan(plan: &mut Plan) -> &mut ZonePlan {
    plan.zones[0].result.as_mut().unwrap()
}

/// Plans that differ from this one in one thing that a reviewer would want to see again.
fn altered(plan: &Plan, which: prop::sample::Index) -> Vec<(&'static str, Plan)> {
    let mut others = Vec::new();
    let mut alter = |what, change: &dyn Fn(&mut Plan)| {
        let mut other = plan.clone();
        change(&mut other);
        others.push((what, other));
    };
    if !plan.hosts.is_empty() {
        let host = which.index(plan.hosts.len());
        alter("state", &|other| {
            let state = &mut other.hosts[host].verdict.state;
            *state = match state {
                State::Up => State::Down,
                _ => State::Up,
            };
        });
        alter("forced", &|other| {
            let forced = &mut other.hosts[host].verdict.forced;
            *forced = match forced {
                Some(_) => None,
                None => Some(Forced { until: now() }),
            };
        });
        alter("host", &|other| other.hosts[host].name = target("another"));
    }
    let Ok(zone) = &plan.zones[0].result else {
        return others;
    };
    if !zone.observed.records.is_empty() {
        let record = which.index(zone.observed.records.len());
        alter("record", &|other| {
            zone_plan(other).observed.records[record].weight ^= 1;
        });
        alter("records", &|other| {
            zone_plan(other).observed.records.remove(record);
        });
        alter("TTL", &|other| zone_plan(other).observed.ttl = Some(1));
    }
    if !zone.changes.is_empty() {
        let change = which.index(zone.changes.len());
        alter("changes", &|other| {
            zone_plan(other).changes.remove(change);
        });
        alter(
            "change",
            &|other| match &mut zone_plan(other).changes[change].kind {
                ChangeKind::Create { ttl, .. } => *ttl += 1,
                ChangeKind::Update { after, .. } => after.weight ^= 1,
                ChangeKind::Delete { before, .. } => before.weight ^= 1,
            },
        );
        alter("code", &|other| {
            zone_plan(other).changes[change].reason.code = ReasonCode::Rollback;
        });
    }
    alter("error", &|other| {
        other.zones[0].result = Err(ZoneError {
            server: None,
            text: "unreadable".to_owned(),
        });
    });
    others
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 500,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    #[test]
    fn the_changes_lead_to_what_the_plan_says(mut scenario in scenario()) {
        let plan = scenario.plan();
        let mut observed = scenario.observed.records.iter();
        let stays = observed.any(|record| !is_touched(&plan, record, false));
        let before_ttl = scenario.observed.ttl;
        scenario.apply(&plan);
        prop_assert_eq!(scenario.observed.records.len(), plan.after.len());
        for record in &plan.after {
            prop_assert!(holds(&scenario.observed.records, record), "{}", record);
        }
        prop_assert_eq!(scenario.observed.ttl, plan.after_ttl);
        for change in &plan.changes {
            if let ChangeKind::Create { ttl, .. } | ChangeKind::Update { ttl, .. } = change.kind {
                prop_assert_eq!(Some(ttl), plan.after_ttl);
            }
        }
        // A record that is not rewritten keeps its TTL, and a TTL belongs to the set.
        prop_assert!(!stays || plan.after_ttl == before_ttl);
    }

    #[test]
    fn planning_again_finds_nothing_more(mut scenario in scenario()) {
        scenario.allow_removals = None;
        let first = scenario.plan();
        scenario.apply(&first);
        let second = scenario.plan();
        prop_assert!(second.changes.is_empty(), "{} then {}", line(&first), line(&second));
        prop_assert_eq!(&second.after, &first.after);
        prop_assert_eq!(second.is_held(), first.is_held());
        prop_assert_eq!(second.short_of_hosts, first.short_of_hosts);
    }

    #[test]
    fn runs_come_to_rest(mut scenario in scenario()) {
        scenario.allow_removals = None;
        for _round in 0..8 {
            let plan = scenario.plan();
            if !plan.is_pending() {
                return Ok(());
            }
            scenario.apply(&plan);
            for removal in scenario.memory.removals.values_mut().flatten() {
                removal.at -= SignedDuration::from_hours(2);
            }
        }
        prop_assert!(!scenario.plan().is_pending(), "{}", scenario.line());
    }

    #[test]
    fn removals_never_lead_below_min_hosts(scenario in scenario()) {
        let plan = scenario.plan();
        let before = scenario.serving(&scenario.observed.records);
        let after = scenario.serving(&plan.after);
        let min_hosts = usize::try_from(scenario.policy.min_hosts).unwrap();
        if scenario.expect == Expect::Hosts {
            prop_assert!(after >= before.min(min_hosts), "{} to {}", before, after);
            prop_assert!(plan.removed.is_empty() || after >= min_hosts, "{}", line(&plan));
            prop_assert!(after >= min_hosts || plan.short_of_hosts.is_some(), "{}", line(&plan));
        } else {
            prop_assert!(plan.short_of_hosts.is_none());
        }
    }

    #[test]
    fn only_an_override_passes_a_guard(scenario in scenario()) {
        let plan = scenario.plan();
        let is_forced = |name: &&Name| verdict_of(&scenario, name).forced.is_some();
        let forced = plan.removed.iter().filter(is_forced).count();
        let limit = match scenario.allow_removals {
            Some(allowed) => usize::try_from(allowed).unwrap(),
            None => {
                let removals = scenario.memory.removals(&zone_name());
                let made = removals.iter().filter(|removal| removal.at > ago(300)).count();
                usize::try_from(scenario.policy.max_removals).unwrap().saturating_sub(made)
            }
        };
        prop_assert!(plan.removed.len() - forced <= limit, "{}: {}", limit, line(&plan));
        if scenario.verdicts.canary == Canary::Silent {
            prop_assert_eq!(plan.removed.len(), forced);
        }
        if scenario.policy.changes != Changes::Sync {
            prop_assert!(plan.removed.is_empty());
        }
    }

    #[test]
    fn the_change_policy_is_obeyed(scenario in scenario()) {
        let plan = scenario.plan();
        for change in &plan.changes {
            let allowed = match change.kind {
                ChangeKind::Create { .. } => true,
                ChangeKind::Update { .. } => scenario.policy.changes != Changes::CreateOnly,
                ChangeKind::Delete { .. } => scenario.policy.changes == Changes::Sync,
            };
            prop_assert!(allowed, "{}", line(&plan));
        }
    }

    #[test]
    fn reported_foreign_records_are_left_alone(mut scenario in scenario()) {
        scenario.policy.foreign = Foreign::Report;
        let plan = scenario.plan();
        for foreign in &plan.foreign {
            prop_assert!(holds(&plan.after, &foreign.record));
            let touching = plan.changes.iter().filter(|change| {
                change.before().is_some_and(|before| before.same_spelling(&foreign.record))
            });
            for change in touching {
                let after = change.after().expect("it stays");
                prop_assert!(after.same_spelling(&foreign.record));
                prop_assert_eq!(change.reason.code, ReasonCode::TtlDrift);
            }
        }
        let mut codes = plan.changes.iter().map(|change| change.reason.code);
        prop_assert!(codes.all(|code| code != ReasonCode::ForeignRecord));
    }

    #[test]
    fn nothing_is_withheld_in_silence(scenario in scenario()) {
        let plan = scenario.plan();
        for held in &plan.held {
            prop_assert!(held.text.contains("way out: "), "{}", held.text);
            match held.change.before() {
                Some(before) => prop_assert!(holds(&plan.after, before), "{}", line(&plan)),
                None => prop_assert_eq!(held.guard, Guard::Contested),
            }
            let withdraws = held.change.after().is_none();
            prop_assert!(held.guard.leaves_alone() || withdraws, "{}", line(&plan));
        }
        let held = plan.held.iter().map(|held| &held.change);
        for change in plan.changes.iter().chain(held.clone()) {
            prop_assert!(!change.reason.text.is_empty());
        }
        for (host, verdict) in members(&scenario) {
            let must_go = host.role == Role::Retired
                || scenario.expect == Expect::Empty
                || verdict.state == State::Down;
            let own = |record: &&Srv| record.target == *host.name();
            for record in scenario.observed.records.iter().filter(own) {
                let deleted = plan.changes.iter().chain(held.clone()).any(|change| {
                    change.after().is_none()
                        && change.before().is_some_and(|before| before.same_spelling(record))
                });
                prop_assert!(deleted || !must_go, "{}: {}", record, line(&plan));
            }
            // Unknown is not down.
            prop_assert!(
                must_go || host.role == Role::Standby || !plan.removed.contains(host.name()),
                "{}: {}", host.name(), line(&plan)
            );
        }
    }

    #[test]
    fn only_hosts_that_are_up_are_added(scenario in scenario()) {
        let plan = scenario.plan();
        for change in &plan.changes {
            if let ChangeKind::Create { after, .. } = &change.kind {
                prop_assert_eq!(verdict_of(&scenario, &after.target).state, State::Up);
                prop_assert!(!plan.removed.contains(&after.target));
            }
        }
    }

    #[test]
    fn every_record_is_unchanged_or_named(scenario in scenario()) {
        let plan = scenario.plan();
        let named = scenario.observed.records.iter().filter(|record| {
            is_touched(&plan, record, true)
                || plan.foreign.iter().any(|foreign| foreign.record.same_spelling(record))
        });
        let total = scenario.observed.records.len();
        prop_assert_eq!(plan.unchanged + named.count(), total, "{}", line(&plan));
    }

    #[test]
    fn the_files_order_matters_to_standbys_only(
        (scenario, order) in scenario().prop_flat_map(|scenario| {
            let order: Vec<usize> = (0..scenario.hosts.len()).collect();
            (Just(scenario), Just(order).prop_shuffle())
        })
    ) {
        let mut scenario = scenario;
        for host in &mut scenario.hosts {
            if host.role == Role::Standby {
                host.role = Role::Active;
            }
        }
        prop_assert_eq!(reordered(&scenario, &order).plan(), scenario.plan());
    }

    #[test]
    fn the_digest_is_of_what_was_approved(
        scenario in scenario(),
        which in any::<prop::sample::Index>(),
    ) {
        let plan = whole(&scenario);
        let approved = digest(&plan);
        prop_assert!(approved.starts_with("sha256:") && approved.len() == 71);

        let mut later = plan.clone();
        later.created += SignedDuration::from_hours(1);
        let observed = &mut zone_plan(&mut later).observed;
        observed.serial += 1;
        prop_assert_eq!(&digest(&later), &approved);

        for (what, other) in altered(&plan, which) {
            prop_assert_ne!(digest(&other), &approved[..], "{}", what);
        }
    }
}
