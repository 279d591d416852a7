//! What is refreshed, and when.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use proptest::prelude::*;

use super::support::{Scenario, ago, now, target};
use crate::model::{Name, Srv};
use crate::plan::{RefreshTimes, next_refresh, refreshable};

const HOUR: i64 = 3_600_000;
const EVERY: i64 = 24 * HOUR;

fn refreshed(scenario: &Scenario) -> String {
    let zone = scenario.zone();
    let records = refreshable(
        &zone,
        &scenario.hosts,
        &scenario.observed,
        &scenario.verdicts,
    );
    let texts: Vec<String> = records.iter().map(Srv::to_string).collect();
    texts.join("; ").replace(".corp.example.", "")
}

#[test]
fn records_of_hosts_that_are_up_are_added_again_as_read() {
    let hosts = "kms1 up in; KMS2 up; kms3 down in; kms4 unknown in; kms5 suspect in; \
                 kms6 up elsewhere in; s1 standby up in; kms7 up; old retired in";
    let scenario = Scenario::new(hosts).records("9 1 1700 kms2; rogue; 5 0 1688 kms1");
    assert_eq!(
        refreshed(&scenario),
        "0 0 1688 kms1; 5 0 1688 kms1; 9 1 1700 kms2; 0 0 1688 s1"
    );
    assert_eq!(refreshed(&scenario.clone().expect_empty()), "");
    assert_eq!(refreshed(&scenario.mixed_ttl()), "");
}

fn zones(number: usize) -> Vec<Name> {
    (0..number)
        .map(|number| target(&format!("_vlmcs._tcp.z{number}.example.")))
        .collect()
}

/// What happens over so many milliseconds, from `since` on: each refresh, by zone and time.
fn refreshes(
    zones: &[Name],
    last: &mut [Option<Timestamp>],
    since: Timestamp,
    length: i64,
) -> Vec<(usize, Timestamp)> {
    let end = since + SignedDuration::from_millis(length);
    let mut clock = since;
    let mut done = Vec::new();
    loop {
        let times = zones.iter().zip(&*last).map(|(owner, last)| RefreshTimes {
            owner,
            every: Duration::from_millis(24 * 3_600_000),
            last: *last,
        });
        let Some((place, at)) = next_refresh(times, since, clock).filter(|(_, at)| *at < end)
        else {
            return done;
        };
        clock = clock.max(at);
        last[place] = Some(clock);
        done.push((place, at));
    }
}

#[test]
fn a_day_refreshes_each_zone_once_and_never_many_at_once() {
    let zones = zones(240);
    let mut last = vec![None; zones.len()];
    for day in 0..3 {
        let begin = now() + SignedDuration::from_millis(day * EVERY);
        let done = refreshes(&zones, &mut last, begin, EVERY);
        let each: BTreeSet<usize> = done.iter().map(|(place, _)| *place).collect();
        assert_eq!((done.len(), each.len()), (240, 240));
        assert!(done.is_sorted_by_key(|(_, at)| *at));
        for hour in 0..24 {
            let begin = begin + SignedDuration::from_millis(hour * HOUR);
            let end = begin + SignedDuration::from_millis(HOUR);
            let within = |(_, at): &&(usize, Timestamp)| *at >= begin && *at < end;
            let number = done.iter().filter(within).count();
            assert!((1..=30).contains(&number), "{number} in hour {hour}");
        }
    }
}

#[test]
fn no_zone_is_nothing_to_wait_for() {
    assert_eq!(next_refresh([], now(), now()), None);
}

#[test]
fn what_was_missed_is_made_up_for_the_oldest_first() {
    let zones = zones(3);
    let times = |last: [i64; 3]| {
        let times = zones.iter().zip(last).map(|(owner, days)| RefreshTimes {
            owner,
            every: Duration::from_millis(24 * 3_600_000),
            last: Some(ago(days * 86_400)),
        });
        next_refresh(times, now(), now()).unwrap()
    };
    assert_eq!(times([3, 9, 6]).0, 1);
    assert_eq!(times([3, 0, 6]).0, 2);
    assert!(times([3, 9, 6]).1 < now());
    assert!(times([0, 0, 0]).1 > now());
}

proptest! {
    #![proptest_config(ProptestConfig {
        cases: 200,
        failure_persistence: None,
        ..ProptestConfig::default()
    })]

    /// The daemon is started again and again, or runs for good: nobody waits for two intervals.
    #[test]
    fn restarts_leave_no_zone_out(
        lengths in prop::collection::vec(HOUR..EVERY, 1..20),
        spelled in any::<bool>(),
    ) {
        let mut zones = zones(8);
        if spelled {
            zones = zones.iter().map(|zone| target(&zone.to_string().to_uppercase())).collect();
        }
        let mut last = vec![None; zones.len()];
        let (begin, mut since) = (now(), now());
        for length in lengths {
            refreshes(&zones, &mut last, since, length);
            since += SignedDuration::from_millis(length);
        }
        for last in last {
            let waited = since.duration_since(last.unwrap_or(begin));
            prop_assert!(waited.as_millis() <= i128::from(EVERY), "{:#}", waited);
        }
    }

    /// What was noted by a clock that ran ahead postpones by one interval at most.
    #[test]
    fn the_next_moment_is_within_one_interval(
        every in 1..100_000_u64,
        last in prop::option::of(-1_000_000..1_000_000_i64),
    ) {
        let zones = zones(1);
        let times = RefreshTimes {
            owner: &zones[0],
            every: Duration::from_millis(every),
            last: last.map(ago),
        };
        let (_, at) = next_refresh([times], now(), now()).unwrap();
        let wait = i128::from(at.as_millisecond() - now().as_millisecond());
        prop_assert!(wait <= i128::from(every));
        if let Some(last) = times.last.filter(|last| *last <= now()) {
            prop_assert!(at > last);
        }
    }
}
