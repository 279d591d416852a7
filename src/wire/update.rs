//! The guarded update of RFC 2136, one message for one RRset.
//!
//! Written octet by octet, not through hickory: its encoder drops the records that do not fit and
//! says Ok, and it spells names by rules of its own. Here the section counts and the records come
//! from the same slices, names go out as given, and only the owner is compressed: every RR after
//! the first points back to it, which makes room for half as many records again and which every
//! RFC 1035 decoder reads. SRV targets are never compressed (RFC 2782).

use hickory_proto::op::OpCode;
use hickory_proto::rr::{DNSClass, RecordType};

use super::query::{HEADER, header, question};
use super::reader::{Malformed, Reader};
use crate::model::{Name, Srv};

/// The longest message: its length travels in two octets over TCP (RFC 1035 §4.2.2).
const MAX_MESSAGE: usize = 65_535;
/// Type, class, TTL and RDLENGTH (RFC 1035 §4.1.3).
const RR_FIXED: usize = 10;
/// Priority, weight and port (RFC 2782).
const SRV_FIXED: usize = 6;
/// A compression pointer (RFC 1035 §4.1.4).
const POINTER: usize = 2;

/// What one update says. Every name and record goes out spelled as given.
#[derive(Debug, Clone, Copy)]
pub struct Update<'a> {
    /// The zone section: the zone found by its SOA.
    pub zone: &'a Name,
    /// The RRset's owner.
    pub owner: &'a Name,
    /// The whole RRset as read (§2.4.2); empty: "RRset does not exist" (§2.4.3).
    pub prerequisite: &'a [Srv],
    /// RRs to delete, as read (§2.5.4).
    pub deletes: &'a [Srv],
    /// RRs to add (§2.5.1).
    pub adds: &'a [Srv],
    /// The TTL of the RRs added, in seconds.
    pub ttl: u32,
}

/// Why an update cannot be encoded.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum UpdateError {
    /// The message would not fit its length field.
    #[error(
        "the update has {needed} octets with its signature, and a DNS message holds 65,535; publish fewer hosts in this zone"
    )]
    TooLarge {
        /// Octets needed, signature included.
        needed: usize,
    },
    /// The server would answer NOTZONE.
    #[error(
        "{owner} does not lie in the zone {zone}; configure the server that serves the zone of {owner}"
    )]
    OutsideZone {
        /// The RRset's owner.
        owner: Name,
        /// The zone of the zone section.
        zone: Name,
    },
}

/// Encodes with ID 0; `reserve` octets are kept for the TSIG RR.
///
/// Prerequisites go first, then deletes, then adds, each in the order given.
pub fn encode(update: &Update<'_>, reserve: usize) -> Result<Vec<u8>, UpdateError> {
    if !update.owner.is_within(update.zone) {
        return Err(UpdateError::OutsideZone {
            owner: update.owner.clone(),
            zone: update.zone.clone(),
        });
    }
    let needed = encoded_length(update).saturating_add(reserve);
    let too_large = || UpdateError::TooLarge { needed };
    if needed > MAX_MESSAGE {
        return Err(too_large());
    }
    let prerequisites = u16::try_from(update.prerequisite.len().max(1)).map_err(|_| too_large())?;
    let changes =
        u16::try_from(update.deletes.len() + update.adds.len()).map_err(|_| too_large())?;

    let mut message = Vec::with_capacity(needed);
    header(&mut message, OpCode::Update, [1, prerequisites, changes, 0]);
    question(&mut message, update.zone, RecordType::SOA);
    let mut records = Records {
        owner: update.owner,
        owner_offset: None,
        message,
    };
    if update.prerequisite.is_empty() {
        records.push(DNSClass::NONE, 0, None);
    }
    for srv in update.prerequisite {
        records.push(DNSClass::IN, 0, Some(srv));
    }
    for srv in update.deletes {
        records.push(DNSClass::NONE, 0, Some(srv));
    }
    for srv in update.adds {
        records.push(DNSClass::IN, update.ttl, Some(srv));
    }
    Ok(records.message)
}

/// The zone that an encoded update is for.
pub fn zone(message: &[u8]) -> Result<Name, Malformed> {
    let mut reader = Reader::new(message);
    reader.slice(HEADER)?;
    reader.name()
}

