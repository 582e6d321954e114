//! cert-manager's Challenge, as far as it is needed: an object with a long history of managed fields and a solver
//! with all its alternatives becomes seven fields, and the rest is dropped at once.

use std::borrow::Cow;
use std::time::{Duration, SystemTime};

use k8s_openapi::NamespaceResourceScope;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ObjectMeta, Time};
use kube::Resource;
use serde::Deserialize;
use serde_json::value::RawValue;

use crate::challenge::TxtValue;
use crate::issuer::solver_digest;
use crate::name::Fqdn;

/// A Challenge as the API server shows it
/// (<https://cert-manager.io/docs/reference/api-docs/#acme.cert-manager.io/v1.Challenge>).
#[derive(Debug, Clone, Deserialize)]
pub(super) struct ChallengeObject {
    metadata: ObjectMeta,
    #[serde(default)]
    spec: Spec,
    #[serde(default)]
    status: Option<Status>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Spec {
    dns_name: String,
    key: String,
    #[serde(rename = "type")]
    kind: String,
    solver: Solver,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Solver {
    dns01: Option<Dns01>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default)]
struct Dns01 {
    webhook: Option<Webhook>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Webhook {
    group_name: String,
    solver_name: String,
    /// Unread: anything may stand here, nested so deeply that a parser gives up. One such Challenge must not hide all
    /// others.
    config: Option<Box<RawValue>>,
}

#[derive(Debug, Clone, Default, Deserialize)]
#[serde(default, rename_all = "camelCase")]
struct Status {
    state: String,
    presented: bool,
    presented_at: Option<Time>,
}

impl Resource for ChallengeObject {
    type DynamicType = ();
    type Scope = NamespaceResourceScope;

    fn kind((): &()) -> Cow<'_, str> {
        "Challenge".into()
    }

    fn group((): &()) -> Cow<'_, str> {
        "acme.cert-manager.io".into()
    }

    fn version((): &()) -> Cow<'_, str> {
        "v1".into()
    }

    fn plural((): &()) -> Cow<'_, str> {
        "challenges".into()
    }

    fn meta(&self) -> &ObjectMeta {
        &self.metadata
    }

    fn meta_mut(&mut self) -> &mut ObjectMeta {
        &mut self.metadata
    }
}

/// What a Challenge says of itself.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Observed {
    /// Tells it from another one of its name.
    pub(super) uid: String,
    pub(super) namespace: String,
    pub(super) dns_name: Fqdn,
    pub(super) value: TxtValue,
    pub(super) solver: [u8; 32],
    pub(super) presented: Presented,
    /// Final, or about to be deleted.
    pub(super) over: bool,
}

/// What a Challenge says about its being presented.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Presented {
    /// Not, or no longer: `CleanUp` takes it back.
    No,
    /// Longer ago than an event takes to arrive.
    LongAgo,
    /// As far as it says.
    Now,
}

impl ChallengeObject {
    /// What it says, if it is a DNS-01 Challenge for a webhook whose name and key are a name and a value.
    pub(super) fn observe(&self, wall: SystemTime) -> Option<Observed> {
        let spec = &self.spec;
        let webhook = spec.solver.dns01.as_ref()?.webhook.as_ref()?;
        if !spec.kind.eq_ignore_ascii_case("dns-01") {
            return None;
        }
        let config = webhook.config.as_ref().map(|raw| serde_json::from_str(raw.get()));
        let config: Option<serde_json::Value> = config.transpose().ok()?;
        let status = self.status.as_ref();
        Some(Observed {
            uid: self.metadata.uid.clone()?,
            namespace: self.metadata.namespace.clone()?,
            dns_name: Fqdn::parse(&spec.dns_name).ok()?,
            value: TxtValue::parse(&spec.key)?,
            solver: solver_digest(&webhook.group_name, &webhook.solver_name, config.as_ref()),
            presented: status.map_or(Presented::No, |status| status.presented(wall)),
            over: self.metadata.deletion_timestamp.is_some() || status.is_some_and(Status::is_final),
        })
    }
}

impl Status {
    /// cert-manager `acme.IsFinalState`: "ready" and "processing" may still change.
    fn is_final(&self) -> bool {
        matches!(self.state.as_str(), "valid" | "invalid" | "expired" | "errored")
    }

