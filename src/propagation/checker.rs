//! The check, over whatever answers: by the authority, and by resolvers over HTTPS where that can't be.

use std::sync::Arc;
use std::time::Duration;

use tokio::time::Instant;

use super::authority::{Stop, Wait};
use super::barrier::{Barrier, Barriers};
use super::delegation::{Delegation, Delegations};
use super::exchange::Exchange;
use super::front::Fronts;
use super::https::Https;
use super::lookup::Lookup;
use super::questions::Questions;
use super::quorum::{Denials, Quorum, Shortfall};
use super::round::Subject;
use super::tempo::Tempo;
use crate::deadline::Deadline;
use crate::metrics::Metrics;
use crate::metrics::dns::Memory;
use crate::name::Fqdn;
use crate::solver::error::{Cause, Error};
use crate::solver::port::{Sighting, Watch};

/// How long a check takes and waits.
#[derive(Debug, Clone, Copy)]
pub(super) struct Times {
    /// One check; the request's deadline bounds it too.
    pub(super) timeout: Duration,
    /// How long the values must have been live.
    pub(super) settle: Duration,
}

/// Who is asked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Judges {
    /// The authority alone.
    Authority,
    /// The authority, and resolvers over HTTPS where port 53 is barred.
    Both,
    /// Resolvers over HTTPS alone.
    Https,
}

/// The check.
#[derive(Debug)]
pub(super) struct Checker<L, E, H> {
    judges: Judges,
    times: Times,
    delegations: Delegations<L, E>,
    questions: Questions<E>,
    https: H,
    pub(super) tempo: Tempo,
    fronts: Fronts,
    pub(super) barriers: Barriers,
    denials: Denials,
    metrics: Arc<Metrics>,
}

impl<L: Lookup, E: Exchange, H: Https> Checker<L, E, H> {
    /// Nothing is known yet.
    pub(super) fn new(
        judges: Judges,
        times: Times,
        delegations: Delegations<L, E>,
        exchange: Arc<E>,
        https: H,
        metrics: Arc<Metrics>,
    ) -> Self {
        Self {
            judges,
            times,
            delegations,
            questions: Questions::new(exchange),
            https,
            tempo: Tempo::new(),
            fronts: Fronts::default(),
            barriers: Barriers::new(),
            denials: Denials::new(),
            metrics,
        }
    }

    pub(super) async fn confirm(&self, watch: Watch<'_>, deadline: Deadline) -> Result<Sighting, Error> {
        if deadline.is_over() {
            return Err(Cause::OutOfTime.into());
        }
        let begun = Instant::now();
        let (zone, fqdn) = (&watch.zone.name, watch.fqdn);
        let result = self.look(&watch, deadline.at_most(self.times.timeout)).await;
        let took = begun.elapsed().as_millis();
        match &result {
            Ok(sighting) => {
                let live = sighting.since.saturating_duration_since(begun).as_millis();
                let others = sighting.others.len();
                tracing::info!(%zone, %fqdn, live_ms = live, took_ms = took, others, "live");
            }
            Err(error) => {
                // Whatever it was, the delegation may have been part of it.
                self.delegations.forget(zone);
                let (code, detail) = (error.cause().code(), error.detail());
                tracing::info!(%zone, %fqdn, code, detail, took_ms = took, "not confirmed");
            }
        }
        self.count();
        result
    }

    async fn look(&self, watch: &Watch<'_>, deadline: Deadline) -> Result<Sighting, Error> {
        let zone = &watch.zone.name;
        let written = Instant::now();
        let barrier = match self.known_barrier(zone) {
            Some(barrier) => barrier,
            None => match self.by_authority_if_it_can_be(watch, deadline).await {
                Ok(sighting) => return Ok(sighting),
                Err(Stop::Failed(error)) => return Err(error),
                Err(Stop::Barred(barrier, detail)) => {
                    tracing::warn!(%zone, %barrier, detail, "going on over HTTPS");
                    if self.barriers.get(zone).is_none() && barrier != Barrier::Unknown {
                        self.barriers.met(zone, barrier);
                    }
                    barrier
                }
            },
        };
        self.by_https(watch, barrier, written, deadline).await
    }

