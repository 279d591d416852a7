//! Samples and the time → [`Verdict`], pure.
//!
//! A one-shot command asks until it knows enough ([`one_shot`]); the daemon keeps asking ([`track`]).

mod forced;
pub mod track;

pub use forced::forced;

use jiff::Timestamp;

use crate::model::{Canary, Health, NoSample, Sample, State, Verdict};

/// What became of one try to probe a host.
pub type Probed = Result<Sample, NoSample>;

/// What a one-shot command should do next about one host.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    /// Probe again after the host's interval.
    Again,
    /// Enough is known.
    Settled,
}

/// Decides whether a one-shot command has asked a host often enough.
///
/// A host is up at its first success and down after `fall` failures in a row. A probe that could
/// not be made is asked for again as often, and then left as unknown.
pub fn one_shot_next(tries: &[Probed], health: &Health) -> Next {
    let passed = tries
        .iter()
        .any(|probed| probed.as_ref().is_ok_and(Sample::passed));
    let enough = u32::try_from(tries.len()).is_ok_and(|made| made >= health.fall);
    if passed || enough {
        Next::Settled
    } else {
        Next::Again
    }
}

/// True when a host should be asked once more: the first failure of somebody else who is down was
/// known after its newest sample began, so an outage on our side need not show in it. With `fall = 1` that may be
/// a host that is down itself.
pub fn needs_confirmation(verdict: &Verdict, others: &[Verdict]) -> bool {
    verdict.probed
        && verdict.newest_sample.is_none_or(|newest| {
            others.iter().any(|other| {
                other.state == State::Down
                    && other.first_failure.is_some_and(|failed| newest <= failed)
            })
        })
}

/// The verdict of a one-shot command on the samples it took, oldest first.
///
/// Needs a full window (`fall` failed samples in a row, none missing) for down. When the canary is
/// silent no host is declared down.
pub fn one_shot(tries: &[Probed], health: &Health, canary: Canary) -> Verdict {
    let samples: Vec<&Sample> = tries
        .iter()
        .filter_map(|probed| probed.as_ref().ok())
        .collect();
    let Some(newest) = samples.last() else {
        let reason = tries
            .iter()
            .rev()
            .find_map(|probed| probed.as_ref().err())
            .map_or_else(|| "not probed".to_owned(), NoSample::to_string);
        return Verdict {
            probed: true,
            ..Verdict::unknown(reason)
        };
    };
    let failures: Vec<&&Sample> = samples
        .iter()
        .rev()
        .take_while(|sample| !sample.passed())
        .collect();
    let first_failure = failures.last().map(|sample| sample.ended());
    let failed = u32::try_from(failures.len()).unwrap_or(u32::MAX);
    let (state, reason, since) = if failed == 0 {
        let began = run_of_successes(&samples);
        (State::Up, newest.to_string(), began)
    } else if failed < health.fall {
        let reason = format!("{newest} ({failed} of {} failures)", health.fall);
        (State::Suspect, reason, first_failure)
    } else if canary == Canary::Silent {
        let reason = format!("{newest}; but no canary answers, so our own network is suspect");
        (State::Suspect, reason, first_failure)
    } else {
        let times = if failed == 1 {
            "once".to_owned()
        } else {
            format!("{failed} times in a row")
        };
        (State::Down, format!("{newest} ({times})"), first_failure)
    };
    Verdict {
        state,
        forced: None,
        reason,
        since,
        probed: true,
        newest_sample: Some(newest.began),
        first_failure,
        passing_since: None,
        recovering: false,
        spared: state == State::Suspect && failed >= health.fall,
    }
}

/// When the present run of successes began.
fn run_of_successes(samples: &[&Sample]) -> Option<Timestamp> {
    samples
        .iter()
        .rev()
        .take_while(|sample| sample.passed())
        .last()
        .map(|sample| sample.began)
}

/// The verdict on a host that nobody asks: the inventory is trusted.
pub fn trusted() -> Verdict {
    Verdict {
        state: State::Up,
        ..Verdict::unknown("trusted: check = \"none\"")
    }
}

/// The verdict on a retired host, which needs none.
pub fn retired() -> Verdict {
    Verdict::unknown("retired, not probed")
}

/// The verdict on every host under `--no-probe`.
pub fn not_probed() -> Verdict {
    Verdict::unknown("not probed (--no-probe)")
}

#[cfg(test)]
mod tests;
