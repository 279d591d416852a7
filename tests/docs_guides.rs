//! The guides, done as they are written: their own lines, with other addresses and folders, against
//! real servers.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::fs;
use std::net::SocketAddr;
use std::os::unix::fs::{PermissionsExt, symlink};
use std::path::Path;
use std::process::{Command, Output, Stdio};

use support::{
    Bind, Kms, Primary, SRVKEEPER, Samba, Site, ZONE, ZoneText, block, blocks, document, lines,
    published,
};

const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";

/// A site with two hosts and a zone that publishes what is named.
struct Setting {
    primary: Primary,
    kms1: Kms,
    _kms2: Kms,
    site: Site,
}

impl Setting {
    fn publishing(records: &[&str]) -> Self {
        let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, records)]);
        let (kms1, kms2) = (Kms::start(), Kms::start());
        let site = Site::new()
            .server("srvkeeper", primary.address, SRVKEEPER)
            .host(KMS1, &kms1)
            .host(KMS2, &kms2)
            .zone_with(ZONE, "srvkeeper", "");
        let bin = site.path("bin");
        fs::create_dir(&bin).unwrap();
        symlink(env!("CARGO_BIN_EXE_srvkeeper"), bin.join("srvkeeper")).unwrap();
        Self {
            primary,
            kms1,
            _kms2: kms2,
            site,
        }
    }

    /// Runs a script in the site's folder, which has the configuration, the key and the program.
    fn script(&self, text: &str) -> Output {
        let folder = self.site.path("");
        Command::new("timeout")
            .args(["--signal=KILL", "120", "sh", "-c", text])
            .current_dir(&folder)
            .env_clear()
            .env(
                "PATH",
                format!("{}/bin:/usr/bin:/bin:/usr/sbin", folder.display()),
            )
            .env("SRVKEEPER_CONFIG", self.site.configure())
            .stdin(Stdio::null())
            .output()
            .unwrap()
    }

    /// Runs a line of a document; where somebody would be asked, the answer is yes.
    #[track_caller]
    fn line(&self, line: &str, status: i32) -> String {
        let asks = ["apply", "failover", "rollback"]
            .iter()
            .any(|command| line.starts_with(&format!("srvkeeper {command}")))
            && !["--yes", "--dry-run"]
                .iter()
                .any(|option| line.contains(option));
        let line = if asks {
            format!("{line} --yes")
        } else {
            line.to_owned()
        };
        let output = self.script(&line);
        assert_eq!(output.status.code(), Some(status), "{line}: {output:#?}");
        String::from_utf8(output.stdout).unwrap()
    }

    /// Runs the lines one after the other, each of which ends as told.
    #[track_caller]
    fn walk(&self, lines: &[&str], statuses: &[i32]) {
        assert_eq!(lines.len(), statuses.len(), "{lines:?}");
        for (line, status) in lines.iter().zip(statuses) {
            self.line(line, *status);
        }
    }

    #[track_caller]
    fn expect_published(&self, hosts: &[&str]) {
        assert_eq!(published(&self.primary), lines(hosts));
    }
}

/// The lines of the one block for a shell that has this text.
#[track_caller]
fn lines_of<'t>(text: &'t str, what: &str) -> Vec<&'t str> {
    block(text, "sh", what).trim().lines().collect()
}

/// `dig` and `nsupdate` at another address and port than the document's.
fn elsewhere(text: &str, address: SocketAddr) -> String {
    let (ip, port) = (address.ip(), address.port());
    text.replace("@10.0.0.53", &format!("@{ip} -p {port}"))
        .replace("server 10.0.0.53", &format!("server {ip} {port}"))
}

#[test]
fn the_runbook_tells_a_dead_host_and_fails_over() {
    let runbook = document("docs/failover.md");
    let mut setting = Setting::publishing(&["0 0 1688 kms1.corp.example."]);
    setting.kms1.stop();
    setting.walk(&lines_of(&runbook, "host list"), &[2, 2, 0]);

    let [dry, wet] = lines_of(&runbook, "--dry-run\nsrvkeeper failover")[..] else {
        panic!("a dry run and a real one");
    };
    setting.line(dry, 2);
    setting.expect_published(&["kms1"]);
    setting.line(wet, 0);
    setting.expect_published(&["kms2"]);

    setting.kms1.restart();
    setting.walk(&lines_of(&runbook, "host clear"), &[0, 0, 0]);
    setting.expect_published(&["kms1", "kms2"]);
}

