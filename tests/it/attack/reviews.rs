//! Reviews: answers that can't be believed, answers that are another's, and answers that are no longer true.

use std::collections::BTreeMap;
use std::io::ErrorKind;
use std::net::TcpListener;
use std::time::Duration;

use cert_manager_webhook_cloudflare::access::{
    AccessError, Attributes, Authorizer, Decision, Identity, ResourceAttributes, TokenReviewer,
};
use cert_manager_webhook_cloudflare::cluster::client::{Clients, Settings};
use cert_manager_webhook_cloudflare::cluster::review::{SharedFor, SubjectAccess, TokenReviews};
use cloudflare_emulator::kubernetes::{Failure, KubernetesStandIn, Resource, Verdict};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::time::{advance, pause, resume};

use crate::cluster::{soon, stand_in};

const ACCESS: Resource = Resource::SubjectAccessReviews;
const TOKENS: Resource = Resource::TokenReviews;

fn access(clients: &Clients) -> SubjectAccess {
    SubjectAccess::new(clients.authorization.clone(), SharedFor::default())
}

fn tokens(clients: &Clients) -> TokenReviews {
    TokenReviews::new(clients.authentication.clone(), SharedFor::default())
}

fn user(name: &str, groups: &[&str]) -> Identity {
    let groups = groups.iter().map(|group| (*group).to_owned()).collect();
    Identity { name: name.to_owned(), groups, ..Identity::default() }
}

fn path(path: &str) -> Attributes {
    Attributes::NonResource { verb: "get".to_owned(), path: path.to_owned() }
}

/// `yes`, `no`, or `error`.
fn told(decision: &Result<Decision, AccessError>) -> &'static str {
    match decision {
        Ok(Decision::Allowed) => "yes",
        Ok(Decision::Forbidden { .. }) => "no",
        Err(_) => "error",
    }
}

