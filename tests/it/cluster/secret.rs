//! Credentials: every way in which a Secret or the operator's own token can't be had, and how often they are read.

use std::time::Duration;

use cert_manager_webhook_cloudflare::cluster::secret::ClusterCredentials;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::issuer::{CredentialSource, SecretKeyRef};
use cert_manager_webhook_cloudflare::secret::{Credential, SecretError};
use cert_manager_webhook_cloudflare::solver::error::{Cause, Error};
use cert_manager_webhook_cloudflare::solver::port::{Credentials, Freshness};
use cloudflare_emulator::kubernetes::{Failure, KubernetesStandIn, Resource};

use super::stand_in;

#[tokio::test]
async fn a_token_and_a_key_are_read_by_name_and_trimmed() {
    let (api, credentials) = world().await;
    api.put_secret("ns", "cf", &[("token", b" abc\n"), ("key", b"def")]);
    assert_eq!(token(load(&credentials, "token").await), "abc");
    let source = CredentialSource::Key { email: "a@b.example".into(), key: reference("key") };
    match credentials.load("ns", &source, Freshness::Shared, deadline()).await {
        Ok(Credential::Key { email, key }) => {
            assert_eq!((email.as_str(), key.expose()), ("a@b.example", "def"));
        }
        other => panic!("{other:?}"),
    }
    let requests = api.requests(Resource::Secrets);
    assert_eq!(requests.len(), 1, "both keys come from one reading");
    assert_eq!(requests[0].method, "GET");
    assert_eq!(requests[0].path, "/api/v1/namespaces/ns/secrets/cf");
}

#[tokio::test]
async fn a_secret_is_shared_until_it_is_wanted_now() {
    let (api, credentials) = world().await;
    api.put_secret("ns", "cf", &[("token", b"old")]);
    assert_eq!(token(load(&credentials, "token").await), "old");
    api.put_secret("ns", "cf", &[("token", b"new")]);
    assert_eq!(token(load(&credentials, "token").await), "old");
    let now = credentials.load("ns", &by_token("token"), Freshness::Now, deadline()).await;
    assert_eq!(token(now), "new");
    assert_eq!(token(load(&credentials, "token").await), "new");
    assert_eq!(api.requests(Resource::Secrets).len(), 2);
}

#[tokio::test]
async fn a_secret_of_another_namespace_is_another_one() {
    let (api, credentials) = world().await;
    api.put_secret("ns", "cf", &[("token", b"ours")]);
    assert_eq!(token(load(&credentials, "token").await), "ours");
    let theirs = credentials.load("other", &by_token("token"), Freshness::Shared, deadline()).await;
    assert!(matches!(cause(theirs), Cause::SecretMissing { namespace, .. } if namespace == "other"));
}

#[tokio::test]
async fn those_who_ask_at_once_share_one_call() {
    let (api, credentials) = world().await;
    api.put_secret("ns", "cf", &[("token", b"abc")]);
    let all = (0..20).map(|_| load(&credentials, "token"));
    for one in futures::future::join_all(all).await {
        assert_eq!(token(one), "abc");
    }
    assert_eq!(api.requests(Resource::Secrets).len(), 1);
}

#[tokio::test]
async fn a_secret_that_is_not_there_is_asked_for_again() {
    let (api, credentials) = world().await;
    let missing = Cause::SecretMissing { namespace: "ns".into(), name: "cf".into() };
    assert_eq!(cause(load(&credentials, "token").await), missing);
    api.put_secret("ns", "cf", &[("token", b"abc")]);
    assert_eq!(token(load(&credentials, "token").await), "abc");
}

#[tokio::test]
async fn a_forbidden_secret_says_so() {
    let (api, credentials) = world().await;
    api.fail(Resource::Secrets, Failure::Forbidden);
    let forbidden = Cause::SecretForbidden { namespace: "ns".into(), name: "cf".into() };
    assert_eq!(cause(load(&credentials, "token").await), forbidden);
}

#[tokio::test]
async fn whatever_is_no_answer_of_an_api_server_may_pass() {
    let (api, credentials) = world().await;
    api.put_secret("ns", "cf", &[("token", b"hunter2")]);
    let failures = [
        Failure::Status(500),
        Failure::Status(503),
        Failure::Status(429),
        Failure::Status(401),
        Failure::Cut,
        // A proxy's page: no API server says that there is no such Secret.
        Failure::Text(404, "<html>not found</html>".into()),
        Failure::Text(403, "<html>forbidden</html>".into()),
        Failure::Text(200, "{\"data\": {\"token\": \"hunter2\"".into()),
        Failure::Text(200, "{\"data\": \"hunter2\"}".into()),
    ];
    let mut texts = Vec::new();
    for failure in failures {
        api.fail_next(Resource::Secrets, failure.clone(), 1);
        let error = load(&credentials, "token").await.unwrap_err();
        assert!(matches!(error.cause(), Cause::SecretUnavailable { .. }), "{failure:?}: {error:?}");
        assert!(!format!("{error:?}").contains("hunter2"), "{error:?}");
        texts.push(error.to_string());
    }
    texts.dedup();
    assert_eq!(texts.len(), 1, "one text for one cause");
    assert_eq!(token(load(&credentials, "token").await), "hunter2");
}

#[tokio::test]
async fn an_api_server_that_is_silent_costs_no_more_than_the_budget() {
    let (api, credentials) = world().await;
    api.fail(Resource::Secrets, Failure::Hang);
    let short = Deadline::within(Duration::from_millis(100));
    let silent = credentials.load("ns", &by_token("token"), Freshness::Shared, short).await;
    assert!(matches!(cause(silent), Cause::SecretUnavailable { .. }));
}

