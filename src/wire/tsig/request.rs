//! The server's side: requests verified, their answers signed (RFC 8945 §5.2, §5.3).

use super::key::{Key, MacError};
use super::record::{FUDGE, Record, u48, with_digest};
use super::walk::walk;
use super::{Malformed, Stamp, sign_with};
use crate::model::{Name, Rcode};

/// The least octets of a shortened MAC (§5.2.2.1).
const SHORTEST_MAC: usize = 10;

/// A request whose signature holds.
#[derive(Debug)]
pub struct VerifiedRequest<'k> {
    /// The key it was signed with.
    pub key: &'k Key,
    mac: Vec<u8>,
}

impl VerifiedRequest<'_> {
    /// Appends the TSIG RR to the answer, the request's MAC in its digest (§5.3).
    pub fn sign_answer(&self, answer: &mut Vec<u8>, now: u64) -> Result<(), MacError> {
        sign_with(answer, self.key, &self.mac, &Stamp::at(now)).map(drop)
    }

    /// The most octets that signing adds to the answer.
    pub fn overhead(&self) -> usize {
        self.key.overhead()
    }
}

/// Why a request does not count as signed.
#[derive(Debug, thiserror::Error)]
pub enum RequestError<'k> {
    /// There is no TSIG RR.
    #[error("the request is unsigned")]
    Unsigned,
    /// No message, or a MAC of a length that no algorithm gives: answer FORMERR.
    #[error(transparent)]
    Malformed(#[from] Malformed),
    /// The signature is bad: answer NOTAUTH with this TSIG error.
    #[error("the request's signature is not accepted: {}", .0.error)]
    Rejected(RejectedRequest<'k>),
}

/// A request with a bad signature, and what its answer needs.
#[derive(Debug)]
pub struct RejectedRequest<'k> {
    /// BADKEY, BADSIG, BADTRUNC or BADTIME.
    pub error: Rcode,
    key_name: Name,
    algorithm: Name,
    original_id: [u8; 2],
    /// Only a request whose MAC verified gets a signed answer (§5.3.2).
    signed: Option<Signed<'k>>,
}

#[derive(Debug)]
struct Signed<'k> {
    key: &'k Key,
    mac: Vec<u8>,
    time_signed: u64,
}

impl RejectedRequest<'_> {
    /// Appends the TSIG RR that carries the error: signed and with our clock for BADTIME, without
    /// a MAC otherwise (§5.3.2).
    pub fn sign_answer(&self, answer: &mut Vec<u8>, now: u64) -> Result<(), MacError> {
        let Some(signed) = &self.signed else {
            return Record {
                key: self.key_name.clone(),
                algorithm: self.algorithm.clone(),
                time_signed: now,
                fudge: FUDGE,
                mac: &[],
                original_id: self.original_id,
                error: self.error,
                other: &[],
            }
            .append_to(answer);
        };
        let stamp = Stamp {
            time_signed: signed.time_signed,
            error: self.error,
            other: &u48(now),
        };
        sign_with(answer, signed.key, &signed.mac, &stamp).map(drop)
    }
}

/// Checks a request's signature: key, MAC, time, in this order (§5.2). `now`: Unix seconds.
pub fn verify_request<'k>(
    message: &[u8],
    key_lookup: impl FnOnce(&Name) -> Option<&'k Key>,
    now: u64,
) -> Result<VerifiedRequest<'k>, RequestError<'k>> {
    let walked = walk(message)?;
    let Some(record) = &walked.record else {
        return Err(RequestError::Unsigned);
    };
    let reject = |error, signed| {
        Err(RequestError::Rejected(RejectedRequest {
            error,
            key_name: record.key.clone(),
            algorithm: record.algorithm.clone(),
            original_id: walked.header.id,
            signed,
        }))
    };
    let Some(key) = key_lookup(&record.key).filter(|key| *key.algorithm() == record.algorithm)
    else {
        return reject(Rcode::BADKEY, None);
    };
    let full = key.mac().length();
    if record.mac.len() > full || record.mac.len() < SHORTEST_MAC.max(full / 2) {
        return Err(RequestError::Malformed(Malformed {
            offset: message.len(),
            what: "a MAC of a length that the algorithm does not give",
        }));
    }
    if record.mac.len() < full {
        // Shortened MACs are not accepted here at all, so none is compared, and nothing is signed
        // for whoever sent it.
        return reject(Rcode::BADTRUNC, None);
    }
    let verified = with_digest(&[], &walked, record, |parts| {
        key.mac().verify(parts, record.mac)
    });
    if verified.is_err() {
        return reject(Rcode::BADSIG, None);
    }
    if now.abs_diff(record.time_signed) > u64::from(record.fudge) {
        let signed = Signed {
            key,
            mac: record.mac.to_vec(),
            time_signed: record.time_signed,
        };
        return reject(Rcode::BADTIME, Some(signed));
    }
    Ok(VerifiedRequest {
        key,
        mac: record.mac.to_vec(),
    })
}
