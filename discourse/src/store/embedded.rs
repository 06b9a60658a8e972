//! The embedded store: SQLite in one file, through `storage::sqlite`.

use std::sync::Arc;

use async_trait::async_trait;
use chrono::{DateTime, Utc};
use diesel::{prelude::*, sqlite::Sqlite as Backend};
use diesel_migrations::{EmbeddedMigrations, embed_migrations};
use kernel::PoolState;
use storage::{
    DataDir,
    idempotency::{Claim, Never, Options, Retention},
    lease::Leases,
    sqlite::{Sqlite, idempotency},
};
use uuid::Uuid;

use super::{Error, PostPage, Store, damaged, some};
use crate::{
    channel::{self, Channel, ChannelError, ChannelQuery, ChannelType, NewChannel, PostQuery},
    post::{self, NewPost, Post, PostError},
};

const MIGRATIONS: EmbeddedMigrations = embed_migrations!("migrations/embedded");

/// A page that begins no deeper than this, and has no more posts, is read quickly: posts may be 60 KB long.
const QUICK: (i64, u32) = (1000, 25);

diesel::table! {
    channels (id) {
        id -> BigInt,
        name -> Text,
        description -> Nullable<Text>,
        #[sql_name = "type"]
        kind -> Text,
        zone -> Nullable<Text>,
        created_by -> Text,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    posts (id) {
        id -> BigInt,
        channel_id -> BigInt,
        author_id -> Text,
        title -> Nullable<Text>,
        content -> Text,
        topic -> Text,
        is_pinned -> Bool,
        created_at -> BigInt,
        updated_at -> BigInt,
    }
}

diesel::table! {
    post_totals (channel_id, topic) {
        channel_id -> BigInt,
        topic -> Text,
        total -> BigInt,
    }
}

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

    async fn check_read(&self) -> Result<(), Error> {
        Ok(self.db.check_read().await?)
    }

    async fn check_write(&self, _replica: &str) -> Result<(), Error> {
        Ok(self.db.check_write().await?)
    }

    async fn list_channels(&self, viewer: Option<Uuid>, query: &ChannelQuery) -> Result<(Vec<Channel>, u64), Error> {
        // It counts, and goes past the private channels of others.
        let query = query.clone();
        self.db.scan(move |connection| list(connection, viewer, &query)).await
    }

    async fn channel(&self, viewer: Option<Uuid>, query: &PostQuery) -> Result<Result<PostPage, ChannelError>, Error> {
        if query.page.offset() < QUICK.0 && query.page.limit <= QUICK.1 {
            return self.db.read(|connection| page(connection, viewer, query)).await;
        }
        let query = query.clone();
        self.db.scan(move |connection| page(connection, viewer, &query)).await
    }

    async fn create_channel(
        &self,
        creator: Uuid,
        channel: NewChannel,
        claim: Option<Claim>,
        at: DateTime<Utc>,
    ) -> Result<Channel, Error> {
        let retention = self.retention;
        let create = move |connection: &mut _| {
            idempotency::once(connection, claim.as_ref(), retention, at, |connection| {
                insert_channel(connection, creator, channel, at).map(Ok::<_, Never>)
            })
        };
        let Ok(channel) = self.db.write::<_, Error>(create).await?;
        Ok(channel)
    }

    async fn create_post(
        &self,
        author: Uuid,
        post: NewPost,
        claim: Option<Claim>,
        at: DateTime<Utc>,
    ) -> Result<Result<Post, PostError>, Error> {
        let retention = self.retention;
        let create = move |connection: &mut _| {
            idempotency::once(connection, claim.as_ref(), retention, at, |connection| {
                let channel = find(connection, post.channel_id)?;
                match post::permit(channel.as_ref(), author, &post) {
                    Ok(()) => insert_post(connection, author, post, at).map(Ok),
                    Err(refusal) => Ok(Err(refusal)),
                }
            })
        };
        self.db.write(create).await
    }

    async fn forget_outcomes(&self, at: DateTime<Utc>) -> Result<usize, Error> {
        let retention = self.retention;
        self.db.write(move |connection| Ok(idempotency::forget(connection, retention, at)?)).await
    }
}

fn list(
    connection: &mut SqliteConnection,
    viewer: Option<Uuid>,
    query: &ChannelQuery,
) -> Result<(Vec<Channel>, u64), Error> {
    let matching = || {
        // The same as `Channel::may_read`, which the contract tests hold it to. Nobody has created a channel under an
        // empty id.
        let viewer = viewer.map(|viewer| viewer.to_string()).unwrap_or_default();
        let visible = channels::kind.ne(ChannelType::Private.as_str()).or(channels::created_by.eq(viewer));
        let mut channels = channels::table.filter(visible).into_boxed::<Backend>();
        if let Some(kind) = query.kind {
            channels = channels.filter(channels::kind.eq(kind.as_str()));
        }
        if let Some(zone) = &query.zone {
            channels = channels.filter(channels::zone.eq(zone));
        }
        if let Some(creator) = query.created_by {
            channels = channels.filter(channels::created_by.eq(creator.to_string()));
        }
        channels
    };
    let total: i64 = matching().count().get_result(connection)?;
    let rows: Vec<ChannelRow> = matching()
        .order((channels::created_at.desc(), channels::id.desc()))
        .limit(query.page.limit.into())
        .offset(query.page.offset())
        .select(ChannelRow::as_select())
        .load(connection)?;
    let channels = rows.into_iter().map(Channel::try_from).collect::<Result<_, _>>()?;
    Ok((channels, total.unsigned_abs()))
}

