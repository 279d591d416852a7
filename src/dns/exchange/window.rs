//! How many requests are under way at once: more while the server keeps up, fewer when it does not.
//!
//! As TCP does it (RFC 5681 §3.1): up by one with each answer until the first trouble, then by one
//! with each full window; down to a half on trouble, at most once per window. Trouble is a request
//! without an answer, a connection that closed on requests, and a window of answers of which more
//! than an eighth are SERVFAIL: fewer are the troubles of single zones, and not the server's.
//!
//! An answer that takes long is no trouble, but no reason for more either. "Long" is more than four
//! times the shortest, and more than [`PROMPT`]: a server on the same network answers in less than
//! a tenth of that, and its queue, in which our own requests wait, is what keeps it busy.

use std::time::Duration;

/// What no server needs to be spared for.
const PROMPT: Duration = Duration::from_millis(50);
/// Never fewer: a server that answers at all may answer two at once.
const FEWEST: usize = 2;
/// Where it begins, of the ceiling.
const FIRST: usize = 2;

/// The number of requests that may be under way.
#[derive(Debug)]
pub(super) struct Window {
    ceiling: usize,
    size: usize,
    /// False after the first trouble: then it grows by one with each full window.
    is_new: bool,
    shortest: Duration,
    /// Answers since the size was looked at last.
    answers: usize,
    failures: usize,
    late: usize,
    /// True when it was made smaller and not one window has been answered since.
    has_shrunk: bool,
}

impl Window {
    /// Begins with half of the ceiling.
    pub(super) fn new(ceiling: usize) -> Self {
        Self {
            ceiling,
            size: (ceiling / FIRST).max(FEWEST).min(ceiling),
            is_new: true,
            shortest: Duration::MAX,
            answers: 0,
            failures: 0,
            late: 0,
            has_shrunk: false,
        }
    }

    /// The number of requests that may be under way.
    pub(super) fn size(&self) -> usize {
        self.size
    }

    /// Takes an answer after so long; `failed`: it is SERVFAIL.
    pub(super) fn answered(&mut self, after: Duration, failed: bool) {
        self.shortest = self.shortest.min(after);
        let is_late = after > PROMPT && after > self.shortest.saturating_mul(4);
        self.answers += 1;
        self.failures += usize::from(failed);
        self.late += usize::from(is_late);
        if self.is_new && !failed && !is_late {
            self.grow();
        }
        if self.answers >= self.size {
            self.look();
        }
    }

    /// Takes a request that got no answer, or a connection that closed on requests.
    pub(super) fn lost(&mut self) {
        if !self.has_shrunk {
            self.shrink();
        }
    }

    /// A whole window was answered.
    fn look(&mut self) {
        let is_trouble = self.failures * 8 > self.answers;
        let is_prompt = self.late == 0;
        (self.answers, self.failures, self.late) = (0, 0, 0);
        self.has_shrunk = false;
        if is_trouble {
            self.shrink();
        } else if is_prompt && !self.is_new {
            self.grow();
        }
    }

    fn grow(&mut self) {
        self.size = (self.size + 1).min(self.ceiling);
    }

    fn shrink(&mut self) {
        self.size = (self.size / 2).max(FEWEST).min(self.ceiling);
        self.is_new = false;
        self.has_shrunk = true;
        (self.answers, self.failures, self.late) = (0, 0, 0);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const QUICK: Duration = Duration::from_millis(1);
    const SLOW: Duration = Duration::from_millis(500);

    fn after(window: &mut Window, answers: usize, took: Duration, failed: bool) -> usize {
        for _ in 0..answers {
            window.answered(took, failed);
        }
        window.size()
    }

    #[test]
    fn a_prompt_server_has_the_whole_ceiling_soon() {
        let mut window = Window::new(64);
        assert_eq!(window.size(), 32);
        assert_eq!(after(&mut window, 10, QUICK, false), 42);
        assert_eq!(after(&mut window, 1_000, QUICK, false), 64);
    }

    #[test]
    fn a_slow_server_far_away_is_no_overloaded_one() {
        let mut window = Window::new(64);
        assert_eq!(after(&mut window, 1_000, SLOW, false), 64);
    }

    #[test]
    fn a_server_that_gets_slower_gets_no_more() {
        let mut window = Window::new(64);
        assert_eq!(after(&mut window, 4, QUICK, false), 36);
        assert_eq!(after(&mut window, 1_000, SLOW, false), 36);
    }

    #[test]
    fn what_is_lost_together_halves_once() {
        let mut window = Window::new(64);
        after(&mut window, 1_000, QUICK, false);
        for _ in 0..10 {
            window.lost();
        }
        assert_eq!(window.size(), 32);
        // Up again one by one, a whole window each.
        assert_eq!(after(&mut window, 32, QUICK, false), 33);
        window.lost();
        assert_eq!(window.size(), 16);
    }

    #[test]
    fn one_broken_zone_in_ten_is_its_own_trouble_and_a_failing_server_is_spared() {
        let mut window = Window::new(64);
        after(&mut window, 1_000, QUICK, false);
        for _ in 0..100 {
            after(&mut window, 1, QUICK, true);
            after(&mut window, 9, QUICK, false);
        }
        assert_eq!(window.size(), 64);
        assert_eq!(after(&mut window, 1_000, QUICK, true), FEWEST);
    }

    #[test]
    fn it_keeps_to_a_small_ceiling() {
        let mut window = Window::new(1);
        assert_eq!(after(&mut window, 100, QUICK, false), 1);
        window.lost();
        assert_eq!(window.size(), 1);
    }
}
