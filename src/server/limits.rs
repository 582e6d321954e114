//! What the peers of a server may cost.

use std::ops::Range;
use std::time::Duration;

/// What one connection may cost, and how many there are. The defaults are those of `pkg/server/secure_serving.go` where
/// it has one.
#[derive(Debug, Clone)]
pub struct Limits {
    /// From the first byte to the end of the TLS handshake.
    pub handshake: Duration,
    /// From the first byte of a request's head to its last.
    pub header: Duration,
    /// For the peer to take some of what it has asked for.
    pub unread: Duration,
    /// Without a request, after which the connection is closed. The aggregation layer keeps its own for 90 s; closing
    /// sooner would race with its next request.
    pub idle: Duration,
    /// After which a connection takes no further request: who comes back meets the certificate of the day, and the
    /// replicas of the day. A span, so that those which began together don't come back together.
    pub age: Range<Duration>,
    /// Open at the same time; one more takes the place of another.
    pub connections: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self {
            handshake: Duration::from_secs(10),
            header: Duration::from_secs(32),
            unread: Duration::from_secs(30),
            idle: Duration::from_mins(2),
            age: Duration::from_mins(5)..Duration::from_mins(10),
            connections: 1024,
        }
    }
}

impl Limits {
    /// The age of the connection with this number, spread over the span by the golden ratio: whatever their number,
    /// those that follow each other are far apart.
    pub(super) fn age_of(&self, number: u32) -> Duration {
        let span = self.age.end.saturating_sub(self.age.start);
        let fraction = f64::from(number.wrapping_mul(GOLDEN)) / f64::from(u32::MAX);
        self.age.start + span.mul_f64(fraction)
    }
}

/// 2^32 divided by the golden ratio (Knuth, *The Art of Computer Programming*, volume 3, 6.4).
const GOLDEN: u32 = 2_654_435_769;

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ages_are_spread_over_their_span() {
        let limits = Limits::default();
        let mut ages: Vec<_> = (0..8).map(|number| limits.age_of(number)).collect();
        assert!(ages.iter().all(|age| (limits.age.start..=limits.age.end).contains(age)), "{ages:?}");
        ages.sort();
        let apart = ages.windows(2).map(|pair| pair[1].saturating_sub(pair[0])).min().unwrap();
        assert!(apart > Duration::from_secs(15), "{ages:?}");
        assert!(limits.idle > Duration::from_secs(90));
    }
}
