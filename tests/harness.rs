//! The servers and fakes of the other tests, tested without the program: a test that fails there
//! should mean the program, not the harness.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod support;

use std::io::{ErrorKind, Read, Write};
use std::net::TcpStream;
use std::panic;
use std::time::Duration;

use support::{
    Bind, Fate, Kms, Knot, Nsd, PowerDns, Primary, Proxy, RIVAL, SRVKEEPER, Tampering, UNGRANTED,
    ZoneText, dig, nsupdate, serial, unused_address,
};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const ADD: &str = "update add _vlmcs._tcp.corp.example. 300 SRV 0 0 1688 KMS1.corp.example.";

fn zones() -> [ZoneText; 2] {
    [
        ZoneText::new(ZONE).record("www 60 IN A 127.0.0.9"),
        ZoneText::new("branch.example.").srv(600, &["1 2 3 b.example.", "1 2 3 a.example."]),
    ]
}

/// Those that take updates.
fn each_primary() -> [Primary; 3] {
    let zones = zones();
    [
        Bind::start(&zones),
        Knot::start(&zones),
        PowerDns::start(&zones),
    ]
}

fn refused(update: impl FnOnce() + panic::UnwindSafe) -> bool {
    panic::catch_unwind(update).is_err()
}

#[test]
fn servers_serve_their_zones() {
    for primary in each_primary().into_iter().chain([Nsd::start(&zones())]) {
        assert_eq!(serial(primary.address, ZONE), 1);
        assert_eq!(
            dig(primary.address, "www.corp.example.", "A"),
            ["60 127.0.0.9"]
        );
        assert_eq!(dig(primary.address, OWNER, "SRV"), [""; 0]);
        assert_eq!(
            dig(primary.address, "_vlmcs._tcp.branch.example.", "SRV"),
            ["600 1 2 3 a.example.", "600 1 2 3 b.example."]
        );
    }
}

#[test]
fn keys_have_the_rights_they_should() {
    for primary in each_primary() {
        let address = primary.address;
        assert!(refused(move || nsupdate(address, UNGRANTED, ADD)));
        nsupdate(address, SRVKEEPER, ADD);
        nsupdate(address, RIVAL, "update add x.corp.example. 60 A 127.0.0.1");
        assert_eq!(dig(address, OWNER, "SRV").len(), 1);
        assert_eq!(dig(address, "x.corp.example.", "A"), ["60 127.0.0.1"]);
    }
}

#[test]
fn the_right_ends_at_the_name() {
    // PowerDNS's metadata knows zones only.
    for primary in [Bind::start(&zones()), Knot::start(&zones())] {
        let address = primary.address;
        assert!(refused(move || nsupdate(
            address,
            SRVKEEPER,
            "update add x.corp.example. 60 A 127.0.0.1"
        )));
    }
}

#[test]
fn nsd_takes_no_updates() {
    let primary = Nsd::start(&zones());
    let address = primary.address;
    assert!(refused(move || nsupdate(address, RIVAL, ADD)));
    assert_eq!(dig(address, OWNER, "SRV"), [""; 0]);
}

#[test]
fn a_proxy_loses_the_answer_and_not_the_update() {
    for primary in each_primary() {
        let proxy = Proxy::start(primary.address, |ordinal| match ordinal {
            1 => Fate::LoseAnswer,
            _ => Fate::Pass,
        });
        let address = proxy.address;

        assert!(refused(move || nsupdate(address, SRVKEEPER, ADD)));

        assert_eq!(dig(address, OWNER, "SRV").len(), 1);
        assert_eq!(proxy.updates(), 1);
        nsupdate(
            address,
            SRVKEEPER,
            "update delete _vlmcs._tcp.corp.example. SRV",
        );
        assert_eq!(dig(address, OWNER, "SRV"), [""; 0]);
    }
}

#[test]
fn a_hostile_proxy_resets_and_closes_as_it_is_told() {
    let primary = Bind::start(&[ZoneText::new(ZONE)]);
    // The question `. SOA`, which is refused, behind its length.
    let question = [0, 17, 0, 1, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 6, 0, 1];
    let told = |tampering: Tampering| {
        let proxy = Proxy::hostile(primary.address, |_| Fate::Pass, move |_| tampering);
        let mut connection = TcpStream::connect(proxy.address).unwrap();
        connection.write_all(&question).unwrap();
        let mut received = Vec::new();
        connection
            .read_to_end(&mut received)
            .map_err(|error| error.kind())
    };
    assert_eq!(told(Tampering::Reset), Err(ErrorKind::ConnectionReset));
    assert_eq!(told(Tampering::Close), Ok(0));
}

#[test]
fn a_kms_stops_and_restarts_on_the_same_address() {
    let mut kms = Kms::start();
    let address = (kms.ip(), 1688);
    assert!(TcpStream::connect(address).is_ok());
    kms.stop();
    assert!(TcpStream::connect(address).is_err());
    kms.restart();
    assert!(TcpStream::connect(address).is_ok());
    assert_eq!(kms.binds(), 0);
}

#[test]
fn a_kms_notices_what_is_no_bind() {
    let kms = Kms::start();
    let mut connection = TcpStream::connect((kms.ip(), 1688)).unwrap();
    connection.write_all(&[0; 72]).unwrap();
    assert_eq!(connection.read(&mut [0]).unwrap(), 0, "it closes");
    assert!(kms.saw_anything_else());
}

#[test]
fn a_silent_kms_stays_silent() {
    let kms = Kms::silent();
    let mut connection = TcpStream::connect((kms.ip(), 1688)).unwrap();
    connection.write_all(&[0; 72]).unwrap();
    connection
        .set_read_timeout(Some(Duration::from_millis(50)))
        .unwrap();
    assert!(
        connection.read(&mut [0]).is_err(),
        "neither data nor an end"
    );
}

#[test]
fn nothing_listens_on_an_unused_address() {
    assert!(TcpStream::connect(unused_address()).is_err());
}
