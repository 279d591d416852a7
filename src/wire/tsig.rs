//! TSIG (RFC 8945), both sides: one digest, a MAC behind a small trait.
//!
//! A message is signed as octets: the TSIG RR is appended, nothing is encoded again. Times are
//! Unix seconds and passed in; the message's ID must already stand in it.

mod key;
mod record;
mod request;
mod walk;

use std::fmt;

use jiff::{SignedDuration, Timestamp};

use crate::model::{Name, Rcode};
pub use crate::wire::reader::Malformed;
pub use key::{Key, Mac, MacError, overhead};
use record::{FUDGE, Record, prefix, with_digest};
pub use request::{RejectedRequest, RequestError, VerifiedRequest, verify_request};
use walk::walk;

/// Appends the TSIG RR (§4.2, §4.3) and returns the request MAC. `now`: Unix seconds.
///
/// Fails when the message is shorter than a header, when no room is left in its 65,535 octets, or
/// when the key's mechanism fails; the message is then unchanged.
pub fn sign(message: &mut Vec<u8>, key: &Key, now: u64) -> Result<Vec<u8>, MacError> {
    sign_with(message, key, &[], &Stamp::at(now))
}

/// What distinguishes one TSIG RR from the next under the same key.
struct Stamp<'a> {
    time_signed: u64,
    error: Rcode,
    other: &'a [u8],
}

impl Stamp<'_> {
    fn at(now: u64) -> Self {
        Self {
            time_signed: now,
            error: Rcode::NOERROR,
            other: &[],
        }
    }
}

/// Signs a request (no request MAC) or an answer, and returns the MAC.
fn sign_with(
    message: &mut Vec<u8>,
    key: &Key,
    request_mac: &[u8],
    stamp: &Stamp<'_>,
) -> Result<Vec<u8>, MacError> {
    let original_id = *message
        .first_chunk()
        .ok_or(MacError::Unsignable("it is shorter than a header"))?;
    let mut record = Record {
        key: key.name().clone(),
        algorithm: key.algorithm().clone(),
        time_signed: stamp.time_signed,
        fudge: FUDGE,
        mac: &[],
        original_id,
        error: stamp.error,
        other: stamp.other,
    };
    let mac = key
        .mac()
        .sign(&[&prefix(request_mac), message, &record.variables()])?;
    record.mac = &mac;
    record.append_to(message)?;
    Ok(mac)
}

/// Checks an answer against the request's MAC (§5.3): key, original ID, MAC, error field, time.
///
/// An empty `request_mac` leaves it out of the digest: the answer that ends a TKEY negotiation is
/// signed with a key that the request did not have yet. The caller has matched the message ID.
pub fn verify_answer(
    answer: &[u8],
    key: &Key,
    request_mac: &[u8],
    now: u64,
) -> Result<(), TsigError> {
    let walked = walk(answer)?;
    let Some(record) = &walked.record else {
        return Err(TsigError::Missing {
            rcode: walked.header.rcode,
        });
    };
    if record.error != Rcode::NOERROR && record.mac.is_empty() {
        return Err(TsigError::Rejected {
            rejection: Rejection::read(record, key, now),
            authenticated: false,
        });
    }
    if record.key != *key.name() || record.algorithm != *key.algorithm() {
        return Err(TsigError::WrongKey {
            key: record.key.clone(),
            algorithm: record.algorithm.clone(),
        });
    }
    if record.original_id != walked.header.id {
        return Err(TsigError::WrongOriginalId);
    }
    let check = |prefix: &[u8]| {
        with_digest(prefix, &walked, record, |parts| {
            key.mac().verify(parts, record.mac)
        })
    };
    let mut verified = check(&prefix(request_mac));
    if verified == Err(MacError::Mismatch) && key.mac().accepts_bare_request_mac() {
        verified = check(request_mac);
    }
    verified.map_err(|error| TsigError::unverified(error, record, walked.header.rcode))?;

    if record.error != Rcode::NOERROR {
        return Err(TsigError::Rejected {
            rejection: Rejection::read(record, key, now),
            authenticated: true,
        });
    }
    if now.abs_diff(record.time_signed) > u64::from(record.fudge) {
        return Err(TsigError::OutsideFudge {
            clocks: Clocks {
                ours: now,
                theirs: record.time_signed,
            },
            fudge: record.fudge,
        });
    }
    Ok(())
}

