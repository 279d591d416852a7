//! `host` against BIND: what an operator's word does to plans and to DNS, and how it ends.

#![allow(
    clippy::unwrap_used,
    clippy::disallowed_methods,
    clippy::indexing_slicing,
    reason = "a test"
)]

mod support;

use std::fs;
use std::thread;
use std::time::{Duration, Instant};

use jiff::Timestamp;
use serde_json::{Value, json};

use support::{Bind, Kms, Primary, Site, ZoneText, dig};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const KMS1: &str = "kms1.corp.example.";
const KMS2: &str = "kms2.corp.example.";
const BOTH: [&str; 2] = [
    "3600 0 0 1688 kms1.corp.example.",
    "3600 0 0 1688 kms2.corp.example.",
];
const ALICE: [(&str, &str); 1] = [("USER", "alice")];

/// A primary that publishes both hosts, which both answer.
struct Setting {
    primary: Primary,
    site: Site,
    _hosts: [Kms; 2],
}

impl Setting {
    fn new() -> Self {
        let records = ["0 0 1688 kms1.corp.example.", "0 0 1688 kms2.corp.example."];
        let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &records)]);
        let hosts = [Kms::start(), Kms::start()];
        let site = Site::with_primary(primary.address)
            .host(KMS1, &hosts[0])
            .host(KMS2, &hosts[1])
            .trusted_host("old.corp.example.", "role = \"retired\"")
            .zone(ZONE);
        Self {
            primary,
            site,
            _hosts: hosts,
        }
    }

    fn published(&self) -> Vec<String> {
        dig(self.primary.address, OWNER, "SRV")
    }

    /// `host list`, by host.
    fn overrides(&self) -> Value {
        let run = self.site.run(&["host", "list", "--format", "json"]);
        run.expect(0);
        let list = run.json();
        list["hosts"]
            .as_array()
            .unwrap()
            .iter()
            .map(|host| {
                (
                    host["host"].as_str().unwrap().to_owned(),
                    host["override"].clone(),
                )
            })
            .collect::<serde_json::Map<_, _>>()
            .into()
    }
}

#[test]
fn a_host_forced_down_is_removed_stays_away_and_comes_back_when_cleared() {
    let setting = Setting::new();
    let site = &setting.site;

    let down = ["host", "down", KMS1, "--for", "4h", "--reason", "patching"];
    let run = site.run_in(&ALICE, &down);

    run.expect(0);
    run.expect_text("kms1.corp.example. is forced down until ");
    run.expect_text(" by alice: \"patching\"");
    run.expect_text("Nothing has been changed in DNS");
    assert_eq!(setting.published(), BOTH);

    let text = site.run(&["plan"]);
    text.expect(2);
    text.expect_text("down    (forced)");
    text.expect_text("- DELETE _vlmcs._tcp.corp.example. SRV");
    text.expect_text("host-forced: forced down until ");
    let plan = site.plan(2);
    assert_eq!(plan["hosts"][0]["verdict"], "down");
    assert_eq!(plan["hosts"][0]["forced"], true);
    assert_eq!(plan["hosts"][1]["forced"], false);
    let change = &plan["zones"][0]["changes"][0];
    assert_eq!(change["reason"]["code"], "host-forced");

    site.apply(0);
    assert_eq!(setting.published(), BOTH[1..]);
    // It answers all the while; the word stands above that.
    site.apply(0);
    assert_eq!(setting.published(), BOTH[1..]);

    let run = site.run(&["host", "clear", KMS1]);
    run.expect(0);
    run.expect_text("kms1.corp.example. has no override any more");
    assert_eq!(setting.published(), BOTH[1..]);
    site.apply(0);
    assert_eq!(setting.published(), BOTH);
    site.run(&["host", "clear", KMS1])
        .expect_text("nothing to do");
}

#[test]
fn without_probing_overrides_decide_alone() {
    let setting = Setting::new();
    let no_probe = ["apply", "--no-probe", "--yes"];
    for (word, published) in [("down", &BOTH[1..]), ("up", &BOTH[..])] {
        setting.site.run(&["host", word, KMS1]).expect(0);
        setting.site.run(&no_probe).expect(0);
        assert_eq!(setting.published(), published, "forced {word}");
    }
    setting.site.run(&["host", "clear", KMS1]).expect(0);
    setting.site.run(&no_probe).expect(0);
    assert_eq!(setting.published(), BOTH);
}

