//! What a daemon says of itself: the same on every way, and the same as DNS.

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
use std::io::Write;
use std::os::unix::fs::{FileTypeExt, PermissionsExt};
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use support::{
    Bind, Daemon, Description, Http, Kms, Knot, OWNER, Primary, Site, ZONE, ZoneText, eventually,
    lines, outcomes, published, serial, unused_address,
};

const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const KMS3: &str = "kms3.corp.example.";

fn site(primary: &Primary, first: &Kms, second: &Kms) -> (Site, Http) {
    let http = unused_address();
    let mut site = Site::with_primary(primary.address)
        .host(KMS1, first)
        .host(KMS2, second)
        .zone(ZONE)
        .daemon(&format!("http = \"{http}\""));
    site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"2s\"".to_owned();
    (site, Http(http))
}

/// Waits until the page is served.
fn served(daemon: &mut Daemon) {
    daemon.wait_for("serving the status page");
}

fn zone(status: &Value) -> &Value {
    &status["zones"][0]
}

/// The records of a zone's status as `dig` prints them.
fn records(zone: &Value) -> Vec<String> {
    let records = zone["published"].as_array().unwrap().iter();
    let line = |record: &Value| {
        let number = |name: &str| record[name].as_u64().unwrap();
        format!(
            "{} {} {} {} {}",
            zone["ttl"],
            number("priority"),
            number("weight"),
            number("port"),
            record["target"].as_str().unwrap()
        )
    };
    let mut lines: Vec<String> = records.map(line).collect();
    lines.sort();
    lines
}

/// The value of one line of `/metrics`.
#[track_caller]
fn metric(metrics: &str, name: &str) -> f64 {
    let line = metrics
        .lines()
        .find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
    let line = line.unwrap_or_else(|| panic!("no {name} in:\n{metrics}"));
    line.parse().unwrap()
}

/// Every label of `/metrics` with its value.
fn labels(metrics: &str) -> Vec<(&str, &str)> {
    let samples = metrics.lines().filter(|line| !line.starts_with('#'));
    let inside = samples.filter_map(|line| line.split_once('{')?.1.rsplit_once('}'));
    let pairs = inside.flat_map(|(labels, _value)| labels.split("\","));
    pairs
        .map(|pair| pair.split_once("=\"").unwrap())
        .map(|(name, value)| (name, value.trim_end_matches('"')))
        .collect()
}

#[test]
fn a_host_that_dies_is_seen_on_every_way_as_in_dns() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second);
    let mut daemon = Daemon::start(&site, &[]);
    served(&mut daemon);
    let mut events = http.events("");
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    events.wait_for("zones", |data| data["zones"][0]["outcome"] == "applied");
    eventually(|| http.get("/readyz").status, 200);

    second.stop();
    let down = events.wait_for("host", |data| data["state"] == "down");
    assert_eq!(
        (&down["host"], &down["forced"]),
        (&json!(KMS2), &json!(false))
    );
    let walked = events.wait_for("zones", |data| data["zones"][0]["outcome"] == "applied");
    let actor = walked["actor"].as_str().unwrap();
    assert!(actor.starts_with("run: "), "{actor}");
    assert_eq!(walked["zones"][0]["changes"], 1);

    // Who was told can see it at once.
    let status = http.json("/api/v1/status");
    assert_eq!(published(&primary), lines(&["kms1"]));
    assert_eq!(records(zone(&status)), lines(&["kms1"]));
    assert_eq!(zone(&status)["serial"], serial(primary.address, ZONE));
    assert_eq!(zone(&status)["state"], "in-sync");
    assert_eq!(status["totals"]["records"]["published"], 1);
    assert_eq!(status["hosts"][1]["state"], "down");
    assert_eq!(status["hosts"][0]["state"], "up");
    assert_eq!(status["totals"]["hosts_up"], 1);
    assert_eq!(status["verdict"]["level"], "warning");

    let metrics = http.get("/metrics").text();
    let records = |state: &str| {
        let labels = format!("zone=\"{ZONE}\",owner=\"_vlmcs._tcp.{ZONE}\",state=\"{state}\"");
        metric(&metrics, &format!("srvkeeper_zone_records{{{labels}}}"))
    };
    assert_eq!((records("published"), records("missing")), (1.0, 0.0));
    let up = |host: &str| {
        metric(
            &metrics,
            &format!("srvkeeper_host_up{{host=\"{host}\",role=\"active\"}}"),
        )
    };
    assert_eq!((up(KMS1), up(KMS2)), (1.0, 0.0));
    let updates = metric(&metrics, "srvkeeper_updates_total{outcome=\"applied\"}");
    assert_eq!(updates, outcomes(&site).len() as f64);

    let plan = http.json("/api/v1/plan");
    assert_eq!(plan["summary"]["deletes"], 0);
    assert_eq!(plan["zones"][0]["observed"]["records"][0]["target"], KMS1);
    assert_eq!(plan["hosts"][1]["verdict"], "down");
    let history = http.json("/api/v1/history?limit=1");
    let change = &history["changes"][0];
    assert_eq!(change["outcome"]["kind"], "applied");
    assert_eq!(change["changes"][0]["before"]["target"], KMS2);
    assert_eq!(change["actor"], walked["actor"]);
    daemon.stop();
}

