//! `apply` against BIND and Knot: what becomes of the RRset, read back with dig.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod support;

use support::{Bind, Kms, Knot, Primary, Site, ZoneText, dig, serial};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const KMS3: &str = "kms3.corp.example.";

fn published(primary: &Primary) -> Vec<String> {
    dig(primary.address, OWNER, "SRV")
}

/// Both servers, each with the zone publishing these records.
fn each_primary(ttl: u32, records: &[&str]) -> [Primary; 2] {
    let zones = || [ZoneText::new(ZONE).srv(ttl, records)];
    [Bind::start(&zones()), Knot::start(&zones())]
}

/// Applying once more changes nothing and says so.
fn expect_settled(site: &Site, primary: &Primary) {
    let before = (published(primary), serial(primary.address, ZONE));
    site.apply(0);
    assert_eq!(before, (published(primary), serial(primary.address, ZONE)));
}

#[test]
fn the_first_host_is_published() {
    for primary in each_primary(3600, &[]) {
        let kms = Kms::start();
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms)
            .zone(ZONE);

        site.apply(0);

        assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
        expect_settled(&site, &primary);
    }
}

#[test]
fn missing_hosts_are_added_with_their_own_data() {
    for primary in each_primary(3600, &["0 0 1688 kms1.corp.example."]) {
        let (kms1, kms2, kms3) = (Kms::start(), Kms::start(), Kms::start());
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms1)
            .host_with(KMS2, &kms2, "weight = 20")
            .host_with(KMS3, &kms3, "priority = 10")
            .zone(ZONE);

        site.apply(0);

        assert_eq!(
            published(&primary),
            [
                "3600 0 0 1688 kms1.corp.example.",
                "3600 0 20 1688 kms2.corp.example.",
                "3600 10 0 1688 kms3.corp.example.",
            ]
        );
        expect_settled(&site, &primary);
    }
}

#[test]
fn a_dead_host_is_removed_and_returns_when_it_answers_again() {
    for primary in each_primary(
        3600,
        &["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."],
    ) {
        let (kms1, mut kms2) = (Kms::start(), Kms::stopped());
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms1)
            .host(KMS2, &kms2)
            .zone(ZONE);

        site.apply(0);
        assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);

        kms2.restart();
        site.apply(0);
        assert_eq!(
            published(&primary),
            [
                "3600 0 0 1688 kms1.corp.example.",
                "3600 0 0 1688 kms2.corp.example."
            ]
        );
    }
}

#[test]
fn the_last_host_is_never_removed() {
    for primary in each_primary(3600, &["0 0 1688 kms1.corp.example."]) {
        let kms = Kms::stopped();
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms)
            .zone(ZONE)
            .policy("freeze_percent = 100");

        let run = site.apply(3);

        run.expect_text("min_hosts");
        assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
    }
}

#[test]
fn no_more_than_max_removals_leave_within_the_interval() {
    let records = [
        "0 0 1688 kms1.corp.example.",
        "0 0 1688 kms2.corp.example.",
        "0 0 1688 kms3.corp.example.",
    ];
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &records)]);
    let (kms1, kms2, kms3) = (Kms::start(), Kms::stopped(), Kms::stopped());
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms1)
        .host(KMS2, &kms2)
        .host(KMS3, &kms3)
        .zone(ZONE)
        .policy("freeze_percent = 100");

    site.apply(3).expect_text("max_removals");
    assert_eq!(published(&primary).len(), 2);

    // The first run's removal is remembered.
    site.apply(3);
    assert_eq!(published(&primary).len(), 2);

    site.run(&["apply", "--yes", "--allow-removals", "1"])
        .expect(0);
    assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
}

#[test]
fn a_retired_host_goes_although_it_answers() {
    for primary in each_primary(
        3600,
        &["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."],
    ) {
        let (kms1, kms2) = (Kms::start(), Kms::start());
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms1)
            .host_with(KMS2, &kms2, "role = \"retired\"")
            .zone(ZONE);

        site.apply(0);

        assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
        expect_settled(&site, &primary);
    }
}

#[test]
fn priority_weight_and_port_are_put_right() {
    for primary in each_primary(3600, &["10 5 1700 kms1.corp.example."]) {
        let kms = Kms::start();
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms)
            .zone(ZONE);
        let plan = site.plan(2);
        assert_eq!(plan["zones"][0]["changes"][0]["type"], "update");
        assert_eq!(
            plan["zones"][0]["changes"][0]["reason"]["code"],
            "data-drift"
        );

        site.apply(0);

        assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
        expect_settled(&site, &primary);
    }
}

#[test]
fn the_ttl_of_the_whole_set_is_put_right() {
    for primary in each_primary(
        600,
        &["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."],
    ) {
        let (kms1, kms2) = (Kms::start(), Kms::start());
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms1)
            .host(KMS2, &kms2)
            .zone(ZONE);
        let plan = site.plan(2);
        assert_eq!(
            plan["zones"][0]["changes"][0]["reason"]["code"],
            "ttl-drift"
        );

        site.apply(0);

        assert_eq!(
            published(&primary),
            [
                "3600 0 0 1688 kms1.corp.example.",
                "3600 0 0 1688 kms2.corp.example."
            ]
        );
        expect_settled(&site, &primary);
    }
}

