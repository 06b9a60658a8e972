//! The statements about members.

use diesel::prelude::*;
use storage::{outbox::Message, sweep::BATCH};
use uuid::Uuid;

use super::{
    super::Error,
    queries::tell,
    rows::MemberRow,
    schema::{channels, members, post_totals, posts},
};
use crate::{
    channel::Channel,
    member::{Member, MemberQuery},
};

/// One page of the members of a channel, newest first, and how many there are on all pages.
pub(super) fn list(connection: &mut SqliteConnection, query: &MemberQuery) -> Result<(Vec<Member>, u64), Error> {
    let rows: Vec<MemberRow> = members::table
        .filter(members::channel_id.eq(query.channel_id))
        .order((members::added_at.desc(), members::user_id.desc()))
        .limit(query.page.limit.into())
        .offset(query.page.offset())
        .select(MemberRow::as_select())
        .load(connection)?;
    let members = rows.into_iter().map(Member::try_from).collect::<Result<_, _>>()?;
    Ok((members, count(connection, query.channel_id)?))
}

pub(super) fn count(connection: &mut SqliteConnection, channel: i64) -> Result<u64, Error> {
    let members = members::table.filter(members::channel_id.eq(channel)).count();
    Ok(members.get_result::<i64>(connection)?.unsigned_abs())
}

pub(super) fn find(connection: &mut SqliteConnection, channel: i64, user: Uuid) -> Result<Option<Member>, Error> {
    let row = members::table.find((channel, user.to_string())).select(MemberRow::as_select());
    row.first(connection).optional()?.map(Member::try_from).transpose()
}

/// Keeps a member, and what is told of them.
pub(super) fn insert(
    connection: &mut SqliteConnection,
    channel: Channel,
    member: &Member,
    message: Message,
) -> Result<(), Error> {
    diesel::insert_into(members::table)
        .values((
            members::channel_id.eq(member.channel_id),
            members::user_id.eq(member.user_id.to_string()),
            members::added_by.eq(member.added_by.to_string()),
            members::added_at.eq(member.added_at.timestamp_micros()),
        ))
        .execute(connection)?;
    raise(connection, channel, message)
}

/// Takes a membership away where there is one, and keeps what is told of that; whether there was.
pub(super) fn delete(
    connection: &mut SqliteConnection,
    channel: Channel,
    user: Uuid,
    message: Message,
) -> Result<bool, Error> {
    if diesel::delete(members::table.find((channel.id, user.to_string()))).execute(connection)? == 0 {
        return Ok(false);
    }
    raise(connection, channel, message)?;
    Ok(true)
}

fn raise(connection: &mut SqliteConnection, channel: Channel, message: Message) -> Result<(), Error> {
    let Channel { id, version, .. } = channel.raised();
    diesel::update(channels::table.find(id)).set(channels::version.eq(version)).execute(connection)?;
    Ok(tell(connection, message)?)
}

/// Removes what is left of deleted channels, so much at most: their posts, their members, themselves.
pub(super) fn remove_deleted(connection: &mut SqliteConnection) -> Result<usize, Error> {
    let deleted = || channels::table.filter(channels::deleted_at.is_not_null()).select(channels::id);
    let mut left = BATCH;
    let some_posts = posts::table.filter(posts::channel_id.eq_any(deleted())).select(posts::id).limit(left as i64);
    let some_posts: Vec<i64> = some_posts.load(connection)?;
    left -= diesel::delete(posts::table.filter(posts::id.eq_any(some_posts))).execute(connection)?;
    for id in deleted().limit(left as i64).load::<i64>(connection)? {
        let some = members::table.filter(members::channel_id.eq(id)).select(members::user_id).limit(left as i64);
        let some: Vec<String> = some.load(connection)?;
        let of_channel = members::table.filter(members::channel_id.eq(id)).filter(members::user_id.eq_any(some));
        left -= diesel::delete(of_channel).execute(connection)?;
        if left > 0 {
            diesel::delete(post_totals::table.filter(post_totals::channel_id.eq(id))).execute(connection)?;
            left -= diesel::delete(channels::table.find(id)).execute(connection)?;
        }
    }
    Ok(BATCH - left)
}
