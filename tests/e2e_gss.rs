//! GSS-TSIG against BIND and an MIT KDC: what is published, what is refused, and what is said.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;

use support::{
    Bind, DEAD_REALM, Daemon, Fate, HOST, Kdc, Kms, Primary, Proxy, Run, SERVICE, Site, ZoneText,
    clock_an_hour_behind, clock_off, dig, eventually, serial,
};

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

    let run = apply(&site, &kdc);
    run.expect(0);
    // The answer counted by itself.
    assert!(!run.stdout.contains("signature"), "{run}");
    let both = [
        "3600 0 0 1688 kms1.corp.example.",
        "3600 0 0 1688 kms2.corp.example.",
    ];
    assert_eq!(published(&primary), both);

    kms2.stop();
    apply(&site, &kdc).expect(0);
    assert_eq!(published(&primary), both[..1]);
}

/// Applies to a zone that lacks one host, expects that nothing comes of it, and gives what was said
/// on one line.
#[track_caller]
fn fails(site: &Site, environment: &[(&str, &str)]) -> String {
    let run = site.run_in(environment, &["apply", "--yes"]);
    run.expect(1);
    run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
}

#[track_caller]
fn expect_said(said: &str, expected: &[&str]) {
    for text in expected {
        assert!(said.contains(text), "no «{text}» in: {said}");
    }
}

#[test]
fn an_account_without_the_right_is_refused_under_the_servers_signature() {
    let (kdc, primary) = one_published();
    let proxy = Proxy::start(primary.address, |_| Fate::Pass);
    let site = two_hosts(server(proxy.address, HOST, &keytab(&kdc, "host.keytab")));

    let said = fails(&site, &[("KRB5_CONFIG", &kdc.configuration())]);

    expect_said(
        &said,
        &["refused", "answered REFUSED: the key may not change"],
    );
    assert_eq!(published(&primary).len(), 1);
    // What the server signed it means: nothing is asked again.
    assert_eq!((proxy.negotiations(), proxy.updates()), (1, 1));
}

#[test]
fn doctor_tells_who_may_and_who_may_not_and_whom_kerberos_does_not_know() {
    let (kdc, primary) = one_published();
    let before = serial(primary.address, ZONE);
    let configuration = kdc.configuration();
    let none = kdc.path("none.conf").display().to_string();
    let granted = format!("grant {HOST} name {OWNER} SRV;");
    for (principal, file, krb5, expected) in [
        (
            SERVICE,
            "svc.keytab",
            &configuration,
            ["ok key: accepts", "ok right:"],
        ),
        (
            HOST,
            "host.keytab",
            &configuration,
            ["FAILURE right:", granted.as_str()],
        ),
        (
            SERVICE,
            "svc.keytab",
            &none,
            ["FAILURE key: no security context", "? right:"],
        ),
    ] {
        let site = two_hosts(server(primary.address, principal, &keytab(&kdc, file)));
        let run = site.run_in(&[("KRB5_CONFIG", krb5)], &["doctor", "-v"]);
        let said: Vec<&str> = run.stdout.split_whitespace().collect();
        expect_said(&said.join(" "), &expected);
        // BIND is no directory, and scavenges nothing.
        assert!(!run.stdout.contains("scavenging"), "{run}");
    }
    assert_eq!(serial(primary.address, ZONE), before);
}

#[test]
fn a_ticket_comes_from_a_named_cache_or_the_default_one() {
    for is_named in [true, false] {
        let (kdc, primary) = one_published();
        let ccache = kdc.ticket("ccache", "1h");
        let configuration = kdc.configuration();
        let mut environment = vec![("KRB5_CONFIG", configuration.as_str())];
        let credentials = match is_named {
            true => format!("ccache = \"{ccache}\""),
            false => String::new(),
        };
        if !is_named {
            environment.push(("KRB5CCNAME", ccache.as_str()));
        }
        let site = two_hosts(server(primary.address, SERVICE, &credentials));

        let run = site.run_in(&environment, &["apply", "--yes"]);

        run.expect(0);
        run.expect_text("the read-back shows the planned RRset");
        assert_eq!(published(&primary).len(), 2);
    }
}

