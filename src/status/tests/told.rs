//! What is told of whom, and when it is news.

use super::*;

#[test]
fn a_daemon_that_stands_still_is_critical() {
    let mut desk = Desk::new(&["a.example."]);
    let plan = desk.plan(0, &["kms1"], Vec::new());
    desk.walk(0, Ok(plan), None, 1);
    let status = desk.book.status(at(10));
    assert_eq!(status.verdict(at(40)).level, Level::Ok);
    let verdict = status.verdict(at(41));
    assert_eq!(verdict.level, Level::Critical);
    assert!(
        verdict.text.starts_with("the daemon has not moved since"),
        "{}",
        verdict.text
    );
}

#[test]
fn a_zone_not_looked_at_yet_is_not_fine() {
    let mut desk = Desk::new(&["a.example."]);
    let verdict = desk.book.status(at(1)).verdict(at(1));
    assert_eq!(verdict.level, Level::Warning);
    assert!(
        verdict.text.starts_with("1 zone not looked at yet; "),
        "{}",
        verdict.text
    );
}

#[test]
fn contested_changes_are_called_changes() {
    let mut desk = Desk::new(&["a.example."]);
    for (count, told) in [(1, "1 change contested; "), (3, "3 changes contested; ")] {
        let mut plan = desk.plan(0, &["kms1"], Vec::new());
        plan.held = vec![held(Guard::Contested, delete("kms1")); count];
        desk.walk(0, Ok(plan), None, 1);
        let text = desk.book.status(at(1)).verdict(at(1)).text;
        assert!(text.starts_with(told), "{text}");
    }
}

#[test]
fn copies_are_those_of_one_service_only() {
    let mut desk = Desk::new(&["corp.example.", "corp.example."]);
    desk.zones[1].owner = name("_x._tcp.corp.example.");
    desk.configure();
    let event = desk.book.copies(
        &ZoneCopies {
            zone: name("corp.example."),
            owner: desk.zones[1].owner.clone(),
            copies: Ok(vec![copy(CopyState::Agrees { serial: 7 })]),
        },
        at(3),
    );
    let status = desk.book.status(at(3));
    assert_eq!(status.zones[0].copies, None);
    assert!(status.zones[1].copies.is_some());
    let Event::Copies { owner, .. } = event else {
        panic!("{event:?}");
    };
    assert_eq!(owner, desk.zones[1].owner);
}

#[test]
fn a_foreign_record_that_was_removed_is_foreign_no_more() {
    let mut desk = Desk::new(&["corp.example."]);
    let foreign = |host: &str| ForeignRecord {
        record: srv(host),
        text: "unknown".to_owned(),
    };
    let published = ["kms1", "kms2", "stray", "stays"];
    let mut plan = desk.plan(0, &published, vec![delete("stray")]);
    plan.foreign = vec![foreign("stray"), foreign("stays")];
    // A foreign one whose removal is held is foreign, and counts once.
    plan.held = vec![
        held(Guard::MinHosts, delete("stays")),
        held(Guard::MinHosts, delete("kms2")),
    ];
    desk.walk(0, Ok(plan), Some(outcome(OutcomeKind::Applied)), 1);
    let status = desk.book.status(at(1));
    let plan = status.zones[0].planned().unwrap();
    assert_eq!(plan.foreign, [foreign("stays")]);
    assert_eq!((status.totals.foreign, plan.unchanged), (1, 1));
}

#[test]
fn who_is_probed_no_more_has_no_obstacle() {
    let mut desk = Desk::new(&[]);
    desk.book.sample(0, &Err(NoSample("no route".to_owned())));
    let text = desk.book.status(at(0)).verdict(at(0)).text;
    assert!(text.contains("1 host cannot be probed"), "{text}");
    desk.hosts[0].role = Role::Retired;
    desk.configure();
    let status = desk.book.status(at(1));
    assert_eq!(status.hosts[0].obstacle, None);
    let text = status.verdict(at(1)).text;
    assert!(!text.contains("probed"), "{text}");
}

#[test]
fn a_look_that_finds_nothing_new_is_no_other_generation() {
    let mut desk = Desk::new(&["corp.example."]);
    let plan = desk.plan(0, &["kms1"], Vec::new());
    desk.walk(0, Ok(plan.clone()), None, 1);
    let before = desk.book.status(at(1)).generation;
    desk.walk(0, Ok(plan.clone()), None, 2);
    let status = desk.book.status(at(2));
    assert_eq!(status.generation, before);
    assert_eq!(status.zones[0].last_attempt, Some(at(2)));
    let mut other = plan;
    other.observed.serial += 1;
    desk.walk(0, Ok(other), None, 3);
    assert_eq!(desk.book.status(at(3)).generation, before + 1);
}

#[test]
fn samples_from_a_time_to_come_are_left_aside() {
    let mut desk = Desk::new(&[]);
    let kept = |second: i64| KeptSample {
        host: desk.hosts[0].name().clone(),
        began: at(second),
        took: Duration::from_millis(5),
        passed: true,
        text: "passed".to_owned(),
    };
    let samples = [kept(-60), kept(7200)];
    desk.book.remember(&samples, at(0));
    let minutes = |desk: &mut Desk, second| {
        let status = desk.book.status(at(second));
        let minutes = status.hosts[0].hour.minutes(at(second));
        minutes.iter().map(|minute| minute.passed).sum::<u16>()
    };
    assert_eq!(minutes(&mut desk, 0), 1);
    // The clock is set back by a day: what comes then counts.
    let sample = Sample {
        began: at(-86_400),
        took: Duration::from_millis(12),
        addresses: vec![("10.0.0.1".parse().unwrap(), Ok(()))],
    };
    desk.book.sample(0, &Ok(sample));
    assert_eq!(minutes(&mut desk, -86_400), 1);
}
