//! Each zone's RRset as it would be after the plan: a snippet of a zone file (RFC 1035 §5.1).
//!
//! Names are absolute and every record has its TTL, so the snippet means the same wherever it is
//! included. Zones without a change are in it too. A zone in error is there as a line that no server
//! reads: the zone file around it does not load, and what is served stays. Without that line the
//! snippet would say that there are no records.

use std::fmt::Write;

use crate::plan::Plan;

use super::lines::{comments, summary};

/// The snippet; what changes, and why, stands in it as comments.
pub fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "; {}
; Made by srvkeeper at {:.0}: the SRV records as they would be afterwards.",
        summary(&plan.summary()),
        plan.created
    );
    for zone in &plan.zones {
        out.push('\n');
        for comment in comments(zone, true) {
            let _ = writeln!(out, "; {comment}");
        }
        let Ok(planned) = &zone.result else {
            let _ = writeln!(out, "$NOT_READ {}", zone.zone);
            continue;
        };
        for record in &planned.after {
            let ttl = planned.after_ttl.unwrap_or_default();
            let _ = writeln!(out, "{} {ttl} IN SRV {record}", planned.owner);
        }
        if planned.after.is_empty() {
            let _ = writeln!(out, "; no records");
        }
    }
    out
}
