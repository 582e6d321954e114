//! One connection: handshake, protocol, time limits, end.

use std::convert::Infallible;
use std::future::{self, Future};
use std::time::Duration;

use axum::Router;
use axum::body::Body;
use http::header::CONNECTION;
use http::{Request, Response, Version};
use hyper::body::Incoming;
use hyper::rt::Executor;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use hyper_util::server::conn::auto::Builder;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio::sync::watch;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tower::ServiceExt;
use tracing::debug;

use super::Limits;
use crate::access::PeerCertificates;

mod heard;
use heard::Heard;

/// What the connections of a server share.
pub(super) struct Context {
    pub(super) router: Router,
    pub(super) acceptor: Option<TlsAcceptor>,
    pub(super) limits: Limits,
    /// No further requests; those in flight go on.
    pub(super) closing: CancellationToken,
    /// Nothing goes on.
    pub(super) aborting: CancellationToken,
    /// The connections, and the streams of those that speak HTTP/2.
    pub(super) tasks: TaskTracker,
}

/// Serves a connection to its end.
pub(super) async fn serve(stream: TcpStream, context: &Context) {
    let Some(acceptor) = &context.acceptor else {
        return speak(stream, false, PeerCertificates::default(), context).await;
    };
    let handshake = time::timeout(context.limits.handshake, acceptor.accept(stream));
    let stream = tokio::select! {
        result = handshake => match result {
            Ok(Ok(stream)) => stream,
            Ok(Err(error)) => return debug!(%error, "a TLS handshake failed"),
            Err(_) => return debug!("a TLS handshake took too long"),
        },
        () = context.aborting.cancelled() => return,
    };
    let (_, session) = stream.get_ref();
    let peer = PeerCertificates::new(session.peer_certificates().unwrap_or_default());
    let h2 = session.alpn_protocol() == Some(b"h2");
    speak(stream, h2, peer, context).await;
}

/// HTTP, until the peer closes, the server or a response wants it closed, or nothing happens for too long.
async fn speak<IO>(stream: IO, h2: bool, peer: PeerCertificates, context: &Context)
where
    IO: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let (activity, mut seen) = watch::channel(Activity { requests: 0, reading: true });
    let closing = context.closing.child_token();
    let service = service_fn(|request| {
        let working = Working::begin(&activity);
        let (router, peer, closing) = (context.router.clone(), peer.clone(), closing.clone());
        async move {
            let response = answer(router, peer, request, &closing).await;
            drop(working);
            Ok::<_, Infallible>(response)
        }
    });
    let builder = protocol(h2, Tracked(context.tasks.clone()));
    // An HTTP/2 connection has bytes to read between requests, too: pings.
    let stream = Heard::new(stream, (!h2).then(|| activity.clone()));
    let connection = builder.serve_connection(TokioIo::new(stream), service);
    tokio::pin!(connection);

    tokio::select! {
        result = connection.as_mut() => return ended(result),
        () = closing.cancelled() => {}
        reading = quiet(&mut seen, |activity| context.limits.patience(activity)) => if reading {
            return debug!("the head of a request took too long");
        },
        () = context.aborting.cancelled() => return,
    }
    // HTTP/2: GOAWAY, twice, so that no request on its way is lost (RFC 9113 §6.8). HTTP/1.1: `Connection: close`.
    connection.as_mut().graceful_shutdown();
    tokio::select! {
        result = connection.as_mut() => ended(result),
        _ = quiet(&mut seen, |activity| (activity.requests == 0).then_some(LINGER)) => {}
        () = context.aborting.cancelled() => {}
    }
}

/// Answers a request. `Connection: close` has no place in an HTTP/2 response; as in Go's `net/http` it is taken for
/// the wish to close the connection after the response.
async fn answer(
    router: Router,
    peer: PeerCertificates,
    mut request: Request<Incoming>,
    closing: &CancellationToken,
) -> Response<Body> {
    let version = request.version();
    request.extensions_mut().insert(peer);
    let Ok(mut response) = router.oneshot(request.map(Body::new)).await;
    if version == Version::HTTP_2 && response.headers_mut().remove(CONNECTION).is_some() {
        closing.cancel();
    }
    response
}

/// `pkg/server/options/recommended.go` and `secure_serving.go` for streams and windows. The head of a request is held
/// to less than Go's 1 MiB: it is read before anybody is known, and a thousand groups fit.
fn protocol(h2: bool, tasks: Tracked) -> Builder<Tracked> {
    let mut builder = Builder::new(tasks);
    builder
        .http1()
        // The time limits are `quiet`'s: hyper's own would also end an idle connection.
        .header_read_timeout(None)
        .max_headers(MAX_HEADERS)
        .max_buf_size(MAX_HEAD);
    builder
        .http2()
        .timer(TokioTimer::new())
        .max_concurrent_streams(1000)
        .initial_stream_window_size(256 * 1024)
        .initial_connection_window_size(1024 * 1024)
        .max_header_list_size(256 * 1024);
    if h2 { builder.http2_only() } else { builder.http1_only() }
}

fn ended<E: std::fmt::Display>(result: Result<(), E>) {
    if let Err(error) = result {
        debug!(%error, "a connection ended early");
    }
}

/// What a connection is doing.
#[derive(Debug, Clone, Copy)]
struct Activity {
    /// Being answered.
    requests: usize,
    /// Part of a request's head has arrived, or is due: the first one is due at once.
    reading: bool,
}

impl Limits {
    /// How long this may last; `None` for as long as it takes.
    fn patience(&self, activity: Activity) -> Option<Duration> {
        match activity {
            Activity { requests: 0, reading } => Some(if reading { self.header } else { self.idle }),
            _ => None,
        }
    }
}

/// Waits until the activity has not changed for as long as it may last; returns whether that was amid the head of a
/// request.
async fn quiet(
    seen: &mut watch::Receiver<Activity>,
    patience: impl Fn(Activity) -> Option<Duration>,
) -> bool {
    loop {
        let activity = *seen.borrow_and_update();
        let over = async {
            match patience(activity) {
                Some(patience) => time::sleep(patience).await,
                None => future::pending().await,
            }
        };
        tokio::select! {
            () = over => return activity.reading,
            changed = seen.changed() => if changed.is_err() { return activity.reading },
        }
    }
}

/// A request being answered, for as long as it lives.
struct Working(watch::Sender<Activity>);

impl Working {
    fn begin(activity: &watch::Sender<Activity>) -> Self {
        activity.send_modify(|activity| {
            activity.requests += 1;
            activity.reading = false;
        });
        Self(activity.clone())
    }
}

impl Drop for Working {
    fn drop(&mut self) {
        self.0.send_modify(|activity| activity.requests -= 1);
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
const MAX_HEAD: usize = 256 * 1024;
/// For the last response to leave, and the peer to close.
const LINGER: Duration = Duration::from_secs(5);
