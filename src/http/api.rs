//! What is answered under each path.

use std::convert::Infallible;
use std::num::NonZeroU32;
use std::sync::Arc;

use axum::body::{Body, Bytes};
use axum::extract::State;
use axum::http::{HeaderMap, Response, StatusCode};
use futures_util::stream;
use jiff::Timestamp;
use serde::Serialize;
use tokio::sync::OwnedSemaphorePermit;
use tracing::error;

use super::answer::{Refusal, json, typed};
use super::question::{Asked, Question, wrong};
use super::router::Shared;
use super::stream::body;
use crate::exit::chain;
use crate::model::ChangeId;
use crate::render::{self, text::Layout};
use crate::status::{Order, Selection, Status, ZoneState, select};
use crate::store::{HistoryQuery, Store};

/// So many readings of the history go on at a time.
pub(super) const READERS: usize = 2;

/// So many answers with a plan are on their way at a time.
pub(super) const PLANS: usize = 16;

/// Changes in one answer.
const MOST_CHANGES: u32 = 200;

/// Changes in an answer to a question that does not say.
const USUAL_CHANGES: NonZeroU32 = NonZeroU32::MIN.saturating_add(49);

const DESCRIPTION: &str = include_str!("../../docs/openapi.json");

type Answer = Result<Response<Body>, Refusal>;

/// `/healthz`: something answers.
pub(super) async fn alive() -> Response<Body> {
    typed("text/plain; charset=utf-8", Body::from("alive\n"))
}

#[derive(Serialize)]
struct Ready {
    ready: bool,
    reasons: Vec<String>,
}

/// `/readyz`: the store can be used, and no zone was left alone for long.
pub(super) async fn ready(State(shared): State<Arc<Shared>>) -> Answer {
    let reasons = obstacles(&shared.newest(), Timestamp::now());
    let ready = Ready {
        ready: reasons.is_empty(),
        reasons,
    };
    let mut response = json(text(serde_json::to_string(&ready).map_err(internal)?));
    if !ready.ready {
        *response.status_mut() = StatusCode::SERVICE_UNAVAILABLE;
    }
    Ok(response)
}

/// Why the daemon does not do what it is there for.
fn obstacles(status: &Status, now: Timestamp) -> Vec<String> {
    let mut reasons = Vec::new();
    if let Some(failure) = &status.store_failure {
        reasons.push(format!("the store cannot be used: {failure}"));
    }
    if status.is_overdue(now) {
        reasons.push("some zone was not looked at for over two intervals".to_owned());
    } else if !status.zones.is_empty() && status.last_full_reconcile().is_none() {
        reasons.push("not every zone was looked at yet".to_owned());
    }
    if status.is_stalled(now) {
        reasons.push(format!("the daemon has not moved since {:.0}", status.at));
    }
    reasons
}

/// `/metrics`: for Prometheus.
pub(super) async fn metrics(State(shared): State<Arc<Shared>>) -> Response<Body> {
    let pieces = render::metrics::text(shared.newest(), Timestamp::now());
    typed(
        "text/plain; version=0.0.4; charset=utf-8",
        in_pieces(pieces),
    )
}

/// The parameters of `/api/v1/status`.
const STATUS_PARAMETERS: [&str; 11] = [
    "zone", "search", "problems", "state", "sort", "page", "per_page", "format", "width", "color",
    "unicode",
];

/// `/api/v1/status`: everything that is known.
pub(super) async fn status(State(shared): State<Arc<Shared>>, asked: Asked) -> Answer {
    let question = Question::read(asked, &STATUS_PARAMETERS)?;
    let selection = selection(&question)?;
    let (status, now) = (shared.newest(), Timestamp::now());
    let page = select(&status, &selection);
    match question.text("format") {
        None | Some("json") => {
            let pieces = render::status::json(&status, page, now).map_err(internal)?;
            Ok(json(in_pieces(pieces)))
        }
        Some("text") => {
            let layout = Layout {
                width: question
                    .number("width", "a number of columns, 40 to 400")?
                    .map_or(80, |width: usize| width.clamp(40, 400)),
                unicode: question.yes("unicode", true)?,
            };
            let styled = render::status_text::text(&status, &page, now, layout);
            let written = if question.yes("color", false)? {
                styled
            } else {
                anstream::adapter::strip_str(&styled).to_string()
            };
            Ok(typed("text/plain; charset=utf-8", Body::from(written)))
        }
        Some(_) => Err(wrong("format", "json or text")),
    }
}

