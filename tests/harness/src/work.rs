//! Challenges as cert-manager works on them, so many at a time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use futures::stream::{self, StreamExt};
use serde::Serialize;
use tokio::time::{Instant, sleep};

use crate::aggregator::Answer;
use crate::cert_manager::CertManager;
use crate::challenge::Challenge;
use crate::figures::Millis;
use crate::process::Webhook;
use crate::scene::Scene;

/// What came of some challenges.
#[derive(Debug, Default)]
pub struct Tally {
    /// What each `Present` took that succeeded.
    pub present_ms: Vec<Millis>,
    /// What each `CleanUp` took that succeeded.
    pub clean_up_ms: Vec<Millis>,
    /// Requests that were answered with a failure, or not at all, by what was said.
    pub failed: BTreeMap<String, u64>,
    /// Challenges that were given up.
    pub lost: u64,
}

/// How often a request is sent until it succeeds, and how long after a failure.
#[derive(Debug, Clone, Copy)]
pub struct Patience {
    /// At most so many.
    pub tries: u32,
    /// Between two of them.
    pub pause: Duration,
}

/// What requests took, in milliseconds.
#[derive(Debug, Serialize)]
pub struct Took {
    /// Half of them took no longer.
    pub p50: Millis,
    /// Nor did 99 of a hundred.
    pub p99: Millis,
    /// Nor did any.
    pub max: Millis,
}

/// cert-manager, with an account of what it met.
#[derive(Debug)]
pub struct Worker<'a> {
    scene: &'a Scene,
    cert_manager: CertManager<'a>,
    patience: Patience,
    tally: Mutex<Tally>,
}

impl<'a> Worker<'a> {
    /// One that asks this program.
    pub fn new(scene: &'a Scene, webhook: &Webhook, patience: Patience) -> Result<Self> {
        let cert_manager = scene.cert_manager(webhook)?;
        Ok(Self { scene, cert_manager, patience, tally: Mutex::default() })
    }

    /// Works on all of them, `places` at a time. Each Challenge exists before its turn comes, as it would while
    /// cert-manager's scheduler lets others go first.
    pub async fn solve(
        &self,
        places: usize,
        challenges: impl Iterator<Item = Result<Challenge>>,
    ) -> Result<()> {
        let ahead = challenges.map(|challenge| {
            let challenge = challenge?;
            self.scene.cluster.create(std::slice::from_ref(&challenge));
            Ok(challenge)
        });
        let solving = stream::iter(ahead).map(async |challenge: Result<Challenge>| {
            self.solve_one(&challenge?).await;
            anyhow::Ok(())
        });
        let mut solving = std::pin::pin!(solving.buffer_unordered(places));
        while let Some(done) = solving.next().await {
            done?;
        }
        Ok(())
    }

    /// `Present`, and whatever came of it `CleanUp`; whether both succeeded.
    pub async fn solve_one(&self, challenge: &Challenge) -> bool {
        let presented = self.present(challenge).await;
        let cleaned = self.clean_up(challenge).await;
        if !(presented && cleaned) {
            self.note(|tally| tally.lost += 1);
        }
        presented && cleaned
    }

    /// `Present` until it succeeds, or patience ends.
    pub async fn present(&self, challenge: &Challenge) -> bool {
        let took = self.repeat(async || self.cert_manager.present(challenge).await).await;
        self.note(|tally| tally.present_ms.extend(took));
        took.is_some()
    }

    /// `CleanUp` until it succeeds, or patience ends; the Challenge goes.
    pub async fn clean_up(&self, challenge: &Challenge) -> bool {
        let took = self.repeat(async || self.cert_manager.clean_up(challenge).await).await;
        self.note(|tally| tally.clean_up_ms.extend(took));
        self.scene.cluster.delete(std::slice::from_ref(challenge));
        took.is_some()
    }

    /// What came of it.
    pub fn tally(self) -> Tally {
        self.tally.into_inner().unwrap_or_default()
    }

    /// What the one that succeeded took.
    async fn repeat(&self, request: impl AsyncFn() -> Result<Answer>) -> Option<Millis> {
        for attempt in 1..=self.patience.tries {
            let begun = Instant::now();
            let why = match request().await {
                Ok(answer) if answer.is_success() => return Some(begun.elapsed().into()),
                Ok(answer) => answer.message(),
                Err(error) => format!("{error:#}"),
            };
            self.note(|tally| *tally.failed.entry(shortened(&why)).or_default() += 1);
            if attempt < self.patience.tries {
                sleep(self.patience.pause).await;
            }
        }
        None
    }

    fn note(&self, note: impl FnOnce(&mut Tally)) {
        if let Ok(mut tally) = self.tally.lock() {
            note(&mut tally);
        }
    }
}

impl Tally {
    /// Both together.
    pub fn add(&mut self, other: Self) {
        self.present_ms.extend(other.present_ms);
        self.clean_up_ms.extend(other.clean_up_ms);
        for (why, times) in other.failed {
            *self.failed.entry(why).or_default() += times;
        }
        self.lost += other.lost;
    }
}

impl Took {
    /// Of these times.
    pub fn of(values: &[Millis]) -> Self {
        let at = |percent| Millis::at(values, percent);
        Self { p50: at(50), p99: at(99), max: at(100) }
    }
}

/// The code of the catalogue, or the beginning of what was said.
fn shortened(why: &str) -> String {
    match why.split_once(": ") {
        Some((code, _)) if code.starts_with("CFW-") => code.to_owned(),
        _ => why.chars().take(60).collect(),
    }
}
