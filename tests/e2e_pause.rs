//! `pause` and `resume`, and whom `host` names to act on a word.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::fs::{self, File};
use std::io::Write;
use std::process::Command;

use jiff::Timestamp;
use serde_json::Value;

use support::{Bind, Daemon, Kms, Site, ZoneText, dig, eventually, unused_address};

const ZONE: &str = "corp.example.";
const KMS1: &str = "kms1.corp.example.";
const ALICE: [(&str, &str); 1] = [("USER", "alice")];

/// An installation whose primary is not needed.
fn site() -> Site {
    Site::with_primary(unused_address())
        .trusted_host(KMS1, "")
        .trusted_host("kms2.corp.example.", "")
        .zone(ZONE)
}

fn listed_pause(site: &Site) -> Value {
    let run = site.run(&["host", "list", "--format", "json"]);
    run.expect(0);
    let list = run.json();
    // Indexing alone would take a missing field for null.
    list.as_object().unwrap()["pause"].clone()
}

#[test]
fn a_pause_says_what_it_stops_and_holds_until_it_is_ended() {
    let site = site();
    assert_eq!(listed_pause(&site), Value::Null);

    let run = site.run_in(&ALICE, &["pause", "--for", "4h", "--reason", "migration"]);

    run.expect(0);
    run.expect_text("`srvkeeper run` is paused until ");
    run.expect_text(" by alice: \"migration\".\n");
    run.expect_text("it probes and plans, and writes nothing to DNS; `srvkeeper apply`, ");
    run.expect_text("No daemon runs now");
    run.expect_text("To end it earlier: srvkeeper resume\n");
    let pause = listed_pause(&site);
    assert_eq!(pause["reason"], "migration");
    assert_eq!(pause["actor"], "alice");
    let time = |key: &str| -> Timestamp { pause[key].as_str().unwrap().parse().unwrap() };
    let length = time("until").duration_since(time("made_at"));
    assert_eq!(length.as_secs(), 14_400);
    let remaining = pause["remaining_seconds"].as_i64().unwrap();
    assert!((13_000..=14_400).contains(&remaining), "{remaining}");
    let list = site.run(&["host", "list"]);
    list.expect_text("kms1.corp.example.  active    no override");
    list.expect_text("`srvkeeper run` is paused until ");

    let run = site.run(&["resume"]);
    run.expect(0);
    run.expect_text("The pause is over: `srvkeeper run` was paused until ");
    run.expect_text(" by alice: \"migration\".\n");
    assert_eq!(listed_pause(&site), Value::Null);
    let again = site.run(&["resume"]);
    again.expect(0);
    again.expect_text("`srvkeeper run` is not paused; nothing to do.");
}

#[test]
fn without_duration_it_is_a_day_and_a_second_pause_replaces_the_first() {
    let site = site();
    site.run_in(&ALICE, &["pause", "--for", "90d"]).expect(0);

    let run = site.run(&["pause"]);

    run.expect(0);
    run.expect_text("Before, it was paused until ");
    run.expect_text(" by alice.\n");
    let pause = listed_pause(&site);
    assert_eq!(pause["reason"], Value::Null);
    let remaining = pause["remaining_seconds"].as_i64().unwrap();
    assert!((86_000..=86_400).contains(&remaining), "{remaining}");
}

#[test]
fn where_nothing_was_paused_no_store_is_made() {
    let site = site();
    let run = site.run(&["resume"]);
    run.expect(0);
    run.expect_text("nothing to do");
    assert!(!site.path("state").exists());
}

#[test]
fn what_makes_no_sense_is_64_with_an_example() {
    let site = site();
    for arguments in [
        &["pause", "--for", "4"][..],
        &["pause", "--for", "0s"],
        &["pause", "--for", "91d"],
        &["pause", "--for", "soon"],
        &["pause", "--reason", " "],
    ] {
        let run = site.run(arguments);
        run.expect(64);
        run.expect_text("example: ");
    }
    for arguments in [&["pause", "4h"][..], &["resume", "--for", "4h"]] {
        site.run(arguments).expect(64);
    }
    assert!(!site.path("state").exists());
}

#[test]
fn a_pause_keeps_no_command_from_writing() {
    let records = ["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."];
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &records)]);
    let hosts = [Kms::start(), Kms::start()];
    let site = Site::with_primary(primary.address)
        .host(KMS1, &hosts[0])
        .host("kms2.corp.example.", &hosts[1])
        .zone(ZONE);
    site.run(&["pause"]).expect(0);
    site.run(&["host", "down", KMS1]).expect(0);

    site.apply(0);

    let published = dig(primary.address, "_vlmcs._tcp.corp.example.", "SRV");
    assert_eq!(published, ["3600 0 0 1688 kms2.corp.example."]);
    let rolled_back = site.run(&["rollback", "1", "--yes"]);
    rolled_back.expect(0);
    assert_ne!(listed_pause(&site), Value::Null);
}

/// Starts the daemon, and waits until it can be asked.
fn running(site: &Site, arguments: &[&str]) -> Daemon {
    let daemon = Daemon::start(site, arguments);
    eventually(|| site.run(&["status"]).status.code(), Some(0));
    daemon
}

