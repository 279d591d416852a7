//! `history` and `rollback` against BIND: what is recorded, and what undoing it leaves in DNS.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use serde_json::{Value, json};
use support::{Bind, Kms, Primary, RIVAL, Run, Site, ZoneText, dig, nsupdate, serial};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const BOTH: [&str; 2] = [
    "3600 0 0 1688 kms1.corp.example.",
    "3600 0 0 1688 kms2.corp.example.",
];

fn primary(ttl: u32, records: &[&str]) -> Primary {
    Bind::start(&[ZoneText::new(ZONE).srv(ttl, records)])
}

fn published(primary: &Primary) -> Vec<String> {
    dig(primary.address, OWNER, "SRV")
}

/// Two hosts, of which the second is published and dead, removed by an apply: change 1.
struct Removed {
    primary: Primary,
    kms1: Kms,
    site: Site,
}

impl Removed {
    fn new() -> Self {
        let records = ["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."];
        let primary = primary(3600, &records);
        let (kms1, kms2) = (Kms::start(), Kms::stopped());
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms1)
            .host(KMS2, &kms2)
            .zone(ZONE);
        site.run_in(&[("USER", "alice")], &["apply", "--yes"])
            .expect(0);
        assert_eq!(published(&primary), BOTH[..1]);
        Self {
            primary,
            kms1,
            site,
        }
    }

    fn rollback(&self, arguments: &[&str]) -> Run {
        let arguments = [&["rollback"], arguments].concat();
        self.site.run_in(&[("USER", "bob")], &arguments)
    }
}

fn changes(site: &Site, arguments: &[&str]) -> Vec<Value> {
    let run = site.run(&[&["history", "--format", "json"], arguments].concat());
    run.expect(0);
    let history = run.json();
    assert_eq!(history["format_version"], 1);
    history["changes"].as_array().unwrap().clone()
}

#[test]
fn a_removal_is_recorded_shown_and_undone() {
    let removed = Removed::new();
    let Removed { primary, site, .. } = &removed;
    let before = serial(primary.address, ZONE);

    let list = site.run(&["history"]);
    list.expect(0);
    let line = list.stdout.lines().nth(1).unwrap();
    assert!(line.starts_with(" 1  ") && line.len() <= 80, "{list}");
    assert!(
        line.contains("  corp.example.  +0 ±0 -1  applied  apply by alice"),
        "{list}"
    );

    let one = site.run(&["history", "1"]);
    one.expect(0);
    for text in [
        "change 1: corp.example.: applied\n",
        &format!("server  {}, zone corp.example.\n", primary.address),
        "rcode   NOERROR\n",
        "digest  sha256:",
        "- DELETE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms2.corp.example. ttl=3600\n    host-down: ",
        "before: 2 records, ttl=3600\n",
        "after: 1 record, ttl=3600\n",
    ] {
        one.expect_text(text);
    }

    let dry = removed.rollback(&["1", "--dry-run"]);
    dry.expect(2);
    dry.expect_text("+ CREATE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms2.corp.example. ttl=3600");
    dry.expect_text("rollback: undoes change 1 (host-down)");
    dry.expect_text("kms2.corp.example. will be forced up");
    assert_eq!(serial(primary.address, ZONE), before);
    assert_eq!(changes(site, &[]).len(), 1);

    // A question without a terminal.
    removed.rollback(&["1"]).expect(64);
    assert_eq!(serial(primary.address, ZONE), before);

    removed.rollback(&["1", "--yes"]).expect(0);
    assert_eq!(published(primary), BOTH);
    let undone = &changes(site, &[])[0];
    assert_eq!(undone["id"], 2);
    assert_eq!(undone["actor"], "rollback of 1 by bob");
    assert_eq!(undone["outcome"]["kind"], "applied");
    assert_eq!(undone["changes"][0]["reason"]["code"], "rollback");

    // The host is still dead, and the next run leaves it all the same.
    site.apply(0);
    assert_eq!(published(primary), BOTH);

    // Undoing the undoing.
    removed.rollback(&["2", "--yes"]).expect(0);
    assert_eq!(published(primary), BOTH[..1]);
    assert!(!removed.kms1.saw_anything_else());
}

