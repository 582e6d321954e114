//! `Present` and `CleanUp`: decisions only. What they need of the outside comes through [`port`].

mod clean_up;
mod confirm;
pub mod error;
mod ledger;
pub mod mark;
mod order;
pub mod port;
mod present;
mod shared;
mod tidy;

#[cfg(test)]
mod tests;

use std::sync::Arc;

use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;
use tracing::{Instrument, field};

use self::error::{Cause, Class, Error};
use self::ledger::Ledger;
use self::mark::Owner;
use self::order::Order;
use self::port::{Challenges, Credentials, Freshness, Propagation, Records};
use crate::challenge::{Action, ChallengeRequest};
use crate::deadline::Deadline;
use crate::expiring::Expiring;
use crate::issuer::CredentialSource;
use crate::metrics::{ActionLabel, Metrics, Outcome, RequestLabels};
use crate::name::Fqdn;
use crate::secret::{Credential, CredentialId};

/// What the solver is made of.
#[derive(Debug)]
pub struct Parts<R, P, S, C> {
    /// Cloudflare.
    pub records: R,
    /// The authority.
    pub propagation: P,
    /// Secrets.
    pub credentials: S,
    /// The cluster's Challenges.
    pub challenges: C,
    /// Who we are in the marks of records.
    pub owner: Owner,
    /// The API group that is served.
    pub group: String,
    /// The solver name that is served.
    pub solver: String,
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// Answers cert-manager.
#[derive(Debug)]
pub struct Solver<R, P, S, C> {
    parts: Parts<R, P, S, C>,
    ledger: Ledger,
    order: Order,
    /// Since when Cloudflare refuses a credential that the `CleanUp` of a name needs.
    refused: Expiring<(CredentialId, Fqdn), Instant>,
}

impl<R: Records, P: Propagation, S: Credentials, C: Challenges> Solver<R, P, S, C> {
    /// A solver that has written nothing yet.
    pub fn new(parts: Parts<R, P, S, C>) -> Self {
        let ledger = Ledger::counted_by(parts.metrics.names_remembered.clone());
        Self { parts, ledger, order: Order::default(), refused: Expiring::new(1_000) }
    }

    /// Does what is asked, or says why not. Twice the same is the same.
    pub async fn answer(&self, request: ChallengeRequest, deadline: Deadline) -> Result<(), Error> {
        let action = Action::parse(&request.action).ok_or(Cause::Action)?;
        let span = tracing::info_span!(
            "challenge",
            ?action,
            fqdn = ?request.resolved_fqdn,
            namespace = ?request.resource_namespace,
            zone = field::Empty,
        );
        let started = Instant::now();
        let answer = async {
            let result = match action {
                Action::Present => self.present(request, deadline).await,
                Action::CleanUp => self.clean_up(request, deadline).await,
            };
            log(&result, started);
            result
        };
        let _in_flight = InFlight::enter(&self.parts.metrics.in_flight);
        let result = answer.instrument(span).await;
        self.parts.metrics.requests.get_or_create(&labels(action, &result)).inc();
        result
    }

    /// Works with a credential, and where Cloudflare refuses it, with the one that is found in its place now.
    async fn with_newest<T, W: Future<Output = Result<T, Error>>>(
        &self,
        namespace: &str,
        source: &CredentialSource,
        credential: &Credential,
        deadline: Deadline,
        work: impl Fn(Credential) -> W,
    ) -> Result<T, Error> {
        let refusal = match work(credential.clone()).await {
            Err(error) if is_refusal(&error) => error,
            result => return result,
        };
        match self.parts.credentials.load(namespace, source, Freshness::Now, deadline).await {
            Ok(new) if new.id() != credential.id() => work(new).await,
            _ => Err(refusal),
        }
    }
}

/// A request that is being answered, however it ends.
struct InFlight<'a>(&'a Gauge);

impl<'a> InFlight<'a> {
    fn enter(gauge: &'a Gauge) -> Self {
        gauge.inc();
        Self(gauge)
    }
}

impl Drop for InFlight<'_> {
    fn drop(&mut self) {
        self.0.dec();
    }
}

/// Whether another credential might fare better.
fn is_refusal(error: &Error) -> bool {
    matches!(
        error.cause(),
        Cause::CredentialRefused
            | Cause::AddressRefused
            | Cause::ZoneDenied(_)
            | Cause::ZonesHidden(_)
            | Cause::NoZone(_)
    )
}

fn log(result: &Result<(), Error>, started: Instant) {
    let ms = started.elapsed().as_millis();
    match result {
        Ok(()) => tracing::info!(ms, "done"),
        Err(error) => {
            tracing::warn!(ms, code = error.cause().code(), detail = ?error.detail(), "{}", error.cause());
        }
    }
}

fn labels(action: Action, result: &Result<(), Error>) -> RequestLabels {
    let action = match action {
        Action::Present => ActionLabel::Present,
        Action::CleanUp => ActionLabel::CleanUp,
    };
    let outcome = match result.as_ref().map_err(|error| error.cause().class()) {
        Ok(()) => Outcome::Success,
        Err(Class::Retry) => Outcome::Retry,
        Err(Class::Configuration) => Outcome::Configuration,
        Err(Class::Denied) => Outcome::Denied,
        Err(Class::Gone) => Outcome::Gone,
        Err(Class::Internal) => Outcome::Internal,
    };
    RequestLabels { action, outcome }
}
