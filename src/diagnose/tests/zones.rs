//! What one server says of a zone.

use super::*;

#[test]
fn the_right_by_the_table_above_it() {
    use Level::{CannotTell, Failure, Pass};
    use Software::{Bind, Embedded, Knot, PowerDns, Unknown, Windows};
    use Way::{DeleteAbsent, ReAdd};
    let rcode = PreflightAnswer::Rcode;
    for (key, software, way, answer, level, words) in [
        (
            tsig(),
            Bind,
            ReAdd,
            rcode(Rcode::NOERROR),
            Pass,
            "lets the key",
        ),
        (
            tsig(),
            Unknown,
            ReAdd,
            rcode(Rcode::NOERROR),
            Pass,
            "lets the key",
        ),
        (
            gss(),
            Bind,
            ReAdd,
            rcode(Rcode::NOERROR),
            Pass,
            "lets the key",
        ),
        (
            gss(),
            Unknown,
            ReAdd,
            rcode(Rcode::NOERROR),
            CannotTell,
            "first real change",
        ),
        (
            gss(),
            Windows,
            ReAdd,
            rcode(Rcode::NOERROR),
            CannotTell,
            "first real change",
        ),
        (
            KeyIdentity::Unsigned,
            Knot,
            ReAdd,
            rcode(Rcode::NOERROR),
            Pass,
            "this machine",
        ),
        (
            tsig(),
            Bind,
            DeleteAbsent,
            rcode(Rcode::NOERROR),
            CannotTell,
            "no records",
        ),
        (
            tsig(),
            Unknown,
            DeleteAbsent,
            rcode(Rcode::NOERROR),
            CannotTell,
            "no records",
        ),
        (
            tsig(),
            Knot,
            DeleteAbsent,
            rcode(Rcode::NOERROR),
            Pass,
            "lets the key",
        ),
        (
            tsig(),
            PowerDns,
            DeleteAbsent,
            rcode(Rcode::NOERROR),
            Pass,
            "lets the key",
        ),
        (
            tsig(),
            Embedded,
            DeleteAbsent,
            rcode(Rcode::NOERROR),
            Pass,
            "lets the key",
        ),
        (
            tsig(),
            Bind,
            ReAdd,
            rcode(Rcode::REFUSED),
            Failure,
            "does not let the key srvkeeper.",
        ),
        (
            tsig(),
            Bind,
            ReAdd,
            rcode(Rcode::NOTIMP),
            Failure,
            "no updates at all",
        ),
        (
            tsig(),
            Bind,
            ReAdd,
            rcode(Rcode::SERVFAIL),
            Failure,
            "fails at updates",
        ),
        (
            gss(),
            Unknown,
            ReAdd,
            rcode(Rcode::REFUSED),
            Failure,
            "one object",
        ),
        (
            gss(),
            Unknown,
            ReAdd,
            rcode(Rcode::SERVFAIL),
            Failure,
            "perhaps kms1$",
        ),
        (
            gss(),
            Bind,
            ReAdd,
            rcode(Rcode::REFUSED),
            Failure,
            "does not let svc@CORP.EXAMPLE",
        ),
        (
            tsig(),
            Bind,
            ReAdd,
            rcode(Rcode::NXRRSET),
            CannotTell,
            "same moment",
        ),
        (
            tsig(),
            Bind,
            ReAdd,
            PreflightAnswer::Silent("no answer".to_owned()),
            Failure,
            "no answer to an update",
        ),
    ] {
        let server = ServerEvidence {
            key,
            software,
            ..server()
        };
        let mut reading = reading();
        let preflight = reading.preflight.as_mut().unwrap();
        preflight.way = way;
        preflight.answer = answer;
        let zone = ZoneEvidence {
            readings: Ok(vec![reading]),
            ..zone()
        };
        only(&of(server, zone), Check::Right, level, words);
    }
}

#[test]
fn a_key_that_reads_are_accepted_with_lacks_the_right_and_another_is_the_servers_matter() {
    let problem = KeyProblem {
        kind: KeyProblemKind::UnknownKey,
        text: "BADKEY".to_owned(),
    };
    for (word, level, words) in [
        (KeyWord::Accepted, Level::Failure, "does not let the key"),
        (
            KeyWord::Rejected(problem.clone()),
            Level::CannotTell,
            "see the server",
        ),
    ] {
        let server = ServerEvidence {
            software: Software::Knot,
            key_word: word,
            ..server()
        };
        let mut reading = reading();
        reading.preflight.as_mut().unwrap().answer = PreflightAnswer::Key(problem.clone());
        let zone = ZoneEvidence {
            readings: Ok(vec![reading]),
            ..zone()
        };
        only(&of(server, zone), Check::Right, level, words);
    }
}

