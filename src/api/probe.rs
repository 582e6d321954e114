//! `/livez`, `/readyz`, `/healthz`, their checks one by one, `?verbose` and `?exclude`.
//!
//! Source: `pkg/server/healthz/healthz.go` of `k8s.io/apiserver`.

use std::fmt::Write;

use axum::body::Body;
use http::Response;

use super::query::Query;
use super::quote::quote;
use super::route::Probe;
use super::status;
use crate::health::Health;

/// Whether the reader may see why a check fails.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Reasons {
    /// Everybody can read it.
    Withheld,
    /// The operator reads it.
    Shown,
}

/// The page of a probe, or of one of its checks if there is such a one.
pub(crate) fn page(
    probe: Probe,
    check: Option<&str>,
    query: &Query,
    health: &Health,
    reasons: Reasons,
) -> Option<Response<Body>> {
    let checks = checks(probe, health);
    let Some(name) = check else {
        return Some(report(probe, &checks, query, reasons));
    };
    let (_, missing) = checks.iter().find(|(known, _)| *known == name)?;
    Some(match missing {
        None => status::text(status::TEXT, "ok"),
        Some(reason) => status::unhealthy(format!("internal server error: {reason}")),
    })
}

/// Only readiness depends on anything: a process that is restarted because the API server is away comes back to the
/// same.
fn checks(probe: Probe, health: &Health) -> Vec<(&'static str, Option<String>)> {
    let mut checks = vec![("ping", None)];
    if probe == Probe::Readyz {
        checks.extend(health.checks());
    }
    checks
}

fn report(
    probe: Probe,
    checks: &[(&'static str, Option<String>)],
    query: &Query,
    reasons: Reasons,
) -> Response<Body> {
    let mut excluded: Vec<&str> = query.all("exclude").collect();
    excluded.sort_unstable();
    excluded.dedup();
    let mut text = String::new();
    let mut healthy = true;
    for (name, missing) in checks {
        // Writing to a String does not fail.
        let _ = match missing {
            _ if excluded.contains(name) => writeln!(text, "[+]{name} excluded: ok"),
            None => writeln!(text, "[+]{name} ok"),
            Some(reason) => {
                healthy = false;
                match reasons {
                    Reasons::Withheld => writeln!(text, "[-]{name} failed: reason withheld"),
                    Reasons::Shown => writeln!(text, "[-]{name} failed: {reason}"),
                }
            }
        };
    }
    excluded.retain(|name| checks.iter().all(|(known, _)| known != name));
    if !excluded.is_empty() {
        let quoted: Vec<_> = excluded.iter().map(|name| quote(name)).collect();
        let _ = writeln!(
            text,
            "warn: some health checks cannot be excluded: no matches for {}",
            quoted.join(", ")
        );
    }
    let name = probe.name();
    if !healthy {
        return status::unhealthy(format!("{text}{name} check failed"));
    }
    let verbose = query.get("verbose").is_some();
    let text = if verbose { format!("{text}{name} check passed\n") } else { "ok".to_owned() };
    status::nosniff(status::text(status::TEXT, text))
}
