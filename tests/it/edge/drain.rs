//! A running server: its limits, and its end.

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use cert_manager_webhook_cloudflare::metrics::serving::ServingMetrics;
use cert_manager_webhook_cloudflare::server::tls::{Protocol, ServingCertificates};
use cert_manager_webhook_cloudflare::server::{Drain, Limits, Server};
use harness::until;
use http::StatusCode;
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt, copy_bidirectional};
use tokio::net::{TcpListener, TcpStream};
use tokio::task::JoinHandle;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tokio_util::task::TaskTracker;

use super::certs::Authority;
use super::tls::client;
use super::world::{CHALLENGES, World, payload};

/// How long anything may take that should take no time.
const SOON: Duration = Duration::from_secs(20);

/// How a server is started.
pub(crate) struct Start {
    pub(crate) tls: Option<ServingCertificates>,
    pub(crate) protocol: Protocol,
    pub(crate) plain: bool,
    pub(crate) limits: Limits,
    pub(crate) drain: Drain,
}

impl Default for Start {
    fn default() -> Self {
        let drain = Drain { delay: Duration::ZERO, grace: Duration::from_secs(10) };
        Self { tls: None, protocol: Protocol::default(), plain: false, limits: Limits::default(), drain }
    }
}

/// A server behind a relay that counts connections.
pub(crate) struct Running {
    pub(crate) address: SocketAddr,
    pub(crate) direct: SocketAddr,
    counted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
    shutdown: CancellationToken,
    ended: JoinHandle<bool>,
    tasks: TaskTracker,
}

impl Running {
    pub(crate) fn start(world: &World, start: Start) -> Self {
        let tasks = TaskTracker::new();
        let tls = (!start.plain).then(|| start.tls.unwrap_or_else(any_certificate));
        let config = tls.as_ref().map(|tls| tls.server_config(&start.protocol).unwrap());
        if let Some(tls) = tls {
            tasks.spawn(tls.follow(Duration::from_millis(20), ServingMetrics::default()));
        }
        let server = Server::bind((Ipv4Addr::LOCALHOST, 0).into(), config, start.limits).unwrap();
        let direct = server.local_addr().unwrap();
        let shutdown = CancellationToken::new();
        let ready = world.health.expect("shutdown", "not started");
        let ended =
            tasks.spawn(server.serve(world.router.clone(), shutdown.clone(), start.drain, Some(ready)));
        let (counted, open) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicUsize::new(0)));
        let address = relay(&tasks, direct, Arc::clone(&counted), Arc::clone(&open));
        Self { address, direct, counted, open, shutdown, ended, tasks }
    }

    pub(crate) fn url(&self, path: &str) -> String {
        format!("https://localhost:{}{path}", self.address.port())
    }

    /// How many have come through the relay.
    pub(crate) fn connections(&self) -> usize {
        self.counted.load(Ordering::SeqCst)
    }

    /// How many of them are still there.
    pub(super) fn open(&self) -> usize {
        self.open.load(Ordering::SeqCst)
    }
}

fn any_certificate() -> ServingCertificates {
    let directory = TempDir::new().unwrap();
    let leaf = Authority::new("serving-ca").server("server");
    let (cert, key) = (directory.path().join("tls.crt"), directory.path().join("tls.key"));
    std::fs::write(&cert, leaf.pem).unwrap();
    std::fs::write(&key, leaf.key.serialize_pem()).unwrap();
    ServingCertificates::load(cert, key, Vec::new()).unwrap()
}

fn relay(
    tasks: &TaskTracker,
    to: SocketAddr,
    counted: Arc<AtomicUsize>,
    open: Arc<AtomicUsize>,
) -> SocketAddr {
    let listener = std::net::TcpListener::bind((Ipv4Addr::LOCALHOST, 0)).unwrap();
    listener.set_nonblocking(true).unwrap();
    let address = listener.local_addr().unwrap();
    let tasks = tasks.clone();
    tasks.clone().spawn(async move {
        let listener = TcpListener::from_std(listener).unwrap();
        loop {
            let (mut near, _) = listener.accept().await.unwrap();
            counted.fetch_add(1, Ordering::SeqCst);
            open.fetch_add(1, Ordering::SeqCst);
            let open = Arc::clone(&open);
            tasks.spawn(async move {
                if let Ok(mut far) = TcpStream::connect(to).await {
                    let _ = copy_bidirectional(&mut near, &mut far).await;
                }
                open.fetch_sub(1, Ordering::SeqCst);
            });
        }
    });
    address
}

