//! TSIG secrets: names and algorithms are open, the octets never print.

use std::fmt;
use std::path::PathBuf;

use secrecy::SecretSlice;

use super::Name;

/// The MAC algorithms this program signs with (RFC 8945 §6).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum TsigAlgorithm {
    /// Accepted with a warning.
    HmacSha1,
    /// The usual one.
    HmacSha256,
    /// Longer.
    HmacSha384,
    /// Longest.
    HmacSha512,
}

impl TsigAlgorithm {
    /// Every algorithm, weakest first.
    pub const ALL: [Self; 4] = [
        Self::HmacSha1,
        Self::HmacSha256,
        Self::HmacSha384,
        Self::HmacSha512,
    ];

    /// The name in key files, which with a dot is the name on the wire.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::HmacSha1 => "hmac-sha1",
            Self::HmacSha256 => "hmac-sha256",
            Self::HmacSha384 => "hmac-sha384",
            Self::HmacSha512 => "hmac-sha512",
        }
    }
}

impl fmt::Display for TsigAlgorithm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.as_str())
    }
}

/// A shared secret with its name and algorithm, as a key file gives it.
#[derive(Debug, Clone)]
pub struct TsigSecret {
    /// The key's name, the owner of the TSIG RR.
    pub name: Name,
    /// The algorithm it is used with.
    pub algorithm: TsigAlgorithm,
    /// The octets, base64 already taken off.
    pub secret: SecretSlice<u8>,
}

/// A Kerberos identity.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct GssKey {
    /// The principal, `NAME@REALM`.
    pub principal: String,
    /// Where its ticket comes from.
    pub credentials: GssCredentials,
}

/// Where a Kerberos ticket comes from.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum GssCredentials {
    /// This keytab.
    Keytab(PathBuf),
    /// This credentials cache: a path, or `TYPE:residual`.
    Ccache(String),
    /// The default credentials cache.
    Default,
}
