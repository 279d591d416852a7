//! The table of the one pause. One that has ended is never returned.

use jiff::Timestamp;
use rusqlite::{Connection, OptionalExtension, Row, params};

use super::journal::timestamp;
use crate::model::Pause;

const ONE: &str = "SELECT reason, actor, made_at, until FROM pause";

/// Fails when there is no such table.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare(ONE).map(|_statement| ())
}

/// The one that holds at `now`.
pub(super) fn read(connection: &Connection, now: Timestamp) -> rusqlite::Result<Option<Pause>> {
    let pause = connection.query_row(ONE, [], from_row).optional()?;
    Ok(pause.filter(|pause| pause.holds(now)))
}

/// Stores it in the place of the former one.
pub(super) fn set(connection: &Connection, pause: &Pause) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT OR REPLACE INTO pause (one, reason, actor, made_at, until)
             VALUES (1, ?1, ?2, ?3, ?4)",
            params![
                pause.reason,
                pause.actor,
                pause.made_at.as_microsecond(),
                pause.until.as_microsecond(),
            ],
        )
        .map(|_stored| ())
}

/// Ends it; false when none held.
pub(super) fn clear(connection: &Connection, now: Timestamp) -> rusqlite::Result<bool> {
    let held = read(connection, now)?.is_some();
    connection.execute("DELETE FROM pause", [])?;
    Ok(held)
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Pause> {
    Ok(Pause {
        reason: row.get(0)?,
        actor: row.get(1)?,
        made_at: timestamp(row, 2)?,
        until: timestamp(row, 3)?,
    })
}
