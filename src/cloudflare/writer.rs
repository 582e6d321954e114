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
mod queue;
mod settle;

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{Notify, oneshot};
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

use self::lists::Lists;
pub(super) use self::op::{Change, Done, Verdict};
use self::queue::{Entered, How, Queue};
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
    queue: Mutex<Queue>,
    lists: Lists,
    /// Something waits that is more urgent than what waited so far.
    hurried: Notify,
    /// A call has come to its end.
    landed: Notify,
    work: TaskTracker,
}

impl<X: Exchange> Writer<X> {
    fn new(records: ZoneRecords<X>, work: TaskTracker) -> Self {
        let budget = records.budget();
        Self {
            records,
            budget,
            queue: Mutex::new(Queue::new()),
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
        let (number, mut verdict) = self.enter(change, deadline)?;
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
        let before = self.lock().last();
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

    fn enter(
        self: &Arc<Self>,
        change: Change,
        deadline: Deadline,
    ) -> Result<(u64, oneshot::Receiver<Verdict>), Error> {
        let is_post = change.is_post();
        let entered = self.counted(|queue| queue.enter(change, deadline));
        let Entered { number, verdict, how } = entered?;
        match how {
            How::First => drop(self.work.spawn(Arc::clone(self).run())),
            How::Behind if is_post => self.hurried.notify_one(),
            How::Behind | How::Joined => {}
        }
        Ok((number, verdict))
    }

    /// Makes calls until nothing waits.
    async fn run(self: Arc<Self>) {
        let _running = Running(&self);
        while let Some(urgency) = self.urgency() {
            let permit = self.gather(urgency).await;
            let ops = self.counted(|queue| queue.take(Instant::now()));
            if !ops.is_empty() {
                self.commit(permit, ops).await;
            }
            self.lock().land();
            self.landed.notify_waiters();
        }
    }

    /// What the next call is for; `None`, and the end of the task, if nothing waits.
    fn urgency(&self) -> Option<Urgency> {
        let urgency = self.counted(Queue::urgency);
        if urgency.is_none() {
            self.landed.notify_waiters();
        }
        urgency
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

    /// Changes the queue, and counts what came and what went.
    fn counted<T>(&self, change: impl FnOnce(&mut Queue) -> T) -> T {
        let mut queue = self.lock();
        let before = queue.len();
        let changed = change(&mut queue);
        let after = queue.len();
        match after.checked_sub(before) {
            Some(come) => self.budget.gather(come),
            None => self.budget.release(before - after),
        }
        let count = |changes: usize| i64::try_from(changes).unwrap_or(i64::MAX);
        self.records.api.metrics.cloudflare.writes_waiting.inc_by(count(after) - count(before));
        changed
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A queue whose task has died is not left for dead: what waited is told, and the next change begins anew.
struct Running<'a, X: Exchange>(&'a Writer<X>);

impl<X: Exchange> Drop for Running<'_, X> {
    fn drop(&mut self) {
        if std::thread::panicking() && self.0.lock().is_running() {
            self.0.counted(Queue::abandon);
            self.0.landed.notify_waiters();
        }
    }
}

/// Queues that are remembered, about a kilobyte each.
const QUEUES: usize = 1024;

#[cfg(test)]
mod tests;
