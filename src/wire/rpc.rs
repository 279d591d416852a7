//! The DCE/RPC bind to the KMS interface, and what may come back.
//!
//! Connection-oriented PDUs of The Open Group's C706, chapter 12, as MS-RPCE 2.2.2 uses them. A
//! bind names an interface and carries no client data, so a KMS host that answers it counts
//! nobody. A request (PTYPE 0) would; nothing here builds one.

use std::fmt;

/// The longest PDU that is read, in octets: the fragment size our bind offers.
pub const MAX_FRAGMENT: usize = 5840;
/// The common header of every PDU, in octets (C706 §12.6.3.1).
const HEADER: usize = 16;
/// The call id of our only call.
const CALL_ID: u32 = 1;
/// The data representation octet of a little-endian sender: integers in the high nibble.
const LITTLE_ENDIAN: u8 = 0x10;

const FAULT: u8 = 3;
const BIND: u8 = 11;
const BIND_ACK: u8 = 12;
const BIND_NAK: u8 = 13;

/// The KMS interface, 51c82175-844e-4750-b0d8-ec255555bc06 version 1.0, in little-endian form.
const KMS: [u8; SYNTAX] = [
    0x75, 0x21, 0xc8, 0x51, 0x4e, 0x84, 0x50, 0x47, 0xb0, 0xd8, 0xec, 0x25, 0x55, 0x55, 0xbc, 0x06,
    0x01, 0x00, 0x00, 0x00,
];
/// The transfer syntax NDR 2.0, in little-endian form.
const NDR: [u8; SYNTAX] = [
    0x04, 0x5d, 0x88, 0x8a, 0xeb, 0x1c, 0xc9, 0x11, 0x9f, 0xe8, 0x08, 0x00, 0x2b, 0x10, 0x48, 0x60,
    0x02, 0x00, 0x00, 0x00,
];
/// A UUID with its version, in octets.
const SYNTAX: usize = 20;

/// What a server says to the bind.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum BindAnswer {
    /// The KMS interface is registered: a KMS service listens.
    Accepted,
    /// An RPC server that does not offer the KMS interface.
    NotKms,
    /// Any other refusal.
    Rejected {
        /// The specification's name of the reason, or its number.
        text: String,
    },
}

