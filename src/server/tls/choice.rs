//! Which certificate a client is shown, by the name it asks for.
//!
//! Sources: `pkg/server/dynamiccertificates/named_certificates.go` of `k8s.io/apiserver`, and Go's `crypto/tls`.

use std::sync::Arc;

use rustls::server::{ClientHello, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;
use x509_parser::prelude::{FromDer, GeneralName, X509Certificate};

/// Gives each handshake the certificate of the moment.
#[derive(Debug)]
pub(super) struct Choice {
    /// For those who ask for no name, or one that none of the others has.
    pub(super) default: watch::Receiver<Arc<CertifiedKey>>,
    pub(super) named: Vec<Named>,
}

/// A certificate for some names.
#[derive(Debug)]
pub(super) struct Named {
    /// None means those of the certificate.
    pub(super) names: Vec<String>,
    pub(super) pair: watch::Receiver<Arc<CertifiedKey>>,
}

impl Choice {
    /// An exact name before a pattern, names that a flag gives before those of a certificate, and the first flag first.
    fn by_name(&self, name: &str) -> Option<Arc<CertifiedKey>> {
        let name = name.to_ascii_lowercase();
        let pattern = name.split_once('.').map(|(_, parent)| format!("*.{parent}"));
        [Some(name), pattern].into_iter().flatten().find_map(|name| {
            let given = self.named.iter().find(|named| named.names.contains(&name));
            let own = || self.named.iter().find(|named| named.names.is_empty() && named.is_for(&name));
            given.or_else(own).map(|named| Arc::clone(&named.pair.borrow()))
        })
    }
}

impl ResolvesServerCert for Choice {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let named = hello.server_name().and_then(|name| self.by_name(name));
        Some(named.unwrap_or_else(|| Arc::clone(&self.default.borrow())))
    }
}

impl Named {
    /// Whether the certificate itself has this name, as common name or alternative name.
    fn is_for(&self, name: &str) -> bool {
        let pair = Arc::clone(&self.pair.borrow());
        let Some(Ok((_, leaf))) = pair.cert.first().map(|leaf| X509Certificate::from_der(leaf)) else {
            return false;
        };
        let mut common = leaf.subject().iter_common_name().filter_map(|attribute| attribute.as_str().ok());
        let alternative = leaf.subject_alternative_name().ok().flatten();
        let mut others = alternative.iter().flat_map(|extension| &extension.value.general_names);
        common.any(|own| own == name)
            || others.any(|own| matches!(own, GeneralName::DNSName(own) if own.eq_ignore_ascii_case(name)))
    }
}
