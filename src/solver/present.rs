//! `Present`: write the value, and confirm it only when it is live.

use super::Solver;
use super::error::{Cause, Class, Error};
use super::ledger::{Ahead, Key, Writer};
use super::mark::{Mark, OwnerId};
use super::port::{
    Challenges, Created, Credentials, Freshness, LiveChallenge, Made, NewRecord, Propagation, Records, Stage,
    Zone,
};
use super::shared::pending_siblings;
use crate::challenge::{Challenge, ChallengeRequest, TxtValue};
use crate::deadline::Deadline;
use crate::issuer::{IssuerConfig, solver_digest};
use crate::metrics::phase::Phase;
use crate::name::Fqdn;
use crate::secret::Credential;

/// A challenge with all that stays the same while it is presented.
pub(super) struct Job {
    pub(super) challenge: Challenge,
    pub(super) config: IssuerConfig,
    pub(super) owner: OwnerId,
    pub(super) known: Option<Vec<LiveChallenge>>,
    pub(super) siblings: Vec<TxtValue>,
    pub(super) deadline: Deadline,
}

impl Job {
    /// Whether a Challenge of this value, an earlier one, has come to its end.
    fn has_ended(&self, value: &TxtValue) -> bool {
        let is_over = |known: &LiveChallenge| matches!(known.stage, Stage::Over { .. });
        self.known.iter().flatten().any(|known| known.value == *value && is_over(known))
    }
}

/// What stands at Cloudflare after the write.
pub(super) struct Written {
    pub(super) credential: Credential,
    pub(super) zone: Zone,
    /// Our value, then those written ahead.
    pub(super) values: Vec<TxtValue>,
    /// Whether our value's record was there before.
    pub(super) found: bool,
    /// Whether this process made it in an earlier request, or another like it stands in its place.
    pub(super) resumed: bool,
    /// Those of the siblings that this request wrote, so that nobody has confirmed them before.
    pub(super) new: Vec<TxtValue>,
}

/// How a value came to stand.
#[derive(Clone, Copy)]
struct Stands {
    /// As far as this process is concerned.
    created: Created,
    how: How,
}

#[derive(Clone, Copy, PartialEq, Eq)]
enum How {
    /// This very request made it.
    Made,
    /// Cloudflare was asked to make it, and had it.
    Found,
    /// Cloudflare was not asked.
    Remembered,
}

impl Written {
    /// The records of the values, ours first.
    pub(super) fn keys<'a>(&'a self, fqdn: &'a Fqdn) -> impl Iterator<Item = Key<'a>> {
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
        let write = |credential| self.write(&job, credential);
        let written = self.with_newest(&challenge.namespace, source, &credential, deadline, write).await?;
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
        let own = own?;
        let (mut values, mut new) = (vec![challenge.value.clone()], Vec::new());
        let mut unknown = Vec::new();
        for (value, result) in siblings.iter().zip(ahead) {
            match result {
                Ok(stands) => {
                    values.push(value.clone());
                    new.extend((stands.how == How::Made).then(|| value.clone()));
                }
                Err(error) => {
                    tracing::info!(code = error.cause().code(), "a sibling's value is not written ahead");
                    unknown.extend((error.cause().class() == Class::Retry).then_some(value));
                }
            }
        }
        if !unknown.is_empty() {
            // If it stands all the same, its mark says that it is confirmed together with ours.
            let records = self.parts.records.list(&credential, &zone, &challenge.fqdn, *deadline).await?;
            let stands = |value: &&&TxtValue| records.iter().any(|record| record.value == value.as_str());
            values.extend(unknown.iter().filter(stands).map(|value| (*value).clone()));
        }
        let found = own.created == Created::Existing;
        let resumed = own.created == Created::New && own.how == How::Found;
        Ok(Written { credential, zone, values, found, resumed, new })
    }

    /// Writes a value. One that was written ahead a moment ago stands when it is first presented, and nobody had a reason to
    /// remove it unless a Challenge of it has ended; of any other Cloudflare is asked, for another process may have been
    /// told to clean it up.
    async fn write_one(
        &self,
        job: &Job,
        credential: &Credential,
        zone: &Zone,
        value: &TxtValue,
    ) -> Result<Stands, Error> {
        let Job { challenge, config, owner, deadline, .. } = job;
        let fqdn = &challenge.fqdn;
        let key = Key { fqdn, value, credential: credential.id() };
        let is_own = *value == challenge.value;
        let recent = self.ledger.recent_writer(key).filter(|writer| writer.zone == *zone);
        let is_first = |writer: &Writer| writer.ahead.is_some() && !self.ledger.is_confirmed(key);
        let stands = |writer: &Writer| (!is_own || is_first(writer)) && !job.has_ended(value);
        if let Some(writer) = recent.filter(stands) {
            return Ok(Stands { created: writer.created, how: How::Remembered });
        }
        let ahead = (*value != challenge.value).then_some(&challenge.value);
        let comment = Mark::comment(owner, fqdn, value, ahead);
        let record = NewRecord { value: value.clone(), ttl: config.ttl(), comment };
        let writer = |created, id| Writer {
            credential: credential.clone(),
            zone: zone.clone(),
            namespace: challenge.namespace.clone(),
            created,
            id,
            ahead: ahead.and_then(|with| {
                let (name, source) = (challenge.dns_name.clone()?, config.source(fqdn)?.clone());
                Some(Box::new(Ahead { name, with: with.clone(), source }))
            }),
        };
        if is_own {
            self.ledger.begins(key);
        } else {
            self.ledger.intends(key, writer(Created::New, None));
        }
        let made = self.parts.records.create(credential, zone, fqdn, record, *deadline).await;
        let made = made.inspect_err(|error| {
            if error.cause().class() != Class::Retry {
                self.ledger.refused(key);
            }
        })?;
        if let Some(created) = self.stood_before(job, key, &made, credential, zone) {
            return Ok(Stands { created, how: How::Found });
        }
        let created = made.created;
        self.ledger.wrote(key, writer(created, made.id));
        tracing::info!(?created, ahead = !is_own, "written");
        let how = if created == Created::New { How::Made } else { How::Found };
        Ok(Stands { created, how })
    }

    /// How this process came by a record that was there before it was to be made; `None` if it knows nothing of it.
    fn stood_before(
        &self,
        job: &Job,
        key: Key<'_>,
        made: &Made,
        credential: &Credential,
        zone: &Zone,
    ) -> Option<Created> {
        if made.created == Created::New {
            return None;
        }
        self.ledger.inherit(key, zone, &job.challenge.namespace, credential);
        let known = self.ledger.writer(key).filter(|writer| writer.zone == *zone)?;
        if job.has_ended(key.value) {
            // It may have been away meanwhile, and another process have written it anew.
            self.ledger.doubt(key);
        }
        self.ledger.stands(key);
        Some(known.created)
    }
}
