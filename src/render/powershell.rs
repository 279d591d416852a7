//! The plan as a PowerShell script for the DnsServer module of Windows.
//!
//! The script does by hand what our own update does in one message: it compares the RRset with the
//! plan's before the first change, and reads it back after the last. It is ASCII throughout,
//! because Windows PowerShell 5.1 reads a file without a byte order mark in the machine's code page.

use std::fmt::Write;

use crate::model::{ChangeKind, Name, Srv};
use crate::plan::{Plan, ZonePlan};

use super::lines::{comments, summary};

/// The parameters and the functions, the same in every script.
const FUNCTIONS: &str = include_str!("powershell.ps1");

/// The script; held changes and zones in error stand in it as comments.
pub fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(
        out,
        "#Requires -Version 5.1
#Requires -Modules DnsServer
# {}
# Made by srvkeeper at {:.0}.",
        summary(&plan.summary()),
        plan.created
    );
    out.push_str(FUNCTIONS);
    for zone in &plan.zones {
        out.push('\n');
        for comment in comments(zone, false) {
            let _ = writeln!(out, "# {}", ascii(&comment));
        }
        if let Ok(planned) = &zone.result
            && planned.is_pending()
        {
            update(&mut out, planned);
        }
    }
    out.push_str("\nif ($script:Failed) { exit 1 }\n");
    out
}

fn update(out: &mut String, plan: &ZonePlan) {
    let zone = &plan.observed.update_zone;
    let _ = writeln!(
        out,
        "Update-Srv -Server {} -Zone {} -Name {} -Before {} -Steps {{",
        quoted(&plan.observed.server.ip().to_string()),
        quoted(&zone_name(zone)),
        quoted(&relative(&plan.owner, zone)),
        set(&plan.observed.records)
    );
    out.push_str("    param([hashtable] $Place)\n");
    for step in steps(plan) {
        let _ = match step {
            Step::Remove(record) => {
                writeln!(out, "    Remove-Srv $Place {}", quoted(&record.to_string()))
            }
            Step::Add(record, ttl) => writeln!(
                out,
                "    Add-DnsServerResourceRecord @Place -Srv -DomainName {} -Priority {} -Weight {} -Port {} -TimeToLive ([TimeSpan]::FromSeconds({ttl})) -ErrorAction Stop",
                quoted(&record.target.to_string()),
                record.priority,
                record.weight,
                record.port
            ),
        };
    }
    let _ = writeln!(out, "}} -After {}", set(&plan.after));
}

enum Step<'a> {
    Add(&'a Srv, u32),
    Remove(&'a Srv),
}

/// The single steps, in an order that leaves the set empty as briefly as possible: additions,
/// then changes, then removals. A record that only gets another TTL must go before it can come.
fn steps(plan: &ZonePlan) -> Vec<Step<'_>> {
    let (mut adds, mut updates, mut removes) = (Vec::new(), Vec::new(), Vec::new());
    for change in &plan.changes {
        match &change.kind {
            ChangeKind::Create { after, ttl } => adds.push(Step::Add(after, *ttl)),
            ChangeKind::Delete { before, .. } => removes.push(Step::Remove(before)),
            ChangeKind::Update {
                before, after, ttl, ..
            } if before == after => {
                updates.extend([Step::Remove(before), Step::Add(after, *ttl)]);
            }
            ChangeKind::Update {
                before, after, ttl, ..
            } => updates.extend([Step::Add(after, *ttl), Step::Remove(before)]),
        }
    }
    adds.extend(updates);
    adds.extend(removes);
    adds
}

/// Zones are called without the final dot there.
fn zone_name(zone: &Name) -> String {
    let text = zone.to_string();
    match text.strip_suffix('.') {
        Some(name) if !name.is_empty() => name.to_owned(),
        _ => text,
    }
}

/// The owner's name relative to its zone; `@` for the zone itself.
fn relative(owner: &Name, zone: &Name) -> String {
    let owner = owner.to_string();
    // Letter case may differ, lengths do not.
    let head = owner.len().saturating_sub(zone.to_string().len());
    match owner.get(..head).map(|head| head.trim_end_matches('.')) {
        Some(head) if !head.is_empty() => head.to_owned(),
        _ => "@".to_owned(),
    }
}

/// An array, an element a line.
fn set(records: &[Srv]) -> String {
    if records.is_empty() {
        return "@()".to_owned();
    }
    let lines: String = records
        .iter()
        .map(|record| format!("    {}\n", quoted(&record.to_string())))
        .collect();
    format!("@(\n{lines})")
}

/// A string in which nothing is expanded: single quotes, those inside doubled.
///
/// PowerShell takes four other quotation marks of Unicode for single quotes too; [`ascii`] leaves
/// none.
fn quoted(text: &str) -> String {
    format!("'{}'", ascii(text).replace('\'', "''"))
}

fn ascii(text: &str) -> String {
    text.chars()
        .map(|character| match character {
            ' '..='~' => character,
            _ => '?',
        })
        .collect()
}
