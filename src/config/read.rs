//! TOML text → sections whose keys are known and whose values are of their kinds.
//!
//! Syntax errors do not stop the reading: every problem of a file is told at once.

use std::collections::{BTreeMap, BTreeSet};
use std::net::{IpAddr, SocketAddr};
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use toml::Spanned;
use toml::de::{DeTable, DeValue};

use super::Problem;
use super::table::{Fallback, Shape, Spec, Table};
use super::value::{self, Item, Value, Word, nearest};
use crate::model::{Check, Name};

/// A line of a file.
#[derive(Debug, Clone)]
pub(super) struct Place {
    pub(super) file: Arc<Path>,
    pub(super) line: usize,
}

impl Place {
    /// Another line of the same file.
    pub(super) fn at_line(&self, line: usize) -> Self {
        Self {
            file: Arc::clone(&self.file),
            line,
        }
    }
}

/// Everything found wrong, or worth a warning.
#[derive(Debug, Default)]
pub(super) struct Problems {
    errors: Vec<Problem>,
    warnings: Vec<Problem>,
    /// Lines that are not valid TOML: what else seems wrong there only follows from that.
    broken: BTreeSet<(PathBuf, usize)>,
}

impl Problems {
    pub(super) fn error(&mut self, place: &Place, key: impl Into<String>, text: impl Into<String>) {
        self.errors.push(problem(place, key, text));
    }

    pub(super) fn warning(
        &mut self,
        place: &Place,
        key: impl Into<String>,
        text: impl Into<String>,
    ) {
        self.warnings.push(problem(place, key, text));
    }

    fn syntax(&mut self, place: &Place, text: String) {
        if self.broken.insert((place.file.to_path_buf(), place.line)) {
            self.error(place, "", text);
        }
    }

    /// True when the syntax is broken somewhere, so that what seems absent may stand there.
    pub(super) fn has_broken_lines(&self) -> bool {
        !self.broken.is_empty()
    }

    /// The warnings when nothing is wrong, else every error; sorted, each once.
    pub(super) fn finish(self) -> Result<Vec<Problem>, Vec<Problem>> {
        let Self {
            mut errors,
            warnings,
            broken,
        } = self;
        errors.retain(|one| one.key.is_empty() || !broken.contains(&(one.file.clone(), one.line)));
        if errors.is_empty() {
            Ok(sorted(warnings))
        } else {
            Err(sorted(errors))
        }
    }
}

fn problem(place: &Place, key: impl Into<String>, text: impl Into<String>) -> Problem {
    Problem {
        file: place.file.to_path_buf(),
        line: place.line,
        key: key.into(),
        text: text.into(),
    }
}

fn sorted(mut problems: Vec<Problem>) -> Vec<Problem> {
    problems.sort();
    problems.dedup();
    problems
}

/// Where the lines of a text begin.
#[derive(Debug)]
pub(super) struct Lines(Vec<usize>);

impl Lines {
    pub(super) fn new(text: &str) -> Self {
        let after_newlines = text.match_indices('\n').map(|(at, _)| at + 1);
        Self(std::iter::once(0).chain(after_newlines).collect())
    }

    /// The line of an octet; the first is 1.
    pub(super) fn of(&self, offset: usize) -> usize {
        self.0.partition_point(|start| *start <= offset)
    }
}

/// Which tables a file may hold.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Part {
    /// The main file: all of them.
    Main,
    /// An included file: `[[host]]` and `[[zone]]`.
    Included,
}

/// The sections of one file, or of several.
#[derive(Debug)]
pub(super) struct Document {
    file: Arc<Path>,
    sections: BTreeMap<Table, Vec<Section>>,
}

impl Document {
    /// Reads a file's text; whatever is wrong goes to `problems`, the rest is kept.
    pub(super) fn read(file: &Path, text: &str, part: Part, problems: &mut Problems) -> Self {
        let mut reader = Reader {
            file: file.into(),
            lines: Lines::new(text),
            part,
            problems,
        };
        let (root, syntax) = DeTable::parse_recoverable(text);
        for error in syntax {
            let span = error.span().unwrap_or_default();
            let place = reader.place(span.start);
            let text = syntax_text(error.message(), text.get(span).unwrap_or_default());
            reader.problems.syntax(&place, text);
        }
        Self {
            sections: reader.sections(root.get_ref()),
            file: reader.file,
        }
    }

