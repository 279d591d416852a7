//! Paths, methods, and what every answer has.

use std::path::PathBuf;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use axum::http::{Request, Response, StatusCode};
use axum::response::IntoResponse;
use axum::routing::get;
use hyper::body::Incoming;
use hyper::service::Service;
use hyper_util::service::TowerToHyperService;
use tokio::sync::{Mutex, Semaphore, watch};

use super::answer::{Refusal, secure};
use super::api::{self, KeptPlan};
use super::door::Door;
use super::hub::Hub;
use super::token::Token;
use super::{Settings, page};
use crate::status::Status;

/// What all requests share.
#[derive(Debug)]
pub(super) struct Shared {
    pub(super) status: watch::Receiver<Arc<Status>>,
    pub(super) hub: Arc<Hub>,
    pub(super) state_dir: PathBuf,
    pub(super) token: Option<Token>,
    /// One for each reading of the history at a time.
    pub(super) readers: Semaphore,
    /// One for each client of the stream.
    pub(super) watchers: Arc<Semaphore>,
    /// One for each answer with a plan, until it is read: each may be of another generation.
    pub(super) plans: Arc<Semaphore>,
    /// The plan as it was last written.
    pub(super) plan: Mutex<Option<KeptPlan>>,
}

impl Shared {
    pub(super) fn new(
        status: watch::Receiver<Arc<Status>>,
        hub: Arc<Hub>,
        settings: Settings,
    ) -> Arc<Self> {
        Arc::new(Self {
            status,
            hub,
            state_dir: settings.state_dir,
            token: settings.token,
            readers: Semaphore::new(api::READERS),
            watchers: Arc::new(Semaphore::new(super::serve::watchers())),
            plans: Arc::new(Semaphore::new(api::PLANS)),
            plan: Mutex::default(),
        })
    }

    /// The newest status.
    pub(super) fn newest(&self) -> Arc<Status> {
        Arc::clone(&self.status.borrow())
    }
}

/// Every path that is answered.
pub(super) fn router(shared: Arc<Shared>) -> Router {
    Router::new()
        .route("/healthz", get(api::alive))
        .route("/readyz", get(api::ready))
        .route("/metrics", get(api::metrics))
        .route("/api/v1/status", get(api::status))
        .route("/api/v1/plan", get(api::plan))
        .route("/api/v1/history", get(api::history))
        .route("/api/v1/events", get(api::events))
        .route("/api/v1/openapi.json", get(api::description))
        .merge(page::routes())
        .fallback(async || Refusal::new(StatusCode::NOT_FOUND, "there is nothing at this path"))
        .method_not_allowed_fallback(async || {
            let text = "this only answers GET and HEAD: nothing is changed over HTTP";
            Refusal::new(StatusCode::METHOD_NOT_ALLOWED, text)
        })
        .with_state(shared)
}

/// Answers one request that came through this door.
pub(super) async fn answer(
    router: Router,
    door: Arc<Door>,
    request: Request<Incoming>,
) -> Response<Body> {
    let (parts, _unread) = request.into_parts();
    let mut response = match door.check(&parts) {
        Err(refusal) => refusal.into_response(),
        Ok(()) => {
            let request = Request::from_parts(parts, Body::empty());
            match TowerToHyperService::new(router).call(request).await {
                Ok(response) => response,
                Err(never) => match never {},
            }
        }
    };
    secure(response.headers_mut());
    response
}
