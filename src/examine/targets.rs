//! The hosts that are published, or are to be.

use std::collections::{BTreeMap, BTreeSet};

use futures_util::stream::{self, StreamExt};

use super::zones::published;
use crate::config::Config;
use crate::diagnose::{TargetEvidence, ZoneEvidence};
use crate::dns::resolve::Resolver;
use crate::model::{Host, Name, Role, Zone};

/// Hosts looked up side by side.
const AT_ONCE: usize = 64;

/// Looks up every host that these zones publish, or may.
pub(super) async fn look(
    config: &Config,
    zones: &[&Zone],
    seen: &[ZoneEvidence],
    resolver: &Resolver,
) -> Vec<TargetEvidence> {
    let mut published_in: BTreeMap<Name, usize> = BTreeMap::new();
    let indexes: BTreeSet<usize> = zones
        .iter()
        .flat_map(|zone| zone.hosts.iter().copied())
        .collect();
    let wanted = indexes
        .into_iter()
        .filter_map(|index| config.hosts.get(index))
        .filter(|host| host.role != Role::Retired);
    for host in wanted {
        published_in.entry(host.name().clone()).or_default();
    }
    for zone in seen {
        let targets: BTreeSet<&Name> = published(zone).map(|record| &record.target).collect();
        for target in targets {
            *published_in.entry(target.clone()).or_default() += 1;
        }
    }
    let inventory: BTreeMap<&Name, &Host> = config
        .hosts
        .iter()
        .map(|host| (host.name(), host))
        .collect();
    let looks = published_in.into_iter().map(async |(name, published)| {
        let host = inventory.get(&name);
        // The target "." says that there is no host.
        let (addresses, alias) = if name.is_root() {
            (Ok(Vec::new()), Ok(None))
        } else {
            tokio::join!(resolver.addresses(&name), resolver.alias(&name))
        };
        TargetEvidence {
            addresses: addresses.map_err(|error| error.to_string()),
            // A name that cannot be looked up shows in its addresses.
            alias: alias.ok().flatten(),
            inventory: host.map(|host| host.addresses.clone()),
            published,
            name,
        }
    });
    stream::iter(looks).buffered(AT_ONCE).collect().await
}
