use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use super::fakes::{A, DELAY, SETTLE, World, config, present, request, secret_missing};
use crate::challenge::ChallengeRequest;
use crate::deadline::Deadline;
use crate::solver::error::Cause;

type Spoil = fn(&mut ChallengeRequest);

#[tokio::test(start_paused = true)]
async fn success_means_live_and_settled() {
    let world = World::new();
    let start = Instant::now();
    present(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), [A]);
    assert!(
        start.elapsed() >= DELAY + SETTLE && start.elapsed() < DELAY + SETTLE * 2,
        "{:?}",
        start.elapsed()
    );
    assert_eq!(world.with(|state| state.calls.clone()), ["load", "zone", "create", "confirm"]);
}

#[tokio::test(start_paused = true)]
async fn out_of_time_is_a_failure_that_the_next_present_resumes() {
    let world = World::new();
    let solver = world.solver();
    let early =
        solver.answer(request("Present", A), Deadline::within(Duration::from_secs(1))).await.unwrap_err();
    assert!(matches!(early.cause(), Cause::NotLive(_)), "{early}");
    assert_eq!(world.values(), [A]);
    present(&solver, A).await.unwrap();
    assert_eq!((world.values(), world.calls("create")), (vec![A.to_owned()], 2), "Cloudflare is asked again");
}

#[tokio::test(start_paused = true)]
async fn present_twice_makes_one_record() {
    let world = World::new();
    let solver = world.solver();
    present(&solver, A).await.unwrap();
    present(&solver, A).await.unwrap();
    assert_eq!((world.calls("list"), world.values().len()), (0, 1), "it knows its own record");
    present(&world.solver(), A).await.unwrap();
    assert_eq!(world.values(), [A]);
}

#[tokio::test(start_paused = true)]
async fn bad_input_reaches_nothing() {
    let cases: [(&str, Spoil); 8] = [
        ("CFW-101", |r| r.resolved_fqdn = "bücher.example.com.".into()),
        ("CFW-101", |r| r.resolved_fqdn = "a.".repeat(150)),
        ("CFW-101", |r| r.key = "\"quoted\"".into()),
        ("CFW-101", |r| r.resource_namespace = "a/b".into()),
        ("CFW-102", |r| r.config = None),
        ("CFW-102", |r| r.config = Some(json!({ "apiToken": "x" }))),
        ("CFW-103", |r| {
            r.config = Some(json!({ "zones": [
                { "name": "other.example", "apiTokenSecretRef": { "name": "cloudflare", "key": "token" } } ] }));
        }),
        ("CFW-104", |r| r.action = "present".into()),
    ];
    for (code, spoil) in cases {
        let world = World::new();
        let mut request = request("Present", A);
        spoil(&mut request);
        let error =
            world.solver().answer(request, Deadline::within(Duration::from_secs(45))).await.unwrap_err();
        assert_eq!(error.cause().code(), code, "{error}");
        assert!(world.with(|state| state.calls.is_empty()), "{code}");
    }
}

#[tokio::test(start_paused = true)]
async fn a_secret_that_is_not_there_sends_nothing_to_cloudflare() {
    let world = World::new();
    world.with(|state| state.secrets.insert("cloudflare", Err(secret_missing())));
    let error = present(&world.solver(), A).await.unwrap_err();
    assert_eq!(*error.cause(), secret_missing());
    assert_eq!(world.with(|state| state.calls.clone()), ["load"]);
}

#[tokio::test(start_paused = true)]
async fn a_refused_token_is_read_again_at_once() {
    let world = World::new();
    world.with(|state| {
        state.refused_tokens.push("good-token");
        state.secrets.insert("cloudflare, now", Ok("rotated"));
    });
    present(&world.solver(), A).await.unwrap();
    assert_eq!((world.calls("load now"), world.values().len()), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn a_token_that_stays_refused_is_tried_once() {
    let world = World::new();
    world.with(|state| state.refused_tokens.push("good-token"));
    let error = present(&world.solver(), A).await.unwrap_err();
    assert_eq!(*error.cause(), Cause::CredentialRefused);
    assert_eq!((world.calls("zone"), world.calls("load now")), (1, 1));
}

#[tokio::test(start_paused = true)]
async fn the_public_text_of_a_cause_is_always_the_same() {
    let world = World::new();
    world.with(|state| state.failures.push(("create", Cause::Unavailable)));
    let first = present(&world.solver(), A).await.unwrap_err().to_string();
    world.with(|state| state.failures.push(("create", Cause::Unavailable)));
    assert_eq!(present(&world.solver(), A).await.unwrap_err().to_string(), first);
    assert_eq!(world.calls("load now"), 0, "another token would fare no better");
    assert!(first.starts_with("CFW-310: ") && first.ends_with("(docs/errors.md#cfw-310)"), "{first}");
}

#[tokio::test(start_paused = true)]
async fn without_a_check_success_claims_the_write_alone() {
    let world = World::new();
    world.with(|state| state.propagation = false);
    let (solver, start) = (world.solver(), Instant::now());
    present(&solver, A).await.unwrap();
    assert_eq!((world.values(), start.elapsed()), (vec![A.to_owned()], Duration::ZERO));

    // Nothing would tell that the record has gone, so it is written each time.
    world.with(|state| state.records.clear());
    present(&solver, A).await.unwrap();
    assert_eq!(world.values(), [A]);
}

#[tokio::test(start_paused = true)]
async fn the_configured_time_to_live_bounds_the_wait() {
    let mut with_ttl = config();
    with_ttl["ttl"] = json!(1);
    let world = World::new();
    let solver = world.solver();
    let mut first = request("Present", A);
    first.config = Some(with_ttl.clone());
    solver.answer(first, Deadline::within(Duration::from_secs(45))).await.unwrap();
    let mut second = request("Present", super::fakes::B);
    second.config = Some(with_ttl);
    let start = Instant::now();
    solver.answer(second, Deadline::within(Duration::from_mins(6))).await.unwrap();
    assert!(start.elapsed() >= DELAY + Duration::from_mins(5), "{:?}", start.elapsed());
}