    fn presented(&self, wall: SystemTime) -> Presented {
        if !self.presented {
            return Presented::No;
        }
        // Since cert-manager v1.21. The two clocks need not agree: one that is behind makes us careful, not wrong.
        let at = self.presented_at.as_ref().map(|at| SystemTime::from(at.0));
        match at.map(|at| wall.duration_since(at).unwrap_or_default()) {
            Some(age) if age > LATE => Presented::LongAgo,
            _ => Presented::Now,
        }
    }
}

/// An event that says "presented" later than this came over a watch that had been interrupted unnoticed.
const LATE: Duration = Duration::from_secs(10);

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    #[test]
    fn the_fields_that_are_needed_are_read() {
        let mut object = object();
        let seen = observe(&object).unwrap();
        assert_eq!((seen.uid.as_str(), seen.namespace.as_str()), ("u1", "ns"));
        assert_eq!(seen.dns_name.as_str(), "example.com");
        assert_eq!(seen.solver, solver_digest("g", "cloudflare", Some(&json!({"ttl": 60}))));
        assert_eq!((seen.presented, seen.over), (Presented::No, false));

        object["spec"]["wildcard"] = json!(true);
        assert_eq!(observe(&object).unwrap().dns_name.as_str(), "example.com");
        object["metadata"]["deletionTimestamp"] = json!("2026-08-22T10:00:00Z");
        assert!(observe(&object).unwrap().over);
    }

    #[test]
    fn four_states_are_final() {
        let over = |state: &str| {
            let mut object = object();
            object["status"] = json!({ "state": state });
            observe(&object).unwrap().over
        };
        assert!(["valid", "invalid", "expired", "errored"].into_iter().all(over));
        assert!(!["", "pending", "processing", "ready"].into_iter().any(over));
    }

    #[test]
    fn presented_long_ago_is_told_from_presented_now() {
        let presented = |at: Value| {
            let mut object = object();
            object["status"] = json!({"presented": true, "presentedAt": at});
            observe(&object).unwrap().presented
        };
        assert_eq!(presented(Value::Null), Presented::Now);
        assert_eq!(presented(json!("2026-08-22T09:59:55Z")), Presented::Now);
        assert_eq!(presented(json!("2026-08-22T10:00:30Z")), Presented::Now);
        assert_eq!(presented(json!("2026-08-22T09:59:00Z")), Presented::LongAgo);
    }

    #[test]
    fn what_is_no_challenge_of_a_webhook_is_passed_over() {
        let without = |change: fn(&mut Value)| {
            let mut object = object();
            change(&mut object);
            observe(&object)
        };
        assert_eq!(without(|o| o["spec"]["type"] = json!("HTTP-01")), None);
        assert_eq!(without(|o| o["spec"]["solver"] = json!({"dns01": {"route53": {}}})), None);
        assert_eq!(without(|o| o["spec"]["dnsName"] = json!("bücher.example")), None);
        assert_eq!(without(|o| o["spec"]["key"] = json!("a b")), None);
    }

    #[test]
    fn a_bottomless_config_hides_only_itself() {
        let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
        let text = object().to_string().replace("{\"ttl\":60}", &deep);
        let object: ChallengeObject = serde_json::from_str(&text).unwrap();
        assert_eq!(object.observe(wall()), None);
    }

    fn observe(object: &Value) -> Option<Observed> {
        serde_json::from_value::<ChallengeObject>(object.clone()).unwrap().observe(wall())
    }

    fn wall() -> SystemTime {
        let time: Time = serde_json::from_value(json!("2026-08-22T10:00:00Z")).unwrap();
        time.0.into()
    }

    fn object() -> Value {
        json!({
            "apiVersion": "acme.cert-manager.io/v1", "kind": "Challenge",
            "metadata": {"name": "c", "namespace": "ns", "uid": "u1", "resourceVersion": "7"},
            "spec": {
                "type": "DNS-01", "dnsName": "example.com", "wildcard": false,
                "key": "7BrNX2xkmI1o_1kJrHPYqSRqQpIPxcWlzGRFKEm7l-k",
                "solver": {"dns01": {"webhook": {"groupName": "g", "solverName": "cloudflare", "config": {"ttl": 60}}}}
            }
        })
    }
}
