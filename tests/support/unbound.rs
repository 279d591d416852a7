//! Unbound: a resolver, as the clients have one.

use std::fs;
use std::net::{IpAddr, SocketAddr};
use std::process::Command;

use super::daemon::eventually;
use super::primary::Primary;
use super::tools::resolved;

/// A resolver that starts at one zone's own servers, since there is no root to start from.
pub(crate) struct Unbound {
    server: Primary,
}

impl Unbound {
    /// Starts it at an address that nobody else has, in a network namespace; `parent` has `zone`.
    ///
    /// `more` are further lines of its `server:` clause.
    pub(crate) fn start_at(address: SocketAddr, zone: &str, parent: IpAddr, more: &str) -> Self {
        let server = Primary::start_at(address, &[], |folder, address| {
            let (ip, port) = (address.ip(), address.port());
            let file = folder.join("unbound.conf");
            // Letter case at random, which many resolvers use: a server must repeat the question as
            // it came.
            let text = format!(
                "server:
  interface: {ip}
  port: {port}
  do-daemonize: no
  username: \"\"
  chroot: \"\"
  directory: \"{folder}\"
  pidfile: \"\"
  use-syslog: no
  num-threads: 1
  access-control: 0.0.0.0/0 allow
  use-caps-for-id: yes
  {more}
remote-control:
  control-enable: no
stub-zone:
  name: \"{zone}\"
  stub-addr: {parent}
",
                folder = folder.display()
            );
            fs::write(&file, text).unwrap();
            let mut command = Command::new("/usr/sbin/unbound");
            command.args(["-d", "-p", "-c"]).arg(file);
            command
        });
        let unbound = Self { server };
        eventually(|| resolved(address, zone, "SOA").is_some(), true);
        unbound
    }

    /// The data that it finds, sorted lines such as `0 0 1688 kms1.corp.example.`; none where it
    /// finds out nothing, not even that there is nothing.
    pub(crate) fn resolve(&self, name: &str, record_type: &str) -> Option<Vec<String>> {
        resolved(self.server.address, name, record_type)
    }
}
