//! The guards, as the decision words them.

use std::time::Duration;

use jiff::SignedDuration;

use super::support::{Scenario, ago, assert_table, line, now};
use crate::model::{Canary, Changes, ContestKind, ReasonCode, State};
use crate::plan::Guard;

/// `failing` hosts in the given words, `kms01` first, then `well` that are up; all published.
fn fleet(failing: usize, words: &str, well: usize) -> String {
    let hosts = (1..=failing + well).map(|number| {
        let words = if number <= failing { words } else { "up" };
        format!("kms{number:02} {words} in")
    });
    hosts.collect::<Vec<_>>().join("; ")
}

/// The same part for `kms01` to `kmsNN`, joined.
fn each(count: usize, part: &str) -> String {
    let parts = (1..=count).map(|number| part.replace('#', &format!("kms{number:02}")));
    parts.collect::<Vec<_>>().join(", ")
}

#[test]
fn the_last_is_never_removed() {
    for size in [1, 2, 3, 10] {
        let scenario = Scenario::new(&fleet(size, "down", 0));
        let expected = each(size, "held(min-hosts) - # host-down");
        assert_eq!(
            scenario.line(),
            format!("{expected}, short"),
            "{size} hosts"
        );
        let lavish = scenario
            .max_removals(100)
            .allow_removals(100)
            .freeze_percent(100);
        assert_eq!(lavish.line(), format!("{expected}, short"), "{size} hosts");
    }
}

#[test]
fn an_override_or_retirement_does_not_remove_the_last_either() {
    for size in [1, 2, 3, 10] {
        let forced = Scenario::new(&fleet(size, "down forced", 0));
        let expected = each(size, "held(min-hosts) - # host-forced");
        assert_eq!(forced.line(), format!("{expected}, short"), "{size} hosts");
        let retired = Scenario::new(&fleet(size, "retired", 0));
        let expected = each(size, "held(min-hosts) - # host-retired");
        assert_eq!(retired.line(), format!("{expected}, short"), "{size} hosts");
    }
}

#[test]
fn one_that_is_down_is_removed_beside_others_that_are_up() {
    for size in [2, 3, 10] {
        let scenario = Scenario::new(&fleet(1, "down", size - 1));
        let expected = format!("- kms01 host-down, unchanged {}", size - 1);
        assert_eq!(scenario.line(), expected, "{size} hosts");
    }
}

#[test]
fn with_a_standby_dead_actives_are_covered_and_stay() {
    for size in [1, 2, 3, 10] {
        let hosts = format!("{}; s1 standby up", fleet(size, "down", 0));
        let held = each(size, "held(freeze-percent) - # host-down");
        let expected = format!("+ s1 standby-needed, {held}");
        assert_eq!(Scenario::new(&hosts).line(), expected, "{size} hosts");
        // The next run finds the standby published.
        let hosts = format!("{hosts} in");
        assert_eq!(
            Scenario::new(&hosts).line(),
            format!("{held}, unchanged 1"),
            "{size} hosts"
        );
    }
    for size in [2, 3, 10] {
        let hosts = format!("{}; s1 standby up", fleet(1, "down", size - 1));
        let expected = format!("- kms01 host-down, unchanged {}", size - 1);
        assert_eq!(Scenario::new(&hosts).line(), expected, "{size} hosts");
    }
}

