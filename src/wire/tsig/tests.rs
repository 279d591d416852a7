//! Against dnspython's octets, both ways, and against octets that nobody would send.

use proptest::prelude::*;
use serde::Deserialize;

use super::*;
use crate::model::{TsigAlgorithm, TsigSecret};

/// One entry of `tests/vectors/tsig/vectors.json`; octets in hex.
#[derive(Deserialize)]
struct Vector {
    name: String,
    algorithm: String,
    key: String,
    secret: String,
    now: u64,
    request_mac: String,
    error: u16,
    other: String,
    compressed: bool,
    unsigned: String,
    signed: String,
    mac: String,
}

impl Vector {
    fn key(&self) -> Key {
        let algorithm = TsigAlgorithm::ALL
            .into_iter()
            .find(|algorithm| algorithm.as_str() == self.algorithm)
            .unwrap();
        let secret = data_encoding::BASE64
            .decode(self.secret.as_bytes())
            .unwrap();
        key(&self.key, algorithm, &secret)
    }

    fn is_request(&self) -> bool {
        self.request_mac.is_empty()
    }

    /// What this side makes of the signed message.
    fn verify(&self, signed: &[u8], now: u64) -> Result<(), String> {
        let key = self.key();
        if self.is_request() {
            verify_request(signed, |name| (name == key.name()).then_some(&key), now)
                .map(drop)
                .map_err(|error| error.to_string())
        } else {
            verify_answer(signed, &key, &hex(&self.request_mac), now)
                .map_err(|error| error.to_string())
        }
    }
}

fn vectors() -> Vec<Vector> {
    serde_json::from_str(include_str!("../../../tests/vectors/tsig/vectors.json")).unwrap()
}

fn hex(text: &str) -> Vec<u8> {
    data_encoding::HEXLOWER.decode(text.as_bytes()).unwrap()
}

fn key(name: &str, algorithm: TsigAlgorithm, secret: &[u8]) -> Key {
    Key::from_secret(&TsigSecret {
        name: Name::parse(name).unwrap(),
        algorithm,
        secret: secret.to_vec().into(),
    })
}

fn ours() -> Key {
    key(
        "ddns.",
        TsigAlgorithm::HmacSha256,
        b"one secret of thirty-two octets.",
    )
}

const NOW: u64 = 1_700_000_000;

/// A query for `. NS`, ID 0x0102.
fn query() -> Vec<u8> {
    vec![1, 2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 2, 0, 1]
}

/// The answer to [`query`]: no records.
fn answer(rcode: u8) -> Vec<u8> {
    let mut answer = query();
    answer[2] = 0x84;
    answer[3] = rcode;
    answer
}

#[test]
fn signs_as_dnspython_does() {
    for vector in vectors() {
        let mut message = hex(&vector.unsigned);
        let before = message.len();
        let key = vector.key();
        let other = hex(&vector.other);
        let stamp = Stamp {
            time_signed: vector.now,
            error: Rcode(vector.error),
            other: &other,
        };
        let mac = sign_with(&mut message, &key, &hex(&vector.request_mac), &stamp).unwrap();
        assert_eq!(
            mac,
            hex(&vector.mac),
            "{} {}",
            vector.name,
            vector.algorithm
        );
        assert_eq!(message.len(), before + key.overhead() + other.len());
        if !vector.compressed {
            assert_eq!(message, hex(&vector.signed), "{}", vector.name);
        }
    }
}

#[test]
fn verifies_what_dnspython_signed() {
    for vector in vectors() {
        let verified = vector.verify(&hex(&vector.signed), vector.now + 300);
        if vector.error == 0 {
            assert_eq!(verified, Ok(()), "{} {}", vector.name, vector.algorithm);
            assert!(
                vector
                    .verify(&hex(&vector.signed), vector.now + 301)
                    .is_err()
            );
        } else {
            // A BADTIME answer carries the client's time, and the server's in Other Data.
            assert_eq!(
                verified,
                Err(
                    "BADTIME: the clocks are too far apart: ours says 2023-11-14T22:18:20Z, the \
                     server's 2023-11-14T23:13:20Z, so ours is 55m behind; set both, best with NTP"
                        .to_owned()
                )
            );
        }
    }
}

