//! `/discourse/post`, and one by its id.

use std::str::FromStr;

use axum::{
    http::{HeaderValue, StatusCode, header},
    response::Response,
};
use chrono::{DateTime, Utc};
use kernel::validate::Violations;
use proto::{
    discourse::{self as rpc, words},
    errors,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;

use super::{
    channel::{ACCESS, CHANNELS, channel},
    search::POSTS,
};
use crate::{
    cache::{Key, Tag, Viewer},
    call::Call,
    error::{Problem, check},
    etag::{self, IfMatch, Versioned},
    extract::{Id, JsonBody, integer},
    idempotency::IdempotencyKey,
    routes::{
        State,
        tag::{self, NewTag},
        time::{self, moment},
        words::Word,
    },
};

/// One post.
fn post(id: i64) -> Tag {
    Tag::number("post", id)
}

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
    #[schema(example = json!(["gold", "value"]))]
    tags: Vec<String>,
    #[serde(serialize_with = "time::rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time::rfc3339")]
    updated_at: DateTime<Utc>,
    /// The content is cut: a page of long posts stays under 256 KiB. `GET` of the post has all of it.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    is_excerpt: bool,
    #[serde(skip)]
    version: i64,
}

impl Versioned for Post {
    fn version(&self) -> i64 {
        self.version
    }
}

impl TryFrom<Option<rpc::Post>> for Post {
    type Error = Problem;

    fn try_from(post: Option<rpc::Post>) -> Result<Self, Problem> {
        post.ok_or_else(|| Problem::internal("a service sent no post"))?.try_into()
    }
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
            tags: post.tags,
            created_at: moment(post.created_at)?,
            updated_at: moment(post.updated_at)?,
            is_excerpt: post.is_excerpt,
            version: post.version,
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
    /// At most 20; repeats are dropped.
    #[schema(max_items = 20, example = json!(["gold", "value"]))]
    tags: Option<Vec<NewTag>>,
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
        tags: tag::texts(post.tags.unwrap_or_default()),
        idempotency_key,
    });
    let mut client = app.discourse();
    // A post also moves its channel's `updatedAt`, which lists show.
    let tags = vec![channel(channel_id), CHANNELS, POSTS];
    let created = app.write(tags, async move { client.create_post(request).await }).await?;
    let post = Post::try_from(created.post)?;
    let mut answer = etag::answer(StatusCode::CREATED, &post)?;
    let location = format!("/discourse/channel/{}#post-{}", post.channel_id, post.id);
    answer.headers_mut().insert(header::LOCATION, HeaderValue::try_from(location).map_err(Problem::internal)?);
    Ok(answer)
}

/// The id of a post.
#[derive(Clone, Copy, Debug)]
pub(crate) struct PostId(pub i64);

impl FromStr for PostId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|id| *id > 0).map(Self).ok_or("must be a whole number from 1")
    }
}

/// Read a post
#[utoipa::path(
    get, path = "/discourse/post/{id}", tag = "discourse", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Id of the post", minimum = 1, example = 12)),
    responses(
        (status = OK, description = "The post", body = Post),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    ),
    extensions(("x-refusals" = json!([errors::CHANNEL_ACCESS_DENIED, errors::POST_NOT_FOUND])))
)]
pub(crate) async fn get_post(app: State, call: Call, Id(PostId(id)): Id<PostId>) -> Result<Response, Problem> {
    // Whether it may be read depends on who reads, and on who is let into its channel, which is not known yet.
    let (path, viewer) = (format!("/discourse/post/{id}"), Viewer::Only(call.claims.sub));
    let key = Key::get("/discourse/post/{id}", &path, &(), viewer, vec![post(id), ACCESS]);
    let load = || {
        let (mut client, request) = (app.discourse(), call.repeatable(rpc::GetPostRequest { id }));
        async move { Post::try_from(client.get_post(request).await?.into_inner().post) }
    };
    app.cache.read_versioned(&call, key, load).await
}

