//! Views in Redis, for the full stack. A batch is applied by one script (`apply.lua`), which also compares the lease's number
//! and the position that the batch was planned for.
//!
//! | key | what |
//! |---|---|
//! | `current`, `building` | ids of the set of views that is read, and of the one that is being made anew |
//! | `{id}:head` | how far a set has come, JSON |
//! | `{id}:list:{list}` | a list: entries by their numbers |
//! | `{id}:newest` | the number that each list gave last |
//! | `{id}:thing:{thing}`, `{id}:channel:{channel}` | where in lists something is that goes with it |
//! | `{id}:channels`, `{id}:members:{channel}` | channels, and who is a member |
//! | `{id}:totals`, `{id}:rates`, `{id}:active` | what is counted |
//! | `former` | ids of sets that nobody reads any more |
//! | `lease:{name}` | who applies |
//! | `as_of`, `rebuild`, `reads` | everything that the log had then is applied; the views are to be made anew; what users have read |

mod lease;
mod plan;
mod read;

use std::{collections::HashMap, fmt::Display, sync::Arc, time::Duration};

use anyhow::Context;
use async_trait::async_trait;
use chrono::{DateTime, Utc};
use fred::{
    clients::Client,
    interfaces::{ClientLike, LuaInterface},
    types::{
        Builder, FromValue,
        config::{Config, Options, ReconnectPolicy, UnresponsiveConfig},
    },
};
use kernel::{Page, PoolState};
use storage::{
    lease::{Fenced, Leases, TASKS, Token},
    sweep::BATCH,
};
use tokio::sync::watch;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use super::{Error, ListPage, Notices, Read, Stats, Store, Target, lost};
use crate::{
    channel::{Access, Channel},
    entry::Listed,
    plan::Batch,
    view::{Head, List},
};

/// What the keys of the views begin with, after what those of all begin with.
pub const PREFIX: &str = "feed:";

/// TCP connect, and the handshake after it, at most.
const CONNECT_TIMEOUT: Duration = Duration::from_secs(1);
/// A script at most: the longest applies 256 events, some milliseconds.
const TIMEOUT: Duration = Duration::from_secs(2);
/// A connection that leaves commands unanswered this long is given up for a new one.
const UNRESPONSIVE: Duration = Duration::from_secs(3);
/// Between two attempts to connect, milliseconds: doubles from the first to the second.
const RECONNECT: (u32, u32) = (50, 1000);
/// How often an act is planned anew where somebody else was at the same.
const TRIES: usize = 8;

const APPLY: &str = include_str!("redis/apply.lua");
const SWITCH: &str = include_str!("redis/switch.lua");

