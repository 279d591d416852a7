//! Records: drift, duplicates, TTLs, foreign ones, and what the change policy keeps back.

use super::support::{Scenario, TTL, assert_table, line, record};
use crate::model::{Change, ChangeKind, Changes};

/// Before and after of each change, spelled as they would be sent, with the TTL afterwards.
fn sent(scenario: &Scenario) -> Vec<String> {
    let side = |record: Option<&crate::model::Srv>| match record {
        Some(record) => record.to_string().replace(".corp.example.", ""),
        None => "nothing".to_owned(),
    };
    let text = |change: &Change| {
        let ttl = match change.kind {
            ChangeKind::Create { ttl, .. } | ChangeKind::Update { ttl, .. } => format!(" @{ttl}"),
            ChangeKind::Delete { .. } => String::new(),
        };
        format!("{} => {}{ttl}", side(change.before()), side(change.after()))
    };
    scenario.plan().changes.iter().map(text).collect()
}

#[test]
fn data_drift_is_rewritten() {
    for (is, text) in [
        ("10 0 1688 kms1", "priority is 10, 0 is configured"),
        ("0 7 1688 kms1", "weight is 7, 0 is configured"),
        ("0 0 1689 kms1", "port is 1689, 1688 is configured"),
        (
            "1 2 3 kms1",
            "priority is 1, 0 is configured; weight is 2, 0 is configured; port is 3, 1688 is configured",
        ),
    ] {
        let scenario = Scenario::new("kms1 up").records(is);
        assert_eq!(scenario.line(), "~ kms1 data-drift");
        assert_eq!(scenario.plan().changes[0].reason.text, text);
        assert_eq!(sent(&scenario), [format!("{is} => 0 0 1688 kms1 @3600")]);
    }
}

#[test]
fn drift_needs_no_verdict() {
    assert_table(&[
        (
            Scenario::new("kms1 unknown").records("10 0 1688 kms1"),
            "~ kms1 data-drift",
        ),
        (
            Scenario::new("kms1 suspect").records("10 0 1688 kms1"),
            "~ kms1 data-drift",
        ),
        // A record that is to go is not repaired first.
        (
            Scenario::new("kms1 down; kms2 up in").records("10 0 1688 kms1"),
            "- kms1 host-down, unchanged 1",
        ),
        (
            Scenario::new("kms1 down").records("10 0 1688 kms1"),
            "held(min-hosts) - kms1 host-down, short",
        ),
    ]);
}

#[test]
fn letter_case_is_no_drift_and_is_sent_as_read() {
    let scenario = Scenario::new("kms1 up").records("0 0 1688 KMS1");
    assert_eq!(scenario.line(), "unchanged 1");
    assert_eq!(
        sent(&scenario.ttl(60)),
        ["0 0 1688 KMS1 => 0 0 1688 KMS1 @3600"]
    );
    let scenario = Scenario::new("kms1 up").records("1 0 1688 KMS1");
    assert_eq!(sent(&scenario), ["1 0 1688 KMS1 => 0 0 1688 kms1 @3600"]);
    let scenario = Scenario::new("kms1 down; kms2 up in").records("0 0 1688 KMS1");
    assert_eq!(sent(&scenario), ["0 0 1688 KMS1 => nothing"]);
}

#[test]
fn duplicates_go_and_the_right_record_stays() {
    for (records, expected) in [
        ("kms1; 5 0 1688 kms1", "5 0 1688 kms1 => nothing"),
        ("0 0 1600 kms1; kms1", "0 0 1600 kms1 => nothing"),
        // The inventory's spelling is the one to keep.
        ("0 0 1688 KMS1; kms1", "0 0 1688 KMS1 => nothing"),
        ("0 0 1688 KMS1; 0 0 1689 kms1", "0 0 1689 kms1 => nothing"),
    ] {
        let scenario = Scenario::new("kms1 up").records(records);
        assert_eq!(
            scenario.line(),
            format!("- {} duplicate, unchanged 1", kept_name(expected))
        );
        assert_eq!(sent(&scenario), [expected], "{records}");
    }
    // None is right: one is made right, the others go.
    let scenario = Scenario::new("kms1 up").records("5 0 1688 kms1; 6 0 1688 kms1");
    assert_eq!(scenario.line(), "~ kms1 data-drift, - kms1 duplicate");
}

