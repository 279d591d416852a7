//! GSS-TSIG against BIND and an MIT KDC: what is published, what is refused, and what is said.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod support;

use std::net::SocketAddr;

use support::{HOST, Kdc, Kms, Primary, Run, SERVICE, Site, ZoneText, dig};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const PRIMARY: &str = "ns.corp.example";
const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";

fn published(primary: &Primary) -> Vec<String> {
    dig(primary.address, OWNER, "SRV")
}

/// The zone with the first host published, and a realm for its server.
fn one_published() -> (Kdc, Primary) {
    let kdc = Kdc::start(&[PRIMARY]);
    let primary = kdc.bind(&[ZoneText::new(ZONE).srv(3600, &["0 0 1688 kms1.corp.example."])]);
    (kdc, primary)
}

/// A server called `ad`, written to as `principal`, whose ticket comes by these keys.
fn server(address: SocketAddr, principal: &str, credentials: &str) -> String {
    format!(
        "[keys.ad]\nkind = \"gss\"\nprincipal = \"{principal}\"\n{credentials}\n\
         [[server]]\nname = \"ad\"\naddress = \"{address}\"\nkey = \"ad\"\n"
    )
}

/// Two hosts that are up, on the server called `ad`.
fn two_hosts(servers: String) -> Site {
    let mut site = Site::new()
        .trusted_host(KMS1, "")
        .trusted_host(KMS2, "")
        .zone_with(ZONE, "ad", "");
    site.more = servers;
    site
}

fn keytab(kdc: &Kdc, name: &str) -> String {
    format!("keytab = \"{}\"", kdc.path(name).display())
}

fn apply(site: &Site, kdc: &Kdc) -> Run {
    let configuration = kdc.configuration();
    site.run_in(&[("KRB5_CONFIG", &configuration)], &["apply", "--yes"])
}

#[test]
fn hosts_are_published_and_removed_with_a_keytab() {
    let (kdc, primary) = one_published();
    let (kms1, mut kms2) = (Kms::start(), Kms::start());
    let mut site = Site::new()
        .host(KMS1, &kms1)
        .host(KMS2, &kms2)
        .zone_with(ZONE, "ad", "");
    site.more = server(primary.address, SERVICE, &keytab(&kdc, "svc.keytab"));

    apply(&site, &kdc).expect(0);
    let both = [
        "3600 0 0 1688 kms1.corp.example.",
        "3600 0 0 1688 kms2.corp.example.",
    ];
    assert_eq!(published(&primary), both);

    kms2.stop();
    apply(&site, &kdc).expect(0);
    assert_eq!(published(&primary), both[..1]);
}

#[test]
fn an_account_without_the_right_is_refused() {
    let (kdc, primary) = one_published();
    let site = two_hosts(server(primary.address, HOST, &keytab(&kdc, "host.keytab")));
    let run = apply(&site, &kdc);
    println!("{run}");
    assert_eq!(published(&primary).len(), 1);
    run.expect_text("answered REFUSED");
}
