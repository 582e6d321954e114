//! Whether the authority serves what was written: [`Propagation`] by DNS.
//!
//! 1. `delegation`: the NS records of the zone's apex and their addresses, by recursive resolvers (`lookup`, over
//!    `resolver`). The challenge's own name is never asked there: Cloudflare's negative answers are kept for half an
//!    hour (`minimum` of its SOA), and a question that comes too early costs exactly that.
//! 2. `round`: every address of every name server is asked at once (`exchange`, over `sockets`).
//! 3. `verdict`: what the answers mean, each and together.
//! 4. `authority`: looks, until the values are live in two rounds or can't become so; in between `tempo` tells when to
//!    look, and `front` and `questions` spare what another wait asks anyway.
//! 5. `quorum`: where port 53 is barred (`barrier`), resolvers of two operators over HTTPS (`https`), late and sparingly.
//!
//! hickory is imported by `resolver` and `wire` alone.

mod address;
mod authority;
mod barrier;
mod checker;
mod delegation;
pub mod exchange;
mod front;
pub mod https;
pub mod lookup;
mod operator;
mod pace;
mod questions;
mod quorum;
mod recursive;
mod resolver;
mod round;
mod sockets;
mod tempo;
mod verdict;
pub mod wire;

use std::sync::Arc;
use std::time::Duration;

pub use self::recursive::{RecursiveServer, RecursiveServerError};
pub use self::resolver::{ResolverError, Roots};

use self::checker::{Checker, Judges, Times};
use self::delegation::Delegations;
use self::exchange::Exchange;
use self::https::Https;
use self::lookup::Lookup;
use self::operator::operators;
use self::resolver::{HttpsResolvers, Resolvers};
use self::sockets::Sockets;
use crate::deadline::Deadline;
use crate::metrics::Metrics;
use crate::solver::error::Error;
use crate::solver::port::{Propagation, Sighting, Watch};

/// What is believed before success is claimed.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Check {
    /// The authority, in two rounds; resolvers of two operators over HTTPS where port 53 is blocked or intercepted.
    Auto,
    /// The authority, in two rounds.
    Authority,
    /// Resolvers of two operators over HTTPS.
    Doh,
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
    /// cert-manager's it never makes them judge the challenge.
    pub recursive_servers_only: bool,
    /// `--propagation-doh-servers`: who is asked over HTTPS, but for the operators of `recursive_servers`.
    pub doh_servers: Vec<RecursiveServer>,
    /// For DNS over HTTPS: the roots that the operator trusts.
    pub roots: Arc<Roots>,
}

/// Everybody who can be asked: over sockets in the program, simulated in tests.
#[derive(Debug)]
pub struct Network<L, E, H> {
    /// Recursive resolvers, for delegations.
    pub lookup: L,
    /// Authorities.
    pub exchange: E,
    /// Resolvers over HTTPS.
    pub https: H,
}

/// Checks by asking.
#[derive(Debug)]
pub struct LiveCheck<L = Resolvers, E = Sockets, H = HttpsResolvers> {
    /// `None` if it is off.
    checker: Option<Checker<L, E, H>>,
}

impl LiveCheck {
    /// Reads the system's resolvers, if they may be needed. Sends nothing.
    pub fn new(settings: &Settings, metrics: Arc<Metrics>) -> Result<Self, ResolverError> {
        if settings.check == Check::Off {
            return Ok(Self { checker: None });
        }
        let operators = operators(&settings.doh_servers, &settings.recursive_servers);
        let lookup = Resolvers::new(
            settings.recursive_servers.clone(),
            settings.recursive_servers_only,
            Arc::clone(&settings.roots),
        )?;
        let exchange = Sockets::new(Arc::clone(&metrics));
        let https = HttpsResolvers::new(operators, &settings.roots, Arc::clone(&metrics));
        Self::over(Network { lookup, exchange, https }, settings, metrics)
    }
}

impl<L: Lookup, E: Exchange, H: Https> LiveCheck<L, E, H> {
    /// Asks in this network; of the settings counts what says how.
    pub fn over(
        network: Network<L, E, H>,
        settings: &Settings,
        metrics: Arc<Metrics>,
    ) -> Result<Self, ResolverError> {
        let Network { lookup, exchange, https } = network;
        let is_enough = https.operators().len() >= quorum::ENOUGH;
        let judges = match settings.check {
            Check::Off => return Ok(Self { checker: None }),
            Check::Authority => Judges::Authority,
            Check::Auto if is_enough => Judges::Both,
            Check::Auto => {
                tracing::warn!(
                    "too few operators are left in --propagation-doh-servers; only the authority is asked"
                );
                Judges::Authority
            }
            Check::Doh if is_enough => Judges::Https,
            Check::Doh => return Err(ResolverError::TooFew),
        };
        let exchange = Arc::new(exchange);
        let delegations = Delegations::new(
            lookup,
            Arc::clone(&exchange),
            settings.authority_port,
            settings.allow_private_name_servers,
        );
        let times = Times { timeout: settings.timeout, settle: settings.settle };
        let checker = Checker::new(judges, times, delegations, exchange, https, metrics);
        Ok(Self { checker: Some(checker) })
    }
}

impl<L: Lookup, E: Exchange, H: Https> Propagation for LiveCheck<L, E, H> {
    async fn confirm(&self, watch: Watch<'_>, deadline: Deadline) -> Result<Option<Sighting>, Error> {
        match &self.checker {
            Some(checker) => checker.confirm(watch, deadline).await.map(Some),
            None => Ok(None),
        }
    }
}

#[cfg(test)]
mod fake;
#[cfg(test)]
mod tests;
