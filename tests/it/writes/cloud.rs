//! Cloudflare as the solver meets it here: the emulator's state machine, an authority that tells what is served, and
//! Secrets.

use std::sync::Arc;
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::{ChallengeRequest, TxtValue};
use cert_manager_webhook_cloudflare::cloudflare::{Answer, Call, Cloudflare, Exchange, ExchangeError};
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::issuer::CredentialSource;
use cert_manager_webhook_cloudflare::metrics::Metrics;
use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::secret::{Credential, Secret};
use cert_manager_webhook_cloudflare::solver::error::{Cause, Error};
use cert_manager_webhook_cloudflare::solver::mark::{Owner, OwnerId};
use cert_manager_webhook_cloudflare::solver::port::{
    Challenges, Credentials, Freshness, LiveChallenge, Propagation, Sighting, Watch,
};
use cert_manager_webhook_cloudflare::solver::{Parts, Solver};
use cloudflare_emulator::{Emulator, Heard};
use http::HeaderMap;
use tokio::time::Instant;
use tokio_util::task::TaskTracker;

/// The program, as far as it is about records.
pub(crate) struct Process {
    solver: Solver<Cloudflare<Cloud>, Cloud, Cloud, Cloud>,
}

impl Process {
    pub(crate) async fn answer(&self, request: ChallengeRequest, deadline: Deadline) -> Result<(), Error> {
        self.solver.answer(request, deadline).await
    }
}

/// Everything outside of the program; its clones are one.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) emulator: Arc<Emulator>,
}

impl Cloud {
    pub(crate) fn new(emulator: Emulator) -> Self {
        Self { emulator: Arc::new(emulator) }
    }

    /// A process that has just started.
    pub(crate) fn process(&self) -> Arc<Process> {
        let metrics = Arc::new(Metrics::default());
        let owner = Owner::default();
        owner.set(OwnerId::parse("test").unwrap());
        let solver = Solver::new(Parts {
            records: Cloudflare::over(self.clone(), Arc::clone(&metrics), TaskTracker::new()),
            propagation: self.clone(),
            credentials: self.clone(),
            challenges: self.clone(),
            owner,
            group: "group".to_owned(),
            solver: "cloudflare".to_owned(),
            metrics,
        });
        Arc::new(Process { solver })
    }

    /// Name and value of every TXT record, sorted.
    pub(crate) fn standing(&self, zones: &[&str]) -> Vec<(String, String)> {
        let records = zones.iter().flat_map(|zone| self.emulator.records(zone));
        let mut all: Vec<_> = records
            .filter(|record| record.kind == "TXT")
            .map(|record| (record.name, record.content.trim_matches('"').to_owned()))
            .collect();
        all.sort();
        all
    }

    /// Somebody deletes a record by hand, if it is there.
    pub(crate) fn remove(&self, zone: &str, (name, value): &(String, String)) {
        let records = self.emulator.records(zone).into_iter();
        for record in
            records.filter(|record| record.name == *name && record.content.trim_matches('"') == value)
        {
            assert!(self.emulator.remove_record(zone, &record.id));
        }
    }
}

impl Exchange for Cloud {
    async fn send(&self, credential: &Credential, call: &Call) -> Result<Answer, ExchangeError> {
        let mut headers = HeaderMap::new();
        let Credential::Token(token) = credential else { panic!("only tokens here") };
        headers.insert("authorization", format!("Bearer {}", token.expose()).parse().unwrap());
        let body = call.body.clone().unwrap_or_default();
        match self.emulator.call(&call.method, &call.path, headers, body).await {
            Heard::Answer(answer) => {
                let (parts, body) = answer.into_parts();
                Ok(Answer { status: parts.status, headers: parts.headers, body })
            }
            Heard::Cut(_) | Heard::Reset => Err(ExchangeError::Lost("reset".to_owned())),
        }
    }
}

impl Propagation for Cloud {
    async fn confirm(&self, watch: Watch<'_>, deadline: Deadline) -> Result<Option<Sighting>, Error> {
        loop {
            let is_live =
                |value: &TxtValue| self.emulator.serves_everywhere(watch.fqdn.as_str(), value.as_str());
            if watch.values.iter().all(is_live) {
                let since = watch.seen.unwrap_or_else(Instant::now);
                let visible = self.emulator.visible(watch.fqdn.as_str(), "TXT");
                let mut others: Vec<_> = visible.into_iter().flat_map(|server| server.answers).collect();
                others.sort();
                others.dedup();
                others.retain(|other| watch.values.iter().all(|value| value.as_str() != other));
                return Ok(Some(Sighting { since, others }));
            }
            let next = Instant::now() + Duration::from_millis(250);
            deadline.sleep_until(next).await.map_err(|_| Cause::NotLive(watch.fqdn.clone()))?;
        }
    }
}

impl Credentials for Cloud {
    async fn load(
        &self,
        _: &str,
        source: &CredentialSource,
        _: Freshness,
        _: Deadline,
    ) -> Result<Credential, Error> {
        let CredentialSource::Token(reference) = source else { panic!("only tokens here") };
        Ok(Credential::Token(Secret::parse(reference.name.as_bytes()).unwrap()))
    }
}

/// They can't be watched.
impl Challenges for Cloud {
    fn known(&self, _: &Fqdn) -> Option<Vec<LiveChallenge>> {
        None
    }

    async fn read(&self, _: &[TxtValue], _: Deadline) -> Option<Vec<LiveChallenge>> {
        None
    }
}
