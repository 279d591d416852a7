//! `doctor` against real servers: what stops updates is named, with a repair for that server, and
//! nothing in DNS moves by it.

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
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

use serde_json::Value;
use srvkeeper::config;
use srvkeeper::diagnose::{Check, Diagnosis, Finding, Level, Section, Subject, diagnose};
use srvkeeper::dns::resolve::Resolver;
use srvkeeper::examine::{Rights, examine};
use srvkeeper::model::Memory;
use srvkeeper::reconcile::{Connections, Interrupt, Quiet, Surroundings};
use support::{
    Bind, Embedded, Kms, Knot, OWNER, PowerDns, Primary, RIVAL, SRVKEEPER, Site, TsigKey,
    UNGRANTED, ZONE, ZoneText, clock_off, dig, in_a_namespace, is_in_a_namespace, nsupdate, run,
    serial, unused_address,
};
use tokio::runtime::Runtime;

const RECORDS: [&str; 2] = ["0 0 1688 kms1.corp.example.", "0 0 1688 KMS2.corp.example."];

/// The zone with its two hosts, which have addresses, and these records.
fn zone_with(records: &[&str]) -> ZoneText {
    ZoneText::new(ZONE)
        .record("kms1 IN A 192.0.2.11")
        .record("kms2 IN A 192.0.2.12")
        .srv(3600, records)
}

/// A site with both hosts, whose zone is written to with `key`.
fn site_with(address: SocketAddr, key: TsigKey) -> Site {
    with_hosts(Site::new().server("primary", address, key)).zone(ZONE)
}

fn with_hosts(site: Site) -> Site {
    site.trusted_host("kms1.corp.example.", "address = [\"192.0.2.11\"]")
        .trusted_host("kms2.corp.example.", "")
}

/// What the program finds when `server` resolves names, and name servers listen on its port; the
/// zone there is the same before and after.
fn findings(site: &Site, server: SocketAddr) -> Diagnosis {
    let seen = || {
        let records = dig(server, OWNER, "SRV");
        (serial(server, ZONE), records)
    };
    let before = seen();
    let found = look(site, server);
    assert_eq!(seen(), before);
    found
}

fn look(site: &Site, server: SocketAddr) -> Diagnosis {
    let resolver = Resolver::with_name_servers(&[server]).with_primary_port(server.port());
    look_with(site, &resolver)
}

fn look_with(site: &Site, resolver: &Resolver) -> Diagnosis {
    let config = config::load(&site.configure()).unwrap();
    let (_nobody, interrupt) = Interrupt::new();
    let surroundings = Surroundings {
        resolver,
        progress: &Quiet,
        interrupt: &interrupt,
    };
    let zones: Vec<usize> = (0..config.zones.len()).collect();
    let evidence = Runtime::new().unwrap().block_on(async {
        let connections = Connections::new(&config);
        let memory = Memory::default();
        examine(
            &config,
            &zones,
            &connections,
            &memory,
            surroundings,
            Rights::Ask,
        )
        .await
    });
    diagnose(&evidence.unwrap())
}

/// The findings of one check, over all sections.
fn of(diagnosis: &Diagnosis, check: Check) -> Vec<&Finding> {
    let findings = diagnosis
        .sections
        .iter()
        .flat_map(|section| &section.findings);
    findings.filter(|finding| finding.check == check).collect()
}

/// The only finding of a check, of this level.
#[track_caller]
fn only(diagnosis: &Diagnosis, check: Check, level: Level) -> &Finding {
    let found = of(diagnosis, check);
    assert_eq!(found.len(), 1, "{diagnosis:#?}");
    assert_eq!(found[0].level, level, "{:#?}", found[0]);
    found[0]
}

/// The lines of all repairs of a finding.
fn repairs(finding: &Finding) -> String {
    let lines: Vec<&str> = finding
        .repairs
        .iter()
        .flat_map(|repair| &repair.lines)
        .map(String::as_str)
        .collect();
    lines.join("\n")
}

/// What is not a pass.
fn problems(diagnosis: &Diagnosis) -> Vec<(Check, Level)> {
    let findings = diagnosis
        .sections
        .iter()
        .flat_map(|section| &section.findings);
    findings
        .filter(|finding| finding.level != Level::Pass)
        .map(|finding| (finding.check, finding.level))
        .collect()
}

