//! The forms of a plan that other programs run or read: `nsupdate` and `named-checkzone` of BIND,
//! a monitoring system, and `--out`.

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
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use support::{
    Bind, Fate, Kms, Primary, Proxy, RIVAL, Run, Site, ZoneText, dig, nsupdate, unused_address,
};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";

/// Records as anybody may register them.
const HOSTILE: [&str; 4] = [
    r"0 0 1688 <script>alert\(1\)</script>.evil.example.",
    r"0 0 1688 x\010\;\032update\032delete\009\034\$\(id\)\034.evil.example.",
    r"0 0 1688 `a`|b'\;\032\'.evil.example.",
    r"0 0 1688 \226\128\153\255\@\;\(\)\\\.#{}.evil.example.",
];

/// An old TTL, a wrong port, two retired hosts and hostile foreign records.
fn crowded() -> Primary {
    let mut records = vec![
        "0 0 1688 KMS1.corp.example.",
        "5 5 1700 kms2.corp.example.",
        "0 0 1688 old1.corp.example.",
        "0 0 1688 old2.corp.example.",
    ];
    records.extend(HOSTILE);
    Bind::start(&[ZoneText::new(ZONE).srv(600, &records)])
}

/// Every kind of change for [`crowded`].
fn site(primary: &Primary) -> Site {
    Site::with_primary(primary.address)
        .trusted_host("kms1.corp.example.", "")
        .trusted_host("kms2.corp.example.", "")
        .trusted_host("kms3.corp.example.", "")
        .trusted_host("old1.corp.example.", "role = \"retired\"")
        .trusted_host("old2.corp.example.", "role = \"retired\"")
        .zone(ZONE)
        .policy("max_removals = 5")
}

/// Writes the plan as a script for nsupdate.
fn script(site: &Site) -> PathBuf {
    let file = site.path("script");
    let run = site.run(&[
        "plan",
        "--format",
        "nsupdate",
        "--out",
        file.to_str().unwrap(),
    ]);
    run.expect(2);
    assert_eq!(run.stdout, "");
    file
}

fn run_script(site: &Site, script: &Path) -> Output {
    Command::new("nsupdate")
        .args(["-v", "-k"])
        .arg(site.path("primary.key"))
        .arg(script)
        .output()
        .expect("nsupdate; tests/run installs it")
}

#[test]
fn the_nsupdate_script_does_what_apply_does() {
    let (ours, theirs) = (crowded(), crowded());
    assert_eq!(dig(ours.address, OWNER, "SRV").len(), 8);

    site(&ours).apply(0);
    let site = site(&theirs);
    let output = run_script(&site, &script(&site));

    assert!(output.status.success(), "{output:?}");
    assert_eq!(output.stderr, b"", "{output:?}");
    let published = dig(theirs.address, OWNER, "SRV");
    assert_eq!(published, dig(ours.address, OWNER, "SRV"));
    assert_eq!(published.len(), 3 + HOSTILE.len());
    assert!(published.iter().all(|record| record.starts_with("3600 ")));
    site.run(&["plan"]).expect(0);
}

#[test]
fn the_nsupdate_script_fills_an_empty_zone_and_empties_a_full_one() {
    let primary = Bind::start(&[
        ZoneText::new(ZONE),
        ZoneText::new("full.example.").srv(600, &["0 0 1688 kms1.corp.example."]),
    ]);
    let site = Site::with_primary(primary.address)
        .trusted_host("kms1.corp.example.", "")
        .zone(ZONE)
        .zone_with("full.example.", "primary", "expect = \"empty\"");

    let output = run_script(&site, &script(&site));

    assert!(output.status.success(), "{output:?}");
    assert_eq!(
        dig(primary.address, OWNER, "SRV"),
        ["3600 0 0 1688 kms1.corp.example."]
    );
    let none: [&str; 0] = [];
    assert_eq!(
        dig(primary.address, "_vlmcs._tcp.full.example.", "SRV"),
        none
    );
}

