//! The order of a `Present` and a `CleanUp` of one value: a `CleanUp` that comes while the record is still being written
//! waits for that, or it would find nothing and leave what comes after it.
//!
//! cert-manager asks for one after the other, but a request that it has given up may still be at work here.

use std::collections::HashMap;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::Notify;

use crate::challenge::TxtValue;
use crate::deadline::{Deadline, Elapsed};
use crate::name::Fqdn;

/// The values that are being written. There are no more of them than requests and their siblings.
#[derive(Debug, Clone, Default)]
pub(super) struct Order(Arc<Inner>);

#[derive(Debug, Default)]
struct Inner {
    state: Mutex<State>,
    ended: Notify,
}

#[derive(Debug, Default)]
struct State {
    /// By record, the numbers of the requests that write it.
    writing: HashMap<Record, Vec<u64>>,
    numbers: u64,
}

type Record = (Fqdn, TxtValue);

impl Order {
    /// A value is about to be written, until the guard is dropped.
    pub(super) fn write(&self, fqdn: &Fqdn, value: &TxtValue) -> Writing {
        let record = (fqdn.clone(), value.clone());
        let mut state = self.0.lock();
        state.numbers += 1;
        let number = state.numbers;
        state.writing.entry(record.clone()).or_default().push(number);
        Writing { order: self.clone(), record, number }
    }

    /// Waits until all that began to write the value before now have ended.
    pub(super) async fn written(
        &self,
        fqdn: &Fqdn,
        value: &TxtValue,
        deadline: Deadline,
    ) -> Result<(), Elapsed> {
        let record = (fqdn.clone(), value.clone());
        let before = self.0.lock().numbers;
        let is_written = || {
            let state = self.0.lock();
            let numbers = state.writing.get(&record).into_iter().flatten();
            numbers.into_iter().all(|number| *number > before)
        };
        deadline
            .run(async {
                loop {
                    let ended = self.0.ended.notified();
                    tokio::pin!(ended);
                    ended.as_mut().enable();
                    if is_written() {
                        return;
                    }
                    ended.await;
                }
            })
            .await
    }
}

impl Inner {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A value is being written.
#[derive(Debug)]
pub(super) struct Writing {
    order: Order,
    record: Record,
    number: u64,
}

impl Drop for Writing {
    fn drop(&mut self) {
        let mut state = self.order.0.lock();
        if let Some(numbers) = state.writing.get_mut(&self.record) {
            numbers.retain(|number| *number != self.number);
            if numbers.is_empty() {
                state.writing.remove(&self.record);
            }
        }
        drop(state);
        self.order.0.ended.notify_waiters();
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use futures::FutureExt;

    use super::*;

    #[tokio::test(start_paused = true)]
    async fn who_comes_later_waits_for_those_before_and_for_no_others() {
        let (order, fqdn) = (Order::default(), Fqdn::parse("_acme-challenge.example.com").unwrap());
        let value = |text| TxtValue::parse(text).unwrap();
        let (a, b) = (value("a"), value("b"));
        let written = |value| {
            let (order, fqdn) = (&order, &fqdn);
            async move { order.written(fqdn, value, Deadline::within(Duration::from_secs(5))).await }
        };
        let (first, second) = (order.write(&fqdn, &a), order.write(&fqdn, &a));
        assert_eq!(written(&b).now_or_never(), Some(Ok(())));
        let mut waits = Box::pin(written(&a));
        assert_eq!(waits.as_mut().now_or_never(), None);
        let later = order.write(&fqdn, &a);
        drop(first);
        assert_eq!(waits.as_mut().now_or_never(), None);
        drop(second);
        assert_eq!(waits.as_mut().now_or_never(), Some(Ok(())));
        assert_eq!(written(&a).await, Err(Elapsed), "not for ever");
        drop(later);
        assert!(order.0.lock().writing.is_empty());
    }
}
