//! In which form a request may come, and an answer goes. Every expectation is what the original answers.

use axum::body::Body;
use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Answered, CHALLENGES, World, ask, payload};

const YAML: &str =
    "request:\n  action: Present\n  key: ok\n  uid: u\n  config: {a: [1, two, null], b: &b x, c: *b}\n";

async fn post(world: &World, headers: &[(&str, &str)], query: &str, body: impl Into<Body>) -> Answered {
    let mut request = ask("POST", &format!("{CHALLENGES}{query}"));
    for (name, value) in headers {
        request = request.header(*name, *value);
    }
    world.send(request.body(body.into()).unwrap()).await
}

fn read(answer: &Answered) -> Value {
    serde_saphyr::from_str(&answer.body).unwrap()
}

#[tokio::test]
async fn yaml_goes_in_and_comes_out() {
    let world = World::new();
    let written = ("content-type", "application/yaml; charset=utf-8");
    let answer = post(&world, &[written], "", YAML).await;
    assert_eq!((answer.status, answer.header("content-type")), (StatusCode::CREATED, "application/json"));
    assert_eq!(answer.json()["request"]["config"], json!({ "a": [1, "two", null], "b": "x", "c": "x" }));
    let as_yaml = post(&world, &[written, ("accept", "application/yaml")], "", YAML).await;
    assert_eq!((as_yaml.status, as_yaml.header("content-type")), (StatusCode::CREATED, "application/yaml"));
    assert_eq!(read(&as_yaml), answer.json());
    let json_is_yaml = post(&world, &[written], "", payload("ok")).await;
    assert_eq!(json_is_yaml.status, StatusCode::CREATED);
    assert_eq!(world.solver.asked.lock().unwrap().len(), 3);
    let neither = post(&world, &[written], "", "a: [").await;
    assert_eq!((neither.status, &neither.json()["reason"]), (StatusCode::BAD_REQUEST, &json!("BadRequest")));
}

/// The first text is go-restful's, the second one that of Kubernetes.
#[tokio::test]
async fn what_is_not_there_is_refused_with_what_is() {
    let world = World::new();
    for (accept, message, details) in [
        (
            "text/html",
            "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml",
            json!({}),
        ),
        (
            "application/*",
            "406: Not Acceptable\n\nAvailable representations: application/json, application/yaml",
            json!({}),
        ),
        (
            "application/json;as=Table;g=meta.k8s.io;v=v1",
            "only the following media types are accepted: application/json, application/yaml",
            Value::Null,
        ),
    ] {
        let answer = post(&world, &[("accept", accept)], "", payload("ok")).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::NOT_ACCEPTABLE, "application/json")
        );
        let status = answer.json();
        assert_eq!(
            (&status["reason"], &status["message"]),
            (&json!("NotAcceptable"), &json!(message)),
            "{accept}"
        );
        assert_eq!(status["details"], details);
        assert_eq!(
            answer.body.contains("\n  \""),
            accept != "application/*",
            "what can't be negotiated is pretty"
        );
    }
    let answer = post(&world, &[("content-type", "application/cbor")], "", payload("ok")).await;
    assert_eq!(answer.status, StatusCode::UNSUPPORTED_MEDIA_TYPE);
    assert_eq!(
        answer.json(),
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 415,
            "message": "the body of the request was in an unknown format - accepted media types include: \
                        application/json, application/yaml",
            "reason": "UnsupportedMediaType",
        })
    );
    assert!(world.solver.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn one_accept_header_counts_and_the_wildcard_is_json() {
    let world = World::new();
    for (accepts, media) in [
        (&["application/json, */*"][..], "application/json"),
        (&["application/vnd.kubernetes.protobuf, */*"], "application/json"),
        (&["application/yaml", "application/json"], "application/yaml"),
        (&["application/json;q=0.1,application/yaml;q=0.9"], "application/yaml"),
    ] {
        let headers: Vec<_> = accepts.iter().map(|accept| ("accept", *accept)).collect();
        let answer = post(&world, &headers, "", payload("ok")).await;
        assert_eq!(
            (answer.status, answer.header("content-type")),
            (StatusCode::CREATED, media),
            "{accepts:?}"
        );
    }
}

#[tokio::test]
async fn failures_are_negotiated_too() {
    let world = World::new();
    let yaml = [("accept", "application/yaml")];
    for (token, path, code) in [
        ("bad", "/apis", 401),
        ("mallory", "/metrics", 403),
        ("bob", CHALLENGES, 405),
        ("bob", "/apis/g.example.com/v1", 404),
    ] {
        let request = http::Request::builder().uri(path).header("authorization", format!("Bearer {token}"));
        let answer = world.send(request.header(yaml[0].0, yaml[0].1).body(Body::empty()).unwrap()).await;
        assert_eq!(
            (answer.status.as_u16(), answer.header("content-type")),
            (code, "application/yaml"),
            "{path}"
        );
        assert_eq!((&read(&answer)["kind"], &read(&answer)["code"]), (&json!("Status"), &json!(code)));
    }
    let failed = post(&world, &yaml, "", payload("fail")).await;
    assert_eq!(failed.status, StatusCode::CREATED);
    assert_eq!(read(&failed)["response"]["success"], json!(false));
}

#[tokio::test]
async fn people_get_lines() {
    let world = World::new();
    for (headers, query, pretty) in [
        (&[("user-agent", "curl/8.0")][..], "", true),
        (&[("user-agent", "curl/8.0")], "?pretty=false", false),
        (&[("user-agent", "cert-manager-challenges/v1")], "", false),
        (&[], "?pretty=1", true),
        (&[("accept", "application/json;pretty=1")], "", true),
    ] {
        for body in [payload("ok"), "{}".to_owned()] {
            let answer = post(&world, headers, query, body).await;
            assert_eq!(answer.body.starts_with("{\n  \""), pretty, "{headers:?} {query}: {}", answer.body);
            assert!(answer.json()["kind"].is_string());
        }
    }
}

/// A document that grows when it is read, or one without an end.
#[tokio::test]
async fn yaml_does_not_grow() {
    let world = World::new();
    let mut bomb = "a: &a0 [x,x,x,x,x,x,x,x,x]\n".to_owned();
    for level in 1..9 {
        let below = vec![format!("*a{}", level - 1); 9].join(",");
        bomb.extend([&format!("b{level}: &a{level} ["), &below, "]\n"]);
    }
    for body in [bomb, "[".repeat(1 << 20), "- ".repeat(1 << 20), "? ".repeat(1 << 20)] {
        let answer = post(&world, &[("content-type", "application/yaml")], "", body).await;
        assert_eq!(answer.status, StatusCode::BAD_REQUEST);
        assert!(answer.body.len() < 1000, "{}", answer.body);
    }
}
