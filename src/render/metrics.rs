//! The status in the text format of Prometheus, version 0.0.4: what `/metrics` answers.
//!
//! Labels are names of the configuration and words of closed sets, so that their number is bounded
//! by the configuration. Written in pieces: ten thousand zones need no copy of the whole.

use std::fmt::Write;
use std::sync::Arc;
use std::time::Duration;

use jiff::Timestamp;

use crate::model::{AlertKind, Canary, OutcomeKind, OverrideState, State};
use crate::plan::Guard;
use crate::status::{Durations, HostStatus, Status, ZoneState, ZoneStatus};

/// Zones in one piece.
const AT_ONCE: usize = 64;

/// The metrics, in pieces.
pub fn text(
    status: Arc<Status>,
    now: Timestamp,
) -> impl Iterator<Item = String> + Send + 'static + use<> {
    let first = whole(&status, now) + &hosts(&status);
    let zones = ZONE_FAMILIES.iter().flat_map(move |family| {
        let status = Arc::clone(&status);
        let begins = (0..status.zones.len()).step_by(AT_ONCE);
        let head = (!status.zones.is_empty()).then(|| family.head());
        let pieces = begins.map(move |begin| {
            let mut piece = String::new();
            for zone in status.zones.iter().skip(begin).take(AT_ONCE) {
                family.samples(zone, &mut piece);
            }
            piece
        });
        head.into_iter().chain(pieces)
    });
    std::iter::once(first).chain(zones)
}

/// What is said of the whole.
fn whole(status: &Status, now: Timestamp) -> String {
    let mut out = Metrics::default();
    out.family("build_info", "gauge", "The version; always 1.");
    out.sample("", &[("version", env!("CARGO_PKG_VERSION"))], 1.0);
    out.single(
        "start_time_seconds",
        "When the daemon began, since 1970.",
        seconds(status.started),
    );
    out.single(
        "status_age_seconds",
        "How long ago the daemon's loop last turned; about 1 at most while it works.",
        now.duration_since(status.at).as_secs_f64().max(0.0),
    );
    out.single(
        "reconcile_interval_seconds",
        "Time between two full reconciles.",
        status.interval.as_secs_f64(),
    );
    out.single(
        "writes",
        "1 when the daemon writes DNS, 0 when it audits.",
        flag(status.writes),
    );
    out.single(
        "paused",
        "1 while a pause holds.",
        flag(status.pause.is_some()),
    );
    out.single(
        "store_usable",
        "1 while the store can be used.",
        flag(status.store_failure.is_none()),
    );
    out.single(
        "canary_silent",
        "1 while no canary answers.",
        flag(status.canary == Canary::Silent),
    );
    let totals = &status.totals;
    for (name, help, time) in [
        (
            "last_attempt_timestamp_seconds",
            "When any zone was last looked at, since 1970.",
            totals.last_attempt,
        ),
        (
            "last_success_timestamp_seconds",
            "When any zone was last looked at with success, since 1970.",
            totals.last_success,
        ),
        (
            "last_full_reconcile_timestamp_seconds",
            "Since then every zone was looked at; since 1970.",
            status.last_full_reconcile(),
        ),
    ] {
        if let Some(time) = time {
            out.single(name, help, seconds(time));
        }
    }
    out.single(
        "overdue",
        "1 while some zone was not looked at for two intervals and a minute.",
        flag(status.is_overdue(now)),
    );
    out.family("zones", "gauge", "Zones by state.");
    for (state, count) in ZoneState::ALL.into_iter().zip(totals.states) {
        out.sample("", &[("state", state.as_str())], float(count));
    }
    let counters = &status.counters;
    out.family("zone_walks_total", "counter", "Looks at a zone, by result.");
    for (result, count) in [
        ("succeeded", counters.succeeded),
        ("failed", counters.failed),
    ] {
        out.sample("", &[("result", result)], float64(count));
    }
    out.family(
        "updates_total",
        "counter",
        "Looks at a zone that came to an update, by the outcome of the last.",
    );
    for (kind, count) in OutcomeKind::ALL.into_iter().zip(counters.updates) {
        out.sample("", &[("outcome", kind.as_str())], float64(count));
    }
    out.family(
        "guard_trips_total",
        "counter",
        "Changes that a guard began to withhold.",
    );
    for (guard, count) in Guard::ALL.into_iter().zip(counters.guards) {
        out.sample("", &[("guard", guard.as_str())], float64(count));
    }
    out.family("alerts_total", "counter", "Alerts raised, by kind.");
    for (kind, count) in AlertKind::ALL.into_iter().zip(counters.alerts) {
        out.sample("", &[("kind", kind.as_str())], float64(count));
    }
    out.family(
        "overrides",
        "gauge",
        "Overrides in force, by what they force.",
    );
    for state in [OverrideState::Up, OverrideState::Down] {
        let words = status.overrides.iter();
        let count = words.filter(|word| word.state == state).count();
        out.sample("", &[("state", state.as_str())], float(count));
    }
    out.text
}

