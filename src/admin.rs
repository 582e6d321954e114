//! The admin port: plain HTTP for kubelet and Prometheus, nothing that needs to be kept from them.

use std::sync::Arc;

use axum::Router;
use axum::extract::{Path, RawQuery};
use axum::routing::get;
use prometheus_client::registry::Registry;

use crate::api::probe::{self, Reasons};
use crate::api::route::Probe;
use crate::api::{metrics, status};
use crate::health::Health;

/// `/livez`, `/readyz` (with the reason why not), their checks one by one, and `/metrics`.
pub fn router(health: &Health, registry: Arc<Registry>) -> Router {
    let metrics = get(move || async move { metrics::page(&registry) });
    let mut router = Router::new().route("/metrics", metrics);
    for probe in [Probe::Livez, Probe::Readyz, Probe::Healthz] {
        let name = probe.name();
        let (all, one) = (health.clone(), health.clone());
        let whole = get(move |RawQuery(query): RawQuery| async move {
            probe::page(probe, None, query.as_deref(), &all, Reasons::Shown)
        });
        let part = get(move |Path(check): Path<String>| async move {
            probe::page(probe, Some(&check), None, &one, Reasons::Shown)
        });
        router = router.route(&format!("/{name}"), whole).route(&format!("/{name}/{{check}}"), part);
    }
    router.fallback(|| async { status::page_not_found() })
}
