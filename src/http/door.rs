//! Who may ask, and what a request may look like.

use std::net::{IpAddr, SocketAddr};

use axum::http::{HeaderMap, Method, StatusCode, Version, header, request};

use super::answer::Refusal;
use super::page;
use super::token::Token;

/// The longest path with its query.
const LONGEST_URI: usize = 4096;

/// What can be had without a token, besides the page's files: it tells nothing.
const OPEN: &str = "/healthz";

/// The way a request came.
#[derive(Debug, Clone)]
pub(super) enum Door {
    /// The socket in `state_dir`: the file's mode says who may.
    Socket,
    /// An address.
    Address {
        /// That is listened on.
        address: SocketAddr,
        /// What must be presented.
        token: Option<Token>,
    },
}

impl Door {
    /// Lets the request in, or says why not.
    pub(super) fn check(&self, request: &request::Parts) -> Result<(), Refusal> {
        let is_long = request
            .uri
            .path_and_query()
            .is_some_and(|text| text.as_str().len() > LONGEST_URI);
        if is_long {
            return refuse(StatusCode::URI_TOO_LONG, "the path and query are too long");
        }
        if let Self::Address { address, token } = self {
            if address.ip().is_loopback() {
                check_host(request, address.ip())?;
            }
            if let Some(token) = token
                && request.uri.path() != OPEN
                && !page::has(request.uri.path())
                && !presents(&request.headers, token)
            {
                return refuse(
                    StatusCode::UNAUTHORIZED,
                    "this needs the token of daemon.http_token_file: Authorization: Bearer TOKEN",
                );
            }
        }
        if request.method == Method::CONNECT {
            return refuse(StatusCode::METHOD_NOT_ALLOWED, "this is no proxy");
        }
        if has_body(&request.headers) {
            return refuse(StatusCode::PAYLOAD_TOO_LARGE, "a request here has no body");
        }
        Ok(())
    }
}

fn refuse(status: StatusCode, text: &str) -> Result<(), Refusal> {
    Err(Refusal::new(status, text))
}

fn presents(headers: &HeaderMap, token: &Token) -> bool {
    let mut presented = headers.get_all(header::AUTHORIZATION).iter();
    match (presented.next(), presented.next()) {
        (Some(header), None) => token.fits(header.as_bytes()),
        _ => false,
    }
}

fn has_body(headers: &HeaderMap) -> bool {
    headers.contains_key(header::TRANSFER_ENCODING)
        || headers
            .get(header::CONTENT_LENGTH)
            .is_some_and(|length| length != "0")
}

/// A page elsewhere whose name an attacker lets point to this machine must learn nothing (DNS
/// rebinding): a browser puts that name here.
fn check_host(request: &request::Parts, ours: IpAddr) -> Result<(), Refusal> {
    let mut hosts = request.headers.get_all(header::HOST).iter();
    let named = match (hosts.next(), hosts.next()) {
        (Some(host), None) => Some(host.to_str().unwrap_or_default()),
        (None, _) if request.version == Version::HTTP_10 => None,
        _ => return refuse(StatusCode::BAD_REQUEST, "one Host header is needed"),
    };
    let authority = request.uri.authority().map(|authority| authority.as_str());
    if named
        .into_iter()
        .chain(authority)
        .all(|host| is_ours(host, ours))
    {
        return Ok(());
    }
    refuse(
        StatusCode::MISDIRECTED_REQUEST,
        "this answers to localhost and loopback addresses only; a proxy must say Host: localhost",
    )
}

/// True for `localhost`, a loopback address and our own, with or without a port.
fn is_ours(host: &str, ours: IpAddr) -> bool {
    if let Ok(address) = host.parse::<SocketAddr>() {
        return address.ip().is_loopback() || address.ip() == ours;
    }
    let bare = match host.rsplit_once(':') {
        Some((bare, port)) if port.bytes().all(|c| c.is_ascii_digit()) && !bare.ends_with(':') => {
            bare
        }
        _ => host,
    };
    let bare = bare
        .strip_prefix('[')
        .and_then(|bare| bare.strip_suffix(']'))
        .unwrap_or(bare);
    match bare.parse::<IpAddr>() {
        Ok(ip) => ip.is_loopback() || ip == ours,
        Err(_) => bare.eq_ignore_ascii_case("localhost"),
    }
}

#[cfg(test)]
mod tests {
    use axum::http::Request;

    use super::*;

    #[test]
    fn only_names_of_this_machine_are_answered() {
        let ours = "127.0.0.1".parse().unwrap();
        for (host, expected) in [
            ("localhost", true),
            ("LOCALHOST:9686", true),
            ("127.0.0.1:9686", true),
            ("127.1.2.3", true),
            ("[::1]:9686", true),
            ("[::1]", true),
            ("localhost.evil.example", false),
            ("evil.example:9686", false),
            ("localhost@evil.example", false),
            ("10.0.0.1:9686", false),
            ("0.0.0.0:9686", false),
            ("127.0.0.1.evil.example", false),
            ("", false),
            (":9686", false),
            ("localhost:", true),
        ] {
            assert_eq!(is_ours(host, ours), expected, "{host}");
        }
    }

    fn status(door: &Door, request: Request<()>) -> u16 {
        let (parts, ()) = request.into_parts();
        match door.check(&parts) {
            Ok(()) => 200,
            Err(refusal) => axum::response::IntoResponse::into_response(refusal)
                .status()
                .as_u16(),
        }
    }

    fn get(uri: &str) -> request::Builder {
        Request::get(uri).header("host", "localhost")
    }

    #[test]
    fn a_door_knows_its_guests() {
        let loopback = |token| Door::Address {
            address: "127.0.0.1:9686".parse().unwrap(),
            token,
        };
        let token = || Some(Token::new("0123456789abcdef".into()));
        let far = Door::Address {
            address: "192.0.2.1:9686".parse().unwrap(),
            token: token(),
        };
        let (open, locked) = (loopback(None), loopback(token()));
        let with = |name: &str, value: &str| get("/metrics").header(name, value).body(()).unwrap();
        let bare = |uri: &str| get(uri).body(()).unwrap();
        let bearer = || with("authorization", "Bearer 0123456789abcdef");
        for (door, request, expected) in [
            (&open, bare("/metrics"), 200),
            (&open, with("content-length", "0"), 200),
            (&open, with("content-length", "1"), 413),
            (&open, with("transfer-encoding", "chunked"), 413),
            (&open, with("host", "localhost"), 400),
            (&open, bare(&format!("/?{}", "x".repeat(5000))), 414),
            (&open, Request::get("/").body(()).unwrap(), 400),
            (&open, bare("http://evil.example/"), 421),
            (&locked, bare("/metrics"), 401),
            (&locked, bare("/"), 200),
            (&locked, bare("/healthz"), 200),
            (&locked, bare("/readyz"), 401),
            (&locked, bearer(), 200),
            (&far, bearer(), 200),
            (&far, bare("/api/v1/status"), 401),
            (
                &Door::Socket,
                Request::get("/metrics").body(()).unwrap(),
                200,
            ),
        ] {
            let told = format!("{door:?} {request:?}");
            assert_eq!(status(door, request), expected, "{told}");
        }
    }
}
