//! What `check` understood of a configuration: each setting as it holds, once for all that share it.

use std::collections::BTreeMap;
use std::time::Duration;

use crate::config::{
    Authority, Config, Daemon, GssCredentials, Key, Mode, Server, duration, word_of,
};
use crate::model::{Check, Expect, Health, Host, Name, Role, Zone};
use crate::render::text::{Layout, counted, hanging, shortened};

/// Names of hosts and zones that are shown before the others are only counted.
const SHOWN: usize = 5;

/// The whole text; `verbose` names every zone and host that shares its settings with others.
pub(super) fn text(config: &Config, verbose: bool, layout: Layout) -> String {
    let mut lines = vec![verdict(config)];
    lines.extend(daemon(config));
    lines.extend(config.keys.iter().map(|(name, key)| key_line(name, key)));
    lines.extend(config.servers.iter().map(server));
    let mut out = String::new();
    for line in lines {
        out.push_str(&hanging(&line, 0, layout));
    }
    for host in &config.hosts {
        let line = format!("host {}: {}", host.name(), host_text(host));
        out.push_str(&hanging(&line, 0, layout));
    }
    let probed = config
        .hosts
        .iter()
        .filter(|host| host.role != Role::Retired);
    let probed = probed.map(|host| (host.name(), probing(&host.health)));
    let zones = config.zones.iter();
    let zones = zones.map(|zone| (&zone.name, zone_text(config, zone)));
    for (verb, groups) in [("probing", shared(probed)), ("zone", shared(zones))] {
        for (names, settings) in groups {
            let shown = if verbose { usize::MAX } else { SHOWN };
            out.push_str(&hanging(&heading(verb, &names, shown), 0, layout));
            for line in settings.lines() {
                out.push_str(&hanging(line, INDENT, layout));
            }
        }
    }
    if let Some(authority) = &config.authority {
        out.push_str(&hanging(&authority_line(authority), 0, layout));
    }
    out
}

/// What belongs to the line above.
const INDENT: usize = 4;

fn verdict(config: &Config) -> String {
    let file = config.file.display();
    match config.warnings.len() {
        0 => format!("{file}: no problems"),
        several => format!("{file}: no problems, but {}", counted(several, "warning")),
    }
}

fn daemon(config: &Config) -> [String; 7] {
    let daemon = &config.daemon;
    let mode = match daemon.mode {
        Mode::Audit => "audit: `run` never writes",
        Mode::Enforce => "enforce: `run` writes",
    };
    let canary: Vec<String> = config.canary.iter().map(ToString::to_string).collect();
    let canary = match canary.as_slice() {
        [] => "none: our own network is not tested".to_owned(),
        addresses => addresses.join(", "),
    };
    [
        format!("mode {mode}"),
        format!("interval {}", duration::format(daemon.interval)),
        format!("state {}", daemon.state_dir.display()),
        format!("http {}", http_text(daemon)),
        format!("on_change {}", command(&daemon.on_change)),
        format!("on_alert {}", command(&daemon.on_alert)),
        format!("canary {canary}"),
    ]
}

fn http_text(daemon: &Daemon) -> String {
    match (daemon.http, &daemon.http_token) {
        (None, _) => "none".to_owned(),
        (Some(address), None) => address.to_string(),
        (Some(address), Some(_token)) => format!("{address}, with a token"),
    }
}

fn command(words: &[String]) -> String {
    match words {
        [] => "none".to_owned(),
        [program] => program.clone(),
        // What the output is pasted into is not to hold a token.
        [program, arguments @ ..] => {
            format!("{program}, with {}", counted(arguments.len(), "argument"))
        }
    }
}

fn key_line(name: &str, key: &Key) -> String {
    match key {
        Key::Tsig(secret) => format!("key {name}: TSIG {}, {}", secret.name, secret.algorithm),
        Key::Gss(gss) => {
            let credentials = match &gss.credentials {
                GssCredentials::Keytab(file) => format!("keytab {}", file.display()),
                GssCredentials::Ccache(cache) => format!("ccache {cache}"),
                GssCredentials::Default => "the default ccache".to_owned(),
            };
            format!("key {name}: GSS-TSIG {}, {credentials}", gss.principal)
        }
    }
}

fn server(server: &Server) -> String {
    let signed = signed(server.key.as_deref());
    format!("server {}: {}, {signed}", server.name, server.address)
}

fn signed(key: Option<&str>) -> String {
    key.map_or_else(|| "unsigned".to_owned(), |key| format!("signed with {key}"))
}

