//! TLS as the aggregation layer needs it: a serving certificate that follows its files, and client certificates that
//! are asked for, whose keys must be there, and whose chains are judged later ([`crate::access::chain`]).

use std::fs;
use std::io;
use std::path::{Path, PathBuf};
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::digest;
use rustls::ServerConfig;
use rustls::crypto::{CryptoProvider, aws_lc_rs as provider};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::server::{ClientHello, NoServerSessionStorage, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use rustls::version::{TLS12, TLS13};
use tokio::sync::watch;
use tokio::time;
use tracing::{error, info};

mod client;
use client::Possession;

/// Why the serving certificate can't be used.
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
    #[error("the key of {KEY_FLAG} can't be used with the certificate of {CERT_FLAG}")]
    Pair(#[source] rustls::Error),
    /// The TLS library refuses its settings.
    #[error("TLS can't be set up")]
    Setup(#[source] rustls::Error),
}

/// The serving certificate and its key, as the files had them last.
#[derive(Debug)]
pub struct ServingCertificate {
    files: Files,
    provider: Arc<CryptoProvider>,
    current: watch::Sender<Arc<CertifiedKey>>,
    /// Of the content that was looked at last, whether it is used or broken.
    looked_at: Digest,
}

impl ServingCertificate {
    /// Loads both files.
    pub fn load(cert_file: PathBuf, key_file: PathBuf) -> Result<Self, TlsError> {
        let provider = Arc::new(provider::default_provider());
        let files = Files { cert_file, key_file };
        let (content, looked_at) = files.read()?;
        let pair = files.pair(&content, &provider)?;
        Ok(Self { files, provider, current: watch::Sender::new(Arc::new(pair)), looked_at })
    }

    /// The configuration of the listener. It follows the files for as long as [`Self::follow`] runs.
    ///
    /// Sessions are never resumed: a resumed session would take over the client certificate of an earlier one
    /// without proof of its key.
    pub fn server_config(&self) -> Result<Arc<ServerConfig>, TlsError> {
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&self.provider))
            .with_protocol_versions(&[&TLS13, &TLS12])
            .map_err(TlsError::Setup)?
            .with_client_cert_verifier(Arc::new(Possession::new(&self.provider)))
            .with_cert_resolver(Arc::new(Current(self.current.subscribe())));
        config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
        config.session_storage = Arc::new(NoServerSessionStorage {});
        config.send_tls13_tickets = 0;
        Ok(Arc::new(config))
    }

    /// Looks at the files again and again, for ever. They are read rather than watched: a volume of a Secret swaps a
    /// symbolic link above them.
    pub async fn follow(mut self, interval: Duration) {
        loop {
            time::sleep(interval).await;
            self.look();
        }
    }

    /// Takes over changed files. A broken pair (or one half of a change) leaves the old one in use and is logged once.
    fn look(&mut self) {
        let (content, digest) = match self.files.read() {
            Ok(read) => read,
            Err(error) => {
                // As if the files were empty, to log it once.
                if self.looked_at != Digest::default() {
                    self.looked_at = Digest::default();
                    kept(&error);
                }
                return;
            }
        };
        if digest == self.looked_at {
            return;
        }
        self.looked_at = digest;
        match self.files.pair(&content, &self.provider) {
            Ok(pair) => {
                self.current.send_replace(Arc::new(pair));
                info!("the serving certificate has been reloaded");
            }
            Err(error) => kept(&error),
        }
    }
}

fn kept(error: &TlsError) {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    error!(%error, cause, "the serving certificate can't be reloaded; the one before stays in use");
}

#[derive(Debug)]
struct Files {
    cert_file: PathBuf,
    key_file: PathBuf,
}

/// Of both files; all zero while they can't be read.
type Digest = [u8; 32];

struct Content {
    cert: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Files {
    fn read(&self) -> Result<(Content, Digest), TlsError> {
        let read = |flag, path: &Path| {
            fs::read(path).map_err(|source| TlsError::Read { flag, path: path.to_owned(), source })
        };
        let content =
            Content { cert: read(CERT_FLAG, &self.cert_file)?, key: read(KEY_FLAG, &self.key_file)?.into() };
        let mut both = digest::Context::new(&digest::SHA256);
        for part in [&content.cert, &*content.key] {
            both.update(digest::digest(&digest::SHA256, part).as_ref());
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(both.finish().as_ref());
        Ok((content, digest))
    }

    fn pair(&self, content: &Content, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let wrong = |flag, path: &Path, source| TlsError::Content { flag, path: path.to_owned(), source };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&content.cert)
            .collect::<Result<_, _>>()
            .map_err(|source| wrong(CERT_FLAG, &self.cert_file, source))?;
        if chain.is_empty() {
            let none = rustls::pki_types::pem::Error::NoItemsFound;
            return Err(wrong(CERT_FLAG, &self.cert_file, none));
        }
        let key = PrivateKeyDer::from_pem_slice(&content.key)
            .map_err(|source| wrong(KEY_FLAG, &self.key_file, source))?;
        CertifiedKey::from_der(chain, key, provider).map_err(TlsError::Pair)
    }
}

/// Gives each handshake the certificate of the moment.
#[derive(Debug)]
struct Current(watch::Receiver<Arc<CertifiedKey>>);

impl ResolvesServerCert for Current {
    fn resolve(&self, _: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0.borrow()))
    }
}

const CERT_FLAG: &str = "--tls-cert-file";
const KEY_FLAG: &str = "--tls-private-key-file";