/// The target in `0 0 1688 kms1 => nothing`.
fn kept_name(sent: &str) -> &str {
    sent.split_whitespace().nth(3).unwrap()
}

#[test]
fn every_record_of_a_host_leaves_with_it_and_counts_once() {
    let scenario =
        Scenario::new("kms1 down; kms2 up in").records("kms1; 5 0 1688 kms1; 0 0 1688 KMS1");
    assert_eq!(
        scenario.line(),
        "- kms1 host-down, - KMS1 host-down, - kms1 host-down, unchanged 1"
    );
    assert_eq!(scenario.plan().removed.len(), 1);
}

#[test]
fn duplicates_pass_the_guards() {
    assert_table(&[(
        Scenario::new("kms1 suspect in; kms2 suspect in").records("5 0 1688 kms1; 5 0 1688 kms2"),
        "- kms1 duplicate, - kms2 duplicate, unchanged 2",
    )]);
}

#[test]
fn ttl_drift_rewrites_the_whole_set() {
    let hosts = "kms1 up in; kms2 suspect in";
    assert_table(&[
        (
            Scenario::new(hosts).ttl(60),
            "~ kms1 ttl-drift, ~ kms2 ttl-drift",
        ),
        (
            Scenario::new(hosts).mixed_ttl(),
            "~ kms1 ttl-drift, ~ kms2 ttl-drift",
        ),
        // Foreign records too: a TTL belongs to the set.
        (
            Scenario::new("kms1 up in").records("rogue").ttl(60),
            "~ kms1 ttl-drift, ~ rogue ttl-drift, foreign rogue",
        ),
        // A record that is added brings the set to the configured TTL.
        (
            Scenario::new("kms1 up").records("rogue").ttl(60),
            "+ kms1 host-up, ~ rogue ttl-drift, foreign rogue",
        ),
        // Nothing of ours is there: foreign records are left as they are.
        (
            Scenario::new("kms1 unknown").records("rogue").ttl(60),
            "foreign rogue, short",
        ),
        // Drift of data and TTL is one update.
        (
            Scenario::new("kms1 up").records("9 0 1688 kms1").ttl(60),
            "~ kms1 data-drift",
        ),
        // All go: no TTL to speak of.
        (
            Scenario::new("kms1 down in; kms2 up").ttl(60),
            "- kms1 host-down, + kms2 host-up",
        ),
        // A record that is held is rewritten with the others.
        (
            Scenario::new("kms1 down in").ttl(60),
            "~ kms1 ttl-drift, held(min-hosts) - kms1 host-down, short",
        ),
    ]);
    let texts: Vec<String> = [
        Scenario::new(hosts).ttl(60),
        Scenario::new(hosts).mixed_ttl(),
    ]
    .iter()
    .map(|scenario| scenario.plan().changes[0].reason.text.clone())
    .collect();
    assert_eq!(
        texts,
        [
            "the TTL is 60 s; 3600 s is configured",
            "the records of the set have different TTLs; 3600 s is configured"
        ]
    );
}

#[test]
fn the_set_afterwards_is_named() {
    let plan = Scenario::new("kms1 down in; kms2 up; kms3 up in")
        .records("rogue")
        .ttl(60)
        .plan();
    assert_eq!(
        plan.after,
        [record("kms2"), record("kms3"), record("rogue")]
    );
    assert_eq!(plan.after_ttl, Some(TTL));
    let plan = Scenario::new("kms1 up in").expect_empty().plan();
    assert_eq!((plan.after, plan.after_ttl), (Vec::new(), None));
}

