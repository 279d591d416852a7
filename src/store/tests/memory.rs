//! The memory against a model that knows nothing of databases.

use std::collections::{BTreeMap, BTreeSet};

use proptest::prelude::*;

use super::*;
use crate::model::{Contest, ContestKind, HostMemory, Removal, Srv};

const ZONES: [&str; 3] = ["a.example.", "A.Example.", "b.example."];
const HOSTS: [&str; 4] = [
    "kms1.example.",
    "KMS1.example.",
    "kms2.example.",
    "kms\\003.",
];

#[derive(Debug, Clone)]
enum Step {
    Intent {
        zone: usize,
        second: i64,
        removed: Vec<usize>,
        added: Vec<usize>,
    },
    /// Of the open intent with this index, counted round.
    Outcome {
        of: usize,
        kind: OutcomeKind,
    },
    SeenUp {
        hosts: Vec<usize>,
        second: i64,
    },
    /// Rows of these targets replace what was contested in the RRset.
    Contests {
        zone: usize,
        kind: ContestKind,
        targets: Vec<usize>,
        second: i64,
    },
    ClearContests {
        host: usize,
    },
    /// The process ends and another begins.
    Restart,
}

fn step() -> impl Strategy<Value = Step> {
    let hosts = || prop::collection::vec(0..HOSTS.len(), 0..3);
    prop_oneof![
        4 => (0..ZONES.len(), 0..20_i64, hosts(), hosts()).prop_map(
            |(zone, second, removed, added)| Step::Intent { zone, second, removed, added }
        ),
        4 => (any::<usize>(), prop::sample::select(OutcomeKind::ALL.to_vec()))
            .prop_map(|(of, kind)| Step::Outcome { of, kind }),
        2 => (hosts(), 0..20_i64).prop_map(|(hosts, second)| Step::SeenUp { hosts, second }),
        2 => (0..ZONES.len(), prop::sample::select(&ContestKind::ALL[..]), hosts(), 0..20_i64)
            .prop_map(|(zone, kind, targets, second)| Step::Contests { zone, kind, targets, second }),
        1 => (0..HOSTS.len()).prop_map(|host| Step::ClearContests { host }),
        1 => Just(Step::Restart),
    ]
}

/// What should be remembered, in the plainest form.
#[derive(Default)]
struct Model {
    changes: Vec<(ChangeId, Intent, Option<OutcomeKind>)>,
    up: BTreeMap<Name, Timestamp>,
    contests: BTreeMap<Name, Vec<Contest>>,
}

impl Model {
    fn open(&self) -> Vec<ChangeId> {
        self.changes
            .iter()
            .filter(|(_, _, outcome)| outcome.is_none())
            .map(|(id, _, _)| *id)
            .collect()
    }

    fn memory(&self, since: Timestamp) -> Memory {
        let mut all: BTreeMap<Name, Vec<(Timestamp, Name)>> = BTreeMap::new();
        let mut published: BTreeMap<Name, BTreeSet<Name>> = BTreeMap::new();
        for (_, intent, outcome) in &self.changes {
            if matches!(
                outcome,
                None | Some(OutcomeKind::Applied | OutcomeKind::Unknown)
            ) {
                for host in &intent.removed {
                    let events = all.entry(intent.zone.clone()).or_default();
                    events.push((intent.at, host.clone()));
                }
            }
            if *outcome == Some(OutcomeKind::Applied) {
                for record in intent.changes.iter().filter_map(Change::after) {
                    let targets = published.entry(intent.zone.clone()).or_default();
                    targets.insert(record.target.clone());
                }
            }
        }
        let mut removals = BTreeMap::new();
        for (zone, mut events) in all {
            events.sort();
            let kept: Vec<Removal> = events
                .iter()
                .enumerate()
                .filter(|(index, (at, host))| {
                    let is_newest = events[index + 1..].iter().all(|(_, other)| other != host);
                    *at >= since || is_newest
                })
                .map(|(_, (at, host))| Removal {
                    host: host.clone(),
                    at: *at,
                })
                .collect();
            removals.insert(zone, kept);
        }
        Memory {
            removals,
            published: published
                .into_iter()
                .map(|(zone, targets)| (zone, targets.into_iter().collect()))
                .collect(),
            hosts: self
                .up
                .iter()
                .map(|(host, at)| (host.clone(), HostMemory { last_up: Some(*at) }))
                .collect(),
            homes: BTreeMap::new(),
            contests: self
                .contests
                .iter()
                .filter(|(_owner, contests)| !contests.is_empty())
                .map(|(owner, contests)| (owner.clone(), contests.clone()))
                .collect(),
        }
    }
}

