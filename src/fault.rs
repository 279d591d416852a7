//! Fault points for the crash tests: places where a process can be told to die.
//!
//! Without the feature `fault-points` a point compiles to nothing. With it, the environment
//! variable `SRVKEEPER_FAULT` names the phase at which the process aborts, as `sent` for the first
//! time the phase is reached or `sent:3` for the third. An abort is what `kill -9` is: no
//! destructor runs, no buffer is flushed.

#![cfg_attr(
    feature = "fault-points",
    allow(clippy::disallowed_methods, reason = "shell")
)]

/// Where one zone's update stands; the crash tests die at each of them.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    /// The plan is made, nothing is stored.
    Planned,
    /// The intent is stored, nothing is sent.
    IntentDurable,
    /// The update is sent, no answer has come.
    Sent,
    /// The server has answered, nothing is read back.
    Answered,
    /// The RRset is read back, the outcome is not stored.
    ReadBack,
}

impl Phase {
    /// Every phase, in the order of an update.
    pub const ALL: [Self; 5] = [
        Self::Planned,
        Self::IntentDurable,
        Self::Sent,
        Self::Answered,
        Self::ReadBack,
    ];

    /// The word in `SRVKEEPER_FAULT`.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Planned => "planned",
            Self::IntentDurable => "intent-durable",
            Self::Sent => "sent",
            Self::Answered => "answered",
            Self::ReadBack => "read-back",
        }
    }
}

/// Dies here when `SRVKEEPER_FAULT` says so; nothing without the feature `fault-points`.
#[cfg(not(feature = "fault-points"))]
#[inline(always)]
pub fn point(_phase: Phase) {}

/// Dies here when `SRVKEEPER_FAULT` says so; nothing without the feature `fault-points`.
#[cfg(feature = "fault-points")]
pub fn point(phase: Phase) {
    use std::sync::atomic::{AtomicU64, Ordering};

    /// One counter is enough: a process watches one phase.
    static REACHED: AtomicU64 = AtomicU64::new(0);

    let Ok(wanted) = std::env::var("SRVKEEPER_FAULT") else {
        return;
    };
    let (name, time) = match wanted.split_once(':') {
        Some((name, time)) => (name, time.parse().unwrap_or(1)),
        None => (wanted.as_str(), 1),
    };
    if name == phase.as_str() && REACHED.fetch_add(1, Ordering::Relaxed) + 1 == time {
        std::process::abort();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn phases_are_in_the_order_of_an_update() {
        let names: Vec<&str> = Phase::ALL.into_iter().map(Phase::as_str).collect();
        assert_eq!(
            names,
            ["planned", "intent-durable", "sent", "answered", "read-back"]
        );
    }

    /// Runs as a process of its own, started by the tests below.
    #[cfg(feature = "fault-points")]
    #[test]
    #[ignore = "started by another test as its own process"]
    fn child_passes_every_point_three_times() {
        for _ in 0..3 {
            for phase in Phase::ALL {
                point(phase);
                // A write past libtest's capture, so that it is out before the abort.
                std::io::Write::write_all(
                    &mut std::io::stderr(),
                    format!("passed {}\n", phase.as_str()).as_bytes(),
                )
                .unwrap();
            }
        }
    }

    #[cfg(feature = "fault-points")]
    fn passed_under(fault: &str) -> (bool, usize) {
        let output = std::process::Command::new(std::env::current_exe().unwrap())
            .args([
                "--exact",
                "fault::tests::child_passes_every_point_three_times",
                "--ignored",
            ])
            .env("SRVKEEPER_FAULT", fault)
            .output()
            .unwrap();
        let passed = String::from_utf8_lossy(&output.stderr)
            .matches("passed ")
            .count();
        (output.status.success(), passed)
    }

    #[cfg(feature = "fault-points")]
    #[test]
    fn the_named_phase_kills_and_no_other() {
        assert_eq!(passed_under("nothing"), (true, 15));
        for (index, phase) in Phase::ALL.into_iter().enumerate() {
            assert_eq!(passed_under(phase.as_str()), (false, index), "{phase:?}");
        }
    }

    #[cfg(feature = "fault-points")]
    #[test]
    fn a_count_waits_for_that_time() {
        assert_eq!(passed_under("sent:3"), (false, 12));
        assert_eq!(passed_under("sent:4"), (true, 15));
    }
}
