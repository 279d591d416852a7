//! Every form of a plan, for one plan that has everything in it, against the files in
//! `tests/golden/render`.
//!
//! `UPDATE_GOLDEN=1 cargo test --test render` writes the files anew.
//!
//! PowerShell is not run here: for that script the golden file is all there is, besides the check
//! that nothing from DNS gets out of its quotes. `tests/formats.rs` feeds the other scripts to BIND.

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
use srvkeeper::model::{
    Change, ChangeKind, Forced, Name, Observed, Reason, ReasonCode, Srv, State, Verdict,
};
use srvkeeper::plan::{
    ForeignRecord, Guard, Held, Plan, PlannedHost, ShortOfHosts, ZoneError, ZonePlan, ZoneResult,
};
use srvkeeper::render::text::Layout;
use srvkeeper::render::{html, markdown, nagios, nsupdate, powershell, text, zonefile};

/// A text as a program or a server might give it: several lines, a terminal's escape, and what
/// means something to HTML, Markdown, the shells and the plugin convention.
const HOSTILE: &str = "it said \u{1b}[31m<img src=x onerror=alert(1)>\u{1b}[0m |`x`| 'y' \"z\"\n; $(reboot)\r\n'; Stop-Computer #\u{2019} &amp; ```\u{85}# end";

/// A target as anybody may register it.
const HOSTILE_TARGETS: [&[u8]; 4] = [
    b"<script>alert(1)</script>",
    b"`a`|b|```|'; Stop-Computer; '",
    b"x\n; update delete\t\"$(id)\"",
    b"\xe2\x80\x99\xff@;()\\.#{}",
];

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn hostile_name(label: &[u8]) -> Name {
    let length = u8::try_from(label.len()).unwrap();
    let wire = [&[length], label, b"\x04evil\x07example\x00"].concat();
    Name::from_wire(&wire).unwrap()
}

fn srv(target: &Name) -> Srv {
    Srv {
        priority: 0,
        weight: 0,
        port: 1688,
        target: target.clone(),
    }
}

fn kms(host: &str) -> Srv {
    srv(&name(&format!("{host}.corp.example.")))
}

fn at(text: &str) -> Timestamp {
    text.parse().unwrap()
}

fn reason(code: ReasonCode, text: &str) -> Reason {
    Reason {
        code,
        text: text.to_owned(),
    }
}

fn create(after: Srv, reason: Reason) -> Change {
    let kind = ChangeKind::Create { after, ttl: 3600 };
    Change { kind, reason }
}

fn delete(before: Srv, reason: Reason) -> Change {
    let kind = ChangeKind::Delete {
        before,
        before_ttl: 600,
    };
    Change { kind, reason }
}

fn update(before: Srv, after: Srv, reason: Reason) -> Change {
    let kind = ChangeKind::Update {
        before,
        before_ttl: 600,
        after,
        ttl: 3600,
    };
    Change { kind, reason }
}

fn drift(record: &Srv) -> Change {
    let reason = reason(
        ReasonCode::TtlDrift,
        "the TTL is 600 s; 3600 s is configured",
    );
    update(record.clone(), record.clone(), reason)
}

/// A zone at its own primary, with these records, to be changed so.
fn zone(zone: &str, server: &str, records: Vec<Srv>, changes: Vec<Change>) -> ZonePlan {
    let mut after: Vec<Srv> = records.clone();
    after.retain(|record| !changes.iter().any(|change| change.before() == Some(record)));
    after.extend(changes.iter().filter_map(Change::after).cloned());
    after.sort();
    let ttl = if changes.is_empty() { 600 } else { 3600 };
    ZonePlan {
        zone: name(zone),
        owner: name(&format!("_vlmcs._tcp.{zone}")),
        observed: Observed {
            server: server.parse().unwrap(),
            update_zone: name(zone),
            serial: 2_026_112_201,
            ttl: (!records.is_empty()).then_some(600),
            mixed_ttl: false,
            records,
        },
        changes,
        held: Vec::new(),
        foreign: Vec::new(),
        unchanged: 0,
        after_ttl: (!after.is_empty()).then_some(ttl),
        after,
        removed: Vec::new(),
        short_of_hosts: None,
    }
}

