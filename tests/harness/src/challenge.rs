//! One challenge: its two requests, and the Challenge object that cert-manager keeps of it.

use anyhow::Result;
use serde_json::{Value, json};

use crate::recorded::Recorded;

/// A challenge of one name.
#[derive(Debug, Clone)]
pub struct Challenge {
    /// `Present`, as cert-manager sends it.
    pub present: Recorded,
    /// `CleanUp`, as cert-manager sends it.
    pub clean_up: Recorded,
    /// Whether it is for `*.` and the name.
    pub wildcard: bool,
    /// The Challenge's name in its namespace.
    pub name: String,
}

impl Challenge {
    /// The two of a certificate for `example.com` and `*.example.com`, as recorded.
    pub fn pair() -> Result<[Self; 2]> {
        let challenge = |[present, clean_up]: [Recorded; 2], wildcard, name: &str| Self {
            present,
            clean_up,
            wildcard,
            name: name.to_owned(),
        };
        Ok([
            challenge(Recorded::first()?, false, "example-com-1-1"),
            challenge(Recorded::second()?, true, "example-com-1-2"),
        ])
    }

    /// One for `label`.example.com, with a key of its own.
    pub fn of(label: &str) -> Result<Self> {
        let name = format!("{label}.example.com");
        let (fqdn, key) = (format!("_acme-challenge.{name}."), key_for(label));
        let [present, clean_up] = Recorded::first()?.map(|request| {
            request.with("dnsName", &name).with("resolvedFQDN", &fqdn).with("key", &key)
        });
        Ok(Self { present, clean_up, wildcard: false, name: format!("{label}-example-com-1") })
    }

    /// The TXT value.
    pub fn value(&self) -> &str {
        self.present.text("key")
    }

    /// The name of the TXT record, without a final dot.
    pub fn fqdn(&self) -> &str {
        self.present.text("resolvedFQDN").trim_end_matches('.')
    }

    /// The name on the certificate.
    pub fn title(&self) -> String {
        let name = self.present.text("dnsName");
        if self.wildcard { format!("*.{name}") } else { name.to_owned() }
    }

    /// The namespace of the issuer's Secret, which is where the Challenge is put as well.
    pub fn namespace(&self) -> &str {
        self.present.text("resourceNamespace")
    }

    /// Name and key of the Secret that holds the token.
    pub fn secret(&self) -> (&str, &str) {
        let reference = &self.present.body["request"]["config"]["apiTokenSecretRef"];
        (reference["name"].as_str().unwrap_or_default(), reference["key"].as_str().unwrap_or_default())
    }

    /// The Challenge with this status
    /// (<https://cert-manager.io/docs/reference/api-docs/#acme.cert-manager.io/v1.Challenge>).
    pub fn object(&self, status: &Value) -> Value {
        let (group, solver) = self.present.resource().unwrap_or_default();
        json!({
            "apiVersion": "acme.cert-manager.io/v1",
            "kind": "Challenge",
            "metadata": {"namespace": self.namespace(), "name": self.name},
            "spec": {
                "type": "DNS-01",
                "dnsName": self.present.text("dnsName"),
                "wildcard": self.wildcard,
                "key": self.value(),
                "token": "a-token-of-the-acme-server",
                "url": "https://acme.example/challenge/1",
                "authorizationURL": "https://acme.example/authorization/1",
                "issuerRef": {"kind": "ClusterIssuer", "name": "letsencrypt", "group": "cert-manager.io"},
                "solver": {"dns01": {"webhook": {
                    "groupName": group,
                    "solverName": solver,
                    "config": self.present.body["request"]["config"],
                }}},
            },
            "status": status,
        })
    }
}

/// 43 characters of base64url that nobody else has.
fn key_for(label: &str) -> String {
    let plain: String = label.chars().filter(char::is_ascii_alphanumeric).collect();
    format!("{plain:_<43.43}")
}
