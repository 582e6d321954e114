//! Bodies that tell how far they have come: of a request, whether it was read; of an answer, whether it was taken.

use std::future::poll_fn;
use std::pin::Pin;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::task::{Context, Poll};
use std::time::Duration;

use axum::body::{Body, Bytes};
use http::HeaderMap;
use http::header::EXPECT;
use hyper::body::{Body as HttpBody, Frame, Incoming, SizeHint};

use tokio::time;

use super::activity::Answer;

/// The body of a request, for its reader.
pub(super) struct Received(Arc<Mutex<Shared>>);

/// The same, for what its reader leaves.
pub(super) struct Rest(Arc<Mutex<Shared>>);

struct Shared {
    body: Incoming,
    /// The peer sends it only once somebody begins to read it (`Expect: 100-continue`).
    held_back: bool,
}

impl Received {
    pub(super) fn new(body: Incoming, headers: &HeaderMap) -> (Self, Rest) {
        let held_back = headers.contains_key(EXPECT);
        let shared = Arc::new(Mutex::new(Shared { body, held_back }));
        (Self(Arc::clone(&shared)), Rest(shared))
    }
}

impl Rest {
    /// Reads what is left, as `net/http` does between two requests of a connection (`maxPostHandlerReadBytes`); `false`
    /// if that is too much, or does not come.
    pub(super) async fn is_drained(&self) -> bool {
        let held_back = {
            let shared = lock(&self.0);
            if shared.body.is_end_stream() {
                return true;
            }
            shared.held_back
        };
        let draining = async {
            let mut length = 0;
            while length <= MAX_REST {
                match poll_fn(|cx| Pin::new(&mut lock(&self.0).body).poll_frame(cx)).await {
                    None => return true,
                    Some(Err(_)) => return false,
                    Some(Ok(frame)) => length += frame.data_ref().map_or(0, Bytes::len),
                }
            }
            false
        };
        !held_back && time::timeout(REST_TIME, draining).await.unwrap_or(false)
    }
}

fn lock(shared: &Mutex<Shared>) -> MutexGuard<'_, Shared> {
    // A body that panicked says so itself when it is read again.
    shared.lock().unwrap_or_else(PoisonError::into_inner)
}

impl HttpBody for Received {
    type Data = Bytes;
    type Error = hyper::Error;

    fn poll_frame(
        self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, hyper::Error>>> {
        let mut shared = lock(&self.0);
        shared.held_back = false;
        Pin::new(&mut shared.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        lock(&self.0).body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        lock(&self.0).body.size_hint()
    }
}

/// The body of an answer, which is over when the connection has taken it.
pub(super) struct Sent {
    body: Body,
    _answer: Answer,
}

impl Sent {
    pub(super) fn new(body: Body, answer: Answer) -> Self {
        Self { body, _answer: answer }
    }
}

impl HttpBody for Sent {
    type Data = Bytes;
    type Error = axum::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        cx: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, axum::Error>>> {
        Pin::new(&mut self.body).poll_frame(cx)
    }

    fn is_end_stream(&self) -> bool {
        self.body.is_end_stream()
    }

    fn size_hint(&self) -> SizeHint {
        self.body.size_hint()
    }
}

const MAX_REST: usize = 256 * 1024;
const REST_TIME: Duration = Duration::from_secs(1);
