//! `probe`: asks hosts for their own sake, and says why.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::path::Path;
use std::str::FromStr;

use crate::config::{self, Config, HostDefaults};
use crate::exit::ExitStatus;
use crate::model::{Check, Host, Name, Role, Srv, State};
use crate::progress::Bars;
use crate::reconcile;
use crate::render;
use crate::render::probe::ProbedHost;

use super::{CheckName, Failure, ProbeArgs, ProbeFormat, edge, setup};

pub(super) fn run(
    file: Option<&Path>,
    arguments: &ProbeArgs,
    bars: &Bars,
) -> Result<ExitStatus, Failure> {
    let inventory = Inventory::load(file, !arguments.hosts.is_empty())?;
    let chosen = inventory.choose(arguments)?;
    let hosts: Vec<Host> = chosen.iter().map(|(_shown, host)| host.clone()).collect();
    let canaries = &inventory.canaries;
    let answers = setup::run(bars, async |session| {
        Ok(reconcile::probe_hosts(&hosts, canaries, session.surroundings()).await)
    })?;
    let probed: Vec<ProbedHost> = chosen
        .into_iter()
        .zip(answers)
        .map(|((host, settings), answer)| ProbedHost {
            host,
            port: settings.srv.port,
            verdict: answer.verdict,
            newest: answer.newest,
        })
        .collect();
    match arguments.format {
        ProbeFormat::Text => edge::data(&render::probe::text(&probed, edge::layout())),
        ProbeFormat::Json => edge::json(|out| render::probe::json(&probed, out)),
    }
    Ok(status(&probed))
}

/// What the command line's hosts are looked up in.
struct Inventory {
    hosts: Vec<Host>,
    defaults: HostDefaults,
    canaries: Vec<SocketAddr>,
}

impl Inventory {
    /// Hosts named on the command line need no configuration, unless one is named, too.
    fn load(file: Option<&Path>, hosts_named: bool) -> Result<Self, Failure> {
        let path = file.unwrap_or(Path::new(super::DEFAULT_CONFIG));
        if hosts_named && file.is_none() && !path.exists() {
            return Ok(Self {
                hosts: Vec::new(),
                defaults: config::host_defaults(),
                canaries: Vec::new(),
            });
        }
        let Config {
            hosts,
            defaults,
            canary: canaries,
            ..
        } = super::load(path)?;
        Ok(Self {
            hosts,
            defaults,
            canaries,
        })
    }

    /// The hosts to ask, each with what the output calls it.
    fn choose(&self, arguments: &ProbeArgs) -> Result<Vec<(String, Host)>, Failure> {
        let named = |host: &Host| (host.name().to_string(), host.clone());
        let mut chosen: Vec<(String, Host)> = if arguments.hosts.is_empty() {
            self.hosts
                .iter()
                .filter(|host| host.role != Role::Retired)
                .map(named)
                .collect()
        } else {
            arguments
                .hosts
                .iter()
                .map(|target| self.host(target))
                .collect()
        };
        if !arguments.check.is_empty() {
            let checks: Vec<Check> = CheckName::checks(&arguments.check);
            for (_shown, host) in &mut chosen {
                host.health.checks.clone_from(&checks);
            }
        }
        for (shown, host) in &chosen {
            let known = self.hosts.iter().any(|known| known.name() == host.name());
            refuse_unaskable(shown, host, known)?;
        }
        Ok(chosen)
    }

    /// An inventory host with its settings, or any other host with the defaults.
    fn host(&self, target: &Target) -> (String, Host) {
        let known = self
            .hosts
            .iter()
            .find(|host| target.place == Place::Name(host.name().clone()));
        let mut host = known.cloned().unwrap_or_else(|| self.ad_hoc(&target.place));
        if let Some(port) = target.port {
            host.srv.port = port;
        }
        (target.place.to_string(), host)
    }

    fn ad_hoc(&self, place: &Place) -> Host {
        let (name, addresses) = match place {
            Place::Name(name) => (name.clone(), Vec::new()),
            // A check command gets to see it; addresses have only characters that names can have.
            Place::Address(address) => (
                Name::parse(&address.to_string()).unwrap_or_else(|_| Name::root()),
                vec![*address],
            ),
        };
        Host {
            role: Role::Active,
            srv: Srv {
                priority: 0,
                weight: 0,
                port: self.defaults.port,
                target: name,
            },
            groups: Vec::new(),
            addresses,
            health: self.defaults.health.clone(),
        }
    }
}

