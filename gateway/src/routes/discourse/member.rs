//! `/discourse/channel/{id}/members`.

use axum::{
    Json,
    extract::{FromRequestParts, Path},
    http::{StatusCode, request::Parts},
    response::Response,
};
use chrono::{DateTime, Utc};
use proto::{discourse as rpc, errors};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::channel::{ChannelId, channel_and_access};
use crate::{
    cache::{Key, Tag, Viewer},
    call::Call,
    error::Problem,
    extract::{Id, Query, whole_number},
    routes::{
        State,
        page::Pagination,
        time::{self, moment},
    },
};

/// The members of one channel.
pub(super) fn members(channel: i64) -> Tag {
    Tag::number("members", channel)
}

/// Somebody who was let into a private or sovereign channel.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Member {
    #[schema(example = 7)]
    channel_id: i64,
    /// UUID of the member.
    #[schema(format = Uuid)]
    user_id: String,
    /// UUID of the user who added them.
    #[schema(format = Uuid)]
    added_by: String,
    #[serde(serialize_with = "time::rfc3339")]
    added_at: DateTime<Utc>,
}

impl TryFrom<rpc::Member> for Member {
    type Error = Problem;

    fn try_from(member: rpc::Member) -> Result<Self, Problem> {
        let rpc::Member { channel_id, user_id, added_by, added_at } = member;
        Ok(Self { channel_id, user_id, added_by, added_at: moment(added_at)? })
    }
}

impl TryFrom<Option<rpc::Member>> for Member {
    type Error = Problem;

    fn try_from(member: Option<rpc::Member>) -> Result<Self, Problem> {
        member.ok_or_else(|| Problem::internal("a service sent no member"))?.try_into()
    }
}

/// Which members.
#[derive(Debug, Deserialize, IntoParams, Serialize)]
#[into_params(parameter_in = Query)]
pub(crate) struct ListMembers {
    /// From 1; default 1.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 4294967295_u32, format = Int64, example = 1)]
    page: Option<u32>,
    /// 1 to 100; default 20.
    #[serde(default, deserialize_with = "whole_number")]
    #[param(minimum = 1, maximum = 100, example = 20)]
    limit: Option<u32>,
}

/// A page of members.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct MemberList {
    members: Vec<Member>,
    pagination: Pagination,
}

impl TryFrom<rpc::ListMembersResponse> for MemberList {
    type Error = Problem;

    fn try_from(list: rpc::ListMembersResponse) -> Result<Self, Problem> {
        let members = list.members.into_iter().map(Member::try_from).collect::<Result<_, _>>()?;
        Ok(Self { members, pagination: list.pagination.unwrap_or_default().into() })
    }
}

/// The channel and the user of a path.
#[derive(Debug)]
pub(crate) struct Membership {
    channel: i64,
    user: Uuid,
}

impl<S: Send + Sync> FromRequestParts<S> for Membership {
    type Rejection = Problem;

    async fn from_request_parts(parts: &mut Parts, state: &S) -> Result<Self, Problem> {
        let Path((channel, user)) = Path::<(String, String)>::from_request_parts(parts, state)
            .await
            .map_err(|_| Problem::invalid("userId", "must be UTF-8"))?;
        let ChannelId(channel) = channel.parse().map_err(|error| Problem::invalid("id", error))?;
        let user = Uuid::try_parse(&user).map_err(|_| Problem::invalid("userId", "must be a UUID"))?;
        Ok(Self { channel, user })
    }
}

/// List the members of a channel
///
/// For its creator and its members. Those of a public channel were let in when it was not.
#[utoipa::path(
    get, path = "/discourse/channel/{id}/members", tag = "discourse", security(("bearer" = [])),
    params(("id" = i64, Path, description = "Id of the channel", minimum = 1, example = 7), ListMembers),
    responses(
        (status = OK, description = "A page of members, newest first", body = MemberList),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    ),
    extensions(("x-refusals" = json!([errors::CHANNEL_ACCESS_DENIED, errors::CHANNEL_NOT_FOUND])))
)]
pub(crate) async fn list_members(
    app: State,
    call: Call,
    Id(ChannelId(channel_id)): Id<ChannelId>,
    Query(query): Query<ListMembers>,
) -> Result<Response, Problem> {
    let path = format!("/discourse/channel/{channel_id}/members");
    let viewer = Viewer::Only(call.claims.sub);
    let key = Key::get("/discourse/channel/{id}/members", &path, &query, viewer, vec![members(channel_id)]);
    let load = || {
        let ListMembers { page, limit } = query;
        let request = call.repeatable(rpc::ListMembersRequest { channel_id, page, limit });
        let mut client = app.discourse();
        async move { MemberList::try_from(client.list_members(request).await?.into_inner()) }
    };
    app.cache.read(&call, key, load).await
}

