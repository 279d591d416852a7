//! GSS-TSIG (RFC 3645): keys that are negotiated with the server by Kerberos, when an update needs
//! one.
//!
//! A `Contexts` belongs to one exchange. It holds one security context for each name that the
//! server goes by (the MNAME of the zones' SOA, `DNS/MNAME@REALM` to Kerberos), so that any number
//! of zones negotiate once, and a zone that names a wrong primary fails alone. A context is used
//! as long as its ticket holds; a failure is kept for a few seconds, so that many zones do not ask
//! the KDC one after another for what it has just refused, which may lock an account.

mod error;
mod ffi;
mod negotiation;

pub use error::{GssError, Trouble};

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use hickory_proto::rr::RecordType;
use tokio::sync::OnceCell;
use tokio::time::Instant;

use super::exchange::Exchange;
use crate::model::{GssKey, Name};
use crate::wire::tsig::{self, Key, Mac, MacError};
use crate::wire::{answer, query};

/// The algorithm's name (RFC 3645 §3.1.1).
const ALGORITHM: &str = "gss-tsig.";
/// Room for a MIC: Kerberos' have 28 to 40 octets (RFC 4121 §4.2.6.1), older ones 37.
const MIC_LENGTH: usize = 64;
/// A key name as long as those that are negotiated.
const KEY_NAME: &str = "0123456789abcdef.srvkeeper.";
/// A context that ends sooner is not used any more: the update must arrive before.
const LEAST_SECONDS: u32 = 10;
/// For how long a failed negotiation is the answer to all who ask.
const FAILURE_KEPT: Duration = Duration::from_secs(5);
/// What the log says of a negotiation that succeeded.
const ESTABLISHED: &str = "security context established";

/// The most octets that signing with a negotiated key adds to a message.
pub fn overhead() -> usize {
    tsig::overhead(&fixed_name(KEY_NAME), &fixed_name(ALGORITHM), MIC_LENGTH)
}

#[allow(
    clippy::expect_used,
    reason = "two constants, each of them read by a test"
)]
fn fixed_name(text: &str) -> Name {
    Name::parse(text).expect("a name")
}

/// The security contexts with one server.
pub(super) struct Contexts {
    key: Arc<GssKey>,
    /// By the server's principal; each negotiated once, whoever waits for it.
    slots: Mutex<BTreeMap<String, Slot>>,
}

type Slot = Arc<OnceCell<Negotiated>>;

struct Negotiated {
    at: Instant,
    result: Result<SecurityContext, GssError>,
}

/// A context and whether it was negotiated for who asked.
pub(super) struct Found {
    /// Signs and verifies with it.
    pub(super) key: Arc<Key>,
    /// False when it was there before.
    pub(super) is_new: bool,
}

impl Contexts {
    /// Negotiates nothing yet.
    pub(super) fn new(key: Arc<GssKey>) -> Self {
        Self {
            key,
            slots: Mutex::default(),
        }
    }

    /// The context with the server that the zone's SOA names, negotiated when there is none, or
    /// when it is `lost`: the server does not know that one any more.
    pub(super) async fn get(
        &self,
        exchange: &Exchange,
        zone: &Name,
        lost: Option<&Arc<Key>>,
    ) -> Result<Found, GssError> {
        let service = self.service(exchange, zone).await?;
        let slot = self.slot(&service, lost);
        let mut is_new = false;
        let negotiated = slot
            .get_or_init(|| async {
                is_new = true;
                let result = negotiation::negotiate(exchange, &self.key, &service).await;
                Negotiated {
                    at: Instant::now(),
                    result,
                }
            })
            .await;
        match &negotiated.result {
            Ok(context) => Ok(Found {
                key: Arc::clone(&context.key),
                is_new,
            }),
            Err(error) => Err(error.clone()),
        }
    }