#[test]
fn min_hosts_counts_those_that_are_not_down() {
    assert_table(&[
        (
            Scenario::new("kms1 down in; kms2 up in; kms3 up in").min_hosts(2),
            "- kms1 host-down, unchanged 2",
        ),
        (
            Scenario::new("kms1 down in; kms2 up in; kms3 up in").min_hosts(3),
            "held(min-hosts) - kms1 host-down, unchanged 2, short",
        ),
        // Suspect and unknown are not down.
        (
            Scenario::new("kms1 down in; kms2 suspect in; kms3 unknown in")
                .min_hosts(2)
                .freeze_percent(100),
            "- kms1 host-down, unchanged 2",
        ),
        // Added in the same update counts.
        (
            Scenario::new("kms1 down in; kms2 up"),
            "- kms1 host-down, + kms2 host-up",
        ),
        // Foreign records do not.
        (
            Scenario::new("kms1 down in").records("rogue"),
            "held(min-hosts) - kms1 host-down, foreign rogue, short",
        ),
        // Nor does a retired host, whose record must go and whom nobody probes.
        (
            Scenario::new("kms1 down forced in; old retired in"),
            "held(min-hosts) - kms1 host-forced, held(min-hosts) - old host-retired, short",
        ),
        // An idle standby that min_hosts needs is not idle.
        (
            Scenario::new("kms1 up in; s1 standby up in").min_hosts(2),
            "unchanged 2",
        ),
        (
            Scenario::new("kms1 down in; kms2 up in; s1 standby up").min_hosts(3),
            "+ s1 standby-needed, held(min-hosts) - kms1 host-down, unchanged 1, short",
        ),
    ]);
}

#[test]
fn a_short_zone_says_so_also_when_nothing_is_to_be_removed() {
    assert_table(&[
        (
            Scenario::new("kms1 up in").min_hosts(2),
            "unchanged 1, short",
        ),
        (
            Scenario::new("kms1 up in; kms2 up").min_hosts(2),
            "+ kms2 host-up, unchanged 1",
        ),
        (Scenario::new("").expect_empty(), ""),
        (Scenario::new("").min_hosts(0), ""),
    ]);
}

#[test]
fn more_than_freeze_percent_failing_holds_every_removal() {
    for (failing, words, well, frozen) in [
        (1, "down", 1, false),
        (2, "down", 1, true),
        (1, "down", 2, false),
        (2, "suspect", 1, true),
        (5, "down", 5, false),
        (6, "down", 4, true),
        (6, "suspect", 4, true),
        (10, "suspect", 0, true),
    ] {
        let hosts = format!("old retired in; {}", fleet(failing, words, well));
        let plan = Scenario::new(&hosts).plan();
        let held = plan
            .held
            .iter()
            .any(|held| held.guard == Guard::FreezePercent);
        assert_eq!(
            held,
            frozen,
            "{failing} {words}, {well} up: {}",
            line(&plan)
        );
        assert_eq!(plan.removed.is_empty(), frozen, "{}", line(&plan));
    }
    // Hosts seen up are still added.
    assert_eq!(
        Scenario::new("kms1 down in; kms2 down in; kms3 up").line(),
        "+ kms3 host-up, held(freeze-percent) - kms1 host-down, held(freeze-percent) - kms2 host-down"
    );
}

#[test]
fn the_freeze_names_its_numbers_and_the_way_out() {
    let plan = Scenario::new("kms1 down in; kms2 down in; kms3 up in").plan();
    assert_eq!(
        plan.held[0].text,
        "2 of 3 active hosts are down or suspect, more than freeze_percent = 50 %, so our own network \
         is suspect and nothing is removed; way out: `srvkeeper host down HOST` for each host that is really down"
    );
}

