//! Ctrl-C: what has been sent is read back and stored, what has not begun is not begun.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    reason = "a test, with a host of its own"
)]

mod support;

use std::net::TcpListener;
use std::sync::mpsc;

use support::{Bind, Fate, Kms, Proxy, RIVAL, Site, ZoneText, dig};

const ZONE: &str = "corp.example.";
const KMS1: &str = "kms1.corp.example.";
/// What the program says to the first Ctrl-C.
const INTERRUPTED: &str = "interrupted:";
/// Zones that a run has under way at once.
const AT_ONCE: usize = 256;

fn suffix(number: usize) -> String {
    format!("z{number}.{ZONE}")
}

/// How many of the suffixes have records.
fn published(bind: &support::Primary, zones: usize) -> usize {
    (0..zones)
        .filter(|number| {
            let owner = format!("_vlmcs._tcp.{}", suffix(*number));
            !dig(bind.address, &owner, "SRV").is_empty()
        })
        .count()
}

/// A relay that holds one update back: it tells of it, and waits for a word to go on.
fn holding(bind: &support::Primary, held: usize) -> (Proxy, mpsc::Receiver<()>, mpsc::Sender<()>) {
    let (arrived, arrival) = mpsc::channel();
    let (release, released) = mpsc::channel::<()>();
    let proxy = Proxy::start(bind.address, move |ordinal| {
        if ordinal == held {
            arrived.send(()).unwrap();
            // Released, or the test is over.
            let _ = released.recv();
        }
        Fate::Pass
    });
    (proxy, arrival, release)
}

#[test]
fn what_has_begun_is_finished_and_stored_and_nothing_else_begins() {
    const ZONES: usize = AT_ONCE + 20;
    let bind = Bind::start(&[ZoneText::new(ZONE)]);
    let (proxy, arrival, release) = holding(&bind, 1);
    let mut site = Site::new()
        .server("primary", proxy.address, RIVAL)
        .trusted_host(KMS1, "");
    for number in 0..ZONES {
        site = site.zone(&suffix(number));
    }

    let mut apply = site.start(&["apply", "--yes"]);
    arrival.recv().unwrap();
    apply.interrupt();
    apply.wait_for_stderr(INTERRUPTED);
    release.send(()).unwrap();
    let run = apply.wait();

    run.expect(1);
    run.expect_text("20 zones: not done: interrupted");
    run.expect_text(&format!("{AT_ONCE} zones: applied"));
    // Those that are done are named.
    let (_plan, told) = run.stdout.split_once("zones: applied").unwrap();
    let named = (0..ZONES).filter(|number| told.contains(&format!("{},", suffix(*number))));
    assert!(named.count() >= AT_ONCE - 1, "{run}");
    assert_eq!(published(&bind, ZONES), AT_ONCE);

    let again = site.apply(0);
    again.expect_text("20 zones: applied");
    assert_eq!(again.stderr, "", "no intent was left open");
}

#[test]
fn a_second_ctrl_c_ends_at_once_and_the_next_run_settles() {
    let bind = Bind::start(&[ZoneText::new(ZONE)]);
    let (proxy, arrival, release) = holding(&bind, 1);
    let site = Site::with_primary(proxy.address)
        .trusted_host(KMS1, "")
        .zone(ZONE);

    let mut apply = site.start(&["apply", "--yes"]);
    arrival.recv().unwrap();
    apply.interrupt();
    apply.wait_for_stderr(INTERRUPTED);
    apply.interrupt();
    let run = apply.wait();

    run.expect(1);
    run.expect_text("interrupted twice");
    drop(release);
    let again = site.apply(0);
    again.expect_text("settled what an earlier run left open");
}

#[test]
fn a_rollback_that_was_sent_is_read_back_and_its_hosts_are_held() {
    const PUBLISHED: &str = "0 0 1688 kms1.corp.example.";
    let bind = Bind::start(&[ZoneText::new(ZONE).srv(3600, &[PUBLISHED])]);
    let owner = format!("_vlmcs._tcp.{ZONE}");
    let (proxy, arrival, release) = holding(&bind, 2);
    let site = Site::with_primary(proxy.address)
        .trusted_host(KMS1, "")
        .trusted_host("kms2.corp.example.", "")
        .zone(ZONE);
    site.apply(0);

    let mut rollback = site.start(&["rollback", "1", "--yes"]);
    arrival.recv().unwrap();
    rollback.interrupt();
    rollback.wait_for_stderr(INTERRUPTED);
    release.send(()).unwrap();
    rollback.wait().expect(0);

    let expected = [format!("3600 {PUBLISHED}")];
    assert_eq!(dig(bind.address, &owner, "SRV"), expected);
    site.apply(0);
    assert_eq!(dig(bind.address, &owner, "SRV"), expected);
}

#[test]
fn an_interrupted_plan_says_what_it_does_not_know() {
    let bind = Bind::start(&[ZoneText::new(ZONE)]);
    let kms = Kms::start();
    let failing = TcpListener::bind((kms.ip(), 0)).unwrap();
    let port = failing.local_addr().unwrap().port();
    let mut site = Site::with_primary(bind.address)
        .host(KMS1, &kms)
        .host_with(
            "kms2.corp.example.",
            &kms,
            &format!("port = {port}\ncheck = \"rpc\""),
        )
        .zone(ZONE);
    site.health = "fall = 2\ninterval = \"1h\"\ntimeout = \"1m\"".to_owned();

    let mut plan = site.start(&["plan"]);
    drop(failing.accept());
    plan.interrupt();
    plan.wait_for_stderr(INTERRUPTED);
    let run = plan.wait();

    run.expect(1);
    run.expect_text("kms2.corp.example.  unknown  not done: interrupted");
    run.expect_text("corp.example.: not done: interrupted");
}
