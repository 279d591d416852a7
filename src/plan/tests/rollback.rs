//! Undoing recorded changes: tables, and what holds for every change there could be.

use proptest::prelude::*;

use super::properties::scenario;
use super::support::{Scenario, TTL, line, now, record};
use crate::model::{
    Change, ChangeId, Changes, Ended, Expect, Forced, HistoryEntry, Name, Observed, Outcome,
    OutcomeKind, OverrideState, ReasonCode, Srv,
};
use crate::plan::{Guard, Rollback, RollbackRefusal, ZonePlan, rollback};

const ID: ChangeId = ChangeId(17);

/// What the history says of a plan that was carried out.
fn recorded(plan: &ZonePlan, kind: OutcomeKind) -> HistoryEntry {
    HistoryEntry {
        id: ID,
        asked_at: now(),
        zone: plan.zone.clone(),
        owner: plan.owner.clone(),
        before: plan.observed.clone(),
        after: plan.after.clone(),
        after_ttl: plan.after_ttl,
        changes: plan.changes.clone(),
        digest: "sha256:00".to_owned(),
        actor: "timer".to_owned(),
        ended: Some(Ended {
            at: now(),
            outcome: Outcome {
                kind,
                text: "as the test says".to_owned(),
                rcode: None,
                serial: None,
            },
        }),
    }
}

impl Scenario {
    /// Applies what is planned, and returns what the history says of it.
    fn applied(&mut self) -> HistoryEntry {
        let plan = self.plan();
        self.apply(&plan);
        recorded(&plan, OutcomeKind::Applied)
    }

    fn rollback(&self, entry: &HistoryEntry) -> Result<Rollback, RollbackRefusal> {
        rollback(entry, &self.input(&self.zone()))
    }

    /// Plans, applies, and plans the way back.
    fn there_and_back(mut self) -> Rollback {
        let entry = self.applied();
        assert!(!entry.changes.is_empty());
        self.rollback(&entry).unwrap()
    }
}

fn short(name: &Name) -> String {
    name.to_string().replace(".corp.example.", "")
}

/// The plan, then the hosts to hold, then what will be lost, each with its sign.
fn told(rollback: &Rollback) -> String {
    let mut text = line(&rollback.plan);
    for hold in &rollback.holds {
        text.push_str(&format!(", hold {} {}", short(&hold.host), hold.state));
    }
    for lost in &rollback.lost {
        text.push_str(&format!(", lost to {}", lost.reason.code));
    }
    text
}

#[test]
fn each_kind_of_change_is_undone() {
    let cases = [
        (
            Scenario::new("kms1 up in; kms2 down in"),
            "+ kms2 rollback, unchanged 1, hold kms2 up",
        ),
        (
            Scenario::new("kms1 up in; kms2 up"),
            "- kms2 rollback, unchanged 1, hold kms2 down",
        ),
        (
            Scenario::new("kms1 up; kms2 down in; kms3 up in"),
            "- kms1 rollback, + kms2 rollback, unchanged 1, hold kms1 down, hold kms2 up",
        ),
        (
            Scenario::new("s1 standby up; kms1 down in; kms2 up in").standby_below(2),
            "+ kms1 rollback, - s1 rollback, unchanged 1, hold kms1 up, hold s1 down",
        ),
        // What the configuration wants otherwise does not last.
        (
            Scenario::new("kms1 up").records("9 0 1688 kms1"),
            "~ kms1 rollback, lost to data-drift",
        ),
        (
            Scenario::new("kms1 up in; kms2 up in").ttl(60),
            "~ kms1 rollback, ~ kms2 rollback, lost to ttl-drift, lost to ttl-drift",
        ),
        (
            Scenario::new("kms1 up in").records("9 0 1688 kms1"),
            "+ kms1 rollback, unchanged 1, lost to duplicate",
        ),
        (
            Scenario::new("kms1 up in; old retired in"),
            "+ old rollback, unchanged 1, lost to host-retired",
        ),
        (
            Scenario::new("kms1 up in")
                .records("rogue")
                .remove_foreign(),
            "+ rogue rollback, unchanged 1, lost to foreign-record",
        ),
        (
            Scenario::new("kms1 up in").expect_empty(),
            "+ kms1 rollback, hold kms1 up, lost to expect-empty",
        ),
    ];
    for (scenario, expected) in cases {
        let name = scenario.line();
        assert_eq!(told(&scenario.there_and_back()), expected, "{name}");
    }
}

