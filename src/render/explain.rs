//! What codes and events mean: all of one, a line for each, and as JSON of format version 1.

use std::io;

use serde::Serialize;

use crate::explain::{Dns, Entry, Found, Given, Kind};

use super::lines::{Layout, fold};
use super::text::{BOLD, DIM, INDENT, folded, indented, line, styled};

/// All that is known of one code or event.
pub fn entry(found: &Found, layout: Layout) -> String {
    let entry = found.entry;
    let mut text = Text {
        out: String::new(),
        layout,
    };
    text.heading(&format!("{}: {}", entry.name(), entry.title));
    for piece in fold(&spellings(entry), layout.width.saturating_sub(INDENT)) {
        indented(&mut text.out, INDENT, &styled(DIM, &piece));
    }
    if let Some(read_as) = &found.read_as {
        text.paragraph(read_as);
    }
    text.paragraph(entry.meaning);
    fields(&mut text, &entry.kind);

    text.section(&format!("Can DNS be the cause? {}", answer(entry)));
    text.paragraph(entry.dns_why);

    text.section("What srvkeeper checks");
    for check in entry.checks {
        text.item("-", &format!("`{}` {}.", check.command, check.tells));
    }
    if let Some(unseen) = entry.unseen {
        text.item("-", &format!("Not seen: {unseen}"));
    }
    text.list("What else to look at", entry.look_at);
    if entry.kind == Kind::Code {
        text.item(
            "-",
            &format!(
                "On Windows, `slui.exe 0x2a {}` shows its own text.",
                entry.name()
            ),
        );
    }
    text.list("What the documents leave open", entry.open);
    text.out
}

/// A line for each.
pub fn list<'a>(entries: impl Iterator<Item = &'a Entry>, layout: Layout) -> String {
    let mut out = String::new();
    for entry in entries {
        row(&mut out, "", entry, layout);
    }
    out
}

/// Says that a number is none of the known ones, what it may be a slip of, and what to try: an
/// error, before which the edge prints who tells it.
pub fn unknown(given: &Given, nearest: &[&Entry], is_among_events: bool, layout: Layout) -> String {
    let value = given.readings().first().map_or(0, |reading| reading.value);
    let head = format!("nothing is known of {given}; the nearest are");
    let room = layout.width.saturating_sub("srvkeeper: ".len());
    let mut out = fold(&head, room).join("\n") + "\n";
    for entry in nearest {
        row(&mut out, "  ", entry, layout);
    }
    let advice = if is_among_events {
        "It lies among the events of KMS, but the documents that srvkeeper goes by do not describe it; `srvkeeper explain` lists those they do".to_owned()
    } else {
        format!(
            "On Windows, `slui.exe 0x2a 0x{value:08X}` shows its own text; `srvkeeper explain` lists what is known here"
        )
    };
    out.push_str(&fold(&advice, layout.width).join("\n"));
    out
}

const GAP: usize = 2;

fn row(out: &mut String, before: &str, entry: &Entry, layout: Layout) {
    const NAME: usize = "0x8007232B".len();
    let title_at = before.len() + NAME + GAP;
    let mut head = format!(
        "{before}{}{}",
        styled(BOLD, &entry.name()),
        " ".repeat(NAME.saturating_sub(entry.name().len()) + GAP)
    );
    for piece in fold(entry.title, layout.width.saturating_sub(title_at)) {
        line(out, &format!("{head}{piece}"));
        head = " ".repeat(title_at);
    }
}

/// The other ways in which the number is met; for an event its log.
fn spellings(entry: &Entry) -> String {
    match entry.kind {
        Kind::Code => {
            let win32 = entry
                .win32()
                .map(|code| format!(", Win32 {code} ({code:#X})").replace("0X", "0x"))
                .unwrap_or_default();
            format!(
                "decimal {}, signed {}{win32}",
                entry.number,
                entry.number.cast_signed()
            )
        }
        Kind::Event { log, .. } => format!("in the \"{log}\" log"),
    }
}

