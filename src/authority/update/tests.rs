//! Tables: a zone, a script in nsupdate's words, and what comes of it.

use std::str::FromStr as _;

use hickory_proto::rr::Name;
use hickory_proto::serialize::txt::Parser;
use proptest::prelude::*;

use super::*;
use crate::authority::records::{all, collect};
use crate::authority::snapshot;

const ZONE: &str = "\
$ORIGIN corp.example.
@ 300 IN SOA ns hostmaster 7 60 60 600 30
@ 300 IN NS ns
ns 300 IN A 192.0.2.1
alias 300 IN CNAME ns
_vlmcs._tcp 3600 IN SRV 0 0 1688 kms1
_vlmcs._tcp 3600 IN SRV 0 0 1688 kms2
";

fn parse(text: &str) -> Vec<Record> {
    let (_, sets) = Parser::new(text, None, Some(Name::root())).parse().unwrap();
    sets.into_values().flatten().collect()
}

fn zone() -> Records {
    collect(parse(ZONE))
}

fn origin() -> LowerName {
    LowerName::from_str("corp.example.").unwrap()
}

/// A record in the given class, its data left out when `text` has none: `name type [data]`.
fn record(class: DNSClass, ttl: u32, text: &str) -> Record {
    let (name, rest) = text.split_once(' ').unwrap();
    let mut record = match rest.split_once(' ') {
        Some((record_type, data)) => {
            parse(&format!("{name} 0 IN {record_type} {data}\n")).remove(0)
        }
        None => {
            let record_type = match rest {
                "ANY" => RecordType::ANY,
                "AXFR" => RecordType::AXFR,
                other => RecordType::from_str(other).unwrap(),
            };
            Record::update0(Name::from_ascii(name).unwrap(), 0, record_type)
        }
    };
    record.name = Name::from_ascii(name).unwrap();
    record.dns_class = class;
    record.ttl = ttl;
    record
}

/// One line of an update: `add NAME TTL TYPE DATA` or `delete NAME [TYPE [DATA]]`.
fn update(line: &str) -> Record {
    let (verb, rest) = line.split_once(' ').unwrap();
    match verb {
        "add" => {
            let mut fields = rest.splitn(3, ' ');
            let name = fields.next().unwrap();
            let ttl = fields.next().unwrap().parse().unwrap();
            record(
                DNSClass::IN,
                ttl,
                &format!("{name} {}", fields.next().unwrap()),
            )
        }
        "delete" => match rest.split(' ').count() {
            1 => record(DNSClass::ANY, 0, &format!("{rest} ANY")),
            2 => record(DNSClass::ANY, 0, rest),
            _ => record(DNSClass::NONE, 0, rest),
        },
        other => panic!("{other}"),
    }
}

/// The records of a zone, the SOA by its serial.
fn plain(records: &Records) -> Vec<String> {
    all(records)
        .map(|record| match &record.data {
            RData::SOA(soa) => format!("serial {}", soa.serial),
            _ => snapshot::plain(record),
        })
        .collect()
}

/// What an update takes away and adds, as lines with `-` and `+`; empty when nothing changes.
fn change(lines: &[&str]) -> Vec<String> {
    let updates: Vec<Record> = lines.iter().map(|line| update(line)).collect();
    prescan(&origin(), &updates).unwrap();
    let before = zone();
    let Some(after) = apply(&before, &origin(), &updates) else {
        return Vec::new();
    };
    assert!(
        after.values().all(|set| !set.is_empty()),
        "an empty RRset is left"
    );
    let (before, after) = (plain(&before), plain(&after));
    let gone = before.iter().filter(|line| !after.contains(line));
    let new = after.iter().filter(|line| !before.contains(line));
    gone.map(|line| format!("-{line}"))
        .chain(new.map(|line| format!("+{line}")))
        .collect()
}

/// Class, TTL, and the record as [`record`] reads it.
type Prerequisite = (DNSClass, u32, String);

