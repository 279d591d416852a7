//! Answers built by hickory, believed or refused; and octets that must never panic.

use std::net::Ipv4Addr;

use hickory_proto::op::{Message, MessageType, Query, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, NS, NULL, SOA, SRV};
use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};
use proptest::prelude::*;

use super::{
    AnswerError, DNSClass, Name, OpCode, Rcode, RecordType, Soa, SrvAnswer, Timers, delegation,
    malformed, name_servers, name_servers_and_addresses, soa, srv, update, version,
};
use crate::wire::convert;
use crate::wire::query::query;

const OWNER: &str = "_vlmcs._tcp.corp.example.";

fn own(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn wire(text: &str) -> hickory_proto::rr::Name {
    convert::to_hickory(&own(text)).unwrap()
}

fn record(owner: &str, ttl: u32, data: RData) -> Record {
    Record::from_rdata(wire(owner), ttl, data)
}

fn srv_record(ttl: u32, port: u16, target: &str) -> Record {
    record(OWNER, ttl, RData::SRV(SRV::new(0, 0, port, wire(target))))
}

fn soa_record(owner: &str) -> Record {
    let soa = SOA::new(
        wire("ns1.corp.example."),
        wire("root.corp.example."),
        7,
        1,
        1,
        1,
        1,
    );
    record(owner, 60, RData::SOA(soa))
}

fn ns_record(owner: &str) -> Record {
    record(owner, 60, RData::NS(NS(wire("ns.example."))))
}

fn cname_record(owner: &str, target: &str) -> Record {
    record(owner, 60, RData::CNAME(CNAME(wire(target))))
}

fn dname_record(owner: &str, target: &str) -> Record {
    let rdata = NULL::with(own(target).wire().to_vec());
    let code = RecordType::DNAME;
    record(owner, 60, RData::Unknown { code, rdata })
}

/// An authoritative NOERROR answer to `OWNER record_type`, changed by `edit`.
fn answer_to(record_type: RecordType, edit: impl FnOnce(&mut Message)) -> Vec<u8> {
    let mut message = Message::response(0, OpCode::Query);
    message.metadata.authoritative = true;
    message.add_query(Query::query(wire(OWNER), record_type));
    edit(&mut message);
    encode(&message)
}

fn encode(message: &Message) -> Vec<u8> {
    let mut octets = Vec::new();
    message.emit(&mut BinEncoder::new(&mut octets)).unwrap();
    octets
}

fn srv_answer(edit: impl FnOnce(&mut Message)) -> Result<SrvAnswer, AnswerError> {
    srv(&answer_to(RecordType::SRV, edit), &own(OWNER))
}

fn soa_answer(edit: impl FnOnce(&mut Message)) -> Result<Soa, AnswerError> {
    soa(&answer_to(RecordType::SOA, edit), &own(OWNER))
}

fn corp_soa(name_exists: bool) -> Soa {
    Soa {
        zone: own("corp.example."),
        mname: own("ns1.corp.example."),
        serial: 7,
        timers: Timers {
            refresh: 1,
            retry: 1,
            expire: 1,
            negative_ttl: 1,
        },
        name_exists,
    }
}

#[test]
fn records_come_sorted_spelled_as_read_with_the_lowest_ttl() {
    let answer = srv_answer(|message| {
        message.add_answer(srv_record(600, 1688, "KMS2.corp.example."));
        message.add_answer(srv_record(300, 1688, "kms1.Corp.example."));
        message.add_authority(ns_record("corp.example."));
    });
    let Ok(SrvAnswer::Records {
        ttl: 300,
        mixed_ttl: true,
        records,
    }) = answer
    else {
        panic!("{answer:?}");
    };
    let targets: Vec<String> = records.iter().map(|srv| srv.target.to_string()).collect();
    assert_eq!(targets, ["kms1.Corp.example.", "KMS2.corp.example."]);

    let answer = srv_answer(|message| {
        message.add_answer(srv_record(600, 1688, "kms1.corp.example."));
    });
    assert!(matches!(
        answer,
        Ok(SrvAnswer::Records {
            ttl: 600,
            mixed_ttl: false,
            ..
        })
    ));
}

#[test]
fn negative_answers_carry_their_soa() {
    for (code, name_exists) in [
        (ResponseCode::NoError, true),
        (ResponseCode::NXDomain, false),
    ] {
        let edit = |message: &mut Message| {
            message.metadata.response_code = code;
            message.add_authority(soa_record("corp.example."));
        };
        let soa = corp_soa(name_exists);
        assert_eq!(soa_answer(edit), Ok(soa.clone()));
        assert_eq!(srv_answer(edit), Ok(SrvAnswer::Absent { soa }));
    }
}

#[test]
fn the_apex_answers_with_its_own_soa() {
    let soa = soa_answer(|message| {
        message.add_answer(soa_record(OWNER));
        message.add_authority(ns_record(OWNER));
    });
    assert_eq!(
        soa.map(|soa| (soa.zone, soa.name_exists)),
        Ok((own(OWNER), true))
    );
}

#[test]
fn a_question_may_come_back_in_another_case() {
    let answer = answer_to(RecordType::SRV, |message| {
        message.queries.clear();
        message.add_query(Query::query(
            wire("_VLMCS._TCP.corp.EXAMPLE."),
            RecordType::SRV,
        ));
        message.add_authority(soa_record("CORP.example."));
    });
    assert!(matches!(
        srv(&answer, &own(OWNER)),
        Ok(SrvAnswer::Absent { .. })
    ));
}

#[test]
fn what_is_no_complete_authoritative_answer_is_refused() {
    let owner = || own(OWNER);
    let kms = || srv_record(60, 1688, "kms1.corp.example.");
    type Edit = Box<dyn FnOnce(&mut Message)>;
    let cases: Vec<(&str, Edit, AnswerError)> = vec![
        (
            "a request",
            Box::new(|message| message.metadata.message_type = MessageType::Query),
            malformed("it is a request, not a response"),
        ),
        (
            "an update's answer",
            Box::new(|message| message.metadata.op_code = OpCode::Update),
            malformed("its opcode is another than the request's"),
        ),
        (
            "another name",
            Box::new(|message| {
                message.queries.clear();
                message.add_query(Query::query(wire("corp.example."), RecordType::SRV));
            }),
            AnswerError::WrongQuestion {
                name: owner(),
                record_type: RecordType::SRV,
            },
        ),
        (
            "another type",
            Box::new(|message| {
                message.queries.clear();
                message.add_query(Query::query(wire(OWNER), RecordType::A));
            }),
            AnswerError::WrongQuestion {
                name: owner(),
                record_type: RecordType::SRV,
            },
        ),
        (
            "another class",
            Box::new(|message| {
                let mut query = Query::query(wire(OWNER), RecordType::SRV);
                query.set_query_class(DNSClass::CH);
                message.queries = vec![query];
            }),
            AnswerError::WrongQuestion {
                name: owner(),
                record_type: RecordType::SRV,
            },
        ),
        (
            "no question",
            Box::new(|message| message.queries.clear()),
            AnswerError::WrongQuestion {
                name: owner(),
                record_type: RecordType::SRV,
            },
        ),
        (
            "two questions",
            Box::new(|message| {
                message.add_query(Query::query(wire(OWNER), RecordType::SRV));
            }),
            malformed("it repeats more than one question"),
        ),
        (
            "an error without a question",
            Box::new(|message| {
                message.queries.clear();
                message.metadata.response_code = ResponseCode::FormErr;
            }),
            AnswerError::Rcode {
                name: owner(),
                rcode: Rcode::FORMERR,
            },
        ),
        (
            "refused",
            Box::new(|message| message.metadata.response_code = ResponseCode::Refused),
            AnswerError::Rcode {
                name: owner(),
                rcode: Rcode::REFUSED,
            },
        ),
        (
            "truncated",
            Box::new(move |message| {
                message.metadata.truncation = true;
                message.add_answer(kms());
            }),
            AnswerError::Truncated(owner()),
        ),
        (
            "from a cache",
            Box::new(move |message| {
                message.metadata.authoritative = false;
                message.add_answer(kms());
            }),
            AnswerError::NotAuthoritative(owner()),
        ),
        (
            "a referral to the root",
            Box::new(|message| {
                message.metadata.authoritative = false;
                message.add_authority(ns_record("."));
            }),
            AnswerError::NotAuthoritative(owner()),
        ),
        (
            "a referral",
            Box::new(|message| {
                message.metadata.authoritative = false;
                message.add_authority(ns_record("_tcp.corp.example."));
            }),
            AnswerError::Referral {
                name: owner(),
                zone: own("_tcp.corp.example."),
            },
        ),
        (
            "a referral with AA",
            Box::new(|message| {
                message.add_authority(ns_record("_tcp.corp.example."));
            }),
            AnswerError::Referral {
                name: owner(),
                zone: own("_tcp.corp.example."),
            },
        ),
        (
            "an alias",
            Box::new(|message| {
                message.add_answer(cname_record(OWNER, "elsewhere.example."));
            }),
            AnswerError::Alias {
                name: owner(),
                target: own("elsewhere.example."),
                dname: None,
            },
        ),
        (
            "an alias to nothing",
            Box::new(|message| {
                message.metadata.response_code = ResponseCode::NXDomain;
                message.add_answer(cname_record(OWNER, "elsewhere.corp.example."));
                message.add_authority(soa_record("corp.example."));
            }),
            AnswerError::Alias {
                name: owner(),
                target: own("elsewhere.corp.example."),
                dname: None,
            },
        ),
        (
            "a DNAME",
            Box::new(|message| {
                message.add_answer(dname_record("corp.example.", "other.example."));
                message.add_answer(cname_record(OWNER, "_vlmcs._tcp.other.example."));
            }),
            AnswerError::Alias {
                name: owner(),
                target: own("_vlmcs._tcp.other.example."),
                dname: Some(own("corp.example.")),
            },
        ),
        (
            "nothing at all",
            Box::new(|_| {}),
            AnswerError::NoSoa(owner()),
        ),
        (
            "NXDOMAIN with NS in place of the SOA",
            Box::new(|message| {
                message.metadata.response_code = ResponseCode::NXDomain;
                message.add_authority(ns_record("corp.example."));
            }),
            AnswerError::NoSoa(owner()),
        ),
        (
            "the SOA of a zone aside",
            Box::new(|message| {
                message.add_authority(soa_record("other.example."));
            }),
            AnswerError::WrongOwner {
                name: owner(),
                owner: own("other.example."),
            },
        ),
        (
            "two SOA records",
            Box::new(|message| {
                message.add_authority(soa_record("corp.example."));
                message.add_authority(soa_record("example."));
            }),
            malformed("it holds more than one SOA record"),
        ),
        (
            "a record of another name",
            Box::new(move |message| {
                let mut stray = kms();
                stray.name = wire("_kms._tcp.corp.example.");
                message.add_answer(kms());
                message.add_answer(stray);
            }),
            AnswerError::WrongOwner {
                name: owner(),
                owner: own("_kms._tcp.corp.example."),
            },
        ),
        (
            "a record of another class",
            Box::new(move |message| {
                let mut stray = kms();
                stray.dns_class = DNSClass::CH;
                message.add_answer(stray);
            }),
            malformed("ANSWER holds a record of another class than IN"),
        ),
        (
            "records of another type only",
            Box::new(|message| {
                message.add_answer(ns_record(OWNER));
            }),
            malformed("ANSWER holds records, but no SRV record"),
        ),
        (
            "NXDOMAIN with records",
            Box::new(move |message| {
                message.metadata.response_code = ResponseCode::NXDomain;
                message.add_answer(kms());
            }),
            malformed("it says NXDOMAIN and holds records of the name"),
        ),
    ];
    for (case, edit, expected) in cases {
        assert_eq!(srv_answer(edit), Err(expected), "{case}");
    }
}

#[test]
fn fewer_records_than_the_header_claims_is_malformed() {
    let mut octets = answer_to(RecordType::SRV, |message| {
        message.add_answer(srv_record(60, 1688, "kms1.corp.example."));
    });
    octets[7] = 2;
    assert!(matches!(
        srv(&octets, &own(OWNER)),
        Err(AnswerError::Malformed(_))
    ));
}

#[test]
fn an_updates_answer_is_its_code() {
    let answer = |edit: fn(&mut Message)| {
        let mut message = Message::response(0, OpCode::Update);
        edit(&mut message);
        update(&encode(&message))
    };
    assert_eq!(answer(|_| {}), Ok(Rcode::NOERROR));
    assert_eq!(
        answer(|message| message.metadata.response_code = ResponseCode::NXRRSet),
        Ok(Rcode::NXRRSET)
    );
    for edit in [
        (|message| message.metadata.op_code = OpCode::Query) as fn(&mut Message),
        |message| message.metadata.message_type = MessageType::Query,
    ] {
        assert!(matches!(answer(edit), Err(AnswerError::Malformed(_))));
    }
    assert!(matches!(update(&[0; 5]), Err(AnswerError::Malformed(_))));
}

#[test]
fn every_error_code_comes_with_advice() {
    for (rcode, word) in [
        (Rcode::REFUSED, "allow-query"),
        (Rcode::SERVFAIL, "log"),
        (Rcode::NOTAUTH, "key"),
        (Rcode(23), "log"),
    ] {
        let text = AnswerError::Rcode {
            name: own(OWNER),
            rcode,
        }
        .to_string();
        assert!(text.contains(OWNER) && text.contains(word), "{text}");
    }
}

fn read_all(octets: &[u8]) {
    let _ = srv(octets, &own(OWNER));
    let _ = soa(octets, &own(OWNER));
    let _ = update(octets);
}

proptest! {
    #[test]
    fn no_octets_panic(octets in prop::collection::vec(any::<u8>(), 0..200)) {
        read_all(&octets);
    }

    #[test]
    fn no_octets_behind_a_good_header_panic(counts: [u8; 4], tail in prop::collection::vec(any::<u8>(), 0..200)) {
        let mut octets = vec![0, 0, 0x84, 0];
        for count in counts {
            octets.extend_from_slice(&[0, count & 3]);
        }
        octets.extend(tail);
        read_all(&octets);
    }

    #[test]
    fn no_mutation_panics(
        mutations in prop::collection::vec((any::<prop::sample::Index>(), any::<u8>()), 1..8),
        cut in any::<prop::sample::Index>(),
    ) {
        for record_type in [RecordType::SRV, RecordType::SOA] {
            let mut octets = answer_to(record_type, |message| {
                message.add_answer(srv_record(600, 1688, "kms2.corp.example."));
                message.add_answer(srv_record(600, 1688, "kms1.corp.example."));
                message.add_authority(soa_record("corp.example."));
            });
            for (index, value) in &mutations {
                let index = index.index(octets.len());
                octets[index] = *value;
            }
            read_all(&octets);
            octets.truncate(cut.index(octets.len()));
            read_all(&octets);
        }
    }

    #[test]
    fn a_query_is_no_answer(labels in prop::collection::vec("[a-z]{1,9}", 1..5)) {
        let name = own(&labels.join("."));
        prop_assert!(matches!(srv(&query(&name, RecordType::SRV), &name), Err(AnswerError::Malformed(_))));
    }
}

#[test]
fn name_servers_are_the_zones_own() {
    let zone = own("corp.example.");
    let answer = |edit: &dyn Fn(&mut Message)| {
        let mut message = Message::response(0, OpCode::Query);
        message.metadata.authoritative = true;
        message.add_query(Query::query(wire("corp.example."), RecordType::NS));
        edit(&mut message);
        encode(&message)
    };
    let ns = |target: &str| record("corp.example.", 60, RData::NS(NS(wire(target))));
    let two = answer(&|message| {
        message.add_answer(ns("ns2.corp.example."));
        message.add_answer(ns("ns1.corp.example."));
    });
    assert_eq!(
        name_servers(&two, &zone),
        Ok(vec![own("ns1.corp.example."), own("ns2.corp.example.")])
    );
    let with_addresses = answer(&|message| {
        message.add_answer(ns("ns1.corp.example."));
        message.add_answer(ns("ns2.corp.example."));
        let address =
            |name: &str, last| record(name, 60, RData::A(Ipv4Addr::new(192, 0, 2, last).into()));
        message.add_additional(address("NS1.corp.example.", 1));
        message.add_additional(address("ns3.corp.example.", 3));
    });
    assert_eq!(
        name_servers_and_addresses(&with_addresses, &zone),
        Ok(vec![
            (own("ns1.corp.example."), vec!["192.0.2.1".parse().unwrap()]),
            (own("ns2.corp.example."), vec![]),
        ])
    );
    let none = answer(&|message| {
        message.add_authority(soa_record("corp.example."));
    });
    assert_eq!(name_servers(&none, &zone), Ok(vec![]));
    // The parent's word on its child is a referral, not an answer.
    let referral = answer(&|message| {
        message.metadata.authoritative = false;
        message.add_authority(ns("ns1.corp.example."));
    });
    assert!(matches!(
        name_servers(&referral, &zone),
        Err(AnswerError::Referral { .. })
    ));
    assert_eq!(
        delegation(&referral, &zone),
        Ok(vec![own("ns1.corp.example.")])
    );
    assert_eq!(delegation(&none, &zone), Ok(vec![]));
    assert_eq!(delegation(&two, &zone).map(|names| names.len()), Ok(2));
}

#[test]
fn the_software_is_what_the_server_calls_itself() {
    let says = |text: &str| {
        let mut message = Message::response(0, OpCode::Query);
        let mut answer = record(
            "version.bind.",
            0,
            RData::TXT(hickory_proto::rr::rdata::TXT::new(vec![text.to_owned()])),
        );
        answer.dns_class = DNSClass::CH;
        message.add_answer(answer);
        version(&encode(&message))
    };
    assert_eq!(says("Knot DNS 3.2.6").as_deref(), Some("Knot DNS 3.2.6"));
    assert_eq!(says("9.18\u{1b}[2J").as_deref(), Some("9.18[2J"));
    assert_eq!(says(" "), None);
    assert_eq!(says(&"x".repeat(200)).map(|said| said.len()), Some(60));
    let refused = encode(&Message::response(0, OpCode::Query));
    assert_eq!(version(&refused), None);
    assert_eq!(version(b"x"), None);
}
