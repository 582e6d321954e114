//! `/metrics`, here and at the admin port.

use std::collections::HashMap;
use std::fmt::Write;

use axum::body::Body;
use http::header::ACCEPT;
use http::{HeaderMap, Response};
use prometheus_client::encoding::text::encode;
use prometheus_client::registry::Registry;

use super::status;

/// Everything that is counted: as [OpenMetrics](https://prometheus.io/docs/specs/om/open_metrics_spec/) for those who
/// ask for it, as Prometheus' own text for everybody else.
pub(crate) fn page(registry: &Registry, headers: &HeaderMap) -> Response<Body> {
    let mut text = String::new();
    // Writing to a String does not fail.
    let _ = encode(&mut text, registry);
    let mut accepted = headers.get_all(ACCEPT).into_iter().filter_map(|accept| accept.to_str().ok());
    if accepted.any(|accept| accept.contains("application/openmetrics-text")) {
        status::text(OPEN_METRICS, text)
    } else {
        status::text(TEXT_FORMAT, classic(&text))
    }
}

/// The same in the [text format](https://prometheus.io/docs/instrumenting/exposition_formats/): there a metric bears the
/// whole name of its samples, and there are fewer types.
fn classic(text: &str) -> String {
    let described = |line: &'static str, rest: &'_ str| -> Option<(String, String)> {
        let (name, rest) = rest.strip_prefix(line)?.split_once(' ')?;
        Some((name.to_owned(), rest.to_owned()))
    };
    let types: HashMap<_, _> = text.lines().filter_map(|line| described("# TYPE ", line)).collect();
    let suffix = |name: &str| match types.get(name).map(String::as_str) {
        Some("counter") => "_total",
        Some("info") => "_info",
        _ => "",
    };
    let mut classic = String::with_capacity(text.len());
    for line in text.lines() {
        // Writing to a String does not fail.
        let _ = if let Some((name, help)) = described("# HELP ", line) {
            writeln!(classic, "# HELP {name}{} {help}", suffix(&name))
        } else if let Some((name, kind)) = described("# TYPE ", line) {
            let suffix = suffix(&name);
            let kind = match kind.as_str() {
                "unknown" => "untyped",
                "info" | "stateset" => "gauge",
                known => known,
            };
            writeln!(classic, "# TYPE {name}{suffix} {kind}")
        } else if line.starts_with("# ") {
            Ok(())
        } else {
            writeln!(classic, "{line}")
        };
    }
    classic
}

const OPEN_METRICS: &str = "application/openmetrics-text; version=1.0.0; charset=utf-8";
/// As `promhttp` of `github.com/prometheus/client_golang` says it.
const TEXT_FORMAT: &str = "text/plain; version=0.0.4; charset=utf-8; escaping=underscores";

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_text_format_has_the_names_of_the_samples() {
        let open = "# HELP a_requests Requests.\n# TYPE a_requests counter\na_requests_total{x=\"# HELP\"} 1\n\
                    # HELP a_wait Wait.\n# TYPE a_wait histogram\n# UNIT a_wait seconds\na_wait_sum 1.5\n\
                    # HELP a_build Build.\n# TYPE a_build info\na_build_info{v=\"1\"} 1\n# EOF\n";
        let text = "# HELP a_requests_total Requests.\n# TYPE a_requests_total counter\na_requests_total{x=\"# HELP\"} 1\n\
                    # HELP a_wait Wait.\n# TYPE a_wait histogram\na_wait_sum 1.5\n\
                    # HELP a_build_info Build.\n# TYPE a_build_info gauge\na_build_info{v=\"1\"} 1\n";
        assert_eq!(classic(open), text);
    }
}
