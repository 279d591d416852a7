use super::*;
use crate::model::{
    Alert, AlertKind, Canary, Change, ChangeKind, CopyState, Failure, Health, Host, KeptSample,
    Name, NoSample, Observed, Outcome, OutcomeKind, Reason, ReasonCode, Role, Sample, ServerCopy,
    Srv, State, Verdict, Verdicts, Zone, ZoneCopies,
};
use crate::plan::{ForeignRecord, Guard, Held, ShortOfHosts, ZoneError, ZonePlan};

mod told;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

fn at(second: i64) -> Timestamp {
    Timestamp::from_second(1_760_000_000 + second).unwrap()
}

fn srv(host: &str) -> Srv {
    Srv {
        priority: 0,
        weight: 0,
        port: 1688,
        target: name(&format!("{host}.corp.example.")),
    }
}

fn host(label: &str, role: Role) -> Host {
    Host {
        role,
        srv: srv(label),
        groups: Vec::new(),
        addresses: Vec::new(),
        health: Health {
            checks: vec![crate::model::Check::Rpc],
            command: Vec::new(),
            interval: Duration::from_secs(10),
            timeout: Duration::from_secs(3),
            rise: 2,
            fall: 3,
        },
    }
}

fn zone(suffix: &str) -> Zone {
    let policy = crate::model::Policy {
        changes: crate::model::Changes::Sync,
        foreign: crate::model::Foreign::Report,
        publisher: crate::model::Publisher::Sole,
        min_hosts: 1,
        max_removals: 1,
        freeze_percent: 50,
        refresh: None,
    };
    Zone {
        name: name(suffix),
        owner: name(&format!("_vlmcs._tcp.{suffix}")),
        ttl: 3600,
        expect: crate::model::Expect::Hosts,
        standby_below: 1,
        policy: Arc::new(policy),
        hosts: Arc::from([0, 1]),
        servers: Arc::from([0]),
        key: None,
    }
}

struct Desk {
    book: Book,
    hosts: Vec<Host>,
    zones: Vec<Zone>,
}

impl Desk {
    fn new(zones: &[&str]) -> Self {
        let mut desk = Self {
            book: Book::new(at(0)),
            hosts: vec![host("kms1", Role::Active), host("kms2", Role::Active)],
            zones: zones.iter().map(|suffix| zone(suffix)).collect(),
        };
        desk.configure();
        desk
    }

    fn configure(&mut self) {
        self.configure_at(0);
    }

    fn configure_at(&mut self, second: i64) {
        let terms = Terms {
            hosts: &self.hosts,
            zones: &self.zones,
            writes: true,
            interval: Duration::from_secs(300),
        };
        self.book.configure(terms, at(second));
    }

    fn walk(
        &mut self,
        zone: usize,
        plan: Result<ZonePlan, ZoneError>,
        outcome: Option<Outcome>,
        second: i64,
    ) -> Event {
        let report = Report {
            zone,
            plan,
            outcome,
        };
        self.book.walked([report], "run: timer", None, at(second))
    }

    /// The plan of a zone that publishes these hosts.
    fn plan(&self, zone: usize, published: &[&str], changes: Vec<Change>) -> ZonePlan {
        let observed = Observed {
            server: "127.0.0.1:53".parse().unwrap(),
            update_zone: self.zones[zone].name.clone(),
            serial: 7,
            ttl: (!published.is_empty()).then_some(3600),
            mixed_ttl: false,
            records: published.iter().map(|host| srv(host)).collect(),
        };
        ZonePlan::from_changes(&self.zones[zone], &self.hosts, observed, changes)
    }
}

fn create(host: &str) -> Change {
    Change {
        kind: ChangeKind::Create {
            after: srv(host),
            ttl: 3600,
        },
        reason: Reason {
            code: ReasonCode::HostUp,
            text: "it answers".to_owned(),
        },
    }
}

fn delete(host: &str) -> Change {
    Change {
        kind: ChangeKind::Delete {
            before: srv(host),
            before_ttl: 3600,
        },
        reason: Reason {
            code: ReasonCode::HostDown,
            text: "3 samples failed".to_owned(),
        },
    }
}

