//! The solver's `config` in an Issuer or `ClusterIssuer`, with the field names of cert-manager's built-in solver.
//!
//! ```yaml
//! config:
//!   apiTokenSecretRef: { name: cloudflare, key: token }   # or email + apiKeySecretRef
//!   ttl: 60
//!   zones:                                                 # optional; the longest suffix wins
//!     - { name: example.com, id: 023e105f4ecef8ad9ca31a8372d0c353 }
//! ```

use serde_json::{Map, Value};

use crate::name::{Fqdn, NameError};

/// A configuration whose every field has been checked.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerConfig {
    /// What authenticates us, where no zone says otherwise.
    source: Option<CredentialSource>,
    /// Zones with an id or a token of their own.
    zones: Vec<ZonePin>,
    /// Seconds; 1 is Cloudflare's "automatic".
    ttl: u32,
}

/// Where a credential is found.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub enum CredentialSource {
    /// The operator's own token (`--api-token-file`).
    Ambient,
    /// An API token.
    Token(SecretKeyRef),
    /// A Global API Key.
    Key {
        /// The user's address.
        email: String,
        /// Where the key is.
        key: SecretKeyRef,
    },
}

/// A key of a Secret in the request's namespace; there is no field for another namespace.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct SecretKeyRef {
    /// The Secret's name.
    pub name: String,
    /// The key in its `data`.
    pub key: String,
}

/// A zone named in the configuration.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ZonePin {
    /// The zone's name.
    pub name: Fqdn,
    /// Its id at Cloudflare; with it no zone is ever listed.
    pub id: Option<String>,
    /// A token for this zone alone.
    pub source: Option<CredentialSource>,
}

impl IssuerConfig {
    /// Checks a configuration; an unknown field is an error that names it.
    ///
    /// `ambient` says whether the operator's own token may stand in for a missing reference.
    pub fn parse(config: Option<&Value>, ambient: bool) -> Result<Self, IssuerError> {
        let empty = Map::new();
        let config = match config {
            None | Some(Value::Null) => &empty,
            Some(config) => object(config, "config")?,
        };
        only(config, "config", CONFIG_FIELDS)?;
        let source = source(config, ambient)?;
        let zones = zones(config.get("zones"))?;
        if source.is_none() && (zones.is_empty() || zones.iter().any(|zone| zone.source.is_none())) {
            return Err(IssuerError::NoCredential);
        }
        Ok(Self { source, zones, ttl: ttl(config.get("ttl"))? })
    }

    /// Reads what is of use of a configuration that [`parse`](Self::parse) may refuse, for `CleanUp`: it is
    /// frozen in the Challenge, and what an older or newer version wrote must go all the same.
    pub fn parse_leniently(config: Option<&Value>, ambient: bool) -> Result<Self, IssuerError> {
        let mut config = config.cloned();
        if let Some(Value::Object(fields)) = &mut config {
            keep(fields, CONFIG_FIELDS);
            // A wrong time to live is no reason to leave a record behind.
            fields.remove("ttl");
            for zone in fields.get_mut("zones").and_then(Value::as_array_mut).into_iter().flatten() {
                zone.as_object_mut().into_iter().for_each(|zone| keep(zone, ZONE_FIELDS));
            }
        }
        Self::parse(config.as_ref(), ambient)
    }

    /// The pinned zone that holds `fqdn`, the longest if several do.
    pub fn pin(&self, fqdn: &Fqdn) -> Option<&ZonePin> {
        self.zones.iter().filter(|pin| fqdn.is_within(&pin.name)).max_by_key(|pin| pin.name.labels())
    }

    /// Where the credential for `fqdn` is found; `None` if only other zones have one.
    pub fn source(&self, fqdn: &Fqdn) -> Option<&CredentialSource> {
        self.pin(fqdn).and_then(|pin| pin.source.as_ref()).or(self.source.as_ref())
    }

    /// The record's time to live in seconds; 1 is Cloudflare's "automatic", 300 s.
    pub fn ttl(&self) -> u32 {
        self.ttl
    }
}

/// The digest of a solver as a Challenge names it: equal for two Challenges exactly if they come to the same solver
/// with the same configuration, however its JSON is written.
pub fn solver_digest(group_name: &str, solver_name: &str, config: Option<&Value>) -> [u8; 32] {
    // The API server's client lower-cases the solver's name, the resource of its URL (client-go `rest/request.go`).
    let solver = Value::Array(vec![
        group_name.into(),
        solver_name.to_ascii_lowercase().into(),
        config.cloned().unwrap_or_default(),
    ]);
    let mut text = String::new();
    canonical(&solver, &mut text);
    let mut digest = [0; 32];
    digest.copy_from_slice(aws_lc_rs::digest::digest(&aws_lc_rs::digest::SHA256, text.as_bytes()).as_ref());
    digest
}