/// ARGV[1] is where a set is named; then the channels that are asked for.
const VIEW: &str = "
local id = redis.call('GET', KEYS[1] .. ARGV[1]) or ''
local answer = {id, redis.call('GET', KEYS[1] .. id .. ':head') or ''}
for index = 2, #ARGV do
    answer[#answer + 1] = redis.call('HGET', KEYS[1] .. id .. ':channels', ARGV[index]) or ''
end
return answer";
/// KEYS[2] is the lease, ARGV[1] its number.
const CAUGHT_UP: &str = "
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[1] then return 'fenced' end
if tonumber(redis.call('GET', KEYS[1] .. 'as_of') or 0) < tonumber(ARGV[2]) then
    redis.call('SET', KEYS[1] .. 'as_of', ARGV[2])
end
return 'done'";
/// An empty set for ARGV[2], with the head ARGV[3]: of what is read where there is none, of what is made anew always.
const BEGIN: &str = "
if redis.call('HGET', KEYS[2], 'token') ~= ARGV[1] then return 'fenced' end
local before = redis.call('GET', KEYS[1] .. ARGV[2])
if ARGV[2] == 'current' and before then return 'done' end
if before then redis.call('SADD', KEYS[1] .. 'former', before) end
local id = redis.call('INCR', KEYS[1] .. 'ids')
redis.call('SET', KEYS[1] .. ARGV[2], id)
redis.call('SET', KEYS[1] .. id .. ':head', ARGV[3])
if ARGV[2] == 'building' then redis.call('DEL', KEYS[1] .. 'rebuild') end
return 'done'";
/// The user ARGV[1] has read up to ARGV[2], of the list ARGV[3]; how many are unread then.
const MARK_READ: &str = "
local view = KEYS[1] .. (redis.call('GET', KEYS[1] .. 'current') or '0') .. ':'
local newest = tonumber(redis.call('HGET', view .. 'newest', ARGV[3]) or 0)
local kept = tonumber(redis.call('HGET', KEYS[1] .. 'reads', ARGV[1]) or 0)
local read = math.max(kept, math.min(newest, tonumber(ARGV[2]) or newest))
redis.call('HSET', KEYS[1] .. 'reads', ARGV[1], read)
return redis.call('ZCOUNT', view .. 'list:' .. ARGV[3], '(' .. read, '+inf')";
const REQUEST: &str = "return redis.call('SET', KEYS[1] .. 'rebuild', 1)";
const IS_DUE: &str = "return redis.call('EXISTS', KEYS[1] .. 'rebuild', KEYS[1] .. 'building')";
const CHECK_READ: &str = "return redis.call('EXISTS', KEYS[1] .. 'health')";
const CHECK_WRITE: &str = "redis.call('SET', KEYS[1] .. 'health', 1) return 1";
const FORMER: &str = "return redis.call('SRANDMEMBER', KEYS[1] .. 'former') or ''";
const SCAN: &str = "return redis.call('SCAN', ARGV[1], 'MATCH', ARGV[2], 'COUNT', ARGV[3])";
const UNLINK: &str = "return redis.call('UNLINK', unpack(KEYS))";
const FORGET: &str = "return redis.call('SREM', KEYS[1] .. 'former', ARGV[1])";

/// A Redis, where it can be asked. It reconnects by itself.
#[derive(Clone)]
pub struct Redis {
    client: Client,
    prefix: Arc<str>,
    news: watch::Sender<()>,
    /// Ends with the last clone.
    _connection: Arc<AbortOnDropHandle<()>>,
}

/// A set of views, and what of it a plan needs.
struct View {
    id: String,
    /// As it is kept, and as that reads.
    kept: String,
    head: Option<Head>,
    channels: HashMap<i64, Channel>,
}

impl Redis {
    /// Begins to connect in the background, in a tokio runtime. An error only where the URL is none.
    pub fn connect(url: &str, prefix: &str) -> anyhow::Result<Self> {
        // No TLS is built in, and the keys of a script are not in one slot of a cluster. fred's own message would show the
        // URL, and its password.
        let mut config = Some(url)
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
            .with_performance_config(|performance| performance.default_command_timeout = TIMEOUT)
            .set_policy(ReconnectPolicy::new_exponential(0, RECONNECT.0, RECONNECT.1, 2))
            .build()?;
        let connection = client.connect();
        let connection = AbortOnDropHandle::new(tokio::spawn(async move {
            // It ends when it is told to.
            let _ = AbortOnDropHandle::new(connection).await;
        }));
        Ok(Self { client, prefix: prefix.into(), news: watch::Sender::new(()), _connection: Arc::new(connection) })
    }

    fn key(&self, name: impl Display) -> String {
        format!("{}{name}", self.prefix)
    }

    /// Runs a script, once.
    async fn eval<T: FromValue>(
        &self,
        script: &'static str,
        keys: Vec<String>,
        arguments: Vec<String>,
    ) -> Result<T, storage::Error> {
        use fred::error::ErrorKind::{InvalidArgument, InvalidCommand, NotFound, Parse, Protocol};

        // Before the first connection fred would wait for one.
        if !self.client.is_connected() {
            return Err(storage::Error::Unavailable("there is no connection to Redis".into()));
        }
        let options = Options { max_attempts: Some(1), fail_fast: true, timeout: Some(TIMEOUT), ..Options::default() };
        let evaluated = self.client.with_options(&options).eval(script, keys, arguments).await;
        evaluated.map_err(|error| match error.kind() {
            InvalidArgument | InvalidCommand | NotFound | Parse | Protocol => storage::Error::Failed(error.into()),
            _ => storage::Error::Unavailable(error.into()),
        })
    }

    /// Runs a script on the views alone.
    async fn on_views<T: FromValue>(&self, script: &'static str, arguments: Vec<String>) -> Result<T, storage::Error> {
        self.eval(script, vec![self.key("")], arguments).await
    }

    /// Runs a script that says `done`, `fenced` or `changed`; whether it is done.
    async fn guarded(&self, script: &'static str, keys: Vec<String>, arguments: Vec<String>) -> Result<bool, Error> {
        let said: String = self.eval(script, keys, arguments).await?;
        match said.as_str() {
            "done" => Ok(true),
            "fenced" => Err(Fenced.into()),
            _ => Ok(false),
        }
    }

    async fn view(&self, target: Target, channels: &[i64]) -> Result<View, Error> {
        let arguments = std::iter::once(phase(target).to_owned()).chain(channels.iter().map(i64::to_string)).collect();
        let mut found = self.on_views::<Vec<String>>(VIEW, arguments).await?.into_iter();
        let (id, kept) = (found.next().unwrap_or_default(), found.next().unwrap_or_default());
        let head = if kept.is_empty() { None } else { Some(read::decode(&kept)?) };
        let known = channels.iter().zip(found).filter(|(_, channel)| !channel.is_empty());
        let channels = known.map(|(id, channel)| Ok((*id, read::decode(&channel)?))).collect::<Result<_, Error>>()?;
        Ok(View { id, kept, head, channels })
    }

    fn with_lease(&self) -> Vec<String> {
        vec![self.key(""), self.lease_key(TASKS)]
    }
}

fn phase(target: Target) -> &'static str {
    match target {
        Target::Current => "current",
        Target::Building => "building",
    }
}

