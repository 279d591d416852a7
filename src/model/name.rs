//! Domain names: compared without regard to case, printed and sent as they were read.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use serde::{Deserialize, Deserializer, Serialize, Serializer};

/// The longest name in wire form, root label included (RFC 1035 §2.3.4).
const MAX_WIRE: usize = 255;
/// The longest label (RFC 1035 §2.3.4).
const MAX_LABEL: usize = 63;

/// An absolute domain name.
///
/// Holds the wire form (length-prefixed labels, the root label last) with the spelling it was
/// read in. `Eq`, `Ord` and `Hash` ignore ASCII case (RFC 4343); [`Name::same_spelling`] does not.
/// `Ord` goes label by label from the left, so that lists read alphabetically.
#[derive(Clone)]
pub struct Name {
    // Shared, because ten thousand plans carry the same few names, each several times.
    wire: Arc<[u8]>,
}

/// Why a text is not a domain name.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum NameError {
    /// Nothing stands there.
    #[error("the name is empty; write a full name such as \"kms1.corp.example.\"")]
    Empty,
    /// Two dots in a row, or one at the beginning.
    #[error("\"{0}\" has an empty label; remove the extra dot")]
    EmptyLabel(String),
    /// A label of more than 63 octets.
    #[error("the label \"{0}\" is longer than 63 octets")]
    LongLabel(String),
    /// More than 255 octets in wire form.
    #[error("the name is longer than 255 octets")]
    Long,
    /// A character outside ASCII.
    #[error(
        "\"{0}\" has characters outside ASCII; write the name in its A-label form (\"xn--…\"), as it stands in DNS"
    )]
    NotAscii(String),
    /// A character that no host or zone name carries.
    #[error("\"{name}\" has the character {character:?}, which no host or zone name carries")]
    Character {
        /// The name as written.
        name: String,
        /// The first character that does not belong.
        character: char,
    },
    /// A backslash that begins no `\DDD` or `\X` escape.
    #[error("\"{0}\" ends in an incomplete escape")]
    Escape(String),
    /// Wire form that is cut short or carries a compression pointer.
    #[error("malformed name in wire form")]
    Wire,
}

impl Name {
    /// The root, `.`.
    pub fn root() -> Self {
        Self {
            wire: Arc::new([0]),
        }
    }

    /// Reads the presentation form (RFC 1035 §5.1), relative names taken as absolute.
    ///
    /// Accepts any octet by escape; [`Name::parse_host`] is the strict reader for what people write.
    pub fn parse(text: &str) -> Result<Self, NameError> {
        if text.is_empty() {
            return Err(NameError::Empty);
        }
        if !text.is_ascii() {
            return Err(NameError::NotAscii(text.to_owned()));
        }
        if text == "." {
            return Ok(Self::root());
        }
        // Each label behind an octet that gets its length once it is known; the last one, of no
        // label, is the root.
        let mut wire = Vec::with_capacity(text.len() + 2);
        wire.push(0);
        let mut start = 0;
        let mut bytes = text.bytes();
        while let Some(byte) = bytes.next() {
            match byte {
                b'.' => {
                    close(&mut wire, start, text)?;
                    start = wire.len();
                    wire.push(0);
                }
                b'\\' => wire
                    .push(unescape(&mut bytes).ok_or_else(|| NameError::Escape(text.to_owned()))?),
                _ => wire.push(byte),
            }
        }
        if wire.len() > start + 1 {
            close(&mut wire, start, text)?;
            wire.push(0);
        }
        Self::checked(&wire)
    }

    /// Reads a host or zone name as people write it: letters, digits, hyphen and underscore.
    pub fn parse_host(text: &str) -> Result<Self, NameError> {
        if !text.is_ascii() {
            return Err(NameError::NotAscii(text.to_owned()));
        }
        if let Some(character) = text
            .chars()
            .find(|c| !c.is_ascii_alphanumeric() && !matches!(c, '-' | '_' | '.'))
        {
            return Err(NameError::Character {
                name: text.to_owned(),
                character,
            });
        }
        Self::parse(text)
    }

