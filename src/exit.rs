//! Exit statuses, and the error chain printed once, at the edge.

use std::error::Error;
use std::fmt::Write;
use std::process::ExitCode;

/// How the process ends; the numbers are part of the contract.
///
/// Several at once: the first of failed, stale, held, pending that holds ([`ExitStatus::and`]).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExitStatus {
    /// 0: done, or nothing to do.
    Done,
    /// 1: failed.
    Failed,
    /// 2: changes are pending; of `probe`: a host is down.
    Pending,
    /// 3: a guard withheld something, or too few hosts are published; of `doctor`: warnings only.
    Held,
    /// 4: the zone is no longer what the plan saw.
    Stale,
    /// 64: usage, or a question without a terminal.
    Usage,
}

impl ExitStatus {
    /// The number.
    pub fn code(self) -> u8 {
        match self {
            Self::Done => 0,
            Self::Failed => 1,
            Self::Pending => 2,
            Self::Held => 3,
            Self::Stale => 4,
            Self::Usage => 64,
        }
    }

    /// The worse of the two.
    #[must_use]
    pub fn and(self, other: Self) -> Self {
        let rank = |status| match status {
            Self::Usage => 5,
            Self::Failed => 4,
            Self::Stale => 3,
            Self::Held => 2,
            Self::Pending => 1,
            Self::Done => 0,
        };
        if rank(other) > rank(self) {
            other
        } else {
            self
        }
    }
}

impl From<ExitStatus> for ExitCode {
    fn from(status: ExitStatus) -> Self {
        Self::from(status.code())
    }
}

/// An error with its causes on one line: `a: b: c`.
///
/// Libraries' errors repeat their sources; a cause that only says the last one's words again is
/// left out.
pub fn chain(error: &dyn Error) -> String {
    let mut last = error.to_string();
    let mut text = last.clone();
    let mut source = error.source();
    while let Some(cause) = source {
        let said = cause.to_string();
        if !last.ends_with(&said) && !said.ends_with(&last) {
            // Writing to a String cannot fail.
            let _ = write!(text, ": {said}");
            last = said;
        }
        source = cause.source();
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_first_of_1_4_3_2_wins() {
        use ExitStatus::{Done, Failed, Held, Pending, Stale};
        let order = [Failed, Stale, Held, Pending, Done];
        for (index, worse) in order.iter().enumerate() {
            for milder in order.iter().skip(index) {
                assert_eq!(worse.and(*milder), *worse);
                assert_eq!(milder.and(*worse), *worse);
            }
        }
    }

    #[derive(Debug, thiserror::Error)]
    #[error("{0}")]
    struct Said(&'static str, #[source] Option<Box<Said>>);

    #[test]
    fn a_cause_that_repeats_the_last_is_left_out() {
        let said = |text, source| Said(text, source);
        let code = said("Error code 26: file is not a database", None);
        let library = said("file is not a database", Some(Box::new(code)));
        let ours = said("store.sqlite3 is damaged", Some(Box::new(library)));
        assert_eq!(
            chain(&ours),
            "store.sqlite3 is damaged: file is not a database"
        );
        let ends_alike = said("no such file", Some(Box::new(said("no such key", None))));
        assert_eq!(chain(&ends_alike), "no such file: no such key");
    }
}
