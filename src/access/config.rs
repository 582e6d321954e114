//! The front-proxy configuration that kube-apiserver publishes in the `ConfigMap`
//! `kube-system/extension-apiserver-authentication`.
//!
//! Source: `pkg/authentication/request/headerrequest/requestheader_controller.go` of `k8s.io/apiserver`.

use std::collections::BTreeMap;

use http::HeaderName;

use super::chain::Anchors;

/// Whom to believe, and which headers to read from them.
#[derive(Debug)]
pub struct FrontProxyConfig {
    uid: String,
    client_ca: Option<Anchors>,
    proxy_ca: Option<Anchors>,
    allowed_names: Vec<String>,
    pub(super) username_headers: Vec<HeaderName>,
    pub(super) uid_headers: Vec<HeaderName>,
    pub(super) group_headers: Vec<HeaderName>,
    pub(super) extra_prefixes: Vec<String>,
}

/// The `ConfigMap`'s content can't be read; whoever has an earlier one keeps it.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a JSON array of strings.
    #[error("the value of {0} is not a JSON array of strings")]
    List(&'static str),
    /// Not a bundle of certificates.
    #[error("the value of {0} is not a bundle of certificates")]
    Bundle(&'static str),
}

impl FrontProxyConfig {
    /// Reads the `data` of the `ConfigMap` with this uid. A missing key switches off what it is for, never a check.
    pub fn parse(uid: &str, data: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let headers = |key| Ok(header_names(&list(data, key)?));
        Ok(Self {
            uid: uid.to_owned(),
            client_ca: bundle(data, "client-ca-file")?,
            proxy_ca: bundle(data, "requestheader-client-ca-file")?,
            allowed_names: list(data, "requestheader-allowed-names")?,
            username_headers: headers("requestheader-username-headers")?,
            uid_headers: headers("requestheader-uid-headers")?,
            group_headers: headers("requestheader-group-headers")?,
            extra_prefixes: list(data, "requestheader-extra-headers-prefix")?
                .iter()
                .map(|prefix| prefix.to_ascii_lowercase())
                .collect(),
        })
    }

    /// The `ConfigMap`'s uid.
    pub fn uid(&self) -> &str {
        &self.uid
    }

    /// Who signs clients' own certificates.
    pub fn client_ca(&self) -> Option<&Anchors> {
        self.client_ca.as_ref()
    }

    /// Who signs the front proxy's certificate; without it no header is believed.
    pub fn proxy_ca(&self) -> Option<&Anchors> {
        self.proxy_ca.as_ref()
    }

    /// Whether a certificate of that authority with this common name is a front proxy; any is if no names are given.
    pub(super) fn allows(&self, common_name: &str) -> bool {
        self.allowed_names.is_empty() || self.allowed_names.iter().any(|name| name == common_name)
    }
}

fn bundle(data: &BTreeMap<String, String>, key: &'static str) -> Result<Option<Anchors>, ConfigError> {
    match data.get(key).map(String::as_str) {
        None | Some("") => Ok(None),
        Some(pem) => Anchors::parse(pem).map(Some).ok_or(ConfigError::Bundle(key)),
    }
}

/// As Go decodes into `[]string`: nothing and `null` are empty, a `null` inside is an empty string.
fn list(data: &BTreeMap<String, String>, key: &'static str) -> Result<Vec<String>, ConfigError> {
    let text = match data.get(key).map(String::as_str) {
        None | Some("") => return Ok(Vec::new()),
        Some(text) => text,
    };
    let list: Option<Vec<Option<String>>> = serde_json::from_str(text).map_err(|_| ConfigError::List(key))?;
    Ok(list.unwrap_or_default().into_iter().map(Option::unwrap_or_default).collect())
}

/// What is no header's name is never found in a request, so it need not be kept.
fn header_names(names: &[String]) -> Vec<HeaderName> {
    names.iter().filter_map(|name| HeaderName::from_bytes(name.as_bytes()).ok()).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn parse(key: &str, value: &str) -> Result<FrontProxyConfig, ConfigError> {
        FrontProxyConfig::parse("u", &BTreeMap::from([(key.to_owned(), value.to_owned())]))
    }

    #[test]
    fn what_is_missing_or_empty_is_off() {
        let config = FrontProxyConfig::parse("u", &BTreeMap::new()).unwrap();
        assert!(config.client_ca().is_none() && config.proxy_ca().is_none());
        assert!(config.username_headers.is_empty());
        assert!(parse("requestheader-client-ca-file", "").unwrap().proxy_ca().is_none());
        for empty in ["", "[]", "null"] {
            assert!(parse("requestheader-uid-headers", empty).unwrap().uid_headers.is_empty());
        }
    }

    #[test]
    fn malformed_content_is_an_error() {
        let key = "requestheader-allowed-names";
        for malformed in ["x", "{}", "[1]", "[\"a\"", "\"a\"", " "] {
            assert_eq!(parse(key, malformed).unwrap_err(), ConfigError::List(key), "{malformed}");
        }
        let key = "client-ca-file";
        for malformed in [
            "x",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            assert_eq!(parse(key, malformed).unwrap_err(), ConfigError::Bundle(key), "{malformed}");
        }
    }
}
