//! Whose turn it is to call, and when. Pure.

use std::time::Duration;

use http::StatusCode;
use tokio::time::Instant;

use super::policy::{self, Policy, Room};
use crate::cloudflare::exchange::Answer;

/// For what a call is made.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(in crate::cloudflare) enum Urgency {
    /// A certificate waits for it.
    Present,
    /// Nobody waits but cert-manager.
    CleanUp,
}

/// Those who wait for a call, and what decides when there is one.
#[derive(Debug)]
pub(super) struct Line {
    /// As the last answer told them.
    policies: Vec<Policy>,
    /// When the next call were due if all came evenly (the generic cell rate algorithm), at this pace.
    due: Instant,
    gap: Duration,
    last: Option<Instant>,
    /// Calls on their way.
    under_way: u32,
    closed_until: Option<Instant>,
    probing: bool,
    tickets: Vec<Ticket>,
    numbers: u64,
    /// Changes and lists that wait for a call, several for one.
    gathered: u32,
}

#[derive(Debug, Clone, Copy)]
struct Ticket {
    number: u64,
    urgency: Urgency,
    since: Instant,
}

/// What stands between one in line and its call.
#[derive(Debug)]
pub(super) enum Turn {
    Now {
        is_probe: bool,
    },
    At(Instant),
    /// Others come first, or the probe is under way.
    Later,
}

impl Line {
    pub(super) fn new(now: Instant) -> Self {
        Self {
            policies: vec![Policy::assumed(now)],
            due: now,
            gap: policy::FASTEST,
            last: None,
            under_way: 0,
            closed_until: None,
            probing: false,
            tickets: Vec::new(),
            numbers: 0,
            gathered: 0,
        }
    }

    /// One more waits; its ticket's number is returned.
    pub(super) fn join(&mut self, urgency: Urgency, now: Instant) -> u64 {
        let number = self.numbers;
        self.numbers += 1;
        self.tickets.push(Ticket { number, urgency, since: now });
        number
    }

    /// It waits no longer.
    pub(super) fn leave(&mut self, number: u64) {
        self.tickets.retain(|ticket| ticket.number != number);
    }

    /// So many more changes or lists wait for a call.
    pub(super) fn gather(&mut self, count: usize) {
        self.gathered = self.gathered.saturating_add(count.try_into().unwrap_or(u32::MAX));
    }

    /// So many wait no longer.
    pub(super) fn release(&mut self, count: usize) {
        self.gathered = self.gathered.saturating_sub(count.try_into().unwrap_or(u32::MAX));
    }

    /// Takes in what an answer says of the limits. Calls that were on their way before a 429 say nothing of its end.
    pub(super) fn learn(&mut self, answer: &Answer, is_probe: bool, now: Instant) {
        let told = Policy::of(answer, self.under_way.saturating_sub(1), now);
        if !told.is_empty() {
            self.policies = told;
        }
        if answer.status == StatusCode::TOO_MANY_REQUESTS {
            let named = answer.header("retry-after").and_then(|seconds| seconds.trim().parse().ok());
            let pause = named.map_or(policy::WINDOW, Duration::from_secs);
            self.closed_until = Some(now + pause.clamp(SHORTEST_BREAK, LONGEST_BREAK));
        } else if is_probe {
            self.closed_until = None;
        }
    }

    /// A call has its answer, or none will come.
    pub(super) fn end(&mut self, is_probe: bool) {
        self.under_way = self.under_way.saturating_sub(1);
        self.probing &= !is_probe;
    }

    /// Until when Cloudflare wants no call.
    pub(super) fn closed_until(&self) -> Option<Instant> {
        self.closed_until
    }

    /// What is left of the limit of which the least is left, in thousandths.
    pub(super) fn permille_left(&self, now: Instant) -> Option<u32> {
        self.policies.iter().map(|policy| policy.permille(now)).min()
    }

    /// Whether there is something to remember.
    pub(super) fn is_recent(&self, now: Instant) -> bool {
        let is_recent = |last| now.saturating_duration_since(last) < policy::WINDOW;
        self.closed_until.is_some() || self.last.is_some_and(is_recent)
    }

