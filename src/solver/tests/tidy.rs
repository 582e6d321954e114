use std::time::Duration;

use tokio::time::Instant;

use super::fakes::{A, B, DELAY, NAME, World, clean_up, fqdn, owner_id, present, request, siblings};
use crate::challenge::TxtValue;
use crate::deadline::Deadline;
use crate::solver::mark::{Mark, OwnerId};
use crate::solver::port::Stage;

const BUDGET: Duration = Duration::from_secs(30);

#[tokio::test(start_paused = true)]
async fn a_value_written_ahead_goes_with_its_challenge() {
    let (world, solver) = siblings();
    present(&solver, A).await.unwrap();
    solver.remove_unpresented(BUDGET).await;
    assert_eq!(world.values(), [A, B]);
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Presented(None))]);
    solver.remove_unpresented(BUDGET).await;
    assert_eq!(world.values(), [A, B]);
    for presented in [None, Some(None)] {
        world.set_challenges(&[(A, Stage::Pending), (B, Stage::Over { at: Instant::now(), presented })]);
        solver.remove_unpresented(BUDGET).await;
        assert_eq!(world.values(), [A]);
        world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending)]);
        present(&solver, A).await.unwrap();
        assert_eq!(world.values(), [A, B]);
    }
}

/// Simulation, seed 481770: the token that wrote it was replaced and revoked before its challenge went away.
#[tokio::test(start_paused = true)]
async fn a_value_written_ahead_goes_by_the_token_that_replaced_the_first() {
    let (world, solver) = siblings();
    present(&solver, A).await.unwrap();
    world.set_challenges(&[(A, Stage::Pending)]);
    world.with(|state| state.refused_tokens.push("good-token"));
    solver.remove_unpresented(BUDGET).await;
    assert_eq!(world.values(), [A, B]);
    world.with(|state| state.secrets.insert("cloudflare, now", Ok("rotated")));
    solver.remove_unpresented(BUDGET).await;
    assert_eq!(world.values(), [A]);
    let calls = world.calls("delete");
    solver.remove_unpresented(BUDGET).await;
    assert_eq!(world.calls("delete"), calls, "it is known to be gone");
}

/// Simulation, seed 1472: a watch that lags showed an ended Challenge as pending, and its value was written once more.
#[tokio::test(start_paused = true)]
async fn what_was_written_once_more_after_its_clean_up_goes() {
    let (world, solver) = siblings();
    present(&solver, A).await.unwrap();
    clean_up(&solver, A).await.unwrap();
    tokio::time::advance(DELAY * 2).await;
    let hurried = Deadline::within(Duration::from_secs(1));
    solver.answer(request("Present", B), hurried).await.unwrap_err();
    assert_eq!(world.values(), [A, B]);
    let over = Stage::Over { at: Instant::now(), presented: Some(None) };
    world.set_challenges(&[(A, over), (B, Stage::Pending)]);
    solver.remove_unpresented(BUDGET).await;
    assert_eq!(world.values(), [B]);
}

#[tokio::test(start_paused = true)]
async fn while_challenges_cannot_be_watched_nothing_is_removed() {
    let (world, solver) = siblings();
    present(&solver, A).await.unwrap();
    world.with(|state| state.challenges = None);
    solver.remove_unpresented(BUDGET).await;
    assert_eq!(world.values(), [A, B]);
}

#[tokio::test(start_paused = true)]
async fn what_a_crash_left_goes_with_the_next_clean_up() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending)]);
    leave(&world, "orphan", &owner_id());
    leave(&world, "foreign", &OwnerId::parse("other").unwrap());
    world.put("handmade", "by hand");
    leave(&world, B, &owner_id());
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Presented(None))]);
    let solver = world.solver();

    clean_up(&solver, A).await.unwrap();
    assert_eq!(world.values(), [B, "foreign", "handmade", "orphan"], "none is old enough");
    tokio::time::advance(Duration::from_mins(1)).await;
    clean_up(&solver, A).await.unwrap();
    assert_eq!(world.values(), [B, "foreign", "handmade"]);
}

/// Its Challenge is remembered, and explains it for a while.
#[tokio::test(start_paused = true)]
async fn what_a_clean_up_left_goes_with_a_later_present() {
    let world = World::new();
    leave(&world, B, &owner_id());
    let over = Stage::Over { at: Instant::now(), presented: Some(None) };
    world.set_challenges(&[(A, Stage::Pending), (B, over)]);
    // A resolver may hold an answer with that value alone.
    present(&world.solver(), A).await.unwrap_err();
    clean_up(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), [B], "its own CleanUp may be on its way");
    tokio::time::advance(Duration::from_mins(1)).await;
    present(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), [A]);
}

/// A record's age is told by Cloudflare's calendar, and that may jump.
#[tokio::test(start_paused = true)]
async fn no_age_makes_an_orphan_of_what_has_a_challenge() {
    let world = World::new();
    leave(&world, B, &owner_id());
    world.set_challenges(&[(B, Stage::Pending)]);
    tokio::time::advance(Duration::from_hours(24 * 365)).await;
    clean_up(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), [B]);
    world.set_challenges(&[]);
    clean_up(&world.solver(), A).await.unwrap();
    assert!(world.values().is_empty());
}

#[tokio::test(start_paused = true)]
async fn without_the_right_to_read_challenges_nothing_is_an_orphan() {
    let world = World::new();
    leave(&world, "orphan", &owner_id());
    tokio::time::advance(Duration::from_mins(1)).await;
    clean_up(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), ["orphan"]);
}

fn leave(world: &World, value: &str, owner: &OwnerId) {
    let comment = Mark::comment(owner, &fqdn(NAME), &TxtValue::parse(value).unwrap(), None);
    world.put(value, &comment);
}
