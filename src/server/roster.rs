//! The open connections, and which of them has to go when there is no room for another.
//!
//! Whoever opens connections and leaves them open must not keep others out. So a new one is always let in, and takes the
//! place of the stranger that has been here longest, or of the recognized peer that has been idle longest, whichever
//! kind there is more of. A recognized peer's request in flight is never given up.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio_util::sync::CancellationToken;

use crate::access::Standing;

/// The places of a server.
#[derive(Debug)]
pub(super) struct Roster {
    places: Arc<Semaphore>,
    /// Cancelled, everybody has to go.
    abort: CancellationToken,
    order: Mutex<Order>,
}

/// Those who may have to go, the next one of each kind first.
#[derive(Debug, Default)]
struct Order {
    next: u64,
    /// By their arrival. Some may have been recognized since.
    strangers: BTreeMap<u64, (Standing, CancellationToken)>,
    /// By the end of their last request.
    idle: BTreeMap<u64, CancellationToken>,
}

impl Roster {
    /// So many places; `abort` empties all of them.
    pub(super) fn new(places: usize, abort: CancellationToken) -> Arc<Self> {
        Arc::new(Self { places: Arc::new(Semaphore::new(places)), abort, order: Mutex::default() })
    }

    /// Takes a place, if need be another's.
    pub(super) async fn enter(self: &Arc<Self>) -> Option<Place> {
        if self.places.available_permits() == 0 {
            self.make_room();
        }
        let permit = Arc::clone(&self.places).acquire_owned().await.ok()?;
        let (standing, abort) = (Standing::default(), self.abort.child_token());
        let mut order = self.order();
        let arrival = order.next();
        order.strangers.insert(arrival, (standing.clone(), abort.clone()));
        drop(order);
        let rest = AtomicU64::new(0);
        Some(Place { roster: Arc::clone(self), standing, abort, arrival, rest, _permit: permit })
    }

    /// Tells the one whose turn it is to go.
    pub(super) fn make_room(&self) {
        if let Some(abort) = self.order().pop() {
            abort.cancel();
        }
    }

    fn order(&self) -> MutexGuard<'_, Order> {
        // Nothing of another's runs under the lock: what it guards is whole.
        self.order.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Order {
    fn next(&mut self) -> u64 {
        self.next += 1;
        self.next
    }

    fn pop(&mut self) -> Option<CancellationToken> {
        if self.idle.len() > self.strangers.len() {
            return self.idle.pop_first().map(|(_, abort)| abort);
        }
        while let Some((_, (standing, abort))) = self.strangers.pop_first() {
            // A stranger's first request may have shown who it is, and be in flight.
            if !standing.is_recognized() {
                return Some(abort);
            }
        }
        self.idle.pop_first().map(|(_, abort)| abort)
    }
}

/// The place of a connection.
#[derive(Debug)]
pub(super) struct Place {
    roster: Arc<Roster>,
    /// What the connection's requests have shown of its peer.
    pub(super) standing: Standing,
    /// Cancelled, it has to go at once.
    pub(super) abort: CancellationToken,
    arrival: u64,
    /// Its key among the idle; 0 while it is not there.
    rest: AtomicU64,
    _permit: OwnedSemaphorePermit,
}

impl Place {
    /// A request has come, on a connection that had none in flight.
    pub(super) fn busy(&self) {
        let rest = self.rest.swap(0, Ordering::Relaxed);
        if rest != 0 {
            self.roster.order().idle.remove(&rest);
        }
    }

    /// The last request in flight is over.
    pub(super) fn idle(&self) {
        let mut order = self.roster.order();
        if self.standing.is_recognized() {
            order.strangers.remove(&self.arrival);
            let rest = order.next();
            order.idle.insert(rest, self.abort.clone());
            self.rest.store(rest, Ordering::Relaxed);
        } else {
            order.strangers.insert(self.arrival, (self.standing.clone(), self.abort.clone()));
        }
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut order = self.roster.order();
        order.strangers.remove(&self.arrival);
        order.idle.remove(self.rest.get_mut());
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use tokio::time::timeout;

    use super::*;

    fn roster(places: usize) -> Arc<Roster> {
        Roster::new(places, CancellationToken::new())
    }

    async fn recognized(roster: &Arc<Roster>) -> Place {
        let place = roster.enter().await.unwrap();
        place.busy();
        place.standing.set(true);
        place.idle();
        place
    }

    /// Which of them are told to go when one more comes.
    async fn told(roster: &Arc<Roster>, places: &[&Place]) -> Vec<usize> {
        let waits = timeout(Duration::from_secs(1), roster.enter()).await;
        assert!(waits.is_err(), "there was room");
        (0..places.len()).filter(|&index| places[index].abort.is_cancelled()).collect()
    }

    #[tokio::test(start_paused = true)]
    async fn the_stranger_that_came_first_goes_first() {
        let roster = roster(3);
        let (first, second) = (roster.enter().await.unwrap(), roster.enter().await.unwrap());
        let known = recognized(&roster).await;
        // What a stranger does earns it no better place.
        first.busy();
        first.idle();
        assert_eq!(told(&roster, &[&first, &second, &known]).await, [0]);
        drop(first);
        let third = timeout(Duration::from_secs(1), roster.enter()).await.unwrap().unwrap();
        assert_eq!(told(&roster, &[&second, &known, &third]).await, [0]);
    }

    #[tokio::test(start_paused = true)]
    async fn of_the_recognized_the_one_idle_longest_goes_and_none_with_a_request_in_flight() {
        let roster = roster(4);
        let (busy, rested, idle) =
            (recognized(&roster).await, recognized(&roster).await, recognized(&roster).await);
        let stranger = roster.enter().await.unwrap();
        busy.busy();
        rested.busy();
        rested.idle();
        assert_eq!(told(&roster, &[&busy, &rested, &idle, &stranger]).await, [2]);
        drop(idle);
        let fresh = recognized(&roster).await;
        // As many strangers as idle ones by now; the strangers give.
        drop(rested);
        let _late = roster.enter().await.unwrap();
        assert_eq!(told(&roster, &[&busy, &fresh, &stranger]).await, [2]);
    }

    #[tokio::test(start_paused = true)]
    async fn a_stranger_whose_first_request_has_been_recognized_is_left_alone() {
        let roster = roster(1);
        let place = roster.enter().await.unwrap();
        place.busy();
        place.standing.set(true);
        assert!(told(&roster, &[&place]).await.is_empty());
        // And one whose authority has gone is a stranger again.
        place.idle();
        place.busy();
        place.standing.set(false);
        place.idle();
        assert_eq!(told(&roster, &[&place]).await, [0]);
    }
}
