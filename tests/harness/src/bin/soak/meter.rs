//! What the program holds, by its own metrics.

use std::time::Duration;

use anyhow::{Context, Result};
use harness::{Webhook, until};
use serde::Serialize;
use tokio::time::{Instant, MissedTickBehavior, interval, sleep};

pub(crate) struct Meter<'a> {
    webhook: &'a Webhook,
}

/// At one moment.
#[derive(Debug, Clone, Copy, Serialize)]
pub(crate) struct Sample {
    /// Seconds since measuring began.
    pub(crate) at: f64,
    /// Memory that is resident, in bytes.
    pub(crate) resident: f64,
    pub(crate) descriptors: f64,
    pub(crate) tasks: f64,
    pub(crate) names: f64,
    pub(crate) credentials: f64,
}

impl<'a> Meter<'a> {
    pub(crate) fn new(webhook: &'a Webhook) -> Self {
        Self { webhook }
    }

    /// A sample each second, until what runs has ended.
    pub(crate) async fn while_running(
        &self,
        running: impl Future<Output = Result<()>>,
    ) -> Result<Vec<Sample>> {
        let (begun, mut samples) = (Instant::now(), Vec::new());
        let sampling = async {
            let mut seconds = interval(SECOND);
            seconds.set_missed_tick_behavior(MissedTickBehavior::Delay);
            loop {
                seconds.tick().await;
                match self.sample(begun).await {
                    Ok(sample) => samples.push(sample),
                    Err(error) => return error,
                }
            }
        };
        tokio::select! {
            ended = running => ended?,
            error = sampling => return Err(error),
        }
        Ok(samples)
    }

    /// The least of some seconds in which nothing is asked of the program: work in the background ends, too.
    pub(crate) async fn at_rest(&self) -> Result<Sample> {
        let idle = async || {
            let shown = self.webhook.gauges().await.unwrap_or_default();
            WAITING.iter().all(|name| shown.get(&own(name)) == Some(&0.0))
        };
        until("the program has nothing to do", PATIENCE, idle).await?;
        let begun = Instant::now();
        let mut least = self.sample(begun).await?;
        for _ in 0..REST {
            sleep(SECOND).await;
            let sample = self.sample(begun).await?;
            least.resident = least.resident.min(sample.resident);
            least.descriptors = least.descriptors.min(sample.descriptors);
            least.tasks = least.tasks.min(sample.tasks);
        }
        Ok(least)
    }

    async fn sample(&self, begun: Instant) -> Result<Sample> {
        let shown = self.webhook.gauges().await?;
        let gauge = |name: &str| shown.get(name).copied().with_context(|| format!("no {name}"));
        Ok(Sample {
            at: begun.elapsed().as_secs_f64(),
            resident: gauge("process_resident_memory_bytes")?,
            descriptors: gauge("process_open_fds")?,
            tasks: gauge(&own("tasks"))?,
            names: gauge(&own("names_remembered"))?,
            credentials: gauge(&own("cloudflare_credentials"))?,
        })
    }
}

fn own(name: &str) -> String {
    format!("cert_manager_webhook_cloudflare_{name}")
}

const WAITING: [&str; 3] = ["requests_in_flight", "cloudflare_writes_waiting", "cloudflare_calls_waiting"];
const SECOND: Duration = Duration::from_secs(1);
const PATIENCE: Duration = Duration::from_mins(1);
/// Seconds.
const REST: u32 = 10;
