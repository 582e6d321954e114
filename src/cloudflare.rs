//! Cloudflare's zones and TXT records, behind [`Records`].
//!
//! ```text
//! zones    which zone, remembered ──────────────┐
//! writer   create, delete, list: group commit → records ─┴→ api  one call: its place in the budget, repeats, count
//!                                                            ↳ wire  envelope → error  what it means
//!                                                            → exchange → client  HTTPS
//! ```
//!
//! Three rules hold everywhere: nothing learned with one credential is used for another; a write is never repeated
//! before Cloudflare was asked what became of it; nothing that came from outside becomes part of a URL or of a public
//! text unchecked.

mod api;
mod budget;
mod client;
mod content;
mod date;
mod error;
mod exchange;
mod records;
mod wire;
mod writer;
mod zones;

#[cfg(test)]
mod script;

use std::sync::Arc;

pub use client::{HttpClient, Settings, SettingsError};
pub use exchange::{Answer, Call, Exchange, ExchangeError, MAX_BODY};

use tokio_util::task::TaskTracker;

use self::api::Api;
use self::records::ZoneRecords;
use self::writer::{Change, Done, Writer, Writers};
use self::zones::Zones;
use crate::deadline::Deadline;
use crate::issuer::ZonePin;
use crate::metrics::Metrics;
use crate::name::Fqdn;
use crate::secret::Credential;
use crate::solver::error::{Cause, Error};
use crate::solver::port::{Deleted, Doomed, Made, NewRecord, Record, Records, Zone};

/// The adapter; one for the whole program.
pub struct Cloudflare<X = HttpClient> {
    api: Arc<Api<X>>,
    zones: Arc<Zones<X>>,
    writers: Writers<X>,
}

impl Cloudflare {
    /// Over HTTPS. Connects to nothing yet; an error names the flag. Writes are made by tasks of `work`.
    pub fn new(settings: &Settings, metrics: Arc<Metrics>, work: TaskTracker) -> Result<Self, SettingsError> {
        Ok(Self::over(HttpClient::new(settings)?, metrics, work))
    }
}

impl<X: Exchange> Cloudflare<X> {
    /// Over any exchange: a script, in tests.
    pub fn over(exchange: X, metrics: Arc<Metrics>, work: TaskTracker) -> Self {
        let api = Arc::new(Api::new(exchange, Arc::clone(&metrics)));
        Self { zones: Arc::new(Zones::new(Arc::clone(&api))), writers: Writers::new(work, metrics), api }
    }

    fn writer(&self, credential: &Credential, zone: &Zone) -> Arc<Writer<X>> {
        self.writers.of(credential.id(), zone, || ZoneRecords {
            api: Arc::clone(&self.api),
            zones: Arc::clone(&self.zones),
            credential: credential.clone(),
            zone: zone.clone(),
        })
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
        self.writer(credential, zone).list(fqdn, deadline).await
    }

    async fn create(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        record: NewRecord,
        deadline: Deadline,
    ) -> Result<Made, Error> {
        let change = Change::Post { fqdn: fqdn.clone(), record };
        match self.writer(credential, zone).submit(change, deadline).await? {
            Done::Made(made) => Ok(made),
            Done::Deleted(_) => Err(mixed_up()),
        }
    }

    async fn delete(
        &self,
        credential: &Credential,
        zone: &Zone,
        record: Doomed<'_>,
        deadline: Deadline,
    ) -> Result<Deleted, Error> {
        let Doomed { fqdn, value, id } = record;
        let change = Change::Delete { fqdn: fqdn.clone(), value: value.to_owned(), id: id.to_owned() };
        match self.writer(credential, zone).submit(change, deadline).await? {
            Done::Deleted(deleted) => Ok(deleted),
            Done::Made(_) => Err(mixed_up()),
        }
    }

    fn doubt(&self, credential: &Credential, zone: &Zone) {
        self.zones.forget(credential.id(), &zone.name);
    }
}

impl<X> std::fmt::Debug for Cloudflare<X> {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("Cloudflare").finish_non_exhaustive()
    }
}

fn mixed_up() -> Error {
    Error::new(Cause::Internal, "the verdict of another change")
}
