//! `/discourse/channels` and `/discourse/channel`.

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
use utoipa::{IntoParams, ToSchema};

use super::{
    member::members,
    post::{Post, Topic},
    search::POSTS,
};
use crate::{
    cache::{Key, Tag, Viewer},
    call::Call,
    error::{Problem, check},
    etag::{self, IfMatch, Versioned},
    extract::{Id, JsonBody, Query, parsed, whole_number},
    idempotency::IdempotencyKey,
    routes::{
        State,
        page::Pagination,
        time::{self, moment},
        words::Word,
    },
};

/// Which channels there are, and when each was last posted in.
pub(super) const CHANNELS: Tag = Tag::all("channels");

/// One channel and its posts.
pub(super) fn channel(id: i64) -> Tag {
    Tag::number("channel", id)
}

/// Who may read which channel.
pub(super) const ACCESS: Tag = Tag::all("access");

/// What depends on a channel, and on who may read it.
pub(super) fn channel_and_access(id: i64) -> Vec<Tag> {
    vec![channel(id), members(id), CHANNELS, POSTS, ACCESS]
}

pub(crate) type ChannelType = Word<words::ChannelType>;

/// A place to argue in.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Channel {
    #[schema(example = 7)]
    id: i64,
    #[schema(example = "Gold bugs")]
    name: String,
    /// Empty when there is none.
    #[schema(example = "All that glitters")]
    description: String,
    #[serde(rename = "type")]
    kind: ChannelType,
    /// Economic or philosophical zone; empty when there is none.
    #[schema(example = "austrian")]
    zone: String,
    /// UUID of the user who opened it.
    #[schema(format = Uuid)]
    created_by: String,
    #[serde(serialize_with = "time::rfc3339")]
    created_at: DateTime<Utc>,
    #[serde(serialize_with = "time::rfc3339")]
    updated_at: DateTime<Utc>,
    /// The description is cut: a page of long channels stays under 256 KiB. `GET` of the channel has all.
    #[serde(skip_serializing_if = "std::ops::Not::not")]
    #[schema(required = false, example = false)]
    is_excerpt: bool,
    #[serde(skip)]
    version: i64,
}

impl Versioned for Channel {
    fn version(&self) -> i64 {
        self.version
    }
}

impl TryFrom<Option<rpc::Channel>> for Channel {
    type Error = Problem;

    fn try_from(channel: Option<rpc::Channel>) -> Result<Self, Problem> {
        channel.ok_or_else(|| Problem::internal("a service sent no channel"))?.try_into()
    }
}

impl TryFrom<rpc::Channel> for Channel {
    type Error = Problem;

    fn try_from(channel: rpc::Channel) -> Result<Self, Problem> {
        Ok(Self {
            id: channel.id,
            name: channel.name,
            description: channel.description,
            kind: channel.r#type.try_into()?,
            zone: channel.zone,
            created_by: channel.created_by,
            created_at: moment(channel.created_at)?,
            updated_at: moment(channel.updated_at)?,
            is_excerpt: channel.is_excerpt,
            version: channel.version,
        })
    }
}

/// Which channels. Each filter that is left out matches everything.
#[derive(Debug, Deserialize, IntoParams, Serialize)]
#[serde(rename_all = "camelCase")]
#[into_params(parameter_in = Query)]
pub(crate) struct ListChannels {
    #[serde(rename = "type", default, deserialize_with = "parsed")]
    #[param(inline)]
    kind: Option<ChannelType>,
    /// A zone, to the letter.
    #[param(max_length = 100)]
    zone: Option<String>,
    /// UUID of a creator.
    #[param(format = "uuid")]
    created_by: Option<String>,
    /// From 1; default 1.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64, example = 1)]
    page: Option<u32>,
    /// 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
}

/// A page of channels.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct ChannelList {
    channels: Vec<Channel>,
    pagination: Pagination,
}

impl TryFrom<rpc::ListChannelsResponse> for ChannelList {
    type Error = Problem;

    fn try_from(list: rpc::ListChannelsResponse) -> Result<Self, Problem> {
        let channels = list.channels.into_iter().map(Channel::try_from).collect::<Result<_, _>>()?;
        Ok(Self { channels, pagination: list.pagination.unwrap_or_default().into() })
    }
}

