//! Every status code, and the bodies that go with the failures: `metav1.Status` wherever client-go reads one.
//!
//! Sources: `pkg/api/errors/errors.go` of `k8s.io/apimachinery`; `pkg/endpoints/handlers/responsewriters/errors.go`,
//! `pkg/endpoints/handlers/negotiation/errors.go`, `pkg/server/filters/` of `k8s.io/apiserver`.

use axum::body::Body;
use http::header::{CONTENT_TYPE, HeaderName, RETRY_AFTER, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};
use serde::Serialize;

use super::challenge::Refusal;
use crate::access::{AccessError, Attributes, Identity};

/// Found, as JSON.
pub(super) fn json(body: impl Into<Body>) -> Response<Body> {
    respond(StatusCode::OK, JSON, body)
}

/// Found, as text of the given type.
pub(crate) fn text(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = respond(StatusCode::OK, content_type, body);
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// The caller's copy is still right.
pub(super) fn not_modified() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_MODIFIED;
    response
}

/// A challenge has been answered, whatever the answer is.
pub(super) fn created(body: impl Into<Body>) -> Response<Body> {
    respond(StatusCode::CREATED, JSON, body)
}

/// The request can't be understood, or asks for what is never done.
pub(super) fn bad_request(message: &str) -> Response<Body> {
    failure(StatusCode::BAD_REQUEST, "BadRequest", message, None)
}

/// A credential was presented and does not hold. Which, and why, stands in the log alone.
pub(super) fn unauthorized() -> Response<Body> {
    failure(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized", None)
}

/// The API server does not allow it.
pub(super) fn forbidden(identity: &Identity, attributes: &Attributes, reason: &str) -> Response<Body> {
    let user = &identity.name;
    let (subject, details, what) = match attributes {
        Attributes::NonResource { verb, path } => {
            ("forbidden".to_owned(), Details::default(), format!("User {user:?} cannot {verb} path {path:?}"))
        }
        Attributes::Resource(resource) => {
            let group = &resource.group;
            let mut subject = resource.resource.clone();
            let mut kind = resource.resource.clone();
            if !group.is_empty() {
                subject = format!("{subject}.{group}");
            }
            if !resource.name.is_empty() {
                subject = format!("{subject} {:?}", resource.name);
            }
            if !resource.subresource.is_empty() {
                kind = format!("{kind}/{}", resource.subresource);
            }
            let scope = match resource.namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace {namespace:?}"),
            };
            let verb = &resource.verb;
            (
                format!("{subject} is forbidden"),
                Details {
                    name: resource.name.clone(),
                    group: group.clone(),
                    kind: resource.resource.clone(),
                },
                format!("User {user:?} cannot {verb} resource {kind:?} in API group {group:?} {scope}"),
            )
        }
    };
    let colon = if reason.is_empty() { "" } else { ": " };
    let message = format!("{subject}: {}{colon}{reason}", sanitize(&what));
    nosniff(failure(StatusCode::FORBIDDEN, "Forbidden", &message, Some(details)))
}

/// Impersonation is for kube-apiserver to resolve; here it is refused rather than overlooked.
pub(super) fn impersonation() -> Response<Body> {
    let message = "impersonation is not supported here: send the request through kube-apiserver";
    nosniff(failure(StatusCode::FORBIDDEN, "Forbidden", message, None))
}

/// Nobody could be asked: the request is refused, but not for ever.
pub(super) fn undecided(target: &str, error: &AccessError) -> Response<Body> {
    let text = sanitize(&format!("Internal Server Error: {target:?}: {error}"));
    plain(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// A path that belongs to no service.
pub(crate) fn page_not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "404 page not found".to_owned())
}

/// A path of ours with nothing behind it.
pub(super) fn not_found() -> Response<Body> {
    let message = "the server could not find the requested resource";
    failure(StatusCode::NOT_FOUND, "NotFound", message, Some(Details::default()))
}

/// There is something, but it can't be done that way.
pub(super) fn method_not_allowed() -> Response<Body> {
    let message = "the server does not allow this method on the requested resource";
    failure(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message, Some(Details::default()))
}

/// The caller reads nothing that there is. As there, without a word.
pub(super) fn not_acceptable() -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = StatusCode::NOT_ACCEPTABLE;
    response
}

/// A challenge that never reaches the solver.
pub(super) fn refused(refusal: &Refusal) -> Response<Body> {
    let (code, reason, message) = match refusal {
        Refusal::NotAcceptable => (
            StatusCode::NOT_ACCEPTABLE,
            "NotAcceptable",
            "only the following media types are accepted: application/json".to_owned(),
        ),
        Refusal::MediaType => (
            StatusCode::UNSUPPORTED_MEDIA_TYPE,
            "UnsupportedMediaType",
            "the body of the request was in an unknown format - accepted media types include: application/json".to_owned(),
        ),
        Refusal::TooLarge(limit) => (
            StatusCode::PAYLOAD_TOO_LARGE,
            "RequestEntityTooLarge",
            format!("Request entity too large: limit is {limit}"),
        ),
        Refusal::DryRun => {
            return bad_request("dryRun is not supported: a challenge can't be presented for show");
        }
        Refusal::Malformed(message) => return bad_request(message),
        Refusal::Late => return timeout(),
    };
    failure(code, reason, &message, None)
}

/// Too many at once. Nothing has been done yet: client-go may send it again, and does so within one call.
pub(super) fn too_many_requests() -> Response<Body> {
    let text = "Too many requests, please try again later.".to_owned();
    let mut response = plain(StatusCode::TOO_MANY_REQUESTS, text);
    response.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    response
}

/// A defect, of which this request alone dies.
pub(crate) fn panicked() -> Response<Body> {
    let text = "This request caused apiserver to panic. Look in the logs for details.".to_owned();
    plain(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// A check of the server's health fails.
pub(crate) fn unhealthy(report: String) -> Response<Body> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, report)
}

/// No answer in time; what was begun goes on. No `Retry-After`: it would be sent again within one call.
pub(super) fn timeout() -> Response<Body> {
    let message = "Timeout: request did not complete within requested timeout - context deadline exceeded";
    failure(StatusCode::GATEWAY_TIMEOUT, "Timeout", message, Some(Details::default()))
}

/// `metav1.Status` of a failure.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Failure<'a> {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    status: &'static str,
    message: &'a str,
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    code: u16,
}

#[derive(Serialize)]
struct Empty {}

/// `metav1.StatusDetails`, without what is empty.
#[derive(Default, Serialize)]
struct Details {
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    kind: String,
}

fn failure(
    code: StatusCode,
    reason: &'static str,
    message: &str,
    details: Option<Details>,
) -> Response<Body> {
    let body = serde_json::to_vec(&Failure {
        kind: "Status",
        api_version: "v1",
        metadata: Empty {},
        status: "Failure",
        message,
        reason,
        details,
        code: code.as_u16(),
    });
    match body {
        Ok(body) => respond(code, JSON, body),
        // Strings and numbers always serialize.
        Err(_) => plain(code, message.to_owned()),
    }
}

/// As Go's `http.Error`.
fn plain(code: StatusCode, mut text: String) -> Response<Body> {
    text.push('\n');
    nosniff(respond(code, TEXT, text))
}

fn respond(code: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    *response.status_mut() = code;
    let content_type = HeaderValue::from_static(content_type);
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

fn nosniff(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// Nothing that looks like HTML; quotes are fine.
fn sanitize(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

const JSON: &str = "application/json";
pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
/// Names this request in the log of every server it passes.
pub(super) const AUDIT_ID: HeaderName = HeaderName::from_static("audit-id");
