//! The operator's commands that hear of changes and alerts.
//!
//! Each of the two has a queue and runs one event at a time, in order, so that an alert never waits
//! for the news of a thousand changes. A hook that fails, hangs or does not exist is logged and
//! hurts nothing.

#![allow(clippy::disallowed_methods, reason = "shell")]

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use tokio::sync::mpsc::error::TrySendError;
use tokio::sync::mpsc::{self, Receiver, Sender};
use tokio::task::JoinHandle;
use tokio::time::{Instant, timeout_at};
use tracing::{debug, warn};

use crate::exit::chain;
use crate::process::{self, Task};

/// How long a hook may take for one event; then it is killed with all processes of its group.
pub const TIME_LIMIT: Duration = Duration::from_secs(10);

/// Events that may wait for each hook: enough for a change in each of some thousand zones.
const QUEUE: usize = 4096;

/// The two hooks; a hook without a command does nothing.
#[derive(Debug)]
pub struct Hooks {
    change: Option<Hook>,
    alert: Option<Hook>,
}

impl Hooks {
    /// Starts the tasks that run them; call it inside a tokio runtime.
    ///
    /// Each command is the program and its arguments; empty: no hook.
    pub fn start(on_change: &[String], on_alert: &[String]) -> Self {
        Self {
            change: Hook::start("on_change", on_change, QUEUE),
            alert: Hook::start("on_alert", on_alert, QUEUE),
        }
    }

    /// Queues an event for `on_change`, as `render::hook::change` writes it.
    pub fn change(&self, json: String) {
        if let Some(hook) = &self.change {
            hook.queue(json);
        }
    }

    /// Queues an event for `on_alert`, as `render::hook::alert` writes it.
    pub fn alert(&self, json: String) {
        if let Some(hook) = &self.alert {
            hook.queue(json);
        }
    }

    /// Waits for the queues to run empty, at most for `limit`; then kills what still runs.
    pub async fn finish(self, limit: Duration) {
        let deadline = Instant::now() + limit;
        let finish = |hook: Option<Hook>| async move {
            if let Some(hook) = hook {
                hook.finish(deadline).await;
            }
        };
        tokio::join!(finish(self.change), finish(self.alert));
    }
}

/// One hook: its queue and the task that empties it.
#[derive(Debug)]
struct Hook {
    key: &'static str,
    events: Sender<String>,
    /// Events that found the queue full since the last one that did not.
    dropped: AtomicUsize,
    runner: JoinHandle<()>,
}

impl Hook {
    fn start(key: &'static str, command: &[String], length: usize) -> Option<Self> {
        let (program, arguments) = command.split_first()?;
        let (events, receiver) = mpsc::channel(length);
        let runner = tokio::spawn(run_each(key, program.clone(), arguments.to_vec(), receiver));
        Some(Self {
            key,
            events,
            dropped: AtomicUsize::new(0),
            runner,
        })
    }

    fn queue(&self, json: String) {
        let key = self.key;
        match self.events.try_send(json) {
            Ok(()) => match self.dropped.swap(0, Ordering::Relaxed) {
                0 => {}
                dropped => warn!("{key} has missed {dropped} events in all; it hears again"),
            },
            // Said once, not for each of thousands.
            Err(TrySendError::Full(_)) if self.dropped.fetch_add(1, Ordering::Relaxed) == 0 => {
                warn!("{key} is too slow: events wait for it already, and it misses some");
            }
            Err(TrySendError::Full(_) | TrySendError::Closed(_)) => {}
        }
    }

    async fn finish(self, deadline: Instant) {
        let Self {
            key,
            events,
            mut runner,
            ..
        } = self;
        // The last sender: the task ends once it has emptied the queue.
        drop(events);
        if timeout_at(deadline, &mut runner).await.is_err() {
            // The task holds the only receiver, and with it the running command.
            runner.abort();
            let _ = runner.await;
            warn!("{key} did not come to its end before the program's, and was killed");
        }
    }
}

/// Runs the command for one event after another until nobody can send any more.
async fn run_each(
    key: &'static str,
    program: String,
    arguments: Vec<String>,
    mut events: Receiver<String>,
) {
    while let Some(event) = events.recv().await {
        match run(&program, &arguments, &event).await {
            Ok(said) => debug!(%program, said, "{key} is done"),
            Err(failure) => warn!("{key}: {program}: {failure}"),
        }
    }
}

