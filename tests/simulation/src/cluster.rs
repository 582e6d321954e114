//! The cluster: Secrets, and Challenges as the program sees them, a little late.

use std::sync::Mutex;
use std::time::Duration;

use cert_manager_webhook_cloudflare::challenge::TxtValue;
use cert_manager_webhook_cloudflare::deadline::Deadline;
use cert_manager_webhook_cloudflare::issuer::{CredentialSource, solver_digest};
use cert_manager_webhook_cloudflare::name::Fqdn;
use cert_manager_webhook_cloudflare::secret::{Credential, Secret};
use cert_manager_webhook_cloudflare::solver::error::{Cause, Error};
use cert_manager_webhook_cloudflare::solver::port::{
    Challenges, Credentials, Freshness, LiveChallenge, Stage,
};
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::time::{Instant, sleep};

use crate::plan::Order;
use crate::process::{GROUP, SOLVER, Wire};

/// What the API server holds.
#[derive(Debug)]
pub(crate) struct Cluster {
    /// A token by user.
    secrets: Mutex<Vec<Option<String>>>,
    challenges: Mutex<Vec<Object>>,
    changed: Notify,
}

/// A Challenge, from its begin to its end.
#[derive(Debug)]
struct Object {
    order: Order,
    uid: String,
    created: Instant,
    presented: Option<Instant>,
    over: Option<Instant>,
    removed: Option<Instant>,
}

impl Cluster {
    pub(crate) fn new(tokens: &[&str]) -> Self {
        let secrets = tokens.iter().map(|token| Some((*token).to_owned())).collect();
        Self { secrets: Mutex::new(secrets), challenges: Mutex::default(), changed: Notify::new() }
    }

    pub(crate) fn set_secret(&self, user: usize, token: Option<&str>) {
        self.secrets.lock().unwrap()[user] = token.map(ToOwned::to_owned);
    }

    pub(crate) fn secret(&self, user: usize) -> Option<String> {
        self.secrets.lock().unwrap()[user].clone()
    }

    /// Waits until a Challenge changes.
    pub(crate) async fn changed(&self) {
        self.changed.notified().await;
    }

    /// A Challenge is there.
    pub(crate) fn create(&self, order: &Order, life: u32) {
        self.challenges.lock().unwrap().push(Object {
            order: order.clone(),
            uid: format!("{}-{life}", order.number),
            created: Instant::now(),
            presented: None,
            over: None,
            removed: None,
        });
        self.has_changed();
    }

    /// cert-manager notes that it is presented.
    pub(crate) fn presented(&self, order: &Order) {
        self.update(order, |object, now| object.presented = object.presented.or(Some(now)));
    }

    /// It is final, or withdrawn.
    pub(crate) fn over(&self, order: &Order) {
        self.update(order, |object, now| object.over = object.over.or(Some(now)));
    }

    /// Its finalizer is gone.
    pub(crate) fn remove(&self, order: &Order) {
        self.update(order, |object, now| object.removed = Some(now));
    }

    /// Whether there is one with this value that is not final.
    pub(crate) fn needs(&self, number: usize) -> bool {
        let challenges = self.challenges.lock().unwrap();
        challenges.iter().any(|object| object.order.number == number && object.over.is_none())
    }

    /// Whether there was one with this value that has ended.
    pub(crate) fn had_ended(&self, number: usize) -> bool {
        let challenges = self.challenges.lock().unwrap();
        challenges.iter().any(|object| object.order.number == number && object.over.is_some())
    }

    fn update(&self, order: &Order, change: impl FnOnce(&mut Object, Instant)) {
        let mut challenges = self.challenges.lock().unwrap();
        let last = challenges.iter_mut().rfind(|object| object.order.number == order.number);
        change(last.expect("it was created"), Instant::now());
        drop(challenges);
        self.has_changed();
    }

    fn has_changed(&self) {
        self.changed.notify_waiters();
    }
}

impl Object {
    /// As one sees it who sees what was the case at `then`.
    fn seen(&self, then: Instant, lag: Duration) -> Option<LiveChallenge> {
        let was = |at: Option<Instant>| at.filter(|at| *at <= then);
        if self.created > then || was(self.removed).is_some_and(|at| at + REMEMBERED < then) {
            return None;
        }
        // The watch takes the times at which it sees things.
        let presented = was(self.presented).map(|at| Some(at + lag));
        let stage = match (was(self.over), presented) {
            (Some(at), presented) => Stage::Over { at: at + lag, presented },
            (None, Some(at)) => Stage::Presented(at),
            (None, None) => Stage::Pending,
        };
        Some(LiveChallenge {
            uid: self.uid.clone(),
            namespace: NAMESPACE.to_owned(),
            dns_name: Fqdn::parse(&self.order.dns_name()).unwrap(),
            value: TxtValue::parse(&self.order.value()).unwrap(),
            solver: solver_digest(GROUP, SOLVER, Some(&config(&self.order))),
            stage,
        })
    }
}

impl Credentials for Wire {
    async fn load(
        &self,
        namespace: &str,
        source: &CredentialSource,
        _: Freshness,
        _: Deadline,
    ) -> Result<Credential, Error> {
        let CredentialSource::Token(reference) = source else { panic!("only tokens here") };
        self.life.reach().await;
        self.life.alive(sleep(READ)).await;
        let user = USERS.iter().position(|user| *user == reference.name).unwrap();
        let Some(token) = self.world.cluster.secret(user) else {
            let (namespace, name) = (namespace.to_owned(), reference.name.clone());
            return Err(Cause::SecretMissing { namespace, name }.into());
        };
        Ok(Credential::Token(Secret::parse(token.as_bytes()).unwrap()))
    }
}

impl Challenges for Wire {
    fn known(&self, dns_name: &Fqdn) -> Option<Vec<LiveChallenge>> {
        let lag = self.world.plan.watch?;
        let then = Instant::now().checked_sub(lag)?;
        let challenges = self.world.cluster.challenges.lock().unwrap();
        let seen = challenges.iter().filter_map(|object| object.seen(then, lag));
        Some(seen.filter(|seen| seen.dns_name == *dns_name).collect())
    }

    async fn read(&self, values: &[TxtValue], _: Deadline) -> Option<Vec<LiveChallenge>> {
        self.life.reach().await;
        self.life.alive(sleep(READ)).await;
        self.world.plan.watch?;
        let now = Instant::now();
        let challenges = self.world.cluster.challenges.lock().unwrap();
        let seen = challenges.iter().filter_map(|object| object.seen(now, Duration::ZERO));
        let is_live = |seen: &LiveChallenge| !matches!(seen.stage, Stage::Over { .. });
        Some(seen.filter(|seen| is_live(seen) && values.contains(&seen.value)).collect())
    }
}

/// The issuer's.
pub(crate) fn config(order: &Order) -> Value {
    json!({ "apiTokenSecretRef": { "name": USERS[order.user], "key": "token" } })
}

pub(crate) const NAMESPACE: &str = "cert-manager";
const USERS: [&str; 2] = ["first", "second"];
/// One answer of the API server.
const READ: Duration = Duration::from_millis(5);
/// How long the program's watch remembers a Challenge that is gone.
const REMEMBERED: Duration = Duration::from_mins(10);
