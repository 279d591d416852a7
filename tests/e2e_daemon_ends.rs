//! How the daemon ends: told to, while its primary hangs in an update, and by a crash; and how the
//! next one begins.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::time::{Duration, Instant};

use support::{
    Bind, Daemon, Fate, Kms, Primary, Proxy, Site, Systemd, ZONE, ZoneText, eventually, history,
    holding, lines, outcomes, published,
};

/// What is promised to systemd.
const ENDS_WITHIN: Duration = Duration::from_secs(5);
const SETTLED: &str = "settled what an earlier run left open";

/// One host, which is up at the first sample.
fn site(proxy: &Proxy, kms: &Kms) -> Site {
    let mut site = Site::with_primary(proxy.address)
        .host("kms1.corp.example.", kms)
        .zone(ZONE);
    site.health = "rise = 1\nfall = 3\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    site
}

/// A daemon starts on a healthy primary, and all is well.
fn next_start_makes_good(site: &Site, primary: &Primary) -> String {
    let mut daemon = Daemon::start(site, &[]);
    daemon.wait_for(SETTLED);
    eventually(|| published(primary), lines(&["kms1"]));
    eventually(|| outcomes(site).contains(&"open".to_owned()), false);
    let (status, log) = daemon.stop();
    assert!(status.success(), "{log}");
    log
}

#[test]
fn a_primary_that_hangs_in_an_update_delays_the_end_but_little() {
    for (signal, fate) in [
        ("TERM", None),
        ("INT", None),
        ("TERM", Some(Fate::SwallowAnswer)),
    ] {
        let primary = Bind::start(&[ZoneText::new(ZONE)]);
        let kms = Kms::start();
        // Either the update never arrives, or its answer never does.
        let (proxy, arrival, release) = match fate {
            None => holding(&primary, 1),
            Some(fate) => {
                let (arrived, arrival) = std::sync::mpsc::channel();
                let proxy = Proxy::start(primary.address, move |ordinal| {
                    arrived.send(()).unwrap();
                    if ordinal == 1 { fate } else { Fate::Pass }
                });
                (proxy, arrival, std::sync::mpsc::channel().0)
            }
        };
        let site = site(&proxy, &kms);
        let daemon = Daemon::start(&site, &[]);
        arrival.recv().unwrap();

        let told = Instant::now();
        daemon.signal(signal);
        let (status, log) = daemon.wait();

        let took = told.elapsed();
        assert!(took < ENDS_WITHIN, "{signal}: {took:?}: {log}");
        assert!(status.success(), "{signal}: {status}: {log}");
        assert!(log.contains("updates are still under way"), "{log}");
        assert_eq!(outcomes(&site), ["open"]);

        // What was held arrives late, when nobody waits for it any more.
        drop(release);
        next_start_makes_good(&site, &primary);
    }
}

#[test]
fn an_answer_that_comes_in_time_is_read_back_and_stored_before_the_end() {
    for signal in ["TERM", "INT"] {
        let primary = Bind::start(&[ZoneText::new(ZONE)]);
        let kms = Kms::start();
        let (proxy, arrival, release) = holding(&primary, 1);
        let site = site(&proxy, &kms);
        let systemd = Systemd::listen(&site);
        let daemon = Daemon::start_in(&site, &[("NOTIFY_SOCKET", systemd.address())], &[]);
        assert_eq!(systemd.next(&[]), "READY=1");
        arrival.recv().unwrap();

        daemon.signal(signal);
        assert_eq!(systemd.next(&[]), "STOPPING=1");
        release.send(()).unwrap();
        let (status, log) = daemon.wait();

        assert!(status.success(), "{signal}: {status}: {log}");
        assert_eq!(outcomes(&site), ["applied"], "{log}");
        assert_eq!(published(&primary), lines(&["kms1"]));
    }
}

#[cfg(feature = "fault-points")]
#[test]
fn after_a_crash_in_any_phase_the_next_start_has_the_desired_set_and_no_open_intent() {
    const PHASES: [&str; 5] = ["planned", "intent-durable", "sent", "answered", "read-back"];
    for phase in PHASES {
        let zone = ZoneText::new(ZONE).srv(600, &["0 0 1688 old.corp.example."]);
        let primary = Bind::start(&[zone]);
        let (first, second, old) = (Kms::start(), Kms::start(), Kms::start());
        let mut site = Site::with_primary(primary.address)
            .host("kms1.corp.example.", &first)
            .host("kms2.corp.example.", &second)
            .host_with("old.corp.example.", &old, "role = \"retired\"")
            .zone(ZONE);
        site.health = "rise = 1\nfall = 3\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
        let fault = [("SRVKEEPER_FAULT", phase)];
        let (status, log) = Daemon::start_in(&site, &fault, &[]).wait();
        assert_eq!(status.code(), None, "{phase}: {status}: {log}");

        let daemon = Daemon::start(&site, &[]);
        eventually(|| published(&primary), lines(&["kms1", "kms2"]));
        eventually(|| outcomes(&site).contains(&"open".to_owned()), false);
        daemon.stop();

        let applied: Vec<_> = history(&site)
            .into_iter()
            .filter(|change| change["outcome"]["kind"] == "applied")
            .collect();
        for (target, side) in [("kms1", "after"), ("kms2", "after"), ("old", "before")] {
            let name = format!("{target}.{ZONE}");
            let kind = if side == "after" { "create" } else { "delete" };
            let times = applied
                .iter()
                .flat_map(|change| change["changes"].as_array().unwrap())
                .filter(|change| change["type"] == kind && change[side]["target"] == name.as_str())
                .count();
            assert_eq!(times, 1, "{phase}: {target}: {applied:#?}");
        }
    }
}

#[test]
fn samples_survive_a_crash() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let proxy = Proxy::start(primary.address, |_| Fate::Pass);
    let (first, mut second) = (Kms::start(), Kms::start());
    let mut site = Site::with_primary(proxy.address)
        .host("kms1.corp.example.", &first)
        .host("kms2.corp.example.", &second)
        .zone(ZONE);
    // Fresh for twelve seconds.
    site.health = "rise = 2\nfall = 3\ninterval = \"2s\"\ntimeout = \"500ms\"".to_owned();
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    eventually(
        || site.run(&["plan", "--format", "json"]).json()["hosts"][1]["verdict"].clone(),
        "up".into(),
    );

    // One failure of three, then a crash: the next start neither forgets that the host was up, nor
    // removes it for what it did not see.
    second.stop();
    daemon.wait_for("kms2.corp.example. state=suspect");
    daemon.kill();
    let updates = proxy.updates();
    support::nsupdate(
        primary.address,
        support::RIVAL,
        &format!(
            "update delete {} SRV 0 0 1688 kms1.corp.example.",
            support::OWNER
        ),
    );
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    // At once, and not when two new samples had passed.
    assert_eq!(history(&site)[0]["actor"], "run: start");
    assert_eq!(proxy.updates(), updates + 1);

    daemon.wait_for("kms2.corp.example. state=down");
    eventually(|| published(&primary), lines(&["kms1"]));
    let newest = &history(&site)[0];
    assert_eq!(newest["changes"][0]["reason"]["code"], "host-down");
    assert_eq!(proxy.updates(), updates + 2);
}
