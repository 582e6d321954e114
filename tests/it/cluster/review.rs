//! Reviews: what is sent, what is remembered, and that nothing is allowed without an answer.

use std::collections::BTreeMap;
use std::time::Duration;

use cert_manager_webhook_cloudflare::access::{
    Attributes, Authorizer, Decision, Identity, ResourceAttributes, TokenReviewer,
};
use cert_manager_webhook_cloudflare::cluster::review::{SharedFor, SubjectAccess, TokenReviews};
use cloudflare_emulator::kubernetes::{Failure, KubernetesStandIn, Resource, Verdict};
use serde_json::json;

use super::{soon, stand_in};

const ACCESS: Resource = Resource::SubjectAccessReviews;
const TOKENS: Resource = Resource::TokenReviews;

#[tokio::test]
async fn a_review_of_a_create_is_what_the_original_sends() {
    let (api, access) = access().await;
    api.authorize(|_| Verdict::Allowed);
    assert_eq!(access.authorize(&cert_manager(), &create()).await.unwrap(), Decision::Allowed);
    let seen = &api.requests(ACCESS)[0];
    assert_eq!(seen.method, "POST");
    assert_eq!(seen.path, "/apis/authorization.k8s.io/v1/subjectaccessreviews");
    assert_eq!(
        seen.body,
        json!({"apiVersion": "authorization.k8s.io/v1", "kind": "SubjectAccessReview", "spec": {
            "resourceAttributes": {"verb": "create", "group": "g", "version": "v1alpha1", "resource": "s"},
            "user": "system:serviceaccount:cert-manager:cert-manager", "uid": "u1",
            "groups": ["system:serviceaccounts", "system:authenticated"],
            "extra": {"authentication.kubernetes.io/credential-id": ["JTI=1"]},
        }})
    );
}

#[tokio::test]
async fn a_review_of_a_path_leaves_out_what_is_empty() {
    let (api, access) = access().await;
    let path = Attributes::NonResource { verb: "get".into(), path: "/metrics".into() };
    let nobody = Identity { name: "jane".into(), ..Identity::default() };
    access.authorize(&nobody, &path).await.unwrap();
    assert_eq!(
        api.requests(ACCESS)[0].body["spec"],
        json!({"nonResourceAttributes": {"path": "/metrics", "verb": "get"}, "user": "jane"})
    );
}

#[tokio::test]
async fn decisions_of_both_kinds_are_remembered_for_who_and_what_they_were_about() {
    let (api, access) = access().await;
    api.authorize(|spec| match spec["user"].as_str() {
        Some("jane") => Verdict::Allowed,
        _ => Verdict::Denied("not you".into()),
    });
    let user = |name: &str| Identity { name: name.into(), ..Identity::default() };
    for _ in 0..3 {
        let jane = access.authorize(&user("jane"), &create()).await.unwrap();
        assert_eq!(jane, Decision::Allowed);
        let joe = access.authorize(&user("joe"), &create()).await.unwrap();
        assert_eq!(joe, Decision::Forbidden { reason: "not you".into() });
    }
    assert_eq!(api.requests(ACCESS).len(), 2);
    let grouped = Identity { groups: vec!["g".into()], ..user("jane") };
    access.authorize(&grouped, &create()).await.unwrap();
    assert_eq!(api.requests(ACCESS).len(), 3, "another group is another question");
}

#[tokio::test]
async fn no_opinion_is_no_permission() {
    let (_api, access) = access().await;
    let decision = access.authorize(&cert_manager(), &create()).await.unwrap();
    assert_eq!(decision, Decision::Forbidden { reason: String::new() });
}

#[tokio::test]
async fn a_denial_wins_over_an_allowance() {
    let (api, access) = access().await;
    let both = json!({"status": {"allowed": true, "denied": true}}).to_string();
    api.fail(ACCESS, Failure::Text(201, both));
    let decision = access.authorize(&cert_manager(), &create()).await.unwrap();
    assert!(matches!(decision, Decision::Forbidden { .. }));
}

