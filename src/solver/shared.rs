//! Names that several challenges share (`example.com` and `*.example.com`, a re-issue, two clusters).
//!
//! The CA asks a name as soon as one of its challenges is confirmed, and its resolver holds what it got for the
//! record's time to live. A value that was not yet served then is not in that answer: the CA would judge the next
//! challenge by it and fail. So a success waits until every such answer has run out, unless its value was served
//! already when the earlier one was confirmed; and to make that the normal case, the first `Present` of a name writes
//! the values of its pending siblings too ("ahead").

use std::time::Duration;

use tokio::time::Instant;

use super::ledger::Confirmed;
use super::mark::Mark;
use super::port::{Challenges, LiveChallenge, Stage};
use crate::challenge::{Challenge, TxtValue};
use crate::deadline::Deadline;

/// Another value at the name that was confirmed when ours may not have been served.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Rival {
    /// When it was deleted, if it was.
    gone: Option<Instant>,
}

/// What is known about the other values at the name of the value that is being presented.
#[derive(Debug)]
pub(crate) struct Evidence<'a> {
    /// The value that is being presented.
    pub(crate) value: &'a TxtValue,
    /// Whether its record was there before.
    pub(crate) found: bool,
    /// When this process wrote it, and whether it had deleted it before.
    pub(crate) written: Option<(Instant, bool)>,
    /// Since when this process has seen it at every name server.
    pub(crate) live_since: Instant,
    /// The mark of its record, where that has been read.
    pub(crate) mark: Option<&'a Mark>,
    /// In which value's `Present` this process wrote it ahead.
    pub(crate) ahead_of: Option<&'a TxtValue>,
    /// The name's Challenges, where they can be watched.
    pub(crate) known: &'a [LiveChallenge],
    /// The values that this process confirmed.
    pub(crate) confirmed: &'a [Confirmed],
    /// Values both served and listed by the API.
    pub(crate) listed: &'a [TxtValue],
}

impl Evidence<'_> {
    /// When no resolver can hold an answer without the value any more; `None` if none ever could, and for a value
    /// without a digest's form, by which no CA judges anything (the conformance suite's are such).
    pub(crate) fn quiet_at(&self, lifetime: Duration) -> Option<Instant> {
        if !self.value.is_digest() {
            return None;
        }
        let expires = |rival: Rival| {
            let last_asked =
                rival.gone.map_or(self.live_since, |gone| self.live_since.min(gone + DELETE_SPREADS));
            last_asked + lifetime
        };
        self.rivals().into_iter().map(expires).chain(self.predecessor_gone()).max()
    }

    /// When an earlier record of the same value, if there was one, is served nowhere any more: until then what is seen may
    /// be that one.
    fn predecessor_gone(&self) -> Option<Instant> {
        let (at, is_renewed) = self.written?;
        let has_ended = |known: &LiveChallenge| {
            known.value == *self.value && matches!(known.stage, Stage::Over { presented: Some(_), .. })
        };
        let is_new = || !self.found && self.known.iter().any(has_ended);
        (is_renewed || is_new()).then_some(at + DELETE_SPREADS)
    }

    fn rivals(&self) -> Vec<Rival> {
        let mut rivals = Vec::new();
        let ours =
            self.confirmed.iter().filter(|other| other.value != *self.value && self.live_since > other.at);
        rivals.extend(ours.map(|other| Rival { gone: other.gone }));
        let with = self.written_with();
        let others = self.known.iter().filter(|other| other.value != *self.value);
        let others = others.filter(|other| !self.is_ours(&other.value));
        rivals.extend(
            others.filter(|other| !with.is_some_and(|with| is_no_earlier(other, with))).filter_map(rival),
        );
        let strangers = self.listed.iter().filter(|value| *value != self.value && !self.is_explained(value));
        rivals.extend(strangers.map(|_| Rival { gone: None }));
        rivals
    }

    /// The Challenge in whose `Present`, which confirms all the values it writes, ours was written ahead: it was served
    /// when that one was confirmed, and whenever one was later. Whether it was when one was confirmed before, is not known.
    fn written_with(&self) -> Option<&LiveChallenge> {
        // Of a value that was presented twice nobody knows which time it was.
        let is_once = |value: &TxtValue| self.known.iter().filter(|other| other.value == *value).count() == 1;
        self.known.iter().filter(|other| has_been_presented(other) && is_once(&other.value)).find(|other| {
            self.mark.is_some_and(|mark| mark.is_with(&other.value)) || self.ahead_of == Some(&other.value)
        })
    }

    /// Whether this process confirmed the value itself, and so knows exactly when.
    fn is_ours(&self, value: &TxtValue) -> bool {
        self.confirmed.iter().any(|other| other.value == *value)
    }

    fn is_explained(&self, value: &TxtValue) -> bool {
        self.is_ours(value) || self.known.iter().any(|other| other.value == *value)
    }
}