#[test]
fn the_ttl_of_foreign_records_follows_the_set() {
    for primary in each_primary(
        600,
        &[
            "0 0 1688 kms1.corp.example.",
            "0 0 1688 rogue.corp.example.",
        ],
    ) {
        let kms = Kms::start();
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms)
            .zone(ZONE);

        site.apply(0);

        assert_eq!(
            published(&primary),
            [
                "3600 0 0 1688 kms1.corp.example.",
                "3600 0 0 1688 rogue.corp.example."
            ]
        );
    }
}

#[test]
fn a_second_record_of_the_same_host_goes() {
    for primary in each_primary(
        3600,
        &["0 0 1688 kms1.corp.example.", "5 7 1688 kms1.corp.example."],
    ) {
        let kms = Kms::start();
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms)
            .zone(ZONE);
        let plan = site.plan(2);
        assert_eq!(plan["zones"][0]["changes"][0]["type"], "delete");
        assert_eq!(
            plan["zones"][0]["changes"][0]["reason"]["code"],
            "duplicate"
        );

        site.apply(0);

        assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
        expect_settled(&site, &primary);
    }
}

#[test]
fn foreign_records_and_other_names_are_left_alone() {
    let zone = ZoneText::new(ZONE)
        .srv(3600, &["0 0 1688 rogue.corp.example."])
        .record("_ldap._tcp 300 IN SRV 0 0 389 dc1")
        .record("www 60 IN A 127.0.0.9");
    let primary = Bind::start(&[zone]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms)
        .zone(ZONE);

    let run = site.apply(0);

    run.expect_text("rogue.corp.example.");
    assert_eq!(
        published(&primary),
        [
            "3600 0 0 1688 kms1.corp.example.",
            "3600 0 0 1688 rogue.corp.example."
        ]
    );
    assert_eq!(
        dig(primary.address, "_ldap._tcp.corp.example.", "SRV"),
        ["300 0 0 389 dc1.corp.example."]
    );
    assert_eq!(
        dig(primary.address, "www.corp.example.", "A"),
        ["60 127.0.0.9"]
    );
}

#[test]
fn foreign_records_go_when_the_policy_says_so() {
    for primary in each_primary(
        3600,
        &[
            "0 0 1688 kms1.corp.example.",
            "0 0 1688 rogue.corp.example.",
        ],
    ) {
        let kms = Kms::start();
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms)
            .zone(ZONE)
            .policy("foreign = \"remove\"");

        site.apply(0);

        assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
    }
}

#[test]
fn foreign_records_stay_while_no_inventory_host_is_up() {
    let records = [
        "0 0 1688 kms1.corp.example.",
        "0 0 1688 rogue.corp.example.",
    ];
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &records)]);
    let kms = Kms::stopped();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms)
        .zone(ZONE)
        .policy("foreign = \"remove\"");

    site.apply(3);

    assert_eq!(published(&primary).len(), 2);
}

#[test]
fn a_zone_declared_empty_is_emptied() {
    for primary in each_primary(3600, &["0 0 1688 kms1.corp.example."]) {
        let kms = Kms::start();
        let site = Site::with_primary(primary.address)
            .host(KMS1, &kms)
            .zone_with(ZONE, "primary", "expect = \"empty\"");
        let plan = site.plan(2);
        assert_eq!(
            plan["zones"][0]["changes"][0]["reason"]["code"],
            "expect-empty"
        );

        site.apply(0);

        assert_eq!(published(&primary), [""; 0]);
        expect_settled(&site, &primary);
    }
}

#[test]
fn a_standby_is_published_while_the_active_host_is_down() {
    for primary in each_primary(3600, &["0 0 1688 kms1.corp.example."]) {
        let (mut active, standby) = (Kms::stopped(), Kms::start());
        let site = Site::with_primary(primary.address)
            .host(KMS1, &active)
            .host_with(KMS2, &standby, "role = \"standby\"")
            .zone_with(ZONE, "primary", "standby_below = 1")
            .policy("freeze_percent = 100\nmax_removals = 10");

        site.apply(0);
        assert_eq!(published(&primary), ["3600 0 0 1688 kms2.corp.example."]);

        active.restart();
        site.apply(0);
        assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
    }
}

#[test]
fn changes_outside_the_policy_are_not_made_and_do_not_count() {
    let records = ["10 0 1688 kms1.corp.example.", "0 0 1688 old.corp.example."];
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &records)]);
    let (kms1, kms2, old) = (Kms::start(), Kms::start(), Kms::start());
    let site = |changes: &str| {
        Site::with_primary(primary.address)
            .host(KMS1, &kms1)
            .host(KMS2, &kms2)
            .host_with("old.corp.example.", &old, "role = \"retired\"")
            .zone(ZONE)
            .policy(&format!("changes = \"{changes}\""))
    };

    site("create-only").apply(0);
    assert_eq!(
        published(&primary),
        [
            "3600 0 0 1688 kms2.corp.example.",
            "3600 0 0 1688 old.corp.example.",
            "3600 10 0 1688 kms1.corp.example.",
        ]
    );

    site("upsert-only").apply(0);
    assert_eq!(
        published(&primary),
        [
            "3600 0 0 1688 kms1.corp.example.",
            "3600 0 0 1688 kms2.corp.example.",
            "3600 0 0 1688 old.corp.example.",
        ]
    );
}

