//! Request bodies of record writes, and the rules a record has to keep.

use std::net::{Ipv4Addr, Ipv6Addr};

use serde::{Deserialize, Deserializer};
use serde_json::{Map, Number, Value};

use crate::envelope::ApiError;
use crate::names::{in_zone, normal};
use crate::txt;
use crate::world::Plan;

/// The body of a write. Unknown fields (`zone_id`, `locked`, …) are ignored. [D]
#[derive(Clone, Debug, Default, Deserialize)]
#[serde(default)]
pub(crate) struct Body {
    pub(crate) id: Option<String>,
    #[serde(rename = "type")]
    pub(crate) kind: Option<String>,
    pub(crate) name: Option<String>,
    pub(crate) content: Option<String>,
    pub(crate) ttl: Option<Number>,
    pub(crate) comment: Given<String>,
    pub(crate) tags: Option<Vec<String>>,
    pub(crate) priority: Option<u16>,
    pub(crate) proxied: Option<bool>,
    pub(crate) settings: Option<Map<String, Value>>,
}

/// A field that tells `null`, which empties it, from its absence, which leaves it.
#[derive(Clone, Debug, Default)]
pub(crate) enum Given<T> {
    #[default]
    Absent,
    Null,
    Value(T),
}

/// A record that keeps the rules on its own; conflicts with others are looked at later.
#[derive(Clone, Debug)]
pub(crate) struct Draft {
    pub(crate) kind: String,
    pub(crate) name: String,
    pub(crate) content: String,
    pub(crate) ttl: u32,
    pub(crate) comment: Option<String>,
    pub(crate) tags: Vec<String>,
    pub(crate) priority: Option<u16>,
    pub(crate) proxied: bool,
    pub(crate) settings: Map<String, Value>,
}

impl<'de, T: Deserialize<'de>> Deserialize<'de> for Given<T> {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        Ok(Option::deserialize(deserializer)?.map_or(Self::Null, Self::Value))
    }
}

impl<T> From<Option<T>> for Given<T> {
    fn from(value: Option<T>) -> Self {
        value.map_or(Self::Null, Self::Value)
    }
}

impl Draft {
    /// Reads a whole record; what is left out takes its default.
    pub(crate) fn new(body: &Body, zone: &str, plan: Plan) -> Result<Self, ApiError> {
        let kind = body.kind.as_deref().unwrap_or_default().to_ascii_uppercase();
        let name = body.name.as_deref().and_then(|name| in_zone(name, zone));
        // [O: cisagov/manage.get.gov#5244]
        let name = name.ok_or_else(|| ApiError::dns(400, 9000, "DNS name is invalid."))?;
        let content = body.content.clone().unwrap_or_default();
        let content = checked_content(&kind, &content)?;
        let tags = body.tags.clone().unwrap_or_default();
        check_tags(&tags, plan)?;
        let comment = match &body.comment {
            Given::Value(comment) if !comment.is_empty() => Some(comment.clone()),
            Given::Value(_) | Given::Null | Given::Absent => None,
        };
        check_comment(comment.as_deref(), plan)?;
        if kind == "MX" && body.priority.is_none() {
            return Err(ApiError::dns(400, 9100, "priority is a required data field.")); // code and text U
        }
        Ok(Self {
            ttl: checked_ttl(body.ttl.as_ref(), plan)?,
            kind,
            name,
            content,
            comment,
            tags,
            priority: body.priority,
            proxied: body.proxied.unwrap_or(false),
            settings: body.settings.clone().unwrap_or_default(),
        })
    }
}

