//! What commands share: the zones and hosts asked for, verdicts, what is remembered.

use std::collections::{BTreeMap, BTreeSet};
use std::future::Future;
use std::path::Path;
use std::pin::pin;
use std::time::Duration;

use futures_util::future::{self, Either};
use futures_util::stream;
use jiff::Timestamp;
use serde::Deserialize;
use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;
use tracing::warn;

use crate::config::Config;
use crate::dns::resolve::Resolver;
use crate::exit::{ExitStatus, chain};
use crate::hooks::Hooks;
use crate::http;
use crate::model::{Host, Name, Override, Verdicts};
use crate::progress::Bars;
use crate::reconcile::{
    self, Connections, Context, FOLLOW, FollowGround, Interrupt, Interrupter, Original, PATIENCE,
    Recalled, Surroundings, ZoneReport,
};
pub(super) use crate::reconcile::{assemble, work};
use crate::render::pause::Daemon;
use crate::render::{self, hook};
use crate::store::{RunLock, Store};

use super::{Failure, Selection, edge};

/// A wait that is longer is announced.
const SOON: Duration = Duration::from_secs(1);

/// Where a command tells of the zones that it has written.
pub(super) type Written = mpsc::UnboundedSender<Original>;

/// What a command's asynchronous part stands in.
pub(super) struct Session<'a> {
    resolver: Resolver,
    bars: &'a Bars,
    pub(super) interrupt: Interrupt,
    /// What `run` calls; other commands have somebody who reads their output.
    pub(super) hooks: Option<Hooks>,
}

impl Session<'_> {
    /// The same, as a run takes it.
    pub(super) fn surroundings(&self) -> Surroundings<'_> {
        Surroundings {
            resolver: &self.resolver,
            progress: self.bars,
            interrupt: &self.interrupt,
        }
    }

    /// Why a command ends that was interrupted before it wrote anything more.
    pub(super) fn check_interrupt(&self) -> Result<(), Failure> {
        if self.interrupt.is_raised() {
            return Err(Failure::new(
                ExitStatus::Failed,
                "interrupted; nothing more was written",
            ));
        }
        Ok(())
    }

    /// Has `on_change` hear what became of these zones.
    pub(super) fn hook(&self, reports: &[ZoneReport], actor: &str) {
        let Some(hooks) = &self.hooks else {
            return;
        };
        for report in reports {
            if let (Ok(plan), Some(outcome)) = (&report.plan, &report.outcome) {
                match hook::change(plan, outcome, actor, Timestamp::now()) {
                    Ok(json) => hooks.change(json),
                    Err(error) => warn!("on_change was not called: {error}"),
                }
            }
        }
    }

    /// Runs `work`, which names each zone once it is written, and follows the other servers of those
    /// zones beside it; then waits until they publish the same, for a while, and tells of them.
    ///
    /// The run lock is not needed for the waiting, so `work` lets go of it.
    pub(super) async fn follow<T>(
        &self,
        config: &Config,
        connections: &Connections,
        work: impl AsyncFnOnce(&Written) -> Result<T, Failure>,
    ) -> Result<T, Failure> {
        let ground = FollowGround {
            config,
            surroundings: self.surroundings(),
            connections,
        };
        let (sender, mut written) = mpsc::unbounded_channel();
        let written = stream::poll_fn(move |context| written.poll_recv(context));
        let following = pin!(reconcile::follow(ground, written));
        let work = pin!(async move { work(&sender).await });
        let (done, copies) = match future::select(work, following).await {
            Either::Left((done, following)) => (done?, announced(following).await),
            // Not before the work, which has the sender.
            Either::Right((copies, work)) => (work.await?, copies),
        };
        edge::data(&render::copies::copies(&copies, edge::layout()));
        Ok(done)
    }

    /// Asks on the terminal; without one the answer must stand on the command line.
    pub(super) async fn ask(&self, question: &str) -> Result<bool, Failure> {
        self.check_interrupt()?;
        let answer = self.interrupt.unless_raised(edge::ask(question)).await;
        self.check_interrupt()?;
        answer.flatten().ok_or_else(|| {
            Failure::new(
                ExitStatus::Usage,
                "there is no terminal to ask on; use --yes to go on without a question",
            )
        })
    }
}