#[tokio::test]
async fn readiness_goes_first_then_the_listener_then_the_requests_in_flight() {
    let world = World::new();
    let drain = Drain { delay: Duration::from_secs(2), grace: SOON };
    let server = Running::start(&world, Start { drain, ..Start::default() });
    let client = client(None);
    let post = |key: &str| client.post(server.url(CHALLENGES)).bearer_auth("bob").body(payload(key)).send();
    let get = |path: &str| client.get(server.url(path)).bearer_auth("bob").send();
    assert_eq!(get("/readyz").await.unwrap().status(), StatusCode::OK);

    let in_flight = server.tasks.spawn(post("gate"));
    world.solver.begun.notified().await;
    server.shutdown.cancel();
    until("it is not ready", SOON, async || !world.health.is_ready()).await.unwrap();
    // In the delay everything is answered, on new connections too.
    assert_eq!(get("/readyz").await.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(get("/livez").await.unwrap().status(), StatusCode::OK);
    assert_eq!(get("/apis").await.unwrap().status(), StatusCode::OK);
    assert!(TcpStream::connect(server.direct).await.is_ok());
    let closed = async || TcpStream::connect(server.direct).await.is_err();
    until("the listener is closed", SOON, closed).await.unwrap();
    assert!(!server.ended.is_finished(), "a request is in flight");
    world.solver.gate.notify_one();
    assert_eq!(in_flight.await.unwrap().unwrap().status(), StatusCode::CREATED);
    assert!(server.ended.await.unwrap(), "drained");
}

#[tokio::test]
async fn the_grace_period_is_not_for_ever() {
    let world = World::new();
    let drain = Drain { delay: Duration::ZERO, grace: Duration::from_millis(300) };
    let server = Running::start(&world, Start { drain, ..Start::default() });
    let client = client(None);
    let in_flight = server
        .tasks
        .spawn(client.post(server.url(CHALLENGES)).bearer_auth("bob").body(payload("gate")).send());
    world.solver.begun.notified().await;
    server.shutdown.cancel();
    assert!(!timeout(SOON, server.ended).await.unwrap().unwrap(), "cut");
    assert!(in_flight.await.unwrap().is_err());
    assert_eq!(world.tracker.len(), 1, "the work itself goes on");
}

#[tokio::test]
async fn an_idle_connection_does_not_hold_up_the_end() {
    let world = World::new();
    let server = Running::start(&world, Start::default());
    let client = client(None);
    let answer = client.get(server.url("/apis")).bearer_auth("bob").send().await.unwrap();
    assert_eq!(answer.status(), StatusCode::OK);
    server.shutdown.cancel();
    assert!(server.ended.await.unwrap(), "within the grace period");
}

/// Sends `bytes`, and returns what came back until the server closed.
async fn answer_to(address: SocketAddr, bytes: &[u8]) -> String {
    let mut stream = TcpStream::connect(address).await.unwrap();
    stream.write_all(bytes).await.unwrap();
    let mut answer = Vec::new();
    let _ = timeout(SOON, stream.read_to_end(&mut answer)).await.expect("never closed");
    String::from_utf8_lossy(&answer).into_owned()
}

#[tokio::test]
async fn a_thousand_groups_fit_into_the_head() {
    let world = World::new();
    let server = Running::start(&world, Start::default());
    let group = "x".repeat(60);
    let mut request = client(None).get(server.url("/healthz"));
    let mut head = "GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n".to_owned();
    for _ in 0..1000 {
        request = request.header("x-remote-group", &group);
        head.extend(["x-remote-group: ", &group, "\r\n"]);
    }
    assert_eq!(request.send().await.unwrap().status(), StatusCode::OK);
    let plain = Running::start(&world, Start { plain: true, ..Start::default() });
    let answer = answer_to(plain.direct, format!("{head}\r\n").as_bytes()).await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}

#[tokio::test]
async fn both_families_are_served() {
    let world = World::new();
    let address = "[::]:0".parse().unwrap();
    let server = Server::bind(address, None, Limits::default()).unwrap();
    let port = server.local_addr().unwrap().port();
    let tasks = TaskTracker::new();
    let drain = Drain { delay: Duration::ZERO, grace: Duration::ZERO };
    tasks.spawn(server.serve(world.router.clone(), CancellationToken::new(), drain, None));
    let answer = answer_to(
        (Ipv4Addr::LOCALHOST, port).into(),
        b"GET /healthz HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n",
    )
    .await;
    assert!(answer.starts_with("HTTP/1.1 200"), "{answer}");
}
