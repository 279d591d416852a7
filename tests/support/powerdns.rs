//! PowerDNS as a primary.

use std::fs;
use std::net::SocketAddr;
use std::path::Path;
use std::process::Command;

use super::primary::{Primary, ZoneText};
use super::tools::{RIVAL, SRVKEEPER, UNGRANTED};

/// The tables of its database, as the package brings them.
const SCHEMA: &str = "/usr/share/pdns-backend-sqlite3/schema/schema.sqlite3.sql";

/// Starts PowerDNS with its SQLite backend: [`SRVKEEPER`] and [`RIVAL`] may update anything,
/// [`UNGRANTED`] nothing. Its metadata knows zones and keys, but no names and types.
pub(crate) struct PowerDns;

impl PowerDns {
    /// Starts it and waits until it serves the zones.
    pub(crate) fn start(zones: &[ZoneText]) -> Primary {
        Primary::start(zones, |folder, address| {
            fs::write(folder.join("pdns.conf"), configuration(folder, address)).unwrap();
            create_database(folder);
            for key in [SRVKEEPER, RIVAL, UNGRANTED] {
                pdnsutil(
                    folder,
                    &["import-tsig-key", key.name, key.algorithm, key.secret],
                );
            }
            for zone in zones {
                load(folder, zone);
            }
            let mut command = Command::new("/usr/sbin/pdns_server");
            command.arg(config_dir(folder));
            command
        })
    }
}

fn configuration(folder: &Path, address: SocketAddr) -> String {
    let folder = folder.display();
    let (ip, port) = (address.ip(), address.port());
    format!(
        "launch=gsqlite3
gsqlite3-database={folder}/database
gsqlite3-dnssec=yes
gsqlite3-pragma-synchronous=0
local-address={ip}
local-port={port}
socket-dir={folder}
dnsupdate=yes
distributor-threads=1
security-poll-suffix=
"
    )
}

fn create_database(folder: &Path) {
    let schema = fs::read_to_string(SCHEMA).expect("pdns-backend-sqlite3; tests/run installs it");
    let database = rusqlite::Connection::open(folder.join("database")).unwrap();
    database.execute_batch(&schema).unwrap();
}

fn load(folder: &Path, zone: &ZoneText) {
    let (name, file) = (zone.name.as_str(), folder.join(zone.file_name()));
    pdnsutil(folder, &["load-zone", name, &file.display().to_string()]);
    pdnsutil(
        folder,
        &[
            "set-meta",
            name,
            "TSIG-ALLOW-DNSUPDATE",
            SRVKEEPER.name,
            RIVAL.name,
        ],
    );
    pdnsutil(
        folder,
        &["set-meta", name, "ALLOW-DNSUPDATE-FROM", "127.0.0.0/8"],
    );
    if zone.signed {
        pdnsutil(folder, &["secure-zone", name]);
    }
}

fn pdnsutil(folder: &Path, arguments: &[&str]) {
    let output = Command::new("/usr/bin/pdnsutil")
        .arg(config_dir(folder))
        .args(arguments)
        .output()
        .expect("pdnsutil; tests/run installs it");
    assert!(
        output.status.success(),
        "pdnsutil {arguments:?}: {output:?}"
    );
}

fn config_dir(folder: &Path) -> String {
    format!("--config-dir={}", folder.display())
}
