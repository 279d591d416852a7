//! The one temporary folder, which goes with the demonstration.

use std::env;
use std::fs::{self, DirBuilder, OpenOptions};
use std::io::{self, Write};
use std::os::unix::fs::{DirBuilderExt, OpenOptionsExt};
use std::path::{Path, PathBuf};

use data_encoding::HEXLOWER;
use ring::rand::{SecureRandom, SystemRandom};

use super::DemoError;

/// A folder that only its owner may enter; dropped, it is removed with all that is in it.
pub(super) struct Folder {
    path: PathBuf,
}

impl Folder {
    /// Makes it below `$TMPDIR`, or `/tmp`.
    pub(super) fn make() -> Result<Self, DemoError> {
        let name = format!("srvkeeper-demo-{}", HEXLOWER.encode(&random::<4>()?));
        let parent = env::temp_dir();
        // Absolute: commands in another terminal have another working directory.
        let path = parent.canonicalize().unwrap_or(parent).join(name);
        // Fails when it exists: nobody can have prepared it for us.
        match DirBuilder::new().mode(0o700).create(&path) {
            Ok(()) => Ok(Self { path }),
            Err(source) => Err(DemoError::Folder { path, source }),
        }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    /// Writes a file that only its owner may read, whole or not at all.
    pub(super) fn write(&self, name: &str, text: &str) -> Result<PathBuf, DemoError> {
        let path = self.path.join(name);
        self.replace(&path, text)
            .map_err(|source| DemoError::Write {
                path: path.clone(),
                source,
            })?;
        Ok(path)
    }

    fn replace(&self, path: &Path, text: &str) -> io::Result<()> {
        let new = path.with_extension("new");
        OpenOptions::new()
            .write(true)
            .create_new(true)
            .mode(0o600)
            .open(&new)?
            .write_all(text.as_bytes())?;
        fs::rename(new, path)
    }

    /// Removes it, and says when it cannot.
    pub(super) fn remove(self) -> Result<(), DemoError> {
        fs::remove_dir_all(&self.path).map_err(|source| DemoError::Leftover {
            path: self.path.clone(),
            source,
        })
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        // After `remove` there is nothing left; on the way out of an error, that error counts.
        let _ = fs::remove_dir_all(&self.path);
    }
}

/// Octets nobody can guess.
pub(super) fn random<const N: usize>() -> Result<[u8; N], DemoError> {
    let mut octets = [0; N];
    SystemRandom::new()
        .fill(&mut octets)
        .map_err(|_| DemoError::Random)?;
    Ok(octets)
}