#[test]
fn all_is_well_on_bind_knot_and_powerdns() {
    let zones = [zone_with(&RECORDS)];
    for primary in [
        Bind::start(&zones),
        Knot::start(&zones),
        PowerDns::start(&zones),
    ] {
        let site = site_with(primary.address, SRVKEEPER);
        let found = findings(&site, primary.address);
        assert_eq!(problems(&found), [], "{found:#?}");
        for check in [
            Check::Reachable,
            Check::Key,
            Check::Clock,
            Check::Readable,
            Check::Primary,
            Check::Right,
            Check::Unchanged,
            Check::NameServers,
            Check::Ttl,
        ] {
            only(&found, check, Level::Pass);
        }
        assert_eq!(of(&found, Check::Target).len(), 2);
        assert_eq!(found.level(), Level::Pass);
    }
}

#[test]
fn the_right_to_an_empty_rrset_shows_on_knot_and_not_on_bind() {
    let zones = [zone_with(&[])];
    let bind = Bind::start(&zones);
    for key in [SRVKEEPER, UNGRANTED] {
        let found = findings(&site_with(bind.address, key), bind.address);
        assert_eq!(problems(&found), [(Check::Right, Level::CannotTell)]);
        assert_eq!(found.level(), Level::Pass);
    }
    let knot = Knot::start(&zones);
    let found = findings(&site_with(knot.address, SRVKEEPER), knot.address);
    assert_eq!(problems(&found), []);
    let mut site = with_hosts(Site::with_primary(knot.address)).zone(ZONE);
    site.record = "service = \"_other._tcp\"".to_owned();
    let found = findings(&site, knot.address);
    assert_eq!(problems(&found), [(Check::Right, Level::Failure)]);
}

#[test]
fn powerdns_tells_of_the_right_and_gets_its_own_commands() {
    let full = PowerDns::start(&[zone_with(&RECORDS)]);
    let found = findings(&site_with(full.address, UNGRANTED), full.address);
    let lines = repairs(only(&found, Check::Right, Level::Failure));
    let grant = "pdnsutil add-meta corp.example TSIG-ALLOW-DNSUPDATE ungranted";
    assert!(lines.contains(grant), "{lines}");
    assert_eq!(serial(full.address, ZONE), 1);

    let empty = PowerDns::start(&[zone_with(&[])]);
    let found = findings(&site_with(empty.address, SRVKEEPER), empty.address);
    only(&found, Check::Right, Level::Pass);
    let found = findings(&site_with(empty.address, UNGRANTED), empty.address);
    only(&found, Check::Right, Level::Failure);
    assert!(dig(empty.address, OWNER, "SRV").is_empty());
    assert_eq!(serial(empty.address, ZONE), 1);
}

#[test]
fn a_key_without_the_right_gets_the_line_that_grants_it() {
    let zones = [zone_with(&RECORDS)];
    let bind = Bind::start(&zones);
    let found = findings(&site_with(bind.address, UNGRANTED), bind.address);
    only(&found, Check::Key, Level::Pass);
    let right = only(&found, Check::Right, Level::Failure);
    assert_eq!(
        repairs(right),
        "update-policy { grant ungranted name _vlmcs._tcp.corp.example. SRV; };\nrndc reconfig"
    );
    assert!(right.repairs[0].what.contains("\"corp.example\""));

    // Known, and granted another name only.
    let knot = Knot::start(&zones);
    let mut site = with_hosts(Site::with_primary(knot.address)).zone(ZONE);
    site.record = "service = \"_other._tcp\"".to_owned();
    let found = findings(&site, knot.address);
    only(&found, Check::Key, Level::Pass);
    let lines = repairs(only(&found, Check::Right, Level::Failure));
    for line in [
        "    key: srvkeeper",
        "    update-owner-name: [_other._tcp.corp.example.]",
        "  - domain: corp.example",
    ] {
        assert!(lines.lines().any(|known| known == line), "{lines}");
    }
    // One that no rule of the zone names, Knot takes for unknown.
    let found = findings(&site_with(knot.address, UNGRANTED), knot.address);
    let lines = repairs(only(&found, Check::Key, Level::Failure));
    for line in [
        "  - id: ungranted",
        "    update-owner-name: [_vlmcs._tcp.corp.example.]",
    ] {
        assert!(lines.lines().any(|known| known == line), "{lines}");
    }
}

