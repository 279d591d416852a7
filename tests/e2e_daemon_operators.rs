//! An operator's words beside a running daemon: overrides, pauses, a failover, a dry run.

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
use serde_json::Value;

use support::{
    Bind, Daemon, Kms, Primary, Site, ZONE, ZoneText, dig, eventually, history, lines, published,
    serial,
};

const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const KMS3: &str = "kms3.corp.example.";

fn site(primary: &Primary, first: &Kms, second: &Kms) -> Site {
    let mut site = Site::with_primary(primary.address)
        .host(KMS1, first)
        .host(KMS2, second)
        .zone(ZONE);
    site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    site
}

fn word_on(site: &Site, host: usize) -> Value {
    let run = site.run(&["host", "list", "--format", "json"]);
    run.expect(0);
    run.json()["hosts"][host]["override"].clone()
}

#[test]
fn an_override_is_acted_on_within_two_seconds_and_ends_by_itself() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let site = site(&primary, &first, &second);
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));

    let run = site.run(&["host", "down", KMS2, "--for", "5s", "--reason", "patching"]);
    let said = Instant::now();
    run.expect(0);
    run.expect_text("the running daemon acts on it within seconds");
    eventually(|| published(&primary), lines(&["kms1"]));
    // Promised to operators, hence a time.
    assert!(
        said.elapsed() < Duration::from_secs(2),
        "{:?}",
        said.elapsed()
    );
    let forced = daemon.wait_for("forced down until");
    let word = word_on(&site, 1);
    let until: Timestamp = word["until"].as_str().unwrap().parse().unwrap();
    let told = format!("forced down until {until:.0} by ");
    assert!(forced.contains(&told), "{told}: {forced}");
    assert!(
        forced.contains(": \"patching\" host=kms2.corp.example."),
        "{forced}"
    );

    daemon.wait_for("no longer forced down");
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    assert_eq!(word_on(&site, 1), Value::Null);
    let change = &history(&site)[0];
    assert_eq!(change["actor"], format!("run: an override of {KMS2}"));
}

#[test]
fn an_override_ends_while_nothing_runs() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let site = site(&primary, &first, &second);
    let daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    site.run(&["host", "down", KMS2, "--for", "3s"]).expect(0);
    eventually(|| published(&primary), lines(&["kms1"]));
    daemon.stop();

    eventually(|| word_on(&site, 1), Value::Null);
    assert_eq!(published(&primary), lines(&["kms1"]));

    let _daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
}

#[test]
fn a_pause_stops_writing_until_resume_or_its_end() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::stopped());
    let site = site(&primary, &first, &second);
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1"]));

    site.run(&["pause", "--reason", "migration"]).expect(0);
    daemon.wait_for("planning and probing go on, nothing is written");
    second.restart();
    daemon.wait_for("kms2.corp.example. state=up");
    let why = daemon.wait_for("changes are pending, and nothing is written: paused until");
    assert!(why.contains("\"migration\""), "{why}");
    assert_eq!(published(&primary), lines(&["kms1"]));

    site.run(&["resume"]).expect(0);
    daemon.wait_for("the pause is over");
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));

    site.run(&["pause", "--for", "5s"]).expect(0);
    daemon.wait_for("planning and probing go on, nothing is written");
    let list = site.run(&["host", "list", "--format", "json"]).json();
    let until: Timestamp = list["pause"]["until"].as_str().unwrap().parse().unwrap();
    second.stop();
    daemon.wait_for("kms2.corp.example. state=down");
    eventually(|| published(&primary), lines(&["kms1"]));
    let asked: Timestamp = history(&site)[0]["asked_at"]
        .as_str()
        .unwrap()
        .parse()
        .unwrap();
    assert!(asked >= until, "{asked} {until}");
}

#[test]
fn a_failover_moves_both_hosts_at_once_and_later_runs_leave_it_so() {
    const BRANCH: &str = "branch.example.";
    let primary = Bind::start(&[ZoneText::new(ZONE), ZoneText::new(BRANCH)]);
    let (first, third) = (Kms::start(), Kms::start());
    let mut site = Site::with_primary(primary.address)
        .host(KMS1, &first)
        .host_with(KMS3, &third, "role = \"standby\"")
        .zone(ZONE)
        .zone(BRANCH)
        .daemon("interval = \"1s\"");
    site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    let both =
        || [ZONE, BRANCH].map(|zone| dig(primary.address, &format!("_vlmcs._tcp.{zone}"), "SRV"));
    let mut daemon = Daemon::start(&site, &["-v"]);
    eventually(both, [lines(&["kms1"]), lines(&["kms1"])]);

    site.run(&["failover", "--from", KMS1, "--yes"]).expect(0);

    assert_eq!(both(), [lines(&["kms3"]), lines(&["kms3"])]);
    let serials = || [ZONE, BRANCH].map(|zone| serial(primary.address, zone));
    let moved = serials();
    daemon.read_log();
    for _tick in 0..3 {
        daemon.wait_for("observed zone=corp.example.");
        daemon.wait_for("observed zone=branch.example.");
    }
    assert_eq!(both(), [lines(&["kms3"]), lines(&["kms3"])]);
    assert_eq!(serials(), moved);
}

#[test]
fn a_dry_run_takes_the_daemons_fresh_verdicts_and_asks_nobody() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let mut site = site(&primary, &first, &second);
    // One sample each, fresh for hours.
    site.health = "rise = 1\nfall = 2\ninterval = \"1h\"\ntimeout = \"1s\"".to_owned();
    let daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    let binds = || [first.binds(), second.binds()];
    assert_eq!(binds(), [1, 1]);

    // What the newest transition said is stored a moment after it is acted on.
    eventually(
        || {
            let before = binds();
            site.run(&["plan"]).expect(0);
            binds() == before
        },
        true,
    );
    let asked = binds();
    site.run(&["plan"]).expect(0);
    site.run(&["apply", "--yes"]).expect(0);
    assert_eq!(binds(), asked);

    // Without a daemon nobody vouches for them.
    daemon.stop();
    site.run(&["plan"]).expect(0);
    assert_eq!(binds(), asked.map(|binds| binds + 1));
}
