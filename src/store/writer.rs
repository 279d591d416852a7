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

/// Under load a commit begins so long after the one before, unless somebody wants to read.
///
/// Where the disk syncs in less than that, groups of two or three would take their turns at it with
/// the primary's own journal; where it takes longer, nobody waits. Measured on a disk that syncs in
/// a third of a millisecond, `apply` to 1,000 zones of BIND's, medians in turn: 605 ms without it,
/// 554 with 1 ms, 535 with 3, 534 with 6, 577 with 12. It delays no update of a zone alone, and of
/// a few zones the outcomes, which come after the updates.
const GATHER: Duration = Duration::from_millis(3);

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

/// What is done together: the writes in one transaction, then the reads.
#[derive(Default)]
struct Group {
    writes: Vec<Write>,
    reads: Vec<Read>,
}

impl Group {
    fn add(&mut self, job: Job) {
        match job {
            Job::Write(write) => self.writes.push(write),
            Job::Read(read) => self.reads.push(read),
        }
    }

    /// Takes what comes until then, and what is there already. Who reads does not wait.
    fn gather(&mut self, jobs: &Receiver<Job>, until: Instant) {
        while self.reads.is_empty()
            && let Ok(job) = jobs.recv_timeout(until.saturating_duration_since(Instant::now()))
        {
            self.add(job);
        }
        jobs.try_iter().for_each(|job| self.add(job));
    }

    /// Until when the group after this one gathers, if this one's commit began then.
    fn next_gathers_until(&self, began: Instant) -> Instant {
        match self.writes.len() {
            0 | 1 => began,
            _ => began + GATHER,
        }
    }
}

/// Serves until every handle is gone.
///
/// While a commit waits for the disk, requests queue up; the next commit takes all of them. Where
/// that makes groups of more than one, the next group also takes what comes within [`GATHER`] of that
/// commit's beginning; without load a group is one request, and waits for nothing.
///
/// History that is kept no longer goes at the start, and then once a day behind the requests.
pub(super) fn serve(journal: &mut Journal<'_>, jobs: &Receiver<Job>, commits: &AtomicU64) {
    let mut pruned = prune(journal);
    let mut until = Instant::now();
    while let Ok(first) = jobs.recv() {
        let mut group = Group::default();
        group.add(first);
        group.gather(jobs, until);
        if !group.writes.is_empty() {
            until = group.next_gathers_until(Instant::now());
            write_group(journal, group.writes, commits);
        }
        for read in group.reads {
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

#[cfg(test)]
mod tests {
    use std::sync::mpsc::channel;
    use std::thread;

    use super::*;

    fn write() -> Job {
        Job::Write(Box::new(|_journal| Written {
            failure: None,
            answer: Box::new(|_committed| ()),
        }))
    }

    #[test]
    fn while_a_group_gathers_it_takes_what_comes_until_somebody_reads() {
        let (sender, jobs) = channel();
        let mut group = Group::default();
        let in_an_hour = Instant::now() + Duration::from_secs(3_600);
        let later = thread::spawn(move || {
            let read = Job::Read(Box::new(|_journal| ()));
            for job in [write(), write(), write(), read] {
                sender.send(job).unwrap();
            }
            sender
        });
        group.gather(&jobs, in_an_hour);
        assert_eq!((group.writes.len(), group.reads.len()), (3, 1));
        // At the end nobody waits for what cannot come.
        drop(later.join().unwrap());
        let mut group = Group::default();
        group.gather(&jobs, in_an_hour);
        assert!(group.writes.is_empty());
    }

    #[test]
    fn only_behind_a_group_of_several_the_next_one_gathers() {
        let began = Instant::now();
        let mut group = Group::default();
        assert_eq!(group.next_gathers_until(began), began);
        group.add(write());
        assert_eq!(group.next_gathers_until(began), began);
        group.add(write());
        assert_eq!(group.next_gathers_until(began), began + GATHER);
    }

    #[test]
    fn what_is_there_already_goes_along() {
        let (sender, jobs) = channel();
        sender.send(write()).unwrap();
        sender.send(write()).unwrap();
        let mut group = Group::default();
        group.gather(&jobs, Instant::now());
        assert_eq!(group.writes.len(), 2);
    }
}
