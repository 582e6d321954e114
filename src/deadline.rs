//! One budget of time a request, on tokio's clock.

use std::future::Future;
use std::time::Duration;

use tokio::time::Instant;

/// The instant after which a request starts nothing new and waits for nothing more.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub struct Deadline(Instant);

/// The budget was used up before the work was done.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("the time of this request is used up")]
pub struct Elapsed;

impl Deadline {
    /// The deadline `budget` from now.
    pub fn within(budget: Duration) -> Self {
        Self(Instant::now() + budget)
    }

    /// This deadline, or `budget` from now if that is sooner.
    #[must_use]
    pub fn at_most(self, budget: Duration) -> Self {
        self.min(Self::within(budget))
    }

    /// What is left; zero once it is over.
    pub fn remaining(self) -> Duration {
        self.0.saturating_duration_since(Instant::now())
    }

    /// Whether nothing may be started any more.
    pub fn is_over(self) -> bool {
        self.remaining().is_zero()
    }

    /// The instant itself.
    pub fn instant(self) -> Instant {
        self.0
    }

    /// Awaits `work`, or gives it up at the deadline.
    pub async fn run<T>(self, work: impl Future<Output = T>) -> Result<T, Elapsed> {
        tokio::time::timeout_at(self.0, work).await.map_err(|_| Elapsed)
    }

    /// Sleeps until `until`; refuses at once if that is past the deadline.
    pub async fn sleep_until(self, until: Instant) -> Result<(), Elapsed> {
        if until > self.0 {
            return Err(Elapsed);
        }
        tokio::time::sleep_until(until).await;
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn work_is_given_up_at_the_deadline() {
        let deadline = Deadline::within(Duration::from_secs(2));
        assert_eq!(deadline.run(async { 7 }).await, Ok(7));
        assert_eq!(deadline.run(std::future::pending::<()>()).await, Err(Elapsed));
        assert!(deadline.is_over());
    }

    #[tokio::test(start_paused = true)]
    async fn a_sleep_past_the_deadline_is_not_begun() {
        let deadline = Deadline::within(Duration::from_secs(2));
        let before = Instant::now();
        assert_eq!(deadline.sleep_until(before + Duration::from_secs(3)).await, Err(Elapsed));
        assert_eq!(Instant::now(), before);
    }
}