#[test]
fn prerequisites() {
    use ResponseCode::{FormErr, NXDomain, NXRRSet, NoError, NotZone, YXDomain, YXRRSet};
    const SRV: &str = "_vlmcs._tcp.corp.example. SRV";
    let kms = |host| format!("{SRV} 0 0 1688 {host}.corp.example.");
    let (any, none, data) = (DNSClass::ANY, DNSClass::NONE, DNSClass::IN);
    let table: Vec<(Vec<Prerequisite>, ResponseCode)> = vec![
        (vec![], NoError),
        // RRset exists, value independent (§2.4.1).
        (vec![(any, 0, SRV.into())], NoError),
        (vec![(any, 0, "ns.corp.example. SRV".into())], NXRRSet),
        // RRset exists, value dependent (§2.4.2): all of it and nothing else.
        (
            vec![(data, 0, kms("kms1")), (data, 0, kms("kms2"))],
            NoError,
        ),
        (
            vec![(data, 0, kms("kms2")), (data, 0, kms("kms1"))],
            NoError,
        ),
        (
            vec![(data, 0, kms("KMS1")), (data, 0, kms("Kms2"))],
            NoError,
        ),
        (
            vec![
                (data, 0, kms("kms1")),
                (data, 0, kms("kms2")),
                (data, 0, kms("kms2")),
            ],
            NoError,
        ),
        (vec![(data, 0, kms("kms1"))], NXRRSet),
        (
            vec![
                (data, 0, kms("kms1")),
                (data, 0, kms("kms2")),
                (data, 0, kms("kms3")),
            ],
            NXRRSet,
        ),
        (
            vec![(data, 0, kms("kms1")), (data, 0, kms("kms3"))],
            NXRRSet,
        ),
        (
            vec![(data, 0, "x.corp.example. A 192.0.2.9".into())],
            NXRRSet,
        ),
        // RRset does not exist (§2.4.3).
        (vec![(none, 0, SRV.into())], YXRRSet),
        (vec![(none, 0, "ns.corp.example. SRV".into())], NoError),
        // Name is in use (§2.4.4), which an empty non-terminal is not.
        (vec![(any, 0, "NS.corp.example. ANY".into())], NoError),
        (vec![(any, 0, "x.corp.example. ANY".into())], NXDomain),
        (vec![(any, 0, "_tcp.corp.example. ANY".into())], NXDomain),
        // Name is not in use (§2.4.5).
        (vec![(none, 0, "x.corp.example. ANY".into())], NoError),
        (vec![(none, 0, "_tcp.corp.example. ANY".into())], NoError),
        (vec![(none, 0, "ns.corp.example. ANY".into())], YXDomain),
        // Malformed ones.
        (vec![(any, 1, SRV.into())], FormErr),
        (vec![(any, 0, kms("kms1"))], FormErr),
        (vec![(none, 0, kms("kms1"))], FormErr),
        (vec![(data, 0, SRV.into())], FormErr),
        (vec![(DNSClass::CH, 0, SRV.into())], FormErr),
        (vec![(any, 0, "ns.other.example. A".into())], NotZone),
        // The first that does not hold decides.
        (
            vec![
                (none, 0, SRV.into()),
                (any, 0, "x.corp.example. ANY".into()),
            ],
            YXRRSet,
        ),
    ];
    for (prerequisites, expected) in table {
        let records: Vec<Record> = prerequisites
            .iter()
            .map(|(class, ttl, text)| record(*class, *ttl, text))
            .collect();
        let checked = check_prerequisites(&zone(), &origin(), &records);
        assert_eq!(
            checked.err().unwrap_or(NoError),
            expected,
            "{prerequisites:?}"
        );
    }
}

#[test]
fn prescans() {
    use ResponseCode::{FormErr, NoError, NotZone};
    let (any, none, data) = (DNSClass::ANY, DNSClass::NONE, DNSClass::IN);
    for (class, ttl, text, expected) in [
        (data, 60, "a.corp.example. A 192.0.2.9", NoError),
        (any, 0, "a.corp.example. A", NoError),
        (any, 0, "a.corp.example. ANY", NoError),
        (none, 0, "a.corp.example. A 192.0.2.9", NoError),
        (data, 60, "a.corp.example. A", FormErr),
        (data, 60, "a.corp.example. ANY", FormErr),
        (any, 60, "a.corp.example. A", FormErr),
        (any, 0, "a.corp.example. A 192.0.2.9", FormErr),
        (any, 0, "a.corp.example. AXFR", FormErr),
        (none, 60, "a.corp.example. A 192.0.2.9", FormErr),
        (none, 0, "a.corp.example. A", FormErr),
        (none, 0, "a.corp.example. ANY", FormErr),
        (DNSClass::CH, 0, "a.corp.example. A 192.0.2.9", FormErr),
        (data, 60, "a.other.example. A 192.0.2.9", NotZone),
    ] {
        let scanned = prescan(&origin(), &[record(class, ttl, text)]);
        assert_eq!(
            scanned.err().unwrap_or(NoError),
            expected,
            "{class} {ttl} {text}"
        );
    }
}

