//! The program beside a webhook made with cert-manager's own library, on the same work and in the same minutes:
//! discovery, and a `Present` that both refuse for its configuration. Requests come as the aggregation layer sends
//! them, over one HTTP/2 connection; each level runs against the one and then against the other.

use std::fs;
use std::time::Duration;

use anyhow::{Result, ensure};
use harness::figures::Millis;
use harness::{Aggregator, Answer, Binary, Recorded, Scene, Setting, Webhook};
use serde::Serialize;
use serde_json::{Value, json};
use tokio::task::JoinSet;
use tokio::time::Instant;

/// Both.
#[derive(Debug, Serialize)]
pub(crate) struct Beside {
    /// This program.
    pub(crate) ours: Side,
    /// The library's server.
    pub(crate) reference: Side,
}

/// One of the two.
#[derive(Debug, Default, Serialize)]
pub(crate) struct Side {
    /// Of the file, in bytes.
    pub(crate) size: u64,
    /// From the start of the process until it is ready.
    pub(crate) ready_ms: Vec<Millis>,
    /// Resident when ready, before any load, in bytes.
    pub(crate) idle: u64,
    /// Resident after all levels.
    pub(crate) after: u64,
    /// In the order in which they ran.
    pub(crate) levels: Vec<Level>,
}

/// One kind of work at one concurrency.
#[derive(Debug, Serialize)]
pub(crate) struct Level {
    /// `discovery` or `refused`.
    pub(crate) work: &'static str,
    /// Requests in the air at any time.
    pub(crate) concurrency: usize,
    /// Answers a second.
    pub(crate) rate: f64,
    /// Of one answer.
    pub(crate) p50_ms: Millis,
    /// Of one answer.
    pub(crate) p99_ms: Millis,
    /// Processor time a request, in microseconds.
    pub(crate) processor_us: f64,
}

pub(crate) async fn measure(ours: &Binary, reference: &Binary) -> Result<Beside> {
    let scene = Scene::start(ours.clone(), Setting::default()).await?;
    let mut sides = [Side::default(), Side::default()];
    for (side, binary) in sides.iter_mut().zip([ours, reference]) {
        side.size = fs::metadata(binary.path())?.len();
    }
    for _ in 0..STARTS {
        let mut webhook = scene.spawn(&[])?;
        sides[0].ready_ms.push(webhook.ready().await?.into());
        webhook.kill().await?;
        let mut webhook = scene.spawn_reference(reference)?;
        sides[1].ready_ms.push(scene.reference_ready(&mut webhook).await?.into());
        webhook.kill().await?;
    }

    let mut webhooks = [scene.spawn(&[])?, scene.spawn_reference(reference)?];
    webhooks[0].ready().await?;
    scene.reference_ready(&mut webhooks[1]).await?;
    for (side, webhook) in sides.iter_mut().zip(&webhooks) {
        side.idle = webhook.usage()?.resident;
    }
    for work in [Work::Discovery, Work::Refused] {
        for concurrency in [1, 16, 64] {
            for (side, webhook) in sides.iter_mut().zip(&webhooks) {
                let aggregator = scene.aggregator(webhook)?;
                level(&aggregator, webhook, work, concurrency, WARM_UP).await?;
                side.levels.push(level(&aggregator, webhook, work, concurrency, FOR).await?);
            }
        }
    }
    for (side, webhook) in sides.iter_mut().zip(&webhooks) {
        side.after = webhook.usage()?.resident;
    }
    let [ours, reference] = sides;
    Ok(Beside { ours, reference })
}

#[derive(Debug, Clone, Copy)]
enum Work {
    Discovery,
    Refused,
}

impl Work {
    fn name(self) -> &'static str {
        match self {
            Self::Discovery => "discovery",
            Self::Refused => "refused",
        }
    }

    /// As the aggregation layer sends it for cert-manager.
    fn request(self) -> Result<Recorded> {
        let [mut request, _] = Recorded::first()?;
        match self {
            Self::Discovery => {
                "GET".clone_into(&mut request.method);
                request.path.truncate(request.path.rfind('/').unwrap_or_default());
                request.headers.remove("Content-Type");
                request.body = Value::Null;
            }
            Self::Refused => request.body["request"]["config"] = json!({ "unknown": true }),
        }
        Ok(request)
    }

    fn is_done(self, answer: &Answer) -> bool {
        match self {
            Self::Discovery => answer.status == 200 && answer.body["kind"] == "APIResourceList",
            Self::Refused => answer.status == 201 && answer.body["response"]["success"] == false,
        }
    }
}

/// Keeps so many requests in the air for a while.
async fn level(
    aggregator: &Aggregator,
    webhook: &Webhook,
    work: Work,
    concurrency: usize,
    time: Duration,
) -> Result<Level> {
    let before = webhook.usage()?.processor;
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for _ in 0..concurrency {
        let (aggregator, request) = (aggregator.clone(), aggregator.prepare(&work.request()?)?);
        running.spawn(async move {
            let mut took = Vec::new();
            while begun.elapsed() < time {
                let sent = Instant::now();
                let answer = aggregator.play(&request).await?;
                took.push(Millis::from(sent.elapsed()));
                ensure!(work.is_done(&answer), "{work:?}: {}: {}", answer.status, answer.body);
            }
            Ok(took)
        });
    }
    let took: Vec<_> = running.join_all().await.into_iter().collect::<Result<Vec<_>>>()?.concat();
    let elapsed = begun.elapsed();
    let processor = webhook.usage()?.processor.saturating_sub(before);
    let count = f64::from(u32::try_from(took.len())?);
    Ok(Level {
        work: work.name(),
        concurrency,
        rate: (count / elapsed.as_secs_f64()).round(),
        p50_ms: Millis::at(&took, 50),
        p99_ms: Millis::at(&took, 99),
        processor_us: (processor.as_secs_f64() * 1e7 / count).round() / 10.0,
    })
}

const STARTS: usize = 5;
const WARM_UP: Duration = Duration::from_millis(500);
const FOR: Duration = Duration::from_secs(3);