    /// Adds the hosts and zones of another file.
    pub(super) fn append(&mut self, other: Self) {
        for (table, mut sections) in other.sections {
            if matches!(table.shape(), Shape::Many) {
                self.sections
                    .entry(table)
                    .or_default()
                    .append(&mut sections);
            }
        }
    }

    /// The sections of a table, in file order.
    pub(super) fn all(&self, table: Table) -> &[Section] {
        self.sections.get(&table).map_or(&[], Vec::as_slice)
    }

    /// The one section of a table; the defaults where it does not stand.
    pub(super) fn single(&mut self, table: Table) -> Section {
        self.optional(table)
            .unwrap_or_else(|| Section::absent(table, Arc::clone(&self.file)))
    }

    /// The one section of a table, where it stands.
    pub(super) fn optional(&mut self, table: Table) -> Option<Section> {
        self.sections.remove(&table)?.pop()
    }
}

/// One table of a file: its keys checked, the defaults filled in.
#[derive(Debug)]
pub(super) struct Section {
    table: Table,
    /// The NAME of `[keys.NAME]`.
    pub(super) name: Option<String>,
    /// Its header.
    pub(super) place: Place,
    entries: BTreeMap<&'static str, Entry>,
}

#[derive(Debug)]
struct Entry {
    /// `None`: what stands there is wrong, and there is no default.
    value: Option<Value>,
    /// Where it stands; `None` for a default.
    place: Option<Place>,
}

impl Section {
    fn absent(table: Table, file: Arc<Path>) -> Self {
        let mut section = Self {
            table,
            name: None,
            place: Place { file, line: 1 },
            entries: BTreeMap::new(),
        };
        section.fill_defaults();
        section
    }

    fn fill_defaults(&mut self) {
        for spec in self.table.keys() {
            // A key that may stand here too has its default in its own table.
            if spec.table == self.table && !self.entries.contains_key(spec.key) {
                let value = default(spec);
                self.entries.insert(spec.key, Entry { value, place: None });
            }
        }
    }

    /// True when the key stands there, whatever its value.
    pub(super) fn has(&self, key: &str) -> bool {
        self.given(key).is_some()
    }

    /// True when the key stands there with a value of its kind.
    pub(super) fn holds(&self, key: &str) -> bool {
        self.entries
            .get(key)
            .is_some_and(|entry| entry.place.is_some() && entry.value.is_some())
    }

    /// Where the key stands; else the header.
    pub(super) fn at(&self, key: &str) -> &Place {
        self.given(key).unwrap_or(&self.place)
    }

    /// The key's full name in a problem.
    pub(super) fn label(&self, key: &str) -> String {
        label(self.table, self.name.as_deref(), key)
    }

    /// The values of this section alone.
    pub(super) fn scope(&self) -> Scope<'_> {
        Scope(vec![self])
    }

    /// Tells an error of a key.
    pub(super) fn error(&self, key: &str, text: impl Into<String>, problems: &mut Problems) {
        problems.error(self.at(key), self.label(key), text);
    }

    /// Tells an error of one item of a key's list.
    pub(super) fn item_error(
        &self,
        key: &str,
        item: &Item,
        text: impl Into<String>,
        problems: &mut Problems,
    ) {
        problems.error(&self.at(key).at_line(item.line), self.label(key), text);
    }

    /// Tells a warning of a key.
    pub(super) fn warning(&self, key: &str, text: impl Into<String>, problems: &mut Problems) {
        problems.warning(self.at(key), self.label(key), text);
    }

    fn given(&self, key: &str) -> Option<&Place> {
        self.entries.get(key)?.place.as_ref()
    }
}

fn label(table: Table, name: Option<&str>, key: &str) -> String {
    [table.name(), name.unwrap_or_default(), key]
        .into_iter()
        .filter(|part| !part.is_empty())
        .collect::<Vec<_>>()
        .join(".")
}

