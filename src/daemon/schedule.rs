//! When each zone is reconciled next; time and jitter are passed in.
//!
//! ```text
//!             due                    done, well
//!   waiting ───────► under way ────────────────► waiting for the next tick of the interval
//!      ▲    wake        │  │ woken meanwhile ───► waiting, due at once
//!      └────────────────┘  │ done, badly ───────► waiting for its back-off
//! ```

use std::collections::BTreeSet;
use std::time::Duration;

use tokio::time::Instant;

/// The first wait after a failure; it doubles with each, up to the interval.
const FIRST_BACK_OFF: Duration = Duration::from_secs(2);

/// Between two runs of a zone that waits for samples, or that fails, however often it is woken.
const BREATHING_SPACE: Duration = Duration::from_millis(200);

/// What can change a zone's plan before the next tick.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Watch {
    /// A host that goes up or down.
    #[default]
    Transitions,
    /// Any other state of a host: a guard that counts states withholds something.
    States,
    /// The next sample of any host: a removal waits for it.
    Samples,
}

/// How a zone's run ended, as far as the next one depends on it.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    /// The zone was not read, or its update was not applied.
    pub(super) failed: bool,
    /// What it waits for.
    pub(super) watch: Watch,
    /// Something that is held may go then.
    pub(super) retry_after: Option<Duration>,
}

/// Every zone's next run, by index.
#[derive(Debug)]
pub(super) struct Schedule {
    begin: Instant,
    interval: Duration,
    zones: Vec<Slot>,
    /// Those that wait, by when they are due: the loop asks for the next at each of its turns, and
    /// there may be a thousand samples a second and ten thousand zones.
    waiting: BTreeSet<(Instant, usize)>,
}

#[derive(Debug, Clone)]
struct Slot {
    due: Instant,
    under_way: bool,
    /// What woke it; empty: the timer.
    causes: BTreeSet<String>,
    ended: Option<Instant>,
    failures: u32,
    watch: Watch,
}

impl Schedule {
    /// Every zone is due at once, and then at each tick of the interval.
    pub(super) fn new(zones: usize, interval: Duration, now: Instant, cause: &str) -> Self {
        let slot = Slot {
            due: now,
            under_way: false,
            causes: BTreeSet::from([cause.to_owned()]),
            ended: None,
            failures: 0,
            watch: Watch::default(),
        };
        Self {
            begin: now,
            interval,
            zones: vec![slot; zones],
            waiting: (0..zones).map(|zone| (now, zone)).collect(),
        }
    }

    /// When the next zone is due; `None`: all are under way.
    pub(super) fn next(&self) -> Option<Instant> {
        self.waiting.first().map(|(due, _zone)| *due)
    }

    /// Takes the zones that are due, each with what woke it, and has them under way.
    pub(super) fn take_due(&mut self, now: Instant) -> Vec<(usize, BTreeSet<String>)> {
        let mut due = Vec::new();
        while let Some((at, zone)) = self.waiting.pop_first() {
            if at > now {
                self.waiting.insert((at, zone));
                break;
            }
            if let Some(slot) = self.zones.get_mut(zone) {
                slot.under_way = true;
                due.push((zone, std::mem::take(&mut slot.causes)));
            }
        }
        due.sort_by_key(|(zone, _causes)| *zone);
        due
    }

    /// True when the zone's last run failed.
    pub(super) fn fails(&self, zone: usize) -> bool {
        self.zones.get(zone).is_some_and(|slot| slot.failures > 0)
    }

    /// Has a zone reconciled at once, or, where it is under way, once more afterwards.
    pub(super) fn wake(&mut self, zone: usize, cause: &str, now: Instant) {
        if let Some(slot) = self.zones.get_mut(zone) {
            slot.causes.insert(cause.to_owned());
            let due = slot.due.min(slot.not_before(now));
            // Where it is under way, `done` looks at the causes.
            if !slot.under_way && due != slot.due {
                self.waiting.remove(&(slot.due, zone));
                self.waiting.insert((due, zone));
                slot.due = due;
            }
        }
    }

    /// Wakes a zone only when it waits for that much or less.
    pub(super) fn wake_watching(
        &mut self,
        zone: usize,
        at_least: Watch,
        cause: &str,
        now: Instant,
    ) {
        if self
            .zones
            .get(zone)
            .is_some_and(|slot| slot.watch >= at_least)
        {
            self.wake(zone, cause, now);
        }
    }

    /// Notes how a zone's run ended. `jitter` is between 0 and 1.
    pub(super) fn done(&mut self, zone: usize, done: Done, now: Instant, jitter: f64) {
        let next_tick = self.next_tick(now);
        let interval = self.interval;
        let Some(slot) = self.zones.get_mut(zone) else {
            return;
        };
        // It is under way, unless it is told of twice.
        self.waiting.remove(&(slot.due, zone));
        slot.under_way = false;
        slot.ended = Some(now);
        slot.watch = done.watch;
        slot.failures = if done.failed {
            slot.failures.saturating_add(1)
        } else {
            0
        };
        let mut due = next_tick;
        if done.failed {
            due = due.min(now + back_off(slot.failures, interval, jitter));
        }
        if let Some(after) = done.retry_after {
            due = due.min(now + after);
        }
        if !slot.causes.is_empty() {
            due = due.min(slot.not_before(now));
        }
        slot.due = due;
        self.waiting.insert((due, zone));
    }

    fn next_tick(&self, now: Instant) -> Instant {
        let interval = self.interval.max(Duration::from_millis(1));
        let passed = now.duration_since(self.begin).as_nanos() / interval.as_nanos();
        let ticks = u32::try_from(passed).unwrap_or(u32::MAX).saturating_add(1);
        self.begin + interval.saturating_mul(ticks)
    }
}

