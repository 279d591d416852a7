//! A received DNS message, taken apart where it lies (RFC 1035 §4.1).
//!
//! [`Message::read`] walks over the whole of it once, so that every record is where its fields say;
//! names and data are read when they are asked for. Nothing is copied before that.

use std::net::{IpAddr, Ipv4Addr, Ipv6Addr};

use hickory_proto::rr::{DNSClass, RecordType};

use super::reader::{Malformed, Reader, malformed};
use crate::model::{Name, Rcode, Srv};

/// The fewest octets of a record: the root, type, class, TTL and no data.
const SHORTEST_RECORD: usize = 11;

/// The header (RFC 1035 §4.1.1), as far as it matters in an answer.
#[derive(Debug, Clone, Copy)]
pub(super) struct Header {
    pub(super) is_response: bool,
    pub(super) opcode: u8,
    pub(super) is_authoritative: bool,
    pub(super) is_truncated: bool,
    /// The lower four bits of the code; the upper ones stand in an OPT record (RFC 6891 §6.1.3).
    pub(super) rcode: Rcode,
    pub(super) questions: u16,
    answers: u16,
    authorities: u16,
    additionals: u16,
}

/// A message whose records are all there.
#[derive(Debug)]
pub(super) struct Message<'m> {
    pub(super) is_authoritative: bool,
    pub(super) is_truncated: bool,
    /// With the upper bits of an OPT record.
    pub(super) rcode: Rcode,
    /// The first question.
    pub(super) question: Option<Question<'m>>,
    /// Of all sections, in order.
    records: Vec<Record<'m>>,
    /// Where AUTHORITY begins among them, and where ADDITIONAL does.
    authorities: usize,
    additionals: usize,
}

/// What the message says that it was asked.
#[derive(Debug, Clone, Copy)]
pub(super) struct Question<'m> {
    name: Reader<'m>,
    pub(super) record_type: RecordType,
    pub(super) class: DNSClass,
}

/// A resource record (RFC 1035 §4.1.3).
#[derive(Debug, Clone, Copy)]
pub(super) struct Record<'m> {
    owner: Reader<'m>,
    pub(super) record_type: RecordType,
    pub(super) class: DNSClass,
    pub(super) ttl: u32,
    data: Reader<'m>,
    length: usize,
}

/// The data of an SOA record (RFC 1035 §3.3.13), without its mailbox.
#[derive(Debug)]
pub(super) struct SoaData {
    pub(super) mname: Name,
    pub(super) serial: u32,
    pub(super) refresh: u32,
    pub(super) retry: u32,
    pub(super) expire: u32,
    pub(super) minimum: u32,
}

impl Header {
    /// Reads the first twelve octets.
    pub(super) fn read(message: &[u8]) -> Result<Self, Malformed> {
        Self::step(&mut Reader::new(message))
    }

    fn step(reader: &mut Reader<'_>) -> Result<Self, Malformed> {
        let _id = reader.u16()?;
        let flags = reader.u16()?;
        let is_set = |bit: u16| flags & bit != 0;
        Ok(Self {
            is_response: is_set(0x8000),
            opcode: u8::try_from(flags >> 11 & 0xf).unwrap_or_default(),
            is_authoritative: is_set(0x0400),
            is_truncated: is_set(0x0200),
            rcode: Rcode(flags & 0xf),
            questions: reader.u16()?,
            answers: reader.u16()?,
            authorities: reader.u16()?,
            additionals: reader.u16()?,
        })
    }
}

impl<'m> Message<'m> {
    /// Walks over `message`; octets after its last record do not count.
    pub(super) fn read(message: &'m [u8]) -> Result<Self, Malformed> {
        let mut reader = Reader::new(message);
        let header = Header::step(&mut reader)?;
        let mut question = None;
        for _ in 0..header.questions {
            let read = Question::step(&mut reader)?;
            question.get_or_insert(read);
        }
        let authorities = usize::from(header.answers);
        let additionals = authorities + usize::from(header.authorities);
        let claimed = additionals + usize::from(header.additionals);
        // No more than there can be, whatever the header claims.
        let mut records = Vec::with_capacity(claimed.min(message.len() / SHORTEST_RECORD));
        let mut upper_rcode = None;
        for index in 0..claimed {
            let start = reader.offset;
            let record = Record::step(&mut reader)?;
            if record.record_type == RecordType::OPT
                && (index < additionals || upper_rcode.replace(record.ttl >> 24).is_some())
            {
                return Err(malformed(start, "an OPT record that does not belong"));
            }
            records.push(record);
        }
        let upper = u16::try_from(upper_rcode.unwrap_or_default()).unwrap_or_default();
        Ok(Self {
            is_authoritative: header.is_authoritative,
            is_truncated: header.is_truncated,
            rcode: Rcode(upper << 4 | header.rcode.0),
            question,
            records,
            authorities,
            additionals,
        })
    }

