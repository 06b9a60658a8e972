//! What a row is.

use chrono::{DateTime, Utc};
use diesel::prelude::Queryable;
use uuid::Uuid;

use crate::{
    channel::Channel,
    member::Member,
    post::Post,
    store::{Error, damaged},
    topic::Topic,
};

#[derive(Queryable)]
pub(super) struct ChannelRow {
    pub(super) id: i64,
    name: String,
    description: Option<String>,
    kind: String,
    zone: Option<String>,
    created_by: Uuid,
    pub(super) created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    economic_posts: i64,
    philosophical_posts: i64,
    strategic_posts: i64,
    general_posts: i64,
    version: i64,
}

/// A channel, and whether who asks is a member.
pub(super) type FoundRow = (ChannelRow, bool);

impl ChannelRow {
    /// How many posts the channel has, of one topic or of all.
    pub(super) fn posts(&self, topic: Option<Topic>) -> u64 {
        let posts = match topic {
            Some(Topic::Economic) => self.economic_posts,
            Some(Topic::Philosophical) => self.philosophical_posts,
            Some(Topic::Strategic) => self.strategic_posts,
            Some(Topic::General) => self.general_posts,
            None => self.economic_posts + self.philosophical_posts + self.strategic_posts + self.general_posts,
        };
        posts.unsigned_abs()
    }
}

impl TryFrom<ChannelRow> for Channel {
    type Error = Error;

    fn try_from(row: ChannelRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            name: row.name,
            description: row.description.unwrap_or_default(),
            kind: row.kind.parse().map_err(damaged)?,
            zone: row.zone.unwrap_or_default(),
            created_by: row.created_by,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

#[derive(Queryable)]
pub(super) struct PostRow {
    pub(super) id: i64,
    channel_id: i64,
    author_id: Uuid,
    title: Option<String>,
    content: String,
    topic: String,
    pub(super) is_pinned: bool,
    pub(super) created_at: DateTime<Utc>,
    updated_at: DateTime<Utc>,
    version: i64,
    tags: Vec<String>,
}

impl TryFrom<PostRow> for Post {
    type Error = Error;

    fn try_from(row: PostRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            channel_id: row.channel_id,
            author_id: row.author_id,
            title: row.title.unwrap_or_default(),
            content: row.content,
            topic: row.topic.parse().map_err(damaged)?,
            is_pinned: row.is_pinned,
            tags: row.tags,
            created_at: row.created_at,
            updated_at: row.updated_at,
            version: row.version,
        })
    }
}

#[derive(Queryable)]
pub(super) struct MemberRow {
    channel_id: i64,
    user_id: Uuid,
    added_by: Uuid,
    added_at: DateTime<Utc>,
}

impl From<MemberRow> for Member {
    fn from(MemberRow { channel_id, user_id, added_by, added_at }: MemberRow) -> Self {
        Self { channel_id, user_id, added_by, added_at }
    }
}