/// Why a configuration is refused. Field names are ours or cut to what a field name can be; values never appear.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// `email` is no header value.
    #[error("config.email is not an e-mail address")]
    Email,
    /// A field that must be there is missing.
    #[error("{0} is missing")]
    Missing(String),
    /// A field's value is not of the type it must have.
    #[error("{path} is not {kind}")]
    Type {
        /// The field, from `config` on.
        path: String,
        /// What it must be, with its article.
        kind: &'static str,
    },
    /// A zone's `id` is not 32 hexadecimal digits.
    #[error("the id of a zone in config.zones is not 32 lower-case hexadecimal digits")]
    Id,
    /// Both kinds of credential, or half of one.
    #[error("config must have either apiTokenSecretRef, or email and apiKeySecretRef together")]
    Mixed,
    /// None at all, and the operator's own token may not be used.
    #[error(
        "config names no credential: set apiTokenSecretRef (or email and apiKeySecretRef), or one for each of config.zones"
    )]
    NoCredential,
    /// A Secret reference can't be one.
    #[error("{0} is not a reference to a Secret: its name or key has characters that none can have")]
    Reference(String),
    /// `ttl` is out of Cloudflare's range.
    #[error("config.ttl must be 1 (automatic) or from 60 to 86400 seconds (from 30 on Enterprise)")]
    Ttl,
    /// A field nobody knows.
    #[error("{0} is not a field of this solver's configuration")]
    Unknown(String),
    /// A zone's `name` is no name.
    #[error("the name of a zone in config.zones is not a DNS name: {0}")]
    Zone(NameError),
}

const CONFIG_FIELDS: &[&str] = &["apiTokenSecretRef", "email", "apiKeySecretRef", "zones", "ttl"];
const ZONE_FIELDS: &[&str] = &["name", "id", "apiTokenSecretRef"];
const REF_FIELDS: &[&str] = &["name", "key"];

/// 60 s bounds how long a resolver can hold an answer without the value, and is the least that every plan allows.
const DEFAULT_TTL: u32 = 60;

/// JSON without white space, its fields sorted: the order in a [`Map`] depends on how `serde_json` was built.
fn canonical(value: &Value, text: &mut String) {
    match value {
        Value::Object(fields) => {
            let mut fields: Vec<_> = fields.iter().collect();
            fields.sort_unstable_by_key(|(name, _)| *name);
            text.push('{');
            for (name, value) in fields {
                text.push_str(&Value::from(name.as_str()).to_string());
                text.push(':');
                canonical(value, text);
                text.push(',');
            }
            text.push('}');
        }
        Value::Array(values) => {
            text.push('[');
            for value in values {
                canonical(value, text);
                text.push(',');
            }
            text.push(']');
        }
        plain => text.push_str(&plain.to_string()),
    }
}

fn source(config: &Map<String, Value>, ambient: bool) -> Result<Option<CredentialSource>, IssuerError> {
    match (config.get("apiTokenSecretRef"), config.get("apiKeySecretRef"), config.get("email")) {
        (Some(token), None, None) => {
            secret_ref(token, "config.apiTokenSecretRef").map(|token| Some(CredentialSource::Token(token)))
        }
        (None, Some(key), Some(email)) => Ok(Some(CredentialSource::Key {
            email: email_address(string(email, "config.email")?)?,
            key: secret_ref(key, "config.apiKeySecretRef")?,
        })),
        (None, None, None) => Ok(ambient.then_some(CredentialSource::Ambient)),
        _ => Err(IssuerError::Mixed),
    }
}

fn zones(zones: Option<&Value>) -> Result<Vec<ZonePin>, IssuerError> {
    let Some(zones) = zones else { return Ok(Vec::new()) };
    let list = zones.as_array().ok_or_else(|| wrong("config.zones", "a list"))?;
    list.iter().enumerate().map(|(at, zone)| pin(zone, &format!("config.zones[{at}]"))).collect()
}

