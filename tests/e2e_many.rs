//! A thousand zones: all of them right, and those that fail no hindrance to the others.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::collections::BTreeMap;
use std::fs;
use std::net::{SocketAddr, TcpListener};
use std::path::Path;
use std::process::Command;

use support::{
    Fate, Knot, Proxy, SRVKEEPER, Site, Tampering, UNGRANTED, ZoneText, outcomes, unused_address,
};

const ZONES: usize = 1_000;
const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";

fn zone(number: usize) -> String {
    format!("z{number:04}.example.")
}

/// The RRset of every zone as one run of dig reads it, by zone; zones without one are left out.
fn read_back(server: SocketAddr, folder: &Path) -> BTreeMap<String, Vec<String>> {
    let file = folder.join("questions");
    let questions: String = (0..ZONES)
        .map(|number| format!("_vlmcs._tcp.{} SRV\n", zone(number)))
        .collect();
    fs::write(&file, questions).unwrap();
    // Over TCP: a datagram that is meant for a dead server can come to dig's port, which was free.
    let output = Command::new("dig")
        .args(["+tcp", "+keepopen"])
        .args(["+noall", "+answer", "+norecurse", "+tries=3", "+time=5"])
        .arg(format!("@{}", server.ip()))
        .args(["-p", &server.port().to_string(), "-f"])
        .arg(&file)
        .output()
        .expect("dig; tests/run installs it");
    assert!(output.status.success(), "{output:?}");
    let output = String::from_utf8(output.stdout).unwrap();
    // dig goes on after a question that nobody answered.
    let complaints: Vec<&str> = output
        .lines()
        .filter(|line| line.starts_with(';'))
        .collect();
    assert!(complaints.is_empty(), "{complaints:#?}");
    let mut seen: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for line in output.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [owner, ttl, "IN", "SRV", data @ ..] = fields.as_slice() else {
            continue;
        };
        let zone = owner.strip_prefix("_vlmcs._tcp.").unwrap();
        let record = format!("{ttl} {}", data.join(" "));
        seen.entry(zone.to_owned()).or_default().push(record);
    }
    seen.values_mut().for_each(|records| records.sort());
    seen
}

fn record(host: &str) -> String {
    format!("3600 0 0 1688 {host}")
}

fn everywhere(hosts: &[&str]) -> BTreeMap<String, Vec<String>> {
    let records: Vec<String> = hosts.iter().map(|host| record(host)).collect();
    (0..ZONES)
        .map(|number| (zone(number), records.clone()))
        .collect()
}

fn knot() -> support::Primary {
    let zones: Vec<ZoneText> = (0..ZONES)
        .map(|number| ZoneText::new(&zone(number)))
        .collect();
    Knot::start(&zones)
}

#[test]
fn a_thousand_zones_are_published_changed_and_left_alone() {
    let primary = knot();
    let mut site = Site::with_primary(primary.address).trusted_host(KMS1, "");
    let names: String = (0..ZONES).map(|number| zone(number) + "\n").collect();
    fs::write(site.path("names"), names).unwrap();
    site.more = "[[zone]]\nnames_file = \"names\"\nservers = [\"primary\"]\n".to_owned();
    let folder = tempfile::tempdir().unwrap();
    let seen = || read_back(primary.address, folder.path());
    assert!(seen().is_empty());

    let run = site.apply(0);
    run.expect_text("1000 zones: applied");
    assert_eq!(seen(), everywhere(&[KMS1]));
    let outcomes = outcomes(&site);
    assert_eq!(outcomes.len(), ZONES);
    assert!(outcomes.iter().all(|outcome| outcome == "applied"));

    let site = site.trusted_host(KMS2, "");
    site.apply(0);
    assert_eq!(seen(), everywhere(&[KMS1, KMS2]));

    let rest = site.run(&["plan"]);
    rest.expect(0);
    rest.expect_text("1000 zones: nothing to do");
    assert!(rest.stdout.lines().count() < 10, "{rest}");
}

#[test]
fn one_in_a_hundred_fails_in_its_own_way_and_the_others_are_done() {
    let primary = knot();
    let garbage = Proxy::hostile(
        primary.address,
        |_| Fate::Pass,
        |_moment| Tampering::Garbage,
    );
    // Connections wait in the queue of a listener that takes none.
    let mute = TcpListener::bind(unused_address()).unwrap();
    let kinds: [(&str, SocketAddr, _); 4] = [
        ("refusing", primary.address, UNGRANTED),
        ("dead", unused_address(), SRVKEEPER),
        ("babbling", garbage.address, SRVKEEPER),
        ("mute", mute.local_addr().unwrap(), SRVKEEPER),
    ];
    let mut site = Site::with_primary(primary.address).trusted_host(KMS1, "");
    for (name, address, key) in kinds {
        site = site.server(name, address, key);
    }
    let kind_of = |number: usize| match number {
        0..10 => Some(kinds[number % kinds.len()].0),
        _ => None,
    };
    for number in 0..ZONES {
        let server = kind_of(number).unwrap_or("primary");
        site = site.zone_with(&zone(number), server, "");
    }
    let folder = tempfile::tempdir().unwrap();

    let run = site.apply(1);

    let failing: Vec<String> = (0..10).map(zone).collect();
    let mut expected = everywhere(&[KMS1]);
    expected.retain(|zone, _records| !failing.contains(zone));
    assert_eq!(read_back(primary.address, folder.path()), expected);
    run.expect_text("990 zones: applied");
    // Each failing zone stands once, among those of the same cause.
    for zone in &failing {
        assert_eq!(
            run.stdout.matches(zone.as_str()).count(),
            1,
            "{zone}: {run}"
        );
    }
    // The cause comes first: below it the zones could be thousands.
    for cause in [
        "3 zones: error zone ZONE cannot be read:",
        "2 zones: error zone ZONE cannot be read:",
        "on both sides z0000.example., z0004.example., z0008.example.",
        "that the server runs z0001.example., z0005.example., z0009.example.",
        "at this address z0002.example., z0006.example.",
        "and the firewall z0003.example., z0007.example.",
    ] {
        run.expect_text(cause);
    }
}
