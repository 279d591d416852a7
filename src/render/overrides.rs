//! The inventory with its overrides and the pause: what `host list` prints.

use std::io;

use anstyle::{AnsiColor, Style};
use jiff::Timestamp;
use serde::Serialize;

use super::lines::{Layout, fold, name_column, one_line};
use super::pause::{self, JsonPause, left};
use crate::model::{Name, Override, OverrideState, Pause, Role};

/// The version of the JSON.
const FORMAT_VERSION: u32 = 1;

/// What does not fit its line goes on so far indented.
const INDENT: usize = 4;

/// Columns of the longest role.
const ROLE: usize = 8;

/// A host and an operator's word on it.
#[derive(Debug, Clone, Copy)]
pub struct ListedHost<'a> {
    /// The host.
    pub name: &'a Name,
    /// Its role; `None`: it is no longer in the inventory.
    pub role: Option<Role>,
    /// The override that holds.
    pub word: Option<&'a Override>,
}

/// A line per host; a long reason is folded below. Then the pause that holds.
pub fn text(
    hosts: &[ListedHost<'_>],
    pause: Option<&Pause>,
    now: Timestamp,
    layout: Layout,
) -> String {
    let width = name_column(hosts.iter().map(|host| host.name), layout);
    let mut out = String::new();
    for host in hosts {
        let role = host.role.map_or("unlisted", Role::as_str);
        let head = format!("{:<width$}  {role:<ROLE$}", host.name.to_string());
        let Some(word) = host.word else {
            out.push_str(&format!("{head}  no override\n"));
            continue;
        };
        let style = match word.state {
            OverrideState::Up => AnsiColor::Green.on_default(),
            OverrideState::Down => AnsiColor::Red.on_default(),
        };
        let text = one_line(&format!("{word} ({:#} left)", left(word.until, now)));
        if head.chars().count() + 2 + text.chars().count() <= layout.width {
            out.push_str(&format!("{head}  {}\n", styled(style, &text)));
            continue;
        }
        out.push_str(head.trim_end());
        out.push('\n');
        for piece in fold(&text, layout.width.saturating_sub(INDENT)) {
            out.push_str(&format!("{:INDENT$}{}\n", "", styled(style, &piece)));
        }
    }
    if let Some(pause) = pause {
        out.push_str(&pause::line(pause, now, layout));
    }
    out
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

/// Writes the list as JSON, indented, with a final newline.
pub fn json(
    hosts: &[ListedHost<'_>],
    pause: Option<&Pause>,
    now: Timestamp,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let document = Document {
        format_version: FORMAT_VERSION,
        hosts: hosts.iter().map(|host| JsonHost::new(host, now)).collect(),
        pause: pause.map(|pause| JsonPause::new(pause, now)),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    hosts: Vec<JsonHost<'a>>,
    pause: Option<JsonPause<'a>>,
}

#[derive(Serialize)]
struct JsonHost<'a> {
    host: &'a Name,
    role: Option<&'static str>,
    r#override: Option<JsonOverride<'a>>,
}

/// An override, without its host.
#[derive(Serialize)]
pub(super) struct JsonOverride<'a> {
    state: &'static str,
    made_at: Timestamp,
    until: Timestamp,
    remaining_seconds: i64,
    reason: Option<&'a str>,
    actor: &'a str,
}

impl<'a> JsonHost<'a> {
    fn new(host: &ListedHost<'a>, now: Timestamp) -> Self {
        Self {
            host: host.name,
            role: host.role.map(Role::as_str),
            r#override: host.word.map(|word| JsonOverride::new(word, now)),
        }
    }
}

impl<'a> JsonOverride<'a> {
    /// As of now.
    pub(super) fn new(word: &'a Override, now: Timestamp) -> Self {
        Self {
            state: word.state.as_str(),
            made_at: word.made_at,
            until: word.until,
            remaining_seconds: left(word.until, now).as_secs(),
            reason: word.reason.as_deref(),
            actor: &word.actor,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn at(second: i64) -> Timestamp {
        Timestamp::from_second(1_760_000_000 + second).unwrap()
    }

    fn word(reason: &str) -> Override {
        Override {
            host: name("kms1.example."),
            state: OverrideState::Down,
            reason: Some(reason.to_owned()),
            actor: "alice".to_owned(),
            made_at: at(0),
            until: at(14_400),
        }
    }

    fn pause() -> Pause {
        Pause {
            reason: None,
            actor: "bob".to_owned(),
            made_at: at(0),
            until: at(7_200),
        }
    }

    #[test]
    fn a_pause_stands_below_the_hosts() {
        let text = super::text(&[], Some(&pause()), at(61), Layout::default());
        assert_eq!(
            anstream::adapter::strip_str(&text).to_string(),
            "`srvkeeper run` is paused until 2025-10-09T10:53:20Z by bob (1h 58m 59s left)\n"
        );
        let mut out = Vec::new();
        json(&[], None, at(61), &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let expected = serde_json::json!({"format_version": 1, "hosts": [], "pause": null});
        assert_eq!(json, expected);
    }

    #[test]
    fn each_host_has_its_line_and_a_long_reason_more() {
        let (kms1, kms2, gone) = (name("kms1.example."), name("kms2.example."), name("gone."));
        let (short, long) = (word("patching"), word("it \u{1b}is \n patched again"));
        let hosts = [
            ListedHost {
                name: &kms1,
                role: Some(Role::Active),
                word: Some(&short),
            },
            ListedHost {
                name: &kms2,
                role: Some(Role::Standby),
                word: None,
            },
            ListedHost {
                name: &gone,
                role: None,
                word: Some(&long),
            },
        ];
        let layout = Layout {
            width: 60,
            unicode: true,
        };
        let wide = Layout {
            width: 200,
            ..layout
        };
        let text = |layout| {
            anstream::adapter::strip_str(&super::text(&hosts, None, at(61), layout)).to_string()
        };
        assert_eq!(
            text(layout),
            "kms1.example.  active\n\
             \x20   forced down until 2025-10-09T12:53:20Z by alice:\n\
             \x20   \"patching\" (3h 58m 59s left)\n\
             kms2.example.  standby   no override\n\
             gone.          unlisted\n\
             \x20   forced down until 2025-10-09T12:53:20Z by alice: \"it \u{fffd}is\n\
             \x20   patched again\" (3h 58m 59s left)\n"
        );
        assert!(text(wide).starts_with(
            "kms1.example.  active    forced down until 2025-10-09T12:53:20Z by alice: \"patching\" (3h 58m 59s left)\n"
        ));
    }

    #[test]
    fn the_json_has_its_fields() {
        let kms1 = name("kms1.example.");
        let (word, kms2) = (word("patching"), name("kms2.example."));
        let hosts = [
            ListedHost {
                name: &kms1,
                role: Some(Role::Active),
                word: Some(&word),
            },
            ListedHost {
                name: &kms2,
                role: None,
                word: None,
            },
        ];
        let mut out = Vec::new();
        json(&hosts, Some(&pause()), at(61), &mut out).unwrap();
        let json: serde_json::Value = serde_json::from_slice(&out).unwrap();
        let expected = serde_json::json!({"format_version": 1, "hosts": [
            {"host": "kms1.example.", "role": "active", "override": {
                "state": "down", "made_at": "2025-10-09T08:53:20Z", "until": "2025-10-09T12:53:20Z",
                "remaining_seconds": 14_339, "reason": "patching", "actor": "alice"}},
            {"host": "kms2.example.", "role": null, "override": null},
        ], "pause": {"made_at": "2025-10-09T08:53:20Z", "until": "2025-10-09T10:53:20Z",
            "remaining_seconds": 7_139, "reason": null, "actor": "bob"}});
        assert_eq!(json, expected);
        assert_eq!(out.last(), Some(&b'\n'));
    }
}