#[tokio::test]
async fn an_api_server_that_is_away_may_come_back() {
    let (api, credentials) = world().await;
    drop(api);
    assert!(matches!(cause(load(&credentials, "token").await), Cause::SecretUnavailable { .. }));
}

#[tokio::test]
async fn a_missing_key_names_those_that_exist_and_nothing_else() {
    let (api, credentials) = world().await;
    let keys = |cause| match cause {
        Cause::KeyMissing { keys, .. } => keys,
        other => panic!("{other:?}"),
    };
    api.put_secret("ns", "cf", &[("b", b"hunter2"), ("a", b"hunter2")]);
    let error = load(&credentials, "token").await.unwrap_err();
    assert!(!error.to_string().contains("hunter2"));
    assert_eq!(keys(error.cause().clone()), ["a", "b"]);

    let many: Vec<String> = (10..30).map(|n| format!("k{n}")).collect();
    let many: Vec<(&str, &[u8])> = many.iter().map(|key| (key.as_str(), b"".as_slice())).collect();
    api.put_secret("ns", "many", &many);
    assert_eq!(keys(cause(load_of(&credentials, "many").await)).len(), 10);

    let pasted = "a".repeat(40);
    api.put_secret("ns", "pasted", &[(&pasted, b"")]);
    let shown = format!("{}…", "a".repeat(32));
    assert_eq!(keys(cause(load_of(&credentials, "pasted").await)), [shown]);

    let empty = serde_json::json!({"metadata": {"namespace": "ns", "name": "empty"}, "data": null});
    api.put(Resource::Secrets, empty);
    assert!(keys(cause(load_of(&credentials, "empty").await)).is_empty());
}

#[tokio::test]
async fn what_is_no_token_is_told_by_its_reason() {
    let (api, credentials) = world().await;
    let long = [b'a'; 5000];
    let cases: [(&str, &[u8], SecretError); 5] = [
        ("empty", b"\n", SecretError::Empty),
        ("inner", b"abc\ndef", SecretError::Character),
        ("binary", b"\xff\xfe", SecretError::Character),
        ("long", &long, SecretError::TooLong),
        ("bearer", b"Bearer abc", SecretError::Bearer),
    ];
    for (name, value, expected) in cases {
        api.put_secret("ns", name, &[("token", value)]);
        match cause(load_of(&credentials, name).await) {
            Cause::SecretMalformed { reason, .. } => assert_eq!(reason, expected),
            other => panic!("{name}: {other:?}"),
        }
    }
}

#[tokio::test]
async fn the_operators_token_comes_from_its_file_and_rotates() {
    let (api, _) = world().await;
    let file = tempfile::NamedTempFile::new().unwrap();
    std::fs::write(file.path(), "old\n").unwrap();
    let (_, clients) = stand_in().await;
    let credentials = ClusterCredentials::new(clients.api, Some(file.path().to_owned()));
    let load =
        async |freshness| credentials.load("ns", &CredentialSource::Ambient, freshness, deadline()).await;
    assert_eq!(token(load(Freshness::Shared).await), "old");
    std::fs::write(file.path(), "new\n").unwrap();
    assert_eq!(token(load(Freshness::Shared).await), "old");
    assert_eq!(token(load(Freshness::Now).await), "new");
    assert_eq!(token(load(Freshness::Shared).await), "new");
    for broken in ["", "a b", &"a".repeat(9000)] {
        std::fs::write(file.path(), broken).unwrap();
        assert_eq!(cause(load(Freshness::Now).await), Cause::AmbientUnavailable);
    }
    drop(file);
    assert_eq!(cause(load(Freshness::Now).await), Cause::AmbientUnavailable);
    assert!(api.requests(Resource::Secrets).is_empty());
}

#[tokio::test]
async fn without_a_file_there_is_no_token_of_the_operator() {
    let (_api, credentials) = world().await;
    let none = credentials.load("ns", &CredentialSource::Ambient, Freshness::Shared, deadline()).await;
    assert_eq!(cause(none), Cause::AmbientUnavailable);
}

async fn world() -> (KubernetesStandIn, ClusterCredentials) {
    let (api, clients) = stand_in().await;
    (api, ClusterCredentials::new(clients.api, None))
}

async fn load(credentials: &ClusterCredentials, key: &str) -> Result<Credential, Error> {
    credentials.load("ns", &by_token(key), Freshness::Shared, deadline()).await
}

async fn load_of(credentials: &ClusterCredentials, name: &str) -> Result<Credential, Error> {
    let reference = SecretKeyRef { name: name.into(), key: "token".into() };
    let source = CredentialSource::Token(reference);
    credentials.load("ns", &source, Freshness::Shared, deadline()).await
}

fn by_token(key: &str) -> CredentialSource {
    CredentialSource::Token(reference(key))
}

fn reference(key: &str) -> SecretKeyRef {
    SecretKeyRef { name: "cf".into(), key: key.into() }
}

fn token(loaded: Result<Credential, Error>) -> String {
    match loaded.unwrap() {
        Credential::Token(token) => token.expose().to_owned(),
        Credential::Key { .. } => panic!("a key"),
    }
}

fn cause(loaded: Result<Credential, Error>) -> Cause {
    loaded.unwrap_err().cause().clone()
}

fn deadline() -> Deadline {
    Deadline::within(Duration::from_secs(5))
}
