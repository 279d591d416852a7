//! What must hold of each decoder for any octets: it panics nowhere, and what it believes is sound.
//!
//! Each function is the body of a fuzz target; `tests/corpora.rs` calls it for what is stored.

#![allow(
    missing_docs,
    unreachable_pub,
    clippy::unwrap_used,
    clippy::panic,
    clippy::indexing_slicing,
    reason = "bodies of tests"
)]

use std::fmt::Display;

use data_encoding::BASE64;
use hickory_proto::rr::RecordType;
use secrecy::ExposeSecret;
use srvkeeper::authority;
use srvkeeper::config::keyfile;
use srvkeeper::model::{Name, Rcode, TsigAlgorithm, TsigSecret};
use srvkeeper::wire::answer::{self, Soa, SrvAnswer};
use srvkeeper::wire::tkey::{self, Query};
use srvkeeper::wire::tsig::{self, Key, RequestError, TsigError};
use srvkeeper::wire::{rpc, update as wire_update};

/// What the seeds ask for.
const OWNER: &str = "_vlmcs._tcp.corp.example.";
const CHILD: &str = "_srvkeeper._vlmcs._tcp.corp.example.";
const ZONE: &str = "corp.example.";
/// The key that the seeds of `tkey` negotiate.
const NEGOTIATED: &str = "0123456789abcdef.srvkeeper.";
/// The secret in the seeds of `keyfile`.
const SECRET: &str = "c2VjcmV0IG9mIHRoZSBzZWVkcywgdG9sZCBub3doZXJl";
const NOW: u64 = 1_700_000_000;
const SRV: u16 = 33;
const SOA: u16 = 6;

fn name(text: &str) -> Name {
    Name::parse(text).unwrap()
}

/// A text for people must not control their terminal, whoever wrote the names in it.
fn assert_told(error: &impl Display) {
    let text = error.to_string();
    assert!(!text.is_empty());
    assert!(!text.chars().any(char::is_control), "{text:?}");
}

fn assert_name(name: &Name) {
    assert!((1..=255).contains(&name.wire().len()));
    assert_eq!(Name::parse(&name.to_string()).unwrap().wire(), name.wire());
}

/// Answers to reads and updates.
pub fn answer(octets: &[u8]) {
    let owner = name(OWNER);
    match answer::srv(octets, &owner) {
        Ok(believed) => {
            assert_srv(&believed, &owner);
            // Said in the plainest form, it is believed again, as it is.
            let plain = plain_answer(&believed, &owner);
            let mut again = answer::srv(&plain, &owner).unwrap();
            if let (
                SrvAnswer::Records { mixed_ttl, .. },
                SrvAnswer::Records { mixed_ttl: was, .. },
            ) = (&mut again, &believed)
            {
                *mixed_ttl = *was;
            }
            assert_eq!(again, believed);
        }
        Err(error) => assert_told(&error),
    }
    for asked in [OWNER, CHILD, ZONE].map(name) {
        match answer::soa(octets, &asked) {
            Ok(soa) => assert_soa(&soa, &asked),
            Err(error) => assert_told(&error),
        }
    }
    for read in [answer::name_servers, answer::delegation] {
        match read(octets, &name(ZONE)) {
            Ok(names) => {
                names.iter().for_each(assert_name);
                assert!(names.is_sorted());
            }
            Err(error) => assert_told(&error),
        }
    }
    for record_type in [RecordType::A, RecordType::AAAA] {
        if let Err(error) = answer::addresses(octets, &owner, record_type) {
            assert_told(&error);
        }
    }
    if let Some(version) = answer::version(octets) {
        assert!(!version.is_empty() && !version.chars().any(char::is_control));
    }
    match answer::update(octets) {
        Ok(rcode) => assert!(rcode.0 < 16 && octets[2] & 0x80 != 0),
        Err(error) => assert_told(&error),
    }
    if let Err(error) = wire_update::zone(octets) {
        assert_told(&error);
    }
}

fn assert_srv(believed: &SrvAnswer, owner: &Name) {
    match believed {
        SrvAnswer::Absent { soa } => assert_soa(soa, owner),
        SrvAnswer::Records { records, .. } => {
            assert!(!records.is_empty());
            assert!(records.is_sorted());
            for (index, record) in records.iter().enumerate() {
                assert_name(&record.target);
                assert!(!records[..index].iter().any(|one| one.same_spelling(record)));
            }
        }
    }
}

fn assert_soa(soa: &Soa, owner: &Name) {
    assert_name(&soa.zone);
    assert_name(&soa.mname);
    assert!(owner.is_within(&soa.zone));
}

