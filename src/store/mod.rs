//! The store: what was asked of DNS, what became of it, and what the guards must remember.
//!
//! An intent is stored before its update is sent, the outcome after the read-back. A crash
//! between leaves an open intent, which the next start settles by reading DNS. Every change
//! carries what its undoing needs.
//!
//! # Files in `state_dir`
//!
//! | File | Holds |
//! |---|---|
//! | `lock` | the run lock: locked (`flock`) while a run may write to DNS; one line names its process, which means nothing once the lock is free |
//! | `daemon.lock` | the daemon lock, of the same kind: locked while a daemon keeps this directory |
//! | `store.sqlite3` | the database below; `-wal` and `-shm` beside it belong to it, so copy and move all three together |
//!
//! The store itself takes several writers at once: SQLite lets one after the other in. So an
//! operator's word gets in while a run, or the daemon, holds the run lock.
//!
//! All have mode 0600. What root makes here gets the owner of `state_dir`.
//!
//! # Format, version 1
//!
//! An SQLite database in write-ahead mode, `application_id` 0x5352564B ("SRVK"), `user_version`
//! the version. A store of a newer version is refused and left as it is.
//!
//! - Times are microseconds since 1970-01-01T00:00:00Z.
//! - Names stand in presentation form with the final dot, spelled as read. Their columns compare
//!   without regard to ASCII case (`COLLATE NOCASE`), as DNS does (RFC 4343).
//!
//! `changes`, one row for each update that was to be sent:
//!
//! | Column | Holds |
//! |---|---|
//! | `id` | the number that `history` and `rollback` take |
//! | `asked_at` | when the intent was made |
//! | `zone`, `owner` | the clients' suffix; the RRset's owner name |
//! | `server`, `update_zone` | address and port of the primary; the zone in the update's header |
//! | `serial_before` | the SOA serial that came with the read |
//! | `before`, `after` | the whole RRset: `{"ttl": 3600 or null, "mixed_ttl": false, "records": [{"priority", "weight", "port", "target"}]}` |
//! | `changes` | `[{"type": "create" or "update" or "delete", "before", "after": record with its "ttl", or null, "reason": {"code", "text"}}]`, as `plan --format json` prints it |
//! | `digest` | the plan's digest |
//! | `actor` | who asked: timer, transition, or command and user |
//! | `outcome` | `applied`, `refused`, `stale`, `failed` or `unknown`; NULL: open |
//! | `outcome_text`, `rcode`, `serial_after` | what happened, the server's answer, the serial read back; the last two where there was one |
//! | `finished_at` | when the outcome was known |
//!
//! A later row has a greater `id`. Rows go when they are over 400 days old or when 100,000 newer
//! ones exist; never an open one, and never the newest of an RRset, so that no `id` comes twice.
//! The writer looks for them when it opens the store, and once a day after that.
//!
//! `removals` (`zone`, `host`, `at`, `change_id`): inventory hosts that left a zone's set by our
//! hand. A row counts from the intent on, so that a crash can hide none from `max_removals`. It
//! goes when the outcome says that nothing was removed (refused, stale, failed), and stays for
//! applied, for unknown and while open. It outlives its change, whose deletion only empties
//! `change_id`.
//!
//! A removal is an event, not a state: a host that was added again keeps its row. So the newest
//! removal tells when a host was withdrawn only while that host is not published.
//!
//! `published` (`zone`, `target`): what an applied change once added or gave new data. A change of
//! the TTL alone claims nothing, since it adds every record of the RRset again, foreign ones too.
//!
//! `hosts` (`host`, `last_up`): when each host was last seen up.
//!
//! `overrides` (`host`, `state`, `reason`, `actor`, `made_at`, `until`): an operator's word on a
//! host, `up` or `down`. It holds while the clock is before `until`; a row that has ended means
//! nothing, and goes with the next write to this table.
//!
//! `tracks` (`host`, `settled`, `since`, `failures`, `successes`, `first_failure`, `passing_since`,
//! `newest_began`, `newest_passed`, `newest_text`; `asked`): what the samples of each host have come to, as
//! [`Track`] says it, so that a daemon goes on where the one before it ended; `asked` is what the
//! probes asked, and another `asked` makes the row worthless. `settled` is
//! `unknown`, `up` or `down`; the last three are NULL together. A row outlives its host.
//!
//! `samples` (`host`, `began`, `took` in microseconds, `passed`, `text`): the samples of the last
//! hour, to be looked at; nothing is decided by them. Those out of the hour go with each write to
//! this table.
//!
//! `pause` (`one`, which is 1, `reason`, `actor`, `made_at`, `until`): at most one row, an
//! operator's word that a daemon must not write to DNS. It ends as an override does.
//!
//! `contests` (`owner`, `target`, `kind`, `count`, `armed_at`, `at`, `written`): how often somebody undid our
//! changes of a target's record in the RRset at `owner`. `kind` is `returns` (it came back after we
//! removed it), `vanishes` (it went after we added it) or `rewrites` (we corrected it, and it is
//! wrong again). `armed_at`: when we made the change that nobody is known to have undone yet, or
//! NULL. `at`: when the last of all this happened; after seven quiet days a row means nothing.
//! `written`: the record that the last correction left, as JSON, or NULL.
//!
//! `homes` (`owner`, `server`, `rrset`, `doubt`): where a zone has several servers, the one on which
//! the RRset at `owner` was last written, with what it was last seen to publish there, in the form
//! of `before`; NULL: that is not known. `doubt`: the server of an update whose outcome is open,
//! which comes before `server`. Where both are NULL, the only update so far changed nothing.
//!
//! `refreshes` (`owner`, `at`): when the RRset was last refreshed, or a refresh of it was tried.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod contests;
mod error;
mod files;
mod gather;
mod health;
mod history;
mod homes;
mod journal;
mod overrides;
mod pause;
mod schema;
#[cfg(test)]
mod tests;
mod writer;

