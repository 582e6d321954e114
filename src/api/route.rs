//! What a request is for: paths and queries, read once, as Go's server reads them.
//!
//! Paths are compared decoded, because the authorization attributes are made of the decoded path: two readings of one
//! path would be a way around the review.

use std::time::Duration;

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
    /// By the decoded path.
    pub(super) fn of(path: &str, group: &str, solver: &str) -> Self {
        let parts: Vec<&str> = path.trim_matches('/').split('/').collect();
        match parts.as_slice() {
            [""] => Self::Index,
            ["apis"] => Self::Groups,
            ["apis", g] if *g == group => Self::Group,
            ["apis", g, "v1alpha1"] if *g == group => Self::Resources,
            ["apis", g, "v1alpha1", s] if *g == group && *s == solver => Self::Challenges,
            ["apis", g, ..] if *g == group => Self::Nothing,
            ["openapi", "v2"] => Self::OpenApiV2,
            ["openapi", "v3"] => Self::OpenApiV3Index,
            ["openapi", "v3", "apis", g, "v1alpha1"] if *g == group => Self::OpenApiV3,
            ["version"] => Self::Version,
            ["metrics"] => Self::Metrics,
            [first, rest @ ..] => match Probe::by_name(first) {
                Some(probe) => Self::Probe(probe, (!rest.is_empty()).then(|| rest.join("/"))),
                None => Self::Unknown,
            },
            [] => Self::Unknown,
        }
    }
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

/// The decoded path; `None` if it is wrongly escaped or not UTF-8.
pub(super) fn decode_path(raw: &str) -> Option<String> {
    String::from_utf8(percent_decode(raw)?).ok()
}

/// The decoded pairs of a query; what is wrongly escaped is left out, as `url.Query` does.
pub(crate) fn query(raw: Option<&str>) -> Vec<(String, String)> {
    let decode = |text: &str| decode_path(&text.replace('+', " "));
    let pairs = raw.unwrap_or_default().split('&').filter(|pair| !pair.is_empty());
    pairs
        .map(|pair| pair.split_once('=').unwrap_or((pair, "")))
        .filter_map(|(key, value)| Some((decode(key)?, decode(value)?)))
        .collect()
}

/// A duration as Go writes it (`time.ParseDuration`), none of them negative.
pub(super) fn duration(text: &str) -> Option<Duration> {
    let mut rest = text.strip_prefix('+').unwrap_or(text);
    if rest == "0" {
        return Some(Duration::ZERO);
    }
    let mut seconds = 0.0;
    loop {
        let number = rest.find(|c: char| !(c.is_ascii_digit() || c == '.'))?;
        let (value, tail) = rest.split_at(number);
        let unit = tail.find(|c: char| c.is_ascii_digit() || c == '.').unwrap_or(tail.len());
        let (unit, tail) = tail.split_at(unit);
        let factor = match unit {
            "h" => 3600.0,
            "m" => 60.0,
            "s" => 1.0,
            "ms" => 1e-3,
            "us" | "µs" | "μs" => 1e-6,
            "ns" => 1e-9,
            _ => return None,
        };
        seconds += value.parse::<f64>().ok()? * factor;
        rest = tail;
        if rest.is_empty() {
            return Duration::try_from_secs_f64(seconds).ok();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn paths_lead_where_they_should() {
        for (path, route) in [
            ("/", Route::Index),
            ("/apis", Route::Groups),
            ("/apis/", Route::Groups),
            ("/apis/g", Route::Group),
            ("/apis/g/v1alpha1", Route::Resources),
            ("/apis/g/v1alpha1/", Route::Resources),
            ("/apis/g/v1alpha1/s", Route::Challenges),
            ("/apis/g/v1alpha1/s/x", Route::Nothing),
            ("/apis/g/v1alpha1/S", Route::Nothing),
            ("/apis/g/v1", Route::Nothing),
            ("/apis/other", Route::Unknown),
            ("/api", Route::Unknown),
            ("/readyz", Route::Probe(Probe::Readyz, None)),
            ("/readyz/ping", Route::Probe(Probe::Readyz, Some("ping".into()))),
            ("/version", Route::Version),
            ("/foo", Route::Unknown),
        ] {
            assert_eq!(Route::of(path, "g", "s"), route, "{path}");
        }
    }

    #[test]
    fn durations_are_those_of_go() {
        for (text, millis) in [("30s", 30_000), ("1m30s", 90_000), ("1.5s", 1500), ("250ms", 250), ("0", 0)] {
            assert_eq!(duration(text), Some(Duration::from_millis(millis)), "{text}");
        }
        for text in ["", "x", "30", "s", "1d", "-1s", "1s2"] {
            assert_eq!(duration(text), None, "{text}");
        }
    }

    #[test]
    fn escapes_in_queries_are_seen_through() {
        let pairs = query(Some("dry%52un=All&a&%zz=1&b=c+d"));
        let pairs: Vec<_> = pairs.iter().map(|(k, v)| (k.as_str(), v.as_str())).collect();
        assert_eq!(pairs, [("dryRun", "All"), ("a", ""), ("b", "c d")]);
        assert_eq!(decode_path("/%zz"), None);
        assert_eq!(decode_path("/%ff"), None);
    }
}
