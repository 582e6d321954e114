//! Asks the authority, round by round, until the values are live or can't become so.

use std::time::Duration;

use tokio::time::Instant;

use super::exchange::Exchange;
use super::round::{Quiet, Subject, ask_all};
use super::verdict::{Round, Verdict};
use crate::deadline::Deadline;
use crate::name::Fqdn;
use crate::solver::error::{Cause, Error};
use crate::solver::port::Sighting;

/// A wait for values to be live.
#[derive(Debug, Clone, Copy)]
pub(super) struct Wait<'a, E> {
    pub(super) exchange: &'a E,
    pub(super) quiet: &'a Quiet,
    pub(super) subject: Subject<'a>,
    /// When every name server was first seen to serve the values, if one was.
    pub(super) seen: Option<Instant>,
    /// How long they must have been live.
    pub(super) settle: Duration,
    /// Whether the zone is delegated to none of the name servers that Cloudflare assigned to it. They may have names
    /// of the customer's own: then they serve the values all the same.
    pub(super) elsewhere: bool,
    /// When to give up.
    pub(super) deadline: Deadline,
}

/// What is remembered from round to round.
struct Progress {
    begun: Instant,
    /// The end of the first round in which the values were live; nobody said no since.
    since: Option<Instant>,
    /// Rounds in a row that were refused by all.
    refused: u32,
    /// The begin of the first of the rounds in a row in which all said that the name is a CNAME.
    cname_since: Option<Instant>,
    /// The CNAME is a wildcard's and goes when the record comes.
    wildcard: bool,
    /// [`Wait::elsewhere`], until somebody serves the values.
    elsewhere: bool,
}

impl<E: Exchange> Wait<'_, E> {
    /// Two rounds in which all is live, the second begun no sooner than the settle time after the end of the first.
    /// A round in which a name server is not heard proves nothing either way and is held again.
    pub(super) async fn run(self) -> Result<Sighting, Error> {
        let begun = Instant::now();
        let mut progress = Progress {
            begun,
            since: self.seen,
            refused: 0,
            cname_since: None,
            wildcard: false,
            elsewhere: self.elsewhere,
        };
        if let Some(seen) = self.seen {
            let due = seen + self.settle;
            if self.deadline.sleep_until(due).await.is_err() {
                return Err(self.unlive("no time is left for a second look"));
            }
        }
        let mut last = None;
        loop {
            let asked = Instant::now();
            let round = ask_all(self.exchange, self.quiet, self.subject, self.deadline.instant()).await;
            let ended = Instant::now();
            progress.elsewhere &= !round.is_anywhere();
            if !round.whole {
                return Err(self.late(last.as_ref().unwrap_or(&round), progress.elsewhere));
            }
            let mut next = ended;
            match (round.verdict(), progress.since) {
                (Verdict::Live, Some(since)) if asked >= since + self.settle => {
                    let others = round.others();
                    return Ok(Sighting { since, others });
                }
                (Verdict::Live, since) => {
                    let since = since.unwrap_or(ended);
                    progress.since = Some(since);
                    next = since + self.settle;
                }
                (Verdict::Unheard, _) => next += progress.next_pause(),
                _ => {
                    progress.since = None;
                    next += progress.next_pause();
                }
            }
            if let Some(error) = self.hopeless(&round, asked, &mut progress).await {
                return Err(error);
            }
            if self.deadline.sleep_until(next).await.is_err() {
                return Err(self.late(&round, progress.elsewhere));
            }
            last = Some(round);
        }
    }

    /// What waiting can't cure.
    async fn hopeless(&self, round: &Round<'_>, asked: Instant, progress: &mut Progress) -> Option<Error> {
        let Subject { zone, fqdn, .. } = self.subject;
        let verdict = round.verdict();
        progress.refused = if verdict == Verdict::Refused { progress.refused + 1 } else { 0 };
        progress.cname_since = match verdict {
            Verdict::Cname(_) => progress.cname_since.or(Some(asked)),
            _ => None,
        };
        if progress.elsewhere {
            let foreign = matches!(verdict, Verdict::Refused | Verdict::Foreign);
            if foreign || progress.begun.elapsed() >= GRACE {
                return Some(Error::new(Cause::NotDelegated(zone.clone()), round));
            }
        }
        match verdict {
            Verdict::Delegated => Some(Error::new(Cause::DelegationInTheWay(fqdn.clone()), round)),
            Verdict::Refused if progress.refused >= REFUSALS => {
                Some(Error::new(Cause::RefusedEverywhere(zone.clone()), round))
            }
            Verdict::Cname(target) if !progress.wildcard => {
                // Until the record is live, a wildcard CNAME answers in its place.
                let lasts = progress.cname_since.is_some_and(|at| at.elapsed() >= GRACE);
                if !lasts {
                    return None;
                }
                match self.is_wildcard(round, target).await {
                    Some(false) => Some(Error::new(Cause::CnameInTheWay(fqdn.clone()), round)),
                    Some(true) => {
                        progress.wildcard = true;
                        None
                    }
                    None => None,
                }
            }
            _ => None,
        }
    }

    /// Whether a name that nobody made leads to the same target; `None` if that can't be found out now.
    async fn is_wildcard(&self, round: &Round<'_>, target: &str) -> Option<bool> {
        let Some(sibling) = sibling(self.subject.fqdn) else {
            return Some(false);
        };
        let server = round.cname_at()?;
        let answer = self.deadline.run(self.exchange.ask(server, &sibling)).await;
        let answer = answer.ok()?.ok()?;
        Some(answer.authoritative && answer.cname.as_deref() == Some(target))
    }

    /// Out of time; `round` is the last in which everybody was given theirs, if there is one.
    fn late(&self, round: &Round<'_>, elsewhere: bool) -> Error {
        let zone = self.subject.zone.clone();
        match round.verdict() {
            _ if elsewhere => Error::new(Cause::NotDelegated(zone), round),
            Verdict::Unheard if !round.is_heard() => Error::new(Cause::Unreachable(zone), round),
            // Whoever answered, it was no name server of the zone: something in between takes all of port 53.
            Verdict::Foreign => Error::new(Cause::Unreachable(zone), round),
            _ => self.unlive(round),
        }
    }

    fn unlive(&self, detail: impl std::fmt::Display) -> Error {
        Error::new(Cause::NotLive(self.subject.fqdn.clone()), detail)
    }
}

impl Progress {
    /// An eighth of the time waited so far: early at first, because most records are live within two seconds, and never
    /// much later than need be.
    fn next_pause(&self) -> Duration {
        (self.begun.elapsed() / 8).clamp(FIRST_PAUSE, LAST_PAUSE)
    }
}

/// A name beside this one that nobody has a reason to make.
fn sibling(fqdn: &Fqdn) -> Option<Fqdn> {
    let (_, parent) = fqdn.as_str().split_once('.')?;
    Fqdn::parse(&format!("{SIBLING}.{parent}")).ok()
}

const FIRST_PAUSE: Duration = Duration::from_millis(100);
const LAST_PAUSE: Duration = Duration::from_secs(1);
/// How long a CNAME or foreign name servers are given to turn out harmless.
const GRACE: Duration = Duration::from_secs(3);
/// Refused rounds in a row that are believed.
const REFUSALS: u32 = 2;
const SIBLING: &str = "_cmw-probe";

#[cfg(test)]
mod tests;
