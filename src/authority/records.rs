//! A zone's records, and what every zone has to satisfy. No I/O.

use std::collections::BTreeMap;
use std::sync::Arc;

use hickory_proto::ProtoError;
use hickory_proto::rr::rdata::SOA;
use hickory_proto::rr::{DNSClass, LowerName, Name, RData, Record, RecordSet, RecordType, RrKey};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder, NameEncoding};

/// The records of a zone as the in-memory handler holds them.
///
/// No RRset is empty, and all records of an RRset have its owner's spelling and its TTL
/// (RFC 2181 §5.2).
pub(super) type Records = BTreeMap<RrKey, Arc<RecordSet>>;

/// Why records make no zone.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ZoneFault {
    /// Nothing says which zone it is.
    #[error("it has no SOA record")]
    NoSoa,
    /// The SOA's owner is the root, most likely for want of `$ORIGIN`.
    #[error("its SOA record stands at \".\"; write $ORIGIN or the zone's full name before it")]
    RootSoa,
    /// One SOA too many.
    #[error("it has SOA records at {0} and {1}; a zone has one")]
    TwoSoas(String, String),
    /// The apex has no NS record.
    #[error("{0} has no NS record; a zone needs one at its apex")]
    NoNs(String),
    /// A record of another zone.
    #[error("{name} lies outside the zone {zone}")]
    Outside {
        /// The record's owner.
        name: String,
        /// The SOA's owner.
        zone: String,
    },
    /// CNAME and other data (RFC 1034 §3.6.2).
    #[error("{0} has a CNAME record and others; a CNAME stands alone")]
    CnameAndOther(String),
    /// Data that no message can carry.
    #[error("{0} has a record whose data fit into no DNS message")]
    Data(String),
    /// A class other than IN.
    #[error("{0} has a record of a class other than IN")]
    Class(String),
}

/// Groups records into RRsets; of different TTLs in one RRset the lowest counts.
pub(super) fn collect(all: impl IntoIterator<Item = Record>) -> Records {
    let mut grouped: BTreeMap<RrKey, Vec<Record>> = BTreeMap::new();
    for record in all {
        let set = grouped
            .entry(key(&record.name, record.record_type()))
            .or_default();
        if !set.iter().any(|other| other.data == record.data) {
            set.push(record);
        }
    }
    let mut records = Records::new();
    for (key, set) in grouped {
        if let Some(ttl) = set.iter().map(|record| record.ttl).min() {
            put(&mut records, key, ttl, set);
        }
    }
    records
}

/// The key of an RRset.
pub(super) fn key(name: &Name, record_type: RecordType) -> RrKey {
    RrKey::new(LowerName::new(name), record_type)
}

/// Puts an RRset in its place: the first record's owner and `ttl` become those of all. None left
/// removes it.
pub(super) fn put(records: &mut Records, key: RrKey, ttl: u32, mut set: Vec<Record>) {
    let Some(owner) = set.first().map(|record| record.name.clone()) else {
        records.remove(&key);
        return;
    };
    for record in &mut set {
        record.name = owner.clone();
        record.ttl = ttl;
    }
    let mut record_set = RecordSet::with_ttl(owner, key.record_type, ttl);
    record_set.set_records(set);
    records.insert(key, Arc::new(record_set));
}

/// The RRset's records; empty when there is none.
pub(super) fn rrset<'r>(records: &'r Records, key: &RrKey) -> impl Iterator<Item = &'r Record> {
    records
        .get(key)
        .into_iter()
        .flat_map(|set| set.records_without_rrsigs())
}

/// The RRsets of a name.
pub(super) fn at_name<'r>(
    records: &'r Records,
    name: &LowerName,
) -> impl Iterator<Item = (&'r RrKey, &'r Arc<RecordSet>)> {
    let first = RrKey::new(name.clone(), RecordType::from(0));
    let last = RrKey::new(name.clone(), RecordType::from(u16::MAX));
    records.range(first..=last)
}

/// The zone's SOA record with its data.
pub(super) fn soa<'r>(records: &'r Records, origin: &LowerName) -> Option<(&'r Record, &'r SOA)> {
    let key = RrKey::new(origin.clone(), RecordType::SOA);
    rrset(records, &key).find_map(|record| match &record.data {
        RData::SOA(soa) => Some((record, soa)),
        _ => None,
    })
}

/// Every record, apex first.
pub(super) fn all(records: &Records) -> impl Iterator<Item = &Record> {
    records
        .values()
        .flat_map(|set| set.records_without_rrsigs())
}

/// The record's octets without compression, letter case as it is.
pub(super) fn octets(record: &Record) -> Result<Vec<u8>, ProtoError> {
    let mut octets = Vec::new();
    let mut encoder = BinEncoder::new(&mut octets);
    encoder.set_name_encoding(NameEncoding::Uncompressed);
    record.emit(&mut encoder)?;
    Ok(octets)
}

/// Checks what every zone has to satisfy, and returns its name: the SOA's owner.
pub(super) fn check(records: &Records) -> Result<Name, ZoneFault> {
    let mut soas = records
        .values()
        .filter(|set| set.record_type() == RecordType::SOA)
        .map(|set| set.name());
    let origin = soas.next().ok_or(ZoneFault::NoSoa)?;
    if let Some(second) = soas.next() {
        return Err(ZoneFault::TwoSoas(origin.to_ascii(), second.to_ascii()));
    }
    if origin.is_root() {
        return Err(ZoneFault::RootSoa);
    }
    if !records.contains_key(&key(origin, RecordType::NS)) {
        return Err(ZoneFault::NoNs(origin.to_ascii()));
    }
    for record in all(records) {
        let name = || record.name.to_ascii();
        if record.dns_class != DNSClass::IN {
            return Err(ZoneFault::Class(name()));
        }
        if !origin.zone_of(&record.name) {
            return Err(ZoneFault::Outside {
                name: name(),
                zone: origin.to_ascii(),
            });
        }
        if record.record_type() == RecordType::CNAME
            && at_name(records, &LowerName::new(&record.name)).count() > 1
        {
            return Err(ZoneFault::CnameAndOther(name()));
        }
    }
    Ok(origin.clone())
}
