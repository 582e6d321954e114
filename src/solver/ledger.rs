//! What this process remembers of the values it wrote: with what, since when they are live, when confirmed, when gone.
//!
//! Nothing here must be known for a right answer; it saves calls and waits, removes records whose Secret is gone,
//! and stands in for the Challenges where they can't be watched. Bounded in number and in time.

use std::collections::HashMap;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

use super::port::{Created, Zone};
use crate::challenge::TxtValue;
use crate::name::Fqdn;
use crate::secret::Credential;

/// The values written, by name.
#[derive(Debug, Default)]
pub(crate) struct Ledger(Mutex<HashMap<Fqdn, Vec<Entry>>>);

#[derive(Debug)]
struct Entry {
    value: TxtValue,
    writer: Option<Writer>,
    seen: Option<Instant>,
    confirmed: Option<Instant>,
    gone: Option<Instant>,
    touched: Instant,
}

/// How a value was written, and so how it can be removed.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    /// What wrote it.
    pub(crate) credential: Credential,
    /// Where.
    pub(crate) zone: Zone,
    /// Whether this process made the record, or found it.
    pub(crate) created: Created,
    /// If it was written ahead: for which name's Challenges, and in the `Present` of which value.
    pub(crate) ahead: Option<(Fqdn, TxtValue)>,
}

/// A value of this process that was confirmed, as far as another one at the same name is concerned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Confirmed {
    pub(crate) value: TxtValue,
    pub(crate) at: Instant,
    pub(crate) gone: Option<Instant>,
}

impl Ledger {
    /// A value was written.
    pub(crate) fn wrote(&self, fqdn: &Fqdn, value: &TxtValue, writer: Writer) {
        self.update(fqdn, value, |entry| {
            entry.writer = Some(writer);
            entry.gone = None;
        });
    }

    /// How a value was written, if it was and stands.
    pub(crate) fn writer(&self, fqdn: &Fqdn, value: &TxtValue) -> Option<Writer> {
        self.find(fqdn, value, |entry| entry.writer.clone())
    }

    /// Every value was seen at every name server at `since`.
    pub(crate) fn saw(&self, fqdn: &Fqdn, values: &[TxtValue], since: Instant) {
        for value in values {
            self.update(fqdn, value, |entry| {
                entry.seen = Some(entry.seen.map_or(since, |seen| seen.min(since)));
            });
        }
    }

    /// Since when all the values have been seen.
    pub(crate) fn seen(&self, fqdn: &Fqdn, values: &[TxtValue]) -> Option<Instant> {
        let each = values.iter().map(|value| self.find(fqdn, value, |entry| entry.seen));
        each.collect::<Option<Vec<_>>>()?.into_iter().max()
    }

    /// A value was not served although it was written: it is written again next time, and watched anew.
    pub(crate) fn doubt(&self, fqdn: &Fqdn, value: &TxtValue) {
        self.update(fqdn, value, |entry| {
            entry.writer = None;
            entry.seen = None;
        });
    }

    /// A value was confirmed.
    pub(crate) fn confirmed(&self, fqdn: &Fqdn, value: &TxtValue) {
        self.update(fqdn, value, |entry| entry.confirmed = Some(entry.touched));
    }

    /// A value was deleted.
    pub(crate) fn gone(&self, fqdn: &Fqdn, value: &TxtValue) {
        self.update(fqdn, value, |entry| {
            entry.writer = None;
            entry.seen = None;
            entry.gone = Some(entry.touched);
        });
    }

    /// The values confirmed at a name.
    pub(crate) fn all_confirmed(&self, fqdn: &Fqdn) -> Vec<Confirmed> {
        let names = self.lock();
        let entries = names.get(fqdn).into_iter().flatten();
        entries
            .filter_map(|entry| {
                let at = entry.confirmed?;
                Some(Confirmed { value: entry.value.clone(), at, gone: entry.gone })
            })
            .collect()
    }

    /// The values written ahead that stand, as far as known here.
    pub(crate) fn ahead(&self) -> Vec<(Fqdn, TxtValue, Writer)> {
        let names = self.lock();
        let entries = names.iter().flat_map(|(fqdn, entries)| entries.iter().map(move |entry| (fqdn, entry)));
        entries
            .filter_map(|(fqdn, entry)| {
                let writer = entry.writer.as_ref().filter(|writer| writer.ahead.is_some())?;
                (entry.confirmed.is_none()).then(|| (fqdn.clone(), entry.value.clone(), writer.clone()))
            })
            .collect()
    }

