//! Fights with a second writer, against BIND: two rounds, then the record is left alone.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::thread;
use std::time::{Duration, Instant};

use serde_json::Value;

use support::{Bind, Kms, Primary, RIVAL, Run, Site, ZoneText, dig, nsupdate};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const ROGUE: &str = "rogue.corp.example.";

/// `[daemon] interval`: what is undone within half of it counts nothing.
const INTERVAL: Duration = Duration::from_secs(2);

/// A primary, a host that answers and one that may not, and the last time somebody wrote.
struct Fight {
    primary: Primary,
    kms2: Kms,
    site: Site,
    written: Instant,
    _kms1: Kms,
}

impl Fight {
    fn new(kms2: Kms, policy: &str) -> Self {
        let records = ["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."];
        let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &records)]);
        let kms1 = Kms::start();
        let site = Site::with_primary(primary.address)
            .daemon("interval = \"2s\"")
            .policy(&format!("max_removals = 1000\n{policy}"))
            .host(KMS1, &kms1)
            .host(KMS2, &kms2)
            .zone(ZONE);
        Self {
            primary,
            kms2,
            site,
            written: Instant::now(),
            _kms1: kms1,
        }
    }

    fn publishes(&self, target: &str) -> bool {
        let records = dig(self.primary.address, OWNER, "SRV");
        records.iter().any(|record| record.ends_with(target))
    }

    /// The second writer's daily registration.
    fn add(&self, target: &str) {
        let script = format!("update add {OWNER} 3600 SRV 0 0 1688 {target}");
        nsupdate(self.primary.address, RIVAL, &script);
    }

    fn delete(&self, target: &str) {
        let script = format!("update delete {OWNER} SRV 0 0 1688 {target}");
        nsupdate(self.primary.address, RIVAL, &script);
    }

    /// Applies half an interval after the run before, as the next timer tick surely comes.
    fn apply(&mut self) -> Run {
        thread::sleep((INTERVAL / 2).saturating_sub(self.written.elapsed()));
        let run = self.site.apply(0);
        self.written = Instant::now();
        run
    }

    /// The only thing held, which is contested.
    fn held(&self) -> Value {
        let plan = self.site.plan(0);
        let held = plan["zones"][0]["held"].as_array().unwrap().clone();
        assert_eq!(held.len(), 1, "{plan}");
        assert_eq!(held[0]["guard"], "contested");
        held[0].clone()
    }
}

#[test]
fn a_dead_host_that_somebody_keeps_publishing_is_left_alone() {
    let mut fight = Fight::new(Kms::stopped(), "freeze_percent = 100");
    for _round in 0..2 {
        fight.apply();
        assert!(!fight.publishes(KMS2));
        fight.add(KMS2);
    }

    for _round in 0..2 {
        let run = fight.apply();
        run.expect_text("! HELD - DELETE");
        run.expect_text("slmgr /cdns");
        assert!(fight.publishes(KMS2));
    }

    let held = fight.held();
    assert_eq!(held["change"]["type"], "delete");
    fight.site.run(&["plan", "--strict"]).expect(2);
    let nagios = fight.site.run(&["plan", "--format=nagios"]);
    nagios.expect(0);
    let strict = fight.site.run(&["plan", "--format=nagios", "--strict"]);
    strict.expect(1);
    strict.expect_text("1 contested change");
    let doctor = fight.site.run(&["doctor"]);
    doctor.expect_text("somebody undoes our changes of kms2.corp.example.");
    doctor.expect_text("srvkeeper host clear kms2.corp.example");

    let clear = fight.site.run(&["host", "clear", KMS2]);
    clear.expect(0);
    clear.expect_text("contested no more");
    fight.apply();
    assert!(!fight.publishes(KMS2));
}

#[test]
fn a_dry_run_counts_nothing() {
    let mut fight = Fight::new(Kms::stopped(), "freeze_percent = 100");
    fight.apply();
    fight.add(KMS2);
    thread::sleep(INTERVAL / 2);
    for _round in 0..3 {
        fight.site.plan(2);
    }
    fight.apply();
    assert!(!fight.publishes(KMS2));
}

#[test]
fn a_live_host_whose_record_somebody_keeps_deleting_is_left_alone() {
    let mut fight = Fight::new(Kms::start(), "");
    fight.delete(KMS2);
    for _round in 0..2 {
        fight.apply();
        assert!(fight.publishes(KMS2));
        fight.delete(KMS2);
    }

    for _round in 0..2 {
        let run = fight.apply();
        run.expect_text("! HELD + CREATE");
        assert!(!fight.publishes(KMS2));
    }

    assert_eq!(fight.held()["change"]["type"], "create");
    fight.site.run(&["host", "clear", "kms2"]).expect(0);
    fight.apply();
    assert!(fight.publishes(KMS2));
}

#[test]
fn a_foreign_record_that_comes_back_is_left_alone_until_its_name_is_cleared() {
    let mut fight = Fight::new(Kms::start(), "foreign = \"remove\"");
    for _round in 0..2 {
        fight.add(ROGUE);
        fight.apply();
        assert!(!fight.publishes(ROGUE));
    }
    fight.add(ROGUE);
    fight.apply().expect_text("slmgr /cdns");
    assert!(fight.publishes(ROGUE));

    fight.site.run(&["host", "clear", ROGUE]).expect(0);
    fight.apply();
    assert!(!fight.publishes(ROGUE));
    // Now nothing is known of it any more.
    fight
        .site
        .run(&["host", "clear", "nobody.corp.example"])
        .expect(1);
}

#[test]
fn a_host_that_reboots_and_registers_is_no_zombie() {
    for publisher in ["sole", "shared"] {
        let policy = format!("freeze_percent = 100\npublisher = \"{publisher}\"");
        let mut fight = Fight::new(Kms::start(), &policy);
        for _crash in 0..4 {
            fight.kms2.stop();
            fight.apply();
            assert!(!fight.publishes(KMS2), "{publisher}");

            fight.kms2.restart();
            fight.add(KMS2);
            let run = fight.apply();
            run.expect_text("nothing to do");
            assert!(fight.publishes(KMS2), "{publisher}");
        }
    }
}
