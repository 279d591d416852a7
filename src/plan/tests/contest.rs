//! Fights with other writers, run after run.

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::support::{INTERVAL, Scenario, assert_table, line, now, record, target};
use crate::model::{Changes, ContestKind, Srv, State};
use crate::plan::{Guard, PlanInput, ZonePlan, contests_after};

use ContestKind::{Returns, Rewrites, Vanishes};

const DAY: i64 = 86_400;

fn interval() -> i64 {
    i64::try_from(INTERVAL.as_secs()).unwrap()
}

/// A zone over time, its limits out of the way.
struct Fight {
    scenario: Scenario,
    now: Timestamp,
}

impl Fight {
    fn new(scenario: Scenario) -> Self {
        let scenario = scenario.max_removals(1000).freeze_percent(100);
        let now = now();
        Self { scenario, now }
    }

    fn pass(&mut self, seconds: i64) -> &mut Self {
        self.now += SignedDuration::from_secs(seconds);
        self
    }

    /// Plans and applies, as a run does that may write.
    fn run(&mut self) -> String {
        let plan = self.plan();
        self.note(&plan, plan.is_pending());
        self.scenario.apply(&plan);
        line(&plan)
    }

    /// Lets an interval pass, then [`Fight::run`].
    fn next(&mut self) -> String {
        self.pass(interval()).run()
    }

    fn plan(&self) -> ZonePlan {
        self.scenario.plan_at(self.now)
    }

    fn note(&mut self, plan: &ZonePlan, applied: bool) {
        let zone = self.scenario.zone();
        let input = PlanInput {
            now: self.now,
            ..self.scenario.input(&zone)
        };
        let rows = contests_after(&input, plan, applied);
        if let Some(rows) = rows {
            self.scenario.memory.contests.insert(zone.owner, rows);
        }
    }

    /// Another writer adds this record, where it is missing.
    fn add(&mut self, text: &str) -> &mut Self {
        let added = record(text);
        let records = &mut self.scenario.observed.records;
        if !records.iter().any(|present| present.same_spelling(&added)) {
            records.push(added);
        }
        self.scenario.settle();
        self
    }

    /// Another writer deletes a target's records.
    fn delete(&mut self, short: &str) -> &mut Self {
        let gone = |record: &Srv| record.target == target(short);
        self.scenario
            .observed
            .records
            .retain(|record| !gone(record));
        self.scenario.settle();
        self
    }

    fn verdict(&mut self, host: usize, state: State) -> &mut Self {
        self.scenario.verdicts.hosts[host].state = state;
        self
    }

    fn rows(&self) -> usize {
        self.scenario.memory.contests.values().map(Vec::len).sum()
    }
}

#[test]
fn a_record_that_came_back_twice_is_left_alone() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 down in"));
    let removed = "- kms2 host-down, unchanged 1";
    assert_eq!(fight.run(), removed);
    assert_eq!(fight.next(), "unchanged 1");
    assert_eq!(fight.add("kms2").next(), removed);
    let held = "held(contested) - kms2 host-down, unchanged 1";
    assert_eq!(fight.add("kms2").next(), held);
    assert_eq!(fight.next(), held);
    let plan = fight.plan();
    assert!(!plan.is_pending() && !plan.is_held());
    assert_eq!(plan.contested(), 1);
    let text = &plan.held[0].text;
    for part in [
        "2 times",
        "slmgr /cdns",
        "srvkeeper host clear kms2.corp.example.",
    ] {
        assert!(text.contains(part), "{text}");
    }
}

#[test]
fn an_addition_that_was_deleted_twice_is_made_no_more() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 up"));
    let added = "+ kms2 host-up, unchanged 1";
    assert_eq!(fight.run(), added);
    assert_eq!(fight.next(), "unchanged 2");
    assert_eq!(fight.delete("kms2").next(), added);
    let held = "held(contested) + kms2 host-up, unchanged 1";
    assert_eq!(fight.delete("kms2").next(), held);
    assert_eq!(fight.next(), held);
    assert!(!fight.plan().is_held());
}

