//! Recorded changes: a line each, all of one, and as JSON.

use std::borrow::Borrow;
use std::cell::RefCell;
use std::fmt::Display;
use std::io;

use anstyle::Style;
use jiff::Timestamp;
use serde::Serialize;
use serde::ser::{Error as _, SerializeSeq, Serializer};

use crate::model::{Change, ChangeKind, HistoryEntry, Name, Srv};

use super::lines::{self, Layout, columns, counted, fold, one_line};
use super::text::{
    BOLD, DIM, INDENT, YELLOW, folded, indented, line, style_of_outcome, styled, told,
};

/// What stands for the outcome while there is none.
const OPEN: &str = "open";

/// Columns of the longest outcome, `applied`, `refused` and `unknown`.
const OUTCOME: usize = 7;

/// Between two columns.
const GAP: &str = "  ";

/// One line for each change, under a heading; zones and actors are cut to keep to the width.
pub fn list(entries: &[HistoryEntry], layout: Layout) -> String {
    let rows: Vec<Row> = entries.iter().map(|entry| Row::of(entry, layout)).collect();
    let heading = Row {
        id: "ID".to_owned(),
        asked_at: "TIME (UTC)".to_owned(),
        zone: "ZONE".to_owned(),
        counts: "CHANGES".to_owned(),
        outcome: "OUTCOME",
        style: DIM,
        actor: "ASKED BY".to_owned(),
    };
    let widths = Widths::of(&heading, &rows, layout);
    let mut out = String::new();
    line(&mut out, &styled(DIM, &widths.lay_out(&heading, layout)));
    for row in &rows {
        line(&mut out, &widths.lay_out(row, layout));
    }
    out
}

struct Row {
    id: String,
    asked_at: String,
    zone: String,
    /// `+1 ±0 -2`
    counts: String,
    outcome: &'static str,
    style: Style,
    actor: String,
}

impl Row {
    fn of(entry: &HistoryEntry, layout: Layout) -> Self {
        let (mut creates, mut updates, mut deletes) = (0_usize, 0_usize, 0_usize);
        for change in &entry.changes {
            match change.kind {
                ChangeKind::Create { .. } => creates += 1,
                ChangeKind::Update { .. } => updates += 1,
                ChangeKind::Delete { .. } => deletes += 1,
            }
        }
        let sign = if layout.unicode { '±' } else { '~' };
        let (outcome, style) = outcome(entry);
        Self {
            id: entry.id.to_string(),
            asked_at: entry.asked_at.strftime("%Y-%m-%d %H:%M:%S").to_string(),
            zone: entry.zone.to_string(),
            counts: format!("+{creates} {sign}{updates} -{deletes}"),
            outcome,
            style,
            actor: one_line(&entry.actor),
        }
    }
}

fn outcome(entry: &HistoryEntry) -> (&'static str, Style) {
    entry.ended.as_ref().map_or((OPEN, YELLOW), |ended| {
        let kind = ended.outcome.kind;
        (kind.as_str(), style_of_outcome(kind))
    })
}

/// The columns' widths.
struct Widths {
    id: usize,
    asked_at: usize,
    zone: usize,
    counts: usize,
    actor: usize,
}

impl Widths {
    fn of(heading: &Row, rows: &[Row], layout: Layout) -> Self {
        let widest = |column: fn(&Row) -> &String| {
            std::iter::once(heading)
                .chain(rows)
                .map(|row| columns(column(row)))
                .max()
                .unwrap_or_default()
        };
        let (id, asked_at) = (widest(|row| &row.id), widest(|row| &row.asked_at));
        let counts = widest(|row| &row.counts);
        let (zone, actor) = (widest(|row| &row.zone), widest(|row| &row.actor));
        let taken = id + asked_at + counts + OUTCOME + 5 * GAP.len();
        let room = layout.width.saturating_sub(taken);
        // Whoever needs less than half leaves the rest to the other.
        let half = room / 2;
        let zone_room = if actor < half {
            room - actor
        } else {
            room - half
        };
        let zone = zone.min(zone_room);
        Self {
            id,
            asked_at,
            zone,
            counts,
            actor: actor.min(room.saturating_sub(zone)),
        }
    }

