//! How many calls a credential may make, and who goes first.
//!
//! Cloudflare counts 1,200 calls in five minutes over everything a user does, and blocks it for five more when they are
//! passed. So all calls of a credential, whatever their zone, ask here for a [`Permit`] first: at once while next to
//! nothing has been used, then at a pace at which two processes together outlast the window ([`policy`]). Those that
//! wait go `Present` before `CleanUp`, the oldest first. While they wait, more changes gather for the same call.
//!
//! After a 429 none is made until the time that Cloudflare named; then one alone, to see.

mod policy;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use http::StatusCode;
use tokio::sync::Notify;
use tokio::time::{Instant, sleep_until};

use self::policy::{Policy, Room};
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
            known.retain(|_, budget| Arc::strong_count(budget) > 1 || budget.is_recent());
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

/// For what a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum Urgency {
    /// A certificate waits for it.
    Present,
    /// Nobody waits but cert-manager.
    CleanUp,
}

/// The budget of a credential.
#[derive(Debug)]
pub(super) struct Budget {
    state: Mutex<State>,
    /// Something changed for those who wait.
    changed: Notify,
    metrics: Arc<Metrics>,
}

#[derive(Debug)]
struct State {
    policies: Vec<Policy>,
    /// When the next call were due if all came evenly (the generic cell rate algorithm), at this pace.
    due: Instant,
    gap: Duration,
    last: Option<Instant>,
    /// Calls on their way.
    under_way: u32,
    closed_until: Option<Instant>,
    probing: bool,
    tickets: Vec<Ticket>,
    numbers: u64,
    /// Changes and lists that wait for a call, several for one.
    gathered: u32,
}

#[derive(Debug, Clone, Copy)]
struct Ticket {
    number: u64,
    urgency: Urgency,
    since: Instant,
}

/// What stands between the first in line and its call.
enum Turn {
    Now {
        is_probe: bool,
    },
    At(Instant),
    /// Others come first, or the probe is under way.
    Later,
}

impl Budget {
    fn new(metrics: Arc<Metrics>) -> Self {
        let now = Instant::now();
        Self {
            state: Mutex::new(State {
                policies: vec![Policy::assumed(now)],
                due: now,
                gap: policy::FASTEST,
                last: None,
                under_way: 0,
                closed_until: None,
                probing: false,
                tickets: Vec::new(),
                numbers: 0,
                gathered: 0,
            }),
            changed: Notify::new(),
            metrics,
        }
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
        self.lock().closed_until.is_some_and(|until| until >= deadline.instant())
    }

