//! The daemon, as a process against BIND.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::fs;

use support::{
    Bind, Daemon, Kms, Primary, Site, ZoneText, dig, eventually, serial, unused_address,
};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";

fn line(host: &str) -> String {
    format!("3600 0 0 1688 {host}.corp.example.")
}

fn lines(hosts: &[&str]) -> Vec<String> {
    hosts.iter().map(|host| line(host)).collect()
}

fn published(primary: &Primary) -> Vec<String> {
    dig(primary.address, OWNER, "SRV")
}

/// Two hosts that answer, nothing published.
fn two_hosts(primary: &Primary, first: &Kms, second: &Kms) -> Site {
    let mut site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", first)
        .host("kms2.corp.example.", second)
        .zone(ZONE);
    site.health = "rise = 2\nfall = 3\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    site
}

#[test]
fn a_host_that_dies_goes_and_one_that_lives_again_returns() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let site = two_hosts(&primary, &first, &second);
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    second.stop();
    daemon.wait_for("kms2.corp.example. state=down");
    eventually(|| published(&primary), lines(&["kms1"]));
    second.restart();
    daemon.wait_for("kms2.corp.example. state=up");
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    assert!(!first.saw_anything_else() && !second.saw_anything_else());

    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("outcome=applied"), "{log}");
    // Which record went, and why.
    let removed = "applied: delete 0 0 1688 kms2.corp.example. ttl=3600 (host-down: ";
    assert_eq!(log.matches(removed).count(), 1, "{log}");
    // Who asked stands in the history.
    let history = site.run(&["history", "--format", "json"]).json();
    let actors: Vec<&str> = history["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|change| change["actor"].as_str().unwrap())
        .collect();
    assert_eq!(
        actors[..2],
        [
            "run: kms2.corp.example. is up",
            "run: kms2.corp.example. is down"
        ]
    );
}

/// A host that was never up, fails once, and is up then.
#[test]
fn a_host_that_is_up_after_its_first_failure_is_published_at_once() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::stopped());
    let mut site = two_hosts(&primary, &first, &second);
    site.health = "rise = 1\nfall = 20\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("kms2.corp.example. state=suspect before=unknown");
    eventually(|| published(&primary), lines(&["kms1"]));
    second.restart();
    daemon.wait_for("kms2.corp.example. state=up before=suspect");
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
}

#[test]
fn audit_sends_nothing_and_says_what_is_pending() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    for (mode, arguments) in [("audit", &[][..]), ("enforce", &["--audit"][..])] {
        let mut site = two_hosts(&primary, &first, &second);
        site.mode = mode;
        let site = site.daemon("interval = \"1s\"");
        let before = serial(primary.address, ZONE);
        let mut daemon = Daemon::start(&site, arguments);
        let pending =
            |host: &str| format!("pending: create 0 0 1688 {host}.{ZONE} ttl=3600 (host-up: ");
        daemon.wait_for("changes=2");
        daemon.wait_for(&pending("kms1"));
        daemon.wait_for(&pending("kms2"));
        // While the same is pending, the timer's looks say nothing of it.
        let looks =
            || site.run(&["status", "--format", "json"]).json()["zones"][0]["last_attempt"].clone();
        for _look in 0..2 {
            let last = looks();
            eventually(|| looks() == last, false);
        }
        let (_status, log) = daemon.stop();
        let (_, both) = log.split_once("changes=2").unwrap();
        assert!(!both.contains("changes are pending"), "{log}");
        assert_eq!(both.matches("pending: ").count(), 2, "{log}");
        let started = match arguments {
            [] => "mode=\"audit\"",
            _ => "mode=\"audit, by --audit\"",
        };
        assert!(log.contains(started), "{log}");
        assert_eq!(published(&primary), lines(&[]));
        assert_eq!(serial(primary.address, ZONE), before);
    }
}

#[test]
fn a_reload_takes_a_good_configuration_and_refuses_a_bad_one() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second, third) = (Kms::start(), Kms::start(), Kms::start());
    let site = two_hosts(&primary, &first, &second);
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));

    // Emptied, and wrong.
    let file = site.path("srvkeeper.toml");
    let good = fs::read_to_string(&file).unwrap();
    for bad in [
        "version = 1\ninclude = [\"zones.d/*.toml\"]\n",
        "version = 1\n[deamon]\n",
    ] {
        fs::write(&file, bad).unwrap();
        daemon.signal("HUP");
        daemon.wait_for("srvkeeper.toml:2:");
        daemon.wait_for("the old one stays in force");
    }
    assert!(!daemon.log.contains("reloaded"), "{}", daemon.log);
    fs::write(&file, &good).unwrap();
    assert_eq!(published(&primary), lines(&["kms1", "kms2"]));

    let site = site.host("kms3.corp.example.", &third);
    site.configure();
    daemon.signal("HUP");
    let reloaded = daemon.wait_for("reloaded");
    assert!(reloaded.contains("zones=1 hosts=3"), "{reloaded}");
    eventually(|| published(&primary), lines(&["kms1", "kms2", "kms3"]));
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
}

#[test]
fn the_log_tells_of_the_start_and_of_what_ended_it() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let http = unused_address();
    let site = two_hosts(&primary, &first, &second).daemon(&format!("http = \"{http}\""));
    for (signal, name) in [("TERM", "SIGTERM"), ("INT", "SIGINT")] {
        let mut daemon = Daemon::start(&site, &[]);
        let started = daemon.wait_for("INFO started");
        for field in [
            &format!("version=\"{}\"", env!("CARGO_PKG_VERSION")),
            &format!("config={}", site.path("srvkeeper.toml").display()),
            "mode=\"enforce\" zones=1 hosts=2",
            &format!("http={http}"),
        ] {
            assert!(started.contains(field), "{field}: {started}");
        }
        daemon.signal(signal);
        let (status, log) = daemon.wait();
        assert!(status.success(), "{status}: {log}");
        assert!(log.contains(&format!("signal=\"{name}\"")), "{log}");
    }
}
