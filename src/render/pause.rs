//! The pause, and who brings an operator's word to DNS: what `pause`, `resume` and `host` say.

use anstyle::AnsiColor;
use jiff::{SignedDuration, Timestamp};
use serde::Serialize;

use super::lines::{Layout, fold};
use crate::model::Pause;

/// The daemon on this state directory, as far as an operator must know of it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Daemon {
    /// None runs.
    Absent,
    /// One runs that never writes.
    Audits,
    /// One runs that writes.
    Enforces,
    /// One runs that does not say whether it writes.
    Silent,
}

/// What a command says of a pause that ended or never was.
pub const NOT_PAUSED: &str = "`srvkeeper run` is not paused; nothing to do.\n";

/// Says who changes DNS by an operator's word on a host that was just stored.
pub fn who_changes_dns(daemon: Daemon, pause: Option<&Pause>) -> String {
    match (daemon, pause) {
        (Daemon::Absent, _) => {
            "Nothing has been changed in DNS; the next `srvkeeper apply` will.\n".to_owned()
        }
        (Daemon::Audits, _) => "Nothing has been changed in DNS, and the running daemon only \
             audits; the next `srvkeeper apply` will.\n"
            .to_owned(),
        (Daemon::Silent, pause) => {
            let paused = pause.map_or_else(String::new, |pause| format!(" It is {pause}."));
            format!(
                "Nothing has been changed in DNS yet; a daemon runs, and does not say whether it writes \
                 (`srvkeeper status` says why).{paused} `srvkeeper apply` acts now.\n"
            )
        }
        (Daemon::Enforces, None) => "Nothing has been changed in DNS yet; the running daemon acts \
             on it within seconds.\n"
            .to_owned(),
        (Daemon::Enforces, Some(pause)) => format!(
            "Nothing has been changed in DNS, and the running daemon is {pause}; it acts after \
             that, or after `srvkeeper resume`; `srvkeeper apply` acts now.\n"
        ),
    }
}

/// Says what a new pause does and how it ends.
pub fn paused(pause: &Pause, before: Option<&Pause>, daemon: Daemon) -> String {
    let before = before.map_or_else(String::new, |before| format!("Before, it was {before}.\n"));
    let daemon = match daemon {
        Daemon::Absent => "No daemon runs now; one that starts is paused too.\n",
        Daemon::Audits => "The running daemon only audits, and writes nothing anyway.\n",
        Daemon::Enforces => "",
        Daemon::Silent => "A daemon runs, and could not be asked (`srvkeeper status` says why).\n",
    };
    format!(
        "`srvkeeper run` is {pause}.\n\
         {before}\
         Until then it probes and plans, and writes nothing to DNS; `srvkeeper apply`, `failover` \
         and `rollback` still write.\n\
         {daemon}\
         To end it earlier: srvkeeper resume\n"
    )
}

/// Says that a pause was ended, and what happens now.
pub fn resumed(ended: &Pause, daemon: Daemon) -> String {
    let daemon = match daemon {
        Daemon::Absent => "No daemon runs now; no pause holds the next one that starts.",
        Daemon::Audits => "The running daemon only audits, and still writes nothing.",
        Daemon::Enforces => "The running daemon writes to DNS again within seconds.",
        Daemon::Silent => "A daemon runs, and could not be asked (`srvkeeper status` says why).",
    };
    format!("The pause is over: `srvkeeper run` was {ended}.\n{daemon}\n")
}

/// A pause that holds, below a list; folded where it is wide.
pub(super) fn line(pause: &Pause, now: Timestamp, layout: Layout) -> String {
    let style = AnsiColor::Yellow.on_default();
    let left = left(pause.until, now);
    fold(
        &format!("`srvkeeper run` is {pause} ({left:#} left)"),
        layout.width,
    )
    .iter()
    .map(|piece| format!("{style}{piece}{style:#}\n"))
    .collect()
}

/// What is left until then, in whole seconds.
pub(super) fn left(until: Timestamp, now: Timestamp) -> SignedDuration {
    SignedDuration::from_secs(until.duration_since(now).as_secs())
}

