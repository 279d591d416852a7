//! The tables of tracks and samples: health over time, as far as it must outlive a process.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use rusqlite::types::Type;
use rusqlite::{Connection, Row, params};

use super::journal::{name, timestamp, unreadable};
use crate::model::{KeptSample, Name, NewestSample, Settled, Track};

/// How long samples are kept.
const KEPT: SignedDuration = SignedDuration::from_hours(1);

const TRACKS: &str = "
    SELECT host, settled, since, failures, successes, first_failure, passing_since,
           newest_began, newest_passed, newest_text, asked FROM tracks";
const SAMPLES: &str = "SELECT host, began, took, passed, text FROM samples WHERE began >= ?1";
const PRUNE_OLD: &str = "DELETE FROM samples WHERE began < ?1";
/// What lies in the future is of a clock that was set back since, and would else stay for long.
/// In one statement with the other, SQLite would walk the table.
const PRUNE_FUTURE: &str = "DELETE FROM samples WHERE began > ?1";

/// Fails when there are no such tables.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare(TRACKS)?;
    connection.prepare(SAMPLES).map(|_statement| ())
}

/// Stores the tracks and samples, and deletes what is kept no longer.
pub(super) fn keep(
    connection: &Connection,
    tracks: &[(Name, Track)],
    samples: &[KeptSample],
    now: Timestamp,
) -> rusqlite::Result<()> {
    keep_tracks(connection, tracks)?;
    keep_samples(connection, samples)?;
    let oldest = now.checked_sub(KEPT).unwrap_or(Timestamp::MIN);
    let newest = now.checked_add(KEPT).unwrap_or(Timestamp::MAX);
    connection.execute(PRUNE_OLD, [oldest.as_microsecond()])?;
    connection
        .execute(PRUNE_FUTURE, [newest.as_microsecond()])
        .map(|_deleted| ())
}

fn keep_tracks(connection: &Connection, tracks: &[(Name, Track)]) -> rusqlite::Result<()> {
    // Replaced whole, so that the host is spelled as it was said last.
    let mut statement = connection.prepare(
        "INSERT OR REPLACE INTO tracks (host, settled, since, failures, successes, first_failure,
                                        passing_since, newest_began, newest_passed, newest_text,
                                        asked)
         VALUES (?1, ?2, ?3, ?4, ?5, ?6, ?7, ?8, ?9, ?10, ?11)",
    )?;
    let microsecond = |time: Option<Timestamp>| time.map(Timestamp::as_microsecond);
    for (host, track) in tracks {
        let newest = track.newest.as_ref();
        statement.execute(params![
            host.to_string(),
            track.settled.as_str(),
            microsecond(track.since),
            track.failures,
            track.successes,
            microsecond(track.first_failure),
            microsecond(track.passing_since),
            microsecond(newest.map(|sample| sample.began)),
            newest.map(|sample| sample.passed),
            newest.map(|sample| &sample.text),
            track.asked,
        ])?;
    }
    Ok(())
}

fn keep_samples(connection: &Connection, samples: &[KeptSample]) -> rusqlite::Result<()> {
    let mut statement = connection.prepare(
        "INSERT OR REPLACE INTO samples (host, began, took, passed, text)
         VALUES (?1, ?2, ?3, ?4, ?5)",
    )?;
    for sample in samples {
        statement.execute(params![
            sample.host.to_string(),
            sample.began.as_microsecond(),
            i64::try_from(sample.took.as_micros()).unwrap_or(i64::MAX),
            sample.passed,
            sample.text,
        ])?;
    }
    Ok(())
}

/// All tracks, by host.
pub(super) fn tracks(connection: &Connection) -> rusqlite::Result<Vec<(Name, Track)>> {
    let mut tracks: Vec<(Name, Track)> = connection
        .prepare(TRACKS)?
        .query_map([], track)?
        .collect::<Result<_, _>>()?;
    tracks.sort_by(|(a, _), (b, _)| a.cmp(b));
    Ok(tracks)
}

fn track(row: &Row<'_>) -> rusqlite::Result<(Name, Track)> {
    let settled: String = row.get(1)?;
    let track = Track {
        asked: row.get(10)?,
        settled: Settled::parse(&settled)
            .ok_or_else(|| rusqlite::Error::InvalidColumnType(1, settled, Type::Text))?,
        since: optional_timestamp(row, 2)?,
        failures: row.get(3)?,
        successes: row.get(4)?,
        first_failure: optional_timestamp(row, 5)?,
        passing_since: optional_timestamp(row, 6)?,
        newest: newest(row)?,
    };
    Ok((name(row, 0)?, track))
}

fn newest(row: &Row<'_>) -> rusqlite::Result<Option<NewestSample>> {
    let Some(began) = optional_timestamp(row, 7)? else {
        return Ok(None);
    };
    Ok(Some(NewestSample {
        began,
        passed: row.get(8)?,
        text: row.get(9)?,
    }))
}

fn optional_timestamp(row: &Row<'_>, column: usize) -> rusqlite::Result<Option<Timestamp>> {
    match row.get::<_, Option<i64>>(column)? {
        None => Ok(None),
        Some(_) => timestamp(row, column).map(Some),
    }
}

/// The samples begun since then, by host and time.
pub(super) fn samples(
    connection: &Connection,
    since: Timestamp,
) -> rusqlite::Result<Vec<KeptSample>> {
    let mut samples: Vec<KeptSample> = connection
        .prepare(SAMPLES)?
        .query_map([since.as_microsecond()], sample)?
        .collect::<Result<_, _>>()?;
    samples.sort_by(|a, b| (&a.host, a.began).cmp(&(&b.host, b.began)));
    Ok(samples)
}

fn sample(row: &Row<'_>) -> rusqlite::Result<KeptSample> {
    let took: i64 = row.get(2)?;
    let took = u64::try_from(took).map_err(|error| unreadable(row, 2, error))?;
    Ok(KeptSample {
        host: name(row, 0)?,
        began: timestamp(row, 1)?,
        took: Duration::from_micros(took),
        passed: row.get(3)?,
        text: row.get(4)?,
    })
}

/// What reading and pruning samples costs.
#[cfg(test)]
pub(super) const STATEMENTS: [&str; 3] = [SAMPLES, PRUNE_OLD, PRUNE_FUTURE];
