//! What the daemon told, kept until the story gets to it, and how it is shown.

use crate::daemon::Event;
use crate::model::{State, Verdict};
use crate::plan::{PlannedHost, ZonePlan};
use crate::reconcile::ZoneReport;
use crate::render::text::{self, Layout};

/// One event.
#[derive(Debug)]
pub(super) enum Heard {
    /// A host is in another state.
    Transition(PlannedHost),
    /// The zones were walked through.
    Reconciled(Vec<ZoneReport>),
}

impl Heard {
    /// The events that the story is about.
    pub(super) fn from_event(event: Event<'_>) -> Option<Self> {
        match event {
            Event::Transition { host, verdict } => Some(Self::Transition(PlannedHost {
                name: host.clone(),
                verdict: Verdict::clone(verdict),
            })),
            Event::Reconciled { reports, .. } => Some(Self::Reconciled(reports.to_vec())),
            Event::Ready | Event::ReloadRefused => None,
        }
    }

    /// What is to be seen of it: a host that changed, an update, an error; the timer's idle walks
    /// show nothing.
    pub(super) fn shown(&self, layout: Layout) -> String {
        match self {
            Self::Transition(host) => text::host(host, layout),
            Self::Reconciled(reports) => reports
                .iter()
                .map(|report| match (&report.plan, &report.outcome) {
                    (Err(error), _) => text::error(&report.zone, error, layout),
                    (Ok(plan), Some(outcome)) => {
                        let plan = text::zone(plan, layout);
                        plan.trim_end().to_owned()
                            + "\n"
                            + &text::outcome(&report.zone, outcome, layout)
                    }
                    (Ok(_), None) => String::new(),
                })
                .collect(),
        }
    }

    /// The plan of an update that was applied.
    pub(super) fn applied(&self) -> Option<&ZonePlan> {
        let Self::Reconciled(reports) = self else {
            return None;
        };
        let mut applied = reports.iter().filter(|report| report.was_applied());
        applied.find_map(|report| report.plan.as_ref().ok())
    }

    /// The plan of a zone that was walked through.
    pub(super) fn planned(&self) -> Option<&ZonePlan> {
        match self {
            Self::Reconciled(reports) => {
                reports.iter().find_map(|report| report.plan.as_ref().ok())
            }
            Self::Transition(_) => None,
        }
    }

    /// True when it tells of a host that is in this state now.
    pub(super) fn is_transition_to(&self, state: State) -> bool {
        matches!(self, Self::Transition(host) if host.verdict.state == state)
    }
}
