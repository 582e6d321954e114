//! The door: who is it, are there too many, may they. Whatever can't be decided is refused.
//!
//! Order as in `pkg/server/config.go` of `k8s.io/apiserver`: authentication, impersonation, requests in flight,
//! authorization.

use http::HeaderMap;
use http::request::Parts as Head;
use rustls::pki_types::UnixTime;
use tokio::sync::{Semaphore, SemaphorePermit};
use tracing::{debug, error, info};

use super::failure::Failure;
use super::{Api, status};
use crate::access::{Attributes, Authorizer, Caller, Decision, PeerCertificates, TokenReviewer};

/// Who it is.
pub(super) async fn identify<A: Authorizer, T: TokenReviewer, S>(
    api: &Api<A, T, S>,
    head: &Head,
) -> Result<Caller, Failure> {
    let nobody = PeerCertificates::default();
    let peer = head.extensions.get().unwrap_or(&nobody);
    api.access.authenticate(peer, &head.headers, UnixTime::now()).await.map_err(|error| {
        // The error holds names out of a certificate at most, no header and no token.
        info!(error = ?error.to_string(), "a request could not be authenticated");
        status::unauthorized()
    })
}

/// Whether they may. The place is to be kept until the request is answered.
pub(super) async fn admit<'a, A: Authorizer, T: TokenReviewer, S>(
    api: &'a Api<A, T, S>,
    caller: &Caller,
    path: &str,
    head: &Head,
) -> Result<Option<SemaphorePermit<'a>>, Failure> {
    if impersonates(&head.headers) {
        return Err(status::impersonation());
    }
    let attributes = Attributes::of(head.method.as_str(), path, head.uri.query());
    let exempt = api.access.is_exempt(caller, &attributes);
    let place = if exempt { None } else { Some(api.in_flight.enter(caller, &attributes)?) };
    let identity = &caller.identity;
    match api.access.authorize(caller, &attributes).await {
        Ok(Decision::Allowed) => Ok(place),
        Ok(Decision::Forbidden { reason }) => {
            debug!(user = ?identity.name, ?attributes, ?reason, "a request is forbidden");
            Err(status::forbidden(identity, &attributes, &reason))
        }
        Err(error) => {
            let source = std::error::Error::source(&error).map(ToString::to_string);
            error!(%error, ?source, "a request could not be authorized, and is refused");
            let target = head.uri.path_and_query().map_or("", |target| target.as_str());
            Err(status::undecided(target, &error))
        }
    }
}

fn impersonates(headers: &HeaderMap) -> bool {
    headers.keys().any(|name| name.as_str().starts_with("impersonate-"))
}

/// The places for requests being answered (`pkg/server/filters/maxinflight.go`).
///
/// What kube-apiserver passes on has as many of its own: whoever else reaches the port can take all of the others, for
/// as long as a review lasts, and must not keep a challenge out. Who is exempt from authorization needs none, so that no
/// flood makes a probe fail.
#[derive(Debug, Default)]
pub(super) struct InFlight {
    passed_on: Places,
    others: Places,
}

#[derive(Debug)]
struct Places {
    reading: Semaphore,
    writing: Semaphore,
}

/// `pkg/server/config.go`.
impl Default for Places {
    fn default() -> Self {
        Self { reading: Semaphore::new(400), writing: Semaphore::new(200) }
    }
}

impl InFlight {
    fn enter(&self, caller: &Caller, attributes: &Attributes) -> Result<SemaphorePermit<'_>, Failure> {
        let places = if caller.passed_on { &self.passed_on } else { &self.others };
        let places = match attributes.verb() {
            "get" | "list" | "watch" => &places.reading,
            _ => &places.writing,
        };
        places.try_acquire().map_err(|_| status::too_many_requests())
    }
}
