//! Check commands: exit status 0 is up.

use std::net::SocketAddr;
use std::os::unix::process::ExitStatusExt;
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use rustix::process::{Pid, Signal, kill_process_group};
use tokio::io::{AsyncRead, AsyncReadExt};
use tokio::process::{Child, Command};
use tokio::time::{Instant, timeout, timeout_at};

use super::AddressResult;
use crate::model::{Failure, Name, NoSample};

/// What is kept of the command's standard error, in octets; the rest is read and dropped.
const COMPLAINT_OCTETS: usize = 1024;
/// What is shown of its first line, in characters.
const COMPLAINT_CHARACTERS: usize = 200;
/// How long a killed command may take to vanish; it can hang in the kernel, on a dead file server.
const REAP_LIMIT: Duration = Duration::from_secs(1);

/// Runs the command and passes when it exits with status 0 before the deadline.
///
/// No shell takes part: `command` is the program and its arguments. In each, `{host}` becomes the
/// host's name without the final dot, as other tools expect it, `{address}` the IP address and
/// `{port}` the port. The command inherits PATH and nothing else of the environment, reads nothing,
/// and only the first line of its standard error is kept, for the failure's text. At the deadline
/// it is killed with all processes of its group.
pub(super) async fn check(
    command: &[String],
    host: &Name,
    address: SocketAddr,
    deadline: Instant,
) -> AddressResult {
    let mut words = command.iter().map(|word| replaced(word, host, address));
    let Some(program) = words.next() else {
        return Err(NoSample(
            "the check \"exec\" has no `command`; give the program and its arguments".into(),
        ));
    };
    let child = Command::new(&program)
        .args(words)
        .env_clear()
        .envs(std::env::var_os("PATH").map(|path| ("PATH", path)))
        .stdin(Stdio::null())
        .stdout(Stdio::null())
        .stderr(Stdio::piped())
        .process_group(0)
        .kill_on_drop(true)
        .spawn()
        .map_err(|error| NoSample(format!("the check command {program} cannot start: {error}")))?;
    finish(Running(child), deadline).await
}

async fn finish(mut running: Running, deadline: Instant) -> AddressResult {
    let stderr = running.0.stderr.take();
    let mut complaint = Vec::new();
    let mut ended = None;
    // A command that is done but has left a process holding its standard error keeps us here until
    // the deadline, and its status still counts.
    let _ = timeout_at(deadline, async {
        let wait = async { ended = Some(running.0.wait().await) };
        tokio::join!(wait, read_complaint(stderr, &mut complaint));
    })
    .await;
    match ended {
        Some(Ok(status)) => Ok(judge(status, &complaint)),
        Some(Err(error)) => Err(NoSample(format!(
            "the check command's exit status cannot be read: {error}"
        ))),
        None => {
            running.kill().await;
            Ok(Err(Failure::Exec(
                "it did not end within the time-out and was killed".into(),
            )))
        }
    }
}

fn judge(status: ExitStatus, complaint: &[u8]) -> Result<(), Failure> {
    if status.success() {
        return Ok(());
    }
    let end = match (status.code(), status.signal()) {
        (Some(code), _) => format!("exit status {code}"),
        (None, Some(signal)) => format!("ended by signal {signal}"),
        (None, None) => status.to_string(),
    };
    let complaint = first_line(complaint);
    Err(Failure::Exec(if complaint.is_empty() {
        end
    } else {
        format!("{end}: {complaint}")
    }))
}

fn first_line(octets: &[u8]) -> String {
    String::from_utf8_lossy(octets)
        .lines()
        .next()
        .unwrap_or_default()
        .chars()
        .filter(|character| !character.is_control())
        .take(COMPLAINT_CHARACTERS)
        .collect()
}

/// Reads to the end, for a full pipe would stop the command; keeps the beginning.
async fn read_complaint(stderr: Option<impl AsyncRead + Unpin>, complaint: &mut Vec<u8>) {
    let Some(mut stderr) = stderr else { return };
    let mut chunk = [0; COMPLAINT_OCTETS];
    while let Ok(octets @ 1..) = stderr.read(&mut chunk).await {
        let room = COMPLAINT_OCTETS.saturating_sub(complaint.len());
        complaint.extend(chunk.iter().take(octets.min(room)));
    }
}

