//! One zone: can its RRset be read, at the primary, and may it be changed.

use super::evidence::{
    Evidence, PreflightAnswer, ReadProblem, ReadProblemKind, Reading, ServerEvidence, Software,
    ZoneEvidence,
};
use super::repairs::{self, Place, Repair, bare};
use super::{Check, Finding, Level, Section, Subject, copies, rights, settings};
use crate::model::Rcode;

pub(super) fn section(zone: &ZoneEvidence, evidence: &Evidence) -> Section {
    let mut findings = Vec::new();
    match &zone.readings {
        Ok(readings) => of_servers(zone, readings, evidence, &mut findings),
        Err(why) => findings.push(unknown_primary(zone, why)),
    }
    findings.extend(copies::name_servers(zone, evidence));
    findings.extend(copies::delegation(zone));
    findings.extend(settings::all(zone, evidence));
    findings.sort_by_key(|finding| finding.check);
    Section {
        subject: Subject::Zone {
            name: zone.name.clone(),
            owner: zone.owner.clone(),
        },
        findings,
    }
}

fn of_servers(
    zone: &ZoneEvidence,
    readings: &[Reading],
    evidence: &Evidence,
    findings: &mut Vec<Finding>,
) {
    if readings.is_empty() {
        let text = "none of its servers answers over TCP, so nothing can be read or changed; see the servers";
        findings.push(Finding::new(Check::Readable, Level::Failure, text));
    }
    for reading in readings {
        let Some(server) = evidence.servers.get(reading.server) else {
            continue;
        };
        findings.push(readable(zone, reading, server));
        findings.extend(primary(zone, reading, server));
        findings.extend(rights::right(zone, reading, server));
        findings.extend(rights::unchanged(reading, server));
    }
    if let Some(why) = &zone.apart_from_home {
        findings.push(Finding::new(Check::Primary, Level::Warning, why.clone()));
    }
}

fn unknown_primary(zone: &ZoneEvidence, why: &str) -> Finding {
    Finding::new(
        Check::Primary,
        Level::Failure,
        "its primary is not known, so nothing can be read or changed",
    )
    .seen(why)
    .repaired_by([Repair::new(
        Place::Srvkeeper,
        "name the primary and the key that signs there; a key of the zone itself must go, since it is for \
         a primary that was found",
        [
            "[[server]]".to_owned(),
            "name = \"NAME\"".to_owned(),
            "address = \"ADDRESS:53\"".to_owned(),
            "key = \"KEY\"".to_owned(),
            "[[zone]]".to_owned(),
            format!("name = \"{}\"", bare(&zone.name)),
            "servers = [\"NAME\"]  # and no key".to_owned(),
        ],
    )])
}

fn readable(zone: &ZoneEvidence, reading: &Reading, server: &ServerEvidence) -> Finding {
    let label = server.label();
    match &reading.observed {
        Ok(observed) => Finding::new(
            Check::Readable,
            Level::Pass,
            format!(
                "{label} gives {} with authority: {}",
                zone.owner,
                match observed.records.len() {
                    0 => "no records".to_owned(),
                    1 => "1 record".to_owned(),
                    records => format!("{records} records"),
                }
            ),
        )
        .seen(format!(
            "zone {}, serial {}",
            observed.update_zone, observed.serial
        )),
        Err(problem) => unreadable(zone, problem, server),
    }
}

fn unreadable(zone: &ZoneEvidence, problem: &ReadProblem, server: &ServerEvidence) -> Finding {
    let label = server.label();
    let owner = &zone.owner;
    let level = match problem.kind {
        // Its own section says so.
        ReadProblemKind::Key => Level::CannotTell,
        _ => Level::Failure,
    };
    let text = match problem.kind {
        ReadProblemKind::Silent => format!("{label} does not answer for {owner}"),
        ReadProblemKind::Key => {
            format!("{label} does not accept the key, so {owner} was not read; see the server")
        }
        ReadProblemKind::NotAuthoritative => {
            format!("{label} does not serve {owner} with authority")
        }
        ReadProblemKind::Alias => format!("{owner} is an alias, beside which no records can stand"),
        ReadProblemKind::Delegation => {
            format!("{label} delegates {owner} to other servers, so updates belong there")
        }
        ReadProblemKind::Wildcard => {
            format!("the records of {owner} come from a wildcard, so it has none to change")
        }
        ReadProblemKind::Other => format!("{label} gives no answer for {owner} to plan from"),
    };
    Finding::new(Check::Readable, level, text)
        .seen(problem.text.clone())
        .repaired_by(repairs::unreadable(zone, problem.kind, server))
}

