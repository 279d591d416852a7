//! The sockets that are listened on.

use std::fs;
use std::io;
use std::net::{SocketAddr, TcpListener};
use std::os::fd::OwnedFd;
use std::os::unix::fs::{FileTypeExt, MetadataExt, PermissionsExt, lchown};
use std::os::unix::net::UnixListener;
use std::path::Path;

use rustix::net::{
    AddressFamily, SocketAddrUnix, SocketFlags, SocketType, bind, listen, socket_with,
};

/// Connections that may wait to be accepted.
const BACKLOG: i32 = 128;

/// Listens on the address.
pub(super) fn tcp(address: SocketAddr) -> io::Result<TcpListener> {
    let listener = TcpListener::bind(address)?;
    listener.set_nonblocking(true)?;
    Ok(listener)
}

/// The socket in `state_dir`, which the daemon's user and root can connect to, and nobody else.
#[derive(Debug)]
pub(super) struct Socket(pub(super) UnixListener);

impl Socket {
    /// Replaces a socket that an earlier daemon left.
    pub(super) fn bind(state_dir: &Path, path: &Path) -> io::Result<Self> {
        match fs::symlink_metadata(path) {
            Ok(found) if found.file_type().is_socket() => fs::remove_file(path)?,
            Ok(_) => return Err(io::Error::other("something else has this name; remove it")),
            Err(error) if error.kind() == io::ErrorKind::NotFound => {}
            Err(error) => return Err(error),
        }
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        // What is bound takes the socket's own mode. By its path, whoever owns the folder could make root
        // change what a link leads to.
        let socket = fs::File::from(socket);
        socket.set_permissions(fs::Permissions::from_mode(0o600))?;
        bind(&socket, &SocketAddrUnix::new(path)?)?;
        if rustix::process::geteuid().is_root() {
            let owner = fs::metadata(state_dir)?;
            lchown(path, Some(owner.uid()), Some(owner.gid()))?;
        }
        listen(&socket, BACKLOG)?;
        Ok(Self(UnixListener::from(OwnedFd::from(socket))))
    }
}
