//! What the hooks read: one JSON object on one line, format version 1.
//!
//! ```json
//! {"format_version":1,"event":"change","time":"RFC 3339","zone":"corp.example.",
//!  "server":"10.0.0.53:53","actor":"timer","outcome":"applied","text":"…",
//!  "rcode":"NOERROR","serial":8,"changes":[as in `plan --format json`]}
//! {"format_version":1,"event":"alert","time":"RFC 3339","kind":"held",
//!  "zone":"corp.example.","host":"kms1.corp.example.","text":"…"}
//! ```
//!
//! `rcode` and `serial`, `zone` and `host` are null where there is none.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::{self, Change, Name, Outcome};
use crate::plan::ZonePlan;

/// The version of the format.
const FORMAT_VERSION: u32 = 1;

/// What `on_change` reads: a zone's update, what became of it, and who asked.
pub fn change(
    plan: &ZonePlan,
    outcome: &Outcome,
    actor: &str,
    now: Timestamp,
) -> serde_json::Result<String> {
    line(&ChangeEvent {
        format_version: FORMAT_VERSION,
        event: "change",
        time: now,
        zone: &plan.zone,
        server: plan.observed.server.to_string(),
        actor,
        outcome: outcome.kind.as_str(),
        text: &outcome.text,
        rcode: outcome.rcode.map(|rcode| rcode.to_string()),
        serial: outcome.serial,
        changes: &plan.changes,
    })
}

/// What `on_alert` reads.
pub fn alert(alert: &model::Alert, now: Timestamp) -> serde_json::Result<String> {
    line(&AlertEvent {
        format_version: FORMAT_VERSION,
        event: "alert",
        time: now,
        kind: alert.kind.as_str(),
        zone: alert.zone.as_ref(),
        host: alert.host.as_ref(),
        text: &alert.text,
    })
}

/// With a final newline, for the sake of `read` in a shell.
fn line(event: &impl Serialize) -> serde_json::Result<String> {
    let mut line = serde_json::to_string(event)?;
    line.push('\n');
    Ok(line)
}

#[derive(Serialize)]
struct ChangeEvent<'a> {
    format_version: u32,
    event: &'static str,
    time: Timestamp,
    zone: &'a Name,
    server: String,
    actor: &'a str,
    outcome: &'static str,
    text: &'a str,
    rcode: Option<String>,
    serial: Option<u32>,
    changes: &'a [Change],
}

#[derive(Serialize)]
struct AlertEvent<'a> {
    format_version: u32,
    event: &'static str,
    time: Timestamp,
    kind: &'static str,
    zone: Option<&'a Name>,
    host: Option<&'a Name>,
    text: &'a str,
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{
        AlertKind, ChangeKind, Observed, OutcomeKind, Rcode, Reason, ReasonCode, Srv,
    };

    const NOW: Timestamp = Timestamp::UNIX_EPOCH;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn plan() -> ZonePlan {
        let before = Srv {
            priority: 0,
            weight: 0,
            port: 1688,
            target: name("KMS1.corp.example."),
        };
        ZonePlan {
            observed: Observed {
                server: "[2001:db8::53]:53".parse().unwrap(),
                update_zone: name("corp.example."),
                serial: 7,
                ttl: Some(60),
                mixed_ttl: false,
                records: vec![before.clone()],
            },
            changes: vec![Change {
                kind: ChangeKind::Delete {
                    before,
                    before_ttl: 60,
                },
                reason: Reason {
                    code: ReasonCode::HostDown,
                    text: "it \"fails\"\n".to_owned(),
                },
            }],
            ..ZonePlan::empty()
        }
    }

    #[test]
    fn a_change_is_one_line_of_the_documented_form() {
        let applied = Outcome {
            kind: OutcomeKind::Applied,
            text: "read back as planned".to_owned(),
            rcode: Some(Rcode::NOERROR),
            serial: Some(8),
        };
        assert_eq!(
            change(&plan(), &applied, "timer", NOW).unwrap(),
            concat!(
                r#"{"format_version":1,"event":"change","time":"1970-01-01T00:00:00Z","#,
                r#""zone":"corp.example.","server":"[2001:db8::53]:53","actor":"timer","#,
                r#""outcome":"applied","text":"read back as planned","rcode":"NOERROR","serial":8,"#,
                r#""changes":[{"type":"delete","before":{"priority":0,"weight":0,"port":1688,"#,
                r#""target":"KMS1.corp.example.","ttl":60},"after":null,"#,
                r#""reason":{"code":"host-down","text":"it \"fails\"\n"}}]}"#,
                "\n"
            )
        );
    }

    #[test]
    fn what_there_is_not_is_null() {
        for kind in OutcomeKind::ALL {
            let outcome = Outcome {
                kind,
                text: String::new(),
                rcode: None,
                serial: None,
            };
            let text = change(&plan(), &outcome, "timer", NOW).unwrap();
            let json: serde_json::Value = serde_json::from_str(&text).unwrap();
            assert_eq!(json["outcome"], kind.as_str());
            assert!(
                json["rcode"].is_null() && json["serial"].is_null(),
                "{text}"
            );
        }
    }

    #[test]
    fn an_alert_is_one_line_of_the_documented_form() {
        for (zone, host, fields) in [
            (None, None, r#""zone":null,"host":null"#),
            (
                Some("corp.example."),
                Some("kms1.corp.example."),
                r#""zone":"corp.example.","host":"kms1.corp.example.""#,
            ),
        ] {
            for kind in AlertKind::ALL {
                let line = alert(
                    &model::Alert {
                        kind,
                        zone: zone.map(name),
                        host: host.map(name),
                        text: "two\nlines".to_owned(),
                    },
                    NOW,
                );
                assert_eq!(
                    line.unwrap(),
                    format!(
                        r#"{{"format_version":1,"event":"alert","time":"1970-01-01T00:00:00Z","kind":"{kind}",{fields},"text":"two\nlines"}}"#
                    ) + "\n"
                );
            }
        }
    }
}
