//! TLS as the aggregation layer needs it: serving certificates that follow their files, and client certificates that
//! are asked for, whose keys must be there, and whose chains are judged later ([`crate::access::chain`]).

use std::io;
use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::server::NoServerSessionStorage;
use rustls::version::{TLS12, TLS13};
use rustls::{CipherSuite, ServerConfig, SupportedCipherSuite};
use tokio::time;

mod choice;
mod client;
mod pair;

use crate::metrics::serving::ServingMetrics;
use choice::{Choice, Named};
use client::Possession;
use pair::{Files, Pair};

/// Why a serving certificate can't be used.
#[derive(Debug, thiserror::Error)]
pub enum TlsError {
    /// A file is missing or may not be read.
    #[error("{flag} {path:?} can't be read")]
    Read {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: io::Error,
    },
    /// A file does not hold what it should.
    #[error("{flag} {path:?} does not hold what it should, in PEM")]
    Content {
        /// The flag that names it.
        flag: &'static str,
        /// The file.
        path: PathBuf,
        /// Why.
        source: rustls::pki_types::pem::Error,
    },
    /// The halves don't belong together, or the key is of a kind that can't sign.
    #[error("the key of {key_flag} can't be used with the certificate of {cert_flag}")]
    Pair {
        /// The flag that names the certificate.
        cert_flag: &'static str,
        /// The flag that names the key.
        key_flag: &'static str,
        /// Why.
        source: rustls::Error,
    },
    /// The TLS library refuses its settings.
    #[error("TLS can't be set up")]
    Setup(#[source] rustls::Error),
}

/// A certificate for those who ask for one of some names: `--tls-sni-cert-key`.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NamedFiles {
    /// The certificate.
    pub cert_file: PathBuf,
    /// Its key.
    pub key_file: PathBuf,
    /// Lower-case names, which may begin with `*.`; none means those of the certificate.
    pub names: Vec<String>,
}

/// What is spoken.
#[derive(Debug, Clone, Default)]
pub struct Protocol {
    /// Nothing before TLS 1.3.
    pub tls13_only: bool,
    /// Those of TLS 1.2; none means all. TLS 1.3's are not chosen, as in Go.
    pub cipher_suites: Vec<CipherSuite>,
    /// No HTTP/2.
    pub http1_only: bool,
}

/// The cipher suite of this name (<https://www.iana.org/assignments/tls-parameters>), if it is spoken here.
pub fn cipher_suite(name: &str) -> Option<CipherSuite> {
    let suites = provider::ALL_CIPHER_SUITES.iter().map(SupportedCipherSuite::suite);
    suites.into_iter().find(|suite| {
        let known = suite.as_str().map(|known| known.replacen("TLS13_", "TLS_", 1)).unwrap_or_default();
        // Go keeps the names of two from before they had one.
        known == name || (name.ends_with("_POLY1305") && known == format!("{name}_SHA256"))
    })
}

/// The serving certificates and their keys.
#[derive(Debug)]
pub struct ServingCertificates {
    provider: Arc<CryptoProvider>,
    default: Pair,
    named: Vec<(Vec<String>, Pair)>,
}

impl ServingCertificates {
    /// Loads all files.
    pub fn load(cert_file: PathBuf, key_file: PathBuf, named: Vec<NamedFiles>) -> Result<Self, TlsError> {
        let provider = Arc::new(provider::default_provider());
        let files = Files { cert: (CERT_FLAG, cert_file), key: (KEY_FLAG, key_file) };
        let default = Pair::load(files, &provider)?;
        let load = |named: NamedFiles| {
            let files = Files { cert: (SNI_FLAG, named.cert_file), key: (SNI_FLAG, named.key_file) };
            Ok((named.names, Pair::load(files, &provider)?))
        };
        let named = named.into_iter().map(load).collect::<Result<_, TlsError>>()?;
        Ok(Self { provider, default, named })
    }

    /// The configuration of the listener. It follows the files for as long as [`Self::follow`] runs.
    ///
    /// Sessions are never resumed: a resumed session would take over the client certificate of an earlier one
    /// without proof of its key.
    pub fn server_config(&self, protocol: &Protocol) -> Result<Arc<ServerConfig>, TlsError> {
        let mut provider = CryptoProvider::clone(&self.provider);
        let chosen = &protocol.cipher_suites;
        provider
            .cipher_suites
            .retain(|suite| suite.tls13().is_some() || chosen.is_empty() || chosen.contains(&suite.suite()));
        let versions: &[_] = if protocol.tls13_only { &[&TLS13] } else { &[&TLS13, &TLS12] };
        let named =
            |(names, pair): &(Vec<String>, Pair)| Named { names: names.clone(), pair: pair.current() };
        let choice =
            Choice { default: self.default.current(), named: self.named.iter().map(named).collect() };
        let mut config = ServerConfig::builder_with_provider(Arc::new(provider))
            .with_protocol_versions(versions)
            .map_err(TlsError::Setup)?
            .with_client_cert_verifier(Arc::new(Possession::new(&self.provider)))
            .with_cert_resolver(Arc::new(choice));
        let alpn: &[&[u8]] = if protocol.http1_only { &[b"http/1.1"] } else { &[b"h2", b"http/1.1"] };
        config.alpn_protocols = alpn.iter().map(|name| name.to_vec()).collect();
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// Looks at the files again and again, for ever. They are read rather than watched: a volume of a Secret swaps a
    /// symbolic link above them.
    pub async fn follow(mut self, interval: Duration, metrics: ServingMetrics) {
        loop {
            self.default.expiry().into_iter().for_each(|at| metrics.expires(at));
            time::sleep(interval).await;
            let named = self.named.iter_mut().map(|(_, pair)| pair);
            for pair in std::iter::once(&mut self.default).chain(named) {
                pair.look(&self.provider).into_iter().for_each(|outcome| metrics.reloaded(outcome));
            }
        }
    }
}

const CERT_FLAG: &str = "--tls-cert-file";
const KEY_FLAG: &str = "--tls-private-key-file";
const SNI_FLAG: &str = "--tls-sni-cert-key";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn cipher_suites_go_by_their_names_in_go() {
        for name in [
            "TLS_AES_128_GCM_SHA256",
            "TLS_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_ECDSA_WITH_AES_128_GCM_SHA256",
            "TLS_ECDHE_RSA_WITH_AES_256_GCM_SHA384",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305_SHA256",
            "TLS_ECDHE_RSA_WITH_CHACHA20_POLY1305",
        ] {
            assert!(cipher_suite(name).is_some(), "{name}");
        }
        for name in ["", "TLS_RSA_WITH_AES_128_CBC_SHA", "TLS13_AES_128_GCM_SHA256", "tls_aes_128_gcm_sha256"]
        {
            assert!(cipher_suite(name).is_none(), "{name}");
        }
    }
}
