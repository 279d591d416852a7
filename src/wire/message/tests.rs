//! Messages taken apart by us and by hickory-proto: where both accept one, they read the same.

use hickory_proto::op::{Edns, Message as Theirs, OpCode, Query, ResponseCode};
use hickory_proto::rr::rdata::{A, AAAA, CNAME, NS, NULL, SOA, SRV, TXT};
use hickory_proto::rr::{Name as TheirName, RData, Record as TheirRecord};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};
use proptest::prelude::*;
use proptest::sample::Index;

use super::*;
use crate::wire::convert;

/// A few names below each other, so that hickory compresses them.
fn any_name() -> impl Strategy<Value = TheirName> {
    let labels = prop::sample::select(vec!["_vlmcs", "_tcp", "corp", "Corp", "kms1", "example"]);
    prop::collection::vec(labels, 0..6).prop_map(|labels| TheirName::from_labels(labels).unwrap())
}

fn any_data() -> impl Strategy<Value = RData> {
    prop_oneof![
        (any::<[u16; 3]>(), any_name()).prop_map(|([priority, weight, port], target)| RData::SRV(
            SRV::new(priority, weight, port, target)
        )),
        (
            any_name(),
            any_name(),
            any::<u32>(),
            any::<[i32; 3]>(),
            any::<u32>()
        )
            .prop_map(
                |(mname, rname, serial, [refresh, retry, expire], minimum)| {
                    RData::SOA(SOA::new(
                        mname, rname, serial, refresh, retry, expire, minimum,
                    ))
                }
            ),
        any_name().prop_map(|name| RData::NS(NS(name))),
        any_name().prop_map(|name| RData::CNAME(CNAME(name))),
        any::<[u8; 4]>().prop_map(|octets| RData::A(A(octets.into()))),
        any::<[u8; 16]>().prop_map(|octets| RData::AAAA(AAAA(octets.into()))),
        prop::collection::vec("[ -~]{0,20}", 1..4)
            .prop_map(|strings| RData::TXT(TXT::new(strings))),
        prop::collection::vec(any::<u8>(), 1..20).prop_map(|octets| RData::Unknown {
            code: RecordType::Unknown(65_280),
            rdata: NULL::with(octets),
        }),
    ]
}

prop_compose! {
    fn any_record()(owner in any_name(), ttl in any::<u32>(), data in any_data()) -> TheirRecord {
        TheirRecord::from_rdata(owner, ttl, data)
    }
}

prop_compose! {
    fn any_message()(
        question in prop::option::of(any_name()),
        flags in any::<[bool; 2]>(),
        code in 0_u16..24,
        sections in prop::array::uniform3(prop::collection::vec(any_record(), 0..4)),
    ) -> Vec<u8> {
        let mut message = Theirs::response(7, OpCode::Query);
        [message.metadata.authoritative, message.metadata.truncation] = flags;
        message.metadata.response_code = ResponseCode::from(
            u8::try_from(code >> 4).unwrap(),
            u8::try_from(code & 0xf).unwrap(),
        );
        if code > 0xf {
            let mut edns = Edns::new();
            edns.set_rcode_high(1);
            message.set_edns(edns);
        }
        if let Some(name) = question {
            message.add_query(Query::query(name, RecordType::SRV));
        }
        [message.answers, message.authorities, message.additionals] = sections;
        let mut octets = Vec::new();
        message.emit(&mut BinEncoder::new(&mut octets)).unwrap();
        octets
    }
}

fn same_name(ours: &Name, theirs: &TheirName) {
    assert_eq!(ours.wire(), convert::from_hickory(theirs).unwrap().wire());
}

/// Reads the message and all there is in it, or says that it cannot.
fn require_same(octets: &[u8]) -> Result<(), Malformed> {
    let ours = Message::read(octets)?;
    // Reads all of ours first, so that nothing is skipped where hickory refuses.
    let read = ours.records.iter().map(|record| {
        let owner = record.owner()?;
        assert!(record.is_of(&owner)?);
        let data = match record.record_type {
            RecordType::SRV => record.srv().map(Data::Srv),
            RecordType::SOA => record.soa().map(Data::Soa),
            RecordType::NS | RecordType::CNAME => record.target().map(Data::Target),
            RecordType::A | RecordType::AAAA => record.address().map(Data::Address),
            RecordType::TXT => record.text().map(Data::Text),
            _ => Ok(Data::Other),
        }?;
        Ok((owner, record, data))
    });
    let read = read.collect::<Result<Vec<_>, Malformed>>()?;
    let Ok(theirs) = Theirs::from_vec(octets) else {
        return Ok(());
    };
    assert_eq!(ours.is_authoritative, theirs.metadata.authoritative);
    assert_eq!(ours.is_truncated, theirs.metadata.truncation);
    assert_eq!(ours.rcode.0, u16::from(theirs.metadata.response_code));
    assert_eq!(ours.question.is_some(), !theirs.queries.is_empty());
    if let (Some(ours), Some(theirs)) = (&ours.question, theirs.queries.first()) {
        let name = convert::from_hickory(theirs.name()).unwrap();
        assert!(ours.is_of(&name)?);
        let above = name.parent().unwrap_or_else(|| Name::parse("x").unwrap());
        assert!(!ours.is_of(&above)?);
        assert_eq!(ours.record_type, theirs.query_type());
        assert_eq!(ours.class, theirs.query_class());
    }
    // hickory takes the OPT record out, and looks at no class of its own in it.
    let without_opt = |section: &[Record<'_>]| {
        let other = |record: &&Record<'_>| record.record_type != RecordType::OPT;
        section.iter().filter(other).count()
    };
    assert_eq!(without_opt(ours.answers()), theirs.answers.len());
    assert_eq!(without_opt(ours.authorities()), theirs.authorities.len());
    assert_eq!(without_opt(ours.additionals()), theirs.additionals.len());
    let not_opt = read
        .iter()
        .filter(|(_, record, _)| record.record_type != RecordType::OPT);
    for ((owner, record, data), theirs) in not_opt.zip(theirs.all_sections()) {
        same_name(owner, &theirs.name);
        assert_eq!(record.record_type, theirs.record_type());
        assert_eq!(record.class, theirs.dns_class);
        assert_eq!(record.ttl, theirs.ttl);
        data.require_same(&theirs.data);
    }
    Ok(())
}

