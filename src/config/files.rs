//! The files that a configuration names: globs, and files that only their owner may open.

use std::collections::BTreeSet;
use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};

use secrecy::zeroize::Zeroizing;

use super::read::{Problems, Section};
use super::value::Item;

/// Key files are a few hundred octets; anything longer is something else.
const LONGEST: u64 = 64 * 1024;

/// A file with the pattern that matched it.
#[derive(Debug)]
pub(super) struct Match<'a> {
    pub(super) path: PathBuf,
    pub(super) item: &'a Item,
}

/// The files that a key's patterns match: pattern by pattern, sorted within each, each file once.
///
/// A pattern that matches nothing is a problem and clears `complete`.
pub(super) fn matching<'a>(
    section: &'a Section,
    key: &str,
    folder: &Path,
    problems: &mut Problems,
    complete: &mut bool,
) -> Vec<Match<'a>> {
    let mut seen = BTreeSet::new();
    let mut matches = Vec::new();
    for item in section.scope().items(key) {
        match expand(folder, &item.text) {
            Ok(paths) => {
                for path in paths {
                    if seen.insert(path.clone()) {
                        matches.push(Match { path, item });
                    }
                }
            }
            Err(text) => {
                section.item_error(key, item, text, problems);
                *complete = false;
            }
        }
    }
    matches
}

fn expand(folder: &Path, pattern: &str) -> Result<Vec<PathBuf>, String> {
    const OPTIONS: glob::MatchOptions = glob::MatchOptions {
        case_sensitive: true,
        require_literal_separator: true,
        // An editor's `.#hosts.toml` is no configuration.
        require_literal_leading_dot: true,
    };
    let full = match folder.to_str() {
        _ if Path::new(pattern).is_absolute() => PathBuf::from(pattern),
        Some(folder) => Path::new(&glob::Pattern::escape(folder)).join(pattern),
        None => {
            return Err(
                "the configuration's folder has a name that is not UTF-8; write an \
            absolute pattern"
                    .to_owned(),
            );
        }
    };
    let paths = glob::glob_with(&full.to_string_lossy(), OPTIONS)
        .map_err(|error| format!("\"{pattern}\" is not a pattern: {}", error.msg))?;
    let mut found = paths
        .collect::<Result<Vec<PathBuf>, glob::GlobError>>()
        .map_err(|error| {
            format!(
                "cannot look into {}: {}",
                error.path().display(),
                error.error()
            )
        })?;
    found.sort();
    if found.is_empty() {
        return Err(format!(
            "\"{pattern}\" matches no file in {}; correct it or take it out",
            shown(folder)
        ));
    }
    Ok(found)
}

fn shown(folder: &Path) -> String {
    if folder.as_os_str().is_empty() {
        return "this folder".to_owned();
    }
    folder.display().to_string()
}

/// True when both paths lead to one file.
pub(super) fn is_same(one: &Path, other: &Path) -> bool {
    match (one.canonicalize(), other.canonicalize()) {
        (Ok(one), Ok(other)) => one == other,
        _ => false,
    }
}

/// Says why a file is not read, and what to do about it.
pub(super) fn unreadable(file: &Path, error: &io::Error, if_absent: &str) -> String {
    let text = format!("cannot read {}: {error}", file.display());
    match error.kind() {
        io::ErrorKind::NotFound => format!("{text}; {if_absent}"),
        io::ErrorKind::PermissionDenied => format!("{text}; {AS_ITS_OWNER}"),
        _ => text,
    }
}

/// What to do about a file that only another user may read.
pub(super) const AS_ITS_OWNER: &str =
    "run srvkeeper as the user that the file belongs to, or as root";

/// Why a file gives no text.
#[derive(Debug)]
pub(super) enum TextError {
    Read(io::Error),
    /// The line of the first octet that does not belong there.
    NotUtf8 {
        line: usize,
    },
}

/// What is wrong with such a line. It is not repeated: the file may be a key by mistake.
pub(super) const NOT_UTF8: &str =
    "is not UTF-8 (a letter of Latin-1, perhaps in a comment?); save the file as UTF-8";

