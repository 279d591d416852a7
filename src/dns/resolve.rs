//! Names to addresses for probes, and zones to their primaries, with the system's resolver
//! configuration.
//!
//! Absolute names only: no search list. `/etc/hosts` comes first, and a name that stands there is
//! asked of no name server, as with `hosts: files dns`.

mod primary;

pub use primary::{FoundPrimary, PrimaryError, Start};

use std::net::{IpAddr, SocketAddr};
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError, NoRecords};
use hickory_resolver::proto::op::{Query, ResponseCode};
use hickory_resolver::proto::rr::rdata::SOA;
use hickory_resolver::proto::rr::{Name as WireName, RData, Record, RecordType};
use hickory_resolver::{Hosts, TokioResolver, system_conf};

use crate::model::{Name, Rcode};
use crate::wire::convert;

/// Where primaries listen, unless a test says otherwise.
const DNS_PORT: u16 = 53;
/// The longest a lookup may take, over all name servers and tries.
const LIMIT: Duration = Duration::from_secs(5);
/// The longest one try may take, so that the limit leaves room for another.
const TRY_LIMIT: Duration = Duration::from_secs(2);
/// The longest that "no such name" is remembered: a repaired name is probed soon.
const NEGATIVE_LIMIT: Duration = Duration::from_secs(30);

/// Finds the addresses of hosts and the primaries of zones.
///
/// The configuration and `/etc/hosts` are read once. A new one is cheap: a daemon makes one at each
/// full reconcile, and so follows changes of both.
pub struct Resolver {
    hosts: Hosts,
    /// A configuration that cannot be used stops only those lookups that need a name server.
    servers: Result<TokioResolver, ResolveError>,
    /// Where the primaries and other name servers found listen.
    primary_port: u16,
}

/// Why nothing can be said about a name's addresses; never that it has none.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ResolveError {
    /// `/etc/resolv.conf` is missing, broken, or names no name server.
    #[error(
        "the system's resolver configuration cannot be used ({text}); repair /etc/resolv.conf, or write addresses in place of names"
    )]
    Configuration {
        /// What is wrong with it.
        text: String,
    },
    /// No name server answered in time.
    #[error(
        "no name server answered for {name} within {LIMIT:?}; check the name servers in /etc/resolv.conf"
    )]
    TimedOut {
        /// The name asked for.
        name: Name,
    },
    /// A name server answered with an error.
    #[error("the name server answered {rcode} for {name}")]
    Answered {
        /// The name asked for.
        name: Name,
        /// The response code.
        rcode: Rcode,
    },
    /// The answer passes the question on to other servers.
    #[error(
        "the name server answered for {name} with a referral; the servers in /etc/resolv.conf must be recursive"
    )]
    Referral {
        /// The name asked for.
        name: Name,
    },
    /// Anything else, in the resolver's words.
    #[error("{name} could not be resolved: {text}")]
    Failed {
        /// The name asked for.
        name: Name,
        /// The resolver's words.
        text: String,
    },
}

impl Resolver {
    /// Uses `/etc/resolv.conf` and `/etc/hosts`.
    ///
    /// Never fails: what is wrong with the configuration is the answer to each lookup that needs it.
    pub fn system() -> Self {
        let hosts = Hosts::from_system().unwrap_or_default();
        let servers = match system_conf::read_system_conf() {
            Ok((config, options)) => build(config, options),
            Err(error) => Err(configuration_error(&error)),
        };
        Self {
            hosts,
            servers,
            primary_port: DNS_PORT,
        }
    }

    /// Uses these name servers, and no hosts file.
    pub fn with_name_servers(name_servers: &[SocketAddr]) -> Self {
        let name_servers = name_servers.iter().map(name_server).collect();
        Self {
            hosts: Hosts::default(),
            servers: build(
                ResolverConfig::from_name_servers(name_servers),
                ResolverOpts::default(),
            ),
            primary_port: DNS_PORT,
        }
    }

    /// Takes this port as the one where primaries and other name servers listen, in place of 53.
    #[must_use]
    pub fn with_primary_port(self, primary_port: u16) -> Self {
        Self {
            primary_port,
            ..self
        }
    }

