//! Completion scripts and manual pages, as the shells and `man` take them.

#![allow(
    clippy::unwrap_used,
    clippy::panic,
    clippy::disallowed_methods,
    reason = "a test"
)]

use std::io::Write;
use std::path::Path;
use std::process::{Command, Output, Stdio};
use std::{fs, thread};

fn srvkeeper(arguments: &[&str]) -> Output {
    Command::new(env!("CARGO_BIN_EXE_srvkeeper"))
        .args(arguments)
        .output()
        .unwrap()
}

fn completions(shell: &str) -> String {
    let output = srvkeeper(&["completions", shell]);
    assert!(
        output.status.success() && output.stderr.is_empty(),
        "{output:?}"
    );
    String::from_utf8(output.stdout).unwrap()
}

/// Runs a program that reads this text on its stdin.
fn feed(program: &mut Command, text: &str) -> Output {
    let mut child = program
        .stdin(Stdio::piped())
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    let (mut stdin, text) = (child.stdin.take().unwrap(), text.to_owned());
    let writer = thread::spawn(move || stdin.write_all(text.as_bytes()));
    let output = child.wait_with_output().unwrap();
    writer.join().unwrap().unwrap();
    output
}

#[test]
fn every_shell_gets_a_script_that_knows_the_commands() {
    for shell in ["bash", "zsh", "fish", "elvish", "powershell"] {
        let script = completions(shell);
        for word in ["explain", "failover", "rollback", "allow-removals"] {
            assert!(script.contains(word), "{shell} lacks {word}");
        }
        assert!(
            !script.contains("manual pages"),
            "{shell} offers a hidden command"
        );
    }
}

#[test]
fn bash_accepts_its_script_and_completes_with_it() {
    let script = completions("bash");
    let checked = feed(Command::new("bash").arg("-n"), &script);
    assert!(
        checked.status.success() && checked.stderr.is_empty(),
        "{checked:?}"
    );

    let asked = format!(
        "{script}\nCOMP_WORDS=(srvkeeper hi) COMP_CWORD=1\n\
         _srvkeeper srvkeeper hi srvkeeper\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n"
    );
    let completed = feed(Command::new("bash").args(["--norc", "-s"]), &asked);
    assert_eq!(
        String::from_utf8_lossy(&completed.stdout),
        "history\n",
        "{completed:?}"
    );
}

#[test]
fn there_is_a_manual_page_for_each_command_and_man_takes_it_without_a_warning() {
    let folder = tempfile::tempdir().unwrap();
    let out = folder.path().join("share").join("man1");
    let output = srvkeeper(&["man", "--out", out.to_str().unwrap()]);
    assert!(
        output.status.success() && output.stdout.is_empty(),
        "{output:?}"
    );
    let mut names: Vec<String> = fs::read_dir(&out)
        .unwrap()
        .map(|entry| entry.unwrap().file_name().into_string().unwrap())
        .collect();
    names.sort();
    for wanted in ["srvkeeper.1", "srvkeeper-plan.1", "srvkeeper-host-down.1"] {
        assert!(
            names.iter().any(|name| name == wanted),
            "{wanted}: {names:?}"
        );
    }
    let hidden = ["srvkeeper-man.1", "srvkeeper-help.1"];
    assert!(
        !names.iter().any(|name| hidden.contains(&name.as_str())),
        "{names:?}"
    );

    for name in &names {
        let page = fs::read_to_string(out.join(name)).unwrap();
        assert!(
            page.contains("\n.nf\nExample") || name == "srvkeeper.1",
            "{name}"
        );
        rendered(&out.join(name));
    }
}

/// Has `man` show the page, where it is installed; the pages need none.
fn rendered(page: &Path) {
    let shown = Command::new("man")
        .args(["--warnings", "-l"])
        .arg(page)
        .env("MANWIDTH", "100")
        .env("LC_ALL", "C.UTF-8")
        .env("MANPAGER", "cat")
        .output();
    match shown {
        Ok(shown) => {
            assert!(
                shown.status.success() && shown.stderr.is_empty(),
                "{shown:?}"
            );
            assert!(
                String::from_utf8_lossy(&shown.stdout).contains("SYNOPSIS"),
                "{shown:?}"
            );
        }
        Err(error) => assert_eq!(error.kind(), std::io::ErrorKind::NotFound, "{error}"),
    }
}

#[test]
fn a_folder_that_cannot_be_written_is_named() {
    let file = tempfile::NamedTempFile::new().unwrap();
    let path = file.path().to_str().unwrap();
    let output = srvkeeper(&["man", "--out", path]);
    assert_eq!(output.status.code(), Some(1));
    let told = String::from_utf8(output.stderr).unwrap();
    assert!(
        told.contains(&format!("cannot write the manual pages to {path}: ")),
        "{told}"
    );
}
