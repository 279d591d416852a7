//! `[[server]]` and `[[host]]`, and what no zone uses.

use std::collections::{BTreeMap, BTreeSet};

use super::duration;
use super::keys::Keys;
use super::programs::Programs;
use super::read::{Document, Place, Problems, Scope, Section};
use super::table::Table;
use super::{Authority, HostDefaults, Server};
use crate::model::{Check, Health, Host, Name, Role, Srv, Zone};

/// Checks the servers; each section gives one, so that indexes hold.
pub(super) fn servers(sections: &[Section], keys: &Keys, problems: &mut Problems) -> Vec<Server> {
    let mut seen: BTreeMap<&str, &Place> = BTreeMap::new();
    let mut servers = Vec::with_capacity(sections.len());
    for section in sections {
        let scope = section.scope();
        let name = scope.text("name").unwrap_or_default();
        if let Some(first) = seen.get(name) {
            let text = format!("\"{name}\" is already a server, at {}", shown(first));
            section.error("name", text, problems);
        } else if section.holds("name") {
            seen.insert(name, section.at("name"));
        }
        keys.check_reference(section, problems);
        servers.push(Server {
            name: name.to_owned(),
            address: scope
                .addresses("address")
                .first()
                .copied()
                .unwrap_or_else(|| ([0, 0, 0, 0], 0).into()),
            key: scope.text("key").map(str::to_owned),
        });
    }
    servers
}

/// Checks the hosts; each section gives one, so that indexes hold.
pub(super) fn hosts(
    sections: &[Section],
    health: &Section,
    record: &Section,
    programs: &mut Programs,
    problems: &mut Problems,
) -> Vec<Host> {
    let mut seen: BTreeMap<&Name, &Place> = BTreeMap::new();
    let mut hosts = Vec::with_capacity(sections.len());
    for section in sections {
        let scope = section.scope().within(health).within(record);
        if let Some(name) = scope.name("name") {
            if let Some(first) = seen.get(name) {
                let text = format!(
                    "{name} is already a host, at {}; a host has one port",
                    shown(first)
                );
                section.error("name", text, problems);
            } else {
                seen.insert(name, section.at("name"));
            }
            if name.labels().nth(1).is_none() {
                let text =
                    format!("{name} has one label only; write the full name, as it stands in DNS");
                section.warning("name", text, problems);
            }
        }
        hosts.push(Host {
            role: scope.word("role").unwrap_or(Role::Active),
            srv: Srv {
                priority: scope.integer("priority"),
                weight: scope.integer("weight"),
                port: scope.integer("port"),
                target: scope.name("name").cloned().unwrap_or_else(Name::root),
            },
            groups: scope.texts("groups"),
            addresses: scope.ips("address").to_vec(),
            health: checked_health(&scope, programs, problems),
        });
    }
    hosts
}

/// What holds for a host without a section of its own.
pub(super) fn defaults(health: &Section, record: &Section) -> HostDefaults {
    HostDefaults {
        port: record.scope().integer("port"),
        health: read_health(&health.scope()),
    }
}

fn read_health(scope: &Scope<'_>) -> Health {
    Health {
        checks: scope.checks("check").to_vec(),
        command: scope.texts("command"),
        interval: scope.duration("interval"),
        timeout: scope.duration("timeout"),
        rise: scope.integer("rise"),
        fall: scope.integer("fall"),
    }
}

fn checked_health(scope: &Scope<'_>, programs: &mut Programs, problems: &mut Problems) -> Health {
    let health = read_health(scope);
    if health.checks.contains(&Check::Exec)
        && health.command.is_empty()
        && let Some(section) = scope.origin("check")
    {
        section.error(
            "check",
            "exec needs a command: write command = [\"/path/to/check\", \"{address}\", \"{port}\"]",
            problems,
        );
    }
    if health.checks.contains(&Check::Exec) {
        programs.warn(scope, "command", problems);
    }
    if health.timeout > health.interval {
        let (timeout, interval) = (
            duration::format(health.timeout),
            duration::format(health.interval),
        );
        let text = format!(
            "a probe may take longer ({timeout}) than the time between two ({interval}); lower \
            timeout or raise interval"
        );
        for key in ["timeout", "interval"] {
            if let Some(section) = scope.origin(key) {
                section.warning(key, text, problems);
                break;
            }
        }
    }
    health
}

/// Warns of servers, keys and hosts that nothing uses.
pub(super) fn unused(
    document: &Document,
    servers: &[Server],
    zones: &[Zone],
    authority: Option<&Authority>,
    problems: &mut Problems,
) {
    let written: BTreeSet<usize> = indexes(zones.iter().map(|zone| &zone.servers));
    for (index, section) in document.all(Table::Server).iter().enumerate() {
        if !written.contains(&index) {
            section.warning("name", "no zone names this server", problems);
        }
    }
    let published: BTreeSet<usize> = indexes(zones.iter().map(|zone| &zone.hosts));
    for (index, section) in document.all(Table::Host).iter().enumerate() {
        if !published.contains(&index) {
            section.warning(
                "name",
                "no zone publishes this host: none names one of its groups",
                problems,
            );
        }
    }
    let signing: BTreeSet<&str> = servers
        .iter()
        .filter_map(|server| server.key.as_deref())
        .chain(zones.iter().filter_map(|zone| zone.key.as_deref()))
        .chain(authority.map(|authority| authority.key.as_str()))
        .chain(authority.and_then(|authority| authority.transfer_key.as_deref()))
        .collect();
    for section in document.all(Table::Keys) {
        if !signing.contains(section.name.as_deref().unwrap_or_default()) {
            section.warning("", "no server, zone or [authority] uses this key", problems);
        }
    }
}

/// Every index that stands in one of the lists; lists that zones share are walked once.
fn indexes<'a>(lists: impl Iterator<Item = &'a std::sync::Arc<[usize]>>) -> BTreeSet<usize> {
    let distinct: BTreeSet<&[usize]> = lists.map(|list| &**list).collect();
    distinct.into_iter().flatten().copied().collect()
}

/// `srvkeeper.toml:7`.
pub(super) fn shown(place: &Place) -> String {
    format!("{}:{}", place.file.display(), place.line)
}
