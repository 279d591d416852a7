//! The status page: what its clients cost the daemon, and how fast it answers.
//!
//! ```text
//! cargo bench --bench http -- load [TRANSITIONS]     40 without and 40 with clients
//! cargo bench --bench http -- view [ZONES]           2000
//! cargo bench --bench http -- page [ZONES]           2000
//! ```
//!
//! **load**: one of three hosts dies and lives again, in turn, with nobody watching and with 200
//! clients on the event stream and 50 requests a second, in four rounds each that alternate, so that
//! what else the machine does falls on both. Measured is what the daemon's log says:
//! from the line of the verdict to the line of the primary's NOERROR. Of each event its way to a
//! client: from the time in the event to the time at which all of it was read, on the same clock.
//!
//! **view**: a daemon with so many zones, all looked at. Measured is the page and the first zones, one
//! after the other on connections of their own; all zones; and the metrics.
//!
//! **page**: the same zones, one zone and one host more, in a real browser. Measured is from the begin
//! of the navigation to the first zones in the document, as the browser's own clock has it; the
//! processor time of the page's thread, until the plan and the history stand there, too; and from the
//! time in the event of a host that dies or lives again to its new state in the document, on the same
//! clock.
//!
//! Needs what tests/run installs. Without arguments it prints this usage and does nothing.

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

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use support::{Bind, Browser, Daemon, Http, Kms, Site, ZoneText, dig, eventually, unused_address};

const USAGE: &str = "usage: http load [TRANSITIONS] | view [ZONES] | page [ZONES]";
const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const WATCHERS: usize = 200;
const REQUESTS_PER_SECOND: u32 = 50;

fn main() {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let number = |default: usize| {
        let given = arguments.get(1).map(|text| text.parse());
        given.map_or(default, |parsed| parsed.expect(USAGE))
    };
    match arguments.first().map(String::as_str) {
        Some("load") => {
            load(number(40));
        }
        Some("view") => view(number(2000)),
        Some("page") => page(number(2000)),
        _ => println!("{USAGE}"),
    }
}

/// Rounds without clients, and as many with them.
const ROUNDS: usize = 4;

#[derive(Default)]
struct Measured {
    committed: Vec<f64>,
    events: Vec<f64>,
    answers: Vec<f64>,
}

fn load(transitions: usize) {
    let (mut alone, mut watched) = (Measured::default(), Measured::default());
    for _round in 0..ROUNDS {
        round(transitions.div_ceil(ROUNDS), false, &mut alone);
        round(transitions.div_ceil(ROUNDS), true, &mut watched);
    }
    let each = alone.committed.len();
    println!("{each} transitions without and {each} with clients, in milliseconds:");
    tell("alone, to NOERROR", alone.committed);
    tell("watched, to NOERROR", watched.committed);
    tell("event to client", watched.events);
    tell("status answered", watched.answers);
}

fn round(transitions: usize, with_clients: bool, measured: &mut Measured) {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let mut hosts: Vec<Kms> = (0..3).map(|_| Kms::start()).collect();
    let http = Http(unused_address());
    let mut site = Site::with_primary(primary.address)
        .zone(ZONE)
        .policy("max_removals = 1000000")
        .daemon(&format!("http = \"{}\"", http.0));
    for (host, number) in hosts.iter().zip(1..) {
        site = site.host(&name(number), host);
    }
    site.health = "rise = 2\nfall = 3\ninterval = \"300ms\"\ntimeout = \"300ms\"".to_owned();
    let mut daemon = Daemon::start(&site, &["-v"]);
    eventually(|| dig(primary.address, OWNER, "SRV").len(), 3);
    let clients = with_clients.then(|| Clients::start(http));
    for transition in 0..transitions {
        daemon.read_log();
        let state = if transition % 2 == 0 {
            hosts[0].stop();
            "down"
        } else {
            hosts[0].restart();
            "up"
        };
        let verdict = time_of(&daemon.wait_for(&format!("host={} state={state}", name(1))));
        let answered = time_of(&daemon.wait_for("update answered"));
        measured.committed.push(milliseconds(verdict, answered));
    }
    if let Some(clients) = clients {
        let (events, answers) = clients.stop();
        measured.events.extend(events);
        measured.answers.extend(answers);
    }
}

/// Those who watch, and one who asks.
struct Clients {
    stop: Arc<AtomicBool>,
    events: mpsc::Receiver<f64>,
    asking: thread::JoinHandle<Vec<f64>>,
}

impl Clients {
    fn start(http: Http) -> Self {
        let stop = Arc::new(AtomicBool::new(false));
        let (tell, events) = mpsc::channel();
        for _watcher in 0..WATCHERS {
            let (mut stream, tell, stop) = (http.events(""), tell.clone(), Arc::clone(&stop));
            // Ends with the daemon, at the latest.
            thread::spawn(move || {
                while !stop.load(Ordering::Relaxed)
                    && let Some((event, data)) = stream.next_while_open()
                {
                    let now = Timestamp::now();
                    let time = data["time"].as_str().and_then(|time| time.parse().ok());
                    if let (false, Some(time)) = (event == "heartbeat", time) {
                        let _ = tell.send(milliseconds(time, now));
                    }
                }
            });
        }
        let asks = Arc::clone(&stop);
        let asking = thread::spawn(move || {
            let mut took = Vec::new();
            let mut next = Instant::now();
            while !asks.load(Ordering::Relaxed) {
                next += Duration::from_secs(1) / REQUESTS_PER_SECOND;
                thread::sleep(next.saturating_duration_since(Instant::now()));
                let begin = Instant::now();
                assert_eq!(http.get("/api/v1/status").status, 200);
                took.push(begin.elapsed().as_secs_f64() * 1_000.0);
            }
            took
        });
        Self {
            stop,
            events,
            asking,
        }
    }