/// A row of each target, with no, one, … counts; those at odd places wait for nothing.
fn contests(kind: ContestKind, targets: &[usize], second: i64) -> Vec<Contest> {
    let targets: BTreeSet<Name> = targets.iter().map(|&target| name(HOSTS[target])).collect();
    let contest = |(place, target): (usize, Name)| Contest {
        target,
        kind,
        count: u32::try_from(place).unwrap(),
        armed_at: place.is_multiple_of(2).then(|| at(second)),
        at: at(second + 1),
        written: place.is_multiple_of(3).then(|| Srv {
            priority: 0,
            weight: 5,
            port: 1688,
            target: name(HOSTS[0]),
        }),
    };
    targets.into_iter().enumerate().map(contest).collect()
}

/// Lists without order: the store sorts names as text, the model label by label.
fn sorted(mut memory: Memory) -> Memory {
    for removals in memory.removals.values_mut() {
        removals.sort_by(|a, b| (a.at, &a.host).cmp(&(b.at, &b.host)));
    }
    for targets in memory.published.values_mut() {
        targets.sort();
    }
    memory
}

async fn run(steps: Vec<Step>, since: Timestamp) {
    let dir = tempfile::tempdir().unwrap();
    let mut store = Store::open(dir.path()).unwrap();
    let mut model = Model::default();
    let pick = |indexes: &[usize]| -> Vec<&str> { indexes.iter().map(|&i| HOSTS[i]).collect() };
    for step in steps {
        match step {
            Step::Intent {
                zone,
                second,
                removed,
                added,
            } => {
                let intent = intent(ZONES[zone], second, &pick(&removed), &pick(&added));
                let id = store.intent(intent.clone()).await.unwrap();
                model.changes.push((id, intent, None));
            }
            Step::Outcome { of, kind } => {
                let open = model.open();
                if open.is_empty() {
                    continue;
                }
                let id = open[of % open.len()];
                store.outcome(id, at(30), outcome(kind)).await.unwrap();
                for change in model.changes.iter_mut().filter(|change| change.0 == id) {
                    change.2 = Some(kind);
                }
            }
            Step::SeenUp { hosts, second } => {
                let hosts: Vec<Name> = pick(&hosts).into_iter().map(name).collect();
                for host in hosts.clone() {
                    let last = model.up.entry(host).or_insert(at(second));
                    *last = at(second).max(*last);
                }
                store.seen_up(hosts, at(second)).await.unwrap();
            }
            Step::Contests {
                zone,
                kind,
                targets,
                second,
            } => {
                let rows = contests(kind, &targets, second);
                let owner = name(ZONES[zone]);
                store
                    .keep_contests(owner.clone(), rows.clone())
                    .await
                    .unwrap();
                model.contests.insert(owner, rows);
            }
            Step::ClearContests { host } => {
                let host = name(HOSTS[host]);
                let mut had = false;
                for rows in model.contests.values_mut() {
                    had |= rows.iter().any(|row| row.target == host && row.count > 0);
                    rows.retain(|row| row.target != host);
                }
                assert_eq!(store.clear_contests(host).await.unwrap(), had);
            }
            Step::Restart => {
                drop(store);
                let read = Store::read_memory(dir.path(), since).unwrap();
                assert_eq!(sorted(read), sorted(model.memory(since)));
                store = Store::open(dir.path()).unwrap();
            }
        }
    }
    let expected = sorted(model.memory(since));
    let memory = store.memory(since).await.unwrap();
    let in_order = |removals: &Vec<Removal>| removals.is_sorted_by_key(|removal| removal.at);
    assert!(memory.removals.values().all(in_order));
    assert_eq!(sorted(Memory::clone(&memory)), expected);
    let beside_the_writer = Store::read_memory(dir.path(), since).unwrap();
    assert_eq!(sorted(beside_the_writer), expected);
    let open: Vec<ChangeId> = store
        .open_intents()
        .await
        .unwrap()
        .iter()
        .map(|o| o.id)
        .collect();
    assert_eq!(open, model.open());
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(48))]

    #[test]
    fn any_sequence_is_remembered_as_the_model_remembers_it(
        steps in prop::collection::vec(step(), 0..24),
        since in 0..20_i64,
    ) {
        tokio::runtime::Builder::new_current_thread()
            .build()
            .unwrap()
            .block_on(run(steps, at(since)));
    }
}

