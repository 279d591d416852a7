//! The hooks of a running daemon: who hears what, how often, and that no hook hurts.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::fs;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::{Bind, Daemon, Kms, Primary, Site, ZONE, ZoneText, eventually, lines, published};

fn site(primary: &Primary, first: &Kms, second: &Kms) -> Site {
    let mut site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", first)
        .host("kms2.corp.example.", second)
        .zone(ZONE)
        .policy("max_removals = 10");
    site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    site
}

/// What a hook has heard.
fn heard(site: &Site, file: &str) -> Vec<Value> {
    fs::read_to_string(site.path(file))
        .unwrap_or_default()
        .lines()
        .map(|line| serde_json::from_str(line).unwrap())
        .collect()
}

/// Lets both hooks write what they hear into files of their names.
fn with_ears(mut site: Site) -> Site {
    let keys = ["changes", "alerts"].map(|file| {
        let key = if file == "changes" {
            "on_change"
        } else {
            "on_alert"
        };
        format!(
            "{key} = [\"sh\", \"-c\", \"cat >> {}\"]",
            site.path(file).display()
        )
    });
    let interval = std::mem::take(&mut site.daemon);
    site.daemon(&format!("{interval}\n{}", keys.join("\n")))
}

#[test]
fn on_change_hears_of_each_zone_once_with_its_outcome() {
    let zones = [ZONE, "branch.example."];
    let primary = Bind::start(&zones.map(ZoneText::new));
    let (first, mut second) = (Kms::start(), Kms::start());
    second.stop();
    let site = with_ears(site(&primary, &first, &second).zone("branch.example."));
    let _daemon = Daemon::start(&site, &[]);

    eventually(|| heard(&site, "changes").len(), 2);
    second.restart();
    eventually(|| heard(&site, "changes").len(), 4);

    // Zones that were empty until the hosts had been asked are no reason to call anybody.
    assert_eq!(heard(&site, "alerts"), Vec::<Value>::new());
    let changes = heard(&site, "changes");
    for (both, host) in changes.chunks(2).zip(["kms1", "kms2"]) {
        let mut of: Vec<&str> = both
            .iter()
            .map(|change| change["zone"].as_str().unwrap())
            .collect();
        of.sort_unstable();
        assert_eq!(of, ["branch.example.", ZONE]);
        for change in both {
            assert_eq!(change["event"], "change");
            assert_eq!(change["outcome"], "applied");
            assert_eq!(change["rcode"], "NOERROR");
            assert_eq!(change["actor"], format!("run: {host}.{ZONE} is up"));
            let target = &change["changes"][0]["after"]["target"];
            assert_eq!(target, &format!("{host}.{ZONE}"));
        }
    }
}

#[test]
fn on_alert_hears_of_a_state_once_and_again_when_it_returns() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let site = site(&primary, &first, &second)
        .policy("min_hosts = 2")
        .daemon("interval = \"1s\"");
    let site = with_ears(site);
    let mut daemon = Daemon::start(&site, &["-v"]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    // Until both were up, fewer hosts were published than wanted.
    let held = || {
        let alerts = heard(&site, "alerts");
        let of_host =
            |alert: &&Value| alert["kind"] == "held" && alert["host"] == "kms2.corp.example.";
        alerts.iter().filter(of_host).count()
    };
    for round in 1..=2 {
        second.stop();
        eventually(held, round);
        daemon.read_log();
        for _tick in 0..3 {
            daemon.wait_for("observed zone=corp.example.");
        }
        assert_eq!(held(), round);
        second.restart();
        daemon.wait_for("kms2.corp.example. state=up");
        daemon.wait_for("observed zone=corp.example.");
    }
    assert_eq!(published(&primary), lines(&["kms1", "kms2"]));
}

#[test]
fn a_silent_canary_holds_what_fails_and_says_so() {
    let primary = Bind::start(&[ZONE, "branch.example."].map(ZoneText::new));
    let (mut first, mut second, mut canary) = (Kms::start(), Kms::start(), Kms::start());
    let mut site = site(&primary, &first, &second).policy("max_removals = 10");
    site.health = format!("{}\ncanary = [\"{}:1688\"]", site.health, canary.ip());
    let site = with_ears(site.zone("branch.example."));
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    // Once for all zones.
    let frozen = || {
        let alerts = heard(&site, "alerts");
        let of_network = |alert: &&Value| alert["kind"] == "freeze" && alert["zone"].is_null();
        alerts.iter().filter(of_network).count()
    };
    for round in 1..=2 {
        canary.stop();
        first.stop();
        second.stop();
        // Long before the next look that nothing but the time asks for.
        eventually(frozen, round);
        assert_eq!(published(&primary), lines(&["kms1", "kms2"]));
        // The network is back: hosts that went on failing would be removed now.
        first.restart();
        second.restart();
        canary.restart();
        daemon.wait_for("a canary accepts a connection again");
        let is_over = || (hosts_up(&site), zone_state(&site));
        eventually(is_over, (2, "in-sync".to_owned()));
    }

    // A command that looks once says the same.
    drop(daemon);
    canary.stop();
    second.stop();
    let run = site.run(&["plan"]);
    run.expect(3);
    run.expect_text("no canary accepts a connection, so our own network is suspect");
    let run = site.run(&["plan", "--format", "nagios"]);
    run.expect(2);
    canary.restart();
    let plan = site.run(&["plan", "--format", "json"]).json();
    assert_eq!(plan["summary"]["held"], 0);
    assert_eq!(plan["summary"]["deletes"], 2);
}

fn hosts_up(site: &Site) -> usize {
    let status = site.run(&["status", "--format", "json"]).json();
    let hosts = status["hosts"].as_array().unwrap();
    hosts.iter().filter(|host| host["state"] == "up").count()
}

fn zone_state(site: &Site) -> String {
    let status = site.run(&["status", "--format", "json"]).json();
    status["zones"][0]["state"].as_str().unwrap().to_owned()
}

#[test]
fn hooks_that_fail_or_hang_hurt_nothing() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let site = site(&primary, &first, &second)
        .policy("min_hosts = 1\nmax_removals = 10")
        .daemon("on_change = [\"false\"]\non_alert = [\"sleep\", \"1000\"]");
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    daemon.wait_for("on_change: false: exit status 1");

    // The last host: an alert, whose hook hangs.
    let mut first = first;
    second.stop();
    eventually(|| published(&primary), lines(&["kms1"]));
    first.stop();
    daemon.wait_for("published hosts that are not down would remain");
    second.restart();
    eventually(|| published(&primary), lines(&["kms2"]));

    let told = Instant::now();
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
    assert!(told.elapsed() < Duration::from_secs(5), "{log}");
    assert!(log.contains("on_alert did not come to its end"), "{log}");
}
