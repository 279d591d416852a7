//! Tests of the store as a whole, and what they share.

mod daemon;
mod durability;
mod health;
mod history;
mod homes;
mod memory;
mod overrides;
mod pause;
mod refusal;
mod rows;
mod together;

use super::*;
use crate::model::{ChangeKind, OutcomeKind, Rcode, Reason, ReasonCode};

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

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

fn create(target: &str) -> Change {
    Change {
        kind: ChangeKind::Create {
            after: srv(target),
            ttl: 3600,
        },
        reason: Reason {
            code: ReasonCode::HostUp,
            text: format!("{target} is up"),
        },
    }
}

fn delete(target: &str) -> Change {
    Change {
        kind: ChangeKind::Delete {
            before: srv(target),
            before_ttl: 3600,
        },
        reason: Reason {
            code: ReasonCode::HostDown,
            text: format!("{target} is down"),
        },
    }
}

/// An intent that removes and adds hosts, beside `kms9.` that stays.
fn intent(zone: &str, second: i64, removed: &[&str], added: &[&str]) -> Intent {
    let zone = name(zone);
    let records = |targets: &[&str]| {
        let mut records: Vec<Srv> = targets.iter().copied().chain(["kms9."]).map(srv).collect();
        records.sort();
        records
    };
    Intent {
        at: at(second),
        owner: zone.prefixed(&name("_vlmcs._tcp")).unwrap(),
        before: Observed {
            server: "[::1]:53".parse().unwrap(),
            update_zone: zone.clone(),
            serial: 7,
            ttl: Some(3600),
            mixed_ttl: false,
            records: records(removed),
        },
        zone,
        after: records(added),
        after_ttl: Some(3600),
        changes: added
            .iter()
            .copied()
            .map(create)
            .chain(removed.iter().copied().map(delete))
            .collect(),
        removed: removed.iter().copied().map(name).collect(),
        digest: "sha256:00".into(),
        actor: "timer".into(),
        stays: false,
    }
}

fn outcome(kind: OutcomeKind) -> Outcome {
    Outcome {
        kind,
        text: format!("it was {kind}"),
        rcode: Some(Rcode::NOERROR),
        serial: Some(8),
    }
}

/// A connection of its own to the database, as `sqlite3` would have.
fn database(dir: &Path) -> rusqlite::Connection {
    rusqlite::Connection::open(dir.join(schema::FILE)).unwrap()
}

/// How SQLite goes about a statement.
fn steps(connection: &rusqlite::Connection, sql: &str) -> Vec<String> {
    let mut statement = connection
        .prepare(&format!("EXPLAIN QUERY PLAN {sql}"))
        .unwrap();
    let parameters = vec![0_i64; statement.parameter_count()];
    statement
        .query_map(rusqlite::params_from_iter(parameters), |row| row.get(3))
        .unwrap()
        .map(Result::unwrap)
        .collect()
}