#[test]
fn updates() {
    let table: &[(&[&str], &[&str])] = &[
        // Additions (§3.4.2.2).
        (
            &["add new.corp.example. 60 A 192.0.2.9"],
            &[
                "-serial 7",
                "+serial 8",
                "+new.corp.example. 60 A 192.0.2.9",
            ],
        ),
        // The same again changes nothing, and the serial stays.
        (&["add ns.corp.example. 300 A 192.0.2.1"], &[]),
        // Another TTL becomes that of the whole RRset.
        (
            &["add _vlmcs._tcp.corp.example. 60 SRV 0 0 1688 kms1.corp.example."],
            &[
                "-serial 7",
                "-_vlmcs._tcp.corp.example. 3600 SRV 0 0 1688 kms1.corp.example.",
                "-_vlmcs._tcp.corp.example. 3600 SRV 0 0 1688 kms2.corp.example.",
                "+serial 8",
                "+_vlmcs._tcp.corp.example. 60 SRV 0 0 1688 kms1.corp.example.",
                "+_vlmcs._tcp.corp.example. 60 SRV 0 0 1688 kms2.corp.example.",
            ],
        ),
        // A TTL with the highest bit set counts as 0.
        (
            &["add new.corp.example. 2147483648 A 192.0.2.9"],
            &["-serial 7", "+serial 8", "+new.corp.example. 0 A 192.0.2.9"],
        ),
        // CNAME and other data exclude each other, silently.
        (&["add alias.corp.example. 60 A 192.0.2.9"], &[]),
        (&["add ns.corp.example. 60 CNAME kms1.corp.example."], &[]),
        (&["add corp.example. 60 CNAME kms1.corp.example."], &[]),
        // A second CNAME takes the first one's place.
        (
            &["add alias.corp.example. 300 CNAME kms1.corp.example."],
            &[
                "-serial 7",
                "-alias.corp.example. 300 CNAME ns.corp.example.",
                "+serial 8",
                "+alias.corp.example. 300 CNAME kms1.corp.example.",
            ],
        ),
        // An SOA counts at the apex and when its serial is not behind; it is then not raised.
        (
            &["add corp.example. 300 SOA ns.corp.example. x.corp.example. 6 1 1 1 1"],
            &[],
        ),
        (
            &["add x.corp.example. 300 SOA ns.corp.example. x.corp.example. 9 1 1 1 1"],
            &[],
        ),
        (
            &["add corp.example. 300 SOA ns.corp.example. x.corp.example. 90 1 1 1 1"],
            &["-serial 7", "+serial 90"],
        ),
        (
            &["add corp.example. 300 SOA ns.corp.example. x.corp.example. 7 1 1 1 1"],
            &["-serial 7", "+serial 8"],
        ),
        // Deletions of names (§3.4.2.3).
        (
            &["delete alias.corp.example."],
            &[
                "-serial 7",
                "-alias.corp.example. 300 CNAME ns.corp.example.",
                "+serial 8",
            ],
        ),
        (&["delete nobody.corp.example."], &[]),
        (&["delete corp.example."], &[]),
        (
            &[
                "add corp.example. 60 A 192.0.2.9",
                "add new.corp.example. 60 A 192.0.2.9",
                "delete corp.example.",
            ],
            &[
                "-serial 7",
                "+serial 8",
                "+new.corp.example. 60 A 192.0.2.9",
            ],
        ),
        // Deletions of RRsets (§3.4.2.3).
        (
            &["delete _VLMCS._tcp.corp.example. SRV"],
            &[
                "-serial 7",
                "-_vlmcs._tcp.corp.example. 3600 SRV 0 0 1688 kms1.corp.example.",
                "-_vlmcs._tcp.corp.example. 3600 SRV 0 0 1688 kms2.corp.example.",
                "+serial 8",
            ],
        ),
        (&["delete corp.example. SOA"], &[]),
        (&["delete corp.example. NS"], &[]),
        // Deletions of records (§3.4.2.4).
        (
            &["delete _vlmcs._tcp.corp.example. SRV 0 0 1688 kms1.corp.example."],
            &[
                "-serial 7",
                "-_vlmcs._tcp.corp.example. 3600 SRV 0 0 1688 kms1.corp.example.",
                "+serial 8",
            ],
        ),
        (
            &["delete _vlmcs._tcp.corp.example. SRV 0 0 1 kms1.corp.example."],
            &[],
        ),
        (
            &["delete corp.example. SOA ns.corp.example. hostmaster.corp.example. 7 60 60 600 30"],
            &[],
        ),
        (&["delete corp.example. NS ns.corp.example."], &[]),
        (
            &[
                "add corp.example. 300 NS ns2.corp.example.",
                "delete corp.example. NS ns.corp.example.",
            ],
            &[
                "-serial 7",
                "-corp.example. 300 NS ns.corp.example.",
                "+serial 8",
                "+corp.example. 300 NS ns2.corp.example.",
            ],
        ),
        (
            &["delete ns.corp.example. A 192.0.2.1"],
            &[
                "-serial 7",
                "-ns.corp.example. 300 A 192.0.2.1",
                "+serial 8",
            ],
        ),
        // What cancels itself changes nothing.
        (
            &[
                "add new.corp.example. 60 A 192.0.2.9",
                "delete new.corp.example. A",
            ],
            &[],
        ),
        (
            &[
                "delete ns.corp.example. A",
                "add ns.corp.example. 300 A 192.0.2.1",
            ],
            &[],
        ),
        // Lines are carried out in order.
        (
            &[
                "delete ns.corp.example. A",
                "add ns.corp.example. 60 A 192.0.2.1",
            ],
            &[
                "-serial 7",
                "-ns.corp.example. 300 A 192.0.2.1",
                "+serial 8",
                "+ns.corp.example. 60 A 192.0.2.1",
            ],
        ),
    ];
    for (lines, expected) in table {
        let mut changed = change(lines);
        changed.sort();
        let mut expected = expected.to_vec();
        expected.sort_unstable();
        assert_eq!(changed, expected, "{lines:?}");
    }
}

