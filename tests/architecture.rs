//! Holds the arrows of `docs/architecture.md`: which module may name which, and which stay pure.
//!
//! Sources are read as tokens, so a path in a comment or a string is none. Items under
//! `#[cfg(test)]` are left out: tests may do what the code beside them may not.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::{fmt, fs};

use proc_macro2::{Delimiter, TokenStream, TokenTree};

/// Whether a module may do I/O, read the clock, the environment, randomness, or log.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Room {
    Pure,
    Shell,
}
use Room::{Pure, Shell};

/// Every top-level module, its room, and the modules it may name.
#[rustfmt::skip]
const MODULES: &[(&str, Room, &[&str])] = &[
    ("model",     Pure,  &[]),
    ("explain",   Pure,  &[]),
    ("health",    Pure,  &["model"]),
    ("plan",      Pure,  &["model"]),
    ("diagnose",  Pure,  &["model"]),
    ("wire",      Pure,  &["model"]),
    ("status",    Pure,  &["model", "plan"]),
    ("render",    Pure,  &["model", "plan", "status", "diagnose", "explain"]),
    ("fault",     Shell, &[]),
    ("config",    Shell, &["model"]),
    ("owner",     Shell, &[]),
    ("store",     Shell, &["model", "owner"]),
    ("process",   Shell, &[]),
    ("hooks",     Shell, &["process", "exit"]),
    ("progress",  Shell, &["reconcile"]),
    ("dns",       Shell, &["wire", "model", "fault"]),
    ("probe",     Shell, &["wire", "dns", "process", "model", "exit"]),
    ("authority", Shell, &["wire", "model", "owner"]),
    ("observe",   Shell, &["dns", "wire", "model"]),
    ("apply",     Shell, &["observe", "dns", "wire", "model", "plan", "fault", "exit"]),
    ("http",      Shell, &["render", "store", "model", "plan", "status", "exit"]),
    ("reconcile", Shell, &["observe", "apply", "probe", "dns", "store", "health", "plan", "config", "model", "fault", "wire", "exit"]),
    ("examine",   Shell, &["reconcile", "observe", "dns", "wire", "plan", "config", "diagnose", "model"]),
    ("daemon",    Shell, &["reconcile", "probe", "health", "store", "http", "hooks", "authority", "config", "dns", "plan", "render", "status", "model", "exit"]),
    ("demo",      Shell, &["daemon", "reconcile", "authority", "config", "render", "plan", "store", "dns", "model", "wire", "exit"]),
    ("exit",      Pure,  &[]),
    ("cli",       Shell, &["config", "hooks", "http", "reconcile", "progress", "render", "plan", "model", "store", "exit", "explain", "daemon", "demo", "authority", "dns", "probe", "diagnose", "examine"]),
    ("main",      Shell, &["cli", "exit"]),
];

/// Crates that a pure module must not name; hickory's codec is for `wire` alone.
const IMPURE_CRATES: &[&str] = &[
    "tokio",
    "rand",
    "tracing",
    "rusqlite",
    "hickory_resolver",
    "hickory_server",
];

/// Paths that a pure module must not name, nor anything below them.
const IMPURE_PATHS: &[&[&str]] = &[
    &["std", "fs"],
    &["std", "env"],
    &["std", "process", "Command"],
    &["std", "process", "abort"],
    &["std", "process", "exit"],
    &["std", "process", "id"],
    &["std", "thread"],
    &["ring", "rand"],
];

/// Types that a pure module must not name, wherever they come from. Addresses are fine.
const IMPURE_TYPES: &[&str] = &[
    "HashMap",
    "HashSet",
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "UnixStream",
    "UnixListener",
];

/// `main.rs` only hands over.
const LONGEST_MAIN: usize = 60;

#[derive(Debug, Clone, PartialEq, Eq)]
struct Violation {
    file: String,
    line: usize,
    what: String,
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}:{}: {}", self.file, self.line, self.what)
    }
}

/// One source file and its place in the module tree: `src/model/key.rs` is `["model", "key"]`.
struct Source {
    file: String,
    module: Vec<String>,
    text: String,
}

/// A path as written, groups expanded: `use crate::{a, b::C}` gives two.
#[derive(Debug, PartialEq, Eq)]
struct PathUse {
    segments: Vec<String>,
    line: usize,
    /// The inline modules around it, outermost first.
    inside: Vec<String>,
}

