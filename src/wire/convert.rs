//! Names between hickory and the model, to the octet: the one place where they meet.

use hickory_proto::rr::Name as WireName;
use hickory_proto::serialize::binary::{BinDecodable, BinDecoder, DecodeError};

use crate::model::{Name, NameError};

/// Takes over a decoded name, spelled as it came.
pub fn from_hickory(name: &WireName) -> Result<Name, NameError> {
    let mut wire = Vec::with_capacity(name.len() + 1);
    for label in name {
        wire.push(u8::try_from(label.len()).map_err(|_| NameError::Wire)?);
        wire.extend_from_slice(label);
    }
    wire.push(0);
    Name::from_wire(&wire)
}

/// Hands a name to hickory, spelled as it is.
///
/// The error is hickory's; a [`Name`] keeps the limits it checks, so none is expected.
pub fn to_hickory(name: &Name) -> Result<WireName, DecodeError> {
    WireName::read(&mut BinDecoder::new(name.wire()))
}

/// True when both are one name, letter case ignored (RFC 4343); copies nothing.
pub fn is_same(decoded: &WireName, name: &Name) -> bool {
    let mut ours = name.labels();
    decoded.iter().all(|label| {
        ours.next()
            .is_some_and(|own| own.eq_ignore_ascii_case(label))
    }) && ours.next().is_none()
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    prop_compose! {
        fn any_name()(labels in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..20), 0..8)) -> Name {
            let mut wire = Vec::new();
            for label in &labels {
                wire.push(u8::try_from(label.len()).unwrap());
                wire.extend_from_slice(label);
            }
            wire.push(0);
            Name::from_wire(&wire).unwrap()
        }
    }

    proptest! {
        #[test]
        fn there_and_back_to_the_octet(name in any_name()) {
            let there = to_hickory(&name).unwrap();
            prop_assert!(is_same(&there, &name));
            let back = from_hickory(&there).unwrap();
            prop_assert_eq!(back.wire(), name.wire());
        }

        #[test]
        fn sameness_is_the_models(one in any_name(), other in any_name()) {
            prop_assert_eq!(is_same(&to_hickory(&one).unwrap(), &other), one == other);
        }
    }

    #[test]
    fn sameness_ignores_case_and_nothing_else() {
        let decoded = to_hickory(&Name::parse("_VLMCS._tcp.Corp.example.").unwrap()).unwrap();
        for (text, expected) in [
            ("_vlmcs._tcp.corp.example.", true),
            ("_tcp.corp.example.", false),
            ("_vlmcs._tcp.corp.", false),
            ("x._vlmcs._tcp.corp.example.", false),
            (".", false),
        ] {
            assert_eq!(
                is_same(&decoded, &Name::parse(text).unwrap()),
                expected,
                "{text}"
            );
        }
    }
}
