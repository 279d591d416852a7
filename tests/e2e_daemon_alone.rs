//! One daemon on one state directory, and `run --once`, beside it and alone.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use support::{
    Bind, Daemon, Kms, Primary, Site, ZONE, ZoneText, eventually, history, lines, published, serial,
};

fn site(primary: &Primary, first: &Kms, second: &Kms) -> Site {
    Site::with_primary(primary.address)
        .host("kms1.corp.example.", first)
        .host("kms2.corp.example.", second)
        .zone(ZONE)
}

#[test]
fn a_second_daemon_is_refused_and_learns_who_the_first_is() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let site = site(&primary, &first, &second);
    let daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));

    for arguments in [&["run"][..], &["run", "--audit"], &["run", "--once"]] {
        let run = site.run(arguments);
        run.expect(1);
        run.expect_text("another `srvkeeper run` keeps the state directory");
        run.expect_text(&format!("process {} since ", daemon.pid()));
        let command = format!(
            "{} --config {} run)",
            env!("CARGO_BIN_EXE_srvkeeper"),
            site.path("srvkeeper.toml").display()
        );
        // Cut to its length by the lock's file.
        run.expect_text(&command.chars().take(60).collect::<String>());
    }
    // What only looks needs no lock.
    site.run(&["run", "--once", "--audit"]).expect(0);

    // A crash frees the lock.
    daemon.kill();
    site.run(&["run", "--once"]).expect(0);
    let again = Daemon::start(&site, &[]);
    again.pid();
    let (status, log) = again.stop();
    assert!(status.success(), "{log}");
}

#[test]
fn once_does_what_the_mode_says() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let mut site = site(&primary, &first, &second);

    site.mode = "audit";
    let before = serial(primary.address, ZONE);
    site.run(&["run", "--once"]).expect(2);
    site.mode = "enforce";
    site.run(&["run", "--once", "--audit"]).expect(2);
    site.run(&["pause", "--reason", "migration"]).expect(0);
    let paused = site.run(&["run", "--once"]);
    paused.expect(2);
    paused.expect_text("paused until");
    paused.expect_text("nothing is written");
    assert_eq!(serial(primary.address, ZONE), before);
    assert!(history(&site).is_empty());

    site.run(&["resume"]).expect(0);
    site.run_in(&[("USER", "alice")], &["run", "--once"])
        .expect(0);
    assert_eq!(published(&primary), lines(&["kms1", "kms2"]));
    let actor = history(&site)[0]["actor"].as_str().unwrap().to_owned();
    assert!(actor.starts_with("run --once"), "{actor}");
    site.run(&["run", "--once"]).expect(0);
    site.run(&["run", "--once", "--audit"]).expect(0);
    assert_eq!(history(&site).len(), 1);

    // Held, in both modes.
    let site = site.policy("min_hosts = 2");
    second.stop();
    site.run(&["run", "--once", "--audit"]).expect(3);
    site.run(&["run", "--once"]).expect(3);
    assert_eq!(published(&primary), lines(&["kms1", "kms2"]));
}