#[test]
fn what_our_own_configuration_changes_again_and_again_is_no_contest() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 up in"));
    for weight in [10, 5, 1, 20, 0] {
        fight.pass(DAY).scenario.weigh("kms1", weight);
        assert_eq!(fight.run(), "~ kms1 data-drift, unchanged 1", "{weight}");
        assert_eq!(fight.next(), "unchanged 2");
    }
}

#[test]
fn a_host_that_keeps_publishing_other_data_is_left_alone() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 up in"));
    let (second, other) = ("9 0 1688 kms1", "0 0 1700 kms1");
    let removed = "- kms1 duplicate, unchanged 2";
    assert_eq!(fight.add(second).run(), removed);
    // Each day, with quiet runs between.
    assert_eq!(fight.next(), "unchanged 2");
    assert_eq!(fight.pass(DAY).add(second).run(), removed);
    assert_eq!(fight.next(), "unchanged 2");
    let held = "held(contested) - kms1 duplicate, unchanged 2";
    assert_eq!(fight.pass(DAY).add(second).run(), held);
    fight.delete("kms1").add(other);
    assert_eq!(
        fight.run(),
        "held(contested) ~ kms1 data-drift, unchanged 1"
    );
    // That it listens elsewhere does not keep it published once it is down.
    fight.verdict(0, State::Down);
    assert_eq!(fight.next(), "- kms1 host-down, unchanged 1");
}

#[test]
fn a_foreign_record_that_came_back_twice_is_left_alone() {
    let mut fight = Fight::new(Scenario::new("kms1 up in").remove_foreign());
    let removed = "- rogue foreign-record, foreign rogue, unchanged 1";
    assert_eq!(fight.add("rogue").run(), removed);
    assert_eq!(fight.add("rogue").next(), removed);
    let held = "held(contested) - rogue foreign-record, foreign rogue, unchanged 1";
    assert_eq!(fight.add("rogue").next(), held);
    // Others are not concerned.
    assert!(fight.add("spy").next().contains("- spy foreign-record"));
}

#[test]
fn a_host_that_reboots_and_registers_is_no_zombie() {
    for shared in [false, true] {
        let scenario = Scenario::new("kms1 up in; kms2 up in");
        let mut fight = Fight::new(if shared { scenario.shared() } else { scenario });
        for _crash in 0..6 {
            assert_eq!(
                fight.verdict(1, State::Down).next(),
                "- kms2 host-down, unchanged 1"
            );
            assert_eq!(fight.next(), "unchanged 1");
            fight.verdict(1, State::Up).add("kms2");
            assert_eq!(fight.next(), "unchanged 2");
        }
    }
}

#[test]
fn a_host_that_we_publish_again_begins_afresh() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 up in"));
    for _crash in 0..6 {
        assert_eq!(
            fight.verdict(1, State::Down).next(),
            "- kms2 host-down, unchanged 1"
        );
        assert_eq!(
            fight.verdict(1, State::Up).next(),
            "+ kms2 host-up, unchanged 1"
        );
    }
}

#[test]
fn a_host_that_takes_its_record_along_when_it_goes_down_is_not_missed() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 up"));
    for _shutdown in 0..6 {
        assert_eq!(
            fight.verdict(1, State::Up).next(),
            "+ kms2 host-up, unchanged 1"
        );
        fight.verdict(1, State::Down).delete("kms2");
        assert_eq!(fight.next(), "unchanged 1");
    }
}

#[test]
fn a_run_seconds_after_ours_counts_nothing() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 down in"));
    let removed = "- kms2 host-down, unchanged 1";
    assert_eq!(fight.run(), removed);
    for _run in 0..5 {
        assert_eq!(fight.pass(5).add("kms2").run(), removed);
    }
    // Half an interval after the first, whatever came since.
    assert_eq!(fight.pass(interval() / 2 - 25).add("kms2").run(), removed);
    assert_eq!(fight.pass(5).add("kms2").run(), removed);
    let held = "held(contested) - kms2 host-down, unchanged 1";
    assert_eq!(fight.pass(interval() / 2).add("kms2").run(), held);
}

