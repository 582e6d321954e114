//! Zones as a world has them.

use serde::{Deserialize, Serialize};

use super::default_account;

/// A zone.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct ZoneConfig {
    /// Apex, as A-labels.
    pub name: String,
    /// 32 hex characters; [`crate::derived_id`] of `zone:<name>` when absent.
    #[serde(default)]
    pub id: Option<String>,
    /// State of the zone.
    #[serde(default)]
    pub status: ZoneStatus,
    /// Setup of the zone.
    #[serde(default, rename = "type")]
    pub kind: ZoneKind,
    /// Plan, which decides quotas and limits.
    #[serde(default)]
    pub plan: Plan,
    /// Name of the account that holds it, or its 32 hex characters.
    #[serde(default = "default_account")]
    pub account: String,
    /// Name servers that Cloudflare assigned and that serve it; default: the first two of the world.
    #[serde(default)]
    pub name_servers: Option<Vec<String>>,
    /// Custom name servers that serve it too.
    #[serde(default)]
    pub vanity_name_servers: Vec<String>,
    /// NS names at the parent; default: the vanity servers if any, else `name_servers`.
    #[serde(default)]
    pub delegated_to: Option<Vec<String>>,
    /// Records allowed; default: by the plan (free 200, pro and business 3500, enterprise none).
    #[serde(default)]
    pub record_quota: Option<usize>,
    /// Negative answers are cached for this long (seconds).
    #[serde(default = "default_soa_minimum")]
    pub soa_minimum: u32,
}

/// State of a zone. [D: dns/zone-setups/reference/domain-status]
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneStatus {
    /// Answers DNS and API.
    #[default]
    Active,
    /// Not delegated yet; its assigned name servers answer all the same.
    Pending,
    /// No DNS answers.
    Initializing,
    /// The delegation went elsewhere.
    Moved,
    /// Gone from the API, still answering DNS for a while.
    Deleted,
    /// Gone.
    Purged,
}

/// Setup of a zone.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum ZoneKind {
    /// Cloudflare is the authority.
    #[default]
    Full,
    /// CNAME setup: the authority is elsewhere, nothing is served.
    Partial,
    /// Secondary; served, its transfers are not emulated.
    Secondary,
    /// Internal DNS; hidden from lists unless asked for, not served.
    Internal,
}

/// Plan of a zone, which decides its limits.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum Plan {
    /// 200 records, 100 characters of comment, 200 operations a batch.
    #[default]
    Free,
    /// 3500 records.
    Pro,
    /// 3500 records.
    Business,
    /// No quota of its own; TTLs from 30 s.
    Enterprise,
}

impl ZoneConfig {
    /// An active, full zone on the free plan of the default account.
    pub fn new(name: &str) -> Self {
        Self {
            name: name.to_owned(),
            id: None,
            status: ZoneStatus::default(),
            kind: ZoneKind::default(),
            plan: Plan::default(),
            account: default_account(),
            name_servers: None,
            vanity_name_servers: Vec::new(),
            delegated_to: None,
            record_quota: None,
            soa_minimum: default_soa_minimum(),
        }
    }
}

/// Default of the SOA's minimum. [D: dns-record-types, SOA]
fn default_soa_minimum() -> u32 {
    1800
}
