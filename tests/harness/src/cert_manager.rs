//! cert-manager's controller, as far as a solver meets it: a Challenge's requests in their order, and the status that
//! the Challenge has meanwhile.
//!
//! Source: `pkg/controller/acmechallenges/sync.go` of v1.21. Its scheduler never lets two challenges of one name run
//! at once, so the second one is presented when the first is over.

use anyhow::{Result, ensure};
use jiff::Timestamp;
use serde_json::json;

use crate::aggregator::{Aggregator, Answer};
use crate::challenge::Challenge;
use crate::cluster::Cluster;

/// A controller that works for one caller at a time.
#[derive(Debug)]
pub struct CertManager<'a> {
    cluster: &'a Cluster,
    aggregator: Aggregator,
}

impl<'a> CertManager<'a> {
    /// A controller of this cluster.
    pub fn new(cluster: &'a Cluster, aggregator: Aggregator) -> Self {
        Self { cluster, aggregator }
    }

    /// Presents; the answer may be a failure, which leaves the Challenge to be presented again.
    pub async fn present(&self, challenge: &Challenge) -> Result<Answer> {
        self.cluster.put(challenge, &json!({"processing": true, "presented": false, "state": "pending"}));
        let answer = self.aggregator.send(&challenge.present).await?;
        let status = if answer.is_success() {
            let now = Timestamp::now().strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
            json!({
                "processing": true, "presented": true, "presentedAt": now, "state": "pending",
                "reason": "Waiting for DNS-01 challenge propagation",
            })
        } else {
            json!({"processing": true, "presented": false, "state": "pending", "reason": answer.message()})
        };
        self.cluster.put(challenge, &status);
        Ok(answer)
    }

    /// The CA has found the value, and the record is to go.
    pub async fn clean_up(&self, challenge: &Challenge) -> Result<Answer> {
        self.cluster.put(challenge, &json!({"processing": true, "presented": true, "state": "valid"}));
        let answer = self.aggregator.send(&challenge.clean_up).await?;
        if answer.is_success() {
            self.cluster.put(challenge, &json!({"processing": false, "presented": false, "state": "valid"}));
        }
        Ok(answer)
    }

    /// [`present`](Self::present), which must succeed.
    pub async fn must_present(&self, challenge: &Challenge) -> Result<()> {
        let answer = self.present(challenge).await?;
        ensure!(answer.is_success(), "Present of {} failed: {}", challenge.title(), answer.message());
        Ok(())
    }

    /// [`clean_up`](Self::clean_up), which must succeed.
    pub async fn must_clean_up(&self, challenge: &Challenge) -> Result<()> {
        let answer = self.clean_up(challenge).await?;
        ensure!(answer.is_success(), "CleanUp of {} failed: {}", challenge.title(), answer.message());
        Ok(())
    }
}
