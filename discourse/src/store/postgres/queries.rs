//! The statements about channels, and about what is posted in one: one round trip each, prepared once a connection.

use std::cmp::Reverse;

use diesel::{
    BoolExpressionMethods, NullableExpressionMethods,
    dsl::{auto_type, exists, sql},
    expression::SqlLiteral,
    pg::Pg,
    prelude::{ExpressionMethods, Insertable, IntoSql, OptionalExtension, QueryDsl},
    query_builder::{AstPass, Query, QueryFragment, QueryId},
    result::QueryResult,
    sql_types::{self, Nullable},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use storage::{outbox::Message, postgres::Told};
use uuid::Uuid;

use super::{
    rows::{ChannelRow, FoundRow, PostRow},
    schema::{channels, members, posts},
};
use crate::{
    act::Act,
    channel::{Channel, ChannelQuery, ChannelType, PostQuery},
    post::NewPost,
    store::some,
};

diesel::define_sql_function! {
    fn nextval(sequence: sql_types::Text) -> sql_types::BigInt;
}

/// The rows of two queries in one statement, so of one moment: each row is of the one or of the other, in no order.
#[derive(QueryId)]
pub(super) struct Both<A, B>(pub(super) A, pub(super) B);

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

/// Whether the channel is not deleted.
pub(super) fn is_there() -> SqlLiteral<sql_types::Bool> {
    sql("channels.deleted_at IS NULL")
}

/// Whether the viewer is a member of the channel.
#[auto_type]
pub(super) fn is_member(viewer: Option<Uuid>) -> _ {
    let of_channel = members::table.filter(members::channel_id.eq(channels::id));
    exists(of_channel.filter(members::user_id.nullable().eq(viewer)))
}

/// The same as `Channel::may_read`, which the contract tests hold it to.
#[auto_type]
pub(super) fn visible(viewer: Option<Uuid>) -> _ {
    let private: &'static str = ChannelType::Private.as_str();
    let is_there: SqlLiteral<sql_types::Bool> = is_there();
    let is_inside: is_member = is_member(viewer);
    let is_creator = channels::created_by.nullable().eq(viewer);
    is_there.and(channels::kind.ne(private).or(is_creator).or(is_inside))
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

/// The channel, whether `viewer` is a member, and one page of its posts, pinned first, then newest first; none where it does
/// not show to them, and none is read then: the question is one of the whole query ("One-Time Filter"), asked before its first row.
pub(super) async fn channel(
    connection: &mut AsyncPgConnection,
    viewer: Option<Uuid>,
    query: &PostQuery,
) -> QueryResult<(Option<FoundRow>, Vec<PostRow>)> {
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
    let channel = channel.filter(is_there()).select((channels::all_columns, is_member(viewer)));
    let rows: Vec<(Option<FoundRow>, Option<PostRow>)> = Both(channel, page).load(connection).await?;
    let (mut channel, mut posts) = (None, Vec::with_capacity(rows.len()));
    for (is_channel, is_post) in rows {
        channel = is_channel.or(channel);
        posts.extend(is_post);
    }
    posts.sort_unstable_by_key(|post| Reverse((post.is_pinned, post.created_at, post.id)));
    Ok((channel, posts))
}

/// The channel of an id, whether `author` is a member, and the id of the next post.
pub(super) async fn find_channel(
    connection: &mut AsyncPgConnection,
    id: i64,
    author: Uuid,
) -> QueryResult<Option<(ChannelRow, bool, i64)>> {
    let post = nextval("posts_id_seq");
    let channel = channels::table.find(id).filter(is_there());
    channel.select((channels::all_columns, is_member(Some(author)), post)).first(connection).await.optional()
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

/// Keeps a post under its id, and what is told of it, if its channel and who is a member there still are as in `channel`;
/// whether they were. A trigger updates the channel, whose row is locked from the first: what changes it in the meantime is
/// waited for, and seen.
pub(super) async fn insert_post(
    connection: &mut AsyncPgConnection,
    channel: &Channel,
    (id, act, post): (i64, &Act, &NewPost),
    message: Message,
) -> QueryResult<bool> {
    let insert = channels::table
        .find(channel.id)
        .filter(channels::version.eq(channel.version))
        .filter(is_there())
        .for_no_key_update()
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
            post.tags.as_slice().into_sql::<sql_types::Array<sql_types::Text>>(),
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
            posts::tags,
        ))
        .returning(posts::id);
    Ok(Told::new(insert, message).execute(connection).await? > 0)
}
