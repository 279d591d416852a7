use std::str::FromStr as _;

use hickory_proto::rr::rdata::{A, NULL, SRV, TXT};
use hickory_proto::rr::{Name as WireName, RecordType};
use proptest::prelude::*;

use super::*;

fn owner(text: &str) -> WireName {
    WireName::from_ascii(text).unwrap()
}

fn records() -> Records {
    let mut upper = SRV::new(0, 0, 1688, owner("KMS1.Corp.example."));
    upper.weight = 5;
    collect([
        Record::from_rdata(owner("_vlmcs._tcp.Corp.example."), 3600, RData::SRV(upper)),
        Record::from_rdata(
            owner("corp.example."),
            60,
            RData::A(A::from_str("192.0.2.1").unwrap()),
        ),
        Record::from_rdata(
            WireName::from_labels([&b"od d;\n"[..], b"corp", b"example"]).unwrap(),
            60,
            RData::TXT(TXT::from_bytes(vec![b"two \"words\"\n\xff", b""])),
        ),
        Record::from_rdata(
            owner("any.corp.example."),
            0,
            RData::Unknown {
                code: RecordType::from(65_280),
                rdata: NULL::with(vec![0, 1, 2]),
            },
        ),
    ])
}

#[test]
fn reads_as_people_do() {
    assert_eq!(
        write(&records()).unwrap().strip_prefix(HEAD).unwrap(),
        "\
corp.example. 60 IN TYPE1 \\# 4 c0000201 ; A 192.0.2.1
_vlmcs._tcp.Corp.example. 3600 IN TYPE33 \\# 25 000000050698044b4d533104436f7270076578616d706c6500 ; SRV 0 5 1688 KMS1.Corp.example.
any.corp.example. 0 IN TYPE65280 \\# 3 000102 ; Unknown AAEC
od\\032d\\;\\010.corp.example. 60 IN TYPE16 \\# 15 0d74776f2022776f726473220aff00 ; TXT two \"words\" \u{fffd}
"
    );
}

#[test]
fn letter_case_survives() {
    let text = write(&records()).unwrap();
    let again = read(&text).unwrap();
    assert_eq!(again, records());
    assert_eq!(write(&again).unwrap(), text);
}

#[test]
fn names_the_line_that_is_no_record() {
    let good = "a. 1 IN TYPE1 \\# 4 c0000201 ; A 192.0.2.1\n";
    for bad in [
        "a.",
        "a. x IN TYPE1 \\# 4 c0000201",
        "a. 1 CH TYPE1 \\# 4 c0000201",
        "a. 1 IN A 192.0.2.1",
        "a. 1 IN TYPE1 \\# 5 c0000201",
        "a. 1 IN TYPE1 \\# 4 c000020x",
        "a. 1 IN TYPE1 \\# 3 c00002",
        "a..b 1 IN TYPE1 \\# 4 c0000201",
    ] {
        assert_eq!(
            read(&format!("{HEAD}{good}\n{bad}\n{good}")),
            Err(SnapshotError { line: 5 }),
            "{bad}"
        );
    }
}

proptest! {
    #[test]
    fn no_text_panics(text in any::<String>()) {
        let _ = read(&text);
    }

    #[test]
    fn no_line_panics(owner in "[a-z\\\\.]{0,8}", ttl: u32, record_type: u16, data: Vec<u8>) {
        let data = &data[..data.len().min(40)];
        let line = format!("{owner} {ttl} IN TYPE{record_type} \\# {} {}", data.len(), HEXLOWER.encode(data));
        let _ = read(&line);
    }
}
