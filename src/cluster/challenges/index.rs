//! What is known of the Challenges, by name; pure, on tokio's clock.

use std::collections::{HashMap, HashSet};
use std::time::Duration;

use tokio::time::Instant;

use super::resource::{Observed, Presented};
use crate::name::Fqdn;
use crate::solver::port::{LiveChallenge, Stage};

/// The Challenges that exist, and those that ended less than [`KEPT`] ago.
#[derive(Debug, Default)]
pub(super) struct Index {
    /// Few have more than two, and a vector of one takes a third of a map of one.
    names: HashMap<Fqdn, Vec<Entry>>,
    count: usize,
    /// Whether everything that exists has been seen.
    complete: bool,
    /// During a list: what it has named so far.
    listed: HashSet<String>,
    /// When what is over was last looked for.
    pruned: Option<Instant>,
}

#[derive(Debug)]
struct Entry {
    challenge: LiveChallenge,
    /// A final one that still exists stays, unshown: after the next list it would look as if it had just ended.
    exists: bool,
}

/// How a Challenge came to be seen.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Seen {
    /// In a list: what was before is unknown.
    Listed,
    /// In an event: nothing happened between the event before and this one.
    Happened,
}

/// More Challenges than are kept.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct TooMany;

impl Index {
    /// A list begins: what is known counts for nothing until it is through, but is remembered.
    pub(super) fn begin(&mut self) {
        self.complete = false;
        self.listed.clear();
    }

    /// The list is through: what it did not name has gone.
    pub(super) fn end(&mut self) {
        let now = Instant::now();
        let entries = self.names.values_mut().flatten();
        for entry in entries.filter(|entry| entry.exists && !self.listed.contains(&entry.challenge.uid)) {
            // It may have been presented and finished while nobody looked.
            entry.challenge.stage =
                stage(Some(entry.challenge.stage), Presented::No, true, Seen::Listed, now);
            entry.exists = false;
        }
        self.listed = HashSet::new();
        self.complete = true;
        self.prune();
    }

    /// The watch broke: what is known is no longer the present.
    pub(super) fn lose(&mut self) {
        self.complete = false;
    }

    /// A Challenge is there.
    pub(super) fn put(&mut self, seen: Seen, observed: Observed) -> Result<(), TooMany> {
        if seen == Seen::Listed {
            self.listed.insert(observed.uid.clone());
        }
        self.enter(seen, observed, true)
    }

    /// A Challenge has gone.
    pub(super) fn remove(&mut self, observed: Observed) -> Result<(), TooMany> {
        let over = Observed { over: true, ..observed };
        self.enter(Seen::Happened, over, false)
    }

    /// The Challenges for a name, those that ended lately included; `None` while not all that exist are known.
    pub(super) fn known(&self, dns_name: &Fqdn) -> Option<Vec<LiveChallenge>> {
        let now = Instant::now();
        let at_name = self.names.get(dns_name).into_iter().flatten();
        let challenges = at_name.map(|entry| &entry.challenge);
        self.complete.then(|| challenges.filter(|challenge| is_kept(challenge, now)).cloned().collect())
    }

    /// A Challenge that was read aside, with what is remembered of it.
    pub(super) fn enrich(&self, observed: Observed) -> LiveChallenge {
        let before = self.stage(&observed);
        live(observed, before, Seen::Listed, Instant::now())
    }

    fn enter(&mut self, seen: Seen, observed: Observed, exists: bool) -> Result<(), TooMany> {
        if self.count >= CAPACITY || self.pruned.is_none_or(|at| at.elapsed() >= PRUNED_EVERY) {
            self.prune();
        }
        let before = self.stage(&observed);
        if before.is_none() {
            if self.count >= CAPACITY {
                self.complete = false;
                return Err(TooMany);
            }
            self.count += 1;
        }
        let at_name = self.names.entry(observed.dns_name.clone()).or_default();
        let challenge = live(observed, before, seen, Instant::now());
        let entry = Entry { challenge, exists };
        if let Some(known) = at_name.iter_mut().find(|known| known.challenge.uid == entry.challenge.uid) {
            *known = entry;
        } else {
            at_name.reserve_exact(1);
            at_name.push(entry);
        }
        Ok(())
    }