#[test]
fn a_reason_names_the_change_and_why_it_was_made() {
    let back = Scenario::new("kms1 up in; kms2 down in").there_and_back();
    assert_eq!(
        back.plan.changes[0].reason.text,
        "undoes change 17 (host-down)"
    );
}

#[test]
fn the_ttl_of_before_is_restored() {
    let back = Scenario::new("kms1 up in; kms2 up in")
        .ttl(60)
        .there_and_back();
    assert_eq!(back.plan.observed.ttl, Some(TTL));
    assert_eq!(back.plan.after_ttl, Some(60));

    // Of different TTLs the lowest is known.
    let mixed = Scenario::new("kms1 up in; kms2 up in").ttl(60).mixed_ttl();
    assert_eq!(mixed.there_and_back().plan.after_ttl, Some(60));

    // A new set gets the TTL that the old one had.
    let back = Scenario::new("kms1 up in").ttl(60).expect_empty();
    let back = back.there_and_back();
    assert_eq!(back.plan.after_ttl, Some(60));
    assert_eq!(back.plan.changes[0].after_ttl(), Some(60));
}

#[test]
fn a_set_that_did_not_exist_goes_as_a_whole() {
    let back = Scenario::new("kms1 up; kms2 up")
        .min_hosts(0)
        .there_and_back();
    assert_eq!(
        told(&back),
        "- kms1 rollback, - kms2 rollback, hold kms1 down, hold kms2 down"
    );
    assert_eq!((back.plan.after_ttl, back.plan.after.len()), (None, 0));
}

#[test]
fn min_hosts_holds_all_or_nothing() {
    let cases = [
        (
            Scenario::new("kms1 up; kms2 up"),
            "held(min-hosts) - kms1 rollback, held(min-hosts) - kms2 rollback, unchanged 2",
        ),
        // kms2 comes back, but is down: with kms1 gone nobody would serve.
        (
            Scenario::new("kms1 up; kms2 down in"),
            "held(min-hosts) - kms1 rollback, held(min-hosts) + kms2 rollback, unchanged 1",
        ),
        // Unknown is not down.
        (
            Scenario::new("kms1 up; kms2 unknown in"),
            "- kms1 rollback, unchanged 1, hold kms1 down",
        ),
        (
            Scenario::new("kms1 up; kms2 unknown in").min_hosts(2),
            "held(min-hosts) - kms1 rollback, unchanged 2",
        ),
        // A retired host is nobody to rely on.
        (
            Scenario::new("kms1 up; old retired in"),
            "held(min-hosts) - kms1 rollback, held(min-hosts) + old rollback, unchanged 1",
        ),
    ];
    for (scenario, expected) in cases {
        let name = scenario.line();
        let back = scenario.there_and_back();
        assert_eq!(told(&back), expected, "{name}");
        for held in &back.plan.held {
            assert_eq!(held.guard, Guard::MinHosts);
            assert!(held.text.contains("min_hosts"), "{}", held.text);
        }
    }
}

#[test]
fn a_rollback_that_only_adds_goes_ahead_and_tells_who_is_missing() {
    let mut scenario = Scenario::new("kms1 up in; kms2 down in");
    let entry = scenario.applied();
    // kms1 goes down too: two records are no worse than one.
    scenario.verdicts.hosts[0] = scenario.verdicts.hosts[1].clone();
    let back = scenario.rollback(&entry).unwrap();
    assert_eq!(line(&back.plan), "+ kms2 rollback, unchanged 1, short");
}

