//! A Cloudflare, an authority, Secrets and Challenges that do what a test tells them.

use std::collections::HashMap;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use serde_json::json;
use tokio::time::Instant;

use crate::challenge::{ChallengeRequest, TxtValue};
use crate::deadline::Deadline;
use crate::issuer::{CredentialSource, ZonePin, solver_digest};
use crate::metrics::Metrics;
use crate::name::Fqdn;
use crate::secret::{Credential, Secret};
use crate::solver::error::{Cause, Error};
use crate::solver::mark::{Owner, OwnerId};
use crate::solver::port::{
    Challenges, Created, Credentials, Deleted, Doomed, Freshness, LiveChallenge, Made, NewRecord,
    Propagation, Record, Records, Sighting, Stage, Watch, Zone,
};
use crate::solver::{Parts, Solver};

pub(super) type Fake = Solver<World, World, World, World>;

/// Everything outside of the solver. A change is served after [`DELAY`]; calls are logged.
#[derive(Debug, Clone)]
pub(super) struct World(Arc<Mutex<State>>);

#[derive(Debug)]
pub(super) struct State {
    pub(super) records: Vec<Stored>,
    pub(super) calls: Vec<&'static str>,
    /// What the next call of this name answers instead.
    pub(super) failures: Vec<(&'static str, Cause)>,
    /// The value whose next record is refused so.
    pub(super) refused_value: Option<(&'static str, Cause)>,
    pub(super) secrets: HashMap<&'static str, Result<&'static str, Cause>>,
    pub(super) refused_tokens: Vec<&'static str>,
    pub(super) challenges: Option<Vec<LiveChallenge>>,
    /// What the API server says where the watch lags.
    pub(super) now: Option<Vec<LiveChallenge>>,
    pub(super) propagation: bool,
    /// How long a list waits for its call.
    pub(super) list_waits: Duration,
    next_id: u32,
}

#[derive(Debug, Clone)]
pub(super) struct Stored {
    pub(super) id: String,
    pub(super) fqdn: Fqdn,
    pub(super) value: String,
    pub(super) comment: String,
    pub(super) made: Instant,
    pub(super) deleted: Option<Instant>,
}

pub(super) const DELAY: Duration = Duration::from_millis(1500);
pub(super) const SETTLE: Duration = Duration::from_secs(1);
pub(super) const A: &str = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa";
pub(super) const B: &str = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb";
pub(super) const NAME: &str = "_acme-challenge.example.com";

impl World {
    pub(super) fn new() -> Self {
        Self(Arc::new(Mutex::new(State {
            records: Vec::new(),
            calls: Vec::new(),
            failures: Vec::new(),
            refused_value: None,
            secrets: HashMap::from([("cloudflare", Ok("good-token"))]),
            refused_tokens: Vec::new(),
            challenges: None,
            now: None,
            propagation: true,
            list_waits: Duration::ZERO,
            next_id: 0,
        })))
    }

    pub(super) fn with<T>(&self, change: impl FnOnce(&mut State) -> T) -> T {
        change(&mut self.0.lock().unwrap())
    }

    /// A new process: it shares the world, and remembers nothing.
    pub(super) fn solver(&self) -> Fake {
        let owner = Owner::default();
        owner.set(owner_id());
        Solver::new(Parts {
            records: self.clone(),
            propagation: self.clone(),
            credentials: self.clone(),
            challenges: self.clone(),
            owner,
            group: "group".into(),
            solver: "cloudflare".into(),
            metrics: Arc::new(Metrics::default()),
        })
    }

    /// The values that stand, in order.
    pub(super) fn values(&self) -> Vec<String> {
        let mut values: Vec<_> =
            self.with(|state| state.standing().map(|record| record.value.clone()).collect());
        values.sort();
        values
    }

    pub(super) fn put(&self, value: &str, comment: &str) {
        self.with(|state| drop(state.add(fqdn(NAME), value.into(), comment.into())));
    }

    /// Somebody else deletes the record of a value.
    pub(super) fn delete(&self, value: &str) {
        self.with(|state| {
            let mut records = state.records.iter_mut();
            let record = records.find(|record| record.value == value && record.deleted.is_none());
            record.expect("a record that stands").deleted = Some(Instant::now());
        });
    }

    pub(super) fn calls(&self, name: &str) -> usize {
        self.with(|state| state.calls.iter().filter(|call| **call == name).count())
    }

    pub(super) fn set_challenges(&self, challenges: &[(&str, Stage)]) {
        self.with(|state| (state.challenges, state.now) = (Some(live(challenges)), None));
    }

    /// What the watch has not brought yet.
    pub(super) fn set_now(&self, challenges: &[(&str, Stage)]) {
        self.with(|state| state.now = Some(live(challenges)));
    }

    fn call(&self, name: &'static str, credential: Option<&Credential>) -> Result<(), Error> {
        self.with(|state| {
            state.calls.push(name);
            if let Some(Credential::Token(token)) = credential
                && state.refused_tokens.contains(&token.expose())
            {
                return Err(Error::new(Cause::CredentialRefused, "cf-ray"));
            }
            match state.failures.iter().position(|(call, _)| *call == name) {
                Some(at) => Err(state.failures.remove(at).1.into()),
                None => Ok(()),
            }
        })
    }
}

impl State {
    fn add(&mut self, fqdn: Fqdn, value: String, comment: String) -> String {
        self.next_id += 1;
        let id = format!("{:032x}", self.next_id);
        let made = Instant::now();
        self.records.push(Stored { id: id.clone(), fqdn, value, comment, made, deleted: None });
        id
    }

    fn standing(&self) -> impl Iterator<Item = &Stored> {
        self.records.iter().filter(|record| record.deleted.is_none())
    }

    fn served(&self, fqdn: &Fqdn) -> Vec<String> {
        let now = Instant::now();
        let is_served = |record: &&Stored| {
            record.fqdn == *fqdn
                && record.made + DELAY <= now
                && record.deleted.is_none_or(|deleted| now < deleted + DELAY)
        };
        self.records.iter().filter(is_served).map(|record| record.value.clone()).collect()
    }
}

impl Records for World {
    async fn zone(
        &self,
        credential: &Credential,
        _: &Fqdn,
        _: Option<&ZonePin>,
        _: Deadline,
    ) -> Result<Zone, Error> {
        self.call("zone", Some(credential))?;
        Ok(Zone { id: "0".repeat(32), name: fqdn("example.com"), name_servers: Vec::new() })
    }

    async fn list(
        &self,
        credential: &Credential,
        _: &Zone,
        fqdn: &Fqdn,
        _: Deadline,
    ) -> Result<Vec<Record>, Error> {
        self.call("list", Some(credential))?;
        tokio::time::sleep(self.with(|state| state.list_waits)).await;
        let read = |record: &Stored| Record {
            id: record.id.clone(),
            value: record.value.clone(),
            comment: record.comment.clone(),
            age: record.made.elapsed(),
        };
        Ok(self.with(|state| state.standing().filter(|record| record.fqdn == *fqdn).map(read).collect()))
    }

    async fn create(
        &self,
        credential: &Credential,
        _: &Zone,
        fqdn: &Fqdn,
        record: NewRecord,
        _: Deadline,
    ) -> Result<Made, Error> {
        self.call("create", Some(credential))?;
        self.with(|state| {
            let value = record.value.as_str();
            if let Some((_, cause)) = state.refused_value.take_if(|(refused, _)| *refused == value) {
                return Err(cause.into());
            }
            if state.standing().any(|other| other.fqdn == *fqdn && other.value == value) {
                return Ok(Made { created: Created::Existing, id: None });
            }
            let id = state.add(fqdn.clone(), value.into(), record.comment);
            Ok(Made { created: Created::New, id: Some(id) })
        })
    }

    async fn delete(
        &self,
        credential: &Credential,
        _: &Zone,
        doomed: Doomed<'_>,
        _: Deadline,
    ) -> Result<Deleted, Error> {
        self.call("delete", Some(credential))?;
        self.with(|state| {
            let record = state.records.iter_mut().find(|record| record.id == doomed.id);
            let record = record.expect("only a record that was made or listed is deleted");
            assert_eq!((&record.fqdn, &*record.value), (doomed.fqdn, doomed.value));
            let deleted = if record.deleted.is_none() { Deleted::Now } else { Deleted::Before };
            record.deleted.get_or_insert_with(Instant::now);
            Ok(deleted)
        })
    }

    fn doubt(&self, _: &Credential, _: &Zone) {
        self.with(|state| state.calls.push("doubt"));
    }
}

impl Propagation for World {
    async fn confirm(&self, watch: Watch<'_>, deadline: Deadline) -> Result<Option<Sighting>, Error> {
        self.call("confirm", None)?;
        if !self.with(|state| state.propagation) {
            return Ok(None);
        }
        let mut since = watch.seen;
        loop {
            let served = self.with(|state| state.served(watch.fqdn));
            let all = watch.values.iter().all(|value| served.iter().any(|served| served == value.as_str()));
            since = all.then(|| since.unwrap_or_else(Instant::now));
            if let Some(since) = since.filter(|since| since.elapsed() >= SETTLE) {
                let ours = |other: &String| watch.values.iter().any(|value| value.as_str() == other);
                let others = served.into_iter().filter(|other| !ours(other)).collect();
                return Ok(Some(Sighting { since, others }));
            }
            let next = Instant::now() + Duration::from_millis(100);
            deadline.sleep_until(next).await.map_err(|_| Cause::NotLive(watch.fqdn.clone()))?;
        }
    }
}

impl Credentials for World {
    async fn load(
        &self,
        _: &str,
        source: &CredentialSource,
        freshness: Freshness,
        _: Deadline,
    ) -> Result<Credential, Error> {
        self.call(if freshness == Freshness::Now { "load now" } else { "load" }, None)?;
        let CredentialSource::Token(reference) = source else { panic!("only tokens here") };
        // Until it is read again, the token is the one that was read first.
        let name = match freshness {
            Freshness::Shared => reference.name.clone(),
            Freshness::Now => format!("{}, now", reference.name),
        };
        let found =
            self.with(|state| state.secrets.get(&*name).or(state.secrets.get(&*reference.name)).cloned());
        let token = found.expect("a Secret that the test knows")?;
        Ok(Credential::Token(Secret::parse(token.as_bytes()).unwrap()))
    }
}

impl Challenges for World {
    fn known(&self, dns_name: &Fqdn) -> Option<Vec<LiveChallenge>> {
        let all = self.with(|state| state.challenges.clone())?;
        Some(all.into_iter().filter(|challenge| challenge.dns_name == *dns_name).collect())
    }

    async fn read(&self, values: &[TxtValue], _: Deadline) -> Option<Vec<LiveChallenge>> {
        let all = self.with(|state| {
            state.calls.push("read");
            state.now.clone().or(state.challenges.clone())
        })?;
        let is_live = |challenge: &LiveChallenge| !matches!(challenge.stage, Stage::Over { .. });
        Some(all.into_iter().filter(is_live).filter(|challenge| values.contains(&challenge.value)).collect())
    }
}

fn live(challenges: &[(&str, Stage)]) -> Vec<LiveChallenge> {
    let of = |(value, stage): &(&str, Stage)| LiveChallenge {
        uid: format!("the Challenge of {value}"),
        namespace: "apps".into(),
        dns_name: fqdn("example.com"),
        value: TxtValue::parse(value).unwrap(),
        solver: solver_digest("group", "cloudflare", Some(&config())),
        stage: *stage,
    };
    challenges.iter().map(of).collect()
}

/// The token of [`config`] is away.
pub(super) fn secret_missing() -> Cause {
    Cause::SecretMissing { namespace: "cert-manager".into(), name: "cloudflare".into() }
}

pub(super) fn owner_id() -> OwnerId {
    OwnerId::parse("test").unwrap()
}

pub(super) fn fqdn(text: &str) -> Fqdn {
    Fqdn::parse(text).unwrap()
}

pub(super) fn config() -> serde_json::Value {
    json!({ "apiTokenSecretRef": { "name": "cloudflare", "key": "token" } })
}

pub(super) fn request(action: &str, value: &str) -> ChallengeRequest {
    ChallengeRequest {
        action: action.into(),
        dns_name: "example.com".into(),
        key: value.into(),
        resource_namespace: "cert-manager".into(),
        resolved_fqdn: format!("{NAME}."),
        resolved_zone: "example.com.".into(),
        config: Some(config()),
        ..ChallengeRequest::default()
    }
}

/// Two challenges of a name that nobody has presented.
pub(super) fn siblings() -> (World, Fake) {
    let world = World::new();
    world.set_challenges(&[(A, Stage::Pending), (B, Stage::Pending)]);
    let solver = world.solver();
    (world, solver)
}

/// Asks as cert-manager does, with a deadline of 45 s.
pub(super) async fn present(solver: &Fake, value: &str) -> Result<(), Error> {
    solver.answer(request("Present", value), Deadline::within(Duration::from_secs(45))).await
}

/// See [`present`].
pub(super) async fn clean_up(solver: &Fake, value: &str) -> Result<(), Error> {
    solver.answer(request("CleanUp", value), Deadline::within(Duration::from_secs(45))).await
}
