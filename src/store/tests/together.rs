//! Several writers of one store, and the one run lock.

use std::sync::{Arc, Barrier};
use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_second_run_learns_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let first = Store::open(dir.path()).unwrap();
    let second = Store::open(dir.path()).unwrap();
    let lock = first.lock_run(Duration::ZERO).await.unwrap();
    // The lock is the run's, not the store's.
    drop(first);
    let error = second.lock_run(Duration::ZERO).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    let text = error.to_string();
    let process = format!("process {}", std::process::id());
    assert!(text.contains(&process), "{text}");
    let path = dir.path().canonicalize().unwrap();
    assert!(text.contains(&path.display().to_string()), "{text}");
    drop(lock);
    second.lock_run(Duration::ZERO).await.unwrap();
}

#[tokio::test]
async fn a_run_waits_for_the_one_before_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = store.lock_run(Duration::ZERO).await.unwrap();
    let mut second = Box::pin(store.lock_run(Duration::from_secs(600)));
    assert!(futures_util::poll!(&mut second).is_pending());
    drop(first);
    second.await.unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_run_gives_up_after_its_time() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let _first = store.lock_run(Duration::ZERO).await.unwrap();
    let begin = Instant::now();
    let error = store.lock_run(Duration::from_secs(10)).await.unwrap_err();
    assert!(matches!(error, StoreError::Locked { .. }), "{error:?}");
    let waited = begin.elapsed();
    assert!(waited >= Duration::from_secs(10) && waited < Duration::from_secs(11));
}

/// A command that writes beside a run: both are served, and neither waits for the other's end.
#[tokio::test]
async fn two_stores_write_side_by_side() {
    let dir = tempfile::tempdir().unwrap();
    let stores = [(); 2].map(|()| Store::open(dir.path()).unwrap());
    let _lock = stores[0].lock_run(Duration::ZERO).await.unwrap();
    let write = |store: Store, zone: &'static str| async move {
        for second in 0..50 {
            let intent = intent(zone, second, &["k."], &[]);
            store.intent(intent).await.unwrap();
        }
    };
    let [a, b] = stores.clone();
    tokio::join!(write(a, "a."), write(b, "b."));
    for store in &stores {
        assert_eq!(store.open_intents().await.unwrap().len(), 100);
    }
}

/// The first two commands on a new machine, at the same moment.
#[test]
fn a_store_is_made_once_however_many_begin() {
    for _round in 0..10 {
        let dir = tempfile::tempdir().unwrap();
        let begin = Arc::new(Barrier::new(6));
        let writers: Vec<_> = (0..6)
            .map(|_writer| {
                let (dir, begin) = (dir.path().to_owned(), Arc::clone(&begin));
                std::thread::spawn(move || {
                    begin.wait();
                    let store = Store::open(&dir).unwrap();
                    let runtime = tokio::runtime::Builder::new_current_thread();
                    let runtime = { runtime }.build().unwrap();
                    runtime
                        .block_on(store.intent(intent("a.", 1, &["k."], &[])))
                        .unwrap();
                })
            })
            .collect();
        for writer in writers {
            writer.join().unwrap();
        }
        let memory = Store::read_memory(dir.path(), at(0)).unwrap();
        assert_eq!(memory.removals(&name("a.")).len(), 6);
    }
}
