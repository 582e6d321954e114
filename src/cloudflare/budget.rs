//! How many calls a credential may make, and who goes first.
//!
//! Cloudflare counts 1,200 calls in five minutes over everything a user does, and blocks it for five more when they are
//! passed. So all calls of a credential, whatever their zone, ask here for a [`Permit`] first: at once while next to
//! nothing has been used, then at a pace at which two processes together outlast the window ([`policy`]). Those that
//! wait ([`line`]) go `Present` before `CleanUp`, the oldest first. While they wait, more changes gather for the same call.
//!
//! After a 429 none is made until the time that Cloudflare named; then one alone, to see.

mod line;
mod policy;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

pub(super) use self::line::Urgency;
use self::line::{Line, Turn};
use super::error::{Failure, Kind};
use super::exchange::Answer;
use crate::deadline::Deadline;
use crate::metrics::Metrics;
use crate::secret::CredentialId;

/// The budgets of all credentials.
#[derive(Debug)]
pub(super) struct Budgets {
    known: Mutex<HashMap<CredentialId, Arc<Budget>>>,
    metrics: Arc<Metrics>,
}

impl Budgets {
    pub(super) fn new(metrics: Arc<Metrics>) -> Self {
        Self { known: Mutex::default(), metrics }
    }

    /// That of a credential. One that nobody uses or has used lately is forgotten when there are many.
    pub(super) fn of(&self, credential: CredentialId) -> Arc<Budget> {
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(budget) = known.get(&credential) {
            return Arc::clone(budget);
        }
        if known.len() >= CREDENTIALS {
            let now = Instant::now();
            known.retain(|_, budget| Arc::strong_count(budget) > 1 || budget.lock().is_recent(now));
        }
        let budget = Arc::new(Budget::new(Arc::clone(&self.metrics)));
        // More at once than that are turned away before they get here, or share what nobody remembers.
        if known.len() < CREDENTIALS {
            known.insert(credential, Arc::clone(&budget));
        }
        self.metrics.cloudflare.credentials.set(known.len().try_into().unwrap_or(i64::MAX));
        budget
    }
}

/// The budget of a credential.
#[derive(Debug)]
pub(super) struct Budget {
    line: Mutex<Line>,
    /// Something changed for those who wait.
    changed: Notify,
    metrics: Arc<Metrics>,
}

impl Budget {
    fn new(metrics: Arc<Metrics>) -> Self {
        Self { line: Mutex::new(Line::new(Instant::now())), changed: Notify::new(), metrics }
    }

    /// Waits for the right to make one call, as long as it takes.
    pub(super) async fn permit(self: &Arc<Self>, urgency: Urgency) -> Permit {
        let ticket = Waiting::new(self, urgency);
        let is_probe = loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            let turn = self.lock().turn(ticket.number, Instant::now());
            match turn {
                Turn::Now { is_probe } => break is_probe,
                Turn::At(at) => {
                    tokio::select! {
                        biased;
                        () = sleep_until(at) => {}
                        () = changed => {}
                    }
                }
                Turn::Later => changed.await,
            }
        };
        drop(ticket);
        Permit { budget: Arc::clone(self), is_probe }
    }

    /// The same, until a deadline.
    pub(super) async fn permit_by(
        self: &Arc<Self>,
        urgency: Urgency,
        deadline: Deadline,
    ) -> Result<Permit, Failure> {
        if deadline.is_over() {
            return Err(Failure::new(Kind::OutOfTime, "no time left for the call"));
        }
        if self.is_closed_beyond(deadline) {
            return Err(closed());
        }
        let waited = deadline.run(self.permit(urgency)).await;
        waited.map_err(|_| Failure::new(Kind::Limited, "no call was left for the request in its time"))
    }

    /// Waits until it is certain that no call will be made before the deadline, because Cloudflare said so.
    pub(super) async fn closed_beyond(&self, deadline: Deadline) {
        loop {
            let changed = self.changed.notified();
            tokio::pin!(changed);
            changed.as_mut().enable();
            if self.is_closed_beyond(deadline) {
                return;
            }
            changed.await;
        }
    }

    /// See [`Self::closed_beyond`].
    pub(super) fn is_closed_beyond(&self, deadline: Deadline) -> bool {
        self.lock().closed_until().is_some_and(|until| until >= deadline.instant())
    }

    /// See [`Line::learn`].
    fn learn(&self, answer: &Answer, is_probe: bool) {
        let now = Instant::now();
        let mut line = self.lock();
        let was_open = line.closed_until().is_none();
        line.learn(answer, is_probe, now);
        let is_open = line.closed_until().is_none();
        let left = line.permille_left(now);
        drop(line);
        if was_open != is_open {
            self.metrics.cloudflare.breakers_open.inc_by(if is_open { -1 } else { 1 });
            tracing::warn!(is_open, "Cloudflare's rate limit: calls of a credential are stopped, or go on");
        }
        self.metrics.cloudflare.budget_left.set(left.map_or(1.0, |left| f64::from(left) / 1000.0));
        self.changed.notify_waiters();
    }

    /// See [`Line::gather`].
    pub(super) fn gather(&self, count: usize) {
        self.lock().gather(count);
    }

    /// See [`Line::release`].
    pub(super) fn release(&self, count: usize) {
        self.lock().release(count);
    }

    fn lock(&self) -> MutexGuard<'_, Line> {
        self.line.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        if self.lock().closed_until().is_some() {
            self.metrics.cloudflare.breakers_open.dec();
        }
    }
}

/// A place in line, left when it is dropped.
struct Waiting<'a> {
    budget: &'a Budget,
    number: u64,
}

impl<'a> Waiting<'a> {
    fn new(budget: &'a Budget, urgency: Urgency) -> Self {
        let number = budget.lock().join(urgency, Instant::now());
        budget.metrics.cloudflare.calls_waiting.inc();
        Self { budget, number }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.budget.lock().leave(self.number);
        self.budget.metrics.cloudflare.calls_waiting.dec();
        self.budget.changed.notify_waiters();
    }
}

/// The right to one call, until its answer is there.
#[derive(Debug)]
pub(super) struct Permit {
    budget: Arc<Budget>,
    is_probe: bool,
}

impl Permit {
    /// Takes in what the answer says of the limits.
    pub(super) fn learn(&self, answer: &Answer) {
        self.budget.learn(answer, self.is_probe);
    }
}

impl Drop for Permit {
    fn drop(&mut self) {
        self.budget.lock().end(self.is_probe);
        self.budget.changed.notify_waiters();
    }
}

/// The same for all who meet the open breaker.
pub(super) fn closed() -> Failure {
    Failure::new(Kind::Limited, "no call is made until the time that Cloudflare named is over")
}

/// Credentials whose calls are remembered; about 300 bytes each.
const CREDENTIALS: usize = 1024;

#[cfg(test)]
mod tests;
