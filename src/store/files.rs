//! The state directory and its locks.

use std::fs::{self, DirBuilder, File, OpenOptions, TryLockError};
use std::io::{self, Read, Write};
use std::os::unix::fs::{DirBuilderExt, MetadataExt};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use jiff::Timestamp;

use super::StoreError;
use crate::owner;

const RUN_LOCK: &str = "lock";
const DAEMON_LOCK: &str = "daemon.lock";
/// How often a lock is tried again that was only being looked at; each look is two system calls.
const LOOKS: usize = 1_000;
/// Between two tries: who looks has looked by then, unless the machine is very busy.
const LOOK_TAKES: Duration = Duration::from_millis(1);
/// What is read of the lock file, in bytes, and written of a command line, in characters.
const HOLDER: usize = 512;

/// The state directory, which exists.
#[derive(Debug)]
pub(super) struct StateDirectory {
    path: PathBuf,
}

impl StateDirectory {
    /// Makes the directory where only that is missing.
    pub(super) fn open(dir: &Path) -> Result<Self, StoreError> {
        make(dir)?;
        // SQLite is told to follow no link; the links on the way here are the administrator's.
        let path = dir
            .canonicalize()
            .map_err(|source| StoreError::file(dir, source))?;
        Ok(Self { path })
    }

    /// The directory, without symbolic links.
    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Makes an empty file where none is, readable by the directory's owner alone.
    pub(super) fn create(&self, name: &str) -> Result<(), StoreError> {
        create(&self.path, name)
    }

    /// Keeps others from making files here at the same time, until the returned file is dropped.
    pub(super) fn lock_making(&self) -> Result<File, StoreError> {
        let failed = |source| StoreError::file(&self.path, source);
        let directory = File::open(&self.path).map_err(failed)?;
        directory.lock().map_err(failed)?;
        Ok(directory)
    }
}

/// Proof that no other process writes to DNS by this state directory; dropped, the lock is free.
#[derive(Debug)]
pub struct RunLock {
    _lock: Lock,
}

impl RunLock {
    /// Takes the lock when it is free; otherwise [`StoreError::Locked`] names its holder.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        match Lock::take(dir, RUN_LOCK)? {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(holder) => Err(StoreError::Locked {
                dir: dir.to_owned(),
                holder,
            }),
        }
    }
}

/// Proof that no other daemon keeps this state directory; dropped, the lock is free.
#[derive(Debug)]
pub struct DaemonLock {
    _lock: Lock,
}

impl DaemonLock {
    /// Takes the lock when it is free; otherwise [`StoreError::DaemonRuns`] names its holder.
    pub(super) fn take(dir: &Path) -> Result<Self, StoreError> {
        match Lock::take(dir, DAEMON_LOCK)? {
            Ok(lock) => Ok(Self { _lock: lock }),
            Err(holder) => Err(StoreError::DaemonRuns {
                dir: dir.to_owned(),
                holder,
            }),
        }
    }

    /// Who holds the lock; `None`: nobody, or it cannot be told.
    pub(super) fn holder(dir: &Path) -> Option<String> {
        // To read is enough, and goes where nothing can be written.
        let mut file = open_existing(&dir.join(DAEMON_LOCK), OpenOptions::new().read(true)).ok()?;
        match file.try_lock_shared() {
            Ok(()) => {
                let _ = file.unlock();
                None
            }
            Err(TryLockError::WouldBlock) => Some(read_holder(&mut file)),
            Err(TryLockError::Error(_)) => None,
        }
    }
}

/// A locked file of the state directory, with a line that names its holder.
#[derive(Debug)]
struct Lock {
    /// The kernel lets go of the lock with the last descriptor, `kill -9` included.
    file: File,
}

impl Lock {
    /// Takes the lock when it is free; otherwise the inner error is its holder's line.
    fn take(dir: &Path, name: &str) -> Result<Result<Self, String>, StoreError> {
        create(dir, name)?;
        let path = dir.join(name);
        let mut file = open_existing(&path, OpenOptions::new().read(true).write(true))?;
        if !lock(&file).map_err(|source| StoreError::file(&path, source))? {
            return Ok(Err(read_holder(&mut file)));
        }
        // The name is for people: on a full disk the lock is worth as much without it.
        let _ = write_holder(&mut file);
        Ok(Ok(Self { file }))
    }
}

/// Locks the file for us alone; false when somebody else did.
///
/// Who looks at a lock shares it for a moment, since there is no other way to ask. A lock that can
/// be shared is nobody's, then, and is tried again.
fn lock(file: &File) -> io::Result<bool> {
    for _ in 0..LOOKS {
        match file.try_lock() {
            Ok(()) => return Ok(true),
            Err(TryLockError::WouldBlock) => {}
            Err(TryLockError::Error(source)) => return Err(source),
        }
        match file.try_lock_shared() {
            Ok(()) => file.unlock()?,
            Err(TryLockError::WouldBlock) => return Ok(false),
            Err(TryLockError::Error(source)) => return Err(source),
        }
        thread::sleep(LOOK_TAKES);
    }
    Ok(false)
}

impl Drop for Lock {
    fn drop(&mut self) {
        // A child process between its fork and its exec has the descriptor too, so that closing
        // ours might not be enough.
        let _ = self.file.unlock();
    }
}

fn make(dir: &Path) -> Result<(), StoreError> {
    match DirBuilder::new().mode(0o700).create(dir) {
        Ok(()) => {
            // An intent is durable only if the way to it is; best effort, since the parent may
            // not be readable for us.
            if let Some(parent) = dir.parent() {
                let _ = File::open(parent).and_then(|parent| parent.sync_all());
            }
            Ok(())
        }
        Err(_) if dir.is_dir() => Ok(()),
        Err(_) if dir.exists() => Err(StoreError::NotADirectory {
            dir: dir.to_owned(),
        }),
        Err(source) => Err(StoreError::NoDirectory {
            dir: dir.to_owned(),
            source: Arc::new(source),
        }),
    }
}

