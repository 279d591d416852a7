//! SIGHUP under way, and what systemd hears of a daemon's life.

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
    Bind, Daemon, Kms, Primary, RIVAL, Site, Systemd, ZONE, ZoneText, dig, eventually, history,
    holding, lines, nsupdate, outcomes, published, serial,
};

const BRANCH: &str = "branch.example.";
const QUICK: &str = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"";

fn site(primary: &Primary, first: &Kms) -> Site {
    let mut site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", first)
        .zone(ZONE);
    site.health = QUICK.to_owned();
    site
}

/// Writes the configuration as it is now and has the daemon take it.
fn reload(site: &Site, daemon: &Daemon, systemd: &Systemd) {
    site.configure();
    daemon.signal("HUP");
    let said = systemd.next(&[]);
    assert!(said.starts_with("RELOADING=1\nMONOTONIC_USEC="), "{said}");
    assert_eq!(systemd.next(&[]), "READY=1");
}

#[test]
fn zones_hosts_and_the_interval_change_under_way() {
    let primary = Bind::start(&[ZoneText::new(ZONE), ZoneText::new(BRANCH)]);
    let (first, second) = (Kms::start(), Kms::start());
    let branch = || dig(primary.address, &format!("_vlmcs._tcp.{BRANCH}"), "SRV");
    let site = site(&primary, &first).daemon("interval = \"1h\"");
    let systemd = Systemd::listen(&site);
    let daemon = Daemon::start_in(&site, &[("NOTIFY_SOCKET", systemd.address())], &["-v"]);
    assert_eq!(systemd.next(&[]), "READY=1");
    eventually(|| published(&primary), lines(&["kms1"]));

    let site = site.host("kms2.corp.example.", &second).zone(BRANCH);
    reload(&site, &daemon, &systemd);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    eventually(branch, lines(&["kms1", "kms2"]));

    // Known hosts are not asked from the beginning: nothing left DNS meanwhile.
    let removes = |change: &serde_json::Value| {
        let changes = change["changes"].as_array().unwrap();
        changes.iter().any(|change| change["type"] == "delete")
    };
    assert!(!history(&site).iter().any(removes));

    // A zone that is taken out stays as it is, and is kept no more; the timer of the other one
    // comes within the new interval, not the hour.
    let site = site.without_zones().zone(ZONE).daemon("interval = \"1s\"");
    reload(&site, &daemon, &systemd);
    let drift = |zone: &str| {
        let owner = format!("_vlmcs._tcp.{zone}");
        let script = format!("update add {owner} 60 SRV 0 0 1688 kms1.corp.example.");
        nsupdate(primary.address, RIVAL, &script);
    };
    let asked = serial(primary.address, BRANCH);
    drift(BRANCH);
    let drifted = branch();
    for _round in 0..2 {
        drift(ZONE);
        eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    }
    assert_eq!(branch(), drifted);
    assert_ne!(serial(primary.address, BRANCH), asked);
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
}

/// What operators said before is no news, and not what asked for the reload's changes.
#[test]
fn an_override_and_a_pause_that_hold_are_not_heard_again() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let mut site = site(&primary, &first).host("kms2.corp.example.", &second);
    let systemd = Systemd::listen(&site);
    let mut daemon = Daemon::start_in(&site, &[("NOTIFY_SOCKET", systemd.address())], &[]);
    assert_eq!(systemd.next(&[]), "READY=1");
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    site.run(&["host", "down", "kms2.corp.example."]).expect(0);
    eventually(|| published(&primary), lines(&["kms1"]));

    site.record = "ttl = \"2h\"".to_owned();
    reload(&site, &daemon, &systemd);
    let repaired = vec!["7200 0 0 1688 kms1.corp.example.".to_owned()];
    eventually(|| published(&primary), repaired);
    assert_eq!(history(&site)[0]["actor"], "run: reload");

    site.run(&["pause"]).expect(0);
    daemon.wait_for("planning and probing go on, nothing is written");
    site.record = "ttl = \"3h\"".to_owned();
    reload(&site, &daemon, &systemd);
    daemon.wait_for("reloaded");
    let why = daemon.wait_for("changes are pending, and nothing is written: paused until");
    assert!(why.contains("changes=1"), "{why}");

    // What was said is known all the same, and its end is heard.
    site.run(&["host", "clear", "kms2.corp.example."]).expect(0);
    daemon.wait_for("no longer forced down");
    site.run(&["resume"]).expect(0);
    daemon.wait_for("the pause is over");
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
    assert_eq!(log.matches("INFO forced down until").count(), 1, "{log}");
    let paused = "planning and probing go on, nothing is written";
    assert_eq!(log.matches(paused).count(), 1, "{log}");
}

