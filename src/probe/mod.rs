//! Probes: one sample of one host, made from all its addresses.
//!
//! A failed sample needs evidence that the host does not answer. Whatever went wrong on this
//! machine (no route, no file descriptor, no resolver, no such command) is no sample: unknown is
//! not down.

#![allow(clippy::disallowed_methods, reason = "shell")]

mod exec;
mod rpc;
mod tcp;
#[cfg(test)]
mod tests;

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use futures_util::future::select_ok;
use futures_util::stream::{self, StreamExt};
use jiff::Timestamp;
use tokio::time::Instant;

use crate::dns::resolve::Resolver;
use crate::model::{Canary, Check, Failure, Health, Host, Name, NoSample, Sample};

/// Addresses of one host that are probed at the same time.
const ADDRESSES_AT_ONCE: usize = 16;
/// The longest time-out that is kept, so that a deadline can always be computed.
const LONGEST_TIMEOUT: Duration = Duration::from_secs(24 * 60 * 60);

/// Time for the canaries' connections.
pub const CANARY_TIMEOUT: Duration = Duration::from_secs(3);

/// What one address said: passed, failed, or could not be asked.
pub type AddressResult = Result<Result<(), Failure>, NoSample>;

/// Takes one sample of a host: from the inventory's addresses, or from what the name resolves to.
///
/// The host passes when one address passes all checks. Each address has [`Health::timeout`]; they
/// are probed side by side.
pub async fn probe(host: &Host, resolver: &Resolver) -> Result<Sample, NoSample> {
    let began = Timestamp::now();
    let start = Instant::now();
    let addresses = if host.addresses.is_empty() {
        resolver
            .addresses(host.name())
            .await
            .map_err(|error| NoSample(error.to_string()))?
    } else {
        host.addresses.clone()
    };
    let results = stream::iter(addresses)
        .map(|address| async move {
            let endpoint = SocketAddr::new(address, host.srv.port);
            let probed = probe_address(host.name(), endpoint, &host.health).await;
            (address, probed)
        })
        .buffered(ADDRESSES_AT_ONCE)
        .collect()
        .await;
    sample(began, start.elapsed(), results)
}

/// Asks one address all the checks of `health`, in order, up to the first that fails.
///
/// `host` is only what a check command gets to see. The whole takes [`Health::timeout`] at the most.
/// Without checks nothing is asked, and the address passes.
pub async fn probe_address(host: &Name, address: SocketAddr, health: &Health) -> AddressResult {
    let deadline = Instant::now() + health.timeout.min(LONGEST_TIMEOUT);
    for check in &health.checks {
        let answer = match check {
            Check::Rpc => within(deadline, rpc::check(address)).await,
            Check::Tcp => within(deadline, tcp::check(address)).await,
            Check::Exec => exec::check(&health.command, host, address, deadline).await,
        }?;
        if answer.is_err() {
            return Ok(answer);
        }
    }
    Ok(Ok(()))
}

/// Connects to the canaries, side by side: the first that accepts settles it.
pub async fn canary(addresses: &[SocketAddr], timeout: Duration) -> Canary {
    if addresses.is_empty() {
        return Canary::Unused;
    }
    let connections = addresses
        .iter()
        .map(|&address| Box::pin(tokio::net::TcpStream::connect(address)));
    match tokio::time::timeout(timeout, select_ok(connections)).await {
        Ok(Ok(_accepted)) => Canary::Answers,
        Ok(Err(_)) | Err(_) => Canary::Silent,
    }
}

async fn within(deadline: Instant, check: impl Future<Output = AddressResult>) -> AddressResult {
    tokio::time::timeout_at(deadline, check)
        .await
        .unwrap_or(Ok(Err(Failure::TimedOut)))
}

/// Makes one sample of what the addresses said.
///
/// One that passed is enough, for clients too need one. When none passed and one could not be
/// asked, that one might be the one that answers, so nothing was learnt: no sample. A machine that
/// can never reach one of a host's addresses thus never sees the host down; the text names the
/// address, and the inventory's `address` leaves it out.
fn sample(
    began: Timestamp,
    took: Duration,
    results: Vec<(IpAddr, AddressResult)>,
) -> Result<Sample, NoSample> {
    let passed = results.iter().any(|(_, probed)| *probed == Ok(Ok(())));
    let unasked = results.iter().any(|(_, probed)| probed.is_err());
    if unasked && !passed {
        let texts: Vec<_> = results
            .iter()
            .map(|(address, probed)| match probed {
                Ok(Ok(())) => format!("{address} answers"),
                Ok(Err(failure)) => format!("{address} {failure}"),
                Err(NoSample(text)) => format!("{address}: {text}"),
            })
            .collect();
        return Err(NoSample(texts.join(", ")));
    }
    let addresses = results
        .into_iter()
        .map(|(address, probed)| {
            let answer = probed.unwrap_or_else(|unasked| Err(Failure::Other(unasked.to_string())));
            (address, answer)
        })
        .collect();
    Ok(Sample {
        began,
        took,
        addresses,
    })
}
