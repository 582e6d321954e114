//! Cloudflare's zones and TXT records, behind [`Records`].
//!
//! ```text
//! records  list, create, delete ─┐
//! zones    which zone, cached   ─┴→ api  one call: time, repeats, count → exchange → client  HTTPS
//!                                    ↳ wire  envelope → error  what it means
//! ```
//!
//! Three rules hold everywhere: nothing learned with one credential is used for another; a write is never repeated
//! before Cloudflare was asked what became of it; nothing that came from outside becomes part of a URL or of a public
//! text unchecked.

mod api;
mod client;
mod content;
mod date;
mod error;
mod exchange;
mod records;
mod wire;
mod zones;

#[cfg(test)]
mod script;

use std::sync::Arc;

pub use client::{HttpClient, Settings, SettingsError};
pub use exchange::{Answer, Call, Exchange, ExchangeError, MAX_BODY};

use self::api::Api;
use self::records::ZoneRecords;
use self::zones::Zones;
use crate::deadline::Deadline;
use crate::issuer::ZonePin;
use crate::metrics::Metrics;
use crate::name::Fqdn;
use crate::secret::Credential;
use crate::solver::error::Error;
use crate::solver::port::{Created, NewRecord, Record, Records, Zone};

/// The adapter; one for the whole program.
#[derive(Debug)]
pub struct Cloudflare<X = HttpClient> {
    api: Arc<Api<X>>,
    zones: Zones<X>,
}

impl Cloudflare {
    /// Over HTTPS. Connects to nothing yet; an error names the flag.
    pub fn new(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, SettingsError> {
        Ok(Self::over(HttpClient::new(settings)?, metrics))
    }
}

impl<X: Exchange> Cloudflare<X> {
    /// Over any exchange: a script, in tests.
    pub fn over(exchange: X, metrics: Arc<Metrics>) -> Self {
        let api = Arc::new(Api { exchange, metrics });
        Self { zones: Zones::new(Arc::clone(&api)), api }
    }

    fn records<'a>(&'a self, credential: &'a Credential, zone: &'a Zone) -> ZoneRecords<'a, X> {
        ZoneRecords { api: &self.api, credential, zone, zones: &self.zones }
    }
}

impl<X: Exchange> Records for Cloudflare<X> {
    async fn zone(
        &self,
        credential: &Credential,
        fqdn: &Fqdn,
        pin: Option<&ZonePin>,
        deadline: Deadline,
    ) -> Result<Zone, Error> {
        self.zones.find(credential, fqdn, pin, deadline).await
    }

    async fn list(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        deadline: Deadline,
    ) -> Result<Vec<Record>, Error> {
        let records = self.records(credential, zone);
        records.list(fqdn, deadline).await.map_err(|failure| records.error(failure))
    }

    async fn create(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        record: NewRecord,
        deadline: Deadline,
    ) -> Result<Created, Error> {
        self.records(credential, zone).create(fqdn, &record, deadline).await
    }

    async fn delete(
        &self,
        credential: &Credential,
        zone: &Zone,
        id: &str,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let records = self.records(credential, zone);
        records.delete(id, deadline).await.map_err(|failure| records.error(failure))
    }
}