#[test]
fn the_sources_keep_to_the_architecture() {
    let sources = sources();
    let violations = check(&sources);
    let report: Vec<String> = violations.iter().map(ToString::to_string).collect();
    assert!(
        violations.is_empty(),
        "{} violation(s) of the architecture:\n{}",
        report.len(),
        report.join("\n")
    );
}

#[test]
fn the_arrows_have_no_cycle_and_name_only_modules() {
    let arrows: BTreeMap<&str, &[&str]> = MODULES.iter().map(|(n, _, to)| (*n, *to)).collect();
    assert_eq!(arrows.len(), MODULES.len(), "a module has two rows");
    for (from, room, to) in MODULES {
        for target in *to {
            let (_, target_room, _) = row(target).unwrap_or_else(|| panic!("{target}: no row"));
            assert!(
                *room == Shell || *target_room == Pure,
                "{from} is pure and may not name {target}"
            );
        }
    }
    let mut done = BTreeSet::new();
    while done.len() < arrows.len() {
        let next: Vec<&str> = arrows
            .iter()
            .filter(|(from, to)| !done.contains(*from) && to.iter().all(|t| done.contains(t)))
            .map(|(from, _)| *from)
            .collect();
        assert!(!next.is_empty(), "a cycle among the rest of {done:?}");
        done.extend(next);
    }
}

#[test]
fn main_is_short() {
    let main = fs::read_to_string(root().join("src/main.rs")).unwrap();
    let lines = main.lines().count();
    assert!(lines < LONGEST_MAIN, "src/main.rs has {lines} lines");
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn row(module: &str) -> Option<&'static (&'static str, Room, &'static [&'static str])> {
    MODULES.iter().find(|(name, _, _)| *name == module)
}

/// Every file under `src`, except `lib.rs`, which is the map and names everything.
fn sources() -> Vec<Source> {
    let src = root().join("src");
    let mut files = Vec::new();
    let mut folders = vec![src.clone()];
    while let Some(folder) = folders.pop() {
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_dir() {
                folders.push(path);
            } else if path.extension().is_some_and(|e| e == "rs") && path != src.join("lib.rs") {
                files.push(path);
            }
        }
    }
    files.sort();
    files
        .iter()
        .map(|path| Source {
            file: path.strip_prefix(root()).unwrap().display().to_string(),
            module: module_of(path.strip_prefix(&src).unwrap()),
            text: fs::read_to_string(path).unwrap(),
        })
        .collect()
}

fn module_of(below_src: &Path) -> Vec<String> {
    let mut module: Vec<String> = below_src
        .with_extension("")
        .iter()
        .map(|part| part.to_str().unwrap().to_owned())
        .collect();
    module.pop_if(|last| last == "mod");
    module
}

fn check(sources: &[Source]) -> Vec<Violation> {
    let parsed: Vec<(&Source, Parsed)> = sources.iter().map(|s| (s, Parsed::new(s))).collect();
    let test_modules: BTreeSet<Vec<String>> = parsed
        .iter()
        .flat_map(|(_, parsed)| parsed.test_modules.clone())
        .collect();

    let mut violations = Vec::new();
    for (source, parsed) in &parsed {
        let is_test = (1..=source.module.len()).any(|n| test_modules.contains(&source.module[..n]));
        if !is_test {
            check_file(source, parsed, &mut violations);
        }
    }
    violations
}

fn check_file(source: &Source, parsed: &Parsed, violations: &mut Vec<Violation>) {
    let mut violate = |line: usize, what: String| {
        violations.push(Violation {
            file: source.file.clone(),
            line,
            what,
        });
    };
    let module = &source.module[0];
    let Some((_, room, may_name)) = row(module) else {
        let what = format!("module {module} has no row in the table of tests/architecture.rs");
        return violate(1, what);
    };

    for path in &parsed.paths {
        if let Some(target) = top_level_target(&source.module, path)
            && target != *module
            && !may_name.contains(&target.as_str())
        {
            let written = path.segments.join("::");
            violate(
                path.line,
                format!("{module} may not name {target} ({written})"),
            );
        }
    }
    match room {
        Pure => {
            for path in &parsed.paths {
                if let Some(what) = impurity(module, &path.segments) {
                    violate(
                        path.line,
                        format!("{module} is pure and may not name {what}"),
                    );
                }
            }
            for line in &parsed.lifted_bans {
                violate(
                    *line,
                    format!("{module} is pure and may not lift clippy's ban"),
                );
            }
        }
        Shell if source.module.len() == 1 && module != "main" => {
            if !parsed.opens_as_shell {
                let line = "#![allow(clippy::disallowed_methods, …, reason = \"shell\")]";
                violate(1, format!("{module} is shell and must open with {line}"));
            }
        }
        Shell => {}
    }
}

