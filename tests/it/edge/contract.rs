//! The POST of a challenge, and every way in which a request is refused.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use axum::body::{Body, Bytes};
use cert_manager_webhook_cloudflare::access::{Attributes, PeerCertificates, ResourceAttributes};
use cert_manager_webhook_cloudflare::admin;
use cert_manager_webhook_cloudflare::metrics::Metrics;
use http::{Request, StatusCode};
use serde_json::json;
use tower::ServiceExt;

use super::certs::{Authority, Kind};
use super::world::{CHALLENGES, World, ask, payload};

#[tokio::test]
async fn a_success_is_created_with_its_response() {
    let world = World::new();
    let answer = world.post(payload("ok")).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    assert_eq!(answer.header("content-type"), "application/json");
    let mut request: serde_json::Value = serde_json::from_str(&payload("ok")).unwrap();
    assert_eq!(
        answer.json(),
        json!({
            "kind": "ChallengePayload", "apiVersion": "webhook.acme.cert-manager.io/v1alpha1",
            "request": request["request"].take(), "response": { "uid": "", "success": true },
        })
    );
    assert_eq!(
        world.cluster.seen()[0].1,
        Attributes::Resource(ResourceAttributes {
            verb: "create".to_owned(),
            group: "g.example.com".to_owned(),
            version: "v1alpha1".to_owned(),
            resource: "cf".to_owned(),
            ..ResourceAttributes::default()
        })
    );
}

