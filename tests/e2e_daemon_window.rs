//! How soon the daemon acts: on hosts that die and return, and on several at once.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::time::{Duration, Instant};

use jiff::Timestamp;

use support::{
    Bind, Daemon, Kms, Knot, Site, ZONE, ZoneText, eventually, history, lines, published,
};

const INTERVAL: Duration = Duration::from_millis(500);
const RISE: u32 = 2;
const FALL: u32 = 3;
/// What the product promises beside `rise` or `fall` intervals.
const ALLOWANCE: Duration = Duration::from_secs(1);

/// The one place where a time is asserted: it is the promise itself.
#[test]
fn a_dead_host_is_gone_and_a_live_one_is_back_within_the_promised_time() {
    let zones = || [ZoneText::new(ZONE)];
    for primary in [Bind::start(&zones()), Knot::start(&zones())] {
        let (first, mut second) = (Kms::start(), Kms::start());
        let mut site = Site::with_primary(primary.address)
            .policy("max_removals = 10")
            .host("kms1.corp.example.", &first)
            .host("kms2.corp.example.", &second)
            .zone(ZONE);
        site.health =
            format!("rise = {RISE}\nfall = {FALL}\ninterval = \"500ms\"\ntimeout = \"300ms\"");
        let daemon = Daemon::start(&site, &[]);
        eventually(|| published(&primary), lines(&["kms1", "kms2"]));

        for _round in 0..2 {
            let killed = Instant::now();
            second.stop();
            eventually(|| published(&primary), lines(&["kms1"]));
            let gone = killed.elapsed();
            assert!(gone <= FALL * INTERVAL + ALLOWANCE, "gone after {gone:?}");

            let returned = Instant::now();
            second.restart();
            eventually(|| published(&primary), lines(&["kms1", "kms2"]));
            let back = returned.elapsed();
            assert!(back <= RISE * INTERVAL + ALLOWANCE, "back after {back:?}");
        }
        let (status, log) = daemon.stop();
        assert!(status.success(), "{log}");
    }
}

#[test]
fn of_two_dead_hosts_the_second_leaves_one_interval_after_the_first() {
    const EVERY: Duration = Duration::from_secs(4);
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let mut hosts: Vec<Kms> = (0..4).map(|_| Kms::start()).collect();
    let mut site = Site::with_primary(primary.address).daemon("interval = \"4s\"");
    for (kms, name) in hosts.iter().zip(["kms1", "kms2", "kms3", "kms4"]) {
        site = site.host(&format!("{name}.{ZONE}"), kms);
    }
    let mut site = site.zone(ZONE);
    site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    let _daemon = Daemon::start(&site, &[]);
    eventually(
        || published(&primary),
        lines(&["kms1", "kms2", "kms3", "kms4"]),
    );

    for kms in &mut hosts[2..] {
        kms.stop();
    }

    eventually(|| published(&primary).len(), 3);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    let removals: Vec<Timestamp> = history(&site)
        .iter()
        .filter(|change| change["changes"][0]["type"] == "delete")
        .map(|change| {
            assert_eq!(change["changes"].as_array().unwrap().len(), 1);
            change["asked_at"].as_str().unwrap().parse().unwrap()
        })
        .collect();
    assert_eq!(removals.len(), 2, "{removals:?}");
    let between = removals[0].duration_since(removals[1]).unsigned_abs();
    assert!(between >= EVERY, "max_removals counts: {between:?}");
    assert!(between < EVERY + ALLOWANCE, "{between:?}");
}
