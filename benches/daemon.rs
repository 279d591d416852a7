//! The daemon as a process: how fast it acts on a verdict, and what it costs while nothing happens.
//!
//! ```text
//! cargo bench --bench daemon -- latency [TRANSITIONS]     200, on BIND and on Knot
//! cargo bench --bench daemon -- idle [SECONDS [HOSTS]]    60, 100
//! ```
//!
//! **latency**: one of three hosts dies and lives again, in turn. Measured is what the daemon's log
//! says, both times of the daemon's own clock in the same process: from the line of the verdict
//! (`state=down` or `state=up`) to the line of the primary's NOERROR (`update answered`), when the
//! update is committed there, and to the line of the read-back. In between lie, in this order: the
//! read of the zone, the plan, the run lock, the intent on disk, the update, its answer.
//!
//! **idle**: hosts that answer, one zone, probes every 10 seconds; once all are published, processor
//! time and resident memory of the process over so many seconds, from /proc.
//!
//! Needs what tests/run installs. Without arguments, as `cargo test` and `cargo bench` start it, it
//! prints this usage and does nothing.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    reason = "a measurement"
)]

#[path = "../tests/support/mod.rs"]
mod support;

use std::fs;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use support::{Bind, Daemon, Kms, Knot, Primary, Site, ZoneText, dig, eventually};

const USAGE: &str = "usage: daemon latency [TRANSITIONS] | idle [SECONDS [HOSTS]]";
const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
/// Transitions of one daemon, an even number, so that it leaves the host up.
const A_LIFE: usize = 50;
/// Of /proc/PID/stat, on every Linux that Rust supports.
const TICKS_PER_SECOND: f64 = 100.0;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let number = |at: usize, default: usize| {
        let given = arguments.get(at).map(|text| text.parse());
        given.map_or(default, |parsed| parsed.expect(USAGE))
    };
    match arguments.first().map(String::as_str) {
        Some("latency") => {
            let zones = [ZoneText::new(ZONE)];
            latency("BIND", &Bind::start(&zones), number(1, 200));
            latency("Knot", &Knot::start(&zones), number(1, 200));
        }
        Some("idle") => idle(number(1, 60), number(2, 100)),
        _ => println!("{USAGE}"),
    }
}

fn latency(server: &str, primary: &Primary, transitions: usize) {
    let mut hosts: Vec<Kms> = (0..3).map(|_| Kms::start()).collect();
    let mut site = Site::with_primary(primary.address)
        .zone(ZONE)
        .policy("max_removals = 1000000");
    for (host, number) in hosts.iter().zip(1..) {
        site = site.host(&name(number), host);
    }
    site.health = "rise = 2\nfall = 3\ninterval = \"600ms\"\ntimeout = \"600ms\"".to_owned();
    let (mut committed, mut read_back) = (Vec::new(), Vec::new());
    while committed.len() < transitions {
        // No process of a test lives for long, so that the daemon is started anew now and then.
        let mut daemon = Daemon::start(&site, &["-v"]);
        eventually(|| dig(primary.address, OWNER, "SRV").len(), 3);
        for transition in 0..A_LIFE.min(transitions - committed.len()) {
            // What was said before is not of this transition.
            daemon.read_log();
            let state = if transition % 2 == 0 {
                hosts[0].stop();
                "down"
            } else {
                hosts[0].restart();
                "up"
            };
            let verdict = time_of(&daemon.wait_for(&format!("host={} state={state}", name(1))));
            let answered = daemon.wait_for("update answered");
            assert!(answered.contains("answer=NOERROR"), "{answered}");
            committed.push(milliseconds(verdict, time_of(&answered)));
            let shown = daemon.wait_for("the read-back shows the planned RRset");
            read_back.push(milliseconds(verdict, time_of(&shown)));
        }
    }
    println!("{server}, {transitions} transitions, in milliseconds:");
    tell("verdict to NOERROR", committed);
    tell("verdict to read-back", read_back);
}

fn tell(what: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    println!(
        "  {what:<22} p50 {:6.2}  p90 {:6.2}  p99 {:6.2}  max {:6.2}",
        at(0.5),
        at(0.9),
        at(0.99),
        at(1.0)
    );
}

/// The time at the begin of a line of the log.
fn time_of(line: &str) -> Timestamp {
    let time = line.split_whitespace().next().unwrap_or_default();
    time.parse()
        .expect("a line of the log begins with its time")
}

fn milliseconds(from: Timestamp, to: Timestamp) -> f64 {
    to.duration_since(from).as_secs_f64() * 1_000.0
}

fn idle(seconds: usize, hosts: usize) {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let fakes: Vec<Kms> = (0..hosts).map(|_| Kms::start()).collect();
    let mut site = Site::with_primary(primary.address).zone(ZONE);
    for (host, number) in fakes.iter().zip(1..) {
        site = site.host(&name(number), host);
    }
    // Up with the first answer, so that the measurement begins soon; the rest are the defaults.
    site.health = "rise = 1".to_owned();
    let daemon = Daemon::start(&site, &[]);
    let process = daemon.pid();
    let process = process.trim();
    eventually(|| dig(primary.address, OWNER, "SRV").len(), hosts);
    let before = Spent::by(process);
    let asked: usize = fakes.iter().map(Kms::binds).sum();
    thread::sleep(Duration::from_secs(seconds as u64));
    let after = Spent::by(process);
    let asked = fakes.iter().map(Kms::binds).sum::<usize>() - asked;
    println!("{hosts} hosts that answer, for {seconds} s after all were published:");
    println!(
        "  processor  {:.2} % of a core ({asked} probes)",
        (after.ticks - before.ticks) / TICKS_PER_SECOND / seconds as f64 * 100.0
    );
    println!(
        "  resident   {:.1} MiB now, {:.1} MiB at most",
        after.resident, after.peak
    );
}

/// What a process has used so far.
struct Spent {
    /// Processor time, in the kernel and out of it.
    ticks: f64,
    /// In MiB.
    resident: f64,
    /// In MiB.
    peak: f64,
}

impl Spent {
    fn by(process: &str) -> Self {
        let stat = fs::read_to_string(format!("/proc/{process}/stat")).unwrap();
        // The name in parentheses may have spaces; utime and stime are the 14th and 15th field.
        let fields: Vec<&str> = stat
            .rsplit_once(')')
            .unwrap()
            .1
            .split_whitespace()
            .collect();
        let ticks = |field: usize| -> f64 { fields[field - 3].parse().unwrap() };
        let status = fs::read_to_string(format!("/proc/{process}/status")).unwrap();
        let mebibytes = |key: &str| -> f64 {
            let line = status.lines().find(|line| line.starts_with(key)).unwrap();
            let kibibytes = line.split_whitespace().nth(1).unwrap();
            kibibytes.parse::<f64>().unwrap() / 1_024.0
        };
        Self {
            ticks: ticks(14) + ticks(15),
            resident: mebibytes("VmRSS:"),
            peak: mebibytes("VmHWM:"),
        }
    }
}

fn name(number: usize) -> String {
    format!("kms{number}.corp.example.")
}