#[test]
fn the_runbook_works_with_a_broken_store_and_by_hand() {
    let runbook = document("docs/failover.md");
    let setting = Setting::publishing(&["0 0 1688 kms1.corp.example."]);
    fs::create_dir(setting.site.path("state")).unwrap();
    let store = setting.site.path("state/store.sqlite3");
    fs::write(store, "no database, although long enough".repeat(100)).unwrap();
    let [failover, nsupdate] = lines_of(&runbook, "failover.nsupdate")[..] else {
        panic!("a failover and a script");
    };
    setting.line(failover, 1);
    setting.expect_published(&["kms1"]);
    setting.line(nsupdate, 0);
    setting.expect_published(&["kms2"]);
}

#[test]
fn the_runbook_works_without_srvkeeper() {
    let runbook = document("docs/failover.md");
    let setting = Setting::publishing(&["0 0 1688 kms1.corp.example."]);
    let address = setting.primary.address;
    let script = elsewhere(block(&runbook, "text", "prereq"), address);
    fs::write(setting.site.path("by-hand.nsupdate"), &script).unwrap();
    let [nsupdate, dig] = lines_of(&runbook, "by-hand.nsupdate")[..] else {
        panic!("an update and a look");
    };
    setting.line(nsupdate, 0);
    setting.expect_published(&["kms2"]);
    let seen = setting.line(&elsewhere(dig, address), 0);
    assert_eq!(seen.trim(), "0 0 1688 kms2.corp.example.");

    // Where there is nothing to replace, nothing is done.
    let emptied = Setting::publishing(&[]);
    let script = elsewhere(block(&runbook, "text", "prereq"), emptied.primary.address);
    fs::write(emptied.site.path("by-hand.nsupdate"), script).unwrap();
    emptied.line(nsupdate, 2);
    emptied.expect_published(&[]);
}

#[test]
fn the_runbook_undoes_a_change() {
    let runbook = document("docs/failover.md");
    let setting = Setting::publishing(&["0 0 1688 kms1.corp.example."]);
    setting.site.apply(0);
    setting.expect_published(&["kms1", "kms2"]);
    setting.walk(&lines_of(&runbook, "rollback"), &[0, 0, 2, 0, 0]);
    setting.expect_published(&["kms1"]);
}

/// Cron mails what a command prints.
#[test]
fn the_audit_for_cron_is_silent_when_all_is_well_and_only_then() {
    let script = document("docs/audit.md");
    let script = block(&script, "sh", "/usr/local/bin/srvkeeper-audit");
    let records = ["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."];

    let well = Setting::publishing(&records);
    let output = well.script(script);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert!(output.stdout.is_empty() && output.stderr.is_empty());

    let pending = Setting::publishing(&records[..1]);
    let output = pending.script(script);
    assert_eq!(output.status.code(), Some(2), "{output:?}");
    let mail = String::from_utf8(output.stdout).unwrap();
    assert!(mail.starts_with("srvkeeper plan ended with 2\n"), "{mail}");
    assert!(mail.contains(KMS2), "{mail}");
    pending.expect_published(&["kms1"]);

    let foreign = Setting::publishing(&[records[0], records[1], "0 0 1688 rogue.corp.example."]);
    let output = foreign.script(script);
    assert_eq!(output.status.code(), Some(2), "--strict: {output:?}");

    drop(foreign.primary);
    let unreadable = Setting {
        primary: Bind::start(&[ZoneText::new("other.example.")]),
        ..foreign
    };
    let output = unreadable.script(script);
    assert_eq!(output.status.code(), Some(1), "{output:?}");
}

#[test]
fn the_audit_for_ci_passes_pending_changes_and_fails_otherwise() {
    let script = document("docs/audit.md");
    let script = block(&script, "sh", "case \"$status\" in");
    let mut setting = Setting::publishing(&["0 0 1688 kms1.corp.example."]);
    setting.site.configure();
    let output = setting.script(script);
    assert_eq!(output.status.code(), Some(0), "{output:?}");
    assert_eq!(
        output
            .stdout
            .trim_ascii_end()
            .rsplit(|octet| *octet == b'\n')
            .next()
            .unwrap(),
        b"changes are pending, see plan.json"
    );
    assert!(setting.site.path("plan.json").exists());

    setting.site.policy = "min_hosts = 3".to_owned();
    let output = setting.script(script);
    assert_eq!(output.status.code(), Some(1), "held: {output:?}");

    setting.site.policy = "min_host = 3".to_owned();
    let output = setting.script(script);
    assert_eq!(output.status.code(), Some(1), "check: {output:?}");
}