#[tokio::test]
async fn a_removal_counts_from_the_intent_until_it_is_known_not_to_be() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for (kind, counts) in [
        (OutcomeKind::Applied, true),
        (OutcomeKind::Unknown, true),
        (OutcomeKind::Refused, false),
        (OutcomeKind::Stale, false),
        (OutcomeKind::Failed, false),
    ] {
        let zone = format!("{kind}.example.");
        let id = store.intent(intent(&zone, 5, &["k."], &[])).await.unwrap();
        let memory = store.memory(at(5)).await.unwrap();
        assert_eq!(memory.removals(&name(&zone)).len(), 1, "{kind}, open");
        store.outcome(id, at(6), outcome(kind)).await.unwrap();
        let memory = store.memory(at(5)).await.unwrap();
        assert_eq!(memory.removals(&name(&zone)).len() == 1, counts, "{kind}");
    }
}

#[tokio::test]
async fn a_failed_removal_uncovers_the_one_before() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let first = store.intent(intent("a.", 1, &["k."], &[])).await.unwrap();
    let second = store.intent(intent("a.", 9, &["k."], &[])).await.unwrap();
    let applied = outcome(OutcomeKind::Applied);
    store.outcome(first, at(2), applied).await.unwrap();
    let stale = outcome(OutcomeKind::Stale);
    store.outcome(second, at(10), stale).await.unwrap();
    let memory = store.memory(at(1_000)).await.unwrap();
    let newest = Removal {
        host: name("k."),
        at: at(1),
    };
    assert_eq!(memory.removals(&name("A.")), [newest]);
}

#[tokio::test]
async fn a_new_ttl_makes_no_foreign_record_ours() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut drift = intent("a.", 1, &[], &["ours."]);
    drift.changes.push(Change {
        kind: ChangeKind::Update {
            before: srv("foreign."),
            before_ttl: 60,
            after: srv("foreign."),
            ttl: 3600,
        },
        reason: Reason {
            code: ReasonCode::TtlDrift,
            text: String::new(),
        },
    });
    let id = store.intent(drift).await.unwrap();
    assert!(
        !store
            .memory(at(0))
            .await
            .unwrap()
            .was_ours(&name("a."), &name("ours."))
    );
    let applied = outcome(OutcomeKind::Applied);
    store.outcome(id, at(2), applied).await.unwrap();
    let memory = store.memory(at(0)).await.unwrap();
    assert!(memory.was_ours(&name("A."), &name("Ours.")));
    assert!(!memory.was_ours(&name("a."), &name("foreign.")));
}

