//! Servers and hosts.

use super::*;

#[test]
fn reachable_asks_for_both_ways() {
    let no = || Err("no answer".to_owned());
    for (udp, tcp, level, words) in [
        (Ok(()), Ok(()), Level::Pass, "UDP and TCP"),
        (no(), Ok(()), Level::Warning, "not over UDP"),
        (Ok(()), no(), Level::Failure, "not over TCP"),
        (no(), no(), Level::Failure, "neither"),
    ] {
        let server = ServerEvidence {
            udp,
            tcp,
            ..server()
        };
        only(&of(server, zone()), Check::Reachable, level, words);
    }
}

#[test]
fn a_dead_server_is_asked_for_nothing_else() {
    let server = ServerEvidence {
        udp: Err("no answer".to_owned()),
        tcp: Err("no answer".to_owned()),
        key_word: KeyWord::NotAsked,
        clock: None,
        ..server()
    };
    let zone = ZoneEvidence {
        readings: Ok(Vec::new()),
        copies: None,
        ..zone()
    };
    let found = of(server, zone);
    assert!(findings(&found, Check::Key).is_empty());
    only(
        &found,
        Check::Readable,
        Level::Failure,
        "none of its servers",
    );
}

#[test]
fn the_clock_warns_before_signatures_fail() {
    for (ahead, level, words) in [
        (0, Level::Pass, "agree"),
        (-59, Level::Pass, "59 s behind ours"),
        (60, Level::Warning, "60 s ahead of ours"),
        (-299, Level::Warning, "299 s behind"),
        (300, Level::Failure, "300 s ahead"),
        (i64::MIN, Level::Failure, "behind"),
    ] {
        let server = ServerEvidence {
            clock: Some(ahead),
            ..server()
        };
        only(&of(server, zone()), Check::Clock, level, words);
    }
}

#[test]
fn a_rejected_key_is_given_to_the_server_at_hand() {
    use KeyProblemKind::{Clock, Kerberos, UnknownKey, Unsigned, WrongSecret};
    let rejected = |key: KeyIdentity, kind, software| {
        let problem = KeyProblem {
            kind,
            text: "said so".to_owned(),
        };
        let server = ServerEvidence {
            key,
            key_word: KeyWord::Rejected(problem),
            software,
            ..server()
        };
        of(server, zone())
    };
    for (key, kind, software, words, expected) in [
        (
            tsig(),
            UnknownKey,
            Software::Bind,
            "does not know",
            &["bind"][..],
        ),
        (
            tsig(),
            WrongSecret,
            Software::Knot,
            "another secret",
            &["knot"],
        ),
        (
            tsig(),
            Unsigned(Rcode::REFUSED),
            Software::Unknown,
            "without a signature",
            &["bind", "knot", "powerdns"],
        ),
        (tsig(), Clock, Software::Bind, "its time", &["machine"]),
        (
            gss(),
            Kerberos,
            Software::Unknown,
            "security context",
            &["machine"],
        ),
    ] {
        let found = rejected(key, kind, software);
        let finding = only(&found, Check::Key, Level::Failure, words);
        assert_eq!(places(&finding), expected);
        assert_eq!(finding.evidence, ["said so"]);
    }
    let unsigned = ServerEvidence {
        key: KeyIdentity::Unsigned,
        ..server()
    };
    only(
        &of(unsigned, zone()),
        Check::Key,
        Level::Warning,
        "not signed",
    );
}

