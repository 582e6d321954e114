//! The program itself, as a process: start, signals, crashes, and what it says.
#![expect(clippy::unwrap_used, reason = "in the helpers of tests, too, a failure is a failed test")]

mod crash;
mod flags;
mod readiness;
mod rotation;
mod secrecy;
mod signals;

use std::time::Duration;

use harness::{Binary, Scene, Setting};

/// The program under test.
const PROGRAM: &str = env!("CARGO_BIN_EXE_cert-manager-webhook-cloudflare");

/// How long anything may take that should take no time.
const SOON: Duration = Duration::from_secs(20);

/// Name servers that agree at once are enough here.
const QUICK: &str = "--propagation-settle=100ms";

/// A scene in which a change is served only when the test says so.
async fn scene_that_holds_changes() -> Scene {
    let setting = Setting { propagation_ms: 3_600_000, ..Setting::default() };
    Scene::start(Binary::at(PROGRAM), setting).await.unwrap()
}

/// A scene in which everything happens at once.
async fn scene() -> Scene {
    Scene::start(Binary::at(PROGRAM), Setting::default()).await.unwrap()
}
