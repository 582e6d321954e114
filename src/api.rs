//! The HTTP contract of an aggregated API server, in one walk: what is asked, who asks, may they, the answer.
//!
//! The path is matched here, not by axum's router: authorization and routing must read it in the same way, and a path
//! of ours that leads nowhere is a `metav1.Status`, another one is not.

use std::future::Future;
use std::panic::AssertUnwindSafe;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use axum::extract::{Request, State};
use futures::FutureExt;
use http::header::{CACHE_CONTROL, CONNECTION};
use http::request::Parts as Head;
use http::{HeaderValue, Method, Response, Version};
use prometheus_client::registry::Registry;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;
use tracing::error;

use crate::access::{Access, Authorizer, Caller, Standing, TokenReviewer, token};
use crate::challenge::ChallengeRequest;
use crate::deadline::Deadline;
use crate::health::Health;
use crate::metrics::Metrics;
use crate::metrics::phase::Phase;
use crate::solver::error::Error;

mod access;
mod audit;
mod challenge;
mod discovery;
mod document;
mod failure;
mod fields;
mod media;
pub(crate) mod metrics;
mod openapi;
mod options;
pub(crate) mod probe;
pub(crate) mod query;
mod quote;
pub(crate) mod route;
pub(crate) mod status;
mod warning;
mod wire;
mod yaml;

use self::access::InFlight;
use self::discovery::Discovery;
use self::failure::Failure;
use self::media::Reader;
use self::openapi::OpenApi;
use self::probe::Reasons;
use self::query::Query;
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
    /// What is counted.
    pub metrics: Arc<Metrics>,
}

/// The API. The certificates that a client showed come as an extension of the request
/// ([`crate::access::PeerCertificates`]); without it, it showed none.
pub fn router<A: Authorizer, T: TokenReviewer, S: Answer>(parts: Parts<A, T, S>) -> Router {
    let api = Arc::new(Api {
        discovery: Discovery::new(&parts.group, &parts.solver_name),
        openapi: OpenApi::new(&parts.group, &parts.solver_name),
        in_flight: InFlight::default(),
        group: parts.group,
        solver_name: parts.solver_name,
        request_deadline: parts.request_deadline,
        access: parts.access,
        solver: parts.solver,
        tracker: parts.tracker,
        health: parts.health,
        registry: parts.registry,
        metrics: parts.metrics,
    });
    Router::new().fallback(serve::<A, T, S>).with_state(api)
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
    metrics: Arc<Metrics>,
    discovery: Discovery,
    openapi: OpenApi,
    in_flight: InFlight,
}

/// Answers a request. A panic is the end of this one alone; what it was is for the panic hook to log.
async fn serve<A: Authorizer, T: TokenReviewer, S: Answer>(
    State(api): State<Arc<Api<A, T, S>>>,
    request: Request,
) -> Response<Body> {
    let audit_id = audit::id(request.headers());
    let answered = AssertUnwindSafe(answer(&api, request)).catch_unwind().await;
    let mut response = answered.unwrap_or_else(|_| {
        error!("a request has panicked");
        status::panicked()
    });
    // Of every answer: `pkg/endpoints/filters/audit_init.go` and `cachecontrol.go`.
    let headers = response.headers_mut();
    headers.insert(audit::ID, audit_id);
    headers.entry(CACHE_CONTROL).or_insert(HeaderValue::from_static("no-cache, private"));
    response
}

/// What is asked, as far as the head of the request tells.
struct Asked {
    path: String,
    query: Query,
    reader: Reader,
    /// The time for it.
    budget: Duration,
    arrived: Instant,
}

async fn answer<A: Authorizer, T: TokenReviewer, S: Answer>(
    api: &Api<A, T, S>,
    request: Request,
) -> Response<Body> {
    let arrived = Instant::now();
    let (head, body) = request.into_parts();
    let query = Query::parse(head.uri.query());
    let reader = Reader::of(&head.headers, &query);
    let asked = match read(head.uri.path(), &query, api.request_deadline) {
        Ok((path, budget)) => Asked { path, query, reader, budget, arrived },
        Err(failure) => return failure.render(&reader),
    };
    let caller = access::identify(api, &head).await;
    let known = caller.as_ref().is_ok_and(|caller| !caller.identity.is_anonymous());
    if let Some(standing) = head.extensions.get::<Standing>() {
        standing.set(known);
    }
    let answered = match caller {
        Ok(caller) => enter(api, &caller, &asked, &head, body).await,
        Err(failure) => Err(failure),
    };
    let mut response = answered.unwrap_or_else(|failure| failure.render(&asked.reader));
    if token::is_misplaced(&head.headers) {
        warning::add(response.headers_mut(), &[MISPLACED.to_owned()]);
    }
    // Those whom nobody knows don't keep an HTTP/2 connection: `UnauthenticatedHTTP2DOSMitigation` of
    // `pkg/endpoints/filters/authentication.go`. The server turns the header into a GOAWAY.
    if !known && head.version == Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// The path, and the time for the request.
fn read(raw_path: &str, query: &Query, limit: Duration) -> Result<(String, Duration), Failure> {
    let path = route::decode_path(raw_path).ok_or_else(status::malformed)?;
    let timeout = query.timeout().map_err(status::bad_request)?;
    Ok((path, if timeout.is_zero() { limit } else { limit.min(timeout) }))
}

async fn enter<A: Authorizer, T: TokenReviewer, S: Answer>(
    api: &Api<A, T, S>,
    caller: &Caller,
    asked: &Asked,
    head: &Head,
    body: Body,
) -> Result<Response<Body>, Failure> {
    let _place = access::admit(api, caller, &asked.path, head).await?;
    let Asked { path, query, reader, .. } = asked;
    let headers = &head.headers;
    match (Route::of(path, &api.group, &api.solver_name), &head.method) {
        (Route::Challenges, &Method::POST) => {
            api.metrics.phases.took(Phase::Access, asked.arrived.elapsed());
            challenge::create(api, asked, headers, body).await
        }
        (Route::Groups, &Method::GET) => Ok(api.discovery.groups(reader, headers)),
        (Route::Group, &Method::GET) => Ok(api.discovery.group(reader)),
        (Route::Resources, &Method::GET) => Ok(api.discovery.resources(reader)),
        (Route::Version, &Method::GET) => api.discovery.version(reader),
        // These don't look at the method, as there.
        (Route::Index, _) => Ok(api.discovery.index()),
        (Route::OpenApiV2, _) => api.openapi.v2(reader, headers),
        (Route::OpenApiV3Index, _) => Ok(api.openapi.v3_index(headers)),
        (Route::OpenApiV3, _) => api.openapi.v3(reader, query, headers),
        (Route::Metrics, _) => Ok(metrics::page(&api.registry, headers)),
        (Route::Probe(probe, check), _) => {
            let page = probe::page(probe, check.as_deref(), query, &api.health, Reasons::Withheld);
            Ok(page.unwrap_or_else(|| api.discovery.elsewhere()))
        }
        (Route::Nothing, _) => Err(status::not_found()),
        (Route::Unknown, _) => Ok(api.discovery.elsewhere()),
        _ => Err(status::method_not_allowed()),
    }
}

/// `invalidTokenWithSpaceWarning` of `pkg/authentication/request/bearertoken/bearertoken.go`.
const MISPLACED: &str =
    "the provided Authorization header contains extra space before the bearer token, and is ignored";