fn answer(entry: &Entry) -> &'static str {
    match entry.dns {
        Dns::Yes => "Yes",
        Dns::Possible => "Possibly",
        Dns::No => "No",
        Dns::Open => "Open",
    }
}

fn fields(text: &mut Text, kind: &Kind) {
    let Kind::Event { fields, .. } = kind else {
        return;
    };
    if fields.is_empty() {
        return;
    }
    text.section("Its fields, in this order, and what a wrong value means");
    for (field, number) in fields.iter().zip(1..) {
        let mark = format!("{number:>2}.");
        text.item(&mark, &format!("{}: {}", field.name, field.text));
    }
}

struct Text {
    out: String,
    layout: Layout,
}

impl Text {
    fn heading(&mut self, heading: &str) {
        for piece in fold(heading, self.layout.width) {
            line(&mut self.out, &styled(BOLD, &piece));
        }
    }

    fn section(&mut self, heading: &str) {
        self.out.push('\n');
        self.heading(heading);
    }

    fn paragraph(&mut self, text: &str) {
        folded(&mut self.out, text, self.layout);
    }

    /// One point of a list; its further lines stand below its first word.
    fn item(&mut self, mark: &str, text: &str) {
        let text_at = INDENT + mark.len() + 1;
        let mut head = format!("{}{mark} ", " ".repeat(INDENT));
        for piece in fold(text, self.layout.width.saturating_sub(text_at)) {
            line(&mut self.out, &format!("{head}{piece}"));
            head = " ".repeat(text_at);
        }
    }

    fn list(&mut self, heading: &str, points: &[&str]) {
        if points.is_empty() {
            return;
        }
        self.section(heading);
        for point in points {
            self.item("-", point);
        }
    }
}

/// Writes entries as JSON, indented, with a final newline.
pub fn json<'a>(
    entries: impl Iterator<Item = &'a Entry>,
    out: &mut dyn io::Write,
) -> io::Result<()> {
    let document = Document {
        format_version: 1,
        entries: entries.map(EntryView::from).collect(),
    };
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document {
    format_version: u32,
    entries: Vec<EntryView>,
}

#[derive(Serialize)]
struct EntryView {
    kind: &'static str,
    /// As people write it: `0x8007232B`, `12288`.
    name: String,
    number: u32,
    win32: Option<u16>,
    title: &'static str,
    meaning: &'static str,
    log: Option<&'static str>,
    fields: Vec<FieldView>,
    dns: DnsView,
    checks: Vec<CheckView>,
    unseen: Option<&'static str>,
    look_at: &'static [&'static str],
    open: &'static [&'static str],
}

#[derive(Serialize)]
struct FieldView {
    name: &'static str,
    text: &'static str,
}

#[derive(Serialize)]
struct DnsView {
    cause: &'static str,
    text: &'static str,
}

#[derive(Serialize)]
struct CheckView {
    command: &'static str,
    text: &'static str,
}

impl From<&Entry> for EntryView {
    fn from(entry: &Entry) -> Self {
        let (kind, log, fields) = match entry.kind {
            Kind::Code => ("code", None, [].as_slice()),
            Kind::Event { log, fields } => ("event", Some(log), fields),
        };
        Self {
            kind,
            name: entry.name(),
            number: entry.number,
            win32: entry.win32(),
            title: entry.title,
            meaning: entry.meaning,
            log,
            fields: fields
                .iter()
                .map(|field| FieldView {
                    name: field.name,
                    text: field.text,
                })
                .collect(),
            dns: DnsView {
                cause: entry.dns.as_str(),
                text: entry.dns_why,
            },
            checks: entry
                .checks
                .iter()
                .map(|check| CheckView {
                    command: check.command,
                    text: check.tells,
                })
                .collect(),
            unseen: entry.unseen,
            look_at: entry.look_at,
            open: entry.open,
        }
    }
}
