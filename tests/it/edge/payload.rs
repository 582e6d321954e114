//! What stands in a request: its fields and its options. Every expectation is what the original answers.

use axum::body::{Body, Bytes};
use http::StatusCode;
use serde_json::{Value, json};

use super::world::{Answered, CHALLENGES, World, ask};

const STRAY: &str = r#"{"request":{"action":"Present","key":"ok","foo":1,"uid":"","uid":"u"},"é\"":1}"#;

async fn post(world: &World, query: &str, body: impl Into<Body>) -> Answered {
    world.send(ask("POST", &format!("{CHALLENGES}{query}")).body(body.into()).unwrap()).await
}

fn warnings(answer: &Answered) -> Vec<String> {
    let text = |value: &http::HeaderValue| String::from_utf8(value.as_bytes().to_vec()).unwrap();
    answer.headers.get_all("warning").iter().map(text).collect()
}

#[tokio::test]
async fn stray_fields_are_warned_of() {
    let world = World::new();
    for query in ["", "?fieldValidation=", "?fieldValidation=Warn"] {
        let answer = post(&world, query, STRAY).await;
        assert_eq!((answer.status, &answer.json()["request"]["uid"]), (StatusCode::CREATED, &json!("u")));
        assert_eq!(
            warnings(&answer),
            [
                r#"299 - "unknown field \"request.foo\"""#,
                r#"299 - "duplicate field \"request.uid\"""#,
                r#"299 - "unknown field \"é\\\"\"""#,
            ]
        );
    }
    let ignored = post(&world, "?fieldValidation=Ignore", STRAY).await;
    assert_eq!((ignored.status, warnings(&ignored).len()), (StatusCode::CREATED, 0));
    // What fails is warned of, too.
    let failed = post(&world, "", r#"{"request":{"action":"x"},"Request":1}"#).await;
    assert_eq!(failed.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(warnings(&failed), [r#"299 - "unknown field \"Request\"""#]);
}

#[tokio::test]
async fn stray_fields_are_refused_where_that_is_wanted() {
    let world = World::new();
    let answer = post(&world, "?fieldValidation=Strict", STRAY).await;
    assert_eq!((answer.status, &answer.json()["reason"]), (StatusCode::BAD_REQUEST, &json!("BadRequest")));
    assert_eq!(
        answer.json()["message"],
        "ChallengePayload in version \"v1alpha1\" cannot be handled as a ChallengePayload: strict decoding error: unknown \
         field \"request.foo\", duplicate field \"request.uid\", unknown field \"é\\\"\""
    );
    assert!(warnings(&answer).is_empty() && world.solver.asked.lock().unwrap().is_empty());
    let clean = post(&world, "?fieldValidation=Strict", super::world::payload("ok")).await;
    assert_eq!(clean.status, StatusCode::CREATED);
}

#[tokio::test]
async fn a_payload_that_says_nothing_is_not_done() {
    let world = World::new();
    for (body, message) in [
        ("{}", "payload request field cannot be empty"),
        ("null", "payload request field cannot be empty"),
        (r#"{"request":null}"#, "payload request field cannot be empty"),
        (r#"{"request":{"key":"ok"}}"#, r#"unknown action type """#),
        (r#"{"request":{"key":"ok","action":"present"}}"#, r#"unknown action type "present""#),
    ] {
        let answer = post(&world, "", body).await;
        let expected = json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "message": message, "code": 500,
        });
        assert_eq!((answer.status.as_u16(), answer.json()), (500, expected), "{body}");
    }
    assert!(world.solver.asked.lock().unwrap().is_empty());
}

#[tokio::test]
async fn what_is_left_out_is_not_echoed() {
    let world = World::new();
    let answer = post(&world, "", r#"{"request":{"action":"Present","key":"ok","config":null}}"#).await;
    let expected = json!({
        "uid": "", "action": "Present", "type": "", "dnsName": "", "key": "ok", "resourceNamespace": "",
        "allowAmbientCredentials": false,
    });
    assert_eq!(answer.json()["request"], expected);
}

#[tokio::test]
async fn options_that_there_are_not_are_told() {
    let world = World::new();
    let invalid = |message: &str, causes: Value| {
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "code": 422, "reason": "Invalid",
            "message": format!("CreateOptions.meta.k8s.io \"\" is invalid: {message}"),
            "details": { "group": "meta.k8s.io", "kind": "CreateOptions", "causes": causes },
        })
    };
    let dry_run = r#"Unsupported value: ["All","x"]: supported values: "All""#;
    let manager = r#"Invalid value: "a\x00": invalid character U+0000 (at position 1)"#;
    let validation = r#"Unsupported value: "strict": supported values: "", "Ignore", "Strict", "Warn""#;
    let cause = |reason: &str, message: &str, field: &str| json!({ "reason": reason, "message": message, "field": field });
    let not_supported = "FieldValueNotSupported";
    for (query, expected) in [
        (
            "?dryRun=All&dry%52un=x".to_owned(),
            invalid(&format!("dryRun: {dry_run}"), json!([cause(not_supported, dry_run, "dryRun")])),
        ),
        (
            format!("?fieldManager={}", "é".repeat(65)),
            invalid(
                "fieldManager: Too long: may not be more than 128 bytes",
                json!([cause(
                    "FieldValueTooLong",
                    "Too long: may not be more than 128 bytes",
                    "fieldManager"
                )]),
            ),
        ),
        (
            "?fieldValidation=strict&fieldManager=a%00&dryRun=All&dryRun=x".to_owned(),
            invalid(
                &format!("[fieldManager: {manager}, dryRun: {dry_run}, fieldValidation: {validation}]"),
                json!([
                    cause("FieldValueInvalid", manager, "fieldManager"),
                    cause(not_supported, dry_run, "dryRun"),
                    cause(not_supported, validation, "fieldValidation"),
                ]),
            ),
        ),
    ] {
        let query = query.replace('é', "%C3%A9");
        let answer = post(&world, &query, super::world::payload("ok")).await;
        assert_eq!((answer.status.as_u16(), answer.json()), (422, expected), "{query}");
    }
    for query in ["?fieldManager=a&fieldManager=%00", "?pretty=1", "?DryRun=x", "?other=x"] {
        let answer = post(&world, query, super::world::payload("ok")).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{query}");
    }
}

#[tokio::test]
async fn a_timeout_is_read_before_anything_else() {
    let world = World::new();
    for (value, error) in [
        ("soon", r#"invalid duration "soon""#),
        ("10", r#"missing unit in duration "10""#),
        ("1d", r#"unknown unit "d" in duration "1d""#),
    ] {
        for path in [CHALLENGES, "/healthz", "/apis", "/foo"] {
            let request = http::Request::builder().uri(format!("{path}?timeout={value}&timeout=1s"));
            let answer = world.send(request.body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, StatusCode::BAD_REQUEST);
            let message = format!("invalid timeout specified in the request URL - time: {error}");
            assert_eq!(answer.json()["message"], message, "{path}");
        }
    }
    for value in ["-1s", "0", "", "1m30s"] {
        let answer = post(&world, &format!("?timeout={value}&timeout=x"), super::world::payload("ok")).await;
        assert_eq!(answer.status, StatusCode::CREATED, "{value}");
    }
}

/// Bytes that never come: whoever waited for them would not answer.
#[tokio::test]
async fn a_body_that_is_said_to_be_too_long_is_not_read() {
    let world = World::new();
    let endless = futures::stream::pending::<Result<Bytes, std::io::Error>>();
    let request =
        ask("POST", CHALLENGES).header("content-length", "3145729").body(Body::from_stream(endless));
    let answer = world.send(request.unwrap()).await;
    assert_eq!(answer.status, StatusCode::PAYLOAD_TOO_LARGE);
    assert_eq!(answer.json()["message"], "Request entity too large: limit is 3145728");
}

/// Of several faults the first one counts, in the order of the original.
#[tokio::test]
async fn faults_have_their_order() {
    let world = World::new();
    let too_long = vec![b'x'; 3 * 1024 * 1024 + 1];
    let unreadable = ("content-type", "text/plain");
    let (unrepresentable, nothing) = (("accept", "text/html"), ("x-nothing", ""));
    for (query, (name, value), body, code) in [
        ("?dryRun=x&timeout=x", unrepresentable, &*too_long, 400),
        ("?dryRun=x", unrepresentable, &*too_long, 406),
        ("?dryRun=x", unreadable, &*too_long, 415),
        ("?dryRun=x", nothing, &*too_long, 413),
        ("?dryRun=x", nothing, b"x", 422),
        ("", nothing, b"x", 400),
    ] {
        let request = ask("POST", &format!("{CHALLENGES}{query}")).header(name, value);
        let answer = world.send(request.body(Body::from(body.to_vec())).unwrap()).await;
        assert_eq!(answer.status.as_u16(), code, "{query} {name}");
    }
}

#[tokio::test]
async fn a_path_that_is_no_path_is_answered_as_by_go_s_server() {
    let world = World::new();
    let answer = post(&world, "%zz", "").await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::BAD_REQUEST, "400 Bad Request"));
    assert_eq!(
        (answer.header("content-type"), answer.header("connection")),
        ("text/plain; charset=utf-8", "close")
    );
}
