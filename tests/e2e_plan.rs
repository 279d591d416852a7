//! `check` and `plan` against BIND: exit statuses, the JSON contract, and that nothing is written.

#![allow(
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use serde_json::{Value, json};
use srvkeeper::authority::AuthoritySettings;
use srvkeeper::model::{TsigAlgorithm, TsigSecret};

use support::{
    Bind, Kms, Primary, RIVAL, SRVKEEPER, Site, ZoneText, dig, nsupdate, serial, unused_address,
};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";

/// A primary that publishes these records with TTL 3600.
fn publishing(records: &[&str]) -> Primary {
    Bind::start(&[ZoneText::new(ZONE).srv(3600, records)])
}

/// The only zone of a plan.
fn zone(plan: &Value) -> &Value {
    assert_eq!(plan["zones"].as_array().map(Vec::len), Some(1), "{plan:#}");
    &plan["zones"][0]
}

fn record(target: &str) -> Value {
    json!({"priority": 0, "weight": 0, "port": 1688, "target": target})
}

fn record_with_ttl(target: &str, ttl: u32) -> Value {
    json!({"priority": 0, "weight": 0, "port": 1688, "target": target, "ttl": ttl})
}

#[test]
fn nothing_to_do_is_0() {
    let primary = publishing(&["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."]);
    let (kms1, kms2) = (Kms::start(), Kms::start());
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms1)
        .host("kms2.corp.example.", &kms2)
        .zone(ZONE);

    let plan = site.plan(0);

    assert_eq!(plan["format_version"], 1);
    assert!(plan["digest"].as_str().unwrap().starts_with("sha256:"));
    let created = plan["created"].as_str().unwrap();
    created.parse::<jiff::Timestamp>().unwrap();
    let verdicts: Vec<_> = plan["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| &h["verdict"])
        .collect();
    assert_eq!(verdicts, ["up", "up"]);
    let zone = zone(&plan);
    assert_eq!(zone["zone"], ZONE);
    assert_eq!(zone["server"], primary.address.to_string());
    assert_eq!(zone["serial"], serial(primary.address, ZONE));
    assert_eq!(zone["error"], Value::Null);
    assert_eq!(zone["unchanged"], 2);
    assert_eq!(zone["changes"], json!([]));
    assert_eq!(
        zone["observed"],
        json!({"ttl": 3600, "records": [record("kms1.corp.example."), record("kms2.corp.example.")]})
    );
    assert_eq!(
        plan["summary"],
        json!({"zones": 1, "creates": 0, "updates": 0, "deletes": 0, "held": 0, "foreign": 0, "errors": 0})
    );
}

#[test]
fn a_probe_is_one_bind_and_nothing_more() {
    let primary = publishing(&["0 0 1688 kms1.corp.example."]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms)
        .zone(ZONE);

    site.plan(0);

    assert!(kms.binds() >= 1);
    assert!(!kms.saw_anything_else());
}

#[test]
fn pending_changes_are_2_and_nothing_is_written() {
    let primary = publishing(&["0 0 1688 kms1.corp.example."]);
    let (kms1, kms2) = (Kms::start(), Kms::start());
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms1)
        .host("kms2.corp.example.", &kms2)
        .zone(ZONE);
    let before = serial(primary.address, ZONE);

    let plan = site.plan(2);

    let zone = zone(&plan);
    let changes = zone["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{zone:#}");
    assert_eq!(changes[0]["type"], "create");
    assert_eq!(changes[0]["before"], Value::Null);
    assert_eq!(
        changes[0]["after"],
        record_with_ttl("kms2.corp.example.", 3600)
    );
    assert_eq!(changes[0]["reason"]["code"], "host-up");
    assert_ne!(changes[0]["reason"]["text"], "");
    assert_eq!(plan["summary"]["creates"], 1);

    assert_eq!(serial(primary.address, ZONE), before);
    assert_eq!(
        dig(primary.address, OWNER, "SRV"),
        ["3600 0 0 1688 kms1.corp.example."]
    );
}

