//! One challenge: its two requests, and the Challenge object that cert-manager keeps of it.

use anyhow::Result;
use serde_json::{Value, json};

use crate::recorded::Recorded;
use crate::scene::ZONE;

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
        Ok([
            Self::new(Recorded::first()?, false, "example-com-1-1"),
            Self::new(Recorded::second()?, true, "example-com-1-2"),
        ])
    }

    /// One for `label`.example.com, with a key of its own.
    pub fn of(label: &str) -> Result<Self> {
        Self::below(label, ZONE)
    }

    /// One for `label` below a zone, with a key of its own.
    pub fn below(label: &str, zone: &str) -> Result<Self> {
        let requests = rename(Recorded::first()?, label, zone, &format!("{label}{zone}"));
        Ok(Self::new(requests, false, &format!("{label}-{}-1", zone.replace('.', "-"))))
    }

    /// One whose name is a CNAME to `_label.example.com`, which only one zone can hold.
    pub fn delegated(label: &str) -> Result<Self> {
        Self::delegated_to(label, ZONE)
    }

    /// The same in another zone.
    pub fn delegated_to(label: &str, zone: &str) -> Result<Self> {
        let fqdn = format!("_{label}.{zone}.");
        let mut challenge = Self::below(label, zone)?;
        for request in [&mut challenge.present, &mut challenge.clean_up] {
            request.body["request"]["resolvedFQDN"] = fqdn.as_str().into();
        }
        Ok(challenge)
    }

    /// The same challenge of an issuer whose token is in the Secret `name`.
    #[must_use]
    pub fn with_secret(mut self, name: &str) -> Self {
        for request in [&mut self.present, &mut self.clean_up] {
            request.body["request"]["config"]["apiTokenSecretRef"]["name"] = name.into();
        }
        self
    }

    /// The same name in a later order, which has a key and a Challenge of its own.
    #[must_use]
    pub fn in_order(mut self, number: usize) -> Self {
        let mut key = format!("o{number}o");
        key.extend(self.value().chars().take(43 - key.len()));
        for request in [&mut self.present, &mut self.clean_up] {
            request.body["request"]["key"] = key.as_str().into();
        }
        self.name = format!("{}-{number}", self.name);
        self
    }

    /// The two of a certificate for `label`.example.com and its wildcard.
    pub fn pair_of(label: &str) -> Result<[Self; 2]> {
        let apex = rename(Recorded::first()?, label, ZONE, &format!("{label}A"));
        let wildcard = rename(Recorded::second()?, label, ZONE, &format!("{label}B"));
        Ok([
            Self::new(apex, false, &format!("{label}-example-com-1")),
            Self::new(wildcard, true, &format!("{label}-example-com-2")),
        ])
    }

    fn new([present, clean_up]: [Recorded; 2], wildcard: bool, name: &str) -> Self {
        Self { present, clean_up, wildcard, name: name.to_owned() }
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

/// The requests of another name, with a key that nobody else has.
fn rename(requests: [Recorded; 2], label: &str, zone: &str, seed: &str) -> [Recorded; 2] {
    let name = format!("{label}.{zone}");
    let fqdn = format!("_acme-challenge.{name}.");
    let plain: String = seed.chars().filter(char::is_ascii_alphanumeric).collect();
    // As long as a digest in base64url.
    let key = format!("{plain:_<43.43}");
    requests.map(|request| request.with("dnsName", &name).with("resolvedFQDN", &fqdn).with("key", &key))
}
