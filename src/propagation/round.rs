//! A round: every address of a delegation is asked at once.

use std::net::SocketAddr;
use std::time::Duration;

use futures::stream::{FuturesUnordered, StreamExt};
use tokio::time::{Instant, timeout_at};

use super::delegation::Delegation;
use super::exchange::Exchange;
use super::verdict::{Look, Outcome, Round};
use crate::challenge::TxtValue;
use crate::expiring::Expiring;
use crate::name::Fqdn;

/// Addresses that did not answer a while ago. A round does not wait for them where their name server is heard at
/// another address: with IPv6 routed into nowhere each round would take seconds.
pub(super) type Quiet = Expiring<SocketAddr, ()>;

/// None yet.
pub(super) fn quiet() -> Quiet {
    Expiring::new(QUIET_CAPACITY)
}

/// What is asked, and of whom.
#[derive(Debug, Clone, Copy)]
pub(super) struct Subject<'a> {
    pub(super) delegation: &'a Delegation,
    pub(super) zone: &'a Fqdn,
    pub(super) fqdn: &'a Fqdn,
    pub(super) values: &'a [TxtValue],
}

/// Asks everybody, and ends at `until` at the latest.
pub(super) async fn ask_all<'a>(
    exchange: &impl Exchange,
    quiet: &Quiet,
    subject: Subject<'a>,
    until: Instant,
) -> Round<'a> {
    let mut looks = blank(subject.delegation);
    let may_be_passed: Vec<bool> = looks.iter().map(|l| quiet.get(&l.address).is_some()).collect();
    let mut open: FuturesUnordered<_> = looks
        .iter()
        .map(|look| look.address)
        .enumerate()
        .map(|(n, address)| async move {
            let asked = Instant::now();
            let outcome = match exchange.ask(address, subject.fqdn).await {
                Ok(answer) => Outcome::of(&answer, subject.zone, subject.fqdn, subject.values),
                Err(error) => Outcome::Silent(error.to_string()),
            };
            (n, outcome, asked.elapsed())
        })
        .collect();

    let mut done = vec![false; looks.len()];
    let whole = loop {
        if is_enough(&looks, &done, &may_be_passed) {
            break true;
        }
        let Ok(next) = timeout_at(until, open.next()).await else {
            break false;
        };
        let Some((n, outcome, took)) = next else {
            break true;
        };
        let (Some(look), Some(done)) = (looks.get_mut(n), done.get_mut(n)) else {
            continue;
        };
        tracing::debug!(fqdn = %subject.fqdn, server = %look.address, %outcome, ?took, "authority asked");
        if matches!(outcome, Outcome::Silent(_)) {
            quiet.insert(look.address, (), QUIET_FOR);
        } else {
            quiet.remove(&look.address);
        }
        look.outcome = outcome;
        *done = true;
    };
    drop(open);
    Round { delegation: subject.delegation, looks, whole }
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

fn blank(delegation: &Delegation) -> Vec<Look> {
    let servers = delegation.servers.iter().enumerate();
    servers
        .flat_map(|(n, server)| server.addresses.iter().map(move |address| (n, *address)))
        .map(|(server, address)| Look {
            server,
            address,
            outcome: Outcome::Silent("not waited for".to_owned()),
        })
        .collect()
}

const QUIET_FOR: Duration = Duration::from_mins(10);
const QUIET_CAPACITY: usize = 1024;