/// All kinds of change, held records and hostile foreign ones, at an IPv6 server.
fn rich() -> ZonePlan {
    let foreign: Vec<Srv> = HOSTILE_TARGETS
        .iter()
        .map(|label| srv(&hostile_name(label)))
        .collect();
    let moved = Srv {
        port: 1689,
        ..kms("kms3")
    };
    let mut records = vec![
        kms("kms1"),
        kms("kms2"),
        moved.clone(),
        kms("kms5"),
        kms("kms6"),
    ];
    records.extend(foreign.iter().cloned());
    let down = "down since 2026-11-22T20:00:00Z; connection refused by 10.0.1.1:1688";
    let mut changes = vec![
        delete(kms("kms1"), reason(ReasonCode::HostDown, down)),
        delete(kms("kms2"), reason(ReasonCode::HostDown, HOSTILE)),
        update(
            moved,
            kms("kms3"),
            reason(ReasonCode::DataDrift, "port is 1689, 1688 is configured"),
        ),
        create(
            kms("kms4"),
            reason(ReasonCode::HostUp, "up and not published; 2 of 2 probes"),
        ),
        drift(&kms("kms5")),
        drift(&kms("kms6")),
    ];
    changes.extend(foreign.iter().map(drift));
    let mut plan = zone("corp.example.", "[2001:db8::53]:5353", records, changes);
    plan.held = vec![Held {
        change: delete(kms("kms5"), reason(ReasonCode::HostDown, down)),
        guard: Guard::MaxRemovals,
        text: "max_removals = 2 hosts per zone and interval is used up; way out: wait for the next interval, or `srvkeeper apply --allow-removals N`".to_owned(),
    }];
    plan.foreign = foreign
        .into_iter()
        .map(|record| ForeignRecord {
            text: format!("no inventory host is called {}", record.target),
            record,
        })
        .collect();
    plan
}

/// More foreign and held records than a report for people lists.
fn crowded() -> ZonePlan {
    let records: Vec<Srv> = (1..=22)
        .map(|number| kms(&format!("zombie{number:02}")))
        .collect();
    let mut plan = zone(
        "crowded.example.",
        "10.0.0.53:53",
        records.clone(),
        Vec::new(),
    );
    plan.foreign = records
        .iter()
        .map(|record| ForeignRecord {
            record: record.clone(),
            text: "no inventory host is called so".to_owned(),
        })
        .collect();
    plan.held = records
        .iter()
        .map(|record| Held {
            change: delete(
                record.clone(),
                reason(ReasonCode::ForeignRecord, "foreign = \"remove\""),
            ),
            guard: Guard::Policy,
            text: "changes = \"create-only\" does not allow it".to_owned(),
        })
        .collect();
    plan.short_of_hosts = Some(ShortOfHosts {
        left: 1,
        min_hosts: 2,
    });
    plan
}

/// A delegated service name, empty so far, with names too long for one line.
fn delegated() -> ZonePlan {
    let long = "a-department-with-a-rather-long-name.region.corp.example.";
    let target = name(&format!("kms-host-number-1.{long}"));
    let mut plan = zone(
        long,
        "10.0.0.54:53",
        Vec::new(),
        vec![create(
            srv(&target),
            reason(ReasonCode::StandbyNeeded, "standby"),
        )],
    );
    plan.observed.update_zone = name(&format!("_TCP.{long}"));
    plan
}

fn host(host: &str, state: State, reason: &str) -> PlannedHost {
    let mut verdict = Verdict::unknown(reason);
    verdict.state = state;
    PlannedHost {
        name: name(host),
        verdict,
    }
}

