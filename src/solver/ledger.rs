//! What this process remembers of the values it wrote: with what, since when they are live, when confirmed, when gone.
//!
//! Nothing here must be known for a right answer; it saves calls and waits, removes records whose Secret is gone,
//! and stands in for the Challenges where they can't be watched. Bounded in number and in time.
//!
//! A token may be replaced while a challenge lasts: what is remembered of a record passes to the credential of the same
//! namespace that finds it in the same zone, and what one credential deletes there is gone for each.

mod entry;

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use prometheus_client::metrics::gauge::Gauge;
use tokio::time::Instant;

use self::entry::Entry;
pub(crate) use self::entry::{Ahead, Key, Writer};
use super::port::{Created, Zone};
use crate::challenge::TxtValue;
use crate::name::Fqdn;
use crate::secret::Credential;

/// The values written, by name; within a name by credential and value, so that nobody who merely names the same record
/// changes what is remembered of it.
#[derive(Debug, Default)]
pub(crate) struct Ledger {
    names: Mutex<Names>,
    /// How many there are.
    count: Gauge,
}

type Names = HashMap<Fqdn, Vec<Entry>>;

/// A value of this process that was confirmed, as far as another one at the same name is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirmed {
    pub(crate) value: TxtValue,
    pub(crate) at: Instant,
    pub(crate) gone: Option<Instant>,
}

impl Ledger {
    /// An empty one, that tells how many names it holds.
    pub(crate) fn counted_by(count: Gauge) -> Self {
        Self { names: Mutex::default(), count }
    }

    /// A value was written, or found. One that had to be made anew is seen anew.
    pub(crate) fn wrote(&self, key: Key<'_>, writer: Writer) {
        self.update(key, |entry| {
            if writer.created == Created::New {
                entry.seen = None;
                entry.confirmed = None;
            }
            entry.renewed = entry.gone.map(|_| entry.touched).or(entry.renewed);
            entry.writer = Some(Box::new(writer));
            entry.intended = None;
            entry.stands_since = Some(entry.touched);
            entry.gone = None;
            entry.cleaned_for.clear();
        });
    }

    /// A value is about to be written: a `CleanUp` that comes after that is no repetition of an earlier one.
    pub(crate) fn begins(&self, key: Key<'_>) {
        self.update(key, |entry| entry.cleaned_for.clear());
    }

    /// The same, ahead.
    pub(crate) fn intends(&self, key: Key<'_>, writer: Writer) {
        self.update(key, |entry| {
            entry.intended = Some((entry.touched, Box::new(writer)));
            entry.cleaned_for.clear();
        });
    }

    /// It was refused.
    pub(crate) fn refused(&self, key: Key<'_>) {
        self.update(key, |entry| entry.intended = None);
    }

    /// A value that was written stands still.
    pub(crate) fn stands(&self, key: Key<'_>) {
        self.update(key, |entry| {
            entry.stands_since = Some(entry.touched);
            entry.intended = None;
        });
    }

    /// How a value was written, if it was and has not been deleted here.
    pub(crate) fn writer(&self, key: Key<'_>) -> Option<Writer> {
        self.find(key, |entry| entry.writer.as_deref().cloned())
    }

    /// The same if that was a moment ago, so that it need not be written again.
    pub(crate) fn recent_writer(&self, key: Key<'_>) -> Option<Writer> {
        let is_recent = |entry: &Entry| entry.stands_since.is_some_and(|since| since.elapsed() < RECENT);
        self.find(key, |entry| entry.writer.as_deref().filter(|_| is_recent(entry)).cloned())
    }

    /// How a value was written for a namespace, with whatever credential.
    pub(crate) fn writer_for(&self, fqdn: &Fqdn, value: &TxtValue, namespace: &str) -> Option<Writer> {
        let names = self.lock();
        let entries = names.get(fqdn)?.iter().filter(|entry| entry.value == *value);
        entries
            .filter_map(|entry| entry.writer.as_deref())
            .find(|writer| writer.namespace == namespace)
            .cloned()
    }