/// Refuses checks that cannot be made; an inventory host may be trusted.
fn refuse_unaskable(shown: &str, host: &Host, known: bool) -> Result<(), Failure> {
    if host.health.is_trusted() && !known {
        return Err(Failure::new(
            ExitStatus::Usage,
            format!("[health] has check = \"none\"; say how to probe {shown}, as in --check rpc"),
        ));
    }
    if host.health.checks.contains(&Check::Exec) && host.health.command.is_empty() {
        return Err(Failure::new(
            ExitStatus::Usage,
            format!(
                "--check exec needs a command for {shown}; write one in [health] of the configuration"
            ),
        ));
    }
    Ok(())
}

/// 0 all up, 2 some down, 1 when one of them cannot be told.
fn status(hosts: &[ProbedHost]) -> ExitStatus {
    hosts
        .iter()
        .map(|host| match host.verdict.state {
            State::Up => ExitStatus::Done,
            State::Down => ExitStatus::Pending,
            State::Suspect | State::Unknown => ExitStatus::Failed,
        })
        .fold(ExitStatus::Done, ExitStatus::and)
}

/// One `HOST[:PORT]`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Target {
    place: Place,
    port: Option<u16>,
}

/// A host by name or by address.
#[derive(Debug, Clone, PartialEq, Eq)]
enum Place {
    Name(Name),
    Address(IpAddr),
}

impl fmt::Display for Place {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Name(name) => name.fmt(f),
            Self::Address(address) => address.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        if let Some(bracketed) = text.strip_prefix('[') {
            let (address, rest) = bracketed
                .split_once(']')
                .ok_or("the bracket is not closed; write [2001:db8::1]:1688")?;
            let address: Ipv6Addr = address
                .parse()
                .map_err(|_| format!("{address:?} is no IPv6 address"))?;
            let port = match rest.strip_prefix(':') {
                Some(port) => Some(parse_port(port)?),
                None if rest.is_empty() => None,
                None => {
                    return Err(format!(
                        "{rest:?} follows the bracket; write :PORT or nothing"
                    ));
                }
            };
            return Ok(Self {
                place: Place::Address(address.into()),
                port,
            });
        }
        if text.parse::<Ipv6Addr>().is_ok() {
            return Err(format!("write IPv6 addresses in brackets: [{text}]"));
        }
        let (place, port) = match text.split_once(':') {
            Some((place, port)) => (place, Some(parse_port(port)?)),
            None => (text, None),
        };
        let place = match place.parse::<IpAddr>() {
            Ok(address) => Place::Address(address),
            Err(_) => Place::Name(Name::parse_host(place).map_err(|error| error.to_string())?),
        };
        Ok(Self { place, port })
    }
}

fn parse_port(text: &str) -> Result<u16, String> {
    match text.parse() {
        Ok(0) | Err(_) => Err(format!("{text:?} is no port; write 1 to 65535")),
        Ok(port) => Ok(port),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{Sample, Verdict};

    fn target(text: &str) -> Result<(String, Option<u16>), String> {
        text.parse::<Target>()
            .map(|target| (target.place.to_string(), target.port))
    }

    #[test]
    fn targets_are_names_or_addresses_with_a_port_or_without() {
        let ok = |place: &str, port| Ok((place.to_owned(), port));
        for (text, expected) in [
            ("kms1.corp.example", ok("kms1.corp.example.", None)),
            (
                "kms1.corp.example.:1689",
                ok("kms1.corp.example.", Some(1689)),
            ),
            ("10.0.1.11", ok("10.0.1.11", None)),
            ("10.0.1.11:1689", ok("10.0.1.11", Some(1689))),
            ("[2001:db8::1]", ok("2001:db8::1", None)),
            ("[2001:db8::1]:1689", ok("2001:db8::1", Some(1689))),
        ] {
            assert_eq!(target(text), expected, "{text}");
        }
        for wrong in [
            "",
            ":",
            "kms1:",
            "kms1:0",
            "kms1:65536",
            "kms1:1:2",
            "2001:db8::1",
            "[kms1]",
            "[::1",
            "[::1]1688",
            "[::1]:x",
            "kms 1",
            "kms1..example",
        ] {
            assert!(target(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn one_that_cannot_be_told_outweighs_one_that_is_down() {
        let host = |state| ProbedHost {
            host: "kms1.corp.example.".to_owned(),
            port: 1688,
            verdict: Verdict {
                state,
                ..Verdict::unknown("")
            },
            newest: None::<Sample>,
        };
        use State::{Down, Suspect, Unknown, Up};
        for (states, expected) in [
            (&[Up, Up][..], ExitStatus::Done),
            (&[Up, Down], ExitStatus::Pending),
            (&[Down, Unknown, Up], ExitStatus::Failed),
            (&[Suspect], ExitStatus::Failed),
        ] {
            let hosts: Vec<ProbedHost> = states.iter().map(|state| host(*state)).collect();
            assert_eq!(status(&hosts), expected, "{states:?}");
        }
    }
}
