//! A bounded map whose entries expire, on tokio's clock: what every cache here is made of.

use std::borrow::Borrow;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use tokio::time::Instant;

/// A map of at most `capacity` entries, each with an end of its own. Its lock is never held over an await.
#[derive(Debug)]
pub struct Expiring<K, V> {
    capacity: usize,
    entries: Mutex<HashMap<K, Entry<V>>>,
}

#[derive(Debug)]
struct Entry<V> {
    value: V,
    until: Instant,
}

impl<K: Eq + Hash + Clone, V: Clone> Expiring<K, V> {
    /// An empty map.
    pub fn new(capacity: usize) -> Self {
        Self { capacity, entries: Mutex::new(HashMap::new()) }
    }

    /// The value, if it is there and not over.
    pub fn get<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        let now = Instant::now();
        self.lock().get(key).filter(|entry| entry.until > now).map(|entry| entry.value.clone())
    }

    /// Keeps a value for `ttl`. When full, what is over goes first, then what would end soonest.
    pub fn insert(&self, key: K, value: V, ttl: Duration) {
        let now = Instant::now();
        let mut entries = self.lock();
        if entries.len() >= self.capacity && !entries.contains_key(&key) {
            entries.retain(|_, entry| entry.until > now);
            if entries.len() >= self.capacity {
                let soonest = entries.iter().min_by_key(|(_, entry)| entry.until).map(|(key, _)| key.clone());
                soonest.and_then(|key| entries.remove(&key));
            }
        }
        entries.insert(key, Entry { value, until: now + ttl });
    }

    /// Drops a value.
    pub fn remove<Q: Eq + Hash + ?Sized>(&self, key: &Q) -> Option<V>
    where
        K: Borrow<Q>,
    {
        self.lock().remove(key).map(|entry| entry.value)
    }

    /// How many entries take room; some may be over.
    pub fn len(&self) -> usize {
        self.lock().len()
    }

    /// Whether none does.
    pub fn is_empty(&self) -> bool {
        self.len() == 0
    }

    /// Drops every entry that `keep` does not want, and those that are over.
    pub fn retain(&self, mut keep: impl FnMut(&K, &V) -> bool) {
        let now = Instant::now();
        self.lock().retain(|key, entry| entry.until > now && keep(key, &entry.value));
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, Entry<V>>> {
        // No code of ours runs under the lock but `keep` and clones: a poisoned map is whole.
        self.entries.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test(start_paused = true)]
    async fn entries_end_and_the_soonest_makes_room() {
        let map = Expiring::new(2);
        map.insert("a", 1, Duration::from_secs(5));
        map.insert("b", 2, Duration::from_secs(9));
        map.insert("c", 3, Duration::from_secs(7));
        assert_eq!((map.get("a"), map.get("b"), map.get("c")), (None, Some(2), Some(3)));
        tokio::time::advance(Duration::from_secs(7)).await;
        assert_eq!((map.get("b"), map.get("c")), (Some(2), None));
        assert_eq!(map.remove("b"), Some(2));
        assert_eq!(map.get("b"), None);
    }
}
