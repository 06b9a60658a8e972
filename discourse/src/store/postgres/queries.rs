//! The statements: one round trip each, prepared once a connection.

use std::cmp::Reverse;

use chrono::{DateTime, Utc};
use diesel::{
    BoolExpressionMethods, NullableExpressionMethods,
    dsl::{auto_type, exists},
    pg::Pg,
    prelude::{ExpressionMethods, Insertable, IntoSql, OptionalExtension, QueryDsl, Queryable},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::{self, Nullable},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use storage::{outbox::Message, postgres::Told};
use uuid::Uuid;

use crate::{
    act::Act,
    channel::{Channel, ChannelQuery, ChannelType, PostQuery},
    post::{NewPost, Post},
    store::{Error, damaged, some},
    topic::Topic,
};

diesel::table! {
    channels (id) {
        id -> BigInt,
        name -> Text,
        description -> Nullable<Text>,
        #[sql_name = "type"]
        kind -> Text,
        zone -> Nullable<Text>,
        created_by -> Uuid,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        economic_posts -> BigInt,
        philosophical_posts -> BigInt,
        strategic_posts -> BigInt,
        general_posts -> BigInt,
        version -> BigInt,
    }
}

diesel::table! {
    posts (id) {
        id -> BigInt,
        channel_id -> BigInt,
        author_id -> Uuid,
        title -> Nullable<Text>,
        content -> Text,
        topic -> Text,
        is_pinned -> Bool,
        created_at -> Timestamptz,
        updated_at -> Timestamptz,
        version -> BigInt,
    }
}

diesel::allow_tables_to_appear_in_same_query!(channels, posts);

diesel::define_sql_function! {
    fn nextval(sequence: sql_types::Text) -> sql_types::BigInt;
}

/// The rows of two queries in one statement, so of one moment: each row is of the one or of the other, in no order.
#[derive(QueryId)]
struct Both<A, B>(A, B);

impl<A: Query, B: Query> Query for Both<A, B> {
    type SqlType = (Nullable<A::SqlType>, Nullable<B::SqlType>);
}

impl<A: QueryFragment<Pg>, B: QueryFragment<Pg>> QueryFragment<Pg> for Both<A, B> {
    fn walk_ast<'b>(&'b self, mut out: AstPass<'_, 'b, Pg>) -> QueryResult<()> {
        out.push_sql("SELECT * FROM (");
        self.0.walk_ast(out.reborrow())?;
        out.push_sql(") AS a FULL JOIN (");
        self.1.walk_ast(out.reborrow())?;
        out.push_sql(") AS b ON FALSE");
        Ok(())
    }
}

/// The same as `Channel::may_read`, which the contract tests hold it to.
#[auto_type]
fn visible(viewer: Option<Uuid>) -> _ {
    let private: &'static str = ChannelType::Private.as_str();
    channels::kind.ne(private).or(channels::created_by.nullable().eq(viewer))
}

/// The channels of one page that `viewer` may see, newest first, and how many there are on all pages.
pub(super) async fn list_channels(
    connection: &mut AsyncPgConnection,
    viewer: Option<Uuid>,
    query: &ChannelQuery,
) -> QueryResult<(Vec<ChannelRow>, i64)> {
    let matching = || {
        let mut channels = channels::table.filter(visible(viewer)).into_boxed::<Pg>();
        if let Some(kind) = query.kind {
            channels = channels.filter(channels::kind.eq(kind.as_str()));
        }
        if let Some(zone) = &query.zone {
            channels = channels.filter(channels::zone.eq(zone));
        }
        if let Some(creator) = query.created_by {
            channels = channels.filter(channels::created_by.eq(creator));
        }
        channels
    };
    let page = matching()
        .order((channels::created_at.desc(), channels::id.desc()))
        .limit(query.page.limit.into())
        .offset(query.page.offset());
    let rows: Vec<(Option<i64>, Option<ChannelRow>)> = Both(matching().count(), page).load(connection).await?;
    let total = rows.iter().find_map(|(total, _)| *total).unwrap_or_default();
    let mut channels: Vec<_> = rows.into_iter().filter_map(|(_, channel)| channel).collect();
    channels.sort_unstable_by_key(|channel| Reverse((channel.created_at, channel.id)));
    Ok((channels, total))
}