/// The answer that says the same without compression and without anything else.
fn plain_answer(believed: &SrvAnswer, owner: &Name) -> Vec<u8> {
    let (rcode, counts) = match believed {
        SrvAnswer::Records { records, .. } => (0, [u16::try_from(records.len()).unwrap(), 0]),
        SrvAnswer::Absent { soa } => (if soa.name_exists { 0 } else { 3 }, [0, 1]),
    };
    let mut message = vec![0, 0, 0x84, rcode, 0, 1];
    message.extend(counts.map(u16::to_be_bytes).as_flattened());
    message.extend([0, 0]);
    message.extend(owner.wire());
    message.extend([SRV, 1].map(u16::to_be_bytes).as_flattened());
    match believed {
        SrvAnswer::Records { ttl, records, .. } => {
            for record in records {
                let fixed = [record.priority, record.weight, record.port].map(u16::to_be_bytes);
                let data = [fixed.as_flattened(), record.target.wire()].concat();
                push_record(&mut message, owner, SRV, *ttl, &data);
            }
        }
        SrvAnswer::Absent { soa } => {
            let mut data = [soa.mname.wire(), Name::root().wire()].concat();
            data.extend(soa.serial.to_be_bytes());
            let timers = &soa.timers;
            let times = [
                timers.refresh,
                timers.retry,
                timers.expire,
                timers.negative_ttl,
            ];
            data.extend(times.map(u32::to_be_bytes).as_flattened());
            push_record(&mut message, &soa.zone, SOA, timers.negative_ttl, &data);
        }
    }
    message
}

fn push_record(message: &mut Vec<u8>, owner: &Name, record_type: u16, ttl: u32, data: &[u8]) {
    message.extend(owner.wire());
    message.extend([record_type, 1].map(u16::to_be_bytes).as_flattened());
    message.extend(ttl.to_be_bytes());
    message.extend(u16::try_from(data.len()).unwrap().to_be_bytes());
    message.extend(data);
}

/// Signatures, both sides.
pub fn tsig(octets: &[u8]) {
    let key = Key::from_secret(&TsigSecret {
        // The name in the seeds, and a secret that none of them is signed with.
        name: name("ddns."),
        algorithm: TsigAlgorithm::HmacSha256,
        secret: b"known to this function and to no seed".to_vec().into(),
    });
    for request_mac in [&[][..], &[7; 32]] {
        let error = tsig::verify_answer(octets, &key, request_mac, NOW).unwrap_err();
        assert!(!error.is_rejection(), "{error}");
        assert_told(&error);
    }
    let is_unsigned = match verify_request(octets, &key) {
        Ok(_) => panic!("a signature without the secret"),
        Err(RequestError::Unsigned) => true,
        Err(RequestError::Malformed(error)) => {
            assert_told(&error);
            false
        }
        Err(RequestError::Rejected(rejected)) => {
            // BADTIME would mean that the MAC verified.
            assert_ne!(rejected.error, Rcode::BADTIME);
            let mut answer = vec![octets[0], octets[1], 0xa8, 9, 0, 0, 0, 0, 0, 0, 0, 0];
            rejected.sign_answer(&mut answer, NOW).unwrap();
            let error = tsig::verify_answer(&answer, &key, &[7; 32], NOW).unwrap_err();
            assert!(matches!(
                error,
                TsigError::Rejected {
                    authenticated: false,
                    ..
                }
            ));
            false
        }
    };
    signed_by_us(octets, &key, is_unsigned);
}

/// What we sign, we accept, and nothing that differs from it.
fn signed_by_us(octets: &[u8], key: &Key, is_well_formed: bool) {
    let mut signed = octets.to_vec();
    let Ok(mac) = tsig::sign(&mut signed, key, NOW) else {
        assert!(octets.len() < 12 || octets.len() > 65_000 || octets[10..12] == [0xff; 2]);
        return;
    };
    assert_eq!(signed.len(), octets.len() + key.overhead());
    let verified = match verify_request(&signed, key) {
        Ok(verified) => verified,
        // A signature behind octets that were no message before signs no message.
        Err(_) if !is_well_formed => return,
        Err(error) => panic!("{error}"),
    };
    let mut answer = octets.to_vec();
    verified.sign_answer(&mut answer, NOW).unwrap();
    assert_eq!(tsig::verify_answer(&answer, key, &mac, NOW), Ok(()));

    // The ID is not signed, since forwarders change it (RFC 8945 §5.1).
    let sum: usize = octets.iter().map(|octet| usize::from(*octet)).sum();
    let (at, bit) = (2 + sum % (octets.len() - 2), 1 << (sum % 8));
    signed[at] ^= bit;
    answer[at] ^= bit;
    assert!(verify_request(&signed, key).is_err());
    assert!(tsig::verify_answer(&answer, key, &mac, NOW).is_err());
}

fn verify_request<'k>(
    octets: &[u8],
    key: &'k Key,
) -> Result<tsig::VerifiedRequest<'k>, RequestError<'k>> {
    tsig::verify_request(octets, |name| (name == key.name()).then_some(key), NOW)
}

