use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::thread::JoinHandle;

use http::Method;

use super::*;
use crate::cloudflare::script::token;
use crate::metrics::Endpoint;
use crate::secret::Secret;

#[tokio::test]
async fn a_call_goes_out_whole_and_comes_back_whole() {
    let (client, server) =
        serve(["HTTP/1.1 418 I'm a teapot\r\ncf-ray: abc-IAD\r\ncontent-length: 2\r\n\r\n{}".into()]);
    let answer = client.send(&token("hunter2"), &post()).await.unwrap();
    assert_eq!(
        (answer.status.as_u16(), answer.header("cf-ray"), &*answer.body),
        (418, Some("abc-IAD"), &b"{}"[..])
    );
    let seen = &server.join().unwrap()[0];
    assert!(seen.starts_with("POST /client/v4/zones/x/dns_records?a=b HTTP/1.1\r\n"), "{seen}");
    assert!(seen.contains("authorization: Bearer hunter2\r\n"), "{seen}");
    assert!(seen.contains("content-type: application/json\r\n"), "{seen}");
    assert!(
        seen.contains(concat!(
            "user-agent: cert-manager-webhook-cloudflare/",
            env!("CARGO_PKG_VERSION"),
            "\r\n"
        )),
        "{seen}"
    );
    assert!(seen.ends_with("\r\n\r\n{\"a\":1}"), "{seen}");
}

#[tokio::test]
async fn a_key_goes_with_its_email() {
    let (client, server) = serve(["HTTP/1.1 200 OK\r\ncontent-length: 0\r\n\r\n".into()]);
    client.send(&key("a@b.example"), &get()).await.unwrap();
    let seen = &server.join().unwrap()[0];
    assert!(
        seen.contains("x-auth-email: a@b.example\r\n") && seen.contains("x-auth-key: hunter2\r\n"),
        "{seen}"
    );
    assert!(!seen.contains("authorization"), "{seen}");
}

#[tokio::test]
async fn an_email_that_is_no_header_is_not_sent() {
    let (client, server) = serve([]);
    let error = client.send(&key("a@b.example\r\nx: y"), &get()).await.unwrap_err();
    assert_eq!(error, ExchangeError::Credential);
    assert!(server.join().unwrap().is_empty());
}

#[tokio::test]
async fn a_redirect_is_an_answer_and_not_followed() {
    let (client, server) =
        serve(["HTTP/1.1 307 Moved\r\nlocation: /elsewhere\r\ncontent-length: 0\r\n\r\n".into()]);
    let answer = client.send(&token("hunter2"), &post()).await.unwrap();
    assert_eq!(answer.status.as_u16(), 307);
    assert_eq!(server.join().unwrap().len(), 1);
}

#[tokio::test]
async fn a_body_may_be_a_mebibyte_and_no_longer() {
    for (length, fits) in [(MAX_BODY, true), (MAX_BODY + 1, false)] {
        // Announced by nothing but the end of the connection.
        let (client, _server) =
            serve([format!("HTTP/1.1 200 OK\r\nconnection: close\r\n\r\n{}", "x".repeat(length))]);
        match client.send(&token("hunter2"), &get()).await {
            Ok(answer) => assert!(fits && answer.body.len() == length),
            Err(error) => assert!(!fits && error == ExchangeError::TooLong, "{error}"),
        }
    }
}

#[tokio::test]
async fn sent_and_unsent_are_told_apart() {
    for cut in ["", "HTTP/1.1 200 OK\r\ncontent-length: 100\r\n\r\n{", "SSH-2.0-OpenSSH_9.6\r\n"] {
        let (client, _server) = serve([cut.to_owned()]);
        let error = client.send(&token("hunter2"), &post()).await.unwrap_err();
        assert!(matches!(error, ExchangeError::Lost(_)), "{cut:?}: {error}");
    }
    let free = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap();
    let client = client(&format!("http://{free}/client/v4"));
    let error = client.send(&token("hunter2"), &post()).await.unwrap_err();
    assert!(matches!(error, ExchangeError::Unsent(_)), "{error}");
    let shown = format!("{error} {error:?} {client:?}");
    assert!(!shown.contains("hunter2") && !shown.contains("/zones/x"), "{shown}");
}

#[test]
fn tokens_are_marked_for_every_log() {
    for credential in [token("hunter2"), key("a@b.example")] {
        let headers = authentication(&credential).unwrap();
        assert!(headers.values().all(HeaderValue::is_sensitive));
        assert!(!format!("{headers:?}").contains("hunter2"));
    }
}

#[test]
fn the_token_never_travels_in_the_clear() {
    for good in [
        DEFAULT_API_URL,
        "https://127.0.0.1:8443/client/v4/",
        "http://localhost:8080/client/v4",
        "http://127.0.0.1:8080",
        "http://[::1]:8080/client/v4",
    ] {
        assert_eq!(base(good).unwrap(), good.trim_end_matches('/'));
    }
    for bad in [
        "http://api.cloudflare.com/client/v4",
        "http://192.0.2.1",
        "http://localhost.evil.test",
        "http://127.0.0.1.evil.test",
    ] {
        assert!(matches!(base(bad), Err(SettingsError::Plain)), "{bad}");
    }
    for bad in [
        "",
        "api.cloudflare.com",
        "ftp://127.0.0.1",
        "https://user:hunter2@host",
        "https://host?a=b",
        "https://host/#a",
        "unix:/run/x",
    ] {
        let error = base(bad).unwrap_err();
        assert!(matches!(error, SettingsError::Url), "{bad}");
        assert!(error.to_string().contains("--cloudflare-api-url") && !error.to_string().contains("hunter2"));
    }
}

