//! `completions` and `man`: what is made from the definitions of the commands.

use std::path::Path;
use std::{fs, io};

use clap::CommandFactory;
use clap_complete::Shell;
use clap_mangen::Man;

use crate::exit::ExitStatus;

use super::{Cli, Failure, edge};

/// Prints the completion script of a shell.
pub(super) fn completions(shell: Shell) -> ExitStatus {
    let mut script = Vec::new();
    // Into memory first: the generators panic where a stream is closed.
    clap_complete::generate(shell, &mut shown(), "srvkeeper", &mut script);
    edge::data(&String::from_utf8_lossy(&script));
    ExitStatus::Done
}

/// The commands without the hidden ones, which the generators would offer like any other.
fn shown() -> clap::Command {
    let all = Cli::command();
    let visible = all.get_subcommands().filter(|below| !below.is_hide_set());
    clap::Command::new("srvkeeper")
        .version(env!("CARGO_PKG_VERSION"))
        .args(all.get_arguments().cloned())
        .subcommands(visible.cloned())
}

/// Writes a manual page for each command that is not hidden, `srvkeeper.1`, `srvkeeper-plan.1` and
/// so on, into a folder, which is made where it does not exist.
pub(super) fn manual(folder: &Path) -> Result<ExitStatus, Failure> {
    let mut command = Cli::command().disable_help_subcommand(true);
    command.build();
    fs::create_dir_all(folder)
        .and_then(|()| pages(&command, folder))
        .map_err(|error| {
            let text = format!(
                "cannot write the manual pages to {}: {error}",
                folder.display()
            );
            Failure::new(ExitStatus::Failed, text)
        })?;
    Ok(ExitStatus::Done)
}

fn pages(command: &clap::Command, folder: &Path) -> io::Result<()> {
    let page = Man::new(command.clone())
        .source(concat!("srvkeeper ", env!("CARGO_PKG_VERSION")))
        .manual("srvkeeper manual");
    let mut text = Vec::new();
    page.render(&mut text)?;
    let text = unfilled_examples(&String::from_utf8_lossy(&text));
    fs::write(folder.join(page.get_filename()), text)?;
    command
        .get_subcommands()
        .filter(|below| !below.is_hide_set())
        .try_for_each(|below| pages(below, folder))
}

/// Keeps the lines of the examples as they are; manual pages fill lines to the margin otherwise.
fn unfilled_examples(page: &str) -> String {
    let mut text = String::with_capacity(page.len());
    let mut is_unfilled = false;
    for line in page.lines() {
        if line.starts_with("Example") {
            text.push_str(".nf\n");
            is_unfilled = true;
        } else if is_unfilled && line.starts_with(".SH") {
            text.push_str(".fi\n");
            is_unfilled = false;
        }
        text.push_str(line);
        text.push('\n');
    }
    text
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use clap::Command;

    use super::*;
    use crate::explain::{self, Kind};

    /// Every command, those below others with their whole name; not clap's own `help`.
    fn commands(command: &Command) -> Vec<(String, &Command)> {
        let below = command
            .get_subcommands()
            .filter(|below| below.get_name() != "help");
        below
            .flat_map(|below| {
                let name = below.get_name().to_owned();
                let deeper = commands(below)
                    .into_iter()
                    .map(|(deep, command)| (format!("{} {deep}", below.get_name()), command));
                std::iter::once((name, below)).chain(deeper.collect::<Vec<_>>())
            })
            .collect()
    }

    #[test]
    fn every_commands_help_has_an_example_of_that_command() {
        let root = Cli::command();
        let commands = commands(&root);
        assert!(commands.len() > 15, "{commands:?}");
        for (name, command) in commands {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let (_, examples) = help
                .split_once("Example")
                .unwrap_or_else(|| panic!("{name}: no example in {help:?}"));
            let shown = examples
                .lines()
                .filter_map(|line| line.split_once("srvkeeper "))
                .any(|(_, arguments)| {
                    let words = arguments.trim_start_matches("--config ./srvkeeper.toml ");
                    words.starts_with(&name)
                });
            assert!(shown, "{name}: no example of it in {help:?}");
        }
    }

    /// Options may be renamed and capitals stand for what to fill in; the words must parse.
    #[test]
    fn the_help_examples_parse() {
        let root = Cli::command();
        let mut seen = 0;
        for (name, command) in commands(&root) {
            let help = command.get_after_help().map(ToString::to_string);
            let help = help.unwrap_or_default();
            let examples = help.split_once("Example").unwrap_or_default().1;
            for (_, line) in examples
                .lines()
                .filter_map(|line| line.split_once("srvkeeper "))
            {
                // Up to a pipe, a redirection, or the remark after two spaces or more.
                let line = line.split(['|', '>']).next().unwrap_or_default();
                let line = line.split("  ").next().unwrap_or_default();
                let words = std::iter::once("srvkeeper").chain(words(line));
                let parsed = Cli::command().try_get_matches_from(words);
                assert!(parsed.is_ok(), "{name}: {line}: {parsed:?}");
                seen += 1;
            }
        }
        assert!(seen > 20, "{seen} examples are too few");
    }

    /// Words as a shell would split them, as far as the examples need it.
    fn words(line: &str) -> Vec<&str> {
        line.split('"')
            .enumerate()
            .flat_map(|(index, piece)| {
                if index % 2 == 1 {
                    vec![piece]
                } else {
                    piece.split_whitespace().collect()
                }
            })
            .collect()
    }

    #[test]
    fn explain_names_only_commands_that_exist() {
        let root = Cli::command();
        let known: BTreeSet<&str> = root
            .get_subcommands()
            .filter(|command| !command.is_hide_set())
            .map(Command::get_name)
            .collect();
        let mut named = BTreeSet::new();
        for entry in explain::entries() {
            let fields: &[explain::Field] = match entry.kind {
                Kind::Code => &[],
                Kind::Event { fields, .. } => fields,
            };
            let texts = entry
                .checks
                .iter()
                .flat_map(|check| [check.command, check.tells]);
            let texts = texts
                .chain(entry.look_at.iter().chain(entry.open).copied())
                .chain(fields.iter().map(|field| field.text))
                .chain(entry.unseen)
                .chain([entry.meaning, entry.dns_why]);
            for text in texts {
                // A command stands in backquotes or by itself; elsewhere the name is only a name.
                let quoted = text.split("`srvkeeper ").skip(1);
                for after in quoted.chain(text.strip_prefix("srvkeeper ")) {
                    let end = after.find(|c: char| !c.is_ascii_lowercase());
                    let word = &after[..end.unwrap_or(after.len())];
                    assert!(known.contains(word), "{}: {text}", entry.name());
                    named.insert(word);
                }
            }
        }
        assert!(named.len() > 4, "{named:?}");
    }

    #[test]
    fn examples_keep_their_lines() {
        let page = ".SH EXTRA\nProse.\nExamples:\n  one\n  two\n.SH VERSION\nv1\n";
        assert_eq!(
            unfilled_examples(page),
            ".SH EXTRA\nProse.\n.nf\nExamples:\n  one\n  two\n.fi\n.SH VERSION\nv1\n"
        );
    }
}