/// One zone's conflict leaves the others alone.
#[test]
fn the_nsupdate_script_changes_nothing_in_a_zone_that_changed() {
    let primary = Bind::start(&[
        ZoneText::new("a.example."),
        ZoneText::new("b.example.").srv(3600, &["0 0 1688 kms1.corp.example."]),
        ZoneText::new("c.example."),
    ]);
    let site = Site::with_primary(primary.address)
        .trusted_host("kms1.corp.example.", "")
        .trusted_host("kms2.corp.example.", "")
        .zone("a.example.")
        .zone("b.example.")
        .zone("c.example.");
    let script = script(&site);
    for zone in ["a", "b"] {
        nsupdate(
            primary.address,
            RIVAL,
            &format!(
                "update add _vlmcs._tcp.{zone}.example. 3600 IN SRV 0 0 1688 rival.corp.example."
            ),
        );
    }

    let output = run_script(&site, &script);

    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let errors = String::from_utf8(output.stderr).unwrap();
    assert!(errors.contains("update failed: YXRRSET"), "{errors}");
    assert!(errors.contains("update failed: NXRRSET"), "{errors}");
    let published = |zone: &str| dig(primary.address, &format!("_vlmcs._tcp.{zone}"), "SRV");
    assert_eq!(
        published("a.example."),
        ["3600 0 0 1688 rival.corp.example."]
    );
    assert_eq!(
        published("b.example."),
        [
            "3600 0 0 1688 kms1.corp.example.",
            "3600 0 0 1688 rival.corp.example."
        ]
    );
    assert_eq!(
        published("c.example."),
        [
            "3600 0 0 1688 kms1.corp.example.",
            "3600 0 0 1688 kms2.corp.example."
        ]
    );
}

/// Reads a zone with the snippet included as BIND would; its SRV records as [`dig`] prints them.
fn check_zone(site: &Site, snippet: &str) -> Vec<String> {
    let output = named_checkzone(site, snippet);
    assert!(output.status.success(), "{output:?}");
    let mut records: Vec<String> = fs::read_to_string(site.path("dump"))
        .unwrap()
        .lines()
        .filter(|line| line.contains("SRV"))
        .map(|line| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            assert_eq!(fields[0], OWNER);
            format!("{} {}", fields[1], fields[4..].join(" "))
        })
        .collect();
    records.sort();
    records
}

fn named_checkzone(site: &Site, snippet: &str) -> Output {
    fs::write(site.path("snippet"), snippet).unwrap();
    fs::write(
        site.path("zone"),
        format!(
            "$TTL 60\n@ IN SOA ns hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n\
             $ORIGIN elsewhere.{ZONE}\n$INCLUDE {}\n",
            site.path("snippet").display()
        ),
    )
    .unwrap();
    // Hosts have no addresses here, and hostile ones no host names.
    Command::new("named-checkzone")
        .args(["-i", "none", "-k", "ignore", "-D", "-q", "-o"])
        .arg(site.path("dump"))
        .arg(ZONE)
        .arg(site.path("zone"))
        .output()
        .expect("named-checkzone; tests/run installs it")
}

#[test]
fn the_zone_snippet_is_the_zone_afterwards() {
    let primary = crowded();
    let site = site(&primary);
    let before = site.run(&["plan", "--format", "zone"]);
    before.expect(2);

    site.apply(0);

    let afterwards = dig(primary.address, OWNER, "SRV");
    assert_eq!(check_zone(&site, &before.stdout), afterwards);
    let unchanged = site.run(&["plan", "--format", "zone"]);
    unchanged.expect(0);
    assert_eq!(check_zone(&site, &unchanged.stdout), afterwards);
}

/// What could not be read must not be taken for a zone without records.
#[test]
fn the_zone_snippet_of_an_unreadable_zone_does_not_load() {
    let site = Site::new()
        .server("lost", unused_address(), RIVAL)
        .trusted_host("kms1.corp.example.", "")
        .zone_with(ZONE, "lost", "");
    let run = site.run(&["plan", "--format", "zone"]);
    run.expect(1);
    let output = named_checkzone(&site, &run.stdout);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
    let records = check_zone(&site, &run.stdout.replace("$NOT_READ", ";"));
    assert!(records.is_empty(), "{records:?}");
}

