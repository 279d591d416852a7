//! Verdicts for one-shot commands: probe until each host is settled, then plan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;

use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;
use tracing::debug;

use crate::config::Config;
use crate::health::{self, Next, Probed};
use crate::model::{Canary, Host, Name, Role, Sample, State, Track, Verdict, Verdicts};
use crate::probe::{CANARY_TIMEOUT, canary, probe};
use crate::store::{Store, StoreError};

use super::{Event, Stage, Surroundings};

/// Hosts probed at once.
const HOSTS_AT_ONCE: usize = 512;

/// The verdicts under `--no-probe`: every host is unknown.
pub fn not_probed(config: &Config) -> Verdicts {
    Verdicts {
        hosts: config
            .hosts
            .iter()
            .map(|_host| health::not_probed())
            .collect(),
        canary: Canary::Unused,
    }
}

/// Probes the hosts of the given zones (indexes) until each is settled.
///
/// A host is up at its first success and down after `fall` failures in a row, the tries spaced by
/// its interval from begin to begin. Whoever was last asked before another host first failed is then asked once more,
/// so that an outage on our side shows in all of them.
///
/// `known` are fresh verdicts by index, as a running daemon has them: these hosts are not asked,
/// but once more where that is needed.
pub async fn one_shot(
    config: &Config,
    zones: &[usize],
    known: &BTreeMap<usize, Verdict>,
    surroundings: Surroundings<'_>,
) -> Verdicts {
    let concerned: BTreeSet<usize> = zones
        .iter()
        .filter_map(|&zone| config.zones.get(zone))
        .flat_map(|zone| zone.hosts.iter().copied())
        .collect();
    let to_ask = to_probe(config, &concerned).filter(|(index, _host)| !known.contains_key(index));
    let mut tries = settle_all(to_ask, surroundings).await;
    let known_down = known.values().any(|verdict| verdict.state == State::Down);
    let canary = canary_if_needed(&config.canary, &tries, known_down).await;

    let verdicts = judge_inventory(config, &concerned, known, &tries, canary);
    let again: Vec<(usize, &Host)> = to_probe(config, &concerned)
        .filter(|(index, _host)| {
            verdicts
                .hosts
                .get(*index)
                .is_some_and(|verdict| health::needs_confirmation(verdict, &verdicts.hosts))
        })
        .collect();
    if again.is_empty() {
        return verdicts;
    }
    debug!(hosts = again.len(), "asking hosts once more");
    let Surroundings {
        resolver,
        interrupt,
        ..
    } = surroundings;
    let confirmations: Vec<(usize, Option<Probed>)> = stream::iter(again)
        .map(|(index, host)| async move {
            (index, interrupt.unless_raised(probe(host, resolver)).await)
        })
        .buffer_unordered(HOSTS_AT_ONCE)
        .collect()
        .await;
    for (index, probed) in confirmations {
        tries.entry(index).or_default().extend(probed);
    }
    judge_inventory(config, &concerned, known, &tries, canary)
}

/// The verdicts that a running daemon has come to on up and down hosts, by index, where their
/// samples are fresh.
pub fn fresh_verdicts(config: &Config) -> Result<BTreeMap<usize, Verdict>, StoreError> {
    let state_dir = &config.daemon.state_dir;
    if Store::daemon_holder(state_dir).is_none() {
        return Ok(BTreeMap::new());
    }
    let now = Timestamp::now();
    let tracks: BTreeMap<Name, Track> = Store::read_tracks(state_dir)?.into_iter().collect();
    let verdict = |host: &Host| {
        let track = tracks
            .get(host.name())
            .filter(|track| health::track::is_of(track, host))?;
        let verdict = health::track::verdict(track, &host.health, Canary::Unused, None, now);
        let is_settled = match verdict.state {
            State::Up => true,
            // Whether the canaries answered while it failed is not stored.
            State::Down => !verdict.recovering && config.canary.is_empty(),
            State::Suspect | State::Unknown => false,
        };
        is_settled.then_some(verdict)
    };
    Ok((0..)
        .zip(&config.hosts)
        .filter_map(|(index, host)| Some((index, verdict(host)?)))
        .collect())
}

/// What asking one host for its own sake gave.
#[derive(Debug, Clone)]
pub struct HostAnswer {
    /// What is to be believed of it.
    pub verdict: Verdict,
    /// The newest sample; `None` when none could be made.
    pub newest: Option<Sample>,
}

/// Probes these hosts until each is settled, retired ones too; the answers come in their order.
///
/// When no canary answers, no host is declared down.
pub async fn probe_hosts(
    hosts: &[Host],
    canaries: &[SocketAddr],
    surroundings: Surroundings<'_>,
) -> Vec<HostAnswer> {
    let asked = (0..)
        .zip(hosts)
        .filter(|(_index, host)| !host.health.is_trusted());
    let mut tries = settle_all(asked, surroundings).await;
    let canary = canary_if_needed(canaries, &tries, false).await;
    (0..)
        .zip(hosts)
        .map(|(index, host)| {
            let tries = tries.remove(&index).unwrap_or_default();
            HostAnswer {
                verdict: judge(host, &tries, canary),
                newest: tries.into_iter().rev().find_map(Result::ok),
            }
        })
        .collect()
}

/// The concerned hosts that probing can tell something about.
fn to_probe<'a>(
    config: &'a Config,
    concerned: &'a BTreeSet<usize>,
) -> impl Iterator<Item = (usize, &'a Host)> {
    concerned.iter().filter_map(|&index| {
        let host = config.hosts.get(index)?;
        (host.role != Role::Retired && !host.health.is_trusted()).then_some((index, host))
    })
}

