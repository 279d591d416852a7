//! Asks each host again and again, at its interval.

use std::sync::Arc;
use std::time::Duration;

use ring::rand::{SecureRandom, SystemRandom};
use tokio::sync::mpsc;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

use crate::config::Config;
use crate::dns::resolve::Resolver;
use crate::health::Probed;
use crate::model::{Host, Role};
use crate::probe::probe;

/// The first probes of all hosts are spread over this time.
const SPREAD: Duration = Duration::from_secs(1);

/// Results that wait for the daemon; when it is behind, the probers wait.
const QUEUE: usize = 1024;

/// One probe's result, and the host's index in the inventory.
pub(super) type Answered = (usize, Probed);

/// A task for each host that is asked; they end when this is dropped.
pub(super) struct Probers {
    /// Held for its tasks, which end with it.
    _tasks: JoinSet<()>,
    answers: mpsc::Receiver<Answered>,
}

impl Probers {
    /// Begins to ask every host that is neither retired nor trusted.
    pub(super) fn start(config: &Arc<Config>, resolver: &Arc<Resolver>) -> Self {
        let (answered, answers) = mpsc::channel(QUEUE);
        let mut tasks = JoinSet::new();
        for (index, host) in config.hosts.iter().enumerate() {
            if is_asked(host) {
                let prober = Prober {
                    config: Arc::clone(config),
                    resolver: Arc::clone(resolver),
                    index,
                    answered: answered.clone(),
                };
                tasks.spawn(prober.run());
            }
        }
        Self {
            _tasks: tasks,
            answers,
        }
    }

    /// The next answer; waits for ever where no host is asked.
    pub(super) async fn next(&mut self) -> Answered {
        match self.answers.recv().await {
            Some(answered) => answered,
            None => std::future::pending().await,
        }
    }
}

/// True for hosts that probing can tell something about.
pub(super) fn is_asked(host: &Host) -> bool {
    host.role != Role::Retired && !host.health.is_trusted()
}

/// A number between 0 and 1; 0 where the system gives none.
pub(super) fn jitter() -> f64 {
    let mut octets = [0; 4];
    match SystemRandom::new().fill(&mut octets) {
        Ok(()) => f64::from(u32::from_ne_bytes(octets)) / f64::from(u32::MAX),
        Err(_) => 0.0,
    }
}

struct Prober {
    config: Arc<Config>,
    resolver: Arc<Resolver>,
    index: usize,
    answered: mpsc::Sender<Answered>,
}

impl Prober {
    async fn run(self) {
        let Some(host) = self.config.hosts.get(self.index) else {
            return;
        };
        let interval = host.health.interval;
        let mut next = Instant::now() + SPREAD.min(interval).mul_f64(jitter());
        loop {
            sleep_until(next).await;
            // Up to a tenth early, never late: a failure is to be seen within `fall` intervals.
            next = Instant::now() + interval.mul_f64(1.0 - 0.1 * jitter());
            let probed = probe(host, &self.resolver).await;
            if self.answered.send((self.index, probed)).await.is_err() {
                return;
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::config;

    const CONFIGURATION: &str = r#"
version = 1

[[host]]
name = "kms1.corp.example."
address = ["127.0.0.1"]
check = "exec"
command = ["/nonexistent/check"]
interval = "10s"

[[host]]
name = "kms2.corp.example."
check = "none"

[[host]]
name = "kms3.corp.example."
role = "retired"

[[zone]]
name = "corp.example."
"#;

    #[tokio::test(start_paused = true)]
    async fn a_host_is_asked_at_its_interval_and_never_late() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("srvkeeper.toml");
        std::fs::write(&file, CONFIGURATION).unwrap();
        let config = Arc::new(config::load(&file).unwrap());
        let resolver = Arc::new(Resolver::with_name_servers(&[]));

        let begin = Instant::now();
        let mut probers = Probers::start(&config, &resolver);
        let mut asked = Vec::new();
        for _time in 0..50 {
            // The command cannot be started, which takes no time and is no sample.
            let (index, probed) = probers.next().await;
            assert_eq!(index, 0, "the others are not asked");
            probed.unwrap_err();
            asked.push(Instant::now());
        }
        assert!(asked[0] - begin <= SPREAD);
        let millisecond = Duration::from_millis(1);
        for pair in asked.windows(2) {
            let between = pair[1] - pair[0];
            assert!(between >= Duration::from_secs(9), "{between:?}");
            assert!(
                between <= Duration::from_secs(10) + millisecond,
                "{between:?}"
            );
        }
    }
}
