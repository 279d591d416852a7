//! The statements: rows from and to the model.

use std::borrow::Cow;
use std::cell::RefCell;
use std::net::SocketAddr;
use std::path::Path;
use std::sync::Arc;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, RowIndex, Statement, params};
use serde::{Deserialize, Serialize};

use super::gather::{ByName, Names};
use super::{Intent, OpenIntent, StoreError, StoredIntent, contests, homes, schema};
use crate::model::{
    ChangeId, Contest, Memory, Name, Outcome, OutcomeKind, ReasonCode, Removal, Srv,
};

/// The writing statements, prepared once.
pub(super) struct Journal<'c> {
    connection: &'c Connection,
    path: &'c Path,
    /// Of the file, as it was opened.
    identity: Option<(u64, u64)>,
    add_change: Statement<'c>,
    add_removal: Statement<'c>,
    close_change: Statement<'c>,
    forget_removals: Statement<'c>,
    read_changes: Statement<'c>,
    claim_target: Statement<'c>,
    see_host: Statement<'c>,
    doubt_home: Statement<'c>,
    forget_home: Statement<'c>,
    settle_home: Statement<'c>,
    forget_contests: Statement<'c>,
    add_contest: Statement<'c>,
    begin: Statement<'c>,
    commit: Statement<'c>,
    savepoint: Statement<'c>,
    release: Statement<'c>,
    recalled: RefCell<Option<Recalled>>,
}

/// The memory as it was read last.
struct Recalled {
    /// What other connections have written, and what this one has.
    version: (i64, u64),
    since: Timestamp,
    memory: Arc<Memory>,
}

impl Recalled {
    /// True when nothing was written since, and no removal has ceased to count.
    fn holds(&self, version: (i64, u64), since: Timestamp) -> bool {
        let ceased = |removal: &Removal| (self.since..since).contains(&removal.at);
        version == self.version
            && since >= self.since
            && !self.memory.removals.values().flatten().any(ceased)
    }
}

/// The steps of a group's transaction; `Savepoint` and `Release` enclose each request.
#[derive(Debug, Clone, Copy)]
pub(super) enum Step {
    Begin,
    Savepoint,
    Release,
    Commit,
}

