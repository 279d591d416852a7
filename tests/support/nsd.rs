//! NSD, which serves zones and takes no updates.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::primary::{Primary, ZoneText};
use super::tools::{RIVAL, SRVKEEPER, UNGRANTED};

/// Starts NSD with the keys of the other servers.
pub(crate) struct Nsd;

impl Nsd {
    /// Starts it and waits until it serves the zones.
    pub(crate) fn start(zones: &[ZoneText]) -> Primary {
        Primary::start(zones, |folder, address| {
            let file = folder.join("nsd.conf");
            fs::write(&file, configuration(folder, address, zones)).unwrap();
            let mut command = Command::new("/usr/sbin/nsd");
            // In the foreground; its children end with it.
            command.arg("-d").arg("-c").arg(file);
            command
        })
    }
}

fn configuration(folder: &Path, address: SocketAddr, zones: &[ZoneText]) -> String {
    let folder = folder.display();
    let (ip, port) = (address.ip(), address.port());
    let mut text = format!(
        "server:
  ip-address: {ip}@{port}
  username: \"\"
  chroot: \"\"
  zonesdir: \"{folder}\"
  pidfile: \"\"
  xfrdfile: \"{folder}/xfrd.state\"
  xfrdir: \"{folder}\"
  zonelistfile: \"{folder}/zone.list\"
  database: \"\"
  server-count: 1
remote-control:
  control-enable: no
"
    );
    for key in [SRVKEEPER, RIVAL, UNGRANTED] {
        text.push_str(&format!(
            "key:\n  name: {}\n  algorithm: {}\n  secret: \"{}\"\n",
            key.name, key.algorithm, key.secret
        ));
    }
    for zone in zones {
        text.push_str(&format!(
            "zone:\n  name: {}\n  zonefile: {}\n",
            zone.name,
            zone.file_name()
        ));
    }
    text
}