fn pin(zone: &Value, path: &str) -> Result<ZonePin, IssuerError> {
    let zone = object(zone, path)?;
    only(zone, path, ZONE_FIELDS)?;
    let name = required(zone, path, "name")?;
    let id = zone.get("id").map(|id| string(id, &format!("{path}.id"))).transpose()?;
    let token = zone.get("apiTokenSecretRef");
    Ok(ZonePin {
        name: Fqdn::parse(name).map_err(IssuerError::Zone)?,
        id: id.map(zone_id).transpose()?,
        source: token
            .map(|token| secret_ref(token, &format!("{path}.apiTokenSecretRef")))
            .transpose()?
            .map(CredentialSource::Token),
    })
}

/// Ids are 32 lower-case hexadecimal digits (<https://developers.cloudflare.com/api/>); checked because the id
/// becomes part of a URL.
fn zone_id(id: &str) -> Result<String, IssuerError> {
    let hex = |b: u8| b.is_ascii_digit() || (b'a'..=b'f').contains(&b);
    if id.len() == 32 && id.bytes().all(hex) { Ok(id.to_owned()) } else { Err(IssuerError::Id) }
}

fn ttl(ttl: Option<&Value>) -> Result<u32, IssuerError> {
    let Some(ttl) = ttl else { return Ok(DEFAULT_TTL) };
    let ttl = ttl.as_u64().ok_or_else(|| wrong("config.ttl", "a number"))?;
    // https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/
    let allowed = ttl == 1 || (30..=86_400).contains(&ttl);
    u32::try_from(ttl).ok().filter(|_| allowed).ok_or(IssuerError::Ttl)
}

fn secret_ref(value: &Value, path: &str) -> Result<SecretKeyRef, IssuerError> {
    let value = object(value, path)?;
    only(value, path, REF_FIELDS)?;
    let (name, key) = (required(value, path, "name")?, required(value, path, "key")?);
    // A DNS subdomain, and the characters of a Secret's keys (apimachinery `IsDNS1123Subdomain`, `IsConfigMapKey`).
    let in_name = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit() || b"-.".contains(&b);
    let in_key = |b: u8| b.is_ascii_alphanumeric() || b"-._".contains(&b);
    let ends = name.starts_with(['-', '.']) || name.ends_with(['-', '.']);
    let fits = |text: &str| (1..=253).contains(&text.len());
    if ends || !fits(name) || !fits(key) || !name.bytes().all(in_name) || !key.bytes().all(in_key) {
        return Err(IssuerError::Reference(path.to_owned()));
    }
    Ok(SecretKeyRef { name: name.to_owned(), key: key.to_owned() })
}

/// What a header can carry, with an `@` inside.
fn email_address(email: &str) -> Result<String, IssuerError> {
    let email = email.trim();
    let fits = email.len() <= 320 && email.bytes().all(|b| b.is_ascii_graphic());
    let at = email.find('@').is_some_and(|at| at > 0 && at + 1 < email.len());
    if fits && at { Ok(email.to_owned()) } else { Err(IssuerError::Email) }
}

fn object<'a>(value: &'a Value, path: &str) -> Result<&'a Map<String, Value>, IssuerError> {
    value.as_object().ok_or_else(|| wrong(path, "an object"))
}

fn required<'a>(fields: &'a Map<String, Value>, path: &str, field: &str) -> Result<&'a str, IssuerError> {
    let path = format!("{path}.{field}");
    let Some(value) = fields.get(field) else {
        return Err(IssuerError::Missing(path));
    };
    string(value, &path)
}

fn string<'a>(value: &'a Value, path: &str) -> Result<&'a str, IssuerError> {
    value.as_str().ok_or_else(|| wrong(path, "a text"))
}

fn wrong(path: &str, kind: &'static str) -> IssuerError {
    IssuerError::Type { path: path.to_owned(), kind }
}

fn only(fields: &Map<String, Value>, path: &str, known: &[&str]) -> Result<(), IssuerError> {
    match fields.keys().find(|field| !known.contains(&field.as_str())) {
        None => Ok(()),
        Some(field) => Err(IssuerError::Unknown(format!("{path}.{}", printable(field)))),
    }
}

fn keep(fields: &mut Map<String, Value>, known: &[&str]) {
    fields.retain(|field, _| known.contains(&field.as_str()));
}

/// A field's name as an error may show it: somebody may have pasted a token there.
fn printable(field: &str) -> String {
    let plain = |c: &char| c.is_ascii_alphanumeric() || "_-.".contains(*c);
    let shown: String = field.chars().take_while(plain).take(MAX_SHOWN).collect();
    if shown.len() == field.len() { shown } else { format!("{shown}…") }
}

/// The longest field name of the built-in solvers has 27 letters; no token is as short.
const MAX_SHOWN: usize = 32;

#[cfg(test)]
mod tests;
