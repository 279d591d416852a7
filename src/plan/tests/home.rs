//! The server that a zone stays with.

use std::net::SocketAddr;

use super::super::{check_home, may_take_over};
use super::support::Scenario;
use crate::model::{Home, Observed, Published};

fn server(text: &str) -> SocketAddr {
    text.parse().unwrap()
}

/// What `read` publishes, as the scenario has it.
fn observed(scenario: &Scenario, read: &str) -> Observed {
    let zone = scenario.zone();
    Observed {
        server: server(read),
        ..scenario.input(&zone).observed.clone()
    }
}

#[test]
fn another_server_is_planned_on_only_when_it_publishes_the_same() {
    let scenario = Scenario::new("kms1 up").records("kms1");
    let other = Scenario::new("kms1 up").records("kms1; kms2");
    let zone = scenario.zone();
    let here = observed(&scenario, "192.0.2.1:53");
    let there = observed(&scenario, "192.0.2.2:53");
    let home = |published| Home {
        server: here.server,
        published,
    };
    let same = home(Some(Published::of(&there)));
    let another = home(Some(Published::of(&observed(&other, "192.0.2.1:53"))));
    let another_ttl = home(Some(Published {
        ttl: Some(1),
        ..Published::of(&there)
    }));
    let in_doubt = home(None);

    for stays in [&same, &another, &another_ttl, &in_doubt] {
        assert_eq!(check_home(&zone, stays, &here, ""), Ok(()), "{stays:?}");
    }
    assert_eq!(check_home(&zone, &same, &there, "no answer"), Ok(()));
    for stays in [&another, &another_ttl, &in_doubt] {
        let error = check_home(&zone, stays, &there, "no answer").unwrap_err();
        assert!(error.text.contains("(no answer)"), "{error}");
        assert!(error.text.contains("servers"), "{error}");
        assert_eq!(error.server.as_deref(), Some("192.0.2.2:53"));
    }
}

#[test]
fn a_server_takes_over_with_the_very_same_records_only() {
    let scenario = Scenario::new("kms1 up").records("kms1");
    let here = observed(&scenario, "192.0.2.1:53");
    let there = observed(&scenario, "192.0.2.2:53");
    assert!(may_take_over(&here, &there));

    let mut shouted = there.clone();
    for record in &mut shouted.records {
        let text = record.target.to_string().to_uppercase();
        record.target = crate::model::Name::parse(&text).unwrap();
    }
    assert_eq!(shouted.records, there.records);
    assert!(!may_take_over(&here, &shouted));

    let other_ttl = Observed {
        ttl: Some(1),
        ..there.clone()
    };
    assert!(!may_take_over(&here, &other_ttl));
    let empty = Observed {
        records: Vec::new(),
        ..there
    };
    assert!(!may_take_over(&here, &empty));
}
