//! Overrides: what is stored is read back, until it ends.

use super::*;
use crate::model::OverrideState;

fn word(host: &str, state: OverrideState, until: i64) -> Override {
    Override {
        host: name(host),
        state,
        reason: Some("patching".into()),
        actor: "alice".into(),
        made_at: at(0),
        until: at(until),
    }
}

fn rows(dir: &Path) -> i64 {
    database(dir)
        .query_row("SELECT count(*) FROM overrides", [], |row| row.get(0))
        .unwrap()
}

#[tokio::test]
async fn what_was_set_is_read_back_by_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let up = Override {
        reason: None,
        ..word("a.", OverrideState::Up, 20)
    };
    let down = word("KMS1.Example.", OverrideState::Down, 10);
    let both = vec![up.clone(), down.clone()];
    store.set_overrides(vec![down, up], at(0)).await.unwrap();
    assert_eq!(store.overrides(at(1)).await.unwrap(), both);
    assert_eq!(Store::read_overrides(dir.path(), at(1)).unwrap(), both);
    drop(store);
    assert_eq!(Store::read_overrides(dir.path(), at(1)).unwrap(), both);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.overrides(at(1)).await.unwrap(), both);
}

#[tokio::test]
async fn a_host_has_one_override_however_it_is_spelled() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = word("kms1.example.", OverrideState::Down, 10);
    let second = word("KMS1.example.", OverrideState::Up, 20);
    for word in [&first, &second] {
        store
            .set_overrides(vec![word.clone()], at(0))
            .await
            .unwrap();
    }
    let held = store.overrides(at(1)).await.unwrap();
    assert_eq!(held, std::slice::from_ref(&second));
    assert!(held[0].host.same_spelling(&second.host));
    let host = name("Kms1.Example.");
    assert!(store.clear_override(host.clone(), at(1)).await.unwrap());
    assert!(!store.clear_override(host, at(1)).await.unwrap());
    assert_eq!(store.overrides(at(1)).await.unwrap(), []);
}

#[tokio::test]
async fn the_clock_alone_ends_an_override() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let word = word("a.", OverrideState::Down, 10);
    store
        .set_overrides(vec![word.clone()], at(0))
        .await
        .unwrap();
    let almost = at(10) - jiff::SignedDuration::from_micros(1);
    for (now, holds) in [(almost, true), (at(10), false), (at(11), false)] {
        assert_eq!(store.overrides(now).await.unwrap().len() == 1, holds);
        let read = Store::read_overrides(dir.path(), now).unwrap();
        assert_eq!(read.len() == 1, holds);
    }
    // Reading at whatever time deletes nothing: a clock that went astray does no harm.
    assert_eq!(store.overrides(at(1)).await.unwrap(), [word]);
}

#[tokio::test]
async fn what_has_ended_goes_with_the_next_write() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let set = |host, until, now| {
        store.set_overrides(vec![word(host, OverrideState::Down, until)], at(now))
    };
    set("a.", 10, 0).await.unwrap();
    set("b.", 20, 1).await.unwrap();
    assert_eq!(rows(dir.path()), 2);
    set("c.", 30, 10).await.unwrap();
    assert_eq!(rows(dir.path()), 2);
    assert!(!store.clear_override(name("b."), at(20)).await.unwrap());
    assert_eq!(rows(dir.path()), 1);
}

#[tokio::test]
async fn all_are_stored_or_none() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    database(dir.path())
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON overrides WHEN NEW.host = 'b.'
             BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();
    let both = vec![
        word("a.", OverrideState::Down, 10),
        word("b.", OverrideState::Up, 10),
    ];
    assert!(store.set_overrides(both, at(0)).await.is_err());
    assert_eq!(store.overrides(at(0)).await.unwrap(), []);
}

#[tokio::test]
async fn a_word_that_we_did_not_write_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    database(dir.path())
        .execute_batch(
            "PRAGMA ignore_check_constraints = ON;
             INSERT INTO overrides VALUES ('a.', 'sideways', NULL, 'alice', 0, 9999999999999999)",
        )
        .unwrap();
    let error = store.overrides(at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}
