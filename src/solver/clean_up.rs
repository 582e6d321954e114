//! `CleanUp`: remove exactly the value, and never stand in the way of a deletion for ever.
//!
//! cert-manager repeats a failed `CleanUp` until it succeeds, and until then neither the Challenge nor its namespace
//! can be deleted. So what can't be mended by waiting ends in success, and what stays behind is named in the log.

use std::time::Duration;

use tokio::time::Instant;

use super::Solver;
use super::error::{Cause, Class, Error};
use super::ledger::Key;
use super::port::{Challenges, Credentials, Freshness, Propagation, Record, Records};
use crate::challenge::{Challenge, ChallengeRequest};
use crate::deadline::Deadline;
use crate::issuer::IssuerConfig;
use crate::metrics::phase::Phase;
use crate::name::Fqdn;
use crate::secret::{Credential, CredentialId};

impl<R: Records, P: Propagation, S: Credentials, C: Challenges> Solver<R, P, S, C> {
    pub(super) async fn clean_up(&self, request: ChallengeRequest, deadline: Deadline) -> Result<(), Error> {
        let challenge = match Challenge::parse(request) {
            Ok(challenge) => challenge,
            Err(reason) => {
                tracing::info!(%reason, "nothing to clean up: this was never presented");
                return Ok(());
            }
        };
        self.order.written(&challenge.fqdn, &challenge.value, deadline).await?;
        let config = IssuerConfig::parse_leniently(challenge.config.as_ref(), challenge.ambient);
        let result = match config {
            Ok(config) => self.remove(&challenge, &config, deadline).await,
            Err(reason) => Err(Failure::Lasting(Cause::Issuer(reason).into())),
        };
        match result {
            Ok(()) => Ok(()),
            Err(Failure::Passing(error)) => Err(error),
            Err(Failure::Lasting(error)) => self.give_up(&challenge, error, deadline).await,
        }
    }

    async fn remove(
        &self,
        challenge: &Challenge,
        config: &IssuerConfig,
        deadline: Deadline,
    ) -> Result<(), Failure> {
        let Some(source) = config.source(&challenge.fqdn) else {
            return Err(Failure::Lasting(Cause::NoSource(challenge.fqdn.clone()).into()));
        };
        let phases = &self.parts.metrics.phases;
        let loading = phases.begin(Phase::Credential);
        let credential =
            self.parts.credentials.load(&challenge.namespace, source, Freshness::Shared, deadline).await?;
        drop(loading);
        let _removal = phases.begin(Phase::Removal);
        let remove =
            |credential| async move { self.remove_with(challenge, config, &credential, deadline).await };
        let result = self.with_newest(&challenge.namespace, source, &credential, deadline, remove).await;
        if result.is_ok() {
            self.refused.remove(&(credential.id(), challenge.fqdn.clone()));
        }
        result.map_err(|error| self.judge(error, (credential.id(), challenge.fqdn.clone())))
    }

    async fn remove_with(
        &self,
        challenge: &Challenge,
        config: &IssuerConfig,
        credential: &Credential,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let fqdn = &challenge.fqdn;
        let key = Key { fqdn, value: &challenge.value, credential: credential.id() };
        let challenges = self.challenges_of(challenge);
        if self.ledger.is_cleaned(key, &challenges) {
            tracing::debug!("removed a moment ago");
            return Ok(());
        }
        let writer = self.ledger.writer(key);
        if let Some(writer) = &writer
            && self.delete_made(key, credential, writer, deadline).await?
        {
            self.ledger.cleaned(key, challenges);
            return Ok(());
        }
        let zone = match writer {
            Some(writer) => writer.zone,
            None => self.parts.records.zone(credential, fqdn, config.pin(fqdn), deadline).await?,
        };
        let listed = Instant::now();
        let records = self.parts.records.list(credential, &zone, fqdn, deadline).await?;
        self.delete_value(key, credential, &zone, (listed, &records), deadline).await?;
        let is_other = |record: &&Record| record.value != challenge.value.as_str();
        let others: Vec<_> = records.iter().filter(is_other).collect();
        self.remove_orphans(credential, &zone, fqdn, &others, deadline).await;
        Ok(())
    }

    /// The Challenges of this value, as far as they can be watched; none where they can't. cert-manager often cleans up one
    /// twice, when its own view is late. Another one of the same value may have been presented by another replica.
    fn challenges_of(&self, challenge: &Challenge) -> Vec<String> {
        let known = challenge.dns_name.as_ref().and_then(|name| self.parts.challenges.known(name));
        let of_value = known.into_iter().flatten().filter(|other| other.value == challenge.value);
        of_value.map(|other| other.uid).collect()
    }

    /// A refused token may be repaired within minutes, so a refusal counts only once it has lasted.
    fn judge(&self, error: Error, what: (CredentialId, Fqdn)) -> Failure {
        let is_refusal = super::is_refusal(&error) && !matches!(error.cause(), Cause::NoZone(_));
        if !is_refusal {
            return error.into();
        }
        let since = self.refused.get(&what).unwrap_or_else(|| {
            self.refused.insert(what, Instant::now(), REFUSAL_KEPT);
            Instant::now()
        });
        if since.elapsed() > REFUSAL_LASTS { Failure::Lasting(error) } else { Failure::Passing(error) }
    }

    /// The last means: what wrote the record for the same namespace, if this process did. Else the record stays, and is
    /// named.
    async fn give_up(&self, challenge: &Challenge, error: Error, deadline: Deadline) -> Result<(), Error> {
        let Challenge { fqdn, value, namespace, .. } = challenge;
        if let Some(writer) = self.ledger.writer_for(fqdn, value, namespace) {
            match self.remove_written(fqdn, value, &writer, deadline).await {
                Ok(()) => return Ok(()),
                Err(retry) if retry.cause().class() == Class::Retry => return Err(retry),
                Err(_) => {}
            }
        }
        self.parts.metrics.records_left.inc();
        tracing::error!(%fqdn, %value, %namespace, code = error.cause().code(), detail = ?error.detail(),
            "a record may have been left behind: {}", error.cause());
        Ok(())
    }
}

/// How a removal failed.
enum Failure {
    /// Another try may fare better.
    Passing(Error),
    /// Waiting can't mend it.
    Lasting(Error),
}

impl From<Error> for Failure {
    fn from(error: Error) -> Self {
        match error.cause().class() {
            Class::Retry | Class::Internal => Self::Passing(error),
            Class::Configuration | Class::Denied | Class::Gone => Self::Lasting(error),
        }
    }
}

/// A token that is refused for longer has been revoked, not mistyped.
const REFUSAL_LASTS: Duration = Duration::from_mins(10);
/// Long enough for cert-manager's back-off, 30 minutes at most, to come round.
const REFUSAL_KEPT: Duration = Duration::from_hours(3);
