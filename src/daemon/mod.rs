//! The daemon: probes hosts at their intervals, and reconciles zones by timer and transition.
//!
//! ```text
//! probing ──► samples ──► keeper ──► batches: recall, plan, lock, apply ──► reports
//!                          │  ▲                                               │
//! signals ──► Control ─────┘  └──────── schedule: when each zone is due ◄─────┘
//! ```
//!
//! One loop (`keeper`) owns what is known of the `hosts` and decides when a zone is due; `batch` walks
//! through zones that are due together, by the same `reconcile::run_once` as every command, without
//! keeping the loop from its other work; `schedule` is a table with time passed in; `polling` looks
//! for what operators said; `refreshing` adds records again where a zone wants that; `telling` is the
//! log's. A reload ends one keeper and begins the next with the tracks of its hosts.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod alerts;
mod batch;
mod board;
mod carried;
mod following;
mod hosts;
mod keeper;
mod notify;
mod polling;
mod probing;
mod refreshing;
mod schedule;
mod signals;
mod store_watch;
mod telling;

use std::io;
use std::sync::Arc;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::{error, info, warn};

use crate::authority::{AuthorityError, AuthoritySettings, Primary};
use crate::config::{self, Config, ConfigError, Key, Mode};
use crate::exit::chain;
use crate::hooks::Hooks;
use crate::http::{self, HttpError, Server, Token};
use crate::model::{KeptSample, Name, Verdict};
use crate::reconcile::ZoneReport;
use crate::store::{Store, StoreError};
use board::Board;
use carried::Carried;
use keeper::{Ears, End, Keeper};

pub use signals::signals;

/// Updates under way are finished within this time at the end; what is open then, the next start
/// settles.
const FINISH: Duration = Duration::from_millis(2500);

/// The same before another configuration is in force: longer than any exchange waits.
const FINISH_BEFORE_RELOAD: Duration = Duration::from_secs(30);

/// Time for the embedded primary to finish what it is doing. With the times of `keeper` and of the
/// hooks, the end takes less than five seconds.
const PRIMARY_SHUTDOWN: Duration = Duration::from_millis(500);

/// Time for the hooks that wait, before they are killed.
const HOOKS_SHUTDOWN: Duration = Duration::from_secs(1);

/// What the daemon is told from outside.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Control {
    /// Read the configuration again.
    Reload,
    /// Finish what is under way, and end.
    Stop,
}

/// What the daemon tells.
#[derive(Debug)]
pub enum Event<'a> {
    /// It has begun, or begun anew with another configuration.
    Ready,
    /// A host is in another state.
    Transition {
        /// The host.
        host: &'a Name,
        /// What is believed of it now.
        verdict: &'a Verdict,
    },
    /// Zones were walked through.
    Reconciled {
        /// What became of each.
        reports: &'a [ZoneReport],
        /// Who asked.
        actor: &'a str,
    },
    /// A new configuration was refused; the old one stays in force.
    ReloadRefused,
}

/// Hears what the daemon tells; returns at once.
pub type Listener<'a> = dyn Fn(Event<'_>) + 'a;

/// How the daemon runs.
#[derive(Debug, Clone, Copy, Default)]
pub struct Options {
    /// Never write, whatever the configuration's `mode` is.
    pub audit: bool,
}

