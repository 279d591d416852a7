//! As many clients of the status page as there may well be: they hear of everything, and harm nothing.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::io::{Read, Write};
use std::os::unix::net::UnixStream;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

use support::{
    Bind, Daemon, Http, Kms, Knot, Site, Stream, ZONE, ZoneText, eventually, lines, outcomes,
    published, unused_address,
};

const KMS2: &str = "kms2.corp.example.";
const WATCHERS: usize = 200;
const REQUESTS_PER_SECOND: u32 = 50;

/// Far above what the daemon takes with these clients, far below what a leak or a copy for each of
/// them would take.
const MOST_MEBIBYTES: u64 = 64;

/// Asks for one path after the other at a steady rate until it is told to stop.
struct Asking {
    stop: Arc<AtomicBool>,
    thread: JoinHandle<usize>,
}

impl Asking {
    fn start(http: Http) -> Self {
        const PATHS: [&str; 6] = [
            "/api/v1/status",
            "/metrics",
            "/api/v1/plan",
            "/",
            "/readyz",
            "/api/v1/history",
        ];
        let stop = Arc::new(AtomicBool::new(false));
        let stopping = Arc::clone(&stop);
        let thread = thread::spawn(move || {
            let begin = Instant::now();
            let mut asked = 0;
            for (number, path) in (0..).zip(PATHS.iter().cycle()) {
                if stopping.load(Ordering::Relaxed) {
                    break;
                }
                let due = begin + number * Duration::from_secs(1) / REQUESTS_PER_SECOND;
                thread::sleep(due.saturating_duration_since(Instant::now()));
                let answer = http.get(path);
                assert_eq!(answer.status, 200, "{path}: {answer:?}");
                asked += 1;
            }
            asked
        });
        Self { stop, thread }
    }

    /// How many were answered.
    fn stop(self) -> usize {
        self.stop.store(true, Ordering::Relaxed);
        self.thread.join().unwrap()
    }
}

/// Waits until each of them heard that the host is in this state, and then of an update.
fn all_hear(watching: Vec<Stream>, state: &'static str) -> Vec<Stream> {
    let hear = move |mut stream: Stream| {
        stream.wait_for("host", |data| {
            data["host"] == KMS2 && data["state"] == state
        });
        let updated = |data: &serde_json::Value| data["zones"][0]["outcome"] == "applied";
        stream.wait_for("zones", updated);
        stream
    };
    let threads: Vec<JoinHandle<Stream>> = watching
        .into_iter()
        .map(|stream| thread::spawn(move || hear(stream)))
        .collect();
    threads
        .into_iter()
        .map(|thread| thread.join().unwrap())
        .collect()
}

#[test]
fn two_hundred_watch_and_fifty_ask_each_second_while_a_host_dies_and_lives_again() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let http = Http(unused_address());
    let mut site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &first)
        .host(KMS2, &second)
        .zone(ZONE)
        .policy("max_removals = 100")
        .daemon(&format!("http = \"{}\"", http.0));
    site.health = "rise = 1\nfall = 2\ninterval = \"500ms\"\ntimeout = \"2s\"".to_owned();
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    eventually(|| http.get("/readyz").status, 200);
    let before = outcomes(&site).len();

    let watching: Vec<Stream> = (0..WATCHERS).map(|_client| http.events("")).collect();
    let asking = Asking::start(http);
    second.stop();
    let watching = all_hear(watching, "down");
    assert_eq!(published(&primary), lines(&["kms1"]));
    second.restart();
    let watching = all_hear(watching, "up");
    assert_eq!(published(&primary), lines(&["kms1", "kms2"]));
    assert!(asking.stop() > 0);

    let recorded = outcomes(&site);
    assert_eq!(recorded.len(), before + 2);
    assert!(
        recorded.iter().all(|outcome| outcome == "applied"),
        "{recorded:?}"
    );
    let peak = daemon.peak_memory();
    assert!(peak <= MOST_MEBIBYTES, "{peak} MiB");
    drop(watching);
    let (status, log) = daemon.stop();
    assert!(status.success() && !log.contains("panicked"), "{log}");
}

#[test]
fn who_asks_for_much_and_reads_nothing_costs_a_piece_of_it() {
    const ZONES: usize = 150;
    const HOSTS: usize = 40;
    // As many as the socket takes, which buffers less than an address does.
    const CLIENTS: usize = 16;
    // All their answers together have 7 MiB.
    const MOST_FOR_ALL: u64 = 4;
    let names: Vec<String> = (0..ZONES).map(|zone| format!("z{zone}.example.")).collect();
    let texts: Vec<ZoneText> = names.iter().map(|zone| ZoneText::new(zone)).collect();
    let primary = Knot::start(&texts);
    let http = Http(unused_address());
    let mut site = Site::with_primary(primary.address).daemon(&format!("http = \"{}\"", http.0));
    site.mode = "audit";
    for host in 0..HOSTS {
        site = site.trusted_host(&format!("kms{host}.corp.example."), "");
    }
    for zone in &names {
        site = site.zone(zone);
    }
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    eventually(|| http.get("/readyz").status, 200);
    let answer = http.get("/api/v1/status").body.len();
    assert!(answer * CLIENTS > 7 << 20, "{answer}");
    let before = daemon.peak_memory();

    let socket = site.path("state").join("status.sock");
    let unread: Vec<UnixStream> = (0..CLIENTS)
        .map(|_client| {
            let mut stream = UnixStream::connect(&socket).unwrap();
            let request = b"GET /api/v1/status HTTP/1.1\r\nHost: localhost\r\n\r\n";
            stream.write_all(&request.repeat(10)).unwrap();
            stream.read_exact(&mut [0; 12]).unwrap();
            stream
        })
        .collect();
    assert_eq!(http.get("/healthz").status, 200);
    let more = daemon.peak_memory() - before;
    assert!(more <= MOST_FOR_ALL, "{more} MiB more");

    drop(unread);
    eventually(|| site.run(&["status"]).status.code(), Some(0));
    let (status, log) = daemon.stop();
    assert!(status.success() && !log.contains("panicked"), "{log}");
}
