use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::SignedDuration;
use proptest::prelude::*;

use super::*;
use crate::model::{Check, Failure};

/// Between two samples, in seconds.
const INTERVAL: i64 = 10;

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

fn health(rise: u32, fall: u32) -> Health {
    Health {
        checks: vec![Check::Rpc],
        command: Vec::new(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(3),
        rise,
        fall,
    }
}

fn sample(second: i64, passed: bool) -> Sample {
    let result = if passed {
        Ok(())
    } else {
        Err(Failure::Refused)
    };
    Sample {
        began: at(second),
        took: Duration::ZERO,
        addresses: vec![(IpAddr::V4(Ipv4Addr::LOCALHOST), result)],
    }
}

/// The track after samples an interval apart: `+` passed, `-` failed.
fn track(samples: &str, health: &Health) -> Track {
    samples
        .chars()
        .zip(0..)
        .fold(Track::default(), |track, (passed, index)| {
            add(&track, &sample(index * INTERVAL, passed == '+'), health)
        })
}

fn end(samples: &str) -> i64 {
    (i64::try_from(samples.len()).unwrap() - 1) * INTERVAL
}

fn judge(samples: &str, health: &Health) -> Verdict {
    let track = track(samples, health);
    verdict(&track, health, Canary::Unused, None, at(end(samples)))
}

#[test]
fn rows_of_samples_and_what_they_come_to() {
    use State::{Down, Suspect, Unknown, Up};
    // rise 2, fall 3.
    for (samples, state, since) in [
        ("+", Unknown, None),
        ("-", Suspect, Some(0)),
        ("--", Suspect, Some(0)),
        ("---", Down, Some(0)),
        ("++", Up, Some(10)),
        ("+-+", Unknown, None),
        ("-+-", Suspect, Some(20)),
        // A single success clears nothing.
        ("-+--", Down, Some(20)),
        ("++-+-+-", Down, Some(60)),
        // Two in a row do.
        ("++--++--", Suspect, Some(60)),
        ("++-", Suspect, Some(20)),
        ("++-+", Up, Some(10)),
        ("++---", Down, Some(20)),
        // Down stays down until two in a row.
        ("++---+", Down, Some(20)),
        ("++---+-", Down, Some(20)),
        ("++---++", Up, Some(60)),
        ("---+++", Up, Some(40)),
    ] {
        let verdict = judge(samples, &health(2, 3));
        assert_eq!(
            (verdict.state, verdict.since),
            (state, since.map(at)),
            "{samples}: {}",
            verdict.reason
        );
        assert!(verdict.probed);
        assert_eq!(verdict.newest_sample, Some(at(end(samples))));
        let recovering = verdict.state == Down && samples.ends_with('+');
        assert_eq!(verdict.recovering, recovering, "{samples}");
    }
}

#[test]
fn every_verdict_says_why() {
    for (samples, reason) in [
        ("+", "127.0.0.1 answers, 1 of 2 times"),
        ("++", "127.0.0.1 answers"),
        ("++-+", "127.0.0.1 answers (after 1 of 3 failures)"),
        ("---+", "127.0.0.1 answers, 1 of 2 times"),
    ] {
        assert_eq!(judge(samples, &health(2, 3)).reason, reason, "{samples}");
    }
    for (samples, end) in [("--", "(2 of 3 failures)"), ("----", "(4 times)")] {
        let reason = judge(samples, &health(2, 3)).reason;
        assert!(
            reason.contains("refused") && reason.ends_with(end),
            "{reason}"
        );
    }
}

#[test]
fn the_run_of_failures_that_others_must_be_newer_than_is_unbroken() {
    let first_failure = |samples| judge(samples, &health(2, 3)).first_failure;
    assert_eq!(first_failure("++---"), Some(at(20)));
    assert_eq!(first_failure("++-+--"), Some(at(40)));
    assert_eq!(first_failure("++-+"), None);
}

#[test]
fn old_samples_decide_nothing() {
    let health = health(2, 3);
    // 2 × fall × interval.
    let fresh = 60;
    for (samples, state) in [("++", State::Up), ("---", State::Down)] {
        let track = track(samples, &health);
        let at_age = |age| {
            verdict(
                &track,
                &health,
                Canary::Unused,
                None,
                at(end(samples) + age),
            )
            .state
        };
        assert_eq!(at_age(fresh), state);
        assert_eq!(at_age(fresh + 1), State::Unknown);
        // The clock was set back, a little or much.
        assert_eq!(at_age(-fresh), state);
        assert_eq!(at_age(-1000), State::Unknown);
    }
    let late = add(
        &track("--", &health),
        &sample(10 + fresh + 1, false),
        &health,
    );
    assert_eq!((late.failures, late.settled), (1, Settled::Unknown));
    let late = add(&track("--", &health), &sample(10 + fresh, false), &health);
    assert_eq!(late.settled, Settled::Down);
}

#[test]
fn a_resolver_outage_makes_nobody_down() {
    let health = health(2, 3);
    let track = track("++", &health);
    let obstacle = Some("the resolver does not answer");
    let verdict = |now| verdict(&track, &health, Canary::Unused, obstacle, at(now));
    assert_eq!(verdict(20).state, State::Up);
    let later = verdict(10_000);
    assert_eq!(later.state, State::Unknown);
    assert_eq!(
        later.reason,
        "no sample since 1970-01-01T00:00:10Z: the resolver does not answer"
    );
}

#[test]
fn a_silent_canary_declares_nobody_down() {
    let health = health(2, 3);
    for samples in ["---", "++---", "++---+"] {
        let track = track(samples, &health);
        let verdict = verdict(&track, &health, Canary::Silent, None, at(end(samples)));
        assert_eq!(verdict.state, State::Suspect);
        assert!(verdict.reason.contains("canary"), "{}", verdict.reason);
        assert_eq!(verdict.spared, samples.ends_with('-'), "{samples}");
    }
}

#[test]
fn a_sample_that_comes_late_changes_nothing() {
    let health = health(2, 3);
    let track = track("++", &health);
    assert_eq!(add(&track, &sample(10, false), &health), track);
    assert_eq!(add(&track, &sample(5, false), &health), track);
}

#[test]
fn a_clock_that_was_set_back_begins_anew() {
    let health = health(2, 3);
    let mut track = track("++", &health);
    for second in [-7200, -7190, -7180] {
        track = add(&track, &sample(second, false), &health);
    }
    assert_eq!(track.settled, Settled::Down);
    let verdict = verdict(&track, &health, Canary::Unused, None, at(-7180));
    assert_eq!(verdict.state, State::Down);
}

#[test]
fn a_host_that_is_asked_elsewhere_or_otherwise_is_another_one() {
    let host = |address: [u8; 4], port, checks: &[Check]| Host {
        role: crate::model::Role::Active,
        srv: crate::model::Srv {
            priority: 0,
            weight: 0,
            port,
            target: crate::model::Name::parse("kms1.corp.example.").unwrap(),
        },
        groups: Vec::new(),
        addresses: vec![IpAddr::from(address)],
        health: Health {
            checks: checks.to_vec(),
            ..health(2, 3)
        },
    };
    let same = host([10, 0, 0, 1], 1688, &[Check::Rpc]);
    let track = add(&begin(&same), &sample(0, false), &same.health);
    assert!(is_of(&track, &same));
    let forgotten = add(&track, &sample(10_000, false), &same.health);
    assert!(is_of(&forgotten, &same));
    for other in [
        host([10, 0, 0, 2], 1688, &[Check::Rpc]),
        host([10, 0, 0, 1], 1689, &[Check::Rpc]),
        host([10, 0, 0, 1], 1688, &[Check::Tcp]),
    ] {
        assert!(!is_of(&track, &other));
    }
    assert!(!is_of(&Track::default(), &same));
}

#[test]
fn one_address_of_several_is_enough_and_the_others_are_told() {
    let health = health(1, 1);
    let two = Sample {
        addresses: vec![
            (
                IpAddr::V4(Ipv4Addr::new(10, 0, 0, 1)),
                Err(Failure::Refused),
            ),
            (IpAddr::V4(Ipv4Addr::new(10, 0, 0, 2)), Ok(())),
        ],
        ..sample(0, true)
    };
    let verdict = verdict(
        &add(&Track::default(), &two, &health),
        &health,
        Canary::Unused,
        None,
        at(0),
    );
    assert_eq!(verdict.state, State::Up);
    assert!(
        verdict.reason.contains("10.0.0.1") && verdict.reason.contains("10.0.0.2 answers"),
        "{}",
        verdict.reason
    );
}

proptest! {
    /// Up takes `rise` passed in a row just before, down `fall` failed since `rise` in a row last passed.
    #[test]
    fn a_verdict_never_changes_on_fewer_samples(
        passes in prop::collection::vec(any::<bool>(), 0..40),
        rise in 1_u32..5,
        fall in 1_u32..5,
    ) {
        let health = health(rise, fall);
        let mut track = Track::default();
        let (mut in_a_row, mut failed) = (0, 0);
        for (passed, index) in passes.into_iter().zip(0..) {
            let before = track.settled;
            track = add(&track, &sample(index * INTERVAL, passed), &health);
            in_a_row = if passed { in_a_row + 1 } else { 0 };
            failed = if in_a_row >= rise { 0 } else { failed + u32::from(!passed) };
            if track.settled != before {
                match track.settled {
                    Settled::Up => prop_assert!(in_a_row >= rise),
                    Settled::Down => prop_assert!(failed >= fall),
                    Settled::Unknown => prop_assert!(false, "forgotten"),
                }
            }
            prop_assert_eq!(in_a_row >= rise, passed && track.settled == Settled::Up && track.failures == 0);
            if failed >= fall {
                prop_assert_eq!(track.settled, Settled::Down);
            }
        }
    }
}

#[test]
fn a_first_failure_counts_from_its_end_and_so_does_a_row_of_passed_samples() {
    let took = Duration::from_secs(3);
    let slow = |second, passed| Sample {
        took,
        ..sample(second, passed)
    };
    let health = health(2, 3);
    let samples = [(0, true), (10, true), (20, false), (30, false), (40, true)];
    let mut track = Track::default();
    for ((second, passed), (first_failure, passing_since)) in samples.into_iter().zip([
        (None, Some(3)),
        (None, Some(3)),
        (Some(23), None),
        (Some(23), None),
        (None, Some(43)),
    ]) {
        track = add(&track, &slow(second, passed), &health);
        let verdict = verdict(&track, &health, Canary::Unused, None, at(second + 3));
        assert_eq!(verdict.first_failure, first_failure.map(at), "{second}");
        assert_eq!(verdict.passing_since, passing_since.map(at), "{second}");
    }
}

/// A probe in between that could not be made might have failed.
#[test]
fn a_gap_ends_a_row_of_passed_samples() {
    let health = health(2, 3);
    let mut track = Track::default();
    for (second, passing_since) in [(0, 0), (12, 0), (25, 25), (35, 25)] {
        track = add(&track, &sample(second, true), &health);
        assert_eq!(track.passing_since, Some(at(passing_since)), "{second}");
    }
}
