//! How fast one authority is asked at most, by all requests together.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A pace for each server: a short burst at once, then one question every [`EVERY`].
///
/// The generic cell rate algorithm: a server's mark is when its next question were due if all came evenly; a question
/// may run ahead of it by the burst.
#[derive(Debug, Default)]
pub(super) struct Pace {
    marks: Mutex<HashMap<SocketAddr, Instant>>,
}

impl Pace {
    /// Waits until `server` may be asked.
    pub(super) async fn turn(&self, server: SocketAddr) {
        let at = self.reserve(server);
        if at > Instant::now() {
            tokio::time::sleep_until(at).await;
        }
    }

    fn reserve(&self, server: SocketAddr) -> Instant {
        let now = Instant::now();
        let mut marks = self.marks.lock().unwrap_or_else(PoisonError::into_inner);
        if marks.len() >= PRUNE_AT {
            marks.retain(|_, mark| *mark > now);
        }
        let mark = marks.entry(server).or_insert(now);
        let due = (*mark).max(now);
        *mark = due + EVERY;
        due.checked_sub(EVERY * BURST).map_or(now, |at| at.max(now))
    }
}

/// A thousand questions a second: far above what the polling of a hundred names needs.
const EVERY: Duration = Duration::from_millis(1);
const BURST: u32 = 200;
/// Marks in the past mean nothing; they are thrown away when there are this many.
const PRUNE_AT: usize = 1024;

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn a_burst_is_free_and_then_it_is_one_by_one() {
        let pace = Pace::default();
        let server = SocketAddr::from(([192, 0, 2, 1], 53));
        let other = SocketAddr::from(([192, 0, 2, 2], 53));
        let begun = Instant::now();
        for _ in 0..=BURST {
            pace.turn(server).await;
        }
        assert_eq!(begun.elapsed(), Duration::ZERO);
        for _ in 0..500 {
            pace.turn(server).await;
        }
        let took = begun.elapsed();
        assert!(took >= Duration::from_millis(499), "{took:?}");
        assert!(took <= Duration::from_millis(700), "{took:?}");
        let before = Instant::now();
        pace.turn(other).await;
        assert_eq!(before.elapsed(), Duration::ZERO);
    }

    #[tokio::test(start_paused = true)]
    async fn marks_do_not_pile_up() {
        let pace = Pace::default();
        for n in 0..4 * u16::try_from(PRUNE_AT).unwrap() {
            pace.turn(SocketAddr::from(([192, 0, 2, 1], n))).await;
            tokio::time::advance(EVERY).await;
        }
        assert!(pace.marks.lock().unwrap().len() <= PRUNE_AT);
    }
}