impl Slot {
    /// A zone that fails or watches samples is woken often, and is not to run all the time.
    fn not_before(&self, now: Instant) -> Instant {
        match self.ended {
            Some(ended) if self.failures > 0 || self.watch == Watch::Samples => {
                now.max(ended + BREATHING_SPACE)
            }
            _ => now,
        }
    }
}

/// Half to all of the wait that doubles with each failure in a row, the interval at the most.
fn back_off(failures: u32, interval: Duration, jitter: f64) -> Duration {
    let doublings = failures.saturating_sub(1).min(16);
    let wait = FIRST_BACK_OFF.saturating_mul(1 << doublings).min(interval);
    wait.mul_f64(0.5 + 0.5 * jitter.clamp(0.0, 1.0))
}

#[cfg(test)]
mod tests {
    use super::*;

    const INTERVAL: Duration = Duration::from_secs(300);
    const WELL: Done = Done {
        failed: false,
        watch: Watch::Transitions,
        retry_after: None,
    };
    const BADLY: Done = Done {
        failed: true,
        ..WELL
    };

    fn seconds(seconds: f64) -> Duration {
        Duration::from_secs_f64(seconds)
    }

    /// Zone indexes due then.
    fn due(schedule: &mut Schedule, now: Instant) -> Vec<usize> {
        schedule
            .take_due(now)
            .into_iter()
            .map(|(zone, _causes)| zone)
            .collect()
    }

    #[test]
    fn all_at_once_and_then_at_each_tick() {
        let begin = Instant::now();
        let mut schedule = Schedule::new(2, INTERVAL, begin, "start");
        assert_eq!(schedule.next(), Some(begin));
        let first = schedule.take_due(begin);
        assert_eq!(first.len(), 2);
        assert!(first.iter().all(|(_zone, causes)| causes.contains("start")));
        assert_eq!(schedule.next(), None);
        schedule.done(0, WELL, begin + seconds(1.0), 0.0);
        schedule.done(1, WELL, begin + seconds(301.0), 0.0);
        assert_eq!(schedule.next(), Some(begin + INTERVAL));
        let timer = schedule.take_due(begin + INTERVAL);
        assert_eq!(timer, [(0, BTreeSet::new())]);
        assert_eq!(schedule.next(), Some(begin + 2 * INTERVAL));
    }

    #[test]
    fn a_zone_woken_while_under_way_runs_once_more() {
        let begin = Instant::now();
        let mut schedule = Schedule::new(2, INTERVAL, begin, "start");
        schedule.take_due(begin);
        schedule.wake(1, "a host", begin);
        assert_eq!(schedule.next(), None);
        let now = begin + seconds(1.0);
        schedule.done(0, WELL, now, 0.0);
        schedule.done(1, WELL, now, 0.0);
        assert_eq!(schedule.next(), Some(now));
        assert_eq!(
            schedule.take_due(now),
            [(1, BTreeSet::from(["a host".to_owned()]))]
        );
    }

    #[test]
    fn failures_back_off_up_to_the_interval_and_delay_nobody_else() {
        let begin = Instant::now();
        let mut schedule = Schedule::new(2, INTERVAL, begin, "start");
        let mut now = begin;
        for (jitter, wait) in [
            (1.0, 2.0),
            (0.0, 2.0),
            (1.0, 8.0),
            (1.0, 16.0),
            (1.0, 32.0),
            (1.0, 64.0),
            (1.0, 128.0),
        ] {
            assert!(due(&mut schedule, now).contains(&0));
            schedule.done(0, BADLY, now, jitter);
            schedule.done(1, WELL, now, jitter);
            assert_eq!(schedule.next(), Some(now + seconds(wait)));
            now += seconds(wait);
        }
        for failures in [20, u32::MAX] {
            assert_eq!(back_off(failures, INTERVAL, 1.0), INTERVAL);
        }
        // It recovers.
        due(&mut schedule, now);
        schedule.done(0, WELL, now, 0.0);
        assert_eq!(schedule.next(), Some(begin + INTERVAL));
    }

    #[test]
    fn a_failing_zone_that_is_woken_takes_breath() {
        let begin = Instant::now();
        let mut schedule = Schedule::new(1, INTERVAL, begin, "start");
        schedule.take_due(begin);
        schedule.done(0, BADLY, begin, 1.0);
        schedule.wake(0, "a host", begin);
        assert_eq!(schedule.next(), Some(begin + BREATHING_SPACE));
    }

    #[test]
    fn a_zone_is_woken_by_what_it_waits_for() {
        let begin = Instant::now();
        for (watch, woken_by_state, woken_by_sample) in [
            (Watch::Transitions, false, false),
            (Watch::States, true, false),
            (Watch::Samples, true, true),
        ] {
            for (kind, woken) in [
                (Watch::States, woken_by_state),
                (Watch::Samples, woken_by_sample),
            ] {
                let mut schedule = Schedule::new(1, INTERVAL, begin, "start");
                schedule.take_due(begin);
                schedule.done(0, Done { watch, ..WELL }, begin, 0.0);
                let now = begin + seconds(1.0);
                schedule.wake_watching(0, kind, "a sample", now);
                assert_eq!(schedule.next() == Some(now), woken, "{watch:?} {kind:?}");
            }
        }
    }

    #[test]
    fn what_is_held_for_a_time_is_looked_at_then() {
        let begin = Instant::now();
        let mut schedule = Schedule::new(1, INTERVAL, begin, "start");
        schedule.take_due(begin);
        let done = Done {
            retry_after: Some(seconds(7.0)),
            ..WELL
        };
        schedule.done(0, done, begin, 0.0);
        assert_eq!(schedule.next(), Some(begin + seconds(7.0)));
    }
}
