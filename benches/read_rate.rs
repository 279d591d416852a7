//! How fast zones are read: queries per second through `observe`, as `reconcile::run_once` asks.
//!
//! ```text
//! read_rate ADDRESS ZONES_FILE SECONDS [KEY_FILE]
//! ```
//!
//! Walks all zones of the file (one a line) again and again for at least so many seconds, over one
//! exchange, on one thread, and prints one line of JSON. Each zone is two queries, the SRV RRset
//! and the SOA; only zones that have the RRset and no wildcard above it keep that number, so any
//! other zone ends the measurement. With a BIND key file the queries are signed.
//!
//! Without arguments, as `cargo test` and `cargo bench` start it, it prints this usage and does
//! nothing: `benches/peers` brings the server.

#![allow(
    clippy::disallowed_methods,
    clippy::print_stdout,
    clippy::print_stderr,
    reason = "shell"
)]

use std::error::Error;
use std::net::SocketAddr;
use std::path::Path;
use std::process::ExitCode;
use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt, TryStreamExt};

use srvkeeper::config::keyfile;
use srvkeeper::dns::exchange::{Exchange, Settings};
use srvkeeper::model::{Changes, Expect, Foreign, Name, Policy, Publisher, Zone};
use srvkeeper::observe::observe;
use srvkeeper::reconcile::ZONES_AT_ONCE;
use srvkeeper::wire::tsig::Key;

const USAGE: &str = "usage: read_rate ADDRESS ZONES_FILE SECONDS [KEY_FILE]";
/// The SRV RRset and the SOA.
const QUERIES_PER_ZONE: u32 = 2;

fn main() -> ExitCode {
    let arguments: Vec<String> = std::env::args()
        .skip(1)
        .filter(|argument| argument != "--bench")
        .collect();
    let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
    let result = match arguments[..] {
        [address, zones, seconds] => measure(address, zones, seconds, None),
        [address, zones, seconds, key] => measure(address, zones, seconds, Some(key)),
        _ => {
            println!("{USAGE}");
            return ExitCode::SUCCESS;
        }
    };
    match result {
        Ok(line) => {
            println!("{line}");
            ExitCode::SUCCESS
        }
        Err(error) => {
            eprintln!("read_rate: {error}");
            ExitCode::FAILURE
        }
    }
}

fn measure(
    address: &str,
    zones: &str,
    seconds: &str,
    key: Option<&str>,
) -> Result<serde_json::Value, Box<dyn Error>> {
    let address: SocketAddr = address.parse()?;
    let zones = read_zones(Path::new(zones))?;
    let at_least = Duration::from_secs(seconds.parse()?);
    let key = match key {
        Some(file) => Some(Arc::new(Key::from_secret(&keyfile::parse(
            &std::fs::read_to_string(file)?,
        )?))),
        None => None,
    };
    let signed = key.is_some();
    // As the commands do it: one thread.
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()?;
    let (walks, took) = runtime.block_on(async {
        let exchange = Exchange::new(address, key, Settings::default());
        // The first walk connects and warms the server's caches.
        walk(&exchange, &zones).await?;
        let began = Instant::now();
        let mut walks = 0_u32;
        while began.elapsed() < at_least {
            walk(&exchange, &zones).await?;
            walks += 1;
        }
        Ok::<_, Box<dyn Error>>((walks, began.elapsed()))
    })?;
    let queries = u64::from(walks) * u64::from(QUERIES_PER_ZONE) * zones.len() as u64;
    Ok(serde_json::json!({
        "zones": zones.len(),
        "signed": signed,
        "walks": walks,
        "queries": queries,
        "seconds": took.as_secs_f64(),
        "queries_per_second": (queries as f64 / took.as_secs_f64()).round(),
    }))
}

/// Reads every zone once.
async fn walk(exchange: &Exchange, zones: &[Zone]) -> Result<(), Box<dyn Error>> {
    stream::iter(zones)
        .map(|zone| observe(exchange, zone))
        .buffer_unordered(ZONES_AT_ONCE)
        .map_err(Box::<dyn Error>::from)
        .try_for_each(|observed| async move {
            if observed.records.is_empty() {
                return Err(format!("{} has no SRV records", observed.update_zone).into());
            }
            Ok(())
        })
        .await
}

fn read_zones(file: &Path) -> Result<Vec<Zone>, Box<dyn Error>> {
    let service = Name::parse("_vlmcs._tcp")?;
    let policy = Arc::new(Policy {
        changes: Changes::Sync,
        foreign: Foreign::Report,
        publisher: Publisher::Sole,
        min_hosts: 1,
        max_removals: 1,
        freeze_percent: 50,
        refresh: None,
    });
    std::fs::read_to_string(file)?
        .lines()
        .map(|line| {
            let name = Name::parse_host(line)?;
            Ok(Zone {
                owner: name.prefixed(&service)?,
                name,
                ttl: 3_600,
                expect: Expect::Hosts,
                standby_below: 1,
                policy: policy.clone(),
                hosts: [].into(),
                servers: [0].into(),
                key: None,
            })
        })
        .collect()
}