/// What is said of each host.
fn hosts(status: &Status) -> String {
    let mut out = Metrics::default();
    if status.hosts.is_empty() {
        return out.text;
    }
    let names: Vec<String> = status
        .hosts
        .iter()
        .map(|host| host.name.to_string())
        .collect();
    let hosts = || status.hosts.iter().zip(&names);
    out.family(
        "host_up",
        "gauge",
        "1 when the host is believed to be up, overrides applied.",
    );
    for (host, name) in hosts() {
        let up = flag(host.verdict.state == State::Up);
        out.sample("", &[("host", name), ("role", host.role.as_str())], up);
    }
    out.family("host_forced", "gauge", "1 while an override decides.");
    for (host, name) in hosts() {
        out.sample("", &[("host", name)], flag(host.verdict.forced.is_some()));
    }
    out.family(
        "probes_total",
        "counter",
        "Probes of the host; obstructed: it could not be made.",
    );
    for (host, name) in hosts() {
        for (result, count) in [
            ("passed", host.passed),
            ("failed", host.failed),
            ("obstructed", host.obstacles),
        ] {
            out.sample("", &[("host", name), ("result", result)], float64(count));
        }
    }
    let help = "How long probes of the host took.";
    out.family("probe_duration_seconds", "histogram", help);
    for (host, name) in hosts().filter(|(host, _name)| host.probed) {
        histogram(&mut out, host, name);
    }
    out.text
}

fn histogram(out: &mut Metrics, host: &HostStatus, name: &str) {
    let durations = &host.durations;
    let mut below = 0;
    for (bound, count) in Durations::BOUNDS.into_iter().zip(durations.counts) {
        below += count;
        let bound = Duration::from_millis(u64::from(bound))
            .as_secs_f64()
            .to_string();
        out.sample("_bucket", &[("host", name), ("le", &bound)], float64(below));
    }
    let count = float64(durations.count);
    out.sample("_bucket", &[("host", name), ("le", "+Inf")], count);
    out.sample("_sum", &[("host", name)], durations.sum.as_secs_f64());
    out.sample("_count", &[("host", name)], count);
}