fn held(guard: Guard, change: Change) -> Held {
    Held {
        change,
        guard,
        text: "held".to_owned(),
    }
}

fn outcome(kind: OutcomeKind) -> Outcome {
    Outcome {
        kind,
        text: kind.as_str().to_owned(),
        rcode: None,
        serial: Some(8),
    }
}

fn unreadable() -> ZoneError {
    ZoneError {
        server: Some("127.0.0.1:53".to_owned()),
        text: "no answer".to_owned(),
    }
}

fn up(state: State) -> Verdict {
    Verdict {
        state,
        ..Verdict::unknown(state.as_str())
    }
}

#[test]
fn what_was_applied_counts_as_observed() {
    let mut desk = Desk::new(&["corp.example."]);
    let plan = desk.plan(0, &["kms2"], vec![create("kms1"), delete("kms2")]);
    desk.walk(0, Ok(plan.clone()), None, 1);
    let before = desk.book.status(at(1));
    let known = &before.zones[0];
    assert_eq!(known.state(), ZoneState::Pending);
    assert_eq!((known.pending(), known.missing().count()), (2, 1));
    assert_eq!(known.published(), [srv("kms2")]);

    desk.walk(0, Ok(plan), Some(outcome(OutcomeKind::Applied)), 2);
    let after = desk.book.status(at(2));
    let known = &after.zones[0];
    assert_eq!(known.state(), ZoneState::InSync);
    assert_eq!((known.pending(), known.missing().count()), (0, 0));
    assert_eq!(known.published(), [srv("kms1")]);
    assert_eq!(known.planned().unwrap().observed.serial, 8);
    assert_eq!(known.planned().unwrap().unchanged, 1);
    let last = known.last_change.as_ref().unwrap();
    assert_eq!((last.changes, last.outcome), (2, OutcomeKind::Applied));
    assert_eq!(after.counters.updates[0], 1);
    // Who still has the former one sees that.
    assert_eq!(before.zones[0].state(), ZoneState::Pending);
    assert_eq!(before.totals.pending, 2);
}

#[test]
fn each_state_of_a_zone_has_its_gravity() {
    let mut desk = Desk::new(&["corp.example."]);
    let status = desk.book.status(at(0));
    assert_eq!(status.zones[0].state(), ZoneState::Unread);
    assert_eq!(status.totals.unread, 1);
    let quiet = desk.plan(0, &["kms1"], Vec::new());
    let with = |change: &dyn Fn(&mut ZonePlan)| {
        let mut plan = quiet.clone();
        change(&mut plan);
        Ok(plan)
    };
    let foreign = |plan: &mut ZonePlan| {
        plan.foreign.push(ForeignRecord {
            record: srv("stray"),
            text: "unknown".to_owned(),
        });
    };
    let hold =
        |guard: Guard| move |plan: &mut ZonePlan| plan.held.push(held(guard, delete("kms1")));
    for (plan, failed, state, level) in [
        (Ok(quiet.clone()), false, ZoneState::InSync, Level::Ok),
        (with(&foreign), false, ZoneState::InSync, Level::Ok),
        (
            with(&hold(Guard::Policy)),
            false,
            ZoneState::InSync,
            Level::Ok,
        ),
        (
            with(&hold(Guard::Contested)),
            false,
            ZoneState::InSync,
            Level::Warning,
        ),
        (
            with(&hold(Guard::MinHosts)),
            false,
            ZoneState::Held,
            Level::Warning,
        ),
        (
            with(&|plan| {
                plan.short_of_hosts = Some(ShortOfHosts {
                    left: 1,
                    min_hosts: 2,
                })
            }),
            false,
            ZoneState::Short,
            Level::Critical,
        ),
        (
            with(&|plan| plan.changes.push(create("kms2"))),
            true,
            ZoneState::Failed,
            Level::Critical,
        ),
        (
            Err(unreadable()),
            false,
            ZoneState::Unreadable,
            Level::Critical,
        ),
    ] {
        let outcome = failed.then(|| outcome(OutcomeKind::Refused));
        desk.walk(0, plan, outcome, 1);
        let status = desk.book.status(at(1));
        assert_eq!(
            (status.zones[0].state(), status.zones[0].level()),
            (state, level)
        );
        assert_eq!(status.totals.in_state(state), 1);
        assert_eq!(status.totals.problems, usize::from(level != Level::Ok));
        assert_eq!(
            status.verdict(at(1)).level,
            level,
            "{:?}",
            status.verdict(at(1))
        );
    }
}

