//! The primaries found for the zones that name no server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tracing::info;

use crate::dns::resolve::{FoundPrimary, PrimaryError, Resolver, Start};
use crate::model::Name;

/// A primary, or why it is not known.
type Found = Result<Arc<FoundPrimary>, PrimaryError>;

/// Primaries found so far.
///
/// The first one found is kept for the life of the process: where any of several servers may call
/// itself the primary (Active Directory), a zone stays with the one it was first read from.
#[derive(Default)]
pub(super) struct Primaries {
    kept: Mutex<Kept>,
}

#[derive(Default)]
struct Kept {
    /// By the owner of the RRset.
    owners: BTreeMap<Name, Arc<FoundPrimary>>,
    /// By the zone to update, so that each is looked up once, whoever waits for it.
    zones: BTreeMap<Name, Arc<OnceCell<Found>>>,
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

    async fn find(&self, owner: &Name, resolver: &Resolver) -> Found {
        if let Some(known) = self.kept().owners.get(owner) {
            return Ok(Arc::clone(known));
        }
        let start = resolver.start_of(owner).await?;
        let cell = Arc::clone(self.kept().zones.entry(start.zone.clone()).or_default());
        let found = cell.get_or_init(|| find(&start, resolver)).await.clone();
        let mut kept = self.kept();
        match &found {
            Ok(primary) => {
                kept.owners.insert(owner.clone(), Arc::clone(primary));
            }
            // A failure is shared by those who waited for it, and tried again by the next.
            Err(_) => kept
                .zones
                .retain(|_zone, present| !Arc::ptr_eq(present, &cell)),
        }
        found
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