#[test]
fn a_target_leads_to_its_host() {
    let v4 = |text: &str| text.parse().unwrap();
    let target = |text: &str, addresses, inventory, published| TargetEvidence {
        name: name(text),
        addresses,
        alias: None,
        inventory,
        published,
    };
    let kms1 = "kms1.corp.example.";
    let there = || Ok(vec![v4("10.0.1.11"), v4("10.0.1.12")]);
    for (evidence, level, words) in [
        (
            target(kms1, there(), None, 1),
            Level::Pass,
            "10.0.1.11, 10.0.1.12",
        ),
        (
            target(kms1, there(), Some(vec![]), 1),
            Level::Pass,
            "10.0.1.11",
        ),
        (
            target(kms1, there(), Some(vec![v4("10.0.1.12")]), 1),
            Level::Pass,
            "10.0.1.12",
        ),
        (
            target(kms1, there(), Some(vec![v4("10.9.9.9")]), 1),
            Level::Warning,
            "another address",
        ),
        (
            target(kms1, Ok(vec![]), None, 1),
            Level::Failure,
            "no address",
        ),
        (
            target(kms1, Ok(vec![]), Some(vec![]), 0),
            Level::Warning,
            "no address",
        ),
        (
            target(kms1, Err("no".into()), None, 1),
            Level::CannotTell,
            "looked up",
        ),
        (
            target(".", Ok(vec![]), None, 1),
            Level::Failure,
            "decidedly not available",
        ),
    ] {
        let section = targets::section(&evidence, &[]);
        assert_eq!(section.findings.len(), 1, "{section:#?}");
        assert_eq!(section.level(), level, "{section:#?}");
        assert!(section.findings[0].text.contains(words), "{section:#?}");
    }
    let mut alias = target(kms1, there(), None, 1);
    alias.alias = Some(name("host7.corp.example."));
    assert_eq!(targets::section(&alias, &[]).level(), Level::Failure);
}

#[test]
fn a_target_that_denies_the_service_is_deleted_by_hand_and_takes_no_other_record_along() {
    let denying = |owner: &str| {
        let mut zone = zone();
        zone.owner = name(owner);
        let mut reading = reading();
        reading.observed = Ok(observed(
            7,
            &["kms1.corp.example.", "foreign.example.", "."],
        ));
        zone.readings = Ok(vec![reading]);
        zone
    };
    let target = TargetEvidence {
        name: Name::root(),
        addresses: Ok(Vec::new()),
        alias: None,
        inventory: None,
        published: 1,
    };
    let finding = |zones: &[ZoneEvidence]| targets::section(&target, zones).findings[0].clone();

    let found = finding(&[zone(), denying(OWNER)]);
    assert_eq!(places(&found), ["zone"]);
    assert_eq!(
        lines(&found),
        "server 10.0.0.53 53\n\
         zone corp.example.\n\
         update delete _vlmcs._tcp.corp.example. IN SRV 0 0 1688 .\n\
         send"
    );

    let many: Vec<ZoneEvidence> = (1..=7).map(|n| denying(&format!("z{n}."))).collect();
    let lines = lines(&finding(&many));
    assert_eq!(lines.matches("send").count(), 5);
    assert!(lines.ends_with("; and likewise in 2 more zones"), "{lines}");
}

#[test]
fn azures_own_kms_is_known_in_each_cloud() {
    for (text, is_azure) in [
        ("kms.core.windows.net.", true),
        ("AzKms.core.windows.net.", true),
        ("kms.core.usgovcloudapi.net.", true),
        ("azkms.core.chinacloudapi.cn.", true),
        ("kms.corp.example.", false),
        ("xkms.core.windows.net.", false),
        ("core.windows.net.", false),
    ] {
        let section = targets::section(
            &TargetEvidence {
                name: name(text),
                addresses: Ok(vec!["10.0.1.11".parse().unwrap()]),
                alias: None,
                inventory: None,
                published: 1,
            },
            &[],
        );
        assert_eq!(section.level() == Level::Warning, is_azure, "{text}");
    }
}

#[test]
fn software_by_what_it_calls_itself() {
    for (version, software) in [
        ("9.18.49-1~deb12u3-Debian", Software::Bind),
        ("BIND 9.20", Software::Bind),
        ("Knot DNS 3.2.6", Software::Knot),
        (
            "PowerDNS Authoritative Server 4.7.3 (built …)",
            Software::PowerDns,
        ),
        ("PowerDNS Recursor 4.8", Software::Unknown),
        ("NSD 4.6.1", Software::Nsd),
        ("Microsoft DNS 10.0.17763", Software::Windows),
        ("unbound 1.17.1", Software::Unknown),
        ("", Software::Unknown),
    ] {
        assert_eq!(Software::of(version), software, "{version}");
    }
}
