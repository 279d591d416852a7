//! The pause: what is stored is read back, until it ends.

use super::*;

fn pause(until: i64) -> Pause {
    Pause {
        reason: Some("migration".into()),
        actor: "alice".into(),
        made_at: at(0),
        until: at(until),
    }
}

#[tokio::test]
async fn what_was_set_is_read_back_by_everybody() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Store::read_pause(dir.path(), at(1)).unwrap(), None);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.pause(at(1)).await.unwrap(), None);

    store.set_pause(pause(10)).await.unwrap();

    assert_eq!(store.pause(at(1)).await.unwrap(), Some(pause(10)));
    let read = || Store::read_pause(dir.path(), at(1)).unwrap();
    assert_eq!(read(), Some(pause(10)));
    drop(store);
    assert_eq!(read(), Some(pause(10)));
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.pause(at(1)).await.unwrap(), Some(pause(10)));
}

#[tokio::test]
async fn a_second_pause_takes_the_place_of_the_first() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.set_pause(pause(20)).await.unwrap();
    let shorter = Pause {
        reason: None,
        ..pause(10)
    };
    store.set_pause(shorter.clone()).await.unwrap();
    assert_eq!(store.pause(at(1)).await.unwrap(), Some(shorter));
    assert_eq!(store.pause(at(10)).await.unwrap(), None);
}

#[tokio::test]
async fn the_clock_alone_ends_a_pause() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.set_pause(pause(10)).await.unwrap();
    let almost = at(10) - jiff::SignedDuration::from_micros(1);
    for (now, holds) in [(almost, true), (at(10), false), (at(11), false)] {
        assert_eq!(store.pause(now).await.unwrap().is_some(), holds);
        let read = Store::read_pause(dir.path(), now).unwrap();
        assert_eq!(read.is_some(), holds);
    }
    // Reading at whatever time deletes nothing: a clock that went astray does no harm.
    assert_eq!(store.pause(at(1)).await.unwrap(), Some(pause(10)));
}

#[tokio::test]
async fn a_pause_is_cleared_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert!(!store.clear_pause(at(1)).await.unwrap());
    store.set_pause(pause(10)).await.unwrap();
    assert!(store.clear_pause(at(1)).await.unwrap());
    assert_eq!(store.pause(at(1)).await.unwrap(), None);
    assert!(!store.clear_pause(at(1)).await.unwrap());
}

#[tokio::test]
async fn one_that_has_ended_is_none_to_clear_and_goes() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.set_pause(pause(10)).await.unwrap();
    assert!(!store.clear_pause(at(10)).await.unwrap());
    let rows: i64 = database(dir.path())
        .query_row("SELECT count(*) FROM pause", [], |row| row.get(0))
        .unwrap();
    assert_eq!(rows, 0);
}

#[tokio::test]
async fn a_pause_that_we_did_not_write_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    database(dir.path())
        .execute_batch("INSERT INTO pause VALUES (1, NULL, 'alice', 0, 9223372036854775807)")
        .unwrap();
    for error in [
        store.pause(at(0)).await.unwrap_err(),
        store.clear_pause(at(0)).await.unwrap_err(),
        Store::read_pause(dir.path(), at(0)).unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    }
    let second = "INSERT INTO pause VALUES (2, NULL, 'bob', 0, 1)";
    assert!(database(dir.path()).execute_batch(second).is_err());
}