/// The line of the repair is put into the configuration, and then the right is there.
#[test]
fn the_repair_repairs() {
    let zones = [zone_with(&RECORDS)];
    let refused = Bind::start(&zones);
    let found = findings(&site_with(refused.address, UNGRANTED), refused.address);
    let right = only(&found, Check::Right, Level::Failure);
    let line = right.repairs[0].lines[0].clone();
    let repaired = Bind::start_with(&zones, |folder| {
        format!(
            "{}zone \"corp.example\" {{ type primary; file \"{}/corp.example.zone\"; {line} }};\n",
            UNGRANTED.file_text(),
            folder.display()
        )
    });
    let found = findings(&site_with(repaired.address, UNGRANTED), repaired.address);
    assert_eq!(problems(&found), []);
}

#[test]
fn a_key_that_is_not_accepted_is_the_servers_and_not_each_zones() {
    let zones = [zone_with(&RECORDS), ZoneText::new("other.example.")];
    let primary = Bind::start(&zones);
    for (key, word) in [
        (
            TsigKey {
                secret: RIVAL.secret,
                ..SRVKEEPER
            },
            "another secret",
        ),
        (
            TsigKey {
                name: "stranger",
                ..SRVKEEPER
            },
            "does not know the key",
        ),
    ] {
        let site = site_with(primary.address, key).zone("other.example.");
        let found = findings(&site, primary.address);
        let finding = only(&found, Check::Key, Level::Failure);
        assert!(finding.text.contains(word), "{finding:?}");
        assert!(repairs(finding).contains(key.name), "{finding:?}");
        assert!(!repairs(finding).contains(key.secret));
        let readable = of(&found, Check::Readable);
        assert_eq!(readable.len(), 2);
        assert!(
            readable
                .iter()
                .all(|finding| finding.level == Level::CannotTell)
        );
    }
}

#[test]
fn clocks_apart_are_told_in_seconds_before_and_after_they_stop_everything() {
    let primary = Bind::start(&[zone_with(&RECORDS)]);
    let site = site_with(primary.address, SRVKEEPER);
    let before = serial(primary.address, ZONE);
    for (off, level, clock) in [("-2m", "warning", "120 s"), ("+1h", "failure", "3600 s")] {
        let environment = clock_off(off);
        let environment: Vec<(&str, &str)> = environment
            .iter()
            .map(|(name, value)| (*name, value.as_str()))
            .collect();
        let run = site.run_in(&environment, &["doctor", "--format", "json"]);
        let found = run.json();
        let finding = cli_finding(&found["servers"][0], "clock");
        assert_eq!(finding["level"], level, "{run}");
        let text = finding["text"].as_str().unwrap();
        let seconds: Vec<String> = clock
            .split(' ')
            .take(1)
            .flat_map(|number| {
                let number: u32 = number.parse().unwrap();
                [number - 1, number, number + 1].map(|near| format!("{near} s"))
            })
            .collect();
        assert!(seconds.iter().any(|near| text.contains(near)), "{text}");
    }
    assert_eq!(serial(primary.address, ZONE), before);
}

/// A finding in the JSON of a section.
fn cli_finding<'a>(section: &'a Value, check: &str) -> &'a Value {
    let findings = section["findings"].as_array().unwrap();
    let found = findings.iter().find(|finding| finding["check"] == check);
    found.unwrap_or_else(|| panic!("no {check} in {section:#}"))
}

#[test]
fn unsigned_updates_are_a_warning_and_where_they_are_refused_a_failure() {
    let primary = Bind::start(&[zone_with(&RECORDS)]);
    let mut site = with_hosts(Site::new()).zone(ZONE);
    site.more = format!(
        "[[server]]\nname = \"primary\"\naddress = \"{}\"\n",
        primary.address
    );
    let found = findings(&site, primary.address);
    only(&found, Check::Key, Level::Warning);
    let right = only(&found, Check::Right, Level::Failure);
    assert!(repairs(right).contains("kind = \"tsig\""), "{right:?}");
}

#[test]
fn an_alias_a_wildcard_and_a_delegation_are_no_place_for_records() {
    let cases = [
        ("_vlmcs._tcp CNAME elsewhere", "is an alias"),
        ("*._tcp SRV 0 0 1688 kms1", "come from a wildcard"),
        ("_tcp NS ns.elsewhere.example.", "delegates"),
    ];
    for (record, word) in cases {
        let primary = Bind::start(&[ZoneText::new(ZONE).record(record)]);
        let found = look(&site_with(primary.address, SRVKEEPER), primary.address);
        let finding = only(&found, Check::Readable, Level::Failure);
        assert!(finding.text.contains(word), "{finding:?}");
        assert!(!finding.repairs.is_empty());
        assert!(of(&found, Check::Right).is_empty());
        assert_eq!(serial(primary.address, ZONE), 1);
    }
}

