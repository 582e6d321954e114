//! One connection: handshake, protocol, time limits, end.

use std::convert::Infallible;
use std::future::Future;
use std::sync::Arc;

use axum::Router;
use axum::body::Body;
use http::header::CONNECTION;
use http::request::Parts;
use http::{HeaderValue, Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::debug;

use super::limits::Limits;
use super::roster::{Place, Roster};
use crate::access::PeerCertificates;

mod activity;
mod body;
mod head;
mod heard;

use activity::{Overdue, Progress};
use body::{Received, Sent};
use heard::Heard;

/// What the connections of a server share.
pub(super) struct Context {
    pub(super) router: Router,
    pub(super) acceptor: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    pub(super) roster: Arc<Roster>,
    /// No further requests; those in flight go on.
    pub(super) closing: CancellationToken,
    /// Nothing goes on.
    pub(super) aborting: CancellationToken,
    /// The connections, and the streams of those that speak HTTP/2.
    pub(super) tasks: TaskTracker,
}

/// Who is at the other end, and how it speaks.
struct Peer {
    certificates: PeerCertificates,
    h2: bool,
    /// Which connection of the server it is.
    number: u32,
}

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, number: u32, place: Place, context: &Context) {
    let abort = place.abort.clone();
    let Some(acceptor) = &context.acceptor else {
        let peer = Peer { certificates: PeerCertificates::default(), h2: false, number };
        return speak(stream, peer, place, context).await;
    };
    let handshake = time::timeout(context.limits.handshake, acceptor.accept(stream));
    let stream = tokio::select! {
        result = handshake => match result {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%error, "a TLS handshake failed"),
            Err(_) => return debug!("a TLS handshake took too long"),
        },
        () = abort.cancelled() => return,
    };
    let (_, session) = stream.get_ref();
    let certificates = PeerCertificates::new(session.peer_certificates().unwrap_or_default());
    let h2 = session.alpn_protocol() == Some(b"h2");
    // Apart: what waits for a handshake need not have room for all the rest.
    Box::pin(speak(stream, Peer { certificates, h2, number }, place, context)).await;
}

/// HTTP, until the peer closes, the server or a response wants it closed, or nothing happens for too long.
async fn speak<IO>(stream: IO, peer: Peer, place: Place, context: &Context)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let Peer { certificates, h2, number } = peer;
    let limits = &context.limits;
    let progress = Progress::new(place, context.closing.child_token(), limits.age_of(number));
    let service = service_fn(|request| {
        let (router, certificates, progress) =
            (context.router.clone(), certificates.clone(), Arc::clone(&progress));
        async move { Ok::<_, Infallible>(answer(router, certificates, request, &progress).await) }
    });
    let builder = protocol(h2, Tracked(context.tasks.clone()));
    let stream = Heard::new(stream, Arc::clone(&progress), !h2);
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);

    let abort = &progress.place.abort;
    tokio::select! {
        result = connection.as_mut() => return ended(result),
        () = progress.closing.cancelled() => {}
        // An old HTTP/1.1 connection is told so with its next answer; closed between two requests, it could lose one.
        what = progress.overdue(limits, h2) => match what {
            Overdue::Rest => {}
            Overdue::Head | Overdue::Answer => return debug!(?what, "a peer took too long"),
        },
        () = abort.cancelled() => return,
    }
    // HTTP/2: GOAWAY, twice, so that no request on its way is lost (RFC 9113 §6.8). HTTP/1.1: `Connection: close`.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        result = connection.as_mut() => ended(result),
        () = progress.lingered() => {}
        () = abort.cancelled() => {}
    }
}

/// Answers a request.
async fn answer(
    router: Router,
    certificates: PeerCertificates,
    mut request: Request<Incoming>,
    progress: &Arc<Progress>,
) -> Response<Sent> {
    let in_flight = progress.request();
    request.extensions_mut().insert(certificates);
    request.extensions_mut().insert(progress.place.standing.clone());
    let response = if request.version() == Version::HTTP_2 {
        let Ok(mut response) = router.oneshot(request.map(Body::new)).await;
        // It has no place in HTTP/2; as in Go's `net/http` it is taken for the wish to close after the response.
        if response.headers_mut().remove(CONNECTION).is_some() {
            progress.closing.cancel();
        }
        response
    } else {
        let (parts, body) = request.into_parts();
        match head::refusal(&parts) {
            Some(refusal) => refusal,
            None => in_turn(router, parts, body, progress).await,
        }
    };
    let answered = in_flight.answered();
    response.map(|body| Sent::new(body, answered))
}

/// The same for HTTP/1, where one request follows the other.
async fn in_turn(router: Router, head: Parts, body: Incoming, progress: &Progress) -> Response<Body> {
    let (body, rest) = Received::new(body, &head.headers);
    let Ok(mut response) = router.oneshot(Request::from_parts(head, Body::new(body))).await;
    // What nobody has read is in the way of the next request.
    if progress.is_old() || !rest.is_drained().await {
        response.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    }
    response
}

/// `pkg/server/options/recommended.go` and `secure_serving.go`, but for what a stranger could use up: before anybody is
/// known, a connection may hold a head, a window and a number of streams. A thousand groups fit into the head, and a
/// hundred payloads into the window.
fn protocol(h2: bool, tasks: Tracked) -> Builder<Tracked> {
    let mut builder = Builder::new(tasks);
    builder
        .http1()
        // The time limits are `Progress`'s: hyper's own would also end an idle connection.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(MAX_STREAMS)
        .initial_stream_window_size(WINDOW)
        .initial_connection_window_size(WINDOW)
        // Of the list, decoded; four times as much ends the connection rather than the request.
        .max_header_list_size(MAX_HEAD_H2)
        // Streams that were reset before anybody looked at them, and those that the peer forced us to reset
        // (CVE-2023-44487, CVE-2025-8671).
        .max_pending_accept_reset_streams(MAX_RESETS)
        .max_local_error_reset_streams(MAX_RESETS);
    if h2 { builder.http2_only() } else { builder.http1_only() }
}

fn ended<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        debug!(%error, "a connection ended early");
    }
}

/// Runs the streams of an HTTP/2 connection where the drain waits for them.
#[derive(Clone)]
struct Tracked(TaskTracker);

impl<F> Executor<F> for Tracked
where
    F: Future + Send + 'static,
    F::Output: Send + 'static,
{
    fn execute(&self, task: F) {
        self.0.spawn(task);
    }
}

const MAX_HEADERS: usize = 2000;
const MAX_HEAD: usize = 128 * 1024;
const MAX_HEAD_H2: u32 = 128 * 1024;
const MAX_STREAMS: u32 = 250;
const MAX_RESETS: usize = 100;
const WINDOW: u32 = 256 * 1024;

#[cfg(test)]
mod tests;