#[test]
fn an_approved_plan_goes_as_the_audit_guide_says() {
    let guide = document("docs/audit.md");
    let setting = Setting::publishing(&["0 0 1688 kms1.corp.example."]);
    let [plan, apply] = lines_of(&guide, "approved.json")[..] else {
        panic!("a plan and its application");
    };
    setting.line(plan, 2);
    setting.line(apply, 0);
    setting.expect_published(&["kms1", "kms2"]);
    // Once more, it is no longer what was approved.
    setting.line(apply, 4);
    setting.walk(&lines_of(&guide, "jq"), &[0, 0, 0]);
}

/// From records that somebody typed to the end, in the steps of the guide.
#[test]
fn a_zone_with_manual_records_moves_as_the_guide_says() {
    let guide = document("docs/moving.md");
    let mut setting = Setting::publishing(&[
        "5 0 1688 kms1.corp.example.",
        "0 0 1688 kms-old.corp.example.",
        "0 0 1688 rogue.corp.example.",
    ]);
    setting.walk(&lines_of(&guide, "srvkeeper probe"), &[0, 2]);
    let plan = setting.line("srvkeeper plan", 2);
    for text in [
        "± MODIFY",
        "+ CREATE",
        "kms-old.corp.example.",
        "rogue.corp.example.",
    ] {
        assert!(plan.contains(text), "no «{text}» in {plan}");
    }

    let retired = block(&guide, "toml", "retired");
    setting.site.more = retired.replace("\n  ", "\n");
    setting.site.policy = policy(&guide, "upsert-only");
    setting.site.apply(0);
    let others = ["kms-old", "kms1", "kms2", "rogue"];
    setting.expect_published(&others);

    setting.site.policy = policy(&guide, "sync");
    setting.site.apply(0);
    setting.expect_published(&["kms1", "kms2", "rogue"]);
    setting.line("srvkeeper plan", 0);
    setting.line("srvkeeper plan --strict", 2);

    let [down, apply, clear, again] = lines_of(&guide, "host down")[..] else {
        panic!("down, apply, clear, apply");
    };
    setting.line(down, 0);
    setting.line(apply, 0);
    setting.expect_published(&["kms1", "rogue"]);
    setting.line(clear, 0);
    setting.line(again, 0);
    setting.expect_published(&["kms1", "kms2", "rogue"]);
}

/// The keys of `[policy]` in the block of the guide that has this word.
fn policy(guide: &str, word: &str) -> String {
    let block = block(guide, "toml", &format!("changes = \"{word}\""));
    let (_before, keys) = block.split_once("[policy]\n").unwrap();
    keys.to_owned()
}

/// What the guide says on Samba, said to a Samba: the account, and each cure.
#[test]
fn a_domain_is_cured_as_the_guide_says() {
    let guide = document("docs/active-directory.md");
    let samba = Samba::start();
    let owner = "_vlmcs._tcp.kms.test.";
    let site = |account: &str, keytab: &Path| {
        let mut site = Site::new();
        site.more = format!(
            "[keys.ad]\nkind = \"gss\"\nprincipal = \"{account}@KMS.TEST\"\nkeytab = \"{}\"\n\
             [[server]]\nname = \"dc1\"\naddress = \"{}\"\nkey = \"ad\"\n",
            keytab.display(),
            samba.address
        );
        site.zone_with("kms.test.", "dc1", "")
            .trusted_host("kms1.kms.test.", "")
    };
    let apply = |site: &Site, status| {
        let configuration = samba.configuration();
        site.run_in(&[("KRB5_CONFIG", &configuration)], &["apply", "--yes"])
            .expect(status);
    };
    // The first host publishes itself.
    apply(&site("kms1$", &samba.path("kms1.keytab")), 0);

    let keytab = samba.path("svc.keytab");
    for line in lines_of(&guide, "exportkeytab") {
        samba.administer(&line.replace("svc.keytab", &keytab.display().to_string()));
    }
    fs::set_permissions(&keytab, fs::Permissions::from_mode(0o600)).unwrap();
    let two = site("svc-srvkeeper", &keytab).trusted_host("kms2.kms.test.", "");
    apply(&two, 1);

    let mut sid = String::new();
    for line in lines_of(&guide, "dsacl set") {
        let line = replaced_domain(line).replace("S-1-5-21-0-0-0-1104", &sid);
        let said = samba.administer(&line);
        if let Some(found) = said
            .lines()
            .find_map(|line| line.strip_prefix("objectSid: "))
        {
            found.clone_into(&mut sid);
        }
    }
    apply(&two, 0);
    let records = support::dig(samba.address, owner, "SRV");
    assert_eq!(records.len(), 2, "{records:?}");

    // Cure A is the other way.
    samba.administer("samba-tool group removemembers KMS-Publishers svc-srvkeeper");
    let [cure] = lines_of(&guide, "DnsAdmins")[..] else {
        panic!("one line puts the account into DnsAdmins");
    };
    samba.administer(cure);
    let three = site("svc-srvkeeper", &keytab)
        .trusted_host("kms2.kms.test.", "")
        .trusted_host("kms3.kms.test.", "");
    apply(&three, 0);
    assert_eq!(support::dig(samba.address, owner, "SRV").len(), 3);
}