/// Asks every host until it is settled; an interruption leaves some with too few tries.
async fn settle_all<'a>(
    hosts: impl Iterator<Item = (usize, &'a Host)>,
    surroundings: Surroundings<'_>,
) -> BTreeMap<usize, Vec<Probed>> {
    let hosts: Vec<(usize, &Host)> = hosts.collect();
    let progress = surroundings.progress;
    progress.tell(Event::Begin(Stage::Probe, hosts.len()));
    let tries = stream::iter(hosts)
        .map(|(index, host)| async move { (index, until_settled(host, surroundings).await) })
        .buffer_unordered(HOSTS_AT_ONCE)
        .inspect(|(_index, tries)| {
            progress.tell(Event::Done {
                failed: !tries.iter().flatten().any(Sample::passed),
            });
        })
        .collect()
        .await;
    progress.tell(Event::End);
    tries
}

async fn until_settled(host: &Host, surroundings: Surroundings<'_>) -> Vec<Probed> {
    let mut tries = Vec::new();
    let asking = async {
        loop {
            // From begin to begin, as the daemon spaces them: a probe that waits for its time-out
            // is not followed by a whole interval more.
            let next = Instant::now() + host.health.interval;
            tries.push(probe(host, surroundings.resolver).await);
            match health::one_shot_next(&tries, &host.health) {
                Next::Settled => return,
                Next::Again => tokio::time::sleep_until(next).await,
            }
        }
    };
    surroundings.interrupt.unless_raised(asking).await;
    tries
}

/// Asks the canaries when a host failed, or one is known to be down.
async fn canary_if_needed(
    canaries: &[SocketAddr],
    tries: &BTreeMap<usize, Vec<Probed>>,
    known_down: bool,
) -> Canary {
    let somebody_failed = tries
        .values()
        .flatten()
        .flatten()
        .any(|sample| !sample.passed());
    if somebody_failed || known_down {
        canary(canaries, CANARY_TIMEOUT).await
    } else {
        Canary::Unused
    }
}

fn judge_inventory(
    config: &Config,
    concerned: &BTreeSet<usize>,
    known: &BTreeMap<usize, Verdict>,
    tries: &BTreeMap<usize, Vec<Probed>>,
    canary: Canary,
) -> Verdicts {
    let verdict = |index: usize, host: &Host| {
        if host.role == Role::Retired {
            return health::retired();
        }
        if !concerned.contains(&index) {
            return Verdict::unknown("in none of the zones asked for");
        }
        match (tries.get(&index), known.get(&index)) {
            (None, Some(known)) => known.clone(),
            // Asked once more, however often it takes to be down.
            (Some(tries), Some(_)) => health::one_shot(tries, &host.health, canary),
            (tries, None) => judge(host, tries.map_or(&[][..], Vec::as_slice), canary),
        }
    };
    Verdicts {
        hosts: config
            .hosts
            .iter()
            .enumerate()
            .map(|(index, host)| verdict(index, host))
            .collect(),
        canary,
    }
}

/// The verdict on one host that was to be asked.
fn judge(host: &Host, tries: &[Probed], canary: Canary) -> Verdict {
    if host.health.is_trusted() {
        return health::trusted();
    }
    match health::one_shot_next(tries, &host.health) {
        Next::Settled => health::one_shot(tries, &host.health, canary),
        // Only an interruption ends the asking early.
        Next::Again => Verdict {
            probed: true,
            ..Verdict::unknown("not done: interrupted")
        },
    }
}

#[cfg(test)]
mod tests {
    use std::net::Ipv4Addr;
    use std::time::Duration;

    use tokio::net::TcpListener;

    use super::*;
    use crate::dns::resolve::Resolver;
    use crate::model::{Check, Health, Srv};
    use crate::reconcile::{Interrupt, Quiet};

    /// A host that accepts connections and says nothing.
    async fn silent() -> (TcpListener, Host) {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let host = Host {
            srv: Srv {
                priority: 0,
                weight: 0,
                port: listener.local_addr().unwrap().port(),
                target: Name::parse("kms1.corp.example.").unwrap(),
            },
            role: Role::Active,
            groups: Vec::new(),
            addresses: vec![Ipv4Addr::LOCALHOST.into()],
            health: Health {
                checks: vec![Check::Rpc],
                command: Vec::new(),
                interval: Duration::from_secs(10),
                timeout: Duration::from_secs(3),
                rise: 2,
                fall: 3,
            },
        };
        (listener, host)
    }

    #[tokio::test(start_paused = true)]
    async fn tries_are_spaced_from_begin_to_begin() {
        let (_listener, mut host) = silent().await;
        let (_interrupter, interrupt) = Interrupt::new();
        let resolver = Resolver::with_name_servers(&[]);
        let surroundings = Surroundings {
            resolver: &resolver,
            progress: &Quiet,
            interrupt: &interrupt,
        };
        for (timeout, expected) in [
            // Two intervals, and the last time-out.
            (3, 2 * 10 + 3),
            // A probe that takes longer than the interval is followed by the next at once.
            (11, 3 * 11),
        ] {
            host.health.timeout = Duration::from_secs(timeout);
            let began = Instant::now();
            let answers = probe_hosts(std::slice::from_ref(&host), &[], surroundings).await;
            assert_eq!(answers[0].verdict.state, State::Down);
            assert_eq!(began.elapsed().as_secs(), expected);
        }
    }
}
