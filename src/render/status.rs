//! A daemon's status as JSON, format version 1: what `status --format json` prints and
//! `/api/v1/status` answers. docs/api.md has the fields.
//!
//! Written in pieces, so that ten thousand zones need no second copy in memory.

use std::sync::Arc;

use jiff::Timestamp;
use serde::Serialize;

use super::json::Held;
use super::overrides::JsonOverride;
use super::pause::JsonPause;
use crate::model::{Canary, CopyState, Name, Role, ServerCopy, Srv, Verdict};
use crate::plan::ForeignRecord;
use crate::status::{
    Copies, HostStatus, LastChange, MINUTES, Minute, Page, Status, ZoneState, ZoneStatus,
};

/// The version of the format.
const FORMAT_VERSION: u32 = 1;

/// Zones in one piece.
const AT_ONCE: usize = 32;

/// The status with the zones of this page, in pieces that make one JSON object.
pub fn json(
    status: &Status,
    page: Page,
    now: Timestamp,
) -> serde_json::Result<impl Iterator<Item = String> + Send + use<>> {
    let mut head = serde_json::to_string(&Head::new(status, &page, now))?;
    // The zones are the object's last member.
    head.pop();
    head.push_str(",\"zones\":[");
    let count = page.zones.len();
    let zones = page.zones.into_iter().enumerate();
    let pieces = Pieces { zones, count };
    Ok(std::iter::once(head)
        .chain(pieces)
        .chain(std::iter::once("]}\n".to_owned())))
}

/// Serializes zones as they are asked for.
struct Pieces {
    zones: std::iter::Enumerate<std::vec::IntoIter<Arc<ZoneStatus>>>,
    count: usize,
}

impl Iterator for Pieces {
    type Item = String;

    fn next(&mut self) -> Option<String> {
        let mut piece = String::new();
        for (index, zone) in self.zones.by_ref().take(AT_ONCE) {
            // Texts and numbers can always be written.
            piece.push_str(&serde_json::to_string(&Zone::from(&*zone)).unwrap_or_default());
            if index + 1 < self.count {
                piece.push(',');
            }
        }
        (!piece.is_empty()).then_some(piece)
    }
}

#[derive(Serialize)]
struct Head<'a> {
    format_version: u32,
    version: &'static str,
    at: Timestamp,
    started: Timestamp,
    generation: u64,
    mode: &'static str,
    interval_seconds: f64,
    verdict: JsonVerdict,
    pause: Option<JsonPause<'a>>,
    canary: &'static str,
    store_failure: Option<&'a str>,
    last_attempt: Option<Timestamp>,
    last_success: Option<Timestamp>,
    last_full_reconcile: Option<Timestamp>,
    overdue: bool,
    totals: Totals,
    hosts: Vec<Host<'a>>,
    overrides: Vec<HostOverride<'a>>,
    page: PageNumbers,
}

#[derive(Serialize)]
struct JsonVerdict {
    level: &'static str,
    text: String,
}

#[derive(Serialize)]
struct Totals {
    hosts: usize,
    hosts_up: usize,
    hosts_down: usize,
    hosts_suspect: usize,
    hosts_unknown: usize,
    zones: usize,
    problems: usize,
    in_sync: usize,
    unread: usize,
    pending: usize,
    held: usize,
    short: usize,
    failed: usize,
    unreadable: usize,
    disagreeing: usize,
    records: Records,
}

#[derive(Serialize)]
struct Records {
    published: usize,
    missing: usize,
    held: usize,
    contested: usize,
    foreign: usize,
    pending: usize,
}

/// Where a page stands among all.
#[derive(Serialize)]
pub(super) struct PageNumbers {
    total: usize,
    page: usize,
    per_page: Option<usize>,
    pages: usize,
}

impl PageNumbers {
    pub(super) fn of<Z>(page: &Page<Z>) -> Self {
        Self {
            total: page.total,
            page: page.page,
            per_page: page.per_page,
            pages: page.pages,
        }
    }
}

#[derive(Serialize)]
struct Host<'a> {
    host: &'a Name,
    role: &'static str,
    port: u16,
    state: &'static str,
    forced: bool,
    reason: &'a str,
    since: Option<Timestamp>,
    probed: bool,
    interval_seconds: f64,
    latest: Option<Latest<'a>>,
    obstacle: Option<&'a str>,
    r#override: Option<JsonOverride<'a>>,
    answers: Answers,
    /// For each minute of the last hour: passed, failed, the slowest in milliseconds.
    hour: Vec<(u16, u16, u64)>,
}

#[derive(Serialize)]
struct Latest<'a> {
    began: Timestamp,
    took_seconds: f64,
    passed: bool,
    text: &'a str,
}

