//! Response codes, with the names administrators know.

use std::fmt;

/// A DNS RCODE, extended bits and TSIG errors included (RFC 6895 §2.3).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Rcode(pub u16);

impl Rcode {
    /// No error.
    pub const NOERROR: Self = Self(0);
    /// The server could not parse the message.
    pub const FORMERR: Self = Self(1);
    /// The server failed.
    pub const SERVFAIL: Self = Self(2);
    /// The name does not exist; in an update: a prerequisite name is not in use.
    pub const NXDOMAIN: Self = Self(3);
    /// The server does not do this.
    pub const NOTIMP: Self = Self(4);
    /// The server refuses by policy.
    pub const REFUSED: Self = Self(5);
    /// A name exists that should not (RFC 2136 §2.2).
    pub const YXDOMAIN: Self = Self(6);
    /// An RRset exists that should not (RFC 2136 §2.2).
    pub const YXRRSET: Self = Self(7);
    /// An RRset that should exist does not, or differs (RFC 2136 §2.2).
    pub const NXRRSET: Self = Self(8);
    /// The server is not authoritative, or the request's TSIG is bad (RFC 8945 §5.3.2).
    pub const NOTAUTH: Self = Self(9);
    /// A name lies outside the zone (RFC 2136 §2.2).
    pub const NOTZONE: Self = Self(10);
    /// TSIG: the MAC does not verify.
    pub const BADSIG: Self = Self(16);
    /// TSIG: the key is not known.
    pub const BADKEY: Self = Self(17);
    /// TSIG: the clocks are too far apart.
    pub const BADTIME: Self = Self(18);
    /// TKEY: the server negotiates in another way only (RFC 2930 §2.6).
    pub const BADMODE: Self = Self(19);
    /// TKEY: the key's name is taken.
    pub const BADNAME: Self = Self(20);
    /// TKEY: the algorithm is not known.
    pub const BADALG: Self = Self(21);
    /// TSIG: the MAC is cut shorter than allowed.
    pub const BADTRUNC: Self = Self(22);

    /// True when an update's prerequisite did not hold: somebody else changed the RRset.
    pub fn is_conflict(self) -> bool {
        matches!(
            self,
            Self::NXDOMAIN | Self::YXDOMAIN | Self::YXRRSET | Self::NXRRSET
        )
    }
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match *self {
            Self::NOERROR => "NOERROR",
            Self::FORMERR => "FORMERR",
            Self::SERVFAIL => "SERVFAIL",
            Self::NXDOMAIN => "NXDOMAIN",
            Self::NOTIMP => "NOTIMP",
            Self::REFUSED => "REFUSED",
            Self::YXDOMAIN => "YXDOMAIN",
            Self::YXRRSET => "YXRRSET",
            Self::NXRRSET => "NXRRSET",
            Self::NOTAUTH => "NOTAUTH",
            Self::NOTZONE => "NOTZONE",
            Self::BADSIG => "BADSIG",
            Self::BADKEY => "BADKEY",
            Self::BADTIME => "BADTIME",
            Self::BADMODE => "BADMODE",
            Self::BADNAME => "BADNAME",
            Self::BADALG => "BADALG",
            Self::BADTRUNC => "BADTRUNC",
            Self(other) => return write!(f, "RCODE{other}"),
        };
        f.write_str(name)
    }
}
