//! What `doctor` prints, for one diagnosis that has everything in it, against the files in
//! `tests/golden/doctor`.
//!
//! `UPDATE_GOLDEN=1 cargo test --test doctor` writes the files anew.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod golden;

use anstream::adapter::strip_str;
use jiff::Timestamp;
use srvkeeper::diagnose::{
    CopyEvidence, CopyState, Delegation, Diagnosis, Evidence, KeyIdentity, KeyProblem,
    KeyProblemKind, KeyWord, Preflight, PreflightAnswer, ReadProblem, ReadProblemKind, Reading,
    ServerEvidence, Software, Start, TargetEvidence, Way, ZoneEvidence, diagnose,
};
use srvkeeper::model::{Changes, Name, Observed, Publisher, Rcode, Srv, TsigAlgorithm};
use srvkeeper::plan::Plan;
use srvkeeper::render::text::Layout;
use srvkeeper::render::{doctor, html, markdown};

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn server(label: &str, address: &str, key: KeyIdentity, software: Software) -> ServerEvidence {
    ServerEvidence {
        names: vec![label.to_owned()],
        address: address.parse().unwrap(),
        owner: name("_vlmcs._tcp.corp.example."),
        key,
        udp: Ok(()),
        tcp: Ok(()),
        software,
        version: None,
        key_word: KeyWord::Accepted,
        clock: None,
    }
}

fn tsig() -> KeyIdentity {
    KeyIdentity::Tsig {
        name: name("srvkeeper."),
        algorithm: TsigAlgorithm::HmacSha256,
    }
}