fn replaced(word: &str, host: &Name, address: SocketAddr) -> String {
    let host = host.to_string();
    // The host comes last: only its text could contain another placeholder.
    word.replace("{address}", &address.ip().to_string())
        .replace("{port}", &address.port().to_string())
        .replace("{host}", host.strip_suffix('.').unwrap_or(&host))
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
mod tests {
    use std::fs::File;
    use std::io::{BufRead, BufReader, Read};
    use std::path::Path;

    use tokio::task::{JoinHandle, spawn_blocking};

    use super::*;

    const FAR: Duration = Duration::from_secs(3600);

    async fn run(command: &[&str]) -> AddressResult {
        let command: Vec<_> = command.iter().map(|&word| word.to_owned()).collect();
        let host = Name::parse("kms1.corp.example.").unwrap();
        let address = "127.0.0.1:1688".parse().unwrap();
        check(&command, &host, address, Instant::now() + FAR).await
    }

    async fn shell(script: &str) -> AddressResult {
        run(&["sh", "-c", script]).await
    }

    fn failed(text: impl Into<String>) -> AddressResult {
        Ok(Err(Failure::Exec(text.into())))
    }

    #[tokio::test]
    async fn the_exit_status_decides() {
        assert_eq!(run(&["true"]).await, Ok(Ok(())));
        assert_eq!(shell("echo trouble >&2; exit 0").await, Ok(Ok(())));
        assert_eq!(shell("exit 3").await, failed("exit status 3"));
        assert_eq!(shell("kill -TERM $$").await, failed("ended by signal 15"));
    }

    #[tokio::test]
    async fn the_first_line_of_the_complaint_is_shown() {
        assert_eq!(
            shell("echo no licence >&2; echo more >&2; exit 2").await,
            failed("exit status 2: no licence")
        );
        assert_eq!(
            shell("printf 'red \\033[31m\\377' >&2; exit 2").await,
            failed("exit status 2: red [31m\u{fffd}")
        );
        let long = "x".repeat(300);
        assert_eq!(
            shell(&format!("echo {long} >&2; exit 2")).await,
            failed(format!("exit status 2: {}", "x".repeat(200)))
        );
        // More than a pipe holds: it must be read for the command to end.
        assert_eq!(
            shell("head -c 1000000 /dev/zero >&2; exit 2").await,
            failed("exit status 2")
        );
    }

    #[tokio::test]
    async fn a_command_that_cannot_start_says_nothing_of_the_host() {
        let NoSample(text) = run(&["/nonexistent/check"]).await.unwrap_err();
        assert!(
            text.starts_with("the check command /nonexistent/check cannot start: "),
            "{text}"
        );
        assert!(run(&["/"]).await.is_err(), "a directory");
        assert!(run(&[]).await.is_err(), "no command");
    }

    #[tokio::test]
    async fn placeholders_are_replaced_without_a_shell() {
        assert_eq!(
            run(&[
                "sh",
                "-c",
                r#"test "$0 $1 $#" = "kms1.corp.example:1688 --to=127.0.0.1;x 1""#,
                "{host}:{port}",
                "--to={address};x",
            ])
            .await,
            Ok(Ok(()))
        );
    }

    #[test]
    fn only_the_placeholders_of_the_word_are_replaced() {
        let host = Name::parse("{port}.example.").unwrap();
        let address = "[2001:db8::1]:1688".parse().unwrap();
        assert_eq!(
            replaced("{host} {address} {port} {other}", &host, address),
            "{port}.example 2001:db8::1 1688 {other}"
        );
    }

    #[tokio::test]
    async fn only_path_is_inherited() {
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        assert_eq!(
            shell(r#"test -n "$PATH" && test -z "$CARGO_MANIFEST_DIR""#).await,
            Ok(Ok(()))
        );
    }

    /// A command that has a child of its own; both hold the write end of a pipe while they live.
    struct Parent {
        pipe: BufReader<File>,
        id: Pid,
        child_id: Pid,
        check: JoinHandle<AddressResult>,
        _directory: tempfile::TempDir,
    }

    impl Parent {
        /// Starts it, and returns when its child has started too.
        async fn start(then: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let fifo = directory.path().join("alive");
            let made = Command::new("mkfifo").arg(&fifo).status().await.unwrap();
            assert!(made.success());
            let script = format!(
                "exec 3>{}; sleep 3600 & echo $$ $! >&3; {then}",
                fifo.to_str().unwrap()
            );
            let check = tokio::spawn(async move { shell(&script).await });
            let (pipe, line) = spawn_blocking(move || {
                let mut pipe = BufReader::new(File::open(fifo).unwrap());
                let mut line = String::new();
                pipe.read_line(&mut line).unwrap();
                (pipe, line)
            })
            .await
            .unwrap();
            let ids: Vec<_> = line
                .split_whitespace()
                .map(|id| Pid::from_raw(id.parse().unwrap()).unwrap())
                .collect();
            Self {
                pipe,
                id: ids[0],
                child_id: ids[1],
                check,
                _directory: directory,
            }
        }

        /// False when it is gone, and reaped too.
        fn exists(&self) -> bool {
            Path::new("/proc").join(self.id.to_string()).exists()
        }

        async fn let_the_deadline_pass(&mut self) -> AddressResult {
            tokio::time::pause();
            tokio::time::advance(FAR).await;
            tokio::time::resume();
            (&mut self.check).await.unwrap()
        }

        /// Returns when the last process that holds the pipe is gone.
        async fn all_gone(mut self) {
            let rest = spawn_blocking(move || {
                let mut rest = String::new();
                self.pipe.read_to_string(&mut rest).unwrap();
                rest
            });
            assert_eq!(rest.await.unwrap(), "");
        }
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children_and_reaped() {
        let mut parent = Parent::start("wait").await;
        assert!(parent.exists());
        assert_eq!(
            parent.let_the_deadline_pass().await,
            failed("it did not end within the time-out and was killed")
        );
        assert!(!parent.exists(), "a zombie remains");
        parent.all_gone().await;
    }

    #[tokio::test]
    async fn a_probe_that_is_given_up_takes_its_command_along() {
        let parent = Parent::start("wait").await;
        parent.check.abort();
        parent.all_gone().await;
    }

    #[tokio::test]
    async fn the_status_counts_although_a_process_is_left_behind() {
        let mut parent = Parent::start("echo no licence >&2; exit 4").await;
        while parent.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(
            parent.let_the_deadline_pass().await,
            failed("exit status 4: no licence")
        );
        rustix::process::kill_process(parent.child_id, Signal::KILL).unwrap();
        parent.all_gone().await;
    }
}
