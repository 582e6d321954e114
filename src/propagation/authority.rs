//! Asks the authority, look by look, until the values are live or can't become so.
//!
//! A success is two whole rounds, always. In between, while the values are known to lack, one address is asked as a
//! pilot, and everybody as soon as it says anything else.

mod doubt;

use std::time::Duration;

use tokio::time::Instant;

use super::barrier::Barrier;
use super::exchange::Exchange;
use super::front::Member;
use super::questions::Questions;
use super::round::{Span, Subject, ask_all, ask_pilot};
use super::tempo::pause;
use super::verdict::{Outcome, Round, Verdict};
use crate::deadline::Deadline;
use crate::solver::error::Error;
use crate::solver::port::Sighting;

/// A wait for values to be live.
#[derive(Debug)]
pub(super) struct Wait<'a, E> {
    pub(super) questions: &'a Questions<E>,
    pub(super) subject: Subject<'a>,
    /// Its place among the waits of the zone.
    pub(super) member: &'a Member,
    /// How long the zone's records usually take.
    pub(super) usual: Option<Duration>,
    /// When every name server was first seen to serve the values, if one was.
    pub(super) seen: Option<Instant>,
    /// How long they must have been live.
    pub(super) settle: Duration,
    /// Whether the zone is delegated to none of the name servers that Cloudflare assigned to it. They may have names
    /// of the customer's own: then they serve the values all the same.
    pub(super) elsewhere: bool,
    /// Whether there is another way where port 53 is barred: then the wait ends as soon as that is known.
    pub(super) has_detour: bool,
    /// When to give up.
    pub(super) deadline: Deadline,
}

/// The values are live.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Live {
    pub(super) sighting: Sighting,
    /// How long they took from the begin of the wait, if they had to be waited for.
    pub(super) took: Option<Duration>,
}

/// Why a wait ended without success.
#[derive(Debug)]
pub(super) enum Stop {
    /// For good.
    Failed(Error),
    /// There is another way to go; the text is for the log.
    Barred(Barrier, String),
}

/// A wait under way.
struct Course<'a, E> {
    wait: Wait<'a, E>,
    begun: Instant,
    /// When the present look was due: a question that was put before is none of it.
    due: Instant,
    /// What each address said when it was last heard; whole once everybody was asked.
    last: Round<'a>,
    /// The end of the first round in which the values were live; nobody said no since.
    since: Option<Instant>,
    /// Those who lacked the values when last heard, by their place in a round: one of them is the next pilot. If there
    /// is none, everybody is asked.
    lacking: Vec<usize>,
    /// Somebody lacked the values.
    waited: bool,
    /// Rounds in a row that were refused by all.
    refused: u32,
    /// The begin of the first of the rounds in a row in which all said that the name is a CNAME.
    cname_since: Option<Instant>,
    /// The CNAME is a wildcard's and goes when the record comes.
    wildcard: bool,
    /// [`Wait::elsewhere`], until somebody serves the values.
    elsewhere: bool,
    /// Whether somebody in between answers; `None` while there was no reason to find out.
    intercepted: Option<bool>,
}

/// What a pilot brought.
enum Pilot {
    /// It is as before.
    Lacking,
    /// Everybody is to be asked, but for whom was heard already.
    Over(Option<(usize, Outcome)>),
}

impl<E: Exchange> Wait<'_, E> {
    /// Two rounds in which all is live, the second begun no sooner than the settle time after the end of the first.
    /// A round in which a name server is not heard proves nothing either way and is held again.
    pub(super) async fn run(self) -> Result<Live, Stop> {
        let mut course = Course::new(self);
        course.begin().await?;
        loop {
            let known = match course.pilot().await {
                Pilot::Over(known) => known,
                Pilot::Lacking => {
                    course.rest().await?;
                    continue;
                }
            };
            if let Some(live) = course.round(known).await? {
                return Ok(live);
            }
        }
    }
}

impl<'a, E: Exchange> Course<'a, E> {
    fn new(wait: Wait<'a, E>) -> Self {
        let begun = Instant::now();
        Self {
            begun,
            due: begun,
            last: wait.subject.blank(),
            since: wait.seen,
            lacking: Vec::new(),
            waited: false,
            refused: 0,
            cname_since: None,
            wildcard: false,
            elsewhere: wait.elsewhere,
            intercepted: None,
            wait,
        }
    }