#[test]
fn a_host_forced_up_is_published_although_it_does_not_answer() {
    let primary = Bind::start(&[ZoneText::new(ZONE).srv(3600, &["0 0 1688 kms2.corp.example."])]);
    let (dead, kms2) = (Kms::stopped(), Kms::start());
    let site = Site::with_primary(primary.address)
        .host(KMS1, &dead)
        .host(KMS2, &kms2)
        .zone(ZONE);
    site.apply(0);
    assert_eq!(dig(primary.address, OWNER, "SRV"), BOTH[1..]);

    site.run(&["host", "up", KMS1]).expect(0);
    site.apply(0);

    assert_eq!(dig(primary.address, OWNER, "SRV"), BOTH);
    site.run(&["host", "down", KMS1])
        .expect_text("Before, it was forced up until ");
    site.apply(0);
    assert_eq!(dig(primary.address, OWNER, "SRV"), BOTH[1..]);
}

#[test]
fn an_override_ends_by_itself() {
    let setting = Setting::new();
    let site = &setting.site;
    let begin = Instant::now();
    site.run(&["host", "down", KMS1, "--for", "3s"]).expect(0);
    assert_eq!(site.plan(2)["hosts"][0]["forced"], true);
    // The event is the clock's: nothing else ends it.
    while setting.overrides()[KMS1] != Value::Null {
        assert!(begin.elapsed() < Duration::from_secs(30), "it does not end");
    }

    let plan = site.plan(0);

    assert_eq!(plan["hosts"][0]["forced"], false);
    assert_eq!(plan["hosts"][0]["verdict"], "up");
    assert_eq!(setting.overrides()[KMS1], Value::Null);
    assert_eq!(setting.published(), BOTH);
}

#[test]
fn an_override_passes_the_limits_but_never_min_hosts() {
    let mut setting = Setting::new();
    setting.site.policy = "max_removals = 0\nfreeze_percent = 0".to_owned();
    let site = &setting.site;

    site.run(&["host", "down", KMS1]).expect(0);
    site.apply(0);
    assert_eq!(setting.published(), BOTH[1..]);

    site.run(&["host", "down", KMS2]).expect(0);
    site.apply(3)
        .expect_text("min-hosts: 0 published hosts that are not down would remain");
    assert_eq!(setting.published(), BOTH[1..]);
}

#[test]
fn the_list_names_every_host_with_its_override() {
    let setting = Setting::new();
    let site = &setting.site;
    let down = [
        "host",
        "down",
        "kms1",
        "--for",
        "2d",
        "--reason",
        "disk failed",
    ];
    site.run_in(&ALICE, &down).expect(0);

    let list = setting.overrides();

    assert_eq!(list[KMS2], Value::Null);
    assert_eq!(list["old.corp.example."], Value::Null);
    let word = &list[KMS1];
    assert_eq!(word["state"], "down");
    assert_eq!(word["actor"], "alice");
    assert_eq!(word["reason"], "disk failed");
    let remaining = word["remaining_seconds"].as_i64().unwrap();
    assert!((172_000..=172_800).contains(&remaining), "{remaining}");
    let time = |key: &str| -> Timestamp { word[key].as_str().unwrap().parse().unwrap() };
    let length = time("until").duration_since(time("made_at"));
    assert_eq!(length.as_secs(), 172_800);

    let text = site.run(&["host", "list"]);
    text.expect_text("kms2.corp.example.  active    no override");
    text.expect_text("old.corp.example.   retired   no override");
    text.expect_text("forced down until ");
    text.expect_text("by alice: \"disk failed\" (47h 59m");
}

#[test]
fn the_list_makes_no_store_and_without_reason_the_user_stands_alone() {
    let setting = Setting::new();
    setting.overrides();
    assert!(!setting.site.path("state").exists());

    let run = setting.site.run(&["host", "down", KMS1]);

    run.expect(0);
    assert_eq!(setting.overrides()[KMS1]["reason"], Value::Null);
    let actor = setting.overrides()[KMS1]["actor"].clone();
    assert!(actor.as_str().unwrap().starts_with("uid "), "{actor}");
}