fn encode(head: &Head) -> Result<String, Error> {
    Ok(serde_json::to_string(head).map_err(storage::Error::damaged)?)
}

fn busy() -> Error {
    storage::Error::Unavailable("somebody else changes the views all the time".into()).into()
}

#[async_trait]
impl Store for Redis {
    fn backend(&self) -> &'static str {
        "redis"
    }

    fn pool(&self) -> PoolState {
        PoolState { in_use: 0, idle: u64::from(self.client.is_connected()), max: 1 }
    }

    fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(self.clone())
    }

    fn news(&self) -> watch::Receiver<()> {
        self.news.subscribe()
    }

    async fn check_read(&self) -> Result<(), storage::Error> {
        self.on_views::<i64>(CHECK_READ, Vec::new()).await.map(drop)
    }

    async fn check_write(&self) -> Result<(), storage::Error> {
        self.on_views::<i64>(CHECK_WRITE, Vec::new()).await.map(drop)
    }

    async fn begin(&self, token: Token) -> Result<Head, Error> {
        let arguments =
            vec![token.0.to_string(), phase(Target::Current).to_owned(), encode(&Head::new(Uuid::new_v4()))?];
        self.guarded(BEGIN, self.with_lease(), arguments).await?;
        self.view(Target::Current, &[]).await?.head.ok_or_else(lost)
    }

    async fn head(&self, target: Target) -> Result<Option<Head>, Error> {
        Ok(self.view(target, &[]).await?.head)
    }

    async fn progress(&self) -> Result<Read<()>, Error> {
        Ok(self.read_progress().await?)
    }

    async fn apply(&self, token: Token, target: Target, batch: Arc<Batch>) -> Result<usize, Error> {
        let needed = batch.channels();
        for _ in 0..TRIES {
            let View { id, kept, head, channels } = self.view(target, &needed).await?;
            let Some(head) = head else {
                // Unless that is somebody else's business now.
                self.caught_up(token, DateTime::UNIX_EPOCH).await?;
                return Err(lost());
            };
            let plan = batch.plan(head, channels);
            let as_of = plan.head.published_at.filter(|_| target == Target::Current);
            let arguments = vec![
                self.key(""),
                token.0.to_string(),
                phase(target).to_owned(),
                id,
                kept,
                encode(&plan.head)?,
                as_of.map(|at| at.timestamp_micros().to_string()).unwrap_or_default(),
                plan::encode(&plan)?,
            ];
            if self.guarded(APPLY, vec![self.lease_key(TASKS)], arguments).await? {
                self.news.send_replace(());
                return Ok(plan.applied);
            }
        }
        Err(busy())
    }

    async fn caught_up(&self, token: Token, as_of: DateTime<Utc>) -> Result<(), Error> {
        let arguments = vec![token.0.to_string(), as_of.timestamp_micros().to_string()];
        self.guarded(CAUGHT_UP, self.with_lease(), arguments).await.map(drop)
    }

    async fn page(&self, list: List, page: Page) -> Result<Read<ListPage>, Error> {
        Ok(self.read_page(&list, page).await?)
    }

    async fn after(&self, number: u64, most: u64) -> Result<Read<Vec<Listed>>, Error> {
        Ok(self.read_after(number, most).await?)
    }

    async fn notices(&self, user: Uuid, page: Page) -> Result<Read<Notices>, Error> {
        Ok(self.read_notices(user, page).await?)
    }

    async fn mark_read(&self, user: Uuid, up_to: Option<u64>) -> Result<u64, Error> {
        let up_to = up_to.map(|number| number.to_string()).unwrap_or_default();
        Ok(self.on_views(MARK_READ, vec![user.to_string(), up_to, List::Notices(user).to_string()]).await?)
    }

    async fn accesses(&self, viewer: Option<Uuid>, channels: Vec<i64>) -> Result<HashMap<i64, Access>, Error> {
        Ok(self.read_accesses(viewer, &channels).await?)
    }

    async fn stats(&self, at: DateTime<Utc>) -> Result<Read<Stats>, Error> {
        Ok(self.read_stats(at).await?)
    }

    async fn request_rebuild(&self) -> Result<(), Error> {
        Ok(self.on_views::<String>(REQUEST, Vec::new()).await.map(drop)?)
    }

    async fn is_rebuild_due(&self) -> Result<bool, Error> {
        Ok(self.on_views::<i64>(IS_DUE, Vec::new()).await? > 0)
    }

    async fn begin_rebuild(&self, token: Token) -> Result<Head, Error> {
        let head = Head::new(Uuid::new_v4());
        let arguments = vec![token.0.to_string(), phase(Target::Building).to_owned(), encode(&head)?];
        self.guarded(BEGIN, self.with_lease(), arguments).await?;
        Ok(head)
    }

    async fn switch(&self, token: Token) -> Result<bool, Error> {
        let (old, new) = (self.view(Target::Current, &[]).await?, self.view(Target::Building, &[]).await?);
        let Some(head) = new.head else {
            self.caught_up(token, DateTime::UNIX_EPOCH).await?;
            return Ok(false);
        };
        if old.head.as_ref().is_some_and(|old| !head.sequences.cover(&old.sequences)) {
            return Ok(false);
        }
        let gone = head.number.saturating_sub(List::PUBLIC);
        let kept = match old.head.filter(|old| old.number <= head.number) {
            Some(old) => encode(&Head { epoch: old.epoch, ..head })?,
            None => String::new(),
        };
        let arguments =
            vec![self.key(""), token.0.to_string(), old.id, new.id, old.kept, new.kept, kept, gone.to_string()];
        let switched = self.guarded(SWITCH, vec![self.lease_key(TASKS)], arguments).await?;
        self.news.send_replace(());
        Ok(switched)
    }

    async fn sweep(&self) -> Result<usize, storage::Error> {
        let id: String = self.on_views(FORMER, Vec::new()).await?;
        if id.is_empty() {
            return Ok(0);
        }
        let (mut cursor, mut keys) = ("0".to_owned(), Vec::new());
        loop {
            let page = vec![cursor, format!("{}{id}:*", self.prefix), BATCH.to_string()];
            let (next, found): (String, Vec<String>) = self.on_views(SCAN, page).await?;
            keys.extend(found);
            cursor = next;
            if cursor == "0" || keys.len() >= BATCH {
                break;
            }
        }
        let count = keys.len();
        if count > 0 {
            self.eval::<i64>(UNLINK, keys, Vec::new()).await?;
        } else {
            self.on_views::<i64>(FORGET, vec![id]).await?;
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::store::contract::{Fresh, store_contract};

    /// Keys of a test's own, which go when this does.
    struct Scratch(Redis);

    impl Drop for Scratch {
        fn drop(&mut self) {
            let redis = self.0.clone();
            // Not asserted: a test that has failed is to say why itself.
            let _ = std::thread::spawn(move || {
                let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build().expect("runtime");
                runtime.block_on(async {
                    let url = std::env::var("TEST_REDIS_URL").expect("it was there");
                    let fresh = Redis::connect(&url, &redis.prefix).expect("a URL");
                    up(&fresh).await;
                    let delete = "for _, key in ipairs(redis.call('KEYS', KEYS[1] .. '*')) do redis.call('DEL', key) end return 0";
                    fresh.on_views::<i64>(delete, Vec::new()).await
                })
            })
            .join();
        }
    }

    async fn up(redis: &Redis) {
        let up = async {
            while redis.check_read().await.is_err() {
                tokio::time::sleep(Duration::from_millis(1)).await;
            }
        };
        tokio::time::timeout(Duration::from_secs(20), up).await.expect("TEST_REDIS_URL: the server answers");
    }

    async fn fresh() -> Fresh {
        let url = std::env::var("TEST_REDIS_URL")
            .expect("TEST_REDIS_URL is not set: `make test` starts a throw-away server and sets it");
        let prefix = format!("feed-test-{}:", Uuid::new_v4());
        let [store, other] = [(), ()].map(|()| Redis::connect(&url, &prefix).expect("a URL"));
        tokio::join!(up(&store), up(&other));
        Fresh { store: Arc::new(store.clone()), other: Arc::new(other), _keep: Box::new(Scratch(store)) }
    }

    store_contract!(fresh);

    #[tokio::test]
    async fn who_asks_a_redis_that_is_not_there_is_told_so_at_once() {
        // A port that is somebody's and that nobody listens on.
        let taken = tokio::net::TcpSocket::new_v4().expect("a socket");
        taken.bind("127.0.0.1:0".parse().expect("an address")).expect("a port");
        let url = format!("redis://{}", taken.local_addr().expect("bound"));
        let redis = Redis::connect(&url, "feed-test:").expect("a URL");
        let asked = async {
            for _ in 0..3 {
                let page = Page { page: 1, limit: 1 };
                assert!(matches!(redis.check_read().await, Err(storage::Error::Unavailable(_))));
                let read = redis.page(List::All, page).await;
                assert!(matches!(read, Err(Error::Store(storage::Error::Unavailable(_)))), "{read:?}");
                let applied = redis.apply(Token(1), Target::Current, Arc::new(Batch::new(Vec::new()))).await;
                assert!(matches!(applied, Err(Error::Store(storage::Error::Unavailable(_)))), "{applied:?}");
            }
        };
        tokio::time::timeout(TIMEOUT, asked).await.expect("nobody waits for it");
    }

    #[tokio::test]
    async fn a_bad_url_is_named_and_not_shown() {
        for url in ["hunter2", "http://:hunter2@host", "rediss://:hunter2@host:6379", "redis://:hunter2@host:x"] {
            let error = Redis::connect(url, PREFIX).err().expect(url).to_string();
            assert!(error.contains("REDIS_URL") && !error.contains("hunter2"), "{error}");
        }
    }
}
