//! The command line: one file per command.
//!
//! Data goes to stdout, everything else to stderr. Exit statuses are [`ExitStatus`]'s, or a
//! monitoring plugin's where the command line asks for that ([`End`]).

#![allow(clippy::disallowed_methods, reason = "shell")]

mod apply;
mod approved;
mod arguments;
mod check;
mod demo;
mod doctor;
mod edge;
mod explain;
mod failover;
mod generated;
mod history;
mod host;
mod output;
mod pause;
mod plan;
mod probe;
mod rollback;
mod run;
mod setup;
mod status;
mod understood;

use std::ffi::OsString;
use std::net::SocketAddr;
use std::num::NonZeroU32;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

use clap::builder::{PathBufValueParser, TypedValueParser};
use clap::{ArgAction, Args, Parser, Subcommand, ValueEnum};
use clap_complete::Shell;

use crate::config::{self, Config, ConfigError};
use crate::exit::{ExitStatus, chain};
use crate::explain::Given;
use crate::model::{Check, Name};
use crate::progress::Bars;
use crate::render::nagios;

/// Where the configuration stands when nobody says otherwise.
const DEFAULT_CONFIG: &str = "/etc/srvkeeper/srvkeeper.toml";

/// Where help lists what every command takes.
const GLOBAL: &str = "Global options";

/// Keeps the _vlmcs._tcp SRV records of every DNS zone equal to the set of KMS hosts that really
/// answer.
#[derive(Debug, Parser)]
#[command(name = "srvkeeper", version, arg_required_else_help = true)]
#[command(
    after_help = "Exit status: 0 done, or nothing to do; 1 failed; 2 changes are pending;
3 held by a guard, or too few hosts published; 4 stale; 64 usage."
)]
struct Cli {
    /// Configuration file [default: $SRVKEEPER_CONFIG, then /etc/srvkeeper/srvkeeper.toml]
    #[arg(long, value_name = "FILE", global = true, help_heading = GLOBAL)]
    config: Option<PathBuf>,

    /// When to colour the output
    #[arg(long, value_name = "WHEN", global = true, help_heading = GLOBAL, value_enum, default_value_t = Color::Auto)]
    color: Color,

    /// How to write log lines to stderr
    #[arg(long, value_name = "FORMAT", global = true, help_heading = GLOBAL, value_enum, default_value_t = LogFormat::Text)]
    log_format: LogFormat,

    /// Log more; twice for details
    #[arg(short, long, global = true, help_heading = GLOBAL, action = ArgAction::Count, conflicts_with = "quiet")]
    verbose: u8,

    /// Log errors only
    #[arg(short, long, global = true, help_heading = GLOBAL)]
    quiet: bool,

    #[command(subcommand)]
    command: Command,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Color {
    Auto,
    Always,
    Never,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum LogFormat {
    Text,
    Json,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Validate the configuration, the keys and their file modes, and print what was understood
    #[command(after_help = "Example: srvkeeper --config ./srvkeeper.toml check")]
    Check,
    /// Show what would change, and never write DNS
    #[command(after_help = "Examples:
  srvkeeper plan corp.example --format markdown
  srvkeeper plan --out approved.json       for review, and `apply --plan` later
  srvkeeper plan --format nsupdate | nsupdate -v -k ddns.key
  srvkeeper plan --format nagios           exits 0 OK, 1 WARNING, 2 CRITICAL, 3 UNKNOWN")]
    Plan(PlanArgs),
    /// Plan, show, ask, apply, and read back
    #[command(after_help = "Example: srvkeeper apply corp.example --yes")]
    Apply(ApplyArgs),
    /// Keep probing, and keep the zones: the daemon
    #[command(
        after_help = "Writes only where [daemon] mode = \"enforce\". SIGHUP reads the configuration again, SIGTERM and
Ctrl-C finish the updates under way and end it. --once is for cron and timers; beside a daemon it
takes --audit.

Examples:
  srvkeeper run
  srvkeeper run --once                     exits as apply --yes; in mode \"audit\" as plan
  srvkeeper run --once --audit             exits 0 nothing to do, 2 pending, 3 held"
    )]
    Run(RunArgs),
    /// Withdraw a failed host and publish another in its place, in every zone, now
    #[command(
        after_help = "Both hosts are forced, so that later runs keep it so, until --for is over or
`srvkeeper host clear`. When a zone fails, run the same command again.

Example: srvkeeper failover --from kms1.corp.example --to kms3.corp.example --reason \"disk failed\""
    )]
    Failover(FailoverArgs),
    /// Force hosts up or down for a while, list that, or end it
    #[command(
        subcommand,
        after_help = "Example: srvkeeper host down kms1.corp.example --for 4h"
    )]
    Host(HostCommand),
    /// Stop all writing by `run` for a while
    #[command(
        after_help = "`run` goes on probing and planning. `apply`, `failover` and `rollback` still write, and `host
