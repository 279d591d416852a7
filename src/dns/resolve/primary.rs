//! The primary of a zone, by its SOA (RFC 2136 §4.3).
//!
//! The zone is found from the owner upwards: a negative answer carries the SOA of the enclosing
//! zone (RFC 2308 §2), so one question is enough wherever the name servers follow that. The MNAME
//! is a hint, and only one of the zone's own name servers is believed: a hidden primary must be
//! named.

use std::fmt;
use std::net::{IpAddr, SocketAddr};

use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{Name as WireName, RData, RecordType};

use super::{Reply, ResolveError, Resolver, ask, to_wire};
use crate::model::Name;
use crate::wire::convert;

/// Where a zone starts: its SOA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Start {
    /// The zone, an ancestor of the name asked for, or that name itself.
    pub zone: Name,
    /// MNAME: who the primary is said to be.
    pub primary: Name,
}

/// A zone's primary, found by its SOA.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct FoundPrimary {
    /// Where it listens, in the order to be tried.
    pub addresses: Vec<SocketAddr>,
    /// The zone's name servers, it among them.
    pub name_servers: Vec<Name>,
}

/// Why a zone's primary is not known.
///
/// Its text is complete, causes included, so it has no source.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum PrimaryError {
    /// DNS could not be asked.
    #[error("{0}; or name the primary with servers = [\"…\"]")]
    Lookup(ResolveError),
    /// No zone stands between the name and the root.
    #[error(
        "the name servers in /etc/resolv.conf know no zone above {owner}; let them resolve it, or name the primary with servers = [\"…\"]"
    )]
    NoZone {
        /// The name asked for.
        owner: Name,
    },
    /// The primary that the SOA names serves nobody.
    #[error(
        "SOA MNAME {primary} is not among the NS of {zone} ({}): hidden or wrong primary; name it with servers = [\"…\"]",
        List(name_servers)
    )]
    NotANameServer {
        /// The zone.
        zone: Name,
        /// MNAME.
        primary: Name,
        /// The zone's name servers.
        name_servers: Vec<Name>,
    },
    /// The primary's name leads nowhere.
    #[error(
        "the primary of {zone}, {primary}, has no address; add its A or AAAA record, or name the primary with servers = [\"…\"]"
    )]
    NoAddress {
        /// The zone.
        zone: Name,
        /// MNAME.
        primary: Name,
    },
}

impl From<ResolveError> for PrimaryError {
    fn from(error: ResolveError) -> Self {
        Self::Lookup(error)
    }
}

/// `ns1.corp.example. ns2.corp.example.`, or `none`.
struct List<'a>(&'a [Name]);

impl fmt::Display for List<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.0.is_empty() {
            return f.write_str("none");
        }
        for (index, name) in self.0.iter().enumerate() {
            let space = if index == 0 { "" } else { " " };
            write!(f, "{space}{name}")?;
        }
        Ok(())
    }
}

impl Resolver {
    /// Finds the zone that a name stands in, and who its primary is said to be.
    ///
    /// Asks for the SOA at `owner`, then label by label upwards as long as the answers name no
    /// zone. The root is nobody's zone to update. Each question takes 5 seconds at the most.
    pub async fn start_of(&self, owner: &Name) -> Result<Start, PrimaryError> {
        let mut name = Some(owner.clone());
        while let Some(asked) = name.filter(|name| !name.is_root()) {
            let reply = self.ask(&asked, RecordType::SOA).await?;
            if let Some(start) = start_in(&reply, owner) {
                return match start.zone.is_root() {
                    true => Err(no_zone(owner)),
                    false => Ok(start),
                };
            }
            name = asked.parent();
        }
        Err(no_zone(owner))
    }

    /// A zone's primary: MNAME, when it is one of the zone's name servers.
    pub async fn primary(&self, start: &Start) -> Result<FoundPrimary, PrimaryError> {
        let Start { zone, primary } = start;
        let name_servers = self.name_servers(zone).await?;
        if !name_servers.contains(primary) {
            return Err(PrimaryError::NotANameServer {
                zone: zone.clone(),
                primary: primary.clone(),
                name_servers,
            });
        }
        let addresses = self.name_server(primary).await?;
        if addresses.is_empty() {
            return Err(PrimaryError::NoAddress {
                zone: zone.clone(),
                primary: primary.clone(),
            });
        }
        Ok(FoundPrimary {
            addresses,
            name_servers,
        })
    }

