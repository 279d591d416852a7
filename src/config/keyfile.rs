//! BIND key files, as `tsig-keygen` and `ddns-confgen` write them: text → [`TsigSecret`].
//!
//! ```text
//! key "ddns" {
//!     algorithm hmac-sha256;
//!     secret "base64";
//! };
//! ```
//!
//! Comments are `//`, `#` and `/* */`; quotes may be left out. No error repeats the file's content.

use data_encoding::BASE64;
use secrecy::SecretSlice;

use crate::model::{Name, TsigAlgorithm, TsigSecret};

/// Why a text is no key file; lines count from one.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeyFileError {
    /// No key statement.
    #[error("it holds no key; tsig-keygen NAME > FILE writes one")]
    Empty,
    /// Something else than what must stand there.
    #[error("line {line}: expected {expected}")]
    Expected {
        /// The line.
        line: usize,
        /// What must stand there.
        expected: &'static str,
    },
    /// A string or comment without its end.
    #[error("line {line}: the {what} that begins here has no end")]
    Unclosed {
        /// The line.
        line: usize,
        /// Which of the two.
        what: &'static str,
    },
    /// More than one key.
    #[error("line {line}: a second key; put each key into a file of its own")]
    SecondKey {
        /// The line.
        line: usize,
    },
    /// Something after the key.
    #[error("line {line}: something follows the key; leave the key alone in its file")]
    Trailing {
        /// The line.
        line: usize,
    },
    /// The same clause again.
    #[error("line {line}: \"{clause}\" stands twice")]
    Twice {
        /// The line.
        line: usize,
        /// The clause.
        clause: &'static str,
    },
    /// A key without a clause it needs.
    #[error("the key has no \"{0}\"")]
    Missing(&'static str),
    /// The key's name is not a domain name.
    #[error("line {line}: the key's name is not a domain name")]
    Name {
        /// The line.
        line: usize,
    },
    /// An algorithm that is too weak to be offered.
    #[error(
        "line {line}: {algorithm} is too weak; make a better key: tsig-keygen -a hmac-sha256 \
        NAME > FILE"
    )]
    Weak {
        /// The line.
        line: usize,
        /// The algorithm.
        algorithm: &'static str,
    },
    /// An algorithm whose MAC is cut short (RFC 8945 §5.2.2.1).
    #[error(
        "line {line}: truncated MACs are not supported; leave the bits off the algorithm's name, \
        here and on the server"
    )]
    Truncated {
        /// The line.
        line: usize,
    },
    /// An algorithm that is not known.
    #[error(
        "line {line}: the algorithm is not known; use hmac-sha256: tsig-keygen -a hmac-sha256 \
        NAME > FILE"
    )]
    Algorithm {
        /// The line.
        line: usize,
    },
    /// The secret is empty or not valid base64.
    #[error("line {line}: the secret is not valid base64; copy it again, padding (=) included")]
    Secret {
        /// The line.
        line: usize,
    },
}

/// Reads a key file that holds exactly one key.
pub fn parse(text: &str) -> Result<TsigSecret, KeyFileError> {
    let mut words = Words::new(text);
    let Some(first) = words.next()? else {
        return Err(KeyFileError::Empty);
    };
    if !first.is("key") {
        return Err(first.unexpected("key \"NAME\" {"));
    }
    let secret = key(&mut words)?;
    match words.next()? {
        None => Ok(secret),
        Some(word) if word.is("key") => Err(KeyFileError::SecondKey { line: word.line }),
        Some(word) => Err(KeyFileError::Trailing { line: word.line }),
    }
}

/// Everything after `key`.
fn key(words: &mut Words<'_>) -> Result<TsigSecret, KeyFileError> {
    let word = words.value("the key's name")?;
    let name = Name::parse(word.text).map_err(|_| KeyFileError::Name { line: word.line })?;
    words.mark("{")?;
    let mut algorithm_clause = None;
    let mut secret_clause = None;
    loop {
        let word = words.need("algorithm, secret or }")?;
        if word.is_mark("}") {
            break;
        }
        let (clause, slot) = if word.is("algorithm") {
            ("algorithm", &mut algorithm_clause)
        } else if word.is("secret") {
            ("secret", &mut secret_clause)
        } else {
            return Err(word.unexpected("algorithm, secret or }"));
        };
        let line = word.line;
        if slot.replace(words.value("a value")?).is_some() {
            return Err(KeyFileError::Twice { line, clause });
        }
        words.mark(";")?;
    }
    words.mark(";")?;
    Ok(TsigSecret {
        name,
        algorithm: algorithm(algorithm_clause.ok_or(KeyFileError::Missing("algorithm"))?)?,
        secret: secret(secret_clause.ok_or(KeyFileError::Missing("secret"))?)?,
    })
}

