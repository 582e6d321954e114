//! Zones: their state, their object in the API, their list.

use std::collections::BTreeMap;

use serde_json::{Value, json};
use tokio::time::Instant;

use crate::auth::{self, Actor};
use crate::clock::Clock;
use crate::envelope::{Answer, ApiError};
use crate::names::{derived_id, is_id};
use crate::propagation::Published;
use crate::query::{Query, page};
use crate::records::Record;
use crate::settings::Switches;
use crate::world::{Plan, ZoneConfig, ZoneKind, ZoneStatus};

/// A zone with its records in the API's state and as DNS knows them.
#[derive(Debug)]
pub(crate) struct Zone {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) status: ZoneStatus,
    pub(crate) kind: ZoneKind,
    pub(crate) plan: Plan,
    pub(crate) account: String,
    pub(crate) name_servers: Vec<String>,
    pub(crate) vanity_name_servers: Vec<String>,
    pub(crate) delegated_to: Vec<String>,
    pub(crate) quota: Option<usize>,
    pub(crate) soa_minimum: u32,
    pub(crate) created: Instant,
    /// By order of creation.
    pub(crate) records: BTreeMap<u64, Record>,
    pub(crate) published: Published,
}

impl Zone {
    /// `default_servers` are assigned when the configuration names none.
    pub(crate) fn new(config: &ZoneConfig, id: String, default_servers: &[String], created: Instant) -> Self {
        let name_servers = config.name_servers.clone().unwrap_or_else(|| default_servers.to_vec());
        let vanity = &config.vanity_name_servers;
        let usual = if vanity.is_empty() { &name_servers } else { vanity };
        let quota = match config.plan {
            // Zones made since 2024-09-01. [D: dns/manage-dns-records]
            Plan::Free => Some(200),
            Plan::Pro | Plan::Business => Some(3500),
            // The account's quota counts instead. [D]
            Plan::Enterprise => None,
        };
        Self {
            id,
            name: config.name.to_ascii_lowercase(),
            status: config.status,
            kind: config.kind,
            plan: config.plan,
            account: config.account.clone(),
            delegated_to: config.delegated_to.clone().unwrap_or_else(|| usual.clone()),
            name_servers,
            vanity_name_servers: vanity.clone(),
            quota: config.record_quota.or(quota),
            soa_minimum: config.soa_minimum,
            created,
            records: BTreeMap::new(),
            published: Published::default(),
        }
    }

    /// Whether the API knows it.
    pub(crate) fn in_api(&self) -> bool {
        !matches!(self.status, ZoneStatus::Deleted | ZoneStatus::Purged)
    }

    /// Whether this name server answers for it. A deleted zone still answers for a while, a pending one
    /// already does. [D: dns/zone-setups/reference/domain-status]
    pub(crate) fn is_served_by(&self, server: &str) -> bool {
        let answers = !matches!(self.status, ZoneStatus::Initializing | ZoneStatus::Purged)
            && matches!(self.kind, ZoneKind::Full | ZoneKind::Secondary);
        answers && self.name_servers.iter().chain(&self.vanity_name_servers).any(|name| name == server)
    }

    /// Its id in the API's account object.
    pub(crate) fn account_id(&self) -> String {
        account_id(&self.account)
    }

    /// The zone object. [D: npm cloudflare@7.3.0 zones.ts]
    fn object(&self, clock: &Clock) -> Value {
        let created = clock.rfc3339(self.created);
        let activated = (self.status == ZoneStatus::Active).then(|| created.clone());
        let mut object = json!({
            "id": self.id,
            "name": self.name,
            "status": self.status,
            "paused": false,
            "type": self.kind,
            "development_mode": 0,
            "name_servers": self.name_servers,
            "original_name_servers": null,
            "original_registrar": null,
            "original_dnshost": null,
            "modified_on": created,
            "created_on": created,
            "activated_on": activated,
            "meta": {
                "step": 2, "custom_certificate_quota": 0, "page_rule_quota": 3, "phishing_detected": false,
                "cdn_only": false, "dns_only": false, "foundation_dns": false,
            },
            "owner": {"id": derived_id("owner"), "name": "owner", "type": "user"},
            "account": {"id": self.account_id(), "name": self.account},
            "permissions": ["#dns_records:edit", "#dns_records:read", "#zone:read"],
            "plan": {
                "id": derived_id("plan"), "name": format!("{:?} Website", self.plan), "price": 0,
                "currency": "USD", "frequency": "", "is_subscribed": false, "can_subscribe": false,
                "legacy_id": self.plan, "legacy_discount": false, "externally_managed": false,
            },
        });
        if !self.vanity_name_servers.is_empty() {
            object["vanity_name_servers"] = json!(self.vanity_name_servers);
        }
        if self.kind == ZoneKind::Partial {
            object["verification_key"] = json!("284344499-1084221259");
        }
        object
    }

