//! Asks resolvers over HTTPS where the authority can't be asked: two operators must have the values.
//!
//! A resolver that is asked before the record is there answers "no such name" for up to half an hour
//! (<https://www.rfc-editor.org/rfc/rfc2308#section-5>; Cloudflare's `minimum` is 1800 s). So nobody is asked before
//! the record is live by any reckoning, one operator after the other, those not yet asked being kept in reserve; and a
//! "no" is no proof of anything, but a reason not to ask that operator again before its answer is over.

use std::fmt::Write;
use std::time::Duration;

use tokio::time::Instant;

use super::https::{Https, HttpsError, Told};
use crate::challenge::TxtValue;
use crate::deadline::Deadline;
use crate::expiring::Expiring;
use crate::name::Fqdn;
use crate::solver::port::Sighting;

/// Which operator may go on to deny a name, and until when.
#[derive(Debug)]
pub(super) struct Denials(Expiring<(usize, Fqdn), Instant>);

impl Denials {
    /// None yet.
    pub(super) fn new() -> Self {
        Self(Expiring::new(CAPACITY))
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.0.len()
    }
}

/// A wait for two operators to have the values.
#[derive(Debug)]
pub(super) struct Quorum<'a, H> {
    pub(super) https: &'a H,
    pub(super) denials: &'a Denials,
    pub(super) fqdn: &'a Fqdn,
    pub(super) values: &'a [TxtValue],
    /// When the API said that the record is written, as near as is known.
    pub(super) written: Instant,
    /// When the values were first seen live, if they were.
    pub(super) seen: Option<Instant>,
    /// How long the zone's records usually take.
    pub(super) usual: Option<Duration>,
    /// How long they must have been live.
    pub(super) settle: Duration,
    /// When to give up.
    pub(super) deadline: Deadline,
}

/// Why two did not have them. The texts are for the log.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Shortfall {
    /// Nobody answered.
    Unreached(String),
    /// Some answered.
    Unconfirmed(String),
    /// There is nobody to trust.
    Roots(String),
}

/// What is known of an operator.
#[derive(Debug, Clone)]
struct Witness {
    /// When it may be asked next.
    free: Instant,
    said: Said,
}

#[derive(Debug, Clone)]
enum Said {
    Nothing,
    /// It has the values, and these others.
    Yes(Vec<String>),
    No,
    Failed(String),
}