    /// Takes the uncompressed wire form, which must be exactly one name.
    pub fn from_wire(wire: &[u8]) -> Result<Self, NameError> {
        let mut rest = wire;
        loop {
            let (&length, after) = rest.split_first().ok_or(NameError::Wire)?;
            if usize::from(length) > MAX_LABEL {
                return Err(NameError::Wire);
            }
            if length == 0 {
                if !after.is_empty() {
                    return Err(NameError::Wire);
                }
                return Self::checked(wire);
            }
            rest = after.get(usize::from(length)..).ok_or(NameError::Wire)?;
        }
    }

    fn checked(wire: &[u8]) -> Result<Self, NameError> {
        if wire.len() > MAX_WIRE {
            return Err(NameError::Long);
        }
        Ok(Self { wire: wire.into() })
    }

    /// The uncompressed wire form, spelled as read.
    pub fn wire(&self) -> &[u8] {
        &self.wire
    }

    /// The labels from the left, without the root.
    pub fn labels(&self) -> impl Iterator<Item = &[u8]> {
        labels(&self.wire)
    }

    /// The labels of both from the first that may differ. Where names are sorted, most of them
    /// begin with the same labels, and octets are compared faster by eight than label by label.
    fn after_what_is_equal<'a>(
        &'a self,
        other: &'a Self,
    ) -> (
        impl Iterator<Item = &'a [u8]>,
        impl Iterator<Item = &'a [u8]>,
    ) {
        let (ours, theirs) = (self.wire.as_chunks::<8>().0, other.wire.as_chunks::<8>().0);
        let same = ours.iter().zip(theirs).take_while(|(a, b)| a == b).count() * 8;
        let mut begin = 0;
        while let Some(&length) = self.wire.get(begin) {
            let next = begin + 1 + usize::from(length);
            if length == 0 || next > same {
                break;
            }
            begin = next;
        }
        let from = |name: &'a Self| labels(name.wire.get(begin..).unwrap_or_default());
        (from(self), from(other))
    }

    /// True for the root, `.`.
    pub fn is_root(&self) -> bool {
        self.wire.len() == 1
    }

    /// This name with `prefix`'s labels before it, as in `_vlmcs._tcp` + `corp.example.`.
    pub fn prefixed(&self, prefix: &Name) -> Result<Self, NameError> {
        let head = prefix
            .wire
            .split_last()
            .map_or(&[][..], |(_root, head)| head);
        let length = head.len() + self.wire.len();
        let mut wire = [0; MAX_WIRE];
        let joined = wire.get_mut(..length).ok_or(NameError::Long)?;
        let (front, behind) = joined
            .split_at_mut_checked(head.len())
            .ok_or(NameError::Long)?;
        front.copy_from_slice(head);
        behind.copy_from_slice(&self.wire);
        Self::checked(joined)
    }

    /// The name one label up; `None` for the root.
    pub fn parent(&self) -> Option<Self> {
        let (&length, rest) = self.wire.split_first()?;
        if length == 0 {
            return None;
        }
        Some(Self {
            wire: rest.get(usize::from(length)..)?.into(),
        })
    }

    /// True when this name is `zone` itself or stands below it.
    pub fn is_within(&self, zone: &Name) -> bool {
        // The same octets at the end, begun at a label: a length octet is no letter, whose case
        // would not count.
        let mut rest: &[u8] = &self.wire;
        while rest.len() > zone.wire.len() {
            let Some((&length, after)) = rest.split_first() else {
                return false;
            };
            rest = after.get(usize::from(length)..).unwrap_or_default();
        }
        rest.eq_ignore_ascii_case(&zone.wire)
    }

    /// Equality to the octet, letter case included.
    pub fn same_spelling(&self, other: &Name) -> bool {
        self.wire == other.wire
    }

    /// The wire form in lower case: the canonical form of RFC 4034 §6.2, used in digests.
    pub fn to_lowercase_wire(&self) -> Vec<u8> {
        // A length octet is at most 63, so it is no upper-case letter.
        self.wire.to_ascii_lowercase()
    }
}

/// The labels of a wire form, without the root.
fn labels(wire: &[u8]) -> impl Iterator<Item = &[u8]> {
    let mut rest = wire;
    std::iter::from_fn(move || {
        let (&length, after) = rest.split_first()?;
        if length == 0 {
            return None;
        }
        let (label, next) = after.split_at_checked(usize::from(length))?;
        rest = next;
        Some(label)
    })
}

