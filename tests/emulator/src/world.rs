//! The world file: everything that exists when the emulator starts.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::faults::Fault;
use crate::propagation::Delay;
use crate::settings::{RateLimit, ResolverPick, Settings, Switches};

/// What exists at the start. Read from JSON, or built by the methods of this type.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct World {
    /// Cloudflare's API.
    pub api: ApiConfig,
    /// The control interface.
    pub control: ListenConfig,
    /// The caching recursive resolver; left out, none is started.
    pub resolver: Option<ResolverConfig>,
    /// A second one with a memory of its own, the CA's; left out, none is started.
    pub ca_resolver: Option<ListenConfig>,
    /// One port for all addresses of all name servers; 0 picks one that is free on all of them.
    pub authority_port: u16,
    /// The authoritative name servers.
    pub name_servers: Vec<NameServerConfig>,
    /// Time an API call takes, half of it before its effect.
    pub latency_ms: u64,
    /// From a write's effect until a name server address serves it.
    pub propagation_ms: u64,
    /// Added to it, uniformly from 0 to this, drawn anew for each record and address.
    pub propagation_jitter_ms: u64,
    /// Exceptions to `propagation_ms`; the last one that matches counts.
    pub delays: Vec<Delay>,
    /// Calls allowed; `null` for no limit.
    pub rate_limit: Option<RateLimit>,
    /// What is not known of Cloudflare, or was different once.
    pub switches: Switches,
    /// Start of the sequence that jitter and ids come from.
    pub seed: u64,
    /// Zones, of any account.
    pub zones: Vec<ZoneConfig>,
    /// API tokens.
    pub tokens: Vec<TokenConfig>,
    /// Global API keys.
    pub keys: Vec<KeyConfig>,
    /// Records present, and served, from the start.
    pub records: Vec<RecordConfig>,
    /// Further names that the resolver answers, outside of all zones.
    pub hosts: BTreeMap<String, Vec<IpAddr>>,
    /// Faults present from the start.
    pub faults: Vec<Fault>,
    /// For the stand-in of the Kubernetes API server; not read here.
    pub kubernetes: Value,
}

/// Where the API listens, and its certificate; without one it speaks plain HTTP.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ApiConfig {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
    /// PEM file of the certificate chain.
    pub tls_cert: Option<PathBuf>,
    /// PEM file of its private key.
    pub tls_key: Option<PathBuf>,
}

/// Where something listens.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ListenConfig {
    /// Address and port; port 0 picks a free one.
    pub listen: SocketAddr,
}

/// The caching recursive resolver.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct ResolverConfig {
    /// Address and port, UDP and TCP.
    pub listen: SocketAddr,
    /// A positive answer is kept for its TTL and no longer than this (Let's Encrypt's: 60). [O]
    pub positive_cap_seconds: u64,
    /// A negative answer is kept for the SOA's minimum and no longer than this; `null` for no cap.
    pub negative_cap_seconds: Option<u64>,
    /// How many seconds of a cache entry's life pass in one second.
    pub time_scale: u32,
    /// Which of a zone's delegated servers it asks.
    pub pick: ResolverPick,
    /// It asks from another point of presence, where each change arrives this much later.
    pub pop_delay_ms: u64,
}

/// A name server and its addresses; each address stands for a point of presence with a lag of its own.
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct NameServerConfig {
    /// Host name.
    pub name: String,
    /// Loopback addresses, shared with no other name server.
    pub addresses: Vec<IpAddr>,
}

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

/// A record.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct RecordConfig {
    /// Apex of its zone, or the zone's id.
    pub zone: String,
    /// A, AAAA, CNAME, MX, NS, PTR or TXT.
    #[serde(rename = "type")]
    pub kind: String,
    /// As the API takes it.
    pub name: String,
    /// As the API takes it.
    pub content: String,
    /// Seconds; 1 for automatic.
    #[serde(default = "automatic_ttl")]
    pub ttl: u32,
    /// Comment.
    #[serde(default)]
    pub comment: Option<String>,
    /// For MX.
    #[serde(default)]
    pub priority: Option<u16>,
    /// Served and not in the API, as Universal SSL's `_acme-challenge` records. [D]
    #[serde(default)]
    pub hidden: bool,
}

/// Why a world cannot be.
#[derive(Debug, thiserror::Error)]
pub enum WorldError {
    /// The file cannot be read.
    #[error("cannot read the world file {}", path.display())]
    Read {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: std::io::Error,
    },
    /// The file is not a world.
    #[error("{} is not a world file", path.display())]
    Parse {
        /// Its path.
        path: PathBuf,
        /// Why.
        source: serde_json::Error,
    },
    /// Something in it does not fit together.
    #[error("{0}")]
    Invalid(String),
}