impl<'c> Journal<'c> {
    /// Fails when the tables are not those of this version.
    pub(super) fn prepare(connection: &'c Connection, path: &'c Path) -> Result<Self, StoreError> {
        let prepare = |sql| {
            connection
                .prepare(sql)
                .map_err(|error| StoreError::database(path, error))
        };
        Ok(Self {
            connection,
            path,
            identity: schema::identity(path),
            add_change: prepare(
                "INSERT INTO changes (asked_at, zone, owner, server, update_zone, serial_before,
                                      before, after, changes, digest, actor)
                 VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
            )?,
            add_removal: prepare(
                "INSERT INTO removals (zone, host, at, change_id) VALUES (?1, ?2, ?3, ?4)",
            )?,
            close_change: prepare(
                "UPDATE changes
                 SET outcome = ?2, outcome_text = ?3, rcode = ?4, serial_after = ?5,
                     finished_at = ?6
                 WHERE id = ?1 AND outcome IS NULL",
            )?,
            forget_removals: prepare("DELETE FROM removals WHERE change_id = ?1")?,
            read_changes: prepare("SELECT zone, changes FROM changes WHERE id = ?1")?,
            claim_target: prepare(
                "INSERT INTO published (zone, target) VALUES (?1, ?2) ON CONFLICT DO NOTHING",
            )?,
            see_host: prepare(
                "INSERT INTO hosts (host, last_up) VALUES (?1, ?2)
                 ON CONFLICT DO UPDATE SET last_up = max(last_up, excluded.last_up)",
            )?,
            doubt_home: prepare(homes::DOUBT)?,
            forget_home: prepare("DELETE FROM homes WHERE owner = ?1")?,
            settle_home: prepare(homes::SETTLE)?,
            forget_contests: prepare(contests::FORGET)?,
            add_contest: prepare(contests::ADD)?,
            begin: prepare("BEGIN IMMEDIATE")?,
            commit: prepare("COMMIT")?,
            savepoint: prepare("SAVEPOINT request")?,
            release: prepare("RELEASE request")?,
            recalled: RefCell::new(None),
        })
    }

    /// The connection, for transactions and reads.
    pub(super) fn connection(&self) -> &'c Connection {
        self.connection
    }

    /// The memory; read anew only where it may be another than the last time, since each of the
    /// many batches of a daemon's walk asks for it, and ten thousand zones' takes tens of milliseconds.
    pub(super) fn memory(&self, since: Timestamp) -> rusqlite::Result<Arc<Memory>> {
        let data_version = "data_version";
        let version = (
            self.connection
                .pragma_query_value(None, data_version, |row| row.get(0))?,
            self.connection.total_changes(),
        );
        let mut recalled = self.recalled.borrow_mut();
        if let Some(last) = recalled.as_ref().filter(|last| last.holds(version, since)) {
            return Ok(Arc::clone(&last.memory));
        }
        let memory = Arc::new(memory(self.connection, since)?);
        *recalled = Some(Recalled {
            version,
            since,
            memory: Arc::clone(&memory),
        });
        Ok(memory)
    }

    /// Takes a step of the group's transaction.
    pub(super) fn step(&mut self, step: Step) -> Result<(), StoreError> {
        let statement = match step {
            Step::Begin => &mut self.begin,
            Step::Savepoint => &mut self.savepoint,
            Step::Release => &mut self.release,
            Step::Commit => &mut self.commit,
        };
        match statement.execute([]) {
            Ok(_rows) => Ok(()),
            Err(error) => Err(self.failed(error)),
        }
    }

    /// Fails when the file that was opened is no longer the one of that name.
    pub(super) fn check_in_place(&self) -> Result<(), StoreError> {
        if self.identity.is_some() && self.identity == schema::identity(self.path) {
            return Ok(());
        }
        Err(StoreError::Replaced {
            path: self.path.to_owned(),
        })
    }

    /// What SQLite said, as an error of this store.
    pub(super) fn failed(&self, error: rusqlite::Error) -> StoreError {
        StoreError::database(self.path, error)
    }

    pub(super) fn intent(&mut self, intent: &Intent) -> Result<ChangeId, StoreError> {
        self.add_intent(intent).map_err(|error| self.failed(error))
    }

    fn add_intent(&mut self, intent: &Intent) -> rusqlite::Result<ChangeId> {
        let before = StoredRrset {
            ttl: intent.before.ttl,
            mixed_ttl: intent.before.mixed_ttl,
            records: Cow::Borrowed(&intent.before.records),
        };
        let after = StoredRrset {
            ttl: intent.after_ttl,
            mixed_ttl: false,
            records: Cow::Borrowed(&intent.after),
        };
        let zone = intent.zone.to_string();
        let asked_at = intent.at.as_microsecond();
        let id = self.add_change.insert(params![
            asked_at,
            zone,
            intent.owner.to_string(),
            intent.before.server.to_string(),
            intent.before.update_zone.to_string(),
            intent.before.serial,
            to_json(&before)?,
            to_json(&after)?,
            to_json(&intent.changes)?,
            intent.digest,
            intent.actor,
        ])?;
        let owner = intent.owner.to_string();
        if intent.stays {
            let server = intent.before.server.to_string();
            self.doubt_home.execute(params![owner, server])?;
        } else {
            // What an earlier configuration wrote elsewhere must not come back to life.
            self.forget_home.execute([&owner])?;
        }
        for host in &intent.removed {
            self.add_removal
                .execute(params![zone, host.to_string(), asked_at, id])?;
        }
        Ok(ChangeId(id))
    }

    pub(super) fn outcome(
        &mut self,
        id: ChangeId,
        at: Timestamp,
        outcome: &Outcome,
    ) -> Result<(), StoreError> {
        if self
            .add_outcome(id, at, outcome)
            .map_err(|error| self.failed(error))?
        {
            Ok(())
        } else {
            Err(StoreError::NotOpen { id })
        }
    }

    /// False when the change is not open.
    fn add_outcome(
        &mut self,
        id: ChangeId,
        at: Timestamp,
        outcome: &Outcome,
    ) -> rusqlite::Result<bool> {
        let closed = self.close_change.execute(params![
            id.0,
            outcome.kind.as_str(),
            outcome.text,
            outcome.rcode.map(|rcode| rcode.0),
            outcome.serial,
            at.as_microsecond(),
        ])?;
        match outcome.kind {
            _ if closed == 0 => return Ok(false),
            OutcomeKind::Applied => self.claim_targets(id)?,
            OutcomeKind::Refused | OutcomeKind::Stale | OutcomeKind::Failed => {
                self.forget_removals.execute([id.0])?;
            }
            // It may have been applied: the removal counts, the records are not claimed.
            OutcomeKind::Unknown => {}
        }
        self.settle_home
            .execute(params![id.0, homes::end_of(outcome)])?;
        Ok(true)
    }

    /// Remembers the targets of an applied change as published by us.
    fn claim_targets(&mut self, id: ChangeId) -> rusqlite::Result<()> {
        // SQLite's own JSON functions took a fifth of what `apply` has to store.
        let (zone, changes): (String, Vec<Added>) = self
            .read_changes
            .query_one([id.0], |row| Ok((row.get(0)?, from_json(row, 1)?)))?;
        for Added { after, reason } in changes {
            // A new TTL adds every record of the RRset again, foreign ones too: it claims none.
            if let Some(record) = after
                && reason.code != ReasonCode::TtlDrift.as_str()
            {
                self.claim_target.execute([&zone, &record.target])?;
            }
        }
        Ok(())
    }

    pub(super) fn keep_contests(
        &mut self,
        owner: &Name,
        contests: &[Contest],
    ) -> Result<(), StoreError> {
        contests::keep(
            &mut self.forget_contests,
            &mut self.add_contest,
            owner,
            contests,
        )
        .map_err(|error| self.failed(error))
    }

    pub(super) fn seen_up(&mut self, hosts: &[Name], at: Timestamp) -> Result<(), StoreError> {
        for host in hosts {
            self.see_host
                .execute(params![host.to_string(), at.as_microsecond()])
                .map_err(|error| self.failed(error))?;
        }
        Ok(())
    }
}

