//! The daemon and its primaries: dead ones beside healthy ones, a second writer, its own embedded
//! one.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::collections::BTreeSet;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

use support::{
    Bind, Daemon, Fate, Kms, OWNER, Proxy, RIVAL, SRVKEEPER, Site, ZONE, ZoneText, dig, eventually,
    lines, nsupdate, outcomes, published, serial, unused_address,
};

const QUICK: &str = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"";
/// Two failed samples, and the allowance that the product promises beside them.
const PROMISED: Duration = Duration::from_millis(1_400);

#[test]
fn a_dead_primary_delays_no_other_zone_and_its_zone_is_repaired_when_it_is_back() {
    let zones = [ZONE, "back.example.", "gone.example.", "mute.example."];
    let primary = Bind::start(&zones.map(ZoneText::new));
    let (first, mut second) = (Kms::start(), Kms::start());
    let proxy = Proxy::start(primary.address, |_| Fate::Pass);
    proxy.vanish();
    // Connections wait in the queue of a listener that takes none.
    let mute = TcpListener::bind(unused_address()).unwrap();
    let mut site = Site::with_primary(primary.address)
        .server("back", proxy.address, SRVKEEPER)
        .server("gone", unused_address(), SRVKEEPER)
        .server("mute", mute.local_addr().unwrap(), SRVKEEPER)
        .host("kms1.corp.example.", &first)
        .host("kms2.corp.example.", &second)
        .daemon("interval = \"1s\"")
        .policy("max_removals = 100")
        .zone(ZONE);
    for server in ["back", "gone", "mute"] {
        site = site.zone_with(&format!("{server}.example."), server, "");
    }
    site.health = QUICK.to_owned();
    // What lasts is told at debug.
    let mut daemon = Daemon::start(&site, &["-v"]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));

    for zone in ["back.example.", "gone.example.", "mute.example."] {
        daemon.wait_for(&format!("zone={zone}"));
    }
    // They are tried again and again, and the healthy zone minds none of it.
    for _round in 0..2 {
        let killed = Instant::now();
        second.stop();
        eventually(|| published(&primary), lines(&["kms1"]));
        assert!(killed.elapsed() < PROMISED, "{:?}", killed.elapsed());
        second.restart();
        eventually(|| published(&primary), lines(&["kms1", "kms2"]));

        // The timer: another TTL, which contests nothing.
        let script = format!("update add {OWNER} 60 SRV 0 0 1688 kms1.{ZONE}");
        nsupdate(primary.address, RIVAL, &script);
        let repaired = eventually(|| published(&primary), lines(&["kms1", "kms2"]));
        assert!(repaired < Duration::from_secs(2), "{repaired:?}");
        daemon.wait_for("zone=mute.example.");
        daemon.wait_for("zone=gone.example.");
    }

    let back = || dig(primary.address, "_vlmcs._tcp.back.example.", "SRV");
    assert!(back().is_empty());
    proxy.revive();
    eventually(back, lines(&["kms1", "kms2"]));
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
    // With back-off: a primary that refuses at once is not asked all the time.
    let asked = log.matches("zone=gone.example.").count();
    assert!(asked < 60, "{asked} times: {log}");
    let of = |zone: &str, text: &str| {
        let field = format!("zone={zone}");
        let lines = log.lines().filter(|line| line.contains(&field));
        lines.filter(|line| line.contains(text)).count()
    };
    for zone in ["back.example.", "gone.example.", "mute.example."] {
        assert_eq!(of(zone, "WARN zone "), 1, "{zone}: {log}");
        assert_eq!(of(zone, "kind=unreadable"), 1, "{zone}: {log}");
    }
    assert_eq!(of("back.example.", "can be read again"), 1, "{log}");
    assert_eq!(of("gone.example.", "can be read again"), 0, "{log}");
}

