//! What each host should be: its role and verdict, the standbys' need, empty zones.

use super::support::{Scenario, assert_table, line};
use crate::model::{ReasonCode, State};

#[test]
fn a_hosts_own_verdict_decides() {
    assert_table(&[
        (Scenario::new("kms1 up"), "+ kms1 host-up"),
        (Scenario::new("kms1 up in"), "unchanged 1"),
        (
            Scenario::new("kms1 down in; kms2 up in"),
            "- kms1 host-down, unchanged 1",
        ),
        // Never seen up: not published.
        (Scenario::new("kms1 unknown"), "short"),
        (Scenario::new("kms1 suspect"), "short"),
        (Scenario::new("kms1 down"), "short"),
        // Unknown is not down.
        (Scenario::new("kms1 unknown in"), "unchanged 1"),
        (Scenario::new("kms1 suspect in"), "unchanged 1"),
    ]);
}

#[test]
fn an_override_says_so() {
    assert_table(&[
        (Scenario::new("kms1 up forced"), "+ kms1 host-forced"),
        (Scenario::new("kms1 up forced in"), "unchanged 1"),
        (
            Scenario::new("kms1 down forced in; kms2 up in"),
            "- kms1 host-forced, unchanged 1",
        ),
        (Scenario::new("kms1 down forced; kms2 up in"), "unchanged 1"),
    ]);
}

#[test]
fn a_retired_host_goes_whatever_its_verdict() {
    assert_table(&[
        (
            Scenario::new("old retired in; kms1 up in"),
            "- old host-retired, unchanged 1",
        ),
        (Scenario::new("old retired; kms1 up in"), "unchanged 1"),
        (
            Scenario::new("old retired up forced in; kms1 up in"),
            "- old host-retired, unchanged 1",
        ),
        (
            Scenario::new("old retired down in; kms1 up in"),
            "- old host-retired, unchanged 1",
        ),
    ]);
}

#[test]
fn standbys_come_when_too_few_active_hosts_are_up() {
    assert_table(&[
        (Scenario::new("kms1 up in; s1 standby up"), "unchanged 1"),
        (
            Scenario::new("kms1 down; s1 standby up"),
            "+ s1 standby-needed",
        ),
        // In file order, and only those that are up.
        (
            Scenario::new("kms1 down; b standby up; a standby up"),
            "+ b standby-needed",
        ),
        (
            Scenario::new("kms1 down; b standby down; a standby up"),
            "+ a standby-needed",
        ),
        (
            Scenario::new("kms1 down; b standby unknown; a standby suspect"),
            "short",
        ),
        // One that serves already is not exchanged for an earlier one.
        (
            Scenario::new("kms1 down; b standby up; a standby up in"),
            "unchanged 1",
        ),
        // As many as needed.
        (
            Scenario::new("kms1 up in; kms2 down; b standby up; a standby up").standby_below(2),
            "+ b standby-needed, unchanged 1",
        ),
        (
            Scenario::new("kms1 up in; kms2 down; b standby up; a standby up").standby_below(3),
            "+ a standby-needed, + b standby-needed, unchanged 1",
        ),
        (
            Scenario::new("kms1 down; b standby up; a standby up").standby_below(9),
            "+ a standby-needed, + b standby-needed",
        ),
        // A standby that dies is replaced in the same update.
        (
            Scenario::new("kms1 down; s1 standby down in; s2 standby up"),
            "- s1 host-down, + s2 standby-needed",
        ),
    ]);
}

#[test]
fn standbys_go_when_enough_active_hosts_are_up() {
    assert_table(&[
        (
            Scenario::new("kms1 up in; s1 standby up in"),
            "- s1 standby-idle, unchanged 1",
        ),
        (
            Scenario::new("kms1 up in; s1 standby unknown in"),
            "- s1 standby-idle, unchanged 1",
        ),
        // The returning host and the leaving standby travel in one update.
        (
            Scenario::new("kms1 up; s1 standby up in"),
            "+ kms1 host-up, - s1 standby-idle",
        ),
        (
            Scenario::new("kms1 up in; kms2 down; b standby up in; a standby up in")
                .standby_below(2),
            "- a standby-idle, unchanged 2",
        ),
    ]);
}

#[test]
fn unknown_is_up_for_publishing_and_not_up_for_withdrawing() {
    assert_table(&[
        (
            Scenario::new("kms1 unknown in; s1 standby up"),
            "unchanged 1",
        ),
        (
            Scenario::new("kms1 unknown in; s1 standby up in"),
            "unchanged 2",
        ),
        (
            Scenario::new("kms1 suspect in; s1 standby up"),
            "unchanged 1",
        ),
        (
            Scenario::new("kms1 suspect in; s1 standby up in"),
            "unchanged 2",
        ),
        // The same of standbys: one that wavers is neither doubled nor what lets another go.
        (
            Scenario::new("kms1 down; s1 standby suspect in; s2 standby up"),
            "unchanged 1",
        ),
        (
            Scenario::new("kms1 down; s1 standby suspect in; s2 standby up in"),
            "unchanged 2",
        ),
        (
            Scenario::new("kms1 down; s1 standby up in; s2 standby suspect in"),
            "- s2 standby-idle, unchanged 1",
        ),
    ]);
}

