//! What one keeper hands to the next when the configuration is read again.

use std::collections::{BTreeMap, BTreeSet};

use super::alerts::{OpenAlerts, Scope};
use super::polling::Said;
use crate::config::Config;
use crate::model::{Name, Track};

/// What outlives a configuration.
#[derive(Default)]
pub(super) struct Carried {
    /// What is known of each host, by name.
    pub(super) tracks: BTreeMap<Name, Track>,
    /// The alerts that were raised and still hold.
    pub(super) alerts: OpenAlerts,
    /// The RRsets of which some other name server was behind.
    pub(super) behind: BTreeSet<Name>,
    /// What operators said: it is no news under another configuration.
    pub(super) said: Said,
}

impl Carried {
    /// A zone that comes back later raises its alerts anew.
    pub(super) fn forget_zones_gone(&mut self, before: &Config, after: &Config) {
        let kept: BTreeSet<&Name> = after.zones.iter().map(|zone| &zone.owner).collect();
        for zone in before
            .zones
            .iter()
            .filter(|zone| !kept.contains(&zone.owner))
        {
            self.alerts
                .update(Scope::Zone(zone.owner.clone()), Vec::new());
        }
        self.behind.retain(|owner| kept.contains(owner));
    }
}