#[tokio::test]
async fn a_failure_is_created_too_with_a_stable_text() {
    let world = World::new();
    let answer = world.post(payload("fail").replace(r#""uid":"""#, r#""uid":"u-1""#)).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    let response = &answer.json()["response"];
    assert_eq!((&response["uid"], &response["success"]), (&json!("u-1"), &json!(false)));
    assert_eq!(response["status"]["status"], "Failed");
    assert_eq!(response["status"]["metadata"], json!({}));
    assert!(response["status"]["message"].as_str().unwrap().starts_with("CFW-309"), "{response}");
    let again = world.post(payload("fail").replace(r#""uid":"""#, r#""uid":"u-1""#)).await;
    assert_eq!(answer.body, again.body);
}

/// What reaches cert-manager as a 2xx must have a `response`, and a failure a text: without the one its controller
/// panics, without the other it takes a failure for a success.
#[tokio::test]
async fn no_answer_without_a_response_looks_like_a_success() {
    let world = World::new();
    for body in [
        "",
        "null",
        "{}",
        "[]",
        "x",
        r#"{"request":null}"#,
        r#"{"request":{"config":7,"action":"Nonsense","key":"ok"}}"#,
        r#"{"request":{"key":7}}"#,
        r#"{"request":{"key":"fail"}}"#,
        r#"{"request":{"key":"panic"}}"#,
        r#"{"apiVersion":"g.example.com/v1alpha1","kind":"ChallengePayload","request":{"key":"ok"}}"#,
    ] {
        let answer = world.post(body.to_owned()).await;
        if answer.status.is_success() {
            let response = answer.json()["response"].clone();
            let message = response["status"]["message"].as_str().unwrap_or_default();
            assert!(response["success"] == true || !message.is_empty(), "{body}: {}", answer.body);
        } else if answer.status != StatusCode::INTERNAL_SERVER_ERROR {
            let status = answer.json();
            assert_eq!((&status["kind"], &status["apiVersion"]), (&json!("Status"), &json!("v1")), "{body}");
            assert_eq!(status["code"], answer.status.as_u16());
            assert!(!status["message"].as_str().unwrap().is_empty());
        }
    }
}

#[tokio::test]
async fn refusals_have_the_status_of_the_original() {
    let world = World::new();
    let big = Bytes::from(vec![b' '; 3 * 1024 * 1024 + 1]);
    let post = |header: &str, value: &str| {
        ask("POST", CHALLENGES).header(header, value).body(Body::from(payload("ok"))).unwrap()
    };
    let to = |method: &str, path: &str| ask(method, path).body(Body::from(payload("ok"))).unwrap();
    let cases = [
        (post("content-type", "application/cbor"), 415, "UnsupportedMediaType"),
        (post("content-type", "application/vnd.kubernetes.protobuf"), 415, "UnsupportedMediaType"),
        (post("content-type", "text/plain"), 415, "UnsupportedMediaType"),
        (post("accept", "application/vnd.kubernetes.protobuf"), 406, "NotAcceptable"),
        (ask("POST", CHALLENGES).body(Body::from(big)).unwrap(), 413, "RequestEntityTooLarge"),
        (to("POST", &format!("{CHALLENGES}?dryRun=All")), 400, "BadRequest"),
        (to("POST", &format!("{CHALLENGES}?dry%52un=All")), 400, "BadRequest"),
        (to("POST", &format!("{CHALLENGES}?timeout=soon")), 400, "BadRequest"),
        (to("GET", CHALLENGES), 405, "MethodNotAllowed"),
        (to("PUT", CHALLENGES), 405, "MethodNotAllowed"),
        (to("DELETE", CHALLENGES), 405, "MethodNotAllowed"),
        (to("POST", "/apis"), 405, "MethodNotAllowed"),
        (to("POST", "/apis/g.example.com/v1alpha1"), 405, "MethodNotAllowed"),
        (to("POST", "/apis/g.example.com/v1alpha1/other"), 404, "NotFound"),
        (to("GET", "/apis/g.example.com/v1"), 404, "NotFound"),
        (post("impersonate-user", "eve"), 403, "Forbidden"),
        (post("Impersonate-Extra-x", "eve"), 403, "Forbidden"),
        (post("authorization", "Bearer x"), 201, ""),
        (post("content-type", "application/json; charset=utf-8"), 201, ""),
    ];
    for (request, code, reason) in cases {
        let what = format!("{} {} {:?}", request.method(), request.uri(), request.headers());
        let answer = world.send(request).await;
        assert_eq!(answer.status.as_u16(), code, "{what}: {}", answer.body);
        if code >= 400 {
            let status = answer.json();
            assert_eq!(status["kind"], "Status", "{what}");
            assert_eq!(status["apiVersion"], "v1");
            assert_eq!(status["metadata"], json!({}));
            assert_eq!(status["status"], "Failure");
            assert_eq!(status["reason"], reason, "{what}");
            assert_eq!(status["code"], code);
        }
    }
    assert_eq!(world.solver.asked.lock().unwrap().len(), 2);
    let limit = world.post(vec![b' '; 3 * 1024 * 1024]).await;
    assert_eq!(limit.status, StatusCode::BAD_REQUEST, "the last byte that fits is read");
}

#[tokio::test]
async fn who_may_not_is_told_so() {
    let world = World::new();
    let send = async |token: &str, method: &str, path: &str| {
        let request = Request::builder().method(method).uri(path);
        let request = if token.is_empty() {
            request
        } else {
            request.header("authorization", format!("Bearer {token}"))
        };
        world.send(request.body(Body::from(payload("ok"))).unwrap()).await
    };
    let answer = send("mallory", "POST", CHALLENGES).await;
    assert_eq!(answer.header("x-content-type-options"), "nosniff");
    assert_eq!(
        answer.json(),
        json!({
            "kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Failure", "reason": "Forbidden", "code": 403,
            "message": "cf.g.example.com is forbidden: User \"mallory\" cannot create resource \"cf\" in API group \
                        \"g.example.com\" at the cluster scope: no <rule>",
            "details": { "group": "g.example.com", "kind": "cf" },
        })
    );
    let answer = send("", "GET", "/metrics?a=%3Cb%3E").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    assert_eq!(answer.json()["message"], "forbidden: User \"system:anonymous\" cannot get path \"/metrics\"");
    assert_eq!(answer.json()["details"], json!({}));

    let answer = send("bad", "POST", CHALLENGES).await;
    assert_eq!(
        (answer.status, &answer.json()["message"]),
        (StatusCode::UNAUTHORIZED, &json!("Unauthorized"))
    );
    let answer = send("bad", "GET", "/healthz").await;
    assert_eq!(answer.status, StatusCode::UNAUTHORIZED);

    let answer = send("unlucky", "POST", CHALLENGES).await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(
        answer.body,
        "Internal Server Error: \"/apis/g.example.com/v1alpha1/cf\": the Kubernetes API server could not be asked for a \
         SubjectAccessReview\n"
    );
    assert!(world.solver.asked.lock().unwrap().is_empty());

    // An escaped path is reviewed as what it is, and so are its neighbours of the probes.
    world.cluster.seen();
    let answer = send("mallory", "POST", "/apis/g.example.com/v1alpha1/c%66").await;
    assert_eq!(answer.status, StatusCode::FORBIDDEN);
    for path in ["/healthz/", "/readyz/ping", "/%68ealthz/", "//healthz"] {
        assert_eq!(send("mallory", "GET", path).await.status, StatusCode::FORBIDDEN, "{path}");
    }
    let seen = world.cluster.seen();
    assert!(matches!(&seen[0].1, Attributes::Resource(resource) if resource.resource == "cf"));
    assert_eq!(seen.len(), 5);
    for path in ["/healthz", "/readyz", "/livez", "/%68ealthz"] {
        assert_eq!(send("mallory", "GET", path).await.status, StatusCode::OK, "{path}");
    }
    assert!(world.cluster.seen().is_empty(), "everybody may see the health");
}

#[tokio::test]
async fn a_panic_is_the_end_of_its_request_alone() {
    let world = World::new();
    let text = "This request caused apiserver to panic. Look in the logs for details.\n";
    let answer = world.post(payload("panic")).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, text));
    let at_the_door = Request::builder().uri("/apis").header("authorization", "Bearer panic");
    let answer = world.send(at_the_door.body(Body::empty()).unwrap()).await;
    assert_eq!((answer.status, answer.body.as_str()), (StatusCode::INTERNAL_SERVER_ERROR, text));
    assert_eq!(answer.header("cache-control"), "no-cache, private");
    assert_eq!(world.post(payload("ok")).await.status, StatusCode::CREATED);
}

#[tokio::test(start_paused = true)]
async fn the_deadline_is_the_solver_s_and_beyond_it_there_is_a_guard() {
    let world = World::new();
    let start = tokio::time::Instant::now();
    let answer = world.post(payload("obey")).await;
    assert_eq!((answer.status, start.elapsed().as_secs()), (StatusCode::CREATED, 45));
    assert!(answer.json()["response"]["status"]["message"].as_str().unwrap().starts_with("CFW-501"));

    let start = tokio::time::Instant::now();
    let shorter =
        ask("POST", &format!("{CHALLENGES}?timeout=10s")).body(Body::from(payload("obey"))).unwrap();
    assert_eq!(world.send(shorter).await.status, StatusCode::CREATED);
    assert_eq!(start.elapsed().as_secs(), 10);

    let start = tokio::time::Instant::now();
    let answer = world.post(payload("hang")).await;
    assert_eq!((answer.status, start.elapsed().as_secs()), (StatusCode::GATEWAY_TIMEOUT, 50));
    assert_eq!((&answer.json()["reason"], answer.header("retry-after")), (&json!("Timeout"), ""));
}

#[tokio::test(start_paused = true)]
async fn a_body_that_does_not_come_is_not_waited_for() {
    let world = World::new();
    let first = futures::stream::iter([Ok::<_, std::io::Error>(Bytes::from("{"))]);
    let body = Body::from_stream(futures::StreamExt::chain(first, futures::stream::pending()));
    let start = tokio::time::Instant::now();
    let answer = world.post(body).await;
    assert_eq!((answer.status, start.elapsed().as_secs()), (StatusCode::GATEWAY_TIMEOUT, 20));
}

#[tokio::test]
async fn the_work_goes_on_when_the_caller_hangs_up() {
    let world = World::new();
    let request = ask("POST", CHALLENGES).body(Body::from(payload("gate"))).unwrap();
    {
        let asked = world.router.clone().oneshot(request);
        tokio::select! {
            _ = asked => panic!("the gate is closed"),
            () = world.solver.begun.notified() => {}
        }
    }
    assert_eq!(world.tracker.len(), 1);
    world.solver.gate.notify_one();
    world.tracker.close();
    world.tracker.wait().await;
    assert_eq!(*world.solver.finished.lock().unwrap(), 1);
}

#[tokio::test]
async fn two_hundred_at_once_and_no_more() {
    let world = Arc::new(World::new());
    let mut waiting: Vec<_> = (0..200)
        .map(|_| {
            let world = Arc::clone(&world);
            Box::pin(async move { world.post(payload("gate")).await.status })
        })
        .collect();
    for request in &mut waiting {
        assert!(futures::poll!(request.as_mut()).is_pending());
        world.solver.begun.notified().await;
    }
    let answer = world.post(payload("ok")).await;
    assert_eq!(answer.status, StatusCode::TOO_MANY_REQUESTS);
    assert_eq!(answer.body, "Too many requests, please try again later.\n");
    assert_eq!(answer.header("retry-after"), "1");
    assert_eq!(world.get("/apis").await.status, StatusCode::OK, "reading has places of its own");
    let master = Request::builder().method("POST").uri(CHALLENGES).header("authorization", "Bearer root");
    let answer = world.send(master.body(Body::from(payload("ok"))).unwrap()).await;
    assert_eq!(answer.status, StatusCode::CREATED, "who may do anything is not counted");
    for _ in 0..200 {
        world.solver.gate.notify_one();
        tokio::task::yield_now().await;
    }
    world.solver.gate.notify_waiters();
    let answers = futures::future::join_all(waiting).await;
    assert!(answers.iter().all(|status| *status == StatusCode::CREATED));
    assert_eq!(world.post(payload("ok")).await.status, StatusCode::CREATED);
}

/// What kube-apiserver passes on is answered while all who reach the port wait for a review, of which kube-apiserver
/// gets no more than so many at once.
#[tokio::test]
async fn nobody_takes_the_places_of_what_is_passed_on() {
    let world = World::new();
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    world.trust(&proxies, &clients);
    let proxy = PeerCertificates::new(&proxies.leaf(&Kind::default()).chain);
    for (method, path, places, status) in
        [("GET", "/apis", 400, StatusCode::OK), ("POST", CHALLENGES, 200, StatusCode::CREATED)]
    {
        let request = || Request::builder().method(method).uri(path);
        let undecided =
            || request().header("authorization", "Bearer undecided").body(Body::from(payload("ok"))).unwrap();
        let mut waiting: Vec<_> = (0..places).map(|_| Box::pin(world.send(undecided()))).collect();
        for request in &mut waiting {
            assert!(futures::poll!(request.as_mut()).is_pending());
        }
        assert_eq!(world.send(undecided()).await.status, StatusCode::TOO_MANY_REQUESTS, "{method}");
        let reviewed = world.cluster.seen();
        assert_eq!(reviewed.iter().filter(|(who, _)| who.name == "undecided").count(), 64, "{method}");
        let healthz = Request::builder().method(method).uri("/healthz").body(Body::empty()).unwrap();
        assert_eq!(world.send(healthz).await.status, StatusCode::OK, "a probe waits for nobody");
        let passed_on = request().header("x-remote-user", "cert-manager").extension(proxy.clone());
        let answer = world.send(passed_on.body(Body::from(payload("ok"))).unwrap()).await;
        assert_eq!(answer.status, status, "{method}: {}", answer.body);
    }
}

#[tokio::test]
async fn every_answer_has_an_audit_id() {
    let world = World::new();
    let asked = ask("GET", "/apis").header("audit-id", "abc").body(Body::empty()).unwrap();
    assert_eq!(world.send(asked).await.header("audit-id"), "abc");
    let mut fresh = HashSet::new();
    for path in ["/apis", "/foo", "/healthz"] {
        let answer = world.get(path).await;
        let id = answer.header("audit-id").to_owned();
        assert_eq!((id.len(), &id[14..15]), (36, "4"), "{id}");
        assert!("89ab".contains(&id[19..20]), "{id}");
        assert!(fresh.insert(id));
    }
}

#[tokio::test]
async fn readiness_tells_what_is_missing_to_the_operator_alone() {
    let world = World::new();
    let (_, registry) = Metrics::new();
    let admin = admin::router(&world.health, Arc::new(registry));
    let check = world.health.expect("front-proxy", "the ConfigMap has not been read");
    let at_admin = async |path: &str| {
        let answer =
            admin.clone().oneshot(Request::builder().uri(path).body(Body::empty()).unwrap()).await.unwrap();
        let status = answer.status();
        let body = axum::body::to_bytes(answer.into_body(), usize::MAX).await.unwrap();
        (status.as_u16(), String::from_utf8(body.to_vec()).unwrap())
    };
    let answer = world.get("/readyz").await;
    assert_eq!(answer.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(answer.body, "[+]ping ok\n[-]front-proxy failed: reason withheld\nreadyz check failed\n");
    let told = "[+]ping ok\n[-]front-proxy failed: the ConfigMap has not been read\nreadyz check failed\n";
    assert_eq!(at_admin("/readyz").await, (500, told.to_owned()));
    let excluded = "[+]ping ok\n[+]front-proxy excluded: ok\nwarn: some health checks cannot be excluded: no matches \
                    for \"x\"\nreadyz check passed\n";
    assert_eq!(world.get("/readyz?verbose&exclude=front-proxy&exclude=x").await.body, excluded);
    let one = world.get("/readyz/front-proxy").await;
    assert_eq!(one.status, StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(world.get("/readyz/ping").await.body, "ok");
    assert_eq!(world.get("/readyz/other").await.status, StatusCode::NOT_FOUND);
    for path in ["/livez", "/healthz"] {
        assert_eq!(world.get(path).await.body, "ok");
        assert_eq!(at_admin(path).await, (200, "ok".to_owned()));
    }
    check.ready();
    assert_eq!(world.get("/readyz").await.body, "ok");
    assert_eq!(at_admin("/readyz").await, (200, "ok".to_owned()));
    assert!(
        at_admin("/metrics")
            .await
            .1
            .contains("# TYPE cert_manager_webhook_cloudflare_records_left_total counter")
    );
    assert_eq!(at_admin("/apis").await.0, 404);
}

#[tokio::test(start_paused = true)]
async fn a_body_in_pieces_is_read_whole() {
    let world = World::new();
    let pieces: Vec<_> =
        payload("ok").into_bytes().chunks(7).map(|piece| Ok::<_, std::io::Error>(piece.to_vec())).collect();
    let answer = world.post(Body::from_stream(futures::stream::iter(pieces))).await;
    assert_eq!(answer.status, StatusCode::CREATED);
    tokio::time::sleep(Duration::from_mins(1)).await;
    assert_eq!(world.solver.asked.lock().unwrap().len(), 1);
}
