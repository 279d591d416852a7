//! A bounded walk over a raw DNS message to its TSIG RR (RFC 8945 §4.2, §5.1).
//!
//! No count and no length is trusted: every step consumes octets that are there, so the walk ends
//! where the message ends.

use super::record::{CLASS_ANY, Record, TYPE_TSIG};
use crate::model::Rcode;
use crate::wire::reader::{Malformed, Reader, malformed};

/// Octets of a message's header (RFC 1035 §4.1.1).
pub(super) const HEADER: usize = 12;
/// The header's fields that TSIG has to do with.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) id: [u8; 2],
    pub(super) rcode: Rcode,
}

/// A message taken apart for its digest.
#[derive(Debug)]
pub(super) struct Walked<'m> {
    pub(super) header: Header,
    /// Octets 2 to 9: flags and the first three counts.
    pub(super) flags_and_counts: &'m [u8],
    /// ARCOUNT without the TSIG RR.
    pub(super) additionals: u16,
    /// Everything from the question to the last RR before the TSIG RR.
    pub(super) body: &'m [u8],
    /// The TSIG RR; none when the message is unsigned.
    pub(super) record: Option<Record<'m>>,
}

/// Walks `message` to its end; a TSIG RR counts only as the last one of the additional section.
pub(super) fn walk(message: &[u8]) -> Result<Walked<'_>, Malformed> {
    let mut reader = Reader::new(message);
    let id = reader.array()?;
    let flags_and_counts = reader.slice(8)?;
    let additionals = reader.u16()?;
    let mut counts = Reader::new(flags_and_counts);
    let flags = counts.u16()?;
    let questions = counts.u16()?;
    let answers = counts.u16()?;
    let authorities = counts.u16()?;
    let header = Header {
        id,
        rcode: Rcode(flags & 0x000f),
    };

    for _ in 0..questions {
        reader.skip_name()?;
        reader.slice(4)?;
    }
    let others = u32::from(answers) + u32::from(authorities);
    let total = others + u32::from(additionals);
    let mut body_end = reader.offset;
    let mut record = None;
    for index in 0..total {
        let start = reader.offset;
        if is_tsig(&mut reader)? {
            if index + 1 != total || index < others {
                return Err(malformed(
                    start,
                    "a TSIG record that is not the last additional one",
                ));
            }
            reader.offset = start;
            record = Some(read_record(&mut reader)?);
        } else {
            body_end = reader.offset;
        }
    }
    if reader.offset != message.len() {
        return Err(reader.error("octets after the last record"));
    }
    Ok(Walked {
        header,
        flags_and_counts,
        additionals: additionals.saturating_sub(u16::from(record.is_some())),
        body: message.get(HEADER..body_end).unwrap_or_default(),
        record,
    })
}

/// Steps over one RR and says whether it is a TSIG RR.
fn is_tsig(reader: &mut Reader<'_>) -> Result<bool, Malformed> {
    reader.skip_name()?;
    let record_type = reader.u16()?;
    reader.slice(6)?;
    let length = reader.u16()?;
    reader.slice(usize::from(length))?;
    Ok(record_type == TYPE_TSIG)
}