/// List the channels
///
/// Private ones only to their creator and members. A page has at most 256 KiB: the longest descriptions are cut until all fit, and say
/// `isExcerpt`.
#[utoipa::path(
    get, path = "/discourse/channels", tag = "discourse", params(ListChannels), security(("bearer" = [])),
    responses(
        (status = OK, description = "A page of channels, newest first", body = ChannelList),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    )
)]
pub(crate) async fn list_channels(
    app: State,
    call: Call,
    Query(query): Query<ListChannels>,
) -> Result<Response, Problem> {
    const ROUTE: &str = "/discourse/channels";
    let key = Key::get(ROUTE, ROUTE, &query, Viewer::Only(call.claims.sub), vec![CHANNELS]);
    let load = || {
        let ListChannels { kind, zone, created_by, page, limit } = query;
        let kind = kind.map(i32::from);
        let request = call.repeatable(rpc::ListChannelsRequest { r#type: kind, zone, created_by, page, limit });
        let mut client = app.discourse();
        async move { ChannelList::try_from(client.list_channels(request).await?.into_inner()) }
    };
    app.cache.read(&call, key, load).await
}

/// The id of a channel.
#[derive(Clone, Copy, Debug, Serialize)]
pub(crate) struct ChannelId(pub i64);

impl FromStr for ChannelId {
    type Err = &'static str;

    fn from_str(text: &str) -> Result<Self, &'static str> {
        text.parse().ok().filter(|id| *id > 0).map(Self).ok_or("must be a whole number from 1")
    }
}

/// Which posts of a channel.
#[derive(Debug, Deserialize, IntoParams, Serialize)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListPosts {
    /// Only posts of this topic.
    #[serde(default, deserialize_with = "parsed")]
    #[param(inline)]
    topic: Option<Topic>,
    /// Page of posts, from 1; default 1.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64, example = 1)]
    page: Option<u32>,
    /// Posts a page, 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
}

/// A channel with a page of its posts, pinned first, then newest first.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct ChannelPage {
    #[serde(flatten)]
    channel: Channel,
    posts: Vec<Post>,
    posts_pagination: Pagination,
}

impl Versioned for ChannelPage {
    fn version(&self) -> i64 {
        self.channel.version
    }
}

impl TryFrom<rpc::GetChannelResponse> for ChannelPage {
    type Error = Problem;

    fn try_from(page: rpc::GetChannelResponse) -> Result<Self, Problem> {
        Ok(Self {
            channel: page.channel.try_into()?,
            posts: page.posts.into_iter().map(Post::try_from).collect::<Result<_, _>>()?,
            posts_pagination: page.posts_pagination.unwrap_or_default().into(),
        })
    }
}

/// Read a channel
///
/// A page has at most 256 KiB, however long its posts are: 100 posts of 20000 characters would have 2 to 8 MB, and are cut to
/// some 2000 bytes each; where only a few are long, those are cut less, short ones never. What is cut says `isExcerpt`;
/// `GET` of the post has all of it.
#[utoipa::path(
    get, path = "/discourse/channel/{id}", tag = "discourse", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Id of the channel", minimum = 1, example = 7), ListPosts),
    responses(
        (status = OK, description = "The channel and its posts", body = ChannelPage),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    ),
    extensions(("x-refusals" = json!([errors::CHANNEL_ACCESS_DENIED, errors::CHANNEL_NOT_FOUND])))
)]
pub(crate) async fn get_channel(
    app: State,
    call: Call,
    Id(ChannelId(id)): Id<ChannelId>,
    Query(query): Query<ListPosts>,
) -> Result<Response, Problem> {
    // Whether it may be read depends on who reads.
    let viewer = Viewer::Only(call.claims.sub);
    let path = format!("/discourse/channel/{id}");
    let key = Key::get("/discourse/channel/{id}", &path, &query, viewer, vec![channel(id)]);
    let load = || {
        let ListPosts { topic, page, limit } = query;
        let topic = topic.map(i32::from);
        let request = call.repeatable(rpc::GetChannelRequest { id, topic, page, limit });
        let mut client = app.discourse();
        async move { ChannelPage::try_from(client.get_channel(request).await?.into_inner()) }
    };
    app.cache.read_versioned(&call, key, load).await
}

/// A channel to open.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct NewChannel {
    #[schema(required = true, value_type = String, min_length = 1, max_length = 255, pattern = r"\S", example = "Gold bugs")]
    name: Option<String>,
    #[schema(max_length = 5000, example = "All that glitters")]
    description: Option<String>,
    /// Default: public.
    #[serde(rename = "type")]
    #[schema(value_type = Option<ChannelType>, example = "public")]
    kind: Option<String>,
    #[schema(max_length = 100, example = "austrian")]
    zone: Option<String>,
}