/// Returns the first line of what the command printed, or why it failed.
async fn run(program: &str, arguments: &[String], event: &str) -> Result<String, String> {
    let ended = process::run(Task {
        program,
        arguments,
        input: Some(event),
        keep_output: true,
        deadline: Instant::now() + TIME_LIMIT,
    })
    .await
    .map_err(|error| chain(&error))?;
    match ended.status {
        Some(status) if status.success() => Ok(process::first_line(&ended.output)),
        Some(status) => Err(process::describe(status, &ended.complaint)),
        None => Err(format!(
            "it did not end within {} s and was killed",
            TIME_LIMIT.as_secs()
        )),
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    use super::*;
    use crate::process::tests::{Alive, pass};

    const FAR: Duration = Duration::from_secs(3600);

    /// A shell script in the folder, as a command line.
    fn script(directory: &Path, text: &str) -> Vec<String> {
        let path = directory.join("hook");
        fs::write(&path, text).unwrap();
        // Through sh: a file just written cannot be executed while a process that another test
        // starts in this moment still holds it open.
        vec!["sh".to_owned(), path.to_str().unwrap().to_owned()]
    }

    /// Runs one event through the command.
    async fn run_one(command: &[String], event: &str) -> Result<String, String> {
        let (program, arguments) = command.split_first().unwrap();
        run(program, arguments, event).await
    }

    #[tokio::test]
    async fn events_go_in_order_each_to_its_own_hook() {
        let directory = tempfile::tempdir().unwrap();
        let mut change = script(directory.path(), "cat >> \"$1\"");
        let mut alert = change.clone();
        let file = |name: &str| directory.path().join(name).to_str().unwrap().to_owned();
        change.push(file("changes"));
        alert.push(file("alerts"));
        let hooks = Hooks::start(&change, &alert);
        for number in 1..=3 {
            hooks.change(format!("{{\"change\":{number}}}\n"));
            hooks.alert(format!("{{\"alert\":{number}}}\n"));
        }
        hooks.finish(FAR).await;
        assert_eq!(
            fs::read_to_string(file("changes")).unwrap(),
            "{\"change\":1}\n{\"change\":2}\n{\"change\":3}\n"
        );
        assert_eq!(
            fs::read_to_string(file("alerts")).unwrap(),
            "{\"alert\":1}\n{\"alert\":2}\n{\"alert\":3}\n"
        );
    }

    #[tokio::test]
    async fn only_path_is_inherited() {
        assert!(std::env::var_os("CARGO_MANIFEST_DIR").is_some());
        let directory = tempfile::tempdir().unwrap();
        let hook = script(
            directory.path(),
            r#"test -n "$PATH" && test -z "$CARGO_MANIFEST_DIR""#,
        );
        assert_eq!(run_one(&hook, "{}").await, Ok(String::new()));
    }

    #[tokio::test]
    async fn what_fails_says_how() {
        let directory = tempfile::tempdir().unwrap();
        for (text, result) in [
            ("echo sent; echo more", Ok("sent")),
            ("exit 3", Err("exit status 3")),
            (
                "echo no mail server >&2; exit 1",
                Err("exit status 1: no mail server"),
            ),
            ("kill -TERM $$", Err("ended by signal 15")),
        ] {
            let hook = script(directory.path(), text);
            let expected = result.map(str::to_owned).map_err(str::to_owned);
            assert_eq!(run_one(&hook, "{}").await, expected, "{text}");
        }
        let missing = run_one(&["/nonexistent/hook".to_owned()], "{}").await;
        let failure = missing.unwrap_err();
        assert!(failure.starts_with("cannot start: "), "{failure}");
    }

    #[tokio::test]
    async fn a_hook_need_not_read() {
        let directory = tempfile::tempdir().unwrap();
        let hook = script(directory.path(), "exit 0");
        // More than a pipe holds: the write must fail, and that is no failure.
        let event = "x".repeat(1_000_000);
        assert_eq!(run_one(&hook, &event).await, Ok(String::new()));
    }

    #[tokio::test]
    async fn a_failure_does_not_stop_the_next_event() {
        let directory = tempfile::tempdir().unwrap();
        let heard = directory.path().join("heard");
        let mut hook = script(
            directory.path(),
            "read event; echo $event >> \"$1\"; test $event != 1",
        );
        hook.push(heard.to_str().unwrap().to_owned());
        let hooks = Hooks::start(&hook, &["/nonexistent/hook".to_owned()]);
        hooks.alert("1\n".to_owned());
        hooks.change("1\n".to_owned());
        hooks.change("2\n".to_owned());
        hooks.finish(FAR).await;
        assert_eq!(fs::read_to_string(heard).unwrap(), "1\n2\n");
    }

    #[tokio::test]
    async fn a_hook_that_hangs_is_killed_with_its_children_and_the_next_event_runs() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, hang) = Alive::script(directory.path(), "wait").await;
        let heard = directory.path().join("heard");
        let text = format!(
            "read event; test $event = 1 || {{ echo $event > {}; exit; }}\n{hang}",
            heard.to_str().unwrap()
        );
        let hooks = Hooks::start(&[], &script(directory.path(), &text));
        hooks.alert("1\n".to_owned());
        let alive = Alive::begun(fifo).await;
        hooks.alert("2\n".to_owned());
        pass(TIME_LIMIT).await;
        alive.all_gone().await;
        hooks.finish(FAR).await;
        assert_eq!(fs::read_to_string(heard).unwrap(), "2\n");
    }

    #[tokio::test]
    async fn the_end_waits_no_longer_than_it_may() {
        let directory = tempfile::tempdir().unwrap();
        let (fifo, hang) = Alive::script(directory.path(), "wait").await;
        let hooks = Hooks::start(&script(directory.path(), &hang), &[]);
        hooks.change("1\n".to_owned());
        let alive = Alive::begun(fifo).await;
        hooks.finish(Duration::ZERO).await;
        alive.all_gone().await;
    }

    #[tokio::test]
    async fn a_full_queue_drops_what_comes_and_keeps_what_waits() {
        let directory = tempfile::tempdir().unwrap();
        let heard = directory.path().join("heard");
        let mut command = script(directory.path(), "cat >> \"$1\"");
        command.push(heard.to_str().unwrap().to_owned());
        let hook = Hook::start("on_change", &command, 2).unwrap();
        // The task has not run yet: nothing was awaited.
        for number in 1..=4 {
            hook.queue(format!("{number}\n"));
        }
        assert_eq!(hook.dropped.load(Ordering::Relaxed), 2);
        hook.finish(Instant::now() + FAR).await;
        assert_eq!(fs::read_to_string(heard).unwrap(), "1\n2\n");
    }

    #[tokio::test]
    async fn without_commands_nothing_runs() {
        let hooks = Hooks::start(&[], &[]);
        assert!(hooks.change.is_none() && hooks.alert.is_none());
        hooks.change(String::new());
        hooks.alert(String::new());
        hooks.finish(Duration::ZERO).await;
    }
}
