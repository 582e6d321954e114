//! Reading a payload.
//!
//! Sources: `pkg/runtime/serializer/json/` of `k8s.io/apimachinery`, and `transformDecodeError` in
//! `pkg/endpoints/handlers/rest.go` of `k8s.io/apiserver` for the texts.

use std::fmt;
use std::mem::take;

use serde::de::{DeserializeSeed, Deserializer, Error, IgnoredAny, MapAccess, Visitor};

use super::schema::{REQUEST_FIELD, RESPONSE_FIELD};
use super::{GROUP, KIND, VERSION};
use crate::api::fields::{Findings, Key, Kind, Node};
use crate::api::media::content_type::Written;
use crate::api::quote::quote;
use crate::api::yaml;
use crate::challenge::ChallengeRequest;

/// A payload, as far as it is of use.
#[derive(Debug)]
pub(in crate::api) struct Payload {
    pub(in crate::api) request: Option<ChallengeRequest>,
    /// Unknown and duplicate fields.
    pub(in crate::api) strict: Vec<String>,
}

/// Reads a payload. cert-manager sends neither `apiVersion` nor `kind`: absent or empty, they are what they should be.
/// The error is a text for the caller.
pub(in crate::api) fn decode(body: &[u8], written: Written) -> Result<Payload, String> {
    // What is no UTF-8 inside of a string is replaced, as there; elsewhere it is an error all the same.
    let text = String::from_utf8_lossy(body);
    let unrecognized =
        |error: &str| format!("the object provided is unrecognized (must be of type {KIND}): {error}");
    let unknown =
        |error: String| unrecognized(&format!("couldn't get version/kind; json parse error: {error}"));
    let mut read = match written {
        Written::Json => read_json(&text).map_err(unknown)?,
        Written::Yaml => yaml::read(&text, Reading).map_err(|error| unrecognized(&error))?,
    };
    if let Some(mismatch) = read.meta_mismatch {
        return Err(unknown(mismatch));
    }
    if read.api_version.matches('/').count() > 1 {
        return Err(unrecognized(&format!("unexpected GroupVersion string: {}", read.api_version)));
    }
    let meant = Meant::by(&read.kind, &read.api_version);
    let refused = |error: &str| {
        let (kind, version) = (meant.kind, quote(meant.version));
        format!("{kind} in version {version} cannot be handled as a {KIND}: {error}")
    };
    if !meant.is_payload() {
        let (kind, version) = (quote(meant.kind), quote(&meant.group_version()));
        return Err(refused(&format!("no kind {kind} is registered for version {version}")));
    }
    if let Some(mismatch) = read.findings.mismatch {
        return Err(refused(&mismatch));
    }
    if written == Written::Yaml {
        // There it has become JSON in between, in the order of its keys.
        read.findings.strict.sort_unstable();
    }
    Ok(Payload { request: request(read.request), strict: read.findings.strict })
}

/// What is said about a payload where strictness is asked for.
pub(in crate::api) fn strictly_refused(strict: &[String]) -> String {
    let fields = strict.join(", ");
    format!("{KIND} in version \"{VERSION}\" cannot be handled as a {KIND}: strict decoding error: {fields}")
}

fn read_json(text: &str) -> Result<Read, String> {
    let mut json = serde_json::Deserializer::from_str(text);
    let read = Reading.deserialize(&mut json).and_then(|read| json.end().map(|()| read));
    read.map_err(
        |error| {
            if error.is_eof() { "unexpected end of JSON input".to_owned() } else { error.to_string() }
        },
    )
}

/// What kind of object it is, with everything filled in that is not said (`gvkWithDefaults`).
struct Meant<'a> {
    kind: &'a str,
    group: &'a str,
    version: &'a str,
}

impl<'a> Meant<'a> {
    fn by(kind: &'a str, api_version: &'a str) -> Self {
        let (group, version) = api_version.split_once('/').unwrap_or(("", api_version));
        let (group, version) = match (group, version) {
            ("" | GROUP, "") => (GROUP, VERSION),
            other => other,
        };
        Self { kind: if kind.is_empty() { KIND } else { kind }, group, version }
    }

