//! Observation against scripted servers on loopback: a table of answers each.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use hickory_proto::op::{Message, OpCode, ResponseCode};
use hickory_proto::rr::rdata::{CNAME, NULL, SOA, SRV};
use hickory_proto::rr::{RData, Record};
use hickory_proto::serialize::binary::{BinEncodable, BinEncoder};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;

use super::*;
use crate::dns::exchange::Settings;
use crate::model::{Changes, Expect, Foreign, Policy, Publisher};
use crate::wire::convert;

const OWNER: &str = "_vlmcs._tcp.corp.example.";
const CHILD_NAME: &str = "_srvkeeper._vlmcs._tcp.corp.example.";
const SRV_TYPE: RecordType = RecordType::SRV;
const SOA_TYPE: RecordType = RecordType::SOA;

/// What the server says to one question.
#[derive(Clone)]
enum Reply {
    Answer(Vec<Record>),
    /// The code, and the zone whose SOA proves it.
    Negative(ResponseCode, &'static str),
    Code(ResponseCode),
}

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn wire(text: &str) -> hickory_proto::rr::Name {
    convert::to_hickory(&name(text)).unwrap()
}

fn srv_records(owner: &str, targets: &[&str]) -> Reply {
    let record = |target: &&str| {
        let data = SRV::new(0, 0, 1688, wire(target));
        Record::from_rdata(wire(owner), 3600, RData::SRV(data))
    };
    Reply::Answer(targets.iter().map(record).collect())
}

fn soa_record(zone: &str) -> Record {
    let soa = SOA::new(
        wire("ns1.corp.example."),
        wire("root.corp.example."),
        42,
        1,
        1,
        1,
        1,
    );
    Record::from_rdata(wire(zone), 60, RData::SOA(soa))
}

fn nxdomain() -> Reply {
    Reply::Negative(ResponseCode::NXDomain, "corp.example.")
}

fn nodata() -> Reply {
    Reply::Negative(ResponseCode::NoError, "corp.example.")
}

fn refused() -> Reply {
    Reply::Code(ResponseCode::Refused)
}

type Question = (String, RecordType);

/// Serves the table; what is not in it is answered with `otherwise`. Tells every question.
async fn server(
    table: &[(&str, RecordType, Reply)],
    otherwise: Reply,
) -> (Exchange, mpsc::UnboundedReceiver<Question>) {
    let table: BTreeMap<Question, Reply> = table
        .iter()
        .map(|(name, record_type, reply)| (((*name).to_owned(), *record_type), reply.clone()))
        .collect();
    let table = Arc::new(table);
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    let (asked, questions) = mpsc::unbounded_channel();
    tokio::spawn(async move {
        while let Ok((stream, _)) = listener.accept().await {
            serve(stream, &table, &otherwise, &asked).await;
        }
    });
    (Exchange::new(address, None, Settings::default()), questions)
}

async fn serve(
    mut stream: TcpStream,
    table: &BTreeMap<Question, Reply>,
    otherwise: &Reply,
    asked: &mpsc::UnboundedSender<Question>,
) {
    while let Ok(length) = stream.read_u16().await {
        let mut request = vec![0; usize::from(length)];
        stream.read_exact(&mut request).await.unwrap();
        let request = Message::from_vec(&request).unwrap();
        let query = request.queries[0].clone();
        let question = (query.name().to_string(), query.query_type());
        let reply = table.get(&question).unwrap_or(otherwise);
        let _ = asked.send(question);
        let mut message = Message::response(request.metadata.id, OpCode::Query);
        message.metadata.authoritative = true;
        message.add_query(query);
        match reply {
            Reply::Answer(records) => message.answers.clone_from(records),
            Reply::Negative(code, zone) => {
                message.metadata.response_code = *code;
                message.add_authority(soa_record(zone));
            }
            Reply::Code(code) => message.metadata.response_code = *code,
        }
        let mut octets = Vec::new();
        message.emit(&mut BinEncoder::new(&mut octets)).unwrap();
        stream
            .write_u16(u16::try_from(octets.len()).unwrap())
            .await
            .unwrap();
        stream.write_all(&octets).await.unwrap();
    }
}

fn zone() -> Zone {
    Zone {
        name: name("corp.example."),
        owner: name(OWNER),
        ttl: 3600,
        expect: Expect::Hosts,
        standby_below: 1,
        policy: Arc::new(Policy {
            changes: Changes::Sync,
            foreign: Foreign::Report,
            publisher: Publisher::Sole,
            min_hosts: 1,
            max_removals: 1,
            freeze_percent: 50,
            refresh: None,
        }),
        hosts: Arc::from([]),
        servers: Arc::from([]),
        key: None,
    }
}

/// Observes with this table, and returns the questions that were asked, too.
async fn observe_with(
    table: &[(&str, RecordType, Reply)],
    otherwise: Reply,
) -> (Result<Observed, Cause>, Vec<Question>) {
    let (exchange, mut questions) = server(table, otherwise).await;
    let result = observe(&exchange, &zone()).await;
    let mut asked = Vec::new();
    while let Ok(question) = questions.try_recv() {
        asked.push(question);
    }
    let result = result.map_err(|error| {
        assert_eq!(error.zone, name("corp.example."));
        let [(server, cause)] = &error.tried[..] else {
            panic!("{error}");
        };
        assert_eq!(*server, exchange.server());
        cause.clone()
    });
    (result, asked)
}

fn targets(observed: &Observed) -> Vec<String> {
    let targets = observed.records.iter().map(|srv| srv.target.to_string());
    targets.collect()
}

#[tokio::test]
async fn two_questions_read_a_zone() {
    let records = srv_records(OWNER, &["kms2.corp.example.", "KMS1.corp.example."]);
    let (result, asked) = observe_with(
        &[
            (OWNER, SRV_TYPE, records),
            (CHILD_NAME, SOA_TYPE, nxdomain()),
        ],
        refused(),
    )
    .await;
    let observed = result.unwrap();
    assert_eq!(
        targets(&observed),
        ["KMS1.corp.example.", "kms2.corp.example."]
    );
    assert_eq!((observed.ttl, observed.mixed_ttl), (Some(3600), false));
    assert_eq!(observed.update_zone, name("corp.example."));
    assert_eq!(observed.serial, 42);
    assert_eq!(asked.len(), 2, "{asked:?}");
}

#[tokio::test]
async fn no_records_are_an_observation_with_their_own_soa() {
    for child in [nxdomain(), nodata(), refused()] {
        let (result, asked) = observe_with(
            &[(OWNER, SRV_TYPE, nxdomain()), (CHILD_NAME, SOA_TYPE, child)],
            refused(),
        )
        .await;
        let observed = result.unwrap();
        assert_eq!((observed.ttl, observed.records.len()), (None, 0));
        assert_eq!(observed.update_zone, name("corp.example."));
        assert_eq!(asked.len(), 2, "{asked:?}");
    }
}

#[tokio::test]
async fn records_of_a_wildcard_are_an_error() {
    let kms = &["kms1.corp.example."];
    for wildcard in ["*._tcp.corp.example.", "*.corp.example."] {
        let (result, _) = observe_with(
            &[
                (OWNER, SRV_TYPE, srv_records(OWNER, kms)),
                (CHILD_NAME, SOA_TYPE, nodata()),
                (wildcard, SRV_TYPE, srv_records(wildcard, kms)),
            ],
            nxdomain(),
        )
        .await;
        let expected = Cause::Wildcard {
            owner: name(OWNER),
            wildcard: name(wildcard),
        };
        assert_eq!(result, Err(expected));
    }
}

#[tokio::test]
async fn nodata_for_everything_and_other_wildcards_are_no_wildcard() {
    let other = srv_records("*._tcp.corp.example.", &["other.corp.example."]);
    let alias = CNAME(wire("other.corp.example."));
    let alias = Record::from_rdata(wire("*.corp.example."), 60, RData::CNAME(alias));
    let (result, asked) = observe_with(
        &[
            (OWNER, SRV_TYPE, srv_records(OWNER, &["kms1.corp.example."])),
            ("*._tcp.corp.example.", SRV_TYPE, other),
            ("*.corp.example.", SRV_TYPE, Reply::Answer(vec![alias])),
        ],
        nodata(),
    )
    .await;
    assert_eq!(targets(&result.unwrap()), ["kms1.corp.example."]);
    // Neither above the apex nor below the owner.
    assert_eq!(asked.len(), 4, "{asked:?}");
}

#[tokio::test]
async fn a_wildcard_that_cannot_be_read_is_an_error() {
    let (result, _) = observe_with(
        &[
            (OWNER, SRV_TYPE, srv_records(OWNER, &["kms1.corp.example."])),
            (CHILD_NAME, SOA_TYPE, nodata()),
        ],
        refused(),
    )
    .await;
    assert!(
        matches!(
            &result,
            Err(Cause::Answer(AnswerError::Rcode {
                rcode: Rcode::REFUSED,
                ..
            }))
        ),
        "{result:?}"
    );
}

#[tokio::test]
async fn an_odd_answer_for_the_child_is_replaced_by_the_soa_upwards() {
    let apex = Reply::Answer(vec![soa_record("corp.example.")]);
    let (result, asked) = observe_with(
        &[
            (OWNER, SRV_TYPE, srv_records(OWNER, &["kms1.corp.example."])),
            ("corp.example.", SOA_TYPE, apex),
            ("*._tcp.corp.example.", SRV_TYPE, nxdomain()),
            ("*.corp.example.", SRV_TYPE, nxdomain()),
        ],
        refused(),
    )
    .await;
    assert_eq!(result.unwrap().update_zone, name("corp.example."));
    let soas = asked
        .iter()
        .filter(|(_, record_type)| *record_type == SOA_TYPE);
    let soas: Vec<&str> = soas.map(|(name, _)| name.as_str()).collect();
    assert_eq!(
        soas,
        [CHILD_NAME, OWNER, "_tcp.corp.example.", "corp.example."]
    );

    let (result, asked) = observe_with(
        &[(OWNER, SRV_TYPE, srv_records(OWNER, &["kms1.corp.example."]))],
        refused(),
    )
    .await;
    assert!(matches!(
        result,
        Err(Cause::Answer(AnswerError::Rcode { .. }))
    ));
    // The child, the owner, three labels above it, and the root.
    assert_eq!(asked.len(), 1 + 1 + 1 + 4, "{asked:?}");
}

#[tokio::test]
async fn the_update_zone_may_be_cut_anywhere_at_or_above_the_owner() {
    for zone in [OWNER, "_tcp.corp.example.", "example."] {
        let records = srv_records(OWNER, &["kms1.corp.example."]);
        let child = Reply::Negative(ResponseCode::NXDomain, zone);
        let (result, _) = observe_with(
            &[(OWNER, SRV_TYPE, records), (CHILD_NAME, SOA_TYPE, child)],
            refused(),
        )
        .await;
        assert_eq!(result.unwrap().update_zone, name(zone));
    }
}

#[tokio::test]
async fn two_zones_are_an_error() {
    let below = Reply::Negative(ResponseCode::NXDomain, "_tcp.corp.example.");
    let (result, _) = observe_with(
        &[(OWNER, SRV_TYPE, nxdomain()), (CHILD_NAME, SOA_TYPE, below)],
        refused(),
    )
    .await;
    let expected = Cause::ZonesDiffer {
        owner: name(OWNER),
        first: name("corp.example."),
        second: name("_tcp.corp.example."),
    };
    assert_eq!(result, Err(expected));
}

#[tokio::test]
async fn aliases_are_errors() {
    let alias = |owner: &str| {
        let target = CNAME(wire("elsewhere.example."));
        Record::from_rdata(wire(owner), 60, RData::CNAME(target))
    };
    let (result, _) = observe_with(
        &[
            (OWNER, SRV_TYPE, Reply::Answer(vec![alias(OWNER)])),
            (CHILD_NAME, SOA_TYPE, nxdomain()),
        ],
        refused(),
    )
    .await;
    assert!(
        matches!(
            &result,
            Err(Cause::Answer(AnswerError::Alias { dname: None, .. }))
        ),
        "{result:?}"
    );

    let dname = RData::Unknown {
        code: RecordType::DNAME,
        rdata: NULL::with(name("elsewhere.example.").wire().to_vec()),
    };
    let dname = Record::from_rdata(wire(OWNER), 60, dname);
    let (result, _) = observe_with(
        &[
            (OWNER, SRV_TYPE, srv_records(OWNER, &["kms1.corp.example."])),
            (
                CHILD_NAME,
                SOA_TYPE,
                Reply::Answer(vec![dname, alias(CHILD_NAME)]),
            ),
        ],
        refused(),
    )
    .await;
    assert!(
        matches!(
            &result,
            Err(Cause::Answer(AnswerError::Alias { dname: Some(_), .. }))
        ),
        "{result:?}"
    );
}

#[tokio::test]
async fn an_alias_that_only_its_own_question_shows_is_an_error() {
    let alias = CNAME(wire("elsewhere.example."));
    let alias = Record::from_rdata(wire(OWNER), 60, RData::CNAME(alias));
    let hidden = (OWNER, RecordType::CNAME, Reply::Answer(vec![alias]));
    let child = (CHILD_NAME, SOA_TYPE, nxdomain());

    let (result, _) = observe_with(&[hidden, child.clone()], nodata()).await;
    assert!(
        matches!(&result, Err(Cause::Answer(AnswerError::Alias { .. }))),
        "{result:?}"
    );

    let (result, questions) = observe_with(&[child], nodata()).await;
    assert_eq!(result.unwrap().ttl, None);
    assert_eq!(questions.len(), 3);
}

#[tokio::test]
async fn the_next_server_is_tried_when_one_does_not_serve_the_zone() {
    let (refusing, _) = server(&[], refused()).await;
    let (failing, _) = server(&[], Reply::Code(ResponseCode::ServFail)).await;
    let (empty, _) = server(&[], nxdomain()).await;
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let gone = Exchange::new(address, None, Settings::default());

    let observed = observe_first([&refusing, &failing, &empty], &zone()).await;
    let (observed, tried) = observed.unwrap();
    assert_eq!(observed.server, empty.server());
    let before: Vec<_> = tried.iter().map(|(server, _cause)| *server).collect();
    assert_eq!(before, [refusing.server(), failing.server()]);

    let error = observe_first([&refusing, &gone, &failing], &zone()).await;
    let text = error.unwrap_err().to_string();
    assert!(
        text.starts_with("zone corp.example. cannot be read: "),
        "{text}"
    );
    for (exchange, cause) in [
        (&refusing, "REFUSED"),
        (&gone, "TCP"),
        (&failing, "SERVFAIL"),
    ] {
        let server = format!("{}: ", exchange.server());
        let (_, after) = text.split_once(&server).expect(&text);
        assert!(after.contains(cause), "{text}");
    }
}

#[tokio::test]
async fn an_error_about_the_zone_ends_the_search() {
    let (incomplete, _) = server(&[], Reply::Code(ResponseCode::NoError)).await;
    let (empty, mut asked) = server(&[], nxdomain()).await;
    let error = observe_first([&incomplete, &empty], &zone())
        .await
        .unwrap_err();
    assert_eq!(
        error.tried,
        [(
            incomplete.server(),
            Cause::Answer(AnswerError::NoSoa(name(OWNER)))
        )]
    );
    assert!(asked.try_recv().is_err());

    let nowhere: [&Exchange; 0] = [];
    let error = observe_first(nowhere, &zone()).await.unwrap_err();
    assert!(error.to_string().contains("no server"), "{error}");
}

#[tokio::test(start_paused = true)]
async fn a_server_that_says_nothing_costs_one_time_out() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let silent = Exchange::new(listener.local_addr().unwrap(), None, Settings::default());
    let (empty, _) = server(&[], nxdomain()).await;
    let began = tokio::time::Instant::now();
    let (observed, _tried) = observe_first([&silent, &empty], &zone()).await.unwrap();
    assert_eq!(observed.server, empty.server());
    assert!(began.elapsed() < Duration::from_secs(6));
}
