//! The pending plan as the lines that a terminal shows, in JSON: for the page, which gives them the
//! same colours.

use jiff::Timestamp;
use serde::Serialize;

use super::lines::{self, Layout, Section, Tone};
use super::status::PageNumbers;
use crate::status::{Page, Status, ZoneStatus};

/// The version of the format.
const FORMAT_VERSION: u32 = 1;

/// The zones that need a word, by name: so many on each page, the first page being 1.
pub fn json(status: &Status, page: usize, per_page: usize) -> serde_json::Result<String> {
    let mut zones: Vec<&ZoneStatus> = status
        .zones
        .iter()
        .map(AsRef::as_ref)
        .filter(|zone| needs_a_word(zone))
        .collect();
    zones.sort_by(|a, b| (&a.zone, &a.owner).cmp(&(&b.zone, &b.owner)));
    let page = Page::of(zones.into_iter(), page, Some(per_page));
    let shown: Vec<Section> = page.zones.iter().copied().filter_map(section).collect();
    serde_json::to_string(&Document {
        format_version: FORMAT_VERSION,
        created: status.at,
        summary: lines::summary(&status.plan_summary()),
        page: PageNumbers::of(&page),
        zones: shown.iter().map(Zone::from).collect(),
    })
}

fn needs_a_word(zone: &ZoneStatus) -> bool {
    match &zone.plan {
        None => false,
        Some(Ok(plan)) => lines::needs_a_word(plan),
        Some(Err(error)) => !error.is_interrupted(),
    }
}

fn section(zone: &ZoneStatus) -> Option<Section> {
    let layout = Layout::UNFOLDED;
    Some(match zone.plan.as_ref()? {
        Ok(plan) => lines::zone_section(plan, layout),
        Err(error) => lines::error_section(&zone.zone, error, layout),
    })
}

#[derive(Serialize)]
struct Document<'a> {
    format_version: u32,
    created: Timestamp,
    summary: String,
    page: PageNumbers,
    zones: Vec<Zone<'a>>,
}

#[derive(Serialize)]
struct Zone<'a> {
    zone: &'a str,
    what: &'a str,
    tone: &'static str,
    place: Option<&'a str>,
    lines: Vec<Line<'a>>,
}

#[derive(Serialize)]
struct Line<'a> {
    tone: &'static str,
    text: &'a str,
}

impl<'a> From<&'a Section> for Zone<'a> {
    fn from(section: &'a Section) -> Self {
        Self {
            zone: &section.zone,
            what: &section.what,
            tone: word(section.tone),
            place: section.place.as_deref(),
            lines: section
                .lines
                .iter()
                .map(|line| Line {
                    tone: word(line.tone),
                    text: &line.text,
                })
                .collect(),
        }
    }
}

fn word(tone: Tone) -> &'static str {
    match tone {
        Tone::Plain => "plain",
        Tone::Create => "create",
        Tone::Delete => "delete",
        Tone::Modify => "modify",
        Tone::Held => "held",
        Tone::Foreign => "foreign",
        Tone::Error => "error",
    }
}