/// When a message was signed, in Unix seconds; `None`: it is not signed.
///
/// Says nothing of whether the signature holds: [`verify_answer`] does.
pub fn time_signed(message: &[u8]) -> Option<u64> {
    let record = walk(message).ok()?.record?;
    Some(record.time_signed)
}

/// What to do about an error without a signature.
fn unsigned_repair(rcode: Rcode) -> &'static str {
    match rcode {
        Rcode::NOTIMP => {
            "a server that takes no dynamic updates (NSD) answers so: make the change by hand, or delegate the name to a server that takes updates"
        }
        _ => {
            "check that the server serves the zone and knows the key, and that both clocks agree (some servers answer so when they do not)"
        }
    }
}

/// Why an answer's signature is not accepted.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TsigError {
    /// The answer has no TSIG RR although the request was signed.
    #[error(
        "the server answered {rcode} without a signature, so anyone may have sent it; {}",
        unsigned_repair(*.rcode)
    )]
    Missing {
        /// The answer's rcode, spoofable.
        rcode: Rcode,
    },
    /// The server did not accept the request's signature.
    #[error("{rejection}")]
    Rejected {
        /// What it objected to.
        rejection: Rejection,
        /// False when the answer carried no MAC, so that anyone may have sent it (§5.3.2).
        authenticated: bool,
    },
    /// The answer is signed with another key than the request.
    #[error("the answer is signed with the key {key} ({algorithm}), not with ours")]
    WrongKey {
        /// The key it names.
        key: Name,
        /// The algorithm it names.
        algorithm: Name,
    },
    /// The MAC is not what the key gives over this answer.
    #[error(
        "the server answered {rcode}, but the answer's signature does not verify: it was changed on the way, made with another secret, or the server signs wrongly (Samba before 4.20.2 does with GSS-TSIG)"
    )]
    MacMismatch {
        /// The answer's rcode, spoofable.
        rcode: Rcode,
    },
    /// The MAC is shorter than the algorithm's, which is never accepted (§5.2.2.1).
    #[error(
        "the answer's MAC has {octets} octets where the algorithm gives {full}; turn off MAC truncation for this key on the server"
    )]
    ShortMac {
        /// Octets received.
        octets: usize,
        /// Octets of a whole MAC.
        full: usize,
    },
    /// The key's mechanism failed.
    #[error("the answer's signature could not be checked")]
    Mechanism(#[source] MacError),
    /// The MAC verifies, but the answer was signed too long ago, or in our future.
    #[error(
        "the answer was signed outside the {fudge} s that the clocks may differ: {clocks}; set both clocks, best with NTP"
    )]
    OutsideFudge {
        /// Ours, and the time signed.
        clocks: Clocks,
        /// The answer's fudge, in seconds.
        fudge: u16,
    },
    /// The original ID is not the answer's ID.
    #[error("the answer's signature belongs to a message with another ID")]
    WrongOriginalId,
    /// The answer is no DNS message, or its TSIG RR is none.
    #[error(
        "the answer is no DNS message ({0}); make sure that a DNS server, and nothing in between, answers at this address"
    )]
    Malformed(Malformed),
}

impl From<Malformed> for TsigError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

impl TsigError {
    /// True when the server itself, under a MAC that verifies, did not accept the request.
    ///
    /// BADKEY and BADSIG come without a MAC and anyone can forge them (§5.3.2); and a server that
    /// does not compare the clocks (Samba 4.17) has carried out what it answers with a time that we
    /// do not accept. The update's outcome is then unknown and has to be read back.
    pub fn is_rejection(&self) -> bool {
        matches!(
            self,
            Self::Rejected {
                authenticated: true,
                ..
            }
        )
    }

    /// True when the server may not know the key any more: without a signature that verifies, it
    /// refused the request or denied that it knows the key.
    pub fn may_mean_unknown_key(&self) -> bool {
        match self {
            Self::Missing { rcode } | Self::MacMismatch { rcode } => {
                matches!(*rcode, Rcode::REFUSED | Rcode::NOTAUTH)
            }
            Self::Rejected {
                rejection,
                authenticated,
            } => {
                !authenticated
                    && matches!(
                        rejection,
                        Rejection::BadKey { .. }
                            | Rejection::BadSig { .. }
                            | Rejection::LostContext { .. }
                    )
            }
            _ => false,
        }
    }