use std::iter;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, mpsc};
use std::thread::{self, JoinHandle};
use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::oneshot;
use tokio::time::{Instant, sleep};

use crate::model::{
    Change, Contest, HistoryEntry, KeptSample, Memory, Name, Observed, Outcome, Override, Pause,
    Published, Srv, Track,
};
use files::StateDirectory;
use journal::Journal;
use writer::{Job, Written};

pub use crate::model::ChangeId;
pub use error::StoreError;
pub use files::{DaemonLock, RunLock};
pub use history::HistoryQuery;

/// Between two looks whether the run lock is free: nothing tells when it becomes so.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// A writer of a state directory; cheap to clone.
///
/// A thread owns the connection. A request that was made is carried out even if its future is
/// dropped. The last handle to be dropped waits until the thread has finished.
#[derive(Debug, Clone)]
pub struct Store {
    writer: Arc<Writer>,
}

#[derive(Debug)]
struct Writer {
    /// `None` only while the last handle is dropped.
    jobs: Option<mpsc::Sender<Job>>,
    thread: Option<JoinHandle<()>>,
    commits: Arc<AtomicU64>,
    directory: StateDirectory,
    path: PathBuf,
    /// Of the file, as it was opened.
    identity: Option<(u64, u64)>,
}

/// What is about to be sent.
#[derive(Debug, Clone)]
pub struct Intent {
    /// When it was asked for.
    pub at: Timestamp,
    /// The clients' DNS suffix.
    pub zone: Name,
    /// The owner name of the RRset.
    pub owner: Name,
    /// The RRset as read, and the server that the update goes to.
    pub before: Observed,
    /// The RRset afterwards, in [`Srv`] order.
    pub after: Vec<Srv>,
    /// Its TTL in seconds; `None`: no RRset.
    pub after_ttl: Option<u32>,
    /// Each change with its reason.
    pub changes: Vec<Change>,
    /// Inventory hosts that leave the zone's set by this update.
    pub removed: Vec<Name>,
    /// The plan's digest.
    pub digest: String,
    /// Who asked: timer, transition, or command and user.
    pub actor: String,
    /// True when the zone has several servers, so that it stays with the one written.
    pub stays: bool,
}

/// An intent without an outcome: it is under way, or a crash came between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct OpenIntent {
    /// The number to give with the outcome.
    pub id: ChangeId,
    /// What was to be sent.
    pub intent: StoredIntent,
}

