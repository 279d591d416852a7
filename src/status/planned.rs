//! The plan that the status has, as `plan` would make it.

use super::{Status, ZoneStatus};
use crate::plan::{Plan, PlannedHost, Summary, ZoneError, ZoneResult};

impl Status {
    /// The newest plan of every zone. A copy: with very many zones it takes memory.
    pub fn plan(&self) -> Plan {
        let hosts = self.hosts.iter().map(|host| PlannedHost {
            name: host.name.clone(),
            verdict: host.verdict.clone(),
        });
        let mut zones: Vec<&ZoneStatus> = self.zones.iter().map(AsRef::as_ref).collect();
        // Zones of one name stay in the order of the configuration.
        zones.sort_by(|a, b| a.zone.cmp(&b.zone));
        Plan {
            created: self.at,
            hosts: hosts.collect(),
            zones: zones.into_iter().map(result).collect(),
        }
    }

    /// Counts over [`Status::plan`], without making it.
    pub fn plan_summary(&self) -> Summary {
        Summary::of(self.zones.iter().map(|zone| zone.planned()))
    }
}

fn result(zone: &ZoneStatus) -> ZoneResult {
    let unread = || ZoneError {
        server: None,
        text: "not looked at yet: the daemon began a moment ago".to_owned(),
    };
    ZoneResult {
        zone: zone.zone.clone(),
        result: zone.plan.clone().unwrap_or_else(|| Err(unread())),
    }
}