    /// The IPv4 and IPv6 addresses of a name; empty when the name has none or does not exist.
    ///
    /// One family is enough: when the other cannot be asked, the addresses found are the answer, as
    /// they are for every client. When none is found and one family could not be asked, the answer
    /// is an error. Takes 5 seconds at the most.
    pub async fn addresses(&self, name: &Name) -> Result<Vec<IpAddr>, ResolveError> {
        let wire_name = to_wire(name)?;
        let local = self.local_addresses(&wire_name);
        if !local.is_empty() {
            return Ok(local);
        }
        let servers = self.servers.as_ref().map_err(Clone::clone)?;
        let (v4, v6) = tokio::join!(
            lookup(servers, name, &wire_name, RecordType::A),
            lookup(servers, name, &wire_name, RecordType::AAAA),
        );
        match (v4, v6) {
            (Ok(v4), Ok(v6)) => Ok([v4, v6].concat()),
            (Ok(found), Err(_)) | (Err(_), Ok(found)) if !found.is_empty() => Ok(found),
            (Err(error), _) | (_, Err(error)) => Err(error),
        }
    }

    /// What a CNAME at the name points to; `None`: the name is no alias.
    pub async fn alias(&self, name: &Name) -> Result<Option<Name>, ResolveError> {
        let servers = self.servers.as_ref().map_err(Clone::clone)?;
        let reply = ask(servers, name, &to_wire(name)?, RecordType::CNAME).await?;
        Ok(reply.answers.iter().find_map(|record| match &record.data {
            RData::CNAME(target) if convert::is_same(&record.name, name) => {
                convert::from_hickory(target).ok()
            }
            _ => None,
        }))
    }

    /// What `/etc/hosts` says.
    fn local_addresses(&self, name: &WireName) -> Vec<IpAddr> {
        [RecordType::A, RecordType::AAAA]
            .into_iter()
            .filter_map(|record_type| {
                self.hosts
                    .lookup_static_host(&Query::query(name.clone(), record_type))
            })
            .flat_map(|lookup| addresses_in(lookup.answers()))
            .collect()
    }
}

/// The addresses of one family; empty for NXDOMAIN and NODATA.
async fn lookup(
    servers: &TokioResolver,
    name: &Name,
    wire_name: &WireName,
    record_type: RecordType,
) -> Result<Vec<IpAddr>, ResolveError> {
    let reply = ask(servers, name, wire_name, record_type).await?;
    Ok(addresses_in(&reply.answers))
}

/// What the name servers said to a question.
#[derive(Default)]
struct Reply {
    /// The answer section; empty for NXDOMAIN and NODATA (RFC 2308 §2).
    answers: Vec<Record>,
    /// The SOA that came with the word that there is no answer.
    soa: Option<Box<Record<SOA>>>,
}

async fn ask(
    servers: &TokioResolver,
    name: &Name,
    wire_name: &WireName,
    record_type: RecordType,
) -> Result<Reply, ResolveError> {
    let name = || name.clone();
    let answer = tokio::time::timeout(LIMIT, servers.lookup(wire_name.clone(), record_type))
        .await
        .unwrap_or(Err(NetError::Timeout));
    match answer {
        Ok(lookup) => Ok(Reply {
            answers: lookup.answers().to_vec(),
            soa: None,
        }),
        Err(NetError::Dns(DnsError::NoRecordsFound(no_records))) => {
            let code = no_records.response_code;
            match code {
                ResponseCode::NoError if is_referral(&no_records) => {
                    Err(ResolveError::Referral { name: name() })
                }
                ResponseCode::NXDomain | ResponseCode::NoError => Ok(Reply {
                    soa: no_records.soa,
                    ..Reply::default()
                }),
                _ => Err(answered(name(), code)),
            }
        }
        Err(NetError::Dns(DnsError::ResponseCode(code))) => Err(answered(name(), code)),
        Err(NetError::Timeout) => Err(ResolveError::TimedOut { name: name() }),
        Err(error) => Err(ResolveError::Failed {
            name: name(),
            text: error.to_string(),
        }),
    }
}

