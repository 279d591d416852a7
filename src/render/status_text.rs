//! A daemon's status for people: what `status` prints.

use std::collections::{BTreeMap, BTreeSet};

use anstyle::Style;
use jiff::{SignedDuration, Timestamp};

use super::causes::by_cause;
use super::lines::{Layout, columns, counted, fold, name_column, one_line, shortened};
use super::pause::left;
use super::text::{BOLD, DIM, GREEN, RED, YELLOW, folded, line, state_style, styled};
use crate::model::{Change, ChangeKind, Srv, State};
use crate::plan::{Summary, ZonePlan};
use crate::status::{Copies, HostStatus, Level, Page, Status, ZoneState, ZoneStatus};

/// Columns of the longest state of a host.
const HOST_STATE: usize = 7;

/// Columns of the longest state of a zone, `unreadable`.
const ZONE_STATE: usize = 10;

/// Zones named that need no word.
const QUIET: usize = 10;

/// Zones of which the same is said are told one by one while they are no more than these.
const FEW: usize = 3;

/// Reasons told for which changes of one zone are held.
const REASONS: usize = 3;

/// Records named that are held for one reason.
const NAMED: usize = 10;

/// The verdict, the hosts, and the zones of this page: those that need a word each on lines of its
/// own, the others together.
pub fn text(status: &Status, page: &Page, now: Timestamp, layout: Layout) -> String {
    let mut out = String::new();
    let verdict = status.verdict(now);
    let style = level_style(verdict.level);
    for piece in fold(
        &format!("{}: {}", verdict.level, verdict.text),
        layout.width,
    ) {
        line(&mut out, &styled(style.bold(), &piece));
    }
    for told in facts(status, now) {
        for piece in fold(&told, layout.width) {
            line(&mut out, &styled(DIM, &piece));
        }
    }
    if !status.hosts.is_empty() {
        out.push('\n');
    }
    let width = name_column(status.hosts.iter().map(|host| &host.name), layout);
    for known in &status.hosts {
        host(&mut out, known, width, now, layout);
    }
    zones(&mut out, page, now, layout);
    out
}

fn level_style(level: Level) -> Style {
    match level {
        Level::Ok => GREEN,
        Level::Warning => YELLOW,
        Level::Critical => RED,
    }
}

fn facts(status: &Status, now: Timestamp) -> Vec<String> {
    let mode = if status.writes {
        "enforce"
    } else {
        "audit: nothing is written"
    };
    let last = match status.last_full_reconcile() {
        Some(last) => format!("every zone looked at {}", ago(last, now)),
        None => "not every zone was looked at yet".to_owned(),
    };
    let mut facts = vec![format!(
        "mode {mode}; running since {:.0}; {last}",
        status.started
    )];
    facts.extend(status.pause.as_ref().map(ToString::to_string));
    facts.extend(status.store_failure.clone());
    facts
}

fn host(out: &mut String, host: &HostStatus, width: usize, now: Timestamp, layout: Layout) {
    let state = host.verdict.state;
    let forced = if host.verdict.forced.is_some() {
        " (forced)"
    } else {
        ""
    };
    let pad = " ".repeat(HOST_STATE.saturating_sub(state.as_str().len()));
    let since = host.verdict.since;
    let since = since.map(|since| format!("since {since:.0}"));
    let took = host.latest.as_ref().filter(|latest| latest.passed);
    let took = took.map(|latest| format!("{} ms", latest.took.as_millis()));
    let details: Vec<String> = since.into_iter().chain(took).collect();
    let details = details.join(", ");
    let name = format!(
        "{:<width$}  {:<8}",
        host.name.to_string(),
        host.role.as_str()
    );
    let used = columns(&name) + HOST_STATE + forced.len() + 2;
    let head = format!(
        "{name}{}{pad}{forced}",
        styled(state_style(state), state.as_str())
    );
    let below = if used + columns(&details) <= layout.width {
        line(out, &format!("{head}  {details}"));
        None
    } else {
        line(out, &head);
        Some(details)
    };
    let word = host
        .word
        .as_ref()
        .map(|word| format!("{word} ({:#} left)", left(word.until, now)));
    // Of a host that is up there is nothing to explain.
    let reason = (state != State::Up && word.is_none()).then(|| host.verdict.reason.clone());
    // It may be the reason itself.
    let is_told = |text: &String| reason.as_ref().is_some_and(|reason| reason.contains(text));
    let obstacle = host.obstacle.clone().filter(|text| !is_told(text));
    let told = below.into_iter().chain(word).chain(reason);
    for told in told.chain(obstacle) {
        folded(out, &told, layout);
    }
}