    fn stage(&self, observed: &Observed) -> Option<Stage> {
        let at_name = self.names.get(&observed.dns_name)?;
        let entry = at_name.iter().find(|entry| entry.challenge.uid == observed.uid)?;
        Some(entry.challenge.stage)
    }

    fn prune(&mut self) {
        let now = Instant::now();
        self.names.retain(|_, at_name| {
            at_name.retain(|entry| entry.exists || is_kept(&entry.challenge, now));
            !at_name.is_empty()
        });
        self.count = self.names.values().map(Vec::len).sum();
        self.pruned = Some(now);
    }
}

fn live(observed: Observed, before: Option<Stage>, seen: Seen, now: Instant) -> LiveChallenge {
    let stage = stage(before, observed.presented, observed.over, seen, now);
    LiveChallenge {
        uid: observed.uid,
        namespace: observed.namespace,
        dns_name: observed.dns_name,
        value: observed.value,
        solver: observed.solver,
        stage,
    }
}

/// Once presented, it stays so: `CleanUp` sets the field back, but what resolvers hold does not go by that.
fn stage(before: Option<Stage>, presented: Presented, over: bool, seen: Seen, now: Instant) -> Stage {
    let remembered = match before {
        None | Some(Stage::Pending) => None,
        Some(Stage::Presented(at)) => Some(at),
        Some(Stage::Over { presented, .. }) => presented,
    };
    // Stamped only if it was seen to happen: unpresented before, and nothing missed in between.
    let witnessed = before.is_some() && seen == Seen::Happened && presented == Presented::Now;
    let presented = remembered.or_else(|| (presented != Presented::No).then(|| witnessed.then_some(now)));
    match (before, over, presented) {
        (Some(Stage::Over { at, .. }), _, presented) => Stage::Over { at, presented },
        (_, true, Some(presented)) => Stage::Over { at: now, presented: Some(presented) },
        (_, true, None) => Stage::Over { at: now, presented: (seen == Seen::Listed).then_some(None) },
        (_, false, Some(at)) => Stage::Presented(at),
        (_, false, None) => Stage::Pending,
    }
}

fn is_kept(challenge: &LiveChallenge, now: Instant) -> bool {
    match challenge.stage {
        Stage::Over { at, .. } => now.duration_since(at) < KEPT,
        Stage::Pending | Stage::Presented(_) => true,
    }
}

/// Longer than a resolver may hold an answer with an "automatic" time to live (300 s).
const KEPT: Duration = Duration::from_mins(10);
/// Every one of them is looked at: too much for each event. Who is over is never shown, only kept a little longer.
const PRUNED_EVERY: Duration = Duration::from_secs(10);
/// About half a kilobyte each. cert-manager works on at most 60 Challenges at a time by default
/// (`--max-concurrent-challenges`); many more that wait are hardly an honest cluster's.
const CAPACITY: usize = 10_000;

#[cfg(test)]
mod tests {
    use super::*;
    use crate::challenge::TxtValue;

    #[tokio::test(start_paused = true)]
    async fn nothing_is_known_before_the_list_is_through_or_after_a_loss() {
        let mut index = Index::default();
        index.begin();
        index.put(Seen::Listed, observed("a")).unwrap();
        assert_eq!(index.known(&name()), None);
        index.end();
        assert_eq!(stages(&index), [Stage::Pending]);
        index.lose();
        assert_eq!(index.known(&name()), None);
    }

    #[tokio::test(start_paused = true)]
    async fn presented_is_stamped_when_it_was_seen_to_happen() {
        let mut index = listed([observed("a")]);
        tokio::time::advance(Duration::from_secs(3)).await;
        let then = Instant::now();
        index.put(Seen::Happened, presented("a")).unwrap();
        tokio::time::advance(Duration::from_secs(3)).await;
        index.put(Seen::Happened, presented("a")).unwrap();
        assert_eq!(stages(&index), [Stage::Presented(Some(then))]);

        index.put(Seen::Happened, observed("a")).unwrap();
        assert_eq!(stages(&index), [Stage::Presented(Some(then))], "CleanUp set it back");
    }

