//! The world file: everything that exists when the emulator starts.

use std::collections::BTreeMap;
use std::net::{IpAddr, Ipv4Addr, SocketAddr};
use std::path::{Path, PathBuf};

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::faults::Fault;
use crate::propagation::Delay;
use crate::settings::{RateLimit, ResolverPick, Settings, Switches};

mod credential;
mod zone;

pub use credential::{KeyConfig, Permission, TokenConfig, TokenStatus};
pub use zone::{Plan, ZoneConfig, ZoneKind, ZoneStatus};

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

fn automatic_ttl() -> u32 {
    1
}