impl<H: Https> Quorum<'_, H> {
    /// Waits for the second operator that has the values.
    pub(super) async fn run(self) -> Result<Sighting, Shortfall> {
        let mut next = match self.seen {
            Some(seen) => seen + self.settle,
            None => self.written + blind(self.usual),
        };
        let mut witnesses = self.witnesses();
        loop {
            let Some((operator, at)) = whose_turn(&witnesses, next) else {
                return Err(self.shortfall(&witnesses));
            };
            if self.deadline.sleep_until(at).await.is_err() {
                return Err(self.shortfall(&witnesses));
            }
            let Ok(told) = self.deadline.run(self.https.ask(operator, self.fqdn)).await else {
                return Err(self.shortfall(&witnesses));
            };
            let now = Instant::now();
            let (witness, pause) = match told {
                Ok(told) => self.hear(operator, &told, now),
                Err(HttpsError::Roots(why)) => return Err(Shortfall::Roots(why)),
                Err(HttpsError::Failed(why)) => {
                    (Witness { free: now + RETRY, said: Said::Failed(why) }, Duration::ZERO)
                }
            };
            tracing::debug!(fqdn = %self.fqdn, operator = self.name(operator), ?witness, "resolver asked");
            if let Some(known) = witnesses.get_mut(operator) {
                *known = witness;
            }
            if let Some(sighting) = self.sighting(&witnesses, now) {
                return Ok(sighting);
            }
            next = now + pause;
        }
    }

    fn witnesses(&self) -> Vec<Witness> {
        let known = |operator| match self.denials.0.get(&(operator, self.fqdn.clone())) {
            Some(until) => Witness { free: until, said: Said::No },
            None => Witness { free: Instant::now(), said: Said::Nothing },
        };
        (0..self.https.operators().len()).map(known).collect()
    }

    /// What an operator told now, and how long to wait before the next is asked.
    fn hear(&self, operator: usize, told: &Told, now: Instant) -> (Witness, Duration) {
        if let Some(others) = self.others(told) {
            // What was seen before needs no time to settle any more.
            let pause = if self.seen.is_some() { Duration::ZERO } else { self.settle };
            return (Witness { free: now, said: Said::Yes(others) }, pause);
        }
        let ttl = told.ttl.clamp(SHORTEST, LONGEST);
        self.denials.0.insert((operator, self.fqdn.clone()), now + ttl, ttl);
        // Twice as late: the record may take longer than was reckoned.
        (Witness { free: now + ttl, said: Said::No }, self.written.elapsed())
    }

    /// The other values, if it has ours.
    fn others(&self, told: &Told) -> Option<Vec<String>> {
        let has = |value: &TxtValue| told.values.iter().any(|told| told == value.as_str());
        let is_other = |told: &&String| !self.values.iter().any(|value| value.as_str() == *told);
        self.values.iter().all(has).then(|| told.values.iter().filter(is_other).cloned().collect())
    }

    fn sighting(&self, witnesses: &[Witness], now: Instant) -> Option<Sighting> {
        let yes = witnesses.iter().filter_map(|witness| match &witness.said {
            Said::Yes(others) => Some(others),
            _ => None,
        });
        let yes: Vec<_> = yes.collect();
        if yes.len() < ENOUGH {
            return None;
        }
        let mut others: Vec<_> = yes.into_iter().flatten().cloned().collect();
        others.sort();
        others.dedup();
        let denied = witnesses.iter().any(|witness| matches!(witness.said, Said::No));
        Some(Sighting { since: self.seen.filter(|_| !denied).unwrap_or(now), others })
    }

    fn shortfall(&self, witnesses: &[Witness]) -> Shortfall {
        let mut text = String::new();
        for (operator, witness) in witnesses.iter().enumerate() {
            let name = self.name(operator);
            // Writing to a String can't fail.
            let _ = match &witness.said {
                Said::Nothing => write!(text, "{name} was not asked; "),
                Said::Yes(_) => write!(text, "{name} has it; "),
                Said::No => write!(text, "{name} does not know it yet; "),
                Said::Failed(why) => write!(text, "{name} is not heard ({why}); "),
            };
        }
        let text = text.trim_end_matches("; ").to_owned();
        let is_heard = |witness: &Witness| matches!(witness.said, Said::Yes(_) | Said::No);
        let failed = witnesses.iter().filter(|witness| matches!(witness.said, Said::Failed(_))).count();
        if failed > 0 && !witnesses.iter().any(is_heard) {
            Shortfall::Unreached(text)
        } else {
            Shortfall::Unconfirmed(text)
        }
    }

    fn name(&self, operator: usize) -> &str {
        self.https.operators().get(operator).map_or("?", String::as_str)
    }
}

/// The first of those who may be asked soonest, and when.
fn whose_turn(witnesses: &[Witness], next: Instant) -> Option<(usize, Instant)> {
    let open = witnesses.iter().enumerate().filter(|(_, witness)| !matches!(witness.said, Said::Yes(_)));
    open.map(|(operator, witness)| (operator, witness.free.max(next))).min_by_key(|(_, at)| *at)
}

/// How long after the write the first resolver is asked.
fn blind(usual: Option<Duration>) -> Duration {
    (usual.unwrap_or_default() * 2).clamp(BLIND, 2 * BLIND)
}

/// A record of Cloudflare's is live within one to three seconds as a rule; nobody else tells here, and to come too early
/// costs an operator, to come late a few seconds. Three tries, each twice as late as the one before, are within the
/// forty seconds of `--propagation-timeout`.
const BLIND: Duration = Duration::from_secs(8);
/// Operators that must have it.
pub(super) const ENOUGH: usize = 2;
/// After a failure.
const RETRY: Duration = Duration::from_secs(2);
/// How long a "no" is respected, whatever it says itself.
const SHORTEST: Duration = Duration::from_secs(5);
const LONGEST: Duration = Duration::from_hours(3);
/// Names, by operator.
const CAPACITY: usize = 8192;

#[cfg(test)]
mod tests;
