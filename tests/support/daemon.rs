//! A daemon of an installation, and the events that a test waits for.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::mpsc::{self, Receiver, RecvTimeoutError};
use std::thread;
use std::time::{Duration, Instant};

use super::site::Site;

/// No event takes longer on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(30);
/// Between two looks at what cannot be waited for.
const LOOK_EVERY: Duration = Duration::from_millis(20);

/// `srvkeeper run`, killed when dropped.
pub(crate) struct Daemon {
    child: Child,
    lines: Receiver<String>,
    /// What it has said so far.
    pub(crate) log: String,
}

impl Daemon {
    /// Starts it, without waiting.
    pub(crate) fn start(site: &Site, arguments: &[&str]) -> Self {
        Self::start_in(site, &[], arguments)
    }

    /// Starts it with these variables as the only ones of the environment.
    pub(crate) fn start_in(site: &Site, environment: &[(&str, &str)], arguments: &[&str]) -> Self {
        let mut command = site.command(&with_run(arguments));
        command.envs(environment.iter().copied());
        Self::spawn(command)
    }

    /// Starts it by a shell that first does something to itself, such as `trap '' XFSZ`.
    pub(crate) fn start_through(site: &Site, preparation: &str, arguments: &[&str]) -> Self {
        let daemon = site.command(&with_run(arguments));
        let mut command = Command::new("sh");
        command
            .args(["-c", &format!("{preparation}; exec \"$@\""), "sh"])
            .arg(daemon.get_program())
            .args(daemon.get_args())
            .env_clear()
            .env("PATH", "/usr/bin:/bin")
            .stdin(Stdio::null());
        Self::spawn(command)
    }

    fn spawn(mut command: Command) -> Self {
        let mut child = command
            .stdout(Stdio::null())
            .stderr(Stdio::piped())
            .spawn()
            .expect("timeout, of coreutils");
        let stderr = BufReader::new(child.stderr.take().unwrap());
        let (said, lines) = mpsc::channel();
        thread::spawn(move || {
            for line in stderr.lines().map_while(Result::ok) {
                if said.send(line).is_err() {
                    return;
                }
            }
        });
        Self {
            child,
            lines,
            log: String::new(),
        }
    }

    /// Waits for the next line of the log that has the text.
    #[track_caller]
    pub(crate) fn wait_for(&mut self, text: &str) -> String {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let left = deadline.saturating_duration_since(Instant::now());
            match self.lines.recv_timeout(left) {
                Ok(line) => {
                    self.log.push_str(&line);
                    self.log.push('\n');
                    if line.contains(text) {
                        return line;
                    }
                }
                Err(RecvTimeoutError::Timeout) => panic!("no «{text}» in:\n{}", self.log),
                Err(RecvTimeoutError::Disconnected) => {
                    panic!("ended without «{text}»:\n{}", self.log)
                }
            }
        }
    }

    /// Reads all that it has said up to now.
    pub(crate) fn read_log(&mut self) -> &str {
        while let Ok(line) = self.lines.try_recv() {
            self.log.push_str(&line);
            self.log.push('\n');
        }
        &self.log
    }

    /// The process id of the daemon itself, once it runs.
    pub(crate) fn pid(&self) -> String {
        let mut pid = String::new();
        eventually(
            || {
                let parent = self.child.id().to_string();
                let found = Command::new("pgrep").args(["-P", &parent]).output();
                pid = String::from_utf8(found.unwrap().stdout).unwrap();
                pid.lines().count()
            },
            1,
        );
        pid.trim().to_owned()
    }

    /// The most memory that it has had so far, in mebibytes.
    pub(crate) fn peak_memory(&self) -> u64 {
        let status = fs::read_to_string(format!("/proc/{}/status", self.pid())).unwrap();
        let line = status.lines().find_map(|line| line.strip_prefix("VmHWM:"));
        let kibibytes = line.unwrap().trim().trim_end_matches(" kB");
        kibibytes.parse::<u64>().unwrap() / 1024
    }

    /// Sends a signal, such as `HUP`.
    pub(crate) fn signal(&self, name: &str) {
        let sent = Command::new("kill")
            .args([&format!("-{name}"), &self.child.id().to_string()])
            .status();
        assert!(sent.unwrap().success());
    }

    /// SIGTERM, and how it ended.
    pub(crate) fn stop(mut self) -> (ExitStatus, String) {
        self.signal("TERM");
        self.end()
    }

    /// Waits until it has ended by itself.
    pub(crate) fn wait(mut self) -> (ExitStatus, String) {
        self.end()
    }

    /// `kill -9`, of the daemon itself.
    pub(crate) fn kill(mut self) {
        kill_tree(&self.child);
        self.end();
    }

    fn end(&mut self) -> (ExitStatus, String) {
        let status = self.child.wait().unwrap();
        // The pipe is closed now, so that this ends.
        self.log.extend(self.lines.iter().map(|line| line + "\n"));
        (status, std::mem::take(&mut self.log))
    }
}

impl Drop for Daemon {
    fn drop(&mut self) {
        if self.child.try_wait().ok().flatten().is_none() {
            kill_tree(&self.child);
            let _ = self.child.wait();
        }
    }
}

fn with_run<'a>(arguments: &[&'a str]) -> Vec<&'a str> {
    std::iter::once("run")
        .chain(arguments.iter().copied())
        .collect()
}

/// Kills the child of `timeout`, which then ends too.
fn kill_tree(child: &Child) {
    let _ = Command::new("pkill")
        .args(["-KILL", "-P", &child.id().to_string()])
        .status();
}

/// Looks until it is as expected; the last look is what the failure shows.
#[track_caller]
pub(crate) fn eventually<T: PartialEq + std::fmt::Debug>(
    mut look: impl FnMut() -> T,
    expected: T,
) -> Duration {
    let begin = Instant::now();
    loop {
        let seen = look();
        if seen == expected {
            return begin.elapsed();
        }
        assert!(
            begin.elapsed() < PATIENCE,
            "not within {PATIENCE:?}: {seen:?}, expected {expected:?}"
        );
        thread::sleep(LOOK_EVERY);
    }
}
