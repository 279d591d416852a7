//! The guards over time: hosts that follow a script, for hours and weeks of simulated time.
//!
//! Each scenario runs for 1, 2, 3 and 10 active hosts, with and without a standby, under the default
//! policy, and is judged by the whole run: who was ever removed, and the smallest set ever published.

#![allow(clippy::unwrap_used, clippy::indexing_slicing, reason = "a test")]

mod simulation;

use std::time::Duration;

use proptest::prelude::*;

use simulation::{Answer, HOUR, MINUTE, RECONCILE, SECOND, Simulation, Time, WEEK};
use srvkeeper::plan::Guard;

const ACTIVE: [usize; 4] = [1, 2, 3, 10];
/// The end of what does not end.
const NEVER: Time = 1_000 * WEEK;

/// Every size, with and without a standby.
fn every_size(mut scenario: impl FnMut(usize, usize, Simulation)) {
    for active in ACTIVE {
        for standbys in [0, 1] {
            for dice in 0..3 {
                scenario(active, standbys, Simulation::new(active, standbys, dice));
            }
        }
    }
}

fn kms(number: usize) -> String {
    format!("kms{number}")
}

fn all_kms(active: usize) -> Vec<String> {
    (1..=active).map(kms).collect()
}

fn with_spare(mut names: Vec<String>, standbys: usize) -> Vec<String> {
    names.extend((1..=standbys).map(|number| format!("spare{number}")));
    names
}

#[test]
fn one_host_down_is_removed_and_returns_and_the_only_one_stays() {
    every_size(|active, standbys, mut simulation| {
        simulation.script("kms1", MINUTE..HOUR, Answer::TimesOut);
        simulation.run_until(HOUR);
        if active == 1 {
            assert_eq!(simulation.removed, []);
            assert_eq!(
                simulation.published(),
                with_spare(all_kms(1), standbys),
                "the standby fills the gap"
            );
        } else {
            assert_eq!(simulation.removed_hosts(), ["kms1"]);
            assert_eq!(simulation.published(), all_kms(active)[1..]);
            let since = simulation.removed[0].at - MINUTE;
            assert!(since <= 3 * 10 * SECOND + 3 * SECOND, "{since} ms");
        }
        simulation.run_until(2 * HOUR);
        assert_eq!(simulation.published(), all_kms(active));
        assert_eq!(simulation.removed_active().len(), usize::from(active > 1));
        assert_eq!(simulation.smallest, active.max(2) - 1);
    });
}

#[test]
fn the_last_host_is_never_removed() {
    every_size(|active, standbys, simulation| {
        let mut simulation = simulation.health(|health| health.interval = Duration::from_secs(300));
        for number in 1..=active {
            let dies = MINUTE + (number as u64 - 1) * 2 * HOUR;
            simulation.script(&kms(number), dies..NEVER, Answer::TimesOut);
        }
        simulation.run_until((active as u64 + 5) * 2 * HOUR);
        assert_eq!(simulation.removed_hosts(), all_kms(active - 1));
        assert_eq!(simulation.smallest, 1);
        assert_eq!(
            simulation.published(),
            with_spare(vec![kms(active)], standbys)
        );
    });
}

#[test]
fn our_own_uplink_dies_and_nobody_is_removed() {
    for length in [5, 15, 25, 35, 600] {
        for (rise, fall) in [(1, 1), (1, 2), (1, 3), (2, 2), (2, 3)] {
            every_size(|active, _standbys, simulation| {
                let mut simulation = simulation.health(|health| {
                    health.rise = rise;
                    health.fall = fall;
                });
                let outage = 2 * MINUTE..2 * MINUTE + length * SECOND;
                simulation.script_all(&outage, Answer::TimesOut);
                simulation.run_until(outage.end);
                if length > 60 {
                    assert!(simulation.ever_down.len() >= active);
                }
                simulation.run_until(outage.end + 5 * MINUTE);
                let what = format!("{length} s, rise {rise}, fall {fall}");
                assert_eq!(simulation.removed_active(), Vec::<&_>::new(), "{what}");
                assert_eq!(simulation.published(), all_kms(active), "{what}");
                assert_eq!(simulation.smallest, active, "{what}");
            });
        }
    }
}

#[test]
fn all_active_hosts_dead_and_the_standby_alive() {
    every_size(|active, standbys, mut simulation| {
        for number in 1..=active {
            simulation.script(&kms(number), MINUTE..NEVER, Answer::TimesOut);
        }
        simulation.run_until(90 * MINUTE);
        assert_eq!(simulation.removed, []);
        assert_eq!(
            simulation.published(),
            with_spare(all_kms(active), standbys)
        );
        let guard = if standbys == 0 {
            Guard::MinHosts
        } else {
            Guard::FreezePercent
        };
        assert_eq!(simulation.held, vec![guard; active]);
    });
}

