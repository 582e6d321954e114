//! Certificates of a client, whose key the handshake has proved: only what the authority has signed is believed, word
//! for word.
#![no_main]

use std::sync::{LazyLock, Mutex};

use axum::body::Body;
use cert_manager_webhook_cloudflare::access::PeerCertificates;
use fuzz::World;
use http::{Request, StatusCode};
use libfuzzer_sys::fuzz_target;
use rustls::pki_types::CertificateDer;

static WORLD: LazyLock<Mutex<World>> = LazyLock::new(|| {
    let authorities = [
        ("client-ca-file", include_str!("../../../testdata/pki/client-ca.pem")),
        ("requestheader-client-ca-file", include_str!("../../../testdata/pki/proxy-ca.pem")),
    ];
    Mutex::new(World::new(&authorities.map(|(key, value)| (key.to_owned(), value.to_owned())).into()))
});

fuzz_target!(|data: &[u8]| {
    let peer = PeerCertificates::new(&[CertificateDer::from(data)]);
    let mut request = Request::get("/metrics").body(Body::empty()).unwrap();
    request.extensions_mut().insert(peer);

    let outcome = WORLD.lock().unwrap().ask(request, false);
    let text = String::from_utf8_lossy(&outcome.body);
    match outcome.status {
        StatusCode::UNAUTHORIZED => {}
        StatusCode::FORBIDDEN => assert!(text.contains(r#"User \"alice\" cannot get path"#), "{text}"),
        status => panic!("{status}: {text}"),
    }
});
