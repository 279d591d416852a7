//! What is known of the hosts: tracks, the canaries, and from both the verdicts.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::Timestamp;

use super::probing::is_asked;
use crate::config::Config;
use crate::health::{self, Probed, track};
use crate::model::{
    Canary, Host, KeptSample, Name, Role, Settled, State, Track, Verdict, Verdicts,
};
use crate::plan;

/// The hosts of one configuration, by their index there.
pub(super) struct Hosts {
    config: Arc<Config>,
    known: Vec<Known>,
    /// Samples not stored yet.
    samples: Vec<KeptSample>,
    canary: CanaryWatch,
}

/// What is known of one host.
#[derive(Default)]
struct Known {
    track: Track,
    /// Why the newest probe could not be made.
    obstacle: Option<String>,
    /// As it was told last.
    told: Option<Told>,
    /// Up or down, whichever it was last, suspicions aside.
    last: Option<State>,
    /// The track is not stored yet.
    unsaved: bool,
}

/// What is told of a host when it changes.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Told {
    state: State,
    recovering: bool,
    /// Spared by canaries that were asked, and not by those that are about to be.
    spared: bool,
}

/// What the canaries last said.
struct CanaryWatch {
    last: Canary,
    /// When they were asked.
    began: Option<Timestamp>,
}

/// A host that is in another state than when it was told last.
pub(super) struct Transition {
    /// What is believed now.
    pub(super) verdict: Verdict,
    /// The state before.
    pub(super) before: State,
    /// True when its zones have something to do; otherwise only those that wait for a state have.
    pub(super) asks_for_a_walk: bool,
}

/// What is to be stored.
pub(super) struct Unsaved {
    pub(super) tracks: Vec<(Name, Track)>,
    pub(super) samples: Vec<KeptSample>,
}

impl Hosts {
    /// Goes on from these tracks. Nothing is told of how it begins.
    pub(super) fn new(config: Arc<Config>, tracks: &BTreeMap<Name, Track>) -> Self {
        let known = config
            .hosts
            .iter()
            .map(|host| Known {
                track: tracks
                    .get(host.name())
                    .filter(|track| track::is_of(track, host))
                    .cloned()
                    .unwrap_or_else(|| track::begin(host)),
                ..Known::default()
            })
            .collect();
        let mut hosts = Self {
            config,
            known,
            samples: Vec::new(),
            canary: CanaryWatch {
                last: Canary::Unused,
                began: None,
            },
        };
        if hosts.has_canaries() {
            // Whether they answered while these samples were taken, nobody knows any more.
            hosts.forget_failures();
        }
        for index in 0..hosts.known.len() {
            hosts.evaluate(index);
        }
        hosts
    }

    /// How many there are.
    pub(super) fn len(&self) -> usize {
        self.known.len()
    }

    /// How many are up.
    pub(super) fn up(&self) -> usize {
        let is_up = |known: &&Known| known.told.is_some_and(|told| told.state == State::Up);
        self.known.iter().filter(is_up).count()
    }

    /// Takes what one probe said, and returns an obstacle that is new.
    pub(super) fn take(&mut self, index: usize, probed: Probed) -> Option<String> {
        let (host, known) = (self.config.hosts.get(index)?, self.known.get_mut(index)?);
        match probed {
            Ok(sample) => {
                known.track = track::add(&known.track, &sample, &host.health);
                known.obstacle = None;
                known.unsaved = true;
                self.samples.push(KeptSample {
                    host: host.name().clone(),
                    began: sample.began,
                    took: sample.took,
                    passed: sample.passed(),
                    text: sample.to_string(),
                });
                None
            }
            Err(error) => {
                let before = known.obstacle.replace(error.to_string());
                before.is_none().then(|| error.to_string())
            }
        }
    }

    /// Takes what the canaries said when they were asked at `began`; returns what they said before.
    ///
    /// Failures from a time when none of them answered are not the hosts': where it ends, those that
    /// were not down before begin anew.
    pub(super) fn take_canary(&mut self, began: Timestamp, said: Canary) -> Canary {
        let before = std::mem::replace(&mut self.canary.last, said);
        self.canary.began = Some(began);
        if before == Canary::Silent && said == Canary::Answers {
            self.forget_failures();
        }
        before
    }

    /// True while none of the canaries answers.
    pub(super) fn canary_is_silent(&self) -> bool {
        self.canary.last == Canary::Silent
    }

    fn has_canaries(&self) -> bool {
        !self.config.canary.is_empty()
    }

