//! Reviews by kube-apiserver: who a bearer token is, and what somebody may do.
//!
//! The figures are those of `DelegatingAuthenticationOptions` and `DelegatingAuthorizationOptions` (`k8s.io/apiserver`,
//! `pkg/server/options`): answers are shared for 10 s whatever they say, unless flags say otherwise, errors never, and
//! without an answer nobody is recognized and nothing is allowed.

mod subject_access;
mod token;

use std::time::Duration;

use http::Request;
use http::header::CONTENT_TYPE;
use kube::Client;
use serde::Serialize;
use serde::de::DeserializeOwned;
use tokio::time::{Instant, sleep};
use zeroize::Zeroizing;

pub use subject_access::SubjectAccess;
pub use token::TokenReviews;

/// For how long answers are shared; zero shares none beyond those who ask at once.
#[derive(Debug, Clone, Copy)]
pub struct SharedFor {
    /// `--authentication-token-webhook-cache-ttl`.
    pub tokens: Duration,
    /// `--authorization-webhook-cache-authorized-ttl`.
    pub allowed: Duration,
    /// `--authorization-webhook-cache-unauthorized-ttl`.
    pub forbidden: Duration,
}

/// `CacheTTL`, `AllowCacheTTL` and `DenyCacheTTL`.
impl Default for SharedFor {
    fn default() -> Self {
        let moment = Duration::from_secs(10);
        Self { tokens: moment, allowed: moment, forbidden: moment }
    }
}

use super::call::{CallError, call};

/// Creates a review and reads its answer. What may pass soon is tried again, all within [`LIMIT`].
async fn create<T: DeserializeOwned>(
    client: &Client,
    path: &str,
    body: &impl Serialize,
) -> Result<T, CallError> {
    let unsent = |error: &dyn std::fmt::Display| CallError::Transport(error.to_string());
    // Wiped: a TokenReview holds the token. What becomes of the copy that is sent is the client's.
    let body = Zeroizing::new(serde_json::to_vec(body).map_err(|error| unsent(&error))?);
    let end = Instant::now() + LIMIT;
    let mut pause = FIRST_PAUSE;
    let mut attempt = 1;
    loop {
        let request = Request::post(path)
            .header(CONTENT_TYPE, "application/json")
            .body(body.to_vec())
            .map_err(|error| unsent(&error))?;
        let left = end.saturating_duration_since(Instant::now());
        let error = match call(client, request, left).await {
            Ok(answer) => return Ok(answer),
            Err(error) => error,
        };
        let wait = pause_after(&error).map(|asked| asked.max(pause));
        let wait = wait.filter(|wait| attempt < ATTEMPTS && Instant::now() + *wait < end);
        let Some(wait) = wait else { return Err(error) };
        sleep(wait).await;
        pause = pause * 3 / 2;
        attempt += 1;
    }
}

/// Whether it is worth another attempt, and after how long at least.
///
/// As `DefaultShouldRetry` (`pkg/util/webhook/webhook.go`): 429, 500, 504 or a hint to come back later. It also takes
/// a reset connection, of which kube's errors do not tell a refused one: those few attempts do no harm.
fn pause_after(error: &CallError) -> Option<Duration> {
    match error {
        CallError::Status { retry_after: Some(wait), .. } => Some(*wait),
        CallError::Status { code: 429 | 500 | 504, .. } | CallError::Transport(_) => Some(Duration::ZERO),
        CallError::Status { .. } | CallError::Malformed { .. } | CallError::TimedOut(_) => None,
    }
}

/// `authentication.go` `WebhookRetryBackoff` and `authorization.go` alike: 500 ms, half as much again each time, five
/// attempts; here all of them within one limit.
const FIRST_PAUSE: Duration = Duration::from_millis(500);
const ATTEMPTS: u32 = 5;
const LIMIT: Duration = Duration::from_secs(10);
