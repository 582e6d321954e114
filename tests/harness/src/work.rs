//! Challenges as cert-manager works on them, so many at a time.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::time::Duration;

use anyhow::Result;
use futures::stream::{self, StreamExt};
use harness::figures::Millis;
use harness::{Answer, CertManager, Challenge, Scene, Webhook};
use serde::Serialize;
use tokio::time::{Instant, sleep};

/// What came of some challenges.
#[derive(Debug, Default)]
pub(crate) struct Tally {
    /// What each `Present` took that succeeded.
    pub(crate) present_ms: Vec<Millis>,
    /// What each `CleanUp` took that succeeded.
    pub(crate) clean_up_ms: Vec<Millis>,
    /// Requests that were answered with a failure, or not at all, by what was said.
    pub(crate) failed: BTreeMap<String, u64>,
    /// Challenges that were given up.
    pub(crate) lost: u64,
}

/// How often a request is sent until it succeeds, and how long after a failure.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Patience {
    pub(crate) tries: u32,
    pub(crate) pause: Duration,
}

/// What requests took, in milliseconds.
#[derive(Debug, Serialize)]
pub(crate) struct Took {
    pub(crate) p50: Millis,
    pub(crate) p99: Millis,
    pub(crate) max: Millis,
}

/// cert-manager, with an account of what it met.
#[derive(Debug)]
pub(crate) struct Worker<'a> {
    scene: &'a Scene,
    cert_manager: CertManager<'a>,
    patience: Patience,
    tally: Mutex<Tally>,
}

impl<'a> Worker<'a> {
    pub(crate) fn new(scene: &'a Scene, webhook: &Webhook, patience: Patience) -> Result<Self> {
        let cert_manager = scene.cert_manager(webhook)?;
        Ok(Self { scene, cert_manager, patience, tally: Mutex::default() })
    }

    /// Works on all of them, `places` at a time. Each Challenge exists before its turn comes, as it would while
    /// cert-manager's scheduler lets others go first.
    pub(crate) async fn solve(
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
    pub(crate) async fn solve_one(&self, challenge: &Challenge) -> bool {
        let presented = self.present(challenge).await;
        let cleaned = self.clean_up(challenge).await;
        if !(presented && cleaned) {
            self.note(|tally| tally.lost += 1);
        }
        presented && cleaned
    }

    /// `Present` until it succeeds, or patience ends.
    pub(crate) async fn present(&self, challenge: &Challenge) -> bool {
        let took = self.repeat(async || self.cert_manager.present(challenge).await).await;
        self.note(|tally| tally.present_ms.extend(took));
        took.is_some()
    }

    /// `CleanUp` until it succeeds, or patience ends; the Challenge goes.
    pub(crate) async fn clean_up(&self, challenge: &Challenge) -> bool {
        let took = self.repeat(async || self.cert_manager.clean_up(challenge).await).await;
        self.note(|tally| tally.clean_up_ms.extend(took));
        self.scene.cluster.delete(std::slice::from_ref(challenge));
        took.is_some()
    }

    pub(crate) fn tally(self) -> Tally {
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
    pub(crate) fn add(&mut self, other: Self) {
        self.present_ms.extend(other.present_ms);
        self.clean_up_ms.extend(other.clean_up_ms);
        for (why, times) in other.failed {
            *self.failed.entry(why).or_default() += times;
        }
        self.lost += other.lost;
    }
}

impl Took {
    pub(crate) fn of(values: &[Millis]) -> Self {
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
