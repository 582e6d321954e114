//! A call that carries changes, and what follows from its answer: verdicts, or other calls.
//!
//! A batch is a transaction whose error names no item. So where it says that something is or isn't there, one list shows
//! what; where it says no for another reason, it is cut in halves until who is to blame is alone. What is refused to all
//! alike (a token that is revoked, a zone that is gone) is asked once, not once for each.

use serde::de::{DeserializeOwned, IgnoredAny};
use tokio::time::Instant;
use tracing::{info, warn};

use super::Writer;
use super::op::{Change, Done, Op};
use super::queue::FREE_PLAN;
use super::settle::FLIGHT;
use crate::cloudflare::budget::{Permit, Urgency};
use crate::cloudflare::error::{Failure, Kind};
use crate::cloudflare::exchange::{Call, Exchange};
use crate::cloudflare::records::Astray;
use crate::cloudflare::wire::{BatchResult, RecordObject};
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::solver::port::{Created, Deleted, Made, NewRecord};

impl<X: Exchange> Writer<X> {
    /// Brings each change to its verdict, with this call and as many more as that takes.
    pub(super) async fn commit(&self, permit: Permit, ops: Vec<Op>) {
        let mut permit = Some(permit);
        // The next one last.
        let mut groups = vec![ops];
        while let Some(mut group) = groups.pop() {
            if group.is_empty() {
                continue;
            }
            let right = match permit.take() {
                Some(permit) => permit,
                None => self.budget.permit(Urgency::Present).await,
            };
            // The wait may have been long.
            group.retain(Op::is_wanted);
            if group.is_empty() {
                permit = Some(right);
                continue;
            }
            let count = u32::try_from(group.len()).unwrap_or(u32::MAX);
            self.records.api.metrics.cloudflare.writes.observe(count.into());
            let next = match <[Op; 1]>::try_from(group) {
                Ok([op]) => self.send_alone(right, op).await,
                Err(group) => self.send_together(right, group).await,
            };
            match next {
                Next::Groups(next) => groups.extend(next.into_iter().rev()),
                Next::Refused(failure) => self.refuse_rest(&mut groups, &failure),
            }
        }
    }

    async fn send_together(&self, permit: Permit, group: Vec<Op>) -> Next {
        let call = match self.records.batch(group.iter().map(|op| &op.change)) {
            Ok(call) => call,
            Err(failure) => return self.refuse(group, failure),
        };
        let sent = self.call::<BatchResult>(permit, &call).await;
        let failure = match sent {
            Ok(result) => match result.records(group.iter().filter(|op| op.change.is_post()).count()) {
                Some(made) => {
                    self.lock().learn_size(group.len());
                    return self.batched(group, made).await;
                }
                None => Failure::unreadable("a batch of another size came back"),
            },
            Err(failure) => failure,
        };
        match failure.kind {
            Kind::Unavailable { .. } => self.again(group, failure).await,
            Kind::Identical | Kind::NoRecord => self.settle_or_split(group, failure).await,
            Kind::NoRoute | Kind::Denied | Kind::NotFound => {
                info!(zone = %self.records.zone.name, detail = failure.detail, "a batch is refused; each change goes alone");
                self.lock().go_singly(Instant::now());
                Next::Groups(group.into_iter().map(|op| vec![op]).collect())
            }
            Kind::Quota | Kind::Refused(_) => Next::Groups(self.split(group)),
            _ => self.refuse(group, failure),
        }
    }

    async fn send_alone(&self, permit: Permit, mut op: Op) -> Next {
        let failure = match op.change.clone() {
            Change::Post { fqdn, record } => {
                let call = match self.records.post(&fqdn, &record) {
                    Ok(call) => call,
                    Err(failure) => return self.refuse(vec![op], failure),
                };
                match self.call::<RecordObject>(permit, &call).await {
                    Ok(RecordObject { name: Some(name), id, .. }) => {
                        let made = self.records.check(&fqdn, &name, id);
                        self.posted(op, made).await;
                        return Next::done();
                    }
                    Ok(_) => Failure::unreadable("the new record has no name"),
                    Err(failure) if failure.kind == Kind::Identical => {
                        let created = if op.lost { Created::New } else { Created::Existing };
                        let made = self.existing(&fqdn, &record, created).await;
                        self.posted(op, made).await;
                        return Next::done();
                    }
                    Err(failure) => failure,
                }
            }
            Change::Delete { id, .. } => {
                let call = match self.records.removal(&id) {
                    Ok(call) => call,
                    Err(failure) => return self.refuse(vec![op], failure),
                };
                match self.call::<IgnoredAny>(permit, &call).await {
                    Ok(_) => {
                        info!(zone = %self.records.zone.name, id, "Deleted a record");
                        op.tell(&Ok(Done::Deleted(Deleted::Now)));
                        return Next::done();
                    }
                    // By an earlier call of this one that was not answered, or by somebody else: who knows.
                    Err(failure) if matches!(failure.kind, Kind::NoRecord | Kind::NotFound) => {
                        op.tell(&Ok(Done::Deleted(Deleted::Before)));
                        return Next::done();
                    }
                    Err(failure) => failure,
                }
            }
        };
        if failure.kind.may_pass() {
            self.again(vec![op], failure).await
        } else {
            self.refuse(vec![op], failure)
        }
    }