    /// Takes in what an answer says of the limits. Calls that were on their way before a 429 say nothing of its end.
    fn learn(&self, answer: &Answer, is_probe: bool) {
        let now = Instant::now();
        let mut state = self.lock();
        let told = Policy::of(answer, state.under_way.saturating_sub(1), now);
        if !told.is_empty() {
            state.policies = told;
        }
        let was_open = state.closed_until.is_none();
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let named = answer.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
            let pause = named.map_or(policy::WINDOW, Duration::from_secs);
            state.closed_until = Some(now + pause.clamp(SHORTEST_BREAK, LONGEST_BREAK));
        } else if is_probe {
            state.closed_until = None;
        }
        let is_open = state.closed_until.is_none();
        let left = state.policies.iter().map(|policy| policy.permille(now)).min();
        drop(state);
        if was_open != is_open {
            self.metrics.cloudflare.breakers_open.inc_by(if is_open { -1 } else { 1 });
            tracing::warn!(is_open, "Cloudflare's rate limit: calls of a credential are stopped, or go on");
        }
        self.metrics.cloudflare.budget_left.set(left.map_or(1.0, |left| f64::from(left) / 1000.0));
        self.changed.notify_waiters();
    }

    /// So many more changes or lists wait for a call.
    pub(super) fn gather(&self, count: usize) {
        let mut state = self.lock();
        state.gathered = state.gathered.saturating_add(count.try_into().unwrap_or(u32::MAX));
    }

    /// So many wait no longer.
    pub(super) fn release(&self, count: usize) {
        let mut state = self.lock();
        state.gathered = state.gathered.saturating_sub(count.try_into().unwrap_or(u32::MAX));
    }

    fn is_recent(&self) -> bool {
        let state = self.lock();
        state.closed_until.is_some() || state.last.is_some_and(|last| last.elapsed() < policy::WINDOW)
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Drop for Budget {
    fn drop(&mut self) {
        if self.lock().closed_until.is_some() {
            self.metrics.cloudflare.breakers_open.dec();
        }
    }
}

impl State {
    /// Takes the right to a call for this ticket, or says when to look again.
    fn turn(&mut self, number: u64, now: Instant) -> Turn {
        let Some(first) = self.tickets.iter().min_by_key(|ticket| ticket.rank(now)).copied() else {
            return Turn::Later;
        };
        if first.number != number {
            let own = self.tickets.iter().find(|ticket| ticket.number == number);
            let old_at = own.filter(|own| own.urgency == Urgency::CleanUp).map(|own| own.since + STARVED);
            // Growing old is the one way to become the first that nobody tells of.
            return old_at.filter(|at| *at > now).map_or(Turn::Later, Turn::At);
        }
        let is_probe = self.closed_until.is_some();
        let room = self.policies.iter().map(|policy| policy.room(now, self.gathered)).max();
        if let Some(Room::Ample { gap, .. } | Room::Paced { gap, .. }) = room {
            self.change_pace(gap, now);
        }
        match self.closed_until {
            Some(until) if now < until => return Turn::At(until),
            Some(_) if self.probing => return Turn::Later,
            Some(_) => self.probing = true,
            None => {
                let at = self.due_at(room, first.rank(now).0, now);
                if at > now {
                    // It may be as urgent as anything before that.
                    let old_at = first.since + STARVED;
                    return Turn::At(if old_at > now { at.min(old_at) } else { at });
                }
            }
        }
        if let Some(Room::Ample { burst, .. } | Room::Paced { burst, .. }) = room {
            self.due = (self.due.max(now) + self.gap).min(now + self.gap * (burst + 1));
        }
        self.policies.iter_mut().for_each(|policy| policy.spend(now));
        self.last = Some(now);
        self.under_way += 1;
        Turn::Now { is_probe }
    }

    /// What ran ahead counts in calls, whatever the pace becomes.
    fn change_pace(&mut self, gap: Duration, now: Instant) {
        let ahead = self.due.saturating_duration_since(now);
        let gap = gap.max(policy::FASTEST);
        self.due = now + ahead.mul_f64(gap.div_duration_f64(self.gap));
        self.gap = gap;
    }

    fn due_at(&mut self, room: Option<Room>, urgency: Urgency, now: Instant) -> Instant {
        match room {
            None | Some(Room::Ample { .. }) => now,
            Some(Room::Paced { gap: _, burst, clean_up_burst, ends }) => {
                let ahead = if urgency == Urgency::Present { burst } else { clean_up_burst };
                // What may run ahead may have become less.
                self.due = self.due.min(now + self.gap * (burst + 1));
                let paced = self.due.checked_sub(self.gap * ahead).map_or(now, |at| at.max(now)).min(ends);
                if urgency == Urgency::Present { paced.min(self.trickle(now, ends)) } else { paced }
            }
            Some(Room::Reserved(ends)) if urgency == Urgency::Present => self.trickle(now, ends),
            Some(Room::Reserved(ends) | Room::Empty(ends)) => ends,
        }
    }

    /// For certificates only: somebody else may be the one who has used it all up.
    fn trickle(&self, now: Instant, ends: Instant) -> Instant {
        self.last.map_or(now, |last| (last + TRICKLE).max(now).min(ends))
    }
}

impl Ticket {
    /// The smallest goes first. What has waited for long is as urgent as anything.
    fn rank(&self, now: Instant) -> (Urgency, u64) {
        let is_old = now.saturating_duration_since(self.since) >= STARVED;
        (if is_old { Urgency::Present } else { self.urgency }, self.number)
    }
}

/// A place in line, left when it is dropped.
struct Waiting<'a> {
    budget: &'a Budget,
    number: u64,
}

impl<'a> Waiting<'a> {
    fn new(budget: &'a Budget, urgency: Urgency) -> Self {
        let mut state = budget.lock();
        let number = state.numbers;
        state.numbers += 1;
        state.tickets.push(Ticket { number, urgency, since: Instant::now() });
        drop(state);
        budget.metrics.cloudflare.calls_waiting.inc();
        Self { budget, number }
    }
}

impl Drop for Waiting<'_> {
    fn drop(&mut self) {
        self.budget.lock().tickets.retain(|ticket| ticket.number != self.number);
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
        let mut state = self.budget.lock();
        state.under_way = state.under_way.saturating_sub(1);
        state.probing &= !self.is_probe;
        drop(state);
        self.budget.changed.notify_waiters();
    }
}

/// The same for all who meet the open breaker.
pub(super) fn closed() -> Failure {
    Failure::new(Kind::Limited, "no call is made until the time that Cloudflare named is over")
}

/// Credentials whose calls are remembered; about 300 bytes each.
const CREDENTIALS: usize = 1024;
/// From the reserve, one call each.
const TRICKLE: Duration = Duration::from_secs(5);
/// What has waited so long goes before what came later, whatever it is for.
const STARVED: Duration = Duration::from_secs(10);
const SHORTEST_BREAK: Duration = Duration::from_secs(1);
const LONGEST_BREAK: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests;
