//! A zone whose server takes no updates, and what `docs/no-updates.md` says to do about it: the
//! document's own lines, at the document's own addresses, in a network namespace.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::Command;

use support::{
    Bind, Daemon, Kms, Knot, OWNER, Primary, Site, Unbound, ZONE, ZoneText, block, dig, document,
    eventually, in_a_namespace, is_in_a_namespace, replaced, run, serial, shell_in, with_addresses,
};

const DOCUMENT: &str = "docs/no-updates.md";

/// What the document delegates, and what it does where that cannot be.
const SERVICE: &str = "_vlmcs._tcp.corp.example";
const PROTOCOL: &str = "_tcp.corp.example";

const PARENT: &str = "10.0.0.53";
const EMBEDDED: &str = "10.0.0.60";
const SECOND: &str = "10.0.0.61";
const RESOLVER: &str = "10.0.0.62";

const BOTH: [&str; 2] = ["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."];

#[test]
fn a_resolver_finds_the_service_through_its_delegation() {
    in_a_namespace("child_delegates_the_service_with_bind");
}

#[test]
fn a_resolver_finds_the_service_through_a_delegation_of_tcp() {
    in_a_namespace("child_delegates_tcp_with_knot");
}

#[test]
fn a_validating_resolver_takes_it_for_insecure() {
    in_a_namespace("child_stands_below_a_signed_parent");
}

