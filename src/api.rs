//! The HTTP contract of an aggregated API server: layers, then one look at the path.
//!
//! Order of the layers, outermost first: every answer gets its headers, a panic is the end of its request alone, the
//! door (`access`), the route. The path is matched here, not by axum's router: authorization and routing must read
//! it in the same way, and a path of ours that leads nowhere is a `metav1.Status`, another one is not.

use std::any::Any;
use std::future::Future;
use std::sync::Arc;
use std::time::Duration;

use aws_lc_rs::rand;
use axum::Router;
use axum::body::Body;
use axum::extract::{Extension, Request, State};
use axum::middleware::{self, Next};
use http::header::CACHE_CONTROL;
use http::{HeaderMap, HeaderValue, Method, Response};
use prometheus_client::registry::Registry;
use tokio_util::task::TaskTracker;
use tower_http::catch_panic::CatchPanicLayer;
use tracing::error;

use crate::access::{Access, Authorizer, TokenReviewer};
use crate::challenge::ChallengeRequest;
use crate::deadline::Deadline;
use crate::health::Health;
use crate::solver::error::Error;

mod accept;
mod access;
mod challenge;
mod discovery;
mod document;
pub(crate) mod metrics;
mod openapi;
pub(crate) mod probe;
pub(crate) mod route;
pub(crate) mod status;
mod wire;

use self::access::{InFlight, Path};
use self::discovery::Discovery;
use self::openapi::OpenApi;
use self::probe::Reasons;
use self::route::Route;

/// The solver, as seen from here.
pub trait Answer: Send + Sync + 'static {
    /// Does what is asked, or says why not; the error's text is for the user of the issuer.
    fn answer(
        &self,
        request: ChallengeRequest,
        deadline: Deadline,
    ) -> impl Future<Output = Result<(), Error>> + Send;
}

/// What the API is made of.
#[derive(Debug)]
pub struct Parts<A, T, S> {
    /// The API group that is served.
    pub group: String,
    /// The resource in it: lower-case, as client-go lower-cases it in the URL.
    pub solver_name: String,
    /// The budget of a challenge.
    pub request_deadline: Duration,
    /// Who may.
    pub access: Access<A, T>,
    /// Who does it.
    pub solver: Arc<S>,
    /// Where the work runs: whoever stops the process waits for it.
    pub tracker: TaskTracker,
    /// What `/readyz` tells.
    pub health: Health,
    /// What `/metrics` tells.
    pub registry: Arc<Registry>,
}

/// The API. The certificates that a client showed come as an extension of the request
/// ([`crate::access::PeerCertificates`]); without it, it showed none.
pub fn router<A: Authorizer, T: TokenReviewer, S: Answer>(parts: Parts<A, T, S>) -> Router {
    let api = Arc::new(Api {
        discovery: Discovery::new(&parts.group, &parts.solver_name),
        openapi: OpenApi::new(&parts.group, &parts.solver_name),
        in_flight: InFlight::new(),
        group: parts.group,
        solver_name: parts.solver_name,
        request_deadline: parts.request_deadline,
        access: parts.access,
        solver: parts.solver,
        tracker: parts.tracker,
        health: parts.health,
        registry: parts.registry,
    });
    Router::new()
        .fallback(dispatch::<A, T, S>)
        .layer(middleware::from_fn_with_state(Arc::clone(&api), access::admit::<A, T, S>))
        .layer(CatchPanicLayer::custom(panicked))
        .layer(middleware::from_fn(stamp))
        .with_state(api)
}

struct Api<A, T, S> {
    group: String,
    solver_name: String,
    request_deadline: Duration,
    access: Access<A, T>,
    solver: Arc<S>,
    tracker: TaskTracker,
    health: Health,
    registry: Arc<Registry>,
    discovery: Discovery,
    openapi: OpenApi,
    in_flight: InFlight,
}

async fn dispatch<A: Authorizer, T: TokenReviewer, S: Answer>(
    State(api): State<Arc<Api<A, T, S>>>,
    Extension(Path(path)): Extension<Path>,
    request: Request,
) -> Response<Body> {
    let query = request.uri().query();
    let route = Route::of(&path, &api.group, &api.solver_name);
    match (route, request.method()) {
        (Route::Challenges, &Method::POST) => challenge::create(&api, request).await,
        (Route::Groups, &Method::GET) => api.discovery.groups(request.headers()),
        (Route::Group, &Method::GET) => api.discovery.group(),
        (Route::Resources, &Method::GET) => api.discovery.resources(),
        (Route::Version, &Method::GET) => api.discovery.version(),
        // These don't look at the method, as there.
        (Route::Index, _) => api.discovery.index(),
        (Route::OpenApiV2, _) => api.openapi.v2(request.headers()),
        (Route::OpenApiV3Index, _) => api.openapi.v3_index(request.headers()),
        (Route::OpenApiV3, _) => api.openapi.v3(request.headers(), query),
        (Route::Metrics, _) => metrics::page(&api.registry),
        (Route::Probe(probe, check), _) => {
            probe::page(probe, check.as_deref(), query, &api.health, Reasons::Withheld)
        }
        (Route::Nothing, _) => status::not_found(),
        (Route::Unknown, _) => status::page_not_found(),
        _ => status::method_not_allowed(),
    }
}

/// What it was is for the panic hook to log; this says whose end it was.
fn panicked(_: Box<dyn Any + Send>) -> Response<Body> {
    error!("a request has panicked");
    status::panicked()
}

/// The headers of every answer: `pkg/endpoints/filters/audit_init.go` and `cachecontrol.go`.
async fn stamp(request: Request, next: Next) -> Response<Body> {
    let audit_id = audit_id(request.headers());
    let mut response = next.run(request).await;
    let headers = response.headers_mut();
    headers.insert(status::AUDIT_ID, audit_id);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    response
}

/// The caller's, or a random UUID ([RFC 9562 §5.4](https://www.rfc-editor.org/rfc/rfc9562#section-5.4)).
fn audit_id(headers: &HeaderMap) -> HeaderValue {
    if let Some(id) = headers.get(status::AUDIT_ID).filter(|id| !id.is_empty()) {
        return id.clone();
    }
    let mut bytes = [0; 16];
    // Without randomness the id is of no use to anybody, but the request is.
    let _ = rand::fill(&mut bytes);
    let mut id = u128::from_be_bytes(bytes);
    id = (id & !(0xf << 76)) | (0x4 << 76);
    id = (id & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{id:032x}");
    let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    HeaderValue::from_str(&uuid).unwrap_or(HeaderValue::from_static(""))
}
