//! The tables of contests and of refreshes: a few rows for each RRset, by its owner name.

use std::collections::BTreeMap;

use jiff::Timestamp;
use rusqlite::types::Type;
use rusqlite::{Connection, Row, Statement, params};

use super::gather::{ByName, Names};
use super::journal::{from_json, name, timestamp, to_json};
use crate::model::{Contest, ContestKind, Name};

const CONTESTS: &str = "SELECT owner, target, kind, count, armed_at, at, written FROM contests
     ORDER BY owner, target, kind";
const REFRESHES: &str = "SELECT owner, at FROM refreshes ORDER BY owner";

/// Fails when one of the tables is missing.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare(CONTESTS)?;
    connection.prepare(REFRESHES).map(|_statement| ())
}

/// Every contest by its RRset's owner, in [`Name`] order within each.
pub(super) fn read(
    connection: &Connection,
    names: &mut Names,
) -> rusqlite::Result<BTreeMap<Name, Vec<Contest>>> {
    let mut statement = connection.prepare(CONTESTS)?;
    let mut rows = statement.query([])?;
    let mut contests = ByName::new();
    while let Some(row) = rows.next()? {
        contests.add(row, 0, contest(row, names)?)?;
    }
    let mut contests = contests.into_map();
    for contests in contests.values_mut() {
        contests.sort_by(|a, b| (&a.target, a.kind).cmp(&(&b.target, b.kind)));
    }
    Ok(contests)
}

pub(super) const FORGET: &str = "DELETE FROM contests WHERE owner = ?1";
pub(super) const ADD: &str =
    "INSERT INTO contests (owner, target, kind, count, armed_at, at, written)
     VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7)";

/// Puts these rows in the place of the RRset's former ones, by [`FORGET`] and [`ADD`].
pub(super) fn keep(
    forget: &mut Statement<'_>,
    add: &mut Statement<'_>,
    owner: &Name,
    contests: &[Contest],
) -> rusqlite::Result<()> {
    let owner = owner.to_string();
    forget.execute([&owner])?;
    for contest in contests {
        add.execute(params![
            owner,
            contest.target.to_string(),
            contest.kind.as_str(),
            contest.count,
            contest.armed_at.map(Timestamp::as_microsecond),
            contest.at.as_microsecond(),
            contest.written.as_ref().map(to_json).transpose()?,
        ])?;
    }
    Ok(())
}

/// Forgets what is known of a host's records in every RRset; false when nothing had been undone.
pub(super) fn clear(connection: &Connection, host: &Name) -> rusqlite::Result<bool> {
    let host = host.to_string();
    let undone = connection.query_row(
        "SELECT EXISTS (SELECT 1 FROM contests WHERE target = ?1 AND count > 0)",
        [&host],
        |row| row.get(0),
    )?;
    connection.execute("DELETE FROM contests WHERE target = ?1", [&host])?;
    Ok(undone)
}

/// Notes when an RRset was refreshed last.
pub(super) fn refreshed(
    connection: &Connection,
    owner: &Name,
    at: Timestamp,
) -> rusqlite::Result<()> {
    connection
        .execute(
            "INSERT OR REPLACE INTO refreshes (owner, at) VALUES (?1, ?2)",
            params![owner.to_string(), at.as_microsecond()],
        )
        .map(|_rows| ())
}

/// When each RRset was refreshed last.
pub(super) fn refreshes(connection: &Connection) -> rusqlite::Result<Vec<(Name, Timestamp)>> {
    connection
        .prepare(REFRESHES)?
        .query_map([], |row| Ok((name(row, 0)?, timestamp(row, 1)?)))?
        .collect()
}

fn contest(row: &Row<'_>, names: &mut Names) -> rusqlite::Result<Contest> {
    let kind: String = row.get(2)?;
    let armed: Option<i64> = row.get(4)?;
    let written: Option<String> = row.get(6)?;
    Ok(Contest {
        target: names.read(row, 1)?,
        kind: ContestKind::parse(&kind)
            .ok_or_else(|| rusqlite::Error::InvalidColumnType(2, kind, Type::Text))?,
        count: row.get(3)?,
        armed_at: armed.map(|_at| timestamp(row, 4)).transpose()?,
        at: timestamp(row, 5)?,
        written: written.map(|_json| from_json(row, 6)).transpose()?,
    })
}
