//! Method, path, query and headers: what is authorized is what is done, and any `Accept` gets an answer.
//!
//! Input: a line `METHOD TARGET`, then lines `name: value`, as in HTTP/1.1.
#![no_main]

use std::collections::BTreeMap;
use std::sync::{LazyLock, Mutex};

use axum::body::Body;
use cert_manager_webhook_cloudflare::access::{Attributes, ResourceAttributes};
use fuzz::{GROUP, Outcome, SOLVER, World};
use http::{HeaderValue, Request, StatusCode, Uri};
use libfuzzer_sys::fuzz_target;

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| Mutex::new(World::new(&BTreeMap::new())));

const BODY: &str = r#"{"request":{"uid":"u","key":"","action":"Present"}}"#;

fuzz_target!(|data: &[u8]| {
    let Some(request) = parse(data) else { return };
    let world = WORLD.lock().unwrap();
    let denied = world.ask(request(), false);
    let allowed = world.ask(request(), true);

    assert!(denied.solved.is_empty(), "what is not allowed is not done");
    if denied.status.is_success() {
        let always = ["/healthz", "/livez", "/readyz"].contains(&request().uri().path());
        assert!(always || !decoded_plainly(request().uri()), "{} without a review", request().uri());
        assert!(denied.reviewed.is_empty(), "the review said no");
    }
    if !allowed.solved.is_empty() {
        assert_eq!(allowed.reviewed, [create()], "something else was authorized than was done");
    }
    sound(&denied);
    sound(&allowed);
});

/// A path without escapes, which reads the same to everybody.
fn decoded_plainly(uri: &Uri) -> bool {
    !uri.path().contains('%')
}

fn create() -> Attributes {
    Attributes::Resource(ResourceAttributes {
        verb: "create".to_owned(),
        group: GROUP.to_owned(),
        version: "v1alpha1".to_owned(),
        resource: SOLVER.to_owned(),
        ..ResourceAttributes::default()
    })
}

/// No request is a defect, and every answer names its kind.
fn sound(outcome: &Outcome) {
    assert!(
        outcome.status != StatusCode::INTERNAL_SERVER_ERROR,
        "{}",
        String::from_utf8_lossy(&outcome.body)
    );
    assert!(outcome.body.is_empty() || outcome.headers.contains_key("content-type"));
}

fn parse(data: &[u8]) -> Option<impl Fn() -> Request<Body>> {
    let mut lines = data.split(|byte| *byte == b'\n');
    let mut first = lines.next()?.splitn(2, |byte| *byte == b' ');
    let method = http::Method::from_bytes(first.next()?).ok()?;
    let uri = Uri::try_from(first.next()?).ok()?;
    let mut headers = http::HeaderMap::new();
    headers.insert("authorization", HeaderValue::from_static("Bearer bob"));
    for line in lines {
        let mut parts = line.splitn(2, |byte| *byte == b':');
        let name = http::HeaderName::from_bytes(parts.next()?).ok()?;
        headers.append(name, HeaderValue::from_bytes(parts.next()?.trim_ascii()).ok()?);
    }
    Some(move || {
        let mut request = Request::new(Body::from(BODY));
        *request.method_mut() = method.clone();
        *request.uri_mut() = uri.clone();
        *request.headers_mut() = headers.clone();
        request
    })
}
