//! Adds unchanged records again, one zone at a time, where a zone wants that (`policy.refresh`).

use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;
use tracing::{info, warn};

use super::batch::Ground;
use crate::exit::chain;
use crate::model::Verdicts;
use crate::reconcile::{self, Refreshed};
use crate::store::StoreError;

/// The longest wait until the next look: a refresh is a matter of hours.
const LONGEST: Duration = Duration::from_secs(60);

/// The wait after a refresh that went wrong.
const AFTER_TROUBLE: Duration = Duration::from_secs(10);

/// One look for the zone whose turn it is.
pub(super) struct Refreshing {
    pub(super) ground: Arc<Ground>,
    /// The verdicts of the probes, no override applied.
    pub(super) probed: Verdicts,
    /// When the daemon began.
    pub(super) since: Timestamp,
}

impl Refreshing {
    /// Refreshes the zone whose turn it is, and returns how long to wait until the next look.
    pub(super) async fn run(self) -> Duration {
        match self.refresh().await {
            Ok(wait) => wait.min(LONGEST),
            Err(error) => {
                warn!(
                    "no record is refreshed, for the store cannot be used: {}",
                    chain(&error)
                );
                LONGEST
            }
        }
    }

    async fn refresh(self) -> Result<Duration, StoreError> {
        let ground = &*self.ground;
        let config = &*ground.config;
        let refreshes = ground.store.refreshes().await?;
        let now = Timestamp::now();
        let Some((zone, at)) = reconcile::next_refresh(config, &refreshes, self.since, now) else {
            return Ok(LONGEST);
        };
        let wait = at.duration_since(now);
        if wait.is_positive() {
            return Ok(wait.unsigned_abs());
        }
        let lock = ground.lock(&[]).await?;
        let recalled = reconcile::recall_noted(config, &ground.store).await?;
        let verdicts = recalled.verdicts(config, self.probed);
        let context = ground.context(&verdicts, &recalled.memory);
        let name = config.zones.get(zone).map(|zone| zone.name.to_string());
        let name = name.unwrap_or_default();
        match reconcile::refresh_zone(context, zone, &ground.store, &lock).await {
            Ok(Refreshed::Added(records)) => info!(zone = %name, records, "refreshed"),
            Ok(Refreshed::Nothing | Refreshed::Conflict) => {}
            Err(error) if error.is_interrupted() => {}
            Err(error) => {
                warn!(zone = %name, "could not be refreshed: {error}");
                return Ok(AFTER_TROUBLE);
            }
        }
        Ok(Duration::ZERO)
    }
}