    fn matches(&self, query: &Query) -> bool {
        let status = serde_json::to_value(self.status).unwrap_or_default();
        let kind = serde_json::to_value(self.kind).unwrap_or_default();
        let kinds = query.get("type");
        query.get("name").is_none_or(|wanted| name_matches(&self.name, wanted))
            && query.get("status").is_none_or(|wanted| status == wanted)
            && query.get("account.id").is_none_or(|wanted| self.account_id() == wanted)
            && query.get("account.name").is_none_or(|wanted| name_matches(&self.account, wanted))
            // Internal zones are left out unless asked for. [D]
            && kinds.map_or(self.kind != ZoneKind::Internal, |kinds| kinds.split(',').any(|wanted| kind == wanted))
    }
}

/// An account's id: the name itself when it is one.
pub(crate) fn account_id(name: &str) -> String {
    if is_id(name) { name.to_owned() } else { derived_id(&format!("account:{name}")) }
}

/// `GET /zones`. [D]
pub(crate) fn list(
    zones: &[Zone],
    clock: &Clock,
    actor: &Actor,
    query: &Query,
    switches: &Switches,
) -> Result<Answer, ApiError> {
    if !actor.may_read_zones(switches) {
        return Err(auth::unauthorized());
    }
    let seen = |zone: &&Zone| zone.in_api() && actor.sees(zone) && zone.matches(query);
    let mut found: Vec<&Zone> = zones.iter().filter(seen).collect();
    if found.is_empty() && query.get("name").is_some() && switches.invisible_zone_is_403 {
        // 2019 to 2021. [O: acmesh-official/acme.sh#2519]
        let message = format!(
            "Actor '{}' requires permission 'com.cloudflare.api.account.zone.list' to list zones",
            actor.old_name()
        );
        return Err(ApiError::gateway(403, 0, message));
    }
    match query.get("order") {
        Some("name") => found.sort_by(|a, b| a.name.cmp(&b.name)),
        Some("account.id") => found.sort_by_key(|zone| zone.account_id()),
        Some("account.name") => found.sort_by(|a, b| a.account.cmp(&b.account)),
        _ => {}
    }
    if query.get("direction") == Some("desc") {
        found.reverse();
    }
    let asked = query.number("per_page");
    if asked.is_some_and(|asked| asked > ZONE_PAGE_MAX) && switches.large_zone_page_is_400 {
        return Err(ApiError::gateway(400, 1003, "per_page must be at most 50")); // code and text U
    }
    let per_page = asked.unwrap_or(ZONE_PAGE).clamp(1, ZONE_PAGE_MAX);
    let (found, info) = page(&found, query, per_page);
    let objects: Vec<Value> = found.iter().map(|zone| zone.object(clock)).collect();
    Ok(Answer::page(&objects, info))
}

/// `GET /zones/{id}`. That a zone exists is not told to those who may not see it. [C]
pub(crate) fn get(
    zones: &[Zone],
    clock: &Clock,
    actor: &Actor,
    id: &str,
    switches: &Switches,
) -> Result<Answer, ApiError> {
    let zone = zones.iter().find(|zone| zone.id == id && zone.in_api() && actor.sees(zone));
    let zone = zone.filter(|_| actor.may_read_zones(switches)).ok_or_else(auth::unauthorized)?;
    Ok(Answer::result(zone.object(clock)))
}

/// `[operator:]value`, case-insensitive unless the operator says otherwise. [D: description of `name`]
fn name_matches(name: &str, wanted: &str) -> bool {
    let (operator, value) = wanted.split_once(':').unwrap_or(("equal", wanted));
    let (folded, lower) = (name.to_ascii_lowercase(), value.to_ascii_lowercase());
    match operator {
        "equal" => folded == lower,
        "not_equal" => folded != lower,
        "starts_with" => folded.starts_with(&lower),
        "ends_with" => folded.ends_with(&lower),
        "contains" => folded.contains(&lower),
        "starts_with_case_sensitive" => name.starts_with(value),
        "ends_with_case_sensitive" => name.ends_with(value),
        "contains_case_sensitive" => name.contains(value),
        _ => false,
    }
}

/// Default and maximum of `per_page`; the documented minimum of 5 is not enforced. [D; O: certbot/certbot#8994]
const ZONE_PAGE: usize = 20;
const ZONE_PAGE_MAX: usize = 50;
