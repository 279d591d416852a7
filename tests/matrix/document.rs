//! `docs/servers.md`: a column of the overview and a table of its own for each server.
//!
//! Each server's test compares and rewrites its own part, so that it may run alone.

use std::collections::BTreeMap;
use std::fs::{self, File};
use std::path::Path;

use super::scenarios::SCENARIOS;
use super::stage::Cell;

const DOCUMENT: &str = "docs/servers.md";
const OVERVIEW: &str = "overview";

/// Compares the server's part of the document with what came of the scenarios.
///
/// With `UPDATE_GOLDEN` set, writes it anew.
#[track_caller]
pub(crate) fn compare(title: &str, cells: &[Cell]) {
    let root = Path::new(env!("CARGO_MANIFEST_DIR"));
    let file = root.join(DOCUMENT);
    if std::env::var_os("UPDATE_GOLDEN").is_some() {
        // The other servers' tests rewrite their parts at the same time.
        let lock = File::open(root.join("Cargo.toml")).unwrap();
        lock.lock().unwrap();
        let old = fs::read_to_string(&file).unwrap();
        fs::write(&file, rewritten(&old, title, cells)).unwrap();
    }
    let text = fs::read_to_string(&file).unwrap();
    let expected = own_part(&text, title);
    let found = own_part(&rewritten(&text, title, cells), title);
    let mut different = expected.iter().zip(&found).filter(|(old, new)| old != new);
    let first = different.next();
    assert!(
        first.is_none() && expected.len() == found.len(),
        "{DOCUMENT} is not what {title} does; UPDATE_GOLDEN=1 writes it anew: {first:#?}"
    );
}

/// The server's column and its table.
fn own_part(text: &str, title: &str) -> Vec<String> {
    let (rows, number) = (overview(text), column(text, title));
    let column = rows
        .iter()
        .map(|row| number.and_then(|number| row.get(number).cloned()));
    let column = column.map(Option::unwrap_or_default);
    let table = region(text, title).lines().map(str::to_owned);
    column.chain(table).collect()
}

fn rewritten(text: &str, title: &str, cells: &[Cell]) -> String {
    let text = with_region(text, OVERVIEW, &with_column(text, title, cells));
    with_region(&text, title, &table(cells))
}

/// The server's own table.
fn table(cells: &[Cell]) -> String {
    let mut text = "| Scenario | The server answered | Reported |\n|---|---|---|\n".to_owned();
    for (scenario, cell) in SCENARIOS.iter().zip(cells) {
        let (title, reported) = (scenario.title, &cell.reported);
        let server = match cell.server.as_str() {
            "" => "nothing was sent",
            server => server,
        };
        text.push_str(&format!("| {title} | {server} | {reported} |\n"));
    }
    text
}

/// The overview with the server's column as it is now; columns of others stay.
fn with_column(text: &str, title: &str, cells: &[Cell]) -> String {
    let rows = overview(text);
    let mut titles: Vec<String> = rows.first().map_or_else(Vec::new, |row| row[1..].to_vec());
    let known: BTreeMap<&str, &[String]> = rows
        .iter()
        .map(|row| (row[0].as_str(), &row[1..]))
        .collect();
    let number = column(text, title).map_or(titles.len(), |number| number - 1);
    if number == titles.len() {
        titles.push(title.to_owned());
    }
    let mut text = format!("| Scenario | {} |\n", titles.join(" | "));
    text.push_str(&format!("|{}\n", "---|".repeat(titles.len() + 1)));
    for (scenario, cell) in SCENARIOS.iter().zip(cells) {
        let old = known.get(scenario.title).copied().unwrap_or_default();
        let mut row = old.to_vec();
        row.resize(titles.len(), String::new());
        row[number].clone_from(&cell.reported);
        text.push_str(&format!("| {} | {} |\n", scenario.title, row.join(" | ")));
    }
    text
}

/// The cells of the overview, the header first.
fn overview(text: &str) -> Vec<Vec<String>> {
    region(text, OVERVIEW)
        .lines()
        .filter(|line| !line.starts_with("|--"))
        .map(|line| {
            let cells = line.trim_matches('|').split('|');
            cells.map(|cell| cell.trim().to_owned()).collect()
        })
        .collect()
}

fn column(text: &str, title: &str) -> Option<usize> {
    overview(text)
        .first()?
        .iter()
        .position(|cell| cell == title)
}

fn begin(name: &str) -> String {
    format!("<!-- begin: {name} -->\n")
}

fn end(name: &str) -> String {
    format!("<!-- end: {name} -->\n")
}

/// The lines between two comments.
fn region<'t>(text: &'t str, name: &str) -> &'t str {
    let after = text.split_once(&begin(name)).map(|(_, after)| after);
    let within = after.and_then(|after| after.split_once(&end(name)));
    let (within, _) = within.unwrap_or_else(|| panic!("{DOCUMENT} has no region {name}"));
    within
}

fn with_region(text: &str, name: &str, lines: &str) -> String {
    let old = region(text, name);
    text.replacen(
        &format!("{}{old}{}", begin(name), end(name)),
        &format!("{}{lines}{}", begin(name), end(name)),
        1,
    )
}