fn default(spec: &Spec) -> Option<Value> {
    let Fallback::Default(text) = spec.fallback else {
        return None;
    };
    value::read(spec, &DeValue::parse(text).ok()?, &Lines::new(text)).ok()
}

/// Sections from the nearest to the widest; the nearest that has a key decides.
///
/// The readers of a key without a usable value give an empty one: a problem is told by then, and
/// no configuration comes of it.
#[derive(Debug, Clone)]
pub(super) struct Scope<'a>(Vec<&'a Section>);

impl<'a> Scope<'a> {
    /// The same, with a wider section behind it.
    pub(super) fn within(mut self, wider: &'a Section) -> Self {
        self.0.push(wider);
        self
    }

    /// The section where the key stands.
    pub(super) fn origin(&self, key: &str) -> Option<&'a Section> {
        self.0.iter().copied().find(|section| section.has(key))
    }

    fn value(&self, key: &str) -> Option<&'a Value> {
        self.0
            .iter()
            .find_map(|section| section.entries.get(key)?.value.as_ref())
    }

    pub(super) fn integer<T: TryFrom<u32> + Default>(&self, key: &str) -> T {
        match self.value(key) {
            Some(Value::Integer(number)) => T::try_from(*number).unwrap_or_default(),
            _ => T::default(),
        }
    }

    pub(super) fn duration(&self, key: &str) -> Duration {
        match self.value(key) {
            Some(Value::Duration(duration)) => *duration,
            _ => Duration::ZERO,
        }
    }

    pub(super) fn refresh(&self, key: &str) -> Option<Duration> {
        match self.value(key) {
            Some(Value::Refresh(duration)) => *duration,
            _ => None,
        }
    }

    pub(super) fn text(&self, key: &str) -> Option<&'a str> {
        match self.value(key) {
            Some(Value::Text(text)) => Some(text),
            _ => None,
        }
    }

    pub(super) fn word<W: Word>(&self, key: &str) -> Option<W> {
        let text = self.text(key)?;
        W::WORDS
            .iter()
            .find(|(word, _)| *word == text)
            .map(|(_, value)| *value)
    }

    pub(super) fn items(&self, key: &str) -> &'a [Item] {
        match self.value(key) {
            Some(Value::Texts(items)) => items,
            _ => &[],
        }
    }

    pub(super) fn texts(&self, key: &str) -> Vec<String> {
        self.items(key)
            .iter()
            .map(|item| item.text.clone())
            .collect()
    }

    pub(super) fn checks(&self, key: &str) -> &'a [Check] {
        match self.value(key) {
            Some(Value::Checks(checks)) => checks,
            _ => &[],
        }
    }

    pub(super) fn name(&self, key: &str) -> Option<&'a Name> {
        match self.value(key) {
            Some(Value::Name(name)) => Some(name),
            _ => None,
        }
    }

    pub(super) fn addresses(&self, key: &str) -> &'a [SocketAddr] {
        match self.value(key) {
            Some(Value::Addresses(addresses)) => addresses,
            _ => &[],
        }
    }

    pub(super) fn ips(&self, key: &str) -> &'a [IpAddr] {
        match self.value(key) {
            Some(Value::Ips(ips)) => ips,
            _ => &[],
        }
    }
}

/// What the TOML reader says, in plainer words where its own mislead.
fn syntax_text(message: &str, at: &str) -> String {
    if message == "duplicate key" {
        return format!("\"{at}\" stands twice; keep one of the two");
    }
    // It says so of a missing value too.
    if message.starts_with("string values must be quoted") {
        return "not valid TOML: a value must stand here, and texts stand in quotes".to_owned();
    }
    format!("not valid TOML: {message}")
}

/// One file while it is read.
struct Reader<'a> {
    file: Arc<Path>,
    lines: Lines,
    part: Part,
    problems: &'a mut Problems,
}

