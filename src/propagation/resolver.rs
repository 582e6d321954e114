//! The lookups by recursive resolvers, over UDP, TCP or HTTPS.

use std::fmt;
use std::net::IpAddr;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};
use hickory_resolver::{ResolverBuilder, lookup::Lookup as Answer};

use super::lookup::{Family, Found, Lookup, LookupError};
use super::recursive::RecursiveServer;
use crate::expiring::Expiring;
use crate::name::Fqdn;

/// Why the resolvers can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// No server is given, and the system's are unknown.
    #[error("the system's name servers can't be read; give some in --dns01-recursive-nameservers")]
    System(#[source] NetError),
}

/// The recursive resolvers: those given, then the system's.
pub(super) struct Resolvers {
    given: Vec<RecursiveServer>,
    /// Made when first used and again after a while, because a server may be given by its name.
    made: Expiring<(), TokioResolver>,
    system: Option<TokioResolver>,
    tls: rustls::ClientConfig,
}

impl Resolvers {
    /// With `only`, the system's resolvers are asked only if none is given.
    pub(super) fn new(
        given: Vec<RecursiveServer>,
        only: bool,
        tls: rustls::ClientConfig,
    ) -> Result<Self, ResolverError> {
        let system = if only && !given.is_empty() {
            None
        } else {
            let made = TokioResolver::builder_tokio().and_then(|builder| make(builder, &tls));
            match made {
                Ok(resolver) => Some(resolver),
                Err(error) if given.is_empty() => return Err(ResolverError::System(error)),
                Err(error) => {
                    tracing::warn!(%error, "the system's name servers can't be read; only those given are asked");
                    None
                }
            }
        };
        Ok(Self { given, made: Expiring::new(1), system, tls })
    }

    /// Asks those given, and the system's if that fails. "No such name" is an answer, not a failure.
    async fn ask(&self, name: &Fqdn, kind: RecordType) -> Result<Vec<Record>, LookupError> {
        // With its final dot, or the system's search list would be tried.
        let name = Name::from_ascii(format!("{name}.")).map_err(failed)?;
        let mut failure = None;
        if !self.given.is_empty() {
            let answer = match self.given().await {
                Ok(resolver) => records(resolver.lookup(name.clone(), kind).await),
                Err(error) => Err(error),
            };
            match answer {
                Ok(records) => return Ok(records),
                Err(error) => failure = Some(error),
            }
        }
        if let Some(system) = &self.system {
            if let Some(error) = &failure {
                tracing::debug!(%name, %kind, %error, "the recursive name servers given failed; asking the system's");
            }
            match records(system.lookup(name, kind).await) {
                Ok(records) => return Ok(records),
                Err(error) => failure = failure.or(Some(error)),
            }
        }
        Err(failure.unwrap_or_else(|| failed("there is no resolver")))
    }

    async fn given(&self) -> Result<TokioResolver, LookupError> {
        if let Some(resolver) = self.made.get(&()) {
            return Ok(resolver);
        }
        let mut servers = Vec::new();
        let mut failure = None;
        for server in &self.given {
            match tokio::net::lookup_host((server.host.as_str(), server.port)).await {
                Ok(addresses) => servers.extend(addresses.map(|address| config(address.ip(), server))),
                Err(error) => {
                    tracing::warn!(%server, %error, "the address of a recursive name server can't be found");
                    failure = Some(failed(error));
                }
            }
        }
        if let (true, Some(failure)) = (servers.is_empty(), failure) {
            return Err(failure);
        }
        let config = ResolverConfig::from_name_servers(servers);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = make(builder, &self.tls).map_err(failed)?;
        self.made.insert((), resolver.clone(), KEPT);
        Ok(resolver)
    }
}

impl Lookup for Resolvers {
    async fn name_servers(&self, zone: &Fqdn) -> Result<Found<String>, LookupError> {
        let records = self.ask(zone, RecordType::NS).await?;
        // Those of the apex itself: a CNAME there would bring another zone's.
        let own = |record: &&Record| Fqdn::parse(&record.name.to_ascii()).as_ref() == Ok(zone);
        Ok(found(records.iter().filter(own), |data| match data {
            RData::NS(name) => Some(name.0.to_ascii()),
            _ => None,
        }))
    }

    async fn addresses(&self, host: &Fqdn, family: Family) -> Result<Found<IpAddr>, LookupError> {
        let kind = match family {
            Family::V4 => RecordType::A,
            Family::V6 => RecordType::AAAA,
        };
        let records = self.ask(host, kind).await?;
        Ok(found(records.iter(), |data| match data {
            RData::A(address) => Some(address.0.into()),
            RData::AAAA(address) => Some(address.0.into()),
            _ => None,
        }))
    }
}

impl fmt::Debug for Resolvers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Resolvers")
            .field("given", &self.given)
            .field("system", &self.system.is_some())
            .finish_non_exhaustive()
    }
}

fn make(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
    tls: &rustls::ClientConfig,
) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    // Delegations are kept by us, on tokio's clock.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = PATIENCE;
    options.attempts = RETRIES;
    // Always handed over: hickory's own would want root certificates of a kind that an empty image has not.
    builder.with_tls_config(tls.clone()).build()
}

fn config(address: IpAddr, server: &RecursiveServer) -> NameServerConfig {
    let protocols = match &server.path {
        Some(path) => vec![ProtocolConfig::Https {
            server_name: server.host.as_str().into(),
            path: path.as_str().into(),
        }],
        None => vec![ProtocolConfig::Udp, ProtocolConfig::Tcp],
    };
    let connections = protocols.into_iter().map(|protocol| {
        let mut connection = ConnectionConfig::new(protocol);
        connection.port = server.port;
        connection
    });
    NameServerConfig::new(address, true, connections.collect())
}

fn records(answer: Result<Answer, NetError>) -> Result<Vec<Record>, LookupError> {
    match answer {
        Ok(answer) => Ok(answer.answers().to_vec()),
        // An empty answer is one only if the server says so itself: SERVFAIL has no records either.
        Err(NetError::Dns(DnsError::NoRecordsFound(none)))
            if matches!(none.response_code, ResponseCode::NoError | ResponseCode::NXDomain) =>
        {
            Ok(Vec::new())
        }
        Err(error) => Err(failed(error)),
    }
}

fn found<'a, T>(records: impl Iterator<Item = &'a Record>, read: impl Fn(&RData) -> Option<T>) -> Found<T> {
    let (records, ttls): (Vec<_>, Vec<_>) =
        records.filter_map(|record| Some((read(&record.data)?, record.ttl))).unzip();
    let ttl = ttls.into_iter().min().unwrap_or(0);
    Found { records, ttl: Duration::from_secs(ttl.into()) }
}

fn failed(error: impl fmt::Display) -> LookupError {
    LookupError(error.to_string())
}

/// For one try.
const PATIENCE: Duration = Duration::from_secs(2);
const RETRIES: usize = 1;
/// How long the addresses of resolvers that are given by name are kept.
const KEPT: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests;
