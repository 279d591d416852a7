//! What every report for people says of a plan, line by line and without a style.
//!
//! Text, Markdown and HTML print the same sections; scripts take single lines for their comments.
//! Texts come from the network and from programs: [`one_line`] is the way in for each of them.

use std::fmt::{self, Write};

use super::causes::{self, by_cause};
use crate::model::{Change, ChangeKind, Name, State};
use crate::plan::{Held, Plan, Summary, ZoneError, ZonePlan, ZoneResult};

/// What the output's place can show.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    /// Columns; texts are folded to it.
    pub width: usize,
    /// Whether characters outside ASCII may be used.
    pub unicode: bool,
}

impl Layout {
    /// Nothing is folded: for what folds by itself, and for comments.
    pub(super) const UNFOLDED: Self = Self {
        width: usize::MAX,
        unicode: true,
    };
}

impl Default for Layout {
    /// 80 columns of Unicode: what a file or a mail can show.
    fn default() -> Self {
        Self {
            width: 80,
            unicode: true,
        }
    }
}

/// Under a change line stands its reason, so far indented.
const INDENT: usize = 4;

/// Held and foreign records shown per zone; changes are shown always, every one.
const SHOWN: usize = 20;

/// What a line is about, for whoever gives it a colour.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Tone {
    Plain,
    Create,
    Delete,
    Modify,
    Held,
    Foreign,
    Error,
}

/// One line, no wider than the layout unless a single word is.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Line {
    pub(super) tone: Tone,
    pub(super) text: String,
}

/// What is said of one zone.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Section {
    pub(super) zone: String,
    /// `2 changes, 1 held`, `nothing to do`, `error`.
    pub(super) what: String,
    pub(super) tone: Tone,
    /// `127.0.0.1:53, serial 7`, where there is one.
    pub(super) place: Option<String>,
    pub(super) lines: Vec<Line>,
}

/// The zones that need a word, in the plan's order; then those in error, by cause.
pub(super) fn sections(plan: &Plan, layout: Layout) -> impl Iterator<Item = Section> {
    let planned = plan.planned().filter(|plan| needs_a_word(plan));
    let failed = plan.zones.iter().filter_map(|zone| {
        let error = zone.result.as_ref().err();
        let error = error.filter(|error| !error.is_interrupted())?;
        Some((&zone.zone, error))
    });
    planned
        .map(move |plan| zone_section(plan, layout))
        .chain(error_sections(failed, layout))
}

/// Why zones could not be planned: each cause once, and below it the zones, since they can be many.
pub(super) fn error_sections<'a>(
    failed: impl Iterator<Item = (&'a Name, &'a ZoneError)>,
    layout: Layout,
) -> Vec<Section> {
    by_cause(failed.map(|(zone, error)| (zone, (), error.text.as_str())))
        .into_iter()
        .map(|cause| match cause.zones.as_slice() {
            [alone] => failed_section(alone.to_string(), [&cause.text], layout),
            several => {
                let names = causes::names(several);
                let zones = counted(several.len(), "zone");
                failed_section(zones, [&cause.text, &names], layout)
            }
        })
        .collect()
}

/// Why one zone could not be planned.
pub(super) fn error_section(zone: &Name, error: &ZoneError, layout: Layout) -> Section {
    failed_section(zone.to_string(), [&error.text], layout)
}

fn failed_section<const N: usize>(zone: String, texts: [&String; N], layout: Layout) -> Section {
    let mut lines = Lines {
        layout,
        lines: Vec::new(),
    };
    for text in texts {
        lines.folded(Tone::Plain, INDENT, text);
    }
    Section {
        zone,
        what: "error".to_owned(),
        tone: Tone::Error,
        place: None,
        lines: lines.lines,
    }
}

