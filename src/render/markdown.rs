//! The plan as Markdown for tickets and reviews (CommonMark, with GitHub's tables).
//!
//! A zone's lines stand in a fenced `diff` block, which most trackers colour. Whatever came from
//! DNS or from a program is in such a block or escaped.

use std::fmt::Write;

use crate::plan::Plan;

use super::lines::{self, Layout, Line, one_line};

/// The characters that mean something to Markdown, or to the HTML it may become.
const SPECIAL: &str = "\\`*_[]<>|#~&";

/// Wide enough for most changes on one line; the block scrolls for the others.
const LAYOUT: Layout = Layout {
    width: 120,
    unicode: true,
};

/// The document.
pub fn plan(plan: &Plan) -> String {
    let mut out = String::new();
    // Writing to a String cannot fail.
    let _ = writeln!(out, "# srvkeeper plan\n");
    let summary = plan.summary();
    let _ = writeln!(
        out,
        "| Zones | To add | To change | To remove | Held | Foreign | In error |\n|--:|--:|--:|--:|--:|--:|--:|"
    );
    let _ = writeln!(
        out,
        "| {} | {} | {} | {} | {} | {} | {} |\n",
        summary.zones,
        summary.creates,
        summary.updates,
        summary.deletes,
        summary.held,
        summary.foreign,
        summary.errors
    );
    for section in lines::sections(plan, LAYOUT) {
        let _ = writeln!(out, "## {}\n", escaped(&section.heading()));
        fenced(&mut out, &section.lines);
    }
    for told in lines::brief(plan) {
        let _ = writeln!(out, "{}\n", escaped(&told));
    }
    hosts(&mut out, plan);
    let _ = writeln!(
        out,
        "Made at {:.0}, {}.",
        plan.created,
        crate::plan::digest(plan)
    );
    out
}

/// A block that nothing in it can end: its fence is longer than any run of backticks inside.
fn fenced(out: &mut String, lines: &[Line]) {
    let longest = lines
        .iter()
        .flat_map(|line| line.text.split(|character| character != '`'))
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(3.max(longest + 1));
    let _ = writeln!(out, "{fence}diff");
    for line in lines {
        let _ = writeln!(out, "{}", line.text);
    }
    let _ = writeln!(out, "{fence}\n");
}

fn hosts(out: &mut String, plan: &Plan) {
    if plan.hosts.is_empty() {
        return;
    }
    let _ = writeln!(out, "## Hosts\n");
    let _ = writeln!(
        out,
        "| Host | Verdict | Since | Reason |\n|---|---|---|---|"
    );
    for host in lines::hosts(plan) {
        let _ = writeln!(
            out,
            "| {} | {} | {} | {} |",
            escaped(&host.name),
            host.verdict,
            host.since,
            escaped(&host.reason)
        );
    }
    out.push('\n');
}

fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in one_line(text).chars() {
        if SPECIAL.contains(character) {
            escaped.push('\\');
        }
        escaped.push(character);
    }
    escaped
}
