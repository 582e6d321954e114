//! The headers of a front proxy, and the configuration that says which they are: nobody is in a group that no header
//! names.
//!
//! Input: lines `@key=value` of the `ConfigMap`, and lines `name: value` of the request. The peer has the front
//! proxy's certificate throughout.
#![no_main]

use std::collections::BTreeMap;
use std::sync::LazyLock;

use cert_manager_webhook_cloudflare::access::{Asked, FrontProxyConfig, PeerCertificates, request_header};
use http::{HeaderMap, HeaderName, HeaderValue};
use libfuzzer_sys::fuzz_target;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, UnixTime};

const AUTHORITY: &str = include_str!("../../../testdata/pki/proxy-ca.pem");

static PEER: LazyLock<PeerCertificates> = LazyLock::new(|| {
    let leaf = include_bytes!("../../../testdata/pki/proxy.pem");
    PeerCertificates::new(&[CertificateDer::from_pem_slice(leaf).unwrap()])
});

fuzz_target!(|data: &[u8]| {
    let mut map = BTreeMap::from(
        [
            ("requestheader-username-headers", r#"["X-Remote-User"]"#),
            ("requestheader-uid-headers", r#"["X-Remote-Uid"]"#),
            ("requestheader-group-headers", r#"["X-Remote-Group"]"#),
            ("requestheader-extra-headers-prefix", r#"["X-Remote-Extra-"]"#),
        ]
        .map(|(key, value)| (key.to_owned(), value.to_owned())),
    );
    let mut headers = HeaderMap::new();
    for line in data.split(|byte| *byte == b'\n') {
        if let Some(setting) = line.strip_prefix(b"@") {
            let Ok(setting) = std::str::from_utf8(setting) else { return };
            let Some((key, value)) = setting.split_once('=') else { return };
            map.insert(key.to_owned(), value.to_owned());
        } else {
            let mut parts = line.splitn(2, |byte| *byte == b':');
            let (Some(name), Some(value)) = (parts.next(), parts.next()) else { return };
            let (Ok(name), Ok(value)) =
                (HeaderName::from_bytes(name), HeaderValue::from_bytes(value.trim_ascii()))
            else {
                return;
            };
            headers.append(name, value);
        }
    }
    map.insert("requestheader-client-ca-file".to_owned(), AUTHORITY.to_owned());
    let mut config = FrontProxyConfig::default();
    // What can't be read is off.
    let _ = config.update("uid", &map, Asked::ALL);
    let Ok(Some(identity)) = request_header::identity(&config, &PEER, &headers, UnixTime::now()) else {
        return;
    };

    let stated = |text: &str| headers.values().any(|value| spelled(value) == text);
    assert!(!identity.name.is_empty() && stated(&identity.name));
    assert!(identity.uid.is_empty() || stated(&identity.uid));
    assert!(identity.groups.iter().all(|group| !group.is_empty() && stated(group)));
    assert!(identity.extra.values().flatten().all(|value| stated(value)));
});

/// As in the JSON of Go: each byte that is not UTF-8 is replaced.
fn spelled(value: &HeaderValue) -> String {
    let chunks = value.as_bytes().utf8_chunks();
    chunks.map(|chunk| chunk.valid().to_owned() + &"\u{fffd}".repeat(chunk.invalid().len())).collect()
}