fn everything() -> Plan {
    let expect_empty = reason(
        ReasonCode::ExpectEmpty,
        "the zone is declared expect = \"empty\"",
    );
    let emptied = zone(
        "empty.example.",
        "10.0.0.53:53",
        vec![kms("kms9")],
        vec![delete(kms("kms9"), expect_empty)],
    );
    let quiet = |name| zone(name, "10.0.0.53:53", vec![kms("kms3")], Vec::new());
    let error = ZoneError {
        server: Some("10.0.0.55:53".to_owned()),
        text: HOSTILE.to_owned(),
    };
    let mut hosts = vec![
        host("kms1.corp.example.", State::Down, HOSTILE),
        host(
            "kms3.corp.example.",
            State::Up,
            "maintenance is over, says the operator",
        ),
        host("kms4.corp.example.", State::Up, "2 of 2 probes answered"),
        host(
            "kms5.corp.example.",
            State::Suspect,
            "the newest probe failed",
        ),
        host(
            "kms-host-number-1.a-department-with-a-rather-long-name.region.corp.example.",
            State::Unknown,
            "not probed",
        ),
    ];
    hosts[0].verdict.since = Some(at("2026-11-22T20:00:00.123Z"));
    hosts[1].verdict.forced = Some(Forced {
        until: at("2026-11-23T20:00:00Z"),
    });
    let planned = [
        rich(),
        crowded(),
        delegated(),
        emptied,
        quiet("quiet1.example."),
        quiet("quiet2.example."),
    ];
    let mut zones: Vec<ZoneResult> = planned
        .into_iter()
        .map(|plan| ZoneResult {
            zone: plan.zone.clone(),
            result: Ok(plan),
        })
        .collect();
    zones.push(ZoneResult {
        zone: name("unreadable.example."),
        result: Err(error),
    });
    Plan {
        created: at("2026-11-22T23:40:00.5Z"),
        hosts,
        zones,
    }
}

fn plain(plan: &Plan, layout: Layout) -> String {
    strip_str(&text::plan(plan, layout)).to_string()
}

#[test]
fn every_form_is_as_it_was() {
    let plan = everything();
    let ascii = Layout {
        width: 60,
        unicode: false,
    };
    golden::compare(
        "tests/golden/render",
        &[
            ("plan.txt", plain(&plan, Layout::default())),
            ("plan-60-columns.txt", plain(&plan, ascii)),
            ("plan.ansi", text::plan(&plan, Layout::default())),
            ("plan.md", markdown::plan(&plan, None)),
            ("plan.html", html::plan(&plan, None)),
            ("plan.nsupdate", nsupdate::plan(&plan)),
            ("plan.zone", zonefile::plan(&plan)),
            ("plan.ps1", powershell::plan(&plan)),
            ("plan.nagios", nagios::plan(&plan, false).1),
        ],
    );
}

/// Only a name or a record that is wider by itself may be wider than the layout.
#[test]
fn text_keeps_to_its_columns() {
    let wide = [".evil.example.", "a-department-with-a-rather-long-name"];
    for width in [60, 80, 100, 120, 200] {
        let layout = Layout {
            width,
            unicode: true,
        };
        for line in plain(&everything(), layout).lines() {
            let fits = line.chars().count() <= width;
            let alone = width < 120 && wide.iter().any(|name| line.contains(name));
            assert!(fits || alone, "{width}: {line}");
        }
    }
}

#[test]
fn nothing_hostile_becomes_a_line_a_style_or_a_tag() {
    let plan = everything();
    for (form, text) in [
        ("text", plain(&plan, Layout::default())),
        ("markdown", markdown::plan(&plan, None)),
        ("html", html::plan(&plan, None)),
        ("nsupdate", nsupdate::plan(&plan)),
        ("zone", zonefile::plan(&plan)),
        ("powershell", powershell::plan(&plan)),
        ("nagios", nagios::plan(&plan, false).1),
    ] {
        let control = text.chars().find(|c| c.is_control() && *c != '\n');
        assert_eq!(control, None, "{form}");
    }
    let html = html::plan(&plan, None);
    for tag in ["<script", "<img", "src=", "href=", "url(", "@import"] {
        let found = html.matches(tag).count();
        let escaped = html.matches(&tag.replace('<', "&lt;")).count();
        let expected = if tag == "src=" { escaped } else { 0 };
        assert_eq!(found, expected, "{tag}");
    }
}

/// Every line of the scripts is a comment, a command of ours, or (in PowerShell) stays in quotes.
#[test]
fn scripts_say_nothing_but_their_commands() {
    for line in nsupdate::plan(&everything()).lines() {
        let command = [
            "; ",
            "server ",
            "zone ",
            "prereq ",
            "update ",
            "check-names no",
        ]
        .iter()
        .any(|start| line.starts_with(start));
        assert!(
            command || [";", "send", ""].contains(&line),
            "{line:?} in the nsupdate script"
        );
    }
    let script = powershell::plan(&everything());
    assert!(script.is_ascii());
    let commands = script.lines().filter(|line| !line.starts_with('#'));
    for line in commands.filter(|line| line.contains("evil")) {
        // Outside the single quotes, a doubled one being inside.
        let outside: String = line
            .replace("''", "")
            .split('\'')
            .step_by(2)
            .collect::<Vec<_>>()
            .concat();
        for text in ["evil", "Stop-Computer", "script", "(id)"] {
            assert!(!outside.contains(text), "{line}");
        }
    }
}

