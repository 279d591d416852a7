//! Zone files and snapshots on disk: which one counts, and how a change gets there.

use std::collections::BTreeMap;
use std::fs::{self, DirBuilder, File};
use std::io::{self, Write as _};
use std::os::unix::fs::DirBuilderExt as _;
use std::path::{Path, PathBuf};

use hickory_proto::rr::{LowerName, Name, Record};
use hickory_proto::serialize::binary::BinDecodable;
use hickory_proto::serialize::txt::{LexerError, ParseError, Parser};

use super::records::{Records, ZoneFault, check, collect, octets};
use super::snapshot::{self, SnapshotError, Unwritable};
use crate::owner;

/// Why a zone cannot be loaded.
#[derive(Debug, thiserror::Error)]
pub enum LoadError {
    /// A file cannot be read.
    #[error(
        "cannot read {}; it must be a text file that the user srvkeeper runs as may read", file.display()
    )]
    Read {
        /// The zone file or the snapshot.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The zone file breaks the format of RFC 1035 §5.
    #[error("{}, line {line}: not a line of a zone file; correct it", file.display())]
    Syntax {
        /// The zone file.
        file: PathBuf,
        /// The line on which the faulty entry ends.
        line: usize,
        /// What the parser says.
        source: ParseError,
    },
    /// The records make no zone.
    #[error("{} holds no zone that can be served; correct it", file.display())]
    Zone {
        /// The zone file.
        file: PathBuf,
        /// Why not.
        source: ZoneFault,
    },
    /// Two zone files hold the same zone.
    #[error("{} and {} both hold the zone {zone}; remove one of them", first.display(), second.display())]
    Twice {
        /// The zone's name.
        zone: String,
        /// The file listed first.
        first: PathBuf,
        /// The other one.
        second: PathBuf,
    },
    /// The snapshot is not as it was written.
    #[error(
        "{} is damaged, or has been changed by hand; restore it, or remove it to begin again from the zone file", file.display()
    )]
    Snapshot {
        /// The snapshot.
        file: PathBuf,
        /// How that shows.
        source: Damage,
    },
    /// The snapshot holds another zone than its name says.
    #[error(
        "{} holds the zone {zone}, which its name does not say; restore it, or remove it to begin again from the zone file", file.display()
    )]
    Misplaced {
        /// The snapshot.
        file: PathBuf,
        /// The zone in it.
        zone: String,
    },
    /// The folder of the snapshots cannot be made or written to.
    #[error(
        "no change of a zone could be stored in {folder}; give it to the user that srvkeeper runs as (chown -R USER {folder}), and see that its disk is not mounted read-only", folder = folder.display()
    )]
    Folder {
        /// The folder.
        folder: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// The first snapshot cannot be written.
    #[error("cannot store the zone of {}", file.display())]
    Store {
        /// The zone file.
        file: PathBuf,
        /// Why.
        source: PersistError,
    },
}

