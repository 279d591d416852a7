//! What became of an update, from the server's answer and the read-back. Pure.
//!
//! | Answer | Read-back shows | Outcome |
//! |---|---|---|
//! | a prerequisite failed | – | stale |
//! | any, or none | the planned RRset | applied |
//! | NOERROR | anything else | failed: NOERROR proves nothing |
//! | REFUSED, NOTAUTH, NOTZONE | anything else | refused |
//! | another rcode | anything else | failed |
//! | an error without a signature that counts, with GSS-TSIG | the RRset as before | as that error |
//! | a failed prerequisite, likewise | not the RRset as before | stale |
//! | signature not accepted, no answer | the RRset as before | unknown: it may still come |
//! | signature not accepted, no answer | anything else | unknown |
//! | any | nothing, the read failed | unknown |
//! | a signed BADTIME or BADTRUNC | – | refused |
//! | the update was never sent | – | failed |
//!
//! With GSS-TSIG an error is believed together with the read-back: servers with Active Directory do
//! not sign their errors (Samba sends the request's own signature back), and reads are unsigned
//! there, so that who can forge the answer can forge the read-back, too.

use std::fmt;
use std::net::SocketAddr;

use crate::model::{Change, Name, Observed, Outcome, OutcomeKind, Published, Rcode, Srv};
use crate::plan::ZonePlan;

/// What came back for an update.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Answer {
    /// The server answered.
    Rcode(Rcode),
    /// The update may have arrived, but there is no answer that can be believed.
    Doubtful(String),
    /// The server answered, but with no signature that counts, as servers that negotiate keys do.
    Unproven {
        /// What it answered.
        rcode: Rcode,
        /// What is wrong with the signature.
        why: String,
    },
    /// The server proved itself and did not accept the update's signature (RFC 8945 §5.2.3).
    Rejected(String),
    /// The update never left.
    NotSent(String),
}

impl Answer {
    /// False when the answer alone says that nothing changed.
    pub fn wants_read_back(&self) -> bool {
        match self {
            Self::Rcode(rcode) => !rcode.is_conflict(),
            Self::Doubtful(_) | Self::Unproven { .. } => true,
            Self::Rejected(_) | Self::NotSent(_) => false,
        }
    }
}

/// `NOERROR`, or why there is no such word to rely on: what the log tells.
impl fmt::Display for Answer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Rcode(rcode) => rcode.fmt(f),
            Self::Unproven { rcode, why } => write!(f, "{rcode}, unproven: {why}"),
            Self::Doubtful(why) | Self::Rejected(why) | Self::NotSent(why) => f.write_str(why),
        }
    }
}

/// The RRset before the update, and as it should be afterwards.
#[derive(Debug, Clone, Copy)]
pub struct Expectation<'a> {
    /// The server written to.
    pub server: SocketAddr,
    /// The RRset's owner name.
    pub owner: &'a Name,
    /// The records before.
    pub before: &'a [Srv],
    /// The TTL before; `None`: no RRset.
    pub before_ttl: Option<u32>,
    /// The records afterwards.
    pub after: &'a [Srv],
    /// The TTL afterwards; `None`: no RRset.
    pub after_ttl: Option<u32>,
    /// True when records of different TTLs (Windows has such sets) stay as they are: then any TTL
    /// will do.
    pub any_ttl: bool,
}

impl<'a> Expectation<'a> {
    /// What a plan expects.
    pub fn of(plan: &'a ZonePlan) -> Self {
        Self {
            server: plan.observed.server,
            owner: &plan.owner,
            before: &plan.observed.records,
            before_ttl: plan.observed.ttl,
            after: &plan.after,
            after_ttl: plan.after_ttl,
            any_ttl: plan.observed.mixed_ttl && leaves_records_alone(plan),
        }
    }

    fn is_met_by(&self, observed: &Observed) -> bool {
        let same_ttl = observed.ttl == self.after_ttl && !observed.mixed_ttl;
        observed.records == self.after && (self.any_ttl || same_ttl)
    }

    fn is_unchanged_in(&self, observed: &Observed) -> bool {
        observed.records == self.before && observed.ttl == self.before_ttl
    }
}

