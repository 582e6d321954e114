//! `example.com` and `*.example.com`: two challenges, one name.

use std::time::Duration;

use tokio::time::Instant;

use super::fakes::{A, B, DELAY, SETTLE, World, clean_up, present, request, siblings};
use crate::deadline::Deadline;
use crate::solver::error::Cause;
use crate::solver::port::Stage;

const TTL: Duration = Duration::from_mins(1);
const C: &str = "ccccccccccccccccccccccccccccccccccccccccccc";
const PRESENTED: Stage = Stage::Presented(None);

#[tokio::test(start_paused = true)]
async fn the_first_present_writes_its_pending_sibling_too() {
    let (world, solver) = siblings();
    present(&solver, A).await.unwrap();
    assert_eq!(world.values(), [A, B]);

    world.set_challenges(&[(A, valid()), (B, Stage::Pending)]);
    clean_up(&solver, A).await.unwrap();
    let start = Instant::now();
    present(&solver, B).await.unwrap();
    assert_eq!((start.elapsed(), world.calls("create"), world.calls("list")), (Duration::ZERO, 2, 0));
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
    assert_eq!(world.calls("list"), 0, "nothing there is unknown");
}

#[tokio::test(start_paused = true)]
async fn what_is_not_seen_again_after_a_wait_was_held_back() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    let goes = async {
        tokio::time::sleep(TTL / 2).await;
        world.delete(B);
    };
    let (held, ()) = tokio::join!(solver.answer(request("Present", B), long()), goes);
    assert!(matches!(held.unwrap_err().cause(), Cause::HeldBack(_)));
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

/// Simulation, seed 24: the watch has not brought yet that another replica confirmed the sibling.
#[tokio::test(start_paused = true)]
async fn what_the_watch_does_not_tell_yet_is_asked() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending)]);
    present(&world.solver(), A).await.unwrap();
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending)]);
    world.set_now(&[(A, PRESENTED), (B, Stage::Pending)]);
    let start = Instant::now();
    world.solver().answer(request("Present", B), long()).await.unwrap();
    assert!(start.elapsed() >= DELAY + TTL, "{:?}", start.elapsed());
}

/// Simulation, seed 2757: A was confirmed with B in place, and B with C; but C was not there when A was.
#[tokio::test(start_paused = true)]
async fn written_ahead_tells_nothing_of_what_was_confirmed_before() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending)]);
    present(&world.solver(), A).await.unwrap();
    let first = over(Instant::now());
    tokio::time::advance(Duration::from_secs(2)).await;
    world.set_challenges(&[(A, first), (B, Stage::Pending), (C, Stage::Pending)]);
    present(&world.solver(), B).await.unwrap();
    assert_eq!(world.values(), [A, B, C]);
    world.set_challenges(&[(A, first), (B, over(Instant::now())), (C, Stage::Pending)]);
    let start = Instant::now();
    world.solver().answer(request("Present", C), long()).await.unwrap();
    assert!(start.elapsed() + SETTLE * 5 > TTL, "{:?}", start.elapsed());
}

/// Simulation, seed 26: what is served may be the record that is about to go.
#[tokio::test(start_paused = true)]
async fn a_value_that_comes_back_is_confirmed_once_its_predecessor_is_gone() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    clean_up(&solver, A).await.unwrap();
    let start = Instant::now();
    present(&solver, A).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(30), "{:?}", start.elapsed());
}

/// Simulation, seed 776111: a POST was delivered twice, so that the answer said that the record had been there before.
#[tokio::test(start_paused = true)]
async fn a_value_that_has_come_back_by_itself_waits_as_well() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    clean_up(&solver, A).await.unwrap();
    world.put(A, "");
    let start = Instant::now();
    present(&solver, A).await.unwrap();
    assert!(start.elapsed() >= Duration::from_secs(30), "{:?}", start.elapsed());
}

/// Simulation, seeds 1524 and 184273: since this process saw the value, somebody deleted its record, and another replica made it
/// anew. The list that shows it may have to wait for its call.
#[tokio::test(start_paused = true)]
async fn what_was_seen_of_an_earlier_record_does_not_count() {
    for list_waits in [Duration::ZERO, Duration::from_secs(4)] {
        let world = World::new();
        world.with(|state| state.list_waits = list_waits);
        world.set_challenges(&[(A, Stage::Pending)]);
        // Whose record it is.
        for is_made_here in [true, false] {
            let solver = world.solver();
            if !is_made_here {
                present(&world.solver(), A).await.unwrap();
            }
            present(&solver, A).await.unwrap();
            tokio::time::advance(Duration::from_secs(50)).await;
            world.delete(A);
            world.put(A, "");
            let live = Instant::now() + DELAY;
            world.set_challenges(&[(A, Stage::Pending), (B, over(Instant::now()))]);
            tokio::time::advance(DELAY * 2).await;
            let held = present(&solver, A).await.unwrap_err();
            assert!(matches!(held.cause(), Cause::HeldBack(_)), "{held}");
            solver.answer(request("Present", A), long()).await.unwrap();
            assert!(Instant::now() >= live + TTL, "{:?}", live.elapsed());
            assert!(Instant::now() <= live + TTL * 2, "{:?}", live.elapsed());
            clean_up(&solver, A).await.unwrap();
            tokio::time::advance(TTL * 20).await;
        }
    }
}

#[tokio::test(start_paused = true)]
async fn written_ahead_counts_only_once_that_present_has_succeeded() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending), (C, PRESENTED)]);
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

/// The soak: a token was replaced while a `Present` waited, and the next one began to wait anew.
#[tokio::test(start_paused = true)]
async fn what_was_seen_counts_for_the_token_that_replaces_the_first() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    let start = Instant::now();
    present(&solver, B).await.unwrap_err();
    world.with(|state| state.secrets.insert("cloudflare", Ok("another-token")));
    present(&solver, B).await.unwrap();
    assert!(start.elapsed() >= DELAY + TTL, "{:?}", start.elapsed());
    // What is remembered goes with it.
    clean_up(&solver, B).await.unwrap();
    assert_eq!((world.values(), world.calls("delete")), (vec![A.to_owned()], 1));
}

/// The soak: a token was replaced before `CleanUp`, and the name's next `Present` took the value for one that stands.
#[tokio::test(start_paused = true)]
async fn what_another_token_removed_is_gone() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    world.with(|state| state.secrets.insert("cloudflare", Ok("another-token")));
    clean_up(&solver, A).await.unwrap();
    tokio::time::advance(TTL * 2).await;
    let start = Instant::now();
    present(&solver, B).await.unwrap();
    assert!(start.elapsed() < DELAY + SETTLE * 2, "{:?}", start.elapsed());
}

fn over(at: Instant) -> Stage {
    Stage::Over { at, presented: Some(Some(at)) }
}

fn valid() -> Stage {
    Stage::Over { at: Instant::now(), presented: Some(None) }
}

fn long() -> Deadline {
    Deadline::within(Duration::from_mins(3))
}