/// The state and the text of the one line that monitoring reads.
#[track_caller]
fn plugin(run: &Run, status: i32, state: &str) -> String {
    run.expect(status);
    assert_eq!(run.stdout.lines().count(), 1, "{run}");
    let text = run
        .stdout
        .strip_prefix(&format!("SRVKEEPER {state} - "))
        .unwrap_or_else(|| panic!("not {state}: {run}"));
    text.trim_end().to_owned()
}

const NAGIOS: [&str; 3] = ["plan", "--format", "nagios"];

#[test]
fn monitoring_gets_ok_and_warning() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(
        3600,
        &["0 0 1688 kms1.corp.example.", "0 0 1688 zombie.example."],
    )]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &kms)
        .zone(ZONE);

    let ok = plugin(&site.run(&NAGIOS), 0, "OK");
    assert_eq!(
        ok,
        "1 zone, nothing to do | zones=1 pending=0 held=0 foreign=1 errors=0 hosts_up=1;;;0;1"
    );
    let strict = site.run(&["plan", "--format=nagios", "--strict"]);
    assert!(plugin(&strict, 1, "WARNING").starts_with("corp.example.: 1 foreign record | "));

    let site = site.trusted_host("kms2.corp.example.", "");
    let pending = plugin(&site.run(&NAGIOS), 1, "WARNING");
    assert!(
        pending.starts_with("corp.example.: 1 change pending | zones=1 pending=1 "),
        "{pending}"
    );
}

#[test]
fn monitoring_gets_critical_for_what_is_held() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &["0 0 1688 kms1.corp.example."])]);
    let site = Site::with_primary(primary.address)
        .host("kms1.corp.example.", &Kms::stopped())
        .zone(ZONE)
        .zone_with("lost.example.", "lost", "")
        .server("lost", unused_address(), RIVAL);

    let text = plugin(&site.run(&NAGIOS), 2, "CRITICAL");

    assert!(
        text.starts_with("2 of 2 zones need attention; corp.example.: 1 held; min-hosts: "),
        "{text}"
    );
    assert!(text.contains(" errors=1 hosts_up=0;;;0;1"), "{text}");
}

#[test]
fn monitoring_gets_unknown_whenever_there_is_no_plan() {
    let site = Site::new()
        .server("lost", unused_address(), RIVAL)
        .trusted_host("kms1.corp.example.", "")
        .zone_with(ZONE, "lost", "");
    let unreadable = plugin(&site.run(&NAGIOS), 3, "UNKNOWN");
    assert!(unreadable.starts_with("corp.example.: "), "{unreadable}");

    let unknown_zone = site.run(&["plan", "other.example", "--format", "nagios"]);
    let text = plugin(&unknown_zone, 3, "UNKNOWN");
    assert!(text.starts_with("no zone other.example. is configured"));

    let usage = site.run(&["plan", "--format", "nagios", "--no-such-option"]);
    let text = plugin(&usage, 3, "UNKNOWN");
    assert!(text.contains("--no-such-option"), "{text}");

    let no_folder = site.run(&["plan", "--format=nagios", "--out", "/no/such/folder/plan"]);
    let text = plugin(&no_folder, 3, "UNKNOWN");
    assert!(text.contains("/no/such/folder/plan"), "{text}");

    let site = site.policy("no_such_key = 1");
    plugin(&site.run(&NAGIOS), 3, "UNKNOWN");
}

