//! The embedded store: SQLite in one file, through `storage::sqlite`.

mod members;
mod posts;
mod queries;
mod rows;
mod schema;

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kernel::{Page, PoolState};
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

    async fn update_channel(
        &self,
        act: Act,
        id: i64,
        versions: Versions,
        change: channel::Change,
    ) -> Result<Result<Channel, ChannelError>, Error> {
        let update = move |connection: &mut _| {
            let found = queries::find(connection, id, Some(act.by))?;
            let channel = match access::govern(found, act.by, &versions) {
                Ok(channel) => channel,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let Some((changed, message)) = channel.changed(change, &act)? else { return Ok(Ok(channel)) };
            queries::update_channel(connection, &changed, message)?;
            Ok::<_, Error>(Ok(changed))
        };
        let updated = self.db.write(update).await?;
        self.db.wake();
        Ok(updated)
    }

    async fn delete_channel(&self, act: Act, id: i64, versions: Versions) -> Result<Result<(), ChannelError>, Error> {
        let delete = move |connection: &mut _| {
            let found = queries::find(connection, id, Some(act.by))?;
            match access::govern(found, act.by, &versions) {
                Ok(channel) => queries::delete_channel(connection, id, &act, channel.deleted(&act)?).map(Ok),
                Err(refusal) => Ok::<_, Error>(Err(refusal)),
            }
        };
        let deleted = self.db.write(delete).await?;
        self.db.wake();
        Ok(deleted)
    }

    async fn list_members(
        &self,
        viewer: Uuid,
        query: &MemberQuery,
    ) -> Result<Result<(Vec<Member>, u64), ChannelError>, Error> {
        let list = |connection: &mut _| {
            let found = queries::find(connection, query.channel_id, Some(viewer))?;
            match member::show(found, viewer) {
                Ok(()) => members::list(connection, query).map(Ok),
                Err(refusal) => Ok::<_, Error>(Err(refusal)),
            }
        };
        self.db.read(list).await
    }

    async fn member(&self, viewer: Uuid, channel_id: i64, user: Uuid) -> Result<Result<Member, MemberError>, Error> {
        let find = |connection: &mut _| {
            let found = queries::find(connection, channel_id, Some(viewer))?;
            if let Err(refusal) = member::show(found, viewer) {
                return Ok(Err(refusal.into()));
            }
            Ok::<_, Error>(members::find(connection, channel_id, user)?.ok_or(MemberError::NotFound))
        };
        self.db.read(find).await
    }

    async fn add_member(&self, act: Act, channel_id: i64, user: Uuid) -> Result<Result<Member, MemberError>, Error> {
        let add = move |connection: &mut _| {
            let found = queries::find(connection, channel_id, Some(act.by))?;
            let channel = match access::govern(found, act.by, &Versions::default()) {
                Ok(channel) => channel,
                Err(refusal) => return Ok(Err(refusal.into())),
            };
            if let Some(member) = members::find(connection, channel_id, user)? {
                return Ok(Ok(member));
            }
            let channel = match member::invite(channel, user, members::count(connection, channel_id)?) {
                Ok(channel) => channel,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let (member, message) = Member::added(&channel, user, &act)?;
            members::insert(connection, channel, &member, message)?;
            Ok::<_, Error>(Ok(member))
        };
        let added = self.db.write(add).await?;
        self.db.wake();
        Ok(added)
    }

    async fn remove_member(&self, act: Act, channel_id: i64, user: Uuid) -> Result<Result<(), MemberError>, Error> {
        let remove = move |connection: &mut _| {
            let found = queries::find(connection, channel_id, Some(act.by))?;
            let channel = match member::dismiss(found, act.by, user) {
                Ok(channel) => channel,
                Err(refusal) => return Ok(Err(refusal.into())),
            };
            let message = Member::removed(&channel, user, &act)?;
            let was_one = members::delete(connection, channel, user, message)?;
            Ok::<_, Error>(was_one.then_some(()).ok_or(MemberError::NotFound))
        };
        let removed = self.db.write(remove).await?;
        self.db.wake();
        Ok(removed)
    }

    async fn list_posts(
        &self,
        viewer: Option<Uuid>,
        filter: &PostFilter,
        page: Page,
    ) -> Result<(Vec<Post>, u64), Error> {
        // It counts, and goes past what others may not read.
        let filter = filter.clone();
        self.db.scan(move |connection| posts::list(connection, viewer, &filter, page)).await
    }

    async fn post(&self, viewer: Option<Uuid>, id: i64) -> Result<Result<Post, PostError>, Error> {
        self.db.read(|connection| Ok(search::show(posts::find(connection, id, viewer)?, viewer))).await
    }

    async fn update_post(
        &self,
        act: Act,
        id: i64,
        versions: Versions,
        change: post::Change,
    ) -> Result<Result<Post, PostError>, Error> {
        let update = move |connection: &mut _| {
            let found = posts::find(connection, id, Some(act.by))?;
            let (post, channel) = match post::revise(found, act.by, &versions, &change) {
                Ok(both) => both,
                Err(refusal) => return Ok(Err(refusal)),
            };
            let Some((changed, message)) = post.changed(&channel, change, &act)? else { return Ok(Ok(post)) };
            posts::update(connection, &changed, message)?;
            Ok::<_, Error>(Ok(changed))
        };
        let updated = self.db.write(update).await?;
        self.db.wake();
        Ok(updated)
    }

    async fn delete_post(&self, act: Act, id: i64, versions: Versions) -> Result<Result<(), PostError>, Error> {
        let delete = move |connection: &mut _| {
            let found = posts::find(connection, id, Some(act.by))?;
            match post::retract(found, act.by, &versions) {
                Ok((post, channel)) => posts::delete(connection, id, post.deleted(&channel, &act)?).map(Ok),
                Err(refusal) => Ok::<_, Error>(Err(refusal)),
            }
        };
        let deleted = self.db.write(delete).await?;
        self.db.wake();
        Ok(deleted)
    }

    async fn remove_deleted(&self) -> Result<usize, Error> {
        self.db.write(members::remove_deleted).await
    }

    async fn create_post(&self, act: Act, post: NewPost) -> Result<Result<Post, PostError>, Error> {
        let retention = self.retention;
        let create = move |connection: &mut _| {
            idempotency::once(connection, act.claim.as_ref(), retention, act.at, |connection| {
                let found = queries::find(connection, post.channel_id, Some(act.by))?;
                match post::permit(found, act.by, &post) {
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
            connection
                .batch_execute("DROP TABLE post_totals; DROP TABLE post_words; DROP TABLE posts")
                .map_err(Error::from)
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
