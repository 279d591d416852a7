//! BIND as a primary.

use std::fs;
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::Command;

use tempfile::TempDir;

use super::address::ReservedPort;
use super::primary::{Primary, ZoneText};
use super::tools::{RIVAL, SRVKEEPER, TsigKey, UNGRANTED};

/// Starts BIND: [`SRVKEEPER`] may update the SRV records at `_vlmcs._tcp` of each zone and nothing
/// else, [`RIVAL`] anything, [`UNGRANTED`] nothing.
pub(crate) struct Bind;

impl Bind {
    /// Starts it and waits until it serves the zones.
    pub(crate) fn start(zones: &[ZoneText]) -> Primary {
        Self::start_with(zones, |folder| keys_and_zones(folder, zones))
    }

    /// Starts it with zones that [`SRVKEEPER`] may change, and so may anybody on this machine.
    pub(crate) fn open(zones: &[ZoneText]) -> Primary {
        Self::start_with(zones, |folder| {
            let folder = folder.display();
            let keys = SRVKEEPER.file_text();
            let zones = zones.iter().map(|zone| {
                let (name, file) = (&zone.name, zone.file_name());
                format!(
                    "zone \"{name}\" {{
  type primary;
  file \"{folder}/{file}\";
  allow-update {{ 127.0.0.0/8; key {}; }};
}};
",
                    SRVKEEPER.name
                )
            });
            std::iter::once(keys).chain(zones).collect()
        })
    }

    /// Starts it with a control channel.
    pub(crate) fn start_controlled(zones: &[ZoneText]) -> (Primary, Control) {
        let control = Control::new();
        let primary = Self::start_with(zones, |folder| {
            control.clause() + &keys_and_zones(folder, zones)
        });
        (primary, control)
    }

    /// Starts it with this text in its configuration, given its folder, in place of our own keys
    /// and zones; the zones' files stand in the folder.
    pub(crate) fn start_with(
        zones: &[ZoneText],
        configuration: impl Fn(&Path) -> String,
    ) -> Primary {
        Self::start_in(zones, &[], "", configuration)
    }

    /// As [`Bind::start_with`], with these variables in its environment and this text among its
    /// options.
    pub(crate) fn start_in(
        zones: &[ZoneText],
        environment: &[(&str, String)],
        more_options: &str,
        configuration: impl Fn(&Path) -> String,
    ) -> Primary {
        Primary::start(zones, |folder, address| {
            let text = options(folder, address, more_options) + &configuration(folder);
            let mut command = named(folder, &text);
            command.envs(environment.iter().map(|(name, value)| (name, value)));
            command
        })
    }

    /// As [`Bind::start_with`], at an address that nobody else has, in a network namespace.
    pub(crate) fn start_at(
        address: SocketAddr,
        zones: &[ZoneText],
        configuration: impl Fn(&Path) -> String,
    ) -> Primary {
        Primary::start_at(address, zones, |folder, address| {
            named(
                folder,
                &(options(folder, address, "") + &configuration(folder)),
            )
        })
    }
}

fn named(folder: &Path, configuration: &str) -> Command {
    let file = folder.join("named.conf");
    fs::write(&file, configuration).unwrap();
    let mut command = Command::new(unconfined_named(folder));
    command.args(["-g", "-n", "1", "-c"]).arg(file);
    command
}

/// The control channel of a running BIND.
pub(crate) struct Control {
    port: ReservedPort,
    folder: TempDir,
}

impl Control {
    const KEY: TsigKey = TsigKey {
        name: "control",
        ..RIVAL
    };

    pub(super) fn new() -> Self {
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("key"), Self::KEY.file_text()).unwrap();
        Self {
            port: ReservedPort::new(),
            folder,
        }
    }

    /// What opens it, in the server's configuration.
    pub(super) fn clause(&self) -> String {
        let (address, key) = (self.port.address, Self::KEY);
        format!(
            "{}controls {{ inet {} port {} allow {{ 127.0.0.1; }} keys {{ {}; }}; }};\n",
            key.file_text(),
            address.ip(),
            address.port(),
            key.name
        )
    }

    /// Runs `rndc`, such as with `freeze` and a zone.
    pub(crate) fn rndc(&self, arguments: &[&str]) {
        let output = Command::new("/usr/sbin/rndc")
            .args([
                "-s",
                "127.0.0.1",
                "-p",
                &self.port.address.port().to_string(),
            ])
            .arg("-k")
            .arg(self.folder.path().join("key"))
            .args(arguments)
            .output()
            .expect("rndc; tests/run installs it");
        assert!(output.status.success(), "rndc {arguments:?}: {output:?}");
    }
}

/// A copy of `named`: AppArmor, where it is on, knows it by its path and would keep it out of
/// temporary folders.
fn unconfined_named(folder: &Path) -> PathBuf {
    let copy = folder.join("named");
    // Not by ourselves: a child forked meanwhile by another test would inherit the file open for
    // writing, and a file open for writing cannot be run.
    let copied = Command::new("cp")
        .arg("/usr/sbin/named")
        .arg(&copy)
        .status();
    assert!(copied.unwrap().success(), "no named; tests/run installs it");
    copy
}

fn options(folder: &Path, address: SocketAddr, more: &str) -> String {
    let folder = folder.display();
    let (ip, port) = (address.ip(), address.port());
    // Records per type: BIND's default of 100 is too small for the tests of large sets.
    format!(
        "options {{
  directory \"{folder}\";
  pid-file \"{folder}/named.pid\";
  session-keyfile \"{folder}/session.key\";
  listen-on port {port} {{ {ip}; }};
  listen-on-v6 {{ none; }};
  allow-query {{ any; }};
  recursion no;
  dnssec-validation no;
  empty-zones-enable no;
  check-names primary ignore;
  notify no;
  max-records-per-type 0;
  {more}
}};
controls {{ }};
"
    )
}

fn keys_and_zones(folder: &Path, zones: &[ZoneText]) -> String {
    let folder = folder.display();
    let mut text = String::new();
    for key in [SRVKEEPER, RIVAL, UNGRANTED] {
        text.push_str(&key.file_text());
    }
    for zone in zones {
        let (name, file, granted) = (&zone.name, zone.file_name(), &zone.granted);
        let (srvkeeper, rival) = (SRVKEEPER.name, RIVAL.name);
        let signing = signing(zone);
        text.push_str(&format!(
            "zone \"{name}\" {{
  type primary;
  file \"{folder}/{file}\";
  update-policy {{
    grant {srvkeeper} name {granted} SRV;
    grant {rival} zonesub ANY;
  }};{signing}
}};
"
        ));
    }
    text
}

/// Where the zone is signed, what the zone's block says of it.
pub(super) fn signing(zone: &ZoneText) -> &'static str {
    match zone.signed {
        true => "\n  dnssec-policy default;\n  inline-signing yes;",
        false => "",
    }
}
