//! The write queue of a zone: group commit.
//!
//! A change that comes alone goes out at once. While a call is on its way, or the credential's budget makes the next one
//! wait, the changes that come gather, and the next call takes them all. So the calls grow with time, not with changes.
//!
//! There is one queue for each credential and zone, with one call on its way at most: whatever befalls it, no other zone
//! and no other credential is held up. The call is made by a task of its own, so that it comes to its end, and its
//! changes to their verdicts, whoever has stopped waiting.

mod commit;
mod lists;
mod op;
mod settle;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::lists::Lists;
use self::op::Op;
pub(super) use self::op::{Change, Done, Verdict};
use super::budget::{Budget, Permit, Urgency};
use super::error::{Failure, Kind};
use super::exchange::Exchange;
use super::records::ZoneRecords;
use super::wire::is_id;
use crate::deadline::Deadline;
use crate::metrics::Metrics;
use crate::name::Fqdn;
use crate::secret::CredentialId;
use crate::solver::error::{Cause, Error};
use crate::solver::port::{Record, Zone};

/// The queues of all zones.
pub(super) struct Writers<X> {
    known: Mutex<HashMap<Key, Arc<Writer<X>>>>,
    /// What the program waits for before it ends.
    work: TaskTracker,
    metrics: Arc<Metrics>,
}

/// Two zones of one id are two queues where one of them is pinned: what is pinned is not believed.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
struct Key {
    credential: CredentialId,
    id: String,
    name: Fqdn,
    is_pinned: bool,
}

impl<X: Exchange> Writers<X> {
    pub(super) fn new(work: TaskTracker, metrics: Arc<Metrics>) -> Self {
        Self { known: Mutex::default(), work, metrics }
    }

    /// The queue of a zone, made by `records` if there is none. One that is idle is forgotten when there are many.
    pub(super) fn of(
        &self,
        credential: CredentialId,
        zone: &Zone,
        records: impl FnOnce() -> ZoneRecords<X>,
    ) -> Arc<Writer<X>> {
        let (id, name) = (zone.id.clone(), zone.name.clone());
        let key = Key { credential, id, name, is_pinned: zone.name_servers.is_empty() };
        let mut known = self.known.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(writer) = known.get(&key) {
            return Arc::clone(writer);
        }
        if known.len() >= QUEUES {
            known.retain(|_, writer| Arc::strong_count(writer) > 1);
        }
        let writer = Arc::new(Writer::new(records(), self.work.clone()));
        known.insert(key, Arc::clone(&writer));
        self.metrics.cloudflare.write_queues.set(known.len().try_into().unwrap_or(i64::MAX));
        writer
    }
}

/// The queue of a zone.
pub(super) struct Writer<X> {
    records: ZoneRecords<X>,
    budget: Arc<Budget>,
    state: Mutex<State>,
    lists: Lists,
    /// Something waits that is more urgent than what waited so far.
    hurried: Notify,
    /// A call has come to its end.
    landed: Notify,
    work: TaskTracker,
}

struct State {
    waiting: Vec<Op>,
    /// The changes that are on their way, by number: those that make a record.
    flying: Vec<(u64, Fqdn)>,
    is_running: bool,
    numbers: u64,
    /// Changes that one call may carry.
    most: usize,
    /// Whether more than [`FREE_PLAN`] have been refused.
    is_limited: bool,
    /// Until when each change has a call of its own.
    singly_until: Option<Instant>,
}

impl<X: Exchange> Writer<X> {
    fn new(records: ZoneRecords<X>, work: TaskTracker) -> Self {
        let budget = records.budget();
        let state = State {
            waiting: Vec::new(),
            flying: Vec::new(),
            is_running: false,
            numbers: 0,
            most: FREE_PLAN,
            is_limited: false,
            singly_until: None,
        };
        Self {
            records,
            budget,
            state: Mutex::new(state),
            lists: Lists::default(),
            hurried: Notify::new(),
            landed: Notify::new(),
            work,
        }
    }

