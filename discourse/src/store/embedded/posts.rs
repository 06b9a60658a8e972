//! The statements about posts wherever they are.

use diesel::{
    dsl::sql,
    prelude::*,
    sql_types::{Bool, Text},
    sqlite::Sqlite as Backend,
};
use kernel::Page;
use storage::outbox::Message;
use uuid::Uuid;

use super::{
    super::{Error, damaged, some},
    queries::{self, name, tell, visible},
    rows::PostRow,
    schema::{channels, post_tags, posts},
};
use crate::post::{FoundPost, Post, search::PostFilter};

/// Tags as a row has them.
pub(super) fn json(tags: &[String]) -> Result<String, Error> {
    serde_json::to_string(tags).map_err(damaged)
}

/// One page of the posts that `viewer` may read, newest first, and how many there are on all pages.
pub(super) fn list(
    connection: &mut SqliteConnection,
    viewer: Option<Uuid>,
    filter: &PostFilter,
    page: Page,
) -> Result<(Vec<Post>, u64), Error> {
    let matching = || {
        let mut matching =
            posts::table.inner_join(channels::table).filter(visible(name(viewer))).into_boxed::<Backend>();
        if let Some(author) = filter.author {
            matching = matching.filter(posts::author_id.eq(author.to_string()));
        }
        if let Some(topic) = filter.topic {
            matching = matching.filter(posts::topic.eq(topic.as_str()));
        }
        if let Some(channel) = filter.channel_id {
            matching = matching.filter(posts::channel_id.eq(channel));
        }
        if let Some(tag) = &filter.tag {
            let of_tag = post_tags::table.filter(post_tags::tag.eq(tag)).select(post_tags::post_id);
            matching = matching.filter(posts::id.eq_any(of_tag));
        }
        if let Some(words) = &filter.words {
            let of_words = sql::<Bool>("posts.id IN (SELECT rowid FROM post_words WHERE post_words MATCH ");
            matching = matching.filter(of_words.bind::<Text, _>(words.quoted()).sql(")"));
        }
        matching
    };
    let total: i64 = matching().count().get_result(connection)?;
    let rows: Vec<PostRow> = matching()
        .order((posts::created_at.desc(), posts::id.desc()))
        .limit(page.limit.into())
        .offset(page.offset())
        .select(PostRow::as_select())
        .load(connection)?;
    let posts = rows.into_iter().map(Post::try_from).collect::<Result<_, _>>()?;
    Ok((posts, total.unsigned_abs()))
}

/// The post of an id in its channel, unless that is deleted, and whether `user` is a member there.
pub(super) fn find(connection: &mut SqliteConnection, id: i64, user: Option<Uuid>) -> Result<Option<FoundPost>, Error> {
    let row = posts::table.find(id).select(PostRow::as_select()).first(connection).optional()?;
    let Some(post) = row.map(Post::try_from).transpose()? else { return Ok(None) };
    let found = queries::find(connection, post.channel_id, user)?;
    Ok(found.map(|found| (post, found)))
}

/// Keeps what a post is now, and what is told of it.
pub(super) fn update(connection: &mut SqliteConnection, post: &Post, message: Message) -> Result<(), Error> {
    diesel::update(posts::table.find(post.id))
        .set((
            posts::title.eq(some(&post.title)),
            posts::content.eq(&post.content),
            posts::topic.eq(post.topic.as_str()),
            posts::is_pinned.eq(post.is_pinned),
            posts::tags.eq(json(&post.tags)?),
            posts::updated_at.eq(post.updated_at.timestamp_micros()),
            posts::version.eq(post.version),
        ))
        .execute(connection)?;
    Ok(tell(connection, message)?)
}

/// Removes a post, and keeps what is told of it.
pub(super) fn delete(connection: &mut SqliteConnection, id: i64, message: Message) -> Result<(), Error> {
    diesel::delete(posts::table.find(id)).execute(connection)?;
    Ok(tell(connection, message)?)
}
