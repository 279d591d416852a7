//! The operator's commands, check commands and hooks: started without a shell, and ended in time.
//!
//! A command inherits PATH and nothing else of the environment, and leads a process group of its
//! own, with which it is killed at its deadline or when nobody waits for it any longer.

#![allow(clippy::disallowed_methods, reason = "shell")]

use std::io;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWriteExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout, timeout_at};

/// What is kept of a command's output, in octets; the rest is read and dropped.
const KEPT_OCTETS: usize = 1024;
/// What is shown of its first line, in characters.
const SHOWN_CHARACTERS: usize = 200;
/// How long a killed command may take to vanish; it can hang in the kernel, on a dead file server.
const REAP_LIMIT: Duration = Duration::from_secs(1);

/// A command to run.
#[derive(Debug, Clone, Copy)]
pub struct Task<'a> {
    /// The program, looked for in PATH.
    pub program: &'a str,
    /// Its arguments.
    pub arguments: &'a [String],
    /// What it reads; `None`: nothing.
    pub input: Option<&'a str>,
    /// Whether the beginning of its standard output is kept.
    pub keep_output: bool,
    /// When it is killed.
    pub deadline: Instant,
}

/// What became of a command that started.
#[derive(Debug)]
pub struct Ended {
    /// `None`: it did not end before the deadline, and was killed.
    pub status: Option<ExitStatus>,
    /// The beginning of its standard output.
    pub output: Vec<u8>,
    /// The beginning of its standard error.
    pub complaint: Vec<u8>,
}

/// Why nothing is known of a command.
#[derive(Debug, thiserror::Error)]
pub enum Error {
    /// It does not exist, or may not be run, or there is no room for another process.
    #[error("cannot start")]
    Start(#[source] io::Error),
    /// The system does not tell how it ended.
    #[error("gives no exit status")]
    Wait(#[source] io::Error),
}

/// Runs the command until it ends, or until its deadline.
///
/// That it does not read its input is no error. A command that is done but has left a process
/// holding its output keeps us here until the deadline, and its status still counts.
pub async fn run(task: Task<'_>) -> Result<Ended, Error> {
    let pipe_or_null = |wanted| match wanted {
        true => Stdio::piped(),
        false => Stdio::null(),
    };
    let child = Command::new(task.program)
        .args(task.arguments)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(pipe_or_null(task.input.is_some()))
        .stdout(pipe_or_null(task.keep_output))
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(Error::Start)?;
    finish(Running(child), task).await
}

async fn finish(mut running: Running, task: Task<'_>) -> Result<Ended, Error> {
    let stdin = running.0.stdin.take();
    let stdout = running.0.stdout.take();
    let stderr = running.0.stderr.take();
    let (mut output, mut complaint) = (Vec::new(), Vec::new());
    let mut ended = None;
    let _ = timeout_at(task.deadline, async {
        let write = async {
            if let (Some(mut stdin), Some(input)) = (stdin, task.input) {
                // A command that does not read to the end breaks the pipe, as it may.
                let _ = stdin.write_all(input.as_bytes()).await;
            }
        };
        let wait = async { ended = Some(running.0.wait().await) };
        tokio::join!(
            write,
            wait,
            read_beginning(stdout, &mut output),
            read_beginning(stderr, &mut complaint)
        );
    })
    .await;
    let status = match ended {
        Some(status) => Some(status.map_err(Error::Wait)?),
        None => {
            running.kill().await;
            None
        }
    };
    Ok(Ended {
        status,
        output,
        complaint,
    })
}

/// Reads to the end, for a full pipe would stop the command; keeps the beginning.
async fn read_beginning(pipe: Option<impl AsyncRead + Unpin>, beginning: &mut Vec<u8>) {
    let Some(mut pipe) = pipe else { return };
    let mut chunk = [0; KEPT_OCTETS];
    while let Ok(octets @ 1..) = pipe.read(&mut chunk).await {
        let room = KEPT_OCTETS.saturating_sub(beginning.len());
        beginning.extend(chunk.iter().take(octets.min(room)));
    }
}

/// `exit status 2: no licence`: how it ended, and the first line of what it complained of.
pub fn describe(status: ExitStatus, complaint: &[u8]) -> String {
    let end = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    };
    let complaint = first_line(complaint);
    if complaint.is_empty() {
        end
    } else {
        format!("{end}: {complaint}")
    }
}

/// The first line, cut, without control characters.
pub fn first_line(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets)
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|character| !character.is_control())
        .take(SHOWN_CHARACTERS)
        .collect()
}

