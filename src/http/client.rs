//! Asks a running daemon by its socket.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::os::unix::net::UnixStream;
use std::path::{Path, PathBuf};
use std::time::Duration;

use super::SOCKET;
use crate::store::Store;

/// A daemon that says nothing for so long is not waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// A line of an answer's head or of its chunks.
const LONGEST_LINE: u64 = 8 * 1024;

/// Why there is no answer.
#[derive(Debug, thiserror::Error)]
pub enum AskError {
    /// Nobody listens.
    #[error("no daemon runs with the state directory {}; start one with `srvkeeper run`", .0.display())]
    Absent(PathBuf),
    /// One runs, and could make no socket.
    #[error(
        "a daemon runs ({holder}), and has no socket {}: its log says why; `/api/v1/status` at `daemon.http` tells the same", socket.display()
    )]
    NoSocket {
        /// Where it would be.
        socket: PathBuf,
        /// The daemon.
        holder: String,
    },
    /// It took the question, and answers nothing.
    #[error("the daemon has not answered for {} seconds: it hangs; restart it, and keep its log", PATIENCE.as_secs())]
    Hangs,
    /// Somebody listens, and not for us.
    #[error(
        "{} belongs to the daemon's user; ask as that user or as root",
        .0.display()
    )]
    Denied(PathBuf),
    /// No socket can have this path, so that a daemon has none either.
    #[error(
        "{} is too long for a socket; take a shorter state_dir, or ask `/api/v1/status` at `daemon.http`", .0.display()
    )]
    TooLong(PathBuf),
    /// The way to it fails.
    #[error("the daemon cannot be asked by {}", socket.display())]
    Socket {
        /// The socket.
        socket: PathBuf,
        /// Why not.
        #[source]
        source: io::Error,
    },
    /// The daemon refused.
    #[error("the daemon answered {status}: {text}")]
    Refused {
        /// The status.
        status: String,
        /// What it said.
        text: String,
    },
}

/// What the daemon of this state directory answers to a GET of this path; blocks.
pub fn ask(state_dir: &Path, path: &str) -> Result<Vec<u8>, AskError> {
    ask_patiently(state_dir, path, PATIENCE)
}

fn ask_patiently(state_dir: &Path, path: &str, patience: Duration) -> Result<Vec<u8>, AskError> {
    let socket = state_dir.join(SOCKET);
    let failed = |source: io::Error| match source.kind() {
        io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => AskError::Hangs,
        _ => AskError::Socket {
            socket: socket.clone(),
            source,
        },
    };
    let stream = UnixStream::connect(&socket).map_err(|source| match source.kind() {
        io::ErrorKind::NotFound | io::ErrorKind::ConnectionRefused => absent(state_dir, &socket),
        io::ErrorKind::PermissionDenied => AskError::Denied(socket.clone()),
        // A path has no zero octets, so that only its length is left.
        io::ErrorKind::InvalidInput => AskError::TooLong(socket.clone()),
        _ => failed(source),
    })?;
    stream.set_read_timeout(Some(patience)).map_err(failed)?;
    stream.set_write_timeout(Some(patience)).map_err(failed)?;
    write!(
        &stream,
        "GET {path} HTTP/1.1\r\nHost: localhost\r\nConnection: close\r\n\r\n"
    )
    .map_err(failed)?;
    let (status, body) = answer(BufReader::new(stream)).map_err(failed)?;
    if status.starts_with("200") {
        return Ok(body);
    }
    let text = String::from_utf8_lossy(&body).trim().to_owned();
    Err(AskError::Refused { status, text })
}

fn absent(state_dir: &Path, socket: &Path) -> AskError {
    match Store::daemon_holder(state_dir) {
        None => AskError::Absent(state_dir.to_owned()),
        Some(holder) => AskError::NoSocket {
            socket: socket.to_owned(),
            holder,
        },
    }
}

