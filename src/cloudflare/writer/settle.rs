//! Calls whose effect is not certain: Cloudflare is asked what stands, before anything is repeated.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::time::Duration;

use tokio::time::{Instant, sleep};
use tracing::info;

use super::commit::Next;
use super::op::{Change, Done, Op};
use super::{Failure, Writer};
use crate::cloudflare::api::PAUSES;
use crate::cloudflare::error::Kind;
use crate::cloudflare::exchange::Exchange;
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::solver::port::{Created, Deleted, Made, Record};

impl<X: Exchange> Writer<X> {
    /// There was no answer, or none that can be used. What has not been carried out is sent again, twice at most.
    pub(super) async fn again(&self, mut group: Vec<Op>, failure: Failure) -> Next {
        let is_lost = failure.kind == Kind::Unavailable { unsent: false };
        for op in &mut group {
            op.tries += 1;
            op.lost |= is_lost;
        }
        // A delete alone tells by itself, the second time, that it was carried out the first time.
        if is_lost && (group.len() > 1 || group.iter().any(|op| op.change.is_post())) {
            group = match self.settle(group).await {
                Ok(rest) => rest,
                Err((group, failure)) => return self.refuse(group, failure),
            };
        }
        let tries = group.iter().map(|op| op.tries).max().unwrap_or_default();
        let Some(pause) = tries.checked_sub(1).and_then(|tries| PAUSES.get(tries)) else {
            return self.refuse(group, failure);
        };
        let resumed = Instant::now() + *pause;
        let verdict = Err(self.records.error(failure));
        for op in group.iter_mut().filter(|op| op.deadline.instant() < resumed) {
            op.tell(&verdict);
        }
        group.retain(Op::is_wanted);
        if group.is_empty() {
            return Next::Groups(Vec::new());
        }
        sleep(*pause).await;
        Next::Groups(vec![group])
    }

    /// A batch failed because some of its changes were not needed: those are done, and the others go on.
    pub(super) async fn settle_or_split(&self, group: Vec<Op>, failure: Failure) -> Next {
        let count = group.len();
        info!(zone = %self.records.zone.name, changes = count, detail = failure.detail, "a batch is settled by reading back");
        match self.settle(group).await {
            Ok(rest) if rest.len() < count => Next::Groups(vec![rest]),
            Ok(rest) => Next::Groups(self.split(rest)),
            Err((group, failure)) => self.refuse(group, failure),
        }
    }

    /// Gives those their verdict whose change is seen to stand; returns the others.
    async fn settle(&self, group: Vec<Op>) -> Result<Vec<Op>, (Vec<Op>, Failure)> {
        let names: BTreeSet<_> = group.iter().map(|op| op.change.fqdn().clone()).collect();
        let standing = match self.records.read(None, &names, Deadline::within(FLIGHT)).await {
            Ok(standing) => standing,
            Err(failure) => return Err((group, failure)),
        };
        // What one of them is to delete tells nothing of what another is to make after it.
        let doomed: HashSet<String> =
            group.iter().filter_map(|op| op.change.id().map(str::to_owned)).collect();
        let mut rest = Vec::new();
        for mut op in group {
            let Some(done) = seen(&op, &standing, &doomed) else {
                rest.push(op);
                continue;
            };
            info!(zone = %self.records.zone.name, fqdn = %op.change.fqdn(), ?done, "a change was seen to stand");
            op.tell(&Ok(done));
        }
        Ok(rest)
    }
}

/// What the records that stand say of a change.
fn seen(op: &Op, standing: &HashMap<Fqdn, Vec<Record>>, doomed: &HashSet<String>) -> Option<Done> {
    let records = standing.get(op.change.fqdn()).map(Vec::as_slice).unwrap_or_default();
    match &op.change {
        Change::Post { record, .. } => {
            let mut lasting = records.iter().filter(|found| !doomed.contains(&found.id));
            let found = lasting.find(|found| found.value == record.value.as_str())?;
            Some(Done::Made(if op.lost {
                Made { created: Created::New, id: Some(found.id.clone()) }
            } else {
                Made { created: Created::Existing, id: None }
            }))
        }
        Change::Delete { id, .. } => {
            let is_gone = !records.iter().any(|record| record.id == *id);
            is_gone.then_some(Done::Deleted(Deleted::Before))
        }
    }
}

/// For a call with its repeats, or a list with all its pages, that nobody in particular waits for.
pub(super) const FLIGHT: Duration = Duration::from_secs(40);
