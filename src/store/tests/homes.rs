//! The server that an RRset stays with.

use super::*;
use crate::model::{Home, Published};

/// An intent of a zone with several servers, for the one at this address.
fn for_server(server: &str) -> Intent {
    let mut intent = intent("corp.example.", 0, &["kms2."], &["kms1."]);
    intent.before.server = server.parse().unwrap();
    intent.stays = true;
    intent
}

async fn home(store: &Store) -> Option<Home> {
    let memory = store.memory(at(0)).await.unwrap();
    memory.home(&name("_vlmcs._tcp.CORP.example.")).cloned()
}

async fn end(store: &Store, server: &str, outcome: Outcome) {
    let id = store.intent(for_server(server)).await.unwrap();
    let open = home(store).await.unwrap();
    assert_eq!(open.server.to_string(), server);
    assert_eq!(open.published, None, "what was sent may be there, or not");
    store.outcome(id, at(1), outcome).await.unwrap();
}

#[tokio::test]
async fn an_rrset_stays_with_the_server_that_was_written_or_may_have_been() {
    const FIRST: &str = "192.0.2.1:53";
    const SECOND: &str = "192.0.2.2:53";
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    assert_eq!(home(&store).await, None);

    // Nothing was written there, so that it stays with nobody.
    end(&store, FIRST, outcome(OutcomeKind::Refused)).await;
    assert_eq!(home(&store).await, None);

    end(&store, FIRST, outcome(OutcomeKind::Applied)).await;
    let written = for_server(FIRST);
    let first = Some(Home {
        server: FIRST.parse().unwrap(),
        published: Some(Published {
            ttl: written.after_ttl,
            records: written.after,
        }),
    });
    assert_eq!(home(&store).await, first);

    // The other one took nothing.
    for kind in [OutcomeKind::Refused, OutcomeKind::Stale] {
        end(&store, SECOND, outcome(kind)).await;
        assert_eq!(home(&store).await, first);
    }
    let not_sent = Outcome {
        rcode: None,
        ..outcome(OutcomeKind::Failed)
    };
    end(&store, SECOND, not_sent).await;
    assert_eq!(home(&store).await, first);

    // NOERROR with another RRset than the planned one: something was done.
    for kind in [OutcomeKind::Failed, OutcomeKind::Unknown] {
        end(&store, SECOND, outcome(kind)).await;
        let second = home(&store).await.unwrap();
        assert_eq!(second.server.to_string(), SECOND);
        assert_eq!(second.published, None);
    }
}

#[tokio::test]
async fn what_is_seen_counts_for_the_server_that_it_stays_with() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let owner = name("_vlmcs._tcp.corp.example.");
    let seen = Published {
        ttl: Some(60),
        records: vec![srv("other.")],
    };
    let see = async |server: &str, known: Option<&Published>| {
        let server = server.parse().unwrap();
        let known = known.cloned();
        store
            .saw(owner.clone(), server, known, seen.clone())
            .await
            .unwrap();
    };
    // Nobody's home yet.
    see("192.0.2.1:53", None).await;
    assert_eq!(home(&store).await, None);

    end(&store, "192.0.2.1:53", outcome(OutcomeKind::Applied)).await;
    let written = home(&store).await.unwrap().published;
    assert!(written.is_some());
    see("192.0.2.2:53", written.as_ref()).await;
    assert_eq!(home(&store).await.unwrap().published, written);
    // Read before that was written.
    see("192.0.2.1:53", None).await;
    assert_eq!(home(&store).await.unwrap().published, written);
    see("192.0.2.1:53", written.as_ref()).await;
    assert_eq!(home(&store).await.unwrap().published, Some(seen.clone()));
}

/// A server that was given up, and comes back with what it had.
#[tokio::test]
async fn a_zone_that_has_one_server_now_forgets_its_home() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    end(&store, "192.0.2.1:53", outcome(OutcomeKind::Applied)).await;
    let elsewhere = intent("corp.example.", 2, &["kms2."], &["kms1."]);
    store.intent(elsewhere).await.unwrap();
    assert_eq!(home(&store).await, None);
}

#[tokio::test]
async fn a_zone_with_one_server_has_no_home() {
    let dir = tempfile::tempdir().unwrap();
    let store = Store::open(dir.path()).unwrap();
    let id = store
        .intent(intent("corp.example.", 0, &[], &["kms1."]))
        .await
        .unwrap();
    let applied = outcome(OutcomeKind::Applied);
    store.outcome(id, at(1), applied).await.unwrap();
    assert_eq!(home(&store).await, None);
}
