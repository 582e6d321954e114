//! `Present`: write the value, and confirm it only when it is live.

use std::time::Duration;

use tokio::time::Instant;

use super::Solver;
use super::error::{Cause, Error};
use super::ledger::{Key, Writer};
use super::mark::{Mark, OwnerId};
use super::port::{
    Challenges, Created, Credentials, Freshness, LiveChallenge, NewRecord, Propagation, Record, Records,
    Sighting, Stage, Watch, Zone,
};
use super::shared::{Evidence, pending_siblings};
use super::tidy::ORPHAN_AGE;
use crate::challenge::{Challenge, ChallengeRequest, TxtValue};
use crate::deadline::Deadline;
use crate::issuer::{IssuerConfig, solver_digest};
use crate::metrics::phase::Phase;
use crate::name::Fqdn;
use crate::secret::Credential;

/// A challenge with all that stays the same while it is presented.
struct Job {
    challenge: Challenge,
    config: IssuerConfig,
    owner: OwnerId,
    known: Option<Vec<LiveChallenge>>,
    siblings: Vec<TxtValue>,
    deadline: Deadline,
}

/// What stands at Cloudflare after the write.
struct Written {
    credential: Credential,
    zone: Zone,
    /// Our value, then those written ahead.
    values: Vec<TxtValue>,
    /// Whether our value's record was there before.
    found: bool,
}

impl Written {
    /// The records of the values, ours first.
    fn keys<'a>(&'a self, fqdn: &'a Fqdn) -> impl Iterator<Item = Key<'a>> {
        let credential = self.credential.id();
        self.values.iter().map(move |value| Key { fqdn, value, credential })
    }
}

impl<R: Records, P: Propagation, S: Credentials, C: Challenges> Solver<R, P, S, C> {
    pub(super) async fn present(&self, request: ChallengeRequest, deadline: Deadline) -> Result<(), Error> {
        let job = self.prepare(request, deadline)?;
        let Job { challenge, config, siblings, .. } = &job;
        let values = std::iter::once(&challenge.value).chain(siblings);
        let writing: Vec<_> = values.map(|value| self.order.write(&challenge.fqdn, value)).collect();
        let source = config.source(&challenge.fqdn).ok_or_else(|| Cause::NoSource(challenge.fqdn.clone()))?;
        let phases = &self.parts.metrics.phases;
        let loading = phases.begin(Phase::Credential);
        let credential =
            self.parts.credentials.load(&challenge.namespace, source, Freshness::Shared, deadline).await?;
        drop(loading);
        let written = match self.write(&job, credential.clone()).await {
            Err(refusal) if super::is_refusal(&refusal) => {
                let renewed = self.renewed(challenge, source, &credential, refusal, deadline).await?;
                self.write(&job, renewed).await?
            }
            result => result?,
        };
        drop(writing);
        tracing::Span::current().record("zone", tracing::field::display(&written.zone.name));
        let _propagation = phases.begin(Phase::Propagation);
        self.confirm(&job, &written).await
    }

    fn prepare(&self, request: ChallengeRequest, deadline: Deadline) -> Result<Job, Error> {
        let challenge = Challenge::parse(request).map_err(Cause::Challenge)?;
        let config =
            IssuerConfig::parse(challenge.config.as_ref(), challenge.ambient).map_err(Cause::Issuer)?;
        let owner = self.parts.owner.get().cloned().ok_or(Cause::NotReady)?;
        let known = challenge.dns_name.as_ref().and_then(|name| self.parts.challenges.known(name));
        let digest = solver_digest(&self.parts.group, &self.parts.solver, challenge.config.as_ref());
        let siblings = pending_siblings(&challenge, &digest, known.as_deref().unwrap_or_default());
        Ok(Job { challenge, config, owner, known, siblings, deadline })
    }