    fn is_payload(&self) -> bool {
        (self.kind, self.group, self.version) == (KIND, GROUP, VERSION)
    }

    fn group_version(&self) -> String {
        if self.group.is_empty() {
            self.version.to_owned()
        } else {
            format!("{}/{}", self.group, self.version)
        }
    }
}

/// A payload as it was read.
#[derive(Debug, Default)]
struct Read {
    kind: String,
    api_version: String,
    meta_mismatch: Option<String>,
    request: Node,
    findings: Findings,
}

struct Reading;

impl<'de> DeserializeSeed<'de> for Reading {
    type Value = Read;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<Read, D::Error> {
        deserializer.deserialize_any(self)
    }
}

impl<'de> Visitor<'de> for Reading {
    type Value = Read;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("an object")
    }

    fn visit_str<E: Error>(self, _: &str) -> Result<Read, E> {
        // What it says is not repeated.
        Err(E::custom("expected an object"))
    }

    /// `null` is an object without fields.
    fn visit_unit<E>(self) -> Result<Read, E> {
        Ok(Read::default())
    }

    fn visit_none<E>(self) -> Result<Read, E> {
        Ok(Read::default())
    }

    fn visit_map<A: MapAccess<'de>>(self, mut map: A) -> Result<Read, A::Error> {
        let mut read = Read::default();
        let mut response = Node::Absent;
        let mut seen = Vec::new();
        while let Some(key) = map.next_key::<Key<'_>>()? {
            let name = ["kind", "apiVersion", "request", "response"].into_iter().find(|name| key == *name);
            match name {
                Some(name) if seen.contains(&name) => read.findings.duplicate(name),
                Some(name) => seen.push(name),
                None => read.findings.unknown(&key),
            }
            match name {
                Some("request") => read.findings.field(&mut map, &REQUEST_FIELD, KIND, &mut read.request)?,
                Some("response") => read.findings.field(&mut map, &RESPONSE_FIELD, KIND, &mut response)?,
                // They are read beforehand by `encoding/json`, which does not look at the case.
                _ if key.eq_ignore_ascii_case("kind") => meta(&mut map, &KIND_FIELD, &mut read)?,
                _ if key.eq_ignore_ascii_case("apiVersion") => meta(&mut map, &API_VERSION_FIELD, &mut read)?,
                _ => drop(map.next_value::<IgnoredAny>()?),
            }
        }
        Ok(read)
    }
}

fn meta<'de, A: MapAccess<'de>>(
    map: &mut A,
    field: &'static (&'static str, Kind),
    read: &mut Read,
) -> Result<(), A::Error> {
    let (mut findings, mut node) = (Findings::default(), Node::Absent);
    findings.field(map, field, "", &mut node)?;
    read.meta_mismatch = read.meta_mismatch.take().or(findings.mismatch);
    if let Node::Text(text) = node {
        *(if field.0 == KIND_FIELD.0 { &mut read.kind } else { &mut read.api_version }) = text;
    }
    Ok(())
}

fn request(node: Node) -> Option<ChallengeRequest> {
    let Node::Object(mut fields) = node else {
        return None;
    };
    let text = |node: &mut Node| if let Node::Text(text) = take(node) { text } else { String::new() };
    let [uid, action, kind, dns_name, key, resource_namespace, resolved_fqdn, resolved_zone, ambient, config] =
        fields.as_mut_slice()
    else {
        return None;
    };
    Some(ChallengeRequest {
        uid: text(uid),
        action: text(action),
        kind: text(kind),
        dns_name: text(dns_name),
        key: text(key),
        resource_namespace: text(resource_namespace),
        resolved_fqdn: text(resolved_fqdn),
        resolved_zone: text(resolved_zone),
        allow_ambient_credentials: matches!(ambient, Node::Flag(true)),
        config: if let Node::Any(config) = take(config) { Some(config) } else { None },
    })
}

const KIND_FIELD: (&str, Kind) = ("kind", Kind::Text("string"));
const API_VERSION_FIELD: (&str, Kind) = ("apiVersion", Kind::Text("string"));

#[cfg(test)]
mod tests;