#[test]
fn a_document_tells_what_to_repair_and_sends_no_update() {
    let zone = ZoneText::new(ZONE).srv(30, &["0 0 1688 kms1.corp.example."]);
    let primary = Bind::start(&[zone]);
    let proxy = Proxy::start(primary.address, |_| Fate::Pass);
    let mut site = Site::with_primary(proxy.address)
        .trusted_host("kms1.corp.example.", "")
        .zone(ZONE);
    site.record = "ttl = \"30s\"".to_owned();
    for (format, heading) in [
        ("html", "<h2>What to repair</h2>"),
        ("markdown", "## What to repair"),
    ] {
        let run = site.run(&["plan", "--format", format]);
        run.expect(0);
        assert!(run.stdout.contains(heading), "{run}");
        assert!(
            run.stdout.contains("warning, ttl") || run.stdout.contains(", ttl:"),
            "{run}"
        );
    }
    assert_eq!(proxy.updates(), 0);
}

/// The monitoring plugins' own wrapper, which exchanges the states, and their words in the line.
#[test]
fn the_monitoring_plugins_wrapper_reads_the_state_and_the_line() {
    let zone = ZoneText::new(ZONE).srv(3600, &["0 0 1688 kms1.corp.example."]);
    let primary = Bind::start(&[zone]);
    let well = Site::with_primary(primary.address)
        .trusted_host("kms1.corp.example.", "")
        .zone(ZONE);
    let lost = Site::with_primary(unused_address())
        .trusted_host("kms1.corp.example.", "")
        .zone(ZONE);
    for (site, status, state) in [(&well, 1, "WARNING"), (&lost, 2, "CRITICAL")] {
        let output = Command::new("/usr/lib/nagios/plugins/negate")
            .args(["--substitute", "--ok=WARNING", "--unknown=CRITICAL"])
            .args([env!("CARGO_BIN_EXE_srvkeeper"), "--config"])
            .arg(site.configure())
            .args(NAGIOS)
            .output()
            .expect("negate, of the monitoring plugins; tests/run installs it");
        assert_eq!(output.status.code(), Some(status), "{output:?}");
        let line = String::from_utf8(output.stdout).unwrap();
        assert!(line.starts_with(&format!("SRVKEEPER {state} - ")), "{line}");
        assert!(line.contains(" | zones=1 "), "{line}");
        assert_eq!(line.lines().count(), 1, "{line}");
    }
}

#[test]
fn out_takes_the_plan_and_leaves_stdout_empty() {
    let primary = crowded();
    let site = site(&primary);
    let file = site.path("approved.json");
    let path = file.to_str().unwrap();

    let run = site.run(&["plan", "--out", path]);

    run.expect(2);
    assert_eq!(run.stdout, "");
    assert!(run.stderr.contains(path), "{run}");
    let plan: serde_json::Value =
        serde_json::from_str(&fs::read_to_string(&file).unwrap()).unwrap();
    assert_eq!(plan["format_version"], 1);
    assert_eq!(plan["summary"]["deletes"], 2);

    for (format, beginning) in [
        ("text", "kms1.corp.example."),
        ("markdown", "# srvkeeper plan\n"),
        ("html", "<!DOCTYPE html>"),
        ("powershell", "#Requires "),
        ("zone", "; Plan: 1 zone"),
    ] {
        let arguments = [
            "--color", "always", "plan", "--format", format, "--out", path,
        ];
        site.run(&arguments).expect(2);
        let text = fs::read_to_string(&file).unwrap();
        assert!(text.starts_with(beginning), "{format}: {text}");
        assert!(!text.contains('\u{1b}'), "{format}: {text}");
    }
    let left: Vec<_> = fs::read_dir(file.parent().unwrap())
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .filter(|name| name.contains("approved"))
        .collect();
    assert_eq!(left, ["approved.json"]);
}

#[test]
fn an_unwritable_file_is_named() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let site = Site::with_primary(primary.address)
        .trusted_host("kms1.corp.example.", "")
        .zone(ZONE);

    let run = site.run(&["plan", "--out", "/no/such/folder/plan.json"]);

    run.expect(1);
    assert_eq!(run.stdout, "");
    run.expect_text("cannot write /no/such/folder/plan.json: No such file or directory");
}
