//! Paths, methods and queries: one thing authorized and another one done, things seen by those who may not, and texts
//! that come back.

use axum::body::Body;
use cert_manager_webhook_cloudflare::access::{Attributes, ResourceAttributes};
use http::{HeaderValue, Method, Request};

use crate::edge::world::{Answered, CHALLENGES, World, ask, payload};

const ELSEWHERE: [&str; 4] =
    ["/apis/g.example.com/v1alpha1/cg", "/apis/g.example.com/v2/cf", "/apis/h/v1alpha1/cf", "/nothing"];

/// As somebody, or as nobody.
fn by(user: &str, method: &str, path: &str) -> http::request::Builder {
    let request = Request::builder().method(method).uri(path);
    if user.is_empty() { request } else { request.header("authorization", format!("Bearer {user}")) }
}

#[tokio::test]
async fn only_three_paths_are_everybody_s() {
    let world = World::new();
    for path in [
        "/healthz",
        "/readyz",
        "/livez",
        "/%68ealthz",
        "/%6C%69vez",
        "/healthz?verbose",
        "/livez?a=/../b&%zz",
    ] {
        for user in ["", "mallory"] {
            let answer = world.send(by(user, "GET", path).body(Body::empty()).unwrap()).await;
            assert_eq!(answer.status, 200, "{path}");
        }
    }
    assert!(world.cluster.seen().is_empty());
    for path in [
        "/healthz/",
        "//healthz",
        "///healthz",
        "/healthz//",
        "/./healthz",
        "/healthz/.",
        "/healthz/..",
        "/x/../healthz",
        "/apis/..%2fhealthz",
        "/healthz/../metrics",
        "/healthz%2f",
        "/%2fhealthz",
        "/healthz%2F..%2Fmetrics",
        "/healthz%252f",
        "/healthz%00",
        "/healthz%00/metrics",
        "/healthz%20",
        "/%20healthz",
        "/healthz%09",
        "/healthz%0a",
        "/healthz;x",
        "/healthz;/metrics",
        "/healthz.",
        "/healthz.json",
        "/HEALTHZ",
        "/Healthz",
        "/healthz%3f",
        "/healthz%23",
        "/healthz/ping",
        "/livez/ping",
        "/readyz/ping",
        "/healthz%5c",
        "/healthz%5c..%5cmetrics",
        "/healthz\\..\\metrics",
        "/*",
        "/",
        "/index.html",
        "/version",
        "/metrics",
        "/apis",
        "/apis/",
        "/openapi/v2",
        "/healthz%",
        "/healthz%6",
        "/healthz%zz",
        "/healthz%u002f",
        "/%ff",
        "/healthz%c0%af",
        "/healthz%e0%80%af",
        "/healthz%ed%a0%80",
        "/health\u{17f}",
        "/healthz%e2%80%8b",
    ] {
        for user in ["", "mallory"] {
            for method in ["GET", "HEAD", "POST", "OPTIONS", "TRACE"] {
                let answer = world.send(by(user, method, path).body(Body::empty()).unwrap()).await;
                assert!([400, 403].contains(&answer.status.as_u16()), "{method} {path}: {answer:?}");
            }
        }
    }
}

fn spellings() -> Vec<String> {
    let mut spellings = vec![CHALLENGES.to_owned()];
    // Each character escaped, in both cases, and twice.
    for (at, character) in CHALLENGES.char_indices().skip(1) {
        let (before, after) = (&CHALLENGES[..at], &CHALLENGES[at + 1..]);
        let code = u32::from(character);
        spellings.push(format!("{before}%{code:02x}{after}"));
        spellings.push(format!("{before}%{code:02X}{after}"));
        spellings.push(format!("{before}%25{code:02x}{after}"));
        spellings.push(format!("{before}{character}{character}{after}"));
        spellings.push(format!("{before}{}{after}", character.to_ascii_uppercase()));
    }
    for (from, to) in
        [("/cf", "/./cf"), ("/cf", "/x/../cf"), ("/cf", "/namespaces/n/cf"), ("/cf", "/proxy/cf")]
    {
        spellings.push(CHALLENGES.replace(from, to));
    }
    spellings.push(CHALLENGES.replace("/cf", "/watch/cf"));
    spellings.push(format!("/{CHALLENGES}"));
    spellings.push(CHALLENGES.replace("/apis", "/api"));
    spellings.push(CHALLENGES.replace("/apis", "/../apis"));
    for end in [
        "/",
        "//",
        "/.",
        "/..",
        "/x",
        "/x/status",
        "/cf",
        ";a",
        ".",
        "%00",
        "%20",
        "%2f",
        "%3f",
        "?",
        "?x",
        "?watch=1",
    ] {
        spellings.push(format!("{CHALLENGES}{end}"));
    }
    spellings
}

