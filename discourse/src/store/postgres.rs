//! The store that replicas on many hosts share: PostgreSQL.
//!
//! | to find | look in |
//! |---|---|
//! | `DATABASE_URL`, and what a connection is told | `url` |
//! | connections, and what their errors mean | `pool` |
//! | how the schema gets there | `schema` and `migrations/postgres` |
//! | the statements | `queries` |
//! | what calls with a key were told | `idempotency` |

mod idempotency;
mod pool;
mod queries;
mod schema;
#[cfg(test)]
mod tests;
mod url;

use std::time::Duration;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use futures_util::{FutureExt, TryFutureExt};
use kernel::{PoolState, time};
use storage::{
    idempotency::{Claim, Never, Options, Retention},
    readiness::{Failure, NotReady, Readiness},
};
use tokio::time::timeout;
use tokio_postgres::Config;
use uuid::Uuid;

use self::pool::{Connection, Pool, failure};
use super::{Error, PostPage, Store};
use crate::{
    channel::{self, Channel, ChannelError, ChannelQuery, NewChannel, PostQuery},
    post::{self, NewPost, Post, PostError},
};

/// A call takes no longer, whatever the database does. Statements end earlier, by themselves, while it is alive.
const TIMEOUT: Duration = Duration::from_secs(5);

/// Health's checks at once: one reads, one writes.
const CHECKS: u32 = 2;

/// A discourse in one PostgreSQL database. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    /// Connections that no call waits for: load is not to make a live replica look dead.
    checks: Pool,
    /// How long the outcomes of calls with a key count.
    retention: Retention,
    readiness: Readiness,
}

impl Postgres {
    /// A store on the database at `database_url`, reachable or not. Until its schema is up to date, which is tried in the
    /// background, calls are `Unavailable`, except that they wait for the first attempt. To be called in a tokio runtime.
    ///
    /// Fails on a URL that cannot be one.
    pub fn connect(database_url: &str, options: &Options) -> anyhow::Result<Self> {
        Ok(Self::on(url::parse(database_url)?, options))
    }

    fn on(database: Config, options: &Options) -> Self {
        let checks = Pool::new(database.clone(), CHECKS);
        let pool = Pool::new(database, pool::MAX_CONNECTIONS);
        let readiness = Readiness::begin({
            let pool = pool.clone();
            move || {
                let pool = pool.clone();
                async move { schema::bring_up_to_date(&pool).await.map_err(Failure::for_now) }
            }
        });
        Self { pool, checks, retention: Retention::new(options), readiness }
    }

    async fn connection(&self) -> Result<Connection<'_>, Error> {
        self.readiness.ready().await?;
        self.pool.get().await
    }
}

