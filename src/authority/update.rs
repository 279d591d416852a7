//! What an UPDATE asks and does (RFC 2136 §3), on a zone's records alone. No I/O.
//!
//! The caller holds the zone's lock over prerequisites and update, which makes a whole RRset as
//! prerequisite a compare-and-swap.

use std::collections::BTreeMap;
use std::sync::Arc;

use hickory_proto::op::ResponseCode;
use hickory_proto::rr::{
    DNSClass, LowerName, RData, Record, RecordSet, RecordType, RrKey, SerialNumber,
};

use super::records::{Records, at_name, key, octets, put, rrset, soa};

/// Checks the prerequisite section (§3.2).
pub(super) fn check_prerequisites(
    records: &Records,
    origin: &LowerName,
    prerequisites: &[Record],
) -> Result<(), ResponseCode> {
    let mut expected: BTreeMap<RrKey, Vec<&RData>> = BTreeMap::new();
    for prerequisite in prerequisites {
        if prerequisite.ttl != 0 {
            return Err(ResponseCode::FormErr);
        }
        let name = LowerName::new(&prerequisite.name);
        if !origin.zone_of(&name) {
            return Err(ResponseCode::NotZone);
        }
        let record_type = prerequisite.record_type();
        let rrset = RrKey::new(name, record_type);
        let has_data = !matches!(prerequisite.data, RData::Update0(_));
        match (prerequisite.dns_class, has_data) {
            (DNSClass::ANY | DNSClass::NONE, true) => return Err(ResponseCode::FormErr),
            (DNSClass::ANY, false) if record_type == RecordType::ANY => {
                if at_name(records, rrset.name()).next().is_none() {
                    return Err(ResponseCode::NXDomain);
                }
            }
            (DNSClass::ANY, false) => {
                if !records.contains_key(&rrset) {
                    return Err(ResponseCode::NXRRSet);
                }
            }
            (DNSClass::NONE, false) if record_type == RecordType::ANY => {
                if at_name(records, rrset.name()).next().is_some() {
                    return Err(ResponseCode::YXDomain);
                }
            }
            (DNSClass::NONE, false) => {
                if records.contains_key(&rrset) {
                    return Err(ResponseCode::YXRRSet);
                }
            }
            (DNSClass::IN, true) => expected.entry(rrset).or_default().push(&prerequisite.data),
            _ => return Err(ResponseCode::FormErr),
        }
    }
    for (key, expected) in &expected {
        let held: Vec<&RData> = rrset(records, key).map(|record| &record.data).collect();
        // Set equality, so a member given twice counts once. Names in data compare without regard
        // to case, the TTL does not count (§1.1).
        let equal = held.iter().all(|data| expected.contains(data))
            && expected.iter().all(|data| held.contains(data));
        if !equal {
            return Err(ResponseCode::NXRRSet);
        }
    }
    Ok(())
}

/// Looks through the update section before anything is changed (§3.4.1).
pub(super) fn prescan(origin: &LowerName, updates: &[Record]) -> Result<(), ResponseCode> {
    for update in updates {
        if !origin.zone_of(&LowerName::new(&update.name)) {
            return Err(ResponseCode::NotZone);
        }
        let record_type = update.record_type();
        let has_data = !matches!(update.data, RData::Update0(_));
        let well_formed = match update.dns_class {
            DNSClass::IN => has_data && is_data_type(record_type),
            DNSClass::ANY => {
                !has_data
                    && update.ttl == 0
                    && (record_type == RecordType::ANY || is_data_type(record_type))
            }
            DNSClass::NONE => has_data && update.ttl == 0 && is_data_type(record_type),
            _ => false,
        };
        if !well_formed {
            return Err(ResponseCode::FormErr);
        }
    }
    Ok(())
}

/// Types that a zone can hold: no OPT, none of the meta and query types (RFC 6895 §3.1).
fn is_data_type(record_type: RecordType) -> bool {
    !matches!(u16::from(record_type), 0 | 41 | 128..=255)
}

/// Carries out a prescanned update section (§3.4.2) and raises the serial; none when nothing
/// changes.
pub(super) fn apply(before: &Records, origin: &LowerName, updates: &[Record]) -> Option<Records> {
    let mut after = before.clone();
    for update in updates {
        match update.dns_class {
            DNSClass::ANY if update.record_type() == RecordType::ANY => {
                delete_name(&mut after, origin, update);
            }
            DNSClass::ANY => delete_rrset(&mut after, origin, update),
            DNSClass::NONE => delete_record(&mut after, origin, update),
            _ => add(&mut after, origin, update),
        }
    }
    if is_same(before, &after) {
        return None;
    }
    raise_serial(before, &mut after, origin);
    Some(after)
}

