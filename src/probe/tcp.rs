//! TCP connections, and whose fault their errors are.

use std::io::{self, ErrorKind};
use std::net::SocketAddr;

use tokio::net::TcpStream;

use super::AddressResult;
use crate::model::{Failure, NoSample};

/// Passes when the address accepts a connection.
pub(super) async fn check(address: SocketAddr) -> AddressResult {
    Ok(connect(address).await?.map(drop))
}

/// Connects; the outer error is this machine's, the inner one the host's.
pub(super) async fn connect(address: SocketAddr) -> Result<Result<TcpStream, Failure>, NoSample> {
    match TcpStream::connect(address).await {
        Ok(stream) => Ok(Ok(stream)),
        Err(error) => remote_failure(&error).map(Err).ok_or_else(|| local(&error)),
    }
}

/// The failure behind an error of a connection that stands.
pub(super) fn exchange_failure(error: &io::Error) -> Failure {
    remote_failure(error).unwrap_or_else(|| Failure::Other(error.to_string()))
}

/// The failure that the host, or the network near it, told us of.
///
/// Everything not named here counts as this machine's own trouble when connecting: no route, no
/// source address, a local firewall, too many open files, no buffers. So an error that nobody
/// thought of never withdraws a host.
fn remote_failure(error: &io::Error) -> Option<Failure> {
    match error.kind() {
        ErrorKind::ConnectionRefused => Some(Failure::Refused),
        ErrorKind::TimedOut => Some(Failure::TimedOut),
        ErrorKind::HostUnreachable => Some(Failure::Unreachable),
        ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe
        | ErrorKind::NotConnected
        | ErrorKind::UnexpectedEof => Some(Failure::Closed),
        _ => None,
    }
}

fn local(error: &io::Error) -> NoSample {
    NoSample(match error.kind() {
        ErrorKind::NetworkUnreachable => format!(
            "{error}; this machine has no route there, so list the addresses it can reach as the host's `address`"
        ),
        _ => error.to_string(),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Linux errno values; the kinds above come from them.
    #[test]
    fn only_what_the_network_says_of_the_host_is_its_failure() {
        let remote = [
            (111, "ECONNREFUSED", Failure::Refused),
            (110, "ETIMEDOUT", Failure::TimedOut),
            (113, "EHOSTUNREACH", Failure::Unreachable),
            (104, "ECONNRESET", Failure::Closed),
            (103, "ECONNABORTED", Failure::Closed),
            (32, "EPIPE", Failure::Closed),
        ];
        for (errno, name, failure) in remote {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(remote_failure(&error), Some(failure), "{name}");
        }
        let local = [
            (101, "ENETUNREACH"),
            (100, "ENETDOWN"),
            (99, "EADDRNOTAVAIL"),
            (98, "EADDRINUSE"),
            (97, "EAFNOSUPPORT"),
            (13, "EACCES"),
            (1, "EPERM"),
            (24, "EMFILE"),
            (23, "ENFILE"),
            (105, "ENOBUFS"),
            (12, "ENOMEM"),
            (22, "EINVAL"),
        ];
        for (errno, name) in local {
            let error = io::Error::from_raw_os_error(errno);
            assert_eq!(remote_failure(&error), None, "{name}");
        }
    }

    #[test]
    fn a_standing_connection_fails_in_the_systems_words() {
        let error = io::Error::from_raw_os_error(71);
        assert_eq!(
            exchange_failure(&error),
            Failure::Other("Protocol error (os error 71)".into())
        );
    }
}
