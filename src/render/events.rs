//! What happened, as JSON on one line: the data of `/api/v1/events`.

use jiff::Timestamp;
use serde::Serialize;

use crate::model::Name;
use crate::status::{Event, ZoneNews};

/// The event of this number as JSON, on one line.
pub fn json(event: &Event, id: &str, now: Timestamp) -> serde_json::Result<String> {
    serde_json::to_string(&Told {
        id,
        event: event.name(),
        time: now,
        what: What::from(event),
    })
}

#[derive(Serialize)]
struct Told<'a> {
    id: &'a str,
    event: &'static str,
    time: Timestamp,
    #[serde(flatten)]
    what: What<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum What<'a> {
    Host {
        host: &'a Name,
        before: &'static str,
        state: &'static str,
        forced: bool,
        reason: &'a str,
    },
    Zones {
        actor: &'a str,
        walked: usize,
        zones: Vec<News<'a>>,
        more: usize,
    },
    Override {
        host: &'a Name,
        state: Option<&'static str>,
        until: Option<Timestamp>,
        reason: Option<&'a str>,
        actor: Option<&'a str>,
    },
    Pause {
        until: Option<Timestamp>,
        reason: Option<&'a str>,
        actor: Option<&'a str>,
    },
    Alert {
        kind: &'static str,
        zone: Option<&'a Name>,
        host: Option<&'a Name>,
        text: &'a str,
    },
    Copies {
        zone: &'a Name,
        owner: &'a Name,
        agreeing: usize,
        total: usize,
    },
    Configured {},
}

#[derive(Serialize)]
struct News<'a> {
    zone: &'a Name,
    owner: &'a Name,
    state: &'static str,
    outcome: Option<&'static str>,
    changes: usize,
}

impl<'a> From<&'a Event> for What<'a> {
    fn from(event: &'a Event) -> Self {
        match event {
            Event::Host {
                host,
                before,
                state,
                forced,
                reason,
            } => Self::Host {
                host,
                before: before.as_str(),
                state: state.as_str(),
                forced: *forced,
                reason,
            },
            Event::Zones {
                actor,
                walked,
                news,
                more,
            } => Self::Zones {
                actor,
                walked: *walked,
                zones: news.iter().map(News::from).collect(),
                more: *more,
            },
            Event::Override { host, word } => Self::Override {
                host,
                state: word.as_ref().map(|word| word.state.as_str()),
                until: word.as_ref().map(|word| word.until),
                reason: word.as_ref().and_then(|word| word.reason.as_deref()),
                actor: word.as_ref().map(|word| word.actor.as_str()),
            },
            Event::Pause { pause } => Self::Pause {
                until: pause.as_ref().map(|pause| pause.until),
                reason: pause.as_ref().and_then(|pause| pause.reason.as_deref()),
                actor: pause.as_ref().map(|pause| pause.actor.as_str()),
            },
            Event::Alert(alert) => Self::Alert {
                kind: alert.kind.as_str(),
                zone: alert.zone.as_ref(),
                host: alert.host.as_ref(),
                text: &alert.text,
            },
            Event::Copies {
                zone,
                owner,
                agreeing,
                servers,
            } => Self::Copies {
                zone,
                owner,
                agreeing: *agreeing,
                total: *servers,
            },
            Event::Configured => Self::Configured {},
        }
    }
}

impl<'a> From<&'a ZoneNews> for News<'a> {
    fn from(news: &'a ZoneNews) -> Self {
        Self {
            zone: &news.zone,
            owner: &news.owner,
            state: news.state.as_str(),
            outcome: news.outcome.map(|outcome| outcome.as_str()),
            changes: news.changes,
        }
    }
}
