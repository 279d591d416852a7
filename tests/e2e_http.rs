//! Requests that are not as they should be, and more clients than there should be.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::fs;
use std::io::{Read, Write};
use std::net::TcpStream;
use std::os::unix::fs::PermissionsExt;

use support::{
    Bind, Daemon, Http, Kms, Primary, Site, ZONE, ZoneText, eventually, lines, published,
    unused_address,
};

const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const TOKEN: &str = "0123456789abcdef0123456789abcdef";

fn primary() -> Primary {
    Bind::start(&[ZoneText::new(ZONE)])
}

fn site(primary: &Primary, first: &Kms, second: &Kms, more: &str) -> (Site, Http) {
    let http = unused_address();
    let mut site = Site::with_primary(primary.address)
        .host(KMS1, first)
        .host(KMS2, second)
        .zone(ZONE)
        .daemon(&format!("http = \"{http}\"\n{more}"));
    site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"2s\"".to_owned();
    (site, Http(http))
}

/// Stops it, and expects that it never panicked.
fn stop(daemon: Daemon) {
    let (status, log) = daemon.stop();
    assert!(status.success() && !log.contains("panicked"), "{log}");
}

#[test]
fn a_bad_request_gets_a_proper_answer_and_the_next_one_its_own() {
    let primary = primary();
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    let local = format!("Host: {}\r\n", http.0);
    let get = |target: &str| format!("GET {target} HTTP/1.1\r\n{local}Connection: close\r\n\r\n");
    let with =
        |lines: &str| format!("GET /healthz HTTP/1.1\r\n{local}{lines}Connection: close\r\n\r\n");
    let method = |method: &str| {
        format!("{method} /api/v1/status HTTP/1.1\r\n{local}Connection: close\r\n\r\n")
    };
    let long = "x".repeat(5000);
    let huge = format!("X-Huge: {}\r\n", "x".repeat(40_000));
    let many = "X-Many: 1\r\n".repeat(200);
    let statuses = [
        (get("/healthz"), 200),
        (get("/"), 200),
        (get("/app.js"), 404),
        (get("/nothing"), 404),
        (get("//"), 404),
        (get("/api/v1/status/"), 404),
        (get("/../../etc/passwd"), 404),
        (get("/%2e%2e/%2e%2e/etc/passwd"), 404),
        (get("/%00"), 404),
        (get("/%"), 404),
        (get("/%ff%fe"), 404),
        (get("/\u{fc}"), 404),
        (get(&format!("/{long}")), 414),
        (get(&format!("/api/v1/status?search={long}")), 414),
        (get("/api/v1/status?page=0"), 400),
        (get("/api/v1/status?page=-1"), 400),
        (get("/api/v1/status?page=99999999999999999999"), 400),
        (get("/api/v1/status?page=18446744073709551615&per_page=18446744073709551615"), 200),
        (get("/api/v1/status?per_page=x"), 400),
        (get("/api/v1/status?sort=sideways"), 400),
        (get("/api/v1/status?state=down"), 400),
        (get("/api/v1/status?problems=maybe"), 400),
        (get("/api/v1/status?zone=a..b"), 400),
        (get("/api/v1/status?zone=%00"), 400),
        (get("/api/v1/status?zone=%ff"), 400),
        (get("/api/v1/status?page=1&page=2"), 400),
        (get("/api/v1/status?format=xml"), 400),
        (get("/api/v1/status?format=text&width=99999999999"), 200),
        (get("/api/v1/status?unknown=1"), 400),
        (get("/api/v1/status?&&&"), 200),
        (get("/api/v1/plan?format=html"), 400),
        (get("/api/v1/plan?format=lines&page=18446744073709551615&per_page=18446744073709551615"), 200),
        (get("/api/v1/history?limit=0"), 400),
        (get("/api/v1/history?limit=201"), 400),
        (get("/api/v1/history?limit=4294967296"), 400),
        (get("/api/v1/history?before=-9223372036854775808"), 200),
        (get("/api/v1/history?before=9223372036854775808"), 400),
        (get("/api/v1/history?zone=%27%3B%20DROP%20TABLE%20changes"), 400),
        (get("/api/v1/events?x=1"), 400),
        (get("/api/v1/openapi.json?x=1"), 400),
        (method("HEAD"), 200),
        (method("POST"), 405),
        (method("PUT"), 405),
        (method("DELETE"), 405),
        (method("OPTIONS"), 405),
        (method("TRACE"), 405),
        (method("BREW"), 405),
        (with("Content-Length: 5\r\n"), 413),
        (with("Content-Length: 0\r\n"), 200),
        (with("Transfer-Encoding: chunked\r\n"), 413),
        (with("Content-Length: x\r\n"), 400),
        (with("Content-Length: 1\r\nContent-Length: 2\r\n"), 400),
        (with("Host: localhost\r\n"), 400),
        (with("no colon\r\n"), 400),
        (with("X-Nul: a\0b\r\n"), 400),
        (with("Last-Event-ID: \u{fc}\r\n"), 200),
        (with(&huge), 431),
        (with(&many), 431),
        ("GET /healthz HTTP/1.1\r\nConnection: close\r\n\r\n".to_owned(), 400),
        ("GET /healthz HTTP/1.0\r\n\r\n".to_owned(), 200),
        ("GET /healthz HTTP/1.1\r\nHost: evil.example\r\nConnection: close\r\n\r\n".to_owned(), 421),
        ("GET http://evil.example/healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(), 421),
        ("GET /healthz HTTP/9.9\r\n\r\n".to_owned(), 400),
        ("CONNECT evil.example:443 HTTP/1.1\r\nHost: localhost\r\n\r\n".to_owned(), 421),
        ("OPTIONS * HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n".to_owned(), 404),
        ("\0\0\0\0\r\n\r\n".to_owned(), 400),
        ("\u{16}\u{3}\u{1}\u{2}\r\n\r\n".to_owned(), 400),
        ("GET\r\n\r\n".to_owned(), 400),
    ];
    let mut wrong = Vec::new();
    for (request, expected) in statuses {
        let answer = http.raw(request.as_bytes());
        let begin: String = request.chars().take(100).collect();
        if answer.status != expected {
            wrong.push(format!(
                "{begin:?}: {} instead of {expected}",
                answer.status
            ));
        }
        // Those that the server itself refuses, before they are a request, have no more than that.
        let policy = answer.header("content-security-policy").is_some();
        if !policy && ![400, 431].contains(&answer.status) {
            wrong.push(format!("{begin:?}: no policy with {}", answer.status));
        }
        if answer.status == 405 && answer.header("allow").is_none() {
            wrong.push(format!("{begin:?}: 405 without Allow"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    let told = http.get("/api/v1/history?page=1").json()["error"].clone();
    assert_eq!(
        told,
        "there is no parameter page here; known are zone, before, limit"
    );
    assert_eq!(http.get("/healthz").status, 200);
    stop(daemon);
}

#[test]
fn who_says_nothing_is_left_and_the_daemon_goes_on() {
    let primary = primary();
    let (first, mut second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    let begun = |octets: &[u8]| -> TcpStream {
        let mut stream = http.connect();
        stream.write_all(octets).unwrap();
        stream
    };
    let silent: Vec<TcpStream> = (0..50)
        .flat_map(|_| {
            [
                begun(b""),
                begun(b"GET /heal"),
                begun(b"GET / HTTP/1.1\r\nHost: loc"),
            ]
        })
        .collect();
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    second.stop();
    eventually(|| published(&primary), lines(&["kms1"]));
    assert_eq!(http.get("/healthz").status, 200);
    for mut stream in silent {
        let mut answer = Vec::new();
        // Until it is closed; at most a word of why.
        let read = stream.read_to_end(&mut answer);
        assert!(read.is_ok() && answer.len() < 1000, "{read:?}");
    }
    stop(daemon);
}

#[test]
fn more_clients_than_descriptors_harm_nobody() {
    const CLIENTS: usize = 400;
    let primary = primary();
    let (first, mut second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    // Half of them are for connections, and half of those for watchers.
    let mut daemon = Daemon::start_through(&site, "ulimit -n 1024", &[]);
    daemon.wait_for("serving the status page");
    let mut watching = Vec::new();
    let mut refused = 0;
    for _client in 0..CLIENTS {
        let mut stream = http.connect();
        let request = format!("GET /api/v1/events HTTP/1.1\r\nHost: {}\r\n\r\n", http.0);
        stream.write_all(request.as_bytes()).unwrap();
        let mut begin = [0; 12];
        stream.read_exact(&mut begin).unwrap();
        match &begin {
            b"HTTP/1.1 200" => watching.push(stream),
            b"HTTP/1.1 503" => refused += 1,
            other => panic!("{}", String::from_utf8_lossy(other)),
        }
    }
    assert_eq!((watching.len(), refused), (256, CLIENTS - 256));
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    second.stop();
    eventually(|| published(&primary), lines(&["kms1"]));
    assert_eq!(http.get("/api/v1/status").status, 200);
    // A place that becomes free can be taken.
    drop(watching);
    eventually(
        || {
            http.raw(
                format!(
                    "HEAD /api/v1/events HTTP/1.1\r\nHost: {}\r\nConnection: close\r\n\r\n",
                    http.0
                )
                .as_bytes(),
            )
            .status
        },
        200,
    );
    stop(daemon);
}

#[test]
fn who_comes_back_gets_the_events_it_missed() {
    let primary = primary();
    let (first, mut second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    let mut events = http.events("");
    let up = events.wait_for("host", |data| data["host"] == KMS2 && data["state"] == "up");
    let id = up["id"].as_str().unwrap().to_owned();
    drop(events);
    second.stop();
    eventually(|| published(&primary), lines(&["kms1"]));
    let mut events = http.events(&format!("Last-Event-ID: {id}\r\n"));
    events.wait_for("host", |data| {
        data["host"] == KMS2 && data["state"] == "down"
    });
    let mut stranger = http.events("Last-Event-ID: 1-1\r\n");
    stranger.wait_for("resync", |_data| true);
    stop(daemon);
}

#[test]
fn a_token_is_asked_for_where_there_is_one() {
    let primary = primary();
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(
        &primary,
        &first,
        &second,
        "http_token_file = \"http.token\"",
    );
    let file = site.path("http.token");
    fs::write(&file, format!("{TOKEN}\n")).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o640)).unwrap();
    let check = site.run(&["check"]);
    check.expect(1);
    check.expect_text("chmod 600");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let check = site.run(&["check"]);
    check.expect(0);
    check.expect_text(&format!("http {}, with a token", http.0));
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    let bearer = |token: &str| format!("Authorization: Bearer {token}\r\n");
    for path in [
        "/api/v1/status",
        "/api/v1/plan",
        "/api/v1/history",
        "/api/v1/events",
        "/metrics",
        "/readyz",
        "/nothing",
    ] {
        for headers in [
            String::new(),
            bearer("0123456789abcdef"),
            bearer(&TOKEN.to_uppercase()),
        ] {
            let answer = http.get_with(path, &headers);
            assert_eq!(answer.status, 401, "{path}");
            assert!(
                answer
                    .header("www-authenticate")
                    .unwrap()
                    .starts_with("Bearer")
            );
        }
    }
    assert_eq!(http.get_with("/api/v1/status", &bearer(TOKEN)).status, 200);
    assert_eq!(http.get_with("/nothing", &bearer(TOKEN)).status, 404);
    for path in ["/", "/healthz"] {
        assert_eq!(http.get(path).status, 200, "{path}");
    }
    // Whoever may open the socket needs none.
    site.run(&["status"]).expect(0);
    let (_status, log) = daemon.stop();
    assert!(!log.contains(TOKEN));
}

#[test]
fn others_are_not_let_in_without_a_token() {
    let primary = primary();
    let (first, second) = (Kms::start(), Kms::start());
    let (site, _http) = site(&primary, &first, &second, "");
    let site = site.daemon("http = \"0.0.0.0:9686\"");
    for command in [&["check"][..], &["run"]] {
        let run = site.run(command);
        run.expect(1);
        run.expect_text("http_token_file");
    }
}

#[test]
fn an_address_in_use_ends_the_start_and_says_so() {
    let primary = primary();
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second, "");
    let _taken = std::net::TcpListener::bind(http.0).unwrap();
    let run = site.run(&["run"]);
    run.expect(1);
    run.expect_text(&format!("cannot listen on {}", http.0));
}

#[test]
fn readiness_says_why_not() {
    // It takes questions and answers none.
    let silent = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let host = Kms::start();
    let http = Http(unused_address());
    let site = Site::with_primary(silent.local_addr().unwrap())
        .host(KMS1, &host)
        .zone(ZONE)
        .daemon(&format!("http = \"{}\"\ninterval = \"1s\"", http.0));
    let reasons = || {
        let answer = http.get("/readyz");
        let told = answer.json();
        assert_eq!(answer.status == 200, told["ready"] == true, "{told}");
        told["reasons"].to_string()
    };
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("serving the status page");
    assert!(reasons().contains("not every zone was looked at yet"));
    assert_eq!(http.json("/api/v1/status")["totals"]["unread"], 1);
    fs::remove_file(site.path("state/store.sqlite3")).unwrap();
    eventually(|| reasons().contains("the store cannot be used"), true);
    assert_eq!(http.get("/healthz").status, 200);
    stop(daemon);
}
