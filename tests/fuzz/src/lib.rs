//! What the targets share: the API with nothing behind it, and what it was asked.
//!
//! A target states what must hold for any bytes at all and panics where it does not; the engine looks for the bytes.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use cert_manager_webhook_cloudflare::access::{
    Access, AccessError, Asked, Attributes, Authorizer, Decision, FrontProxyConfig, Identity, TokenReviewer,
};
use cert_manager_webhook_cloudflare::api::{self, Answer};
use cert_manager_webhook_cloudflare::challenge::ChallengeRequest;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::health::Health;
use cert_manager_webhook_cloudflare::metrics::Metrics;
use cert_manager_webhook_cloudflare::solver::error::{Cause, Error};
use http::{HeaderMap, Request, StatusCode};
use serde_json::Value;
use tokio::runtime::{Builder, Runtime};
use tokio::sync::watch;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;

/// The API group and the solver of the [`World`].
pub const GROUP: &str = "g.example.com";
/// See [`GROUP`].
pub const SOLVER: &str = "cf";

/// The API, with a cluster that decides as it is told and a solver that does nothing.
pub struct World {
    router: Router,
    runtime: Runtime,
    cluster: Cluster,
    solver: Arc<Solver>,
    _config: watch::Sender<Option<Arc<FrontProxyConfig>>>,
}

/// What came back, and what had happened before.
pub struct Outcome {
    /// Of the answer.
    pub status: StatusCode,
    /// Of the answer.
    pub headers: HeaderMap,
    /// Of the answer.
    pub body: Vec<u8>,
    /// What was to be authorized.
    pub reviewed: Vec<Attributes>,
    /// What came to the solver.
    pub solved: Vec<ChallengeRequest>,
}

impl World {
    /// A world that believes the authorities of `config`.
    ///
    /// # Panics
    ///
    /// Without a runtime there is nothing to try.
    pub fn new(config: &BTreeMap<String, String>) -> Self {
        let mut front_proxy = FrontProxyConfig::default();
        // What it lacks is off.
        let _ = front_proxy.update("uid", config, Asked::ALL);
        let (sender, front_proxy) = watch::channel(Some(Arc::new(front_proxy)));
        let (cluster, solver) = (Cluster::default(), Arc::new(Solver::default()));
        let (metrics, registry) = Metrics::new();
        let router = api::router(api::Parts {
            group: GROUP.to_owned(),
            solver_name: SOLVER.to_owned(),
            request_deadline: Duration::from_secs(45),
            access: Access::new(front_proxy, cluster.clone(), cluster.clone()),
            solver: Arc::clone(&solver),
            tracker: TaskTracker::new(),
            health: Health::default(),
            registry: Arc::new(registry),
            metrics,
        });
        let runtime = Builder::new_current_thread().enable_all().build().expect("a runtime");
        Self { router, runtime, cluster, solver, _config: sender }
    }

    /// Sends a request while everything is allowed, or nothing is.
    ///
    /// # Panics
    ///
    /// When the answer has no end.
    pub fn ask(&self, request: Request<Body>, allowed: bool) -> Outcome {
        self.cluster.0.lock().expect("no panic before").allowed = allowed;
        let (parts, body) = self.runtime.block_on(async {
            let Ok(response) = self.router.clone().oneshot(request).await;
            let (parts, body) = response.into_parts();
            (parts, to_bytes(body, usize::MAX).await.expect("a body from memory"))
        });
        Outcome {
            status: parts.status,
            headers: parts.headers,
            body: body.to_vec(),
            reviewed: std::mem::take(&mut self.cluster.0.lock().expect("no panic before").reviewed),
            solved: std::mem::take(&mut self.solver.0.lock().expect("no panic before")),
        }
    }
}

impl Outcome {
    /// The body, which must be JSON.
    ///
    /// # Panics
    ///
    /// If it is none.
    pub fn json(&self) -> Value {
        serde_json::from_slice(&self.body).expect("an answer in JSON")
    }

    /// A refusal is a `metav1.Status` that repeats its code.
    ///
    /// # Panics
    ///
    /// If this is none.
    pub fn must_be_a_status(&self) {
        let status = self.json();
        assert_eq!((&status["kind"], &status["status"]), (&"Status".into(), &"Failure".into()), "{status}");
        assert_eq!(status["code"], self.status.as_u16(), "{status}");
        assert!(status["message"].as_str().is_some_and(|message| !message.is_empty()), "{status}");
    }
}

/// The API server: tokens are their user's name, and reviews are remembered.
#[derive(Clone, Default)]
struct Cluster(Arc<Mutex<Reviews>>);

#[derive(Default)]
struct Reviews {
    allowed: bool,
    reviewed: Vec<Attributes>,
}

impl Authorizer for Cluster {
    async fn authorize(&self, _: &Identity, attributes: &Attributes) -> Result<Decision, AccessError> {
        let mut reviews = self.0.lock().expect("no panic before");
        reviews.reviewed.push(attributes.clone());
        Ok(if reviews.allowed { Decision::Allowed } else { Decision::Forbidden { reason: String::new() } })
    }
}

impl TokenReviewer for Cluster {
    async fn review(&self, token: &str) -> Result<Option<Identity>, AccessError> {
        Ok(Some(Identity { name: token.to_owned(), ..Identity::default() }))
    }
}

/// Fails every second challenge, by the length of its key, so that both answers are seen.
#[derive(Default)]
struct Solver(Mutex<Vec<ChallengeRequest>>);

impl Answer for Solver {
    async fn answer(&self, request: ChallengeRequest, _: Deadline) -> Result<(), Error> {
        let fails = request.key.len() % 2 == 1;
        self.0.lock().expect("no panic before").push(request);
        if fails { Err(Cause::RateLimited.into()) } else { Ok(()) }
    }
}
