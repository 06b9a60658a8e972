//! Who may do what in a channel: the rules of access, all in this place. A store asks them inside its act.

use events::Audience;
use kernel::Error;
use proto::errors::{CHANNEL_ACCESS_DENIED, CHANNEL_NOT_FOUND, CREATORS_ONLY, VERSION_CONFLICT};
use serde::{Deserialize, Serialize};
use uuid::Uuid;

use super::{Channel, ChannelType};
use crate::act::Versions;

/// What somebody is to a channel.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Standing {
    Creator,
    Member,
    /// Anybody else, known or not.
    Stranger,
}

/// What a store has found: a channel, and whether who asks is one of its members.
pub type Found = (Channel, bool);

impl Channel {
    /// What `user` is to it. `None` is somebody unknown.
    pub fn standing(&self, user: Option<Uuid>, is_member: bool) -> Standing {
        match is_member {
            _ if user == Some(self.created_by) => Standing::Creator,
            true => Standing::Member,
            false => Standing::Stranger,
        }
    }

    /// Whether it shows, in lists and by its id.
    pub fn may_read(&self, standing: Standing) -> bool {
        self.kind != ChannelType::Private || standing != Standing::Stranger
    }

    /// Whether posts are taken.
    pub fn may_post(&self, standing: Standing) -> bool {
        self.kind == ChannelType::Public || standing != Standing::Stranger
    }

    /// Who may hear of it and of what is said in it: those who may read it.
    pub fn audience(&self) -> Audience {
        if self.may_read(Standing::Stranger) { Audience::All } else { Audience::Channel(self.id) }
    }
}

/// The channel, and what `user` is to it, where they may read it.
pub fn enter(found: Option<Found>, user: Option<Uuid>) -> Result<(Channel, Standing), ChannelError> {
    let (channel, is_member) = found.ok_or(ChannelError::NotFound)?;
    let standing = channel.standing(user, is_member);
    if channel.may_read(standing) { Ok((channel, standing)) } else { Err(ChannelError::AccessDenied) }
}

/// The channel, where `user` may change it and its members, and has seen what it is.
pub fn govern(found: Option<Found>, user: Uuid, versions: &Versions) -> Result<Channel, ChannelError> {
    let (channel, standing) = enter(found, Some(user))?;
    if standing != Standing::Creator {
        return Err(ChannelError::CreatorsOnly);
    }
    if versions.allow(channel.version) { Ok(channel) } else { Err(ChannelError::VersionConflict) }
}

/// Why a channel cannot be entered, or changed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum ChannelError {
    #[error("{}", CHANNEL_NOT_FOUND.meaning())]
    NotFound,
    #[error("{}", CHANNEL_ACCESS_DENIED.meaning())]
    AccessDenied,
    #[error("{}", CREATORS_ONLY.meaning())]
    CreatorsOnly,
    #[error("{}", VERSION_CONFLICT.meaning())]
    VersionConflict,
}

impl From<ChannelError> for Error {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::NotFound => CHANNEL_NOT_FOUND.into(),
            ChannelError::AccessDenied => CHANNEL_ACCESS_DENIED.into(),
            ChannelError::CreatorsOnly => CREATORS_ONLY.into(),
            ChannelError::VersionConflict => VERSION_CONFLICT.into(),
        }
    }
}

#[cfg(test)]
mod tests {
    use kernel::time;

    use super::*;

    const CREATOR: Uuid = Uuid::from_u128(1);
    const OTHER: Uuid = Uuid::from_u128(2);

    fn channel(kind: ChannelType) -> Channel {
        let (created_at, updated_at) = (time::now(), time::now());
        let (name, description, zone) = ("agora".to_owned(), String::new(), String::new());
        Channel { id: 1, name, description, kind, zone, created_by: CREATOR, created_at, updated_at, version: 3 }
    }

    #[test]
    fn access_is_as_the_contract_has_it() {
        // kind, a stranger reads, a stranger posts
        for (kind, reads, posts) in [
            (ChannelType::Public, true, true),
            (ChannelType::Private, false, false),
            (ChannelType::Sovereign, true, false),
        ] {
            let channel = channel(kind);
            for (user, is_member, inside) in [
                (Some(CREATOR), false, true),
                (Some(OTHER), true, true),
                (Some(OTHER), false, false),
                (None, false, false),
            ] {
                let standing = channel.standing(user, is_member);
                assert_eq!(channel.may_read(standing), inside || reads, "{kind:?} {standing:?}");
                assert_eq!(channel.may_post(standing), inside || posts, "{kind:?} {standing:?}");
            }
            assert_eq!(channel.audience(), if reads { Audience::All } else { Audience::Channel(1) }, "{kind:?}");
        }
    }

    #[test]
    fn only_its_creator_governs_a_channel_and_only_a_version_that_they_have_seen() {
        let any = Versions::default();
        assert_eq!(govern(None, CREATOR, &any), Err(ChannelError::NotFound));
        for (kind, user, is_member, refusal) in [
            (ChannelType::Private, OTHER, false, ChannelError::AccessDenied),
            (ChannelType::Private, OTHER, true, ChannelError::CreatorsOnly),
            (ChannelType::Public, OTHER, false, ChannelError::CreatorsOnly),
        ] {
            assert_eq!(govern(Some((channel(kind), is_member)), user, &any), Err(refusal), "{kind:?}");
        }
        let by_creator = |versions: &[i64]| {
            let found = Some((channel(ChannelType::Private), false));
            govern(found, CREATOR, &Versions(versions.to_vec())).map(|channel| channel.version)
        };
        assert_eq!(by_creator(&[]), Ok(3));
        assert_eq!(by_creator(&[2, 3]), Ok(3));
        assert_eq!(by_creator(&[2, 4]), Err(ChannelError::VersionConflict));
        assert_eq!(by_creator(&[0]), Err(ChannelError::VersionConflict));
    }
}