#[test]
fn foreign_records_are_reported() {
    assert_table(&[
        (
            Scenario::new("kms1 up in").records("rogue"),
            "foreign rogue, unchanged 1",
        ),
        (
            Scenario::new("kms1 up in").records("rogue; 5 0 1688 rogue"),
            "foreign rogue, foreign rogue, unchanged 1",
        ),
        (
            Scenario::new("kms1 up in").records("0 0 0 ."),
            "foreign ., unchanged 1",
        ),
        (
            Scenario::new("kms1 up in; kms2 up in elsewhere"),
            "foreign kms2, unchanged 1",
        ),
    ]);
}

#[test]
fn each_foreign_record_says_what_is_known_of_it() {
    for (scenario, words) in [
        (
            Scenario::new("kms1 up in").records("rogue"),
            "no inventory host is called rogue.corp.example.",
        ),
        (
            Scenario::new("kms1 up in").records("0 0 0 ."),
            "decidedly not available",
        ),
        (
            Scenario::new("kms1 up in")
                .records("rogue")
                .once_ours("rogue"),
            "role = \"retired\"",
        ),
        (
            Scenario::new("kms1 up in; kms2 up in elsewhere"),
            "the inventory host kms2.corp.example. is in none of this zone's groups",
        ),
        (
            Scenario::new("kms1 up in; kms2 retired in elsewhere"),
            "the retired inventory host kms2.corp.example.",
        ),
    ] {
        let plan = scenario.plan();
        let text = &plan.foreign[0].text;
        assert!(text.contains(words), "{text}");
    }
}

#[test]
fn foreign_records_are_removed_only_beside_hosts_that_are_up() {
    let rogue = |hosts: &str| Scenario::new(hosts).records("rogue").remove_foreign();
    let gone = "- rogue foreign-record, foreign rogue";
    let kept = "held(min-hosts) - rogue foreign-record, foreign rogue";
    assert_table(&[
        (rogue("kms1 up in"), &format!("{gone}, unchanged 1")),
        (rogue("kms1 unknown in"), &format!("{kept}, unchanged 1")),
        (
            rogue("kms1 suspect in").freeze_percent(100),
            &format!("{kept}, unchanged 1"),
        ),
        (rogue("kms1 unknown"), &format!("{kept}, short")),
        (
            rogue("kms1 up in").min_hosts(2),
            &format!("{kept}, unchanged 1, short"),
        ),
        (
            rogue("kms1 up in; kms2 unknown in").min_hosts(2),
            &format!("{kept}, unchanged 2"),
        ),
        (
            rogue("kms1 up in; kms2 up in").min_hosts(2),
            &format!("{gone}, unchanged 2"),
        ),
        // Added in the same update is as good.
        (rogue("kms1 up"), &format!("+ kms1 host-up, {gone}")),
        // A retired host is not one to rely on.
        (
            rogue("kms1 retired up forced in"),
            "held(min-hosts) - kms1 host-retired, held(min-hosts) - rogue foreign-record, foreign rogue, short",
        ),
        // A standby that leaves is none either, and one whose removal is held is.
        (
            rogue("kms1 unknown in; s1 standby up in").standby_below(0),
            "- s1 standby-idle, held(min-hosts) - rogue foreign-record, foreign rogue, unchanged 1",
        ),
        (
            rogue("kms1 unknown in; s1 standby up in")
                .standby_below(0)
                .max_removals(0),
            "- rogue foreign-record, held(max-removals) - s1 standby-idle, foreign rogue, unchanged 1",
        ),
        // Our own network is suspect: nothing is removed.
        (
            rogue("kms1 up in; kms2 suspect in; kms3 suspect in"),
            "held(freeze-percent) - rogue foreign-record, foreign rogue, unchanged 3",
        ),
        // It uses up no removal.
        (
            rogue("kms1 up in; kms2 down in"),
            "- kms2 host-down, - rogue foreign-record, foreign rogue, unchanged 1",
        ),
        (
            rogue("kms1 up in").changes(Changes::UpsertOnly),
            "held(policy) - rogue foreign-record, foreign rogue, unchanged 1",
        ),
    ]);
}