#[test]
fn some_hosts_say_nothing_about_our_own_network() {
    let removed = "- kms2 host-down, unchanged 1";
    let frozen = "held(freeze-percent) - kms2 host-down, unchanged 1";
    let beside = |other: &str| Scenario::new(&format!("{other}; kms2 down in; kms3 up in"));
    assert_table(&[
        // Never up and unpublished.
        (beside("kms1 down"), removed),
        (beside("kms1 suspect"), removed),
        // Withdrawn over an hour ago.
        (beside("kms1 down gone=20d seen=20d"), removed),
        (beside("kms1 down gone=61m seen=62m"), removed),
        (beside("kms1 down gone=60m seen=62m"), frozen),
        (beside("kms1 down gone=10m seen=11m"), frozen),
        // Withdrawn twice: the newest counts.
        (beside("kms1 down gone=20d gone=10m"), frozen),
        // Up since it was withdrawn, and failing again.
        (beside("kms1 suspect gone=20d seen=2m"), frozen),
        // Taken out by somebody else, long ago and just now.
        (beside("kms1 down seen=20d"), removed),
        (beside("kms1 down seen=10m"), frozen),
        // Standbys and retired hosts are not active.
        (beside("s1 standby down seen=1m"), removed),
        (beside("old retired down seen=1m"), removed),
        // A host in another zone.
        (beside("kms1 down seen=1m elsewhere"), removed),
    ]);
    // Published again it is one of the set, however often it left.
    assert_eq!(
        beside("kms1 down in gone=20d seen=20d").line(),
        "held(freeze-percent) - kms1 host-down, held(freeze-percent) - kms2 host-down, unchanged 1"
    );
    // Up again it counts on the good side, published or not.
    assert_eq!(
        Scenario::new("kms1 up gone=20d; kms2 down in").line(),
        "+ kms1 host-up, - kms2 host-down"
    );
    // An overridden host, either way.
    assert_eq!(
        beside("kms1 down forced in").max_removals(2).line(),
        "- kms1 host-forced, - kms2 host-down, unchanged 1"
    );
    assert_eq!(
        Scenario::new("kms1 up forced in; kms2 down in").line(),
        "held(freeze-percent) - kms2 host-down, unchanged 1"
    );
}

#[test]
fn overrides_pass_the_freeze_and_max_removals() {
    assert_table(&[
        (
            Scenario::new("kms1 down forced in; kms2 down in; kms3 suspect in; kms4 up in")
                .freeze_percent(0),
            "- kms1 host-forced, held(freeze-percent) - kms2 host-down, unchanged 2",
        ),
        (
            Scenario::new("kms1 down forced in; kms2 down forced in; kms3 up in").max_removals(0),
            "- kms1 host-forced, - kms2 host-forced, unchanged 1",
        ),
        (
            Scenario::new("kms1 down forced in; kms2 up in; kms3 up gone=1m seen=1m in"),
            "- kms1 host-forced, unchanged 2",
        ),
        (
            Scenario::new("kms1 down forced in; kms2 up in").canary(Canary::Silent),
            "- kms1 host-forced, unchanged 1",
        ),
    ]);
}

#[test]
fn a_silent_canary_holds_every_removal() {
    let silent = |hosts: &str| Scenario::new(hosts).canary(Canary::Silent);
    assert_table(&[
        (
            silent("kms1 down in; kms2 up in"),
            "held(canary) - kms1 host-down, unchanged 1",
        ),
        (
            silent("old retired in; kms2 up in"),
            "held(canary) - old host-retired, unchanged 1",
        ),
        (
            silent("kms1 up in; s1 standby up in"),
            "held(canary) - s1 standby-idle, unchanged 1",
        ),
        (
            silent("kms1 up in").expect_empty(),
            "held(canary) - kms1 expect-empty",
        ),
        (silent("kms1 up; kms2 up in"), "+ kms1 host-up, unchanged 1"),
        // No host is declared down meanwhile: what that holds back is told all the same.
        (
            silent("kms1 spared in; kms2 up in"),
            "held(canary) - kms1 host-down, unchanged 1",
        ),
        (silent("kms1 suspect in; kms2 up in"), "unchanged 2"),
        (silent("kms1 spared; kms2 up in"), "unchanged 1"),
        (
            silent("kms1 spared in; s1 standby up"),
            "held(canary) - kms1 host-down",
        ),
        (
            silent("kms1 spared in; kms2 up in").changes(Changes::UpsertOnly),
            "held(policy) - kms1 host-down, unchanged 1",
        ),
        // Which no canary would let go.
        (
            silent("kms1 spared in; kms2 up in").contest("kms1", ContestKind::Returns, 2),
            "held(contested) - kms1 host-down, unchanged 1",
        ),
        (
            Scenario::new("kms1 spared in; kms2 up in").canary(Canary::Answers),
            "unchanged 2",
        ),
        (
            silent("kms1 up in").records("rogue").remove_foreign(),
            "held(canary) - rogue foreign-record, foreign rogue, unchanged 1",
        ),
        (
            Scenario::new("kms1 down in; kms2 up in").canary(Canary::Answers),
            "- kms1 host-down, unchanged 1",
        ),
    ]);
}

