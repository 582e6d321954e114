//! What can be changed while it runs: delays, limits, and the switches for what is not known.

use serde::{Deserialize, Serialize};
use serde_json::Value;

use crate::propagation::Delay;

/// The settings; `PATCH /settings` merges into them (RFC 7396).
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(deny_unknown_fields)]
pub struct Settings {
    /// Time an API call takes, half of it before its effect.
    pub latency_ms: u64,
    /// From a write's effect until a name server address serves it.
    pub propagation_ms: u64,
    /// Added to it, uniformly from 0 to this, drawn anew for each record and address.
    pub propagation_jitter_ms: u64,
    /// Exceptions to `propagation_ms`; the last one that matches counts.
    pub delays: Vec<Delay>,
    /// Calls allowed; none for no limit.
    pub rate_limit: Option<RateLimit>,
    /// What is not known of Cloudflare, or was different once.
    pub switches: Switches,
    /// Which of a zone's delegated servers the resolver asks.
    pub pick: ResolverPick,
    /// A change arrives this much later at the point of presence that the resolver asks.
    pub pop_delay_ms: u64,
    /// The resolver keeps a positive answer no longer than this.
    pub positive_cap_seconds: u64,
    /// The resolver keeps a negative answer no longer than this.
    pub negative_cap_seconds: Option<u64>,
    /// How many seconds of a cache entry's life pass in one second.
    pub time_scale: u32,
}

/// Calls allowed. [D: fundamentals/api/reference/limits; changelog 2025-09-03]
#[derive(Clone, Debug, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
pub struct RateLimit {
    /// Calls of one user (all tokens and keys together) or account token in a window.
    pub requests: u32,
    /// Length of the window; also how long all calls are refused after the limit was passed.
    pub window_seconds: u64,
    /// Calls from one address in a second; none for no limit.
    pub per_ip_per_second: Option<u32>,
    /// Code of the 429 for a user: 10100 or 971. [O/I]
    pub code: u32,
}

/// Which of a zone's delegated servers the resolver asks.
#[derive(Clone, Copy, Debug, Default, Deserialize, Eq, PartialEq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum ResolverPick {
    /// One after the other.
    #[default]
    RoundRobin,
    /// Always the first that answers.
    First,
    /// As if it always met the one that lags most.
    Slowest,
}

/// What is not known of Cloudflare, or was different once; the default is the likeliest.
#[derive(Clone, Debug, Default, Deserialize, Serialize)]
#[serde(default, deny_unknown_fields)]
#[expect(clippy::struct_excessive_bools, reason = "each is an independent switch of the checklist")]
pub struct Switches {
    /// E04: "Could not route to" answers 404 instead of 400.
    pub unroutable_is_404: bool,
    /// E13: an unknown token on record routes is 9109 instead of 10000.
    pub unknown_token_on_records_is_9109: bool,
    /// E17: listing and reading zones needs Zone:Read; else any DNS permission is enough.
    pub zones_need_zone_read: bool,
    /// E18: a name that is not visible gives 403 code 0 instead of an empty list (2019 to 2021).
    pub invisible_zone_is_403: bool,
    /// E21: verifying an expired or disabled token is 401 instead of 200 with its status.
    pub dead_token_verify_is_401: bool,
    /// E31: `per_page` above 50 on zones is 400 instead of 50.
    pub large_zone_page_is_400: bool,
    /// E43: an identical record is 81057 instead of 81058 (before 2024).
    pub identical_is_81057: bool,
    /// E44: the quoted twin of an unquoted record counts as identical.
    pub txt_twin_is_identical: bool,
    /// E53: `content.exact` ignores the quotes of TXT content.
    pub content_exact_ignores_quotes: bool,
    /// E57: DELETE answers `{"result":{"id":…}}` alone.
    pub bare_delete: bool,
    /// E62: a list shows a new record only after this time.
    pub list_lag_ms: u64,
    /// E76: an empty batch is 400 instead of empty arrays.
    pub empty_batch_is_400: bool,
    /// Validation errors are wrapped in 1004 with an `error_chain` (before 2024-10).
    pub wrapped_validation_errors: bool,
}

impl Settings {
    /// These settings with `patch` merged in.
    pub(crate) fn merged(&self, patch: &Value) -> Result<Self, serde_json::Error> {
        let mut value = serde_json::to_value(self)?;
        merge(&mut value, patch);
        serde_json::from_value(value)
    }
}

impl Default for RateLimit {
    fn default() -> Self {
        Self { requests: 1200, window_seconds: 300, per_ip_per_second: None, code: 10100 }
    }
}

/// RFC 7396, except that null stays null: no field here is removed.
fn merge(target: &mut Value, patch: &Value) {
    match (target, patch) {
        (Value::Object(target), Value::Object(patch)) => {
            for (key, value) in patch {
                merge(target.entry(key.clone()).or_insert(Value::Null), value);
            }
        }
        (target, patch) => *target = patch.clone(),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use crate::World;

    #[test]
    fn a_patch_changes_what_it_names() {
        let settings = World::default().settings();
        let merged = settings
            .merged(
                &json!({"latency_ms": 60, "rate_limit": {"requests": 5}, "switches": {"bare_delete": true}}),
            )
            .unwrap();
        assert_eq!(merged.latency_ms, 60);
        assert_eq!(merged.rate_limit.unwrap().requests, 5);
        assert!(merged.switches.bare_delete);
        assert!(settings.merged(&json!({"latency": 60})).is_err());
    }
}
