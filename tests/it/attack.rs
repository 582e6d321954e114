//! Attacks on who may do what. Each tries to be somebody, or to do something, that `k8s.io/apiserver` would refuse; to
//! have one thing authorized and another done; to stay somebody who is no more; or to learn what is there.
//!
//! One file for each door. A row of a table is one idea; the expectation is the original's, unless it says otherwise.

#![allow(
    clippy::unwrap_used,
    clippy::expect_used,
    clippy::panic,
    reason = "tests; clippy sees only the functions that bear the attribute as such"
)]

mod certificates;
mod configuration;
mod forgery;
mod framing;
mod headers;
mod paths;
mod reviews;
mod tokens;

use std::collections::BTreeMap;
use std::sync::Arc;

use cert_manager_webhook_cloudflare::access::{
    Access, Asked, Authorizer, FrontProxyConfig, Identity, PeerCertificates, TokenReviewer, Unauthenticated,
};
use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::{CertificateDer, UnixTime};
use tokio::sync::watch;

use crate::edge::certs::Authority;
use crate::edge::world::{Cluster, front_proxy, identify};

/// Both doors for certificates, with the authority of each, and the one for tokens.
struct Doors {
    proxies: Authority,
    clients: Authority,
    access: Access<Cluster, Cluster>,
}

impl Doors {
    fn new() -> Self {
        Self::of(Authority::new("front-proxy-ca"), Authority::new("client-ca"))
    }

    fn of(proxies: Authority, clients: Authority) -> Self {
        let access = access(front_proxy(&proxies, &clients), Cluster::default(), Cluster::default());
        Self { proxies, clients, access }
    }

    /// The same authorities, but other names and headers.
    fn with(changes: &[(&str, &str)]) -> Self {
        let doors = Self::new();
        let authorities =
            [("requestheader-client-ca-file", doors.proxies.pem()), ("client-ca-file", doors.clients.pem())];
        let authorities = authorities.iter().map(|(key, pem)| (*key, pem.as_str()));
        let changes: Vec<_> = authorities.chain(changes.iter().copied()).collect();
        let access = access(config(&changes), Cluster::default(), Cluster::default());
        Self { access, ..doors }
    }

    async fn identity(
        &self,
        chain: &[CertificateDer<'_>],
        headers: &HeaderMap,
    ) -> Result<Identity, Unauthenticated> {
        identify(&self.access, &PeerCertificates::new(chain), headers, UnixTime::now()).await
    }

    /// Whose name the request comes to bear; `401` if nobody's.
    async fn who(&self, chain: &[CertificateDer<'_>], headers: &HeaderMap) -> String {
        name(&self.identity(chain, headers).await)
    }
}

/// What kube-apiserver publishes, with these values in place of the usual ones.
fn config(changes: &[(&str, &str)]) -> FrontProxyConfig {
    let usual = [
        ("requestheader-allowed-names", r#"["front-proxy-client"]"#),
        ("requestheader-username-headers", r#"["X-Remote-User"]"#),
        ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
        ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
        ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
    ];
    let data = usual.iter().chain(changes).map(|(key, value)| ((*key).to_owned(), (*value).to_owned()));
    let mut config = FrontProxyConfig::default();
    // Without an authority, what needs one is off.
    let _ = config.update("uid", &data.collect::<BTreeMap<_, _>>(), Asked::ALL);
    config
}

fn access<A: Authorizer, T: TokenReviewer>(
    config: FrontProxyConfig,
    authorizer: A,
    reviewer: T,
) -> Access<A, T> {
    // The sender may go: the value stays.
    let (_, config) = watch::channel(Some(Arc::new(config)));
    Access::new(config, authorizer, reviewer)
}

fn name(identity: &Result<Identity, Unauthenticated>) -> String {
    identity.as_ref().map_or_else(|_| "401".to_owned(), |identity| identity.name.clone())
}

/// A header as it comes.
type Field = (&'static str, &'static [u8]);

fn headers(fields: &[(&str, &[u8])]) -> HeaderMap {
    let field = |(name, value): &(&str, &[u8])| {
        (HeaderName::try_from(*name).unwrap(), HeaderValue::from_bytes(value).unwrap())
    };
    let mut headers = HeaderMap::new();
    for (name, value) in fields.iter().map(field) {
        headers.append(name, value);
    }
    headers
}
