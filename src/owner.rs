//! What srvkeeper makes in a folder as root belongs to the folder's owner, who is to work with it.
//!
//! Whoever owns the folder may not be trusted with what root may do, so nothing that exists is ever
//! given away: it could be a link to another file.

#![allow(clippy::disallowed_methods, reason = "shell")]

use std::fs::{self, DirBuilder, File, OpenOptions};
use std::io;
use std::os::unix::fs::{DirBuilderExt, MetadataExt, OpenOptionsExt, fchown};
use std::path::Path;

/// Makes an empty file and opens it for writing, readable by its owner alone; an error of the kind
/// `AlreadyExists` when something has that name.
pub fn create_file(path: &Path) -> io::Result<File> {
    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .mode(0o600)
        .open(path)?;
    give_to_owner_of_its_folder(path, &file)?;
    Ok(file)
}

/// Makes a folder, open to its owner alone; one that exists is left as it is.
pub fn create_folder(path: &Path) -> io::Result<()> {
    match DirBuilder::new().mode(0o700).create(path) {
        Ok(()) => {}
        Err(error) if error.kind() == io::ErrorKind::AlreadyExists && path.is_dir() => {
            return Ok(());
        }
        Err(error) => return Err(error),
    }
    let seen = fs::symlink_metadata(path)?;
    let folder = File::open(path)?;
    let opened = folder.metadata()?;
    if (opened.dev(), opened.ino()) != (seen.dev(), seen.ino()) {
        return Err(io::Error::other("somebody put a link in its place"));
    }
    give_to_owner_of_its_folder(path, &folder)
}

fn give_to_owner_of_its_folder(path: &Path, made: &File) -> io::Result<()> {
    let owner = fs::metadata(path.parent().unwrap_or(path))?;
    // What is new belongs to who made it, so its owner tells whether we are root.
    let made_by_root = made.metadata()?.uid() == 0;
    if made_by_root && owner.uid() != 0 {
        fchown(made, Some(owner.uid()), Some(owner.gid()))?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, chown};

    /// The user without rights, to whom root gives the folder; others keep it.
    const NOBODY: u32 = 65_534;

    #[test]
    fn what_root_makes_belongs_to_the_folders_owner_and_to_nobody_else() {
        let parent = tempfile::tempdir().unwrap();
        if fs::metadata(parent.path()).unwrap().uid() == 0 {
            chown(parent.path(), Some(NOBODY), Some(NOBODY)).unwrap();
        }
        let owner = fs::metadata(parent.path()).unwrap();
        let (folder, file) = (parent.path().join("folder"), parent.path().join("folder/a"));
        create_folder(&folder).unwrap();
        create_folder(&folder).unwrap();
        create_file(&file).unwrap();
        for (path, mode) in [(folder, 0o700), (file, 0o600)] {
            let made = fs::metadata(path).unwrap();
            assert_eq!((made.uid(), made.gid()), (owner.uid(), owner.gid()));
            assert_eq!(made.permissions().mode() & 0o777, mode);
        }
    }

    #[test]
    fn what_exists_is_kept_and_no_link_is_followed() {
        let parent = tempfile::tempdir().unwrap();
        let (goal, link) = (parent.path().join("goal"), parent.path().join("link"));
        std::os::unix::fs::symlink(&goal, &link).unwrap();
        for error in [
            create_file(&link).err().unwrap(),
            create_folder(&link).err().unwrap(),
        ] {
            assert_eq!(error.kind(), io::ErrorKind::AlreadyExists, "{error}");
        }
        assert!(!goal.exists());
    }
}
