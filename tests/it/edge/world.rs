//! The API with fakes at its three seams, and what they have seen.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use cert_manager_webhook_cloudflare::access::{
    Access, AccessError, Asked, Attributes, Authorizer, Decision, FrontProxyConfig, Identity,
    PeerCertificates, TokenReviewer, Unauthenticated,
};
use cert_manager_webhook_cloudflare::api::{self, Answer};
use cert_manager_webhook_cloudflare::challenge::ChallengeRequest;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::health::Health;
use cert_manager_webhook_cloudflare::metrics::Metrics;
use cert_manager_webhook_cloudflare::solver::error::{Cause, Error};
use http::{HeaderMap, Request, Response, StatusCode};
use rustls::pki_types::UnixTime;
use serde_json::Value;
use tokio::sync::{Notify, watch};
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

use super::certs::Authority;

/// The API of group `g.example.com` with solver `cf`.
pub(crate) struct World {
    pub(crate) router: Router,
    pub(crate) config: watch::Sender<Option<Arc<FrontProxyConfig>>>,
    pub(crate) health: Health,
    pub(crate) tracker: TaskTracker,
    pub(crate) cluster: Cluster,
    pub(crate) solver: Arc<Solver>,
}

impl World {
    pub(crate) fn new() -> Self {
        let (config, front_proxy) = watch::channel(None);
        let health = Health::default();
        let tracker = TaskTracker::new();
        let cluster = Cluster::default();
        let solver = Arc::new(Solver::default());
        let (metrics, registry) = Metrics::new();
        let router = api::router(api::Parts {
            group: "g.example.com".to_owned(),
            solver_name: "cf".to_owned(),
            request_deadline: Duration::from_secs(45),
            access: Access::new(front_proxy, cluster.clone(), cluster.clone()),
            solver: Arc::clone(&solver),
            tracker: tracker.clone(),
            health: health.clone(),
            registry: Arc::new(registry),
            metrics,
        });
        Self { router, config, health, tracker, cluster, solver }
    }

    pub(crate) fn trust(&self, proxies: &Authority, clients: &Authority) {
        self.config.send_replace(Some(Arc::new(front_proxy(proxies, clients))));
    }

    pub(crate) async fn send(&self, request: Request<Body>) -> Answered {
        Answered::read(self.router.clone().oneshot(request).await.unwrap()).await
    }

    pub(crate) async fn get(&self, path: &str) -> Answered {
        self.send(ask("GET", path).body(Body::empty()).unwrap()).await
    }

    pub(crate) async fn post(&self, body: impl Into<Body>) -> Answered {
        self.send(ask("POST", CHALLENGES).body(body.into()).unwrap()).await
    }
}

pub(crate) const CHALLENGES: &str = "/apis/g.example.com/v1alpha1/cf";

/// A request with a good token.
pub(crate) fn ask(method: &str, path: &str) -> http::request::Builder {
    Request::builder().method(method).uri(path).header("authorization", "Bearer bob")
}

pub(crate) fn payload(key: &str) -> String {
    serde_json::json!({ "request": {
        "uid": "", "action": "Present", "type": "dns-01", "dnsName": "example.com", "key": key,
        "resourceNamespace": "default", "resolvedFQDN": "_acme-challenge.example.com.",
        "resolvedZone": "example.com.", "allowAmbientCredentials": false, "config": { "b": 1, "a": null },
    }})
    .to_string()
}

/// Who is recognized; by whom is for the tests of that.
pub(crate) async fn identify<A: Authorizer, T: TokenReviewer>(
    access: &Access<A, T>,
    peer: &PeerCertificates,
    headers: &HeaderMap,
    now: UnixTime,
) -> Result<Identity, Unauthenticated> {
    access.authenticate(peer, headers, now).await.map(|caller| caller.identity)
}