#[tokio::test]
async fn without_an_answer_nothing_is_allowed_and_nothing_is_remembered() {
    let (api, access) = access().await;
    api.authorize(|_| Verdict::Allowed);
    let failures = [
        Failure::Forbidden,
        Failure::Status(503),
        Failure::Text(201, "{}".into()),
        Failure::Text(201, "{\"status\": {}}".into()),
        Failure::Text(200, "<html>".into()),
        Failure::Unknown,
    ];
    for (count, failure) in failures.into_iter().enumerate() {
        api.fail_next(ACCESS, failure.clone(), 1);
        let refused = access.authorize(&cert_manager(), &create()).await;
        assert!(refused.is_err(), "{failure:?}");
        assert_eq!(api.requests(ACCESS).len(), count + 1, "{failure:?} is not tried again");
    }
    assert_eq!(access.authorize(&cert_manager(), &create()).await.unwrap(), Decision::Allowed);
}

#[tokio::test]
async fn what_may_pass_is_tried_again() {
    let (api, access) = access().await;
    api.authorize(|_| Verdict::Allowed);
    api.fail_next(ACCESS, Failure::Status(500), 1);
    let decision = soon(access.authorize(&cert_manager(), &create())).await.unwrap();
    assert_eq!(decision, Decision::Allowed);
    assert_eq!(api.requests(ACCESS).len(), 2);
}

#[tokio::test]
async fn what_a_caller_made_long_is_not_remembered() {
    let (api, access) = access().await;
    let long = Attributes::NonResource { verb: "get".into(), path: "/".repeat(10_000) };
    for _ in 0..2 {
        access.authorize(&cert_manager(), &long).await.unwrap();
    }
    assert_eq!(api.requests(ACCESS).len(), 2);
}

#[tokio::test]
async fn a_selector_is_part_of_what_is_asked() {
    let (api, access) = access().await;
    let query = "fieldSelector=metadata.name%3Dx,a!%3Db&labelSelector=c+in+(d,e),!f";
    let list = Attributes::of("GET", "/apis/g/v1alpha1/s", Some(query));
    access.authorize(&cert_manager(), &list).await.unwrap();
    assert_eq!(
        api.requests(ACCESS)[0].body["spec"]["resourceAttributes"],
        json!({
            "verb": "list", "group": "g", "version": "v1alpha1", "resource": "s", "name": "x",
            "fieldSelector": {"requirements": [
                {"key": "a", "operator": "NotIn", "values": ["b"]},
                {"key": "metadata.name", "operator": "In", "values": ["x"]},
            ]},
            "labelSelector": {"requirements": [
                {"key": "c", "operator": "In", "values": ["d", "e"]},
                {"key": "f", "operator": "DoesNotExist"},
            ]},
        })
    );
}

/// The clock stands still while anything happens, and jumps when everybody waits: the connection is there by then.
#[tokio::test]
async fn answers_are_shared_for_as_long_as_they_may_be() {
    let (api, access) = access().await;
    api.authorize(
        |spec| if spec["user"] == "jane" { Verdict::Allowed } else { Verdict::NoOpinion(String::new()) },
    );
    let [jane, joe] = ["jane", "joe"].map(|name| Identity { name: name.into(), ..Identity::default() });
    let ask = async |times: usize| {
        for user in [&jane, &joe] {
            soon(access.authorize(user, &create())).await.unwrap();
        }
        assert_eq!(api.requests(ACCESS).len(), times);
    };
    ask(2).await;
    tokio::time::pause();
    tokio::time::advance(Duration::from_secs(9)).await;
    ask(2).await;
    tokio::time::advance(Duration::from_secs(1)).await;
    ask(3).await;
    tokio::time::advance(Duration::from_secs(5)).await;
    ask(4).await;
}

#[tokio::test]
async fn who_does_not_answer_in_time_allows_nothing() {
    let (api, access) = access().await;
    api.authorize(|_| Verdict::Allowed);
    access.authorize(&cert_manager(), &create()).await.unwrap();
    api.fail(ACCESS, Failure::Hang);
    tokio::time::pause();
    let begun = tokio::time::Instant::now();
    let path = Attributes::NonResource { verb: "get".into(), path: "/metrics".into() };
    assert!(access.authorize(&cert_manager(), &path).await.is_err());
    assert_eq!(begun.elapsed().as_secs(), 10);
    api.heal(ACCESS);
    tokio::time::resume();
    assert_eq!(soon(access.authorize(&cert_manager(), &path)).await.unwrap(), Decision::Allowed);
}

