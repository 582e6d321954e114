//! The program over simulated time, network, Cloudflare and cert-manager, driven by a seed.
//!
//! A [`Plan`] says what happens: which challenges there are, what befalls calls and questions, when processes crash,
//! Secrets change and hosts stand still. [`play`] plays it on paused time: cert-manager (`player`) asks one or two
//! instances of the solver (`process`), which reach the emulator's state machine through a network that loses, delays,
//! repeats and garbles (`cloud`, `dns`), and the cluster through one that lags (`cluster`). The judge (`judge`) sees all
//! of it and holds the program to what it promises:
//!
//! 1. A success means that every name server that can be seen serves the value at that moment, and that no resolver of
//!    the CA holds an answer without it, or gets one.
//! 2. Nothing is deleted but what was to be cleaned up, or belongs to no challenge.
//! 3. In the end exactly those records stand that must.
//! 4. No request outlives its deadline.
//! 5. Cloudflare never has to say that the account made too many calls.
//! 6. An error of one challenge has one text for each of its reasons, and never a new one.
//!
//! The same seed plays the same to the byte. A plan that fails is made as small as it can be while it fails.

#![allow(
    clippy::expect_used,
    clippy::missing_panics_doc,
    clippy::panic,
    clippy::unwrap_used,
    reason = "all of it is a test"
)]

mod bugs;
mod cloud;
mod cluster;
mod dns;
mod judge;
mod plan;
mod play;
mod player;
mod process;
mod random;
pub mod settle;
mod shrink;

pub use bugs::Bug;
pub use judge::Counts;
pub use plan::Plan;
pub use play::{Outcome, play};
pub use shrink::shrink;