#[test]
fn a_removal_waits_for_a_sample_of_every_other_probed_host() {
    let held = "held(await-samples) - kms1 host-down, unchanged 1";
    let removed = "- kms1 host-down, unchanged 1";
    let beside = |other: &str| Scenario::new(&format!("kms1 down in since=60s; {other}"));
    assert_table(&[
        (beside("kms2 up in"), removed),
        (beside("kms2 up in behind"), held),
        (beside("kms2 unknown in unprobed"), removed),
        // Every other host, be it published, active, or of this zone or not.
        (beside("kms2 up in; s1 standby up behind"), held),
        (beside("kms2 up in; kms3 up elsewhere behind"), held),
        (
            beside("kms2 up in; kms3 up forced in behind"),
            "held(await-samples) - kms1 host-down, unchanged 2",
        ),
        // Only those wait that leave because of failed samples.
        (
            Scenario::new("kms1 up in behind; s1 standby suspect in"),
            "- s1 standby-idle, unchanged 1",
        ),
        (
            Scenario::new("kms1 down forced in; kms2 up in behind"),
            "- kms1 host-forced, unchanged 1",
        ),
        (
            Scenario::new("old retired in; kms2 up in behind"),
            "- old host-retired, unchanged 1",
        ),
    ]);
    // A sample begun in the same instant was not begun after.
    let mut scenario = beside("kms2 up in");
    scenario.verdicts.hosts[1].newest_sample = Some(ago(60));
    assert_eq!(scenario.line(), held);
    scenario.verdicts.hosts[1].newest_sample = None;
    assert_eq!(scenario.line(), held);
    let text = &scenario.plan().held[0].text;
    assert!(
        text.starts_with("no sample of kms2.corp.example. was begun"),
        "{text}"
    );
    let text = &beside("kms3 up behind; kms2 up in behind; kms4 up behind")
        .plan()
        .held[0]
        .text;
    assert!(text.contains("kms2.corp.example. and 2 more"), "{text}");
}

/// The other host passes now; whether it was asked while this one failed, is the question.
#[test]
fn a_removal_waits_for_a_host_that_may_have_failed_beside() {
    const INTERVAL: i64 = 10;
    // The removed host's failures: the end of the first, the begin of the newest. The other's row of
    // passed samples: the end of its first, the begin of its newest. All in seconds ago.
    for (failures, passes, alone, held) in [
        // It has answered since before, and was asked between.
        ((20, 4), (100, 5), true, false),
        // It has answered only since this one was last asked.
        ((20, 4), (3, 3), true, true),
        ((20, 4), (3, 3), false, true),
        ((20, 4), (4, 4), true, false),
        // It began to answer between.
        ((20, 4), (19, 1), true, false),
        // So far apart that it must have been asked between; not quite so far.
        ((17, 4), (100, 1), true, false),
        ((16, 4), (100, 1), true, true),
        // Closer, but there it was asked.
        ((16, 4), (100, 4), true, false),
        ((16, 4), (100, 15), true, false),
        // A single failure, also with earlier ones of its own.
        ((4, 7), (100, 1), true, true),
        ((4, 7), (100, 1), false, false),
    ] {
        let mut scenario = Scenario::new("kms1 down in; kms2 up in");
        for host in &mut scenario.hosts {
            host.health.interval = Duration::from_secs(INTERVAL.unsigned_abs());
        }
        let [down, up] = &mut scenario.verdicts.hosts[..] else {
            unreachable!("two hosts");
        };
        down.first_failure = Some(ago(failures.0));
        down.newest_sample = Some(ago(failures.1));
        down.since = Some(ago(failures.0 + i64::from(!alone)));
        up.passing_since = Some(ago(passes.0));
        up.newest_sample = Some(ago(passes.1));
        let expected = if held {
            "held(await-samples) - kms1 host-down, unchanged 1"
        } else {
            "- kms1 host-down, unchanged 1"
        };
        assert_eq!(
            scenario.line(),
            expected,
            "{failures:?} {passes:?} alone: {alone}"
        );
    }
}