/// Waits for the other name servers, and says so when it takes longer.
async fn announced<T>(mut following: impl Future<Output = T> + Unpin) -> T {
    if let Ok(followed) = timeout(SOON, &mut following).await {
        return followed;
    }
    edge::note(&format!(
        "waiting up to {FOLLOW:?} for the other name servers; Ctrl-C ends the waiting"
    ));
    following.await
}

/// Runs a command's asynchronous part to its end, on this thread.
pub(super) fn block_on<T>(future: impl Future<Output = Result<T, Failure>>) -> Result<T, Failure> {
    // One thread: the DNS servers need the other cores more than we do.
    tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .map_err(cannot_start)?
        .block_on(future)
}

/// The same for a command that can be interrupted: the first Ctrl-C or SIGTERM does, the second ends
/// it at once.
pub(super) fn run<T>(
    bars: &Bars,
    command: impl AsyncFnOnce(&mut Session<'_>) -> Result<T, Failure>,
) -> Result<T, Failure> {
    let (interrupter, interrupt) = Interrupt::new();
    let mut session = Session {
        resolver: Resolver::system(),
        bars,
        interrupt,
        hooks: None,
    };
    block_on(async {
        tokio::select! {
            biased;
            ended = interrupted_twice(&interrupter) => match ended {
                Ok(()) => Err(Failure::new(
                    ExitStatus::Failed,
                    "interrupted twice, ended at once; the next apply settles by reading what became of updates under way",
                )),
                Err(error) => Err(cannot_start(error)),
            },
            result = command(&mut session) => result,
        }
    })
}

fn cannot_start(error: std::io::Error) -> Failure {
    Failure::new(ExitStatus::Failed, format!("cannot start: {error}"))
}

async fn interrupted_twice(interrupter: &Interrupter) -> std::io::Result<()> {
    let mut interrupt = signal(SignalKind::interrupt())?;
    let mut terminate = signal(SignalKind::terminate())?;
    let mut heard = async || {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    };
    heard().await;
    warn!(
        "interrupted: nothing more is begun, and updates already sent, if any, are finished; once \
         more ends at once"
    );
    interrupter.interrupt();
    heard().await;
    Ok(())
}

/// Asks without the run lock, since a daemon is not to wait for an answer at a terminal, and takes it
/// again; `None`: the answer was no.
///
/// Stale where somebody changed meanwhile what a plan of these zones (indexes) depends on. Operators'
/// words need no lock: `overrides` are those that the plan was made with.
pub(super) async fn ask_unlocked(
    context: Context<'_>,
    store: &Store,
    overrides: &[Override],
    lock: RunLock,
    zones: &[usize],
    question: impl Future<Output = Result<bool, Failure>>,
) -> Result<Option<RunLock>, Failure> {
    let failure = |error| Failure::from_error(&error);
    let Context {
        config,
        connections,
        ..
    } = context;
    let before = Recalled {
        overrides: overrides.to_vec(),
        ..reconcile::recall_noted(config, store)
            .await
            .map_err(failure)?
    };
    drop(lock);
    if !question.await? {
        return Ok(None);
    }
    let lock = reconcile::begin(config, connections, store, PATIENCE)
        .await
        .map_err(failure)?;
    let now = reconcile::recall_noted(config, store)
        .await
        .map_err(failure)?;
    if before.says_the_same(&now, config, zones) {
        return Ok(Some(lock));
    }
    Err(Failure::new(
        ExitStatus::Stale,
        "another run, or an operator's word, changed what this plan depends on while the question waited; what was asked for was not done: run the command again",
    ))
}

/// The indexes of the zones asked for; all of them when none is named.
pub(super) fn select(config: &Config, names: &[Name]) -> Result<Vec<usize>, Failure> {
    if names.is_empty() {
        return Ok((0..config.zones.len()).collect());
    }
    let known: BTreeSet<&Name> = config.zones.iter().map(|zone| &zone.name).collect();
    if let Some(unknown) = names.iter().find(|name| !known.contains(name)) {
        return Err(unknown_zone(config, unknown));
    }
    let asked: BTreeSet<&Name> = names.iter().collect();
    Ok(config
        .zones
        .iter()
        .enumerate()
        .filter(|(_index, zone)| asked.contains(&zone.name))
        .map(|(index, _zone)| index)
        .collect())
}

/// The failure of naming a zone that is not configured, with those that are.
pub(super) fn unknown_zone(config: &Config, unknown: &Name) -> Failure {
    let known: Vec<String> = config
        .zones
        .iter()
        .map(|zone| zone.name.to_string())
        .collect();
    let text = format!(
        "no zone {unknown} is configured in {}; known: {}",
        config.file.display(),
        some_of(&known)
    );
    Failure::new(ExitStatus::Failed, text)
}

/// The verdicts on the hosts of these zones.
pub(super) async fn verdicts(
    config: &Config,
    selection: &Selection,
    zones: &[usize],
    session: &Session<'_>,
) -> Verdicts {
    if selection.no_probe {
        return reconcile::not_probed(config);
    }
    ask(config, zones, session).await
}

/// The verdicts on the hosts of these zones: a running daemon's where they are fresh, the others
/// are asked.
pub(super) async fn ask(config: &Config, zones: &[usize], session: &Session<'_>) -> Verdicts {
    let known = reconcile::fresh_verdicts(config).unwrap_or_else(|error| {
        warn!(
            "every host is asked, since what the daemon knows cannot be read: {}",
            chain(&error)
        );
        BTreeMap::new()
    });
    reconcile::one_shot(config, zones, &known, session.surroundings()).await
}

/// What earlier runs and operators left, for a command that writes nothing; without it planning
/// goes on, and stderr says so.
pub(super) fn read(config: &Config) -> Recalled {
    reconcile::read(config).unwrap_or_else(|error| {
        warn!(
            "planning without the memory of earlier runs and without overrides, so max_removals starts afresh and no host is forced: {}",
            chain(&error)
        );
        Recalled::default()
    })
}

/// The end of an operator's word that begins now.
pub(super) fn end(length: Duration, now: Timestamp) -> Result<Timestamp, Failure> {
    now.checked_add(length).map_err(|_overflow| {
        let text = "this machine's clock stands at the end of time; set it";
        Failure::new(ExitStatus::Failed, text)
    })
}

/// The daemon on this state directory, and whether it writes where no pause holds, by its own word:
/// the configuration may have been changed since it was read.
pub(super) fn daemon(state_dir: &Path) -> Daemon {
    #[derive(Deserialize)]
    struct Told {
        mode: String,
    }
    if Store::daemon_holder(state_dir).is_none() {
        return Daemon::Absent;
    }
    let told = http::ask(state_dir, "/api/v1/status?per_page=1").ok();
    let told = told.and_then(|json| serde_json::from_slice::<Told>(&json).ok());
    match told.as_ref().map(|told| told.mode.as_str()) {
        Some("enforce") => Daemon::Enforces,
        Some("audit") => Daemon::Audits,
        _ => Daemon::Silent,
    }
}

/// The inventory host of that name; its first label will do where only one host has it.
pub(super) fn host<'a>(config: &'a Config, name: &Name) -> Result<&'a Host, Failure> {
    if let Some(host) = config.hosts.iter().find(|host| host.name() == name) {
        return Ok(host);
    }
    let is_short_for = |host: &Host| {
        let full = host
            .name()
            .parent()
            .and_then(|domain| domain.prefixed(name).ok());
        full.is_some_and(|full| full == *host.name())
    };
    let mut alike = config.hosts.iter().filter(|host| is_short_for(host));
    match (alike.next(), alike.next()) {
        (Some(host), None) => Ok(host),
        _ => Err(Failure::new(ExitStatus::Failed, unknown_host(config, name))),
    }
}

fn unknown_host(config: &Config, unknown: &Name) -> String {
    let likeness = |name: &str| {
        strsim::jaro_winkler(&name.to_lowercase(), &unknown.to_string().to_lowercase())
    };
    let mut known: Vec<String> = config
        .hosts
        .iter()
        .map(|host| host.name().to_string())
        .collect();
    known.sort_by(|a, b| likeness(b).total_cmp(&likeness(a)));
    format!(
        "no host {unknown} is in the inventory of {}; known: {}",
        config.file.display(),
        some_of(&known)
    )
}

/// The first few, separated by commas.
fn some_of(known: &[String]) -> String {
    const SHOWN: usize = 5;
    let more = if known.len() > SHOWN { ", …" } else { "" };
    let shown: Vec<&str> = known.iter().take(SHOWN).map(String::as_str).collect();
    format!("{}{more}", shown.join(", "))
}