    fn stop(self) -> (Vec<f64>, Vec<f64>) {
        self.stop.store(true, Ordering::Relaxed);
        let answers = self.asking.join().unwrap();
        (self.events.try_iter().collect(), answers)
    }
}

fn view(zones: usize) {
    let names: Vec<String> = (0..zones).map(|zone| format!("z{zone}.example.")).collect();
    // All of them lie in one zone of the server, which then starts sooner.
    let primary = Bind::start(&[ZoneText::new("example.")]);
    let host = Kms::start();
    let http = Http(unused_address());
    let mut site = Site::with_primary(primary.address)
        .host(&name(1), &host)
        .daemon(&format!("http = \"{}\"", http.0));
    site.mode = "audit";
    for zone in &names {
        site = site.zone(zone);
    }
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    eventually(
        || http.json("/api/v1/status?per_page=1")["totals"]["pending"].clone(),
        zones.into(),
    );
    println!("{zones} zones, in milliseconds:");
    let first = ["/", "/api/v1/status?page=1&per_page=25&sort=problems"];
    for (what, paths) in [
        ("first view", &first[..]),
        ("all zones", &["/api/v1/status"]),
        ("the plan", &["/api/v1/plan"]),
        ("metrics", &["/metrics"]),
    ] {
        let mut size = 0;
        let took = (0..20).map(|_time| {
            let begin = Instant::now();
            size = paths.iter().map(|path| http.get(path).body.len()).sum();
            begin.elapsed().as_secs_f64() * 1_000.0
        });
        tell(what, took.collect());
        println!("  {:<22} {:.1} kB", "", size as f64 / 1_000.0);
    }
}

/// Loads of the page, and transitions of a host.
const TIMES: usize = 20;

fn page(zones: usize) {
    let owners: Vec<String> = (0..zones).map(|zone| format!("z{zone}.example.")).collect();
    // All of them lie in one zone of the server, which then starts sooner.
    let text = owners.iter().fold(ZoneText::new("example."), |text, zone| {
        let record = format!("3600 IN SRV 0 0 1688 {}", name(1));
        text.record(&format!("_vlmcs._tcp.{zone} {record}"))
    });
    let primary = Bind::start(&[text]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let http = Http(unused_address());
    let mut site = Site::with_primary(primary.address)
        .host_with(&name(1), &first, "groups = [\"a\"]")
        .host_with(&name(2), &second, "groups = [\"b\"]")
        .daemon(&format!("http = \"{}\"", http.0));
    site.mode = "audit";
    site.health = "rise = 2\nfall = 3\ninterval = \"300ms\"\ntimeout = \"300ms\"".to_owned();
    for zone in &owners {
        site = site.zone_with(zone, "primary", "groups = [\"a\"]");
    }
    let site = site.zone_with("last.example.", "primary", "groups = [\"b\"]");
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    eventually(
        || http.json("/api/v1/status?per_page=1")["totals"]["in_sync"].clone(),
        zones.into(),
    );
    let mut browser = Browser::start();
    browser.size(1440, 900);
    let (mut views, mut tasks) = (Vec::new(), Vec::new());
    for _load in 0..TIMES {
        browser.open("about:blank");
        browser.open(&format!("http://{}/", http.0));
        browser.wait_until("performance.getEntriesByName('shown').length === 1");
        tasks.push(browser.thread_time());
        browser.wait_until("document.querySelector('#connection').innerText === 'Live'");
        let shown = browser.value("performance.getEntriesByName('shown')[0].startTime");
        views.push(shown.as_f64().unwrap());
    }
    println!("{zones} zones, in milliseconds:");
    tell("page to first zones", views);
    tell("its processor time", tasks);

    let mut events = http.events("");
    let mut ways = Vec::new();
    for transition in 0..TIMES {
        let state = if transition % 2 == 0 { "down" } else { "up" };
        browser.value(&format!(
            "window.seen = new Promise((done) => {{
                const changes = new MutationObserver(() => {{
                    const row = [...document.querySelectorAll('#hosts tbody')].find((row) => row.innerText.includes('{}'));
                    if (!row.querySelector('.state').innerText.endsWith('{state}')) return;
                    changes.disconnect();
                    done(Date.now());
                }});
                changes.observe(document.querySelector('#hosts'), {{ subtree: true, childList: true, characterData: true }});
            }}); 1",
            name(2)
        ));
        if state == "down" {
            second.stop();
        } else {
            second.restart();
        }
        let event = events.wait_for("host", |data| data["state"] == state);
        let told: Timestamp = event["time"].as_str().unwrap().parse().unwrap();
        let seen = browser.value("window.seen").as_f64().unwrap();
        ways.push(seen - told.as_millisecond() as f64);
    }
    tell("event to page", ways);
}

fn tell(what: &str, mut values: Vec<f64>) {
    values.sort_by(f64::total_cmp);
    let at = |share: f64| values[((values.len() - 1) as f64 * share).round() as usize];
    println!(
        "  {what:<22} min {:6.2}  p50 {:6.2}  p90 {:6.2}  p99 {:6.2}  max {:6.2}",
        at(0.0),
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

fn name(number: usize) -> String {
    format!("kms{number}.corp.example.")
}
