//! Redis as the gateway uses it: one connection that all calls share, a time limit on each command, and a breaker, so
//! that a Redis that is dead or frozen costs a moment once and then nothing. It reconnects by itself.

mod breaker;
#[cfg(test)]
pub(crate) mod testing;

use std::{fmt::Display, sync::Arc, time::Duration};

use anyhow::Context;
use fred::{
    clients::{Client, WithOptions},
    interfaces::{ClientLike, EventInterface, FredResult, KeysInterface, LuaInterface},
    types::{
        Builder, Expiration, FromValue,
        config::{Config, Options, ReconnectPolicy, UnresponsiveConfig},
    },
};
use kernel::Secret;
use tokio_util::{sync::CancellationToken, task::TaskTracker};
use uuid::Uuid;

use self::breaker::{Breaker, Probe};

/// TCP connect, and the handshake after it, at most.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A probe of the breaker at most.
const PROBE_TIMEOUT: Duration = Duration::from_millis(500);
/// A connection that leaves commands unanswered this long is given up for a new one.
const UNRESPONSIVE: Duration = Duration::from_secs(3);
/// Between two attempts to connect, milliseconds: doubles from the first to the second.
const RECONNECT: (u32, u32) = (50, 1000);

/// A command was not done, or nobody knows.
#[derive(Debug, thiserror::Error)]
pub(crate) enum RedisError {
    /// It was never sent.
    #[error("Redis is down")]
    Down,
    /// It may have been done.
    #[error("a Redis command failed: {0}")]
    Failed(#[source] fred::error::Error),
}

/// A Redis, where it can be asked.
#[derive(Clone)]
pub(crate) struct Redis {
    client: Client,
    /// Stands before every key.
    prefix: Arc<str>,
    breaker: Arc<Breaker>,
}

impl Redis {
    /// Begins to connect in the background, and goes on with it until `shutdown`. An error only where the URL is none.
    pub(crate) fn connect(
        url: &Secret,
        prefix: &str,
        tasks: &TaskTracker,
        shutdown: &CancellationToken,
    ) -> anyhow::Result<Self> {
        // No TLS is built in, and a cluster would want all keys of a command in one slot. fred's own message would show
        // the URL, and its password.
        let mut config = Some(url.reveal())
            .filter(|url| url.starts_with("redis://"))
            .and_then(|url| Config::from_url(url).ok())
            .context("REDIS_URL must be redis://[[user]:password@]host[:port][/database]")?;
        // Redis absent at the start is to be waited for like one that went away.
        config.fail_fast = false;
        let client = Builder::from_config(config)
            .with_connection_config(|connection| {
                connection.connection_timeout = CONNECT_TIMEOUT;
                connection.internal_command_timeout = CONNECT_TIMEOUT;
                connection.tcp.nodelay = Some(true);
                connection.unresponsive =
                    UnresponsiveConfig { max_timeout: Some(UNRESPONSIVE), interval: UNRESPONSIVE / 3 };
            })
            // fred's default is to wait for ever.
            .with_performance_config(|performance| performance.default_command_timeout = PROBE_TIMEOUT)
            .set_policy(ReconnectPolicy::new_exponential(0, RECONNECT.0, RECONNECT.1, 2))
            .build()?;
        let redis = Self { client, prefix: prefix.into(), breaker: Arc::new(Breaker::new()) };
        tasks.spawn(redis.clone().run(shutdown.clone()));
        Ok(redis)
    }

    /// The connection's life.
    async fn run(self, shutdown: CancellationToken) {
        let breaker = Arc::clone(&self.breaker);
        // A connection that broke may have taken an invalidation with it, and a Redis that comes back may have
        // forgotten some.
        let events = self.client.on_error(move |(error, _)| {
            breaker.trip_stale(&error);
            async { Ok(()) }
        });
        let connection = self.client.connect();
        self.breaker.watch(|probe| self.probe(probe), shutdown).await;
        let _ = self.client.quit().await;
        events.abort();
        connection.abort();
    }

