//! `apply --plan FILE`: exactly the approved plan, or nothing.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod support;

use support::{Bind, Kms, Primary, RIVAL, Site, ZoneText, dig, nsupdate};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";

fn published(primary: &Primary) -> Vec<String> {
    dig(primary.address, OWNER, "SRV")
}

#[test]
fn a_plan_file_is_applied_as_approved() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms)
        .zone(ZONE);
    let file = site.path("plan.json");
    let file = file.to_str().unwrap();
    site.run(&["plan", "--format", "json", "--out", file])
        .expect(2);

    site.run(&["apply", "--yes", "--plan", file]).expect(0);

    assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
}

#[test]
fn a_plan_file_is_stale_when_the_zone_has_changed() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms)
        .zone(ZONE);
    let file = site.path("plan.json");
    let file = file.to_str().unwrap();
    site.run(&["plan", "--format", "json", "--out", file])
        .expect(2);
    nsupdate(
        primary.address,
        RIVAL,
        &format!("update add {OWNER} 3600 SRV 0 0 1688 rogue.corp.example."),
    );

    site.run(&["apply", "--yes", "--plan", file]).expect(4);

    assert_eq!(published(&primary), ["3600 0 0 1688 rogue.corp.example."]);
}

#[test]
fn a_plan_file_that_was_edited_is_refused() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms)
        .zone(ZONE);
    let file = site.path("plan.json");
    let file = file.to_str().unwrap();
    site.run(&["plan", "--format", "json", "--out", file])
        .expect(2);
    let text = std::fs::read_to_string(file).unwrap();
    std::fs::write(file, text.replace(KMS1, "evil.corp.example.")).unwrap();

    site.run(&["apply", "--yes", "--plan", file]).expect(1);

    assert_eq!(published(&primary), [""; 0]);
}

#[test]
fn a_part_of_a_plan_file_relies_on_the_hosts_of_the_whole() {
    let zones = ["a.example.", "b.example."];
    let primary = Bind::start(&zones.map(ZoneText::new));
    let (kms1, kms2) = (Kms::start(), Kms::start());
    let site = Site::with_primary(primary.address)
        .host_with(KMS1, &kms1, "groups = [\"a\"]")
        .host_with(KMS2, &kms2, "groups = [\"b\"]")
        .zone_with(zones[0], "primary", "groups = [\"a\"]")
        .zone_with(zones[1], "primary", "groups = [\"b\"]");
    let file = site.path("plan.json");
    let file = file.to_str().unwrap();
    site.run(&["plan", "--format", "json", "--out", file])
        .expect(2);

    site.run(&["apply", "--yes", "--plan", file, zones[0]])
        .expect(0);

    let published = zones.map(|zone| dig(primary.address, &format!("_vlmcs._tcp.{zone}"), "SRV"));
    assert_eq!(published[0], ["3600 0 0 1688 kms1.corp.example."]);
    assert_eq!(published[1], [""; 0]);
}

#[test]
fn a_zone_that_was_in_error_does_not_stop_the_rest_of_a_plan_file() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let site = Site::with_primary(primary.address)
        .trusted_host(KMS1, "")
        .zone("missing.example.")
        .zone(ZONE);
    let file = site.path("plan.json");
    let file = file.to_str().unwrap();
    site.run(&["plan", "--format", "json", "--out", file])
        .expect(1);

    let run = site.run(&["apply", "--yes", "--plan", file]);

    run.expect(1);
    run.expect_text("the approved plan has no changes for this zone");
    assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
}
