//! The plan as JSON, format version 1: what `plan --format json` prints and `apply --plan` reads.
//!
//! Written zone by zone, so that ten thousand zones need no second copy in memory. One set of
//! types serves both ways.

use std::io;

use jiff::Timestamp;
use serde::ser::{SerializeSeq, Serializer};
use serde::{Deserialize, Serialize};

use crate::model::{Change, Name, Srv, State};
use crate::plan::{
    self, Approved, ApprovedChanges, ApprovedHost, ApprovedZone, Guard, Plan, PlannedHost,
    ZonePlan, ZoneResult,
};

/// The version of the format.
const FORMAT_VERSION: u32 = 1;

/// Writes the plan with its digest, indented, with a final newline.
pub fn plan(plan: &Plan, out: &mut dyn io::Write) -> io::Result<()> {
    let document = Written {
        format_version: FORMAT_VERSION,
        digest: plan::digest(plan),
        created: plan.created,
        hosts: Sequence(&plan.hosts, Host::from),
        zones: Sequence(&plan.zones, Zone::from),
        summary: Summary::from(plan.summary()),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

/// Why a file is no plan.
#[derive(Debug, thiserror::Error)]
pub enum ReadError {
    /// It is not the JSON that [`plan()`] writes.
    #[error("this is no plan as `srvkeeper plan --out FILE` writes it")]
    Json(#[from] serde_json::Error),
    /// It comes from another version of the format.
    #[error(
        "the plan has format version {0}, and this version reads {FORMAT_VERSION}; make a new plan"
    )]
    Version(u32),
    /// A word that is none of the format's.
    #[error("the plan's {what} \"{word}\" cannot be; make a new plan")]
    Word {
        /// Which field.
        what: &'static str,
        /// What stands there.
        word: String,
    },
}

/// Reads a plan for `apply --plan`; its digest is not checked here.
pub fn read(text: &str) -> Result<Approved, ReadError> {
    let version: Version = serde_json::from_str(text)?;
    if version.format_version != FORMAT_VERSION {
        return Err(ReadError::Version(version.format_version));
    }
    let document: Read = serde_json::from_str(text)?;
    Ok(Approved {
        digest: document.digest,
        created: document.created,
        hosts: document
            .hosts
            .into_iter()
            .map(ApprovedHost::try_from)
            .collect::<Result<_, _>>()?,
        zones: document
            .zones
            .into_iter()
            .map(ApprovedZone::try_from)
            .collect::<Result<_, _>>()?,
    })
}

#[derive(Serialize)]
struct Written<'a> {
    format_version: u32,
    digest: String,
    created: Timestamp,
    hosts: Sequence<'a, PlannedHost, Host>,
    zones: Sequence<'a, ZoneResult, Zone>,
    summary: Summary,
}

/// Serializes each item's view as it comes, holding one at a time.
struct Sequence<'a, T, V>(&'a [T], fn(&'a T) -> V);

impl<T, V: Serialize> Serialize for Sequence<'_, T, V> {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(Some(self.0.len()))?;
        for item in self.0 {
            sequence.serialize_element(&(self.1)(item))?;
        }
        sequence.end()
    }
}

#[derive(Deserialize)]
struct Version {
    format_version: u32,
}

#[derive(Deserialize)]
struct Read {
    digest: String,
    created: Timestamp,
    hosts: Vec<Host>,
    zones: Vec<Zone>,
}

#[derive(Serialize, Deserialize)]
struct Host {
    host: Name,
    verdict: String,
    since: Option<Timestamp>,
    reason: String,
    forced: bool,
}

#[derive(Serialize, Deserialize)]
struct Zone {
    zone: Name,
    server: Option<String>,
    serial: Option<u32>,
    error: Option<String>,
    observed: Option<Observed>,
    changes: Vec<Change>,
    held: Vec<Held>,
    foreign: Vec<Foreign>,
    unchanged: usize,
}

#[derive(Serialize, Deserialize)]
struct Observed {
    ttl: Option<u32>,
    records: Vec<Srv>,
}

/// A change that a guard withheld.
#[derive(Serialize, Deserialize)]
pub(super) struct Held {
    change: Change,
    guard: String,
    text: String,
}

#[derive(Serialize, Deserialize)]
struct Foreign {
    record: Srv,
    text: String,
}

#[derive(Serialize)]
struct Summary {
    zones: usize,
    creates: usize,
    updates: usize,
    deletes: usize,
    held: usize,
    foreign: usize,
    errors: usize,
}

impl From<&PlannedHost> for Host {
    fn from(host: &PlannedHost) -> Self {
        Self {
            host: host.name.clone(),
            verdict: host.verdict.state.as_str().to_owned(),
            since: host.verdict.since,
            reason: host.verdict.reason.clone(),
            forced: host.verdict.forced.is_some(),
        }
    }
}

