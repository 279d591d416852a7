//! Which alerts a zone's plan gives cause for.

use super::support::{Scenario, now, zone_name};
use crate::model::{Alert, AlertKind, Canary, Changes};
use crate::plan::{Guard, Held, ZoneError, ZonePlan, alerts_of, of_network, unreadable};

/// `kind host` or `kind -`, joined.
fn words(alerts: &[Alert]) -> String {
    let words = alerts.iter().map(|alert| {
        assert_eq!(alert.zone, Some(zone_name()));
        let host = alert.host.as_ref().map_or("-".to_owned(), |host| {
            host.to_string()
                .trim_end_matches(".corp.example.")
                .to_owned()
        });
        format!("{} {host}", alert.kind)
    });
    words.collect::<Vec<_>>().join(", ")
}

#[test]
fn each_guard_has_its_alert_or_none() {
    let down = |hosts: &str| Scenario::new(hosts);
    for (scenario, expected) in [
        (down("kms1 up in; kms2 up in"), ""),
        (down("kms1 down in; kms2 up in"), ""),
        // The zone is frozen, once, however many hosts that holds.
        (down("kms1 down in; kms2 down in; kms3 up in"), "freeze -"),
        (
            down("kms1 down in; kms2 down in; kms3 up in; kms4 up in; kms5 up in")
                .canary(Canary::Silent),
            "",
        ),
        // One for each host that is held, and one for the zone that is short of hosts.
        (
            down("kms1 down in; kms2 down in"),
            "held kms1, held kms2, held -",
        ),
        (
            down("kms1 down in; kms2 down in since=5m; kms3 up in; kms4 up in; kms5 up in"),
            "held kms1",
        ),
        (down("kms1 down"), "held -"),
        // Asked for by the policy, and about to resolve by itself.
        (
            down("kms1 down in; kms2 up in").changes(Changes::CreateOnly),
            "",
        ),
        (down("kms1 down in; kms2 up in behind; kms3 up in"), ""),
    ] {
        let plan = scenario.plan();
        assert_eq!(words(&alerts_of(&plan)), expected, "{}", scenario.line());
    }
}

#[test]
fn every_guard_that_makes_the_status_held_and_does_not_pass_by_itself_is_an_alert() {
    let plan = Scenario::new("kms1 down in; kms2 up in").plan();
    let change = plan.changes[0].clone();
    for (guard, kind) in [
        (Guard::Policy, None),
        (Guard::AwaitSamples, None),
        (Guard::MinHosts, Some(AlertKind::Held)),
        (Guard::MaxRemovals, Some(AlertKind::Held)),
        (Guard::Canary, None),
        (Guard::FreezePercent, Some(AlertKind::Freeze)),
    ] {
        let held = Held {
            change: change.clone(),
            guard,
            text: "why".to_owned(),
        };
        // The second record of a host says nothing new.
        let plan = ZonePlan {
            held: vec![held.clone(), held],
            ..plan.clone()
        };
        let alerts = alerts_of(&plan);
        let kinds: Vec<_> = alerts.iter().map(|alert| alert.kind).collect();
        assert_eq!(kinds, Vec::from_iter(kind), "{guard}");
        assert!(alerts.iter().all(|alert| alert.text == "why"));
    }
}

#[test]
fn what_the_canary_holds_is_one_alert_for_all_zones() {
    let scenario = || Scenario::new("kms1 spared in; kms2 up in");
    let plan = scenario().canary(Canary::Silent).plan();
    let alert = of_network(&plan).unwrap();
    assert_eq!((alert.kind, alert.zone), (AlertKind::Freeze, None));
    assert!(alert.text.contains("no canary"), "{}", alert.text);
    assert_eq!(of_network(&scenario().plan()), None);
}

#[test]
fn a_zone_without_a_plan_is_an_alert_unless_the_run_was_interrupted() {
    let error = ZoneError {
        server: None,
        text: "no answer".to_owned(),
    };
    let alert = unreadable(&zone_name(), &error).unwrap();
    assert_eq!(words(std::slice::from_ref(&alert)), "unreadable -");
    assert_eq!(alert.text, "no answer");
    assert_eq!(unreadable(&zone_name(), &ZoneError::interrupted()), None);
}

#[test]
fn the_same_plan_gives_the_same_identities_later() {
    let scenario = Scenario::new("kms1 down in; kms2 down in");
    let later = now() + jiff::SignedDuration::from_mins(5);
    let identities =
        |plan: &ZonePlan| -> Vec<_> { alerts_of(plan).iter().map(Alert::identity).collect() };
    assert_eq!(
        identities(&scenario.plan()),
        identities(&scenario.plan_at(later))
    );
}
