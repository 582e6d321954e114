//! A call with all that belongs to each: its place in the credential's budget, its time, its count, its line in the log,
//! and for those that may be repeated, the repeats.

use std::sync::Arc;
use std::time::Duration;

use serde::de::DeserializeOwned;
use tokio::time::Instant;
use tracing::debug;

use super::budget::{Budget, Budgets, Permit, Urgency};
use super::date;
use super::error::{Failure, Kind, describe, judge};
use super::exchange::{Answer, Call, Exchange};
use super::wire::Envelope;
use crate::deadline::Deadline;
use crate::metrics::{CallLabels, Endpoint, Metrics, Outcome};
use crate::secret::Credential;

/// The API over an exchange.
#[derive(Debug)]
pub(super) struct Api<X> {
    exchange: X,
    pub(super) metrics: Arc<Metrics>,
    budgets: Budgets,
}

/// A success.
#[derive(Debug)]
pub(super) struct Reply<T> {
    pub(super) result: T,
    /// Of a list.
    pub(super) total_pages: Option<u64>,
    /// When Cloudflare answered, by its own clock: seconds since 1970.
    pub(super) date: Option<i64>,
}

impl<X: Exchange> Api<X> {
    pub(super) fn new(exchange: X, metrics: Arc<Metrics>) -> Self {
        Self { exchange, budgets: Budgets::new(Arc::clone(&metrics)), metrics }
    }

    /// What all calls with this credential share.
    pub(super) fn budget(&self, credential: &Credential) -> Arc<Budget> {
        self.budgets.of(credential.id())
    }

    /// One call, never repeated; none once the deadline is over.
    pub(super) async fn once<T: DeserializeOwned>(
        &self,
        permit: Permit,
        credential: &Credential,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Reply<T>, Failure> {
        if deadline.is_over() {
            return Err(Failure::new(Kind::OutOfTime, "no time left for the call"));
        }
        let start = Instant::now();
        let sent = self.exchange.send(credential, call);
        let answer = match deadline.at_most(CALL_TIMEOUT).run(sent).await {
            Ok(answer) => answer.map_err(Failure::from),
            Err(_) => Err(Failure::unreadable("no answer in time")),
        };
        if let Ok(answer) = &answer {
            permit.learn(answer);
        }
        drop(permit);
        let ray = answer.as_ref().ok().and_then(|answer| answer.header("cf-ray"));
        debug!(
            method = %call.method,
            endpoint = ?call.endpoint,
            status = answer.as_ref().ok().map(|answer| answer.status.as_u16()),
            cf_ray = ray,
            ms = start.elapsed().as_millis(),
            "Called Cloudflare"
        );
        let result = answer.and_then(|answer| read(credential, &answer));
        self.count(call.endpoint, result.as_ref().err());
        result
    }

    /// A call that may be repeated: a GET, or a DELETE of one record; `permit` is for the first. Repeats what did not come through, twice at
    /// most and within the deadline. A 429 is not repeated: each call would prolong it.
    pub(super) async fn repeated<T: DeserializeOwned>(
        &self,
        mut permit: Option<Permit>,
        urgency: Urgency,
        credential: &Credential,
        call: &Call,
        deadline: Deadline,
    ) -> Result<Reply<T>, Failure> {
        let mut pauses = PAUSES.iter();
        let budget = self.budget(credential);
        loop {
            let permit = match permit.take() {
                Some(permit) => permit,
                None => budget.permit_by(urgency, deadline).await?,
            };
            let failure = match self.once(permit, credential, call, deadline).await {
                Err(failure) if failure.kind.may_pass() => failure,
                result => return result,
            };
            let Some(pause) = pauses.next() else {
                return Err(failure);
            };
            if deadline.sleep_until(Instant::now() + *pause).await.is_err() {
                return Err(failure);
            }
        }
    }

    fn count(&self, endpoint: Endpoint, failure: Option<&Failure>) {
        let outcome = failure.map_or(Outcome::Success, |failure| failure.kind.outcome());
        let labels = CallLabels { endpoint, outcome };
        self.metrics.cloudflare_calls.get_or_create(&labels).inc();
    }
}

fn read<T: DeserializeOwned>(credential: &Credential, answer: &Answer) -> Result<Reply<T>, Failure> {
    let envelope = Envelope::parse(answer);
    let describe = || describe(answer, envelope.as_ref(), credential);
    judge(answer.status, envelope.as_ref()).map_err(|kind| Failure::new(kind, describe()))?;
    let unreadable = || Failure::unreadable(&format!("{}unexpected result", describe()));
    let envelope = envelope.as_ref().ok_or_else(unreadable)?;
    Ok(Reply {
        result: T::deserialize(&envelope.result).map_err(|_| unreadable())?,
        total_pages: envelope.total_pages,
        date: answer.header("date").and_then(date::http),
    })
}

/// A third of the time that a request has by default, so that one lost answer leaves room to settle it.
const CALL_TIMEOUT: Duration = Duration::from_secs(15);
/// Before each repeat; Cloudflare's own clients begin with as much
/// (<https://github.com/cloudflare/cloudflare-typescript/blob/main/src/client.ts>).
pub(super) const PAUSES: [Duration; 2] = [Duration::from_millis(500), Duration::from_secs(1)];
