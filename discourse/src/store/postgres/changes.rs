//! What changes what is there: each an act in one transaction, which locks the channel first. So whatever is done in one
//! channel, or to it, is done one after the other, and is asked about what it finds.

use diesel::{
    prelude::{ExpressionMethods, OptionalExtension, QueryDsl},
    sql_query,
    sql_types::{BigInt, Timestamptz},
};
use diesel_async::{AsyncPgConnection, RunQueryDsl};
use storage::{outbox::Message, postgres::append, sweep::BATCH};
use uuid::Uuid;

use super::{
    queries::{is_member, is_there},
    rows::{ChannelRow, MemberRow, PostRow},
    schema::{channels, members, posts},
};
use crate::{
    act::{Act, Versions},
    channel::{
        self, Channel,
        access::{self, ChannelError, Found},
    },
    member::{self, Member, MemberError},
    post::{self, FoundPost, Post, PostError},
    store::{Error, some},
};

/// The channel of an id and whether `user` is a member, as they are until the transaction ends.
async fn lock(connection: &mut AsyncPgConnection, id: i64, user: Uuid) -> Result<Option<Found>, Error> {
    let locked = channels::table.find(id).filter(is_there()).for_no_key_update().select(channels::all_columns);
    let Some(row) = locked.first::<ChannelRow>(connection).await.optional()? else { return Ok(None) };
    // Asked once the lock is there: a statement sees what was committed before it began.
    let is_member = channels::table.find(id).select(is_member(Some(user))).first(connection).await?;
    Ok(Some((row.try_into()?, is_member)))
}

/// The post of an id in its channel, as they are until the transaction ends.
async fn lock_post(connection: &mut AsyncPgConnection, id: i64, user: Uuid) -> Result<Option<FoundPost>, Error> {
    let channel = posts::table.find(id).select(posts::channel_id).first(connection).await.optional()?;
    let Some(channel) = channel else { return Ok(None) };
    let Some(found) = lock(connection, channel, user).await? else { return Ok(None) };
    let post: Option<PostRow> = posts::table.find(id).first(connection).await.optional()?;
    Ok(post.map(Post::try_from).transpose()?.map(|post| (post, found)))
}

async fn tell(connection: &mut AsyncPgConnection, message: Message) -> Result<(), Error> {
    Ok(append(connection, &[message]).await?)
}

