//! What the waits of one zone tell each other, so that many names cost few questions.
//!
//! Names that are written together become live about together. While the first look at them only finds "lacks", one of
//! them is asked on behalf of those that were written no sooner; as soon as one is live, all of its time look for
//! themselves. This saves questions and decides nothing: no name is believed live by another's answer, and none is
//! passed over for long, for one record may be late, or never come, without the others.

use std::collections::HashMap;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, PoisonError, Weak};
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::Instant;

use crate::name::Fqdn;

/// The zones in which names are waited for.
#[derive(Debug, Default)]
pub(super) struct Fronts(Mutex<HashMap<Fqdn, Weak<Front>>>);

/// One zone; it lives in its waits.
#[derive(Debug)]
struct Front {
    last: Mutex<Option<Asked>>,
    /// When the latest written of the names that were seen live was written.
    live: Mutex<Option<Instant>>,
    /// That has changed. Wakes in the order of the waits, so that a simulation plays the same again.
    passes: Notify,
    /// So that pilots go to each address in turn.
    turn: AtomicUsize,
    members: AtomicUsize,
}

/// The last question that was put for the zone.
#[derive(Debug, Clone, Copy)]
struct Asked {
    by: usize,
    at: Instant,
    /// When its name was written.
    written: Instant,
}

/// One wait's place among those of its zone.
#[derive(Debug)]
pub(super) struct Member {
    front: Arc<Front>,
    id: usize,
    written: Instant,
    /// When it last asked itself.
    asked: Mutex<Instant>,
}

impl Fronts {
    /// A wait for a name that was written now.
    pub(super) fn join(&self, zone: &Fqdn) -> Member {
        let mut fronts = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let known = fronts.get(zone).and_then(Weak::upgrade);
        let front = known.unwrap_or_else(|| {
            fronts.retain(|_, front| front.strong_count() > 0);
            let front = Arc::new(Front {
                last: Mutex::default(),
                live: Mutex::default(),
                passes: Notify::new(),
                turn: AtomicUsize::new(0),
                members: AtomicUsize::new(0),
            });
            fronts.insert(zone.clone(), Arc::downgrade(&front));
            front
        });
        let id = front.members.fetch_add(1, Ordering::Relaxed);
        let now = Instant::now();
        // Those that come together don't take their turns together.
        let share = SPARED * u32::try_from(id % 4).unwrap_or_default() / 4;
        Member { front, id, written: now, asked: Mutex::new(now.checked_sub(share).unwrap_or(now)) }
    }
}

impl Member {
    /// Whether other names of the zone are waited for.
    pub(super) fn is_among_others(&self) -> bool {
        Arc::strong_count(&self.front) > 1
    }

    /// Asks now, for all.
    pub(super) fn asks(&self) {
        let asked = Asked { by: self.id, at: Instant::now(), written: self.written };
        *self.front.last.lock().unwrap_or_else(PoisonError::into_inner) = Some(asked);
    }

    /// Whether this look may be left out: another wait asked within the last `pause`, for a name that was written no
    /// later, and it was not live. If not, this wait is the one that asks now.
    pub(super) fn may_pass(&self, pause: Duration) -> bool {
        let now = Instant::now();
        let last = *self.front.last.lock().unwrap_or_else(PoisonError::into_inner);
        let is_told = last.is_some_and(|last| {
            last.by != self.id && last.at + pause > now && last.written <= self.written + TOGETHER
        });
        let spared = (now.saturating_duration_since(self.written) / 4).clamp(SPARED, SPARED * 4);
        let mut asked = self.asked.lock().unwrap_or_else(PoisonError::into_inner);
        if is_told && !self.is_passed() && now + pause <= *asked + spared {
            return true;
        }
        *asked = now;
        drop(asked);
        self.asks();
        false
    }

    /// Tells the others that this name is live.
    pub(super) fn is_live(&self) {
        let mut live = self.front.live.lock().unwrap_or_else(PoisonError::into_inner);
        if live.is_none_or(|live| live < self.written) {
            *live = Some(self.written);
            drop(live);
            self.front.passes.notify_waiters();
        }
    }

    /// Waits until a name that was written no sooner than this one was seen live.
    pub(super) async fn passed(&self) {
        loop {
            let passes = self.front.passes.notified();
            if self.is_passed() {
                return;
            }
            passes.await;
        }
    }

    /// Whether that is so already.
    pub(super) fn is_passed(&self) -> bool {
        let live = *self.front.live.lock().unwrap_or_else(PoisonError::into_inner);
        live.is_some_and(|live| live + TOGETHER >= self.written)
    }

    /// A number for this question, one after the other over the whole zone.
    pub(super) fn turn(&self) -> usize {
        self.front.turn.fetch_add(1, Ordering::Relaxed)
    }
}

/// How long a wait may go without a look of its own, at first; later it is a quarter of the time waited, up to four
/// times as much.
const SPARED: Duration = Duration::from_millis(500);
/// Names written within this time count as written together: a batch is one write, its answers come one by one.
const TOGETHER: Duration = Duration::from_millis(250);

#[cfg(test)]
mod tests {
    use futures::FutureExt;
    use tokio::time::advance;

    use super::super::fake::{ZONE, fqdn};
    use super::*;

    const PAUSE: Duration = Duration::from_millis(100);

    #[tokio::test(start_paused = true)]
    async fn one_asks_for_those_written_with_it_and_each_gets_its_turn() {
        let fronts = Fronts::default();
        let members: Vec<_> = (0..8).map(|_| fronts.join(&fqdn(ZONE))).collect();
        members[0].asks();
        let mut asked = vec![Vec::new(); members.len()];
        for turn in 0..20 {
            advance(PAUSE).await;
            let before: usize = asked.iter().map(Vec::len).sum();
            for (member, asked) in members.iter().zip(&mut asked) {
                if !member.may_pass(PAUSE) {
                    asked.push(turn);
                }
            }
            assert!(asked.iter().map(Vec::len).sum::<usize>() > before, "somebody asks at each turn");
        }
        for turns in &asked {
            assert!(turns.windows(2).all(|pair| pair[1] - pair[0] <= 5), "{asked:?}");
            assert!(turns.len() >= 4, "{asked:?}");
        }
        assert!(asked.iter().map(Vec::len).sum::<usize>() <= 20 * 8 / 3, "{asked:?}");
    }

    #[tokio::test(start_paused = true)]
    async fn a_name_written_later_tells_nothing_of_an_earlier_one() {
        let fronts = Fronts::default();
        let early = fronts.join(&fqdn(ZONE));
        assert!(!early.is_among_others());
        advance(Duration::from_secs(2)).await;
        let late = fronts.join(&fqdn(ZONE));
        assert!(late.is_among_others());
        assert!(!late.may_pass(PAUSE));
        assert!(!early.may_pass(PAUSE), "the later one lacks, which is no wonder");
        assert!(late.may_pass(PAUSE));
        early.is_live();
        assert!(late.passed().now_or_never().is_none(), "nor does an earlier one that is live");
        late.is_live();
        early.passed().await;
        assert!(!early.may_pass(PAUSE), "from then on each looks for itself");
    }

    #[tokio::test(start_paused = true)]
    async fn zones_have_nothing_to_do_with_each_other_and_leave_nothing() {
        let fronts = Fronts::default();
        let (one, other) = (fronts.join(&fqdn(ZONE)), fronts.join(&fqdn("example.org")));
        assert!(!one.may_pass(PAUSE) && !other.may_pass(PAUSE));
        drop((one, other));
        let _third = fronts.join(&fqdn("example.net"));
        assert_eq!(fronts.0.lock().unwrap().len(), 1);
    }
}
