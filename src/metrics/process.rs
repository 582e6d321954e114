//! The process, under the names that Prometheus has for every program
//! (<https://prometheus.io/docs/instrumenting/writing_clientlibs/#process-metrics>), and its tasks.
//!
//! What the system does not tell is not shown.

use std::fmt;
use std::fs;
use std::time::SystemTime;

use prometheus_client::collector::Collector;
use prometheus_client::encoding::{DescriptorEncoder, EncodeMetric};
use prometheus_client::metrics::counter::ConstCounter;
use prometheus_client::metrics::gauge::ConstGauge;
use prometheus_client::registry::{Registry, Unit};
use rustix::param::{clock_ticks_per_second, page_size};
use rustix::process::{Resource, getrlimit};
use tokio::runtime::Handle;

/// What `/proc` says at the moment of a scrape.
#[derive(Debug)]
struct Process {
    /// Seconds since 1970.
    started: u64,
}

/// What is alive in the runtime that answers the scrape.
#[derive(Debug)]
pub(super) struct Tasks;

/// Of `/proc/self/stat`.
#[derive(Debug, PartialEq)]
struct Stat {
    /// Processor time of the process, in ticks of the clock.
    ticks: u64,
    /// Memory that is resident, in pages.
    pages: u64,
}

/// Registers the process, in a registry of that prefix.
pub(super) fn register(registry: &mut Registry) {
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default();
    registry.register_collector(Box::new(Process { started: now.as_secs() }));
}

impl Collector for Process {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        if let Some(stat) = fs::read_to_string("/proc/self/stat").ok().as_deref().and_then(Stat::parse) {
            let used = ConstCounter::new(seconds(stat.ticks));
            let help = "Processor time used, in user and kernel mode.";
            used.encode(encoder.encode_descriptor("cpu", help, Some(&Unit::Seconds), used.metric_type())?)?;
            let resident = stat.pages.saturating_mul(page_size() as u64);
            let help = "Memory that is resident.";
            gauge(&mut encoder, "resident_memory", help, Some(&Unit::Bytes), resident)?;
        }
        if let Ok(open) = fs::read_dir("/proc/self/fd") {
            // One of them is the directory's own.
            let open = (open.count() as u64).saturating_sub(1);
            gauge(&mut encoder, "open_fds", "File descriptors that are open.", None, open)?;
        }
        if let Some(most) = getrlimit(Resource::Nofile).current {
            gauge(&mut encoder, "max_fds", "File descriptors that may be open.", None, most)?;
        }
        gauge(&mut encoder, "start_time", "When the process began.", Some(&Unit::Seconds), self.started)
    }
}

impl Collector for Tasks {
    fn encode(&self, mut encoder: DescriptorEncoder<'_>) -> fmt::Result {
        let alive = Handle::try_current().map_or(0, |runtime| runtime.metrics().num_alive_tasks());
        gauge(&mut encoder, "tasks", "Tasks that run, or wait for something.", None, alive as u64)
    }
}

impl Stat {
    /// After the name in parentheses, which can be anything, stands the third field
    /// (<https://man7.org/linux/man-pages/man5/proc_pid_stat.5.html>).
    fn parse(text: &str) -> Option<Self> {
        let fields: Vec<_> = text.rsplit_once(')')?.1.split_ascii_whitespace().collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u64>().ok();
        Some(Self { ticks: field(14)? + field(15)?, pages: field(24)? })
    }
}

fn gauge(
    encoder: &mut DescriptorEncoder<'_>,
    name: &str,
    help: &str,
    unit: Option<&Unit>,
    value: u64,
) -> fmt::Result {
    let gauge = ConstGauge::new(value);
    gauge.encode(encoder.encode_descriptor(name, help, unit, gauge.metric_type())?)
}

/// Of ticks of the clock.
#[expect(clippy::cast_precision_loss, reason = "2^52 hundredths of a second are a million years")]
fn seconds(ticks: u64) -> f64 {
    ticks as f64 / clock_ticks_per_second() as f64
}

#[cfg(test)]
mod tests {
    use std::future::pending;

    use prometheus_client::encoding::text::encode;
    use tokio::task::JoinSet;

    use super::*;

    #[test]
    fn the_name_of_a_process_is_no_field() {
        let text = "7 (a ) b) S 1 7 7 0 -1 4194304 900 0 0 0 31 11 0 0 20 0 6 0 100 5000000 2048 18446744073709551615";
        assert_eq!(Stat::parse(text), Some(Stat { ticks: 42, pages: 2048 }));
        assert_eq!(Stat::parse("7 (a) S 1 7"), None);
        assert_eq!(Stat::parse(""), None);
    }

    #[tokio::test]
    async fn a_scrape_tells_of_the_moment() {
        let mut registry = Registry::default();
        register(registry.sub_registry_with_prefix("process"));
        registry.register_collector(Box::new(Tasks));
        let shown = |name: &str| -> u64 {
            let mut text = String::new();
            encode(&mut text, &registry).unwrap();
            let value = text.lines().find_map(|line| line.strip_prefix(name)?.strip_prefix(' '));
            value.unwrap_or_else(|| panic!("no {name} in {text}")).parse().unwrap()
        };
        let memory = shown("process_resident_memory_bytes");
        assert!(memory > 1 << 20, "{memory}");
        assert!((1..shown("process_max_fds")).contains(&shown("process_open_fds")));
        assert_eq!(shown("tasks"), 0);
        let mut tasks = JoinSet::new();
        tasks.spawn(pending::<()>());
        assert_eq!(shown("tasks"), 1);
    }
}
