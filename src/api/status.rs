//! Every status code, and the texts that go with the failures.
//!
//! Sources: `pkg/api/errors/errors.go` of `k8s.io/apimachinery`; `pkg/endpoints/handlers/responsewriters/errors.go`,
//! `pkg/endpoints/handlers/negotiation/errors.go`, `pkg/server/filters/` of `k8s.io/apiserver`.

use axum::body::Body;
use http::header::{CONNECTION, CONTENT_TYPE, RETRY_AFTER, VARY, X_CONTENT_TYPE_OPTIONS};
use http::{HeaderValue, Response, StatusCode};

use super::failure::{Cause, Details, Failure};
use super::quote::quote;
use crate::access::{AccessError, Attributes, Identity};

/// Found.
pub(super) fn found(content_type: HeaderValue, body: impl Into<Body>) -> Response<Body> {
    let mut response = Response::new(body.into());
    response.headers_mut().insert(CONTENT_TYPE, content_type);
    response
}

/// Found, as text of the given type.
pub(crate) fn text(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    respond(StatusCode::OK, content_type, body)
}

/// The caller's copy is still right.
pub(super) fn not_modified() -> Response<Body> {
    without_body(StatusCode::NOT_MODIFIED)
}

/// A challenge has been answered, whatever the answer is.
pub(super) fn created(content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    respond(StatusCode::CREATED, content_type, body)
}

/// What Go's server answers before anybody looks at the request.
pub(super) fn malformed() -> Failure {
    let mut page = respond(StatusCode::BAD_REQUEST, TEXT, "400 Bad Request");
    page.headers_mut().insert(CONNECTION, HeaderValue::from_static("close"));
    page.into()
}

/// The request can't be understood, or asks for what is never done.
pub(super) fn bad_request(message: impl Into<String>) -> Failure {
    Failure::new(StatusCode::BAD_REQUEST, "BadRequest", message.into())
}

/// A credential was presented and does not hold. Which, and why, stands in the log alone.
pub(super) fn unauthorized() -> Failure {
    Failure::new(StatusCode::UNAUTHORIZED, "Unauthorized", "Unauthorized")
}

/// The API server does not allow it.
pub(super) fn forbidden(identity: &Identity, attributes: &Attributes, reason: &str) -> Failure {
    let user = quote(&identity.name);
    let (subject, details, what) = match attributes {
        Attributes::NonResource { verb, path } => (
            "forbidden".to_owned(),
            Details::default(),
            format!("User {user} cannot {verb} path {}", quote(path)),
        ),
        Attributes::Resource(resource) => {
            let (verb, group, name) = (&resource.verb, &resource.group, &resource.name);
            let join = |text: &str, separator: &str, more: &str| {
                if more.is_empty() { text.to_owned() } else { [text, separator, more].concat() }
            };
            let subject = join(&resource.resource, ".", group);
            let named = if name.is_empty() { String::new() } else { quote(name) };
            let kind = join(&resource.resource, "/", &resource.subresource);
            let scope = match resource.namespace.as_str() {
                "" => "at the cluster scope".to_owned(),
                namespace => format!("in the namespace {}", quote(namespace)),
            };
            (
                format!("{} is forbidden", join(&subject, " ", &named)),
                Details {
                    name: name.clone(),
                    group: group.clone(),
                    kind: resource.resource.clone(),
                    ..Details::default()
                },
                format!(
                    "User {user} cannot {verb} resource {} in API group {} {scope}",
                    quote(&kind),
                    quote(group)
                ),
            )
        }
    };
    let colon = if reason.is_empty() { "" } else { ": " };
    let message = format!("{subject}: {}{colon}{reason}", sanitize(&what));
    Failure::new(StatusCode::FORBIDDEN, "Forbidden", message).with(details).nosniff()
}

/// Impersonation is for kube-apiserver to resolve; here it is refused rather than overlooked.
pub(super) fn impersonation() -> Failure {
    let message = "impersonation is not supported here: send the request through kube-apiserver";
    Failure::new(StatusCode::FORBIDDEN, "Forbidden", message).nosniff()
}

/// Nobody could be asked: the request is refused, but not for ever.
pub(super) fn undecided(target: &str, error: &AccessError) -> Failure {
    let text = sanitize(&format!("Internal Server Error: {}: {error}", quote(target)));
    plain(StatusCode::INTERNAL_SERVER_ERROR, text).into()
}

/// A path that belongs to no service.
pub(crate) fn page_not_found() -> Response<Body> {
    plain(StatusCode::NOT_FOUND, "404 page not found".to_owned())
}

/// The same, with what there is instead.
pub(super) fn elsewhere(index: impl Into<Body>) -> Response<Body> {
    respond(StatusCode::NOT_FOUND, super::media::JSON, index)
}

/// A path of ours with nothing behind it.
pub(super) fn not_found() -> Failure {
    let message = "the server could not find the requested resource";
    Failure::new(StatusCode::NOT_FOUND, "NotFound", message).with(Details::default())
}