/// The channel and one page of its posts, pinned first, then newest first; none where it does not show to `viewer`, and
/// none is read then: the question is one of the whole query ("One-Time Filter"), asked before its first row.
pub(super) async fn channel(
    connection: &mut AsyncPgConnection,
    viewer: Option<Uuid>,
    query: &PostQuery,
) -> QueryResult<(Option<ChannelRow>, Vec<PostRow>)> {
    let channel = channels::table.find(query.channel_id);
    let mut page = posts::table
        .filter(posts::channel_id.eq(query.channel_id))
        .filter(exists(channel.filter(visible(viewer))))
        .into_boxed::<Pg>();
    if let Some(topic) = query.topic {
        page = page.filter(posts::topic.eq(topic.as_str()));
    }
    let page = page
        .order((posts::is_pinned.desc(), posts::created_at.desc(), posts::id.desc()))
        .limit(query.page.limit.into())
        .offset(query.page.offset());
    let rows: Vec<(Option<ChannelRow>, Option<PostRow>)> = Both(channel, page).load(connection).await?;
    let (mut channel, mut posts) = (None, Vec::with_capacity(rows.len()));
    for (is_channel, is_post) in rows {
        channel = is_channel.or(channel);
        posts.extend(is_post);
    }
    posts.sort_unstable_by_key(|post| Reverse((post.is_pinned, post.created_at, post.id)));
    Ok((channel, posts))
}

/// The channel of an id, and the id of the next post.
pub(super) async fn find_channel(
    connection: &mut AsyncPgConnection,
    id: i64,
) -> QueryResult<Option<(ChannelRow, i64)>> {
    let post = nextval("posts_id_seq");
    channels::table.find(id).select((channels::all_columns, post)).first(connection).await.optional()
}

pub(super) async fn next_channel_id(connection: &mut AsyncPgConnection) -> QueryResult<i64> {
    diesel::select(nextval("channels_id_seq")).get_result(connection).await
}

/// Keeps a channel, and what is told of it.
pub(super) async fn insert_channel(
    connection: &mut AsyncPgConnection,
    channel: &Channel,
    message: Message,
) -> QueryResult<()> {
    let insert = diesel::insert_into(channels::table)
        .values((
            channels::id.eq(channel.id),
            channels::name.eq(&channel.name),
            channels::description.eq(some(&channel.description)),
            channels::kind.eq(channel.kind.as_str()),
            channels::zone.eq(some(&channel.zone)),
            channels::created_by.eq(channel.created_by),
            channels::created_at.eq(channel.created_at),
            channels::updated_at.eq(channel.updated_at),
        ))
        .returning(channels::id);
    Told::new(insert, message).execute(connection).await?;
    Ok(())
}

/// Keeps a post under its id, and what is told of it, if what decides about access to its channel still is as in
/// `channel`; whether it was. A trigger updates the channel.
pub(super) async fn insert_post(
    connection: &mut AsyncPgConnection,
    channel: &Channel,
    (id, act, post): (i64, &Act, &NewPost),
    message: Message,
) -> QueryResult<bool> {
    let insert = channels::table
        .find(channel.id)
        .filter(channels::kind.eq(channel.kind.as_str()))
        .filter(channels::created_by.eq(channel.created_by))
        .select((
            id.into_sql::<sql_types::BigInt>(),
            channels::id,
            act.by.into_sql::<sql_types::Uuid>(),
            some(&post.title).into_sql::<Nullable<sql_types::Text>>(),
            post.content.as_str().into_sql::<sql_types::Text>(),
            post.topic.as_str().into_sql::<sql_types::Text>(),
            post.is_pinned.into_sql::<sql_types::Bool>(),
            act.at.into_sql::<sql_types::Timestamptz>(),
            act.at.into_sql::<sql_types::Timestamptz>(),
        ))
        .insert_into(posts::table)
        .into_columns((
            posts::id,
            posts::channel_id,
            posts::author_id,
            posts::title,
            posts::content,
            posts::topic,
            posts::is_pinned,
            posts::created_at,
            posts::updated_at,
        ))
        .returning(posts::id);
    Ok(Told::new(insert, message).execute(connection).await? > 0)
}

#[derive(Queryable)]
pub(super) struct ChannelRow {
    id: i64,
    name: String,
    description: Option<String>,
    kind: String,
    zone: Option<String>,
    created_by: Uuid,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    economic_posts: i64,
    philosophical_posts: i64,
    strategic_posts: i64,
    general_posts: i64,
    version: i64,
}

impl ChannelRow {
    /// How many posts the channel has, of one topic or of all.
    pub(super) fn posts(&self, topic: Option<Topic>) -> u64 {
        let posts = match topic {
            Some(Topic::Economic) => self.economic_posts,
            Some(Topic::Philosophical) => self.philosophical_posts,
            Some(Topic::Strategic) => self.strategic_posts,
            Some(Topic::General) => self.general_posts,
            None => self.economic_posts + self.philosophical_posts + self.strategic_posts + self.general_posts,
        };
        posts.unsigned_abs()
    }
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
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

#[derive(Queryable)]
pub(super) struct PostRow {
    id: i64,
    channel_id: i64,
    author_id: Uuid,
    title: Option<String>,
    content: String,
    topic: String,
    is_pinned: bool,
    created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
}

impl TryFrom<PostRow> for Post {
    type Error = Error;

    fn try_from(row: PostRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            channel_id: row.channel_id,
            author_id: row.author_id,
            title: row.title.unwrap_or_default(),
            content: row.content,
            topic: row.topic.parse().map_err(damaged)?,
            is_pinned: row.is_pinned,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}
