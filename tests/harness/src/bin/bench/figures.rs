//! The figures, as a table for people and as JSON for comparisons.

use harness::figures::{Millis, as_f64, mebibytes};
use serde::Serialize;

use crate::beside::{Beside, Side};
use crate::challenges::Challenges;
use crate::load::Load;
use crate::start::Start;

/// All of one run.
#[derive(Debug, Serialize)]
pub(crate) struct Figures {
    pub(crate) start: Start,
    pub(crate) challenges: Challenges,
    pub(crate) load: Load,
    /// Absent where there was nothing to stand beside.
    #[serde(skip_serializing_if = "Option::is_none")]
    pub(crate) beside: Option<Beside>,
}

impl Figures {
    /// Prints the table.
    pub(crate) fn print(&self) {
        let Self { start, challenges, load, beside } = self;
        let calls = |calls: &[u64]| {
            let total: u64 = calls.iter().sum();
            format!("{:.1}", as_f64(total) / as_f64(calls.len() as u64))
        };
        println!();
        row("Cloudflare calls per challenge, alone, zone known", &calls(&challenges.alone_calls), "<= 3.1");
        row("  a name that is new to the process", &calls(&challenges.new_name_calls), "");
        row("  a name and its wildcard together", &calls(&challenges.pair_calls), "");
        println!("\n  60 ms a call, served after 1.5 s, 1 s to settle");
        row("Present confirmed, first of the process", &challenges.first_ms.seconds(), "<= 4 s");
        row("Present confirmed, median", &Millis::at(&challenges.alone_ms, 50).seconds(), "<= 4 s");
        row(
            "a name and its wildcard confirmed, median",
            &Millis::at(&challenges.pair_ms, 50).seconds(),
            "<= 6 s",
        );
        println!("\n  {} arrivals a second for 25 s, an upstream that takes no time", load.rate);
        for (name, phase) in [("Present", &load.present), ("CleanUp", &load.clean_up)] {
            row(&format!("{name}: p50 / p99"), &pair(&phase.took_ms), "");
            row("  processor time a request", &format!("{:.0} us", phase.processor_us), "");
        }
        row("the upstream of a Present alone: p50 / p99", &pair(&load.upstream_ms), "");
        let added =
            |percent| Millis::at(&load.present.took_ms, percent).0 - Millis::at(&load.upstream_ms, percent).0;
        row("added to it: p50 / p99", &format!("{:.2} / {:.2} ms", added(50), added(99)), "p99 <= 2 ms");
        println!("\n  one process");
        row("start to ready, median", &format!("{:.1} ms", Millis::at(&start.ready_ms, 50).0), "<= 50 ms");
        row("resident when ready, median", &mebibytes(middle(&start.resident)), "<= 12 MiB");
        row("resident after the load", &mebibytes(load.resident_after), "");
        if let Some(beside) = beside {
            beside.print();
        }
        println!();
    }
}

impl Beside {
    /// Each figure of ours, of the library's server, and how they compare.
    fn print(&self) {
        let Self { ours, reference } = self;
        println!("\n  {:<40}{:>12}{:>12}{:>8}", "beside the library's server", "ours", "library", "ratio");
        let compare = |what: &str, unit: &str, ours: f64, theirs: f64| {
            println!("  {:<40}{ours:>12.2}{theirs:>12.2}{:>8.2}", format!("{what}, {unit}"), ours / theirs);
        };
        let mebibytes = |bytes: u64| as_f64(bytes) / f64::from(1 << 20);
        let ready = |side: &Side| Millis::at(&side.ready_ms, 50).0;
        compare("size of the file", "MiB", mebibytes(ours.size), mebibytes(reference.size));
        compare("start to ready, median", "ms", ready(ours), ready(reference));
        compare("resident when ready", "MiB", mebibytes(ours.idle), mebibytes(reference.idle));
        compare("resident after the load", "MiB", mebibytes(ours.after), mebibytes(reference.after));
        for (ours, theirs) in ours.levels.iter().zip(&reference.levels) {
            let what = |figure: &str| format!("{} at {}: {figure}", ours.work, ours.concurrency);
            compare(&what("rate"), "1/s", ours.rate, theirs.rate);
            compare(&what("p50"), "ms", ours.p50_ms.0, theirs.p50_ms.0);
            compare(&what("p99"), "ms", ours.p99_ms.0, theirs.p99_ms.0);
            compare(&what("processor a request"), "us", ours.processor_us, theirs.processor_us);
        }
    }
}

fn row(what: &str, value: &str, aim: &str) {
    println!("  {what:<52}{value:>22}   {aim}");
}

fn middle(values: &[u64]) -> u64 {
    let mut sorted = values.to_vec();
    sorted.sort_unstable();
    sorted.get(sorted.len() / 2).copied().unwrap_or_default()
}

fn pair(values: &[Millis]) -> String {
    format!("{:.2} / {:.2} ms", Millis::at(values, 50).0, Millis::at(values, 99).0)
}