/// Since the daemon began.
#[derive(Serialize)]
struct Answers {
    passed: u64,
    failed: u64,
    not_probed: u64,
    mean_seconds: Option<f64>,
}

#[derive(Serialize)]
struct HostOverride<'a> {
    host: &'a Name,
    #[serde(flatten)]
    word: JsonOverride<'a>,
}

#[derive(Serialize)]
struct Zone<'a> {
    zone: &'a Name,
    owner: &'a Name,
    state: &'static str,
    level: &'static str,
    error: Option<&'a str>,
    server: Option<String>,
    serial: Option<u32>,
    ttl: Option<u32>,
    published: &'a [Srv],
    missing: Vec<&'a Srv>,
    pending: usize,
    obstacle: Option<&'a str>,
    held: Vec<Held>,
    contested: usize,
    foreign: Vec<Foreign<'a>>,
    last_attempt: Option<Timestamp>,
    last_success: Option<Timestamp>,
    last_change: Option<Change<'a>>,
    name_servers: Option<NameServers<'a>>,
}

#[derive(Serialize)]
struct Foreign<'a> {
    record: &'a Srv,
    text: &'a str,
}

#[derive(Serialize)]
struct Change<'a> {
    at: Timestamp,
    actor: &'a str,
    outcome: &'static str,
    text: &'a str,
    changes: usize,
}

#[derive(Serialize)]
struct NameServers<'a> {
    at: Timestamp,
    agreeing: usize,
    total: usize,
    error: Option<&'a str>,
    servers: Vec<NameServer<'a>>,
}

#[derive(Serialize)]
struct NameServer<'a> {
    name: Option<&'a Name>,
    address: Option<String>,
    state: &'static str,
    serial: Option<u32>,
    text: Option<&'a str>,
}

impl<'a> Head<'a> {
    fn new(status: &'a Status, page: &Page, now: Timestamp) -> Self {
        let verdict = status.verdict(now);
        let words = status.overrides.iter();
        Self {
            format_version: FORMAT_VERSION,
            version: env!("CARGO_PKG_VERSION"),
            at: status.at,
            started: status.started,
            generation: status.generation,
            mode: if status.writes { "enforce" } else { "audit" },
            interval_seconds: status.interval.as_secs_f64(),
            verdict: JsonVerdict {
                level: verdict.level.as_str(),
                text: verdict.text,
            },
            pause: status
                .pause
                .as_ref()
                .map(|pause| JsonPause::new(pause, now)),
            canary: canary(status.canary),
            store_failure: status.store_failure.as_deref(),
            last_attempt: status.totals.last_attempt,
            last_success: status.totals.last_success,
            last_full_reconcile: status.last_full_reconcile(),
            overdue: status.is_overdue(now),
            totals: Totals::from(status),
            hosts: status
                .hosts
                .iter()
                .map(|host| Host::new(host, now))
                .collect(),
            overrides: words
                .map(|word| HostOverride {
                    host: &word.host,
                    word: JsonOverride::new(word, now),
                })
                .collect(),
            page: PageNumbers::of(page),
        }
    }
}

impl From<&Status> for Totals {
    fn from(status: &Status) -> Self {
        use crate::model::State;
        let (totals, hosts) = (&status.totals, |state| status.hosts_that_are(state));
        let zones = |state| totals.in_state(state);
        Self {
            hosts: status
                .hosts
                .iter()
                .filter(|host| host.role != Role::Retired)
                .count(),
            hosts_up: hosts(State::Up),
            hosts_down: hosts(State::Down),
            hosts_suspect: hosts(State::Suspect),
            hosts_unknown: hosts(State::Unknown),
            zones: status.zones.len(),
            problems: totals.problems,
            in_sync: zones(ZoneState::InSync),
            unread: zones(ZoneState::Unread),
            pending: zones(ZoneState::Pending),
            held: zones(ZoneState::Held),
            short: zones(ZoneState::Short),
            failed: zones(ZoneState::Failed),
            unreadable: zones(ZoneState::Unreadable),
            disagreeing: totals.disagreeing,
            records: Records {
                published: totals.published,
                missing: totals.missing,
                held: totals.held,
                contested: totals.contested,
                foreign: totals.foreign,
                pending: totals.pending,
            },
        }
    }
}