/// Reads a text.
pub(super) fn read_text(file: &Path) -> Result<String, TextError> {
    let octets = std::fs::read(file).map_err(TextError::Read)?;
    String::from_utf8(octets).map_err(|error| {
        let valid = error.utf8_error().valid_up_to();
        let before = error.as_bytes().iter().take(valid);
        TextError::NotUtf8 {
            line: 1 + before.filter(|octet| **octet == b'\n').count(),
        }
    })
}

/// Why a file that should be private is not read. No variant repeats its content.
#[derive(Debug, thiserror::Error)]
pub(super) enum PrivateFileError {
    #[error("{}", unreadable(file, source, if_absent))]
    Read {
        file: PathBuf,
        source: io::Error,
        /// What to do where there is no such file.
        if_absent: &'static str,
    },
    #[error("{} is not a regular file", .0.display())]
    NotRegular(PathBuf),
    #[error(
        "{} is accessible by others than its owner (mode {mode:04o}); run: chmod 600 {}",
        file.display(),
        shell_word(file)
    )]
    Open { file: PathBuf, mode: u32 },
    #[error("{} is longer than 64 KiB: this is not a key file", .0.display())]
    TooLong(PathBuf),
    #[error("{} is not text: this is not a key file", .0.display())]
    NotText(PathBuf),
}

/// Reads a short text that only its owner may open; symbolic links are followed.
pub(super) fn read_private(
    file: &Path,
    if_absent: &'static str,
) -> Result<Zeroizing<String>, PrivateFileError> {
    check_private(file, if_absent)?;
    let failed = |source| PrivateFileError::Read {
        file: file.to_owned(),
        source,
        if_absent,
    };
    let open = File::open(file).map_err(failed)?;
    // Again on the open file, which nobody can exchange.
    check_metadata(file, &open.metadata().map_err(failed)?)?;
    // With its full size from the start, no copy is left behind by growing.
    let mut octets = Zeroizing::new(Vec::with_capacity(64 * 1024 + 1));
    open.take(LONGEST + 1)
        .read_to_end(&mut octets)
        .map_err(failed)?;
    if octets.len() as u64 > LONGEST {
        return Err(PrivateFileError::TooLong(file.to_owned()));
    }
    let text =
        std::str::from_utf8(&octets).map_err(|_| PrivateFileError::NotText(file.to_owned()))?;
    Ok(Zeroizing::new(text.to_owned()))
}

/// Checks that a file is there and that only its owner may open it.
///
/// Done before any opening, which would wait for a writer on a named pipe.
pub(super) fn check_private(
    file: &Path,
    if_absent: &'static str,
) -> Result<Metadata, PrivateFileError> {
    let metadata = std::fs::metadata(file).map_err(|source| PrivateFileError::Read {
        file: file.to_owned(),
        source,
        if_absent,
    })?;
    check_metadata(file, &metadata)?;
    Ok(metadata)
}

fn check_metadata(file: &Path, metadata: &Metadata) -> Result<(), PrivateFileError> {
    if !metadata.is_file() {
        return Err(PrivateFileError::NotRegular(file.to_owned()));
    }
    let mode = metadata.permissions().mode() & 0o7777;
    if mode & 0o077 != 0 {
        return Err(PrivateFileError::Open {
            file: file.to_owned(),
            mode,
        });
    }
    Ok(())
}

