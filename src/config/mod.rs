//! Spanned TOML against one key table → a checked [`Config`]; secrets by file only.
//!
//! ```text
//! text ─ read ─► sections ─┬─ keys ──────► Key        table: the keys, their kinds and defaults
//!   ▲                      ├─ inventory ─► Host       value: one TOML value → a checked value
//! files: globs, modes      └─ zones ─────► Zone       keyfile, duration: pure parsers
//! programs: what can be started
//! ```
//!
//! Nothing stops at the first problem: [`ConfigError::Invalid`] carries all of them.

#![allow(clippy::disallowed_methods, reason = "shell")]

pub mod duration;
mod files;
mod inventory;
pub mod keyfile;
mod keys;
mod programs;
mod read;
pub mod table;
mod value;
mod zones;

use std::collections::BTreeMap;
use std::fmt;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::time::Duration;

use secrecy::SecretString;

use files::TextError;
pub use files::shell_word;
use programs::Programs;
use read::{Document, Part, Place, Problems, Section};
use table::Table;
pub use value::word_of;

pub use crate::model::{GssCredentials, GssKey};
use crate::model::{Health, Host, TsigSecret, Zone};

/// A checked configuration: every reference resolved, every name parsed.
#[derive(Debug, Clone)]
pub struct Config {
    /// The file it was read from.
    pub file: PathBuf,
    /// `[daemon]`.
    pub daemon: Daemon,
    /// `[health] canary`; empty: our own network is not tested.
    pub canary: Vec<SocketAddr>,
    /// What holds for a host that stands in no `[[host]]`.
    pub defaults: HostDefaults,
    /// `[keys.*]`, by name.
    pub keys: BTreeMap<String, Key>,
    /// `[[server]]`, in file order; zones refer to them by index.
    pub servers: Vec<Server>,
    /// `[[host]]`, in file order; zones refer to them by index.
    pub hosts: Vec<Host>,
    /// `[[zone]]`, in file order, `names_file` expanded.
    pub zones: Vec<Zone>,
    /// `[authority]`.
    pub authority: Option<Authority>,
    /// What `check` says although the configuration holds.
    pub warnings: Vec<Problem>,
}

/// What holds for a host that stands in no `[[host]]`: `[record]` and `[health]`.
#[derive(Debug, Clone)]
pub struct HostDefaults {
    /// The port to probe.
    pub port: u16,
    /// How to probe.
    pub health: Health,
}

/// `[daemon]`.
#[derive(Debug, Clone)]
pub struct Daemon {
    /// Whether `run` writes.
    pub mode: Mode,
    /// The folder of history, overrides and samples.
    pub state_dir: PathBuf,
    /// Time between two full reconciles.
    pub interval: Duration,
    /// Where the status page listens; `None`: nowhere.
    pub http: Option<SocketAddr>,
    /// The bearer token for API and metrics; there is one where `http` is no loopback address.
    pub http_token: Option<SecretString>,
    /// Program and arguments run after a change; empty: none.
    pub on_change: Vec<String>,
    /// Program and arguments run on an alert; empty: none.
    pub on_alert: Vec<String>,
}

/// `mode`: whether `run` writes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Mode {
    /// It never writes.
    Audit,
    /// It does.
    Enforce,
}

/// `kind` of a key.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum KeyKind {
    Tsig,
    Gss,
}

/// One `[keys.NAME]`.
#[derive(Debug, Clone)]
pub enum Key {
    /// A shared secret (RFC 8945).
    Tsig(TsigSecret),
    /// A Kerberos identity (RFC 3645).
    Gss(GssKey),
}

/// One `[[server]]`.
#[derive(Debug, Clone)]
pub struct Server {
    /// What zones call it.
    pub name: String,
    /// Where it listens.
    pub address: SocketAddr,
    /// The key in [`Config::keys`] that signs; `None`: unsigned.
    pub key: Option<String>,
}

