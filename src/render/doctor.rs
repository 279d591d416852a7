//! What `doctor` found: problems first and passes in few words, or JSON of format version 1.

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet};
use std::io;

use serde::Serialize;

use crate::diagnose::{Diagnosis, Finding, Level, Repair, Section, Subject};

use super::lines::{Layout, counted, fold, one_line};
use super::text::{BOLD, DIM, GREEN, RED, YELLOW, indented, line, styled};

/// Columns of the longest level, and the spaces around it.
const MARGIN: usize = 2;
const LEVEL: usize = 7;
const TEXT_AT: usize = MARGIN + LEVEL + 2;
/// The lines of a repair stand so far right of its title.
const LINES_AT: usize = TEXT_AT + 4;
/// Sections shown in which nothing is wrong, but something could not be told.
const SHOWN_UNTOLD: usize = 20;

/// Zones named in one heading.
const NAMED: usize = 10;

/// The findings; with `verbose` the passes, too, each with what was found.
pub fn text(diagnosis: &Diagnosis, verbose: bool, layout: Layout) -> String {
    let mut out = String::new();
    let mut untold = 0_usize;
    let mut hidden = 0_usize;
    for group in groups(diagnosis, verbose, layout) {
        let is_shown = match group.level {
            Level::Failure | Level::Warning => true,
            Level::CannotTell => {
                untold += 1;
                verbose || untold <= SHOWN_UNTOLD
            }
            Level::Pass => verbose,
        };
        if !is_shown {
            hidden += usize::from(group.level == Level::CannotTell) * group.subjects.len();
            continue;
        }
        for piece in fold(&heading(&group.subjects), layout.width) {
            line(&mut out, &styled(BOLD, &piece));
        }
        out.push_str(&group.body);
        out.push('\n');
    }
    if hidden > 0 {
        let text = format!("{hidden} more with something that cannot be told (-v shows them)");
        line(&mut out, &text);
    }
    if let Some(quiet) = quiet(diagnosis).filter(|_| !verbose) {
        line(&mut out, &quiet);
    }
    for piece in fold(&summary(diagnosis), layout.width) {
        line(&mut out, &styled(BOLD, &piece));
    }
    out
}

/// Zones of which exactly the same is said, or one other subject.
struct Group<'a> {
    level: Level,
    /// Of the first subject; those of the others say the same.
    section: &'a Section,
    subjects: Vec<&'a Subject>,
    /// What is said, below the heading.
    body: String,
}

/// The worst first; among equals the order of the diagnosis stays.
fn groups(diagnosis: &Diagnosis, verbose: bool, layout: Layout) -> Vec<Group<'_>> {
    let mut groups: Vec<Group<'_>> = Vec::new();
    // A name server that fails, fails every zone that it serves in the same words.
    let mut known: BTreeMap<String, usize> = BTreeMap::new();
    for section in &diagnosis.sections {
        let body = body(section, verbose, layout);
        let is_zone = matches!(section.subject, Subject::Zone { .. });
        let same = known.get(&body).filter(|_| is_zone);
        if let Some(group) = same.and_then(|index| groups.get_mut(*index)) {
            group.subjects.push(&section.subject);
            continue;
        }
        if is_zone {
            known.insert(body.clone(), groups.len());
        }
        groups.push(Group {
            level: section.level(),
            section,
            subjects: vec![&section.subject],
            body,
        });
    }
    groups.sort_by_key(|group| Reverse(group.level));
    groups
}

/// The heading of what [`problems`] gives, in documents.
pub(super) const TITLE: &str = "What to repair";

/// What documents say of it before anything else.
pub(super) fn introduction(problems: &[Problem<'_>]) -> String {
    let what = match problems {
        [] => {
            "Servers, hosts' names and name servers were looked at, and nothing is wrong with them."
        }
        _ => "This was found at the servers, the hosts' names and the name servers.",
    };
    format!(
        "{what} Whether updates are permitted is for `srvkeeper doctor` to find out, which sends one that changes nothing; a plan sends none."
    )
}

/// The lines of a repair as they are to be copied, each one line whatever a name brought in.
pub(super) fn commands(repair: &Repair) -> impl Iterator<Item = String> {
    let visible = |c: char| if c.is_control() { ' ' } else { c };
    let lines = repair.lines.iter();
    lines.map(move |line| line.chars().map(visible).collect())
}

/// What is wrong with one subject, or in the same words with several zones.
pub(super) struct Problem<'a> {
    /// What it is about.
    pub(super) heading: String,
    /// The warnings and failures, the worst first.
    pub(super) findings: Vec<&'a Finding>,
}

