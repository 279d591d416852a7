//! Other writers and lost answers, provoked by a relay between the program and the server.

mod support;

use support::{Bind, Fate, Kms, Knot, Primary, Proxy, RIVAL, Site, ZoneText, dig, nsupdate};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const KMS1: &str = "kms1.corp.example.";
const ADDED: &str = "3600 0 0 1688 kms1.corp.example.";

fn each_empty_primary() -> [Primary; 2] {
    let zones = || [ZoneText::new(ZONE)];
    [Bind::start(&zones()), Knot::start(&zones())]
}

fn published(primary: &Primary) -> Vec<String> {
    dig(primary.address, OWNER, "SRV")
}

fn site(proxy: &Proxy, kms: &Kms) -> Site {
    Site::with_primary(proxy.address).host(KMS1, kms).zone(ZONE)
}

/// Lets another writer add a record before each of the first `times` updates.
fn with_rival(primary: &Primary, times: usize) -> Proxy {
    let address = primary.address;
    Proxy::start(address, move |ordinal| {
        if ordinal <= times {
            let add = format!("update add {OWNER} 3600 SRV 0 0 1688 rival{ordinal}.corp.example.");
            nsupdate(address, RIVAL, &add);
        }
        Fate::Pass
    })
}

#[test]
fn a_second_writer_between_plan_and_update_is_seen_and_kept() {
    for primary in each_empty_primary() {
        let (proxy, kms) = (with_rival(&primary, 1), Kms::start());

        site(&proxy, &kms).apply(0);

        assert_eq!(
            published(&primary),
            [ADDED, "3600 0 0 1688 rival1.corp.example."]
        );
        assert_eq!(proxy.updates(), 2);
    }
}

#[test]
fn a_second_writer_every_time_is_stale() {
    for primary in each_empty_primary() {
        let (proxy, kms) = (with_rival(&primary, usize::MAX), Kms::start());

        let run = site(&proxy, &kms).apply(4);

        run.expect_text(ZONE);
        assert!(!published(&primary).contains(&ADDED.to_owned()));
        // Bounded, and nothing but the rival's records.
        assert!((3..=4).contains(&proxy.updates()), "{}", proxy.updates());
        assert_eq!(published(&primary).len(), proxy.updates());
    }
}

#[test]
fn a_lost_answer_is_settled_by_reading_back() {
    for fate in [Fate::LoseAnswer, Fate::SwallowAnswer] {
        for primary in each_empty_primary() {
            let proxy = Proxy::start(primary.address, move |_| fate);
            let kms = Kms::start();

            site(&proxy, &kms).apply(0);

            assert_eq!(published(&primary), [ADDED], "{fate:?}");
            assert_eq!(proxy.updates(), 1, "an update is not sent twice");
        }
    }
}

#[test]
fn a_server_that_vanishes_after_the_update_leaves_it_unknown_until_the_next_run() {
    for primary in each_empty_primary() {
        let kms = Kms::start();
        let proxy = Proxy::start(primary.address, |ordinal| match ordinal {
            1 => Fate::Vanish,
            _ => Fate::Pass,
        });
        let site = site(&proxy, &kms);

        site.apply(1).expect_text("unknown");
        proxy.revive();
        site.apply(0);

        assert_eq!(published(&primary), [ADDED]);
        assert_eq!(proxy.updates(), 1);
    }
}
