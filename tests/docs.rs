//! Holds the documents to the truth: links lead somewhere, commands exist, the quick start works.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

mod support;

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::{Path, PathBuf};
use std::process::{Command, Output, Stdio};

use support::{
    Bind, Kms, ZoneText, block, blocks, dig, document, replaced, shell_in, with_addresses,
};

const ZONE: &str = "corp.example.";
const OWNER: &str = "_vlmcs._tcp.corp.example.";

#[test]
fn every_link_leads_to_a_file() {
    let mut broken = Vec::new();
    for document in documents() {
        let text = fs::read_to_string(&document).unwrap();
        for target in links(&text) {
            let file = target.split('#').next().unwrap_or_default();
            let is_elsewhere = target.contains("://") || file.is_empty();
            if !is_elsewhere && !document.parent().unwrap().join(file).exists() {
                broken.push(format!("{}: {target}", document.display()));
            }
        }
    }
    assert!(broken.is_empty(), "links to nothing: {broken:#?}");
}

#[test]
fn links_are_found() {
    let text = "[a](b.md), ![c](d/e.png) and [f](https://g#h) but not (i) or `[j]`";
    let found: Vec<&str> = links(text).collect();
    assert_eq!(found, ["b.md", "d/e.png", "https://g#h"]);
}

#[test]
fn the_architecture_has_a_line_for_every_module() {
    let text = fs::read_to_string(root().join("docs/architecture.md")).unwrap();
    let missing: Vec<String> = fs::read_dir(root().join("src"))
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .map(|path| path.file_stem().unwrap().to_str().unwrap().to_owned())
        .filter(|module| module != "lib" && !text.contains(&format!("\n| `{module}` |")))
        .collect();
    assert!(missing.is_empty(), "no line for {missing:?}");
}

#[test]
fn every_command_in_the_readme_exists_with_its_options() {
    let readme = readme();
    let lines = commands(&readme);
    assert!(lines.len() > 3, "the commands are not found: {lines:?}");
    for line in lines {
        let words: Vec<&str> = line.split_whitespace().collect();
        let name = command_name(&words);
        let output = Command::new(env!("CARGO_BIN_EXE_srvkeeper"))
            .args([name, "--help"])
            .output()
            .unwrap();
        assert!(output.status.success(), "{line}: {output:?}");
        let help = String::from_utf8(output.stdout).unwrap();
        for option in words.iter().filter(|word| word.starts_with("--")) {
            assert!(help.contains(option), "{line}: {name} has no {option}");
        }
    }
}

/// The first real zone on BIND, as the README tells it; only addresses and folders are others, and
/// nobody is there to say yes.
#[test]
fn the_quick_start_on_bind_works_as_written() {
    let readme = readme();
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    shell_in(folder.path(), block(&readme, "sh", "tsig-keygen"));
    shell_in(folder.path(), "chmod 600 srvkeeper.key");

    let named_conf = block(&readme, "text", "update-policy");
    let key = fs::read_to_string(at("srvkeeper.key")).unwrap();
    let primary = Bind::start_with(&[ZoneText::new(ZONE)], |server| {
        fs::write(server.join("srvkeeper.key"), &key).unwrap();
        let server = format!("{}/", server.display());
        let text = replaced(named_conf, "/etc/bind/", &server);
        replaced(&text, "/var/lib/bind/", &server)
    });

    let (kms1, kms2) = (Kms::start(), Kms::start());
    let toml = block(&readme, "toml", "[[zone]]");
    let toml = with_addresses(toml, &[("kms1", &kms1), ("kms2", &kms2)]);
    let toml = replaced(&toml, "10.0.0.53:53", &primary.address.to_string());
    let state = "version = 1\n[daemon]\nstate_dir = \"state\"\n";
    fs::write(
        at("srvkeeper.toml"),
        replaced(&toml, "version = 1\n", state),
    )
    .unwrap();

    let steps: Vec<&str> = block(&readme, "sh", "srvkeeper.toml check")
        .trim()
        .lines()
        .collect();
    let [check, plan, apply] = steps[..] else {
        panic!("check, plan and apply, but: {steps:?}");
    };
    expect(&srvkeeper(folder.path(), check), 0);
    expect(&srvkeeper(folder.path(), plan), 2);
    assert!(!at("state").exists());
    expect(&srvkeeper(folder.path(), &format!("{apply} --yes")), 0);
    // Nobody has to create it, and both documents say so.
    let mode = fs::metadata(at("state")).unwrap().permissions().mode();
    assert_eq!(mode & 0o777, 0o700);
    for text in [&readme, &document("docs/quick-start.md")] {
        let words = text.split_whitespace().collect::<Vec<_>>().join(" ");
        assert!(words.contains("`/var/lib/srvkeeper`, which it makes where there is none"));
    }
    assert_eq!(
        dig(primary.address, OWNER, "SRV"),
        [
            "3600 0 0 1688 kms1.corp.example.",
            "3600 0 0 1688 kms2.corp.example."
        ]
    );
    expect(&srvkeeper(folder.path(), plan), 0);
}

