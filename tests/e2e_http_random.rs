//! Requests that nobody would think of: whatever is sent, the answer is a proper one or the
//! connection is closed, and the next client is served.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::cell::RefCell;
use std::collections::BTreeSet;
use std::fs;
use std::io::{ErrorKind, Read, Write};
use std::os::unix::fs::PermissionsExt;

use proptest::prelude::*;
use proptest::sample::{Index, select};
use proptest::test_runner::{Config, TestRunner};
use support::{Bind, Daemon, Http, Kms, Primary, Site, ZONE, ZoneText, eventually, unused_address};

const TOKEN: &str = "0123456789abcdef0123456789abcdef";
const REQUESTS: u32 = 1500;
const MOST_MEBIBYTES: u64 = 64;

/// Ends whatever head was begun, and asks for something else, after which the connection closes.
const LAST: &[u8] =
    b"\r\n\r\nGET /healthz HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n";

const PATHS: [&str; 12] = [
    "/",
    "/healthz",
    "/readyz",
    "/metrics",
    "/api/v1/status",
    "/api/v1/plan",
    "/api/v1/history",
    "/api/v1/events",
    "/api/v1/openapi.json",
    "http://localhost/api/v1/status",
    "*",
    "localhost:443",
];
const PARAMETERS: [&str; 14] = [
    "zone", "search", "problems", "state", "sort", "page", "per_page", "format", "width", "color",
    "unicode", "before", "limit", "other",
];
const METHODS: [&str; 9] = [
    "GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS", "TRACE", "CONNECT", "PRI",
];
const HEADERS: [&str; 13] = [
    "Host",
    "Authorization",
    "Content-Length",
    "Transfer-Encoding",
    "Connection",
    "Last-Event-ID",
    "Expect",
    "Upgrade",
    "Accept-Encoding",
    "Range",
    "If-None-Match",
    "X-Forwarded-Host",
    "Cookie",
];
const VALUES: [&str; 22] = [
    "localhost",
    "127.0.0.1",
    "evil.example",
    "Bearer",
    "Bearer x",
    "Basic eDp5",
    "0",
    "-1",
    "5",
    "18446744073709551616",
    "chunked",
    "identity",
    "close",
    "keep-alive",
    "upgrade",
    "h2c",
    "websocket",
    "100-continue",
    "gzip",
    "bytes=0-1",
    "*",
    "",
];

/// One of these, or anything at all.
fn one_of(words: &'static [&'static str], longest: usize) -> BoxedStrategy<Vec<u8>> {
    prop_oneof![
        40 => select(words).prop_map(|word| word.as_bytes().to_vec()),
        1 => "[!-~]{0,20}".prop_map(String::into_bytes),
        1 => prop::collection::vec(any::<u8>(), 0..longest),
    ]
    .boxed()
}

fn query() -> BoxedStrategy<Vec<u8>> {
    let value = prop_oneof![
        select(
            &[
                "1", "0", "json", "text", "lines", "name", "held", "yes", ZONE
            ][..]
        )
        .prop_map(|word| word.as_bytes().to_vec()),
        any::<i128>().prop_map(|number| number.to_string().into_bytes()),
        prop::collection::vec(any::<u8>(), 0..30)
            .prop_map(|octets| octets
                .iter()
                .map(|o| format!("%{o:02x}"))
                .collect::<String>())
            .prop_map(String::into_bytes),
        "[!-~]{0,30}".prop_map(String::into_bytes),
    ];
    let pair = (one_of(&PARAMETERS, 10), value).prop_map(|(key, value)| [key, value].join(&b'='));
    prop::collection::vec(pair, 0..4)
        .prop_map(|pairs| pairs.join(&b'&'))
        .boxed()
}

/// A request that is nearly one.
fn request() -> BoxedStrategy<Vec<u8>> {
    let version = prop_oneof![
        20 => Just(b"HTTP/1.1".to_vec()),
        2 => Just(b"HTTP/1.0".to_vec()),
        1 => one_of(&["HTTP/2.0", "HTTP/0.9", ""], 8),
    ];
    let method = prop_oneof![3 => Just(b"GET".to_vec()), 1 => one_of(&METHODS, 20)];
    let line = (method, one_of(&PATHS, 100), query(), version).prop_map(
        |(method, path, query, version)| {
            let target = if query.is_empty() {
                path
            } else {
                [path, query].join(&b'?')
            };
            [method, target, version].join(&b' ')
        },
    );
    let header = (one_of(&HEADERS, 10), one_of(&VALUES, 200))
        .prop_map(|(name, value)| [name, value].join(&b": "[..]));
    let headers = prop::collection::vec(header, 0..4);
    let host = prop::option::weighted(0.9, Just(b"Host: localhost".to_vec()));
    let body = prop::collection::vec(any::<u8>(), 0..500);
    (line, host, headers, body)
        .prop_map(|(line, host, headers, body)| {
            let lines: Vec<Vec<u8>> = std::iter::once(line).chain(host).chain(headers).collect();
            [lines.join(&b"\r\n"[..]), body].join(&b"\r\n\r\n"[..])
        })
        .boxed()
}