    /// Has a change made, and waits for what comes of it.
    pub(super) async fn submit(self: &Arc<Self>, change: Change, deadline: Deadline) -> Verdict {
        let id_is_one = |change: &Change| match change {
            Change::Post { .. } => true,
            Change::Delete { id, .. } => is_id(id),
        };
        if !is_id(&self.records.zone.id) || !id_is_one(&change) {
            return Err(Error::new(Cause::Internal, "an id is none"));
        }
        if deadline.is_over() {
            return Err(Cause::OutOfTime.into());
        }
        if self.budget.is_closed_beyond(deadline) {
            return Err(self.records.error(super::budget::closed()));
        }
        let (number, mut verdict) = self.enqueue(change, deadline)?;
        // A host that stood still finds the change dropped for its deadline before the timer has gone off.
        let lost = |_| {
            let cause = if deadline.is_over() { Cause::OutOfTime } else { Cause::Internal };
            Err(Error::new(cause, "a change was dropped"))
        };
        let closed = async {
            self.budget.closed_beyond(deadline).await;
            // What is on its way has its own verdict soon.
            if !self.lock().is_waiting(number) {
                std::future::pending::<()>().await;
            }
        };
        tokio::select! {
            biased;
            told = &mut verdict => told.unwrap_or_else(lost),
            () = closed => Err(self.records.error(super::budget::closed())),
            () = tokio::time::sleep_until(deadline.instant()) => {
                let is_waiting = self.lock().is_waiting(number);
                let kind = if is_waiting { Kind::Limited } else { Kind::OutOfTime };
                Err(self.records.error(Failure::new(kind, "the change waited for a call until the deadline")))
            }
        }
    }

    /// Every TXT record at a name, once all that was to be made there before has been.
    pub(super) async fn list(
        self: &Arc<Self>,
        fqdn: &Fqdn,
        deadline: Deadline,
    ) -> Result<Vec<Record>, Error> {
        self.read(fqdn, deadline).await.map_err(|failure| self.records.error(failure))
    }

    async fn read(self: &Arc<Self>, fqdn: &Fqdn, deadline: Deadline) -> Result<Vec<Record>, Failure> {
        if !is_id(&self.records.zone.id) {
            return Err(Failure::new(Kind::Internal, "a zone's id is none"));
        }
        if deadline.is_over() {
            return Err(Failure::new(Kind::OutOfTime, "no time left for the call"));
        }
        let read = deadline.run(async {
            self.all_made(fqdn).await;
            self.lists.read(self, fqdn).await
        });
        tokio::select! {
            biased;
            () = self.budget.closed_beyond(deadline) => Err(super::budget::closed()),
            read = read => read.unwrap_or_else(|elapsed| Err(Failure::new(Kind::OutOfTime, elapsed))),
        }
    }

    /// Waits until no record at the name is still to be made, of those asked for before now.
    async fn all_made(&self, fqdn: &Fqdn) {
        let before = self.lock().numbers;
        loop {
            let landed = self.landed.notified();
            tokio::pin!(landed);
            landed.as_mut().enable();
            if !self.lock().is_making(fqdn, before) {
                return;
            }
            landed.await;
        }
    }

    fn enqueue(
        self: &Arc<Self>,
        change: Change,
        deadline: Deadline,
    ) -> Result<(u64, tokio::sync::oneshot::Receiver<Verdict>), Error> {
        let is_post = change.is_post();
        let mut state = self.lock();
        if let Some(twin) = op::twin(&mut state.waiting, &change) {
            return Ok((twin.number, twin.join(deadline)));
        }
        if state.waiting.len() >= MOST_WAITING {
            return Err(Error::new(Cause::RateLimited, "too many changes wait for this zone"));
        }
        state.numbers += 1;
        let number = state.numbers;
        let mut op = Op::new(change, number, deadline);
        let receiver = op.join(deadline);
        state.waiting.push(op);
        self.count_come(1);
        if std::mem::replace(&mut state.is_running, true) {
            drop(state);
            if is_post {
                self.hurried.notify_one();
            }
        } else {
            drop(state);
            self.work.spawn(Arc::clone(self).run());
        }
        Ok((number, receiver))
    }