/// Why the daemon does not run.
#[derive(Debug, thiserror::Error)]
pub enum DaemonError {
    /// The state directory cannot be used, or another daemon has it.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The embedded primary does not serve.
    #[error(transparent)]
    Authority(#[from] AuthorityError),
    /// The embedded primary's key is not one that it can take.
    #[error("[authority] key \"{key}\" is no TSIG key; the embedded primary takes no other kind")]
    AuthorityKey {
        /// Its name.
        key: String,
    },
    /// The status page is not served.
    #[error(transparent)]
    Http(#[from] HttpError),
    /// Nobody would hear the signals.
    #[error("cannot wait for signals")]
    Signals(#[source] io::Error),
}

/// Runs until [`Control::Stop`], or until nobody is left to say it.
///
/// Must be called within a tokio runtime.
pub async fn run(
    config: Config,
    options: Options,
    control: &mut mpsc::Receiver<Control>,
    listener: &Listener<'_>,
) -> Result<(), DaemonError> {
    let store = Store::open(&config.daemon.state_dir)?;
    let _alone = store.lock_daemon()?;
    let board = Board::new(Timestamp::now());
    board.configure(&config, may_write(&config, options));
    board.remember(&kept_samples(&config));
    // Who asks before the loop turns is to see zones that were not looked at yet, not none.
    board.publish();
    let server = start_server(&config, &board)?;
    let primary = start_primary(&config).await?;
    let mut carried = Carried {
        tracks: store.tracks().await?.into_iter().collect(),
        ..Carried::default()
    };
    let mut config = Arc::new(config);
    let mut hooks = start_hooks(&config);
    let (mut cause, mut told) = ("start", "started");
    loop {
        let ears = Ears {
            listener,
            hooks: &hooks,
            board: &board,
        };
        let mut keeper = Keeper::start(
            Arc::clone(&config),
            options,
            store.clone(),
            carried,
            cause,
            ears,
        );
        telling::configuration(told, &config, options, server.address());
        notify::ready();
        listener(Event::Ready);
        let end = keeper.serve(control).await;
        if matches!(end, End::Stop) {
            notify::stopping();
        }
        let limit = match &end {
            End::Stop => FINISH,
            // What is under way is not to be cut off by another configuration.
            End::Reload(_) => FINISH_BEFORE_RELOAD,
        };
        carried = keeper.finish(limit).await;
        let End::Reload(next) = end else {
            break;
        };
        carried.forget_zones_gone(&config, &next);
        if !same_hooks(&config, &next) {
            hooks.finish(HOOKS_SHUTDOWN).await;
            hooks = start_hooks(&next);
        }
        config = next;
        board.configure(&config, may_write(&config, options));
        (cause, told) = ("reload", "reloaded: this configuration is in force now");
    }
    hooks.finish(HOOKS_SHUTDOWN).await;
    if let Some(primary) = primary
        && timeout(PRIMARY_SHUTDOWN, primary.shutdown()).await.is_err()
    {
        warn!("the embedded primary did not stop within {PRIMARY_SHUTDOWN:?}");
    }
    Ok(())
}

/// Serves what the board says.
fn start_server(config: &Config, board: &Board) -> Result<Server, DaemonError> {
    let daemon = &config.daemon;
    let settings = http::Settings {
        listen: daemon.http,
        token: daemon.http_token.clone().map(Token::new),
        state_dir: daemon.state_dir.clone(),
    };
    let server = Server::start(settings, board.feed())?;
    if let Some(address) = server.address() {
        info!(%address, "serving the status page");
    }
    Ok(server)
}

/// The samples of the last hour, which are shown and decide nothing.
fn kept_samples(config: &Config) -> Vec<KeptSample> {
    let hour = SignedDuration::from_hours(1);
    let since = Timestamp::now().checked_sub(hour).unwrap_or(Timestamp::MIN);
    Store::read_samples(&config.daemon.state_dir, since).unwrap_or_else(|error| {
        warn!("the last hour's samples are not shown: {}", chain(&error));
        Vec::new()
    })
}

fn start_hooks(config: &Config) -> Hooks {
    Hooks::start(&config.daemon.on_change, &config.daemon.on_alert)
}

fn same_hooks(before: &Config, after: &Config) -> bool {
    before.daemon.on_change == after.daemon.on_change
        && before.daemon.on_alert == after.daemon.on_alert
}

async fn start_primary(config: &Config) -> Result<Option<Primary>, DaemonError> {
    let Some(authority) = &config.authority else {
        return Ok(None);
    };
    let secret = |name: &String| match config.keys.get(name) {
        Some(Key::Tsig(secret)) => Ok(secret.clone()),
        _ => Err(DaemonError::AuthorityKey { key: name.clone() }),
    };
    let primary = Primary::start(AuthoritySettings {
        listen: authority.listen.clone(),
        key: secret(&authority.key)?,
        transfer_key: authority.transfer_key.as_ref().map(secret).transpose()?,
        zones: authority.zones.clone(),
        state_dir: config.daemon.state_dir.clone(),
    })
    .await?;
    info!(addresses = ?primary.addresses(), "the embedded primary serves");
    Ok(Some(primary))
}

/// Reads the configuration anew; errors are told, and leave the present one in force.
fn reload(present: &Config) -> Option<Arc<Config>> {
    let next = match config::load(&present.file) {
        Ok(next) => next,
        Err(refused) => {
            if let ConfigError::Invalid(problems) = &refused {
                for problem in problems {
                    error!("{problem}");
                }
            }
            error!(
                "the new configuration is refused, the old one stays in force: {}",
                chain(&refused)
            );
            return None;
        }
    };
    if let Some(what) = needs_restart(present, &next) {
        error!(
            "the new configuration is refused, the old one stays in force: {what} changed, which takes a restart"
        );
        return None;
    }
    for warning in &next.warnings {
        warn!("{warning}");
    }
    Some(Arc::new(next))
}

/// What only a new process can change.
fn needs_restart(present: &Config, next: &Config) -> Option<&'static str> {
    if present.daemon.state_dir != next.daemon.state_dir {
        Some("daemon.state_dir")
    } else if present.daemon.http != next.daemon.http {
        Some("daemon.http")
    } else if !same_token(present, next) {
        Some("the token in daemon.http_token_file")
    } else if present.authority != next.authority {
        Some("[authority]")
    } else {
        None
    }
}

fn same_token(present: &Config, next: &Config) -> bool {
    let token = |config: &Config| config.daemon.http_token.clone().map(Token::new);
    match (token(present), token(next)) {
        (Some(present), Some(next)) => present.is(&next),
        (present, next) => present.is_none() && next.is_none(),
    }
}

/// True when the daemon may write under this configuration, pauses aside.
fn may_write(config: &Config, options: Options) -> bool {
    config.daemon.mode == Mode::Enforce && !options.audit
}