/// Every warning and failure, the worst first, each subject once.
pub(super) fn problems(diagnosis: &Diagnosis) -> Vec<Problem<'_>> {
    groups(diagnosis, false, Layout::UNFOLDED)
        .into_iter()
        .filter(|group| group.level >= Level::Warning)
        .map(|group| {
            let findings = group.section.findings.iter();
            let mut findings: Vec<&Finding> = findings
                .filter(|finding| finding.level >= Level::Warning)
                .collect();
            findings.sort_by_key(|finding| Reverse(finding.level));
            Problem {
                heading: heading(&group.subjects),
                findings,
            }
        })
        .collect()
}

/// `No problem: 1 server, 2 hosts, 9,000 zones`; `None` where everything has one.
fn quiet(diagnosis: &Diagnosis) -> Option<String> {
    let sections = &diagnosis.sections;
    let count = |is_one: fn(&Subject) -> bool, noun: &str| {
        let number = sections
            .iter()
            .filter(|section| section.level() == Level::Pass && is_one(&section.subject))
            .count();
        (number > 0).then(|| counted(number, noun))
    };
    let counts: Vec<String> = [
        count(
            |subject| matches!(subject, Subject::Server { .. }),
            "server",
        ),
        count(|subject| matches!(subject, Subject::Target(_)), "host"),
        count(|subject| matches!(subject, Subject::Zone { .. }), "zone"),
    ]
    .into_iter()
    .flatten()
    .collect();
    (!counts.is_empty()).then(|| format!("No problem: {}", counts.join(", ")))
}

fn summary(diagnosis: &Diagnosis) -> String {
    let count = |level| diagnosis.count(level);
    format!(
        "Doctor: {}, {}, {} cannot be told, {} passed",
        counted(count(Level::Failure), "failure"),
        counted(count(Level::Warning), "warning"),
        count(Level::CannotTell),
        count(Level::Pass),
    )
}

fn body(section: &Section, verbose: bool, layout: Layout) -> String {
    let mut out = String::new();
    let mut findings: Vec<&Finding> = section.findings.iter().collect();
    findings.sort_by_key(|finding| Reverse(finding.level));
    let mut passed: Vec<&str> = Vec::new();
    let mut shown = BTreeSet::new();
    for finding in findings {
        if finding.level > Level::Pass || verbose {
            shown.insert(finding.check);
            self::finding(&mut out, finding, layout);
        } else if !shown.contains(&finding.check) && !passed.contains(&finding.check.as_str()) {
            passed.push(finding.check.as_str());
        }
    }
    if !passed.is_empty() {
        told(&mut out, Level::Pass, &passed.join(", "), layout);
    }
    out
}

/// `zone a.example.`, `3 zones: a.example., b.example., c.example.`
fn heading(subjects: &[&Subject]) -> String {
    match subjects {
        [alone] => title(alone),
        _ => {
            let names: Vec<String> = subjects
                .iter()
                .filter_map(|subject| match subject {
                    Subject::Zone { name, .. } => Some(name.to_string()),
                    _ => None,
                })
                .take(NAMED)
                .collect();
            let more = match subjects.len().saturating_sub(NAMED) {
                0 => String::new(),
                more => format!(" and {more} more (see --format json)"),
            };
            format!("{} zones: {}{more}", subjects.len(), names.join(", "))
        }
    }
}

/// `server dc1, 10.0.0.53:53, key srvkeeper., says it is 9.18.49`
fn title(subject: &Subject) -> String {
    match subject {
        Subject::Server {
            names,
            address,
            key,
            software,
        } => {
            let mut heading = "server ".to_owned();
            for name in names {
                heading.push_str(&format!("{name}, "));
            }
            heading.push_str(&address.to_string());
            match key {
                Some(key) => heading.push_str(&format!(", key {key}")),
                None => heading.push_str(", unsigned"),
            }
            if let Some(software) = software {
                heading.push_str(&format!(", says it is {software}"));
            }
            heading
        }
        Subject::Target(name) => format!("host {name}"),
        Subject::Zone { name, .. } => format!("zone {name}"),
    }
}

