//! `failover` in two zones with a standby: what it stores, writes, says, and leaves undone.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::fs;
use std::path::Path;
use std::process::Command;
use std::thread;

use serde_json::{Value, json};

use support::{
    Bind, Fate, Kms, Primary, Proxy, SRVKEEPER, Site, ZoneText, dig, serial, unused_address,
};

const ZONES: [&str; 2] = ["corp.example.", "branch.example."];
const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const KMS3: &str = "kms3.corp.example.";
const ALICE: [(&str, &str); 1] = [("USER", "alice")];

fn record(host: &str) -> String {
    format!("3600 0 0 1688 {host}")
}

/// Two zones that publish `kms1`; the second one's server stands behind a relay.
struct Setting {
    primary: Primary,
    relay: Proxy,
    kms1: Kms,
    kms3: Kms,
}

impl Setting {
    fn new() -> Self {
        let zone = |name| ZoneText::new(name).srv(3600, &["0 0 1688 kms1.corp.example."]);
        let primary = Bind::start(&ZONES.map(zone));
        Self {
            relay: Proxy::start(primary.address, |_ordinal| Fate::Pass),
            primary,
            kms1: Kms::start(),
            kms3: Kms::start(),
        }
    }

    /// `kms1` active, `kms3` standby, both zones.
    fn site(&self) -> Site {
        self.zones(
            Site::with_primary(self.primary.address)
                .host(KMS1, &self.kms1)
                .host_with(KMS3, &self.kms3, "role = \"standby\""),
        )
    }

    fn zones(&self, site: Site) -> Site {
        site.server("second", self.relay.address, SRVKEEPER)
            .zone(ZONES[0])
            .zone_with(ZONES[1], "second", "")
    }

    /// What each zone publishes.
    fn published(&self) -> [Vec<String>; 2] {
        ZONES.map(|zone| dig(self.primary.address, &format!("_vlmcs._tcp.{zone}"), "SRV"))
    }

    fn serials(&self) -> [u32; 2] {
        ZONES.map(|zone| serial(self.primary.address, zone))
    }

    /// Asserts that both zones publish exactly this host.
    #[track_caller]
    fn expect_only(&self, host: &str) {
        assert_eq!(self.published(), [(); 2].map(|()| vec![record(host)]));
    }
}

/// The states of the overrides of `kms1` and `kms3`.
fn words(site: &Site) -> Value {
    let run = site.run(&["host", "list", "--format", "json"]);
    run.expect(0);
    let list = run.json();
    let state = |name: &str| {
        let hosts = list["hosts"].as_array().unwrap();
        let host = hosts.iter().find(|host| host["host"] == name);
        host.map_or(Value::Null, |host| host["override"]["state"].clone())
    };
    json!([state(KMS1), state(KMS3)])
}

fn failover<'a>(more: &[&'a str]) -> Vec<&'a str> {
    [&["failover", "--from", KMS1][..], more].concat()
}

#[test]
fn it_withdraws_one_and_publishes_the_other_in_every_zone_and_says_what_remains() {
    let mut setting = Setting::new();
    setting.kms1.stop();
    let site = setting.site();

    let run = site.run_in(
        &ALICE,
        &failover(&[
            "--to",
            "kms3",
            "--for",
            "4h",
            "--reason",
            "disk failed",
            "--yes",
        ]),
    );

    run.expect(0);
    setting.expect_only(KMS3);
    for text in [
        "corp.example.: applied",
        "branch.example.: applied",
        "kms1.corp.example. is forced down until ",
        "kms3.corp.example. is forced up until ",
        "by alice: \"disk failed\".",
        "srvkeeper host clear kms1.corp.example.",
        "slmgr /skms kms3.corp.example:1688",
        "slmgr /dli",
        "25",
        "slmgr /cdns",
    ] {
        let unfolded = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(unfolded.contains(text), "no «{text}» in {run}");
    }
    assert_eq!(words(&site), json!(["down", "up"]));
}