/// What the second writer left.
fn rival(primary: SocketAddr, ended: &AtomicBool) -> BTreeSet<String> {
    let mut left = BTreeSet::new();
    let mut round = 0_usize;
    while !ended.load(Ordering::SeqCst) {
        round += 1;
        let foreign = format!("foreign{}.corp.example.", round % 7);
        let script = match round % 3 {
            // The TTL of the whole RRset, ours too.
            0 => {
                left.insert(foreign.clone());
                format!("update add {OWNER} 60 SRV 0 0 1688 {foreign}")
            }
            1 if left.remove(&foreign) => {
                format!("update delete {OWNER} SRV 0 0 1688 {foreign}")
            }
            // Our own record, gone and back in one message.
            1 => format!(
                "update delete {OWNER} SRV 0 0 1688 kms1.{ZONE}\nupdate add {OWNER} 120 SRV 0 0 1688 kms1.{ZONE}"
            ),
            _ => {
                left.insert(foreign.clone());
                format!("update add {OWNER} 3600 SRV 0 0 1688 {foreign}")
            }
        };
        nsupdate(primary, RIVAL, &script);
    }
    left
}

#[test]
fn a_second_writer_in_a_loop_loses_nothing_and_we_lose_nothing() {
    const RACE: Duration = Duration::from_secs(60);
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let mut site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &first)
        .host("kms2.corp.example.", &second)
        .daemon("interval = \"1s\"")
        .policy("max_removals = 1000")
        .zone(ZONE);
    site.health = QUICK.to_owned();
    let mut daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));

    let ended = AtomicBool::new(false);
    let left = thread::scope(|scope| {
        let rival = scope.spawn(|| rival(primary.address, &ended));
        let begin = Instant::now();
        // Each turn of the host is an update of ours in the middle of all that.
        while begin.elapsed() < RACE {
            second.stop();
            daemon.wait_for("kms2.corp.example. state=down");
            second.restart();
            daemon.wait_for("kms2.corp.example. state=up");
        }
        ended.store(true, Ordering::SeqCst);
        rival.join().unwrap()
    });

    let mut expected: Vec<String> = left
        .iter()
        .map(|foreign| format!("3600 0 0 1688 {foreign}"))
        .chain(lines(&["kms1", "kms2"]))
        .collect();
    expected.sort();
    // What the race made a contested record, an operator clears.
    for host in ["kms1", "kms2"] {
        site.run(&["host", "clear", host]).expect(0);
    }
    eventually(|| published(&primary), expected.clone());

    // It is well, and goes on.
    second.stop();
    expected.retain(|line| !line.contains("kms2"));
    eventually(|| published(&primary), expected);
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
    let outcomes = outcomes(&site);
    assert!(!outcomes.contains(&"open".to_owned()), "{outcomes:?}");
    assert!(outcomes.iter().filter(|kind| *kind == "applied").count() > 20);
}

#[test]
fn the_embedded_primary_runs_in_the_daemon_and_keeps_its_zone() {
    let (first, mut second) = (Kms::start(), Kms::start());
    let address = unused_address();
    let mut site = Site::with_primary(address)
        .host("kms1.corp.example.", &first)
        .host("kms2.corp.example.", &second)
        .zone(ZONE);
    site.health = QUICK.to_owned();
    site.more = format!(
        "[authority]\nlisten = [\"{address}\"]\nkey = \"primary\"\nzones = [\"corp.example.zone\"]\n"
    );
    let seed = format!(
        "$ORIGIN {ZONE}\n$TTL 300\n@ SOA ns hostmaster 1 60 30 86400 30\n@ NS ns\nns A 127.0.0.1\n"
    );
    fs::write(site.path("corp.example.zone"), seed).unwrap();
    let seen = || dig(address, OWNER, "SRV");

    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("the embedded primary serves");
    eventually(seen, lines(&["kms1", "kms2"]));
    second.stop();
    eventually(seen, lines(&["kms1"]));
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");

    // A restart serves what was published, before anything is probed.
    let before = outcomes(&site);
    let mut daemon = Daemon::start(&site, &["--audit", "-v"]);
    daemon.wait_for("the embedded primary serves");
    assert_eq!(seen(), lines(&["kms1"]));
    let kept = serial(address, ZONE);
    daemon.wait_for("observed zone=");
    assert_eq!(serial(address, ZONE), kept);
    assert_eq!(outcomes(&site), before);
    // So does one after a crash.
    daemon.kill();
    second.restart();
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("the embedded primary serves");
    eventually(seen, lines(&["kms1", "kms2"]));
}
