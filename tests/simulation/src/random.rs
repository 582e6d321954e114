//! Numbers that follow from a seed.

use std::time::Duration;

use cloudflare_emulator::Random as Sequence;

/// The emulator's sequence, with what a schedule is drawn by.
#[derive(Debug, Clone)]
pub(crate) struct Random(Sequence);

impl Random {
    pub(crate) fn new(seed: u64) -> Self {
        Self(Sequence::new(seed))
    }

    /// A number below `end`.
    pub(crate) fn below(&mut self, end: u64) -> u64 {
        self.0.number() % end
    }

    /// True so many times in a hundred.
    pub(crate) fn percent(&mut self, percent: u64) -> bool {
        self.below(100) < percent
    }

    pub(crate) fn pick<'a, T>(&mut self, from: &'a [T]) -> &'a T {
        &from[usize::try_from(self.below(from.len() as u64)).unwrap()]
    }

    pub(crate) fn millis(&mut self, from: u64, to: u64) -> Duration {
        Duration::from_millis(from + self.below(to - from))
    }

    /// Another one, for a part that takes numbers at times of its own.
    pub(crate) fn fork(&mut self) -> Self {
        Self::new(self.0.number())
    }
}
