//! A server, or somebody in front of it, that hangs, resets, lies or babbles: at the first read, at
//! the update's answer and at the read-back. Whatever it does to one zone, the update is sent once,
//! the outcome is what the RRset shows or unknown, and the zone on a healthy server is done.

#![allow(clippy::disallowed_methods, reason = "a test")]

mod support;

use std::thread;

use support::{Bind, Fate, Knot, Moment, Primary, Proxy, Run, Site, Tampering, ZoneText, dig};

const KMS1: &str = "kms1.corp.example.";
const ADDED: &str = "3600 0 0 1688 kms1.corp.example.";

/// What every tampering is told by.
const TAMPERINGS: [(Tampering, &str); 13] = [
    (Tampering::Hang, "no answer within 5s"),
    (
        Tampering::Close,
        "the server closed the connection before it answered",
    ),
    (
        Tampering::Reset,
        "the server closed the connection before it answered",
    ),
    (Tampering::OtherProtocol, "no answer within 5s"),
    (
        Tampering::Stub,
        "sends what is no DNS (a message without a header)",
    ),
    (Tampering::Garbage, "the answer is no DNS message"),
    (Tampering::OtherQuestion, "signature does not verify"),
    (Tampering::OtherId, "no answer within 5s"),
    (
        Tampering::Unsigned,
        "without a signature, so anyone may have sent it",
    ),
    (Tampering::WrongMac, "signature does not verify"),
    (
        Tampering::CutShort,
        "the server closed the connection before it answered",
    ),
    (Tampering::Oversized, "no answer within 5s"),
    (Tampering::Drip, "no answer within 5s"),
];

/// A zone behind a hostile relay, and one that is not.
struct Case {
    number: usize,
    proxy: Proxy,
    site: Site,
}

impl Case {
    fn zone(number: usize) -> String {
        format!("hostile{number}.example.")
    }

    fn neighbour(number: usize) -> String {
        format!("healthy{number}.example.")
    }

    /// On a server that has the zones of this number.
    fn new(number: usize, primary: &Primary, relay: Proxy, key: bool) -> Self {
        let mut site = Site::with_primary(primary.address)
            .trusted_host(KMS1, "")
            .zone_with(&Self::zone(number), "hostile", "")
            .zone(&Self::neighbour(number));
        let address = relay.address;
        if key {
            site = site.server("hostile", address, support::SRVKEEPER);
        } else {
            site.more = format!("[[server]]\nname = \"hostile\"\naddress = \"{address}\"\n");
        }
        Self {
            number,
            proxy: relay,
            site,
        }
    }

    fn zones(count: usize) -> Vec<ZoneText> {
        (0..count)
            .flat_map(|number| [Self::zone(number), Self::neighbour(number)])
            .map(|zone| ZoneText::new(&zone))
            .collect()
    }

    /// Applies; the healthy zone must be done whatever happens, and no update sent twice.
    fn apply(&self, primary: &Primary, status: i32, updates: usize) -> String {
        let run: Run = self.site.apply(status);
        let neighbour = published(primary, &Self::neighbour(self.number));
        assert_eq!(neighbour, [ADDED], "{run}");
        assert_eq!(self.proxy.updates(), updates, "{run}");
        let said = run.stdout.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(
            said.contains(&format!("{}: applied", Self::neighbour(self.number))),
            "{run}"
        );
        said
    }

    /// What is published in the hostile zone.
    fn published(&self, primary: &Primary) -> Vec<String> {
        published(primary, &Self::zone(self.number))
    }

    #[track_caller]
    fn expect_said(&self, said: &str, word: &str, why: &str) {
        let outcome = format!("{}: {word}", Self::zone(self.number));
        assert!(
            said.contains(&outcome) && said.contains(why),
            "no «{outcome}», «{why}» in: {said}"
        );
    }
}

fn published(primary: &Primary, zone: &str) -> Vec<String> {
    dig(primary.address, &format!("_vlmcs._tcp.{zone}"), "SRV")
}

