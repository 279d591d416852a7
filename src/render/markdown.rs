//! The plan as Markdown for tickets and reviews (CommonMark, with GitHub's tables).
//!
//! A zone's lines stand in a fenced `diff` block, which most trackers colour. Whatever came from
//! DNS or from a program is in such a block or escaped.

use std::fmt::Write;

use crate::diagnose::Diagnosis;
use crate::plan::Plan;

use super::doctor::{self, Problem};
use super::lines::{self, Layout, one_line};

/// The characters that mean something to Markdown, or to the HTML it may become.
const SPECIAL: &str = "\\`*_[]<>|#~&";

/// Wide enough for most changes on one line; the block scrolls for the others.
const LAYOUT: Layout = Layout {
    width: 120,
    unicode: true,
};

/// The document; with a diagnosis it also tells what is wrong beside the plan, and how to repair it.
pub fn plan(plan: &Plan, diagnosis: Option<&Diagnosis>) -> String {
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
        let lines = section.lines.into_iter().map(|line| line.text);
        fenced(&mut out, "diff", lines);
    }
    for told in lines::brief(plan) {
        let _ = writeln!(out, "{}\n", escaped(&told));
    }
    if let Some(diagnosis) = diagnosis {
        repairs(&mut out, diagnosis);
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

/// What is wrong, and the steps that repair it.
fn repairs(out: &mut String, diagnosis: &Diagnosis) {
    let problems = doctor::problems(diagnosis);
    let _ = writeln!(out, "## {}\n", doctor::TITLE);
    let _ = writeln!(out, "{}\n", escaped(&doctor::introduction(&problems)));
    for Problem { heading, findings } in &problems {
        let _ = writeln!(out, "### {}\n", escaped(heading));
        for finding in findings {
            let _ = writeln!(
                out,
                "**{}, {}:** {}\n",
                finding.level.as_str(),
                finding.check.as_str(),
                escaped(&finding.text)
            );
            for evidence in &finding.evidence {
                let _ = writeln!(out, "- {}", escaped(evidence));
            }
            if !finding.evidence.is_empty() {
                out.push('\n');
            }
            for repair in &finding.repairs {
                let what = escaped(&repair.what);
                let _ = writeln!(out, "Repair, {}: {what}\n", repair.place.title());
                fenced(out, "", doctor::commands(repair));
            }
        }
    }
}

/// A block that nothing in it can end: its fence is longer than any run of backticks inside.
fn fenced(out: &mut String, language: &str, lines: impl Iterator<Item = String>) {
    let lines: Vec<String> = lines.collect();
    let longest = lines
        .iter()
        .flat_map(|line| line.split(|character| character != '`'))
        .map(str::len)
        .max()
        .unwrap_or_default();
    let fence = "`".repeat(3.max(longest + 1));
    let _ = writeln!(out, "{fence}{language}");
    for line in lines {
        let _ = writeln!(out, "{line}");
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
