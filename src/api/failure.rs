//! Why a request is not answered as asked, in the format that its caller reads.
//!
//! Sources: `pkg/api/errors/errors.go` of `k8s.io/apimachinery`, `pkg/endpoints/handlers/responsewriters/` of
//! `k8s.io/apiserver`.

use std::borrow::Cow;

use axum::body::Body;
use http::header::X_CONTENT_TYPE_OPTIONS;
use http::{Response, StatusCode};
use serde::Serialize;

use super::media::{Format, PLAIN, Reader};
use super::status::{self, NOSNIFF};

/// A refusal, or a defect.
#[derive(Debug)]
pub(super) struct Failure(Box<Kind>);

#[derive(Debug)]
enum Kind {
    /// An object of `meta/v1`.
    Object(Object),
    /// A text, the same for everybody.
    Page(Response<Body>),
}

/// `metav1.Status`
#[derive(Debug, Serialize)]
#[serde(rename_all = "camelCase")]
struct Object {
    kind: &'static str,
    api_version: &'static str,
    metadata: Empty,
    status: &'static str,
    message: Cow<'static, str>,
    #[serde(skip_serializing_if = "str::is_empty")]
    reason: &'static str,
    #[serde(skip_serializing_if = "Option::is_none")]
    details: Option<Details>,
    code: u16,
    #[serde(skip)]
    nosniff: bool,
}

/// `metav1.StatusDetails`, without what is empty.
#[derive(Debug, Default, Serialize)]
pub(super) struct Details {
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) name: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) group: String,
    #[serde(skip_serializing_if = "str::is_empty")]
    pub(super) kind: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub(super) causes: Vec<Cause>,
}

/// `metav1.StatusCause`
#[derive(Debug, Clone, PartialEq, Eq, Serialize)]
pub(super) struct Cause {
    pub(super) reason: &'static str,
    pub(super) message: String,
    pub(super) field: &'static str,
}

/// An object without a field.
#[derive(Debug, Serialize)]
pub(super) struct Empty {}

impl Failure {
    pub(super) fn new(code: StatusCode, reason: &'static str, message: impl Into<Cow<'static, str>>) -> Self {
        Self(Box::new(Kind::Object(Object {
            kind: "Status",
            api_version: "v1",
            metadata: Empty {},
            status: "Failure",
            message: message.into(),
            reason,
            details: None,
            code: code.as_u16(),
            nosniff: false,
        })))
    }

    /// The same, with details.
    pub(super) fn with(mut self, details: Details) -> Self {
        if let Kind::Object(object) = &mut *self.0 {
            object.details = Some(details);
        }
        self
    }

    /// The same, for browsers to take as it is.
    pub(super) fn nosniff(mut self) -> Self {
        if let Kind::Object(object) = &mut *self.0 {
            object.nosniff = true;
        }
        self
    }

    /// What the caller gets (`ErrorNegotiated`). Whoever reads nothing that there is gets JSON: the failure is more
    /// important than its form.
    pub(super) fn render(self, reader: &Reader) -> Response<Body> {
        let failure = match *self.0 {
            Kind::Page(page) => return page,
            Kind::Object(object) => object,
        };
        let format = reader.choose(PLAIN).unwrap_or(Format::Pretty);
        let Some(body) = format.render(&failure) else {
            return status::panicked();
        };
        // Each code here has been one.
        let code = StatusCode::from_u16(failure.code).unwrap_or(StatusCode::INTERNAL_SERVER_ERROR);
        let mut response = status::respond(code, format.media_type(), body);
        if failure.nosniff {
            response.headers_mut().insert(X_CONTENT_TYPE_OPTIONS, NOSNIFF);
        }
        response
    }
}

impl From<Response<Body>> for Failure {
    fn from(page: Response<Body>) -> Self {
        Self(Box::new(Kind::Page(page)))
    }
}
