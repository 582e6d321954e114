//! A certificate and its key, which follow their files.

use std::fs;
use std::path::{Path, PathBuf};
use std::sync::Arc;

use aws_lc_rs::digest;
use rustls::crypto::CryptoProvider;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::sign::CertifiedKey;
use tokio::sync::watch;
use tracing::{error, info};
use x509_parser::prelude::{FromDer, X509Certificate};

use super::TlsError;
use crate::metrics::serving::Reload;

/// As the files had it last.
#[derive(Debug)]
pub(super) struct Pair {
    files: Files,
    current: watch::Sender<Arc<CertifiedKey>>,
    /// Of the content that was looked at last, whether it is used or broken.
    looked_at: Digest,
}

/// The files, and the flags that name them.
#[derive(Debug)]
pub(super) struct Files {
    pub(super) cert: (&'static str, PathBuf),
    pub(super) key: (&'static str, PathBuf),
}

impl Pair {
    pub(super) fn load(files: Files, provider: &CryptoProvider) -> Result<Self, TlsError> {
        let (content, looked_at) = files.read()?;
        let pair = files.pair(&content, provider)?;
        Ok(Self { files, current: watch::Sender::new(Arc::new(pair)), looked_at })
    }

    /// What is to be shown, from now on.
    pub(super) fn current(&self) -> watch::Receiver<Arc<CertifiedKey>> {
        self.current.subscribe()
    }

    /// When what is shown ends, in seconds since 1970.
    pub(super) fn expiry(&self) -> Option<i64> {
        let pair = self.current.borrow();
        let (_, leaf) = X509Certificate::from_der(pair.cert.first()?).ok()?;
        Some(leaf.validity().not_after.timestamp())
    }

    /// Takes over changed files; says what became of them if they have changed. A broken pair (or one half of a change) leaves the old one in use and is logged once.
    pub(super) fn look(&mut self, provider: &CryptoProvider) -> Option<Reload> {
        let (content, digest) = match self.files.read() {
            Ok(read) => read,
            Err(error) => {
                // As if the files were empty, to log it once.
                let before = std::mem::take(&mut self.looked_at);
                return (before != Digest::default()).then(|| kept(&error));
            }
        };
        if digest == self.looked_at {
            return None;
        }
        self.looked_at = digest;
        match self.files.pair(&content, provider) {
            Ok(pair) => {
                self.current.send_replace(Arc::new(pair));
                info!(flag = self.files.cert.0, "the serving certificate has been reloaded");
                Some(Reload::Success)
            }
            Err(error) => Some(kept(&error)),
        }
    }
}

fn kept(error: &TlsError) -> Reload {
    let cause = std::error::Error::source(error).map(ToString::to_string);
    error!(%error, cause, "the serving certificate can't be reloaded; the one before stays in use");
    Reload::Failure
}

/// Of both files; all zero while they can't be read.
type Digest = [u8; 32];

struct Content {
    cert: Vec<u8>,
    key: zeroize::Zeroizing<Vec<u8>>,
}

impl Files {
    fn read(&self) -> Result<(Content, Digest), TlsError> {
        let read = |(flag, path): &(&'static str, PathBuf)| {
            fs::read(path).map_err(|source| TlsError::Read { flag, path: path.clone(), source })
        };
        let content = Content { cert: read(&self.cert)?, key: read(&self.key)?.into() };
        let mut both = digest::Context::new(&digest::SHA256);
        for part in [&content.cert, &*content.key] {
            both.update(digest::digest(&digest::SHA256, part).as_ref());
        }
        let mut digest = Digest::default();
        digest.copy_from_slice(both.finish().as_ref());
        Ok((content, digest))
    }

    fn pair(&self, content: &Content, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
        let wrong = |(flag, path): &(&'static str, PathBuf), source| TlsError::Content {
            flag,
            path: Path::to_owned(path),
            source,
        };
        let chain: Vec<_> = CertificateDer::pem_slice_iter(&content.cert)
            .collect::<Result<_, _>>()
            .map_err(|source| wrong(&self.cert, source))?;
        if chain.is_empty() {
            return Err(wrong(&self.cert, rustls::pki_types::pem::Error::NoItemsFound));
        }
        let key = PrivateKeyDer::from_pem_slice(&content.key).map_err(|source| wrong(&self.key, source))?;
        let mismatch = |source| TlsError::Pair { cert_flag: self.cert.0, key_flag: self.key.0, source };
        CertifiedKey::from_der(chain, key, provider).map_err(mismatch)
    }
}

#[cfg(test)]
mod tests {
    use rcgen::{CertificateParams, KeyPair};
    use rustls::crypto::aws_lc_rs::default_provider;
    use tempfile::TempDir;

    use super::*;

    /// A certificate and its key, in PEM.
    fn issued() -> (String, String) {
        let key = KeyPair::generate().unwrap();
        let params = CertificateParams::new(vec!["localhost".to_owned()]).unwrap();
        (params.self_signed(&key).unwrap().pem(), key.serialize_pem())
    }

    #[test]
    fn a_pair_is_taken_over_as_a_whole_or_not_at_all() {
        let provider = default_provider();
        let directory = TempDir::new().unwrap();
        let (cert_file, key_file) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
        let ((cert, key), (next_cert, next_key)) = (issued(), issued());
        fs::write(&cert_file, cert).unwrap();
        fs::write(&key_file, key).unwrap();
        let files = Files { cert: ("--cert", cert_file.clone()), key: ("--key", key_file.clone()) };
        let mut pair = Pair::load(files, &provider).unwrap();
        let mut seen = pair.current();
        let mut looks = |changes: bool, what: &str| {
            pair.look(&provider);
            assert_eq!(seen.has_changed().unwrap(), changes, "{what}");
            seen.mark_unchanged();
        };
        looks(false, "nothing is new");
        fs::write(&cert_file, &next_cert[..100]).unwrap();
        looks(false, "half a file");
        fs::write(&cert_file, &next_cert).unwrap();
        looks(false, "the halves don't belong together");
        fs::remove_file(&key_file).unwrap();
        looks(false, "a half is missing");
        fs::write(&key_file, "").unwrap();
        looks(false, "a half is empty");
        fs::write(&key_file, &next_key).unwrap();
        looks(true, "both are there");
        looks(false, "nothing is new");
    }
}
