//! Data that goes to a file instead of stdout.

use std::ffi::OsString;
use std::fs::{self, File, OpenOptions};
use std::io::{self, BufWriter, Write};
use std::path::{Path, PathBuf};
use std::process;

/// Why a file could not be written.
#[derive(Debug, thiserror::Error)]
#[error("cannot write {}", path.display())]
pub(super) struct OutputError {
    path: PathBuf,
    source: io::Error,
}

/// The file that an argument names, unless it is one of the process's own streams.
///
/// `/dev/stdout` leads to the file that a shell has redirected stdout to, which others write to, too:
/// replacing it would take away what stands in it.
pub(super) fn file(path: PathBuf) -> Result<PathBuf, String> {
    const ADVICE: &str = "leave --out away: the plan goes to stdout then (with --format json in the \
                          form that --out has)";
    if path.as_os_str() == "-" {
        return Err(format!(
            "for stdout {ADVICE}; a file of this name is called ./-"
        ));
    }
    if is_stream(&path) {
        return Err(format!("it is an open stream and no file; {ADVICE}"));
    }
    Ok(path)
}

/// True when the path leads through the kernel's list of a process's open files.
fn is_stream(path: &Path) -> bool {
    // As many links as the kernel follows.
    const MOST_LINKS: usize = 40;
    let mut path = path.to_owned();
    for _link in 0..MOST_LINKS {
        let folder = match path.parent() {
            Some(folder) if folder.as_os_str().is_empty() => Path::new("."),
            Some(folder) => folder,
            None => return false,
        };
        let Ok(folder) = folder.canonicalize() else {
            return false;
        };
        if folder.starts_with("/proc") && folder.ends_with("fd") {
            return true;
        }
        match fs::read_link(&path) {
            Ok(target) => path = folder.join(target),
            Err(_no_link) => return false,
        }
    }
    false
}

/// Writes a file so that a reader sees the old one or the whole new one, whatever happens.
///
/// The new one is written beside it under another name, and then renamed. A symbolic link stays
/// one. What is no regular file, such as a device, is refused: the rename would do away with it.
pub(super) fn replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> Result<(), OutputError> {
    try_replace(path, write).map_err(|source| OutputError {
        path: path.to_owned(),
        source,
    })
}

fn try_replace(
    path: &Path,
    write: impl FnOnce(&mut dyn Write) -> io::Result<()>,
) -> io::Result<()> {
    let target = match path.canonicalize() {
        Ok(existing) if existing.is_file() => existing,
        Ok(_) => return Err(io::Error::other("it is no regular file")),
        Err(error) if error.kind() == io::ErrorKind::NotFound => path.to_owned(),
        Err(error) => return Err(error),
    };
    let name = target
        .file_name()
        .ok_or_else(|| io::Error::other("it names no file"))?;
    let mut temporary_name = OsString::from(".");
    temporary_name.push(name);
    temporary_name.push(format!(".{}.tmp", process::id()));
    let temporary = target.with_file_name(temporary_name);

    let file = OpenOptions::new()
        .write(true)
        .create_new(true)
        .open(&temporary)?;
    let written = fill(file, write).and_then(|()| fs::rename(&temporary, &target));
    if written.is_err() {
        // The first error is the one to tell.
        let _ = fs::remove_file(&temporary);
    }
    written
}

fn fill(file: File, write: impl FnOnce(&mut dyn Write) -> io::Result<()>) -> io::Result<()> {
    let mut out = BufWriter::new(file);
    write(&mut out)?;
    // Without this a crash could leave the new name with nothing in it.
    out.into_inner()?.sync_all()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_replaced_whole() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        replace(&path, |out| out.write_all(b"a longer first plan")).unwrap();
        replace(&path, |out| out.write_all(b"second")).unwrap();
        assert_eq!(fs::read_to_string(&path).unwrap(), "second");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_failed_write_leaves_the_old_file_and_nothing_else() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("plan.json");
        fs::write(&path, "old").unwrap();
        let result = replace(&path, |out| {
            out.write_all(b"half")?;
            Err(io::Error::other("disk full"))
        });
        assert_eq!(
            crate::exit::chain(&result.unwrap_err()),
            format!("cannot write {}: disk full", path.display())
        );
        assert_eq!(fs::read_to_string(&path).unwrap(), "old");
        assert_eq!(fs::read_dir(&folder).unwrap().count(), 1);
    }

    #[test]
    fn a_link_stays_a_link() {
        let folder = tempfile::tempdir().unwrap();
        let (path, link) = (folder.path().join("plan.json"), folder.path().join("link"));
        fs::write(&path, "old").unwrap();
        std::os::unix::fs::symlink(&path, &link).unwrap();
        replace(&link, |out| out.write_all(b"new")).unwrap();
        assert!(link.is_symlink());
        assert_eq!(fs::read_to_string(&path).unwrap(), "new");
    }

    #[test]
    fn streams_of_the_process_are_no_files() {
        let folder = tempfile::tempdir().unwrap();
        let link = folder.path().join("link");
        std::os::unix::fs::symlink("/dev/stdout", &link).unwrap();
        let link = link.to_str().unwrap();
        for path in [
            "-",
            "/dev/stdout",
            "/dev/stderr",
            "/dev/fd/1",
            "/proc/self/fd/1",
            link,
        ] {
            let refused = file(PathBuf::from(path)).unwrap_err();
            assert!(refused.contains("leave --out away"), "{path}: {refused}");
        }
        let plan = folder.path().join("plan.json");
        std::os::unix::fs::symlink("elsewhere", &plan).unwrap();
        for path in ["./-", "plan.json", "/no/such/fd/1", plan.to_str().unwrap()] {
            assert_eq!(file(PathBuf::from(path)).unwrap(), Path::new(path));
        }
    }

    #[test]
    fn devices_and_folders_are_refused() {
        let folder = tempfile::tempdir().unwrap();
        for path in [folder.path(), Path::new("/dev/null")] {
            let error = replace(path, |_out| Ok(())).unwrap_err();
            assert!(crate::exit::chain(&error).ends_with("it is no regular file"));
        }
        assert!(!Path::new("/dev/null").is_file());
    }
}
