//! The changes of a zone that wait for a call, and how many of them one may carry.

use std::time::Duration;

use tokio::sync::oneshot;
use tokio::time::Instant;

use super::op::{self, Change, Op, Verdict};
use crate::cloudflare::budget::Urgency;
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::solver::error::{Cause, Error};

/// What waits, and what is on its way.
pub(super) struct Queue {
    waiting: Vec<Op>,
    /// The changes that are on their way, by number: those that make a record.
    flying: Vec<(u64, Fqdn)>,
    /// Whether a task makes the calls.
    is_running: bool,
    numbers: u64,
    /// Changes that one call may carry.
    most: usize,
    /// Whether more than [`FREE_PLAN`] have been refused.
    is_limited: bool,
    /// Until when each change has a call of its own.
    singly_until: Option<Instant>,
}

/// A change that has entered, or another one's in its stead.
pub(super) struct Entered {
    /// Of the change that waits.
    pub(super) number: u64,
    /// What becomes of it.
    pub(super) verdict: oneshot::Receiver<Verdict>,
    pub(super) how: How,
}

/// How a change came in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum How {
    /// One like it waited already.
    Joined,
    /// Behind others, or while calls are made.
    Behind,
    /// Nobody makes calls yet.
    First,
}

impl Queue {
    pub(super) fn new() -> Self {
        Self {
            waiting: Vec::new(),
            flying: Vec::new(),
            is_running: false,
            numbers: 0,
            most: FREE_PLAN,
            is_limited: false,
            singly_until: None,
        }
    }

    pub(super) fn len(&self) -> usize {
        self.waiting.len()
    }

    /// The number of the last change that came.
    pub(super) fn last(&self) -> u64 {
        self.numbers
    }

    /// One more, or one more who waits for one like it. One that nobody waits for any more makes way: its comment may be
    /// another.
    pub(super) fn enter(&mut self, change: Change, deadline: Deadline) -> Result<Entered, Error> {
        if let Some(twin) = op::twin(&mut self.waiting, &change) {
            let number = twin.number;
            if twin.is_wanted() {
                return Ok(Entered { number, verdict: twin.join(deadline), how: How::Joined });
            }
            self.waiting.retain(|op| op.number != number);
        }
        if self.waiting.len() >= MOST_WAITING {
            return Err(Error::new(Cause::RateLimited, "too many changes wait for this zone"));
        }
        self.numbers += 1;
        let number = self.numbers;
        let mut op = Op::new(change, number, deadline);
        let verdict = op.join(deadline);
        self.waiting.push(op);
        let how = if std::mem::replace(&mut self.is_running, true) { How::Behind } else { How::First };
        Ok(Entered { number, verdict, how })
    }

    /// What the most urgent change that waits is for; `None`, and no more calls, if none waits.
    pub(super) fn urgency(&mut self) -> Option<Urgency> {
        self.waiting.retain(Op::is_wanted);
        self.is_running = !self.waiting.is_empty();
        let is_urgent = self.waiting.iter().any(|op| op.change.is_post());
        self.is_running.then_some(if is_urgent { Urgency::Present } else { Urgency::CleanUp })
    }

    /// What the next call carries.
    pub(super) fn take(&mut self, now: Instant) -> Vec<Op> {
        self.waiting.retain(Op::is_wanted);
        let is_single = self.singly_until.is_some_and(|until| now < until);
        let ops = op::take(&mut self.waiting, if is_single { 1 } else { self.most });
        let making = ops.iter().filter(|op| op.change.is_post());
        self.flying = making.map(|op| (op.number, op.change.fqdn().clone())).collect();
        ops
    }

    /// The call and all that followed from it have come to their end.
    pub(super) fn land(&mut self) {
        self.flying.clear();
    }

    /// Those of a call that was not made: what is to go waits again.
    pub(super) fn put_back(&mut self, group: Vec<Op>) {
        self.waiting.extend(group.into_iter().filter(|op| !op.change.is_post()));
        self.waiting.sort_by_key(|op| op.number);
    }

    /// The task that makes the calls has died: what waited is told, for its senders are dropped.
    pub(super) fn abandon(&mut self) {
        self.is_running = false;
        self.flying.clear();
        self.waiting.clear();
    }

    pub(super) fn is_running(&self) -> bool {
        self.is_running
    }

    pub(super) fn is_waiting(&self, number: u64) -> bool {
        self.waiting.iter().any(|op| op.number == number)
    }

    /// Whether one of the first `before` changes is to make a record at the name.
    pub(super) fn is_making(&self, fqdn: &Fqdn, before: u64) -> bool {
        let waiting = self.waiting.iter().filter(|op| op.change.is_post() && op.is_wanted());
        let waiting = waiting.map(|op| (op.number, op.change.fqdn()));
        let flying = self.flying.iter().map(|(number, fqdn)| (*number, fqdn));
        waiting.chain(flying).any(|(number, name)| number <= before && name == fqdn)
    }

    /// Batches are refused where single changes may not be: each has a call of its own for a while.
    pub(super) fn go_singly(&mut self, now: Instant) {
        self.singly_until = Some(now + SINGLY);
    }

    /// It was no matter of batches.
    pub(super) fn go_together(&mut self) {
        self.singly_until = None;
    }

    /// More than went through so far may go through, on a larger plan.
    pub(super) fn learn_size(&mut self, changes: usize) {
        if changes == self.most && !self.is_limited {
            self.most = (self.most * 2).min(LARGEST_PLAN);
        }
    }

    /// No more than what every plan allows, for ever.
    pub(super) fn limit_size(&mut self) {
        (self.most, self.is_limited) = (FREE_PLAN, true);
    }
}

/// Changes in one call on the free plan; more are tried where so many went through, up to what other plans allow
/// (<https://developers.cloudflare.com/dns/manage-dns-records/how-to/batch-record-changes/>).
pub(super) const FREE_PLAN: usize = 200;
const LARGEST_PLAN: usize = 3500;
/// Changes that wait for one zone, about 500 bytes each.
const MOST_WAITING: usize = 4096;
/// How long it is remembered that a batch was refused where a change alone was not.
pub(super) const SINGLY: Duration = Duration::from_hours(1);

#[cfg(test)]
mod tests;