/// Which zones are asked for, and in which order.
fn selection(question: &Question) -> Result<Selection, Refusal> {
    let state =
        |word: &str| ZoneState::parse(word).ok_or_else(|| wrong("state", "the state of a zone"));
    let order =
        |word: &str| Order::parse(word).ok_or_else(|| wrong("sort", "problems, name or changed"));
    Ok(Selection {
        search: question.text("search").map(str::to_lowercase),
        zone: question.zone()?.map(|zone| zone.to_string().to_lowercase()),
        problems: question.yes("problems", false)?,
        state: question.text("state").map(state).transpose()?,
        order: question
            .text("sort")
            .map(order)
            .transpose()?
            .unwrap_or_default(),
        page: question.at_least_one("page")?.unwrap_or(1),
        per_page: question.at_least_one("per_page")?,
    })
}

/// The parameters of `/api/v1/plan`.
const PLAN_PARAMETERS: [&str; 3] = ["format", "page", "per_page"];

/// The plan in JSON, of one generation of the status, as of one look at a zone: it says when that was.
#[derive(Debug)]
pub(super) struct KeptPlan {
    generation: u64,
    last_attempt: Option<Timestamp>,
    json: Bytes,
}

/// `/api/v1/plan`: what the daemon would change, as `plan --format json` has it, or line by line.
pub(super) async fn plan(State(shared): State<Arc<Shared>>, asked: Asked) -> Answer {
    let question = Question::read(asked, &PLAN_PARAMETERS)?;
    let paged = ["page", "per_page"]
        .into_iter()
        .find(|key| question.text(key).is_some());
    match (question.text("format"), paged) {
        (None | Some("json"), Some(key)) => Err(wrong(key, "used with format=lines only")),
        (None | Some("json"), None) => {
            let place = Arc::clone(&shared.plans).try_acquire_owned();
            let place = place.map_err(|_full| {
                let text = "too many read a plan; ask again later";
                Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
            })?;
            // One at a time, and the same for all who ask before something changes.
            let mut kept = shared.plan.lock().await;
            let status = shared.newest();
            if let Some(kept) = &*kept
                && kept.generation == status.generation
                && kept.last_attempt == status.totals.last_attempt
            {
                return Ok(json(held(kept.json.clone(), place)));
            }
            let mut written = Vec::new();
            render::json::plan(&status.plan(), &mut written).map_err(internal)?;
            let written = Bytes::from(written);
            *kept = Some(KeptPlan {
                generation: status.generation,
                last_attempt: status.totals.last_attempt,
                json: written.clone(),
            });
            Ok(json(held(written, place)))
        }
        (Some("lines"), _) => {
            let page = question.at_least_one("page")?.unwrap_or(1);
            let per_page = question.at_least_one("per_page")?.unwrap_or(100).min(1000);
            let written = render::plan_lines::json(&shared.newest(), page, per_page);
            Ok(json(text(written.map_err(internal)?)))
        }
        (Some(_), _) => Err(wrong("format", "json or lines")),
    }
}

/// The parameters of `/api/v1/history`.
const HISTORY_PARAMETERS: [&str; 3] = ["zone", "before", "limit"];

/// `/api/v1/history`: what was changed, the newest first.
pub(super) async fn history(State(shared): State<Arc<Shared>>, asked: Asked) -> Answer {
    let question = Question::read(asked, &HISTORY_PARAMETERS)?;
    let expected = format!("a whole number from 1 to {MOST_CHANGES}");
    let limit = match question.number("limit", &expected)? {
        None => USUAL_CHANGES,
        Some(limit) => NonZeroU32::new(limit)
            .filter(|limit| limit.get() <= MOST_CHANGES)
            .ok_or_else(|| wrong("limit", &expected))?,
    };
    let query = HistoryQuery {
        zone: question.zone()?,
        before: question
            .number("before", "the number of a change")?
            .map(ChangeId),
        limit,
    };
    let state_dir = shared.state_dir.clone();
    let _turn = shared.readers.acquire().await.map_err(internal)?;
    let read = move || {
        let entries = Store::read_history(&state_dir, &query).map_err(|error| chain(&error))?;
        let mut written = Vec::new();
        render::history::json(entries.iter().map(Ok::<_, Infallible>), &mut written)
            .map_err(|error| error.to_string())?;
        Ok::<_, String>(written)
    };
    let read = tokio::task::spawn_blocking(read).await.map_err(internal)?;
    let written = read.map_err(|failure| {
        error!("the history was not answered: {failure}");
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, failure)
    })?;
    Ok(json(Body::from(written)))
}

