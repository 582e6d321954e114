//! How fast one authority or resolver is asked at most, by all requests together.

use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A pace for each of them: a short burst at once, then one question every so often.
///
/// The generic cell rate algorithm: a server's mark is when its next question were due if all came evenly; a question
/// may run ahead of it by the burst.
#[derive(Debug)]
pub(super) struct Pace<K> {
    every: Duration,
    burst: u32,
    marks: Mutex<HashMap<K, Instant>>,
}

impl<K: Eq + Hash> Pace<K> {
    /// One question `every` so often, after `burst` at once.
    pub(super) fn new(every: Duration, burst: u32) -> Self {
        Self { every, burst, marks: Mutex::default() }
    }

    /// Waits until `server` may be asked.
    pub(super) async fn turn(&self, server: K) {
        let at = self.reserve(server);
        if at > Instant::now() {
            tokio::time::sleep_until(at).await;
        }
    }

    fn reserve(&self, server: K) -> Instant {
        let now = Instant::now();
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= PRUNE_AT {
            marks.retain(|_, mark| *mark > now);
        }
        let mark = marks.entry(server).or_insert(now);
        let due = (*mark).max(now);
        *mark = due + self.every;
        due.checked_sub(self.every * self.burst).map_or(now, |at| at.max(now))
    }
}

/// Marks in the past mean nothing; they are thrown away when there are this many.
const PRUNE_AT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    const EVERY: Duration = Duration::from_millis(10);
    const BURST: u32 = 20;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_then_it_is_one_by_one() {
        let pace = Pace::new(EVERY, BURST);
        let begun = Instant::now();
        for _ in 0..=BURST {
            pace.turn("one").await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..50 {
            pace.turn("one").await;
        }
        let took = begun.elapsed();
        assert!(took >= EVERY * 50, "{took:?}");
        assert!(took <= EVERY * 52, "{took:?}");
        let before = Instant::now();
        pace.turn("other").await;
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn marks_do_not_pile_up() {
        let pace = Pace::new(EVERY, BURST);
        for n in 0..4 * PRUNE_AT {
            pace.turn(n).await;
            tokio::time::advance(EVERY).await;
        }
        assert!(pace.marks.lock().unwrap().len() <= PRUNE_AT);
    }
}