#[test]
fn the_freeze_counts_standbys_where_no_active_host_serves() {
    let frozen = "held(freeze-percent) - s1 host-down, unchanged 2";
    assert_table(&[
        (
            Scenario::new("kms1 down; s1 standby down in; s2 standby suspect in; s3 standby up in"),
            frozen,
        ),
        (
            Scenario::new("kms1 down; s1 standby down in; s2 standby up in"),
            "- s1 host-down, unchanged 1",
        ),
        // An active host that served within the hour counts alone.
        (
            Scenario::new("kms1 down gone=5m; s1 standby down in; s2 standby up in"),
            "held(freeze-percent) - s1 host-down, unchanged 1",
        ),
    ]);
}

#[test]
fn max_removals_counts_over_the_interval() {
    let hosts = "kms1 down in since=5m; kms2 down in since=9m; kms3 up in; kms4 up in";
    let longest_first = "- kms2 host-down, held(max-removals) - kms1 host-down, unchanged 2";
    assert_table(&[
        (Scenario::new(hosts), longest_first),
        (
            Scenario::new(hosts).max_removals(2),
            "- kms1 host-down, - kms2 host-down, unchanged 2",
        ),
        (
            Scenario::new(hosts).max_removals(0),
            "held(max-removals) - kms1 host-down, held(max-removals) - kms2 host-down, unchanged 2",
        ),
        // Removals of earlier runs within the interval count, whoever left.
        (
            Scenario::new(&format!("{hosts}; kms5 gone=299s")),
            "held(max-removals) - kms1 host-down, held(max-removals) - kms2 host-down, unchanged 2",
        ),
        (
            Scenario::new(&format!("{hosts}; kms5 gone=300s")),
            longest_first,
        ),
        (
            Scenario::new(&format!("{hosts}; kms5 gone=299s")).max_removals(2),
            longest_first,
        ),
        // Updates, duplicates and foreign records do not.
        (
            Scenario::new("kms1 down in; kms2 up; kms3 up in")
                .records("9 0 1688 kms2; 9 0 1688 kms3"),
            "- kms1 host-down, ~ kms2 data-drift, - kms3 duplicate, unchanged 1",
        ),
    ]);
}

#[test]
fn removals_are_made_in_order() {
    let hosts = "kms1 down in since=9m; kms2 down forced in; kms3 down in since=5m; old retired in; \
                 kms4 up in; kms5 up in; kms6 up in; s1 standby up in";
    assert_table(&[
        (
            Scenario::new(hosts),
            "- kms2 host-forced, - old host-retired, held(max-removals) - kms1 host-down, \
             held(max-removals) - kms3 host-down, held(max-removals) - s1 standby-idle, unchanged 3",
        ),
        (
            Scenario::new(hosts).max_removals(3),
            "- kms1 host-down, - kms2 host-forced, - old host-retired, \
             held(max-removals) - kms3 host-down, held(max-removals) - s1 standby-idle, unchanged 3",
        ),
        // Equally long: by name, not by the file's order.
        (
            Scenario::new("kms2 down in; kms1 down in; kms3 up in; kms4 up in"),
            "- kms1 host-down, held(max-removals) - kms2 host-down, unchanged 2",
        ),
    ]);
}

#[test]
fn allow_removals_lifts_only_max_removals() {
    let two = "kms1 down in; kms2 down in; kms3 up in; kms4 up in gone=1m";
    assert_table(&[
        (
            Scenario::new(two).allow_removals(2),
            "- kms1 host-down, - kms2 host-down, unchanged 2",
        ),
        (
            Scenario::new(two).allow_removals(1),
            "- kms1 host-down, held(max-removals) - kms2 host-down, unchanged 2",
        ),
        (
            Scenario::new("kms1 down in; kms2 down in; kms3 up in").allow_removals(9),
            "held(freeze-percent) - kms1 host-down, held(freeze-percent) - kms2 host-down, unchanged 1",
        ),
        (
            Scenario::new("kms1 down in").allow_removals(9),
            "held(min-hosts) - kms1 host-down, short",
        ),
        (
            Scenario::new("kms1 down in; kms2 up in behind").allow_removals(9),
            "held(await-samples) - kms1 host-down, unchanged 1",
        ),
    ]);
    let plan = Scenario::new(two).allow_removals(1).plan();
    assert!(
        plan.held[0].text.starts_with("--allow-removals 1"),
        "{}",
        plan.held[0].text
    );
}