impl<'a> Host<'a> {
    fn new(host: &'a HostStatus, now: Timestamp) -> Self {
        let Verdict {
            state,
            forced,
            reason,
            since,
            ..
        } = &host.verdict;
        let durations = &host.durations;
        // Loses nothing that anybody could read.
        let mean = || durations.sum.as_secs_f64() / durations.count as f64;
        Self {
            host: &host.name,
            role: host.role.as_str(),
            port: host.port,
            state: state.as_str(),
            forced: forced.is_some(),
            reason,
            since: *since,
            probed: host.probed,
            interval_seconds: host.interval.as_secs_f64(),
            latest: host.latest.as_ref().map(|latest| Latest {
                began: latest.began,
                took_seconds: rounded(latest.took.as_secs_f64()),
                passed: latest.passed,
                text: &latest.text,
            }),
            obstacle: host.obstacle.as_deref(),
            r#override: host.word.as_ref().map(|word| JsonOverride::new(word, now)),
            answers: Answers {
                passed: host.passed,
                failed: host.failed,
                not_probed: host.obstacles,
                mean_seconds: (durations.count > 0).then(|| rounded(mean())),
            },
            hour: if host.probed {
                hour(host, now)
            } else {
                Vec::new()
            },
        }
    }
}

fn hour(host: &HostStatus, now: Timestamp) -> Vec<(u16, u16, u64)> {
    let minutes: [Minute; MINUTES] = host.hour.minutes(now);
    let told = |minute: &Minute| {
        let slowest = u64::try_from(minute.slowest.as_millis()).unwrap_or(u64::MAX);
        (minute.passed, minute.failed, slowest)
    };
    minutes.iter().map(told).collect()
}

/// To microseconds.
fn rounded(seconds: f64) -> f64 {
    (seconds * 1e6).round() / 1e6
}

/// The word for what the canaries say.
fn canary(canary: Canary) -> &'static str {
    match canary {
        Canary::Unused => "unused",
        Canary::Answers => "answers",
        Canary::Silent => "silent",
    }
}

impl<'a> From<&'a ZoneStatus> for Zone<'a> {
    fn from(zone: &'a ZoneStatus) -> Self {
        let plan = zone.planned();
        let server = plan.map(|plan| plan.observed.server.to_string());
        let error = zone.error();
        let failure = zone.failure.as_ref().map(|outcome| outcome.text.as_str());
        Self {
            zone: &zone.zone,
            owner: &zone.owner,
            state: zone.state().as_str(),
            level: zone.level().as_str(),
            error: error.map(|error| error.text.as_str()).or(failure),
            server: server.or_else(|| error?.server.clone()),
            serial: plan.map(|plan| plan.observed.serial),
            ttl: plan.and_then(|plan| plan.observed.ttl),
            published: zone.published(),
            missing: zone.missing().collect(),
            pending: zone.pending(),
            obstacle: zone.obstacle.as_deref(),
            held: plan.map_or_else(Vec::new, |plan| plan.held.iter().map(Held::from).collect()),
            contested: zone.contested(),
            foreign: plan.map_or_else(Vec::new, |plan| {
                plan.foreign.iter().map(Foreign::from).collect()
            }),
            last_attempt: zone.last_attempt,
            last_success: zone.last_success,
            last_change: zone.last_change.as_ref().map(Change::from),
            name_servers: zone.copies.as_ref().map(NameServers::from),
        }
    }
}

impl<'a> From<&'a ForeignRecord> for Foreign<'a> {
    fn from(foreign: &'a ForeignRecord) -> Self {
        Self {
            record: &foreign.record,
            text: &foreign.text,
        }
    }
}

impl<'a> From<&'a LastChange> for Change<'a> {
    fn from(change: &'a LastChange) -> Self {
        Self {
            at: change.at,
            actor: &change.actor,
            outcome: change.outcome.as_str(),
            text: &change.text,
            changes: change.changes,
        }
    }
}

impl<'a> From<&'a Copies> for NameServers<'a> {
    fn from(copies: &'a Copies) -> Self {
        Self {
            at: copies.at,
            agreeing: copies.agreeing(),
            total: copies.total(),
            error: copies.servers.as_ref().err().map(String::as_str),
            servers: copies
                .servers
                .iter()
                .flatten()
                .map(NameServer::from)
                .collect(),
        }
    }
}

impl<'a> From<&'a ServerCopy> for NameServer<'a> {
    fn from(copy: &'a ServerCopy) -> Self {
        let (state, serial, text) = match &copy.state {
            CopyState::Agrees { serial } => ("agrees", Some(*serial), None),
            CopyState::Differs { serial, publishes } => ("differs", Some(*serial), Some(publishes)),
            CopyState::Unreadable { text } => ("unreadable", None, Some(text)),
        };
        Self {
            name: copy.name.as_ref(),
            address: copy.address.map(|address| address.to_string()),
            state,
            serial,
            text: text.map(String::as_str),
        }
    }
}

#[cfg(test)]
mod tests;