impl World {
    /// Two name servers on three loopback addresses, a resolver, nothing else; no delays, no limits.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a world file.
    pub fn read(path: &Path) -> Result<Self, WorldError> {
        let text =
            std::fs::read(path).map_err(|source| WorldError::Read { path: path.to_owned(), source })?;
        serde_json::from_slice(&text).map_err(|source| WorldError::Parse { path: path.to_owned(), source })
    }

    /// Adds an active zone of the default account.
    #[must_use]
    pub fn zone(self, name: &str) -> Self {
        self.with_zone(ZoneConfig::new(name))
    }

    /// Adds a zone.
    #[must_use]
    pub fn with_zone(mut self, zone: ZoneConfig) -> Self {
        self.zones.push(zone);
        self
    }

    /// Adds a token of the default account with all permissions on these zones (`*` for all).
    #[must_use]
    pub fn token(self, value: &str, zones: &[&str]) -> Self {
        let zones = zones.iter().map(ToString::to_string).collect();
        self.with_token(TokenConfig { zones, ..TokenConfig::new(value) })
    }

    /// Adds a token.
    #[must_use]
    pub fn with_token(mut self, token: TokenConfig) -> Self {
        self.tokens.push(token);
        self
    }

    /// Adds a record with TTL 300.
    #[must_use]
    pub fn record(mut self, zone: &str, kind: &str, name: &str, content: &str) -> Self {
        self.records.push(RecordConfig {
            zone: zone.to_owned(),
            kind: kind.to_owned(),
            name: name.to_owned(),
            content: content.to_owned(),
            ttl: 300,
            ..RecordConfig::default()
        });
        self
    }

    pub(crate) fn settings(&self) -> Settings {
        let resolver = self.resolver.clone().unwrap_or_default();
        Settings {
            latency_ms: self.latency_ms,
            propagation_ms: self.propagation_ms,
            propagation_jitter_ms: self.propagation_jitter_ms,
            delays: self.delays.clone(),
            rate_limit: self.rate_limit.clone(),
            switches: self.switches.clone(),
            pick: resolver.pick,
            pop_delay_ms: resolver.pop_delay_ms,
            positive_cap_seconds: resolver.positive_cap_seconds,
            negative_cap_seconds: resolver.negative_cap_seconds,
            time_scale: resolver.time_scale,
        }
    }
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

impl Default for World {
    fn default() -> Self {
        let loopback = |last| IpAddr::V4(Ipv4Addr::new(127, 0, 0, last));
        Self {
            api: ApiConfig::default(),
            control: ListenConfig::default(),
            resolver: Some(ResolverConfig::default()),
            ca_resolver: None,
            authority_port: 0,
            name_servers: vec![
                NameServerConfig {
                    name: "ada.ns.cloudflare.com".to_owned(),
                    addresses: vec![loopback(2), loopback(3)],
                },
                NameServerConfig { name: "bob.ns.cloudflare.com".to_owned(), addresses: vec![loopback(4)] },
            ],
            latency_ms: 0,
            propagation_ms: 0,
            propagation_jitter_ms: 0,
            delays: Vec::new(),
            rate_limit: None,
            switches: Switches::default(),
            seed: 1,
            zones: Vec::new(),
            tokens: Vec::new(),
            keys: Vec::new(),
            records: Vec::new(),
            hosts: BTreeMap::new(),
            faults: Vec::new(),
            kubernetes: Value::Null,
        }
    }
}

impl Default for ApiConfig {
    fn default() -> Self {
        Self { listen: any_port(), tls_cert: None, tls_key: None }
    }
}

impl Default for ListenConfig {
    fn default() -> Self {
        Self { listen: any_port() }
    }
}

impl Default for ResolverConfig {
    fn default() -> Self {
        Self {
            listen: any_port(),
            positive_cap_seconds: 60,
            negative_cap_seconds: None,
            time_scale: 1,
            pick: ResolverPick::default(),
            pop_delay_ms: 0,
        }
    }
}

fn any_port() -> SocketAddr {
    SocketAddr::from((Ipv4Addr::LOCALHOST, 0))
}

fn default_account() -> String {
    "a1".to_owned()
}

fn all_zones() -> Vec<String> {
    vec!["*".to_owned()]
}

fn all_permissions() -> Vec<Permission> {
    vec![Permission::ZoneRead, Permission::DnsRead, Permission::DnsEdit]
}

/// Default of the SOA's minimum. [D: dns-record-types, SOA]
fn default_soa_minimum() -> u32 {
    1800
}

fn automatic_ttl() -> u32 {
    1
}