    /// The names of a zone's name servers, as the resolver knows them.
    pub async fn name_servers(&self, zone: &Name) -> Result<Vec<Name>, ResolveError> {
        Ok(name_servers_in(&self.ask(zone, RecordType::NS).await?))
    }

    /// Where the name server of this name listens; empty when the name has no address.
    pub async fn name_server(&self, name: &Name) -> Result<Vec<SocketAddr>, ResolveError> {
        let addresses = self.addresses(name).await?;
        Ok(self.at_port(addresses))
    }

    /// Where name servers at these addresses listen.
    pub fn at_port(&self, addresses: Vec<IpAddr>) -> Vec<SocketAddr> {
        let at_port = |address| SocketAddr::new(address, self.primary_port);
        addresses.into_iter().map(at_port).collect()
    }

    /// True when the server at this address is one of the zone's name servers; an error where one
    /// of these cannot be looked up, so that it may be that one.
    pub async fn is_name_server(
        &self,
        found: &FoundPrimary,
        address: SocketAddr,
    ) -> Result<bool, ResolveError> {
        let mut unknown = None;
        for name in &found.name_servers {
            match self.name_server(name).await {
                Ok(addresses) if addresses.contains(&address) => return Ok(true),
                Ok(_) => {}
                Err(error) => unknown = Some(error),
            }
        }
        unknown.map_or(Ok(false), Err)
    }

    async fn ask(&self, name: &Name, record_type: RecordType) -> Result<Reply, ResolveError> {
        let servers = self.servers.as_ref().map_err(Clone::clone)?;
        ask(servers, name, &to_wire(name)?, record_type).await
    }
}

fn no_zone(owner: &Name) -> PrimaryError {
    PrimaryError::NoZone {
        owner: owner.clone(),
    }
}

/// The zone that an answer names. One of another branch comes from an alias, and is not the owner's.
fn start_in(reply: &Reply, owner: &Name) -> Option<Start> {
    let answered = reply.answers.iter().find_map(|record| match &record.data {
        RData::SOA(soa) => start(&record.name, soa),
        _ => None,
    });
    let denied = || {
        let record = reply.soa.as_deref()?;
        start(&record.name, &record.data)
    };
    answered
        .or_else(denied)
        .filter(|start| owner.is_within(&start.zone))
}

fn start(zone: &WireName, soa: &SOA) -> Option<Start> {
    Some(Start {
        zone: convert::from_hickory(zone).ok()?,
        primary: convert::from_hickory(&soa.mname).ok()?,
    })
}