    /// Makes calls until nothing waits.
    async fn run(self: Arc<Self>) {
        let _running = Running(&self);
        while let Some(urgency) = self.urgency() {
            let permit = self.gather(urgency).await;
            let ops = self.take();
            if !ops.is_empty() {
                self.commit(permit, ops).await;
            }
            self.lock().flying.clear();
            self.landed.notify_waiters();
        }
    }

    /// What the most urgent change that waits is for; `None`, and the end of the task, if none waits.
    fn urgency(&self) -> Option<Urgency> {
        let mut state = self.lock();
        self.drop_unwanted(&mut state);
        if state.waiting.is_empty() {
            state.is_running = false;
            drop(state);
            self.landed.notify_waiters();
            return None;
        }
        let is_urgent = state.waiting.iter().any(|op| op.change.is_post());
        Some(if is_urgent { Urgency::Present } else { Urgency::CleanUp })
    }

    /// Waits for the right to a call, while more changes come.
    async fn gather(&self, urgency: Urgency) -> Permit {
        if urgency == Urgency::CleanUp {
            tokio::select! {
                biased;
                permit = self.budget.permit(urgency) => return permit,
                () = self.hurried.notified() => {}
            }
        }
        self.budget.permit(Urgency::Present).await
    }

    fn take(&self) -> Vec<Op> {
        let mut state = self.lock();
        self.drop_unwanted(&mut state);
        let is_single = state.singly_until.is_some_and(|until| Instant::now() < until);
        let most = if is_single { 1 } else { state.most };
        let ops = op::take(&mut state.waiting, most);
        let making = ops.iter().filter(|op| op.change.is_post());
        state.flying = making.map(|op| (op.number, op.change.fqdn().clone())).collect();
        self.count_gone(ops.len());
        ops
    }

    fn drop_unwanted(&self, state: &mut State) {
        let before = state.waiting.len();
        state.waiting.retain(Op::is_wanted);
        self.count_gone(before - state.waiting.len());
    }

    fn count_come(&self, count: usize) {
        self.budget.gather(count);
        self.records.api.metrics.cloudflare.writes_waiting.inc_by(count.try_into().unwrap_or(i64::MAX));
    }

    fn count_gone(&self, count: usize) {
        self.budget.release(count);
        self.records.api.metrics.cloudflare.writes_waiting.dec_by(count.try_into().unwrap_or(i64::MAX));
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl State {
    fn is_waiting(&self, number: u64) -> bool {
        self.waiting.iter().any(|op| op.number == number)
    }

    /// Whether one of the first `before` changes is to make a record at the name.
    fn is_making(&self, fqdn: &Fqdn, before: u64) -> bool {
        let waiting = self.waiting.iter().filter(|op| op.change.is_post() && op.is_wanted());
        let waiting = waiting.map(|op| (op.number, op.change.fqdn()));
        let flying = self.flying.iter().map(|(number, fqdn)| (*number, fqdn));
        waiting.chain(flying).any(|(number, name)| number <= before && name == fqdn)
    }
}

/// A queue whose task has died is not left for dead: what waited is told, and the next change begins anew.
struct Running<'a, X: Exchange>(&'a Writer<X>);

impl<X: Exchange> Drop for Running<'_, X> {
    fn drop(&mut self) {
        let mut state = self.0.lock();
        if state.is_running && std::thread::panicking() {
            state.is_running = false;
            state.flying.clear();
            self.0.count_gone(state.waiting.len());
            state.waiting.clear();
            drop(state);
            self.0.landed.notify_waiters();
        }
    }
}

/// Changes in one call on the free plan; more are tried where so many went through, up to what other plans allow
/// (<https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/>).
const FREE_PLAN: usize = 200;
const LARGEST_PLAN: usize = 3500;
/// Queues that are remembered, about a kilobyte each.
const QUEUES: usize = 1024;
/// Changes that wait for one zone, about 500 bytes each.
const MOST_WAITING: usize = 4096;
/// How long it is remembered that a batch was refused where a change alone was not.
const SINGLY: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests;
