//! Writes the configuration reference from the table of keys, so that the two cannot drift.
//!
//! `UPDATE_GOLDEN=1 cargo test --test docs_configuration` writes the document anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::fmt::Write;
use std::fs;
use std::path::Path;

use srvkeeper::config::table::{Fallback, KEYS, Shape, Spec, Table};

/// What stands above this line is written by hand.
const END_OF_INTRODUCTION: &str = "     writes it anew. -->\n";

#[test]
fn the_reference_is_that_of_the_table_of_keys() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = fs::read_to_string(&file).unwrap();
    let at = text.find(END_OF_INTRODUCTION).unwrap() + END_OF_INTRODUCTION.len();
    let (introduction, found) = text.split_at(at);
    let expected = reference();
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        fs::write(&file, format!("{introduction}{expected}")).unwrap();
        return;
    }
    assert!(
        found == expected,
        "docs/configuration.md differs from the table of keys; it should be:\n{expected}"
    );
}

#[test]
fn every_key_has_a_row_with_its_default_and_meaning() {
    let reference = reference();
    for spec in KEYS {
        let row = row(spec);
        assert!(row.contains(spec.doc.trim_end_matches('.')), "{row}");
        assert!(
            reference.contains(&row),
            "{:?} {} is missing",
            spec.table,
            spec.key
        );
    }
}

#[test]
fn failures_are_not_said_to_be_in_a_row() {
    // A single good probe between them clears none: only `rise` in a row do.
    let fall = Table::Health.key("fall").unwrap();
    assert!(!fall.doc.contains("Failures in a row"), "{}", fall.doc);
    assert!(fall.doc.contains("`rise` successes in a row"));
}

#[test]
fn the_introduction_names_all_that_takes_a_restart() {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/configuration.md");
    let text = fs::read_to_string(&file).unwrap();
    let from = text.find("Only a new process can").unwrap();
    let sentence = text.split_at(from).1.split("\n\n").next().unwrap();
    // Those of `needs_restart` in src/daemon/mod.rs.
    for key in ["state_dir", "http", "http_token_file", "[authority]"] {
        assert!(sentence.contains(&format!("`{key}`")), "{key}: {sentence}");
    }
}

fn reference() -> String {
    Table::ALL.into_iter().map(section).collect()
}

fn section(table: Table) -> String {
    let heading = match table {
        Table::Top => "Before the first header".to_owned(),
        _ => format!("`{}`", table.header()),
    };
    let mut text = format!("\n## {heading}\n\n{}\n", often(table));
    text.push_str("\n| Key | Takes | Left out | Meaning |\n|---|---|---|---|\n");
    for spec in KEYS.iter().filter(|spec| spec.table == table) {
        text.push_str(&row(spec));
    }
    for wider in Table::ALL {
        let keys: Vec<String> = KEYS
            .iter()
            .filter(|spec| spec.table == wider && spec.also == Some(table))
            .map(|spec| format!("`{}`", spec.key))
            .collect();
        if !keys.is_empty() {
            let header = wider.header();
            write!(text, "\nFor this one alone, in place of `{header}`:\n").unwrap();
            writeln!(text, "{}.", keys.join(", ")).unwrap();
        }
    }
    text
}

/// How often the table may stand.
fn often(table: Table) -> &'static str {
    match (table, table.shape()) {
        (Table::Top, _) => "These stand at the top of the file.",
        (_, Shape::Single) => "Stands once; without it, its defaults hold.",
        (_, Shape::Optional) => "Stands once, or not at all.",
        (_, Shape::Named) => "Stands once for each name.",
        (_, Shape::Many) => "Stands as often as needed.",
    }
}

fn row(spec: &Spec) -> String {
    let left_out = match spec.fallback {
        Fallback::Default(value) => format!("`{value}`"),
        Fallback::Required { example } => format!("required; for example `{example}`"),
        Fallback::Omitted { means, example } => format!("{means}; for example `{example}`"),
    };
    format!(
        "| `{}` | {} | {left_out} | {} |\n",
        spec.key,
        cell(&spec.kind.describe()),
        cell(spec.doc)
    )
}

/// Text that does not end its cell.
fn cell(text: &str) -> String {
    text.replace('|', "\\|")
}