/// The zones without a section, in few lines: nothing to do, or not done at all.
pub(super) fn brief(plan: &Plan) -> Vec<String> {
    let undone: Vec<&Name> = plan
        .zones
        .iter()
        .filter(|zone| {
            let error = zone.result.as_ref().err();
            error.is_some_and(ZoneError::is_interrupted)
        })
        .map(|zone| &zone.zone)
        .collect();
    quiet(plan).into_iter().chain(not_done(&undone)).collect()
}

/// The zones that an interruption left: a few by name, many by number.
pub(super) fn not_done(zones: &[&Name]) -> Vec<String> {
    const NAMED: usize = 10;
    let what = ZoneError::interrupted();
    if zones.len() > NAMED {
        return vec![format!("{} zones: {what}", zones.len())];
    }
    zones.iter().map(|zone| format!("{zone}: {what}")).collect()
}

/// One line for all the zones that need no word; `None` when there is no such zone.
fn quiet(plan: &Plan) -> Option<String> {
    let quiet: Vec<&ZonePlan> = plan.planned().filter(|plan| !needs_a_word(plan)).collect();
    match quiet.as_slice() {
        [] => None,
        [plan] => Some(format!(
            "{}: nothing to do ({})",
            plan.zone,
            counted(plan.observed.records.len(), "record")
        )),
        _ => Some(format!("{} zones: nothing to do", quiet.len())),
    }
}

/// True when there is more to say of a zone than that nothing is to be done.
pub(super) fn needs_a_word(plan: &ZonePlan) -> bool {
    plan.is_pending()
        || !plan.held.is_empty()
        || !plan.foreign.is_empty()
        || plan.short_of_hosts.is_some()
}

/// A planned zone: its changes, what is held, what is foreign.
pub(super) fn zone_section(plan: &ZonePlan, layout: Layout) -> Section {
    let what = match (plan.changes.len(), plan.held.len()) {
        (0, 0) => "nothing to do".to_owned(),
        (0, held) => format!("{held} held"),
        (changes, 0) => counted(changes, "change"),
        (changes, held) => format!("{}, {held} held", counted(changes, "change")),
    };
    let mut lines = Lines {
        layout,
        lines: Vec::new(),
    };
    lines.changes(&plan.owner, &plan.changes);
    lines.held(plan);
    lines.foreign(plan);
    if let Some(short) = plan.short_of_hosts {
        lines.folded(Tone::Held, 0, &format!("! {short}"));
    }
    Section {
        zone: plan.zone.to_string(),
        what,
        tone: Tone::Plain,
        place: Some(format!(
            "{}, serial {}",
            plan.observed.server, plan.observed.serial
        )),
        lines: lines.lines,
    }
}

/// Changes of the RRset at `owner`, each with its reason.
pub(super) fn changes(owner: &Name, changes: &[Change], layout: Layout) -> Vec<Line> {
    let mut lines = Lines {
        layout,
        lines: Vec::new(),
    };
    lines.changes(owner, changes);
    lines.lines
}

struct Lines {
    layout: Layout,
    lines: Vec<Line>,
}

impl Lines {
    /// Every change.
    fn changes(&mut self, owner: &Name, changes: &[Change]) {
        let entries = changes.iter().map(|change| {
            let (tone, pieces) = describe(owner, change, self.layout);
            (tone, pieces, vec![reason(change)])
        });
        self.entries(entries.collect());
    }

    fn held(&mut self, plan: &ZonePlan) {
        let entries = plan.held.iter().take(SHOWN).map(|held| {
            let (_tone, mut pieces) = describe(&plan.owner, &held.change, self.layout);
            if let Some(first) = pieces.first_mut() {
                first.insert_str(0, "! HELD ");
            }
            (Tone::Held, pieces, vec![reason(&held.change), guard(held)])
        });
        self.entries(entries.collect());
        self.more(Tone::Held, plan.held.len(), "held");
    }