/// The part of an intent that settling needs.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct StoredIntent {
    /// When it was asked for.
    pub at: Timestamp,
    /// The clients' DNS suffix.
    pub zone: Name,
    /// The owner name of the RRset.
    pub owner: Name,
    /// The server that the update was for.
    pub server: SocketAddr,
    /// The RRset as read, in [`Srv`] order.
    pub before: Vec<Srv>,
    /// Its TTL in seconds; `None`: no RRset.
    pub before_ttl: Option<u32>,
    /// The RRset afterwards, in [`Srv`] order.
    pub after: Vec<Srv>,
    /// Its TTL in seconds; `None`: no RRset.
    pub after_ttl: Option<u32>,
}

impl Store {
    /// Opens the store for writing, making what is missing; others may write to it as well.
    ///
    /// Blocks for a few file operations. A store that is newer, damaged or somebody else's is
    /// refused and left as it is. Whoever may write to DNS takes [`Store::lock_run`] too.
    pub fn open(state_dir: &Path) -> Result<Self, StoreError> {
        let directory = StateDirectory::open(state_dir)?;
        let path = directory.path().join(schema::FILE);
        let connection = schema::open(&directory)?;
        // A store that misses a table is refused here, not at the first intent.
        Journal::prepare(&connection, &path)?;
        overrides::check(&connection)
            .and_then(|()| health::check(&connection))
            .and_then(|()| pause::check(&connection))
            .and_then(|()| contests::check(&connection))
            .and_then(|()| homes::check(&connection))
            .map_err(|error| StoreError::database(&path, error))?;

        let (jobs, queue) = mpsc::channel();
        let commits = Arc::new(AtomicU64::new(0));
        let (counter, store) = (Arc::clone(&commits), path.clone());
        let thread = thread::Builder::new()
            .name("store".to_owned())
            .spawn(move || {
                let connection = connection;
                // It was prepared a moment ago; if not now, every request is told so.
                if let Ok(mut journal) = Journal::prepare(&connection, &store) {
                    writer::serve(&mut journal, &queue, &counter);
                }
            })
            .map_err(|_| StoreError::Stopped { path: path.clone() })?;
        Ok(Self {
            writer: Arc::new(Writer {
                jobs: Some(jobs),
                thread: Some(thread),
                commits,
                directory,
                identity: schema::identity(&path),
                path,
            }),
        })
    }

    /// Waits for the lock under which a run may write to DNS, at most so long.
    ///
    /// Then [`StoreError::Locked`] names the process that holds it. Holding it needs no other
    /// request to this store; a crash frees it.
    pub async fn lock_run(&self, wait: Duration) -> Result<RunLock, StoreError> {
        let begin = Instant::now();
        loop {
            match RunLock::take(self.writer.directory.path()) {
                Err(StoreError::Locked { .. }) if begin.elapsed() < wait => {
                    sleep(LOOK_EVERY).await;
                }
                result => return result,
            }
        }
    }

    /// Takes the lock that a daemon holds as long as it runs; returns at once.
    ///
    /// [`StoreError::DaemonRuns`] names the daemon that has it. It is not the run lock, which a
    /// daemon takes too, for each of its runs that may write.
    pub fn lock_daemon(&self) -> Result<DaemonLock, StoreError> {
        DaemonLock::take(self.writer.directory.path())
    }

    /// Who keeps this state directory as a daemon: process, since when, command; `None`: nobody, or
    /// a `run --once`, which is no daemon.
    ///
    /// Makes no file, and keeps no daemon from starting meanwhile. A lock that cannot be looked at
    /// is nobody's either.
    pub fn daemon_holder(state_dir: &Path) -> Option<String> {
        DaemonLock::holder(state_dir).filter(|holder| {
            let mut words = holder.split([' ', ')']);
            !words.any(|word| word == "--once")
        })
    }

    /// Reads the memory without lock and without making a file; empty when there is no store.
    ///
    /// Blocks while it reads. Works beside a writer, and where nothing can be written.
    pub fn read_memory(state_dir: &Path, since: Timestamp) -> Result<Memory, StoreError> {
        let memory = schema::read(state_dir, |connection| journal::memory(connection, since))?;
        Ok(memory.unwrap_or_default())
    }