#[test]
fn what_only_a_restart_can_change_is_refused_and_says_so() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let site = site(&primary, &first);
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1"]));
    let file = site.path("srvkeeper.toml");
    let good = fs::read_to_string(&file).unwrap();
    let state = format!("state_dir = \"{}", site.path("state").display());
    let http = "http = \"127.0.0.1:9686\"\n";
    let authority =
        "[authority]\nlisten = [\"127.0.0.1:1\"]\nkey = \"primary\"\nzones = [\"z.zone\"]\n";
    fs::write(
        site.path("z.zone"),
        "$ORIGIN z.example.\n$TTL 300\n@ SOA ns hostmaster 1 60 30 86400 30\n@ NS ns\nns A 127.0.0.1\n",
    )
    .unwrap();
    for (what, text) in [
        (
            "daemon.state_dir",
            good.replace(&state, &format!("{state}-2")),
        ),
        (
            "daemon.http",
            good.replace(&state, &format!("{http}{state}")),
        ),
        ("[authority]", format!("{good}{authority}")),
    ] {
        assert_ne!(text, good);
        fs::write(&file, text).unwrap();
        daemon.signal("HUP");
        let said = daemon.wait_for("the old one stays in force");
        assert!(said.contains(what) && said.contains("restart"), "{said}");
    }
    assert!(!site.path("state-2").exists());

    // It lives on, and takes the next good one.
    fs::write(&file, &good).unwrap();
    let site = site.host("kms2.corp.example.", &second);
    site.configure();
    daemon.signal("HUP");
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
}

#[test]
fn a_reload_in_the_middle_of_an_update_loses_nothing() {
    for answer_comes in [true, false] {
        let primary = Bind::start(&[ZoneText::new(ZONE)]);
        let (first, second) = (Kms::start(), Kms::start());
        let (proxy, arrival, release) = holding(&primary, 1);
        let mut site = Site::with_primary(proxy.address)
            .host("kms1.corp.example.", &first)
            .zone(ZONE);
        site.health = QUICK.to_owned();
        let systemd = Systemd::listen(&site);
        let environment = [("NOTIFY_SOCKET", systemd.address())];
        let mut daemon = Daemon::start_in(&site, &environment, &[]);
        assert_eq!(systemd.next(&[]), "READY=1");
        arrival.recv().unwrap();

        let site = site.host("kms2.corp.example.", &second);
        site.configure();
        daemon.signal("HUP");
        assert!(systemd.next(&[]).starts_with("RELOADING=1"));
        if answer_comes {
            // While that is waited for, the daemon is seen to live.
            let at = || site.run(&["status", "--format", "json"]).json()["at"].clone();
            let before = at();
            eventually(|| at() == before, false);
            assert!(outcomes(&site).contains(&"open".to_owned()));
            release.send(()).unwrap();
            assert_eq!(systemd.next(&[]), "READY=1");
        } else {
            // The update is given up by its own time-out, and not by the reload.
            assert_eq!(systemd.next(&[]), "READY=1");
            daemon.wait_for("outcome=unknown");
            // It arrives late, beside the new configuration's first update.
            drop(release);
        }

        eventually(|| published(&primary), lines(&["kms1", "kms2"]));
        eventually(|| outcomes(&site).contains(&"open".to_owned()), false);
        let (status, log) = daemon.stop();
        assert!(status.success(), "{status}: {log}");
        if answer_comes {
            let all_applied = outcomes(&site).iter().all(|kind| kind == "applied");
            assert!(all_applied, "{:?}: {log}", outcomes(&site));
        }
    }
}

#[test]
fn systemd_hears_of_each_step() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let first = Kms::start();
    let site = site(&primary, &first);
    let systemd = Systemd::listen(&site);
    let environment = [
        ("NOTIFY_SOCKET", systemd.address()),
        // Without WATCHDOG_PID, which would have to name the child of `timeout`.
        ("WATCHDOG_USEC", "200000"),
    ];
    let daemon = Daemon::start_in(&site, &environment, &[]);
    assert_eq!(systemd.next(&[]), "READY=1");
    eventually(
        || systemd.next(&["STATUS"]),
        "STATUS=enforce: 1 of 1 hosts up, 1 zones".to_owned(),
    );
    for _beat in 0..5 {
        assert_eq!(systemd.next(&["WATCHDOG"]), "WATCHDOG=1");
    }

    reload(&site, &daemon, &systemd);
    // Refused: the old configuration is in force, and systemd does not wait for ever.
    fs::write(site.path("srvkeeper.toml"), "version = 1\n[deamon]\n").unwrap();
    daemon.signal("HUP");
    assert!(systemd.next(&[]).starts_with("RELOADING=1"));
    assert_eq!(systemd.next(&[]), "READY=1");

    daemon.signal("TERM");
    assert_eq!(systemd.next(&[]), "STOPPING=1");
    let (status, log) = daemon.wait();
    assert!(status.success(), "{status}: {log}");
    assert!(log.contains("the old one stays in force"), "{log}");
}
