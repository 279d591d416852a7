//! One installation of srvkeeper: configuration, key files, state, and runs of the program.

use std::collections::BTreeMap;
use std::fmt;
use std::fs;
use std::io::Read;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::ExitStatusExt;
use std::path::PathBuf;
use std::process::{Child, Command, ExitStatus, Output, Stdio};

use serde_json::Value;
use tempfile::TempDir;

use super::kms::Kms;
use super::tools::{SRVKEEPER, TsigKey};

/// No run takes longer; one that does is killed and fails its test.
const LONGEST_RUN: &str = "120";

/// An installation in a temporary folder. The tables of the configuration are TOML text.
pub(crate) struct Site {
    folder: TempDir,
    /// `mode` of `[daemon]`.
    pub(crate) mode: &'static str,
    /// Further tables.
    pub(crate) more: String,
    /// Further keys of `[daemon]`.
    pub(crate) daemon: String,
    /// `[record]`.
    pub(crate) record: String,
    /// `[health]`.
    pub(crate) health: String,
    /// `[policy]`.
    pub(crate) policy: String,
    as_written: Option<String>,
    servers: BTreeMap<String, SocketAddr>,
    hosts: String,
    zones: String,
}

impl Site {
    /// An installation with probes in quick succession, and nothing to keep yet.
    pub(crate) fn new() -> Self {
        Self {
            folder: tempfile::tempdir().unwrap(),
            mode: "enforce",
            more: String::new(),
            daemon: String::new(),
            record: String::new(),
            health: "rise = 1\nfall = 2\ninterval = \"500ms\"\ntimeout = \"500ms\"".to_owned(),
            policy: String::new(),
            as_written: None,
            servers: BTreeMap::new(),
            hosts: String::new(),
            zones: String::new(),
        }
    }

    /// An installation with one server, called `primary`, written to with [`SRVKEEPER`].
    pub(crate) fn with_primary(address: SocketAddr) -> Self {
        Self::new().server("primary", address, SRVKEEPER)
    }

    /// An installation with this configuration and no other.
    pub(crate) fn as_written(configuration: &str) -> Self {
        Self {
            as_written: Some(configuration.to_owned()),
            ..Self::new()
        }
    }

    /// Adds a server, written to with `key`.
    pub(crate) fn server(mut self, name: &str, address: SocketAddr, key: TsigKey) -> Self {
        let file = self.path(&format!("{name}.key"));
        fs::write(&file, key.file_text()).unwrap();
        fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
        self.servers.insert(name.to_owned(), address);
        self
    }

    /// Adds a host that is probed.
    pub(crate) fn host(self, name: &str, kms: &Kms) -> Self {
        self.host_with(name, kms, "")
    }

    /// Adds a host that is probed, with further keys.
    pub(crate) fn host_with(mut self, name: &str, kms: &Kms, more: &str) -> Self {
        let ip = kms.ip();
        self.hosts.push_str(&format!(
            "[[host]]\nname = \"{name}\"\naddress = [\"{ip}\"]\n{more}\n"
        ));
        self
    }

    /// Adds a host that is trusted to be up.
    pub(crate) fn trusted_host(mut self, name: &str, more: &str) -> Self {
        self.hosts.push_str(&format!(
            "[[host]]\nname = \"{name}\"\ncheck = \"none\"\n{more}\n"
        ));
        self
    }

    /// Adds a zone on the server called `primary`.
    pub(crate) fn zone(self, name: &str) -> Self {
        self.zone_with(name, "primary", "")
    }

    /// Adds a zone on a server, with further keys.
    pub(crate) fn zone_with(mut self, name: &str, server: &str, more: &str) -> Self {
        self.zones.push_str(&format!(
            "[[zone]]\nname = \"{name}\"\nservers = [\"{server}\"]\n{more}\n"
        ));
        self
    }

    /// Takes every zone out of the configuration.
    pub(crate) fn without_zones(mut self) -> Self {
        self.zones.clear();
        self
    }

