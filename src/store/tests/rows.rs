//! What stands in the rows, and what is read back of them.

use super::*;

#[tokio::test]
async fn an_open_intent_is_read_as_it_was_recorded() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut recorded = intent("Corp.Example.", 1, &["KMS1.Corp.Example."], &["kms2."]);
    recorded.before.ttl = None;
    let id = store.intent(recorded.clone()).await.unwrap();
    let closed = store.intent(intent("b.", 2, &[], &["k."])).await.unwrap();
    let applied = outcome(OutcomeKind::Applied);
    store.outcome(closed, at(3), applied).await.unwrap();
    drop(store);

    let store = Store::open(dir.path()).unwrap();
    let open = store.open_intents().await.unwrap();
    let expected = OpenIntent {
        id,
        intent: StoredIntent {
            at: recorded.at,
            zone: recorded.zone.clone(),
            owner: recorded.owner,
            server: recorded.before.server,
            before: recorded.before.records.clone(),
            before_ttl: None,
            after: recorded.after,
            after_ttl: Some(3600),
        },
    };
    assert_eq!(open, [expected]);
    assert!(open[0].intent.zone.same_spelling(&recorded.zone));
    assert!(open[0].intent.before[0].same_spelling(&recorded.before.records[0]));
}

#[tokio::test]
async fn an_outcome_is_final() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.intent(intent("a.", 1, &["k."], &[])).await.unwrap();
    let unknown = outcome(OutcomeKind::Unknown);
    store.outcome(id, at(2), unknown).await.unwrap();
    for id in [id, ChangeId(id.0 + 1)] {
        let failed = outcome(OutcomeKind::Failed);
        let error = store.outcome(id, at(3), failed).await.unwrap_err();
        assert!(matches!(error, StoreError::NotOpen { id: of } if of == id));
    }
    assert_eq!(store.memory(at(0)).await.unwrap().removals.len(), 1);
}

#[tokio::test]
async fn the_history_row_carries_everything() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let mut recorded = intent("Corp.Example.", 1, &["kms1."], &[]);
    recorded.changes.push(Change {
        kind: ChangeKind::Update {
            before: srv("kms9."),
            before_ttl: 60,
            after: srv("KMS9."),
            ttl: 3600,
        },
        reason: Reason {
            code: ReasonCode::TtlDrift,
            text: "the TTL is 60, not 3600".into(),
        },
    });
    let id = store.intent(recorded).await.unwrap();
    let mut refused = outcome(OutcomeKind::Refused);
    refused.rcode = Some(Rcode::REFUSED);
    refused.serial = None;
    store.outcome(id, at(2), refused).await.unwrap();

    let row: Vec<rusqlite::types::Value> = database(dir.path())
        .query_row("SELECT * FROM changes", [], |row| {
            (0..17).map(|column| row.get(column)).collect()
        })
        .unwrap();
    let record =
        |target: &str| format!(r#"{{"priority":0,"weight":0,"port":1688,"target":"{target}"}}"#);
    let with_ttl =
        |target: &str, ttl: u32| record(target).replace('}', &format!(r#","ttl":{ttl}}}"#));
    let changes = format!(
        r#"[{{"type":"delete","before":{},"after":null,"reason":{{"code":"host-down","text":"kms1. is down"}}}},{{"type":"update","before":{},"after":{},"reason":{{"code":"ttl-drift","text":"the TTL is 60, not 3600"}}}}]"#,
        with_ttl("kms1.", 3600),
        with_ttl("kms9.", 60),
        with_ttl("KMS9.", 3600),
    );
    let rrset = |records: &[&str]| {
        let records: Vec<String> = records.iter().copied().map(record).collect();
        format!(
            r#"{{"ttl":3600,"mixed_ttl":false,"records":[{}]}}"#,
            records.join(",")
        )
    };
    let expected: Vec<rusqlite::types::Value> = vec![
        1.into(),
        1_760_000_001_000_000_i64.into(),
        "Corp.Example.".to_owned().into(),
        "_vlmcs._tcp.Corp.Example.".to_owned().into(),
        "[::1]:53".to_owned().into(),
        "Corp.Example.".to_owned().into(),
        7.into(),
        rrset(&["kms1.", "kms9."]).into(),
        rrset(&["kms9."]).into(),
        changes.into(),
        "sha256:00".to_owned().into(),
        "timer".to_owned().into(),
        "refused".to_owned().into(),
        "it was refused".to_owned().into(),
        5.into(),
        rusqlite::types::Value::Null,
        1_760_000_002_000_000_i64.into(),
    ];
    assert_eq!(row, expected);
}

#[tokio::test]
async fn a_row_that_we_did_not_write_is_an_error_not_a_panic() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    store.intent(intent("a.", 1, &["k."], &[])).await.unwrap();
    for (spoil, repair) in [
        ("server = 'nowhere'", "server = '[::1]:53'"),
        ("zone = 'a..b'", "zone = 'a.'"),
        ("asked_at = 9223372036854775807", "asked_at = 0"),
        (
            r#"after = '{"ttl": -1}'"#,
            r#"after = '{"ttl": null, "mixed_ttl": false, "records": []}'"#,
        ),
    ] {
        let set = |what| {
            let changed = database(dir.path()).execute(&format!("UPDATE changes SET {what}"), []);
            assert_eq!(changed, Ok(1));
        };
        set(spoil);
        let error = store.open_intents().await.unwrap_err();
        assert!(
            matches!(error, StoreError::Corrupt { .. }),
            "{spoil}: {error}"
        );
        set(repair);
        assert_eq!(store.open_intents().await.unwrap().len(), 1, "{repair}");
    }
}

#[tokio::test]
async fn a_memory_without_a_name_is_an_error() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let nameless = "INSERT INTO published (zone, target) VALUES ('', 'k.')";
    assert_eq!(database(dir.path()).execute(nameless, []), Ok(1));
    let error = store.memory(at(0)).await.unwrap_err();
    assert!(matches!(error, StoreError::Corrupt { .. }), "{error}");
}

#[tokio::test]
async fn names_in_other_spellings_are_remembered_as_one() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    for (zone, target) in [
        ("a.", "k1."),
        ("b.", "k2."),
        ("\\097.", "k3."),
        ("A.", "k4."),
    ] {
        let add = "INSERT INTO published (zone, target) VALUES (?1, ?2)";
        let added = database(dir.path()).execute(add, [zone, target]);
        assert_eq!(added, Ok(1));
    }
    let memory = store.memory(at(0)).await.unwrap();
    let a = Name::parse("a.").unwrap();
    for target in ["k1.", "k3.", "k4."] {
        assert!(
            memory.was_ours(&a, &Name::parse(target).unwrap()),
            "{target}"
        );
    }
    assert_eq!(memory.published.len(), 2);
}

#[tokio::test]
async fn the_outcome_of_another_versions_intent_is_stored() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store.intent(intent("a.", 1, &[], &["k."])).await.unwrap();
    let renamed = "UPDATE changes SET changes = replace(changes, 'host-up', 'host-found')";
    assert_eq!(database(dir.path()).execute(renamed, []), Ok(1));
    let changes = || -> String {
        let read = "SELECT changes FROM changes";
        database(dir.path())
            .query_row(read, [], |row| row.get(0))
            .unwrap()
    };
    assert!(changes().contains("host-found"), "{}", changes());
    let applied = outcome(OutcomeKind::Applied);
    store.outcome(id, at(2), applied).await.unwrap();
    let memory = store.memory(at(0)).await.unwrap();
    let names = ["a.", "k."].map(|name| Name::parse(name).unwrap());
    assert!(memory.was_ours(&names[0], &names[1]));
}
