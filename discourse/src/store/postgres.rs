//! The store that replicas on many hosts share: PostgreSQL.
//!
//! | to find | look in |
//! |---|---|
//! | `DATABASE_URL`, and what a connection is told | `url` |
//! | connections, and what their errors mean | `pool` |
//! | how the schema gets there | `schema` and `migrations/postgres` |
//! | the statements | `queries` |

mod pool;
mod queries;
mod schema;
#[cfg(test)]
mod tests;
mod url;

use std::{sync::Arc, time::Duration};

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_async::SimpleAsyncConnection;
use kernel::PoolState;
use tokio::{sync::watch, time::timeout};
use tokio_postgres::Config;
use tokio_util::task::AbortOnDropHandle;
use uuid::Uuid;

use self::{
    pool::{Connection, Pool, failure},
    schema::Schema,
};
use super::{Error, Store};
use crate::{
    channel::{Channel, ChannelQuery, NewChannel, PostQuery},
    post::{self, NewPost, Post, PostError},
};

/// A call takes no longer, whatever the database does. Statements end earlier, by themselves, while it is alive.
const TIMEOUT: Duration = Duration::from_secs(5);

/// A discourse in one PostgreSQL database. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    pool: Pool,
    schema: watch::Receiver<Schema>,
    _migration: Arc<AbortOnDropHandle<()>>,
}

impl Postgres {
    /// A store on the database at `database_url`, reachable or not. Until its schema is up to date, which is tried in the
    /// background, every call is `Unavailable`. To be called in a tokio runtime.
    ///
    /// Fails on a URL that cannot be one.
    pub fn connect(database_url: &str) -> anyhow::Result<Self> {
        Ok(Self::on(url::parse(database_url)?))
    }

    fn on(database: Config) -> Self {
        let pool = Pool::new(database);
        let (known, schema) = watch::channel(Schema::default());
        let migration = tokio::spawn(schema::bring_up_to_date(pool.clone(), known));
        Self { pool, schema, _migration: Arc::new(AbortOnDropHandle::new(migration)) }
    }

    async fn connection(&self) -> Result<Connection<'_>, Error> {
        let problem = match &*self.schema.borrow() {
            Schema::UpToDate => None,
            Schema::Unknown => Some("the schema has not been looked at yet".to_owned()),
            Schema::Behind(problem) => Some(problem.clone()),
        };
        match problem {
            None => self.pool.get().await,
            Some(problem) => Err(Error::Unavailable(problem.into())),
        }
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
            // At the start, the first answer is worth waiting for. An error would mean that nobody migrates any more.
            let _ = self.schema.clone().wait_for(|schema| !matches!(schema, Schema::Unknown)).await;
            self.connection().await?.batch_execute("SELECT 1").await.map_err(failure)
        })
        .await
    }

    async fn check_write(&self, _replica: &str) -> Result<(), Error> {
        self.check_read().await
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

    async fn channel(&self, query: &PostQuery) -> Result<Option<(Channel, Vec<Post>, u64)>, Error> {
        bounded(async {
            let mut connection = self.connection().await?;
            let (channel, posts) = queries::channel(&mut connection, query).await.map_err(failure)?;
            let Some(channel) = channel else { return Ok(None) };
            let total = channel.posts(query.topic);
            let posts = posts.into_iter().map(Post::try_from).collect::<Result<_, _>>()?;
            Ok(Some((channel.try_into()?, posts, total)))
        })
        .await
    }

    async fn create_channel(&self, creator: Uuid, channel: NewChannel, at: DateTime<Utc>) -> Result<Channel, Error> {
        bounded(async {
            let mut connection = self.connection().await?;
            let id = queries::insert_channel(&mut connection, creator, &channel, at).await.map_err(failure)?;
            let NewChannel { name, description, kind, zone } = channel;
            Ok(Channel { id, name, description, kind, zone, created_by: creator, created_at: at, updated_at: at })
        })
        .await
    }

    async fn create_post(
        &self,
        author: Uuid,
        post: NewPost,
        at: DateTime<Utc>,
    ) -> Result<Result<Post, PostError>, Error> {
        bounded(async {
            let mut connection = self.connection().await?;
            // The channel is not locked while we ask: where it changed since, nothing is inserted, and we ask again.
            let id = loop {
                let row = queries::find_channel(&mut connection, post.channel_id).await.map_err(failure)?;
                let channel = row.map(Channel::try_from).transpose()?;
                if let Err(refusal) = post::permit(channel.as_ref(), author, &post) {
                    return Ok(Err(refusal));
                }
                let Some(channel) = channel else { continue };
                let inserted = queries::insert_post(&mut connection, &channel, author, &post, at).await;
                if let Some(id) = inserted.map_err(failure)? {
                    break id;
                }
            };
            let NewPost { channel_id, title, content, topic, is_pinned } = post;
            let (created_at, updated_at) = (at, at);
            Ok(Ok(Post { id, channel_id, author_id: author, title, content, topic, is_pinned, created_at, updated_at }))
        })
        .await
    }
}

/// `work`, or `Unavailable` after [`TIMEOUT`]; what was cut off may still be done.
async fn bounded<T>(work: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let late = |_| Err(Error::Unavailable(format!("no answer within {TIMEOUT:?}").into()));
    timeout(TIMEOUT, work).await.unwrap_or_else(late)
}
