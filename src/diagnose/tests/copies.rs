//! The copies that clients ask, and what the configuration asks for.

use super::*;

#[test]
fn copies_agree_lag_or_are_not_there() {
    let mut other_ttl = observed(7, KMS1);
    other_ttl.ttl = Some(60);
    let mut old_ttl = observed(6, KMS1);
    old_ttl.ttl = Some(60);
    for (state, level, words) in [
        (CopyState::Read(observed(7, KMS1)), Level::Pass, "its one"),
        (CopyState::Read(observed(6, KMS1)), Level::Pass, "its one"),
        (CopyState::Read(other_ttl), Level::Pass, "its one"),
        (CopyState::Read(old_ttl), Level::Warning, "older copy"),
        (
            CopyState::Read(observed(6, &[])),
            Level::Warning,
            "older copy",
        ),
        (
            CopyState::Read(observed(7, &[])),
            Level::Warning,
            "primary of its own",
        ),
        (CopyState::NoAddress, Level::Warning, "no address"),
        (CopyState::NoRoute, Level::CannotTell, "no route"),
        (
            CopyState::NotResolved("no".into()),
            Level::CannotTell,
            "looked up",
        ),
        (
            CopyState::NotRead("no".into()),
            Level::Warning,
            "does not serve",
        ),
    ] {
        let zone = ZoneEvidence {
            copies: Some(Ok(vec![copy(state)])),
            ..zone()
        };
        only(&of(server(), zone), Check::NameServers, level, words);
    }
}

#[test]
fn an_old_answer_lives_for_refresh_and_ttl_and_at_worst_until_the_zone_expires() {
    // The TTL there: 3600 s of the record that is to go, or 60 s of the word that there is none.
    for (hosts, soon, late) in [
        (
            &["kms9.corp.example."][..],
            "01:10:00Z",
            "1970-01-02T01:00:00Z",
        ),
        (&[], "00:11:00Z", "1970-01-02T00:01:00Z"),
    ] {
        let zone = ZoneEvidence {
            copies: Some(Ok(vec![copy(CopyState::Read(observed(6, hosts)))])),
            ..zone()
        };
        let found = of(server(), zone);
        let finding = only(&found, Check::NameServers, Level::Warning, "older");
        let until = finding.evidence.last().unwrap();
        assert!(
            until.contains(&format!("until 1970-01-01T{soon}:")),
            "{until}"
        );
        assert!(until.ends_with(late), "{until}");
        assert_eq!(places(&finding), ["bind", "knot", "powerdns"]);
    }
}

#[test]
fn domain_controllers_replicate_and_do_not_transfer() {
    let server = ServerEvidence {
        key: gss(),
        software: Software::Unknown,
        ..server()
    };
    let zone = ZoneEvidence {
        copies: Some(Ok(vec![copy(CopyState::Read(observed(3, &[])))])),
        ..zone()
    };
    let found = of(server, zone);
    let finding = only(&found, Check::NameServers, Level::Warning, "replicated");
    assert_eq!(places(&finding), ["samba", "windows"]);
}

#[test]
fn a_delegation_leads_to_the_records_or_is_broken() {
    let parent = address("10.0.0.1:53");
    let to = |names: &[&str], copies| {
        let names = names.iter().map(|text| name(text)).collect();
        (Ok((parent, names)), copies)
    };
    let ns = &["ns2.corp.example."][..];
    let nobody = Err("no name server answered".to_owned());
    for ((told, copies), level, words) in [
        (
            to(ns, vec![copy(CopyState::Read(observed(7, KMS1)))]),
            Level::Pass,
            "to a server with these records",
        ),
        (
            to(ns, vec![copy(CopyState::Read(observed(7, &[])))]),
            Level::Warning,
            "has other records",
        ),
        (
            to(ns, vec![copy(CopyState::NotRead("no".into()))]),
            Level::Failure,
            "does not serve it",
        ),
        (
            to(ns, vec![copy(CopyState::NoAddress)]),
            Level::Failure,
            "no address",
        ),
        (to(&[], Vec::new()), Level::Failure, "does not delegate"),
        (
            (nobody, Vec::new()),
            Level::CannotTell,
            "could not be asked",
        ),
    ] {
        let zone = ZoneEvidence {
            delegation: Some(Delegation {
                zone: name("_tcp.corp.example."),
                told,
                copies,
            }),
            ..zone()
        };
        only(&of(server(), zone), Check::Delegation, level, words);
    }
}