    async fn begin(&mut self) -> Result<(), Stop> {
        let Wait { questions, member, usual, seen, settle, deadline, .. } = &self.wait;
        if let Some(seen) = seen {
            self.due = self.due.max(*seen + *settle);
            let slept = deadline.sleep_until(self.due).await;
            return slept.map_err(|_| Stop::Failed(self.unlive("no time is left for a second look")));
        }
        // Written a moment ago, in a zone where that takes its time. Elsewhere everybody is asked until that is settled.
        if !self.elsewhere && (usual.is_some() || member.is_among_others()) {
            let looks = self.last.looks.iter().enumerate();
            let heard = looks.filter(|(_, look)| !questions.is_quiet(look.address));
            self.lacking = heard.map(|(n, _)| n).collect();
        }
        Ok(())
    }

    /// Asks one of those who lacked the values, unless another wait of the zone has just done so.
    async fn pilot(&mut self) -> Pilot {
        let member = self.wait.member;
        if self.since.is_some() || self.lacking.is_empty() {
            return Pilot::Over(None);
        }
        // The first look is one's own: the values may be live already.
        if !self.waited {
            member.asks();
        } else if member.may_pass(self.pause()) {
            return Pilot::Lacking;
        }
        let turn = member.turn() % self.lacking.len();
        let Some((n, look)) = self.lacking.get(turn).and_then(|n| Some((*n, self.last.looks.get_mut(*n)?)))
        else {
            return Pilot::Over(None);
        };
        let span = Span { since: self.due, until: self.wait.deadline.instant() };
        match ask_pilot(self.wait.questions, self.wait.subject, look.address, span).await {
            Some(outcome) if is_lack(&outcome, self.wildcard) => {
                look.outcome = outcome;
                self.waited = true;
                Pilot::Lacking
            }
            Some(Outcome::Silent(_)) | None => Pilot::Over(None),
            Some(outcome) => Pilot::Over(Some((n, outcome))),
        }
    }

    /// Asks everybody, and rests until the next look is due.
    async fn round(&mut self, known: Option<(usize, Outcome)>) -> Result<Option<Live>, Stop> {
        let Wait { questions, subject, settle, deadline, .. } = self.wait;
        let asked = Instant::now();
        let span = Span { since: self.due, until: deadline.instant() };
        let round = ask_all(questions, subject, known, span).await;
        let ended = Instant::now();
        self.elsewhere &= !round.is_anywhere();
        if !round.whole {
            let nothing = !self.last.whole && !self.last.is_heard();
            return Err(self.late(if nothing { &round } else { &self.last }));
        }
        match (round.verdict(), self.since) {
            (Verdict::Live, Some(since)) if asked >= since + settle => {
                let took = self.waited.then(|| since.saturating_duration_since(self.begun));
                let sighting = Sighting { since, others: round.others() };
                return Ok(Some(Live { sighting, took }));
            }
            (Verdict::Live, since) => {
                self.since = since.or(Some(ended));
                self.wait.member.is_live();
            }
            (Verdict::Unheard, _) => {}
            _ => {
                self.since = None;
                self.waited = true;
            }
        }
        let is_live = round.verdict() == Verdict::Live;
        self.last = round;
        self.judge(asked).await?;
        match self.since {
            Some(since) if is_live => {
                self.due = since + settle;
                deadline.sleep_until(self.due).await.map_err(|_| self.late(&self.last))?;
            }
            _ => self.rest().await?,
        }
        Ok(None)
    }

    /// Pauses; shorter if the front of the zone's records passes by.
    async fn rest(&mut self) -> Result<(), Stop> {
        self.find_barrier().await?;
        let next = Instant::now() + self.pause();
        if next > self.wait.deadline.instant() {
            return Err(self.late(&self.last));
        }
        let member = self.wait.member;
        tokio::select! {
            biased;
            () = tokio::time::sleep_until(next) => {}
            () = member.passed(), if !member.is_passed() => {}
        }
        self.due = Instant::now();
        Ok(())
    }

    fn pause(&self) -> Duration {
        pause(self.begun.elapsed(), self.wait.usual)
    }
}

/// Whether it is what an address says before the record is there.
fn is_lack(outcome: &Outcome, wildcard: bool) -> bool {
    match outcome {
        Outcome::Lacks => true,
        Outcome::Cname(_) => wildcard,
        _ => false,
    }
}

#[cfg(test)]
mod tests;
