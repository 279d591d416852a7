//! Verdicts for one-shot commands: probe until each host is settled, then plan.

use std::collections::{BTreeMap, BTreeSet};
use std::net::SocketAddr;
use std::time::Duration;

use futures_util::stream::{self, StreamExt};
use tracing::debug;

use crate::config::Config;
use crate::health::{self, Next, Probed};
use crate::model::{Canary, Host, Role, Sample, Verdict, Verdicts};
use crate::probe::{canary, probe};

use super::{Event, Stage, Surroundings};

/// Hosts probed at once.
const HOSTS_AT_ONCE: usize = 512;

/// Time for the canaries' connections.
const CANARY_TIMEOUT: Duration = Duration::from_secs(3);

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
/// its interval. Whoever was last asked before another host first failed is then asked once more,
/// so that an outage on our side shows in all of them.
pub async fn one_shot(
    config: &Config,
    zones: &[usize],
    surroundings: Surroundings<'_>,
) -> Verdicts {
    let concerned: BTreeSet<usize> = zones
        .iter()
        .filter_map(|&zone| config.zones.get(zone))
        .flat_map(|zone| zone.hosts.iter().copied())
        .collect();
    let mut tries = settle_all(to_probe(config, &concerned), surroundings).await;
    let canary = canary_if_needed(&config.canary, &tries).await;

    let verdicts = judge_inventory(config, &concerned, &tries, canary);
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
    judge_inventory(config, &concerned, &tries, canary)
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
    let canary = canary_if_needed(canaries, &tries).await;
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
            tries.push(probe(host, surroundings.resolver).await);
            match health::one_shot_next(&tries, &host.health) {
                Next::Settled => return,
                Next::Again => tokio::time::sleep(host.health.interval).await,
            }
        }
    };
    surroundings.interrupt.unless_raised(asking).await;
    tries
}

/// Asks the canaries when a host failed.
async fn canary_if_needed(canaries: &[SocketAddr], tries: &BTreeMap<usize, Vec<Probed>>) -> Canary {
    let somebody_failed = tries
        .values()
        .flatten()
        .flatten()
        .any(|sample| !sample.passed());
    if somebody_failed {
        canary(canaries, CANARY_TIMEOUT).await
    } else {
        Canary::Unused
    }
}

fn judge_inventory(
    config: &Config,
    concerned: &BTreeSet<usize>,
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
        let tries = tries.get(&index).map_or(&[][..], Vec::as_slice);
        judge(host, tries, canary)
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
