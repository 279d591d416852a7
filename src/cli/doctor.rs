//! `doctor`: whether updates can work, and how to repair what stops them.

use std::sync::Arc;

use tracing::warn;

use crate::config::Config;
use crate::diagnose::{Diagnosis, Level, diagnose};
use crate::examine::{Rights, examine};
use crate::exit::{ExitStatus, chain};
use crate::model::Memory;
use crate::progress::Bars;
use crate::reconcile::{self, Connections};
use crate::render;

use super::{DoctorArgs, Failure, ListFormat, edge, setup};

pub(super) fn run(
    config: &Config,
    arguments: &DoctorArgs,
    verbose: bool,
    bars: &Bars,
) -> Result<ExitStatus, Failure> {
    let zones = setup::select(config, &arguments.zones)?;
    let memory = memory(config);
    let diagnosis = setup::run(bars, async |session| {
        let connections = Connections::new(config);
        let surroundings = session.surroundings();
        let evidence = examine(
            config,
            &zones,
            &connections,
            &memory,
            surroundings,
            Rights::Ask,
        )
        .await;
        let evidence = evidence
            .ok_or_else(|| Failure::new(ExitStatus::Failed, "interrupted; nothing was written"))?;
        Ok(diagnose(&evidence))
    })?;
    match arguments.format {
        ListFormat::Text => {
            edge::data(&render::doctor::text(&diagnosis, verbose, edge::layout()));
        }
        ListFormat::Json => edge::json(|out| render::doctor::json(&diagnosis, out)),
    }
    Ok(status(&diagnosis))
}

/// What earlier runs noted of those who undo our changes.
fn memory(config: &Config) -> Arc<Memory> {
    let recalled = reconcile::read(config).unwrap_or_else(|error| {
        warn!(
            "going on without the memory of earlier runs, so nothing is known of contested records: {}",
            chain(&error)
        );
        Default::default()
    });
    recalled.memory
}

/// 0 fine, 1 failures, 3 warnings only; what cannot be told is fine.
fn status(diagnosis: &Diagnosis) -> ExitStatus {
    match diagnosis.level() {
        Level::Pass | Level::CannotTell => ExitStatus::Done,
        Level::Warning => ExitStatus::Held,
        Level::Failure => ExitStatus::Failed,
    }
}
