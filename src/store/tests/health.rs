//! Tracks and samples: what was kept is read back, and samples for an hour only.

use super::*;
use crate::model::{NewestSample, Settled};

const HOUR: i64 = 3_600;

/// A host that was up, and begins to fail.
fn failing(began: i64) -> Track {
    Track {
        asked: "10.0.1.11 port 1688".into(),
        settled: Settled::Up,
        since: Some(at(1)),
        failures: 2,
        successes: 0,
        first_failure: Some(at(began - 10)),
        passing_since: None,
        newest: Some(NewestSample {
            began: at(began),
            passed: false,
            text: "10.0.1.11 timed out".into(),
        }),
    }
}

fn down(began: i64) -> Track {
    Track {
        settled: Settled::Down,
        ..failing(began)
    }
}

fn sample(host: &str, began: i64, passed: bool) -> KeptSample {
    KeptSample {
        host: name(host),
        began: at(began),
        took: Duration::from_micros(1_234_567),
        passed,
        text: format!("10.0.1.11 said {passed}"),
    }
}

async fn keep_samples(store: &Store, samples: &[KeptSample], now: i64) {
    let samples = samples.to_vec();
    store
        .keep_health(Vec::new(), samples, at(now))
        .await
        .unwrap();
}

fn samples_since(dir: &Path, since: i64) -> Vec<KeptSample> {
    Store::read_samples(dir, at(since)).unwrap()
}

#[tokio::test]
async fn what_was_kept_is_read_back_by_everybody() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let never_asked = (name("KMS2.Example."), Track::default());
    let tracks = vec![(name("a."), failing(100)), never_asked];
    let samples = [
        sample("a.", 90, true),
        sample("a.", 100, false),
        sample("KMS2.Example.", 95, true),
    ];

    let reversed: Vec<_> = tracks.iter().cloned().rev().collect();
    let mixed = vec![samples[2].clone(), samples[1].clone(), samples[0].clone()];
    store.keep_health(reversed, mixed, at(100)).await.unwrap();

    assert_eq!(store.commits(), 1);
    assert_eq!(store.tracks().await.unwrap(), tracks);
    assert_eq!(Store::read_tracks(dir.path()).unwrap(), tracks);
    assert_eq!(samples_since(dir.path(), 0), samples);
    assert_eq!(samples_since(dir.path(), 95), samples[1..]);
    drop(store);
    assert_eq!(Store::read_tracks(dir.path()).unwrap(), tracks);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.tracks().await.unwrap(), tracks);
    assert_eq!(samples_since(dir.path(), 0), samples);
    assert!(
        store.tracks().await.unwrap()[1]
            .0
            .same_spelling(&tracks[1].0)
    );
}

#[tokio::test]
async fn every_state_is_read_back() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for settled in [Settled::Up, Settled::Down, Settled::Unknown] {
        let track = Track {
            settled,
            failures: u32::MAX,
            successes: u32::MAX,
            passing_since: Some(at(3)),
            ..Track::default()
        };
        let tracks = vec![(name("a."), track)];
        store
            .keep_health(tracks.clone(), Vec::new(), at(0))
            .await
            .unwrap();
        assert_eq!(store.tracks().await.unwrap(), tracks);
    }
}

#[test]
fn without_a_store_there_is_nothing_and_none_is_made() {
    let dir = tempfile::tempdir().unwrap();
    assert_eq!(Store::read_tracks(dir.path()).unwrap(), []);
    assert_eq!(samples_since(dir.path(), 0), []);
    assert_eq!(std::fs::read_dir(dir.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn a_host_has_one_track_and_the_others_keep_theirs() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = vec![
        (name("kms1.example."), failing(100)),
        (name("kms2.example."), failing(100)),
    ];
    store.keep_health(first, Vec::new(), at(100)).await.unwrap();
    let second = vec![(name("KMS1.example."), down(110))];
    store
        .keep_health(second, Vec::new(), at(110))
        .await
        .unwrap();

    let tracks = store.tracks().await.unwrap();

    let expected = [
        (name("kms1.example."), down(110)),
        (name("kms2.example."), failing(100)),
    ];
    assert_eq!(tracks, expected);
    assert!(tracks[0].0.same_spelling(&name("KMS1.example.")));
}

#[tokio::test]
async fn samples_are_kept_for_an_hour() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    keep_samples(&store, &[sample("a.", 0, true), sample("b.", 1, true)], 1).await;
    keep_samples(&store, &[], HOUR).await;
    assert_eq!(samples_since(dir.path(), 0).len(), 2);

    keep_samples(&store, &[sample("a.", HOUR + 1, false)], HOUR + 1).await;

    let kept = [sample("a.", HOUR + 1, false), sample("b.", 1, true)];
    assert_eq!(samples_since(dir.path(), 0), kept);
}

#[tokio::test]
async fn a_clock_that_was_set_back_leaves_no_samples_of_the_future() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let (year, soon) = (400 * 24 * HOUR, 2);
    keep_samples(&store, &[sample("a.", year, true)], year).await;
    keep_samples(&store, &[sample("a.", soon, true)], 1).await;
    assert_eq!(samples_since(dir.path(), 0), [sample("a.", soon, true)]);
}

