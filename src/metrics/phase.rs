//! What requests spend their time on.

use std::time::Duration;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::histogram::{Histogram, exponential_buckets};
use prometheus_client::registry::{Registry, Unit};
use tokio::time::Instant;

/// The times of the phases, in seconds.
#[derive(Debug, Clone)]
pub struct Phases(Family<PhaseLabels, Histogram, fn() -> Histogram>);

#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
struct PhaseLabels {
    phase: Phase,
}

/// A phase under way.
#[derive(Debug)]
pub struct Running<'a> {
    phases: &'a Phases,
    phase: Phase,
    begun: Instant,
}

impl Drop for Running<'_> {
    fn drop(&mut self) {
        self.phases.took(self.phase, self.begun.elapsed());
    }
}

/// A part of a request of cert-manager's.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
pub enum Phase {
    /// Who it is, and whether they may.
    Access,
    /// The Secret.
    Credential,
    /// Which zone it is.
    Zone,
    /// Until the record is written.
    Write,
    /// Until it is live, and no resolver can hold an answer without it.
    Propagation,
    /// Until the record is removed.
    Removal,
}

impl Default for Phases {
    fn default() -> Self {
        Self(Family::new_with_constructor(seconds))
    }
}

impl Phases {
    /// A phase begins. It ends, and is counted, with what is returned.
    ///
    /// (A function around its future would make the future of every request twice as large.)
    pub fn begin(&self, phase: Phase) -> Running<'_> {
        Running { phases: self, phase, begun: Instant::now() }
    }

    /// A phase took so long.
    pub fn took(&self, phase: Phase, time: Duration) {
        self.0.get_or_create(&PhaseLabels { phase }).observe(time.as_secs_f64());
    }

    pub(super) fn register(&self, registry: &mut Registry) {
        let help = "Time of the parts of a request";
        registry.register_with_unit("request_phase", help, Unit::Seconds, self.0.clone());
    }
}

/// From five milliseconds to more than a request may take.
pub(super) fn seconds() -> Histogram {
    Histogram::new(exponential_buckets(0.005, 2.0, 15))
}
