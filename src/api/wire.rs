//! `ChallengePayload`, in and out.
//!
//! Source: `pkg/acme/webhook/apis/acme/v1alpha1/types.go` and `pkg/acme/webhook/registry/challengepayload/` of
//! cert-manager.

use serde::Serialize;
use serde_json::{Map, Value};

use crate::challenge::ChallengeRequest;

/// The group of the payload itself; the API group of the webhook is the operator's.
pub(super) const GROUP: &str = "webhook.acme.cert-manager.io";
pub(super) const VERSION: &str = "v1alpha1";
pub(super) const KIND: &str = "ChallengePayload";
const API_VERSION: &str = "webhook.acme.cert-manager.io/v1alpha1";

/// Reads a payload. cert-manager sends neither `apiVersion` nor `kind`: absent or empty, they are what they should be.
/// As in Go, the last of several equal keys counts, and `null` is absent. The error is a text for the caller.
pub(super) fn decode(body: &[u8]) -> Result<ChallengeRequest, String> {
    let unrecognized = |error: &dyn std::fmt::Display| {
        format!("the object provided is unrecognized (must be of type {KIND}): {error}")
    };
    let value: Value = serde_json::from_slice(body).map_err(|error| unrecognized(&error))?;
    let Value::Object(mut payload) = value else {
        return Err(unrecognized(&"it is not a JSON object"));
    };
    for (field, expected) in [("apiVersion", API_VERSION), ("kind", KIND)] {
        match payload.get(field) {
            None | Some(Value::Null) => {}
            Some(Value::String(actual)) if actual.is_empty() || actual == expected => {}
            Some(_) => {
                return Err(format!(
                    "{KIND} in version {VERSION:?} cannot be handled as a {KIND}: {field} must be {expected:?} or absent"
                ));
            }
        }
    }
    let request = match payload.remove("request") {
        None | Some(Value::Null) => return Err("payload request field cannot be empty".to_owned()),
        Some(Value::Object(request)) => without_nulls(request),
        Some(_) => return Err(unrecognized(&"request is not a JSON object")),
    };
    serde_json::from_value(Value::Object(request)).map_err(|error| unrecognized(&clip(&error.to_string())))
}

/// A payload with its answer. On a 2xx without `response`, cert-manager's controller panics; a failure without a text
/// counts as a success (`pkg/issuer/acme/dns/webhook/webhook.go`). Neither can be built here.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
pub(super) struct Answered<'a> {
    kind: &'static str,
    api_version: &'static str,
    request: &'a ChallengeRequest,
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

#[derive(Serialize)]
struct Empty {}

impl<'a> Answered<'a> {
    /// Echoes the request; `Err` is the text that becomes the Challenge's `status.reason`.
    pub(super) fn new(request: &'a ChallengeRequest, result: Result<(), &'a str>) -> Self {
        let status = result.err().map(|message| Failed {
            metadata: Empty {},
            // Not "Failure": the original's word.
            status: "Failed",
            message: if message.is_empty() { UNKNOWN } else { message },
        });
        Self {
            kind: KIND,
            api_version: API_VERSION,
            request,
            response: Outcome { uid: &request.uid, success: status.is_none(), status },
        }
    }
}

/// Texts that come from outside, before they go to a log or a message.
pub(super) fn clip(text: &str) -> String {
    text.chars().take(MAX_TEXT).collect()
}

/// All but `config`, which is the issuer's and stays as it is.
fn without_nulls(request: Map<String, Value>) -> Map<String, Value> {
    request.into_iter().filter(|(_, value)| !value.is_null()).collect()
}

const UNKNOWN: &str = "the webhook failed without saying why";
const MAX_TEXT: usize = 300;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_payload_is_read_as_go_reads_it() {
        for accepted in [
            r#"{"request":{"uid":"u"}}"#,
            r#"{"kind":"","apiVersion":null,"request":{"uid":"x","uid":"u","key":null,"unknown":1}}"#,
            r#"{"kind":"ChallengePayload","apiVersion":"webhook.acme.cert-manager.io/v1alpha1","request":{"uid":"u"},"response":{}}"#,
        ] {
            assert_eq!(decode(accepted.as_bytes()).unwrap().uid, "u", "{accepted}");
        }
    }

    #[test]
    fn what_is_no_payload_is_refused() {
        for (refused, with) in [
            ("", "unrecognized"),
            ("[]", "not a JSON object"),
            ("{}", "payload request field cannot be empty"),
            (r#"{"request":null}"#, "payload request field cannot be empty"),
            (r#"{"request":[]}"#, "request is not a JSON object"),
            (r#"{"request":{"uid":7}}"#, "invalid type"),
            (r#"{"request":{}} x"#, "trailing"),
            (r#"{"apiVersion":"g/v1alpha1","request":{}}"#, "apiVersion must be"),
            (r#"{"kind":"Pod","request":{}}"#, "kind must be"),
            (r#"{"kind":7,"request":{}}"#, "kind must be"),
        ] {
            let message = decode(refused.as_bytes()).unwrap_err();
            assert!(message.contains(with), "{refused}: {message}");
        }
        let nested = "[".repeat(1 << 20);
        assert!(decode(nested.as_bytes()).is_err());
    }

    #[test]
    fn a_failure_never_lacks_a_text() {
        let request = ChallengeRequest::default();
        let body = serde_json::to_value(Answered::new(&request, Err(""))).unwrap();
        assert_eq!(body["response"]["status"]["message"], UNKNOWN);
        assert_eq!(body["response"]["success"], false);
    }
}
