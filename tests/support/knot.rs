//! Knot DNS as a primary.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::primary::{Primary, ZoneText};
use super::tools::{RIVAL, SRVKEEPER, UNGRANTED};

/// Starts Knot with the same rights as [`super::Bind`].
pub(crate) struct Knot;

impl Knot {
    /// Starts it and waits until it serves the zones.
    pub(crate) fn start(zones: &[ZoneText]) -> Primary {
        Primary::start(zones, |folder, address| {
            knotd(
                folder,
                &(server(folder, address) + &keys_and_zones(folder, zones)),
            )
        })
    }

    /// Starts it at an address that nobody else has, in a network namespace, with this text in its
    /// configuration in place of our own keys and zones.
    pub(crate) fn start_at(
        address: SocketAddr,
        zones: &[ZoneText],
        configuration: &str,
    ) -> Primary {
        Primary::start_at(address, zones, |folder, address| {
            let template = format!(
                "template:\n  - id: default\n    storage: \"{}\"\n",
                folder.display()
            );
            knotd(
                folder,
                &(server(folder, address) + &template + configuration),
            )
        })
    }
}

fn knotd(folder: &Path, configuration: &str) -> Command {
    let file = folder.join("knot.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new("/usr/sbin/knotd");
    command.arg("-c").arg(file);
    command
}

fn server(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    let (ip, port) = (address.ip(), address.port());
    format!(
        "server:
  rundir: \"{folder}\"
  listen: {ip}@{port}
  udp-workers: 1
  tcp-workers: 1
  background-workers: 1
log:
  - target: stderr
    any: info
database:
  storage: \"{folder}\"
"
    )
}

fn keys_and_zones(folder: &Path, zones: &[ZoneText]) -> String {
    let folder = folder.display();
    let mut text = "key:\n".to_owned();
    for key in [SRVKEEPER, RIVAL, UNGRANTED] {
        text.push_str(&format!(
            "  - id: {}\n    algorithm: {}\n    secret: {}\n",
            key.name, key.algorithm, key.secret
        ));
    }
    text.push_str(&format!(
        "acl:
  - id: granted
    key: {}
    action: update
    update-type: [SRV]
    update-owner: name
    update-owner-match: equal
    update-owner-name: [_vlmcs._tcp]
  - id: rival
    key: {}
    action: update
template:
  - id: default
    storage: \"{folder}\"
    zonefile-sync: -1
    zonefile-load: difference-no-serial
    journal-content: all
    acl: [granted, rival]
zone:
",
        SRVKEEPER.name, RIVAL.name
    ));
    for zone in zones {
        text.push_str(&format!(
            "  - domain: {}\n    file: {}\n    dnssec-signing: {}\n",
            zone.name,
            zone.file_name(),
            if zone.signed { "on" } else { "off" }
        ));
    }
    text
}