    fn lay_out(&self, row: &Row, layout: Layout) -> String {
        let zone = cut(&row.zone, self.zone, layout);
        let actor = cut(&row.actor, self.actor, layout);
        let outcome = styled(row.style, row.outcome);
        // Padded outside the style, whose escapes have no columns.
        let pad = " ".repeat(OUTCOME.saturating_sub(row.outcome.len()));
        format!(
            "{:>id$}{GAP}{:<asked_at$}{GAP}{zone:<zone_width$}{GAP}{:<counts$}{GAP}{outcome}{pad}{GAP}{actor}",
            row.id,
            row.asked_at,
            row.counts,
            id = self.id,
            asked_at = self.asked_at,
            zone_width = self.zone,
            counts = self.counts,
        )
    }
}

/// The beginning of a text that is too long for its column, with a mark.
fn cut(text: &str, width: usize, layout: Layout) -> String {
    if columns(text) <= width {
        return text.to_owned();
    }
    let mut cut: String = text.chars().take(width.saturating_sub(1)).collect();
    cut.push(if layout.unicode { '…' } else { '~' });
    cut
}

/// All that is known of one change.
pub fn entry(entry: &HistoryEntry, layout: Layout) -> String {
    let mut out = String::new();
    head(&mut out, entry, layout);
    facts(&mut out, entry, layout);
    out.push('\n');
    told(
        &mut out,
        &lines::changes(&entry.owner, &entry.changes, layout),
    );
    out.push('\n');
    rrset(
        &mut out,
        "before",
        entry.before.ttl,
        entry.before.mixed_ttl,
        &entry.before.records,
    );
    rrset(&mut out, "after", entry.after_ttl, false, &entry.after);
    out
}

/// What became of it.
fn head(out: &mut String, entry: &HistoryEntry, layout: Layout) {
    let (word, style) = outcome(entry);
    let (name, what) = (format!("change {}", entry.id), styled(style, word));
    line(
        out,
        &format!("{}: {}: {what}", styled(BOLD, &name), entry.zone),
    );
    let text = entry.ended.as_ref().map_or(
        "no outcome yet: the update is under way, or was cut short, and then the next `srvkeeper apply` settles it by reading",
        |ended| &ended.outcome.text,
    );
    folded(out, text, layout);
}

/// Who, when, where.
fn facts(out: &mut String, entry: &HistoryEntry, layout: Layout) {
    let outcome = entry.ended.as_ref().map(|ended| &ended.outcome);
    let serial = match outcome.and_then(|outcome| outcome.serial) {
        Some(after) => format!("{} before, {after} after", entry.before.serial),
        None => format!("{} before", entry.before.serial),
    };
    let server = format!("{}, zone {}", entry.before.server, entry.before.update_zone);
    let rcode = outcome
        .and_then(|outcome| outcome.rcode)
        .map(|rcode| rcode.to_string());
    let ended = entry.ended.as_ref().map(|ended| format!("{:.0}", ended.at));
    let facts = [
        (
            "asked",
            Some(format!("{:.0}, {}", entry.asked_at, entry.actor)),
        ),
        ("ended", ended),
        ("server", Some(server)),
        ("serial", Some(serial)),
        ("rcode", rcode),
        ("digest", Some(entry.digest.clone())),
    ];
    const LABEL: usize = 8;
    for (label, fact) in facts {
        let Some(fact) = fact else { continue };
        let pieces = fold(&fact, layout.width.saturating_sub(LABEL));
        for (index, piece) in pieces.iter().enumerate() {
            let label = if index == 0 { label } else { "" };
            line(
                out,
                &format!("{}{piece}", styled(DIM, &format!("{label:<LABEL$}"))),
            );
        }
    }
}

