use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::fakes::{A, B, World, clean_up, present, request, secret_missing};
use crate::challenge::ChallengeRequest;
use crate::deadline::Deadline;
use crate::solver::error::Cause;
use crate::solver::port::Stage;

#[tokio::test(start_paused = true)]
async fn only_the_value_goes_and_twice_is_success() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    world.put(B, "");
    clean_up(&solver, A).await.unwrap();
    assert_eq!(world.values(), [B]);
    clean_up(&solver, A).await.unwrap();
    clean_up(&world.solver(), "neverpresented").await.unwrap();
    assert_eq!(world.values(), [B]);
}

#[tokio::test(start_paused = true)]
async fn the_second_for_one_challenge_asks_nobody_and_for_another_it_does() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending)]);
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    clean_up(&solver, A).await.unwrap();
    let calls = world.with(|state| state.calls.len());
    world.set_challenges(&[(A, Stage::Over { at: Instant::now(), presented: None })]);
    clean_up(&solver, A).await.unwrap();
    let made = world.with(|state| state.calls.split_off(calls));
    assert_eq!(made, ["load"], "only the Secret is read");

    // Another Challenge of the same value, presented by another replica, is another matter.
    world.put(A, "");
    world.with(|state| {
        let mut other = state.challenges.as_ref().unwrap()[0].clone();
        (other.uid, other.stage) = ("another".into(), Stage::Pending);
        state.challenges.as_mut().unwrap().push(other);
    });
    clean_up(&solver, A).await.unwrap();
    assert!(world.values().is_empty());

    // So is a value whose Challenges nobody knows, and one that went long ago.
    world.put(A, "");
    tokio::time::advance(Duration::from_mins(2)).await;
    clean_up(&solver, A).await.unwrap();
    assert!(world.values().is_empty());
    world.with(|state| state.challenges = None);
    world.put(A, "");
    clean_up(&solver, A).await.unwrap();
    assert!(world.values().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_record_without_mark_or_digest_form_stays() {
    let world = World::new();
    world.put("handmade", "");
    clean_up(&world.solver(), "handmade").await.unwrap();
    assert_eq!(world.values(), ["handmade"]);

    let solver = world.solver();
    present(&solver, "conformance").await.unwrap();
    clean_up(&solver, "conformance").await.unwrap();
    assert_eq!(world.values(), ["handmade"]);
}

#[tokio::test(start_paused = true)]
async fn what_waiting_mends_is_a_failure() {
    for cause in [Cause::Unavailable, Cause::RateLimited] {
        for call in ["zone", "list", "delete"] {
            let world = World::new();
            world.put(A, "");
            world.with(|state| state.failures.push((call, cause.clone())));
            assert_eq!(*clean_up(&world.solver(), A).await.unwrap_err().cause(), cause);
            assert_eq!(world.calls("load now"), 0, "another token would fare no better");
            clean_up(&world.solver(), A).await.unwrap();
            assert!(world.values().is_empty());
        }
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_gone_does_not_stand_in_the_way() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    present(&world.solver(), A).await.unwrap();
    world.with(|state| state.secrets.insert("cloudflare", Err(secret_missing())));

    let stranger = world.solver();
    clean_up(&stranger, A).await.unwrap();
    assert_eq!((world.values().len(), stranger.parts.metrics.records_left.get()), (1, 1));

    // The process that wrote it still has the token, but for nobody else.
    let mut hostile = request("CleanUp", A);
    hostile.resource_namespace = "hostile".into();
    solver.answer(hostile, Deadline::within(Duration::from_secs(45))).await.unwrap();
    assert_eq!(world.values(), [A]);
    clean_up(&solver, A).await.unwrap();
    assert_eq!((world.values().len(), solver.parts.metrics.records_left.get()), (0, 1));
}

#[tokio::test(start_paused = true)]
async fn the_last_means_is_tried_until_it_succeeds_or_never_will() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    world.with(|state| state.secrets.insert("cloudflare", Err(secret_missing())));
    world.with(|state| state.failures.push(("delete", Cause::Unavailable)));
    assert_eq!(*clean_up(&solver, A).await.unwrap_err().cause(), Cause::Unavailable);
    assert_eq!(solver.parts.metrics.records_left.get(), 0);
    world.with(|state| state.refused_tokens.push("good-token"));
    clean_up(&solver, A).await.unwrap();
    assert_eq!((world.values().len(), solver.parts.metrics.records_left.get()), (1, 1));
    assert_eq!(solver.parts.metrics.in_flight.get(), 0);
}

/// Simulation, seed 323486: a value came back within seconds, and its Present gave up before the answer that made its record.
#[tokio::test(start_paused = true)]
async fn after_a_present_no_clean_up_is_a_repetition() {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending)]);
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    clean_up(&solver, A).await.unwrap();
    world.with(|state| state.failures.push(("create", Cause::OutOfTime)));
    present(&solver, A).await.unwrap_err();
    world.put(A, "");
    clean_up(&solver, A).await.unwrap();
    assert!(world.values().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_configuration_nobody_can_read_does_not_stand_in_the_way() {
    let spoilt: [fn(&mut ChallengeRequest); 4] = [
        |r| r.config = None,
        |r| r.config = Some(json!("text")),
        |r| r.resolved_fqdn = "not a name".into(),
        |r| r.key = "\"".into(),
    ];
    for spoil in spoilt {
        let mut request = request("CleanUp", A);
        spoil(&mut request);
        World::new().solver().answer(request, Deadline::within(Duration::from_secs(45))).await.unwrap();
    }
}

#[tokio::test(start_paused = true)]
async fn fields_from_the_future_are_read_past() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    let mut request = request("CleanUp", A);
    request.config.as_mut().unwrap()["shade"] = json!("grey");
    solver.answer(request, Deadline::within(Duration::from_secs(45))).await.unwrap();
    assert!(world.values().is_empty());
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_read_again_at_once() {
    let world = World::new();
    world.put(A, "");
    world.with(|state| {
        state.refused_tokens.push("good-token");
        state.secrets.insert("cloudflare, now", Ok("rotated"));
    });
    clean_up(&world.solver(), A).await.unwrap();
    assert_eq!((world.calls("load now"), world.values().len()), (1, 0));
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_counts_only_once_it_has_lasted() {
    let world = World::new();
    world.put(A, "");
    world.with(|state| state.refused_tokens.push("good-token"));
    let solver = world.solver();
    assert_eq!(*clean_up(&solver, A).await.unwrap_err().cause(), Cause::CredentialRefused);
    tokio::time::advance(Duration::from_mins(10)).await;
    assert_eq!(*clean_up(&solver, A).await.unwrap_err().cause(), Cause::CredentialRefused);
    tokio::time::advance(Duration::from_secs(1)).await;
    clean_up(&solver, A).await.unwrap();
    assert_eq!((world.values().len(), solver.parts.metrics.records_left.get()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_zone_that_is_invisible_does_not_stand_in_the_way() {
    let world = World::new();
    world.with(|state| {
        state.failures.push(("zone", Cause::NoZone(super::fakes::fqdn(super::fakes::NAME))));
    });
    let solver = world.solver();
    clean_up(&solver, A).await.unwrap();
    assert_eq!(solver.parts.metrics.records_left.get(), 1);
}
