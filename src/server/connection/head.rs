//! Heads of HTTP/1 that must be refused, because whoever stands in front may read them otherwise
//! ([RFC 9112](https://www.rfc-editor.org/rfc/rfc9112) §3.2, §6.1). hyper leaves that to its user.
//!
//! The answers are those of Go's `net/http` (`server.go`, `transfer.go`).

use axum::body::Body;
use http::header::{CONNECTION, CONTENT_TYPE, EXPECT, HOST, TRANSFER_ENCODING};
use http::request::Parts;
use http::{HeaderValue, Method, Response, StatusCode, Version};

/// The answer to a head that can't be taken; `None` for one that can.
pub(super) fn refusal(head: &Parts) -> Option<Response<Body>> {
    let (status, text) = fault(head)?;
    let mut response = Response::new(Body::from(text));
    *response.status_mut() = status;
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static("text/plain; charset=utf-8"));
    headers.insert(CONNECTION, HeaderValue::from_static("close"));
    Some(response)
}

fn fault(head: &Parts) -> Option<(StatusCode, &'static str)> {
    let bad = |text| Some((StatusCode::BAD_REQUEST, text));
    let mut codings = head.headers.get_all(TRANSFER_ENCODING).iter();
    if let Some(coding) = codings.next()
        && (codings.next().is_some() || !coding.as_bytes().eq_ignore_ascii_case(b"chunked"))
    {
        return Some((StatusCode::NOT_IMPLEMENTED, "Unsupported transfer encoding"));
    }
    let mut hosts = head.headers.get_all(HOST).iter();
    match (hosts.next(), hosts.next()) {
        (_, Some(_)) => return bad("400 Bad Request"),
        (Some(host), None) if !host.as_bytes().iter().all(|byte| is_of_a_host(*byte)) => {
            return bad("400 Bad Request: malformed Host header");
        }
        (None, None) if head.version == Version::HTTP_11 && head.method != Method::CONNECT => {
            return bad("400 Bad Request: missing required Host header");
        }
        _ => {}
    }
    // A target that is a name alone belongs to CONNECT.
    if head.uri.path().is_empty() && head.method != Method::CONNECT {
        return bad("400 Bad Request");
    }
    let expects = head.headers.get(EXPECT).filter(|value| !value.is_empty());
    if expects.is_some_and(|value| !value.as_bytes().eq_ignore_ascii_case(b"100-continue")) {
        return Some((StatusCode::EXPECTATION_FAILED, ""));
    }
    None
}

/// `validHostByte` of `golang.org/x/net/http/httpguts`.
fn is_of_a_host(byte: u8) -> bool {
    byte.is_ascii_alphanumeric() || b"!$%&'()*+,-.:;=[]_~".contains(&byte)
}

#[cfg(test)]
mod tests {
    use http::Request;

    use super::*;

    fn status(target: &str, version: Version, fields: &[(&str, &str)]) -> u16 {
        let mut request = Request::get(target).version(version);
        for (name, value) in fields {
            request = request.header(*name, *value);
        }
        let (head, ()) = request.body(()).unwrap().into_parts();
        refusal(&head).map_or(200, |response| response.status().as_u16())
    }

    #[test]
    fn what_can_be_read_in_two_ways_is_not_read() {
        let host = ("host", "x:443");
        let coding = |value| [host, ("transfer-encoding", value)];
        for (expected, fields) in [
            (200, &[host][..]),
            (400, &[]),
            (400, &[host, host]),
            (400, &[("host", "a b/c")]),
            (200, &[("host", "")]),
            (200, &[("host", "[::1]:443")]),
            (200, &coding("Chunked")),
            (501, &coding("gzip, chunked")),
            (501, &coding("chunked, chunked")),
            (501, &[host, ("transfer-encoding", "chunked"), ("transfer-encoding", "chunked")]),
            (501, &coding("identity")),
            (200, &[host, ("expect", "100-Continue")]),
            (417, &[host, ("expect", "magic")]),
        ] {
            assert_eq!(status("/apis", Version::HTTP_11, fields), expected, "{fields:?}");
        }
        assert_eq!(status("/apis", Version::HTTP_10, &[]), 200);
        assert_eq!(status("healthz", Version::HTTP_11, &[host]), 400);
        assert_eq!(status("http://x/healthz", Version::HTTP_11, &[host]), 200);
    }
}
