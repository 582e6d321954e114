//! Whether the authority serves what was written: [`Propagation`] by DNS.
//!
//! 1. `delegation`: the NS records of the zone's apex and their addresses, by recursive resolvers (`lookup`, over
//!    `resolver`). The challenge's own name is never asked there: Cloudflare's negative answers are kept for half an
//!    hour (`minimum` of its SOA), and a question that comes too early costs exactly that.
//! 2. `round`: every address of every name server is asked at once (`exchange`, over `sockets`).
//! 3. `verdict`: what the answers mean, each and together.
//! 4. `authority`: rounds, until the values are live twice or can't become so.
//!
//! hickory is imported by `resolver` and `wire` alone.

mod address;
mod authority;
mod delegation;
mod exchange;
mod lookup;
mod pace;
mod recursive;
mod resolver;
mod round;
mod sockets;
mod verdict;
mod wire;

use std::time::Duration;

use tokio::time::Instant;

pub use self::recursive::{RecursiveServer, RecursiveServerError};
pub use self::resolver::ResolverError;

use self::authority::Wait;
use self::delegation::Delegations;
use self::exchange::Exchange;
use self::lookup::Lookup;
use self::resolver::Resolvers;
use self::round::{Quiet, Subject, quiet};
use self::sockets::Sockets;
use crate::deadline::Deadline;
use crate::solver::error::{Cause, Error};
use crate::solver::port::{Propagation, Sighting, Watch};

/// What is believed before success is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The authority, in two rounds.
    Authority,
    /// Nothing: no packet is sent and nothing is known.
    Off,
}

/// How to check.
#[derive(Debug, Clone)]
pub struct Settings {
    /// `--propagation-check`
    pub check: Check,
    /// `--propagation-timeout`: how long one check may take; the request's deadline bounds it too.
    pub timeout: Duration,
    /// `--propagation-settle`: how long the values must have been live. Zero is two rounds back to back.
    pub settle: Duration,
    /// `--dns01-authority-port`: where authorities listen, 53 but for tests.
    pub authority_port: u16,
    /// `--allow-private-nameservers`: whether an authority may have an address that is not a public one.
    pub allow_private_name_servers: bool,
    /// `--dns01-recursive-nameservers`: who is asked for delegations first; empty is the system's resolvers.
    pub recursive_servers: Vec<RecursiveServer>,
    /// `--dns01-recursive-nameservers-only`: the system's resolvers are not asked when those given fail. Unlike
    /// cert-manager's it never makes them judge the challenge: only the authority does.
    pub recursive_servers_only: bool,
    /// For DNS over HTTPS: the roots that the operator trusts.
    pub tls: rustls::ClientConfig,
}

/// Checks by asking the authority.
#[derive(Debug)]
pub struct LiveCheck {
    /// `None` if it is off.
    checker: Option<Checker<Resolvers, Sockets>>,
}

impl LiveCheck {
    /// Reads the system's resolvers, if they may be needed. Sends nothing.
    pub fn new(settings: Settings) -> Result<Self, ResolverError> {
        let checker = match settings.check {
            Check::Off => None,
            Check::Authority => {
                let resolvers = Resolvers::new(
                    settings.recursive_servers,
                    settings.recursive_servers_only,
                    settings.tls,
                )?;
                Some(Checker {
                    delegations: Delegations::new(
                        resolvers,
                        settings.authority_port,
                        settings.allow_private_name_servers,
                    ),
                    exchange: Sockets::new(),
                    quiet: quiet(),
                    timeout: settings.timeout,
                    settle: settings.settle,
                })
            }
        };
        Ok(Self { checker })
    }
}

impl Propagation for LiveCheck {
    async fn confirm(&self, watch: Watch<'_>, deadline: Deadline) -> Result<Option<Sighting>, Error> {
        match &self.checker {
            Some(checker) => checker.confirm(watch, deadline).await.map(Some),
            None => Ok(None),
        }
    }
}

/// The check, over whatever answers.
#[derive(Debug)]
struct Checker<L, E> {
    delegations: Delegations<L>,
    exchange: E,
    quiet: Quiet,
    timeout: Duration,
    settle: Duration,
}

impl<L: Lookup, E: Exchange> Checker<L, E> {
    async fn confirm(&self, watch: Watch<'_>, deadline: Deadline) -> Result<Sighting, Error> {
        if deadline.is_over() {
            return Err(Cause::OutOfTime.into());
        }
        let begun = Instant::now();
        let (zone, fqdn) = (&watch.zone.name, watch.fqdn);
        let result = self.look(&watch, deadline.at_most(self.timeout)).await;
        let took = begun.elapsed().as_millis();
        match &result {
            Ok(sighting) => {
                let live = sighting.since.saturating_duration_since(begun).as_millis();
                let others = sighting.others.len();
                tracing::info!(%zone, %fqdn, live_ms = live, took_ms = took, others, "live at every name server");
            }
            Err(error) => {
                // Whatever it was, the delegation may have been part of it.
                self.delegations.forget(zone);
                let (code, detail) = (error.cause().code(), error.detail());
                tracing::info!(%zone, %fqdn, code, detail, took_ms = took, "not confirmed at the authority");
            }
        }
        result
    }

    async fn look(&self, watch: &Watch<'_>, deadline: Deadline) -> Result<Sighting, Error> {
        let zone = &watch.zone.name;
        let delegation =
            deadline.run(self.delegations.find(zone, &self.exchange)).await.map_err(|_| {
                Error::new(Cause::DelegationUnknown(zone.clone()), "the resolvers did not answer in time")
            })??;
        let wait = Wait {
            exchange: &self.exchange,
            quiet: &self.quiet,
            subject: Subject { delegation: &delegation, zone, fqdn: watch.fqdn, values: watch.values },
            seen: watch.seen,
            settle: self.settle,
            elsewhere: delegation.is_elsewhere(&watch.zone.name_servers),
            deadline,
        };
        wait.run().await
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
