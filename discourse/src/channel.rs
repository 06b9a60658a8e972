//! Channels. Who may do what in them is [`access`]; what becomes of them `change`.

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use events::{
    Audience, Data, Event,
    event::{self, Invalid},
};
use kernel::{Caller, Error, Page, PageInfo, validate::Violations};
pub use proto::discourse::words::ChannelType;
use proto::events::ChannelCreated;
use runtime::{context::Context, trace};
use serde::{Deserialize, Serialize};
use storage::{
    idempotency::{Claim, Key},
    outbox::Message,
};
use tracing::Instrument;
use uuid::Uuid;

pub use self::change::{Change, delete, update};
use crate::{
    act::{Act, FIRST_VERSION, first_version},
    post::Post,
    store::Store,
    topic::Topic,
};

pub mod access;
mod change;

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
    /// When it was last changed or posted in, or opened.
    pub updated_at: DateTime<Utc>,
    /// One more with each change of the channel itself or of its members.
    #[serde(default = "first_version")]
    pub version: i64,
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
    /// Characters of each text.
    const NAME: RangeInclusive<usize> = 1..=255;
    const DESCRIPTION: RangeInclusive<usize> = 0..=5000;
    const ZONE: RangeInclusive<usize> = 0..=100;

    /// Trims and checks the texts: name 1 to 255 characters, description up to 5000, zone up to 100.
    pub fn new(name: &str, description: &str, kind: ChannelType, zone: &str, violations: &mut Violations) -> Self {
        Self {
            name: violations.text("name", name, Self::NAME),
            description: violations.text("description", description, Self::DESCRIPTION),
            kind,
            zone: violations.text("zone", zone, Self::ZONE),
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
        let message = channel.told(version, act, &created)?;
        Ok((channel, message))
    }
}

impl Channel {
    /// The same with the version that it has after the next change.
    #[must_use]
    pub(crate) fn raised(self) -> Self {
        Self { version: self.version + 1, ..self }
    }

    /// What happened to it and gave it this version: to those who may read it.
    pub(crate) fn told<D: Data>(&self, version: i64, act: &Act, data: &D) -> Result<Message, Invalid> {
        Event::new(self.id, version.unsigned_abs(), self.audience(), act.traceparent.clone(), data)?.into_message()
    }

    /// What happened to its members and gives it its next version: to those who are inside.
    pub(crate) fn told_to_members<D: Data>(&self, act: &Act, data: &D) -> Result<Message, Invalid> {
        let version = (self.version + 1).unsigned_abs();
        Event::new(self.id, version, Audience::Channel(self.id), act.traceparent.clone(), data)?.into_message()
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

/// A channel and a page of its posts; `channel_not_found`, `channel_access_denied`.
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
    use super::*;

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
