//! One zone in service: lookups, transfers and updates.

use std::path::PathBuf;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{LowerName, Name, RData, Record, RecordType, RrKey};
use hickory_server::store::in_memory::InMemoryZoneHandler;
use hickory_server::zone_handler::{
    AuthLookup, AxfrPolicy, LookupError, LookupOptions, ZoneHandler, ZoneType,
};

use super::records::{Records, all, key, rrset, soa};
use super::response::Answer;
use super::state::{Loaded, persist};
use super::update;

/// A zone, its records behind the handler's lock.
pub(super) struct Zone {
    origin: LowerName,
    handler: InMemoryZoneHandler,
    snapshot: PathBuf,
}

impl Zone {
    pub(super) fn new(loaded: Loaded) -> Self {
        let mut handler =
            InMemoryZoneHandler::empty(loaded.origin.clone(), ZoneType::Primary, AxfrPolicy::Deny);
        *handler.records_get_mut() = loaded.records;
        Self {
            origin: LowerName::new(&loaded.origin),
            handler,
            snapshot: loaded.snapshot,
        }
    }

    pub(super) fn origin(&self) -> &LowerName {
        &self.origin
    }

    /// Answers a question (RFC 1034 §4.3.2), negative ones with the SOA (RFC 2308 §3).
    pub(super) async fn lookup(&self, name: &LowerName, record_type: RecordType) -> Answer {
        let found = self
            .handler
            .lookup(name, record_type, None, LookupOptions::default())
            .await
            .map_result();
        match found {
            Some(Ok(found)) => self.positive(&found).await,
            Some(Err(LookupError::NameExists)) => self.negative(ResponseCode::NoError).await,
            Some(Err(LookupError::ResponseCode(ResponseCode::NXDomain))) => {
                let is_covered = covered_by_wildcard(&*self.handler.records().await, name);
                self.negative(match is_covered {
                    true => ResponseCode::NoError,
                    false => ResponseCode::NXDomain,
                })
                .await
            }
            Some(Err(LookupError::ResponseCode(rcode))) => Answer::from(rcode),
            Some(Err(_)) | None => Answer::from(ResponseCode::ServFail),
        }
    }

    async fn positive(&self, found: &AuthLookup) -> Answer {
        let answers: Vec<Record> = found.iter().cloned().collect();
        let is_referral = answers.first().is_some_and(|first| {
            first.record_type() == RecordType::NS && LowerName::new(&first.name) != self.origin
        });
        if is_referral {
            return Answer {
                additionals: glue(&*self.handler.records().await, &answers),
                authorities: answers,
                ..Answer::default()
            };
        }
        let additionals = found.additionals().into_iter().flatten().cloned().collect();
        Answer {
            authoritative: true,
            answers,
            additionals,
            ..Answer::default()
        }
    }

    async fn negative(&self, rcode: ResponseCode) -> Answer {
        let records = self.handler.records().await;
        let proof = soa(&records, &self.origin).map(|(record, soa)| {
            let mut record = record.clone();
            record.ttl = record.ttl.min(soa.minimum);
            record
        });
        Answer {
            rcode,
            authoritative: true,
            authorities: proof.into_iter().collect(),
            ..Answer::default()
        }
    }

    /// The SOA alone, which over UDP tells an IXFR client to come back over TCP (RFC 1995 §4).
    pub(super) async fn serial_only(&self) -> Answer {
        self.lookup(&self.origin, RecordType::SOA).await
    }

    /// The whole zone between two SOAs (RFC 5936 §2.2), in one message.
    pub(super) async fn transfer(&self) -> Answer {
        let records = self.handler.records().await;
        let Some((soa, _)) = soa(&records, &self.origin) else {
            return Answer::from(ResponseCode::ServFail);
        };
        let inner = all(&records).filter(|record| record.record_type() != RecordType::SOA);
        Answer {
            authoritative: true,
            answers: std::iter::once(soa)
                .chain(inner)
                .chain(std::iter::once(soa))
                .cloned()
                .collect(),
            ..Answer::default()
        }
    }

    /// Checks and carries out an update (RFC 2136 §3) under one lock; it is on disk before it is
    /// served. Blocks on the disk.
    pub(super) async fn update(
        &self,
        prerequisites: &[Record],
        updates: &[Record],
    ) -> Result<(), ResponseCode> {
        let mut records = self.handler.records_mut().await;
        update::check_prerequisites(&records, &self.origin, prerequisites)?;
        update::prescan(&self.origin, updates)?;
        let Some(after) = update::apply(&records, &self.origin, updates) else {
            return Ok(());
        };
        persist(&self.snapshot, &after).map_err(|error| {
            tracing::error!(
                zone = %self.origin,
                error = &error as &dyn std::error::Error,
                "an update could not be stored and was not made"
            );
            ResponseCode::ServFail
        })?;
        *records = after;
        Ok(())
    }
}

/// True when a wildcard stands for a name that does not exist: the answer is then that it has no
/// records of the type (RFC 4592 §3.3.1), where hickory says that there is no such name.
fn covered_by_wildcard(records: &Records, name: &LowerName) -> bool {
    let has = |name: &LowerName, is_there: fn(&LowerName, &LowerName) -> bool| {
        // In the canonical order, what lies below a name follows it.
        let first = RrKey::new(name.clone(), RecordType::ZERO);
        let next = records.range(first..).next();
        next.is_some_and(|(key, _)| is_there(name, &key.name))
    };
    let mut next_closer = name.clone();
    while !next_closer.is_root() {
        let encloser = next_closer.base_name();
        if has(&encloser, LowerName::zone_of) {
            return has(&next_closer.into_wildcard(), LowerName::eq);
        }
        next_closer = encloser;
    }
    false
}

/// The addresses, as far as this zone has them, of the servers that a referral names.
fn glue(records: &Records, servers: &[Record]) -> Vec<Record> {
    let addresses = |server: &Name| {
        [RecordType::A, RecordType::AAAA].map(|record_type| key(server, record_type))
    };
    servers
        .iter()
        .filter_map(|record| match &record.data {
            RData::NS(server) => Some(addresses(&server.0)),
            _ => None,
        })
        .flatten()
        .flat_map(|key| rrset(records, &key).cloned().collect::<Vec<_>>())
        .collect()
}
