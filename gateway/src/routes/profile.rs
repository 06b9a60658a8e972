//! `/profile`: one's own account, with what others do not see.

use std::sync::Arc;

use axum::{
    Json,
    http::{StatusCode, header},
};
use chrono::{DateTime, Utc};
use kernel::word::UnknownWord;
use proto::{
    accounts::{self as rpc, words},
    errors,
};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use super::users::{User, account};
use crate::{
    app::App,
    call::Call,
    error::Problem,
    extract::JsonBody,
    routes::{
        State,
        time::{self, moment},
        words::Word,
    },
};

pub(crate) type Role = Word<words::Role>;

/// An account as its owner and admins see it.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Profile {
    #[serde(flatten)]
    user: User,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "ada@example.org")]
    email: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "+44 20 7946 0000")]
    phone: String,
    #[serde(skip_serializing_if = "String::is_empty")]
    #[schema(example = "12 St James's Square, London")]
    address: String,
    roles: Vec<Role>,
    /// Whether its owner can log in.
    is_active: bool,
    #[serde(serialize_with = "time::rfc3339")]
    updated_at: DateTime<Utc>,
}

impl TryFrom<Option<rpc::Profile>> for Profile {
    type Error = Problem;

    fn try_from(profile: Option<rpc::Profile>) -> Result<Self, Problem> {
        let profile = profile.ok_or_else(|| Problem::internal("a service sent no profile"))?;
        Ok(Self {
            user: profile.user.try_into()?,
            email: profile.email,
            phone: profile.phone,
            address: profile.address,
            roles: profile.roles.into_iter().map(Role::try_from).collect::<Result<_, _>>()?,
            is_active: profile.is_active,
            updated_at: moment(profile.updated_at)?,
        })
    }
}

/// What is to be changed. What is left out stays; an empty text takes the field away.
#[derive(Debug, Default, Deserialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(crate) struct Change {
    #[schema(max_length = 100, example = "Ada")]
    first_name: Option<String>,
    #[schema(max_length = 100, example = "Lovelace")]
    last_name: Option<String>,
    /// Unique without regard to case.
    #[schema(max_length = 254, example = "ada@example.org")]
    email: Option<String>,
    #[schema(max_length = 50, example = "+44 20 7946 0000")]
    phone: Option<String>,
    #[schema(max_length = 500, example = "12 St James's Square, London")]
    address: Option<String>,
    #[schema(max_length = 2000, example = "Trades in engines.")]
    bio: Option<String>,
    /// For admins: whether the owner can log in.
    is_active: Option<bool>,
    /// For admins: what the account may do beyond its own.
    #[schema(value_type = Option<Vec<Role>>, example = json!(["admin"]))]
    roles: Option<Vec<String>>,
}

/// What is said of caching: nothing may keep it.
pub(super) type NeverCached = [(header::HeaderName, &'static str); 1];
pub(super) const NEVER_CACHED: NeverCached = [(header::CACHE_CONTROL, "no-store")];

/// Look at your account
#[utoipa::path(
    get, path = "/profile", tag = "users", security(("bearer" = [])),
    responses((status = OK, description = "The account", body = Profile)),
    extensions(("x-refusals" = json!([errors::USER_NOT_FOUND])))
)]
pub(crate) async fn get_profile(app: State, call: Call) -> Result<(NeverCached, Json<Profile>), Problem> {
    let request = call.repeatable(rpc::GetProfileRequest { id: String::new() });
    let profile = app.accounts().get_profile(request).await?.into_inner().profile;
    Ok((NEVER_CACHED, Json(profile.try_into()?)))
}

/// Fill in your account
///
/// The same as `PUT`.
#[utoipa::path(
    post, path = "/profile", tag = "users", request_body = Change, security(("bearer" = [])),
    responses(
        (status = OK, description = "The account", body = Profile)
    ),
    extensions(("x-refusals" = json!([errors::ADMINS_ONLY, errors::USER_NOT_FOUND, errors::EMAIL_TAKEN, errors::LAST_ADMIN, errors::CHANGED_MEANWHILE])))
)]
pub(crate) async fn create_profile(
    app: State,
    call: Call,
    JsonBody(change): JsonBody<Change>,
) -> Result<(NeverCached, Json<Profile>), Problem> {
    Ok((NEVER_CACHED, Json(update(&app, &call, call.claims.sub, change).await?)))
}

/// Change your account
#[utoipa::path(
    put, path = "/profile", tag = "users", request_body = Change, security(("bearer" = [])),
    responses(
        (status = OK, description = "The account", body = Profile)
    ),
    extensions(("x-refusals" = json!([errors::ADMINS_ONLY, errors::USER_NOT_FOUND, errors::EMAIL_TAKEN, errors::LAST_ADMIN, errors::CHANGED_MEANWHILE])))
)]
pub(crate) async fn update_profile(
    app: State,
    call: Call,
    JsonBody(change): JsonBody<Change>,
) -> Result<(NeverCached, Json<Profile>), Problem> {
    Ok((NEVER_CACHED, Json(update(&app, &call, call.claims.sub, change).await?)))
}

/// Erase your personal fields
///
/// The account stays, with its name.
#[utoipa::path(
    delete, path = "/profile", tag = "users", security(("bearer" = [])),
    responses(
        (status = NO_CONTENT, description = "They are gone")
    ),
    extensions(("x-refusals" = json!([errors::USER_NOT_FOUND, errors::CHANGED_MEANWHILE, errors::OUTCOME_UNKNOWN])))
)]
pub(crate) async fn erase_profile(app: State, call: Call) -> Result<StatusCode, Problem> {
    let (mut client, request) = (app.accounts(), call.request(rpc::EraseProfileRequest {}));
    app.write(vec![account(call.claims.sub)], async move { client.erase_profile(request).await }).await?;
    Ok(StatusCode::NO_CONTENT)
}

/// Changes the account `id`.
pub(super) async fn update(app: &Arc<App>, call: &Call, id: Uuid, change: Change) -> Result<Profile, Problem> {
    let numbers = |words: Vec<String>| words.iter().map(|word| Ok(word.parse::<Role>()?.into())).collect();
    let roles = change.roles.map(numbers).transpose().map_err(|error: UnknownWord| Problem::invalid("roles", error))?;
    let roles = roles.map(|roles| rpc::Roles { roles });
    let request = call.request(rpc::UpdateProfileRequest {
        id: id.to_string(),
        first_name: change.first_name,
        last_name: change.last_name,
        email: change.email,
        phone: change.phone,
        address: change.address,
        bio: change.bio,
        is_active: change.is_active,
        roles,
    });
    let mut client = app.accounts();
    let updated = app.write(vec![account(id)], async move { client.update_profile(request).await }).await?;
    updated.profile.try_into()
}