const ACTS: &str = "the running daemon acts on it within seconds";
const LATER: &str = "the next `srvkeeper apply` will";
const AUDITS: &str = "the running daemon only audits; the next `srvkeeper apply` will";

#[test]
fn a_word_on_a_host_is_the_running_daemons_to_act_on() {
    let site = site();
    let daemon = running(&site, &[]);
    for command in ["down", "up", "clear"] {
        let run = site.run(&["host", command, KMS1]);
        run.expect(0);
        run.expect_text(ACTS);
        assert!(!run.stdout.contains(LATER), "{run}");
    }
    let paused = site.run(&["pause", "--reason", "migration"]);
    paused.expect(0);
    assert!(!paused.stdout.contains("No daemon runs"), "{paused}");
    for command in ["down", "clear"] {
        let run = site.run(&["host", command, KMS1]);
        run.expect_text("the running daemon is paused until ");
        run.expect_text("it acts after that, or after `srvkeeper resume`");
        assert!(!run.stdout.contains(ACTS), "{run}");
    }
    site.run(&["resume"])
        .expect_text("The running daemon writes to DNS again within seconds.");
    site.run(&["host", "down", KMS1]).expect_text(ACTS);

    // The line of its lock stays behind, and means nothing any more.
    drop(daemon);
    let run = site.run(&["host", "clear", KMS1]);
    run.expect_text(LATER);
    assert!(!run.stdout.contains("daemon"), "{run}");
}

#[test]
fn a_daemon_that_only_audits_acts_on_nothing() {
    let site = site();
    let _daemon = running(&site, &["--audit"]);
    for (arguments, expected) in [
        (&["host", "down", KMS1][..], AUDITS),
        (&["pause"], "only audits, and writes nothing anyway"),
        (&["host", "clear", KMS1], AUDITS),
        (&["resume"], "only audits, and still writes nothing"),
    ] {
        site.run(arguments).expect_text(expected);
    }
}

#[test]
fn what_the_daemon_does_is_not_told_by_a_configuration_it_has_not_read() {
    for (runs, written, said) in [("enforce", "audit", ACTS), ("audit", "enforce", AUDITS)] {
        let mut site = site();
        site.mode = runs;
        let _daemon = running(&site, &[]);
        // Each command writes the configuration anew.
        site.mode = written;
        let run = site.run(&["host", "down", KMS1]);
        run.expect(0);
        run.expect_text(said);
    }
}

#[test]
fn a_daemon_that_cannot_be_asked_may_do_either() {
    let site = site();
    site.run(&["host", "up", KMS1]).expect(0);
    let mut lock = File::create(site.path("state/daemon.lock")).unwrap();
    lock.lock().unwrap();
    writeln!(
        lock,
        "process 812 since 2026-11-22T03:12:40Z (srvkeeper run)"
    )
    .unwrap();
    let run = site.run(&["host", "down", KMS1]);
    run.expect(0);
    run.expect_text("a daemon runs, and does not say whether it writes");
    run.expect_text("`srvkeeper apply` acts now");
    site.run(&["pause"]).expect_text("could not be asked");
    site.run(&["resume"]).expect_text("could not be asked");
}

#[test]
fn a_mistake_in_the_configuration_keeps_nobody_from_pausing_the_daemon() {
    let site = site();
    let _daemon = running(&site, &[]);
    let good = fs::read_to_string(site.configure()).unwrap();
    let file = site.path("broken.toml");
    let run = |command: &str| {
        Command::new(env!("CARGO_BIN_EXE_srvkeeper"))
            .args(["--config".as_ref(), file.as_os_str(), command.as_ref()])
            .output()
            .unwrap()
    };
    for mistake in ["[[zone]]\nfast = true\n", "[[zone\n"] {
        fs::write(&file, format!("{good}\n{mistake}")).unwrap();
        for command in ["pause", "status", "history", "resume"] {
            let output = run(command);
            let told = String::from_utf8_lossy(&output.stderr);
            assert_eq!(output.status.code(), Some(0), "{command}: {told}");
            assert!(told.contains("broken.toml:"), "{told}");
            assert!(told.contains("going on with the state directory"), "{told}");
        }
        assert_eq!(run("apply").status.code(), Some(1));
    }
    // Where that cannot be told, nothing is done in another one.
    for text in [
        good.replace("state_dir = ", "state_dir == "),
        good.replace("state_dir = ", "state_dir = 7 #"),
        good.replace("state_dir = ", "statedir = "),
        good.replace("state_dir = ", "state_dir = \"elsewhere\"\nstate_dir = "),
        good.replace("[daemon]", "[deamon]"),
        good.replace("[daemon]", "[[daemon]]"),
        good.replace("[daemon]", "[record]"),
        good.replace("[daemon]", "# [daemon]"),
        "[daemon\n".to_owned(),
    ] {
        fs::write(&file, text).unwrap();
        let output = run("pause");
        assert_eq!(output.status.code(), Some(1), "{output:?}");
    }
    assert_eq!(listed_pause(&site), Value::Null);
}
