//! `[keys.NAME]` and what is built on them alone: `[authority]`; the bearer token of the status page.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::ops::RangeInclusive;
use std::path::{Path, PathBuf};

use secrecy::SecretString;

use super::files::{self, PrivateFileError};
use super::keyfile::{self, KeyFileError};
use super::read::{Problems, Section};
use super::value::nearest;
use super::{Authority, GssCredentials, GssKey, Key, KeyKind};
use crate::model::{Name, TsigAlgorithm, TsigSecret};

/// The keys: those that are declared, and those of them that could be loaded.
#[derive(Debug)]
pub(super) struct Keys {
    declared: BTreeMap<String, Option<KeyKind>>,
    pub(super) loaded: BTreeMap<String, Key>,
}

impl Keys {
    /// Tells an error when the key that `section` refers to is not declared.
    pub(super) fn check_reference(&self, section: &Section, problems: &mut Problems) {
        self.check_reference_in("key", section, problems);
    }

    fn check_reference_in(&self, field: &'static str, section: &Section, problems: &mut Problems) {
        let Some(name) = section.scope().text(field) else {
            return;
        };
        if !self.declared.contains_key(name) {
            let known = self.declared.keys().map(String::as_str);
            let next = nearest(name, known).map_or_else(
                || format!("add [keys.{name}]"),
                |near| format!("did you mean \"{near}\"?"),
            );
            section.error(
                field,
                format!("there is no key \"{name}\"; {next}"),
                problems,
            );
        }
    }

    /// The name that DNS messages call a key by.
    fn name_on_the_wire(&self, key: &str) -> Option<&Name> {
        match self.loaded.get(key)? {
            Key::Tsig(secret) => Some(&secret.name),
            Key::Gss(_) => None,
        }
    }
}

/// Loads every key.
pub(super) fn keys(sections: &[Section], folder: &Path, problems: &mut Problems) -> Keys {
    let mut keys = Keys {
        declared: BTreeMap::new(),
        loaded: BTreeMap::new(),
    };
    for section in sections {
        let name = section.name.clone().unwrap_or_default();
        let kind = section.scope().word("kind");
        let key = match kind {
            Some(KeyKind::Tsig) => tsig(section, folder, problems).map(Key::Tsig),
            Some(KeyKind::Gss) => gss(section, folder, problems).map(Key::Gss),
            None => None,
        };
        keys.declared.insert(name.clone(), kind);
        if let Some(key) = key {
            keys.loaded.insert(name, key);
        }
    }
    keys
}

