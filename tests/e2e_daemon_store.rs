//! A store that fails under the daemon: nothing is written to DNS, probing and reading go on.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::fs;
use std::process::Command;

use support::{
    Bind, Daemon, Kms, OWNER, Primary, RIVAL, Site, ZONE, ZoneText, eventually, history, lines,
    nsupdate, published, serial,
};

const BROKEN: &str = "WARN the store cannot be used, so nothing is written to DNS";

struct Setting {
    primary: Primary,
    first: Kms,
    second: Kms,
}

impl Setting {
    /// A primary on which kms1 alone is published, and its host alone answers.
    fn new() -> Self {
        Self {
            primary: Bind::start(
                &[ZoneText::new(ZONE).srv(3600, &["0 0 1688 kms1.corp.example."])],
            ),
            first: Kms::start(),
            second: Kms::stopped(),
        }
    }

    /// An installation with a folder for each alert of the store, and whose store exists already.
    fn site(&self) -> Site {
        let site = Site::with_primary(self.primary.address)
            .host("kms1.corp.example.", &self.first)
            .host("kms2.corp.example.", &self.second)
            .zone(ZONE);
        let (hook, alerts) = (site.path("hook"), site.path("alerts"));
        fs::create_dir(&alerts).unwrap();
        // A folder can be made where no file can be written.
        let script = format!(
            "read event\ncase $event in *'\"kind\":\"store\"'*) mktemp -d {}/XXXXXX;; esac\n",
            alerts.display()
        );
        fs::write(&hook, script).unwrap();
        let mut site = site.daemon(&format!(
            "interval = \"1s\"\non_alert = [\"sh\", \"{}\"]",
            hook.display()
        ));
        site.health = "rise = 1\nfall = 2\ninterval = \"200ms\"\ntimeout = \"200ms\"".to_owned();
        site.run(&["host", "up", "kms1"]).expect(0);
        site.run(&["host", "clear", "kms1"]).expect(0);
        site
    }

    /// Nothing is written, whatever is to be done, and zones and hosts are still looked at.
    fn expect_no_writing(&mut self, daemon: &mut Daemon) {
        let before = serial(self.primary.address, ZONE);
        self.second.restart();
        daemon.wait_for("kms2.corp.example. state=up");
        daemon.wait_for("changes are pending, and nothing is written: the store cannot be used");
        // The timer reads on.
        daemon.wait_for("observed zone=corp.example.");
        assert_eq!(serial(self.primary.address, ZONE), before);
    }
}

/// How many alerts of the store were raised.
fn alerts(site: &Site) -> usize {
    fs::read_dir(site.path("alerts")).unwrap().count()
}

#[test]
fn a_damaged_or_replaced_store_stops_writing_until_it_is_repaired() {
    for fault in ["garbage", "removed", "replaced"] {
        let mut setting = Setting::new();
        let site = setting.site();
        let mut daemon = Daemon::start(&site, &["-v"]);
        daemon.wait_for("kms1.corp.example. state=up");
        let store = site.path("state/store.sqlite3");
        match fault {
            "garbage" => fs::write(&store, [0x5a; 64 * 1024]).unwrap(),
            "removed" => fs::remove_file(&store).unwrap(),
            _ => {
                let copy = site.path("copy");
                fs::copy(&store, &copy).unwrap();
                fs::rename(&copy, &store).unwrap();
            }
        }
        daemon.wait_for(BROKEN);
        setting.expect_no_writing(&mut daemon);
        eventually(|| alerts(&site), 1);
        if fault == "garbage" {
            site.run(&["history"])
                .expect_text("is damaged or is no database");
        }
        let (status, log) = daemon.stop();
        assert!(status.success(), "{fault}: {status}: {log}");
        if fault == "garbage" {
            // It stays as it is, and the way out stands in the error.
            let run = site.run(&["run"]);
            run.expect(1);
            run.expect_text("move it aside together with its -wal and -shm files");
            assert_eq!(fs::read(&store).unwrap()[..64], [0x5a; 64]);
            for file in ["store.sqlite3", "store.sqlite3-wal", "store.sqlite3-shm"] {
                let _ = fs::remove_file(site.path("state").join(file));
            }
        }

        let daemon = Daemon::start(&site, &[]);
        eventually(|| published(&setting.primary), lines(&["kms1", "kms2"]));
        daemon.stop();
        assert_eq!(history(&site).len(), 1, "{fault}");
    }
}

/// No file that the process writes may grow from now on, or may again.
fn limit_files(pid: &str, limit: &str) {
    let set = Command::new("prlimit")
        .args(["--pid", pid, &format!("--fsize={limit}:")])
        .status();
    assert!(set.expect("prlimit, of util-linux").success());
}

#[test]
fn a_disk_that_takes_no_more_stops_writing_until_there_is_room() {
    let mut setting = Setting::new();
    let site = setting.site();
    // Without the signal a file at its limit is like a full disk: the write fails.
    let mut daemon = Daemon::start_through(&site, "trap '' XFSZ", &["-v"]);
    daemon.wait_for("kms1.corp.example. state=up");
    let pid = daemon.pid();
    limit_files(&pid, "0");
    daemon.wait_for("the newest samples could not be stored");
    daemon.wait_for(BROKEN);
    setting.expect_no_writing(&mut daemon);
    assert!(history(&site).is_empty());

    limit_files(&pid, "unlimited");
    daemon.wait_for("the store works again");
    eventually(|| published(&setting.primary), lines(&["kms1", "kms2"]));
    eventually(|| alerts(&site), 1);
    let (status, log) = daemon.stop();
    assert!(status.success(), "{status}: {log}");
    assert_eq!(history(&site).len(), 1);
}

#[test]
fn a_store_of_a_newer_version_is_refused_and_left_alone() {
    let setting = Setting::new();
    let site = setting.site();
    let store = site.path("state/store.sqlite3");
    // The version is the big-endian number at offset 60 of the header.
    let mut octets = fs::read(&store).unwrap();
    octets[60..64].copy_from_slice(&99_u32.to_be_bytes());
    fs::write(&store, &octets).unwrap();
    nsupdate(
        setting.primary.address,
        RIVAL,
        &format!("update add {OWNER} 3600 SRV 0 0 1688 foreign.corp.example."),
    );
    let before = serial(setting.primary.address, ZONE);

    for arguments in [&["run"][..], &["run", "--once"]] {
        let run = site.run(arguments);
        run.expect(1);
        run.expect_text("was written by a newer srvkeeper (store version 99");
    }

    assert_eq!(fs::read(&store).unwrap(), octets);
    assert_eq!(serial(setting.primary.address, ZONE), before);
}