/// `[authority]`: the embedded primary.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Authority {
    /// Where it listens, over UDP and TCP.
    pub listen: Vec<SocketAddr>,
    /// The TSIG key in [`Config::keys`] whose updates it takes.
    pub key: String,
    /// The TSIG key in [`Config::keys`] that transfers and changes nothing; `None`: there is none.
    pub transfer_key: Option<String>,
    /// The zone files that seed an empty state.
    pub zones: Vec<PathBuf>,
}

/// One thing that is wrong, or worth a warning: where, and what would be right.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub struct Problem {
    /// The file, as the configuration names it.
    pub file: PathBuf,
    /// The line; the first is 1.
    pub line: usize,
    /// The key with its table, as in `zone.servers`; empty where the text is not valid TOML.
    pub key: String,
    /// What is wrong and what would be right.
    pub text: String,
}

/// `srvkeeper.toml:7: daemon.mode: "enforced" is none of …`
impl fmt::Display for Problem {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: ", self.file.display(), self.line)?;
        if !self.key.is_empty() {
            write!(f, "{}: ", self.key)?;
        }
        f.write_str(&self.text)
    }
}

/// Why there is no configuration.
#[derive(Debug, thiserror::Error)]
pub enum ConfigError {
    /// The file cannot be read.
    #[error("cannot read the configuration {} ({})", file.display(), next_step(source))]
    Read {
        /// The file.
        file: PathBuf,
        /// The system's error.
        #[source]
        source: std::io::Error,
    },
    /// Everything that is wrong, at once, by file and line.
    #[error("{} in the configuration", count(.0.len()))]
    Invalid(Vec<Problem>),
}

fn next_step(error: &std::io::Error) -> &'static str {
    if error.kind() == std::io::ErrorKind::PermissionDenied {
        files::AS_ITS_OWNER
    } else {
        "--config FILE names another"
    }
}

fn count(problems: usize) -> String {
    match problems {
        1 => "1 problem".to_owned(),
        _ => format!("{problems} problems"),
    }
}

/// Reads and checks the configuration with all it names: includes, key files, lists of zones.
pub fn load(file: &Path) -> Result<Config, ConfigError> {
    let text = files::read_text(file).map_err(|error| match error {
        TextError::Read(source) => ConfigError::Read {
            file: file.to_owned(),
            source,
        },
        TextError::NotUtf8 { line } => ConfigError::Invalid(vec![Problem {
            file: file.to_owned(),
            line,
            key: String::new(),
            text: files::NOT_UTF8.to_owned(),
        }]),
    })?;
    let mut problems = Problems::default();
    let config = assemble(file, &text, &mut problems);
    let warnings = problems.finish().map_err(ConfigError::Invalid)?;
    Ok(Config { warnings, ..config })
}

/// `[daemon] state_dir` alone, whatever else is wrong with the configuration; `None` where it cannot
/// be told for sure.
pub fn state_dir(file: &Path) -> Option<PathBuf> {
    let text = files::read_text(file).ok()?;
    let mut problems = Problems::default();
    let daemon = Document::read(file, &text, Part::Main, &mut problems).single(Table::Daemon);
    let is_given = daemon.has("state_dir");
    if is_given && !daemon.holds("state_dir") {
        return None;
    }
    let errors = problems.finish().err().unwrap_or_default();
    let is_about_it = |problem: &Problem| {
        let line = text.lines().nth(problem.line.saturating_sub(1));
        let speaks_of_it = ["daemon", "state_dir"]
            .iter()
            .any(|word| problem.key.contains(word) || line.is_some_and(|line| line.contains(word)));
        // Where it seems to be left out, it may stand in a line that is broken or under another name.
        speaks_of_it || !is_given && !problem.key.contains('.')
    };
    let is_known = !errors.iter().any(is_about_it);
    is_known.then(|| state_dir_of(&daemon, folder_of(file)))
}

