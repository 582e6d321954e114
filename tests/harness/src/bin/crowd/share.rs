//! Two instances and a foreign client share one account of 1,200 calls in 300 s, in real time: no lock-out.
//!
//! Challenges arrive evenly in many zones, so that no two of a zone are in the air together and nothing can be merged:
//! a program that looks each zone up once and makes one call for each `Present` and each `CleanUp` needs 900 calls.
//! Meanwhile the foreign client makes 250 with the same token, as an operator's dashboard or external-dns would. The two
//! instances know nothing of each other; both requests of a challenge go to the same one, as two clusters would have it,
//! or a kube-apiserver that keeps its connection.

use std::collections::BTreeMap;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use futures::future::{join_all, try_join_all};
use harness::figures::Millis;
use harness::work::{Patience, Took, Worker};
use harness::{Binary, Challenge, Scene, Setting};
use serde::Serialize;
use tokio::time::{Instant, sleep_until};

use cloudflare_emulator::{RateLimit, TokenConfig, ZoneConfig};

use crate::table::{reasons, row};

/// What it came to.
#[derive(Debug, Serialize)]
pub(crate) struct Share {
    /// Until the last challenge was over.
    took_ms: Millis,
    /// Calls of each instance, by its own metrics.
    ours: Vec<u64>,
    /// Calls of the foreign client, and those that were refused.
    foreign: u64,
    foreign_refused: u64,
    /// All calls, as Cloudflare counts them.
    calls: u64,
    /// The fewest that were left in a window at any time.
    lowest: u32,
    /// Answers 429 to anybody.
    limited: u64,
    present: Took,
    failed: BTreeMap<String, u64>,
    lost: u64,
    left: usize,
}

pub(crate) async fn measure(binary: &Binary) -> Result<Share> {
    let token = TokenConfig { user: Some(USER.to_owned()), ..TokenConfig::new(TOKEN) };
    let setting = Setting {
        latency_ms: 60,
        propagation_ms: 1500,
        zones: (0..ZONES).map(|zone| ZoneConfig::new(&name(zone))).collect(),
        tokens: vec![token],
        rate_limit: Some(RateLimit::default()),
        ..Setting::default()
    };
    let scene = Scene::start(binary.clone(), setting).await?;
    scene.cluster.put_token(&challenge(0)?, TOKEN);
    let mut webhooks = Vec::new();
    for owner in ["--owner-id=first", "--owner-id=second"] {
        webhooks.push(scene.webhook(&[owner, "--log-level=error"]).await?);
    }
    scene.cluster.is_watched().await?;
    let workers = webhooks.iter().map(|webhook| Worker::new(&scene, webhook, PATIENCE));
    let workers = workers.collect::<Result<Vec<_>>>()?;

    let begun = Instant::now();
    let arrivals = (0..CHALLENGES).map(|number| {
        // Each zone is asked for by both.
        let worker = &workers[(number as usize + number as usize / ZONES) % 2];
        async move {
            sleep_until(begun + ARRIVALS * number / CHALLENGES).await;
            worker.solve(1, std::iter::once(challenge(number as usize))).await
        }
    });
    let (solved, foreign) = tokio::join!(try_join_all(arrivals), foreign(&scene, begun));
    solved?;
    let took_ms = begun.elapsed().into();
    let foreign_refused = foreign?;

    let ours = join_all(webhooks.iter().map(|webhook| webhook.counter(CALLS))).await;
    let stats = scene.cloudflare.stats();
    let mut tallies = workers.into_iter().map(Worker::tally);
    let mut tally = tallies.next().unwrap_or_default();
    for other in tallies {
        tally.add(other);
    }
    Ok(Share {
        took_ms,
        ours: ours.into_iter().collect::<Result<_>>()?,
        foreign: FOREIGN.into(),
        foreign_refused,
        calls: stats.api_calls,
        lowest: stats
            .rate_limit_lowest
            .get(&format!("user:{USER}"))
            .copied()
            .context("no call was counted")?,
        limited: stats.answers_by_status.get("429").copied().unwrap_or_default(),
        present: Took::of(&tally.present_ms),
        failed: tally.failed,
        lost: tally.lost,
        left: (0..ZONES).map(|zone| scene.cloudflare.records(&name(zone)).len()).sum(),
    })
}

