//! The same over real TLS: who shows which certificate, with which key, on which connection.

use std::fmt::Debug;
use std::fs;
use std::io;
use std::os::unix::fs::symlink;
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use cert_manager_webhook_cloudflare::server::tls::{
    NamedFiles, Protocol, ServingCertificates, TlsError, cipher_suite,
};
use harness::attack::Gullible;
use harness::until;
use http::StatusCode;
use reqwest::{Client, Response};
use rustls::client::ResolvesClientCert;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::crypto::aws_lc_rs::sign::any_supported_type;
use rustls::pki_types::ServerName;
use rustls::sign::CertifiedKey;
use rustls::{
    ClientConfig, ClientConnection, HandshakeKind, RootCertStore, SignatureScheme, SupportedProtocolVersion,
};
use tempfile::TempDir;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::certs::{Authority, Kind, Leaf};
use super::drain::{Running, Start};
use super::world::{CHALLENGES, World, payload};

const SOON: Duration = Duration::from_secs(20);
const TLS12: &SupportedProtocolVersion = &rustls::version::TLS12;
const TLS13: &SupportedProtocolVersion = &rustls::version::TLS13;

/// Shows `chain`, signs with the key of `signer`: the same, or a thief.
#[derive(Debug)]
struct Shows(Arc<CertifiedKey>);

impl Shows {
    fn new(chain: &Leaf, signer: &Leaf) -> Arc<Self> {
        let key = any_supported_type(&signer.private_key()).unwrap();
        Arc::new(Self(Arc::new(CertifiedKey::new(chain.chain.clone(), key))))
    }
}

impl ResolvesClientCert for Shows {
    fn resolve(&self, _: &[&[u8]], _: &[SignatureScheme]) -> Option<Arc<CertifiedKey>> {
        Some(Arc::clone(&self.0))
    }

    fn has_certs(&self) -> bool {
        true
    }
}

fn config(version: &'static SupportedProtocolVersion, shows: Option<Arc<Shows>>) -> ClientConfig {
    let builder = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_protocol_versions(&[version])
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    match shows {
        Some(shows) => builder.with_client_cert_resolver(shows),
        None => builder.with_no_client_auth(),
    }
}

pub(super) fn client(shows: Option<(&Leaf, &Leaf)>) -> Client {
    client_of(TLS13, shows)
}

fn client_of(version: &'static SupportedProtocolVersion, shows: Option<(&Leaf, &Leaf)>) -> Client {
    let mut config = config(version, shows.map(|(chain, signer)| Shows::new(chain, signer)));
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    Client::builder().no_proxy().tls_backend_preconfigured(config).build().unwrap()
}

async fn discover(client: &Client, server: &Running, user: &str) -> reqwest::Result<Response> {
    client.get(server.url("/apis")).header("x-remote-user", user).send().await
}

#[tokio::test]
async fn certificates_and_headers_meet_on_a_connection() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let world = World::new();
    world.trust(&proxies, &clients);
    let server = Running::start(&world, Start::default());
    let proxy = proxies.leaf(&Kind::default());
    let foreign = Authority::new("front-proxy-ca").leaf(&Kind::default());
    let expired = proxies.leaf(&Kind { until: 2021, ..Kind::default() });
    let alice = clients.leaf(&Kind { name: "alice", ..Kind::default() });
    for version in [TLS12, TLS13] {
        for (leaf, status, user) in [
            (Some(&proxy), StatusCode::OK, "carol"),
            (Some(&foreign), StatusCode::UNAUTHORIZED, ""),
            (Some(&expired), StatusCode::UNAUTHORIZED, ""),
            (Some(&alice), StatusCode::OK, "alice"),
            (None, StatusCode::FORBIDDEN, "system:anonymous"),
        ] {
            let client = client_of(version, leaf.map(|leaf| (leaf, leaf)));
            let answer = discover(&client, &server, "carol").await.unwrap();
            assert_eq!(answer.status(), status, "{user}");
            assert_eq!(answer.version(), http::Version::HTTP_2);
            let seen = world.cluster.seen();
            assert_eq!(seen.first().map_or("", |(identity, _)| identity.name.as_str()), user);
            // A refused certificate is no reason to refuse a probe's connection, nor a good token.
            let token = client.get(server.url("/apis")).bearer_auth("bob").send().await.unwrap();
            assert_eq!(token.status(), StatusCode::OK);
            world.cluster.seen();
        }
    }
}

