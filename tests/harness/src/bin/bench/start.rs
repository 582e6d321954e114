//! From the start of the process until `/readyz` says so, and what it holds then.

use anyhow::Result;
use harness::figures::Millis;
use harness::{Binary, Scene, Setting};
use serde::Serialize;

/// Ten starts.
#[derive(Debug, Serialize)]
pub(crate) struct Start {
    /// From the start of the process until it is ready.
    pub(crate) ready_ms: Vec<Millis>,
    /// Resident then, in bytes.
    pub(crate) resident: Vec<u64>,
}

pub(crate) async fn measure(binary: &Binary) -> Result<Start> {
    let scene = Scene::start(binary.clone(), Setting::default()).await?;
    let mut start = Start { ready_ms: Vec::new(), resident: Vec::new() };
    for _ in 0..TIMES {
        let mut webhook = scene.spawn(&[])?;
        start.ready_ms.push(webhook.ready().await?.into());
        start.resident.push(webhook.usage()?.resident);
        webhook.kill().await?;
    }
    Ok(start)
}

const TIMES: usize = 10;
