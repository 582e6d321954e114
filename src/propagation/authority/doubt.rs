//! What waiting can't cure, and what is said when the time is over.

use std::fmt::Display;
use std::time::Duration;

use tokio::time::Instant;

use super::{Course, Stop, is_lack};
use crate::name::Fqdn;
use crate::propagation::barrier::{Barrier, is_intercepted};
use crate::propagation::exchange::Exchange;
use crate::propagation::round::Subject;
use crate::propagation::verdict::{Round, Verdict};
use crate::solver::error::{Cause, Error};

impl<E: Exchange> Course<'_, E> {
    /// Judges the last round, which began at `asked`: whether there is hope, and whom to ask next.
    pub(super) async fn judge(&mut self, asked: Instant) -> Result<(), Stop> {
        self.find_barrier().await?;
        if let Some(error) = self.hopeless(asked).await {
            return Err(Stop::Failed(error));
        }
        self.lacking.clear();
        if self.since.is_none() && !self.elsewhere {
            let looks = self.last.looks.iter().enumerate();
            let lacking = looks.filter(|(_, look)| is_lack(&look.outcome, self.wildcard));
            self.lacking = lacking.map(|(n, _)| n).collect();
        }
        Ok(())
    }

    async fn hopeless(&mut self, asked: Instant) -> Option<Error> {
        let Subject { zone, fqdn, .. } = self.wait.subject;
        let round = &self.last;
        let verdict = round.verdict();
        self.refused = if verdict == Verdict::Refused { self.refused + 1 } else { 0 };
        self.cname_since = match verdict {
            Verdict::Cname(_) => self.cname_since.or(Some(asked)),
            _ => None,
        };
        if self.elsewhere {
            let foreign = matches!(verdict, Verdict::Refused | Verdict::Foreign);
            if foreign || self.begun.elapsed() >= GRACE {
                return Some(Error::new(Cause::NotDelegated(zone.clone()), round));
            }
        }
        match verdict {
            Verdict::Delegated => Some(Error::new(Cause::DelegationInTheWay(fqdn.clone()), round)),
            Verdict::Refused if self.refused >= REFUSALS => {
                Some(Error::new(Cause::RefusedEverywhere(zone.clone()), round))
            }
            Verdict::Cname(target) if !self.wildcard => {
                // Until the record is live, a wildcard CNAME answers in its place.
                let lasts = self.cname_since.is_some_and(|at| at.elapsed() >= GRACE);
                if !lasts {
                    return None;
                }
                match self.is_wildcard(target).await {
                    Some(false) => Some(Error::new(Cause::CnameInTheWay(fqdn.clone()), round)),
                    Some(true) => {
                        self.wildcard = true;
                        None
                    }
                    None => None,
                }
            }
            _ => None,
        }
    }

    /// Whether a name that nobody made leads to the same target; `None` if that can't be found out now.
    async fn is_wildcard(&self, target: &str) -> Option<bool> {
        let Some(sibling) = sibling(self.wait.subject.fqdn) else {
            return Some(false);
        };
        let server = self.last.cname_at()?;
        let answer = self.wait.questions.ask(server, &sibling, Instant::now());
        let answer = self.wait.deadline.run(answer).await.ok()?.ok()?;
        Some(answer.authoritative && answer.cname.as_deref() == Some(target))
    }

    /// Whether port 53 leads to nobody, or to somebody else. Where nothing but "lacks" is heard for long, one question
    /// tells whether it is the authority that says so.
    pub(super) async fn find_barrier(&mut self) -> Result<(), Stop> {
        let doubtful = match self.last.verdict() {
            Verdict::Unheard => {
                let blocked = self.last.whole && !self.last.is_heard();
                return if blocked { self.detour(Barrier::Blocked) } else { Ok(()) };
            }
            Verdict::Foreign => true,
            Verdict::Lacking => self.begun.elapsed() >= SUSPICION,
            _ => false,
        };
        if doubtful && self.intercepted.is_none() {
            self.intercepted = Some(match self.last.heard_at() {
                _ if self.last.has_resolver() && self.last.verdict() == Verdict::Foreign => true,
                Some(server) => {
                    let found = self.wait.deadline.run(is_intercepted(self.wait.questions, server)).await;
                    found.map_err(|_| self.late(&self.last))?
                }
                None => false,
            });
        }
        if doubtful && self.intercepted == Some(true) { self.detour(Barrier::Intercepted) } else { Ok(()) }
    }

    fn detour(&self, barrier: Barrier) -> Result<(), Stop> {
        if self.wait.has_detour { Err(Stop::Barred(barrier, self.last.to_string())) } else { Ok(()) }
    }

    /// Out of time; `round` has what was last heard.
    pub(super) fn late(&self, round: &Round<'_>) -> Stop {
        let zone = self.wait.subject.zone.clone();
        let is_intercepted = self.intercepted == Some(true);
        Stop::Failed(match round.verdict() {
            _ if self.elsewhere => Error::new(Cause::NotDelegated(zone), round),
            Verdict::Unheard if !round.is_heard() => Error::new(Cause::Unreachable(zone), round),
            Verdict::Foreign | Verdict::Lacking if is_intercepted => {
                Error::new(Cause::Intercepted(zone), round)
            }
            Verdict::Foreign => Error::new(Cause::Unreachable(zone), round),
            _ => self.unlive(round),
        })
    }

    pub(super) fn unlive(&self, detail: impl Display) -> Error {
        Error::new(Cause::NotLive(self.wait.subject.fqdn.clone()), detail)
    }
}

/// A name beside this one that nobody has a reason to make.
fn sibling(fqdn: &Fqdn) -> Option<Fqdn> {
    let (_, parent) = fqdn.as_str().split_once('.')?;
    Fqdn::parse(&format!("{SIBLING}.{parent}")).ok()
}

/// How long a CNAME or foreign name servers are given to turn out harmless.
const GRACE: Duration = Duration::from_secs(3);
/// How long "lacks" is believed unasked: nearly every record is live by then.
const SUSPICION: Duration = Duration::from_secs(5);
/// Refused rounds in a row that are believed.
const REFUSALS: u32 = 2;
const SIBLING: &str = "_cmw-probe";
