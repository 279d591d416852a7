//! The daemon lock: one daemon, and those who ask for it.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::atomic::AtomicBool;
use std::time::Duration;

use super::*;

#[tokio::test]
async fn a_second_daemon_learns_who_the_first_is() {
    let dir = tempfile::tempdir().unwrap();
    let [first, second] = [(); 2].map(|()| Store::open(dir.path()).unwrap());
    let lock = first.lock_daemon().unwrap();
    // The lock is the daemon's, not the store's.
    drop(first);

    let error = second.lock_daemon().unwrap_err();

    assert!(matches!(error, StoreError::DaemonRuns { .. }), "{error:?}");
    let text = error.to_string();
    let process = format!("process {} since 2", std::process::id());
    assert!(text.contains("another `srvkeeper run`"), "{text}");
    assert!(text.contains(&process), "{text}");
    let path = dir.path().canonicalize().unwrap();
    assert!(text.contains(&path.display().to_string()), "{text}");
    drop(lock);
    second.lock_daemon().unwrap();
}

#[tokio::test]
async fn a_daemon_keeps_no_run_from_writing_nor_a_run_a_daemon() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let daemon = store.lock_daemon().unwrap();
    let run = store.lock_run(Duration::ZERO).await.unwrap();
    drop(daemon);
    store.lock_daemon().unwrap();
    drop(run);
}

#[test]
fn who_asks_learns_the_daemon_and_makes_nothing() {
    let dir = tempfile::tempdir().unwrap();
    let missing = dir.path().join("missing");
    assert_eq!(Store::daemon_holder(&missing), None);
    assert_eq!(Store::daemon_holder(dir.path()), None);
    assert_eq!(fs::read_dir(dir.path()).unwrap().count(), 0);
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(Store::daemon_holder(dir.path()), None);
    assert!(!dir.path().join("daemon.lock").exists());

    let lock = store.lock_daemon().unwrap();

    let holder = Store::daemon_holder(dir.path()).unwrap();
    let process = format!("process {} since 2", std::process::id());
    assert!(holder.starts_with(&process), "{holder}");
    // The line stays, and means nothing any more.
    drop(lock);
    assert_eq!(Store::daemon_holder(dir.path()), None);
    assert!(
        fs::read_to_string(dir.path().join("daemon.lock"))
            .unwrap()
            .starts_with(&process)
    );
}

#[test]
fn a_link_in_the_locks_place_is_nobodys() {
    let dir = tempfile::tempdir().unwrap();
    let other = tempfile::NamedTempFile::new().unwrap();
    other.as_file().lock().unwrap();
    std::os::unix::fs::symlink(other.path(), dir.path().join("daemon.lock")).unwrap();
    assert_eq!(Store::daemon_holder(dir.path()), None);
    let store = Store::open(dir.path()).unwrap();
    let error = store.lock_daemon().unwrap_err();
    assert!(matches!(error, StoreError::NotAFile { .. }), "{error:?}");
}

/// Somebody who looks at this moment is no daemon.
#[test]
fn asking_keeps_no_daemon_from_starting() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    drop(store.lock_daemon().unwrap());
    let done = AtomicBool::new(false);
    std::thread::scope(|scope| {
        for _ in 0..2 {
            scope.spawn(|| {
                while !done.load(Ordering::Relaxed) {
                    Store::daemon_holder(dir.path());
                }
            });
        }
        let refused = (0..300)
            .map(|_| store.lock_daemon())
            .filter(Result::is_err)
            .count();
        done.store(true, Ordering::Relaxed);
        assert_eq!(refused, 0);
    });
}

/// Keeps `$SRVKEEPER_TEST_DIR` as a daemon does, until it is killed.
#[tokio::test]
#[ignore = "started by another test as its own process"]
async fn child_is_a_daemon() {
    let Some(dir) = std::env::var_os("SRVKEEPER_TEST_DIR") else {
        return;
    };
    let store = Store::open(Path::new(&dir)).unwrap();
    let _lock = store.lock_daemon().unwrap();
    for second in 0.. {
        let seen = vec![KeptSample {
            host: name("a."),
            began: at(second),
            took: Duration::ZERO,
            passed: true,
            text: String::new(),
        }];
        store
            .keep_health(Vec::new(), seen, at(second))
            .await
            .unwrap();
        // The parent kills; without it, the closed pipe ends this process.
        writeln!(std::io::stdout(), "durable {second}").unwrap();
    }
}

#[tokio::test]
async fn kill_9_loses_no_sample_that_was_acknowledged_and_frees_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::daemon::child_is_a_daemon",
            "--ignored",
            "--nocapture",
        ])
        .env("SRVKEEPER_TEST_DIR", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut durable = 0;
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut note = |line: std::io::Result<String>| {
        let second = line.unwrap().strip_prefix("durable ").map(str::parse);
        // The kill may have cut the last line short.
        if let Some(Ok(second)) = second {
            durable = durable.max(second);
        }
        durable
    };
    while note(lines.next().unwrap()) < 20 {}
    let process = format!("process {} ", child.id());
    let holder = Store::daemon_holder(dir.path()).unwrap();
    assert!(holder.starts_with(&process), "{holder}");
    let store = Store::open(dir.path()).unwrap();
    let refused = store.lock_daemon().unwrap_err().to_string();
    assert!(refused.contains(&process), "{refused}");
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        note(line);
    }

    assert_eq!(Store::daemon_holder(dir.path()), None);
    let _lock = store.lock_daemon().unwrap();
    let kept = Store::read_samples(dir.path(), at(0)).unwrap();
    let lost: Vec<i64> = (0..=durable)
        .filter(|second| !kept.iter().any(|sample| sample.began == at(*second)))
        .collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
}
