//! A Kerberos realm with its KDC, and BIND servers that negotiate keys in it.

use std::fs;
use std::net::{SocketAddr, TcpListener, TcpStream, UdpSocket};
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Output, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::address::{ReservedPort, unused_address};
use super::bind::{Bind, Control, signing};
use super::primary::{Primary, ZoneText};
use super::tools::RIVAL;

/// The realm.
pub(crate) const REALM: &str = "BIND.TEST";
/// A realm whose KDC is dead.
pub(crate) const DEAD_REALM: &str = "DEAD.TEST";
/// A realm whose KDC listens and never says a word.
pub(crate) const SILENT_REALM: &str = "SILENT.TEST";
/// May update SRV records at `_vlmcs._tcp`.
pub(crate) const SERVICE: &str = "svc-dns@BIND.TEST";
/// A KMS host's own account, which may update nothing.
pub(crate) const HOST: &str = "kms1$@BIND.TEST";

const READY_WITHIN: Duration = Duration::from_secs(10);
const ASK_EVERY: Duration = Duration::from_millis(10);

/// A KDC with the principals above and one for each name server, ended when dropped.
pub(crate) struct Kdc {
    process: Child,
    folder: TempDir,
    _port: ReservedPort,
    _silent: (UdpSocket, TcpListener),
}

impl Kdc {
    /// Starts it with the principals `DNS/NAME` of these servers, and waits until it listens.
    pub(crate) fn start(servers: &[&str]) -> Self {
        let folder = tempfile::tempdir().unwrap();
        let port = ReservedPort::new();
        let address = port.address;
        let path = folder.path().display();
        let silent = silent();
        let realms = [
            (REALM, address),
            (DEAD_REALM, unused_address()),
            (SILENT_REALM, silent.1.local_addr().unwrap()),
        ];
        write_krb5_conf(folder.path(), &realms);
        fs::write(
            folder.path().join("kdc.conf"),
            format!(
                "[kdcdefaults]
  kdc_listen = {address}
  kdc_tcp_listen = {address}
[realms]
  {REALM} = {{
    database_name = {path}/principal
    key_stash_file = {path}/stash
    acl_file = {path}/acl
    supported_enctypes = aes256-cts:normal
  }}
[logging]
  kdc = FILE:{path}/kdc.log
"
            ),
        )
        .unwrap();
        let command = |program: &str| {
            let mut command = Command::new(format!("/usr/sbin/{program}"));
            command
                .env("KRB5_CONFIG", folder.path().join("krb5.conf"))
                .env("KRB5_KDC_PROFILE", folder.path().join("kdc.conf"));
            command
        };
        run(command("kdb5_util").args(["create", "-s", "-r", REALM, "-P", "master"]));
        let mut requests = String::new();
        let services = servers.iter().map(|name| format!("DNS/{name}@{REALM}"));
        for principal in services.clone().chain([SERVICE.into(), HOST.into()]) {
            requests.push_str(&format!("addprinc -randkey {principal}\n"));
        }
        for service in services {
            requests.push_str(&format!("ktadd -k {path}/dns.keytab {service}\n"));
        }
        for (file, principal) in [("svc.keytab", SERVICE), ("host.keytab", HOST)] {
            requests.push_str(&format!("ktadd -k {path}/{file} {principal}\n"));
        }
        fs::write(folder.path().join("requests"), requests).unwrap();
        let input = fs::File::open(folder.path().join("requests")).unwrap();
        run(command("kadmin.local").args(["-r", REALM]).stdin(input));
        let process = command("krb5kdc")
            .args(["-n", "-r", REALM, "-P"])
            .arg(folder.path().join("kdc.pid"))
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("krb5kdc; tests/run installs it");
        let mut kdc = Self {
            process,
            folder,
            _port: port,
            _silent: silent,
        };
        let deadline = Instant::now() + READY_WITHIN;
        while TcpStream::connect(address).is_err() {
            let ended = kdc.process.try_wait().unwrap();
            let log = || fs::read_to_string(kdc.path("kdc.log"));
            assert!(ended.is_none(), "the KDC ended: {:?}", log());
            assert!(Instant::now() < deadline, "no KDC in time: {:?}", log());
            thread::sleep(ASK_EVERY);
        }
        kdc
    }

    /// Ends it; the realm stays configured.
    pub(crate) fn stop(&mut self) {
        // It may have ended by itself; either way it is gone afterwards.
        let _ = self.process.kill();
        let _ = self.process.wait();
    }

    /// A file of the realm: `krb5.conf`, `svc.keytab`, `host.keytab`, or a new one.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The value of `KRB5_CONFIG`.
    pub(crate) fn configuration(&self) -> String {
        self.path("krb5.conf").display().to_string()
    }