/// Somebody who lists records now and then, and knows nothing of budgets; says how often that was refused.
async fn foreign(scene: &Scene, begun: Instant) -> Result<u64> {
    let client = reqwest::Client::builder().no_proxy().build()?;
    let mut refused = 0;
    for number in 0..FOREIGN {
        sleep_until(begun + FOREIGN_OVER * number / FOREIGN).await;
        let zone = scene.cloudflare.zone_id(&name(number as usize % ZONES)).context("no zone")?;
        let url = format!("{}/zones/{zone}/dns_records", scene.cloudflare.api_url());
        let status = client.get(url).bearer_auth(TOKEN).send().await?.status();
        refused += u64::from(status == reqwest::StatusCode::TOO_MANY_REQUESTS);
    }
    Ok(refused)
}

/// A name that only its zone can hold, so that nothing else is looked up for it.
fn challenge(number: usize) -> Result<Challenge> {
    Ok(Challenge::delegated_to(&format!("n{number}"), &name(number % ZONES))?
        .with_secret("cloudflare-shared"))
}

fn name(zone: usize) -> String {
    format!("shared{zone:02}.example")
}

impl Share {
    pub(crate) fn print(&self) {
        let needed = 2 * ZONES + 2 * CHALLENGES as usize;
        println!(
            "\n  {CHALLENGES} challenges arrive within {} s in {ZONES} zones, by turns at two instances: {needed} calls if each zone is \
             looked up once\n  by each and nothing can be merged. A foreign client makes {FOREIGN} calls within {} s. One user: 1,200 \
             calls in 300 s.\n  60 ms a call, served after 1.5 s, 1 s to settle; a request that failed is sent again after {} s.\n",
            ARRIVALS.as_secs(),
            FOREIGN_OVER.as_secs(),
            PATIENCE.pause.as_secs(),
        );
        for (number, calls) in self.ours.iter().enumerate() {
            row(&format!("calls of instance {}", number + 1), &calls.to_string(), "");
        }
        row("  of both", &self.ours.iter().sum::<u64>().to_string(), &format!("about {needed}"));
        row("calls of the foreign client", &self.foreign.to_string(), "");
        row("  refused", &self.foreign_refused.to_string(), "0");
        row("all calls, as counted by Cloudflare", &self.calls.to_string(), "");
        row("fewest calls left at any time", &self.lowest.to_string(), "> 0");
        row("answers 429", &self.limited.to_string(), "0");
        row("time until all were over", &self.took_ms.seconds(), "");
        row(
            "Present: p50 / p99",
            &format!("{} / {}", self.present.p50.seconds(), self.present.p99.seconds()),
            "",
        );
        row("answers that were failures", &self.failed.values().sum::<u64>().to_string(), "");
        reasons(&self.failed);
        row("challenges given up", &self.lost.to_string(), "0");
        row("records left", &self.left.to_string(), "0");
        println!();
    }

    /// Nobody may be locked out, nothing lost or left.
    pub(crate) fn verdict(&self) -> Result<()> {
        ensure!(self.limited == 0, "the account was locked: {} answers were 429", self.limited);
        ensure!(self.lost == 0, "{} challenges were given up", self.lost);
        ensure!(self.left == 0, "{} records are left", self.left);
        Ok(())
    }
}

const USER: &str = "shared";
const TOKEN: &str = "token-that-all-share-0123456789abcdefghij";
const CALLS: &str = "cert_manager_webhook_cloudflare_cloudflare_calls_total";
const ZONES: usize = 60;
const CHALLENGES: u32 = 390;
const ARRIVALS: Duration = Duration::from_secs(270);
const FOREIGN: u32 = 250;
/// Within the window that the first call begins.
const FOREIGN_OVER: Duration = Duration::from_secs(285);
/// A lock-out of five minutes, and some more.
const PATIENCE: Patience = Patience { tries: 40, pause: Duration::from_secs(10) };