/// Makes `name` in `dir` unless it exists.
fn create(dir: &Path, name: &str) -> Result<(), StoreError> {
    let path = dir.join(name);
    match owner::create_file(&path) {
        Ok(_file) => Ok(()),
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists => Ok(()),
        Err(source) => Err(StoreError::file(&path, source)),
    }
}

/// Opens a file of the state directory, but not through a link.
fn open_existing(path: &Path, options: &OpenOptions) -> Result<File, StoreError> {
    let failed = |source| StoreError::file(path, source);
    let seen = fs::symlink_metadata(path).map_err(failed)?;
    let strange = || StoreError::NotAFile {
        path: path.to_owned(),
    };
    if !seen.is_file() || seen.nlink() != 1 {
        return Err(strange());
    }
    let file = options.open(path).map_err(failed)?;
    let opened = file.metadata().map_err(failed)?;
    if (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
        return Err(strange());
    }
    Ok(file)
}

fn write_holder(lock: &mut File) -> io::Result<()> {
    let command: Vec<String> = std::env::args_os()
        .map(|argument| argument.to_string_lossy().into_owned())
        .collect();
    let command: String = command.join(" ").chars().take(HOLDER / 4).collect();
    lock.set_len(0)?;
    lock.write_all(
        format!(
            "process {} since {:.0} ({})\n",
            std::process::id(),
            Timestamp::now(),
            printable(&command)
        )
        .as_bytes(),
    )
}

/// Who holds the lock, as far as the file says.
fn read_holder(lock: &mut File) -> String {
    let mut bytes = Vec::new();
    let limit = u64::try_from(HOLDER).unwrap_or(u64::MAX);
    let read = lock.take(limit).read_to_end(&mut bytes);
    let text = String::from_utf8_lossy(&bytes);
    match (read, text.lines().next()) {
        (Ok(_), Some(line)) if !line.trim().is_empty() => printable(line.trim()),
        // The holder has the lock, and has not yet written its name.
        _ => "another process".to_owned(),
    }
}

/// The text without anything that moves a terminal's cursor.
fn printable(text: &str) -> String {
    text.chars()
        .map(|c| if c.is_control() { ' ' } else { c })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn mode(path: &Path) -> u32 {
        fs::metadata(path).unwrap().permissions().mode() & 0o777
    }

    #[test]
    fn a_missing_directory_is_made_for_its_owner_alone() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("state");
        let made = StateDirectory::open(&dir).unwrap();
        made.create("file").unwrap();
        let _lock = RunLock::take(&dir).unwrap();
        assert_eq!(mode(&dir), 0o700);
        assert_eq!(mode(&dir.join("lock")), 0o600);
        assert_eq!(mode(&dir.join("file")), 0o600);
    }

    #[test]
    fn a_file_in_the_directorys_place_is_called_that() {
        let file = tempfile::NamedTempFile::new().unwrap();
        let error = StateDirectory::open(file.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotADirectory { .. }), "{error}");
    }

    #[test]
    fn a_missing_parent_is_the_administrators_to_make() {
        let parent = tempfile::tempdir().unwrap();
        let dir = parent.path().join("no/state");
        let error = StateDirectory::open(&dir).unwrap_err();
        assert!(matches!(error, StoreError::NoDirectory { .. }));
        let advice = format!("install -d -m 0700 {}", dir.display());
        assert!(error.to_string().contains(&advice), "{error}");
        assert!(!parent.path().join("no").exists());
    }

    #[test]
    fn the_second_learns_who_the_first_is() {
        let parent = tempfile::tempdir().unwrap();
        let first = RunLock::take(parent.path()).unwrap();
        let text = RunLock::take(parent.path()).unwrap_err().to_string();
        let process = format!("process {} since 2", std::process::id());
        assert!(text.contains(&process), "{text}");
        let command = std::env::args().next().unwrap();
        let start: String = command.chars().take(40).collect();
        assert!(text.contains(&start), "{text}");
        // As a child process that was forked and has not yet begun its program.
        let inherited = first._lock.file.try_clone().unwrap();
        drop(first);
        RunLock::take(parent.path()).unwrap();
        drop(inherited);
    }

    #[test]
    fn a_holder_without_a_name_and_one_with_a_bad_one() {
        let parent = tempfile::tempdir().unwrap();
        let lock = File::create(parent.path().join("lock")).unwrap();
        lock.lock().unwrap();
        let text = RunLock::take(parent.path()).unwrap_err().to_string();
        assert!(text.contains("another process"), "{text}");
        (&lock).write_all(b"\x1b[2J\xff who\nmore").unwrap();
        let text = RunLock::take(parent.path()).unwrap_err().to_string();
        assert!(text.contains("who") && !text.contains("more"), "{text}");
        assert!(!text.contains('\x1b'), "{text}");
    }

    #[test]
    fn a_lock_that_is_a_link_is_refused_and_its_goal_untouched() {
        let parent = tempfile::tempdir().unwrap();
        let other = tempfile::NamedTempFile::new().unwrap();
        fs::write(other.path(), "precious").unwrap();
        let lock = parent.path().join("lock");
        symlink(other.path(), &lock).unwrap();
        let error = RunLock::take(parent.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
        fs::remove_file(&lock).unwrap();
        symlink("/nonexistent/goal", &lock).unwrap();
        let error = RunLock::take(parent.path()).unwrap_err();
        assert!(matches!(error, StoreError::NotAFile { .. }), "{error}");
        assert_eq!(fs::read_to_string(other.path()).unwrap(), "precious");
    }
}
