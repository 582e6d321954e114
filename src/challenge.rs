//! A challenge as cert-manager sends it, and as the solver may rely on it.
//!
//! Whoever may create a Challenge may send anything: each field is hostile until parsed.

use std::fmt;

use serde::{Deserialize, Serialize};

use crate::name::{Fqdn, NameError};

/// `request` of a `ChallengePayload`, as on the wire; unknown fields are ignored, absent ones empty.
///
/// Source: `pkg/acme/webhook/apis/acme/v1alpha1/types.go` of cert-manager.
#[derive(Debug, Clone, Default, Deserialize, Serialize)]
#[serde(rename_all = "camelCase", default)]
pub struct ChallengeRequest {
    /// Always empty from cert-manager; echoed in the answer.
    pub uid: String,
    /// `Present` or `CleanUp`.
    pub action: String,
    /// `dns-01` from cert-manager, empty from its conformance suite.
    #[serde(rename = "type")]
    pub kind: String,
    /// The name to be validated, without `*.`.
    pub dns_name: String,
    /// The TXT value to serve: the base64url SHA-256 digest of the key authorization (RFC 8555 §8.4).
    pub key: String,
    /// The Issuer's namespace; for a `ClusterIssuer`, cert-manager's cluster resource namespace.
    pub resource_namespace: String,
    /// Where the record goes, with a final dot; the target of a CNAME with `cnameStrategy: Follow`.
    #[serde(rename = "resolvedFQDN", skip_serializing_if = "String::is_empty")]
    pub resolved_fqdn: String,
    /// What cert-manager's resolvers take for the zone. Not used: split-horizon resolvers get it wrong.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub resolved_zone: String,
    /// Whether the issuer may use the operator's own token.
    pub allow_ambient_credentials: bool,
    /// The issuer's `webhook.config`, verbatim.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub config: Option<serde_json::Value>,
}

/// What is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash)]
pub enum Action {
    /// Serve the value, and confirm it.
    Present,
    /// Serve it no longer.
    CleanUp,
}

impl Action {
    /// The action by its name in `request.action`.
    pub fn parse(name: &str) -> Option<Self> {
        match name {
            "Present" => Some(Self::Present),
            "CleanUp" => Some(Self::CleanUp),
            _ => None,
        }
    }
}

/// A challenge whose every field has been checked, except the issuer's configuration ([`crate::issuer`]).
#[derive(Debug, Clone)]
pub struct Challenge {
    /// The name to be validated, where it is one; only ever compared with that of other Challenges.
    pub dns_name: Option<Fqdn>,
    /// The record's name.
    pub fqdn: Fqdn,
    /// The record's value.
    pub value: TxtValue,
    /// Where the issuer's Secrets are.
    pub namespace: String,
    /// Whether the operator's own token may be used.
    pub ambient: bool,
    /// The issuer's configuration, unread.
    pub config: Option<serde_json::Value>,
}

impl Challenge {
    /// Checks a request.
    pub fn parse(request: ChallengeRequest) -> Result<Self, ChallengeError> {
        if !is_namespace(&request.resource_namespace) {
            return Err(ChallengeError::Namespace);
        }
        Ok(Self {
            dns_name: Fqdn::parse(&request.dns_name).ok(),
            fqdn: Fqdn::parse(&request.resolved_fqdn).map_err(ChallengeError::Name)?,
            value: TxtValue::parse(&request.key).ok_or(ChallengeError::Value)?,
            namespace: request.resource_namespace,
            ambient: request.allow_ambient_credentials,
            config: request.config,
        })
    }
}

/// Why a request is no challenge. The texts never repeat the input.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ChallengeError {
    /// `resolvedFQDN` is no name.
    #[error("request.resolvedFQDN is not a DNS name: {0}")]
    Name(NameError),
    /// `resourceNamespace` is no namespace.
    #[error("request.resourceNamespace is not the name of a namespace")]
    Namespace,
    /// `key` is no digest.
    #[error("request.key is not base64url text")]
    Value,
}

