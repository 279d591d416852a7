//! The primaries found for the zones that name no server.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::OnceCell;
use tracing::info;

use crate::dns::resolve::{PrimaryError, Resolver, Start};
use crate::model::Name;

/// A primary's addresses, or why they are not known.
type Found = Result<Arc<[SocketAddr]>, PrimaryError>;

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
    owners: BTreeMap<Name, Arc<[SocketAddr]>>,
    /// By the zone to update, so that each is looked up once, whoever waits for it.
    zones: BTreeMap<Name, Arc<OnceCell<Found>>>,
}

impl Primaries {
    /// The addresses of the primary of the zone that an owner stands in.
    pub(super) async fn of(&self, owner: &Name, resolver: &Resolver) -> Found {
        if let Some(known) = self.kept().owners.get(owner) {
            return Ok(Arc::clone(known));
        }
        let start = resolver.start_of(owner).await?;
        let cell = Arc::clone(self.kept().zones.entry(start.zone.clone()).or_default());
        let found = cell.get_or_init(|| find(&start, resolver)).await.clone();
        let mut kept = self.kept();
        match &found {
            Ok(addresses) => {
                kept.owners.insert(owner.clone(), Arc::clone(addresses));
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
    let addresses = resolver.primary(start).await?;
    info!(zone = %start.zone, primary = %start.primary, ?addresses, "found the primary");
    Ok(addresses.into())
}
