//! A daemon's status for people: what `status` prints.

use anstyle::Style;
use jiff::{SignedDuration, Timestamp};

use super::lines::{Layout, columns, fold, name_column, one_line, shortened};
use super::pause::left;
use super::text::{BOLD, DIM, GREEN, INDENT, RED, YELLOW, indented, line, state_style, styled};
use crate::model::{Change, ChangeKind, State};
use crate::plan::{Summary, ZonePlan};
use crate::status::{HostStatus, Level, Page, Status, ZoneState, ZoneStatus};

/// Columns of the longest state of a host.
const HOST_STATE: usize = 7;

/// Columns of the longest state of a zone, `unreadable`.
const ZONE_STATE: usize = 10;

/// Zones named that need no word.
const QUIET: usize = 10;

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
        for piece in fold(&told, layout.width.saturating_sub(INDENT)) {
            indented(out, INDENT, &piece);
        }
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
    for known in loud {
        zone(out, known, now, layout);
    }
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

fn zone(out: &mut String, zone: &ZoneStatus, now: Timestamp, layout: Layout) {
    let style = level_style(zone.level());
    let state = zone.state();
    let pad = " ".repeat(ZONE_STATE.saturating_sub(state.as_str().len()));
    let name = name_of(zone);
    let numbers = numbers(zone, now);
    let head = format!(
        "{}{pad}  {}",
        styled(style, state.as_str()),
        styled(BOLD, &name)
    );
    if ZONE_STATE + 2 + name.chars().count() + 2 + numbers.chars().count() <= layout.width {
        line(out, &format!("{head}  {numbers}"));
    } else {
        line(out, &head);
        for piece in fold(&numbers, layout.width.saturating_sub(INDENT)) {
            indented(out, INDENT, &piece);
        }
    }
    for told in notes(zone) {
        for piece in fold(&one_line(&told), layout.width.saturating_sub(INDENT)) {
            indented(out, INDENT, &piece);
        }
    }
}

/// The zone, and the owner name where it is that of another service than KMS.
fn name_of(zone: &ZoneStatus) -> String {
    let (name, owner) = (zone.zone.to_string(), zone.owner.to_string());
    match owner == format!("_vlmcs._tcp.{name}") {
        true => name,
        false => format!("{name} ({owner})"),
    }
}

/// `2 published, 1 to add; serial 7; 12 s ago`: what is to be done in the words of `plan`.
fn numbers(zone: &ZoneStatus, now: Timestamp) -> String {
    let mut told = Vec::new();
    if let Some(plan) = zone.planned() {
        let mut counts = vec![format!("{} published", zone.published().len())];
        let pending = Summary::of([Some(plan)]);
        for (count, what) in [
            (pending.creates, "to add"),
            (pending.updates, "to change"),
            (pending.deletes, "to remove"),
            (zone.held(), "held"),
            (zone.contested(), "contested"),
            (zone.foreign(), "foreign"),
        ] {
            if count > 0 {
                counts.push(format!("{count} {what}"));
            }
        }
        told.push(counts.join(", "));
        told.push(format!("serial {}", plan.observed.serial));
    }
    if let Some(copies) = zone.copies.as_ref().filter(|copies| copies.total() > 0) {
        told.push(format!(
            "{} of {} name servers agree",
            copies.agreeing(),
            copies.total()
        ));
    }
    if let Some(last) = zone.last_attempt {
        told.push(ago(last, now));
    }
    told.join("; ")
}

/// Why, and what else there is to say.
fn notes(zone: &ZoneStatus) -> Vec<String> {
    let error = zone.error().map(|error| error.text.clone());
    let failure = zone.failure.as_ref().map(|outcome| outcome.text.clone());
    let short = zone.planned().and_then(|plan| plan.short_of_hosts);
    let short = short.map(|short| short.to_string());
    let held = zone.planned().map(held).unwrap_or_default();
    let obstacle = zone
        .obstacle
        .as_ref()
        .map(|why| format!("not written: {why}"));
    error
        .into_iter()
        .chain(failure)
        .chain(short)
        .chain(held)
        .chain(obstacle)
        .collect()
}

/// Each reason for which changes are held, once, below the records that it holds.
fn held(plan: &ZonePlan) -> Vec<String> {
    let mut reasons: Vec<(String, Vec<&Change>)> = Vec::new();
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
    shown
        .iter()
        .flat_map(|(reason, changes)| [withheld(changes), reason.clone()])
        .chain(more)
        .collect()
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
        let records: Vec<String> = of_this_kind
            .filter_map(|change| change.before().or(change.after()))
            .map(ToString::to_string)
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
