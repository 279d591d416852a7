//! Code blocks of the documents, which tests run.

use std::fs;
use std::path::Path;

use super::kms::Kms;

/// The one code block of this language that holds `what`, indented as it stands.
pub(crate) fn block<'t>(text: &'t str, language: &str, what: &str) -> &'t str {
    let found: Vec<&str> = blocks(text)
        .into_iter()
        .filter(|(of, block)| *of == language && block.contains(what))
        .map(|(_, block)| block)
        .collect();
    let [one] = found[..] else {
        panic!("{} blocks of {language} with {what}", found.len());
    };
    one
}

/// Language and text of every fenced code block.
pub(crate) fn blocks(text: &str) -> Vec<(&str, &str)> {
    text.split("```")
        .skip(1)
        .step_by(2)
        .filter_map(|block| block.split_once('\n'))
        .collect()
}

/// The text with `from` replaced, which must stand in it.
pub(crate) fn replaced(text: &str, from: &str, to: &str) -> String {
    assert!(text.contains(from), "no «{from}» in:\n{text}");
    text.replace(from, to)
}

/// A configuration whose hosts of `corp.example.` have the addresses of these.
pub(crate) fn with_addresses(configuration: &str, hosts: &[(&str, &Kms)]) -> String {
    hosts
        .iter()
        .fold(configuration.to_owned(), |text, (host, kms)| {
            let name = format!("name = \"{host}.corp.example.\"\n");
            replaced(&text, &name, &format!("{name}address = \"{}\"\n", kms.ip()))
        })
}

/// A document of the repository.
pub(crate) fn document(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}
