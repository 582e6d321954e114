//! `TokenReview`: whose token is it?
//!
//! Sources: `plugin/pkg/authenticator/token/webhook/webhook.go`,
//! `pkg/authentication/token/cache/cached_token_authenticator.go` of `k8s.io/apiserver`.

use std::collections::BTreeMap;
use std::sync::{Arc, OnceLock};

use aws_lc_rs::hmac;
use kube::Client;
use serde::{Deserialize, Serialize};
use tokio::sync::Semaphore;
use tokio::time::timeout;
use zeroize::Zeroizing;

use super::{LIMIT, SharedFor, create};
use crate::access::{AccessError, Identity, REVIEWS_AT_ONCE, TokenReviewer};
use crate::cluster::call::CallError;
use crate::expiring::Expiring;
use crate::flight::Flights;

/// Asks kube-apiserver, and remembers its answers for a moment: "nobody's" too.
pub struct TokenReviews {
    client: Client,
    shared_for: SharedFor,
    /// A key of the cache tells nothing about the token, even to who reads this process' memory.
    secret: OnceLock<hmac::Key>,
    recent: Arc<Expiring<Key, Option<Identity>>>,
    flights: Flights<Key, Result<Option<Identity>, ReviewError>>,
    /// Anybody can send tokens, and each that is new is a call: further ones wait.
    places: Arc<Semaphore>,
}

type Key = [u8; 32];

impl TokenReviews {
    /// Asks with `client`.
    pub fn new(client: Client, shared_for: SharedFor) -> Self {
        Self {
            client,
            shared_for,
            secret: OnceLock::new(),
            recent: Arc::new(Expiring::new(CAPACITY)),
            flights: Flights::new(),
            places: Arc::new(Semaphore::new(REVIEWS_AT_ONCE)),
        }
    }
}

impl TokenReviewer for TokenReviews {
    async fn review(&self, token: &str) -> Result<Option<Identity>, AccessError> {
        let mut key = [0; 32];
        key.copy_from_slice(hmac::sign(self.secret.get_or_init(secret), token.as_bytes()).as_ref());
        if let Some(identity) = self.recent.get(&key) {
            return Ok(identity);
        }
        let (client, recent, ttl) = (self.client.clone(), self.recent.clone(), self.shared_for.tokens);
        let (token, places) = (Zeroizing::new(token.to_owned()), Arc::clone(&self.places));
        let flight = self.flights.join(key, async move {
            // It is never closed, so that there is either a place or no time left.
            let Ok(Ok(_place)) = timeout(LIMIT, places.acquire()).await else {
                return Err(CallError::TimedOut(LIMIT).into());
            };
            let identity = ask(&client, &token).await?;
            recent.insert(key, identity.clone(), ttl);
            Ok(identity)
        });
        flight.await.map_err(|error| AccessError::new("TokenReview", error))
    }
}

/// Made when it is first needed: the first random number takes a while.
fn secret() -> hmac::Key {
    let mut seed = Zeroizing::new([0; 32]);
    // Should the random source fail, the keys are plain digests of tokens of 256 bits of entropy: no less safe.
    let _ = aws_lc_rs::rand::fill(&mut *seed);
    hmac::Key::new(hmac::HMAC_SHA256, &*seed)
}

async fn ask(client: &Client, token: &str) -> Result<Option<Identity>, ReviewError> {
    let review = Review {
        api_version: "authentication.k8s.io/v1",
        kind: "TokenReview",
        // No audiences: those of the API server itself count, as for every delegating server.
        spec: Spec { token },
    };
    let answer: Answer = create(client, PATH, &review).await?;
    let status = answer.status;
    // kube-apiserver says why a token is nobody's in the same field that tells of a failure; both are errors there.
    if !status.authenticated && !status.error.is_empty() {
        return Err(ReviewError::Refused(status.error.chars().take(MAX_TEXT).collect()));
    }
    Ok(status.authenticated.then(|| Identity {
        name: status.user.username,
        uid: status.user.uid,
        groups: status.user.groups.unwrap_or_default(),
        extra: status.user.extra.unwrap_or_default(),
    }))
}

impl std::fmt::Debug for TokenReviews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("TokenReviews")
    }
}

#[derive(Debug, Clone, thiserror::Error)]
enum ReviewError {
    #[error(transparent)]
    Call(#[from] CallError),
    #[error("the review reports an error: {0}")]
    Refused(String),
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review<'a> {
    api_version: &'static str,
    kind: &'static str,
    spec: Spec<'a>,
}

#[derive(Serialize)]
struct Spec<'a> {
    token: &'a str,
}

#[derive(Deserialize)]
struct Answer {
    status: Status,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct Status {
    authenticated: bool,
    error: String,
    user: User,
}

#[derive(Default, Deserialize)]
#[serde(default)]
struct User {
    username: String,
    uid: String,
    groups: Option<Vec<String>>,
    extra: Option<BTreeMap<String, Vec<String>>>,
}

const PATH: &str = "/apis/authentication.k8s.io/v1/tokenreviews";
/// Tokens that are remembered at a time; each is a caller of this server.
const CAPACITY: usize = 1024;
const MAX_TEXT: usize = 300;