#[test]
fn the_json_has_every_field() {
    let removed = Removed::new();
    let mut change = changes(&removed.site, &["1"]).pop().unwrap();
    let serial = serial(removed.primary.address, ZONE);
    let record = |host: &str| json!({"priority": 0, "weight": 0, "port": 1688, "target": host});
    for (field, expected) in [
        ("id", json!(1)),
        ("actor", json!("apply by alice")),
        ("zone", json!(ZONE)),
        ("owner", json!(OWNER)),
        ("server", json!(removed.primary.address.to_string())),
        ("update_zone", json!(ZONE)),
        ("serial_before", json!(serial - 1)),
        ("serial_after", json!(serial)),
        (
            "before",
            json!({"ttl": 3600, "records": [record(KMS1), record(KMS2)]}),
        ),
        ("after", json!({"ttl": 3600, "records": [record(KMS1)]})),
    ] {
        assert_eq!(change[field], expected, "{field}");
    }
    let asked_at: jiff::Timestamp = change["asked_at"].as_str().unwrap().parse().unwrap();
    let outcome = change["outcome"].take();
    let finished_at: jiff::Timestamp = outcome["finished_at"].as_str().unwrap().parse().unwrap();
    assert!(asked_at <= finished_at);
    assert_eq!(outcome["rcode"], "NOERROR");
    assert!(!outcome["text"].as_str().unwrap().is_empty());
    let made = &change["changes"][0];
    assert_eq!(
        (&made["type"], &made["after"]),
        (&json!("delete"), &Value::Null)
    );
    assert_eq!(made["before"]["ttl"], 3600);
    assert_eq!(made["reason"]["code"], "host-down");
    assert!(change["digest"].as_str().unwrap().starts_with("sha256:"));
}

#[test]
fn what_was_changed_meanwhile_is_not_undone() {
    let removed = Removed::new();
    nsupdate(
        removed.primary.address,
        RIVAL,
        &format!("update add {OWNER} 3600 SRV 0 0 1688 rival.corp.example."),
    );
    let before = (
        published(&removed.primary),
        serial(removed.primary.address, ZONE),
    );

    for arguments in [&["1", "--dry-run"], &["1", "--yes"]] {
        let run = removed.rollback(arguments);
        run.expect(4);
        run.expect_text("then: 0 0 1688 kms1.corp.example. ttl=3600; now: ");
        run.expect_text("rival.corp.example.");
    }

    let after = (
        published(&removed.primary),
        serial(removed.primary.address, ZONE),
    );
    assert_eq!(before, after);
    assert_eq!(changes(&removed.site, &[]).len(), 1);
    // Nothing is forced either.
    let plan = removed.site.plan(0);
    assert!(
        plan["hosts"]
            .as_array()
            .unwrap()
            .iter()
            .all(|host| host["forced"] == false)
    );
}

#[test]
fn the_first_publication_is_undone_only_as_far_as_min_hosts_allows() {
    let primary = primary(3600, &[]);
    let kms1 = Kms::start();
    let site = |policy: &str| {
        Site::with_primary(primary.address)
            .host(KMS1, &kms1)
            .zone(ZONE)
            .policy(policy)
    };
    let guarded = site("min_hosts = 1");
    guarded.apply(0);
    assert_eq!(published(&primary), BOTH[..1]);

    for arguments in [["rollback", "1", "--dry-run"], ["rollback", "1", "--yes"]] {
        let run = guarded.run(&arguments);
        run.expect(3);
        run.expect_text("! HELD - DELETE");
        run.expect_text("min-hosts: 0 published hosts");
    }
    assert_eq!(published(&primary), BOTH[..1]);
    assert_eq!(changes(&guarded, &[]).len(), 1);

    // Where nobody need be published the RRset goes as a whole, and stays away.
    let free = site("min_hosts = 0");
    free.apply(0);
    nsupdate(
        primary.address,
        RIVAL,
        &format!("update delete {OWNER} SRV"),
    );
    free.apply(0);
    free.run(&["rollback", "1", "--yes"]).expect(0);
    assert_eq!(published(&primary), [""; 0]);
    free.apply(0);
    assert_eq!(published(&primary), [""; 0]);
}