#[test]
fn guards_never_hold_what_is_no_removal_of_a_host() {
    let plan = Scenario::new("kms1 suspect; kms2 suspect in; kms3 up")
        .records("9 0 1688 kms1")
        .ttl(60)
        .canary(Canary::Silent)
        .plan();
    assert_eq!(
        line(&plan),
        "~ kms1 data-drift, ~ kms2 ttl-drift, + kms3 host-up"
    );
}

/// An outage on our side: every host fails from its first probe after the outage began, each at
/// its own time and pace. Whenever a plan is made, nobody is removed.
#[test]
fn an_outage_on_our_side_removes_nobody() {
    for size in [1_i64, 2, 3, 10] {
        // Probed every ten seconds, spread over them; and one host probed far more often.
        for paces in [[10, 10], [10, 300], [300, 10]] {
            let mut scenario = Scenario::new(&fleet(usize::try_from(size).unwrap(), "up", 0));
            scenario.policy.max_removals = 100;
            for second in 0..1_000 {
                for index in 0..size {
                    let pace = paces[usize::from(index > 0)];
                    sample_in_outage(&mut scenario, index, pace, index * pace / size, second);
                }
                let plan = scenario.plan_at(now() + SignedDuration::from_secs(second));
                assert!(
                    plan.removed.is_empty(),
                    "{size} hosts, {paces:?}, {second} s: {}",
                    line(&plan)
                );
            }
            let down = scenario
                .verdicts
                .hosts
                .iter()
                .filter(|verdict| verdict.state == State::Down);
            assert_eq!(
                i64::try_from(down.count()).unwrap(),
                size,
                "the test must reach the end"
            );
        }
    }
}

/// The verdict of a host probed at `offset`, `offset + pace`, …, all of which fail.
fn sample_in_outage(scenario: &mut Scenario, index: i64, pace: i64, offset: i64, second: i64) {
    let failed = if second < offset {
        0
    } else {
        (second - offset) / pace + 1
    };
    let at = |second: i64| now() + SignedDuration::from_secs(second);
    let verdict = &mut scenario.verdicts.hosts[usize::try_from(index).unwrap()];
    verdict.newest_sample = Some(at(offset + (failed - 1) * pace));
    verdict.first_failure = (failed > 0).then(|| at(offset));
    verdict.since = verdict.first_failure;
    verdict.state = match failed {
        0 => State::Up,
        1 | 2 => State::Suspect,
        _ => State::Down,
    };
}

/// Hosts that really die one by one, hours apart: each goes, the last stays.
#[test]
fn hosts_that_die_hours_apart_go_until_the_last() {
    let mut scenario = Scenario::new(&fleet(10, "up", 0));
    for index in 0..10 {
        for removal in scenario.memory.removals.values_mut().flatten() {
            removal.at -= SignedDuration::from_hours(2);
        }
        scenario.verdicts.hosts[index].state = State::Down;
        scenario.verdicts.hosts[index].first_failure = Some(ago(60));
        let plan = scenario.plan();
        let removed = plan
            .changes
            .iter()
            .filter(|change| change.reason.code == ReasonCode::HostDown);
        // Two are left: one down is half of them. One is left: it stays.
        assert_eq!(
            removed.count(),
            usize::from(index < 9),
            "host {index}: {}",
            line(&plan)
        );
        scenario.apply(&plan);
    }
    assert_eq!(scenario.observed.records.len(), 1);
}

#[test]
fn every_guard_is_read_as_it_is_printed() {
    for guard in Guard::ALL {
        assert_eq!(Guard::parse(guard.as_str()), Some(guard));
    }
    assert_eq!(Guard::parse("policies"), None);
}
