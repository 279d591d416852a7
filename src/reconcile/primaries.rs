//! The primaries found for the zones that name no server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::OnceCell;
use tokio::time::Instant;
use tracing::info;

use crate::dns::resolve::{FoundPrimary, PrimaryError, Resolver, Start};
use crate::model::Name;

/// A primary, or why it is not known.
type Found = Result<Arc<FoundPrimary>, PrimaryError>;

/// How long a primary is kept before it is looked up again: it may have moved.
const KEPT: Duration = Duration::from_secs(3600);

/// Primaries found so far.
///
/// One that was found is kept for an hour, and on where it cannot be looked up again.
#[derive(Default)]
pub(super) struct Primaries {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// By the owner of the RRset.
    owners: BTreeMap<Name, Dated<Arc<FoundPrimary>>>,
    /// By the zone to update, so that each is looked up once, whoever waits for it.
    zones: BTreeMap<Name, Dated<Arc<OnceCell<Found>>>>,
}

/// What was looked up, or is being looked up since then.
#[derive(Clone)]
struct Dated<T> {
    began: Instant,
    it: T,
}

impl<T> Dated<T> {
    fn now(it: T) -> Self {
        let began = Instant::now();
        Self { began, it }
    }

    fn is_new(&self) -> bool {
        self.began.elapsed() < KEPT
    }
}

impl Primaries {
    /// The addresses of the primary of the zone that an owner stands in.
    ///
    /// Where the zone stays with another server, that one is added, as long as it is one of the
    /// zone's name servers: each of several primaries may have named itself.
    pub(super) async fn of(
        &self,
        owner: &Name,
        resolver: &Resolver,
        stays: Option<SocketAddr>,
    ) -> Result<Vec<SocketAddr>, PrimaryError> {
        let found = self.find(owner, resolver).await?;
        let mut addresses = found.addresses.clone();
        if let Some(stays) = stays.filter(|stays| !addresses.contains(stays))
            // Where that cannot be told, it is kept, and guards the zone.
            && resolver.is_name_server(&found, stays).await.unwrap_or(true)
        {
            addresses.push(stays);
        }
        Ok(addresses)
    }

    /// The addresses of the primary that the SOA of the owner's zone named last, where it was found.
    pub(super) fn named(&self, owner: &Name) -> Vec<SocketAddr> {
        let kept = self.kept();
        let found = kept.owners.get(owner);
        found.map_or_else(Vec::new, |found| found.it.addresses.clone())
    }

    async fn find(&self, owner: &Name, resolver: &Resolver) -> Found {
        let known = self.kept().owners.get(owner).cloned();
        if let Some(known) = known.as_ref().filter(|known| known.is_new()) {
            return Ok(Arc::clone(&known.it));
        }
        let found = match (self.look_up(owner, resolver).await, known) {
            // What was true an hour ago is better than no primary.
            (Err(_), Some(known)) => known.it,
            (found, _) => found?,
        };
        let kept = Dated::now(Arc::clone(&found));
        self.kept().owners.insert(owner.clone(), kept);
        Ok(found)
    }

    async fn look_up(&self, owner: &Name, resolver: &Resolver) -> Found {
        let start = resolver.start_of(owner).await?;
        let cell = self.cell(&start.zone);
        let found = cell.get_or_init(|| find(&start, resolver)).await.clone();
        if found.is_err() {
            // A failure is shared by those who waited for it, and tried again by the next.
            let zones = &mut self.kept().zones;
            zones.retain(|_zone, present| !Arc::ptr_eq(&present.it, &cell));
        }
        found
    }

    fn cell(&self, zone: &Name) -> Arc<OnceCell<Found>> {
        let zones = &mut self.kept().zones;
        if let Some(present) = zones.get(zone).filter(|present| present.is_new()) {
            return Arc::clone(&present.it);
        }
        let cell = Arc::default();
        zones.insert(zone.clone(), Dated::now(Arc::clone(&cell)));
        cell
    }

    fn kept(&self) -> MutexGuard<'_, Kept> {
        self.kept.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

async fn find(start: &Start, resolver: &Resolver) -> Found {
    let found = resolver.primary(start).await?;
    info!(zone = %start.zone, primary = %start.primary, addresses = ?found.addresses, "found the primary");
    Ok(Arc::new(found))
}
