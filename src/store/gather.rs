//! Rows gathered by the name that they come in the order of.

use std::collections::BTreeMap;

use rusqlite::Row;

use super::journal::name;
use crate::model::Name;

/// The values of each name, from rows that are ordered by its column.
///
/// Ten thousand zones' rows are read in each run, and to look each row's name up in a map took 14 %
/// of all that `plan` of 1,000 zones did. The order of the column is nearly that of [`Name`], so that
/// to sort afterwards takes little.
pub(super) struct ByName<T> {
    values: Vec<(Name, Vec<T>)>,
    /// The last name as its row had it.
    text: Option<String>,
}

impl<T> ByName<T> {
    pub(super) fn new() -> Self {
        Self {
            values: Vec::new(),
            text: None,
        }
    }

    /// Adds a value to the name in this column of its row.
    pub(super) fn add(&mut self, row: &Row<'_>, column: usize, value: T) -> rusqlite::Result<()> {
        let text = row.get_ref(column)?.as_str()?;
        match self.values.last_mut() {
            Some((_name, values)) if self.text.as_deref() == Some(text) => values.push(value),
            _ => {
                self.values.push((name(row, column)?, vec![value]));
                self.text = Some(text.to_owned());
            }
        }
        Ok(())
    }

    pub(super) fn into_map(mut self) -> BTreeMap<Name, Vec<T>> {
        self.values.sort_by(|(a, _), (b, _)| a.cmp(b));
        // One name may come in several spellings.
        self.values.dedup_by(|(name, values), (kept, all)| {
            let is_same = name == kept;
            if is_same {
                all.append(values);
            }
            is_same
        });
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