/// A pause that holds, in JSON.
#[derive(Serialize)]
pub(super) struct JsonPause<'a> {
    made_at: Timestamp,
    until: Timestamp,
    remaining_seconds: i64,
    reason: Option<&'a str>,
    actor: &'a str,
}

impl<'a> JsonPause<'a> {
    pub(super) fn new(pause: &'a Pause, now: Timestamp) -> Self {
        Self {
            made_at: pause.made_at,
            until: pause.until,
            remaining_seconds: left(pause.until, now).as_secs(),
            reason: pause.reason.as_deref(),
            actor: &pause.actor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn pause() -> Pause {
        Pause {
            reason: Some("migration".to_owned()),
            actor: "alice".to_owned(),
            made_at: at(0),
            until: at(14_400),
        }
    }

    #[test]
    fn a_word_says_who_acts_on_it() {
        let pause = pause();
        let absent = who_changes_dns(Daemon::Absent, None);
        assert_eq!(
            absent,
            "Nothing has been changed in DNS; the next `srvkeeper apply` will.\n"
        );
        // A pause stops no `apply`.
        assert_eq!(who_changes_dns(Daemon::Absent, Some(&pause)), absent);
        let audits = who_changes_dns(Daemon::Audits, None);
        assert_eq!(
            audits,
            "Nothing has been changed in DNS, and the running daemon only audits; the next `srvkeeper apply` will.\n"
        );
        // To resume would not help.
        assert_eq!(who_changes_dns(Daemon::Audits, Some(&pause)), audits);
        assert_eq!(
            who_changes_dns(Daemon::Enforces, None),
            "Nothing has been changed in DNS yet; the running daemon acts on it within seconds.\n"
        );
        assert_eq!(
            who_changes_dns(Daemon::Enforces, Some(&pause)),
            "Nothing has been changed in DNS, and the running daemon is paused until 1970-01-01T04:00:00Z by alice: \"migration\"; it acts after that, or after `srvkeeper resume`; `srvkeeper apply` acts now.\n"
        );
    }

    #[test]
    fn a_pause_says_what_it_stops_and_what_not() {
        let before = Pause {
            reason: None,
            actor: "bob".to_owned(),
            ..pause()
        };
        assert_eq!(
            paused(&pause(), Some(&before), Daemon::Enforces),
            "`srvkeeper run` is paused until 1970-01-01T04:00:00Z by alice: \"migration\".\n\
             Before, it was paused until 1970-01-01T04:00:00Z by bob.\n\
             Until then it probes and plans, and writes nothing to DNS; `srvkeeper apply`, `failover` and `rollback` still write.\n\
             To end it earlier: srvkeeper resume\n"
        );
        for (daemon, said) in [
            (Daemon::Absent, "No daemon runs now; one that starts is"),
            (Daemon::Audits, "The running daemon only audits"),
            (Daemon::Silent, "A daemon runs, and could not be asked"),
        ] {
            let text = paused(&pause(), None, daemon);
            assert!(text.contains(said) && !text.contains("Before"), "{text}");
        }
    }

    #[test]
    fn the_end_says_what_happens_now() {
        assert_eq!(
            resumed(&pause(), Daemon::Enforces),
            "The pause is over: `srvkeeper run` was paused until 1970-01-01T04:00:00Z by alice: \"migration\".\n\
             The running daemon writes to DNS again within seconds.\n"
        );
        for (daemon, said) in [
            (Daemon::Absent, "No daemon runs now; no pause"),
            (Daemon::Audits, "still writes nothing"),
            (Daemon::Silent, "A daemon runs, and could not be asked"),
        ] {
            let text = resumed(&pause(), daemon);
            assert!(text.contains(said), "{text}");
        }
    }

    #[test]
    fn a_long_line_is_folded() {
        let layout = Layout {
            width: 60,
            unicode: true,
        };
        let text = line(&pause(), at(61), layout);
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "`srvkeeper run` is paused until 1970-01-01T04:00:00Z by\n\
             alice: \"migration\" (3h 58m 59s left)\n"
        );
    }
}