/// Whatever is done has been authorized under its own name.
#[tokio::test]
async fn no_spelling_does_what_was_not_authorized() {
    let world = World::new();
    let create = Attributes::Resource(ResourceAttributes {
        verb: "create".into(),
        group: "g.example.com".into(),
        version: "v1alpha1".into(),
        resource: "cf".into(),
        ..ResourceAttributes::default()
    });
    let asked = || world.solver.asked.lock().unwrap().len();
    let mut done = 0;
    for path in spellings() {
        let request = |user| by(user, "POST", &path).body(Body::from(payload("ok"))).unwrap();
        for user in ["", "mallory", "eve"] {
            world.send(request(user)).await;
            assert_eq!(asked(), done, "{user} {path}");
        }
        world.cluster.seen();
        let answer = world.send(request("bob")).await;
        let seen = world.cluster.seen();
        if asked() > done {
            done += 1;
            assert_eq!((answer.status.as_u16(), &seen[0].1), (201, &create), "{path}");
        } else {
            assert_ne!(answer.status, 201, "{path}");
        }
    }
    // The plain one and every single escape of it at least.
    assert!(done > 2 * CHALLENGES.len(), "{done}");
}

#[tokio::test]
async fn no_other_method_is_a_post() {
    let world = World::new();
    for method in [
        "post", "Post", "POSt", "POSTS", "CREATE", "GET", "HEAD", "PUT", "PATCH", "DELETE", "OPTIONS",
        "TRACE", "X", "CONNECT",
    ] {
        let method = Method::from_bytes(method.as_bytes()).unwrap();
        for (name, value) in [
            ("x-http-method-override", "POST"),
            ("x-http-method", "POST"),
            ("x-method-override", "POST"),
            ("x-original-url", CHALLENGES),
            ("x-rewrite-url", CHALLENGES),
            ("content-type", "application/json"),
        ] {
            let path = format!("{CHALLENGES}?_method=POST");
            let request =
                ask(method.as_str(), &path).header(name, value).body(Body::from(payload("ok"))).unwrap();
            let answer = world.send(request).await;
            assert!(answer.status.is_client_error(), "{method} {name}: {answer:?}");
            let seen = world.cluster.seen();
            assert!(seen.iter().all(|(_, attributes)| attributes.verb() != "create"), "{method}: {seen:?}");
        }
    }
    for path in ["/", "/apis", "/version", "/metrics", "/healthz"] {
        let request =
            ask("POST", path).header("x-original-url", CHALLENGES).header("x-rewrite-url", CHALLENGES);
        world.send(request.body(Body::from(payload("ok"))).unwrap()).await;
    }
    assert!(world.solver.asked.lock().unwrap().is_empty());
}

/// Who may not, learns nothing: neither what is there, nor how it would have been answered.
#[tokio::test]
async fn what_is_there_looks_like_what_is_not() {
    let world = World::new();
    let told = async |user: &str, method: &str, path: &str, header: (&str, &str)| {
        let request = by(user, method, path).header(header.0, header.1);
        let answer = world.send(request.body(Body::from("x".repeat(100))).unwrap()).await;
        let mut fields: Vec<_> = answer.headers.keys().map(|name| name.as_str().to_owned()).collect();
        fields.sort();
        (answer.status.as_u16(), fields, answer.json()["reason"].clone())
    };
    for user in ["", "mallory"] {
        for method in ["GET", "POST", "PUT", "DELETE", "OPTIONS"] {
            let reference = told(user, method, ELSEWHERE[0], ("x", "y")).await;
            assert_eq!(reference.0, 403);
            let here = [
                CHALLENGES,
                "/apis/g.example.com/v1alpha1/cf/x",
                "/apis/g.example.com/v1alpha1",
                "/apis/g.example.com",
            ];
            let others = ["/metrics", "/version", "/readyz/ping", "/readyz/nothing", "/openapi/v3", "/"];
            for path in here.into_iter().chain(others).chain(ELSEWHERE) {
                assert_eq!(told(user, method, path, ("x", "y")).await, reference, "{user} {method} {path}");
            }
            for header in [
                ("content-type", "text/plain"),
                ("accept", "text/plain"),
                ("if-none-match", "*"),
                ("range", "bytes=0-1"),
            ] {
                assert_eq!(
                    told(user, method, CHALLENGES, header).await,
                    reference,
                    "{user} {method} {header:?}"
                );
            }
            let dry = format!("{CHALLENGES}?dryRun=All&fieldValidation=x");
            assert_eq!(told(user, method, &dry, ("x", "y")).await, reference, "{user} {method}");
        }
    }
    assert!(world.solver.asked.lock().unwrap().is_empty());
}

