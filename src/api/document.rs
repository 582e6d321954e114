//! Documents that are made once, at the start, and answered from memory.

use std::fmt::Write;

use aws_lc_rs::digest;
use axum::body::{Body, Bytes};
use http::header::{CONTENT_TYPE, ETAG, IF_NONE_MATCH};
use http::{HeaderMap, HeaderValue, Response};
use serde_json::Value;

use super::status;

/// A JSON document and its tag.
#[derive(Debug)]
pub(super) struct Document {
    body: Bytes,
    hash: String,
    etag: HeaderValue,
    content_type: HeaderValue,
}

impl Document {
    /// The document, with the media type it goes by.
    pub(super) fn new(content: &Value, media_type: &str) -> Self {
        let body = Bytes::from(content.to_string());
        let hash = hash(&body);
        let etag = header(&format!("\"{hash}\""));
        Self { body, etag, hash, content_type: header(media_type) }
    }

    /// The digest that its tag is made of.
    pub(super) fn hash(&self) -> &str {
        &self.hash
    }

    /// The document, or 304 where the caller has it.
    pub(super) fn respond(&self, headers: &HeaderMap) -> Response<Body> {
        let mut response = if self.is_known(headers) {
            status::not_modified()
        } else {
            let mut response = status::json(self.body.clone());
            response.headers_mut().insert(CONTENT_TYPE, self.content_type.clone());
            response
        };
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