impl Reader<'_> {
    fn place(&self, offset: usize) -> Place {
        Place {
            file: Arc::clone(&self.file),
            line: self.lines.of(offset),
        }
    }

    fn sections(&mut self, root: &DeTable<'_>) -> BTreeMap<Table, Vec<Section>> {
        let mut sections = BTreeMap::new();
        let mut top = DeTable::new();
        for (key, value) in root.iter() {
            let Some(table) = Table::named(key.get_ref()) else {
                top.insert(key.clone(), value.clone());
                continue;
            };
            let place = self.place(key.span().start);
            if self.part == Part::Included && !matches!(table, Table::Host | Table::Zone) {
                self.problems.error(
                    &place,
                    table.name(),
                    format!(
                        "an included file holds [[host]] and [[zone]] tables only; move {} to \
                        the main file",
                        table.header()
                    ),
                );
                continue;
            }
            sections.insert(table, self.table(table, &place, value));
        }
        match self.part {
            Part::Main => {
                sections.insert(Table::Top, vec![self.section(Table::Top, None, 0, &top)]);
            }
            Part::Included => self.refuse_top(&top),
        }
        sections
    }

    fn refuse_top(&mut self, top: &DeTable<'_>) {
        for key in top.keys() {
            let place = self.place(key.span().start);
            let text = match key.get_ref().as_ref() {
                "include" => "an included file includes no other; list it in the main file",
                "version" => "the version stands in the main file only; remove it here",
                _ => {
                    "an included file holds [[host]] and [[zone]] tables only; put the key below \
                    one of these headers"
                }
            };
            self.problems.error(&place, key.get_ref().as_ref(), text);
        }
    }

    /// The sections of one table, whose shape must be right.
    fn table(&mut self, table: Table, place: &Place, value: &Spanned<DeValue<'_>>) -> Vec<Section> {
        match (table.shape(), value.get_ref()) {
            (Shape::Single | Shape::Optional, DeValue::Table(keys)) => {
                vec![self.section(table, None, value.span().start, keys)]
            }
            (Shape::Named, DeValue::Table(names)) => self.named(table, names),
            (Shape::Many, DeValue::Array(items)) => {
                let mut sections = Vec::with_capacity(items.len());
                for item in items.iter() {
                    if let DeValue::Table(keys) = item.get_ref() {
                        sections.push(self.section(table, None, item.span().start, keys));
                    } else {
                        let place = self.place(item.span().start);
                        self.misshapen(table, &place);
                    }
                }
                sections
            }
            _ => {
                self.misshapen(table, place);
                Vec::new()
            }
        }
    }

    fn misshapen(&mut self, table: Table, place: &Place) {
        let why = match table.shape() {
            Shape::Many => "in double brackets, once for each",
            Shape::Named => "in single brackets, with a name of your choice for NAME",
            Shape::Single | Shape::Optional => "in single brackets, once",
        };
        let header = table.header();
        self.problems
            .error(place, table.name(), format!("write it as {header}: {why}"));
    }

    fn named(&mut self, table: Table, names: &DeTable<'_>) -> Vec<Section> {
        let mut sections = Vec::new();
        for (name, value) in names.iter() {
            if let DeValue::Table(keys) = value.get_ref() {
                let name = Some(name.get_ref().to_string());
                sections.push(self.section(table, name, value.span().start, keys));
            } else {
                let place = self.place(name.span().start);
                self.misshapen(table, &place);
            }
        }
        sections
    }

    fn section(
        &mut self,
        table: Table,
        name: Option<String>,
        header: usize,
        keys: &DeTable<'_>,
    ) -> Section {
        let mut section = Section {
            table,
            name,
            place: self.place(header),
            entries: BTreeMap::new(),
        };
        for (key, value) in keys.iter() {
            let place = self.place(key.span().start);
            let Some(spec) = table.key(key.get_ref()) else {
                let text = unknown_key(table, key.get_ref());
                self.problems
                    .error(&place, section.label(key.get_ref()), text);
                continue;
            };
            let value = self.value(&section, spec, value);
            let place = Some(place);
            section.entries.insert(spec.key, Entry { value, place });
        }
        for spec in table.keys() {
            if matches!(spec.fallback, Fallback::Required { .. }) && !section.has(spec.key) {
                let text = format!("is missing; write {} = {}", spec.key, spec.example());
                section.error(spec.key, text, self.problems);
            }
        }
        section.fill_defaults();
        section
    }

    /// The value; what is wrong with it is told, and its default goes on.
    fn value(
        &mut self,
        section: &Section,
        spec: &'static Spec,
        value: &Spanned<DeValue<'_>>,
    ) -> Option<Value> {
        // The parser's stand-in for a value that is not valid TOML; the syntax error is told already.
        if value.span().is_empty() {
            return default(spec);
        }
        match value::read(spec, value, &self.lines) {
            Ok(value) => Some(value),
            Err(faults) => {
                for fault in faults {
                    let place = section.place.at_line(fault.line);
                    self.problems
                        .error(&place, section.label(spec.key), fault.text);
                }
                default(spec)
            }
        }
    }
}