fn rrset(out: &mut String, when: &str, ttl: Option<u32>, mixed_ttl: bool, records: &[Srv]) {
    let what = match ttl {
        None => "no record".to_owned(),
        Some(ttl) => {
            let mixed = if mixed_ttl { " and higher" } else { "" };
            format!("{}, ttl={ttl}{mixed}", counted(records.len(), "record"))
        }
    };
    line(out, &format!("{}: {what}", styled(BOLD, when)));
    for record in records {
        indented(out, INDENT, &record.to_string());
    }
}

/// The version of the JSON form.
const FORMAT_VERSION: u32 = 1;

/// Writes the changes as JSON, indented, with a final newline: `{"format_version", "changes"}`.
///
/// Each change has all its fields, `null` where nothing is known; `changes` in it are as in
/// `plan --format json`. They are written as they come, so that a long history needs no memory; one
/// that could not be read ends the text where it stands, with its error.
pub fn json<T, E>(
    entries: impl IntoIterator<Item = Result<T, E>>,
    out: &mut dyn io::Write,
) -> io::Result<()>
where
    T: Borrow<HistoryEntry>,
    E: Display,
{
    let document = Document {
        format_version: FORMAT_VERSION,
        changes: Sequence(RefCell::new(entries.into_iter())),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<S> {
    format_version: u32,
    changes: S,
}

/// Changes that are taken while they are written.
struct Sequence<I>(RefCell<I>);

impl<I, T, E> Serialize for Sequence<I>
where
    I: Iterator<Item = Result<T, E>>,
    T: Borrow<HistoryEntry>,
    E: Display,
{
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        let mut sequence = serializer.serialize_seq(None)?;
        for entry in &mut *self.0.borrow_mut() {
            let entry = entry.map_err(S::Error::custom)?;
            sequence.serialize_element(&Recorded::from(entry.borrow()))?;
        }
        sequence.end()
    }
}

#[derive(Serialize)]
struct Recorded<'a> {
    id: i64,
    asked_at: Timestamp,
    actor: &'a str,
    zone: &'a Name,
    owner: &'a Name,
    server: String,
    update_zone: &'a Name,
    serial_before: u32,
    serial_after: Option<u32>,
    before: Rrset<'a>,
    after: Rrset<'a>,
    changes: &'a [Change],
    digest: &'a str,
    /// `None` while the change is open.
    outcome: Option<Outcome<'a>>,
}

#[derive(Serialize)]
struct Rrset<'a> {
    ttl: Option<u32>,
    records: &'a [Srv],
}

#[derive(Serialize)]
struct Outcome<'a> {
    kind: &'static str,
    text: &'a str,
    rcode: Option<String>,
    finished_at: Timestamp,
}

impl<'a> From<&'a HistoryEntry> for Recorded<'a> {
    fn from(entry: &'a HistoryEntry) -> Self {
        let before = &entry.before;
        Self {
            id: entry.id.0,
            asked_at: entry.asked_at,
            actor: &entry.actor,
            zone: &entry.zone,
            owner: &entry.owner,
            server: before.server.to_string(),
            update_zone: &before.update_zone,
            serial_before: before.serial,
            serial_after: entry.ended.as_ref().and_then(|ended| ended.outcome.serial),
            before: Rrset {
                ttl: before.ttl,
                records: &before.records,
            },
            after: Rrset {
                ttl: entry.after_ttl,
                records: &entry.after,
            },
            changes: &entry.changes,
            digest: &entry.digest,
            outcome: entry.ended.as_ref().map(|ended| Outcome {
                kind: ended.outcome.kind.as_str(),
                text: &ended.outcome.text,
                rcode: ended.outcome.rcode.map(|rcode| rcode.to_string()),
                finished_at: ended.at,
            }),
        }
    }
}

#[cfg(test)]
mod tests {
    use anstream::adapter::strip_str;
    use serde_json::{Value, json};

    use super::*;
    use crate::model::{self, ChangeId, Ended, Observed, OutcomeKind, Rcode, Reason, ReasonCode};

    const PLAIN: Layout = Layout {
        width: 80,
        unicode: true,
    };

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn srv(target: &str) -> Srv {
        Srv {
            priority: 0,
            weight: 0,
            port: 1688,
            target: name(target),
        }
    }