fn find(connection: &mut SqliteConnection, id: i64) -> Result<Option<Channel>, Error> {
    let row = channels::table.find(id).select(ChannelRow::as_select()).first(connection).optional()?;
    row.map(Channel::try_from).transpose()
}

fn page(
    connection: &mut SqliteConnection,
    viewer: Option<Uuid>,
    query: &PostQuery,
) -> Result<Result<PostPage, ChannelError>, Error> {
    let channel = match channel::admit(find(connection, query.channel_id)?, viewer) {
        Ok(channel) => channel,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (posts, total) = posts_of(connection, query)?;
    Ok(Ok((channel, posts, total)))
}

fn posts_of(connection: &mut SqliteConnection, query: &PostQuery) -> Result<(Vec<Post>, u64), Error> {
    let mut totals = post_totals::table
        .filter(post_totals::channel_id.eq(query.channel_id))
        .select(post_totals::total)
        .into_boxed::<Backend>();
    let mut posts = posts::table.filter(posts::channel_id.eq(query.channel_id)).into_boxed::<Backend>();
    if let Some(topic) = query.topic {
        totals = totals.filter(post_totals::topic.eq(topic.as_str()));
        posts = posts.filter(posts::topic.eq(topic.as_str()));
    }
    // Summed here: in diesel a sum of BIGINT is NUMERIC, and SQL as text would be parsed anew each time.
    let total = totals.load::<i64>(connection)?.into_iter().map(i64::unsigned_abs).sum();
    let rows: Vec<PostRow> = posts
        .order((posts::is_pinned.desc(), posts::created_at.desc(), posts::id.desc()))
        .limit(query.page.limit.into())
        .offset(query.page.offset())
        .select(PostRow::as_select())
        .load(connection)?;
    let posts = rows.into_iter().map(Post::try_from).collect::<Result<_, _>>()?;
    Ok((posts, total))
}

fn insert_channel(
    connection: &mut SqliteConnection,
    creator: Uuid,
    channel: NewChannel,
    at: DateTime<Utc>,
) -> Result<Channel, Error> {
    let id = diesel::insert_into(channels::table)
        .values((
            channels::name.eq(&channel.name),
            channels::description.eq(some(&channel.description)),
            channels::kind.eq(channel.kind.as_str()),
            channels::zone.eq(some(&channel.zone)),
            channels::created_by.eq(creator.to_string()),
            channels::created_at.eq(at.timestamp_micros()),
            channels::updated_at.eq(at.timestamp_micros()),
        ))
        .returning(channels::id)
        .get_result(connection)?;
    Ok(channel.opened(id, creator, at))
}

fn insert_post(
    connection: &mut SqliteConnection,
    author: Uuid,
    post: NewPost,
    at: DateTime<Utc>,
) -> Result<Post, Error> {
    let id = diesel::insert_into(posts::table)
        .values((
            posts::channel_id.eq(post.channel_id),
            posts::author_id.eq(author.to_string()),
            posts::title.eq(some(&post.title)),
            posts::content.eq(&post.content),
            posts::topic.eq(post.topic.as_str()),
            posts::is_pinned.eq(post.is_pinned),
            posts::created_at.eq(at.timestamp_micros()),
            posts::updated_at.eq(at.timestamp_micros()),
        ))
        .returning(posts::id)
        .get_result(connection)?;
    diesel::update(channels::table.find(post.channel_id))
        .set(channels::updated_at.eq(at.timestamp_micros()))
        .execute(connection)?;
    Ok(post.made(id, author, at))
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = channels, check_for_backend(Backend))]
struct ChannelRow {
    id: i64,
    name: String,
    description: Option<String>,
    kind: String,
    zone: Option<String>,
    created_by: String,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<ChannelRow> for Channel {
    type Error = Error;

    fn try_from(row: ChannelRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            name: row.name,
            description: row.description.unwrap_or_default(),
            kind: row.kind.parse().map_err(damaged)?,
            zone: row.zone.unwrap_or_default(),
            created_by: row.created_by.parse().map_err(damaged)?,
            created_at: moment(row.created_at)?,
            updated_at: moment(row.updated_at)?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = posts, check_for_backend(Backend))]
struct PostRow {
    id: i64,
    channel_id: i64,
    author_id: String,
    title: Option<String>,
    content: String,
    topic: String,
    is_pinned: bool,
    created_at: i64,
    updated_at: i64,
}

impl TryFrom<PostRow> for Post {
    type Error = Error;

    fn try_from(row: PostRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            channel_id: row.channel_id,
            author_id: row.author_id.parse().map_err(damaged)?,
            title: row.title.unwrap_or_default(),
            content: row.content,
            topic: row.topic.parse().map_err(damaged)?,
            is_pinned: row.is_pinned,
            created_at: moment(row.created_at)?,
            updated_at: moment(row.updated_at)?,
        })
    }
}

fn moment(micros: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| Error::Failed("a time is out of range".into()))
}

#[cfg(test)]
mod tests {
    use std::{path::Path, sync::Arc};

    use diesel::connection::SimpleConnection;
    use kernel::Page;
    use storage::testing::checked_words;

    use super::*;
    use crate::{
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
