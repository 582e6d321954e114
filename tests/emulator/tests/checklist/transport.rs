//! E01 to E08: envelope, headers, routing, bodies.

use std::sync::Arc;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, RootCertStore};
use serde_json::json;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use crate::support::{Lab, txt, world};

#[tokio::test]
async fn e01_answers_carry_the_edge_headers() {
    let lab = Lab::new(world()).await;
    for reply in [lab.api().get("/zones").await, lab.token("unknown").get("/zones").await] {
        assert_eq!(reply.header("content-type"), "application/json");
        assert_eq!(reply.header("server"), "cloudflare");
        let (ray, colo) = reply.header("cf-ray").split_once('-').unwrap();
        assert!(ray.len() == 16 && ray.bytes().all(|byte| byte.is_ascii_hexdigit()), "{ray}");
        assert!(colo.len() == 3 && colo.bytes().all(|byte| byte.is_ascii_uppercase()), "{colo}");
    }
}

#[tokio::test]
async fn e02_answers_tell_the_rate_limit() {
    let mut limited = world();
    limited.rate_limit = Some(cloudflare_emulator::RateLimit::default());
    let lab = Lab::new(limited).await;
    for (left, path) in [(1199, "/zones".to_owned()), (1198, lab.records(""))] {
        let reply = lab.api().get(&path).await;
        let (name, rest) = reply.header("ratelimit").split_once(";r=").unwrap();
        let (r, t) = rest.split_once(";t=").unwrap();
        assert_eq!((name, r.parse::<u32>().unwrap()), ("\"default\"", left));
        assert!((1..=300).contains(&t.parse::<u32>().unwrap()));
        assert_eq!(reply.header("ratelimit-policy"), "\"default\";q=1200;w=300");
        assert_eq!(reply.header("retry-after"), "");
    }
    let refused = lab.headers(&[]).get("/zones").await;
    assert!(refused.header("ratelimit").starts_with("\"default\";r="));
    assert_eq!(refused.header("retry-after"), "");
}

#[tokio::test]
async fn e03_unknown_path_has_no_route() {
    let lab = Lab::new(world()).await;
    for path in ["/nothing", "/zones/", "/user", "/accounts/x/tokens"] {
        let reply = lab.api().get(path).await;
        if path == "/zones/" {
            reply.fails(400, 7003, "Could not route to /client/v4/zones/,");
            continue;
        }
        reply.fails(404, 7000, "No route for that URI");
        assert_eq!(reply.json["messages"], json!([]));
        assert!(reply.text.starts_with(r#"{"success":false,"errors":"#), "{}", reply.text);
    }
}

#[tokio::test]
async fn e04_an_id_that_is_none_cannot_be_routed() {
    let lab = Lab::new(world()).await;
    let message =
        "Could not route to /client/v4/zones/example.com, perhaps your object identifier is invalid?";
    lab.api().get("/zones/example.com").await.fails(400, 7003, message);
    lab.api().get("/zones//dns_records").await.fails(
        400,
        7003,
        "Could not route to /client/v4/zones//dns_records",
    );
    lab.api().get(&lab.records("/xyz")).await.fails(400, 7003, "Could not route to ");
    lab.emulator.change(|settings| settings.switches.unroutable_is_404 = true);
    lab.api().get("/zones/example.com").await.fails(404, 7003, message);
}

#[tokio::test]
async fn e05_wrong_method_is_refused() {
    let lab = Lab::new(world()).await;
    for (method, path) in
        [("DELETE", "/zones".to_owned()), ("PUT", lab.records("")), ("GET", lab.records("/batch"))]
    {
        let reply = lab.api().send(method, &path, None).await;
        assert_eq!((reply.status, &reply.json["success"]), (405, &json!(false)));
    }
}

#[tokio::test]
async fn e06_malformed_json_is_refused() {
    let lab = Lab::new(world()).await;
    for body in ["{", "[1]", "\"x\"", ""] {
        let reply = lab.api().send("POST", &lab.records(""), Some(body.to_owned())).await;
        assert_eq!((reply.status, &reply.json["success"]), (400, &json!(false)), "{body}");
    }
    assert!(lab.emulator.records("example.com").is_empty());
}

#[tokio::test]
async fn e07_lists_tell_their_pages() {
    let lab = Lab::new(world()).await;
    lab.create(txt("a", "\"1\"")).await;
    let zones = lab.api().get("/zones").await;
    assert_eq!(
        zones.json["result_info"],
        json!({"page": 1, "per_page": 20, "count": 2, "total_count": 2, "total_pages": 1})
    );
    let records = lab.api().get(&lab.records("")).await;
    assert_eq!(
        records.json["result_info"],
        json!({"page": 1, "per_page": 100, "count": 1, "total_count": 1, "total_pages": 1})
    );
}

#[tokio::test]
async fn e08_unknown_fields_are_ignored() {
    let lab = Lab::new(world()).await;
    let mut body = txt("a", "\"1\"");
    body["zone_id"] = json!("whatever");
    body["locked"] = json!(true);
    let created = lab.create(body).await;
    assert!(created.get("zone_id").is_none() && created.get("locked").is_none());
}

/// Not in the list: the listener with a certificate, and what happens to it when the emulator is dropped.
#[tokio::test]
async fn the_api_over_tls() {
    let rcgen::CertifiedKey { cert, signing_key } =
        rcgen::generate_simple_self_signed(vec!["api.cloudflare.com".to_owned()]).unwrap();
    let directory = std::env::temp_dir().join(format!("cloudflare-emulator-tls-{}", std::process::id()));
    std::fs::create_dir_all(&directory).unwrap();
    let (chain, key) = (directory.join("tls.crt"), directory.join("tls.key"));
    std::fs::write(&chain, cert.pem()).unwrap();
    std::fs::write(&key, signing_key.serialize_pem()).unwrap();
    let mut world = world();
    world.api.tls_cert = Some(chain);
    world.api.tls_key = Some(key);
    let lab = Lab::new(world).await;
    std::fs::remove_dir_all(&directory).unwrap();

    let mut roots = RootCertStore::empty();
    roots.add(cert.der().clone()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let address =
        lab.emulator.api_url().strip_prefix("https://").unwrap().strip_suffix("/client/v4").unwrap();
    let tcp = TcpStream::connect(address).await.unwrap();
    let name = ServerName::try_from("api.cloudflare.com").unwrap();
    let mut tls = TlsConnector::from(Arc::new(config)).connect(name, tcp).await.unwrap();
    let request = "GET /client/v4/zones HTTP/1.1\r\nhost: api.cloudflare.com\r\nconnection: close\r\n\r\n";
    tls.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    tls.read_to_string(&mut answer).await.unwrap();
    assert!(answer.starts_with("HTTP/1.1 400 Bad Request\r\n") && answer.contains("9106"), "{answer}");

    let address = address.to_owned();
    drop(lab);
    tokio::task::yield_now().await;
    assert!(TcpStream::connect(address).await.is_err(), "closed");
}
