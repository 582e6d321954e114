//! The end of a `Present`: its values are live, and no resolver holds an answer without the one presented.

use std::time::Duration;

use tokio::time::Instant;

use super::Solver;
use super::error::{Cause, Error};
use super::ledger::Key;
use super::mark::Mark;
use super::port::{
    Challenges, Credentials, LiveChallenge, Propagation, Record, Records, Sighting, Stage, Watch,
};
use super::present::{Job, Written};
use super::shared::{Evidence, up_to_date};
use super::tidy::ORPHAN_AGE;
use crate::challenge::{Challenge, TxtValue};
use crate::deadline::Deadline;
use crate::name::Fqdn;

/// The records at a name, when they were listed.
#[derive(Default)]
struct Listing(Option<(Instant, Vec<Record>)>);

impl Listing {
    fn records(&self) -> &[Record] {
        self.0.as_ref().map_or(&[], |(_, records)| records)
    }

    fn find(&self, value: &TxtValue) -> Option<&Record> {
        self.records().iter().find(|record| record.value == value.as_str())
    }

    /// Whether the record of a value is for sure not the one that was seen at `seen`: it is not the one that was made here,
    /// or was made since. Ages are told in whole seconds.
    fn is_another(&self, seen: Instant, value: &TxtValue, made: impl FnOnce() -> Option<String>) -> bool {
        let (Some((listed, _)), Some(record)) = (&self.0, self.find(value)) else {
            return false;
        };
        let is_newer = |made: Instant| made > seen + Duration::from_secs(1);
        match made() {
            Some(id) => record.id != id,
            None => listed.checked_sub(record.age).is_some_and(is_newer),
        }
    }
}

impl<R: Records, P: Propagation, S: Credentials, C: Challenges> Solver<R, P, S, C> {
    /// Waits until the values are live, and until no resolver can hold an answer without ours.
    pub(super) async fn confirm(&self, job: &Job, written: &Written) -> Result<(), Error> {
        let Challenge { fqdn, value, .. } = &job.challenge;
        let (mut listing, mut held) = (Listing::default(), false);
        loop {
            let seen = self.ledger.seen(written.keys(fqdn));
            let Some(sighting) = self.look(job, written, seen, held).await? else {
                // Nothing will tell whether the record still stands, so the next Present writes again.
                written.keys(fqdn).for_each(|key| self.ledger.doubt(key));
                return Ok(());
            };
            self.ledger.saw(written.keys(fqdn), sighting.since, seen);
            let known = self.known_now(job, written).await;
            // What was seen in an earlier request may have been another record, that somebody deleted since.
            let may_be_another = || {
                let quiet = self.quiet_at(job, written, Instant::now(), &known, &sighting, &listing);
                written.resumed && seen.is_some() && quiet.is_some()
            };
            if listing.0.is_none() && (written.found || has_strangers(job, &sighting) || may_be_another()) {
                listing = self.list(job, written).await?;
            }
            let own = Key { fqdn, value, credential: written.credential.id() };
            let since = self.ledger.seen(std::iter::once(own)).unwrap_or(sighting.since);
            let made = || self.ledger.writer(own).and_then(|writer| writer.id);
            if listing.is_another(since, value, made) {
                self.ledger.replaced(own);
                continue;
            }
            match self.quiet_at(job, written, since, &known, &sighting, &listing) {
                Some(quiet) if quiet > Instant::now() => hold_back(fqdn, quiet, job.deadline).await?,
                _ => {
                    self.ledger.confirmed(own);
                    return Ok(());
                }
            }
            held = true;
        }
    }

    /// Waits until the values are live; `None` where nobody looks.
    async fn look(
        &self,
        job: &Job,
        written: &Written,
        seen: Option<Instant>,
        held: bool,
    ) -> Result<Option<Sighting>, Error> {
        let fqdn = &job.challenge.fqdn;
        let watch = Watch { zone: &written.zone, fqdn, values: &written.values, seen };
        self.parts.propagation.confirm(watch, job.deadline).await.map_err(|error| {
            let is_not_live = matches!(error.cause(), Cause::NotLive(_) | Cause::Unconfirmed { .. });
            // It was live, and the time that is left after a wait may be too short for another look.
            if held && is_not_live {
                return Error::new(Cause::HeldBack(fqdn.clone()), error);
            }
            // It may be another zone by now that is served under this name.
            self.parts.records.doubt(&written.credential, &written.zone);
            if is_not_live {
                written.keys(fqdn).for_each(|key| self.ledger.doubt(key));
            }
            error
        })
    }

    /// Every record at the name, but for orphans.
    async fn list(&self, job: &Job, written: &Written) -> Result<Listing, Error> {
        let Written { credential, zone, values, .. } = written;
        let fqdn = &job.challenge.fqdn;
        let records = self.parts.records.list(credential, zone, fqdn, job.deadline).await?;
        // Not before: the call may have had to wait.
        let listed = Instant::now();
        let is_wanted = |record: &&Record| !values.iter().any(|value| value.as_str() == record.value);
        let others: Vec<_> = records.iter().filter(is_wanted).collect();
        let budget = job.deadline.at_most(ORPHAN_BUDGET);
        self.remove_orphans(credential, zone, fqdn, &others, budget).await;
        Ok(Listing(Some((listed, records))))
    }

    /// The name's Challenges now that the values are live.
    async fn known_now(&self, job: &Job, written: &Written) -> Vec<LiveChallenge> {
        let name = job.challenge.dns_name.as_ref();
        let known = name.and_then(|name| self.parts.challenges.known(name)).unwrap_or_default();
        let is_new = |value: &TxtValue| *value == job.challenge.value || written.new.contains(value);
        up_to_date(&self.parts.challenges, known, is_new, job.deadline).await
    }

    fn quiet_at(
        &self,
        job: &Job,
        written: &Written,
        live_since: Instant,
        known: &[LiveChallenge],
        sighting: &Sighting,
        listing: &Listing,
    ) -> Option<Instant> {
        let Challenge { fqdn, value, .. } = &job.challenge;
        let own = listing.find(value);
        let mark = own.and_then(|record| Mark::read(&record.comment, fqdn, &record.value));
        let served = listing.records().iter().filter(|record| sighting.others.contains(&record.value));
        let listed: Vec<_> = served.filter_map(|record| challenge_value(fqdn, record)).collect();
        let key = Key { fqdn, value, credential: written.credential.id() };
        let writer = self.ledger.writer(key);
        let evidence = Evidence {
            value,
            found: written.found,
            written: self.ledger.written(key),
            live_since,
            mark: mark.as_ref(),
            ahead_of: writer.as_ref().and_then(|writer| writer.ahead.as_ref()).map(|ahead| &ahead.with),
            known,
            confirmed: &self.ledger.all_confirmed(fqdn),
            listed: &listed,
        };
        evidence.quiet_at(lifetime(job.config.ttl()))
    }
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

#[cfg(test)]
mod tests;
