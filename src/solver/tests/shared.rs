//! `example.com` and `*.example.com`: two challenges, one name.

use std::time::Duration;

use tokio::time::Instant;

use super::fakes::{A, B, DELAY, SETTLE, World, clean_up, present, request};
use crate::deadline::Deadline;
use crate::solver::error::Cause;
use crate::solver::port::Stage;

const TTL: Duration = Duration::from_mins(1);
const PRESENTED: Stage = Stage::Presented(None);

#[tokio::test(start_paused = true)]
async fn the_first_present_writes_its_pending_sibling_too() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending)]);
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    assert_eq!(world.values(), [A, B]);

    world.set_challenges(&[(A, valid()), (B, Stage::Pending)]);
    clean_up(&solver, A).await.unwrap();
    let start = Instant::now();
    present(&solver, B).await.unwrap();
    assert_eq!((start.elapsed(), world.calls("create")), (Duration::ZERO, 2));
    clean_up(&solver, B).await.unwrap();
    assert!(world.values().is_empty());
}

#[tokio::test(start_paused = true)]
async fn another_replica_reaches_the_same_verdict() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending)]);
    present(&world.solver(), A).await.unwrap();
    world.set_challenges(&[(A, valid()), (B, Stage::Pending)]);
    clean_up(&world.solver(), A).await.unwrap();
    let start = Instant::now();
    present(&world.solver(), B).await.unwrap();
    assert!(start.elapsed() < SETTLE * 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_value_written_later_waits_until_no_resolver_holds_the_earlier_answer() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    let start = Instant::now();
    let held = present(&solver, B).await.unwrap_err();
    assert!(matches!(held.cause(), Cause::HeldBack(_)), "{held}");
    assert!(start.elapsed() <= Duration::from_secs(45));
    assert_eq!(world.values(), [A, B]);
    present(&solver, B).await.unwrap();
    assert!(start.elapsed() >= DELAY + TTL, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn the_wait_outlives_the_earlier_record() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    clean_up(&solver, A).await.unwrap();
    let start = Instant::now();
    solver.answer(request("Present", B), long()).await.unwrap();
    assert!(start.elapsed() >= DELAY + TTL, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn another_replica_waits_too() {
    let world = World::new();
    world.set_challenges(&[(A, PRESENTED)]);
    let start = Instant::now();
    world.solver().answer(request("Present", B), long()).await.unwrap();
    assert!(start.elapsed() >= DELAY + TTL, "{:?}", start.elapsed());

    world.set_challenges(&[(A, valid())]);
    let start = Instant::now();
    world.solver().answer(request("Present", B), long()).await.unwrap();
    assert!(start.elapsed() >= TTL, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn written_ahead_counts_only_once_that_present_has_succeeded() {
    let world = World::new();
    let earlier = "ccccccccccccccccccccccccccccccccccccccccccc";
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending), (earlier, PRESENTED)]);
    let short = Deadline::within(Duration::from_secs(1));
    world.solver().answer(request("Present", A), short).await.unwrap_err();
    assert_eq!(world.values(), [A, B]);
    let start = Instant::now();
    world.solver().answer(request("Present", B), long()).await.unwrap();
    assert!(start.elapsed() >= TTL, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_value_of_another_cluster_is_waited_for() {
    let world = World::new();
    world.put(A, "made by something else");
    tokio::time::advance(DELAY).await;
    let start = Instant::now();
    world.solver().answer(request("Present", B), long()).await.unwrap();
    assert!(start.elapsed() >= DELAY + TTL, "{:?}", start.elapsed());
    assert_eq!(world.values(), [A, B]);
}

#[tokio::test(start_paused = true)]
async fn a_value_that_no_ca_judges_by_does_not_wait() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, "123d==").await.unwrap();
    let start = Instant::now();
    present(&solver, "anothertestingkey").await.unwrap();
    assert!(start.elapsed() < DELAY + SETTLE * 2, "{:?}", start.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_is_not_ours_is_not_written() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending)]);
    world.with(|state| state.challenges.as_mut().unwrap()[1].namespace = "others".into());
    present(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), [A]);

    // Somebody copied the challenge into his own namespace, with a value of his beside it.
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending), (A, Stage::Pending), (B, Stage::Pending)]);
    world.with(|state| {
        for copied in &mut state.challenges.as_mut().unwrap()[1..] {
            copied.namespace = "hostile".into();
        }
    });
    present(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), [A]);

    // A request that no Challenge stands behind writes nothing but its own value.
    let world = World::new();
    world.set_challenges(&[(B, Stage::Pending)]);
    present(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), [A]);
}

#[tokio::test(start_paused = true)]
async fn a_sibling_that_cannot_be_written_is_left_to_its_own_present() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending)]);
    let solver = world.solver();
    // The own value is written first.
    world.with(|state| state.calls.clear());
    world.with(|state| state.failures.push(("create", Cause::Unavailable)));
    let first = present(&solver, A).await;
    assert!(matches!(first.unwrap_err().cause(), Cause::Unavailable));
    present(&solver, A).await.unwrap();
    assert_eq!(world.values(), [A, B]);
}

fn valid() -> Stage {
    Stage::Over { at: Instant::now(), presented: Some(None) }
}

fn long() -> Deadline {
    Deadline::within(Duration::from_mins(3))
}