    /// Reads the overrides that hold, as [`Store::read_memory`] reads the memory.
    pub fn read_overrides(state_dir: &Path, now: Timestamp) -> Result<Vec<Override>, StoreError> {
        let held = schema::read(state_dir, |connection| overrides::read(connection, now))?;
        Ok(held.unwrap_or_default())
    }

    /// Reads the pause that holds, as [`Store::read_memory`] reads the memory.
    pub fn read_pause(state_dir: &Path, now: Timestamp) -> Result<Option<Pause>, StoreError> {
        let held = schema::read(state_dir, |connection| pause::read(connection, now))?;
        Ok(held.flatten())
    }

    /// Reads the tracks, by host, as [`Store::read_memory`] reads the memory.
    pub fn read_tracks(state_dir: &Path) -> Result<Vec<(Name, Track)>, StoreError> {
        Ok(schema::read(state_dir, health::tracks)?.unwrap_or_default())
    }

    /// Reads the samples begun since then, by host and time, as [`Store::read_memory`] reads the
    /// memory; those of the last hour are kept.
    pub fn read_samples(state_dir: &Path, since: Timestamp) -> Result<Vec<KeptSample>, StoreError> {
        let kept = schema::read(state_dir, |connection| health::samples(connection, since))?;
        Ok(kept.unwrap_or_default())
    }

    /// Reads the history without lock and without making a file, the newest change first.
    ///
    /// Blocks while it reads. Works beside a writer; empty when there is no store. A row that
    /// srvkeeper did not write so is [`StoreError::DamagedChange`].
    pub fn read_history(
        state_dir: &Path,
        query: &HistoryQuery,
    ) -> Result<Vec<HistoryEntry>, StoreError> {
        let path = state_dir.join(schema::FILE);
        schema::read(state_dir, |connection| history::entries(connection, query))?
            .unwrap_or_default()
            .into_iter()
            .map(|row| row.map_err(|damaged| damaged.into_error(&path)))
            .collect()
    }

    /// Reads the history like [`Store::read_history`], a thousand changes at a time.
    ///
    /// Whoever writes beside may have ended a change, or deleted the oldest, between two of them.
    pub fn read_pages(
        state_dir: &Path,
        query: HistoryQuery,
    ) -> impl Iterator<Item = Result<HistoryEntry, StoreError>> {
        const PAGE: u32 = 1_000;
        let mut left = query.limit.get();
        let mut before = query.before;
        let pages = iter::from_fn(move || {
            let page = HistoryQuery {
                limit: NonZeroU32::new(left.min(PAGE))?,
                before,
                ..query.clone()
            };
            let read = Self::read_history(state_dir, &page);
            left = match &read {
                Ok(entries) if entries.len() == page.limit.get() as usize => {
                    before = entries.last().map(|entry| entry.id);
                    left - page.limit.get()
                }
                _ => 0,
            };
            Some(read)
        });
        pages.flat_map(|page| match page {
            Ok(entries) => entries.into_iter().map(Ok).collect(),
            Err(error) => vec![Err(error)],
        })
    }

    /// Reads one change like [`Store::read_history`]; `None`: no such change.
    pub fn read_entry(state_dir: &Path, id: ChangeId) -> Result<Option<HistoryEntry>, StoreError> {
        let path = state_dir.join(schema::FILE);
        schema::read(state_dir, |connection| history::entry(connection, id))?
            .flatten()
            .transpose()
            .map_err(|damaged| damaged.into_error(&path))
    }

    /// The oldest and the newest change that the history has; `None`: it has none.
    pub fn read_known_changes(
        state_dir: &Path,
    ) -> Result<Option<(ChangeId, ChangeId)>, StoreError> {
        Ok(schema::read(state_dir, history::known)?.flatten())
    }

    /// What the guards must know: every removal since `since`, and the newest of each zone and host.
    ///
    /// Removals come in order of time. They are read from indexes; the history is not touched.
    /// What has not changed since the last time is not read again.
    pub async fn memory(&self, since: Timestamp) -> Result<Arc<Memory>, StoreError> {
        self.read(move |journal| journal.memory(since)).await
    }