fn observed(zone: &str, serial: u32, hosts: &[&str]) -> Observed {
    Observed {
        server: "10.0.0.53:53".parse().unwrap(),
        update_zone: name(zone),
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

/// A zone with one reading, whose preflight was answered so.
fn zone(suffix: &str, server: usize, seen: Observed, answer: PreflightAnswer) -> ZoneEvidence {
    let way = if seen.records.is_empty() {
        Way::DeleteAbsent
    } else {
        Way::ReAdd
    };
    ZoneEvidence {
        name: name(suffix),
        owner: name(&format!("_vlmcs._tcp.{suffix}")),
        ttl: 3600,
        publisher: Publisher::Sole,
        changes: Changes::Sync,
        refreshes: false,
        copies: Some(Ok(vec![CopyEvidence {
            name: name(&format!("ns1.{suffix}")),
            address: Some("10.0.0.53:53".parse().unwrap()),
            state: CopyState::Read(seen.clone()),
        }])),
        readings: Ok(vec![Reading {
            server,
            observed: Ok(seen.clone()),
            start: Some(Start {
                mname: name("ns1.corp.example."),
                addresses: Ok(vec!["10.0.0.53:53".parse().unwrap()]),
                serial_there: None,
                refresh: 3600,
                expire: 604_800,
                negative_ttl: 300,
            }),
            preflight: Some(Preflight {
                way,
                answer,
                after: Ok(seen),
            }),
        }]),
        apart_from_home: None,
        delegation: None,
        contested: Vec::new(),
    }
}

fn servers() -> Vec<ServerEvidence> {
    let mut ns1 = server("ns1", "10.0.0.53:53", tsig(), Software::Bind);
    ns1.version = Some("9.18.49-1~deb12u3-Debian".to_owned());
    ns1.clock = Some(-74);
    let principal = "svc-srvkeeper@CORP.EXAMPLE".to_owned();
    let dc1 = server(
        "dc1",
        "10.0.0.10:53",
        KeyIdentity::Gss { principal },
        Software::Unknown,
    );
    let mut old = server("old", "10.0.0.99:53", tsig(), Software::Unknown);
    old.key_word = KeyWord::Rejected(KeyProblem {
        kind: KeyProblemKind::WrongSecret,
        text: "BADSIG: the server has another secret for the key srvkeeper.; copy the key file \
               from the server again"
            .to_owned(),
    });
    let mut dead = server("dead", "[2001:db8::53]:53", tsig(), Software::Unknown);
    dead.udp = Err("no answer within 5s".to_owned());
    dead.tcp = Err("no TCP connection: it said \u{1b}[31mno\nway".to_owned());
    let embedded = server("own", "127.0.0.1:5353", tsig(), Software::Embedded);
    vec![ns1, dc1, old, dead, embedded]
}

fn targets() -> Vec<TargetEvidence> {
    let target = |host: &str, addresses: &[&str], inventory: &[&str]| TargetEvidence {
        name: name(host),
        addresses: Ok(addresses.iter().map(|text| text.parse().unwrap()).collect()),
        alias: None,
        inventory: Some(inventory.iter().map(|text| text.parse().unwrap()).collect()),
        published: 1,
    };
    let mut alias = target("kms-alias.corp.example.", &["10.0.1.11"], &[]);
    alias.alias = Some(name("kms1.corp.example."));
    vec![
        target("kms1.corp.example.", &["10.0.1.11"], &["10.0.1.11"]),
        target("kms2.corp.example.", &["10.0.1.12"], &["10.0.9.12"]),
        target("gone.corp.example.", &[], &["10.0.1.13"]),
        alias,
        target("azkms.core.windows.net.", &["20.118.99.224"], &[]),
    ]
}

fn zones() -> Vec<ZoneEvidence> {
    let noerror = || PreflightAnswer::Rcode(Rcode::NOERROR);
    let refused = || PreflightAnswer::Rcode(Rcode::REFUSED);
    let kms1 = &["kms1.corp.example."][..];

    let mut lagging = zone(
        "lagging.example.",
        0,
        observed("lagging.example.", 42, kms1),
        noerror(),
    );
    lagging.copies = Some(Ok(vec![
        CopyEvidence {
            name: name("ns2.lagging.example."),
            address: Some("10.0.0.54:53".parse().unwrap()),
            state: CopyState::Read(observed("lagging.example.", 41, &["kms9.corp.example."])),
        },
        CopyEvidence {
            name: name("ns3.lagging.example."),
            address: None,
            state: CopyState::NoAddress,
        },
    ]));
    lagging.contested = vec![(
        name("kms9.corp.example."),
        "the record of kms9.corp.example. came back 2 times after it was removed, so it is left alone"
            .to_owned(),
    )];

    let mut unread = zone(
        "old.example.",
        2,
        observed("old.example.", 1, &[]),
        noerror(),
    );
    unread.copies = None;
    unread.readings = Ok(vec![Reading {
        server: 2,
        observed: Err(ReadProblem {
            kind: ReadProblemKind::Key,
            text: "BADSIG".to_owned(),
        }),
        start: None,
        preflight: None,
    }]);

    let mut alias = unread.clone();
    alias.name = name("alias.example.");
    alias.owner = name("_vlmcs._tcp.alias.example.");
    alias.readings = Ok(vec![Reading {
        server: 0,
        observed: Err(ReadProblem {
            kind: ReadProblemKind::Alias,
            text: "_vlmcs._tcp.alias.example. is an alias (CNAME) of elsewhere.example.".to_owned(),
        }),
        start: None,
        preflight: None,
    }]);

    let mut dead = unread.clone();
    dead.name = name("dead.example.");
    dead.readings = Ok(Vec::new());

    let mut own = zone(
        "own.example.",
        4,
        observed("_tcp.own.example.", 3, kms1),
        noerror(),
    );
    own.delegation = Some(Delegation {
        zone: name("_tcp.own.example."),
        told: Ok(("10.0.0.53:53".parse().unwrap(), Vec::new())),
        copies: Vec::new(),
    });

    vec![
        zone(
            "corp.example.",
            0,
            observed("corp.example.", 7, kms1),
            noerror(),
        ),
        zone(
            "lab.example.",
            0,
            observed("lab.example.", 7, kms1),
            noerror(),
        ),
        zone(
            "new.example.",
            0,
            observed("new.example.", 1, &[]),
            noerror(),
        ),
        zone(
            "denied.example.",
            0,
            observed("denied.example.", 9, kms1),
            refused(),
        ),
        zone(
            "ad.corp.example.",
            1,
            observed("ad.corp.example.", 110, kms1),
            PreflightAnswer::Rcode(Rcode::SERVFAIL),
        ),
        lagging,
        unread,
        alias,
        dead,
        own,
    ]
}

fn diagnosis() -> Diagnosis {
    diagnose(&Evidence {
        now: "2026-07-01T12:00:00Z".parse::<Timestamp>().unwrap(),
        servers: servers(),
        targets: targets(),
        zones: zones(),
    })
}

#[test]
fn everything_that_is_said_is_as_in_the_files() {
    let diagnosis = diagnosis();
    let layout = |width| Layout {
        width,
        unicode: true,
    };
    let plain = |text: String| strip_str(&text).to_string();
    let mut json = Vec::new();
    doctor::json(&diagnosis, &mut json).unwrap();
    let styled = doctor::text(&diagnosis, false, layout(80));
    let texts = [
        ("doctor.txt", plain(styled.clone())),
        ("doctor.ansi", styled),
        (
            "verbose.txt",
            plain(doctor::text(&diagnosis, true, layout(80))),
        ),
        (
            "60-columns.txt",
            plain(doctor::text(&diagnosis, false, layout(60))),
        ),
        ("doctor.json", String::from_utf8(json).unwrap()),
        ("audit.md", markdown::plan(&empty(), Some(&diagnosis))),
        ("audit.html", html::plan(&empty(), Some(&diagnosis))),
    ];
    golden::compare("tests/golden/doctor", &texts);
    for (file, text) in texts.iter().filter(|(file, _)| file.ends_with(".txt")) {
        assert!(!text.contains('\u{1b}'), "{file}");
    }
}

/// A plan beside which the diagnosis is told.
fn empty() -> Plan {
    Plan {
        created: "2026-07-01T12:00:00Z".parse().unwrap(),
        hosts: Vec::new(),
        zones: Vec::new(),
    }
}

#[test]
fn what_servers_say_becomes_no_tag_and_no_line_of_its_own_in_a_document() {
    let hostile = "</pre><script>alert(1)</script>\n``` # **bold**";
    let mut diagnosis = diagnosis();
    for section in &mut diagnosis.sections {
        for finding in &mut section.findings {
            finding.text = hostile.to_owned();
            finding.evidence = vec![hostile.to_owned()];
            for repair in &mut finding.repairs {
                repair.lines = vec![hostile.to_owned()];
            }
        }
    }
    let html = html::plan(&empty(), Some(&diagnosis));
    assert!(html.contains("&lt;script&gt;"));
    assert!(!html.contains("<script"), "{html}");
    let markdown = markdown::plan(&empty(), Some(&diagnosis));
    for line in markdown.lines() {
        assert!(!line.starts_with("``` #"), "{line}");
        // Verbatim only within a fence, which is longer than anything in it.
        let verbatim = line.contains("<script>") && !line.contains("\\<script");
        assert!(!verbatim || line.starts_with("</pre>"), "{line}");
    }
}

#[test]
fn sentences_keep_to_the_width_and_commands_stay_whole() {
    let layout = Layout {
        width: 60,
        unicode: true,
    };
    let text = strip_str(&doctor::text(&diagnosis(), true, layout)).to_string();
    for line in text.lines().filter(|line| line.chars().count() > 60) {
        assert!(line.starts_with("               "), "{line}");
    }
    for section in diagnosis().sections {
        let repairs = section.findings.into_iter().flat_map(|found| found.repairs);
        for line in repairs.flat_map(|repair| repair.lines) {
            assert!(text.contains(&line), "{line}");
        }
    }
}

/// Many zones without a right that can be told do not fill the screen.
#[test]
fn what_cannot_be_told_of_many_zones_is_counted() {
    let empty = |number: usize| {
        let suffix = format!("z{number}.example.");
        zone(
            &suffix,
            0,
            observed(&suffix, 1, &[]),
            PreflightAnswer::Rcode(Rcode::NOERROR),
        )
    };
    let mut servers = servers();
    servers.truncate(1);
    servers[0].clock = None;
    let diagnosis = diagnose(&Evidence {
        now: Timestamp::UNIX_EPOCH,
        servers,
        targets: Vec::new(),
        zones: (0..100).map(empty).collect(),
    });
    let text =
        |verbose| strip_str(&doctor::text(&diagnosis, verbose, Layout::default())).to_string();
    let headings = |text: &str| {
        let lines = text.lines();
        lines.filter(|line| line.starts_with("zone z")).count()
    };
    let brief = text(false);
    assert_eq!(headings(&brief), 20, "{brief}");
    assert!(brief.contains("80 more with something that cannot be told"));
    assert!(brief.ends_with(
        "No problem: 1 server\nDoctor: 0 failures, 0 warnings, 100 cannot be told, 602 passed\n"
    ));
    assert_eq!(headings(&text(true)), 100);
}

/// A name server that fails many zones is told once.
#[test]
fn zones_of_which_the_same_is_said_stand_together() {
    let lame = |number: usize| {
        let suffix = format!("z{number}.example.");
        let answer = PreflightAnswer::Rcode(Rcode::NOERROR);
        let kms1 = &["kms1.corp.example."];
        let mut zone = zone(&suffix, 0, observed(&suffix, 1, kms1), answer);
        zone.copies = Some(Ok(vec![CopyEvidence {
            name: name("ns9.example."),
            address: None,
            state: CopyState::NoAddress,
        }]));
        zone
    };
    let diagnosis = diagnose(&Evidence {
        now: Timestamp::UNIX_EPOCH,
        servers: servers().into_iter().take(1).collect(),
        targets: Vec::new(),
        zones: (0..100).map(lame).collect(),
    });
    let text = strip_str(&doctor::text(&diagnosis, false, Layout::default())).to_string();
    assert_eq!(text.matches("ns9.example.").count(), 1, "{text}");
    assert!(
        text.contains("100 zones: z0.example., z1.example.,"),
        "{text}"
    );
    assert!(text.contains("and 90 more"), "{text}");
    assert!(text.contains("101 warnings"), "{text}");
}