/// A path as a shell reads it back: quoted where it must be.
pub fn shell_word(path: &Path) -> String {
    let text = path.to_string_lossy();
    let plain = |c: char| c.is_ascii_alphanumeric() || matches!(c, '/' | '.' | '_' | '-' | '+');
    if text.chars().all(plain) {
        return text.into_owned();
    }
    format!("'{}'", text.replace('\'', "'\\''"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::ffi::OsStr;
    use std::fs;
    use std::os::unix::ffi::OsStrExt;
    use std::os::unix::fs::symlink;

    fn file(folder: &Path, name: &str, content: &[u8], mode: u32) -> PathBuf {
        let path = folder.join(name);
        fs::write(&path, content).unwrap();
        fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
        path
    }

    #[test]
    fn only_the_owners_files_are_read() {
        let folder = tempfile::tempdir().unwrap();
        for mode in [0o600, 0o400, 0o700] {
            let path = file(folder.path(), &format!("{mode:o}.key"), b"key", mode);
            assert_eq!(*read_private(&path, "make it").unwrap(), "key");
        }
        for mode in [0o640, 0o604, 0o620, 0o601, 0o644] {
            let path = file(folder.path(), &format!("{mode:o}.key"), b"key", mode);
            let error = read_private(&path, "make it").unwrap_err().to_string();
            let command = format!("(mode {mode:04o}); run: chmod 600 {}", path.display());
            assert!(error.ends_with(&command), "{error}");
        }
    }

    #[test]
    fn a_links_target_counts() {
        let folder = tempfile::tempdir().unwrap();
        let private = file(folder.path(), "private.key", b"key", 0o600);
        let open = file(folder.path(), "open.key", b"key", 0o644);
        let link = |name: &str, target: &Path| {
            let path = folder.path().join(name);
            symlink(target, &path).unwrap();
            path
        };
        assert!(read_private(&link("good", &private), "make it").is_ok());
        let bad = read_private(&link("bad", &open), "make it").unwrap_err();
        assert!(matches!(bad, PrivateFileError::Open { mode: 0o644, .. }));
        let gone = read_private(&link("gone", Path::new("nowhere")), "make it").unwrap_err();
        let gone = gone.to_string();
        assert!(gone.ends_with("(os error 2); make it"), "{gone}");
    }

    #[test]
    fn what_is_no_key_file_is_refused() {
        let folder = tempfile::tempdir().unwrap();
        let folder_itself = read_private(folder.path(), "make it").unwrap_err();
        assert!(matches!(folder_itself, PrivateFileError::NotRegular(_)));
        let fits = file(folder.path(), "fits", &[b'#'; 64 * 1024], 0o600);
        assert!(read_private(&fits, "make it").is_ok());
        let long = file(folder.path(), "long", &[b'#'; 64 * 1024 + 1], 0o600);
        let error = read_private(&long, "make it").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is longer than 64 KiB: this is not a key file")
        );
        let binary = file(folder.path(), "binary", &[0xff, 0xfe], 0o600);
        let error = read_private(&binary, "make it").unwrap_err();
        assert!(
            error
                .to_string()
                .ends_with("is not text: this is not a key file")
        );
    }

    #[test]
    fn what_is_not_read_says_what_to_do() {
        let told = |kind: io::ErrorKind| unreadable(Path::new("a.key"), &kind.into(), "make it");
        assert_eq!(
            told(io::ErrorKind::PermissionDenied),
            "cannot read a.key: permission denied; run srvkeeper as the user that the file belongs \
             to, or as root"
        );
        assert_eq!(
            told(io::ErrorKind::NotFound),
            "cannot read a.key: entity not found; make it"
        );
        assert_eq!(
            told(io::ErrorKind::TimedOut),
            "cannot read a.key: timed out"
        );
    }

    #[test]
    fn patterns_match_in_order_and_only_below_the_folder() {
        let folder = tempfile::tempdir().unwrap();
        // Brackets in the folder's own name are no pattern.
        let folder = folder.path().join("a[b]");
        fs::create_dir(&folder).unwrap();
        for name in ["b.toml", "a.toml", ".#a.toml", "c.txt"] {
            fs::write(folder.join(name), "").unwrap();
        }
        let found = expand(&folder, "*.toml").unwrap();
        assert_eq!(found, [folder.join("a.toml"), folder.join("b.toml")]);
        let absolute = format!("{}/c.txt", glob::Pattern::escape(folder.to_str().unwrap()));
        assert_eq!(expand(&folder, &absolute).unwrap(), [folder.join("c.txt")]);
        assert!(
            expand(&folder, "*.conf")
                .unwrap_err()
                .contains("\"*.conf\" matches no file in")
        );
        let unnamed = Path::new(OsStr::from_bytes(b"\xff"));
        assert!(expand(unnamed, "*").unwrap_err().contains("not UTF-8"));
        assert!(
            expand(&folder, "***")
                .unwrap_err()
                .starts_with("\"***\" is not a pattern:")
        );
    }

    #[test]
    fn a_path_is_quoted_for_the_shell_where_needed() {
        assert_eq!(shell_word(Path::new("/etc/a-b_c.key")), "/etc/a-b_c.key");
        assert_eq!(
            shell_word(Path::new("/etc/a b's.key")),
            "'/etc/a b'\\''s.key'"
        );
    }
}
