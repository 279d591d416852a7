//! What the configuration asks for and the zone shows: the TTL, scavenging, contested records.

use super::evidence::{Evidence, Reading, ServerEvidence, ZoneEvidence};
use super::repairs::{Place, Repair, bare, word};
use super::{Check, Finding, Level};
use crate::model::{Changes, Observed, Publisher};

/// A TTL below this has clients and servers ask all the time, in seconds.
const LOWEST_TTL: u32 = 60;
/// A TTL above this has clients use a failed host for longer than a day, in seconds.
const HIGHEST_TTL: u32 = 86_400;

pub(super) fn all(zone: &ZoneEvidence, evidence: &Evidence) -> Vec<Finding> {
    let mut findings = Vec::new();
    if let Some((reading, observed)) = zone.first() {
        findings.push(ttl(zone, observed));
        findings.extend(scavenging(zone, reading, evidence));
    }
    findings.push(contested(zone));
    findings
}

fn ttl(zone: &ZoneEvidence, observed: &Observed) -> Finding {
    let finding = |level, text: String| Finding::new(Check::Ttl, level, text);
    let configured = zone.ttl;
    let sensible = |what: &str| {
        Repair::new(
            Place::Srvkeeper,
            what.to_owned(),
            ["[record]", "ttl = \"1h\""],
        )
    };
    if configured < LOWEST_TTL {
        let text = format!(
            "the configured TTL of {configured} s has resolvers ask again and again; KMS clients look for a host every two hours at the most"
        );
        return finding(Level::Warning, text).repaired_by([sensible("raise it")]);
    }
    if configured > HIGHEST_TTL {
        let text = format!(
            "the configured TTL of {configured} s lets clients find a withdrawn host for longer than a day"
        );
        return finding(Level::Warning, text).repaired_by([sensible("lower it")]);
    }
    if observed.mixed_ttl {
        let text = "the records have different TTLs, which RFC 2181 forbids";
        return correction(zone, observed, text);
    }
    match observed.ttl {
        Some(ttl) if ttl != configured => {
            let text = format!("the records have a TTL of {ttl} s, {configured} s are configured");
            correction(zone, observed, &text)
        }
        Some(ttl) => finding(Level::Pass, format!("the TTL is {ttl} s, as configured")),
        None => finding(
            Level::Pass,
            format!("a TTL of {configured} s is configured"),
        ),
    }
}

/// A TTL that is not the configured one: whether it is to be so, and who makes it another.
fn correction(zone: &ZoneEvidence, observed: &Observed, text: &str) -> Finding {
    let finding = |level, more| Finding::new(Check::Ttl, level, format!("{text}; {more}"));
    match (zone.publisher, zone.changes) {
        (Publisher::Shared, _) => finding(
            Level::Pass,
            "the hosts publish themselves (publisher = \"shared\"), so it is theirs",
        ),
        (Publisher::Sole, Changes::CreateOnly) => finding(
            Level::Warning,
            "with changes = \"create-only\" no apply corrects it",
        )
        .repaired_by(observed.ttl.filter(|_| !observed.mixed_ttl).map(|ttl| {
            Repair::new(
                Place::Srvkeeper,
                "configure the TTL that stands there, or allow more changes",
                ["[record]".to_owned(), format!("ttl = \"{ttl}s\"")],
            )
        })),
        (Publisher::Sole, Changes::Sync | Changes::UpsertOnly) => finding(
            Level::Warning,
            "the next apply corrects it, unless the server allows no other (BIND: max-zone-ttl)",
        ),
    }
}

/// Only servers with Active Directory scavenge.
fn scavenging(zone: &ZoneEvidence, reading: &Reading, evidence: &Evidence) -> Option<Finding> {
    let server: &ServerEvidence = evidence.servers.get(reading.server)?;
    if !server.is_directory() {
        return None;
    }
    if zone.refreshes {
        let text = "records are added again from time to time, so scavenging leaves them";
        return Some(Finding::new(Check::Scavenging, Level::Pass, text));
    }
    let text = "records that came by update have a timestamp; where scavenging is on, they go after 14 to 21 days, since nobody adds them again";
    Some(
        Finding::new(Check::Scavenging, Level::Warning, text).repaired_by([
            Repair::new(
                Place::Srvkeeper,
                "have them added again",
                ["[policy]", "refresh = \"24h\""],
            ),
            Repair::new(
                Place::Windows,
                "see whether scavenging is on",
                [format!("Get-DnsServerZoneAging -Name {}", bare(&zone.name))],
            ),
        ]),
    )
}

fn contested(zone: &ZoneEvidence) -> Finding {
    if zone.contested.is_empty() {
        let text = "nobody is known to undo our changes";
        return Finding::new(Check::Contested, Level::Pass, text);
    }
    let targets: Vec<String> = zone
        .contested
        .iter()
        .map(|(target, _text)| target.to_string())
        .collect();
    let mut finding = Finding::new(
        Check::Contested,
        Level::Warning,
        format!("somebody undoes our changes of {}", targets.join(", ")),
    );
    for (target, text) in &zone.contested {
        finding = finding.seen(text.clone()).repaired_by([Repair::new(
            Place::Srvkeeper,
            "once that is repaired, start afresh",
            [format!("srvkeeper host clear {}", word(&bare(target)))],
        )]);
    }
    finding
}
