//! The question that `apply`, `failover` and `rollback` ask on a terminal.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::thread;
use std::time::Duration;

use support::{Bind, Kms, Primary, RIVAL, SRVKEEPER, Site, ZoneText, dig, nsupdate};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const PUBLISHED: [&str; 2] = [
    "3600 0 0 1688 kms1.corp.example.",
    "3600 0 0 1688 kms2.corp.example.",
];
/// Two times `fall` probe intervals of [`Installation`], and more.
const SAMPLES_ARE_STALE: Duration = Duration::from_millis(600);

/// Two published hosts, the second of them down.
struct Installation {
    primary: Primary,
    site: Site,
    _up: Kms,
    down: Kms,
}

impl Installation {
    fn new() -> Self {
        let zone = ZoneText::new(ZONE).srv(
            3600,
            &["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."],
        );
        let primary = Bind::start(&[zone]);
        let (up, down) = (Kms::start(), Kms::stopped());
        let mut site = Site::with_primary(primary.address)
            .host("kms1.corp.example.", &up)
            .host("kms2.corp.example.", &down)
            .zone(ZONE);
        site.health = "fall = 2\ninterval = \"100ms\"\ntimeout = \"100ms\"".to_owned();
        Self {
            primary,
            site,
            _up: up,
            down,
        }
    }

    /// One whose samples stay fresh while a busy machine answers.
    fn patient() -> Self {
        let mut installation = Self::new();
        installation.site.health = "fall = 2\ninterval = \"2s\"\ntimeout = \"2s\"".to_owned();
        installation
    }

    fn published(&self) -> Vec<String> {
        dig(self.primary.address, OWNER, "SRV")
    }

    fn forces_somebody(&self) -> bool {
        let list = self.site.run(&["host", "list", "--format", "json"]);
        list.expect(0);
        let list = list.json();
        let mut hosts = list["hosts"].as_array().unwrap().iter();
        hosts.any(|host| !host["override"].is_null())
    }
}

/// A command on a terminal of its own, waiting for its answer.
struct Asked(Child);

impl Asked {
    fn new(site: &Site, command: &str) -> Self {
        let mut asked = Self::start(site, command);
        asked.await_question();
        asked
    }

    /// Without waiting for the question.
    fn start(site: &Site, command: &str) -> Self {
        site.run(&["check"]).expect(0);
        // `exec`: a shell that stayed would end by the Ctrl-C meant for the command.
        let command = format!(
            "exec {} --config {} {command}",
            env!("CARGO_BIN_EXE_srvkeeper"),
            site.path("srvkeeper.toml").display()
        );
        let child = Command::new("script")
            .args(["--quiet", "--return", "--command", &command, "/dev/null"])
            .env("SHELL", "/bin/sh")
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .expect("script, of bsdutils");
        Self(child)
    }

    fn await_question(&mut self) {
        let output = self.0.stdout.as_mut().unwrap();
        let mut seen = Vec::new();
        while !seen.ends_with(b"[y/N] ") {
            let mut octet = [0];
            output.read_exact(&mut octet).unwrap();
            seen.extend(octet);
        }
    }

    /// Answers, and is asked again.
    fn yes_and_again(mut self) -> Self {
        writeln!(self.0.stdin.as_mut().unwrap(), "y").unwrap();
        self.await_question();
        self
    }

    fn answer(mut self, answer: &str) -> ExitStatus {
        let input = self.0.stdin.as_mut().unwrap();
        writeln!(input, "{answer}").unwrap();
        self.0.wait_with_output().unwrap().status
    }

    /// Ctrl-C, as the terminal takes it.
    fn interrupt(mut self) -> ExitStatus {
        // Open to the end: its end would be an answer, too.
        let mut input = self.0.stdin.take().unwrap();
        input.write_all(b"\x03").unwrap();
        input.flush().unwrap();
        self.0.wait_with_output().unwrap().status
    }
}

#[test]
fn yes_applies_and_no_leaves_it_pending() {
    let installation = Installation::new();
    assert_eq!(
        Asked::new(&installation.site, "apply").answer("n").code(),
        Some(2)
    );
    assert_eq!(installation.published(), PUBLISHED);
    assert_eq!(
        Asked::new(&installation.site, "apply").answer("y").code(),
        Some(0)
    );
    assert_eq!(installation.published(), PUBLISHED[..1]);
}

#[test]
fn a_host_that_came_back_while_the_question_waited_is_not_removed() {
    let mut installation = Installation::new();
    let asked = Asked::new(&installation.site, "apply");
    installation.down.restart();
    thread::sleep(SAMPLES_ARE_STALE);
    assert_eq!(asked.answer("y").code(), Some(4));
    assert_eq!(installation.published(), PUBLISHED);
}

