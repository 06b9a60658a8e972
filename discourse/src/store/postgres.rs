//! The store that replicas on many hosts share: PostgreSQL.
//!
//! | to find | look in |
//! |---|---|
//! | connections, and how the schema gets there | `storage::postgres` |
//! | the schema | `migrations/postgres` |
//! | the statements | `queries` |
//! | what calls with a key were told | `idempotency` |

mod idempotency;
mod queries;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_async::AsyncPgConnection;
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use futures_util::{FutureExt, TryFutureExt};
use kernel::PoolState;
use storage::{
    idempotency::{Never, Options, Retention},
    lease::Leases,
    outbox::Outbox,
    postgres::bounded,
};
use uuid::Uuid;

use super::{Error, PostPage, Store};
use crate::{
    act::Act,
    channel::{self, Channel, ChannelError, ChannelQuery, NewChannel, PostQuery},
    post::{self, NewPost, Post, PostError},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/postgres");
/// Where its tables are.
const SCHEMA: &str = "public";

/// A discourse in one PostgreSQL database. Cheap to clone; clones share the connections.
#[derive(Clone)]
pub struct Postgres {
    database: storage::postgres::Postgres,
    /// How long the outcomes of calls with a key count.
    retention: Retention,
}

impl Postgres {
    /// A store on the database at `database_url`, reachable or not: see [`storage::postgres::Postgres::connect`].
    pub fn connect(database_url: &str, options: &Options) -> anyhow::Result<Self> {
        let database = storage::postgres::Postgres::connect("discourse", SCHEMA, database_url, || MIGRATIONS)?;
        Ok(Self { database, retention: Retention::new(options) })
    }
}

#[async_trait]
impl Store for Postgres {
    fn backend(&self) -> &'static str {
        "postgresql"
    }

    fn pool(&self) -> PoolState {
        self.database.pool()
    }

    fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(self.database.clone())
    }

    fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::new(self.database.clone())
    }

    async fn check_read(&self) -> Result<(), Error> {
        Ok(self.database.check_read().await?)
    }

    async fn check_write(&self, replica: &str) -> Result<(), Error> {
        Ok(self.database.check_write(replica).await?)
    }

    async fn list_channels(&self, viewer: Option<Uuid>, query: &ChannelQuery) -> Result<(Vec<Channel>, u64), Error> {
        bounded(async {
            let mut connection = self.database.connection().await?;
            let (rows, total) = queries::list_channels(&mut connection, viewer, query).await?;
            let channels = rows.into_iter().map(Channel::try_from).collect::<Result<_, _>>()?;
            Ok((channels, total.unsigned_abs()))
        })
        .await
    }

    async fn channel(&self, viewer: Option<Uuid>, query: &PostQuery) -> Result<Result<PostPage, ChannelError>, Error> {
        bounded(async {
            let mut connection = self.database.connection().await?;
            let (row, posts) = queries::channel(&mut connection, viewer, query).await?;
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

    async fn create_channel(&self, act: Act, channel: NewChannel) -> Result<Channel, Error> {
        let what = (act, channel);
        let created = bounded(async {
            let mut connection = self.database.connection().await?;
            let Some(claim) = &what.0.claim else { return open_channel(&mut connection, &what).await };
            let once = (claim, self.retention, what.0.at);
            let created = idempotency::once(&mut connection, once, &what, |connection, what| {
                open_channel(connection, what).map_ok(Ok::<_, Never>).boxed()
            });
            let Ok(channel) = created.await?;
            Ok(channel)
        })
        .await?;
        self.database.wake();
        Ok(created)
    }

    async fn create_post(&self, act: Act, post: NewPost) -> Result<Result<Post, PostError>, Error> {
        let created = bounded(async {
            let mut connection = self.database.connection().await?;
            let Some(claim) = &act.claim else {
                let id = insert_post(&mut connection, &act, &post).await?;
                return Ok(id.map(|id| post.made(id, &act)));
            };
            let once = (claim, self.retention, act.at);
            let what = (&act, post);
            idempotency::once(&mut connection, once, &what, |connection, (act, post)| {
                let made = |id: Result<_, _>| id.map(|id| post.clone().made(id, act));
                insert_post(connection, act, post).map_ok(made).boxed()
            })
            .await
        })
        .await?;
        self.database.wake();
        Ok(created)
    }

    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error> {
        bounded(async { idempotency::forget(&mut *self.database.connection().await?, self.retention, at).await }).await
    }
}

async fn open_channel(
    connection: &mut AsyncPgConnection,
    (act, channel): &(Act, NewChannel),
) -> Result<Channel, Error> {
    let id = queries::next_channel_id(connection).await?;
    let (channel, message) = channel.clone().opened(id, act)?;
    queries::insert_channel(connection, &channel, message).await?;
    Ok(channel)
}

/// Inserts a post where its channel permits it; its id.
async fn insert_post(
    connection: &mut AsyncPgConnection,
    act: &Act,
    post: &NewPost,
) -> Result<Result<i64, PostError>, Error> {
    // The channel is not locked while we ask: where it changed since, nothing is inserted, and we ask again.
    loop {
        let (row, id) = queries::find_channel(connection, post.channel_id).await?.unzip();
        let channel = match post::permit(row.map(Channel::try_from).transpose()?, act.by, post) {
            Ok(channel) => channel,
            Err(refusal) => return Ok(Err(refusal)),
        };
        let Some(id) = id else { continue };
        let message = post.told(id, &channel, act)?;
        if queries::insert_post(connection, &channel, (id, act, post), message).await? {
            return Ok(Ok(id));
        }
    }
}