/// Why octets are no answer to the bind; each reads on after "does not speak RPC: ".
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum RpcError {
    /// The first octet is not RPC's version 5.
    #[error("its answer begins with \"{start}\"")]
    NotRpc {
        /// The first octets, at most 16, printable.
        start: String,
    },
    /// Neither little-endian nor big-endian.
    #[error("its answer has the data representation 0x{0:02x}, which no RPC server uses")]
    DataRepresentation(u8),
    /// The fragment length is impossible, or longer than we offered to receive.
    #[error("its answer claims {0} octets, and only 16 to 5,840 are possible")]
    FragmentLength(u16),
    /// The PDU ends before a field.
    #[error("its answer ends before the {0}")]
    Truncated(&'static str),
    /// The answer belongs to another call.
    #[error("it answers call {0}, which was never made")]
    CallId(u32),
    /// Not one result for the one context offered.
    #[error("its bind_ack has {0} results for one presentation context")]
    ResultCount(u8),
    /// A PDU that answers no bind.
    #[error("it answers with packet type {0}, not with bind_ack, bind_nak or fault")]
    PacketType(u8),
}

/// Encodes the bind to the KMS interface (C706 §12.6.4.3).
pub fn bind() -> [u8; 72] {
    let fields = [
        [5, 0, BIND, 0x03],       // version 5.0, first and last fragment
        [LITTLE_ENDIAN, 0, 0, 0], // the data representation
        [72, 0, 0, 0],            // fragment length, no authentication
        [1, 0, 0, 0],             // call id
        [0xd0, 0x16, 0xd0, 0x16], // longest fragments sent and received: 5840
        [0, 0, 0, 0],             // a new association group
        [1, 0, 0, 0],             // one presentation context
        [0, 0, 1, 0],             // its id, one transfer syntax
    ];
    let octets = fields.as_flattened().iter().chain(&KMS).chain(&NDR);
    let mut pdu = [0; 72];
    for (place, octet) in pdu.iter_mut().zip(octets) {
        *place = *octet;
    }
    pdu
}

/// The length of the PDU that begins with `received`, in octets.
///
/// `None` asks for more octets. Octets that cannot begin an RPC answer are refused as early as
/// they show it, so that a server of another protocol is not waited for.
pub fn frame_length(received: &[u8]) -> Result<Option<usize>, RpcError> {
    if received.first().is_some_and(|&version| version != 5) {
        return Err(RpcError::NotRpc {
            start: received
                .get(..HEADER)
                .unwrap_or(received)
                .escape_ascii()
                .to_string(),
        });
    }
    if received.len() < HEADER {
        return Ok(None);
    }
    Pdu::new(received)?.fragment_length().map(Some)
}

/// Reads the answer to [`bind`]: a bind_ack, bind_nak or fault (C706 §12.6.4.4, §12.6.4.5, §12.6.4.7).
///
/// Octets after the fragment are ignored.
pub fn answer(received: &[u8]) -> Result<BindAnswer, RpcError> {
    let length = frame_length(received)?.ok_or(RpcError::Truncated("end of its header"))?;
    let pdu = Pdu::new(
        received
            .get(..length)
            .ok_or(RpcError::Truncated("end of its fragment"))?,
    )?;
    let call_id = pdu.u32_at(12, "call id")?;
    if call_id != CALL_ID {
        return Err(RpcError::CallId(call_id));
    }
    match pdu.u8_at(2, "packet type")? {
        BIND_ACK => bind_ack(&pdu),
        BIND_NAK => {
            let reason = pdu.u16_at(16, "reject reason")?;
            Ok(BindAnswer::Rejected {
                text: format!("bind_nak, {}", Named(reason, &NAK_REASONS)),
            })
        }
        FAULT => {
            let status = pdu.u32_at(24, "status")?;
            Ok(BindAnswer::Rejected {
                text: format!("fault, status 0x{status:08x}"),
            })
        }
        other => Err(RpcError::PacketType(other)),
    }
}

/// Answers a bind as a KMS host does, and nothing else: for the demo and the tests.
///
/// Accepts the KMS interface over NDR 2.0 in every context that offers it. `None` when `received`
/// is not one whole little-endian bind.
pub fn accept(received: &[u8]) -> Option<Vec<u8>> {
    let pdu = Pdu::new(received).ok()?;
    let is_bind = pdu.u8_at(2, "").ok()? == BIND
        && pdu.order == ByteOrder::Little
        && frame_length(received).ok()?? == received.len();
    if !is_bind {
        return None;
    }
    let call_id = received.get(12..16)?;
    let results = context_results(received)?;
    let count = u8::try_from(results.len()).ok()?;

    let mut ack = vec![0x05, 0x00, BIND_ACK, 0x03, LITTLE_ENDIAN, 0, 0, 0];
    ack.extend([0, 0, 0, 0]); // the fragment length, filled below
    ack.extend(call_id);
    ack.extend([0xd0, 0x16, 0xd0, 0x16]); // fragments of 5840 octets
    ack.extend([1, 0, 0, 0]); // association group
    ack.extend([5, 0]);
    ack.extend(b"1688\0"); // the secondary address
    ack.resize(ack.len().next_multiple_of(4), 0);
    ack.extend([count, 0, 0, 0]);
    for (result, reason) in results {
        ack.extend(result.to_le_bytes());
        ack.extend(reason.to_le_bytes());
        ack.extend(if result == 0 { NDR } else { [0; SYNTAX] });
    }
    let length = u16::try_from(ack.len()).ok()?.to_le_bytes();
    ack.get_mut(8..10)?.copy_from_slice(&length);
    Some(ack)
}

/// The result and reason for each context of a little-endian bind.
fn context_results(bind: &[u8]) -> Option<Vec<(u16, u16)>> {
    let count = *bind.get(24)?;
    let mut rest = bind.get(28..)?;
    let mut results = Vec::new();
    for _ in 0..count {
        let transfer_syntaxes = usize::from(*rest.get(2)?);
        let (interface, after) = rest.get(4..)?.split_at_checked(SYNTAX)?;
        let (offered, next) = after.split_at_checked(transfer_syntaxes * SYNTAX)?;
        rest = next;
        results.push(if interface != KMS {
            (2, 1)
        } else if !offered.chunks(SYNTAX).any(|syntax| syntax == NDR) {
            (2, 2)
        } else {
            (0, 0)
        });
    }
    (count > 0).then_some(results)
}

/// Reads the one result of a bind_ack.
fn bind_ack(pdu: &Pdu<'_>) -> Result<BindAnswer, RpcError> {
    let secondary_address = pdu.u16_at(24, "secondary address")?;
    // The list is aligned to 4 octets, counted from the beginning of the PDU.
    let list = (26 + usize::from(secondary_address)).next_multiple_of(4);
    let count = pdu.u8_at(list, "results")?;
    if count != 1 {
        return Err(RpcError::ResultCount(count));
    }
    let result = pdu.u16_at(list + 4, "result")?;
    let reason = pdu.u16_at(list + 6, "reason")?;
    pdu.octets_at::<SYNTAX>(list + 8, "transfer syntax")?;
    Ok(match (result, reason) {
        (0, _) => BindAnswer::Accepted,
        (2, 1) => BindAnswer::NotKms,
        _ => BindAnswer::Rejected {
            text: format!(
                "{}, {}",
                Named(result, &RESULTS),
                Named(reason, &RESULT_REASONS)
            ),
        },
    })
}

/// `p_cont_def_result_t` (C706 §12.6.3.1).
const RESULTS: [&str; 3] = ["acceptance", "user_rejection", "provider_rejection"];

/// `p_provider_reason_t` (C706 §12.6.3.1).
const RESULT_REASONS: [&str; 4] = [
    "reason_not_specified",
    "abstract_syntax_not_supported",
    "proposed_transfer_syntaxes_not_supported",
    "local_limit_exceeded",
];

/// `p_reject_reason_t` (C706 §12.6.4.5), and from 8 on MS-RPCE 2.2.2.5.
const NAK_REASONS: [&str; 10] = [
    "reason_not_specified",
    "temporary_congestion",
    "local_limit_exceeded",
    "called_paddr_unknown",
    "protocol_version_not_supported",
    "default_context_not_supported",
    "user_data_not_readable",
    "no_psap_available",
    "authentication_type_not_recognized",
    "invalid_checksum",
];

/// A code with its name where the specification gives one.
struct Named<'a>(u16, &'a [&'static str]);

impl fmt::Display for Named<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self(code, names) = self;
        match names.get(usize::from(*code)) {
            Some(name) => f.write_str(name),
            None => write!(f, "code {code}"),
        }
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum ByteOrder {
    Little,
    Big,
}

/// A PDU, read in its sender's byte order; no length in it is believed.
struct Pdu<'a> {
    bytes: &'a [u8],
    order: ByteOrder,
}

impl<'a> Pdu<'a> {
    fn new(bytes: &'a [u8]) -> Result<Self, RpcError> {
        let representation = *bytes
            .get(4)
            .ok_or(RpcError::Truncated("data representation"))?;
        let order = match representation & 0xf0 {
            0x00 => ByteOrder::Big,
            LITTLE_ENDIAN => ByteOrder::Little,
            _ => return Err(RpcError::DataRepresentation(representation)),
        };
        Ok(Self { bytes, order })
    }

    fn fragment_length(&self) -> Result<usize, RpcError> {
        let length = self.u16_at(8, "fragment length")?;
        let octets = usize::from(length);
        if !(HEADER..=MAX_FRAGMENT).contains(&octets) {
            return Err(RpcError::FragmentLength(length));
        }
        Ok(octets)
    }

    fn octets_at<const N: usize>(
        &self,
        offset: usize,
        what: &'static str,
    ) -> Result<[u8; N], RpcError> {
        self.bytes
            .get(offset..)
            .and_then(|rest| rest.first_chunk())
            .copied()
            .ok_or(RpcError::Truncated(what))
    }

    fn u8_at(&self, offset: usize, what: &'static str) -> Result<u8, RpcError> {
        self.octets_at(offset, what).map(u8::from_be_bytes)
    }

    fn u16_at(&self, offset: usize, what: &'static str) -> Result<u16, RpcError> {
        let octets = self.octets_at(offset, what)?;
        Ok(match self.order {
            ByteOrder::Little => u16::from_le_bytes(octets),
            ByteOrder::Big => u16::from_be_bytes(octets),
        })
    }

    fn u32_at(&self, offset: usize, what: &'static str) -> Result<u32, RpcError> {
        let octets = self.octets_at(offset, what)?;
        Ok(match self.order {
            ByteOrder::Little => u32::from_le_bytes(octets),
            ByteOrder::Big => u32::from_be_bytes(octets),
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    const LITTLE: ByteOrder = ByteOrder::Little;
    const BIG: ByteOrder = ByteOrder::Big;

    /// Writes a PDU's fields in one byte order, independently of the code under test.
    struct Writer {
        bytes: Vec<u8>,
        order: ByteOrder,
    }

    impl Writer {
        fn pdu(order: ByteOrder, packet_type: u8) -> Self {
            let representation = if order == LITTLE { 0x10 } else { 0x00 };
            let mut writer = Self {
                bytes: vec![5, 0, packet_type, 3, representation, 0, 0, 0, 0, 0, 0, 0],
                order,
            };
            writer.u32(1);
            writer
        }

        fn u16(&mut self, value: u16) {
            match self.order {
                LITTLE => self.bytes.extend(value.to_le_bytes()),
                BIG => self.bytes.extend(value.to_be_bytes()),
            }
        }

        fn u32(&mut self, value: u32) {
            match self.order {
                LITTLE => self.bytes.extend(value.to_le_bytes()),
                BIG => self.bytes.extend(value.to_be_bytes()),
            }
        }

        fn finish(self) -> Vec<u8> {
            let length = u16::try_from(self.bytes.len()).unwrap();
            let length = match self.order {
                LITTLE => length.to_le_bytes(),
                BIG => length.to_be_bytes(),
            };
            let mut bytes = self.bytes;
            bytes[8..10].copy_from_slice(&length);
            bytes
        }
    }

    fn ack(order: ByteOrder, secondary_address: &[u8], result: u16, reason: u16) -> Vec<u8> {
        let mut writer = Writer::pdu(order, BIND_ACK);
        writer.u16(5840);
        writer.u16(5840);
        writer.u32(0xb415);
        writer.u16(u16::try_from(secondary_address.len()).unwrap());
        writer.bytes.extend(secondary_address);
        while !writer.bytes.len().is_multiple_of(4) {
            writer.bytes.push(0xee);
        }
        writer.bytes.extend([1, 0, 0, 0]);
        writer.u16(result);
        writer.u16(reason);
        writer.bytes.extend([0x5d; SYNTAX]);
        writer.finish()
    }

    fn nak(order: ByteOrder, reason: u16) -> Vec<u8> {
        let mut writer = Writer::pdu(order, BIND_NAK);
        writer.u16(reason);
        writer.bytes.extend([1, 5, 0]);
        writer.finish()
    }

    fn fault(order: ByteOrder, status: u32) -> Vec<u8> {
        let mut writer = Writer::pdu(order, FAULT);
        writer.u32(0x20);
        writer.u32(0);
        writer.u32(status);
        writer.u32(0);
        writer.finish()
    }

    fn rejected(text: &str) -> Result<BindAnswer, RpcError> {
        Ok(BindAnswer::Rejected { text: text.into() })
    }

    #[test]
    fn the_bind_has_the_documented_octets() {
        let documented = "05000b03 10000000 48000000 01000000 d016d016 00000000 01000000 00000100 \
                          7521c851 4e845047 b0d8ec25 5555bc06 01000000 \
                          045d888a eb1cc911 9fe80800 2b104860 02000000";
        let hex: String = bind().iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, documented.replace(' ', ""));
    }

    #[test]
    fn answers_are_read_in_both_byte_orders() {
        for order in [LITTLE, BIG] {
            for address in [&b""[..], b"\0", b"5\0", b"1688\0", b"49664\0", b"1234567\0"] {
                let read = |result, reason| answer(&ack(order, address, result, reason));
                assert_eq!(read(0, 0), Ok(BindAnswer::Accepted));
                assert_eq!(read(2, 1), Ok(BindAnswer::NotKms));
                assert_eq!(
                    read(2, 2),
                    rejected("provider_rejection, proposed_transfer_syntaxes_not_supported")
                );
                assert_eq!(
                    read(2, 3),
                    rejected("provider_rejection, local_limit_exceeded")
                );
                assert_eq!(read(1, 0), rejected("user_rejection, reason_not_specified"));
                assert_eq!(
                    read(1, 1),
                    rejected("user_rejection, abstract_syntax_not_supported")
                );
                assert_eq!(read(3, 9), rejected("code 3, code 9"));
                // Big-endian 1 read as little-endian would be 256: byte order must not be guessed.
                assert_eq!(read(256, 0), rejected("code 256, reason_not_specified"));
            }
            assert_eq!(
                answer(&nak(order, 4)),
                rejected("bind_nak, protocol_version_not_supported")
            );
            assert_eq!(
                answer(&nak(order, 8)),
                rejected("bind_nak, authentication_type_not_recognized")
            );
            assert_eq!(answer(&nak(order, 77)), rejected("bind_nak, code 77"));
            assert_eq!(
                answer(&fault(order, 0x1c01_0003)),
                rejected("fault, status 0x1c010003")
            );
        }
    }

    #[test]
    fn malformed_answers_say_what_is_wrong() {
        let with = |offset: usize, octet: u8| {
            let mut bytes = ack(LITTLE, b"1688\0", 0, 0);
            bytes[offset] = octet;
            answer(&bytes)
        };
        assert_eq!(with(4, 0x20), Err(RpcError::DataRepresentation(0x20)));
        assert_eq!(with(12, 2), Err(RpcError::CallId(2)));
        assert_eq!(with(2, 2), Err(RpcError::PacketType(2)));
        assert_eq!(with(32, 0), Err(RpcError::ResultCount(0)));
        assert_eq!(with(32, 2), Err(RpcError::ResultCount(2)));
        assert_eq!(with(8, 15), Err(RpcError::FragmentLength(15)));
        assert_eq!(with(9, 0x17), Err(RpcError::FragmentLength(0x173c)));
        // 61 octets claimed, 60 there.
        assert_eq!(with(8, 61), Err(RpcError::Truncated("end of its fragment")));
        // A fragment that ends before the transfer syntax does.
        assert_eq!(with(8, 59), Err(RpcError::Truncated("transfer syntax")));
        // A secondary address that claims to fill more than the PDU.
        assert_eq!(with(25, 0xff), Err(RpcError::Truncated("results")));
    }

    #[test]
    fn the_frame_is_measured_as_soon_as_the_header_is_there() {
        let whole = ack(BIG, b"1688\0", 0, 0);
        for length in 0..16 {
            assert_eq!(frame_length(&whole[..length]), Ok(None));
        }
        assert_eq!(frame_length(&whole[..16]), Ok(Some(60)));
        assert_eq!(frame_length(&whole), Ok(Some(60)));

        let mut longest = whole;
        longest[8..10].copy_from_slice(&5840_u16.to_be_bytes());
        assert_eq!(frame_length(&longest), Ok(Some(MAX_FRAGMENT)));
        longest[8..10].copy_from_slice(&5841_u16.to_be_bytes());
        assert_eq!(frame_length(&longest), Err(RpcError::FragmentLength(5841)));
    }

    #[test]
    fn another_protocol_shows_at_its_first_octet() {
        let error = frame_length(b"H").unwrap_err();
        assert_eq!(error.to_string(), "its answer begins with \"H\"");
        let error = frame_length(b"SSH-2.0-OpenSSH_9.2\r\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "its answer begins with \"SSH-2.0-OpenSSH_\""
        );
        let error = frame_length(b"\x15\x03\x01\"\n").unwrap_err();
        assert_eq!(
            error.to_string(),
            "its answer begins with \"\\x15\\x03\\x01\\\"\\n\""
        );
    }

    #[test]
    fn accept_answers_our_bind_as_a_kms_host_does() {
        let documented = "05000c03 10000000 3c000000 01000000 d016d016 01000000 \
                          0500 3136383800 00 01000000 00000000 \
                          045d888a eb1cc911 9fe80800 2b104860 02000000";
        let ack = accept(&bind()).unwrap();
        let hex: String = ack.iter().map(|octet| format!("{octet:02x}")).collect();
        assert_eq!(hex, documented.replace(' ', ""));
        assert_eq!(answer(&ack), Ok(BindAnswer::Accepted));
    }

    #[test]
    fn accept_takes_nothing_but_a_bind_to_kms() {
        let with = |offset: usize, octet: u8| {
            let mut bytes = bind();
            bytes[offset] = octet;
            accept(&bytes)
        };
        let said = |ack: Option<Vec<u8>>| answer(&ack.unwrap());
        assert_eq!(said(with(32, 0x76)), Ok(BindAnswer::NotKms));
        assert_eq!(
            said(with(52, 0x05)),
            rejected("provider_rejection, proposed_transfer_syntaxes_not_supported")
        );
        assert_eq!(with(2, 0), None, "a request");
        assert_eq!(with(4, 0), None, "big-endian");
        assert_eq!(with(8, 71), None, "another length");
        assert_eq!(with(24, 0), None, "no context");
        assert_eq!(with(24, 2), None, "a context that is not there");
        assert_eq!(with(30, 9), None, "transfer syntaxes that are not there");
        for length in 0..72 {
            assert_eq!(accept(&bind()[..length]), None);
        }
    }

    #[test]
    fn accept_answers_every_context() {
        let mut bytes = bind().to_vec();
        let mut second = bytes[28..].to_vec();
        second[4] ^= 1;
        bytes.extend(second);
        bytes[24] = 2;
        bytes[8] = u8::try_from(bytes.len()).unwrap();
        let ack = accept(&bytes).unwrap();
        assert_eq!(ack.len(), 84);
        assert_eq!(ack[32], 2);
        assert_eq!(ack[36..40], [0, 0, 0, 0]);
        assert_eq!(ack[60..64], [2, 0, 1, 0]);
    }

    proptest! {
        #[test]
        fn nothing_panics(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = frame_length(&bytes);
            let _ = answer(&bytes);
            let _ = accept(&bytes);
        }

        #[test]
        fn nothing_panics_on_damaged_pdus(
            packet in 0_usize..4,
            damage in proptest::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..6),
            cut in any::<prop::sample::Index>(),
        ) {
            let mut bytes = match packet {
                0 => ack(LITTLE, b"1688\0", 0, 0),
                1 => ack(BIG, b"", 2, 1),
                2 => nak(LITTLE, 0),
                _ => bind().to_vec(),
            };
            for (index, octet) in damage {
                let at = index.index(bytes.len());
                bytes[at] = octet;
            }
            bytes.truncate(cut.index(bytes.len() + 1));
            let _ = answer(&bytes);
            let _ = accept(&bytes);
            if let Ok(Some(length)) = frame_length(&bytes) {
                prop_assert!((16..=MAX_FRAGMENT).contains(&length));
            }
        }

        #[test]
        fn only_a_whole_acknowledgement_is_an_acceptance(cut in 0_usize..60) {
            let whole = ack(LITTLE, b"1688\0", 0, 0);
            prop_assert!(answer(&whole[..cut]).is_err());
        }
    }
}
