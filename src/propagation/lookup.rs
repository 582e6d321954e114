//! The seam for where a zone's name servers are. The challenge's own name is never asked here.

use std::future::Future;
use std::net::IpAddr;
use std::time::Duration;

use crate::name::Fqdn;

/// Looks up what a delegation is made of. A name that does not exist, or has no such records, is an empty answer.
pub trait Lookup: Send + Sync + 'static {
    /// The names in the NS records of a zone's apex, as they are written.
    fn name_servers(&self, zone: &Fqdn) -> impl Future<Output = Result<Found<String>, LookupError>> + Send;

    /// The addresses of a host, of one family.
    fn addresses(
        &self,
        host: &Fqdn,
        family: Family,
    ) -> impl Future<Output = Result<Found<IpAddr>, LookupError>> + Send;
}

/// The records of one answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Found<T> {
    /// In no order.
    pub records: Vec<T>,
    /// How long the shortest-lived of them may be kept; zero if there is none.
    pub ttl: Duration,
}

/// A or AAAA.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Family {
    /// A
    V4,
    /// AAAA
    V6,
}

/// No resolver answered, or each only with an error.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct LookupError(pub String);
