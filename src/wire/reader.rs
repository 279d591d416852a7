//! Octets of a DNS message, step by step; no count and no length is trusted.

use crate::model::Name;

/// The longest name in wire form.
const MAX_NAME: usize = 255;

/// Where and how a message breaks its format.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("malformed message: {what} at octet {offset}")]
pub struct Malformed {
    /// The octet, counted from the message's first.
    pub offset: usize,
    /// What is wrong there.
    pub what: &'static str,
}

/// What is wrong at an octet.
pub(super) fn malformed(offset: usize, what: &'static str) -> Malformed {
    Malformed { offset, what }
}

/// A place in a message; every step consumes octets that are there.
pub(super) struct Reader<'m> {
    message: &'m [u8],
    /// Octets read so far.
    pub(super) offset: usize,
}

impl<'m> Reader<'m> {
    /// Begins at the first octet.
    pub(super) fn new(message: &'m [u8]) -> Self {
        Self { message, offset: 0 }
    }

    /// What is wrong here.
    pub(super) fn error(&self, what: &'static str) -> Malformed {
        malformed(self.offset, what)
    }

    fn rest(&self) -> &'m [u8] {
        self.message.get(self.offset..).unwrap_or_default()
    }

    /// The next octets.
    pub(super) fn slice(&mut self, length: usize) -> Result<&'m [u8], Malformed> {
        let taken = self
            .rest()
            .get(..length)
            .ok_or_else(|| self.error("the message ends inside a field"))?;
        self.offset += length;
        Ok(taken)
    }

    /// The next N octets.
    pub(super) fn array<const N: usize>(&mut self) -> Result<[u8; N], Malformed> {
        let taken = self
            .rest()
            .first_chunk()
            .ok_or_else(|| self.error("the message ends inside a field"))?;
        self.offset += N;
        Ok(*taken)
    }

    /// A number of two octets.
    pub(super) fn u16(&mut self) -> Result<u16, Malformed> {
        self.array().map(u16::from_be_bytes)
    }

    /// Steps over a name without following its pointer (RFC 1035 §4.1.4).
    pub(super) fn skip_name(&mut self) -> Result<(), Malformed> {
        loop {
            match self.label()? {
                Label::Octets([]) | Label::Pointer(_) => return Ok(()),
                Label::Octets(_) => {}
            }
        }
    }

    /// Reads a name, pointers followed.
    pub(super) fn name(&mut self) -> Result<Name, Malformed> {
        let start = self.offset;
        let mut wire = Vec::new();
        let mut after = None;
        let mut lowest = self.offset;
        loop {
            match self.label()? {
                Label::Pointer(target) => {
                    // Strictly backwards, so that a chain of pointers ends.
                    if target >= lowest {
                        return Err(malformed(start, "a name that points forward"));
                    }
                    after.get_or_insert(self.offset);
                    lowest = target;
                    self.offset = target;
                }
                Label::Octets(label) => {
                    // `label` hands out at most 63 octets.
                    wire.push(u8::try_from(label.len()).unwrap_or(u8::MAX));
                    wire.extend_from_slice(label);
                    if wire.len() > MAX_NAME {
                        return Err(malformed(start, "a name longer than 255 octets"));
                    }
                    if label.is_empty() {
                        break;
                    }
                }
            }
        }
        if let Some(after) = after {
            self.offset = after;
        }
        Name::from_wire(&wire).map_err(|_| malformed(start, "a name that is none"))
    }

    fn label(&mut self) -> Result<Label<'m>, Malformed> {
        let at = self.offset;
        let [length] = self.array()?;
        match length {
            0..=63 => Ok(Label::Octets(self.slice(usize::from(length))?)),
            0xc0.. => {
                let [low] = self.array()?;
                Ok(Label::Pointer(usize::from(u16::from_be_bytes([
                    length & 0x3f,
                    low,
                ]))))
            }
            _ => Err(malformed(at, "a label of unknown kind")),
        }
    }
}

enum Label<'m> {
    /// Empty for the root.
    Octets(&'m [u8]),
    Pointer(usize),
}