fn finding(out: &mut String, finding: &Finding, layout: Layout) {
    let text = format!("{}: {}", finding.check.as_str(), finding.text);
    told(out, finding.level, &text, layout);
    let room = layout.width.saturating_sub(TEXT_AT);
    for evidence in &finding.evidence {
        for piece in fold(evidence, room) {
            indented(out, TEXT_AT, &styled(DIM, &piece));
        }
    }
    for Repair { place, what, lines } in &finding.repairs {
        for piece in fold(&format!("repair, {}: {what}", place.title()), room) {
            indented(out, TEXT_AT, &piece);
        }
        // Never folded: they are there to be copied.
        for command in lines {
            indented(out, LINES_AT, command);
        }
    }
}

/// The level in its column, and a text beside it.
fn told(out: &mut String, level: Level, text: &str, layout: Layout) {
    let (word, style) = match level {
        Level::Pass => ("ok", GREEN),
        Level::CannotTell => ("?", DIM),
        Level::Warning => ("WARNING", YELLOW),
        Level::Failure => ("FAILURE", RED),
    };
    let pad = " ".repeat(LEVEL.saturating_sub(word.len()));
    let mut head = format!("{}{}{pad}  ", " ".repeat(MARGIN), styled(style, word));
    for piece in fold(text, layout.width.saturating_sub(TEXT_AT)) {
        line(out, &format!("{head}{piece}"));
        head = " ".repeat(TEXT_AT);
    }
}

/// Writes the findings as JSON, indented, with a final newline.
pub fn json(diagnosis: &Diagnosis, out: &mut dyn io::Write) -> io::Result<()> {
    let mut document = Document {
        format_version: 1,
        created: diagnosis.created.to_string(),
        summary: Summary {
            level: diagnosis.level().as_str(),
            failures: diagnosis.count(Level::Failure),
            warnings: diagnosis.count(Level::Warning),
            cannot_tell: diagnosis.count(Level::CannotTell),
            passes: diagnosis.count(Level::Pass),
        },
        servers: Vec::new(),
        hosts: Vec::new(),
        zones: Vec::new(),
    };
    for section in &diagnosis.sections {
        let level = section.level().as_str();
        let findings: Vec<FindingView<'_>> =
            section.findings.iter().map(FindingView::from).collect();
        match &section.subject {
            Subject::Server {
                names,
                address,
                key,
                software,
            } => document.servers.push(ServerView {
                names,
                address: address.to_string(),
                key: key.as_deref(),
                software: software.as_deref(),
                level,
                findings,
            }),
            Subject::Target(name) => document.hosts.push(HostView {
                host: name.to_string(),
                level,
                findings,
            }),
            Subject::Zone { name, owner } => document.zones.push(ZoneView {
                zone: name.to_string(),
                owner: owner.to_string(),
                level,
                findings,
            }),
        }
    }
    serde_json::to_writer_pretty(&mut *out, &document)?;
    out.write_all(b"\n")
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    created: String,
    summary: Summary,
    servers: Vec<ServerView<'a>>,
    hosts: Vec<HostView<'a>>,
    zones: Vec<ZoneView<'a>>,
}

#[derive(Serialize)]
struct Summary {
    level: &'static str,
    failures: usize,
    warnings: usize,
    cannot_tell: usize,
    passes: usize,
}

#[derive(Serialize)]
struct ServerView<'a> {
    names: &'a [String],
    address: String,
    key: Option<&'a str>,
    software: Option<&'a str>,
    level: &'static str,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct HostView<'a> {
    host: String,
    level: &'static str,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct ZoneView<'a> {
    zone: String,
    owner: String,
    level: &'static str,
    findings: Vec<FindingView<'a>>,
}

#[derive(Serialize)]
struct FindingView<'a> {
    check: &'static str,
    level: &'static str,
    text: String,
    evidence: Vec<String>,
    repairs: Vec<RepairView<'a>>,
}

#[derive(Serialize)]
struct RepairView<'a> {
    place: &'static str,
    what: &'a str,
    lines: &'a [String],
}

impl<'a> From<&'a Finding> for FindingView<'a> {
    fn from(finding: &'a Finding) -> Self {
        Self {
            check: finding.check.as_str(),
            level: finding.level.as_str(),
            text: one_line(&finding.text),
            evidence: finding.evidence.iter().map(|text| one_line(text)).collect(),
            repairs: finding
                .repairs
                .iter()
                .map(|Repair { place, what, lines }| RepairView {
                    place: place.as_str(),
                    what,
                    lines,
                })
                .collect(),
        }
    }
}
