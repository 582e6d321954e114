//! The serving certificate.

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::registry::{Registry, Unit};

/// What is known of the certificate that is shown to those who ask for no other name.
#[derive(Debug, Clone, Default)]
pub struct ServingMetrics {
    expiry: Gauge,
    reloads: Family<ReloadLabels, Counter>,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct ReloadLabels {
    outcome: Reload,
}

/// What became of changed files.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Reload {
    /// They are in use.
    Success,
    /// They can't be used; those before them stay in use.
    Failure,
}

impl ServingMetrics {
    /// The certificate ends at this time, in seconds since 1970.
    pub fn expires(&self, at: i64) {
        self.expiry.set(at);
    }

    /// Files of a serving certificate have changed.
    pub fn reloaded(&self, outcome: Reload) {
        self.reloads.get_or_create(&ReloadLabels { outcome }).inc();
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        registry.register_with_unit(
            "serving_certificate_expiry_timestamp",
            "When the serving certificate ends",
            Unit::Seconds,
            self.expiry.clone(),
        );
        registry.register(
            "serving_certificate_reloads",
            "Changes of a serving certificate's files",
            self.reloads.clone(),
        );
    }
}