list` shows the pause.

Example: srvkeeper pause --for 4h --reason \"DNS migration\""
    )]
    Pause(PauseArgs),
    /// End a pause before its time
    #[command(after_help = "Example: srvkeeper resume")]
    Resume,
    /// Show what the running daemon knows: hosts, zones, what is held, overrides
    #[command(
        after_help = "Zones that ask for attention come first. Exits 0 when a daemon answered, whatever it says, and 1
otherwise; `plan` and `history` need no daemon.

Examples:
  srvkeeper status
  srvkeeper status --format json           what /api/v1/status answers"
    )]
    Status(StatusArgs),
    /// List what was changed in DNS, the newest first, or show all of one change
    #[command(after_help = "Examples:
  srvkeeper history --zone corp.example --limit 50
  srvkeeper history 17                     why, from what to what, and what the server said
  srvkeeper history --format json")]
    History(HistoryArgs),
    /// Undo one recorded change, provided that nobody changed the RRset since
    #[command(
        after_help = "The RRset becomes what it was before the change, and the hosts that this moves are forced to
stay there, so that later runs leave it so, until --for is over or `srvkeeper host clear`.

Example: srvkeeper rollback 17 --for 4h --dry-run"
    )]
    Rollback(RollbackArgs),
    /// Probe hosts and say why they are up or down
    #[command(
        after_help = "Exit status: 0 all up; 2 some down; 1 it could not be told of one.

Example: srvkeeper probe kms1.corp.example [2001:db8::1]:1688 --check tcp"
    )]
    Probe(ProbeArgs),
    /// Find out whether updates can work, and how to repair what stops them; changes nothing
    #[command(
        after_help = "Exit status: 0 fine; 3 warnings only; 1 failures. What cannot be told, marked ?, does not count.
-v shows what passed, too.

Examples:
  srvkeeper doctor corp.example
  srvkeeper doctor --format json           for monitoring"
    )]
    Doctor(DoctorArgs),
    /// Say what a KMS error code or event means, and what to run next
    #[command(
        after_help = "CODE is hexadecimal with or without 0x, decimal, or negative; an event's number; or a Win32 code
that a known code wraps. A code that is not known ends with 1.

Examples:
  srvkeeper explain 0xC004F074
  srvkeeper explain -1073418124            the same, as a signed number
  srvkeeper explain 12289                  an event: its fields, and what a wrong value means
  srvkeeper explain                        a line for each"
    )]
    Explain(ExplainArgs),
    /// Show the whole loop on the embedded primary with simulated KMS hosts; needs nothing
    #[command(after_help = "Example: srvkeeper demo --once")]
    Demo(DemoArgs),
    /// Print the completion script of a shell
    #[command(after_help = "Examples:
  srvkeeper completions bash > /etc/bash_completion.d/srvkeeper
  srvkeeper completions fish > ~/.config/fish/completions/srvkeeper.fish")]
    Completions {
        /// The shell
        #[arg(value_name = "SHELL", value_enum)]
        shell: Shell,
    },
    /// Write the manual pages, for whoever makes a package
    #[command(hide = true, after_help = "Example: srvkeeper man --out target/man")]
    Man {
        /// The folder to write them to
        #[arg(long, value_name = "DIR")]
        out: PathBuf,
    },
}

#[derive(Debug, Args)]
struct Selection {
    /// Zones, as configured; all when none is named
    #[arg(value_name = "ZONE", value_parser = Name::parse_host)]
    zones: Vec<Name>,

    /// Do not probe: every host is unknown, so none is added or removed for its health
    #[arg(long)]
    no_probe: bool,
}

#[derive(Debug, Args)]
struct PlanArgs {
    #[command(flatten)]
    selection: Selection,

    /// How to print the plan [default: text; with --out: json]
    #[arg(long, value_enum)]
    format: Option<PlanFormat>,

    /// Write the plan to FILE, whole or not at all, and nothing to stdout
    #[arg(long, value_name = "FILE", value_parser = PathBufValueParser::new().try_map(output::file))]
    out: Option<PathBuf>,

    /// Count foreign and contested records as pending changes
    #[arg(long)]
    strict: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum PlanFormat {
    /// For people, in the width of the terminal
    Text,
    /// For programs, and for `apply --plan`
    Json,
    /// For tickets
    Markdown,
    /// For mail: one page, nothing fetched
    Html,
    /// A script for nsupdate, guarded like our own update
    Nsupdate,
    /// The records as they would be, as zone file text
    Zone,
    /// A script for the DnsServer module of Windows
    Powershell,
    /// One line for monitoring; the exit status is a plugin's
    Nagios,
}

#[derive(Debug, Args)]
struct ApplyArgs {
    #[command(flatten)]
    selection: Selection,

    /// Apply exactly this plan, made with `srvkeeper plan --out FILE`, or nothing
    #[arg(long, value_name = "FILE", conflicts_with = "allow_removals")]
    plan: Option<PathBuf>,

    /// Do not ask
    #[arg(long)]
    yes: bool,

    /// Let this many hosts leave each zone in this run, whatever max_removals says
    #[arg(long, value_name = "N")]
    allow_removals: Option<u32>,
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Go through all zones once, and end
    #[arg(long)]
    once: bool,

    /// Never write, whatever the configuration says
    #[arg(long)]
    audit: bool,
}

/// How long an override holds, and why.
#[derive(Debug, Args)]
struct OverrideArgs {
    /// How long it holds, at most 90d
    #[arg(long = "for", value_name = "DURATION", default_value = "24h", value_parser = arguments::override_length)]
    length: Duration,

    /// Why, for everybody who wonders later
    #[arg(long, value_name = "TEXT", value_parser = arguments::reason)]
    reason: Option<String>,
}

#[derive(Debug, Args)]
struct FailoverArgs {
    /// The host to withdraw
    #[arg(long, value_name = "HOST", value_parser = arguments::host)]
    from: Name,

    /// The host to publish; without it the first standby that is up
    #[arg(long, value_name = "HOST", value_parser = arguments::host)]
    to: Option<Name>,

    #[command(flatten)]
    word: OverrideArgs,

    /// Publish the host of --to although it does not answer
    #[arg(long, requires = "to")]
    force: bool,

    /// Show what would change, and neither store nor write anything
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Subcommand)]
enum HostCommand {
    /// List every inventory host with its override, and a pause of `run`
    #[command(after_help = "Example: srvkeeper host list --format json")]
    List {
        /// How to print the list
        #[arg(long, value_enum, default_value_t = ListFormat::Text)]
        format: ListFormat,
    },
    /// Have a host withdrawn, whatever the probes say
    #[command(after_help = "It passes every guard but min_hosts.

Example: srvkeeper host down kms1.corp.example --for 4h --reason patching")]
    Down(ForceArgs),
    /// Have a host published, whatever the probes say
    #[command(
        after_help = "Example: srvkeeper host up kms3.corp.example --for 7d --reason \"probe is filtered\""
    )]
    Up(ForceArgs),
    /// End a host's override, and try again where its records are contested
    #[command(after_help = "Example: srvkeeper host clear kms1.corp.example")]
    Clear {
        /// The host, as in the inventory
        #[arg(value_name = "HOST", value_parser = arguments::host)]
        host: Name,
    },
}

#[derive(Debug, Args)]
struct ForceArgs {
    /// The host, as in the inventory
    #[arg(value_name = "HOST", value_parser = arguments::host)]
    host: Name,

    #[command(flatten)]
    word: OverrideArgs,
}

#[derive(Debug, Args)]
struct PauseArgs {
    /// How long it holds, at most 90d
    #[arg(long = "for", value_name = "DURATION", default_value = "24h", value_parser = arguments::pause_length)]
    length: Duration,

    /// Why, for everybody who wonders later
    #[arg(long, value_name = "TEXT", value_parser = arguments::reason)]
    reason: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum ListFormat {
    /// For people, in the width of the terminal
    Text,
    /// For programs
    Json,
}

#[derive(Debug, Args)]
struct StatusArgs {
    /// How to print it
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,
}

#[derive(Debug, Args)]
struct HistoryArgs {
    /// The number of one change; all that is known of it is shown
    #[arg(value_name = "ID", value_parser = clap::value_parser!(i64).range(1..), conflicts_with_all = ["zone", "limit"])]
    id: Option<i64>,

    /// Only the changes of this zone, configured or not
    #[arg(long, value_name = "ZONE", value_parser = Name::parse_host)]
    zone: Option<Name>,

    /// At most so many changes
    #[arg(long, value_name = "N", default_value = "20")]
    limit: NonZeroU32,

    /// How to print them
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,
}

#[derive(Debug, Args)]
struct RollbackArgs {
    /// The number of the change, as `srvkeeper history` shows it
    #[arg(value_name = "ID", value_parser = clap::value_parser!(i64).range(1..))]
    id: i64,

    /// How long the hosts that it moves are held where they are then, at most 90d
    #[arg(long = "for", value_name = "DURATION", default_value = "24h", value_parser = arguments::override_length)]
    length: Duration,

    /// Show what would change, and neither store nor write anything
    #[arg(long)]
    dry_run: bool,

    /// Do not ask
    #[arg(long)]
    yes: bool,
}

#[derive(Debug, Args)]
struct ProbeArgs {
    /// Hosts of the inventory, or any others by name or address, IPv6 in brackets; the whole
    /// inventory but the retired when none is named
    #[arg(value_name = "HOST[:PORT]")]
    hosts: Vec<probe::Target>,

    /// How to ask, in place of what is configured; several must all pass
    #[arg(long, value_enum, value_delimiter = ',', value_name = "CHECK")]
    check: Vec<CheckName>,

    /// How to print what was found
    #[arg(long, value_enum, default_value_t = ProbeFormat::Text)]
    format: ProbeFormat,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum CheckName {
    Rpc,
    Tcp,
    Exec,
}

impl CheckName {
    /// Each check once, in the order given.
    fn checks(names: &[Self]) -> Vec<Check> {
        let mut checks = Vec::with_capacity(names.len());
        for name in names {
            let check = match name {
                Self::Rpc => Check::Rpc,
                Self::Tcp => Check::Tcp,
                Self::Exec => Check::Exec,
            };
            if !checks.contains(&check) {
                checks.push(check);
            }
        }
        checks
    }
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum ProbeFormat {
    Text,
    Json,
}

#[derive(Debug, Args)]
struct DoctorArgs {
    /// Zones, as configured; all when none is named
    #[arg(value_name = "ZONE", value_parser = Name::parse_host)]
    zones: Vec<Name>,

    /// How to print what was found
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,
}

#[derive(Debug, Args)]
struct ExplainArgs {
    /// The code or event, as it was pasted; all that are known when none is named
    #[arg(value_name = "CODE", value_parser = crate::explain::parse, allow_negative_numbers = true)]
    code: Option<Given>,

    /// How to print it
    #[arg(long, value_enum, default_value_t = ListFormat::Text)]
    format: ListFormat,
}

#[derive(Debug, Args)]
struct DemoArgs {
    /// End after the story; exit status 0 only when every step was verified
    #[arg(long)]
    once: bool,

    /// Serve the status page at this loopback address, such as 127.0.0.1:9686
    #[arg(long, value_name = "ADDR", value_parser = arguments::loopback)]
    http: Option<SocketAddr>,
}

/// How a command line ended, in the convention that it asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    /// In our own statuses.
    Status(ExitStatus),
    /// As a monitoring plugin (`--format nagios`).
    Plugin(nagios::State),
}

impl From<ExitStatus> for End {
    fn from(status: ExitStatus) -> Self {
        Self::Status(status)
    }
}

impl From<End> for ExitCode {
    fn from(end: End) -> Self {
        match end {
            End::Status(status) => status.into(),
            End::Plugin(state) => state.code().into(),
        }
    }
}

/// Runs one command line, program name first.
pub fn run(arguments: impl IntoIterator<Item = OsString>) -> End {
    let arguments: Vec<OsString> = arguments.into_iter().collect();
    // Known before the arguments are understood: a mistake in them must reach the monitoring too.
    let is_plugin = is_plugin(&arguments);
    let end = |status: ExitStatus, why: &str| {
        if is_plugin {
            edge::data(&nagios::unknown(why));
            End::Plugin(nagios::State::Unknown)
        } else {
            status.into()
        }
    };
    let cli = match Cli::try_parse_from(arguments) {
        Ok(cli) => cli,
        Err(error) => {
            // A closed stream leaves nobody to tell.
            let _ = error.print();
            if !error.use_stderr() {
                return ExitStatus::Done.into();
            }
            let text = error.to_string();
            return end(ExitStatus::Usage, text.lines().next().unwrap_or_default());
        }
    };
    edge::set_color(cli.color);
    let bars = edge::bars(cli.log_format, cli.quiet);
    // A daemon's log is all that there is to see of it.
    let daemon = matches!(cli.command, Command::Run(RunArgs { once: false, .. }));
    let verbose = cli.verbose.saturating_add(u8::from(daemon));
    // The demonstration shows what its daemon does by itself.
    let quiet = cli.quiet || matches!(cli.command, Command::Demo(_)) && verbose == 0;
    edge::start_log(cli.log_format, verbose, quiet, &bars);
    let done = dispatch(&cli, &bars).and_then(|done| edge::check_written().map(|()| done));
    match done {
        Ok(done) => done,
        Err(failure) => {
            edge::error(&failure.text);
            end(failure.status, &failure.text)
        }
    }
}

fn is_plugin(arguments: &[OsString]) -> bool {
    arguments
        .iter()
        .any(|argument| argument == "--format=nagios")
        || arguments
            .windows(2)
            .any(|pair| matches!(pair, [key, value] if key == "--format" && value == "nagios"))
}

fn dispatch(cli: &Cli, bars: &Bars) -> Result<End, Failure> {
    let file = cli.config.clone().or_else(edge::configured_file);
    let file = file.as_deref();
    let configured = file.unwrap_or(Path::new(DEFAULT_CONFIG));
    let config = || load(configured);
    let state_dir = || state_dir(configured);
    match &cli.command {
        Command::Check => check::run(&config()?, cli.verbose > 0).map(End::from),
        Command::Plan(arguments) => plan::run(&config()?, arguments, bars),
        Command::Apply(arguments) => apply::run(&config()?, arguments, bars).map(End::from),
        Command::Run(arguments) => run::run(config()?, arguments, bars),
        Command::Failover(arguments) => failover::run(&config()?, arguments, bars).map(End::from),
        Command::Host(command) => host::run(&config()?, command).map(End::from),
        Command::Pause(arguments) => pause::run(&state_dir()?, arguments).map(End::from),
        Command::Resume => pause::resume(&state_dir()?).map(End::from),
        Command::Status(arguments) => status::run(&state_dir()?, arguments).map(End::from),
        Command::History(arguments) => history::run(&state_dir()?, arguments).map(End::from),
        Command::Rollback(arguments) => rollback::run(&config()?, arguments, bars).map(End::from),
        Command::Probe(arguments) => probe::run(file, arguments, bars).map(End::from),
        Command::Doctor(arguments) => {
            doctor::run(&config()?, arguments, cli.verbose > 0, bars).map(End::from)
        }
        Command::Explain(arguments) => explain::run(arguments).map(End::from),
        Command::Demo(arguments) => demo::run(arguments).map(End::from),
        Command::Completions { shell } => Ok(generated::completions(*shell).into()),
        Command::Man { out } => generated::manual(out).map(End::from),
    }
}

/// Why a command ended early: what to print, and the status.
#[derive(Debug)]
struct Failure {
    status: ExitStatus,
    text: String,
}

impl Failure {
    fn new(status: ExitStatus, text: impl Into<String>) -> Self {
        Self {
            status,
            text: text.into(),
        }
    }

    fn from_error(error: &dyn std::error::Error) -> Self {
        Self::new(ExitStatus::Failed, chain(error))
    }
}

/// Where the state is, for commands that need nothing else of the configuration: a mistake elsewhere
/// in it, which a running daemon does not take up either, keeps nobody from pausing that daemon.
fn state_dir(file: &Path) -> Result<PathBuf, Failure> {
    let failure = match load(file) {
        Ok(config) => return Ok(config.daemon.state_dir),
        Err(failure) => failure,
    };
    let Some(dir) = config::state_dir(file) else {
        return Err(failure);
    };
    edge::note(&format!(
        "warning: {}; going on with the state directory {}, which is all that is needed here",
        failure.text,
        dir.display()
    ));
    Ok(dir)
}

/// Reads the configuration; its problems and warnings go to stderr, each on a line.
fn load(file: &Path) -> Result<Config, Failure> {
    match config::load(file) {
        Ok(config) => {
            for warning in &config.warnings {
                edge::note(&format!("warning: {warning}"));
            }
            Ok(config)
        }
        Err(error) => {
            if let ConfigError::Invalid(problems) = &error {
                for problem in problems {
                    edge::problem(&problem.to_string());
                }
            }
            Err(Failure::from_error(&error))
        }
    }
}