#[tokio::test]
async fn a_stolen_certificate_without_its_key_gets_no_connection() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let world = World::new();
    world.trust(&proxies, &clients);
    let server = Running::start(&world, Start::default());
    let proxy = proxies.leaf(&Kind::default());
    // The thief has a good certificate of the same authority, too.
    let thief = proxies.leaf(&Kind { name: "thief", ..Kind::default() });
    for version in [TLS12, TLS13] {
        let honest = client_of(version, Some((&proxy, &proxy)));
        assert_eq!(discover(&honest, &server, "carol").await.unwrap().status(), StatusCode::OK);
        let stolen = client_of(version, Some((&proxy, &thief)));
        let refused = discover(&stolen, &server, "carol").await.unwrap_err();
        assert!(refused.is_connect() || refused.is_request(), "{refused:?}");
    }
    assert_eq!(world.cluster.seen().len(), 2, "the honest ones alone have been heard");
}

#[tokio::test]
async fn no_session_is_ever_resumed() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let world = World::new();
    world.trust(&proxies, &clients);
    let server = Running::start(&world, Start::default());
    let proxy = proxies.leaf(&Kind::default());
    for version in [TLS12, TLS13] {
        // The same configuration, hence the same memory of sessions.
        let connector = TlsConnector::from(Arc::new(config(version, Some(Shows::new(&proxy, &proxy)))));
        for _ in 0..3 {
            let stream = TcpStream::connect(server.address).await.unwrap();
            let name = ServerName::try_from("localhost").unwrap();
            let mut stream = connector.connect(name, stream).await.unwrap();
            let request = b"GET /apis HTTP/1.1\r\nhost: x\r\nx-remote-user: u\r\nconnection: close\r\n\r\n";
            stream.write_all(request).await.unwrap();
            let mut answer = Vec::new();
            let _ = stream.read_to_end(&mut answer).await;
            assert!(answer.starts_with(b"HTTP/1.1 200"), "{}", String::from_utf8_lossy(&answer));
            let (_, session) = stream.get_ref();
            assert_eq!(session.handshake_kind(), Some(HandshakeKind::Full));
            assert_eq!(session.alpn_protocol(), None);
        }
    }
}

#[tokio::test]
async fn an_open_connection_is_judged_by_the_authorities_of_the_moment() {
    let (old, new, clients) = (Authority::new("old"), Authority::new("new"), Authority::new("client-ca"));
    let world = World::new();
    world.trust(&old, &clients);
    let server = Running::start(&world, Start::default());
    let proxy = old.leaf(&Kind::default());
    let client = client(Some((&proxy, &proxy)));
    assert_eq!(discover(&client, &server, "carol").await.unwrap().status(), StatusCode::OK);
    assert_eq!(discover(&client, &server, "carol").await.unwrap().status(), StatusCode::OK);
    assert_eq!(server.connections(), 1);
    world.trust(&new, &clients);
    assert_eq!(discover(&client, &server, "carol").await.unwrap().status(), StatusCode::UNAUTHORIZED);
    assert_eq!(server.connections(), 1, "on the connection that was trusted before");
}

#[tokio::test]
async fn strangers_don_t_keep_a_connection() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let world = World::new();
    world.trust(&proxies, &clients);
    let server = Running::start(&world, Start::default());
    let anonymous = client(None);
    for expected in 1..=3 {
        let answer = discover(&anonymous, &server, "carol").await.unwrap();
        assert_eq!((answer.status(), answer.headers().get("connection")), (StatusCode::FORBIDDEN, None));
        assert_eq!(server.connections(), expected);
        // Only once the GOAWAY has arrived does the client know.
        until("the connection is closed", SOON, async || server.open() == 0).await.unwrap();
    }
    let proxy = proxies.leaf(&Kind::default());
    let known = client(Some((&proxy, &proxy)));
    for _ in 0..3 {
        assert_eq!(discover(&known, &server, "carol").await.unwrap().status(), StatusCode::OK);
    }
    assert_eq!(server.connections(), 4);
}

