//! An operator's word above the samples.

use jiff::Timestamp;

use crate::model::{Forced, Host, Override, Role, Verdict, Verdicts};

/// The verdicts with every override applied that holds at `now`.
///
/// `hosts` is the inventory, host by host as in `verdicts`. The facts of the probes stay: the guards
/// weigh them whatever an operator says. A retired host goes in any case, so that no word on it
/// counts; one on a host outside of the inventory has nobody to act on.
pub fn forced(
    hosts: &[Host],
    verdicts: Verdicts,
    overrides: &[Override],
    now: Timestamp,
) -> Verdicts {
    let word_on = |host: &Host| {
        overrides
            .iter()
            .find(|word| word.host == *host.name() && word.holds(now))
            .filter(|_word| host.role != Role::Retired)
    };
    let verdict = |(host, verdict): (&Host, Verdict)| match word_on(host) {
        Some(word) => forced_by(word, verdict),
        None => verdict,
    };
    Verdicts {
        hosts: hosts.iter().zip(verdicts.hosts).map(verdict).collect(),
        canary: verdicts.canary,
    }
}

fn forced_by(word: &Override, verdict: Verdict) -> Verdict {
    Verdict {
        state: word.state.into(),
        forced: Some(Forced { until: word.until }),
        reason: word.to_string(),
        since: Some(word.made_at),
        ..verdict
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use jiff::SignedDuration;

    use super::*;
    use crate::model::{Canary, Health, Name, OverrideState, Srv, State};

    fn at(second: i64) -> Timestamp {
        Timestamp::UNIX_EPOCH + SignedDuration::from_secs(second)
    }

    fn host(name: &str, role: Role) -> Host {
        Host {
            role,
            srv: Srv {
                priority: 0,
                weight: 0,
                port: 1688,
                target: Name::parse(name).unwrap(),
            },
            groups: Vec::new(),
            addresses: Vec::new(),
            health: Health {
                checks: Vec::new(),
                command: Vec::new(),
                interval: Duration::from_secs(10),
                timeout: Duration::from_secs(3),
                rise: 2,
                fall: 3,
            },
        }
    }

    fn word(host: &str, state: OverrideState) -> Override {
        Override {
            host: Name::parse(host).unwrap(),
            state,
            reason: Some("patching".into()),
            actor: "alice".into(),
            made_at: at(1),
            until: at(10),
        }
    }

    /// What the probes say of every host here.
    fn probed(state: State) -> Verdict {
        Verdict {
            state,
            since: Some(at(-100)),
            probed: true,
            newest_sample: Some(at(-1)),
            first_failure: Some(at(-50)),
            ..Verdict::unknown("connection refused")
        }
    }

    fn apply(host: Host, verdict: Verdict, overrides: &[Override], now: i64) -> Verdict {
        let verdicts = Verdicts {
            hosts: vec![verdict],
            canary: Canary::Answers,
        };
        let after = forced(&[host], verdicts, overrides, at(now));
        assert_eq!(after.canary, Canary::Answers);
        after.hosts.into_iter().next().unwrap()
    }

    #[test]
    fn the_word_decides_and_the_facts_stay() {
        for state in [State::Up, State::Down, State::Suspect, State::Unknown] {
            for (to, expected) in [
                (OverrideState::Up, State::Up),
                (OverrideState::Down, State::Down),
            ] {
                // Names are compared as DNS does.
                let word = word("KMS1.example.", to);
                let host = host("kms1.example.", Role::Active);
                let verdict = apply(host, probed(state), &[word], 5);
                let text = format!("forced {to} until 1970-01-01T00:00:10Z by alice: \"patching\"");
                assert_eq!(
                    verdict,
                    Verdict {
                        state: expected,
                        forced: Some(Forced { until: at(10) }),
                        reason: text,
                        since: Some(at(1)),
                        ..probed(state)
                    }
                );
            }
        }
    }

    #[test]
    fn a_word_without_a_reason_names_none() {
        let word = Override {
            reason: None,
            ..word("a.", OverrideState::Down)
        };
        let verdict = apply(host("a.", Role::Standby), probed(State::Up), &[word], 5);
        assert_eq!(
            verdict.reason,
            "forced down until 1970-01-01T00:00:10Z by alice"
        );
    }

    #[test]
    fn a_word_that_has_ended_or_is_on_another_host_or_a_retired_one_says_nothing() {
        let (active, retired) = (Role::Active, Role::Retired);
        for (role, on, now) in [
            (active, "a.", 10),
            (active, "a.", 11),
            (active, "b.", 5),
            (retired, "a.", 5),
        ] {
            let word = word(on, OverrideState::Down);
            let verdict = apply(host("a.", role), probed(State::Up), &[word], now);
            assert_eq!(verdict, probed(State::Up), "{role:?} {on} {now}");
        }
    }
}