fn to_wire(name: &Name) -> Result<WireName, ResolveError> {
    convert::to_hickory(name).map_err(|error| ResolveError::Failed {
        name: name.clone(),
        text: error.to_string(),
    })
}

/// True for name servers without an SOA: no answer at all (RFC 2308 §2.2).
fn is_referral(no_records: &NoRecords) -> bool {
    no_records.ns.is_some() && no_records.soa.is_none()
}

fn answered(name: Name, code: ResponseCode) -> ResolveError {
    ResolveError::Answered {
        name,
        rcode: Rcode(code.into()),
    }
}

fn addresses_in(records: &[Record]) -> Vec<IpAddr> {
    records
        .iter()
        .filter_map(|record| record.data.ip_addr())
        .collect()
}

fn build(config: ResolverConfig, mut options: ResolverOpts) -> Result<TokioResolver, ResolveError> {
    // `local_addresses` reads the file: here, a name in it with one family only would still be
    // asked of the name servers for the other one.
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = options.timeout.min(TRY_LIMIT);
    options.negative_max_ttl = Some(NEGATIVE_LIMIT);
    TokioResolver::builder_with_config(config, TokioRuntimeProvider::default())
        .with_options(options)
        .build()
        .map_err(|error| configuration_error(&error))
}

fn configuration_error(error: &NetError) -> ResolveError {
    ResolveError::Configuration {
        text: error.to_string(),
    }
}

fn name_server(address: &SocketAddr) -> NameServerConfig {
    let connections = [ConnectionConfig::udp(), ConnectionConfig::tcp()]
        .map(|mut connection| {
            connection.port = address.port();
            connection
        })
        .to_vec();
    NameServerConfig::new(address.ip(), true, connections)
}

/// A scripted name server on loopback.
#[cfg(test)]
pub(crate) mod scripted {
    use hickory_resolver::proto::op::{Message, OpCode};
    use hickory_resolver::proto::rr::rdata::{CNAME, NS};
    use tokio::net::UdpSocket;

    use super::*;

    /// What the server says to a question.
    pub(crate) enum Say {
        Addresses(Vec<IpAddr>),
        /// An alias, and this address at its end.
        Alias(Option<IpAddr>),
        /// The SOA with this MNAME.
        Soa(&'static str),
        /// These NS records.
        NameServers(&'static [&'static str]),
        NxDomain,
        /// NXDOMAIN with the SOA of this zone.
        NxDomainIn(&'static str),
        NoData,
        NoDataWithoutSoa,
        Referral,
        Code(ResponseCode),
        Silence,
    }

    /// Serves `script` over UDP until the test's runtime ends.
    pub(crate) async fn serve(
        script: impl Fn(&str, RecordType) -> Say + Send + 'static,
    ) -> SocketAddr {
        let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
        let address = socket.local_addr().unwrap();
        tokio::spawn(async move {
            let mut buffer = [0; 4096];
            loop {
                let (length, client) = socket.recv_from(&mut buffer).await.unwrap();
                let request = Message::from_vec(&buffer[..length]).unwrap();
                let question = request.queries[0].clone();
                let say = script(&question.name().to_utf8(), question.query_type());
                let Some(reply) = reply(&request, &question, say) else {
                    continue;
                };
                socket
                    .send_to(&reply.to_vec().unwrap(), client)
                    .await
                    .unwrap();
            }
        });
        address
    }

