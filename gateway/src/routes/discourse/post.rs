//! `/discourse/post`.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use kernel::validate::Violations;
use proto::{
    discourse::{self as rpc, words},
    errors,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::channel::{CHANNELS, channel};
use crate::{
    call::Call,
    error::{Problem, check},
    extract::{JsonBody, integer},
    idempotency::IdempotencyKey,
    routes::{
        State,
        time::{self, moment},
        words::Word,
    },
};

pub(crate) type Topic = Word<words::Topic>;

/// Something said in a channel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Post {
    #[schema(example = 12)]
    id: i64,
    #[schema(example = 7)]
    channel_id: i64,
    /// UUID of the user who wrote it.
    #[schema(format = Uuid)]
    author_id: String,
    /// Empty when there is none.
    #[schema(example = "On value")]
    title: String,
    #[schema(example = "The market sets the price.")]
    content: String,
    topic: Topic,
    /// Shown before all others.
    is_pinned: bool,
    #[serde(serialize_with = "time::rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time::rfc3339")]
    updated_at: DateTime<Utc>,
    /// The content is cut: a page of long posts stays under 256 KiB. With `limit=1` a post is whole.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    is_excerpt: bool,
}

impl TryFrom<rpc::Post> for Post {
    type Error = Problem;

    fn try_from(post: rpc::Post) -> Result<Self, Problem> {
        Ok(Self {
            id: post.id,
            channel_id: post.channel_id,
            author_id: post.author_id,
            title: post.title,
            content: post.content,
            topic: post.topic.try_into()?,
            is_pinned: post.is_pinned,
            created_at: moment(post.created_at)?,
            updated_at: moment(post.updated_at)?,
            is_excerpt: post.is_excerpt,
        })
    }
}

/// Something to say.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct NewPost {
    /// Id of the channel.
    #[serde(default, deserialize_with = "integer")]
    #[schema(required = true, value_type = i64, minimum = 1, example = 7)]
    channel_id: Option<i64>,
    #[schema(max_length = 500, example = "On value")]
    title: Option<String>,
    #[schema(required = true, value_type = String, min_length = 1, max_length = 20000, pattern = r"\S", example = "The market sets the price.")]
    content: Option<String>,
    /// Default: what the words of title and content are about.
    #[schema(value_type = Option<Topic>, example = "economic")]
    topic: Option<String>,
    /// Default: false. Only the channel's creator may set it.
    is_pinned: Option<bool>,
}

/// Say something
///
/// With an `Idempotency-Key` a retry returns the first outcome.
#[utoipa::path(
    post, path = "/discourse/post", tag = "discourse", request_body = NewPost, security(("bearer" = [])),
    params(IdempotencyKey),
    responses(
        (status = CREATED, description = "The post", body = Post, headers(("Location" = String, description = "Path of the channel, at the post")))
    ),
    extensions(("x-refusals" = json!([errors::CHANNEL_ACCESS_DENIED, errors::PIN_DENIED, errors::CHANNEL_NOT_FOUND])))
)]
pub(crate) async fn create_post(
    app: State,
    call: Call,
    key: IdempotencyKey,
    JsonBody(post): JsonBody<NewPost>,
) -> Result<Response, Problem> {
    let mut violations = Violations::default();
    let topic = post.topic.and_then(|word| violations.ok("topic", word.parse::<Topic>()));
    check(violations)?;
    let channel_id = post.channel_id.unwrap_or_default();
    let request = key.request(&call, |idempotency_key| rpc::CreatePostRequest {
        channel_id,
        title: post.title.unwrap_or_default(),
        content: post.content.unwrap_or_default(),
        topic: topic.map_or(0, i32::from),
        is_pinned: post.is_pinned.unwrap_or_default(),
        idempotency_key,
    });
    let mut client = app.discourse();
    // A post also moves its channel's `updatedAt`, which lists show.
    let tags = vec![channel(channel_id), CHANNELS];
    let created = app.write(tags, async move { client.create_post(request).await }).await?;
    let post = Post::try_from(created.post.ok_or_else(|| Problem::internal("a service sent no post"))?)?;
    let location = [(header::LOCATION, format!("/discourse/channel/{}#post-{}", post.channel_id, post.id))];
    Ok((StatusCode::CREATED, location, Json(post)).into_response())
}
