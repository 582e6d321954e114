//! The admin port: plain HTTP for kubelet and Prometheus, nothing that needs to be kept from them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::routing::get;
use http::HeaderMap;
use prometheus_client::registry::Registry;

use crate::api::probe::{self, Reasons};
use crate::api::query::Query;
use crate::api::route::Probe;
use crate::api::{metrics, status};
use crate::health::Health;

/// `/livez`, `/readyz` (with the reason why not), their checks one by one, and `/metrics`.
pub fn router(health: &Health, registry: Arc<Registry>) -> Router {
    let metrics = get(move |headers: HeaderMap| async move { metrics::page(&registry, &headers) });
    let mut router = Router::new().route("/metrics", metrics);
    for probe in [Probe::Livez, Probe::Readyz, Probe::Healthz] {
        let name = probe.name();
        let (all, one) = (health.clone(), health.clone());
        let whole = get(move |RawQuery(query): RawQuery| async move {
            let query = Query::parse(query.as_deref());
            probe::page(probe, None, &query, &all, Reasons::Shown).unwrap_or_else(status::page_not_found)
        });
        let part = get(move |Path(check): Path<String>| async move {
            let none = Query::default();
            probe::page(probe, Some(&check), &none, &one, Reasons::Shown)
                .unwrap_or_else(status::page_not_found)
        });
        router = router.route(&format!("/{name}"), whole).route(&format!("/{name}/{{check}}"), part);
    }
    router.fallback(|| async { status::page_not_found() })
}