#[test]
fn a_ca_file_is_read_and_must_hold_certificates() {
    let directory = tempfile::tempdir().unwrap();
    let path = directory.path().join("ca.pem");
    let settings = Settings { ca_file: Some(path.clone()), ..Settings::default() };
    let error = HttpClient::new(&settings).unwrap_err();
    assert!(matches!(error, SettingsError::CaFile(_)) && error.to_string().contains("--cloudflare-ca-file"));
    for text in ["", "no certificate"] {
        std::fs::write(&path, text).unwrap();
        assert!(matches!(HttpClient::new(&settings), Err(SettingsError::NoCertificate)), "{text}");
    }
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&path, own.cert.pem()).unwrap();
    HttpClient::new(&settings).unwrap();
}

#[tokio::test]
async fn only_the_given_roots_are_trusted() {
    let own = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let directory = tempfile::tempdir().unwrap();
    let ca = directory.path().join("ca.pem");
    std::fs::write(&ca, own.cert.pem()).unwrap();
    let foreign = directory.path().join("foreign.pem");
    let other = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    std::fs::write(&foreign, other.cert.pem()).unwrap();
    for (file, trusted) in [(Some(ca), true), (Some(foreign), false), (None, false)] {
        let (address, server) = serve_tls(&own);
        let settings =
            Settings { api_url: format!("https://localhost:{}", address.port()), ca_file: file.clone() };
        let client = HttpClient::build(reqwest::Client::builder().no_proxy(), &settings).unwrap();
        let result = client.send(&token("hunter2"), &get()).await;
        match result {
            Ok(answer) => assert!(trusted && answer.status.as_u16() == 204),
            Err(error) => assert!(!trusted && matches!(error, ExchangeError::Unsent(_)), "{file:?}: {error}"),
        }
        assert_eq!(server.join().unwrap().contains("hunter2"), trusted, "{file:?}");
    }
}

/// One connection over TLS; yields what was sent there, nothing if the handshake failed.
fn serve_tls(own: &rcgen::CertifiedKey<rcgen::KeyPair>) -> (SocketAddr, JoinHandle<String>) {
    let key = rustls::pki_types::PrivateKeyDer::try_from(own.signing_key.serialize_der()).unwrap();
    let provider = Arc::new(rustls::crypto::aws_lc_rs::default_provider());
    let config = rustls::ServerConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![own.cert.der().clone()], key)
        .unwrap();
    // Bound by the name that the certificate has, which may be of either family.
    let listener = TcpListener::bind("localhost:0").unwrap();
    let address = listener.local_addr().unwrap();
    let server = std::thread::spawn(move || {
        let connection = rustls::ServerConnection::new(Arc::new(config)).unwrap();
        let mut stream = rustls::StreamOwned::new(connection, listener.accept().unwrap().0);
        let mut seen = [0; 4096];
        let length = stream.read(&mut seen).unwrap_or_default();
        if length > 0 {
            stream.write_all(b"HTTP/1.1 204 No Content\r\n\r\n").unwrap();
        }
        String::from_utf8_lossy(&seen[..length]).into_owned()
    });
    (address, server)
}

fn get() -> Call {
    Call {
        endpoint: Endpoint::ListRecords,
        method: Method::GET,
        path: "/zones/x/dns_records?a=b".to_owned(),
        body: None,
    }
}

fn post() -> Call {
    Call {
        endpoint: Endpoint::CreateRecord,
        method: Method::POST,
        body: Some(b"{\"a\":1}".to_vec()),
        ..get()
    }
}

fn key(email: &str) -> Credential {
    Credential::Key { email: email.to_owned(), key: Secret::parse(b"hunter2").unwrap() }
}

fn client(url: &str) -> HttpClient {
    let settings = Settings { api_url: url.to_owned(), ca_file: None };
    // The machine that runs the tests may have a proxy.
    HttpClient::build(reqwest::Client::builder().no_proxy(), &settings).unwrap()
}

/// Answers one connection each, and yields what was sent there.
fn serve<const N: usize>(answers: [String; N]) -> (HttpClient, JoinHandle<Vec<String>>) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let client = client(&format!("http://{}/client/v4/", listener.local_addr().unwrap()));
    let server = std::thread::spawn(move || {
        let accept = |answer: String| {
            let mut stream = BufReader::new(listener.accept().unwrap().0);
            let mut seen = String::new();
            let mut length = 0;
            while !seen.ends_with("\r\n\r\n") {
                let start = seen.len();
                stream.read_line(&mut seen).unwrap();
                if let Some(digits) = seen[start..].strip_prefix("content-length: ") {
                    length = digits.trim().parse().unwrap();
                }
            }
            let mut body = vec![0; length];
            stream.read_exact(&mut body).unwrap();
            seen.push_str(str::from_utf8(&body).unwrap());
            // A client that refuses a body hangs up before it has it all.
            let _ = stream.get_mut().write_all(answer.as_bytes());
            seen
        };
        answers.into_iter().map(accept).collect()
    });
    (client, server)
}