/// Tampers with every answer of one moment.
fn relay(primary: &Primary, at: Moment, tampering: Tampering) -> Proxy {
    Proxy::hostile(
        primary.address,
        |_| Fate::Pass,
        move |moment| match moment == at {
            true => tampering,
            false => Tampering::Nothing,
        },
    )
}

/// Every tampering at one moment, all at once, against both servers.
fn each(at: Moment, check: impl Fn(&Case, &Primary, &str) + Sync) {
    let zones = || Case::zones(TAMPERINGS.len());
    for primary in [Bind::start(&zones()), Knot::start(&zones())] {
        thread::scope(|scope| {
            for (number, (tampering, why)) in TAMPERINGS.into_iter().enumerate() {
                let (primary, check) = (&primary, &check);
                scope.spawn(move || {
                    let relay = relay(primary, at, tampering);
                    check(&Case::new(number, primary, relay, true), primary, why);
                });
            }
        });
    }
}

#[test]
fn a_zone_that_cannot_be_read_is_left_alone() {
    each(Moment::Read, |case, primary, why| {
        let said = case.apply(primary, 1, 0);
        case.expect_said(&said, "error", why);
        assert_eq!(case.published(primary), [""; 0]);
    });
}

#[test]
fn an_answer_to_the_update_that_counts_for_nothing_is_settled_by_the_read_back() {
    each(Moment::Update, |case, primary, why| {
        let said = case.apply(primary, 0, 1);
        case.expect_said(
            &said,
            "applied",
            "but the read-back shows the planned RRset",
        );
        case.expect_said(&said, "applied", why);
        assert_eq!(case.published(primary), [ADDED]);
    });
}

#[test]
fn without_a_read_back_it_stays_unknown_what_became_of_the_update() {
    each(Moment::ReadBack, |case, primary, why| {
        let said = case.apply(primary, 1, 1);
        case.expect_said(&said, "unknown", why);
        assert!(said.contains("dig @"), "{said}");
        // It did arrive, and whoever looks sees it.
        assert_eq!(case.published(primary), [ADDED]);
    });
}

#[test]
fn an_update_that_somebody_keeps_back_is_unknown_and_not_sent_again() {
    let primary = Bind::start(&Case::zones(2));
    for (number, fate, why) in [
        (0, Fate::Drop, "no answer within 5s"),
        (1, Fate::Forge, "answered NOERROR without a signature"),
    ] {
        let relay = Proxy::start(primary.address, move |_| fate);
        let case = Case::new(number, &primary, relay, true);

        let said = case.apply(&primary, 1, 1);

        case.expect_said(&said, "unknown", why);
        assert!(said.contains("unchanged"), "{said}");
        assert_eq!(case.published(&primary), [""; 0]);
    }
}

#[test]
fn without_a_key_an_answer_to_another_question_is_none() {
    let cases = [
        (
            Moment::Read,
            Tampering::OtherQuestion,
            "another question than",
        ),
        (Moment::Read, Tampering::Garbage, "the answer is malformed"),
        (
            Moment::ReadBack,
            Tampering::OtherQuestion,
            "another question than",
        ),
        (
            Moment::ReadBack,
            Tampering::Garbage,
            "the answer is malformed",
        ),
        (Moment::Update, Tampering::OtherId, "no answer within 5s"),
        (Moment::Update, Tampering::Denied, "answered NOTAUTH, but"),
    ];
    let zones = Case::zones(cases.len());
    let primary = Bind::open(&zones);
    for (number, (at, tampering, why)) in cases.into_iter().enumerate() {
        let case = Case::new(number, &primary, relay(&primary, at, tampering), false);
        let (status, updates, word) = match at {
            Moment::Read => (1, 0, "error"),
            Moment::Update => (0, 1, "applied"),
            _ => (1, 1, "unknown"),
        };

        let said = case.apply(&primary, status, updates);

        case.expect_said(&said, word, why);
        assert_eq!(case.published(&primary).len(), updates);
    }
}
