//! Whom to believe: the front proxy and the headers it writes, and those who sign clients' own certificates.
//!
//! kube-apiserver publishes it in the `ConfigMap` `kube-system/extension-apiserver-authentication`; flags may take the
//! place of either half.
//!
//! Sources: `pkg/authentication/request/headerrequest/requestheader_controller.go` and
//! `pkg/server/dynamiccertificates/configmap_cafile_content.go` of `k8s.io/apiserver`.

use std::collections::BTreeMap;
use std::sync::Arc;

use http::HeaderName;

use super::chain::Anchors;

/// Whom to believe, and which headers to read from them. The default is nobody.
#[derive(Debug, Clone, Default)]
pub struct FrontProxyConfig {
    /// Of the `ConfigMap`; empty where it has not been read.
    pub uid: String,
    /// Who signs clients' own certificates.
    pub client_ca: Option<Arc<Anchors>>,
    /// Who signs the front proxy's certificate; without it no header is believed.
    pub proxy_ca: Option<Arc<Anchors>>,
    /// What the front proxy is called, and which headers it writes.
    pub headers: Arc<Headers>,
}

/// The lists, which are taken over as one.
#[derive(Debug, Default)]
pub struct Headers {
    allowed_names: Vec<String>,
    pub(super) usernames: Vec<HeaderName>,
    pub(super) uids: Vec<HeaderName>,
    pub(super) groups: Vec<HeaderName>,
    pub(super) extra_prefixes: Vec<String>,
}

/// Which halves the `ConfigMap` is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Asked {
    /// The authority of clients' certificates.
    pub client_ca: bool,
    /// The front proxy's authority and its headers.
    pub front_proxy: bool,
}

impl Asked {
    /// Both.
    pub const ALL: Self = Self { client_ca: true, front_proxy: true };
}