impl From<&ZoneResult> for Zone {
    fn from(zone: &ZoneResult) -> Self {
        match &zone.result {
            Ok(plan) => Self::from(plan),
            Err(error) => Self {
                zone: zone.zone.clone(),
                server: error.server.clone(),
                serial: None,
                error: Some(error.text.clone()),
                observed: None,
                changes: Vec::new(),
                held: Vec::new(),
                foreign: Vec::new(),
                unchanged: 0,
            },
        }
    }
}

impl From<&ZonePlan> for Zone {
    fn from(plan: &ZonePlan) -> Self {
        Self {
            zone: plan.zone.clone(),
            server: Some(plan.observed.server.to_string()),
            serial: Some(plan.observed.serial),
            error: None,
            observed: Some(Observed {
                ttl: plan.observed.ttl,
                records: plan.observed.records.clone(),
            }),
            changes: plan.changes.clone(),
            held: plan.held.iter().map(Held::from).collect(),
            foreign: plan
                .foreign
                .iter()
                .map(|foreign| Foreign {
                    record: foreign.record.clone(),
                    text: foreign.text.clone(),
                })
                .collect(),
            unchanged: plan.unchanged,
        }
    }
}

impl From<&plan::Held> for Held {
    fn from(held: &plan::Held) -> Self {
        Self {
            change: held.change.clone(),
            guard: held.guard.as_str().to_owned(),
            text: held.text.clone(),
        }
    }
}

impl From<plan::Summary> for Summary {
    fn from(summary: plan::Summary) -> Self {
        Self {
            zones: summary.zones,
            creates: summary.creates,
            updates: summary.updates,
            deletes: summary.deletes,
            held: summary.held,
            foreign: summary.foreign,
            errors: summary.errors,
        }
    }
}

impl TryFrom<Host> for ApprovedHost {
    type Error = ReadError;

    fn try_from(host: Host) -> Result<Self, ReadError> {
        Ok(Self {
            name: host.host,
            state: State::parse(&host.verdict).ok_or(ReadError::Word {
                what: "verdict",
                word: host.verdict,
            })?,
            forced: host.forced,
        })
    }
}

impl TryFrom<Zone> for ApprovedZone {
    type Error = ReadError;

    fn try_from(zone: Zone) -> Result<Self, ReadError> {
        let planned = match (zone.observed, zone.error) {
            (Some(observed), None) => {
                let mut records = observed.records;
                records.sort();
                Ok(ApprovedChanges {
                    ttl: observed.ttl,
                    records,
                    changes: zone.changes,
                    held: zone
                        .held
                        .iter()
                        .any(|held| !Guard::parse(&held.guard).is_some_and(Guard::leaves_alone)),
                })
            }
            (_, error) => Err(error.unwrap_or_else(|| "nothing was observed".to_owned())),
        };
        Ok(Self {
            name: zone.zone,
            planned,
        })
    }
}

#[cfg(test)]
mod tests {
    use jiff::SignedDuration;
    use serde_json::Value;

    use super::*;
    use crate::model::{self, ChangeKind, Reason, ReasonCode, Verdict};
    use crate::plan::{Refusal, ZoneError};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn srv(target: &str) -> Srv {
        Srv {
            priority: 0,
            weight: 0,
            port: 1688,
            target: name(target),
        }
    }

    fn sample() -> Plan {
        let observed = model::Observed {
            server: "[2001:db8::53]:53".parse().unwrap(),
            update_zone: name("corp.example."),
            serial: 7,
            ttl: Some(3600),
            mixed_ttl: false,
            records: vec![srv("KMS1.corp.example.")],
        };
        let changes = vec![model::Change {
            kind: ChangeKind::Create {
                after: srv("kms2.corp.example."),
                ttl: 3600,
            },
            reason: Reason {
                code: ReasonCode::HostUp,
                text: "it \"answers\"".into(),
            },
        }];
        let verdict = Verdict {
            state: State::Up,
            since: Some(Timestamp::UNIX_EPOCH),
            ..Verdict::unknown("answers")
        };
        Plan {
            created: Timestamp::UNIX_EPOCH,
            hosts: vec![PlannedHost {
                name: name("kms2.corp.example."),
                verdict,
            }],
            zones: vec![
                ZoneResult {
                    zone: name("corp.example."),
                    result: Ok(ZonePlan {
                        zone: name("corp.example."),
                        owner: name("_vlmcs._tcp.corp.example."),
                        changes,
                        held: Vec::new(),
                        foreign: Vec::new(),
                        unchanged: 1,
                        after: vec![srv("KMS1.corp.example."), srv("kms2.corp.example.")],
                        after_ttl: Some(3600),
                        removed: Vec::new(),
                        short_of_hosts: None,
                        observed,
                    }),
                },
                ZoneResult {
                    zone: name("dead.example."),
                    result: Err(ZoneError {
                        server: None,
                        text: "no answer".into(),
                    }),
                },
            ],
        }
    }

    fn written(plan: &Plan) -> String {
        let mut out = Vec::new();
        super::plan(plan, &mut out).unwrap();
        String::from_utf8(out).unwrap()
    }

