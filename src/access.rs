//! Who sends a request, and whether they may: what `k8s.io/apiserver` does with its delegating authentication and
//! authorization options. Decisions only; the reviews of the Kubernetes API server come through two traits.
//!
//! Sources: `pkg/authentication/authenticatorfactory/delegating.go`, `pkg/server/options/authorization.go`.

use std::future::Future;
use std::sync::Arc;

use http::HeaderMap;
use rustls::pki_types::UnixTime;
use tokio::sync::{Semaphore, watch};

pub mod attributes;
pub mod chain;
pub mod config;
pub mod error;
pub mod identity;
pub mod paths;
pub mod request_header;
mod standing;
pub mod token;

pub use attributes::{Attributes, Requirement, ResourceAttributes};
pub use chain::{Anchors, PeerCertificates};
pub use config::{Asked, ConfigError, FrontProxyConfig, Headers};
pub use error::{AccessError, CredentialError, Unauthenticated};
pub use identity::{Caller, Identity};
pub use paths::{AllowedPath, AlwaysAllowed};
pub use standing::Standing;

/// Asks the API server whether an identity may do something: a `SubjectAccessReview`.
pub trait Authorizer: Send + Sync + 'static {
    /// The decision; an error is no decision, and the request is refused.
    fn authorize(
        &self,
        identity: &Identity,
        attributes: &Attributes,
    ) -> impl Future<Output = Result<Decision, AccessError>> + Send;
}

/// Asks the API server whose a bearer token is: a `TokenReview`.
pub trait TokenReviewer: Send + Sync + 'static {
    /// The user as the review states it (without `system:authenticated`, which is added here); `None` if the token is
    /// nobody's.
    fn review(&self, token: &str) -> impl Future<Output = Result<Option<Identity>, AccessError>> + Send;
}

/// The answer of an [`Authorizer`].
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Decision {
    /// They may.
    Allowed,
    /// They may not: denied, or nobody allowed it.
    Forbidden {
        /// `status.reason` of the review, for the caller; often empty.
        reason: String,
    },
}

/// The front-proxy configuration as last read; `None` until it has been read once.
pub type FrontProxy = watch::Receiver<Option<Arc<FrontProxyConfig>>>;

/// Authentication and authorization of requests.
#[derive(Debug)]
pub struct Access<A, T> {
    front_proxy: FrontProxy,
    authorizer: A,
    reviewer: T,
    always: AlwaysAllowed,
    /// Anybody can ask for a path that nobody has asked for, and each is a review.
    reviews_of_others: Semaphore,
}

impl<A: Authorizer, T: TokenReviewer> Access<A, T> {
    /// Judges by the current value of `front_proxy`, request by request.
    pub fn new(front_proxy: FrontProxy, authorizer: A, reviewer: T) -> Self {
        let (always, reviews_of_others) = (AlwaysAllowed::default(), Semaphore::new(REVIEWS_AT_ONCE));
        Self { front_proxy, authorizer, reviewer, always, reviews_of_others }
    }

    /// The same with other paths that everybody may see.
    #[must_use]
    pub fn always_allowing(self, always: AlwaysAllowed) -> Self {
        Self { always, ..self }
    }

    /// Who sent a request: the first of front proxy, client certificate and bearer token that knows them. One that
    /// fails is fatal only if none succeeds; without any credential the request is anonymous.
    ///
    /// Source: `pkg/authentication/request/union/union.go`, `pkg/authentication/group/authenticated_group_adder.go`.
    pub async fn authenticate(
        &self,
        peer: &PeerCertificates,
        headers: &HeaderMap,
        now: UnixTime,
    ) -> Result<Caller, Unauthenticated> {
        let mut errors = Vec::new();
        match self.by_certificate(peer, headers, now) {
            Ok(Some(caller)) => return Ok(caller),
            Ok(None) => {}
            Err(refusals) => errors = refusals,
        }
        match self.by_token(headers).await {
            Ok(Some(identity)) => return Ok(Caller::here(identity)),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        if errors.is_empty() { Ok(Caller::here(Identity::anonymous())) } else { Err(Unauthenticated(errors)) }
    }

    /// Whether they may without anybody being asked: group `system:masters` may do anything and everybody may see the
    /// health of the server, as in `pkg/server/options/authorization.go`.
    pub fn is_exempt(&self, caller: &Caller, attributes: &Attributes) -> bool {
        caller.identity.is_master()
            || matches!(attributes, Attributes::NonResource { path, .. } if self.always.allows(path))
    }

    /// Whether they may. Who is not exempt is for the API server to decide. It is asked at once about what is passed
    /// on; others wait for each other, so that nobody floods it through us.
    pub async fn authorize(&self, caller: &Caller, attributes: &Attributes) -> Result<Decision, AccessError> {
        if self.is_exempt(caller, attributes) {
            return Ok(Decision::Allowed);
        }
        // It is never closed, so that there comes a turn.
        let _turn = if caller.passed_on { None } else { self.reviews_of_others.acquire().await.ok() };
        self.authorizer.authorize(&caller.identity, attributes).await
    }

    fn by_certificate(
        &self,
        peer: &PeerCertificates,
        headers: &HeaderMap,
        now: UnixTime,
    ) -> Result<Option<Caller>, Vec<CredentialError>> {
        // Cloned out, so that the channel's lock is not held while signatures are verified.
        let config = self.front_proxy.borrow().clone();
        let Some(config) = config else { return Ok(None) };
        let mut errors = Vec::new();
        match request_header::identity(&config, peer, headers, now) {
            Ok(Some(identity)) => return Ok(Some(Caller::passed_on(identity))),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        match identity::of_client_certificate(config.client_ca.as_ref(), peer, now) {
            Ok(Some(identity)) => return Ok(Some(Caller::here(identity))),
            Ok(None) => {}
            Err(error) => errors.push(error),
        }
        if errors.is_empty() { Ok(None) } else { Err(errors) }
    }

    async fn by_token(&self, headers: &HeaderMap) -> Result<Option<Identity>, CredentialError> {
        let Some(token) = token::of(headers) else {
            return Ok(None);
        };
        match self.reviewer.review(&token).await {
            Ok(Some(identity)) => Ok(Some(identity)),
            Ok(None) => Err(CredentialError::Token),
            Err(error) => Err(CredentialError::Review(error)),
        }
    }
}

/// Reviews of a kind that are under way at once for those who reach the port.
pub const REVIEWS_AT_ONCE: usize = 64;