/// Part of the `ConfigMap` can't be used; what was there before stays.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum ConfigError {
    /// Not a JSON array of strings.
    #[error("the value of {0} is not a JSON array of strings")]
    List(&'static str),
    /// Not a bundle of certificates.
    #[error("the value of {0} is not a bundle of certificates")]
    Bundle(&'static str),
    /// Not there, or empty, though it was there before or nothing works without it.
    #[error("it has no {0}")]
    Missing(&'static str),
}

impl FrontProxyConfig {
    /// Takes over the `data` of the `ConfigMap` with this uid: each authority by itself and the lists together, and none
    /// of them that is worse than what is there.
    pub fn update(
        &mut self,
        uid: &str,
        data: &BTreeMap<String, String>,
        asked: Asked,
    ) -> Result<(), Vec<ConfigError>> {
        uid.clone_into(&mut self.uid);
        let mut errors = Vec::new();
        if asked.client_ca {
            errors.extend(take(bundle(data, CLIENT_CA), &mut self.client_ca));
            // A cluster may do without.
            errors.retain(|error| self.client_ca.is_some() || !matches!(error, ConfigError::Missing(_)));
        }
        if asked.front_proxy {
            errors.extend(take(bundle(data, PROXY_CA), &mut self.proxy_ca));
            match Headers::parse(data) {
                Ok(headers) => self.headers = Arc::new(headers),
                Err(error) => errors.push(error),
            }
        }
        if errors.is_empty() { Ok(()) } else { Err(errors) }
    }

    /// Whether a front proxy can be recognized, and whom it speaks for.
    pub fn is_complete(&self) -> bool {
        self.proxy_ca.is_some() && !self.headers.usernames.is_empty()
    }
}

fn take(found: Result<Anchors, ConfigError>, current: &mut Option<Arc<Anchors>>) -> Option<ConfigError> {
    found.map(|anchors| *current = Some(Arc::new(anchors))).err()
}

fn bundle(data: &BTreeMap<String, String>, key: &'static str) -> Result<Anchors, ConfigError> {
    match data.get(key).map(String::as_str) {
        None | Some("") => Err(ConfigError::Missing(key)),
        Some(pem) => Anchors::parse(pem).ok_or(ConfigError::Bundle(key)),
    }
}

impl Headers {
    /// The front proxy's common names, of which none means any, and the headers with the user, its uid, its groups and
    /// its extra attributes.
    pub fn new(
        allowed_names: Vec<String>,
        [usernames, uids, groups, extra_prefixes]: [Vec<String>; 4],
    ) -> Self {
        Self {
            allowed_names,
            usernames: header_names(&usernames),
            uids: header_names(&uids),
            groups: header_names(&groups),
            extra_prefixes: extra_prefixes.iter().map(|prefix| prefix.to_ascii_lowercase()).collect(),
        }
    }

    fn parse(data: &BTreeMap<String, String>) -> Result<Self, ConfigError> {
        let allowed_names = list(data, "requestheader-allowed-names")?;
        let headers = [
            list(data, "requestheader-username-headers")?,
            list(data, "requestheader-uid-headers")?,
            list(data, "requestheader-group-headers")?,
            list(data, "requestheader-extra-headers-prefix")?,
        ];
        Ok(Self::new(allowed_names, headers))
    }

    /// Whether a certificate of that authority with this common name is a front proxy; any is if no names are given.
    pub(super) fn allow(&self, common_name: &str) -> bool {
        self.allowed_names.is_empty() || self.allowed_names.iter().any(|name| name == common_name)
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

const CLIENT_CA: &str = "client-ca-file";
const PROXY_CA: &str = "requestheader-client-ca-file";

#[cfg(test)]
mod tests {
    use super::*;

    fn errors(data: &[(&str, &str)]) -> Vec<ConfigError> {
        let data = data.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect();
        FrontProxyConfig::default().update("u", &data, Asked::ALL).err().unwrap_or_default()
    }

    #[test]
    fn what_is_missing_or_empty_is_off() {
        let mut config = FrontProxyConfig::default();
        let only = vec![ConfigError::Missing(PROXY_CA)];
        assert_eq!(config.update("u", &BTreeMap::new(), Asked::ALL), Err(only.clone()));
        assert!(config.client_ca.is_none() && config.proxy_ca.is_none() && !config.is_complete());
        for empty in ["", "[]", "null"] {
            assert_eq!(errors(&[("requestheader-uid-headers", empty), (PROXY_CA, "")]), only);
        }
        let nothing = Asked { client_ca: false, front_proxy: false };
        assert_eq!(config.update("v", &BTreeMap::new(), nothing), Ok(()));
        assert_eq!(config.uid, "v");
    }

    #[test]
    fn without_headers_that_name_a_user_there_is_no_front_proxy() {
        let ca = rcgen::generate_simple_self_signed(Vec::new()).unwrap().cert.pem();
        for (headers, expected) in [("[]", false), ("[\"X-Remote-User\"]", true)] {
            let data = [(PROXY_CA, &*ca), ("requestheader-username-headers", headers)];
            let data = data.map(|(key, value)| (key.to_owned(), value.to_owned())).into();
            let mut config = FrontProxyConfig::default();
            assert_eq!(config.update("u", &data, Asked::ALL), Ok(()));
            assert_eq!(config.is_complete(), expected, "{headers}");
        }
    }

    #[test]
    fn malformed_content_is_an_error() {
        let key = "requestheader-allowed-names";
        for malformed in ["x", "{}", "[1]", "[\"a\"", "\"a\"", " "] {
            assert!(errors(&[(key, malformed)]).contains(&ConfigError::List(key)), "{malformed}");
        }
        for malformed in [
            "x",
            "-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n",
            "-----BEGIN CERTIFICATE-----\n",
        ] {
            for key in [CLIENT_CA, PROXY_CA] {
                assert!(errors(&[(key, malformed)]).contains(&ConfigError::Bundle(key)), "{malformed}");
            }
        }
    }
}
