//! Posts.

use chrono::{DateTime, Utc};
use events::{
    Event,
    event::{self, Invalid},
};
use kernel::{Caller, Error, validate::Violations};
use proto::{errors::PIN_DENIED, events::PostCreated};
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
    channel::{Channel, ChannelError},
    store::Store,
    topic::{self, Topic},
};

/// Name of the RPC that makes one.
const CREATE: &str = "CreatePost";

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
}

impl NewPost {
    /// Trims and checks the texts: title up to 500 characters, content 1 to 20000. Without a topic the words decide.
    pub fn new(
        channel_id: i64,
        title: &str,
        content: &str,
        topic: Option<Topic>,
        is_pinned: bool,
        violations: &mut Violations,
    ) -> Self {
        if channel_id < 1 {
            violations.add("channel_id", if channel_id == 0 { "is required" } else { "must be 1 or more" });
        }
        let title = violations.text("title", title, 0..=500);
        let content = violations.text("content", content, 1..=20_000);
        let topic = topic.unwrap_or_else(|| topic::of(&title, &content));
        Self { channel_id, title, content, topic, is_pinned }
    }

    /// The post that it is from now on.
    pub fn made(self, id: i64, act: &Act) -> Post {
        let Self { channel_id, title, content, topic, is_pinned } = self;
        let (author_id, at, version) = (act.by, act.at, FIRST_VERSION);
        Post { id, channel_id, author_id, title, content, topic, is_pinned, created_at: at, updated_at: at, version }
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
            tags: Vec::new(),
        };
        let (version, traceparent) = (FIRST_VERSION.unsigned_abs(), act.traceparent.clone());
        Event::new(id, version, channel.audience(), traceparent, &created)?.into_message()
    }
}

/// Why a post is refused.
#[derive(Clone, Copy, Debug, Deserialize, PartialEq, Eq, Serialize, thiserror::Error)]
pub enum PostError {
    #[error(transparent)]
    Channel(#[from] ChannelError),
    #[error("{}", PIN_DENIED.meaning())]
    PinDenied,
}

impl From<PostError> for Error {
    fn from(error: PostError) -> Self {
        match error {
            PostError::Channel(error) => error.into(),
            PostError::PinDenied => PIN_DENIED.into(),
        }
    }
}

/// The channel, where `author` may make `post` in it: what a store asks in the act that keeps the post.
pub fn permit(channel: Option<Channel>, author: Uuid, post: &NewPost) -> Result<Channel, PostError> {
    let channel = channel.ok_or(ChannelError::NotFound)?;
    if !channel.may_post(author) {
        return Err(ChannelError::AccessDenied.into());
    }
    if post.is_pinned && !channel.may_pin(author) {
        return Err(PostError::PinDenied);
    }
    Ok(channel)
}

/// Posts in the caller's name; every [`PostError`]. With a key, a retry ends as the first try did.
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
        NewPost::new(channel_id, title, content, None, false, &mut violations);
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
        let post = NewPost::new(1, "", "market prices", Some(Topic::Strategic), false, &mut violations);
        assert_eq!(post.topic, Topic::Strategic);
        let post = NewPost::new(1, "", "market prices", None, false, &mut violations);
        assert_eq!(post.topic, Topic::Economic);
    }
}
