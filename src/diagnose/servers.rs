//! One server, whatever the zone: does it answer, does it know the key, what does its clock say.

use super::evidence::{KeyIdentity, KeyProblem, KeyProblemKind, KeyWord, ServerEvidence};
use super::repairs;
use super::{Check, Finding, Level, Section, Subject};

/// Clocks this far apart are worth a word, in seconds.
const CLOCK_WARNING: u64 = 60;
/// Clocks further apart than this make every signature invalid, in seconds: the fudge of TSIG.
const CLOCK_FAILURE: u64 = 300;

pub(super) fn section(server: &ServerEvidence) -> Section {
    let mut findings = vec![reachable(server)];
    if server.answers() {
        findings.extend(key(server));
        findings.extend(clock(server));
    }
    Section {
        subject: Subject::Server {
            names: server.names.clone(),
            address: server.address,
            key: match &server.key {
                KeyIdentity::Unsigned => None,
                KeyIdentity::Tsig { name, .. } => Some(name.to_string()),
                KeyIdentity::Gss { principal } => Some(principal.clone()),
            },
            software: server.version.clone(),
        },
        findings,
    }
}

fn reachable(server: &ServerEvidence) -> Finding {
    let finding = |level, text| Finding::new(Check::Reachable, level, text);
    match (&server.udp, &server.tcp) {
        (Ok(()), Ok(())) => finding(Level::Pass, "answers over UDP and TCP"),
        (Ok(()), Err(why)) => finding(
            Level::Failure,
            "answers over UDP, but not over TCP, and updates go over TCP only",
        )
        .seen(format!("TCP: {why}"))
        .repaired_by([repairs::open_port(server, "tcp")]),
        (Err(why), Ok(())) => finding(
            Level::Warning,
            "answers over TCP, which updates use, but not over UDP, which most clients use",
        )
        .seen(format!("UDP: {why}"))
        .repaired_by([repairs::open_port(server, "udp")]),
        (Err(udp), Err(tcp)) => {
            // One address of several that the primary's name has: its zones fail where none answers.
            let level = match server.names.as_slice() {
                [] => Level::Warning,
                _ => Level::Failure,
            };
            finding(level, "answers neither over UDP nor over TCP")
                .seen(format!("UDP: {udp}"))
                .seen(format!("TCP: {tcp}"))
        }
    }
}

fn key(server: &ServerEvidence) -> Option<Finding> {
    let finding = |level, text: &str| Some(Finding::new(Check::Key, level, text));
    match (&server.key, &server.key_word) {
        (KeyIdentity::Unsigned, _) => finding(
            Level::Warning,
            "updates are not signed: whoever can send from an address that the server lets update can change the records; give the server a key",
        ),
        (KeyIdentity::Tsig { name, algorithm }, KeyWord::Accepted) => {
            let text = format!("accepts the key {name} with {algorithm}");
            finding(Level::Pass, &text)
        }
        (KeyIdentity::Gss { principal }, KeyWord::Accepted) => {
            finding(Level::Pass, &format!("accepts {principal}"))
        }
        (_, KeyWord::NotAsked) => finding(
            Level::CannotTell,
            "nothing could be sent under the key, so nobody knows whether it is accepted",
        ),
        (_, KeyWord::Rejected(problem)) => Some(rejected(server, problem)),
    }
}

fn rejected(server: &ServerEvidence, problem: &KeyProblem) -> Finding {
    let text = match problem.kind {
        KeyProblemKind::UnknownKey => "does not know the key",
        KeyProblemKind::WrongSecret => "has another secret for the key",
        KeyProblemKind::Clock => "rejects the signature for its time",
        KeyProblemKind::Unsigned(_) => {
            "answers without a signature, so it does not know the key, or not at this time"
        }
        KeyProblemKind::Kerberos => "no security context with it comes about",
        KeyProblemKind::Other => "does not accept the signature",
    };
    Finding::new(Check::Key, Level::Failure, text)
        .seen(problem.text.clone())
        .repaired_by(repairs::key(server, problem.kind))
}

fn clock(server: &ServerEvidence) -> Option<Finding> {
    let ahead = server.clock?;
    let apart = ahead.unsigned_abs();
    let order = if ahead < 0 { "behind" } else { "ahead of" };
    let seen = match apart {
        0 => "its clock and ours agree to the second".to_owned(),
        _ => format!("its clock is {apart} s {order} ours"),
    };
    let finding = match apart {
        0..CLOCK_WARNING => Finding::new(Check::Clock, Level::Pass, seen),
        CLOCK_WARNING..CLOCK_FAILURE => Finding::new(
            Check::Clock,
            Level::Warning,
            format!("{seen}; signatures are rejected from {CLOCK_FAILURE} s on"),
        )
        .repaired_by([repairs::clock()]),
        CLOCK_FAILURE.. => Finding::new(
            Check::Clock,
            Level::Failure,
            format!("{seen}, and signatures are rejected from {CLOCK_FAILURE} s on"),
        )
        .repaired_by([repairs::clock()]),
    };
    Some(finding)
}
