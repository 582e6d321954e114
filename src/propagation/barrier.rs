//! What keeps questions from the authority, and how long that is remembered.

use std::fmt;
use std::net::SocketAddr;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::{Instant, timeout};

use super::exchange::Exchange;
use super::questions::Questions;
use crate::expiring::Expiring;
use crate::name::Fqdn;

/// Why the authority can't be asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Barrier {
    /// Nobody at port 53 is heard.
    Blocked,
    /// Whoever answers at port 53 is no authority.
    Intercepted,
    /// The resolvers did not tell who the authority is.
    Unknown,
    /// It is not to be asked (`--propagation-check=doh`).
    Unwanted,
}

impl Barrier {
    /// A part of the public text, so always the same.
    pub(super) fn text(self) -> &'static str {
        match self {
            Self::Blocked => "port 53 is blocked",
            Self::Intercepted => "port 53 is intercepted",
            Self::Unknown => "the delegation could not be looked up",
            Self::Unwanted => "--propagation-check=doh is set",
        }
    }
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.text())
    }
}

/// The barriers that were met a while ago, by zone: a Present need not spend its time to find out again.
#[derive(Debug)]
pub(super) struct Barriers {
    by_zone: Expiring<Fqdn, Barrier>,
    met: Notify,
}

impl Barriers {
    /// None was met.
    pub(super) fn new() -> Self {
        Self { by_zone: Expiring::new(CAPACITY), met: Notify::new() }
    }

    pub(super) fn get(&self, zone: &Fqdn) -> Option<Barrier> {
        self.by_zone.get(zone)
    }

    pub(super) fn met(&self, zone: &Fqdn, barrier: Barrier) {
        self.by_zone.insert(zone.clone(), barrier, KEPT);
        self.met.notify_waiters();
    }

    /// Waits until another wait meets one: what it found out need not be found out again.
    pub(super) async fn next(&self, zone: &Fqdn) -> Barrier {
        loop {
            let met = self.met.notified();
            if let Some(barrier) = self.get(zone) {
                return barrier;
            }
            met.await;
        }
    }

    /// How many are remembered.
    pub(super) fn len(&self) -> usize {
        self.by_zone.len()
    }
}

/// Whether somebody in between answers for `server`: it is asked for a name that no zone of Cloudflare holds. An
/// authority refuses; only a resolver has an answer. One that says nothing is none.
pub(super) async fn is_intercepted(questions: &Questions<impl Exchange>, server: SocketAddr) -> bool {
    let Ok(name) = Fqdn::parse(ELSEWHERE) else {
        return false;
    };
    match timeout(PATIENCE, questions.ask(server, &name, Instant::now())).await {
        Ok(Ok(answer)) => answer.recursion_available || !answer.values.is_empty(),
        Ok(Err(_)) | Err(_) => false,
    }
}

/// A name with TXT records whose zone has name servers of its own.
pub(super) const ELSEWHERE: &str = "iana.org";
const PATIENCE: Duration = Duration::from_millis(500);
/// Long enough to spare most Presents the search, short enough to come back soon after the network was mended.
const KEPT: Duration = Duration::from_mins(5);
/// Zones.
const CAPACITY: usize = 4096;