    fn forget_failures(&mut self) {
        for known in &mut self.known {
            if known.last != Some(State::Down) && known.track.failures > 0 {
                known.track.failures = 0;
                known.track.first_failure = None;
                if known.track.settled == Settled::Down {
                    known.track.settled = Settled::Unknown;
                    known.track.since = None;
                }
                known.unsaved = true;
            }
        }
    }

    /// Compares what is believed of a host with what was told last.
    pub(super) fn evaluate(&mut self, index: usize) -> Option<Transition> {
        let verdict = self.verdict(index, Timestamp::now());
        let now = Told {
            state: verdict.state,
            recovering: verdict.recovering,
            spared: verdict.spared && self.canary_is_silent(),
        };
        let known = self.known.get_mut(index)?;
        let before = known.told.replace(now)?;
        if before == now {
            return None;
        }
        let asks_for_a_walk = match now.state {
            State::Down => !now.recovering,
            // After a mere suspicion there is nothing to do.
            State::Up => known.last != Some(State::Up),
            // That it is spared is to be told.
            State::Suspect => now.spared,
            State::Unknown => false,
        };
        if matches!(now.state, State::Up | State::Down) {
            known.last = Some(now.state);
        }
        Some(Transition {
            verdict,
            before: before.state,
            asks_for_a_walk,
        })
    }

    /// Those of these hosts whose removals wait for no sample any more.
    pub(super) fn ready(&self, waiting: BTreeSet<usize>) -> BTreeSet<usize> {
        if waiting.is_empty() {
            return waiting;
        }
        let verdicts = self.verdicts();
        let waits = |&host: &usize| plan::awaits_samples(&self.config.hosts, &verdicts, host);
        waiting.into_iter().filter(|host| !waits(host)).collect()
    }

    /// True while the host is asked, and its samples do not yet say whether it is up.
    pub(super) fn is_settling(&self, index: usize) -> bool {
        let (Some(host), Some(known)) = (self.config.hosts.get(index), self.known.get(index))
        else {
            return false;
        };
        let is_wanted = is_asked(host) && host.role != Role::Retired;
        is_wanted && known.track.settled == Settled::Unknown && known.obstacle.is_none()
    }

    /// The verdicts of the probes, no override applied.
    pub(super) fn verdicts(&self) -> Verdicts {
        let now = Timestamp::now();
        Verdicts {
            hosts: (0..self.len())
                .map(|index| self.verdict(index, now))
                .collect(),
            canary: self.canary.last,
        }
    }

    /// The verdict of the probes on one host, no override applied.
    pub(super) fn verdict(&self, index: usize, now: Timestamp) -> Verdict {
        let (Some(host), Some(known)) = (self.config.hosts.get(index), self.known.get(index))
        else {
            return Verdict::unknown("not in the inventory");
        };
        if host.role == Role::Retired {
            return health::retired();
        }
        if !is_asked(host) {
            return health::trusted();
        }
        track::verdict(
            &known.track,
            &host.health,
            self.canary_for(known),
            known.obstacle.as_deref(),
            now,
        )
    }

    /// What the canaries say of our network, as far as it concerns this host.
    ///
    /// A host goes down only when they answered after its newest failed probe began; for one that
    /// is down, what they last said counts.
    fn canary_for(&self, known: &Known) -> Canary {
        if !self.has_canaries() {
            return Canary::Unused;
        }
        let newest = known.track.newest.as_ref().map(|newest| newest.began);
        let is_down = known.told.is_some_and(|told| told.state == State::Down);
        if is_down || self.canary.began >= newest {
            self.canary.last
        } else {
            Canary::Silent
        }
    }

    /// What is not stored yet, which then counts as stored; `None`: nothing.
    pub(super) fn unsaved(&mut self) -> Option<Unsaved> {
        let mut tracks = Vec::new();
        for (host, known) in self.config.hosts.iter().zip(&mut self.known) {
            if std::mem::take(&mut known.unsaved) {
                tracks.push((host.name().clone(), known.track.clone()));
            }
        }
        (!tracks.is_empty()).then(|| Unsaved {
            tracks,
            samples: std::mem::take(&mut self.samples),
        })
    }

    /// Has everything stored once more, after it could not be.
    pub(super) fn save_again(&mut self) {
        for known in &mut self.known {
            known.unsaved = known.track.newest.is_some();
        }
    }

    /// The tracks, for another configuration.
    pub(super) fn into_tracks(self) -> BTreeMap<Name, Track> {
        let names = self.config.hosts.iter().map(Host::name).cloned();
        names
            .zip(self.known.into_iter().map(|known| known.track))
            .collect()
    }
}