    fn foreign(&mut self, plan: &ZonePlan) {
        let entries = plan.foreign.iter().take(SHOWN).map(|foreign| {
            let head = format!("? FOREIGN {} SRV", plan.owner);
            let pieces = vec![head, foreign.record.to_string()];
            (Tone::Foreign, pieces, vec![foreign.text.clone()])
        });
        self.entries(entries.collect());
        self.more(Tone::Foreign, plan.foreign.len(), "foreign");
    }

    /// Each entry with its notes below; notes that several in a row share stand once, below the
    /// last of them.
    fn entries(&mut self, entries: Vec<(Tone, Vec<String>, Vec<String>)>) {
        let mut entries = entries.into_iter().peekable();
        while let Some((tone, pieces, notes)) = entries.next() {
            self.pieces(tone, &pieces);
            if entries.peek().is_none_or(|(_, _, next)| *next != notes) {
                for note in notes {
                    self.folded(Tone::Plain, INDENT, &note);
                }
            }
        }
    }

    fn more(&mut self, tone: Tone, number: usize, word: &str) {
        if let Some(more) = number.checked_sub(SHOWN).filter(|more| *more > 0) {
            let text = format!("and {more} more {word} (see --format json)");
            self.folded(tone, INDENT, &text);
        }
    }

    /// Puts as many pieces on a line as fit; the further lines are indented.
    fn pieces(&mut self, tone: Tone, pieces: &[String]) {
        let mut text = String::new();
        for piece in pieces {
            if text.is_empty() {
                text.clone_from(piece);
            } else if columns(&text) + 1 + columns(piece) <= self.layout.width {
                text.push(' ');
                text.push_str(piece);
            } else {
                self.lines.push(Line { tone, text });
                text = format!("{}{piece}", " ".repeat(INDENT));
            }
        }
        self.lines.push(Line { tone, text });
    }

    fn folded(&mut self, tone: Tone, indent: usize, text: &str) {
        for piece in fold(text, self.layout.width.saturating_sub(indent)) {
            self.lines.push(Line {
                tone,
                text: format!("{}{piece}", " ".repeat(indent)),
            });
        }
    }
}

/// The line that octoDNS's users know, in the pieces between which it may break.
fn describe(owner: &Name, change: &Change, layout: Layout) -> (Tone, Vec<String>) {
    match &change.kind {
        ChangeKind::Create { after, ttl } => (
            Tone::Create,
            vec![
                format!("+ CREATE {owner} SRV"),
                format!("{after} ttl={ttl}"),
            ],
        ),
        ChangeKind::Delete { before, before_ttl } => (
            Tone::Delete,
            vec![
                format!("- DELETE {owner} SRV"),
                format!("{before} ttl={before_ttl}"),
            ],
        ),
        ChangeKind::Update {
            before,
            before_ttl,
            after,
            ttl,
        } => {
            let sign = if layout.unicode { '±' } else { '~' };
            (
                Tone::Modify,
                vec![
                    format!("{sign} MODIFY {owner} SRV"),
                    format!("({before} ttl={before_ttl})"),
                    format!("-> ({after} ttl={ttl})"),
                ],
            )
        }
    }
}

/// `host-down: down since …`
fn reason(change: &Change) -> String {
    format!("{}: {}", change.reason.code, change.reason.text)
}

/// `min-hosts: 0 published hosts … would remain …; way out: …`
fn guard(held: &Held) -> String {
    format!("{}: {}", held.guard, held.text)
}

/// What a script says of a zone before the commands: every change, what is held and foreign, each
/// unbroken and with its reason; for a zone in error the error.
pub(super) fn comments(zone: &ZoneResult, unicode: bool) -> Vec<String> {
    let layout = Layout {
        unicode,
        ..Layout::UNFOLDED
    };
    let section = match &zone.result {
        Ok(plan) => zone_section(plan, layout),
        Err(error) => failed_section(zone.zone.to_string(), [&error.text], layout),
    };
    let mut comments = vec![section.heading()];
    comments.extend(section.lines.into_iter().map(|line| line.text));
    comments
}

