//! What operators said, looked at every second: overrides and the pause are rows of the store, made by
//! other processes.

use std::time::Duration;

use jiff::Timestamp;
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::exit::chain;
use crate::model::{Override, Pause};
use crate::store::{Store, StoreError};

/// An override is seen within this time, and acted on well within two seconds.
const LOOK_EVERY: Duration = Duration::from_secs(1);

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

/// Looks until it is dropped.
pub(super) struct Polling {
    _task: JoinSet<()>,
    said: watch::Receiver<Said>,
}

impl Polling {
    pub(super) fn start(store: Store) -> Self {
        let (tell, said) = watch::channel(Said::default());
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
    Ok(Said {
        overrides: store.overrides(now).await?,
        pause: store.pause(now).await?,
        failure: None,
    })
}