    fn sample() -> HistoryEntry {
        let reason = |code, text: &str| Reason {
            code,
            text: text.to_owned(),
        };
        HistoryEntry {
            id: ChangeId(17),
            asked_at: Timestamp::UNIX_EPOCH,
            zone: name("corp.example."),
            owner: name("_vlmcs._tcp.corp.example."),
            before: Observed {
                server: "127.0.0.1:53".parse().unwrap(),
                update_zone: name("corp.example."),
                serial: 7,
                ttl: Some(3600),
                mixed_ttl: false,
                records: vec![srv("kms1.corp.example."), srv("kms2.corp.example.")],
            },
            after: vec![srv("kms1.corp.example."), srv("kms3.corp.example.")],
            after_ttl: Some(3600),
            changes: vec![
                Change {
                    kind: ChangeKind::Delete {
                        before: srv("kms2.corp.example."),
                        before_ttl: 3600,
                    },
                    reason: reason(
                        ReasonCode::HostDown,
                        "down since long; refused the connection",
                    ),
                },
                Change {
                    kind: ChangeKind::Create {
                        after: srv("kms3.corp.example."),
                        ttl: 3600,
                    },
                    reason: reason(ReasonCode::HostUp, "up and not published"),
                },
            ],
            digest: format!("sha256:{}", "0123456789abcdef".repeat(4)),
            actor: "apply by alice".to_owned(),
            ended: Some(Ended {
                at: "1970-01-01T00:00:01.5Z".parse().unwrap(),
                outcome: model::Outcome {
                    kind: OutcomeKind::Applied,
                    text: "the read-back shows the planned RRset".to_owned(),
                    rcode: Some(Rcode::NOERROR),
                    serial: Some(8),
                },
            }),
        }
    }

    fn open() -> HistoryEntry {
        HistoryEntry {
            id: ChangeId(18),
            ended: None,
            ..sample()
        }
    }

    fn long() -> HistoryEntry {
        HistoryEntry {
            id: ChangeId(123_456),
            zone: name("a-very-long-suffix.of-some-department.somewhere.corp.example."),
            actor: "rollback of 17 by\n\u{1b}[31malexandria.the.third".to_owned(),
            ..sample()
        }
    }

    fn stripped(text: &str) -> String {
        strip_str(text).to_string()
    }

    #[test]
    fn a_change_is_a_line() {
        assert_eq!(
            stripped(&list(&[open(), sample()], PLAIN)),
            "\
ID  TIME (UTC)           ZONE           CHANGES   OUTCOME  ASKED BY
18  1970-01-01 00:00:00  corp.example.  +1 ±0 -1  open     apply by alice
17  1970-01-01 00:00:00  corp.example.  +1 ±0 -1  applied  apply by alice
"
        );
    }

    #[test]
    fn no_line_is_wider_than_the_layout_and_wide_ones_cut_nothing() {
        let entries = [sample(), long(), open()];
        for (width, unicode) in [(80, true), (80, false), (100, true)] {
            let list = stripped(&list(&entries, Layout { width, unicode }));
            for line in list.lines() {
                assert!(columns(line) <= width, "{line}");
            }
            assert!(list.contains(if unicode { '…' } else { '~' }), "{list}");
            assert_eq!(list.is_ascii(), !unicode, "{list}");
            assert!(!list.contains('\u{1b}'), "{list}");
        }
        let wide = Layout {
            width: 200,
            ..PLAIN
        };
        let list = stripped(&list(&entries, wide));
        assert!(list.contains("somewhere.corp.example.  +1"), "{list}");
        assert!(list.contains("alexandria.the.third\n"), "{list}");
    }

