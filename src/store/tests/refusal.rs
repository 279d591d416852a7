//! What the store refuses, and that it leaves it as it was.

use std::collections::BTreeMap;
use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt, chown};
use std::os::unix::process::CommandExt;
use std::process::Command;

use super::*;

/// An unprivileged user.
const NOBODY: u32 = 65_534;

/// Every file but the lock, by name.
fn contents(dir: &Path) -> BTreeMap<String, Vec<u8>> {
    fs::read_dir(dir)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .filter(|(name, _)| name != "lock")
        .collect()
}

fn is_root() -> bool {
    fs::metadata("/proc/self").unwrap().uid() == 0
}

/// Opening to write and reading both fail alike, and change nothing.
fn both_refuse(dir: &Path, expected: impl Fn(&StoreError) -> bool) -> String {
    let before = contents(dir);
    let error = Store::open(dir).unwrap_err();
    assert!(expected(&error), "{error:?}");
    let read = Store::read_memory(dir, at(0)).unwrap_err();
    assert!(expected(&read), "{read:?}");
    assert_eq!(contents(dir), before);
    error.to_string()
}

fn filled(dir: &Path) {
    let store = Store::open(dir).unwrap();
    tokio::runtime::Builder::new_current_thread()
        .build()
        .unwrap()
        .block_on(async {
            for second in 0..50 {
                store
                    .intent(intent("a.", second, &["k."], &["l."]))
                    .await
                    .unwrap();
            }
        });
}

#[test]
fn a_newer_store_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    database(dir.path())
        .pragma_update(None, "user_version", 2)
        .unwrap();
    let text = both_refuse(dir.path(), |error| {
        matches!(
            error,
            StoreError::Newer {
                found: 2,
                known: 1,
                ..
            }
        )
    });
    assert!(
        text.contains("store.sqlite3") && text.contains("newer"),
        "{text}"
    );
}

/// A crash of the newer version left its log behind: not even that may be folded in.
#[test]
fn a_newer_store_is_refused_with_its_log() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let running = tempfile::tempdir().unwrap();
    let connection = database(dir.path());
    connection.pragma_update(None, "user_version", 2).unwrap();
    for file in ["store.sqlite3", "store.sqlite3-wal"] {
        fs::copy(dir.path().join(file), running.path().join(file)).unwrap();
    }
    // The index that the crash would have left too; a reader may rebuild it, not the log.
    fs::File::create(running.path().join("store.sqlite3-shm")).unwrap();
    let kept = |dir: &Path| {
        let mut files = contents(dir);
        files.remove("store.sqlite3-shm");
        files
    };
    let before = kept(running.path());
    let error = Store::open(running.path()).unwrap_err();
    assert!(
        matches!(error, StoreError::Newer { found: 2, .. }),
        "{error:?}"
    );
    assert_eq!(kept(running.path()), before);
}

#[test]
fn another_programs_database_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    database(dir.path())
        .execute_batch("CREATE TABLE t (x)")
        .unwrap();
    both_refuse(dir.path(), |error| {
        matches!(error, StoreError::Foreign { .. })
    });
    database(dir.path())
        .pragma_update(None, "application_id", 42)
        .unwrap();
    both_refuse(dir.path(), |error| {
        matches!(error, StoreError::Foreign { .. })
    });
}

#[test]
fn damage_is_refused_with_advice() {
    damaged("text", |_| {
        b"not a database, but as long as a header. ".repeat(100)
    });
    damaged("cut short", |bytes| bytes[..bytes.len() / 2].to_vec());
    damaged("first page zeroed", |mut bytes| {
        bytes[100..4096].fill(0);
        bytes
    });
}

fn damaged(how: &str, damage: impl FnOnce(Vec<u8>) -> Vec<u8>) {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    let path = dir.path().join(schema::FILE);
    fs::write(&path, damage(fs::read(&path).unwrap())).unwrap();
    let text = both_refuse(dir.path(), |error| {
        matches!(error, StoreError::Corrupt { .. })
    });
    assert!(text.contains("move it aside"), "{how}: {text}");
}

#[test]
fn a_store_without_its_tables_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    filled(dir.path());
    for table in ["overrides", "tracks", "samples", "pause", "removals"] {
        let dir = tempfile::tempdir().unwrap();
        filled(dir.path());
        drop_table(dir.path(), table);
        let error = Store::open(dir.path()).unwrap_err();
        assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    }
    for table in ["overrides", "removals"] {
        drop_table(dir.path(), table);
    }
    let error = Store::read_memory(dir.path(), at(0)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
    let error = Store::read_overrides(dir.path(), at(0)).unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error:?}");
}

