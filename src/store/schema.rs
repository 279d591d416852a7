//! The database file: opening it to write or to read, and telling ours from others.

use std::fs;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use rusqlite::{Connection, OpenFlags};

use super::StoreError;
use super::files::StateDirectory;

/// The database's name in the state directory.
pub(super) const FILE: &str = "store.sqlite3";
/// `SRVK`, in the file's header.
const APPLICATION_ID: i32 = 0x5352_564B;
/// The newest store version that this program reads, and the one it writes.
const VERSION: i32 = 1;
const TABLES: &str = include_str!("schema.sql");
/// How long a statement waits for another writer: a command beside the daemon, or `sqlite3`.
const BUSY: Duration = Duration::from_secs(5);
/// How often a read begins anew because a writer started or ended meanwhile.
const ATTEMPTS: usize = 5;

/// Opens the store to write, making it where none is; others may do the same at once.
///
/// A file that is not ours, damaged or newer is refused before anything of it changes.
pub(super) fn open(directory: &StateDirectory) -> Result<Connection, StoreError> {
    let path = directory.path().join(FILE);
    if read(directory.path(), |_| Ok(()))?.is_some() {
        return connect(&path);
    }
    let _alone = directory.lock_making()?;
    // Another process may have made it meanwhile.
    if read(directory.path(), |_| Ok(()))?.is_some() {
        return connect(&path);
    }
    directory.create(FILE)?;
    let mut connection = connect(&path)?;
    fill(&mut connection).map_err(|error| StoreError::database(&path, error))?;
    Ok(connection)
}

fn connect(path: &Path) -> Result<Connection, StoreError> {
    connect_with_log(path)
        .map_err(|error| StoreError::database(path, error))?
        .ok_or_else(|| StoreError::NoWriteAheadLog {
            path: path.to_owned(),
        })
}

/// `None`: the file system has no write-ahead log.
fn connect_with_log(path: &Path) -> rusqlite::Result<Option<Connection>> {
    let connection = Connection::open_with_flags(
        path,
        OpenFlags::SQLITE_OPEN_READ_WRITE
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_NOFOLLOW,
    )?;
    connection.busy_timeout(BUSY)?;
    let journal: String =
        connection.pragma_update_and_check(None, "journal_mode", "wal", |row| row.get(0))?;
    if journal != "wal" {
        return Ok(None);
    }
    connection.pragma_update(None, "synchronous", "full")?;
    connection.pragma_update(None, "foreign_keys", true)?;
    Ok(Some(connection))
}

fn fill(connection: &mut Connection) -> rusqlite::Result<()> {
    let transaction = connection.transaction()?;
    transaction.execute_batch(TABLES)?;
    transaction.pragma_update(None, "application_id", APPLICATION_ID)?;
    transaction.pragma_update(None, "user_version", VERSION)?;
    transaction.commit()
}

/// Reads one state of the store without lock, and without making a file; `None`: no store.
///
/// While a writer lives (or died), a write-ahead log stands beside the database, and SQLite's own
/// read-only mode shares it. After a clean end there is none; SQLite would make one, or fail where
/// it may not. The file is then read as it stands, and the result counts only if no writer
/// appeared meanwhile.
pub(super) fn read<T>(
    dir: &Path,
    work: impl Fn(&Connection) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let path = dir.join(FILE);
    for _ in 0..ATTEMPTS {
        let Some(before) = Stamp::of(&path)? else {
            return Ok(None);
        };
        let log = log_exists(&path)?;
        let mode = if log {
            "mode=ro"
        } else {
            "mode=ro&immutable=1"
        };
        let result = read_once(&path, mode, &work);
        let still_valid = if log {
            result.is_ok() || log_exists(&path)?
        } else {
            Stamp::of(&path)?.as_ref() == Some(&before) && !log_exists(&path)?
        };
        if still_valid {
            return result;
        }
    }
    Err(StoreError::Changing { path })
}

