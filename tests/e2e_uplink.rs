//! Our own uplink dies: ten hosts are cut off at once by dropping their packets, and nobody goes.
//!
//! Each test runs once more in a network namespace of its own, where it may drop packets: as root with
//! `unshare --net`, as another user with a user namespace around it.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::collections::BTreeSet;
use std::io::Write;
use std::process::{Command, Stdio};
use std::time::{Duration, Instant};

use support::{
    Bind, Daemon, Kms, Primary, Site, ZoneText, dig, eventually, in_a_namespace, is_in_a_namespace,
    run, serial,
};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const HOSTS: usize = 10;
const INTERVAL: Duration = Duration::from_millis(300);
const FALL: u32 = 3;

#[test]
fn ten_hosts_cut_off_at_once_all_stay() {
    in_a_namespace("child_cuts_off_all_ten");
}

/// So that the other test can fail.
#[test]
fn one_of_ten_cut_off_goes_alone() {
    in_a_namespace("child_cuts_off_one");
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_cuts_off_all_ten() {
    if !is_in_a_namespace() {
        return;
    }
    let mut fleet = Fleet::start();
    let before = serial(fleet.primary.address, ZONE);
    let cut = Cut::off("tcp dport 1688");
    // Every host fails until it is down, and for as long three times again.
    fleet.look_until_all_were("down");
    assert!(fleet.daemon.read_log().contains("kind=freeze"));
    let end = Instant::now() + INTERVAL * FALL * 3;
    while Instant::now() < end {
        fleet.assert_whole();
    }
    // They come back one after another, too.
    let log = fleet.daemon.read_log().len();
    drop(cut);
    fleet.look_until(|daemon| all_were("up", &daemon.read_log()[log..]));
    fleet.assert_whole();
    assert_eq!(serial(fleet.primary.address, ZONE), before);
    let (status, log) = fleet.daemon.stop();
    assert!(status.success(), "{status}: {log}");
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_cuts_off_one() {
    if !is_in_a_namespace() {
        return;
    }
    let mut fleet = Fleet::start();
    let victim = fleet.hosts[3].ip();
    let cut = Cut::off(&format!("ip daddr {victim} tcp dport 1688"));
    fleet.daemon.wait_for("kms4.corp.example. state=down");
    let others: Vec<String> = (1..=HOSTS)
        .filter(|number| *number != 4)
        .map(line)
        .collect();
    eventually(|| fleet.published(), sorted(others));
    drop(cut);
    fleet.daemon.wait_for("kms4.corp.example. state=up");
    eventually(|| fleet.published(), whole());
}

/// Ten hosts that answer and are published.
struct Fleet {
    primary: Primary,
    hosts: Vec<Kms>,
    daemon: Daemon,
    _site: Site,
}

impl Fleet {
    fn start() -> Self {
        run("ip", &["link", "set", "lo", "up"]);
        let primary = Bind::start(&[ZoneText::new(ZONE)]);
        let hosts: Vec<Kms> = (0..HOSTS).map(|_| Kms::start()).collect();
        let mut site = Site::with_primary(primary.address).zone(ZONE);
        for (host, number) in hosts.iter().zip(1..) {
            site = site.host(&name(number), host);
        }
        let milliseconds = INTERVAL.as_millis();
        site.health = format!(
            "rise = 2\nfall = {FALL}\ninterval = \"{milliseconds}ms\"\ntimeout = \"200ms\""
        );
        let daemon = Daemon::start(&site, &[]);
        let fleet = Self {
            primary,
            hosts,
            daemon,
            _site: site,
        };
        eventually(|| fleet.published(), whole());
        fleet
    }

    fn published(&self) -> Vec<String> {
        dig(self.primary.address, OWNER, "SRV")
    }

    #[track_caller]
    fn assert_whole(&mut self) {
        let published = self.published();
        assert_eq!(published, whole(), "{}", self.daemon.read_log());
    }

    fn look_until_all_were(&mut self, state: &str) {
        self.look_until(|daemon| all_were(state, daemon.read_log()));
    }

    /// Looks at the RRset, which must be whole each time.
    fn look_until(&mut self, mut is_so: impl FnMut(&mut Daemon) -> bool) {
        let deadline = Instant::now() + Duration::from_secs(30);
        while !is_so(&mut self.daemon) {
            assert!(Instant::now() < deadline, "{}", self.daemon.read_log());
            self.assert_whole();
        }
    }
}

/// True when every host is once in that state, as the log has it.
fn all_were(state: &str, log: &str) -> bool {
    let state = format!("state={state} ");
    let hosts: BTreeSet<&str> = log
        .lines()
        .filter(|line| line.contains(&state))
        .filter_map(|line| line.split_once("host=")?.1.split(' ').next())
        .collect();
    hosts.len() == HOSTS
}

fn name(number: usize) -> String {
    format!("kms{number}.corp.example.")
}

fn line(number: usize) -> String {
    format!("3600 0 0 1688 {}", name(number))
}

fn whole() -> Vec<String> {
    sorted((1..=HOSTS).map(line).collect())
}

fn sorted(mut lines: Vec<String>) -> Vec<String> {
    lines.sort();
    lines
}

/// Packets are dropped as long as this lives.
struct Cut;

impl Cut {
    /// Drops those that match.
    fn off(packets: &str) -> Self {
        let rules = format!(
            "table inet uplink {{ chain input {{ type filter hook input priority 0; {packets} drop; }}; }}\n"
        );
        let mut nft = Command::new("nft")
            .args(["-f", "-"])
            .stdin(Stdio::piped())
            .spawn()
            .expect("nft; tests/run installs it");
        let mut input = nft.stdin.take().unwrap();
        input.write_all(rules.as_bytes()).unwrap();
        drop(input);
        assert!(nft.wait().unwrap().success(), "{rules}");
        Self
    }
}

/// Also where a test fails, before its hosts end: they connect to themselves for it.
impl Drop for Cut {
    fn drop(&mut self) {
        run("nft", &["delete", "table", "inet", "uplink"]);
    }
}
