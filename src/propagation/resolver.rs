//! The lookups by recursive resolvers, over UDP, TCP or HTTPS.

mod https;
mod pool;
mod roots;

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::TokioResolver;
use hickory_resolver::lookup::Lookup as Answer;
use hickory_resolver::net::{DnsError, NetError};
use hickory_resolver::proto::op::ResponseCode;
use hickory_resolver::proto::rr::{Name, RData, Record, RecordType};

pub(super) use self::https::HttpsResolvers;
pub use self::roots::Roots;
pub(super) use self::roots::nobody;

use self::pool::{Pool, make};
use super::lookup::{Family, Found, Lookup, LookupError};
use super::recursive::RecursiveServer;
use crate::name::Fqdn;

/// Why the resolvers can't be set up.
#[derive(Debug, thiserror::Error)]
pub enum ResolverError {
    /// No server is given, and the system's are unknown.
    #[error("the system's name servers can't be read; give some in --dns01-recursive-nameservers")]
    System(#[source] NetError),
    /// A server over HTTPS is given, and there is nobody to trust.
    #[error("the system's CA certificates can't be loaded, which resolvers over HTTPS need")]
    Roots(#[source] rustls::Error),
    /// Fewer than two operators are left to be asked over HTTPS.
    #[error(
        "--propagation-check=doh needs resolvers of two operators in --propagation-doh-servers that are not in \
         --dns01-recursive-nameservers"
    )]
    TooFew,
}

/// The recursive resolvers: those given, then the system's.
pub struct Resolvers {
    given: Pool,
    system: Option<TokioResolver>,
}

impl Resolvers {
    /// With `only`, the system's resolvers are asked only if none is given.
    pub(super) fn new(
        given: Vec<RecursiveServer>,
        only: bool,
        roots: Arc<Roots>,
    ) -> Result<Self, ResolverError> {
        if given.iter().any(RecursiveServer::is_https) {
            roots.get().map_err(ResolverError::Roots)?;
        }
        let system = if only && !given.is_empty() {
            None
        } else {
            let tls = nobody().map_err(ResolverError::Roots)?;
            let made = TokioResolver::builder_tokio().and_then(|builder| make(builder, tls));
            match made {
                Ok(resolver) => Some(resolver),
                Err(error) if given.is_empty() => return Err(ResolverError::System(error)),
                Err(error) => {
                    tracing::warn!(%error, "the system's name servers can't be read; only those given are asked");
                    None
                }
            }
        };
        Ok(Self { given: Pool::new(given, roots), system })
    }

    /// Asks those given, and the system's if that fails. "No such name" is an answer, not a failure.
    async fn ask(&self, name: &Fqdn, kind: RecordType) -> Result<Vec<Record>, LookupError> {
        // With its final dot, or the system's search list would be tried.
        let name = Name::from_ascii(format!("{name}.")).map_err(failed)?;
        let mut failure = None;
        if !self.given.servers.is_empty() {
            let answer = match self.given.get().await {
                Ok(resolver) => records(resolver.lookup(name.clone(), kind).await),
                Err(error) => Err(failed(error)),
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
            .field("given", &self.given.servers)
            .field("system", &self.system.is_some())
            .finish_non_exhaustive()
    }
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

#[cfg(test)]
mod tests;