/// The zone after this was answered to the preflight at a server of this software.
fn denied(key: KeyIdentity, software: Software, hosts: &[&str]) -> Finding {
    let server = ServerEvidence {
        key,
        software,
        ..server()
    };
    let mut reading = reading();
    reading.observed = Ok(observed(7, hosts));
    reading.preflight.as_mut().unwrap().answer = PreflightAnswer::Rcode(Rcode::REFUSED);
    let zone = ZoneEvidence {
        readings: Ok(vec![reading]),
        ..zone()
    };
    findings(&of(server, zone), Check::Right)[0].clone()
}

#[test]
fn a_grant_names_the_key_the_owner_and_the_zone() {
    let bind = denied(tsig(), Software::Bind, KMS1);
    assert_eq!(
        lines(&bind),
        "update-policy { grant srvkeeper name _vlmcs._tcp.corp.example. SRV; };\nrndc reconfig"
    );
    assert_eq!(
        lines(&denied(tsig(), Software::PowerDns, KMS1)),
        "pdnsutil add-meta corp.example TSIG-ALLOW-DNSUPDATE srvkeeper\n\
         pdnsutil add-meta corp.example ALLOW-DNSUPDATE-FROM OUR-ADDRESS/32"
    );
    assert_eq!(
        places(&denied(tsig(), Software::Unknown, KMS1)),
        ["bind", "knot", "powerdns"]
    );
    assert!(
        lines(&denied(gss(), Software::Bind, KMS1)).contains("grant svc@CORP.EXAMPLE name _vlmcs")
    );
}

#[test]
fn the_cures_of_active_directory_name_the_object_the_account_and_the_hosts() {
    let hosts = ["KMS1.corp.example.", "kms2.corp.example."];
    let finding = denied(gss(), Software::Unknown, &hosts);
    let lines = lines(&finding);
    let node =
        "DC=_vlmcs._tcp,DC=corp.example,CN=MicrosoftDNS,DC=DomainDnsZones,DC=corp,DC=example";
    for line in [
        "samba-tool group addmembers DnsAdmins svc".to_owned(),
        "samba-tool group addmembers kms-publishers 'svc,kms1$,kms2$'".to_owned(),
        format!("samba-tool dsacl set --objectdn=\"{node}\" --sddl=\"(A;;RPWP;;;SID)\""),
        "Add-ADGroupMember -Identity kms-publishers -Members 'svc', 'kms1$', 'kms2$'".to_owned(),
        format!("dsacls \"{node}\" /G \"kms-publishers@corp.example:GA\""),
    ] {
        assert!(
            lines.lines().any(|known| known == line),
            "{line}\nin {lines}"
        );
    }
    assert!(finding.text.contains("one of kms1$, kms2$"));
}

#[test]
fn what_comes_from_dns_does_not_get_into_a_command() {
    let hostile = Name::from_wire(b"\x0c';reboot;'$x\x07example\x00").unwrap();
    let mut reading = reading();
    let records = &mut reading.observed.as_mut().unwrap().records;
    records[0].target = hostile.clone();
    reading.preflight.as_mut().unwrap().answer = PreflightAnswer::Rcode(Rcode::REFUSED);
    let server = ServerEvidence {
        key: gss(),
        software: Software::Unknown,
        ..server()
    };
    let zone = ZoneEvidence {
        readings: Ok(vec![reading]),
        contested: vec![(hostile, "comes back".to_owned())],
        ..zone()
    };
    let found = of(server, zone);
    let right = &findings(&found, Check::Right)[0];
    assert!(!lines(right).contains("reboot"), "{right:#?}");
    let contested = lines(findings(&found, Check::Contested)[0]);
    let word = contested.strip_prefix("srvkeeper host clear ").unwrap();
    // Nothing stands outside its quotes.
    let outside: String = word.replace(r"'\''", "").split('\'').step_by(2).collect();
    assert_eq!(outside, "", "{contested}");
}

#[test]
fn the_preflight_left_everything_as_it_was_or_says_so() {
    let after = |after: Result<Observed, String>| {
        let mut reading = reading();
        reading.preflight.as_mut().unwrap().after = after;
        ZoneEvidence {
            readings: Ok(vec![reading]),
            ..zone()
        }
    };
    for (seen, level, words) in [
        (Ok(observed(7, KMS1)), Level::Pass, "changed nothing"),
        (Ok(observed(8, KMS1)), Level::Warning, "the serial"),
        (
            Ok(observed(8, &["kms2.corp.example."])),
            Level::Warning,
            "the records",
        ),
        (Err("no".to_owned()), Level::Warning, "read again"),
    ] {
        only(&of(server(), after(seen)), Check::Unchanged, level, words);
    }
}

