//! How the cost grows: 1, 10, 100, 1,000 names in one zone at once, all `Present`s together, then all `CleanUp`s. At
//! most two hundred requests are in the air, which is what the program, as any aggregated API server, and
//! kube-apiserver before it allow. Each number has a process and a Cloudflare of its own.

use std::collections::BTreeMap;

use anyhow::{Result, ensure};
use futures::stream::{self, StreamExt};
use harness::figures::{Millis, as_f64, mebibytes};
use harness::work::{Patience, Took, Worker};
use harness::{Binary, Challenge, Scene, Setting, ZONE};
use serde::Serialize;
use tokio::time::{Duration, Instant};

use crate::table::{queries, reasons};

/// All of them.
#[derive(Debug, Serialize)]
#[serde(transparent)]
pub(crate) struct Growth(Vec<Row>);

/// So many names.
#[derive(Debug, Serialize)]
struct Row {
    names: usize,
    /// From the first request to the last answer.
    present_ms: Millis,
    clean_up_ms: Millis,
    /// Of one `Present`.
    present: Took,
    present_calls: u64,
    clean_up_calls: u64,
    queries: u64,
    processor_ms: Millis,
    /// At any time, in bytes.
    peak: u64,
    failed: BTreeMap<String, u64>,
    lost: u64,
    left: usize,
}

pub(crate) async fn measure(binary: &Binary) -> Result<Growth> {
    let mut rows = Vec::new();
    for names in [1, 10, 100, 1000] {
        rows.push(at_once(binary, names).await?);
    }
    Ok(Growth(rows))
}

async fn at_once(binary: &Binary, names: usize) -> Result<Row> {
    let setting = Setting { latency_ms: LATENCY_MS, propagation_ms: PROPAGATION_MS, ..Setting::default() };
    let scene = Scene::start(binary.clone(), setting).await?;
    let webhook = scene.webhook(&["--log-level=error"]).await?;
    scene.cluster.is_watched().await?;
    let challenges = (0..names).map(|number| Challenge::below(&format!("n{number}"), ZONE));
    let challenges = challenges.collect::<Result<Vec<_>>>()?;
    scene.cluster.create(&challenges);

    let worker = Worker::new(&scene, &webhook, PATIENCE)?;
    let processor = webhook.usage()?.processor;
    let mut lost = 0;
    let begun = Instant::now();
    let presents = stream::iter(&challenges).map(|challenge| worker.present(challenge));
    let presented: Vec<_> = presents.buffer_unordered(IN_THE_AIR).collect().await;
    lost += presented.iter().filter(|presented| !**presented).count() as u64;
    let (present_ms, present_calls) = (begun.elapsed().into(), scene.cloudflare.stats().api_calls);
    let begun = Instant::now();
    let clean_ups = stream::iter(&challenges).map(|challenge| worker.clean_up(challenge));
    let cleaned: Vec<_> = clean_ups.buffer_unordered(IN_THE_AIR).collect().await;
    lost += cleaned.iter().filter(|cleaned| !**cleaned).count() as u64;
    let clean_up_ms = begun.elapsed().into();

    let (usage, stats, tally) = (webhook.usage()?, scene.cloudflare.stats(), worker.tally());
    Ok(Row {
        names,
        present_ms,
        clean_up_ms,
        present: Took::of(&tally.present_ms),
        present_calls,
        clean_up_calls: stats.api_calls - present_calls,
        queries: queries(&stats),
        processor_ms: usage.processor.saturating_sub(processor).into(),
        peak: usage.peak,
        failed: tally.failed,
        lost,
        left: scene.records().len(),
    })
}

impl Growth {
    pub(crate) fn print(&self) {
        println!(
            "\n  Names in one zone at once, at most {IN_THE_AIR} requests in the air; {LATENCY_MS} ms a call, served after \
             {PROPAGATION_MS} ms, 1 s to settle, no limit of calls.\n  The aim: nothing grows worse than linearly, calls stay \
             far below one a name.\n",
        );
        println!(
            "  {:>6}{:>10}{:>10}{:>8}{:>9}{:>13}{:>13}{:>9}{:>9}{:>11}{:>10}{:>11}{:>6}{:>6}",
            "names",
            "Presents",
            "CleanUps",
            "calls",
            "a name",
            "Present p50",
            "Present p99",
            "queries",
            "a name",
            "processor",
            "a name",
            "peak",
            "lost",
            "left"
        );
        for row in &self.0 {
            let names = as_f64(row.names as u64);
            let calls = row.present_calls + row.clean_up_calls;
            println!(
                "  {:>6}{:>10}{:>10}{:>8}{:>9.2}{:>13}{:>13}{:>9}{:>9.1}{:>11}{:>10}{:>11}{:>6}{:>6}",
                row.names,
                row.present_ms.seconds(),
                row.clean_up_ms.seconds(),
                calls,
                as_f64(calls) / names,
                row.present.p50.seconds(),
                row.present.p99.seconds(),
                row.queries,
                as_f64(row.queries) / names,
                format!("{:.0} ms", row.processor_ms.0),
                format!("{:.2} ms", row.processor_ms.0 / names),
                mebibytes(row.peak),
                row.lost,
                row.left,
            );
        }
        for row in self.0.iter().filter(|row| !row.failed.is_empty()) {
            println!("  {} names: answers that were failures", row.names);
            reasons(&row.failed);
        }
        println!();
    }

    /// Nothing may be lost or left.
    pub(crate) fn verdict(&self) -> Result<()> {
        for row in &self.0 {
            ensure!(row.lost == 0, "{} requests for {} names were given up", row.lost, row.names);
            ensure!(row.left == 0, "{} records of {} names are left", row.left, row.names);
        }
        Ok(())
    }
}

/// Requests: `MaxMutatingRequestsInFlight` of `pkg/server/config.go` of `k8s.io/apiserver`.
const IN_THE_AIR: usize = 200;
const PATIENCE: Patience = Patience { tries: 5, pause: Duration::from_secs(5) };
const LATENCY_MS: u64 = 60;
const PROPAGATION_MS: u64 = 1500;
