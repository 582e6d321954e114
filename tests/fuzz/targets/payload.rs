//! The body of a POST, as JSON and as YAML, under every way of validation.
#![no_main]

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use axum::body::Body;
use fuzz::{GROUP, SOLVER, World};
use http::{Request, StatusCode};
use libfuzzer_sys::fuzz_target;

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new(&BTreeMap::new())));

fuzz_target!(|data: &[u8]| {
    let Some((&how, body)) = data.split_first() else { return };
    let media = ["application/json", "application/yaml"][usize::from(how & 1)];
    let validation = ["", "Ignore", "Warn", "Strict"][usize::from(how >> 1 & 3)];
    let path = format!("/apis/{GROUP}/v1alpha1/{SOLVER}?fieldValidation={validation}");
    let request = Request::post(path).header("content-type", media).header("authorization", "Bearer bob");
    let request = request.body(Body::from(body.to_vec())).unwrap();

    let outcome = WORLD.lock().unwrap().ask(request, true);
    if outcome.status == StatusCode::CREATED {
        // cert-manager's controller reads `response` without a look whether it is there, and takes a failure without
        // a message for a success.
        assert_eq!(outcome.solved.len(), 1);
        let answer = outcome.json();
        let response = answer["response"].as_object().expect("a response");
        assert_eq!(response["uid"], outcome.solved[0].uid);
        let failed = outcome.solved[0].key.len() % 2 == 1;
        assert_eq!(response["success"], !failed);
        let message = response.get("status").and_then(|status| status["message"].as_str());
        assert_eq!(message.is_some_and(|message| !message.is_empty()), failed);
    } else {
        // The two that the original fails on, and this program with it.
        let nothing = ["payload request field cannot be empty", "unknown action type "];
        let message = outcome.json()["message"].as_str().unwrap_or_default().to_owned();
        let fails = nothing.iter().any(|text| message.starts_with(text));
        assert!(outcome.status.is_client_error() || fails, "{}: {message}", outcome.status);
        assert!(outcome.solved.is_empty(), "a refused request must change nothing");
        outcome.must_be_a_status();
    }
});
