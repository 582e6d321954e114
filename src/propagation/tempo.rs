//! When to look: each zone's usual delay from write to live, learned, and the pauses that follow from it.

use std::time::Duration;

use crate::expiring::Expiring;
use crate::name::Fqdn;

/// The usual delays of zones.
#[derive(Debug)]
pub(super) struct Tempo {
    usual: Expiring<Fqdn, Duration>,
}

impl Tempo {
    /// Nothing is known yet.
    pub(super) fn new() -> Self {
        Self { usual: Expiring::new(CAPACITY) }
    }

    /// How long a record of this zone usually takes to be live, as far as was seen.
    pub(super) fn usual(&self, zone: &Fqdn) -> Option<Duration> {
        self.usual.get(zone)
    }

    /// A record was live this long after its write. A shorter time is taken over at once, a longer one moves the
    /// estimate by an eighth: looking early costs a question, looking late costs somebody's time.
    pub(super) fn learn(&self, zone: &Fqdn, took: Duration) {
        let usual = match self.usual.get(zone) {
            Some(usual) if usual < took => usual + took.saturating_sub(usual) / 8,
            _ => took,
        };
        self.usual.insert(zone.clone(), usual, KEPT);
    }

    /// How many zones are known.
    pub(super) fn len(&self) -> usize {
        self.usual.len()
    }
}

/// How long to pause after a look, so long after the write.
///
/// An eighth of the time waited so far: early at first, because most records are live within two seconds, and never
/// much later than need be. Where the usual delay is known, it is a half until a little before that: so whatever the
/// estimate, a record that became live sooner is seen after one and a half of its own time, or a quarter of a second.
pub(super) fn pause(waited: Duration, usual: Option<Duration>) -> Duration {
    let fine = (waited / 8).clamp(FIRST, LAST);
    let soon = usual.unwrap_or_default() * 3 / 4;
    let Some(left) = soon.checked_sub(waited) else {
        return fine;
    };
    let coarse = (waited / 2).max((soon / 4).min(BLIND)).min(LAST);
    coarse.min(left).max(fine)
}

const FIRST: Duration = Duration::from_millis(100);
const LAST: Duration = Duration::from_secs(1);
/// The longest first pause.
const BLIND: Duration = Duration::from_millis(250);
/// Zones.
const CAPACITY: usize = 4096;
const KEPT: Duration = Duration::from_hours(24);

#[cfg(test)]
mod tests {
    use super::super::fake::{ZONE, fqdn};
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn the_estimate_follows_down_at_once_and_up_slowly() {
        let (tempo, zone) = (Tempo::new(), fqdn(ZONE));
        assert_eq!(tempo.usual(&zone), None);
        let mut seen = Vec::new();
        for ms in [2000, 1200, 9200, 9200, 400] {
            tempo.learn(&zone, Duration::from_millis(ms));
            seen.push(tempo.usual(&zone).unwrap().as_millis());
        }
        assert_eq!(seen, [2000, 1200, 2200, 3075, 400]);
        assert_eq!(tempo.len(), 1);
        tokio::time::advance(KEPT).await;
        assert_eq!(tempo.usual(&zone), None);
    }

    #[test]
    fn few_looks_before_the_usual_delay_and_many_about_it() {
        let looks = looks(Some(3000));
        let before = looks.iter().filter(|at| **at < 2000).count();
        assert!(before <= 8, "{looks:?}");
        assert!(looks.contains(&2250), "{looks:?}");
        let about: Vec<_> = looks.iter().filter(|at| (2250..4000).contains(*at)).collect();
        assert!(about.windows(2).all(|pair| pair[1] - pair[0] <= pair[0] / 8 + 1), "{looks:?}");
    }

    /// Whatever was learned, nobody is late by more than half of his own time or a quarter of a second.
    #[test]
    fn an_estimate_makes_nothing_late() {
        for usual in [None, Some(0), Some(150), Some(1000), Some(3000), Some(10_000), Some(60_000)] {
            let looks = looks(usual);
            for live in 1..20_000 {
                let seen = looks.iter().copied().find(|at| *at >= live).unwrap();
                assert!(
                    seen - live <= (live / 2).clamp(250, 1000),
                    "{usual:?}: live at {live}, seen at {seen}"
                );
            }
        }
    }

    /// The milliseconds of all looks in thirty seconds.
    fn looks(usual: Option<u64>) -> Vec<u64> {
        let mut at = Duration::ZERO;
        let mut looks = Vec::new();
        while at < Duration::from_secs(30) {
            looks.push(u64::try_from(at.as_millis()).unwrap());
            at += pause(at, usual.map(Duration::from_millis));
        }
        looks
    }
}