#[test]
fn a_host_dead_for_weeks_does_not_freeze_the_next_failure() {
    every_size(|active, standbys, simulation| {
        if active == 1 {
            return;
        }
        // Few samples for many weeks.
        let mut simulation =
            simulation.health(|health| health.interval = Duration::from_secs(3_600));
        simulation.script("kms1", MINUTE..NEVER, Answer::TimesOut);
        simulation.script("kms2", 2 * WEEK..NEVER, Answer::Refuses);
        simulation.run_until(2 * WEEK);
        assert_eq!(simulation.removed_hosts(), ["kms1"]);
        simulation.run_until(2 * WEEK + 6 * HOUR);
        if active == 2 {
            assert_eq!(simulation.removed_hosts(), ["kms1"]);
            assert_eq!(simulation.published(), with_spare(vec![kms(2)], standbys));
        } else {
            assert_eq!(simulation.removed_hosts(), ["kms1", "kms2"]);
            assert_eq!(simulation.published(), all_kms(active)[2..]);
        }
    });
}

/// And the counterpart: within the hour it counts, so that two of three are too many.
#[test]
fn two_of_three_within_an_hour_are_too_many() {
    for dice in 0..5 {
        let mut simulation = Simulation::new(3, 0, dice);
        simulation.script("kms1", MINUTE..NEVER, Answer::TimesOut);
        simulation.script("kms2", 30 * MINUTE..NEVER, Answer::TimesOut);
        simulation.run_until(50 * MINUTE);
        assert_eq!(simulation.removed_hosts(), ["kms1"]);
        assert_eq!(simulation.held, [Guard::FreezePercent]);
        simulation.run_until(2 * HOUR);
        assert_eq!(simulation.removed_hosts(), ["kms1", "kms2"]);
    }
}

#[test]
fn a_resolver_outage_makes_nobody_down() {
    every_size(|active, _standbys, mut simulation| {
        // With one host that has already begun to fail.
        simulation.script(
            "kms1",
            10 * MINUTE - 15 * SECOND..10 * MINUTE,
            Answer::Refuses,
        );
        simulation.script_all(&(10 * MINUTE..5 * HOUR), Answer::NotAsked);
        simulation.run_until(6 * HOUR);
        assert_eq!(simulation.ever_down, Vec::<String>::new());
        assert_eq!(simulation.removed, []);
        assert_eq!(simulation.published(), all_kms(active));
        assert_eq!(simulation.smallest, active);
    });
}

#[test]
fn max_removals_holds_across_runs_and_restarts() {
    every_size(|active, _standbys, mut simulation| {
        let dead = active / 2;
        for number in 1..=dead {
            simulation.script(&kms(number), MINUTE..NEVER, Answer::TimesOut);
        }
        // A restart in the middle: what is stored is known, what is under way is lost.
        simulation.run_until(7 * MINUTE);
        simulation.stop_until(7 * MINUTE + SECOND);
        simulation.run_until(HOUR);
        let times: Vec<Time> = simulation.removed.iter().map(|gone| gone.at).collect();
        assert_eq!(times.len(), dead);
        for pair in times.windows(2) {
            assert!(pair[1] - pair[0] >= RECONCILE, "{times:?}");
        }
        assert_eq!(simulation.published(), all_kms(active)[dead..]);
    });
}

#[test]
fn a_primary_that_cannot_be_read_changes_nothing() {
    every_size(|active, standbys, mut simulation| {
        for number in 1..=active.max(2) - 1 {
            simulation.script(&kms(number), MINUTE..HOUR, Answer::TimesOut);
        }
        simulation.unreadable = 0..3 * HOUR;
        simulation.run_until(3 * HOUR - SECOND);
        assert_eq!(simulation.removed, []);
        assert_eq!(simulation.published(), all_kms(active));
        // Read again, everything is as it should be, and stays so.
        simulation.run_until(4 * HOUR);
        assert_eq!(simulation.removed, [], "{active} {standbys}");
        assert_eq!(simulation.published(), all_kms(active));
    });
}

#[test]
fn a_cold_start_removes_nothing_before_a_full_window() {
    every_size(|active, _standbys, mut simulation| {
        // Stopped for hours, in which kms1 died: what was known of it decides nothing.
        simulation.run_until(MINUTE);
        simulation.script("kms1", 2 * HOUR..NEVER, Answer::Refuses);
        simulation.stop_until(5 * HOUR);
        simulation.run_until(5 * HOUR + MINUTE);
        if active == 1 {
            assert_eq!(simulation.removed, []);
        } else {
            assert_eq!(simulation.removed_hosts(), ["kms1"]);
            // The third sample begins two intervals after the first, each up to a tenth early.
            let after = simulation.removed[0].at - 5 * HOUR;
            assert!(after >= 2 * 9 * SECOND, "{after} ms");
        }
    });
}