    /// Sets `[policy]`.
    pub(crate) fn policy(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.policy);
        self
    }

    /// Sets further keys of `[daemon]`.
    pub(crate) fn daemon(mut self, keys: &str) -> Self {
        keys.clone_into(&mut self.daemon);
        self
    }

    /// A path in the installation's folder.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// Runs `srvkeeper --config … ARGUMENTS` without a terminal, in an empty environment.
    pub(crate) fn run(&self, arguments: &[&str]) -> Run {
        self.run_in(&[], arguments)
    }

    /// Runs it with these variables as the only ones of the environment.
    pub(crate) fn run_in(&self, environment: &[(&str, &str)], arguments: &[&str]) -> Run {
        let output = self
            .command(arguments)
            .envs(environment.iter().copied())
            .output()
            .expect("timeout, of coreutils");
        Run::of(output)
    }

    /// Starts it, to be interrupted and waited for.
    pub(crate) fn start(&self, arguments: &[&str]) -> Running {
        let child = self
            .command(arguments)
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("timeout, of coreutils");
        Running { child }
    }

    /// Writes the configuration file as the installation is now.
    pub(crate) fn configure(&self) -> PathBuf {
        let file = self.path("srvkeeper.toml");
        let configuration = self.configuration();
        // Another run may be reading it.
        if fs::read_to_string(&file).ok().as_ref() != Some(&configuration) {
            fs::write(&file, configuration).unwrap();
        }
        file
    }

    pub(super) fn command(&self, arguments: &[&str]) -> Command {
        let file = self.configure();
        let mut command = Command::new("timeout");
        command
            // In the foreground it passes a signal on once, and to its child alone.
            .args(["--foreground", "--signal=KILL", LONGEST_RUN])
            .args([env!("CARGO_BIN_EXE_srvkeeper"), "--config"])
            .arg(file)
            .args(arguments)
            .env_clear()
            .stdin(Stdio::null());
        command
    }

    /// Runs `plan --format json`, expects the exit status, and reads the plan.
    pub(crate) fn plan(&self, expected: i32) -> Value {
        let run = self.run(&["plan", "--format", "json"]);
        run.expect(expected);
        run.json()
    }

    /// Runs `apply --yes` and expects the exit status.
    pub(crate) fn apply(&self, expected: i32) -> Run {
        let run = self.run(&["apply", "--yes"]);
        run.expect(expected);
        run
    }

    fn configuration(&self) -> String {
        if let Some(text) = &self.as_written {
            return text.clone();
        }
        let state_dir = self.path("state");
        let servers: String = self
            .servers
            .iter()
            .map(|(name, address)| {
                format!(
                    "[keys.{name}]\nkind = \"tsig\"\nfile = \"{name}.key\"\n\
                     [[server]]\nname = \"{name}\"\naddress = \"{address}\"\nkey = \"{name}\"\n"
                )
            })
            .collect();
        format!(
            "version = 1\n\
             [daemon]\nmode = \"{}\"\nstate_dir = \"{}\"\n{}\n\
             [record]\n{}\n[health]\n{}\n[policy]\n{}\n{}{}{}{}",
            self.mode,
            state_dir.display(),
            self.daemon,
            self.record,
            self.health,
            self.policy,
            servers,
            self.hosts,
            self.zones,
            self.more
        )
    }
}

/// One run of the program, under way.
pub(crate) struct Running {
    child: Child,
}

impl Running {
    /// Ctrl-C: sends SIGINT.
    pub(crate) fn interrupt(&self) {
        let sent = Command::new("kill")
            .args(["-INT", &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// Reads stderr up to the end of the line that has the text.
    #[track_caller]
    pub(crate) fn wait_for_stderr(&mut self, text: &str) {
        let stderr = self.child.stderr.as_mut().unwrap();
        let mut read = Vec::new();
        let mut octet = [0];
        while !(read.ends_with(b"\n") && String::from_utf8_lossy(&read).contains(text)) {
            let length = stderr.read(&mut octet).unwrap();
            let said = || String::from_utf8_lossy(&read).into_owned();
            assert!(length == 1, "ended without «{text}»: {}", said());
            read.extend(octet);
        }
    }

    /// Waits for its end; stderr is what has not been read yet.
    pub(crate) fn wait(self) -> Run {
        Run::of(self.child.wait_with_output().unwrap())
    }
}

/// One run of the program, ended.
#[derive(Debug)]
pub(crate) struct Run {
    pub(crate) status: ExitStatus,
    pub(crate) stdout: String,
    pub(crate) stderr: String,
}

impl Run {
    fn of(output: Output) -> Self {
        Self {
            status: output.status,
            stdout: String::from_utf8(output.stdout).expect("UTF-8 on stdout"),
            stderr: String::from_utf8(output.stderr).expect("UTF-8 on stderr"),
        }
    }

    /// Panics with all output when the exit status is another one.
    #[track_caller]
    pub(crate) fn expect(&self, status: i32) {
        assert_eq!(self.status.code(), Some(status), "{self}");
    }

    /// Panics when the process did not end by a signal.
    #[track_caller]
    pub(crate) fn expect_killed(&self) {
        assert!(self.status.signal().is_some(), "{self}");
    }

    /// Panics when neither output has the text, wherever lines are broken.
    #[track_caller]
    pub(crate) fn expect_text(&self, text: &str) {
        let unwrapped = |output: &str| output.split_whitespace().collect::<Vec<_>>().join(" ");
        let has = |output: &str| output.contains(text) || unwrapped(output).contains(text);
        assert!(
            has(&self.stdout) || has(&self.stderr),
            "no «{text}» in: {self}"
        );
    }

    /// Standard output as JSON.
    #[track_caller]
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("{error}: {self}"))
    }
}

impl fmt::Display for Run {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            status,
            stdout,
            stderr,
        } = self;
        write!(f, "{status}\n--- stdout\n{stdout}\n--- stderr\n{stderr}")
    }
}
