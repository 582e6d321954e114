//! Records of ours that nobody will ask us to remove: values written ahead whose Challenge went away unpresented, and
//! what a crash left behind.

use std::time::Duration;

use futures::future::join_all;
use futures::stream::{self, StreamExt};
use tokio::time::Instant;

use super::Solver;
use super::error::Error;
use super::ledger::{Ahead, Key, Writer};
use super::mark::Mark;
use super::port::{
    Challenges, Credentials, Deleted, Doomed, LiveChallenge, Propagation, Record, Records, Stage, Zone,
};
use crate::challenge::TxtValue;
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::secret::Credential;

impl<R: Records, P: Propagation, S: Credentials, C: Challenges> Solver<R, P, S, C> {
    /// Removes the values that this process wrote ahead, and was not asked to present, of Challenges that have ended or
    /// are gone. To be called when the Challenges have changed, and now and then: what was seen late may be written after
    /// the change, and a removal that failed is due again.
    pub async fn remove_unpresented(&self, budget: Duration) {
        let unneeded = self.ledger.ahead().into_iter().filter(|(_, value, writer)| {
            let known = writer.ahead.as_ref().and_then(|ahead| self.parts.challenges.known(&ahead.name));
            known.is_some_and(|known| !known.iter().any(|other| other.value == *value && needs(other)))
        });
        // Several at a time, so that they share calls and a zone that does not answer holds up no other.
        let removals = stream::iter(unneeded).for_each_concurrent(AT_ONCE, async |(fqdn, value, writer)| {
            match self.remove_ahead(&fqdn, &value, writer, Deadline::within(budget)).await {
                Ok(()) => tracing::info!(%fqdn, "removed a value written ahead: its challenge went away"),
                Err(error) => {
                    tracing::warn!(%fqdn, code = error.cause().code(), detail = ?error.detail(), "a value written ahead is still there");
                }
            }
        });
        removals.await;
    }

    /// Removes a value with what wrote it, or what has taken its place in the Secret.
    async fn remove_ahead(
        &self,
        fqdn: &Fqdn,
        value: &TxtValue,
        writer: Writer,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let Some(Ahead { source, .. }) = writer.ahead.as_deref() else {
            return self.remove_written(fqdn, value, &writer, deadline).await;
        };
        let remove = |credential| {
            let writer = Writer { credential, ..writer.clone() };
            async move { self.remove_written(fqdn, value, &writer, deadline).await }
        };
        self.with_newest(&writer.namespace, source, &writer.credential, deadline, remove).await
    }

    /// Deletes the record that this process made by its id, and says whether that was all: what it did not make, or
    /// somebody else deleted, has to be looked for.
    pub(super) async fn delete_made(
        &self,
        key: Key<'_>,
        credential: &Credential,
        writer: &Writer,
        deadline: Deadline,
    ) -> Result<bool, Error> {
        // Whatever comes of this, a Present after it writes anew.
        self.ledger.doubt(key);
        let Some(id) = &writer.id else {
            return Ok(false);
        };
        let record = Doomed { fqdn: key.fqdn, value: key.value.as_str(), id };
        let begun = Instant::now();
        let deleted = self.parts.records.delete(credential, &writer.zone, record, deadline).await?;
        let is_done = deleted == Deleted::Now;
        if is_done {
            self.ledger.gone(key, &writer.zone, &[id], begun);
        }
        Ok(is_done)
    }

    /// Removes a value with what wrote it.
    pub(super) async fn remove_written(
        &self,
        fqdn: &Fqdn,
        value: &TxtValue,
        writer: &Writer,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let key = Key { fqdn, value, credential: writer.credential.id() };
        if self.delete_made(key, &writer.credential, writer, deadline).await? {
            return Ok(());
        }
        let listed = Instant::now();
        let records = self.parts.records.list(&writer.credential, &writer.zone, fqdn, deadline).await?;
        self.delete_value(key, &writer.credential, &writer.zone, (listed, &records), deadline).await
    }