    /// The values were seen at every name server at `since`; `before` is what was known of that so far.
    pub(crate) fn saw<'a>(
        &self,
        keys: impl Iterator<Item = Key<'a>>,
        since: Instant,
        before: Option<Instant>,
    ) {
        // They were never away in between: each keeps its own instant.
        if before == Some(since) {
            return;
        }
        keys.for_each(|key| self.update(key, |entry| entry.seen = Some(since)));
    }

    /// Since when all the values have been seen.
    pub(crate) fn seen<'a>(&self, keys: impl Iterator<Item = Key<'a>>) -> Option<Instant> {
        let each = keys.map(|key| self.find(key, |entry| entry.seen));
        each.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// A value may not be there although it was written: it is written again next time, and watched anew.
    pub(crate) fn doubt(&self, key: Key<'_>) {
        self.update(key, |entry| {
            entry.stands_since = None;
            entry.seen = None;
        });
    }

    /// What was seen of a value was an earlier record than the one that stands, which somebody else made: it is watched anew.
    pub(crate) fn replaced(&self, key: Key<'_>) {
        self.update(key, |entry| {
            entry.seen = None;
            if let Some(writer) = &mut entry.writer {
                writer.id = None;
            }
        });
    }

    /// A value was confirmed.
    pub(crate) fn confirmed(&self, key: Key<'_>) {
        self.update(key, |entry| {
            entry.confirmed = Some(entry.touched);
            entry.first_confirmed = entry.first_confirmed.or(entry.confirmed);
        });
    }

    /// Whether a value was confirmed, as its own.
    pub(crate) fn is_confirmed(&self, key: Key<'_>) -> bool {
        self.find(key, |entry| entry.confirmed).is_some()
    }

    /// The records of a value that were in the zone at `begun` were deleted, those with these ids. One that was written since
    /// then stands.
    pub(crate) fn gone(&self, key: Key<'_>, zone: &Zone, ids: &[&str], begun: Instant) {
        let now = Instant::now();
        let mut names = self.lock();
        for entry in self.entries(&mut names, key, now) {
            if entry.is(key) || entry.is_twin(key, zone) {
                entry.touched = now;
                entry.deleted(ids, begun);
            }
        }
    }

    /// A credential found a record in the zone. If it did not write it, what is remembered of it under another one of the
    /// namespace passes to this one.
    pub(crate) fn inherit(&self, key: Key<'_>, zone: &Zone, namespace: &str, credential: &Credential) {
        let mut names = self.lock();
        let Some(entries) = names.get_mut(key.fqdn) else {
            return;
        };
        let own = entries.iter().find(|entry| entry.is(key));
        if own.is_some_and(|own| own.writer.is_some()) {
            return;
        }
        let is_of =
            |entry: &Entry| entry.writer.as_deref().is_some_and(|writer| writer.namespace == namespace);
        let Some(index) = entries.iter().position(|entry| entry.is_twin(key, zone) && is_of(entry)) else {
            return;
        };
        let mut entry = entries.swap_remove(index);
        if let Some(own) = entries.iter().position(|entry| entry.is(key)) {
            let first = entries.swap_remove(own).first_confirmed;
            entry.first_confirmed = first.into_iter().chain(entry.first_confirmed).min();
        }
        entry.credential = key.credential;
        if let Some(writer) = &mut entry.writer {
            writer.credential = credential.clone();
        }
        entries.push(entry);
    }

    /// A value went by a `CleanUp`, while these Challenges of it were known.
    pub(crate) fn cleaned(&self, key: Key<'_>, challenges: Vec<String>) {
        self.update(key, |entry| entry.cleaned_for = challenges);
    }

    /// Whether a value went by a `CleanUp` a moment ago, and no other Challenge of it has come since.
    pub(crate) fn is_cleaned(&self, key: Key<'_>, challenges: &[String]) -> bool {
        let is_cleaned = |entry: &Entry| {
            let is_recent = entry.gone.is_some_and(|gone| gone.elapsed() < REPEATED);
            let is_known = challenges.iter().all(|challenge| entry.cleaned_for.contains(challenge));
            (is_recent && is_known && !challenges.is_empty()).then_some(())
        };
        self.find(key, is_cleaned).is_some()
    }

    /// When a value was last written, and whether it had gone before.
    pub(crate) fn written(&self, key: Key<'_>) -> Option<(Instant, bool)> {
        self.find(key, |entry| match entry.renewed {
            Some(at) => Some((at, true)),
            None => entry.stands_since.map(|at| (at, false)),
        })
    }

    /// The values confirmed at a name.
    pub(crate) fn all_confirmed(&self, fqdn: &Fqdn) -> Vec<Confirmed> {
        let names = self.lock();
        let entries = names.get(fqdn).into_iter().flatten();
        entries
            .filter_map(|entry| {
                let at = entry.first_confirmed?;
                Some(Confirmed { value: entry.value.clone(), at, gone: entry.gone })
            })
            .collect()
    }

    /// The values written ahead that stand, or may, as far as known here.
    pub(crate) fn ahead(&self) -> Vec<(Fqdn, TxtValue, Writer)> {
        let names = self.lock();
        let entries = names.iter().flat_map(|(fqdn, entries)| entries.iter().map(move |entry| (fqdn, entry)));
        let mut ahead: Vec<_> = entries
            .filter_map(|(fqdn, entry)| {
                let written = entry.writer.as_deref().filter(|writer| writer.ahead.is_some());
                let intended = entry.intended.as_ref().map(|(_, writer)| &**writer);
                let writer = intended.or(written.filter(|_| entry.confirmed.is_none()))?;
                Some((fqdn.clone(), entry.value.clone(), writer.clone()))
            })
            .collect();
        drop(names);
        ahead.sort_by(|a, b| (&a.0, &a.1).cmp(&(&b.0, &b.1)));
        ahead
    }

    fn find<T>(&self, key: Key<'_>, pick: impl FnOnce(&Entry) -> Option<T>) -> Option<T> {
        self.lock().get(key.fqdn)?.iter().find(|entry| entry.is(key)).and_then(pick)
    }

    fn update(&self, key: Key<'_>, change: impl FnOnce(&mut Entry)) {
        let now = Instant::now();
        let mut names = self.lock();
        if let Some(entry) = self.entries(&mut names, key, now).iter_mut().find(|entry| entry.is(key)) {
            entry.touched = now;
            change(entry);
        }
    }

    /// Those at the key's name, its own among them.
    fn entries<'a>(&self, names: &'a mut Names, key: Key<'_>, now: Instant) -> &'a mut Vec<Entry> {
        if !names.contains_key(key.fqdn) {
            if names.len() >= MAX_NAMES {
                make_room(names, now);
            }
            self.count.set((names.len() + 1).try_into().unwrap_or(i64::MAX));
        }
        let entries = names.entry(key.fqdn.clone()).or_default();
        entries.retain(|entry| entry.is(key) || now < entry.end());
        if entries.iter().any(|entry| entry.is(key)) {
            return entries;
        }
        if entries.len() >= MAX_VALUES {
            let oldest = entries.iter().enumerate().min_by_key(|(_, entry)| entry.touched);
            oldest.map(|(index, _)| index).map(|index| entries.swap_remove(index));
        }
        // Most names have one value, and a vector would make room for four.
        entries.reserve_exact(1);
        entries.push(Entry::new(key, now));
        entries
    }

    fn lock(&self) -> MutexGuard<'_, Names> {
        self.names.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

fn make_room(names: &mut Names, now: Instant) {
    for entries in names.values_mut() {
        entries.retain(|entry| now < entry.end());
    }
    names.retain(|_, entries| !entries.is_empty());
    if names.len() >= MAX_NAMES {
        let last_touch = |entries: &Vec<Entry>| entries.iter().map(|entry| entry.touched).max();
        let oldest =
            names.iter().min_by_key(|(_, entries)| last_touch(entries)).map(|(fqdn, _)| fqdn.clone());
        oldest.and_then(|fqdn| names.remove(&fqdn));
    }
}

/// Within this time a retry, and the sibling of a value written ahead, need not write again.
const RECENT: Duration = Duration::from_mins(2);
/// Within this time a `CleanUp` is taken for the one before: cert-manager repeats it at once or never. Not longer, for the
/// same value may come back, and what is known of the Challenges may lag.
const REPEATED: Duration = Duration::from_secs(15);
/// Ten times the names of a large fleet's day; about half a kilobyte each, and twice that while the record stands.
const MAX_NAMES: usize = 10_000;
/// More than Cloudflare lets stand at one name, 8,192 characters
/// (<https://developers.cloudflare.com/dns/manage-dns-records/reference/dns-record-types/>).
const MAX_VALUES: usize = 256;

#[cfg(test)]
mod tests;
