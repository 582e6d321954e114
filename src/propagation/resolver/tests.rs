use std::sync::Arc;

use hickory_resolver::proto::op::{Message, Query};
use hickory_resolver::proto::rr::rdata::{A, NS};
use tokio::net::UdpSocket;
use tokio_util::sync::CancellationToken;

use super::*;
use crate::server::{Drain, Limits, Server};

#[tokio::test]
async fn name_servers_are_read_and_those_of_others_are_not() {
    let (socket, server) = udp().await;
    let serve = answer(&socket, |query, reply| {
        assert_eq!(query.name.to_ascii(), "example.com.");
        assert_eq!(query.query_type, RecordType::NS);
        for (owner, ttl, name) in [
            ("example.com.", 300, "Ada.ns.cloudflare.com."),
            ("example.com.", 200, "bob.ns.cloudflare.com."),
            ("example.org.", 100, "evil.example."),
        ] {
            let ns = RData::NS(NS(Name::from_ascii(name).unwrap()));
            reply.add_answer(Record::from_rdata(Name::from_ascii(owner).unwrap(), ttl, ns));
        }
    });
    let resolvers = Resolvers::new(vec![server], true, distrust()).unwrap();
    let zone = Fqdn::parse("example.com").unwrap();
    let (found, ()) = tokio::join!(resolvers.name_servers(&zone), serve);
    let found = found.unwrap();
    assert_eq!(found.records, ["Ada.ns.cloudflare.com.", "bob.ns.cloudflare.com."]);
    assert_eq!(found.ttl, Duration::from_secs(200));
}

#[tokio::test]
async fn an_absent_name_is_empty_and_an_error_is_an_error() {
    let host = Fqdn::parse("ns.example.net").unwrap();
    for (code, empty) in [
        (ResponseCode::NXDomain, true),
        (ResponseCode::NoError, true),
        (ResponseCode::ServFail, false),
        (ResponseCode::Refused, false),
    ] {
        let (socket, server) = udp().await;
        let resolvers = Resolvers::new(vec![server], true, distrust()).unwrap();
        let serve = async {
            loop {
                answer(&socket, |_, reply| reply.metadata.response_code = code).await;
            }
        };
        let found = tokio::select! {
            found = resolvers.addresses(&host, Family::V4) => found,
            () = serve => unreachable!("serves for ever"),
        };
        assert_eq!(found.is_ok_and(|f| f.records.is_empty()), empty, "{code}");
    }
}

#[tokio::test]
async fn the_next_server_is_asked_when_one_is_dead() {
    let (dead, first) = udp().await;
    drop(dead);
    let (socket, second) = udp().await;
    let resolvers = Resolvers::new(vec![first, second], true, distrust()).unwrap();
    let serve = async {
        loop {
            answer(&socket, |query, reply| {
                let address = RData::A(A::new(192, 0, 2, 1));
                reply.add_answer(Record::from_rdata(query.name.clone(), 60, address));
            })
            .await;
        }
    };
    let host = Fqdn::parse("ns.example.net").unwrap();
    let found = tokio::select! {
        found = resolvers.addresses(&host, Family::V4) => found.unwrap(),
        () = serve => unreachable!("serves for ever"),
    };
    assert_eq!(found.records, [IpAddr::from([192, 0, 2, 1])]);
}

#[tokio::test]
async fn https_is_asked_at_its_path_and_only_where_its_certificate_is_trusted() {
    let (https, server, roots) = https();
    let serve = serve_https(https, |query, reply| {
        let address = RData::A(A::new(192, 0, 2, 1));
        reply.add_answer(Record::from_rdata(query.name.clone(), 60, address));
    });
    let trusting = Resolvers::new(vec![server.clone()], true, tls(roots)).unwrap();
    let wary = Resolvers::new(vec![server], true, distrust()).unwrap();
    let host = Fqdn::parse("ns.example.net").unwrap();
    let ask = async {
        let found = trusting.addresses(&host, Family::V4).await.unwrap();
        assert_eq!(found.records, [IpAddr::from([192, 0, 2, 1])]);
        assert!(wary.addresses(&host, Family::V4).await.is_err());
    };
    tokio::select! {
        () = ask => {}
        () = serve => unreachable!("serves for ever"),
    }
}

/// A server for DNS over HTTPS at `/custom`, and the root to trust.
pub(super) fn https() -> (Server, RecursiveServer, rustls::RootCertStore) {
    let key = rcgen::generate_simple_self_signed(["127.0.0.1".to_owned()]).unwrap();
    let https =
        Server::bind(([127, 0, 0, 1], 0).into(), Some(https_config(&key)), Limits::default()).unwrap();
    let server = format!("https://{}/custom", https.local_addr().unwrap()).parse().unwrap();
    let mut roots = rustls::RootCertStore::empty();
    roots.add(key.cert.der().clone()).unwrap();
    (https, server, roots)
}

/// Answers for ever.
pub(super) async fn serve_https(server: Server, fill: fn(&Query, &mut Message)) {
    let answer = move |body: axum::body::Bytes| async move {
        let query = Message::from_vec(&body).unwrap();
        let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
        reply.metadata.recursion_available = true;
        reply.add_query(query.queries[0].clone());
        fill(&query.queries[0], &mut reply);
        let kind = [("content-type", "application/dns-message")];
        (kind, reply.to_vec().unwrap())
    };
    let router = axum::Router::new().route("/custom", axum::routing::post(answer));
    let drain = Drain { delay: Duration::ZERO, grace: Duration::ZERO };
    server.serve(router, CancellationToken::new(), drain, None).await;
}

fn https_config(key: &rcgen::CertifiedKey<rcgen::KeyPair>) -> Arc<rustls::ServerConfig> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let private = rustls::pki_types::PrivatePkcs8KeyDer::from(key.signing_key.serialize_der());
    let mut config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![key.cert.der().clone()], private.into())
        .unwrap();
    config.alpn_protocols = vec![b"h2".to_vec()];
    Arc::new(config)
}

async fn udp() -> (UdpSocket, RecursiveServer) {
    let socket = UdpSocket::bind("127.0.0.1:0").await.unwrap();
    let server = socket.local_addr().unwrap().to_string().parse().unwrap();
    (socket, server)
}

/// Answers one question.
async fn answer(socket: &UdpSocket, fill: impl Fn(&Query, &mut Message)) {
    let mut buffer = [0; 1500];
    let (length, from) = socket.recv_from(&mut buffer).await.unwrap();
    let query = Message::from_vec(&buffer[..length]).unwrap();
    let mut reply = Message::response(query.metadata.id, query.metadata.op_code);
    reply.metadata.recursion_available = true;
    reply.add_query(query.queries[0].clone());
    fill(&query.queries[0], &mut reply);
    socket.send_to(&reply.to_vec().unwrap(), from).await.unwrap();
}

pub(super) fn distrust() -> Arc<Roots> {
    tls(rustls::RootCertStore::empty())
}

pub(super) fn tls(roots: rustls::RootCertStore) -> Arc<Roots> {
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    Arc::new(Roots::new(move || Ok(config.clone())))
}
