//! What becomes of a post: its author changes it, or it is deleted.

use events::{
    Event,
    event::{self, Invalid},
};
use kernel::{Caller, Error, validate::Violations};
use proto::events::{PostDeleted, PostUpdated};
use runtime::{context::Context, trace};
use storage::outbox::Message;
use tracing::Instrument;
use uuid::Uuid;

use super::{CONTENT, Post, PostError, TITLE};
use crate::{
    act::{Act, Versions},
    channel::{
        Channel,
        access::{self, ChannelError, Found, Standing},
    },
    store::Store,
    topic::Topic,
};

/// What is to be another. What is `None` stays as it is.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Change {
    pub title: Option<String>,
    pub content: Option<String>,
    pub topic: Option<Topic>,
    pub is_pinned: Option<bool>,
    pub tags: Option<Vec<String>>,
}

impl Change {
    /// Trims and checks the texts as [`super::NewPost::new`] does; the tags are read already.
    pub fn new(
        title: Option<&str>,
        content: Option<&str>,
        topic: Option<Topic>,
        (is_pinned, tags): (Option<bool>, Option<Vec<String>>),
        violations: &mut Violations,
    ) -> Self {
        Self {
            title: title.map(|title| violations.text("title", title, TITLE)),
            content: content.map(|content| violations.text("content", content, CONTENT)),
            topic,
            is_pinned,
            tags,
        }
    }
}

/// A post in its channel, as a store has found them.
pub type FoundPost = (Post, Found);

/// The post and its channel, where `author` may make that change of it, and has seen what it is.
pub fn revise(
    found: Option<FoundPost>,
    author: Uuid,
    versions: &Versions,
    change: &Change,
) -> Result<(Post, Channel), PostError> {
    let (post, found) = found.ok_or(PostError::NotFound)?;
    let (channel, standing) = access::enter(Some(found), Some(author))?;
    if post.author_id != author {
        return Err(PostError::AuthorsOnly);
    }
    if !channel.may_post(standing) {
        return Err(ChannelError::AccessDenied.into());
    }
    if change.is_pinned.is_some_and(|pins| pins != post.is_pinned) && standing != Standing::Creator {
        return Err(PostError::PinDenied);
    }
    if versions.allow(post.version) { Ok((post, channel)) } else { Err(PostError::VersionConflict) }
}

/// The post and its channel, where `by` may delete it, and has seen what it is: its author, or the channel's creator.
pub fn retract(found: Option<FoundPost>, by: Uuid, versions: &Versions) -> Result<(Post, Channel), PostError> {
    let (post, found) = found.ok_or(PostError::NotFound)?;
    let (channel, standing) = access::enter(Some(found), Some(by))?;
    if post.author_id != by && standing != Standing::Creator {
        return Err(PostError::AuthorsOnly);
    }
    if versions.allow(post.version) { Ok((post, channel)) } else { Err(PostError::VersionConflict) }
}

impl Post {
    /// What it is after a change, and what is told of it; `None` where that is what it was.
    pub fn changed(&self, channel: &Channel, change: Change, act: &Act) -> Result<Option<(Self, Message)>, Invalid> {
        let Change { title, content, topic, is_pinned, tags } = change;
        let mut new = self.clone();
        new.title = title.unwrap_or(new.title);
        new.content = content.unwrap_or(new.content);
        new.topic = topic.unwrap_or(new.topic);
        new.is_pinned = is_pinned.unwrap_or(new.is_pinned);
        new.tags = tags.unwrap_or(new.tags);
        let changed: Vec<_> = [
            ("title", new.title != self.title),
            ("content", new.content != self.content),
            ("topic", new.topic != self.topic),
            ("isPinned", new.is_pinned != self.is_pinned),
            ("tags", new.tags != self.tags),
        ]
        .into_iter()
        .filter(|(_, is_changed)| *is_changed)
        .map(|(field, _)| field.to_owned())
        .collect();
        if changed.is_empty() {
            return Ok(None);
        }
        new.version += 1;
        new.updated_at = new.updated_at.max(act.at);
        let updated = PostUpdated {
            post_id: new.id,
            channel_id: new.channel_id,
            author_id: new.author_id.to_string(),
            title: new.title.clone(),
            excerpt: event::excerpt(&new.content),
            topic: new.topic.as_str().to_owned(),
            is_pinned: new.is_pinned,
            tags: new.tags.clone(),
            changed,
        };
        let version = new.version.unsigned_abs();
        let event = Event::new(new.id, version, channel.audience(), act.traceparent.clone(), &updated)?;
        Ok(Some((new, event.into_message()?)))
    }

    /// What is told of its end.
    pub fn deleted(&self, channel: &Channel, act: &Act) -> Result<Message, Invalid> {
        let deleted = PostDeleted {
            post_id: self.id,
            channel_id: self.channel_id,
            author_id: self.author_id.to_string(),
            deleted_by: act.by.to_string(),
        };
        let version = (self.version + 1).unsigned_abs();
        Event::new(self.id, version, channel.audience(), act.traceparent.clone(), &deleted)?.into_message()
    }
}

/// Changes a post of the caller's; every [`PostError`].
pub async fn update(
    store: &dyn Store,
    context: &Context<Caller>,
    (id, versions, change): (i64, Versions, Change),
) -> Result<Post, Error> {
    Ok(store
        .update_post(Act::new(context, None), id, versions, change)
        .instrument(trace::store(store.backend(), "posts.update"))
        .await??)
}

/// Deletes a post of the caller's or in a channel of theirs; every [`PostError`] but `PinDenied`.
pub async fn delete(
    store: &dyn Store,
    context: &Context<Caller>,
    (id, versions): (i64, Versions),
) -> Result<(), Error> {
    Ok(store
        .delete_post(Act::new(context, None), id, versions)
        .instrument(trace::store(store.backend(), "posts.delete"))
        .await??)
}
