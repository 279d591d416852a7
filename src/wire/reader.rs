//! Octets of a DNS message, step by step; no count and no length is trusted.

use crate::model::Name;

/// The longest name in wire form.
const MAX_NAME: usize = 255;
/// The least octet that begins a pointer (RFC 1035 §4.1.4).
const POINTER: u8 = 0xc0;

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
#[derive(Debug, Clone, Copy)]
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
        let mut wire = [0; MAX_NAME];
        let mut free = &mut wire[..];
        let mut labels = self.labels();
        loop {
            let label = labels.next()?;
            // `label` hands out at most 63 octets.
            let length = u8::try_from(label.len()).unwrap_or(u8::MAX);
            let too_long = malformed(self.offset, "a name longer than 255 octets");
            let (slot, after) = free.split_first_mut().ok_or_else(|| too_long.clone())?;
            *slot = length;
            let (slots, after) = after.split_at_mut_checked(label.len()).ok_or(too_long)?;
            slots.copy_from_slice(label);
            free = after;
            if label.is_empty() {
                break;
            }
        }
        let length = MAX_NAME - free.len();
        let start = self.offset;
        self.offset = labels.end();
        Name::from_wire(wire.get(..length).unwrap_or_default())
            .map_err(|_| malformed(start, "a name that is none"))
    }

    /// True when the name here is `name`, letter case ignored (RFC 4343); steps over nothing.
    pub(super) fn is_at(&self, name: &Name) -> Result<bool, Malformed> {
        let mut labels = self.labels();
        let mut own = name.wire();
        loop {
            labels.follow()?;
            // What stands there in one piece is compared at once; a length octet is no letter.
            let here = labels.reader.rest().get(..own.len());
            if here.is_some_and(|here| here.eq_ignore_ascii_case(own)) {
                return Ok(true);
            }
            let Some((first, rest)) = first_label(own) else {
                return Ok(false);
            };
            if !labels.next()?.eq_ignore_ascii_case(first) {
                return Ok(false);
            }
            own = rest;
        }
    }

    fn labels(&self) -> Labels<'m> {
        Labels {
            reader: *self,
            start: self.offset,
            lowest: self.offset,
            end: None,
        }
    }

    fn label(&mut self) -> Result<Label<'m>, Malformed> {
        let at = self.offset;
        let [length] = self.array()?;
        match length {
            0..=63 => Ok(Label::Octets(self.slice(usize::from(length))?)),
            POINTER.. => {
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

/// The labels of a name, pointers followed.
struct Labels<'m> {
    reader: Reader<'m>,
    start: usize,
    /// The lowest octet that a part of the name begins at.
    lowest: usize,
    /// The octet after the first pointer.
    end: Option<usize>,
}

impl<'m> Labels<'m> {
    /// The next one; the root is empty, and the last.
    fn next(&mut self) -> Result<&'m [u8], Malformed> {
        loop {
            match self.reader.label()? {
                Label::Octets(label) => return Ok(label),
                Label::Pointer(target) => self.jump(target)?,
            }
        }
    }

    /// Follows a pointer that is next, and those that it leads to.
    fn follow(&mut self) -> Result<(), Malformed> {
        while matches!(self.reader.rest().first(), Some(POINTER..)) {
            if let Label::Pointer(target) = self.reader.label()? {
                self.jump(target)?;
            }
        }
        Ok(())
    }

    fn jump(&mut self, target: usize) -> Result<(), Malformed> {
        // Strictly backwards, so that a chain of pointers ends.
        if target >= self.lowest {
            return Err(malformed(self.start, "a name that points forward"));
        }
        self.end.get_or_insert(self.reader.offset);
        self.lowest = target;
        self.reader.offset = target;
        Ok(())
    }

    /// The octet after the name, once the root was handed out.
    fn end(&self) -> usize {
        self.end.unwrap_or(self.reader.offset)
    }
}

/// The first label of a name in wire form and what stands behind it; `None` for the root.
fn first_label(wire: &[u8]) -> Option<(&[u8], &[u8])> {
    let (&length, rest) = wire.split_first()?;
    let split = (length > 0).then(|| rest.split_at_checked(usize::from(length)));
    split.flatten()
}

enum Label<'m> {
    /// Empty for the root.
    Octets(&'m [u8]),
    Pointer(usize),
}
