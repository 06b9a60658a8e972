//! The embedded store: SQLite in one file, through `storage::sqlite`.

mod queries;
mod rows;
mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kernel::PoolState;
use storage::{
    DataDir,
    idempotency::{Never, Options, Retention},
    lease::Leases,
    outbox::Outbox,
    sqlite::{Sqlite, idempotency},
};
use uuid::Uuid;

use super::{Error, PostPage, Store};
use crate::{
    act::Act,
    channel::{Channel, ChannelError, ChannelQuery, NewChannel, PostQuery},
    post::{self, NewPost, Post, PostError},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/embedded");

/// A page that begins no deeper than this, and has no more posts, is read quickly: posts may be 60 KB long.
const QUICK: (i64, u32) = (1000, 25);

/// A discourse in one SQLite file. Cheap to clone; clones share the file's one writer.
#[derive(Clone)]
pub struct Embedded {
    db: Sqlite,
    /// How long the outcomes of calls with a key count.
    retention: Retention,
}

impl Embedded {
    /// Opens or creates `discourse.db` in `data_dir`, and brings its schema up to date.
    pub fn open(data_dir: &DataDir, options: &Options) -> anyhow::Result<Self> {
        let db = Sqlite::open(data_dir, "discourse.db", MIGRATIONS)?;
        Ok(Self { db, retention: Retention::new(options) })
    }
}

#[async_trait]
impl Store for Embedded {
    fn backend(&self) -> &'static str {
        "embedded"
    }

    fn pool(&self) -> PoolState {
        self.db.pool()
    }

    fn leases(&self) -> Arc<dyn Leases> {
        Arc::new(self.db.clone())
    }

    fn outbox(&self) -> Arc<dyn Outbox> {
        Arc::new(self.db.clone())
    }

    async fn check_read(&self) -> Result<(), Error> {
        Ok(self.db.check_read().await?)
    }

    async fn check_write(&self, _replica: &str) -> Result<(), Error> {
        Ok(self.db.check_write().await?)
    }

    async fn list_channels(&self, viewer: Option<Uuid>, query: &ChannelQuery) -> Result<(Vec<Channel>, u64), Error> {
        // It counts, and goes past the private channels of others.
        let query = query.clone();
        self.db.scan(move |connection| queries::list(connection, viewer, &query)).await
    }

    async fn channel(&self, viewer: Option<Uuid>, query: &PostQuery) -> Result<Result<PostPage, ChannelError>, Error> {
        if query.page.offset() < QUICK.0 && query.page.limit <= QUICK.1 {
            return self.db.read(|connection| queries::page(connection, viewer, query)).await;
        }
        let query = query.clone();
        self.db.scan(move |connection| queries::page(connection, viewer, &query)).await
    }

    async fn create_channel(&self, act: Act, channel: NewChannel) -> Result<Channel, Error> {
        let retention = self.retention;
        let create = move |connection: &mut _| {
            idempotency::once(connection, act.claim.as_ref(), retention, act.at, |connection| {
                queries::insert_channel(connection, &act, channel).map(Ok::<_, Never>)
            })
        };
        let Ok(channel) = self.db.write::<_, Error>(create).await?;
        self.db.wake();
        Ok(channel)
    }

    async fn create_post(&self, act: Act, post: NewPost) -> Result<Result<Post, PostError>, Error> {
        let retention = self.retention;
        let create = move |connection: &mut _| {
            idempotency::once(connection, act.claim.as_ref(), retention, act.at, |connection| {
                let channel = queries::find(connection, post.channel_id)?;
                match post::permit(channel, act.by, &post) {
                    Ok(channel) => queries::insert_post(connection, &act, &channel, post).map(Ok),
                    Err(refusal) => Ok(Err(refusal)),
                }
            })
        };
        let created = self.db.write(create).await?;
        self.db.wake();
        Ok(created)
    }

    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error> {
        let retention = self.retention;
        self.db.write(move |connection| Ok(idempotency::forget(connection, retention, at)?)).await
    }
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use diesel::{SqliteConnection, connection::SimpleConnection};
    use kernel::Page;
    use storage::testing::checked_words;

    use super::*;
    use crate::{
        channel::ChannelType,
        store::contract::{self, Fresh},
        topic::Topic,
    };

    fn open(path: &Path) -> Embedded {
        Embedded::open(&DataDir::open(path, false).expect("ours"), &Options::default()).expect("opens")
    }

    async fn fresh() -> Fresh {
        let directory = tempfile::tempdir().expect("directory");
        let store = open(directory.path());
        Fresh { store: Arc::new(store), _keep: Box::new(directory) }
    }

    contract::store_contract!(fresh);

    #[tokio::test]
    async fn what_was_kept_is_there_after_reopening() {
        let directory = tempfile::tempdir().expect("directory");
        let store = open(directory.path());
        let creator = Uuid::new_v4();
        let channel = contract::open(&store, creator, ChannelType::Public).await;
        drop(store);
        let store = open(directory.path());
        assert_eq!(contract::read_page(&store, Some(creator), channel.id).await.expect("there").0, channel);
    }

    #[tokio::test]
    async fn the_posts_of_a_channel_are_not_read_for_who_may_not_read_them() {
        let directory = tempfile::tempdir().expect("directory");
        let store = open(directory.path());
        let creator = Uuid::new_v4();
        let channel = contract::open(&store, creator, ChannelType::Private).await;
        // Whoever reads posts, or how many there are, fails from here on.
        let take_away = |connection: &mut SqliteConnection| {
            connection.batch_execute("DROP TABLE post_totals; DROP TABLE posts").map_err(Error::from)
        };
        store.db.write(take_away).await.expect("drops");
        for (page, topic) in [(1, None), (1, Some(Topic::General)), (1_000_000, None)] {
            let query = PostQuery { topic, page: Page { page, limit: 10 }, channel_id: channel.id };
            for viewer in [None, Some(Uuid::new_v4())] {
                let refused = store.channel(viewer, &query).await.expect("no failure");
                assert_eq!(refused.expect_err("refused"), ChannelError::AccessDenied);
            }
            store.channel(Some(creator), &query).await.expect_err("the posts are gone");
        }
    }

    #[test]
    fn both_schemas_let_in_the_words_of_the_contract() {
        for schema in [
            include_str!("../../migrations/embedded/0001_initial/up.sql"),
            include_str!("../../migrations/postgres/0001_initial/up.sql"),
        ] {
            assert_eq!(checked_words(schema, "channels", "type"), ChannelType::WORDS);
            assert_eq!(checked_words(schema, "posts", "topic"), Topic::WORDS);
        }
    }
}
