//! `SubjectAccessReview`: may they?
//!
//! Source: `plugin/pkg/authorizer/webhook/webhook.go` of `k8s.io/apiserver`.

use std::collections::BTreeMap;
use std::sync::Arc;

use aws_lc_rs::digest::{SHA256, digest};
use kube::Client;
use serde::{Deserialize, Serialize};

use super::{SharedFor, create};
use crate::access::{AccessError, Attributes, Authorizer, Decision, Identity, Requirement};
use crate::cluster::call::CallError;
use crate::expiring::Expiring;
use crate::flight::Flights;

/// Asks kube-apiserver, and remembers its answers for a moment.
#[derive(Debug)]
pub struct SubjectAccess {
    reviews: Reviews,
    shared_for: SharedFor,
    recent: Arc<Expiring<Key, Decision>>,
    flights: Flights<Key, Result<Decision, CallError>>,
}

/// A digest of what is asked: up to 10,000 characters of a caller's making would be much to keep 8,192 times.
type Key = [u8; 32];

impl SubjectAccess {
    /// Asks with `client`.
    pub fn new(client: Client, shared_for: SharedFor) -> Self {
        let recent = Arc::new(Expiring::new(CAPACITY));
        Self { reviews: Reviews(client), shared_for, recent, flights: Flights::new() }
    }
}

impl Authorizer for SubjectAccess {
    async fn authorize(&self, identity: &Identity, attributes: &Attributes) -> Result<Decision, AccessError> {
        let review = Review::of(identity, attributes);
        let failed = |error| AccessError::new("SubjectAccessReview", error);
        let key = match serde_json::to_vec(&review.spec) {
            Ok(spec) => key(&spec),
            Err(error) => return Err(failed(CallError::Transport(error.to_string()))),
        };
        if let Some(decision) = self.recent.get(&key) {
            return Ok(decision);
        }
        let (reviews, recent) = (self.reviews.clone(), self.recent.clone());
        let (keep, shared_for) = (length(attributes) < MAX_KEPT, self.shared_for);
        let flight = self.flights.join(key, async move {
            let decision = reviews.ask(&review).await?;
            if keep {
                let ttl =
                    if decision == Decision::Allowed { shared_for.allowed } else { shared_for.forbidden };
                recent.insert(key, decision.clone(), ttl);
            }
            Ok(decision)
        });
        flight.await.map_err(failed)
    }
}

#[derive(Clone)]
struct Reviews(Client);

impl Reviews {
    async fn ask(&self, review: &Review) -> Result<Decision, CallError> {
        let answer: Answer = create(&self.0, PATH, review).await?;
        let status = answer.status;
        // An explicit denial wins over an allowance, and no opinion is none.
        Ok(if status.allowed && !status.denied {
            Decision::Allowed
        } else {
            Decision::Forbidden { reason: status.reason }
        })
    }
}

impl std::fmt::Debug for Reviews {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.write_str("Reviews")
    }
}

/// What is sent; empty fields are left out, as Go does.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Review {
    api_version: &'static str,
    kind: &'static str,
    spec: Spec,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct Spec {
    #[serde(skip_serializing_if = "Option::is_none")]
    resource_attributes: Option<OnResource>,
    #[serde(skip_serializing_if = "Option::is_none")]
    non_resource_attributes: Option<OnPath>,
    #[serde(skip_serializing_if = "String::is_empty")]
    user: String,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    groups: Vec<String>,
    #[serde(skip_serializing_if = "BTreeMap::is_empty")]
    extra: BTreeMap<String, Vec<String>>,
    #[serde(skip_serializing_if = "String::is_empty")]
    uid: String,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct OnResource {
    #[serde(skip_serializing_if = "String::is_empty")]
    namespace: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    verb: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    group: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    version: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    resource: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    subresource: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    name: String,
    #[serde(skip_serializing_if = "Option::is_none")]
    field_selector: Option<Selector>,
    #[serde(skip_serializing_if = "Option::is_none")]
    label_selector: Option<Selector>,
}

#[derive(Serialize)]
struct Selector {
    requirements: Vec<Condition>,
}

#[derive(Serialize)]
struct Condition {
    key: String,
    operator: &'static str,
    #[serde(skip_serializing_if = "Vec::is_empty")]
    values: Vec<String>,
}

impl Selector {
    fn of(requirements: Vec<Requirement>) -> Option<Self> {
        let condition = |Requirement { key, operator, values }| Condition { key, operator, values };
        (!requirements.is_empty())
            .then(|| Self { requirements: requirements.into_iter().map(condition).collect() })
    }
}

#[derive(Serialize)]
struct OnPath {
    #[serde(skip_serializing_if = "String::is_empty")]
    path: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    verb: String,
}

impl Review {
    fn of(identity: &Identity, attributes: &Attributes) -> Self {
        let identity = identity.clone();
        let (resource_attributes, non_resource_attributes) = match attributes.clone() {
            Attributes::Resource(resource) => (
                Some(OnResource {
                    namespace: resource.namespace,
                    verb: resource.verb,
                    group: resource.group,
                    version: resource.version,
                    resource: resource.resource,
                    subresource: resource.subresource,
                    name: resource.name,
                    field_selector: Selector::of(resource.field_selector),
                    label_selector: Selector::of(resource.label_selector),
                }),
                None,
            ),
            Attributes::NonResource { verb, path } => (None, Some(OnPath { path, verb })),
        };
        Self {
            api_version: "authorization.k8s.io/v1",
            kind: "SubjectAccessReview",
            spec: Spec {
                resource_attributes,
                non_resource_attributes,
                user: identity.name,
                groups: identity.groups,
                extra: identity.extra,
                uid: identity.uid,
            },
        }
    }
}

#[derive(Deserialize)]
struct Answer {
    status: Status,
}

#[derive(Deserialize)]
struct Status {
    allowed: bool,
    #[serde(default)]
    denied: bool,
    #[serde(default)]
    reason: String,
}

fn key(spec: &[u8]) -> Key {
    let mut key = [0; 32];
    key.copy_from_slice(digest(&SHA256, spec).as_ref());
    key
}

/// The characters that the caller chose (`shouldCache`).
fn length(attributes: &Attributes) -> usize {
    match attributes {
        Attributes::Resource(resource) => [
            &resource.namespace,
            &resource.verb,
            &resource.group,
            &resource.version,
            &resource.resource,
            &resource.subresource,
            &resource.name,
        ]
        .into_iter()
        .map(String::len)
        .sum(),
        Attributes::NonResource { verb, path } => verb.len() + path.len(),
    }
}

const PATH: &str = "/apis/authorization.k8s.io/v1/subjectaccessreviews";
/// `maxControlledAttrCacheSize`.
const MAX_KEPT: usize = 10_000;
const CAPACITY: usize = 8192;