#[test]
fn refuses_every_flipped_bit() {
    for vector in vectors().into_iter().filter(|vector| vector.error == 0) {
        let signed = hex(&vector.signed);
        let key = vector.key();
        let algorithm_length = key.algorithm().wire().len();
        let algorithm_end = signed.len() - 16 - key.mac().length();
        let algorithm = algorithm_end - algorithm_length..algorithm_end;
        let owner = hex(&vector.unsigned).len()..algorithm.start - 10;
        for (octet, bit) in (0..signed.len()).flat_map(|octet| (0..8).map(move |bit| (octet, bit)))
        {
            let mut flipped = signed.clone();
            flipped[octet] ^= 1 << bit;
            let verified = vector.verify(&flipped, vector.now);
            // The owner and the algorithm are digested in lower case (§4.3.3), so their letter
            // case is free; so is a request's ID, which the original ID stands in for.
            let case_of_names = bit == 5
                && signed[octet].is_ascii_alphabetic()
                && (owner.contains(&octet) || algorithm.contains(&octet));
            let id_of_request = octet < 2 && vector.is_request();
            if case_of_names || id_of_request {
                assert_eq!(verified, Ok(()), "octet {octet} bit {bit}");
            } else {
                assert!(verified.is_err(), "{} octet {octet} bit {bit}", vector.name);
            }
        }
    }
}

#[test]
fn answers_go_back_and_forth() {
    let key = ours();
    let mut request = query();
    let mac = sign(&mut request, &key, NOW).unwrap();
    let verified = verify_request(&request, |_| Some(&key), NOW + 5).unwrap();
    let mut reply = answer(0);
    verified.sign_answer(&mut reply, NOW + 5).unwrap();
    assert_eq!(reply.len(), answer(0).len() + verified.overhead());
    assert_eq!(verify_answer(&reply, &key, &mac, NOW), Ok(()));
    assert_eq!(
        verify_answer(&reply, &key, b"another request's MAC", NOW),
        Err(TsigError::MacMismatch {
            rcode: Rcode::NOERROR
        })
    );
    assert_eq!(
        verify_answer(&reply, &key, &[], NOW),
        Err(TsigError::MacMismatch {
            rcode: Rcode::NOERROR
        })
    );
}

/// What the client reads when the server does not accept its request.
fn refused(client: &Key, server: Option<&Key>, server_now: u64) -> TsigError {
    let mut request = query();
    let mac = sign(&mut request, client, NOW).unwrap();
    let Err(RequestError::Rejected(rejected)) = verify_request(&request, |_| server, server_now)
    else {
        panic!("accepted");
    };
    let mut reply = answer(9);
    rejected.sign_answer(&mut reply, server_now).unwrap();
    verify_answer(&reply, client, &mac, NOW).unwrap_err()
}

#[test]
fn rejections_say_what_to_repair() {
    let key = ours();
    let other_secret = self::key("ddns.", TsigAlgorithm::HmacSha256, b"another");
    let other_algorithm = self::key("ddns.", TsigAlgorithm::HmacSha512, b"another");
    for (server, server_now, authenticated, text) in [
        (
            None,
            NOW,
            false,
            "BADKEY: the server does not know the key ddns. with hmac-sha256.; make name and algorithm the same on both sides",
        ),
        (
            Some(&other_algorithm),
            NOW,
            false,
            "BADKEY: the server does not know the key ddns. with hmac-sha256.; make name and algorithm the same on both sides",
        ),
        (
            Some(&other_secret),
            NOW,
            false,
            "BADSIG: the server has another secret for the key ddns.; copy the key file from the server again",
        ),
        (
            Some(&key),
            NOW - 301,
            true,
            "BADTIME: the clocks are too far apart: ours says 2023-11-14T22:13:20Z, the server's 2023-11-14T22:08:19Z, so ours is 5m 1s ahead; set both, best with NTP",
        ),
    ] {
        let error = refused(&key, server, server_now);
        assert_eq!(error.to_string(), text);
        assert_eq!(error.is_rejection(), authenticated, "{error}");
    }
}

