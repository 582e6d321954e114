//! The listener: accepts, TLS, HTTP/1.1 and HTTP/2, limits of a connection, drain.
//!
//! A loop of our own over `tokio-rustls` and `hyper`: it needs the certificates that the peer showed, time limits on
//! each stage of a connection, and a GOAWAY both for the drain and for single connections.

use std::io;
use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use socket2::{Domain, Protocol, SockRef, Socket, TcpKeepalive, Type};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::Semaphore;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::health;

mod connection;
pub mod tls;

use connection::Context;

/// What one connection may cost. The defaults are those of `pkg/server/secure_serving.go` where it has one.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From the first byte to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request's head to its last.
    pub header: Duration,
    /// Without a request, after which the connection is closed. The aggregation layer keeps its own for 90 s; closing
    /// sooner would race with its next request.
    pub idle: Duration,
    /// Open at the same time; further ones wait to be accepted.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(32),
            idle: Duration::from_mins(2),
            connections: 4096,
        }
    }
}

/// How a server ends, once it is told to.
#[derive(Debug, Clone, Copy)]
pub struct Drain {
    /// Between "not ready" and the closed listener: the time for endpoints and their watchers to notice.
    pub delay: Duration,
    /// Thereafter, for the requests in flight.
    pub grace: Duration,
}

/// A bound listener.
#[derive(Debug)]
pub struct Server {
    listener: TcpListener,
    tls: Option<Arc<ServerConfig>>,
    limits: Limits,
}

impl Server {
    /// Binds; an address of `[::]` means IPv4, too, and IPv4 alone where the system has nothing else. Without `tls`
    /// it is plain HTTP/1.1.
    pub fn bind(address: SocketAddr, tls: Option<Arc<ServerConfig>>, limits: Limits) -> io::Result<Self> {
        let listener = match listen(address) {
            Err(_) if address.is_ipv6() && address.ip().is_unspecified() => {
                listen((Ipv4Addr::UNSPECIFIED, address.port()).into())?
            }
            listener => listener?,
        };
        Ok(Self { listener, tls, limits })
    }

    /// The address in use.
    pub fn local_addr(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    /// Serves until `shutdown`, then drains; returns whether every connection ended within the grace period.
    ///
    /// `ready` is fulfilled from here to `shutdown`: whatever watches readiness learns of it before the first
    /// connection is refused.
    pub async fn serve(
        self,
        router: Router,
        shutdown: CancellationToken,
        drain: Drain,
        ready: Option<health::Token>,
    ) -> bool {
        let context = Arc::new(Context {
            router,
            acceptor: self.tls.map(TlsAcceptor::from),
            limits: self.limits,
            closing: CancellationToken::new(),
            aborting: CancellationToken::new(),
            tasks: TaskTracker::new(),
        });
        if let Some(ready) = &ready {
            ready.ready();
        }
        let told = async {
            shutdown.cancelled().await;
            if let Some(ready) = &ready {
                ready.not_ready("the server is shutting down");
            }
            time::sleep(drain.delay).await;
        };
        tokio::select! {
            () = accept(&self.listener, &context) => {}
            () = told => {}
        }
        drop(self.listener);
        end(&context, drain.grace).await
    }
}

/// Accepts for ever. A failure is of one connection, or of the process's means (no file descriptor left): the loop
/// waits a little longer each time, and goes on.
async fn accept(listener: &TcpListener, context: &Arc<Context>) {
    let room = Arc::new(Semaphore::new(context.limits.connections));
    let mut pause = Duration::ZERO;
    loop {
        let Ok(permit) = Arc::clone(&room).acquire_owned().await else {
            return;
        };
        match listener.accept().await {
            Ok((stream, _)) => {
                pause = Duration::ZERO;
                prepare(&stream);
                let context = Arc::clone(context);
                let tasks = context.tasks.clone();
                tasks.spawn(async move {
                    connection::serve(stream, &context).await;
                    drop(permit);
                });
            }
            Err(error) => {
                pause = (pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
                warn!(%error, ?pause, "a connection could not be accepted");
                time::sleep(pause).await;
            }
        }
    }
}

/// Two steps: every connection is told that no further request will be read, then those that remain are cut.
async fn end(context: &Context, grace: Duration) -> bool {
    context.closing.cancel();
    context.tasks.close();
    if time::timeout(grace, context.tasks.wait()).await.is_ok() {
        info!("every connection is closed");
        return true;
    }
    let remaining = context.tasks.len();
    warn!(remaining, ?grace, "the grace period is over: connections are cut");
    context.aborting.cancel();
    false
}

fn listen(address: SocketAddr) -> io::Result<TcpListener> {
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, Some(Protocol::TCP))?;
    if address.is_ipv6() {
        socket.set_only_v6(!address.ip().is_unspecified())?;
    }
    // A restarted process binds while connections of the last one linger.
    socket.set_reuse_address(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&address.into())?;
    socket.listen(BACKLOG)?;
    TcpListener::from_std(socket.into())
}

fn prepare(stream: &TcpStream) {
    // Neither is vital; a socket that refuses them shows its fault when it is read.
    let _ = stream.set_nodelay(true);
    let _ = SockRef::from(stream).set_tcp_keepalive(&TcpKeepalive::new().with_time(KEEPALIVE));
}

const BACKLOG: i32 = 1024;
/// As `pkg/server/secure_serving.go`.
const KEEPALIVE: Duration = Duration::from_mins(3);
const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_secs(1);
