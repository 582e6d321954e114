//! The door: who is it, are there too many, may they. Whatever can't be decided is refused.
//!
//! Order as in `pkg/server/config.go` of `k8s.io/apiserver`: authentication, impersonation, requests in flight,
//! authorization.

use std::sync::Arc;

use axum::body::Body;
use axum::extract::{Request, State};
use axum::middleware::Next;
use http::header::{CONNECTION, WARNING};
use http::{HeaderMap, HeaderValue, Response, Uri, Version};
use rustls::pki_types::UnixTime;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{debug, error, info};

use super::{Answer, Api, route, status};
use crate::access::{
    Attributes, Authorizer, Decision, Identity, PeerCertificates, Standing, TokenReviewer, token,
};

/// The decoded path of a request that was let in.
#[derive(Debug, Clone)]
pub(super) struct Path(pub(super) String);

/// Lets a request in, or answers it.
pub(super) async fn admit<A, T, S>(
    State(api): State<Arc<Api<A, T, S>>>,
    mut request: Request,
    next: Next,
) -> Response<Body>
where
    A: Authorizer,
    T: TokenReviewer,
    S: Answer,
{
    let Some(path) = route::decode_path(request.uri().path()) else {
        return status::bad_request("the path of the request is not valid");
    };
    let nobody = PeerCertificates::default();
    let peer = request.extensions().get().unwrap_or(&nobody);
    let identity = api.access.authenticate(peer, request.headers(), UnixTime::now()).await;
    if let Some(standing) = request.extensions().get::<Standing>() {
        standing.set(identity.as_ref().is_ok_and(|identity| !identity.is_anonymous()));
    }
    let misplaced = token::is_misplaced(request.headers());
    let identity = match identity {
        Ok(identity) => identity,
        Err(error) => {
            // The error holds names out of a certificate at most, no header and no token.
            info!(error = ?error.to_string(), "a request could not be authenticated");
            return warned(misplaced, leave(request.version(), status::unauthorized()));
        }
    };
    let version = request.version();
    let anonymous = identity.is_anonymous();
    let response = if impersonates(request.headers()) {
        status::impersonation()
    } else {
        let attributes = Attributes::of(request.method().as_str(), &path, request.uri().query());
        match api.in_flight.enter(&identity, &attributes) {
            Err(Full) => status::too_many_requests(),
            // The place is kept until the request is answered.
            Ok(_place) => {
                if let Some(refusal) = refusal(&api, &identity, &attributes, request.uri()).await {
                    refusal
                } else {
                    request.extensions_mut().insert(Path(path));
                    next.run(request).await
                }
            }
        }
    };
    warned(misplaced, if anonymous { leave(version, response) } else { response })
}

/// Why a request may not be done; `None` if it may.
async fn refusal<A: Authorizer, T: TokenReviewer, S: Answer>(
    api: &Api<A, T, S>,
    identity: &Identity,
    attributes: &Attributes,
    uri: &Uri,
) -> Option<Response<Body>> {
    match api.access.authorize(identity, attributes).await {
        Ok(Decision::Allowed) => None,
        Ok(Decision::Forbidden { reason }) => {
            debug!(user = ?identity.name, ?attributes, ?reason, "a request is forbidden");
            Some(status::forbidden(identity, attributes, &reason))
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            error!(%error, ?source, "a request could not be authorized, and is refused");
            let target = uri.path_and_query().map_or("", |target| target.as_str());
            Some(status::undecided(target, &error))
        }
    }
}

/// Those whom nobody knows don't keep an HTTP/2 connection: `UnauthenticatedHTTP2DOSMitigation` of
/// `pkg/endpoints/filters/authentication.go`. The server turns the header into a GOAWAY.
fn leave(version: Version, mut response: Response<Body>) -> Response<Body> {
    if version == Version::HTTP_2 {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// Who meant to bring a token is told why it was none.
fn warned(misplaced: bool, mut response: Response<Body>) -> Response<Body> {
    if misplaced {
        response.headers_mut().append(WARNING, HeaderValue::from_static(MISPLACED));
    }
    response
}

fn impersonates(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("impersonate-"))
}

/// `invalidTokenWithSpaceWarning` of `pkg/authentication/request/bearertoken/bearertoken.go`.
const MISPLACED: &str = "299 - \"the provided Authorization header contains extra space before the bearer token, \
     and is ignored\"";

/// The places for requests being answered (`pkg/server/filters/maxinflight.go`).
#[derive(Debug)]
pub(super) struct InFlight {
    reading: Semaphore,
    writing: Semaphore,
}

/// No place is left.
#[derive(Debug)]
struct Full;

impl InFlight {
    /// `pkg/server/config.go`.
    pub(super) fn new() -> Self {
        Self { reading: Semaphore::new(400), writing: Semaphore::new(200) }
    }

    /// Takes a place; those who may do anything need none.
    fn enter(
        &self,
        identity: &Identity,
        attributes: &Attributes,
    ) -> Result<Option<SemaphorePermit<'_>>, Full> {
        if identity.is_master() {
            return Ok(None);
        }
        let places = match attributes.verb() {
            "get" | "list" | "watch" => &self.reading,
            _ => &self.writing,
        };
        places.try_acquire().map(Some).map_err(|_| Full)
    }
}