    /// The records of ANSWER.
    pub(super) fn answers(&self) -> &[Record<'m>] {
        self.records.get(..self.authorities).unwrap_or_default()
    }

    /// The records of AUTHORITY.
    pub(super) fn authorities(&self) -> &[Record<'m>] {
        let section = self.authorities..self.additionals;
        self.records.get(section).unwrap_or_default()
    }

    /// The records of ADDITIONAL.
    pub(super) fn additionals(&self) -> &[Record<'m>] {
        self.records.get(self.additionals..).unwrap_or_default()
    }
}

impl<'m> Question<'m> {
    fn step(reader: &mut Reader<'m>) -> Result<Self, Malformed> {
        let name = *reader;
        reader.skip_name()?;
        Ok(Self {
            name,
            record_type: reader.u16()?.into(),
            class: reader.u16()?.into(),
        })
    }

    /// True when it asks for `name`.
    pub(super) fn is_of(&self, name: &Name) -> Result<bool, Malformed> {
        self.name.is_at(name)
    }
}

impl<'m> Record<'m> {
    fn step(reader: &mut Reader<'m>) -> Result<Self, Malformed> {
        let owner = *reader;
        reader.skip_name()?;
        let record_type = reader.u16()?.into();
        let class = reader.u16()?.into();
        let ttl = reader.array().map(u32::from_be_bytes)?;
        let length = usize::from(reader.u16()?);
        let data = *reader;
        reader.slice(length)?;
        Ok(Self {
            owner,
            record_type,
            class,
            ttl,
            data,
            length,
        })
    }

    /// Its owner.
    pub(super) fn owner(&self) -> Result<Name, Malformed> {
        let mut owner = self.owner;
        owner.name()
    }

    /// True when `name` owns it.
    pub(super) fn is_of(&self, name: &Name) -> Result<bool, Malformed> {
        self.owner.is_at(name)
    }

    /// The data of an SRV record (RFC 2782).
    pub(super) fn srv(&self) -> Result<Srv, Malformed> {
        self.whole(|data| {
            Ok(Srv {
                priority: data.u16()?,
                weight: data.u16()?,
                port: data.u16()?,
                target: data.name()?,
            })
        })
    }

    /// The data of an SOA record.
    pub(super) fn soa(&self) -> Result<SoaData, Malformed> {
        self.whole(|data| {
            let mname = data.name()?;
            data.skip_name()?;
            let [serial, refresh, retry, expire, minimum] = {
                let mut number = || data.array().map(u32::from_be_bytes);
                [number()?, number()?, number()?, number()?, number()?]
            };
            Ok(SoaData {
                mname,
                serial,
                refresh,
                retry,
                expire,
                minimum,
            })
        })
    }

    /// The name that is all the data of an NS or a CNAME record.
    pub(super) fn target(&self) -> Result<Name, Malformed> {
        self.whole(Reader::name)
    }

    /// The address in an A or AAAA record; `None` for any other.
    pub(super) fn address(&self) -> Result<Option<IpAddr>, Malformed> {
        match self.record_type {
            RecordType::A => self.whole(|data| {
                let address: [u8; 4] = data.array()?;
                Ok(Some(Ipv4Addr::from(address).into()))
            }),
            RecordType::AAAA => self.whole(|data| {
                let address: [u8; 16] = data.array()?;
                Ok(Some(Ipv6Addr::from(address).into()))
            }),
            _ => Ok(None),
        }
    }

    /// The strings of a TXT record, one after the other.
    pub(super) fn text(&self) -> Result<Vec<u8>, Malformed> {
        let end = self.data.offset + self.length;
        self.whole(|data| {
            let mut text = Vec::with_capacity(self.length);
            while data.offset < end {
                let [length] = data.array()?;
                text.extend_from_slice(data.slice(usize::from(length))?);
            }
            Ok(text)
        })
    }

    /// Reads the data, to its last octet and no further.
    fn whole<T>(
        &self,
        read: impl FnOnce(&mut Reader<'m>) -> Result<T, Malformed>,
    ) -> Result<T, Malformed> {
        let mut data = self.data;
        let value = read(&mut data)?;
        if data.offset != self.data.offset + self.length {
            return Err(self
                .data
                .error("a record whose length does not fit its fields"));
        }
        Ok(value)
    }
}

#[cfg(test)]
mod tests;