/// The top-level module that a path leads to, when it leads into this crate.
fn top_level_target(file_module: &[String], path: &PathUse) -> Option<String> {
    let segments = &path.segments;
    match segments.first()?.as_str() {
        "crate" | "srvkeeper" => segments.get(1).cloned(),
        "super" => {
            let ups = segments.iter().take_while(|s| *s == "super").count();
            let here: Vec<&String> = file_module.iter().chain(&path.inside).collect();
            let kept = here.len().checked_sub(ups)?;
            match kept {
                0 => segments.get(ups).cloned(),
                _ => here.first().map(ToString::to_string),
            }
        }
        _ => None,
    }
}

/// What is impure about a path, for a module of the pure core.
fn impurity(module: &str, segments: &[String]) -> Option<String> {
    let first = segments.first()?;
    if segments.len() > 1 && IMPURE_CRATES.contains(&first.as_str()) {
        return Some(first.clone());
    }
    if first.starts_with("hickory_") && module != "wire" {
        return Some(format!("{first}: only wire knows hickory's types"));
    }
    let below = |prefix: &&[&str]| {
        segments.len() >= prefix.len() && segments.iter().zip(*prefix).all(|(a, b)| a == b)
    };
    if let Some(prefix) = IMPURE_PATHS.iter().find(|prefix| below(prefix)) {
        return Some(prefix.join("::"));
    }
    segments
        .iter()
        .find(|segment| IMPURE_TYPES.contains(&segment.as_str()))
        .cloned()
}

/// What the rules need to know of one file.
#[derive(Default)]
struct Parsed {
    paths: Vec<PathUse>,
    /// Modules declared under `#[cfg(test)]` that have files of their own.
    test_modules: Vec<Vec<String>>,
    /// Lines of attributes that lift one of clippy's bans.
    lifted_bans: Vec<usize>,
    /// The first inner attribute lifts the bans with `reason = "shell"`.
    opens_as_shell: bool,
}

impl Parsed {
    fn new(source: &Source) -> Self {
        let tokens: TokenStream = source
            .text
            .parse()
            .unwrap_or_else(|error| panic!("{}: {error}", source.file));
        let mut parsed = Self::default();
        parsed.walk(tokens, &source.module, &mut Vec::new());
        parsed.opens_as_shell = opens_as_shell(&source.text);
        parsed
    }

    fn walk(&mut self, tokens: TokenStream, module: &[String], inside: &mut Vec<String>) {
        let tokens: Vec<TokenTree> = tokens.into_iter().collect();
        let mut at = 0;
        while at < tokens.len() {
            if let Some(attribute) = attribute_at(&tokens, at) {
                if attribute.text.contains("disallowed_") && !attribute.text.starts_with("doc") {
                    self.lifted_bans.push(attribute.line);
                }
                at += attribute.length;
                if attribute.text == "cfg(test)" {
                    at = self.skip_test_item(&tokens, at, module, inside);
                }
                continue;
            }
            match &tokens[at] {
                TokenTree::Ident(word) if word == "mod" => {
                    let name = tokens.get(at + 1).map(ToString::to_string);
                    if let (Some(name), Some(TokenTree::Group(body))) = (name, tokens.get(at + 2)) {
                        inside.push(name);
                        self.walk(body.stream(), module, inside);
                        inside.pop();
                        at += 3;
                        continue;
                    }
                    at += 1;
                }
                TokenTree::Ident(word) => {
                    let line = word.span().start().line;
                    let mut ends = Vec::new();
                    let length = path_at(&tokens[at..], &mut Vec::new(), &mut ends);
                    self.paths.extend(ends.into_iter().map(|segments| PathUse {
                        segments,
                        line,
                        inside: inside.clone(),
                    }));
                    at += length;
                }
                TokenTree::Group(group) => {
                    self.walk(group.stream(), module, inside);
                    at += 1;
                }
                TokenTree::Punct(_) | TokenTree::Literal(_) => at += 1,
            }
        }
    }

