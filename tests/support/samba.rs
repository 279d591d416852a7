//! Samba as an Active Directory domain controller: its DNS and its KDC, without root.

use std::fs;
use std::io::Write;
use std::net::SocketAddr;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::thread;
use std::time::{Duration, Instant};

use tempfile::TempDir;

use super::address::ReservedPort;
use super::kdc::{write_krb5_conf, wrong_keytab};
use super::tools::is_authoritative;

/// The zone that every domain has.
pub(crate) const DOMAIN: &str = "kms.test.";
const REALM: &str = "KMS.TEST";
const READY_WITHIN: Duration = Duration::from_secs(60);
const ASK_EVERY: Duration = Duration::from_millis(50);

/// `samba-tool`, which sets no permissions on the folder for group policies: that needs root, and
/// nobody looks at them here.
const TOOL: &str = "import sys
import samba.provision
samba.provision.setsysvolacl = lambda *arguments, **options: None
from samba.netcmd.main import cmd_sambatool
sys.exit(cmd_sambatool()._run('samba-tool', *sys.argv[1:]))
";

/// A domain controller with the accounts `kms1$`, `kms2$` and `svc-dns`, ended when dropped.
pub(crate) struct Samba {
    process: Child,
    /// Where its DNS answers.
    pub(crate) address: SocketAddr,
    folder: TempDir,
    _ports: [ReservedPort; 3],
}

impl Samba {
    /// Makes a domain, starts it, and waits until it serves its zone.
    pub(crate) fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let ports = [(); 3].map(|()| ReservedPort::new());
        let [dns, krb5, kpasswd] = ports.each_ref().map(|port| port.address);
        provision(folder.path(), [dns, krb5, kpasswd]);
        write_krb5_conf(folder.path(), &[(REALM, krb5)]);
        accounts(folder.path());
        let log = fs::File::create(folder.path().join("out")).unwrap();
        let process = Command::new("/usr/sbin/samba")
            .args(["-F", "--no-process-group", "-l"])
            .arg(folder.path())
            .arg("-s")
            .arg(folder.path().join("etc/smb.conf"))
            .process_group(0)
            .stdin(Stdio::null())
            .stdout(log.try_clone().unwrap())
            .stderr(log)
            .spawn()
            .expect("samba; tests/run installs it");
        let mut samba = Self {
            process,
            address: dns,
            folder,
            _ports: ports,
        };
        samba.wait_until_ready();
        samba
    }

    fn wait_until_ready(&mut self) {
        let deadline = Instant::now() + READY_WITHIN;
        while !is_authoritative(self.address, DOMAIN) {
            let ended = self.process.try_wait().unwrap();
            let log = || fs::read_to_string(self.path("out")).unwrap();
            assert!(ended.is_none(), "samba ended: {}", log());
            assert!(Instant::now() < deadline, "not in time: {}", log());
            thread::sleep(ASK_EVERY);
        }
    }

    /// A file of the domain: `krb5.conf`, `kms1.keytab`, `kms2.keytab` or `svc-dns.keytab`.
    pub(crate) fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    /// The value of `KRB5_CONFIG`.
    pub(crate) fn configuration(&self) -> String {
        self.path("krb5.conf").display().to_string()
    }

    /// A keytab with a key that the domain does not know.
    pub(crate) fn keytab_of(&self, principal: &str, name: &str) -> PathBuf {
        wrong_keytab(self.folder.path(), principal, name)
    }

    /// Sends an update as `svc-dns`, by nsupdate; its status says nothing (Samba before 4.20.2
    /// signs its answers in a way that nobody else does), so read it back.
    pub(crate) fn nsupdate(&self, script: &str) {
        let ccache = format!("FILE:{}", self.path("svc-dns.ccache").display());
        let mut kinit = Command::new("kinit");
        kinit
            .env("KRB5_CONFIG", self.configuration())
            .args(["-k", "-c", &ccache, "-t"])
            .arg(self.path("svc-dns.keytab"))
            .arg("svc-dns");
        run(&mut kinit);
        let mut nsupdate = Command::new("nsupdate")
            .arg("-g")
            .env("KRB5_CONFIG", self.configuration())
            .env("KRB5CCNAME", ccache)
            .stdin(Stdio::piped())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .expect("nsupdate; tests/run installs it");
        let (ip, port) = (self.address.ip(), self.address.port());
        let script = format!("server {ip} {port}\nzone {DOMAIN}\n{script}\nsend\n");
        let mut input = nsupdate.stdin.take().unwrap();
        input.write_all(script.as_bytes()).unwrap();
        drop(input);
        nsupdate.wait().unwrap();
    }

    /// Runs a line with `samba-tool` on the domain's database, and gives what it says.
    pub(crate) fn administer(&self, line: &str) -> String {
        let mut words: Vec<&str> = line.split_whitespace().collect();
        assert_eq!(words.remove(0), "samba-tool", "{line}");
        let folder = self.folder.path();
        if words.starts_with(&["domain", "exportkeytab"]) {
            // It has no option for the database.
            let mut command = Command::new("/usr/bin/python3");
            command.args(["-c", TOOL]).args(words);
            return run(command.arg("-s").arg(folder.join("etc/smb.conf")));
        }
        tool(folder, &words)
    }

    /// Puts an account into the group that may change every record.
    pub(crate) fn make_dns_admin(&self, account: &str) {
        tool(
            self.folder.path(),
            &["group", "addmembers", "DnsAdmins", account],
        );
    }

    /// Lets an account write the records of `_vlmcs._tcp`, whoever created them.
    pub(crate) fn grant_write(&self, account: &str) {
        let folder = self.folder.path();
        let shown = tool(folder, &["user", "show", account, "--attributes=objectSid"]);
        let sid = shown
            .lines()
            .find_map(|line| line.strip_prefix("objectSid: "))
            .expect("a SID");
        let node = "DC=_vlmcs._tcp,DC=kms.test,CN=MicrosoftDNS,DC=DomainDnsZones,DC=kms,DC=test";
        let node = format!("--objectdn={node}");
        let entry = format!("--sddl=(A;;RPWP;;;{sid})");
        tool(folder, &["dsacl", "set", &node, &entry]);
    }
}

