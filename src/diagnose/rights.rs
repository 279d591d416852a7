//! The right to change the RRset, from the answer to an update that changes nothing.
//!
//! | Way | Answer | Server | Right |
//! |---|---|---|---|
//! | add again | NOERROR | known to be BIND, or any other with TSIG or unsigned | pass |
//! | add again | NOERROR | any other with GSS-TSIG: Samba 4.22 says so to everyone | cannot tell |
//! | delete absent | NOERROR | Knot, PowerDNS, our own | pass |
//! | delete absent | NOERROR | any other: BIND says so to everyone | cannot tell |
//! | any | REFUSED, NOTAUTH, SERVFAIL, NOTIMP, any other | any | failure |
//! | any | a prerequisite failed | any | cannot tell |
//! | any | a key that reads are accepted with | any | failure: Knot says BADKEY of a name or type that is not granted |
//! | any | a key that nothing is accepted with | any | cannot tell: see the server |
//! | any | none | any | failure |

use super::evidence::{
    KeyIdentity, KeyProblem, KeyProblemKind, KeyWord, PreflightAnswer, Reading, ServerEvidence,
    Software, Way, ZoneEvidence,
};
use super::repairs;
use super::zones::is_secondary;
use super::{Check, Finding, Level};
use crate::model::{Observed, Rcode};

pub(super) fn right(
    zone: &ZoneEvidence,
    reading: &Reading,
    server: &ServerEvidence,
) -> Option<Finding> {
    let (Ok(observed), Some(preflight)) = (&reading.observed, &reading.preflight) else {
        return None;
    };
    let label = server.label();
    let finding = |level, text: String| Finding::new(Check::Right, level, text);
    let asked = match preflight.way {
        Way::ReAdd => "asked to add a record again just as it is",
        Way::DeleteAbsent => "asked to delete a record that is not there",
    };
    Some(match &preflight.answer {
        PreflightAnswer::Rcode(Rcode::NOERROR) => {
            accepted(zone, preflight.way, server).seen(format!("{asked}, {label} said NOERROR"))
        }
        PreflightAnswer::Rcode(rcode) if rcode.is_conflict() => finding(
            Level::CannotTell,
            format!(
                "somebody changed {} at the same moment; run doctor again",
                zone.owner
            ),
        )
        .seen(format!("{asked}, {label} said {rcode}")),
        PreflightAnswer::Rcode(rcode) => refused(zone, observed, reading, server, *rcode)
            .seen(format!("{asked}, {label} said {rcode}")),
        PreflightAnswer::Key(problem) if is_about_the_name(server, problem) => {
            let rcode = match problem.kind {
                KeyProblemKind::Unsigned(rcode) => rcode,
                _ => Rcode::NOTAUTH,
            };
            refused(zone, observed, reading, server, rcode)
                .seen(format!(
                    "{asked}, {label} rejected a key that it accepts for reads"
                ))
                .seen(problem.text.clone())
        }
        PreflightAnswer::Key(problem) => finding(
            Level::CannotTell,
            format!("{label} does not accept the key; see the server"),
        )
        .seen(problem.text.clone()),
        PreflightAnswer::Silent(why) => finding(
            Level::Failure,
            format!("{label} gives no answer to an update of {}", zone.owner),
        )
        .seen(why.clone()),
    })
}

/// Knot answers BADKEY where a key is known and the name or type is not granted to it.
fn is_about_the_name(server: &ServerEvidence, problem: &KeyProblem) -> bool {
    server.key_word == KeyWord::Accepted
        && matches!(server.key, KeyIdentity::Tsig { .. })
        && matches!(
            problem.kind,
            KeyProblemKind::UnknownKey | KeyProblemKind::Unsigned(_)
        )
}

