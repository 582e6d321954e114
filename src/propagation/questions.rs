//! Questions to authorities: identical ones that are in the air at once are put once, and those that are likely to
//! stay without an answer keep few sockets.

use std::collections::HashMap;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex, PoisonError, Weak};
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
    places: Mutex<HashMap<SocketAddr, Weak<Semaphore>>>,
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
        Self { exchange, flights: Flights::new(), quiet: Arc::new(quiet), places: Mutex::default() }
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
        let places = self.places(server);
        let flight = self.flights.join_since((server, name.clone()), Some(since), async move {
            // The semaphores are never closed.
            let _own = places.acquire().await.map_err(|_| ExchangeError::Silent)?;
            let _place = match quiet.addresses.get(&server) {
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

    /// For questions to this address. One that is silent and not yet known for it must not hold all sockets either.
    fn places(&self, server: SocketAddr) -> Arc<Semaphore> {
        let mut places = self.places.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(known) = places.get(&server).and_then(Weak::upgrade) {
            return known;
        }
        places.retain(|_, known| known.strong_count() > 0);
        let new = Arc::new(Semaphore::new(PLACES));
        places.insert(server, Arc::downgrade(&new));
        new
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
/// Questions in the air to one address: with twelve addresses, three quarters of the sockets. Who answers within ten
/// milliseconds gets three thousand a second through here.
const PLACES: usize = 32;
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
    async fn silent_authorities_keep_few_places() {
        let fake = Authorities::new();
        let names: Vec<_> = (0..100).map(|n| fqdn(&format!("n{n}.{NAME}"))).collect();
        let servers: Vec<SocketAddr> = (0..8).map(|n| SocketAddr::from(([192, 0, 2, n], 53))).collect();
        let both = || servers.iter().flat_map(|server| names.iter().map(move |name| (*server, name)));
        let fake = both().fold(fake, |fake, (server, name)| {
            fake.say_of(name.as_str(), &server.to_string(), &[(0, 4000, None)])
        });
        let questions = Questions::new(Arc::new(fake.clone()));
        let begun = Instant::now();
        let second = Duration::from_secs(1);
        let all = || join_all(both().map(|(server, name)| questions.ask(server, name, begun)));
        // Not yet known to be silent, each has its own.
        let _ = tokio::time::timeout(second, all()).await;
        assert_eq!(fake.count(), 8 * PLACES);
        // Afterwards, all have some together.
        for server in &servers {
            questions.ask(*server, &names[0], begun).await.unwrap_err();
        }
        assert!(questions.is_quiet(servers[0]) && questions.quiet() == 8);
        let before = fake.count();
        let _ = tokio::time::timeout(second, all()).await;
        assert_eq!(fake.count() - before, QUIET_PLACES);
    }
}
