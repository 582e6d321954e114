//! Records of ours that nobody will ask us to remove: values written ahead whose Challenge went away unpresented, and
//! what a crash left behind.

use std::time::Duration;

use super::Solver;
use super::error::Error;
use super::ledger::{Key, Writer};
use super::mark::Mark;
use super::port::{Challenges, Credentials, LiveChallenge, Propagation, Record, Records, Stage, Zone};
use crate::challenge::TxtValue;
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::secret::Credential;

impl<R: Records, P: Propagation, S: Credentials, C: Challenges> Solver<R, P, S, C> {
    /// Removes the values that this process wrote ahead, and was not asked to present, of Challenges that have ended or
    /// are gone. To be called when the Challenges have changed.
    pub async fn remove_unpresented(&self, budget: Duration) {
        for (fqdn, value, writer) in self.ledger.ahead() {
            let Some((dns_name, _)) = &writer.ahead else {
                continue;
            };
            let Some(known) = self.parts.challenges.known(dns_name) else {
                continue;
            };
            if known.iter().any(|challenge| challenge.value == value && needs(challenge)) {
                continue;
            }
            match self.remove_written(&fqdn, &value, &writer, Deadline::within(budget)).await {
                Ok(()) => tracing::info!(%fqdn, "removed a value written ahead: its challenge went away"),
                // The next change of a Challenge brings us here again.
                Err(error) => {
                    tracing::warn!(%fqdn, code = error.cause().code(), detail = ?error.detail(), "a value written ahead is still there");
                }
            }
        }
    }

    /// Removes a value with what wrote it.
    pub(super) async fn remove_written(
        &self,
        fqdn: &Fqdn,
        value: &TxtValue,
        writer: &Writer,
        deadline: Deadline,
    ) -> Result<(), Error> {
        let records = self.parts.records.list(&writer.credential, &writer.zone, fqdn, deadline).await?;
        self.delete_value(&writer.credential, &writer.zone, fqdn, value, &records, deadline).await
    }

    /// Deletes the records that say `value`, if they are ours or have a digest's form.
    pub(super) async fn delete_value(
        &self,
        credential: &Credential,
        zone: &Zone,
        fqdn: &Fqdn,
        value: &TxtValue,
        records: &[Record],
        deadline: Deadline,
    ) -> Result<(), Error> {
        for record in records.iter().filter(|record| record.value == value.as_str()) {
            let is_marked = Mark::read(&record.comment, fqdn, &record.value).is_some();
            if is_marked || value.is_digest() {
                self.parts.records.delete(credential, zone, &record.id, deadline).await?;
            } else {
                tracing::warn!("a record of this value has neither our mark nor a digest's form: it stays");
            }
        }
        self.ledger.gone(Key { fqdn, value, credential: credential.id() });
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
        for record in candidates.into_iter().filter(|record| !is_live(record)) {
            match self.parts.records.delete(credential, zone, &record.id, deadline).await {
                Ok(()) => {
                    if let Some(value) = TxtValue::parse(&record.value) {
                        self.ledger.gone(Key { fqdn, value: &value, credential: credential.id() });
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

/// No younger record is taken for an orphan: requests made without a Challenge (the conformance suite's) are over by
/// then, and Cloudflare tells ages in whole seconds.
const ORPHAN_AGE: Duration = Duration::from_mins(1);