#[test]
fn a_failure_keeps_the_last_success_and_an_interruption_says_nothing() {
    let mut desk = Desk::new(&["corp.example."]);
    let plan = desk.plan(0, &["kms1"], Vec::new());
    desk.walk(0, Ok(plan), None, 1);
    desk.walk(0, Err(unreadable()), None, 2);
    desk.walk(0, Err(ZoneError::interrupted()), None, 3);
    let status = desk.book.status(at(4));
    let known = &status.zones[0];
    assert_eq!(
        (known.last_success, known.last_attempt),
        (Some(at(1)), Some(at(2)))
    );
    assert_eq!(known.state(), ZoneState::Unreadable);
    assert_eq!((status.counters.succeeded, status.counters.failed), (1, 1));
}

#[test]
fn a_guard_trips_once_for_each_change_that_it_withholds() {
    let mut desk = Desk::new(&["corp.example."]);
    let holding = |desk: &Desk, hosts: &[&str]| {
        let mut plan = desk.plan(0, &["kms1", "kms2"], Vec::new());
        plan.held = hosts
            .iter()
            .map(|host| held(Guard::MinHosts, delete(host)))
            .collect();
        Ok(plan)
    };
    for (hosts, trips) in [
        (&["kms1"][..], 1),
        (&["kms1"], 1),
        (&["kms1", "kms2"], 2),
        (&[], 2),
        (&["kms1"], 3),
    ] {
        let plan = holding(&desk, hosts);
        desk.walk(0, plan, None, 1);
        let counted: u64 = desk.book.status(at(1)).counters.guards.iter().sum();
        assert_eq!(counted, trips, "{hosts:?}");
    }
}

#[test]
fn only_what_changed_is_another_value() {
    let mut desk = Desk::new(&["a.example.", "b.example."]);
    let before = desk.book.status(at(0));
    let plan = desk.plan(0, &["kms1"], Vec::new());
    desk.walk(0, Ok(plan), None, 1);
    let after = desk.book.status(at(1));
    assert!(!Arc::ptr_eq(&before.zones[0], &after.zones[0]));
    assert!(Arc::ptr_eq(&before.zones[1], &after.zones[1]));
    assert!(Arc::ptr_eq(&before.hosts[0], &after.hosts[0]));

    let sample = Sample {
        began: at(2),
        took: Duration::from_millis(12),
        addresses: vec![("10.0.0.1".parse().unwrap(), Ok(()))],
    };
    desk.book.sample(1, &Ok(sample));
    let sampled = desk.book.status(at(2));
    assert!(Arc::ptr_eq(&after.zones, &sampled.zones));
    assert!(Arc::ptr_eq(&after.hosts[0], &sampled.hosts[0]));
    assert_eq!(sampled.hosts[1].durations.count, 1);
    assert_eq!(sampled.generation, after.generation);
}

#[test]
fn samples_are_counted_and_their_durations_too() {
    let mut desk = Desk::new(&[]);
    let sample = |millisecond: u64, passed: bool| {
        let result = if passed {
            Ok(())
        } else {
            Err(Failure::Refused)
        };
        Ok(Sample {
            began: at(0),
            took: Duration::from_millis(millisecond),
            addresses: vec![("10.0.0.1".parse().unwrap(), result)],
        })
    };
    desk.book.sample(0, &sample(1, true));
    desk.book.sample(0, &sample(2, false));
    desk.book.sample(0, &sample(60_000, false));
    desk.book.sample(0, &Err(NoSample("no route".to_owned())));
    desk.book.sample(99, &sample(1, true));
    let status = desk.book.status(at(0));
    let known = &status.hosts[0];
    assert_eq!((known.passed, known.failed, known.obstacles), (1, 2, 1));
    assert_eq!(known.durations.counts[..2], [1, 1]);
    assert_eq!(
        (
            known.durations.counts.iter().sum::<u64>(),
            known.durations.count
        ),
        (2, 3)
    );
    assert_eq!(
        known.obstacle.as_deref(),
        Some("could not be probed: no route")
    );
}