/// The algorithm by its name; old versions of BIND wrote it with a final dot.
fn algorithm(word: Word<'_>) -> Result<TsigAlgorithm, KeyFileError> {
    let line = word.line;
    let name = word.text.to_ascii_lowercase();
    let name = name.strip_suffix('.').unwrap_or(&name);
    if let Some(algorithm) = TsigAlgorithm::ALL
        .into_iter()
        .find(|algorithm| algorithm.as_str() == name)
    {
        return Ok(algorithm);
    }
    if name.starts_with("hmac-md5") {
        return Err(KeyFileError::Weak {
            line,
            algorithm: "hmac-md5",
        });
    }
    if name.starts_with("hmac-sha224") {
        return Err(KeyFileError::Weak {
            line,
            algorithm: "hmac-sha224",
        });
    }
    let cut_short = TsigAlgorithm::ALL.into_iter().any(|algorithm| {
        name.strip_prefix(algorithm.as_str())
            .and_then(|rest| rest.strip_prefix('-'))
            .is_some_and(|bits| bits.bytes().all(|byte| byte.is_ascii_digit()))
    });
    Err(if cut_short {
        KeyFileError::Truncated { line }
    } else {
        KeyFileError::Algorithm { line }
    })
}

fn secret(word: Word<'_>) -> Result<SecretSlice<u8>, KeyFileError> {
    let octets = BASE64
        .decode(word.text.trim().as_bytes())
        .map_err(|_| KeyFileError::Secret { line: word.line })?;
    if octets.is_empty() {
        return Err(KeyFileError::Secret { line: word.line });
    }
    Ok(SecretSlice::from(octets))
}

/// One word, quoted string or mark.
#[derive(Clone, Copy)]
struct Word<'a> {
    text: &'a str,
    line: usize,
    quoted: bool,
}

impl Word<'_> {
    /// True for this keyword, in any letter case.
    fn is(&self, keyword: &str) -> bool {
        !self.quoted && self.text.eq_ignore_ascii_case(keyword)
    }

    fn is_mark(&self, mark: &str) -> bool {
        !self.quoted && self.text == mark
    }

    fn unexpected(&self, expected: &'static str) -> KeyFileError {
        KeyFileError::Expected {
            line: self.line,
            expected,
        }
    }
}

/// The words of a key file, comments and white space left out.
struct Words<'a> {
    rest: &'a str,
    line: usize,
}

impl<'a> Words<'a> {
    fn new(text: &'a str) -> Self {
        Self {
            rest: text.strip_prefix('\u{feff}').unwrap_or(text),
            line: 1,
        }
    }

