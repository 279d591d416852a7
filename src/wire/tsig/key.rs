//! Keys that sign and verify.

use std::fmt;

use ring::hmac;
use secrecy::ExposeSecret;

use crate::model::{Name, TsigAlgorithm, TsigSecret};

/// Octets of a TSIG RR beside its two names and its MAC: type, class, TTL and length, then time,
/// fudge, the three lengths, original ID and error (RFC 8945 §4.2).
const FIXED: usize = 10 + 16;

/// A MAC over octets: HMAC on ring, or a GSS context.
pub trait Mac: Send + Sync {
    /// The algorithm's name on the wire, such as `hmac-sha256.`
    fn algorithm(&self) -> &Name;
    /// The longest MAC in octets, for reserving space.
    fn length(&self) -> usize;
    /// True for a key that both sides negotiated (RFC 3645), and that the server may forget.
    fn is_negotiated(&self) -> bool {
        false
    }
    /// True when the answer's digest may begin with the request's MAC without its length, as
    /// Samba before 4.20.2 makes it with GSS-TSIG (its bug 13019).
    fn accepts_bare_request_mac(&self) -> bool {
        false
    }
    /// The MAC over the parts, taken as one run of octets.
    fn sign(&self, parts: &[&[u8]]) -> Result<Vec<u8>, MacError>;
    /// Checks a whole MAC over the parts in constant time; a shortened one does not verify.
    fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> Result<(), MacError>;
}

/// Why there is no MAC, or none that counts.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum MacError {
    /// Computed over the same octets it comes out otherwise.
    #[error("the MAC does not verify")]
    Mismatch,
    /// It is shorter than the algorithm's.
    #[error("the MAC is shorter than {full} octets")]
    Short {
        /// Octets of a whole MAC.
        full: usize,
    },
    /// The mechanism itself failed.
    #[error("the MAC could not be made: {0}")]
    Mechanism(String),
    /// What was to be signed takes no TSIG RR.
    #[error("the message cannot be signed: {0}")]
    Unsignable(&'static str),
}

/// A named key, ready to sign.
pub struct Key {
    name: Name,
    mac: Box<dyn Mac>,
}

impl Key {
    /// The HMAC key of a shared secret (RFC 8945 §6).
    pub fn from_secret(secret: &TsigSecret) -> Self {
        Self::new(secret.name.clone(), Box::new(Hmac::new(secret)))
    }

    /// A key of any mechanism, named as both sides agreed.
    pub fn new(name: Name, mac: Box<dyn Mac>) -> Self {
        Self { name, mac }
    }

    /// The key's name, the owner of its TSIG RRs.
    pub fn name(&self) -> &Name {
        &self.name
    }

    /// The algorithm's name on the wire.
    pub fn algorithm(&self) -> &Name {
        self.mac.algorithm()
    }

    /// The most octets that signing adds to a message.
    pub fn overhead(&self) -> usize {
        overhead(&self.name, self.algorithm(), self.mac.length())
    }

    /// True for a key that both sides negotiated.
    pub fn is_negotiated(&self) -> bool {
        self.mac.is_negotiated()
    }

    pub(super) fn mac(&self) -> &dyn Mac {
        &*self.mac
    }
}

/// The most octets that signing adds to a message, for a key that is not there yet.
pub fn overhead(key: &Name, algorithm: &Name, mac_length: usize) -> usize {
    key.wire().len() + algorithm.wire().len() + FIXED + mac_length
}

impl fmt::Debug for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Key")
            .field("name", &self.name)
            .field("algorithm", self.algorithm())
            .finish_non_exhaustive()
    }
}

struct Hmac {
    algorithm: Name,
    key: hmac::Key,
}

impl Hmac {
    fn new(secret: &TsigSecret) -> Self {
        let algorithm = match secret.algorithm {
            TsigAlgorithm::HmacSha1 => hmac::HMAC_SHA1_FOR_LEGACY_USE_ONLY,
            TsigAlgorithm::HmacSha256 => hmac::HMAC_SHA256,
            TsigAlgorithm::HmacSha384 => hmac::HMAC_SHA384,
            TsigAlgorithm::HmacSha512 => hmac::HMAC_SHA512,
        };
        Self {
            algorithm: wire_name(secret.algorithm),
            key: hmac::Key::new(algorithm, secret.secret.expose_secret()),
        }
    }
}

impl Mac for Hmac {
    fn algorithm(&self) -> &Name {
        &self.algorithm
    }

    fn length(&self) -> usize {
        self.key.algorithm().digest_algorithm().output_len()
    }

    fn sign(&self, parts: &[&[u8]]) -> Result<Vec<u8>, MacError> {
        let mut context = hmac::Context::with_key(&self.key);
        for part in parts {
            context.update(part);
        }
        Ok(context.sign().as_ref().to_vec())
    }

    fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> Result<(), MacError> {
        let full = self.length();
        if mac.len() < full {
            return Err(MacError::Short { full });
        }
        hmac::verify(&self.key, &parts.concat(), mac).map_err(|_| MacError::Mismatch)
    }
}

#[allow(
    clippy::expect_used,
    reason = "four constants, each of them read by a test"
)]
fn wire_name(algorithm: TsigAlgorithm) -> Name {
    Name::parse(algorithm.as_str()).expect("algorithm names are names")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(algorithm: TsigAlgorithm) -> Key {
        Key::from_secret(&TsigSecret {
            name: Name::parse("k.").unwrap(),
            algorithm,
            secret: b"hush, a secret".to_vec().into(),
        })
    }

    #[test]
    fn every_algorithm_has_a_name_and_a_length() {
        for (algorithm, length) in TsigAlgorithm::ALL.into_iter().zip([20, 32, 48, 64]) {
            let key = key(algorithm);
            assert_eq!(key.algorithm().to_string(), format!("{algorithm}."));
            assert_eq!(key.mac().length(), length);
            assert_eq!(key.mac().sign(&[b"x"]).unwrap().len(), length);
        }
    }

    #[test]
    fn parts_are_one_run_of_octets() {
        let key = key(TsigAlgorithm::HmacSha256);
        let mac = key.mac().sign(&[b"ab", b"", b"c"]).unwrap();
        assert_eq!(key.mac().verify(&[b"a", b"bc"], &mac), Ok(()));
        assert_eq!(key.mac().verify(&[b"abd"], &mac), Err(MacError::Mismatch));
        assert_eq!(
            key.mac().verify(&[b"abc"], &mac[..16]),
            Err(MacError::Short { full: 32 })
        );
    }

    #[test]
    fn the_secret_does_not_print() {
        let printed = format!("{:?}", key(TsigAlgorithm::HmacSha256));
        assert_eq!(
            printed,
            "Key { name: Name(k.), algorithm: Name(hmac-sha256.), .. }"
        );
    }
}