    /// Steps over the item under `#[cfg(test)]`; returns where the next one begins.
    fn skip_test_item(
        &mut self,
        tokens: &[TokenTree],
        mut at: usize,
        module: &[String],
        inside: &[String],
    ) -> usize {
        let mut name_follows = false;
        let mut declared = None;
        while let Some(token) = tokens.get(at) {
            at += 1;
            match token {
                TokenTree::Ident(word) if name_follows => declared = Some(word.to_string()),
                TokenTree::Punct(mark) if mark.as_char() == ';' => {
                    if let Some(name) = declared {
                        let path = module.iter().chain(inside).cloned().chain([name]);
                        self.test_modules.push(path.collect());
                    }
                    break;
                }
                TokenTree::Group(group) if group.delimiter() == Delimiter::Brace => break,
                _ => {}
            }
            name_follows = matches!(token, TokenTree::Ident(word) if word == "mod");
        }
        at
    }
}

struct Attribute {
    /// Without `#`, `!`, brackets and blanks.
    text: String,
    line: usize,
    inner: bool,
    /// In tokens.
    length: usize,
}

fn attribute_at(tokens: &[TokenTree], at: usize) -> Option<Attribute> {
    let mark = |offset: usize, wanted: char| matches!(tokens.get(at + offset), Some(TokenTree::Punct(mark)) if mark.as_char() == wanted);
    if !mark(0, '#') {
        return None;
    }
    let inner = mark(1, '!');
    let length = if inner { 3 } else { 2 };
    match tokens.get(at + length - 1)? {
        TokenTree::Group(group) if group.delimiter() == Delimiter::Bracket => Some(Attribute {
            text: group.stream().to_string().split_whitespace().collect(),
            line: group.span_open().start().line,
            inner,
            length,
        }),
        _ => None,
    }
}

/// True when the first inner attribute that is no doc comment lifts the ban, as `reason = "shell"`.
fn opens_as_shell(text: &str) -> bool {
    let tokens: Vec<TokenTree> = text.parse::<TokenStream>().unwrap().into_iter().collect();
    let mut at = 0;
    while let Some(attribute) = attribute_at(&tokens, at).filter(|attribute| attribute.inner) {
        if !attribute.text.starts_with("doc=") {
            let lifts = ["allow(", "cfg_attr("];
            return lifts.iter().any(|lift| attribute.text.starts_with(lift))
                && attribute.text.contains("clippy::disallowed_methods")
                && attribute.text.contains("reason=\"shell\"");
        }
        at += attribute.length;
    }
    false
}

/// Reads `a::b::{c, d::e}` and pushes each path it stands for; returns its length in tokens.
fn path_at(tokens: &[TokenTree], before: &mut Vec<String>, ends: &mut Vec<Vec<String>>) -> usize {
    let depth = before.len();
    let mut at = 0;
    loop {
        match tokens.get(at) {
            Some(TokenTree::Ident(word)) => before.push(word.to_string()),
            Some(TokenTree::Group(group)) if group.delimiter() == Delimiter::Brace && at > 0 => {
                let inner: Vec<TokenTree> = group.stream().into_iter().collect();
                let comma = |t: &TokenTree| matches!(t, TokenTree::Punct(p) if p.as_char() == ',');
                for element in inner.split(comma).filter(|element| !element.is_empty()) {
                    path_at(element, before, ends);
                }
                before.truncate(depth);
                return at + 1;
            }
            _ => break,
        }
        at += 1;
        let colon =
            |t: Option<&TokenTree>| matches!(t, Some(TokenTree::Punct(p)) if p.as_char() == ':');
        if !(colon(tokens.get(at)) && colon(tokens.get(at + 1))) {
            break;
        }
        at += 2;
    }
    ends.push(before.clone());
    before.truncate(depth);
    at.max(1)
}

// The checker itself must be able to say no.

fn violations_of(file: &str, text: &str) -> Vec<String> {
    let source = Source {
        file: file.to_owned(),
        module: module_of(Path::new(file)),
        text: text.to_owned(),
    };
    check(&[source]).iter().map(|v| v.what.clone()).collect()
}

const SHELL_LINE: &str = "#![allow(clippy::disallowed_methods, reason = \"shell\")]";

#[test]
fn a_forbidden_arrow_is_found_however_it_is_written() {
    for text in [
        "use crate::wire::update;",
        "use crate::{model::Name, wire::update};",
        "fn f() { crate::wire::update::encode(); }",
        "use super::super::wire::update;",
        "mod inner { use super::super::super::wire; }",
        "fn f() -> String { format!(\"{}\", crate::wire::update::NAME) }",
    ] {
        let violations = violations_of("plan/diff.rs", text);
        assert_eq!(violations.len(), 1, "{text}: {violations:?}");
        assert!(
            violations[0].starts_with("plan may not name wire"),
            "{text}"
        );
    }
}

