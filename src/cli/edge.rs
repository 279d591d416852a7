//! The edge: streams, colour, the log, and the one question.

use std::env;
use std::io::{self, BufRead, IsTerminal, Write};
use std::path::PathBuf;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use anstream::{AutoStream, ColorChoice};
use tracing::Level;
use tracing_subscriber::filter::Targets;
use tracing_subscriber::layer::SubscriberExt;
use tracing_subscriber::util::SubscriberInitExt;

use crate::exit::ExitStatus;
use crate::progress::Bars;
use crate::render::text::Layout;

use super::{Color, Failure, LogFormat};

/// Columns where no terminal tells.
const DEFAULT_WIDTH: usize = 80;

/// Sets when styles reach the streams.
pub(super) fn set_color(color: Color) {
    match color {
        Color::Auto => ColorChoice::Auto,
        Color::Always => ColorChoice::Always,
        Color::Never => ColorChoice::Never,
    }
    .write_global();
}

/// Bars where somebody sees them: on a terminal, unless stderr is to be quiet or for programs.
pub(super) fn bars(format: LogFormat, quiet: bool) -> Bars {
    if quiet || format == LogFormat::Json || !io::stderr().is_terminal() {
        Bars::hidden()
    } else {
        Bars::on_stderr()
    }
}

/// Starts the log on stderr: warnings, with `-v` what happens, with `-vv` details.
pub(super) fn start_log(format: LogFormat, verbose: u8, quiet: bool, bars: &Bars) {
    let level = match (quiet, verbose) {
        (true, _) => Level::ERROR,
        (false, 0) => Level::WARN,
        (false, 1) => Level::INFO,
        (false, _) => Level::DEBUG,
    };
    // The DNS libraries log every request at info: theirs stay at warnings.
    let filter = Targets::new()
        .with_default(level.min(Level::WARN))
        .with_target("srvkeeper", level)
        .with_target(NOTES, Level::INFO);
    let registry = tracing_subscriber::registry().with(filter);
    let layer = tracing_subscriber::fmt::layer().with_writer(bars.log());
    // A second start (a library user with a log of its own) leaves the first in place.
    let _ = match format {
        LogFormat::Text => registry
            .with(
                layer
                    .with_ansi(io::stderr().is_terminal())
                    .with_target(false),
            )
            .try_init(),
        LogFormat::Json => {
            FOR_PROGRAMS.store(true, Ordering::Relaxed);
            registry.with(layer.json()).try_init()
        }
    };
}

/// Where notes go in a log for programs: like those for people they do not depend on `-q` and `-v`.
const NOTES: &str = "srvkeeper::note";

/// True when a program reads stderr: then each line is JSON once the arguments are understood.
static FOR_PROGRAMS: AtomicBool = AtomicBool::new(false);

/// What stdout can show.
pub(super) fn layout() -> Layout {
    let width = terminal_size::terminal_size_of(io::stdout())
        .map_or(DEFAULT_WIDTH, |(terminal_size::Width(width), _height)| {
            usize::from(width)
        });
    Layout {
        width: width.max(40),
        unicode: !io::stdout().is_terminal() || speaks_utf8(),
    }
}

/// The same for a list whose lines are cut to fit: for a program, they are not.
pub(super) fn table_layout() -> Layout {
    let layout = layout();
    match io::stdout().is_terminal() {
        true => layout,
        false => Layout {
            width: usize::MAX,
            ..layout
        },
    }
}

fn speaks_utf8() -> bool {
    ["LC_ALL", "LC_CTYPE", "LANG"]
        .into_iter()
        .filter_map(|name| env::var(name).ok())
        .find(|value| !value.is_empty())
        .is_none_or(|value| value.to_ascii_lowercase().replace('-', "").contains("utf8"))
}

/// The first error of stdout; it ends the output, not the program, and is told at the end.
static LOST: OnceLock<io::Error> = OnceLock::new();

/// The configuration file that the environment names; an empty variable names none.
pub(super) fn configured_file() -> Option<PathBuf> {
    env::var_os("SRVKEEPER_CONFIG")
        .filter(|file| !file.is_empty())
        .map(PathBuf::from)
}

/// Prints data to stdout.
pub(super) fn data(text: &str) {
    let mut out = io::stdout().lock();
    // Gathered, because what strips the styles writes each piece between two of them by itself:
    // with many zones that is thousands of system calls.
    let mut shown = AutoStream::new(Vec::new(), AutoStream::choice(&out));
    let written = shown
        .write_all(text.as_bytes())
        .and_then(|()| out.write_all(&shown.into_inner()))
        .and_then(|()| out.flush());
    keep(written);
}

/// Prints JSON to stdout as it is made.
pub(super) fn json(write: impl FnOnce(&mut dyn Write) -> io::Result<()>) {
    let mut out = io::BufWriter::new(io::stdout().lock());
    keep(write(&mut out).and_then(|()| out.flush()));
}

fn keep(written: io::Result<()>) {
    if let Err(error) = written {
        // Only the first one counts.
        let _ = LOST.set(error);
    }
}

/// Fails when data was lost, as on a full disk: half a plan must not look like a whole one. A reader
/// that went away has what it wanted.
pub(super) fn check_written() -> Result<(), Failure> {
    match LOST.get() {
        Some(error) if error.kind() != io::ErrorKind::BrokenPipe => Err(Failure::new(
            ExitStatus::Failed,
            format!("the output is incomplete: {error}"),
        )),
        _ => Ok(()),
    }
}

/// Who runs this: the name, or the number where the environment tells no name.
pub(super) fn user() -> String {
    ["SUDO_USER", "LOGNAME", "USER"]
        .into_iter()
        .filter_map(|name| env::var(name).ok())
        .map(|user| user.chars().filter(|c| !c.is_control()).collect::<String>())
        .find(|user| !user.is_empty())
        .unwrap_or_else(|| format!("uid {}", rustix::process::getuid().as_raw()))
}

/// Who asked, for the record of changes: `apply by alice`.
pub(super) fn actor(command: &str) -> String {
    format!("{command} by {}", user())
}

/// Prints a line for people to stderr.
pub(super) fn note(text: &str) {
    if FOR_PROGRAMS.load(Ordering::Relaxed) {
        return tracing::info!(target: NOTES, "{text}");
    }
    let _ = writeln!(anstream::stderr(), "{text}");
}

/// Prints what is wrong with the configuration.
pub(super) fn problem(text: &str) {
    if FOR_PROGRAMS.load(Ordering::Relaxed) {
        return tracing::error!("{text}");
    }
    note(text);
}

/// Prints the error that ends the program.
pub(super) fn error(text: &str) {
    let who = match FOR_PROGRAMS.load(Ordering::Relaxed) {
        true => "",
        false => "srvkeeper: ",
    };
    problem(&format!("{who}{text}"));
}

/// Asks on the terminal. `None`: there is no terminal to ask on.
///
/// A thread of its own waits for the answer, so that Ctrl-C is heard; when nobody wants the answer
/// any more, it ends with the program.
pub(super) async fn ask(question: &str) -> Option<bool> {
    if !io::stdin().is_terminal() {
        return None;
    }
    let _ = write!(anstream::stderr(), "{question} [y/N] ");
    let _ = anstream::stderr().flush();
    let (answered, answer) = tokio::sync::oneshot::channel();
    std::thread::spawn(move || {
        let mut line = String::new();
        let read = io::stdin().lock().read_line(&mut line);
        let _ = answered.send(read.ok().map(|_octets| line));
    });
    let line = answer.await.ok().flatten()?;
    Some(matches!(line.trim(), "y" | "Y" | "yes" | "Yes"))
}