fn host_text(host: &Host) -> String {
    let role = host.role.as_str();
    let groups = if host.groups.is_empty() {
        String::new()
    } else {
        format!(", groups {}", host.groups.join(" "))
    };
    let addresses: Vec<String> = host.addresses.iter().map(ToString::to_string).collect();
    let addresses = match addresses.as_slice() {
        [] => "what its name resolves to".to_owned(),
        addresses => addresses.join(", "),
    };
    let srv = &host.srv;
    format!(
        "{role}{groups}, priority {} weight {} port {}, at {addresses}",
        srv.priority, srv.weight, srv.port
    )
}

fn probing(health: &Health) -> String {
    if health.is_trusted() {
        return "none: trusted to be up".to_owned();
    }
    let checks: Vec<&str> = health.checks.iter().copied().map(word_of).collect();
    let mut text = format!(
        "{} every {}, timeout {}, up after {}, down after {}",
        checks.join(" and "),
        duration::format(health.interval),
        duration::format(health.timeout),
        match health.rise {
            1 => "1 success".to_owned(),
            several => format!("{several} successes in a row"),
        },
        counted(
            usize::try_from(health.fall).unwrap_or(usize::MAX),
            "failure"
        ),
    );
    if health.checks.contains(&Check::Exec) {
        text.push_str(&format!("\ncommand {}", command(&health.command)));
    }
    text
}

/// Where, what and within which limits; the words of the limits are those of the configuration.
fn zone_text(config: &Config, zone: &Zone) -> String {
    let servers: Vec<&str> = zone
        .servers
        .iter()
        .filter_map(|&index| config.servers.get(index))
        .map(|server| server.name.as_str())
        .collect();
    let servers = if servers.is_empty() {
        format!("the primary, to be found, {}", signed(zone.key.as_deref()))
    } else {
        servers.join(" then ")
    };
    let hosts: Vec<&Name> = zone
        .hosts
        .iter()
        .filter_map(|&index| config.hosts.get(index))
        .map(Host::name)
        .collect();
    let hosts = match zone.expect {
        Expect::Empty => "expected empty".to_owned(),
        Expect::Hosts => format!(
            "{}: {}",
            counted(hosts.len(), "host"),
            shortened(&hosts, SHOWN)
        ),
    };
    let policy = &zone.policy;
    format!(
        "{} at {servers}, ttl {}\n\
         {hosts}\n\
         min_hosts {}, max_removals {} per {}, freeze_percent {}, standby_below {}, changes {}, \
         foreign {}, publisher {}, refresh {}",
        service(zone),
        duration::format(Duration::from_secs(zone.ttl.into())),
        policy.min_hosts,
        policy.max_removals,
        duration::format(config.daemon.interval),
        policy.freeze_percent,
        zone.standby_below,
        word_of(policy.changes),
        word_of(policy.foreign),
        word_of(policy.publisher),
        policy
            .refresh
            .map_or_else(|| "off".to_owned(), duration::format),
    )
}

/// The owner without the zone's name, which each zone of a group has for itself.
fn service(zone: &Zone) -> String {
    let (owner, name) = (zone.owner.to_string(), zone.name.to_string());
    let service = owner.strip_suffix(&name).unwrap_or(&owner);
    service.trim_end_matches('.').to_owned()
}

/// Those with the same settings together, in the order of the first of them.
fn shared<'a>(all: impl Iterator<Item = (&'a Name, String)>) -> Vec<(Vec<&'a Name>, String)> {
    let mut groups: Vec<(Vec<&Name>, String)> = Vec::new();
    let mut places: BTreeMap<String, usize> = BTreeMap::new();
    for (name, settings) in all {
        let place = *places.entry(settings).or_insert_with_key(|settings| {
            groups.push((Vec::new(), settings.clone()));
            groups.len() - 1
        });
        if let Some((names, _settings)) = groups.get_mut(place) {
            names.push(name);
        }
    }
    groups
}

fn heading(verb: &str, names: &[&Name], shown: usize) -> String {
    let listed = shortened(names, shown);
    match (verb, names.len()) {
        ("zone", 1) => format!("zone {listed}"),
        ("zone", several) => format!(
            "{several} zones: {listed}{}",
            how_to_see_all(several, shown)
        ),
        (_, several) => format!("{verb} {listed}{}", how_to_see_all(several, shown)),
    }
}

fn how_to_see_all(number: usize, shown: usize) -> &'static str {
    if number > shown {
        " (-v names all)"
    } else {
        ""
    }
}

fn authority_line(authority: &Authority) -> String {
    let listen: Vec<String> = authority.listen.iter().map(ToString::to_string).collect();
    let transfer = authority
        .transfer_key
        .as_ref()
        .map(|key| format!(", transfer key {key}"))
        .unwrap_or_default();
    format!(
        "authority: {} on {}, key {}{transfer}",
        counted(authority.zones.len(), "zone"),
        listen.join(", "),
        authority.key
    )
}
