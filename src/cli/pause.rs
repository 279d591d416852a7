//! `pause` and `resume`: whether `run` may write, with an end.

use std::path::Path;

use jiff::Timestamp;

use crate::exit::ExitStatus;
use crate::model::Pause;
use crate::render::pause;
use crate::store::{Store, StoreError};

use super::{Failure, PauseArgs, edge, setup};

pub(super) fn run(state_dir: &Path, arguments: &PauseArgs) -> Result<ExitStatus, Failure> {
    let now = Timestamp::now();
    let word = Pause {
        reason: arguments.reason.clone(),
        actor: edge::user(),
        made_at: now,
        until: setup::end(arguments.length, now)?,
    };
    setup::block_on(async {
        let store = Store::open(state_dir).map_err(failure)?;
        let before = store.pause(now).await.map_err(failure)?;
        store.set_pause(word.clone()).await.map_err(failure)?;
        let daemon = setup::daemon(state_dir);
        edge::data(&pause::paused(&word, before.as_ref(), daemon));
        Ok(ExitStatus::Done)
    })
}

pub(super) fn resume(state_dir: &Path) -> Result<ExitStatus, Failure> {
    let now = Timestamp::now();
    // Without a pause no store is made.
    let Some(word) = Store::read_pause(state_dir, now).map_err(failure)? else {
        edge::data(pause::NOT_PAUSED);
        return Ok(ExitStatus::Done);
    };
    setup::block_on(async {
        let store = Store::open(state_dir).map_err(failure)?;
        let was_paused = store.clear_pause(now).await.map_err(failure)?;
        if was_paused {
            edge::data(&pause::resumed(&word, setup::daemon(state_dir)));
        } else {
            edge::data(pause::NOT_PAUSED);
        }
        Ok(ExitStatus::Done)
    })
}

fn failure(error: StoreError) -> Failure {
    Failure::from_error(&error)
}