#[test]
fn upsert_only_never_deletes() {
    let upsert = |hosts: &str| Scenario::new(hosts).changes(Changes::UpsertOnly);
    assert_table(&[
        (upsert("kms1 up; kms2 up in"), "+ kms1 host-up, unchanged 1"),
        (
            upsert("kms1 down in; kms2 up in"),
            "held(policy) - kms1 host-down, unchanged 1",
        ),
        (
            upsert("kms1 down forced in; kms2 up in"),
            "held(policy) - kms1 host-forced, unchanged 1",
        ),
        (
            upsert("old retired in; kms2 up in"),
            "held(policy) - old host-retired, unchanged 1",
        ),
        (
            upsert("kms1 up in").records("5 0 1688 kms1"),
            "held(policy) - kms1 duplicate, unchanged 1",
        ),
        (
            upsert("kms1 up").records("5 0 1688 kms1"),
            "~ kms1 data-drift",
        ),
        (upsert("kms1 up in").ttl(60), "~ kms1 ttl-drift"),
    ]);
    assert!(
        !upsert("kms1 down in; kms2 up in").plan().is_held(),
        "held by policy does not count"
    );
}

#[test]
fn create_only_only_creates() {
    let create = |hosts: &str| Scenario::new(hosts).changes(Changes::CreateOnly);
    assert_table(&[
        (create("kms1 up; kms2 up in"), "+ kms1 host-up, unchanged 1"),
        (
            create("kms1 down in; kms2 up in"),
            "held(policy) - kms1 host-down, unchanged 1",
        ),
        (
            create("kms1 up").records("5 0 1688 kms1"),
            "held(policy) ~ kms1 data-drift",
        ),
        (
            create("kms1 up in").ttl(60),
            "held(policy) ~ kms1 ttl-drift",
        ),
        (
            create("kms1 up in").mixed_ttl(),
            "held(policy) ~ kms1 ttl-drift",
        ),
    ]);
    let scenario = create("kms1 up; kms2 up in").ttl(60);
    assert_eq!(
        scenario.line(),
        "+ kms1 host-up, held(policy) ~ kms2 ttl-drift"
    );
    assert_eq!(sent(&scenario), ["nothing => 0 0 1688 kms1 @60"]);
    assert!(!scenario.plan().is_held(), "held by policy does not count");
}

#[test]
fn beside_hosts_that_publish_themselves_their_own_data_stands() {
    let shared = |hosts: &str| Scenario::new(hosts).shared();
    assert_table(&[
        (shared("kms1 up").records("10 5 1688 KMS1"), "unchanged 1"),
        (shared("kms1 up in").ttl(60), "unchanged 1"),
        (shared("kms1 up in; kms2 up in").mixed_ttl(), "unchanged 2"),
        (
            shared("kms1 up").records("kms1; 10 0 1688 kms1; 0 0 1688 KMS1"),
            "unchanged 3",
        ),
        (
            shared("kms1 up in").records("0 0 1689 kms1"),
            "- kms1 duplicate, unchanged 1",
        ),
        // Its removals are ours all the same.
        (
            shared("kms1 down; kms2 up in").records("10 5 1688 kms1"),
            "- kms1 host-down, unchanged 1",
        ),
    ]);
    // A wrong port is drift: nothing answers there. The rest stays the host's.
    let scenario = shared("kms1 up").records("10 5 1689 KMS1").ttl(60);
    assert_eq!(sent(&scenario), ["10 5 1689 KMS1 => 10 5 1688 KMS1 @60"]);
    // Ours are added with the TTL that is there.
    let scenario = shared("kms1 up; kms2 up in").ttl(60);
    assert_eq!(sent(&scenario), ["nothing => 0 0 1688 kms1 @60"]);
    let scenario = shared("kms1 up");
    assert_eq!(sent(&scenario), ["nothing => 0 0 1688 kms1 @3600"]);
}

#[test]
fn hosts_that_are_read_in_another_case_are_found() {
    let plan = Scenario::new("kms2 up; KMS1 up")
        .records("0 0 1688 Kms1; 0 0 1688 kMS2")
        .plan();
    assert_eq!(line(&plan), "unchanged 2");
}
