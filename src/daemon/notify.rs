//! What systemd is told: ready, reloading, stopping, a line of status, and that we live.
//!
//! Without `NOTIFY_SOCKET`, thus without systemd, nothing happens. A notification that cannot be
//! sent is logged and hurts nothing.

use std::env;
use std::io::{self, ErrorKind};
use std::os::linux::net::SocketAddrExt;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::net::{SocketAddr, UnixDatagram};
use std::time::Duration;

use sd_notify::NotifyState;
use tracing::{debug, warn};

/// How long a word is waited for that is said once.
const PATIENCE: Duration = Duration::from_secs(1);

/// The configuration is read, and the first zones may be read.
pub(super) fn ready() {
    insist(&[NotifyState::Ready]);
}

/// The configuration is read anew; [`ready()`] must follow, also when it was refused.
pub(super) fn reloading() {
    match NotifyState::monotonic_usec_now() {
        Ok(now) => insist(&[NotifyState::Reloading, now]),
        // Without the time, systemd 253 and newer would take the reload for failed.
        Err(error) => warn!("systemd is not told of the reload: no monotonic time: {error}"),
    }
}

/// The end has begun.
pub(super) fn stopping() {
    insist(&[NotifyState::Stopping]);
}

/// What `systemctl status` shows, in one line.
pub(super) fn status(text: &str) {
    // Each further line would be an assignment of its own.
    let line = text.split_whitespace().collect::<Vec<_>>().join(" ");
    tell(&[NotifyState::Status(&line)]);
}

/// How often to call [`watchdog()`]: half the time after which systemd would end us; `None`: it
/// does not watch this process.
pub(super) fn watchdog_interval() -> Option<Duration> {
    let half = sd_notify::watchdog_enabled()? / 2;
    (!half.is_zero()).then_some(half)
}

/// Says that we live.
pub(super) fn watchdog() {
    tell(&[NotifyState::Watchdog]);
}

/// What is said once, and waited for: without it systemd would take us for failed.
fn insist(state: &[NotifyState<'_>]) {
    say(state, Some(PATIENCE));
}

/// What is said again and again, and may be lost.
fn tell(state: &[NotifyState<'_>]) {
    say(state, None);
}

fn say(state: &[NotifyState<'_>], patience: Option<Duration>) {
    let text: String = state.iter().map(|word| format!("{word}\n")).collect();
    match send(&text, patience) {
        Ok(()) => {}
        Err(error) if error.kind() == ErrorKind::WouldBlock && patience.is_none() => {
            debug!("systemd is not told, since it does not listen at the moment");
        }
        Err(error) => warn!("systemd cannot be told: {error}"),
    }
}

/// Sends one datagram, and waits no longer than that: sd-notify's own sending blocks where nobody
/// takes what was sent before, and nothing that watches us may stop us.
fn send(text: &str, patience: Option<Duration>) -> io::Result<()> {
    let Some(path) = env::var_os("NOTIFY_SOCKET") else {
        return Ok(());
    };
    let address = match path.as_bytes().strip_prefix(b"@") {
        Some(name) => SocketAddr::from_abstract_name(name)?,
        None => SocketAddr::from_pathname(&path)?,
    };
    let socket = UnixDatagram::unbound()?;
    match patience {
        Some(_) => socket.set_write_timeout(patience)?,
        None => socket.set_nonblocking(true)?,
    }
    socket.send_to_addr(text.as_bytes(), &address)?;
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::process::{Command, Output};

    use super::*;

    /// Set in the child process, which does what its value says.
    const PART: &str = "SRVKEEPER_TEST_NOTIFY";

    /// Runs `part` in a process of its own, since a test must not change its own environment.
    fn play(part: &str, environment: &[(&str, &str)]) -> String {
        let mut command = Command::new(std::env::current_exe().unwrap());
        command
            .args(["--exact", "daemon::notify::tests::a_part", "--nocapture"])
            .env_remove("NOTIFY_SOCKET")
            .env_remove("WATCHDOG_USEC")
            .env_remove("WATCHDOG_PID")
            .env(PART, part)
            .envs(environment.iter().copied());
        let Output { status, stdout, .. } = command.output().unwrap();
        let stdout = String::from_utf8(stdout).unwrap();
        assert!(status.success(), "{part}: {stdout}");
        stdout
    }

    /// What the child process does; on its own, this test does nothing.
    #[test]
    fn a_part() {
        match std::env::var(PART).as_deref() {
            Ok("all") => {
                ready();
                reloading();
                status("2 zones\nSTOPPING=1\r\n fine");
                watchdog();
                stopping();
            }
            Ok("flood") => (0..1_000).for_each(|_| status("fine")),
            Ok("interval") => print_interval(),
            _ => {}
        }
    }

    #[allow(clippy::print_stdout, reason = "read by the test")]
    fn print_interval() {
        println!("interval {:?};", watchdog_interval());
    }

    #[test]
    fn systemd_hears_each_word() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        play("all", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
        // All was sent before the child ended: nothing is waited for.
        socket.set_nonblocking(true).unwrap();
        let mut heard = Vec::new();
        let mut buffer = [0; 4096];
        while let Ok(octets) = socket.recv(&mut buffer) {
            heard.push(String::from_utf8(buffer[..octets].to_vec()).unwrap());
        }
        let reload: Vec<String> = heard.get(1).into_iter().cloned().collect();
        let time = reload[0]
            .strip_prefix("RELOADING=1\nMONOTONIC_USEC=")
            .unwrap();
        assert!(time.trim_end().parse::<u64>().unwrap() > 0, "{time}");
        heard.remove(1);
        assert_eq!(
            heard,
            [
                "READY=1\n",
                "STATUS=2 zones STOPPING=1 fine\n",
                "WATCHDOG=1\n",
                "STOPPING=1\n"
            ]
        );
    }

    #[test]
    fn who_is_told_and_does_not_listen_stops_nobody() {
        let directory = tempfile::tempdir().unwrap();
        let path = directory.path().join("notify");
        let _deaf = UnixDatagram::bind(&path).unwrap();
        play("flood", &[("NOTIFY_SOCKET", path.to_str().unwrap())]);
    }

    #[test]
    fn an_abstract_socket_is_told() {
        let name = format!("srvkeeper-{}", std::process::id());
        let address = SocketAddr::from_abstract_name(&name).unwrap();
        let socket = UnixDatagram::bind_addr(&address).unwrap();
        play("all", &[("NOTIFY_SOCKET", &format!("@{name}"))]);
        let mut buffer = [0; 64];
        let octets = socket.recv(&mut buffer).unwrap();
        assert_eq!(&buffer[..octets], b"READY=1\n");
    }

    #[test]
    fn without_systemd_nothing_happens() {
        play("all", &[]);
        play("all", &[("NOTIFY_SOCKET", "/nonexistent/notify")]);
    }

    #[test]
    fn the_watchdog_is_fed_twice_in_its_time_when_it_watches_us() {
        for (environment, expected) in [
            (&[][..], "interval None;"),
            (&[("WATCHDOG_USEC", "30000000")][..], "interval Some(15s);"),
            (
                &[("WATCHDOG_USEC", "30000000"), ("WATCHDOG_PID", "1")][..],
                "interval None;",
            ),
            (&[("WATCHDOG_USEC", "0")][..], "interval None;"),
            (&[("WATCHDOG_USEC", "soon")][..], "interval None;"),
        ] {
            let said = play("interval", environment);
            assert!(said.contains(expected), "{environment:?}: {said}");
        }
    }
}
