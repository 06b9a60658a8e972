//! Channels, and who may do what in them.

use chrono::{DateTime, Utc};
use events::{
    Audience, Event,
    event::{self, Invalid},
};
use kernel::{Caller, Error, Page, PageInfo, validate::Violations};
pub use proto::discourse::words::ChannelType;
use proto::{
    errors::{CHANNEL_ACCESS_DENIED, CHANNEL_NOT_FOUND},
    events::ChannelCreated,
};
use runtime::{context::Context, trace};
use serde::{Deserialize, Serialize};
use storage::{
    idempotency::{Claim, Key},
    outbox::Message,
};
use tracing::Instrument;
use uuid::Uuid;

use crate::{
    act::{Act, FIRST_VERSION, first_version},
    post::Post,
    store::Store,
    topic::Topic,
};

/// Name of the RPC that opens one.
const CREATE: &str = "CreateChannel";

/// A place to argue in.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Channel {
    pub id: i64,
    pub name: String,
    /// Empty where there is none.
    pub description: String,
    pub kind: ChannelType,
    /// Empty where there is none.
    pub zone: String,
    pub created_by: Uuid,
    pub created_at: DateTime<Utc>,
    /// When it was last posted in, or opened.
    pub updated_at: DateTime<Utc>,
    /// One more with each change of the channel itself.
    #[serde(default = "first_version")]
    pub version: i64,
}

/// The rules of access, all in this place. `None` is somebody unknown.
impl Channel {
    /// Whether it shows to `viewer`, in lists and by its id.
    pub fn may_read(&self, viewer: Option<Uuid>) -> bool {
        self.kind != ChannelType::Private || self.is_creator(viewer)
    }

    /// Whether `author` may post.
    pub fn may_post(&self, author: Uuid) -> bool {
        self.kind == ChannelType::Public || self.is_creator(Some(author))
    }

    /// Whether `author` may pin posts.
    pub fn may_pin(&self, author: Uuid) -> bool {
        self.is_creator(Some(author))
    }

    /// Who may hear of it and of what is said in it: those who may read it.
    pub fn audience(&self) -> Audience {
        if self.may_read(None) { Audience::All } else { Audience::Channel(self.id) }
    }

    fn is_creator(&self, user: Option<Uuid>) -> bool {
        user == Some(self.created_by)
    }
}

/// The channel, where `viewer` may read it: what a store asks in the act that reads its posts.
pub fn admit(channel: Option<Channel>, viewer: Option<Uuid>) -> Result<Channel, ChannelError> {
    let channel = channel.ok_or(ChannelError::NotFound)?;
    if channel.may_read(viewer) { Ok(channel) } else { Err(ChannelError::AccessDenied) }
}

/// Why a channel cannot be entered.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum ChannelError {
    #[error("{}", CHANNEL_NOT_FOUND.meaning())]
    NotFound,
    #[error("{}", CHANNEL_ACCESS_DENIED.meaning())]
    AccessDenied,
}

impl From<ChannelError> for Error {
    fn from(error: ChannelError) -> Self {
        match error {
            ChannelError::NotFound => CHANNEL_NOT_FOUND.into(),
            ChannelError::AccessDenied => CHANNEL_ACCESS_DENIED.into(),
        }
    }
}

/// A channel to open, its limits checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewChannel {
    pub name: String,
    pub description: String,
    pub kind: ChannelType,
    pub zone: String,
}

impl NewChannel {
    /// Trims and checks the texts: name 1 to 255 characters, description up to 5000, zone up to 100.
    pub fn new(name: &str, description: &str, kind: ChannelType, zone: &str, violations: &mut Violations) -> Self {
        Self {
            name: violations.text("name", name, 1..=255),
            description: violations.text("description", description, 0..=5000),
            kind,
            zone: violations.text("zone", zone, 0..=100),
        }
    }

    /// The channel that it is from now on, and what is told of it.
    pub fn opened(self, id: i64, act: &Act) -> Result<(Channel, Message), Invalid> {
        let Self { name, description, kind, zone } = self;
        let (created_by, at, version) = (act.by, act.at, FIRST_VERSION);
        let channel =
            Channel { id, name, description, kind, zone, created_by, created_at: at, updated_at: at, version };
        let created = ChannelCreated {
            channel_id: id,
            name: channel.name.clone(),
            excerpt: event::excerpt(&channel.description),
            r#type: kind.as_str().to_owned(),
            zone: channel.zone.clone(),
            created_by: created_by.to_string(),
        };
        let event = Event::new(id, version.unsigned_abs(), channel.audience(), act.traceparent.clone(), &created)?;
        Ok((channel, event.into_message()?))
    }
}

