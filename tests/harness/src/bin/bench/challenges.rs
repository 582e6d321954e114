//! Challenges one after the other, with Cloudflare as it is: 60 ms a call, served after 1.5 s; 1 s to settle.

use std::time::Duration;

use anyhow::Result;
use harness::figures::Millis;
use harness::{Binary, Challenge, Scene, Setting, Webhook};
use serde::Serialize;
use tokio::time::{Instant, sleep};

/// What each took.
#[derive(Debug, Serialize)]
pub(crate) struct Challenges {
    /// `Present` of the first challenge of the process: the zone and its delegation are not known yet.
    pub(crate) first_ms: Millis,
    /// `Present` of a challenge alone.
    pub(crate) alone_ms: Vec<Millis>,
    /// Calls of a challenge alone whose zone is known, `CleanUp` included.
    pub(crate) alone_calls: Vec<u64>,
    /// The same for a name below the zone that may have been a zone of its own.
    pub(crate) new_name_calls: Vec<u64>,
    /// A name and its wildcard, from the first `Present` until both are confirmed.
    pub(crate) pair_ms: Vec<Millis>,
    /// Calls of both together, `CleanUp` included.
    pub(crate) pair_calls: Vec<u64>,
}

pub(crate) async fn measure(binary: &Binary) -> Result<Challenges> {
    let setting = Setting { latency_ms: 60, propagation_ms: 1500, ..Setting::default() };
    let scene = Scene::start(binary.clone(), setting).await?;
    let webhook = scene.webhook(&[]).await?;
    scene.cluster.is_watched().await?;
    let calls = || scene.cloudflare.stats().api_calls;

    let first_ms = one(&scene, &webhook, Challenge::of("first")?).await?;
    let (mut alone_ms, mut alone_calls) = (Vec::new(), Vec::new());
    for run in 0..TIMES {
        let before = calls();
        alone_ms.push(one(&scene, &webhook, Challenge::delegated(&format!("alone{run}"))?).await?);
        alone_calls.push(calls() - before);
    }
    let mut new_name_calls = Vec::new();
    for run in 0..TIMES {
        let before = calls();
        one(&scene, &webhook, Challenge::of(&format!("new{run}"))?).await?;
        new_name_calls.push(calls() - before);
    }
    let (mut pair_ms, mut pair_calls) = (Vec::new(), Vec::new());
    for run in 0..TIMES {
        let before = calls();
        pair_ms.push(pair(&scene, &webhook, &format!("pair{run}")).await?);
        pair_calls.push(calls() - before);
    }
    Ok(Challenges { first_ms, alone_ms, alone_calls, new_name_calls, pair_ms, pair_calls })
}

/// `Present` and `CleanUp` of a challenge alone; says what `Present` took.
async fn one(scene: &Scene, webhook: &Webhook, challenge: Challenge) -> Result<Millis> {
    let cert_manager = scene.cert_manager(webhook)?;
    let challenges = [challenge];
    let [challenge] = &challenges;
    scene.cluster.create(&challenges);
    sleep(TICK).await;
    let begun = Instant::now();
    cert_manager.must_present(challenge).await?;
    let presented = begun.elapsed();
    cert_manager.must_clean_up(challenge).await?;
    scene.cluster.delete(&challenges);
    Ok(presented.into())
}

/// Both challenges of a name, in cert-manager's order.
async fn pair(scene: &Scene, webhook: &Webhook, label: &str) -> Result<Millis> {
    let cert_manager = scene.cert_manager(webhook)?;
    let challenges = Challenge::pair_of(label)?;
    scene.cluster.create(&challenges);
    sleep(TICK).await;
    let begun = Instant::now();
    let mut confirmed = begun.elapsed();
    for challenge in &challenges {
        cert_manager.must_present(challenge).await?;
        confirmed = begun.elapsed();
        cert_manager.must_clean_up(challenge).await?;
    }
    scene.cluster.delete(&challenges);
    Ok(confirmed.into())
}

const TIMES: usize = 5;
/// cert-manager's scheduler looks once a second, so a Challenge has been there for a while when it is presented.
const TICK: Duration = Duration::from_millis(300);