#[test]
fn the_change_policy_holds_all_or_nothing() {
    for (allowed, scenario, goes) in [
        (
            Changes::CreateOnly,
            Scenario::new("kms1 up in; kms2 down in"),
            true,
        ),
        (
            Changes::UpsertOnly,
            Scenario::new("kms1 up in").ttl(60),
            true,
        ),
        (
            Changes::CreateOnly,
            Scenario::new("kms1 up in").ttl(60),
            false,
        ),
        (
            Changes::UpsertOnly,
            Scenario::new("kms1 up in; kms2 up"),
            false,
        ),
        (
            Changes::UpsertOnly,
            Scenario::new("kms1 up; kms2 down in; kms3 up in"),
            false,
        ),
    ] {
        let mut scenario = scenario;
        let entry = scenario.applied();
        let scenario = scenario.changes(allowed);
        let plan = scenario.rollback(&entry).unwrap().plan;
        assert_eq!(plan.is_pending(), goes, "{}", line(&plan));
        assert_eq!(plan.held.is_empty(), goes, "{}", line(&plan));
        assert!(plan.held.iter().all(|held| held.guard == Guard::Policy));
    }
}

#[test]
fn only_what_was_applied_is_undone() {
    let mut scenario = Scenario::new("kms1 up in; kms2 up");
    let applied = scenario.applied();
    for kind in OutcomeKind::ALL {
        let mut entry = applied.clone();
        entry.ended.as_mut().unwrap().outcome.kind = kind;
        let result = scenario.rollback(&entry);
        match kind {
            OutcomeKind::Applied | OutcomeKind::Unknown => {
                assert_eq!(line(&result.unwrap().plan), "- kms2 rollback, unchanged 1");
            }
            OutcomeKind::Refused | OutcomeKind::Stale | OutcomeKind::Failed => {
                let refusal = RollbackRefusal::NotApplied {
                    id: ID,
                    outcome: kind,
                };
                assert_eq!(result, Err(refusal));
            }
        }
    }
    let open = HistoryEntry {
        ended: None,
        ..applied
    };
    assert_eq!(
        scenario.rollback(&open),
        Err(RollbackRefusal::Open { id: ID })
    );
}

#[test]
fn what_somebody_changed_meanwhile_stays() {
    let mut scenario = Scenario::new("kms1 up in; kms2 up");
    let entry = scenario.applied();
    let as_left = scenario.observed.clone();
    let spelled_otherwise = Observed {
        records: vec![record("KMS1"), record("kms2")],
        serial: 99,
        ..as_left.clone()
    };
    for (observed, matches) in [
        (spelled_otherwise, true),
        (
            Observed {
                ttl: Some(60),
                ..as_left.clone()
            },
            false,
        ),
        (
            Observed {
                mixed_ttl: true,
                ..as_left.clone()
            },
            false,
        ),
        (
            Observed {
                ttl: None,
                records: Vec::new(),
                ..as_left.clone()
            },
            false,
        ),
        (
            Observed {
                records: vec![record("kms1")],
                ..as_left.clone()
            },
            false,
        ),
        (
            Observed {
                records: vec![record("kms1"), record("kms2"), record("rogue")],
                ..as_left
            },
            false,
        ),
    ] {
        scenario.observed = observed;
        let result = scenario.rollback(&entry);
        let changed = matches!(result, Err(RollbackRefusal::Changed { .. }));
        assert_eq!(changed, !matches, "{result:?}");
        if let Err(refusal) = result {
            let text = refusal.to_string();
            assert!(
                text.contains("then: 0 0 1688 kms1.corp.example., "),
                "{text}"
            );
            assert!(text.contains("; now: "), "{text}");
        }
    }
}

#[test]
fn a_host_of_another_zone_is_not_held() {
    let mut scenario = Scenario::new("kms1 up in; kms2 up elsewhere");
    let before = scenario.plan();
    scenario.observed.records.push(record("kms2"));
    scenario.settle();
    let entry = HistoryEntry {
        after: scenario.observed.records.clone(),
        after_ttl: Some(TTL),
        ..recorded(&before, OutcomeKind::Applied)
    };
    let back = scenario.rollback(&entry).unwrap();
    assert_eq!(told(&back), "- kms2 rollback, unchanged 1");
    assert_eq!(back.plan.changes[0].reason.text, "undoes change 17");
}