#[test]
fn a_silent_host_is_down_like_one_that_refuses() {
    let primary = publishing(&[
        "0 0 1688 kms1.corp.example.",
        "0 0 1688 kms2.corp.example.",
        "0 0 1688 kms3.corp.example.",
    ]);
    let (up, refuses, silent) = (Kms::start(), Kms::stopped(), Kms::silent());
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &up)
        .host("kms2.corp.example.", &refuses)
        .host("kms3.corp.example.", &silent)
        .zone(ZONE)
        .policy("max_removals = 5\nfreeze_percent = 100");

    let plan = site.plan(2);

    let verdicts: Vec<_> = plan["hosts"]
        .as_array()
        .unwrap()
        .iter()
        .map(|h| &h["verdict"])
        .collect();
    assert_eq!(verdicts, ["up", "down", "down"]);
    let zone = zone(&plan);
    let gone: Vec<_> = zone["changes"]
        .as_array()
        .unwrap()
        .iter()
        .map(|c| &c["before"]["target"])
        .collect();
    assert_eq!(gone, ["kms2.corp.example.", "kms3.corp.example."]);
    for change in zone["changes"].as_array().unwrap() {
        assert_eq!(change["type"], "delete");
        assert_eq!(change["after"], Value::Null);
        assert_eq!(change["reason"]["code"], "host-down");
    }
    assert_eq!(zone["unchanged"], 1);
}

#[test]
fn a_withheld_removal_is_3() {
    let primary = publishing(&["0 0 1688 kms1.corp.example."]);
    let kms = Kms::stopped();
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms)
        .zone(ZONE);

    let plan = site.plan(3);

    let zone = zone(&plan);
    assert_eq!(zone["changes"], json!([]));
    let held = zone["held"].as_array().unwrap();
    assert_eq!(held.len(), 1, "{zone:#}");
    assert_eq!(held[0]["guard"], "min-hosts");
    assert_eq!(held[0]["change"]["type"], "delete");
    assert_eq!(held[0]["change"]["before"]["target"], "kms1.corp.example.");
    assert!(held[0]["text"].as_str().unwrap().contains("min_hosts"));
    assert_eq!(plan["summary"]["held"], 1);
}

#[test]
fn more_hosts_down_than_freeze_percent_withholds_every_removal() {
    let primary = publishing(&[
        "0 0 1688 kms1.corp.example.",
        "0 0 1688 kms2.corp.example.",
        "0 0 1688 kms3.corp.example.",
    ]);
    let (up, down1, down2) = (Kms::start(), Kms::stopped(), Kms::stopped());
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &up)
        .host("kms2.corp.example.", &down1)
        .host("kms3.corp.example.", &down2)
        .zone(ZONE);

    let plan = site.plan(3);

    let held = zone(&plan)["held"].as_array().unwrap();
    let guards: Vec<_> = held.iter().map(|h| &h["guard"]).collect();
    assert_eq!(guards, ["freeze-percent", "freeze-percent"]);
}

#[test]
fn an_unreachable_server_is_1_and_other_zones_are_planned() {
    let primary = publishing(&["0 0 1688 kms1.corp.example."]);
    let dead = unused_address();
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .server("dead", dead, SRVKEEPER)
        .host("kms1.corp.example.", &kms)
        .zone_with("branch.example.", "dead", "")
        .zone(ZONE);

    let plan = site.plan(1);

    let zones = plan["zones"].as_array().unwrap();
    let named = |name: &str| zones.iter().find(|zone| zone["zone"] == name).unwrap();
    let error = named("branch.example.")["error"].as_str().unwrap();
    assert!(error.contains(&dead.to_string()), "{error}");
    assert_eq!(named("branch.example.")["changes"], json!([]));
    assert_eq!(named(ZONE)["error"], Value::Null);
    assert_eq!(named(ZONE)["unchanged"], 1);
    assert_eq!(plan["summary"]["errors"], 1);
}