/// The pending siblings of a challenge: same name, namespace, solver and configuration, so that their `Present` would
/// write to the same place with the same credential. None unless the challenge itself is one of the cluster's.
pub(crate) fn pending_siblings(
    challenge: &Challenge,
    solver: &[u8; 32],
    known: &[LiveChallenge],
) -> Vec<TxtValue> {
    let is_own = |other: &&LiveChallenge| other.value == challenge.value && other.solver == *solver;
    let Some(namespace) = only_namespace(known.iter().filter(is_own), &challenge.namespace) else {
        return Vec::new();
    };
    let is_sibling = |other: &&LiveChallenge| {
        other.value != challenge.value
            && other.solver == *solver
            && other.namespace == namespace
            && other.stage == Stage::Pending
    };
    let mut values: Vec<_> = known.iter().filter(is_sibling).map(|other| other.value.clone()).collect();
    values.sort();
    values.dedup();
    values.truncate(MAX_SIBLINGS);
    values
}

/// What is known of a name's Challenges, where a pending one counts as presented just now unless the API server says
/// otherwise, or this request wrote its value: the watch may lag behind another replica that has just confirmed it.
pub(crate) async fn up_to_date(
    challenges: &impl Challenges,
    mut known: Vec<LiveChallenge>,
    is_new: impl Fn(&TxtValue) -> bool,
    deadline: Deadline,
) -> Vec<LiveChallenge> {
    let doubtful = |known: &LiveChallenge| known.stage == Stage::Pending && !is_new(&known.value);
    let values: Vec<_> =
        known.iter().filter(|known| doubtful(known)).map(|known| known.value.clone()).collect();
    if values.is_empty() {
        return known;
    }
    let read = challenges.read(&values, deadline).await.unwrap_or_default();
    for challenge in known.iter_mut().filter(|known| doubtful(known)) {
        let now = read.iter().find(|read| read.uid == challenge.uid);
        challenge.stage = now.map_or(Stage::Presented(Some(Instant::now())), |now| now.stage);
    }
    known
}

/// The namespace that a request comes from: the Issuer's own, or for a `ClusterIssuer` the only one with such a
/// Challenge. Values are public once served, and whoever copies one into a Challenge of another namespace must not have
/// his own values written with the credential of the first.
fn only_namespace<'a>(
    candidates: impl Iterator<Item = &'a LiveChallenge>,
    of_issuer: &str,
) -> Option<&'a str> {
    let mut namespaces: Vec<_> = candidates.map(|challenge| challenge.namespace.as_str()).collect();
    namespaces.sort_unstable();
    namespaces.dedup();
    match namespaces.as_slice() {
        [only] => Some(only),
        several => several.iter().find(|namespace| **namespace == of_issuer).copied(),
    }
}

fn rival(challenge: &LiveChallenge) -> Option<Rival> {
    match challenge.stage {
        Stage::Presented(_) => Some(Rival { gone: None }),
        Stage::Over { at, presented: Some(_) } => Some(Rival { gone: Some(at) }),
        Stage::Pending | Stage::Over { presented: None, .. } => None,
    }
}

/// Whether a Challenge was presented no earlier than another one that was.
fn is_no_earlier(challenge: &LiveChallenge, than: &LiveChallenge) -> bool {
    // `None` is before the watch began.
    let presented = |challenge: &LiveChallenge| match challenge.stage {
        Stage::Presented(at) => at,
        Stage::Over { presented, .. } => presented.flatten(),
        Stage::Pending => None,
    };
    challenge.value == than.value || presented(challenge).is_some_and(|at| Some(at) >= presented(than))
}

fn has_been_presented(challenge: &LiveChallenge) -> bool {
    rival(challenge).is_some()
}

/// How long after our delete a name server may still serve a value.
const DELETE_SPREADS: Duration = Duration::from_secs(30);

/// One certificate has two challenges of a name; re-issues at the same moment add some. The sum of a name's values
/// must stay under 8,192 characters.
const MAX_SIBLINGS: usize = 16;

#[cfg(test)]
mod tests;
