//! The listener: accepts, TLS, HTTP/1.1 and HTTP/2, limits of a connection, drain.
//!
//! A loop of our own over `tokio-rustls` and `hyper`: it needs the certificates that the peer showed, time limits on
//! each stage of a connection, and a GOAWAY both for the drain and for single connections.

use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use rustls::ServerConfig;
use tokio::net::TcpListener;
use tokio::time;
use tokio_rustls::TlsAcceptor;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;
use tracing::{info, warn};

use crate::health;

mod connection;
mod limits;
mod process;
mod roster;
mod socket;
pub mod tls;

pub use limits::Limits;
pub use process::{forbid_dumps, raise_descriptor_limit};

use connection::Context;
use roster::Roster;

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
        Ok(Self { listener: socket::listen(address)?, tls, limits })
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
        let aborting = CancellationToken::new();
        let context = Arc::new(Context {
            router,
            acceptor: self.tls.map(TlsAcceptor::from),
            roster: Roster::new(self.limits.connections, aborting.clone()),
            limits: self.limits,
            closing: CancellationToken::new(),
            aborting,
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

/// Accepts for ever. A failure is of one connection, or of the process's means: another one gives way, and the loop
/// waits a little longer each time.
async fn accept(listener: &TcpListener, context: &Arc<Context>) {
    let mut pause = Duration::ZERO;
    let mut number = 0_u32;
    loop {
        match listener.accept().await {
            Ok((stream, _)) => {
                pause = Duration::ZERO;
                socket::prepare(&stream);
                let Some(place) = context.roster.enter().await else { return };
                number = number.wrapping_add(1);
                let context = Arc::clone(context);
                let tasks = context.tasks.clone();
                tasks.spawn(async move { connection::serve(stream, number, place, &context).await });
            }
            Err(error) => {
                pause = (pause * 2).clamp(FIRST_PAUSE, LAST_PAUSE);
                warn!(%error, ?pause, "a connection could not be accepted");
                context.roster.make_room();
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

const FIRST_PAUSE: Duration = Duration::from_millis(5);
const LAST_PAUSE: Duration = Duration::from_secs(1);