fn state_dir_of(daemon: &Section, folder: &Path) -> PathBuf {
    folder.join(daemon.scope().text("state_dir").unwrap_or_default())
}

fn folder_of(file: &Path) -> &Path {
    file.parent().unwrap_or(Path::new(""))
}

/// What holds for hosts where there is no configuration.
pub fn host_defaults() -> HostDefaults {
    let file = Path::new("");
    let mut document = Document::read(file, "", Part::Included, &mut Problems::default());
    let health = document.single(Table::Health);
    inventory::defaults(&health, &document.single(Table::Record))
}

/// Builds the configuration; it holds only when no problem is told.
fn assemble(file: &Path, text: &str, problems: &mut Problems) -> Config {
    let folder = folder_of(file);
    let mut document = Document::read(file, text, Part::Main, problems);
    let top = document.single(Table::Top);
    let complete = include(&top, file, &mut document, problems);

    let daemon = document.single(Table::Daemon);
    let record = document.single(Table::Record);
    let health = document.single(Table::Health);
    let policy = document.single(Table::Policy);
    let authority = document.optional(Table::Authority);

    let keys = keys::keys(document.all(Table::Keys), folder, problems);
    let servers = inventory::servers(document.all(Table::Server), &keys, problems);
    let mut programs = Programs::in_path(std::env::var_os("PATH"));
    let sections = document.all(Table::Host);
    let hosts = inventory::hosts(sections, &health, &record, &mut programs, problems);
    let zones = zones::Zones {
        folder,
        record: &record,
        policy: &policy,
        keys: &keys,
        servers: &servers,
        hosts: &hosts,
        complete,
    }
    .check(document.all(Table::Zone), &top, problems);
    let authority = authority.map(|section| keys::authority(&section, &keys, folder, problems));

    inventory::unused(&document, &servers, &zones, authority.as_ref(), problems);
    Config {
        file: file.to_owned(),
        daemon: self::daemon(&daemon, folder, &mut programs, problems),
        canary: health.scope().addresses("canary").to_vec(),
        defaults: inventory::defaults(&health, &record),
        keys: keys.loaded,
        servers,
        hosts,
        zones,
        authority,
        warnings: Vec::new(),
    }
}

fn daemon(
    section: &Section,
    folder: &Path,
    programs: &mut Programs,
    problems: &mut Problems,
) -> Daemon {
    let scope = section.scope();
    let http = scope.addresses("http").first().copied();
    let http_token = keys::http_token(section, folder, http, problems);
    for hook in ["on_change", "on_alert"] {
        programs.warn(&scope, hook, problems);
    }
    Daemon {
        mode: scope.word("mode").unwrap_or(Mode::Audit),
        state_dir: state_dir_of(section, folder),
        interval: scope.duration("interval"),
        http,
        http_token,
        on_change: scope.texts("on_change"),
        on_alert: scope.texts("on_alert"),
    }
}

/// Adds the included files; false when one of them is missing from the picture.
fn include(top: &Section, main: &Path, document: &mut Document, problems: &mut Problems) -> bool {
    let folder = folder_of(main);
    let mut complete = true;
    for file in files::matching(top, "include", folder, problems, &mut complete) {
        if files::is_same(&file.path, main) {
            top.item_error(
                "include",
                file.item,
                "the pattern matches this file itself; narrow it",
                problems,
            );
            complete = false;
            continue;
        }
        match files::read_text(&file.path) {
            Ok(text) => {
                document.append(Document::read(&file.path, &text, Part::Included, problems));
                continue;
            }
            Err(TextError::NotUtf8 { line }) => {
                let place = Place {
                    file: file.path.as_path().into(),
                    line,
                };
                problems.error(&place, "", files::NOT_UTF8);
            }
            Err(TextError::Read(error)) => {
                let text = files::unreadable(&file.path, &error, "write it, or narrow the pattern");
                top.item_error("include", file.item, text, problems);
            }
        }
        complete = false;
    }
    complete
}