    /// Resolves when the intent is durable; only then may the update leave.
    pub async fn intent(&self, intent: Intent) -> Result<ChangeId, StoreError> {
        self.write(move |journal| journal.intent(&intent)).await
    }

    /// Closes an open intent; resolves when the outcome is durable.
    ///
    /// An outcome is final: a second one is [`StoreError::NotOpen`].
    pub async fn outcome(
        &self,
        id: ChangeId,
        at: Timestamp,
        outcome: Outcome,
    ) -> Result<(), StoreError> {
        self.write(move |journal| journal.outcome(id, at, &outcome))
            .await
    }

    /// The intents without outcome, the oldest first.
    ///
    /// At the start these are what a crash left behind; later also those under way.
    pub async fn open_intents(&self) -> Result<Vec<OpenIntent>, StoreError> {
        self.read(|journal| journal::open_intents(journal.connection()))
            .await
    }

    /// Remembers that the hosts were up; an earlier time than the remembered one changes nothing.
    pub async fn seen_up(&self, hosts: Vec<Name>, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |journal| journal.seen_up(&hosts, at)).await
    }

    /// Stores the tracks in the place of these hosts' former ones, and the samples beside those of
    /// the last hour; resolves when all of it is durable.
    ///
    /// Times and lengths are kept in whole microseconds. A sample of the same host and beginning
    /// as a kept one takes its place.
    pub async fn keep_health(
        &self,
        tracks: Vec<(Name, Track)>,
        samples: Vec<KeptSample>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |journal| {
            health::keep(journal.connection(), &tracks, &samples, now)
                .map_err(|error| journal.failed(error))
        })
        .await
    }

    /// What the samples of each host had come to, by host.
    pub async fn tracks(&self) -> Result<Vec<(Name, Track)>, StoreError> {
        self.read(|journal| health::tracks(journal.connection()))
            .await
    }

    /// The overrides and the pause that hold at `now`, read as another process reads them.
    ///
    /// The writing connection has read most pages long ago; this one sees when the file was
    /// damaged, or another one put in its place, since the store was opened.
    pub async fn operators(
        &self,
        now: Timestamp,
    ) -> Result<(Vec<Override>, Option<Pause>), StoreError> {
        let Writer { path, identity, .. } = &*self.writer;
        let (dir, path, identity) = (
            self.writer.directory.path().to_owned(),
            path.clone(),
            *identity,
        );
        let stopped = StoreError::Stopped { path: path.clone() };
        tokio::task::spawn_blocking(move || {
            let replaced = || StoreError::Replaced { path: path.clone() };
            if identity.is_none() || identity != schema::identity(&path) {
                return Err(replaced());
            }
            schema::read(&dir, |connection| {
                Ok((
                    overrides::read(connection, now)?,
                    pause::read(connection, now)?,
                ))
            })?
            .ok_or_else(replaced)
        })
        .await
        .map_err(|_ended| stopped)?
    }

    /// The pause that holds at `now`.
    pub async fn pause(&self, now: Timestamp) -> Result<Option<Pause>, StoreError> {
        self.read(move |journal| pause::read(journal.connection(), now))
            .await
    }

    /// Stores the pause in the place of a former one.
    ///
    /// Needs no run lock. Resolves when it is durable.
    pub async fn set_pause(&self, pause: Pause) -> Result<(), StoreError> {
        self.write(move |journal| {
            pause::set(journal.connection(), &pause).map_err(|error| journal.failed(error))
        })
        .await
    }

    /// Ends the pause; false when none held.
    pub async fn clear_pause(&self, now: Timestamp) -> Result<bool, StoreError> {
        self.write(move |journal| {
            pause::clear(journal.connection(), now).map_err(|error| journal.failed(error))
        })
        .await
    }

    /// The overrides that hold at `now`, by host.
    pub async fn overrides(&self, now: Timestamp) -> Result<Vec<Override>, StoreError> {
        self.read(move |journal| overrides::read(journal.connection(), now))
            .await
    }

    /// Stores all of them or none, each in the place of its host's former one.
    ///
    /// Needs no run lock. Resolves when they are durable.
    pub async fn set_overrides(
        &self,
        overrides: Vec<Override>,
        now: Timestamp,
    ) -> Result<(), StoreError> {
        self.write(move |journal| {
            overrides::set(journal.connection(), &overrides, now)
                .map_err(|error| journal.failed(error))
        })
        .await
    }

    /// Ends a host's override; false when it had none that held.
    pub async fn clear_override(&self, host: Name, now: Timestamp) -> Result<bool, StoreError> {
        self.write(move |journal| {
            overrides::clear(journal.connection(), &host, now)
                .map_err(|error| journal.failed(error))
        })
        .await
    }

    /// Puts these contests in the place of those of the RRset at `owner`.
    pub async fn keep_contests(
        &self,
        owner: Name,
        contests: Vec<Contest>,
    ) -> Result<(), StoreError> {
        self.write(move |journal| journal.keep_contests(&owner, &contests))
            .await
    }

    /// Notes what `server` publishes, where the RRset at `owner` stays with that server, and `known`
    /// is still what was noted last.
    pub async fn saw(
        &self,
        owner: Name,
        server: SocketAddr,
        known: Option<Published>,
        published: Published,
    ) -> Result<(), StoreError> {
        self.write(move |journal| {
            homes::saw(
                journal.connection(),
                &owner,
                server,
                known.as_ref(),
                &published,
            )
            .map_err(|error| journal.failed(error))
        })
        .await
    }

    /// Forgets what is contested of a host's records everywhere; false when nobody undid anything.
    ///
    /// Needs no run lock. A run under way may still note what it saw before.
    pub async fn clear_contests(&self, host: Name) -> Result<bool, StoreError> {
        self.write(move |journal| {
            contests::clear(journal.connection(), &host).map_err(|error| journal.failed(error))
        })
        .await
    }

    /// Notes when the RRset at `owner` was refreshed, or a refresh of it was tried.
    pub async fn refreshed(&self, owner: Name, at: Timestamp) -> Result<(), StoreError> {
        self.write(move |journal| {
            contests::refreshed(journal.connection(), &owner, at)
                .map_err(|error| journal.failed(error))
        })
        .await
    }

    /// When each RRset was last refreshed, by its owner name.
    pub async fn refreshes(&self) -> Result<Vec<(Name, Timestamp)>, StoreError> {
        self.read(|journal| contests::refreshes(journal.connection()))
            .await
    }

    /// How many transactions this writer has committed.
    pub fn commits(&self) -> u64 {
        self.writer.commits.load(Ordering::Relaxed)
    }

    async fn write<T: Send + 'static>(
        &self,
        work: impl FnOnce(&mut Journal<'_>) -> Result<T, StoreError> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Write(Box::new(move |journal| {
            let result = journal.and_then(work);
            Written {
                failure: result.as_ref().err().cloned(),
                answer: Box::new(move |committed| {
                    // Nobody listens any more when the future was dropped.
                    let _ = reply.send(result.and_then(|value| committed.map(|()| value)));
                }),
            }
        }));
        self.ask(job, answer).await
    }

    async fn read<T: Send + 'static>(
        &self,
        work: impl FnOnce(&Journal<'_>) -> rusqlite::Result<T> + Send + 'static,
    ) -> Result<T, StoreError> {
        let (reply, answer) = oneshot::channel();
        let job = Job::Read(Box::new(move |journal| {
            let result = work(journal).map_err(|error| journal.failed(error));
            // Nobody listens any more when the future was dropped.
            let _ = reply.send(result);
        }));
        self.ask(job, answer).await
    }

    async fn ask<T>(
        &self,
        job: Job,
        answer: oneshot::Receiver<Result<T, StoreError>>,
    ) -> Result<T, StoreError> {
        let stopped = || StoreError::Stopped {
            path: self.writer.path.clone(),
        };
        let jobs = self.writer.jobs.as_ref().ok_or_else(stopped)?;
        jobs.send(job).map_err(|_| stopped())?;
        answer.await.map_err(|_| stopped())?
    }
}

impl Drop for Writer {
    fn drop(&mut self) {
        // Ends the thread's loop once the queue is empty.
        self.jobs = None;
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}