/// Writes the length of the label at the end of `wire` into the octet before it, at `start`.
fn close(wire: &mut [u8], start: usize, text: &str) -> Result<(), NameError> {
    let Some((length, label)) = wire.get_mut(start..).and_then(<[u8]>::split_first_mut) else {
        return Err(NameError::Wire);
    };
    if label.is_empty() {
        return Err(NameError::EmptyLabel(text.to_owned()));
    }
    if label.len() > MAX_LABEL {
        return Err(NameError::LongLabel(
            String::from_utf8_lossy(label).into_owned(),
        ));
    }
    *length = u8::try_from(label.len()).unwrap_or(u8::MAX);
    Ok(())
}

/// The octet of `\DDD` or `\X`, the backslash already taken (RFC 1035 §5.1).
fn unescape(bytes: &mut std::str::Bytes<'_>) -> Option<u8> {
    let first = bytes.next()?;
    if !first.is_ascii_digit() {
        return Some(first);
    }
    let digits = [first, bytes.next()?, bytes.next()?];
    std::str::from_utf8(&digits).ok()?.parse().ok()
}

impl FromStr for Name {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        Self::parse(text)
    }
}

impl fmt::Display for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.is_root() {
            return f.write_str(".");
        }
        for label in self.labels() {
            // Nearly every label; in one go, since each zone has names written a dozen times.
            match std::str::from_utf8(label) {
                Ok(text) if label.iter().all(|&byte| is_plain(byte)) => f.write_str(text)?,
                _ => write_escaped(f, label)?,
            }
            f.write_str(".")?;
        }
        Ok(())
    }
}

/// True for an octet that stands for itself.
fn is_plain(byte: u8) -> bool {
    let is_special = matches!(byte, b'.' | b'\\' | b'"' | b';' | b'(' | b')' | b'@' | b'$');
    byte.is_ascii_graphic() && !is_special
}

fn write_escaped(f: &mut fmt::Formatter<'_>, label: &[u8]) -> fmt::Result {
    for &byte in label {
        match byte {
            _ if is_plain(byte) => write!(f, "{}", char::from(byte))?,
            b'!'..=b'~' => write!(f, "\\{}", char::from(byte))?,
            _ => write!(f, "\\{byte:03}")?,
        }
    }
    Ok(())
}

impl fmt::Debug for Name {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "Name({self})")
    }
}

impl PartialEq for Name {
    fn eq(&self, other: &Self) -> bool {
        self.wire.eq_ignore_ascii_case(&other.wire)
    }
}

impl Eq for Name {}

impl Hash for Name {
    fn hash<H: Hasher>(&self, state: &mut H) {
        for byte in self.wire.iter() {
            state.write_u8(byte.to_ascii_lowercase());
        }
    }
}

impl Ord for Name {
    fn cmp(&self, other: &Self) -> Ordering {
        let (mut ours, mut theirs) = self.after_what_is_equal(other);
        loop {
            let (a, b) = match (ours.next(), theirs.next()) {
                (None, None) => return Ordering::Equal,
                (None, Some(_)) => return Ordering::Less,
                (Some(_), None) => return Ordering::Greater,
                (Some(a), Some(b)) => (a, b),
            };
            let order = compare_labels(a, b);
            if order.is_ne() {
                return order;
            }
        }
    }
}

/// The case is looked at only where octets differ.
fn compare_labels(a: &[u8], b: &[u8]) -> Ordering {
    for (a, b) in a.iter().zip(b) {
        if a != b {
            let order = a.to_ascii_lowercase().cmp(&b.to_ascii_lowercase());
            if order.is_ne() {
                return order;
            }
        }
    }
    a.len().cmp(&b.len())
}