/// Answers to the negotiation of a key.
pub fn tkey(octets: &[u8]) {
    let key = name(NEGOTIATED);
    match tkey::answer(octets, &key) {
        Ok(read) => assert!(read.token.len() < octets.len()),
        Err(error) => assert_told(&error),
    }
    // A query is an answer as soon as its header says so and counts its record as one.
    let query = Query {
        key: &key,
        inception: 1,
        expiry: u32::MAX,
        token: octets,
    };
    let Ok(mut message) = tkey::query(&query) else {
        assert!(octets.len() > 65_000);
        return;
    };
    message[2] |= 0x80;
    message[6..12].copy_from_slice(&[0, 1, 0, 0, 0, 0]);
    let read = tkey::answer(&message, &key).unwrap();
    assert_eq!(read.token, octets);
    assert_eq!((read.inception, read.expiry), (1, u32::MAX));
}

/// Answers to the bind, as they arrive: more and more of them.
pub fn rpc(octets: &[u8]) {
    let mut seen = Ok(None);
    for length in 0..=octets.len().min(32) {
        let frame = rpc::frame_length(&octets[..length]);
        match &seen {
            // What was said of the first octets stands.
            Ok(Some(_)) => assert_eq!(frame, seen),
            Err(_) => assert!(frame.is_err()),
            Ok(None) => {}
        }
        seen = frame;
    }
    let length = match seen {
        Ok(Some(length)) => length,
        Ok(None) => octets.len(),
        Err(error) => {
            assert_told(&error);
            octets.len()
        }
    };
    let answer = rpc::answer(octets);
    match &answer {
        Ok(rpc::BindAnswer::Rejected { text }) => assert_told(text),
        Ok(_) => {}
        Err(error) => assert_told(error),
    }
    if let Some(fragment) = octets.get(..length) {
        assert!(length <= octets.len().max(rpc::MAX_FRAGMENT));
        assert_eq!(rpc::answer(fragment), answer);
    }
    if let Some(ack) = rpc::accept(octets) {
        assert_eq!(rpc::frame_length(&ack), Ok(Some(ack.len())));
    }
}

/// Key files.
pub fn keyfile(octets: &[u8]) {
    let Ok(text) = std::str::from_utf8(octets) else {
        return;
    };
    match keyfile::parse(text) {
        Ok(key) => {
            assert_name(&key.name);
            let octets = key.secret.expose_secret();
            assert!(!octets.is_empty());
            // The name is no secret, whatever it holds.
            let shown = format!("{key:?}").replace(&key.name.to_string(), "");
            assert_tells_no_secret(&shown);
            // Written as tsig-keygen does it, it is the same key.
            let plain = format!(
                "key \"{}\" {{\n\talgorithm {};\n\tsecret \"{}\";\n}};\n",
                key.name,
                key.algorithm,
                BASE64.encode(octets)
            );
            match keyfile::parse(&plain) {
                Ok(again) => {
                    assert_eq!(again.name.wire(), key.name.wire());
                    assert_eq!(again.algorithm, key.algorithm);
                    assert_eq!(again.secret.expose_secret(), octets);
                }
                // A quoted string has no escape for its own quotes.
                Err(_) => assert!(key.name.to_string().contains('"')),
            }
        }
        Err(error) => {
            assert_told(&error);
            assert_tells_no_secret(&error.to_string());
            assert_tells_no_secret(&format!("{error:?}"));
        }
    }
}

/// No part of the seeds' secret, as far as mutation has left it in the file, is repeated.
fn assert_tells_no_secret(text: &str) {
    for part in SECRET.as_bytes().windows(6) {
        let part = std::str::from_utf8(part).unwrap();
        assert!(!text.contains(part), "{text}");
    }
}

/// Updates of the embedded primary, behind the signature.
pub fn update(octets: &[u8]) {
    let Ok(after) = authority::rehearse(octets.to_vec(), PRIMARY) else {
        return;
    };
    // It is a zone still, and its snapshot is read as it was written.
    let mut nothing = vec![0, 0, 0x28, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    nothing.extend(name(ZONE).wire());
    nothing.extend([SOA, 1].map(u16::to_be_bytes).as_flattened());
    assert_eq!(authority::rehearse(nothing, &after), Ok(after));
}

/// The zone that is updated, as a snapshot: SOA, NS, the server's address, two hosts.
const PRIMARY: &str = "\
corp.example. 3600 IN TYPE2 \\# 17 026e7304636f7270076578616d706c6500
corp.example. 3600 IN TYPE6 \\# 38 026e7304636f7270076578616d706c6500000000000700000001000000010000000100000001
ns.corp.example. 3600 IN TYPE1 \\# 4 7f000001
_vlmcs._tcp.corp.example. 3600 IN TYPE33 \\# 25 000000000698046b6d733104636f7270076578616d706c6500
_vlmcs._tcp.corp.example. 3600 IN TYPE33 \\# 25 000000000698046b6d733204636f7270076578616d706c6500
";