/// The status and the whole body; an answer that was cut off is an error.
fn answer(mut from: impl BufRead) -> io::Result<(String, Vec<u8>)> {
    let first = line(&mut from)?;
    let status = first
        .strip_prefix("HTTP/1.1 ")
        .ok_or_else(|| strange(&first))?;
    let mut length = None;
    loop {
        let header = line(&mut from)?.to_ascii_lowercase();
        if header.is_empty() {
            break;
        }
        if let Some(value) = header.strip_prefix("content-length:") {
            length = Some(value.trim().parse().map_err(|_| strange(&header))?);
        }
    }
    let mut body = Vec::new();
    match length {
        Some(length) => exactly(&mut from, length, &mut body)?,
        // The server sends either a length or chunks.
        None => loop {
            let size = line(&mut from)?;
            let size = u64::from_str_radix(&size, 16).map_err(|_| strange(&size))?;
            exactly(&mut from, size, &mut body)?;
            line(&mut from)?;
            if size == 0 {
                break;
            }
        },
    }
    Ok((status.to_owned(), body))
}

fn exactly(from: &mut impl BufRead, length: u64, body: &mut Vec<u8>) -> io::Result<()> {
    match from.take(length).read_to_end(body)? {
        read if read as u64 == length => Ok(()),
        _ => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn line(from: &mut impl BufRead) -> io::Result<String> {
    let mut line = String::new();
    from.take(LONGEST_LINE).read_line(&mut line)?;
    match line.strip_suffix("\r\n") {
        Some(line) => Ok(line.to_owned()),
        None => Err(io::ErrorKind::UnexpectedEof.into()),
    }
}

fn strange(line: &str) -> io::Error {
    io::Error::other(format!("\"{}\" is no answer", line.escape_default()))
}

#[cfg(test)]
mod tests {
    use std::os::unix::net::UnixListener;

    use super::*;

    #[test]
    fn a_daemon_without_a_socket_is_told_from_none() {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path();
        assert!(matches!(ask(path, "/"), Err(AskError::Absent(_))));
        let store = Store::open(path).unwrap();
        let _lock = store.lock_daemon().unwrap();
        assert!(matches!(ask(path, "/"), Err(AskError::NoSocket { .. })));
        // The same where something else has its name.
        std::fs::write(path.join(SOCKET), "").unwrap();
        assert!(matches!(ask(path, "/"), Err(AskError::NoSocket { .. })));
    }

    #[test]
    fn a_path_that_no_socket_can_have_is_called_so() {
        let folder = tempfile::tempdir().unwrap();
        let deep = folder.path().join("x".repeat(120));
        let error = ask(&deep, "/").unwrap_err();
        assert!(matches!(error, AskError::TooLong(_)), "{error}");
    }

    #[test]
    fn a_daemon_that_hangs_is_called_so() {
        let folder = tempfile::tempdir().unwrap();
        // Nobody accepts: the question is taken, and never answered.
        let _listener = UnixListener::bind(folder.path().join(SOCKET)).unwrap();
        let patience = Duration::from_millis(50);
        let asked = ask_patiently(folder.path(), "/", patience);
        assert!(matches!(asked, Err(AskError::Hangs)));
    }

    fn body(text: &str) -> Option<String> {
        let (_status, body) = answer(text.as_bytes()).ok()?;
        String::from_utf8(body).ok()
    }

    #[test]
    fn whole_answers_are_read_and_others_are_not() {
        for (text, expected) in [
            ("HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nab", Some("ab")),
            (
                "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nab\r\nA\r\n0123456789\r\n0\r\n\r\n",
                Some("ab0123456789"),
            ),
            ("HTTP/1.1 200 OK\r\ncontent-length: 3\r\n\r\nab", None),
            ("HTTP/1.1 200 OK\r\n\r\n2\r\nab\r\n", None),
            ("HTTP/1.1 200 OK\r\n\r\n5\r\nab", None),
            ("HTTP/1.1 200 OK\r\n\r\nxyz\r\n", None),
            ("HTTP/1.1 200 OK\r\n", None),
            ("SSH-2.0\r\n\r\n", None),
            ("", None),
        ] {
            assert_eq!(body(text).as_deref(), expected, "{text}");
        }
    }
}