/// Why a key file gives no key.
#[derive(Debug, thiserror::Error)]
enum TsigError {
    #[error(transparent)]
    File(#[from] PrivateFileError),
    #[error("{}: {source}", file.display())]
    Content { file: PathBuf, source: KeyFileError },
}

fn tsig(section: &Section, folder: &Path, problems: &mut Problems) -> Option<TsigSecret> {
    for key in ["principal", "keytab", "ccache"] {
        if section.has(key) {
            section.error(
                key,
                "belongs to kind = \"gss\"; a tsig key has a file",
                problems,
            );
        }
    }
    let Some(file) = section.scope().text("file") else {
        if !section.has("file") {
            section.error(
                "file",
                "is missing; write the secret by tsig-keygen NAME > FILE and \
            name it here: file = \"FILE\"",
                problems,
            );
        }
        return None;
    };
    match read_secret(folder.join(file)) {
        Ok(secret) => {
            if secret.algorithm == TsigAlgorithm::HmacSha1 {
                section.warning(
                    "file",
                    "hmac-sha1 is weak; make a better key: tsig-keygen -a hmac-sha256 NAME > FILE",
                    problems,
                );
            }
            Some(secret)
        }
        Err(error) => {
            section.error("file", error.to_string(), problems);
            None
        }
    }
}

fn read_secret(file: PathBuf) -> Result<TsigSecret, TsigError> {
    let text = files::read_private(
        &file,
        "copy the server's key file there, or correct the path",
    )?;
    keyfile::parse(&text).map_err(|source| TsigError::Content { file, source })
}

fn gss(section: &Section, folder: &Path, problems: &mut Problems) -> Option<GssKey> {
    if section.has("file") {
        section.error(
            "file",
            "belongs to kind = \"tsig\"; a gss key has a keytab or a ccache",
            problems,
        );
    }
    if !section.has("principal") {
        section.error(
            "principal",
            "is missing; write principal = \"NAME@REALM\"",
            problems,
        );
    }
    if section.has("keytab") && section.has("ccache") {
        section.error(
            "ccache",
            "stands beside keytab; keep one of the two",
            problems,
        );
    }
    let scope = section.scope();
    let credentials = match (scope.text("keytab"), scope.text("ccache")) {
        (Some(keytab), _) => {
            let keytab = folder.join(keytab);
            match files::check_private(
                &keytab,
                "copy the principal's keytab there, or correct the path",
            ) {
                Ok(metadata) if metadata.len() == 0 => {
                    let text = format!(
                        "{} is empty, so there is no key in it; make it anew: \
                         docs/active-directory.md says how",
                        keytab.display()
                    );
                    section.warning("keytab", text, problems);
                }
                Ok(_) => {}
                Err(error) => section.error("keytab", error.to_string(), problems),
            }
            GssCredentials::Keytab(keytab)
        }
        (None, Some(ccache)) => GssCredentials::Ccache(ccache_name(ccache, folder)),
        (None, None) => GssCredentials::Default,
    };
    Some(GssKey {
        principal: scope.text("principal")?.to_owned(),
        credentials,
    })
}

/// A name without a type is a path, and relative to the configuration like every other.
fn ccache_name(ccache: &str, folder: &Path) -> String {
    if ccache.contains(':') {
        return ccache.to_owned();
    }
    folder.join(ccache).to_string_lossy().into_owned()
}

/// Octets of a bearer token: what cannot be guessed, and what fits a header.
const TOKEN_LENGTH: RangeInclusive<usize> = 16..=512;

/// The bearer token of the status page, and whether it needs one.
pub(super) fn http_token(
    section: &Section,
    folder: &Path,
    http: Option<SocketAddr>,
    problems: &mut Problems,
) -> Option<SecretString> {
    let Some(file) = section.scope().text("http_token_file") else {
        if let Some(address) = http.filter(|address| !address.ip().is_loopback())
            && !section.has("http_token_file")
        {
            let text = format!(
                "{} can be reached by others, and the status page asks nobody who they are; write \
                \"127.0.0.1:{}\" and put a reverse proxy before it, or make a token and name its file: \
                (umask 077; openssl rand -hex 32 > http.token), http_token_file = \"http.token\"",
                address.ip(),
                address.port()
            );
            section.error("http", text, problems);
        }
        return None;
    };
    let file = folder.join(file);
    let text =
        match files::read_private(&file, "make one: (umask 077; openssl rand -hex 32 > FILE)") {
            Ok(text) => text,
            Err(error) => {
                section.error("http_token_file", error.to_string(), problems);
                return None;
            }
        };
    let token = text.trim_end_matches(['\r', '\n']);
    if !TOKEN_LENGTH.contains(&token.len()) || !token.bytes().all(|octet| octet.is_ascii_graphic())
    {
        // What stands there is not repeated.
        let text = format!(
            "{} is no token: one line of 16 to 512 letters, digits and signs; make one: (umask 077; openssl rand -hex 32 > {})",
            file.display(),
            files::shell_word(&file)
        );
        section.error("http_token_file", text, problems);
        return None;
    }
    if http.is_none() && !section.has("http") {
        let text = "is used by nothing, since there is no http = \"ADDRESS:PORT\"";
        section.warning("http_token_file", text, problems);
    }
    Some(SecretString::from(token))
}

/// Checks the embedded primary's section.
pub(super) fn authority(
    section: &Section,
    keys: &Keys,
    folder: &Path,
    problems: &mut Problems,
) -> Authority {
    let scope = section.scope();
    for field in ["key", "transfer_key"] {
        keys.check_reference_in(field, section, problems);
        let key = scope.text(field).unwrap_or_default();
        if keys.declared.get(key) == Some(&Some(KeyKind::Gss)) {
            section.error(
                field,
                format!(
                    "\"{key}\" is a Kerberos identity; the embedded primary \
                     takes keys of kind = \"tsig\""
                ),
                problems,
            );
        }
    }
    let key = scope.text("key").unwrap_or_default();
    let transfer_key = scope.text("transfer_key");
    if let Some(other) = transfer_key
        && let Some(name) = keys.name_on_the_wire(other)
        && keys.name_on_the_wire(key) == Some(name)
    {
        section.error(
            "transfer_key",
            format!(
                "\"{other}\" and \"{key}\" have the same name {name} in their files, so that no \
                 server can tell them apart; make one by another name: tsig-keygen NAME > FILE"
            ),
            problems,
        );
    }
    let listen = scope.addresses("listen").to_vec();
    if listen.is_empty() && section.holds("listen") {
        section.error(
            "listen",
            "the list is empty; write listen = [\"127.0.0.1:5353\"]",
            problems,
        );
    }
    if scope.items("zones").is_empty() && section.holds("zones") {
        section.error(
            "zones",
            "the list is empty; name at least one zone file",
            problems,
        );
    }
    let mut zones = Vec::new();
    for file in files::matching(section, "zones", folder, problems, &mut true) {
        if file.path.is_file() {
            zones.push(file.path);
        } else {
            let text = format!("{} is not a regular file", file.path.display());
            section.item_error("zones", file.item, text, problems);
        }
    }
    Authority {
        listen,
        key: key.to_owned(),
        transfer_key: transfer_key.map(str::to_owned),
        zones,
    }
}