fn read_once<T>(
    path: &Path,
    mode: &str,
    work: impl Fn(&Connection) -> rusqlite::Result<T>,
) -> Result<Option<T>, StoreError> {
    let failed = |error| StoreError::database(path, error);
    let connection = Connection::open_with_flags(
        uri(path, mode),
        OpenFlags::SQLITE_OPEN_READ_ONLY
            | OpenFlags::SQLITE_OPEN_NO_MUTEX
            | OpenFlags::SQLITE_OPEN_URI,
    )
    .map_err(failed)?;
    connection.busy_timeout(BUSY).map_err(failed)?;
    // One transaction, so that all of it is of one moment.
    let transaction = connection.unchecked_transaction().map_err(failed)?;
    if !is_ours(&transaction, path)? {
        return Ok(None);
    }
    work(&transaction).map(Some).map_err(failed)
}

/// Tells a file from others that come to stand in its place; `None`: there is none.
pub(super) fn identity(path: &Path) -> Option<(u64, u64)> {
    let found = fs::metadata(path).ok()?;
    Some((found.dev(), found.ino()))
}

/// False for a file in which nothing was stored yet; an error for one that is not ours to use.
fn is_ours(connection: &Connection, path: &Path) -> Result<bool, StoreError> {
    let failed = |error| StoreError::database(path, error);
    let number = |pragma| -> Result<i32, StoreError> {
        connection
            .pragma_query_value(None, pragma, |row| row.get(0))
            .map_err(failed)
    };
    let path = path.to_owned();
    match (number("application_id")?, number("user_version")?) {
        (APPLICATION_ID, VERSION) => Ok(true),
        (APPLICATION_ID, found) if found > VERSION => Err(StoreError::Newer {
            path,
            found,
            known: VERSION,
        }),
        (0, 0) => {
            let empty = connection
                .query_row("SELECT count(*) = 0 FROM sqlite_schema", [], |row| {
                    row.get(0)
                })
                .map_err(failed)?;
            if empty {
                Ok(false)
            } else {
                Err(StoreError::Foreign { path })
            }
        }
        _ => Err(StoreError::Foreign { path }),
    }
}

/// What tells one state of a file from another.
#[derive(Debug, PartialEq, Eq)]
struct Stamp {
    inode: u64,
    length: u64,
    modified: (i64, i64),
}

impl Stamp {
    /// `None`: no such file.
    fn of(path: &Path) -> Result<Option<Self>, StoreError> {
        match fs::metadata(path) {
            Ok(found) => Ok(Some(Self {
                inode: found.ino(),
                length: found.len(),
                modified: (found.mtime(), found.mtime_nsec()),
            })),
            Err(error) if error.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(source) => Err(StoreError::file(path, source)),
        }
    }
}

fn log_exists(path: &Path) -> Result<bool, StoreError> {
    let log = beside(path, "-wal");
    log.try_exists()
        .map_err(|source| StoreError::file(&log, source))
}

/// The file that SQLite keeps beside the database.
fn beside(path: &Path, suffix: &str) -> PathBuf {
    let mut name = path.as_os_str().to_owned();
    name.push(suffix);
    name.into()
}

/// The file as an SQLite URI (RFC 3986 §2.1 escapes).
fn uri(path: &Path, query: &str) -> String {
    let mut uri = String::from("file:");
    for &byte in path.as_os_str().as_bytes() {
        if byte.is_ascii_alphanumeric() || b"/-_.~".contains(&byte) {
            uri.push(char::from(byte));
        } else {
            uri.push_str(&format!("%{byte:02X}"));
        }
    }
    uri.push('?');
    uri.push_str(query);
    uri
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_path_cannot_slip_into_the_query() {
        assert_eq!(
            uri(Path::new("/var/a b?c#d%e/é"), "mode=ro"),
            "file:/var/a%20b%3Fc%23d%25e/%C3%A9?mode=ro"
        );
    }
}
