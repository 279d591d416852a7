//! A running name server, whichever program it is.

use std::fs::{self, File};
use std::net::SocketAddr;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::address::ReservedPort;
use super::tools::is_authoritative;

/// How long a server may take to answer for its zones.
const READY_WITHIN: Duration = Duration::from_secs(10);
/// Between two questions whether it does.
const ASK_EVERY: Duration = Duration::from_millis(10);
/// A program that is none of the tests may take the port between its choice and its use.
const STARTS: usize = 5;

/// A zone to serve: its name, its records, and who may update what.
pub(crate) struct ZoneText {
    pub(super) name: String,
    /// MNAME of its SOA.
    mname: String,
    records: Vec<String>,
    /// Where SRV records may be updated by [`super::SRVKEEPER`]; only BIND heeds it.
    pub(super) granted: String,
    /// False for a secondary, which gets it from elsewhere.
    has_file: bool,
    /// True when the server signs it (DNSSEC).
    pub(super) signed: bool,
}

impl ZoneText {
    /// A zone with its SOA and NS; SRV records at `_vlmcs._tcp` may be updated.
    pub(crate) fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            mname: "ns".to_owned(),
            records: Vec::new(),
            granted: format!("_vlmcs._tcp.{name}"),
            has_file: true,
            signed: false,
        }
    }

    /// A zone that the server transfers from another one.
    pub(crate) fn transferred(name: &str) -> Self {
        Self {
            has_file: false,
            ..Self::new(name)
        }
    }

    /// Adds a line of zone file text; names may be relative to the zone.
    pub(crate) fn record(mut self, line: &str) -> Self {
        self.records.push(line.to_owned());
        self
    }

    /// Adds `_vlmcs._tcp SRV` records with this TTL.
    pub(crate) fn srv(mut self, ttl: u32, records: &[&str]) -> Self {
        let lines = records
            .iter()
            .map(|data| format!("_vlmcs._tcp {ttl} IN SRV {data}"));
        self.records.extend(lines);
        self
    }

    /// Names this primary in the SOA, in place of `ns` in the zone.
    pub(crate) fn primary(mut self, name: &str) -> Self {
        name.clone_into(&mut self.mname);
        self
    }

    /// Grants this name in place of `_vlmcs._tcp` below the zone.
    pub(crate) fn granting(mut self, name: &str) -> Self {
        name.clone_into(&mut self.granted);
        self
    }

    /// Has the server sign it (DNSSEC), with keys of its own; not NSD.
    pub(crate) fn signed(mut self) -> Self {
        self.signed = true;
        self
    }

    pub(super) fn file_text(&self) -> String {
        let mut text = format!(
            "$ORIGIN {}\n$TTL 3600\n@ IN SOA {} hostmaster 1 3600 600 86400 60\n@ IN NS ns\nns IN A 127.0.0.1\n",
            self.name, self.mname
        );
        for record in &self.records {
            text.push_str(record);
            text.push('\n');
        }
        text
    }

    pub(super) fn file_name(&self) -> String {
        format!("{}zone", self.name)
    }
}

/// A name server in a temporary folder, ended when dropped.
pub(crate) struct Primary {
    command: Command,
    process: Child,
    /// Where it answers, over UDP and TCP.
    pub(crate) address: SocketAddr,
    zones: Vec<String>,
    _port: Option<ReservedPort>,
    folder: TempDir,
}

impl Primary {
    /// Starts a server on a free port and waits until it is authoritative for every zone.
    ///
    /// `command` writes the configuration into the folder and names the program to run.
    pub(super) fn start(
        zones: &[ZoneText],
        command: impl Fn(&Path, SocketAddr) -> Command,
    ) -> Self {
        let mut starts = 0;
        loop {
            starts += 1;
            let port = ReservedPort::new();
            match Self::try_start(port.address, Some(port), zones, &command) {
                Ok(primary) => return primary,
                Err(log) if log.contains("in use") && starts < STARTS => {}
                Err(log) => panic!("the name server does not start:\n{log}"),
            }
        }
    }

    /// As [`Primary::start`], at an address that nobody else has, in a network namespace.
    pub(super) fn start_at(
        address: SocketAddr,
        zones: &[ZoneText],
        command: impl Fn(&Path, SocketAddr) -> Command,
    ) -> Self {
        Self::try_start(address, None, zones, &command)
            .unwrap_or_else(|log| panic!("the name server does not start:\n{log}"))
    }

    fn try_start(
        address: SocketAddr,
        port: Option<ReservedPort>,
        zones: &[ZoneText],
        command: &impl Fn(&Path, SocketAddr) -> Command,
    ) -> Result<Self, String> {
        let folder = tempfile::tempdir().unwrap();
        for zone in zones.iter().filter(|zone| zone.has_file) {
            fs::write(folder.path().join(zone.file_name()), zone.file_text()).unwrap();
        }
        let log = folder.path().join("log");
        let mut command = command(folder.path(), address);
        let process = command
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(File::create(&log).unwrap())
            .spawn()
            .unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
        let mut primary = Self {
            command,
            process,
            address,
            zones: zones.iter().map(|zone| zone.name.clone()).collect(),
            _port: port,
            folder,
        };
        match primary.wait_until_ready() {
            Ok(()) => Ok(primary),
            Err(why) => Err(format!("{why}\n{}", fs::read_to_string(log).unwrap())),
        }
    }

    /// A file in its folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Kills it, starts it again with what it has on disk, and waits until it answers.
    pub(crate) fn restart(&mut self) {
        self.process.kill().unwrap();
        self.process.wait().unwrap();
        self.process = self.command.spawn().unwrap();
        self.wait_until_ready().unwrap();
    }

    fn wait_until_ready(&mut self) -> Result<(), String> {
        let deadline = Instant::now() + READY_WITHIN;
        for zone in &self.zones {
            while !is_authoritative(self.address, zone) {
                if let Some(status) = self.process.try_wait().unwrap() {
                    return Err(format!("ended with {status}"));
                }
                if Instant::now() > deadline {
                    return Err(format!("not authoritative for {zone} in time"));
                }
                thread::sleep(ASK_EVERY);
            }
        }
        Ok(())
    }
}

impl Drop for Primary {
    fn drop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }
}