#[test]
fn the_ttl_is_the_configured_and_a_sensible_one() {
    let with = |configured: u32, ttl: Option<u32>, mixed_ttl| {
        let mut reading = reading();
        let observed = reading.observed.as_mut().unwrap();
        observed.ttl = ttl;
        observed.mixed_ttl = mixed_ttl;
        ZoneEvidence {
            ttl: configured,
            readings: Ok(vec![reading]),
            ..zone()
        }
    };
    for (configured, ttl, mixed, level, words) in [
        (3600, Some(3600), false, Level::Pass, "as configured"),
        (3600, None, false, Level::Pass, "is configured"),
        (
            3600,
            Some(300),
            false,
            Level::Warning,
            "300 s, 3600 s are configured",
        ),
        (3600, Some(3600), true, Level::Warning, "different TTLs"),
        (59, Some(59), false, Level::Warning, "again and again"),
        (86_400, Some(86_400), false, Level::Pass, "as configured"),
        (
            86_401,
            Some(86_401),
            false,
            Level::Warning,
            "longer than a day",
        ),
    ] {
        let found = of(server(), with(configured, ttl, mixed));
        only(&found, Check::Ttl, level, words);
    }
}

#[test]
fn another_ttl_is_corrected_or_left_by_the_policy() {
    for (publisher, changes, level, words) in [
        (
            Publisher::Sole,
            Changes::UpsertOnly,
            Level::Warning,
            "the next apply corrects it",
        ),
        (
            Publisher::Sole,
            Changes::CreateOnly,
            Level::Warning,
            "no apply corrects it",
        ),
        (
            Publisher::Shared,
            Changes::Sync,
            Level::Pass,
            "so it is theirs",
        ),
    ] {
        for mixed_ttl in [false, true] {
            let mut reading = reading();
            let observed = reading.observed.as_mut().unwrap();
            observed.ttl = Some(300);
            observed.mixed_ttl = mixed_ttl;
            let zone = ZoneEvidence {
                publisher,
                changes,
                readings: Ok(vec![reading]),
                ..zone()
            };
            only(&of(server(), zone), Check::Ttl, level, words);
        }
    }
}

#[test]
fn scavenging_is_a_matter_of_directories_that_nobody_refreshes() {
    for (key, software, refreshes, expected) in [
        (tsig(), Software::Unknown, false, None),
        (gss(), Software::Bind, false, None),
        (gss(), Software::Unknown, false, Some(Level::Warning)),
        (gss(), Software::Windows, true, Some(Level::Pass)),
    ] {
        let server = ServerEvidence {
            key,
            software,
            ..server()
        };
        let zone = ZoneEvidence {
            refreshes,
            ..zone()
        };
        let found = of(server, zone);
        let levels: Vec<Level> = findings(&found, Check::Scavenging)
            .iter()
            .map(|finding| finding.level)
            .collect();
        assert_eq!(levels, expected.into_iter().collect::<Vec<_>>());
    }
}

#[test]
fn a_contested_record_is_told_with_the_way_out() {
    let zone = ZoneEvidence {
        contested: vec![(name("kms1.corp.example."), "came back twice".to_owned())],
        ..zone()
    };
    let found = of(server(), zone);
    let finding = only(
        &found,
        Check::Contested,
        Level::Warning,
        "kms1.corp.example.",
    );
    assert_eq!(finding.evidence, ["came back twice"]);
    assert_eq!(lines(&finding), "srvkeeper host clear kms1.corp.example");
}
