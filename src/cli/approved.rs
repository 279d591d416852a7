//! `apply --plan FILE`: the approved plan, checked against the file, the hosts and the zones.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::fs;
use std::path::Path;

use jiff::Timestamp;

use crate::config::Config;
use crate::exit::{ExitStatus, chain};
use crate::model::{Name, Verdicts};
use crate::plan::{Approved, ApprovedZone, Refusal, ZoneError, ZonePlan};
use crate::reconcile::ZoneReport;
use crate::render::json;

use super::{Failure, setup};

/// An approved plan beside the configuration.
pub(super) struct ApprovedFile {
    pub(super) plan: Approved,
    /// For each zone of the plan its index in the configuration.
    zones: Vec<usize>,
}

/// Reads the file; refuses one that was changed, is too old, or has unknown zones.
pub(super) fn read(file: &Path, config: &Config) -> Result<ApprovedFile, Failure> {
    let failed = |error: &dyn std::error::Error| {
        let text = format!("{}: {}", file.display(), chain(error));
        Failure::new(ExitStatus::Failed, text)
    };
    let text = fs::read_to_string(file).map_err(|error| failed(&error))?;
    let plan = json::read(&text).map_err(|error| failed(&error))?;
    let zones = configured(config, &plan)?;
    let owners = zones
        .iter()
        .filter_map(|&index| config.zones.get(index))
        .map(|zone| &zone.owner);
    plan.verify(owners).map_err(|refusal| failed(&refusal))?;
    plan.check_age(Timestamp::now())
        .map_err(|refusal| stale(&refusal))?;
    Ok(ApprovedFile { plan, zones })
}

/// The index of each of the plan's zones. Zones of one name, with different services, stand in
/// the same order in both.
fn configured(config: &Config, plan: &Approved) -> Result<Vec<usize>, Failure> {
    let mut unclaimed: BTreeMap<&Name, VecDeque<usize>> = BTreeMap::new();
    for (index, zone) in config.zones.iter().enumerate() {
        unclaimed.entry(&zone.name).or_default().push_back(index);
    }
    let mut indexes = Vec::with_capacity(plan.zones.len());
    for ApprovedZone { name, .. } in &plan.zones {
        let of_that_name = unclaimed
            .get_mut(name)
            .ok_or_else(|| setup::unknown_zone(config, name))?;
        let index = of_that_name.pop_front().ok_or_else(|| {
            let text = format!("the plan has zone {name} more often than the configuration");
            Failure::new(ExitStatus::Failed, text)
        })?;
        indexes.push(index);
    }
    Ok(indexes)
}

impl ApprovedFile {
    /// The plan's zones (indexes), of those asked for.
    pub(super) fn select(&self, config: &Config, names: &[Name]) -> Result<Vec<usize>, Failure> {
        if names.is_empty() {
            return Ok(self.zones.clone());
        }
        let asked: BTreeSet<usize> = setup::select(config, names)?.into_iter().collect();
        let both = |zone: &usize| asked.contains(zone);
        Ok(self.zones.iter().copied().filter(both).collect())
    }

    /// Puts the approved changes in the place of the fresh plans; all of them must still fit.
    pub(super) fn replace(
        &self,
        config: &Config,
        verdicts: &Verdicts,
        reports: &mut [ZoneReport],
    ) -> Result<(), Failure> {
        self.plan
            .check_verdicts(&config.hosts, verdicts)
            .map_err(|refusal| stale(&refusal))?;
        let approved: BTreeMap<usize, &ApprovedZone> =
            self.zones.iter().copied().zip(&self.plan.zones).collect();
        for report in reports {
            let approved = approved.get(&report.index);
            let (Some(zone), Some(approved)) = (config.zones.get(report.index), approved) else {
                continue;
            };
            let changes = match &approved.planned {
                Ok(changes) => changes,
                Err(text) => {
                    let text = format!("the approved plan has no changes for this zone: {text}");
                    report.plan = Err(ZoneError { server: None, text });
                    continue;
                }
            };
            let fresh = report.plan.as_ref().map_err(|error| {
                let text = format!("nothing was applied: {error}");
                Failure::new(ExitStatus::Failed, text)
            })?;
            let plan = changes
                .onto(zone, &config.hosts, fresh.observed.clone())
                .map_err(|refusal| stale(&refusal))?;
            let held = if changes.held {
                fresh.held.clone()
            } else {
                Vec::new()
            };
            report.plan = Ok(ZonePlan {
                held,
                foreign: fresh.foreign.clone(),
                short_of_hosts: fresh.short_of_hosts,
                ..plan
            });
        }
        Ok(())
    }
}

/// The failure of a plan that no longer fits.
pub(super) fn stale(refusal: &Refusal) -> Failure {
    let text = format!("nothing was applied: {refusal}");
    Failure::new(ExitStatus::Stale, text)
}
