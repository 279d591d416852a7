//! What can go wrong with the store, and what to do then.

use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use rusqlite::ErrorCode;

use super::ChangeId;

/// Why the store did not do what it was asked.
///
/// Cloned to every request of a group whose commit failed; hence the shared sources.
#[derive(Debug, Clone, thiserror::Error)]
pub enum StoreError {
    /// The state directory is missing and could not be made.
    #[error(
        "the state directory {dir} does not exist and cannot be created; create it with: install -d -m 0700 {dir} (add -o USER -g GROUP when srvkeeper runs as another user)"
    )]
    NoDirectory {
        /// The directory.
        dir: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// A file stands where the state directory should be.
    #[error("the state directory {dir} is no directory; point state_dir at one")]
    NotADirectory {
        /// What stands there.
        dir: PathBuf,
    },
    /// A file of the state directory, or the directory itself, cannot be used.
    #[error(
        "cannot use {path}; check its owner and mode, and run srvkeeper as the owner of the state directory or as root"
    )]
    File {
        /// The file or directory.
        path: PathBuf,
        /// What the system said.
        #[source]
        source: Arc<io::Error>,
    },
    /// Something else stands where a file of ours belongs.
    #[error("{path} is not a plain file with one name; find out who put it there, and remove it")]
    NotAFile {
        /// The path.
        path: PathBuf,
    },
    /// Another process writes to this state directory.
    #[error(
        "the state directory {dir} is in use by {holder}; wait until it ends, or stop it, and try again"
    )]
    Locked {
        /// The directory.
        dir: PathBuf,
        /// Who holds it: process, since when, command.
        holder: String,
    },
    /// Another daemon keeps this state directory.
    #[error(
        "another `srvkeeper run` keeps the state directory {dir}: {holder}; stop that one first, or see what would change with `srvkeeper plan`, which needs no lock"
    )]
    DaemonRuns {
        /// The directory.
        dir: PathBuf,
        /// Who holds it: process, since when, command.
        holder: String,
    },
    /// A newer srvkeeper made the store.
    #[error(
        "{path} was written by a newer srvkeeper (store version {found}, this one knows {known}); nothing was changed: install that version again, or point state_dir elsewhere"
    )]
    Newer {
        /// The file.
        path: PathBuf,
        /// The version found.
        found: i32,
        /// The newest version that this program knows.
        known: i32,
    },
    /// The file is a database, but not srvkeeper's.
    #[error(
        "{path} is the database of another program; nothing was changed: point state_dir at a directory of its own"
    )]
    Foreign {
        /// The file.
        path: PathBuf,
    },
    /// The file is no database, or a damaged one.
    #[error(
        "{path} is damaged or is no database; nothing is written to DNS without it: bring back a copy, or move it aside together with its -wal and -shm files (a new store begins without history and without memory of past removals)"
    )]
    Corrupt {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The store exists and may not be opened or written by this user.
    #[error(
        "{path} cannot be opened or written; run srvkeeper as the owner of the state directory or as root, and see that its disk is not mounted read-only"
    )]
    Inaccessible {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The store is no longer the file that was opened.
    #[error(
        "{path} is gone, or another file stands in its place, since srvkeeper opened it; nothing is written to DNS: put it back, or restart srvkeeper to begin with what is there then"
    )]
    Replaced {
        /// The file.
        path: PathBuf,
    },
    /// A writer came and went during every attempt to read.
    #[error("{path} changed during each attempt to read it; try again")]
    Changing {
        /// The file.
        path: PathBuf,
    },
    /// The file system cannot carry a write-ahead log.
    #[error(
        "the file system of {path} cannot carry a write-ahead log; point state_dir at a local file system"
    )]
    NoWriteAheadLog {
        /// The file.
        path: PathBuf,
    },
    /// The disk is full; nothing of the group was stored.
    #[error(
        "the disk of {path} is full, nothing was stored, and nothing is written to DNS until there is room; free some space"
    )]
    Full {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// Another program keeps the database locked; nothing of the group was stored.
    #[error(
        "another program keeps {path} locked, and nothing was stored; end its transaction (an open sqlite3 shell or a backup?)"
    )]
    Busy {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// SQLite failed otherwise; nothing of the group was stored.
    #[error(
        "{path} could not be read or written, and nothing was stored; check the disk and the system log"
    )]
    Database {
        /// The file.
        path: PathBuf,
        /// What SQLite said.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The change has an outcome already, or was never recorded.
    #[error("change {id} is not open: it has an outcome already, or was never recorded")]
    NotOpen {
        /// The change.
        id: ChangeId,
    },
    /// A change in the history is not as srvkeeper wrote it.
    #[error(
        "change {id} in {path} cannot be read, because it is not as srvkeeper wrote it; bring back a copy of the store, or look at the others one by one with `srvkeeper history ID`"
    )]
    DamagedChange {
        /// The change.
        id: ChangeId,
        /// The file.
        path: PathBuf,
        /// What was found.
        #[source]
        source: Arc<rusqlite::Error>,
    },
    /// The store's thread could not be started, or has ended.
    #[error("the store of {path} has stopped; restart srvkeeper")]
    Stopped {
        /// The file.
        path: PathBuf,
    },
}

impl StoreError {
    /// Sorts what SQLite said about the store at `path`.
    pub(super) fn database(path: &Path, source: rusqlite::Error) -> Self {
        let path = path.to_owned();
        let code = source.sqlite_error_code();
        let source = Arc::new(source);
        match code {
            // Without a code, a value read was none of those that we write; `Unknown` is an SQL
            // error, and as the statements are constant, the tables are not ours.
            None
            | Some(ErrorCode::DatabaseCorrupt | ErrorCode::NotADatabase | ErrorCode::Unknown) => {
                Self::Corrupt { path, source }
            }
            Some(ErrorCode::CannotOpen | ErrorCode::PermissionDenied | ErrorCode::ReadOnly) => {
                Self::Inaccessible { path, source }
            }
            Some(ErrorCode::DiskFull) => Self::Full { path, source },
            Some(ErrorCode::DatabaseBusy) => Self::Busy { path, source },
            Some(_) => Self::Database { path, source },
        }
    }

    /// A failed call on a file or directory.
    pub(super) fn file(path: &Path, source: io::Error) -> Self {
        Self::File {
            path: path.to_owned(),
            source: Arc::new(source),
        }
    }
}
