//! What is said of it, and what must not be.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::Scene;
use harness::work::{Tally, Took};
use serde::Serialize;

use crate::chaos::{Events, ZONES, zone};
use crate::meter::Sample;

/// Of one soak.
#[derive(Debug, Serialize)]
pub(crate) struct Report {
    minutes: f64,
    challenges: usize,
    present: Took,
    /// Requests that failed, and were sent again, by what was said.
    failed: BTreeMap<String, u64>,
    lost: u64,
    /// Records that nobody needs.
    left: usize,
    events: Events,
    /// At rest, after the warm-up and in the end.
    rest: [Sample; 2],
    /// Under load in between, an hour.
    slope: Slope,
    /// The most under load.
    most: Sample,
}

#[derive(Debug, Serialize)]
struct Slope {
    resident: f64,
    descriptors: f64,
    tasks: f64,
}

impl Report {
    pub(crate) fn new(
        length: Duration,
        rest: [Sample; 2],
        samples: &[Sample],
        tally: &Tally,
        events: Events,
        scene: &Scene,
    ) -> Self {
        let hourly = |what: fn(&Sample) -> f64| 3600.0 * slope(samples, what);
        let most = |what: fn(&Sample) -> f64| samples.iter().map(what).fold(0.0, f64::max);
        Self {
            minutes: length.as_secs_f64() / 60.0,
            challenges: tally.clean_up_ms.len(),
            present: Took::of(&tally.present_ms),
            failed: tally.failed.clone(),
            lost: tally.lost,
            left: (0..ZONES).map(|of| scene.cloudflare.records(&zone(of)).len()).sum(),
            events,
            rest,
            slope: Slope {
                resident: hourly(|sample| sample.resident),
                descriptors: hourly(|sample| sample.descriptors),
                tasks: hourly(|sample| sample.tasks),
            },
            most: Sample {
                at: most(|sample| sample.at),
                resident: most(|sample| sample.resident),
                descriptors: most(|sample| sample.descriptors),
                tasks: most(|sample| sample.tasks),
                names: most(|sample| sample.names),
                credentials: most(|sample| sample.credentials),
            },
        }
    }

    pub(crate) fn print(&self) {
        let Self { rest: [before, after], slope, most, events, .. } = self;
        println!(
            "\n  {:.0} minutes: {} challenges, p50 of Present {:.0} ms, {} requests failed and were sent again",
            self.minutes,
            self.challenges,
            self.present.p50.0,
            self.failed.values().sum::<u64>()
        );
        let failed: Vec<_> = self.failed.iter().map(|(why, times)| format!("{times} × {why}")).collect();
        println!("  {}", failed.join(", "));
        println!(
            "  {} tokens and {} serving certificates replaced, {} watches cut, {} expired, {} answers of the cluster failed, {} strangers\n",
            events.tokens_replaced,
            events.certificates_replaced,
            events.watches_cut,
            events.watches_expired,
            events.answers_of_the_cluster_failed,
            events.strangers
        );
        println!(
            "  {:<24}{:>16}{:>16}{:>16}{:>16}",
            "", "warm, at rest", "most", "end, at rest", "slope an hour"
        );
        let row = |what: &str, values: [f64; 4]| {
            let [before, most, after, slope] = values;
            println!("  {what:<24}{before:>16.1}{most:>16.1}{after:>16.1}{slope:>+16.1}");
        };
        let mebibytes = |of: [f64; 4]| of.map(|bytes| bytes / f64::from(1 << 20));
        row("resident, MiB", mebibytes([before.resident, most.resident, after.resident, slope.resident]));
        row("file descriptors", [before.descriptors, most.descriptors, after.descriptors, slope.descriptors]);
        row("tasks", [before.tasks, most.tasks, after.tasks, slope.tasks]);
        println!(
            "  names remembered {} and {}, credentials {} and {}; {} challenges lost, {} records left\n",
            before.names, after.names, before.credentials, after.credentials, self.lost, self.left
        );
    }

    /// Nothing is lost, left, or held for good.
    pub(crate) fn verdict(&self) -> Result<()> {
        let [before, after] = &self.rest;
        ensure!(self.lost == 0, "{} challenges were given up", self.lost);
        ensure!(self.left == 0, "{} records are left", self.left);
        let grown = |what: fn(&Sample) -> f64| what(after) - what(before);
        let resident = grown(|sample| sample.resident);
        ensure!(resident <= MEMORY, "memory at rest has grown by {resident} bytes");
        let descriptors = grown(|sample| sample.descriptors);
        ensure!(descriptors <= DESCRIPTORS, "file descriptors at rest have grown by {descriptors}");
        let tasks = grown(|sample| sample.tasks);
        ensure!(tasks <= TASKS, "tasks at rest have grown by {tasks}");
        Ok(())
    }
}

/// Of the straight line that fits best, a second.
fn slope(samples: &[Sample], what: fn(&Sample) -> f64) -> f64 {
    let count = samples.iter().map(|_| 1.0).sum::<f64>();
    let mean = |of: &dyn Fn(&Sample) -> f64| samples.iter().map(of).sum::<f64>() / count;
    let (at, value) = (mean(&|sample| sample.at), mean(&what));
    let together = mean(&|sample| (sample.at - at) * (what(sample) - value));
    let spread = mean(&|sample| (sample.at - at).powi(2));
    together / spread
}

/// How much more may be held at rest in the end: pages of the allocator, connections that are kept open.
const MEMORY: f64 = 4.0 * 1024.0 * 1024.0;
const DESCRIPTORS: f64 = 8.0;
const TASKS: f64 = 8.0;