/// What to do about a key that does not belong into the table.
fn unknown_key(table: Table, key: &str) -> String {
    if table == Table::Keys && holds_secret(key) {
        return "a secret never stands in the configuration; keep it in a BIND key file \
        (tsig-keygen NAME > FILE) and write file = \"FILE\""
            .to_owned();
    }
    let mut known: Vec<&str> = table.keys().map(|spec| spec.key).collect();
    if table == Table::Top {
        known.extend(
            Table::ALL
                .into_iter()
                .map(Table::name)
                .filter(|name| !name.is_empty()),
        );
    }
    if let Some(near) = nearest(key, known.iter().copied()) {
        return format!("unknown key; did you mean \"{near}\"?");
    }
    let homes: Vec<&str> = Table::ALL
        .into_iter()
        .filter(|home| home.key(key).is_some())
        .map(Table::header)
        .collect();
    if !homes.is_empty() {
        return format!("unknown key here; it belongs in {}", homes.join(" or "));
    }
    format!("unknown key; known here: {}", known.join(", "))
}

/// True for the names under which people put secrets.
fn holds_secret(key: &str) -> bool {
    let key = key.to_lowercase();
    ["secret", "password", "passphrase", "token", "base64"]
        .iter()
        .any(|word| key.contains(word))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_count_from_one() {
        let lines = Lines::new("a\nbc\n\nd");
        let found: Vec<usize> = (0..8).map(|offset| lines.of(offset)).collect();
        assert_eq!(found, [1, 1, 2, 2, 2, 3, 4, 4]);
        assert_eq!(Lines::new("").of(0), 1);
    }

    fn place(file: &str, line: usize) -> Place {
        Place {
            file: Path::new(file).into(),
            line,
        }
    }

    #[test]
    fn problems_come_sorted_and_once() {
        let mut problems = Problems::default();
        for (file, line) in [("b", 1), ("a", 10), ("a", 9), ("a", 10)] {
            problems.error(&place(file, line), "key", "text");
        }
        problems.warning(&place("a", 1), "key", "only told when nothing is wrong");
        let found: Vec<String> = problems
            .finish()
            .unwrap_err()
            .iter()
            .map(Problem::to_string)
            .collect();
        assert_eq!(
            found,
            ["a:9: key: text", "a:10: key: text", "b:1: key: text"]
        );
    }

    #[test]
    fn a_broken_line_is_told_once() {
        let mut problems = Problems::default();
        problems.error(&place("a", 2), "key", "follows from the broken line");
        problems.syntax(&place("a", 2), "broken".to_owned());
        problems.syntax(&place("a", 2), "broken again".to_owned());
        let found = problems.finish().unwrap_err();
        assert_eq!(found.len(), 1);
        assert_eq!(found[0].to_string(), "a:2: broken");
    }

    #[test]
    fn what_follows_from_broken_syntax_is_not_told() {
        let mut problems = Problems::default();
        let text = "version = 1\n[daemon]\nmode = audit\ninterval =\n";
        Document::read(Path::new("a"), text, Part::Main, &mut problems);
        let lines: Vec<usize> = problems
            .finish()
            .unwrap_err()
            .iter()
            .map(|one| one.line)
            .collect();
        assert_eq!(lines, [3, 4]);
    }
}
