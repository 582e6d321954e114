//! A round: every address of a delegation is asked at once. And a pilot: one is asked on behalf of all.

use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::delegation::Delegation;
use super::exchange::Exchange;
use super::questions::Questions;
use super::verdict::{Look, Outcome, Round};
use crate::challenge::TxtValue;
use crate::name::Fqdn;

/// What is asked, and of whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) delegation: &'a Delegation,
    pub(super) zone: &'a Fqdn,
    pub(super) fqdn: &'a Fqdn,
    pub(super) values: &'a [TxtValue],
}

/// When questions may have been put.
#[derive(Debug, Clone, Copy)]
pub(super) struct Span {
    /// Not before.
    pub(super) since: Instant,
    /// An end of all waiting.
    pub(super) until: Instant,
}

impl<'a> Subject<'a> {
    /// A round of which nothing is known yet.
    pub(super) fn blank(self) -> Round<'a> {
        let servers = self.delegation.servers.iter().enumerate();
        let looks = servers
            .flat_map(|(n, server)| server.addresses.iter().map(move |address| (n, *address)))
            .map(|(server, address)| Look {
                server,
                address,
                outcome: Outcome::Silent("not waited for".to_owned()),
            })
            .collect();
        Round { delegation: self.delegation, looks, whole: false }
    }

    async fn ask(&self, questions: &Questions<impl Exchange>, server: SocketAddr, since: Instant) -> Outcome {
        let asked = Instant::now();
        let outcome = match questions.ask(server, self.fqdn, since).await {
            Ok(answer) => Outcome::of(&answer, self.zone, self.fqdn, self.values),
            Err(error) => Outcome::Silent(error.to_string()),
        };
        tracing::debug!(fqdn = %self.fqdn, %server, %outcome, took = ?asked.elapsed(), "authority asked");
        outcome
    }
}

/// Asks one address; `None` if it takes its time: then it is better to ask everybody.
pub(super) async fn ask_pilot(
    questions: &Questions<impl Exchange>,
    subject: Subject<'_>,
    server: SocketAddr,
    span: Span,
) -> Option<Outcome> {
    let until = span.until.min(Instant::now() + PILOT_PATIENCE);
    timeout_at(until, subject.ask(questions, server, span.since)).await.ok()
}

/// Asks everybody but a pilot whose answer of the same turn is `known` already.
pub(super) async fn ask_all<'a>(
    questions: &Questions<impl Exchange>,
    subject: Subject<'a>,
    known: Option<(usize, Outcome)>,
    span: Span,
) -> Round<'a> {
    let Round { delegation, mut looks, .. } = subject.blank();
    let mut done = vec![false; looks.len()];
    if let Some((n, outcome)) = known
        && let (Some(look), Some(done)) = (looks.get_mut(n), done.get_mut(n))
    {
        look.outcome = outcome;
        *done = true;
    }
    let may_be_passed: Vec<bool> = looks.iter().map(|look| questions.is_quiet(look.address)).collect();
    let mut open: FuturesUnordered<_> = looks
        .iter()
        .map(|look| look.address)
        .enumerate()
        .filter(|(n, _)| done.get(*n) == Some(&false))
        .map(|(n, address)| async move { (n, subject.ask(questions, address, span.since).await) })
        .collect();

    let whole = loop {
        if is_enough(&looks, &done, &may_be_passed) {
            break true;
        }
        let Ok(next) = timeout_at(span.until, open.next()).await else {
            break false;
        };
        let Some((n, outcome)) = next else {
            break true;
        };
        if let (Some(look), Some(done)) = (looks.get_mut(n), done.get_mut(n)) {
            look.outcome = outcome;
            *done = true;
        }
    };
    drop(open);
    Round { delegation, looks, whole }
}

/// Whether those who are still awaited may be passed over: each was quiet before, and its name server has been heard.
fn is_enough(looks: &[Look], done: &[bool], may_be_passed: &[bool]) -> bool {
    let heard = |server| {
        let mut own = looks.iter().filter(|look| look.server == server);
        own.any(|look| !matches!(look.outcome, Outcome::Silent(_)))
    };
    let mut awaited = looks.iter().zip(done.iter().zip(may_be_passed)).filter(|(_, (done, _))| !**done);
    awaited.all(|(look, (_, passable))| *passable && heard(look.server))
}

/// Far more than an anycast address needs.
const PILOT_PATIENCE: Duration = Duration::from_millis(500);