    fn find<T>(&self, fqdn: &Fqdn, value: &TxtValue, pick: impl FnOnce(&Entry) -> Option<T>) -> Option<T> {
        self.lock().get(fqdn)?.iter().find(|entry| entry.value == *value).and_then(pick)
    }

    fn update(&self, fqdn: &Fqdn, value: &TxtValue, change: impl FnOnce(&mut Entry)) {
        let now = Instant::now();
        let mut names = self.lock();
        if names.len() >= MAX_NAMES && !names.contains_key(fqdn) {
            make_room(&mut names, now);
        }
        let entries = names.entry(fqdn.clone()).or_default();
        entries.retain(|entry| entry.value == *value || now < entry.end());
        if !entries.iter().any(|entry| entry.value == *value) {
            entries.push(Entry::new(value.clone(), now));
        }
        if let Some(entry) = entries.iter_mut().find(|entry| entry.value == *value) {
            entry.touched = now;
            change(entry);
        }
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<Fqdn, Vec<Entry>>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Entry {
    fn new(value: TxtValue, now: Instant) -> Self {
        Self { value, writer: None, seen: None, confirmed: None, gone: None, touched: now }
    }

    /// When it has nothing more to say: once no resolver can hold what is gone, or after a day.
    fn end(&self) -> Instant {
        self.gone.map_or(self.touched + MAX_AGE, |gone| gone + KEPT_AFTER_GONE)
    }
}

fn make_room(names: &mut HashMap<Fqdn, Vec<Entry>>, now: Instant) {
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

/// Ten times the names of a large fleet's day; about a kilobyte each.
const MAX_NAMES: usize = 10_000;
/// A challenge that nobody finished in a day is resumed without memory.
const MAX_AGE: Duration = Duration::from_hours(24);
/// The longest time to live of an answer that matters here ("automatic", 300 s), and as much for the delete to spread.
const KEPT_AFTER_GONE: Duration = Duration::from_mins(10);

#[cfg(test)]
mod tests {
    use super::*;
    use crate::secret::Secret;

    #[tokio::test(start_paused = true)]
    async fn what_is_gone_is_remembered_as_long_as_it_matters() {
        let (ledger, fqdn, a) = (Ledger::default(), fqdn("a.example.com"), value("a"));
        ledger.wrote(&fqdn, &a, writer());
        ledger.confirmed(&fqdn, &a);
        ledger.gone(&fqdn, &a);
        assert!(ledger.writer(&fqdn, &a).is_none());
        assert_eq!(ledger.all_confirmed(&fqdn).len(), 1);
        tokio::time::advance(KEPT_AFTER_GONE).await;
        ledger.wrote(&fqdn, &value("b"), writer());
        assert!(ledger.all_confirmed(&fqdn).is_empty());
    }

    #[tokio::test(start_paused = true)]
    async fn seen_means_all_of_them() {
        let (ledger, fqdn) = (Ledger::default(), fqdn("a.example.com"));
        let (a, b) = (value("a"), value("b"));
        let first = Instant::now();
        ledger.saw(&fqdn, std::slice::from_ref(&a), first);
        assert_eq!(ledger.seen(&fqdn, &[a.clone(), b.clone()]), None);
        tokio::time::advance(Duration::from_secs(1)).await;
        ledger.saw(&fqdn, &[a.clone(), b.clone()], Instant::now());
        assert_eq!(ledger.seen(&fqdn, std::slice::from_ref(&a)), Some(first));
        assert_eq!(ledger.seen(&fqdn, &[a, b]), Some(Instant::now()));
    }

    #[tokio::test(start_paused = true)]
    async fn the_number_of_names_is_bounded() {
        let ledger = Ledger::default();
        for n in 0..=MAX_NAMES {
            ledger.wrote(&fqdn(&format!("n{n}.example.com")), &value("a"), writer());
            tokio::time::advance(Duration::from_millis(1)).await;
        }
        assert_eq!(ledger.lock().len(), MAX_NAMES);
        assert!(ledger.writer(&fqdn("n0.example.com"), &value("a")).is_none());
    }

    fn writer() -> Writer {
        Writer {
            credential: Credential::Token(Secret::parse(b"t").unwrap()),
            zone: Zone { id: "0".repeat(32), name: fqdn("example.com"), name_servers: Vec::new() },
            created: Created::New,
            ahead: None,
        }
    }

    fn fqdn(text: &str) -> Fqdn {
        Fqdn::parse(text).unwrap()
    }

    fn value(text: &str) -> TxtValue {
        TxtValue::parse(text).unwrap()
    }
}
