//! Health over time: one sample after the other → a [`Track`] → a [`Verdict`].
//!
//! ```text
//!                 rise passed in a row
//!        ┌──────────────────────────────────► up ◄─┐
//!    unknown                                  │    │ rise passed in a row
//!        └────────────► down ◄────────────────┘    │
//!          fall failed   │        fall failed      │
//!                        └─────────────────────────┘
//! ```
//!
//! Failures add up in the manner of gdnsd: a single success between them clears nothing, only `rise`
//! in a row do. So a host that answers every other time goes down too. Between two samples further
//! apart than [`Health::freshness`] everything is forgotten: nobody looked meanwhile.

use jiff::Timestamp;

use crate::model::{Canary, Health, Host, NewestSample, Sample, Settled, State, Track, Verdict};

/// The track of a host that was never asked.
pub fn begin(host: &Host) -> Track {
    Track {
        asked: asked(host),
        ..Track::default()
    }
}

/// True when the track is one of this host as it is configured now.
pub fn is_of(track: &Track, host: &Host) -> bool {
    track.asked == asked(host)
}

/// All that decides what a probe asks.
fn asked(host: &Host) -> String {
    let Health {
        checks, command, ..
    } = &host.health;
    format!(
        "{:?} {} {checks:?} {command:?}",
        host.addresses, host.srv.port
    )
}

/// The track with one more sample; one that is not newer than the newest changes nothing.
///
/// A sample long before the newest is of a clock that was set back: everything begins anew.
#[must_use]
pub fn add(track: &Track, sample: &Sample, health: &Health) -> Track {
    let began = sample.began;
    let follows = track.newest.as_ref().is_some_and(|newest| {
        began.duration_since(newest.began).unsigned_abs() <= health.longest_gap()
    });
    let mut track = match &track.newest {
        Some(newest) if is_stale(newest.began, began, health) => Track {
            asked: track.asked.clone(),
            ..Track::default()
        },
        Some(newest) if began <= newest.began => return track.clone(),
        _ => track.clone(),
    };
    if sample.passed() {
        track.successes = track.successes.saturating_add(1);
        track.first_failure = None;
        if !follows {
            track.passing_since = None;
        }
        track.passing_since.get_or_insert(sample.ended());
        if track.successes >= health.rise {
            track.failures = 0;
            settle(&mut track, Settled::Up, began);
        }
    } else {
        track.successes = 0;
        track.passing_since = None;
        track.failures = track.failures.saturating_add(1);
        let first_failure = *track.first_failure.get_or_insert(sample.ended());
        if track.failures >= health.fall {
            settle(&mut track, Settled::Down, first_failure);
        }
    }
    track.newest = Some(NewestSample {
        began,
        passed: sample.passed(),
        text: sample.to_string(),
    });
    track
}

fn settle(track: &mut Track, settled: Settled, since: Timestamp) {
    if track.settled != settled {
        track.settled = settled;
        track.since = Some(since);
    }
}

/// What is believed of a host that is asked again and again.
///
/// `obstacle` is why the newest probe could not be made, where it could not. While the canary is
/// silent no host is down.
pub fn verdict(
    track: &Track,
    health: &Health,
    canary: Canary,
    obstacle: Option<&str>,
    now: Timestamp,
) -> Verdict {
    let unknown = |text: String| Verdict {
        probed: true,
        newest_sample: track.newest.as_ref().map(|newest| newest.began),
        ..Verdict::unknown(match obstacle {
            Some(obstacle) => format!("{text}: {obstacle}"),
            None => text,
        })
    };
    let Some(newest) = &track.newest else {
        return unknown("no sample yet".to_owned());
    };
    if is_stale(newest.began, now, health) {
        return unknown(format!("no sample since {:.0}", newest.began));
    }
    let Track {
        failures,
        successes,
        first_failure,
        ..
    } = *track;
    let Health { rise, fall, .. } = *health;
    let text = &newest.text;
    let (state, since, reason) = match (track.settled, newest.passed) {
        (Settled::Down, _) if canary == Canary::Silent => (
            State::Suspect,
            track.since,
            format!("{text}; but no canary answers, so our own network is suspect"),
        ),
        (Settled::Down, false) => (
            State::Down,
            track.since,
            format!("{text} ({failures} times)"),
        ),
        (Settled::Down, true) => (
            State::Down,
            track.since,
            format!("{text}, {successes} of {rise} times"),
        ),
        (Settled::Up | Settled::Unknown, false) => (
            State::Suspect,
            first_failure,
            format!("{text} ({failures} of {fall} failures)"),
        ),
        (Settled::Up, true) if failures > 0 => (
            State::Up,
            track.since,
            format!("{text} (after {failures} of {fall} failures)"),
        ),
        (Settled::Up, true) => (State::Up, track.since, text.clone()),
        (Settled::Unknown, true) => (
            State::Unknown,
            None,
            format!("{text}, {successes} of {rise} times"),
        ),
    };
    Verdict {
        state,
        forced: None,
        reason,
        since,
        probed: true,
        newest_sample: Some(newest.began),
        first_failure,
        passing_since: track.passing_since,
        recovering: track.settled == Settled::Down && newest.passed,
        spared: state == State::Suspect && track.settled == Settled::Down && !newest.passed,
    }
}

/// True when `began` is too far from `now` to decide anything: too long ago, or by another clock.
fn is_stale(began: Timestamp, now: Timestamp, health: &Health) -> bool {
    now.duration_since(began).unsigned_abs() > health.freshness()
}

#[cfg(test)]
mod tests;
