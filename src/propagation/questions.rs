//! Questions to authorities: identical ones that are in the air at once are put once, and those that are likely to
//! stay without an answer keep few sockets.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use tokio::sync::Semaphore;
use tokio::time::Instant;

use super::exchange::{Answer, Exchange, ExchangeError};
use crate::expiring::Expiring;
use crate::flight::Flights;
use crate::name::Fqdn;

/// Puts questions, shared by all waits.
#[derive(Debug)]
pub(super) struct Questions<E> {
    exchange: Arc<E>,
    flights: Flights<(SocketAddr, Fqdn), Result<Answer, ExchangeError>>,
    quiet: Arc<Quiet>,
}

/// Addresses that did not answer a while ago. A round does not wait for them where their name server is heard at
/// another address: with IPv6 routed into nowhere each round would take seconds.
#[derive(Debug)]
struct Quiet {
    addresses: Expiring<SocketAddr, ()>,
    /// For questions to them: a silent authority must not hold the sockets that others need.
    places: Semaphore,
}

impl<E: Exchange> Questions<E> {
    /// Over this exchange.
    pub(super) fn new(exchange: Arc<E>) -> Self {
        let quiet = Quiet { addresses: Expiring::new(QUIET_CAPACITY), places: Semaphore::new(QUIET_PLACES) };
        Self { exchange, flights: Flights::new(), quiet: Arc::new(quiet) }
    }

    /// Asks, or joins an identical question in the air that was put at `since` or later: one that was put before
    /// proves nothing about a round that begins at `since`.
    pub(super) async fn ask(
        &self,
        server: SocketAddr,
        name: &Fqdn,
        since: Instant,
    ) -> Result<Answer, ExchangeError> {
        let (exchange, quiet, owned) = (Arc::clone(&self.exchange), Arc::clone(&self.quiet), name.clone());
        let flight = self.flights.join_since((server, name.clone()), Some(since), async move {
            let _place = match quiet.addresses.get(&server) {
                // The semaphore is never closed.
                Some(()) => Some(quiet.places.acquire().await.map_err(|_| ExchangeError::Silent)?),
                None => None,
            };
            let answer = exchange.ask(server, &owned).await;
            if answer.is_ok() {
                quiet.addresses.remove(&server);
            } else {
                quiet.addresses.insert(server, (), QUIET_FOR);
            }
            answer
        });
        flight.await
    }

    /// Whether nothing was heard of an address a while ago.
    pub(super) fn is_quiet(&self, server: SocketAddr) -> bool {
        self.quiet.addresses.get(&server).is_some()
    }

    /// How many addresses are quiet.
    pub(super) fn quiet(&self) -> usize {
        self.quiet.addresses.len()
    }
}

const QUIET_FOR: Duration = Duration::from_mins(10);
const QUIET_CAPACITY: usize = 1024;
/// A quarter of the sockets.
const QUIET_PLACES: usize = 128;

#[cfg(test)]
mod tests {
    use futures::future::join_all;

    use super::super::fake::{Authorities, BOB_4, NAME, fqdn, has};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn one_question_answers_all_who_ask_at_once_and_none_who_ask_of_a_later_time() {
        let fake = Authorities::all(&[(0, 50, has(&["v"]))]);
        let questions = Questions::new(Arc::new(fake.clone()));
        let (server, name) = (BOB_4.parse().unwrap(), fqdn(NAME));
        let begun = Instant::now();
        let early = join_all((0..20).map(|_| questions.ask(server, &name, begun)));
        let late = async {
            tokio::time::sleep(Duration::from_millis(20)).await;
            let now = Instant::now();
            tokio::join!(questions.ask(server, &name, begun), questions.ask(server, &name, now))
        };
        let (early, (joined, anew)) = tokio::join!(early, late);
        assert!(early.iter().chain([&joined, &anew]).all(Result::is_ok));
        assert_eq!(fake.asked(BOB_4), [0, 20]);
    }

    #[tokio::test(start_paused = true)]
    async fn questions_to_a_silent_authority_keep_few_places() {
        let fake = Authorities::new();
        let fake =
            (0..200).fold(fake, |fake, n| fake.say_of(&format!("n{n}.{NAME}"), BOB_4, &[(0, 4000, None)]));
        let questions = Questions::new(Arc::new(fake.clone()));
        let server = BOB_4.parse().unwrap();
        let begun = Instant::now();
        questions.ask(server, &fqdn(&format!("n0.{NAME}")), begun).await.unwrap_err();
        assert!(questions.is_quiet(server) && questions.quiet() == 1);
        let names: Vec<_> = (1..200).map(|n| fqdn(&format!("n{n}.{NAME}"))).collect();
        let all = join_all(names.iter().map(|name| questions.ask(server, name, begun)));
        let _ = tokio::time::timeout(Duration::from_secs(1), all).await;
        assert_eq!(fake.asked(BOB_4).len(), 1 + QUIET_PLACES);
    }
}