pub(super) async fn update_channel(
    connection: &mut AsyncPgConnection,
    (act, id, versions): (&Act, i64, &Versions),
    change: channel::Change,
) -> Result<Result<Channel, ChannelError>, Error> {
    let channel = match access::govern(lock(connection, id, act.by).await?, act.by, versions) {
        Ok(channel) => channel,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some((changed, message)) = channel.changed(change, act)? else { return Ok(Ok(channel)) };
    diesel::update(channels::table.find(id))
        .set((
            channels::name.eq(&changed.name),
            channels::description.eq(some(&changed.description)),
            channels::kind.eq(changed.kind.as_str()),
            channels::zone.eq(some(&changed.zone)),
            channels::updated_at.eq(changed.updated_at),
            channels::version.eq(changed.version),
        ))
        .execute(connection)
        .await?;
    tell(connection, message).await?;
    Ok(Ok(changed))
}

pub(super) async fn delete_channel(
    connection: &mut AsyncPgConnection,
    (act, id, versions): (&Act, i64, &Versions),
) -> Result<Result<(), ChannelError>, Error> {
    let channel = match access::govern(lock(connection, id, act.by).await?, act.by, versions) {
        Ok(channel) => channel,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let delete = sql_query("UPDATE channels SET deleted_at = $1 WHERE id = $2");
    delete.bind::<Timestamptz, _>(act.at).bind::<BigInt, _>(id).execute(connection).await?;
    tell(connection, channel.deleted(act)?).await?;
    Ok(Ok(()))
}

pub(super) async fn add_member(
    connection: &mut AsyncPgConnection,
    (act, channel_id, user): (&Act, i64, Uuid),
) -> Result<Result<Member, MemberError>, Error> {
    let channel = match access::govern(lock(connection, channel_id, act.by).await?, act.by, &Versions::default()) {
        Ok(channel) => channel,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    let member: Option<MemberRow> = members::table.find((channel_id, user)).first(connection).await.optional()?;
    if let Some(member) = member {
        return Ok(Ok(member.into()));
    }
    let there: i64 = members::table.filter(members::channel_id.eq(channel_id)).count().get_result(connection).await?;
    let channel = match member::invite(channel, user, there.unsigned_abs()) {
        Ok(channel) => channel,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let (member, message) = Member::added(&channel, user, act)?;
    diesel::insert_into(members::table)
        .values((
            members::channel_id.eq(member.channel_id),
            members::user_id.eq(member.user_id),
            members::added_by.eq(member.added_by),
            members::added_at.eq(member.added_at),
        ))
        .execute(connection)
        .await?;
    raise(connection, channel, message).await?;
    Ok(Ok(member))
}

pub(super) async fn remove_member(
    connection: &mut AsyncPgConnection,
    (act, channel_id, user): (&Act, i64, Uuid),
) -> Result<Result<(), MemberError>, Error> {
    let channel = match member::dismiss(lock(connection, channel_id, act.by).await?, act.by, user) {
        Ok(channel) => channel,
        Err(refusal) => return Ok(Err(refusal.into())),
    };
    if diesel::delete(members::table.find((channel_id, user))).execute(connection).await? == 0 {
        return Ok(Err(MemberError::NotFound));
    }
    let message = Member::removed(&channel, user, act)?;
    raise(connection, channel, message).await?;
    Ok(Ok(()))
}

async fn raise(connection: &mut AsyncPgConnection, channel: Channel, message: Message) -> Result<(), Error> {
    let Channel { id, version, .. } = channel.raised();
    diesel::update(channels::table.find(id)).set(channels::version.eq(version)).execute(connection).await?;
    tell(connection, message).await
}

pub(super) async fn update_post(
    connection: &mut AsyncPgConnection,
    (act, id, versions): (&Act, i64, &Versions),
    change: post::Change,
) -> Result<Result<Post, PostError>, Error> {
    let found = lock_post(connection, id, act.by).await?;
    let (post, channel) = match post::revise(found, act.by, versions, &change) {
        Ok(both) => both,
        Err(refusal) => return Ok(Err(refusal)),
    };
    let Some((changed, message)) = post.changed(&channel, change, act)? else { return Ok(Ok(post)) };
    diesel::update(posts::table.find(id))
        .set((
            posts::title.eq(some(&changed.title)),
            posts::content.eq(&changed.content),
            posts::topic.eq(changed.topic.as_str()),
            posts::is_pinned.eq(changed.is_pinned),
            posts::tags.eq(&changed.tags),
            posts::updated_at.eq(changed.updated_at),
            posts::version.eq(changed.version),
        ))
        .execute(connection)
        .await?;
    tell(connection, message).await?;
    Ok(Ok(changed))
}

pub(super) async fn delete_post(
    connection: &mut AsyncPgConnection,
    (act, id, versions): (&Act, i64, &Versions),
) -> Result<Result<(), PostError>, Error> {
    let found = lock_post(connection, id, act.by).await?;
    let (post, channel) = match post::retract(found, act.by, versions) {
        Ok(both) => both,
        Err(refusal) => return Ok(Err(refusal)),
    };
    diesel::delete(posts::table.find(id)).execute(connection).await?;
    tell(connection, post.deleted(&channel, act)?).await?;
    Ok(Ok(()))
}

/// What is left of deleted channels: their posts, their members, themselves; each step takes what goes before it first.
const REMOVALS: [&str; 3] = [
    "DELETE FROM posts WHERE id IN
         (SELECT posts.id FROM posts JOIN channels ON channels.id = channel_id WHERE deleted_at IS NOT NULL LIMIT $1)",
    "DELETE FROM members WHERE (channel_id, user_id) IN
         (SELECT channel_id, user_id FROM members JOIN channels ON channels.id = channel_id
          WHERE deleted_at IS NOT NULL LIMIT $1)",
    "DELETE FROM channels WHERE id IN (SELECT id FROM channels WHERE deleted_at IS NOT NULL LIMIT $1)",
];

/// Removes so much of it at most.
pub(super) async fn remove_deleted(connection: &mut AsyncPgConnection) -> Result<usize, Error> {
    let mut left = BATCH;
    for removal in REMOVALS {
        left -= sql_query(removal).bind::<BigInt, _>(left as i64).execute(connection).await?;
        if left == 0 {
            break;
        }
    }
    Ok(BATCH - left)
}
