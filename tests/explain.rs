//! What `explain` prints, against the files in `tests/golden/explain`, and that all of it keeps to
//! the width.
//!
//! `UPDATE_GOLDEN=1 cargo test --test explain` writes the files anew.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod golden;

use anstream::adapter::strip_str;
use srvkeeper::explain::{self, Found};
use srvkeeper::render::explain as render;
use srvkeeper::render::text::Layout;

fn found(text: &str) -> Found {
    explain::find(&explain::parse(text).unwrap()).unwrap()
}

fn layout(width: usize) -> Layout {
    Layout {
        width,
        unicode: true,
    }
}

/// Styles taken off, as the edge does without a terminal.
fn entry(text: &str, width: usize) -> String {
    strip_str(&render::entry(&found(text), layout(width))).to_string()
}

fn list(width: usize) -> String {
    strip_str(&render::list(explain::entries(), layout(width))).to_string()
}

fn unknown(text: &str, width: usize) -> String {
    let given = explain::parse(text).unwrap();
    let nearest = explain::nearest(&given);
    let among = explain::is_among_events(&given);
    let told = render::unknown(&given, &nearest, among, layout(width));
    format!("srvkeeper: {}\n", strip_str(&told))
}

fn json(text: &str) -> String {
    let mut out = Vec::new();
    render::json(std::iter::once(found(text).entry), &mut out).unwrap();
    String::from_utf8(out).unwrap()
}

#[test]
fn the_outputs_are_as_they_were() {
    golden::compare(
        "tests/golden/explain",
        &[
            ("list.txt", list(80)),
            ("8007232b.txt", entry("8007232B", 80)),
            ("80072338.txt", entry("80072338", 80)),
            ("9501-60-columns.txt", entry("9501", 60)),
            ("c004f038.txt", entry("0xC004F038", 80)),
            (
                "c004f038.ansi",
                render::entry(&found("0xC004F038"), layout(80)),
            ),
            ("c004f038.json", json("0xC004F038")),
            ("12288.txt", entry("12288", 80)),
            ("12289.txt", entry("12289", 80)),
            ("12289.json", json("12289")),
            ("12293.txt", entry("12293", 80)),
            ("unknown-code.txt", unknown("0x80072339", 80)),
            ("unknown-event.txt", unknown("12291", 80)),
        ],
    );
}

#[test]
fn everything_keeps_to_the_width() {
    for width in [40, 60, 80] {
        let each = explain::entries().map(|known| entry(&known.name(), width));
        let all = each.chain([list(width), unknown("7", width), unknown("12292", width)]);
        for text in all {
            for line in text.lines() {
                // A word that cannot be broken, such as the path in the registry, may stand out.
                let is_one_word = line.trim_start().split(' ').count() <= 2;
                assert!(
                    line.chars().count() <= width || is_one_word,
                    "{width}: {line}"
                );
            }
        }
    }
}

#[test]
fn json_has_every_entry_with_the_same_keys() {
    let mut out = Vec::new();
    render::json(explain::entries(), &mut out).unwrap();
    let document: serde_json::Value = serde_json::from_slice(&out).unwrap();
    assert_eq!(document["format_version"], 1);
    let entries = document["entries"].as_array().unwrap();
    assert_eq!(entries.len(), explain::entries().count());
    for (entry, known) in entries.iter().zip(explain::entries()) {
        let keys: Vec<&str> = entry
            .as_object()
            .unwrap()
            .keys()
            .map(String::as_str)
            .collect();
        let mut expected = vec![
            "kind", "name", "number", "win32", "title", "meaning", "log", "fields", "dns",
            "checks", "unseen", "look_at", "open",
        ];
        expected.sort_unstable();
        let mut keys = keys;
        keys.sort_unstable();
        assert_eq!(keys, expected);
        assert_eq!(entry["number"], known.number);
        assert_eq!(entry["dns"]["cause"], known.dns.as_str());
    }
}
