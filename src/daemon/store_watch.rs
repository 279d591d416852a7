//! Whether the store takes what it must keep, as far as this is known.

use std::collections::BTreeMap;

use crate::model::{Alert, AlertKind};

/// Why the store cannot be used.
#[derive(Debug, Default)]
pub(super) struct StoreWatch {
    /// By those who look for what operators said.
    pub(super) reading: Option<String>,
    /// By those who store samples.
    pub(super) keeping: Option<String>,
    /// By walks, for each of their zones.
    pub(super) walking: BTreeMap<usize, String>,
}

impl StoreWatch {
    /// Why an intent could not be stored either, so that no walk is to write.
    ///
    /// What a walk alone met may have been the run lock in another process's hand: the next one
    /// tries again.
    pub(super) fn obstacle(&self) -> Option<&String> {
        self.reading.as_ref().or(self.keeping.as_ref())
    }

    /// True when anything is known to be wrong.
    pub(super) fn is_broken(&self) -> bool {
        self.failure().is_some()
    }

    /// The alert that holds as long as anything is wrong.
    pub(super) fn alert(&self) -> Option<Alert> {
        self.failure().map(|failure| Alert {
            kind: AlertKind::Store,
            zone: None,
            host: None,
            text: format!(
                "the store cannot be used, so nothing is written to DNS; probing and reading go on: {failure}"
            ),
        })
    }

    /// What is known to be wrong.
    pub(super) fn failure(&self) -> Option<&String> {
        self.obstacle().or_else(|| self.walking.values().next())
    }
}
