//! What a row is.

use chrono::{DateTime, Utc};
use diesel::{prelude::*, sqlite::Sqlite as Backend};

use super::{
    super::{Error, damaged},
    schema::{channels, members, posts},
};
use crate::{channel::Channel, member::Member, post::Post};

#[derive(Queryable, Selectable)]
#[diesel(table_name = channels, check_for_backend(Backend))]
pub(super) struct ChannelRow {
    id: i64,
    name: String,
    description: Option<String>,
    kind: String,
    zone: Option<String>,
    created_by: String,
    created_at: i64,
    updated_at: i64,
    version: i64,
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
            created_by: row.created_by.parse().map_err(damaged)?,
            created_at: moment(row.created_at)?,
            updated_at: moment(row.updated_at)?,
            version: row.version,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = members, check_for_backend(Backend))]
pub(super) struct MemberRow {
    channel_id: i64,
    user_id: String,
    added_by: String,
    added_at: i64,
}

impl TryFrom<MemberRow> for Member {
    type Error = Error;

    fn try_from(row: MemberRow) -> Result<Self, Error> {
        Ok(Self {
            channel_id: row.channel_id,
            user_id: row.user_id.parse().map_err(damaged)?,
            added_by: row.added_by.parse().map_err(damaged)?,
            added_at: moment(row.added_at)?,
        })
    }
}

#[derive(Queryable, Selectable)]
#[diesel(table_name = posts, check_for_backend(Backend))]
pub(super) struct PostRow {
    id: i64,
    channel_id: i64,
    author_id: String,
    title: Option<String>,
    content: String,
    topic: String,
    is_pinned: bool,
    created_at: i64,
    updated_at: i64,
    version: i64,
    tags: String,
}

impl TryFrom<PostRow> for Post {
    type Error = Error;

    fn try_from(row: PostRow) -> Result<Self, Error> {
        Ok(Self {
            id: row.id,
            channel_id: row.channel_id,
            author_id: row.author_id.parse().map_err(damaged)?,
            title: row.title.unwrap_or_default(),
            content: row.content,
            topic: row.topic.parse().map_err(damaged)?,
            is_pinned: row.is_pinned,
            tags: serde_json::from_str(&row.tags).map_err(damaged)?,
            created_at: moment(row.created_at)?,
            updated_at: moment(row.updated_at)?,
            version: row.version,
        })
    }
}

fn moment(micros: i64) -> Result<DateTime<Utc>, Error> {
    DateTime::from_timestamp_micros(micros).ok_or_else(|| Error::Failed("a time is out of range".into()))
}