#[tokio::test]
async fn nothing_but_a_plain_yes_is_a_yes() {
    let (api, clients) = stand_in().await;
    let yes = r#"{"status":{"allowed":true}}"#;
    for (code, body, expected) in [
        (201, yes, "yes"),
        (200, yes, "yes"),
        (201, r#"{"status":{"allowed":true,"evaluationError":"x"}}"#, "yes"),
        (201, r#"{"status":{"allowed":true,"denied":true}}"#, "no"),
        (201, r#"{"status":{"allowed":false}}"#, "no"),
        (201, r#"{"spec":{"allowed":true},"status":{"allowed":false}}"#, "no"),
        (201, r#"{"status":{"allowed":"true"}}"#, "error"),
        (201, r#"{"status":{"allowed":1}}"#, "error"),
        (201, r#"{"status":{"allowed":null}}"#, "error"),
        (201, r#"{"status":{"allowed":[true]}}"#, "error"),
        (201, r#"{"status":{"Allowed":true}}"#, "error"),
        (201, r#"{"status":{"allowed":true,"denied":"false"}}"#, "error"),
        (201, r#"{"status":{"allowed":true,"denied":null}}"#, "error"),
        (201, r#"{"status":{"allowed":false,"allowed":true}}"#, "error"),
        (201, r#"{"status":{"allowed":false},"status":{"allowed":true}}"#, "error"),
        (201, r#"{"allowed":true}"#, "error"),
        (201, r#"{"status":true}"#, "error"),
        (201, r#"{"status":null}"#, "error"),
        (201, r#"{"status":{}}"#, "error"),
        (201, r#"{"kind":"Status","status":"Success","code":200}"#, "error"),
        (201, "true", "error"),
        (201, "null", "error"),
        (201, "", "error"),
        (204, "", "error"),
        (201, r#"[{"status":{"allowed":true}}]"#, "error"),
        (201, r#"{"status":{"allowed":true}}{"#, "error"),
        (201, r#"{"status":{"allowed":true}"#, "error"),
        (201, "<html>allowed</html>", "error"),
        (400, yes, "error"),
        (401, yes, "error"),
        (403, yes, "error"),
        (404, yes, "error"),
        (409, yes, "error"),
        (503, yes, "error"),
    ] {
        let access = access(&clients);
        let asked = api.requests(ACCESS).len();
        api.fail_next(ACCESS, Failure::Text(code, body.to_owned()), 1);
        let decision = access.authorize(&user("jane", &[]), &path("/")).await;
        assert_eq!(told(&decision), expected, "{code} {body}: {decision:?}");
        // What was no answer is not remembered: the stand-in's own is no.
        assert_eq!(
            told(&access.authorize(&user("jane", &[]), &path("/")).await),
            match expected {
                "yes" => "yes",
                _ => "no",
            }
        );
        let again = usize::from(expected == "error");
        assert_eq!(api.requests(ACCESS).len() - asked, 1 + again, "{code} {body}");
    }
}

#[tokio::test]
async fn nobody_is_made_of_an_answer_that_names_nobody() {
    let (api, clients) = stand_in().await;
    let jane = r#"{"status":{"authenticated":true,"user":{"username":"jane"}}}"#;
    for (code, body, expected) in [
        (201, jane, Some(Some("jane"))),
        (200, jane, Some(Some("jane"))),
        // As there: without audiences asked for, none are looked at, and an error beside a user is none.
        (
            201,
            r#"{"status":{"authenticated":true,"audiences":["x"],"user":{"username":"jane"}}}"#,
            Some(Some("jane")),
        ),
        (
            201,
            r#"{"status":{"authenticated":true,"error":"x","user":{"username":"jane"}}}"#,
            Some(Some("jane")),
        ),
        (201, r#"{"status":{"authenticated":true,"user":{"groups":null,"extra":null}}}"#, Some(Some(""))),
        (201, r#"{"status":{"authenticated":true}}"#, Some(Some(""))),
        (201, r#"{"status":{"authenticated":false,"user":{"username":"jane"}}}"#, Some(None)),
        (201, r#"{"status":{"user":{"username":"jane"}}}"#, Some(None)),
        (201, r#"{"status":{"Authenticated":true,"user":{"username":"jane"}}}"#, Some(None)),
        (201, r#"{"status":{"authenticated":"true","user":{"username":"jane"}}}"#, None),
        (201, r#"{"status":{"authenticated":1,"user":{"username":"jane"}}}"#, None),
        (201, r#"{"status":{"authenticated":false,"authenticated":true,"user":{"username":"jane"}}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":{"username":"joe","username":"jane"}}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":{"username":null}}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":{"username":7}}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":{"username":["jane"]}}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":"jane"}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":null}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":{"groups":"system:masters"}}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":{"groups":[null]}}}"#, None),
        (201, r#"{"status":{"authenticated":true,"user":{"extra":{"k":"v"}}}}"#, None),
        (201, r#"{"status":{"authenticated":false,"error":"expired"}}"#, None),
        (201, r#"{"status":null}"#, None),
        (201, "{}", None),
        (201, "", None),
        (201, "<html>", None),
        (401, jane, None),
        (403, jane, None),
        (404, jane, None),
        (503, jane, None),
    ] {
        let tokens = tokens(&clients);
        api.fail_next(TOKENS, Failure::Text(code, body.to_owned()), 1);
        let got = tokens.review("t").await;
        let name = got.as_ref().ok().map(|user| user.as_ref().map(|user| user.name.as_str()));
        assert_eq!(name, expected, "{code} {body}: {got:?}");
    }
}

/// Where an answer is to be had is for the operator to say, not for an answer.
#[tokio::test]
async fn a_redirection_is_not_followed() {
    let elsewhere = TcpListener::bind("127.0.0.1:0").unwrap();
    elsewhere.set_nonblocking(true).unwrap();
    let there = elsewhere.local_addr().unwrap();
    for code in [301, 302, 303, 307, 308] {
        let here = tokio::net::TcpListener::bind("127.0.0.1:0").await.unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        let address = here.local_addr().unwrap();
        let config = json!({
            "apiVersion": "v1", "kind": "Config", "current-context": "c",
            "clusters": [{"name": "c", "cluster": {"server": format!("http://{address}")}}],
            "contexts": [{"name": "c", "context": {"cluster": "c", "user": "u"}}],
            "users": [{"name": "u", "user": {}}],
        });
        std::fs::write(file.path(), config.to_string()).unwrap();
        let settings = Settings { kubeconfig: Some(file.path().to_owned()), ..Settings::default() };
        let clients = Clients::new(&settings).await.unwrap();
        let redirecting = async {
            let (mut stream, _) = here.accept().await.unwrap();
            let _ = stream.read(&mut [0; 4096]).await;
            let answer = format!(
                "HTTP/1.1 {code} x\r\nlocation: http://{there}/\r\ncontent-length: 0\r\nconnection: close\r\n\r\n"
            );
            stream.write_all(answer.as_bytes()).await.unwrap();
            std::future::pending::<()>().await;
        };
        let tokens = tokens(&clients);
        let review = soon(tokens.review("secret"));
        let got = tokio::select! {
            got = review => got,
            () = redirecting => unreachable!(),
        };
        assert!(got.is_err(), "{code}: {got:?}");
        assert_eq!(elsewhere.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "{code}");
    }
}

fn with_extra(name: &str, extra: &[(&str, &[&str])]) -> Identity {
    let values = |values: &[&str]| values.iter().map(|value| (*value).to_owned()).collect();
    let extra = extra.iter().map(|(key, of)| ((*key).to_owned(), values(of)));
    Identity { extra: extra.collect::<BTreeMap<_, Vec<_>>>(), ..user(name, &[]) }
}

fn resource(change: impl FnOnce(&mut ResourceAttributes)) -> Attributes {
    let mut attributes = ResourceAttributes {
        verb: "create".into(),
        group: "g".into(),
        version: "v1alpha1".into(),
        resource: "cf".into(),
        ..ResourceAttributes::default()
    };
    change(&mut attributes);
    Attributes::Resource(attributes)
}

/// What one may is never told to another who is spelled nearly so.
#[tokio::test]
async fn no_two_questions_share_an_answer() {
    let (api, clients) = stand_in().await;
    let jane = || user("jane", &["a", "b"]);
    let extra = || with_extra("jane", &[("k", &["a", "b"])]);
    let long = "x".repeat(9_000);
    let mut pairs: Vec<((Identity, Attributes), (Identity, Attributes))> = [
        (user("jane", &[]), user("Jane", &[])),
        (user("jane", &[]), user("jane ", &[])),
        (user("jane", &[]), user("jane\0", &[])),
        (user("jane", &[]), user("jan", &["e"])),
        (user("jane", &[]), user("", &["jane"])),
        (user("jane", &[]), Identity { uid: "1".into(), ..user("jane", &[]) }),
        (user("jane", &[]), Identity { uid: "jane".into(), ..user("", &[]) }),
        (user("jan\u{e9}", &[]), user("jane\u{301}", &[])),
        (user(r#"jane","groups":["a"#, &[]), user("jane", &["a"])),
        (jane(), user("jane", &["b", "a"])),
        (jane(), user("jane", &["a,b"])),
        (jane(), user("jane", &["ab"])),
        (jane(), user("jane", &[r#"a","b"#])),
        (jane(), user("jane", &["a", "b", "b"])),
        (user("jane", &[""]), user("jane", &[])),
        (user("jane", &["", ""]), user("jane", &[""])),
        (extra(), with_extra("jane", &[("k", &["b", "a"])])),
        (extra(), with_extra("jane", &[("k", &["a,b"])])),
        (extra(), with_extra("jane", &[("k", &["a", "b", ""])])),
        (extra(), with_extra("jane", &[("K", &["a", "b"])])),
        (extra(), with_extra("jane", &[("k", &["a"]), ("l", &["b"])])),
        (extra(), user("jane", &["a", "b"])),
        (with_extra("jane", &[("k", &[])]), user("jane", &[])),
        (user(&format!("{long}a"), &[]), user(&format!("{long}b"), &[])),
    ]
    .into_iter()
    .map(|(one, other)| ((one, path("/metrics")), (other, path("/metrics"))))
    .collect();
    let what: Vec<(Attributes, Attributes)> = vec![
        (path("/metrics"), path("/Metrics")),
        (path("/metrics"), path("/metrics/")),
        (path("/metrics"), path("metrics")),
        (path("/metrics"), Attributes::NonResource { verb: "post".into(), path: "/metrics".into() }),
        (path("/metrics"), Attributes::NonResource { verb: "get/".into(), path: "metrics".into() }),
        (path("/apis/g/v1alpha1/cf"), resource(|of| of.verb = "get".into())),
        (resource(|_| {}), resource(|of| of.verb = "get".into())),
        (resource(|_| {}), resource(|of| of.namespace = "cf".into())),
        (resource(|of| of.name = "x".into()), resource(|of| of.namespace = "x".into())),
        (resource(|of| of.name = "x".into()), resource(|of| of.subresource = "x".into())),
        (resource(|of| of.resource = "cf/x".into()), resource(|of| of.subresource = "x".into())),
        (resource(|_| {}), resource(|of| of.version = "v1".into())),
        (resource(|_| {}), resource(|of| (of.group, of.version) = ("gv1".into(), "alpha1".into()))),
        (resource(|_| {}), resource(|of| of.resource = r#"cf","name":"x"#.into())),
        (path(&"x".repeat(10_000)), path(&"x".repeat(10_001))),
        (path(&format!("{long}a")), path(&format!("{long}b"))),
    ];
    pairs.extend(what.into_iter().map(|(one, other)| ((jane(), one), (jane(), other))));
    for (one, other) in pairs {
        let access = access(&clients);
        let asked = api.requests(ACCESS).len();
        api.authorize(|_| Verdict::Allowed);
        assert_eq!(told(&access.authorize(&one.0, &one.1).await), "yes");
        api.authorize(|_| Verdict::Denied(String::new()));
        assert_eq!(told(&access.authorize(&other.0, &other.1).await), "no", "{one:?} {other:?}");
        assert_eq!(api.requests(ACCESS).len(), asked + 2);
    }
}

#[tokio::test]
async fn a_token_like_another_is_another() {
    let (api, clients) = stand_in().await;
    let tokens = tokens(&clients);
    api.know_token("token", json!({"username": "jane"}));
    assert!(tokens.review("token").await.unwrap().is_some());
    for other in ["Token", "token ", " token", "toke", "tokenn", "token\0", "tok\u{435}n", ""] {
        assert_eq!(tokens.review(other).await.unwrap(), None, "{other:?}");
    }
}

/// Who loses a right, or a token, has it for ten more seconds, and not for longer.
#[tokio::test]
async fn what_is_revoked_is_over_after_ten_seconds() {
    let (api, clients) = stand_in().await;
    let (access, tokens) = (access(&clients), tokens(&clients));
    api.authorize(|_| Verdict::Allowed);
    api.know_token("token", json!({"username": "jane"}));
    let ask = async || {
        let decision = access.authorize(&user("jane", &[]), &path("/metrics")).await;
        (told(&decision), tokens.review("token").await.is_ok_and(|user| user.is_some()))
    };
    assert_eq!(ask().await, ("yes", true));
    api.authorize(|_| Verdict::Denied(String::new()));
    api.fail(TOKENS, Failure::Text(201, r#"{"status":{}}"#.to_owned()));
    let later = async |time: Duration| {
        pause();
        advance(time).await;
        resume();
    };
    later(Duration::from_secs(4)).await;
    assert_eq!(ask().await, ("yes", true));
    // That it was asked for does not make it last.
    later(Duration::from_secs(6)).await;
    assert_eq!(ask().await, ("no", false));
    assert_eq!((api.requests(ACCESS).len(), api.requests(TOKENS).len()), (2, 2));
}

/// Questions under way are shared, too; whoever hangs up takes no answer along, and leaves none behind.
#[tokio::test]
async fn who_hangs_up_changes_nothing_for_others() {
    let (api, clients) = stand_in().await;
    let access = access(&clients);
    api.authorize(|spec| match spec["user"].as_str() {
        Some("jane") => Verdict::Allowed,
        _ => Verdict::Denied(String::new()),
    });
    let (jane, joe, everywhere) = (user("jane", &[]), user("joe", &[]), path("/"));
    for leaver in [&jane, &joe] {
        let mut leaving = Box::pin(access.authorize(leaver, &everywhere));
        let mut first = Box::pin(access.authorize(&jane, &everywhere));
        let mut second = Box::pin(access.authorize(&joe, &everywhere));
        assert!(futures::poll!(leaving.as_mut()).is_pending());
        assert!(futures::poll!(first.as_mut()).is_pending());
        assert!(futures::poll!(second.as_mut()).is_pending());
        drop(leaving);
        let (first, second) = soon(async { tokio::join!(first, second) }).await;
        assert_eq!((told(&first), told(&second)), ("yes", "no"));
        pause();
        advance(Duration::from_secs(10)).await;
        resume();
    }
    assert_eq!(api.requests(ACCESS).len(), 4);
    hangs(&api, &access).await;
}

/// A question that nobody waits for any more is not the next one's.
async fn hangs(api: &KubernetesStandIn, access: &SubjectAccess) {
    api.fail_next(ACCESS, Failure::Hang, 1);
    let (jim, everywhere) = (user("jim", &[]), path("/"));
    let asked = api.requests(ACCESS).len();
    tokio::select! {
        _ = access.authorize(&jim, &everywhere) => panic!("there is no answer"),
        () = soon(api.until(|api| api.requests(ACCESS).len() > asked)) => {}
    }
    assert_eq!(told(&soon(access.authorize(&jim, &everywhere)).await), "no");
}

/// Tokens cost the sender nothing: no more than so many are under way to the API server, and one that is known waits
/// for none of them.
#[tokio::test]
async fn a_flood_of_tokens_is_not_passed_on() {
    let (api, clients) = stand_in().await;
    api.know_token("known", json!({"username": "jane"}));
    let tokens = tokens(&clients);
    assert!(tokens.review("known").await.unwrap().is_some());
    api.fail(TOKENS, Failure::Hang);
    let texts: Vec<_> = (0..1000).map(|number| format!("t{number}")).collect();
    let flood = futures::future::join_all(texts.iter().map(|text| tokens.review(text)));
    let before = api.requests(TOKENS).len();
    tokio::select! {
        _ = flood => panic!("nobody answers"),
        () = soon(api.until(|api| api.requests(TOKENS).len() >= before + 64)) => {}
    }
    assert_eq!(api.requests(TOKENS).len(), before + 64);
    assert!(tokens.review("known").await.unwrap().is_some());
}
