//! The statements about posts wherever they are, and about members.

use std::cmp::Reverse;

use diesel::{
    PgArrayExpressionMethods,
    dsl::sql,
    pg::Pg,
    prelude::{ExpressionMethods, OptionalExtension, QueryDsl},
    result::QueryResult,
    sql_types::{Bool, Text},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use kernel::Page;
use uuid::Uuid;

use super::{
    queries::{Both, is_member, is_there, visible},
    rows::{ChannelRow, MemberRow, PostRow},
    schema::{channels, members, posts},
};
use crate::{
    channel::{Channel, access::Found},
    member::MemberQuery,
    post::search::PostFilter,
    store::Error,
};

/// The posts of one page that `viewer` may read, newest first, and how many there are on all pages.
pub(super) async fn list_posts(
    connection: &mut AsyncPgConnection,
    viewer: Option<Uuid>,
    filter: &PostFilter,
    page: Page,
) -> QueryResult<(Vec<PostRow>, i64)> {
    let matching = || {
        let mut matching = posts::table.inner_join(channels::table).filter(visible(viewer)).into_boxed::<Pg>();
        if let Some(author) = filter.author {
            matching = matching.filter(posts::author_id.eq(author));
        }
        if let Some(topic) = filter.topic {
            matching = matching.filter(posts::topic.eq(topic.as_str()));
        }
        if let Some(channel) = filter.channel_id {
            matching = matching.filter(posts::channel_id.eq(channel));
        }
        if let Some(tag) = &filter.tag {
            matching = matching.filter(posts::tags.contains(vec![tag]));
        }
        if let Some(words) = &filter.words {
            let of_words = sql::<Bool>("posts.words @@ plainto_tsquery('simple', ");
            matching = matching.filter(of_words.bind::<Text, _>(words.spaced()).sql(")"));
        }
        matching
    };
    let newest = matching()
        .order((posts::created_at.desc(), posts::id.desc()))
        .limit(page.limit.into())
        .offset(page.offset())
        .select(posts::all_columns);
    let rows: Vec<(Option<i64>, Option<PostRow>)> = Both(matching().count(), newest).load(connection).await?;
    let total = rows.iter().find_map(|(total, _)| *total).unwrap_or_default();
    let mut posts: Vec<_> = rows.into_iter().filter_map(|(_, post)| post).collect();
    posts.sort_unstable_by_key(|post| Reverse((post.created_at, post.id)));
    Ok((posts, total))
}

/// The post of an id in its channel, unless that is deleted, and whether `viewer` is a member there.
pub(super) async fn find_post(
    connection: &mut AsyncPgConnection,
    id: i64,
    viewer: Option<Uuid>,
) -> QueryResult<Option<(PostRow, ChannelRow, bool)>> {
    let post = posts::table.inner_join(channels::table).filter(posts::id.eq(id)).filter(is_there());
    post.select((posts::all_columns, channels::all_columns, is_member(viewer))).first(connection).await.optional()
}

/// The channel of an id, and whether `viewer` is a member.
pub(super) async fn find_channel(
    connection: &mut AsyncPgConnection,
    id: i64,
    viewer: Uuid,
) -> Result<Option<Found>, Error> {
    let channel = channels::table.find(id).filter(is_there());
    let channel =
        channel.select((channels::all_columns, is_member(Some(viewer)))).first(connection).await.optional()?;
    channel.map(|(row, is_member): (ChannelRow, bool)| Ok((Channel::try_from(row)?, is_member))).transpose()
}

/// One page of the members of a channel, newest first, and how many there are on all pages.
pub(super) async fn list_members(
    connection: &mut AsyncPgConnection,
    query: &MemberQuery,
) -> QueryResult<(Vec<MemberRow>, i64)> {
    let of_channel = members::table.filter(members::channel_id.eq(query.channel_id));
    let newest = of_channel
        .order((members::added_at.desc(), members::user_id.desc()))
        .limit(query.page.limit.into())
        .offset(query.page.offset());
    Ok((newest.load(connection).await?, of_channel.count().get_result(connection).await?))
}

pub(super) async fn find_member(
    connection: &mut AsyncPgConnection,
    channel: i64,
    user: Uuid,
) -> QueryResult<Option<MemberRow>> {
    members::table.find((channel, user)).first(connection).await.optional()
}