#[test]
fn another_run_need_not_wait_for_the_answer_which_then_comes_too_late() {
    let installation = Installation::new();
    let asked = Asked::new(&installation.site, "apply");
    installation.site.apply(0);
    assert_eq!(installation.published(), PUBLISHED[..1]);
    assert_eq!(asked.answer("y").code(), Some(4));
    assert_eq!(installation.published(), PUBLISHED[..1]);
}

#[test]
fn a_word_that_was_said_before_the_question_counts_as_one_said_after_it() {
    let mut installation = Installation::new();
    // Who takes the connection and answers nothing lets the plan wait.
    let silent = TcpListener::bind("127.0.0.1:0").unwrap();
    installation.site = installation
        .site
        .server("silent", silent.local_addr().unwrap(), SRVKEEPER)
        .zone_with("slow.example.", "silent", "");
    for command in ["apply", "failover --from kms2.corp.example"] {
        let mut asked = Asked::start(&installation.site, command);
        let _asking = silent.accept().unwrap();
        let word = ["host", "up", "kms2", "--reason", command];
        installation.site.run(&word).expect(0);
        asked.await_question();
        assert_eq!(asked.answer("y").code(), Some(4), "{command}");
        assert_eq!(installation.published(), PUBLISHED, "{command}");
    }
}

#[test]
fn nobody_waits_for_an_answer_about_what_changed_meanwhile_either() {
    let installation = Installation::patient();
    let asked = Asked::new(&installation.site, "apply");
    let drift = format!(
        "update delete {OWNER} SRV 0 0 1688 kms1.corp.example.\n\
         update add {OWNER} 3600 SRV 5 0 1688 kms1.corp.example."
    );
    nsupdate(installation.primary.address, RIVAL, &drift);
    let asked = asked.yes_and_again();
    installation.site.apply(0);
    assert_eq!(installation.published(), PUBLISHED[..1]);
    assert_eq!(asked.answer("y").code(), Some(4));
    assert_eq!(installation.published(), PUBLISHED[..1]);
}

#[test]
fn what_changed_meanwhile_is_applied_when_it_was_agreed_to_as_well() {
    let installation = Installation::patient();
    let asked = Asked::new(&installation.site, "apply");
    let script = format!("update delete {OWNER} SRV 0 0 1688 kms1.corp.example.");
    nsupdate(installation.primary.address, RIVAL, &script);
    let asked = asked.yes_and_again();
    assert_eq!(asked.answer("y").code(), Some(0));
    assert_eq!(installation.published(), PUBLISHED[..1]);
}

#[test]
fn nobody_waits_for_an_answer_to_failover_or_rollback_either() {
    let installation = Installation::new();
    let asked = Asked::new(&installation.site, "failover --from kms2.corp.example");
    installation.site.apply(0);
    assert_eq!(asked.answer("y").code(), Some(4));
    assert!(!installation.forces_somebody());

    let asked = Asked::new(&installation.site, "rollback 1");
    // It gets the run lock, and an operator's word comes between.
    installation.site.apply(0);
    installation.site.run(&["host", "down", "kms2"]).expect(0);
    assert_eq!(asked.answer("y").code(), Some(4));
    assert_eq!(installation.published(), PUBLISHED[..1]);
}

#[test]
fn a_late_yes_applies_when_the_hosts_are_as_they_were() {
    let installation = Installation::new();
    let asked = Asked::new(&installation.site, "apply");
    thread::sleep(SAMPLES_ARE_STALE);
    assert_eq!(asked.answer("y").code(), Some(0));
    assert_eq!(installation.published(), PUBLISHED[..1]);
}

#[test]
fn a_late_yes_rolls_back_only_when_the_hosts_are_as_they_were() {
    let mut installation = Installation::new();
    installation.site.apply(0);
    let asked = Asked::new(&installation.site, "rollback 1");
    installation.down.restart();
    thread::sleep(SAMPLES_ARE_STALE);
    assert_eq!(asked.answer("y").code(), Some(4));
    assert_eq!(installation.published(), PUBLISHED[..1]);
    assert!(!installation.forces_somebody());

    let asked = Asked::new(&installation.site, "rollback 1");
    thread::sleep(SAMPLES_ARE_STALE);
    assert_eq!(asked.answer("y").code(), Some(0));
    assert_eq!(installation.published(), PUBLISHED);
}

#[test]
fn ctrl_c_at_the_question_changes_nothing() {
    let installation = Installation::new();
    let interrupted = |command| Asked::new(&installation.site, command).interrupt().code();
    for command in ["apply", "failover --from kms2.corp.example"] {
        assert_eq!(interrupted(command), Some(1), "{command}");
        assert_eq!(installation.published(), PUBLISHED, "{command}");
    }
    installation.site.apply(0);
    assert_eq!(interrupted("rollback 1"), Some(1));
    assert_eq!(installation.published(), PUBLISHED[..1]);
    assert!(!installation.forces_somebody());
}