#[test]
fn short_macs_are_refused() {
    let key = ours();
    for (octets, expected) in [
        (9, None),
        (15, None),
        (16, Some(Rcode::BADTRUNC)),
        (33, None),
    ] {
        let mut request = query();
        let mut mac = sign(&mut request.clone(), &key, NOW).unwrap();
        mac.resize(octets, 0);
        record(&key, &mac, Rcode::NOERROR)
            .append_to(&mut request)
            .unwrap();
        match (verify_request(&request, |_| Some(&key), NOW), expected) {
            (Err(RequestError::Malformed(_)), None) => {}
            (Err(RequestError::Rejected(rejected)), Some(error)) => {
                assert_eq!(rejected.error, error);
            }
            (other, _) => panic!("{octets}: {other:?}"),
        }
    }
    let mut reply = answer(0);
    record(&key, &[7; 16], Rcode::NOERROR)
        .append_to(&mut reply)
        .unwrap();
    assert_eq!(
        verify_answer(&reply, &key, b"", NOW),
        Err(TsigError::ShortMac {
            octets: 16,
            full: 32
        })
    );
}

/// Stands in for a security context: a MAC without a secret, shorter than the space reserved.
struct Negotiated(Name);

impl Mac for Negotiated {
    fn algorithm(&self) -> &Name {
        &self.0
    }

    fn length(&self) -> usize {
        64
    }

    fn is_negotiated(&self) -> bool {
        true
    }

    fn accepts_bare_request_mac(&self) -> bool {
        true
    }

    fn sign(&self, parts: &[&[u8]]) -> Result<Vec<u8>, MacError> {
        let digest = ring::digest::digest(&ring::digest::SHA256, &parts.concat());
        Ok(digest.as_ref()[..28].to_vec())
    }

    fn verify(&self, parts: &[&[u8]], mac: &[u8]) -> Result<(), MacError> {
        match self.sign(parts)? == mac {
            true => Ok(()),
            false => Err(MacError::Mismatch),
        }
    }
}

fn negotiated() -> Key {
    let algorithm = Name::parse("gss-tsig.").unwrap();
    Key::new(
        Name::parse("k.srvkeeper.").unwrap(),
        Box::new(Negotiated(algorithm)),
    )
}

#[test]
fn a_context_signs_and_verifies_in_the_same_way() {
    let key = negotiated();
    let mut request = query();
    let before = request.len();
    let mac = sign(&mut request, &key, NOW).unwrap();
    assert!(request.len() <= before + key.overhead());

    let mut reply = answer(0);
    sign_with(&mut reply, &key, &mac, &Stamp::at(NOW)).unwrap();
    assert_eq!(verify_answer(&reply, &key, &mac, NOW), Ok(()));
    let mismatch = |rcode| Err(TsigError::MacMismatch { rcode });
    assert_eq!(
        verify_answer(&reply, &key, b"another MAC", NOW),
        mismatch(Rcode::NOERROR)
    );
    // The answer that ends a negotiation: no request MAC, and no length of one.
    let mut last = answer(0);
    sign_with(&mut last, &key, &[], &Stamp::at(NOW)).unwrap();
    assert_eq!(verify_answer(&last, &key, &[], NOW), Ok(()));
    // An answer that only repeats the request's record, as Samba 4.22 does with REFUSED.
    let mut echo = answer(5);
    record(&key, &mac, Rcode::NOERROR)
        .append_to(&mut echo)
        .unwrap();
    let refused = verify_answer(&echo, &key, &mac, NOW);
    assert_eq!(refused, mismatch(Rcode::REFUSED));
    assert!(refused.unwrap_err().may_mean_unknown_key());
}

#[test]
fn sambas_digest_without_the_length_is_accepted_of_contexts_alone() {
    for (key, is_accepted) in [(negotiated(), true), (ours(), false)] {
        let mac = sign(&mut query(), &key, NOW).unwrap();
        let mut reply = answer(0);
        let mut unsigned = record(&key, &[], Rcode::NOERROR);
        let signature = key
            .mac()
            .sign(&[&mac, &reply, &unsigned.variables()])
            .unwrap();
        unsigned.mac = &signature;
        unsigned.append_to(&mut reply).unwrap();
        let verified = verify_answer(&reply, &key, &mac, NOW);
        assert_eq!(verified.is_ok(), is_accepted, "{verified:?}");
    }
}

