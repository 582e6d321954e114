//! The resolvers at servers that were given.

use std::fmt;
use std::net::IpAddr;
use std::sync::Arc;
use std::time::Duration;

use hickory_resolver::config::{
    ConnectionConfig, NameServerConfig, ProtocolConfig, ResolveHosts, ResolverConfig,
};
use hickory_resolver::net::NetError;
use hickory_resolver::net::runtime::TokioRuntimeProvider;
use hickory_resolver::{ResolverBuilder, TokioResolver};

use super::roots::{Roots, nobody};
use crate::expiring::Expiring;
use crate::propagation::recursive::RecursiveServer;

/// Made when first used and again after a while, because a server may be given by its name.
pub(super) struct Pool {
    pub(super) servers: Vec<RecursiveServer>,
    made: Expiring<(), TokioResolver>,
    roots: Arc<Roots>,
}

/// Why they can't be asked.
#[derive(Debug, thiserror::Error)]
pub(super) enum PoolError {
    /// There is nobody to trust.
    #[error("{0}")]
    Roots(rustls::Error),
    /// None of the servers has an address.
    #[error("{0}")]
    Address(std::io::Error),
    /// It can't be set up.
    #[error("{0}")]
    SetUp(NetError),
}

impl Pool {
    /// Sends and loads nothing.
    pub(super) fn new(servers: Vec<RecursiveServer>, roots: Arc<Roots>) -> Self {
        Self { servers, made: Expiring::new(1), roots }
    }

    pub(super) async fn get(&self) -> Result<TokioResolver, PoolError> {
        if let Some(resolver) = self.made.get(&()) {
            return Ok(resolver);
        }
        let mut addresses = Vec::new();
        let mut failure = None;
        for server in &self.servers {
            match tokio::net::lookup_host((server.host.as_str(), server.port)).await {
                Ok(found) => addresses.extend(found.map(|address| config(address.ip(), server))),
                Err(error) => {
                    tracing::warn!(%server, %error, "the address of a recursive name server can't be found");
                    failure = Some(error);
                }
            }
        }
        if let (true, Some(failure)) = (addresses.is_empty(), failure) {
            return Err(PoolError::Address(failure));
        }
        let is_https = self.servers.iter().any(RecursiveServer::is_https);
        let tls = if is_https { self.roots.get() } else { nobody() }.map_err(PoolError::Roots)?;
        let config = ResolverConfig::from_name_servers(addresses);
        let builder = TokioResolver::builder_with_config(config, TokioRuntimeProvider::default());
        let resolver = make(builder, tls).map_err(PoolError::SetUp)?;
        self.made.insert((), resolver.clone(), KEPT);
        Ok(resolver)
    }
}

impl fmt::Debug for Pool {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Pool").field("servers", &self.servers).finish_non_exhaustive()
    }
}

pub(super) fn make(
    mut builder: ResolverBuilder<TokioRuntimeProvider>,
    tls: rustls::ClientConfig,
) -> Result<TokioResolver, NetError> {
    let options = builder.options_mut();
    // Delegations are kept by us, on tokio's clock.
    options.cache_size = 0;
    options.use_hosts_file = ResolveHosts::Never;
    options.timeout = PATIENCE;
    options.attempts = RETRIES;
    // Always handed over: hickory's own would want root certificates of a kind that an empty image has not.
    builder.with_tls_config(tls).build()
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

/// For one try.
const PATIENCE: Duration = Duration::from_secs(2);
const RETRIES: usize = 1;
/// How long the addresses of resolvers that are given by name are kept.
const KEPT: Duration = Duration::from_mins(10);