/// The octets of the message without its signature.
fn encoded_length(update: &Update<'_>) -> usize {
    let zone_section = update.zone.wire().len() + 4;
    let every = [update.prerequisite, update.deletes, update.adds];
    let count: usize = every.iter().map(|section| section.len()).sum();
    let does_not_exist = usize::from(update.prerequisite.is_empty());
    let rdata: usize = every
        .into_iter()
        .flatten()
        .map(|srv| SRV_FIXED + srv.target.wire().len())
        .sum();
    let first_owner = update.owner.wire().len() - POINTER;
    HEADER + zone_section + first_owner + (count + does_not_exist) * (POINTER + RR_FIXED) + rdata
}

/// The RRs of one owner, appended one by one.
struct Records<'a> {
    owner: &'a Name,
    /// Where the owner stands in the message, once it does.
    owner_offset: Option<u16>,
    message: Vec<u8>,
}

impl Records<'_> {
    fn push(&mut self, class: DNSClass, ttl: u32, srv: Option<&Srv>) {
        self.push_owner();
        let target = srv.map_or(&[][..], |srv| srv.target.wire());
        let fixed = srv.map_or(0, |_| SRV_FIXED);
        // At most 6 + 255 octets.
        let length = u16::try_from(fixed + target.len()).unwrap_or(u16::MAX);
        self.push_u16(u16::from(RecordType::SRV));
        self.push_u16(u16::from(class));
        self.message.extend_from_slice(&ttl.to_be_bytes());
        self.push_u16(length);
        if let Some(srv) = srv {
            self.push_u16(srv.priority);
            self.push_u16(srv.weight);
            self.push_u16(srv.port);
            self.message.extend_from_slice(target);
        }
    }

    /// The owner in full the first time, a pointer to it afterwards (RFC 1035 §4.1.4).
    fn push_owner(&mut self) {
        if let Some(offset) = self.owner_offset {
            self.push_u16(0xC000 | offset);
            return;
        }
        // Behind the header and a zone section, so below 2^14.
        self.owner_offset = u16::try_from(self.message.len()).ok();
        self.message.extend_from_slice(self.owner.wire());
    }

    fn push_u16(&mut self, value: u16) {
        self.message.extend_from_slice(&value.to_be_bytes());
    }
}

#[cfg(test)]
mod tests {
    use hickory_proto::op::{Message, MessageType};
    use hickory_proto::rr::{RData, Record};
    use proptest::prelude::*;

    use super::*;
    use crate::wire::convert;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    fn srv(port: u16, target: &str) -> Srv {
        Srv {
            priority: 1,
            weight: 2,
            port,
            target: name(target),
        }
    }

    /// Class, TTL and data of each record; the owner is checked on the way.
    fn seen(records: &[Record], owner: &Name) -> Vec<(DNSClass, u32, Option<Srv>)> {
        records
            .iter()
            .map(|record| {
                assert!(
                    convert::from_hickory(&record.name)
                        .unwrap()
                        .same_spelling(owner)
                );
                assert_eq!(record.record_type(), RecordType::SRV);
                let srv = match &record.data {
                    RData::SRV(data) => Some(Srv {
                        priority: data.priority,
                        weight: data.weight,
                        port: data.port,
                        target: convert::from_hickory(&data.target).unwrap(),
                    }),
                    RData::Update0(_) => None,
                    other => panic!("unexpected data {other:?}"),
                };
                (record.dns_class, record.ttl, srv)
            })
            .collect()
    }

    /// Encodes, decodes with hickory, and compares every section with what was meant.
    fn assert_means(update: &Update<'_>) {
        let message = Message::from_vec(&encode(update, 0).unwrap()).unwrap();
        assert_eq!(message.metadata.id, 0);
        assert_eq!(message.metadata.message_type, MessageType::Query);
        assert_eq!(message.metadata.op_code, OpCode::Update);
        assert_eq!(message.queries.len(), 1);
        assert_eq!(message.queries[0].query_type(), RecordType::SOA);
        assert_eq!(message.queries[0].query_class(), DNSClass::IN);
        let zone = convert::from_hickory(message.queries[0].name()).unwrap();
        assert!(zone.same_spelling(update.zone));

        let mut prerequisites: Vec<_> = update
            .prerequisite
            .iter()
            .map(|srv| (DNSClass::IN, 0, Some(srv.clone())))
            .collect();
        if prerequisites.is_empty() {
            prerequisites.push((DNSClass::NONE, 0, None));
        }
        let deletes = update.deletes.iter().map(|srv| (DNSClass::NONE, 0, srv));
        let adds = update
            .adds
            .iter()
            .map(|srv| (DNSClass::IN, update.ttl, srv));
        let changes: Vec<_> = deletes
            .chain(adds)
            .map(|(class, ttl, srv)| (class, ttl, Some(srv.clone())))
            .collect();
        for (records, expected) in [
            (&message.answers, prerequisites),
            (&message.authorities, changes),
        ] {
            let seen = seen(records, update.owner);
            assert_eq!(seen, expected);
            for ((_, _, one), (_, _, other)) in seen.iter().zip(&expected) {
                if let (Some(one), Some(other)) = (one, other) {
                    assert!(one.same_spelling(other));
                }
            }
        }
        assert!(message.additionals.is_empty());
    }

