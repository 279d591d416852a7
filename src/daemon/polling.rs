//! What operators said, looked at every second: overrides and the pause are rows of the store, made by
//! other processes.

use std::collections::BTreeSet;
use std::time::Duration;

use jiff::{SignedDuration, Timestamp};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::exit::chain;
use crate::model::{Alert, AlertKind, Name, Override, Pause};
use crate::store::{Store, StoreError};

/// An override is seen within this time, and acted on well within two seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

/// An alert precedes the end of an override by this time.
const BEFORE_THE_END: SignedDuration = SignedDuration::from_hours(1);

/// What operators said, as of the last look.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Said {
    /// The overrides that hold.
    pub(super) overrides: Vec<Override>,
    /// The pause that holds.
    pub(super) pause: Option<Pause>,
    /// Why the store could not be read.
    pub(super) failure: Option<String>,
}

impl Said {
    /// The hosts whose overrides are others than before.
    pub(super) fn changed_hosts(&self, before: &Self) -> BTreeSet<Name> {
        let differing = |these: &[Override], others: &[Override]| -> Vec<Name> {
            these
                .iter()
                .filter(|word| !others.contains(word))
                .map(|word| word.host.clone())
                .collect()
        };
        differing(&before.overrides, &self.overrides)
            .into_iter()
            .chain(differing(&self.overrides, &before.overrides))
            .collect()
    }

    /// The override of the host that holds.
    pub(super) fn word_on(&self, host: &Name) -> Option<&Override> {
        self.overrides.iter().find(|word| word.host == *host)
    }

    /// The alerts of overrides that are about to end.
    pub(super) fn ending(&self, now: Timestamp) -> Vec<Alert> {
        self.overrides
            .iter()
            .filter(|word| ends_soon(word, now))
            .map(|word| Alert {
                kind: AlertKind::OverrideEnding,
                zone: None,
                host: Some(word.host.clone()),
                text: format!(
                    "the override of {} is about to end: {word}; prolong it with `srvkeeper host {} {}`",
                    word.host, word.state, word.host
                ),
            })
            .collect()
    }
}

/// True in the last hour of an override that was made for longer.
fn ends_soon(word: &Override, now: Timestamp) -> bool {
    word.until.duration_since(word.made_at) > BEFORE_THE_END
        && word.until.duration_since(now) <= BEFORE_THE_END
}

/// Looks until it is dropped.
pub(super) struct Polling {
    _task: JoinSet<()>,
    said: watch::Receiver<Said>,
}

impl Polling {
    /// Begins with what was said last under an earlier configuration: it holds on where the store
    /// cannot be read.
    pub(super) fn start(store: Store, said: Said) -> Self {
        let (tell, said) = watch::channel(said);
        let mut task = JoinSet::new();
        task.spawn(async move {
            let mut ticks = interval(LOOK_EVERY);
            ticks.set_missed_tick_behavior(MissedTickBehavior::Delay);
            let mut is_first = true;
            loop {
                ticks.tick().await;
                let next = look(&store).await;
                tell.send_if_modified(|last| {
                    let before = last.clone();
                    match next {
                        Ok(next) => *last = next,
                        // What was said last holds on.
                        Err(error) => last.failure = Some(chain(&error)),
                    }
                    is_first || *last != before
                });
                is_first = false;
            }
        });
        Self { _task: task, said }
    }

    /// The first look; after that, waits until something else is said than at the last call.
    pub(super) async fn changed(&mut self) -> Said {
        if self.said.changed().await.is_err() {
            std::future::pending::<()>().await;
        }
        self.said.borrow_and_update().clone()
    }
}

async fn look(store: &Store) -> Result<Said, StoreError> {
    let now = Timestamp::now();
    let (overrides, pause) = store.operators(now).await?;
    Ok(Said {
        overrides,
        pause,
        failure: None,
    })
}
