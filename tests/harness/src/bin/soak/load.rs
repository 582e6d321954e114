//! Certificates as they come, without an end of their own.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use anyhow::Result;
use futures::future::try_join_all;
use harness::work::{Patience, Tally, Worker};
use harness::{Challenge, Scene, Webhook};
use tokio::time::Instant;

use crate::chaos::{ZONES, secret, zone};

/// Some places, in each of which one challenge follows another.
pub(crate) struct Load<'a> {
    worker: Worker<'a>,
    /// Challenges begun so far in each place.
    begun: [AtomicUsize; PLACES],
}

impl<'a> Load<'a> {
    pub(crate) fn new(scene: &'a Scene, webhook: &Webhook) -> Result<Self> {
        let begun = [const { AtomicUsize::new(0) }; PLACES];
        Ok(Self { worker: Worker::new(scene, webhook, PATIENCE)?, begun })
    }

    /// Begins challenges until then, and ends those that it began.
    pub(crate) async fn until(&self, end: Instant) -> Result<()> {
        let places = (0..PLACES).map(async |place| {
            while Instant::now() < end {
                let number = self.begun[place].fetch_add(1, Ordering::Relaxed);
                self.worker.solve(1, std::iter::once(challenge(place, number))).await?;
            }
            anyhow::Ok(())
        });
        try_join_all(places).await.map(drop)
    }

    pub(crate) fn tally(self) -> Tally {
        self.worker.tally()
    }
}

/// Each place has names of its own, which come again and again, as renewals do: what is remembered of names does not grow
/// for ever. They come again when no resolver can hold the answer of the time before, for which a Present would wait.
fn challenge(place: usize, number: usize) -> Result<Challenge> {
    let (order, name) = (number / NAMES, number % NAMES);
    let of = (place + name) % ZONES;
    let challenge = Challenge::below(&format!("p{place}n{name}"), &zone(of))?;
    Ok(challenge.in_order(order).with_secret(&secret(of)))
}

const PLACES: usize = 16;
/// Of each place.
const NAMES: usize = 60;
/// Faults meet one request in ten; none may be given up.
const PATIENCE: Patience = Patience { tries: 100, pause: Duration::from_secs(2) };
