//! Queues, budgets and caches of the calls to Cloudflare.

use std::sync::atomic::AtomicU64;

use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::Registry;

/// What the queues, budgets and caches of the calls to Cloudflare hold.
#[derive(Debug, Clone)]
pub struct CloudflareMetrics {
    /// Changes of records that one call carried.
    pub writes: Histogram,
    /// Changes of records that wait for a call.
    pub writes_waiting: Gauge,
    /// Lists of a name's records that are waited for.
    pub lists_waiting: Gauge,
    /// Calls that wait for their turn in a credential's budget.
    pub calls_waiting: Gauge,
    /// Queues of changes that are remembered, one for each credential and zone.
    pub write_queues: Gauge,
    /// Credentials whose calls are remembered.
    pub credentials: Gauge,
    /// Share of its calls that the credential had left which was answered last.
    pub budget_left: Gauge<f64, AtomicU64>,
    /// Credentials that may make no call because Cloudflare said so.
    pub breakers_open: Gauge,
    /// Credentials whose list of zones is remembered.
    pub zone_lists: Gauge,
    /// Zones that are remembered by name.
    pub zones: Gauge,
}

impl Default for CloudflareMetrics {
    fn default() -> Self {
        Self {
            writes: Histogram::new(exponential_buckets(1.0, 2.0, 9)),
            writes_waiting: Gauge::default(),
            lists_waiting: Gauge::default(),
            calls_waiting: Gauge::default(),
            write_queues: Gauge::default(),
            credentials: Gauge::default(),
            budget_left: Gauge::default(),
            breakers_open: Gauge::default(),
            zone_lists: Gauge::default(),
            zones: Gauge::default(),
        }
    }
}

impl CloudflareMetrics {
    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Changes of records that one call to Cloudflare carried";
        registry.register("writes", help, self.writes.clone());
        let gauges = [
            ("writes_waiting", "Changes of records that wait for a call", &self.writes_waiting),
            ("lists_waiting", "Lists of a name's records that are waited for", &self.lists_waiting),
            ("calls_waiting", "Calls that wait for their turn in a budget", &self.calls_waiting),
            ("write_queues", "Queues of changes that are remembered", &self.write_queues),
            ("credentials", "Credentials whose calls are remembered", &self.credentials),
            (
                "breakers_open",
                "Credentials that may make no call because Cloudflare said so",
                &self.breakers_open,
            ),
            ("zone_lists", "Credentials whose list of zones is remembered", &self.zone_lists),
            ("zones", "Zones that are remembered by name", &self.zones),
        ];
        for (name, help, gauge) in gauges {
            registry.register(name, help, gauge.clone());
        }
        let help = "Share of its calls that the credential had left which was answered last";
        registry.register("budget_left_ratio", help, self.budget_left.clone());
    }
}
