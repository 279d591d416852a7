//! The thread that owns the writing connection, and commits in groups.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use jiff::Timestamp;

use super::StoreError;
use super::history;
use super::journal::{Journal, Step};

/// How often the history is pruned while the store is open.
const PRUNE_EVERY: Duration = Duration::from_secs(86_400);

/// A request to the store's thread.
pub(super) enum Job {
    /// Changes the store; answered when its group is durable.
    Write(Write),
    /// Looks at what is durable.
    Read(Read),
}

/// Runs inside the group's transaction, or is told why there is none.
pub(super) type Write = Box<dyn FnOnce(Result<&mut Journal<'_>, StoreError>) -> Written + Send>;

/// Runs outside of any transaction, and answers by itself.
pub(super) type Read = Box<dyn FnOnce(&Journal<'_>) + Send>;

/// A write that has run, but is not durable yet.
pub(super) struct Written {
    /// Why it failed, so that what it did must be undone.
    pub(super) failure: Option<StoreError>,
    /// Answers, given how the commit went.
    pub(super) answer: Box<dyn FnOnce(Result<(), StoreError>) + Send>,
}

/// Serves until every handle is gone.
///
/// While a commit waits for the disk, requests queue up; the next commit takes all of them. Under
/// load a group is as large as what came during one commit, without load it is one request, and
/// nobody ever waits for a group to fill.
///
/// History that is kept no longer goes at the start, and then once a day behind the requests.
pub(super) fn serve(journal: &mut Journal<'_>, jobs: &Receiver<Job>, commits: &AtomicU64) {
    let mut pruned = prune(journal);
    while let Ok(first) = jobs.recv() {
        let mut writes = Vec::new();
        let mut reads = Vec::new();
        for job in std::iter::once(first).chain(jobs.try_iter()) {
            match job {
                Job::Write(write) => writes.push(write),
                Job::Read(read) => reads.push(read),
            }
        }
        if !writes.is_empty() {
            write_group(journal, writes, commits);
        }
        for read in reads {
            read(journal);
        }
        if pruned.elapsed() > PRUNE_EVERY {
            pruned = prune(journal);
        }
    }
}

/// Returns when it was done.
fn prune(journal: &Journal<'_>) -> Instant {
    // What stays too long does no harm, and a broken database shows itself at the next write.
    let _ = history::prune(journal.connection(), Timestamp::now(), &history::RETENTION);
    Instant::now()
}

/// Commits all writes at once; when that fails, not one of them is told that it is durable.
fn write_group(journal: &mut Journal<'_>, writes: Vec<Write>, commits: &AtomicU64) {
    let mut group = begin(journal);
    let mut written = Vec::with_capacity(writes.len());
    for write in writes {
        let (done, state) = match group {
            Ok(()) => write_alone(journal, write),
            Err(error) => (write(Err(error.clone())), Err(error)),
        };
        group = state;
        written.push(done);
    }
    let committed = group.and_then(|()| commit(journal));
    match &committed {
        Ok(()) => {
            commits.fetch_add(1, Ordering::Relaxed);
        }
        Err(_) if !journal.connection().is_autocommit() => {
            // A failing rollback shows itself at the next BEGIN.
            let _ = journal.connection().execute_batch("ROLLBACK");
        }
        Err(_) => {}
    }
    for done in written {
        (done.answer)(committed.clone());
    }
}

/// Runs one write so that its failure undoes nothing but itself, and tells whether the group
/// goes on.
fn write_alone(journal: &mut Journal<'_>, write: Write) -> (Written, Result<(), StoreError>) {
    if let Err(error) = journal.step(Step::Savepoint) {
        return (write(Err(error.clone())), Err(error));
    }
    let done = write(Ok(&mut *journal));
    let state = match &done.failure {
        None => journal.step(Step::Release),
        // On a full disk or an I/O error SQLite may itself roll the whole transaction back.
        Some(failure) if journal.connection().is_autocommit() => Err(failure.clone()),
        Some(_) => batch(journal, "ROLLBACK TO request; RELEASE request"),
    };
    (done, state)
}

fn begin(journal: &mut Journal<'_>) -> Result<(), StoreError> {
    // SQLite would go on in a file that nobody finds any more.
    journal.check_in_place()?;
    journal.step(Step::Begin)
}

fn commit(journal: &mut Journal<'_>) -> Result<(), StoreError> {
    journal.step(Step::Commit)
}

fn batch(journal: &Journal<'_>, sql: &str) -> Result<(), StoreError> {
    journal
        .connection()
        .execute_batch(sql)
        .map_err(|error| journal.failed(error))
}
