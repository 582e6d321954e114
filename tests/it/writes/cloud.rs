//! Cloudflare as the solver meets it here: the emulator's state machine, calls that come to grief on demand, an authority
//! that tells what is served, and Secrets.

use std::sync::{Arc, Mutex};
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
use http::{HeaderMap, HeaderValue, Method, StatusCode};
use tokio::time::{Instant, sleep};
use tokio_util::task::TaskTracker;

use super::random::Random;

/// The program, as far as it is about records.
pub(crate) struct Process {
    solver: Solver<Cloudflare<Cloud>, Cloud, Cloud, Cloud>,
    metrics: Arc<Metrics>,
}

impl Process {
    pub(crate) async fn answer(&self, request: ChallengeRequest, deadline: Deadline) -> Result<(), Error> {
        self.solver.answer(request, deadline).await
    }

    /// Records that had to be left behind.
    pub(crate) fn records_left(&self) -> u64 {
        self.metrics.records_left.get()
    }
}

/// Everything outside of the program; its clones are one.
#[derive(Clone)]
pub(crate) struct Cloud {
    pub(crate) emulator: Arc<Emulator>,
    trouble: Arc<Mutex<Option<Trouble>>>,
}

/// What befalls calls: so many in a hundred.
struct Trouble {
    random: Random,
    percent: u64,
}

/// What befalls one call.
#[derive(Debug, Clone, Copy)]
enum Fault {
    Unsent,
    LostBefore,
    LostAfter,
    PageBefore,
    PageAfter,
    Cut,
    Failure,
    Slow,
    Busy,
}

impl Cloud {
    pub(crate) fn new(emulator: Emulator) -> Self {
        Self { emulator: Arc::new(emulator), trouble: Arc::default() }
    }

    pub(crate) fn trouble(&self, random: Random, percent: u64) {
        *self.trouble.lock().unwrap() = Some(Trouble { random, percent });
    }

    pub(crate) fn calm(&self) {
        *self.trouble.lock().unwrap() = None;
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
            metrics: Arc::clone(&metrics),
        });
        Arc::new(Process { solver, metrics })
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

    fn fault(&self, call: &Call) -> Option<Fault> {
        let mut trouble = self.trouble.lock().unwrap();
        let Trouble { random, percent } = trouble.as_mut()?;
        if !random.percent(*percent) {
            return None;
        }
        let all = [
            Fault::Unsent,
            Fault::LostBefore,
            Fault::LostAfter,
            Fault::LostAfter,
            Fault::PageBefore,
            Fault::PageAfter,
            Fault::Cut,
            Fault::Slow,
            Fault::Busy,
        ];
        // What nobody knows the meaning of is no reason to give up a record, where it is about a write.
        let is_write = call.method == Method::POST;
        Some(if is_write && random.percent(15) { Fault::Failure } else { *random.pick(&all) })
    }
}

impl Exchange for Cloud {
    async fn send(&self, credential: &Credential, call: &Call) -> Result<Answer, ExchangeError> {
        let mut headers = HeaderMap::new();
        let Credential::Token(token) = credential else { panic!("only tokens here") };
        headers.insert("authorization", format!("Bearer {}", token.expose()).parse().unwrap());
        let lost = || ExchangeError::Lost("reset".to_owned());
        let made = async {
            match self
                .emulator
                .call(&call.method, &call.path, headers, call.body.clone().unwrap_or_default())
                .await
            {
                Heard::Answer(answer) => {
                    let (parts, body) = answer.into_parts();
                    Ok(Answer { status: parts.status, headers: parts.headers, body })
                }
                Heard::Cut(_) | Heard::Reset => Err(lost()),
            }
        };
        match self.fault(call) {
            None => made.await,
            Some(Fault::Unsent) => Err(ExchangeError::Unsent("refused".to_owned())),
            Some(Fault::LostBefore) => Err(lost()),
            Some(Fault::LostAfter) => {
                made.await?;
                Err(lost())
            }
            Some(Fault::PageBefore) => Ok(page(520)),
            Some(Fault::PageAfter) => {
                made.await?;
                Ok(page(200))
            }
            Some(Fault::Cut) => {
                let mut answer = made.await?;
                answer.body.truncate(answer.body.len() / 2);
                Ok(answer)
            }
            Some(Fault::Failure) => Ok(failure()),
            Some(Fault::Slow) => {
                let answer = made.await;
                sleep(Duration::from_secs(20)).await;
                answer
            }
            Some(Fault::Busy) => Ok(busy()),
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

fn page(status: u16) -> Answer {
    answer(status, "text/html", "<!DOCTYPE html><title>520</title>")
}

fn failure() -> Answer {
    let body = r#"{"result":null,"success":false,"errors":[{"code":1234,"message":"no"}],"messages":[]}"#;
    answer(200, "application/json", body)
}

fn busy() -> Answer {
    let body =
        r#"{"success":false,"errors":[{"code":971,"message":"Please wait"}],"messages":[],"result":null}"#;
    let mut answer = answer(429, "application/json", body);
    answer.headers.insert("retry-after", HeaderValue::from_static("3"));
    answer
}

fn answer(status: u16, content_type: &'static str, body: &str) -> Answer {
    let mut headers = HeaderMap::new();
    headers.insert("content-type", HeaderValue::from_static(content_type));
    Answer { status: StatusCode::from_u16(status).unwrap(), headers, body: body.as_bytes().to_vec() }
}