#[test]
fn a_forced_standby_is_as_it_is_forced_and_counts() {
    assert_table(&[
        (
            Scenario::new("kms1 up in; s1 standby up forced"),
            "+ s1 host-forced, unchanged 1",
        ),
        (
            Scenario::new("kms1 up in; s1 standby up forced in"),
            "unchanged 2",
        ),
        (
            Scenario::new("kms1 down; s1 standby up; s2 standby up forced"),
            "+ s2 host-forced",
        ),
        (
            Scenario::new("kms1 down; s1 standby up; s2 standby up forced in"),
            "unchanged 1",
        ),
        // It serves first, wherever it stands in the file.
        (
            Scenario::new("kms1 down; s1 standby up forced in; s2 standby up in"),
            "- s2 standby-idle, unchanged 1",
        ),
        (
            Scenario::new("kms1 down; s1 standby up in; s2 standby up forced in"),
            "- s1 standby-idle, unchanged 1",
        ),
        (
            Scenario::new("kms1 down; s1 standby up in; s2 standby up forced"),
            "- s1 standby-idle, + s2 host-forced",
        ),
        (
            Scenario::new("kms1 down; s1 standby down forced; s2 standby up"),
            "+ s2 standby-needed",
        ),
        (
            Scenario::new("kms1 down; s1 standby down forced in; s2 standby up"),
            "- s1 host-forced, + s2 standby-needed",
        ),
    ]);
}

#[test]
fn standbys_fill_the_gap_below_min_hosts() {
    assert_table(&[
        (
            Scenario::new("kms1 up in; s1 standby up").min_hosts(2),
            "+ s1 standby-needed, unchanged 1",
        ),
        (
            Scenario::new("kms1 up in; s1 standby up in").min_hosts(2),
            "unchanged 2",
        ),
        // Nobody serves: a standby does, also when no standby was asked for.
        (
            Scenario::new("kms1 unknown; s1 standby up"),
            "+ s1 standby-needed",
        ),
        (
            Scenario::new("kms1 down; s1 standby up").standby_below(0),
            "+ s1 standby-needed",
        ),
        (
            Scenario::new("kms1 down; s1 standby up")
                .standby_below(0)
                .min_hosts(0),
            "",
        ),
        // The gap that a removal would leave is filled in the same update.
        (
            Scenario::new("kms1 down in; kms2 up in; s1 standby up").min_hosts(2),
            "- kms1 host-down, + s1 standby-needed, unchanged 1",
        ),
        // A retired host fills nothing.
        (
            Scenario::new("old retired in; kms1 up in; s1 standby up").min_hosts(2),
            "- old host-retired, + s1 standby-needed, unchanged 1",
        ),
    ]);
}

#[test]
fn an_empty_zone_is_emptied() {
    assert_table(&[
        (
            Scenario::new("kms1 up in").expect_empty(),
            "- kms1 expect-empty",
        ),
        (Scenario::new("kms1 up").expect_empty(), ""),
        (Scenario::new("kms1 up forced").expect_empty(), ""),
        (Scenario::new("s1 standby up").expect_empty(), ""),
        (
            Scenario::new("old retired in").expect_empty(),
            "- old host-retired",
        ),
        // Hosts that were switched off are no reason to keep their records.
        (
            Scenario::new("kms1 down in; kms2 down in").expect_empty(),
            "- kms1 expect-empty, held(max-removals) - kms2 expect-empty",
        ),
        (
            Scenario::new("")
                .records("rogue")
                .expect_empty()
                .remove_foreign(),
            "- rogue foreign-record, foreign rogue",
        ),
    ]);
}

#[test]
fn the_verdict_stands_in_the_reason() {
    let plan = Scenario::new("kms1 down in; kms2 up in").plan();
    let reason = &plan.changes[0].reason;
    assert_eq!(reason.code, ReasonCode::HostDown);
    assert!(
        reason.text.contains("as the scenario says"),
        "{}",
        reason.text
    );
    assert!(
        reason.text.contains("2023-11-14T22:12:20Z"),
        "{}",
        reason.text
    );
}

#[test]
fn a_missing_verdict_changes_nothing() {
    let mut scenario = Scenario::new("kms1 up; kms2 up");
    scenario.verdicts.hosts.pop();
    scenario.members.push(9);
    assert_eq!(scenario.verdicts.hosts[0].state, State::Up);
    assert_eq!(line(&scenario.plan()), "+ kms1 host-up");
}
