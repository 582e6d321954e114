//! Writes through the solver, the queues and the budget, against Cloudflare's state machine, on paused time: one fault each,
//! and what is left of an account for others. `tests/simulation` plays everything at once.

#![allow(
    clippy::expect_used,
    clippy::panic,
    clippy::unwrap_used,
    reason = "clippy knows tests by their attribute, not their helpers"
)]

mod cloud;
mod faults;
mod share;

/// Runs one future on a runtime of its own whose time is paused.
fn on_paused_time<T>(work: impl Future<Output = T>) -> T {
    let mut runtime = tokio::runtime::Builder::new_current_thread();
    runtime.enable_time().start_paused(true).build().unwrap().block_on(work)
}
