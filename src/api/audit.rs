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
    let mut bytes = [0; 16];
    // Without randomness the id is of no use to anybody, but the request is.
    let _ = rand::fill(&mut bytes);
    let mut id = u128::from_be_bytes(bytes);
    id = (id & !(0xf << 76)) | (0x4 << 76);
    id = (id & !(0x3 << 62)) | (0x2 << 62);
    let hex = format!("{id:032x}");
    let uuid = [&hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..]].join("-");
    HeaderValue::from_str(&uuid).unwrap_or(HeaderValue::from_static(""))
}