    async fn call<T: DeserializeOwned>(&self, permit: Permit, call: &Call) -> Result<T, Failure> {
        let deadline = Deadline::within(FLIGHT);
        let reply = self.records.api.once::<T>(permit, &self.records.credential, call, deadline).await?;
        Ok(reply.result)
    }

    /// All went through; `made` are the new records, in the order of the changes.
    async fn batched(&self, group: Vec<Op>, made: Vec<RecordObject>) -> Next {
        info!(zone = %self.records.zone.name, changes = group.len(), made = made.len(), "Changed records");
        let mut made = made.into_iter();
        for mut op in group {
            let Change::Post { fqdn, .. } = &op.change else {
                op.tell(&Ok(Done::Deleted(Deleted::Now)));
                continue;
            };
            let object = made.next();
            let name = object.as_ref().and_then(|object| object.name.as_deref()).unwrap_or_default();
            let id = object.as_ref().and_then(|object| object.id.clone());
            let made = self.records.check(fqdn, name, id);
            self.posted(op, made).await;
        }
        Next::done()
    }

    async fn existing(&self, fqdn: &Fqdn, record: &NewRecord, created: Created) -> Result<Made, Box<Astray>> {
        let deadline = Deadline::within(FLIGHT);
        self.records.existing(fqdn, record, created, deadline).await
    }

    /// Tells what became of a record, and then removes what was made in its stead.
    async fn posted(&self, mut op: Op, made: Result<Made, Box<Astray>>) {
        match made {
            Ok(made) => op.tell(&Ok(Done::Made(made))),
            Err(astray) => {
                op.tell(&Err(astray.error));
                if let Some(id) = astray.litter {
                    self.records.remove_misplaced(&id).await;
                }
            }
        }
    }

    /// The same for all of them. A delete that was not carried out because no call may be made stays.
    pub(super) fn refuse(&self, mut group: Vec<Op>, failure: Failure) -> Next {
        let verdict = Err(self.records.error(failure.clone()));
        for op in &mut group {
            op.tell(&verdict);
        }
        if failure.kind == Kind::Limited {
            self.counted(|queue| queue.put_back(group));
        }
        Next::Refused(failure)
    }

    /// Refuses the groups that would fare alike, if any would.
    fn refuse_rest(&self, groups: &mut Vec<Vec<Op>>, failure: &Failure) {
        if failure.kind.is_of_all() {
            if matches!(failure.kind, Kind::Denied | Kind::NotFound | Kind::NoZone) {
                self.lock().go_together();
            }
            let rest: Vec<_> = groups.drain(..).flatten().collect();
            self.refuse(rest, failure.clone());
        } else if failure.kind == Kind::Quota {
            let full = |op: &mut Op| op.change.is_post();
            for group in groups.iter_mut() {
                let posts: Vec<_> = group.extract_if(.., full).collect();
                self.refuse(posts, failure.clone());
            }
        }
    }

    /// In halves; one that was larger than any plan's smallest, in parts of that size, and for ever.
    pub(super) fn split(&self, mut group: Vec<Op>) -> Vec<Vec<Op>> {
        let size = if group.len() > FREE_PLAN {
            self.lock().limit_size();
            warn!(zone = %self.records.zone.name, changes = group.len(), "a large batch is refused");
            FREE_PLAN
        } else {
            group.len().div_ceil(2)
        };
        let mut parts = Vec::new();
        while group.len() > size {
            let rest = group.split_off(size);
            parts.push(std::mem::replace(&mut group, rest));
        }
        parts.push(group);
        parts
    }
}

/// What is to be done after a call.
pub(super) enum Next {
    /// These, in this order.
    Groups(Vec<Vec<Op>>),
    /// Nothing; others may fare alike.
    Refused(Failure),
}

impl Next {
    fn done() -> Self {
        Self::Groups(Vec::new())
    }
}