fn name_servers_in(reply: &Reply) -> Vec<Name> {
    reply
        .answers
        .iter()
        .filter_map(|record| match &record.data {
            RData::NS(name) => convert::from_hickory(name).ok(),
            _ => None,
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use hickory_resolver::proto::op::ResponseCode;

    use super::super::scripted::{Say, serve};
    use super::*;
    use crate::model::Rcode;

    const OWNER: &str = "_vlmcs._tcp.eu.corp.example.";
    const PORT: u16 = 5301;

    fn name(text: &str) -> Name {
        Name::parse(text).unwrap()
    }

    async fn resolver(script: impl Fn(&str, RecordType) -> Say + Send + 'static) -> Resolver {
        Resolver::with_name_servers(&[serve(script).await]).with_primary_port(PORT)
    }

    async fn find(
        script: impl Fn(&str, RecordType) -> Say + Send + 'static,
    ) -> Result<Vec<SocketAddr>, PrimaryError> {
        let resolver = resolver(script).await;
        let start = resolver.start_of(&name(OWNER)).await?;
        Ok(resolver.primary(&start).await?.addresses)
    }

    /// A zone whose MNAME is ns1, with these name servers; ns1 has an address.
    fn zone(name_servers: &'static [&'static str]) -> impl Fn(&str, RecordType) -> Say {
        move |name, record_type| match (name, record_type) {
            ("corp.example.", RecordType::NS) => Say::NameServers(name_servers),
            ("ns1.corp.example.", RecordType::A) => {
                Say::Addresses(vec!["192.0.2.53".parse().unwrap()])
            }
            ("ns1.corp.example.", _) => Say::NoData,
            _ => Say::NxDomain,
        }
    }

    #[tokio::test]
    async fn the_primary_is_the_mname_among_the_name_servers_in_any_letter_case() {
        let found = find(zone(&["ns2.corp.example.", "NS1.corp.example."])).await;
        assert_eq!(found, Ok(vec!["192.0.2.53:5301".parse().unwrap()]));
    }

    #[tokio::test]
    async fn one_question_finds_the_enclosing_zone() {
        let asked = Arc::new(Mutex::new(Vec::new()));
        let log = Arc::clone(&asked);
        let resolver = resolver(move |name, record_type| {
            log.lock().unwrap().push((name.to_owned(), record_type));
            Say::NxDomain
        })
        .await;
        let start = resolver.start_of(&name(OWNER)).await.unwrap();
        assert_eq!(start.zone, name("corp.example."));
        assert_eq!(start.primary, name("ns1.corp.example."));
        assert_eq!(
            *asked.lock().unwrap(),
            [(OWNER.to_owned(), RecordType::SOA)]
        );
    }

    #[tokio::test]
    async fn without_an_soa_the_search_goes_upwards() {
        let resolver = resolver(|name, _| match name {
            "eu.corp.example." => Say::Soa("dc1.corp.example."),
            _ => Say::NoDataWithoutSoa,
        })
        .await;
        let start = resolver.start_of(&name(OWNER)).await.unwrap();
        assert_eq!(start.zone, name("eu.corp.example."));
        assert_eq!(start.primary, name("dc1.corp.example."));
    }

    #[tokio::test]
    async fn the_root_is_no_zone_to_update() {
        let nowhere = find(|_, _| Say::NoDataWithoutSoa).await;
        assert_eq!(nowhere, Err(no_zone(&name(OWNER))));
        let root = find(|_, _| Say::NxDomainIn(".")).await;
        assert_eq!(root, Err(no_zone(&name(OWNER))));
    }

    #[tokio::test]
    async fn the_zone_of_another_branch_is_not_the_owners() {
        let elsewhere = find(|_, _| Say::NxDomainIn("corp.test.")).await;
        assert_eq!(elsewhere, Err(no_zone(&name(OWNER))));
    }

    #[tokio::test]
    async fn a_primary_outside_the_name_servers_must_be_named() {
        let found = find(zone(&["ns2.corp.example.", "ns3.corp.example."])).await;
        assert_eq!(
            found.unwrap_err().to_string(),
            "SOA MNAME ns1.corp.example. is not among the NS of corp.example. \
             (ns2.corp.example. ns3.corp.example.): hidden or wrong primary; \
             name it with servers = [\"…\"]"
        );
    }

    #[tokio::test]
    async fn a_primary_without_an_address_is_an_error() {
        let found = find(|name, record_type| match (name, record_type) {
            ("corp.example.", RecordType::NS) => Say::NameServers(&["ns1.corp.example."]),
            ("ns1.corp.example.", _) => Say::NoData,
            _ => Say::NxDomain,
        })
        .await;
        assert!(matches!(found, Err(PrimaryError::NoAddress { .. })));
    }

    #[tokio::test]
    async fn a_lookup_that_fails_says_so_and_how_to_do_without() {
        let found = find(|_, _| Say::Code(ResponseCode::ServFail)).await;
        let error = found.unwrap_err();
        assert_eq!(
            error,
            PrimaryError::Lookup(ResolveError::Answered {
                name: name(OWNER),
                rcode: Rcode::SERVFAIL,
            })
        );
        assert!(error.to_string().contains("servers ="), "{error}");
    }
}