/// A zone on BIND that takes no updates, kept by hand as the document tells it.
#[test]
fn the_exports_by_hand_work_as_written() {
    let document = document("docs/no-updates.md");
    let folder = tempfile::tempdir().unwrap();
    let at = |name: &str| folder.path().join(name);
    // The records as they were before: one host too few, another TTL.
    fs::write(
        at("kms.zone"),
        format!("{OWNER} 600 IN SRV 0 0 1688 kms1.corp.example.\n"),
    )
    .unwrap();
    assert!(document.contains("`$INCLUDE kms.zone`"));
    let include = format!("$INCLUDE {}", at("kms.zone").display());
    let mut primary = Bind::start_with(&[ZoneText::new(ZONE).record(&include)], |server| {
        let server = server.display();
        format!("zone \"{ZONE}\" {{ type primary; file \"{server}/{ZONE}zone\"; }};\n")
    });

    let (kms1, kms2) = (Kms::start(), Kms::start());
    let toml = block(&document, "toml", "\"ns1\"");
    let toml = replaced(toml, "10.0.0.53:53", &primary.address.to_string());
    let toml = with_addresses(&toml, &[("kms1", &kms1), ("kms2", &kms2)]);
    let state = "version = 1\n[daemon]\nstate_dir = \"state\"\n";
    fs::write(
        at("srvkeeper.toml"),
        replaced(&toml, "version = 1\n", state),
    )
    .unwrap();
    let plan = "srvkeeper --config srvkeeper.toml plan";
    expect(&srvkeeper(folder.path(), plan), 2);

    // A zone that takes no updates says so.
    let apply = "srvkeeper --config srvkeeper.toml apply --yes";
    expect(&srvkeeper(folder.path(), apply), 1);

    for line in block(&document, "sh", "--out kms.zone").lines() {
        let line = replaced(line, "srvkeeper plan", plan);
        expect(&srvkeeper(folder.path(), &line), 2);
    }
    let powershell = fs::read_to_string(at("kms.ps1")).unwrap();
    assert!(powershell.contains("Add-DnsServerResourceRecord"));
    let script = fs::read_to_string(at("kms.nsupdate")).unwrap();
    assert!(script.contains("kms2.corp.example."), "{script}");
    primary.restart();

    assert_eq!(
        dig(primary.address, OWNER, "SRV"),
        [
            "3600 0 0 1688 kms1.corp.example.",
            "3600 0 0 1688 kms2.corp.example."
        ]
    );
    expect(&srvkeeper(folder.path(), plan), 0);
}

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn readme() -> String {
    document("README.md")
}

/// The Markdown files at the top and in `docs`.
fn documents() -> Vec<PathBuf> {
    let folders = [root(), root().join("docs")];
    let files: Vec<PathBuf> = folders
        .iter()
        .flat_map(|folder| fs::read_dir(folder).unwrap())
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|extension| extension == "md"))
        .collect();
    assert!(files.len() > 3, "the documents are not found: {files:?}");
    files
}

/// The targets of `[text](target)`.
fn links(text: &str) -> impl Iterator<Item = &str> {
    text.split("](")
        .skip(1)
        .filter_map(|after| after.split_once(')'))
        .map(|(target, _after)| target)
}

/// Every line of a code block that runs srvkeeper: its arguments.
fn commands(text: &str) -> Vec<&str> {
    let all = blocks(text);
    let shell = all
        .iter()
        .filter(|(language, _)| matches!(*language, "sh" | "console"));
    shell
        .flat_map(|(_, block)| block.lines())
        .map(|line| line.trim_start().trim_start_matches("$ "))
        .filter_map(|line| {
            line.strip_prefix("srvkeeper ")
                .or_else(|| line.strip_prefix("cargo run --release -- "))
        })
        .collect()
}

/// The first word that is neither an option nor the configuration file.
fn command_name<'w>(words: &[&'w str]) -> &'w str {
    let mut words = words.iter();
    while let Some(word) = words.next() {
        match *word {
            "--config" => drop(words.next()),
            option if option.starts_with('-') => {}
            name => return name,
        }
    }
    panic!("no command in {words:?}")
}

/// Runs a line of the README, in this folder.
fn srvkeeper(folder: &Path, line: &str) -> Output {
    let arguments = line.split_whitespace().skip(1);
    Command::new("timeout")
        .args(["--signal=KILL", "120", env!("CARGO_BIN_EXE_srvkeeper")])
        .args(arguments)
        .current_dir(folder)
        .env_clear()
        .stdin(Stdio::null())
        .output()
        .unwrap()
}

#[track_caller]
fn expect(output: &Output, status: i32) {
    assert_eq!(output.status.code(), Some(status), "{output:#?}");
}