    fn next(&mut self) -> Result<Option<Word<'a>>, KeyFileError> {
        self.skip_blank()?;
        let line = self.line;
        let Some(first) = self.rest.chars().next() else {
            return Ok(None);
        };
        if first == '"' {
            let inner = self.rest.strip_prefix('"').unwrap_or_default();
            let (text, rest) = inner.split_once('"').ok_or(KeyFileError::Unclosed {
                line,
                what: "string",
            })?;
            self.line += text.matches('\n').count();
            self.rest = rest;
            return Ok(Some(Word {
                text,
                line,
                quoted: true,
            }));
        }
        let end = if matches!(first, '{' | '}' | ';') {
            first.len_utf8()
        } else {
            bare_end(self.rest)
        };
        let (text, rest) = self.rest.split_at_checked(end).unwrap_or((self.rest, ""));
        self.rest = rest;
        Ok(Some(Word {
            text,
            line,
            quoted: false,
        }))
    }

    fn need(&mut self, expected: &'static str) -> Result<Word<'a>, KeyFileError> {
        self.next()?.ok_or(KeyFileError::Expected {
            line: self.line,
            expected,
        })
    }

    fn value(&mut self, expected: &'static str) -> Result<Word<'a>, KeyFileError> {
        let word = self.need(expected)?;
        if ["{", "}", ";"].iter().any(|mark| word.is_mark(mark)) {
            return Err(word.unexpected(expected));
        }
        Ok(word)
    }

    fn mark(&mut self, mark: &'static str) -> Result<(), KeyFileError> {
        let word = self.need(mark)?;
        if word.is_mark(mark) {
            return Ok(());
        }
        Err(word.unexpected(mark))
    }

    fn skip_blank(&mut self) -> Result<(), KeyFileError> {
        loop {
            let trimmed = self.rest.trim_start();
            self.advance_to(trimmed);
            if trimmed.starts_with("//") || trimmed.starts_with('#') {
                let end = trimmed.find('\n').unwrap_or(trimmed.len());
                self.advance_to(trimmed.get(end..).unwrap_or_default());
            } else if let Some(comment) = trimmed.strip_prefix("/*") {
                let (_, after) = comment.split_once("*/").ok_or(KeyFileError::Unclosed {
                    line: self.line,
                    what: "comment",
                })?;
                self.advance_to(after);
            } else {
                return Ok(());
            }
        }
    }

    /// Goes on at `rest`, an end of what remains, and counts the lines left behind.
    fn advance_to(&mut self, rest: &'a str) {
        let skipped = self.rest.len() - rest.len();
        let behind = self.rest.get(..skipped).unwrap_or_default();
        self.line += behind.matches('\n').count();
        self.rest = rest;
    }
}

/// Where a word without quotes ends; BIND's comments begin in the middle of a word too.
fn bare_end(text: &str) -> usize {
    let comment = ["//", "/*"].iter().filter_map(|mark| text.find(mark)).min();
    let other = text.find(|c: char| c.is_whitespace() || matches!(c, '{' | '}' | ';' | '"' | '#'));
    comment.into_iter().chain(other).min().unwrap_or(text.len())
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;
    use secrecy::ExposeSecret;

    const GENERATED: &str =
        "key \"ddns\" {\n\talgorithm hmac-sha256;\n\tsecret \"c2VjcmV0IG9jdGV0cw==\";\n};\n";

    #[test]
    fn reads_what_the_tools_write() {
        let key = parse(GENERATED).unwrap();
        assert_eq!(key.name.to_string(), "ddns.");
        assert_eq!(key.algorithm, TsigAlgorithm::HmacSha256);
        assert_eq!(key.secret.expose_secret(), b"secret octets");
    }

    #[test]
    fn reads_every_spelling_that_bind_reads() {
        for text in [
            "key ddns { algorithm hmac-sha256; secret c2VjcmV0IG9jdGV0cw==; };",
            "KEY \"ddns.\"{Algorithm \"HMAC-SHA256.\";Secret \"c2VjcmV0IG9jdGV0cw==\";};",
            "# one\n// two\n/* three\n four */ key ddns { secret \"c2VjcmV0IG9jdGV0cw==\"; # five\n algorithm hmac-sha256/* six */; // seven\n}; # eight",
            "\u{feff}key ddns\r\n{\r\nalgorithm hmac-sha256;\r\nsecret \"c2VjcmV0IG9jdGV0cw==\";\r\n};\r\n",
        ] {
            let key = parse(text).unwrap_or_else(|error| panic!("{text}: {error}"));
            assert_eq!(key.algorithm, TsigAlgorithm::HmacSha256, "{text}");
            assert_eq!(key.secret.expose_secret(), b"secret octets", "{text}");
        }
    }

    #[test]
    fn reads_every_algorithm_we_sign_with() {
        for algorithm in TsigAlgorithm::ALL {
            let text = GENERATED.replace("hmac-sha256", algorithm.as_str());
            assert_eq!(parse(&text).unwrap().algorithm, algorithm);
        }
    }

    #[test]
    fn refuses_the_rest_and_says_where() {
        let with = |from: &str, to: &str| GENERATED.replace(from, to);
        let expected = |line, expected| KeyFileError::Expected { line, expected };
        for (text, error) in [
            (String::new(), KeyFileError::Empty),
            ("# nothing\n".to_owned(), KeyFileError::Empty),
            ("options { };".to_owned(), expected(1, "key \"NAME\" {")),
            ("key {".to_owned(), expected(1, "the key's name")),
            ("key ddns\n\n".to_owned(), expected(3, "{")),
            (
                "key ddns {".to_owned(),
                expected(1, "algorithm, secret or }"),
            ),
            (
                with("secret", "port"),
                expected(3, "algorithm, secret or }"),
            ),
            (with("hmac-sha256;", ";"), expected(2, "a value")),
            (with("hmac-sha256;", "hmac-sha256"), expected(3, ";")),
            (with("};", "}"), expected(5, ";")),
            (with("\"ddns\"", "\"a..b\""), KeyFileError::Name { line: 1 }),
            (
                with("==\"", "=="),
                KeyFileError::Unclosed {
                    line: 3,
                    what: "string",
                },
            ),
            (
                "\n/* key".to_owned(),
                KeyFileError::Unclosed {
                    line: 2,
                    what: "comment",
                },
            ),
            (GENERATED.repeat(2), KeyFileError::SecondKey { line: 5 }),
            (
                format!("{GENERATED}\nupdate-policy {{ }};"),
                KeyFileError::Trailing { line: 6 },
            ),
            (
                with("\tsecret", "\talgorithm hmac-sha1;\n\tsecret"),
                KeyFileError::Twice {
                    line: 3,
                    clause: "algorithm",
                },
            ),
            (
                with("\talgorithm hmac-sha256;", ""),
                KeyFileError::Missing("algorithm"),
            ),
            (
                with("\tsecret \"c2VjcmV0IG9jdGV0cw==\";", ""),
                KeyFileError::Missing("secret"),
            ),
            (
                with("hmac-sha256", "hmac-md5"),
                KeyFileError::Weak {
                    line: 2,
                    algorithm: "hmac-md5",
                },
            ),
            (
                with("hmac-sha256", "HMAC-MD5.SIG-ALG.REG.INT"),
                KeyFileError::Weak {
                    line: 2,
                    algorithm: "hmac-md5",
                },
            ),
            (
                with("hmac-sha256", "hmac-sha224"),
                KeyFileError::Weak {
                    line: 2,
                    algorithm: "hmac-sha224",
                },
            ),
            (
                with("hmac-sha256", "hmac-sha256-128"),
                KeyFileError::Truncated { line: 2 },
            ),
            (
                with("hmac-sha256", "hmac-sha3"),
                KeyFileError::Algorithm { line: 2 },
            ),
            (
                with("c2VjcmV0IG9jdGV0cw==", "c2VjcmV0IG9jdGV0cw"),
                KeyFileError::Secret { line: 3 },
            ),
            (
                with("c2VjcmV0IG9jdGV0cw==", ""),
                KeyFileError::Secret { line: 3 },
            ),
        ] {
            assert_eq!(parse(&text).unwrap_err(), error, "{text}");
        }
    }

    #[test]
    fn a_weak_key_is_refused_with_the_command_for_a_better_one() {
        let error = parse(&GENERATED.replace("hmac-sha256", "hmac-md5")).unwrap_err();
        assert_eq!(
            error.to_string(),
            "line 2: hmac-md5 is too weak; make a better key: tsig-keygen -a hmac-sha256 NAME > FILE"
        );
    }

    #[test]
    fn the_secret_prints_nowhere() {
        let key = parse(GENERATED).unwrap();
        assert!(!format!("{key:?}").contains("secret octets"));
        let broken = GENERATED.replace("c2VjcmV0", "!!hunter2");
        let error = parse(&broken).unwrap_err();
        assert!(!format!("{error} {error:?}").contains("hunter2"));
    }

    proptest! {
        #[test]
        fn no_text_panics(text in any::<String>(), close in "[key \"{};/*#\n=a-c]{0,60}") {
            let _ = parse(&text);
            let _ = parse(&close);
        }

        #[test]
        fn no_change_of_a_key_file_panics(at in 0..GENERATED.len(), with in "[\\PC\n]{0,3}") {
            let mut text = GENERATED.to_owned();
            text.replace_range(at..=at, &with);
            let _ = parse(&text);
        }
    }
}
