//! `/users`: accounts as everybody may see them.

use axum::{Json, response::Response};
use chrono::{DateTime, Utc};
use proto::{accounts as rpc, errors};
use serde::{Deserialize, Serialize};
use utoipa::{IntoParams, ToSchema};
use uuid::Uuid;

use super::profile::{self, Change, NEVER_CACHED, NeverCached, Profile};
use crate::{
    cache::{Key, Tag, Viewer},
    call::{Call, OpenCall},
    error::Problem,
    extract::{Id, JsonBody, Query},
    routes::{
        State,
        time::{self, moment},
    },
};

/// One account, as everybody may see it.
pub(super) fn account(id: Uuid) -> Tag {
    Tag::uuid("user", id)
}

/// A user, as everybody may see them.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct User {
    id: Uuid,
    #[schema(example = "ada")]
    username: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "Ada")]
    first_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "Lovelace")]
    last_name: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "Trades in engines.")]
    bio: String,
    #[serde(serialize_with = "time::rfc3339")]
    created_at: DateTime<Utc>,
}

impl TryFrom<Option<rpc::User>> for User {
    type Error = Problem;

    fn try_from(user: Option<rpc::User>) -> Result<Self, Problem> {
        let user = user.ok_or_else(|| Problem::internal("a service sent no user"))?;
        Ok(Self {
            id: Uuid::try_parse(&user.id).map_err(Problem::internal)?,
            username: user.username,
            first_name: user.first_name,
            last_name: user.last_name,
            bio: user.bio,
            created_at: moment(user.created_at)?,
        })
    }
}

/// Which users.
#[derive(Debug, Deserialize, Serialize, IntoParams)]
#[into_params(parameter_in = Query)]
pub(crate) struct GetUsers {
    /// UUIDs, comma-separated, 1 to 100.
    #[param(
        required = true, value_type = Vec<Uuid>, style = Form, explode = false, min_items = 1, max_items = 100,
        example = json!(["07fd04de-0577-4fc9-9421-7e7887d6cf67"])
    )]
    ids: Option<String>,
}

/// Users, in the order asked for.
#[derive(Debug, Serialize, ToSchema)]
pub(crate) struct Users {
    users: Vec<User>,
}

/// Look at a user
#[utoipa::path(
    get, path = "/users/{id}", tag = "users", params(("id" = Uuid, Path, description = "UUID of the user")),
    responses(
        (status = OK, description = "The user", body = User),
        (status = NOT_MODIFIED, description = "It is what the client has")
    ),
    extensions(("x-refusals" = json!([errors::USER_NOT_FOUND])))
)]
pub(crate) async fn get_user(app: State, call: OpenCall, Id(id): Id<Uuid>) -> Result<Response, Problem> {
    let key = Key::get("/users/{id}", &format!("/users/{id}"), &(), Viewer::Anyone, vec![account(id)]);
    let load = || {
        let (mut client, request) = (app.accounts(), call.repeatable(rpc::GetUserRequest { id: id.to_string() }));
        async move { User::try_from(client.get_user(request).await?.into_inner().user) }
    };
    app.cache.read(&call, key, load).await
}

/// Look at many users
///
/// Who is not there is left out. Where many have long bios these are cut, and end with an ellipsis; `/users/{id}` has all.
#[utoipa::path(
    get, path = "/users", tag = "users", params(GetUsers),
    responses((status = OK, description = "The users", body = Users), (status = NOT_MODIFIED, description = "They are what the client has"))
)]
pub(crate) async fn get_users(app: State, call: OpenCall, Query(query): Query<GetUsers>) -> Result<Response, Problem> {
    let ids = query.ids.unwrap_or_default();
    let ids =
        ids.split(',').map(str::trim).filter(|id| !id.is_empty()).map(Uuid::try_parse).collect::<Result<Vec<_>, _>>();
    let ids = ids.map_err(|_| Problem::invalid("ids", "must be UUIDs, comma-separated"))?;
    if !(1..=100).contains(&ids.len()) {
        return Err(Problem::invalid("ids", "must be 1 to 100 ids"));
    }
    let texts: Vec<_> = ids.iter().map(Uuid::to_string).collect();
    let query = GetUsers { ids: Some(texts.join(",")) };
    let tags = ids.iter().copied().map(account).collect();
    let key = Key::get("/users", "/users", &query, Viewer::Anyone, tags);
    let load = || {
        let (mut client, request) = (app.accounts(), call.repeatable(rpc::BatchGetUsersRequest { ids: texts }));
        async move {
            let users = client.batch_get_users(request).await?.into_inner().users;
            Ok(Users { users: users.into_iter().map(|user| User::try_from(Some(user))).collect::<Result<_, _>>()? })
        }
    };
    app.cache.read(&call, key, load).await
}

/// Change an account
///
/// One's own, or any for an admin; `isActive` and `roles` are for admins, and end all tokens of the account.
#[utoipa::path(
    put, path = "/users/{id}", tag = "users", request_body = Change, security(("bearer" = [])),
    params(("id" = Uuid, Path, description = "UUID of the user")),
    responses(
        (status = OK, description = "The account", body = Profile)
    ),
    extensions(("x-refusals" = json!([errors::NOT_YOURS, errors::ADMINS_ONLY, errors::USER_NOT_FOUND, errors::EMAIL_TAKEN, errors::LAST_ADMIN, errors::CHANGED_MEANWHILE])))
)]
pub(crate) async fn update_user(
    app: State,
    call: Call,
    Id(id): Id<Uuid>,
    JsonBody(change): JsonBody<Change>,
) -> Result<(NeverCached, Json<Profile>), Problem> {
    Ok((NEVER_CACHED, Json(profile::update(&app, &call, id, change).await?)))
}