#[test]
fn a_new_letter_case_is_a_change() {
    let mut upper = update("add _vlmcs._tcp.corp.example. 3600 SRV 0 0 1688 kms1.corp.example.");
    let RData::SRV(srv) = &mut upper.data else {
        panic!("no SRV");
    };
    srv.target = Name::from_ascii("KMS1.corp.example.").unwrap();
    let after = apply(&zone(), &origin(), &[upper]).unwrap();
    assert!(
        plain(&after)
            .contains(&"_vlmcs._tcp.corp.example. 3600 SRV 0 0 1688 KMS1.corp.example.".to_owned())
    );
    assert_eq!(soa(&after, &origin()).unwrap().1.serial, 8);
}

#[test]
fn serials_wrap_past_zero() {
    for (old, expected) in [(7, 8), (u32::MAX - 1, u32::MAX), (u32::MAX, 1), (0, 1)] {
        let mut before = zone();
        let (record, data) = soa(&before, &origin()).unwrap();
        let (mut record, mut data) = (record.clone(), data.clone());
        data.serial = old;
        record.data = RData::SOA(data);
        put(
            &mut before,
            key(&record.name, RecordType::SOA),
            300,
            vec![record.clone()],
        );
        let after = apply(&before, &origin(), &[update("delete alias.corp.example.")]).unwrap();
        let raised = soa(&after, &origin()).unwrap().1.serial;
        assert_eq!(raised, expected);
        assert!(SerialNumber::new(raised) > SerialNumber::new(old));
    }
}

/// Lines over few names and values, so that they meet.
fn any_line() -> impl Strategy<Value = String> {
    let name = prop::sample::select(vec![
        "corp.example.",
        "ns.corp.example.",
        "a.corp.example.",
        "alias.corp.example.",
    ]);
    let data = prop::sample::select(vec![
        "A 192.0.2.1",
        "A 192.0.2.2",
        "CNAME ns.corp.example.",
        "NS ns.corp.example.",
        "NS a.corp.example.",
        "SOA ns.corp.example. x.corp.example. 8 1 1 1 1",
    ]);
    (name, data, 0_u32..2, 0..4).prop_map(|(name, data, ttl, verb)| match verb {
        0 | 1 => format!("add {name} {ttl} {data}"),
        2 => format!("delete {name} {data}"),
        _ => format!("delete {name} {}", data.split(' ').next().unwrap()),
    })
}

proptest! {
    #[test]
    fn a_zone_stays_a_zone(lines in prop::collection::vec(any_line(), 0..12)) {
        let updates: Vec<Record> = lines.iter().map(|line| update(line)).collect();
        let before = zone();
        let old = SerialNumber::new(soa(&before, &origin()).unwrap().1.serial);
        if let Some(after) = apply(&before, &origin(), &updates) {
            prop_assert_eq!(crate::authority::records::check(&after).map(|name| LowerName::new(&name)), Ok(origin()));
            prop_assert!(SerialNumber::new(soa(&after, &origin()).unwrap().1.serial) > old);
            for set in after.values() {
                prop_assert!(!set.is_empty());
                prop_assert!(set.records_without_rrsigs().all(|record| record.ttl == set.ttl()));
            }
        }
    }
}
