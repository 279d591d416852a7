//! Each check as a table: what was seen, the level, and words of what is said.

mod copies;
mod servers;
mod zones;

use std::net::SocketAddr;

use super::*;
use crate::model::{Changes, Observed, Publisher, Rcode, Srv, TsigAlgorithm};

const OWNER: &str = "_vlmcs._tcp.corp.example.";

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn address(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

fn tsig() -> KeyIdentity {
    KeyIdentity::Tsig {
        name: name("srvkeeper."),
        algorithm: TsigAlgorithm::HmacSha256,
    }
}

fn gss() -> KeyIdentity {
    KeyIdentity::Gss {
        principal: "svc@CORP.EXAMPLE".to_owned(),
    }
}

/// A server with which all is well.
fn server() -> ServerEvidence {
    ServerEvidence {
        names: vec!["dc1".to_owned()],
        address: address("10.0.0.53:53"),
        owner: name(OWNER),
        key: tsig(),
        udp: Ok(()),
        tcp: Ok(()),
        software: Software::Bind,
        version: Some("9.18".to_owned()),
        key_word: KeyWord::Accepted,
        clock: Some(0),
    }
}

fn observed(serial: u32, hosts: &[&str]) -> Observed {
    Observed {
        server: address("10.0.0.53:53"),
        update_zone: name("corp.example."),
        serial,
        ttl: (!hosts.is_empty()).then_some(3600),
        mixed_ttl: false,
        records: hosts
            .iter()
            .map(|host| Srv {
                priority: 0,
                weight: 0,
                port: 1688,
                target: name(host),
            })
            .collect(),
    }
}

const KMS1: &[&str] = &["kms1.corp.example."];

/// A reading with which all is well.
fn reading() -> Reading {
    Reading {
        server: 0,
        observed: Ok(observed(7, KMS1)),
        start: Some(Start {
            mname: name("ns1.corp.example."),
            addresses: Ok(vec![address("10.0.0.53:53")]),
            serial_there: None,
            refresh: 600,
            expire: 86_400,
            negative_ttl: 60,
        }),
        preflight: Some(Preflight {
            way: Way::ReAdd,
            answer: PreflightAnswer::Rcode(Rcode::NOERROR),
            after: Ok(observed(7, KMS1)),
        }),
    }
}

/// A zone with which all is well.
fn zone() -> ZoneEvidence {
    ZoneEvidence {
        name: name("corp.example."),
        owner: name(OWNER),
        ttl: 3600,
        publisher: Publisher::Sole,
        changes: Changes::Sync,
        refreshes: false,
        readings: Ok(vec![reading()]),
        copies: Some(Ok(vec![copy(CopyState::Read(observed(7, KMS1)))])),
        apart_from_home: None,
        delegation: None,
        contested: Vec::new(),
    }
}

fn copy(state: CopyState) -> CopyEvidence {
    CopyEvidence {
        name: name("ns2.corp.example."),
        address: Some(address("10.0.0.54:53")),
        state,
    }
}

fn of(server: ServerEvidence, zone: ZoneEvidence) -> Diagnosis {
    diagnose(&Evidence {
        now: Timestamp::UNIX_EPOCH,
        servers: vec![server],
        targets: Vec::new(),
        zones: vec![zone],
    })
}

/// The findings of one check.
fn findings(diagnosis: &Diagnosis, check: Check) -> Vec<&Finding> {
    let findings = diagnosis
        .sections
        .iter()
        .flat_map(|section| &section.findings);
    findings.filter(|finding| finding.check == check).collect()
}

/// The only finding of a check, which is of this level and says these words.
#[track_caller]
fn only(diagnosis: &Diagnosis, check: Check, level: Level, words: &str) -> Finding {
    let found = findings(diagnosis, check);
    assert_eq!(found.len(), 1, "{check:?} in {diagnosis:#?}");
    assert_eq!(found[0].level, level, "{:#?}", found[0]);
    assert!(found[0].text.contains(words), "{:#?}", found[0]);
    found[0].clone()
}

fn lines(finding: &Finding) -> String {
    let lines = finding.repairs.iter().flat_map(|repair| &repair.lines);
    lines.cloned().collect::<Vec<_>>().join("\n")
}

fn places(finding: &Finding) -> Vec<&'static str> {
    let places = finding.repairs.iter().map(|repair| repair.place.as_str());
    places.collect()
}

#[test]
fn where_all_is_well_everything_passes() {
    let found = of(server(), zone());
    assert_eq!(found.level(), Level::Pass);
    assert_eq!(found.count(Level::Pass), 10);
    let all = found.sections.iter().flat_map(|section| &section.findings);
    assert!(all.clone().all(|finding| finding.level == Level::Pass));
    assert!(all.clone().all(|finding| finding.repairs.is_empty()));
}

#[test]
fn what_cannot_be_told_is_fine_and_a_failure_outweighs_a_warning() {
    let level = |levels: &[Level]| {
        let finding = |level: &Level| Finding::new(Check::Right, *level, "");
        let findings = levels.iter().map(finding).collect();
        let subject = Subject::Target(name("kms1."));
        Diagnosis {
            created: Timestamp::UNIX_EPOCH,
            sections: vec![Section { subject, findings }],
        }
        .level()
    };
    use Level::{CannotTell, Failure, Pass, Warning};
    for (levels, expected) in [
        (&[][..], Pass),
        (&[Pass, CannotTell], Pass),
        (&[CannotTell, Warning, Pass], Warning),
        (&[Warning, Failure, CannotTell], Failure),
    ] {
        assert_eq!(level(levels), expected, "{levels:?}");
    }
}
