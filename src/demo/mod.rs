//! The guided scenario: the whole loop, on this machine alone.
//!
//! Everything is real and lies in one temporary folder: the embedded primary, the key, the
//! configuration, the state, and the daemon, the same that `run` is. Only the KMS hosts are
//! simulated, and they really listen. After each step the story waits for what the daemon does, and
//! verifies it by asking the primary as a client would.
//!
//! `endpoint` has the simulated hosts, `site` what an administrator has (configuration, key,
//! primary), `heard` what the daemon tells, `client` reads DNS back, `story` tells, `stay` is what
//! remains up afterwards.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod client;
mod endpoint;
mod folder;
mod heard;
mod site;
mod stay;
mod story;

use std::io;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use tokio::signal::unix::{Signal, SignalKind, signal};
use tokio::sync::mpsc;
use tokio::time::timeout;

use crate::authority::AuthorityError;
use crate::config::ConfigError;
use crate::daemon::{self, Control, DaemonError, Event};
use crate::model::NameError;
use crate::render::text::Layout;
use crate::store::StoreError;
use endpoint::EndpointError;
use folder::Folder;
use heard::Heard;
use site::Site;
use story::Story;

/// The story takes a few seconds; after this time something is wrong.
const LIMIT: Duration = Duration::from_secs(35);

/// How the demonstration is given.
#[derive(Debug, Clone)]
pub struct Settings {
    /// End after the story.
    pub once: bool,
    /// Where the status page listens, a loopback address; `None`: nowhere.
    pub http: Option<SocketAddr>,
    /// The program, for the commands to try.
    pub program: PathBuf,
    /// What the output can show.
    pub layout: Layout,
    /// Prints data.
    pub print: fn(&str),
}

/// Why the demonstration is over before its end, or did not show what it should.
#[derive(Debug, thiserror::Error)]
pub enum DemoError {
    /// No temporary folder.
    #[error(
        "cannot make {}; the demonstration keeps all its files in a temporary folder: let TMPDIR name a place for it",
        path.display()
    )]
    Folder {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// A file of the demonstration cannot be written.
    #[error("cannot write {}", path.display())]
    Write {
        /// The file.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// The temporary folder stays behind.
    #[error("cannot remove {}; remove it by hand", path.display())]
    Leftover {
        /// The folder.
        path: PathBuf,
        /// Why not.
        source: io::Error,
    },
    /// No key can be made.
    #[error("this system gives no random octets, and the key needs them")]
    Random,
    /// Nobody would hear Ctrl-C.
    #[error("cannot wait for Ctrl-C")]
    Signals(#[source] io::Error),
    /// A simulated host cannot listen.
    #[error(transparent)]
    Endpoint(#[from] EndpointError),
    /// The embedded primary does not serve.
    #[error(transparent)]
    Primary(#[from] AuthorityError),
    /// The configuration that the demonstration wrote is refused.
    #[error("the demonstration's own configuration is refused")]
    Config(#[from] ConfigError),
    /// The state directory cannot be used.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// The daemon does not run.
    #[error("the daemon of the demonstration ended")]
    Daemon(#[from] DaemonError),
    /// The daemon ended by itself, and says nothing of it.
    #[error("the daemon of the demonstration ended before the story")]
    DaemonGone,
    /// The primary does not answer a client.
    #[error(
        "DNS could not be read back ({0}); see that the loopback interface is up: ip link show lo"
    )]
    ReadBack(String),
    /// A name that the demonstration makes up is none.
    #[error("the demonstration's own name is refused")]
    Name(#[from] NameError),
    /// The rogue's update was not taken.
    #[error("the rogue's own update was not taken: {0}")]
    Rogue(String),
    /// DNS says something else.
    #[error(
        "step {step}: DNS does not say what it should\n  expected:\n{}\n  found:\n{}",
        listed(expected),
        listed(found)
    )]
    Unlike {
        /// The step's number.
        step: usize,
        /// The RRset's lines that should be there.
        expected: Vec<String>,
        /// The RRset's lines that are there.
        found: Vec<String>,
    },
    /// DNS is as it should be, but srvkeeper did not notice what it should.
    #[error("step {step}: srvkeeper did not {what}")]
    Unseen {
        /// The step's number.
        step: usize,
        /// What it did not do.
        what: &'static str,
    },
    /// The story takes too long.
    #[error("the story did not end within {LIMIT:?}; is this machine very busy?")]
    TooSlow,
    /// Ctrl-C, or another signal that ends a program.
    #[error("interrupted before the end of the story")]
    Interrupted,
}

fn listed(lines: &[String]) -> String {
    if lines.is_empty() {
        return "    no record".to_owned();
    }
    let lines: Vec<String> = lines.iter().map(|line| format!("    {line}")).collect();
    lines.join("\n")
}

/// Tells the story, and without `once` stays until Ctrl-C; leaves nothing behind.
///
/// Ok only when every step was verified by reading DNS back. Must be called within a tokio runtime.
pub async fn run(settings: &Settings) -> Result<(), DemoError> {
    // First of all: whatever is made from here on is removed on Ctrl-C, too.
    let mut interrupt = Interrupt::new()?;
    let folder = Folder::make()?;
    let mut site = Site::open(&folder, settings.http).await?;
    let told = beside_the_daemon(&mut site, settings, &mut interrupt).await;
    site.close().await;
    told.and(folder.remove())
}

/// Runs the daemon until the story has been told, and the demonstration is over.
async fn beside_the_daemon(
    site: &mut Site<'_>,
    settings: &Settings,
    interrupt: &mut Interrupt,
) -> Result<(), DemoError> {
    let (tell, told) = mpsc::unbounded_channel();
    let listener = |event: Event<'_>| {
        if let Some(heard) = Heard::from_event(event) {
            // Nobody listens at the end.
            let _ = tell.send(heard);
        }
    };
    let (control, mut words) = mpsc::channel(1);
    let config = site.config().clone();
    let daemon = daemon::run(config, daemon::Options::default(), &mut words, &listener);
    tokio::pin!(daemon);
    let result = tokio::select! {
        biased;
        ended = &mut daemon => return Err(ended.map_or_else(DemoError::from, |()| DemoError::DaemonGone)),
        told = tell_and_stay(site, settings, interrupt, told, &control) => told,
    };
    // It hears this, or has ended already.
    let _ = control.try_send(Control::Stop);
    daemon.await?;
    result
}

async fn tell_and_stay(
    site: &mut Site<'_>,
    settings: &Settings,
    interrupt: &mut Interrupt,
    mut heard: mpsc::UnboundedReceiver<Heard>,
    control: &mpsc::Sender<Control>,
) -> Result<(), DemoError> {
    tokio::select! {
        () = interrupt.received() => return Err(DemoError::Interrupted),
        told = timeout(LIMIT, Story::new(site, settings, &mut heard, control).tell()) => {
            told.unwrap_or(Err(DemoError::TooSlow))?;
        }
    }
    if !settings.once {
        stay::until_interrupted(site, settings, interrupt, heard).await;
    }
    Ok(())
}

/// The signals that end the demonstration.
struct Interrupt {
    signals: [Signal; 3],
}

impl Interrupt {
    fn new() -> Result<Self, DemoError> {
        let on = |kind| signal(kind).map_err(DemoError::Signals);
        Ok(Self {
            signals: [
                on(SignalKind::interrupt())?,
                on(SignalKind::terminate())?,
                on(SignalKind::hangup())?,
            ],
        })
    }

    /// Returns at the first of them.
    async fn received(&mut self) {
        let [interrupt, terminate, hangup] = &mut self.signals;
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
            _ = hangup.recv() => {}
        }
    }
}