    #[tokio::test(start_paused = true)]
    async fn what_happened_unseen_has_no_time() {
        assert_eq!(stages(&listed([presented("a")])), [Stage::Presented(None)]);

        let mut index = listed([observed("a")]);
        index.begin();
        index.put(Seen::Listed, presented("a")).unwrap();
        index.end();
        assert_eq!(stages(&index), [Stage::Presented(None)]);

        let mut index = listed([observed("a")]);
        let late = Observed { presented: Presented::LongAgo, ..observed("a") };
        index.put(Seen::Happened, late).unwrap();
        assert_eq!(stages(&index), [Stage::Presented(None)]);

        let mut index = listed([]);
        index.put(Seen::Happened, presented("a")).unwrap();
        assert_eq!(stages(&index), [Stage::Presented(None)]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_end_remembers_what_was_presented() {
        let start = Instant::now();
        let mut index = listed([observed("a"), observed("b")]);
        index.put(Seen::Happened, presented("a")).unwrap();
        tokio::time::advance(Duration::from_secs(3)).await;
        let at = Instant::now();
        let over = |uid| Observed { over: true, ..observed(uid) };
        index.put(Seen::Happened, over("a")).unwrap();
        index.remove(observed("b")).unwrap();
        tokio::time::advance(Duration::from_secs(3)).await;
        index.remove(over("a")).unwrap();
        let (presented, never) = (Some(Some(start)), None);
        assert_eq!(stages(&index), [Stage::Over { at, presented }, Stage::Over { at, presented: never }]);
        // Who is first met at the end has a past that nobody knows.
        let presented = Some(None);
        assert_eq!(stages(&listed([over("a")])), [Stage::Over { at: Instant::now(), presented }]);
    }

    #[tokio::test(start_paused = true)]
    async fn the_ended_are_kept_for_ten_minutes_and_then_pruned() {
        let mut index = listed([presented("a"), observed("b"), observed("c")]);
        index.remove(presented("a")).unwrap();
        index.put(Seen::Happened, Observed { over: true, ..observed("c") }).unwrap();
        tokio::time::advance(Duration::from_secs(599)).await;
        assert_eq!(stages(&index).len(), 3);
        tokio::time::advance(Duration::from_secs(1)).await;
        assert_eq!(stages(&index), [Stage::Pending]);
        index.put(Seen::Happened, observed("b")).unwrap();
        assert_eq!(index.count, 2, "the one that was deleted is gone for good");

        index.begin();
        index.put(Seen::Listed, observed("b")).unwrap();
        index.put(Seen::Listed, Observed { over: true, ..observed("c") }).unwrap();
        index.end();
        assert_eq!(stages(&index), [Stage::Pending], "a list does not bring it back");
    }

    #[tokio::test(start_paused = true)]
    async fn what_a_new_list_does_not_name_has_gone_unseen() {
        let mut index = listed([observed("a")]);
        tokio::time::advance(Duration::from_secs(3)).await;
        index.begin();
        index.end();
        let (at, presented) = (Instant::now(), Some(None));
        assert_eq!(stages(&index), [Stage::Over { at, presented }]);
    }

    #[tokio::test(start_paused = true)]
    async fn too_many_are_refused_and_nothing_is_claimed_to_be_known() {
        let mut index = Index { count: CAPACITY, complete: true, ..Index::default() };
        index.names.insert(
            Fqdn::parse("other.example").unwrap(),
            (0..CAPACITY).map(|_| Entry { challenge: index.enrich(observed("x")), exists: true }).collect(),
        );
        assert_eq!(index.put(Seen::Happened, observed("a")), Err(TooMany));
        assert_eq!(index.known(&name()), None);
    }

    fn listed<const N: usize>(challenges: [Observed; N]) -> Index {
        let mut index = Index::default();
        index.begin();
        for challenge in challenges {
            index.put(Seen::Listed, challenge).unwrap();
        }
        index.end();
        index
    }

    /// By the values, which are the uids.
    fn stages(index: &Index) -> Vec<Stage> {
        let mut known = index.known(&name()).unwrap();
        known.sort_by(|a, b| a.value.cmp(&b.value));
        known.into_iter().map(|challenge| challenge.stage).collect()
    }

    fn presented(uid: &str) -> Observed {
        Observed { presented: Presented::Now, ..observed(uid) }
    }

    fn observed(uid: &str) -> Observed {
        Observed {
            uid: uid.to_owned(),
            namespace: "ns".to_owned(),
            dns_name: name(),
            value: TxtValue::parse(uid).unwrap(),
            solver: [0; 32],
            presented: Presented::No,
            over: false,
        }
    }

    fn name() -> Fqdn {
        Fqdn::parse("example.com").unwrap()
    }
}
