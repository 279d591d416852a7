//! KMS error codes and events: what each means, whether DNS can be the cause, and where to look.
//!
//! ```text
//! text ─► parse ─► Given ─► find ─► Found         an entry, and how the number was read
//!                        └► nearest               what it may be a slip of
//! ```
//!
//! `codes` and `events` are the table. It says what Microsoft's documents say; what they leave
//! open it calls open.

mod codes;
mod events;
mod given;

pub use given::{Base, Given, NotACode, Reading, parse};

/// The `0x8007….` in which an HRESULT wraps a Win32 code.
const WIN32: u32 = 0x8007_0000;

/// How many entries [`nearest`] names.
const NEAREST: usize = 3;

/// What is known of one code or event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Entry {
    /// An HRESULT, or the number of an event.
    pub number: u32,
    /// Which of the two, and what only events have.
    pub kind: Kind,
    /// A few words, for one line of a list.
    pub title: &'static str,
    /// What it means, in a sentence or two.
    pub meaning: &'static str,
    /// Whether DNS can be the cause.
    pub dns: Dns,
    /// Why it can, or cannot.
    pub dns_why: &'static str,
    /// The commands of ours that look at it.
    pub checks: &'static [Check],
    /// What no command of ours can see of it.
    pub unseen: Option<&'static str>,
    /// What else to look at, and the documented repairs.
    pub look_at: &'static [&'static str],
    /// What the documents leave open.
    pub open: &'static [&'static str],
}

/// What an entry's number is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Kind {
    /// An HRESULT.
    Code,
    /// An event in a log of Windows.
    Event {
        /// The log that it stands in.
        log: &'static str,
        /// Its fields in order; none where the documents do not tell them.
        fields: &'static [Field],
    },
}

/// One field of an event.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Field {
    /// As the documents call it.
    pub name: &'static str,
    /// What it holds, and what a wrong value means.
    pub text: &'static str,
}

/// Whether DNS can be the cause.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dns {
    /// It is.
    Yes,
    /// It can be.
    Possible,
    /// It is not.
    No,
    /// The documents do not say.
    Open,
}

impl Dns {
    /// One word for it.
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Yes => "yes",
            Self::Possible => "possible",
            Self::No => "no",
            Self::Open => "open",
        }
    }
}

/// A command of ours, and what it tells of a code.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Check {
    /// The command line; capitals stand for what to fill in.
    pub command: &'static str,
    /// What it does for this code, going on after the command.
    pub tells: &'static str,
}

impl Entry {
    /// `0x8007232B` for a code, `12288` for an event: as people write it.
    pub fn name(&self) -> String {
        match self.kind {
            Kind::Code => format!("{:#010X}", self.number).replacen("0X", "0x", 1),
            Kind::Event { .. } => self.number.to_string(),
        }
    }

    /// The Win32 code that the HRESULT wraps.
    pub fn win32(&self) -> Option<u16> {
        let is_code = self.kind == Kind::Code && self.number & 0xFFFF_0000 == WIN32;
        u16::try_from(self.number & 0xFFFF)
            .ok()
            .filter(|_lower| is_code)
    }
}

/// Every entry: the codes, then the events.
pub fn entries() -> impl Iterator<Item = &'static Entry> {
    codes::CODES.iter().chain(events::EVENTS)
}

/// An entry, and how the number was read where that is not plain.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found {
    /// The entry.
    pub entry: &'static Entry,
    /// A sentence on the reading that was chosen among several.
    pub read_as: Option<String>,
}

/// The entry of that number.
///
/// An entry's own number goes before a Win32 code within one, and of two readings the likelier;
/// no spelling of an entry means another entry, too.
pub fn find(given: &Given) -> Option<Found> {
    let numbered = |number: u32| entries().find(|entry| entry.number == number);
    let base = |reading: &Reading| {
        if given.is_ambiguous() {
            reading.base.as_str()
        } else {
            ""
        }
    };
    let own = given.readings().iter().find_map(|reading| {
        let entry = numbered(reading.value)?;
        let is_plain = base(reading) != Base::Hexadecimal.as_str();
        Some(Found {
            entry,
            read_as: (!is_plain).then(|| format!("{given} is read as a hexadecimal number.")),
        })
    });
    own.or_else(|| {
        given.readings().iter().find_map(|reading| {
            let lower = u16::try_from(reading.value).ok()?;
            let entry = numbered(WIN32 | u32::from(lower))?;
            let adjectives = format!("{} Win32", base(reading));
            Some(Found {
                entry,
                read_as: Some(format!(
                    "{given} is read as a {} code, which the HRESULT {} wraps.",
                    adjectives.trim_start(),
                    entry.name()
                )),
            })
        })
    })
}

/// The entries that the number may be a slip of, the likeliest first.
pub fn nearest(given: &Given) -> Vec<&'static Entry> {
    let mut candidates: Vec<(usize, u32, &Entry)> = entries()
        .filter_map(|entry| {
            let numbers = || [Some(entry.number), entry.win32().map(u32::from)];
            let (slips, gap) = given
                .readings()
                .iter()
                .flat_map(|reading| numbers().map(|number| (reading.value, number)))
                .filter_map(|(value, number)| {
                    let number = number?;
                    Some((slips(value, number), value.abs_diff(number)))
                })
                .min()?;
            Some((slips, gap, entry))
        })
        .collect();
    candidates.sort_by_key(|(slips, gap, _entry)| (*slips, *gap));
    candidates
        .into_iter()
        .take(NEAREST)
        .map(|(_slips, _gap, entry)| entry)
        .collect()
}

/// How many slips of the finger lie between two numbers, in whichever base there are fewer.
fn slips(one: u32, other: u32) -> usize {
    let decimal = strsim::osa_distance(&one.to_string(), &other.to_string());
    decimal.min(strsim::osa_distance(
        &format!("{one:X}"),
        &format!("{other:X}"),
    ))
}

/// Whether the number lies among those of the KMS events, of which some are described nowhere.
pub fn is_among_events(given: &Given) -> bool {
    let first = given.readings().first();
    first.is_some_and(|reading| events::KMS_EVENTS.contains(&reading.value))
}

#[cfg(test)]
mod tests;