#[test]
fn the_command_prints_what_the_api_answers() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second);
    let absent = site.run(&["status"]);
    absent.expect(1);
    absent.expect_text("no daemon runs");
    absent.expect_text("srvkeeper run");

    let mut daemon = Daemon::start(&site, &[]);
    served(&mut daemon);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    eventually(|| http.get("/readyz").status, 200);
    let run = site.run(&["status", "--format", "json"]);
    run.expect(0);
    let (told, answered) = (run.json(), http.json("/api/v1/status"));
    let keys = |value: &Value| {
        value
            .as_object()
            .unwrap()
            .keys()
            .cloned()
            .collect::<Vec<_>>()
    };
    assert_eq!(keys(&told), keys(&answered));
    for same in ["mode", "started", "version", "page", "overrides"] {
        assert_eq!(told[same], answered[same], "{same}");
    }
    assert_eq!(zone(&told)["published"], zone(&answered)["published"]);

    site.run(&[
        "host",
        "down",
        KMS2,
        "--for",
        "2h",
        "--reason",
        "patching \u{1b}[31m",
    ])
    .expect(64);
    site.run(&["host", "down", KMS2, "--for", "2h", "--reason", "patching"])
        .expect(0);
    eventually(
        || records(zone(&http.json("/api/v1/status"))),
        lines(&["kms1"]),
    );
    let run = site.run(&["status"]);
    run.expect(0);
    for text in [
        "1 of 2 hosts up, 1 of 1 zone in sync",
        "down    (forced)",
        "patching",
        ZONE,
    ] {
        run.expect_text(text);
    }
    let wide: Vec<&str> = run
        .stdout
        .lines()
        .filter(|line| line.chars().count() > 80)
        .collect();
    assert!(wide.is_empty(), "{wide:#?}");
    daemon.stop();
    site.run(&["status"]).expect(1);
}

#[test]
fn the_socket_is_the_daemons_alone_and_there_without_a_page() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let (site, _http) = site(&primary, &first, &second);
    let site = site.daemon("");
    let socket = site.path("state").join("status.sock");
    let daemon = Daemon::start(&site, &[]);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    let found = fs::symlink_metadata(&socket).unwrap();
    assert!(found.file_type().is_socket());
    assert_eq!(found.permissions().mode() & 0o7777, 0o600);
    site.run(&["status"]).expect(0);

    daemon.kill();
    // It lies there still, and nobody answers.
    assert!(socket.exists());
    site.run(&["status"]).expect(1);
    let daemon = Daemon::start(&site, &[]);
    eventually(|| site.run(&["status"]).status.code(), Some(0));
    let (_status, log) = daemon.stop();
    assert!(!log.contains("serving the status page"), "{log}");
    assert!(!socket.exists());
}