#[test]
fn a_high_port_is_reached_through_the_firewall() {
    in_a_namespace("child_translates_port_53");
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_delegates_the_service_with_bind() {
    if !is_in_a_namespace() {
        return;
    }
    let embedded = Embedded::start(SERVICE);
    let second = embedded.bind();
    let _parent = embedded.parent();
    let resolver = resolver("module-config: \"iterator\"");
    eventually(|| resolver.resolve(OWNER, "SRV"), data(&BOTH));
    the_checks_of_the_document_hold();
    embedded.transfers_go_to_the_key_alone();
    let refused = transfer(second.address, SERVICE, &[]);
    assert!(refused.contains("Transfer failed"), "{refused}");
    everything_follows(embedded, &second, &resolver);
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_delegates_tcp_with_knot() {
    if !is_in_a_namespace() {
        return;
    }
    let embedded = Embedded::start(PROTOCOL);
    let second = embedded.knot();
    let _parent = embedded.parent();
    let resolver = resolver("module-config: \"iterator\"");
    eventually(|| resolver.resolve(OWNER, "SRV"), data(&BOTH));
    everything_follows(embedded, &second, &resolver);
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_stands_below_a_signed_parent() {
    if !is_in_a_namespace() {
        return;
    }
    let embedded = Embedded::start(SERVICE);
    let _second = embedded.knot();
    let _parent = embedded.parent_with("dnssec-policy default; inline-signing yes;");
    let no_ds = format!("dig +norecurse +dnssec @{PARENT} {SERVICE} DS");
    eventually(|| shell(&no_ds).contains("RRSIG\tNSEC "), true);
    let key = shell(&format!("dig @{PARENT} {ZONE} DNSKEY +short"));
    let resolver = resolver(&format!(
        "module-config: \"validator iterator\"\n  trust-anchor: \"{ZONE} DNSKEY {}\"",
        key.trim()
    ));
    eventually(|| resolver.resolve(OWNER, "SRV"), data(&BOTH));
    let is_secure = |question: &str| {
        let answer = shell(&format!("dig @{RESOLVER} +adflag {question}"));
        assert!(answer.contains("status: NOERROR"), "{answer}");
        answer.contains("flags: qr rd ra ad;")
    };
    assert!(is_secure("ns2.corp.example A"));
    assert!(!is_secure(&format!("{OWNER} SRV")));
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_translates_port_53() {
    if !is_in_a_namespace() {
        return;
    }
    let embedded = Embedded::start_on(SERVICE, 5353);
    eventually(
        || published(SocketAddr::new(EMBEDDED.parse().unwrap(), 5353)),
        data(&BOTH),
    );
    // Packets of this machine's own take another way than those of others.
    let rules = block(&embedded.document, "text", "dnat to");
    let rules = replaced(
        rules,
        "hook prerouting priority dstnat",
        "hook output priority -100",
    );
    let file = embedded.site.path("rules");
    fs::write(&file, rules).unwrap();
    run("nft", &["-f", file.to_str().unwrap()]);
    for transport in ["+notcp", "+tcp"] {
        let answer = shell(&format!("dig {transport} @{EMBEDDED} {OWNER} SRV"));
        assert!(answer.contains("ANSWER: 2"), "{answer}");
    }
}

/// A host dies, srvkeeper ends, both come back: whoever is asked has the same in the end.
fn everything_follows(mut embedded: Embedded, second: &Primary, resolver: &Unbound) {
    let zone = embedded.delegated;
    let seen = |hosts: &[&str]| {
        eventually(|| published(at(EMBEDDED)), data(hosts));
        eventually(|| published(second.address), data(hosts));
        assert_eq!(serial(second.address, zone), serial(at(EMBEDDED), zone));
        eventually(|| resolver.resolve(OWNER, "SRV"), data(hosts));
    };
    seen(&BOTH);
    let full = serial(at(EMBEDDED), zone);

    embedded.kms2.stop();
    seen(&BOTH[..1]);
    let without_one = serial(at(EMBEDDED), zone);
    assert!(without_one > full, "{without_one} after {full}");

    let (status, log) = embedded.daemon.stop();
    assert!(status.success(), "{status}: {log}");
    // Not asked before, and so in nobody's cache: only the second server can have said it.
    let serial_of = |soa: Vec<String>| soa[0].split(' ').nth(2).map(str::to_owned);
    eventually(
        || resolver.resolve(zone, "SOA").and_then(serial_of),
        Some(without_one.to_string()),
    );

    embedded.daemon = Daemon::start(&embedded.site, &[]);
    embedded.daemon.wait_for("the embedded primary serves");
    assert_eq!(serial(at(EMBEDDED), zone), without_one);
    embedded.kms2.restart();
    seen(&BOTH);
}

fn the_checks_of_the_document_hold() {
    let document = document(DOCUMENT);
    let lines: Vec<&str> = block(&document, "sh", "dig +norecurse").lines().collect();
    let [parent, embedded, second, client] = lines[..] else {
        panic!("four questions, but: {lines:?}");
    };
    let parent = shell(parent);
    assert!(parent.contains("flags: qr;"), "a referral: {parent}");
    assert!(parent.contains("AUTHORITY: 2"), "{parent}");
    for server in ["srvkeeper.corp.example.", "ns2.corp.example."] {
        assert!(parent.contains(&format!("NS\t{server}")), "{parent}");
    }
    for question in [embedded, second] {
        let answer = shell(question);
        assert!(answer.contains("flags: qr aa;"), "{answer}");
        assert!(answer.contains("SOA\tsrvkeeper.corp.example."), "{answer}");
    }
    // The namespace has no resolver in resolv.conf.
    let client = shell(&replaced(client, "dig ", &format!("dig @{RESOLVER} ")));
    assert!(client.contains("ANSWER: 2"), "{client}");
}

/// The embedded primary with its daemon, as the document has it but for times and paths.
struct Embedded {
    /// The zone that it serves.
    delegated: &'static str,
    document: String,
    site: Site,
    daemon: Daemon,
    kms2: Kms,
    _kms1: Kms,
}

impl Embedded {
    fn start(delegated: &'static str) -> Self {
        Self::start_on(delegated, 53)
    }

    fn start_on(delegated: &'static str, port: u16) -> Self {
        addresses();
        let document = document(DOCUMENT).replace(SERVICE, delegated);
        let document = replaced(
            &document,
            &format!("\"{EMBEDDED}:53\""),
            &format!("\"{EMBEDDED}:{port}\""),
        );
        let (kms1, kms2) = (Kms::start(), Kms::start());
        let site = Site::as_written(&configuration(&document, &kms1, &kms2));
        let key = shell_in(&site.path(""), block(&document, "sh", "tsig-keygen"));
        assert_eq!(key, "");
        for key in ["srvkeeper.key", "secondary.key"] {
            let mode = fs::metadata(site.path(key)).unwrap().permissions().mode();
            assert_eq!(mode & 0o777, 0o600, "{key}");
        }
        let zone = block(&document, "text", "IN SOA");
        let zone = replaced(zone, "60       ; refresh", "1 ; refresh");
        let zone = replaced(&zone, "30       ; retry", "1 ; retry");
        let zone = replaced(&zone, "60 )     ; negative", "1 ) ; negative");
        fs::write(site.path(&format!("{delegated}.zone")), zone).unwrap();
        site.run(&["check"]).expect(0);
        let mut daemon = Daemon::start(&site, &[]);
        daemon.wait_for("the embedded primary serves");
        Self {
            delegated,
            document,
            site,
            daemon,
            kms2,
            _kms1: kms1,
        }
    }

    /// The second server on BIND, once it has the zone.
    fn bind(&self) -> Primary {
        let text = block(&self.document, "text", "type secondary");
        let text = replaced(text, "min-refresh-time 60", "min-refresh-time 1");
        let text = replaced(&text, "min-retry-time 30", "min-retry-time 1");
        let key = fs::read_to_string(self.site.path("secondary.key")).unwrap();
        Bind::start_at(
            at(SECOND),
            &[ZoneText::transferred(self.delegated)],
            |folder| {
                fs::write(folder.join("secondary.key"), &key).unwrap();
                let folder = format!("{}/", folder.display());
                let text = replaced(&text, "/etc/bind/", &folder);
                replaced(&text, "/var/cache/bind/", &folder)
            },
        )
    }

    /// The second server on Knot, once it has the zone.
    fn knot(&self) -> Primary {
        let key = fs::read_to_string(self.site.path("secondary.key")).unwrap();
        let secret = key.split("secret \"").nth(1).unwrap();
        let secret = secret.split('"').next().unwrap();
        let text = block(&self.document, "yaml", "master: srvkeeper");
        Knot::start_at(
            at(SECOND),
            &[ZoneText::transferred(self.delegated)],
            &replaced(text, "SECRET", secret),
        )
    }

    /// The parent, which delegates and takes no update.
    fn parent(&self) -> Primary {
        self.parent_with("")
    }

    /// The same with further lines about its zone.
    fn parent_with(&self, more: &str) -> Primary {
        let lines = block(&self.document, "text", "IN NS  srvkeeper.corp.example.\n");
        let zone = lines.lines().fold(ZoneText::new(ZONE), ZoneText::record);
        Bind::start_at(at(PARENT), &[zone], |folder| {
            let folder = folder.display();
            format!("zone \"{ZONE}\" {{ type primary; file \"{folder}/{ZONE}zone\"; {more} }};\n")
        })
    }

    fn transfers_go_to_the_key_alone(&self) {
        let zone = self.delegated;
        let key = self.site.path("secondary.key");
        let key = key.to_str().unwrap();
        let records = transfer(at(EMBEDDED), zone, &["-k", key]);
        assert!(records.contains("kms1.corp.example."), "{records}");
        let refused = transfer(at(EMBEDDED), zone, &[]);
        assert!(refused.contains("Transfer failed"), "{refused}");
        let wrong = transfer(
            at(EMBEDDED),
            zone,
            &["-y", "hmac-sha256:secondary:d3Jvbmc="],
        );
        for said in [refused, wrong] {
            assert!(!said.contains("kms1.corp.example."), "{said}");
        }
    }
}

/// The document's configuration, with hosts that answer here, and in a hurry.
fn configuration(document: &str, kms1: &Kms, kms2: &Kms) -> String {
    let text = block(document, "toml", "[authority]");
    let text = with_addresses(text, &[("kms1", kms1), ("kms2", kms2)]);
    let text = replaced(&text, "[daemon]\n", "[daemon]\nstate_dir = \"state\"\n");
    replaced(
        &text,
        "ttl = \"5m\"\n",
        "ttl = \"1s\"\n\n[health]\nrise = 1\nfall = 2\ninterval = \"500ms\"\ntimeout = \"500ms\"\n",
    )
}

fn resolver(more: &str) -> Unbound {
    Unbound::start_at(at(RESOLVER), ZONE, at(PARENT).ip(), more)
}

/// Gives this namespace the addresses of the document.
fn addresses() {
    run("ip", &["link", "set", "lo", "up"]);
    for address in [PARENT, EMBEDDED, SECOND, RESOLVER] {
        run(
            "ip",
            &["address", "add", &format!("{address}/32"), "dev", "lo"],
        );
    }
}

fn at(address: &str) -> SocketAddr {
    SocketAddr::new(address.parse().unwrap(), 53)
}

/// What a server has itself, without the TTL.
fn published(server: SocketAddr) -> Option<Vec<String>> {
    let records = dig(server, OWNER, "SRV").into_iter();
    Some(
        records
            .map(|record| record.split_once(' ').unwrap().1.to_owned())
            .collect(),
    )
}

fn data(lines: &[&str]) -> Option<Vec<String>> {
    Some(lines.iter().map(|line| (*line).to_owned()).collect())
}

/// What `dig` says when it asks for the whole zone.
fn transfer(server: SocketAddr, zone: &str, key: &[&str]) -> String {
    let output = Command::new("dig")
        .args(["-r", "+time=5", "+tries=1"])
        .arg(format!("@{}", server.ip()))
        .args(key)
        .args([zone, "AXFR"])
        .output()
        .expect("dig; tests/run installs it");
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn shell(script: &str) -> String {
    shell_in(Path::new("/"), script)
}
