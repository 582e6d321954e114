//! The solver against hand-written fakes, on paused time.

mod ahead;
mod clean_up;
mod fakes;
mod present;
mod shared;
mod tidy;
