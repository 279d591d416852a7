//! The plan as people of the field read it: `+ CREATE`, `- DELETE`, `± MODIFY`.
//!
//! One change a line, as it would stand in a zone file; its reason, folded to the width, below.

use anstyle::{AnsiColor, Style};

use crate::model::{Name, Outcome, OutcomeKind, State};
use crate::plan::{Plan, PlannedHost, ZoneError, ZonePlan};

use super::causes::{self, by_cause};
use super::lines::{self, Line, Section, Tone, fold};
pub use super::lines::{Layout, counted, shortened};

pub(super) const GREEN: Style = AnsiColor::Green.on_default();
pub(super) const RED: Style = AnsiColor::Red.on_default();
pub(super) const YELLOW: Style = AnsiColor::Yellow.on_default();
const MAGENTA: Style = AnsiColor::Magenta.on_default();
pub(super) const BOLD: Style = Style::new().bold();
pub(super) const DIM: Style = Style::new().dimmed();

/// What does not fit its line goes on so far indented.
pub(super) const INDENT: usize = 4;

/// Columns of the longest state, `suspect` and `unknown`.
const STATE: usize = 7;

/// With fewer columns than this left, a host's reason begins on the next line.
const REASON: usize = 20;

/// The whole plan: hosts, zones that need a word, and the summary line.
pub fn plan(plan: &Plan, layout: Layout) -> String {
    let mut out = String::new();
    hosts(&mut out, &plan.hosts, layout);
    for told in lines::sections(plan, layout) {
        section(&mut out, &told, layout);
        out.push('\n');
    }
    for piece in lines::brief(plan)
        .iter()
        .flat_map(|told| fold(told, layout.width))
    {
        line(&mut out, &piece);
    }
    for piece in fold(&lines::summary(&plan.summary()), layout.width) {
        line(&mut out, &styled(BOLD, &piece));
    }
    out
}

/// What is believed of one host.
pub fn host(host: &PlannedHost, layout: Layout) -> String {
    let mut out = String::new();
    hosts(&mut out, std::slice::from_ref(host), layout);
    out.trim_end().to_owned() + "\n"
}

/// A text so far indented; what does not fit its line goes on further to the right.
pub fn hanging(text: &str, indent: usize, layout: Layout) -> String {
    let mut out = String::new();
    for (piece, number) in fold(text, layout.width.saturating_sub(indent + INDENT))
        .iter()
        .zip(0..)
    {
        let indent = if number == 0 { indent } else { indent + INDENT };
        line(&mut out, &format!("{:indent$}{piece}", ""));
    }
    out
}

/// The zones that an interruption left, in few lines.
pub fn not_done(zones: &[&Name]) -> String {
    let mut out = String::new();
    for told in lines::not_done(zones) {
        line(&mut out, &styled(YELLOW, &told));
    }
    out
}

/// One zone's changes, without the hosts and the summary.
pub fn zone(plan: &ZonePlan, layout: Layout) -> String {
    let mut out = String::new();
    section(&mut out, &lines::zone_section(plan, layout), layout);
    out.push('\n');
    out
}

/// Why one zone could not be planned.
pub fn error(zone: &Name, error: &ZoneError, layout: Layout) -> String {
    errors([(zone, error)], layout)
}

/// Why zones could not be planned, each cause once.
pub fn errors<'a>(
    failed: impl IntoIterator<Item = (&'a Name, &'a ZoneError)>,
    layout: Layout,
) -> String {
    let mut out = String::new();
    for told in lines::error_sections(failed.into_iter(), layout) {
        section(&mut out, &told, layout);
    }
    out
}

/// A zone that changed under the plan, to what the plan wanted or to what needs no change.
pub fn nothing_left(zone: &Name) -> String {
    format!("{BOLD}{zone}{BOLD:#}: nothing to do any more, somebody else changed it meanwhile\n")
}

/// What became of one zone's update.
pub fn outcome(zone: &Name, outcome: &Outcome, layout: Layout) -> String {
    let mut out = String::new();
    let serial = outcome
        .serial
        .map(|serial| format!(" (serial {serial})"))
        .unwrap_or_default();
    let head = styled(BOLD, &zone.to_string());
    let what = styled(style_of_outcome(outcome.kind), outcome.kind.as_str());
    line(&mut out, &format!("{head}: {what}{serial}"));
    folded(&mut out, &outcome.text, layout);
    out
}

