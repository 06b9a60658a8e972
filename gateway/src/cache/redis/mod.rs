//! The cache of the full stack: in Redis, shared by all gateways.
//!
//! | key | value | kept for |
//! |---|---|---|
//! | `cache:GET:{path}:{query_hash}` | an entry with its generations | the time to live |
//! | `cache:generation:{tag}` | a random number, another one after each write | an hour longer |
//! | `cache:epoch` | likewise, for all entries at once | ever |
//!
//! A tag without a generation (never read, or evicted) has no valid entries: the next miss gives it a random one, so
//! that a generation that was lost can never bring an old entry back.

mod group;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use bytes::Bytes;
use fred::{
    interfaces::KeysInterface,
    types::{Expiration, SetOptions},
};
use futures_util::future::try_join_all;
use tokio_util::{sync::CancellationToken, task::TaskTracker};

use self::group::Group;
use super::{Cache, CacheError, Entry, Key, Lookup, PATIENCE, Tag};
use crate::redis::{Redis, RedisError, fresh_generation};

/// A generation outlives the entries that carry it by this.
const GENERATION_OUTLIVES: Duration = Duration::from_secs(3600);
/// Larger answers are not kept: a group of look-ups brings many at once.
const MAX_ENTRY_BYTES: usize = 256 * 1024;

/// Entries and generations in Redis.
struct RedisCache {
    redis: Redis,
    group: Group,
    ttl: Duration,
}

impl Redis {
    /// A cache in it, which keeps entries for `ttl`, and answers until `shutdown`.
    pub(crate) fn cache(&self, ttl: Duration, tasks: &TaskTracker, shutdown: &CancellationToken) -> Arc<dyn Cache> {
        Arc::new(RedisCache::new(self.clone(), ttl, tasks, shutdown))
    }
}

impl RedisCache {
    /// Keeps entries for `ttl`, and answers until `shutdown`.
    fn new(redis: Redis, ttl: Duration, tasks: &TaskTracker, shutdown: &CancellationToken) -> Self {
        Self { group: Group::new(redis.clone(), tasks, shutdown), redis, ttl }
    }

    fn entry_key(&self, key: &Key) -> String {
        self.redis.key(key.as_str())
    }

    fn generation_key(&self, tag: &Tag) -> String {
        self.redis.key(format_args!("cache:generation:{tag}"))
    }

    fn generation_ttl(&self) -> Option<Expiration> {
        expiration(self.ttl + GENERATION_OUTLIVES)
    }

    /// A generation for a tag that has none, unless another gateway was faster: then that one's.
    async fn begin(&self, key: &str) -> Result<u64, RedisError> {
        let (fresh, ttl) = (fresh_generation(), self.generation_ttl());
        let older: Option<u64> = self
            .redis
            .call(PATIENCE, async |redis| redis.set(key, fresh.to_string(), ttl, Some(SetOptions::NX), true).await)
            .await?;
        Ok(older.unwrap_or(fresh))
    }

    async fn find(&self, key: &Key) -> Result<Lookup, CacheError> {
        let mut keys = Vec::with_capacity(2 + key.tags().len());
        keys.extend([self.entry_key(key), self.redis.epoch_key()]);
        keys.extend(key.tags().iter().map(|tag| self.generation_key(tag)));
        let (keys, values) = self.group.get(keys).await?;
        let current: Vec<Option<u64>> = values[1..].iter().map(|value| number(value.as_ref()?)).collect();
        if let Some(entry) = values[0].as_ref().and_then(|bytes| Entry::decode(bytes, self.ttl))
            && entry.generations().iter().copied().map(Some).eq(current.iter().copied())
        {
            return Ok(Lookup::Hit(Arc::new(entry)));
        }
        let generations = keys[1..].iter().zip(current).map(async |(key, current)| match current {
            Some(generation) => Ok(generation),
            None => self.begin(key).await,
        });
        Ok(Lookup::Miss(try_join_all(generations).await?.into()))
    }
}

#[async_trait]
impl Cache for RedisCache {
    async fn lookup(&self, key: &Key) -> Result<Lookup, CacheError> {
        let late = |_| Err(CacheError(format!("no answer within {PATIENCE:?}")));
        tokio::time::timeout(PATIENCE, self.find(key)).await.unwrap_or_else(late)
    }

    async fn store(&self, key: &Key, entry: Arc<Entry>) -> Result<(), CacheError> {
        let encoded = entry.encode();
        if encoded.len() > MAX_ENTRY_BYTES {
            return Err(CacheError(format!("{} bytes are too many", encoded.len())));
        }
        let (key, ttl) = (self.entry_key(key), expiration(self.ttl));
        Ok(self.redis.call(PATIENCE, async |redis| redis.set(key, encoded, ttl, None, false).await).await?)
    }

    async fn invalidate(&self, tags: &[Tag]) -> Result<(), CacheError> {
        // Each within its own limit and not cut off from outside: a failure must be taken note of.
        let raised = try_join_all(tags.iter().map(async |tag| {
            let (key, fresh) = (self.generation_key(tag), fresh_generation().to_string());
            let ttl = self.generation_ttl();
            self.redis.call::<(), _>(PATIENCE, async |redis| redis.set(key, fresh, ttl, None, false).await).await
        }));
        raised.await.inspect_err(|error| self.redis.begin_epoch(error))?;
        Ok(())
    }

    fn backend(&self) -> &'static str {
        "redis"
    }
}

fn number(value: &Bytes) -> Option<u64> {
    std::str::from_utf8(value).ok()?.parse().ok()
}

fn expiration(after: Duration) -> Option<Expiration> {
    Some(Expiration::EX(after.as_secs().cast_signed()))
}

impl From<RedisError> for CacheError {
    fn from(error: RedisError) -> Self {
        Self(error.to_string())
    }
}

#[cfg(test)]
mod tests;
