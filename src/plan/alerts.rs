//! What of a plan an operator should be told without having asked.

use crate::model::{Alert, AlertKind, Name};

use super::report::{Guard, Held, ZoneError, ZonePlan};

/// Every alert that this plan of a zone gives cause for, each identity once.
///
/// What the change policy holds was asked for, and what waits for a sample goes on by itself:
/// neither is an alert. What the canary holds is one for all zones ([`of_network`]).
pub fn alerts_of(plan: &ZonePlan) -> Vec<Alert> {
    let mut alerts: Vec<Alert> = Vec::new();
    let short = plan.short_of_hosts.map(|short| Alert {
        kind: AlertKind::Held,
        zone: Some(plan.zone.clone()),
        host: None,
        text: short.to_string(),
    });
    let held = plan.held.iter().filter_map(|held| alert_of(plan, held));
    for alert in held.chain(short) {
        let identity = alert.identity();
        if alerts.iter().all(|known| known.identity() != identity) {
            alerts.push(alert);
        }
    }
    alerts
}

/// The alert that a silent canary holds something, here as in every other zone; `None`: it does not.
pub fn of_network(plan: &ZonePlan) -> Option<Alert> {
    let held = plan.held.iter().find(|held| held.guard == Guard::Canary)?;
    Some(Alert {
        kind: AlertKind::Freeze,
        zone: None,
        host: None,
        text: held.text.clone(),
    })
}

/// The alert of a zone that has no plan; `None` when only the run was interrupted.
pub fn unreadable(zone: &Name, error: &ZoneError) -> Option<Alert> {
    (!error.is_interrupted()).then(|| Alert {
        kind: AlertKind::Unreadable,
        zone: Some(zone.clone()),
        host: None,
        text: error.text.clone(),
    })
}

fn alert_of(plan: &ZonePlan, held: &Held) -> Option<Alert> {
    let host = || {
        let record = held.change.before().or(held.change.after());
        record.map(|record| record.target.clone())
    };
    let (kind, host) = match held.guard {
        // The zone is frozen, whatever number of hosts that holds.
        Guard::FreezePercent => (AlertKind::Freeze, None),
        Guard::MinHosts | Guard::MaxRemovals => (AlertKind::Held, host()),
        Guard::Contested => (AlertKind::Contested, host()),
        Guard::Policy | Guard::AwaitSamples | Guard::Canary => return None,
    };
    Some(Alert {
        kind,
        zone: Some(plan.zone.clone()),
        host,
        text: held.text.clone(),
    })
}
