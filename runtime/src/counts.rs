//! How many there are of each: connections of an address, calls of a caller.

use std::{
    collections::{HashMap, hash_map::Entry},
    hash::Hash,
    sync::{Arc, Mutex, MutexGuard, PoisonError},
};

/// Counts by key. Clones share them; of what there is none, nothing is kept.
#[derive(Clone, Debug)]
pub struct Counts<K>(Arc<Mutex<HashMap<K, usize>>>);

/// One of its key, until it is dropped.
#[derive(Debug)]
pub struct Counted<K: Copy + Eq + Hash> {
    key: K,
    counts: Counts<K>,
}

impl<K> Default for Counts<K> {
    fn default() -> Self {
        Self(Arc::default())
    }
}

impl<K: Copy + Eq + Hash> Counts<K> {
    /// How many there are of `key`.
    pub fn of(&self, key: K) -> usize {
        self.lock().get(&key).copied().unwrap_or_default()
    }

    /// One more of `key`; `None` where there are `max` (1 and more) already.
    pub fn enter(&self, key: K, max: usize) -> Option<Counted<K>> {
        match self.lock().entry(key) {
            Entry::Occupied(count) if *count.get() >= max => return None,
            count => *count.or_default() += 1,
        }
        Some(Counted { key, counts: self.clone() })
    }

    #[cfg(test)]
    pub(crate) fn is_empty(&self) -> bool {
        self.lock().is_empty()
    }

    fn lock(&self) -> MutexGuard<'_, HashMap<K, usize>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl<K: Copy + Eq + Hash> Drop for Counted<K> {
    fn drop(&mut self) {
        let mut counts = self.counts.lock();
        if let Some(count) = counts.get_mut(&self.key) {
            *count -= 1;
            if *count == 0 {
                counts.remove(&self.key);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn there_are_so_many_and_not_one_more_and_who_has_gone_is_forgotten() {
        let counts = Counts::default();
        let two = ["a", "a"].map(|key| counts.enter(key, 2).expect("enters"));
        assert!(counts.enter("a", 2).is_none());
        let _other = counts.enter("b", 2).expect("enters");
        assert_eq!((counts.of("a"), counts.of("b"), counts.of("c")), (2, 1, 0));
        drop(two);
        assert_eq!(counts.lock().len(), 1);
        assert!(counts.enter("a", 1).is_some());
    }
}
