//! The table of homes: the server that each RRset stays with, where there is a choice.

use std::borrow::Cow;
use std::collections::BTreeMap;
use std::net::SocketAddr;

use rusqlite::{Connection, Row, params};

use super::journal::{StoredRrset, from_json, name, server, to_json};
use crate::model::{Home, Name, Outcome, OutcomeKind, Published, Rcode};

const HOMES: &str = "SELECT owner, server, rrset, doubt FROM homes";

/// Fails when the table is missing.
pub(super) fn check(connection: &Connection) -> rusqlite::Result<()> {
    connection.prepare(HOMES).map(|_statement| ())
}

/// Every home by its RRset's owner.
pub(super) fn read(connection: &Connection) -> rusqlite::Result<BTreeMap<Name, Home>> {
    let mut statement = connection.prepare(HOMES)?;
    let mut rows = statement.query([])?;
    let mut homes = BTreeMap::new();
    while let Some(row) = rows.next()? {
        if let Some(home) = home(row)? {
            homes.insert(name(row, 0)?, home);
        }
    }
    Ok(homes)
}

/// `None`: the only update so far changed nothing.
fn home(row: &Row<'_>) -> rusqlite::Result<Option<Home>> {
    let (stays, doubt): (Option<String>, Option<String>) = (row.get(1)?, row.get(3)?);
    if doubt.is_some() {
        return Ok(Some(Home {
            server: server(row, 3)?,
            published: None,
        }));
    }
    if stays.is_none() {
        return Ok(None);
    }
    Ok(Some(Home {
        server: server(row, 1)?,
        published: published(row)?,
    }))
}

fn published(row: &Row<'_>) -> rusqlite::Result<Option<Published>> {
    let rrset: Option<String> = row.get(2)?;
    if rrset.is_none() {
        return Ok(None);
    }
    let rrset: StoredRrset<'_> = from_json(row, 2)?;
    Ok(Some(Published {
        ttl: rrset.ttl,
        records: rrset.records.into_owned(),
    }))
}

/// From here on the server `?2` may have written the RRset of `?1`.
pub(super) const DOUBT: &str = "INSERT INTO homes (owner, doubt) VALUES (?1, ?2)
     ON CONFLICT DO UPDATE SET doubt = excluded.doubt";

/// Ends the doubt that the change `?1` began; `?2` is an [`end_of`].
///
/// Without `UPDATE … FROM`, for which SQLite makes a table each time.
pub(super) const SETTLE: &str = "UPDATE homes
     SET server = CASE ?2 WHEN 'untouched' THEN server ELSE doubt END,
         rrset = CASE ?2
             WHEN 'written' THEN (SELECT after FROM changes WHERE id = ?1)
             WHEN 'untouched' THEN rrset
         END,
         doubt = NULL
     WHERE owner = (SELECT owner FROM changes WHERE id = ?1)
       AND doubt = (SELECT server FROM changes WHERE id = ?1)";

/// What an outcome says of the server: `written` as planned, `untouched`, or `touched`, but how is
/// not known.
pub(super) fn end_of(outcome: &Outcome) -> &'static str {
    match outcome.kind {
        OutcomeKind::Applied => "written",
        OutcomeKind::Unknown => "touched",
        // Something was done, but not what was planned.
        OutcomeKind::Failed if outcome.rcode == Some(Rcode::NOERROR) => "touched",
        OutcomeKind::Refused | OutcomeKind::Stale | OutcomeKind::Failed => "untouched",
    }
}

/// Notes what the server that an RRset stays with publishes; another server's changes nothing, and
/// neither does what was read before somebody noted, or wrote, something else than `known`.
pub(super) fn saw(
    connection: &Connection,
    owner: &Name,
    server: SocketAddr,
    known: Option<&Published>,
    published: &Published,
) -> rusqlite::Result<()> {
    connection
        .execute(
            "UPDATE homes SET rrset = ?4
             WHERE owner = ?1 AND server = ?2 AND rrset IS ?3 AND doubt IS NULL",
            params![
                owner.to_string(),
                server.to_string(),
                known.map(stored).transpose()?,
                stored(published)?
            ],
        )
        .map(|_rows| ())
}

fn stored(published: &Published) -> rusqlite::Result<String> {
    to_json(&StoredRrset {
        ttl: published.ttl,
        mixed_ttl: false,
        records: Cow::Borrowed(&published.records),
    })
}