/// A metric that each zone has.
struct ZoneFamily {
    name: &'static str,
    help: &'static str,
    /// The further label, where there is one.
    label: Option<&'static str>,
    values: fn(&ZoneStatus) -> Vec<(&'static str, f64)>,
}

static ZONE_FAMILIES: &[ZoneFamily] = &[
    ZoneFamily {
        name: "zone_records",
        help: "The zone's records by state: published; missing, to be published; held, a change of \
               it withheld; contested; foreign.",
        label: Some("state"),
        values: |zone| {
            vec![
                ("published", float(zone.published().len())),
                ("missing", float(zone.missing().count())),
                ("held", float(zone.held())),
                ("contested", float(zone.contested())),
                ("foreign", float(zone.foreign())),
            ]
        },
    },
    ZoneFamily {
        name: "zone_pending_changes",
        help: "Changes that are to be made in the zone.",
        label: None,
        values: |zone| vec![("", float(zone.pending()))],
    },
    ZoneFamily {
        name: "zone_problem",
        help: "0: the zone is fine; 1: somebody should look at it; 2: clients may be harmed.",
        label: None,
        values: |zone| vec![("", f64::from(zone.level() as u8))],
    },
    ZoneFamily {
        name: "zone_last_attempt_timestamp_seconds",
        help: "When the zone was last looked at, since 1970.",
        label: None,
        values: |zone| time(zone.last_attempt),
    },
    ZoneFamily {
        name: "zone_last_success_timestamp_seconds",
        help: "When the zone was last looked at with success, since 1970.",
        label: None,
        values: |zone| time(zone.last_success),
    },
    ZoneFamily {
        name: "zone_serial",
        help: "The serial of the zone at its primary.",
        label: None,
        values: |zone| {
            let plan = zone.planned().into_iter();
            plan.map(|plan| ("", f64::from(plan.observed.serial)))
                .collect()
        },
    },
    ZoneFamily {
        name: "zone_name_servers",
        help: "The zone's other name servers after its newest update, by whether they agree.",
        label: Some("state"),
        values: |zone| match &zone.copies {
            None => Vec::new(),
            Some(copies) => vec![
                ("agrees", float(copies.agreeing())),
                ("differs", float(copies.total() - copies.agreeing())),
            ],
        },
    },
];

impl ZoneFamily {
    fn head(&self) -> String {
        let mut out = Metrics::default();
        out.family(self.name, "gauge", self.help);
        out.text
    }

    fn samples(&self, zone: &ZoneStatus, piece: &mut String) {
        let (name, owner) = (zone.zone.to_string(), zone.owner.to_string());
        let mut out = Metrics {
            name: self.name,
            text: std::mem::take(piece),
        };
        for (word, value) in (self.values)(zone) {
            let labels = [("zone", name.as_str()), ("owner", owner.as_str())];
            match self.label {
                None => out.sample("", &labels, value),
                Some(label) => {
                    let [zone, owner] = labels;
                    out.sample("", &[zone, owner, (label, word)], value);
                }
            }
        }
        *piece = out.text;
    }
}

/// The lines of a family, one after the other.
#[derive(Default)]
struct Metrics {
    name: &'static str,
    text: String,
}

impl Metrics {
    fn family(&mut self, name: &'static str, kind: &str, help: &str) {
        self.name = name;
        // Writing to a String cannot fail, here and below.
        let _ = writeln!(
            self.text,
            "# HELP srvkeeper_{name} {help}\n# TYPE srvkeeper_{name} {kind}"
        );
    }

    fn single(&mut self, name: &'static str, help: &str, value: f64) {
        self.family(name, "gauge", help);
        self.sample("", &[], value);
    }

    fn sample(&mut self, suffix: &str, labels: &[(&str, &str)], value: f64) {
        let _ = write!(self.text, "srvkeeper_{}{suffix}", self.name);
        for (index, (name, text)) in labels.iter().enumerate() {
            let separator = if index == 0 { '{' } else { ',' };
            let _ = write!(self.text, "{separator}{name}=\"{}\"", escaped(text));
        }
        let end = if labels.is_empty() { "" } else { "}" };
        let _ = writeln!(self.text, "{end} {value}");
    }
}

/// A label's value.
fn escaped(text: &str) -> String {
    text.replace('\\', "\\\\")
        .replace('"', "\\\"")
        .replace('\n', "\\n")
}

fn flag(holds: bool) -> f64 {
    f64::from(u8::from(holds))
}

/// Counts stay far below what this loses.
fn float(count: usize) -> f64 {
    count as f64
}

fn float64(count: u64) -> f64 {
    count as f64
}

/// To milliseconds.
fn seconds(time: Timestamp) -> f64 {
    time.as_millisecond() as f64 / 1000.0
}

fn time(time: Option<Timestamp>) -> Vec<(&'static str, f64)> {
    time.map(|time| ("", seconds(time))).into_iter().collect()
}
