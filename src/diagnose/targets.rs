//! One host: its name must lead to it, and must be no alias.

use super::evidence::{TargetEvidence, ZoneEvidence};
use super::repairs::{self, Place, Repair};
use super::{Check, Finding, Level, Section, Subject};
use crate::model::Name;

/// The first labels and the ends of the names of Azure's own KMS, in its three clouds.
const AZURE_HOSTS: [&str; 2] = ["kms.", "azkms."];
const AZURE_DOMAINS: [&str; 3] = [
    "core.windows.net.",
    "core.usgovcloudapi.net.",
    "core.chinacloudapi.cn.",
];

pub(super) fn section(target: &TargetEvidence, zones: &[ZoneEvidence]) -> Section {
    let mut findings: Vec<Finding> = [none_at_all(target, zones), azure(target), alias(target)]
        .into_iter()
        .flatten()
        .collect();
    if !target.name.is_root() {
        findings.push(addresses(target));
    }
    Section {
        subject: Subject::Target(target.name.clone()),
        findings,
    }
}

fn finding(level: Level, text: impl Into<String>) -> Finding {
    Finding::new(Check::Target, level, text)
}

fn none_at_all(target: &TargetEvidence, zones: &[ZoneEvidence]) -> Option<Finding> {
    target.name.is_root().then(|| {
        finding(
            Level::Failure,
            "the target \".\" says that the service is decidedly not available (RFC 2782), to every client",
        )
        .repaired_by(repairs::deletion(&target.name, zones))
    })
}

fn azure(target: &TargetEvidence) -> Option<Finding> {
    is_azure(&target.name).then(|| {
        finding(
            Level::Warning,
            "it is Azure's own KMS, which answers machines in Azure only; every other client that picks it fails",
        )
        .repaired_by([Repair::new(
            Place::Srvkeeper,
            "take it out of the inventory; clients in Azure are configured to use it without DNS",
            [format!("# no [[host]] with name = \"{}\"", target.name)],
        )])
    })
}

fn is_azure(name: &Name) -> bool {
    let name = name.to_string().to_ascii_lowercase();
    AZURE_HOSTS.iter().any(|host| {
        name.strip_prefix(host)
            .is_some_and(|domain| AZURE_DOMAINS.contains(&domain))
    })
}

fn alias(target: &TargetEvidence) -> Option<Finding> {
    let canonical = target.alias.as_ref()?;
    Some(
        finding(
            Level::Failure,
            format!("it is an alias (CNAME) of {canonical}, and the target of an SRV record must be none (RFC 2782)"),
        )
        .repaired_by([Repair::new(
            Place::Srvkeeper,
            "name the host itself in the inventory",
            ["[[host]]".to_owned(), format!("name = \"{canonical}\"")],
        )]),
    )
}

fn addresses(target: &TargetEvidence) -> Finding {
    let found = match &target.addresses {
        Ok(found) => found,
        Err(why) => {
            return finding(Level::CannotTell, "its address could not be looked up")
                .seen(why.clone());
        }
    };
    if found.is_empty() {
        let level = if target.published == 0 {
            Level::Warning
        } else {
            Level::Failure
        };
        let first = target.inventory.iter().flatten().next();
        let record = match first {
            Some(address) if address.is_ipv6() => format!("{} AAAA {address}", target.name),
            Some(address) => format!("{} A {address}", target.name),
            None => format!("{} A ADDRESS", target.name),
        };
        return finding(
            level,
            "it has no address: clients that pick it reach nobody",
        )
        .seen("the resolver knows neither an A nor an AAAA record of it")
        .repaired_by([Repair::new(
            Place::Zone,
            "add its address record, or correct its name in the inventory",
            [record],
        )]);
    }
    let listed = found
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let inventory = target.inventory.as_deref().unwrap_or_default();
    if inventory.is_empty() || inventory.iter().any(|address| found.contains(address)) {
        return finding(Level::Pass, format!("resolves to {listed}"));
    }
    let probed = inventory
        .iter()
        .map(ToString::to_string)
        .collect::<Vec<_>>()
        .join(", ");
    let quoted: Vec<String> = found
        .iter()
        .map(|address| format!("\"{address}\""))
        .collect();
    finding(
        Level::Warning,
        "clients reach another address than the one that is probed, so a probe says nothing of what they get",
    )
    .seen(format!("the resolver says {listed}"))
    .seen(format!("the inventory says {probed}"))
    .repaired_by([Repair::new(
        Place::Srvkeeper,
        format!("correct `address` of {}, or its address records", target.name),
        [format!("address = [{}]", quoted.join(", "))],
    )])
}
