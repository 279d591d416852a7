//! A rollback as people read it: the changes, which hosts it holds, and what will not last.

use jiff::Timestamp;

use crate::plan::Rollback;

use super::lines::{self, Layout, fold};
use super::text::{self, line, told};

/// What the rollback does, and until when its hosts are held.
pub fn rollback(rollback: &Rollback, until: Timestamp, layout: Layout) -> String {
    let plan = &rollback.plan;
    let mut out = text::zone(plan, layout);
    if !plan.is_pending() {
        return out;
    }
    for hold in &rollback.holds {
        let text = format!(
            "{host} will be forced {state} in every zone until {until:.0}; `srvkeeper host clear {host}` ends it",
            host = hold.host,
            state = hold.state,
        );
        paragraph(&mut out, &text, layout);
    }
    if !rollback.lost.is_empty() {
        let text = "The next run will change again what the configuration wants otherwise:";
        paragraph(&mut out, text, layout);
        told(
            &mut out,
            &lines::changes(&plan.owner, &rollback.lost, layout),
        );
    }
    out
}

fn paragraph(out: &mut String, text: &str, layout: Layout) {
    for piece in fold(text, layout.width) {
        line(out, &piece);
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;

    use super::*;
    use crate::model::{Change, ChangeKind, Name, OverrideState, Reason, ReasonCode, Srv};
    use crate::plan::{Guard, Held, Hold, ZonePlan};

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn create(code: ReasonCode, text: &str) -> Change {
        Change {
            kind: ChangeKind::Create {
                after: Srv {
                    priority: 0,
                    weight: 0,
                    port: 1688,
                    target: name("kms2.corp.example."),
                },
                ttl: 3600,
            },
            reason: Reason {
                code,
                text: text.to_owned(),
            },
        }
    }

    fn sample() -> Rollback {
        Rollback {
            plan: ZonePlan {
                changes: vec![create(ReasonCode::Rollback, "undoes change 17 (host-down)")],
                ..ZonePlan::empty()
            },
            holds: vec![Hold {
                host: name("kms2.corp.example."),
                state: OverrideState::Up,
            }],
            lost: vec![create(ReasonCode::HostRetired, "as the test says")],
        }
    }

    fn shown(rollback: &Rollback) -> String {
        let styled = super::rollback(rollback, Timestamp::UNIX_EPOCH, Layout::default());
        strip_str(&styled).to_string()
    }

    #[test]
    fn changes_holds_and_what_will_not_last() {
        assert_eq!(
            shown(&sample()),
            "\
corp.example.: 1 change (127.0.0.1:53, serial 7)
+ CREATE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms2.corp.example. ttl=3600
    rollback: undoes change 17 (host-down)

kms2.corp.example. will be forced up in every zone until 1970-01-01T00:00:00Z;
`srvkeeper host clear kms2.corp.example.` ends it
The next run will change again what the configuration wants otherwise:
+ CREATE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms2.corp.example. ttl=3600
    host-retired: as the test says
"
        );
    }

    #[test]
    fn what_is_held_promises_nothing() {
        let mut held = sample();
        held.plan.held = std::mem::take(&mut held.plan.changes)
            .into_iter()
            .map(|change| Held {
                change,
                guard: Guard::MinHosts,
                text: "too few".to_owned(),
            })
            .collect();
        let shown = shown(&held);
        assert!(shown.contains("! HELD + CREATE"), "{shown}");
        assert!(!shown.contains("will be forced") && !shown.contains("next run"));
    }
}
