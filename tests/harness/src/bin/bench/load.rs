//! Arrivals at a steady rate, whether or not the ones before have been answered, with an upstream that takes no time.

use std::time::Duration;

use anyhow::{Context, Result, ensure};
use cloudflare_emulator::RateLimit;
use harness::figures::Millis;
use harness::{Binary, Challenge, Scene, Setting, TOKEN, Usage, Webhook, ZONE, ask};
use serde::Serialize;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until};

/// What the arrivals took.
#[derive(Debug, Serialize)]
pub(crate) struct Load {
    /// Arrivals a second.
    pub(crate) rate: u32,
    /// Resident after all arrivals, in bytes.
    pub(crate) resident_after: u64,
    /// `Present`.
    pub(crate) present: Phase,
    /// `CleanUp`.
    pub(crate) clean_up: Phase,
    /// What a `Present` asks of Cloudflare, asked without the program: one call, and each name server twice.
    pub(crate) upstream_ms: Vec<Millis>,
}

/// One kind of request.
#[derive(Debug, Serialize)]
pub(crate) struct Phase {
    /// From the arrival, not from the moment at which the client got round to it, to the answer.
    pub(crate) took_ms: Vec<Millis>,
    /// Processor time a request, in microseconds.
    pub(crate) processor_us: f64,
    /// Calls to Cloudflare's API.
    pub(crate) calls: u64,
}

pub(crate) async fn measure(binary: &Binary) -> Result<Load> {
    // An account that is never short of calls: what is measured is the program, and not its patience.
    let rate_limit = Some(RateLimit { requests: 1_000_000, per_ip_per_second: None, ..RateLimit::default() });
    let scene = Scene::start(binary.clone(), Setting { rate_limit, ..Setting::default() }).await?;
    let webhook = scene.webhook(&["--propagation-settle=0s", "--log-level=warn"]).await?;
    let aggregator = scene.aggregator(&webhook)?;
    let warm_up = Challenge::delegated("warmup")?;
    for request in [&warm_up.present, &warm_up.clean_up] {
        let answer = aggregator.send(request).await?;
        ensure!(answer.is_success(), "{}", answer.message());
    }
    let challenges = (0..ARRIVALS).map(|number| Challenge::delegated(&format!("n{number}")));
    let challenges = challenges.collect::<Result<Vec<_>>>()?;

    let send = |request: harness::Recorded| {
        let aggregator = aggregator.clone();
        async move {
            let answer = aggregator.send(&request).await?;
            ensure!(answer.is_success(), "under load: {}", answer.message());
            Ok(())
        }
    };
    let meter = Meter::new(&scene, &webhook)?;
    let took = arrivals(challenges.iter().map(|challenge| send(challenge.present.clone()))).await?;
    let present = meter.read(took)?;
    let meter = Meter::new(&scene, &webhook)?;
    let took = arrivals(challenges.iter().map(|challenge| send(challenge.clean_up.clone()))).await?;
    let clean_up = meter.read(took)?;
    let resident_after = webhook.usage()?.resident;
    drop(webhook);
    Ok(Load { rate: RATE, resident_after, present, clean_up, upstream_ms: upstream(&scene).await? })
}

/// Starts one future after the other, each when its time has come, and says how long each took since then.
async fn arrivals<F>(requests: impl Iterator<Item = F>) -> Result<Vec<Millis>>
where
    F: Future<Output = Result<()>> + Send + 'static,
{
    let begun = Instant::now();
    let mut running = JoinSet::new();
    for (number, request) in (0u32..).zip(requests) {
        let arrival = begun + Duration::from_secs(1) * number / RATE;
        sleep_until(arrival).await;
        running.spawn(async move {
            request.await?;
            anyhow::Ok(Millis::from(arrival.elapsed()))
        });
    }
    running.join_all().await.into_iter().collect()
}

/// The same questions as a `Present` asks, from here.
async fn upstream(scene: &Scene) -> Result<Vec<Millis>> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let zone = scene.cloudflare.zone_id(ZONE).context("no zone")?;
    let url = format!("{}/zones/{zone}/dns_records", scene.cloudflare.api_url());
    let servers: Vec<_> = scene.cloudflare.authorities().into_iter().map(|(_, address)| address).collect();
    let requests = (0..ARRIVALS).map(|number| {
        let name = format!("upstream{number}.{ZONE}");
        let record = serde_json::json!({"type": "TXT", "name": name, "content": "\"value\"", "ttl": 60});
        let call = client.post(&url).bearer_auth(TOKEN).json(&record);
        let servers = servers.clone();
        async move {
            let answer = call.send().await?.error_for_status()?;
            answer.bytes().await?;
            for _ in 0..2 {
                let mut round = JoinSet::new();
                for server in servers.clone() {
                    let name = name.clone();
                    round.spawn(async move { ask(server, &name, false).await });
                }
                for served in round.join_all().await {
                    ensure!(served?.values == ["value"], "the upstream does not serve {name}");
                }
            }
            Ok(())
        }
    });
    arrivals(requests).await
}

/// What has been used between two moments.
struct Meter<'a> {
    scene: &'a Scene,
    webhook: &'a Webhook,
    usage: Usage,
    calls: u64,
}

impl<'a> Meter<'a> {
    fn new(scene: &'a Scene, webhook: &'a Webhook) -> Result<Self> {
        let calls = scene.cloudflare.stats().api_calls;
        Ok(Self { scene, webhook, usage: webhook.usage()?, calls })
    }

    fn read(self, took_ms: Vec<Millis>) -> Result<Phase> {
        let processor = self.webhook.usage()?.processor.saturating_sub(self.usage.processor);
        Ok(Phase {
            took_ms,
            processor_us: processor.as_secs_f64() * 1e6 / f64::from(ARRIVALS),
            calls: self.scene.cloudflare.stats().api_calls - self.calls,
        })
    }
}

/// Below the fifty at which the bound of a hundred questions a second for each name server address is reached.
const RATE: u32 = 40;
const ARRIVALS: u32 = RATE * 25;
