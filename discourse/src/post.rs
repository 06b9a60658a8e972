//! Posts. What becomes of them is `change`, how they are found [`search`].

use std::ops::RangeInclusive;

use chrono::{DateTime, Utc};
use events::{
    Event,
    event::{self, Invalid},
};
use kernel::{Caller, Error, validate::Violations};
use proto::{
    errors::{AUTHORS_ONLY, PIN_DENIED, POST_NOT_FOUND, VERSION_CONFLICT},
    events::PostCreated,
};
use runtime::{context::Context, trace};
use serde::{Deserialize, Serialize};
use storage::{
    idempotency::{Claim, Key},
    outbox::Message,
};
use tracing::Instrument;
use uuid::Uuid;

pub use self::change::{Change, FoundPost, delete, retract, revise, update};
use crate::{
    act::{Act, FIRST_VERSION, first_version},
    channel::{
        Channel,
        access::{ChannelError, Found, Standing},
    },
    store::Store,
    topic::{self, Topic},
};

mod change;
pub mod search;

/// Name of the RPC that makes one.
const CREATE: &str = "CreatePost";

/// Characters of each text.
const TITLE: RangeInclusive<usize> = 0..=500;
const CONTENT: RangeInclusive<usize> = 1..=20_000;

/// Something said in a channel.
#[derive(Clone, Debug, Deserialize, PartialEq, Eq, Serialize)]
pub struct Post {
    pub id: i64,
    pub channel_id: i64,
    pub author_id: Uuid,
    /// Empty where there is none.
    pub title: String,
    pub content: String,
    pub topic: Topic,
    pub is_pinned: bool,
    /// At most [`kernel::tags::MOST`], in the order given.
    #[serde(default)]
    pub tags: Vec<String>,
    pub created_at: DateTime<Utc>,
    pub updated_at: DateTime<Utc>,
    /// One more with each change.
    #[serde(default = "first_version")]
    pub version: i64,
}

/// A post to make, its limits checked.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct NewPost {
    pub channel_id: i64,
    pub title: String,
    pub content: String,
    pub topic: Topic,
    pub is_pinned: bool,
    // What had none before there were tags is still the same request to a key that comes again.
    #[serde(skip_serializing_if = "Vec::is_empty")]
    pub tags: Vec<String>,
}

impl NewPost {
    /// Trims and checks the texts: title up to 500 characters, content 1 to 20000; the tags are read already. Without a topic
    /// the words decide.
    pub fn new(
        channel_id: i64,
        title: &str,
        content: &str,
        topic: Option<Topic>,
        (is_pinned, tags): (bool, Vec<String>),
        violations: &mut Violations,
    ) -> Self {
        if channel_id < 1 {
            violations.add("channel_id", if channel_id == 0 { "is required" } else { "must be 1 or more" });
        }
        let title = violations.text("title", title, TITLE);
        let content = violations.text("content", content, CONTENT);
        let topic = topic.unwrap_or_else(|| topic::of(&title, &content));
        Self { channel_id, title, content, topic, is_pinned, tags }
    }

    /// The post that it is from now on.
    pub fn made(self, id: i64, act: &Act) -> Post {
        let Self { channel_id, title, content, topic, is_pinned, tags } = self;
        let (author_id, created_at, updated_at, version) = (act.by, act.at, act.at, FIRST_VERSION);
        Post { id, channel_id, author_id, title, content, topic, is_pinned, tags, created_at, updated_at, version }
    }

    /// What is told of it: to those who may read the channel.
    pub fn told(&self, id: i64, channel: &Channel, act: &Act) -> Result<Message, Invalid> {
        let created = PostCreated {
            post_id: id,
            channel_id: self.channel_id,
            author_id: act.by.to_string(),
            title: self.title.clone(),
            excerpt: event::excerpt(&self.content),
            topic: self.topic.as_str().to_owned(),
            is_pinned: self.is_pinned,
            tags: self.tags.clone(),
        };
        let (version, traceparent) = (FIRST_VERSION.unsigned_abs(), act.traceparent.clone());
        Event::new(id, version, channel.audience(), traceparent, &created)?.into_message()
    }
}

/// Why a post is refused, or is not shown or changed.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum PostError {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error("{}", PIN_DENIED.meaning())]
    PinDenied,
    #[error("{}", POST_NOT_FOUND.meaning())]
    NotFound,
    #[error("{}", AUTHORS_ONLY.meaning())]
    AuthorsOnly,
    #[error("{}", VERSION_CONFLICT.meaning())]
    VersionConflict,
}

impl From<PostError> for Error {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Channel(error) => error.into(),
            PostError::PinDenied => PIN_DENIED.into(),
            PostError::NotFound => POST_NOT_FOUND.into(),
            PostError::AuthorsOnly => AUTHORS_ONLY.into(),
            PostError::VersionConflict => VERSION_CONFLICT.into(),
        }
    }
}

/// The channel, where `author` may make `post` in it: what a store asks in the act that keeps the post.
pub fn permit(found: Option<Found>, author: Uuid, post: &NewPost) -> Result<Channel, PostError> {
    let (channel, is_member) = found.ok_or(ChannelError::NotFound)?;
    let standing = channel.standing(Some(author), is_member);
    if !channel.may_post(standing) {
        return Err(ChannelError::AccessDenied.into());
    }
    if post.is_pinned && standing != Standing::Creator {
        return Err(PostError::PinDenied);
    }
    Ok(channel)
}

/// Posts in the caller's name; `channel_not_found`, `channel_access_denied`, `pin_denied`. With a key, a retry ends as the first try did.
pub async fn create(
    store: &dyn Store,
    context: &Context<Caller>,
    (post, key): (NewPost, Option<Key>),
) -> Result<Post, Error> {
    let claim = key.map(|key| Claim::new(context.caller.id, CREATE, key, &post));
    Ok(store
        .create_post(Act::new(context, claim), post)
        .instrument(trace::store(store.backend(), "posts.create"))
        .await??)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn accepted(channel_id: i64, title: &str, content: &str) -> bool {
        let mut violations = Violations::default();
        NewPost::new(channel_id, title, content, None, (false, vec![]), &mut violations);
        violations.into_result().is_ok()
    }

    #[test]
    fn limits_hold_at_the_edge_and_one_past_it() {
        let ä = |count: usize| "ä".repeat(count);
        assert!(accepted(1, "", "c") && accepted(i64::MAX, &ä(500), &ä(20_000)));
        assert!(!accepted(0, "", "c") && !accepted(-1, "", "c"));
        assert!(!accepted(1, &ä(501), "c") && !accepted(1, "", &ä(20_001)) && !accepted(1, "", " \n"));
    }

    #[test]
    fn a_topic_that_is_given_stands() {
        let mut violations = Violations::default();
        let post = NewPost::new(1, "", "market prices", Some(Topic::Strategic), (false, vec![]), &mut violations);
        assert_eq!(post.topic, Topic::Strategic);
        let post = NewPost::new(1, "", "market prices", None, (false, vec![]), &mut violations);
        assert_eq!(post.topic, Topic::Economic);
    }
}
