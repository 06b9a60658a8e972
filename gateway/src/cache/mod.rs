//! The response cache: GET only, 200 only, and never older than the last write.
//!
//! Each entry carries the generations of its tags as they were read *before* the upstream call that made it. A write
//! raises the generations of the tags it touches after it commits and before it answers. An entry of an older
//! generation is a miss, so whoever saw a write answered never sees what was before it.
//!
//! [`ResponseCache::read`] is the whole way of a cached read: look-up, one upstream call for concurrent misses,
//! store, `ETag`, `Age` and `X-Cache`.

#[cfg(test)]
mod contract;
#[cfg_attr(not(feature = "redis"), expect(dead_code, reason = "what stays in this process is not encoded"))]
mod entry;
mod flight;
mod key;
mod memory;
#[cfg(feature = "redis")]
mod redis;

use std::{
    sync::{
        Arc,
        atomic::{AtomicU64, Ordering},
    },
    time::Duration,
};

use async_trait::async_trait;
use axum::response::Response;
use opentelemetry::{KeyValue, metrics::Counter};
use runtime::metrics::Metrics;
use serde::Serialize;

pub(crate) use self::entry::X_CACHE;
pub use self::{
    entry::Entry,
    key::{Key, Tag, Viewer},
    memory::MemoryCache,
};
use self::{entry::XCache, flight::Flights};
use crate::{call::OpenCall, error::Problem, etag::Versioned};

/// The longest that a cache may hold up a request.
pub const PATIENCE: Duration = Duration::from_millis(50);

/// The generations that a key's entries belong to: of its tags, in their order, and whatever else the cache counts.
pub type Generations = Arc<[u64]>;

/// What a look-up found.
#[derive(Debug)]
pub enum Lookup {
    /// An entry whose generations are the current ones.
    Hit(Arc<Entry>),
    /// Nothing that may be used; an entry made from now on belongs to these generations.
    Miss(Generations),
}

/// The cache does not answer; the request goes on without it.
#[derive(Debug, thiserror::Error)]
#[error("the cache is not available: {0}")]
pub struct CacheError(pub String);

/// Where entries and generations are kept. `contract` is the test suite that every cache passes.
///
/// No call waits longer than [`PATIENCE`] for an answer.
#[async_trait]
pub trait Cache: Send + Sync + 'static {
    /// The entry at `key` if it is current, else the current generations of the key's tags.
    async fn lookup(&self, key: &Key) -> Result<Lookup, CacheError>;

    /// Keeps an entry for the time to live.
    async fn store(&self, key: &Key, entry: Arc<Entry>) -> Result<(), CacheError>;

    /// Raises the generations of `tags`: no entry made before is used again. After an error that holds for this gateway all the
    /// same, and for others once this one reaches the cache again.
    async fn invalidate(&self, tags: &[Tag]) -> Result<(), CacheError>;

    /// Where it is kept, for `/status`.
    fn backend(&self) -> &'static str;
}

/// A cache, with what makes it a response cache.
pub struct ResponseCache {
    /// `None` when the time to live is 0.
    cache: Option<Arc<dyn Cache>>,
    flights: Flights,
    hits: Tally,
    misses: Tally,
}

/// A counter for Prometheus, by path, beside its sum for `/status`.
struct Tally {
    by_path: Counter<u64>,
    sum: AtomicU64,
}

impl Tally {
    fn new(by_path: Counter<u64>) -> Self {
        Self { by_path, sum: AtomicU64::new(0) }
    }

    fn count(&self, key: &Key) {
        self.by_path.add(1, &[KeyValue::new("path", key.route())]);
        self.sum.fetch_add(1, Ordering::Relaxed);
    }
}

impl ResponseCache {
    pub fn new(cache: Option<Arc<dyn Cache>>, metrics: &Metrics) -> Self {
        let counter = |name, what| Tally::new(metrics.meter().u64_counter(name).with_description(what).build());
        Self {
            cache,
            flights: Flights::default(),
            hits: counter("cache_hits", "Reads answered from the cache"),
            misses: counter("cache_misses", "Cacheable reads that went upstream"),
        }
    }

    pub fn backend(&self) -> &'static str {
        self.cache.as_ref().map_or("off", |cache| cache.backend())
    }

    /// Reads answered from the cache since the start.
    pub fn hits(&self) -> u64 {
        self.hits.sum.load(Ordering::Relaxed)
    }

    /// Cacheable reads that went upstream since the start.
    pub fn misses(&self) -> u64 {
        self.misses.sum.load(Ordering::Relaxed)
    }

    /// Answers a read from the cache, or with what `load` gives, which is then kept.
    ///
    /// Concurrent misses of one key at one generation share one `load`. A hit does not even begin one: its future is large.
    pub async fn read<T, F>(&self, call: &OpenCall, key: Key, load: impl FnOnce() -> F) -> Result<Response, Problem>
    where
        T: Serialize + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        self.read_as(call, key, |_| None, load).await
    }

    /// The same of an answer whose ETag says its version, for who wants to change what it shows.
    pub(crate) async fn read_versioned<T, F>(
        &self,
        call: &OpenCall,
        key: Key,
        load: impl FnOnce() -> F,
    ) -> Result<Response, Problem>
    where
        T: Versioned + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        self.read_as(call, key, |answer: &T| Some(answer.version()), load).await
    }

    async fn read_as<T, F>(
        &self,
        call: &OpenCall,
        key: Key,
        version: fn(&T) -> Option<i64>,
        load: impl FnOnce() -> F,
    ) -> Result<Response, Problem>
    where
        T: Serialize + 'static,
        F: Future<Output = Result<T, Problem>> + Send + 'static,
    {
        let entry = move |answer: T, generations| Entry::new(&answer, version(&answer), generations);
        let load = || Box::pin(load());
        let Some(cache) = self.cache.as_ref().filter(|_| !call.bypass_cache) else {
            return Ok(entry(load().await?, Arc::default())?.respond(XCache::Bypass, call));
        };
        let generations = match cache.lookup(&key).await {
            Ok(Lookup::Hit(entry)) => {
                self.hits.count(&key);
                return Ok(entry.respond(XCache::Hit, call));
            }
            Ok(Lookup::Miss(generations)) => generations,
            Err(error) => {
                tracing::debug!(%error, "bypassing the cache");
                return Ok(entry(load().await?, Arc::default())?.respond(XCache::Bypass, call));
            }
        };
        self.misses.count(&key);
        let made = {
            let (cache, key, generations) = (Arc::clone(cache), key.clone(), Arc::clone(&generations));
            let load = load();
            async move {
                // Another flight may have landed since the look-up.
                if let Ok(Lookup::Hit(entry)) = cache.lookup(&key).await {
                    return Ok(entry);
                }
                let entry = Arc::new(entry(load.await?, generations)?);
                if let Err(error) = cache.store(&key, Arc::clone(&entry)).await {
                    tracing::debug!(%error, "not cached");
                }
                Ok(entry)
            }
        };
        let entry = self.flights.join(&key, &generations, made).await?;
        Ok(entry.respond(XCache::Miss, call))
    }

    /// To be called after a write has committed and before it is answered.
    pub async fn invalidate(&self, tags: &[Tag]) {
        if let Some(cache) = &self.cache
            && let Err(error) = cache.invalidate(tags).await
        {
            tracing::debug!(%error, "not invalidated: nothing cached is used before all of it is");
        }
    }
}