#[test]
fn allowed_arrows_comments_strings_and_tests_pass() {
    for text in [
        "use crate::model::{Name, Srv};",
        "use super::guard; use super::super::model::Name;",
        "mod inner { use super::guard; }",
        "// use crate::wire::update;\n/// [`crate::wire`]\nfn f() {}",
        "const TEXT: &str = \"crate::wire::update\";",
        "#[cfg(test)]\nmod tests { use crate::wire::update; use std::fs; }",
        "#[cfg(test)]\nuse crate::wire::update;\nfn f() {}",
        "use std::net::{IpAddr, SocketAddr};",
        "use std::collections::BTreeMap;",
    ] {
        assert_eq!(violations_of("plan/diff.rs", text), [""; 0], "{text}");
    }
}

#[test]
fn code_after_a_test_item_is_still_read() {
    let text = "#[cfg(test)]\nmod tests { fn f() {} }\nuse crate::wire::update;";
    assert_eq!(violations_of("plan/diff.rs", text).len(), 1);
}

#[test]
fn a_test_module_in_its_own_file_is_left_out() {
    let source = |file: &str, text: &str| Source {
        file: file.to_owned(),
        module: module_of(Path::new(file)),
        text: text.to_owned(),
    };
    let root = source("plan/mod.rs", "#[cfg(test)]\nmod tests;\nmod diff;");
    let tests = source("plan/tests.rs", "use std::fs;");
    let diff = source("plan/diff.rs", "use std::fs;");
    let violations = check(&[root, tests, diff]);
    assert_eq!(violations.len(), 1, "{violations:?}");
    assert_eq!(violations[0].file, "plan/diff.rs");
}

#[test]
fn impurity_is_found_in_pure_modules() {
    for (text, named) in [
        ("use tokio::time::sleep;", "tokio"),
        ("async fn f() { tokio::task::yield_now().await }", "tokio"),
        ("use std::fs;", "std::fs"),
        ("use std::{fmt, fs::File};", "std::fs"),
        ("fn f() { std::env::var(\"X\"); }", "std::env"),
        ("use rand::Rng;", "rand"),
        ("use ring::rand::SecureRandom;", "ring::rand"),
        ("use tracing::info;", "tracing"),
        ("use std::collections::HashMap;", "HashMap"),
        ("use std::net::TcpStream;", "TcpStream"),
        ("use std::net; fn f(s: net::UdpSocket) {}", "UdpSocket"),
        ("use hickory_proto::rr::Name;", "hickory_proto"),
    ] {
        let violations = violations_of("plan/mod.rs", text);
        assert_eq!(violations.len(), 1, "{text}: {violations:?}");
        assert!(violations[0].contains(named), "{text}: {violations:?}");
    }
    assert_eq!(
        violations_of("wire/query.rs", "use hickory_proto::rr::Name;"),
        [""; 0]
    );
}

#[test]
fn the_ban_is_lifted_in_shell_modules_and_only_there() {
    let lifted = |file: &str| violations_of(file, SHELL_LINE);
    assert_eq!(lifted("store/mod.rs"), [""; 0]);
    assert_eq!(lifted("plan/mod.rs").len(), 1);
    let on_one_item = "#[allow(clippy::disallowed_methods)]\nfn f() {}";
    assert_eq!(violations_of("plan/diff.rs", on_one_item).len(), 1);

    for text in [
        "//! Without the line.",
        "#![allow(clippy::disallowed_methods)]",
        "#![allow(missing_docs)]\n#![allow(clippy::disallowed_methods, reason = \"shell\")]",
        "//! #![allow(clippy::disallowed_methods, reason = \"shell\")]",
    ] {
        assert_eq!(violations_of("store/mod.rs", text).len(), 1, "{text}");
    }
    assert_eq!(violations_of("store/schema.rs", "fn f() {}"), [""; 0]);
}

#[test]
fn a_module_without_a_row_is_found() {
    assert_eq!(violations_of("telemetry.rs", SHELL_LINE).len(), 1);
}

#[test]
fn main_reaches_only_the_command_line() {
    assert_eq!(
        violations_of("main.rs", "fn main() { srvkeeper::cli::run(); }"),
        [""; 0]
    );
    assert_eq!(violations_of("main.rs", "use srvkeeper::apply;").len(), 1);
}
