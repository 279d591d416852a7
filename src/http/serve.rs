//! Connections: how many, how long, how large.

use std::convert::Infallible;
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use rustix::process::{Resource, getrlimit};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::time::sleep;
use tracing::{debug, error};

use super::door::Door;
use super::listen::Socket;
use super::router::{Shared, answer, router};
use super::stalls::Stalls;

/// Time for a request's head, from the connection or from the end of the answer before it.
const HEAD: Duration = Duration::from_secs(10);

/// Time in which a client must read something of what it is sent.
const STALL: Duration = Duration::from_secs(30);

/// A request's head, and what is buffered for one connection.
const BUFFER: usize = 16 * 1024;

/// Header lines of a request.
const HEADERS: usize = 64;

/// Connections by the address, where descriptors are plenty.
const CONNECTIONS: usize = 1024;

/// Connections by the socket.
const SOCKET_CONNECTIONS: usize = 16;

/// After an error of accepting, as when descriptors are short.
const BREATHING_SPACE: Duration = Duration::from_millis(100);

/// Connections by the address: never more than half of the descriptors, since probes and DNS need
/// theirs.
fn connections() -> usize {
    let limit = getrlimit(Resource::Nofile).current;
    let half = limit.map_or(usize::MAX, |limit| {
        usize::try_from(limit / 2).unwrap_or(usize::MAX)
    });
    CONNECTIONS.min(half).max(1)
}

/// Clients of the event stream: never all connections.
pub(super) fn watchers() -> usize {
    (connections() / 2).max(1)
}

/// Serves until it is dropped.
pub(super) async fn serve(
    tcp: Option<TcpListener>,
    socket: Option<Socket>,
    shared: Arc<Shared>,
    address: Option<SocketAddr>,
) {
    let token = shared.token.clone();
    let router = router(shared);
    let by_address = async {
        if let (Some(tcp), Some(address)) = (tcp, address) {
            match tokio::net::TcpListener::from_std(tcp) {
                Ok(tcp) => serve_tcp(tcp, router.clone(), Door::Address { address, token }).await,
                Err(error) => error!("the status page is not served: {error}"),
            }
        }
        std::future::pending::<()>().await;
    };
    let by_socket = async {
        if let Some(Socket(socket)) = socket {
            match tokio::net::UnixListener::from_std(socket) {
                Ok(socket) => serve_socket(socket, router.clone()).await,
                Err(error) => error!("`srvkeeper status` is not answered: {error}"),
            }
        }
        std::future::pending::<()>().await;
    };
    tokio::join!(by_address, by_socket);
}

async fn serve_tcp(listener: tokio::net::TcpListener, router: Router, door: Door) {
    let (door, places) = (Arc::new(door), Arc::new(Semaphore::new(connections())));
    loop {
        // Who comes when all are taken waits in the kernel.
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _peer)) => {
                // An event is to be seen at once.
                let _ = stream.set_nodelay(true);
                tokio::spawn(connection(stream, router.clone(), Arc::clone(&door), place));
            }
            Err(error) => wait_after(&error).await,
        }
    }
}

async fn serve_socket(listener: tokio::net::UnixListener, router: Router) {
    let (door, places) = (
        Arc::new(Door::Socket),
        Arc::new(Semaphore::new(SOCKET_CONNECTIONS)),
    );
    loop {
        let Ok(place) = Arc::clone(&places).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _peer)) => {
                tokio::spawn(connection(stream, router.clone(), Arc::clone(&door), place));
            }
            Err(error) => wait_after(&error).await,
        }
    }
}

async fn wait_after(error: &std::io::Error) {
    debug!("a connection to the status page was not accepted: {error}");
    sleep(BREATHING_SPACE).await;
}

async fn connection(
    stream: impl AsyncRead + AsyncWrite + Unpin,
    router: Router,
    door: Arc<Door>,
    _place: OwnedSemaphorePermit,
) {
    let service = service_fn(|request| {
        let (router, door) = (router.clone(), Arc::clone(&door));
        async { Ok::<_, Infallible>(answer(router, door, request).await) }
    });
    let served = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(HEAD)
        .max_headers(HEADERS)
        .max_buf_size(BUFFER)
        .serve_connection(TokioIo::new(Stalls::new(stream, STALL)), service)
        .await;
    if let Err(error) = served {
        debug!("a connection to the status page ended: {error}");
    }
}
