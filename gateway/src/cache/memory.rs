//! The cache of the embedded default: in this process' memory.

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use moka::sync::Cache as Moka;

use super::{Cache, CacheError, Entry, Key, Lookup, Tag};

/// Answers kept, bytes at most; the least used go first.
const MAX_BYTES: u64 = 64 * 1024 * 1024;
/// Generations kept at most. A tag whose generation was dropped gets one never used before: its entries are misses.
const MAX_TAGS: u64 = 100_000;

/// Entries and generations in memory, both bounded.
#[derive(Debug)]
pub struct MemoryCache {
    entries: Moka<String, Arc<Entry>>,
    generations: Moka<Tag, u64>,
    /// The newest generation given to any tag; none is given twice.
    newest: AtomicU64,
}

impl MemoryCache {
    /// Keeps entries for `ttl`.
    pub fn new(ttl: Duration) -> Self {
        let entries = Moka::builder()
            .max_capacity(MAX_BYTES)
            .weigher(|key: &String, entry: &Arc<Entry>| u32::try_from(key.len() + entry.size()).unwrap_or(u32::MAX))
            .time_to_live(ttl)
            .build();
        Self { entries, generations: Moka::new(MAX_TAGS), newest: AtomicU64::new(0) }
    }

    fn fresh(&self) -> u64 {
        self.newest.fetch_add(1, Ordering::Relaxed) + 1
    }
}

#[async_trait]
impl Cache for MemoryCache {
    async fn lookup(&self, key: &Key) -> Result<Lookup, CacheError> {
        let current = key.tags().iter().map(|tag| {
            // The common case without an entry lock.
            self.generations.get(tag).unwrap_or_else(|| self.generations.get_with_by_ref(tag, || self.fresh()))
        });
        let entry = self.entries.get(key.as_str());
        Ok(match entry {
            Some(entry) if current.clone().eq(entry.generations().iter().copied()) => Lookup::Hit(entry),
            _ => Lookup::Miss(current.collect()),
        })
    }

    async fn store(&self, key: &Key, entry: Arc<Entry>) -> Result<(), CacheError> {
        self.entries.insert(key.as_str().to_owned(), entry);
        Ok(())
    }

    async fn invalidate(&self, tags: &[Tag]) -> Result<(), CacheError> {
        for tag in tags {
            self.generations.insert(tag.clone(), self.fresh());
        }
        Ok(())
    }

    fn backend(&self) -> &'static str {
        "memory"
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cache::contract;

    async fn fresh() -> (MemoryCache, ()) {
        (MemoryCache::new(Duration::from_secs(60)), ())
    }

    contract::cache_contract!(fresh);
}