fn drop_table(dir: &Path, table: &str) {
    database(dir)
        .execute_batch(&format!("DROP TABLE {table}"))
        .unwrap();
}

/// What a crash leaves that came between making the file and filling it.
#[test]
fn an_empty_file_becomes_a_store() {
    let dir = tempfile::tempdir().unwrap();
    fs::File::create(dir.path().join(schema::FILE)).unwrap();
    let read = || Store::read_memory(dir.path(), at(0)).unwrap();
    assert_eq!(read(), Memory::default());
    filled(dir.path());
    assert_eq!(read().removals.len(), 1);
}

#[tokio::test]
async fn files_are_their_owners_alone() {
    let dir = tempfile::tempdir().unwrap();
    let owner = if is_root() {
        chown(dir.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        NOBODY
    } else {
        fs::metadata(dir.path()).unwrap().uid()
    };
    let store = Store::open(dir.path()).unwrap();
    let _lock = store.lock_run(Duration::ZERO).await.unwrap();
    let _daemon = store.lock_daemon().unwrap();
    store.intent(intent("a.", 1, &[], &["k."])).await.unwrap();
    let mut seen = Vec::new();
    for entry in fs::read_dir(dir.path()).unwrap() {
        let entry = entry.unwrap();
        let metadata = entry.metadata().unwrap();
        assert_eq!(metadata.uid(), owner, "{entry:?}");
        assert_eq!(metadata.permissions().mode() & 0o777, 0o600, "{entry:?}");
        seen.push(entry.file_name().into_string().unwrap());
    }
    seen.sort();
    let expected = [
        "daemon.lock",
        "lock",
        "store.sqlite3",
        "store.sqlite3-shm",
        "store.sqlite3-wal",
    ];
    assert_eq!(seen, expected);
}

/// Reads `$SRVKEEPER_TEST_DIR` where nothing may be written, and prints what came of it.
#[test]
#[ignore = "started by another test as its own process"]
#[allow(clippy::print_stdout, reason = "how the child answers")]
fn child_reads_memory() {
    let Some(dir) = std::env::var_os("SRVKEEPER_TEST_DIR") else {
        return;
    };
    match Store::read_memory(Path::new(&dir), at(0)) {
        Ok(memory) => println!("removals {}", memory.removals(&name("a.")).len()),
        Err(error) => println!("error {error}"),
    }
}

/// The same as a user who may read the directory, but not write there.
fn read_as_nobody(dir: &Path) -> String {
    // The test program itself may stand where only its owner may look.
    let programs = tempfile::tempdir().unwrap();
    fs::set_permissions(programs.path(), fs::Permissions::from_mode(0o755)).unwrap();
    let program = programs.path().join("test");
    fs::copy(std::env::current_exe().unwrap(), &program).unwrap();
    let mut command = Command::new(program);
    command
        .args([
            "--exact",
            "store::tests::refusal::child_reads_memory",
            "--ignored",
            "--nocapture",
        ])
        .current_dir("/")
        .env("SRVKEEPER_TEST_DIR", dir);
    if is_root() {
        command.uid(NOBODY).gid(NOBODY);
    }
    String::from_utf8(command.output().unwrap().stdout).unwrap()
}

#[test]
fn memory_is_read_where_nothing_may_be_written() {
    let dir = tempfile::tempdir().unwrap();
    let mode = |path: &Path, mode| {
        fs::set_permissions(path, fs::Permissions::from_mode(mode)).unwrap();
    };
    filled(dir.path());
    mode(&dir.path().join(schema::FILE), 0o444);
    mode(dir.path(), 0o555);
    let text = read_as_nobody(dir.path());
    assert!(text.contains("removals 50"), "after a clean end: {text}");

    mode(dir.path(), 0o755);
    mode(&dir.path().join(schema::FILE), 0o644);
    let store = Store::open(dir.path()).unwrap();
    for file in ["store.sqlite3-wal", "store.sqlite3-shm"] {
        mode(&dir.path().join(file), 0o444);
    }
    mode(&dir.path().join(schema::FILE), 0o444);
    mode(dir.path(), 0o555);
    let text = read_as_nobody(dir.path());
    assert!(text.contains("removals 50"), "beside a writer: {text}");

    if is_root() {
        mode(&dir.path().join("store.sqlite3-shm"), 0o600);
        let text = read_as_nobody(dir.path());
        assert!(
            text.contains("error") && text.contains("run srvkeeper as"),
            "{text}"
        );
    }
    mode(dir.path(), 0o755);
    drop(store);
}