/// A BIND that has the zone from another one.
fn secondary_of(primary: &Primary) -> Primary {
    let (ip, port) = (primary.address.ip(), primary.address.port());
    Bind::start_with(&[ZoneText::new(ZONE)], |folder| {
        format!(
            "{}zone \"corp.example\" {{ type secondary; file \"{}/copy\"; primaries {{ {ip} port {port}; }}; }};\n",
            SRVKEEPER.file_text(),
            folder.display()
        )
    })
}

#[test]
fn a_secondary_that_is_configured_for_the_primary_is_found_out() {
    let primary = Bind::start(&[zone_with(&RECORDS)]);
    let secondary = secondary_of(&primary);
    let found = findings(&site_with(secondary.address, SRVKEEPER), primary.address);
    let finding = only(&found, Check::Primary, Level::Failure);
    assert!(finding.text.contains("is a secondary"), "{finding:?}");
    let address = format!("address = \"{}\"", primary.address);
    assert!(repairs(finding).contains(&address), "{finding:?}");
    // No policy would help there.
    assert_eq!(repairs(only(&found, Check::Right, Level::Failure)), "");
}

#[test]
fn each_host_is_looked_up_as_clients_do() {
    let records = [
        "0 0 1688 kms1.corp.example.",
        "0 0 1688 gone.corp.example.",
        "0 0 1688 alias.corp.example.",
        "0 0 1688 azkms.core.windows.net.",
    ];
    let zone = zone_with(&records).record("alias IN CNAME kms1");
    let primary = Bind::start(&[zone]);
    let site = Site::new()
        .server("primary", primary.address, SRVKEEPER)
        .trusted_host("kms1.corp.example.", "address = [\"192.0.2.99\"]")
        .zone(ZONE);
    let found = findings(&site, primary.address);
    let host = |name: &str| -> Vec<(Level, String)> {
        let section: &Section = found
            .sections
            .iter()
            .find(|section| {
                matches!(&section.subject, Subject::Target(target) if target.to_string() == name)
            })
            .unwrap();
        let findings = section.findings.iter();
        findings
            .map(|finding| (finding.level, finding.text.clone()))
            .collect()
    };
    for (name, level, word) in [
        ("kms1.corp.example.", Level::Warning, "another address"),
        ("gone.corp.example.", Level::Failure, "no address"),
        (
            "alias.corp.example.",
            Level::Failure,
            "an alias (CNAME) of kms1",
        ),
        ("azkms.core.windows.net.", Level::Warning, "Azure"),
    ] {
        let said = host(name);
        let fits = |(found, text): &(Level, String)| *found == level && text.contains(word);
        assert!(said.iter().any(fits), "{name}: {said:?}");
    }
}

/// The embedded primary, with this zone.
fn start_embedded(site: &Site, address: SocketAddr, zone: &str) -> Embedded {
    let file = site.path("own.zone");
    fs::write(&file, zone).unwrap();
    Embedded::start(address, vec![file], &site.path("embedded"))
}

#[test]
fn a_name_server_in_the_zone_is_found_where_the_resolver_knows_nothing_of_it() {
    let primary = Bind::start(&[zone_with(&RECORDS)]);
    let elsewhere = Bind::start(&[ZoneText::new("elsewhere.example.")]);
    let resolver = Resolver::with_name_servers(&[elsewhere.address]);
    let resolver = resolver.with_primary_port(primary.address.port());
    let site = site_with(primary.address, SRVKEEPER);

    let found = look_with(&site, &resolver);

    only(&found, Check::NameServers, Level::Pass);
}

