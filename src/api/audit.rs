//! `Audit-Id`: names a request in the log of every server it passes.
//!
//! Source: `pkg/endpoints/filters/audit_init.go` of `k8s.io/apiserver`.

use aws_lc_rs::rand;
use http::header::HeaderName;
use http::{HeaderMap, HeaderValue};

/// The header.
pub(super) const ID: HeaderName = HeaderName::from_static("audit-id");

/// The caller's, or a random UUID ([RFC 9562 §5.4](https://www.rfc-editor.org/rfc/rfc9562#section-5.4)).
pub(super) fn id(headers: &HeaderMap) -> HeaderValue {
    if let Some(id) = headers.get(ID).filter(|id| !id.is_empty()) {
        return id.clone();
    }
    let mut bytes = [0_u8; 16];
    // Without randomness the id is of no use to anybody, but the request is.
    let _ = rand::fill(&mut bytes);
    bytes[6] = bytes[6] & 0x0f | 0x40;
    bytes[8] = bytes[8] & 0x3f | 0x80;
    let mut text = [b'-'; 36];
    let mut at = 0;
    for (index, byte) in bytes.into_iter().enumerate() {
        at += usize::from(matches!(index, 4 | 6 | 8 | 10));
        text[at] = HEX[usize::from(byte >> 4)];
        text[at + 1] = HEX[usize::from(byte & 0xf)];
        at += 2;
    }
    HeaderValue::from_bytes(&text).unwrap_or(HeaderValue::from_static(""))
}

const HEX: [u8; 16] = *b"0123456789abcdef";
