//! Writes through the solver, the queues and the budget, against Cloudflare's state machine, on paused time: whatever is
//! asked in whatever order, and whatever becomes of the calls, in the end exactly those records stand that must.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, not their helpers"
)]

mod cloud;
mod faults;
mod random;
mod schedule;
mod share;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicU64, Ordering};

/// Runs one future on a runtime of its own whose time is paused.
fn on_paused_time<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}

/// `CMWC_SEED` plays one schedule alone, and `CMWC_SCHEDULES` as many as it says.
#[test]
fn exactly_those_records_stand_that_must() {
    let number = |name| Some(std::env::var_os(name)?.to_str().unwrap().parse::<u64>().unwrap());
    if let Some(seed) = number("CMWC_SEED") {
        return on_paused_time(schedule::play(seed));
    }
    let count = number("CMWC_SCHEDULES").unwrap_or(SCHEDULES);
    let next = AtomicU64::new(0);
    let play = || {
        loop {
            let seed = next.fetch_add(1, Ordering::Relaxed);
            if seed >= count {
                return None;
            }
            if catch_unwind(AssertUnwindSafe(|| on_paused_time(schedule::play(seed)))).is_err() {
                return Some(seed);
            }
        }
    };
    let threads = std::thread::available_parallelism().map_or(2, usize::from);
    let failed: Vec<_> = std::thread::scope(|scope| {
        let running: Vec<_> = (0..threads).map(|_| scope.spawn(play)).collect();
        running.into_iter().filter_map(|thread| thread.join().unwrap()).collect()
    });
    assert!(failed.is_empty(), "failed with the seeds {failed:?}; CMWC_SEED=… plays one alone");
}

const SCHEDULES: u64 = 5_000;