#[test]
fn a_name_server_with_an_older_copy_is_named_with_the_end_of_what_it_may_spread() {
    let (first, second) = (unused_address(), unused_address());
    let zone = zone_with(&RECORDS)
        .record("@ IN NS ns2")
        .record(&format!("ns2 IN A {}", first.ip()))
        .record("@ IN NS ns3")
        .record(&format!("ns3 IN A {}", second.ip()));
    let primary = Bind::start(&[zone]);
    let site = site_with(primary.address, SRVKEEPER);
    let lagging = SocketAddr::new(first.ip(), primary.address.port());
    let old = "$ORIGIN corp.example.\n$TTL 900\n@ SOA ns h 0 60 30 86400 30\n@ NS ns\nns A 127.0.0.1\n\
               _vlmcs._tcp 900 SRV 0 0 1688 kms9\n";
    let embedded = start_embedded(&site, lagging, old);

    let found = findings(&site, primary.address);
    let servers = of(&found, Check::NameServers);
    let texts: Vec<String> = servers
        .iter()
        .map(|finding| format!("{} {}", finding.text, finding.evidence.join(" ")))
        .collect();
    let all = texts.join("\n");
    assert_eq!(servers.len(), 2, "{all}");
    assert!(
        servers
            .iter()
            .all(|finding| finding.level == Level::Warning)
    );
    assert!(texts[0].contains("ns2.corp.example."), "{all}");
    assert!(texts[0].contains("older copy"), "{all}");
    // The SOA's refresh, and the TTL there.
    assert!(
        texts[0].contains("3600 s until it asks again, and 900 s of TTL"),
        "{all}"
    );
    assert!(repairs(servers[0]).contains("rndc retransfer corp.example"));
    assert!(texts[1].contains("ns3.corp.example."), "{all}");
    assert!(texts[1].contains("does not serve the records"), "{all}");
    embedded.stop();
}

#[test]
fn a_delegation_to_the_embedded_primary_is_checked_at_the_parent() {
    let own = "$ORIGIN _tcp.corp.example.\n$TTL 900\n@ SOA ns.corp.example. h 1 60 30 86400 30\n\
               @ NS ns9.corp.example.\n_vlmcs 3600 SRV 0 0 1688 kms1.corp.example.\n";
    let lonely = unused_address();
    for (delegated, level, word) in [
        (true, Level::Pass, "to a server with these records"),
        (false, Level::Failure, "does not serve it"),
    ] {
        let parent = Bind::start(&[zone_with(&[])
            .record("_tcp IN NS ns9")
            .record(&format!("ns9 IN A {}", lonely.ip()))]);
        let listen = if delegated {
            SocketAddr::new(lonely.ip(), parent.address.port())
        } else {
            unused_address()
        };
        let mut site = site_with(listen, SRVKEEPER);
        site.more = format!(
            "[authority]\nlisten = [\"{listen}\"]\nkey = \"primary\"\nzones = [\"own.zone\"]\n"
        );
        let embedded = start_embedded(&site, listen, own);
        let found = look(&site, parent.address);
        let finding = only(&found, Check::Delegation, level);
        assert!(finding.text.contains(word), "{finding:?}");
        only(&found, Check::Right, Level::Pass);
        only(&found, Check::Primary, Level::Pass);
        only(&found, Check::Key, Level::Pass);
        embedded.stop();
    }
    // Nobody delegates.
    let parent = Bind::start(&[zone_with(&[])]);
    let listen = unused_address();
    let site = site_with(listen, SRVKEEPER);
    let embedded = start_embedded(&site, listen, own);
    let found = look(&site, parent.address);
    let finding = only(&found, Check::Delegation, Level::Failure);
    assert!(finding.text.contains("does not delegate"), "{finding:?}");
    embedded.stop();
}

#[test]
fn a_dead_server_fails_alone_and_the_exit_status_says_so() {
    let primary = Bind::start(&[zone_with(&RECORDS)]);
    let kms = Kms::start();
    let site = Site::with_primary(primary.address)
        .server("gone", unused_address(), SRVKEEPER)
        .host("kms1.corp.example.", &kms)
        .zone(ZONE)
        .zone_with("gone.example.", "gone", "");
    let run = site.run(&["doctor"]);
    run.expect(1);
    run.expect_text("answers neither over UDP nor over TCP");
    run.expect_text("none of its servers answers");
    assert!(
        run.stdout.lines().all(|line| line.chars().count() <= 80),
        "{run}"
    );

    let run = site.run(&["doctor", "gone.example.", "--format", "json"]);
    run.expect(1);
    let found = run.json();
    assert_eq!(found["format_version"], 1);
    assert_eq!(found["servers"].as_array().unwrap().len(), 1);
    assert_eq!(found["zones"][0]["level"], "failure");
    assert_eq!(found["summary"]["level"], "failure");
    site.run(&["doctor", "other.example."]).expect(1);
    site.run(&["doctor", "--format", "xml"]).expect(64);
    assert_eq!(serial(primary.address, ZONE), 1);
}

