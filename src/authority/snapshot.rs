//! A zone as text and back, exact to the octet. No I/O.
//!
//! A snapshot is a master file (RFC 1035 §5) of the plainest kind: one record a line, every name
//! absolute, data in the generic form of RFC 3597 §5, which holds any type and any letter case.
//! The comment after it is the record as people write it:
//!
//! ```text
//! _vlmcs._tcp.corp.example. 3600 IN TYPE33 \# 26 0000…00 ; SRV 0 0 1688 kms1.corp.example.
//! ```

use std::fmt::Write as _;

use data_encoding::HEXLOWER;
use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::binary::BinDecodable;

use super::records::{Records, all, collect, octets};
use crate::model::Name;

const HEAD: &str = "\
; Written by srvkeeper at every change of this zone, and read when it starts.
; Change the zone by DNS update; to begin again from the zone file, stop srvkeeper and remove this.
";
/// Octets of type, class, TTL and data length between a record's owner and its data.
const FIXED: usize = 10;

/// Why a text is no snapshot.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("line {line} is no record as srvkeeper writes it")]
pub struct SnapshotError {
    /// The line, from 1.
    pub line: usize,
}

/// A record that cannot be written down.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("the record \"{record}\" cannot be stored")]
pub struct Unwritable {
    record: String,
}

/// Writes a zone, the same text for the same records.
pub(super) fn write(records: &Records) -> Result<String, Unwritable> {
    let mut text = HEAD.to_owned();
    for set in records.values() {
        let mut lines = set
            .records_without_rrsigs()
            .map(write_record)
            .collect::<Result<Vec<_>, _>>()?;
        lines.sort();
        text.extend(lines);
    }
    Ok(text)
}

fn write_record(record: &Record) -> Result<String, Unwritable> {
    let unwritable = || Unwritable {
        record: plain(record),
    };
    let octets = octets(record).map_err(|_| unwritable())?;
    let (owner, rest) = split_name(&octets).ok_or_else(unwritable)?;
    let data = rest.get(FIXED..).ok_or_else(unwritable)?;
    let mut line = format!(
        "{owner} {} IN TYPE{} \\# {}",
        record.ttl,
        u16::from(record.record_type()),
        data.len()
    );
    if !data.is_empty() {
        let _ = write!(line, " {}", HEXLOWER.encode(data));
    }
    let _ = writeln!(line, " ; {} {}", record.record_type(), plain_data(record));
    Ok(line)
}

/// The record on one line as people write it, for messages.
pub(super) fn plain(record: &Record) -> String {
    format!(
        "{} {} {} {}",
        record.name.to_ascii(),
        record.ttl,
        record.record_type(),
        plain_data(record)
    )
}

fn plain_data(record: &Record) -> String {
    record
        .data
        .to_string()
        .replace(|character: char| character.is_control(), " ")
}

/// Reads what [`write()`] has written.
pub(super) fn read(text: &str) -> Result<Records, SnapshotError> {
    let mut records = Vec::new();
    for (index, line) in text.lines().enumerate() {
        if line.is_empty() || line.starts_with(';') {
            continue;
        }
        records.push(read_record(line).ok_or(SnapshotError { line: index + 1 })?);
    }
    Ok(collect(records))
}

fn read_record(line: &str) -> Option<Record> {
    let mut fields = line.split(' ');
    let owner = Name::parse(fields.next()?).ok()?;
    let ttl: u32 = fields.next()?.parse().ok()?;
    let class = fields.next()?;
    let record_type: u16 = fields.next()?.strip_prefix("TYPE")?.parse().ok()?;
    let generic = fields.next()?;
    let length: u16 = fields.next()?.parse().ok()?;
    let data = match length {
        0 => Vec::new(),
        _ => HEXLOWER.decode(fields.next()?.as_bytes()).ok()?,
    };
    if class != "IN" || generic != "\\#" || data.len() != usize::from(length) {
        return None;
    }
    let mut octets = owner.wire().to_vec();
    octets.extend_from_slice(&record_type.to_be_bytes());
    octets.extend_from_slice(&1_u16.to_be_bytes());
    octets.extend_from_slice(&ttl.to_be_bytes());
    octets.extend_from_slice(&length.to_be_bytes());
    octets.extend_from_slice(&data);
    Record::from_bytes(&octets).ok()
}

/// The name that the octets begin with, and what follows it.
fn split_name(octets: &[u8]) -> Option<(Name, &[u8])> {
    let mut end = 0;
    loop {
        let length = usize::from(*octets.get(end)?);
        end += 1 + length;
        if length == 0 {
            let (name, rest) = octets.split_at_checked(end)?;
            return Some((Name::from_wire(name).ok()?, rest));
        }
    }
}

/// All records as lines for people, each with what it is compared by: letter case does not count, nor
/// does the serial, which moves with every change.
pub(super) fn comparable(records: &Records) -> impl Iterator<Item = (String, String)> {
    all(records).map(|record| {
        let mut compared = record.clone();
        if let RData::SOA(soa) = &mut compared.data {
            soa.serial = 0;
        }
        (plain(&compared).to_ascii_lowercase(), plain(record))
    })
}

#[cfg(test)]
mod tests;
