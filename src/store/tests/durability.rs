//! What is durable, what is not, and who is told so.

use std::fs;
use std::io::{BufRead, BufReader, Write};
use std::process::{Command, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::time::Duration;

use super::*;

/// Holds the store's thread until told to go on, so that requests queue up.
struct Gate {
    open: Sender<()>,
    task: tokio::task::JoinHandle<()>,
}

impl Gate {
    async fn close(store: &Store) -> Self {
        let (open, opened): (Sender<()>, Receiver<()>) = channel();
        let (inside, entered) = oneshot::channel();
        let store = store.clone();
        let task = tokio::spawn(async move {
            store
                .read(move |_| {
                    let _ = inside.send(());
                    let _ = opened.recv();
                    Ok(())
                })
                .await
                .unwrap();
        });
        entered.await.unwrap();
        Self { open, task }
    }

    async fn open(self) {
        self.open.send(()).unwrap();
        self.task.await.unwrap();
    }
}

type Asked<T> = tokio::task::JoinHandle<Result<T, StoreError>>;

/// Queues a request without waiting for its answer.
async fn queue<T: Send + 'static>(
    request: impl Future<Output = Result<T, StoreError>> + Send + 'static,
) -> Asked<T> {
    let task = tokio::spawn(request);
    // On this runtime's one thread the new task runs, up to its wait, before this one goes on.
    tokio::task::yield_now().await;
    task
}

async fn queue_intent(store: &Store, zone: &str) -> Asked<ChangeId> {
    let (store, intent) = (store.clone(), intent(zone, 1, &["k."], &[]));
    queue(async move { store.intent(intent).await }).await
}

/// A request that does what it likes with the connection.
async fn queue_sql(store: &Store, sql: &'static str) -> Asked<()> {
    let store = store.clone();
    queue(async move {
        store
            .write(move |journal| {
                journal
                    .connection()
                    .execute_batch(sql)
                    .map_err(|error| journal.failed(error))
            })
            .await
    })
    .await
}

async fn zones(store: &Store) -> Vec<String> {
    let open = store.open_intents().await.unwrap();
    open.iter()
        .map(|open| open.intent.zone.to_string())
        .collect()
}

#[tokio::test]
async fn what_waits_is_committed_at_once() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let gate = Gate::close(&store).await;
    let mut asked = Vec::new();
    for index in 0..1_000 {
        asked.push(queue_intent(&store, &format!("z{index}.")).await);
    }
    assert_eq!(store.commits(), 0);
    gate.open().await;
    let mut ids = Vec::new();
    for asked in asked {
        ids.push(asked.await.unwrap().unwrap());
    }
    assert_eq!(store.commits(), 1);
    ids.dedup();
    assert_eq!(ids.len(), 1_000);
    assert_eq!(store.open_intents().await.unwrap().len(), 1_000);
}

#[tokio::test]
async fn a_thousand_at_once_need_few_commits() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let requests =
        (0..1_000).map(|index| store.intent(intent(&format!("z{index}."), 1, &["k."], &[])));
    let answers = futures_util::future::join_all(requests).await;
    assert!(answers.iter().all(Result::is_ok));
    assert!(store.commits() < 200, "{} commits", store.commits());
}

#[tokio::test]
async fn a_failing_request_takes_no_other_with_it() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let gate = Gate::close(&store).await;
    let first = queue_intent(&store, "first.").await;
    let bad = queue_sql(
        &store,
        "INSERT INTO hosts VALUES ('half.', 1); INSERT INTO removals VALUES ('z.', 'h.', 1, 999)",
    )
    .await;
    let last = queue_intent(&store, "last.").await;
    gate.open().await;
    first.await.unwrap().unwrap();
    let error = bad.await.unwrap().unwrap_err();
    assert!(matches!(error, StoreError::Database { .. }), "{error:?}");
    last.await.unwrap().unwrap();
    assert_eq!(store.commits(), 1);
    assert_eq!(zones(&store).await, ["first.", "last."]);
    // Not even half of the failing request is left.
    assert!(store.memory(at(0)).await.unwrap().hosts.is_empty());
}

