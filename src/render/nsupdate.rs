//! The plan as a script for BIND's `nsupdate`, with the same meaning as our own update.
//!
//! One block and one message per zone: the whole RRset as read for a prerequisite (RFC 2136
//! §2.4.2, §2.4.3), then deletions, then additions. A zone that changed since answers NXRRSET or
//! YXRRSET, and nsupdate goes on with the next block and ends with status 2.

use std::fmt::Write;

use crate::model::Change;
use crate::plan::{Plan, ZonePlan};

use super::lines::{comments, summary};

/// The script; held changes and zones in error stand in it as comments.
pub fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "; {}
; Made by srvkeeper at {:.0}. Run it with: nsupdate -v -k KEYFILE THIS-FILE
; Each zone is updated only while its RRset is what the plan saw; otherwise the server answers
; NXRRSET or YXRRSET, nothing changes there, and nsupdate ends with status 2.
;
; Records that stay are added again when the TTL changes, whoever published them; nsupdate would
; stop at a target that is no host name:
check-names no",
        summary(&plan.summary()),
        plan.created
    );
    for zone in &plan.zones {
        out.push('\n');
        for comment in comments(zone, true) {
            let _ = writeln!(out, "; {comment}");
        }
        if let Ok(planned) = &zone.result
            && planned.is_pending()
        {
            update(&mut out, planned);
        }
    }
    out
}

fn update(out: &mut String, plan: &ZonePlan) {
    let (owner, server) = (&plan.owner, plan.observed.server);
    let _ = writeln!(out, "server {} {}", server.ip(), server.port());
    let _ = writeln!(out, "zone {}", plan.observed.update_zone);
    if plan.observed.records.is_empty() {
        let _ = writeln!(out, "prereq nxrrset {owner} IN SRV");
    }
    for record in &plan.observed.records {
        let _ = writeln!(out, "prereq yxrrset {owner} IN SRV {record}");
    }
    for record in plan.changes.iter().filter_map(Change::before) {
        let _ = writeln!(out, "update delete {owner} IN SRV {record}");
    }
    let ttl = plan.after_ttl.unwrap_or_default();
    for record in plan.changes.iter().filter_map(Change::after) {
        let _ = writeln!(out, "update add {owner} {ttl} IN SRV {record}");
    }
    out.push_str("send\n");
}
