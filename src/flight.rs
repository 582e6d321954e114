//! Work that several wait for at once is done once.

use std::collections::HashMap;
use std::fmt;
use std::future::Future;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};

use futures::FutureExt;
use futures::future::{BoxFuture, Shared, WeakShared};
use tokio::time::Instant;

/// Pieces of work under way, by key. Work that nobody waits for any more is dropped.
pub struct Flights<K, V: Clone>(Mutex<Running<K, V>>);

struct Running<K, V: Clone> {
    by_key: HashMap<K, Work<V>>,
    /// At this size, what has ended is cleared away: so it costs little however many there are.
    clear_at: usize,
}

struct Work<V: Clone> {
    begun: Instant,
    flight: WeakShared<BoxFuture<'static, V>>,
}

impl<V: Clone> Work<V> {
    fn under_way(&self) -> Option<Shared<BoxFuture<'static, V>>> {
        self.flight.upgrade().filter(|flight| flight.peek().is_none())
    }
}

impl<K: Eq + Hash, V: Clone + Send + Sync + 'static> Flights<K, V> {
    /// None under way.
    pub fn new() -> Self {
        Self(Mutex::new(Running { by_key: HashMap::new(), clear_at: FEW }))
    }

    /// Waits for the work under way for `key`, or for `work` if there is none.
    pub fn join(
        &self,
        key: K,
        work: impl Future<Output = V> + Send + 'static,
    ) -> Shared<BoxFuture<'static, V>> {
        self.join_since(key, None, work)
    }

    /// As [`Flights::join`], but only work that was begun at `since` or later will do: an answer to a question that
    /// was put before tells nothing of what happened since.
    pub fn join_since(
        &self,
        key: K,
        since: Option<Instant>,
        work: impl Future<Output = V> + Send + 'static,
    ) -> Shared<BoxFuture<'static, V>> {
        let mut running = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = running.by_key.get(&key).filter(|work| since.is_none_or(|since| work.begun >= since));
        if let Some(flight) = known.and_then(Work::under_way) {
            return flight;
        }
        if running.by_key.len() >= running.clear_at {
            running.by_key.retain(|_, work| work.under_way().is_some());
            running.clear_at = FEW.max(running.by_key.len() * 2);
        }
        let flight = work.boxed().shared();
        if let Some(weak) = flight.downgrade() {
            running.by_key.insert(key, Work { begun: Instant::now(), flight: weak });
        }
        flight
    }
}

impl<K: Eq + Hash, V: Clone + Send + Sync + 'static> Default for Flights<K, V> {
    fn default() -> Self {
        Self::new()
    }
}

impl<K, V: Clone> fmt::Debug for Flights<K, V> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Flights")
    }
}

const FEW: usize = 32;

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::sync::atomic::{AtomicUsize, Ordering};

    use tokio::sync::Notify;

    use super::*;

    #[tokio::test]
    async fn those_who_wait_together_share_and_later_ones_start_anew() {
        let (flights, count, go) = (Flights::new(), Arc::new(AtomicUsize::new(0)), Arc::new(Notify::new()));
        let work = || {
            let (count, go) = (count.clone(), go.clone());
            async move {
                let number = count.fetch_add(1, Ordering::SeqCst);
                go.notified().await;
                number
            }
        };
        let (first, second) = (flights.join("a", work()), flights.join("a", work()));
        go.notify_one();
        assert_eq!(tokio::join!(first, second), (0, 0));
        go.notify_one();
        assert_eq!(flights.join("a", work()).await, 1);
    }

    #[tokio::test(start_paused = true)]
    async fn work_that_was_begun_too_early_is_not_joined() {
        let flights = Flights::new();
        let early = flights.join("a", std::future::pending::<u8>());
        tokio::time::advance(std::time::Duration::from_millis(1)).await;
        let now = Instant::now();
        let (next, again) = (
            flights.join_since("a", Some(now), async { 7 }),
            flights.join_since("a", Some(now), async { 8 }),
        );
        assert!(!early.ptr_eq(&next) && next.ptr_eq(&again));
        assert_eq!(again.await, 7);
        assert_eq!(early.now_or_never(), None, "its own waiters keep it");
    }

    #[tokio::test]
    async fn work_that_nobody_waits_for_is_dropped() {
        let flights = Flights::new();
        drop(flights.join("a", std::future::pending::<u8>()));
        assert_eq!(flights.join("a", async { 7 }).await, 7);
    }

    #[tokio::test]
    async fn what_has_ended_is_cleared_away_and_what_is_under_way_is_not() {
        let flights = Flights::new();
        let waiting = flights.join(0, std::future::pending::<usize>());
        for number in 1..1000 {
            assert_eq!(flights.join(number, async move { number }).await, number);
        }
        assert!(flights.0.lock().unwrap().by_key.len() <= FEW);
        assert!(flights.join(0, async { 7 }).ptr_eq(&waiting));
    }
}