/// Open a channel
///
/// With an `Idempotency-Key` a retry returns the channel that the first try opened.
#[utoipa::path(
    post, path = "/discourse/channel", tag = "discourse", request_body = NewChannel, security(("bearer" = [])),
    params(IdempotencyKey),
    responses((status = CREATED, description = "The channel", body = Channel, headers(("Location" = String, description = "Path of the channel"))))
)]
pub(crate) async fn create_channel(
    app: State,
    call: Call,
    key: IdempotencyKey,
    JsonBody(channel): JsonBody<NewChannel>,
) -> Result<Response, Problem> {
    let mut violations = Violations::default();
    let kind = channel.kind.and_then(|word| violations.ok("type", word.parse::<ChannelType>()));
    check(violations)?;
    let request = key.request(&call, |idempotency_key| rpc::CreateChannelRequest {
        name: channel.name.unwrap_or_default(),
        description: channel.description.unwrap_or_default(),
        r#type: kind.map_or(0, i32::from),
        zone: channel.zone.unwrap_or_default(),
        idempotency_key,
    });
    let mut client = app.discourse();
    let created = app.write(vec![CHANNELS], async move { client.create_channel(request).await }).await?;
    let channel = Channel::try_from(created.channel)?;
    let mut answer = etag::answer(StatusCode::CREATED, &channel)?;
    let location = HeaderValue::try_from(format!("/discourse/channel/{}", channel.id)).map_err(Problem::internal)?;
    answer.headers_mut().insert(header::LOCATION, location);
    Ok(answer)
}

/// What is to be changed. What is left out stays; an empty text takes the field away.
#[derive(Debug, Deserialize, ToSchema)]
pub(crate) struct ChannelChange {
    #[schema(min_length = 1, max_length = 255, pattern = r"\S", example = "Gold bugs")]
    name: Option<String>,
    #[schema(max_length = 5000, example = "Where the metal is")]
    description: Option<String>,
    #[serde(rename = "type")]
    #[schema(value_type = Option<ChannelType>, example = "sovereign")]
    kind: Option<String>,
    #[schema(max_length = 100, example = "austrian")]
    zone: Option<String>,
}

/// Change a channel
///
/// Only its creator may. Members stay members, whatever its type becomes.
#[utoipa::path(
    put, path = "/discourse/channel/{id}", tag = "discourse", request_body = ChannelChange, security(("bearer" = [])),
    params(("id" = i64, Path, description = "Id of the channel", minimum = 1, example = 7), IfMatch),
    responses((status = OK, description = "The channel as it is now", body = Channel)),
    extensions(("x-refusals" = json!([
        errors::CHANNEL_ACCESS_DENIED, errors::CREATORS_ONLY, errors::CHANNEL_NOT_FOUND, errors::VERSION_CONFLICT,
        errors::PRECONDITION_REQUIRED
    ])))
)]
pub(crate) async fn update_channel(
    app: State,
    call: Call,
    Id(ChannelId(id)): Id<ChannelId>,
    IfMatch { versions }: IfMatch,
    JsonBody(change): JsonBody<ChannelChange>,
) -> Result<Response, Problem> {
    let mut violations = Violations::default();
    let kind = change.kind.and_then(|word| violations.ok("type", word.parse::<ChannelType>()));
    check(violations)?;
    let ChannelChange { name, description, zone, .. } = change;
    let r#type = kind.map(i32::from);
    let request = call.request(rpc::UpdateChannelRequest { id, versions, name, description, r#type, zone });
    let mut client = app.discourse();
    let updated = app.write(channel_and_access(id), async move { client.update_channel(request).await }).await?;
    etag::answer(StatusCode::OK, &Channel::try_from(updated.channel)?)
}

/// Delete a channel
///
/// Only its creator may. Its members and all of its posts go with it.
#[utoipa::path(
    delete, path = "/discourse/channel/{id}", tag = "discourse", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Id of the channel", minimum = 1, example = 7), IfMatch),
    responses((status = NO_CONTENT, description = "It is gone")),
    extensions(("x-refusals" = json!([
        errors::CHANNEL_ACCESS_DENIED, errors::CREATORS_ONLY, errors::CHANNEL_NOT_FOUND, errors::VERSION_CONFLICT,
        errors::PRECONDITION_REQUIRED, errors::OUTCOME_UNKNOWN
    ])))
)]
pub(crate) async fn delete_channel(
    app: State,
    call: Call,
    Id(ChannelId(id)): Id<ChannelId>,
    IfMatch { versions }: IfMatch,
) -> Result<StatusCode, Problem> {
    let (mut client, request) = (app.discourse(), call.request(rpc::DeleteChannelRequest { id, versions }));
    app.write(channel_and_access(id), async move { client.delete_channel(request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