    /// Deletes the records of a value among those of its name, if they are ours or have a digest's form; `listed` is when
    /// the list was asked for.
    pub(super) async fn delete_value(
        &self,
        key: Key<'_>,
        credential: &Credential,
        zone: &Zone,
        (listed, records): (Instant, &[Record]),
        deadline: Deadline,
    ) -> Result<(), Error> {
        let Key { fqdn, value, .. } = key;
        let is_marked = |record: &Record| Mark::read(&record.comment, fqdn, &record.value).is_some();
        let equal = records.iter().filter(|record| record.value == value.as_str());
        let (doomed, foreign): (Vec<_>, Vec<_>) = equal.partition(|r| is_marked(r) || value.is_digest());
        if !foreign.is_empty() {
            tracing::warn!("a record of this value has neither our mark nor a digest's form: it stays");
        }
        let ids: Vec<_> = doomed.iter().map(|record| record.id.as_str()).collect();
        // All at once, so that one call can take them.
        let deleted = doomed.into_iter().map(|record| {
            self.parts.records.delete(credential, zone, Doomed::from((fqdn, record)), deadline)
        });
        join_all(deleted).await.into_iter().collect::<Result<Vec<_>, _>>()?;
        self.ledger.gone(key, zone, &ids, listed);
        Ok(())
    }

    /// Deletes the records at a name that this installation wrote for Challenges which exist no longer.
    ///
    /// What the watch says may be late, so the API server is asked once more before anything is deleted: a Challenge
    /// exists before its record does. Failures are left to the next `Present` or `CleanUp` of the name.
    pub(super) async fn remove_orphans(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        records: &[&Record],
        deadline: Deadline,
    ) {
        let Some(owner) = self.parts.owner.get() else {
            return;
        };
        let is_old = |record: &&Record| record.age >= ORPHAN_AGE;
        let is_own = |record: &&Record| {
            Mark::read(&record.comment, fqdn, &record.value).is_some_and(|mark| mark.is_of(owner))
        };
        let candidates: Vec<_> = records.iter().copied().filter(is_old).filter(is_own).collect();
        if candidates.is_empty() {
            return;
        }
        let values: Vec<_> = candidates.iter().filter_map(|record| TxtValue::parse(&record.value)).collect();
        let Some(live) = self.parts.challenges.read(&values, deadline).await else {
            return;
        };
        let is_live = |record: &Record| live.iter().any(|challenge| challenge.value.as_str() == record.value);
        let begun = Instant::now();
        let orphans = candidates.into_iter().filter(|record| !is_live(record));
        let deleted = orphans.map(async |record| {
            let deleted = self.parts.records.delete(credential, zone, Doomed::from((fqdn, record)), deadline);
            (record, deleted.await)
        });
        for (record, deleted) in join_all(deleted).await {
            match deleted {
                Ok(_) => {
                    if let Some(value) = TxtValue::parse(&record.value) {
                        let key = Key { fqdn, value: &value, credential: credential.id() };
                        self.ledger.gone(key, zone, &[&record.id], begun);
                    }
                    tracing::info!(%fqdn, "removed a record of ours that belongs to no challenge");
                }
                Err(error) => {
                    tracing::warn!(%fqdn, code = error.cause().code(), "a record without a challenge is still there");
                }
            }
        }
    }
}

/// Whether a Challenge still needs its value. cert-manager cleans up what it presented, but a watch that lags may have
/// shown an ended Challenge as pending, and its value was written once more.
fn needs(challenge: &LiveChallenge) -> bool {
    !matches!(challenge.stage, Stage::Over { .. })
}

/// Removals under way at a time.
const AT_ONCE: usize = 32;

/// No younger record is taken for an orphan: requests made without a Challenge (the conformance suite's) are over by
/// then, and Cloudflare tells ages in whole seconds.
pub(super) const ORPHAN_AGE: Duration = Duration::from_mins(1);
