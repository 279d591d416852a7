use std::net::{IpAddr, Ipv4Addr};
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::*;
use crate::model::{Check, Failure};

fn at(second: i64) -> Timestamp {
    Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
}

fn health(fall: u32) -> Health {
    Health {
        checks: vec![Check::Rpc],
        command: Vec::new(),
        interval: Duration::from_secs(10),
        timeout: Duration::from_secs(3),
        rise: 2,
        fall,
    }
}

fn sample(second: i64, passed: bool) -> Probed {
    let result = if passed {
        Ok(())
    } else {
        Err(Failure::Refused)
    };
    Ok(Sample {
        began: at(second),
        took: Duration::ZERO,
        addresses: vec![(IpAddr::V4(Ipv4Addr::LOCALHOST), result)],
    })
}

fn no_sample() -> Probed {
    Err(NoSample("the resolver does not answer".into()))
}

#[test]
fn one_success_is_up() {
    let tries = [sample(0, false), sample(10, true)];
    assert_eq!(one_shot_next(&tries, &health(3)), Next::Settled);
    let verdict = one_shot(&tries, &health(3), Canary::Unused);
    assert_eq!(verdict.state, State::Up);
    assert_eq!(verdict.since, Some(at(10)));
    assert_eq!(verdict.first_failure, None);
}

#[test]
fn a_full_window_of_failures_is_down_since_the_first() {
    let mut tries = vec![sample(0, false), sample(10, false)];
    assert_eq!(one_shot_next(&tries, &health(3)), Next::Again);
    assert_eq!(
        one_shot(&tries, &health(3), Canary::Unused).state,
        State::Suspect
    );
    tries.push(sample(20, false));
    assert_eq!(one_shot_next(&tries, &health(3)), Next::Settled);
    let verdict = one_shot(&tries, &health(3), Canary::Answers);
    assert_eq!(verdict.state, State::Down);
    assert_eq!(
        (verdict.since, verdict.newest_sample),
        (Some(at(0)), Some(at(20)))
    );
}

#[test]
fn a_probe_that_could_not_be_made_is_no_failure() {
    let tries = [sample(0, false), no_sample(), sample(20, false)];
    assert_eq!(one_shot_next(&tries, &health(3)), Next::Settled);
    assert_eq!(
        one_shot(&tries, &health(3), Canary::Unused).state,
        State::Suspect
    );
    let verdict = one_shot(
        &[no_sample(), no_sample(), no_sample()],
        &health(3),
        Canary::Unused,
    );
    assert_eq!(verdict.state, State::Unknown);
    assert!(verdict.reason.contains("the resolver does not answer"));
}

#[test]
fn a_silent_canary_declares_nobody_down() {
    let verdict = one_shot(&[sample(0, false)], &health(1), Canary::Silent);
    assert_eq!(verdict.state, State::Suspect);
    assert!(verdict.reason.contains("canary"), "{}", verdict.reason);
    assert!(verdict.spared);
    let tries = [sample(0, false), sample(1, true)];
    assert!(!one_shot(&tries, &health(1), Canary::Silent).spared);
    assert!(!one_shot(&[sample(0, false)], &health(2), Canary::Silent).spared);
    assert!(!one_shot(&[sample(0, false)], &health(1), Canary::Answers).spared);
}

#[test]
fn a_success_before_anothers_first_failure_is_asked_again() {
    let up = one_shot(&[sample(0, true)], &health(1), Canary::Unused);
    let down_later = one_shot(&[sample(1, false)], &health(1), Canary::Unused);
    let down_earlier = one_shot(&[sample(-1, false)], &health(1), Canary::Unused);
    assert!(needs_confirmation(&up, std::slice::from_ref(&down_later)));
    assert!(!needs_confirmation(
        &up,
        std::slice::from_ref(&down_earlier)
    ));
    assert!(!needs_confirmation(&trusted(), &[down_later]));
}

proptest! {
    #[test]
    fn down_takes_fall_failures_in_a_row(passes in prop::collection::vec(prop::option::of(any::<bool>()), 0..12), fall in 1_u32..5) {
        let tries: Vec<Probed> = passes.iter().zip(0..).map(|(passed, second)| match passed {
            Some(passed) => sample(second, *passed),
            None => no_sample(),
        }).collect();
        let verdict = one_shot(&tries, &health(fall), Canary::Unused);
        let seen: Vec<bool> = passes.iter().copied().flatten().collect();
        let in_a_row = seen.iter().rev().take_while(|passed| !**passed).count();
        let down = in_a_row >= usize::try_from(fall).unwrap();
        prop_assert_eq!(verdict.state == State::Down, down);
        prop_assert_eq!(verdict.state == State::Up, seen.last() == Some(&true));
        prop_assert_eq!(verdict.state == State::Unknown, seen.is_empty());
    }
}