#[test]
fn what_is_missing_on_this_machine_is_named_with_its_repair() {
    let (kdc, primary) = one_published();
    let configuration = kdc.configuration();
    let krb5 = ("KRB5_CONFIG", configuration.as_str());
    let by_keytab = two_hosts(server(
        primary.address,
        SERVICE,
        &keytab(&kdc, "svc.keytab"),
    ));

    // A file that is no library stands in for the one that is missing.
    let libraries = kdc.path("libraries");
    fs::create_dir(&libraries).unwrap();
    fs::write(libraries.join("libgssapi_krb5.so.2"), "none").unwrap();
    let libraries = libraries.display().to_string();
    let said = fails(&by_keytab, &[krb5, ("LD_LIBRARY_PATH", &libraries)]);
    expect_said(
        &said,
        &[
            "its library cannot be loaded",
            "install the package libgssapi-krb5-2",
        ],
    );

    let said = fails(&by_keytab, &[("KRB5_CONFIG", "/absent/krb5.conf")]);
    expect_said(
        &said,
        &[
            "configuration /absent/krb5.conf cannot be read (No such file",
            "write one with the realm and its KDC",
        ],
    );
    assert_eq!(published(&primary).len(), 1);
}

#[test]
fn tickets_that_are_none_are_told_apart() {
    let (mut kdc, primary) = one_published();
    let configuration = kdc.configuration();
    let krb5 = ("KRB5_CONFIG", configuration.as_str());
    let site = |principal: &str, credentials: &str| {
        two_hosts(server(primary.address, principal, credentials))
    };
    for (principal, file) in [(SERVICE, "wrong"), ("nobody@BIND.TEST", "nobody")] {
        let file = kdc.keytab_of(principal, file);
        fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    }
    let ccache = kdc.ticket("ccache", "1h");
    let cached = format!("ccache = \"{ccache}\"");
    let absent = kdc.path("absent").display().to_string();
    let default = ("KRB5CCNAME", absent.as_str());
    for (principal, credentials, environment, expected) in [
        (
            "other@BIND.TEST",
            keytab(&kdc, "svc.keytab"),
            vec![krb5],
            ["svc.keytab has no key of other@BIND.TEST", "klist -k"],
        ),
        (
            SERVICE,
            keytab(&kdc, "wrong"),
            vec![krb5],
            ["the password has been changed", "export the keytab again"],
        ),
        (
            "nobody@BIND.TEST",
            keytab(&kdc, "nobody"),
            vec![krb5],
            ["not found in Kerberos database", "write `principal` as"],
        ),
        (
            SERVICE,
            format!("ccache = \"FILE:{absent}\""),
            vec![krb5],
            ["No credentials cache found", "get a ticket: kinit -c FILE:"],
        ),
        (
            SERVICE,
            String::new(),
            vec![krb5, default],
            ["Can't find client principal", "kinit -k -t KEYTAB svc-dns@"],
        ),
        (
            HOST,
            cached.clone(),
            vec![krb5],
            [
                "does not match desired name",
                "get a ticket: kinit -c FILE:",
            ],
        ),
    ] {
        expect_said(
            &fails(&site(principal, &credentials), &environment),
            &expected,
        );
    }

    let later = clock_off("+2h");
    let mut environment: Vec<(&str, &str)> = later
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    environment.push(krb5);
    let said = fails(&site(SERVICE, &cached), &environment);
    expect_said(&said, &["Ticket expired", "get a ticket: kinit -c FILE:"]);

    kdc.stop();
    let said = fails(&site(SERVICE, &keytab(&kdc, "svc.keytab")), &[krb5]);
    expect_said(
        &said,
        &["Cannot contact any KDC", "check that the KDC runs"],
    );
    assert_eq!(published(&primary).len(), 1);
}

