//! Documents that are made once, at the start, and answered from memory.

use std::fmt::Write;

use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use http::header::{ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response};
use serde_json::Value;

use super::media::{Format, JSON};
use super::status;

/// A document in every format, with a tag.
#[derive(Debug)]
pub(super) struct Document {
    json: Rendering,
    pretty: Rendering,
    yaml: Rendering,
    hash: String,
    etag: HeaderValue,
}

#[derive(Debug)]
struct Rendering {
    media_type: HeaderValue,
    body: Bytes,
}

impl Document {
    /// A document whose media type has parameters, as `;name=value`, or none.
    pub(super) fn new(content: &Value, parameters: &str) -> Self {
        let rendering = |format: Format| Rendering {
            media_type: header(&[format.media_type(), parameters].concat()),
            body: Bytes::from(format.render(content).unwrap_or_default()),
        };
        let json = rendering(Format::Json);
        let hash = hash(&json.body);
        let etag = header(&format!("\"{hash}\""));
        Self { json, pretty: rendering(Format::Pretty), yaml: rendering(Format::Yaml), hash, etag }
    }

    /// The digest that its tag is made of.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// The document.
    pub(super) fn respond(&self, format: Format) -> Response<Body> {
        let rendering = match format {
            Format::Json => &self.json,
            Format::Pretty => &self.pretty,
            Format::Yaml => &self.yaml,
        };
        status::found(rendering.media_type.clone(), rendering.body.clone())
    }

    /// The document, or 304 where the caller has it. The tag is that of the JSON, in every format.
    pub(super) fn tagged(&self, format: Format, headers: &HeaderMap) -> Response<Body> {
        let mut response = if self.is_known(headers) { status::not_modified() } else { self.respond(format) };
        response.headers_mut().insert(ETAG, self.etag.clone());
        response
    }

    /// `If-None-Match` of [RFC 9110 §13.1.2](https://www.rfc-editor.org/rfc/rfc9110#section-13.1.2).
    fn is_known(&self, headers: &HeaderMap) -> bool {
        let tags = headers.get_all(IF_NONE_MATCH).into_iter().filter_map(|tags| tags.to_str().ok());
        tags.flat_map(|tags| tags.split(',')).map(str::trim).any(|tag| {
            let tag = tag.strip_prefix("W/").unwrap_or(tag);
            tag == "*" || tag.as_bytes() == self.etag.as_bytes()
        })
    }
}

/// JSON for people, as the answers that have no other format (`WriteRawJSON`).
pub(super) fn raw(content: &Value) -> Bytes {
    Format::Pretty.render(content).unwrap_or_default().into()
}

/// What [`raw`] has made.
pub(super) fn found(body: &Bytes) -> Response<Body> {
    status::found(HeaderValue::from_static(JSON), body.clone())
}

/// SHA-512 in upper-case hex: `pkg/endpoints/discovery/aggregated/etag.go` of `k8s.io/apiserver`, `computeETag` of
/// `k8s.io/kube-openapi`.
fn hash(body: &[u8]) -> String {
    let mut hash = String::with_capacity(128);
    for byte in digest::digest(&digest::SHA512, body).as_ref() {
        // Writing to a String does not fail.
        let _ = write!(hash, "{byte:02X}");
    }
    hash
}

/// The texts are this program's own: visible ASCII.
fn header(text: &str) -> HeaderValue {
    HeaderValue::from_str(text).unwrap_or(HeaderValue::from_static(""))
}
