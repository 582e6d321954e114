//! The identity that a front proxy states in headers: kube-apiserver, which has authenticated the caller itself.
//!
//! Source: `pkg/authentication/request/headerrequest/requestheader.go` of `k8s.io/apiserver`.

use std::collections::BTreeMap;

use http::{HeaderMap, HeaderName, HeaderValue};
use rustls::pki_types::UnixTime;

use super::chain::PeerCertificates;
use super::config::FrontProxyConfig;
use super::error::CredentialError;
use super::identity::{Identity, Subject};

/// The identity in the headers, if a front proxy sent them. Without its certificate the headers mean nothing; without a
/// user in them, neither do the groups.
pub fn identity(
    config: &FrontProxyConfig,
    peer: &PeerCertificates,
    headers: &HeaderMap,
    now: UnixTime,
) -> Result<Option<Identity>, CredentialError> {
    let (Some(leaf), Some(authorities)) = (peer.leaf(), &config.proxy_ca) else {
        return Ok(None);
    };
    authorities.verify(peer, now)?;
    let names = &config.headers;
    if !names.allow(&Subject::read(leaf)?.name) {
        return Err(CredentialError::Name);
    }
    let name = first_value(headers, &names.usernames);
    if name.is_empty() {
        return Ok(None);
    }
    Ok(Some(Identity {
        name,
        uid: first_value(headers, &names.uids),
        groups: all_values(headers, &names.groups),
        extra: extra(headers, &names.extra_prefixes),
    }))
}

/// Of the first header whose first value is not empty.
fn first_value(headers: &HeaderMap, names: &[HeaderName]) -> String {
    let mut values = names.iter().filter_map(|name| headers.get(name));
    values.find(|value| !value.is_empty()).map(text).unwrap_or_default()
}

/// Of all headers, those that are not empty.
fn all_values(headers: &HeaderMap, names: &[HeaderName]) -> Vec<String> {
    names.iter().flat_map(|name| headers.get_all(name)).filter(|value| !value.is_empty()).map(text).collect()
}

/// By what follows the prefix, unescaped; all values, empty ones too.
fn extra(headers: &HeaderMap, prefixes: &[String]) -> BTreeMap<String, Vec<String>> {
    let mut extra = BTreeMap::<String, Vec<String>>::new();
    for prefix in prefixes {
        for (name, value) in headers {
            // Names of headers are lower-case here, and so is the prefix.
            if let Some(key) = name.as_str().strip_prefix(prefix.as_str()) {
                extra.entry(unescape(key)).or_default().push(text(value));
            }
        }
    }
    extra
}

/// A value as the original's reviews spell it: `encoding/json` writes U+FFFD for each byte that is not UTF-8.
pub(super) fn text(value: &HeaderValue) -> String {
    let mut text = String::with_capacity(value.len());
    for chunk in value.as_bytes().utf8_chunks() {
        text.push_str(chunk.valid());
        text.extend(chunk.invalid().iter().map(|_| char::REPLACEMENT_CHARACTER));
    }
    text
}

/// Percent-decodes a key; one that is wrongly escaped is taken as it stands (Go's `url.PathUnescape`).
fn unescape(key: &str) -> String {
    percent_decode(key).map_or_else(|| key.to_owned(), |bytes| String::from_utf8_lossy(&bytes).into_owned())
}

/// The bytes behind `%XX` escapes; `None` if one is incomplete.
pub fn percent_decode(text: &str) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(text.len());
    let mut rest = text.bytes();
    while let Some(byte) = rest.next() {
        if byte == b'%' {
            let mut digit = || char::from(rest.next()?).to_digit(16);
            let value = digit()? * 16 + digit()?;
            bytes.push(u8::try_from(value).ok()?);
        } else {
            bytes.push(byte);
        }
    }
    Some(bytes)
}