/// True when the update deletes not every record that was read.
fn leaves_records_alone(plan: &ZonePlan) -> bool {
    plan.observed.records.iter().any(|record| {
        let mut deleted = plan.changes.iter().filter_map(Change::before);
        !deleted.any(|before| before.same_spelling(record))
    })
}

/// What BADKEY means of a server that shows, in a read-back signed with the same key, that it knows
/// the key.
pub(super) fn takes_no_update(server: SocketAddr) -> String {
    format!(
        "{server} answers reads by this key and takes no update by it (BADKEY): it is a secondary, or the \
         key has no right to this RRset there (Knot: an acl with action: update); send updates to the \
         primary, that is take this server out of `servers`, or put the primary in its place"
    )
}

/// Decides the outcome. `read_back` is `None` when the answer made it needless.
pub fn judge(
    answer: &Answer,
    expected: &Expectation<'_>,
    read_back: Option<Result<&Observed, &String>>,
) -> Outcome {
    let rcode = match answer {
        Answer::Rcode(rcode) | Answer::Unproven { rcode, .. } => Some(*rcode),
        Answer::Doubtful(_) | Answer::Rejected(_) | Answer::NotSent(_) => None,
    };
    let serial = read_back
        .and_then(Result::ok)
        .map(|observed| observed.serial);
    let (kind, text) = decide(answer, expected, read_back);
    Outcome {
        kind,
        text,
        rcode,
        serial,
    }
}

/// Decides the outcome of an update after which the RRset is to be as before.
///
/// The read-back cannot tell whether it was accepted, so that the answer must say so as well.
pub fn judge_refresh(
    answer: &Answer,
    unchanged: &Expectation<'_>,
    read_back: Option<Result<&Observed, &String>>,
) -> Outcome {
    let outcome = judge(answer, unchanged, read_back);
    let (kind, text) = match (answer, read_back) {
        _ if outcome.kind != OutcomeKind::Applied => return outcome,
        (Answer::Rcode(rcode) | Answer::Unproven { rcode, .. }, Some(Ok(observed)))
            if *rcode != Rcode::NOERROR =>
        {
            answered(*rcode, unchanged, observed)
        }
        (Answer::Doubtful(why), _) => (
            OutcomeKind::Unknown,
            format!("{why}; the read-back shows the RRset unchanged"),
        ),
        _ => return outcome,
    };
    Outcome {
        kind,
        text,
        ..outcome
    }
}

fn decide(
    answer: &Answer,
    expected: &Expectation<'_>,
    read_back: Option<Result<&Observed, &String>>,
) -> (OutcomeKind, String) {
    let server = expected.server;
    match (answer, read_back) {
        (Answer::NotSent(why), _) => (
            OutcomeKind::Failed,
            format!("the update was not sent to {server}: {why}"),
        ),
        (Answer::Rejected(why), _) => (OutcomeKind::Refused, format!("{server} {why}")),
        (Answer::Rcode(rcode), _) if rcode.is_conflict() => (
            OutcomeKind::Stale,
            format!(
                "{server} answered {rcode}: the RRset is no longer what the plan saw; run again \
                 (up to a minute later where the server answers reads from a cache, as PowerDNS does)"
            ),
        ),
        (Answer::Rcode(rcode), None) => (
            OutcomeKind::Unknown,
            format!("{server} answered {rcode}, and nothing was read back"),
        ),
        (Answer::Doubtful(why) | Answer::Unproven { why, .. }, None) => {
            (OutcomeKind::Unknown, why.clone())
        }
        (answer, Some(Err(error))) => (
            OutcomeKind::Unknown,
            format!(
                "{}, and the read-back failed: {error}; look with `dig @{} -p {} {} SRV`, then run again",
                said(answer, server),
                server.ip(),
                server.port(),
                expected.owner,
            ),
        ),
        (answer, Some(Ok(observed))) if expected.is_met_by(observed) => (
            OutcomeKind::Applied,
            match answer {
                Answer::Rcode(Rcode::NOERROR) => "the read-back shows the planned RRset".to_owned(),
                answer => format!(
                    "{}, but the read-back shows the planned RRset",
                    said(answer, server)
                ),
            },
        ),
        (Answer::Unproven { rcode, .. }, Some(Ok(observed)))
            if rcode.is_conflict() && !expected.is_unchanged_in(observed) =>
        {
            let text = format!(
                "{server} answered {rcode}, and the read-back shows that the RRset is no longer what the plan saw"
            );
            (OutcomeKind::Stale, text)
        }
        (Answer::Unproven { rcode, .. }, Some(Ok(observed)))
            if is_error(*rcode) && expected.is_unchanged_in(observed) =>
        {
            answered(*rcode, expected, observed)
        }
        (Answer::Doubtful(why) | Answer::Unproven { why, .. }, Some(Ok(observed))) => (
            OutcomeKind::Unknown,
            if expected.is_unchanged_in(observed) {
                format!(
                    "{why}; the read-back shows the RRset unchanged, so the update was not applied, or not yet; run again"
                )
            } else {
                format!(
                    "{why}; the read-back shows neither the old nor the planned RRset: {}; run again",
                    shown(observed)
                )
            },
        ),
        (Answer::Rcode(rcode), Some(Ok(observed))) => answered(*rcode, expected, observed),
    }
}

