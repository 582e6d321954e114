//! Whom DNS over HTTPS trusts, loaded when it is first needed: the system's roots take a megabyte.

use std::fmt;
use std::sync::{Arc, OnceLock};

use rustls::{ClientConfig, RootCertStore};

/// Loads the roots that the operator trusts.
pub struct Roots {
    load: Box<dyn Fn() -> Result<ClientConfig, rustls::Error> + Send + Sync>,
    loaded: OnceLock<ClientConfig>,
}

impl Roots {
    /// Nothing is loaded before it is needed, and nothing twice.
    pub fn new(load: impl Fn() -> Result<ClientConfig, rustls::Error> + Send + Sync + 'static) -> Self {
        Self { load: Box::new(load), loaded: OnceLock::new() }
    }

    /// A client that trusts them. Reads files.
    pub(super) fn get(&self) -> Result<ClientConfig, rustls::Error> {
        if let Some(loaded) = self.loaded.get() {
            return Ok(loaded.clone());
        }
        let loaded = (self.load)()?;
        Ok(self.loaded.get_or_init(|| loaded).clone())
    }
}

impl fmt::Debug for Roots {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Roots")
    }
}

/// A client that trusts nobody, where none is needed.
pub(in crate::propagation) fn nobody() -> Result<ClientConfig, rustls::Error> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider).with_safe_default_protocol_versions()?;
    Ok(config.with_root_certificates(RootCertStore::empty()).with_no_client_auth())
}
