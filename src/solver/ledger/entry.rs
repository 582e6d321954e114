//! What is remembered of one value that one credential wrote.

use std::time::Duration;

use tokio::time::Instant;

use crate::challenge::TxtValue;
use crate::issuer::CredentialSource;
use crate::name::Fqdn;
use crate::secret::{Credential, CredentialId};
use crate::solver::port::{Created, Zone};

/// Which record: its name and value, and what it is written with.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Key<'a> {
    pub(crate) fqdn: &'a Fqdn,
    pub(crate) value: &'a TxtValue,
    pub(crate) credential: CredentialId,
}

/// What is remembered, each since when.
#[derive(Debug)]
pub(super) struct Entry {
    pub(super) value: TxtValue,
    pub(super) credential: CredentialId,
    /// Apart, for most entries are of values that are gone.
    pub(super) writer: Option<Box<Writer>>,
    /// Since when it is being written ahead, and how: whoever asked for that may be gone before the answer is there.
    pub(super) intended: Option<(Instant, Box<Writer>)>,
    /// When it was written; `None` once that is in doubt.
    pub(super) stands_since: Option<Instant>,
    pub(super) seen: Option<Instant>,
    /// As the record that stands.
    pub(super) confirmed: Option<Instant>,
    /// The first time, of whatever record of the value: the CA may have asked since then.
    pub(super) first_confirmed: Option<Instant>,
    pub(super) gone: Option<Instant>,
    /// When it was written anew, or found to be, after it had gone.
    pub(super) renewed: Option<Instant>,
    /// The Challenges that were known when it went by a `CleanUp`.
    pub(super) cleaned_for: Vec<String>,
    pub(super) touched: Instant,
}

/// How a value was written, and so how it can be removed.
#[derive(Debug, Clone)]
pub(crate) struct Writer {
    /// What wrote it.
    pub(crate) credential: Credential,
    /// Where.
    pub(crate) zone: Zone,
    /// Whose Secrets it was written for.
    pub(crate) namespace: String,
    /// Whether this process made the record, or found it.
    pub(crate) created: Created,
    /// Its id, if this process made it.
    pub(crate) id: Option<String>,
    /// If it was written ahead.
    pub(crate) ahead: Option<Box<Ahead>>,
}

/// For what a value was written ahead.
#[derive(Debug, Clone)]
pub(crate) struct Ahead {
    /// The name's Challenges.
    pub(crate) name: Fqdn,
    /// In the `Present` of which value.
    pub(crate) with: TxtValue,
    /// Where another credential is found, if the one that wrote it is replaced before the value is to go.
    pub(crate) source: CredentialSource,
}

impl Entry {
    pub(super) fn new(key: Key<'_>, now: Instant) -> Self {
        Self {
            value: key.value.clone(),
            credential: key.credential,
            writer: None,
            intended: None,
            stands_since: None,
            seen: None,
            confirmed: None,
            first_confirmed: None,
            gone: None,
            renewed: None,
            cleaned_for: Vec::new(),
            touched: now,
        }
    }

    pub(super) fn is(&self, key: Key<'_>) -> bool {
        self.credential == key.credential && self.value == *key.value
    }

    /// Whether it is of the same value in the zone, and of another credential.
    pub(super) fn is_twin(&self, key: Key<'_>, zone: &Zone) -> bool {
        let is_there = |writer: &Writer| writer.zone.id == zone.id;
        self.credential != key.credential
            && self.value == *key.value
            && self.writer.as_deref().is_some_and(is_there)
    }

    /// Its records that were there at `begun` were deleted; see [`Ledger::gone`].
    pub(super) fn deleted(&mut self, ids: &[&str], begun: Instant) {
        self.intended = self.intended.take().filter(|(since, _)| *since >= begun);
        let since = self.stands_since;
        let stands = |writer: &Writer| match &writer.id {
            Some(id) => since >= Some(begun) && !ids.contains(&id.as_str()),
            None => since > Some(begun),
        };
        if self.writer.as_deref().is_some_and(stands) {
            return;
        }
        self.writer = None;
        self.stands_since = None;
        self.seen = None;
        self.gone = Some(self.touched);
    }

    /// When it has nothing more to say: once no resolver can hold what is gone, or after a day.
    pub(super) fn end(&self) -> Instant {
        self.gone.map_or(self.touched + MAX_AGE, |gone| gone + KEPT_AFTER_GONE)
    }
}

/// A challenge that nobody finished in a day is resumed without memory.
const MAX_AGE: Duration = Duration::from_hours(24);
/// The longest time to live of an answer that matters here ("automatic", 300 s), and as much for the delete to spread.
pub(super) const KEPT_AFTER_GONE: Duration = Duration::from_mins(10);