#[test]
fn it_survives_later_runs_until_it_is_cleared() {
    let setting = Setting::new();
    // Ending it removes a host again, within the same interval.
    let site = setting.site().policy("max_removals = 2");
    // Nothing is wrong with the host: it is to be patched.
    let run = site.run(&failover(&["--yes"]));
    run.expect(0);
    run.expect_text("kms1.corp.example. is up");
    setting.expect_only(KMS3);

    let serials = setting.serials();
    site.apply(0);
    assert_eq!(setting.serials(), serials);
    setting.expect_only(KMS3);

    for host in [KMS1, KMS3] {
        site.run(&["host", "clear", host]).expect(0);
    }
    site.apply(0);
    setting.expect_only(KMS1);
}

#[test]
fn a_zone_that_fails_leaves_the_overrides_and_a_rerun_completes() {
    let setting = Setting::new();
    let site = setting.site();
    setting.relay.vanish();

    let run = site.run(&failover(&["--to", KMS3, "--yes"]));

    run.expect(1);
    run.expect_text("corp.example.: applied");
    run.expect_text("branch.example.: error");
    run.expect_text("Not every zone is done");
    assert_eq!(
        setting.published(),
        [vec![record(KMS3)], vec![record(KMS1)]]
    );
    assert_eq!(words(&site), json!(["down", "up"]));

    setting.relay.revive();
    site.run(&failover(&["--to", KMS3, "--yes"])).expect(0);
    setting.expect_only(KMS3);

    // Once more: nothing is left to do.
    let serials = setting.serials();
    site.run(&failover(&["--to", KMS3])).expect(0);
    assert_eq!(setting.serials(), serials);
}

#[test]
fn a_rerun_says_what_its_overrides_take_the_place_of() {
    let setting = Setting::new();
    let site = setting.site();
    let first = failover(&["--for", "1h", "--reason", "disk failed", "--yes"]);
    let run = site.run_in(&ALICE, &first);
    run.expect(0);
    assert!(!run.stdout.contains("Before, it was"), "{run}");

    let said = |arguments: &[&str], status: i32| {
        let run = site.run(&failover(arguments));
        run.expect(status);
        run.stdout.split_whitespace().collect::<Vec<_>>().join(" ")
    };
    for (arguments, words) in [
        (&["--dry-run"][..], "That would take the place of forced"),
        (&["--yes"], "Before, it was forced"),
    ] {
        let text = said(arguments, 0);
        assert!(text.contains(words), "{text}");
        assert_eq!(
            text.matches("by alice: \"disk failed\".").count(),
            2,
            "{text}"
        );
    }
}

#[cfg(feature = "fault-points")]
#[test]
fn a_crash_leaves_the_overrides_and_a_rerun_completes() {
    for phase in ["intent-durable", "sent"] {
        let setting = Setting::new();
        let site = setting.site();

        site.run_in(&[("SRVKEEPER_FAULT", phase)], &failover(&["--yes"]))
            .expect_killed();

        assert_eq!(words(&site), json!(["down", "up"]), "{phase}");
        site.run(&failover(&["--yes"])).expect(0);
        setting.expect_only(KMS3);
    }
}

#[test]
fn a_replacement_that_is_not_up_is_refused_unless_forced() {
    let mut setting = Setting::new();
    setting.kms3.stop();
    let site = setting.site();

    let run = site.run(&failover(&["--to", KMS3, "--yes"]));

    run.expect(1);
    run.expect_text("kms3.corp.example. is not up: ");
    run.expect_text("nothing was stored");
    setting.expect_only(KMS1);
    assert_eq!(words(&site), json!([null, null]));
    assert!(!site.path("state").exists());

    site.run(&failover(&["--to", KMS3, "--yes", "--force"]))
        .expect(0);
    setting.expect_only(KMS3);
}

#[test]
fn without_a_replacement_the_last_host_stays_and_the_word_stands() {
    let mut setting = Setting::new();
    setting.kms3.stop();
    let site = setting.site();

    let run = site.run(&failover(&["--yes"]));

    run.expect(3);
    run.expect_text("no standby is up");
    run.expect_text("kms1.corp.example. is forced down until ");
    run.expect_text("kms1.corp.example. stays published in branch.example., corp.example.");
    setting.expect_only(KMS1);
    assert_eq!(words(&site), json!(["down", null]));

    // As soon as somebody can take over, the word takes effect.
    setting.kms3.restart();
    site.apply(0);
    setting.expect_only(KMS3);
}

