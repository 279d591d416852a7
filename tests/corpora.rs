//! Replays the stored inputs of the fuzz targets, and throws random and mutated octets at the same
//! bodies: no input panics a decoder, and each keeps what it promises.

#![allow(
    clippy::unwrap_used,
    clippy::indexing_slicing,
    clippy::disallowed_methods,
    reason = "a test"
)]

#[path = "fuzz/targets.rs"]
mod targets;

use std::fs;
use std::path::Path;

use proptest::prelude::*;
use proptest::sample::Index;

/// Larger inputs make poor seeds.
const LARGEST: usize = 4096;
const MOST: usize = 60;

type Target = fn(&[u8]);

const TARGETS: [(&str, Target); 6] = [
    ("answer", targets::answer),
    ("keyfile", targets::keyfile),
    ("rpc", targets::rpc),
    ("tkey", targets::tkey),
    ("tsig", targets::tsig),
    ("update", targets::update),
];

/// The stored inputs of a target, by file name.
fn corpus(target: &str) -> Vec<(String, Vec<u8>)> {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/corpora");
    let mut inputs: Vec<_> = fs::read_dir(folder.join(target))
        .unwrap()
        .map(|entry| {
            let entry = entry.unwrap();
            let name = entry.file_name().to_string_lossy().into_owned();
            (name, fs::read(entry.path()).unwrap())
        })
        .collect();
    inputs.sort();
    inputs
}

#[test]
fn what_is_stored_holds() {
    for (name, target) in TARGETS {
        let inputs = corpus(name);
        assert!(
            (1..=MOST).contains(&inputs.len()),
            "{name}: {}",
            inputs.len()
        );
        for (file, octets) in inputs {
            assert!(octets.len() <= LARGEST, "{name}/{file}");
            let held = std::panic::catch_unwind(|| target(&octets));
            assert!(held.is_ok(), "tests/corpora/{name}/{file}");
        }
    }
}

#[test]
fn every_target_is_replayed() {
    let names = |folder: &str| {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join(folder);
        let mut names: Vec<String> = fs::read_dir(folder)
            .unwrap()
            .map(|entry| {
                entry
                    .unwrap()
                    .path()
                    .file_stem()
                    .unwrap()
                    .to_string_lossy()
                    .into_owned()
            })
            .collect();
        names.sort();
        names
    };
    let replayed = TARGETS.map(|(name, _)| name);
    assert_eq!(names("tests/fuzz/fuzz_targets"), replayed);
    assert_eq!(names("tests/corpora"), replayed);
}

/// One change to a message.
#[derive(Debug, Clone)]
enum Mutation {
    Set(Index, u8),
    Flip(Index, u8),
    Cut(Index),
    Insert(Index, Vec<u8>),
    Repeat(Index, Index),
}

impl Mutation {
    fn apply(&self, octets: &mut Vec<u8>) {
        if octets.is_empty() {
            return;
        }
        match self {
            Self::Set(at, octet) => {
                let at = at.index(octets.len());
                octets[at] = *octet;
            }
            Self::Flip(at, bit) => {
                let at = at.index(octets.len());
                octets[at] ^= 1 << bit;
            }
            Self::Cut(at) => octets.truncate(at.index(octets.len())),
            Self::Insert(at, more) => {
                let at = at.index(octets.len());
                octets.splice(at..at, more.iter().copied());
            }
            Self::Repeat(from, to) => {
                let (one, other) = (from.index(octets.len()), to.index(octets.len()));
                let part = octets[one.min(other)..one.max(other)].to_vec();
                octets.extend(part);
            }
        }
    }
}

fn any_mutation() -> impl Strategy<Value = Mutation> {
    // Lengths, counts and pointers break at these.
    let octet = prop_oneof![
        Just(0),
        Just(1),
        Just(0x3f),
        Just(0x40),
        Just(0xc0),
        Just(0xff),
        any::<u8>()
    ];
    prop_oneof![
        4 => (any::<Index>(), octet).prop_map(|(at, octet)| Mutation::Set(at, octet)),
        4 => (any::<Index>(), 0_u8..8).prop_map(|(at, bit)| Mutation::Flip(at, bit)),
        1 => any::<Index>().prop_map(Mutation::Cut),
        1 => (any::<Index>(), prop::collection::vec(any::<u8>(), 1..20))
            .prop_map(|(at, more)| Mutation::Insert(at, more)),
        1 => (any::<Index>(), any::<Index>()).prop_map(|(from, to)| Mutation::Repeat(from, to)),
    ]
}

proptest! {
    #[test]
    fn random_octets_panic_nowhere(octets in prop::collection::vec(any::<u8>(), 0..600)) {
        for (_, target) in TARGETS {
            target(&octets);
        }
    }

    #[test]
    fn mutations_of_what_is_stored_panic_nowhere(
        seed in any::<Index>(),
        mutations in prop::collection::vec(any_mutation(), 1..6),
    ) {
        for (name, target) in TARGETS {
            let inputs = corpus(name);
            let mut octets = seed.get(&inputs).1.clone();
            for mutation in &mutations {
                mutation.apply(&mut octets);
            }
            target(&octets);
        }
    }
}