/// The newest removal of each host, and each removal since `?1`; both from an index alone.
const REMOVALS: &str = "
    SELECT zone, host, at FROM removals WHERE at >= ?1
    UNION ALL
    SELECT zone, host, max(at) FROM removals GROUP BY zone, host HAVING max(at) < ?1
    ORDER BY zone, at, host";
const PUBLISHED: &str = "SELECT zone, target FROM published ORDER BY zone, target";
const HOSTS: &str = "SELECT host, last_up FROM hosts";

/// What the memory costs.
#[cfg(test)]
pub(super) const MEMORY: [&str; 3] = [REMOVALS, PUBLISHED, HOSTS];

/// The memory as of this connection's transaction.
pub(super) fn memory(connection: &Connection, since: Timestamp) -> rusqlite::Result<Memory> {
    let mut names = Names::default();

    let mut statement = connection.prepare(REMOVALS)?;
    let mut rows = statement.query([since.as_microsecond()])?;
    let mut removals = ByName::new();
    while let Some(row) = rows.next()? {
        let removal = Removal {
            host: names.read(row, 1)?,
            at: timestamp(row, 2)?,
        };
        removals.add(row, 0, removal)?;
    }

    let mut statement = connection.prepare(PUBLISHED)?;
    let mut rows = statement.query([])?;
    let mut published = ByName::new();
    while let Some(row) = rows.next()? {
        published.add(row, 0, names.read(row, 1)?)?;
    }

    let mut memory = Memory {
        removals: removals.into_map(),
        published: published.into_map(),
        contests: contests::read(connection, &mut names)?,
        homes: homes::read(connection)?,
        ..Memory::default()
    };

    let mut statement = connection.prepare(HOSTS)?;
    let mut rows = statement.query([])?;
    while let Some(row) = rows.next()? {
        memory.hosts.entry(name(row, 0)?).or_default().last_up = Some(timestamp(row, 1)?);
    }
    Ok(memory)
}