#[tokio::test]
async fn a_panic_leaves_the_other_requests_of_its_connection_alone() {
    let world = World::new();
    let server = Running::start(&world, Start::default());
    let client = client(None);
    let send = |key: &str| client.post(server.url(CHALLENGES)).bearer_auth("bob").body(payload(key)).send();
    assert_eq!(send("ok").await.unwrap().status(), StatusCode::CREATED);
    let (slow, panicked) = tokio::join!(send("slow"), send("panic"));
    assert_eq!(slow.unwrap().status(), StatusCode::CREATED);
    assert_eq!(panicked.unwrap().status(), StatusCode::INTERNAL_SERVER_ERROR);
    assert_eq!(send("ok").await.unwrap().status(), StatusCode::CREATED);
    assert_eq!(server.connections(), 1);
}

fn write(directory: &Path, leaf: &Leaf, key: &Leaf) {
    fs::write(directory.join("tls.crt"), &leaf.pem).unwrap();
    fs::write(directory.join("tls.key"), key.key.serialize_pem()).unwrap();
}

fn load(directory: &Path) -> Result<ServingCertificates, TlsError> {
    ServingCertificates::load(directory.join("tls.crt"), directory.join("tls.key"), Vec::new())
}

/// Whether the server's certificate is signed by this authority.
async fn serves(server: &Running, authority: &Authority) -> bool {
    let mut roots = RootCertStore::empty();
    roots.add(authority.der()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let stream = TcpStream::connect(server.address).await.unwrap();
    let name = ServerName::try_from("localhost").unwrap();
    let connected: io::Result<_> = TlsConnector::from(Arc::new(config)).connect(name, stream).await;
    connected.is_ok()
}

async fn comes_to_serve(server: &Running, authority: &Authority) {
    until("the new certificate is served", SOON, async || serves(server, authority).await).await.unwrap();
}

#[tokio::test]
async fn the_serving_certificate_follows_its_files() {
    let (first, second, third) = (Authority::new("first"), Authority::new("second"), Authority::new("third"));
    let volume = TempDir::new().unwrap();
    for (name, authority) in [("1", &first), ("3", &third)] {
        let directory = volume.path().join(name);
        fs::create_dir(&directory).unwrap();
        let leaf = authority.server("server");
        write(&directory, &leaf, &leaf);
    }
    // As kubelet lays out a Secret: files through `..data`, which is swapped.
    symlink("1", volume.path().join("..data")).unwrap();
    for file in ["tls.crt", "tls.key"] {
        symlink(Path::new("..data").join(file), volume.path().join(file)).unwrap();
    }
    let world = World::new();
    let serving = load(volume.path()).unwrap();
    let server = Running::start(&world, Start { tls: Some(serving), ..Start::default() });
    assert!(serves(&server, &first).await);

    let leaf = second.server("server");
    write(volume.path(), &leaf, &leaf);
    comes_to_serve(&server, &second).await;

    symlink("3", volume.path().join("..next")).unwrap();
    fs::rename(volume.path().join("..next"), volume.path().join("..data")).unwrap();
    comes_to_serve(&server, &third).await;
}

/// What a client that asks for `name` has agreed on with the server.
async fn agreed(
    server: &Running,
    version: &'static SupportedProtocolVersion,
    name: &'static str,
) -> io::Result<ClientConnection> {
    let mut config = config(version, None);
    config.alpn_protocols = vec![b"h2".to_vec(), b"http/1.1".to_vec()];
    let stream = TcpStream::connect(server.address).await?;
    let name = ServerName::try_from(name).unwrap();
    let mut stream = TlsConnector::from(Arc::new(config)).connect(name, stream).await?;
    // A server of TLS 1.3 may refuse what the client takes for agreed.
    stream.write_all(b"GET / HTTP/1.0\r\n\r\n").await?;
    stream.read_exact(&mut [0]).await?;
    Ok(stream.into_inner().1)
}

#[tokio::test]
async fn what_is_spoken_can_be_narrowed() {
    let world = World::new();
    let start = |protocol| Running::start(&world, Start { protocol, ..Start::default() });
    let all = start(Protocol::default());
    for version in [TLS12, TLS13] {
        let agreed = agreed(&all, version, "localhost").await.unwrap();
        assert_eq!(agreed.alpn_protocol(), Some(&b"h2"[..]));
    }
    let newest = start(Protocol { tls13_only: true, ..Protocol::default() });
    assert!(agreed(&newest, TLS12, "localhost").await.is_err());
    assert!(agreed(&newest, TLS13, "localhost").await.is_ok());
    let old = start(Protocol { http1_only: true, ..Protocol::default() });
    assert_eq!(agreed(&old, TLS13, "localhost").await.unwrap().alpn_protocol(), Some(&b"http/1.1"[..]));

    let suite = cipher_suite("TLS_ECDHE_ECDSA_WITH_CHACHA20_POLY1305").unwrap();
    let one = start(Protocol { cipher_suites: vec![suite], ..Protocol::default() });
    let agreed_suite = agreed(&one, TLS12, "localhost").await.unwrap().negotiated_cipher_suite();
    assert_eq!(agreed_suite.unwrap().suite(), suite);
    assert!(agreed(&one, TLS13, "localhost").await.is_ok(), "TLS 1.3 has its own");
    let other = cipher_suite("TLS_ECDHE_RSA_WITH_AES_128_GCM_SHA256").unwrap();
    let none = start(Protocol { cipher_suites: vec![other], ..Protocol::default() });
    assert!(agreed(&none, TLS12, "localhost").await.is_err(), "the certificate has another kind of key");
}

#[tokio::test]
async fn who_asks_by_name_is_shown_the_certificate_of_that_name() {
    let authority = Authority::new("ca");
    let volume = TempDir::new().unwrap();
    let pair = |name: &str, hosts: &[&str], names: &[&str]| {
        let leaf = authority.server_for(name, hosts);
        let (cert_file, key_file) =
            (volume.path().join(format!("{name}.crt")), volume.path().join(format!("{name}.key")));
        fs::write(&cert_file, &leaf.pem).unwrap();
        fs::write(&key_file, leaf.key.serialize_pem()).unwrap();
        (leaf, NamedFiles { cert_file, key_file, names: names.iter().map(ToString::to_string).collect() })
    };
    let (default, files) = pair("default", &["default.example.com"], &[]);
    let (own, own_files) = pair("own", &["own.example.com", "*.wild.example.com", "given.example.com"], &[]);
    let (given, given_files) = pair("given", &["x"], &["given.example.com", "*.example.com"]);
    let serving =
        ServingCertificates::load(files.cert_file, files.key_file, vec![own_files.clone(), given_files])
            .unwrap();
    let world = World::new();
    let server = Running::start(&world, Start { tls: Some(serving), ..Start::default() });
    for (name, leaf) in [
        ("other.org", &default),
        ("example.com", &default),
        ("own.example.com", &own),
        ("OWN.example.com", &own),
        ("a.wild.example.com", &own),
        ("given.example.com", &given),
        ("other.example.com", &given),
        ("own", &own),
        ("192.0.2.1", &default),
    ] {
        let agreed = agreed(&server, TLS13, name).await.unwrap();
        assert_eq!(agreed.peer_certificates().unwrap()[0], leaf.chain[0], "{name}");
    }
    let next = authority.server_for("own", &["own.example.com"]);
    fs::write(&own_files.cert_file, &next.pem).unwrap();
    fs::write(&own_files.key_file, next.key.serialize_pem()).unwrap();
    let shown = async || {
        agreed(&server, TLS13, "own.example.com").await.unwrap().peer_certificates().unwrap()[0].clone()
    };
    until("the new one is shown", SOON, async || shown().await == next.chain[0]).await.unwrap();
}

#[test]
fn a_pair_that_can_t_be_used_names_its_flag() {
    let directory = TempDir::new().unwrap();
    let authority = Authority::new("ca");
    let (leaf, other) = (authority.server("server"), authority.server("server"));
    let refused = || load(directory.path()).unwrap_err().to_string();
    assert!(refused().starts_with("--tls-cert-file"));
    fs::write(directory.path().join("tls.crt"), "").unwrap();
    assert!(refused().starts_with("--tls-private-key-file"));
    fs::write(directory.path().join("tls.key"), "").unwrap();
    assert!(refused().starts_with("--tls-cert-file"));
    fs::write(directory.path().join("tls.crt"), &leaf.pem).unwrap();
    assert!(refused().starts_with("--tls-private-key-file"));
    write(directory.path(), &leaf, &other);
    assert_eq!(
        refused(),
        "the key of --tls-private-key-file can't be used with the certificate of --tls-cert-file"
    );
    write(directory.path(), &leaf, &leaf);
    assert!(load(directory.path()).is_ok());
}