/// Decides the outcome of an update whose process ended before it was stored.
///
/// That connection is long closed, so an unchanged RRset means that the update was not applied.
pub fn judge_settled(expected: &Expectation<'_>, observed: &Observed) -> Outcome {
    let (kind, text) = if expected.is_met_by(observed) {
        (
            OutcomeKind::Applied,
            "the RRset is the planned one".to_owned(),
        )
    } else if expected.is_unchanged_in(observed) {
        (
            OutcomeKind::Failed,
            "the RRset is unchanged: the update was not applied".to_owned(),
        )
    } else {
        (
            OutcomeKind::Unknown,
            format!(
                "the RRset is neither the old nor the planned one: {}",
                shown(observed)
            ),
        )
    };
    Outcome {
        kind,
        text: format!("the process ended before the outcome was stored; {text}"),
        rcode: None,
        serial: Some(observed.serial),
    }
}

/// The server answered, and the RRset is not the planned one.
fn answered(
    rcode: Rcode,
    expected: &Expectation<'_>,
    observed: &Observed,
) -> (OutcomeKind, String) {
    let Expectation { server, owner, .. } = expected;
    let left = if expected.is_unchanged_in(observed) {
        "nothing changed".to_owned()
    } else {
        format!("the RRset is now {}", shown(observed))
    };
    let zone = &observed.update_zone;
    match rcode {
        Rcode::NOERROR if observed.records == expected.after => (
            OutcomeKind::Failed,
            format!(
                "{server} answered NOERROR, but the TTL is {}, not {}; does the server limit TTLs (BIND: max-zone-ttl)?",
                ttl_text(observed.ttl),
                ttl_text(expected.after_ttl)
            ),
        ),
        Rcode::NOERROR => (
            OutcomeKind::Failed,
            format!(
                "{server} answered NOERROR, but {left}; look for a CNAME at the name, \
                 a limit on the number of records (BIND: max-records-per-type, SRV(n) in a grant), or another writer"
            ),
        ),
        Rcode::REFUSED => (
            OutcomeKind::Refused,
            format!(
                "{server} answered REFUSED: the key may not change this RRset of {zone}, or the zone is frozen; {left}; \
                 BIND: update-policy {{ grant KEY name {owner} SRV; }}; Knot: an acl with action: update; \
                 PowerDNS: TSIG-ALLOW-DNSUPDATE and ALLOW-DNSUPDATE-FROM; Active Directory: the account that created the \
                 records owns them, so give this one the right to write (DNS Manager, Properties, Security), or put it in DnsAdmins"
            ),
        ),
        Rcode::NOTAUTH => (
            OutcomeKind::Refused,
            format!(
                "{server} answered NOTAUTH: it is not the primary of {zone}, or does not grant it to this key; {left}"
            ),
        ),
        Rcode::NOTZONE => (
            OutcomeKind::Refused,
            format!("{server} answered NOTZONE: the name lies outside {zone}; {left}"),
        ),
        Rcode::NOTIMP => (
            OutcomeKind::Failed,
            format!(
                "{server} answered NOTIMP: it takes no dynamic updates; {left}; make the change by hand, \
                 or delegate the name to a server that takes updates"
            ),
        ),
        Rcode::SERVFAIL => (
            OutcomeKind::Failed,
            format!(
                "{server} answered SERVFAIL: see its log (a journal or zone file it cannot write, \
                 or on Samba records owned by the account that created them: put ours in DnsAdmins); {left}"
            ),
        ),
        rcode => (
            OutcomeKind::Failed,
            format!("{server} answered {rcode}; {left}"),
        ),
    }
}