#[test]
fn clocks_too_far_apart_are_named() {
    let (kdc, primary) = one_published();
    let configuration = kdc.configuration();
    let ccache = format!("ccache = \"{}\"", kdc.ticket("ccache", "1h"));
    let behind = clock_an_hour_behind();
    let mut environment: Vec<(&str, &str)> = behind
        .iter()
        .map(|(name, value)| (*name, value.as_str()))
        .collect();
    environment.push(("KRB5_CONFIG", &configuration));
    let site = |credentials: &str| two_hosts(server(primary.address, SERVICE, credentials));

    let said = fails(&site(&ccache), &environment);
    expect_said(&said, &["Clock skew too great", "best with NTP"]);

    // With a keytab, Kerberos follows the KDC's clock; the server then says it, signed.
    let said = fails(&site(&keytab(&kdc, "svc.keytab")), &environment);
    expect_said(&said, &["refused", "BADTIME", "ours is 1h behind"]);
    assert_eq!(published(&primary).len(), 1);
}

#[test]
fn a_server_that_the_kdc_does_not_know_is_named() {
    let kdc = Kdc::start(&["another.corp.example"]);
    let primary = kdc.bind(&[ZoneText::new(ZONE)]);
    let site = two_hosts(server(
        primary.address,
        SERVICE,
        &keytab(&kdc, "svc.keytab"),
    ));
    let said = fails(&site, &[("KRB5_CONFIG", &kdc.configuration())]);
    expect_said(
        &said,
        &[
            "DNS/ns.corp.example@BIND.TEST not found in Kerberos database",
            "setspn -Q DNS/ns.corp.example",
        ],
    );
}

#[test]
fn a_server_without_gss_or_a_dead_kdc_harm_no_other() {
    const ZONES: [&str; 3] = ["good.example.", "plain.example.", "dead.example."];
    let names = ["ns.good.example", "ns.plain.example"];
    let kdc = Kdc::start(&names);
    let good = kdc.bind(&[ZoneText::new(ZONES[0])]);
    let others = [ZoneText::new(ZONES[1]), ZoneText::new(ZONES[2])];
    // It knows TSIG keys and no Kerberos.
    let plain = Bind::start(&others);
    let dead = format!("svc@{DEAD_REALM}");
    let dead_keytab = kdc.keytab_of(&dead, "dead.keytab");
    fs::set_permissions(&dead_keytab, fs::Permissions::from_mode(0o600)).unwrap();
    let (good_address, plain_address) = (good.address, plain.address);
    let mut site = Site::new()
        .trusted_host(KMS1, "")
        .zone_with(ZONES[0], "good", "")
        .zone_with(ZONES[1], "plain", "")
        .zone_with(ZONES[2], "dead", "");
    let live_keytab = keytab(&kdc, "svc.keytab");
    site.more = format!(
        "[keys.live]\nkind = \"gss\"\nprincipal = \"{SERVICE}\"\n{live_keytab}\n\
         [keys.dead]\nkind = \"gss\"\nprincipal = \"{dead}\"\nkeytab = \"{}\"\n\
         [[server]]\nname = \"good\"\naddress = \"{good_address}\"\nkey = \"live\"\n\
         [[server]]\nname = \"plain\"\naddress = \"{plain_address}\"\nkey = \"live\"\n\
         [[server]]\nname = \"dead\"\naddress = \"{plain_address}\"\nkey = \"dead\"\n",
        dead_keytab.display()
    );

    let said = fails(&site, &[("KRB5_CONFIG", &kdc.configuration())]);

    let records = |primary: &Primary, zone: &str| {
        dig(primary.address, &format!("_vlmcs._tcp.{zone}"), "SRV").len()
    };
    assert_eq!(records(&good, ZONES[0]), 1, "{said}");
    assert_eq!(records(&plain, ZONES[1]), 0);
    assert_eq!(records(&plain, ZONES[2]), 0);
    expect_said(
        &said,
        &[
            "good.example.: applied",
            "plain.example.: failed",
            "to the negotiation of a key",
            "dead.example.: failed",
            "Cannot contact any KDC for realm 'DEAD.TEST'",
        ],
    );
}