/// Content as it will be stored: as sent, host names without the dot at the end.
fn checked_content(kind: &str, content: &str) -> Result<String, ApiError> {
    let host = |code, message: &str| {
        let fine = normal(content).filter(|name| name.contains('.'));
        fine.ok_or_else(|| ApiError::dns(400, code, message))
    };
    match kind {
        "A" if content.parse::<Ipv4Addr>().is_ok() => Ok(content.to_owned()),
        // [O: yulewang/cloudflare-api-v4-ddns#16]
        "A" => Err(ApiError::dns(400, 9005, "Content for A record must be a valid IPv4 address.")),
        "AAAA" if content.parse::<Ipv6Addr>().is_ok() => Ok(content.to_owned()),
        "AAAA" => Err(ApiError::dns(400, 9006, "Content for AAAA record must be a valid IPv6 address.")), // code I
        // [O: kubernetes-sigs/external-dns#2409]
        "CNAME" => host(9007, "Content for CNAME record is invalid."),
        "MX" => host(9009, "Content for MX record must be a hostname."), // code U
        "NS" => host(9010, "Content for NS record must be a hostname."), // code U
        "PTR" => host(9011, "Content for PTR record must be a hostname."), // code U
        "TXT" => checked_txt(content),
        _ => Err(ApiError::dns(400, 9002, format!("DNS record type {kind:?} is invalid or not emulated."))), // code U
    }
}

fn checked_txt(content: &str) -> Result<String, ApiError> {
    let strings = txt::strings(content).filter(|_| !content.is_empty());
    // Documented as an error; its code is U.
    let strings = strings.ok_or_else(|| ApiError::dns(400, 9207, "Content for TXT record is invalid."))?;
    if txt::wire_len(&strings) > TXT_WIRE_MAX {
        let message =
            format!("Record content exceeds the allowed length of {TXT_WIRE_MAX} wire format bytes.");
        return Err(ApiError::dns(400, 9015, message)); // [O: cisagov/manage.get.gov#5244]
    }
    Ok(content.to_owned())
}

/// 1 (automatic), or 60 to 86400 seconds; from 30 for Enterprise. [D]
fn checked_ttl(ttl: Option<&Number>, plan: Plan) -> Result<u32, ApiError> {
    let least = if plan == Plan::Enterprise { 30 } else { 60 };
    let Some(ttl) = ttl else { return Ok(TTL_AUTOMATIC) };
    let seconds = ttl.as_u64().and_then(|seconds| u32::try_from(seconds).ok());
    seconds.filter(|seconds| *seconds == TTL_AUTOMATIC || (least..=TTL_MAX).contains(seconds)).ok_or_else(
        || {
            // [O: ZE3kr/Cloudflare-CNAME-Setup#16, text cut off there]
            let message =
                format!("Invalid TTL. Must be between {least} and 86,400 seconds, or 1 for Automatic.");
            ApiError::dns(400, 9021, message)
        },
    )
}

/// 100 characters on free zones, 500 on paid ones; one line. [D: record-attributes; O: code]
fn check_comment(comment: Option<&str>, plan: Plan) -> Result<(), ApiError> {
    let Some(comment) = comment else { return Ok(()) };
    let most = if plan == Plan::Free { 100 } else { 500 };
    if comment.chars().count() > most {
        let message = format!("DNS record comment exceeds the maximum length of {most} characters.");
        return Err(ApiError::dns(400, 9313, message));
    }
    if comment.contains(['\n', '\r']) {
        return Err(ApiError::dns(400, 9314, "DNS record comment contains invalid characters.")); // code U
    }
    Ok(())
}

/// Free zones have no tags. [O: cloudflare/terraform-provider-cloudflare#3217]
fn check_tags(tags: &[String], plan: Plan) -> Result<(), ApiError> {
    let quota = if plan == Plan::Free { 0 } else { 20 };
    if tags.len() > quota {
        let message = format!("DNS record has {} tags, exceeding the quota of {quota}.", tags.len());
        return Err(ApiError::dns(400, 9300, message));
    }
    Ok(())
}

const TTL_AUTOMATIC: u32 = 1;
const TTL_MAX: u32 = 86_400;

/// Bytes of one TXT record on the wire, and of all contents at one name. [D: dns-record-types]
const TXT_WIRE_MAX: usize = 4096;
pub(crate) const TXT_NAME_MAX: usize = 8192;