/// What is sent over one connection.
fn sent() -> BoxedStrategy<Vec<u8>> {
    let changed = (request(), any::<Index>(), any::<u8>()).prop_map(|(mut octets, at, octet)| {
        let at = at.index(octets.len());
        octets[at] = octet;
        octets
    });
    let cut = (request(), any::<Index>()).prop_map(|(mut octets, at)| {
        octets.truncate(at.index(octets.len()));
        octets
    });
    let repeated = (request(), 1..200_usize).prop_map(|(octets, times)| octets.repeat(times));
    prop_oneof![
        6 => request(),
        2 => changed,
        1 => cut,
        1 => repeated,
        1 => prop::collection::vec(any::<u8>(), 0..600),
    ]
    .boxed()
}

/// What comes back until the connection is closed, or the stream of events has begun.
fn answer(http: Http, octets: &[u8]) -> Vec<u8> {
    let mut stream = http.connect();
    // It may answer and close before all of it is sent.
    let _ = stream
        .write_all(octets)
        .and_then(|()| stream.write_all(LAST));
    let mut read = Vec::new();
    let mut piece = [0; 16 * 1024];
    loop {
        match stream.read(&mut piece) {
            Ok(0) => return read,
            Ok(count) => read.extend_from_slice(&piece[..count]),
            Err(error) if error.kind() == ErrorKind::ConnectionReset => return read,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => panic!("no end: {error}: {}", String::from_utf8_lossy(&read)),
        }
        if has(&read, "content-type: text/event-stream") {
            return read;
        }
    }
}

fn has(octets: &[u8], text: &str) -> bool {
    octets
        .windows(text.len())
        .any(|window| window == text.as_bytes())
}

/// The status, 0 when the connection was closed without a word; or why this is no proper answer.
fn status(answer: &[u8]) -> Result<u16, String> {
    if answer.is_empty() {
        return Ok(0);
    }
    let end = answer.windows(4).position(|four| four == b"\r\n\r\n");
    let end = end.ok_or("half an answer")?;
    let head = std::str::from_utf8(&answer[..end]).map_err(|error| error.to_string())?;
    let status = head.split(' ').nth(1).and_then(|word| word.parse().ok());
    match status {
        // What is refused before it is a request has no more than that.
        Some(status @ (400 | 431 | 505)) => Ok(status),
        Some(status @ (200 | 401 | 404 | 405 | 413 | 414 | 421 | 503)) => {
            match head.contains("content-security-policy") {
                true => Ok(status),
                false => Err(format!("no policy with {status}")),
            }
        }
        _ => Err(head.to_owned()),
    }
}

fn site(primary: &Primary, host: &Kms, more: &str) -> (Site, Http) {
    let http = Http(unused_address());
    let mut site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", host)
        .zone(ZONE)
        .daemon(&format!("http = \"{}\"\n{more}", http.0));
    site.mode = "audit";
    (site, http)
}

#[test]
fn whatever_is_sent_is_answered_properly_and_tells_strangers_nothing() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let host = Kms::start();
    let (open_site, open) = site(&primary, &host, "");
    let (locked_site, locked) = site(&primary, &host, "http_token_file = \"http.token\"");
    let file = locked_site.path("http.token");
    fs::write(&file, TOKEN).unwrap();
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut daemons = [
        Daemon::start(&open_site, &[]),
        Daemon::start(&locked_site, &[]),
    ];
    for daemon in &mut daemons {
        daemon.wait_for("serving the status page");
    }
    eventually(|| open.get("/readyz").status, 200);
    let token = format!("Authorization: Bearer {TOKEN}\r\n");
    eventually(|| locked.get_with("/readyz", &token).status, 200);

    let seen = RefCell::new(BTreeSet::new());
    let mut runner = TestRunner::new(Config {
        cases: REQUESTS,
        failure_persistence: None,
        ..Config::default()
    });
    runner
        .run(&sent(), |octets| {
            let told = |what: String| {
                let sent = octets.escape_ascii();
                TestCaseError::fail(format!("{what} for {sent}"))
            };
            for http in [open, locked] {
                let answered = answer(http, &octets);
                let status = status(&answered).map_err(told)?;
                seen.borrow_mut().insert(status);
                let is_secret = !has(&octets, "corp");
                if http.0 == locked.0 && is_secret && has(&answered, "corp.example") {
                    return Err(told("without a token a zone's name".to_owned()));
                }
            }
            Ok(())
        })
        .unwrap();
    // Else it was all noise.
    let seen = seen.into_inner();
    assert!(
        seen.is_superset(&BTreeSet::from([200, 400, 401, 405])),
        "{seen:?}"
    );

    assert_eq!(open.get("/readyz").status, 200);
    assert_eq!(open.json("/api/v1/status")["zones"][0]["zone"], ZONE);
    assert_eq!(locked.get_with("/api/v1/status", &token).status, 200);
    for daemon in daemons {
        let peak = daemon.peak_memory();
        assert!(peak <= MOST_MEBIBYTES, "{peak} MiB");
        let (status, log) = daemon.stop();
        assert!(status.success() && !log.contains("panicked"), "{log}");
        assert!(!log.contains(TOKEN));
    }
}
