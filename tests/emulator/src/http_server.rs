//! HTTP/1.1 over TCP or TLS, with two things a framework would not do: reset a connection, cut a body.

use std::convert::Infallible;
use std::io;
use std::net::IpAddr;
use std::pin::Pin;
use std::sync::Arc;
use std::task::{Context, Poll};
use std::time::Duration;

use bytes::Bytes;
use http::{Request, Response, StatusCode};
use http_body::{Body, Frame, SizeHint};
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper_util::rt::{TokioIo, TokioTimer};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Notify;
use tokio::task::JoinSet;
use tokio::time::{Instant, Sleep, sleep, timeout};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::server::TlsStream;

use crate::envelope::Answer;
use crate::router::Call;

/// What a handler wants to happen.
#[derive(Debug)]
pub(crate) enum Reply {
    /// An answer.
    Answer(Answer),
    /// An answer of which only the first half is sent.
    Cut(Answer),
    /// The connection is reset.
    Reset,
}

/// Accepts for ever.
pub(crate) async fn serve<H, F>(listener: TcpListener, tls: Option<TlsAcceptor>, handler: H)
where
    H: Fn(Call) -> F + Clone + Send + Sync + 'static,
    F: Future<Output = Reply> + Send + 'static,
{
    let mut connections = JoinSet::new();
    loop {
        while connections.try_join_next().is_some() {}
        let Ok((stream, peer)) = listener.accept().await else {
            sleep(Duration::from_millis(50)).await;
            continue;
        };
        let (tls, handler) = (tls.clone(), handler.clone());
        connections.spawn(async move {
            let _ = stream.set_nodelay(true);
            match tls {
                None => serve_connection(stream, peer.ip(), handler).await,
                Some(tls) => {
                    if let Ok(Ok(stream)) = timeout(HANDSHAKE, tls.accept(stream)).await {
                        serve_connection(stream, peer.ip(), handler).await;
                    }
                }
            }
        });
    }
}

async fn serve_connection<S, H, F>(stream: S, peer: IpAddr, handler: H)
where
    S: AsyncRead + AsyncWrite + Resettable + Unpin,
    H: Fn(Call) -> F + Clone,
    F: Future<Output = Reply>,
{
    let reset = Arc::new(Notify::new());
    let service = service_fn(|request| {
        let (reset, handler) = (Arc::clone(&reset), handler.clone());
        async move {
            let reply = match read(request, peer).await {
                Ok(call) => handler(call).await,
                Err(status) => Reply::Answer(Answer::text(status.as_u16(), "")),
            };
            match reply {
                Reply::Answer(answer) => Ok::<_, Infallible>(response(answer, false)),
                Reply::Cut(answer) => Ok(response(answer, true)),
                Reply::Reset => {
                    reset.notify_one();
                    std::future::pending().await
                }
            }
        }
    });
    let mut connection = http1::Builder::new()
        .timer(TokioTimer::new())
        .header_read_timeout(None)
        .serve_connection(TokioIo::new(stream), service);
    let cut = tokio::select! {
        _ = &mut connection => false,
        () = reset.notified() => true,
    };
    if cut {
        connection.into_parts().io.into_inner().reset();
    }
}

async fn read(request: Request<Incoming>, peer: IpAddr) -> Result<Call, StatusCode> {
    let (parts, body) = request.into_parts();
    let body = Limited::new(body, BODY_MAX).collect().await.map_err(|_| StatusCode::PAYLOAD_TOO_LARGE)?;
    Ok(Call {
        method: parts.method,
        path: parts.uri.path().to_owned(),
        query: parts.uri.query().unwrap_or_default().to_owned(),
        headers: parts.headers,
        peer,
        body: body.to_bytes().to_vec(),
        now: Instant::now(),
    })
}

fn response(answer: Answer, cut: bool) -> Response<AnswerBody> {
    answer.into_response().map(|body| {
        let length = body.len();
        let mut data = Bytes::from(body);
        if cut {
            data.truncate(length / 2);
        }
        AnswerBody { length, data: Some(data), cut, pause: None }
    })
}

/// A body that announces `length` bytes and may break off after fewer.
struct AnswerBody {
    length: usize,
    data: Option<Bytes>,
    cut: bool,
    pause: Option<Pin<Box<Sleep>>>,
}

impl Body for AnswerBody {
    type Data = Bytes;
    type Error = io::Error;

    fn poll_frame(
        mut self: Pin<&mut Self>,
        context: &mut Context<'_>,
    ) -> Poll<Option<Result<Frame<Bytes>, io::Error>>> {
        if let Some(data) = self.data.take().filter(|data| !data.is_empty()) {
            return Poll::Ready(Some(Ok(Frame::data(data))));
        }
        if !self.cut {
            return Poll::Ready(None);
        }
        // The first half has to leave before the connection breaks.
        let pause = self.pause.get_or_insert_with(|| Box::pin(sleep(Duration::from_millis(20))));
        match pause.as_mut().poll(context) {
            Poll::Pending => Poll::Pending,
            Poll::Ready(()) => Poll::Ready(Some(Err(io::Error::other("cut on demand")))),
        }
    }

    fn is_end_stream(&self) -> bool {
        !self.cut && self.data.as_ref().is_none_or(Bytes::is_empty)
    }

    fn size_hint(&self) -> SizeHint {
        SizeHint::with_exact(self.length as u64)
    }
}

/// A connection that can be closed with RST.
trait Resettable {
    fn reset(self);
}

impl Resettable for TcpStream {
    fn reset(self) {
        let _ = self.set_zero_linger();
    }
}

impl Resettable for TlsStream<TcpStream> {
    fn reset(self) {
        let _ = self.get_ref().0.set_zero_linger();
    }
}

const HANDSHAKE: Duration = Duration::from_secs(10);
const BODY_MAX: usize = 16 << 20;
