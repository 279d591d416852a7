//! Rows gathered by the name that they come in the order of.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::journal::name;
use crate::model::Name;

/// The values of each name, from rows that are ordered by its column.
///
/// Ten thousand zones' rows are read in each run. Names that stand beside each other are compared
/// with each other alone, and the map is built at once in the end: to look each row's name up in it
/// was a third of the time.
pub(super) struct ByName<T> {
    values: Vec<(Name, Vec<T>)>,
    /// The last name as its row had it.
    text: String,
}

impl<T> ByName<T> {
    pub(super) fn new() -> Self {
        Self {
            values: Vec::new(),
            text: String::new(),
        }
    }

    /// Adds a value to the name in this column of its row.
    pub(super) fn add(&mut self, row: &Row<'_>, column: usize, value: T) -> rusqlite::Result<()> {
        let text = row.get_ref(column)?.as_str()?;
        if text != self.text {
            let next = name(row, column)?;
            text.clone_into(&mut self.text);
            // The same name in other letters comes next to it.
            if self.values.last().is_none_or(|(last, _)| *last != next) {
                self.values.push((next, Vec::new()));
            }
        }
        if let Some((_, values)) = self.values.last_mut() {
            values.push(value);
        }
        Ok(())
    }

    pub(super) fn into_map(self) -> BTreeMap<Name, Vec<T>> {
        self.values.into_iter().collect()
    }
}

/// Names that come again and again, each read and kept once.
#[derive(Default)]
pub(super) struct Names(BTreeMap<String, Name>);

impl Names {
    /// The name in this column.
    pub(super) fn read(&mut self, row: &Row<'_>, column: usize) -> rusqlite::Result<Name> {
        let text = row.get_ref(column)?.as_str()?;
        if let Some(known) = self.0.get(text) {
            return Ok(known.clone());
        }
        let new = name(row, column)?;
        self.0.insert(text.to_owned(), new.clone());
        Ok(new)
    }
}