/// What a server's part in a zone seems to be.
pub(super) fn is_secondary(reading: &Reading, server: &ServerEvidence) -> bool {
    let (Some(start), Ok(observed)) = (&reading.start, &reading.observed) else {
        return false;
    };
    // Each domain controller writes the zone itself, with serials of its own.
    let elsewhere = server.software != Software::Embedded
        && !server.is_directory()
        && !start
            .addresses
            .as_ref()
            .is_ok_and(|addresses| addresses.contains(&server.address));
    let answers_there = start.serial_there.is_some();
    let is_ahead_there = start
        .serial_there
        .is_some_and(|there| is_ahead(there, observed.serial));
    elsewhere && answers_there && (is_ahead_there || takes_no_updates(reading))
}

/// True when the server refused an update in the way of one that has the zone from elsewhere.
fn takes_no_updates(reading: &Reading) -> bool {
    let answer = reading
        .preflight
        .as_ref()
        .map(|preflight| &preflight.answer);
    matches!(
        answer,
        Some(PreflightAnswer::Rcode(
            Rcode::REFUSED | Rcode::NOTAUTH | Rcode::NOTIMP | Rcode::SERVFAIL
        ))
    )
}

/// Serial arithmetic (RFC 1982): true when `one` comes after `other`.
pub(super) fn is_ahead(one: u32, other: u32) -> bool {
    let ahead = one.wrapping_sub(other);
    ahead != 0 && ahead < 1 << 31
}

fn primary(zone: &ZoneEvidence, reading: &Reading, server: &ServerEvidence) -> Option<Finding> {
    let (Some(start), Ok(observed)) = (&reading.start, &reading.observed) else {
        return None;
    };
    let label = server.label();
    let mname = &start.mname;
    let finding = |level, text| Finding::new(Check::Primary, level, text);
    if server.software == Software::Embedded {
        let text = format!("{label} is the embedded primary");
        return Some(finding(Level::Pass, text));
    }
    let addresses = match &start.addresses {
        Ok(addresses) => addresses,
        Err(why) => {
            let text = format!("the SOA names {mname} as primary, which could not be looked up");
            return Some(finding(Level::CannotTell, text).seen(why.clone()));
        }
    };
    if addresses.contains(&server.address) {
        let text = format!("{label} is {mname}, the primary that the SOA names");
        return Some(finding(Level::Pass, text));
    }
    let Some(there) = start.serial_there else {
        let text = format!(
            "{label} is not {mname}, which the SOA names and which does not answer for the zone: a hidden primary is configured so"
        );
        return Some(finding(Level::Pass, text));
    };
    let there_text = format!(
        "{mname} ({}) has serial {there}, {label} has {}",
        some_address(addresses),
        observed.serial
    );
    let repair = || Repair {
        place: Place::Srvkeeper,
        what: format!("write to {mname}, and let it accept the key"),
        lines: vec![
            "[[server]]".to_owned(),
            format!("name = \"{}\"", mname.to_string().trim_end_matches('.')),
            format!("address = \"{}\"", some_address(addresses)),
        ],
    };
    let finding = if is_secondary(reading, server) {
        let text = format!(
            "{label} is a secondary of {} and takes no updates itself; the primary is {mname}",
            observed.update_zone
        );
        let accepts = matches!(
            reading
                .preflight
                .as_ref()
                .map(|preflight| &preflight.answer),
            Some(PreflightAnswer::Rcode(Rcode::NOERROR))
        );
        if accepts {
            let text = format!(
                "{label} lags behind {mname}, so it is a secondary of {} that passes updates on, and what is read back from it is old",
                observed.update_zone
            );
            finding(Level::Failure, text)
        } else {
            finding(Level::Failure, text)
        }
        .repaired_by([repair()])
    } else if server.is_directory() {
        finding(
            Level::Pass,
            format!(
                "{label} writes the zone itself, as every domain controller does; the SOA names {mname}"
            ),
        )
    } else {
        finding(
            Level::Warning,
            format!(
                "the SOA of {} names {mname} as primary, not {label}, which may pass updates on; write to the primary itself",
                zone.owner
            ),
        )
        .repaired_by([repair()])
    };
    Some(finding.seen(there_text))
}

fn some_address(addresses: &[std::net::SocketAddr]) -> String {
    addresses
        .first()
        .map_or_else(|| "ADDRESS:53".to_owned(), ToString::to_string)
}
