//! What is counted. Labels are enums: no name, id or error text ever becomes one.

pub mod cloudflare;
pub mod dns;
pub mod phase;
mod process;
pub mod serving;

use std::sync::Arc;

use prometheus_client::encoding::{EncodeLabelSet, EncodeLabelValue};
use prometheus_client::metrics::counter::Counter;
use prometheus_client::metrics::family::Family;
use prometheus_client::metrics::gauge::Gauge;
use prometheus_client::metrics::info::Info;
use prometheus_client::registry::Registry;

use self::cloudflare::CloudflareMetrics;
use self::dns::DnsMetrics;
use self::phase::Phases;
use self::serving::ServingMetrics;

/// Every metric, shared by the parts that count.
#[derive(Debug, Clone, Default)]
pub struct Metrics {
    /// Requests of cert-manager that reached the solver.
    pub requests: Family<RequestLabels, Counter>,
    /// Those that are being answered.
    pub in_flight: Gauge,
    /// What they spend their time on.
    pub phases: Phases,
    /// Calls to Cloudflare's API.
    pub cloudflare_calls: Family<CallLabels, Counter>,
    /// Records that had to be left behind; the log names each.
    pub records_left: Counter,
    /// Names of records of which something is remembered.
    pub names_remembered: Gauge,
    /// Queues, budgets and caches of the calls to Cloudflare.
    pub cloudflare: CloudflareMetrics,
    /// The propagation check.
    pub dns: DnsMetrics,
    /// The serving certificate.
    pub serving: ServingMetrics,
}

/// A request, by what was asked and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct RequestLabels {
    /// Present or `CleanUp`.
    pub action: ActionLabel,
    /// How it ended.
    pub outcome: Outcome,
}

/// See [`crate::challenge::Action`].
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(missing_docs, reason = "the names are the labels")]
pub enum ActionLabel {
    Present,
    CleanUp,
}

/// How a request or a call ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(missing_docs, reason = "the names are the labels")]
pub enum Outcome {
    Success,
    Retry,
    Configuration,
    Denied,
    Gone,
    Internal,
}

impl Outcome {
    const ALL: [Self; 6] =
        [Self::Success, Self::Retry, Self::Configuration, Self::Denied, Self::Gone, Self::Internal];
}

/// A call to Cloudflare, by endpoint and how it ended.
#[derive(Debug, Clone, PartialEq, Eq, Hash, EncodeLabelSet)]
pub struct CallLabels {
    /// What was called.
    pub endpoint: Endpoint,
    /// How it ended.
    pub outcome: Outcome,
}

/// The endpoints of Cloudflare's API that are called.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, EncodeLabelValue)]
#[expect(missing_docs, reason = "the names are the labels")]
pub enum Endpoint {
    ListZones,
    ListRecords,
    CreateRecord,
    DeleteRecord,
    Batch,
}

impl Endpoint {
    const ALL: [Self; 5] =
        [Self::ListZones, Self::ListRecords, Self::CreateRecord, Self::DeleteRecord, Self::Batch];
}

impl Metrics {
    /// The metrics and the registry that renders them.
    pub fn new() -> (Arc<Self>, Registry) {
        let metrics = Self::default();
        let mut all = Registry::default();
        process::register(all.sub_registry_with_prefix("process"));
        metrics.register(all.sub_registry_with_prefix("cert_manager_webhook_cloudflare"));
        metrics.begin();
        (Arc::new(metrics), all)
    }

    fn register(&self, registry: &mut Registry) {
        registry.register(
            "requests",
            "Requests of cert-manager that reached the solver",
            self.requests.clone(),
        );
        registry.register(
            "requests_in_flight",
            "Requests of cert-manager that are being answered",
            self.in_flight.clone(),
        );
        self.phases.register(registry);
        registry.register("cloudflare_calls", "Calls to Cloudflare's API", self.cloudflare_calls.clone());
        registry.register(
            "records_left",
            "Records that had to be left behind; the log names each",
            self.records_left.clone(),
        );
        registry.register(
            "names_remembered",
            "Names of records of which something is remembered",
            self.names_remembered.clone(),
        );
        self.cloudflare.register(registry.sub_registry_with_prefix("cloudflare"));
        self.dns.register(registry);
        self.serving.register(registry);
        let build = Info::new([("version", env!("CARGO_PKG_VERSION"))]);
        registry.register("build", "This program", build);
        registry.register_collector(Box::new(process::Tasks));
    }

    /// Every series at zero: Prometheus sees no increase in one that appears with its first event, and no alert would
    /// tell of it.
    fn begin(&self) {
        for outcome in Outcome::ALL {
            for action in [ActionLabel::Present, ActionLabel::CleanUp] {
                drop(self.requests.get_or_create(&RequestLabels { action, outcome }));
            }
            for endpoint in Endpoint::ALL {
                drop(self.cloudflare_calls.get_or_create(&CallLabels { endpoint, outcome }));
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;
    use std::{env, fs};

    use prometheus_client::encoding::text::encode;

    use super::*;

    /// Name, type and meaning of every metric, as reviewed in `testdata/metrics.txt`; `UPDATE_DOCS=1 cargo test` writes it.
    #[test]
    fn every_metric_is_reviewed() {
        let (metrics, registry) = Metrics::new();
        metrics.phases.took(phase::Phase::Access, std::time::Duration::ZERO);
        metrics.serving.reloaded(serving::Reload::Success);
        metrics.dns.asked(dns::Via::Udp);
        metrics.dns.remember(dns::Memory::Delegations, 0);
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        let described: Vec<_> =
            text.lines().filter(|line| line.starts_with("# ") && *line != "# EOF").collect();
        let described = described.join("\n") + "\n";
        let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("testdata/metrics.txt");
        if env::var_os("UPDATE_DOCS").is_some() {
            fs::write(&file, &described).unwrap();
        }
        assert_eq!(fs::read_to_string(&file).unwrap(), described);
    }

    #[test]
    fn what_alerts_watch_is_there_before_it_happens() {
        let (_, registry) = Metrics::new();
        let mut text = String::new();
        encode(&mut text, &registry).unwrap();
        for series in [
            "requests_total{action=\"Present\",outcome=\"Internal\"} 0",
            "requests_total{action=\"CleanUp\",outcome=\"Internal\"} 0",
            "cloudflare_calls_total{endpoint=\"ListZones\",outcome=\"Denied\"} 0",
            "records_left_total 0",
        ] {
            assert!(text.contains(&format!("cert_manager_webhook_cloudflare_{series}\n")), "{series}");
        }
    }
}