/// What became of the updates of several zones: one by one while they are few that say the same,
/// and otherwise together. Those that were not applied are named; the applied ones where
/// `interrupted` is true, since others were then left.
pub fn outcomes<'a>(
    done: impl IntoIterator<Item = (&'a Name, &'a Outcome)>,
    interrupted: bool,
    layout: Layout,
) -> String {
    const FEW: usize = 3;
    let done: Vec<(&Name, &Outcome)> = done.into_iter().collect();
    let said = done
        .iter()
        .map(|(zone, outcome)| (*zone, outcome.kind, outcome.text.as_str()));
    let mut out = String::new();
    for cause in by_cause(said) {
        if cause.zones.len() <= FEW {
            for (zone, outcome) in cause.places.iter().filter_map(|place| done.get(*place)) {
                out.push_str(&self::outcome(zone, outcome, layout));
            }
            continue;
        }
        let head = styled(BOLD, &counted(cause.zones.len(), "zone"));
        let what = styled(style_of_outcome(cause.kind), cause.kind.as_str());
        line(&mut out, &format!("{head}: {what}"));
        let names = match cause.kind {
            OutcomeKind::Applied if !interrupted => None,
            _ => Some(causes::names(&cause.zones)),
        };
        for told in [&cause.text].into_iter().chain(&names) {
            folded(&mut out, told, layout);
        }
    }
    out
}

fn section(out: &mut String, section: &Section, layout: Layout) {
    let head = styled(BOLD, &section.zone);
    let what = styled(style_of(section.tone), &section.what);
    let fits = section.heading().chars().count() <= layout.width;
    match &section.place {
        None => line(out, &format!("{head}: {what}")),
        Some(place) if fits => {
            let place = styled(DIM, &format!("({place})"));
            line(out, &format!("{head}: {what} {place}"));
        }
        Some(place) => {
            line(out, &format!("{head}: {what}"));
            indented(out, INDENT, &styled(DIM, &format!("({place})")));
        }
    }
    told(out, &section.lines);
}

/// Lines in the colours of what they are about.
pub(super) fn told(out: &mut String, lines: &[Line]) {
    for told in lines {
        line(out, &styled(style_of(told.tone), &told.text));
    }
}

/// How an outcome stands out.
pub(super) fn style_of_outcome(kind: OutcomeKind) -> Style {
    match kind {
        OutcomeKind::Applied => GREEN,
        OutcomeKind::Stale => YELLOW,
        OutcomeKind::Refused | OutcomeKind::Failed | OutcomeKind::Unknown => RED,
    }
}

fn style_of(tone: Tone) -> Style {
    match tone {
        Tone::Plain => Style::new(),
        Tone::Create => GREEN,
        Tone::Delete | Tone::Error => RED,
        Tone::Modify | Tone::Held => YELLOW,
        Tone::Foreign => MAGENTA,
    }
}

pub(super) fn state_style(state: State) -> Style {
    match state {
        State::Up => GREEN,
        State::Down => RED,
        State::Suspect => YELLOW,
        State::Unknown => DIM,
    }
}

fn hosts(out: &mut String, hosts: &[PlannedHost], layout: Layout) {
    let width = lines::name_column(hosts.iter().map(|host| &host.name), layout);
    for host in hosts {
        let verdict = &host.verdict;
        let style = state_style(verdict.state);
        let forced = if verdict.forced.is_some() {
            " (forced)"
        } else {
            ""
        };
        let state = styled(style, verdict.state.as_str());
        let name = host.name.to_string();
        // Padded outside the style: what ends a line must be blank to be trimmed.
        let pad = " ".repeat(STATE.saturating_sub(verdict.state.as_str().len()));
        let head = format!("{name:<width$}  {state}{pad}{forced}");
        let used = width + 2 + STATE + forced.len() + 2;
        let room = layout.width.saturating_sub(used);
        if name.len() > width || room < REASON {
            line(out, &head);
            folded(out, &verdict.reason, layout);
            continue;
        }
        let pieces = fold(&verdict.reason, room);
        let (first, more) = pieces
            .split_first()
            .map_or(("", &[][..]), |(first, more)| (first.as_str(), more));
        line(out, &format!("{head}  {first}"));
        for piece in more {
            indented(out, used, piece);
        }
    }
    if !hosts.is_empty() {
        out.push('\n');
    }
}

pub(super) fn indented(out: &mut String, indent: usize, text: &str) {
    line(out, &format!("{}{text}", " ".repeat(indent)));
}

/// A text below a line, folded to the width.
pub(super) fn folded(out: &mut String, text: &str, layout: Layout) {
    for piece in fold(text, layout.width.saturating_sub(INDENT)) {
        indented(out, INDENT, &piece);
    }
}

pub(super) fn line(out: &mut String, text: &str) {
    out.push_str(text.trim_end());
    out.push('\n');
}

pub(super) fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}