#[test]
fn every_answer_is_as_the_description_says() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &["0 0 1688 stray.corp.example."])]);
    let (first, mut second) = (Kms::start(), Kms::start());
    let (mut site, http) = site(&primary, &first, &second);
    site = site.policy("min_hosts = 2");
    let mut daemon = Daemon::start(&site, &[]);
    served(&mut daemon);
    let description = Description::read();
    eventually(
        || http.json("/api/v1/status")["totals"]["hosts_up"].clone(),
        json!(2),
    );
    eventually(
        || http.json("/api/v1/status")["totals"]["records"]["published"].clone(),
        json!(3),
    );
    let mut events = http.events("");
    let mut seen = Vec::new();
    let mut hear = |events: &mut support::Stream, name: &str, holds: &dyn Fn(&Value) -> bool| {
        let data = events.wait_for(name, holds);
        description.check_answer("/api/v1/events", 200, "text/event-stream", &data);
        seen.push(name.to_owned());
    };
    second.stop();
    hear(&mut events, "host", &|data| data["state"] == "down");
    hear(&mut events, "zones", &|data| {
        data["zones"][0]["state"] == "short"
    });
    site.run(&["host", "down", KMS1, "--reason", "patching"])
        .expect(0);
    hear(&mut events, "override", &|data| data["state"] == "down");
    site.run(&["host", "clear", KMS1]).expect(0);
    hear(&mut events, "override", &|data| data["state"].is_null());
    site.run(&["pause", "--reason", "migration"]).expect(0);
    hear(&mut events, "pause", &|data| !data["until"].is_null());
    for path in description.paths() {
        let answer = match path.as_str() {
            "/api/v1/events" => continue,
            _ => http.get(&path),
        };
        assert_eq!(answer.status, 200, "{path}");
        let kind = answer.header("content-type").unwrap();
        let kind = kind.split(';').next().unwrap();
        let value = match kind {
            "application/json" => answer.json(),
            _ => Value::String(answer.text()),
        };
        description.check_answer(&path, 200, kind, &value);
    }
    let lines = http.json("/api/v1/plan?format=lines");
    description.check_answer("/api/v1/plan", 200, "application/json", &lines);
    let shown = lines["zones"][0]["lines"].as_array().unwrap();
    let tones: Vec<&str> = shown
        .iter()
        .map(|line| line["tone"].as_str().unwrap())
        .collect();
    assert!(
        tones.contains(&"held") && tones.contains(&"foreign"),
        "{tones:?}"
    );
    let bad = http.get("/api/v1/history?limit=0");
    description.check_answer(
        "/api/v1/history",
        bad.status,
        "application/json",
        &bad.json(),
    );
    // Each parameter that is described is taken, and no other.
    for path in description.paths() {
        for name in description.parameters(&path) {
            let value = match name.as_str() {
                "zone" => ZONE,
                "state" => "held",
                "sort" => "name",
                "format" => continue,
                _ => "1",
            };
            let extra = if path.ends_with("plan") {
                "format=lines&"
            } else {
                ""
            };
            let answer = http.get(&format!("{path}?{extra}{name}={value}"));
            assert_eq!(answer.status, 200, "{path} {name}: {answer:?}");
        }
        if !description.parameters(&path).is_empty() {
            assert_eq!(http.get(&format!("{path}?colour=1")).status, 400, "{path}");
        }
    }
    daemon.stop();
}

#[test]
fn prometheus_finds_nothing_wrong_with_the_metrics_and_the_rules() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second);
    let mut daemon = Daemon::start(&site, &[]);
    served(&mut daemon);
    eventually(|| published(&primary), lines(&["kms1", "kms2"]));
    eventually(|| http.get("/readyz").status, 200);
    let metrics = http.get("/metrics").text();
    let mut check = Command::new("promtool")
        .args(["check", "metrics"])
        .stdin(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .expect("promtool, of the package prometheus");
    check
        .stdin
        .take()
        .unwrap()
        .write_all(metrics.as_bytes())
        .unwrap();
    let checked = check.wait_with_output().unwrap();
    let said = String::from_utf8_lossy(&checked.stderr);
    assert!(
        checked.status.success() && said.is_empty(),
        "{said}\n{metrics}"
    );
    daemon.stop();

    let folder = concat!(env!("CARGO_MANIFEST_DIR"), "/config/prometheus");
    let tested = Command::new("promtool")
        .current_dir(folder)
        .args(["test", "rules", "srvkeeper.rules.test.yml"])
        .output()
        .unwrap();
    assert!(
        tested.status.success(),
        "{}",
        String::from_utf8_lossy(&tested.stderr)
    );
    // No rule asks for what is not there.
    let rules = fs::read_to_string(format!("{folder}/srvkeeper.rules.yml")).unwrap();
    for name in rules.split(|c: char| !c.is_ascii_alphanumeric() && c != '_') {
        let not_yet = ["srvkeeper_zone_name_servers"];
        if name.starts_with("srvkeeper_") && !not_yet.contains(&name) {
            assert!(metrics.contains(&format!("# TYPE {name} ")), "{name}");
        }
    }
}

