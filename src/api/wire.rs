//! `ChallengePayload`, in and out.
//!
//! Source: `pkg/acme/webhook/apis/acme/v1alpha1/types.go` and `pkg/acme/webhook/registry/challengepayload/` of
//! cert-manager.

use serde::Serialize;
use serde_json::value::RawValue;

use super::failure::Empty;
use crate::challenge::ChallengeRequest;

mod payload;
mod schema;

pub(super) use payload::{Payload, decode, strictly_refused};

/// The group of the payload itself; the API group of the webhook is the operator's.
pub(super) const GROUP: &str = "webhook.acme.cert-manager.io";
pub(super) const VERSION: &str = "v1alpha1";
pub(super) const KIND: &str = "ChallengePayload";
const API_VERSION: &str = "webhook.acme.cert-manager.io/v1alpha1";

/// A request as it is echoed, made before the solver takes it.
#[derive(Debug)]
pub(super) struct Echo {
    uid: String,
    request: Box<RawValue>,
}

impl Echo {
    pub(super) fn of(request: &ChallengeRequest) -> Result<Self, serde_json::Error> {
        Ok(Self { uid: request.uid.clone(), request: serde_json::value::to_raw_value(request)? })
    }
}

/// A payload with its answer. On a 2xx without `response`, cert-manager's controller panics; a failure without a text
/// counts as a success (`pkg/issuer/acme/dns/webhook/webhook.go`). Neither can be built here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered<'a> {
    kind: &'static str,
    api_version: &'static str,
    request: &'a RawValue,
    response: Outcome<'a>,
}

#[derive(Serialize)]
struct Outcome<'a> {
    uid: &'a str,
    success: bool,
    #[serde(skip_serializing_if = "Option::is_none")]
    status: Option<Failed<'a>>,
}

#[derive(Serialize)]
struct Failed<'a> {
    metadata: Empty,
    status: &'static str,
    message: &'a str,
}

impl<'a> Answered<'a> {
    /// A failure is the text that becomes the Challenge's `status.reason`.
    pub(super) fn new(echo: &'a Echo, failure: Option<&'a str>) -> Self {
        let status = failure.map(|message| Failed {
            metadata: Empty {},
            // Not "Failure": the original's word.
            status: "Failed",
            message: if message.is_empty() { UNKNOWN } else { message },
        });
        Self {
            kind: KIND,
            api_version: API_VERSION,
            request: &echo.request,
            response: Outcome { uid: &echo.uid, success: status.is_none(), status },
        }
    }
}

const UNKNOWN: &str = "the webhook failed without saying why";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_failure_never_lacks_a_text() {
        let echo = Echo::of(&ChallengeRequest::default()).unwrap();
        let body = serde_json::to_value(Answered::new(&echo, Some(""))).unwrap();
        assert_eq!(body["response"]["status"]["message"], UNKNOWN);
        assert_eq!(body["response"]["success"], false);
    }
}