#[test]
fn an_error_outranks_pending_changes() {
    let primary = publishing(&[]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .server("dead", unused_address(), SRVKEEPER)
        .host("kms1.corp.example.", &kms)
        .zone_with("branch.example.", "dead", "")
        .zone(ZONE);

    let plan = site.plan(1);

    assert_eq!(plan["summary"]["creates"], 1);
}

#[test]
fn only_the_zones_named_are_planned() {
    let primary = Bind::start(&[ZoneText::new(ZONE), ZoneText::new("branch.example.")]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms)
        .zone(ZONE)
        .zone("branch.example.");

    let run = site.run(&["plan", "--format", "json", "branch.example."]);

    run.expect(2);
    assert_eq!(zone(&run.json())["zone"], "branch.example.");
}

#[test]
fn foreign_records_are_reported_and_pending_only_when_strict() {
    let primary = publishing(&[
        "0 0 1688 kms1.corp.example.",
        "0 0 1688 rogue.corp.example.",
    ]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms)
        .zone(ZONE);

    let plan = site.plan(0);

    let foreign = zone(&plan)["foreign"].as_array().unwrap();
    assert_eq!(foreign.len(), 1);
    assert_eq!(foreign[0]["record"], record("rogue.corp.example."));
    assert_eq!(plan["summary"]["foreign"], 1);
    site.run(&["plan", "--strict"]).expect(2);
}

#[test]
fn without_probes_nothing_is_believed_up_or_down() {
    let primary = publishing(&["0 0 1688 kms1.corp.example.", "0 0 1688 old.corp.example."]);
    let (kms1, kms2, old) = (Kms::stopped(), Kms::start(), Kms::start());
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms1)
        .host("kms2.corp.example.", &kms2)
        .host_with("old.corp.example.", &old, "role = \"retired\"")
        .zone(ZONE);

    let run = site.run(&["plan", "--no-probe", "--format", "json"]);

    run.expect(2);
    let plan = run.json();
    let changes = zone(&plan)["changes"].as_array().unwrap();
    assert_eq!(changes.len(), 1, "{plan:#}");
    assert_eq!(changes[0]["reason"]["code"], "host-retired");
    assert_eq!(kms2.binds(), 0);
}

#[test]
fn the_digest_covers_the_plan_and_not_time_or_serial() {
    let primary = publishing(&["0 0 1688 kms1.corp.example."]);
    let (kms1, kms2) = (Kms::start(), Kms::start());
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms1)
        .host("kms2.corp.example.", &kms2)
        .zone(ZONE);

    let first = site.plan(2);
    nsupdate(
        primary.address,
        RIVAL,
        "update add www.corp.example. 60 A 127.0.0.9",
    );
    let same = site.plan(2);
    nsupdate(
        primary.address,
        RIVAL,
        "update add _vlmcs._tcp.corp.example. 3600 SRV 0 0 1688 rogue.corp.example.",
    );
    let other = site.plan(2);

    assert_ne!(first["zones"][0]["serial"], same["zones"][0]["serial"]);
    assert_eq!(first["digest"], same["digest"]);
    assert_ne!(first["digest"], other["digest"]);
}

#[test]
fn an_unknown_argument_is_64() {
    let site = Site::new();
    site.run(&["plan", "--no-such-flag"]).expect(64);
    site.run(&["no-such-command"]).expect(64);
    site.run(&[]).expect(64);
}

#[test]
fn check_says_what_was_understood() {
    let kms = Kms::start();
    let site = Site::with_primary(unused_address())
        .host("kms1.corp.example.", &kms)
        .zone(ZONE);

    let run = site.run(&["check"]);

    run.expect(0);
    run.expect_text("kms1.corp.example.");
    run.expect_text(ZONE);
    assert_eq!(kms.binds(), 0, "check probes nothing");
}

#[tokio::test]
async fn check_tells_where_a_zone_file_and_the_zone_served_differ() {
    let site = Site::with_primary(unused_address());
    let file = site.path("own.zone");
    let text =
        "$ORIGIN own.example.\n$TTL 60\n@ SOA ns h 1 60 60 600 60\n@ NS ns\nns A 192.0.2.1\n";
    fs::write(&file, text).unwrap();
    let secret = b"any secret at all".to_vec().into();
    let served = srvkeeper::authority::Primary::start(AuthoritySettings {
        listen: vec!["127.0.0.1:0".parse().unwrap()],
        key: TsigSecret {
            name: "any.".parse().unwrap(),
            algorithm: TsigAlgorithm::HmacSha256,
            secret,
        },
        transfer_key: None,
        zones: vec![file.clone()],
        state_dir: site.path("state"),
    });
    served.await.unwrap().shutdown().await;
    let site = site.trusted_host("kms1.corp.example.", "").zone_with(
        ZONE,
        "primary",
        "[authority]\nlisten = \"127.0.0.1:5353\"\nkey = \"primary\"\nzones = \"own.zone\"",
    );
    let same = site.run(&["check"]);
    same.expect(0);
    assert!(!same.stdout.contains("only in"), "{same}");

    fs::write(&file, text.replace("192.0.2.1", "192.0.2.2")).unwrap();
    let run = site.run(&["check"]);
    run.expect(0);
    run.expect_text("only in the file: ns.own.example. 60 A 192.0.2.2");
    run.expect_text("only in the zone: ns.own.example. 60 A 192.0.2.1");

    fs::write(&file, "no zone").unwrap();
    site.run(&["check"]).expect(1);
}

