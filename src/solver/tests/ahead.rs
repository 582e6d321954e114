//! Values written ahead, in the `Present` of another one of their name.

use std::time::Duration;

use tokio::time::Instant;

use super::fakes::{A, B, DELAY, fqdn, present, request, siblings};
use crate::deadline::Deadline;
use crate::solver::error::Cause;
use crate::solver::port::Stage;

#[tokio::test(start_paused = true)]
async fn what_this_request_wrote_nobody_has_confirmed_before() {
    let (world, solver) = siblings();
    present(&solver, A).await.unwrap();
    assert_eq!(world.calls("read"), 0);
    present(&solver, A).await.unwrap();
    assert_eq!(world.calls("read"), 1, "another replica may have, since");
}

#[tokio::test(start_paused = true)]
async fn a_sibling_is_left_to_its_own_present_where_it_cannot_be_written() {
    for (cause, lists, may_stand) in [(Cause::Unavailable, 1, 1), (Cause::RecordRefused { code: 1004 }, 0, 0)]
    {
        let (world, solver) = siblings();
        world.with(|state| state.refused_value = Some((B, cause)));
        present(&solver, A).await.unwrap();
        assert_eq!((world.values(), world.calls("list")), (vec![A.to_owned()], lists));
        assert_eq!(solver.ledger.ahead().len(), may_stand);
        present(&solver, B).await.unwrap_err();
        assert_eq!(world.values(), [A, B]);
    }
}

#[tokio::test(start_paused = true)]
async fn the_own_value_decides() {
    let (world, solver) = siblings();
    world.with(|state| state.failures.push(("create", Cause::Unavailable)));
    assert_eq!(*present(&solver, A).await.unwrap_err().cause(), Cause::Unavailable);
    present(&solver, A).await.unwrap();
    assert_eq!(world.values(), [A, B]);
}

#[tokio::test(start_paused = true)]
async fn what_was_not_live_in_time_is_written_again() {
    let (world, solver) = siblings();
    let hurried = Deadline::within(Duration::from_secs(1));
    solver.answer(request("Present", A), hurried).await.unwrap_err();
    world.delete(B);
    present(&solver, A).await.unwrap();
    assert_eq!(world.values(), [A, B]);
}

#[tokio::test(start_paused = true)]
async fn what_could_not_be_looked_at_is_not_written_again() {
    let (world, solver) = siblings();
    world.with(|state| state.failures.push(("confirm", Cause::Unreachable(fqdn("example.com")))));
    present(&solver, A).await.unwrap_err();
    present(&solver, A).await.unwrap();
    assert_eq!(world.calls("create"), 3, "the own value alone");
}

#[tokio::test(start_paused = true)]
async fn it_is_taken_to_stand_when_it_is_first_presented_and_no_more() {
    let (world, solver) = siblings();
    present(&solver, A).await.unwrap();
    present(&solver, B).await.unwrap();
    assert_eq!(world.calls("create"), 2);
    world.delete(B);
    tokio::time::advance(DELAY * 2).await;
    let held = present(&solver, B).await.unwrap_err();
    assert!(matches!(held.cause(), Cause::HeldBack(_)), "{held}");
    assert_eq!(world.values(), [A, B]);
}

#[tokio::test(start_paused = true)]
async fn it_is_not_taken_to_stand_once_a_challenge_of_it_has_ended() {
    let (world, solver) = siblings();
    present(&solver, A).await.unwrap();
    world.delete(B);
    let over = Stage::Over { at: Instant::now(), presented: None };
    world.set_challenges(&[(A, Stage::Pending), (B, over), (B, Stage::Pending)]);
    present(&solver, A).await.unwrap();
    assert_eq!(world.values(), [A, B]);
}
