//! Durations as people write them: `500ms`, `10s`, `5m`, `1h30m`, `7d`.

use std::time::Duration;

/// The units, largest first, each in milliseconds.
const UNITS: [(&str, u64); 5] = [
    ("d", 86_400_000),
    ("h", 3_600_000),
    ("m", 60_000),
    ("s", 1_000),
    ("ms", 1),
];

/// A hundred years: longer than any TTL, and no clock overflows when it is added.
const LONGEST: u64 = 36_500 * 86_400_000;

/// Why a text is not a duration.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DurationError {
    /// Nothing stands there.
    #[error("the duration is empty; write a number and a unit, such as \"5m\"")]
    Empty,
    /// Something other than a whole number stands before a unit.
    #[error("\"{0}\" is not a duration; write whole numbers with their units, such as \"1h30m\"")]
    Number(String),
    /// A number without a unit.
    #[error("\"{0}\" has no unit; write \"{0}s\" for seconds; the units are ms, s, m, h and d")]
    NoUnit(String),
    /// A unit that is not known.
    #[error("\"{text}\" has the unknown unit \"{unit}\"; the units are ms, s, m, h and d")]
    Unit {
        /// The duration as written.
        text: String,
        /// The unit as written.
        unit: String,
    },
    /// A unit after a smaller or equal one.
    #[error("\"{0}\" mixes its units; write each once, the largest first, as in \"1h30m\"")]
    Order(String),
    /// Longer than a hundred years.
    #[error("\"{0}\" is longer than a hundred years")]
    TooLong(String),
}

/// Reads a duration: whole numbers, each with its unit, the largest unit first.
pub fn parse(text: &str) -> Result<Duration, DurationError> {
    let mut rest = text.trim();
    if rest.is_empty() {
        return Err(DurationError::Empty);
    }
    let mut units = UNITS.as_slice();
    let mut total: u64 = 0;
    while !rest.is_empty() {
        let (digits, after) = split(rest, |c| c.is_ascii_digit());
        let (unit, next) = split(after, |c| c.is_alphabetic());
        if digits.is_empty() {
            return Err(DurationError::Number(text.to_owned()));
        }
        if unit.is_empty() {
            return Err(if after.is_empty() && digits == text.trim() {
                DurationError::NoUnit(digits.to_owned())
            } else {
                DurationError::Number(text.to_owned())
            });
        }
        let Some(&(_, milliseconds)) = UNITS.iter().find(|(name, _)| *name == unit) else {
            return Err(DurationError::Unit {
                text: text.to_owned(),
                unit: unit.to_owned(),
            });
        };
        let Some(position) = units.iter().position(|(name, _)| *name == unit) else {
            return Err(DurationError::Order(text.to_owned()));
        };
        units = units.get(position + 1..).unwrap_or_default();
        total = digits
            .parse::<u64>()
            .ok()
            .and_then(|number| number.checked_mul(milliseconds))
            .and_then(|part| total.checked_add(part))
            .filter(|sum| *sum <= LONGEST)
            .ok_or_else(|| DurationError::TooLong(text.to_owned()))?;
        rest = next;
    }
    Ok(Duration::from_millis(total))
}

/// Writes a duration as [`parse`] reads it, to the millisecond.
pub fn format(duration: Duration) -> String {
    let mut rest = u64::try_from(duration.as_millis()).unwrap_or(u64::MAX);
    let mut text = String::new();
    for (unit, milliseconds) in UNITS {
        if rest >= milliseconds {
            text.push_str(&format!("{}{unit}", rest / milliseconds));
            rest %= milliseconds;
        }
    }
    if text.is_empty() {
        text.push_str("0s");
    }
    text
}

/// The longest beginning whose characters all belong, and what follows it.
fn split(text: &str, belongs: impl Fn(char) -> bool) -> (&str, &str) {
    let end = text.find(|c| !belongs(c)).unwrap_or(text.len());
    text.split_at_checked(end).unwrap_or((text, ""))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn reads_what_people_write() {
        for (text, milliseconds) in [
            ("5m", 300_000),
            ("10s", 10_000),
            ("1h", 3_600_000),
            ("24h", 86_400_000),
            ("1h30m", 5_400_000),
            ("500ms", 500),
            ("1m500ms", 60_500),
            ("7d", 604_800_000),
            ("0s", 0),
            (" 5m ", 300_000),
        ] {
            assert_eq!(
                parse(text),
                Ok(Duration::from_millis(milliseconds)),
                "{text}"
            );
        }
    }

    #[test]
    fn refuses_the_rest_and_says_why() {
        for (text, expected) in [
            ("", DurationError::Empty),
            ("  ", DurationError::Empty),
            ("300", DurationError::NoUnit("300".into())),
            ("h", DurationError::Number("h".into())),
            ("1.5h", DurationError::Number("1.5h".into())),
            ("-5m", DurationError::Number("-5m".into())),
            ("1h 30m", DurationError::Number("1h 30m".into())),
            ("1h30", DurationError::Number("1h30".into())),
            ("30m1h", DurationError::Order("30m1h".into())),
            ("1m1m", DurationError::Order("1m1m".into())),
            ("36501d", DurationError::TooLong("36501d".into())),
            (
                "99999999999999999999h",
                DurationError::TooLong("99999999999999999999h".into()),
            ),
            (
                "5min",
                DurationError::Unit {
                    text: "5min".into(),
                    unit: "min".into(),
                },
            ),
        ] {
            assert_eq!(parse(text), Err(expected), "{text:?}");
        }
    }

    #[test]
    fn the_text_for_a_missing_unit_shows_the_right_form() {
        assert_eq!(
            parse("300").unwrap_err().to_string(),
            "\"300\" has no unit; write \"300s\" for seconds; the units are ms, s, m, h and d"
        );
    }

    proptest! {
        #[test]
        fn what_is_written_is_read_back(milliseconds in 0..=LONGEST) {
            let duration = Duration::from_millis(milliseconds);
            prop_assert_eq!(parse(&format(duration)), Ok(duration));
        }

        #[test]
        fn no_text_panics(text in any::<String>(), close in "[0-9dhmsµ. ]{0,12}") {
            let _ = parse(&text);
            let _ = parse(&close);
        }
    }
}