/// True when the server says that it did nothing, for another reason than the RRset.
fn is_error(rcode: Rcode) -> bool {
    rcode != Rcode::NOERROR && !rcode.is_conflict()
}

fn said(answer: &Answer, server: SocketAddr) -> String {
    match answer {
        Answer::Rcode(rcode) => format!("{server} answered {rcode}"),
        Answer::Doubtful(why)
        | Answer::Unproven { why, .. }
        | Answer::Rejected(why)
        | Answer::NotSent(why) => why.clone(),
    }
}

fn shown(observed: &Observed) -> String {
    Published::of(observed).to_string()
}

fn ttl_text(ttl: Option<u32>) -> String {
    ttl.map_or_else(|| "none".to_owned(), |ttl| ttl.to_string())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::model::{ChangeKind, Reason, ReasonCode};

    fn srv(target: &str) -> Srv {
        Srv {
            priority: 0,
            weight: 0,
            port: 1688,
            target: Name::parse(target).unwrap(),
        }
    }

    /// These records in the place of those, with the same TTL.
    fn replacement<'a>(owner: &'a Name, before: &'a [Srv], after: &'a [Srv]) -> Expectation<'a> {
        Expectation {
            server: "127.0.0.1:53".parse().unwrap(),
            owner,
            before,
            before_ttl: Some(3600),
            after,
            after_ttl: Some(3600),
            any_ttl: false,
        }
    }

    fn observed(records: &[Srv], ttl: u32) -> Observed {
        Observed {
            server: "127.0.0.1:53".parse().unwrap(),
            update_zone: Name::parse("corp.example.").unwrap(),
            serial: 8,
            ttl: (!records.is_empty()).then_some(ttl),
            mixed_ttl: false,
            records: records.to_vec(),
        }
    }

    fn unproven(rcode: Rcode) -> Answer {
        Answer::Unproven {
            rcode,
            why: format!("the server answered {rcode}, unsigned"),
        }
    }

    #[test]
    fn an_answer_is_told_in_an_administrators_words() {
        for (answer, told) in [
            (Answer::Rcode(Rcode::NOERROR), "NOERROR"),
            (Answer::Rcode(Rcode(11)), "RCODE11"),
            (
                unproven(Rcode::REFUSED),
                "REFUSED, unproven: the server answered REFUSED, unsigned",
            ),
            (Answer::Doubtful("no answer".to_owned()), "no answer"),
        ] {
            assert_eq!(answer.to_string(), told);
        }
    }

    #[test]
    fn of_a_refresh_both_answer_and_read_back_must_say_so() {
        let records = [srv("kms1.corp.example.")];
        let owner = Name::parse("_vlmcs._tcp.corp.example.").unwrap();
        let unchanged = Expectation {
            server: "127.0.0.1:53".parse().unwrap(),
            owner: &owner,
            before: &records,
            before_ttl: Some(3600),
            after: &records,
            after_ttl: Some(3600),
            any_ttl: false,
        };
        let same = observed(&records, 3600);
        let other = observed(&[srv("rogue.corp.example.")], 3600);
        let failed = "no answer within 5 s".to_owned();
        let rcode = Answer::Rcode;
        let lost = Answer::Doubtful("the answer was lost".into());
        for (answer, read_back, kind) in [
            (rcode(Rcode::NOERROR), Some(Ok(&same)), OutcomeKind::Applied),
            (rcode(Rcode::NOERROR), Some(Ok(&other)), OutcomeKind::Failed),
            (
                rcode(Rcode::NOERROR),
                Some(Err(&failed)),
                OutcomeKind::Unknown,
            ),
            (rcode(Rcode::REFUSED), Some(Ok(&same)), OutcomeKind::Refused),
            (rcode(Rcode::NOTIMP), Some(Ok(&same)), OutcomeKind::Failed),
            (rcode(Rcode::NXRRSET), None, OutcomeKind::Stale),
            (lost, Some(Ok(&same)), OutcomeKind::Unknown),
            (
                unproven(Rcode::NOERROR),
                Some(Ok(&same)),
                OutcomeKind::Applied,
            ),
            (
                unproven(Rcode::REFUSED),
                Some(Ok(&same)),
                OutcomeKind::Refused,
            ),
        ] {
            let outcome = judge_refresh(&answer, &unchanged, read_back);
            assert_eq!(outcome.kind, kind, "{answer:?}: {}", outcome.text);
        }
    }

    #[test]
    fn the_read_back_decides() {
        let before = [srv("kms1.corp.example.")];
        let after = [srv("kms1.corp.example."), srv("kms2.corp.example.")];
        let owner = Name::parse("_vlmcs._tcp.corp.example.").unwrap();
        let expected = replacement(&owner, &before, &after);
        let planned = observed(&after, 3600);
        let unchanged = observed(&before, 3600);
        let clamped = observed(&after, 300);
        let strange = observed(&[srv("rogue.corp.example.")], 3600);
        let failed = "no answer within 5 s".to_owned();
        let lost = Answer::Doubtful("the answer was lost".into());
        let noerror = Answer::Rcode(Rcode::NOERROR);
        let refused = Answer::Rcode(Rcode::REFUSED);
        for (answer, read_back, kind, says) in [
            (
                &noerror,
                Some(Ok(&planned)),
                OutcomeKind::Applied,
                "planned",
            ),
            (
                &noerror,
                Some(Ok(&unchanged)),
                OutcomeKind::Failed,
                "NOERROR, but nothing changed",
            ),
            (
                &noerror,
                Some(Ok(&clamped)),
                OutcomeKind::Failed,
                "TTL is 300, not 3600",
            ),
            (
                &noerror,
                Some(Ok(&strange)),
                OutcomeKind::Failed,
                "rogue.corp.example.",
            ),
            (
                &noerror,
                Some(Err(&failed)),
                OutcomeKind::Unknown,
                "no answer within 5 s",
            ),
            (
                &refused,
                Some(Ok(&unchanged)),
                OutcomeKind::Refused,
                "update-policy",
            ),
            (
                &refused,
                Some(Ok(&planned)),
                OutcomeKind::Applied,
                "REFUSED, but",
            ),
            (&lost, Some(Ok(&planned)), OutcomeKind::Applied, "lost, but"),
            (
                &unproven(Rcode::NOERROR),
                Some(Ok(&planned)),
                OutcomeKind::Applied,
                "unsigned, but the read-back",
            ),
            (
                &unproven(Rcode::NOERROR),
                Some(Ok(&unchanged)),
                OutcomeKind::Unknown,
                "unsigned; the read-back shows the RRset unchanged",
            ),
            (
                &unproven(Rcode::REFUSED),
                Some(Ok(&unchanged)),
                OutcomeKind::Refused,
                "answered REFUSED",
            ),
            (
                &unproven(Rcode::SERVFAIL),
                Some(Ok(&unchanged)),
                OutcomeKind::Failed,
                "on Samba records owned by the account",
            ),
            (
                &unproven(Rcode::REFUSED),
                Some(Ok(&strange)),
                OutcomeKind::Unknown,
                "neither",
            ),
            (
                &unproven(Rcode::NXRRSET),
                Some(Ok(&strange)),
                OutcomeKind::Stale,
                "no longer what the plan saw",
            ),
            (
                &unproven(Rcode::NXRRSET),
                Some(Ok(&unchanged)),
                OutcomeKind::Unknown,
                "unchanged",
            ),
            (
                &unproven(Rcode::REFUSED),
                None,
                OutcomeKind::Unknown,
                "unsigned",
            ),
            (
                &lost,
                Some(Ok(&unchanged)),
                OutcomeKind::Unknown,
                "unchanged",
            ),
            (&lost, Some(Ok(&strange)), OutcomeKind::Unknown, "neither"),
            (
                &lost,
                Some(Err(&failed)),
                OutcomeKind::Unknown,
                "dig @127.0.0.1 -p 53 _vlmcs._tcp.corp.example. SRV",
            ),
            (
                &Answer::Rcode(Rcode::NXRRSET),
                None,
                OutcomeKind::Stale,
                "NXRRSET: the RRset is no longer what the plan saw; run again (up to a minute later",
            ),
            (
                &Answer::Rcode(Rcode::YXRRSET),
                None,
                OutcomeKind::Stale,
                "YXRRSET",
            ),
            (
                &Answer::Rcode(Rcode::NOTIMP),
                Some(Ok(&unchanged)),
                OutcomeKind::Failed,
                "by hand",
            ),
            (
                &Answer::NotSent("refused".into()),
                None,
                OutcomeKind::Failed,
                "not sent",
            ),
        ] {
            let outcome = judge(answer, &expected, read_back);
            assert_eq!(outcome.kind, kind, "{answer:?} {read_back:?}");
            assert!(outcome.text.contains(says), "{}", outcome.text);
        }
    }

    #[test]
    fn a_server_that_reads_by_a_key_is_not_said_not_to_know_it() {
        let before = [srv("kms1.corp.example.")];
        let after = [srv("kms2.corp.example.")];
        let owner = Name::parse("_vlmcs._tcp.corp.example.").unwrap();
        let expected = replacement(&owner, &before, &after);
        let answer = Answer::Doubtful(takes_no_update(expected.server));
        let outcome = judge(&answer, &expected, Some(Ok(&observed(&before, 3600))));
        assert_eq!(outcome.kind, OutcomeKind::Unknown);
        for told in ["answers reads by this key", "out of `servers`", "unchanged"] {
            assert!(outcome.text.contains(told), "{}", outcome.text);
        }
    }

    #[test]
    fn letter_case_is_no_difference() {
        let after = [srv("KMS1.corp.example.")];
        let owner = Name::parse("_vlmcs._tcp.corp.example.").unwrap();
        let expected = Expectation {
            server: "127.0.0.1:53".parse().unwrap(),
            owner: &owner,
            before: &[],
            before_ttl: None,
            after: &after,
            after_ttl: Some(60),
            any_ttl: false,
        };
        let stored_lower = observed(&[srv("kms1.corp.example.")], 60);
        let outcome = judge(
            &Answer::Rcode(Rcode::NOERROR),
            &expected,
            Some(Ok(&stored_lower)),
        );
        assert_eq!(outcome.kind, OutcomeKind::Applied);
    }

    #[test]
    fn ttls_that_were_mixed_and_stay_are_no_failure() {
        let mut plan = ZonePlan {
            observed: Observed {
                mixed_ttl: true,
                ..observed(&[srv("kms1.corp.example."), srv("kms2.corp.example.")], 600)
            },
            changes: vec![Change {
                kind: ChangeKind::Delete {
                    before: srv("kms2.corp.example."),
                    before_ttl: 600,
                },
                reason: Reason {
                    code: ReasonCode::HostDown,
                    text: String::new(),
                },
            }],
            unchanged: 1,
            after: vec![srv("kms1.corp.example.")],
            after_ttl: Some(600),
            ..ZonePlan::empty()
        };
        // The lowest TTL was that of the record that went.
        let read_back = observed(&plan.after, 3600);
        let kind = |plan: &ZonePlan| {
            judge(
                &Answer::Rcode(Rcode::NOERROR),
                &Expectation::of(plan),
                Some(Ok(&read_back)),
            )
            .kind
        };
        assert_eq!(kind(&plan), OutcomeKind::Applied);
        plan.observed.mixed_ttl = false;
        assert_eq!(kind(&plan), OutcomeKind::Failed);
    }
}