/// How it shows that a snapshot is not as it was written.
#[derive(Debug, thiserror::Error)]
pub enum Damage {
    /// It is no text, or no file.
    #[error(transparent)]
    Text(io::Error),
    /// A line is none of ours.
    #[error(transparent)]
    Line(#[from] SnapshotError),
    /// The records make no zone.
    #[error(transparent)]
    Zone(#[from] ZoneFault),
}

/// Why a snapshot is not on disk.
#[derive(Debug, thiserror::Error)]
pub enum PersistError {
    /// The disk says no.
    #[error("cannot write {}", file.display())]
    Write {
        /// The snapshot.
        file: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// What was written reads otherwise.
    #[error("{} does not read as it was written; check the disk", file.display())]
    Differs {
        /// The temporary file.
        file: PathBuf,
    },
    /// A record has no written form.
    #[error(transparent)]
    Unwritable(#[from] Unwritable),
}

/// A zone as it was last answered, and the file that holds it.
pub(super) struct Loaded {
    pub(super) origin: Name,
    pub(super) records: Records,
    pub(super) snapshot: PathBuf,
}

/// Reads a zone: the snapshot when there is one, otherwise the zone file, of which it then makes
/// the first snapshot. An error also where no later change could be stored.
pub(super) fn load(zone_file: &Path, state_dir: &Path) -> Result<Loaded, LoadError> {
    let (origin, seed) = read_zone_file(zone_file)?;
    let snapshot = snapshot_path(state_dir, &origin);
    try_to_write(&snapshot, state_dir)?;
    if let Some(records) = read_snapshot(&snapshot, &origin)? {
        return Ok(Loaded {
            origin,
            records,
            snapshot,
        });
    }
    persist(&snapshot, &seed).map_err(|source| LoadError::Store {
        file: zone_file.to_owned(),
        source,
    })?;
    Ok(Loaded {
        origin,
        records: seed,
        snapshot,
    })
}

/// Makes the folder of the snapshots, and a file in it as the next change will: what fails then is
/// an update that nobody watches, with SERVFAIL.
fn try_to_write(snapshot: &Path, state_dir: &Path) -> Result<(), LoadError> {
    let folder = authority_folder(state_dir);
    let temporary = temporary_path(snapshot);
    DirBuilder::new()
        .recursive(true)
        .mode(0o700)
        .create(state_dir)
        .and_then(|()| owner::create_folder(&folder))
        .and_then(|()| create_anew(&temporary))
        .and_then(|_file| fs::remove_file(&temporary))
        .map_err(|source| LoadError::Folder { folder, source })
}

/// One record that only the zone file or only the served zone has.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Difference {
    /// The line is younger than the state, or DNS updates have deleted the record.
    OnlyInFile(String),
    /// DNS updates have added it.
    OnlyInState(String),
}

/// Tells what a zone file says otherwise than the state that it once seeded; the serial does not
/// count. Empty also while there is no state yet.
pub fn differences(zone_file: &Path, state_dir: &Path) -> Result<Vec<Difference>, LoadError> {
    let (origin, seed) = read_zone_file(zone_file)?;
    let Some(state) = read_snapshot(&snapshot_path(state_dir, &origin), &origin)? else {
        return Ok(Vec::new());
    };
    let in_file = lines(&seed);
    let in_state = lines(&state);
    let only_in_file = in_file
        .iter()
        .filter(|(line, _)| !in_state.contains_key(*line))
        .map(|(_, line)| Difference::OnlyInFile(line.clone()));
    let only_in_state = in_state
        .iter()
        .filter(|(line, _)| !in_file.contains_key(*line))
        .map(|(_, line)| Difference::OnlyInState(line.clone()));
    Ok(only_in_file.chain(only_in_state).collect())
}

/// The records as people write them, by what they are compared by.
fn lines(records: &Records) -> BTreeMap<String, String> {
    snapshot::comparable(records).collect()
}

/// Puts the zone on disk so that a crash at any moment leaves the old or the new one: a temporary
/// file beside the snapshot, read back, synced, renamed, the folder synced.
pub(super) fn persist(snapshot: &Path, records: &Records) -> Result<(), PersistError> {
    let text = snapshot::write(records)?;
    let failed = |source| PersistError::Write {
        file: snapshot.to_owned(),
        source,
    };
    let folder = snapshot.parent().unwrap_or(Path::new("."));
    let temporary = temporary_path(snapshot);
    write_synced(&temporary, &text).map_err(failed)?;
    let written = fs::read_to_string(&temporary).map_err(failed)?;
    let reread = snapshot::read(&written).ok();
    if reread.is_none_or(|reread| snapshot::write(&reread).ok() != Some(text)) {
        return Err(PersistError::Differs { file: temporary });
    }
    fs::rename(&temporary, snapshot).map_err(failed)?;
    File::open(folder)
        .and_then(|folder| folder.sync_all())
        .map_err(failed)
}

fn write_synced(file: &Path, text: &str) -> io::Result<()> {
    let mut file = create_anew(file)?;
    file.write_all(text.as_bytes())?;
    file.sync_all()
}

/// Makes the file in the place of one that a crash has left.
fn create_anew(file: &Path) -> io::Result<File> {
    match fs::remove_file(file) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => Err(error),
        _ => owner::create_file(file),
    }
}

fn read_snapshot(file: &Path, origin: &Name) -> Result<Option<Records>, LoadError> {
    let damaged = |source| LoadError::Snapshot {
        file: file.to_owned(),
        source,
    };
    let text = match fs::read_to_string(file) {
        Ok(text) => text,
        Err(error) => {
            return match error.kind() {
                io::ErrorKind::NotFound => Ok(None),
                io::ErrorKind::InvalidData | io::ErrorKind::IsADirectory => {
                    Err(damaged(Damage::Text(error)))
                }
                _ => Err(LoadError::Read {
                    file: file.to_owned(),
                    source: error,
                }),
            };
        }
    };
    let records = snapshot::read(&text).map_err(|error| damaged(error.into()))?;
    let held = check(&records).map_err(|error| damaged(error.into()))?;
    if held != *origin {
        return Err(LoadError::Misplaced {
            file: file.to_owned(),
            zone: held.to_ascii(),
        });
    }
    Ok(Some(records))
}

fn read_zone_file(file: &Path) -> Result<(Name, Records), LoadError> {
    let text = fs::read_to_string(file).map_err(|source| LoadError::Read {
        file: file.to_owned(),
        source,
    })?;
    let parsed = parse(&text, file).map_err(|source| LoadError::Syntax {
        file: file.to_owned(),
        line: faulty_line(&text, file),
        source,
    })?;
    let fault = |source| LoadError::Zone {
        file: file.to_owned(),
        source,
    };
    let read: Vec<Record> = parsed
        .iter()
        .map(absolute)
        .collect::<Result<_, _>>()
        .map_err(fault)?;
    let records = collect(read);
    let origin = check(&records).map_err(fault)?;
    Ok((origin, records))
}

fn parse(text: &str, file: &Path) -> Result<Vec<Record>, ParseError> {
    let (_, sets) = Parser::new(text, Some(file.to_owned()), Some(Name::root())).parse()?;
    Ok(sets.into_values().flatten().collect())
}

/// The record as it comes over the wire: the parser leaves names relative after a `$ORIGIN`
/// without its dot, and those compare unequal.
fn absolute(record: &Record) -> Result<Record, ZoneFault> {
    octets(record)
        .ok()
        .and_then(|octets| Record::from_bytes(&octets).ok())
        .ok_or_else(|| ZoneFault::Data(record.name.to_ascii()))
}

/// The line on which the first faulty entry ends, which the parser does not tell: the first line
/// up to which the text does not parse, a list left open aside.
fn faulty_line(text: &str, file: &Path) -> usize {
    let ends: Vec<usize> = text
        .split_inclusive('\n')
        .scan(0, |end, line| {
            *end += line.len();
            Some(*end)
        })
        .collect();
    let sound = ends.partition_point(|&end| {
        text.get(..end).is_none_or(|head| match parse(head, file) {
            Ok(_) => true,
            Err(ParseError::Lexer(error)) => matches!(
                error,
                LexerError::UnclosedList | LexerError::UnclosedQuotedString | LexerError::EOF
            ),
            Err(_) => false,
        })
    });
    (sound + 1).min(ends.len())
}

/// `STATE_DIR/authority/ZONE.zone`, octets that a file name should not have as `%XX`.
fn snapshot_path(state_dir: &Path, origin: &Name) -> PathBuf {
    let mut name = String::new();
    for label in LowerName::new(origin).iter() {
        for &byte in label {
            match byte {
                b'a'..=b'z' | b'0'..=b'9' | b'-' | b'_' => name.push(char::from(byte)),
                _ => name.push_str(&format!("%{byte:02x}")),
            }
        }
        name.push('.');
    }
    authority_folder(state_dir).join(format!("{name}zone"))
}

fn authority_folder(state_dir: &Path) -> PathBuf {
    state_dir.join("authority")
}

fn temporary_path(snapshot: &Path) -> PathBuf {
    snapshot.with_extension("zone.new")
}

#[cfg(test)]
mod tests;
