//! What a connection is doing, and for how long it may.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::{self, Instant};
use tokio_util::sync::CancellationToken;

use super::MAX_RESETS;
use crate::server::limits::Limits;
use crate::server::roster::Place;

/// A connection, as its requests and its stream see it.
#[derive(Debug)]
pub(super) struct Progress {
    activity: Mutex<Activity>,
    pub(super) place: Place,
    /// Cancelled, it takes no further request.
    pub(super) closing: CancellationToken,
    /// When it has to go anyway.
    old: Instant,
}

#[derive(Debug)]
struct Activity {
    /// Requests being answered.
    requests: usize,
    /// Answers that the peer has not made room for.
    answers: usize,
    /// Requests that the peer has given up since the last for whose answer it waited.
    given_up: usize,
    /// Part of a request's head has arrived, or is due: the first one is due at once.
    reading: bool,
    /// The peer takes no bytes.
    stuck: bool,
    /// Of the last change.
    since: Instant,
}

/// What went on for too long.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Overdue {
    /// Nothing, or the connection as a whole.
    Rest,
    /// The head of a request.
    Head,
    /// An answer that the peer does not take.
    Answer,
}

impl Progress {
    /// A connection that may live as long as `age`.
    pub(super) fn new(place: Place, closing: CancellationToken, age: Duration) -> Arc<Self> {
        let since = Instant::now();
        let activity = Activity { requests: 0, answers: 0, given_up: 0, reading: true, stuck: false, since };
        Arc::new(Self { activity: Mutex::new(activity), place, closing, old: since + age })
    }

    /// A request has come.
    pub(super) fn request(self: &Arc<Self>) -> Request {
        let mut activity = self.change();
        activity.requests += 1;
        activity.reading = false;
        if activity.requests == 1 {
            self.place.busy();
        }
        Request { progress: Arc::clone(self), answered: false }
    }

    /// Bytes have come, on a connection that has one request after the other.
    pub(super) fn heard(&self) {
        let mut activity = self.activity();
        if activity.requests == 0 && !activity.reading {
            activity.reading = true;
            activity.since = Instant::now();
        }
    }

    /// Whether the peer takes bytes.
    pub(super) fn takes(&self, takes: bool) {
        let mut activity = self.activity();
        if activity.stuck == takes {
            activity.stuck = !takes;
            activity.since = Instant::now();
        }
    }

    /// Whether its time is over.
    pub(super) fn is_old(&self) -> bool {
        self.old <= Instant::now()
    }

    /// Waits until it has done the same for too long, or until it is old where that `ends` it.
    ///
    /// It looks again at least as often as the shortest of the limits: no change has to wake it.
    pub(super) async fn overdue(&self, limits: &Limits, ends: bool) -> Overdue {
        let step = limits.header.min(limits.unread).min(limits.idle);
        loop {
            let mut next = Instant::now() + step;
            if let Some((due, what)) = self.due(limits) {
                if due <= Instant::now() {
                    return what;
                }
                next = next.min(due);
            }
            if ends && self.is_old() {
                return Overdue::Rest;
            }
            let next = if ends { next.min(self.old) } else { next };
            time::sleep_until(next).await;
        }
    }

    /// Waits until nothing has been asked for a while.
    pub(super) async fn lingered(&self) {
        loop {
            let (busy, due) = {
                let activity = self.activity();
                (activity.requests > 0, activity.since + LINGER)
            };
            let now = Instant::now();
            match due {
                _ if busy => time::sleep(LINGER).await,
                due if due <= now => return,
                due => time::sleep_until(due).await,
            }
        }
    }

    fn due(&self, limits: &Limits) -> Option<(Instant, Overdue)> {
        let activity = self.activity();
        let (limit, what) = if activity.stuck || activity.answers > 0 {
            (limits.unread, Overdue::Answer)
        } else if activity.reading {
            (limits.header, Overdue::Head)
        } else if activity.requests == 0 {
            (limits.idle, Overdue::Rest)
        } else {
            return None;
        };
        Some((activity.since + limit, what))
    }

    fn change(&self) -> MutexGuard<'_, Activity> {
        let mut activity = self.activity();
        activity.since = Instant::now();
        activity
    }

    fn activity(&self) -> MutexGuard<'_, Activity> {
        // Nothing of another's runs under the lock: what it guards is whole.
        self.activity.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

/// A request being answered; given up by the peer when it is dropped.
#[derive(Debug)]
pub(super) struct Request {
    progress: Arc<Progress>,
    answered: bool,
}

impl Request {
    /// It has been answered, and the answer is to be sent.
    pub(super) fn answered(mut self) -> Answer {
        self.answered = true;
        self.progress.activity().answers += 1;
        Answer(Arc::clone(&self.progress))
    }
}

impl Drop for Request {
    fn drop(&mut self) {
        let mut activity = self.progress.change();
        activity.requests -= 1;
        if activity.requests == 0 {
            self.progress.place.idle();
        }
        activity.given_up = if self.answered { 0 } else { activity.given_up + 1 };
        if activity.given_up >= MAX_RESETS {
            self.progress.closing.cancel();
        }
    }
}

/// An answer, until the connection has taken it over.
#[derive(Debug)]
pub(super) struct Answer(Arc<Progress>);

impl Drop for Answer {
    fn drop(&mut self) {
        self.0.change().answers -= 1;
    }
}

/// For the last answer to leave, and the peer to close.
const LINGER: Duration = Duration::from_secs(5);