#[tokio::test]
async fn a_failed_commit_is_told_to_the_whole_group() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let gate = Gate::close(&store).await;
    let first = queue_intent(&store, "first.").await;
    // The reference to a change that does not exist is looked at when the group commits.
    let poison = queue_sql(
        &store,
        "PRAGMA defer_foreign_keys = ON; INSERT INTO removals VALUES ('z.', 'h.', 1, 999)",
    )
    .await;
    let last = queue_intent(&store, "last.").await;
    gate.open().await;
    for error in [
        first.await.unwrap().unwrap_err(),
        poison.await.unwrap().unwrap_err(),
        last.await.unwrap().unwrap_err(),
    ] {
        assert!(matches!(error, StoreError::Database { .. }), "{error:?}");
    }
    assert_eq!(store.commits(), 0);
    assert!(zones(&store).await.is_empty());
    store.intent(intent("after.", 2, &[], &[])).await.unwrap();
    assert_eq!(zones(&store).await, ["after."]);
}

#[tokio::test]
async fn a_request_that_loses_the_transaction_loses_it_for_all() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let gate = Gate::close(&store).await;
    let first = queue_intent(&store, "first.").await;
    // As SQLite itself does on some I/O errors: rolled back, and then an error.
    let lost = queue_sql(&store, "ROLLBACK; SELECT * FROM missing").await;
    let last = queue_intent(&store, "last.").await;
    gate.open().await;
    for answer in [first.await.unwrap(), last.await.unwrap()] {
        assert!(answer.is_err());
    }
    assert!(lost.await.unwrap().is_err());
    assert!(zones(&store).await.is_empty());
    store.intent(intent("after.", 2, &[], &[])).await.unwrap();
    assert_eq!(zones(&store).await, ["after."]);
}

#[tokio::test]
async fn a_group_that_cannot_begin_is_told_why() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let impatient = |journal: &Journal<'_>| journal.connection().busy_timeout(Duration::ZERO);
    store.read(impatient).await.unwrap();
    let shell = database(dir.path());
    shell.execute_batch("BEGIN IMMEDIATE").unwrap();
    let refused = store.intent(intent("refused.", 1, &[], &[])).await;
    assert!(
        matches!(refused, Err(StoreError::Busy { .. })),
        "{refused:?}"
    );
    assert!(zones(&store).await.is_empty());
    shell.execute_batch("ROLLBACK").unwrap();
    store.intent(intent("after.", 2, &[], &[])).await.unwrap();
    assert_eq!(zones(&store).await, ["after."]);
}

#[tokio::test]
async fn a_full_disk_stops_writing_until_there_is_room() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let limit = |pages: &'static str| {
        store.read(move |journal| {
            let sql = format!("PRAGMA max_page_count = {pages}");
            journal.connection().query_row(&sql, [], |_| Ok(()))
        })
    };
    // SQLite raises the limit to what the file has already.
    limit("1").await.unwrap();
    let mut acknowledged = 0;
    let error = loop {
        match store.intent(intent("a.", 1, &["k."], &["l."])).await {
            Ok(_) => acknowledged += 1,
            Err(error) => break error,
        }
        assert!(acknowledged < 10_000, "the limit does not hold");
    };
    assert!(matches!(error, StoreError::Full { .. }), "{error:?}");
    assert!(error.to_string().contains("full"), "{error}");
    // Several at once, which fail together.
    let gate = Gate::close(&store).await;
    let mut asked = Vec::new();
    for _ in 0..200 {
        asked.push(queue_intent(&store, "b.").await);
    }
    gate.open().await;
    for asked in asked {
        acknowledged += usize::from(asked.await.unwrap().is_ok());
    }
    // Reading goes on, and shows exactly what was acknowledged.
    assert_eq!(store.open_intents().await.unwrap().len(), acknowledged);
    store.memory(at(0)).await.unwrap();

    limit("4294967294").await.unwrap();
    store.intent(intent("c.", 1, &[], &[])).await.unwrap();
    assert_eq!(store.open_intents().await.unwrap().len(), acknowledged + 1);
}

