//! DNS as a client sees it: the independent way on which every step is verified.

use std::net::SocketAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ResolveHosts, ResolverConfig, ResolverOpts,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{RData, RecordType};

use super::DemoError;

/// Time for one try over UDP; there are a few.
const TIMEOUT: Duration = Duration::from_secs(2);

/// A stub resolver that asks one server over UDP, and remembers nothing.
pub(super) struct Client {
    resolver: TokioResolver,
}

impl Client {
    pub(super) fn of(server: SocketAddr) -> Result<Self, DemoError> {
        let mut udp = ConnectionConfig::udp();
        udp.port = server.port();
        let servers = vec![NameServerConfig::new(server.ip(), true, vec![udp])];
        let mut options = ResolverOpts::default();
        options.cache_size = 0;
        options.timeout = TIMEOUT;
        options.use_hosts_file = ResolveHosts::Never;
        let resolver = TokioResolver::builder_with_config(
            ResolverConfig::from_name_servers(servers),
            TokioRuntimeProvider::default(),
        )
        .with_options(options)
        .build()
        .map_err(|error| DemoError::ReadBack(error.to_string()))?;
        Ok(Self { resolver })
    }

    /// The SRV records at a name as lines of a zone file, sorted.
    pub(super) async fn srv(&self, owner: &str) -> Result<Vec<String>, DemoError> {
        let records = match self.resolver.lookup(owner, RecordType::SRV).await {
            Ok(lookup) => lookup.answers().to_vec(),
            Err(NetError::Dns(DnsError::NoRecordsFound(none)))
                if matches!(
                    none.response_code,
                    ResponseCode::NoError | ResponseCode::NXDomain
                ) =>
            {
                Vec::new()
            }
            Err(error) => return Err(DemoError::ReadBack(error.to_string())),
        };
        let mut lines: Vec<String> = records
            .iter()
            .filter_map(|record| match &record.data {
                RData::SRV(srv) => Some(format!("{} {} IN SRV {srv}", record.name, record.ttl)),
                _ => None,
            })
            .collect();
        lines.sort();
        Ok(lines)
    }
}
