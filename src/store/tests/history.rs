//! The history as it is read back, and what is left of it after a while.

use std::num::NonZeroU32;

use jiff::SignedDuration;

use super::*;
use crate::model::Ended;
use crate::store::history::{Retention, STATEMENTS, prune};

fn newest(limit: u32) -> HistoryQuery {
    HistoryQuery {
        zone: None,
        before: None,
        limit: NonZeroU32::new(limit).unwrap(),
    }
}

fn of_zone(zone: &str) -> HistoryQuery {
    HistoryQuery {
        zone: Some(name(zone)),
        ..newest(100)
    }
}

/// The numbers of the changes, in the order read.
fn ids(dir: &Path, query: &HistoryQuery) -> Vec<i64> {
    Store::read_history(dir, query)
        .unwrap()
        .iter()
        .map(|entry| entry.id.0)
        .collect()
}

async fn applied(store: &Store, zone: &str, second: i64) -> ChangeId {
    let id = store
        .intent(intent(zone, second, &["k."], &[]))
        .await
        .unwrap();
    let outcome = outcome(OutcomeKind::Applied);
    store.outcome(id, at(second), outcome).await.unwrap();
    id
}

#[tokio::test]
async fn an_entry_is_read_as_it_was_recorded_beside_the_writer() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut recorded = intent("Corp.Example.", 1, &["KMS1.Corp.Example."], &["kms2."]);
    recorded.before.mixed_ttl = true;
    recorded.after_ttl = None;
    let id = store.intent(recorded.clone()).await.unwrap();
    let open = HistoryEntry {
        id,
        asked_at: recorded.at,
        zone: recorded.zone,
        owner: recorded.owner,
        before: recorded.before,
        after: recorded.after,
        after_ttl: None,
        changes: recorded.changes,
        digest: recorded.digest,
        actor: recorded.actor,
        ended: None,
    };
    let read = Store::read_entry(dir.path(), id).unwrap().unwrap();
    assert_eq!(read, open);
    assert!(read.zone.same_spelling(&open.zone));
    assert!(read.before.records[0].same_spelling(&open.before.records[0]));

    for (rcode, serial) in [(Some(Rcode(23)), None), (None, Some(u32::MAX))] {
        let id = store.intent(intent("b.", 2, &[], &["k."])).await.unwrap();
        let outcome = Outcome {
            rcode,
            serial,
            ..outcome(OutcomeKind::Unknown)
        };
        store.outcome(id, at(3), outcome.clone()).await.unwrap();
        let read = Store::read_entry(dir.path(), id).unwrap().unwrap();
        assert_eq!(read.ended, Some(Ended { at: at(3), outcome }));
    }
}

#[tokio::test]
async fn the_newest_come_first_zone_by_zone_and_page_by_page() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    // The clock jumps; the numbers do not.
    for (zone, second) in [("a.", 9), ("B.", 8), ("a.", 1), ("A.", 5), ("b.", 2)] {
        applied(&store, zone, second).await;
    }
    let dir = dir.path();
    assert_eq!(ids(dir, &newest(100)), [5, 4, 3, 2, 1]);
    assert_eq!(ids(dir, &newest(2)), [5, 4]);
    assert_eq!(ids(dir, &of_zone("a.")), [4, 3, 1]);
    assert_eq!(ids(dir, &of_zone("b.")), [5, 2]);
    assert_eq!(ids(dir, &of_zone("c.")), [0_i64; 0]);
    let before = Some(ChangeId(4));
    assert_eq!(
        ids(
            dir,
            &HistoryQuery {
                before,
                ..newest(2)
            }
        ),
        [3, 2]
    );
    assert_eq!(
        ids(
            dir,
            &HistoryQuery {
                before,
                ..of_zone("a.")
            }
        ),
        [3, 1]
    );
    let known = Store::read_known_changes(dir).unwrap();
    assert_eq!(known, Some((ChangeId(1), ChangeId(5))));
}