impl PartialOrd for Name {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Serialize for Name {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for Name {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = std::borrow::Cow::<'de, str>::deserialize(deserializer)?;
        Self::parse(&text).map_err(serde::de::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    #[test]
    fn case_is_kept_and_ignored() {
        let upper = name("KMS1.Corp.Example");
        assert_eq!(upper, name("kms1.corp.example."));
        assert_eq!(upper.to_string(), "KMS1.Corp.Example.");
        assert!(!upper.same_spelling(&name("kms1.corp.example.")));
        assert_eq!(upper.cmp(&name("kms1.corp.example.")), Ordering::Equal);
    }

    #[test]
    fn lists_read_alphabetically() {
        let mut names = [
            name("zoo.b."),
            name("apple.b."),
            name("apple.a."),
            name("b."),
        ];
        names.sort();
        let texts: Vec<String> = names.iter().map(Name::to_string).collect();
        assert_eq!(texts, ["apple.a.", "apple.b.", "b.", "zoo.b."]);
    }

    #[test]
    fn refuses_what_is_no_name() {
        for (text, expected) in [
            ("", NameError::Empty),
            ("a..b", NameError::EmptyLabel("a..b".into())),
            (".a", NameError::EmptyLabel(".a".into())),
            (
                "bücher.example",
                NameError::NotAscii("bücher.example".into()),
            ),
            ("a\\", NameError::Escape("a\\".into())),
            ("a\\25", NameError::Escape("a\\25".into())),
            ("a\\999", NameError::Escape("a\\999".into())),
        ] {
            assert_eq!(Name::parse(text), Err(expected), "{text}");
        }
        assert!(matches!(
            Name::parse(&"a".repeat(64)),
            Err(NameError::LongLabel(_))
        ));
        assert_eq!(Name::parse(&"abcdefg.".repeat(32)), Err(NameError::Long));
        assert!(matches!(
            Name::parse_host("kms 1.example"),
            Err(NameError::Character { character: ' ', .. })
        ));
    }

    #[test]
    fn ancestry() {
        let zone = name("corp.example.");
        let owner = zone.prefixed(&name("_vlmcs._tcp")).unwrap();
        assert_eq!(owner.to_string(), "_vlmcs._tcp.corp.example.");
        assert!(owner.is_within(&name("CORP.example.")));
        assert!(owner.is_within(&Name::root()));
        assert!(!name("xcorp.example.").is_within(&zone));
        assert!(!zone.is_within(&owner));
        assert_eq!(owner.parent().unwrap().to_string(), "_tcp.corp.example.");
        assert_eq!(Name::root().parent(), None);
    }

    /// The order as it is defined: label by label, in lower case.
    fn plainly(a: &Name, b: &Name) -> Ordering {
        let lower = |name: &Name| -> Vec<Vec<u8>> {
            name.labels().map(<[u8]>::to_ascii_lowercase).collect()
        };
        lower(a).cmp(&lower(b))
    }

    /// Few letters, so that many names are equal or begin alike.
    fn alike() -> impl Strategy<Value = Name> {
        prop::collection::vec("[aAb]{1,9}", 0..5).prop_map(|labels| {
            let text: String = labels.iter().map(|label| format!("{label}.")).collect();
            name(if text.is_empty() { "." } else { &text })
        })
    }

    proptest! {
        #[test]
        fn order_and_equality_are_those_of_labels_in_lower_case(a in alike(), b in alike()) {
            prop_assert_eq!(a.cmp(&b), plainly(&a, &b));
            prop_assert_eq!(a == b, plainly(&a, &b).is_eq());
            let above = b.labels().count();
            let tail: Vec<Vec<u8>> = a.labels().map(<[u8]>::to_ascii_lowercase).collect();
            let zone: Vec<Vec<u8>> = b.labels().map(<[u8]>::to_ascii_lowercase).collect();
            prop_assert_eq!(a.is_within(&b), tail.len() >= above && tail.ends_with(&zone));
        }

        #[test]
        fn any_wire_form_survives_its_text(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..12), 0..6)) {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend_from_slice(label);
            }
            wire.push(0);
            let read = Name::from_wire(&wire).unwrap();
            let again = Name::parse(&read.to_string()).unwrap();
            prop_assert!(read.same_spelling(&again));
        }

        #[test]
        fn no_text_panics(text in any::<String>()) {
            let _ = Name::parse(&text);
            let _ = Name::parse_host(&text);
        }

        #[test]
        fn no_octets_panic(wire in prop::collection::vec(any::<u8>(), 0..300)) {
            let _ = Name::from_wire(&wire);
        }
    }
}
