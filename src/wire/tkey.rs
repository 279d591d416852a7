//! TKEY in GSS-API mode (RFC 2930 §2, §4; RFC 3645 §3.1): tokens of a negotiation, there and back.
//!
//! Message IDs and times are passed in, as everywhere in `wire`. What the tokens say is for the
//! mechanism to judge; here no count and no length of an answer is trusted.

use hickory_proto::op::OpCode;

use super::query::header;
use super::reader::{Malformed, Reader, malformed};
use crate::model::{Name, Rcode};

/// TKEY's RR type (RFC 2930 §2).
const TYPE_TKEY: u16 = 249;
const CLASS_ANY: u16 = 255;
/// The mode of GSS-API negotiations (RFC 2930 §2.5).
const MODE_GSS: u16 = 3;
/// `gss-tsig.` in wire form (RFC 3645 §3.1.1).
const ALGORITHM: &[u8] = b"\x08gss-tsig\x00";

/// A TKEY query: one token for the server, in the key's name.
#[derive(Debug, Clone, Copy)]
pub struct Query<'a> {
    /// The key's name, unique for each negotiation: servers refuse one that they have.
    pub key: &'a Name,
    /// From when the key is to be used, Unix seconds.
    pub inception: u32,
    /// Until when.
    pub expiry: u32,
    /// The mechanism's token.
    pub token: &'a [u8],
}

/// Why there is no TKEY query.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "the Kerberos token has {octets} octets and does not fit a DNS message of 65,535; take the account out of some groups, of which the ticket carries a list"
)]
pub struct TokenTooLong {
    /// The token's length.
    pub octets: usize,
}

/// What the server answered to a TKEY query.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Answer {
    /// The mechanism's token; empty when there is none.
    pub token: Vec<u8>,
    /// From when the server uses the key, Unix seconds modulo 2³².
    pub inception: u32,
    /// Until when.
    pub expiry: u32,
}

/// Why a negotiation does not go on.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TkeyError {
    /// The server does not do this.
    #[error("the server answered {rcode} to the negotiation of a key: {}", advice(*.rcode))]
    Rcode {
        /// The answer's rcode.
        rcode: Rcode,
    },
    /// The TKEY record carries an error (RFC 2930 §2.6).
    #[error("the server did not accept the Kerberos ticket, {error}: {}", tkey_advice(*.error))]
    Rejected {
        /// The TKEY error.
        error: Rcode,
    },
    /// NOERROR without a TKEY record.
    #[error(
        "the server answered the negotiation of a key without a TKEY record; make sure that it takes GSS-TSIG, and that no proxy stands between"
    )]
    Missing,
    /// The record is of another key or another kind.
    #[error("the server answered with a TKEY record of another {0} than ours")]
    Other(&'static str),
    /// The answer is no DNS message, or its TKEY record is none.
    #[error(
        "the answer is no DNS message ({0}); make sure that a DNS server, and nothing in between, answers at this address"
    )]
    Malformed(Malformed),
}

impl From<Malformed> for TkeyError {
    fn from(malformed: Malformed) -> Self {
        Self::Malformed(malformed)
    }
}

fn advice(rcode: Rcode) -> &'static str {
    match rcode {
        Rcode::REFUSED | Rcode::NOTIMP | Rcode::FORMERR => {
            "it does not take GSS-TSIG (BIND: tkey-gssapi-keytab; Samba: secure updates), or not from here"
        }
        Rcode::NOTAUTH => "it refuses the key's name or the signature",
        _ => "see its log",
    }
}

fn tkey_advice(error: Rcode) -> &'static str {
    match error {
        Rcode::BADKEY => {
            "its keytab has no key for its own name DNS/…, or an old one; its clock may be more than five minutes off; or this account may not log on there. See its log"
        }
        Rcode::BADTIME => "the clocks are too far apart; set both, best with NTP",
        Rcode::BADMODE | Rcode::BADALG => "it negotiates no keys by GSS-API",
        Rcode::BADNAME => "it has a key of this name already; run again",
        _ => "see its log",
    }
}