    fn known_barrier(&self, zone: &Fqdn) -> Option<Barrier> {
        match self.judges {
            Judges::Authority => None,
            Judges::Both => self.barriers.get(zone),
            Judges::Https => Some(Barrier::Unwanted),
        }
    }

    async fn by_authority_if_it_can_be(
        &self,
        watch: &Watch<'_>,
        deadline: Deadline,
    ) -> Result<Sighting, Stop> {
        if self.judges == Judges::Authority {
            return self.by_authority(watch, deadline).await;
        }
        tokio::select! {
            biased;
            result = self.by_authority(watch, deadline) => result,
            barrier = self.barriers.next(&watch.zone.name) => {
                Err(Stop::Barred(barrier, "as another wait found out".to_owned()))
            }
        }
    }

    async fn by_authority(&self, watch: &Watch<'_>, deadline: Deadline) -> Result<Sighting, Stop> {
        let zone = &watch.zone.name;
        let has_detour = self.judges == Judges::Both;
        let delegation = self.delegation(zone, deadline).await.map_err(|error| match error.cause() {
            Cause::DelegationUnknown(_) if has_detour => Stop::Barred(Barrier::Unknown, error.to_string()),
            _ => Stop::Failed(error),
        })?;
        let wait = Wait {
            questions: &self.questions,
            subject: Subject { delegation: &delegation, zone, fqdn: watch.fqdn, values: watch.values },
            member: &self.fronts.join(zone),
            usual: self.tempo.usual(zone),
            seen: watch.seen,
            settle: self.times.settle,
            elsewhere: delegation.is_elsewhere(&watch.zone.name_servers),
            has_detour,
            deadline,
        };
        let live = wait.run().await?;
        if let Some(took) = live.took {
            self.tempo.learn(zone, took);
            self.metrics.dns.live_after(took);
        }
        Ok(live.sighting)
    }

    async fn delegation(&self, zone: &Fqdn, deadline: Deadline) -> Result<Arc<Delegation>, Error> {
        let deadline = match self.judges {
            Judges::Authority => deadline,
            Judges::Both | Judges::Https => deadline.at_most(LOOK_UP),
        };
        deadline.run(self.delegations.find(zone)).await.map_err(|_| {
            Error::new(Cause::DelegationUnknown(zone.clone()), "the resolvers did not answer in time")
        })?
    }

    async fn by_https(
        &self,
        watch: &Watch<'_>,
        barrier: Barrier,
        written: Instant,
        deadline: Deadline,
    ) -> Result<Sighting, Error> {
        let zone = &watch.zone.name;
        // Nobody is asked for some seconds anyway. What is not known is no reason to give up here.
        let elsewhere = watch.seen.is_none()
            && barrier != Barrier::Unknown
            && self
                .delegation(zone, deadline)
                .await
                .is_ok_and(|found| found.is_elsewhere(&watch.zone.name_servers));
        let quorum = Quorum {
            https: &self.https,
            denials: &self.denials,
            fqdn: watch.fqdn,
            values: watch.values,
            written,
            seen: watch.seen,
            usual: self.tempo.usual(zone),
            settle: self.times.settle,
            deadline,
        };
        let (zone, fqdn, why) = (zone.clone(), watch.fqdn.clone(), barrier.text());
        quorum.run().await.map_err(|shortfall| match shortfall {
            Shortfall::Roots(detail) => Error::new(Cause::NoRoots, detail),
            Shortfall::Unreached(detail) => Error::new(Cause::HttpsUnreachable { zone, why }, detail),
            Shortfall::Unconfirmed(detail) if elsewhere => Error::new(Cause::NotDelegated(zone), detail),
            Shortfall::Unconfirmed(detail) => Error::new(Cause::Unconfirmed { fqdn, why }, detail),
        })
    }

    fn count(&self) {
        let dns = &self.metrics.dns;
        dns.remember(Memory::Delegations, self.delegations.len());
        dns.remember(Memory::Delays, self.tempo.len());
        dns.remember(Memory::Barriers, self.barriers.len());
        dns.remember(Memory::QuietAddresses, self.questions.quiet());
        dns.remember(Memory::Denials, self.denials.len());
    }
}

/// For the delegation, where there is another way without it.
const LOOK_UP: Duration = Duration::from_secs(8);