#[tokio::test]
async fn a_long_history_is_read_a_thousand_at_a_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    applied(&store, "a.", 1).await;
    database(dir.path())
        .execute_batch(
            "CREATE TEMP TABLE more AS SELECT * FROM changes;
             INSERT INTO changes
             WITH RECURSIVE number (n) AS (SELECT 2 UNION ALL SELECT n + 1 FROM number WHERE n < 2500)
             SELECT n, asked_at, CASE n % 2 WHEN 0 THEN 'b.' ELSE zone END, owner, server, update_zone,
               serial_before, before, after, changes, digest, actor, outcome, outcome_text, rcode,
               serial_after, finished_at FROM more, number",
        )
        .unwrap();
    let read = |query: HistoryQuery| -> Vec<i64> {
        let entries = Store::read_pages(dir.path(), query);
        entries.map(|entry| entry.unwrap().id.0).collect()
    };
    for limit in [1, 999, 1_000, 1_001, 2_000, 2_500, 9_999] {
        let all = (1..=2_500_i64).rev().take(limit as usize);
        assert_eq!(read(newest(limit)), all.collect::<Vec<_>>(), "{limit}");
    }
    let of_zone = HistoryQuery {
        limit: NonZeroU32::MAX,
        before: Some(ChangeId(2_400)),
        ..of_zone("b.")
    };
    let even = (1..2_400_i64).rev().filter(|id| id % 2 == 0);
    assert_eq!(read(of_zone), even.collect::<Vec<_>>());
}

#[test]
fn nothing_is_read_and_nothing_made_where_no_store_is() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(ids(dir.path(), &newest(1)), [0_i64; 0]);
    assert_eq!(Store::read_entry(dir.path(), ChangeId(1)).unwrap(), None);
    assert_eq!(Store::read_known_changes(dir.path()).unwrap(), None);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);

    drop(Store::open(dir.path()).unwrap());
    assert_eq!(Store::read_entry(dir.path(), ChangeId(1)).unwrap(), None);
    assert_eq!(Store::read_known_changes(dir.path()).unwrap(), None);
}

#[tokio::test]
async fn a_damaged_row_is_named() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for second in 1..=3 {
        applied(&store, "a.", second).await;
    }
    for spoil in [
        "server = 'nowhere'",
        "zone = 'a..b'",
        "asked_at = 9223372036854775807",
        "serial_before = -1",
        "finished_at = -9223372036854775808",
        "rcode = 65536",
        "outcome_text = NULL",
        "before = '{'",
        r#"after = '{"ttl": -1}'"#,
        "changes = '[{}]'",
        r#"changes = replace(changes, 'host-down', 'host-great')"#,
        r#"changes = replace(changes, 'delete', 'create')"#,
    ] {
        let database = database(dir.path());
        database
            .execute_batch("CREATE TABLE kept AS SELECT * FROM changes WHERE id = 2")
            .unwrap();
        let changed = database.execute(&format!("UPDATE changes SET {spoil} WHERE id = 2"), []);
        assert_eq!(changed, Ok(1), "{spoil}");

        let list = Store::read_history(dir.path(), &newest(9)).unwrap_err();
        let one = Store::read_entry(dir.path(), ChangeId(2)).unwrap_err();
        for error in [list, one] {
            let named = matches!(
                error,
                StoreError::DamagedChange {
                    id: ChangeId(2),
                    ..
                }
            );
            assert!(named, "{spoil}: {error}");
        }
        assert_eq!(ids(dir.path(), &newest(1)), [3]);
        assert!(
            Store::read_entry(dir.path(), ChangeId(1))
                .unwrap()
                .is_some()
        );

        database
            .execute_batch(
                "DELETE FROM changes WHERE id = 2;
                 INSERT INTO changes SELECT * FROM kept; DROP TABLE kept",
            )
            .unwrap();
        assert_eq!(ids(dir.path(), &newest(9)), [3, 2, 1], "{spoil}");
    }
}

