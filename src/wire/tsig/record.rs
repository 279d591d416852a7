//! The TSIG RR and the digest that its MAC covers (RFC 8945 §4.2, §4.3).

use super::key::MacError;
use super::walk::Walked;
use crate::model::{Name, Rcode};

/// TSIG's RR type (RFC 8945 §4.2).
pub(super) const TYPE_TSIG: u16 = 250;
/// TSIG's class.
pub(super) const CLASS_ANY: u16 = 255;
/// Seconds by which the clocks may differ (RFC 8945 §10).
pub(super) const FUDGE: u16 = 300;
/// Octets of the RR's fields of fixed length.
const FIXED: usize = 26;
/// Where the header holds ARCOUNT (RFC 1035 §4.1.1).
const ARCOUNT: std::ops::Range<usize> = 10..12;

/// A TSIG RR (RFC 8945 §4.2).
#[derive(Debug, Clone)]
pub(super) struct Record<'m> {
    /// The owner: the key's name.
    pub(super) key: Name,
    pub(super) algorithm: Name,
    /// Unix seconds, 48 bits.
    pub(super) time_signed: u64,
    pub(super) fudge: u16,
    pub(super) mac: &'m [u8],
    pub(super) original_id: [u8; 2],
    pub(super) error: Rcode,
    pub(super) other: &'m [u8],
}

impl Record<'_> {
    /// The TSIG variables of the digest, names in canonical form (§4.3.3).
    pub(super) fn variables(&self) -> Vec<u8> {
        let mut variables = Vec::with_capacity(self.room());
        put_canonical(&mut variables, &self.key);
        variables.extend_from_slice(&CLASS_ANY.to_be_bytes());
        variables.extend_from_slice(&[0; 4]);
        put_canonical(&mut variables, &self.algorithm);
        variables.extend_from_slice(&u48(self.time_signed));
        variables.extend_from_slice(&self.fudge.to_be_bytes());
        variables.extend_from_slice(&self.error.0.to_be_bytes());
        variables.extend_from_slice(&length(self.other).to_be_bytes());
        variables.extend_from_slice(self.other);
        variables
    }

    /// Appends this RR to a message, its names in lower case and never compressed: some servers
    /// cut the record at its uncompressed length.
    pub(super) fn append_to(&self, message: &mut Vec<u8>) -> Result<(), MacError> {
        let count = message
            .get(ARCOUNT)
            .and_then(|count| count.first_chunk())
            .copied()
            .map(u16::from_be_bytes)
            .ok_or(MacError::Unsignable("it is shorter than a header"))?
            .checked_add(1)
            .ok_or(MacError::Unsignable("its additional section is full"))?;
        let record = self.octets();
        if message.len() + record.len() > usize::from(u16::MAX) {
            return Err(MacError::Unsignable(
                "with its signature it is longer than the 65,535 octets of a DNS message",
            ));
        }
        if let Some(field) = message.get_mut(ARCOUNT) {
            field.copy_from_slice(&count.to_be_bytes());
        }
        message.extend_from_slice(&record);
        Ok(())
    }

    /// Octets of the whole RR; what of it the digest covers is no longer.
    fn room(&self) -> usize {
        let names = self.key.wire().len() + self.algorithm.wire().len();
        names + FIXED + self.mac.len() + self.other.len()
    }

    fn octets(&self) -> Vec<u8> {
        let mut rdata = Vec::with_capacity(self.room());
        put_canonical(&mut rdata, &self.algorithm);
        rdata.extend_from_slice(&u48(self.time_signed));
        rdata.extend_from_slice(&self.fudge.to_be_bytes());
        rdata.extend_from_slice(&length(self.mac).to_be_bytes());
        rdata.extend_from_slice(self.mac);
        rdata.extend_from_slice(&self.original_id);
        rdata.extend_from_slice(&self.error.0.to_be_bytes());
        rdata.extend_from_slice(&length(self.other).to_be_bytes());
        rdata.extend_from_slice(self.other);

        let mut record = Vec::with_capacity(self.room());
        put_canonical(&mut record, &self.key);
        record.extend_from_slice(&TYPE_TSIG.to_be_bytes());
        record.extend_from_slice(&CLASS_ANY.to_be_bytes());
        record.extend_from_slice(&[0; 4]);
        record.extend_from_slice(&length(&rdata).to_be_bytes());
        record.append(&mut rdata);
        record
    }
}

/// Appends a name in canonical form (RFC 4034 §6.2).
fn put_canonical(octets: &mut Vec<u8>, name: &Name) {
    octets.extend(name.wire().iter().map(u8::to_ascii_lowercase));
}

/// The request's MAC as it opens an answer's digest (§4.3.1); nothing when there was none, as in
/// the answer that ends a TKEY negotiation (RFC 3645 §3.1.3.1).
pub(super) fn prefix(request_mac: &[u8]) -> Vec<u8> {
    if request_mac.is_empty() {
        return Vec::new();
    }
    let mut prefix = Vec::with_capacity(2 + request_mac.len());
    prefix.extend_from_slice(&length(request_mac).to_be_bytes());
    prefix.extend_from_slice(request_mac);
    prefix
}

/// Hands the digest of a received message to `check`: the message as it was before its TSIG RR
/// went on (§4.3.2), so with the original ID and one additional RR less.
///
/// `prefix` is [`prefix`] of the request's MAC.
pub(super) fn with_digest<T>(
    prefix: &[u8],
    walked: &Walked<'_>,
    record: &Record<'_>,
    check: impl FnOnce(&[&[u8]]) -> T,
) -> T {
    check(&[
        prefix,
        &record.original_id,
        walked.flags_and_counts,
        &walked.additionals.to_be_bytes(),
        walked.body,
        &record.variables(),
    ])
}

/// A time in the 48 bits that TSIG gives it.
pub(super) fn u48(seconds: u64) -> [u8; 6] {
    let [_, _, low @ ..] = seconds.to_be_bytes();
    low
}

/// The length of a field, which no caller makes longer than a message.
fn length(field: &[u8]) -> u16 {
    u16::try_from(field.len()).unwrap_or(u16::MAX)
}