/// Which channels to list.
#[derive(Clone, Debug)]
pub struct ChannelQuery {
    pub kind: Option<ChannelType>,
    /// To the letter.
    pub zone: Option<String>,
    pub created_by: Option<Uuid>,
    pub page: Page,
}

/// Which posts of which channel to read.
#[derive(Clone, Debug)]
pub struct PostQuery {
    pub channel_id: i64,
    pub topic: Option<Topic>,
    pub page: Page,
}

/// A page of channels.
#[derive(Debug)]
pub struct ChannelList {
    pub channels: Vec<Channel>,
    pub info: PageInfo,
}

/// A channel with a page of its posts.
#[derive(Debug)]
pub struct ChannelPage {
    pub channel: Channel,
    pub posts: Vec<Post>,
    pub info: PageInfo,
}

/// The channels of one page that the viewer may see, newest first.
pub async fn list(
    store: &dyn Store,
    context: &Context<Option<Caller>>,
    query: ChannelQuery,
) -> Result<ChannelList, Error> {
    let (channels, total) = store
        .list_channels(context.caller.as_ref().map(|viewer| viewer.id), &query)
        .instrument(trace::store(store.backend(), "channels.list"))
        .await?;
    Ok(ChannelList { channels, info: query.page.of(total) })
}

/// A channel and a page of its posts; every [`ChannelError`].
pub async fn read(
    store: &dyn Store,
    context: &Context<Option<Caller>>,
    query: PostQuery,
) -> Result<ChannelPage, Error> {
    let (channel, posts, total) = store
        .channel(context.caller.as_ref().map(|viewer| viewer.id), &query)
        .instrument(trace::store(store.backend(), "channels.get"))
        .await??;
    Ok(ChannelPage { channel, posts, info: query.page.of(total) })
}

/// Opens a channel in the caller's name. With a key, a retry is told of the channel that the first try opened.
pub async fn create(
    store: &dyn Store,
    context: &Context<Caller>,
    (channel, key): (NewChannel, Option<Key>),
) -> Result<Channel, Error> {
    let claim = key.map(|key| Claim::new(context.caller.id, CREATE, key, &channel));
    Ok(store
        .create_channel(Act::new(context, claim), channel)
        .instrument(trace::store(store.backend(), "channels.create"))
        .await?)
}

#[cfg(test)]
mod tests {
    use kernel::time;

    use super::*;

    #[test]
    fn access_is_as_the_contract_has_it() {
        let (creator, other) = (Uuid::from_u128(1), Uuid::from_u128(2));
        // kind, the other reads, the other posts
        for (kind, reads, posts) in [
            (ChannelType::Public, true, true),
            (ChannelType::Private, false, false),
            (ChannelType::Sovereign, true, false),
        ] {
            let channel = Channel {
                id: 1,
                name: "agora".to_owned(),
                description: String::new(),
                kind,
                zone: String::new(),
                created_by: creator,
                created_at: time::now(),
                updated_at: time::now(),
                version: FIRST_VERSION,
            };
            assert!(channel.may_read(Some(creator)) && channel.may_post(creator) && channel.may_pin(creator));
            assert_eq!(channel.may_read(Some(other)), reads, "{kind:?}");
            assert_eq!(channel.may_read(None), reads, "{kind:?}");
            assert_eq!(channel.may_post(other), posts, "{kind:?}");
            assert!(!channel.may_pin(other), "{kind:?}");
            assert_eq!(channel.audience(), if reads { Audience::All } else { Audience::Channel(1) }, "{kind:?}");
        }
    }

    fn accepted(name: &str, description: &str, zone: &str) -> bool {
        let mut violations = Violations::default();
        NewChannel::new(name, description, ChannelType::Public, zone, &mut violations);
        violations.into_result().is_ok()
    }

    #[test]
    fn limits_hold_at_the_edge_and_one_past_it() {
        let ä = |count: usize| "ä".repeat(count);
        assert!(accepted("n", "", "") && accepted(&ä(255), &ä(5000), &ä(100)));
        assert!(!accepted(" ", "", "") && !accepted(&ä(256), "", ""));
        assert!(!accepted("n", &ä(5001), "") && !accepted("n", "", &ä(101)));
    }
}
