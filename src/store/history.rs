//! The history: recorded updates read back, and how long they are kept.

use std::num::NonZeroU32;
use std::path::Path;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};
use rusqlite::{Connection, OptionalExtension, Row, named_params};

use super::StoreError;
use super::journal::{StoredRrset, from_json, name, server, timestamp, unreadable};
use crate::model::{
    Change, ChangeId, Ended, HistoryEntry, Name, Observed, Outcome, OutcomeKind, Rcode,
};

/// Which changes to read.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct HistoryQuery {
    /// Only those of this zone, the clients' DNS suffix.
    pub zone: Option<Name>,
    /// Only those older than this one, to go on where an earlier answer ended.
    pub before: Option<ChangeId>,
    /// At most so many.
    pub limit: NonZeroU32,
}

/// A row that could not be read, with its number.
#[derive(Debug)]
pub(super) struct Damaged {
    id: ChangeId,
    error: rusqlite::Error,
}

impl Damaged {
    pub(super) fn into_error(self, path: &Path) -> StoreError {
        StoreError::DamagedChange {
            id: self.id,
            path: path.to_owned(),
            source: Arc::new(self.error),
        }
    }
}

const ALL: &str = "SELECT * FROM changes WHERE id < :before ORDER BY id DESC LIMIT :limit";
const OF_ZONE: &str = "
    SELECT * FROM changes WHERE zone = :zone AND id < :before ORDER BY id DESC LIMIT :limit";
const ONE: &str = "SELECT * FROM changes WHERE id = :id";

/// The changes that the query asks for, the newest first.
pub(super) fn entries(
    connection: &Connection,
    query: &HistoryQuery,
) -> rusqlite::Result<Vec<Result<HistoryEntry, Damaged>>> {
    let before = query.before.map_or(i64::MAX, |id| id.0);
    let limit = query.limit.get();
    let mut statement;
    let rows = match &query.zone {
        None => {
            statement = connection.prepare(ALL)?;
            statement.query(named_params! {":before": before, ":limit": limit})?
        }
        Some(zone) => {
            statement = connection.prepare(OF_ZONE)?;
            let zone = zone.to_string();
            statement.query(named_params! {":zone": zone, ":before": before, ":limit": limit})?
        }
    };
    rows.mapped(checked_entry).collect()
}

/// One change; `None`: there is none of that number.
pub(super) fn entry(
    connection: &Connection,
    id: ChangeId,
) -> rusqlite::Result<Option<Result<HistoryEntry, Damaged>>> {
    connection
        .query_row(ONE, named_params! {":id": id.0}, checked_entry)
        .optional()
}

/// The oldest and the newest change.
pub(super) fn known(connection: &Connection) -> rusqlite::Result<Option<(ChangeId, ChangeId)>> {
    // Two questions, each of which the primary key answers at once; together they read the table.
    let sql = "SELECT (SELECT min(id) FROM changes), (SELECT max(id) FROM changes)";
    let (oldest, newest): (Option<i64>, Option<i64>) =
        connection.query_row(sql, [], |row| Ok((row.get(0)?, row.get(1)?)))?;
    Ok(oldest.map(ChangeId).zip(newest.map(ChangeId)))
}

/// An error names its row; only one of the number itself does not.
fn checked_entry(row: &Row<'_>) -> rusqlite::Result<Result<HistoryEntry, Damaged>> {
    let id = ChangeId(row.get("id")?);
    Ok(read_entry(id, row).map_err(|error| Damaged { id, error }))
}

fn read_entry(id: ChangeId, row: &Row<'_>) -> rusqlite::Result<HistoryEntry> {
    let before: StoredRrset<'_> = from_json(row, "before")?;
    let after: StoredRrset<'_> = from_json(row, "after")?;
    let changes: Vec<Change> = from_json(row, "changes")?;
    Ok(HistoryEntry {
        id,
        asked_at: timestamp(row, "asked_at")?,
        zone: name(row, "zone")?,
        owner: name(row, "owner")?,
        before: Observed {
            server: server(row, "server")?,
            update_zone: name(row, "update_zone")?,
            serial: row.get("serial_before")?,
            ttl: before.ttl,
            mixed_ttl: before.mixed_ttl,
            records: before.records.into_owned(),
        },
        after: after.records.into_owned(),
        after_ttl: after.ttl,
        changes,
        digest: row.get("digest")?,
        actor: row.get("actor")?,
        ended: read_end(row)?,
    })
}

fn read_end(row: &Row<'_>) -> rusqlite::Result<Option<Ended>> {
    let Some(word) = row.get::<_, Option<String>>("outcome")? else {
        return Ok(None);
    };
    let kind = OutcomeKind::parse(&word)
        .ok_or_else(|| unreadable(row, "outcome", UnknownOutcome(word)))?;
    Ok(Some(Ended {
        at: timestamp(row, "finished_at")?,
        outcome: Outcome {
            kind,
            text: row.get("outcome_text")?,
            rcode: row.get::<_, Option<u16>>("rcode")?.map(Rcode),
            serial: row.get("serial_after")?,
        },
    }))
}

#[derive(Debug, thiserror::Error)]
#[error("\"{0}\" is no outcome")]
struct UnknownOutcome(String);

/// How long changes are kept.
#[derive(Debug, Clone, Copy)]
pub(super) struct Retention {
    /// A change older than this goes.
    pub(super) age: SignedDuration,
    /// A change with so many newer ones goes.
    pub(super) changes: u32,
    /// At most so many go at a time, so that nobody waits long behind them.
    pub(super) at_once: u32,
}

/// Over a year, so that the change made at the last yearly maintenance is still there.
pub(super) const RETENTION: Retention = Retention {
    age: SignedDuration::from_hours(400 * 24),
    changes: 100_000,
    at_once: 10_000,
};

/// An open change is still to be settled. The newest of an RRset is what was last done there; it
/// also keeps SQLite from giving a number a second time.
const PRUNE: &str = "
    DELETE FROM changes WHERE id IN (
      SELECT id FROM changes AS old
      WHERE (asked_at < :oldest OR id <= (SELECT max(id) FROM changes) - :changes)
        AND outcome IS NOT NULL
        AND EXISTS (SELECT 1 FROM changes AS newer
                    WHERE newer.zone = old.zone AND newer.id > old.id AND newer.owner = old.owner)
      LIMIT :at_once)";

/// Deletes what is kept no longer; returns how many changes that were.
///
/// What the guards remember stays: removals, published targets and hosts have their own tables.
pub(super) fn prune(
    connection: &Connection,
    now: Timestamp,
    retention: &Retention,
) -> rusqlite::Result<usize> {
    let oldest = now
        .checked_sub(retention.age)
        .unwrap_or(Timestamp::MIN)
        .as_microsecond();
    connection.execute(
        PRUNE,
        named_params! {
            ":oldest": oldest,
            ":changes": retention.changes,
            ":at_once": retention.at_once,
        },
    )
}

/// What reading and pruning cost.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 4] = [ALL, OF_ZONE, ONE, PRUNE];