/// Adds to an RRset, or replaces an equal record; the TTL becomes that of the whole RRset (§3.4.2.2).
fn add(records: &mut Records, origin: &LowerName, update: &Record) {
    let record_type = update.record_type();
    let key = key(&update.name, record_type);
    let stands_alone = record_type == RecordType::CNAME;
    if at_name(records, key.name()).any(|(other, _)| {
        other.record_type != record_type && (stands_alone || other.record_type == RecordType::CNAME)
    }) {
        return;
    }
    if record_type == RecordType::SOA && !is_newer_soa(records, origin, update) {
        return;
    }
    let mut set: Vec<Record> = match record_type {
        RecordType::CNAME | RecordType::SOA => Vec::new(),
        _ => rrset(records, &key).cloned().collect(),
    };
    match set.iter_mut().find(|held| held.data == update.data) {
        Some(held) => held.data = update.data.clone(),
        None => set.push(update.clone()),
    }
    put(records, key, ttl(update), set);
}

/// True for an SOA at the apex whose serial is not behind the zone's.
fn is_newer_soa(records: &Records, origin: &LowerName, update: &Record) -> bool {
    let RData::SOA(new) = &update.data else {
        return false;
    };
    LowerName::new(&update.name) == *origin
        && soa(records, origin).is_some_and(|(_, held)| {
            held.serial == new.serial
                || SerialNumber::new(held.serial) < SerialNumber::new(new.serial)
        })
}

/// Deletes every RRset of a name; at the apex SOA and NS stay (§3.4.2.3).
fn delete_name(records: &mut Records, origin: &LowerName, update: &Record) {
    let name = LowerName::new(&update.name);
    records.retain(|key, _| *key.name() != name || is_protected(origin, key));
}

/// Deletes an RRset; at the apex SOA and NS stay (§3.4.2.3).
fn delete_rrset(records: &mut Records, origin: &LowerName, update: &Record) {
    let key = key(&update.name, update.record_type());
    if !is_protected(origin, &key) {
        records.remove(&key);
    }
}

/// Deletes a record; the SOA and the apex's last NS stay (§3.4.2.4).
fn delete_record(records: &mut Records, origin: &LowerName, update: &Record) {
    let key = key(&update.name, update.record_type());
    let Some(ttl) = records.get(&key).map(|set| set.ttl()) else {
        return;
    };
    let left: Vec<Record> = rrset(records, &key)
        .filter(|held| held.data != update.data)
        .cloned()
        .collect();
    let would_empty_apex = left.is_empty() && is_protected(origin, &key);
    if key.record_type != RecordType::SOA && !would_empty_apex {
        put(records, key, ttl, left);
    }
}

fn is_protected(origin: &LowerName, key: &RrKey) -> bool {
    key.name() == origin && matches!(key.record_type, RecordType::SOA | RecordType::NS)
}

/// The TTL of an added record; one with the highest bit set counts as 0 (RFC 2181 §8).
fn ttl(update: &Record) -> u32 {
    if i32::try_from(update.ttl).is_ok() {
        update.ttl
    } else {
        0
    }
}

/// Raises the serial by one (RFC 1982 §3.1), unless the update has already moved it.
fn raise_serial(before: &Records, after: &mut Records, origin: &LowerName) {
    let old = soa(before, origin).map(|(_, soa)| soa.serial);
    let Some((record, soa)) = soa(after, origin) else {
        return;
    };
    if old != Some(soa.serial) {
        return;
    }
    let mut raised = soa.clone();
    // 0 is skipped: some secondaries take it for "never transferred".
    raised.serial = soa.serial.wrapping_add(1).max(1);
    let mut record = record.clone();
    record.data = RData::SOA(raised);
    put(
        after,
        key(&record.name, RecordType::SOA),
        record.ttl,
        vec![record.clone()],
    );
}

/// Equality to the octet, letter case included, whatever the order inside an RRset.
fn is_same(before: &Records, after: &Records) -> bool {
    before.len() == after.len()
        && before
            .iter()
            .all(|(key, set)| after.get(key).is_some_and(|other| is_same_set(set, other)))
}

fn is_same_set(a: &Arc<RecordSet>, b: &Arc<RecordSet>) -> bool {
    Arc::ptr_eq(a, b) || sorted_octets(a) == sorted_octets(b)
}

fn sorted_octets(set: &RecordSet) -> Vec<Option<Vec<u8>>> {
    let mut all: Vec<_> = set
        .records_without_rrsigs()
        .map(|record| octets(record).ok())
        .collect();
    all.sort();
    all
}

#[cfg(test)]
mod tests;