/// A scenario after its plan was applied, what the history says, and the RRset of before.
fn applied() -> impl Strategy<Value = (Scenario, HistoryEntry, Observed)> {
    scenario().prop_map(|mut scenario| {
        let before = scenario.observed.clone();
        let entry = scenario.applied();
        // A server that mixes TTLs would show as a failed outcome.
        scenario.observed.mixed_ttl = false;
        (scenario, entry, before)
    })
}

fn published(records: &[Srv], host: &Name) -> bool {
    records.iter().any(|record| record.target == *host)
}

proptest! {
    #[test]
    fn there_and_back_and_there_again((scenario, entry, before) in applied()) {
        let mut scenario = scenario.min_hosts(0).changes(Changes::Sync);
        let after = scenario.observed.clone();

        let back = scenario.rollback(&entry).unwrap().plan;
        prop_assert!(back.held.is_empty());
        scenario.apply(&back);
        prop_assert_eq!(&scenario.observed.records, &before.records);
        prop_assert_eq!(scenario.observed.ttl, before.ttl);
        prop_assert_eq!(&back.after, &before.records);
        prop_assert_eq!(back.after_ttl, before.ttl);

        let entry = recorded(&back, OutcomeKind::Applied);
        let again = scenario.rollback(&entry).unwrap().plan;
        scenario.apply(&again);
        prop_assert_eq!(&scenario.observed.records, &after.records);
        prop_assert_eq!(scenario.observed.ttl, after.ttl);
    }

    #[test]
    fn it_is_whole_or_held((scenario, entry, before) in applied()) {
        let back = scenario.rollback(&entry).unwrap();
        let plan = &back.plan;
        if plan.held.is_empty() {
            prop_assert_eq!(&plan.after, &before.records);
        } else {
            prop_assert!(!plan.is_pending() && back.holds.is_empty());
            prop_assert_eq!(&plan.after, &scenario.observed.records);
            prop_assert_eq!(plan.after_ttl, scenario.observed.ttl);
        }
        for change in plan.changes.iter().chain(plan.held.iter().map(|held| &held.change)) {
            prop_assert_eq!(change.reason.code, ReasonCode::Rollback);
        }
    }

    #[test]
    fn no_host_leaves_while_too_few_would_remain((scenario, entry, _before) in applied()) {
        let back = scenario.rollback(&entry).unwrap();
        if scenario.expect == Expect::Hosts && !back.plan.removed.is_empty() {
            let wanted = usize::try_from(scenario.policy.min_hosts).unwrap();
            prop_assert!(scenario.serving(&back.plan.after) >= wanted);
        }
    }

    /// The next run moves no host back, unless the zone is declared empty.
    #[test]
    fn what_is_held_stays((scenario, entry, _before) in applied()) {
        let back = scenario.rollback(&entry).unwrap();
        let mut next = scenario.clone();
        next.apply(&back.plan);
        for hold in &back.holds {
            let index = next.hosts.iter().position(|host| *host.name() == hold.host).unwrap();
            let verdict = &mut next.verdicts.hosts[index];
            verdict.state = hold.state.into();
            verdict.forced = Some(Forced { until: now() });
        }
        let plan = next.plan();
        for hold in &back.holds {
            let is = published(&next.observed.records, &hold.host);
            prop_assert_eq!(is, hold.state == OverrideState::Up);
            let decided = next.expect == Expect::Empty;
            let moved = published(&plan.after, &hold.host) != is;
            prop_assert!(!moved || decided, "{}: {}", hold.host, line(&plan));
            let lost = back.lost.iter().any(|change| moves(change, &hold.host));
            prop_assert!(!moved || lost, "{}: {}", hold.host, line(&plan));
        }
    }
}

fn moves(change: &Change, host: &Name) -> bool {
    let publishes = |record: Option<&Srv>| record.is_some_and(|record| record.target == *host);
    publishes(change.before()) != publishes(change.after())
}