/// What a power failure leaves: the database and its log, and no index.
#[tokio::test]
async fn what_was_acknowledged_is_in_the_files() {
    let dir = tempfile::tempdir().unwrap();
    let copy = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for index in 0..20 {
        let intent = intent(&format!("z{index}."), 1, &["k."], &[]);
        store.intent(intent).await.unwrap();
    }
    for file in ["store.sqlite3", "store.sqlite3-wal"] {
        fs::copy(dir.path().join(file), copy.path().join(file)).unwrap();
    }
    let memory = store.memory(at(0)).await.unwrap();
    assert_eq!(Store::read_memory(copy.path(), at(0)).unwrap(), *memory);
    let after = Store::open(copy.path()).unwrap();
    assert_eq!(zones(&after).await, zones(&store).await);
}

/// Holds the run lock and stores intents without end in `$SRVKEEPER_TEST_DIR`, and prints the number of each durable one.
#[tokio::test]
#[ignore = "started by another test as its own process"]
async fn child_stores_intents() {
    let Some(dir) = std::env::var_os("SRVKEEPER_TEST_DIR") else {
        return;
    };
    let store = Store::open(Path::new(&dir)).unwrap();
    let _lock = store.lock_run(Duration::ZERO).await.unwrap();
    let writers = (0..8).map(|writer| {
        let store = store.clone();
        async move {
            loop {
                let intent = intent(&format!("z{writer}."), 1, &["k."], &[]);
                let id = store.intent(intent).await.unwrap();
                // The parent kills; without it, the closed pipe ends this process.
                writeln!(std::io::stdout(), "durable {id}").unwrap();
            }
        }
    });
    let _: Vec<()> = futures_util::future::join_all(writers).await;
}

#[tokio::test]
async fn kill_9_loses_nothing_that_was_acknowledged_and_frees_the_lock() {
    let dir = tempfile::tempdir().unwrap();
    let mut child = Command::new(std::env::current_exe().unwrap())
        .args([
            "--exact",
            "store::tests::durability::child_stores_intents",
            "--ignored",
            "--nocapture",
        ])
        .env("SRVKEEPER_TEST_DIR", dir.path())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap();
    let mut durable = Vec::new();
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let mut note = |line: std::io::Result<String>| {
        let id = line.unwrap().strip_prefix("durable ").map(str::parse);
        // The kill may have cut the last line short.
        if let Some(Ok(id)) = id {
            durable.push(ChangeId(id));
        }
        durable.len()
    };
    while note(lines.next().unwrap()) < 100 {}
    // Beside it the store takes a word, but no second run begins.
    let store = Store::open(dir.path()).unwrap();
    store.seen_up(vec![name("k.")], at(0)).await.unwrap();
    let refused = store.lock_run(Duration::ZERO).await;
    let refused = refused.unwrap_err().to_string();
    assert!(
        refused.contains(&format!("process {}", child.id())),
        "{refused}"
    );
    child.kill().unwrap();
    child.wait().unwrap();
    for line in lines {
        note(line);
    }

    let _lock = store.lock_run(Duration::ZERO).await.unwrap();
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let open: Vec<ChangeId> = store
        .open_intents()
        .await
        .unwrap()
        .iter()
        .map(|o| o.id)
        .collect();
    let lost: Vec<&ChangeId> = durable.iter().filter(|id| !open.contains(id)).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let memory = store.memory(at(0)).await.unwrap();
    let removals: usize = memory.removals.values().map(Vec::len).sum();
    assert_eq!(removals, open.len());
}
