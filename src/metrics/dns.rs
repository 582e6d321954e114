//! What `propagation` asks, and what it remembers.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::histogram::Histogram;
use prometheus_client::registry::{Registry, Unit};

use super::phase::seconds;

/// The metrics of the propagation check.
#[derive(Debug, Clone)]
pub struct DnsMetrics {
    queries: Family<QueryLabels, Counter>,
    remembered: Family<MemoryLabels, Gauge>,
    delay: Histogram,
}

impl Default for DnsMetrics {
    fn default() -> Self {
        Self { queries: Family::default(), remembered: Family::default(), delay: seconds() }
    }
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct QueryLabels {
    via: Via,
}

/// Who was asked for a challenge's name, and how.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Via {
    /// An authority, over UDP.
    Udp,
    /// An authority, over TCP.
    Tcp,
    /// A resolver, over HTTPS.
    Https,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct MemoryLabels {
    of: Memory,
}

/// What is remembered; each has a bound.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Memory {
    /// Delegations of zones.
    Delegations,
    /// Usual delays of zones.
    Delays,
    /// Zones whose authority can't be asked.
    Barriers,
    /// Addresses that did not answer.
    QuietAddresses,
    /// Names that a resolver denied.
    Denials,
}

impl DnsMetrics {
    /// A question was put.
    pub fn asked(&self, via: Via) {
        self.queries.get_or_create(&QueryLabels { via }).inc();
    }

    /// A record was live at every name server this long after its write.
    pub fn live_after(&self, delay: Duration) {
        self.delay.observe(delay.as_secs_f64());
    }

    /// So many are remembered.
    pub fn remember(&self, of: Memory, count: usize) {
        let count = i64::try_from(count).unwrap_or(i64::MAX);
        self.remembered.get_or_create(&MemoryLabels { of }).set(count);
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register(
            "dns_queries",
            "Questions for challenges' names, to authorities and to resolvers over HTTPS",
            self.queries.clone(),
        );
        registry.register(
            "propagation_remembered",
            "What the propagation check remembers, in entries",
            self.remembered.clone(),
        );
        registry.register_with_unit(
            "propagation_delay",
            "Time from the write of a record until every name server served it",
            Unit::Seconds,
            self.delay.clone(),
        );
    }
}
