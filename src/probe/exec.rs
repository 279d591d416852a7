//! Check commands: exit status 0 is up.

use std::net::SocketAddr;

use tokio::time::Instant;

use super::AddressResult;
use crate::exit::chain;
use crate::model::{Failure, Name, NoSample};
use crate::process::{self, Task};

/// Runs the command and passes when it exits with status 0 before the deadline.
///
/// No shell takes part: `command` is the program and its arguments. In each, `{host}` becomes the
/// host's name without the final dot, as other tools expect it, `{address}` the IP address and
/// `{port}` the port. The command reads nothing, and only the first line of its standard error is
/// kept, for the failure's text. At the deadline it is killed with all processes of its group.
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
    let arguments: Vec<String> = words.collect();
    let ended = process::run(Task {
        program: &program,
        arguments: &arguments,
        input: None,
        keep_output: false,
        deadline,
    })
    .await
    .map_err(|error| NoSample(format!("the check command {program} {}", chain(&error))))?;
    Ok(match ended.status {
        Some(status) if status.success() => Ok(()),
        Some(status) => Err(Failure::Exec(process::describe(status, &ended.complaint))),
        None => Err(Failure::Exec(
            "it did not end within the time-out and was killed".into(),
        )),
    })
}

fn replaced(word: &str, host: &Name, address: SocketAddr) -> String {
    let host = host.to_string();
    // The host comes last: only its text could contain another placeholder.
    word.replace("{address}", &address.ip().to_string())
        .replace("{port}", &address.port().to_string())
        .replace("{host}", host.strip_suffix('.').unwrap_or(&host))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use rustix::process::Signal;
    use tokio::task::JoinHandle;

    use super::*;
    use crate::process::tests::{Alive, pass};

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

    /// A check whose command has a child of its own.
    struct Parent {
        alive: Alive,
        check: JoinHandle<AddressResult>,
        _directory: tempfile::TempDir,
    }

    impl Parent {
        /// Starts it, and returns when its child has started too.
        async fn start(then: &str) -> Self {
            let directory = tempfile::tempdir().unwrap();
            let (fifo, script) = Alive::script(directory.path(), then).await;
            let check = tokio::spawn(async move { shell(&script).await });
            Self {
                alive: Alive::begun(fifo).await,
                check,
                _directory: directory,
            }
        }

        async fn let_the_deadline_pass(&mut self) -> AddressResult {
            pass(FAR).await;
            (&mut self.check).await.unwrap()
        }
    }

    #[tokio::test]
    async fn a_command_that_hangs_is_killed_with_its_children_and_reaped() {
        let mut parent = Parent::start("wait").await;
        assert!(parent.alive.exists());
        assert_eq!(
            parent.let_the_deadline_pass().await,
            failed("it did not end within the time-out and was killed")
        );
        assert!(!parent.alive.exists(), "a zombie remains");
        parent.alive.all_gone().await;
    }

    #[tokio::test]
    async fn a_probe_that_is_given_up_takes_its_command_along() {
        let parent = Parent::start("wait").await;
        parent.check.abort();
        parent.alive.all_gone().await;
    }

    #[tokio::test]
    async fn the_status_counts_although_a_process_is_left_behind() {
        let mut parent = Parent::start("echo no licence >&2; exit 4").await;
        while parent.alive.exists() {
            tokio::time::sleep(Duration::from_millis(1)).await;
        }
        assert_eq!(
            parent.let_the_deadline_pass().await,
            failed("exit status 4: no licence")
        );
        rustix::process::kill_process(parent.alive.child_id, Signal::KILL).unwrap();
        parent.alive.all_gone().await;
    }
}