fn accepted(zone: &ZoneEvidence, way: Way, server: &ServerEvidence) -> Finding {
    let label = server.label();
    let owner = &zone.owner;
    let cannot_tell = |why: String| Finding::new(Check::Right, Level::CannotTell, why);
    match (way, server.software) {
        (_, Software::Embedded)
        | (Way::ReAdd, Software::Bind)
        | (Way::DeleteAbsent, Software::Knot | Software::PowerDns) => {}
        (Way::ReAdd, _) if !server.is_directory() => {}
        (Way::ReAdd, _) => {
            return cannot_tell(format!(
                "{label} takes a record of {owner} once more, but servers with Active Directory take an unchanged one from everybody; the first real change decides"
            ));
        }
        (Way::DeleteAbsent, _) => {
            return cannot_tell(format!(
                "{owner} has no records, and the one question that then changes nothing is answered with yes to everybody by some servers, BIND among them; the first real change decides"
            ));
        }
    }
    let text = format!("{label} lets the key change {owner}");
    let text = match server.key {
        KeyIdentity::Unsigned => format!("{label} lets this machine change {owner}"),
        KeyIdentity::Tsig { .. } | KeyIdentity::Gss { .. } => text,
    };
    Finding::new(Check::Right, Level::Pass, text)
}

fn refused(
    zone: &ZoneEvidence,
    observed: &Observed,
    reading: &Reading,
    server: &ServerEvidence,
    rcode: Rcode,
) -> Finding {
    let label = server.label();
    let owner = &zone.owner;
    let failure = |text: String| Finding::new(Check::Right, Level::Failure, text);
    if is_secondary(reading, server) {
        return failure(format!(
            "{label} takes no update of {owner}: it is not the primary"
        ));
    }
    if rcode == Rcode::NOTIMP {
        return failure(format!("{label} takes no updates at all, of whatever zone"))
            .repaired_by([repairs::delegate(zone)]);
    }
    let is_denial = matches!(rcode, Rcode::REFUSED | Rcode::NOTAUTH | Rcode::SERVFAIL);
    match &server.key {
        KeyIdentity::Gss { principal } if is_denial && server.is_directory() => {
            failure(format!(
                "{label} does not let {principal} change {owner}: in Active Directory all its records are one object, which whoever created it owns, as a rule the KMS host that published itself first{}",
                repairs::probable_owners(observed)
            ))
            .repaired_by(repairs::active_directory(zone, observed, principal))
        }
        _ if matches!(rcode, Rcode::REFUSED | Rcode::NOTAUTH) => {
            let who = match &server.key {
                KeyIdentity::Unsigned => "unsigned updates".to_owned(),
                KeyIdentity::Tsig { name, .. } => format!("the key {name}"),
                KeyIdentity::Gss { principal } => principal.clone(),
            };
            failure(format!(
                "{label} does not let {who} change {owner}; or the zone is frozen"
            ))
            .repaired_by(repairs::grant(zone, observed, server))
        }
        _ => failure(format!("{label} fails at updates of {owner}: see its log")),
    }
}

/// Whether the preflight left everything as it was.
pub(super) fn unchanged(reading: &Reading, server: &ServerEvidence) -> Option<Finding> {
    let (Ok(before), Some(preflight)) = (&reading.observed, &reading.preflight) else {
        return None;
    };
    let label = server.label();
    let finding = |level, text: String| Finding::new(Check::Unchanged, level, text);
    Some(match &preflight.after {
        Err(why) => finding(
            Level::Warning,
            format!("{label} could not be read again after it was asked for the right"),
        )
        .seen(why.clone()),
        Ok(after) if after.records != before.records || after.ttl != before.ttl => finding(
            Level::Warning,
            format!("the records at {label} changed while doctor looked; somebody else writes them, too"),
        )
        .seen(listed("before", before))
        .seen(listed("after", after)),
        Ok(after) if after.serial != before.serial => finding(
            Level::Warning,
            format!("the serial at {label} moved while doctor looked; somebody else writes the zone, or the server counts an update that changes nothing"),
        )
        .seen(format!("serial {} before, {} after", before.serial, after.serial)),
        Ok(after) => finding(
            Level::Pass,
            format!("asking for the right changed nothing: serial {}, the same records", after.serial),
        ),
    })
}

fn listed(when: &str, observed: &Observed) -> String {
    let records: Vec<String> = observed.records.iter().map(ToString::to_string).collect();
    let ttl = observed
        .ttl
        .map(|ttl| format!(", TTL {ttl}"))
        .unwrap_or_default();
    match records.as_slice() {
        [] => format!("{when}: no records"),
        _ => format!("{when}: {}{ttl}", records.join("; ")),
    }
}