    #[test]
    fn the_sections_say_what_was_meant() {
        let zone = name("corp.example.");
        let owner = name("_vlmcs._tcp.Corp.example.");
        let one = [
            srv(1688, "KMS1.corp.example."),
            srv(1688, "kms2.corp.example."),
        ];
        let other = [srv(1689, "kms3.corp.example."), srv(1, ".")];
        for (prerequisite, deletes, adds) in [
            (&one[..], &one[..1], &other[..]),
            (&[][..], &[][..], &other[..]),
            (&one[..], &one[..], &[][..]),
            (&[][..], &[][..], &[][..]),
        ] {
            assert_means(&Update {
                zone: &zone,
                owner: &owner,
                prerequisite,
                deletes,
                adds,
                ttl: 3600,
            });
        }
    }

    #[test]
    fn targets_are_not_compressed() {
        let target = name("kms1.corp.example.");
        let adds = [srv(1688, "kms1.corp.example.")];
        let octets = encode(
            &Update {
                zone: &name("corp.example."),
                owner: &name("_vlmcs._tcp.corp.example."),
                prerequisite: &[],
                deletes: &[],
                adds: &adds,
                ttl: 60,
            },
            0,
        )
        .unwrap();
        assert!(octets.ends_with(target.wire()));
    }

    #[test]
    fn an_owner_outside_the_zone_is_refused() {
        let (zone, owner) = (name("corp.example."), name("_vlmcs._tcp.other.example."));
        let update = Update {
            zone: &zone,
            owner: &owner,
            prerequisite: &[],
            deletes: &[],
            adds: &[],
            ttl: 60,
        };
        assert_eq!(
            encode(&update, 0),
            Err(UpdateError::OutsideZone {
                owner: owner.clone(),
                zone: zone.clone()
            })
        );
    }

    #[test]
    fn what_does_not_fit_is_refused_and_never_cut() {
        let zone = name("corp.example.");
        let owner = name("_vlmcs._tcp.corp.example.");
        let adds: Vec<Srv> = (0..2_000)
            .map(|index| srv(index, "kms1.corp.example."))
            .collect();
        let update = |adds| Update {
            zone: &zone,
            owner: &owner,
            prerequisite: &[],
            deletes: &[],
            adds,
            ttl: 60,
        };
        let fitting = (1..adds.len())
            .take_while(|&count| encode(&update(&adds[..count]), 100).is_ok())
            .last()
            .unwrap();
        let encoded = encode(&update(&adds[..fitting]), 100).unwrap();
        assert!(encoded.len() <= MAX_MESSAGE - 100);
        assert_eq!(
            Message::from_vec(&encoded).unwrap().authorities.len(),
            fitting
        );
        let one_more = &adds[..=fitting];
        let Err(UpdateError::TooLarge { needed }) = encode(&update(one_more), 100) else {
            panic!("{} records were taken", one_more.len());
        };
        assert!(needed > MAX_MESSAGE);
        // Without the signature one more record fits: the reserve is counted, not guessed.
        assert_eq!(encode(&update(one_more), 0).unwrap().len(), needed - 100);
    }

    prop_compose! {
        fn any_srv()(priority: u16, weight: u16, port: u16, labels in prop::collection::vec("[a-zA-Z0-9-]{1,20}", 0..6)) -> Srv {
            Srv { priority, weight, port, target: name(&(labels.join(".") + ".")) }
        }
    }

    proptest! {
        #[test]
        fn any_update_survives_hickory(
            prerequisite in prop::collection::vec(any_srv(), 0..12),
            deletes in prop::collection::vec(any_srv(), 0..12),
            adds in prop::collection::vec(any_srv(), 0..12),
            ttl: u32,
            zone in "([a-zA-Z]{1,9}\\.){1,4}",
        ) {
            let zone = name(&zone);
            let owner = zone.prefixed(&name("_vlmcs._tcp")).unwrap();
            let update = Update { zone: &zone, owner: &owner, prerequisite: &prerequisite, deletes: &deletes, adds: &adds, ttl };
            assert_means(&update);
            prop_assert_eq!(encode(&update, 0).unwrap().len(), encoded_length(&update));
        }
    }
}