#[test]
fn a_cold_start_without_records_publishes_who_answers() {
    every_size(|active, standbys, simulation| {
        let mut simulation = simulation.unpublished();
        simulation.script("kms1", 0..NEVER, Answer::TimesOut);
        simulation.run_until(HOUR);
        let mut expected = all_kms(active);
        expected.remove(0);
        if active == 1 {
            expected = with_spare(expected, standbys);
        }
        assert_eq!(simulation.published(), expected);
        // A standby that was up first has gone again.
        assert_eq!(simulation.removed_active(), Vec::<&_>::new());
    });
}

/// Both have been dead for long, so that the standbys alone are published: they are what an outage
/// shows in.
#[test]
fn an_outage_while_only_standbys_serve() {
    for dice in 0..20 {
        let mut simulation = Simulation::new(2, 2, dice).policy(|policy| policy.min_hosts = 1);
        simulation.zone.standby_below = 2;
        let mut simulation = simulation.unpublished();
        simulation.script("kms1", 0..NEVER, Answer::TimesOut);
        simulation.script("kms2", 0..NEVER, Answer::TimesOut);
        simulation.run_until(2 * HOUR);
        assert_eq!(simulation.published(), ["spare1", "spare2"]);
        simulation.script_all(&(2 * HOUR..3 * HOUR), Answer::TimesOut);
        simulation.run_until(4 * HOUR);
        assert_eq!(simulation.removed, []);
        assert_eq!(simulation.published(), ["spare1", "spare2"]);
    }
}

/// Failures add up between single successes, and the guards must not keep such a host for ever.
#[test]
fn a_host_that_answers_every_other_time_goes() {
    for active in [2, 3, 10] {
        for dice in 0..5 {
            let mut simulation = Simulation::new(active, 0, dice);
            // It is asked every 9 to 10 seconds.
            for turn in 0..1_000 {
                let begin = MINUTE + turn * 19 * SECOND;
                simulation.script("kms1", begin..begin + 9_500, Answer::Refuses);
            }
            simulation.run_until(HOUR);
            let first = simulation.removed.first().map(|gone| gone.host.as_str());
            assert_eq!(first, Some("kms1"), "{active} hosts, dice {dice}");
            assert!(
                simulation
                    .removed
                    .iter()
                    .all(|removed| removed.host == "kms1")
            );
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 256,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// Everything is cut off at once, whatever the phases, for however long: nobody is removed, and
    /// afterwards the set is whole.
    ///
    /// It takes hosts that answer before it. One that has begun to fail by itself may be removed.
    #[test]
    fn an_outage_of_all_hosts_removes_nothing(
        (active, standbys, dice) in (1..=10_usize, 0..=2_usize, any::<u64>()),
        (rise, fall) in (1..=3_u32, 1..=4_u32),
        (timeout, round_trip) in (1..=9_u64).prop_flat_map(|timeout| (Just(timeout), 1..timeout * SECOND)),
        (begin, length) in (MINUTE..2 * MINUTE, prop_oneof![1..MINUTE, 1..10 * MINUTE]),
    ) {
        let mut simulation = Simulation::new(active, standbys, dice)
            .round_trips(round_trip)
            .health(|health| {
                health.rise = rise;
                health.fall = fall;
                health.timeout = Duration::from_secs(timeout);
            });
        simulation.script_all(&(begin..begin + length), Answer::TimesOut);
        simulation.run_until(begin + length + 3 * MINUTE);
        prop_assert_eq!(simulation.removed_active(), Vec::<&_>::new());
        prop_assert_eq!(simulation.smallest, active);
        // The standby that helped out goes when the interval allows it.
        if standbys > 0 {
            simulation.run_until(begin + length + 12 * MINUTE);
        }
        prop_assert_eq!(simulation.published(), all_kms(active));
    }

    /// The guards do not keep a host that is really down: under the default health it goes as soon
    /// as its verdict is known, under any other once its failures lie apart far enough that each of
    /// the others was asked between them.
    #[test]
    fn one_that_is_down_is_removed_in_time(
        (active, standbys, dice) in (2..=10_usize, 0..=2_usize, any::<u64>()),
        (rise, fall, timeout) in (1..=3_u32, 1..=4_u32, 1..=9_u64),
        (begin, refuses) in (MINUTE..2 * MINUTE, any::<bool>()),
    ) {
        let mut simulation = Simulation::new(active, standbys, dice).health(|health| {
            health.rise = rise;
            health.fall = fall;
            health.timeout = Duration::from_secs(timeout);
        });
        let answer = if refuses { Answer::Refuses } else { Answer::TimesOut };
        simulation.script("kms1", begin..NEVER, answer);
        simulation.run_until(begin + 2 * MINUTE);
        prop_assert_eq!(simulation.removed_hosts(), ["kms1"]);
        let took = simulation.removed[0].at - begin;
        // From the end of the first to the begin of the last of samples 9 to 10 seconds apart.
        let apart = 1 + (12_500 + timeout * SECOND).div_ceil(9 * SECOND);
        let samples = u64::from(fall).max(apart);
        prop_assert!(took <= samples * 10 * SECOND + timeout * SECOND, "{} ms", took);
    }
}