    #[test]
    fn one_change_with_everything() {
        assert_eq!(
            stripped(&entry(&sample(), PLAIN)),
            "\
change 17: corp.example.: applied
    the read-back shows the planned RRset
asked   1970-01-01T00:00:00Z, apply by alice
ended   1970-01-01T00:00:01Z
server  127.0.0.1:53, zone corp.example.
serial  7 before, 8 after
rcode   NOERROR
digest  sha256:0123456789abcdef0123456789abcdef0123456789abcdef0123456789abcdef

- DELETE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms2.corp.example. ttl=3600
    host-down: down since long; refused the connection
+ CREATE _vlmcs._tcp.corp.example. SRV 0 0 1688 kms3.corp.example. ttl=3600
    host-up: up and not published

before: 2 records, ttl=3600
    0 0 1688 kms1.corp.example.
    0 0 1688 kms2.corp.example.
after: 2 records, ttl=3600
    0 0 1688 kms1.corp.example.
    0 0 1688 kms3.corp.example.
"
        );
    }

    #[test]
    fn what_is_not_known_is_not_shown() {
        let mut change = open();
        change.after = Vec::new();
        change.after_ttl = None;
        change.before.mixed_ttl = true;
        let text = stripped(&entry(&change, PLAIN));
        assert!(text.starts_with("change 18: corp.example.: open\n    no outcome yet"));
        for line in text.lines() {
            assert!(columns(line) <= 80, "{line}");
            assert!(!line.starts_with("ended") && !line.starts_with("rcode"));
        }
        assert!(text.contains("serial  7 before\n"), "{text}");
        assert!(
            text.contains("before: 2 records, ttl=3600 and higher\n"),
            "{text}"
        );
        assert!(text.ends_with("after: no record\n"), "{text}");
    }

    #[test]
    fn the_json_form() {
        let mut out = Vec::new();
        json([Ok::<_, String>(open()), Ok(sample())], &mut out).unwrap();
        let read: Value = serde_json::from_slice(&out).unwrap();
        let record = |host: &str| json!({"priority": 0, "weight": 0, "port": 1688, "target": format!("{host}.corp.example.")});
        let with_ttl = |host: &str| {
            let mut record = record(host);
            record["ttl"] = json!(3600);
            record
        };
        let mut expected = json!({
            "id": 17,
            "asked_at": "1970-01-01T00:00:00Z",
            "actor": "apply by alice",
            "zone": "corp.example.",
            "owner": "_vlmcs._tcp.corp.example.",
            "server": "127.0.0.1:53",
            "update_zone": "corp.example.",
            "serial_before": 7,
            "serial_after": 8,
            "before": {"ttl": 3600, "records": [record("kms1"), record("kms2")]},
            "after": {"ttl": 3600, "records": [record("kms1"), record("kms3")]},
            "changes": [
                {
                    "type": "delete", "before": with_ttl("kms2"), "after": null,
                    "reason": {"code": "host-down", "text": "down since long; refused the connection"}
                },
                {
                    "type": "create", "before": null, "after": with_ttl("kms3"),
                    "reason": {"code": "host-up", "text": "up and not published"}
                },
            ],
            "digest": sample().digest,
            "outcome": {
                "kind": "applied",
                "text": "the read-back shows the planned RRset",
                "rcode": "NOERROR",
                "finished_at": "1970-01-01T00:00:01.5Z",
            },
        });
        assert_eq!(read["format_version"], 1);
        assert_eq!(read["changes"][1], expected);
        expected["id"] = json!(18);
        expected["serial_after"] = Value::Null;
        expected["outcome"] = Value::Null;
        assert_eq!(read["changes"][0], expected);
        assert_eq!(read["changes"].as_array().unwrap().len(), 2);

        let mut none = Vec::new();
        json([] as [Result<HistoryEntry, String>; 0], &mut none).unwrap();
        assert_eq!(
            serde_json::from_slice::<Value>(&none).unwrap(),
            json!({"format_version": 1, "changes": []})
        );
    }

    #[test]
    fn what_cannot_be_read_leaves_no_whole_document() {
        let mut out = Vec::new();
        let error = json([Ok(open()), Err("change 17 is damaged")], &mut out).unwrap_err();
        assert_eq!(error.to_string(), "change 17 is damaged");
        serde_json::from_slice::<Value>(&out).unwrap_err();
    }
}