/// Look at a member of a channel
///
/// For its creator and its members.
#[utoipa::path(
    get, path = "/discourse/channel/{id}/members/{userId}", tag = "discourse", security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "Id of the channel", minimum = 1, example = 7),
        ("userId" = Uuid, Path, description = "Id of the user")
    ),
    responses(
        (status = OK, description = "The member", body = Member),
        (status = NOT_MODIFIED, description = "What `If-None-Match` names is still so")
    ),
    extensions(("x-refusals" = json!([
        errors::CHANNEL_ACCESS_DENIED, errors::CHANNEL_NOT_FOUND, errors::MEMBER_NOT_FOUND
    ])))
)]
pub(crate) async fn get_member(
    app: State,
    call: Call,
    Membership { channel, user }: Membership,
) -> Result<Response, Problem> {
    let (path, viewer) = (format!("/discourse/channel/{channel}/members/{user}"), Viewer::Only(call.claims.sub));
    let key = Key::get("/discourse/channel/{id}/members/{userId}", &path, &(), viewer, vec![members(channel)]);
    let load = || {
        let request = call.repeatable(rpc::GetMemberRequest { channel_id: channel, user_id: user.to_string() });
        let mut client = app.discourse();
        async move { Member::try_from(client.get_member(request).await?.into_inner().member) }
    };
    app.cache.read(&call, key, load).await
}

/// Let somebody into a channel
///
/// Only the creator of a private or sovereign channel may. Who is a member stays one, as they were. A channel has at most
/// 500 members.
#[utoipa::path(
    put, path = "/discourse/channel/{id}/members/{userId}", tag = "discourse", security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "Id of the channel", minimum = 1, example = 7),
        ("userId" = Uuid, Path, description = "Id of the user; whether there is such a user is not asked")
    ),
    responses((status = OK, description = "The member", body = Member)),
    extensions(("x-refusals" = json!([
        errors::CHANNEL_ACCESS_DENIED, errors::CREATORS_ONLY, errors::CHANNEL_NOT_FOUND, errors::MEMBERSHIP_NOT_NEEDED,
        errors::TOO_MANY_MEMBERS
    ])))
)]
pub(crate) async fn add_member(
    app: State,
    call: Call,
    Membership { channel, user }: Membership,
) -> Result<Json<Member>, Problem> {
    // Done twice it is the same as once.
    let request = call.repeatable(rpc::AddMemberRequest { channel_id: channel, user_id: user.to_string() });
    let mut client = app.discourse();
    let added = app.write(channel_and_access(channel), async move { client.add_member(request).await }).await?;
    Ok(Json(added.member.try_into()?))
}

/// Take a membership away
///
/// The creator of the channel may, and members may leave.
#[utoipa::path(
    delete, path = "/discourse/channel/{id}/members/{userId}", tag = "discourse", security(("bearer" = [])),
    params(
        ("id" = i64, Path, description = "Id of the channel", minimum = 1, example = 7),
        ("userId" = Uuid, Path, description = "Id of the user")
    ),
    responses((status = NO_CONTENT, description = "They are no member any more")),
    extensions(("x-refusals" = json!([
        errors::CHANNEL_ACCESS_DENIED, errors::CREATORS_ONLY, errors::CHANNEL_NOT_FOUND, errors::MEMBER_NOT_FOUND,
        errors::OUTCOME_UNKNOWN
    ])))
)]
pub(crate) async fn remove_member(
    app: State,
    call: Call,
    Membership { channel, user }: Membership,
) -> Result<StatusCode, Problem> {
    let request = call.request(rpc::RemoveMemberRequest { channel_id: channel, user_id: user.to_string() });
    let mut client = app.discourse();
    app.write(channel_and_access(channel), async move { client.remove_member(request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}