/// What is to be changed. What is left out stays; an empty title takes it away.
#[derive(Debug, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct PostChange {
    #[schema(max_length = 500, example = "On value")]
    title: Option<String>,
    #[schema(min_length = 1, max_length = 20000, pattern = r"\S", example = "Buyers set the price.")]
    content: Option<String>,
    #[schema(value_type = Option<Topic>, example = "economic")]
    topic: Option<String>,
    /// Only the channel's creator may change it.
    is_pinned: Option<bool>,
    /// At most 20; repeats are dropped.
    #[schema(max_items = 20, example = json!(["gold", "value"]))]
    tags: Option<Vec<NewTag>>,
}

/// Change a post
///
/// Only its author may, while they may post in its channel.
#[utoipa::path(
    put, path = "/discourse/post/{id}", tag = "discourse", request_body = PostChange, security(("bearer" = [])),
    params(("id" = i64, Path, description = "Id of the post", minimum = 1, example = 12), IfMatch),
    responses((status = OK, description = "The post as it is now", body = Post)),
    extensions(("x-refusals" = json!([
        errors::CHANNEL_ACCESS_DENIED, errors::AUTHORS_ONLY, errors::PIN_DENIED, errors::POST_NOT_FOUND,
        errors::VERSION_CONFLICT, errors::PRECONDITION_REQUIRED
    ])))
)]
pub(crate) async fn update_post(
    app: State,
    call: Call,
    Id(PostId(id)): Id<PostId>,
    IfMatch { versions }: IfMatch,
    JsonBody(change): JsonBody<PostChange>,
) -> Result<Response, Problem> {
    let mut violations = Violations::default();
    let topic = change.topic.and_then(|word| violations.ok("topic", word.parse::<Topic>()));
    check(violations)?;
    let touched = what_shows(&app, &call, id).await?;
    let PostChange { title, content, is_pinned, tags, .. } = change;
    let (topic, tags) = (topic.map(i32::from), tags.map(|tags| rpc::Tags { tags: tag::texts(tags) }));
    let request = call.request(rpc::UpdatePostRequest { id, versions, title, content, topic, is_pinned, tags });
    let mut client = app.discourse();
    let updated = app.write(touched, async move { client.update_post(request).await }).await?;
    etag::answer(StatusCode::OK, &Post::try_from(updated.post)?)
}

/// Delete a post
///
/// Its author may, and the creator of its channel.
#[utoipa::path(
    delete, path = "/discourse/post/{id}", tag = "discourse", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Id of the post", minimum = 1, example = 12), IfMatch),
    responses((status = NO_CONTENT, description = "It is gone")),
    extensions(("x-refusals" = json!([
        errors::CHANNEL_ACCESS_DENIED, errors::AUTHORS_ONLY, errors::POST_NOT_FOUND, errors::VERSION_CONFLICT,
        errors::PRECONDITION_REQUIRED, errors::OUTCOME_UNKNOWN
    ])))
)]
pub(crate) async fn delete_post(
    app: State,
    call: Call,
    Id(PostId(id)): Id<PostId>,
    IfMatch { versions }: IfMatch,
) -> Result<StatusCode, Problem> {
    let touched = what_shows(&app, &call, id).await?;
    let (mut client, request) = (app.discourse(), call.request(rpc::DeletePostRequest { id, versions }));
    app.write(touched, async move { client.delete_post(request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// What depends on a post that is there: also its channel, in which it stays. Whether the change is answered or not, it must
/// be known by then.
async fn what_shows(app: &State, call: &Call, id: i64) -> Result<Vec<Tag>, Problem> {
    let found = app.discourse().get_post(call.repeatable(rpc::GetPostRequest { id })).await?.into_inner();
    let Post { channel_id, .. } = found.post.try_into()?;
    Ok(vec![post(id), channel(channel_id), POSTS])
}
