//! What a request is for: its path, read once, as Go's server reads it.
//!
//! Paths are compared decoded, because the authorization attributes are made of the decoded path: two readings of one
//! path would be a way around the review.

use crate::access::request_header::percent_decode;

/// What is at a path.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Route {
    /// `/`
    Index,
    /// `/apis`
    Groups,
    /// `/apis/GROUP`
    Group,
    /// `/apis/GROUP/v1alpha1`
    Resources,
    /// `/apis/GROUP/v1alpha1/SOLVER`
    Challenges,
    /// Anything else below `/apis/GROUP`.
    Nothing,
    /// `/livez`, `/readyz`, `/healthz` and one of its checks.
    Probe(Probe, Option<String>),
    /// `/openapi/v2`
    OpenApiV2,
    /// `/openapi/v3`
    OpenApiV3Index,
    /// `/openapi/v3/apis/GROUP/v1alpha1`
    OpenApiV3,
    /// `/version`
    Version,
    /// `/metrics`
    Metrics,
    /// A path of no service.
    Unknown,
}

/// Which health is asked for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Probe {
    /// Whether the process runs.
    Livez,
    /// Whether it can answer kube-apiserver.
    Readyz,
    /// As [`Probe::Livez`]: charts probe it for both.
    Healthz,
}

impl Route {
    /// By the decoded path. Three look at it there, one after the other: `pkg/server/handler.go`, which gives everything
    /// below a service to go-restful; that, which overlooks slashes at the end; and `pkg/server/mux/pathrecorder.go`,
    /// which wants a path exactly.
    pub(super) fn of(path: &str, group: &str, solver: &str) -> Self {
        if let Some(service) = Self::in_service(path, group, solver) {
            return service;
        }
        match path {
            "/" | "/index.html" => Self::Index,
            "/apis" | "/apis/" => Self::Groups,
            "/metrics" => Self::Metrics,
            "/openapi/v2" => Self::OpenApiV2,
            "/openapi/v3" => Self::OpenApiV3Index,
            _ if is_document_of(path, group) => Self::OpenApiV3,
            _ => Self::probe(path).unwrap_or(Self::Unknown),
        }
    }

    /// Below `/apis/GROUP` and `/version`.
    fn in_service(path: &str, group: &str, solver: &str) -> Option<Self> {
        let below = |rest: &&str| rest.is_empty() || rest.starts_with('/');
        if let Some(rest) = path.strip_prefix("/version").filter(below) {
            return Some(if rest.trim_end_matches('/').is_empty() { Self::Version } else { Self::Nothing });
        }
        let rest = path.strip_prefix("/apis/")?.strip_prefix(group).filter(below)?.trim_end_matches('/');
        Some(match rest.strip_prefix("/v1alpha1") {
            _ if rest.is_empty() => Self::Group,
            Some("") => Self::Resources,
            Some(resource) if resource.strip_prefix('/') == Some(solver) => Self::Challenges,
            _ => Self::Nothing,
        })
    }

    fn probe(path: &str) -> Option<Self> {
        let path = path.strip_prefix('/')?;
        let (name, check) = path.split_once('/').map_or((path, None), |(name, check)| (name, Some(check)));
        Some(Self::Probe(Probe::by_name(name)?, check.map(str::to_owned)))
    }
}

fn is_document_of(path: &str, group: &str) -> bool {
    path.strip_prefix("/openapi/v3/apis/").and_then(|key| key.strip_suffix("/v1alpha1")) == Some(group)
}

impl Probe {
    pub(crate) fn by_name(name: &str) -> Option<Self> {
        match name {
            "livez" => Some(Self::Livez),
            "readyz" => Some(Self::Readyz),
            "healthz" => Some(Self::Healthz),
            _ => None,
        }
    }

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Livez => "livez",
            Self::Readyz => "readyz",
            Self::Healthz => "healthz",
        }
    }
}

/// The decoded path; `None` if it is wrongly escaped. Bytes that are no text stay something that equals nothing of ours.
pub(super) fn decode_path(raw: &str) -> Option<String> {
    if !raw.contains('%') {
        return Some(raw.to_owned());
    }
    Some(String::from_utf8_lossy(&percent_decode(raw)?).into_owned())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Every line is what the original answers, except for the documents of `OpenAPI` v3 that are not ours.
    #[test]
    fn paths_lead_where_they_should() {
        for (path, route) in [
            ("/", Route::Index),
            ("//", Route::Unknown),
            ("/index.html", Route::Index),
            ("/apis", Route::Groups),
            ("/apis/", Route::Groups),
            ("/apis//", Route::Unknown),
            ("//apis", Route::Unknown),
            ("/apis/g", Route::Group),
            ("/apis/g//", Route::Group),
            ("/apis//g", Route::Unknown),
            ("/apis/gx", Route::Unknown),
            ("/apis/g/v1alpha1", Route::Resources),
            ("/apis/g/v1alpha1//", Route::Resources),
            ("/apis/g//v1alpha1", Route::Nothing),
            ("/apis/g/v1alpha1/s", Route::Challenges),
            ("/apis/g/v1alpha1/s//", Route::Challenges),
            ("/apis/g/v1alpha1//s", Route::Nothing),
            ("/apis/g/v1alpha1/s/x", Route::Nothing),
            ("/apis/g/v1alpha1/S", Route::Nothing),
            ("/apis/g/v1alpha1x", Route::Nothing),
            ("/apis/g/v1", Route::Nothing),
            ("/apis/other", Route::Unknown),
            ("/apis/../version", Route::Unknown),
            ("/api", Route::Unknown),
            ("/readyz", Route::Probe(Probe::Readyz, None)),
            ("/readyz/ping", Route::Probe(Probe::Readyz, Some("ping".into()))),
            ("/readyz/", Route::Probe(Probe::Readyz, Some(String::new()))),
            ("/version", Route::Version),
            ("/version//", Route::Version),
            ("/version/x", Route::Nothing),
            ("/versions", Route::Unknown),
            ("/metrics", Route::Metrics),
            ("/metrics/", Route::Unknown),
            ("/openapi", Route::Unknown),
            ("/openapi/v2", Route::OpenApiV2),
            ("/openapi/v2/", Route::Unknown),
            ("/openapi/v3", Route::OpenApiV3Index),
            ("/openapi/v3/", Route::Unknown),
            ("/openapi/v3/apis/g/v1alpha1", Route::OpenApiV3),
            ("/openapi/v3/apis/g/v1alpha1/", Route::Unknown),
            ("/openapi/v3/apis/h/v1alpha1", Route::Unknown),
            ("/foo", Route::Unknown),
            ("", Route::Unknown),
        ] {
            assert_eq!(Route::of(path, "g", "s"), route, "{path}");
        }
        assert_eq!(decode_path("/%zz"), None);
        assert_eq!(decode_path("/%ff/%61").unwrap(), "/\u{fffd}/a");
    }
}