/// Refused rather than overlooked, whatever else the request is; and only what is really meant.
#[tokio::test]
async fn nobody_is_impersonated() {
    let world = World::new();
    for name in [
        "Impersonate-User",
        "impersonate-user",
        "IMPERSONATE-USER",
        "Impersonate-Group",
        "Impersonate-Uid",
        "Impersonate-Extra-Scopes",
        "Impersonate-Extra-",
        "Impersonate-",
        "Impersonate-Anything",
    ] {
        for (user, path) in [
            ("bob", CHALLENGES),
            ("bob", "/apis"),
            ("bob", "/healthz"),
            ("mallory", "/healthz"),
            ("", "/healthz"),
        ] {
            for value in ["eve", "", "bob"] {
                let request =
                    by(user, "POST", path).header(name, value).body(Body::from(payload("ok"))).unwrap();
                assert_eq!(world.send(request).await.status, 403, "{name}: {value} {path}");
            }
        }
    }
    assert!(world.cluster.seen().is_empty() && world.solver.asked.lock().unwrap().is_empty());
    for name in ["impersonate_user", "impersonate", "x-impersonate-user", "impersonateuser"] {
        let request = ask("GET", "/apis").header(name, "eve").body(Body::empty()).unwrap();
        world.send(request).await;
        assert_eq!(world.cluster.seen()[0].0.name, "bob", "{name}");
    }
}

/// A text that comes back is no page, no header and no command of a terminal.
#[tokio::test]
async fn what_comes_back_is_harmless() {
    let world = World::new();
    let harmless = |what: &str, answer: &Answered| {
        let kind = answer.header("content-type");
        assert!(kind.starts_with("application/json") || kind.starts_with("text/plain"), "{what}: {answer:?}");
        let control = |c: char| c.is_control() && c != '\n';
        assert!(!answer.body.contains(control), "{what}: {answer:?}");
        if kind.starts_with("text/plain") {
            assert_eq!(answer.header("x-content-type-options"), "nosniff", "{what}");
            assert!(answer.status == 200 || !answer.body.contains('<'), "{what}: {answer:?}");
        }
    };
    for text in [
        "%3Cscript%3Ealert(1)%3C/script%3E",
        "%1b%5b2J",
        "%0d%0aSet-Cookie:%20a=b",
        "%00",
        "%22%7d",
        "%e2%80%ae",
    ] {
        for user in ["", "mallory", "unlucky", "bob"] {
            for path in [
                "/",
                "/healthz/",
                "/apis/",
                "/apis/g.example.com/v1alpha1/",
                "/apis/g.example.com/v1alpha1/cf/",
            ] {
                let path = format!("{path}{text}?exclude={text}&verbose={text}&timeout=1s");
                let answer = world.send(by(user, "GET", &path).body(Body::empty()).unwrap()).await;
                harmless(&path, &answer);
            }
            for path in ["/healthz", CHALLENGES] {
                let path = format!("{path}?verbose&exclude={text}&dryRun={text}");
                let answer =
                    world.send(by(user, "POST", &path).body(Body::from(payload("ok"))).unwrap()).await;
                harmless(&path, &answer);
            }
        }
    }
    for value in [&b"<script>"[..], b"a\tb", b"\xff\xfe", b"%0d%0a", b"\xe2\x80\xae"] {
        let value = HeaderValue::from_bytes(value).unwrap();
        let request = ask("GET", "/apis").header("audit-id", &value).header("audit-id", "second");
        let answer = world.send(request.body(Body::empty()).unwrap()).await;
        let ids: Vec<_> = answer.headers.get_all("audit-id").iter().collect();
        assert_eq!(ids, [&value]);
    }
}