#[test]
fn an_override_outlives_its_host_and_can_be_cleared() {
    let mut setting = Setting::new();
    setting.site.run(&["host", "down", KMS1]).expect(0);
    let kms2 = Kms::start();
    let mut smaller = Site::with_primary(setting.primary.address)
        .host(KMS2, &kms2)
        .zone(ZONE);
    let state = setting.site.path("state");
    fs::rename(state, smaller.path("state")).unwrap();
    std::mem::swap(&mut setting.site, &mut smaller);

    assert_eq!(setting.overrides()[KMS1]["state"], "down");
    setting.site.run(&["host", "list"]).expect_text("unlisted");
    setting.site.run(&["host", "clear", KMS1]).expect(0);

    assert_eq!(setting.overrides().get(KMS1), None);
}

#[test]
fn a_host_that_nobody_knows_is_1_with_the_nearest_first() {
    let setting = Setting::new();
    for command in ["down", "up", "clear"] {
        let run = setting.site.run(&["host", command, "kms22.corp.example"]);
        run.expect(1);
        run.expect_text("no host kms22.corp.example. is in the inventory");
        run.expect_text("known: kms2.corp.example., kms1.corp.example., old.corp.example.");
    }
    assert_eq!(setting.overrides()[KMS2], Value::Null);
}

#[test]
fn a_retired_host_takes_no_override() {
    let setting = Setting::new();
    let run = setting.site.run(&["host", "up", "old.corp.example."]);
    run.expect(1);
    run.expect_text("retired");
    assert_eq!(setting.overrides()["old.corp.example."], Value::Null);
}

#[test]
fn what_makes_no_sense_is_64_with_an_example() {
    let setting = Setting::new();
    for arguments in [
        &["host", "down", KMS1, "--for", "4"][..],
        &["host", "down", KMS1, "--for", "0s"],
        &["host", "down", KMS1, "--for", "91d"],
        &["host", "up", KMS1, "--for", "soon"],
        &["host", "up", KMS1, "--reason", " "],
        &["host", "up", KMS1, "--reason", "a\nb"],
        &["host", "down", "kms 1"],
        &["host", "clear", "."],
        &["failover", "--from", "kms1..example"],
        &["failover", "--from", KMS1, "--for", "1y"],
    ] {
        let run = setting.site.run(arguments);
        run.expect(64);
        run.expect_text("example: ");
    }
    for arguments in [
        &["host", "down"][..],
        &["host", "clear", KMS1, "--for", "4h"],
        &["host"],
    ] {
        setting.site.run(arguments).expect(64);
    }
    assert!(!setting.site.path("state").exists());
}

/// An operator's word gets in while a run holds the run lock.
#[test]
fn a_word_needs_no_run_lock_and_a_run_waits_for_it() {
    let setting = Setting::new();
    let site = &setting.site;
    site.run(&["host", "list"]).expect(0);
    site.apply(0);
    let lock = fs::File::open(site.path("state/lock")).unwrap();
    lock.lock().unwrap();

    site.run(&["host", "down", KMS1]).expect(0);

    let applied = thread::scope(|scope| {
        let apply = scope.spawn(|| site.run(&["apply", "--yes"]));
        // The plan needs no lock either; when it is done, the apply has had its time to begin.
        site.plan(2);
        drop(lock);
        apply.join().unwrap()
    });
    applied.expect(0);
    assert_eq!(setting.published(), BOTH[1..]);
}

#[test]
fn two_words_at_once_are_both_kept() {
    let setting = Setting::new();
    let site = &setting.site;
    site.run(&["host", "list"]).expect(0);

    thread::scope(|scope| {
        for host in [KMS1, KMS2] {
            scope.spawn(move || site.run(&["host", "up", host]).expect(0));
        }
    });

    let list = setting.overrides();
    let states = json!([list[KMS1]["state"], list[KMS2]["state"]]);
    assert_eq!(states, json!(["up", "up"]));
}