#[test]
fn hostile_names_are_text_everywhere() {
    // <script>alert(1)</script>", escape, backslash, semicolon and ampersand, as zone files write them.
    const HOSTILE: &str =
        r"\060script\062alert\0401\041\060\047script\062\034\027\092\059\038.corp.example.";
    let zone = ZoneText::new(ZONE).srv(3600, &[&format!("0 0 1688 {HOSTILE}")]);
    let primary = Knot::start(&[zone]);
    let (first, second) = (Kms::start(), Kms::start());
    let (site, http) = site(&primary, &first, &second);
    // What a check says is the reason of its host.
    let script = site.path("says");
    fs::write(
        &script,
        r#"printf '<script>alert(2)</script>"\\\033[31m\r\n\ndata: {}\n\n' >&2; exit 1"#,
    )
    .unwrap();
    let more = format!(
        "check = \"exec\"\ncommand = [\"sh\", \"{}\"]",
        script.display()
    );
    let site = site.host_with(KMS3, &first, &more);
    let mut daemon = Daemon::start(&site, &[]);
    served(&mut daemon);
    let mut events = http.events("");
    let failed = events.wait_for("host", |data| {
        data["host"] == KMS3 && data["state"] == "down"
    });
    assert!(
        failed["reason"]
            .as_str()
            .unwrap()
            .contains("<script>alert(2)"),
        "{failed}"
    );
    eventually(
        || {
            let records = &http.json("/api/v1/status")["totals"]["records"];
            (records["published"].clone(), records["foreign"].clone())
        },
        (json!(3), json!(1)),
    );
    for path in [
        "/api/v1/status",
        "/api/v1/plan",
        "/api/v1/plan?format=lines",
        "/api/v1/history",
    ] {
        let answer = http.get(path);
        assert_eq!(
            answer.header("content-type").unwrap(),
            "application/json",
            "{path}"
        );
        assert_eq!(answer.header("x-content-type-options").unwrap(), "nosniff");
        assert!(answer.text().contains("<script>"), "{path}");
        answer.json();
        let raw = answer.text();
        let is_stray = |c: char| c.is_control() && c != '\n';
        assert!(!raw.contains(is_stray), "{path}: {raw:?}");
    }
    let page = http.get("/");
    assert!(
        page.header("content-type")
            .unwrap()
            .starts_with("text/html")
    );
    let policy = page.header("content-security-policy").unwrap();
    assert!(policy.contains("default-src 'none'") && policy.contains("script-src 'sha256-"));
    assert!(!policy.contains("unsafe"), "{policy}");
    assert!(!page.text().contains("alert("));
    for text in [
        site.run(&["status"]).stdout,
        http.get("/api/v1/status?format=text").text(),
    ] {
        assert!(
            text.contains("1 foreign") && text.contains("alert(2)"),
            "{text}"
        );
        assert!(
            !text.chars().any(|c| c.is_control() && c != '\n'),
            "{text:?}"
        );
    }
    // Metrics have names of the configuration, words and numbers, and nothing from elsewhere.
    let metrics = http.get("/metrics").text();
    assert!(
        !metrics.contains("script") && !metrics.contains("alert("),
        "{metrics}"
    );
    for (name, value) in labels(&metrics) {
        let is_known = match name {
            "host" => [KMS1, KMS2, KMS3].contains(&value),
            "zone" => value == ZONE,
            "owner" => value == OWNER,
            "version" | "state" | "result" | "outcome" | "guard" | "kind" | "role" | "le" => {
                let is_of_word = |c: char| c.is_ascii_alphanumeric() || "-.+".contains(c);
                value.chars().all(is_of_word)
            }
            _ => false,
        };
        assert!(is_known, "{name}={value}");
    }
    daemon.stop();
}