fn replaced_domain(line: &str) -> String {
    line.replace("corp.example", "kms.test")
        .replace("DC=corp,DC=example", "DC=kms,DC=test")
}

#[test]
fn every_configuration_in_a_guide_loads() {
    let mut seen = 0;
    for name in ["quick-start", "active-directory"] {
        let text = document(&format!("docs/{name}.md"));
        for (language, toml) in blocks(&text) {
            if language != "toml" || !toml.contains("version = 1") {
                continue;
            }
            seen += 1;
            let folder = tempfile::tempdir().unwrap();
            for (file, content) in [
                ("srvkeeper.key", SRVKEEPER.file_text()),
                ("svc.keytab", "keytab".to_owned()),
            ] {
                let path = folder.path().join(file);
                fs::write(&path, content).unwrap();
                fs::set_permissions(path, fs::Permissions::from_mode(0o600)).unwrap();
            }
            let file = folder.path().join("srvkeeper.toml");
            fs::write(&file, toml).unwrap();
            let config = srvkeeper::config::load(&file).unwrap_or_else(|error| {
                panic!("{name}: {error:?}");
            });
            assert!(config.warnings.is_empty(), "{name}: {:?}", config.warnings);
        }
    }
    assert_eq!(seen, 2);
}

/// As far as the server itself can tell.
#[test]
fn the_least_privilege_is_what_the_servers_take() {
    let guide = document("docs/security.md");
    let folder = tempfile::tempdir().unwrap();
    let knot = folder.path().join("knot.conf");
    let acl = block(&guide, "yaml", "update-owner-name");
    let text = format!(
        "key:\n  - id: srvkeeper\n    algorithm: {}\n    secret: {}\n{acl}\
         zone:\n  - domain: {ZONE}\n    acl: [srvkeeper]\n",
        SRVKEEPER.algorithm, SRVKEEPER.secret
    );
    fs::write(&knot, &text).unwrap();
    expect_checked(
        "knotc",
        &["-c", "knot.conf", "conf-check"],
        folder.path(),
        true,
    );
    fs::write(
        &knot,
        text.replace("update-owner-match", "update-owner-mach"),
    )
    .unwrap();
    expect_checked(
        "knotc",
        &["-c", "knot.conf", "conf-check"],
        folder.path(),
        false,
    );

    let policy = block(&guide, "text", "update-policy");
    let bind = format!(
        "{}zone \"corp.example\" {{ type primary; file \"zone\"; {policy} }};\n",
        SRVKEEPER.file_text()
    );
    fs::write(folder.path().join("named.conf"), bind).unwrap();
    expect_checked("named-checkconf", &["named.conf"], folder.path(), true);
}

#[track_caller]
fn expect_checked(program: &str, arguments: &[&str], folder: &Path, is_valid: bool) {
    let output = Command::new(format!("/usr/sbin/{program}"))
        .args(arguments)
        .current_dir(folder)
        .output()
        .or_else(|_| {
            Command::new(program)
                .args(arguments)
                .current_dir(folder)
                .output()
        })
        .unwrap_or_else(|error| panic!("{program}: {error}; tests/run installs it"));
    assert_eq!(output.status.success(), is_valid, "{output:?}");
}
