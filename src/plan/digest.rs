//! The plan's digest: what a reviewer approved, and nothing else.

use std::fmt::Write;

use ring::digest::{Context, SHA256};

use crate::model::{Change, ChangeKind, Name, Srv, State};

use super::report::Plan;

/// A verdict as the digest sees it.
#[derive(Debug, Clone, Copy)]
pub struct DigestedHost<'a> {
    /// The host.
    pub name: &'a Name,
    /// Its state.
    pub state: State,
    /// True when an override decides.
    pub forced: bool,
}

/// A zone as the digest sees it.
#[derive(Debug, Clone, Copy)]
pub struct DigestedZone<'a> {
    /// The zone's name.
    pub name: &'a Name,
    /// The owner of its RRset.
    pub owner: &'a Name,
    /// The TTL and records as read.
    pub observed: (Option<u32>, &'a [Srv]),
    /// What is to be done.
    pub changes: &'a [Change],
}

/// The digest of a plan.
///
/// Neither the time nor a serial takes part, so an equal plan made later has an equal digest.
pub fn digest(plan: &Plan) -> String {
    digest_of(
        plan.hosts.iter().map(|host| DigestedHost {
            name: &host.name,
            state: host.verdict.state,
            forced: host.verdict.forced.is_some(),
        }),
        plan.zones.iter().map(|zone| match &zone.result {
            Ok(plan) => Ok(DigestedZone {
                name: &zone.zone,
                owner: &plan.owner,
                observed: (plan.observed.ttl, &plan.observed.records),
                changes: &plan.changes,
            }),
            Err(_) => Err(&zone.zone),
        }),
    )
}

/// `sha256:` and 64 hexadecimal digits over the verdicts, the observed RRsets and the changes.
///
/// The octets digested are lines: one per host, then per zone its RRset and its changes, or for a
/// zone without a plan (`Err`) its name.
pub fn digest_of<'a>(
    hosts: impl Iterator<Item = DigestedHost<'a>>,
    zones: impl Iterator<Item = Result<DigestedZone<'a>, &'a Name>>,
) -> String {
    let mut context = Context::new(&SHA256);
    // One line buffer: ten thousand zones are digested one at a time.
    let mut text = String::new();
    for host in hosts {
        // Writing to a String cannot fail.
        let forced = if host.forced { " forced" } else { "" };
        let _ = writeln!(text, "host {} {}{forced}", host.name, host.state);
    }
    for zone in zones {
        match zone {
            Ok(zone) => zone_lines(&mut text, zone),
            Err(name) => {
                let _ = writeln!(text, "error {name}");
            }
        }
        context.update(text.as_bytes());
        text.clear();
    }
    context.update(text.as_bytes());
    let digest = context.finish();
    format!("sha256:{}", data_encoding::HEXLOWER.encode(digest.as_ref()))
}

fn zone_lines(text: &mut String, zone: DigestedZone<'_>) {
    let (ttl, records) = zone.observed;
    let ttl = ttl.map_or_else(|| "-".to_owned(), |ttl| ttl.to_string());
    let _ = writeln!(text, "zone {} {} ttl {ttl}", zone.name, zone.owner);
    for record in records {
        let _ = writeln!(text, "observed {record}");
    }
    for change in zone.changes {
        let code = change.reason.code;
        let _ = match &change.kind {
            ChangeKind::Create { after, ttl } => writeln!(text, "create {after} {ttl} {code}"),
            ChangeKind::Update {
                before,
                before_ttl,
                after,
                ttl,
            } => writeln!(text, "update {before} {before_ttl} {after} {ttl} {code}"),
            ChangeKind::Delete { before, before_ttl } => {
                writeln!(text, "delete {before} {before_ttl} {code}")
            }
        };
    }
}