#[test]
fn records_spelled_in_other_letter_case_are_ours() {
    for primary in each_primary(
        3600,
        &["0 0 1688 KMS1.Corp.Example.", "0 0 1688 kms2.corp.example."],
    ) {
        let (kms1, kms2) = (Kms::start(), Kms::start());
        let site = Site::with_primary(primary.address)
            .host_with(KMS1, &kms1, "role = \"retired\"")
            .host(KMS2, &kms2)
            .zone(ZONE);

        site.apply(0);

        assert_eq!(published(&primary), ["3600 0 0 1688 kms2.corp.example."]);
    }
}

#[test]
fn a_cut_below_the_suffix_is_found() {
    let parent = ZoneText::new(ZONE).record("_tcp IN NS ns");
    let child = ZoneText::new("_tcp.corp.example.").granting(OWNER);
    let primary = Bind::start(&[parent, child]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms)
        .zone(ZONE);

    site.apply(0);

    assert_eq!(published(&primary), ["3600 0 0 1688 kms1.corp.example."]);
    assert_eq!(
        serial(primary.address, ZONE),
        1,
        "the parent is not written to"
    );
}

#[test]
fn a_question_without_a_terminal_is_64_and_writes_nothing() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms)
        .zone(ZONE);

    let run = site.run(&["apply"]);

    run.expect(64);
    run.expect_text("--yes");
    assert_eq!(published(&primary), [""; 0]);
}

#[test]
fn nothing_to_do_asks_no_question() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &["0 0 1688 kms1.corp.example."])]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .host(KMS1, &kms)
        .zone(ZONE);

    site.run(&["apply"]).expect(0);
}

#[test]
fn a_set_of_200_records_is_kept() {
    let names: Vec<String> = (0..200)
        .map(|n| format!("kms{n:03}.corp.example."))
        .collect();
    for primary in each_primary(3600, &["0 0 1688 kms000.corp.example."]) {
        let site = names
            .iter()
            .fold(Site::with_primary(primary.address), |site, name| {
                site.trusted_host(name, "")
            })
            .zone(ZONE);

        site.apply(0);

        let expected: Vec<String> = names
            .iter()
            .map(|name| format!("3600 0 0 1688 {name}"))
            .collect();
        assert_eq!(published(&primary), expected);

        let mut site = site;
        site.record = "ttl = \"10m\"".to_owned();
        site.apply(0);
        let expected: Vec<String> = names
            .iter()
            .map(|name| format!("600 0 0 1688 {name}"))
            .collect();
        assert_eq!(published(&primary), expected);
    }
}

#[test]
fn a_set_too_large_for_one_message_is_refused_whole() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &["0 0 1688 first.corp.example."])]);
    let label = "x".repeat(60);
    let site = (0..1000)
        .fold(Site::with_primary(primary.address), |site, n| {
            site.trusted_host(&format!("{label}.kms{n:04}.corp.example."), "")
        })
        .zone(ZONE);

    let run = site.apply(1);

    run.expect_text("65,535");
    assert_eq!(published(&primary), ["3600 0 0 1688 first.corp.example."]);
}

#[test]
fn many_zones_are_applied_in_one_run() {
    let names: Vec<String> = (0..50).map(|n| format!("zone{n:02}.example.")).collect();
    let zones: Vec<ZoneText> = names.iter().map(|name| ZoneText::new(name)).collect();
    let primary = Knot::start(&zones);
    let kms = Kms::start();
    let site = names
        .iter()
        .fold(Site::with_primary(primary.address), |site, name| {
            site.zone(name)
        })
        .host(KMS1, &kms);

    site.apply(0);

    for name in &names {
        let owner = format!("_vlmcs._tcp.{name}");
        assert_eq!(
            dig(primary.address, &owner, "SRV"),
            ["3600 0 0 1688 kms1.corp.example."]
        );
    }
}

#[test]
fn two_hosts_that_fail_once_do_not_wait_for_each_other() {
    let names = [1, 2, 3, 4, 5].map(|number| format!("kms{number}.corp.example."));
    let records = names.clone().map(|name| format!("0 0 1688 {name}"));
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &records.each_ref().map(|r| &**r))]);
    let hosts = [1, 2, 3, 4, 5].map(|number| match number {
        1..=3 => Kms::start(),
        _ => Kms::stopped(),
    });
    let mut site = Site::with_primary(primary.address)
        .policy("max_removals = 2")
        .zone(ZONE);
    site.health = "fall = 1".to_owned();
    for (name, kms) in names.iter().zip(&hosts) {
        site = site.host(name, kms);
    }

    site.apply(0);

    assert_eq!(published(&primary).len(), 3);
}