/// A command under way; dropped early, it takes its process group with it.
struct Running(Child);

impl Running {
    /// Kills the process group and reaps the command.
    async fn kill(&mut self) {
        self.kill_group();
        // Left unreaped after this limit, the runtime reaps it later.
        let _ = timeout(REAP_LIMIT, self.0.wait()).await;
    }

    /// Until the command is reaped, its id cannot have passed to another process group.
    fn kill_group(&self) {
        let leader = self
            .0
            .id()
            .and_then(|id| i32::try_from(id).ok())
            .and_then(Pid::from_raw);
        if let Some(leader) = leader {
            // An error means that the group is gone.
            let _ = kill_process_group(leader, Signal::KILL);
        }
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.kill_group();
    }
}

#[cfg(test)]
pub(crate) mod tests {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read};
    use std::path::{Path, PathBuf};

    use tokio::task::spawn_blocking;

    use super::*;

    /// The read end of a pipe that a command and its child hold while they live.
    pub(crate) struct Alive {
        pipe: BufReader<File>,
        /// The command.
        pub(crate) id: Pid,
        /// Its child.
        pub(crate) child_id: Pid,
    }

    impl Alive {
        /// A new pipe, and the script of a command with a child that hold it; `then` follows.
        pub(crate) async fn script(directory: &Path, then: &str) -> (PathBuf, String) {
            let fifo = directory.join("alive");
            let made = Command::new("mkfifo").arg(&fifo).status().await.unwrap();
            assert!(made.success());
            let script = format!(
                "exec 3>{}; sleep 3600 & echo $$ $! >&3; {then}",
                fifo.to_str().unwrap()
            );
            (fifo, script)
        }

        /// Returns when the command and its child have started.
        pub(crate) async fn begun(fifo: PathBuf) -> Self {
            spawn_blocking(move || {
                let mut pipe = BufReader::new(File::open(fifo).unwrap());
                let mut line = String::new();
                pipe.read_line(&mut line).unwrap();
                let mut ids = line
                    .split_whitespace()
                    .map(|id| Pid::from_raw(id.parse().unwrap()).unwrap());
                Self {
                    pipe,
                    id: ids.next().unwrap(),
                    child_id: ids.next().unwrap(),
                }
            })
            .await
            .unwrap()
        }

        /// False when the command is gone, and reaped too.
        pub(crate) fn exists(&self) -> bool {
            Path::new("/proc").join(self.id.to_string()).exists()
        }

        /// Returns when the last process that holds the pipe is gone.
        pub(crate) async fn all_gone(mut self) {
            let rest = spawn_blocking(move || {
                let mut rest = String::new();
                self.pipe.read_to_string(&mut rest).unwrap();
                rest
            });
            assert_eq!(rest.await.unwrap(), "");
        }
    }

    /// Lets what waits for the time do so, while processes go on in theirs.
    pub(crate) async fn pass(time: Duration) {
        tokio::time::pause();
        tokio::time::advance(time).await;
        tokio::time::resume();
    }

    async fn shell(script: &str, input: Option<&str>) -> Ended {
        run(Task {
            program: "sh",
            arguments: &["-c".to_owned(), script.to_owned()],
            input,
            keep_output: true,
            deadline: Instant::now() + Duration::from_secs(3600),
        })
        .await
        .unwrap()
    }

    #[tokio::test]
    async fn input_goes_in_and_the_beginning_of_the_output_comes_back() {
        let long = "x".repeat(1_000_000);
        let ended = shell("cat; echo done >&2", Some(&long)).await;
        assert!(ended.status.unwrap().success());
        assert_eq!(ended.output, long.as_bytes()[..KEPT_OCTETS]);
        assert_eq!(ended.complaint, b"done\n");
    }

    #[tokio::test]
    async fn a_command_need_not_read_its_input() {
        // More than a pipe holds, so that writing fails when the command has ended.
        let long = "x".repeat(1_000_000);
        let ended = shell("exit 0", Some(&long)).await;
        assert!(ended.status.unwrap().success());
        let ended = shell("exec 0<&-; exit 5", Some(&long)).await;
        assert_eq!(ended.status.unwrap().code(), Some(5));
    }

    #[tokio::test]
    async fn without_input_there_is_nothing_to_read() {
        assert_eq!(shell("cat", None).await.output, b"");
    }
}