#[test]
fn an_unknown_host_ends_no_contest() {
    for state in [State::Unknown, State::Suspect] {
        let scenario = Scenario::new("kms1 up in; kms2 down in").contest("kms2", Returns, 2);
        let mut fight = Fight::new(scenario);
        assert_eq!(fight.verdict(1, state).next(), "unchanged 2");
        fight.verdict(1, State::Down);
        assert_eq!(
            fight.next(),
            "held(contested) - kms2 host-down, unchanged 1"
        );
        fight.verdict(1, State::Up);
        assert_eq!(fight.next(), "unchanged 2");
        fight.verdict(1, State::Down);
        assert_eq!(fight.next(), "- kms2 host-down, unchanged 1");
    }
}

#[test]
fn seven_quiet_days_begin_anew() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 down in"));
    let removed = "- kms2 host-down, unchanged 1";
    let held = "held(contested) - kms2 host-down, unchanged 1";
    for expected in [removed, removed, held, held] {
        assert_eq!(fight.add("kms2").next(), expected);
    }
    // The newest event was an interval ago.
    assert_eq!(fight.pass(7 * DAY - interval()).run(), held);
    assert_eq!(fight.pass(1).run(), removed);
    fight.pass(7 * DAY + 1).run();
    assert_eq!(fight.rows(), 0, "what is forgotten is not kept");
}

#[test]
fn an_update_that_was_not_applied_contests_nothing() {
    let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 down in"));
    for _run in 0..5 {
        let plan = fight.pass(interval()).plan();
        assert_eq!(line(&plan), "- kms2 host-down, unchanged 1");
        fight.note(&plan, false);
    }
    assert_eq!(fight.rows(), 0);
}

#[test]
fn nothing_new_is_nothing_to_store() {
    let mut fight =
        Fight::new(Scenario::new("kms1 up in; kms2 down in").contest("kms2", Returns, 2));
    for _run in 0..3 {
        let plan = fight.pass(interval()).plan();
        let zone = fight.scenario.zone();
        let input = PlanInput {
            now: fight.now,
            ..fight.scenario.input(&zone)
        };
        assert_eq!(contests_after(&input, &plan, false), None);
    }
}

#[test]
fn what_is_contested_is_held_and_the_rest_goes_on() {
    let contested = |hosts, target, kind, count| Scenario::new(hosts).contest(target, kind, count);
    assert_table(&[
        (
            contested("kms1 up in; kms2 down in", "kms2", Returns, 1),
            "- kms2 host-down, unchanged 1",
        ),
        (
            contested("kms1 up in; kms2 down in", "KMS2", Returns, 2),
            "held(contested) - kms2 host-down, unchanged 1",
        ),
        // A word of an operator passes.
        (
            contested("kms1 up in; kms2 down forced in", "kms2", Returns, 9),
            "- kms2 host-forced, unchanged 1",
        ),
        (
            contested("kms1 up in; kms2 up forced", "kms2", Vanishes, 9),
            "+ kms2 host-forced, unchanged 1",
        ),
        // It uses up no removal of the others.
        (
            contested(
                "kms1 up in; kms2 down in since=9m; kms3 down in; kms4 up in",
                "kms2",
                Returns,
                2,
            ),
            "- kms3 host-down, held(contested) - kms2 host-down, unchanged 2",
        ),
        // What one kind of fight says, another does not ask.
        (
            contested("kms1 up in; kms2 down in", "kms2", Vanishes, 2),
            "- kms2 host-down, unchanged 1",
        ),
        (
            contested("kms1 up in; kms2 retired in", "kms2", Returns, 2),
            "held(contested) - kms2 host-retired, unchanged 1",
        ),
        (
            contested("kms1 up in", "kms1", Returns, 2).expect_empty(),
            "held(contested) - kms1 expect-empty",
        ),
        // The change policy is named first.
        (
            contested("kms1 up in; kms2 down in", "kms2", Returns, 2).changes(Changes::UpsertOnly),
            "held(policy) - kms2 host-down, unchanged 1",
        ),
        // The next standby serves in the place of one whose record is deleted each time.
        (
            contested(
                "kms1 down in; s1 standby up; s2 standby up",
                "s1",
                Vanishes,
                2,
            )
            .freeze_percent(100),
            "- kms1 host-down, + s2 standby-needed, held(contested) + s1 standby-needed",
        ),
        // So it does for an active host, as far as min_hosts needs one.
        (
            contested("kms1 up; s1 standby up", "kms1", Vanishes, 2),
            "+ s1 standby-needed, held(contested) + kms1 host-up",
        ),
        (
            contested("kms1 up", "kms1", Vanishes, 2),
            "held(contested) + kms1 host-up, short",
        ),
    ]);
}

