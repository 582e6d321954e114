//! Requests of cert-manager as they came in from kube-apiserver, recorded from the real ones in `testdata/requests`.

use std::collections::BTreeMap;

use anyhow::{Context, Result};
use serde::Deserialize;
use serde_json::Value;

/// A request as it came in.
#[derive(Debug, Clone, Deserialize)]
pub struct Recorded {
    /// Method.
    pub method: String,
    /// Path and query.
    pub path: String,
    /// Headers, those of the front proxy among them.
    pub headers: BTreeMap<String, Vec<String>>,
    /// The `ChallengePayload`.
    pub body: Value,
}

impl Recorded {
    /// `Present` and `CleanUp` of the first challenge of a certificate for `example.com` and `*.example.com`.
    pub fn first() -> Result<[Self; 2]> {
        Ok([
            read(include_str!("../../../testdata/requests/present-1.json"))?,
            read(include_str!("../../../testdata/requests/cleanup-1.json"))?,
        ])
    }

    /// Those of the second challenge.
    pub fn second() -> Result<[Self; 2]> {
        Ok([
            read(include_str!("../../../testdata/requests/present-2.json"))?,
            read(include_str!("../../../testdata/requests/cleanup-2.json"))?,
        ])
    }

    /// A field of the challenge's request that is a text; empty if there is none.
    pub fn text(&self, field: &str) -> &str {
        self.body["request"][field].as_str().unwrap_or_default()
    }

    /// The same request with another text in a field.
    #[must_use]
    pub fn with(mut self, field: &str, text: &str) -> Self {
        self.body["request"][field] = text.into();
        self
    }

    /// Group, version and resource of the path, `/apis/GROUP/VERSION/RESOURCE`.
    pub fn resource(&self) -> Option<(&str, &str)> {
        let mut parts = self.path.split('/').skip(2);
        let group = parts.next()?;
        Some((group, parts.nth(1)?))
    }
}

fn read(text: &str) -> Result<Recorded> {
    serde_json::from_str(text).context("testdata/requests")
}
