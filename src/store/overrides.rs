//! The table of overrides. What has ended is never returned, and goes with the next write.

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

use super::journal::{name, timestamp};
use crate::model::{Name, Override, OverrideState};

const ALL: &str = "SELECT host, state, reason, actor, made_at, until FROM overrides";

/// Fails when there is no such table.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare(ALL).map(|_statement| ())
}

/// Those that hold at `now`, by host.
pub(super) fn read(connection: &Connection, now: Timestamp) -> rusqlite::Result<Vec<Override>> {
    let mut overrides: Vec<Override> = connection
        .prepare(ALL)?
        .query_map([], from_row)?
        .collect::<Result<_, _>>()?;
    overrides.retain(|word| word.holds(now));
    overrides.sort_by(|a, b| a.host.cmp(&b.host));
    Ok(overrides)
}

/// Stores each in the place of its host's former one.
pub(super) fn set(
    connection: &Connection,
    overrides: &[Override],
    now: Timestamp,
) -> rusqlite::Result<()> {
    prune(connection, now)?;
    // Replaced whole, so that the host is spelled as it was said last.
    let mut statement = connection.prepare(
        "INSERT OR REPLACE INTO overrides (host, state, reason, actor, made_at, until)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6)",
    )?;
    for word in overrides {
        statement.execute(params![
            word.host.to_string(),
            word.state.as_str(),
            word.reason,
            word.actor,
            word.made_at.as_microsecond(),
            word.until.as_microsecond(),
        ])?;
    }
    Ok(())
}

/// Ends a host's override; false when none held.
pub(super) fn clear(
    connection: &Connection,
    host: &Name,
    now: Timestamp,
) -> rusqlite::Result<bool> {
    prune(connection, now)?;
    let cleared =
        connection.execute("DELETE FROM overrides WHERE host = ?1", [host.to_string()])?;
    Ok(cleared > 0)
}

fn prune(connection: &Connection, now: Timestamp) -> rusqlite::Result<()> {
    connection
        .execute(
            "DELETE FROM overrides WHERE until <= ?1",
            [now.as_microsecond()],
        )
        .map(|_deleted| ())
}

fn from_row(row: &Row<'_>) -> rusqlite::Result<Override> {
    let state: String = row.get(1)?;
    Ok(Override {
        host: name(row, 0)?,
        state: OverrideState::parse(&state)
            .ok_or_else(|| rusqlite::Error::InvalidColumnType(1, state, Type::Text))?,
        reason: row.get(2)?,
        actor: row.get(3)?,
        made_at: timestamp(row, 4)?,
        until: timestamp(row, 5)?,
    })
}
