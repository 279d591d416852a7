//! systemd, as far as a service hears of it: the socket for its notifications.

use std::os::unix::net::UnixDatagram;
use std::path::PathBuf;
use std::time::Duration;

use super::site::Site;

/// No notification takes longer on the busiest machine.
const PATIENCE: Duration = Duration::from_secs(30);

/// The socket that `NOTIFY_SOCKET` names.
pub(crate) struct Systemd {
    socket: UnixDatagram,
    path: PathBuf,
}

impl Systemd {
    /// Listens in the installation's folder.
    pub(crate) fn listen(site: &Site) -> Self {
        let path = site.path("notify");
        let socket = UnixDatagram::bind(&path).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        Self { socket, path }
    }

    /// The value of `NOTIFY_SOCKET`.
    pub(crate) fn address(&self) -> &str {
        self.path.to_str().unwrap()
    }

    /// The next notification; those that come all the time are left out unless asked for.
    #[track_caller]
    pub(crate) fn next(&self, asked_for: &[&str]) -> String {
        const USUAL: [&str; 2] = ["STATUS=", "WATCHDOG=1"];
        let mut buffer = [0; 4096];
        loop {
            let length = self.socket.recv(&mut buffer).expect("a notification");
            let said = String::from_utf8(buffer[..length].to_vec()).unwrap();
            let is_of = |words: &[&str]| words.iter().any(|word| said.starts_with(word));
            if !is_of(&USUAL) || is_of(asked_for) {
                return said.trim_end().to_owned();
            }
        }
    }
}