/// Ten seconds and two changes; one second is as good as 400 days.
const SHORT: Retention = Retention {
    age: SignedDuration::from_secs(10),
    changes: 2,
    at_once: 100,
};

#[tokio::test]
async fn the_old_go_and_what_is_needed_stays() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    applied(&store, "quiet.", 1).await;
    applied(&store, "busy.", 2).await;
    let open = intent("busy.", 3, &[], &["k."]);
    let open = store.intent(open).await.unwrap();
    applied(&store, "busy.", 4).await;
    applied(&store, "busy.", 11).await;
    // The same suffix with another service is another RRset.
    let mut other = intent("busy.", 1, &[], &["k."]);
    other.owner = name("_http._tcp.busy.");
    let other = store.intent(other).await.unwrap();
    let refused = outcome(OutcomeKind::Refused);
    store.outcome(other, at(1), refused).await.unwrap();
    let memory = store.memory(at(0)).await.unwrap();

    let database = database(dir.path());
    let many = Retention {
        changes: 100,
        ..SHORT
    };
    assert_eq!(prune(&database, at(11), &many), Ok(0));
    assert_eq!(ids(dir.path(), &newest(9)), [6, 5, 4, 3, 2, 1]);
    // At second 12 the one of second 2 stays by a hair.
    assert_eq!(prune(&database, at(12), &many), Ok(0));
    assert_eq!(prune(&database, at(13), &many), Ok(1));
    assert_eq!(ids(dir.path(), &newest(9)), [6, 5, 4, 3, 1]);
    // Of the two newest numbers none goes, whatever their age; here 5 and 6.
    assert_eq!(prune(&database, at(13), &SHORT), Ok(1));
    assert_eq!(ids(dir.path(), &newest(9)), [6, 5, 3, 1]);
    assert_eq!(prune(&database, at(1_000_000), &SHORT), Ok(0));
    assert_eq!(prune(&database, Timestamp::MIN, &SHORT), Ok(0));

    assert_eq!(store.memory(at(0)).await.unwrap(), memory);
    let left = store.open_intents().await.unwrap();
    assert_eq!(left.len(), 1);
    assert_eq!(left[0].id, open);
    assert_eq!(applied(&store, "busy.", 20).await, ChangeId(7));
}

#[tokio::test]
async fn no_more_go_at_once_than_one_may_wait_for() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for second in 1..=6 {
        applied(&store, "a.", second).await;
    }
    let database = database(dir.path());
    let few = Retention {
        at_once: 2,
        ..SHORT
    };
    for left in [4, 2, 1, 1] {
        prune(&database, at(1000), &few).unwrap();
        assert_eq!(ids(dir.path(), &newest(9)).len(), left);
    }
}

#[tokio::test]
async fn opening_the_store_prunes_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let day = |days: i64| Timestamp::now() - SignedDuration::from_hours(days * 24);
    for days in [500, 401, 399, 1] {
        let intent = Intent {
            at: day(days),
            ..intent("a.", 0, &[], &["k."])
        };
        let id = store.intent(intent).await.unwrap();
        let applied = outcome(OutcomeKind::Applied);
        store.outcome(id, day(days), applied).await.unwrap();
    }
    assert_eq!(ids(dir.path(), &newest(9)), [4, 3, 2, 1]);
    drop(store);
    drop(Store::open(dir.path()).unwrap());
    assert_eq!(ids(dir.path(), &newest(9)), [4, 3]);
}

#[test]
fn neither_reading_nor_pruning_walks_through_the_history() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let connection = database(dir.path());
    for sql in STATEMENTS {
        for step in steps(&connection, sql) {
            assert!(!step.starts_with("SCAN"), "{sql}: {step}");
            assert!(!step.contains("TEMP B-TREE"), "{sql}: {step}");
        }
    }
}
