//! `check`: what was understood of the configuration.

use std::fmt::Write;

use crate::authority::{self, Difference};
use crate::config::{Authority, Config, Daemon, GssCredentials, Key, Mode, duration};
use crate::exit::ExitStatus;
use crate::model::{Check, Expect, Host, Zone};
use crate::render::text::counted;

use super::{Failure, edge};

pub(super) fn run(config: &Config) -> Result<ExitStatus, Failure> {
    let mut text = understood(config);
    if let Some(authority) = &config.authority {
        text.push_str(&zone_files(config, authority)?);
    }
    edge::data(&text);
    Ok(ExitStatus::Done)
}

/// A zone file only seeds an empty state: what it says otherwise than the zone as it is served.
fn zone_files(config: &Config, authority: &Authority) -> Result<String, Failure> {
    let mut out = String::new();
    for file in &authority.zones {
        let differences = authority::differences(file, &config.daemon.state_dir)
            .map_err(|error| Failure::from_error(&error))?;
        if differences.is_empty() {
            continue;
        }
        // Writing to a String cannot fail.
        let _ = writeln!(
            out,
            "{} seeded a zone that has changed since; the zone as it is served counts:",
            file.display()
        );
        for difference in differences {
            let _ = match difference {
                Difference::OnlyInFile(record) => writeln!(out, "    only in the file: {record}"),
                Difference::OnlyInState(record) => writeln!(out, "    only in the zone: {record}"),
            };
        }
    }
    Ok(out)
}

fn understood(config: &Config) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "{}: no problems", config.file.display());
    let mode = match config.daemon.mode {
        Mode::Audit => "audit: `run` never writes",
        Mode::Enforce => "enforce: `run` writes",
    };
    let _ = writeln!(out, "mode {mode}");
    let _ = writeln!(out, "state {}", config.daemon.state_dir.display());
    let _ = writeln!(out, "http {}", http_text(&config.daemon));
    for (name, key) in &config.keys {
        let _ = writeln!(out, "key {name}: {}", key_text(key));
    }
    for server in &config.servers {
        let key = server
            .key
            .as_deref()
            .map_or_else(|| "unsigned".to_owned(), |key| format!("signed with {key}"));
        let _ = writeln!(out, "server {}: {}, {key}", server.name, server.address);
    }
    for host in &config.hosts {
        let _ = writeln!(out, "host {}: {}", host.name(), host_text(host));
    }
    for zone in &config.zones {
        let _ = writeln!(out, "zone {}: {}", zone.name, zone_text(config, zone));
    }
    if let Some(authority) = &config.authority {
        let listen: Vec<String> = authority.listen.iter().map(ToString::to_string).collect();
        let transfer = authority
            .transfer_key
            .as_ref()
            .map(|key| format!(", transfer key {key}"))
            .unwrap_or_default();
        let _ = writeln!(
            out,
            "authority: {} on {}, key {}{transfer}",
            counted(authority.zones.len(), "zone"),
            listen.join(", "),
            authority.key
        );
    }
    out
}

fn http_text(daemon: &Daemon) -> String {
    match (daemon.http, &daemon.http_token) {
        (None, _) => "none".to_owned(),
        (Some(address), None) => address.to_string(),
        (Some(address), Some(_token)) => format!("{address}, with a token"),
    }
}

fn key_text(key: &Key) -> String {
    match key {
        Key::Tsig(secret) => format!("TSIG {}, {}", secret.name, secret.algorithm),
        Key::Gss(gss) => {
            let credentials = match &gss.credentials {
                GssCredentials::Keytab(file) => format!("keytab {}", file.display()),
                GssCredentials::Ccache(cache) => format!("ccache {cache}"),
                GssCredentials::Default => "the default ccache".to_owned(),
            };
            format!("GSS-TSIG {}, {credentials}", gss.principal)
        }
    }
}

fn host_text(host: &Host) -> String {
    let role = host.role.as_str();
    let groups = if host.groups.is_empty() {
        String::new()
    } else {
        format!(", groups {}", host.groups.join(" "))
    };
    let srv = &host.srv;
    let checks: Vec<&str> = host
        .health
        .checks
        .iter()
        .map(|check| match check {
            Check::Rpc => "rpc",
            Check::Tcp => "tcp",
            Check::Exec => "exec",
        })
        .collect();
    let probing = if checks.is_empty() {
        "trusted, never probed".to_owned()
    } else {
        format!(
            "probed by {} every {}, down after {}",
            checks.join(" and "),
            duration::format(host.health.interval),
            counted(
                usize::try_from(host.health.fall).unwrap_or(usize::MAX),
                "failure"
            ),
        )
    };
    format!(
        "{role}{groups}, priority {} weight {} port {}, {probing}",
        srv.priority, srv.weight, srv.port
    )
}

fn zone_text(config: &Config, zone: &Zone) -> String {
    let servers: Vec<&str> = zone
        .servers
        .iter()
        .filter_map(|&index| config.servers.get(index))
        .map(|server| server.name.as_str())
        .collect();
    let servers = if servers.is_empty() {
        "the primary, to be found".to_owned()
    } else {
        servers.join(" then ")
    };
    let hosts = match zone.expect {
        Expect::Empty => "expected empty".to_owned(),
        Expect::Hosts => counted(zone.hosts.len(), "host"),
    };
    format!("{} at {servers}, ttl {}, {hosts}", zone.owner, zone.ttl)
}