/// The intents without outcome, the oldest first.
pub(super) fn open_intents(connection: &Connection) -> rusqlite::Result<Vec<OpenIntent>> {
    connection
        .prepare(
            "SELECT id, asked_at, zone, owner, server, before, after FROM changes
             WHERE outcome IS NULL ORDER BY id",
        )?
        .query_map([], open_intent)?
        .collect()
}

fn open_intent(row: &Row<'_>) -> rusqlite::Result<OpenIntent> {
    let before: StoredRrset<'_> = from_json(row, 5)?;
    let after: StoredRrset<'_> = from_json(row, 6)?;
    Ok(OpenIntent {
        id: ChangeId(row.get(0)?),
        intent: StoredIntent {
            at: timestamp(row, 1)?,
            zone: name(row, 2)?,
            owner: name(row, 3)?,
            server: server(row, 4)?,
            before: before.records.into_owned(),
            before_ttl: before.ttl,
            after: after.records.into_owned(),
            after_ttl: after.ttl,
        },
    })
}

/// An RRset in the columns `before` and `after`.
#[derive(Serialize, Deserialize)]
pub(super) struct StoredRrset<'a> {
    pub(super) ttl: Option<u32>,
    pub(super) mixed_ttl: bool,
    pub(super) records: Cow<'a, [Srv]>,
}

/// As much of a change as tells what it published. No more: another version of this program may have
/// made it, and its outcome must be stored all the same.
#[derive(Deserialize)]
struct Added {
    after: Option<AddedRecord>,
    reason: AddedReason,
}

#[derive(Deserialize)]
struct AddedRecord {
    target: String,
}

#[derive(Deserialize)]
struct AddedReason {
    code: String,
}

pub(super) fn to_json(value: &impl Serialize) -> rusqlite::Result<String> {
    serde_json::to_string(value)
        .map_err(|error| rusqlite::Error::ToSqlConversionFailure(Box::new(error)))
}

pub(super) fn from_json<T: for<'de> Deserialize<'de>>(
    row: &Row<'_>,
    column: impl RowIndex,
) -> rusqlite::Result<T> {
    let text: String = row.get(column)?;
    serde_json::from_str(&text).map_err(|error| unreadable(row, column, error))
}

pub(super) fn name(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Name> {
    let text = row.get_ref(column)?.as_str()?;
    Name::parse(text).map_err(|error| unreadable(row, column, error))
}

pub(super) fn timestamp(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<Timestamp> {
    let microsecond = row.get(column)?;
    Timestamp::from_microsecond(microsecond).map_err(|error| unreadable(row, column, error))
}

pub(super) fn server(row: &Row<'_>, column: impl RowIndex) -> rusqlite::Result<SocketAddr> {
    let text = row.get_ref(column)?.as_str()?;
    text.parse().map_err(|error| unreadable(row, column, error))
}

/// The error of a value that is none of those that we write.
pub(super) fn unreadable(
    row: &Row<'_>,
    column: impl RowIndex,
    error: impl std::error::Error + Send + Sync + 'static,
) -> rusqlite::Error {
    let index = column.idx(row.as_ref()).unwrap_or_default();
    rusqlite::Error::FromSqlConversionFailure(index, Type::Text, Box::new(error))
}