#[test]
fn a_contested_record_counts_as_what_it_is() {
    // It stays, and it is down: the last host that is up may not go.
    let scenario = Scenario::new("kms1 up forced in; kms2 down in")
        .contest("kms2", Returns, 2)
        .min_hosts(2);
    assert_eq!(
        scenario.line(),
        "held(contested) - kms2 host-down, unchanged 1, short"
    );
    let drifted = Scenario::new("kms1 up").records("9 0 1688 kms1");
    let plan = drifted.contest("kms1", Rewrites, 2).plan();
    assert_eq!(plan.held[0].guard, Guard::Contested);
    assert!(plan.held[0].text.contains("publisher = \"shared\""));
    assert!(plan.short_of_hosts.is_none());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 300,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The record comes back before every run; runs at least half an interval apart.
    #[test]
    fn at_most_two_removals_of_what_keeps_coming_back(
        gaps in prop::collection::vec(interval() / 2..DAY, 1..40),
        wanted in prop::collection::vec(prop::bool::weighted(0.1), 40),
    ) {
        let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 down in"));
        let mut removals = 0;
        let mut quiet = 0;
        for (gap, wanted) in gaps.into_iter().zip(wanted) {
            let state = if wanted { State::Up } else { State::Down };
            let text = fight.verdict(1, state).pass(gap).add("kms2").run();
            quiet += gap;
            if wanted || quiet > 7 * DAY {
                removals = 0;
            }
            if text.starts_with("- ") || wanted {
                quiet = 0;
            }
            removals += i32::from(text.starts_with("- "));
            prop_assert!(removals <= 2, "{}", text);
        }
    }

    /// However fast runs follow each other, all of it is over within one interval of runs.
    #[test]
    fn runs_in_quick_succession_do_not_fight_for_ever(
        gaps in prop::collection::vec(1..interval() / 2, 1..400),
    ) {
        let mut fight = Fight::new(Scenario::new("kms1 up in").remove_foreign());
        let first = fight.now;
        for gap in gaps {
            let text = fight.pass(gap).add("rogue").run();
            let since = fight.now.duration_since(first).as_secs();
            prop_assert!(text.starts_with("held(contested)") || since < 5 * interval() / 2, "{}", since);
        }
    }

    /// The same for what somebody keeps deleting.
    #[test]
    fn at_most_two_additions_of_what_keeps_going(
        gaps in prop::collection::vec(interval() / 2..DAY, 1..40),
    ) {
        let mut fight = Fight::new(Scenario::new("kms1 up in; kms2 up"));
        let mut additions = 0;
        let mut quiet = 0;
        for gap in gaps {
            let text = fight.pass(gap).delete("kms2").run();
            quiet += gap;
            if quiet > 7 * DAY {
                additions = 0;
            }
            if text.starts_with("+ ") {
                quiet = 0;
                additions += 1;
            }
            prop_assert!(additions <= 2, "{}", text);
        }
    }
}