fn zones(out: &mut String, page: &Page, now: Timestamp, layout: Layout) {
    let (loud, quiet): (Vec<&ZoneStatus>, Vec<&ZoneStatus>) = page
        .zones
        .iter()
        .map(AsRef::as_ref)
        .partition(|zone| needs_a_word(zone));
    if !loud.is_empty() {
        out.push('\n');
    }
    loud_zones(out, &loud, now, layout);
    if !quiet.is_empty() {
        out.push('\n');
    }
    if quiet.len() <= QUIET {
        for known in quiet {
            zone(out, known, now, layout);
        }
    } else {
        let records: usize = quiet.iter().map(|zone| zone.published().len()).sum();
        line(
            out,
            &format!("{} zones in sync, {records} records", quiet.len()),
        );
    }
    if page.total > page.zones.len() {
        let told = format!(
            "page {} of {}, {} zones in all",
            page.page, page.pages, page.total
        );
        line(out, &styled(DIM, &told));
    }
}

fn needs_a_word(zone: &ZoneStatus) -> bool {
    zone.level() != Level::Ok || zone.state() != ZoneState::InSync || zone.foreign() > 0
}

/// The zones in their order; many that are so for the same cause stand together at the place of
/// the first, since one dead primary fails them all in the same words.
fn loud_zones(out: &mut String, loud: &[&ZoneStatus], now: Timestamp, layout: Layout) {
    let said: Vec<String> = loud.iter().map(|zone| why(zone).join("\n")).collect();
    let said = loud.iter().zip(&said).enumerate();
    let said = said.map(|(place, (zone, why))| {
        // Without a cause each zone is told for itself: its numbers are all there is to say.
        let alone = why.is_empty().then_some(place);
        (&zone.zone, (zone.state(), alone), why.as_str())
    });
    let mut told: BTreeMap<usize, String> = BTreeMap::new();
    for cause in by_cause(said) {
        let known = cause.places.iter().filter_map(|place| loud.get(*place));
        let known: Vec<&ZoneStatus> = known.copied().collect();
        if known.len() <= FEW {
            for (place, known) in cause.places.iter().zip(known) {
                zone(told.entry(*place).or_default(), known, now, layout);
            }
        } else if let Some(first) = cause.places.first() {
            let out = told.entry(*first).or_default();
            zones_together(out, &known, &cause.text, now, layout);
        }
    }
    out.extend(told.into_values());
}

fn zone(out: &mut String, zone: &ZoneStatus, now: Timestamp, layout: Layout) {
    head(out, &name_of(zone), &[zone], now, layout);
    for told in notes(zone) {
        folded(out, &one_line(&told), layout);
    }
}

/// Their cause, the records that it holds, and below them every zone.
fn zones_together(
    out: &mut String,
    zones: &[&ZoneStatus],
    why: &str,
    now: Timestamp,
    layout: Layout,
) {
    head(out, &counted(zones.len(), "zone"), zones, now, layout);
    let held = zones.iter().filter_map(|zone| zone.planned());
    let held = held.flat_map(|plan| &plan.held).map(|held| &held.change);
    let held = withheld(&held.collect::<Vec<&Change>>());
    let names: Vec<String> = zones.iter().map(|zone| name_of(zone)).collect();
    let names = names.join(", ");
    let told = why.lines().chain([held.as_str(), names.as_str()]);
    for told in told.filter(|told| !told.is_empty()) {
        folded(out, told, layout);
    }
}

/// The state that the zones share, what they are called, and their numbers.
fn head(out: &mut String, name: &str, zones: &[&ZoneStatus], now: Timestamp, layout: Layout) {
    let Some(first) = zones.first() else {
        return;
    };
    let style = level_style(first.level());
    let state = first.state();
    let pad = " ".repeat(ZONE_STATE.saturating_sub(state.as_str().len()));
    let numbers = numbers(zones, now);
    let head = format!(
        "{}{pad}  {}",
        styled(style, state.as_str()),
        styled(BOLD, name)
    );
    if ZONE_STATE + 2 + columns(name) + 2 + columns(&numbers) <= layout.width {
        line(out, &format!("{head}  {numbers}"));
        return;
    }
    line(out, &head);
    folded(out, &numbers, layout);
}

/// The zone, and the owner name where it is that of another service than KMS.
fn name_of(zone: &ZoneStatus) -> String {
    let (name, owner) = (zone.zone.to_string(), zone.owner.to_string());
    match owner == format!("_vlmcs._tcp.{name}") {
        true => name,
        false => format!("{name} ({owner})"),
    }
}

