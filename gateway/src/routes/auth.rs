//! `/auth/register` and `/auth/login`.

use axum::{
    Json,
    http::{StatusCode, header},
    response::{IntoResponse, Response},
};
use chrono::{DateTime, Utc};
use serde::{Deserialize, Serialize};
use utoipa::ToSchema;
use uuid::Uuid;

use crate::{error::Problem, extract::JsonBody, rate_limit::ClientAddress, routes::State};

/// A name and a password.
// It has no `Debug`: passwords are not for logs.
#[derive(Deserialize, ToSchema)]
pub(super) struct Credentials {
    /// 3 to 64 of `A-Z a-z 0-9 _ . -`, unique without regard to case.
    #[schema(required = true, value_type = String, min_length = 3, max_length = 64, pattern = "^[A-Za-z0-9_.-]+$", example = "ada")]
    username: Option<String>,
    /// 6 to 128 characters.
    #[schema(required = true, value_type = String, min_length = 6, max_length = 128, format = Password, example = "correct horse")]
    password: Option<String>,
}

impl Credentials {
    fn into_parts(self) -> (String, String) {
        (self.username.unwrap_or_default(), self.password.unwrap_or_default())
    }
}

/// A user.
#[derive(Debug, Serialize, ToSchema)]
#[serde(rename_all = "camelCase")]
pub(super) struct User {
    id: Uuid,
    #[schema(example = "ada")]
    username: String,
    created_at: DateTime<Utc>,
}

/// Register a user
///
/// From one address so many are registered a minute (`AUTH_RATE_LIMIT`), together with the logins that fail there.
#[utoipa::path(
    post, path = "/auth/register", tag = "auth", request_body = Credentials,
    responses((status = CREATED, description = "The user", body = User), (status = CONFLICT, description = "`username_taken`"))
)]
pub(super) async fn register(
    app: State,
    from: ClientAddress,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<(StatusCode, Json<User>), Problem> {
    let (username, password) = credentials.into_parts();
    let user = app.guesses.register(from, app.auth.register(&username, &password)).await?;
    Ok((StatusCode::CREATED, Json(User { id: user.id, username: user.username, created_at: user.created_at })))
}

/// A token, in the names of OAuth 2 (RFC 6749, section 5.1).
#[derive(Debug, Serialize, ToSchema)]
pub(super) struct Token {
    /// For `Authorization: Bearer <token>`.
    #[schema(example = "eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIuLi4ifQ.c2lnbmF0dXJl")]
    token: String,
    #[schema(example = "Bearer")]
    token_type: &'static str,
    /// Seconds.
    #[schema(example = 86400)]
    expires_in: u64,
    user_id: Uuid,
    #[schema(example = "ada")]
    username: String,
}

/// Log in
///
/// Only failures are limited: ten for one name from everywhere together, then one a minute; and so many a minute from one
/// address (`AUTH_RATE_LIMIT`). Where a name has logged in before, it has ten of its own there.
#[utoipa::path(
    post, path = "/auth/login", tag = "auth", request_body = Credentials,
    responses((status = OK, description = "A token", body = Token), (status = UNAUTHORIZED, description = "`invalid_credentials`"))
)]
pub(super) async fn login(
    app: State,
    from: ClientAddress,
    JsonBody(credentials): JsonBody<Credentials>,
) -> Result<Response, Problem> {
    let (username, password) = credentials.into_parts();
    let session = app.guesses.login(&username, from, app.auth.login(&username, &password)).await?;
    let token = Token {
        token: session.token,
        token_type: "Bearer",
        expires_in: session.expires_in,
        user_id: session.id,
        username: session.username,
    };
    Ok(([(header::CACHE_CONTROL, "no-store")], Json(token)).into_response())
}