    /// The principal of the server: `DNS/`, the MNAME of its SOA, and our realm.
    async fn service(&self, exchange: &Exchange, zone: &Name) -> Result<String, GssError> {
        let bytes = exchange.read(query::query(zone, RecordType::SOA)).await?;
        let soa = answer::soa(&bytes, zone).map_err(|error| GssError::no_soa(zone, &error))?;
        let realm = self
            .key
            .principal
            .rsplit_once('@')
            .map(|(_name, realm)| realm);
        service_of(&soa.mname, realm.unwrap_or_default()).ok_or_else(|| GssError::NoName {
            zone: zone.clone(),
            why: format!("names the primary {}", soa.mname),
        })
    }

    /// The slot for a principal, emptied when what it holds is of no use any more.
    fn slot(&self, service: &str, lost: Option<&Arc<Key>>) -> Slot {
        let mut slots = self.slots();
        let slot = slots.entry(service.to_owned()).or_default();
        if slot.get().is_some_and(|held| !held.is_usable(lost)) {
            *slot = Slot::default();
        }
        Arc::clone(slot)
    }

    fn slots(&self) -> MutexGuard<'_, BTreeMap<String, Slot>> {
        self.slots.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Negotiated {
    fn is_usable(&self, lost: Option<&Arc<Key>>) -> bool {
        match &self.result {
            Ok(context) => {
                let is_lost = lost.is_some_and(|lost| Arc::ptr_eq(lost, &context.key));
                !is_lost && context.seconds_left() > LEAST_SECONDS
            }
            Err(_) => self.at.elapsed() < FAILURE_KEPT,
        }
    }
}

/// `DNS/ns1.corp.example@CORP.EXAMPLE`; `None` for the root, which is nobody's name.
fn service_of(mname: &Name, realm: &str) -> Option<String> {
    let host = mname.to_string().to_lowercase();
    let host = host.trim_end_matches('.');
    // A realm of our own is Kerberos' default when the principal has none.
    let realm = match realm {
        "" => String::new(),
        realm => format!("@{realm}"),
    };
    let is_a_host = !host.is_empty()
        && host
            .bytes()
            .all(|octet| octet.is_ascii_alphanumeric() || matches!(octet, b'-' | b'_' | b'.'));
    is_a_host.then(|| format!("DNS/{host}{realm}"))
}

/// An established context as a TSIG key.
struct SecurityContext {
    key: Arc<Key>,
    context: Arc<Mutex<ffi::Context>>,
}

impl SecurityContext {
    fn new(name: Name, context: ffi::Context) -> Self {
        let context = Arc::new(Mutex::new(context));
        let mac = Mic {
            algorithm: fixed_name(ALGORITHM),
            context: Arc::clone(&context),
        };
        Self {
            key: Arc::new(Key::new(name, Box::new(mac))),
            context,
        }
    }

    fn seconds_left(&self) -> u32 {
        lock(&self.context).seconds_left()
    }
}

/// A context's MICs; microseconds each, so they are made where they are needed.
struct Mic {
    algorithm: Name,
    context: Arc<Mutex<ffi::Context>>,
}

impl Mac for Mic {
    fn algorithm(&self) -> &Name {
        &self.algorithm
    }

    fn length(&self) -> usize {
        MIC_LENGTH
    }

    fn is_negotiated(&self) -> bool {
        true
    }

    fn accepts_bare_request_mac(&self) -> bool {
        true
    }

    fn sign(&self, parts: &[&[u8]]) -> Result<Vec<u8>, MacError> {
        lock(&self.context)
            .mic(&parts.concat())
            .map_err(|failure| MacError::Mechanism(failure.text))
    }

    fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> Result<(), MacError> {
        match lock(&self.context).verifies(&parts.concat(), mac) {
            true => Ok(()),
            false => Err(MacError::Mismatch),
        }
    }
}

fn lock(context: &Mutex<ffi::Context>) -> MutexGuard<'_, ffi::Context> {
    context.lock().unwrap_or_else(PoisonError::into_inner)
}

#[cfg(test)]
mod tests;