    fn unverified(error: MacError, record: &Record<'_>, rcode: Rcode) -> Self {
        match error {
            MacError::Short { full } => Self::ShortMac {
                octets: record.mac.len(),
                full,
            },
            MacError::Mismatch => Self::MacMismatch { rcode },
            error => Self::Mechanism(error),
        }
    }
}

/// What a server objected to in a request's signature (§5.2, the TSIG error field).
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum Rejection {
    /// BADKEY.
    #[error(
        "BADKEY: the server does not know the key {key} with {algorithm}; make name and algorithm the same on both sides"
    )]
    BadKey {
        /// The name we signed with.
        key: Name,
        /// The algorithm we signed with.
        algorithm: Name,
    },
    /// BADKEY or BADSIG for a key that was negotiated (RFC 3645).
    #[error(
        "{error}: the server does not know the security context {key} any more; run again, and where it stays so, see the server's log"
    )]
    LostContext {
        /// What it answered.
        error: Rcode,
        /// The name we signed with.
        key: Name,
    },
    /// BADSIG.
    #[error(
        "BADSIG: the server has another secret for the key {key}; copy the key file from the server again"
    )]
    BadSig {
        /// The name we signed with.
        key: Name,
    },
    /// BADTRUNC.
    #[error(
        "BADTRUNC: the server wants a longer MAC than {algorithm} gives; use a longer algorithm for the key {key}"
    )]
    BadTrunc {
        /// The name we signed with.
        key: Name,
        /// The algorithm we signed with.
        algorithm: Name,
    },
    /// BADTIME, with the server's clock from Other Data.
    #[error("BADTIME: the clocks are too far apart: {0}; set both, best with NTP")]
    BadTime(Clocks),
    /// BADTIME without the server's clock.
    #[error("BADTIME: the clocks are too far apart, and ours says {}; set both, best with NTP", utc(*ours))]
    BadTimeAlone {
        /// Our clock, Unix seconds.
        ours: u64,
    },
    /// Any other code.
    #[error("{0}: the server did not accept the signature")]
    Other(Rcode),
}

impl Rejection {
    fn read(record: &Record<'_>, key: &Key, now: u64) -> Self {
        let name = key.name().clone();
        let algorithm = key.algorithm().clone();
        match record.error {
            Rcode::BADKEY | Rcode::BADSIG if key.is_negotiated() => Self::LostContext {
                error: record.error,
                key: name,
            },
            Rcode::BADKEY => Self::BadKey {
                key: name,
                algorithm,
            },
            Rcode::BADSIG => Self::BadSig { key: name },
            Rcode::BADTRUNC => Self::BadTrunc {
                key: name,
                algorithm,
            },
            Rcode::BADTIME => match *record.other {
                [a, b, c, d, e, f] => Self::BadTime(Clocks {
                    ours: now,
                    theirs: u64::from_be_bytes([0, 0, a, b, c, d, e, f]),
                }),
                _ => Self::BadTimeAlone { ours: now },
            },
            other => Self::Other(other),
        }
    }
}

/// Two clocks that disagree, Unix seconds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Clocks {
    /// This machine's.
    pub ours: u64,
    /// The server's.
    pub theirs: u64,
}

impl fmt::Display for Clocks {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let apart = i64::try_from(self.ours.abs_diff(self.theirs)).unwrap_or(i64::MAX);
        let apart = SignedDuration::from_secs(apart);
        let order = if self.ours < self.theirs {
            "behind"
        } else {
            "ahead"
        };
        write!(
            f,
            "ours says {}, the server's {}, so ours is {apart:#} {order}",
            utc(self.ours),
            utc(self.theirs),
        )
    }
}

/// RFC 3339 in UTC; a number that is no time of our calendar as it is.
fn utc(seconds: u64) -> String {
    i64::try_from(seconds)
        .ok()
        .and_then(|seconds| Timestamp::from_second(seconds).ok())
        .map_or_else(|| format!("{seconds} s"), |time| time.to_string())
}

#[cfg(test)]
mod tests;