#[test]
fn the_primary_is_who_the_soa_names_or_a_hidden_one() {
    let elsewhere = || Ok(vec![address("10.0.0.99:53")]);
    let noerror = PreflightAnswer::Rcode(Rcode::NOERROR);
    let refused = PreflightAnswer::Rcode(Rcode::REFUSED);
    let no_name = || Err("no name server answered".to_owned());
    for (key, addresses, there, answer, level, words) in [
        (
            tsig(),
            Ok(vec![address("10.0.0.53:53")]),
            None,
            &noerror,
            Level::Pass,
            "is ns1",
        ),
        (
            tsig(),
            no_name(),
            None,
            &noerror,
            Level::CannotTell,
            "looked up",
        ),
        (
            tsig(),
            Ok(Vec::new()),
            None,
            &noerror,
            Level::Pass,
            "hidden",
        ),
        (tsig(), elsewhere(), None, &refused, Level::Pass, "hidden"),
        (
            tsig(),
            elsewhere(),
            Some(7),
            &noerror,
            Level::Warning,
            "may pass updates on",
        ),
        (
            tsig(),
            elsewhere(),
            Some(7),
            &refused,
            Level::Failure,
            "is a secondary",
        ),
        (
            tsig(),
            elsewhere(),
            Some(8),
            &noerror,
            Level::Failure,
            "lags behind",
        ),
        (
            tsig(),
            elsewhere(),
            Some(6),
            &noerror,
            Level::Warning,
            "may pass updates on",
        ),
        // Each domain controller has serials of its own, and refuses for other reasons.
        (
            gss(),
            elsewhere(),
            Some(8),
            &refused,
            Level::Pass,
            "every domain controller",
        ),
    ] {
        let server = ServerEvidence {
            software: if key == gss() {
                Software::Unknown
            } else {
                Software::Bind
            },
            key,
            ..server()
        };
        let mut reading = reading();
        let start = reading.start.as_mut().unwrap();
        start.addresses = addresses;
        start.serial_there = there;
        reading.preflight.as_mut().unwrap().answer = answer.clone();
        let zone = ZoneEvidence {
            readings: Ok(vec![reading]),
            ..zone()
        };
        let found = of(server, zone);
        only(&found, Check::Primary, level, words);
        if level == Level::Failure && *answer == refused {
            assert_eq!(lines(findings(&found, Check::Right)[0]), "");
        }
    }
}

#[test]
fn a_zone_that_stays_with_another_server_is_warned_of_in_the_words_of_the_plan() {
    let zone = ZoneEvidence {
        apart_from_home: Some("its records were last written on 10.0.0.9:53".to_owned()),
        ..zone()
    };
    let diagnosis = of(server(), zone);
    let found = findings(&diagnosis, Check::Primary);
    let warnings: Vec<&str> = found
        .iter()
        .filter(|finding| finding.level == Level::Warning)
        .map(|finding| finding.text.as_str())
        .collect();
    assert_eq!(warnings, ["its records were last written on 10.0.0.9:53"]);
}

#[test]
fn a_primary_that_was_not_found_fails_its_zone() {
    let zone = ZoneEvidence {
        readings: Err("the SOA names nobody".to_owned()),
        copies: None,
        ..zone()
    };
    let finding = only(
        &of(server(), zone),
        Check::Primary,
        Level::Failure,
        "not known",
    );
    let repair = lines(&finding);
    for line in [
        "key = \"KEY\"",
        "name = \"corp.example\"",
        "servers = [\"NAME\"]",
    ] {
        assert!(repair.contains(line), "{repair}");
    }
    assert!(
        finding.repairs[0]
            .what
            .contains("a key of the zone itself must go")
    );
}

#[test]
fn what_stands_in_the_way_of_an_rrset_is_named() {
    use ReadProblemKind::*;
    for (kind, level, words) in [
        (Silent, Level::Failure, "does not answer"),
        (Key, Level::CannotTell, "see the server"),
        (NotAuthoritative, Level::Failure, "with authority"),
        (Alias, Level::Failure, "is an alias"),
        (Delegation, Level::Failure, "delegates"),
        (Wildcard, Level::Failure, "wildcard"),
        (Other, Level::Failure, "to plan from"),
    ] {
        let problem = ReadProblem {
            kind,
            text: "said so".to_owned(),
        };
        let zone = ZoneEvidence {
            readings: Ok(vec![Reading {
                server: 0,
                observed: Err(problem),
                start: None,
                preflight: None,
            }]),
            copies: None,
            ..zone()
        };
        only(&of(server(), zone), Check::Readable, level, words);
    }
}
