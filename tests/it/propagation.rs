//! The propagation check against the emulator's name servers, and its resolvers behind DNS over HTTPS, over real sockets.
#![expect(clippy::unwrap_used, reason = "in the helpers of tests, too, a failure is a failed test")]

use std::net::{Ipv4Addr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::Bytes;
use axum::routing::post;
use cert_manager_webhook_cloudflare::challenge::TxtValue;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::propagation::{Check, LiveCheck, RecursiveServer, Roots, Settings};
use cert_manager_webhook_cloudflare::server::{Drain, Limits, Server};
use cert_manager_webhook_cloudflare::solver::error::{Cause, Error};
use cert_manager_webhook_cloudflare::solver::port::{Propagation, Sighting, Watch, Zone};
use cloudflare_emulator::{Action, Emulator, Fault, ListenConfig, RecordConfig, World};
use rustls::pki_types::PrivatePkcs8KeyDer;
use tokio::net::UdpSocket;
use tokio::task::JoinSet;
use tokio::time::Instant;
use tokio_util::sync::CancellationToken;

const ZONE: &str = "example.com";
const NAME: &str = "_acme-challenge.example.com";
const VALUE: &str = "LoqXcYV8q5ONbJQxbmR7SCTNo3tiAXDfowyjxAjEuX0";

#[tokio::test]
async fn the_authority_decides_as_long_as_it_is_heard() {
    let cloudflare = Cloudflare::start().await;
    cloudflare.write();
    cloudflare.confirm(Check::Auto).await.unwrap();
    let stats = cloudflare.emulator.stats();
    for (_, address) in cloudflare.emulator.authorities() {
        assert_eq!(stats.dns_queries_by_server[&address.ip().to_string()], 2, "two rounds");
    }
    assert_eq!(stats.dns_queries_by_server.get("ca-resolver"), None);
}

#[tokio::test]
async fn where_port_53_is_intercepted_two_resolvers_decide() {
    let cloudflare = Cloudflare::start().await;
    cloudflare.write();
    // Who intercepts here does so for the emulator's resolvers, too; they keep what they heard before.
    cloudflare.confirm_again(Check::Doh).await.unwrap();
    cloudflare.intercept();
    let error = cloudflare.confirm(Check::Authority).await.unwrap_err();
    assert_eq!(error.cause(), &Cause::Intercepted(Fqdn::parse(ZONE).unwrap()));
    cloudflare.confirm_again(Check::Auto).await.unwrap();
}

/// What a resolver was asked too early it denies for half an hour: a no proves nothing, and a yes of one is not enough.
#[tokio::test]
async fn resolvers_that_were_asked_too_early_are_not_believed() {
    let cloudflare = Cloudflare::start().await;
    let unconfirmed = cloudflare.confirm_again(Check::Doh).await.unwrap_err();
    cloudflare.write();
    let again = cloudflare.confirm_again(Check::Doh).await.unwrap_err();
    for error in [unconfirmed, again] {
        assert!(matches!(error.cause(), Cause::Unconfirmed { .. }), "{error:?}");
    }
    cloudflare.emulator.flush_resolver();
    cloudflare.confirm_again(Check::Doh).await.unwrap();
}

struct Cloudflare {
    emulator: Emulator,
    /// One over each of the emulator's two resolvers.
    judges: Vec<RecursiveServer>,
    roots: rustls::RootCertStore,
    _tasks: JoinSet<()>,
}

impl Cloudflare {
    async fn start() -> Self {
        let world = World { ca_resolver: Some(ListenConfig::default()), ..World::default() };
        let emulator = Emulator::start(world.zone(ZONE)).await.unwrap();
        let mut tasks = JoinSet::new();
        let mut roots = rustls::RootCertStore::empty();
        let mut judges = Vec::new();
        let resolvers = [emulator.resolver_addr().unwrap(), emulator.ca_resolver_addr().unwrap()];
        for (n, resolver) in (2..).zip(resolvers) {
            let address = Ipv4Addr::new(127, 0, 1, n);
            let key = rcgen::generate_simple_self_signed([address.to_string()]).unwrap();
            roots.add(key.cert.der().clone()).unwrap();
            let listen = SocketAddr::from((address, 0));
            let server = Server::bind(listen, Some(https(&key)), Limits::default()).unwrap();
            judges.push(format!("https://{}/dns-query", server.local_addr().unwrap()).parse().unwrap());
            let router = Router::new().route("/dns-query", post(move |query| pass_on(resolver, query)));
            let drain = Drain { delay: Duration::ZERO, grace: Duration::ZERO };
            tasks.spawn(async move {
                let _ = server.serve(router, CancellationToken::new(), drain, None).await;
            });
        }
        Self { emulator, judges, roots, _tasks: tasks }
    }

    /// Served everywhere at once.
    fn write(&self) {
        let record = RecordConfig {
            zone: ZONE.to_owned(),
            kind: "TXT".to_owned(),
            name: NAME.to_owned(),
            content: VALUE.to_owned(),
            ttl: 60,
            ..RecordConfig::default()
        };
        self.emulator.add_record(&record).unwrap();
    }

    /// Whoever asks an authority gets a resolver's answer, which says that there is no such name.
    fn intercept(&self) {
        for (name, _) in self.emulator.authorities() {
            assert!(self.emulator.add_fault(Fault::new(Action::Intercept { txt: Vec::new() }).server(&name)));
        }
    }

    /// As a new process that knows nothing.
    async fn confirm(&self, check: Check) -> Result<Option<Sighting>, Error> {
        self.confirm_seen(check, None).await
    }

    /// As one that has seen the value before: then resolvers need not be spared for some seconds.
    async fn confirm_again(&self, check: Check) -> Result<Option<Sighting>, Error> {
        self.confirm_seen(check, Some(Instant::now())).await
    }

    async fn confirm_seen(&self, check: Check, seen: Option<Instant>) -> Result<Option<Sighting>, Error> {
        let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
        let trusted = self.roots.clone();
        let roots = Roots::new(move || {
            let config = rustls::ClientConfig::builder_with_provider(Arc::clone(&provider));
            let config = config.with_safe_default_protocol_versions()?;
            Ok(config.with_root_certificates(trusted.clone()).with_no_client_auth())
        });
        let settings = Settings {
            check,
            timeout: Duration::from_secs(5),
            settle: Duration::from_millis(50),
            authority_port: self.emulator.authority_port(),
            allow_private_name_servers: true,
            recursive_servers: vec![self.emulator.resolver_addr().unwrap().to_string().parse().unwrap()],
            recursive_servers_only: true,
            doh_servers: self.judges.clone(),
            roots: Arc::new(roots),
        };
        let check = LiveCheck::new(&settings, Arc::default()).unwrap();
        let zone = Zone { id: "0".repeat(32), name: Fqdn::parse(ZONE).unwrap(), name_servers: Vec::new() };
        let watch = Watch {
            zone: &zone,
            fqdn: &Fqdn::parse(NAME).unwrap(),
            values: &[TxtValue::parse(VALUE).unwrap()],
            seen,
        };
        check.confirm(watch, Deadline::within(Duration::from_secs(10))).await
    }
}

async fn pass_on(resolver: SocketAddr, query: Bytes) -> ([(&'static str, &'static str); 1], Vec<u8>) {
    let socket = UdpSocket::bind((Ipv4Addr::LOCALHOST, 0)).await.unwrap();
    socket.connect(resolver).await.unwrap();
    socket.send(&query).await.unwrap();
    let mut reply = vec![0; 4096];
    let length = socket.recv(&mut reply).await.unwrap();
    reply.truncate(length);
    ([("content-type", "application/dns-message")], reply)
}

fn https(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}