    /// Writes our value and those of the pending siblings. A sibling that can't be written is left to its own
    /// `Present`.
    async fn write(&self, job: &Job, credential: Credential) -> Result<Written, Error> {
        let Job { challenge, siblings, deadline, .. } = job;
        let pin = job.config.pin(&challenge.fqdn);
        let phases = &self.parts.metrics.phases;
        let finding = phases.begin(Phase::Zone);
        let zone = self.parts.records.zone(&credential, &challenge.fqdn, pin, *deadline).await?;
        drop(finding);
        let _writing = phases.begin(Phase::Write);
        let ahead = siblings.iter().map(|value| self.write_one(job, &credential, &zone, value));
        let (own, ahead) = futures::future::join(
            self.write_one(job, &credential, &zone, &challenge.value),
            futures::future::join_all(ahead),
        )
        .await;
        let created = own?;
        let mut values = vec![challenge.value.clone()];
        for (value, result) in siblings.iter().zip(ahead) {
            match result {
                Ok(_) => values.push(value.clone()),
                Err(error) => {
                    tracing::info!(code = error.cause().code(), "a sibling's value is not written ahead");
                }
            }
        }
        Ok(Written { credential, zone, values, found: created == Created::Existing })
    }

    /// Writes a value. One that was written ahead a moment ago stands, and nobody had a reason to remove it; of any other
    /// Cloudflare is asked, for another process may have been told to clean it up.
    async fn write_one(
        &self,
        job: &Job,
        credential: &Credential,
        zone: &Zone,
        value: &TxtValue,
    ) -> Result<Created, Error> {
        let Job { challenge, config, owner, deadline, .. } = job;
        let fqdn = &challenge.fqdn;
        let key = Key { fqdn, value, credential: credential.id() };
        let is_own = *value == challenge.value;
        let recent = self.ledger.recent_writer(key).filter(|writer| writer.zone == *zone);
        if let Some(writer) = recent.filter(|writer| writer.ahead.is_some() || !is_own) {
            return Ok(writer.created);
        }
        let ahead = (*value != challenge.value).then_some(&challenge.value);
        let comment = Mark::comment(owner, fqdn, value, ahead);
        let record = NewRecord { value: value.clone(), ttl: config.ttl(), comment };
        let made = self.parts.records.create(credential, zone, fqdn, record, *deadline).await?;
        let known = self.ledger.writer(key).filter(|writer| writer.zone == *zone);
        if let Some(known) = known.filter(|_| made.created == Created::Existing) {
            self.ledger.stands(key);
            return Ok(known.created);
        }
        let (created, id) = (made.created, made.id);
        let ahead = challenge.dns_name.clone().zip(ahead.cloned());
        let namespace = challenge.namespace.clone();
        let (credential, zone) = (credential.clone(), zone.clone());
        self.ledger.wrote(key, Writer { credential, zone, namespace, created, id, ahead });
        tracing::info!(?created, ahead = !is_own, "written");
        Ok(created)
    }

    /// Waits until the values are live, and until no resolver can hold an answer without ours.
    async fn confirm(&self, job: &Job, written: &Written) -> Result<(), Error> {
        let Job { challenge, deadline, .. } = job;
        let fqdn = &challenge.fqdn;
        let (mut listed, mut held) = (None, false);
        loop {
            let seen = self.ledger.seen(written.keys(fqdn));
            let watch = Watch { zone: &written.zone, fqdn, values: &written.values, seen };
            let sighting = match self.parts.propagation.confirm(watch, *deadline).await {
                Ok(Some(sighting)) => sighting,
                Ok(None) => {
                    // Nothing will tell whether the record still stands, so the next Present writes again.
                    written.keys(fqdn).for_each(|key| self.ledger.doubt(key));
                    return Ok(());
                }
                // It was live, and the time that is left after a wait may be too short for another look.
                Err(error) if held && is_not_live(&error) => {
                    return Err(Error::new(Cause::HeldBack(fqdn.clone()), error));
                }
                Err(error) => {
                    // It may be another zone by now that is served under this name.
                    self.parts.records.doubt(&written.credential, &written.zone);
                    if is_not_live(&error) {
                        written.keys(fqdn).for_each(|key| self.ledger.doubt(key));
                    }
                    return Err(error);
                }
            };
            self.ledger.saw(written.keys(fqdn), sighting.since, seen);
            if listed.is_none() && (written.found || has_strangers(job, &sighting)) {
                let records =
                    self.parts.records.list(&written.credential, &written.zone, fqdn, *deadline).await?;
                let is_wanted =
                    |record: &&Record| !written.values.iter().any(|value| value.as_str() == record.value);
                let others: Vec<_> = records.iter().filter(is_wanted).collect();
                let budget = deadline.at_most(ORPHAN_BUDGET);
                self.remove_orphans(&written.credential, &written.zone, fqdn, &others, budget).await;
                listed = Some(records);
            }
            match self.quiet_at(job, written, &sighting, listed.as_deref().unwrap_or_default()) {
                Some(quiet) if quiet > Instant::now() => hold_back(fqdn, quiet, *deadline).await?,
                _ => {
                    written.keys(fqdn).take(1).for_each(|own| self.ledger.confirmed(own));
                    return Ok(());
                }
            }
            held = true;
        }
    }

