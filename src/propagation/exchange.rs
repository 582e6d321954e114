//! The seam for one question to one name server, so that everything above it runs under simulation.

use std::fmt;
use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;

use crate::name::Fqdn;

/// Puts one question to one server.
pub trait Exchange: Send + Sync + 'static {
    /// Asks `server`, without wanting recursion, for the TXT records at `name`. Repeats after silence and changes
    /// to TCP by itself; bounded in time.
    fn ask(
        &self,
        server: SocketAddr,
        name: &Fqdn,
    ) -> impl Future<Output = Result<Answer, ExchangeError>> + Send;

    /// Whether this host has a route to `server`. Sends nothing.
    fn has_route(&self, server: SocketAddr) -> bool;
}

/// What a server answered about the name it was asked for.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Answer {
    /// The AA flag.
    pub authoritative: bool,
    /// The RA flag: whoever sets it is a resolver.
    pub recursion_available: bool,
    /// The response code.
    pub rcode: Rcode,
    /// The TXT records at exactly the name, each with its strings joined; bytes that are not UTF-8 replaced.
    pub values: Vec<String>,
    /// Where a CNAME at exactly the name leads, in lower case.
    pub cname: Option<String>,
    /// The owner of the NS records in the authority section of an answer without records.
    pub referral: Option<Fqdn>,
}

/// A response code, as far as it matters here.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Rcode {
    /// 0
    #[default]
    NoError,
    /// 3
    NxDomain,
    /// 5
    Refused,
    /// Any other.
    Other(u16),
}

impl fmt::Display for Rcode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::NoError => f.write_str("NOERROR"),
            Self::NxDomain => f.write_str("NXDOMAIN"),
            Self::Refused => f.write_str("REFUSED"),
            Self::Other(2) => f.write_str("SERVFAIL"),
            Self::Other(code) => write!(f, "rcode {code}"),
        }
    }
}

/// Why there is no answer. None of these is a "no".
#[derive(Debug, Clone, thiserror::Error)]
pub enum ExchangeError {
    /// Nothing came in time.
    #[error("no answer in time")]
    Silent,
    /// The network or the host refused.
    #[error("{0}")]
    Io(Arc<io::Error>),
    /// The answer over TCP was none to our question, or cut off.
    #[error("an answer that is none to the question")]
    Garbled,
}

impl From<io::Error> for ExchangeError {
    fn from(error: io::Error) -> Self {
        Self::Io(Arc::new(error))
    }
}