    async fn probe(&self, probe: Probe) -> FredResult<()> {
        let commands = self.commands(PROBE_TIMEOUT);
        match probe {
            Probe::Ping => commands.ping(None).await,
            Probe::NewEpoch => {
                let generation = fresh_generation().to_string();
                commands.set(self.epoch_key(), generation, None, None, false).await
            }
        }
    }

    fn commands(&self, limit: Duration) -> WithOptions<Client> {
        let options = Options { max_attempts: Some(1), fail_fast: true, timeout: Some(limit), ..Options::default() };
        self.client.with_options(&options)
    }

    /// Runs a command within `limit`, or not at all where Redis is known to be down. It is never sent twice.
    pub(crate) async fn call<T, F>(
        &self,
        limit: Duration,
        command: impl FnOnce(WithOptions<Client>) -> F,
    ) -> Result<T, RedisError>
    where
        F: Future<Output = FredResult<T>>,
    {
        if !self.breaker.is_closed() {
            return Err(RedisError::Down);
        }
        command(self.commands(limit)).await.map_err(|error| {
            self.breaker.trip(&error);
            RedisError::Failed(error)
        })
    }

    /// Runs a script at one key.
    pub(crate) async fn eval<T: FromValue>(
        &self,
        limit: Duration,
        script: &'static str,
        key: String,
        arguments: Vec<String>,
    ) -> Result<T, RedisError> {
        self.call(limit, async |redis| redis.eval(script, key, arguments).await).await
    }

    /// Whether there is something at a key.
    pub(crate) async fn exists(&self, limit: Duration, key: String) -> Result<bool, RedisError> {
        self.call(limit, async |redis| redis.exists(key).await).await
    }

    /// Puts something at a key, for `ttl`, whole seconds.
    pub(crate) async fn remember(&self, limit: Duration, key: String, ttl: Duration) -> Result<(), RedisError> {
        let ttl = Expiration::EX(ttl.as_secs().cast_signed());
        self.call(limit, async |redis| redis.set(key, 1, Some(ttl), None, false).await).await
    }

    /// Puts a text at a key, for `ttl`, whole seconds.
    pub(crate) async fn put(
        &self,
        limit: Duration,
        key: String,
        text: String,
        ttl: Duration,
    ) -> Result<(), RedisError> {
        let ttl = Expiration::EX(ttl.as_secs().cast_signed());
        self.call(limit, async |redis| redis.set(key, text, Some(ttl), None, false).await).await
    }

    /// Takes a text away from a key: of all who try one gets it.
    pub(crate) async fn take(&self, limit: Duration, key: String) -> Result<Option<String>, RedisError> {
        self.call(limit, async |redis| redis.getdel(key).await).await
    }

    /// Nothing that is cached now is to be used again, by no gateway; known to Redis before it is used again by this one.
    pub(crate) fn begin_epoch(&self, cause: &dyn Display) {
        self.breaker.trip_stale(cause);
    }

    /// The key of the generation that every cached answer belongs to beside those of its tags.
    pub(crate) fn epoch_key(&self) -> String {
        self.key("cache:epoch")
    }

    /// The key under which `name` is kept.
    pub(crate) fn key(&self, name: impl Display) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Whether it answered when last asked.
    pub(crate) fn is_up(&self) -> bool {
        self.breaker.is_closed()
    }
}

/// A generation that no tag has had before: 60 of its bits are random.
pub(crate) fn fresh_generation() -> u64 {
    Uuid::new_v4().as_u64_pair().0
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_bad_url_is_named_and_not_shown() {
        for url in ["hunter2", "http://:hunter2@host", "rediss://:hunter2@host:6379", "redis://:hunter2@host:x"] {
            let connected = Redis::connect(&url.to_owned().into(), "", &TaskTracker::new(), &CancellationToken::new());
            let error = connected.err().expect(url).to_string();
            assert!(error.contains("REDIS_URL") && !error.contains("hunter2"), "{error}");
        }
    }
}