/// `2 published, 1 to add; serial 7; 12 s ago`: what is to be done in the words of `plan`. Of
/// several zones the sums; serials and times are those of one zone.
fn numbers(zones: &[&ZoneStatus], now: Timestamp) -> String {
    let sum = |count: fn(&ZoneStatus) -> usize| zones.iter().map(|zone| count(zone)).sum::<usize>();
    let alone = match zones {
        [alone] => Some(*alone),
        _ => None,
    };
    let mut told = Vec::new();
    if zones.iter().any(|zone| zone.planned().is_some()) {
        let published = sum(|zone| zone.published().len());
        let mut counts = vec![format!("{published} published")];
        let pending = Summary::of(zones.iter().map(|zone| zone.planned()));
        for (count, what) in [
            (pending.creates, "to add"),
            (pending.updates, "to change"),
            (pending.deletes, "to remove"),
            (sum(ZoneStatus::held), "held"),
            (sum(ZoneStatus::contested), "contested"),
            (sum(ZoneStatus::foreign), "foreign"),
        ] {
            if count > 0 {
                counts.push(format!("{count} {what}"));
            }
        }
        told.push(counts.join(", "));
    }
    if let Some(plan) = alone.and_then(ZoneStatus::planned) {
        told.push(format!("serial {}", plan.observed.serial));
    }
    let name_servers = sum(|zone| zone.copies.as_ref().map_or(0, Copies::total));
    if name_servers > 0 {
        let agreeing = sum(|zone| zone.copies.as_ref().map_or(0, Copies::agreeing));
        told.push(format!("{agreeing} of {name_servers} name servers agree"));
    }
    if let Some(last) = alone.and_then(|zone| zone.last_attempt) {
        told.push(ago(last, now));
    }
    told.join("; ")
}

/// Why, and what else there is to say.
fn notes(zone: &ZoneStatus) -> Vec<String> {
    told_with(zone, |(reason, changes)| {
        vec![withheld(changes), reason.clone()]
    })
}

/// Why alone, each on one line: what zones may share whose records are others.
fn why(zone: &ZoneStatus) -> Vec<String> {
    let notes = told_with(zone, |(reason, _)| vec![reason.clone()]);
    notes.iter().map(|note| one_line(note)).collect()
}

/// Why changes are held, and the changes.
type Withheld<'a> = (String, Vec<&'a Change>);

fn told_with(zone: &ZoneStatus, told: impl Fn(&Withheld<'_>) -> Vec<String>) -> Vec<String> {
    let error = zone.error().map(|error| error.text.clone());
    let failure = zone.failure.as_ref().map(|outcome| outcome.text.clone());
    let short = zone.planned().and_then(|plan| plan.short_of_hosts);
    let short = short.map(|short| short.to_string());
    let held = zone.planned().map(|plan| held(plan, told));
    let obstacle = zone
        .obstacle
        .as_ref()
        .map(|why| format!("not written: {why}"));
    error
        .into_iter()
        .chain(failure)
        .chain(short)
        .chain(held.unwrap_or_default())
        .chain(obstacle)
        .collect()
}

/// Each reason for which changes are held, once.
fn held(plan: &ZonePlan, told: impl Fn(&Withheld<'_>) -> Vec<String>) -> Vec<String> {
    let mut reasons: Vec<Withheld<'_>> = Vec::new();
    for held in &plan.held {
        let reason = format!("{}: {}", held.guard, held.text);
        match reasons.iter_mut().find(|(known, _)| *known == reason) {
            Some((_, changes)) => changes.push(&held.change),
            None => reasons.push((reason, vec![&held.change])),
        }
    }
    let (shown, others) = reasons.split_at(reasons.len().min(REASONS));
    let more: usize = others.iter().map(|(_, changes)| changes.len()).sum();
    let more = (more > 0).then(|| {
        let zone = &plan.zone;
        format!("and {more} more held: `srvkeeper plan {zone}` shows them")
    });
    shown.iter().flat_map(told).chain(more).collect()
}

/// `not added: 0 0 1688 kms3.corp.example.; not removed: 0 0 1688 kms1.corp.example.`
fn withheld(changes: &[&Change]) -> String {
    let word_of = |change: &Change| match change.kind {
        ChangeKind::Create { .. } => "added",
        ChangeKind::Update { .. } => "changed",
        ChangeKind::Delete { .. } => "removed",
    };
    let words = ["added", "changed", "removed"].into_iter();
    let told = words.filter_map(|word| {
        let of_this_kind = changes.iter().filter(|change| word_of(change) == word);
        // Several zones may want the same record withheld.
        let mut known = BTreeSet::new();
        let records: Vec<&Srv> = of_this_kind
            .filter_map(|change| change.before().or(change.after()))
            .filter(|record| known.insert(*record))
            .collect();
        (!records.is_empty()).then(|| format!("not {word}: {}", shortened(&records, NAMED)))
    });
    told.collect::<Vec<String>>().join("; ")
}

/// `12s ago`, in whole seconds.
fn ago(time: Timestamp, now: Timestamp) -> String {
    let passed = now.duration_since(time).max(SignedDuration::ZERO);
    format!("{:#} ago", SignedDuration::from_secs(passed.as_secs()))
}
