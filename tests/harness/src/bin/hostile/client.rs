//! The client that means well: kube-apiserver with its open connection, and one that has just been started.

use std::pin::pin;
use std::time::Duration;

use anyhow::{Context, Result, ensure};
use harness::{Aggregator, Recorded, Scene, Webhook};
use serde_json::Value;
use tokio::time::{Instant, sleep, timeout};

/// Asks for the resources of the group, as kube-apiserver's availability controller does all the time.
pub(crate) struct Client<'a> {
    scene: &'a Scene,
    webhook: &'a Webhook,
    discovery: Recorded,
    kept: Aggregator,
}

/// How it fared.
#[derive(Debug, Default)]
pub(crate) struct Served {
    /// Requests that were answered as they should be.
    pub(crate) count: usize,
    /// Those that were not.
    pub(crate) failed: usize,
    /// Why not.
    pub(crate) why: Vec<String>,
    /// The longest that one of them took.
    pub(crate) worst: Duration,
    /// The most memory that the program had meanwhile, in bytes.
    pub(crate) resident: u64,
}

impl<'a> Client<'a> {
    pub(crate) fn new(scene: &'a Scene, webhook: &'a Webhook) -> Result<Self> {
        let [present, _] = Recorded::first()?;
        let (group, _) = present.resource().context("a path without a resource")?;
        let path = format!("/apis/{group}/v1alpha1");
        let discovery = Recorded { method: "GET".to_owned(), path, body: Value::Null, ..present };
        Ok(Self { scene, webhook, discovery, kept: scene.aggregator(webhook)? })
    }

    /// Goes on for as long as something else does, and says how both went.
    pub(crate) async fn serves_while<T>(&self, other: impl Future<Output = T>) -> (Served, T) {
        let mut served = Served::default();
        let mut other = pin!(other);
        loop {
            let both = async {
                // One after the other: what each of them takes is its own.
                let kept = self.ask(&self.kept).await;
                let fresh = match self.scene.aggregator(self.webhook) {
                    Ok(fresh) => self.ask(&fresh).await,
                    Err(error) => (Duration::ZERO, Err(error)),
                };
                sleep(PAUSE).await;
                [kept, fresh]
            };
            let mut both = pin!(both);
            tokio::select! {
                results = &mut both => served.take(results),
                done = &mut other => {
                    served.take(both.await);
                    return (served, done);
                }
            }
        }
    }

    async fn ask(&self, aggregator: &Aggregator) -> (Duration, Result<()>) {
        let begun = Instant::now();
        let asked = async {
            let answer = timeout(GIVES_UP, aggregator.send(&self.discovery)).await.context("no answer")??;
            ensure!(answer.status == 200, "HTTP status {}", answer.status);
            ensure!(answer.body["kind"] == "APIResourceList", "{}", answer.body);
            Ok(())
        };
        let result = asked.await;
        (begun.elapsed(), result)
    }
}

impl Served {
    /// Both together.
    pub(crate) fn add(&mut self, other: &Self) {
        self.count += other.count;
        self.failed += other.failed;
        self.why.extend(other.why.iter().cloned());
        self.worst = self.worst.max(other.worst);
        self.resident = self.resident.max(other.resident);
    }

    fn take(&mut self, results: [(Duration, Result<()>); 2]) {
        for (took, result) in results {
            self.worst = self.worst.max(took);
            match result {
                Ok(()) => self.count += 1,
                Err(error) => {
                    self.failed += 1;
                    self.why.push(format!("{error:#}"));
                }
            }
        }
    }
}

/// The availability controller's limit (`pkg/controllers/status/remote/remote_available_controller.go` of
/// kube-aggregator).
const GIVES_UP: Duration = Duration::from_secs(5);
const PAUSE: Duration = Duration::from_millis(10);