#[test]
fn a_ttl_is_restored_and_the_loss_of_it_foretold() {
    let primary = primary(600, &["0 0 1688 kms1.corp.example."]);
    let kms1 = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms1)
        .zone(ZONE);
    site.apply(0);
    assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);

    let run = site.run(&["rollback", "1", "--yes"]);

    run.expect(0);
    run.expect_text("± MODIFY _vlmcs._tcp.corp.example. SRV");
    run.expect_text("The next run will change again");
    run.expect_text("ttl-drift");
    assert_eq!(published(&primary), ["600 0 0 1688 kms1.corp.example."]);
}

#[test]
fn nothing_recorded_and_unknown_numbers() {
    let primary = primary(3600, &[]);
    let kms1 = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms1)
        .zone(ZONE);

    let run = site.run(&["history"]);
    run.expect(0);
    assert_eq!(run.stdout, "no changes recorded\n");
    assert_eq!(changes(&site, &[]), [Value::Null; 0]);
    for command in ["history", "rollback"] {
        let run = site.run(&[command, "1"]);
        run.expect(1);
        run.expect_text("there is no change 1: no changes are recorded yet");
    }
    assert!(!site.path("state").exists());

    site.apply(0);
    for arguments in [&["history", "2"][..], &["rollback", "2", "--yes"]] {
        let run = site.run(arguments);
        run.expect(1);
        run.expect_text("there is no change 2: those from 1 to 1 are recorded");
    }
    let run = site.run(&["history", "--zone", "other.example"]);
    run.expect(0);
    assert_eq!(run.stdout, "no changes of zone other.example. recorded\n");
    assert_eq!(changes(&site, &["--zone", "CORP.example"]).len(), 1);
    for usage in [
        &["history", "0"][..],
        &["history", "x"],
        &["history", "1", "--zone", ZONE],
        &["history", "--limit", "0"],
        &["rollback"],
        &["rollback", "-1"],
        &["rollback", "1", "--for", "soon"],
    ] {
        site.run(usage).expect(64);
    }
}

#[test]
fn what_was_not_applied_or_has_no_zone_any_more_is_not_undone() {
    let primary = primary(3600, &["0 0 1688 kms1.corp.example."]);
    let (kms1, kms2) = (Kms::start(), Kms::start());
    let with_key = |key| {
        Site::new()
            .server("primary", primary.address, key)
            .host(KMS1, &kms1)
            .host(KMS2, &kms2)
    };
    let refused = with_key(support::UNGRANTED).zone(ZONE);
    refused.apply(1);
    let before = serial(primary.address, ZONE);

    let run = refused.run(&["rollback", "1", "--yes"]);

    run.expect(1);
    run.expect_text("change 1 ended as refused; only an applied change can be rolled back");
    assert_eq!(serial(primary.address, ZONE), before);

    let renamed = refused.without_zones().zone("other.example.");
    let run = renamed.run(&["rollback", "1", "--yes"]);
    run.expect(1);
    run.expect_text("_vlmcs._tcp.corp.example., which is no longer configured");
}

#[test]
fn what_is_read_by_a_program_is_not_cut_to_columns() {
    let who = "somebody-whose-name-takes-more-columns-than-all-else-in-a-line-of-eighty";
    let primary = primary(3600, &[]);
    let kms1 = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms1)
        .zone(ZONE)
        .policy("min_hosts = 1");
    site.run_in(&[("USER", who)], &["apply", "--yes"]).expect(0);
    let list = site.run(&["history"]);
    list.expect(0);
    let line = list.stdout.lines().nth(1).unwrap();
    assert!(line.ends_with(&format!("  apply by {who}")), "{list}");
}