#[test]
fn without_a_replacement_other_active_hosts_carry_on() {
    let setting = Setting::new();
    let kms2 = Kms::start();
    let site = setting.zones(
        Site::with_primary(setting.primary.address)
            .host(KMS1, &setting.kms1)
            .host(KMS2, &kms2),
    );

    site.run(&failover(&["--yes"])).expect(0);

    setting.expect_only(KMS2);
}

#[test]
fn the_first_standby_that_is_up_and_not_forced_down_takes_over() {
    let setting = Setting::new();
    let (dead, spare) = (Kms::stopped(), Kms::start());
    let standby = "role = \"standby\"";
    let site = setting.zones(
        Site::with_primary(setting.primary.address)
            .host(KMS1, &setting.kms1)
            .host_with("spare1.example.", &dead, standby)
            .host_with("spare2.example.", &spare, standby)
            .host_with(KMS3, &setting.kms3, standby),
    );
    site.run(&["host", "down", "spare2.example."]).expect(0);

    site.run(&failover(&["--yes"])).expect(0);

    setting.expect_only(KMS3);
}

#[test]
fn a_dry_run_writes_nothing_at_all() {
    let setting = Setting::new();
    let site = setting.site();
    let serials = setting.serials();

    let run = site.run(&failover(&["--dry-run"]));

    run.expect(2);
    run.expect_text("- DELETE _vlmcs._tcp.corp.example. SRV");
    run.expect_text("+ CREATE _vlmcs._tcp.branch.example. SRV");
    run.expect_text("kms1.corp.example. would be forced down until ");
    assert!(!site.path("state").exists());

    site.apply(0);
    let before = files(&site.path("state"));
    site.run(&failover(&["--dry-run"])).expect(2);
    assert_eq!(files(&site.path("state")), before);
    assert_eq!(words(&site), json!([null, null]));
    assert_eq!(setting.serials(), serials);
    setting.expect_only(KMS1);
}

