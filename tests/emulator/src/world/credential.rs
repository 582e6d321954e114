//! Tokens and keys as a world has them.

use std::net::IpAddr;

use serde::{Deserialize, Serialize};

use super::default_account;

/// An API token.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct TokenConfig {
    /// What follows `Bearer`. One that starts with `cfat_` belongs to the account, not to a user.
    pub value: String,
    /// Account whose zones it may see; `*` for a user who is a member of all.
    #[serde(default = "default_account")]
    pub account: String,
    /// Whose rate limit it shares; default: one user for the account.
    #[serde(default)]
    pub user: Option<String>,
    /// Zone names, or `*` for all of the account.
    #[serde(default = "all_zones")]
    pub zones: Vec<String>,
    /// What it may do there.
    #[serde(default = "all_permissions")]
    pub permissions: Vec<Permission>,
    /// State of the token.
    #[serde(default)]
    pub status: TokenStatus,
    /// Client addresses it works from; empty for all.
    #[serde(default)]
    pub allowed_ips: Vec<IpAddr>,
    /// For this long after it was added, calls fail as not authenticated.
    #[serde(default)]
    pub settles_ms: u64,
    /// The batch endpoint refuses it, whatever its permissions (`#dns_records:batch` is a right of its own). [I]
    #[serde(default)]
    pub no_batch: bool,
}

/// Permission of a token.
#[derive(Clone, Copy, Debug, Deserialize, Eq, PartialEq, Serialize)]
pub enum Permission {
    /// Zone: Read.
    #[serde(rename = "zone:read")]
    ZoneRead,
    /// DNS: Read.
    #[serde(rename = "dns:read")]
    DnsRead,
    /// DNS: Edit (Write), which includes reading.
    #[serde(rename = "dns:edit")]
    DnsEdit,
}

/// State of a token.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum TokenStatus {
    /// Works.
    #[default]
    Active,
    /// Past its end.
    Expired,
    /// Switched off.
    Disabled,
}

/// A global API key.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct KeyConfig {
    /// `X-Auth-Email`.
    pub email: String,
    /// `X-Auth-Key`.
    pub key: String,
    /// Account whose zones it may see and change; `*` for a user who is a member of all.
    #[serde(default = "default_account")]
    pub account: String,
    /// Whose rate limit it shares; default: one user for the account.
    #[serde(default)]
    pub user: Option<String>,
}

impl TokenConfig {
    /// An active token with all permissions on all zones of the default account.
    pub fn new(value: &str) -> Self {
        Self {
            value: value.to_owned(),
            account: default_account(),
            user: None,
            zones: all_zones(),
            permissions: all_permissions(),
            status: TokenStatus::default(),
            allowed_ips: Vec::new(),
            settles_ms: 0,
            no_batch: false,
        }
    }
}

fn all_zones() -> Vec<String> {
    vec!["*".to_owned()]
}

fn all_permissions() -> Vec<Permission> {
    vec![Permission::ZoneRead, Permission::DnsRead, Permission::DnsEdit]
}