    /// Takes the right to a call for this ticket, or says when to look again.
    pub(super) fn turn(&mut self, number: u64, now: Instant) -> Turn {
        let Some(first) = self.tickets.iter().min_by_key(|ticket| ticket.rank(now)).copied() else {
            return Turn::Later;
        };
        if first.number != number {
            let own = self.tickets.iter().find(|ticket| ticket.number == number);
            let old_at = own.filter(|own| own.urgency == Urgency::CleanUp).map(|own| own.since + STARVED);
            // Growing old is the one way to become the first that nobody tells of.
            return old_at.filter(|at| *at > now).map_or(Turn::Later, Turn::At);
        }
        let is_probe = self.closed_until.is_some();
        let room = self.policies.iter().map(|policy| policy.room(now, self.gathered)).max();
        if let Some(Room::Ample { gap, .. } | Room::Paced { gap, .. }) = room {
            self.change_pace(gap, now);
        }
        match self.closed_until {
            Some(until) if now < until => return Turn::At(until),
            Some(_) if self.probing => return Turn::Later,
            Some(_) => self.probing = true,
            None => {
                let at = self.due_at(room, first.rank(now).0, now);
                if at > now {
                    // It may be as urgent as anything before that.
                    let old_at = first.since + STARVED;
                    return Turn::At(if old_at > now { at.min(old_at) } else { at });
                }
            }
        }
        if let Some(Room::Ample { burst, .. } | Room::Paced { burst, .. }) = room {
            self.due = (self.due.max(now) + self.gap).min(now + self.gap * (burst + 1));
        }
        self.policies.iter_mut().for_each(|policy| policy.spend(now));
        self.last = Some(now);
        self.under_way += 1;
        Turn::Now { is_probe }
    }

    /// What ran ahead counts in calls, whatever the pace becomes.
    fn change_pace(&mut self, gap: Duration, now: Instant) {
        let ahead = self.due.saturating_duration_since(now);
        let gap = gap.max(policy::FASTEST);
        self.due = now + ahead.mul_f64(gap.div_duration_f64(self.gap));
        self.gap = gap;
    }

    fn due_at(&mut self, room: Option<Room>, urgency: Urgency, now: Instant) -> Instant {
        match room {
            None | Some(Room::Ample { .. }) => now,
            Some(Room::Paced { gap: _, burst, clean_up_burst, ends }) => {
                let ahead = if urgency == Urgency::Present { burst } else { clean_up_burst };
                // What may run ahead may have become less.
                self.due = self.due.min(now + self.gap * (burst + 1));
                let paced = self.due.checked_sub(self.gap * ahead).map_or(now, |at| at.max(now)).min(ends);
                if urgency == Urgency::Present { paced.min(self.trickle(now, ends)) } else { paced }
            }
            Some(Room::Reserved(ends)) if urgency == Urgency::Present => self.trickle(now, ends),
            Some(Room::Reserved(ends) | Room::Empty(ends)) => ends,
        }
    }

    /// For certificates only: somebody else may be the one who has used it all up.
    fn trickle(&self, now: Instant, ends: Instant) -> Instant {
        self.last.map_or(now, |last| (last + TRICKLE).max(now).min(ends))
    }
}

impl Ticket {
    /// The smallest goes first. What has waited for long is as urgent as anything.
    fn rank(&self, now: Instant) -> (Urgency, u64) {
        let is_old = now.saturating_duration_since(self.since) >= STARVED;
        (if is_old { Urgency::Present } else { self.urgency }, self.number)
    }
}

/// From the reserve, one call each.
pub(super) const TRICKLE: Duration = Duration::from_secs(5);
/// What has waited so long goes before what came later, whatever it is for.
pub(super) const STARVED: Duration = Duration::from_secs(10);
const SHORTEST_BREAK: Duration = Duration::from_secs(1);
const LONGEST_BREAK: Duration = Duration::from_hours(1);