#[tokio::test]
async fn an_api_server_that_is_away_allows_nothing_and_recognizes_nobody() {
    let (api, clients) = stand_in().await;
    drop(api);
    let access = SubjectAccess::new(clients.authorization, SHARED_FOR);
    let tokens = TokenReviews::new(clients.authentication, SHARED_FOR);
    tokio::time::pause();
    let (who, what) = (cert_manager(), create());
    let (allowed, known) = tokio::join!(access.authorize(&who, &what), tokens.review("jane"));
    assert!(allowed.is_err() && known.is_err(), "{allowed:?}, {known:?}");
}

#[tokio::test]
async fn a_token_is_reviewed_without_audiences_and_remembered() {
    let (api, tokens) = tokens().await;
    api.know_token(
        "secret-token",
        json!({"username": "jane", "uid": "u1", "groups": ["a", "b"], "extra": {"k": ["v"]}}),
    );
    let jane = Identity {
        name: "jane".into(),
        uid: "u1".into(),
        groups: vec!["a".into(), "b".into()],
        extra: BTreeMap::from([("k".into(), vec!["v".into()])]),
    };
    for _ in 0..3 {
        assert_eq!(tokens.review("secret-token").await.unwrap(), Some(jane.clone()));
    }
    let seen = api.requests(TOKENS);
    assert_eq!(seen.len(), 1);
    assert_eq!(seen[0].path, "/apis/authentication.k8s.io/v1/tokenreviews");
    assert_eq!(
        seen[0].body,
        json!({"apiVersion": "authentication.k8s.io/v1", "kind": "TokenReview", "spec": {"token": "secret-token"}})
    );
    assert!(!format!("{tokens:?}").contains("secret-token"));
}

#[tokio::test]
async fn a_token_of_nobody_is_remembered_and_another_token_is_another_one() {
    let (api, tokens) = tokens().await;
    api.know_token("jane", json!({"username": "jane"}));
    for _ in 0..3 {
        assert_eq!(tokens.review("nobody").await.unwrap(), None);
    }
    assert!(tokens.review("jane").await.unwrap().is_some());
    assert_eq!(api.requests(TOKENS).len(), 2);
}

#[tokio::test]
async fn tokens_that_come_at_once_are_reviewed_once() {
    let (api, tokens) = tokens().await;
    api.know_token("jane", json!({"username": "jane"}));
    for one in futures::future::join_all((0..20).map(|_| tokens.review("jane"))).await {
        assert!(one.unwrap().is_some());
    }
    assert_eq!(api.requests(TOKENS).len(), 1);
}

#[tokio::test]
async fn a_review_that_fails_tells_nothing_of_the_token_and_is_asked_again() {
    let (api, tokens) = tokens().await;
    api.know_token("secret-token", json!({"username": "jane"}));
    let echo = json!({"spec": {"token": "secret-token"}, "status": 1}).to_string();
    let error = json!({"status": {"authenticated": false, "error": "no key matches"}}).to_string();
    for failure in [Failure::Text(201, echo), Failure::Text(201, error), Failure::Status(503)] {
        api.fail_next(TOKENS, failure, 1);
        let error = tokens.review("secret-token").await.unwrap_err();
        assert!(!format!("{error:?}").contains("secret-token"), "{error:?}");
    }
    assert!(tokens.review("secret-token").await.unwrap().is_some());
}

async fn access() -> (KubernetesStandIn, SubjectAccess) {
    let (api, clients) = stand_in().await;
    (api, SubjectAccess::new(clients.authorization, SHARED_FOR))
}

async fn tokens() -> (KubernetesStandIn, TokenReviews) {
    let (api, clients) = stand_in().await;
    (api, TokenReviews::new(clients.authentication, SHARED_FOR))
}

/// As by default, but that it can be told which is which.
const SHARED_FOR: SharedFor = SharedFor {
    tokens: Duration::from_secs(10),
    allowed: Duration::from_secs(10),
    forbidden: Duration::from_secs(15),
};

fn cert_manager() -> Identity {
    Identity {
        name: "system:serviceaccount:cert-manager:cert-manager".into(),
        uid: "u1".into(),
        groups: vec!["system:serviceaccounts".into(), "system:authenticated".into()],
        extra: BTreeMap::from([("authentication.kubernetes.io/credential-id".into(), vec!["JTI=1".into()])]),
    }
}

fn create() -> Attributes {
    Attributes::Resource(ResourceAttributes {
        verb: "create".into(),
        group: "g".into(),
        version: "v1alpha1".into(),
        resource: "s".into(),
        ..ResourceAttributes::default()
    })
}
