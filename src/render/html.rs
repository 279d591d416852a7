//! The plan as one HTML document for a mail or a page: no script, nothing fetched.
//!
//! Light or dark as its reader's device is, and readable at the width of a phone.

use std::fmt::Write;

use crate::diagnose::{Diagnosis, Level};
use crate::plan::Plan;

use super::doctor::{self, Problem};
use super::lines::{self, Layout, Line, Section, Tone};

const STYLE: &str = "
:root { color-scheme: light dark; }
body { margin: 1rem auto; max-width: 60rem; padding: 0 .75rem; font: 1rem/1.45 system-ui, sans-serif;
  color: #1c1e21; background: #ffffff; }
h1 { font-size: 1.4rem; }
h2 { font-size: 1.1rem; overflow-wrap: anywhere; }
h3 { font-size: 1rem; overflow-wrap: anywhere; }
.place, footer { color: #5a6069; font-weight: normal; font-size: .9rem; overflow-wrap: anywhere; }
pre { padding: .6rem .75rem; border: 1px solid #d5d9de; border-radius: .4rem; background: #f6f7f9;
  white-space: pre-wrap; overflow-wrap: anywhere; font: .85rem/1.5 ui-monospace, monospace; }
table { border-collapse: collapse; width: 100%; }
th, td { padding: .3rem .5rem; border-bottom: 1px solid #d5d9de; text-align: left;
  vertical-align: top; overflow-wrap: anywhere; }
th, td:nth-child(2) { white-space: nowrap; }
td:first-child, td:nth-child(3) { min-width: min(12rem, 25vw); }
.numbers { width: auto; }
.numbers td { text-align: right; }
.create, .up { color: #116329; }
.delete, .error, .down { color: #b3161b; }
.modify, .held, .suspect { color: #7d5200; }
.foreign { color: #8430a8; }
@media (prefers-color-scheme: dark) {
  body { color: #e3e6ea; background: #16181c; }
  .place, footer { color: #a0a7b1; }
  pre { background: #1f2227; border-color: #3a3f47; }
  th, td { border-color: #3a3f47; }
  .create, .up { color: #63d07f; }
  .delete, .error, .down { color: #ff8782; }
  .modify, .held, .suspect { color: #e6b450; }
  .foreign { color: #d59cf0; }
}
";

/// The document; with a diagnosis it also tells what is wrong beside the plan, and how to repair it.
pub fn plan(plan: &Plan, diagnosis: Option<&Diagnosis>) -> String {
    let mut out = String::new();
    let summary = lines::summary(&plan.summary());
    // Writing to a String cannot fail. The policy holds even if a text were not escaped.
    let _ = writeln!(
        out,
        "<!DOCTYPE html>
<html lang=\"en\">
<head>
<meta charset=\"utf-8\">
<meta name=\"viewport\" content=\"width=device-width, initial-scale=1\">
<meta name=\"color-scheme\" content=\"light dark\">
<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">
<title>{summary} (srvkeeper)</title>
<style>{STYLE}</style>
</head>
<body>
<h1>srvkeeper plan</h1>",
        summary = escaped(&summary)
    );
    numbers(&mut out, plan);
    for told in lines::sections(plan, Layout::UNFOLDED) {
        section(&mut out, &told);
    }
    for told in lines::brief(plan) {
        let _ = writeln!(out, "<p>{}</p>", escaped(&told));
    }
    if let Some(diagnosis) = diagnosis {
        repairs(&mut out, diagnosis);
    }
    hosts(&mut out, plan);
    let _ = writeln!(
        out,
        "<footer>Made at {:.0}, {}.</footer>\n</body>\n</html>",
        plan.created,
        crate::plan::digest(plan)
    );
    out
}

fn numbers(out: &mut String, plan: &Plan) {
    let summary = plan.summary();
    let columns = [
        ("Zones", summary.zones),
        ("To add", summary.creates),
        ("To change", summary.updates),
        ("To remove", summary.deletes),
        ("Held", summary.held),
        ("Foreign", summary.foreign),
        ("In error", summary.errors),
    ];
    // Names beside their numbers: seven columns would not fit a phone.
    out.push_str("<table class=\"numbers\">\n");
    for (title, number) in columns {
        let _ = writeln!(
            out,
            "<tr><th scope=\"row\">{title}</th><td>{number}</td></tr>"
        );
    }
    out.push_str("</table>\n");
}

fn section(out: &mut String, section: &Section) {
    let place = section
        .place
        .as_ref()
        .map(|place| format!(" <span class=\"place\">({})</span>", escaped(place)))
        .unwrap_or_default();
    let _ = writeln!(
        out,
        "<h2>{}: {}{place}</h2>",
        escaped(&section.zone),
        toned(section.tone, &section.what)
    );
    out.push_str("<pre>");
    for Line { tone, text } in &section.lines {
        let _ = writeln!(out, "{}", toned(*tone, text));
    }
    out.push_str("</pre>\n");
}

/// What is wrong, and the steps that repair it.
fn repairs(out: &mut String, diagnosis: &Diagnosis) {
    let problems = doctor::problems(diagnosis);
    let introduction = escaped(&doctor::introduction(&problems));
    let _ = writeln!(out, "<h2>{}</h2>\n<p>{introduction}</p>", doctor::TITLE);
    for Problem { heading, findings } in &problems {
        let _ = writeln!(out, "<h3>{}</h3>", escaped(heading));
        for finding in findings {
            let class = match finding.level {
                Level::Failure => "error",
                Level::Warning | Level::CannotTell | Level::Pass => "held",
            };
            let _ = writeln!(
                out,
                "<p><span class=\"{class}\">{}</span>, {}: {}</p>",
                finding.level.as_str(),
                finding.check.as_str(),
                escaped(&finding.text)
            );
            if !finding.evidence.is_empty() {
                out.push_str("<ul class=\"place\">\n");
                for evidence in &finding.evidence {
                    let _ = writeln!(out, "<li>{}</li>", escaped(evidence));
                }
                out.push_str("</ul>\n");
            }
            for repair in &finding.repairs {
                let what = escaped(&repair.what);
                let _ = writeln!(out, "<p>Repair, {}: {what}</p>", repair.place.title());
                let lines: Vec<String> = doctor::commands(repair).collect();
                let _ = writeln!(out, "<pre>{}</pre>", escaped(&lines.join("\n")));
            }
        }
    }
}

fn toned(tone: Tone, text: &str) -> String {
    let class = match tone {
        Tone::Plain => return escaped(text),
        Tone::Create => "create",
        Tone::Delete => "delete",
        Tone::Modify => "modify",
        Tone::Held => "held",
        Tone::Foreign => "foreign",
        Tone::Error => "error",
    };
    format!("<span class=\"{class}\">{}</span>", escaped(text))
}

fn hosts(out: &mut String, plan: &Plan) {
    if plan.hosts.is_empty() {
        return;
    }
    out.push_str(
        "<h2>Hosts</h2>\n<table>\n<tr><th>Host</th><th>Verdict</th><th>Since</th><th>Reason</th></tr>\n",
    );
    for host in lines::hosts(plan) {
        let _ = writeln!(
            out,
            "<tr><td>{}</td><td class=\"{}\">{}</td><td>{}</td><td>{}</td></tr>",
            escaped(&host.name),
            host.state.as_str(),
            host.verdict,
            host.since,
            escaped(&host.reason)
        );
    }
    out.push_str("</table>\n");
}

/// Text as text, in an element or in a quoted attribute.
fn escaped(text: &str) -> String {
    let mut escaped = String::with_capacity(text.len());
    for character in text.chars() {
        match character {
            '&' => escaped.push_str("&amp;"),
            '<' => escaped.push_str("&lt;"),
            '>' => escaped.push_str("&gt;"),
            '"' => escaped.push_str("&quot;"),
            '\'' => escaped.push_str("&#39;"),
            _ => escaped.push(character),
        }
    }
    escaped
}