impl Section {
    /// `corp.example.: 2 changes (127.0.0.1:53, serial 7)`
    pub(super) fn heading(&self) -> String {
        let place = self
            .place
            .as_ref()
            .map(|place| format!(" ({place})"))
            .unwrap_or_default();
        format!("{}: {}{place}", self.zone, self.what)
    }
}

/// `Plan: 2 zones: 1 to add, 0 to change, 1 to remove`, and what else is worth a word.
pub(super) fn summary(summary: &Summary) -> String {
    let mut text = format!(
        "Plan: {}: {} to add, {} to change, {} to remove",
        counted(summary.zones, "zone"),
        summary.creates,
        summary.updates,
        summary.deletes
    );
    for (number, word) in [
        (summary.held, "held"),
        (summary.foreign, "foreign"),
        (summary.errors, "in error"),
    ] {
        if number > 0 {
            let _ = write!(text, ", {number} {word}");
        }
    }
    text
}

/// A host as a row of a table.
pub(super) struct HostRow {
    pub(super) name: String,
    pub(super) state: State,
    /// `down`, `up (forced)`.
    pub(super) verdict: String,
    /// To the second; empty where it is not known.
    pub(super) since: String,
    pub(super) reason: String,
}

/// The hosts with the verdicts that the plan relies on.
pub(super) fn hosts(plan: &Plan) -> impl Iterator<Item = HostRow> {
    plan.hosts.iter().map(|host| {
        let verdict = &host.verdict;
        let forced = verdict.forced.as_ref().map_or("", |_forced| " (forced)");
        HostRow {
            name: host.name.to_string(),
            state: verdict.state,
            verdict: format!("{}{forced}", verdict.state),
            since: verdict
                .since
                .map(|since| format!("{since:.0}"))
                .unwrap_or_default(),
            reason: one_line(&verdict.reason),
        }
    })
}

/// The width of a column of host names: the longest, but at most half the layout.
pub(super) fn name_column<'a>(names: impl Iterator<Item = &'a Name>, layout: Layout) -> usize {
    names
        .map(|name| name.to_string().len())
        .max()
        .unwrap_or_default()
        .min(layout.width / 2)
}

/// Breaks at spaces so that no line is wider, single words excepted.
pub(super) fn fold(text: &str, width: usize) -> Vec<String> {
    let mut lines = Vec::new();
    let mut present = String::new();
    for word in one_line(text).split(' ') {
        if !present.is_empty() && columns(&present) + 1 + columns(word) > width {
            lines.push(std::mem::take(&mut present));
        }
        if !present.is_empty() {
            present.push(' ');
        }
        present.push_str(word);
    }
    lines.push(present);
    lines
}

/// The text on one line: runs of white space become one space, and control characters, with which
/// a hostile text could steer a terminal, the replacement character.
pub(super) fn one_line(text: &str) -> String {
    let mut line = String::with_capacity(text.len());
    for word in text.split_whitespace() {
        if !line.is_empty() {
            line.push(' ');
        }
        line.extend(word.chars().map(|character| {
            if character.is_control() {
                char::REPLACEMENT_CHARACTER
            } else {
                character
            }
        }));
    }
    line
}

pub(super) fn columns(text: &str) -> usize {
    text.chars().count()
}

/// `a, b and 3 more`.
pub fn shortened(names: &[impl fmt::Display], shown: usize) -> String {
    let listed: Vec<String> = names.iter().take(shown).map(ToString::to_string).collect();
    let listed = listed.join(", ");
    match names.len().saturating_sub(shown) {
        0 => listed,
        more => format!("{listed} and {more} more"),
    }
}

/// `1 zone`, `2 zones`.
pub fn counted(number: usize, noun: &str) -> String {
    let plural = if number == 1 { "" } else { "s" };
    format!("{number} {noun}{plural}")
}