#[test]
fn a_host_is_told_of_when_its_state_changes() {
    let mut desk = Desk::new(&[]);
    let verdicts = |first: State, second: State| Verdicts {
        hosts: vec![up(first), up(second)],
        canary: Canary::Unused,
    };
    let told = |events: Vec<Event>| -> Vec<(State, State)> {
        let states = |event: Event| match event {
            Event::Host { before, state, .. } => (before, state),
            other => panic!("{other:?}"),
        };
        events.into_iter().map(states).collect()
    };
    for (first, second, expected) in [
        (State::Up, State::Up, vec![(State::Unknown, State::Up); 2]),
        (State::Up, State::Up, vec![]),
        (State::Up, State::Down, vec![(State::Up, State::Down)]),
    ] {
        let events = desk.book.believe_all(verdicts(first, second));
        assert_eq!(told(events), expected);
    }
    let status = desk.book.status(at(0));
    assert_eq!(
        (
            status.hosts_that_are(State::Up),
            status.hosts_that_are(State::Down)
        ),
        (1, 1)
    );
    assert_eq!(status.verdict(at(0)).level, Level::Warning);
    assert!(
        status
            .verdict(at(0))
            .text
            .contains("1 host down; 1 of 2 hosts up")
    );
}

#[test]
fn many_zones_make_one_event_with_few_names() {
    let names: Vec<String> = (0..NAMED_ZONES + 5)
        .map(|zone| format!("z{zone}.example."))
        .collect();
    let names: Vec<&str> = names.iter().map(String::as_str).collect();
    let mut desk = Desk::new(&names);
    let reports: Vec<Report> = (0..names.len())
        .map(|zone| Report {
            zone,
            plan: Err(unreadable()),
            outcome: None,
        })
        .collect();
    let event = desk.book.walked(reports, "run: start", None, at(1));
    let Event::Zones {
        walked, news, more, ..
    } = event
    else {
        panic!("{event:?}");
    };
    assert_eq!((walked, news.len(), more), (names.len(), NAMED_ZONES, 5));
}

#[test]
fn a_reload_keeps_what_stays() {
    let mut desk = Desk::new(&["a.example.", "b.example."]);
    let plan = desk.plan(1, &["kms1"], Vec::new());
    desk.walk(1, Ok(plan), None, 1);
    desk.book.believe_all(Verdicts {
        hosts: vec![up(State::Down), up(State::Up)],
        canary: Canary::Unused,
    });
    desk.zones.remove(0);
    desk.hosts.remove(0);
    desk.configure();
    let status = desk.book.status(at(2));
    assert_eq!(status.zones.len(), 1);
    assert_eq!(status.zones[0].published(), [srv("kms1")]);
    assert_eq!(status.hosts[0].verdict.state, State::Up);
    // The copies go to the RRset of that name, at its new place.
    desk.book.copies(
        &ZoneCopies {
            zone: name("B.example."),
            owner: name("_VLMCS._tcp.b.example."),
            copies: Ok(vec![
                copy(CopyState::Agrees { serial: 7 }),
                copy(CopyState::Unreadable {
                    text: "no answer".to_owned(),
                }),
            ]),
        },
        at(3),
    );
    let status = desk.book.status(at(3));
    assert!(status.zones[0].disagrees());
    assert_eq!(status.totals.disagreeing, 1);
}

fn copy(state: CopyState) -> ServerCopy {
    ServerCopy {
        name: None,
        address: Some("127.0.0.2:53".parse().unwrap()),
        state,
    }
}