/// Reads the RR that [`is_tsig`] has found whole.
fn read_record<'m>(reader: &mut Reader<'m>) -> Result<Record<'m>, Malformed> {
    let start = reader.offset;
    let key = reader.name()?;
    reader.slice(2)?;
    let class = reader.u16()?;
    let ttl: [u8; 4] = reader.array()?;
    if class != CLASS_ANY || ttl != [0; 4] {
        return Err(malformed(
            start,
            "a TSIG record whose class is not ANY or whose TTL is not 0",
        ));
    }
    let length = usize::from(reader.u16()?);
    let end = reader.offset.saturating_add(length);
    let algorithm = reader.name()?;
    let [a, b, c, d, e, f] = reader.array()?;
    let time_signed = u64::from_be_bytes([0, 0, a, b, c, d, e, f]);
    let fudge = reader.u16()?;
    let mac_length = reader.u16()?;
    let mac = reader.slice(usize::from(mac_length))?;
    let original_id = reader.array()?;
    let error = Rcode(reader.u16()?);
    let other_length = reader.u16()?;
    let other = reader.slice(usize::from(other_length))?;
    if reader.offset != end {
        return Err(malformed(
            start,
            "a TSIG record whose length does not fit its fields",
        ));
    }
    Ok(Record {
        key,
        algorithm,
        time_signed,
        fudge,
        mac,
        original_id,
        error,
        other,
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// A header with the given counts and nothing else.
    fn header(counts: [u16; 4]) -> Vec<u8> {
        let mut message = vec![0xbe, 0xef, 0x28, 0x00];
        for count in counts {
            message.extend_from_slice(&count.to_be_bytes());
        }
        message
    }

    /// A TSIG RR with `rdata_tail` after the algorithm name, owned by the octets `owner`.
    fn tsig(owner: &[u8], class: u16) -> Vec<u8> {
        let mut rdata = b"\x03alg\x00".to_vec();
        rdata.extend_from_slice(&[
            0, 0, 0, 0, 0, 9, 1, 44, 0, 2, 0xaa, 0xbb, 0xbe, 0xef, 0, 0, 0, 0,
        ]);
        let mut record = owner.to_vec();
        record.extend_from_slice(&TYPE_TSIG.to_be_bytes());
        record.extend_from_slice(&class.to_be_bytes());
        record.extend_from_slice(&[0; 4]);
        record.extend_from_slice(&u16::try_from(rdata.len()).unwrap().to_be_bytes());
        record.extend_from_slice(&rdata);
        record
    }

    fn what(message: &[u8]) -> &'static str {
        walk(message).unwrap_err().what
    }

    #[test]
    fn finds_the_record_and_what_stands_before_it() {
        let question = b"\x01k\x07example\x00\x00\x06\x00\x01";
        // The owner is a pointer to the question's name, at octet 12.
        let message = [
            &header([1, 0, 0, 1])[..],
            &question[..],
            &tsig(&[0xc0, 12], CLASS_ANY),
        ]
        .concat();
        let walked = walk(&message).unwrap();
        assert_eq!(walked.body, question);
        let record = walked.record.unwrap();
        assert_eq!(record.key.to_string(), "k.example.");
        assert_eq!(record.algorithm.to_string(), "alg.");
        assert_eq!(record.time_signed, 9);
        assert_eq!(record.mac, [0xaa, 0xbb]);
    }

    #[test]
    fn an_unsigned_message_has_no_record() {
        assert!(walk(&header([0; 4])).unwrap().record.is_none());
    }

    #[test]
    fn refuses_what_is_out_of_place() {
        let signed = |counts, records: &[Vec<u8>]| [header(counts), records.concat()].concat();
        let record = tsig(&[0], CLASS_ANY);
        for (message, expected) in [
            (
                signed([0, 0, 0, 2], &[record.clone(), record.clone()]),
                "a TSIG record that is not the last additional one",
            ),
            (
                signed([0, 1, 0, 0], std::slice::from_ref(&record)),
                "a TSIG record that is not the last additional one",
            ),
            (
                signed([0, 0, 0, 1], &[tsig(&[0], 1)]),
                "a TSIG record whose class is not ANY or whose TTL is not 0",
            ),
            (
                signed([0, 0, 0, 1], &[record.clone(), vec![0]]),
                "octets after the last record",
            ),
            (
                signed([0, 0, 0, 1], &[tsig(&[0xc0, 12], CLASS_ANY)]),
                "a name that points forward",
            ),
            (header([u16::MAX; 4]), "the message ends inside a field"),
            (
                signed([1, 0, 0, 0], &[vec![0x80, 0, 0, 0, 0]]),
                "a label of unknown kind",
            ),
        ] {
            assert_eq!(what(&message), expected, "{message:?}");
        }
    }

    proptest! {
        #[test]
        fn random_octets_never_panic(message in prop::collection::vec(any::<u8>(), 0..600)) {
            let _ = walk(&message);
        }

        /// Small counts, so that the walk gets further than the header.
        #[test]
        fn random_bodies_never_panic(
            counts in prop::array::uniform4(0_u16..4),
            body in prop::collection::vec(prop_oneof![Just(0_u8), Just(0xc0), Just(250), Just(12), any::<u8>()], 0..200),
        ) {
            let _ = walk(&[header(counts), body].concat());
        }
    }
}