/// A listener that takes connections and says nothing, and how many it took.
fn silent() -> (SocketAddr, Arc<AtomicUsize>) {
    let listener = TcpListener::bind(unused_address()).unwrap();
    let address = listener.local_addr().unwrap();
    let taken = Arc::new(AtomicUsize::new(0));
    let count = Arc::clone(&taken);
    thread::spawn(move || {
        let mut kept = Vec::new();
        for stream in listener.incoming() {
            count.fetch_add(1, Ordering::SeqCst);
            kept.push(stream);
        }
    });
    (address, taken)
}

#[test]
fn a_silent_server_is_asked_once_for_all_its_zones() {
    const ZONES: usize = 20;
    let (server, servers_asked) = silent();
    let name_server = unused_address();
    // Also a name server that nobody wrote to.
    let zone = zone_with(&RECORDS)
        .record("@ IN NS mute")
        .record(&format!("mute IN A {}", name_server.ip()));
    let primary = Bind::start(&[zone]);
    let mute = TcpListener::bind((name_server.ip(), primary.address.port())).unwrap();
    let mut site = site_with(primary.address, SRVKEEPER).server("silent", server, SRVKEEPER);
    for number in 0..ZONES {
        site = site.zone_with(&format!("z{number}.example."), "silent", "");
    }
    let found = look(&site, primary.address);
    drop(mute);
    assert_eq!(servers_asked.load(Ordering::SeqCst), 1);
    let readable = of(&found, Check::Readable);
    let failed = readable
        .iter()
        .filter(|finding| finding.level == Level::Failure);
    assert_eq!((failed.count(), readable.len()), (ZONES, ZONES + 1));
    only(&found, Check::Right, Level::Pass);
    let reachable = of(&found, Check::Reachable);
    assert_eq!(reachable.len(), 2);
    let finding = only(&found, Check::NameServers, Level::Warning);
    assert!(finding.text.contains("mute.corp.example."), "{finding:?}");
}

#[test]
fn a_primary_that_nobody_named_is_found_and_examined() {
    let primary = Bind::start(&[zone_with(&RECORDS)]);
    let mut site = with_hosts(Site::with_primary(primary.address));
    site.more = format!("[[zone]]\nname = \"{ZONE}\"\nkey = \"primary\"\n");
    let found = findings(&site, primary.address);
    assert_eq!(problems(&found), [], "{found:#?}");
    only(&found, Check::Right, Level::Pass);
}

#[test]
fn what_is_no_failure_exits_with_3_or_0() {
    in_a_namespace("child_has_port_53");
}

/// Where name servers listen on port 53, and the system's resolver is one of them.
#[test]
#[ignore = "started by another test in a network namespace"]
fn child_has_port_53() {
    if !is_in_a_namespace() {
        return;
    }
    run("ip", &["link", "set", "lo", "up"]);
    let zones = [zone_with(&RECORDS)];
    let port_53 = "listen-on port 53 { 127.0.0.1; };";
    let _primary = Bind::start_in(&zones, &[], port_53, |folder| {
        format!(
            "{}{}zone \"corp.example\" {{ type primary; file \"{}/corp.example.zone\"; \
             update-policy {{ grant srvkeeper name {OWNER} SRV; grant rival zonesub ANY; }}; }};\n",
            SRVKEEPER.file_text(),
            RIVAL.file_text(),
            folder.display()
        )
    });
    let address = SocketAddr::from(([127, 0, 0, 1], 53));
    let site = site_with(address, SRVKEEPER);
    let resolver = site.path("resolv.conf");
    fs::write(&resolver, "nameserver 127.0.0.1\n").unwrap();
    run(
        "mount",
        &["--bind", resolver.to_str().unwrap(), "/etc/resolv.conf"],
    );

    let run = site.run(&["doctor", ZONE]);
    run.expect(0);
    assert_eq!(
        run.stdout,
        "No problem: 1 server, 2 hosts, 1 zone\n\
         Doctor: 0 failures, 0 warnings, 0 cannot be told, 12 passed\n"
    );
    let run = site.run(&["doctor", "-v"]);
    run.expect(0);
    run.expect_text("is ns.corp.example., the primary");

    let script = format!("update add {OWNER} 7200 SRV 0 0 1688 kms1.{ZONE}");
    nsupdate(address, RIVAL, &script);
    let before = serial(address, ZONE);
    let run = site.run(&["doctor", "--format", "json"]);
    run.expect(3);
    let found = run.json();
    assert_eq!(cli_finding(&found["zones"][0], "ttl")["level"], "warning");
    assert_eq!(found["summary"]["level"], "warning");
    assert_eq!(serial(address, ZONE), before);
}
