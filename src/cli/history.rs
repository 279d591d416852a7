//! `history`: what was changed in DNS, why, by whom, and what became of it.

use std::convert::Infallible;
use std::path::Path;

use crate::exit::{ExitStatus, chain};
use crate::model::{ChangeId, HistoryEntry};
use crate::render;
use crate::store::{HistoryQuery, Store, StoreError};

use super::{Failure, HistoryArgs, ListFormat, edge};

pub(super) fn run(state_dir: &Path, arguments: &HistoryArgs) -> Result<ExitStatus, Failure> {
    match arguments.id {
        Some(id) => one(&read(state_dir, ChangeId(id))?, arguments.format),
        None => {
            let query = HistoryQuery {
                zone: arguments.zone.clone(),
                before: None,
                limit: arguments.limit,
            };
            list(state_dir, query, arguments)?;
        }
    }
    Ok(ExitStatus::Done)
}

/// One change; there is none of that number: the failure names the numbers that there are.
pub(super) fn read(state_dir: &Path, id: ChangeId) -> Result<HistoryEntry, Failure> {
    if let Some(entry) = Store::read_entry(state_dir, id).map_err(failure)? {
        return Ok(entry);
    }
    let text = match Store::read_known_changes(state_dir).map_err(failure)? {
        None => format!("there is no change {id}: no changes are recorded yet"),
        Some((oldest, newest)) => format!(
            "there is no change {id}: those from {oldest} to {newest} are recorded, less what was kept long enough; see `srvkeeper history`"
        ),
    };
    Err(Failure::new(ExitStatus::Failed, text))
}

fn one(entry: &HistoryEntry, format: ListFormat) {
    match format {
        ListFormat::Text => edge::data(&render::history::entry(entry, edge::layout())),
        ListFormat::Json => {
            edge::json(|out| render::history::json([Ok::<_, Infallible>(entry)], out));
        }
    }
}

fn list(state_dir: &Path, query: HistoryQuery, arguments: &HistoryArgs) -> Result<(), Failure> {
    let mut entries = Store::read_pages(state_dir, query).peekable();
    // Before anything is printed.
    if let Some(Err(error)) = entries.next_if(Result::is_err) {
        return Err(failure(error));
    }
    match (arguments.format, &arguments.zone) {
        (ListFormat::Json, _) => {
            let entries = entries.map(|entry| entry.map_err(|error| chain(&error)));
            edge::json(|out| render::history::json(entries, out));
        }
        (ListFormat::Text, Some(zone)) if entries.peek().is_none() => {
            edge::data(&format!("no changes of zone {zone} recorded\n"));
        }
        (ListFormat::Text, None) if entries.peek().is_none() => {
            edge::data("no changes recorded\n");
        }
        (ListFormat::Text, _) => {
            let entries: Vec<_> = entries.collect::<Result<_, _>>().map_err(failure)?;
            edge::data(&render::history::list(&entries, edge::table_layout()));
        }
    }
    Ok(())
}

fn failure(error: StoreError) -> Failure {
    Failure::from_error(&error)
}
