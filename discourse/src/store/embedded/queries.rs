//! The statements about channels, and about what is posted in one.

use diesel::{
    dsl::{auto_type, exists},
    prelude::*,
    sqlite::Sqlite as Backend,
};
use storage::{outbox::Message, sql::immediately, sqlite};
use uuid::Uuid;

use super::{
    super::{Error, PostPage, some},
    posts::json,
    rows::{ChannelRow, PostRow},
    schema::{channels, members, post_totals, posts},
};
use crate::{
    act::Act,
    channel::{
        Channel, ChannelQuery, ChannelType, NewChannel, PostQuery,
        access::{self, ChannelError, Found},
    },
    post::{NewPost, Post},
};

/// Who looks, as rows name them. Nobody has created a channel, or is a member of one, under an empty id.
pub(super) fn name(viewer: Option<Uuid>) -> String {
    viewer.map(|viewer| viewer.to_string()).unwrap_or_default()
}

/// Whether the viewer is a member of the channel.
#[auto_type]
fn is_member(viewer: String) -> _ {
    exists(members::table.filter(members::channel_id.eq(channels::id)).filter(members::user_id.eq(viewer)))
}

/// The same as `Channel::may_read`, which the contract tests hold it to.
#[auto_type]
pub(super) fn visible(viewer: String) -> _ {
    let private: &'static str = ChannelType::Private.as_str();
    let is_inside: is_member = is_member(viewer.clone());
    let is_open = channels::kind.ne(private);
    channels::deleted_at.is_null().and(is_open.or(channels::created_by.eq(viewer)).or(is_inside))
}

/// The channels of one page, newest first, and how many there are on all pages.
pub(super) fn list(
    connection: &mut SqliteConnection,
    viewer: Option<Uuid>,
    query: &ChannelQuery,
) -> Result<(Vec<Channel>, u64), Error> {
    let matching = || {
        let mut channels = channels::table.filter(visible(name(viewer))).into_boxed::<Backend>();
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

/// The channel of an id, unless it is deleted, and whether `user` is a member.
pub(super) fn find(connection: &mut SqliteConnection, id: i64, user: Option<Uuid>) -> Result<Option<Found>, Error> {
    let row: Option<(ChannelRow, bool)> = channels::table
        .find(id)
        .filter(channels::deleted_at.is_null())
        .select((ChannelRow::as_select(), is_member(name(user))))
        .first(connection)
        .optional()?;
    row.map(|(row, is_member)| Ok((Channel::try_from(row)?, is_member))).transpose()
}

/// A channel and one page of its posts, where `viewer` may read it.
pub(super) fn page(
    connection: &mut SqliteConnection,
    viewer: Option<Uuid>,
    query: &PostQuery,
) -> Result<Result<PostPage, ChannelError>, Error> {
    let channel = match access::enter(find(connection, query.channel_id, viewer)?, viewer) {
        Ok((channel, _)) => channel,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (posts, total) = posts_of(connection, query)?;
    Ok(Ok((channel, posts, total)))
}

/// One page of the posts of a channel, pinned first, then newest first, and how many there are on all pages.
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

/// Keeps a new channel, and what is told of it.
pub(super) fn insert_channel(
    connection: &mut SqliteConnection,
    act: &Act,
    channel: NewChannel,
) -> Result<Channel, Error> {
    let at = act.at.timestamp_micros();
    let id = diesel::insert_into(channels::table)
        .values((
            channels::name.eq(&channel.name),
            channels::description.eq(some(&channel.description)),
            channels::kind.eq(channel.kind.as_str()),
            channels::zone.eq(some(&channel.zone)),
            channels::created_by.eq(act.by.to_string()),
            channels::created_at.eq(at),
            channels::updated_at.eq(at),
        ))
        .returning(channels::id)
        .get_result(connection)?;
    let (channel, message) = channel.opened(id, act)?;
    tell(connection, message)?;
    Ok(channel)
}

/// Keeps what a channel is now, and what is told of it.
pub(super) fn update_channel(
    connection: &mut SqliteConnection,
    channel: &Channel,
    message: Message,
) -> Result<(), Error> {
    diesel::update(channels::table.find(channel.id))
        .set((
            channels::name.eq(&channel.name),
            channels::description.eq(some(&channel.description)),
            channels::kind.eq(channel.kind.as_str()),
            channels::zone.eq(some(&channel.zone)),
            channels::updated_at.eq(channel.updated_at.timestamp_micros()),
            channels::version.eq(channel.version),
        ))
        .execute(connection)?;
    Ok(tell(connection, message)?)
}

/// Marks a channel as deleted, and keeps what is told of it.
pub(super) fn delete_channel(
    connection: &mut SqliteConnection,
    id: i64,
    act: &Act,
    message: Message,
) -> Result<(), Error> {
    let deleted = channels::deleted_at.eq(act.at.timestamp_micros());
    diesel::update(channels::table.find(id)).set(deleted).execute(connection)?;
    Ok(tell(connection, message)?)
}

/// Keeps a post, and what is told of it, and marks its channel as updated.
pub(super) fn insert_post(
    connection: &mut SqliteConnection,
    act: &Act,
    channel: &Channel,
    post: NewPost,
) -> Result<Post, Error> {
    let at = act.at.timestamp_micros();
    let id = diesel::insert_into(posts::table)
        .values((
            posts::channel_id.eq(post.channel_id),
            posts::author_id.eq(act.by.to_string()),
            posts::title.eq(some(&post.title)),
            posts::content.eq(&post.content),
            posts::topic.eq(post.topic.as_str()),
            posts::is_pinned.eq(post.is_pinned),
            posts::created_at.eq(at),
            posts::updated_at.eq(at),
            posts::tags.eq(json(&post.tags)?),
        ))
        .returning(posts::id)
        .get_result(connection)?;
    diesel::update(channels::table.find(post.channel_id)).set(channels::updated_at.eq(at)).execute(connection)?;
    tell(connection, post.told(id, channel, act)?)?;
    Ok(post.made(id, act))
}

pub(super) fn tell(connection: &mut SqliteConnection, message: Message) -> QueryResult<()> {
    immediately(sqlite::append(connection, &[message]))
}
