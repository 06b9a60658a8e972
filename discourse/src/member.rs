//! Members: whom the creator of a private or sovereign channel has let in.

use chrono::{DateTime, Utc};
use events::event::Invalid;
use kernel::{Caller, Error, Page, PageInfo};
use proto::{
    errors::{MEMBER_NOT_FOUND, MEMBERSHIP_NOT_NEEDED, TOO_MANY_MEMBERS},
    events::{MemberAdded, MemberRemoved},
};
use runtime::{context::Context, trace};
use storage::outbox::Message;
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    act::Act,
    channel::{
        Channel, ChannelType,
        access::{self, ChannelError, Found, Standing},
    },
    store::Store,
};

/// That a channel has at most: it is deleted with them in one act.
pub const MOST: u64 = 500;

/// Somebody who was let into a channel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Member {
    pub channel_id: i64,
    pub user_id: Uuid,
    pub added_by: Uuid,
    pub added_at: DateTime<Utc>,
}

/// Which members of which channel to list.
#[derive(Clone, Debug)]
pub struct MemberQuery {
    pub channel_id: i64,
    pub page: Page,
}

/// A page of members.
#[derive(Debug)]
pub struct MemberList {
    pub members: Vec<Member>,
    pub info: PageInfo,
}

/// Why a member is not shown, added or removed.
#[derive(Clone, Copy, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MemberError {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error("{}", MEMBER_NOT_FOUND.meaning())]
    NotFound,
    #[error("{}", MEMBERSHIP_NOT_NEEDED.meaning())]
    NotNeeded,
    #[error("{}", TOO_MANY_MEMBERS.meaning())]
    TooMany,
}

impl From<MemberError> for Error {
    fn from(error: MemberError) -> Self {
        match error {
            MemberError::Channel(error) => error.into(),
            MemberError::NotFound => MEMBER_NOT_FOUND.into(),
            MemberError::NotNeeded => MEMBERSHIP_NOT_NEEDED.into(),
            MemberError::TooMany => TOO_MANY_MEMBERS.into(),
        }
    }
}

/// Whether `viewer` is shown who the members are: those who are inside are.
pub fn show(found: Option<Found>, viewer: Uuid) -> Result<(), ChannelError> {
    match access::enter(found, Some(viewer))? {
        (_, Standing::Stranger) => Err(ChannelError::AccessDenied),
        _ => Ok(()),
    }
}

/// Its creator's channel, where they may let `user` in, who is not a member; `members` are.
pub fn invite(channel: Channel, user: Uuid, members: u64) -> Result<Channel, MemberError> {
    if channel.kind == ChannelType::Public || user == channel.created_by {
        return Err(MemberError::NotNeeded);
    }
    if members >= MOST { Err(MemberError::TooMany) } else { Ok(channel) }
}

/// The channel, where `by` may take the membership of `user` away: of anybody its creator, their own a member.
pub fn dismiss(found: Option<Found>, by: Uuid, user: Uuid) -> Result<Channel, ChannelError> {
    let (channel, standing) = access::enter(found, Some(by))?;
    if standing == Standing::Creator || by == user { Ok(channel) } else { Err(ChannelError::CreatorsOnly) }
}

impl Member {
    /// Whom `act` lets into `channel`, and what is told of it.
    pub fn added(channel: &Channel, user_id: Uuid, act: &Act) -> Result<(Self, Message), Invalid> {
        let (user, by) = (user_id.to_string(), act.by.to_string());
        let added = MemberAdded { channel_id: channel.id, user_id: user, added_by: by };
        let message = channel.told_to_members(act, &added)?;
        Ok((Self { channel_id: channel.id, user_id, added_by: act.by, added_at: act.at }, message))
    }

    /// What is told where `act` takes the membership of `user` away.
    pub fn removed(channel: &Channel, user: Uuid, act: &Act) -> Result<Message, Invalid> {
        let (user_id, removed_by) = (user.to_string(), act.by.to_string());
        channel.told_to_members(act, &MemberRemoved { channel_id: channel.id, user_id, removed_by })
    }
}

/// Lets somebody into a channel of the caller's, or leaves them in it; every [`MemberError`] but `NotFound`.
pub async fn add(
    store: &dyn Store,
    context: &Context<Caller>,
    (channel_id, user): (i64, Uuid),
) -> Result<Member, Error> {
    Ok(store
        .add_member(Act::new(context, None), channel_id, user)
        .instrument(trace::store(store.backend(), "members.add"))
        .await??)
}

/// Takes a membership away.
pub async fn remove(
    store: &dyn Store,
    context: &Context<Caller>,
    (channel_id, user): (i64, Uuid),
) -> Result<(), Error> {
    Ok(store
        .remove_member(Act::new(context, None), channel_id, user)
        .instrument(trace::store(store.backend(), "members.remove"))
        .await??)
}

/// One member of a channel that the caller is in.
pub async fn read(
    store: &dyn Store,
    context: &Context<Caller>,
    (channel_id, user): (i64, Uuid),
) -> Result<Member, Error> {
    Ok(store
        .member(context.caller.id, channel_id, user)
        .instrument(trace::store(store.backend(), "members.get"))
        .await??)
}

/// A page of the members of a channel that the caller is in, newest first.
pub async fn list(store: &dyn Store, context: &Context<Caller>, query: MemberQuery) -> Result<MemberList, Error> {
    let (members, total) = store
        .list_members(context.caller.id, &query)
        .instrument(trace::store(store.backend(), "members.list"))
        .await??;
    Ok(MemberList { members, info: query.page.of(total) })
}