/// Every file with its octets.
fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .unwrap()
        .map(|entry| entry.unwrap())
        .map(|entry| {
            let name = entry.file_name().into_string().unwrap();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    files.sort();
    files
}

#[test]
fn without_a_terminal_and_yes_nothing_is_stored() {
    let setting = Setting::new();
    let site = setting.site();

    let run = site.run(&failover(&[]));

    run.expect(64);
    run.expect_text("--yes");
    setting.expect_only(KMS1);
    assert_eq!(words(&site), json!([null, null]));
}

#[test]
fn a_replacement_of_the_same_name_needs_no_change() {
    let mut setting = Setting::new();
    let site = setting.site();
    let serials = setting.serials();

    let run = site.run(&failover(&["--to", KMS1, "--yes"]));

    run.expect(0);
    run.expect_text("Nothing needs to change");
    run.expect_text("dig kms1.corp.example");
    assert_eq!(setting.serials(), serials);
    assert_eq!(words(&site), json!([null, null]));

    setting.kms1.stop();
    let run = site.run(&failover(&["--to", KMS1, "--yes"]));
    run.expect(1);
    run.expect_text("does not answer");
}

#[test]
fn hosts_that_cannot_be_meant_are_1() {
    let setting = Setting::new();
    let apart = Kms::start();
    let site = Site::with_primary(setting.primary.address)
        .host_with(KMS1, &setting.kms1, "groups = [\"hq\"]")
        .host_with(KMS3, &setting.kms3, "groups = [\"hq\"]\nrole = \"retired\"")
        .host_with("apart.example.", &apart, "groups = [\"far\"]")
        .zone_with(ZONES[0], "primary", "groups = [\"hq\"]")
        .zone_with(ZONES[1], "primary", "groups = [\"far\"]");
    for (arguments, text) in [
        (
            &["--from", "kms9.corp.example."][..],
            "known: kms1.corp.example., kms3.corp.example.",
        ),
        (
            &["--from", KMS1, "--to", "kms9"],
            "no host kms9. is in the inventory",
        ),
        (&["--from", KMS3], "retired"),
        (&["--from", KMS1, "--to", KMS3, "--force"], "retired"),
        (
            &["--from", KMS1, "--to", "apart.example.", "--force"],
            "cannot take over",
        ),
    ] {
        let run = site.run(&[&["failover", "--yes"], arguments].concat());
        run.expect(1);
        run.expect_text(text);
    }
    site.run(&failover(&["--force"])).expect(64);
    assert!(!site.path("state").exists());
    assert_eq!(setting.published()[0], [record(KMS1)]);
}

#[test]
fn two_at_once_end_as_one() {
    let setting = Setting::new();
    let site = setting.site();
    site.run(&["check"]).expect(0);

    thread::scope(|scope| {
        let runs = [(); 2].map(|()| scope.spawn(|| site.run(&failover(&["--to", KMS3, "--yes"]))));
        for run in runs {
            run.join().unwrap().expect(0);
        }
    });

    setting.expect_only(KMS3);
    assert_eq!(words(&site), json!(["down", "up"]));
    // Each zone was written once.
    assert_eq!(setting.relay.updates(), 1);
}

#[test]
fn a_broken_store_leaves_a_script_that_does_it_by_hand() {
    let setting = Setting::new();
    let site = setting.site();
    fs::create_dir(site.path("state")).unwrap();
    let store = site.path("state/store.sqlite3");
    fs::write(
        &store,
        "no database, although as long as a header".repeat(100),
    )
    .unwrap();
    let broken = fs::read(&store).unwrap();
    let serials = setting.serials();

    let run = site.run(&failover(&["--to", KMS3, "--yes"]));

    run.expect(1);
    assert!(run.stderr.contains("is damaged or is no database"), "{run}");
    assert!(run.stderr.contains("nsupdate -v -k KEYFILE"), "{run}");
    assert_eq!(setting.serials(), serials);
    assert_eq!(fs::read(&store).unwrap(), broken);

    let script = site.path("script");
    fs::write(&script, &run.stdout).unwrap();
    let nsupdate = Command::new("nsupdate")
        .args(["-v", "-k"])
        .arg(site.path("primary.key"))
        .arg(&script)
        .output()
        .expect("nsupdate; tests/run installs it");
    assert!(nsupdate.status.success(), "{nsupdate:?}\n{run}");
    setting.expect_only(KMS3);
}

#[test]
fn with_a_broken_store_it_says_which_zones_the_script_leaves_alone() {
    let setting = Setting::new();
    // Where nobody listens.
    let broken = |readable| {
        let site = Site::with_primary(if readable {
            setting.primary.address
        } else {
            unused_address()
        })
        .host(KMS1, &setting.kms1)
        .host_with(KMS3, &setting.kms3, "role = \"standby\"")
        .server("second", unused_address(), SRVKEEPER)
        .zone(ZONES[0])
        .zone_with(ZONES[1], "second", "");
        fs::create_dir(site.path("state")).unwrap();
        fs::write(
            site.path("state/store.sqlite3"),
            "no database, ".repeat(300),
        )
        .unwrap();
        let run = site.run(&failover(&["--to", KMS3, "--yes"]));
        run.expect(1);
        run
    };

    let run = broken(true);
    for text in [
        "nsupdate -v -k KEYFILE",
        "could not be read: branch.example.;",
    ] {
        assert!(run.stderr.contains(text), "no «{text}» in {run}");
    }

    let run = broken(false);
    assert!(!run.stderr.contains("nsupdate"), "{run}");
    for text in [
        "nothing to run",
        "Not read: branch.example., corp.example.;",
    ] {
        assert!(run.stderr.contains(text), "no «{text}» in {run}");
    }
}

/// The store opens and the plan is shown; only then the overrides cannot be stored.
#[test]
fn overrides_that_cannot_be_stored_leave_a_script_too() {
    let setting = Setting::new();
    let site = setting.site();
    site.apply(0);
    let database = site.path("state/store.sqlite3");
    let connection = rusqlite::Connection::open(database).unwrap();
    connection
        .execute_batch(
            "CREATE TRIGGER refuse BEFORE INSERT ON overrides
             BEGIN SELECT raise(ABORT, 'no'); END",
        )
        .unwrap();

    let run = site.run(&failover(&["--to", KMS3, "--yes"]));

    run.expect(1);
    run.expect_text("update add _vlmcs._tcp.corp.example. 3600 IN SRV 0 0 1688 kms3.corp.example.");
    setting.expect_only(KMS1);
    assert_eq!(words(&site), json!([null, null]));
}
