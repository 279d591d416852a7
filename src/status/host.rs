//! One host.

use std::time::Duration;

use jiff::{SignedDuration, Timestamp};

use super::Hour;
use crate::model::{Host, KeptSample, Name, NoSample, Override, Role, Sample, Verdict};

/// What is known of one host.
#[derive(Debug, Clone)]
pub struct HostStatus {
    /// The host.
    pub name: Name,
    /// Its role.
    pub role: Role,
    /// The port that is asked.
    pub port: u16,
    /// True when it is probed: neither retired nor trusted.
    pub probed: bool,
    /// Time between two probes.
    pub interval: Duration,
    /// What is believed of it, an override applied.
    pub verdict: Verdict,
    /// The override that holds.
    pub word: Option<Override>,
    /// The newest sample since the daemon began, or that an earlier one left.
    pub latest: Option<LatestSample>,
    /// Why the newest probe could not be made.
    pub obstacle: Option<String>,
    /// The samples of the last hour.
    pub hour: Hour,
    /// How long the samples took, since the daemon began.
    pub durations: Durations,
    /// How many samples passed, since the daemon began.
    pub passed: u64,
    /// How many failed.
    pub failed: u64,
    /// How many probes could not be made.
    pub obstacles: u64,
}

/// The newest sample.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LatestSample {
    /// When the probe began.
    pub began: Timestamp,
    /// How long it took.
    pub took: Duration,
    /// Whether the host passed.
    pub passed: bool,
    /// What it said, for people.
    pub text: String,
}

/// A histogram of how long samples took.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Durations {
    /// How many took no longer than each of [`Durations::BOUNDS`], and longer than the one before.
    pub counts: [u64; Self::BOUNDS.len()],
    /// How many there were.
    pub count: u64,
    /// How long all of them took together.
    pub sum: Duration,
}

impl Durations {
    /// The upper bounds, in milliseconds.
    pub const BOUNDS: [u16; 11] = [1, 3, 10, 30, 100, 250, 500, 1000, 2500, 5000, 10_000];

    fn add(&mut self, took: Duration) {
        let within = |bound: &u16| took <= Duration::from_millis(u64::from(*bound));
        let bucket = Self::BOUNDS.iter().position(within);
        if let Some(count) = bucket.and_then(|index| self.counts.get_mut(index)) {
            *count += 1;
        }
        self.count += 1;
        self.sum = self.sum.saturating_add(took);
    }
}

impl HostStatus {
    /// A host of which nothing is known.
    pub(super) fn new(host: &Host) -> Self {
        Self {
            name: host.name().clone(),
            role: host.role,
            port: host.srv.port,
            probed: host.role != Role::Retired && !host.health.is_trusted(),
            interval: host.health.interval,
            verdict: Verdict::unknown("not looked at yet"),
            word: None,
            latest: None,
            obstacle: None,
            hour: Hour::default(),
            durations: Durations::default(),
            passed: 0,
            failed: 0,
            obstacles: 0,
        }
    }

    /// The same host under another configuration.
    pub(super) fn configured(&self, host: &Host) -> Self {
        let Self {
            verdict,
            word,
            latest,
            obstacle,
            hour,
            durations,
            passed,
            failed,
            obstacles,
            ..
        } = self.clone();
        let new = Self::new(host);
        // Of one that is probed no more, nothing would ever clear what the last probe said.
        let newest = new.probed.then_some((latest, obstacle));
        let (latest, obstacle) = newest.unwrap_or_default();
        Self {
            verdict,
            word,
            latest,
            obstacle,
            hour,
            durations,
            passed,
            failed,
            obstacles,
            ..new
        }
    }

    /// Takes what a probe said.
    pub(super) fn take(&mut self, probed: &Result<Sample, NoSample>) {
        match probed {
            Ok(sample) => {
                let passed = sample.passed();
                let ended = SignedDuration::try_from(sample.took)
                    .ok()
                    .and_then(|took| sample.began.checked_add(took).ok());
                self.hour
                    .forget_what_is_to_come(ended.unwrap_or(sample.began));
                self.hour.add(sample.began, sample.took, passed);
                self.durations.add(sample.took);
                self.latest = Some(LatestSample {
                    began: sample.began,
                    took: sample.took,
                    passed,
                    text: sample.to_string(),
                });
                self.obstacle = None;
                if passed {
                    self.passed += 1;
                } else {
                    self.failed += 1;
                }
            }
            Err(obstacle) => {
                self.obstacle = Some(obstacle.to_string());
                self.obstacles += 1;
            }
        }
    }

    /// Takes a sample that an earlier daemon left.
    pub(super) fn remember(&mut self, sample: &KeptSample) {
        self.hour.add(sample.began, sample.took, sample.passed);
        let is_newer = |latest: &LatestSample| latest.began < sample.began;
        if self.latest.as_ref().is_none_or(is_newer) {
            self.latest = Some(LatestSample {
                began: sample.began,
                took: sample.took,
                passed: sample.passed,
                text: sample.text.clone(),
            });
        }
    }
}