/// So many zones with one primary.
fn many_zones(count: usize) -> (Vec<String>, Vec<ZoneText>) {
    let zone = |number| {
        let name = format!("z{number}.example.");
        let text = ZoneText::new(&name).primary("ns.corp.example.");
        (name, text)
    };
    (0..count).map(zone).unzip()
}

#[test]
fn a_hundred_zones_of_one_server_negotiate_once() {
    let (zones, texts) = many_zones(100);
    let kdc = Kdc::start(&[PRIMARY]);
    let primary = kdc.bind(&texts);
    let proxy = Proxy::start(primary.address, |_| Fate::Pass);
    let mut site = Site::new().trusted_host(KMS1, "");
    for zone in &zones {
        site = site.zone_with(zone, "ad", "");
    }
    site.more = server(proxy.address, SERVICE, &keytab(&kdc, "svc.keytab"));

    apply(&site, &kdc).expect(0);

    for zone in &zones {
        let owner = format!("_vlmcs._tcp.{zone}");
        assert_eq!(dig(primary.address, &owner, "SRV").len(), 1, "{zone}");
    }
    assert_eq!((proxy.negotiations(), proxy.updates()), (1, 100));
}

#[test]
fn a_wrong_password_is_tried_once_for_many_zones() {
    let (zones, texts) = many_zones(30);
    let kdc = Kdc::start(&[PRIMARY]);
    let primary = kdc.bind(&texts);
    let file = kdc.keytab_of(SERVICE, "wrong");
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
    let mut site = Site::new().trusted_host(KMS1, "");
    for zone in &zones {
        site = site.zone_with(zone, "ad", "");
    }
    site.more = server(primary.address, SERVICE, &keytab(&kdc, "wrong"));

    let said = fails(&site, &[("KRB5_CONFIG", &kdc.configuration())]);

    // Told once, of all of them.
    expect_said(
        &said,
        &["30 zones: failed", "the password has been changed"],
    );
    for zone in &zones {
        assert!(
            said.contains(&format!("{zone},")) || said.contains(&format!("{zone} ")),
            "{said}"
        );
    }
    let log = fs::read_to_string(kdc.path("kdc.log")).unwrap();
    let requests = log.lines().filter(|line| line.contains("AS_REQ"));
    assert_eq!(requests.count(), 1, "{log}");
}

#[test]
fn a_context_that_the_server_forgot_is_negotiated_once_more() {
    let kdc = Kdc::start(&[PRIMARY]);
    let mut primary = kdc.bind(&[ZoneText::new(ZONE)]);
    let proxy = Proxy::start(primary.address, |_| Fate::Pass);
    let (kms1, mut kms2) = (Kms::start(), Kms::start());
    let mut site = Site::new()
        .host(KMS1, &kms1)
        .host(KMS2, &kms2)
        .zone_with(ZONE, "ad", "");
    site.health = "rise = 2\nfall = 3\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
    site.more = server(proxy.address, SERVICE, &keytab(&kdc, "svc.keytab"));
    let configuration = kdc.configuration();
    let daemon = Daemon::start_in(&site, &[("KRB5_CONFIG", &configuration)], &[]);
    eventually(|| published(&primary).len(), 2);
    let updates = proxy.updates();
    assert_eq!(proxy.negotiations(), 1);

    primary.restart();
    kms2.stop();
    eventually(|| published(&primary).len(), 1);

    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
    assert!(
        log.contains("may have forgotten the security context"),
        "{log}"
    );
    // The update was sent under the old context and then under the new one.
    assert_eq!(
        (proxy.negotiations(), proxy.updates() - updates),
        (2, 2),
        "{log}"
    );
}