/// `/api/v1/events`: what happens, as it happens.
pub(super) async fn events(
    State(shared): State<Arc<Shared>>,
    headers: HeaderMap,
    asked: Asked,
) -> Answer {
    Question::read(asked, &[])?;
    let place = Arc::clone(&shared.watchers).try_acquire_owned();
    let place = place.map_err(|_full| {
        let text = "too many clients watch the events; ask again later";
        Refusal::new(StatusCode::SERVICE_UNAVAILABLE, text)
    })?;
    let last = headers.get("last-event-id");
    let last = last.map(|id| id.to_str().unwrap_or_default());
    let body = body(&shared.hub, shared.status.clone(), last, place);
    Ok(typed("text/event-stream", body))
}

/// `/api/v1/openapi.json`: the description of all this.
pub(super) async fn description(asked: Asked) -> Answer {
    Question::read(asked, &[])?;
    Ok(json(Body::from(DESCRIPTION)))
}

/// Written as it is read, so that no client costs more memory than a piece.
fn in_pieces(pieces: impl Iterator<Item = String> + Send + 'static) -> Body {
    Body::from_stream(stream::iter(pieces.map(Ok::<_, Infallible>)))
}

/// A body that keeps its place until it was read, or the client is gone.
fn held(body: Bytes, place: OwnedSemaphorePermit) -> Body {
    let piece = move |(body, place): (Option<Bytes>, OwnedSemaphorePermit)| async {
        let body = body?;
        Some((Ok::<_, Infallible>(body), (None, place)))
    };
    Body::from_stream(stream::unfold((Some(body), place), piece))
}

fn text(mut line: String) -> Body {
    line.push('\n');
    Body::from(line)
}

fn internal(error: impl std::fmt::Display) -> Refusal {
    error!("a request could not be answered: {error}");
    Refusal::new(
        StatusCode::INTERNAL_SERVER_ERROR,
        "the answer could not be written; the daemon's log says why",
    )
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;
    use crate::model::{Changes, Expect, Foreign, Name, Policy, Publisher, Zone};
    use crate::plan::ZoneError;
    use crate::status::{Book, Report, Terms};

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(second).unwrap()
    }

    fn zone() -> Zone {
        Zone {
            name: Name::parse("corp.example.").unwrap(),
            owner: Name::parse("_vlmcs._tcp.corp.example.").unwrap(),
            ttl: 3600,
            expect: Expect::Hosts,
            standby_below: 1,
            policy: Arc::new(Policy {
                changes: Changes::Sync,
                foreign: Foreign::Report,
                publisher: Publisher::Sole,
                min_hosts: 1,
                max_removals: 1,
                freeze_percent: 50,
                refresh: None,
            }),
            hosts: Arc::default(),
            servers: Arc::default(),
            key: None,
        }
    }

    #[test]
    fn a_daemon_is_ready_while_it_does_what_it_is_there_for() {
        let mut book = Book::new(at(0));
        let terms = Terms {
            hosts: &[],
            zones: &[zone()],
            writes: true,
            interval: Duration::from_secs(300),
        };
        book.configure(terms, at(0));
        let told = |book: &mut Book, second, now| obstacles(&book.status(at(second)), at(now));
        assert_eq!(told(&mut book, 1, 1), ["not every zone was looked at yet"]);

        // A zone that cannot be read was looked at: that is an alert's matter.
        let unreadable = Report {
            zone: 0,
            plan: Err(ZoneError {
                server: None,
                text: "no answer".to_owned(),
            }),
            outcome: None,
        };
        book.walked([unreadable], "run: start", None, at(10));
        assert_eq!(told(&mut book, 10, 40), [""; 0]);
        assert_eq!(
            told(&mut book, 10, 41),
            ["the daemon has not moved since 1970-01-01T00:00:10Z"]
        );
        assert_eq!(told(&mut book, 670, 670), [""; 0]);
        assert_eq!(
            told(&mut book, 671, 671),
            ["some zone was not looked at for over two intervals"]
        );

        book.store(Some(&"the disk is full".to_owned()));
        assert_eq!(
            told(&mut book, 600, 600),
            ["the store cannot be used: the disk is full"]
        );
    }
}
