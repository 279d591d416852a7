//! Zones with several servers that all take updates: which one is written, and when another may be.
//!
//! Two copies of BIND that know nothing of each other stand for domain controllers whose
//! replication lags.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use support::{
    Bind, Fate, OWNER, Primary, Proxy, RIVAL, SRVKEEPER, Site, TsigKey, UNGRANTED, ZONE, ZoneText,
    lines, nsupdate, outcomes, published,
};

/// The zone's servers in the configuration: `first`, then `second`.
const BOTH: &str = "first\", \"second";

/// Two servers with kms1 published; the first can be cut off.
struct Copies {
    first: Primary,
    second: Primary,
    wire: Proxy,
    /// While true, the first takes an update and is never heard of again.
    swallows: Arc<AtomicBool>,
    site: Site,
}

impl Copies {
    fn start(key_of_the_first: TsigKey) -> Self {
        let zone = || ZoneText::new(ZONE).srv(3600, &["0 0 1688 kms1.corp.example."]);
        let first = Bind::start(&[zone()]);
        let second = Bind::start(&[zone()]);
        let swallows = Arc::new(AtomicBool::new(false));
        let asks = Arc::clone(&swallows);
        let wire = Proxy::start(first.address, move |_| match asks.load(Ordering::SeqCst) {
            true => Fate::Vanish,
            false => Fate::Pass,
        });
        let site = Site::new()
            .server("first", wire.address, key_of_the_first)
            .server("second", second.address, SRVKEEPER)
            .trusted_host("kms1.corp.example.", "")
            .trusted_host("kms2.corp.example.", "")
            .zone_with(ZONE, BOTH, "");
        Self {
            first,
            second,
            wire,
            swallows,
            site,
        }
    }

    /// What replication does at last.
    fn replicate_kms2(&self) {
        let script = format!("update add {OWNER} 3600 SRV 0 0 1688 kms2.{ZONE}");
        nsupdate(self.second.address, RIVAL, &script);
    }

    fn server_of_the_plan(&self, status: i32) -> String {
        let plan = self.site.plan(status);
        plan["zones"][0]["server"].as_str().unwrap().to_owned()
    }
}

/// One more host, so that there is something to do.
fn with_kms3(site: Site) -> Site {
    site.trusted_host("kms3.corp.example.", "")
}

#[test]
fn another_server_is_written_only_when_it_publishes_the_same() {
    let mut copies = Copies::start(SRVKEEPER);
    copies.site.apply(0);
    assert_eq!(published(&copies.first), lines(&["kms1", "kms2"]));
    assert_eq!(published(&copies.second), lines(&["kms1"]));

    // The second lags: it would be planned on as if kms2 had never been published.
    copies.wire.vanish();
    let run = copies.site.apply(1);
    run.expect_text("its records were last written on");
    run.expect_text("TTL 3600 there, 1 record with TTL 3600 here");
    run.expect_text("take it out of `servers` of [[zone]] corp.example.");
    assert_eq!(published(&copies.second), lines(&["kms1"]));
    let run = copies.site.run(&["doctor"]);
    run.expect_text("WARNING primary: its records were last written on");
    run.expect_text("TTL 3600 there, 1 record with TTL 3600 here");

    copies.replicate_kms2();
    copies.site = with_kms3(copies.site);
    copies.site.apply(0);
    assert_eq!(published(&copies.second), lines(&["kms1", "kms2", "kms3"]));

    // From now on it stays with the second, though the first is back, and lags in its turn.
    copies.wire.revive();
    let second = copies.second.address.to_string();
    assert_eq!(copies.server_of_the_plan(0), second);
    assert_eq!(published(&copies.first), lines(&["kms1", "kms2"]));
}

#[test]
fn what_others_wrote_meanwhile_is_known_by_the_last_read() {
    let mut copies = Copies::start(SRVKEEPER);
    copies.site.apply(0);
    let foreign = format!("update add {OWNER} 3600 SRV 0 0 1688 other.{ZONE}");
    nsupdate(copies.first.address, RIVAL, &foreign);
    // Nothing to do, but read, and remembered.
    copies.site.apply(0);

    copies.replicate_kms2();
    nsupdate(copies.second.address, RIVAL, &foreign);
    copies.wire.vanish();
    copies.site = with_kms3(copies.site);
    copies.site.apply(0);
    let all = lines(&["kms1", "kms2", "kms3", "other"]);
    assert_eq!(published(&copies.second), all);
}

#[test]
fn after_a_doubtful_send_the_read_back_decides_first() {
    let mut copies = Copies::start(SRVKEEPER);
    copies.swallows.store(true, Ordering::SeqCst);
    let run = copies.site.apply(1);
    run.expect_text("unknown");
    assert_eq!(outcomes(&copies.site), ["unknown"]);
    assert_eq!(copies.wire.updates(), 1);
    assert_eq!(published(&copies.second), lines(&["kms1"]));

    // Even though the second publishes what the plan was made on.
    let run = copies.site.apply(1);
    run.expect_text("may have been carried out");
    assert_eq!(published(&copies.second), lines(&["kms1"]));
    assert_eq!(outcomes(&copies.site), ["unknown"]);

    // It was: the read shows so, and from here on it is known what the second must publish.
    copies.swallows.store(false, Ordering::SeqCst);
    copies.wire.revive();
    copies.site.apply(0);
    copies.wire.vanish();
    copies
        .site
        .apply(1)
        .expect_text("its records were last written on");
    copies.replicate_kms2();
    copies.site = with_kms3(copies.site);
    copies.site.apply(0);
    assert_eq!(published(&copies.second), lines(&["kms1", "kms2", "kms3"]));
}

#[test]
fn a_server_taken_out_of_the_configuration_is_given_up() {
    let mut copies = Copies::start(SRVKEEPER);
    copies.site.apply(0);
    copies.wire.vanish();
    copies.site.apply(1);
    copies.site = copies.site.without_zones().zone_with(ZONE, "second", "");
    copies.site.apply(0);
    assert_eq!(published(&copies.second), lines(&["kms1", "kms2"]));
}

#[test]
fn where_the_first_server_takes_no_update_the_next_one_is_asked() {
    let copies = Copies::start(UNGRANTED);
    let run = copies.site.apply(0);
    run.expect_text("asked before it");
    run.expect_text("REFUSED");
    assert_eq!(published(&copies.first), lines(&["kms1"]));
    assert_eq!(published(&copies.second), lines(&["kms1", "kms2"]));
    assert_eq!(outcomes(&copies.site), ["applied", "refused"]);
    // And stays the one.
    let second = copies.second.address.to_string();
    assert_eq!(copies.server_of_the_plan(0), second);
}

#[test]
fn a_server_that_publishes_something_else_is_not_asked_in_place_of_the_first() {
    let copies = Copies::start(UNGRANTED);
    copies.replicate_kms2();
    let run = copies.site.apply(1);
    run.expect_text("REFUSED");
    assert_eq!(published(&copies.first), lines(&["kms1"]));
    assert_eq!(published(&copies.second), lines(&["kms1", "kms2"]));
    assert_eq!(outcomes(&copies.site), ["refused"]);
}