#[async_trait]
impl Store for Postgres {
    fn backend(&self) -> &'static str {
        "postgresql"
    }

    fn pool(&self) -> PoolState {
        self.pool.state()
    }

    async fn check_read(&self) -> Result<(), Error> {
        bounded(async {
            self.readiness.ready().await?;
            let mut connection = self.checks.get().await?;
            queries::read_health(&mut connection).await.map_err(failure)
        })
        .await
    }

    async fn check_write(&self, replica: &str) -> Result<(), Error> {
        bounded(async {
            self.readiness.ready().await?;
            let mut connection = self.checks.get().await?;
            queries::write_health(&mut connection, replica, time::now()).await.map_err(failure)
        })
        .await
    }

    async fn list_channels(&self, viewer: Option<Uuid>, query: &ChannelQuery) -> Result<(Vec<Channel>, u64), Error> {
        bounded(async {
            let mut connection = self.connection().await?;
            let (rows, total) = queries::list_channels(&mut connection, viewer, query).await.map_err(failure)?;
            let channels = rows.into_iter().map(Channel::try_from).collect::<Result<_, _>>()?;
            Ok((channels, total.unsigned_abs()))
        })
        .await
    }

    async fn channel(&self, viewer: Option<Uuid>, query: &PostQuery) -> Result<Result<PostPage, ChannelError>, Error> {
        bounded(async {
            let mut connection = self.connection().await?;
            let (row, posts) = queries::channel(&mut connection, viewer, query).await.map_err(failure)?;
            let total = row.as_ref().map_or(0, |channel| channel.posts(query.topic));
            let channel = match channel::admit(row.map(Channel::try_from).transpose()?, viewer) {
                Ok(channel) => channel,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let posts = posts.into_iter().map(Post::try_from).collect::<Result<_, _>>()?;
            Ok(Ok((channel, posts, total)))
        })
        .await
    }

    async fn create_channel(
        &self,
        creator: Uuid,
        channel: NewChannel,
        claim: Option<Claim>,
        at: DateTime<Utc>,
    ) -> Result<Channel, Error> {
        bounded(async {
            let mut connection = self.connection().await?;
            let Some(claim) = claim else {
                let id = insert_channel(&mut connection, creator, &channel, at).await?;
                return Ok(channel.opened(id, creator, at));
            };
            let what = (creator, channel, at);
            let once = (&claim, self.retention, at);
            let created = idempotency::once(&mut connection, once, &what, |connection, (creator, channel, at)| {
                let opened = |id| Ok::<_, Never>(channel.clone().opened(id, *creator, *at));
                insert_channel(connection, *creator, channel, *at).map_ok(opened).boxed()
            });
            let Ok(channel) = created.await?;
            Ok(channel)
        })
        .await
    }

    async fn create_post(
        &self,
        author: Uuid,
        post: NewPost,
        claim: Option<Claim>,
        at: DateTime<Utc>,
    ) -> Result<Result<Post, PostError>, Error> {
        bounded(async {
            let mut connection = self.connection().await?;
            let Some(claim) = claim else {
                let id = insert_post(&mut connection, author, &post, at).await?;
                return Ok(id.map(|id| post.made(id, author, at)));
            };
            let what = (author, post, at);
            let once = (&claim, self.retention, at);
            idempotency::once(&mut connection, once, &what, |connection, (author, post, at)| {
                let made = |id: Result<_, _>| id.map(|id| post.clone().made(id, *author, *at));
                insert_post(connection, *author, post, *at).map_ok(made).boxed()
            })
            .await
        })
        .await
    }

    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error> {
        bounded(async { idempotency::forget(&mut *self.connection().await?, self.retention, at).await }).await
    }
}

async fn insert_channel(
    connection: &mut AsyncPgConnection,
    creator: Uuid,
    channel: &NewChannel,
    at: DateTime<Utc>,
) -> Result<i64, Error> {
    queries::insert_channel(connection, creator, channel, at).await.map_err(failure)
}

/// Inserts a post where its channel permits it; its id.
async fn insert_post(
    connection: &mut AsyncPgConnection,
    author: Uuid,
    post: &NewPost,
    at: DateTime<Utc>,
) -> Result<Result<i64, PostError>, Error> {
    // The channel is not locked while we ask: where it changed since, nothing is inserted, and we ask again.
    loop {
        let row = queries::find_channel(connection, post.channel_id).await.map_err(failure)?;
        let channel = row.map(Channel::try_from).transpose()?;
        if let Err(refusal) = post::permit(channel.as_ref(), author, post) {
            return Ok(Err(refusal));
        }
        let Some(channel) = channel else { continue };
        if let Some(id) = queries::insert_post(connection, &channel, author, post, at).await.map_err(failure)? {
            return Ok(Ok(id));
        }
    }
}

impl From<NotReady> for Error {
    fn from(problem: NotReady) -> Self {
        Self::Unavailable(problem.into())
    }
}

/// `work`, or `Unavailable` after [`TIMEOUT`]; what was cut off may still be done.
async fn bounded<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Err(Error::Unavailable(format!("no answer within {TIMEOUT:?}").into()));
    timeout(TIMEOUT, work).await.unwrap_or_else(late)
}