#[test]
fn a_forgotten_context_is_told_from_a_denial() {
    let key = negotiated();
    for error in [Rcode::BADKEY, Rcode::BADSIG] {
        let mut reply = answer(9);
        record(&key, &[], error).append_to(&mut reply).unwrap();
        let rejected = verify_answer(&reply, &key, b"mac", NOW).unwrap_err();
        assert!(rejected.may_mean_unknown_key(), "{rejected}");
        assert!(
            rejected
                .to_string()
                .contains("security context k.srvkeeper.")
        );
    }
    let unsigned = verify_answer(&answer(5), &key, b"mac", NOW).unwrap_err();
    assert!(unsigned.may_mean_unknown_key());
    for rcode in [0, 8] {
        let unsigned = verify_answer(&answer(rcode), &key, b"mac", NOW).unwrap_err();
        assert!(!unsigned.may_mean_unknown_key(), "{unsigned}");
    }
}

fn record<'m>(key: &Key, mac: &'m [u8], error: Rcode) -> Record<'m> {
    Record {
        key: key.name().clone(),
        algorithm: key.algorithm().clone(),
        time_signed: NOW,
        fudge: FUDGE,
        mac,
        original_id: [1, 2],
        error,
        other: &[],
    }
}

#[test]
fn answers_that_prove_nothing() {
    let key = ours();
    assert_eq!(
        verify_answer(&answer(5), &key, b"", NOW),
        Err(TsigError::Missing {
            rcode: Rcode::REFUSED
        })
    );

    let mut of_another_key = answer(0);
    record(
        &self::key("other.", TsigAlgorithm::HmacSha1, b"x"),
        b"",
        Rcode::NOERROR,
    )
    .append_to(&mut of_another_key)
    .unwrap();
    assert!(matches!(
        verify_answer(&of_another_key, &key, b"", NOW),
        Err(TsigError::WrongKey { .. })
    ));

    let mut of_another_id = answer(0);
    sign_with(&mut of_another_id, &key, b"mac", &Stamp::at(NOW)).unwrap();
    of_another_id[0] ^= 1;
    assert_eq!(
        verify_answer(&of_another_id, &key, b"mac", NOW),
        Err(TsigError::WrongOriginalId)
    );

    let mut late = answer(0);
    sign_with(&mut late, &key, b"mac", &Stamp::at(NOW - 400)).unwrap();
    let error = verify_answer(&late, &key, b"mac", NOW).unwrap_err();
    assert!(matches!(error, TsigError::OutsideFudge { .. }), "{error}");
    // The server did not object; it may have done what it was asked to.
    assert!(!error.is_rejection());
}

#[test]
fn what_takes_no_signature_stays_as_it_is() {
    for message in [vec![0; 11], vec![0; 65_500], {
        let mut full = query();
        full[10..12].fill(0xff);
        full
    }] {
        let mut signed = message.clone();
        assert!(matches!(
            sign(&mut signed, &ours(), NOW),
            Err(MacError::Unsignable(_))
        ));
        assert_eq!(signed, message);
    }
}

proptest! {
    #[test]
    fn random_octets_never_panic(message in prop::collection::vec(any::<u8>(), 0..600), now: u64) {
        let key = ours();
        prop_assert!(verify_answer(&message, &key, b"mac", now).is_err());
        prop_assert!(verify_request(&message, |_| Some(&key), now).is_err());
        let _ = sign(&mut message.clone(), &key, now);
    }

    /// Cut anywhere and overwritten anywhere, a signed message never verifies again.
    #[test]
    fn mutated_messages_never_pass(
        index: prop::sample::Index,
        cut: prop::sample::Index,
        octets in prop::collection::vec(any::<u8>(), 1..8),
    ) {
        let vectors = vectors();
        let vector = &vectors[index.index(vectors.len())];
        let signed = hex(&vector.signed);
        let cut = cut.index(signed.len());
        prop_assert!(vector.verify(&signed[..cut], vector.now).is_err());

        // Below octet 2 lies a request's ID, which is free.
        let mut changed = signed.clone();
        for (target, octet) in changed.iter_mut().skip(cut.max(2)).zip(&octets) {
            *target = *octet;
        }
        if !changed.eq_ignore_ascii_case(&signed) {
            prop_assert!(vector.verify(&changed, vector.now).is_err());
        }
    }
}
