//! Defects that are planted on purpose, each at a joint of the program: what the simulation must find.

use std::sync::Arc;
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::TxtValue;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::issuer::ZonePin;
use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::secret::Credential;
use cert_manager_webhook_cloudflare::solver::error::{Cause, Class, Error};
use cert_manager_webhook_cloudflare::solver::port::{
    Challenges, Deleted, Doomed, LiveChallenge, Made, NewRecord, Propagation, Record, Records, Sighting,
    Watch, Zone,
};
use tokio::time::Instant;

/// A planted defect.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Bug {
    /// What Cloudflare's API took is taken for served.
    ConfirmsUnseen,
    /// Other values at the name are not thought of.
    ForgetsOthers,
    /// What else stands at the name is deleted as well.
    DeletesNeighbours,
    /// A delete whose answer is lost is taken for done.
    BelievesLostAnswers,
    /// A wait goes on after the request's deadline.
    OutlivesDeadline,
    /// Every call is made three times.
    RepeatsCalls,
    /// An error's text says when it happened.
    TellsTheTime,
}

impl Bug {
    /// All of them.
    pub const ALL: [Self; 7] = [
        Self::ConfirmsUnseen,
        Self::ForgetsOthers,
        Self::DeletesNeighbours,
        Self::BelievesLostAnswers,
        Self::OutlivesDeadline,
        Self::RepeatsCalls,
        Self::TellsTheTime,
    ];
}

/// A part of the program with a defect, or without.
#[derive(Debug)]
pub(crate) struct Planted<T> {
    pub(crate) inner: T,
    pub(crate) bug: Option<Bug>,
}

impl<T> Planted<T> {
    fn has(&self, bug: Bug) -> bool {
        self.bug == Some(bug)
    }
}

impl<R: Records> Records for Planted<R> {
    async fn zone(
        &self,
        credential: &Credential,
        fqdn: &Fqdn,
        pin: Option<&ZonePin>,
        deadline: Deadline,
    ) -> Result<Zone, Error> {
        self.inner.zone(credential, fqdn, pin, deadline).await
    }

    async fn list(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        deadline: Deadline,
    ) -> Result<Vec<Record>, Error> {
        self.inner.list(credential, zone, fqdn, deadline).await
    }

    async fn create(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        record: NewRecord,
        deadline: Deadline,
    ) -> Result<Made, Error> {
        let made = self.inner.create(credential, zone, fqdn, record, deadline).await;
        if self.has(Bug::TellsTheTime) && made.is_err() {
            let name = format!("{:?}", Instant::now());
            return Err(Cause::SecretUnavailable { namespace: "cert-manager".to_owned(), name }.into());
        }
        made
    }

    async fn delete(
        &self,
        credential: &Credential,
        zone: &Zone,
        record: Doomed<'_>,
        deadline: Deadline,
    ) -> Result<Deleted, Error> {
        let (fqdn, value) = (record.fqdn, record.value);
        let deleted = self.inner.delete(credential, zone, record, deadline).await;
        match self.bug {
            Some(Bug::DeletesNeighbours) => {
                let all = self.inner.list(credential, zone, fqdn, deadline).await.unwrap_or_default();
                for other in all.iter().filter(|other| other.value != value) {
                    let _ = self.inner.delete(credential, zone, Doomed::from((fqdn, other)), deadline).await;
                }
                deleted
            }
            Some(Bug::BelievesLostAnswers) => match deleted {
                Err(error) if error.cause().class() == Class::Retry => Ok(Deleted::Now),
                told => told,
            },
            _ => deleted,
        }
    }

    fn doubt(&self, credential: &Credential, zone: &Zone) {
        self.inner.doubt(credential, zone);
    }
}

impl<P: Propagation> Propagation for Planted<P> {
    async fn confirm(&self, watch: Watch<'_>, deadline: Deadline) -> Result<Option<Sighting>, Error> {
        match self.bug {
            Some(Bug::ConfirmsUnseen) => {
                Ok(Some(Sighting { since: watch.seen.unwrap_or_else(Instant::now), others: Vec::new() }))
            }
            Some(Bug::OutlivesDeadline) => {
                self.inner.confirm(watch, Deadline::within(Duration::from_mins(10))).await
            }
            Some(Bug::ForgetsOthers) => {
                let sighting = self.inner.confirm(watch, deadline).await?;
                Ok(sighting.map(|sighting| Sighting { others: Vec::new(), ..sighting }))
            }
            _ => self.inner.confirm(watch, deadline).await,
        }
    }
}

impl<C: Challenges> Challenges for Planted<Arc<C>> {
    fn known(&self, dns_name: &Fqdn) -> Option<Vec<LiveChallenge>> {
        if self.has(Bug::ForgetsOthers) { Some(Vec::new()) } else { self.inner.known(dns_name) }
    }

    async fn read(&self, values: &[TxtValue], deadline: Deadline) -> Option<Vec<LiveChallenge>> {
        self.inner.read(values, deadline).await
    }
}
