//! Messages of HTTP/1.1 that two servers read differently, and connections that several callers share.

mod http2;

use std::sync::Arc;
use std::time::Duration;

use cert_manager_webhook_cloudflare::server::Limits;
use harness::attack::Gullible;
use rustls::ClientConfig;
use rustls::crypto::aws_lc_rs::default_provider;
use rustls::pki_types::ServerName;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;
use tokio_rustls::client::TlsStream;

use crate::cluster::soon;
use crate::edge::certs::{Authority, Kind, Leaf};
use crate::edge::drain::{Running, Start};
use crate::edge::world::{CHALLENGES, World};

/// A server that soon gives up on what does not come.
fn serve(world: &World, plain: bool) -> Running {
    let short = Duration::from_secs(1);
    let limits = Limits { header: short, idle: short, ..Limits::default() };
    Running::start(world, Start { plain, limits, ..Start::default() })
}

/// A connection on which a certificate is shown.
async fn connect(
    server: &Running,
    leaf: Option<&Leaf>,
    protocol: &[u8],
) -> std::io::Result<TlsStream<TcpStream>> {
    let config = ClientConfig::builder_with_provider(Arc::new(default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .dangerous()
        .with_custom_certificate_verifier(Arc::new(Gullible));
    let mut config = match leaf {
        Some(leaf) => config.with_client_auth_cert(leaf.chain.clone(), leaf.private_key()).unwrap(),
        None => config.with_no_client_auth(),
    };
    config.enable_sni = false;
    config.alpn_protocols = if protocol.is_empty() { Vec::new() } else { vec![protocol.to_vec()] };
    let stream = TcpStream::connect(server.direct).await?;
    TlsConnector::from(Arc::new(config)).connect(ServerName::try_from("localhost").unwrap(), stream).await
}

/// Says something, and listens until the server closes.
async fn say(mut stream: impl AsyncRead + AsyncWrite + Unpin, bytes: &[u8]) -> Vec<u8> {
    let mut said = Vec::new();
    let _ = stream.write_all(bytes).await;
    let _ = stream.flush().await;
    let _ = soon(stream.read_to_end(&mut said)).await;
    said
}

/// The statuses of the answers; none of ours has such a line in its body.
fn statuses(said: &[u8]) -> Vec<u16> {
    let said = String::from_utf8_lossy(said);
    said.split("HTTP/1.1 ").skip(1).filter_map(|answer| answer.get(..3)?.parse().ok()).collect()
}

fn users(world: &World) -> Vec<String> {
    world.cluster.seen().into_iter().map(|(identity, _)| identity.name).collect()
}

const HIDDEN: &str =
    "GET /apis HTTP/1.1\r\nhost: x\r\nauthorization: Bearer hidden\r\nconnection: close\r\n\r\n";

/// What follows a body of doubtful length is nobody's request.
#[tokio::test]
async fn no_request_is_hidden_in_another() {
    let world = World::new();
    let server = serve(&world, true);
    let length = HIDDEN.len();
    let bodies = [
        ("content-length: 5\r\ntransfer-encoding: chunked".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ncontent-length: 5".to_owned(), "0\r\n\r\n"),
        (format!("content-length: 0\r\ncontent-length: {length}"), ""),
        (format!("content-length: {length}\r\ncontent-length: 0"), ""),
        (format!("content-length: 0, {length}"), ""),
        ("content-length: 0,0".to_owned(), ""),
        ("content-length: +0".to_owned(), ""),
        ("content-length: -0".to_owned(), ""),
        ("content-length: 0x0".to_owned(), ""),
        ("content-length: 0_0".to_owned(), ""),
        ("content-length: 0.0".to_owned(), ""),
        ("content-length: 0 0".to_owned(), ""),
        ("content-length:".to_owned(), ""),
        ("content-length: 18446744073709551616".to_owned(), ""),
        ("content-length : 0".to_owned(), ""),
        ("content-length\t: 0".to_owned(), ""),
        ("content-length\0: 0".to_owned(), ""),
        (format!("x: y\r\n content-length: {length}\r\ncontent-length: 0"), ""),
        ("transfer-encoding : chunked".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: identity".to_owned(), ""),
        ("transfer-encoding: chunked, identity".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: chunked, chunked".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: gzip, chunked".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: xchunked".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: \"chunked\"".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: chunked;q=1".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: chunked\x0b".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: chunked".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: chunked\r\ntransfer-encoding: x".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding:\r\n chunked".to_owned(), "0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "0x0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "+0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "-0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), ";x\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "10000000000000000\r\n\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "2\r\n{}0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "2\r\n{}x\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "2\n{}\n0\n\n"),
        ("transfer-encoding: chunked".to_owned(), "2;x\n\r\n{}\r\n0\r\n\r\n"),
        ("transfer-encoding: chunked".to_owned(), "0\r\nx: y\n\n"),
        ("transfer-encoding: chunked".to_owned(), "0\r\n\rx"),
    ];
    let mut wrong = Vec::new();
    // Of the one the body is read, of the other it is read away.
    for (user, (fields, body)) in
        ["bob", "mallory"].iter().flat_map(|user| bodies.iter().map(move |b| (user, b)))
    {
        let head = format!(
            "POST {CHALLENGES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer {user}\r\n{fields}\r\n\r\n"
        );
        let stream = TcpStream::connect(server.direct).await.unwrap();
        let said = say(stream, format!("{head}{body}{HIDDEN}").as_bytes()).await;
        if users(&world).contains(&"hidden".to_owned()) || statuses(&said).contains(&200) {
            wrong.push(format!("{user} {fields:?} {body:?}: {}", String::from_utf8_lossy(&said)));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
    // That it would be heard: a request that says where it ends.
    for (fields, body) in
        [("content-length: 2", "{}"), ("transfer-encoding: chunked", "2;x=y\r\n{}\r\n0\r\na: b\r\n\r\n")]
    {
        let head =
            format!("POST {CHALLENGES} HTTP/1.1\r\nhost: x\r\nauthorization: Bearer bob\r\n{fields}\r\n\r\n");
        let stream = TcpStream::connect(server.direct).await.unwrap();
        assert_eq!(
            statuses(&say(stream, format!("{head}{body}{HIDDEN}").as_bytes()).await).len(),
            2,
            "{fields}"
        );
        assert_eq!(users(&world), ["bob", "hidden"], "{fields}");
    }
}

/// The first answer, and who was heard. An expectation of 0 is a connection that is closed without one.
#[tokio::test]
async fn a_head_says_one_thing() {
    let world = World::new();
    let server = serve(&world, true);
    let bob = "authorization: Bearer bob\r\nconnection: close\r\n\r\n";
    let host = "host: x\r\n";
    let (nobody, somebody) = (Some("system:anonymous"), Some("bob"));
    let mut wrong = Vec::new();
    for (head, expected, heard) in [
        (format!("GET /apis HTTP/1.1\r\n{host}{bob}"), 200, somebody),
        (format!("\r\n\r\nGET /apis HTTP/1.1\r\n{host}{bob}"), 200, somebody),
        (format!("GET /apis HTTP/1.1\n{host}{}", bob.replace('\r', "")), 200, somebody),
        (format!("GET http://x/apis HTTP/1.1\r\n{host}{bob}"), 200, somebody),
        (format!("GET http://x/healthz HTTP/1.1\r\n{host}connection: close\r\n\r\n"), 200, None),
        (format!("GET http://healthz/apis HTTP/1.1\r\n{host}connection: close\r\n\r\n"), 403, nobody),
        (format!("GET healthz HTTP/1.1\r\n{host}{bob}"), 400, None),
        (format!("GET * HTTP/1.1\r\n{host}connection: close\r\n\r\n"), 403, nobody),
        // The original answers this one without looking who asks.
        (format!("OPTIONS * HTTP/1.1\r\n{host}connection: close\r\n\r\n"), 403, nobody),
        (format!("CONNECT x:443 HTTP/1.1\r\n{host}connection: close\r\n\r\n"), 403, nobody),
        (format!("GET /apis HTTP/1.1 \r\n{host}{bob}"), 400, None),
        (format!("GET /apis\tHTTP/1.1\r\n{host}{bob}"), 400, None),
        (format!("GET /apis x HTTP/1.1\r\n{host}{bob}"), 400, None),
        (format!("GET /apis http/1.1\r\n{host}{bob}"), 400, None),
        (format!("GET /apis HTTP/2.0\r\n{host}{bob}"), 400, None),
        (format!("GET /apis\r\n{host}{bob}"), 400, None),
        (format!("G\0T /apis HTTP/1.1\r\n{host}{bob}"), 400, None),
        (format!("GET /ap\0is HTTP/1.1\r\n{host}{bob}"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n {host}{bob}"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{bob}"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}host: y\r\n{bob}"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}authorization : Bearer bob\r\n\r\n"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}authorization:\r\n Bearer bob\r\n\r\n"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}x: y\r authorization: Bearer bob\r\n\r\n"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}x: y\0\r\n{bob}"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}: y\r\n{bob}"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}x y: z\r\n{bob}"), 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}x\r\n{bob}"), 400, None),
        ("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".to_owned(), 0, None),
        ("\x16\x03\x01".to_owned() + "xxxxx\r\n\r\n", 400, None),
        (format!("GET /apis HTTP/1.1\r\n{host}authorization: Bearer bob\r\n"), 0, None),
    ] {
        let said = say(TcpStream::connect(server.direct).await.unwrap(), head.as_bytes()).await;
        let (status, heard_now) = (statuses(&said).first().copied().unwrap_or_default(), users(&world));
        if (status, heard_now.as_slice()) != (expected, heard.map(str::to_owned).as_slice()) {
            wrong.push(format!("{head:?}: {status} {heard_now:?}"));
        }
    }
    assert!(wrong.is_empty(), "{wrong:#?}");
}

/// Each request of a connection is its own caller's.
#[tokio::test]
async fn who_comes_next_is_somebody_else() {
    let world = World::new();
    let server = serve(&world, true);
    let request = |token: &str, more: &str| {
        let token =
            if token.is_empty() { String::new() } else { format!("authorization: Bearer {token}\r\n") };
        format!("GET /apis HTTP/1.1\r\nhost: x\r\n{token}{more}\r\n")
    };
    let all = ["bob", "", "mallory", "bob", "bad", "", "eve"].map(|token| request(token, "")).concat();
    let last = request("", "connection: close\r\n");
    let said = say(TcpStream::connect(server.direct).await.unwrap(), format!("{all}{last}").as_bytes()).await;
    assert_eq!(statuses(&said), [200, 403, 403, 200, 401, 403, 200, 403]);
    let anonymous = "system:anonymous";
    assert_eq!(users(&world), ["bob", anonymous, "mallory", "bob", anonymous, "eve", anonymous]);
}

/// A front proxy's connection carries many callers; none is the one before, and a trailer is no header.
#[tokio::test]
async fn a_front_proxy_s_connection_is_not_its_last_caller_s() {
    let (proxies, clients) = (Authority::new("front-proxy-ca"), Authority::new("client-ca"));
    let world = World::new();
    world.trust(&proxies, &clients);
    let server = serve(&world, false);
    let leaf = proxies.leaf(&Kind::default());
    let get = |fields: &str| format!("GET /apis HTTP/1.1\r\nhost: x\r\n{fields}\r\n");
    let trailers = "x-remote-user: eve\r\nx-remote-group: system:masters\r\nimpersonate-user: eve\r\nauthorization: Bearer eve\r\n";
    let chunked = |fields: &str| {
        format!(
            "POST {CHALLENGES} HTTP/1.1\r\nhost: x\r\n{fields}trailer: x-remote-user\r\ntransfer-encoding: chunked\r\n\r\n\
             2\r\n{{}}\r\n0\r\n{trailers}\r\n"
        )
    };
    let requests = [
        get("x-remote-user: carol\r\nx-remote-group: g\r\n"),
        get(""),
        get("x-remote-group: system:masters\r\n"),
        get("X-REMOTE-USER: dave\r\n"),
        get("X_Remote_User: eve\r\n"),
        // For whoever passes it on; here it is nobody's hop.
        get("connection: x-remote-group\r\nx-remote-user: mallory\r\nx-remote-group: g\r\n"),
        chunked("x-remote-user: mallory\r\ncontent-type: application/json\r\n"),
    ];
    let last = get("authorization: Bearer bob\r\nconnection: close\r\n");
    let stream = connect(&server, Some(&leaf), b"http/1.1").await.unwrap();
    let said = say(stream, (requests.concat() + &last).as_bytes()).await;
    assert_eq!(statuses(&said), [200, 401, 401, 200, 401, 403, 403, 200]);
    let seen: Vec<_> = world.cluster.seen().into_iter().map(|(who, _)| (who.name, who.groups)).collect();
    let of = |name: &str, groups: &[&str]| {
        (name.to_owned(), groups.iter().map(|group| (*group).to_owned()).collect())
    };
    let (authenticated, g) = ("system:authenticated", "g");
    assert_eq!(
        seen,
        [
            of("carol", &[g, authenticated]),
            of("dave", &[authenticated]),
            of("mallory", &[g, authenticated]),
            of("mallory", &[authenticated]),
            of("bob", &[authenticated]),
        ]
    );
    // A body that is read to its end, and its trailers.
    for fields in ["", "x-remote-group: g\r\n"] {
        let stream = connect(&server, Some(&leaf), b"").await.unwrap();
        let request = chunked(fields) + &get("connection: close\r\n");
        assert_eq!(statuses(&say(stream, request.as_bytes()).await)[0], 401, "{fields}");
    }
    let stream = connect(&server, Some(&leaf), b"").await.unwrap();
    say(stream, (chunked("x-remote-user: carol\r\n") + &get("connection: close\r\n")).as_bytes()).await;
    assert_eq!(users(&world), ["carol"]);
}

#[tokio::test]
async fn the_protocol_is_the_one_agreed_on() {
    let world = World::new();
    let server = serve(&world, false);
    let get = b"GET /apis HTTP/1.1\r\nhost: x\r\nauthorization: Bearer bob\r\nconnection: close\r\n\r\n";
    let http2 = connect(&server, None, b"h2").await.unwrap();
    assert_eq!(statuses(&say(http2, get).await), [0_u16; 0]);
    let preface = harness::attack::frames::opening(&[]);
    let http1 = connect(&server, None, b"http/1.1").await.unwrap();
    assert_eq!(statuses(&say(http1, &preface).await), [0_u16; 0]);
    assert!(connect(&server, None, b"http/1.0").await.is_err());
    assert!(users(&world).is_empty());
    let upgrade = b"GET /apis HTTP/1.1\r\nhost: x\r\nauthorization: Bearer bob\r\nconnection: upgrade, http2-settings, close\r\n\
                    upgrade: h2c\r\nhttp2-settings: AAMAAABkAAQAAP__\r\n\r\n";
    let http1 = connect(&server, None, b"http/1.1").await.unwrap();
    assert_eq!(statuses(&say(http1, upgrade).await), [200]);
    let plain = TcpStream::connect(server.direct).await.unwrap();
    assert_eq!(statuses(&say(plain, get).await), [0_u16; 0]);
    assert_eq!(users(&world), ["bob"]);
}
