//! The programs that a configuration names: whether they can be started, as far as can be seen now.

use std::collections::BTreeMap;
use std::ffi::{OsStr, OsString};
use std::fs::Metadata;
use std::io;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use super::files::shell_word;
use super::read::{Problems, Scope};

/// The programs of one configuration, each looked for once, however many hosts have it.
pub(super) struct Programs {
    path: Option<OsString>,
    seen: BTreeMap<String, Option<String>>,
}

impl Programs {
    /// Those that lie in these folders, as `PATH` has them, need no whole path.
    pub(super) fn in_path(path: Option<OsString>) -> Self {
        let seen = BTreeMap::new();
        Self { path, seen }
    }

    /// Warns when the program of a command cannot be started; it may yet be installed.
    pub(super) fn warn(&mut self, scope: &Scope<'_>, key: &str, problems: &mut Problems) {
        let (Some(section), [program, ..]) = (scope.origin(key), scope.items(key)) else {
            return;
        };
        let program = &program.text;
        let seen = self.seen.entry(program.clone());
        let obstacle = seen.or_insert_with(|| obstacle(program, self.path.as_deref()));
        if let Some(text) = obstacle {
            section.warning(key, text.as_str(), problems);
        }
    }
}

/// What keeps the program from being started, and what to do about it; `None` also where that cannot
/// be seen, such as in a folder that only the daemon's user may look into.
fn obstacle(program: &str, path: Option<&OsStr>) -> Option<String> {
    if program.contains('{') {
        // A placeholder: the program is another one for each host.
        return None;
    }
    if program.contains('/') {
        return obstacle_at(Path::new(program));
    }
    let path = path?;
    let found = std::env::split_paths(path).any(|folder| {
        let metadata = std::fs::metadata(folder.join(program));
        metadata.is_ok_and(|metadata| metadata.is_file() && may_be_run(&metadata))
    });
    (!found).then(|| {
        format!(
            "there is no program \"{program}\" in PATH ({}); install it, or write its whole path",
            path.to_string_lossy()
        )
    })
}

fn obstacle_at(program: &Path) -> Option<String> {
    if program.is_relative() {
        return Some(format!(
            "{} is looked for in the folder that srvkeeper is started in; write its whole path",
            program.display()
        ));
    }
    match std::fs::metadata(program) {
        Ok(metadata) if !metadata.is_file() => Some(format!(
            "{} is not a regular file; name a program",
            program.display()
        )),
        Ok(metadata) if !may_be_run(&metadata) => Some(format!(
            "{} is not executable; run: chmod +x {}",
            program.display(),
            shell_word(program)
        )),
        Err(error) if error.kind() == io::ErrorKind::NotFound => Some(format!(
            "{} does not exist; install it, or correct the path",
            program.display()
        )),
        Ok(_) | Err(_) => None,
    }
}

/// By anybody: the user of the daemon is seldom the one who runs `check`.
fn may_be_run(metadata: &Metadata) -> bool {
    metadata.permissions().mode() & 0o111 != 0
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;

    #[test]
    fn a_program_is_one_that_can_be_started() {
        let folder = tempfile::tempdir().unwrap();
        let path = Some(folder.path().as_os_str());
        let file = folder.path().join("notify");
        let whole = file.to_str().unwrap();
        let told = |program: &str| obstacle(program, path).unwrap_or_default();

        assert_eq!(
            told(whole),
            format!("{whole} does not exist; install it, or correct the path")
        );
        assert!(told("notify").starts_with("there is no program \"notify\" in PATH ("));

        fs::write(&file, "#!/bin/sh\n").unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o644)).unwrap();
        assert_eq!(
            told(whole),
            format!("{whole} is not executable; run: chmod +x {whole}")
        );
        assert!(told("notify").starts_with("there is no program \"notify\" in PATH ("));

        fs::set_permissions(&file, fs::Permissions::from_mode(0o700)).unwrap();
        assert_eq!((told(whole), told("notify")), Default::default());

        let itself = folder.path().to_str().unwrap();
        assert!(told(itself).ends_with("is not a regular file; name a program"));
        assert!(told("./notify").ends_with("write its whole path"));
        assert_eq!(told("/no/such/{host}"), "");
        assert_eq!(obstacle("notify", None), None);
    }
}
