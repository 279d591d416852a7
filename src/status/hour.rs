//! A host's last hour, minute by minute.

use std::time::Duration;

use jiff::Timestamp;

/// How many minutes are kept, the present one included.
pub const MINUTES: usize = 60;

/// The samples that began within one minute.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Minute {
    /// How many passed.
    pub passed: u16,
    /// How many failed.
    pub failed: u16,
    /// The longest that one took.
    pub slowest: Duration,
}

/// The samples of the last hour. Always sixty minutes, however often the host is asked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Hour {
    /// The minute after the newest one known, counted from 1970.
    end: i64,
    /// The newest last.
    minutes: [Minute; MINUTES],
}

impl Default for Hour {
    fn default() -> Self {
        Self {
            end: 0,
            minutes: [Minute::default(); MINUTES],
        }
    }
}

impl Hour {
    /// Takes a sample. One that began over an hour before the newest is too late.
    pub fn add(&mut self, began: Timestamp, took: Duration, passed: bool) {
        let minute = minute_of(began);
        self.move_on(minute);
        let Some(minute) = usize::try_from(self.end - 1 - minute)
            .ok()
            .and_then(|age| MINUTES.checked_sub(age + 1))
            .and_then(|index| self.minutes.get_mut(index))
        else {
            return;
        };
        let count = if passed {
            &mut minute.passed
        } else {
            &mut minute.failed
        };
        *count = count.saturating_add(1);
        minute.slowest = minute.slowest.max(took);
    }

    /// The hour that ends with the minute of this time, the oldest minute first.
    pub fn minutes(&self, now: Timestamp) -> [Minute; MINUTES] {
        let mut moved = self.clone();
        moved.forget_what_is_to_come(now);
        moved.move_on(minute_of(now));
        moved.minutes
    }

    /// Begins anew when the newest minute is well after this time: the clock was set back, and what
    /// stands there would keep all that comes from its place until it is reached again.
    pub(super) fn forget_what_is_to_come(&mut self, now: Timestamp) {
        if self.end.saturating_sub(minute_of(now) + 1) > 1 {
            *self = Self::default();
        }
    }

    /// Makes room up to this minute.
    fn move_on(&mut self, minute: i64) {
        let steps = usize::try_from((minute + 1).saturating_sub(self.end)).unwrap_or(0);
        if steps == 0 {
            return;
        }
        let lost = steps.min(MINUTES);
        self.minutes.rotate_left(lost);
        for gone in self.minutes.iter_mut().rev().take(lost) {
            *gone = Minute::default();
        }
        self.end = minute + 1;
    }
}

fn minute_of(time: Timestamp) -> i64 {
    time.as_second().div_euclid(60)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_040 + second).unwrap()
    }

    fn passed(hour: &Hour, second: i64) -> Vec<u16> {
        let minutes = hour.minutes(at(second));
        minutes.iter().map(|minute| minute.passed).collect()
    }

    #[test]
    fn samples_stand_in_their_minutes_and_leave_after_an_hour() {
        let mut hour = Hour::default();
        let took = Duration::from_millis(12);
        hour.add(at(0), took, true);
        hour.add(at(59), took * 2, true);
        hour.add(at(60), took, false);
        let now = hour.minutes(at(60));
        assert_eq!(
            now[MINUTES - 2..],
            [
                Minute {
                    passed: 2,
                    failed: 0,
                    slowest: took * 2
                },
                Minute {
                    passed: 0,
                    failed: 1,
                    slowest: took
                },
            ]
        );
        assert_eq!(passed(&hour, 59 * 60)[0], 2);
        assert_eq!(passed(&hour, 60 * 60)[0], 0);
        assert_eq!(hour.minutes(at(100_000)), [Minute::default(); MINUTES]);
    }

    #[test]
    fn an_old_sample_is_put_in_its_place_or_dropped() {
        let mut hour = Hour::default();
        hour.add(at(3600), Duration::ZERO, true);
        hour.add(at(60), Duration::ZERO, true);
        hour.add(at(0), Duration::ZERO, true);
        let seen = passed(&hour, 3600);
        assert_eq!((seen[0], seen[MINUTES - 1]), (1, 1));
        assert_eq!(seen.iter().sum::<u16>(), 2);
    }

    #[test]
    fn a_clock_that_was_set_back_begins_the_hour_anew() {
        let mut hour = Hour::default();
        hour.add(at(7200), Duration::ZERO, true);
        assert_eq!(passed(&hour, 0), [0; MINUTES]);
        // Some seconds are no reason.
        assert_eq!(passed(&hour, 7199)[MINUTES - 1], 1);
        hour.forget_what_is_to_come(at(0));
        hour.add(at(0), Duration::ZERO, true);
        assert_eq!(passed(&hour, 0)[MINUTES - 1], 1);
        assert_eq!(passed(&hour, 60)[MINUTES - 2], 1);
    }

    #[test]
    fn no_time_and_no_number_breaks_it() {
        let mut hour = Hour::default();
        for time in [Timestamp::MIN, Timestamp::MAX, Timestamp::UNIX_EPOCH] {
            hour.add(time, Duration::MAX, false);
            hour.minutes(time);
        }
        let mut full = Hour::default();
        for _time in 0..70_000 {
            full.add(at(0), Duration::ZERO, true);
        }
        assert_eq!(passed(&full, 0)[MINUTES - 1], u16::MAX);
    }
}
