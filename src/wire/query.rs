//! Queries to a primary (RFC 1035 §4): RD clear, ID 0, no EDNS.
//!
//! Queries travel over TCP, where EDNS (RFC 6891) gives nothing; over UDP an answer of more than
//! 512 octets comes back truncated, and the exchange says that TCP is needed.

use hickory_proto::op::OpCode;
use hickory_proto::rr::{DNSClass, RecordType};

use crate::model::Name;

/// Octets of the header (RFC 1035 §4.1.1), and so the offset of the first question or zone name.
pub(super) const HEADER: usize = 12;

/// Encodes one question with RD=0 and ID 0.
///
/// Written octet by octet: the name goes out spelled as given, and nothing can fail.
pub fn query(name: &Name, record_type: RecordType) -> Vec<u8> {
    let mut message = Vec::with_capacity(HEADER + name.wire().len() + 4);
    header(&mut message, OpCode::Query, [1, 0, 0, 0]);
    question(&mut message, name, record_type);
    message
}

/// Encodes the question for a server's software, `version.bind CH TXT`, with RD=0 and ID 0.
///
/// A convention of BIND's that other servers follow, and that many are told to refuse.
pub fn version() -> Vec<u8> {
    let mut message = Vec::new();
    header(&mut message, OpCode::Query, [1, 0, 0, 0]);
    message.extend_from_slice(b"\x07version\x04bind\x00");
    message.extend_from_slice(&u16::from(RecordType::TXT).to_be_bytes());
    message.extend_from_slice(&u16::from(DNSClass::CH).to_be_bytes());
    message
}

/// Appends a request's header: ID 0, every flag clear, the counts of the four sections.
pub(super) fn header(message: &mut Vec<u8>, opcode: OpCode, counts: [u16; 4]) {
    message.extend_from_slice(&[0, 0, u8::from(opcode) << 3, 0]);
    for count in counts {
        message.extend_from_slice(&count.to_be_bytes());
    }
}

/// Appends a question (RFC 1035 §4.1.2) or a zone section (RFC 2136 §2.3), class IN.
pub(super) fn question(message: &mut Vec<u8>, name: &Name, record_type: RecordType) {
    message.extend_from_slice(name.wire());
    message.extend_from_slice(&u16::from(record_type).to_be_bytes());
    message.extend_from_slice(&u16::from(DNSClass::IN).to_be_bytes());
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Message, MessageType};

    use super::*;
    use crate::wire::convert;

    #[test]
    fn asks_for_the_software_in_its_own_class() {
        let message = Message::from_vec(&version()).unwrap();
        assert_eq!(message.queries.len(), 1);
        let question = &message.queries[0];
        assert_eq!(question.name().to_string(), "version.bind.");
        assert_eq!(question.query_type(), RecordType::TXT);
        assert_eq!(question.query_class(), DNSClass::CH);
    }

    #[test]
    fn asks_one_question_and_nothing_else() {
        let name = Name::parse("_vlmcs._TCP.corp.example.").unwrap();
        for record_type in [RecordType::SRV, RecordType::SOA] {
            let message = Message::from_vec(&query(&name, record_type)).unwrap();
            assert_eq!(message.metadata.id, 0);
            assert_eq!(message.metadata.message_type, MessageType::Query);
            assert_eq!(message.metadata.op_code, OpCode::Query);
            assert!(!message.metadata.recursion_desired);
            assert_eq!(message.queries.len(), 1);
            assert_eq!(message.queries[0].query_type(), record_type);
            assert_eq!(message.queries[0].query_class(), DNSClass::IN);
            let asked = convert::from_hickory(message.queries[0].name()).unwrap();
            assert!(asked.same_spelling(&name));
            assert_eq!(message.all_sections().count(), 0);
            assert!(message.edns.is_none());
        }
    }
}
