//! A change of a zone's records with those who wait for its verdict, and which of them go into the next call.

use std::collections::{HashMap, HashSet};

use tokio::sync::oneshot;

use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::solver::error::Error;
use crate::solver::port::{Deleted, Made, NewRecord};

/// What is to be changed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cloudflare) enum Change {
    /// A record is to be made.
    Post { fqdn: Fqdn, record: NewRecord },
    /// A record is to be deleted.
    Delete { fqdn: Fqdn, value: String, id: String },
}

/// What came of a change.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(in crate::cloudflare) enum Done {
    Made(Made),
    Deleted(Deleted),
}

pub(in crate::cloudflare) type Verdict = Result<Done, Error>;

/// A change that waits, or is on its way.
#[derive(Debug)]
pub(super) struct Op {
    pub(super) change: Change,
    /// In the order of arrival.
    pub(super) number: u64,
    /// When the last of those who wait will have left.
    pub(super) deadline: Deadline,
    waiters: Vec<oneshot::Sender<Verdict>>,
    /// A call that carried it was not answered, and may have been carried out.
    pub(super) lost: bool,
    /// Calls that carried it and came to nothing.
    pub(super) tries: usize,
}

impl Change {
    pub(super) fn fqdn(&self) -> &Fqdn {
        match self {
            Self::Post { fqdn, .. } | Self::Delete { fqdn, .. } => fqdn,
        }
    }

    pub(super) fn value(&self) -> &str {
        match self {
            Self::Post { record, .. } => record.value.as_str(),
            Self::Delete { value, .. } => value,
        }
    }

    /// Of the record that is to be deleted.
    pub(super) fn id(&self) -> Option<&str> {
        match self {
            Self::Post { .. } => None,
            Self::Delete { id, .. } => Some(id),
        }
    }

    pub(super) fn is_post(&self) -> bool {
        matches!(self, Self::Post { .. })
    }

    /// Whether one call serves both.
    fn is_same(&self, other: &Self) -> bool {
        match (self, other) {
            (Self::Post { .. }, Self::Post { .. }) => self.record() == other.record(),
            (Self::Delete { id, .. }, Self::Delete { id: other, .. }) => id == other,
            _ => false,
        }
    }

    fn record(&self) -> (&Fqdn, &str) {
        (self.fqdn(), self.value())
    }
}

impl Op {
    pub(super) fn new(change: Change, number: u64, deadline: Deadline) -> Self {
        Self { change, number, deadline, waiters: Vec::new(), lost: false, tries: 0 }
    }

    /// One more waits for it.
    pub(super) fn join(&mut self, deadline: Deadline) -> oneshot::Receiver<Verdict> {
        let (sender, receiver) = oneshot::channel();
        self.deadline = self.deadline.max(deadline);
        self.waiters.push(sender);
        receiver
    }

    /// Whether it is still to be sent: nobody wants a record for which nobody waits, and none is made after the
    /// deadline. What was to go has to go all the same.
    pub(super) fn is_wanted(&self) -> bool {
        let is_awaited = || self.waiters.iter().any(|waiter| !waiter.is_closed());
        !self.change.is_post() || (is_awaited() && !self.deadline.is_over())
    }

    /// Tells all who wait; that one of them has left is nothing to anybody.
    pub(super) fn tell(&mut self, verdict: &Verdict) {
        for waiter in self.waiters.drain(..) {
            let _ = waiter.send(verdict.clone());
        }
    }
}

/// Finds the change that one like it may join: the last at its record, if that is the same.
pub(super) fn twin<'a>(waiting: &'a mut [Op], change: &Change) -> Option<&'a mut Op> {
    let last = waiting.iter_mut().rfind(|op| op.change.record() == change.record())?;
    last.change.is_same(change).then_some(last)
}

/// Takes what goes into the next call, `most` changes at most: those that make a record first, each kind in the order of
/// arrival; where each has a call of its own, all in the order of arrival. A call deletes before it makes
/// (<https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/>), so a delete that
/// came after the making of the same record has to wait for the next, and a making takes the deletes before it along.
pub(super) fn take(waiting: &mut Vec<Op>, most: usize) -> Vec<Op> {
    let mut before: HashMap<(&Fqdn, &str), Before> = HashMap::new();
    // Changes with the deletes that they must not overtake.
    let (mut first, mut then) = (Vec::new(), Vec::new());
    for op in waiting.iter() {
        let before = before.entry(op.change.record()).or_default();
        if op.change.is_post() {
            before.is_made = true;
            let list = if before.deletes.is_empty() { &mut first } else { &mut then };
            list.push((op.number, before.deletes.clone()));
        } else {
            before.deletes.push(op.number);
            if !before.is_made {
                then.push((op.number, Vec::new()));
            }
        }
    }
    first.extend(then);
    if most == 1 {
        // One by one, nothing may be passed over for long.
        first.sort_by_key(|(number, _)| *number);
    }
    let mut chosen = HashSet::new();
    for (number, deletes) in first {
        if chosen.len() == most {
            break;
        }
        if deletes.iter().all(|delete| chosen.contains(delete)) {
            chosen.insert(number);
        }
    }
    let mut taken: Vec<_> = waiting.extract_if(.., |op| chosen.contains(&op.number)).collect();
    taken.sort_by_key(|op| (op.change.is_post(), op.number));
    taken
}

/// The changes of a record that came before another.
#[derive(Default)]
struct Before {
    is_made: bool,
    deletes: Vec<u64>,
}

#[cfg(test)]
pub(super) mod tests;