    fn owners() -> Vec<Name> {
        vec![
            name("_vlmcs._tcp.corp.example."),
            name("_vlmcs._tcp.dead.example."),
        ]
    }

    #[test]
    fn the_fields_are_those_of_the_contract() {
        let json: Value = serde_json::from_str(&written(&sample())).unwrap();
        let keys =
            |value: &Value| -> Vec<String> { value.as_object().unwrap().keys().cloned().collect() };
        let sorted = |mut words: Vec<&str>| -> Vec<String> {
            words.sort_unstable();
            words.into_iter().map(str::to_owned).collect()
        };
        for (value, fields) in [
            (
                &json,
                vec![
                    "format_version",
                    "digest",
                    "created",
                    "hosts",
                    "zones",
                    "summary",
                ],
            ),
            (
                &json["hosts"][0],
                vec!["host", "verdict", "since", "reason", "forced"],
            ),
            (
                &json["zones"][0],
                vec![
                    "zone",
                    "server",
                    "serial",
                    "error",
                    "observed",
                    "changes",
                    "held",
                    "foreign",
                    "unchanged",
                ],
            ),
            (&json["zones"][0]["observed"], vec!["ttl", "records"]),
            (
                &json["zones"][0]["changes"][0],
                vec!["type", "before", "after", "reason"],
            ),
            (
                &json["zones"][0]["changes"][0]["after"],
                vec!["priority", "weight", "port", "target", "ttl"],
            ),
            (
                &json["summary"],
                vec![
                    "zones", "creates", "updates", "deletes", "held", "foreign", "errors",
                ],
            ),
        ] {
            let mut found = keys(value);
            found.sort();
            assert_eq!(found, sorted(fields));
        }
        assert_eq!(json["zones"][0]["changes"][0]["type"], "create");
        assert_eq!(json["zones"][1]["error"], "no answer");
        assert_eq!(
            json["zones"][0]["observed"]["records"][0]["target"],
            "KMS1.corp.example."
        );
    }

    #[test]
    fn what_is_written_is_read_and_verified() {
        let approved = read(&written(&sample())).unwrap();
        assert_eq!(approved.verify(owners().iter()), Ok(()));
        let other_service = [
            name("_http._tcp.corp.example."),
            name("_http._tcp.dead.example."),
        ];
        assert_eq!(
            approved.verify(other_service.iter()),
            Err(Refusal::Doctored)
        );
        let planned = approved.zones[0].planned.as_ref().unwrap();
        assert_eq!(planned.records, [srv("kms1.corp.example.")]);
        assert!(approved.zones[1].planned.is_err());
    }

    #[test]
    fn the_digest_binds_what_counts_and_nothing_else() {
        let original = written(&sample());
        for (from, to, whole) in [
            ("\"serial\": 7", "\"serial\": 8", true),
            ("it \\\"answers\\\"", "because", true),
            (
                "kms2.corp.example.\",\n            \"ttl\"",
                "evil.example.\",\n            \"ttl\"",
                false,
            ),
            ("\"ttl\": 3600", "\"ttl\": 60", false),
            ("\"type\": \"create\"", "\"type\": \"create\" ", true),
            ("\"verdict\": \"up\"", "\"verdict\": \"down\"", false),
            ("\"forced\": false", "\"forced\": true", false),
            ("\"priority\": 0", "\"priority\": 10", false),
            ("host-up", "host-forced", false),
        ] {
            let doctored = original.replacen(from, to, 1);
            assert_ne!(doctored, original, "{from}");
            let verified = read(&doctored).unwrap().verify(owners().iter());
            assert_eq!(verified.is_ok(), whole, "{from} -> {to}");
        }
    }

    #[test]
    fn a_day_is_the_limit() {
        let approved = read(&written(&sample())).unwrap();
        let after = |hours| Timestamp::UNIX_EPOCH + SignedDuration::from_hours(hours);
        assert_eq!(approved.check_age(after(24)), Ok(()));
        assert!(matches!(
            approved.check_age(after(25)),
            Err(Refusal::TooOld { .. })
        ));
    }

    #[test]
    fn what_is_no_plan_is_refused() {
        for text in ["", "{}", "[]", "{\"format_version\":1}", "null", "\u{0}"] {
            assert!(matches!(read(text), Err(ReadError::Json(_))), "{text}");
        }
        assert!(matches!(
            read("{\"format_version\":2}"),
            Err(ReadError::Version(2))
        ));
        let without_after =
            written(&sample()).replacen("\"type\": \"create\"", "\"type\": \"delete\"", 1);
        let reason = written(&sample()).replacen("host-up", "host-great", 1);
        for text in [without_after, reason] {
            assert!(matches!(read(&text), Err(ReadError::Json(_))), "{text}");
        }
        let verdict =
            written(&sample()).replacen("\"verdict\": \"up\"", "\"verdict\": \"fine\"", 1);
        assert!(matches!(
            read(&verdict),
            Err(ReadError::Word {
                what: "verdict",
                ..
            })
        ));
    }
}
