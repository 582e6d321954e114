//! One call to the API server: its answer as text that is wiped, or an error that holds nothing of a request.

use std::time::Duration;

use http::Request;
use kube::Client;
use serde::de::DeserializeOwned;
use tokio::time::timeout;
use zeroize::Zeroizing;

/// Why there is no answer. Only what the API server says about the failure is kept, cut short; a body that could
/// not be read is never shown, for it may be a Secret.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub(super) enum CallError {
    /// The answer is not what it should be.
    #[error("the answer can't be read, at line {line}, column {column}")]
    Malformed { line: usize, column: usize },
    /// A `metav1.Status`, or an error page.
    #[error("HTTP status {code} ({reason}): {message}")]
    Status { code: u16, reason: String, message: String, retry_after: Option<Duration> },
    /// Nothing came in time.
    #[error("no answer within {0:?}")]
    TimedOut(Duration),
    /// No connection, or it broke.
    #[error("no answer: {0}")]
    Transport(String),
}

impl CallError {
    /// The API server says that the object is not there; a 404 of something else in the way does not count.
    pub(super) fn is_not_found(&self) -> bool {
        matches!(self, Self::Status { reason, .. } if reason == "NotFound")
    }

    /// The API server says that we may not.
    pub(super) fn is_forbidden(&self) -> bool {
        matches!(self, Self::Status { reason, .. } if reason == "Forbidden")
    }
}

/// Sends a request and reads the answer, within `limit`.
///
/// Not [`Client::request`]: that logs the whole text of an answer which it can't decode.
pub(super) async fn call<T: DeserializeOwned>(
    client: &Client,
    request: Request<Vec<u8>>,
    limit: Duration,
) -> Result<T, CallError> {
    let text = match timeout(limit, client.request_text(request)).await {
        Ok(text) => Zeroizing::new(text.map_err(|error| explain(&error))?),
        Err(_) => return Err(CallError::TimedOut(limit)),
    };
    serde_json::from_str(&text)
        .map_err(|error| CallError::Malformed { line: error.line(), column: error.column() })
}

fn explain(error: &kube::Error) -> CallError {
    match error {
        kube::Error::Api(status) => CallError::Status {
            code: status.code,
            reason: cut(&status.reason),
            message: cut(&status.message),
            retry_after: status
                .details
                .as_ref()
                .map(|details| u64::from(details.retry_after_seconds))
                .filter(|seconds| *seconds > 0)
                .map(Duration::from_secs),
        },
        other => CallError::Transport(cut(&chain(other))),
    }
}

/// The error and its causes: "client error (Connect)" alone helps nobody.
pub(super) fn chain(error: &(dyn std::error::Error + 'static)) -> String {
    let mut text = error.to_string();
    let mut cause = error.source();
    while let Some(error) = cause {
        let next = error.to_string();
        if !text.contains(&next) {
            text.push_str(": ");
            text.push_str(&next);
        }
        cause = error.source();
    }
    text
}

fn cut(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

const MAX_TEXT: usize = 300;
