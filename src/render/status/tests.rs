//! One status in its three forms.

use std::collections::BTreeSet;
use std::time::Duration;

use serde_json::Value;

use super::*;
use crate::model::{
    Change, ChangeKind, Changes, Check, Expect, Foreign, Health, Host, NoSample, Observed, Policy,
    Publisher, Reason, ReasonCode, State, Verdicts, Zone,
};
use crate::plan::{ForeignRecord, Guard, Held, ZoneError, ZonePlan};
use crate::render::lines::Layout;
use crate::render::{metrics, plan_lines, status_text};
use crate::status::{Book, Report, Selection, Terms, select};

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn srv(target: &str) -> Srv {
    Srv {
        priority: 0,
        weight: 0,
        port: 1688,
        target: name(target),
    }
}

fn host(target: &str) -> Host {
    Host {
        role: Role::Active,
        srv: srv(target),
        groups: Vec::new(),
        addresses: Vec::new(),
        health: Health {
            checks: vec![Check::Rpc],
            command: Vec::new(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            rise: 2,
            fall: 3,
        },
    }
}

fn zone(index: usize) -> Zone {
    Zone {
        name: name(&format!("z{index}.example.")),
        owner: name(&format!("_vlmcs._tcp.z{index}.example.")),
        ttl: 3600,
        expect: Expect::Hosts,
        standby_below: 1,
        policy: Arc::new(Policy {
            changes: Changes::Sync,
            foreign: Foreign::Report,
            publisher: Publisher::Sole,
            min_hosts: 1,
            max_removals: 1,
            freeze_percent: 50,
            refresh: None,
        }),
        hosts: Arc::from([0]),
        servers: Arc::from([0]),
        key: None,
    }
}

/// What is known before anything was looked at.
fn book(hosts: &[Host], zones: &[Zone]) -> Book {
    let mut book = Book::new(at(0));
    let terms = Terms {
        hosts,
        zones,
        writes: true,
        interval: Duration::from_secs(300),
    };
    book.configure(terms, at(0));
    book
}

/// The first zone cannot be read, the second has a foreign record, the others are in sync.
fn status(zones: usize) -> Arc<Status> {
    let hosts = [host("kms1.example."), host("kms2.example.")];
    let zones: Vec<Zone> = (0..zones).map(zone).collect();
    let mut book = book(&hosts, &zones);
    let verdict = |state: State, reason: &str| Verdict {
        state,
        since: Some(at(1)),
        ..Verdict::unknown(reason)
    };
    book.believe_all(Verdicts {
        hosts: vec![
            verdict(State::Up, "2 samples passed"),
            verdict(State::Down, "3 samples failed: \u{1b}[31mred\nand more"),
        ],
        canary: Canary::Unused,
    });
    let reports: Vec<Report> = zones
        .iter()
        .enumerate()
        .map(|(index, zone)| Report {
            zone: index,
            plan: plan(index, zone, &hosts),
            outcome: None,
        })
        .collect();
    book.walked(reports, "run: start", None, at(5));
    book.status(at(6))
}

fn plan(index: usize, zone: &Zone, hosts: &[Host]) -> Result<ZonePlan, ZoneError> {
    if index == 0 {
        return Err(ZoneError {
            server: None,
            text: "127.0.0.1:53 does not answer".to_owned(),
        });
    }
    let observed = Observed {
        server: "127.0.0.1:53".parse().unwrap(),
        update_zone: zone.name.clone(),
        serial: 7,
        ttl: Some(3600),
        mixed_ttl: false,
        records: vec![srv("kms1.example.")],
    };
    let mut plan = ZonePlan::from_changes(zone, hosts, observed, Vec::new());
    if index == 1 {
        plan.foreign.push(ForeignRecord {
            record: srv("\\\"<b>\\027.example."),
            text: "no inventory host".to_owned(),
        });
    }
    Ok(plan)
}

fn json_of(status: &Status) -> Value {
    let page = select(status, &Selection::default());
    let pieces: String = json(status, page, at(7)).unwrap().collect();
    serde_json::from_str(&pieces).unwrap_or_else(|error| panic!("{error}: {pieces}"))
}

fn text_of(status: &Status, width: usize) -> String {
    let page = select(status, &Selection::default());
    let layout = Layout {
        width,
        unicode: true,
    };
    let styled = status_text::text(status, &page, at(7), layout);
    anstream::adapter::strip_str(&styled).to_string()
}

#[test]
fn any_number_of_zones_makes_one_object() {
    for zones in [0, 1, 2, AT_ONCE, AT_ONCE + 1, 3 * AT_ONCE] {
        let json = json_of(&status(zones));
        assert_eq!(json["zones"].as_array().unwrap().len(), zones);
        assert_eq!(json["totals"]["zones"], zones);
        assert_eq!(json["page"]["total"], zones);
    }
    let json = json_of(&status(2));
    assert_eq!(json["zones"][0]["state"], "unreadable");
    assert_eq!(
        json["zones"][1]["foreign"][0]["record"]["target"],
        "\\\"<b>\\027.example."
    );
    assert_eq!(json["hosts"][0]["hour"].as_array().unwrap().len(), MINUTES);
}

#[test]
fn people_read_problems_first_and_the_rest_together() {
    assert_eq!(
        text_of(&status(20), 80),
        "critical: 1 zone cannot be read; 1 host down; 1 of 2 hosts up, 19 of 20 zones in\n\
         sync\n\
         mode enforce; running since 2025-10-09T08:53:20Z; every zone looked at 2s ago\n\
         \n\
         kms1.example.  active  up       since 2025-10-09T08:53:21Z\n\
         kms2.example.  active  down     since 2025-10-09T08:53:21Z\n\
         \x20   3 samples failed: \u{fffd}[31mred and more\n\
         \n\
         unreadable  z0.example.  2s ago\n\
         \x20   127.0.0.1:53 does not answer\n\
         in-sync     z1.example.  1 published, 1 foreign; serial 7; 2s ago\n\
         \n\
         18 zones in sync, 18 records\n"
    );
}

/// What is said of so many zones, of which each has this plan.
fn text_of_zones(zones: usize, plan: impl Fn(&Zone) -> Result<ZonePlan, ZoneError>) -> String {
    let hosts = [host("kms1.example.")];
    let zones: Vec<Zone> = (0..zones).map(zone).collect();
    let mut book = book(&hosts, &zones);
    let reports = zones.iter().enumerate().map(|(index, zone)| Report {
        zone: index,
        plan: plan(zone),
        outcome: None,
    });
    book.walked(reports, "run: start", None, at(5));
    let text = text_of(&book.status(at(6)), 80);
    let (_facts, told) = text.rsplit_once("\n\n").unwrap();
    told.to_owned()
}

#[test]
fn zones_that_fail_for_the_same_cause_stand_together_with_the_cause_told_once() {
    let unreadable = |zone: &Zone| {
        Err(ZoneError {
            server: None,
            text: format!("no answer\nfor {}", zone.owner),
        })
    };
    assert_eq!(
        text_of_zones(5, unreadable),
        "unreadable  5 zones\n\
         \x20   no answer for _vlmcs._tcp.ZONE\n\
         \x20   z0.example., z1.example., z2.example., z3.example., z4.example.\n"
    );
    assert_eq!(
        text_of_zones(2, unreadable),
        "unreadable  z0.example.  2s ago\n\
         \x20   no answer for _vlmcs._tcp.z0.example.\n\
         unreadable  z1.example.  2s ago\n\
         \x20   no answer for _vlmcs._tcp.z1.example.\n"
    );
}

#[test]
fn zones_held_for_the_same_reason_stand_together_though_their_records_are_others() {
    let text = text_of_zones(4, |zone| {
        let mut plan = plan(2, zone, &[host("kms1.example.")])?;
        let own = delete(&format!("kms.{}", zone.name));
        plan.held = vec![
            held(Guard::Canary, delete("kms1.example."), "none answers"),
            held(Guard::Canary, own, "none answers"),
        ];
        Ok(plan)
    });
    assert_eq!(
        text,
        "held        4 zones  4 published, 8 held\n\
         \x20   canary: none answers\n\
         \x20   not removed: 0 0 1688 kms1.example., 0 0 1688 kms.z0.example., 0 0 1688\n\
         \x20   kms.z1.example., 0 0 1688 kms.z2.example., 0 0 1688 kms.z3.example.\n\
         \x20   z0.example., z1.example., z2.example., z3.example.\n"
    );
}

#[test]
fn zones_that_have_only_numbers_to_tell_are_told_one_by_one() {
    let text = text_of_zones(5, |zone| {
        let mut plan = plan(2, zone, &[host("kms1.example.")])?;
        plan.changes = vec![create("kms3.example.")];
        Ok(plan)
    });
    assert_eq!(text.lines().count(), 5, "{text}");
}

/// What is said of a zone with these changes to be made, and these held.
fn zone_with(changes: Vec<Change>, held: Vec<Held>) -> String {
    let hosts = [host("kms1.example.")];
    let zones = [zone(1)];
    let mut book = book(&hosts, &zones);
    let mut plan = plan(2, &zones[0], &hosts).unwrap();
    plan.changes = changes;
    plan.held = held;
    let report = Report {
        zone: 0,
        plan: Ok(plan),
        outcome: None,
    };
    book.walked(vec![report], "run: start", None, at(5));
    let text = text_of(&book.status(at(6)), 80);
    text.split_once("z1.example.").unwrap().1.to_owned()
}

fn change(kind: ChangeKind) -> Change {
    Change {
        kind,
        reason: Reason {
            code: ReasonCode::HostDown,
            text: "3 samples failed".to_owned(),
        },
    }
}

fn create(target: &str) -> Change {
    let after = srv(target);
    change(ChangeKind::Create { after, ttl: 60 })
}

fn delete(target: &str) -> Change {
    let before = srv(target);
    change(ChangeKind::Delete {
        before,
        before_ttl: 60,
    })
}

fn held(guard: Guard, change: Change, text: &str) -> Held {
    Held {
        change,
        guard,
        text: text.to_owned(),
    }
}

#[test]
fn what_is_to_be_done_is_counted_in_the_words_of_the_plan() {
    let update = change(ChangeKind::Update {
        before: srv("kms2.example."),
        before_ttl: 60,
        after: srv("kms2.example."),
        ttl: 3600,
    });
    let changes = vec![create("kms3.example."), delete("kms1.example."), update];
    let text = zone_with(changes, Vec::new());
    assert_eq!(
        text,
        "\n    1 published, 1 to add, 1 to change, 1 to remove; serial 7; 2s ago\n"
    );
    let text = zone_with(vec![create("kms3.example.")], Vec::new());
    assert_eq!(text, "  1 published, 1 to add; serial 7; 2s ago\n");
}

#[test]
fn each_reason_for_which_changes_are_held_is_told_once_with_their_records() {
    let frozen = "2 of 2 active hosts are down";
    let text = zone_with(
        Vec::new(),
        vec![
            held(Guard::FreezePercent, delete("kms1.example."), frozen),
            held(Guard::Contested, create("kms3.example."), "it is removed"),
            held(Guard::FreezePercent, delete("kms2.example."), frozen),
            held(Guard::Contested, delete("kms4.example."), "it is removed"),
        ],
    );
    assert_eq!(
        text,
        "  1 published, 2 held, 2 contested; serial 7; 2s ago\n\
         \x20   not removed: 0 0 1688 kms1.example., 0 0 1688 kms2.example.\n\
         \x20   freeze-percent: 2 of 2 active hosts are down\n\
         \x20   not added: 0 0 1688 kms3.example.; not removed: 0 0 1688 kms4.example.\n\
         \x20   contested: it is removed\n"
    );
}

#[test]
fn of_many_held_changes_some_are_named_and_the_others_counted() {
    let delete = |number: usize| delete(&format!("kms{number}.example."));
    let same = (0..12).map(|number| held(Guard::FreezePercent, delete(number), "frozen"));
    let text = zone_with(Vec::new(), same.collect());
    assert!(text.contains("kms9.example. and 2 more\n"), "{text}");
    assert!(!text.contains("kms10"), "{text}");
    let each = (0..12).map(|number| held(Guard::MaxRemovals, delete(number), &number.to_string()));
    let text = zone_with(Vec::new(), each.collect());
    assert_eq!(text.matches("max-removals: ").count(), 3, "{text}");
    assert!(
        text.ends_with("    and 9 more held: `srvkeeper plan z1.example.` shows them\n"),
        "{text}"
    );
}

#[test]
fn why_a_host_cannot_be_probed_is_told_once() {
    let hosts = [host("kms1.example.")];
    let terms = Terms {
        hosts: &hosts,
        zones: &[],
        writes: true,
        interval: Duration::from_secs(300),
    };
    let mut book = Book::new(at(0));
    book.configure(terms, at(0));
    let obstacle = NoSample("no route".to_owned());
    let reason = obstacle.to_string();
    book.sample(0, &Err(obstacle));
    let told = |book: &mut Book| text_of(&book.status(at(7)), 80).matches(&reason).count();
    assert_eq!(told(&mut book), 1);
    book.believe(0, Verdict::unknown(&reason));
    assert_eq!(told(&mut book), 1);
}

#[test]
fn a_further_service_of_a_zone_has_its_name() {
    let mut zones = [zone(0), zone(0)];
    zones[1].owner = Name::parse("_x._tcp.z0.example.").unwrap();
    let terms = Terms {
        hosts: &[],
        zones: &zones,
        writes: true,
        interval: Duration::from_secs(300),
    };
    let mut book = Book::new(at(0));
    book.configure(terms, at(0));
    let text = text_of(&book.status(at(7)), 80);
    assert!(!text.contains("_vlmcs"), "{text}");
    assert!(
        text.contains("  z0.example. (_x._tcp.z0.example.)"),
        "{text}"
    );
}

#[test]
fn a_zone_never_looked_at_can_be_overdue() {
    let overdue = |second| {
        let mut book = Book::new(at(0));
        let zones = [zone(0)];
        let terms = Terms {
            hosts: &[],
            zones: &zones,
            writes: true,
            interval: Duration::from_secs(300),
        };
        book.configure(terms, at(0));
        let text: String = metrics::text(book.status(at(second)), at(second)).collect();
        assert!(!text.contains("last_full_reconcile"), "{text}");
        text.contains("srvkeeper_overdue 1\n")
    };
    assert!(!overdue(660));
    assert!(overdue(661));
}

#[test]
fn no_line_is_wider_than_the_terminal() {
    for width in [40, 60, 80] {
        for line in text_of(&status(8), width).lines() {
            assert!(line.chars().count() <= width, "{width}: {line}");
        }
    }
}

#[test]
fn metrics_are_lines_in_families() {
    let status = status(600);
    let text: String = metrics::text(Arc::clone(&status), at(7)).collect();
    let mut families = BTreeSet::new();
    let mut family = String::new();
    let mut samples = BTreeSet::new();
    for line in text.lines() {
        if let Some(help) = line.strip_prefix("# HELP ") {
            family = help.split(' ').next().unwrap().to_owned();
            assert!(families.insert(family.clone()), "{family} stands twice");
            continue;
        }
        if line.starts_with("# TYPE ") {
            assert!(line.contains(&family), "{line}");
            continue;
        }
        let (sample, value) = line.rsplit_once(' ').unwrap();
        assert!(sample.starts_with(&family), "{line} below {family}");
        assert!(samples.insert(sample.to_owned()), "{sample} stands twice");
        value.parse::<f64>().unwrap();
    }
    let published = "srvkeeper_zone_records{zone=\"z599.example.\",owner=\"_vlmcs._tcp.z599.example.\",state=\"published\"}";
    assert!(text.contains(&format!("{published} 1\n")));
    assert!(text.contains("srvkeeper_zones{state=\"unreadable\"} 1\n"));
    assert!(text.contains("srvkeeper_host_up{host=\"kms2.example.\",role=\"active\"} 0\n"));
    assert!(!text.contains("<b>"));
}

#[test]
fn the_lines_of_the_plan_have_their_tones() {
    let status = status(20);
    let json: Value = serde_json::from_str(&plan_lines::json(&status, 1, 100).unwrap()).unwrap();
    let zones = json["zones"].as_array().unwrap();
    assert_eq!(zones.len(), 2);
    assert_eq!(
        (&zones[0]["tone"], &zones[1]["tone"]),
        (&"error".into(), &"plain".into())
    );
    assert_eq!(zones[1]["lines"][0]["tone"], "foreign");
    let second: Value = serde_json::from_str(&plan_lines::json(&status, 2, 1).unwrap()).unwrap();
    assert_eq!(second["zones"][0]["zone"], "z1.example.");
    assert_eq!(second["page"]["pages"], 2);
    assert_eq!(status.plan().summary(), status.plan_summary());
}
