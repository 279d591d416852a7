//! What to change, and what is withheld: [`PlanInput`] → [`ZonePlan`], pure.
//!
//! ```text
//! inventory + verdicts ─► desired: publish, keep or withdraw each host
//! observed RRset ───────► diff: records to add, change, remove; foreign ones
//! memory + policy ──────► guard: removals withheld, each with its guard and the way out
//! ```
//!
//! A plan names every record; nothing is decided when it is applied. The same input gives the
//! same plan, in the same order.

mod alerts;
mod approved;
mod contest;
mod desired;
mod diff;
mod digest;
mod guard;
mod home;
mod refresh;
mod report;
mod rollback;

pub use alerts::{alerts_of, of_network, unreadable};
pub use approved::{Approved, ApprovedChanges, ApprovedHost, ApprovedZone, Refusal};
pub use contest::{contested_now, contests_after};
pub use digest::{DigestedHost, DigestedZone, digest, digest_of};
pub use guard::awaits_samples;
pub use home::{check_home, may_take_over};
pub use refresh::{RefreshTimes, next_refresh, refreshable};
pub use report::{
    ForeignRecord, Guard, Held, Plan, PlannedHost, ShortOfHosts, Summary, ZoneError, ZonePlan,
    ZoneResult,
};
pub use rollback::{Hold, Rollback, RollbackRefusal, rollback};

use std::time::Duration;

use jiff::Timestamp;

use crate::model::{Host, Memory, Observed, Verdicts, Zone};

/// Everything a zone's plan is made from.
#[derive(Debug, Clone, Copy)]
pub struct PlanInput<'a> {
    /// The time of planning.
    pub now: Timestamp,
    /// The daemon's interval, over which `max_removals` counts.
    pub interval: Duration,
    /// What is desired of the zone, and the limits.
    pub zone: &'a Zone,
    /// The inventory, which `zone.hosts` indexes.
    pub hosts: &'a [Host],
    /// The RRset as read from the primary.
    pub observed: &'a Observed,
    /// One verdict per inventory host, by index.
    pub verdicts: &'a Verdicts,
    /// What earlier runs did.
    pub memory: &'a Memory,
    /// Takes the place of `max_removals` for this run, earlier removals forgotten.
    pub allow_removals: Option<u32>,
}

/// Plans one zone.
pub fn plan_zone(input: &PlanInput<'_>) -> ZonePlan {
    let mut entries = desired::entries(input);
    desired::decide(input, &mut entries);
    let verdict = guard::withhold(input, &entries);
    diff::changes(input, &entries, &verdict)
}

#[cfg(test)]
mod tests;