/// A TXT value of base64url characters, with padding at most at its end; an ACME digest has 43 of them.
///
/// Nothing else is ever written: with `=` or a space inside, a Challenge made by hand could prove a domain
/// to a third party ("google-site-verification=…") or change its mail policy ("v=spf1 …").
#[derive(Clone, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct TxtValue(String);

impl TxtValue {
    /// The value, if it is one.
    pub fn parse(text: &str) -> Option<Self> {
        let digits = text.trim_end_matches('=');
        let padding = text.len() - digits.len();
        let base64url = |b: u8| b.is_ascii_alphanumeric() || b == b'-' || b == b'_';
        let fits = !digits.is_empty() && text.len() <= MAX_VALUE && padding <= 2;
        (fits && digits.bytes().all(base64url)).then(|| Self(text.to_owned()))
    }

    /// The text.
    pub fn as_str(&self) -> &str {
        &self.0
    }

    /// Whether it has the form of an ACME digest: SHA-256 as base64url without padding
    /// ([RFC 8555 §8.4](https://www.rfc-editor.org/rfc/rfc8555#section-8.4)).
    pub fn is_digest(&self) -> bool {
        self.0.len() == 43 && !self.0.contains('=')
    }
}

impl fmt::Display for TxtValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.0)
    }
}

impl fmt::Debug for TxtValue {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A label of RFC 1123, as Kubernetes wants it of a namespace; checked because it becomes part of a URL.
fn is_namespace(name: &str) -> bool {
    let allowed = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-';
    (1..=63).contains(&name.len())
        && name.bytes().all(allowed)
        && !name.starts_with('-')
        && !name.ends_with('-')
}

const MAX_VALUE: usize = 128;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_request_of_cert_manager_parses() {
        let challenge = Challenge::parse(request()).unwrap();
        assert_eq!(challenge.fqdn.as_str(), "_acme-challenge.example.com");
        assert_eq!(challenge.dns_name.unwrap().as_str(), "example.com");
        assert!(challenge.value.is_digest());
    }

    #[test]
    fn hostile_fields_are_refused() {
        let refused = |change: fn(&mut ChallengeRequest)| {
            let mut request = request();
            change(&mut request);
            Challenge::parse(request).unwrap_err()
        };
        assert_eq!(refused(|r| r.key = "\"; TXT \"".into()), ChallengeError::Value);
        assert_eq!(refused(|r| r.key = "google-site-verification=abc".into()), ChallengeError::Value);
        assert_eq!(refused(|r| r.key = String::new()), ChallengeError::Value);
        assert_eq!(refused(|r| r.key = "==".into()), ChallengeError::Value);
        assert_eq!(refused(|r| r.key = "a".repeat(129)), ChallengeError::Value);
        assert_eq!(refused(|r| r.resource_namespace = "../kube-system".into()), ChallengeError::Namespace);
        assert_eq!(refused(|r| r.resource_namespace = String::new()), ChallengeError::Namespace);
        let name = refused(|r| r.resolved_fqdn = "bücher.example.".into());
        assert_eq!(name, ChallengeError::Name(NameError::NotAscii));
    }

    #[test]
    fn values_of_the_conformance_suite_are_accepted() {
        for value in ["123d==", "anothertestingkey"] {
            assert!(!TxtValue::parse(value).unwrap().is_digest());
        }
    }

    fn request() -> ChallengeRequest {
        serde_json::from_value(serde_json::json!({
            "uid": "", "action": "Present", "type": "dns-01", "dnsName": "example.com",
            "key": "7BrNX2xkmI1o_1kJrHPYqSRqQpIPxcWlzGRFKEm7l-k", "resourceNamespace": "cert-manager",
            "resolvedFQDN": "_acme-challenge.example.com.", "resolvedZone": "example.com.",
            "allowAmbientCredentials": true, "config": {}
        }))
        .unwrap()
    }
}