#[test]
fn check_names_the_line_of_an_unknown_key_and_the_key_that_was_meant() {
    let kms = Kms::start();
    let site = Site::with_primary(unused_address())
        .host("kms1.corp.example.", &kms)
        .zone(ZONE)
        .policy("min_host = 1");

    let run = site.run(&["check"]);

    run.expect(1);
    let file = fs::read_to_string(site.path("srvkeeper.toml")).unwrap();
    let line = 1 + file
        .lines()
        .position(|line| line == "min_host = 1")
        .unwrap();
    run.expect_text(&format!("srvkeeper.toml:{line}"));
    run.expect_text("min_hosts");
}

#[test]
fn a_key_file_that_others_can_read_is_named_and_its_secret_is_not_printed() {
    let kms = Kms::start();
    let site = Site::with_primary(unused_address())
        .host("kms1.corp.example.", &kms)
        .zone(ZONE);
    let file = site.path("primary.key");
    fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();

    let run = site.run(&["check"]);

    run.expect_text("primary.key");
    assert!(!run.to_string().contains(SRVKEEPER.secret), "{run}");
}

#[test]
fn an_inventory_without_active_hosts_is_refused() {
    let primary = publishing(&["0 0 1688 kms1.corp.example."]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host_with("kms1.corp.example.", &kms, "role = \"retired\"")
        .zone(ZONE);

    site.run(&["check"]).expect(1);
    site.run(&["apply", "--yes"]).expect(1);

    assert_eq!(
        dig(primary.address, OWNER, "SRV"),
        ["3600 0 0 1688 kms1.corp.example."]
    );
}

#[test]
fn data_that_cannot_be_written_is_a_failure() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let site = Site::with_primary(primary.address)
        .trusted_host("kms1.corp.example.", "")
        .zone(ZONE);
    site.plan(2);
    let into = |file: &str, arguments: &[&str]| {
        std::process::Command::new(env!("CARGO_BIN_EXE_srvkeeper"))
            .arg("--config")
            .arg(site.path("srvkeeper.toml"))
            .args(arguments)
            .stdout(fs::File::create(file).unwrap())
            .output()
            .unwrap()
    };
    for arguments in [
        &["check"][..],
        &["plan"],
        &["plan", "--format", "json"],
        &["plan", "--format", "zone"],
    ] {
        let output = into("/dev/full", arguments);
        assert_eq!(output.status.code(), Some(1), "{arguments:?}: {output:?}");
        let said = String::from_utf8(output.stderr).unwrap();
        assert!(said.contains("output is incomplete"), "{said}");
        assert_ne!(into("/dev/null", arguments).status.code(), Some(1));
    }
}

#[test]
fn a_log_for_programs_is_one_to_its_last_line() {
    let site = Site::with_primary(unused_address())
        .trusted_host("kms1.corp.example.", "")
        .zone(ZONE);
    let said = |file: &Path, arguments: &[&str]| -> Vec<String> {
        let output = Command::new(env!("CARGO_BIN_EXE_srvkeeper"))
            .args(["--log-format", "json", "--config"])
            .arg(file)
            .args(arguments)
            .output()
            .unwrap();
        assert_eq!(output.status.code(), Some(1), "{output:?}");
        let message = |line: &str| {
            let entry: Value = serde_json::from_str(line).unwrap();
            entry["fields"]["message"].as_str().unwrap().to_owned()
        };
        let stderr = String::from_utf8(output.stderr).unwrap();
        stderr.lines().map(message).collect()
    };
    let refused = said(&site.configure(), &["plan", "nozone.example"]);
    assert_eq!(refused.len(), 1, "{refused:?}");
    assert!(refused[0].contains("nozone.example"), "{refused:?}");
    // Each problem of a configuration is a line of its own.
    let broken = site.path("broken.toml");
    fs::write(&broken, "fast = true\n[daemon]\nmode = 7\n").unwrap();
    let problems = said(&broken, &["--quiet", "check"]);
    assert!(problems.len() > 2, "{problems:?}");
    assert!(problems.iter().any(|line| line.contains("daemon.mode")));
}