impl Drop for Samba {
    fn drop(&mut self) {
        // Its children are of its group, and end with it.
        let group = format!("-{}", self.process.id());
        let _ = Command::new("kill").args(["-KILL", "--", &group]).status();
        let _ = self.process.wait();
    }
}

fn provision(folder: &Path, [dns, krb5, kpasswd]: [SocketAddr; 3]) {
    let path = folder.display();
    let options = [
        "interfaces=127.0.0.1/8".to_owned(),
        "bind interfaces only=yes".to_owned(),
        "server services=kdc, dns".to_owned(),
        format!("dns port={}", dns.port()),
        format!("krb5 port={}", krb5.port()),
        format!("kpasswd port={}", kpasswd.port()),
        format!("pid directory={path}/run"),
        format!("ncalrpc dir={path}/ncalrpc"),
    ];
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-c", TOOL, "domain", "provision"])
        .arg(format!("--targetdir={path}"))
        .arg(format!("--realm={REALM}"))
        .args(["--domain=KMS", "--server-role=dc"])
        .args(["--dns-backend=SAMBA_INTERNAL", "--adminpass=Passw0rd.x1"])
        .args(["--host-name=dc1", "--host-ip=127.0.0.1"])
        .args(options.map(|option| format!("--option={option}")));
    run(&mut command);
    for folder in ["run", "ncalrpc", "winbindd", "ntp_signd"].map(|name| folder.join(name)) {
        fs::create_dir_all(folder).unwrap();
    }
    let file = folder.join("etc/smb.conf");
    let more = format!(
        "[global]\n\twinbindd socket directory = {path}/winbindd\n\tntp signd socket directory = {path}/ntp_signd\n"
    );
    let text = fs::read_to_string(&file).unwrap();
    fs::write(&file, text.replacen("[global]\n", &more, 1)).unwrap();
}

fn accounts(folder: &Path) {
    for host in ["kms1", "kms2"] {
        tool(folder, &["computer", "create", host]);
        let account = format!("{host}$");
        // A new computer has no password, and then its keytab is empty.
        tool(
            folder,
            &["user", "setpassword", &account, "--newpassword=Host.Pass1"],
        );
        keytab(folder, host, &account);
    }
    tool(folder, &["user", "create", "svc-dns", "Svc.Pass1"]);
    keytab(folder, "svc-dns", "svc-dns");
}

fn keytab(folder: &Path, name: &str, account: &str) {
    let file = folder.join(format!("{name}.keytab"));
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-c", TOOL, "domain", "exportkeytab"])
        .arg(&file)
        .arg(format!("--principal={account}"))
        .arg("-s")
        .arg(folder.join("etc/smb.conf"));
    run(&mut command);
    fs::set_permissions(file, fs::Permissions::from_mode(0o600)).unwrap();
}

/// Runs `samba-tool` on the domain's database, and gives what it says.
fn tool(folder: &Path, arguments: &[&str]) -> String {
    let mut command = Command::new("/usr/bin/python3");
    command
        .args(["-c", TOOL])
        .args(arguments)
        .arg("-H")
        .arg(folder.join("private/sam.ldb"))
        .arg("-s")
        .arg(folder.join("etc/smb.conf"));
    run(&mut command)
}

fn run(command: &mut Command) -> String {
    let output = command.output().expect("python3; tests/run installs it");
    assert!(output.status.success(), "{command:?}: {output:?}");
    String::from_utf8_lossy(&output.stdout).into_owned()
}
