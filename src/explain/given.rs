//! A number as somebody pasted it, and the ways to read it.

use std::fmt;

/// Words that stand before a number in logs and mails, and say nothing more.
const LABELS: [&str; 9] = [
    "code",
    "error",
    "errorcode",
    "event",
    "eventid",
    "hr",
    "hresult",
    "id",
    "win32",
];

/// Codes are written with so many hexadecimal digits.
const DIGITS: usize = 8;

/// A number with every way to read it, the likeliest first; there is at least one.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Given {
    word: String,
    readings: Vec<Reading>,
}

impl Given {
    /// The ways to read it.
    pub fn readings(&self) -> &[Reading] {
        &self.readings
    }

    /// Whether there is more than one.
    pub fn is_ambiguous(&self) -> bool {
        self.readings.len() > 1
    }
}

impl fmt::Display for Given {
    /// The number as it was given, without what stood around it.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.word)
    }
}

/// One way to read a number.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Reading {
    /// What it then is; a negative HRESULT as the same 32 bits.
    pub value: u32,
    /// In which base.
    pub base: Base,
}

/// The base that a number was read in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Base {
    /// Ten, with or without a minus sign.
    Decimal,
    /// Sixteen, with or without `0x`.
    Hexadecimal,
}

impl Base {
    /// The adjective.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Decimal => "decimal",
            Self::Hexadecimal => "hexadecimal",
        }
    }
}

/// Why a text is no number of a code or event.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NotACode {
    /// No number in it, or more than one word.
    #[error(
        "{0:?} is no error code and no event; write one number, such as 0xC004F074, 3221549172, -1073418124 or 12288"
    )]
    NoNumber(String),
    /// More than 32 bits.
    #[error(
        "{0:?} has more than 32 bits; an error code has eight hexadecimal digits, such as 0xC004F074"
    )]
    TooLarge(String),
}

/// Reads a number as people paste it: with or without `0x`, decimal, negative; whatever
/// punctuation stands around it, and a word such as `Event` before it.
pub fn parse(text: &str) -> Result<Given, NotACode> {
    let no_number = || NotACode::NoNumber(text.to_owned());
    // Word processors write the minus sign itself.
    let plain = text.replace('\u{2212}', "-");
    let mut words = plain
        .split(|c: char| !(c.is_ascii_alphanumeric() || c == '-'))
        .map(|word| signed(word.trim_end_matches('-')))
        .filter(|word| !word.is_empty() && !is_label(word));
    let (Some(word), None) = (words.next(), words.next()) else {
        return Err(no_number());
    };
    let readings = readings(word).ok_or_else(no_number)?;
    if readings.is_empty() {
        return Err(NotACode::TooLarge(text.to_owned()));
    }
    Ok(Given {
        word: word.to_owned(),
        readings,
    })
}

/// A dash before anything but a decimal number is punctuation.
fn signed(word: &str) -> &str {
    let bare = word.trim_start_matches('-');
    let is_negative = bare.len() + 1 == word.len() && is_decimal(bare);
    if is_negative { word } else { bare }
}

fn is_label(word: &str) -> bool {
    LABELS.iter().any(|label| word.eq_ignore_ascii_case(label))
}

fn is_decimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_digit())
}

fn is_hexadecimal(text: &str) -> bool {
    !text.is_empty() && text.bytes().all(|octet| octet.is_ascii_hexdigit())
}

/// The readings that fit 32 bits; `None` for what is no number at all.
fn readings(word: &str) -> Option<Vec<Reading>> {
    if let Some(digits) = word.strip_prefix('-') {
        return is_decimal(digits).then(|| negative(word).into_iter().collect());
    }
    let prefixed = word.strip_prefix("0x").or_else(|| word.strip_prefix("0X"));
    if let Some(digits) = prefixed {
        return is_hexadecimal(digits).then(|| hexadecimal(digits).into_iter().collect());
    }
    if !is_hexadecimal(word) {
        return None;
    }
    if !is_decimal(word) {
        return Some(hexadecimal(word).into_iter().collect());
    }
    let (decimal, hexadecimal) = (decimal(word), hexadecimal(word));
    let likeliest_first = if word.len() == DIGITS {
        [hexadecimal, decimal]
    } else {
        [decimal, hexadecimal]
    };
    let mut readings: Vec<Reading> = likeliest_first.into_iter().flatten().collect();
    // A single digit is the same number in both.
    readings.dedup_by_key(|reading| reading.value);
    Some(readings)
}

fn decimal(digits: &str) -> Option<Reading> {
    Some(Reading {
        value: digits.parse().ok()?,
        base: Base::Decimal,
    })
}

/// A negative HRESULT: the same bits, as Windows' own tools print them.
fn negative(word: &str) -> Option<Reading> {
    let value: i32 = word.parse().ok()?;
    Some(Reading {
        value: value.cast_unsigned(),
        base: Base::Decimal,
    })
}

/// Up to eight digits, or sixteen where a negative number was widened to 64 bits.
fn hexadecimal(digits: &str) -> Option<Reading> {
    let wide = u64::from_str_radix(digits, 16).ok()?;
    let value = u32::try_from(wide).ok().or_else(|| {
        let narrow = u32::try_from(wide & 0xFFFF_FFFF).ok()?;
        let widened = i64::from(narrow.cast_signed()).cast_unsigned();
        (widened == wide).then_some(narrow)
    })?;
    Some(Reading {
        value,
        base: Base::Hexadecimal,
    })
}
