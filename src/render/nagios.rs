//! The plan as one line for a monitoring system, by the convention of the Nagios plugins.
//!
//! | State | Exit status | When |
//! |---|---|---|
//! | CRITICAL | 2 | a guard holds something, or fewer hosts than `min_hosts` are left published |
//! | UNKNOWN | 3 | a zone could not be planned |
//! | WARNING | 1 | changes are pending; with `--strict` also foreign records and contested changes |
//! | OK | 0 | otherwise |
//!
//! The first that holds for any zone: what is known to be broken is worse than what is not known.
//! Performance data: `pending` counts records to add, change or remove; `held` includes changes
//! that the change policy forbids and contested ones, which make no state worse.

use std::fmt;

use crate::model::State as HostState;
use crate::plan::{Plan, ZoneResult};

use super::lines::{counted, one_line};

/// What the plugin says of the service; the worst is the greatest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum State {
    /// Nothing to do.
    Ok,
    /// Changes are pending.
    Warning,
    /// It could not be found out.
    Unknown,
    /// Something is held, or too few hosts are published.
    Critical,
}

impl State {
    /// The plugin's exit status.
    pub fn code(self) -> u8 {
        match self {
            Self::Ok => 0,
            Self::Warning => 1,
            Self::Critical => 2,
            Self::Unknown => 3,
        }
    }
}

impl fmt::Display for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Ok => "OK",
            Self::Warning => "WARNING",
            Self::Unknown => "UNKNOWN",
            Self::Critical => "CRITICAL",
        })
    }
}

/// The line with its performance data, and the state it tells.
///
/// `strict`: foreign records and contested changes are a warning.
pub fn plan(plan: &Plan, strict: bool) -> (State, String) {
    let mut worst = (State::Ok, String::new());
    let mut troubled = 0;
    for zone in &plan.zones {
        let (state, text) = judge(zone, strict);
        troubled += usize::from(state != State::Ok);
        if state > worst.0 {
            worst = (state, format!("{}: {text}", zone.zone));
        }
    }
    let (state, mut text) = worst;
    let zones = counted(plan.zones.len(), "zone");
    match troubled {
        0 => text = format!("{zones}, nothing to do{}", left_alone(plan)),
        1 => {}
        _ => text = format!("{troubled} of {zones} need attention; {text}"),
    }
    let line = format!("{} | {}\n", head(state, &text), performance(plan));
    (state, line)
}

/// What is wrong and left so, as somebody wants it: no reason to call anybody.
fn left_alone(plan: &Plan) -> String {
    let summary = plan.summary();
    let by_policy = summary.held.saturating_sub(summary.contested);
    [
        (summary.contested, "contested"),
        (by_policy, "held by policy"),
    ]
    .iter()
    .filter(|(number, _what)| *number > 0)
    .map(|(number, what)| format!(", {number} {what}"))
    .collect()
}

/// The line when there is no plan: UNKNOWN, without performance data.
pub fn unknown(why: &str) -> String {
    format!("{}\n", head(State::Unknown, why))
}

/// The bar begins the performance data, so no text may carry one.
fn head(state: State, text: &str) -> String {
    format!("SRVKEEPER {state} - {}", one_line(text).replace('|', "/"))
}

fn judge(zone: &ZoneResult, strict: bool) -> (State, String) {
    let plan = match &zone.result {
        Ok(plan) => plan,
        Err(error) => return (State::Unknown, error.text.clone()),
    };
    let mut held = plan.held.iter().filter(|held| !held.guard.leaves_alone());
    if let Some(first) = held.next() {
        let number = 1 + held.count();
        let text = format!("{number} held; {}: {}", first.guard, first.text);
        return (State::Critical, text);
    }
    if let Some(short) = plan.short_of_hosts {
        return (State::Critical, short.to_string());
    }
    if plan.is_pending() {
        let text = format!("{} pending", counted(plan.changes.len(), "change"));
        return (State::Warning, text);
    }
    if strict && plan.contested() > 0 {
        let text = counted(plan.contested(), "contested change");
        return (State::Warning, text);
    }
    if strict && !plan.foreign.is_empty() {
        let text = counted(plan.foreign.len(), "foreign record");
        return (State::Warning, text);
    }
    (State::Ok, String::new())
}

fn performance(plan: &Plan) -> String {
    let summary = plan.summary();
    let up = plan
        .hosts
        .iter()
        .filter(|host| host.verdict.state == HostState::Up)
        .count();
    format!(
        "zones={} pending={} held={} foreign={} errors={} hosts_up={up};;;0;{}",
        summary.zones,
        summary.creates + summary.updates + summary.deletes,
        summary.held,
        summary.foreign,
        summary.errors,
        plan.hosts.len()
    )
}
