//! The page: three files, all of them in the program.

use axum::Router;
use axum::body::Body;
use axum::http::Response;
use axum::routing::get;

use super::answer::typed;

const PAGE: &str = include_str!("assets/page.html");
const SCRIPT: &str = include_str!("assets/app.js");
const STYLE: &str = include_str!("assets/app.css");

/// Its routes.
pub(super) fn routes<S: Clone + Send + Sync + 'static>() -> Router<S> {
    Router::new()
        .route("/", get(async || asset("text/html; charset=utf-8", PAGE)))
        .route(
            "/app.js",
            get(async || asset("text/javascript; charset=utf-8", SCRIPT)),
        )
        .route(
            "/app.css",
            get(async || asset("text/css; charset=utf-8", STYLE)),
        )
}

fn asset(kind: &'static str, text: &'static str) -> Response<Body> {
    typed(kind, Body::from(text))
}