    fn quiet_at(
        &self,
        job: &Job,
        written: &Written,
        sighting: &Sighting,
        records: &[Record],
    ) -> Option<Instant> {
        let Challenge { fqdn, value, .. } = &job.challenge;
        let own = records.iter().find(|record| record.value == value.as_str());
        let mark = own.and_then(|record| Mark::read(&record.comment, fqdn, &record.value));
        let served = records.iter().filter(|record| sighting.others.contains(&record.value));
        let listed: Vec<_> = served.filter_map(|record| challenge_value(fqdn, record)).collect();
        let key = Key { fqdn, value, credential: written.credential.id() };
        let writer = self.ledger.writer(key);
        let evidence = Evidence {
            value,
            live_since: self.ledger.seen(std::iter::once(key)).unwrap_or(sighting.since),
            mark: mark.as_ref(),
            ahead_of: writer.as_ref().and_then(|writer| writer.ahead.as_ref()).map(|(_, value)| value),
            known: job.known.as_deref().unwrap_or_default(),
            confirmed: &self.ledger.all_confirmed(fqdn),
            listed: &listed,
        };
        evidence.quiet_at(lifetime(job.config.ttl()))
    }
}

/// Whether it may be the record that is missing, by whatever way it was looked for.
fn is_not_live(error: &Error) -> bool {
    matches!(error.cause(), Cause::NotLive(_) | Cause::Unconfirmed { .. })
}

/// The value of a record that some challenge stands behind: no CA has looked at anything else.
fn challenge_value(fqdn: &Fqdn, record: &Record) -> Option<TxtValue> {
    let is_marked = Mark::read(&record.comment, fqdn, &record.value).is_some();
    TxtValue::parse(&record.value).filter(|value| is_marked || value.is_digest())
}

/// Whether something is served that neither a Challenge of this cluster nor this request explains. One that ended long
/// ago explains nothing.
fn has_strangers(job: &Job, sighting: &Sighting) -> bool {
    let known = job.known.as_deref().unwrap_or_default();
    let explains = |challenge: &LiveChallenge| match challenge.stage {
        Stage::Over { at, .. } => at.elapsed() < ORPHAN_AGE,
        Stage::Pending | Stage::Presented(_) => true,
    };
    let is_explained =
        |other: &String| known.iter().any(|known| known.value.as_str() == other && explains(known));
    !sighting.others.iter().all(is_explained)
}

async fn hold_back(fqdn: &Fqdn, quiet: Instant, deadline: Deadline) -> Result<(), Error> {
    let wait = quiet.saturating_duration_since(Instant::now());
    tracing::info!(?wait, "held back: a resolver may hold an answer without this value");
    if deadline.sleep_until(quiet).await.is_err() {
        tokio::time::sleep_until(deadline.instant()).await;
        return Err(Cause::HeldBack(fqdn.clone()).into());
    }
    Ok(())
}

/// How long a resolver may hold an answer: the record's time to live, which for "automatic" is 300 s
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/ttl/>), and no less than the 60 s of the
/// records of other tools.
fn lifetime(ttl: u32) -> Duration {
    Duration::from_secs(if ttl == 1 { 300 } else { u64::from(ttl.max(60)) })
}

/// Orphans can wait for the next request; a Present that is live can't.
const ORPHAN_BUDGET: Duration = Duration::from_secs(5);