#[test]
fn the_worst_zone_speaks_for_all() {
    let with = |zones: Vec<ZoneResult>| Plan {
        created: at("2026-11-22T23:40:00Z"),
        hosts: Vec::new(),
        zones,
    };
    let planned = |plan: ZonePlan| ZoneResult {
        zone: plan.zone.clone(),
        result: Ok(plan),
    };
    let quiet = || {
        planned(zone(
            "quiet.example.",
            "10.0.0.53:53",
            vec![kms("kms3")],
            vec![],
        ))
    };
    let mut foreign_only = zone(
        "foreign.example.",
        "10.0.0.53:53",
        vec![kms("zombie")],
        vec![],
    );
    foreign_only.foreign = vec![ForeignRecord {
        record: kms("zombie"),
        text: "unknown".to_owned(),
    }];
    let foreign = || planned(foreign_only.clone());
    let pending = || planned(delegated());
    let held = || planned(rich());
    let mut short_only = foreign_only.clone();
    short_only.short_of_hosts = Some(ShortOfHosts {
        left: 1,
        min_hosts: 2,
    });
    let short = || planned(short_only.clone());
    let mut contested_only = rich();
    contested_only.changes.clear();
    contested_only.short_of_hosts = None;
    for held in &mut contested_only.held {
        held.guard = Guard::Contested;
    }
    let contested = || planned(contested_only.clone());
    let mut by_policy_only = contested_only.clone();
    for held in &mut by_policy_only.held {
        held.guard = Guard::Policy;
    }
    let by_policy = || planned(by_policy_only.clone());
    let failed = || ZoneResult {
        zone: name("unreadable.example."),
        result: Err(ZoneError {
            server: None,
            text: "a | b\nc".to_owned(),
        }),
    };
    let zeros = "held=0 foreign=0 errors=0 hosts_up=0;;;0;0";
    for (zones, strict, expected, line) in [
        (vec![], false, 0, "OK - 0 zones, nothing to do"),
        (
            vec![quiet(), foreign()],
            false,
            0,
            "OK - 2 zones, nothing to do",
        ),
        (
            vec![quiet(), foreign()],
            true,
            1,
            "WARNING - foreign.example.: 1 foreign record",
        ),
        (
            vec![contested(), quiet(), by_policy()],
            false,
            0,
            "OK - 3 zones, nothing to do, 1 contested, 1 held by policy |",
        ),
        (
            vec![contested(), quiet()],
            true,
            1,
            "WARNING - corp.example.: 1 contested change |",
        ),
        (
            vec![pending(), quiet()],
            false,
            1,
            "WARNING - a-department-with-a-rather-long-name.region.corp.example.: 1 change pending",
        ),
        (
            vec![pending(), failed()],
            false,
            3,
            "UNKNOWN - 2 of 2 zones need attention; unreadable.example.: a / b c |",
        ),
        (
            vec![failed(), held(), quiet()],
            false,
            2,
            "CRITICAL - 2 of 3 zones need attention; corp.example.: 1 held; max-removals: ",
        ),
        (
            vec![short()],
            false,
            2,
            "CRITICAL - foreign.example.: published hosts that are not down: 1, fewer than min_hosts = 2; ",
        ),
    ] {
        let number = zones.len();
        let (state, found) = nagios::plan(&with(zones), strict);
        assert_eq!(state.code(), expected, "{found}");
        assert!(
            found.starts_with(&format!("SRVKEEPER {line}")),
            "{found}, not {line}"
        );
        assert_eq!(found.matches('|').count(), 1, "{found}");
        assert!(found.contains(&format!(" | zones={number} ")), "{found}");
        assert_eq!(found.lines().count(), 1, "{found}");
        if number == 0 {
            assert!(found.ends_with(&format!("| zones=0 pending=0 {zeros}\n")));
        }
    }
    assert_eq!(
        nagios::unknown("no | such\nfile"),
        "SRVKEEPER UNKNOWN - no / such file\n"
    );
}
