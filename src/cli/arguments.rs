//! Readers of single arguments; what they refuse is a usage error, told with an example.

use std::net::SocketAddr;
use std::time::Duration;

use crate::config::duration;
use crate::model::Name;

/// No operator's word lasts longer: what is meant for good belongs in the configuration.
const LONGEST_WORD: Duration = Duration::from_secs(90 * 86_400);
/// The shortest one, so that it is seen at all.
const SHORTEST_WORD: Duration = Duration::from_secs(1);
/// Characters of a reason: it must fit a line of a report.
const LONGEST_REASON: usize = 200;

/// How long an override lasts.
pub(super) fn override_length(text: &str) -> Result<Duration, String> {
    let for_good = "set role = \"retired\" or \"standby\" in the inventory";
    length(text, "an override", for_good)
}

/// How long a pause lasts.
pub(super) fn pause_length(text: &str) -> Result<Duration, String> {
    length(text, "a pause", "set mode = \"audit\" under [daemon]")
}

fn length(text: &str, word: &str, for_good: &str) -> Result<Duration, String> {
    let length = duration::parse(text).map_err(|error| format!("{error}; example: --for 4h"))?;
    if length < SHORTEST_WORD {
        return Err(format!("{word} lasts at least a second; example: --for 4h"));
    }
    if length > LONGEST_WORD {
        return Err(format!(
            "{word} lasts {} at most; for good, {for_good}; example: --for 7d",
            duration::format(LONGEST_WORD)
        ));
    }
    Ok(length)
}

/// An address of this machine that nobody else can reach.
pub(super) fn loopback(text: &str) -> Result<SocketAddr, String> {
    const EXAMPLE: &str = "example: --http 127.0.0.1:9686";
    let address: SocketAddr = text
        .parse()
        .map_err(|_error| format!("\"{text}\" is not an IP address with a port; {EXAMPLE}"))?;
    if !address.ip().is_loopback() {
        return Err(format!(
            "the demonstration is for this machine alone; {EXAMPLE}"
        ));
    }
    if address.port() == 0 {
        return Err(format!("nobody could know the port; {EXAMPLE}"));
    }
    Ok(address)
}

/// An operator's reason, on one line.
pub(super) fn reason(text: &str) -> Result<String, String> {
    const EXAMPLE: &str = "example: --reason \"disk replaced, ticket 4711\"";
    let text = text.trim();
    if text.is_empty() {
        return Err(format!(
            "the reason is empty; leave it out, or say why; {EXAMPLE}"
        ));
    }
    if text.chars().any(char::is_control) {
        return Err(format!(
            "a reason stands on one line, without control characters; {EXAMPLE}"
        ));
    }
    if text.chars().count() > LONGEST_REASON {
        return Err(format!(
            "a reason has at most {LONGEST_REASON} characters; {EXAMPLE}"
        ));
    }
    Ok(text.to_owned())
}

/// The name of a host.
pub(super) fn host(text: &str) -> Result<Name, String> {
    match Name::parse_host(text) {
        Ok(name) if name.is_root() => {
            Err("\".\" is no host; example: kms1.corp.example".to_owned())
        }
        Ok(name) => Ok(name),
        Err(error) => Err(format!("{error}; example: kms1.corp.example")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_lasts_between_a_second_and_ninety_days() {
        for (text, seconds) in [
            ("1s", 1),
            ("4h", 14_400),
            ("24h", 86_400),
            ("90d", 7_776_000),
        ] {
            for read in [override_length, pause_length] {
                assert_eq!(read(text), Ok(Duration::from_secs(seconds)));
            }
        }
        for text in ["", "4", "forever", "0s", "999ms", "-4h", "91d", "90d1ms"] {
            for read in [override_length, pause_length] {
                let error = read(text).unwrap_err();
                assert!(error.contains("example: --for"), "{text}: {error}");
            }
        }
        assert!(pause_length("91d").unwrap_err().contains("a pause lasts"));
    }

    #[test]
    fn a_reason_is_a_line_that_says_something() {
        assert_eq!(reason(" disk replaced "), Ok("disk replaced".to_owned()));
        let long = "x".repeat(LONGEST_REASON);
        assert_eq!(reason(&long), Ok(long.clone()));
        for text in ["", "  ", "two\nlines", "\u{1b}[2J", &format!("{long}y")] {
            let error = reason(text).unwrap_err();
            assert!(error.contains("example: --reason"), "{text}: {error}");
        }
    }

    #[test]
    fn a_host_is_a_name() {
        assert_eq!(host("kms1"), Ok(Name::parse("kms1.").unwrap()));
        for text in ["", ".", "kms 1", "kms..example", "kms1:1688", "käms"] {
            let error = host(text).unwrap_err();
            assert!(
                error.contains("example: kms1.corp.example"),
                "{text}: {error}"
            );
        }
    }
}