    /// A new ticket for [`SERVICE`] in a credentials cache of this name, which is returned.
    pub(crate) fn ticket(&self, ccache: &str, lifetime: &str) -> String {
        let ccache = format!("FILE:{}", self.path(ccache).display());
        run(self
            .command("kinit")
            .args(["-k", "-l", lifetime, "-c", &ccache, "-t"])
            .arg(self.path("svc.keytab"))
            .arg(SERVICE));
        ccache
    }

    /// True while the ticket in a credentials cache is valid.
    pub(crate) fn is_valid(&self, ccache: &str) -> bool {
        let status = self.command("klist").args(["-s", "-c", ccache]).status();
        status.expect("klist; tests/run installs it").success()
    }

    /// A keytab with a key that the KDC does not know.
    pub(crate) fn keytab_of(&self, principal: &str, name: &str) -> PathBuf {
        wrong_keytab(self.folder.path(), principal, name)
    }

    /// Starts BIND with these zones, in which [`SERVICE`] may update the SRV records at
    /// `_vlmcs._tcp` and nothing else.
    pub(crate) fn bind(&self, zones: &[ZoneText]) -> Primary {
        self.bind_in(zones, "", "")
    }

    /// As [`Kdc::bind`], with a control channel, and [`RIVAL`] may update anything.
    pub(crate) fn bind_controlled(&self, zones: &[ZoneText]) -> (Primary, Control) {
        let control = Control::new();
        let grant = format!("grant {} zonesub ANY;", RIVAL.name);
        let more = RIVAL.file_text() + &control.clause();
        (self.bind_in(zones, &more, &grant), control)
    }

    fn bind_in(&self, zones: &[ZoneText], more: &str, grant: &str) -> Primary {
        let keytab = self.path("dns.keytab");
        let options = format!("tkey-gssapi-keytab \"{}\";", keytab.display());
        let environment = [("KRB5_CONFIG", self.configuration())];
        Bind::start_in(zones, &environment, &options, |folder| {
            let folder = folder.display();
            let zones: String = zones
                .iter()
                .map(|zone| {
                    let (name, file, granted) = (&zone.name, zone.file_name(), &zone.granted);
                    let signing = signing(zone);
                    format!(
                        "zone \"{name}\" {{
  type primary;
  file \"{folder}/{file}\";
  update-policy {{ grant {SERVICE} name {granted} SRV; {grant} }};{signing}
}};
"
                    )
                })
                .collect();
            format!("{more}{zones}")
        })
    }

    fn command(&self, program: &str) -> Command {
        let mut command = Command::new(program);
        command.env("KRB5_CONFIG", self.path("krb5.conf"));
        command
    }
}

impl Drop for Kdc {
    fn drop(&mut self) {
        self.stop();
    }
}

/// Sockets that nobody reads from.
fn silent() -> (UdpSocket, TcpListener) {
    loop {
        let address = unused_address();
        if let (Ok(udp), Ok(tcp)) = (UdpSocket::bind(address), TcpListener::bind(address)) {
            return (udp, tcp);
        }
    }
}

fn run(command: &mut Command) -> Output {
    let output = command
        .output()
        .unwrap_or_else(|error| panic!("{command:?}: {error}; tests/run installs it"));
    assert!(output.status.success(), "{command:?}: {output:?}");
    output
}

/// Writes a keytab of this name with a key that no KDC knows.
pub(super) fn wrong_keytab(folder: &Path, principal: &str, name: &str) -> PathBuf {
    let file = folder.join(name);
    let script = folder.join("ktutil.script");
    let lines = format!(
        "addent -password -p {principal} -k 1 -e aes256-cts\nwrong\nwkt {}\nquit\n",
        file.display()
    );
    fs::write(&script, lines).unwrap();
    let mut ktutil = Command::new("ktutil");
    ktutil.env("KRB5_CONFIG", folder.join("krb5.conf"));
    run(ktutil.stdin(fs::File::open(script).unwrap()));
    assert!(file.is_file(), "ktutil wrote no {}", file.display());
    fs::set_permissions(&file, fs::Permissions::from_mode(0o600)).unwrap();
    file
}

/// Writes `krb5.conf`: where the KDC of each realm is, the first being the default, and nothing that
/// would ask DNS.
pub(super) fn write_krb5_conf(folder: &Path, realms: &[(&str, SocketAddr)]) {
    let default = realms[0].0;
    let mut text = format!(
        "[libdefaults]
  default_realm = {default}
  dns_lookup_realm = false
  dns_lookup_kdc = false
  rdns = false
  dns_canonicalize_hostname = false
[realms]
"
    );
    for (realm, kdc) in realms {
        text.push_str(&format!("  {realm} = {{\n    kdc = {kdc}\n  }}\n"));
    }
    fs::write(folder.join("krb5.conf"), text).unwrap();
}
