//! `/metrics`, here and at the admin port.

use axum::body::Body;
use http::Response;
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::status;

/// Everything that is counted, as [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) text.
pub(crate) fn page(registry: &Registry) -> Response<Body> {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = encode(&mut text, registry);
    status::text("application/openmetrics-text; version=1.0.0; charset=utf-8", text)
}