#[test]
fn a_zone_left_alone_makes_it_overdue() {
    let mut desk = Desk::new(&["a.example.", "b.example."]);
    let limit = 2 * 300 + 60;
    let overdue = |desk: &mut Desk, second| desk.book.status(at(second)).is_overdue(at(second));
    assert!(!overdue(&mut desk, limit));
    assert!(overdue(&mut desk, limit + 1));
    desk.walk(0, Err(unreadable()), None, 10);
    assert_eq!(desk.book.status(at(10)).last_full_reconcile(), None);
    desk.walk(1, Err(unreadable()), None, 20);
    assert_eq!(desk.book.status(at(20)).last_full_reconcile(), Some(at(10)));
    assert!(!overdue(&mut desk, 10 + limit));
    assert!(overdue(&mut desk, 10 + limit + 1));

    // A zone that came with a reload has its time.
    for index in [0, 1] {
        desk.walk(index, Err(unreadable()), None, 10_000);
    }
    desk.zones.push(zone("c.example."));
    desk.configure_at(10_001);
    assert!(!overdue(&mut desk, 10_002));
    for index in [0, 1] {
        desk.walk(index, Err(unreadable()), None, 10_600);
    }
    assert!(!overdue(&mut desk, 10_001 + limit));
    assert!(overdue(&mut desk, 10_001 + limit + 1));
}

#[test]
fn alerts_are_counted_by_kind() {
    let mut desk = Desk::new(&[]);
    let alert = Alert {
        kind: AlertKind::Store,
        zone: None,
        host: None,
        text: "broken".to_owned(),
    };
    desk.book.alert(&alert);
    assert_eq!(desk.book.status(at(0)).counters.alerts, [0, 0, 0, 0, 0, 1]);
}

fn shown(desk: &mut Desk, selection: &Selection) -> Vec<String> {
    let status = desk.book.status(at(9));
    let page = select(&status, selection);
    page.zones
        .iter()
        .map(|zone| zone.zone.to_string())
        .collect()
}

#[test]
fn zones_are_filtered_sorted_and_paged() {
    let mut desk = Desk::new(&["c.example.", "a.example.", "Bad.example.", "d.other."]);
    for zone in [0, 1, 3] {
        let plan = desk.plan(zone, &["kms1"], Vec::new());
        desk.walk(zone, Ok(plan), None, 1);
    }
    desk.walk(2, Err(unreadable()), None, 1);
    let usual = Selection::default();
    let search = |text: &str| Selection {
        search: Some(text.to_owned()),
        ..Selection::default()
    };
    for (selection, expected) in [
        (
            usual.clone(),
            &["Bad.example.", "a.example.", "c.example.", "d.other."][..],
        ),
        (
            Selection {
                order: Order::Name,
                ..usual.clone()
            },
            &["a.example.", "Bad.example.", "c.example.", "d.other."],
        ),
        (
            search("example"),
            &["Bad.example.", "a.example.", "c.example."],
        ),
        (search("bad"), &["Bad.example."]),
        (search("nothing"), &[]),
        (
            Selection {
                problems: true,
                ..usual.clone()
            },
            &["Bad.example."],
        ),
        (
            Selection {
                zone: Some("bad.example.".to_owned()),
                ..usual.clone()
            },
            &["Bad.example."],
        ),
        (
            Selection {
                state: Some(ZoneState::InSync),
                ..usual.clone()
            },
            &["a.example.", "c.example.", "d.other."],
        ),
        (
            Selection {
                page: 2,
                per_page: Some(3),
                ..usual.clone()
            },
            &["d.other."],
        ),
        (
            Selection {
                page: 3,
                per_page: Some(3),
                ..usual.clone()
            },
            &[],
        ),
        (
            Selection {
                page: usize::MAX,
                per_page: Some(usize::MAX),
                ..usual.clone()
            },
            &[],
        ),
        (
            Selection {
                page: 0,
                per_page: Some(0),
                ..usual.clone()
            },
            &["Bad.example."],
        ),
    ] {
        assert_eq!(shown(&mut desk, &selection), expected, "{selection:?}");
    }
    let status = desk.book.status(at(9));
    let page = select(
        &status,
        &Selection {
            per_page: Some(3),
            ..usual
        },
    );
    assert_eq!((page.total, page.pages, page.page), (4, 2, 1));
}
