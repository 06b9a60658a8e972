//! The store that replicas on many hosts share: PostgreSQL.
//!
//! | to find | look in |
//! |---|---|
//! | connections, and how the schema gets there | `storage::postgres` |
//! | the schema | `migrations/postgres`, for statements `schema`, `rows` |
//! | the statements about channels and what is posted | `queries` |
//! | what changes what is there | `changes` |
//! | posts wherever they are, members | `reads` |
//! | what calls with a key were told | `idempotency` |

mod changes;
mod idempotency;
mod queries;
mod reads;
mod rows;
mod schema;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_async::{AsyncConnection, AsyncPgConnection};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use futures_util::{FutureExt, TryFutureExt};
use kernel::{Page, PoolState};
use storage::{
    idempotency::{Never, Options, Retention},
    lease::Leases,
    outbox::Outbox,
    postgres::bounded,
};
use uuid::Uuid;

use super::{Error, PostPage, Store};
use crate::{
    act::{Act, Versions},
    channel::{
        self, Channel, ChannelQuery, NewChannel, PostQuery,
        access::{self, ChannelError},
    },
    member::{self, Member, MemberError, MemberQuery},
    post::{
        self, NewPost, Post, PostError,
        search::{self, PostFilter},
    },
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
            let total = row.as_ref().map_or(0, |(channel, _)| channel.posts(query.topic));
            let found = row.map(|(row, is_member)| Ok::<_, Error>((Channel::try_from(row)?, is_member))).transpose()?;
            let channel = match access::enter(found, viewer) {
                Ok((channel, _)) => channel,
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

    async fn update_channel(
        &self,
        act: Act,
        id: i64,
        versions: Versions,
        change: channel::Change,
    ) -> Result<Result<Channel, ChannelError>, Error> {
        let done = bounded(async {
            let mut connection = self.database.connection().await?;
            connection
                .transaction(async |connection| {
                    changes::update_channel(connection, (&act, id, &versions), change).await
                })
                .await
        })
        .await?;
        self.database.wake();
        Ok(done)
    }

    async fn delete_channel(&self, act: Act, id: i64, versions: Versions) -> Result<Result<(), ChannelError>, Error> {
        let done = bounded(async {
            let mut connection = self.database.connection().await?;
            connection
                .transaction(async |connection| changes::delete_channel(connection, (&act, id, &versions)).await)
                .await
        })
        .await?;
        self.database.wake();
        Ok(done)
    }

    async fn add_member(&self, act: Act, channel_id: i64, user: Uuid) -> Result<Result<Member, MemberError>, Error> {
        let done = bounded(async {
            let mut connection = self.database.connection().await?;
            connection
                .transaction(async |connection| changes::add_member(connection, (&act, channel_id, user)).await)
                .await
        })
        .await?;
        self.database.wake();
        Ok(done)
    }

    async fn remove_member(&self, act: Act, channel_id: i64, user: Uuid) -> Result<Result<(), MemberError>, Error> {
        let done = bounded(async {
            let mut connection = self.database.connection().await?;
            connection
                .transaction(async |connection| changes::remove_member(connection, (&act, channel_id, user)).await)
                .await
        })
        .await?;
        self.database.wake();
        Ok(done)
    }

    async fn update_post(
        &self,
        act: Act,
        id: i64,
        versions: Versions,
        change: post::Change,
    ) -> Result<Result<Post, PostError>, Error> {
        let done = bounded(async {
            let mut connection = self.database.connection().await?;
            connection
                .transaction(async |connection| changes::update_post(connection, (&act, id, &versions), change).await)
                .await
        })
        .await?;
        self.database.wake();
        Ok(done)
    }

    async fn delete_post(&self, act: Act, id: i64, versions: Versions) -> Result<Result<(), PostError>, Error> {
        let done = bounded(async {
            let mut connection = self.database.connection().await?;
            connection
                .transaction(async |connection| changes::delete_post(connection, (&act, id, &versions)).await)
                .await
        })
        .await?;
        self.database.wake();
        Ok(done)
    }

    async fn list_members(
        &self,
        viewer: Uuid,
        query: &MemberQuery,
    ) -> Result<Result<(Vec<Member>, u64), ChannelError>, Error> {
        bounded(async {
            let mut connection = self.database.connection().await?;
            let mut list = connection.build_transaction().read_only().repeatable_read();
            list.run(async |connection| {
                let found = reads::find_channel(connection, query.channel_id, viewer).await?;
                if let Err(refusal) = member::show(found, viewer) {
                    return Ok(Err(refusal));
                }
                let (rows, total) = reads::list_members(connection, query).await?;
                Ok(Ok((rows.into_iter().map(Member::from).collect(), total.unsigned_abs())))
            })
            .await
        })
        .await
    }

    async fn member(&self, viewer: Uuid, channel_id: i64, user: Uuid) -> Result<Result<Member, MemberError>, Error> {
        bounded(async {
            let mut connection = self.database.connection().await?;
            let found = reads::find_channel(&mut connection, channel_id, viewer).await?;
            if let Err(refusal) = member::show(found, viewer) {
                return Ok(Err(refusal.into()));
            }
            let member = reads::find_member(&mut connection, channel_id, user).await?;
            Ok(member.map(Member::from).ok_or(MemberError::NotFound))
        })
        .await
    }

    async fn list_posts(
        &self,
        viewer: Option<Uuid>,
        filter: &PostFilter,
        page: Page,
    ) -> Result<(Vec<Post>, u64), Error> {
        bounded(async {
            let mut connection = self.database.connection().await?;
            let (rows, total) = reads::list_posts(&mut connection, viewer, filter, page).await?;
            let posts = rows.into_iter().map(Post::try_from).collect::<Result<_, _>>()?;
            Ok((posts, total.unsigned_abs()))
        })
        .await
    }

    async fn post(&self, viewer: Option<Uuid>, id: i64) -> Result<Result<Post, PostError>, Error> {
        bounded(async {
            let mut connection = self.database.connection().await?;
            let found = match reads::find_post(&mut connection, id, viewer).await? {
                Some((post, channel, is_member)) => Some((post.try_into()?, (channel.try_into()?, is_member))),
                None => None,
            };
            Ok(search::show(found, viewer))
        })
        .await
    }

    async fn remove_deleted(&self) -> Result<usize, Error> {
        bounded(async {
            let mut connection = self.database.connection().await?;
            connection.transaction(async |connection| changes::remove_deleted(connection).await).await
        })
        .await
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
        let found = queries::find_channel(connection, post.channel_id, act.by).await?;
        let id = found.as_ref().map(|(.., id)| *id);
        let found =
            found.map(|(row, is_member, _)| Ok::<_, Error>((Channel::try_from(row)?, is_member))).transpose()?;
        let channel = match post::permit(found, act.by, post) {
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
