//! Lists of names in a zone, gathered as the changes are: while one is on its way or waits for its call, those who come
//! share the next.

use std::collections::BTreeSet;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::oneshot;

use super::Writer;
use super::settle::FLIGHT;
use crate::cloudflare::budget::Urgency;
use crate::cloudflare::error::{Failure, Kind};
use crate::cloudflare::exchange::Exchange;
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::solver::port::Record;

/// Those who wait for a list; there are no more of them than requests and what the program tidies up at once.
#[derive(Debug, Default)]
pub(super) struct Lists(Mutex<State>);

#[derive(Debug, Default)]
struct State {
    waiting: Vec<(Fqdn, Waiter)>,
    is_running: bool,
}

type Waiter = oneshot::Sender<Result<Vec<Record>, Failure>>;

impl Lists {
    /// The records at a name, read after this was called.
    pub(super) async fn read<X: Exchange>(
        &self,
        writer: &Arc<Writer<X>>,
        fqdn: &Fqdn,
    ) -> Result<Vec<Record>, Failure> {
        let (sender, receiver) = oneshot::channel();
        let _counted = Counted::new(writer);
        if !self.enqueue(fqdn, sender) {
            writer.work.spawn(run(Arc::clone(writer)));
        }
        receiver.await.unwrap_or_else(|_| Err(Failure::new(Kind::Internal, "a list was dropped")))
    }

    /// Says whether a task runs already.
    fn enqueue(&self, fqdn: &Fqdn, waiter: Waiter) -> bool {
        let mut state = self.lock();
        state.waiting.push((fqdn.clone(), waiter));
        std::mem::replace(&mut state.is_running, true)
    }

    /// Those that wait, if any still do; if none does, the task is at its end.
    fn take(&self) -> Vec<(Fqdn, Waiter)> {
        std::mem::take(&mut self.still_waiting().waiting)
    }

    fn is_idle(&self) -> bool {
        !self.still_waiting().is_running
    }

    fn still_waiting(&self) -> MutexGuard<'_, State> {
        let mut state = self.lock();
        state.waiting.retain(|(_, waiter)| !waiter.is_closed());
        state.is_running = !state.waiting.is_empty();
        state
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// One who waits, as budget and metrics count him.
struct Counted<'a, X>(&'a Writer<X>);

impl<'a, X> Counted<'a, X> {
    fn new(writer: &'a Writer<X>) -> Self {
        writer.budget.gather(1);
        writer.records.api.metrics.cloudflare.lists_waiting.inc();
        Self(writer)
    }
}

impl<X> Drop for Counted<'_, X> {
    fn drop(&mut self) {
        self.0.budget.release(1);
        self.0.records.api.metrics.cloudflare.lists_waiting.dec();
    }
}

async fn run<X: Exchange>(writer: Arc<Writer<X>>) {
    let _running = Running(&writer.lists);
    while !writer.lists.is_idle() {
        // A Present may be among those who wait.
        let permit = writer.budget.permit(Urgency::Present).await;
        let waiting = writer.lists.take();
        if waiting.is_empty() {
            return;
        }
        let names: BTreeSet<_> = waiting.iter().map(|(fqdn, _)| fqdn.clone()).collect();
        let read = writer.records.read(Some(permit), &names, Deadline::within(FLIGHT)).await;
        for (fqdn, waiter) in waiting {
            let own = read.as_ref().map(|found| found.get(&fqdn).cloned().unwrap_or_default());
            // Whoever has left does not want to know.
            let _ = waiter.send(own.map_err(Failure::clone));
        }
    }
}

/// A task that has died leaves the next list to another.
struct Running<'a>(&'a Lists);

impl Drop for Running<'_> {
    fn drop(&mut self) {
        if std::thread::panicking() {
            let mut state = self.0.lock();
            state.is_running = false;
            state.waiting.clear();
        }
    }
}
