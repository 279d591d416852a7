//! A plan that somebody approved: applied exactly as it was, or not at all.

use std::collections::BTreeMap;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Change, Host, Name, Observed, Srv, State, Verdicts, Zone};

use super::digest::{DigestedHost, DigestedZone, digest_of};
use super::report::ZonePlan;

/// An approved plan is too old after this.
const LIFETIME: SignedDuration = SignedDuration::from_hours(24);

/// A plan read back from its file.
#[derive(Debug, Clone)]
pub struct Approved {
    /// The digest that stands in the file.
    pub digest: String,
    /// When it was made.
    pub created: Timestamp,
    /// The verdicts it relied on.
    pub hosts: Vec<ApprovedHost>,
    /// The zones, in the file's order.
    pub zones: Vec<ApprovedZone>,
}

/// A verdict in an approved plan.
#[derive(Debug, Clone)]
pub struct ApprovedHost {
    /// The host.
    pub name: Name,
    /// What was believed of it.
    pub state: State,
    /// True when an override decided.
    pub forced: bool,
}

/// A zone in an approved plan.
#[derive(Debug, Clone)]
pub struct ApprovedZone {
    /// The zone's name.
    pub name: Name,
    /// What was read and what is to be done, or why there was no plan.
    pub planned: Result<ApprovedChanges, String>,
}

/// What an approved plan does in one zone.
#[derive(Debug, Clone)]
pub struct ApprovedChanges {
    /// The TTL as read then; `None`: no RRset.
    pub ttl: Option<u32>,
    /// The records as read then, in [`Srv`] order.
    pub records: Vec<Srv>,
    /// The changes.
    pub changes: Vec<Change>,
    /// True when a guard withheld something.
    pub held: bool,
}

/// Why an approved plan is not applied.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Refusal {
    /// The file is not what was approved.
    #[error(
        "the plan does not fit its digest, so it was changed after it was made; make a new one with `srvkeeper plan --out FILE`"
    )]
    Doctored,
    /// The file is more than a day old.
    #[error(
        "the plan was made at {created:.0} and is over 24 hours old; make a new one with `srvkeeper plan --out FILE`"
    )]
    TooOld {
        /// When it was made.
        created: Timestamp,
    },
    /// A verdict that the plan relied on no longer holds.
    #[error(
        "host {host} was {then} when the plan was made and is {now} now ({reason}); make a new plan"
    )]
    Verdict {
        /// The host.
        host: Name,
        /// The state then.
        then: State,
        /// The state now.
        now: State,
        /// Why it is in this state now.
        reason: String,
    },
    /// A host of the plan is gone from the inventory.
    #[error("host {0} of the plan is no longer in the inventory; make a new plan")]
    NoHost(Name),
    /// The RRset is not what the plan saw.
    #[error(
        "the RRset of zone {zone} is no longer what the plan saw (then: {then}; now: {now}); make a new plan"
    )]
    Changed {
        /// The zone.
        zone: Name,
        /// What the plan saw.
        then: String,
        /// What stands there now.
        now: String,
    },
}

impl Approved {
    /// Checks that the file is whole; `owners` are the owner names configured for its zones.
    pub fn verify<'a>(&'a self, owners: impl Iterator<Item = &'a Name>) -> Result<(), Refusal> {
        let digest = digest_of(
            self.hosts.iter().map(|host| DigestedHost {
                name: &host.name,
                state: host.state,
                forced: host.forced,
            }),
            self.zones
                .iter()
                .zip(owners)
                .map(|(zone, owner)| match &zone.planned {
                    Ok(planned) => Ok(DigestedZone {
                        name: &zone.name,
                        owner,
                        observed: (planned.ttl, &planned.records),
                        changes: &planned.changes,
                    }),
                    Err(_) => Err(&zone.name),
                }),
        );
        if digest == self.digest {
            Ok(())
        } else {
            Err(Refusal::Doctored)
        }
    }

    /// Checks that the file is at most a day old.
    pub fn check_age(&self, now: Timestamp) -> Result<(), Refusal> {
        if now.duration_since(self.created) > LIFETIME {
            return Err(Refusal::TooOld {
                created: self.created,
            });
        }
        Ok(())
    }

    /// The hosts on whose verdicts the plan relied: all but the unknown ones.
    pub fn relied_on(&self) -> impl Iterator<Item = &ApprovedHost> {
        self.hosts
            .iter()
            .filter(|host| host.state != State::Unknown)
    }

    /// Checks that every verdict the plan relied on still holds.
    pub fn check_verdicts(&self, hosts: &[Host], verdicts: &Verdicts) -> Result<(), Refusal> {
        let present: BTreeMap<&Name, _> =
            hosts.iter().map(Host::name).zip(&verdicts.hosts).collect();
        for host in self.relied_on() {
            let Some(verdict) = present.get(&host.name) else {
                return Err(Refusal::NoHost(host.name.clone()));
            };
            if (verdict.state, verdict.forced.is_some()) != (host.state, host.forced) {
                return Err(Refusal::Verdict {
                    host: host.name.clone(),
                    then: host.state,
                    now: verdict.state,
                    reason: verdict.reason.clone(),
                });
            }
        }
        Ok(())
    }
}

impl ApprovedChanges {
    /// The plan for a zone that was read again; refused when its RRset is not the one planned on.
    pub fn onto(
        &self,
        zone: &Zone,
        hosts: &[Host],
        observed: Observed,
    ) -> Result<ZonePlan, Refusal> {
        if (observed.ttl, &observed.records) != (self.ttl, &self.records) {
            return Err(Refusal::Changed {
                zone: zone.name.clone(),
                then: shown(self.ttl, &self.records),
                now: shown(observed.ttl, &observed.records),
            });
        }
        Ok(ZonePlan::from_changes(
            zone,
            hosts,
            observed,
            self.changes.clone(),
        ))
    }
}

/// An RRset on one line, for a refusal.
pub(super) fn shown(ttl: Option<u32>, records: &[Srv]) -> String {
    let Some(ttl) = ttl else {
        return "no record".to_owned();
    };
    let records: Vec<String> = records.iter().map(Srv::to_string).collect();
    format!("{} ttl={ttl}", records.join(", "))
}
