//! Against dnspython's octets, and against octets that nobody would send.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;

/// One entry of `tests/vectors/tkey/vectors.json`; octets in hex.
#[derive(Deserialize)]
struct Vector {
    key: String,
    inception: u32,
    expiry: u32,
    token: String,
    query: String,
    answer: String,
    badkey: String,
    other_mode: String,
    other_algorithm: String,
    other_key: String,
    refused: String,
    missing: String,
}

impl Vector {
    fn key(&self) -> Name {
        Name::parse(&self.key).unwrap()
    }
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../tests/vectors/tkey/vectors.json")).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn encoded(key: &Name, token: &[u8]) -> Result<Vec<u8>, TokenTooLong> {
    query(&Query {
        key,
        inception: 1,
        expiry: 2,
        token,
    })
}

#[test]
fn asks_as_dnspython_does() {
    for vector in vectors() {
        let asked = query(&Query {
            key: &vector.key(),
            inception: vector.inception,
            expiry: vector.expiry,
            token: &hex(&vector.token),
        });
        assert_eq!(asked.unwrap(), hex(&vector.query), "{}", vector.key);
    }
}

#[test]
fn names_go_out_in_lower_case() {
    let [upper, lower] = ["A1.SrvKeeper.", "a1.srvkeeper."].map(|text| Name::parse(text).unwrap());
    assert_eq!(encoded(&upper, b"t"), encoded(&lower, b"t"));
}

#[test]
fn reads_what_dnspython_answers() {
    for vector in vectors() {
        let read = answer(&hex(&vector.answer), &vector.key()).unwrap();
        assert_eq!(read.token, hex(&vector.token));
        assert_eq!(
            (read.inception, read.expiry),
            (vector.inception, vector.expiry)
        );
    }
}

#[test]
fn refuses_what_is_no_token_for_us() {
    for vector in vectors() {
        let badkey = TkeyError::Rejected {
            error: Rcode::BADKEY,
        };
        let refused = TkeyError::Rcode {
            rcode: Rcode::REFUSED,
        };
        for (octets, expected) in [
            (&vector.badkey, badkey),
            (&vector.refused, refused),
            (&vector.missing, TkeyError::Missing),
            (&vector.other_mode, TkeyError::Other("mode")),
            (&vector.other_algorithm, TkeyError::Other("algorithm")),
            (&vector.other_key, TkeyError::Other("key")),
        ] {
            assert_eq!(answer(&hex(octets), &vector.key()), Err(expected));
        }
    }
}

#[test]
fn a_question_is_no_answer() {
    for vector in vectors() {
        let error = answer(&hex(&vector.query), &vector.key()).unwrap_err();
        assert!(matches!(error, TkeyError::Malformed(_)), "{error}");
    }
}

#[test]
fn a_cut_answer_is_malformed() {
    for vector in vectors() {
        let octets = hex(&vector.answer);
        for length in 0..octets.len() {
            let error = answer(&octets[..length], &vector.key()).unwrap_err();
            assert!(
                matches!(error, TkeyError::Malformed(_)),
                "{length}: {error}"
            );
        }
    }
}

#[test]
fn a_token_that_fits_no_message_is_refused() {
    let key = Name::parse("k.").unwrap();
    let longest = 65_535 - encoded(&key, b"").unwrap().len();
    assert_eq!(
        encoded(&key, &vec![7; longest]).map(|message| message.len()),
        Ok(65_535)
    );
    for octets in [longest + 1, 65_535, 65_536, 1 << 20] {
        assert_eq!(
            encoded(&key, &vec![7; octets]),
            Err(TokenTooLong { octets })
        );
    }
}

proptest! {
    #[test]
    fn random_octets_never_panic(message in prop::collection::vec(any::<u8>(), 0..600)) {
        let _ = answer(&message, &Name::parse("k.").unwrap());
    }

    /// An answer overwritten anywhere: read or refused, and never with more than there is.
    #[test]
    fn mutated_answers_never_panic(
        index: prop::sample::Index,
        place: prop::sample::Index,
        octets in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let vectors = vectors();
        let vector = &vectors[index.index(vectors.len())];
        let mut message = hex(&vector.answer);
        let place = place.index(message.len());
        for (target, octet) in message.iter_mut().skip(place).zip(&octets) {
            *target = *octet;
        }
        if let Ok(read) = answer(&message, &vector.key()) {
            prop_assert!(read.token.len() < message.len());
        }
    }

    #[test]
    fn every_token_comes_back(token in prop::collection::vec(any::<u8>(), 0..3000), inception: u32, expiry: u32) {
        let key = Name::parse("k.srvkeeper.").unwrap();
        let asked = query(&Query { key: &key, inception, expiry, token: &token }).unwrap();
        // The same record as an answer: QR set, and the record counted in ANSWER.
        let mut answered = asked;
        answered[2] |= 0x80;
        answered[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
        prop_assert_eq!(answer(&answered, &key), Ok(Answer { token, inception, expiry }));
    }
}