    fn reply(request: &Message, question: &Query, say: Say) -> Option<Message> {
        let owner = question.name().clone();
        let zone = WireName::from_ascii("corp.example.").unwrap();
        let alias = WireName::from_ascii("alias.corp.example.").unwrap();
        let record = |name: &WireName, data: RData| Record::from_rdata(name.clone(), 60, data);
        let soa_of = |primary: &str| {
            let primary = WireName::from_ascii(primary).unwrap();
            RData::SOA(SOA::new(primary, zone.clone(), 1, 60, 60, 60, 60))
        };
        let soa = record(&zone, soa_of("ns1.corp.example."));

        let mut reply = Message::response(request.metadata.id, OpCode::Query);
        reply.metadata.recursion_desired = true;
        reply.metadata.recursion_available = true;
        reply.add_query(question.clone());
        match say {
            Say::Silence => return None,
            Say::Addresses(addresses) => {
                reply.add_answers(addresses.into_iter().map(|a| record(&owner, a.into())));
            }
            Say::Alias(address) => {
                reply.add_answer(record(&owner, RData::CNAME(CNAME(alias.clone()))));
                match address {
                    Some(address) => reply.answers.push(record(&alias, address.into())),
                    None => reply.authorities.push(soa),
                }
            }
            Say::Soa(primary) => reply.answers.push(record(&owner, soa_of(primary))),
            Say::NameServers(names) => {
                let wire = |name: &&str| RData::NS(NS(WireName::from_ascii(name).unwrap()));
                reply.add_answers(names.iter().map(|name| record(&owner, wire(name))));
            }
            Say::NxDomain => {
                reply.metadata.response_code = ResponseCode::NXDomain;
                reply.authorities.push(soa);
            }
            Say::NxDomainIn(zone) => {
                let zone = WireName::from_ascii(zone).unwrap();
                reply.metadata.response_code = ResponseCode::NXDomain;
                reply
                    .authorities
                    .push(record(&zone, soa_of("ns1.corp.example.")));
            }
            Say::NoData => reply.authorities.push(soa),
            Say::NoDataWithoutSoa => {}
            Say::Referral => {
                reply
                    .authorities
                    .push(record(&zone, RData::NS(NS(alias.clone()))));
            }
            Say::Code(code) => reply.metadata.response_code = code,
        }
        Some(reply)
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use super::scripted::{Say, serve};
    use super::*;

    const V4: &str = "192.0.2.1";
    const V6: &str = "2001:db8::1";

    fn kms1() -> Name {
        Name::parse("kms1.corp.example.").unwrap()
    }

    fn ip(text: &str) -> IpAddr {
        text.parse().unwrap()
    }

    fn rcode(rcode: Rcode) -> Result<Vec<IpAddr>, ResolveError> {
        Err(ResolveError::Answered {
            name: kms1(),
            rcode,
        })
    }

    /// Resolves kms1 at a server that says `v4` to A questions and `v6` to AAAA questions.
    async fn ask(v4: fn() -> Say, v6: fn() -> Say) -> Result<Vec<IpAddr>, ResolveError> {
        let server = serve(move |_name, record_type| match record_type {
            RecordType::A => v4(),
            _ => v6(),
        })
        .await;
        Resolver::with_name_servers(&[server])
            .addresses(&kms1())
            .await
    }

    fn found_v4() -> Say {
        Say::Addresses(vec![ip(V4)])
    }

    fn found_v6() -> Say {
        Say::Addresses(vec![ip(V6)])
    }

    fn no_data() -> Say {
        Say::NoData
    }

    fn server_failure() -> Say {
        Say::Code(ResponseCode::ServFail)
    }

    #[tokio::test]
    async fn both_families_are_found() {
        assert_eq!(ask(found_v4, found_v6).await, Ok(vec![ip(V4), ip(V6)]));
        assert_eq!(ask(found_v4, no_data).await, Ok(vec![ip(V4)]));
        assert_eq!(ask(no_data, found_v6).await, Ok(vec![ip(V6)]));
    }

    #[tokio::test]
    async fn aliases_are_followed() {
        let alias = || Say::Alias(Some(ip(V4)));
        assert_eq!(ask(alias, no_data).await, Ok(vec![ip(V4)]));
    }

    #[tokio::test]
    async fn an_alias_of_nothing_is_an_empty_answer() {
        for end in [|| Say::NoData, || Say::NxDomain] {
            let server = serve(move |name, _record_type| match name {
                "kms1.corp.example." => Say::Alias(None),
                _ => end(),
            })
            .await;
            let resolver = Resolver::with_name_servers(&[server]);
            assert_eq!(resolver.addresses(&kms1()).await, Ok(vec![]));
        }
    }

    #[tokio::test]
    async fn no_address_is_an_empty_answer() {
        let nx_domain = || Say::NxDomain;
        let bare = || Say::NoDataWithoutSoa;
        assert_eq!(ask(nx_domain, nx_domain).await, Ok(vec![]));
        assert_eq!(ask(no_data, no_data).await, Ok(vec![]));
        assert_eq!(ask(bare, bare).await, Ok(vec![]));
    }

    #[tokio::test]
    async fn one_family_is_enough_but_only_when_it_has_addresses() {
        assert_eq!(ask(found_v4, server_failure).await, Ok(vec![ip(V4)]));
        assert_eq!(ask(server_failure, found_v6).await, Ok(vec![ip(V6)]));
        // No A and perhaps an AAAA is not "no address".
        assert_eq!(ask(no_data, server_failure).await, rcode(Rcode::SERVFAIL));
        assert_eq!(ask(server_failure, no_data).await, rcode(Rcode::SERVFAIL));
    }

    #[tokio::test]
    async fn an_error_is_never_an_empty_answer() {
        let refused = || Say::Code(ResponseCode::Refused);
        let unknown = || Say::Code(ResponseCode::Unknown(3841));
        let referral = || Say::Referral;
        assert_eq!(
            ask(server_failure, server_failure).await,
            rcode(Rcode::SERVFAIL)
        );
        assert_eq!(ask(refused, refused).await, rcode(Rcode::REFUSED));
        assert!(ask(unknown, unknown).await.is_err());
        assert_eq!(
            ask(referral, referral).await,
            Err(ResolveError::Referral { name: kms1() })
        );
    }

    #[tokio::test(start_paused = true)]
    async fn silence_ends_within_the_limit() {
        let began = tokio::time::Instant::now();
        let silence = || Say::Silence;
        assert_eq!(
            ask(silence, silence).await,
            Err(ResolveError::TimedOut { name: kms1() })
        );
        assert!(began.elapsed() <= LIMIT + Duration::from_millis(10));
    }

    #[tokio::test]
    async fn without_name_servers_nothing_is_known() {
        let resolver = Resolver::with_name_servers(&[]);
        assert!(matches!(
            resolver.addresses(&kms1()).await,
            Err(ResolveError::Failed { .. })
        ));
    }

    #[tokio::test]
    async fn the_hosts_file_answers_without_a_name_server() {
        let mut hosts = Hosts::default();
        hosts
            .read_hosts_conf(
                &b"192.0.2.1 KMS1.corp.example kms1\n\
                   192.0.2.2 kms1.corp.example.\n\
                   2001:db8::1 kms1.corp.example # IPv6\n"[..],
            )
            .unwrap();
        let resolver = Resolver {
            hosts,
            servers: Err(ResolveError::Configuration {
                text: "no nameservers found in config".into(),
            }),
            primary_port: DNS_PORT,
        };
        let mixed_case = Name::parse("Kms1.CORP.example").unwrap();
        assert_eq!(
            resolver.addresses(&mixed_case).await,
            Ok(vec![ip(V4), ip("192.0.2.2"), ip(V6)])
        );

        let kms2 = Name::parse("kms2.corp.example.").unwrap();
        let error = resolver.addresses(&kms2).await.unwrap_err();
        assert_eq!(
            error.to_string(),
            "the system's resolver configuration cannot be used (no nameservers found in config); \
             repair /etc/resolv.conf, or write addresses in place of names"
        );
    }

    #[tokio::test]
    async fn the_system_knows_localhost() {
        let localhost = Name::parse("localhost.").unwrap();
        let addresses = Resolver::system().addresses(&localhost).await.unwrap();
        assert!(addresses.iter().any(IpAddr::is_loopback));
    }

    #[tokio::test]
    async fn names_are_absolute_and_answers_are_cached() {
        let asked = Arc::new(AtomicUsize::new(0));
        let counter = Arc::clone(&asked);
        let server = serve(move |name, _record_type| {
            assert_eq!(name, "kms1.corp.example.");
            counter.fetch_add(1, Ordering::Relaxed);
            Say::NxDomain
        })
        .await;
        let resolver = Resolver::with_name_servers(&[server]);
        assert_eq!(resolver.addresses(&kms1()).await, Ok(vec![]));
        assert_eq!(resolver.addresses(&kms1()).await, Ok(vec![]));
        assert_eq!(asked.load(Ordering::Relaxed), 2, "one A and one AAAA");
    }
}