/// Encodes a TKEY query, to be sent over TCP: the record stands in ADDITIONAL, names in lower
/// case and never compressed.
pub fn query(query: &Query<'_>) -> Result<Vec<u8>, TokenTooLong> {
    let too_long = TokenTooLong {
        octets: query.token.len(),
    };
    let name = query.key.to_lowercase_wire();
    let mut rdata = ALGORITHM.to_vec();
    rdata.extend_from_slice(&query.inception.to_be_bytes());
    rdata.extend_from_slice(&query.expiry.to_be_bytes());
    rdata.extend_from_slice(&MODE_GSS.to_be_bytes());
    rdata.extend_from_slice(&Rcode::NOERROR.0.to_be_bytes());
    let length = u16::try_from(query.token.len()).map_err(|_| too_long)?;
    rdata.extend_from_slice(&length.to_be_bytes());
    rdata.extend_from_slice(query.token);
    // No other data.
    rdata.extend_from_slice(&[0; 2]);

    let mut message = Vec::with_capacity(2 * name.len() + rdata.len() + 26);
    header(&mut message, OpCode::Query, [1, 0, 0, 1]);
    message.extend_from_slice(&name);
    message.extend_from_slice(&TYPE_TKEY.to_be_bytes());
    message.extend_from_slice(&CLASS_ANY.to_be_bytes());
    message.extend_from_slice(&name);
    message.extend_from_slice(&TYPE_TKEY.to_be_bytes());
    message.extend_from_slice(&CLASS_ANY.to_be_bytes());
    message.extend_from_slice(&[0; 4]);
    let length = u16::try_from(rdata.len()).map_err(|_| too_long)?;
    message.extend_from_slice(&length.to_be_bytes());
    message.append(&mut rdata);
    match u16::try_from(message.len()) {
        Ok(_) => Ok(message),
        Err(_) => Err(too_long),
    }
}

/// Reads the answer to a TKEY query in the name of `key`.
///
/// Its signature is another matter: the first answers of a negotiation have none.
pub fn answer(message: &[u8], key: &Name) -> Result<Answer, TkeyError> {
    let mut reader = Reader::new(message);
    reader.slice(2)?;
    let flags = reader.u16()?;
    let questions = reader.u16()?;
    let answers = reader.u16()?;
    reader.slice(4)?;
    if flags & 0x8000 == 0 {
        return Err(malformed(2, "a question in place of an answer").into());
    }
    let rcode = Rcode(flags & 0x000f);
    for _ in 0..questions {
        reader.skip_name()?;
        reader.slice(4)?;
    }
    for _ in 0..answers {
        let start = reader.offset;
        reader.skip_name()?;
        let record_type = reader.u16()?;
        reader.slice(6)?;
        let length = usize::from(reader.u16()?);
        if record_type != TYPE_TKEY {
            reader.slice(length)?;
            continue;
        }
        // The error in the record says more than the rcode does.
        reader.offset = start;
        let answer = record(&mut reader, key)?;
        return match rcode {
            Rcode::NOERROR => Ok(answer),
            rcode => Err(TkeyError::Rcode { rcode }),
        };
    }
    Err(match rcode {
        Rcode::NOERROR => TkeyError::Missing,
        rcode => TkeyError::Rcode { rcode },
    })
}

fn record(reader: &mut Reader<'_>, key: &Name) -> Result<Answer, TkeyError> {
    let start = reader.offset;
    let owner = reader.name()?;
    reader.slice(8)?;
    let length = usize::from(reader.u16()?);
    let end = reader.offset.saturating_add(length);
    let algorithm = reader.name()?;
    let inception = u32::from_be_bytes(reader.array()?);
    let expiry = u32::from_be_bytes(reader.array()?);
    let mode = reader.u16()?;
    let error = Rcode(reader.u16()?);
    let token_length = reader.u16()?;
    let token = reader.slice(usize::from(token_length))?;
    let other_length = reader.u16()?;
    reader.slice(usize::from(other_length))?;
    if reader.offset != end {
        return Err(malformed(start, "a TKEY record whose length does not fit its fields").into());
    }
    if owner != *key {
        return Err(TkeyError::Other("key"));
    }
    if error != Rcode::NOERROR {
        return Err(TkeyError::Rejected { error });
    }
    if algorithm.to_lowercase_wire() != ALGORITHM {
        return Err(TkeyError::Other("algorithm"));
    }
    if mode != MODE_GSS {
        return Err(TkeyError::Other("mode"));
    }
    Ok(Answer {
        token: token.to_vec(),
        inception,
        expiry,
    })
}

#[cfg(test)]
mod tests;