#[tokio::test]
async fn a_removal_outlives_its_row_of_history() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.intent(intent("a.", 1, &["k."], &[])).await.unwrap();
    let applied = outcome(OutcomeKind::Applied);
    store.outcome(id, at(2), applied).await.unwrap();
    let before = store.memory(at(0)).await.unwrap();
    let connection = database(dir.path());
    assert_eq!(connection.execute("DELETE FROM changes", []), Ok(1));
    assert_eq!(store.memory(at(0)).await.unwrap(), before);
}

#[test]
fn nothing_is_remembered_and_nothing_made_where_no_store_is() {
    let parent = tempfile::tempdir().unwrap();
    let missing = parent.path().join("missing");
    for dir in [&missing, parent.path()] {
        assert_eq!(Store::read_memory(dir, at(0)).unwrap(), Memory::default());
    }
    assert_eq!(std::fs::read_dir(parent.path()).unwrap().count(), 0);
}

#[tokio::test]
async fn reading_after_a_clean_end_makes_no_file() {
    let parent = tempfile::tempdir().unwrap();
    // Every character that an SQLite URI could misread.
    let dir = parent.path().join("st ate?mode=rwc&x#y%41é");
    let store = Store::open(&dir).unwrap();
    store.intent(intent("a.", 1, &["k."], &[])).await.unwrap();
    drop(store);
    let files = || {
        let mut files: Vec<_> = std::fs::read_dir(&dir)
            .unwrap()
            .map(|entry| entry.unwrap().file_name())
            .collect();
        files.sort();
        files
    };
    assert_eq!(files(), ["store.sqlite3"]);
    let memory = Store::read_memory(&dir, at(0)).unwrap();
    assert_eq!(memory.removals(&name("a.")).len(), 1);
    assert_eq!(files(), ["store.sqlite3"]);
}

/// The memory of 10,000 zones must not cost a walk through the history.
#[test]
fn the_memory_is_read_from_indexes() {
    let dir = tempfile::tempdir().unwrap();
    drop(Store::open(dir.path()).unwrap());
    let connection = database(dir.path());
    for sql in journal::MEMORY {
        for step in steps(&connection, sql) {
            assert!(!step.contains("changes"), "{sql}: {step}");
            if step.contains("removals") {
                assert!(step.contains("USING COVERING INDEX"), "{sql}: {step}");
            }
        }
    }
}

#[tokio::test]
async fn the_newest_refresh_of_each_rrset_is_remembered() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(store.refreshes().await.unwrap(), []);
    for (owner, second) in [("b.", 1), ("a.", 2), ("B.", 3)] {
        store.refreshed(name(owner), at(second)).await.unwrap();
    }
    drop(store);
    let store = Store::open(dir.path()).unwrap();
    let expected = [(name("a."), at(2)), (name("b."), at(3))];
    assert_eq!(store.refreshes().await.unwrap(), expected);
}

/// What is not read again is what would be read: whoever wrote, and whatever has ceased to count.
#[tokio::test]
async fn the_memory_is_read_again_where_it_may_be_another() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let other = Store::open(dir.path()).unwrap();
    let mut since = at(0);
    let check = async |since| {
        let fresh = Store::read_memory(dir.path(), since).unwrap();
        assert_eq!(*store.memory(since).await.unwrap(), fresh);
        fresh.removals.values().map(Vec::len).sum::<usize>()
    };
    assert_eq!(check(since).await, 0);
    for (writer, second) in [(&store, 1), (&other, 2), (&store, 3)] {
        let removal = intent("corp.example.", second, &["k."], &["k."]);
        writer.intent(removal).await.unwrap();
        let known = usize::try_from(second).unwrap();
        assert_eq!(check(since).await, known);
        let twice = (store.memory(since).await, store.memory(since).await);
        assert!(Arc::ptr_eq(&twice.0.unwrap(), &twice.1.unwrap()));
    }
    // Two of them are of the past now; then one of them is not any more.
    since = at(3);
    assert_eq!(check(since).await, 1);
    assert_eq!(check(at(2)).await, 2);
}
