//! The seam beneath the adapter: one HTTP exchange with Cloudflare.
//!
//! Retries, zones and write queues run above it, so that tests drive them with a script and paused time.

use std::future::Future;
use std::sync::Arc;

use http::{HeaderMap, Method, StatusCode};

use crate::metrics::Endpoint;
use crate::secret::Credential;

/// A call to Cloudflare's API, without what authenticates it.
#[derive(Debug, Clone)]
pub struct Call {
    /// What is called, for metrics and the log.
    pub endpoint: Endpoint,
    /// GET, POST or DELETE.
    pub method: Method,
    /// Path and query beneath the base URL, beginning with `/`. Made of checked names and ids only.
    pub path: String,
    /// JSON.
    pub body: Option<Vec<u8>>,
}

/// What came back, whatever its status.
#[derive(Debug, Clone)]
pub struct Answer {
    /// The HTTP status.
    pub status: StatusCode,
    /// All headers; `cf-ray`, `date`, `content-type`, `retry-after` and `ratelimit` are of use here.
    pub headers: HeaderMap,
    /// The whole body, at most [`MAX_BODY`] bytes.
    pub body: Vec<u8>,
}

impl Answer {
    /// A header's text, if it is there and is text.
    pub fn header(&self, name: &str) -> Option<&str> {
        self.headers.get(name).and_then(|value| value.to_str().ok())
    }
}

/// Why there is no answer. The texts are for the log and hold neither URLs nor secrets.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum ExchangeError {
    /// No connection came about: Cloudflare has not seen the call.
    #[error("no connection: {0}")]
    Unsent(String),
    /// The call may have been carried out.
    #[error("no answer: {0}")]
    Lost(String),
    /// The call may have been carried out; the answer's body was longer than [`MAX_BODY`].
    #[error("the answer is longer than {MAX_BODY} bytes")]
    TooLong,
    /// The credential is no header value; nothing was sent.
    #[error("the credential is no header value")]
    Credential,
}

/// Carries calls to Cloudflare and brings the answers back. No retries, no judgement; the caller sets the time.
pub trait Exchange: Send + Sync + 'static {
    /// One call, one answer.
    fn send(
        &self,
        credential: &Credential,
        call: &Call,
    ) -> impl Future<Output = Result<Answer, ExchangeError>> + Send;
}

impl<X: Exchange> Exchange for Arc<X> {
    fn send(
        &self,
        credential: &Credential,
        call: &Call,
    ) -> impl Future<Output = Result<Answer, ExchangeError>> + Send {
        X::send(self, credential, call)
    }
}

/// Bytes. A page of a hundred records is about 50 KiB; cert-manager's own solver has the same bound.
pub const MAX_BODY: usize = 1 << 20;
