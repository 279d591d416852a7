//! Output compared with files kept in the repository.
//!
//! `UPDATE_GOLDEN=1 cargo test --test NAME` writes the files anew; read the difference before
//! committing it.

use std::fs;
use std::path::Path;

/// Compares each text with the file of that name in `folder`, which is relative to the repository;
/// tells all differences at once. A file that no text belongs to is one too.
#[track_caller]
pub(crate) fn compare(folder: &str, texts: &[(&str, String)]) {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
    let mut wrong = String::new();
    for (name, found) in texts {
        let file = folder.join(name);
        if std::env::var_os("UPDATE_GOLDEN").is_some() {
            fs::write(&file, found).unwrap();
        }
        match fs::read_to_string(&file) {
            Ok(expected) if expected == *found => {}
            Ok(expected) => wrong.push_str(&difference(name, &expected, found)),
            Err(error) => wrong.push_str(&format!("{name}: {error}\n")),
        }
    }
    for entry in fs::read_dir(&folder).unwrap() {
        let name = entry.unwrap().file_name();
        if !texts.iter().any(|(known, _text)| name == *known) {
            wrong.push_str(&format!("{}: no text for this file\n", name.display()));
        }
    }
    assert!(wrong.is_empty(), "\n{wrong}");
}

/// The first lines that differ.
fn difference(name: &str, expected: &str, found: &str) -> String {
    let (mut old, mut new) = (expected.lines(), found.lines());
    for number in 1.. {
        let (old, new) = (old.next(), new.next());
        if old != new || old.is_none() {
            return format!("{name}:{number}\n  expected {old:?}\n  found    {new:?}\n");
        }
    }
    unreachable!()
}