pub(crate) fn front_proxy(proxies: &Authority, clients: &Authority) -> FrontProxyConfig {
    let data = [
        ("client-ca-file", clients.pem()),
        ("requestheader-client-ca-file", proxies.pem()),
        ("requestheader-allowed-names", r#"["front-proxy-client"]"#.to_owned()),
        ("requestheader-username-headers", r#"["X-Remote-User","X-Other-User"]"#.to_owned()),
        ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#.to_owned()),
        ("requestheader-group-headers", r#"["X-Remote-Group","X-Other-Group"]"#.to_owned()),
        ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#.to_owned()),
    ];
    let data = BTreeMap::from(data.map(|(key, value)| (key.to_owned(), value)));
    let mut config = FrontProxyConfig::default();
    config.update("uid", &data, Asked::ALL).unwrap();
    config
}

/// A response, read to its end.
#[derive(Debug)]
pub(crate) struct Answered {
    pub(crate) status: StatusCode,
    pub(crate) headers: HeaderMap,
    pub(crate) body: String,
}

impl Answered {
    async fn read(response: Response<Body>) -> Self {
        let (parts, body) = response.into_parts();
        let body = to_bytes(body, usize::MAX).await.unwrap();
        Self { status: parts.status, headers: parts.headers, body: String::from_utf8(body.to_vec()).unwrap() }
    }

    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap()
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", |value| value.to_str().unwrap())
    }
}

/// The API server. Tokens are their user's name; `bad` is nobody's, `away` can't be reviewed, `root` may do all. Users
/// may do what their name does not forbid: `mallory` nothing, `eve` all but create, `unlucky` can't be decided, and
/// `undecided` waits for it.
#[derive(Clone, Default)]
pub(crate) struct Cluster(Arc<Mutex<Vec<(Identity, Attributes)>>>);

impl Cluster {
    /// What was to be authorized, since the last look.
    pub(crate) fn seen(&self) -> Vec<(Identity, Attributes)> {
        std::mem::take(&mut *self.0.lock().unwrap())
    }
}

impl Authorizer for Cluster {
    async fn authorize(&self, identity: &Identity, attributes: &Attributes) -> Result<Decision, AccessError> {
        self.0.lock().unwrap().push((identity.clone(), attributes.clone()));
        match identity.name.as_str() {
            "undecided" => std::future::pending().await,
            "unlucky" => Err(AccessError::new("SubjectAccessReview", "away")),
            "panic" => panic!("on purpose"),
            "eve" if attributes.verb() == "create" => Ok(Decision::Forbidden { reason: String::new() }),
            "mallory" => Ok(Decision::Forbidden { reason: "no <rule>".to_owned() }),
            "system:anonymous" => Ok(Decision::Forbidden { reason: String::new() }),
            _ => Ok(Decision::Allowed),
        }
    }
}

impl TokenReviewer for Cluster {
    async fn review(&self, token: &str) -> Result<Option<Identity>, AccessError> {
        match token {
            "bad" => Ok(None),
            "away" => Err(AccessError::new("TokenReview", "away")),
            "root" => Ok(Some(Identity {
                name: "root".to_owned(),
                groups: vec!["system:masters".to_owned()],
                ..Identity::default()
            })),
            name => Ok(Some(Identity { name: name.to_owned(), ..Identity::default() })),
        }
    }
}

/// Does what the challenge's key says: `ok`, `fail`, `panic`, `slow` (half a second), `gate` (waits), `hang`.
#[derive(Default)]
pub(crate) struct Solver {
    pub(crate) asked: Mutex<Vec<ChallengeRequest>>,
    pub(crate) begun: Notify,
    pub(crate) gate: Notify,
    pub(crate) finished: Mutex<usize>,
}

impl Answer for Solver {
    async fn answer(&self, request: ChallengeRequest, deadline: Deadline) -> Result<(), Error> {
        let key = request.key.clone();
        self.asked.lock().unwrap().push(request);
        self.begun.notify_one();
        match key.as_str() {
            "ok" => {}
            "fail" => return Err(Cause::RateLimited.into()),
            "panic" => panic!("on purpose"),
            "slow" => tokio::time::sleep(Duration::from_millis(500)).await,
            "gate" => self.gate.notified().await,
            "obey" => deadline.run(std::future::pending::<()>()).await?,
            "hang" => std::future::pending().await,
            other => panic!("an unexpected key: {other}"),
        }
        *self.finished.lock().unwrap() += 1;
        Ok(())
    }
}