enum Data {
    Srv(Srv),
    Soa(SoaData),
    Target(Name),
    Address(Option<IpAddr>),
    Text(Vec<u8>),
    Other,
}

impl Data {
    fn require_same(&self, theirs: &RData) {
        match (self, theirs) {
            (Self::Srv(ours), RData::SRV(theirs)) => {
                let numbers = (theirs.priority, theirs.weight, theirs.port);
                assert_eq!((ours.priority, ours.weight, ours.port), numbers);
                same_name(&ours.target, &theirs.target);
            }
            (Self::Soa(ours), RData::SOA(theirs)) => {
                same_name(&ours.mname, &theirs.mname);
                assert_eq!(ours.serial, theirs.serial);
                let timers = [theirs.refresh, theirs.retry, theirs.expire];
                assert_eq!(
                    [ours.refresh, ours.retry, ours.expire],
                    timers.map(i32::cast_unsigned)
                );
                assert_eq!(ours.minimum, theirs.minimum);
            }
            (Self::Target(ours), RData::NS(NS(theirs)) | RData::CNAME(CNAME(theirs))) => {
                same_name(ours, theirs);
            }
            (Self::Address(ours), theirs) => assert_eq!(*ours, theirs.ip_addr()),
            (Self::Text(ours), RData::TXT(theirs)) => assert_eq!(*ours, theirs.txt_data.concat()),
            (Self::Other, _) => {}
            (_, theirs) => panic!("{theirs:?}"),
        }
    }
}

proptest! {
    #[test]
    fn what_hickory_writes_is_read_as_it_was_meant(message in any_message()) {
        prop_assert_eq!(require_same(&message), Ok(()));
    }

    #[test]
    fn what_is_mutated_and_cut_is_read_the_same_or_refused(
        message in any_message(),
        mutations in prop::collection::vec((any::<Index>(), any::<u8>()), 1..6),
        cut in any::<Index>(),
    ) {
        let mut octets = message;
        for (index, value) in mutations {
            let index = index.index(octets.len());
            octets[index] = value;
        }
        let _ = require_same(&octets);
        octets.truncate(cut.index(octets.len()));
        let _ = require_same(&octets);
    }
}

/// A response with one record in ANSWER, of these octets.
fn with_answer(record: &[u8]) -> Vec<u8> {
    let header = [0, 0, 0x84, 0, 0, 0, 0, 1, 0, 0, 0, 0];
    [&header[..], record].concat()
}

#[test]
fn data_is_read_to_its_last_octet_and_no_further() {
    let srv = |length: u8| {
        let mut record = vec![0, 0, 33, 0, 1, 0, 0, 0, 0, 0, length];
        record.extend_from_slice(&[0, 1, 0, 2, 0, 3, 1, b'k', 0, 0]);
        record.truncate(11 + usize::from(length));
        with_answer(&record)
    };
    let read = |octets: &[u8]| Message::read(octets).and_then(|message| message.answers()[0].srv());
    let read = |length| read(&srv(length)).map(|srv| srv.target.to_string());
    assert_eq!(read(9).as_deref(), Ok("k."));
    let what = "a record whose length does not fit its fields";
    assert_eq!(read(10).unwrap_err().what, what);
    assert_eq!(read(8).unwrap_err().what, "the message ends inside a field");
}

#[test]
fn a_record_that_ends_early_does_not_take_from_the_next() {
    let name = [0, 0, 2, 0, 1, 0, 0, 0, 0, 0, 1, 1, b'k', 0];
    let octets = with_answer(&name);
    let error = Message::read(&octets).unwrap().answers()[0].target();
    let what = "a record whose length does not fit its fields";
    assert_eq!(error.unwrap_err().what, what);
}

#[test]
fn an_opt_record_belongs_once_into_additional() {
    let opt = [0, 0, 41, 2, 0, 1, 0, 0, 0, 0, 0];
    let message = |counts: [u8; 3]| {
        let records = usize::from(counts.iter().sum::<u8>());
        let [answers, authorities, additionals] = counts;
        let header = [
            0,
            0,
            0x84,
            3,
            0,
            0,
            0,
            answers,
            0,
            authorities,
            0,
            additionals,
        ];
        [&header[..], &opt.repeat(records)].concat()
    };
    let rcode = |counts| Message::read(&message(counts)).map(|message| message.rcode);
    // The upper bits of the code stand in it.
    assert_eq!(rcode([0, 0, 1]), Ok(Rcode(19)));
    for counts in [[1, 0, 0], [0, 1, 0], [0, 0, 2]] {
        let what = "an OPT record that does not belong";
        assert_eq!(rcode(counts).unwrap_err().what, what, "{counts:?}");
    }
}

#[test]
fn counts_are_not_believed() {
    let header = [
        0, 0, 0x84, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff,
    ];
    let error = Message::read(&header).unwrap_err();
    assert_eq!(error.what, "the message ends inside a field");
}
