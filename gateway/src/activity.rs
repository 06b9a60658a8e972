//! What happened, as clients are shown it: in lists, in notifications, and live.

use chrono::{DateTime, Utc};
use proto::feed as rpc;
use serde::Serialize;
use serde_json::value::RawValue;
use utoipa::ToSchema;

use crate::{
    error::Problem,
    time::{self, moment},
};

/// Something that happened.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Activity {
    /// UUID of the event.
    #[schema(format = Uuid, example = "0199a7c4-8f21-7b3e-9d05-00000000e7e4")]
    id: String,
    /// Its number among all that is for all; missing where it is not.
    #[serde(skip_serializing_if = "Option::is_none")]
    #[schema(example = 17)]
    number: Option<u64>,
    /// Of event: docs/events.md has them all.
    #[serde(rename = "type")]
    #[schema(example = "post.created")]
    pub(crate) kind: String,
    /// Who tells it.
    #[schema(example = "/discourse")]
    source: String,
    /// The id of the thing that it happened to.
    #[schema(example = "12")]
    subject: String,
    /// Of the thing, since then.
    #[schema(example = 1)]
    version: u64,
    #[serde(serialize_with = "time::rfc3339")]
    time: DateTime<Utc>,
    /// As the type has it: docs/events.md.
    #[schema(value_type = Object, example = json!({"postId": "12", "channelId": "7", "authorId": "5e9b3c1a-7d55-4c6b-9a1a-2f0f7b0a8f11", "title": "On value", "excerpt": "The market sets the price.", "topic": "economic"}))]
    data: Box<RawValue>,
    /// It is shown to all; else to the caller and others who may see it.
    #[schema(example = true)]
    is_public: bool,
    /// Texts in the data are cut, so that pages stay small.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    is_excerpt: bool,
}

impl TryFrom<rpc::Activity> for Activity {
    type Error = Problem;

    fn try_from(activity: rpc::Activity) -> Result<Self, Problem> {
        // Between the tokens of JSON a line break is as good as a space; live, it would end a field.
        let data = match activity.data.contains(['\n', '\r']) {
            true => activity.data.replace(['\n', '\r'], " "),
            false => activity.data,
        };
        Ok(Self {
            id: activity.event_id,
            number: activity.is_public.then_some(activity.number),
            kind: activity.r#type,
            source: activity.source,
            subject: activity.subject,
            version: activity.version,
            time: moment(activity.time)?,
            data: RawValue::from_string(data).map_err(Problem::internal)?,
            is_public: activity.is_public,
            is_excerpt: activity.is_excerpt,
        })
    }
}