#[tokio::test]
async fn the_same_sample_is_kept_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    keep_samples(&store, &[sample("a.", 1, true), sample("A.", 1, false)], 1).await;
    keep_samples(&store, &[sample("a.", 1, false)], 1).await;
    assert_eq!(samples_since(dir.path(), 0), [sample("a.", 1, false)]);
}

#[tokio::test]
async fn tracks_and_samples_are_kept_together_or_not() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    database(dir.path())
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON samples WHEN NEW.host = 'b.'
             BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();
    let tracks = vec![(name("a."), failing(100))];
    let samples = vec![sample("a.", 1, true), sample("b.", 1, true)];
    assert!(store.keep_health(tracks, samples, at(1)).await.is_err());
    assert_eq!(store.tracks().await.unwrap(), []);
    assert_eq!(samples_since(dir.path(), 0), []);
}

/// What a power failure leaves: the database and its log, and no index.
#[tokio::test]
async fn what_was_acknowledged_is_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let tracks = vec![(name("a."), failing(100))];
    let samples = vec![sample("a.", 100, false)];
    store
        .keep_health(tracks.clone(), samples.clone(), at(100))
        .await
        .unwrap();
    for file in ["store.sqlite3", "store.sqlite3-wal"] {
        std::fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    let after = Store::open(copy.path()).unwrap();
    assert_eq!(after.tracks().await.unwrap(), tracks);
    assert_eq!(samples_since(copy.path(), 0), samples);
}

#[tokio::test]
async fn rows_that_we_did_not_write_are_errors() {
    const TRACK: &str = "INSERT INTO tracks VALUES ";
    const SAMPLE: &str = "INSERT INTO samples VALUES ";
    for row in [
        "('a.', 'sideways', NULL, 0, 0, NULL, NULL, NULL, NULL, NULL, '')",
        "('a.', 'up', 9223372036854775807, 0, 0, NULL, NULL, NULL, NULL, NULL, '')",
        "('a.', 'up', 1, -1, 0, NULL, NULL, NULL, NULL, NULL, '')",
        "('a.', 'up', 1, 0, 4294967296, NULL, NULL, NULL, NULL, NULL, '')",
        "('a.', 'up', 1, 0, 0, NULL, NULL, 1, NULL, NULL, '')",
        "('a..b.', 'up', 1, 0, 0, NULL, NULL, NULL, NULL, NULL, '')",
    ] {
        assert_damaged(&format!("{TRACK}{row}"), |dir| {
            Store::read_tracks(dir).unwrap_err()
        })
        .await;
    }
    for row in [
        "('a.', 9223372036854775807, 0, 1, '')",
        "('a.', 1760000000000000, -1, 1, '')",
        "('a..b.', 1760000000000000, 0, 1, '')",
    ] {
        assert_damaged(&format!("{SAMPLE}{row}"), |dir| {
            Store::read_samples(dir, at(0)).unwrap_err()
        })
        .await;
    }
}

async fn assert_damaged(insert: &str, read: impl Fn(&Path) -> StoreError) {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    database(dir.path())
        .execute_batch(&format!("PRAGMA ignore_check_constraints = ON; {insert}"))
        .unwrap();
    let error = read(dir.path());
    assert!(
        matches!(error, StoreError::Corrupt { .. }),
        "{insert}: {error:?}"
    );
    if insert.contains("INTO tracks") {
        let error = store.tracks().await.unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. }),
            "{insert}: {error:?}"
        );
    }
}

#[tokio::test]
async fn no_table_is_walked_for_a_few_samples() {
    let dir = tempfile::tempdir().unwrap();
    let _store = Store::open(dir.path()).unwrap();
    for sql in crate::store::health::STATEMENTS {
        let steps = steps(&database(dir.path()), sql);
        let walked = steps.iter().any(|step| step.starts_with("SCAN"));
        assert!(!walked, "{sql}: {steps:?}");
    }
}
