//! The other name servers of a zone, after an update: NOTIFY takes a moment, some never follow.
//!
//! Name servers listen on port 53, so each test runs in a network namespace.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::net::SocketAddr;
use std::path::Path;

use serde_json::json;

use support::{
    Bind, Daemon, OWNER, Primary, SRVKEEPER, Site, ZONE, ZoneText, dig, eventually, in_a_namespace,
    is_in_a_namespace, lines, published, run,
};

#[test]
fn a_secondary_is_followed_until_it_has_the_zone() {
    in_a_namespace("child_follows_a_secondary");
}

#[test]
fn who_was_behind_is_looked_at_until_it_has_the_zone() {
    in_a_namespace("child_looks_again_at_who_was_behind");
}

#[test]
fn who_does_not_follow_is_told_and_ctrl_c_ends_the_waiting() {
    in_a_namespace("child_tells_who_does_not_follow");
}

/// The zone as the primary has it at first, with these name servers beside it.
fn zone(name_servers: &[&str]) -> ZoneText {
    let mut zone = ZoneText::new(ZONE).srv(3600, &["0 0 1688 kms1.corp.example."]);
    for name in name_servers {
        let number = name.trim_start_matches("ns");
        zone = zone
            .record(&format!("@ IN NS {name}"))
            .record(&format!("{name} IN A 127.0.0.{number}"));
    }
    zone
}

/// Where a name server of [`zone`] listens.
fn at(number: u8) -> SocketAddr {
    SocketAddr::from(([127, 0, 0, number], 53))
}

/// BIND listens on addresses of an interface only, so that the whole of 127.0.0.0/8 is not enough.
fn give_addresses() {
    run("ip", &["link", "set", "lo", "up"]);
    for number in [2, 3] {
        let address = format!("127.0.0.{number}/32");
        run("ip", &["address", "add", &address, "dev", "lo"]);
    }
}

fn site(primary: SocketAddr) -> Site {
    Site::with_primary(primary)
        .trusted_host("kms1.corp.example.", "")
        .trusted_host("kms2.corp.example.", "")
        .zone(ZONE)
}

/// A primary that tells 127.0.0.2 of each change.
fn notifying(zone: ZoneText) -> Primary {
    Bind::start_with(&[zone], |folder| {
        let (name, key) = (SRVKEEPER.name, SRVKEEPER.file_text());
        format!(
            "{key}zone \"{ZONE}\" {{
  type primary;
  file \"{}/{ZONE}zone\";
  notify explicit;
  also-notify {{ 127.0.0.2; }};
  update-policy {{ grant {name} name {OWNER} SRV; }};
}};\n",
            folder.display()
        )
    })
}

fn secondary_of(primary: SocketAddr) -> Primary {
    let zones = [ZoneText::transferred(ZONE)];
    Bind::start_at(at(2), &zones, |folder: &Path| {
        format!(
            "zone \"{ZONE}\" {{
  type secondary;
  file \"{}/copy\";
  primaries {{ {} port {}; }};
  allow-notify {{ any; }};
}};\n",
            folder.display(),
            primary.ip(),
            primary.port()
        )
    })
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_follows_a_secondary() {
    if !is_in_a_namespace() {
        return;
    }
    give_addresses();
    let primary = notifying(zone(&["ns2"]));
    let second = secondary_of(primary.address);
    assert_eq!(published(&second), lines(&["kms1"]));
    let mut site = site(primary.address);
    let run = site.apply(0);
    // Not before it is so.
    assert_eq!(published(&second), lines(&["kms1", "kms2"]));
    run.expect_text("other name servers: all 1 publish the same");

    // The daemon does so beside its work.
    site = site.trusted_host("kms3.corp.example.", "");
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("other name servers zone=corp.example. agreeing=1 servers=1");
    assert_eq!(published(&second), lines(&["kms1", "kms2", "kms3"]));
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_looks_again_at_who_was_behind() {
    if !is_in_a_namespace() {
        return;
    }
    give_addresses();
    let primary = notifying(zone(&["ns2"]));
    let mut site = site(primary.address).daemon("interval = \"10s\"");
    let mut daemon = Daemon::start(&site, &[]);
    daemon.wait_for("other name servers zone=corp.example. agreeing=0 servers=1");
    let name_servers = |site: &Site| {
        let status = site.run(&["status", "--format", "json"]).json();
        let told = &status["zones"][0]["name_servers"];
        (told["agreeing"].clone(), told["total"].clone())
    };
    eventually(|| name_servers(&site), (json!(0), json!(1)));
    let second = secondary_of(primary.address);
    daemon.wait_for("other name servers zone=corp.example. agreeing=1 servers=1");
    eventually(|| name_servers(&site), (json!(1), json!(1)));

    // Also when the configuration became another meanwhile.
    drop(second);
    site = site.trusted_host("kms3.corp.example.", "");
    site.configure();
    daemon.signal("HUP");
    daemon.wait_for("other name servers zone=corp.example. agreeing=0 servers=1");
    site.configure();
    daemon.signal("HUP");
    let _second = secondary_of(primary.address);
    daemon.wait_for("other name servers zone=corp.example. agreeing=1 servers=1");
    eventually(|| name_servers(&site), (json!(1), json!(1)));
}

#[test]
#[ignore = "started by another test in a network namespace"]
fn child_tells_who_does_not_follow() {
    if !is_in_a_namespace() {
        return;
    }
    give_addresses();
    let primary = Bind::start(&[zone(&["ns2", "ns3", "ns4"])]);
    // One has all of it already, one never hears of it, and the last is nobody.
    let all = zone(&[]).srv(3600, &["0 0 1688 kms2.corp.example."]);
    let _same = Bind::start_at(at(2), &[all], as_primary);
    let other = Bind::start_at(at(3), &[zone(&[])], as_primary);
    let site = site(primary.address);
    let mut running = site.start(&["apply", "--yes"]);
    running.wait_for_stderr("waiting up to 20s for the other name servers");
    running.interrupt();
    let run = running.wait();
    run.expect(0);
    run.expect_text("other name servers: 1 of 3 publish the same");
    run.expect_text("ns3.corp.example. (127.0.0.3:53): still publishes another RRset (serial 1:");
    run.expect_text("ns4.corp.example. (127.0.0.4:53): cannot be read:");
    assert_eq!(published(&primary), lines(&["kms1", "kms2"]));
    assert_eq!(dig(other.address, OWNER, "SRV"), lines(&["kms1"]));
}

fn as_primary(folder: &Path) -> String {
    format!(
        "zone \"{ZONE}\" {{ type primary; file \"{}/{ZONE}zone\"; }};\n",
        folder.display()
    )
}
