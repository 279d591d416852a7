//! GSS-TSIG against servers and KDCs that hang, reset or babble during the negotiation: their zones
//! fail in bounded time, said clearly; the zone on a healthy server is done.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::thread;

use support::{
    Fate, Kdc, Moment, Primary, Proxy, SERVICE, SILENT_REALM, Site, Tampering, ZoneText, dig,
};

const PRIMARY: &str = "ns.corp.example";
const KMS1: &str = "kms1.corp.example.";
const HEALTHY: &str = "healthy.example.";

fn hostile_zone(number: usize) -> String {
    format!("hostile{number}.example.")
}

/// A server that negotiates keys, with these zones.
fn started(kdc: &Kdc, zones: &[String]) -> Primary {
    let texts: Vec<ZoneText> = zones
        .iter()
        .map(|zone| ZoneText::new(zone).primary("ns.corp.example."))
        .collect();
    kdc.bind(&texts)
}

/// The healthy zone, and others on a server of their own, written to as `principal`.
fn site(
    kdc: &Kdc,
    healthy: &Primary,
    server: SocketAddr,
    principal: &str,
    keytab: &str,
    zones: &[String],
) -> Site {
    let mut site = Site::new()
        .trusted_host(KMS1, "")
        .zone_with(HEALTHY, "healthy", "");
    for zone in zones {
        site = site.zone_with(zone, "hostile", "");
    }
    site.more = format!(
        "[keys.live]\nkind = \"gss\"\nprincipal = \"{SERVICE}\"\nkeytab = \"{}\"\n\
         [keys.other]\nkind = \"gss\"\nprincipal = \"{principal}\"\nkeytab = \"{}\"\n\
         [[server]]\nname = \"healthy\"\naddress = \"{}\"\nkey = \"live\"\n\
         [[server]]\nname = \"hostile\"\naddress = \"{server}\"\nkey = \"other\"\n",
        kdc.path("svc.keytab").display(),
        kdc.path(keytab).display(),
        healthy.address,
    );
    site
}

/// Applies, expects that the healthy zone is done and each other one failed, and gives what was
/// said on one line.
#[track_caller]
fn fails(site: &Site, kdc: &Kdc, zones: &[String]) -> String {
    let configuration = kdc.configuration();
    // Ends in bounded time: a run that lasts two minutes is killed, and its status another one.
    let run = site.run_in(&[("KRB5_CONFIG", &configuration)], &["apply", "--yes"]);
    run.expect(1);
    let said = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
    for zone in zones {
        assert!(said.contains(&format!("{zone}: failed")), "{run}");
    }
    assert!(said.contains(&format!("{HEALTHY}: applied")), "{run}");
    said
}

fn published(primary: &Primary, zone: &str) -> Vec<String> {
    dig(primary.address, &format!("_vlmcs._tcp.{zone}"), "SRV")
}

#[test]
fn a_server_that_misbehaves_in_the_negotiation_fails_and_harms_no_other() {
    const CASES: [(Tampering, &str); 10] = [
        (Tampering::Hang, "no answer within 5s"),
        (Tampering::Close, "closed the connection before it answered"),
        (Tampering::Reset, "closed the connection before it answered"),
        (Tampering::OtherProtocol, "no answer within 5s"),
        (Tampering::Stub, "sends what is no DNS"),
        (Tampering::Garbage, "the answer is no DNS message"),
        (Tampering::OtherId, "no answer within 5s"),
        (Tampering::Drip, "no answer within 5s"),
        (
            Tampering::Denied,
            "answered NOTAUTH to the negotiation of a key",
        ),
        (Tampering::WrongToken, "gets no Kerberos ticket"),
    ];
    let kdc = Kdc::start(&[PRIMARY]);
    let zones: Vec<String> = (0..CASES.len()).map(hostile_zone).collect();
    let primary = started(&kdc, &zones);
    thread::scope(|scope| {
        for (zone, (tampering, why)) in zones.chunks(1).zip(CASES) {
            let (kdc, primary) = (&kdc, &primary);
            scope.spawn(move || {
                let healthy = started(kdc, &[HEALTHY.to_owned()]);
                let proxy = Proxy::hostile(
                    primary.address,
                    |_| Fate::Pass,
                    move |moment| match moment {
                        Moment::Negotiation => tampering,
                        _ => Tampering::Nothing,
                    },
                );
                let site = site(kdc, &healthy, proxy.address, SERVICE, "svc.keytab", zone);

                let said = fails(&site, kdc, zone);

                assert!(said.contains(why), "no «{why}» of {tampering:?} in: {said}");
                assert!(said.contains("not sent"), "{said}");
                // Asked once, and nothing sent without a key.
                assert_eq!((proxy.negotiations(), proxy.updates()), (1, 0), "{said}");
                assert_eq!(published(&healthy, HEALTHY).len(), 1);
                assert_eq!(published(primary, &zone[0]), [""; 0]);
            });
        }
    });
}

#[test]
fn a_kdc_that_never_answers_fails_its_zones_and_no_other() {
    let kdc = Kdc::start(&[PRIMARY]);
    let zones: Vec<String> = (0..3).map(hostile_zone).collect();
    let primary = started(&kdc, &zones);
    let healthy = started(&kdc, &[HEALTHY.to_owned()]);
    let principal = format!("svc@{SILENT_REALM}");
    let keytab = kdc.keytab_of(&principal, "silent.keytab");
    fs::set_permissions(keytab, fs::Permissions::from_mode(0o600)).unwrap();
    let site = site(
        &kdc,
        &healthy,
        primary.address,
        &principal,
        "silent.keytab",
        &zones,
    );

    let said = fails(&site, &kdc, &zones);

    let why =
        "no Kerberos context for DNS/ns.corp.example@SILENT.TEST within 20s; check that the KDC";
    assert_eq!(said.matches(why).count(), zones.len(), "{said}");
    assert_eq!(published(&healthy, HEALTHY).len(), 1);
    for zone in &zones {
        assert_eq!(published(&primary, zone), [""; 0]);
    }
}