/// There is something, but it can't be done that way.
pub(super) fn method_not_allowed() -> Failure {
    let message = "the server does not allow this method on the requested resource";
    Failure::new(StatusCode::METHOD_NOT_ALLOWED, "MethodNotAllowed", message).with(Details::default())
}

/// The caller reads no media type of those that there are.
pub(super) fn not_representable(offered: &[&str]) -> Failure {
    let message = format!("406: Not Acceptable\n\nAvailable representations: {}", offered.join(", "));
    Failure::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message).with(Details::default())
}

/// The caller reads one of the media types, but not with these parameters.
pub(super) fn not_acceptable(offered: &[&str]) -> Failure {
    let message = format!("only the following media types are accepted: {}", offered.join(", "));
    Failure::new(StatusCode::NOT_ACCEPTABLE, "NotAcceptable", message)
}

/// The caller reads no media type of the document. As there, without a word.
pub(super) fn no_such_document() -> Failure {
    let mut page = without_body(StatusCode::NOT_ACCEPTABLE);
    page.headers_mut().insert(VARY, HeaderValue::from_static("Accept"));
    page.into()
}

/// The body is of another media type.
pub(super) fn unsupported_media_type(accepted: &[&str]) -> Failure {
    let message = format!(
        "the body of the request was in an unknown format - accepted media types include: {}",
        accepted.join(", ")
    );
    Failure::new(StatusCode::UNSUPPORTED_MEDIA_TYPE, "UnsupportedMediaType", message)
}

/// The body is longer than this.
pub(super) fn too_large(limit: usize) -> Failure {
    let message = format!("Request entity too large: limit is {limit}");
    Failure::new(StatusCode::PAYLOAD_TOO_LARGE, "RequestEntityTooLarge", message)
}

/// The options of the request are not what they may be (`NewInvalid`).
pub(super) fn invalid(group: &str, kind: &str, causes: Vec<Cause>) -> Failure {
    let texts: Vec<_> = causes.iter().map(|cause| format!("{}: {}", cause.field, cause.message)).collect();
    let (open, close) = if texts.len() == 1 { ("", "") } else { ("[", "]") };
    let message = format!("{kind}.{group} \"\" is invalid: {open}{}{close}", texts.join(", "));
    let details = Details { group: group.to_owned(), kind: kind.to_owned(), causes, ..Details::default() };
    Failure::new(StatusCode::UNPROCESSABLE_ENTITY, "Invalid", message).with(details)
}

/// The request is read, but says nothing that could be done. As there, without a reason.
pub(super) fn nothing_to_do(message: String) -> Failure {
    Failure::new(StatusCode::INTERNAL_SERVER_ERROR, "", message)
}

/// Too many at once. Nothing has been done yet: client-go may send it again, and does so within one call.
pub(super) fn too_many_requests() -> Failure {
    let text = "Too many requests, please try again later.".to_owned();
    let mut page = plain(StatusCode::TOO_MANY_REQUESTS, text);
    page.headers_mut().insert(RETRY_AFTER, HeaderValue::from_static("1"));
    page.into()
}

/// A defect, of which this request alone dies.
pub(super) fn panicked() -> Response<Body> {
    let text = "This request caused apiserver to panic. Look in the logs for details.".to_owned();
    plain(StatusCode::INTERNAL_SERVER_ERROR, text)
}

/// A check of the server's health fails.
pub(crate) fn unhealthy(report: String) -> Response<Body> {
    plain(StatusCode::INTERNAL_SERVER_ERROR, report)
}

/// No answer in time; what was begun goes on. No `Retry-After`: it would be sent again within one call.
pub(super) fn timeout() -> Failure {
    let message = "Timeout: request did not complete within requested timeout - context deadline exceeded";
    Failure::new(StatusCode::GATEWAY_TIMEOUT, "Timeout", message).with(Details::default())
}

/// As Go's `http.Error`.
fn plain(code: StatusCode, mut text: String) -> Response<Body> {
    text.push('\n');
    nosniff(respond(code, TEXT, text))
}

pub(super) fn respond(code: StatusCode, content_type: &'static str, body: impl Into<Body>) -> Response<Body> {
    let mut response = found(HeaderValue::from_static(content_type), body);
    *response.status_mut() = code;
    response
}

fn without_body(code: StatusCode) -> Response<Body> {
    let mut response = Response::new(Body::empty());
    *response.status_mut() = code;
    response
}

/// The same, for browsers to take as it is.
pub(crate) fn nosniff(mut response: Response<Body>) -> Response<Body> {
    response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
    response
}

/// Nothing that looks like HTML; quotes are fine.
fn sanitize(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

pub(crate) const TEXT: &str = "text/plain; charset=utf-8";
pub(super) const NOSNIFF: HeaderValue = HeaderValue::from_static("nosniff");
